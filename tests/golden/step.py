"""One training step of mnist-cnn, value by value: every op of the forward pass, every gradient, every part of Adam's update.

    python tests/golden/step.py            # after `cargo xtask data mnist`

writes tests/golden/mnist-cnn-step.safetensors. The weights are those of mnist-cnn.safetensors (trajectories.py); a step on the first BATCH images
of the training set goes before, so that Adam's m and v are not 0; the step on the BATCH images after them is what is kept, in double precision.
Of each value there are the cells "at/NAME" (row-major) and what stands in them, "of/NAME"; a gradient is called "d NAME". The metadata holds the
largest magnitude of each value, the batch size, the example that half of the cells of a batch are taken from, and versions.
"""

import datetime
import json
import math
import platform

import numpy as np
import safetensors.numpy
import torch
import torch.nn.functional as F

from trajectories import ADAM, HERE, cnn, idx, keras_epsilon, optimizer_of, parameters

BATCH = 8
# The example whose cells a test of the page looks at.
SHOWN = 3
# Cells of a value.
CELLS = 192
SEED = 0
# A variable of a flat buffer begins at a multiple of 256 bytes.
ALIGNED = 64


class Weights(torch.nn.Module):
    """The parameters under Keras's names and in Keras's layouts."""

    def __init__(self, tensors):
        super().__init__()
        self.names = list(tensors)
        self.tensors = torch.nn.ParameterList(torch.nn.Parameter(tensor) for tensor in tensors.values())

    def __getitem__(self, name):
        return self.tensors[self.names.index(name)]


def convolve(x, kernel):
    return F.conv2d(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1)).permute(0, 2, 3, 1)


def pool(x):
    return F.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def forward(weights, x, y):
    """Every value by its name, as a learner would take the step apart."""
    values = {"x": x}

    def keep(name, value):
        value.retain_grad()
        values[name] = value
        return value

    def layer(name, function, kind, value):
        value = keep(f"{name}/{kind}", function(value, weights[f"{name}.kernel"]))
        return keep(f"{name}/add", value + weights[f"{name}.bias"])

    for k in range(3):
        name = f"conv2d_{k}" if k else "conv2d"
        x = keep(f"{name}/relu", layer(name, convolve, "conv2d", x).relu())
        if k < 2:
            name = name.replace("conv2d", "max_pooling2d")
            x = keep(f"{name}/max_pool2d", pool(x))
    x = keep("flatten/reshape", x.flatten(1))
    x = keep("dense/relu", layer("dense", torch.matmul, "matmul", x).relu())
    logits = layer("dense_1", torch.matmul, "matmul", x)
    values["dense_1/softmax"] = logits.softmax(1)
    losses = keep("loss_of_each_example", F.cross_entropy(logits, y, reduction="none"))
    keep("loss", losses.mean())
    answers = logits.argmax(1)
    values["argmax"], values["equal"] = answers.double(), (answers == y).double()
    values["correct"] = values["equal"].sum()
    return values


def backward(values):
    """Every gradient, and what the engine computes on the way to it."""
    values["loss"].backward()
    gradients = {f"d {name}": value.grad for name, value in values.items() if value.requires_grad and (value.is_leaf or value.retains_grad)}
    of_mean = torch.full((1,), 1.0 / values["loss_of_each_example"].numel(), dtype=torch.float64)
    positive = {name.replace("/relu", "/∂greater"): (value > 0).double() for name, value in values.items() if name.endswith("/relu")}
    return gradients | {"∂mul": of_mean} | positive


def flat(tensors):
    """The variables one behind the other, each aligned."""
    aligned = [F.pad(tensor.detach().flatten(), (0, -tensor.numel() % ALIGNED)) for tensor in tensors]
    return torch.cat(aligned)


