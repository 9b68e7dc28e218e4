"""deploy/grafana/dashboard.json: expressions that Prometheus parses, metrics that a server has, panels in their
places. The same for the metrics that rules and their runbook name."""

import json
import re
import shutil
import subprocess
import unittest

import dashboard
import support

PROMETHEUS = support.ROOT / "deploy" / "prometheus"


@unittest.skipIf(support.SANITIZER, "nothing of ours runs")
class Expressions(unittest.TestCase):
    def test_parse(self):
        program = shutil.which("promtool")
        if not program:
            self.skipTest("promtool is not installed")
        queries = dashboard.queries()
        self.assertGreater(len(queries), 40)
        rules = [{"record": f"query:{i}", "expr": query.expr} for i, query in enumerate(queries)]
        with support.Folder() as folder:
            file = folder.path / "rules.yml"
            file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
            done = subprocess.run([program, "check", "rules", str(file)], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        self.assertIn(f"{len(rules)} rules found", done.stdout.decode())


class Names(support.ServerTest):
    """Every metric that is named is there, with samples, once a server has answered the test images."""

    def used(self):
        texts = [query.expr for query in dashboard.queries()]
        texts += [(PROMETHEUS / name).read_text() for name in ("rules.yml", "README.md")]
        return set().union(*map(dashboard.names, texts))

    def test_names(self):
        with self.server.client() as client:
            client.post("/infer", support.Digits.get().images.values.tobytes(), support.RAW)
        families = self.server.metrics().families
        emitted = {sample[0] for family in families.values() for sample in family.samples}
        used = self.used()
        self.assertGreater(len(used), 30)
        self.assertEqual(used - emitted, set(), "named, but not in /metrics")


class Layout(unittest.TestCase):
    def setUp(self):
        self.board = dashboard.load()
        self.panels = self.board["panels"]

    def test_panels(self):
        ids = [panel["id"] for panel in self.panels]
        self.assertEqual(len(ids), len(set(ids)))
        for panel in self.panels:
            if panel["type"] == "row":
                continue
            with self.subTest(panel["title"]):
                self.assertRegex(panel["description"], r"\.$")
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertEqual(panel["datasource"]["uid"], "${datasource}")
                refs = [target["refId"] for target in panel["targets"]]
                self.assertEqual(refs, sorted(set(refs)))

    def test_no_panel_covers_another(self):
        taken = {}
        for panel in self.panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, f"{panel['title']} and {taken.get((x, y))}")
                    taken[x, y] = panel["title"]

    def test_variables_are_known(self):
        known = {variable["name"] for variable in self.board["templating"]["list"]}
        used = set(re.findall(r"\$\{?([a-z_]+)", dashboard.PATH.read_text()))
        self.assertEqual(known, {name for name in used if not name.startswith("__")})


if __name__ == "__main__":
    unittest.main()
