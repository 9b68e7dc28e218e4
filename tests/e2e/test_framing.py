"""HTTP framing by raw sockets: smuggling, half-sent and oversized requests, limits, slowness."""

import os
import re
import resource
import socket
import time
import unittest

import support
import tensors
import wire

CRLF = b"\r\n"
WAIT = 30 * support.SLOWNESS  # seconds, for what a server with limits of 1 s must do
SMUGGLED = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nX-Request-Id: smuggled\r\n\r\n"
LIVE = wire.head("GET", "/v2/health/live")


def post(*fields, body=b"", path="/infer", version="HTTP/1.1", host=b"Host: a"):
    """POST with header lines exactly as given."""
    lines = [f"POST {path} {version}".encode(), *([host] if host else []), *fields]
    return CRLF.join(lines) + CRLF + CRLF + body


ARRAY = b"[" + b",".join([b"0"] * 64) + b"]"
LENGTH = b"Content-Length: %d" % len(ARRAY)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(ARRAY), ARRAY)

# name, request bytes, statuses. What follows the request on the connection must never be served.
# With None the library may answer by itself, before our code runs, or just close; its answers to a
# malformed length are not well formed, so only what they say and that they end is checked.
REFUSED = [
    ("two lengths that differ", post(b"Content-Length: 5", b"Content-Length: 3", body=b"[1,2]"), {400}),
    ("two equal lengths", post(LENGTH, LENGTH, body=ARRAY), {400}),
    ("length and chunked", post(LENGTH, b"Transfer-Encoding: chunked", body=CHUNKED), {400}),
    ("chunked and length", post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=CHUNKED), {400}),
    ("space before the colon", post(b"Transfer-Encoding : chunked", body=CHUNKED), {400}),
    ("space before the colon of length", post(b"Content-Length : 4", body=b"[1,2]"), {400}),
    ("tab before the colon", post(b"Transfer-Encoding\t: chunked", body=CHUNKED), {400}),
    ("folded header", post(b"Transfer-Encoding:", b" chunked", body=CHUNKED), {400}),
    ("folded length", post(b"Content-Length:", b"\t5", body=b"[1,2]"), {400}),
    ("folded unknown header", post(b"X-A: b", b" Content-Length: 3", LENGTH, body=ARRAY), {400, None}),
    ("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=CHUNKED), {400, 501}),
    ("unknown transfer coding", post(b"Transfer-Encoding: rot13", body=CHUNKED), {400, 501}),
    ("identity", post(b"Transfer-Encoding: identity", LENGTH, body=ARRAY), {400, 501}),
    ("chunked twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKED),
     {400, 501}),
    ("xchunked", post(b"Transfer-Encoding: xchunked", body=CHUNKED), {400, 501}),
    ("chunked in HTTP/1.0", post(b"Transfer-Encoding: chunked", body=CHUNKED, version="HTTP/1.0"), {400}),
    ("look-alike name", post(b"Content-Length-: 5", LENGTH, body=ARRAY), {400}),
    ("look-alike transfer name", post(b"Transfer-Encodingx: chunked", LENGTH, body=ARRAY), {400}),
    ("list of lengths", post(b"Content-Length: 5, 5", body=b"[1,2]"), {400, None}),
    ("length with a sign", post(b"Content-Length: +5", body=b"[1,2]"), {400, None}),
    ("negative length", post(b"Content-Length: -5", body=b"[1,2]"), {400, None}),
    ("hexadecimal length", post(b"Content-Length: 0x5", body=b"[1,2]"), {400, None}),
    ("empty length", post(b"Content-Length:", body=b"[1,2]"), {400, None}),
    ("length of text", post(b"Content-Length: five", body=b"[1,2]"), {400, None}),
    ("length with a space", post(b"Content-Length: 5 5", body=b"[1,2]"), {400, None}),
    ("length 2^64 - 1", post(b"Content-Length: 18446744073709551615"), {400, 413, None}),
    ("length 2^64", post(b"Content-Length: 18446744073709551616"), {400, 413, None}),
    ("length 2^63", post(b"Content-Length: 9223372036854775808"), {400, 413, None}),
    ("two hosts", post(b"Host: b", LENGTH, body=ARRAY), {400}),
    ("no host", post(LENGTH, body=ARRAY, host=None), {400}),
    ("NUL in a name", post(b"X-\0A: b", LENGTH, body=ARRAY), {400, None}),
    ("control byte in a value", post(b"X-A: b\x01c", LENGTH, body=ARRAY), {400, None}),
    ("bare CR in a value", post(b"X-A: b\rContent-Length: 3", LENGTH, body=ARRAY), {400, None}),
    ("space in a name", post(b"X A: b", LENGTH, body=ARRAY), {400, None}),
    ("name without a colon", post(b"Nothing", LENGTH, body=ARRAY), {400, None}),
    ("empty name", post(b": b", LENGTH, body=ARRAY), {400, None}),
    ("empty name before a hidden request",
     post(b": b", b"GET /v2/health/live?a:b HTTP/1.1", b"Host: a"), {400, None}),
    ("HTTP/3.0", post(LENGTH, body=ARRAY, version="HTTP/3.0"), {400, 505, None}),
    ("HTTP/1.10", post(LENGTH, body=ARRAY, version="HTTP/1.10"), {400, 505, None}),
    ("http/1.1", post(LENGTH, body=ARRAY, version="http/1.1"), {400, 505, None}),
    ("no version", b"POST /infer\r\nHost: a\r\n\r\n", {400, 505, None}),
    ("version of text", post(LENGTH, body=ARRAY, version="FTP/1.1"), {400, 505, None}),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 501, 505, None}),
    ("TLS hello", bytes.fromhex("16030100a5010000a10303") + bytes(160) + b"\r\n\r\n",
     {400, 505, None}),
    ("binary", bytes(range(256)) * 4 + b"\r\n\r\n", {400, 405, 501, 505, None}),
    ("chunk size not hexadecimal", post(b"Transfer-Encoding: chunked", body=b"zz\r\nabc\r\n0\r\n\r\n"),
     {400, None}),
    ("chunk size negative", post(b"Transfer-Encoding: chunked", body=b"-1\r\nabc\r\n0\r\n\r\n"), {400, None}),
    ("chunk size overflows", post(b"Transfer-Encoding: chunked", body=b"1" * 20 + b"\r\nabc\r\n"),
     {400, 413, None}),
    ("chunk longer than its size", post(b"Transfer-Encoding: chunked", body=b"3\r\nabcdef\r\n0\r\n\r\n"),
     {400, None}),
    ("100 KB of headers", post(*[b"X-%d: %s" % (i, b"v" * 1000) for i in range(100)]), {400, 431, None}),
    ("100 KB header", post(b"X-A: " + b"v" * 100000), {400, 431, None}),
    ("100 KB URI", post(LENGTH, body=ARRAY, path="/" + "a" * 100000), {400, 414, 431, None}),
]


