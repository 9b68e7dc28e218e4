"""Wrong requests: each gets a precise answer, and the next right request a right one."""

import json
import struct
import unittest

import support
import tensors

JSON = {"Content-Type": "application/json"}
RAW = {"Content-Type": "application/octet-stream"}
NPY = {"Content-Type": "application/x-npy"}
OIP_PATH = "/v2/models/digits/infer"
ZEROS = [0] * 64


def oip(**changes):
    """A right request body with its one input changed; a value of None removes the key."""
    tensor = {"name": "image", "shape": [1, 1, 8, 8], "datatype": "FP32", "data": ZEROS}
    tensor.update(changes)
    return {"inputs": [{k: v for k, v in tensor.items() if v is not None}]}


def data_text(element):
    """A right request whose element 5 is replaced by this JSON text."""
    return json.dumps(oip()).replace("[0, 0, 0, 0, 0, 0,", f"[0, 0, 0, 0, 0, {element},", 1)


def typed(datatype, element):
    return data_text(element).replace('"FP32"', f'"{datatype}"')


def top(**keys):
    return {**oip(), **keys}


def nested(text_open, text_close, depth):
    return text_open * depth + text_close * depth


# name, body (bytes, text, or what becomes JSON), fragments that the message has
SYNTAX = [
    ("empty", b"", "empty"),
    ("white space", b" \r\n\t ", ),
    ("truncated object", b'{"inputs":[{"name":"image"', ),
    ("truncated array", b"[[0,0,0,0", ),
    ("open string", b'{"inputs":"abc', ),
    ("trailing text", json.dumps(oip()) + " x", ),
    ("two documents", json.dumps(oip()) * 2, ),
    ("byte order mark", b"\xef\xbb\xbf" + json.dumps(oip()).encode(), ),
    ("UTF-16", json.dumps(oip()).encode("utf-16"), ),
    ("invalid UTF-8 in a name", json.dumps(oip()).encode().replace(b"image", b"im\xff\xfege"), ),
    ("overlong UTF-8", json.dumps(oip()).encode().replace(b"image", b"im\xc0\xafge"), ),
    ("lone surrogate", json.dumps(oip()).replace("image", "im\\ud800ge"), ),
    ("NUL escape in a key", json.dumps(oip()).replace('"name"', '"na\\u0000me"'), ),
    ("control byte in a string", json.dumps(oip()).encode().replace(b"image", b"im\x01age"), ),
    ("NUL after the text", json.dumps(oip()).encode() + b"\0", ),
    ("number", b"5", ),
    ("string", b'"image"', ),
    ("null", b"null", ),
    ("true", b"true", ),
    ("single quotes", json.dumps(oip()).replace('"', "'"), ),
    ("comment", b"/* */" + json.dumps(oip()).encode(), ),
    ("trailing comma", data_text("0,").replace("0,, ", "0,,"), ),
    ("leading zero", data_text("01"), ),
    ("leading plus", data_text("+1"), ),
    ("no digit before the point", data_text(".5"), ),
    ("no digit behind the point", data_text("1."), ),
    ("hexadecimal", data_text("0x10"), ),
    ("broken exponent", data_text("1e"), ),
    ("lone minus", data_text("-"), ),
    ("misspelt literal", data_text("nul"), ),
    ("lower-case nan", data_text("nan"), ),
    ("form data", b"image=1&model=2", ),
    ("depth 65, arrays", nested("[", "]", 65), "nesting depth exceeds"),
    ("depth 100000, arrays", nested("[", "]", 100000), "nesting depth exceeds"),
    ("depth 100000, objects", nested('{"a":', "}", 100000).replace("}", "1}", 1), "nesting depth exceeds"),
    ("depth 100000, never closed", "[" * 100000, ),
    ("duplicate key", json.dumps(oip()).replace('"shape"', '"name": "image", "shape"'), ),
    ("duplicate inputs", json.dumps(oip())[:-1] + ', "inputs": []}', ),
]

