#!/usr/bin/python3
"""Makes cases for the opsets that ONNX 1.12's own cases leave out: 18 to 23, which Debian's package does not
know, and the older forms of operators.

    /usr/bin/python3 tests/conformance/opsets.py FOLDER NODE_MODULES

Models are built from the parts in opset_*.py with their version fields set by hand; the expected outputs
come from onnxruntime-node (oracle.mjs).
"""

import pathlib
import subprocess
import sys

import numpy as np
from onnx import external_data_helper, helper, mapping, numpy_helper

import opset_cases
from suite import Suite

PRODUCER = "rectifier-tests"
# The oldest IR version that goes with an opset.
IR_VERSION = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9,
              21: 10, 22: 10, 23: 11}


def value(name, array, shape=None):
    kind = mapping.NP_TYPE_TO_TENSOR_TYPE[np.asarray(array).dtype]
    return helper.make_tensor_value_info(name, kind, np.asarray(array).shape if shape is None else shape)


def build(case):
    """ModelProto of a case; outputs carry a type but no shape, as exporters often leave it."""
    graph = helper.make_graph(
        case.nodes, case.name,
        [value(name, array, case.shapes.get(name)) for name, array in case.inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in case.outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in case.initializers.items()])
    model = helper.make_model(graph, producer_name=PRODUCER)
    model.ir_version = IR_VERSION[case.opset]
    model.opset_import[0].version = case.opset
    return model


def move_weights_out(model, folder):
    """Puts the initializers into model.onnx.data, as PyTorch's exporter does."""
    external_data_helper.convert_model_to_external_data(model, location="model.onnx.data", size_threshold=128)
    external_data_helper.write_external_data_tensors(model, str(folder))


def main(folder, modules):
    suite = Suite(folder)
    for case in opset_cases.cases():
        model = build(case)
        if case.external:
            (suite.folder / case.name).mkdir(parents=True)
            move_weights_out(model, suite.folder / case.name)
        suite.add(case.name, case.operator, model, list(case.inputs.values()), None)
    suite.close()
    oracle = pathlib.Path(__file__).with_name("oracle.mjs")
    try:
        subprocess.run(["node", str(oracle), str(suite.folder), modules], check=True)
    except subprocess.CalledProcessError:
        (suite.folder / "cases.json").unlink()  # so that make does not take the suite for complete
        sys.exit("the oracle does not run every case")


if __name__ == "__main__":
    main(*sys.argv[1:])
