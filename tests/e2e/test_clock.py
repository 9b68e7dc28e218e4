"""The date jumps by a day, forwards and backwards: nothing that is measured or waited for depends on it. And time that
passes faster, for deadlines that no test can wait for."""

import time
import unittest

import prometheus
import shim
import support
import tagged
import tensors
import wire

DAY = 86400
JUMPS = (DAY, 0, -DAY, 365 * DAY, -3650 * DAY, 1, -1, 0)
SECONDS, READS, LATER = 0, 1, 2
HELD = 12 << 20  # bytes of a reply that no socket's buffers hold
ARGS = ("--threads", "1", "--max-delay", "100ms", "--request-timeout", "600s", "--idle-timeout", "600s",
        "--model-control", "poll", "--poll-interval", "50ms", "--access-log", "all")


class Clock(unittest.TestCase):
    def setUp(self):
        self.shim = shim.Shim(self, "jump_clock", 3)
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)

    def jump(self, seconds):
        self.shim[SECONDS] = seconds
        self.shim[READS] = 0

    def test_jumps(self):
        """Connections that idle, requests half sent, polling of the disk and the stop outlive every jump."""
        digits, tag = support.Digits.get(), 1
        tagged.write(self.folder.path / "m", tag)
        request = wire.request_bytes("POST", "/infer/digits", digits.images.rows(0, 1).tobytes(), support.RAW.items())
        server = support.Server(*ARGS, support.DIGITS, model=self.folder.path, env=self.shim.env).start()
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        with server.wire(timeout=60) as idle:
            for seconds in JUMPS:
                with self.subTest(seconds=seconds), server.wire(timeout=60) as head, server.wire(timeout=60) as body:
                    head.send(request[:40])
                    body.send(request[:-100])
                    self.jump(seconds)
                    for _ in range(3):
                        self.ask(idle, request)
                    tag += 1
                    tagged.write(self.folder.path / "m", tag)
                    support.wait_for(lambda: self.tag(server) == tag, "the copy that polling finds")
                    self.finish(head, request[40:])
                    self.finish(body, request[-100:])
                    self.assertGreater(self.shim[READS], 0, "the date was not asked for")
            self.check_durations(server)
            server.terminate()
            self.jump(-DAY)
            server.finish()

    def ask(self, w, request):
        w.send(request)
        self.judge(w.final())

    def finish(self, w, rest):
        w.send(rest)
        self.judge(w.final())

    def judge(self, reply):
        self.assertIsNotNone(reply, "closed without an answer")
        self.assertEqual(reply.status, 200, reply)
        self.assertIsNone(support.Digits.get().wrong(0, tensors.floats(reply.body)))

    def tag(self, server):
        with server.client() as client:
            reply = client.post("/infer/m", tagged.ONES)
        return tagged.tag_of(reply)

    def check_durations(self, server):
        """None is negative or takes in a jump."""
        metrics = server.check_conservation()
        for family in ("rectifier_http_request", "rectifier_inference", "rectifier_inference_queue",
                       "rectifier_inference_compute"):
            sums = [value for _, value in metrics.samples(f"{family}_duration_seconds_sum")]
            self.assertTrue(sums)
            for value in sums:
                self.assertGreaterEqual(value, 0)
                self.assertLess(value, DAY / 2)

    def test_readers_that_do_not_read(self):
        """A reply may take a minute, and a second more for each 16 KiB; then its connection ends, and no other."""
        network = {"format": 1, "name": "m", "input": {"name": "x", "shape": [1024]}, "layers": [{"type": "relu"}]}
        model = self.folder.model("m", network, {})
        request = wire.request_bytes("POST", "/infer", bytes(HELD), support.RAW.items())
        patience = 60 + HELD // 16384
        with support.Server("--idle-timeout", "2h", model=model, env=self.shim.env) as server, \
                server.wire(timeout=120) as late, server.wire(timeout=120) as never, server.wire() as idle, \
                server.client() as client:
            def metric(name, **labels):
                return prometheus.Metrics(client.get("/metrics").body.decode()).total(name, **labels)

            for w in (late, never):
                w.send(request)
            idle.send(wire.head("GET", "/v2/health/live"))
            self.assertEqual(idle.final().status, 200)
            support.wait_for(lambda: metric("rectifier_inference_requests_total", result="ok") == 2, "both replies")
            support.wait_for(lambda: metric("rectifier_http_connections") == 4, "only these four")
            self.shim[LATER] = patience - 30
            time.sleep(0.5)  # looks of the sweep
            self.assertEqual(metric("rectifier_http_connections"), 4)
            self.assertEqual(len(late.final().body), HELD)
            self.shim[LATER] = patience + 30
            support.wait_for(lambda: metric("rectifier_http_connections") == 3, "the end of one")
            with self.assertRaises((wire.Incomplete, ConnectionError)):
                never.final()
            for w in (late, idle):
                w.send(wire.head("GET", "/v2/health/live"))
                self.assertEqual(w.final().status, 200)


if __name__ == "__main__":
    unittest.main()
