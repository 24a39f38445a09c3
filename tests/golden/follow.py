"""What the scripts share that write a trajectory with its own examples: one run an optimizer, in double precision, and the file that tests/trajectories.rs reads."""

import datetime
import json
import platform

import numpy as np
import safetensors.numpy
import torch
from trajectories import HERE


def write(name, weights, trained, x, y, *, input, layers, loss, optimizers, batch):
    """Writes tests/golden/NAME.safetensors; `trained(spec, dtype)` gives the losses of the steps and the final norms with an optimizer."""
    tensors = {weight_name: weight.numpy().copy() for weight_name, weight in weights.items()}
    for run, spec in optimizers.items():
        losses, norms = trained(spec, torch.float64)
        single, _ = trained(spec, torch.float32)
        spread = np.max(np.abs(single / losses - 1))
        print(f"{name}, {run}: loss {losses[0]:.4f} to {losses[-1]:.4f}; single precision differs by {spread:.1e}")
        tensors |= {f"{run}/losses": losses.astype(np.float32), f"{run}/norms": norms.astype(np.float32)}
    tensors |= {"x": x.numpy().astype(np.float32), "y": np.asarray(y).astype(np.float32)}
    metadata = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "date": datetime.date.today().isoformat(),
        "model": json.dumps({"input": input, "layers": layers}),
        "loss": json.dumps(loss),
        "optimizers": json.dumps(optimizers),
        "batch_size": str(batch),
    }
    target = HERE / f"{name}.safetensors"
    safetensors.numpy.save_file(tensors, target, metadata)
    print(f"{target.name}: {sum(weight.numel() for weight in weights.values())} parameters, {target.stat().st_size / 1e6:.2f} MB")