STRUCTURE = [
    ("empty object", {}, "inputs"),
    ("inputs a number", {"inputs": 5}, "inputs"),
    ("inputs an object", {"inputs": {}}, "inputs"),
    ("inputs null", {"inputs": None}, "inputs"),
    ("inputs empty", {"inputs": []}, "image"),
    ("input a number", {"inputs": [5]}, ),
    ("input an array", {"inputs": [[]]}, ),
    ("no name", oip(name=None), "name"),
    ("no shape", oip(shape=None), "shape"),
    ("no datatype", oip(datatype=None), "datatype"),
    ("no data", oip(data=None), "data"),
    ("name a number", oip(name=5), "name"),
    ("unknown name", oip(name="picture"), "picture", "image"),
    ("empty name", oip(name=""), "image"),
    ("long name", oip(name="n" * 5000), "name"),
    ("same input twice", {"inputs": oip()["inputs"] * 2}, "image"),
    ("one input too many", {"inputs": oip()["inputs"] + oip(name="other")["inputs"]}, "other"),
    ("unknown output", top(outputs=[{"name": "logits"}]), "logits", "probabilities"),
    ("same output twice", top(outputs=[{"name": "probabilities"}] * 2), "probabilities"),
    ("output without a name", top(outputs=[{}]), "name"),
    ("output a string", top(outputs=["probabilities"]), ),
    ("outputs an object", top(outputs={}), "outputs"),
    ("id a number", top(id=5), "id"),
    ("parameters an array", top(parameters=[]), "parameters"),
]

TENSORS = [
    ("shape a number", oip(shape=64), "shape"),
    ("shape with a text", oip(shape=[1, 1, 8, "8"]), "shape"),
    ("shape with a fraction", oip(shape=[1, 1, 8, 8.5]), "shape"),
    ("negative dimension", oip(shape=[-1, 1, 8, 8]), "image", "-1"),
    ("two negative dimensions", oip(shape=[-1, -1, 8, 8]), "image"),
    ("zero inner dimension", oip(shape=[1, 0, 8, 8], data=[]), "image"),
    ("product overflows", oip(shape=[1 << 62, 4, 8, 8]), "image"),
    ("product wraps to the right count", oip(shape=[4, (1 << 62) + 16, 1, 1]), "image"),
    ("huge dimension", oip(shape=[9223372036854775807, 1, 8, 8]), "image"),
    ("dimension beyond 64 bits", oip(shape=[1 << 64, 1, 8, 8]), ),
    ("huge batch without data", oip(shape=[1 << 40, 1, 8, 8], data=[]), ),
    ("rank 0", oip(shape=[]), "image"),
    ("rank 1", oip(shape=[64]), "image", "[64]"),
    ("rank 1000", oip(shape=[1] * 1000), "image"),
    ("sample shape without batch", oip(shape=[1, 8, 8]), "image", "[1,8,8]"),
    ("wrong height", oip(shape=[1, 1, 4, 16]), "image", "[1,1,4,16]"),
    ("too few elements", oip(data=ZEROS[:63]), "image", "63", "64"),
    ("too many elements", oip(data=ZEROS + [0]), "image", "64"),
    ("no elements", oip(data=[]), "image", "64"),
    ("data a number", oip(data=5), "data"),
    ("data an object", oip(data={}), "data"),
    ("ragged data", oip(data=[[[[0] * 8] * 7 + [[0] * 7]]]), "image"),
    ("nested too deep", oip(data=[[[[[0] * 8] * 8]]]), "image"),
    ("nested and flat mixed", oip(data=[0] * 32 + [[0] * 32]), "image"),
    ("text element", data_text('"0"'), "image"),
    ("boolean element", data_text("true"), "image"),
    ("null element", data_text("null"), "image"),
    ("object element", data_text("{}"), "image"),
    ("1e999", data_text("1e999"), ),
    ("-1e999", data_text("-1e999"), ),
    ("beyond FP32", data_text("1e39"), "image"),
    ("10 KB number", data_text("9" * 10000), ),
    ("unknown datatype", oip(datatype="FP31"), "FP31"),
    ("lower-case datatype", oip(datatype="fp32"), "fp32"),
    ("datatype a number", oip(datatype=32), "datatype"),
    ("BYTES", oip(datatype="BYTES", data=["a"] * 64), "data-type is 'BYTES'", "expects 'FP32'"),
    ("BOOL", oip(datatype="BOOL", data=[True] * 64), "data-type is 'BOOL'", "expects 'FP32'"),
    ("INT32 fraction", typed("INT32", "1.5"), "image"),
    ("INT32 too large", typed("INT32", "2147483648"), "image"),
    ("UINT8 300", typed("UINT8", "300"), "image"),
    ("UINT8 -1", typed("UINT8", "-1"), "image"),
    ("INT8 -129", typed("INT8", "-129"), "image"),
    ("UINT16 65536", typed("UINT16", "65536"), "image"),
    ("INT64 beyond 2^53", typed("INT64", "9007199254740993"), "image"),
    ("UINT64 beyond 2^53", typed("UINT64", "18446744073709551615"), "image"),
    ("UINT64 beyond 64 bits", typed("UINT64", "18446744073709551616"), ),
    ("FP16 beyond its range", typed("FP16", "1e6"), "image"),
]

