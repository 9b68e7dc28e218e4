"""Baselines, drift, novelty and class mix computed once more, from their definitions.

Standard library only, and other roads than core/baseline.c takes where there are any: class means of
single inputs as means, the regression by elimination with pivots, residuals one by one, chi squared by
the incomplete gamma function's series.
"""

import json
import math

SHRINKAGE = 2
WINDOW = 300


class Layer:
    """A layer's place among the features: vector v of channel c is first + v * channels + c."""

    def __init__(self, channels, vectors, first):
        self.channels, self.vectors, self.first = channels, vectors, first

    def vector(self, v):
        start = self.first + v * self.channels
        return range(start, start + self.channels)


def layers_of(sizes):
    """Layers of (channels, vectors), one behind the other, and the number of features."""
    layers, first = [], 0
    for channels, vectors in sizes:
        layers.append(Layer(channels, vectors, first))
        first += channels * vectors
    return layers, first


class Block:
    """Sums over some inputs; a window is one, too."""

    def __init__(self, inputs, classes, sums, nonfinite=0):
        self.inputs, self.classes, self.sums, self.nonfinite = inputs, classes, sums, nonfinite

    @classmethod
    def of(cls, rows, n_classes):
        """Of (class, features) of single inputs."""
        classes = [0] * n_classes
        for k, _ in rows:
            if n_classes and k >= 0:
                classes[k] += 1
        return cls(len(rows), classes, [math.fsum(column) for column in zip(*(f for _, f in rows))])

    @classmethod
    def join(cls, blocks):
        return cls(sum(b.inputs for b in blocks), [sum(c) for c in zip(*(b.classes for b in blocks))],
                   [math.fsum(s) for s in zip(*(b.sums for b in blocks))])


def inverse(matrix):
    """By elimination, with the largest pivot of each column."""
    n = len(matrix)
    rows = [list(row) + [float(i == j) for j in range(n)] for i, row in enumerate(matrix)]
    for p in range(n):
        best = max(range(p, n), key=lambda i: abs(rows[i][p]))
        rows[p], rows[best] = rows[best], rows[p]
        rows[p] = [v / rows[p][p] for v in rows[p]]
        for i in range(n):
            if i != p:
                rows[i] = [a - rows[i][p] * b for a, b in zip(rows[i], rows[p])]
    return [row[n:] for row in rows]


