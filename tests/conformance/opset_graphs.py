"""Whole graphs as exporters write them in opset 18 and later; see opset_cases.py."""

import numpy as np
from onnx import helper

from opset_cases import FP32, Case, ints, values


class Graph:
    """Collects nodes named as PyTorch's dynamo exporter names them."""

    def __init__(self, name, opset, x, shape=None, external=False):
        self.case = Case(f"graph_{name}", "(whole graphs)", opset, [], {"x": x}, {}, external=external)
        if shape:
            self.case.shapes["x"] = shape

    def weight(self, name, array):
        self.case.initializers[name] = np.asarray(array)
        return name

    def node(self, operator, *inputs, **attributes):
        number = len(self.case.nodes)
        out = f"val_{number}"
        self.case.nodes.append(helper.make_node(operator, list(inputs), [out],
                                                name=f"node_{operator}_{number}", **attributes))
        return out

    def conv(self, x, name, shape, **attributes):
        fan_in = int(np.prod(shape[1:]))
        weight = self.weight(f"{name}.weight", values(*shape) / np.float32(np.sqrt(fan_in)))
        bias = self.weight(f"{name}.bias", values(shape[0], seed=7) / 4)
        return self.node("Conv", x, weight, bias, **attributes)

    def close(self, *outputs):
        self.case.outputs = {out: FP32 for out in outputs}
        return self.case


def linear_forms():
    """The three ways in which a Linear is written."""
    for opset in (18, 20):
        g = Graph(f"linear_gemm_{opset}", opset, values(3, 20), ["s0", 20])
        g.weight("fc.weight", values(12, 20)), g.weight("fc.bias", values(12, seed=2))
        yield g.close(g.node("Gemm", "x", "fc.weight", "fc.bias", transB=1, alpha=1.0, beta=1.0))
        g = Graph(f"linear_transpose_{opset}", opset, values(3, 20), ["s0", 20])
        g.weight("fc.weight", values(12, 20)), g.weight("fc.bias", values(12, seed=2))
        turned = g.node("Transpose", "fc.weight", perm=[1, 0])
        product = g.node("MatMul", "x", turned)
        yield g.close(g.node("Add", product, "fc.bias"))
        g = Graph(f"linear_sequence_{opset}", opset, values(2, 5, 20), ["s0", 5, 20])
        g.weight("fc.weight", values(20, 12)), g.weight("fc.bias", values(12, seed=2))
        yield g.close(g.node("Relu", g.node("Add", g.node("MatMul", "x", "fc.weight"), "fc.bias")))


def small_net(name, opset, **options):
    """Conv, BatchNorm, ReLU, a residual Add, pooling by ReduceMean, Reshape to a stored target, Linear."""
    g = Graph(name, opset, values(2, 3, 12, 12), ["batch", 3, 12, 12], **options)
    y = g.conv("x", "stem", (8, 3, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2], group=1, auto_pad="NOTSET")
    for part, seed in (("weight", 2), ("bias", 3), ("running_mean", 4)):
        g.weight(f"bn.{part}", values(8, seed=seed))
    g.weight("bn.running_var", values(8, low=0.3, high=2.0))
    y = g.node("BatchNormalization", y, "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var",
               epsilon=1e-5, momentum=0.9)
    y = g.node("Relu", y)
    z = g.node("Relu", g.conv(y, "block.0", (8, 8, 3, 3), pads=[1, 1, 1, 1]))
    y = g.node("Relu", g.node("Add", g.conv(z, "block.1", (8, 8, 1, 1)), y))
    y = g.node("ReduceMean", y, g.weight("val_axes", ints(-1, -2)), keepdims=1, noop_with_empty_axes=0)
    y = g.node("Reshape", y, g.weight("val_shape", ints(-1, 8)), allowzero=1)
    g.weight("fc.weight", values(5, 8)), g.weight("fc.bias", values(5, seed=2))
    return g.close(g.node("Gemm", y, "fc.weight", "fc.bias", transB=1))


