#!/usr/bin/python3
"""Makes ONNX's own backend node cases, by the package that holds them.

    /usr/bin/python3 tests/conformance/generate.py FOLDER

Needs Debian's python3-onnx and python3-numpy. Models, inputs and expected outputs come from the package
alone; nothing of it is kept in this repository.
"""

import collections
import sys
import warnings

import numpy as np

# The cases of onnx 1.12 use names that numpy 1.24 took away.
for name, kind in (("float", float), ("bool", bool), ("object", object), ("int", int)):
    if name not in np.__dict__:
        setattr(np, name, kind)

from onnx.backend.test.case import node  # noqa: E402

from suite import Suite  # noqa: E402

EXPANDED = "_expanded"  # the same case again, with the operator replaced by its definition


def main(folder):
    np.random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = node.collect_testcases(None)
    operators = {case.name: case.model.graph.node[0].op_type for case in cases}
    suite = Suite(folder)
    seen = collections.Counter()
    for case in sorted(cases, key=lambda c: c.name):
        base = case.name[:-len(EXPANDED)] if case.name.endswith(EXPANDED) else case.name
        (inputs, outputs), = case.data_sets
        seen[case.name] += 1  # the package uses a name twice
        name = case.name if seen[case.name] == 1 else f"{case.name}-{seen[case.name]}"
        suite.add(name, operators.get(base, operators[case.name]), case.model, inputs, outputs)
    suite.close()


if __name__ == "__main__":
    main(sys.argv[1])
