"""Golden values of every op: what PyTorch makes of the samples, in double precision, and the gradients of the weighted loss.

    python tests/golden/make.py

asks the crate for the samples (examples/export_samples.rs) and writes tests/golden/ops.safetensors. An op is a function of OPS, written
with PyTorch's own counterpart where there is one; an op that is missing there is an error.
"""

import datetime
import json
import pathlib
import platform
import subprocess
import tempfile

import numpy as np
import safetensors
import safetensors.numpy
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
OPS = {}


class Sample:
    """A sample: its attributes (of the op, by name) and the session's seed and step."""

    def __init__(self, described, seed, step):
        self.name, self.fingerprint = described["name"], described["fingerprint"]
        self.dtypes = [entry["dtype"] for entry in described["inputs"]]
        self.attributes = dict(described["op"])
        self.op = self.attributes.pop("op")
        self.seed, self.step = seed, step
        self.used = set()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        self.used.add(name)
        return self.attributes[name]


def op(*names):
    """Registers a function (sample, *inputs) -> result under the ops' names."""

    def register(function):
        for name in names:
            assert name not in OPS, name
            OPS[name] = function
        return function

    return register


def pointwise(**functions):
    for name, function in functions.items():
        op(name)(lambda _, *inputs, function=function: function(*inputs))


def loss_weight(count):
    """`loss_weight` of src/ops/eval.rs."""
    index = np.arange(count, dtype=np.uint64)
    return 0.25 + ((index * 2_654_435_761 & 0xFFFF_FFFF) >> 8).astype(np.float64) / 2**24


def threefry2x32(key, counter):
    """Threefry-2x32, 20 rounds (Salmon et al. 2011), over arrays of 32-bit words."""
    mask = np.uint64(0xFFFF_FFFF)
    rotations = [[13, 15, 26, 6], [17, 29, 16, 24]]
    keys = [np.uint64(key[0]), np.uint64(key[1]), np.uint64(key[0] ^ key[1] ^ 0x1BD1_1BDA)]
    x, y = (np.asarray(word, np.uint64) for word in counter)
    x, y = (x + keys[0]) & mask, (y + keys[1]) & mask
    for group in range(5):
        for rotation in rotations[group % 2]:
            x = (x + y) & mask
            y = ((y << np.uint64(rotation) | y >> np.uint64(32 - rotation)) & mask) ^ x
        x = (x + keys[(group + 1) % 3]) & mask
        y = (y + keys[(group + 2) % 3] + np.uint64(group + 1)) & mask
    return x, y


def uniform(sample, stream, count):
    """`CpuCx::random` of a stream at indices 0..count."""
    word, _ = threefry2x32([sample.seed, stream], [np.full(count, sample.step), np.arange(count)])
    return torch.from_numpy((word >> np.uint64(8)).astype(np.float64) / 2**24)


# Pointwise. Where no gradient flows by design (a comparison, a threshold), the operand is detached.

pointwise(
    add=torch.add,
    sub=torch.sub,
    mul=torch.mul,
    div=torch.div,
    pow=torch.pow,
    max=torch.maximum,
    min=torch.minimum,
    greater=lambda a, b: torch.gt(a, b).double(),
    equal=lambda a, b: torch.eq(a, b).double(),
    leaky_relu=lambda a, b: torch.where(a > 0, a, a * b),
    huber=lambda a, b: torch.where(a.abs() <= b.detach(), a * a / 2, b.detach() * (a.abs() - b.detach() / 2)),
    where=lambda a, b, c: torch.where(a.detach() != 0, b, c),
    neg=torch.neg,
    exp=torch.exp,
    log=torch.log,
    sqrt=torch.sqrt,
    abs=torch.abs,
    sin=torch.sin,
    cos=torch.cos,
    sign=lambda a: torch.sign(a.detach()),
    sigmoid=torch.sigmoid,
    tanh=torch.tanh,
    relu=torch.relu,
    gelu=F.gelu,
    silu=F.silu,
    softplus=lambda a: F.softplus(a, threshold=1e3),
    normal_cdf=torch.special.ndtr,
    logit_cross_entropy=lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction="none"),
)


