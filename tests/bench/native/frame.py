"""The frame of a contender outside the browser: one JSON object a line, asked and answered, as `contenders/host.mjs` does in a page."""

import json
import struct
import sys
import time

import numpy as np


def read(path):
    """Tensors of a safetensors file by name."""
    with open(path, "rb") as file:
        contents = file.read()
    (length,) = struct.unpack("<Q", contents[:8])
    header = json.loads(contents[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(contents[begin:end], np.float32).reshape(entry["shape"])
    return tensors


def elapsed(work):
    began = time.perf_counter()
    result = work()
    return (time.perf_counter() - began) * 1e3, result


def serve(open_workload, facts):
    """`open_workload(workload, given)` brings `run(times, links)`, which gives losses of steps, or outputs."""
    workload, run, first = None, None, []

    def answer(request):
        nonlocal workload, run, first
        match request["ask"]:
            case "open":
                workload = request["workload"]
                given = read(request["given"])
                open_ms, run = elapsed(lambda: open_workload(workload, given))
                first_ms, first = elapsed(lambda: run(1, 0))
                return {"openMs": open_ms, "firstMs": first_ms}
            case "shown":
                count = request["count"]
                if workload["kind"] == "train":
                    first += run(count - len(first), 0)
                    return first
                return [float(x) for x in (run(1, workload["links"]) if workload["kind"] == "chain" else first)[:count]]
            case "time":
                times = request["times"]
                if workload["kind"] != "chain":
                    return elapsed(lambda: run(times, 0))[0] / times
                short, long = (elapsed(lambda: run(times, links))[0] for links in (0, workload["links"]))
                return (long - short) / times / workload["links"]
            case "facts":
                return facts()

    for line in sys.stdin:
        try:
            print(json.dumps({"ok": answer(json.loads(line))}), flush=True)
        except Exception as error:  # whatever it is becomes a row of the table
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
