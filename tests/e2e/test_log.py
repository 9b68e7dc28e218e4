"""The log: a sink that takes no lines holds up nothing, and no client forges a line."""

import fcntl
import json
import os
import time
import unittest

import support
import wire

DROPPED = "rectifier_log_lines_dropped_total"
LOUD = ("--access-log", "all", "--log-format", "json")
F_SETPIPE_SZ = 1031


def ask_often(server, n):
    """n requests for long paths over one connection, each answered 404."""
    with server.wire() as w:
        for _ in range(n // 50):
            w.send(wire.head("GET", "/" + "n" * 900) * 50)
            for _ in range(50):
                assert w.final().status == 404


class Sinks(unittest.TestCase):
    def test_pipe_that_nobody_reads(self):
        """Everything is answered; lines are dropped, counted, and what was written is whole."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
        with open(reader, "rb") as read_end:
            with open(writer, "wb") as write_end:
                server = support.Server(*LOUD, stderr=write_end).start()
            ask_often(server, 1000)
            support.assert_serves(self, server)
            self.assertGreater(server.check_conservation().value(DROPPED), 0)
            server.stop()  # though nobody reads now, either
            lines = read_end.read().split(b"\n")
        for line in lines[:-1]:
            self.assertIn("msg", json.loads(line))

    def test_reader_that_has_gone(self):
        reader, writer = os.pipe()
        with open(writer, "wb") as write_end:
            server = support.Server(*LOUD, stderr=write_end).start()
        os.close(reader)
        ask_often(server, 50)
        support.assert_serves(self, server)
        self.all_dropped(server, 50)
        server.stop()

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            with support.Server(*LOUD, stderr=full) as server:
                ask_often(server, 50)
                support.assert_serves(self, server)
                self.all_dropped(server, 50)

    def all_dropped(self, server, n):
        end = time.monotonic() + 20 * support.SLOWNESS
        while server.metrics().value(DROPPED) < n:
            self.assertLess(time.monotonic(), end, f"fewer than {n} lines are counted as dropped")

    def test_closed(self):
        """With stderr closed, no socket takes its place, which log lines would be written into."""
        with support.Folder() as folder:
            script = folder.path / "rectifier"
            script.write_text(f'#!/bin/sh\nexec {support.BINARY} "$@" 2>&-\n')
            script.chmod(0o755)
            with support.Server(*LOUD, binary=script) as server:
                self.assertEqual(os.readlink(f"/proc/{server.process.pid}/fd/2"), "/dev/null")
                ask_often(server, 50)
                support.assert_serves(self, server)


HOSTILE_IDS = ('a" level=error msg="forged', "a\\nlevel=error", "{}", '","status":200,"x":"', "a\tb", "é", "\x1b[31m",
               "a=b", "\\u000a", "n" * 128, "n" * 129)
HOSTILE_PATHS = ("/%0alevel=error", '/"},{"', "/%22%7d", "/a%0d%0ab", "/%1b[31m", "/" + "\\" * 600, "/%25s%25n", "/%c3%a9")


class Forgery(unittest.TestCase):
    def lines(self, form):
        """All lines of a server that was asked for every path under every id: one line a request."""
        server = support.Server("--access-log", "all", "--log-format", form).start()
        for name in HOSTILE_IDS:
            for path in HOSTILE_PATHS:
                with server.wire() as w:
                    w.send(wire.head("GET", path, [("X-Request-Id", name)]))
                    w.final()
        server.terminate()
        self.assertEqual(server.wait(), 0)
        text = server.output()
        server.log.close()
        self.assertEqual([c for c in text if c != "\n" and not " " <= c <= "~"], [])
        lines = text.splitlines()
        asked = [line for line in lines if "request_id" in line and "/v2/health/ready" not in line]
        self.assertEqual(len(asked), len(HOSTILE_IDS) * len(HOSTILE_PATHS))
        return lines

    def test_json(self):
        for line in self.lines("json"):
            entry = json.loads(line)
            self.assertEqual(list(entry)[:3], ["ts", "level", "msg"])
            self.assertIn(entry["level"], ("info", "warn"))

    def test_text(self):
        for line in self.lines("text"):
            self.assertRegex(line, r"^ts=\S+ level=(info|warn) msg=")


if __name__ == "__main__":
    unittest.main()
