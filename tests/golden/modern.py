"""A training trajectory of a small transformer as they are built now: root mean squares, rotary positions, shared keys and values, a gate. 20 steps of
PyTorch's, from given weights and tokens.

    python tests/golden/modern.py

writes tests/golden/modern.safetensors, of the form that transformer.py describes. Sines are added to the vectors too, so that both kinds of positions are held
against PyTorch's.
"""

import numpy as np
import torch
import torch.nn.functional as F
from follow import write
from transformer import BATCH, BLOCKS, CONTEXT, NORMAL, OPTIMIZERS, VOCABULARY, WIDTH, named, tokens_of, trained

HEADS, KEPT, WAVELENGTH = 4, 2, 1000.0
DIM, INNER = WIDTH // HEADS, 2 * WIDTH


def layers():
    """The twin of `forward`."""
    found = [
        named({"type": "Embedding", "input_dim": VOCABULARY, "output_dim": WIDTH}, "tokens"),
        named({"type": "SinePositionEncoding", "max_wavelength": WAVELENGTH}, "positions"),
        named({"type": "Add"}, "out_0", ["tokens", "positions"]),
    ]
    norm = {"type": "RMSNormalization"}
    attention = {"type": "GroupQueryAttention", "head_dim": DIM, "num_query_heads": HEADS, "num_key_value_heads": KEPT, "use_bias": False}
    attention |= {"use_causal_mask": True, "rope_max_wavelength": WAVELENGTH}
    for block in range(1, BLOCKS + 1):
        found += [
            named(norm, f"norm_1_{block}"),
            named(attention, f"attention_{block}"),
            named({"type": "Add"}, f"attended_{block}", [f"out_{block - 1}", f"attention_{block}"]),
            named(norm, f"norm_2_{block}"),
            named({"type": "Dense", "units": INNER, "activation": "silu", "use_bias": False}, f"gate_{block}"),
            named({"type": "Dense", "units": INNER, "use_bias": False}, f"expand_{block}", [f"norm_2_{block}"]),
            named({"type": "Multiply"}, f"gated_{block}", [f"gate_{block}", f"expand_{block}"]),
            named({"type": "Dense", "units": WIDTH, "use_bias": False}, f"contract_{block}"),
            named({"type": "Add"}, f"out_{block}", [f"attended_{block}", f"contract_{block}"]),
        ]
    return found + [named(norm, "norm"), named({"type": "Dense", "units": VOCABULARY, "use_bias": False}, "logits")]


def shapes():
    """Every parameter by Keras's name, in its layout and order."""
    found = {"tokens.embeddings": (VOCABULARY, WIDTH)}
    for block in range(1, BLOCKS + 1):
        found |= {f"norm_1_{block}.scale": (WIDTH,), f"attention_{block}.query.kernel": (WIDTH, HEADS, DIM)}
        found |= {f"attention_{block}.{role}.kernel": (WIDTH, KEPT, DIM) for role in ("key", "value")}
        found |= {f"attention_{block}.attention_output.kernel": (HEADS, DIM, WIDTH), f"norm_2_{block}.scale": (WIDTH,)}
        found |= {f"{role}_{block}.kernel": (WIDTH, INNER) for role in ("gate", "expand")}
        found |= {f"contract_{block}.kernel": (INNER, WIDTH)}
    return found | {"norm.scale": (WIDTH,), "logits.kernel": (WIDTH, VOCABULARY)}


def angles(pairs, dtype):
    """Of each position and pair."""
    rates = torch.exp(-np.log(WAVELENGTH) * torch.arange(pairs, dtype=torch.float64) / pairs)
    return torch.outer(torch.arange(CONTEXT, dtype=torch.float64), rates).to(dtype)


def forward(p, x):
    """Logits [N, T, V] of tokens [N, T]."""
    dtype = p["tokens.embeddings"].dtype
    turns = torch.polar(torch.ones(CONTEXT, DIM // 2, dtype=dtype), angles(DIM // 2, dtype))

    def turned(x):
        """Pairs (i, i + D/2) as complex numbers, each times its turn."""
        pairs = torch.complex(*(half.contiguous() for half in x.chunk(2, -1))) * turns
        return torch.cat([pairs.real, pairs.imag], -1)

    def attention(x, name):
        q, k, v = (torch.einsum("ntc,chd->nhtd", x, p[f"{name}.{role}.kernel"]) for role in ("query", "key", "value"))
        attended = F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True, enable_gqa=True)
        return torch.einsum("nhtd,hdc->ntc", attended, p[f"{name}.attention_output.kernel"])

    def norm(x, name):
        return F.rms_norm(x, (WIDTH,), p[f"{name}.scale"], 1e-6)

    sines = torch.stack([angles(WIDTH // 2, dtype).sin(), angles(WIDTH // 2, dtype).cos()], -1).flatten(1)
    x = F.embedding(x, p["tokens.embeddings"]) + sines
    for block in range(1, BLOCKS + 1):
        x = x + attention(norm(x, f"norm_1_{block}"), f"attention_{block}")
        y = norm(x, f"norm_2_{block}")
        x = x + (F.silu(y @ p[f"gate_{block}.kernel"]) * (y @ p[f"expand_{block}.kernel"])) @ p[f"contract_{block}.kernel"]
    return norm(x, "norm") @ p["logits.kernel"]


def main():
    torch.manual_seed(0)
    x, y = tokens_of()
    weights = {name: NORMAL * torch.randn(shape) + (1.0 if name.endswith("scale") else 0.0) for name, shape in shapes().items()}
    runs = lambda spec, dtype: trained(weights, spec, x, y, dtype, forward)
    write("modern", weights, runs, x, y, input=[CONTEXT], layers=layers(), loss={"type": "sparse_categorical_crossentropy", "from_logits": True}, optimizers=OPTIMIZERS, batch=BATCH)


if __name__ == "__main__":
    main()
