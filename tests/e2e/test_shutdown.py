"""SIGTERM under load: nothing that the server had taken on is lost, and it exits with 0.

What counts as lost, by what a client can know:
  1. a request proven to have been read (the server sent 100 Continue for it) without a right answer;
  2. a request that lay complete in the server's socket before the signal without an answer;
  3. any answer that is cut short, or wrong, at any time.
An answer is the network's right output, or, for what was not proven read before the signal, the
server's own 503 with Retry-After. What is sent after the signal may meet a closed or refused
connection without a byte of an answer: HTTP/1.1 clients repeat such a request (RFC 9112, 9.3.1).
"""

import os
import random
import socket
import threading
import time
import unittest

import support
import tensors
import wire

ROUNDS = int(os.environ.get("RECTIFIER_CAMPAIGN", "5"))
PROVEN = 4  # requests a round whose headers are known to have been read
GONE = (ConnectionResetError, BrokenPipeError, ConnectionRefusedError)


class Tally:
    """What the clients of one round saw; one instance for all of their threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.signal_at = None  # monotonic time just before the signal
        self.answered = self.shed = self.turned_away = self.proven = 0
        self.lost = []

    def add(self, field):
        with self.lock:
            setattr(self, field, getattr(self, field) + 1)

    def lose(self, text):
        with self.lock:
            self.lost.append(text)

    @property
    def signalled(self):
        return self.signal_at is not None

    def before_signal(self, moment):
        return self.signal_at is None or moment < self.signal_at


def judge(tally, kind, image, sent_at, reply, proven=False):
    """Files one outcome; `reply` is None when the connection ended without a byte."""
    if reply is None:
        if proven:
            tally.lose(f"{kind}: read by the server, then closed without an answer")
        elif tally.before_signal(sent_at):
            tally.lose(f"{kind}: sent {(tally.signal_at or sent_at) - sent_at:.6f} s before the "
                       "signal, closed without an answer")
        else:
            tally.add("turned_away")
    elif reply.status == 200:
        wrong = support.Digits.get().wrong(image, tensors.floats(reply.body))
        if wrong:
            tally.lose(f"{kind}: a wrong answer: {wrong}")
        else:
            tally.add("answered")
            if proven:
                tally.add("proven")
    elif reply.status == 503 and not proven and reply.header("Retry-After") and reply.json()["error"]:
        if not tally.signalled:
            tally.lose(f"{kind}: shed before the signal: {reply}")
        tally.add("shed")
    else:
        tally.lose(f"{kind}: {reply}")


def receive(tally, kind, w):
    """The reply; None when the connection ended before it; what is cut is lost at once."""
    try:
        return w.final()
    except wire.Incomplete as e:
        tally.lose(f"{kind}: an answer cut short: {e}")
    except socket.timeout:
        tally.lose(f"{kind}: no answer, and no end of the connection")
    return False


def receive_any(w):
    """The next reply, interim ones included, or None."""
    try:
        return w.reply()
    except (wire.Incomplete, socket.timeout):
        return None


def ends(reply):
    return not reply or (reply.header("Connection") or "").lower() == "close"


def rows(first, last):
    images = support.Digits.get().images.rows(first, last)
    return wire.request_bytes("POST", "/infer", images.tobytes(), support.RAW.items())


class Round:
    """One server under load by several kinds of clients, until it is gone."""

    def __init__(self, seed):
        self.seed = seed
        self.server = support.Server("--exit-timeout", "120s").start()
        self.tally = Tally()
        self.stop = threading.Event()
        self.ready = threading.Semaphore(0)  # one count for each proven request that waits

    def connect(self):
        """A connection, or None once the server is gone."""
        try:
            return self.server.wire(timeout=120)
        except OSError as e:
            if not self.tally.signalled:
                self.tally.lose(f"connecting before the signal: {e}")
            return None

    def keep_alive(self, k):
        """Request after request on one connection; a new one when the server ends it."""
        rng = random.Random(self.seed * 1000 + k)
        while not self.stop.is_set():
            w = self.connect()
            if w is None:
                return
            with w:
                while not self.stop.is_set():
                    image, n = rng.randrange(300), rng.choice((1, 1, 1, 8, 32))
                    if not self.exchange("keep-alive", w, image, rows(image, image + n)):
                        break

    def fresh(self, k):
        """A new connection for every request."""
        rng = random.Random(self.seed * 2000 + k)
        while not self.stop.is_set():
            w = self.connect()
            if w is None:
                return
            with w:
                image = rng.randrange(350)
                self.exchange("fresh", w, image, rows(image, image + 1))

    def exchange(self, kind, w, image, data):
        """One request and its reply; false when the connection is over."""
        try:
            w.send(data)
        except GONE:
            self.tally.add("turned_away") if self.tally.signalled else self.tally.lose(
                f"{kind}: reset before the signal")
            return False
        sent_at = time.monotonic()
        reply = receive(self.tally, kind, w)
        if reply is not False:
            judge(self.tally, kind, image, sent_at, reply)
        return not ends(reply)

    def pipelined(self, k):
        """Bursts of six; those that follow an announced close were never taken on."""
        rng = random.Random(self.seed * 3000 + k)
        while not self.stop.is_set():
            w = self.connect()
            if w is None:
                return
            with w:
                images = [rng.randrange(350) for _ in range(6)]
                try:
                    w.send(b"".join(rows(i, i + 1) for i in images))
                except GONE:
                    continue
                sent_at = time.monotonic()
                for image in images:
                    reply = receive(self.tally, "pipelined", w)
                    if reply is False:
                        break
                    judge(self.tally, "pipelined", image, sent_at, reply)
                    if ends(reply):
                        break

    def proven(self, k):
        """Headers, then 100 Continue; the body follows only when the signal has been sent."""
        image = (self.seed * 7 + k) % 350
        data = support.Digits.get().images.rows(image, image + 1).tobytes()
        w = self.connect()
        if w is None:
            return
        with w:
            w.send(wire.head("POST", "/infer", [*support.RAW.items(), ("Expect", "100-continue"),
                                                ("Content-Length", str(len(data)))]))
            first = receive_any(w)
            if first is None or first.status != 100:
                return self.tally.lose(f"proven: {first} in place of 100 Continue")
            self.ready.release()
            while not self.tally.signalled:
                time.sleep(0.001)
            for part in (data[:100], data[100:]):
                time.sleep(0.01)
                if not w.try_send(part):
                    break
            reply = receive(self.tally, "proven", w)
            if reply is not False:
                judge(self.tally, "proven", image, 0, reply, proven=True)

    def idle(self):
        """A connection that is only open: it must not hold the exit up."""
        w = self.connect()
        if w is not None:
            with w:
                w.wait_closed(100 * support.SLOWNESS)

    def run(self):
        work = [(self.keep_alive, k) for k in range(5)] + [(self.fresh, k) for k in range(3)]
        work += [(self.pipelined, 0)]
        threads = [threading.Thread(target=f, args=(k,)) for f, k in work]
        threads += [threading.Thread(target=self.idle) for _ in range(2)]
        threads += [threading.Thread(target=self.proven, args=(k,)) for k in range(PROVEN)]
        for t in threads:
            t.start()
        for _ in range(PROVEN):
            if not self.ready.acquire(timeout=30 * support.SLOWNESS):
                break  # the missing request is reported by its own thread
        time.sleep(random.Random(self.seed).uniform(0.0, 0.3))
        self.tally.signal_at = time.monotonic()
        self.server.terminate()
        try:
            self.server.finish()
        finally:
            self.stop.set()
            for t in threads:
                t.join()
        return self.tally


class Shutdown(unittest.TestCase):
    def test_under_load(self):
        answered = 0
        for seed in range(ROUNDS):
            with self.subTest(round=seed):
                tally = Round(seed).run()
                self.assertEqual(tally.lost, [])
                self.assertEqual(tally.proven, PROVEN)
                answered += tally.answered
        self.assertGreater(answered, ROUNDS * PROVEN, "no load worth the name")

    def test_idle(self):
        server = support.Server().start()
        server.stop()

    def test_with_open_connections(self):
        """Idle, half-sent and never-speaking connections do not hold the exit up."""
        server = support.Server("--idle-timeout", "600s").start()
        held = [server.wire() for _ in range(6)]
        held[0].send(wire.head("GET", "/v2/health/live"))
        self.assertEqual(held[0].final().status, 200)
        held[1].send(b"POST /infer HT")
        held[2].send(b"POST /infer HTTP/1.1\r\nHost: a\r\nContent-Le")
        server.stop()
        for w in held:
            self.assertTrue(w.wait_closed(10))
            w.close()

    def test_during_the_start(self):
        """A signal at any moment of the start: a clean exit or, before main, the signal's death."""
        for delay in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05):
            with self.subTest(delay=delay):
                server = support.Server()
                server.launch()
                time.sleep(delay)
                server.terminate()
                self.assertIn(server.wait(), (0, -15), server.output())

    def test_sigint_is_the_same(self):
        server = support.Server().start()
        support.assert_serves(self, server)
        server.process.send_signal(2)
        server.finish()

    def test_refuses_while_draining(self):
        """With a drain delay: not ready at once, yet still serving until the port closes."""
        server = support.Server("--drain-delay", "2s").start()
        with server.client() as client:
            self.assertEqual(client.get("/v2/health/ready").status, 200)
            server.terminate()
            end = time.monotonic() + 30 * support.SLOWNESS
            status = 200
            while status == 200 and time.monotonic() < end:
                with server.client() as fresh:
                    status = fresh.get("/v2/health/ready").status
            self.assertEqual(status, 503)
            support.assert_serves(self, server)
            with server.client() as fresh:
                self.assertEqual(fresh.get("/v2/health/live").status, 200)
        server.finish()
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5).close()

    def held_request(self, *args):
        """A server that waits for the body of a request whose headers it has read."""
        server = support.Server("--request-timeout", "1h", *args).start()
        w = server.wire(timeout=60)
        w.send(wire.head("POST", "/infer", [*support.RAW.items(), ("Expect", "100-continue"),
                                            ("Content-Length", "256")]))
        self.assertEqual(w.reply().status, 100)
        server.terminate()
        return server, w

    def wait_closed_port(self, server):
        """Until the first signal has been seen to work."""
        end = time.monotonic() + 30 * support.SLOWNESS
        while time.monotonic() < end:
            try:
                server.wire().close()
            except OSError:
                return
        self.fail("the port stays open")

    def test_second_signal(self):
        """It ends the server at once, though a request is unanswered."""
        server, w = self.held_request("--exit-timeout", "1h")
        self.wait_closed_port(server)
        server.terminate()
        self.assertEqual(server.wait(8), 1)
        self.assertIn("second signal", server.output())
        w.close()

    def test_exit_timeout(self):
        server, w = self.held_request("--exit-timeout", "200ms")
        self.assertEqual(server.wait(30), 1)
        self.assertIn("exit timeout", server.output())
        w.close()

    def test_answers_close(self):
        """While draining, what is answered says that the connection ends."""
        server, w = self.held_request()
        self.wait_closed_port(server)
        w.send(bytes(256))
        reply = w.final()
        self.assertEqual((reply.status, reply.header("Connection")), (200, "close"))
        self.assertIsNone(w.final())
        w.close()
        server.finish()

    def test_port_is_free_afterwards(self):
        first = support.Server().start()
        port = first.port
        support.assert_serves(self, first)
        first.stop()
        second = support.Server().start(port)
        support.assert_serves(self, second)
        second.stop()


if __name__ == "__main__":
    unittest.main()
