"""Files in other forms than today's exporter gives the classification networks."""

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import caffe2
import export
import networks
import watch
from trial import Reference

BATCH = {0: "batch"}
IMAGE = {0: "batch", 2: "height", 3: "width"}
SIZES = ((1, 64, 96), (2, 75, 50))  # rows, height, width

# label -> (network, opset, how it is written)
EXPORTS = {
    "ResNet-18, initializers as inputs (IR 3)": ("ResNet-18", 9, export.as_ir_3),
    "SqueezeNet 1.1, initializers as inputs (IR 3)": ("SqueezeNet 1.1", 8, export.as_ir_3),
    "ResNet-18, BatchNorm kept": ("ResNet-18", 13, export.with_norms),
    "MobileNet v2, BatchNorm kept": ("MobileNet v2", 17, export.with_norms),
    "DenseNet-121, BatchNorm kept": ("DenseNet-121", 11, export.with_norms),
    "MobileNet v3 small, two files": ("MobileNet v3 small", 17, export.as_two_files),
    "ResNet-18, two files": ("ResNet-18", 17, export.as_two_files),
}


class Segmenter(nn.Module):
    """An encoder and a decoder that meet at sizes known only at run time."""

    def __init__(self):
        super().__init__()
        self.down1 = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.down2 = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.SiLU())
        self.up1 = nn.ConvTranspose2d(32, 16, 2, 2)
        self.mix = nn.Sequential(nn.Conv2d(32, 16, 3, 1, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.head = nn.Conv2d(16, 5, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.up1(self.down2(a))
        b = F.interpolate(b, size=a.shape[-2:], mode="nearest")
        y = self.head(self.mix(torch.cat([a, b], 1)))
        return F.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=False)


class Lraspp(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None)

    def forward(self, x):
        return self.net(x)["out"]


def answer(net, x):
    y, exact, own = watch.layers_of(net, x)
    for layer in [*exact, *own]:
        del layer["before"]  # counted; large
    return Reference(x.numpy(), [y.numpy()], exact, own)


def exported(folder):
    for label, (name, opset, write) in EXPORTS.items():
        def trial(name=name, opset=opset, write=write):
            net, size = networks.build(name)
            path = folder / "model.onnx"
            x = networks.images(name, 2, size, size)
            write(net, x, path, opset, BATCH)
            return path, ["output"], [answer(net, x)]
        yield label, opset, trial


def any_size(folder):
    for label, make, opsets in (("Segmenter, any height and width", Segmenter, (11, 13, 17)),
                                ("LR-ASPP MobileNet v3, any height and width", Lraspp, (13, 17))):
        for opset in opsets:
            def trial(label=label, make=make, opset=opset):
                net = networks.prepare(make(), label, 96)
                path = folder / "model.onnx"
                export.export(net, networks.images(label, *SIZES[0]), path, opset, IMAGE)
                return path, ["output"], [answer(net, networks.images(label, *size)) for size in SIZES]
            yield label, opset, trial


def old(folder):
    for label, opset, w, made_by_nodes in (
            *(("Caffe2 era (IR 3)", opset, caffe2.weights(), False) for opset in (6, 7, 8, 9)),
            ("Caffe2 era, weights made by nodes", 9, caffe2.constant_weights(), True)):
        def trial(opset=opset, w=w, made_by_nodes=made_by_nodes):
            path = folder / "model.onnx"
            path.write_bytes(caffe2.model(opset, w, made_by_nodes).SerializeToString())
            x = networks.images("caffe2", caffe2.ROWS, caffe2.SIZE, caffe2.SIZE)
            return path, ["prob"], [answer(caffe2.Network(w), x)]
        yield label, opset, trial


def forms(folder):
    """(label, opset, function that writes a file and gives its path, output names and references)"""
    yield from exported(folder)
    yield from any_size(folder)
    yield from old(folder)
