"""deploy/rectifier.service: systemd understands every line, calls it hardened, and the server does nothing that is
forbidden there."""

import re
import subprocess
import unittest

import support

UNIT = support.ROOT / "deploy" / "rectifier.service"
EXPOSURE = 2.0  # of 10; a unit without any hardening has 9.6


def settings(name):
    return re.findall(rf"(?m)^{name}=(.*)$", UNIT.read_text())


def analyze(*args):
    return subprocess.run([support.program("systemd-analyze"), *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=support.environment({"LC_ALL": "C.UTF-8"}), text=True)


class Unit(unittest.TestCase):
    def test_is_understood(self):
        with support.Folder() as folder:
            copy = folder.path / UNIT.name
            copy.write_text(UNIT.read_text().replace("/usr/local/bin/rectifier", str(support.BINARY)))
            done = analyze("verify", copy)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_exposure(self):
        done = analyze("security", "--offline=true", UNIT)
        exposure = float(re.search(r"Overall exposure level for rectifier.service: ([0-9.]+)", done.stdout)[1])
        self.assertLess(exposure, EXPOSURE, done.stdout)

    def test_stops_in_time(self):
        """systemd kills only what has outlived its own deadlines, with a delay as deploy/ recommends it."""
        self.assertGreater(int(settings("TimeoutStopSec")[0].rstrip("s")), support.stop_seconds("--drain-delay", "5s"))


@unittest.skipIf(support.SANITIZER, "a sanitizer has calls of its own")
class Calls(unittest.TestCase):
    """What the unit's SystemCallFilter and MemoryDenyWriteExecute would refuse is never asked for."""

    def expand(self, name):
        if not name.startswith("@"):
            return {name}
        done = analyze("syscall-filter", name)
        self.assertEqual(done.returncode, 0, done.stdout)
        members = re.findall(r"(?m)^ +([@a-z0-9_-]+)$", done.stdout)
        return set().union(*map(self.expand, members))

    def allowed(self):
        found = set()
        for line in settings("SystemCallFilter"):
            names = set().union(*map(self.expand, line.lstrip("~").split()))
            found = found - names if line.startswith("~") else found | names
        return found

    def test_calls(self):
        allowed = self.allowed()
        self.assertGreater(len(allowed), 100)
        with support.Folder() as folder:
            trace = folder.path / "trace"
            server = support.Server()
            server.port = support.free_port()
            server.process = subprocess.Popen(
                [support.program("strace"), "-f", "-qq", "-e", "signal=none", "-o", str(trace), str(support.BINARY), "serve",
                 "--port", str(server.port), "--model-control", "poll", "--threads", "2", str(support.DIGITS)],
                stdin=subprocess.DEVNULL, stdout=server.log, stderr=server.log, env=support.environment())
            try:
                server.wait_ready()
                with server.client() as client:
                    images = support.Digits.get().images.tobytes()
                    self.assertEqual(client.post("/infer", images, support.RAW).status, 200)
                    self.assertEqual(client.get("/metrics").status, 200)
            finally:
                child = (trace.read_text().split() or ["0"])[0]
                subprocess.run(["kill", child])
                server.finish()
            lines = [line.split(None, 1)[1] for line in trace.read_text().splitlines()]
        calls = {m[1] for m in (re.match(r"(\w+)\(", line) for line in lines) if m}
        self.assertIn("epoll_wait", calls)
        self.assertEqual(calls - allowed, set())
        forbidden = [line for line in lines if re.match(r"mmap\(.*PROT_WRITE\|PROT_EXEC|p?mprotect\(.*PROT_EXEC", line)]
        self.assertEqual(forbidden, [])


if __name__ == "__main__":
    unittest.main()