class Framing(support.ServerTest):
    def test_refused(self):
        for name, request, statuses in REFUSED:
            with self.subTest(name), self.server.wire() as w:
                w.try_send(request + SMUGGLED)  # may fail on the way; what was answered counts
                if None in statuses:
                    self.library_answer(w, statuses)
                else:
                    self.our_answer(w, statuses)
                support.assert_serves(self, self.server)

    def our_answer(self, w, statuses):
        reply = w.final()
        self.assertIsNotNone(reply)
        self.assertIn(reply.status, statuses, reply)
        self.assert_error(reply, reply.status)
        self.assertEqual((reply.header("Connection") or "").lower(), "close")
        self.assertNotEqual(reply.header("X-Request-Id"), "smuggled")
        self.assertIsNone(w.final(), "a second answer")

    def library_answer(self, w, statuses):
        self.assertTrue(w.wait_closed(WAIT), "neither an answer's end nor a close")
        codes = {int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", w.buffer)}
        self.assertLessEqual(codes, statuses, w.buffer)
        self.assertNotIn(b'"live"', w.buffer)
        self.assertNotIn(b"smuggled", w.buffer)

    def test_client_that_keeps_its_side_open(self):
        """The refusal arrives, and the connection ends, though the client neither closes nor reads."""
        with self.server.wire() as w:
            w.send(post(b"Content-Length: 5", b"Content-Length: 3", body=b"[1,2]"))
            self.assertEqual(w.final().status, 400)
            self.assertTrue(w.wait_closed(10 * support.SLOWNESS))

    def test_pipelining(self):
        """Twenty requests in one packet: all answered, in their order."""
        digits = support.Digits.get()
        data = b"".join(
            wire.request_bytes("POST", "/infer", digits.images.rows(i, i + 1).tobytes(),
                               [*support.RAW.items(), ("X-Request-Id", f"p{i}")])
            for i in range(20))
        with self.server.wire() as w:
            w.send(data)
            for i in range(20):
                reply = w.final()
                self.assertEqual((reply.status, reply.header("X-Request-Id")), (200, f"p{i}"))
                self.assertIsNone(digits.wrong(i, tensors.floats(reply.body)))

    def test_keep_alive(self):
        with self.server.wire() as w:
            for _ in range(50):
                w.send(LIVE)
                self.assertEqual(w.final().status, 200)

    def test_connection_close(self):
        with self.server.wire() as w:
            w.send(wire.head("GET", "/v2/health/live", [("Connection", "close")]))
            self.assertEqual(w.final().status, 200)
            self.assertIsNone(w.final())

    def test_http_1_0(self):
        with self.server.wire() as w:
            w.send(wire.head("GET", "/v2/health/live", version="HTTP/1.0", host=None))
            self.assertEqual(w.final().status, 200)
            self.assertIsNone(w.final())

    def test_head(self):
        """HEAD wherever GET is: the same status and length, no body."""
        for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models",
                     "/v2/models/digits", "/v2/models/digits/activity", "/metrics"):
            with self.subTest(path), self.server.wire() as w:
                w.send(wire.head("HEAD", path))
                reply = w.final(head=True)
                self.assertEqual(reply.status, 200)
                self.assertGreater(int(reply.header("Content-Length")), 0)
                w.send(LIVE)
                self.assertEqual(w.final().json(), {"live": True})

    def test_byte_by_byte(self):
        digits = support.Digits.get()
        data = wire.request_bytes("POST", "/infer", digits.images.rows(8, 9).tobytes(),
                                  support.RAW.items())
        with self.server.wire() as w:
            for i in range(len(data)):
                w.send(data[i : i + 1])
            self.assertIsNone(digits.wrong(8, tensors.floats(w.final().body)))

    def test_chunks_of_one_byte(self):
        body = b"".join(b"1\r\n%c\r\n" % c for c in ARRAY) + b"0\r\n\r\n"
        with self.server.wire() as w:
            w.send(post(b"Transfer-Encoding: chunked", body=body))
            self.assertEqual(w.final().status, 200)

    def test_too_many_small_chunks(self):
        """100,000 chunks of a byte: refused, as soon as there are more than a client could mean."""
        with self.server.wire() as w:
            w.try_send(post(b"Transfer-Encoding: chunked", body=b"1\r\n \r\n" * 100000 + b"0\r\n\r\n"))
            reply = w.final()
            self.assert_error(reply, 400, "small pieces")
            self.assertIsNone(w.final())

    def test_half_close(self):
        """A client that has said all it wants to say still gets its answer."""
        digits = support.Digits.get()
        with self.server.wire() as w:
            w.send(wire.request_bytes("POST", "/infer", digits.images.rows(2, 3).tobytes(),
                                      support.RAW.items()))
            w.sock.shutdown(socket.SHUT_WR)
            reply = w.final()
        if reply is not None and reply.status == 503:  # it had to wait: a FIN while queued cancels
            self.assertIn(b"the client closed its side while the request was queued", reply.body)
        elif reply is not None:
            self.assertIsNone(digits.wrong(2, tensors.floats(reply.body)))
        support.assert_serves(self, self.server)

    def test_client_gone(self):
        """Gone in every state, by FIN and by RST; nothing leaks, the rest is served."""
        data = wire.request_bytes("POST", "/infer", bytes(256), support.RAW.items())
        before = self.server.open_files()
        for reset in (False, True):
            for cut in (1, 10, len(data) - 256, len(data) - 200, len(data) - 1, len(data)):
                with self.subTest(reset=reset, cut=cut):
                    w = self.server.wire()
                    if reset:
                        w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          b"\1\0\0\0\0\0\0\0")
                    w.send(data[:cut])
                    w.close()
                    support.assert_serves(self, self.server)
        self.server.check_conservation()
        end = time.monotonic() + 20 * support.SLOWNESS
        while self.server.open_files() > before and time.monotonic() < end:
            time.sleep(0.02)
        self.assertLessEqual(self.server.open_files(), before)

    def test_urgent_byte(self):
        with self.server.wire() as w:
            w.sock.send(b"!", socket.MSG_OOB)
            w.try_send(LIVE)
            w.final()
        support.assert_serves(self, self.server)

    def test_closed_while_replying(self):
        """A client that never reads a large reply and resets: the server goes on."""
        digits = support.Digits.get()
        data = wire.request_bytes("POST", "/infer", digits.images.tobytes() * 20,
                                  [("Content-Type", "application/octet-stream")])
        for _ in range(3):
            w = self.server.wire()
            w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            w.send(data)
            w.close()
        support.assert_serves(self, self.server)


