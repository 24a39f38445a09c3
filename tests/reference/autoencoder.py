"""The preset `autoencoder` in PyTorch: same images, same budget, same first distributions of the weights, another generator of random numbers.

    python tests/reference/autoencoder.py [EPOCHS [SEED]]    # after `cargo xtask data mnist`

prints the mean squared error over the test part after each epoch, and beside it that of the mean image and of as many principal components as the
plane in the middle has numbers: what `tests/accuracy.rs` is to be compared with.
"""

import gzip
import pathlib
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "mnist"
PIXELS, LATENT, BATCH = 28 * 28, 2, 64


def images(name, count):
    """The values of an idx file, after its header of four bytes and four for each of three sizes."""
    contents = gzip.decompress((DATA / f"{name}-x.idx.gz").read_bytes())
    return torch.frombuffer(bytearray(contents[16:]), dtype=torch.uint8).view(count, PIXELS).float() / 255


def model():
    layers = nn.Sequential(
        nn.Linear(PIXELS, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, LATENT),
        nn.Linear(LATENT, 64), nn.ReLU(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, PIXELS), nn.Sigmoid(),
    )
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return layers


def principal(x, test, components):
    """What is lost of the test part in the plane of the training part's largest variance."""
    mean = x.mean(0)
    _, vectors = torch.linalg.eigh((x - mean).T @ (x - mean))
    plane = vectors[:, PIXELS - components :]
    return F.mse_loss((test - mean) @ plane @ plane.T + mean, test).item()


def main():
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    torch.manual_seed(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    x, test = images("train", 60_000), images("test", 10_000)
    net = model()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7)
    count = sum(parameter.numel() for parameter in net.parameters())
    print(f"{count} parameters (PyTorch {torch.__version__}, {torch.get_num_threads()} threads)")
    print(f"mean image {principal(x, test, 0):.4f}, {LATENT} principal components {principal(x, test, LATENT):.4f}", flush=True)
    for epoch in range(1, epochs + 1):
        begun, steps = time.perf_counter(), 0
        for rows in torch.randperm(len(x)).split(BATCH):
            loss = F.mse_loss(net(x[rows]), x[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
        spent = (time.perf_counter() - begun) / steps * 1e3
        with torch.no_grad():
            print(f"epoch {epoch}: test loss {F.mse_loss(net(test), test).item():.4f}, {spent:.1f} ms a step", flush=True)


if __name__ == "__main__":
    main()