ARRAYS = [
    ("empty array", [], "[1,8,8]"),
    ("63 elements", ZEROS[:63], "[63]", "[1,8,8]", "[64]"),
    ("65 elements", ZEROS + [0], "[65]"),
    ("ragged rows", [ZEROS, ZEROS[:63]], ),
    ("ragged images", [[[[0] * 8] * 8], [[[0] * 8] * 7]], ),
    ("ragged pixels", [[[0] * 8] * 7 + [[0] * 9]], ),
    ("7 by 8", [[[0] * 8] * 7], "[1,7,8]"),
    ("two channels", [[[0] * 8] * 8] * 2, "[2,8,8]"),
    ("text elements", ["0"] * 64, ),
    ("null elements", [None] * 64, ),
    ("boolean elements", [True] * 64, ),
    ("objects", [{}] * 64, ),
    ("numbers and arrays", [0] * 32 + [[0]] * 32, ),
    ("many empty arrays", [[]] * 20000, ),
    ("1e999 in an array", json.dumps(ZEROS).replace("0", "1e999", 1), ),
    ("instances a number", {"instances": 5}, "instances"),
    ("instances a text that looks like an object", {"instances": "{"}, "instances"),
    ("instances ragged", {"instances": [ZEROS, ZEROS[:63]]}, ),
    ("instances of a wrong shape", {"instances": [[0] * 63]}, "[1,63]"),
    ("instances of texts", {"instances": ["a"]}, ),
]

NPY_FILES = [
    ("magic only", b"\x93NUMPY", ),
    ("truncated header", tensors.npy_header("<f4", (1, 1, 8, 8))[:40], ),
    ("unknown version", b"\x93NUMPY\x09\x00" + tensors.npy_header("<f4", (1, 1, 8, 8))[8:]
     + bytes(256), "version"),
    ("header beyond the body", b"\x93NUMPY\x01\x00\xff\xff{}", ),
    ("header no dictionary", b"\x93NUMPY\x01\x00" + struct.pack("<H", 54) + b"x" * 53 + b"\n", ),
    ("no shape", b"\x93NUMPY\x01\x00" + struct.pack("<H", 54)
     + b"{'descr': '<f4', 'fortran_order': False}".ljust(53) + b"\n" + bytes(256), "shape"),
    ("complex", tensors.npy_header("<c8", (1, 1, 8, 8)) + bytes(512), "c8"),
    ("text", tensors.npy_header("<U4", (1, 1, 8, 8)) + bytes(1024), "U4"),
    ("objects", tensors.npy_header("|O", (1, 1, 8, 8)) + bytes(512), "O"),
    ("data too short", tensors.npy_header("<f4", (1, 1, 8, 8)) + bytes(255), "255", "256"),
    ("data too long", tensors.npy_header("<f4", (1, 1, 8, 8)) + bytes(257), "257", "256"),
    ("wrong shape", tensors.npy_header("<f4", (1, 1, 4, 16)) + bytes(256), "[1,1,4,16]"),
    ("negative dimension", tensors.npy_header("<f4", (-1, 1, 8, 8)) + bytes(256), ),
    ("product overflows", tensors.npy_header("<f4", (1 << 62, 4, 8, 8)) + bytes(256), ),
    ("dimension beyond 64 bits", tensors.npy_header("<f4", (1 << 64, 1, 8, 8)) + bytes(256), ),
    ("int64 beyond 2^53", tensors.npy_header("<i8", (1, 1, 8, 8))
     + struct.pack("<64q", (1 << 53) + 1, *[0] * 63), ),
    ("not npy at all", b"hello", ),
]

RAW_BODIES = [
    ("empty", b"", {}, "empty"),
    ("one byte", b"x", {}, "256"),
    ("255 bytes", bytes(255), {}, "255", "256"),
    ("257 bytes", bytes(257), {}, "257", "256"),
    ("unknown datatype", bytes(256), {"X-Tensor-Datatype": "FP31"}, "FP31"),
    ("BYTES", bytes(256), {"X-Tensor-Datatype": "BYTES"}, "BYTES"),
    ("FP64 of half a sample", bytes(256), {"X-Tensor-Datatype": "FP64"}, "512"),
    ("FP16 odd", bytes(127), {"X-Tensor-Datatype": "FP16"}, "128"),
]

