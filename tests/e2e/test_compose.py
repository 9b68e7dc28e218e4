"""deploy/compose.yaml: Docker Compose takes it, its parts name each other rightly, the server takes its options."""

import re
import subprocess
import unittest

import support

DEPLOY = support.ROOT / "deploy"
FILE = DEPLOY / "compose.yaml"
TEXT = FILE.read_text()


def config(file):
    return subprocess.run([support.program("docker-compose"), "-f", str(file), "config", "--quiet"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@unittest.skipIf(support.SANITIZER, "nothing of ours runs")
class Compose(unittest.TestCase):
    def test_is_taken(self):
        done = config(FILE)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_is_read_strictly(self):
        with support.Folder() as folder:
            file = folder.path / "compose.yaml"
            file.write_text(TEXT.replace("cap_drop", "cap_drp"))
            self.assertIn("cap_drp", config(file).stdout)

    def test_files_are_there(self):
        mounts = re.findall(r"- \./([^:]+):(/[^:]+):ro$", TEXT, re.M)
        self.assertEqual(len(mounts), len(re.findall(r"- \./", TEXT)))
        for source, _ in mounts:
            self.assertTrue((DEPLOY / source).exists(), source)
        mounts = {target: DEPLOY / source for source, target in mounts}
        # Where the programs look, and where they send one another.
        prometheus = mounts["/etc/prometheus/prometheus.yml"].read_text()
        for name in re.findall(r"(?m)^  - (\S+\.yml)$", prometheus):
            self.assertIn(f"/etc/prometheus/{name}", mounts)
        provider = (mounts["/etc/grafana/provisioning"] / "dashboards" / "rectifier.yml").read_text()
        self.assertIn(re.search(r"path: (\S+)", provider)[1] + "/dashboard.json", mounts)

    def test_names(self):
        services = re.findall(r"(?m)^  (\w+):", TEXT.split("\nservices:\n")[1].split("\nvolumes:")[0])
        asked = re.findall(r"(?m)^    server (\w+) (\w+):8080$", (DEPLOY / "haproxy.cfg").read_text())
        self.assertEqual(sorted(name for _, name in asked), [s for s in services if s.startswith("replica")])
        alias = re.search(r"aliases: \[(\w+)\]", TEXT)[1]
        self.assertIn(f"names: [{alias}]", (DEPLOY / "prometheus" / "prometheus.yml").read_text())
        source = (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text()
        self.assertIn(re.search(r"url: http://(\w+):9090", source)[1], services)

    def test_is_built_once(self):
        """Docker builds services at the same time, and refuses the second image of one name."""
        self.assertEqual(len(re.findall(r"\bbuild:", TEXT)), 1)

    def test_options(self):
        options = re.search(r"(?m)^  command: \[serve, (.*)\]$", TEXT)[1].split(", ")
        self.assertGreater(int(re.search(r"stop_grace_period: (\d+)s", TEXT)[1]), support.stop_seconds(*options))


if __name__ == "__main__":
    unittest.main()