class Oversized(support.ServerTest):
    ARGS = ("--max-body", "1MiB")

    def test_expect_continue(self):
        """413 before a byte of the body is asked for."""
        with self.server.wire() as w:
            w.send(post(b"Content-Length: 100000000", b"Expect: 100-continue"))
            first = w.reply()
            self.assert_error(first, 413, "1048576")
            self.assertTrue(w.wait_closed(10 * support.SLOWNESS))

    def test_refused_before_the_body(self):
        """No 100 Continue asks for a body that would be for nothing."""
        expect = b"Expect: 100-continue"
        for status, request in (
                (404, post(LENGTH, expect, path="/nothing")), (404, post(LENGTH, expect, path="/infer/nothing")),
                (404, post(LENGTH, expect, path="/v2/models/nothing/infer")),
                (404, post(LENGTH, expect, path="/v2/models/digits/versions/7/infer")),
                (404, post(LENGTH, expect, path="/v1/models/nothing:predict")),
                (405, post(LENGTH, expect, path="/v2")), (400, post(LENGTH, expect, path="/infer?a=b")),
                (403, post(LENGTH, expect, b"Origin: http://evil.example")),
                (403, post(LENGTH, expect, path="/v2/repository/models/digits/load")),
                (403, post(LENGTH, expect, path="/v2/repository/models/digits/unload")),
                (413, post(b"Content-Length: 100000000", expect)), (413, post(b"Content-Length: 1048577", expect)),
                (415, post(LENGTH, expect, b"Content-Encoding: br")), (400, post(LENGTH, LENGTH, expect)),
                (417, post(LENGTH, b"Expect: 200-ok"))):
            with self.subTest(request), self.server.wire() as w:
                w.send(request)
                self.assert_error(w.reply(), status)
                self.assertTrue(w.wait_closed(10 * support.SLOWNESS))

    def test_expect_continue_within_the_limit(self):
        with self.server.wire() as w:
            w.send(post(LENGTH, b"Expect: 100-continue"))
            self.assertEqual(w.reply().status, 100)
            w.send(ARRAY)
            self.assertEqual(w.reply().status, 200)
        self.server.check_conservation()

    def test_without_expect(self):
        """100 MB sent regardless: 413 or a close, without taking the body into memory."""
        peak = self.peak_kib()
        for name, request in (
                ("length", post(b"Content-Length: 100000000")),
                ("chunked", post(b"Transfer-Encoding: chunked"))):
            with self.subTest(name), self.server.wire(timeout=60) as w:
                block = bytes(1 << 20)
                if name == "chunked":
                    block = b"100000\r\n" + block + CRLF
                w.send(request)
                for _ in range(100):
                    if not w.try_send(block):
                        break
                try:
                    reply = w.final()
                except wire.Incomplete as e:
                    self.fail(f"a reply that was cut: {e}")
                self.assertIn(reply.status if reply else None, (413, None))
                support.assert_serves(self, self.server)
        self.assertLess(self.peak_kib() - peak, (16 << 10) * support.SLOWNESS)

    def test_many_small_parts(self):
        """A body of a megabyte takes no multiple of it, whatever its parts are."""
        def filled(start, parts, end):
            text = start + "".join(parts)
            self.assertGreater(len(text), 900000)
            return (text[:-1] + end).encode()

        keys = [f'"k{i}":0,' for i in range(90000)]
        bodies = {"arrays": filled("[", ["[],"] * 340000, "]"), "objects": filled("[", ["{},"] * 340000, "]"),
                  "numbers": filled("[", ["1,"] * 500000, "]"), "keys": filled("{", keys, "}"),
                  "inputs": filled('{"inputs":[', ["{},"] * 340000, "]}"),
                  "outputs": filled('{"inputs":[],"outputs":[', ['{"name":"a"},'] * 75000, "]}"),
                  "parameters": filled('{"inputs":[],"parameters":{', keys, "}}"),
                  "strings": filled('{"instances":[', ['"",'] * 340000, "]}")}
        peak = self.peak_kib()
        for name, body in bodies.items():
            with self.subTest(name), self.server.client() as client:
                self.assert_error(client.post("/infer", body), 400)
                support.assert_serves(self, self.server)
                self.assertLess(self.peak_kib() - peak, (3 << 10) * support.SLOWNESS)

    def test_slightly_too_large(self):
        """A body a little over the limit is read to its end, so that the client sees the 413."""
        for size in ((1 << 20) + 1, (1 << 20) + 100000):
            with self.subTest(size), self.server.wire() as w:
                w.try_send(wire.request_bytes("POST", "/infer", b" " * size))
                reply = w.final()
                self.assertIn(reply.status if reply else None, (413, None))
                support.assert_serves(self, self.server)

    def test_at_the_limit(self):
        with self.server.wire() as w:
            w.send(wire.request_bytes("POST", "/infer", ARRAY + b" " * ((1 << 20) - len(ARRAY))))
            self.assertEqual(w.final().status, 200)

    def peak_kib(self):
        with open(f"/proc/{self.server.process.pid}/status") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
        self.fail("no VmHWM")


