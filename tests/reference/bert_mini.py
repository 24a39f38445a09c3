"""The presets `bert-mini` and `bert-mini-sentiment` in PyTorch: same reviews, same words, same budgets, another generator of random numbers.

    python tests/reference/bert_mini.py [SEED]    # after `cargo xtask data reviews-en`

prints the masked-token loss and accuracy over the validation part after pre-training, and the sentiment's accuracy over the test part, trained on 500 labelled
reviews from the pre-trained encoder and from scratch: what `tests/accuracy.rs` is to be compared with.
"""

import collections
import gzip
import math
import pathlib
import re
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS, CONTEXT, WIDTH, HEADS, BLOCKS = 3000, 64, 64, 4, 2
PADDING, UNKNOWN, MASK = 0, 1, WORDS
HIDDEN, BATCH, EPOCHS, RATE = 0.4, 32, 3, 3e-3
LABELLED, FINE_BATCH, FINE_EPOCHS, FINE_RATE = 500, 32, 6, 5e-4
LETTERS = r"[^\W_]+"
WORD = re.compile(rf"{LETTERS}(?:['’]{LETTERS})*")


STOP = set((ROOT / "src/data/stop-words.txt").read_text().split())


def part(name):
    lines = gzip.decompress((ROOT / "data/reviews-en" / f"{name}.txt.gz").read_bytes()).decode().split("\n")[:-1]
    classes, texts = zip(*(line.split("\t", 1) for line in lines))
    words = ([word.lower().replace("’", "'") for word in WORD.findall(text)] for text in texts)
    return [[word for word in text if word not in STOP] for text in words], torch.tensor([float(c) for c in classes])


def rows(texts, numbers):
    row = lambda words: ([numbers.get(word, UNKNOWN) for word in words[:CONTEXT]] + [PADDING] * CONTEXT)[:CONTEXT]
    return torch.tensor([row(words) for words in texts])


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.joined = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.expand, self.contract = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, seen):
        n, t, c = x.shape
        q, k, v = (part.view(n, t, HEADS, c // HEADS).transpose(1, 2) for part in self.qkv(self.norm_1(x)).split(c, 2))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = x + self.joined(attended.transpose(1, 2).reshape(n, t, c))
        return x + self.contract(F.gelu(self.expand(self.norm_2(x))))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(WORDS + 1, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(BLOCKS)), nn.LayerNorm(WIDTH)
        for name, parameter in self.named_parameters():
            if name.startswith(("tokens", "positions")):
                nn.init.normal_(parameter, std=0.02)
            elif parameter.dim() == 2:
                # Query, key and value are one matrix here and three in the preset.
                for kernel in parameter.data.split(WIDTH) if "qkv" in name else [parameter.data]:
                    nn.init.xavier_uniform_(kernel)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, x):
        y = self.tokens(x) + self.positions.weight
        seen = (x != PADDING)[:, None, None, :] | (x == PADDING).all(1)[:, None, None, None]
        for block in self.blocks:
            y = block(y, seen)
        return self.norm(y)


def hide(x, generator):
    """40 % of the known words: 80 % become [MASK], 10 % any word, 10 % stay."""
    hidden = (torch.rand(x.shape, generator=generator) < HIDDEN) & (x > UNKNOWN)
    u = torch.rand(x.shape, generator=generator)
    other = torch.randint(UNKNOWN + 1, WORDS, x.shape, generator=generator)
    return torch.where(hidden & (u < 0.8), MASK, torch.where(hidden & (u >= 0.8) & (u < 0.9), other, x)), hidden


def guess(encoder, x, generator):
    seen, hidden = hide(x, generator)
    logits = encoder(seen)[hidden] @ encoder.tokens.weight.T
    return F.cross_entropy(logits, x[hidden]), (logits.argmax(1) == x[hidden]).float().mean(), int(hidden.sum())


def pretrain(encoder, x, validation, generator):
    steps = EPOCHS * math.ceil(len(x) / BATCH)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = lambda step: step / 100 if step < 100 else 0.9 * 0.5 * (1 + math.cos(math.pi * min(1, (step - 100) / (steps - 100)))) + 0.1
    scheduler, begin = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule), time.time()
    for epoch in range(EPOCHS):
        encoder.train()
        losses = []
        for batch in torch.randperm(len(x), generator=generator).split(BATCH):
            loss, _, _ = guess(encoder, x[batch], generator)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        with torch.no_grad():
            fixed = torch.Generator().manual_seed(0)
            scores = [guess(encoder, batch, fixed) for batch in validation.split(250)]
        count = sum(n for _, _, n in scores)
        loss, right = (sum(float(score[k]) * score[2] for score in scores) / count for k in (0, 1))
        print(f"epoch {epoch + 1}: training loss {sum(losses) / len(losses):.4f}, validation {loss:.4f}, right {right:.4f}, {time.time() - begin:.0f} s", flush=True)


def opinion(encoder, head, x):
    y, words = encoder(x), (x != PADDING).float().unsqueeze(2)
    return head((y * words).sum(1) / words.sum(1).clamp(min=1)).squeeze(1)


def fine_tune(encoder, x, y, test, truth, generator, name):
    head = nn.Linear(WIDTH, 1)
    nn.init.xavier_uniform_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer, reached = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=FINE_RATE, eps=1e-7), []
    for _ in range(FINE_EPOCHS):
        for batch in torch.randperm(len(x), generator=generator).split(FINE_BATCH):
            loss = F.binary_cross_entropy_with_logits(opinion(encoder, head, x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            logits = torch.cat([opinion(encoder, head, batch) for batch in test.split(250)])
        reached.append(f"{((logits > 0) == (truth > 0.5)).float().mean():.4f}")
    print(f"{name}: test accuracy after each epoch {' '.join(reached)}", flush=True)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    (train, y), (test, truth) = part("train"), part("test")
    counts = collections.Counter(word for words in train for word in words)
    known = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: WORDS - 2]]
    numbers = {word: number for number, word in enumerate(known, start=2)}
    x, x_test = rows(train, numbers), rows(test, numbers)
    held_out = int(len(x) * 0.9)
    encoder, scratch = Encoder(), Encoder()
    pretrain(encoder, x[:held_out], x[held_out:], generator)
    labelled = x[:LABELLED], y[:LABELLED], x_test, truth, generator
    fine_tune(encoder, *labelled, "fine-tuned")
    fine_tune(scratch, *labelled, "from scratch")
    print(f"PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
