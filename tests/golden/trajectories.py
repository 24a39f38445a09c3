"""Training trajectories: 20 steps of PyTorch's on MNIST, from PyTorch's initial weights.

    python tests/golden/trajectories.py            # after `cargo xtask data mnist`

writes, for each model of MODELS, tests/golden/MODEL.safetensors: the initial weights in Keras's layouts under Keras's names, the losses of each
run ("RUN/losses") and the norms of the final weights, in the order of the parameters ("RUN/norms"). The metadata holds the spec, the
optimizers, the batch size and versions. Step k trains on images k * batch to (k + 1) * batch of the training set, as they come.
"""

import datetime
import gzip
import json
import math
import pathlib
import platform

import numpy as np
import safetensors.numpy
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent.parent / "data" / "mnist"
STEPS = 20
BATCH = 64


class FlattenNhwc(nn.Module):
    """Keras's order: channels vary fastest."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


class Nchw(nn.Module):
    """From images as they are stored, [N, H, W, C]."""

    def forward(self, x):
        return x.permute(0, 3, 1, 2)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def cnn():
    return nn.Sequential(
        Nchw(),
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(),
        FlattenNhwc(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def dense(units, activation):
    return {"type": "Dense", "units": units, "activation": activation}


def conv(filters):
    return {"type": "Conv2D", "filters": filters, "kernel_size": 3, "activation": "relu"}


POOL = {"type": "MaxPooling2D", "pool_size": 2}
FLATTEN = {"type": "Flatten"}
ADAM = {"type": "Adam", "learning_rate": 1e-3}
NESTEROV = {"type": "SGD", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True}

# PyTorch's model, the layers of its twin, the optimizers that train it.
MODELS = {
    "mlp": (mlp, [FLATTEN, dense(64, "relu"), dense(32, "relu"), dense(10, "softmax")], {"nesterov": NESTEROV, "adam": ADAM}),
    "mnist-cnn": (
        cnn,
        [conv(32), POOL, conv(64), POOL, conv(64), FLATTEN, dense(64, "relu"), dense(10, "softmax")],
        {"adam": ADAM},
    ),
}


def idx(name):
    """The values of an idx file."""
    with gzip.open(DATA / f"{name}.idx.gz") as file:
        contents = file.read()
    rank = contents[3]
    shape = np.frombuffer(contents, ">u4", rank, 4)
    return np.frombuffer(contents, np.uint8, offset=4 + 4 * rank).reshape(shape)


def parameters(model):
    """Name in Keras's manner, and the parameter: conv2d, conv2d_1, dense, ..."""
    counts = {}
    for layer in model:
        kind = {nn.Conv2d: "conv2d", nn.Linear: "dense"}.get(type(layer))
        if kind is not None:
            number = counts[kind] = counts.get(kind, -1) + 1
            name = f"{kind}_{number}" if number else kind
            yield f"{name}.kernel", layer.weight
            yield f"{name}.bias", layer.bias


def keras_layout(weight):
    """OIHW to HWIO, [out, in] to [in, out]."""
    order = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[weight.dim()]
    return np.ascontiguousarray(weight.detach().permute(order).numpy())


def optimizer_of(spec, model):
    if spec["type"] == "SGD":
        return torch.optim.SGD(model.parameters(), spec["learning_rate"], spec["momentum"], nesterov=spec["nesterov"])
    return torch.optim.Adam(model.parameters(), spec["learning_rate"])


def keras_epsilon(optimizer, step):
    """Keras adds its epsilon of 1e-7 to the root of v before the correction of bias, PyTorch after it."""
    if isinstance(optimizer, torch.optim.Adam):
        for group in optimizer.param_groups:
            group["eps"] = 1e-7 / math.sqrt(1 - group["betas"][1] ** step)


def trained(make, state, spec, x, y, dtype):
    """Losses of the steps and final norms."""
    model = make().to(dtype)
    model.load_state_dict(state)
    optimizer = optimizer_of(spec, model)
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        keras_epsilon(optimizer, step + 1)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[rows].to(dtype)), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    norms = [parameter.detach().double().norm().item() for _, parameter in parameters(model)]
    return np.array(losses), np.array(norms)


def main():
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is missing: run `cargo xtask data mnist`")
    torch.manual_seed(0)
    rows = STEPS * BATCH
    x = torch.from_numpy((idx("train-x")[:rows] / np.float32(255)).astype(np.float32)[..., None])
    y = torch.from_numpy(idx("train-y")[:rows].astype(np.int64))
    versions = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "date": datetime.date.today().isoformat(),
    }
    for name, (make, layers, optimizers) in MODELS.items():
        model = make()
        state = model.state_dict()
        tensors = {parameter: keras_layout(weight) for parameter, weight in parameters(model)}
        count = sum(tensor.size for tensor in tensors.values())
        for run, spec in optimizers.items():
            # In double precision: what single precision should come near to. The single-precision run says how near that is.
            losses, norms = trained(make, state, spec, x, y, torch.float64)
            single, _ = trained(make, state, spec, x, y, torch.float32)
            spread = np.max(np.abs(single / losses - 1))
            print(f"{name}, {run}: loss {losses[0]:.4f} to {losses[-1]:.4f}; single precision differs by {spread:.1e}")
            tensors |= {f"{run}/losses": losses.astype(np.float32), f"{run}/norms": norms.astype(np.float32)}
        metadata = {
            "model": json.dumps({"input": [28, 28, 1], "layers": layers}),
            "optimizers": json.dumps(optimizers),
            "batch_size": str(BATCH),
        }
        target = HERE / f"{name}.safetensors"
        safetensors.numpy.save_file(tensors, target, versions | metadata)
        print(f"{target}: {count} parameters, {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
