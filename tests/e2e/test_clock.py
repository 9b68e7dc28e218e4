"""The date jumps by a day, forwards and backwards: nothing that is measured or waited for depends on it."""

import unittest

import shim
import support
import tagged
import tensors
import wire

DAY = 86400
JUMPS = (DAY, 0, -DAY, 365 * DAY, -3650 * DAY, 1, -1, 0)
SECONDS, READS = 0, 1
ARGS = ("--threads", "1", "--max-delay", "100ms", "--request-timeout", "600s", "--idle-timeout", "600s",
        "--model-control", "poll", "--poll-interval", "50ms", "--access-log", "all")


class Clock(unittest.TestCase):
    def setUp(self):
        self.shim = shim.Shim(self, "jump_clock", 2)
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


if __name__ == "__main__":
    unittest.main()
