"""A training trajectory of a small encoder and decoder: 20 steps of PyTorch's, from given weights and tokens.

    python tests/golden/seq2seq.py

writes tests/golden/seq2seq.safetensors, of the form that trajectories.py describes, with the tokens as "x" [examples, source + target] and "y"
[examples, target]. Step k trains on examples k * batch to (k + 1) * batch. Padding (token 0) is neither looked at nor counted.
"""

import numpy as np
import torch
import torch.nn.functional as F
from follow import write
from trajectories import STEPS, keras_epsilon
from transformer import NORMAL, OPTIMIZERS, clip, named, optimizer_of

BATCH, SOURCE, TARGET, VOCABULARY, WIDTH, HEADS = 8, 7, 8, 20, 32, 4
PADDING, START, END = 0, 1, 2


def layers():
    """The twin of `forward`."""
    add, norm = {"type": "Add"}, {"type": "LayerNormalization", "epsilon": 1e-5}
    attention = {"type": "MultiHeadAttention", "num_heads": HEADS, "key_dim": WIDTH // HEADS}

    def half(name, cropping, length):
        return [
            named({"type": "Cropping1D", "cropping": cropping}, name, ["tokens"]),
            named({"type": "PositionEmbedding", "sequence_length": length}, f"{name}_positions"),
            named(add, f"{name}_embedded", [name, f"{name}_positions"]),
        ]

    def dense(name, origin):
        return [
            named(norm, f"{name}_norm"),
            named({"type": "Dense", "units": 4 * WIDTH, "activation": "gelu"}, f"{name}_expand"),
            named({"type": "Dense", "units": WIDTH}, f"{name}_contract"),
            named(add, f"{name}_out", [origin, f"{name}_contract"]),
        ]

    return [
        named({"type": "Embedding", "input_dim": VOCABULARY, "output_dim": WIDTH, "mask_zero": True}, "tokens"),
        *half("source", [0, TARGET], SOURCE),
        named(norm, "norm_1"),
        named(attention, "encoder"),
        named(add, "encoder_joined", ["source_embedded", "encoder"]),
        *dense("encoder", "encoder_joined"),
        named(norm, "encoded"),
        *half("target", [SOURCE, 0], TARGET),
        named(norm, "norm_2"),
        named(attention | {"use_causal_mask": True}, "decoder"),
        named(add, "decoder_joined", ["target_embedded", "decoder"]),
        named(norm, "norm_3"),
        named(attention, "cross", ["norm_3", "encoded"]),
        named(add, "cross_joined", ["decoder_joined", "cross"]),
        *dense("decoder", "cross_joined"),
        named(norm, "norm"),
        named({"type": "Dense", "units": VOCABULARY}, "logits"),
    ]


def shapes():
    """Every parameter by Keras's name, in its layout and order."""
    heads = (HEADS, WIDTH // HEADS)

    def norm(name):
        return {f"{name}.{role}": (WIDTH,) for role in ("gamma", "beta")}

    def attention(name):
        found = {}
        for role in ("query", "key", "value"):
            found |= {f"{name}.{role}.kernel": (WIDTH, *heads), f"{name}.{role}.bias": heads}
        return found | {f"{name}.attention_output.kernel": (*heads, WIDTH), f"{name}.attention_output.bias": (WIDTH,)}

    def dense(name):
        inner = {f"{name}_expand.kernel": (WIDTH, 4 * WIDTH), f"{name}_expand.bias": (4 * WIDTH,)}
        return norm(f"{name}_norm") | inner | {f"{name}_contract.kernel": (4 * WIDTH, WIDTH), f"{name}_contract.bias": (WIDTH,)}

    found = {"tokens.embeddings": (VOCABULARY, WIDTH), "source_positions.embeddings": (SOURCE, WIDTH)}
    found |= norm("norm_1") | attention("encoder") | dense("encoder") | norm("encoded")
    found |= {"target_positions.embeddings": (TARGET, WIDTH)}
    found |= norm("norm_2") | attention("decoder") | norm("norm_3") | attention("cross") | dense("decoder") | norm("norm")
    return found | {"logits.kernel": (WIDTH, VOCABULARY), "logits.bias": (VOCABULARY,)}


def forward(p, x):
    """Logits [N, T, V] of sources and targets side by side [N, S + T]."""

    def norm(x, name):
        return F.layer_norm(x, (WIDTH,), p[f"{name}.gamma"], p[f"{name}.beta"], 1e-5)

    def dense(x, name):
        inner = F.gelu(norm(x, f"{name}_norm") @ p[f"{name}_expand.kernel"] + p[f"{name}_expand.bias"])
        return x + inner @ p[f"{name}_contract.kernel"] + p[f"{name}_contract.bias"]

    def attention(x, memory, seen, name):
        q, k, v = (
            torch.einsum("ntc,chd->nhtd", of, p[f"{name}.{role}.kernel"]) + p[f"{name}.{role}.bias"][:, None]
            for of, role in ((x, "query"), (memory, "key"), (memory, "value"))
        )
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return torch.einsum("nhtd,hdc->ntc", attended, p[f"{name}.attention_output.kernel"]) + p[f"{name}.attention_output.bias"]

    # Beside the scores [N, heads, queries, keys]: which keys are no padding, and which do not come later.
    source_seen, target_seen = (half[:, None, None] != PADDING for half in (x[:, :SOURCE], x[:, SOURCE:]))
    causal = torch.ones(TARGET, TARGET, dtype=torch.bool).tril()
    tokens = F.embedding(x, p["tokens.embeddings"])
    source = tokens[:, :SOURCE] + p["source_positions.embeddings"]
    inner = norm(source, "norm_1")
    source = dense(source + attention(inner, inner, source_seen, "encoder"), "encoder")
    memory = norm(source, "encoded")
    target = tokens[:, SOURCE:] + p["target_positions.embeddings"]
    inner = norm(target, "norm_2")
    target = target + attention(inner, inner, target_seen & causal, "decoder")
    target = target + attention(norm(target, "norm_3"), memory, source_seen, "cross")
    return norm(dense(target, "decoder"), "norm") @ p["logits.kernel"] + p["logits.bias"]


def trained(weights, spec, x, y, dtype):
    """Losses of the steps and final norms."""
    p = {name: weight.to(dtype, copy=True).requires_grad_() for name, weight in weights.items()}
    optimizer = optimizer_of(spec, p.values())
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        keras_epsilon(optimizer, step + 1)
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(p, x[rows]).flatten(0, 1), y[rows].flatten(), ignore_index=PADDING)
        loss.backward()
        if "global_clipnorm" in spec:
            clip(p.values(), spec["global_clipnorm"])
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), np.array([weight.detach().double().norm().item() for weight in p.values()])


def pairs(count):
    """Sources of one to seven tokens and the same the other way round, as rows of x and y."""
    x, y = torch.zeros(count, SOURCE + TARGET, dtype=torch.long), torch.zeros(count, TARGET, dtype=torch.long)
    for row in range(count):
        source = torch.randint(END + 1, VOCABULARY, (int(torch.randint(1, SOURCE + 1, ())),))
        target, length = source.flip(0), len(source)
        x[row, :length], x[row, SOURCE], x[row, SOURCE + 1 : SOURCE + 1 + length] = source, START, target
        y[row, :length], y[row, length] = target, END
    return x, y


def main():
    torch.manual_seed(0)
    x, y = pairs(STEPS * BATCH)
    weights = {name: NORMAL * torch.randn(shape) + (1.0 if name.endswith("gamma") else 0.0) for name, shape in shapes().items()}
    runs = lambda spec, dtype: trained(weights, spec, x, y, dtype)
    write("seq2seq", weights, runs, x, y, input=[SOURCE + TARGET], layers=layers(), loss={"type": "sparse_categorical_crossentropy", "from_logits": True}, optimizers=OPTIMIZERS, batch=BATCH)


if __name__ == "__main__":
    main()
