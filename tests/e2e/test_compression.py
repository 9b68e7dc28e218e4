"""gzip and deflate: bodies that come so, replies that are asked for so, and bombs."""

import gzip
import json
import random
import unittest
import zlib

import support
import tensors

LIMIT = 1 << 20  # of a body, inflated
PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}
LENGTH = "Inference-Header-Content-Length"


def unpack(reply):
    """The body as Content-Encoding says, and its coding."""
    coding = reply.header("Content-Encoding")
    if coding == "gzip":
        return gzip.decompress(reply.body), coding
    return (zlib.decompress(reply.body), coding) if coding == "deflate" else (reply.body, coding)


class Compression(support.ServerTest):
    # and a quarter of 16 MiB for all bodies: four inflated ones, if they were kept
    ARGS = ["--max-body", str(LIMIT), "--memory", "16MiB"]

    def post(self, body, headers=(), path="/infer"):
        with self.server.client() as client:
            return client.post(path, body, dict(headers))

    def assert_right(self, reply, first):
        body, _ = unpack(reply)
        self.assertEqual(reply.status, 200, body[:200])
        answer = json.loads(body)
        self.assertIsNone(support.Digits.get().wrong(first, answer["outputs"][0]["data"]))

    def test_requests(self):
        digits = support.Digits.get()
        text = json.dumps(digits.oip(3, 7)).encode()
        npy = tensors.npy_bytes(digits.images.rows(3, 7))
        for coding, pack in PACK.items():
            for body in (text, npy):
                with self.subTest(f"{coding}, {len(body)} bytes"):
                    self.assert_right(self.post(pack(body), {"Content-Encoding": coding}), 3)
        self.assert_right(self.post(text, {"Content-Encoding": "identity"}), 3)

    def test_request_that_grows_a_thousandfold(self):
        """More memory than Content-Length promises, and still all of it."""
        digits = support.Digits.get()
        spaces = b" " * (LIMIT - 20000)
        packed = gzip.compress(spaces + json.dumps(digits.oip(5, 6)).encode())
        self.assertLess(len(packed), 4000)
        self.assert_right(self.post(packed, {"Content-Encoding": "gzip"}), 5)

    def test_members(self):
        """A gzip file may be several, one behind the other."""
        text = json.dumps(support.Digits.get().oip(1, 2)).encode()
        body = b"".join(gzip.compress(text[i:i + 100]) for i in range(0, len(text), 100))
        self.assert_right(self.post(body, {"Content-Encoding": "gzip"}), 1)

    def test_chunked(self):
        body = gzip.compress(json.dumps(support.Digits.get().oip(1, 2)).encode())
        with self.server.wire() as w:
            w.send(b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n")
            for i in range(0, len(body), 50):
                part = body[i:i + 50]
                w.send(b"%x\r\n%s\r\n" % (len(part), part))
            w.send(b"0\r\n\r\n")
            self.assert_right(w.final(), 1)

    def test_binary_tensors(self):
        """The header counts what the JSON is before it is compressed, on both ways."""
        digits = support.Digits.get()
        images = digits.images.rows(0, 40)
        text = json.dumps({"inputs": [{"name": "image", "shape": [40, 1, 8, 8], "datatype": "FP32",
                                       "parameters": {"binary_data_size": len(images.tobytes())}}],
                           "parameters": {"binary_data_output": True}}).encode()
        for coding in ("gzip", "deflate"):
            reply = self.post(PACK[coding](text + images.tobytes()), {
                LENGTH: str(len(text)), "Content-Encoding": coding, "Accept-Encoding": coding},
                "/v2/models/digits/infer")
            self.assertEqual(reply.status, 200, reply)
            body, got = unpack(reply)
            self.assertEqual(got, coding)
            n = int(reply.header(LENGTH))
            size = json.loads(body[:n])["outputs"][0]["parameters"]["binary_data_size"]
            self.assertEqual(len(body), n + size)
            self.assertIsNone(digits.wrong(0, tensors.floats(body[n:])))

    def test_replies(self):
        text = json.dumps(support.Digits.get().oip(0, 40)).encode()
        for accept, want in (("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate, br", "gzip"),
                             ("deflate, gzip", "deflate"), ("gzip;q=0.1, deflate;q=0.2", "deflate"),
                             ("br", None), ("gzip;q=0", None), ("identity", None), (None, None)):
            with self.subTest(accept):
                reply = self.post(text, {"Accept-Encoding": accept} if accept else {})
                self.assertEqual(unpack(reply)[1], want)
                self.assert_right(reply, 0)

    def test_what_is_not_compressed(self):
        """Short replies, errors, metadata; clients that ask always do not inflate those."""
        always = {"Accept-Encoding": "gzip, deflate"}
        short = self.post(json.dumps(support.Digits.get().oip(0, 1)), always)
        self.assertLess(len(short.body), 1024)
        self.assert_right(short, 0)
        self.assertIsNone(short.header("Content-Encoding"))
        self.assert_error(self.post(b"{", always), 400)
        with self.server.client() as client:
            for path in ("/metrics", "/v2/models/digits/activity?channels=1"):
                reply = client.get(path, always)
                self.assertGreater(len(reply.body), 1024)
                self.assertIsNone(reply.header("Content-Encoding"))

    def test_bombs(self):
        """What inflates beyond the limit of bodies ends there, and its memory returns."""
        for zeros in (LIMIT + 1, 64 << 20):
            for coding in ("gzip", "deflate"):
                packer = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
                body = b"".join(packer.compress(bytes(min(1 << 20, zeros - i)))
                                for i in range(0, zeros, 1 << 20)) + packer.flush()
                self.assertLess(len(body), LIMIT)
                with self.subTest(f"{coding}, {zeros}"):
                    for _ in range(8):
                        reply = self.post(body, {"Content-Encoding": coding})
                        self.assert_error(reply, 413, f"inflates to more than the {LIMIT} bytes")
        support.assert_serves(self, self.server)

    def test_broken(self):
        text = json.dumps(support.Digits.get().oip(0, 1)).encode()
        packed = gzip.compress(text)
        wrong_sum = packed[:-8] + bytes(4) + packed[-4:]
        for name, body, *fragments in (
                ("plain text", text, "not what Content-Encoding says"),
                ("cut", packed[:-1], "cut short"), ("cut early", packed[:20], "cut short"),
                ("header only", packed[:10], "cut short"), ("one byte", packed[:1], "cut short"),
                ("something behind", packed + b"x" * 20, "not what Content-Encoding says"),
                ("checksum", wrong_sum, "not what Content-Encoding says"),
                ("a dictionary", zlib.compress(text)[:1] + b"\xbb" + bytes(40),
                 "not what Content-Encoding says"),
                ("nothing in it", gzip.compress(b""), "the body is empty"),
                ("no body", b"", "the body is empty"),
                ("twice", gzip.compress(packed), "request body"),
                ("not JSON", gzip.compress(b"{"), "request body")):
            with self.subTest(name):
                self.assert_error(self.post(body, {"Content-Encoding": "gzip"}), 400, *fragments)
        support.assert_serves(self, self.server)

    def test_damaged(self):
        """Any bytes get an answer, and none is a 5xx."""
        packed = gzip.compress(json.dumps(support.Digits.get().oip(0, 1)).encode())
        rng = random.Random(1)
        for _ in range(200):
            body = bytearray(packed)
            for _ in range(rng.randrange(1, 4)):
                body[rng.randrange(len(body))] = rng.randrange(256)
            self.assertIn(self.post(bytes(body), {"Content-Encoding": "gzip"}).status, (200, 400, 413))

    def test_unknown_coding_names_the_known(self):
        reply = self.post(b"x", {"Content-Encoding": "br"})
        self.assert_error(reply, 415, "gzip, deflate and identity")
        self.assertEqual(reply.header("Accept-Encoding"), "gzip, deflate")


if __name__ == "__main__":
    unittest.main()
