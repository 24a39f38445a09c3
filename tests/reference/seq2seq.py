"""The preset `seq2seq` in PyTorch: the same task, model and budget, another generator of random numbers.

    python tests/reference/seq2seq.py [SEED]

prints the share of strings of ten letters that it reverses exactly, taking the likeliest token again and again: what `tests/accuracy.rs` is to be compared
with.
"""

import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

LETTERS, LONGEST, WIDTH, HEADS, BATCH = 26, 10, 64, 4, 64
EXAMPLES, EPOCHS = 40_000, 3
PADDING, START, END, FIRST = 0, 1, 2, 3


def pairs(lengths):
    """Rows of sources, of what the decoder reads and of what it is to say."""
    count = len(lengths)
    source = torch.randint(FIRST, FIRST + LETTERS, (count, LONGEST))
    source[torch.arange(LONGEST) >= lengths[:, None]] = PADDING
    label = torch.zeros(count, LONGEST + 1, dtype=torch.long)
    for row, length in enumerate(lengths.tolist()):
        label[row, :length], label[row, length] = source[row, :length].flip(0), END
    read = torch.cat([torch.full((count, 1), START), label[:, :-1]], 1)
    return source, torch.where(label == PADDING, PADDING, read), label


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x, memory, seen):
        q, k, v = (m(of).unflatten(-1, (HEADS, -1)).transpose(1, 2) for m, of in ((self.q, x), (self.k, memory), (self.v, memory)))
        return self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2).flatten(2))


def dense():
    return nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(FIRST + LETTERS, WIDTH)
        self.places = nn.ParameterList([torch.empty(LONGEST, WIDTH), torch.empty(LONGEST + 1, WIDTH)])
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(5))
        self.attentions = nn.ModuleList(Attention() for _ in range(3))
        self.dense = nn.ModuleList([dense(), dense()])
        self.logits = nn.Linear(WIDTH, FIRST + LETTERS)
        for name, parameter in self.named_parameters():
            if name.startswith(("table", "places")):
                nn.init.normal_(parameter, 0, 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, source, read):
        seen = (source != PADDING)[:, None, None]
        causal = torch.ones(LONGEST + 1, LONGEST + 1, dtype=torch.bool).tril()[: read.shape[1], : read.shape[1]]
        x = self.table(source) + self.places[0]
        inner = self.norms[0](x)
        x = x + self.attentions[0](inner, inner, seen)
        memory = self.norms[1](x + self.dense[0](x))
        y = self.table(read) + self.places[1][: read.shape[1]]
        inner = self.norms[2](y)
        y = y + self.attentions[1](inner, inner, causal)
        y = y + self.attentions[2](self.norms[3](y), memory, seen)
        return self.logits(self.norms[4](y + self.dense[1](y)))


def rate(step, steps):
    """Linear to 2e-3 in 100 steps, then half a cosine to a hundredth of it."""
    if step < 100:
        return 2e-3 * step / 100
    return 2e-3 * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, (step - 100) / (steps - 100)))))


def main():
    torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    data = pairs(torch.randint(1, LONGEST + 1, (EXAMPLES,)))
    model = Model()
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    optimizer = torch.optim.AdamW(model.parameters(), 0, (0.9, 0.98), 1e-7, 0.01)
    steps, step, begun = EPOCHS * EXAMPLES // BATCH, 0, time.time()
    for epoch in range(EPOCHS):
        total = 0.0
        for rows in torch.randperm(EXAMPLES).split(BATCH):
            source, read, label = (column[rows] for column in data)
            optimizer.param_groups[0]["lr"] = rate(step, steps)
            loss = F.cross_entropy(model(source, read).flatten(0, 1), label.flatten(), ignore_index=PADDING)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step, total = step + 1, total + loss.item()
        print(f"epoch {epoch + 1}: loss {total * BATCH / EXAMPLES:.4f}, {time.time() - begun:.0f} s")
    source, _, label = pairs(torch.full((1000,), LONGEST))
    with torch.no_grad():
        read = torch.full((1000, 1), START)
        for _ in range(LONGEST + 1):
            read = torch.cat([read, model(source, read)[:, -1].argmax(-1, keepdim=True)], 1)
    exact = (read[:, 1:] == label).all(1).float().mean().item()
    print(f"{exact:.3f} of 1,000 strings of ten letters exact")


if __name__ == "__main__":
    main()
