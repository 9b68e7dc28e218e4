"""Signals by the hundred while clients ask: no request is lost, and each signal does what it is said to do."""

import signal
import threading
import unittest

import support
import tagged
import tensors
import wire

IGNORED = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG,
           signal.SIGCONT]
CLIENTS = 4


class Traffic(support.Threads):
    """Clients that ask one after the other and must always be answered right."""

    def __init__(self, server):
        super().__init__(CLIENTS, self.work)
        self.server = server
        self.answers = [0] * CLIENTS

    def work(self, i):
        digits = support.Digits.get()
        request = wire.request_bytes("POST", "/infer", digits.images.rows(i, i + 1).tobytes(), support.RAW.items())
        while not self.stop.is_set():
            with self.server.wire() as w:
                for _ in range(20):
                    w.send(request)
                    reply = w.final()
                    assert reply and reply.status == 200, reply
                    wrong = digits.wrong(i, tensors.floats(reply.body))
                    assert not wrong, wrong
                    self.answers[i] += 1

    def goes_on(self):
        """Every client has had another answer since the call."""
        before = list(self.answers)
        support.wait_for(lambda: self.errors or all(a > b for a, b in zip(self.answers, before)), "an answer")
        if self.errors:
            raise self.errors[0]


class Signals(unittest.TestCase):
    def test_what_is_ignored(self):
        with support.Server() as server, Traffic(server) as traffic:
            for _ in range(20):
                for number in IGNORED * 10:
                    server.process.send_signal(number)
                traffic.goes_on()

    def test_stopped_and_continued(self):
        """It interrupts whatever waits."""
        with support.Server() as server, Traffic(server) as traffic:
            for _ in range(50):
                server.process.send_signal(signal.SIGSTOP)
                support.wait_for(lambda: self.state(server) == "T", "the stop")
                server.process.send_signal(signal.SIGCONT)
                traffic.goes_on()

    def state(self, server):
        with open(f"/proc/{server.process.pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]

    def test_many_ends(self):
        """The second SIGTERM or SIGINT ends at once what the first does with care; further ones do no harm."""
        for number in (signal.SIGTERM, signal.SIGINT):
            server = support.Server().start()
            for _ in range(50):
                server.process.send_signal(number)
            code = server.wait()
            self.assertIn(code, (0, 1), server.output())
            self.assertEqual("second signal" in server.output(), code == 1)

    def test_an_end_during_a_load(self):
        """A load that was asked for is answered, or its connection ends without a word."""
        with support.Folder() as folder:
            for _ in range(5):
                tagged.write(folder.path / "m", 1)
                server = support.Server("--model-control", "api", model=folder.path).start()
                replies = []

                def load():
                    try:
                        with server.wire() as w:
                            while True:
                                w.send(wire.head("POST", "/v2/repository/models/m/load"))
                                replies.append(w.final())
                                if replies[-1] is None or replies[-1].header("Connection") == "close":
                                    return
                    except ConnectionError:
                        pass

                clients = [threading.Thread(target=load) for _ in range(3)]
                for t in clients:
                    t.start()
                support.wait_for(lambda: len(replies) >= 3, "the first loads")
                server.terminate()
                server.finish()
                for t in clients:
                    t.join()
                self.assertEqual({r.status for r in replies if r}, {200})


if __name__ == "__main__":
    unittest.main()
