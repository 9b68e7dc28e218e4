"""Many answers computed at the same time: each is right. Threads share the BLAS library's buffers,
so an engine that is right one request at a time proves nothing about two."""

import os
import threading
import unittest

import support
import tensors

CLIENTS = 6
# Two calls rarely meet in the same few instructions: a shared buffer showed in 1 of 2000 requests.
ROUNDS = 6000 if "RECTIFIER_CAMPAIGN" in os.environ else 600
BATCHES = (8, 32, 21, 64)


class Concurrent(unittest.TestCase):
    def hammer(self, isa, gemm="auto"):
        digits = support.Digits.get()
        wrong, lock = [], threading.Lock()

        def work(k):
            with server.client() as client:
                for i in range(ROUNDS):
                    n = BATCHES[(i + k) % len(BATCHES)]
                    first = (37 * i + 101 * k) % (digits.n - n)
                    body = digits.images.rows(first, first + n).tobytes()
                    reply = client.post("/infer", body, support.RAW)
                    problem = digits.wrong(first, tensors.floats(reply.body))
                    if reply.status != 200 or problem:
                        with lock:
                            wrong.append(f"request {i} of client {k}: {reply.status} {problem}")

        with support.Server("--threads", "4", env=support.isa_environment(self, isa, gemm)) as server:
            support.in_threads(CLIENTS, work)
        self.assertEqual(wrong[:5], [], f"{len(wrong)} of {CLIENTS * ROUNDS} answers are wrong")

    def test_base(self):
        self.hammer("base")

    def test_avx2(self):
        self.hammer("avx2")

    def test_avx512(self):
        self.hammer("avx512")

    def test_avx2_openblas(self):
        self.hammer("avx2", "openblas")

    def test_avx512_openblas(self):
        self.hammer("avx512", "openblas")


if __name__ == "__main__":
    unittest.main()
