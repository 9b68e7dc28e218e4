"""The binary with its libraries and nothing else: what the image is made of runs in a bare folder."""

import os
import shutil
import subprocess
import unittest

import support

LIMIT = 60 << 20  # bytes, of the image


class Closure(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("chroot needs root")
        if support.SANITIZER:
            self.skipTest("a sanitizer build is no image")
        if not shutil.which("ldd"):
            self.skipTest("no ldd")
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        self.root = self.folder.path / "root"
        subprocess.run([str(support.ROOT / "deploy" / "closure.sh"), str(support.BINARY),
                        str(self.root)], check=True)

    def command(self, *args):
        """As the image runs it: this root, no other file, a number for a user."""
        return ["chroot", "--userspec=65532:65532", str(self.root), "/rectifier", *args]

    def run_inside(self, *args, env=None):
        return subprocess.run(self.command(*args), env=support.environment(env), timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_bare_folder(self):
        size = sum(p.stat().st_size for p in self.root.rglob("*") if p.is_file())
        self.assertLess(size, LIMIT)
        names = sorted(p.name for p in self.root.iterdir())
        self.assertLessEqual(set(names), {"rectifier", "lib", "lib64", "usr"})

        done = self.run_inside("--version")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertTrue(done.stdout.startswith(b"rectifier "))

        port = support.free_port()
        env = {"RECTIFIER_HOST": "0.0.0.0", "RECTIFIER_PORT": str(port)}
        server = support.Server()
        server.port = port
        server.process = subprocess.Popen(self.command("serve"), env=support.environment(env),
                                          stdin=subprocess.DEVNULL, stdout=server.log,
                                          stderr=server.log)
        try:
            server.wait_ready()
            self.assertEqual(self.run_inside("health", env=env).returncode, 0)
            support.assert_serves(self, server)
            self.assertEqual(server.metrics().value("rectifier_inference_rows_total"), 1)
        finally:
            server.stop()
        self.assertEqual(self.run_inside("health", env=env).returncode, 1)


if __name__ == "__main__":
    unittest.main()
