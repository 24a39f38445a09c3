"""Recurrent layers by PyTorch: values, gradients, and 20 training steps of a classifier of sequences.

    python tests/golden/recurrent.py

writes tests/golden/recurrent.safetensors: of each case "CASE/x", the layer's parameters in Keras's layouts, "CASE/out" and, of the weighted loss of
src/ops/eval.rs, "CASE/d NAME" and "CASE/d x"; the cases with their layers are in the metadata. And tests/golden/lstm.safetensors, of the form that
transformer.py describes, with one label a sequence.
"""

import datetime
import json
import platform

import numpy as np
import safetensors.numpy
import torch
import torch.nn.functional as F
from torch import nn
from trajectories import HERE, STEPS, keras_epsilon

VERSIONS = {
    "torch": torch.__version__,
    "python": platform.python_version(),
    "numpy": np.__version__,
    "date": datetime.date.today().isoformat(),
}
TWINS = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


def to_keras(kind, parameters):
    """Keras's kernel, recurrent kernel and bias of PyTorch's (input weights, state weights, input bias, state bias)."""
    w, u, b, c = parameters
    if kind == "GRU":
        # Keras's order is update, reset, candidate; PyTorch's reset, update, candidate.
        w, u, b, c = (torch.cat([p.chunk(3)[gate] for gate in (1, 0, 2)]) for p in (w, u, b, c))
        return {"kernel": w.T, "recurrent_kernel": u.T, "bias": torch.stack([b, c])}
    return {"kernel": w.T, "recurrent_kernel": u.T, "bias": b + c}


def loss_weight(count):
    return torch.tensor([0.25 + ((i * 2654435761 % 2**32) >> 8) / 2**24 for i in range(count)], dtype=torch.float64)


def case(kind, batch, length, width, units, sequences, lengths=None):
    """One layer's numbers; with `lengths` the time steps behind them are masked, as tokens of 0 in front of the layer."""
    twin = TWINS[kind](width, units, batch_first=True).double()
    for parameter in twin.parameters():
        parameter.data = torch.randn_like(parameter).mul(0.4).float().double()
    x = torch.randn(batch, length, width).double().requires_grad_()
    if lengths is None:
        out, _ = twin(x)
        out = out if sequences else out[:, -1]
    else:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, _ = twin(packed)
        out, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=length)
        last = torch.arange(length)[None].minimum(torch.tensor(lengths)[:, None] - 1)
        out = out.gather(1, last[..., None].expand(-1, -1, units))
        out = out if sequences else out[:, -1]
    loss = (out.flatten() * loss_weight(out.numel())).sum()
    loss.backward()
    parameters = list(twin.parameters())
    weights = to_keras(kind, [p.detach() for p in parameters])
    slopes = to_keras(kind, [p.grad for p in parameters])
    if kind != "GRU":
        # Both of PyTorch's biases stand for the one, and each has its gradient.
        slopes["bias"] = slopes["bias"] / 2
    layer = {"type": kind, "units": units, "return_sequences": sequences}
    tensors = {"x": x.detach(), "out": out.detach(), "d x": x.grad} | weights | {f"d {name}": slope for name, slope in slopes.items()}
    return {"layer": layer, "lengths": lengths}, tensors


def layers():
    found, tensors = {}, {}
    for kind in TWINS:
        for name, arguments in {
            "last": (3, 9, 5, 4, False),
            "sequences": (3, 9, 5, 4, True),
            "aligned": (4, 10, 3, 16, True),
            "short": (2, 1, 3, 4, True),
            "masked": (3, 8, 5, 4, True, [8, 3, 5]),
            "masked last": (3, 8, 5, 4, False, [2, 8, 1]),
        }.items():
            name = f"{kind} {name}"
            found[name], own = case(kind, *arguments)
            tensors |= {f"{name}/{key}": value.numpy().astype(np.float32).copy() for key, value in own.items()}
    target = HERE / "recurrent.safetensors"
    safetensors.numpy.save_file(tensors, target, VERSIONS | {"cases": json.dumps(found)})
    print(f"{target}: {len(found)} cases, {target.stat().st_size / 1e6:.2f} MB")