# name, method, path, headers, statuses, fragments
ROUTES = [
    ("GET infer", "GET", "/infer", {}, 405),
    ("PUT infer", "PUT", "/infer", {}, 405),
    ("DELETE infer", "DELETE", "/infer", {}, 405),
    ("PATCH infer", "PATCH", "/infer", {}, 405),
    ("GET model infer", "GET", OIP_PATH, {}, 405, OIP_PATH),
    ("POST metrics", "POST", "/metrics", {}, 405),
    ("POST live", "POST", "/v2/health/live", {}, 405),
    ("DELETE model", "DELETE", "/v2/models/digits", {}, 405),
    ("POST activity", "POST", "/v2/models/digits/activity", {}, 405),
    ("unknown method", "BREW", "/infer", {}, (405, 501)),
    ("lower-case method", "post", "/infer", {}, (405, 501)),
    ("TRACE", "TRACE", "/infer", {}, (405, 501)),
    ("unknown path", "GET", "/nothing", {}, 404),
    ("unknown path, POST", "POST", "/nothing/here", {}, 404),
    ("below infer", "POST", "/infer/digits/more", {}, 404),
    ("wrong case", "GET", "/V2", {}, 404),
    ("unknown model", "GET", "/v2/models/nothing", {}, 404,
     "request for unknown model: 'nothing' is not found"),
    ("unknown model, infer", "POST", "/v2/models/nothing/infer", {}, 404, "'nothing'"),
    ("unknown model, our route", "POST", "/infer/nothing", {}, 404, "'nothing'"),
    ("unknown model, activity", "GET", "/v2/models/nothing/activity", {}, 404, "'nothing'"),
    ("model in the query", "POST", "/infer?model=digits", {}, 400, "/infer/digits"),
    ("unknown query key", "POST", "/infer?verbose=1", {}, 400, "verbose"),
    ("unknown layer", "GET", "/v2/models/digits/activity?layer=nothing", {}, (400, 404), "nothing"),
    ("unknown activity key", "GET", "/v2/models/digits/activity?colour=red", {}, 400, "colour"),
    ("encoded slash", "GET", "/v2/models/..%2f..%2fetc%2fpasswd", {}, (400, 404)),
    ("encoded dots", "GET", "/v2/models/%2e%2e/%2e%2e/etc/passwd", {}, (400, 404)),
    ("dots", "GET", "/v2/models/../../etc/passwd", {}, (400, 404)),
    ("encoded NUL", "GET", "/v2/models/digits%00/activity", {}, (400, 404)),
    ("encoded backslash", "GET", "/v2/models/digits%5c..", {}, (400, 404)),
    ("double slash", "GET", "/v2//models", {}, (400, 404)),
    ("leading dot", "GET", "/v2/models/.digits", {}, (400, 404)),
    ("encoded space", "GET", "/v2/models/digits%20", {}, (400, 404)),
    ("broken escape", "GET", "/v2/models/digits%zz", {}, (400, 404)),
    ("other case", "GET", "/v2/models/Digits", {}, 404),
    ("name of 2000 characters", "GET", "/v2/models/" + "n" * 2000, {}, (404, 414)),
    ("unsupported Accept", "POST", "/infer", {"Accept": "image/png"}, 406, "application/json",
     "application/octet-stream", "application/x-npy"),
    ("refused JSON", "POST", "/infer", {"Accept": "text/html, application/json;q=0"}, 406),
    ("unknown Content-Encoding", "POST", "/infer", {"Content-Encoding": "br"}, 415, "gzip, deflate"),
    ("stacked Content-Encoding", "POST", "/infer", {"Content-Encoding": "br, zstd"}, 415),
    ("unknown Expect", "POST", "/infer", {"Expect": "the-unexpected"}, 417),
]


def as_bytes(body):
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


