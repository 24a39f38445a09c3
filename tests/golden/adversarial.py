"""A training trajectory of two networks against each other: 20 steps of PyTorch's, from given weights, examples and noise.

    python tests/golden/adversarial.py

writes tests/golden/adversarial.safetensors, of the form that trajectories.py describes, with the examples as "x" [examples, width], labels that nothing
reads as "y", and the loss in the metadata; "RUN/losses" are the discriminator's, "RUN/norms" are those of both networks' parameters. Step k trains on
examples k * batch to (k + 1) * batch, and draws its noise as the crate does.
"""

from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from follow import write
from make import uniform
from trajectories import STEPS, keras_epsilon
from transformer import optimizer_of

BATCH, WIDTH, NOISE, HIDDEN = 8, 6, 5, 12
# Of tests/trajectories.rs, and the first stream of src/ops/random.
SEED, STREAM = 1, 1 << 24
OPTIMIZERS = {
    "adamw": {"type": "AdamW", "learning_rate": 0.003, "beta_2": 0.99, "weight_decay": 0.1},
    "sgd": {"type": "SGD", "learning_rate": 0.1, "momentum": 0.9},
}
SMOOTHING = 0.1
LOSS = {
    "type": "adversarial",
    "generator": "generated",
    "label_smoothing": SMOOTHING,
    "generator_optimizer": {"type": "SGD", "learning_rate": 0.05, "momentum": 0.5},
}
# The twin of `generate` and `judge`.
LAYERS = [
    {"type": "RandomUniform", "shape": [NOISE]},
    {"type": "Dense", "units": HIDDEN, "use_bias": False},
    {"type": "BatchNormalization"},
    {"type": "Activation", "activation": "tanh"},
    {"type": "Dense", "units": WIDTH, "name": "generated"},
    {"type": "Dense", "units": HIDDEN},
    {"type": "LeakyReLU", "negative_slope": 0.2},
    {"type": "Dense", "units": 1, "activation": "sigmoid"},
]
GENERATOR = {
    "dense.kernel": (NOISE, HIDDEN),
    "batch_normalization.gamma": (HIDDEN,), "batch_normalization.beta": (HIDDEN,),
    "generated.kernel": (HIDDEN, WIDTH), "generated.bias": (WIDTH,),
}  # fmt: skip
DISCRIMINATOR = {
    "dense_1.kernel": (WIDTH, HIDDEN), "dense_1.bias": (HIDDEN,),
    "dense_2.kernel": (HIDDEN, 1), "dense_2.bias": (1,),
}  # fmt: skip


def generate(p, z):
    gamma, beta = p["batch_normalization.gamma"], p["batch_normalization.beta"]
    hidden = torch.tanh(F.batch_norm(z @ p["dense.kernel"], None, None, gamma, beta, training=True, eps=1e-3))
    return hidden @ p["generated.kernel"] + p["generated.bias"]


def judge(p, x):
    """A logit for each example."""
    hidden = F.leaky_relu(x @ p["dense_1.kernel"] + p["dense_1.bias"], 0.2)
    return (hidden @ p["dense_2.kernel"] + p["dense_2.bias"])[:, 0]


def entropy(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def trained(weights, spec, x, dtype):
    """The discriminator's losses of the steps, and final norms."""
    p = {name: weight.to(dtype, copy=True).requires_grad_() for name, weight in weights.items()}
    mine, other = [p[name] for name in GENERATOR], [p[name] for name in DISCRIMINATOR]
    optimizers = optimizer_of(LOSS["generator_optimizer"], mine), optimizer_of(spec, other)
    losses = []
    for step in range(STEPS):
        rows = x[step * BATCH : (step + 1) * BATCH].to(dtype)
        drawn = uniform(SimpleNamespace(seed=SEED, step=step), STREAM, BATCH * NOISE).reshape(BATCH, NOISE)
        fake = judge(p, generate(p, (2 * drawn - 1).to(dtype)))
        loss = (entropy(judge(p, rows), 1 - SMOOTHING) + entropy(fake, 0)) / 2
        # Both from one forward pass, each with respect to its own parameters alone.
        gradients = torch.autograd.grad(entropy(fake, 1), mine, retain_graph=True), torch.autograd.grad(loss, other)
        for optimizer, parameters, gradient in zip(optimizers, (mine, other), gradients, strict=True):
            keras_epsilon(optimizer, step + 1)
            for parameter, slope in zip(parameters, gradient, strict=True):
                parameter.grad = slope
            optimizer.step()
        losses.append(loss.item())
    return np.array(losses), np.array([weight.detach().double().norm().item() for weight in p.values()])


def main():
    torch.manual_seed(0)
    x = torch.sin(6.3 * torch.rand(STEPS * BATCH, 1) + torch.arange(WIDTH))
    weights = {name: 0.4 * torch.randn(shape) for name, shape in (GENERATOR | DISCRIMINATOR).items()}
    runs = lambda spec, dtype: trained(weights, spec, x, dtype)
    write("adversarial", weights, runs, x, np.zeros(len(x)), input=[WIDTH], layers=LAYERS, loss=LOSS, optimizers=OPTIMIZERS, batch=BATCH)


if __name__ == "__main__":
    main()
