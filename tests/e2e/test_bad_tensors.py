"""Wrong tensors, made from templates: in JSON and in bytes, each refused in exactly these words."""

import json
import struct
import unittest

import onnx_writer as o
import support

COPY = o.model(o.graph([o.node("Identity", ["x"], ["y"])], [], [o.value("x", ["n", 4])],
                       [o.value("y", ["n", 4])]))
KINDS = o.model(o.graph(
    [o.node("Identity", ["a"], ["a2"]), o.node("Identity", ["b"], ["b2"])], [],
    [o.value("a", ["n", 2], o.INT64), o.value("b", ["n", 2], o.BOOL)],
    [o.value("a2", ["n", 2], o.INT64), o.value("b2", ["n", 2], o.BOOL)]))

INTEGERS = {f"{sign}INT{bits}": bits // 8 for sign in ("", "U") for bits in (8, 16, 32, 64)}
REALS = {"FP16": 2, "BF16": 2, "FP32": 4, "FP64": 8}
SIZES = {**INTEGERS, **REALS}
EXACT = 2**53  # up to which a real holds every integer

# JSON text of each kind, and how messages call it
VALUES = {"null": "null", "true": "a boolean", "7": "a number", '"s"': "a string", "[1]": "an array",
          '{"k":1}': "an object"}


class Raw(str):
    """JSON text that goes out as it is."""


def dumps(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k) + ":" + dumps(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


def tensor(**changes):
    """The right input x with changes; None takes a key away."""
    right = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
    right.update(changes)
    return {k: v for k, v in right.items() if v is not None}


def binary(datatype="FP32", shape=(1, 4), size=None):
    n = 4 * SIZES[datatype] if size is None else size
    shape = list(shape) if isinstance(shape, tuple) else shape
    return tensor(datatype=datatype, shape=shape, data=None, parameters={"binary_data_size": n})


def request(*tensors, **keys):
    return dumps({"inputs": list(tensors), **keys})


def limits(datatype):
    """What an integer type takes for an FP32 input, and how messages end."""
    bits = 8 * INTEGERS[datatype]
    low, high = (0, 2**bits - 1) if datatype[0] == "U" else (-2**(bits - 1), 2**(bits - 1) - 1)
    if high > EXACT:
        return max(low, -EXACT), EXACT, " (2^53) for an input of FP32"
    return low, high, ""


def bad_values():
    """One element of the four is wrong."""
    for datatype in SIZES:
        for text, kind in VALUES.items():
            if text in ("7", "[1]"):
                continue
            yield (request(tensor(datatype=datatype, data=[1, 2, Raw(text), 4])),
                   f"input 'x': data[2] is {kind}, expected a number")
        yield (request(tensor(datatype=datatype, data=[1, 2, [3], 4])),
               "input 'x': data[2] is an array, but others beside it are numbers: the array is ragged")
    for datatype in INTEGERS:
        low, high, end = limits(datatype)
        for text in (str(high + 1), str(low - 1), "1.5", "1e1", "NaN", "-Infinity", str(2**64)):
            yield (request(tensor(datatype=datatype, data=[1, Raw(text), 3, 4])),
                   f"input 'x': data[1] is {text}; {datatype} takes integers from {low} to {high}{end}")
    for datatype, texts in {"FP16": ("65520", "-65520", "1e5"), "BF16": ("3.4e38", "-3.4e38"),
                            "FP32": ("1e39", "-3.5e38", "1e999"), "FP64": ("1e309", "-1e999")}.items():
        for text in texts:
            yield (request(tensor(datatype=datatype, data=[1, 2, 3, Raw(text)])),
                   f"input 'x': data[3] is {text}, which does not fit {datatype}"
                   + (" converted to FP32" if datatype == "FP64" else ""))


def bad_counts():
    for datatype in SIZES:
        for n in (0, 1, 3, 5, 8):
            yield (request(tensor(datatype=datatype, data=[1] * n)),
                   f"input 'x': shape [1,4] has 4 elements, \"data\" has {n}")
    for data, shape in (([[1, 2], [3, 4]], "[2,2]"), ([[1], [2], [3], [4]], "[4,1]"),
                        ([[[1, 2, 3, 4]]], "[1,1,4]")):
        yield (request(tensor(data=data)), f"input 'x': \"data\" is nested as {shape}, but its shape is [1,4]")


SHAPES = [
    (7, '"shape" is a number, expected an array of integers'),
    ("s", '"shape" is a string, expected an array of integers'),
    ({}, '"shape" is an object, expected an array of integers'),
    ([1, -4], "shape[1] is -4, expected an integer from 0 to 2^63-1"),
    ([-1, 4], "shape[0] is -1, expected an integer from 0 to 2^63-1"),
    ([1, 4.5], "shape[1] is 4.5, expected an integer from 0 to 2^63-1"),
    ([1, Raw("4e0")], "shape[1] is 4e0, expected an integer from 0 to 2^63-1"),
    ([1, "4"], 'shape[1] is "4", expected an integer from 0 to 2^63-1'),
    ([1, True], "shape[1] is true, expected an integer from 0 to 2^63-1"),
    ([1, [4]], "shape[1] is [4], expected an integer from 0 to 2^63-1"),
    ([2**63, 4], "shape[0] is 9223372036854775808, expected an integer from 0 to 2^63-1"),
    ([1] * 9, '"shape" has more than 8 dimensions'),
    ([2**62, 4], "shape [4611686018427387904,4] has more than 2^63-1 elements"),
]
UNEXPECTED = [[], [4], [1, 1, 4], [4, 1], [1, 5], [1, 0], [65536, 65536], [2, 2]]  # by a model of [-1,4]


def bad_shapes():
    for given, tail in ((tensor, None), (binary, bytes(16))):
        for shape, text in SHAPES:
            yield (request(given(shape=shape)), tail), f"input 'x': {text}"
        for shape in UNEXPECTED:
            hint = " The batch dimension comes first." if shape == [4] else ""
            yield ((request(given(shape=shape)), tail),
                   f"unexpected shape for input 'x' for model 'copy'. Expected [-1,4], got {dumps(shape)}.{hint}")


def bad_sizes():
    """binary_data_size against the shape, and against what follows."""
    for datatype, size in SIZES.items():
        n = 4 * size
        for other in (0, n - 1, n + 1, 2 * n):
            yield ((request(binary(datatype, size=other)), bytes(other)),
                   f"input byte size mismatch for input 'x' for model 'copy'. Expected {n}, got {other}")
        for less in (1, n // 2, n):
            yield ((request(binary(datatype)), bytes(n - less)),
                   f"unexpected size for input 'x', expecting {less} additional bytes for model 'copy'")
        for more in (1, n):
            yield ((request(binary(datatype)), bytes(n + more)),
                   f"unexpected additional input data for model 'copy': {more} bytes are left behind the last "
                   "binary tensor")
        yield ((request(binary(datatype, [2, 4])), bytes(4 * n)),
               f"input byte size mismatch for input 'x' for model 'copy'. Expected {2 * n}, got {n}")
    for datatype in ("INT64", "UINT64"):
        for value in (EXACT + 1, 2**63 - 1):
            yield ((request(binary(datatype)), struct.pack("<4q", 0, 0, 0, value)),
                   f"input 'x': binary data: element 3 is {value}, beyond 2^53")
    yield ((request(binary("FP64")), struct.pack("<4d", 0, 1e39, 0, 0)),
           "input 'x': binary data: element 1 is 1e39, beyond FP32's range")
    yield ((request(tensor(parameters={"binary_data_size": 16})), bytes(16)),
           "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters'; "
           "input 'x' sets both")
    yield (request(binary()), "input 'x': binary data need the header Inference-Header-Content-Length, the "
           "length of the JSON before them")
    yield ((request(tensor()), b"x"), "unexpected additional input data for model 'copy': 1 bytes are left behind "
           "the last binary tensor")


def bad_types():
    """Types that an input does not take."""
    for form in ("data", "binary"):
        for model, name, given in (("copy", "x", ("BOOL", "BYTES", "STRING", "FP31", "fp32", "", " FP32")),
                                   ("kinds", "b", (*SIZES, "BYTES")),
                                   ("kinds", "a", (*REALS, "BOOL", "BYTES"))):
            expected = {"x": "FP32", "b": "BOOL", "a": "INT64"}[name]
            for datatype in given:
                body = {"name": name, "shape": [1, 2], "datatype": datatype}
                body.update({"data": [1, 1]} if form == "data" else {"parameters": {"binary_data_size": 16}})
                yield ((request(body), b"" if form == "data" else bytes(16)),
                       f"inference input '{name}' data-type is '{datatype}', but model '{model}' expects "
                       f"'{expected}'", model)
    low, high = -2**63, 2**63 - 1
    for datatype, text in (("UINT64", high + 1), ("INT64", high + 1), ("INT64", low - 1)):
        yield (request({"name": "a", "shape": [1, 2], "datatype": datatype, "data": [1, text]}),
               f"input 'a': data[1] is {text}; {datatype} takes integers from {0 if datatype[0] == 'U' else low} to "
               f"{high}" + (" for an input of INT64" if datatype[0] == "U" else ""), "kinds")
    for text, kind in VALUES.items():
        if text not in ("true", "[1]"):
            yield (request({"name": "b", "shape": [1, 2], "datatype": "BOOL", "data": [True, Raw(text)]}),
                   f"input 'b': data[1] is {kind}, expected true or false", "kinds")


def bad_members():
    """Every key of the request with a value of every kind that it does not take."""
    def of_kinds(right):
        return ((Raw(text), kind) for text, kind in VALUES.items() if kind not in right)

    for value, kind in of_kinds(("a string",)):
        yield request(tensor(name=value)), f"inputs[0]: \"name\" is {kind}, expected a string"
        yield request(tensor(datatype=value)), f"input 'x': \"datatype\" is {kind}, expected a string"
        yield request(tensor(), id=value), f"request body: \"id\" is {kind}, expected a string"
        yield request(tensor(), outputs=[{"name": value}]), f"outputs[0]: \"name\" is {kind}, expected a string"
    for value, kind in of_kinds(("an array",)):
        yield dumps({"inputs": value}), f"request body: \"inputs\" is {kind}, expected an array"
        yield request(tensor(), outputs=value), f"request body: \"outputs\" is {kind}, expected an array"
        yield request(tensor(data=value)), f"input 'x': data is {kind}, expected an array of numbers"
    for value, kind in of_kinds(("an object",)):
        yield request(value), f"inputs[0] is {kind}, expected an object"
        yield request(tensor(), outputs=[value]), f"outputs[0] is {kind}, expected an object"
        yield request(tensor(), parameters=value), f"request body: \"parameters\" is {kind}, expected an object"
        yield request(tensor(parameters=value)), f"input 'x': \"parameters\" is {kind}, expected an object"
        yield (request(tensor(), outputs=[{"name": "y", "parameters": value}]),
               f"outputs[0]: \"parameters\" is {kind}, expected an object")
        yield dumps(value), f"request body: is {kind}, expected an object with \"inputs\""
    for value, kind in of_kinds(("a boolean",)):
        end = f"is {kind}, expected true or false"
        yield (request(tensor(), parameters={"binary_data_output": value}),
               f"request body: \"parameters\": \"binary_data_output\" {end}")
        yield (request(tensor(), outputs=[{"name": "y", "parameters": {"binary_data": value}}]),
               f"outputs[0]: \"parameters\": \"binary_data\" {end}")
    for key in ("name", "datatype", "shape"):
        what = "inputs[0]" if key == "name" else "input 'x'"
        kind = "an array of integers" if key == "shape" else "a string"
        yield request(tensor(**{key: None})), f"{what}: \"{key}\" is missing, expected {kind}"
        twice = request(tensor())[:-3] + f",\"{key}\":0}}]}}"
        yield twice, f"inputs[0]: \"{key}\" is there twice"
    yield request(tensor(data=None)), "input 'x': \"data\" is missing"


def bad_numbers():
    """Parameters that count something."""
    for text in ("null", "true", "-1", "1.5", "1e3", '"4"', "[4]", '{"k":1}', "NaN", str(2**64)):
        end = f"is {text}, expected an integer from 0 to 2^64-1"
        for key in ("timeout", "priority"):
            yield (request(tensor(), parameters={key: Raw(text)}), f"request body: \"parameters\": \"{key}\" {end}")
        yield (request(tensor(), outputs=[{"name": "y", "parameters": {"classification": Raw(text)}}]),
               f"outputs[0]: \"parameters\": \"classification\" {end}")
        yield ((request(binary(size=Raw(text))), bytes(16)),
               f"input 'x': \"parameters\": \"binary_data_size\" {end}")


def bad_names():
    for name in ("X", "y", "", "x ", "input__0"):
        yield (request(tensor(name=name)),
               f"unexpected inference input '{name}' for model 'copy'; expected 'x'")
    for name in ("Y", "x", "", "y ", "output__0"):
        yield (request(tensor(), outputs=[{"name": name}]),
               f"unexpected inference output '{name}' for model 'copy'; expected 'y'")
    yield request(tensor(), tensor()), "input 'x' already exists in request"
    yield request(tensor(), outputs=[{"name": "y"}] * 2), "output 'y' already exists in request"
    yield (request(), "expected 1 inputs but got 0 inputs for model 'copy'. Got input(s) [], but missing required "
           "input(s) ['x']. Please provide all required input(s).")
    yield (request(tensor(parameters={"shared_memory_region": "r"}, data=None)),
           "input 'x': \"parameters\": shared memory is not offered; send and take the elements as binary data")
    yield (request(tensor(), outputs=[{"name": "y", "parameters": {"shared_memory_region": "r"}}]),
           "outputs[0]: \"parameters\": shared memory is not offered; send and take the elements as binary data")
    yield (request({"name": "a", "shape": [1, 2], "datatype": "INT64", "data": [1, 2]},
                   {"name": "b", "shape": [1, 2], "datatype": "BOOL", "data": [True, False]},
                   outputs=[{"name": "b2", "parameters": {"classification": 1}}]),
           "class result not available for output due to unsupported type 'BOOL'; output 'b2'", "kinds")


TEMPLATES = (bad_values, bad_counts, bad_shapes, bad_sizes, bad_types, bad_members, bad_numbers, bad_names)


class BadTensors(support.OnnxTest):
    MORE, MODELS = (support.DIGITS,), {"copy": COPY, "kinds": KINDS}

    def refuse(self, client, body, message, model="copy"):
        """`body`: JSON, or JSON and the bytes behind it. One connection for all: refusals leave it open."""
        text, tail = body if isinstance(body, tuple) else (body, None)
        headers = {} if tail is None else {"Inference-Header-Content-Length": str(len(text))}
        with self.subTest(text[:200]):
            reply = client.post(f"/v2/models/{model}/infer", text.encode() + (tail or b""), headers)
            self.assertEqual(self.assert_error(reply, 400), message)

    def test_templates(self):
        count = 0
        with self.server.client() as client:
            for template in TEMPLATES:
                for case in template():
                    self.refuse(client, *case)
                    count += 1
            self.assertGreaterEqual(count, 500)
            reply = client.post("/v2/models/copy/infer", request(tensor()))
            self.assertEqual(reply.json()["outputs"][0]["data"], [1.0, 2.0, 3.0, 4.0])

    def test_headers(self):
        text, tail = request(binary()).encode(), bytes(16)
        with self.server.client() as client:
            for value in ("-1", "+1", "1.5", "0x10", "", "ten", str(2**64), "1,1"):
                reply = client.post("/v2/models/copy/infer", text + tail, {"Inference-Header-Content-Length": value})
                self.assertEqual(self.assert_error(reply, 400),
                                 f"Inference-Header-Content-Length is '{value}', expected a number of bytes")
            for value in (len(text) + 17, 10**10, 2**64 - 1):
                reply = client.post("/v2/models/copy/infer", text + tail,
                                    {"Inference-Header-Content-Length": str(value)})
                self.assertEqual(self.assert_error(reply, 400),
                                 f"inference header size should be in range (0, {len(text) + 16}), got: {value}")
            for value in [*range(1, len(text)), *range(len(text) + 1, len(text) + 17)]:
                reply = client.post("/v2/models/copy/infer", text + tail,
                                    {"Inference-Header-Content-Length": str(value)})
                self.assert_error(reply, 400, "request body: ")

    def test_cut_short(self):
        """A right request, ended at any byte."""
        whole = request(binary()).encode() + struct.pack("<4f", 1, 2, 3, 4)
        with self.server.client() as client:
            for n in range(len(whole)):
                for header in (len(whole) - 16, min(n, len(whole) - 16)):
                    reply = client.post("/v2/models/copy/infer", whole[:n],
                                        {"Inference-Header-Content-Length": str(header)})
                    self.assert_error(reply, 400)


if __name__ == "__main__":
    unittest.main()
