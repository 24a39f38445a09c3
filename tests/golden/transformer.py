"""A training trajectory of a small transformer: 20 steps of PyTorch's, from given weights and tokens.

    python tests/golden/transformer.py

writes tests/golden/gpt.safetensors, of the form that trajectories.py describes, with the tokens as "x" and "y" [examples, context] and the loss in the
metadata. Step k trains on examples k * batch to (k + 1) * batch.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from follow import write
from trajectories import STEPS, keras_epsilon

BATCH, CONTEXT, VOCABULARY, WIDTH, HEADS, BLOCKS = 8, 16, 20, 32, 4, 2
OPTIMIZERS = {
    "adamw": {"type": "AdamW", "learning_rate": 0.003, "beta_2": 0.99, "weight_decay": 0.1, "global_clipnorm": 1.0},
    "sgd": {"type": "SGD", "learning_rate": 0.1, "momentum": 0.9},
}
NORMAL = 0.2


def named(layer, name, inputs=None):
    return layer | {"name": name} | ({"inputs": inputs} if inputs else {})


def layers():
    """The twin of `forward`."""
    found = [
        named({"type": "Embedding", "input_dim": VOCABULARY, "output_dim": WIDTH}, "tokens"),
        named({"type": "PositionEmbedding", "sequence_length": CONTEXT}, "positions"),
        named({"type": "Add"}, "out_0", ["tokens", "positions"]),
    ]
    norm = {"type": "LayerNormalization", "epsilon": 1e-5}
    for block in range(1, BLOCKS + 1):
        attention = {"type": "MultiHeadAttention", "num_heads": HEADS, "key_dim": WIDTH // HEADS, "use_causal_mask": True}
        found += [
            named(norm, f"norm_1_{block}"),
            named(attention, f"attention_{block}"),
            named({"type": "Add"}, f"attended_{block}", [f"out_{block - 1}", f"attention_{block}"]),
            named(norm, f"norm_2_{block}"),
            named({"type": "Dense", "units": 4 * WIDTH, "activation": "gelu"}, f"expand_{block}"),
            named({"type": "Dense", "units": WIDTH}, f"contract_{block}"),
            named({"type": "Add"}, f"out_{block}", [f"attended_{block}", f"contract_{block}"]),
        ]
    return found + [named(norm, "norm"), named({"type": "Dense", "units": VOCABULARY, "use_bias": False}, "logits")]


def shapes():
    """Every parameter by Keras's name, in its layout and order."""
    heads = (HEADS, WIDTH // HEADS)
    found = {"tokens.embeddings": (VOCABULARY, WIDTH), "positions.embeddings": (CONTEXT, WIDTH)}
    for block in range(1, BLOCKS + 1):
        found |= {f"norm_1_{block}.{role}": (WIDTH,) for role in ("gamma", "beta")}
        for role in ("query", "key", "value"):
            found |= {f"attention_{block}.{role}.kernel": (WIDTH, *heads), f"attention_{block}.{role}.bias": heads}
        found |= {f"attention_{block}.attention_output.kernel": (*heads, WIDTH), f"attention_{block}.attention_output.bias": (WIDTH,)}
        found |= {f"norm_2_{block}.{role}": (WIDTH,) for role in ("gamma", "beta")}
        found |= {f"expand_{block}.kernel": (WIDTH, 4 * WIDTH), f"expand_{block}.bias": (4 * WIDTH,)}
        found |= {f"contract_{block}.kernel": (4 * WIDTH, WIDTH), f"contract_{block}.bias": (WIDTH,)}
    return found | {"norm.gamma": (WIDTH,), "norm.beta": (WIDTH,), "logits.kernel": (WIDTH, VOCABULARY)}


def forward(p, x):
    """Logits [N, T, V] of tokens [N, T]."""

    def norm(x, name):
        return F.layer_norm(x, (WIDTH,), p[f"{name}.gamma"], p[f"{name}.beta"], 1e-5)

    def dense(x, name):
        return x @ p[f"{name}.kernel"] + p[f"{name}.bias"]

    def attention(x, name):
        q, k, v = (
            torch.einsum("ntc,chd->nhtd", x, p[f"{name}.{role}.kernel"]) + p[f"{name}.{role}.bias"][:, None] for role in ("query", "key", "value")
        )
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return torch.einsum("nhtd,hdc->ntc", attended, p[f"{name}.attention_output.kernel"]) + p[f"{name}.attention_output.bias"]

    x = F.embedding(x, p["tokens.embeddings"]) + p["positions.embeddings"]
    for block in range(1, BLOCKS + 1):
        x = x + attention(norm(x, f"norm_1_{block}"), f"attention_{block}")
        x = x + dense(F.gelu(dense(norm(x, f"norm_2_{block}"), f"expand_{block}")), f"contract_{block}")
    return norm(x, "norm") @ p["logits.kernel"]


def optimizer_of(spec, parameters):
    if spec["type"] == "SGD":
        return torch.optim.SGD(parameters, spec["learning_rate"], spec["momentum"])
    return torch.optim.AdamW(parameters, spec["learning_rate"], (0.9, spec["beta_2"]), weight_decay=spec["weight_decay"])


def clip(parameters, limit):
    """Keras's global_clipnorm."""
    norm = math.sqrt(sum(p.grad.double().square().sum().item() for p in parameters))
    for p in parameters:
        p.grad *= limit / max(norm, limit)


def trained(weights, spec, x, y, dtype, forward=forward):
    """Losses of the steps and final norms."""
    p = {name: weight.to(dtype, copy=True).requires_grad_() for name, weight in weights.items()}
    optimizer = optimizer_of(spec, p.values())
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        keras_epsilon(optimizer, step + 1)
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(p, x[rows]).flatten(0, 1), y[rows].flatten())
        loss.backward()
        if "global_clipnorm" in spec:
            clip(p.values(), spec["global_clipnorm"])
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), np.array([weight.detach().double().norm().item() for weight in p.values()])


def tokens_of():
    """Each token is told by the two before it, but for one in eight; and what comes next."""
    tokens = torch.randint(VOCABULARY, (STEPS * BATCH, CONTEXT + 1))
    for t in range(2, CONTEXT + 1):
        told = (tokens[:, t - 1] + 3 * tokens[:, t - 2]) % VOCABULARY
        tokens[:, t] = torch.where(torch.rand(STEPS * BATCH) < 7 / 8, told, tokens[:, t])
    return tokens[:, :-1], tokens[:, 1:]


def main():
    torch.manual_seed(0)
    x, y = tokens_of()
    weights = {name: NORMAL * torch.randn(shape) + (1.0 if name.endswith("gamma") else 0.0) for name, shape in shapes().items()}
    runs = lambda spec, dtype: trained(weights, spec, x, y, dtype)
    write("gpt", weights, runs, x, y, input=[CONTEXT], layers=layers(), loss={"type": "sparse_categorical_crossentropy", "from_logits": True}, optimizers=OPTIMIZERS, batch=BATCH)


if __name__ == "__main__":
    main()
