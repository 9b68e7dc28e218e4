"""The cases of opsets.py: what opsets 18 to 23 changed; older forms and whole graphs have files of their own."""

import dataclasses

import numpy as np
from onnx import TensorProto, helper

FP32, INT32, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL


@dataclasses.dataclass
class Case:
    name: str
    operator: str  # the row of the table
    opset: int
    nodes: list
    inputs: dict   # name -> array
    outputs: dict  # name -> element type
    initializers: dict = dataclasses.field(default_factory=dict)
    shapes: dict = dataclasses.field(default_factory=dict)  # declared shapes that are not the array's
    external: bool = False


def values(*shape, seed=1, low=-2.0, high=2.0):
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(np.float32)


def ints(*items):
    return np.array(items, np.int64)


def single(suffix, opset, operator, *inputs, out=FP32, n_out=1, **attributes):
    """A graph of one node; an input of None is left out."""
    names = ["" if x is None else f"in_{i}" for i, x in enumerate(inputs)]
    outputs = {f"out_{i}": out for i in range(n_out)}
    node = helper.make_node(operator, names, list(outputs), name=f"node_{operator}", **attributes)
    fed = {name: x for name, x in zip(names, inputs) if name}
    return Case(f"opset{opset}_{operator.lower()}_{suffix}", operator, opset, [node], fed, outputs)


X4 = values(2, 3, 6, 8)


def reductions():
    for opset, names in ((18, ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSum")),
                         (20, ("ReduceMax", "ReduceMin"))):
        for name in names:
            yield single("axes_input", opset, name, X4, ints(2, 3))
            yield single("axes_negative", opset, name, X4, ints(-1), keepdims=0)
            yield single("all_axes", opset, name, X4)
            yield single("all_axes_no_keepdims", opset, name, X4, keepdims=0)
            yield single("noop", opset, name, X4, ints(), noop_with_empty_axes=1)
            yield single("inner_axis", opset, name, X4, ints(1), keepdims=1)


def shapes():
    yield single("num_outputs", 18, "Split", X4, n_out=2, axis=3, num_outputs=2)
    yield single("num_outputs_uneven", 18, "Split", X4, n_out=3, axis=-1, num_outputs=3)
    yield single("sizes", 18, "Split", X4, ints(1, 2), n_out=2, axis=1)
    yield single("axes", 18, "Pad", X4, ints(1, 2, 0, 3), None, ints(2, 3))
    yield single("axes_negative", 18, "Pad", X4, ints(1, 2), np.float32(1.5), ints(-1))
    yield single("axes_reflect", 18, "Pad", X4, ints(2, 1, 1, 3), None, ints(2, 3), mode="reflect")
    yield single("edge", 19, "Pad", X4, ints(0, 0, 1, 2, 0, 0, 3, 1), mode="edge")
    yield single("axes_value", 21, "Pad", X4, ints(1, 2), np.float32(-3), ints(1))
    yield single("crop", 21, "Pad", X4, ints(0, 0, -1, -2, 0, 0, 0, 1))
    yield single("wrap", 19, "Pad", X4, ints(0, 0, 1, 2, 0, 0, 3, 1), mode="wrap")
    for opset in (19, 21, 23):
        yield single("minus_one", opset, "Reshape", X4, ints(2, -1, 8))
        yield single("zero", opset, "Reshape", X4, ints(0, 0, 48))
        yield single("one_dim", opset, "Reshape", X4, ints(-1))
    yield single("axis_2", 21, "Flatten", X4, axis=2)
    yield single("axis_negative", 23, "Flatten", X4, axis=-1)
    yield single("nhwc", 21, "Transpose", X4, perm=[0, 2, 3, 1])
    yield single("reversed", 23, "Transpose", X4)
    yield single("axes", 21, "Squeeze", values(1, 3, 1, 4), ints(0, -2))
    yield single("all", 23, "Squeeze", values(1, 3, 1, 4))
    yield single("axes", 21, "Unsqueeze", values(3, 4), ints(0, -1))
    yield single("axes", 23, "Unsqueeze", values(3, 4), ints(2))
    yield single("slice", 19, "Shape", X4, out=INT64, start=1, end=-1)
    yield single("start_negative", 21, "Shape", X4, out=INT64, start=-2)
    yield single("zeros", 20, "ConstantOfShape", ints(2, 3))
    yield single("ones", 21, "ConstantOfShape", ints(4), out=INT64,
                 value=helper.make_tensor("value", INT64, [1], [1]))
    yield single("plain", 19, "Identity", X4)
    yield single("plain", 21, "Identity", ints(3, 4), out=INT64)


def types():
    whole = np.array([-3, 0, 1, 2, 700], np.int64)
    part = np.array([-1.5, -0.5, 0, 0.5, 2.75], np.float32)
    for opset in (19, 21, 23):
        yield single("int64_to_fp32", opset, "Cast", whole, to=FP32)
        yield single("fp32_to_int64", opset, "Cast", part, out=INT64, to=INT64, saturate=1)
        yield single("fp32_to_bool", opset, "Cast", part, out=BOOL, to=BOOL)
        yield single("bool_to_fp32", opset, "Cast", part > 0, to=FP32)
        yield single("int64_to_int32", opset, "Cast", whole, out=INT32, to=INT32)
    yield single("fp32", 19, "Equal", part, part[::-1].copy(), out=BOOL)
    yield single("int64", 19, "Equal", whole, whole[::-1].copy(), out=BOOL)
    yield single("broadcast", 19, "Equal", X4, X4[:1, :, :1], out=BOOL)
    yield single("bool", 19, "Equal", part > 0, part >= 0, out=BOOL)


def activations():
    wide = values(2, 5, 7, low=-6, high=6)
    near = values(2, 5, 7, low=-3, high=6)  # below, the oracle's tails are less exact than what is asked of us
    for approximate in ("none", "tanh"):
        yield single(approximate, 20, "Gelu", near, approximate=approximate)
    yield single("default", 20, "Gelu", near)
    yield single("plain", 18, "Mish", wide)
    yield single("plain", 18, "HardSwish", wide)
    for name, attributes in (("Mish", {}), ("HardSwish", {}), ("Elu", {"alpha": 0.5}), ("Selu", {}),
                             ("HardSigmoid", {"alpha": 0.25, "beta": 0.4}), ("Softplus", {}), ("Softsign", {}),
                             ("ThresholdedRelu", {"alpha": 1.25}), ("Celu", {"alpha": 1.5}),
                             ("LeakyRelu", {"alpha": 0.2}), ("Dropout", {})):
        yield single("plain", 22, name, wide, **attributes)
    yield single("slope", 20, "PRelu", X4, values(3, 1, 1))
    yield single("min_max", 20, "Clip", wide, np.float32(-1), np.float32(2))
    yield single("max_only", 20, "Clip", wide, None, np.float32(0.5))
    yield single("last_axis", 20, "Softmax", wide)
    yield single("axis_1", 20, "LogSoftmax", wide, axis=1)


def windows():
    yield single("dilations", 19, "AveragePool", X4, kernel_shape=[2, 2], dilations=[2, 3])
    yield single("dilations_padded", 19, "AveragePool", X4, kernel_shape=[3, 2], dilations=[2, 2],
                 pads=[1, 1, 1, 1], count_include_pad=1)
    yield single("dilations_pad_excluded", 22, "AveragePool", X4, kernel_shape=[2, 2], dilations=[2, 2],
                 pads=[1, 0, 1, 1], strides=[2, 1])
    yield single("ceil", 22, "AveragePool", X4, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    yield single("plain", 22, "MaxPool", X4, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    yield single("dilations", 22, "MaxPool", X4, kernel_shape=[2, 3], dilations=[2, 2])
    yield single("ceil", 22, "MaxPool", X4, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    yield single("plain", 22, "GlobalAveragePool", X4)
    yield single("plain", 22, "GlobalMaxPool", X4)
    yield single("plain", 18, "LpPool", X4, kernel_shape=[2, 2], strides=[2, 2], p=2)
    yield single("p_3", 22, "LpPool", X4, kernel_shape=[3, 3], p=3, pads=[1, 1, 1, 1])
    yield single("padded", 22, "Conv", X4, values(4, 3, 3, 3), values(4), pads=[1, 1, 1, 1])
    yield single("depthwise", 22, "Conv", X4, values(3, 1, 3, 3), group=3, strides=[2, 2], pads=[1, 1, 1, 1])
    yield single("one_dimensional", 22, "Conv", values(2, 3, 9), values(4, 3, 3), dilations=[2])
    yield single("three_dimensional", 22, "Conv", values(1, 2, 4, 5, 3), values(3, 2, 2, 3, 1), values(3))
    yield single("strided", 22, "ConvTranspose", X4, values(3, 2, 3, 3), values(2), strides=[2, 2],
                 pads=[1, 1, 1, 1], output_padding=[1, 1])
    yield single("groups", 22, "ConvTranspose", values(1, 4, 4, 4), values(4, 1, 2, 2), group=2)


def norms():
    scale, bias, mean = values(3, seed=2), values(3, seed=3), values(3, seed=4)
    variance = values(3, low=0.2, high=3.0)
    for opset in (18, 22):
        yield single("four_dimensional", opset, "BatchNormalization", X4, scale, bias, mean, variance)
        yield single("two_dimensional", opset, "BatchNormalization", values(5, 3), scale, bias, mean, variance,
                     epsilon=1e-3)
    yield single("plain", 22, "InstanceNormalization", X4, scale, bias)
    yield single("last_axis", 18, "LayerNormalization", X4, values(8), values(8, seed=2))
    yield single("no_bias", 20, "LayerNormalization", X4, values(6, 8), axis=-2, epsilon=1e-6)


def resizes():
    nothing = None
    double = np.array([1, 1, 2, 2], np.float32)
    for opset in (18, 19):
        for mode in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
            yield single(f"linear_{mode}", opset, "Resize", X4, nothing, nothing, ints(2, 3, 9, 5),
                         mode="linear", coordinate_transformation_mode=mode)
        yield single("nearest", opset, "Resize", X4, nothing, double, mode="nearest")
        yield single("nearest_axes", opset, "Resize", X4, nothing, double[:2] * np.float32(1.5), axes=[2, 3])
        yield single("sizes_axes", opset, "Resize", X4, nothing, nothing, ints(13, 4), axes=[2, 3],
                     mode="linear")
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
            yield single(f"nearest_{rounding}", opset, "Resize", X4, nothing, nothing, ints(2, 3, 9, 5),
                         coordinate_transformation_mode="asymmetric", nearest_mode=rounding)
    yield single("nearest_torch", 19, "Resize", X4, nothing, double, nearest_mode="floor",
                 coordinate_transformation_mode="asymmetric")
    yield single("half_pixel_symmetric", 19, "Resize", X4, nothing, nothing, ints(2, 3, 9, 5), mode="linear",
                 coordinate_transformation_mode="half_pixel_symmetric")
    yield single("cubic", 19, "Resize", X4, nothing, double, mode="cubic")
    yield single("antialias", 18, "Resize", X4, nothing, nothing, ints(2, 3, 3, 4), mode="linear", antialias=1)


def arithmetic():
    yield single("batched", 20, "MatMul", values(2, 3, 4, 5), values(3, 5, 6))
    yield single("trans_b", 20, "Gemm", values(4, 5), values(6, 5), values(6), transB=1)
    yield single("scaled", 20, "Gemm", values(5, 4), values(5, 6), values(1, 6), transA=1, alpha=0.5, beta=2.0)
    yield single("fp32", 20, "Pow", values(3, 4, low=0.1), np.float32(2.5))
    yield single("mask", 20, "Where", X4 > 0, X4, np.float32(0))
    yield single("rows", 20, "Gather", values(5, 4), ints(4, 0, -2))
    yield single("last_axis", 20, "ArgMax", X4, out=INT64, axis=-1, keepdims=0)
    for name, block in (("DepthToSpace", values(1, 8, 2, 3)), ("SpaceToDepth", values(1, 2, 4, 6))):
        yield single("blocks", 20, name, block, blocksize=2)


def cases():
    from opset_graphs import graphs
    from opset_old import older
    for group in (reductions, shapes, types, activations, windows, norms, resizes, arithmetic, older, graphs):
        yield from group()