class Limits(support.ServerTest):
    ARGS = ("--request-timeout", "1s", "--idle-timeout", "1s")

    def test_slow_header(self):
        """A drip of header bytes is ended by the whole request's deadline."""
        self.drip(b"POST /infer HTTP/1.1\r\nHost: a\r\nX-Slow: ")

    def test_slow_body(self):
        self.drip(post(b"Content-Length: 1000"))

    def drip(self, start):
        with self.server.wire() as w:
            w.send(start)
            end = time.monotonic() + WAIT
            while w.try_send(b"a"):
                self.assertLess(time.monotonic(), end, "a drip keeps a connection alive")
                if w.wait_closed(0.1):
                    break
            replies = w.until_closed()
        self.assertLessEqual(len(replies), 1)
        for reply in replies:
            self.assertEqual(reply.status, 408)
        support.assert_serves(self, self.server)

    def test_idle(self):
        with self.server.wire() as w:
            w.send(LIVE)
            self.assertEqual(w.final().status, 200)
            self.assertTrue(w.wait_closed(WAIT))
        with self.server.wire() as w:
            self.assertTrue(w.wait_closed(WAIT), "a connection that never speaks")


class Rate(support.ServerTest):
    ARGS = ("--request-timeout", "1h")

    def test_minimum(self):
        """After some seconds a body that comes by the byte is given up, one that comes steadily is not."""
        with self.server.wire(timeout=60) as drip, self.server.wire(timeout=60) as steady:
            drip.send(post(b"Content-Length: 100000"))
            steady.send(post(b"Content-Length: %d" % (len(ARRAY) + (64 << 10)), body=ARRAY))
            sent, end = 0, time.monotonic() + WAIT
            while drip.try_send(b" ") and not drip.wait_closed(0.2):
                self.assertLess(time.monotonic(), end, "a drip keeps a connection alive")
                if sent < 60 << 10:
                    steady.send(b" " * 1024)
                    sent += 1024
            self.assertEqual([reply.status for reply in drip.until_closed()], [408])
            steady.send(b" " * ((64 << 10) - sent))
            self.assertEqual(steady.final().status, 200)