BATCH, LENGTH, VOCABULARY, WIDTH, UNITS = 8, 12, 30, 16, 24
OPTIMIZERS = {
    "adam": {"type": "Adam", "learning_rate": 0.01},
    "sgd": {"type": "SGD", "learning_rate": 0.5, "momentum": 0.9},
}
MODEL = {
    "input": [LENGTH],
    "layers": [
        {"type": "Embedding", "input_dim": VOCABULARY, "output_dim": WIDTH},
        {"type": "LSTM", "units": UNITS},
        {"type": "Dense", "units": 1, "activation": "sigmoid"},
    ],
}


class Classifier(nn.Module):
    """The twin of MODEL, before its sigmoid."""

    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.dense = nn.Embedding(VOCABULARY, WIDTH), nn.LSTM(WIDTH, UNITS, batch_first=True), nn.Linear(UNITS, 1)
        # One bias, as in Keras.
        self.lstm.bias_hh_l0.data.zero_()
        self.lstm.bias_hh_l0.requires_grad_(False)

    def forward(self, x):
        return self.dense(self.lstm(self.embedding(x))[0][:, -1])[:, 0]

    def keras(self):
        lstm = to_keras("LSTM", list(self.lstm.parameters()))
        found = {"embedding.embeddings": self.embedding.weight} | {f"lstm.{name}": value for name, value in lstm.items()}
        found |= {"dense.kernel": self.dense.weight.T, "dense.bias": self.dense.bias}
        return {name: value.detach() for name, value in found.items()}


def trained(weights, spec, x, y, dtype):
    """Losses of the steps and final norms."""
    model = Classifier()
    model.load_state_dict(weights)
    model = model.to(dtype)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if spec["type"] == "SGD":
        optimizer = torch.optim.SGD(parameters, spec["learning_rate"], spec["momentum"])
    else:
        optimizer = torch.optim.Adam(parameters, spec["learning_rate"])
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        keras_epsilon(optimizer, step + 1)
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x[rows]), y[rows].to(dtype))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), np.array([weight.double().norm().item() for weight in model.keras().values()])


def trajectory():
    # Whether the token 7 comes before the token 3, or at all.
    x = torch.randint(VOCABULARY, (STEPS * BATCH, LENGTH))
    x[:, 2], x[:, 8] = 3, 7
    swapped = torch.rand(STEPS * BATCH) < 0.5
    x[swapped, 2], x[swapped, 8] = 7, 3
    y = swapped.float()
    model = Classifier()
    weights = model.state_dict()
    tensors = {name: weight.numpy().copy() for name, weight in model.keras().items()}
    for run, spec in OPTIMIZERS.items():
        losses, norms = trained(weights, spec, x, y, torch.float64)
        single, _ = trained(weights, spec, x, y, torch.float32)
        spread = np.max(np.abs(single / losses - 1))
        print(f"lstm, {run}: loss {losses[0]:.4f} to {losses[-1]:.4f}; single precision differs by {spread:.1e}")
        tensors |= {f"{run}/losses": losses.astype(np.float32), f"{run}/norms": norms.astype(np.float32)}
    tensors |= {"x": x.numpy().astype(np.float32), "y": y.numpy().astype(np.float32)}
    metadata = VERSIONS | {
        "model": json.dumps(MODEL),
        "loss": json.dumps("binary_crossentropy"),
        "optimizers": json.dumps(OPTIMIZERS),
        "batch_size": str(BATCH),
    }
    target = HERE / "lstm.safetensors"
    safetensors.numpy.save_file(tensors, target, metadata)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    torch.manual_seed(0)
    layers()
    trajectory()
