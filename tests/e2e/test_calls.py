"""System calls that fail: the server answers, or loses that one connection, and goes on as before."""

import errno
import time
import unittest

import shim
import support
import tagged
import tensors
import wire

CALL, ERROR, EVERY, HITS = 0, 1, 2, 4
ACCEPT, RECV, SEND, POLL, EPOLL_WAIT, EPOLL_ADD, OPEN, READ, WRITE = range(1, 10)
SHORT = 0  # in the place of an error: one byte is transferred

# what no client may notice; a short recv is no failure: the library knows that nothing was left
UNNOTICED = [(ACCEPT, e) for e in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED,
                                   errno.EINTR, errno.EPROTO, errno.EPERM, errno.ENETDOWN)]
UNNOTICED += [(POLL, errno.EINTR), (POLL, errno.ENOMEM), (EPOLL_WAIT, errno.EINTR), (RECV, errno.EINTR),
              (SEND, errno.EINTR), (SEND, SHORT)]
UNNOTICED += [(WRITE, e) for e in (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EPIPE, SHORT)]
# what ends a connection
FATAL = [(RECV, e) for e in (errno.ECONNRESET, errno.ENOMEM, errno.ENOBUFS, errno.ETIMEDOUT)]
FATAL += [(SEND, e) for e in (errno.ECONNRESET, errno.EPIPE, errno.ENOBUFS, errno.ENOMEM)]
FATAL += [(EPOLL_ADD, e) for e in (errno.ENOMEM, errno.ENOSPC)]


def name_of(case):
    return f"{case[0]} {errno.errorcode.get(case[1], 'short')}"


class Calls(unittest.TestCase):
    def setUp(self):
        self.shim = shim.Shim(self, "fail_call", 5)

    def start(self, *args, **options):
        server = support.Server("--access-log", "all", *args, env=self.shim.env, **options).start()
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        return server

    def arm(self, call, error, every):
        self.shim[HITS] = 0
        self.shim[ERROR], self.shim[EVERY] = error, every
        self.shim[CALL] = call

    def disarm(self):
        self.shim[CALL] = 0
        self.assertGreater(self.shim[HITS], 0, "no call failed")

    def settled(self, server, files):
        """The server as it was: it answers right, its counters add up, no descriptor is lost."""
        support.assert_serves(self, server)
        server.check_conservation()
        support.wait_for(lambda: server.open_files() <= files, "the descriptors' return")

    def ask(self, server, image):
        """One request over a connection of its own; None when that ended without a reply."""
        digits = support.Digits.get()
        try:
            with server.wire() as w:
                w.try_send(wire.request_bytes("POST", "/infer", digits.images.rows(image, image + 1).tobytes(),
                                              support.RAW.items()))
                reply = w.final()
        except (ConnectionError, wire.Incomplete):
            return None
        if reply is not None:
            self.assertEqual(reply.status, 200, reply)
            self.assertIsNone(digits.wrong(image, tensors.floats(reply.body)))
        return reply

    def test_unnoticed(self):
        server = self.start()
        files = server.open_files()
        for case in UNNOTICED:
            with self.subTest(name_of(case)):
                self.arm(*case, every=2)
                asked = 0
                while asked < 10 or (self.shim[HITS] == 0 and asked < 1000):  # one write may take many lines
                    self.assertIsNotNone(self.ask(server, asked % 10))
                    asked += 1
                self.disarm()
                self.settled(server, files)
        server.stop()

    def test_fatal(self):
        """Each third call fails: some connections end, the others are answered."""
        server = self.start()
        files = server.open_files()
        for case in FATAL:
            with self.subTest(name_of(case)):
                self.arm(*case, every=3)
                replies = [self.ask(server, i) for i in range(30)]
                self.disarm()
                self.assertIn(None, replies)
                self.assertNotEqual(replies, [None] * len(replies))
                self.settled(server, files)
        server.stop()

    def test_for_ever(self):
        """No connection can be accepted at all, without spinning; afterwards those that wait are answered."""
        server = self.start()
        for error in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            with self.subTest(errno.errorcode[error]):
                failed = self.accept_failures(server)
                self.arm(ACCEPT, error, every=1)
                with server.wire() as w:
                    w.send(wire.head("GET", "/v2/health/live"))
                    support.wait_for(lambda: self.shim[HITS] >= 5, "five attempts")
                    hits, begun = self.shim[HITS], time.monotonic()
                    time.sleep(0.5)
                    self.assertLess(self.shim[HITS] - hits, 100 * (time.monotonic() - begun), "accept spins")
                    self.disarm()
                    self.assertEqual(w.final().status, 200)
                self.assertGreaterEqual(self.accept_failures(server) - failed, 5)
        self.assertIn("accept: No buffer space available", server.output())
        server.stop()

    def accept_failures(self, server):
        return server.metrics().value("rectifier_http_accept_failures_total")

    def test_loading(self):
        """A file that cannot be opened or read: what was served still is, and the next load succeeds."""
        with support.Folder() as folder:
            tagged.write(folder.path / "m", 1)
            server = self.start("--model-control", "api", model=folder.path)
            files = server.open_files()
            with server.client() as client:
                for tag, case in enumerate([(OPEN, e) for e in (errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EIO)]
                                           + [(READ, errno.EIO), (READ, errno.EINTR), (READ, SHORT)], 2):
                    with self.subTest(name_of(case)):
                        tagged.write(folder.path / "m", tag)
                        self.arm(*case, every=1 if case[1] != errno.EINTR else 2)
                        reply = client.post("/v2/repository/models/m/load", b"")
                        self.disarm()
                        unnoticed = case in ((READ, errno.EINTR), (READ, SHORT))
                        self.assertEqual(reply.status == 200, unnoticed, reply)
                        self.assertEqual(tagged.tag_of(client.post("/infer", tagged.ONES)), tag if unnoticed else tag - 1)
                        self.assertEqual(client.post("/v2/repository/models/m/load", b"").status, 200)
                        self.assertEqual(tagged.tag_of(client.post("/infer", tagged.ONES)), tag)
            server.check_conservation()
            support.wait_for(lambda: server.open_files() <= files, "the descriptors' return")
            server.stop()


if __name__ == "__main__":
    unittest.main()