class BadRequests(support.ServerTest):
    def refuse(self, name, method, path, body, headers, statuses, fragments):
        with self.subTest(name):
            with self.server.client() as client:
                reply = client.ask(method, path, body, headers)
            allowed = statuses if isinstance(statuses, tuple) else (statuses,)
            self.assertIn(reply.status, allowed, reply)
            text = self.assert_error(reply, reply.status, *fragments)
            self.assertGreaterEqual(len(text), 8, "an answer that says nothing")
            self.assertNotIn("/work", text)
            self.assertNotIn("0x7f", text)
            if reply.status == 405:
                self.assertTrue(reply.header("Allow"), "405 without Allow")
            support.assert_serves(self, self.server, image=len(name) % 50)

    def refuse_bodies(self, table, path, headers):
        for name, body, *fragments in table:
            self.refuse(name, "POST", path, as_bytes(body), headers, 400, fragments)

    def test_json_syntax(self):
        self.refuse_bodies(SYNTAX, "/infer", JSON)

    def test_json_syntax_on_the_protocol_route(self):
        self.refuse_bodies(SYNTAX, OIP_PATH, JSON)

    def test_structure(self):
        self.refuse_bodies(STRUCTURE, OIP_PATH, JSON)

    def test_tensors(self):
        self.refuse_bodies(TENSORS, OIP_PATH, JSON)

    def test_bare_arrays(self):
        self.refuse_bodies(ARRAYS, "/infer", JSON)

    def test_protocol_route_takes_objects_only(self):
        self.refuse("bare array", "POST", OIP_PATH, json.dumps(ZEROS).encode(), JSON, 400,
                    ["inputs"])
        self.refuse("raw bytes", "POST", OIP_PATH, bytes(256), RAW, 400, [])

    def test_npy(self):
        self.refuse_bodies(NPY_FILES, "/infer", NPY)

    def test_raw(self):
        for name, body, headers, *fragments in RAW_BODIES:
            self.refuse(name, "POST", "/infer", body, {**RAW, **headers}, 400, fragments)

    def test_routes_and_headers(self):
        for name, method, path, headers, statuses, *fragments in ROUTES:
            body = json.dumps(oip()).encode() if method == "POST" else None
            self.refuse(name, method, path, body, {**headers}, statuses, fragments)

    def test_default_form_type_is_json(self):
        """curl -d sends this type; browsers' forms are refused only where state changes."""
        with self.server.client() as client:
            reply = client.post("/infer", support.Digits.get().oip(4, 5),
                                {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(reply.status, 200, reply)
        self.assertIsNone(support.Digits.get().wrong(4, reply.json()["outputs"][0]["data"]))

    def test_non_finite_tokens_pass(self):
        """NaN and the infinities are numbers here, in and out."""
        for token in ("NaN", "Infinity", "-Infinity"):
            with self.subTest(token), self.server.client() as client:
                reply = client.post("/infer", data_text(token).encode(), JSON)
                self.assertEqual(reply.status, 200, reply)
                self.assertEqual(len(reply.json()["outputs"][0]["data"]), 10)

    def test_accepted_datatypes(self):
        digits = support.Digits.get()
        sixteenths = [round(v * 16) for v in digits.images.row(9)]
        for datatype in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
                         "FP16", "BF16", "FP32", "FP64"):
            with self.subTest(datatype), self.server.client() as client:
                a = client.post(OIP_PATH, oip(datatype=datatype, data=sixteenths), JSON)
                b = client.post(OIP_PATH, oip(data=[float(v) for v in sixteenths]), JSON)
                self.assertEqual(a.status, 200, a)
                self.assertEqual(a.json()["outputs"], b.json()["outputs"])

    def test_many_keys(self):
        """Keys by the hundred thousand take no time that grows with their square: it would be an hour."""
        keys = "".join(f'"k{i}":{i},' for i in range(300000))
        body = json.dumps(oip())
        for many in (body.replace("{", "{" + keys, 1), body.replace('{"name"', "{" + keys + '"name"', 1),
                     body[:-1] + ', "parameters": {' + keys[:-1] + "}}"):
            with self.server.client() as client:
                reply = client.post(OIP_PATH, many.encode(), JSON)
            self.assertEqual(reply.status, 200, reply)

    def test_request_ids(self):
        with self.server.client() as client:
            for given, kept in (("abc-123", True), ("x" * 128, True), ("x" * 129, False),
                                ("tab\there", False), ("caf\xe9", False)):
                with self.subTest(given):
                    reply = client.get("/v2/health/live", {"X-Request-Id": given})
                    got = reply.header("X-Request-Id")
                    self.assertTrue(got)
                    self.assertEqual(got == given, kept, got)
            ids = {client.get("/v2").header("X-Request-Id") for _ in range(50)}
            self.assertEqual(len(ids), 50)


if __name__ == "__main__":
    unittest.main()
