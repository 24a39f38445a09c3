"""The preset `cifar10-cnn` in PyTorch: same pictures, same budget, same first distributions of the weights, another generator of random numbers.

    python tests/reference/cifar10_cnn.py [EPOCHS [SEED]]    # after `cargo xtask data cifar10`

prints the accuracy and the loss over the test part after each epoch: what `tests/accuracy.rs` is to be compared with.
"""

import gzip
import pathlib
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "cifar10"
BATCH = 64


def idx(name, *shape):
    """The values of an idx file, after its header of four bytes and four a size."""
    contents = gzip.decompress((DATA / name).read_bytes())
    return torch.frombuffer(bytearray(contents[4 + 4 * len(shape) :]), dtype=torch.uint8).view(shape)


def part(name, count):
    pictures = idx(f"{name}-x.idx.gz", count, 32, 32, 3).permute(0, 3, 1, 2).contiguous()
    return pictures, idx(f"{name}-y.idx.gz", count).long()


def model():
    layers = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 8 * 128, 512), nn.ReLU(), nn.Linear(512, 10),
    )
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return layers


def main():
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    torch.manual_seed(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    (x, y), (test_x, test_y) = part("train", 50_000), part("test", 10_000)
    net = model()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7)
    count = sum(parameter.numel() for parameter in net.parameters())
    print(f"{count} parameters (PyTorch {torch.__version__}, {torch.get_num_threads()} threads)", flush=True)
    for epoch in range(1, epochs + 1):
        begun, steps = time.perf_counter(), 0
        for rows in torch.randperm(len(x)).split(BATCH):
            loss = F.cross_entropy(net(x[rows].float() / 255), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
        spent = (time.perf_counter() - begun) / steps * 1e3
        with torch.no_grad():
            logits = torch.cat([net(pictures.float() / 255) for pictures in test_x.split(500)])
        accuracy = (logits.argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch}: test accuracy {accuracy:.4f}, loss {F.cross_entropy(logits, test_y).item():.4f}, {spent:.0f} ms a step", flush=True)


if __name__ == "__main__":
    main()
