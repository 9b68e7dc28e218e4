"""Prometheus itself: it scrapes two replicas behind HAProxy, evaluates deploy/prometheus/rules.yml, and answers what
the dashboard asks."""

import json
import signal
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

import dashboard
import support
import tensors
import wire

HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    balance roundrobin
    server a 127.0.0.1:{servers[0].port}
    server b 127.0.0.1:{servers[1].port}
"""
PROMETHEUS = """
global: {{scrape_interval: 3s, scrape_timeout: 3s, evaluation_interval: 1s}}
rule_files: ['{rules}']
scrape_configs:
  - job_name: rectifier
    static_configs: [{{targets: ['127.0.0.1:{servers[0].port}', '127.0.0.1:{servers[1].port}']}}]
"""
SCRAPES = 5


@unittest.skipIf(support.SANITIZER, "about the other programs; the server's part is seen elsewhere")
class Fleet(unittest.TestCase):
    """All images once, dealt out by HAProxy: nine requests of 36 rows to one replica, nine of 4 to the other."""

    @classmethod
    def setUpClass(cls):
        haproxy, prometheus = support.program("haproxy"), support.program("prometheus")
        cls.folder = support.Folder()
        cls.addClassCleanup(cls.folder.__exit__)
        cls.servers = [support.Server().start() for _ in range(2)]
        for server in cls.servers:
            cls.addClassCleanup(server.stop)
        cls.port, cls.proxy_port = support.free_port(), support.free_port()
        rules = support.ROOT / "deploy" / "prometheus" / "rules.yml"
        cls.launch("haproxy.cfg", HAPROXY.format(port=cls.proxy_port, servers=cls.servers), haproxy, "-db", "-f", "{}")
        cls.launch("prometheus.yml", PROMETHEUS.format(rules=rules, servers=cls.servers), prometheus,
                   "--config.file={}", f"--storage.tsdb.path={cls.folder.path}/data",
                   f"--web.listen-address=127.0.0.1:{cls.port}")
        # Rates begin at 0 only where a scrape saw it.
        support.wait_for(lambda: cls.ask("rectifier_inference_rows_total == 0", 2), "the first scrapes")
        cls.send()
        support.wait_for(lambda: cls.ask("sum(rectifier_inference_rows_total) == 360"), "the last scrapes")
        support.wait_for(lambda: cls.ask(f"count_over_time(rectifier_inference_rows_total[5m]) >= {SCRAPES}", 2),
                         "enough scrapes")
        cls.activities = [cls.activity(server) for server in cls.servers]

    @classmethod
    def launch(cls, name, config, *command):
        """`command`, whose {} is the file of its configuration, until the tests are done."""
        file = cls.folder.path / name
        file.write_text(config)
        process = subprocess.Popen([part.format(file) for part in command], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.send_signal, signal.SIGTERM)

    @classmethod
    def send(cls):
        digits = support.Digits.get()
        first = 0
        support.wait_for(cls.proxy_listens, "HAProxy")
        with wire.Client(cls.proxy_port, 60 * support.SLOWNESS) as client:
            for rows in (36, 4) * 9:
                reply = client.post("/infer", digits.images.rows(first, first + rows).tobytes(), support.RAW)
                assert reply.status == 200, reply
                assert digits.wrong(first, tensors.floats(reply.body)) is None
                first += rows
        assert first == digits.n == 360

    @classmethod
    def proxy_listens(cls):
        try:
            with wire.Client(cls.proxy_port, 5 * support.SLOWNESS) as client:
                return client.get("/v2/health/ready").status == 200
        except OSError:
            return False

    @classmethod
    def api(cls, path, **query):
        url = f"http://127.0.0.1:{cls.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=60 * support.SLOWNESS) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{query}: {e.read().decode()}") from e

    @classmethod
    def ask(cls, expr, n=1):
        """[(labels, value)] of an expression once it has n; None before, and while Prometheus starts."""
        try:
            result = cls.api("query", query=expr)["result"]
        except (OSError, AssertionError):
            return None
        return [(r["metric"], float(r["value"][1])) for r in result] if len(result) >= n else None

    @staticmethod
    def activity(server):
        with server.client() as client:
            return {layer["name"]: layer for layer in client.get("/v2/models/digits/activity").json()["layers"]}

    def fleet(self, layer, field):
        return sum(activity[layer][field] for activity in self.activities)

    def sums(self, counter):
        """Of the last scrapes that succeeded."""
        return {k["layer"]: v for k, v in self.ask(f"sum by (layer) (last_over_time({counter}[5m]))")}

    def test_counters_are_what_was_sent(self):
        """Over both replicas: PyTorch's zeros of these images, whoever computed which."""
        golden = json.loads((support.GOLDENS / "digits_activity.json").read_text())["layers"]
        zeros, values = self.sums("rectifier_activation_zeros_total"), self.sums("rectifier_activation_values_total")
        self.assertEqual(values, {layer["name"]: layer["values"] for layer in golden})
        self.assertEqual(zeros, {name: self.fleet(name, "zeros") for name in zeros})
        for layer in golden:
            self.assertLessEqual(abs(zeros[layer["name"]] - layer["zeros"]), layer["near_zero"], layer["name"])

    def test_fleet_sparsity(self):
        """Zeros over values of both, not the mean of two ratios. rate() extends what it saw to the moment it is asked,
        by 1.1 / (SCRAPES - 1) at most, a little more for one replica than for the other. With weights of 0.9 and 0.1
        that moves the ratio by less than 0.03 of the way between the two."""
        inputs = sorted(next(iter(activity.values()))["values"] for activity in self.activities)
        self.assertEqual(inputs[1], 9 * inputs[0], "HAProxy dealt otherwise")
        bounds = {}
        for name in self.activities[0]:
            ratios = [activity[name]["sparsity"] for activity in self.activities]
            fleet = self.fleet(name, "zeros") / self.fleet(name, "values")
            bounds[name] = (fleet, 0.03 * abs(ratios[0] - ratios[1]))
            self.assertGreater(abs(sum(ratios) / 2 - fleet), 0.3 * abs(ratios[0] - ratios[1]))

        def recorded():
            got = self.ask("layer:rectifier_activation_zeros_per_values:ratio_rate5m", len(bounds)) or []
            return len(got) == len(bounds) and all(
                abs(v - bounds[k["layer"]][0]) <= bounds[k["layer"]][1] for k, v in got)

        support.wait_for(recorded, f"sparsity of {bounds}")

    def test_rules_are_well(self):
        def evaluated():
            rules = [rule for group in self.api("rules")["groups"] for rule in group["rules"]]
            return rules if all(rule["health"] != "unknown" for rule in rules) else None

        rules = support.wait_for(evaluated, "the evaluation of every rule")
        self.assertGreater(len(rules), 30)
        self.assertEqual([rule for rule in rules if rule["health"] != "ok"], [])
        firing = [rule["name"] for rule in rules for alert in rule.get("alerts", []) if alert["state"] == "firing"]
        self.assertEqual(firing, [])

    def test_dashboard_has_data(self):
        """Every query has a result with the labels that its legend names."""
        for query in dashboard.queries():
            with self.subTest(query.where, expr=query.expr):
                for labels, _ in support.wait_for(lambda: self.ask(query.expr), "data"):
                    self.assertLessEqual(set(query.labels), set(labels))


if __name__ == "__main__":
    unittest.main()