class Starved(unittest.TestCase):
    def test_no_descriptors(self):
        """More connections than descriptors: the server waits without spinning, then goes on."""
        with support.Folder() as folder:
            script = folder.path / "rectifier"
            script.write_text(f'#!/bin/sh\nulimit -n 64\nexec {support.BINARY} "$@"\n')
            script.chmod(0o755)
            server = support.Server(binary=script).start()
            held = [server.wire() for _ in range(100)]
            before = self.cpu_seconds(server)
            time.sleep(1)
            self.assertLess(self.cpu_seconds(server) - before, 0.5 * support.SLOWNESS)
            for w in held:
                w.close()
            support.assert_serves(self, server)
            server.check_conservation()
            self.assertIn("accept: Too many open files", server.output())
            server.stop()

    def cpu_seconds(self, server):
        with open(f"/proc/{server.process.pid}/stat") as f:
            user, system = f.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Crowd(support.ServerTest):
    ARGS = ("--max-connections", "3000", "--idle-timeout", "1h")
    IDLE, SLOW, MOST = 1000, 400, 64 << 10

    def test_memory(self):
        """Connections that do nothing, and ones within their headers, cost little; others are served."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 2 * (self.IDLE + self.SLOW):
            self.skipTest(f"only {hard} descriptors")
        if support.SANITIZER:
            self.skipTest("a sanitizer's memory is not the server's")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        support.assert_serves(self, self.server)
        before = self.server.metrics().value("process_resident_memory_bytes")
        held = []
        try:
            for i in range(self.IDLE + self.SLOW):
                held.append(self.server.wire())
                if i >= self.IDLE:
                    held[-1].send(b"POST /infer HTTP/1.1\r\nHost: a\r\nX-Slow: a")
            support.assert_serves(self, self.server)
            metrics = self.server.metrics()
            self.assertGreater(metrics.value("rectifier_http_connections"), len(held) - 1)
            each = (metrics.value("process_resident_memory_bytes") - before) / len(held)
            self.assertLess(each, self.MOST)
        finally:
            for w in held:
                w.close()


class Full(support.ServerTest):
    ARGS = ("--max-connections", "8")

    def test_too_many_connections(self):
        """Over the limit: 503 with Retry-After, not silence; below it again, service."""
        held = []
        try:
            for _ in range(8):
                w = self.server.wire()
                w.send(LIVE)
                self.assertEqual(w.final().status, 200)
                held.append(w)
            with self.server.wire() as w:
                w.try_send(LIVE)
                reply = w.final()
                self.assertIsNotNone(reply, "closed without an answer")
                self.assertEqual(reply.status, 503)
                self.assertGreaterEqual(int(reply.header("Retry-After")), 1)
                self.assertIn("error", reply.json())
                self.assertTrue(w.wait_closed(WAIT))
        finally:
            for w in held:
                w.close()
        end = time.monotonic() + WAIT
        while True:
            with self.server.wire() as w:
                w.try_send(LIVE)
                reply = w.final()
                if reply is not None and reply.status == 200:
                    break
            self.assertLess(time.monotonic(), end, "no service after the others had gone")
            time.sleep(0.05)
        self.assertGreaterEqual(
            self.server.metrics().value("rectifier_http_connections_rejected_total"), 1)


if __name__ == "__main__":
    unittest.main()
