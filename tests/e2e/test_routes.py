"""Every route of server/routes.h: HEAD beside GET, Expect: 100-continue, request ids and traces."""

import json
import re
import unittest

import support
import wire

ROW = re.compile(r'X\((\w+), "([^"]+)", ([^,]+),')
BODY = json.dumps(support.Digits.get().oip(0, 1)).encode()
BODIES = {"V1_PREDICT": json.dumps({"instances": [[0] * 64]}).encode(), "INDEX": b"{}", "LOAD": b"{}", "UNLOAD": b"{}"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
# what no trace is
WRONG_TRACES = (TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), TRACE.replace("b7ad6b7169203331", "0" * 16),
                TRACE.upper(), TRACE[:-1], TRACE + "-1", TRACE.replace("-", "_"), "ff" + TRACE[2:], "x")


def routes(method):
    """(id, path) of those that take it; a path with a model also with its version."""
    text = (support.ROOT / "server" / "routes.h").read_text().replace("\\\n", " ")
    for name, path, methods in ROW.findall(text):
        if f"SRV_{method}" in methods.split(" | "):
            yield name, path.replace("{model}", "digits")
            if re.match("/v[12]/models/{model}", path):
                yield name, path.replace("{model}", "digits/versions/1")


class Routes(support.ServerTest):
    ARGS = ("--model-control", "api")
    MODEL = support.DIGITS

    def test_head(self):
        """The same status and headers as GET's, without the body."""
        count = 0
        for name, path in routes("GET"):
            with self.subTest(path), self.server.wire() as w:
                w.send(wire.head("HEAD", path) + wire.head("GET", path))
                bare, whole = w.final(head=True), w.final()
                self.assertEqual(bare.status, whole.status)
                self.assertGreater(int(bare.header("Content-Length")), 0)
                self.assertEqual(bare.header("Content-Type"), whole.header("Content-Type"))
                if name not in ("METRICS", "ACTIVITY"):  # time is in these
                    self.assertEqual(bare.header("Content-Length"), whole.header("Content-Length"))
                count += bare.status == 200
        self.assertGreater(count, 15)

    def expect(self, method, path, body=b""):
        """The statuses of a request that sends its body when it is asked for it."""
        with self.server.wire() as w:
            w.send(wire.head(method, path, [("Expect", "100-continue"), ("Content-Length", str(len(body)))]))
            first = w.reply()
            if first.status != 100:
                self.assertTrue(w.wait_closed(20 * support.SLOWNESS))
                return [first.status]
            w.send(body + wire.head("GET", "/v2/health/live"))
            statuses = [100, w.reply().status]
            self.assertEqual(w.reply().json(), {"live": True})
            return statuses

    def test_expect(self):
        """The body is asked for where it is taken, and the answer is that to one sent at once."""
        count = 0
        for name, path in routes("POST"):
            if name in ("LOAD", "UNLOAD") and "/versions/" in path:
                continue
            with self.subTest(path):
                body = BODIES.get(name, BODY)
                with self.server.client() as client:
                    plain = client.post(path, body).status
                self.assertEqual(self.expect("POST", path, body), [100, plain])
                self.assertEqual(self.expect("PUT", path, body), [405])
                if name == "UNLOAD":
                    self.expect("POST", path.replace("unload", "load"), b"{}")
                count += plain == 200
        self.assertGreater(count, 7)
        for _, path in {*routes("GET")} - {*routes("POST")}:
            with self.subTest(path):
                self.assertEqual(self.expect("POST", path, BODY), [405])

    def test_traces(self):
        """A valid traceparent comes back, with answers and refusals; what is none does not."""
        asked = [("GET", path, b"") for _, path in routes("GET")]
        asked += [("POST", "/infer", BODY), ("POST", "/infer", b"{"), ("GET", "/nothing", b""), ("PUT", "/v2", b"")]
        for method, path, body in asked:
            with self.subTest(path), self.server.client() as client:
                reply = client.ask(method, path, body, {"traceparent": TRACE, "X-Request-Id": "mine"})
                self.assertEqual(reply.header("traceparent"), TRACE)
                self.assertEqual(reply.header("X-Request-Id"), "mine")
        for trace in WRONG_TRACES:
            with self.subTest(trace), self.server.client() as client:
                self.assertIsNone(client.get("/v2", {"traceparent": trace}).header("traceparent"))

    def test_traces_in_the_log(self):
        with support.Server("--access-log", "all", "--log-format", "json") as server:
            with server.client() as client:
                client.get("/v2", {"traceparent": TRACE, "X-Request-Id": "mine"})
                client.get("/v2/models", {"X-Request-Id": "plain"})
            support.wait_for(lambda: "plain" in server.output(), "the log's lines")
            lines = {line.get("request_id"): line for line in map(json.loads, server.output().splitlines())}
            self.assertEqual(lines["mine"]["trace_id"], TRACE[3:35])
            self.assertNotIn("trace_id", lines["plain"])


if __name__ == "__main__":
    unittest.main()
