"""The presets `newsgroups-cnn`, `sentiment-rnn` and `sentiment-lstm` in PyTorch: same rows, same budget, another generator of random numbers.

    python tests/reference/words.py PRESET DATA [SEED ...]    # after `cargo xtask data DATA`

where DATA is `newsgroups`, `reviews-en` or `reviews-zh`. Prints the test accuracy for each seed, 1 if none is given: what `tests/accuracy.rs` is to be
compared with. The vocabulary is the training part's, the words those of `src/data/words.rs`; 0 is padding behind the end, 1 an unknown word.
"""

import collections
import sys
import time

import torch
import torch.nn.functional as F
from documents import part, words
from torch import nn

PADDING, UNKNOWN, RESERVED, BATCH = 0, 1, 2, 32


class Convolution(nn.Module):
    vocabulary, length, epochs, held_out = 1000, 200, 10, 0.2

    def __init__(self):
        super().__init__()
        self.table, self.conv, self.answer = nn.Embedding(self.vocabulary, 64), nn.Conv1d(64, 128, 5), nn.Linear(128, 20)

    def forward(self, x):
        return self.answer(F.max_pool1d(F.relu(self.conv(self.table(x).transpose(1, 2))), 5).amax(2))

    loss = staticmethod(F.cross_entropy)

    def classes(self, x):
        return self(x).argmax(1)


class Recurrent(nn.Module):
    vocabulary, length, epochs, held_out = 5000, 100, 3, 0.1

    def __init__(self, kind, units):
        super().__init__()
        self.table, self.cells, self.answer = nn.Embedding(self.vocabulary, 32), kind(32, units, batch_first=True), nn.Linear(units, 1)
        # Keras has one bias and not two, but for a GRU.
        self.cells.bias_hh_l0.requires_grad = kind is nn.GRU

    def forward(self, x):
        states, _ = self.cells(self.table(x))
        last = (x != PADDING).sum(1).clamp(min=1) - 1
        return self.answer(states[torch.arange(len(x)), last]).squeeze(1)

    @staticmethod
    def loss(logits, y):
        return F.binary_cross_entropy_with_logits(logits, y.float())

    def classes(self, x):
        return (self(x) > 0).long()


PRESETS = {
    "newsgroups-cnn": Convolution,
    "sentiment-rnn": lambda: Recurrent(nn.RNN, 32),
    "sentiment-lstm": lambda: Recurrent(nn.LSTM, 32),
    "sentiment-gru": lambda: Recurrent(nn.GRU, 32),
}


def begin_as_keras_does(model):
    for name, weights in model.named_parameters():
        if name.startswith("table"):
            nn.init.uniform_(weights, -0.05, 0.05)
        elif "weight_hh" in name:
            for gate in weights.data.split(weights.shape[1]):
                nn.init.orthogonal_(gate)
        elif weights.dim() > 1:
            nn.init.xavier_uniform_(weights)
        else:
            nn.init.zeros_(weights)
        if "bias_ih" in name and isinstance(model.cells, nn.LSTM):
            # The forget gate is open at first.
            weights.data[len(weights) // 4 : len(weights) // 2] = 1


def rows(texts, numbers, length):
    tokens = torch.zeros(len(texts), length, dtype=torch.long)
    for row, text in zip(tokens, texts):
        found = [numbers.get(word, UNKNOWN) for word in words(text)[:length]]
        row[: len(found)] = torch.tensor(found, dtype=torch.long)
    return tokens


def train(make, x, y, x_test, truth, seed):
    torch.manual_seed(seed)
    model = make()
    begin_as_keras_does(model)
    optimizer = torch.optim.Adam([weights for weights in model.parameters() if weights.requires_grad], eps=1e-7)
    begun = time.perf_counter()
    for _ in range(model.epochs):
        for chosen in torch.randperm(len(x)).split(BATCH):
            loss = model.loss(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        right = sum((model.classes(some) == classes).sum().item() for some, classes in zip(x_test.split(512), truth.split(512)))
    return right / len(truth), seconds


def main():
    name, data, *seeds = sys.argv[1:]
    make = PRESETS[name]
    shape = make()
    (texts, y), (test_texts, truth) = part(data, "train"), part(data, "test")
    counts = collections.Counter(word for text in texts for word in words(text))
    vocabulary = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: shape.vocabulary - RESERVED]
    numbers = {word: RESERVED + index for index, (word, _) in enumerate(vocabulary)}
    held_out = int(len(texts) * (1 - shape.held_out))
    x, x_test = rows(texts[:held_out], numbers, shape.length), rows(test_texts, numbers, shape.length)
    y, truth = torch.tensor(y[:held_out]), torch.tensor(truth)
    for seed in map(int, seeds or ["1"]):
        accuracy, seconds = train(make, x, y, x_test, truth, seed)
        print(f"{name} on {data}, seed {seed}: test accuracy {accuracy:.4f}, {seconds:.0f} s; PyTorch {torch.__version__}", flush=True)


if __name__ == "__main__":
    main()
