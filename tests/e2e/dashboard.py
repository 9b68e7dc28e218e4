"""The expressions of deploy/grafana/dashboard.json, as Grafana would send them."""

import json
import re

import support

PATH = support.ROOT / "deploy" / "grafana" / "dashboard.json"
VARIABLES = {"__rate_interval": "1m", "__range": "1h", "model": "digits", "version": ".+", "instance": ".+"}


class Query:
    def __init__(self, where, expr, legend=""):
        self.where = where
        self.expr = re.sub(r"\$([a-z_]+)", lambda m: VARIABLES[m[1]], expr)
        self.labels = re.findall(r"\{\{(\w+)\}\}", legend)  # that the result must have


def load():
    return json.loads(PATH.read_text())


def queries():
    found = []
    board = load()
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            expr, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            found.append(Query(f"variable {variable['name']}", expr, f"{{{{{label}}}}}"))
    for note in board["annotations"]["list"]:
        found.append(Query(f"annotation {note['name']}", note["expr"], note["titleFormat"]))
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            found.append(Query(panel["title"], target["expr"], target["legendFormat"]))
    return found


def names(text):
    """The metrics that a text names; what recording rules make is not among them."""
    text = re.sub(r"\w+:\w+:\w+", "", text)
    return set(re.findall(r"\b((?:rectifier|process)_\w+)", text))
