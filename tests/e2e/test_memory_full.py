"""Every allocation of a request failing once: that request alone is refused, and nothing stays behind; nor does
anything of many requests."""

import gzip
import json
import os
import time
import unittest

import shim
import support
import tensors
import wire

MOST = 400  # allocations of one request
REQUESTS = 2000 * int(os.environ.get("RECTIFIER_CAMPAIGN", "5"))


def table():
    """name, request"""
    digits = support.Digits.get()
    image = digits.images.rows(0, 1)
    oip = json.dumps(digits.oip(0, 2, id="a", outputs=[{"name": "probabilities", "parameters": {"classification": 2}}]))
    binary = json.dumps({"inputs": [{"name": "image", "shape": [1, 1, 8, 8], "datatype": "FP32",
                                     "parameters": {"binary_data_size": 256}}],
                         "parameters": {"binary_data_output": True}}).encode()
    packed = gzip.compress(json.dumps(digits.oip(0, 1)).encode())

    def post(path, body, *headers):
        return wire.request_bytes("POST", path, body, headers)

    raw = post("/infer", image.tobytes(), *support.RAW.items())
    return [
        ("raw", raw),
        ("bare array", post("/infer", json.dumps(image.values.tolist()).encode())),
        ("instances", post("/v1/models/digits:predict", json.dumps({"instances": [[0] * 64]}).encode())),
        ("the protocol's JSON", post("/v2/models/digits/infer", oip.encode())),
        ("the protocol's bytes", post("/v2/models/digits/infer", binary + image.tobytes(),
                                      ("Inference-Header-Content-Length", str(len(binary))))),
        ("npy both ways", post("/infer", tensors.npy_header("<f4", (1, 1, 8, 8)) + image.tobytes(),
                               ("Accept", "application/x-npy"))),
        ("gzip both ways", post("/infer", packed, ("Content-Encoding", "gzip"), ("Accept-Encoding", "gzip"))),
        ("a wrong body", post("/infer", b'{"inputs": [')),
        ("metadata", wire.head("GET", "/v2/models/digits")),
        ("configuration", wire.head("GET", "/v2/models/digits/config")),
        ("statistics", wire.head("GET", "/v2/models/stats")),
        ("activity", wire.head("GET", "/v2/models/digits/activity?channels=1")),
        ("metrics", wire.head("GET", "/metrics")),
        ("an unknown path", wire.head("GET", "/nothing")),
    ]


class MemoryFull(unittest.TestCase):
    def setUp(self):
        self.shim = shim.Shim(self, "fail_malloc", 2)
        self.server = support.Server("--threads", "1", "--http-threads", "1", env=self.shim.env)

    def arm(self, n):
        self.shim[0] = n

    def has_failed(self):
        return self.shim[0] <= 0

    def live(self):
        return self.shim[1]

    def ask(self, data):
        with self.server.wire() as w:
            w.try_send(data)
            return w.final()

    def test_each(self):
        with self.server:
            for name, data in table():
                with self.subTest(name):
                    self.fail_each(data)
                    self.server.check_conservation()

    def fail_each(self, data):
        want = self.ask(data)
        base = self.settled(None)
        n = 1
        while True:
            self.arm(n)
            reply = self.ask(data)
            failed = self.has_failed()
            self.arm(0)
            if not failed:
                break
            self.judge(n, data, reply, want)
            support.assert_serves(self, self.server)
            n += 1
            self.assertLess(n, MOST)
        self.assertEqual(reply.status, want.status)
        self.assertGreater(n, 3, "nothing was made to fail")
        self.settled(base)

    def judge(self, n, data, reply, want):
        """503, or as if nothing had happened."""
        self.assertIsNotNone(reply, f"allocation {n}: no answer")
        if reply.status != want.status:
            self.assertEqual(reply.status, 503, f"allocation {n}: {reply}")
            self.assertIn("error", reply.json())
        elif data.startswith(b"POST"):
            self.assertEqual(reply.body, want.body, f"allocation {n}")

    def test_one_connection(self):
        """However many requests a connection brings, it holds no more than after the first ones."""
        image = support.Digits.get().images.rows(0, 1).tobytes()
        batch = wire.request_bytes("POST", "/infer", image, support.RAW.items()) * 20
        batch += wire.head("GET", "/v2/models/digits") * 20 + wire.head("GET", "/nothing") * 10
        with self.server as server, server.wire(timeout=120) as w:
            for i in range(REQUESTS // 50):
                w.send(batch)
                statuses = [w.final().status for _ in range(50)]
                self.assertEqual(statuses, [200] * 40 + [404] * 10)
                if i == 4:
                    base = self.settled(None)
            self.settled(base)

    def settled(self, base):
        """The blocks allocated once the last connections are closed; they must be no more than `base`."""
        end = time.monotonic() + 10 * support.SLOWNESS
        seen = [self.live()]
        while time.monotonic() < end:
            time.sleep(0.02)
            seen.append(self.live())
            if len(seen) > 5 and len(set(seen[-5:])) == 1 and (base is None or seen[-1] <= base):
                return seen[-1]
        return self.fail(f"{seen[-1]} blocks, {base} before")


if __name__ == "__main__":
    unittest.main()
