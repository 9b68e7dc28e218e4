"""Who is answered: hosts that are allowed, pages of other origins, the admin port."""

import json
import socket
import unittest

import support
import wire

PREFLIGHT = [("Origin", "https://example.org"), ("Access-Control-Request-Method", "POST"),
             ("Access-Control-Request-Headers", "content-type")]


def ask(server, method, path, headers=(), host="a", body=b"", port=None):
    with wire.Wire(port or server.port, 20 * support.SLOWNESS) as w:
        fields = [*headers, ("Content-Length", str(len(body)))] if body else headers
        w.send(wire.head(method, path, fields, host=host) + body)
        return w.final(head=method == "HEAD")


class Hosts(support.ServerTest):
    ARGS = ("--allowed-hosts", "models.example,.example.org")

    def test_allowed(self):
        for host in ("models.example", "MODELS.example:80", "example.org", "a.example.org", "a.b.example.org:8080",
                     "localhost", "localhost:8080", "x.localhost", "127.0.0.1", "10.1.2.3:80", "[::1]:8080"):
            with self.subTest(host):
                self.assertEqual(ask(self.server, "GET", "/v2/models", host=host).status, 200)

    def test_refused(self):
        """What a page's own name, made to point here, would come as; the connection goes on."""
        for host in ("evil.example", "models.example.evil", "xmodels.example", "anexample.org", "localhost.evil",
                     "127.0.0.1.evil", "xlocalhost", "", ":80"):
            for path in ("/v2/models", "/infer", "/metrics", "/nothing"):
                with self.subTest(host=host, path=path):
                    method = "POST" if path == "/infer" else "GET"
                    self.assert_error(ask(self.server, method, path, host=host), 421, "allowed")
        with self.server.wire() as w:
            w.send(wire.head("GET", "/v2", host="evil.example"))
            self.assertEqual(w.final().status, 421)
            w.send(wire.head("GET", "/v2", host="models.example"))
            self.assertEqual(w.final().status, 200)
        self.assertGreater(self.server.metrics().total("rectifier_http_requests_total", code="421"), 0)


class AnyHost(support.ServerTest):
    def test_hosts(self):
        self.assertEqual(ask(self.server, "GET", "/v2/models", host="any.example").status, 200)

    def test_origins(self):
        """Without --cors-origin no page of another origin gets anything."""
        reply = ask(self.server, "OPTIONS", "/infer", PREFLIGHT)
        self.assert_error(reply, 405)
        reply = ask(self.server, "GET", "/v2", PREFLIGHT[:1])
        self.assertEqual([name for name, _ in reply.headers if name.lower().startswith("access-control")], [])


BODY = json.dumps([0] * 64).encode()
POSTS = (("/infer", BODY), ("/infer/digits", BODY), ("/v2/repository/index", b""),
         ("/v1/models/digits:predict", b'{"instances":[' + BODY + b"]}"))


class Pages(support.ServerTest):
    """What pages in a browser may send without asking first."""

    ARGS = ("--allowed-hosts", "models.example")

    def post(self, host, *headers, path="/infer", body=BODY):
        return ask(self.server, "POST", path, [("Content-Type", "text/plain"), *headers], host, body)

    def test_other_origins(self):
        """Not even where the page's own name was made to point here."""
        here = f"127.0.0.1:{self.server.port}"
        before = self.server.metrics().total("rectifier_inference_started_total")
        for host, origin in ((here, "http://evil.example"), (here, "null"), (here, "http://localhost:1"),
                             (here, "https://models.example"), (here, f"http://{here}.evil.example"), (here, ""),
                             ("models.example", "http://evil.models.example"), (here, f"//{here}"),
                             (here, "chrome-extension://abc"), (here, f"http://127.0.0.1:{self.server.port + 1}")):
            for path, body in POSTS:
                with self.subTest(host=host, origin=origin, path=path):
                    self.assert_error(self.post(host, ("Origin", origin), path=path, body=body), 403, "--cors-origin")
        for site in ("cross-site", "same-site"):
            self.assert_error(self.post(here, ("Sec-Fetch-Site", site)), 403)
        self.assertEqual(self.server.metrics().total("rectifier_inference_started_total"), before)

    def test_our_own(self):
        for host, origin in (("127.0.0.1:8080", "http://127.0.0.1:8080"), ("localhost:8080", "http://localhost:8080"),
                             ("models.example", "https://models.example"), ("[::1]:80", "http://[::1]:80"),
                             ("Models.example:8443", "https://models.example:8443")):
            with self.subTest(host):
                self.assertEqual(self.post(host, ("Origin", origin), ("Sec-Fetch-Site", "same-origin")).status, 200)

    def test_no_page(self):
        """Programs name no origin; what was typed into the address bar is nobody's page."""
        self.assertEqual(self.post("127.0.0.1").status, 200)
        self.assertEqual(self.post("127.0.0.1", ("Sec-Fetch-Site", "none")).status, 200)

    def test_reading(self):
        """A link from anywhere leads to what can be read; its page cannot read it."""
        reply = ask(self.server, "GET", "/v2", [("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site")])
        self.assertEqual((reply.status, reply.header("Access-Control-Allow-Origin")), (421, None))
        reply = ask(self.server, "GET", "/v2", [("Origin", "http://evil.example")], host="models.example")
        self.assertEqual((reply.status, reply.header("Access-Control-Allow-Origin")), (200, None))