class Baseline:
    """What blocks say; `plain`: without class means."""

    def __init__(self, layers, blocks, n_classes, plain):
        self.layers = layers
        self.inputs = sum(b.inputs for b in blocks)
        self.classes = [sum(b.classes[k] for b in blocks) for k in range(n_classes)]
        self.mean = [math.fsum(column) / self.inputs for column in zip(*(b.sums for b in blocks))]
        self.by_class = bool(n_classes) and not plain
        used = 1.0
        if self.by_class:
            self.error = self._class_error(blocks, n_classes)
            self.class_mean = self._class_means(blocks)
            used = n_classes - SHRINKAGE * sum(self.error[k][k] for k in range(n_classes))
        self.variance = self._variances(blocks, max(1.0, len(blocks) - used))
        self.sub_window_max = max(map(self.own_score, self._sub_windows(blocks)), default=0.0)

    @classmethod
    def read(cls, text):
        """Of a file; and the names of its layers."""
        data, self = json.loads(text), cls.__new__(cls)
        vectors = [[layer[v] for v in layer if isinstance(layer[v], dict)] for layer in data["layers"]]
        self.layers, _ = layers_of([(layer["channels"], len(v)) for layer, v in zip(data["layers"], vectors)])
        flat = [v for of_layer in vectors for v in of_layer]
        self.inputs, self.classes = data["inputs"], data.get("classes", [])
        self.mean = sum((v["mean"] for v in flat), [])
        self.variance = [max(x, 0.25 / self.inputs) for v in flat for x in v["variance"]]
        self.by_class = "class_error" in data
        if self.by_class:
            self.error = data["class_error"]
            self.class_mean = [sum((v["class_mean"][k] for v in flat), []) for k in range(len(self.classes))]
        return self, [layer["name"] for layer in data["layers"]]

    @staticmethod
    def _class_error(blocks, n):
        product = [[math.fsum(b.classes[k] * b.classes[l] / b.inputs for b in blocks) + SHRINKAGE * (k == l)
                    for l in range(n)] for k in range(n)]
        return inverse(product)

    def _class_means(self, blocks):
        """[class][feature]. Of single inputs: each class's mean, shrunk."""
        n = len(self.classes)
        if all(b.inputs == 1 and sum(b.classes) == 1 for b in blocks):
            own = [[b.sums for b in blocks if b.classes[k]] for k in range(n)]
            return [[(math.fsum(s[f] for s in own[k]) + SHRINKAGE * m) / (len(own[k]) + SHRINKAGE)
                     for f, m in enumerate(self.mean)] for k in range(n)]
        right = [[math.fsum(b.classes[k] * (b.sums[f] / b.inputs - m) for b in blocks)
                  for f, m in enumerate(self.mean)] for k in range(n)]
        return [[m + math.fsum(self.error[k][l] * right[l][f] for l in range(n))
                 for f, m in enumerate(self.mean)] for k in range(n)]

    def _variances(self, blocks, freedom):
        squares = [[] for _ in self.mean]
        for b in blocks:
            # Of a block whose inputs all have a class these are the shares of a mix.
            off = 1 - sum(b.classes) / b.inputs
            for f, m in enumerate(self.mean):
                expected = m
                if self.by_class:
                    expected = off * m + sum(c / b.inputs * self.class_mean[k][f]
                                             for k, c in enumerate(b.classes) if c)
                squares[f].append(b.inputs * (b.sums[f] / b.inputs - expected) ** 2)
        return [max(math.fsum(s) / freedom, 0.25 / self.inputs) for s in squares]

    @staticmethod
    def _sub_windows(blocks):
        windows, current = [], []
        for b in blocks:
            current.append(b)
            if sum(c.inputs for c in current) >= WINDOW and len(windows) < 100:
                windows.append(Block.join(current))
                current = []
        return windows

    def _expected(self, window):
        """What the window's mix should give, and the square that this is off, in variances."""
        known = sum(window.classes)
        if not self.by_class or not known:
            return self.mean, 1 / self.inputs
        shares = [c / known for c in window.classes]
        return ([math.fsum(p * means[f] for p, means in zip(shares, self.class_mean)) for f in range(len(self.mean))],
                math.fsum(p * q * self.error[k][l] for k, p in enumerate(shares) for l, q in enumerate(shares)))

    def scores(self, window):
        """(the model's, [each layer's])."""
        if not window.inputs:
            return 0.0, [0.0] * len(self.layers)
        expected, error = self._expected(window)
        layers = [max(self._distance(window, expected, layer.vector(v), 1, 1 / window.inputs + error)
                      for v in range(layer.vectors)) for layer in self.layers]
        return max(layers, default=0.0), layers

    def own_score(self, part):
        """Of a part of the baseline, as if it were compared with the rest."""
        rest = self.inputs - part.inputs
        if rest < part.inputs:
            return 0.0
        expected, error = self._expected(part)
        grows = self.inputs / rest
        return max(self._distance(part, expected, layer.vector(v), grows ** 2, 1 / part.inputs + grows * error)
                   for layer in self.layers for v in range(layer.vectors))

    def _distance(self, window, expected, features, stretch, sampling):
        squares = math.fsum((window.sums[f] / window.inputs - expected[f]) ** 2 / self.variance[f]
                            for f in features)
        return math.sqrt(max(0.0, stretch * squares / len(features) - sampling))

    def novelty(self, k, features):
        expected = self.class_mean[k] if self.by_class and k >= 0 else self.mean
        return math.fsum((x - e) ** 2 / v for x, e, v in zip(features, expected, self.variance)) / len(expected)

    def mix(self, window):
        """(population stability index, p of chi squared)."""
        return psi(window.classes, self.classes), homogeneity(window.classes, self.classes)


def features_of_input(row, channels):
    """Mean, deviation and range of each channel of one input."""
    parts = [row[i * len(row) // channels:(i + 1) * len(row) // channels] for i in range(channels)]
    means = [math.fsum(p) / len(p) for p in parts]
    return [*means, *(math.sqrt(math.fsum((x - m) ** 2 for x in p) / len(p)) for p, m in zip(parts, means)),
            *(max(p) - min(p) for p in parts)]


def features_of_layer(row, channels):
    """Share of positions that fired, and mean, of each channel of one input's activation."""
    parts = [row[i * len(row) // channels:(i + 1) * len(row) // channels] for i in range(channels)]
    return [*(sum(x > 0 for x in p) / len(p) for p in parts), *(math.fsum(p) / len(p) for p in parts)]


def psi(here, there):
    if not sum(here) or not sum(there):
        return 0.0
    half = len(here) / 2
    p = [(c + 0.5) / (sum(here) + half) for c in here]
    q = [(c + 0.5) / (sum(there) + half) for c in there]
    return math.fsum((a - b) * math.log(a / b) for a, b in zip(p, q))


def homogeneity(here, there):
    """Whether two counts are of one distribution: chi squared over the table of both, its p."""
    columns = [(a, b) for a, b in zip(here, there) if a + b]
    if len(columns) < 2 or not sum(here) or not sum(there):
        return 1.0
    total = sum(here) + sum(there)
    statistic = 0.0
    for row in (0, 1):
        in_row = sum(c[row] for c in columns)
        for c in columns:
            expected = in_row * sum(c) / total
            statistic += (c[row] - expected) ** 2 / expected
    return upper_gamma((len(columns) - 1) / 2, statistic / 2)


def upper_gamma(a, x):
    """Regularised: its series below a + 1, else Lentz's continued fraction."""
    if x <= 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for i in range(1, 1000):
            term *= x / (a + i)
            total += term
        return 1 - front * total
    b, c = x + 1 - a, 1e300
    d = h = 1 / b
    for i in range(1, 1000):
        step = -i * (i - a)
        b += 2
        d = 1 / (step * d + b)
        c = b + step / c
        h *= d * c
    return front * h
