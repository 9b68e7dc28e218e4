"""A suite on disk: one folder a case, and `cases.json`, written last, which lists them all.

A case's folder holds model.onnx and one .npy a graph input and output. DOUBLE, FLOAT16 and BFLOAT16 are
FP32 in the engine: outputs that a model declares so are expected as FP32. A case that has inputs other than
the first exists twice: as it is, and as NAME/const, where these are initializers, as in exported files.
"""

import json
import pathlib
import shutil

import numpy as np
from onnx import TensorProto, numpy_helper

INITIALIZERS_ARE_INPUTS = 3  # the last IR version in which every initializer is repeated as an input


def initializer(value, array):
    kind = value.type.tensor_type.elem_type
    if kind == TensorProto.BFLOAT16:
        return TensorProto(name=value.name, data_type=kind, dims=array.shape, raw_data=array.tobytes())
    return numpy_helper.from_array(array, value.name)


def with_constants(model, arrays):
    """A copy of the model in which the graph inputs after the first are initializers."""
    copy = type(model)()
    copy.CopyFrom(model)
    for value, array in zip(list(copy.graph.input)[1:], arrays[1:]):
        copy.graph.initializer.append(initializer(value, array))
        if copy.ir_version > INITIALIZERS_ARE_INPUTS:
            copy.graph.input.remove(value)
    return copy


def storable(array):
    return isinstance(array, (np.ndarray, np.generic)) and array.dtype != object


def widened(value, array):
    """BFLOAT16, which numpy lacks, comes as its bits."""
    if value.type.tensor_type.elem_type == TensorProto.BFLOAT16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array


def as_answered(value, array):
    array = widened(value, np.asarray(array))
    return array.astype(np.float32) if array.dtype.kind == "f" else array


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
                np.save(folder / f"in_{i}.npy", widened(value, array))
            case["inputs"].append([value.name, f"in_{i}.npy"])
        for i, value in enumerate(model.graph.output):
            if outputs and storable(outputs[i]):
                np.save(folder / f"out_{i}.npy", as_answered(value, outputs[i]))
            case["outputs"].append([value.name, f"out_{i}.npy"])
        self.cases.append(case)

    def close(self):
        lines = ",\n".join(json.dumps(case) for case in self.cases)
        (self.folder / "cases.json").write_text(f"[\n{lines}]\n", encoding="utf-8")
