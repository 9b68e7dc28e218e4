"""torch.onnx.export, as people call it, and the changes that make other forms of a file."""

import warnings

import onnx
import torch
from onnx import external_data_helper


def export(net, x, path, opset, dynamic=None, outputs=("output",), **options):
    """`dynamic`: names of the input's axes that may vary, e.g. {0: "batch"}."""
    axes = {"input": dynamic, **{name: {0: "batch"} for name in outputs}} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on tracing sizes as constants
        torch.onnx.export(net, x, str(path), opset_version=opset, input_names=["input"],
                          output_names=list(outputs), dynamic_axes=axes, **options)


def with_norms(net, x, path, opset, dynamic):
    """Keeps BatchNormalization apart from Conv; the exporter folds it unless told that it trains."""
    export(net, x, path, opset, dynamic, training=torch.onnx.TrainingMode.PRESERVE)


def as_ir_3(net, x, path, opset, dynamic):
    """Every initializer is repeated as an input."""
    export(net, x, path, opset, dynamic, keep_initializers_as_inputs=True)
    model = onnx.load(str(path))
    model.ir_version = 3
    onnx.save(model, str(path))


def as_two_files(net, x, path, opset, dynamic):
    """Nodes and values named, and weights moved out, as PyTorch's dynamo exporter does."""
    export(net, x, path, opset, dynamic)
    model = onnx.load(str(path))
    keep = {v.name for v in [*model.graph.input, *model.graph.output, *model.graph.initializer]}
    names = {}
    for i, node in enumerate(model.graph.node):
        for old in node.output:
            names[old] = old if old in keep else f"val_{len(names)}"
        node.name = f"node_{node.op_type.lower()}_{i}"
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    del model.graph.value_info[:]
    external_data_helper.convert_model_to_external_data(model, location=path.name + ".data",
                                                        size_threshold=256)
    onnx.save(model, str(path))