class AnyName(support.ServerTest):
    def test_a_name_made_to_point_here(self):
        """Without --allowed-hosts any Host is answered, but not to a page of that name."""
        page = ("Origin", "http://evil.example:8080")
        self.assertEqual(ask(self.server, "POST", "/infer", (), "evil.example:8080", BODY).status, 200)
        self.assert_error(ask(self.server, "POST", "/infer", [page], "evil.example:8080", BODY), 403, "--allowed-hosts")


class EveryOrigin(support.ServerTest):
    ARGS = ("--cors-origin", "*")

    def test_any(self):
        for headers in ([("Origin", "http://anywhere.example")], [("Sec-Fetch-Site", "cross-site")]):
            self.assertEqual(ask(self.server, "POST", "/infer", headers, body=BODY).status, 200)


class Origins(support.ServerTest):
    ARGS = ("--cors-origin", "https://example.org")

    def test_preflight(self):
        for path, methods in (("/infer", "POST"), ("/v2", "GET, HEAD")):
            with self.subTest(path), self.server.wire() as w:
                w.send(wire.head("OPTIONS", path, PREFLIGHT))
                reply = w.final()
                self.assertEqual((reply.status, reply.body), (204, b""))
                self.assertEqual(reply.header("Access-Control-Allow-Origin"), "https://example.org")
                self.assertEqual(reply.header("Access-Control-Allow-Methods"), methods)
                self.assertEqual(reply.header("Access-Control-Allow-Headers"), "*")
                self.assertIsNone(reply.header("Content-Length"))
                w.send(wire.head("GET", "/v2/health/live"))
                self.assertEqual(w.final().json(), {"live": True})
        self.assert_error(ask(self.server, "OPTIONS", "/nothing", PREFLIGHT), 404)
        self.assert_error(ask(self.server, "OPTIONS", "/infer"), 405)

    def test_the_one(self):
        for origin, status in (("https://example.org", 200), ("http://example.org", 403),
                               ("https://example.org.evil", 403)):
            self.assertEqual(ask(self.server, "POST", "/infer", [("Origin", origin)], body=BODY).status, status)

    def test_replies(self):
        """Right answers and refusals name the origin, so that its scripts may read both."""
        for status, reply in ((200, ask(self.server, "POST", "/infer", body=BODY)),
                              (400, ask(self.server, "POST", "/infer", body=b"[")),
                              (404, ask(self.server, "GET", "/nothing"))):
            self.assertEqual(reply.status, status)
            self.assertEqual(reply.header("Access-Control-Allow-Origin"), "https://example.org")
            self.assertEqual(reply.header("Vary"), "Origin")


class AdminPort(unittest.TestCase):
    def test_admin_port(self):
        """/metrics is there and only there; it answers though clients hold all connections."""
        admin = support.free_port()
        server = support.Server("--admin-port", admin, "--max-connections", "4").start()
        self.assertEqual(ask(server, "GET", "/metrics").status, 404)
        self.assertEqual(ask(server, "HEAD", "/metrics").status, 404)
        self.assertEqual(ask(server, "POST", "/metrics", port=admin).status, 405)
        for port in (admin, server.port):
            self.assertEqual(ask(server, "GET", "/v2/health/ready", port=port).status, 200)
        held = []
        status = 200
        while status == 200 and len(held) < 20:
            held.append(server.wire())
            held[-1].send(wire.head("GET", "/v2/health/live"))
            status = held[-1].final().status
        self.assertEqual(status, 503)
        reply = ask(server, "GET", "/metrics", port=admin)
        self.assertEqual(reply.status, 200)
        self.assertIn(b"\nrectifier_http_connections_rejected_total 1\n", reply.body)
        server.stop()
        for w in held:
            w.close()
        for port in (admin, server.port):
            with self.assertRaises(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=5).close()

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = support.run("serve", "--port", support.free_port(), "--admin-port", port)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot listen on 127.0.0.1 port {port}", done.stderr)


if __name__ == "__main__":
    unittest.main()
