#!/usr/bin/env python3
"""What only a machine with an NVIDIA GPU can show, in one go, as evidence to be kept.

    bench/gpu_checks.py --data cifar10-jpeg.tar.gz --output gpu.json [--wattle W] [--trainer T] [--python P] [--only STEP…]

Steps:
  counter   the GPU's energy counter beside the integral of its power, while it idles, works and works by turns
  same      the same seed on the CPU and on the GPU: losses of the first epochs; and whether steps were recorded as a graph
  speed     bench/trainer_vs_pytorch.py --device cuda, end to end and the bare step, in fp32 and bf16
  study     a small study on the GPU, and what `wattle report` finds

A step that fails is told in the result, and the next one is taken. Nothing of the GPU's settings is changed. Takes about 15
minutes. DATA: as bench/trainer_vs_pytorch.py wants it. PYTHON needs torch with CUDA, and torchvision for `speed`.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
LOAD = """
import sys, time, torch
busy, idle, end = float(sys.argv[1]), float(sys.argv[2]), time.monotonic() + float(sys.argv[3])
a = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
while time.monotonic() < end:
    stop = time.monotonic() + busy
    while time.monotonic() < stop:
        for _ in range(20):
            b = a @ a
        torch.cuda.synchronize()
    time.sleep(idle)
"""
STUDY = """\
[study]
name = "gpu-check"
seed = 1
repetitions = 6

[workload.lenet]
trainer = "builtin"
model = "lenet5"
dataset = "glyphs"
metric = { name = "accuracy", goal = "maximize", tolerance = 0.02 }
[workload.lenet.defaults]
epochs = 20

[environment]
device = "DEVICE"
threads = 1

[[mutate]]
parameter = "batch_size"
operator = "values"
values = [32, 256]
"""


def words(command, **options):
    run = subprocess.run(command, capture_output=True, text=True, **options)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {run.returncode}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
    return run


def counter(arguments, folder):
    script = os.path.join(folder, "load.py")
    with open(script, "w") as file:
        file.write(LOAD)
    rows = {}
    for name, load in {"idle": None, "busy": ("1", "0"), "by turns of 0.5 s": ("0.5", "0.5"),
                       "by turns of 20 ms": ("0.02", "0.02")}.items():
        command = ["sleep", "30"] if load is None else [arguments.python, script, *load, "30"]
        told = json.loads(words([arguments.wattle, "--json", "measure", "--", *command]).stdout)
        rows[name] = [{key: domain[key] for key in ("domain", "kind", "provenance", "energy_j", "mean_power_w",
                                                   "uncertainty", "coverage", "why_absent") if key in domain}
                      for domain in told["domains"] if "gpu" in domain["kind"] or "gpu" in domain["domain"]]
        counted = [row for row in rows[name] if row["provenance"] == "counter" and row.get("energy_j")]
        integrated = [row for row in rows[name] if row["provenance"] == "integrated_power" and row.get("energy_j")]
        for left, right in zip(counted, integrated):
            left["counter_over_integral"] = left["energy_j"] / right["energy_j"]
    return rows


def same(arguments, folder):
    rows = {}
    for case, flags in {"lenet5": ["--model", "lenet5"], "resnet20": ["--model", "resnet20", "--learning-rate", "0.05",
                        "--momentum", "0.9"], "forward_forward": ["--model", "forward_forward", "--optimizer", "adam",
                        "--learning-rate", "0.01"]}.items():
        for device in ("cpu", arguments.device):
            run = words([arguments.trainer, *flags, "--epochs", "3", "--train-samples", "2048", "--device", device, "--json"])
            result = json.loads(run.stdout)
            rows[f"{case}, {device}"] = {
                "train_loss": [epoch["train"]["loss"] for epoch in result["epochs"]],
                "test_accuracy": result["test"]["accuracy"], "seconds": [epoch["duration_s"] for epoch in result["epochs"]],
                "device_name": result.get("device_name"),
                "not_recorded": [line for line in run.stderr.splitlines() if "could not be recorded" in line]}
    return rows


def speed(arguments, folder):
    rows = {}
    for precision in ("fp32", "bf16"):
        for bare in ([], ["--bare"]):
            output = os.path.join(folder, "speed.json")
            run = words([arguments.python, os.path.join(HERE, "trainer_vs_pytorch.py"), "--device", arguments.device,
                         "--python", arguments.python, "--trainer", arguments.trainer, "--data", arguments.data,
                         "--precision", precision, "--per-class", str(arguments.per_class), "--rounds", "3", "--json", output,
                         *bare])
            with open(output) as file:
                rows[f"{precision}{', bare' if bare else ''}"] = {"results": json.load(file),
                                                                 "told": run.stdout.splitlines()[-2:]}
    return rows


def study(arguments, folder):
    file = os.path.join(folder, "study.toml")
    with open(file, "w") as out:
        out.write(STUDY.replace("DEVICE", arguments.device))
    store = ["--store", os.path.join(folder, "gpu.db")]
    environment = {**os.environ, "WATTLE_TRAINER": os.path.abspath(arguments.trainer)}
    words([arguments.wattle, *store, "run", file], env=environment)
    return {"runs": json.loads(words([arguments.wattle, *store, "--json", "list"]).stdout),
            "report": words([arguments.wattle, *store, "report"]).stdout.splitlines()}


STEPS = {"counter": counter, "same": same, "speed": speed, "study": study}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wattle", default="build/release/bin/wattle")
    parser.add_argument("--trainer", default="build/release/bin/wattle-train")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--data", required=True)
    parser.add_argument("--per-class", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--output", required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda", help="cpu: tries these checks, shows nothing")
    arguments = parser.parse_args()
    machine = "none"
    if arguments.device == "cuda":
        if not shutil.which("nvidia-smi"):
            sys.exit("gpu_checks: no nvidia-smi here, so no GPU")
        machine = words(["nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit",
                         "--format=csv,noheader"]).stdout.strip()
    evidence = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "gpu": machine,
                "cores": os.cpu_count(), "command": " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])}
    failed = False
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            try:
                evidence[name] = STEPS[name](arguments, folder)
            except (RuntimeError, OSError, ValueError, KeyError) as problem:
                evidence[name], failed = {"failed": str(problem)}, True
        print(textwrap.shorten(f"{name}: {json.dumps(evidence[name])}", 2000), flush=True)
        with open(arguments.output, "w") as file:  # after every step: what was found is kept
            json.dump(evidence, file, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
