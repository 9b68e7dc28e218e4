#!/usr/bin/env python3
"""Trains the bundled digits network and writes this folder: python3 train.py

Needs PyTorch, scikit-learn and NumPy. One thread and fixed seeds: the same versions on the same
kind of CPU give the same bytes.
"""
import json
import pathlib
import struct

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
SEED, EPOCHS, BATCH, RATE = 1, 20, 64, 4e-3


def build_network():
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten()))
    net.add_module("classifier", nn.Sequential(
        nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10)))
    return net      # gives logits; the served model ends in a softmax


MODEL_JSON = """\
{"format": 1, "name": "digits", "input": {"name": "image", "shape": [1, 8, 8]},
 "layers": [
  {"type": "conv2d", "name": "features.0", "out_channels": 16, "kernel_size": 3, "padding": 1,
   "bias": false},
  {"type": "batchnorm2d", "name": "features.1"},
  {"type": "relu", "name": "features.2"},
  {"type": "conv2d", "name": "features.3", "out_channels": 32, "kernel_size": 3, "padding": 1,
   "bias": false},
  {"type": "batchnorm2d", "name": "features.4"},
  {"type": "relu", "name": "features.5"},
  {"type": "maxpool2d", "name": "features.6", "kernel_size": 2},
  {"type": "conv2d", "name": "features.7", "out_channels": 32, "kernel_size": 3, "padding": 1,
   "bias": false},
  {"type": "batchnorm2d", "name": "features.8"},
  {"type": "relu", "name": "features.9"},
  {"type": "maxpool2d", "name": "features.10", "kernel_size": 2},
  {"type": "flatten", "name": "features.11"},
  {"type": "linear", "name": "classifier.0", "out_features": 64},
  {"type": "relu", "name": "classifier.1"},
  {"type": "dropout", "name": "classifier.2", "p": 0.3},
  {"type": "linear", "name": "classifier.3", "out_features": 10},
  {"type": "softmax", "name": "softmax", "dim": 1}],
 "output": {"name": "probabilities"},
 "labels": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]}
"""


def load_data():
    """(train images, train labels, test images, test labels); pixels in [0, 1]."""
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=0)
    return train_x, train_y, test_x, test_y


def shift(images):
    """Moves each image by -1, 0 or 1 pixel down and right."""
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    moved = torch.empty_like(images)
    offsets = torch.randint(0, 3, (len(images), 2))
    for i, (dy, dx) in enumerate(offsets.tolist()):
        moved[i] = padded[i, :, dy:dy + 8, dx:dx + 8]
    return moved


def train(net, images, labels, epochs=EPOCHS):
    """A fixed number of epochs, chosen by cross-validation within the training images."""
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    steps = -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=epochs * steps)
    net.train()
    for _ in range(epochs):
        for index in torch.randperm(len(images)).split(BATCH):
            loss = nn.functional.cross_entropy(net(shift(images[index])), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def predict(net, images):
    net.eval()
    with torch.no_grad():
        return torch.softmax(net(images), dim=1)


def accuracy(net, images, labels):
    return (predict(net, images).argmax(1) == labels).double().mean().item()


def save_safetensors(state, path):
    """A file as safetensors.torch.save_file writes, with the tensors in state_dict order."""
    header, data = {}, b""
    for name, tensor in state.items():
        kind = {torch.float32: ("F32", "<f4"), torch.int64: ("I64", "<i8")}[tensor.dtype]
        raw = tensor.numpy().astype(kind[1]).tobytes()
        header[name] = {"dtype": kind[0], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load_safetensors(path):
    blob = path.read_bytes()
    start = 8 + struct.unpack("<Q", blob[:8])[0]
    state = {}
    for name, info in json.loads(blob[8:start]).items():
        begin, end = info["data_offsets"]
        dtype = {"F32": "<f4", "I64": "<i8"}[info["dtype"]]
        values = np.frombuffer(blob[start + begin:start + end], dtype)
        state[name] = torch.from_numpy(values.reshape(info["shape"]).copy())
    return state


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    train_x, train_y, test_x, test_y = map(torch.from_numpy, load_data())
    net = build_network()
    train(net, train_x, train_y)
    parameters = sum(p.numel() for p in net.parameters())
    print(f"{parameters} parameters, {EPOCHS} epochs")
    print(f"train: {accuracy(net, train_x, train_y):.2%} of {len(train_x)} images")
    right = int((predict(net, test_x).argmax(1) == test_y).sum())
    print(f"test:  {right / len(test_x):.2%} of {len(test_x)} images ({right} right)")
    (HERE / "model.json").write_text(MODEL_JSON, encoding="utf-8")
    save_safetensors(net.state_dict(), HERE / "model.safetensors")
    np.save(HERE / "test_images.npy", test_x.numpy())
    np.save(HERE / "test_labels.npy", test_y.numpy())
    np.save(HERE / "test_outputs.npy", predict(net, test_x).numpy())


if __name__ == "__main__":
    main()