@op("broadcast_to")
def _(s, a):
    return a.broadcast_to(s.shape)


@op("reshape")
def _(s, a):
    return a.reshape(s.shape)


@op("tril")
def _(s, a):
    kept = torch.ones(a.shape[-2:], dtype=torch.bool).tril(s.diagonal)
    return torch.where(kept, a, torch.full_like(a, s.fill))


@op("matmul")
def _(s, a, b):
    return (a.mT if s.transpose_a else a) @ (b.mT if s.transpose_b else b)


@op("reduce")
def _(s, a):
    how = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "variance": lambda *args, **kw: torch.var(*args, correction=0, **kw)}
    return how[s.reduction](a, dim=tuple(s.axes), keepdim=s.keep_dims)


# Gradients that are operations of their own: PyTorch's vector-Jacobian product, itself differentiable.


def vjp(function, at, dy):
    """Gradient of function's result, weighted by dy, with respect to `at`; a function of dy and of all that `function` uses."""
    at = at if at.requires_grad else at.requires_grad_()
    return torch.autograd.grad(function(at), at, dy, create_graph=True)[0]


def single(number):
    """An attribute of 32 bits, which JSON gives in the fewest digits, as the number that it is."""
    return float(np.float32(number))


# Images are [N, H, W, C] and kernels [kh, kw, C / groups, O] here.


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def padded(x, padding, window, stride, dilation=(1, 1), value=0.0):
    """Images [N, C, H, W] with TensorFlow's padding around them."""
    amounts = []
    if padding == "valid":
        amounts = [(0, 0), (0, 0)]
    elif padding == "same":
        for size, taps, step, spread in zip(x.shape[2:], window, stride, dilation, strict=True):
            count = -(-size // step)
            total = max((count - 1) * step + (taps - 1) * spread + 1 - size, 0)
            amounts.append((total // 2, total - total // 2))
    else:
        explicit = padding["explicit"]
        amounts = [(explicit["top"], explicit["bottom"]), (explicit["left"], explicit["right"])]
    (top, bottom), (left, right) = amounts
    return F.pad(x, (left, right, top, bottom), value=value)


def conv2d(conv, x, w):
    assert set(conv) - {"op"} == {"stride", "padding", "dilation", "groups"}, conv
    x = padded(nchw(x), conv["padding"], w.shape[:2], conv["stride"], conv["dilation"])
    y = F.conv2d(x, w.permute(3, 2, 0, 1), stride=conv["stride"], dilation=conv["dilation"], groups=conv["groups"])
    return nhwc(y)


@op("conv2d")
def _(s, x, w):
    return conv2d({"stride": s.stride, "padding": s.padding, "dilation": s.dilation, "groups": s.groups}, x, w)


@op("conv2d_input_grad")
def _(s, dy, w):
    x = torch.zeros(dy.shape[0], *s.input, w.shape[2] * s.conv["groups"], dtype=torch.float64)
    return vjp(lambda x: conv2d(s.conv, x, w), x, dy)


@op("conv2d_kernel_grad")
def _(s, x, dy):
    w = torch.zeros(*s.kernel, x.shape[3] // s.conv["groups"], dy.shape[3], dtype=torch.float64)
    return vjp(lambda w: conv2d(s.conv, x, w), w, dy)


def max_pool(s, x):
    """Result, and where it came from in the padded images."""
    x = padded(nchw(x), s.padding, s.window, s.stride, value=-torch.inf)
    return F.max_pool2d(x, s.window, s.stride, return_indices=True)


@op("max_pool2d")
def _(s, x):
    return nhwc(max_pool(s, x)[0])


@op("max_pool2d_grad")
def _(s, x, dy):
    # x only chooses.
    return vjp(lambda x: nhwc(max_pool(s, x)[0]), x.detach(), dy)


@op("max_pool2d_gather")
def _(s, x, v):
    indices = max_pool(s, x.detach())[1]
    v = padded(nchw(v), s.padding, s.window, s.stride).flatten(2)
    return nhwc(v.gather(2, indices.flatten(2)).reshape(indices.shape))


def avg_pool(s, x):
    """Padding is not counted."""
    summed = [F.avg_pool2d(padded(nchw(each), s.padding, s.window, s.stride), s.window, s.stride) for each in (x, torch.ones_like(x))]
    return nhwc(summed[0] / summed[1])


@op("avg_pool2d")
def _(s, x):
    return avg_pool(s, x)


@op("avg_pool2d_grad")
def _(s, dy):
    x = torch.zeros(dy.shape[0], *s.input, dy.shape[3], dtype=torch.float64)
    return vjp(lambda x: avg_pool(s, x), x, dy)


@op("softmax")
def _(_, x):
    return x.softmax(-1)


@op("log_softmax")
def _(_, x):
    return x.log_softmax(-1)


def cross_entropy(s, logits, labels):
    classes = logits.shape[-1]
    flat = labels.reshape(-1, classes) if labels.is_floating_point() else labels.reshape(-1)
    smoothing = single(s.label_smoothing)
    losses = F.cross_entropy(logits.reshape(-1, classes), flat, reduction="none", label_smoothing=smoothing)
    return losses.reshape(logits.shape[:-1])


@op("softmax_cross_entropy")
def _(s, logits, labels):
    return cross_entropy(s, logits, labels)


@op("softmax_cross_entropy_grad")
def _(s, logits, labels, dy):
    return vjp(lambda logits: cross_entropy(s, logits, labels), logits, dy)


@op("transpose")
def _(s, a):
    return a.permute(s.perm)


@op("slice")
def _(s, a):
    return a[tuple(slice(*each) for each in zip(s.starts, s.ends, s.steps, strict=True))]


@op("pad")
def _(s, a):
    interior, pads = s.interior, s.pads
    extents = [size + max(size - 1, 0) * between for size, between in zip(a.shape, interior, strict=True)]
    spread = torch.full(extents, single(s.value), dtype=torch.float64)
    spread[tuple(slice(None, None, between + 1) for between in interior)] = a
    return F.pad(spread, [amount for axis in reversed(pads) for amount in axis], value=single(s.value)) if pads else spread


@op("concat")
def _(s, *parts):
    return torch.cat(parts, s.axis)


def affine(x, transform):
    """By PyTorch's grid, whose places run from -1 to 1 over the centres of the first and the last pixel."""
    height, width = x.shape[1:3]
    across, down = torch.meshgrid(torch.arange(width, dtype=torch.float64), torch.arange(height, dtype=torch.float64), indexing="xy")
    pixels = torch.stack([across, down, torch.ones_like(across)], -1)
    places = torch.einsum("nak,yxk->nyxa", transform.detach().reshape(-1, 2, 3), pixels)
    grid = 2 * places / torch.tensor([width - 1, height - 1], dtype=torch.float64) - 1
    return nhwc(F.grid_sample(nchw(x), grid, align_corners=True, padding_mode="zeros"))


@op("affine_transform")
def _(s, x, transform):
    return vjp(lambda zero: affine(zero, transform), torch.zeros_like(x), x) if s.adjoint else affine(x, transform)


def gather(table, indices):
    """A row that does not exist is zero."""
    exists = indices < table.shape[0]
    return F.embedding(torch.where(exists, indices, 0), table) * exists[..., None]


@op("gather")
def _(_, table, indices):
    return gather(table, indices)


@op("gather_grad")
def _(s, indices, dy):
    table = torch.zeros(s.rows, dy.shape[-1], dtype=torch.float64)
    return vjp(lambda table: gather(table, indices), table, dy)


@op("argmax")
def _(s, a):
    return a.detach().argmax(s.axis).double()


@op("top_k")
def _(s, a):
    # Of equal elements PyTorch's topk takes any, a stable sort the first.
    order = torch.sort(a.detach(), dim=-1, descending=True, stable=True).indices
    return torch.zeros_like(a).scatter(-1, order[..., : s.k], 1.0).detach()


@op("cumsum")
def _(s, a):
    return a.flip(s.axis).cumsum(s.axis).flip(s.axis) if s.reverse else a.cumsum(s.axis)


@op("dropout")
def _(s, x, rate):
    kept = uniform(s, s.stream, x.numel()).reshape(x.shape) >= rate.detach()
    return x * kept / (1 - rate.detach())


@op("random_uniform")
def _(s):
    drawn = uniform(s, s.stream, int(np.prod(s.shape))).reshape(s.shape)
    return single(s.low) + single(single(s.high) - single(s.low)) * drawn


@op("mask_tokens")
def _(s, x, hidden):
    u = uniform(s, s.stream, x.numel()).reshape(x.shape).float()
    chosen = ((u - s.mask_rate) / s.random_rate * (s.vocabulary - s.first)).floor() if s.random_rate > 0 else torch.zeros_like(u)
    other = s.first + chosen.clamp(max=s.vocabulary - s.first - 1).double()
    replaced = torch.where(u < s.mask_rate, float(s.mask), torch.where(u < s.mask_rate + s.random_rate, other, x.double()))
    return torch.where(hidden.detach() > 0.5, replaced, x.double())


def normalize(axes, epsilon, x):
    last = list(range(x.dim() - len(axes), x.dim()))
    moved = x.movedim(axes, last)
    return F.layer_norm(moved, moved.shape[last[0] :], eps=single(epsilon)).movedim(last, axes)


@op("normalize")
def _(s, x):
    return normalize(s.axes, s.epsilon, x)


@op("normalize_grad")
def _(s, x, dy):
    assert set(s.of) - {"op"} == {"axes", "epsilon"}, s.of
    return vjp(lambda x: normalize(s.of["axes"], s.of["epsilon"], x), x, dy)


def attended(of, q, k, v, mask):
    """Queries, keys and values as [N, H, T, ...], and what is added to the scores: -inf for what lies behind, -1e9 for hidden keys unless all that is seen are."""
    assert set(of) - {"op"} == {"scale", "causal", "heads_first"}, of
    q, k, v = (in_place(of, x) for x in (q, k, v))
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
    added = torch.zeros(q.shape[0], 1, q.shape[2], k.shape[2], dtype=torch.float64)
    if mask is not None:
        added = added.masked_fill((mask == 0)[:, None, None, :], -1e9)
    if of["causal"]:
        added = added.masked_fill(torch.ones(added.shape[2:]).triu(1).bool(), -torch.inf)
    return q, k, v, added - added.amax(-1, keepdim=True)


def in_place(of, x):
    return x if of["heads_first"] else x.transpose(1, 2)


@op("attention")
def _(s, q, k, v, mask=None):
    of = {"scale": s.scale, "causal": s.causal, "heads_first": s.heads_first}
    q, k, v, added = attended(of, q, k, v, mask)
    y = F.scaled_dot_product_attention(q, k, v, added, scale=single(of["scale"]))
    lse = torch.logsumexp(q @ k.mT * single(of["scale"]) + added, -1, keepdim=True)
    return torch.cat([in_place(of, y).reshape(-1), in_place(of, lse).reshape(-1)])


@op("attention_grad")
def _(s, q, k, v, saved, dy, mask=None):
    """The gradients by their formulas: what was saved need not be of these queries and keys. None of second order."""
    q, k, v, saved, dy = (x.detach() for x in (q, k, v, saved, dy))
    of, shapes = s.of, [q.shape, k.shape, v.shape]
    q, k, v, added = attended(of, q, k, v, mask)
    rows = [*shapes[0][:3], shapes[2][3]]
    count = int(np.prod(rows))
    y, lse = (in_place(of, part) for part in (saved[:count].reshape(rows), saved[count:].reshape([*rows[:3], 1])))
    level = (in_place(of, dy[:count].reshape(rows)) * y).sum(-1, keepdim=True)
    if dy.numel() > count:
        level = level - in_place(of, dy[count:].reshape([*rows[:3], 1]))
    dy = in_place(of, dy[:count].reshape(rows))
    weights = (q @ k.mT * single(of["scale"]) + added - lse).exp()
    slopes = weights * (dy @ v.mT - level) * single(of["scale"])
    shared = shapes[0][1 if of["heads_first"] else 2] // shapes[1][1 if of["heads_first"] else 2]
    summed = lambda x: x.unflatten(1, (-1, shared)).sum(2)
    return torch.cat([in_place(of, x).reshape(-1) for x in (slopes @ k, summed(slopes.mT @ q), summed(weights.mT @ dy))])


def stored(tensor):
    """All elements of a short tensor, of a long one every n-th: `stride` of tests/golden.rs."""
    flat = tensor.detach().numpy().reshape(-1)
    stride = 1 if flat.size <= 1024 else -(-flat.size // 512) | 1
    whole = None if stride == 1 else float(flat @ loss_weight(flat.size))
    return flat[::stride].astype(np.float32), whole


def computed(sample, arrays):
    """The value and the gradients of a sample, by name."""
    inputs = []
    for dtype, array in zip(sample.dtypes, arrays, strict=True):
        tensor = torch.from_numpy(array)
        inputs.append(tensor.double().requires_grad_() if dtype == "F32" else tensor.long())
    if sample.op not in OPS:
        raise SystemExit(f"{sample.name}: make.py does not know the op {sample.op!r}: add it")
    out = OPS[sample.op](sample, *inputs)
    unread = set(sample.attributes) - sample.used
    assert not unread, f"{sample.name}: attributes that make.py does not read: {unread}"
    results = {"out": out}
    if out.requires_grad:
        loss = (out * torch.from_numpy(loss_weight(out.numel())).reshape(out.shape)).sum()
        real = [k for k, tensor in enumerate(inputs) if tensor.requires_grad]
        gradients = torch.autograd.grad(loss, [inputs[k] for k in real], allow_unused=True)
        results |= {f"grad{k}": gradient for k, gradient in zip(real, gradients) if gradient is not None}
    return results


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "samples.safetensors"
        subprocess.run(["cargo", "run", "--quiet", "--example", "export_samples", "--", path], cwd=HERE, check=True)
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
            inputs = {name: file.get_tensor(name) for name in file.keys()}
    tensors, sums, fingerprints = {}, {}, {}
    for described in json.loads(metadata["samples"]):
        sample = Sample(described, int(metadata["seed"]), int(metadata["step"]))
        assert sample.name not in fingerprints, f"two samples are called {sample.name}"
        fingerprints[sample.name] = sample.fingerprint
        arrays = [inputs[f"{sample.name}/{k}"] for k in range(len(sample.dtypes))]
        for kind, tensor in computed(sample, arrays).items():
            tensors[f"{sample.name}/{kind}"], whole = stored(tensor)
            if whole is not None:
                sums[f"{sample.name}/{kind}"] = whole
    target = HERE / "ops.safetensors"
    versions = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "date": datetime.date.today().isoformat(),
    }
    maps = {"fingerprints": json.dumps(fingerprints), "sums": json.dumps(sums)}
    safetensors.numpy.save_file(tensors, target, versions | maps)
    print(f"{target}: {len(fingerprints)} samples, {len(tensors)} tensors, {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
