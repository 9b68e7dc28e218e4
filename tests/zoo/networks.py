"""torchvision's networks with seeded random weights and statistics, in eval mode."""

import math
import zlib

import torch
import torchvision
from torch import nn

STATISTICS_BATCHES, STATISTICS_ROWS = 2, 4

# The table's name -> (torchvision's name, rows and columns of the input, options)
NETWORKS = {
    "AlexNet": ("alexnet", 224, {}),
    "VGG-11-BN": ("vgg11_bn", 224, {}),
    "VGG-16-BN": ("vgg16_bn", 224, {}),
    "ResNet-18": ("resnet18", 224, {}),
    "ResNet-50": ("resnet50", 224, {}),
    "ResNeXt-50": ("resnext50_32x4d", 224, {}),
    "Wide-ResNet-50": ("wide_resnet50_2", 224, {}),
    "DenseNet-121": ("densenet121", 224, {}),
    "SqueezeNet 1.0": ("squeezenet1_0", 224, {}),
    "SqueezeNet 1.1": ("squeezenet1_1", 224, {}),
    "GoogLeNet": ("googlenet", 224, {"aux_logits": False, "transform_input": True, "init_weights": False}),
    "Inception v3": ("inception_v3", 299, {"aux_logits": False, "transform_input": True, "init_weights": False}),
    "MobileNet v2": ("mobilenet_v2", 224, {}),
    "MobileNet v3 large": ("mobilenet_v3_large", 224, {}),
    "MobileNet v3 small": ("mobilenet_v3_small", 224, {}),
    "MNASNet 1.0": ("mnasnet1_0", 224, {}),
    "EfficientNet-B0": ("efficientnet_b0", 224, {}),
    "ShuffleNet v2": ("shufflenet_v2_x1_0", 224, {}),
    "RegNet X 400MF": ("regnet_x_400mf", 224, {}),
    "RegNet Y 400MF": ("regnet_y_400mf", 224, {}),
    "ConvNeXt-tiny": ("convnext_tiny", 224, {}),
}


def seed(name, what):
    torch.manual_seed(zlib.crc32(f"{name}/{what}".encode()))


def images(name, rows, height, width):
    seed(name, f"images {rows}")
    return torch.randn(rows, 3, height, width)


def draw_weights(net):
    """He initialisation, and affine parameters away from 1 and 0 everywhere."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, math.sqrt(2 / fan_in))
            if module.bias is not None:
                module.bias.normal_(0, 0.1)
        elif isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.LayerNorm)):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.2)
    for name, parameter in net.named_parameters():
        if name.endswith("layer_scale"):  # ConvNeXt starts at 1e-6, which would hide its blocks
            parameter.uniform_(0.2, 1.0)


def norms(net):
    return [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def draw_statistics(net, name, size):
    """Running statistics that fit the activations, so that these stay sane through any depth, and then
    are moved away from what the batches had."""
    if not norms(net):
        return
    for norm in norms(net):
        norm.momentum = None  # the plain average over the batches
        norm.reset_running_stats()
    net.train()
    for batch in range(STATISTICS_BATCHES):
        net(images(f"{name}/{batch}", STATISTICS_ROWS, size, size))
    seed(name, "statistics")
    for norm in norms(net):
        norm.running_mean += 0.1 * norm.running_var.sqrt() * torch.randn_like(norm.running_mean)
        norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.8, 1.25)


def prepare(net, name, size):
    with torch.no_grad():
        seed(name, "weights")
        draw_weights(net)
        draw_statistics(net, name, size)
    return net.eval()


def build(name):
    function, size, options = NETWORKS[name]
    return prepare(getattr(torchvision.models, function)(weights=None, **options), name, size), size
