"""Tensor files without NumPy: .npy and .safetensors, read and written with array and struct."""

import array
import ast
import json
import math
import struct

NPY_CODES = {"<f4": "f", "<f8": "d", "<i8": "q", "<i4": "i", "<i2": "h", "|i1": "b", "|u1": "B"}
SAFE_CODES = {"F32": "f", "F64": "d", "I64": "q", "I32": "i", "U8": "B"}
SAFE_SIZES = {"F32": 4, "F64": 8, "I64": 8, "I32": 4, "U8": 1, "F16": 2, "BF16": 2, "BOOL": 1}


class Tensor:
    """Row-major values and their shape; `values` is an array.array."""

    def __init__(self, shape, values, code="f"):
        self.shape = tuple(shape)
        self.values = values if isinstance(values, array.array) else array.array(code, values)
        if len(self.values) != math.prod(self.shape):
            raise ValueError(f"{len(self.values)} values for shape {self.shape}")

    @property
    def row_size(self):
        return math.prod(self.shape[1:])

    def rows(self, first, last):
        """Rows [first, last) as a tensor of their own."""
        n = self.row_size
        return Tensor((last - first, *self.shape[1:]), self.values[first * n : last * n])

    def row(self, i):
        n = self.row_size
        return self.values[i * n : (i + 1) * n]

    def tobytes(self):
        return self.values.tobytes()

    def nested(self):
        """As nested lists, for JSON."""
        flat = self.values.tolist()
        for size in reversed(self.shape[1:]):
            flat = [flat[i : i + size] for i in range(0, len(flat), size)]
        return flat

    def argmax_rows(self):
        return [max(range(self.row_size), key=self.row(i).__getitem__) for i in range(self.shape[0])]


def floats(data):
    """Little-endian FP32 bytes as an array."""
    values = array.array("f")
    values.frombytes(data)
    return values


def npy_parse(data, source="npy"):
    if data[:6] != b"\x93NUMPY":
        raise ValueError(f"{source}: no NumPy magic")
    wide = data[6] >= 2
    (size,) = struct.unpack_from("<I" if wide else "<H", data, 8)
    start = (12 if wide else 10) + size
    header = ast.literal_eval(data[start - size : start].decode("latin-1"))
    if header["fortran_order"]:
        raise ValueError(f"{source}: Fortran order")
    values = array.array(NPY_CODES[header["descr"]])
    values.frombytes(data[start:])
    return Tensor(header["shape"], values)


def npy_read(path):
    with open(path, "rb") as f:
        return npy_parse(f.read(), path)


def npy_header(descr, shape, fortran=False):
    dims = "".join(f"{d}, " for d in shape)
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({dims}), }}"
    pad = -(10 + len(text) + 1) % 64
    text = text + " " * pad + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin-1")


def npy_bytes(tensor):
    descr = {code: name for name, code in NPY_CODES.items()}[tensor.values.typecode]
    return npy_header(descr, tensor.shape) + tensor.tobytes()


def npy_write(path, tensor):
    with open(path, "wb") as f:
        f.write(npy_bytes(tensor))


def safetensors_raw(header, data):
    """A file from a header (dict, or bytes as they are) and its data bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def safetensors_bytes(tensors):
    """`tensors`: name -> Tensor (F32, F64, I64...), in the order given."""
    codes = {code: name for name, code in SAFE_CODES.items()}
    header, data = {}, b""
    for name, tensor in tensors.items():
        block = tensor.tobytes()
        header[name] = {"dtype": codes[tensor.values.typecode], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(block)]}
        data += block
    return safetensors_raw(header, data)


def safetensors_read(path):
    """name -> Tensor of a file whose types SAFE_CODES knows."""
    with open(path, "rb") as f:
        data = f.read()
    (size,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, item in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = item["data_offsets"]
        values = array.array(SAFE_CODES[item["dtype"]])
        values.frombytes(data[8 + size + begin : 8 + size + end])
        tensors[name] = Tensor(item["shape"], values)
    return tensors


def max_error(got, want):
    """Largest |got - want| over the output's scale max |want|; infinite where NaNs differ."""
    if len(got) != len(want):
        return math.inf
    scale = max((abs(v) for v in want), default=0.0) or 1.0
    worst = 0.0
    for a, b in zip(got, want):
        error = abs(a - b) / scale
        if not error <= worst:
            if error != error:
                return math.inf
            worst = error
    return worst
