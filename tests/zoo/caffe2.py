"""Networks as files of 2017 and 2018 have them (IR 3, opsets 6 to 9, initializers repeated as inputs), with
operators that later exporters no longer write."""

import numpy as np
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import nn

IR_VERSION = 3
ROWS, SIZE, CLASSES = 2, 17, 10


def weights():
    rng = np.random.default_rng(4)

    def draw(*shape, scale=None):
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 16
        return (rng.standard_normal(shape) * (scale or np.sqrt(2 / fan_in))).astype(np.float32)

    found = {"conv1_w": draw(16, 3, 3, 3), "conv1_b": draw(16), "conv2_w": draw(16, 8, 3, 3), "conv2_b": draw(16),
             "conv3_w": draw(16, 16, 1, 1), "fc_w": draw(CLASSES, 16 * 4 * 4), "fc_b": draw(CLASSES)}
    for norm in ("bn1", "bn3"):
        found[f"{norm}_s"] = rng.uniform(0.5, 1.5, 16).astype(np.float32)
        found[f"{norm}_b"], found[f"{norm}_m"] = draw(16, scale=0.2), draw(16, scale=0.2)
        found[f"{norm}_v"] = rng.uniform(0.5, 2.0, 16).astype(np.float32)
    found["scale"] = rng.uniform(0.5, 1.5, 16).astype(np.float32)
    found["shift"] = draw(16, scale=0.2)
    return found


class Network(nn.Module):
    """The same in PyTorch; the activations go through F, where watch.py sees them."""

    def __init__(self, w):
        super().__init__()
        for name, value in w.items():
            self.register_buffer(name, torch.from_numpy(value))

    def forward(self, x):
        t = dict(self.named_buffers())

        def norm(y, name):
            return F.batch_norm(y, t[name + "_m"], t[name + "_v"], t[name + "_s"], t[name + "_b"])

        y = norm(F.conv2d(x, t["conv1_w"], t["conv1_b"], padding=1), "bn1")
        y = F.relu(y * t["scale"].reshape(-1, 1, 1) + t["shift"].reshape(-1, 1, 1))
        y = F.max_pool2d(F.pad(F.local_response_norm(y, 5, 1e-2, 0.75, 1.0), (0, 1, 0, 1), value=-np.inf), 3, 2)
        z = F.relu(F.conv2d(y, t["conv2_w"], t["conv2_b"], padding=1, groups=2))
        y = F.relu(z + norm(F.conv2d(y, t["conv3_w"]), "bn3"))
        y = F.avg_pool2d(y, 2, 2)
        return torch.softmax(y.reshape(len(y), -1) @ t["fc_w"].T + t["fc_b"], 1)


def channels(nodes, operator, x, vector, out, opset):
    """x and a value a channel: by attributes until opset 6, by broadcasting afterwards."""
    if opset < 7:
        nodes.append(helper.make_node(operator, [x, vector], [out], broadcast=1, axis=1))
        return
    nodes.append(helper.make_node("Unsqueeze", [vector], [vector + "_u"], axes=[1, 2]))
    nodes.append(helper.make_node(operator, [x, vector + "_u"], [out]))


def nodes_of(opset):
    old = {"is_test": 1} if opset < 7 else {}
    norm = dict(old, epsilon=1e-5, **({"spatial": 1} if opset < 9 else {}))
    node, nodes = helper.make_node, []
    nodes += [node("Conv", ["data", "conv1_w", "conv1_b"], ["conv1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
              node("BatchNormalization", ["conv1", "bn1_s", "bn1_b", "bn1_m", "bn1_v"], ["bn1"], **norm)]
    channels(nodes, "Mul", "bn1", "scale", "scaled", opset)
    channels(nodes, "Add", "scaled", "shift", "shifted", opset)
    nodes += [
        node("Relu", ["shifted"], ["relu1"]),
        node("LRN", ["relu1"], ["lrn1"], size=5, alpha=1e-2, beta=0.75, bias=1.0),
        node("MaxPool", ["lrn1"], ["pool1"], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
        node("Conv", ["pool1", "conv2_w", "conv2_b"], ["conv2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=2),
        node("Relu", ["conv2"], ["relu2"]),
        node("Conv", ["pool1", "conv3_w"], ["conv3"], kernel_shape=[1, 1]),
        node("BatchNormalization", ["conv3", "bn3_s", "bn3_b", "bn3_m", "bn3_v"], ["bn3"], **norm),
        node("Sum", ["relu2", "bn3"], ["sum"]),
        node("Relu", ["sum"], ["relu3"]),
        node("AveragePool", ["relu3"], ["pool3"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", ["pool3", "flat"], ["reshaped"]),
        node("Gemm", ["reshaped", "fc_w", "fc_b"], ["fc"], transB=1, **({"broadcast": 1} if opset < 7 else {})),
        node("Dropout", ["fc"], ["dropped"], ratio=0.5, **old),
        node("Softmax", ["dropped"], ["prob"], axis=1)]
    return nodes


def model(opset, w, made_by_nodes=False):
    """`made_by_nodes`: conv3's weight comes from a ConstantOfShape, fc's from a Constant."""
    nodes, stored = nodes_of(opset), {"flat": np.array([-1, 16 * 4 * 4], np.int64), **w}
    if made_by_nodes:
        value = numpy_helper.from_array(w["conv3_w"].reshape(-1)[:1])
        nodes.insert(0, helper.make_node("ConstantOfShape", ["conv3_shape"], ["conv3_w"], value=value))
        nodes.insert(0, helper.make_node("Constant", [], ["fc_w"], value=numpy_helper.from_array(w["fc_w"])))
        stored["conv3_shape"] = np.array(stored.pop("conv3_w").shape, np.int64)
        del stored["fc_w"]
    initializers = [numpy_helper.from_array(v, k) for k, v in stored.items()]
    inputs = [helper.make_tensor_value_info("data", TensorProto.FLOAT, [ROWS, 3, SIZE, SIZE])]
    inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in initializers]
    outputs = [helper.make_tensor_value_info("prob", TensorProto.FLOAT, [ROWS, CLASSES])]
    made = helper.make_model(helper.make_graph(nodes, "caffe2", inputs, outputs, initializers))
    made.ir_version = IR_VERSION
    made.opset_import[0].version = opset
    return made


def constant_weights():
    """Weights in which conv3's are all equal, as a ConstantOfShape makes them."""
    w = weights()
    w["conv3_w"] = np.full_like(w["conv3_w"], 0.07)
    return w
