"""A small writer of ONNX files: every function returns a message's bytes, so that tests can also write
what no library would."""

import math
import struct

FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE, BFLOAT16 = 1, 2, 3, 6, 7, 8, 9, 10, 11, 16
CODES = {FLOAT: "f", UINT8: "B", INT8: "b", INT32: "i", INT64: "q", BOOL: "B", DOUBLE: "d"}


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, value):
    """Bytes, a string or a message."""
    value = value.encode() if isinstance(value, str) else bytes(value)
    return varint(field << 3 | 2) + varint(len(value)) + value


def real(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


class Tensor(bytes):
    """Tells a tensor from a string where both are bytes."""


def tensor(name, dims, values=None, type=FLOAT, raw=None, extra=b""):
    """`values`: a list, or one number for all; `raw` instead of them; neither: `extra` has the data."""
    out = b"".join(number(1, d) for d in dims) + number(2, type) + data(8, name)
    if values is not None:
        if not isinstance(values, (list, tuple)):
            values = [values] * math.prod(dims)
        raw = struct.pack(f"<{len(values)}{CODES[type]}", *values)
    if raw is not None:
        out += data(9, raw)
    return Tensor(out + extra)


def external(name, dims, entries, type=FLOAT):
    """A tensor elsewhere; `entries`: key -> value, or a list of pairs."""
    pairs = entries.items() if isinstance(entries, dict) else entries
    return tensor(name, dims, type=type, extra=number(14, 1) + b"".join(
        data(13, data(1, key) + data(2, str(value))) for key, value in pairs))


def attribute(name, value):
    head = data(1, name)
    if isinstance(value, Tensor):
        return head + data(5, value) + number(20, 4)
    if isinstance(value, (str, bytes)):
        return head + data(4, value) + number(20, 3)
    if isinstance(value, int):
        return head + number(3, value) + number(20, 2)
    if isinstance(value, float):
        return head + real(2, value) + number(20, 1)
    if all(isinstance(v, int) for v in value):
        return head + b"".join(number(8, v) for v in value) + number(20, 7)
    return head + b"".join(real(7, v) for v in value) + number(20, 6)


def node(op, inputs, outputs, name="", domain="", attributes=b"", **named):
    """`attributes`: attributes already written, each as data(5, ...)."""
    out = b"".join(data(1, i) for i in inputs) + b"".join(data(2, o) for o in outputs)
    out += data(3, name) if name else b""
    out += data(4, op)
    out += b"".join(data(5, attribute(k, v)) for k, v in named.items()) + attributes
    return out + (data(7, domain) if domain else b"")


def value(name, dims, type=FLOAT):
    """An input or output; a string is a symbolic dimension, None one that is not said."""
    shape = b"".join(data(1, b"" if d is None else data(2, d) if isinstance(d, str) else number(1, d))
                     for d in dims)
    return data(1, name) + data(2, data(1, number(1, type) + data(2, shape)))


def graph(nodes, initializers=(), inputs=(), outputs=(), extra=b""):
    return (b"".join(data(1, n) for n in nodes) + data(2, "graph")
            + b"".join(data(5, t) for t in initializers) + b"".join(data(11, v) for v in inputs)
            + b"".join(data(12, v) for v in outputs) + extra)


def model(graph_bytes, opset=13, ir=8, extra=b""):
    imports = b"" if opset is None else data(8, number(2, opset))
    return number(1, ir) + data(2, "tests") + data(7, graph_bytes) + imports + extra
