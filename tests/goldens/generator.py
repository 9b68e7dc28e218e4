"""Seeded weights, bit for bit the same as tests/support/weights.c.

A tensor's values depend only on its name and on the network's name:
    state = FNV-1a-64(tensor) XOR FNV-1a-64(network), then splitmix64;
    u = ((x >> 40) - 2^23) / 2^23, exact in float32, in [-1, 1).
Every float32 operation rounds once.
"""
import zlib
from collections import namedtuple

import numpy as np

Tensor = namedtuple("Tensor", "name dtype kind fan_in shape")

F = np.float32
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8}


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def draws(state, count):
    """The first `count` draws of splitmix64, as float32 in [-1, 1)."""
    x = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(state)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return ((x >> np.uint64(40)).astype(np.int64) - (1 << 23)).astype(F) / F(1 << 23)


KINDS = {
    "weight": lambda u, fan_in: u * F(np.sqrt(np.float64(6.0) / np.float64(fan_in))),
    "bias": lambda u, _: u * F(0.1),
    "bn_weight": lambda u, _: F(1) + F(0.5) * u,
    "bn_bias": lambda u, _: F(0.2) * u,
    "running_mean": lambda u, _: F(0.5) * u,
    "running_var": lambda u, _: F(0.75) + F(0.5) * u,
    "slope": lambda u, _: F(0.25) + F(0.2) * u,
    "input": lambda u, _: u * F(2),
    "counter": lambda u, _: F(0) * np.abs(u),
}


def half_bits(values):
    """float32 -> float16 bits, rounded towards zero (|values| < 65504)."""
    bits = values.view(np.uint32)
    sign = (bits >> np.uint32(16)) & np.uint32(0x8000)
    exponent = ((bits >> np.uint32(23)) & np.uint32(0xFF)).astype(np.int32) - 112
    mantissa = bits & np.uint32(0x7FFFFF)
    high = np.maximum(exponent, 0).astype(np.uint32) << np.uint32(10)
    normal = high | (mantissa >> np.uint32(13))
    shift = np.clip(14 - exponent, 14, 31).astype(np.uint32)
    subnormal = (mantissa | np.uint32(0x800000)) >> shift
    return (sign | np.where(exponent > 0, normal, subnormal)).astype("<u2")


def generate(network, tensor, shape=None):
    """(values as float32 or int64, the bytes stored in the file) of one tensor."""
    shape = tensor.shape if shape is None else shape
    count = int(np.prod(shape, dtype=np.int64))
    state = fnv1a(tensor.name) ^ fnv1a(network)
    values = KINDS[tensor.kind](draws(state, count), tensor.fan_in)
    assert values.dtype == F
    if tensor.dtype == "I64":
        values = values.astype("<i8")
        return values.reshape(shape), values.tobytes()
    if tensor.dtype == "F16":
        stored = half_bits(values)
        return stored.view("<f2").astype(F).reshape(shape), stored.tobytes()
    if tensor.dtype == "BF16":
        high = values.view(np.uint32) >> np.uint32(16)
        return (high << np.uint32(16)).view(F).reshape(shape), high.astype("<u2").tobytes()
    stored = values.astype({"F32": "<f4", "F64": "<f8"}[tensor.dtype])
    return values.reshape(shape), stored.tobytes()


def write_tensors_txt(path, network, batch, tensors, crc):
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"# network {network}\n# batch {batch}\n# crc32 {crc:08x}\n")
        for t in tensors:
            dims = "".join(f" {d}" for d in t.shape)
            out.write(f"{t.name} {t.dtype} {t.kind} {t.fan_in}{dims}\n")


def crc_of(parts):
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc
