"""Forms that operators had before opset 18: attributes that became inputs, other rules of broadcasting, old
names. ONNX's own cases show each operator in its newest form only."""

import numpy as np
from onnx import helper

from opset_cases import BOOL, FP32, INT32, INT64, X4, ints, single, values

FLOATS = np.array([-1.5, -0.5, 0, 0.5, 2.75], np.float32)
WHOLE = np.array([-3, 0, 1, 2, 700], np.int64)


def attributes_that_became_inputs():
    for opset in (7, 9):
        yield single("min_max", opset, "Clip", X4, min=-0.5, max=1.25)
        yield single("min_only", opset, "Clip", X4, min=0.0)
        yield single("attributes", opset, "Pad", X4, mode="constant", value=1.5, pads=[0, 0, 1, 2, 0, 0, 3, 0])
        yield single("reflect", opset, "Pad", X4, mode="reflect", pads=[0, 0, 1, 2, 0, 0, 3, 1])
        yield single("edge", opset, "Pad", X4, mode="edge", pads=[0, 0, 1, 2, 0, 0, 3, 1])
        yield single("attributes", opset, "Slice", X4, starts=[1, -3], ends=[9, -1], axes=[1, 3])
        yield single("ratio", opset, "Dropout", X4, ratio=0.4)
    for opset in (7, 11):
        yield single("axes", opset, "Squeeze", values(1, 3, 1, 4), axes=[0, 2])
        yield single("all", opset, "Squeeze", values(1, 3, 1, 4))
        yield single("axes", opset, "Unsqueeze", values(3, 4), axes=[0, 3])
        yield single("sizes", opset, "Split", X4, n_out=2, axis=1, split=[1, 2])
        yield single("equal", opset, "Split", X4, n_out=4, axis=3)
    for opset in (7, 11, 13):
        for name in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"):
            yield single("axes", opset, name, X4, axes=[2, 3])
            yield single("no_keepdims", opset, name, X4, axes=[1], keepdims=0)
        yield single("all", opset, "ReduceMean", X4, keepdims=0)
    yield single("axes", 11, "ReduceSum", X4, axes=[-1, -2])
    yield single("min_input", 11, "Clip", X4, np.float32(-0.5), np.float32(1.0))
    yield single("inputs", 11, "Pad", X4, ints(0, 0, 1, 2, 0, 0, 3, 0), np.float32(-1))
    yield single("inputs", 10, "Slice", X4, ints(1, -1), ints(9, -7), ints(1, 3), ints(1, -2))
    yield single("mask", 12, "Dropout", X4)


def flattening():
    for name in ("Softmax", "LogSoftmax"):
        for axis in (1, 2, 3):
            yield single(f"axis_{axis}", 7, name, X4, axis=axis)
        yield single("axis_negative", 11, name, X4, axis=-2)
        yield single("default", 11, name, X4)
        yield single("default", 13, name, X4)
    yield single("axis_0", 7, "Flatten", X4, axis=0)
    yield single("zero", 7, "Reshape", X4, ints(0, -1))
    yield single("allowzero", 14, "Reshape", X4, ints(2, -1, 4), allowzero=1)


def broadcasting():
    row, column, plane = values(8), values(6, 1), values(3, 1, 1)
    for name in ("Add", "Sub", "Mul", "Div"):
        for suffix, other in (("row", row), ("column", column), ("plane", plane)):
            yield single(suffix, 7, name, X4, other)
        yield single("int64", 7, name, WHOLE, ints(2, 3, -2, 7, 9), out=INT64)
        yield single("int32", 14, name, WHOLE.astype(np.int32), np.array([5], np.int32), out=INT32)
    for name in ("Sum", "Max", "Min", "Mean"):
        yield single("three", 8, name, X4, row, plane)
    yield single("squares", 7, "Pow", X4, np.float32(2))
    yield single("mixed", 12, "Pow", X4, ints(3))
    yield single("slope", 7, "PRelu", X4, plane)
    for name in ("Greater", "Less"):
        yield single("row", 9, name, X4, row, out=BOOL)
    yield single("int64", 7, "Equal", WHOLE, WHOLE[::-1].copy(), out=BOOL)
    yield single("masks", 7, "And", FLOATS > 0, FLOATS < 1, out=BOOL)
    yield single("not", 7, "Not", FLOATS > 0, out=BOOL)
    yield single("mask", 9, "Where", X4 > 0, X4, row)
    yield single("shape", 8, "Expand", plane, ints(2, 3, 6, 1))
    yield single("repeats", 7, "Tile", X4, ints(1, 2, 1, 3))
    yield single("one", 8, "Sum", X4)


