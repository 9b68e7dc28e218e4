"""A strict reader of the Prometheus text format 0.0.4 and of OpenMetrics 1.0: what it refuses is an
AssertionError."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"^({NAME})(?:\{{(.*)\}})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)')
EXEMPLAR = re.compile(r"^(.*) # \{(.*)\} (\S+)(?: (\d+\.?\d*))?$")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


class Family:
    def __init__(self, name):
        self.name, self.type, self.help = name, None, None
        self.samples = []  # (sample name, labels, value)
        self.exemplars = []  # (sample's labels, exemplar's labels, value), of OpenMetrics


def unescape(value):
    return re.sub(r'\\([\\"n])', lambda m: "\n" if m[1] == "n" else m[1], value)


def parse_labels(text, line):
    labels, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        assert m, f"malformed labels: {line}"
        assert m[1] not in labels, f"label {m[1]} twice: {line}"
        labels[m[1]] = unescape(m[2])
        at = m.end()
    return labels


def take_exemplar(line):
    """The sample's line without its exemplar, and that as (labels, value) or None."""
    m = EXEMPLAR.match(line)
    if not m:
        return line, None
    assert re.match(NAME, line)[0].endswith(("_bucket", "_total")), f"an exemplar there: {line}"
    labels = parse_labels(m[2], line)
    assert sum(len(k) + len(v) for k, v in labels.items()) <= 128, f"a long exemplar: {line}"
    return m[1], (labels, float(m[3]))


def parse(text, open_metrics=False):
    """name -> Family; checks order, single HELP and TYPE, known sample names, duplicates."""
    suffixes = {**SUFFIXES, "counter": ("_total",)} if open_metrics else SUFFIXES
    end = "# EOF\n" if open_metrics else ""
    assert text.endswith("\n" + end), "the end is missing"
    families, current, seen = {}, None, set()
    for line in text[:len(text) - len(end)].split("\n")[:-1]:
        assert line, "an empty line"
        assert line != "# EOF", "the end comes early"
        if line.startswith("# "):
            _, kind, name, *rest = line.split(" ", 3)
            assert kind in ("HELP", "TYPE"), f"unknown comment: {line}"
            assert rest and rest[0], f"{kind} without text: {line}"
            if current is None or current.name != name:
                assert name not in families, f"{name} comes in two places"
                current = families[name] = Family(name)
            field = kind.lower()
            assert getattr(current, field) is None, f"{kind} twice: {line}"
            assert not current.samples, f"{kind} after samples: {line}"
            setattr(current, field, rest[0])
            continue
        line, exemplar = take_exemplar(line) if open_metrics else (line, None)
        m = SAMPLE.match(line)
        assert m, f"malformed sample: {line}"
        assert current is not None and current.type, f"sample without TYPE: {line}"
        allowed = [current.name + s for s in suffixes.get(current.type, ("",))]
        assert m[1] in allowed, f"{m[1]} within family {current.name}"
        labels = parse_labels(m[2] or "", line)
        key = (m[1], tuple(sorted(labels.items())))
        assert key not in seen, f"duplicate series: {line}"
        seen.add(key)
        value = float(m[3].replace("Inf", "inf"))
        current.samples.append((m[1], labels, value))
        if exemplar:
            current.exemplars.append((labels, *exemplar))
    return families


class Metrics:
    def __init__(self, text, open_metrics=False):
        self.families = parse(text, open_metrics)

    def samples(self, name):
        """[(labels, value)] of one sample name."""
        for base in (name, re.sub(r"_(bucket|sum|count|total)$", "", name)):
            if base in self.families:
                return [(k, v) for n, k, v in self.families[base].samples if n == name]
        return []

    def value(self, sample_name, **labels):
        """The one sample with these labels; KeyError when there is none or several fit."""
        hits = [v for k, v in self.samples(sample_name)
                if all(k.get(n) == want for n, want in labels.items())]
        if len(hits) != 1:
            raise KeyError(f"{sample_name}{labels}: {len(hits)} samples")
        return hits[0]

    def total(self, sample_name, **labels):
        return sum(v for k, v in self.samples(sample_name)
                   if all(k.get(n) == want for n, want in labels.items()))


def check_histograms(metrics):
    """Buckets rise to +Inf, which equals _count; the sum is not negative."""
    for family in metrics.families.values():
        if family.type != "histogram":
            continue
        series = {}
        for labels, value in metrics.samples(family.name + "_bucket"):
            key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
            series.setdefault(key, []).append((float(labels["le"].replace("Inf", "inf")), value))
        counts = {tuple(sorted(k.items())): v for k, v in metrics.samples(family.name + "_count")}
        sums = {tuple(sorted(k.items())): v for k, v in metrics.samples(family.name + "_sum")}
        assert set(series) == set(counts) == set(sums), f"{family.name}: series differ"
        for key, buckets in series.items():
            bounds = [b for b, _ in buckets]
            values = [v for _, v in buckets]
            assert bounds == sorted(set(bounds)), f"{family.name}{key}: bounds {bounds}"
            assert bounds[-1] == float("inf"), f"{family.name}{key}: no +Inf"
            assert values == sorted(values), f"{family.name}{key}: not cumulative {values}"
            assert values[-1] == counts[key], f"{family.name}{key}: +Inf != count"
            assert sums[key] >= 0, f"{family.name}{key}: negative sum"
