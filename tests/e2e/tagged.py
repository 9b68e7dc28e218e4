"""Models whose answers tell which copy of them computed: y = tag * x + tag, by two layers that both hold
the tag, so that an answer computed by halves of two copies is none of either."""

import json
import os
import shutil

import tensors

WIDTH = 8
ONES = json.dumps([[1.0] * WIDTH]).encode()


def network(name="tagged"):
    return {"format": 1, "name": name, "input": {"name": "x", "shape": [WIDTH]}, "layers": [
        {"type": "linear", "name": "scale", "out_features": WIDTH, "bias": False}, {"type": "relu"},
        {"type": "linear", "name": "shift", "out_features": WIDTH}]}


def weights(tag):
    def diagonal(value):
        return tensors.Tensor([WIDTH, WIDTH], [value if i == k else 0.0 for i in range(WIDTH)
                                               for k in range(WIDTH)])
    return tensors.safetensors_bytes({"scale.weight": diagonal(float(tag)), "shift.weight": diagonal(1.0),
                                      "shift.bias": tensors.Tensor([WIDTH], [float(tag)] * WIDTH)})


def write(folder, tag, name="tagged"):
    """The folder appears at once, or its files change places with those before, one by one."""
    made = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    (made / "model.json").write_text(json.dumps(network(name)))
    (made / "model.safetensors").write_bytes(weights(tag))
    if not folder.exists():
        made.rename(folder)
        return folder
    for file in sorted(made.iterdir()):
        os.replace(file, folder / file.name)
    made.rmdir()
    return folder


def tag_of(reply):
    """Which copy answered ONES; an AssertionError when it was no copy as a whole."""
    assert reply.status == 200, reply
    values = reply.json()["outputs"][0]["data"]
    assert len(values) == WIDTH and len(set(values)) == 1 and values[0] % 2 == 0, values
    return int(values[0] // 2)