def windows():
    for opset in (7, 8, 10, 11, 12):
        yield single("padded", opset, "MaxPool", X4, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    for opset in (7, 10, 11):
        yield single("excluded", opset, "AveragePool", X4, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        yield single("included", opset, "AveragePool", X4, kernel_shape=[3, 2], pads=[1, 1, 1, 0],
                     count_include_pad=1)
        for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            yield single(auto_pad.lower(), opset, "AveragePool", X4, kernel_shape=[3, 2], strides=[2, 2],
                         auto_pad=auto_pad)
    yield single("ceil", 10, "MaxPool", X4, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, dilations=[1, 2])
    for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        for stride in (1, 2):
            yield single(f"{auto_pad.lower()}_{stride}", 7, "Conv", X4, values(4, 3, 3, 2), auto_pad=auto_pad,
                         strides=[stride, stride])
    yield single("groups", 11, "Conv", values(2, 4, 7, 7), values(6, 2, 3, 3), values(6), group=2)
    yield single("padded", 7, "ConvTranspose", X4, values(3, 2, 3, 3), strides=[2, 2], pads=[1, 0, 1, 0])
    yield single("output_shape", 11, "ConvTranspose", X4, values(3, 2, 3, 3), strides=[2, 2],
                 output_shape=[12, 16], auto_pad="SAME_UPPER")
    yield single("plain", 7, "LpPool", X4, kernel_shape=[2, 2], strides=[2, 2], p=2)
    yield single("plain", 7, "LRN", X4, size=3, alpha=0.01, beta=0.6, bias=1.5)


def norms():
    statistics = (values(3, seed=2), values(3, seed=3), values(3, seed=4), values(3, low=0.2, high=3.0))
    for opset in (7, 9, 14, 15):
        yield single("plain", opset, "BatchNormalization", X4, *statistics, epsilon=1e-3)
    yield single("spatial", 7, "BatchNormalization", X4, *statistics, spatial=1, momentum=0.8)
    yield single("plain", 7, "InstanceNormalization", X4, *statistics[:2])


def the_rest():
    double = np.array([1, 1, 2, 2], np.float32)
    yield single("scales", 7, "Upsample", X4, scales=[1.0, 1.0, 2.0, 2.0], mode="nearest")
    yield single("scales", 9, "Upsample", X4, double, mode="nearest")
    yield single("linear", 9, "Upsample", X4, double, mode="linear")
    for mode in ("nearest", "linear"):
        yield single(mode, 10, "Resize", X4, np.array([1, 1, 1.5, 2], np.float32), mode=mode)
    yield single("floor_asymmetric", 11, "Resize", X4, np.zeros(0, np.float32), double, mode="nearest",
                 nearest_mode="floor", coordinate_transformation_mode="asymmetric")
    yield single("align_corners", 11, "Resize", X4, np.zeros(0, np.float32), np.zeros(0, np.float32),
                 ints(2, 3, 11, 5), mode="linear", coordinate_transformation_mode="align_corners")
    for opset in (7, 9):
        yield single("int64_to_fp32", opset, "Cast", WHOLE, to=FP32)
        yield single("fp32_to_int32", opset, "Cast", FLOATS, out=INT32, to=INT32)
    yield single("column_bias", 7, "Gemm", values(4, 5), values(5, 6), values(4, 1), alpha=1.5)
    yield single("row_bias", 9, "Gemm", values(5, 4), values(6, 5), values(6), transA=1, transB=1, beta=0.5)
    yield single("axis", 7, "ArgMax", X4, out=INT64, axis=2)
    yield single("negative_axis", 11, "ArgMax", X4, out=INT64, axis=-1, keepdims=0)
    yield single("axis", 7, "Gather", X4, ints(2, 0), axis=1)
    yield single("negative_axis", 11, "Concat", X4, X4 + 1, axis=-1)
    yield single("blocks", 7, "DepthToSpace", values(1, 8, 2, 3), blocksize=2)
    yield single("columns_first", 11, "DepthToSpace", values(1, 8, 2, 3), blocksize=2, mode="CRD")
    yield single("fives", 9, "ConstantOfShape", ints(2, 2), value=helper.make_tensor("value", FP32, [1], [5.0]))
    for name in ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Exp", "Abs", "Neg", "Floor", "Ceil"):
        yield single("plain", 7, name, X4)
    for name in ("Abs", "Neg"):
        yield single("int64", 13, name, WHOLE, out=INT64)
    yield single("rounded", 11, "Round", np.array([-2.5, -1.5, -0.4, 0.5, 1.5, 2.6], np.float32))


def older():
    for group in (attributes_that_became_inputs, flattening, broadcasting, windows, norms, the_rest):
        yield from group()
