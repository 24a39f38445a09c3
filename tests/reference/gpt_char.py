"""The preset `gpt-char` in PyTorch: same text, same windows of characters, same budget, another generator of random numbers.

    python tests/reference/gpt_char.py [SEED]    # after `cargo xtask data shakespeare`

prints the mean training loss of the last 100 steps and the loss over the validation part: what `tests/accuracy.rs` is to be compared with.
"""

import gzip
import math
import pathlib
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "shakespeare" / "text.txt.gz"
CONTEXT, WIDTH, HEADS, BLOCKS, BATCH, STEPS = 64, 128, 4, 4, 12, 2000


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.joined = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.expand, self.contract = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = (part.view(n, t, HEADS, c // HEADS).transpose(1, 2) for part in self.qkv(self.norm_1(x)).split(c, 2))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.joined(attended.transpose(1, 2).reshape(n, t, c))
        return x + self.contract(F.gelu(self.expand(self.norm_2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.norm = nn.Sequential(*(Block() for _ in range(BLOCKS))), nn.LayerNorm(WIDTH)
        self.logits = nn.Linear(WIDTH, vocabulary, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                ends_in_a_sum = name.endswith(("joined.weight", "contract.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * BLOCKS) if ends_in_a_sum else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, x):
        return self.logits(self.norm(self.blocks(self.tokens(x) + self.positions.weight)))


def rate(step):
    """Keras's CosineDecay with a warm-up."""
    if step < 100:
        return 1e-3 * step / 100
    share = (step - 100) / (STEPS - 100)
    return 1e-3 * (0.9 * 0.5 * (1 + math.cos(math.pi * share)) + 0.1)


def main():
    torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    text = gzip.decompress(DATA.read_bytes()).decode()
    number = {character: index for index, character in enumerate(sorted(set(text)))}
    tokens = torch.tensor([number[character] for character in text])
    train = tokens[: len(tokens) - int(len(tokens) * 0.05)]
    windows = (len(train) - 1) // CONTEXT
    held_out = int(windows * (1 - 1 / 19))
    model = Gpt(len(number))
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), eps=1e-7, weight_decay=0.1)

    def loss_of(starts):
        rows = torch.stack([train[start : start + CONTEXT + 1] for start in starts])
        return F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

    losses, begun = [], time.perf_counter()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        loss = loss_of(torch.randint((held_out - 1) * CONTEXT + 1, (BATCH,)).tolist())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    spent = (time.perf_counter() - begun) / STEPS * 1e3
    with torch.no_grad():
        parts = [range(first, min(first + 64, windows)) for first in range(held_out, windows, 64)]
        total = sum(loss_of([window * CONTEXT for window in part]).item() * len(part) for part in parts)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{count} parameters, {len(number)} characters, {spent:.0f} ms a step (PyTorch {torch.__version__}, {torch.get_num_threads()} threads)")
    print(f"training loss {sum(losses[-100:]) / 100:.4f}, validation {total / (windows - held_out):.4f}")


if __name__ == "__main__":
    main()
