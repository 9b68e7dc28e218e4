"""HTTP at the level of bytes: a socket that sends anything and reads replies strictly."""

import http.client
import json
import socket
import time


class Incomplete(Exception):
    """The peer closed or reset in the middle of a reply."""


class Reply:
    def __init__(self, version, status, headers, body):
        self.version, self.status, self.headers, self.body = version, status, headers, body

    def header(self, name):
        """The value of a header that may come at most once, or None."""
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"{name} comes {len(values)} times: {values}")
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Wire:
    """One connection. Every wait ends after `timeout` seconds with TimeoutError."""

    def __init__(self, port, timeout=20.0, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.eof = False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def try_send(self, data):
        """False when the server has closed before it took everything."""
        try:
            self.sock.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def _fill(self):
        if self.eof:
            return False
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        self.eof = not data
        self.buffer += data
        return bool(data)

    def _line(self):
        while b"\r\n" not in self.buffer:
            if not self._fill():
                raise Incomplete(f"closed within a line: {self.buffer[:200]!r}")
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _take(self, n):
        while len(self.buffer) < n:
            if not self._fill():
                raise Incomplete(f"closed after {len(self.buffer)} of {n} body bytes")
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def _body(self, status, headers, head):
        fields = {k.lower(): v for k, v in headers}
        if head or status in (204, 304) or 100 <= status < 200:
            return b""
        if fields.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while True:
                size = int(self._line().split(b";")[0], 16)
                chunk = self._take(size)
                if self._take(2) != b"\r\n":
                    raise Incomplete("chunk without its end")
                if size == 0:
                    return body
                body += chunk
        if "content-length" in fields:
            return self._take(int(fields["content-length"]))
        while self._fill():
            pass
        body, self.buffer = self.buffer, b""
        return body

    def reply(self, head=False):
        """The next reply, 1xx included; None when the connection ends before its first byte."""
        while not self.buffer:
            if not self._fill():
                return None
        line = self._line()
        parts = line.split(b" ", 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1."):
            raise Incomplete(f"no status line: {line[:200]!r}")
        status = int(parts[1])
        headers = []
        while True:
            field = self._line()
            if not field:
                break
            name, _, value = field.partition(b":")
            headers.append((name.decode("latin-1"), value.strip().decode("latin-1")))
        return Reply(parts[0].decode(), status, headers, self._body(status, headers, head))

    def final(self, head=False):
        """The next reply that is not an interim one."""
        reply = self.reply(head)
        while reply is not None and 100 <= reply.status < 200:
            reply = self.reply(head)
        return reply

    def until_closed(self):
        """All final replies until the server closes the connection."""
        replies = []
        while True:
            reply = self.final()
            if reply is None:
                return replies
            replies.append(reply)

    def wait_closed(self, seconds):
        """True when the peer closes within `seconds`; what it still sends is kept."""
        end = time.monotonic() + seconds
        while not self.eof:
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.sock.settimeout(left)
            try:
                self._fill()
            except TimeoutError:
                return False
            except socket.timeout:
                return False
        return True


def head(method, path, headers=(), version="HTTP/1.1", host="127.0.0.1"):
    """Request line and headers as bytes; `host=None` leaves Host out."""
    lines = [f"{method} {path} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{k}: {v}" for k, v in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request_bytes(method, path, body=b"", headers=()):
    fields = list(headers)
    if body or method == "POST":
        fields.append(("Content-Length", str(len(body))))
    return head(method, path, fields) + body


class Client:
    """A keep-alive client over http.client; reconnects only when told to."""

    def __init__(self, port, timeout=60.0):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.http.close()

    def ask(self, method, path, body=None, headers=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        self.http.request(method, path, body=body, headers=headers or {})
        r = self.http.getresponse()
        return Reply("HTTP/1.1", r.status, r.getheaders(), r.read())

    def get(self, path, headers=None):
        return self.ask("GET", path, None, headers)

    def post(self, path, body, headers=None):
        return self.ask("POST", path, body, headers)
