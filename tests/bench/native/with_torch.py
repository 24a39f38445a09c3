"""PyTorch beside Gradscope: `python with_torch.py THREADS`, which `cargo xtask bench` starts and asks (`frame.py`)."""

import sys

import torch
import torch.nn.functional as F

from frame import serve


def tensor(array):
    return torch.from_numpy(array.copy())


def matrices(given):
    """Attention's kernels with heads in one axis, as [out, in]; those of convolutions as [out, in, 3, 3]."""
    parameters = {}
    for name, array in given.items():
        if name in ("x", "y"):
            continue
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif name.endswith((".query.kernel", ".key.kernel", ".value.kernel")):
            array = array.reshape(array.shape[0], -1).T
        elif name.endswith(".attention_output.kernel"):
            array = array.reshape(-1, array.shape[2]).T
        elif name.endswith(".kernel"):
            array = array.T
        elif name.endswith((".query.bias", ".key.bias", ".value.bias")):
            array = array.reshape(-1)
        parameters[name] = tensor(array)
        if array.ndim == 4:
            parameters[name] = parameters[name].contiguous(memory_format=torch.channels_last)
    return parameters


def cnn(p, x):
    """`x` is [N, 1, H, W] in channels-last order, so that flattening finds Keras's order."""
    for name in ("conv2d", "conv2d_1"):
        x = F.max_pool2d(F.relu(F.conv2d(x, p[f"{name}.kernel"], p[f"{name}.bias"])), 2)
    x = F.relu(F.conv2d(x, p["conv2d_2.kernel"], p["conv2d_2.bias"])).permute(0, 2, 3, 1).flatten(1)
    return F.linear(F.relu(F.linear(x, p["dense.kernel"], p["dense.bias"])), p["dense_1.kernel"], p["dense_1.bias"])


def gpt(p, tokens, size):
    width, heads = size["width"], size["heads"]

    def dense(x, name):
        return F.linear(x, p[f"{name}.kernel"], p[f"{name}.bias"])

    def norm(x, name):
        return F.layer_norm(x, (width,), p[f"{name}.gamma"], p[f"{name}.beta"], 1e-5)

    x = F.embedding(tokens, p["embedding.embeddings"]) + p["position_embedding.embeddings"]
    n, t, _ = x.shape
    for k in range(1, size["blocks"] + 1):
        at = f"block_{k}_attention"
        normed = norm(x, f"block_{k}_norm_1")
        # One product for all three, as everybody writes it.
        roles = ("query", "key", "value")
        kernel = torch.cat([p[f"{at}.{role}.kernel"] for role in roles])
        bias = torch.cat([p[f"{at}.{role}.bias"] for role in roles])
        q, k_, v = (part.view(n, t, heads, -1).transpose(1, 2) for part in F.linear(normed, kernel, bias).split(width, 2))
        attended = F.scaled_dot_product_attention(q, k_, v, is_causal=True).transpose(1, 2).reshape(n, t, width)
        x = x + dense(attended, f"{at}.attention_output")
        x = x + dense(F.gelu(dense(norm(x, f"block_{k}_norm_2"), f"block_{k}_expand")), f"block_{k}_contract")
    return F.linear(norm(x, "norm"), p["logits.kernel"])


def images(array):
    return tensor(array).permute(0, 3, 1, 2)


def training(workload, given):
    batch, of = workload["batch"], workload["optimizer"]
    parameters = {name: weight.requires_grad_() for name, weight in matrices(given).items()}
    settings = {"lr": of["learning_rate"], "betas": (of["beta_1"], of["beta_2"]), "eps": of["epsilon"], "fused": True}
    if "weight_decay" in of:
        optimizer = torch.optim.AdamW(parameters.values(), weight_decay=of["weight_decay"], **settings)
    else:
        optimizer = torch.optim.Adam(parameters.values(), **settings)
    is_gpt = workload["model"] == "gpt"
    xs = (tensor(given["x"]).long() if is_gpt else images(given["x"])).split(batch)
    ys = tensor(given["y"]).long().split(batch)
    taken = 0

    def run(steps, _links):
        nonlocal taken
        losses = []
        for _ in range(steps):
            x, y = xs[taken % len(xs)], ys[taken % len(ys)]
            taken += 1
            for group in optimizer.param_groups:
                group["eps"] = of["epsilon"] / (1 - of["beta_2"] ** taken) ** 0.5
            logits = gpt(parameters, x, workload["gpt"]) if is_gpt else cnn(parameters, x)
            loss = F.cross_entropy(logits.flatten(0, -2), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return run


def predicting(workload, given):
    parameters, array = matrices(given), given["x"]

    def run(times, _links):
        with torch.inference_mode():
            for _ in range(times):
                outputs = F.softmax(cnn(parameters, images(array)), 1).numpy()
        return outputs.flatten().tolist()

    return run


def chain(workload, given):
    is_product = workload["op"] == "product"
    if is_product:
        first, by = tensor(given["x"]), tensor(given["kernel"])
    else:
        first = images(given["x"])
        by = tensor(given["kernel"].transpose(3, 2, 0, 1)).contiguous(memory_format=torch.channels_last)

    def run(times, links):
        with torch.inference_mode():
            for _ in range(times):
                x = first
                for _ in range(links + 1):
                    x = x @ by if is_product else F.conv2d(x, by, padding=1)
        return (x if is_product else x.permute(0, 2, 3, 1)).flatten()[:64].tolist()

    return run


def main():
    torch.set_num_threads(int(sys.argv[1]))
    openers = {"train": training, "predict": predicting, "chain": chain}
    serve(lambda workload, given: openers[workload["kind"]](workload, given), lambda: {"version": torch.__version__, "threads": torch.get_num_threads()})


main()
