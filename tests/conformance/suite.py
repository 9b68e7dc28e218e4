"""A suite on disk: one folder a case, and `cases.json`, written last, which lists them all.

A case's folder holds model.onnx and one .npy a graph input and output. A case that has inputs other than
the first exists twice: as it is, and as NAME/const, where these are initializers, as in exported files.
"""

import json
import pathlib
import shutil

import numpy as np
from onnx import numpy_helper

INITIALIZERS_ARE_INPUTS = 3  # the last IR version in which every initializer is repeated as an input


def with_constants(model, arrays):
    """A copy of the model in which the graph inputs after the first are initializers."""
    copy = type(model)()
    copy.CopyFrom(model)
    for value, array in zip(list(copy.graph.input)[1:], arrays[1:]):
        copy.graph.initializer.append(numpy_helper.from_array(array, value.name))
        if copy.ir_version > INITIALIZERS_ARE_INPUTS:
            copy.graph.input.remove(value)
    return copy


def storable(array):
    return isinstance(array, (np.ndarray, np.generic)) and array.dtype != object


class Suite:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.cases = []

    def add(self, name, operator, model, inputs, outputs):
        """`inputs` and `outputs` in the graph's order; what no .npy can hold (strings, sequences) is
        left out: only models that are refused have such. `outputs` may be None until an oracle runs."""
        inputs = [np.asarray(x) if storable(x) else None for x in inputs]
        self.write(name, operator, model, inputs, outputs)
        if len(inputs) > 1 and all(x is not None for x in inputs):
            self.write(name + "/const", operator, with_constants(model, inputs), inputs[:1], outputs)

    def write(self, name, operator, model, inputs, outputs):
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        case = {"name": name, "operator": operator, "inputs": [], "outputs": []}
        for i, (value, array) in enumerate(zip(model.graph.input, inputs)):
            if array is not None:
                np.save(folder / f"in_{i}.npy", array)
            case["inputs"].append([value.name, f"in_{i}.npy"])
        for i, value in enumerate(model.graph.output):
            if outputs and storable(outputs[i]):
                np.save(folder / f"out_{i}.npy", np.asarray(outputs[i]))
            case["outputs"].append([value.name, f"out_{i}.npy"])
        self.cases.append(case)

    def close(self):
        lines = ",\n".join(json.dumps(case) for case in self.cases)
        (self.folder / "cases.json").write_text(f"[\n{lines}]\n", encoding="utf-8")