def update(spec, step, p, g, m, v):
    """Keras's Adam, part by part (https://keras.io/api/optimizers/adam)."""
    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-7
    of = {"mul": g * g, "sub": g - m}
    of["mul_1"] = of["sub"] * (1 - beta_1)
    of["updated_m"] = m + of["mul_1"]
    of["sub_1"] = of["mul"] - v
    of["mul_2"] = of["sub_1"] * (1 - beta_2)
    of["updated_v"] = v + of["mul_2"]
    of["sqrt"] = of["updated_v"].sqrt()
    of["add_2"] = of["sqrt"] + epsilon
    of["mul_3"] = of["updated_m"] * spec["learning_rate"]
    of["mul_4"] = of["mul_3"] * (math.sqrt(1 - beta_2**step) / (1 - beta_1**step))
    of["div"] = of["mul_4"] / of["add_2"]
    of["updated_parameters"] = p - of["div"]
    return of


def chosen(random, value):
    """Cells of a value: half of those of a batch in the example SHOWN, half of them not 0 where there are so many."""
    count = value.size
    if count <= CELLS:
        return np.arange(count)
    batched = value.ndim > 1 and value.shape[0] == BATCH
    example = count // BATCH
    parts = [np.arange(SHOWN * example, (SHOWN + 1) * example), np.arange(count)] if batched else [np.arange(count)]
    taken = []
    for part in parts:
        within = value.reshape(-1)[part]
        for some in (part[within != 0], part):
            taken.append(random.choice(some, min(some.size, CELLS // (2 * len(parts))), replace=False))
    return np.unique(np.concatenate(taken))


def main():
    torch.set_num_threads(1)
    stored = safetensors.numpy.load_file(HERE / "mnist-cnn.safetensors")
    names = [name for name in stored if name.endswith((".kernel", ".bias"))]
    order = [name for name, _ in parameters(cnn())]
    assert sorted(names) == sorted(order), names
    weights = Weights({name: torch.from_numpy(stored[name]).double() for name in order})
    x = torch.from_numpy((idx("train-x")[: 2 * BATCH] / np.float32(255)).astype(np.float32)[..., None]).double()
    y = torch.from_numpy(idx("train-y")[: 2 * BATCH].astype(np.int64))
    optimizer = optimizer_of(ADAM, weights)
    for step in (1, 2):
        keras_epsilon(optimizer, step)
        optimizer.zero_grad()
        rows = slice((step - 1) * BATCH, step * BATCH)
        values = forward(weights, x[rows].clone().requires_grad_(), y[rows])
        gradients = backward(values)
        before = [flat(weights.tensors)]
        for slot in ("exp_avg", "exp_avg_sq"):
            state = [optimizer.state[tensor].get(slot, torch.zeros_like(tensor)) for tensor in weights.tensors]
            before.append(flat(state))
        p, m, v = (tensor.clone() for tensor in before)
        parts = update(ADAM, step, p, flat([tensor.grad for tensor in weights.tensors]), m, v)
        optimizer.step()
        apart = (parts["updated_parameters"] - flat(weights.tensors)).abs().max().item()
        assert apart < 1e-12, f"the parts do not make PyTorch's step: {apart}"
    gradients |= {f"d {name}": weights[name].grad for name in order}
    everything = {name: value.detach().numpy() for name, value in (values | gradients | parts).items() if name != "x"}
    random = np.random.default_rng(SEED)
    tensors, scales = {}, {}
    for name, value in everything.items():
        at = chosen(random, value)
        tensors[f"at/{name}"] = at.astype(np.int32)
        tensors[f"of/{name}"] = value.reshape(-1)[at].astype(np.float32)
        scales[name] = float(np.abs(value).max())
    metadata = {
        "weights": "mnist-cnn.safetensors",
        "optimizer": json.dumps(ADAM),
        "batch_size": str(BATCH),
        "shown": str(SHOWN),
        "seed": str(SEED),
        "scales": json.dumps(scales),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "date": datetime.date.today().isoformat(),
    }
    target = HERE / "mnist-cnn-step.safetensors"
    safetensors.numpy.save_file(tensors, target, metadata)
    print(f"{target}: {len(everything)} values, loss {values['loss'].item():.4f}, {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
