"""The networks that are measured, written as ONNX files; the standard library is enough.

Architectures are torchvision's, with BatchNorm folded where its exporter folds it: everywhere but in DenseNet,
where it stands before the activation. Weights are seeded and follow He initialisation, biases are normal, as
trained ones are anything but zero. The digits network alone is trained.
"""

import array
import math
import pathlib
import random
import sys
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "e2e"))
import onnx_writer as onnx
import tensors

POOL = 65521  # numbers to draw from; a prime, so that no row of weights is another one again
BIAS = 0.3
BRANCH = 0.5  # of the weights that end a residual branch, so that activations stay of one size


class Numbers:
    """Normal numbers in any amount, at the speed of copying."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pool = [self.random.gauss(0, 1) for _ in range(POOL)]

    def draw(self, n, std, mean=0.0, least=-math.inf):
        """n floats, little-endian."""
        values = array.array("f", (max(least, mean + std * v) for v in self.pool))
        if sys.byteorder == "big":
            values.byteswap()
        start = self.random.randrange(POOL)
        return (values.tobytes() * ((start + n) // POOL + 1))[4 * start:4 * (start + n)]


class Net:
    """Builds a network node by node; every method takes a value's name and gives that of its result."""

    def __init__(self, name, shape):
        self.numbers = Numbers(zlib.crc32(name.encode()))
        self.sample = shape
        self.shapes = {"x": shape}
        self.nodes = []    # (operator, names of inputs, name of output, attributes)
        self.weights = {}  # name -> (dims, bytes)

    def node(self, op, inputs, shape, **attributes):
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append((op, inputs, name, attributes))
        self.shapes[name] = shape
        return name

    def weight(self, dims, std, mean=0.0, least=-math.inf):
        name = f"w{len(self.weights)}"
        self.weights[name] = dims, self.numbers.draw(math.prod(dims), std, mean, least)
        return name

    def conv(self, x, out, kernel, stride=1, pad=0, groups=1, gain=math.sqrt(2)):
        c, h, w = self.shapes[x]
        weight = self.weight((out, c // groups, kernel, kernel), gain / math.sqrt(c // groups * kernel ** 2))
        size = ((h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1)
        return self.node("Conv", [x, weight, self.weight((out,), BIAS)], (out, *size), kernel_shape=[kernel] * 2,
                         strides=[stride] * 2, pads=[pad] * 4, group=groups)

    def linear(self, x, out):
        n, = self.shapes[x]
        inputs = [x, self.weight((out, n), math.sqrt(2 / n)), self.weight((out,), BIAS)]
        return self.node("Gemm", inputs, (out,), transB=1)

    def norm(self, x):
        c = (self.shapes[x][0],)
        rows = [self.weight(c, 0.2, 1.0, 0.2), self.weight(c, BIAS), self.weight(c, 0.2), self.weight(c, 0.2, 1.0, 0.2)]
        return self.node("BatchNormalization", [x, *rows], self.shapes[x])

    def relu(self, x):
        return self.node("Relu", [x], self.shapes[x])

    def relu6(self, x):
        self.weights.update(zero=((), bytes(4)), six=((), array.array("f", [6]).tobytes()))
        return self.node("Clip", [x, "zero", "six"], self.shapes[x])

    def pool(self, op, x, kernel, stride, pad, ceil):
        up = stride - 1 if ceil else 0
        c, *size = self.shapes[x]
        return self.node(op, [x], (c, *((n + 2 * pad - kernel + up) // stride + 1 for n in size)),
                         kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, ceil_mode=int(ceil))

    def maxpool(self, x, kernel, stride, pad=0, ceil=False):
        return self.pool("MaxPool", x, kernel, stride, pad, ceil)

    def halve(self, x):
        return self.pool("AveragePool", x, 2, 2, 0, False)

    def mean(self, x):
        return self.flatten(self.node("GlobalAveragePool", [x], (self.shapes[x][0], 1, 1)))

    def flatten(self, x):
        return self.node("Flatten", [x], (math.prod(self.shapes[x]),))

    def add(self, x, y):
        return self.node("Add", [x, y], self.shapes[x])

    def concat(self, *xs):
        return self.node("Concat", list(xs), (sum(self.shapes[x][0] for x in xs), *self.shapes[xs[0]][1:]), axis=1)

    def conv_relu(self, x, out, kernel, stride=1, pad=0):
        return self.relu(self.conv(x, out, kernel, stride, pad))

    def to_onnx(self):
        last = self.nodes[-1][2]
        nodes = [onnx.node(op, inputs, ["y" if out == last else out], name=out, **attributes)
                 for op, inputs, out, attributes in self.nodes]
        return onnx.model(onnx.graph(
            nodes, (onnx.tensor(name, dims, raw=raw) for name, (dims, raw) in self.weights.items()),
            [onnx.value("x", ["batch", *self.sample])], [onnx.value("y", ["batch", *self.shapes[last]])]))


# ---- architectures ----

def mlp(*widths):
    def build(net):
        x = "x"
        for width in widths[:-1]:
            x = net.relu(net.linear(x, width))
        net.linear(x, widths[-1])
    return build


def cnn(net):
    x = "x"
    for channels in (64, 128, 256):
        x = net.maxpool(net.conv_relu(x, channels, 3, 1, 1), 2, 2)
    net.linear(net.flatten(x), 10)


def vgg16(net):
    x = "x"
    for channels, layers in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(layers):
            x = net.conv_relu(x, channels, 3, 1, 1)
        x = net.maxpool(x, 2, 2)
    x = net.flatten(x)
    for _ in range(2):
        x = net.relu(net.linear(x, 4096))
    net.linear(x, 1000)


def resnet(layers, bottleneck):
    def block(net, x, channels, stride):
        if bottleneck:
            out = 4 * channels
            y = net.conv_relu(net.conv_relu(x, channels, 1), channels, 3, stride, 1)
            y = net.conv(y, out, 1, gain=BRANCH)
        else:
            out = channels
            y = net.conv(net.conv_relu(x, channels, 3, stride, 1), out, 3, 1, 1, gain=BRANCH)
        if stride > 1 or net.shapes[x][0] != out:
            x = net.conv(x, out, 1, stride, gain=1)
        return net.relu(net.add(y, x))

    def build(net):
        x = net.maxpool(net.conv_relu("x", 64, 7, 2, 3), 3, 2, 1)
        for stage, blocks in enumerate(layers):
            for i in range(blocks):
                x = block(net, x, 64 << stage, 2 if stage and not i else 1)
        net.linear(net.mean(x), 1000)
    return build


def mobilenet_v2(net):
    def block(x, out, stride, expand):
        wide = net.shapes[x][0] * expand
        y = net.relu6(net.conv(x, wide, 1)) if expand > 1 else x
        y = net.relu6(net.conv(y, wide, 3, stride, 1, groups=wide))
        residual = stride == 1 and net.shapes[x][0] == out
        y = net.conv(y, out, 1, gain=BRANCH if residual else 1)
        return net.add(x, y) if residual else y

    x = net.relu6(net.conv("x", 32, 3, 2, 1))
    for expand, out, blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                        (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(blocks):
            x = block(x, out, 1 if i else stride, expand)
    net.linear(net.mean(net.relu6(net.conv(x, 1280, 1))), 1000)


def squeezenet1_1(net):
    def fire(x, squeeze, expand):
        x = net.conv_relu(x, squeeze, 1)
        return net.concat(net.conv_relu(x, expand, 1), net.conv_relu(x, expand, 3, 1, 1))

    x = net.conv_relu("x", 64, 3, 2)
    for fires in (((16, 64),) * 2, ((32, 128),) * 2, ((48, 192),) * 2 + ((64, 256),) * 2):
        x = net.maxpool(x, 3, 2, ceil=True)
        for squeeze, expand in fires:
            x = fire(x, squeeze, expand)
    net.mean(net.conv_relu(x, 1000, 1))


def densenet121(net):
    growth = 32
    x = net.maxpool(net.conv_relu("x", 64, 7, 2, 3), 3, 2, 1)
    for stage, layers in enumerate((6, 12, 24, 16)):
        if stage:
            x = net.halve(net.conv(net.relu(net.norm(x)), net.shapes[x][0] // 2, 1))
        parts = [x]
        for _ in range(layers):
            x = net.concat(*parts) if len(parts) > 1 else x
            y = net.conv_relu(net.relu(net.norm(x)), 4 * growth, 1)
            parts.append(net.conv(y, growth, 3, 1, 1))
        x = net.concat(*parts)
    net.linear(net.mean(net.relu(net.norm(x))), 1000)


def googlenet(net):
    def inception(x, one, three_in, three, five_in, five, pool):
        return net.concat(net.conv_relu(x, one, 1),
                          net.conv_relu(net.conv_relu(x, three_in, 1), three, 3, 1, 1),
                          net.conv_relu(net.conv_relu(x, five_in, 1), five, 3, 1, 1),
                          net.conv_relu(net.maxpool(x, 3, 1, 1, ceil=True), pool, 1))

    x = net.maxpool(net.conv_relu("x", 64, 7, 2, 3), 3, 2, ceil=True)
    x = net.maxpool(net.conv_relu(net.conv_relu(x, 64, 1), 192, 3, 1, 1), 3, 2, ceil=True)
    x = inception(x, 64, 96, 128, 16, 32, 32)
    x = net.maxpool(inception(x, 128, 128, 192, 32, 96, 64), 3, 2, ceil=True)
    for widths in ((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64),
                   (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128)):
        x = inception(x, *widths)
    x = net.maxpool(x, 2, 2, ceil=True)
    x = inception(inception(x, 256, 160, 320, 32, 128, 128), 384, 192, 384, 48, 128, 128)
    net.linear(net.mean(x), 1000)


def digits(net):
    """The bundled network with its trained weights."""
    trained = tensors.safetensors_read(ROOT / "deploy/models/digits/model.safetensors")
    net.weights = {name.replace(".", "_"): (tensor.shape, tensor.tobytes()) for name, tensor in trained.items()
                   if not name.endswith("num_batches_tracked")}

    def conv_norm_relu(x, place):
        weight = f"features_{place}_weight"
        shape = (net.weights[weight][0][0], *net.shapes[x][1:])
        x = net.node("Conv", [x, weight], shape, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4, group=1)
        rows = [f"features_{place + 1}_{what}" for what in ("weight", "bias", "running_mean", "running_var")]
        return net.relu(net.node("BatchNormalization", [x, *rows], shape))

    def linear(x, place):
        weight = f"classifier_{place}_weight"
        return net.node("Gemm", [x, weight, f"classifier_{place}_bias"], net.weights[weight][0][:1], transB=1)

    x = net.maxpool(conv_norm_relu(conv_norm_relu("x", 0), 3), 2, 2)
    x = net.flatten(net.maxpool(conv_norm_relu(x, 7), 2, 2))
    x = linear(net.relu(linear(x, 0)), 3)
    net.node("Softmax", [x], net.shapes[x], axis=1)


IMAGE = (3, 224, 224)
# Its name on the command line -> (its name in tables, shape of a sample, architecture)
NETWORKS = {
    "identity": ("identity, 16 numbers", (16,), lambda net: net.relu("x")),
    "digits": ("Digits, 8 x 8", (1, 8, 8), digits),
    "mlp": ("MLP 784-256-128-10", (784,), mlp(256, 128, 10)),
    "mlp_big": ("MLP 4096-4096-4096-1000", (4096,), mlp(4096, 4096, 1000)),
    "cnn": ("Conv 3-64-128-256 at 32 x 32", (3, 32, 32), cnn),
    "resnet18": ("ResNet-18", IMAGE, resnet((2, 2, 2, 2), False)),
    "resnet50": ("ResNet-50", IMAGE, resnet((3, 4, 6, 3), True)),
    "vgg16": ("VGG-16", IMAGE, vgg16),
    "mobilenet_v2": ("MobileNet v2", IMAGE, mobilenet_v2),
    "densenet121": ("DenseNet-121", IMAGE, densenet121),
    "squeezenet1_1": ("SqueezeNet 1.1", IMAGE, squeezenet1_1),
    "googlenet": ("GoogLeNet", IMAGE, googlenet),
}


def build(name):
    _, shape, architecture = NETWORKS[name]
    net = Net(name, shape)
    architecture(net)
    return net


def write(name, folder, samples):
    """NAME.onnx and NAME.input, `samples` samples of float32; nothing when they are there."""
    path, inputs = folder / f"{name}.onnx", folder / f"{name}.input"
    size = 4 * samples * math.prod(NETWORKS[name][1])
    if not path.exists():
        data = build(name).to_onnx()
        path.with_suffix(".new").write_bytes(data)  # never half a file under its own name
        path.with_suffix(".new").rename(path)
    if not inputs.exists() or inputs.stat().st_size < size:
        inputs.write_bytes(Numbers(zlib.crc32(f"{name}/input".encode())).draw(size // 4, 1.0))
    return path, inputs
