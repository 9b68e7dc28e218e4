"""The image as build.sh makes it: what it says of itself, and that it runs as it says, read-only and without rights.

    python3 tests/image/test_image.py build/image build
"""

import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

FOLDER, BUILD = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
os.environ["RECTIFIER_TEST_BUILD"] = str(BUILD)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import support  # noqa: E402

LIMIT = 60_000_000  # bytes
ROOT = FOLDER / "rootfs"
# A mount that cannot be written to, and no privilege to gain.
INSIDE = ('mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && '
          'exec setpriv --no-new-privs chroot --userspec="$1" "$0" "${@:2}"')


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.config = json.loads((FOLDER / "image.json").read_text())["Docker"]["config"]

    def command(self, args):
        return ["unshare", "--mount", "bash", "-c", INSIDE, str(ROOT), self.config["User"], *args]

    def environment(self, port):
        return support.environment({**dict(v.split("=", 1) for v in self.config["Env"]), "RECTIFIER_PORT": str(port)})

    def run_inside(self, args, port=0):
        return subprocess.run(self.command(args), env=self.environment(port), timeout=60 * support.SLOWNESS,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_says(self):
        self.assertEqual(self.config["User"], "65532:65532")
        self.assertEqual(self.config["StopSignal"], "SIGTERM")
        self.assertEqual(list(self.config["ExposedPorts"]), ["8080/tcp"])
        labels = self.config["Labels"]
        version = self.run_inside(["/rectifier", "--version"])
        self.assertEqual(version.returncode, 0, version.stdout)
        self.assertEqual(labels["org.opencontainers.image.version"], version.stdout.decode().split()[1])
        self.assertEqual(labels["org.opencontainers.image.licenses"], "MIT")
        for name in ("title", "description"):
            self.assertTrue(labels[f"org.opencontainers.image.{name}"])

    def test_holds(self):
        """The binary, libraries and nothing else: no shell, nobody's files, nothing that others may write."""
        files = [p for p in ROOT.rglob("*") if p.is_file() and not p.is_symlink()]
        self.assertLessEqual(sum(p.stat().st_size for p in files), LIMIT)
        for path in files:
            stat = path.stat()
            self.assertTrue(path == ROOT / "rectifier" or ".so" in path.name, path)
            self.assertEqual((stat.st_uid, stat.st_gid, stat.st_mode & 0o6022), (0, 0, 0), path)

    def test_runs(self):
        port = support.free_port()
        health = self.config["Healthcheck"]["Test"]
        self.assertEqual(health[0], "CMD")
        server = support.Server()
        server.port = port
        start = time.monotonic()
        server.process = subprocess.Popen(self.command(self.config["Entrypoint"] + self.config["Cmd"]),
                                          env=self.environment(port), stdin=subprocess.DEVNULL, stdout=server.log,
                                          stderr=server.log)
        try:
            server.wait_ready()
            print(f"ready {1000 * (time.monotonic() - start):.0f} ms after unshare, mount and chroot began")
            self.check_rights(server.process.pid)
            self.assertEqual(self.run_inside(health[1:], port).returncode, 0)
            support.assert_serves(self, server)
        finally:
            server.stop()
        self.assertNotEqual(self.run_inside(health[1:], port).returncode, 0)

    def check_rights(self, pid):
        process = pathlib.Path(f"/proc/{pid}")
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        self.assertEqual(status["Uid"].split(), ["65532"] * 4)
        self.assertEqual((int(status["CapEff"], 16), int(status["CapPrm"], 16), status["NoNewPrivs"]), (0, 0, "1"))
        mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
        self.assertEqual([m[5].split(",")[0] for m in mounts if m[4] == "/"], ["ro"])


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
