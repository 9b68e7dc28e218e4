"""The networks: ordinary torch modules, and how each is written in model.json."""
import torch
import torch.nn.functional as F
from collections import OrderedDict
from torch import nn


class Residual(nn.Module):
    """layers(x) + shortcut(x); without a shortcut, layers(x) + x."""

    def __init__(self, layers, shortcut=None):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.shortcut = nn.Sequential(*shortcut) if shortcut else None

    def forward(self, x):
        return self.layers(x) + (self.shortcut(x) if self.shortcut else x)


class Concat(nn.Module):
    """The branches' results one after another along the channels."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*b) for b in branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class PaddedConv2d(nn.Conv2d):
    """Conv2d with padding [top, left, bottom, right]."""

    def __init__(self, *args, pads, **kwargs):
        super().__init__(*args, **kwargs)
        self.pads = pads

    def forward(self, x):
        top, left, bottom, right = self.pads
        return super().forward(F.pad(x, (left, right, top, bottom)))


def parts(**modules):
    """features=[...], classifier=[...] -> a Sequential of Sequentials."""
    return nn.Sequential(OrderedDict((k, nn.Sequential(*v)) for k, v in modules.items()))


# ---- model.json -------------------------------------------------------------------------------

def plain(value):
    """(3, 3) and (3,) -> 3; (1, 7) -> [1, 7]."""
    if isinstance(value, (tuple, list)):
        return value[0] if len(set(value)) == 1 else list(value)
    return value


def describe_conv(m):
    d = {"type": "conv1d" if isinstance(m, nn.Conv1d) else "conv2d",
         "out_channels": m.out_channels, "kernel_size": plain(m.kernel_size)}
    for key, default in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
        value = plain(getattr(m, key))
        if value != default:
            d[key] = value
    if isinstance(m, PaddedConv2d):
        d["padding"] = list(m.pads)
    if m.bias is None:
        d["bias"] = False
    return d


def describe_linear(m):
    d = {"type": "linear", "out_features": m.out_features}
    if m.bias is None:
        d["bias"] = False
    return d


def describe_norm(m):
    d = {"type": "batchnorm1d" if isinstance(m, nn.BatchNorm1d) else "batchnorm2d"}
    if m.eps != 1e-5:
        d["eps"] = m.eps
    if not m.affine:
        d["affine"] = False
    return d


def describe_pool(m):
    d = {"type": "maxpool2d" if isinstance(m, nn.MaxPool2d) else "avgpool2d",
         "kernel_size": plain(m.kernel_size)}
    if plain(m.stride) != plain(m.kernel_size):
        d["stride"] = plain(m.stride)
    if plain(m.padding) != 0:
        d["padding"] = plain(m.padding)
    if plain(getattr(m, "dilation", 1)) != 1:
        d["dilation"] = plain(m.dilation)
    if m.ceil_mode:
        d["ceil_mode"] = True
    if not getattr(m, "count_include_pad", True):
        d["count_include_pad"] = False
    return d


# Attributes of the other types, with the defaults that are left out.
OTHERS = {
    nn.ReLU: {}, nn.SELU: {}, nn.ReLU6: {}, nn.SiLU: {}, nn.Sigmoid: {}, nn.Tanh: {},
    nn.Hardsigmoid: {}, nn.Hardswish: {}, nn.Softplus: {}, nn.Flatten: {}, nn.Identity: {},
    nn.LeakyReLU: {"negative_slope": 0.01}, nn.PReLU: {"num_parameters": 1},
    nn.ELU: {"alpha": 1.0}, nn.CELU: {"alpha": 1.0}, nn.GELU: {"approximate": "none"},
    nn.Softmax: {"dim": None}, nn.LogSoftmax: {"dim": None},
    nn.AdaptiveAvgPool2d: {"output_size": None}, nn.Dropout: {"p": 0.5},
}


def describe_layer(m):
    if isinstance(m, (nn.Conv1d, nn.Conv2d)):
        return describe_conv(m)
    if isinstance(m, nn.Linear):
        return describe_linear(m)
    if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
        return describe_norm(m)
    if isinstance(m, (nn.MaxPool2d, nn.AvgPool2d)):
        return describe_pool(m)
    d = {"type": type(m).__name__.lower()}
    for key, default in OTHERS[type(m)].items():
        value = plain(getattr(m, key))
        if value != default:
            d[key] = value
    return d


def describe(module, prefix="", names=True, sizes=False):
    """The list of layers of a Sequential; names are absolute."""
    layers = []
    for key, m in module.named_children():
        path = f"{prefix}{key}"
        if isinstance(m, nn.Sequential):
            layers += describe(m, path + ".", names, sizes)
            continue
        if isinstance(m, Residual):
            d = {"type": "residual",
                 "layers": describe(m.layers, f"{path}.layers.", names, sizes)}
            if m.shortcut:
                d["shortcut"] = describe(m.shortcut, f"{path}.shortcut.", names, sizes)
        elif isinstance(m, Concat):
            d = {"type": "concat",
                 "branches": [describe(b, f"{path}.branches.{i}.", names, sizes)
                              for i, b in enumerate(m.branches)]}
        else:
            d = describe_layer(m)
            if sizes:
                d.update({k: getattr(m, k) for k in ("in_channels", "in_features")
                          if hasattr(m, k)})
        if names:
            d = {"type": d.pop("type"), "name": path, **d}
        layers.append(d)
    return layers


# ---- the networks -----------------------------------------------------------------------------

class Net:
    def __init__(self, module, shape, batch=4, names=True, sizes=False, dtypes=None, entry=None):
        self.module = module      # called on (batch, *shape)
        self.shape = shape
        self.batch = batch
        self.names = names        # write "name" in model.json; otherwise layers go by index
        self.sizes = sizes        # write in_channels and in_features
        self.dtypes = dtypes or {}        # tensor -> stored type other than F32
        self.entry = entry or {}          # scale, mean, std of "input"


def conv_norm(i, o, k=3, act=nn.ReLU, **kwargs):
    kwargs.setdefault("padding", k // 2)
    return [nn.Conv2d(i, o, k, bias=False, **kwargs), nn.BatchNorm2d(o), act()]


def whole_networks():
    def block(i, o):
        return [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)]

    def leaky(i, o):
        return [nn.Conv2d(i, o, 3, padding=1), nn.LeakyReLU(0.1), nn.BatchNorm2d(o),
                nn.MaxPool2d(2)]

    def prelu(i, o):
        return [nn.Linear(i, o), nn.PReLU(), nn.BatchNorm1d(o), nn.Dropout(0.3)]

    return {
        "cnn3": Net(parts(
            features=block(3, 64) + block(64, 128) + block(128, 256),
            classifier=[nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 128), nn.ReLU(),
                        nn.Dropout(), nn.Linear(128, 10)]), (3, 32, 32), 32, sizes=True),
        "mlp784": Net(nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
            nn.Linear(128, 10)), (784,), 32, names=False),
        "leaky_before_norm": Net(parts(
            features=leaky(3, 64) + leaky(64, 128),
            classifier=[nn.Flatten(), nn.Linear(128 * 8 * 8, 512), nn.LeakyReLU(0.1),
                        nn.Linear(512, 10)]), (3, 32, 32), 32),
        "prelu_bn_mlp": Net(parts(
            layers=prelu(100, 64) + prelu(64, 33) + [nn.Linear(33, 10)]), (100,), 32),
        "prelu_channel_mlp": Net(nn.Sequential(
            nn.Linear(10, 64), nn.PReLU(64), nn.Linear(64, 32), nn.PReLU(32),
            nn.Linear(32, 1)), (10,), 32, names=False),
        "selu_mlp": Net(nn.Sequential(
            nn.Linear(784, 512), nn.SELU(), nn.Linear(512, 512), nn.SELU(),
            nn.Linear(512, 10)), (784,), 32, names=False, sizes=True),
        "linear3072": Net(nn.Sequential(
            nn.Flatten(), nn.Linear(3072, 100), nn.ReLU()), (3, 32, 32), 100, names=False),
        "hinge3": Net(nn.Sequential(
            nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1)), (1,), 32, names=False),
    }


def convolutions():
    def one(conv, shape, **kwargs):
        return Net(nn.Sequential(conv), shape, **kwargs)

    return {
        "conv1d": Net(nn.Sequential(
            nn.Conv1d(5, 13, 3, padding=1), nn.BatchNorm1d(13), nn.ReLU(),
            nn.Conv1d(13, 7, 5, stride=2, padding=2)), (5, 33)),
        "conv1d_dilated": Net(nn.Sequential(
            nn.Conv1d(7, 17, 3, stride=3, dilation=2, bias=False), nn.BatchNorm1d(17), nn.ReLU(),
            nn.Conv1d(17, 5, 4, padding=3, dilation=3)), (7, 41)),
        "conv1d_depthwise": Net(nn.Sequential(
            nn.Conv1d(13, 13, 5, padding=2, groups=13, bias=False), nn.BatchNorm1d(13), nn.ReLU(),
            nn.Conv1d(13, 7, 1), nn.ReLU(), nn.Flatten(), nn.Linear(7 * 19, 3)), (13, 19)),
        "conv_plain": one(nn.Conv2d(33, 17, 3, padding=1), (33, 5, 3)),
        "conv_valid": one(nn.Conv2d(5, 7, 3), (5, 6, 7)),
        "conv_whole": one(nn.Conv2d(7, 33, (5, 4)), (7, 5, 4)),
        "conv_pointwise": Net(nn.Sequential(
            nn.Conv2d(33, 17, 1, bias=False), nn.BatchNorm2d(17), nn.ReLU(),
            nn.Conv2d(17, 7, 1)), (33, 5, 7)),
        "conv_even_kernel": Net(nn.Sequential(
            nn.Conv2d(3, 13, 2, padding=1), nn.ReLU(), nn.Conv2d(13, 5, 4, padding=1)), (3, 7, 9)),
        "conv_no_bias": one(nn.Conv2d(7, 13, 3, padding=1, bias=False), (7, 5, 4)),
        "conv_wide_padding": one(nn.Conv2d(3, 5, 3, padding=4), (3, 3, 2)),
        "conv_one_pixel": Net(nn.Sequential(
            *conv_norm(13, 17), nn.Conv2d(17, 5, 3, padding=1)), (13, 1, 1)),
        "conv_stride2": Net(nn.Sequential(
            *conv_norm(5, 17, stride=2), nn.Conv2d(17, 7, 1, stride=2)), (5, 14, 13)),
        "conv_stride_rect": one(nn.Conv2d(5, 7, 3, stride=(2, 1), padding=(0, 1)), (5, 9, 6)),
        "conv_stride_past_kernel": one(nn.Conv2d(5, 13, 2, stride=3), (5, 11, 10)),
        "conv_dilation": one(nn.Conv2d(7, 5, 3, padding=2, dilation=2), (7, 8, 9)),
        "conv_dilation_rect": one(
            nn.Conv2d(5, 7, 3, stride=2, padding=(3, 0), dilation=(3, 1)), (5, 11, 12)),
        "conv_groups": Net(nn.Sequential(
            nn.Conv2d(15, 35, 3, padding=1, groups=5, bias=False), nn.BatchNorm2d(35), nn.ReLU(),
            nn.Conv2d(35, 14, 1, groups=7)), (15, 6, 5)),
        "conv_groups_stride": one(
            nn.Conv2d(33, 21, 3, stride=2, padding=1, groups=3), (33, 7, 7)),
        "conv_depthwise": Net(nn.Sequential(
            *conv_norm(13, 13, groups=13), nn.Conv2d(13, 7, 1)), (13, 7, 6)),
        "conv_depthwise_stride": one(
            nn.Conv2d(17, 17, 5, stride=2, padding=2, groups=17), (17, 9, 8)),
        "conv_depthwise_dilated": one(
            nn.Conv2d(5, 5, 3, padding=2, dilation=2, groups=5), (5, 8, 7)),
        "conv_depthwise_multiplier": Net(nn.Sequential(
            nn.Conv2d(7, 21, 3, padding=1, groups=7), nn.ReLU6(),
            nn.Conv2d(21, 5, 1)), (7, 5, 6)),
        "conv_rect": Net(nn.Sequential(
            nn.Conv2d(5, 13, (1, 7), padding=(0, 3), bias=False), nn.BatchNorm2d(13), nn.ReLU(),
            nn.Conv2d(13, 7, (7, 1), padding=(3, 0))), (5, 6, 8)),
        "conv_stem": Net(nn.Sequential(
            *conv_norm(3, 33, 7, stride=2), nn.MaxPool2d(3, 2, padding=1),
            nn.Conv2d(33, 5, 1)), (3, 31, 29)),
        "conv_pad_end": one(
            PaddedConv2d(5, 7, 3, stride=2, pads=[0, 0, 1, 1]), (5, 8, 10)),
        "conv_pad_uneven": Net(nn.Sequential(
            PaddedConv2d(3, 13, 3, pads=[2, 0, 1, 3], bias=False), nn.BatchNorm2d(13), nn.ReLU(),
            PaddedConv2d(13, 5, (2, 3), pads=[1, 1, 0, 1])), (3, 5, 4)),
        "conv_pad_depthwise": one(
            PaddedConv2d(7, 7, 3, stride=2, groups=7, pads=[0, 0, 1, 1]), (7, 8, 8)),
        "conv_deep": Net(nn.Sequential(
            *conv_norm(3, 17), *conv_norm(17, 33), *conv_norm(33, 64), *conv_norm(64, 64),
            nn.Conv2d(64, 3, 1)), (3, 12, 11)),
    }


def pools():
    def max_of(*args, shape=(5, 9, 8), **kwargs):
        return Net(nn.Sequential(nn.MaxPool2d(*args, **kwargs)), shape)

    def avg_of(*args, shape=(5, 9, 8), **kwargs):
        return Net(nn.Sequential(nn.AvgPool2d(*args, **kwargs)), shape)

    return {
        "maxpool": max_of(2),
        "maxpool_pad": max_of(3, 2, padding=1),
        "maxpool_ceil": max_of(3, 2, ceil_mode=True, shape=(7, 8, 10)),
        "maxpool_ceil_pad": max_of(2, 3, padding=1, ceil_mode=True, shape=(5, 7, 8)),
        "maxpool_same": max_of(3, 1, padding=1, shape=(5, 5, 4)),
        "maxpool_rect": max_of((3, 2), (1, 2), padding=(1, 0), shape=(13, 5, 6)),
        "maxpool_stride_past_kernel": max_of(2, 3, shape=(7, 10, 9)),
        "maxpool_dilation": max_of(2, 1, dilation=(2, 3), shape=(5, 6, 7)),
        "maxpool_after_conv": Net(nn.Sequential(
            nn.Conv2d(3, 17, 3, padding=1), nn.MaxPool2d(3, 2, padding=1), nn.ReLU(),
            nn.Conv2d(17, 5, 3, padding=1)), (3, 9, 9)),
        "avgpool": avg_of(2),
        "avgpool_pad": avg_of(3, 2, padding=1),
        "avgpool_pad_excluded": avg_of(3, 2, padding=1, count_include_pad=False),
        "avgpool_ceil": avg_of(3, 2, ceil_mode=True, shape=(7, 8, 10)),
        "avgpool_ceil_pad": avg_of(3, 2, padding=1, ceil_mode=True, shape=(7, 8, 10)),
        "avgpool_ceil_pad_excluded": avg_of(
            3, 2, padding=1, ceil_mode=True, count_include_pad=False, shape=(7, 8, 10)),
        "avgpool_rect": avg_of((1, 3), (2, 1), padding=(0, 1), shape=(13, 5, 6)),
        "avgpool_stride_past_kernel": avg_of(2, 3, shape=(7, 10, 9)),
        "adaptiveavgpool_one": Net(nn.Sequential(
            *conv_norm(5, 33), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(33, 7)),
            (5, 7, 6)),
        "adaptiveavgpool": Net(nn.Sequential(nn.AdaptiveAvgPool2d((3, 2))), (13, 7, 5)),
        "adaptiveavgpool_even": Net(nn.Sequential(nn.AdaptiveAvgPool2d((3, 2))), (7, 9, 8)),
        "adaptiveavgpool_up": Net(nn.Sequential(nn.AdaptiveAvgPool2d((5, 3))), (5, 3, 2)),
        "adaptiveavgpool_flatten": Net(nn.Sequential(
            *conv_norm(3, 13), nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(),
            nn.Linear(13 * 6, 7)), (3, 7, 7)),
    }


def norms():
    return {
        "bn2d": Net(nn.Sequential(nn.BatchNorm2d(13)), (13, 5, 3)),
        "bn1d": Net(nn.Sequential(nn.BatchNorm1d(17)), (17,)),
        "bn1d_sequence": Net(nn.Sequential(nn.BatchNorm1d(7)), (7, 11)),
        "bn_before_padded_conv": Net(nn.Sequential(
            nn.BatchNorm2d(5), nn.Conv2d(5, 7, 3, padding=1)), (5, 6, 5)),
        "bn_after_activation": Net(nn.Sequential(
            nn.Conv2d(5, 13, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(13), nn.MaxPool2d(2),
            nn.Conv2d(13, 7, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(7), nn.AvgPool2d(2)),
            (5, 13, 10)),
        "bn_before_pool": Net(nn.Sequential(
            nn.Conv2d(5, 17, 3, padding=1), nn.BatchNorm2d(17), nn.MaxPool2d(3, 2, padding=1),
            nn.ReLU(), nn.Conv2d(17, 7, 1)), (5, 9, 7)),
        "bn_after_pool": Net(nn.Sequential(
            nn.Conv2d(5, 13, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(13), nn.ReLU(),
            nn.Conv2d(13, 7, 1)), (5, 8, 7)),
        "bn_twice": Net(nn.Sequential(
            nn.Conv2d(5, 13, 3, padding=1), nn.BatchNorm2d(13), nn.BatchNorm2d(13), nn.ReLU()),
            (5, 4, 5)),
        "bn_eps": Net(nn.Sequential(
            nn.Conv2d(5, 13, 3), nn.BatchNorm2d(13, eps=0.1), nn.ReLU()), (5, 5, 6)),
        "bn_no_affine": Net(nn.Sequential(
            nn.Conv2d(5, 7, 3), nn.BatchNorm2d(7, affine=False), nn.ReLU()), (5, 5, 6)),
        "bn_linear": Net(nn.Sequential(
            nn.BatchNorm1d(13), nn.Linear(13, 33, bias=False), nn.BatchNorm1d(33), nn.ReLU(),
            nn.BatchNorm1d(33), nn.Linear(33, 7)), (13,)),
    }


def activations():
    kinds = {
        "relu": nn.ReLU, "leakyrelu": lambda: nn.LeakyReLU(0.2), "elu": nn.ELU, "selu": nn.SELU,
        "elu_alpha": lambda: nn.ELU(0.5), "gelu": nn.GELU, "celu": nn.CELU,
        "gelu_tanh": lambda: nn.GELU(approximate="tanh"), "celu_alpha": lambda: nn.CELU(0.5),
        "relu6": nn.ReLU6, "silu": nn.SiLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh,
        "hardsigmoid": nn.Hardsigmoid, "hardswish": nn.Hardswish, "softplus": nn.Softplus,
        "leakyrelu_default": nn.LeakyReLU, "prelu": nn.PReLU,
    }
    # Behind a convolution with BatchNorm, behind one without, and behind a pool.
    nets = {f"act_{name}": Net(nn.Sequential(
        nn.Conv2d(7, 13, 3, padding=1, bias=False), nn.BatchNorm2d(13), act(),
        nn.Conv2d(13, 5, 1), act(), nn.AvgPool2d((2, 1)), act()), (7, 6, 5))
        for name, act in kinds.items()}
    nets.update({
        "act_prelu_channels": Net(nn.Sequential(
            nn.Conv2d(7, 13, 3, padding=1, bias=False), nn.BatchNorm2d(13), nn.PReLU(13),
            nn.Conv2d(13, 5, 1), nn.PReLU(5), nn.AvgPool2d((2, 1)), nn.PReLU(5)), (7, 6, 5)),
        "act_first": Net(nn.Sequential(
            nn.ReLU(), nn.Conv2d(5, 7, 3, padding=1), nn.Sigmoid(), nn.Tanh()), (5, 4, 5)),
        "act_only": Net(nn.Sequential(nn.LeakyReLU(0.3)), (17,)),
        "act_linear": Net(nn.Sequential(
            nn.Linear(13, 33), nn.ELU(), nn.Linear(33, 17), nn.GELU(), nn.Linear(17, 33),
            nn.SiLU(), nn.Linear(33, 13), nn.Hardswish(), nn.Linear(13, 17), nn.ReLU6(),
            nn.Linear(17, 7), nn.Tanh()), (13,)),
        "softmax": Net(nn.Sequential(nn.Linear(13, 17), nn.ReLU(), nn.Linear(17, 7),
                                     nn.Softmax(dim=1)), (13,)),
        "softmax_channels": Net(nn.Sequential(
            nn.Conv2d(3, 13, 3, padding=1), nn.Softmax(dim=1)), (3, 5, 4)),
        "softmax_last": Net(nn.Sequential(
            nn.Conv2d(3, 7, 3, padding=1), nn.Softmax(dim=-1)), (3, 5, 4)),
        "logsoftmax": Net(nn.Sequential(nn.Linear(13, 33), nn.LogSoftmax(dim=1)), (13,)),
        "logsoftmax_channels": Net(nn.Sequential(
            nn.Conv2d(3, 13, 3, padding=1), nn.LogSoftmax(dim=1)), (3, 5, 4)),
    })
    return nets


def graphs():
    def body(c, mid):
        return [nn.Conv2d(c, mid, 3, padding=1, bias=False), nn.BatchNorm2d(mid), nn.ReLU(),
                nn.Conv2d(mid, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)]

    return {
        "residual": Net(nn.Sequential(OrderedDict(
            stem=nn.Sequential(*conv_norm(3, 13)), block1=Residual(body(13, 7)),
            relu1=nn.ReLU(), block2=Residual(body(13, 17)), relu2=nn.ReLU(),
            head=nn.Conv2d(13, 5, 1))), (3, 7, 6)),
        "residual_shortcut": Net(nn.Sequential(OrderedDict(
            stem=nn.Sequential(*conv_norm(3, 13)),
            block1=Residual(
                [nn.Conv2d(13, 17, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(17),
                 nn.ReLU(), nn.Conv2d(17, 17, 3, padding=1, bias=False), nn.BatchNorm2d(17)],
                [nn.Conv2d(13, 17, 1, stride=2, bias=False), nn.BatchNorm2d(17)]),
            relu=nn.ReLU(), pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
            fc=nn.Linear(17, 7))), (3, 9, 8)),
        # The input of the block is read again after its first layer has run.
        "residual_preactivation": Net(nn.Sequential(OrderedDict(
            stem=nn.Conv2d(3, 13, 3, padding=1),
            block1=Residual([nn.BatchNorm2d(13), nn.ReLU(), nn.Conv2d(13, 13, 3, padding=1)]),
            block2=Residual([nn.ReLU(), nn.Conv2d(13, 13, 1)]),
            head=nn.Conv2d(13, 5, 1))), (3, 6, 5)),
        "residual_of_input": Net(nn.Sequential(OrderedDict(
            block1=Residual([nn.ReLU()]), block2=Residual([nn.Tanh(), nn.Identity()]))),
            (5, 4, 3)),
        "residual_linear": Net(nn.Sequential(OrderedDict(
            block1=Residual([nn.Linear(17, 33), nn.ReLU(), nn.Linear(33, 17)]),
            block2=Residual([nn.Linear(17, 7), nn.BatchNorm1d(7), nn.ReLU()],
                            [nn.Linear(17, 7, bias=False)]), relu=nn.ReLU())), (17,)),
        "residual_nested": Net(nn.Sequential(OrderedDict(
            block1=Residual([nn.Conv2d(5, 5, 3, padding=1),
                             Residual([nn.ReLU(), nn.Conv2d(5, 5, 1)]), nn.ReLU()]))),
            (5, 5, 4)),
        "concat": Net(nn.Sequential(OrderedDict(
            stem=nn.Sequential(*conv_norm(3, 17)),
            mix=Concat(conv_norm(17, 5, 1), conv_norm(17, 7, 1) + conv_norm(7, 13),
                       [nn.MaxPool2d(3, 1, padding=1)] + conv_norm(17, 3, 1)),
            norm=nn.BatchNorm2d(21), relu=nn.ReLU(), head=nn.Conv2d(21, 5, 3, padding=1))),
            (3, 6, 7)),
        "concat_dense": Net(nn.Sequential(OrderedDict(
            grow1=Concat([nn.Identity()], conv_norm(5, 7)),
            grow2=Concat([nn.Identity()], conv_norm(12, 5)),
            head=nn.Conv2d(17, 3, 1))), (5, 5, 6)),
        "concat_output": Net(nn.Sequential(OrderedDict(
            mix=Concat([nn.Conv2d(3, 5, 1)], [nn.Conv2d(3, 7, 3, padding=1), nn.ReLU()]))),
            (3, 4, 5)),
        "concat_residual": Net(nn.Sequential(OrderedDict(
            mix=Concat([Residual([nn.Conv2d(5, 5, 3, padding=1), nn.ReLU()])],
                       [nn.AvgPool2d(3, 1, padding=1)]),
            head=nn.Conv2d(10, 7, 1))), (5, 5, 4)),
        "concat_linear": Net(nn.Sequential(OrderedDict(
            mix=Concat([nn.Linear(13, 5), nn.ReLU()], [nn.Linear(13, 17), nn.Tanh()]),
            head=nn.Linear(22, 3))), (13,)),
        "flatten_odd": Net(nn.Sequential(
            *conv_norm(5, 7), nn.Flatten(), nn.Dropout(), nn.Linear(7 * 5 * 3, 13)), (5, 5, 3)),
        "flatten_input": Net(nn.Sequential(nn.Flatten(), nn.Linear(60, 7, bias=False)), (3, 4, 5)),
        "flatten_output": Net(nn.Sequential(nn.Conv2d(3, 7, 1), nn.Flatten()), (3, 3, 5)),
        "noop": Net(nn.Sequential(nn.Identity(), nn.Dropout(0.2)), (3, 4, 5)),
        "input_scaled": Net(nn.Sequential(nn.Conv2d(3, 7, 3, padding=1), nn.ReLU()), (3, 5, 6),
                            entry={"scale": 0.5, "mean": [0.485, 0.456, 0.406],
                                   "std": [0.229, 0.224, 0.225]}),
        "stored_types": Net(nn.Sequential(
            nn.Conv2d(5, 13, 3, padding=1), nn.BatchNorm2d(13), nn.ReLU(), nn.Flatten(),
            nn.Linear(13 * 12, 7)), (5, 4, 3),
            dtypes={"0.weight": "F16", "0.bias": "F64", "1.running_var": "BF16",
                    "1.weight": "F16", "4.weight": "BF16", "4.bias": "F16"}),
    }


def networks():
    nets = {}
    for group in (whole_networks, convolutions, pools, norms, activations, graphs):
        nets.update(group())
    return nets
