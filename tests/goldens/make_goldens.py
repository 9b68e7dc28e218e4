#!/usr/bin/env python3
"""Writes the folders next to this file: PyTorch's answers, for the engine to match.

    python3 tests/goldens/make_goldens.py [NETWORK...]

Needs torch and numpy. The results are committed, so running the tests does not need either.
"""
import importlib.util
import json
import pathlib
import shutil
import sys

import numpy as np
import torch
from torch import nn

import generator
import networks

HERE = pathlib.Path(__file__).resolve().parent
DIGITS = HERE.parents[1] / "deploy" / "models" / "digits"

KIND = {"bias": "bias", "running_mean": "running_mean", "running_var": "running_var",
        "num_batches_tracked": "counter"}


def tensors_of(net):
    """The tensors of a network in state_dict order, the input first."""
    modules = dict(net.module.named_modules())
    tensors = [generator.Tensor("input", "F32", "input", 0, tuple(net.shape))]
    for name, value in net.module.state_dict().items():
        owner, _, leaf = name.rpartition(".")
        module = modules[owner]
        norm = isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))
        fan_in = 0
        if norm and leaf in ("weight", "bias"):
            kind = "bn_" + leaf
        elif isinstance(module, nn.PReLU):
            kind = "slope"
        elif leaf == "weight":
            kind, fan_in = "weight", value[0].numel()
        else:
            kind = KIND[leaf]
        dtype = "I64" if kind == "counter" else net.dtypes.get(name, "F32")
        tensors.append(generator.Tensor(name, dtype, kind, fan_in, tuple(value.shape)))
    return tensors


def model_json(name, net):
    layers = networks.describe(net.module, names=net.names, sizes=net.sizes)
    head = {"format": 1, "name": name,
            "input": {"name": "input", "shape": list(net.shape), **net.entry}}
    lines = ",\n".join("  " + json.dumps(layer) for layer in layers)
    return (json.dumps(head)[:-1] + ',\n "layers": [\n' + lines +
            '],\n "output": {"name": "output"}}\n')


def entry(net, x):
    """What "scale", "mean" and "std" of the input ask for: (x * scale - mean) / std."""
    if not net.entry:
        return x
    mean = torch.tensor(net.entry["mean"], dtype=torch.float64).reshape(-1, 1, 1)
    std = torch.tensor(net.entry["std"], dtype=torch.float64).reshape(-1, 1, 1)
    return (x * net.entry["scale"] - mean) / std


def write_network(name, net):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tensors = tensors_of(net)
    state, stored, x = {}, [], None
    for t in tensors:
        is_input = t.kind == "input"
        values, data = generator.generate(name, t, (net.batch, *net.shape) if is_input else None)
        stored.append(data)
        if is_input:
            x = torch.from_numpy(values).double()
        else:
            state[t.name] = torch.from_numpy(values)
    # The weights are float32; the arithmetic of the reference is float64.
    net.module.double().load_state_dict(state, strict=True)
    net.module.eval()
    with torch.no_grad():
        y = net.module(entry(net, x)).numpy()
    assert np.isfinite(y).all()
    np.save(folder / "output.npy", np.ascontiguousarray(y, dtype="<f4"))
    generator.write_tensors_txt(folder / "tensors.txt", name, net.batch, tensors,
                                generator.crc_of(stored))
    (folder / "model.json").write_text(model_json(name, net), encoding="utf-8")
    print(f"{name:28} {str(list(y.shape)):18} |y| <= {np.abs(y).max():.4g}")


def write_digits_activity():
    """What every ReLU of the bundled network does over its test images, counted by PyTorch."""
    spec = importlib.util.spec_from_file_location("train", DIGITS / "train.py")
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    torch.set_num_threads(1)
    net = train.build_network()
    net.load_state_dict(train.load_safetensors(DIGITS / "model.safetensors"))
    net.eval()
    layers = []

    def hook(name):
        def count(_, inputs, output):
            before, y = inputs[0].numpy().astype(np.float64), output.numpy().astype(np.float64)
            axes = tuple(i for i in range(y.ndim) if i != 1)
            layers.append({
                "name": name, "values": y.size, "zeros": int((y == 0).sum()),
                "near_zero": int((np.abs(before) < 1e-6).sum()), "channels": y.shape[1],
                "zeros_per_channel": (y == 0).sum(axis=axes).tolist(),
                "mean": float(y.mean()), "std": float(y.std()), "max": float(y.max())})
        return count

    for name, module in net.named_modules():
        if isinstance(module, nn.ReLU):
            assert not module.inplace
            module.register_forward_hook(hook(name))
    images = np.load(DIGITS / "test_images.npy")
    with torch.no_grad():
        net(torch.from_numpy(images))
    lines = ",\n".join("  " + json.dumps(layer) for layer in layers)
    (HERE / "digits_activity.json").write_text(
        f'{{"inputs": {len(images)}, "layers": [\n{lines}]}}\n', encoding="utf-8")
    print("digits_activity.json", [(x["name"], x["zeros"], x["near_zero"]) for x in layers])


def main(wanted):
    nets = networks.networks()
    unknown = set(wanted) - set(nets) - {"digits"}
    if unknown:
        sys.exit(f"no such network: {', '.join(sorted(unknown))}")
    for name, net in nets.items():
        if not wanted or name in wanted:
            write_network(name, net)
    if (not wanted or "digits" in wanted) and (DIGITS / "model.safetensors").exists():
        write_digits_activity()


if __name__ == "__main__":
    main(sys.argv[1:])
