"""deploy/prometheus: rules that promtool takes and tests, alerts that are complete, each shown to fire and not to."""

import re
import shutil
import subprocess
import unittest

import support

FOLDER = support.ROOT / "deploy" / "prometheus"
RULES = FOLDER / "rules.yml"
TESTS = sorted((support.ROOT / "tests" / "rules").glob("*.yml"))


def alerts():
    """name -> its lines in rules.yml."""
    parts = re.split(r"(?m)^ +- alert: (\w+)$", RULES.read_text())
    return dict(zip(parts[1::2], parts[2::2]))


@unittest.skipIf(support.SANITIZER, "nothing of ours runs")
class Promtool(unittest.TestCase):
    def promtool(self, *args):
        program = shutil.which("promtool")
        if not program:
            self.skipTest("promtool is not installed")
        done = subprocess.run([program, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        return done.stdout.decode()

    def test_rules(self):
        text = RULES.read_text()
        rules = len(re.findall(r"(?m)^ +- (?:alert|record): ", text))
        self.assertIn(f"SUCCESS: {rules} rules found", self.promtool("check", "rules", RULES))

    def test_config(self):
        self.promtool("check", "config", FOLDER / "prometheus.yml")

    def test_behaviour(self):
        self.assertTrue(TESTS)
        self.promtool("test", "rules", *TESTS)


@unittest.skipIf(support.SANITIZER, "nothing of ours runs")
class Alerts(unittest.TestCase):
    def test_complete(self):
        for name, text in alerts().items():
            with self.subTest(name):
                self.assertRegex(text, r"labels: \{severity: (critical|warning)\}")
                for field in ("summary", "description"):
                    self.assertRegex(text, rf'(?m)^ +{field}: ".+\."$')
                path, _, anchor = re.search(r"runbook_url: (\S+)", text)[1].partition("#")
                self.assertEqual(anchor, name.lower())
                self.assertIn(f"## {name}", (support.ROOT / path).read_text().split("\n"))

    def test_runbook_has_no_others(self):
        headings = re.findall(r"(?m)^## (Rectifier\w+)$", (FOLDER / "README.md").read_text())
        self.assertEqual(headings, list(alerts()))

    def test_every_rule_is_tested(self):
        text = "".join(path.read_text() for path in TESTS)
        firing = set(re.findall(r"alertname: (\w+)\n +exp_alerts:", text))
        silent = set(re.findall(r"alertname: (\w+)\}", text))
        self.assertEqual((firing, silent), (set(alerts()), set(alerts())))


class Kubernetes(unittest.TestCase):
    def test_prometheusrule(self):
        """Behind its head, it is rules.yml moved to the right."""
        done = subprocess.run([str(FOLDER / "prometheusrule.sh"), "name"], stdout=subprocess.PIPE, check=True)
        head, _, spec = done.stdout.decode().partition("spec:\n")
        self.assertEqual(head.split("\n"), ["apiVersion: monitoring.coreos.com/v1", "kind: PrometheusRule",
                                            "metadata:", "  name: name", ""])
        self.assertEqual(re.sub("(?m)^  ", "", spec), RULES.read_text())
        self.assertEqual(re.findall(r"(?m)^[^ \n].*", spec), [])


if __name__ == "__main__":
    unittest.main()
