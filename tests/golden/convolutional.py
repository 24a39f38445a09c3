"""A training trajectory of a small autoencoder over sequences: 20 steps of PyTorch's, from given weights and examples.

    python tests/golden/convolutional.py

writes tests/golden/convolutional.safetensors, of the form that trajectories.py describes, with the examples as "x" [examples, length, channels], labels that
nothing reads as "y", and the loss in the metadata. Step k trains on examples k * batch to (k + 1) * batch.
"""

import numpy as np
import torch
import torch.nn.functional as F
from follow import write
from trajectories import STEPS, keras_epsilon
from transformer import clip, optimizer_of

BATCH, LENGTH, CHANNELS = 8, 20, 3
OPTIMIZERS = {
    "adamw": {"type": "AdamW", "learning_rate": 0.003, "beta_2": 0.99, "weight_decay": 0.1, "global_clipnorm": 1.0},
    "sgd": {"type": "SGD", "learning_rate": 0.1, "momentum": 0.9},
}
# The twin of `forward`.
LAYERS = [
    {"type": "Conv1D", "filters": 8, "kernel_size": 5, "padding": "causal", "activation": "tanh"},
    {"type": "MaxPooling1D"},
    {"type": "Conv1D", "filters": 6, "kernel_size": 3, "padding": "same", "activation": "relu"},
    {"type": "AveragePooling1D"},
    {"type": "Reshape", "target_shape": [1, 5, 6]},
    {"type": "Conv2DTranspose", "filters": 4, "kernel_size": [2, 3], "strides": 2, "padding": "same", "activation": "tanh"},
    {"type": "UpSampling2D", "size": [1, 2]},
    {"type": "Conv2DTranspose", "filters": 4, "kernel_size": 2, "activation": "tanh"},
    {"type": "Conv2D", "filters": CHANNELS, "kernel_size": [3, 2]},
]
# Every parameter by Keras's name, in its layout and order.
SHAPES = {
    "conv1d.kernel": (5, CHANNELS, 8), "conv1d.bias": (8,),
    "conv1d_1.kernel": (3, 8, 6), "conv1d_1.bias": (6,),
    "conv2d_transpose.kernel": (2, 3, 4, 6), "conv2d_transpose.bias": (4,),
    "conv2d_transpose_1.kernel": (2, 2, 4, 4), "conv2d_transpose_1.bias": (4,),
    "conv2d.kernel": (3, 2, 4, CHANNELS), "conv2d.bias": (CHANNELS,),
}  # fmt: skip


def forward(p, x):
    """What comes back, [N, C, 1, T], of sequences [N, C, T]."""

    def conv1d(x, name):
        return F.conv1d(x, p[f"{name}.kernel"].permute(2, 1, 0), p[f"{name}.bias"])

    def transposed(x, name, strides):
        return F.conv_transpose2d(x, p[f"{name}.kernel"].permute(3, 2, 0, 1), p[f"{name}.bias"], strides)

    x = F.max_pool1d(torch.tanh(conv1d(F.pad(x, (4, 0)), "conv1d")), 2)
    x = F.avg_pool1d(torch.relu(conv1d(F.pad(x, (1, 1)), "conv1d_1")), 2)
    # Of a kernel of 3 at stride 2, "same" cuts off the last column.
    x = torch.tanh(transposed(x[:, :, None], "conv2d_transpose", 2)[..., :10])
    x = torch.tanh(transposed(x.repeat_interleave(2, 3), "conv2d_transpose_1", 1))
    return F.conv2d(x, p["conv2d.kernel"].permute(3, 2, 0, 1), p["conv2d.bias"])


def trained(weights, spec, x, dtype):
    """Losses of the steps and final norms."""
    p = {name: weight.to(dtype, copy=True).requires_grad_() for name, weight in weights.items()}
    optimizer = optimizer_of(spec, p.values())
    losses = []
    for step in range(STEPS):
        rows = x[step * BATCH : (step + 1) * BATCH].to(dtype).transpose(1, 2)
        keras_epsilon(optimizer, step + 1)
        optimizer.zero_grad()
        loss = F.mse_loss(forward(p, rows).squeeze(2), rows)
        loss.backward()
        if "global_clipnorm" in spec:
            clip(p.values(), spec["global_clipnorm"])
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), np.array([weight.detach().double().norm().item() for weight in p.values()])


def main():
    torch.manual_seed(0)
    # A wave a channel, of any length and phase.
    phase, pace = 6.3 * torch.rand(STEPS * BATCH, 1, CHANNELS), 0.2 + torch.rand(STEPS * BATCH, 1, CHANNELS)
    x = torch.sin(phase + pace * torch.arange(LENGTH)[:, None])
    weights = {name: 0.3 * torch.randn(shape) for name, shape in SHAPES.items()}
    runs = lambda spec, dtype: trained(weights, spec, x, dtype)
    write("convolutional", weights, runs, x, np.zeros(len(x)), input=[LENGTH, CHANNELS], layers=LAYERS, loss={"type": "mean_squared_error", "target": "input"}, optimizers=OPTIMIZERS, batch=BATCH)


if __name__ == "__main__":
    main()
