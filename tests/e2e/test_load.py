"""The client of the measurements over HTTP: it counts what the server counts, and takes no wrong answer."""

import subprocess
import sys
import unittest

import support
import wire

sys.path.append(str(support.ROOT / "tests" / "bench"))
import client  # noqa: E402

IMAGES = 5
FORMS = {"raw": support.RAW, "json": {"Content-Type": "application/octet-stream"}}


class Load(support.ServerTest):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        digits = support.Digits.get()
        self.bodies = [digits.images.rows(i, i + 1).tobytes() for i in range(IMAGES)]
        self.outputs = [digits.outputs.row(i) for i in range(IMAGES)]

    def write(self, headers, bodies=None, outputs=None):
        requests = [wire.request_bytes("POST", "/infer", body, headers.items()) for body in bodies or self.bodies]
        return client.write(self.folder.path, requests, outputs or self.outputs)

    def refused(self, folder):
        """What the client says of a server that it ends with 1 for."""
        done = subprocess.run([support.BUILD / "tests/bench/load", "1", "0.05", "0.2", f"{self.server.port}={folder}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        return done.stderr

    def answered(self):
        return self.server.check_conservation().total("rectifier_inference_requests_total")

    def test_counts(self):
        for form, headers in FORMS.items():
            with self.subTest(form=form):
                before = self.answered()
                target = (self.server.port, self.write(headers))
                first, second = client.load(support.BUILD, 3, 0.05, 0.2, [target, target])
                self.assertGreaterEqual(len(first), 5)
                self.assertEqual(len(first), len(second))
                counted = sum(turn.requests for turn in first + second)
                # the round that is not printed: at least one request a connection and server
                self.assertGreaterEqual(self.answered() - before, counted + 6)
                for turn in first + second:
                    self.assertGreaterEqual(turn.requests, 3)
                    self.assertTrue(0 < turn.p50 <= turn.p99 <= turn.p999 <= 1e6 * turn.seconds, turn)

    def test_wrong_values(self):
        for form, headers in FORMS.items():
            with self.subTest(form=form):
                outputs = [output[:] for output in self.outputs]
                outputs[3][7] += 0.001
                self.assertIn("value 7 is", self.refused(self.write(headers, outputs=outputs)))
                outputs = [output[:-1] for output in self.outputs]
                self.refused(self.write(headers, outputs=outputs))
                outputs = [output + output for output in self.outputs]
                self.refused(self.write(headers, outputs=outputs))

    def test_errors(self):
        self.assertIn("HTTP/1.1 400", self.refused(self.write(support.RAW, bodies=[b"short"] * IMAGES)))
        self.assertIn("no 0.request", self.refused(self.folder.path / "nothing"))

    def test_usage(self):
        done = subprocess.run([support.BUILD / "tests/bench/load", "1", "1", "1", "80"], stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"usage", done.stderr)


if __name__ == "__main__":
    unittest.main()
