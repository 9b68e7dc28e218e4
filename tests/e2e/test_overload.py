"""More than a model can do: what waits, what is refused, who has left, and that the rest is answered meanwhile."""

import contextlib
import time
import unittest

import support
import wire

# About a twentieth of a second for each row of 256 KiB.
SIDE, CHANNELS, CONVS = 128, 32, 12
NETWORK = support.slow_network(SIDE, CHANNELS, CONVS)


def rows(n):
    return wire.request_bytes("POST", "/infer", bytes(4 * SIDE * SIDE * n), support.RAW.items())


class Overload(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        self.server = support.Server("--threads", "1", "--queue-size", "2", "--request-timeout", "10m",
                                     model=self.folder.model("slow", NETWORK))

    def until(self, reached):
        """Metrics for which `reached` is true; they come while the only worker is busy."""
        end = time.monotonic() + 60 * support.SLOWNESS
        while True:
            metrics = self.server.metrics()
            if reached(metrics):
                return metrics
            self.assertLess(time.monotonic(), end)

    def send(self, n):
        w = self.clients.enter_context(self.server.wire(timeout=120))
        w.send(rows(n))
        return w

    def test_full_queue(self):
        with self.server as server, contextlib.ExitStack() as self.clients:
            running = self.send(48)
            self.until(lambda m: m.total("rectifier_inference_started_total") == 1
                       and m.total("rectifier_inference_pending_requests") == 0)
            waiting, leaving = self.send(1), self.send(1)
            m = self.until(lambda m: m.total("rectifier_inference_pending_requests") == 2)
            self.assertEqual(m.total("rectifier_inference_requests_total"), 0, "the run was too short")
            refused = self.send(1).final()
            self.assertEqual((refused.status, refused.header("Retry-After")), (503, "1"))
            self.assertEqual(refused.json()["error"], "Exceeds maximum queue size: the model's queue is full")
            with server.client() as client:
                self.assertEqual(client.get("/v2/health/live").status, 200)
                self.assertEqual(client.get("/v2/health/ready").status, 200)
            leaving.close()
            self.assertEqual(running.final().status, 200)
            self.assertEqual(waiting.final().status, 200)
            m = server.check_conservation()
        results = {k["result"]: v for k, v in m.samples("rectifier_inference_requests_total") if v}
        self.assertEqual(results, {"ok": 2, "shed": 1, "cancelled": 1})
        self.assertEqual(m.value("rectifier_inference_shed_total", reason="queue"), 1)
        self.assertEqual(m.total("rectifier_inference_rows_total"), 49, "who had left was computed")


class Budget(support.ServerTest):
    """A quarter of --memory is for what clients send and get."""

    ARGS = ("--memory", "16MiB")
    BODY = b"[" + b",".join([b"0"] * 64) + b"]"

    def ask(self):
        with self.server.client() as client:
            return client.post("/infer", self.BODY)

    def test_bodies(self):
        """Two that are still coming take all of it; others are refused until one has gone."""
        whole = wire.request_bytes("POST", "/infer", self.BODY.ljust(2 << 20))
        with self.server.wire() as a, self.server.wire() as b:
            for w in (a, b):
                w.send(whole[:-1])
            support.wait_for(lambda: self.ask().status == 503, "a refusal")
            shed = self.server.check_conservation().value("rectifier_inference_shed_total", reason="memory")
            refused = self.ask()
            self.assert_error(refused, 503, "no memory for the request's body now")
            self.assertEqual(refused.header("Retry-After"), "1")
            self.assertEqual(self.server.check_conservation().value("rectifier_inference_shed_total", reason="memory"),
                             shed + 1)
            a.send(whole[-1:])
            self.assertEqual(a.final().status, 200)
            self.assertEqual(self.ask().status, 200)
            b.send(whole[-1:])
            self.assertEqual(b.final().status, 200)


if __name__ == "__main__":
    unittest.main()