def convnext_block(opset):
    """A depthwise Conv, channels last, LayerNorm, Linear, erf-GELU, Linear, layer scale, residual."""
    g = Graph(f"convnext_block_{opset}", opset, values(1, 8, 7, 7), ["s0", 8, 7, 7])
    y = g.conv("x", "dw", (8, 1, 7, 7), group=8, pads=[3, 3, 3, 3])
    y = g.node("Transpose", y, perm=[0, 2, 3, 1])
    y = g.node("LayerNormalization", y, g.weight("ln.weight", values(8)), g.weight("ln.bias", values(8, seed=2)),
               axis=-1, epsilon=1e-6)
    y = g.node("Add", g.node("MatMul", y, g.weight("up.weight", values(8, 32) / 3)),
               g.weight("up.bias", values(32)))
    if opset >= 20:
        y = g.node("Gelu", y, approximate="none")
    else:
        erf = g.node("Erf", g.node("Div", y, g.weight("root", np.float32(np.sqrt(2)))))
        y = g.node("Mul", g.node("Mul", y, g.node("Add", erf, g.weight("one", np.float32(1)))),
                   g.weight("half", np.float32(0.5)))
    y = g.node("Add", g.node("MatMul", y, g.weight("down.weight", values(32, 8) / 6)),
               g.weight("down.bias", values(8, seed=3)))
    y = g.node("Transpose", g.node("Mul", y, g.weight("gamma", values(8, seed=4))), perm=[0, 3, 1, 2])
    return g.close(g.node("Add", y, "x"))


def gates(opset):
    """SiLU, squeeze and excitation, HardSwish and Mish from their parts."""
    g = Graph(f"gates_{opset}", opset, values(2, 8, 6, 6), ["s0", 8, 6, 6])
    y = g.conv("x", "conv", (8, 8, 1, 1))
    y = g.node("Mul", y, g.node("Sigmoid", y))
    s = g.node("ReduceMean", y, g.weight("axes", ints(2, 3)), keepdims=1)
    s = g.node("Relu", g.conv(s, "reduce", (2, 8, 1, 1)))
    y = g.node("Mul", g.node("Sigmoid", g.conv(s, "expand", (8, 2, 1, 1))), y)
    y = g.node("Mul", y, g.node("HardSigmoid", y, alpha=1 / 6, beta=0.5))
    return g.close(g.node("Mul", y, g.node("Tanh", g.node("Softplus", y))))


def shuffle(opset):
    """Split by num_outputs, Concat, channel shuffle."""
    g = Graph(f"shuffle_{opset}", opset, values(2, 8, 4, 6), ["s0", 8, 4, 6])
    g.case.nodes.append(helper.make_node("Split", ["x"], ["a", "b"], name="node_split", axis=1, num_outputs=2))
    y = g.node("Concat", "a", g.node("Relu", g.conv("b", "conv", (4, 4, 1, 1))), axis=1)
    y = g.node("Reshape", y, g.weight("apart", ints(-1, 2, 4, 4, 6)), allowzero=1)
    y = g.node("Transpose", y, perm=[0, 2, 1, 3, 4])
    return g.close(g.node("Reshape", y, g.weight("together", ints(-1, 8, 4, 6)), allowzero=1))


def computed_shapes(opset):
    """Reshape, Expand and Resize whose operands are computed from Shape."""
    g = Graph(f"computed_shapes_{opset}", opset, values(2, 4, 5, 6), ["batch", 4, "height", "width"])
    batch = g.node("Shape", "x", start=0, end=1)
    flat = g.node("Concat", batch, g.weight("minus_one", ints(-1)), axis=0)
    y = g.node("Reshape", "x", flat)
    size = g.node("Mul", g.node("Shape", "x", start=2, end=4), g.weight("two", ints(2, 2)))
    full = g.node("Concat", g.node("Shape", "x", start=0, end=2), size, axis=0)
    z = g.node("Resize", "x", "", "", full, mode="linear", coordinate_transformation_mode="align_corners")
    first = g.node("Gather", g.node("Shape", "x"), g.weight("zero", np.int64(0)), axis=0)
    wide = g.node("Concat", g.node("Unsqueeze", first, g.weight("axis", ints(0))), g.weight("three", ints(3)), axis=0)
    w = g.node("Expand", g.weight("row", values(1, 3)), wide)
    return g.close(y, z, w)


def graphs():
    yield from linear_forms()
    for opset in (18, 20, 21, 22, 23):
        yield small_net(f"small_net_{opset}", opset)
    for opset in (18, 20, 23):
        yield convnext_block(opset)
    for make in (gates, shuffle, computed_shapes):
        for opset in (18, 21):
            yield make(opset)
    yield small_net("external_data_18", 18, external=True)
    yield small_net("external_data_20", 20, external=True)
