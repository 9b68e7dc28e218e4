"""http_cases.txt, case by case: straight to the server, where status and body are what stands there, and
through HAProxy and nginx, where nothing gets past that the proxy took for the body of something else."""

import json
import pathlib
import re
import signal
import subprocess
import time
import unittest

import support
import wire

TABLE = pathlib.Path(__file__).with_name("http_cases.txt")
LIVE = wire.head("GET", "/v2/health/live")
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
TOKEN = re.compile(r"\\x([0-9a-f]{2})|\\([rnt\\])|\{smuggled\}|\{(\d+)\*([^}]*)\}|(.)")


def expand(text):
    data = b""
    for code, escape, count, repeated, plain in TOKEN.findall(text):
        if code:
            data += bytes([int(code, 16)])
        elif escape:
            data += ESCAPES[escape]
        elif count:
            data += expand(repeated) * int(count)
        else:
            data += plain.encode() if plain else SMUGGLED
    return data


def line_bytes(line):
    """A line of a request, with CR LF behind it unless a backslash ends it."""
    is_open = line.endswith("\\") and not line.endswith("\\\\")
    return expand(line[:-1]) if is_open else expand(line) + b"\r\n"


class Case:
    def __init__(self, name):
        self.name, self.request, self.replies = name, b"", []


def cases():
    found = []
    for line in TABLE.read_text().split("\n"):
        if line.startswith("# "):
            found.append(Case(line[2:]))
        elif line.startswith(">") and found:
            found[-1].request += line_bytes(line[2:])
        elif line.startswith("< ") and found:
            status, _, rest = line[2:].partition(" ")
            end, _, body = rest.partition(" ")
            found[-1].replies.append((int(status) if status != "-" else None, end, body))
    return found


class Direct(support.ServerTest):
    ARGS = ("--max-body", "65536")

    def test_table(self):
        table = cases()
        self.assertGreaterEqual(len(table), 120)
        self.assertEqual(len({case.name for case in table}), len(table), "a name comes twice")
        for case in table:
            with self.subTest(case.name), self.server.wire() as w:
                self.check(case, w)
        support.assert_serves(self, self.server)

    def check(self, case, w):
        w.try_send(case.request)
        for status, end, body in case.replies:
            reply = w.reply(head=case.request.startswith(b"HEAD"))
            self.assertEqual(reply.status if reply else None, status, reply)
            if status is None:
                self.assertTrue(w.eof)
                return
            self.check_body(reply, body)
            if status != 100:
                self.assertEqual((reply.header("Connection") or "").lower() == "close", end == "close", reply.headers)
        w.try_send(LIVE)
        following = w.final()
        if case.replies[-1][1] == "close":
            self.assertIsNone(following, "what follows is answered")
        else:
            self.assertEqual(following.json(), {"live": True})

    def check_body(self, reply, body):
        text = reply.body.decode()
        if body == "html":  # the library's own
            self.assertTrue(text.startswith("<html>"), text)
        elif body.endswith("..."):
            self.assertTrue(text.startswith(body[:-3]), text)
        else:
            self.assertEqual(text, body)
        if body != "html" and reply.status != 100:
            self.assertTrue(reply.header("X-Request-Id"))


# Both let through whatever they can, and answer 403 to what they take for a request for /smuggled.
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout http-request 5s
    timeout server 10s
    option accept-invalid-http-request
    http-reuse always
frontend front
    bind 127.0.0.1:{port}
    http-request deny if {{ path_beg /smuggled }}
    default_backend back
backend back
    server s 127.0.0.1:{server}
"""
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ignore_invalid_headers off;
    underscores_in_headers on;
    client_header_timeout 5s;
    client_body_timeout 5s;
    upstream back {{ server 127.0.0.1:{server}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location /smuggled {{ return 403; }}
        location / {{
            proxy_pass http://back;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
        }}
    }}
}}
"""


class Proxied(unittest.TestCase):
    def test_haproxy(self):
        self.through("haproxy", HAPROXY, "-db", "-f")

    def test_nginx(self):
        self.through("nginx", NGINX, "-c")

    def through(self, name, config, *options):
        program = support.program(name)
        server = support.Server("--max-body", "65536", "--access-log", "all", "--log-format", "json").start()
        with support.Folder() as folder:
            port = support.free_port()
            file = folder.path / "proxy.conf"
            file.write_text(config.format(port=port, server=server.port, folder=folder.path))
            proxy = subprocess.Popen([program, *options, str(file)], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            try:
                self.wait_for(port, proxy)
                table = cases()
                support.in_threads(24, lambda i: [self.send(port, case) for case in table[i::24]])
                self.check_alive(port)
            finally:
                proxy.send_signal(signal.SIGTERM)
                proxy.wait()
        self.check_log(server)

    def wait_for(self, port, proxy):
        end = time.monotonic() + 20 * support.SLOWNESS
        while True:
            self.assertIsNone(proxy.poll(), "the proxy ended")
            try:
                return self.check_alive(port)
            except OSError:
                self.assertLess(time.monotonic(), end, "the proxy does not answer")
                time.sleep(0.05)

    def check_alive(self, port):
        with wire.Wire(port, 20 * support.SLOWNESS) as w:
            w.send(LIVE)
            self.assertEqual(w.final().json(), {"live": True})

    def send(self, port, case):
        """The case, and behind it a request that the proxy refuses if it sees one; the answers do not
        matter. A proxy that waits for more is left after a moment."""
        with wire.Wire(port, 20 * support.SLOWNESS) as w:
            if w.try_send(case.request + SMUGGLED):
                w.wait_closed(0.5)

    def check_log(self, server):
        """The server saw requests of the table, and of those for /smuggled only the one sent straight to it."""
        with server.wire() as w:
            w.send(SMUGGLED)
            self.assertEqual(w.final().status, 404)
        server.terminate()
        self.assertEqual(server.wait(), 0)
        paths = [json.loads(line).get("path") for line in server.output().splitlines()]
        server.log.close()
        self.assertEqual(len([path for path in paths if path and "smuggled" in path]), 1)
        self.assertGreater(paths.count("/infer"), 10)


if __name__ == "__main__":
    unittest.main()
