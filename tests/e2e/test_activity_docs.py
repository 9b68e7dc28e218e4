"""server/ACTIVITY.md: every field and metric that it has is there, and it has every one that is there."""

import json
import re
import unittest

import support

TEXT = (support.ROOT / "server" / "ACTIVITY.md").read_text()
PREFIX = "rectifier_activation_"
DIGITS = "/v2/models/digits/activity"

# Activations that the digits network does not have.
OTHERS = {"format": 1, "name": "others", "input": {"name": "x", "shape": [4]},
          "init": {"scheme": "kaiming_normal", "seed": 1},
          "layers": [{"type": "linear", "out_features": 3}, {"type": "leakyrelu"}, {"type": "relu6"}]}


def words(text):
    """Names in backticks."""
    return set(re.findall(r"`([a-z_]+)`", text))


def tables(head):
    """Names in the first column of tables whose head begins so."""
    found = set()
    for table in re.findall(rf"(?m)^\| {head} \|.*\n((?:\|.*\n)+)", TEXT):
        for row in table.split("\n"):
            found |= words(row.split("|")[1] if row else "")
    return found


def keys(value):
    """Of objects, however deep."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*map(keys, value.values()))


class Docs(support.ServerTest):
    ARGS = ("--metrics-detail", "channel")

    @classmethod
    def setUpClass(cls):
        cls.folder = support.Folder()
        cls.addClassCleanup(cls.folder.__exit__)
        cls.folder.model("others", OTHERS)
        cls.folder.path.joinpath("digits").symlink_to(support.DIGITS)
        cls.MODEL = cls.folder.path
        super().setUpClass()
        with cls.server.client() as client:
            for _ in range(2):
                client.post("/infer/digits", support.Digits.get().images.tobytes(), support.RAW)
            client.post("/infer/others", [[1, 2, 3, 4]])

    def test_fields(self):
        with self.server.client() as client:
            replies = [client.get(DIGITS + "?channels=1&units=1"), client.post(DIGITS + "/baseline", b""),
                       client.get(DIGITS + "/compare?versions=1,1"),
                       client.get("/v2/models/others/activity?channels=1")]
        for reply in replies:
            self.assertEqual(reply.status, 200, reply)
        there = set().union(*(keys(reply.json()) for reply in replies))
        url = f"http://127.0.0.1:{self.server.port}/v2/models/digits"
        there |= keys(json.loads(support.run("audit", "--merge", url, "--json").stdout))
        self.assertEqual(there - words(TEXT), set(), "there, but not documented")
        documented = tables("field") | tables("`drift`")
        self.assertGreater(len(documented), 30)
        self.assertEqual(documented - there, set(), "documented, but not there")

    def test_metrics(self):
        there = {name[len(PREFIX):] for name in self.server.metrics().families if name.startswith(PREFIX)}
        documented = tables("series")
        self.assertEqual(there - documented - {"channel_fired_total"}, set(), "there, but not documented")
        self.assertEqual(documented - there, set(), "documented, but not there")
        for name in ("channel_fired_total", "rectifier_metrics_series_dropped_total"):
            self.assertIn(name, words(TEXT))
            self.assertIn(name if name.startswith("rectifier") else PREFIX + name, self.server.metrics().families)


if __name__ == "__main__":
    unittest.main()
