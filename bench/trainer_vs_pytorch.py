#!/usr/bin/env python3
"""Speed and cost of wattle-train beside PyTorch, end to end: decode, augment, train, validate.

    bench/trainer_vs_pytorch.py --trainer build/release/bin/wattle-train --data FOLDER_OR_TAR [--rounds 3] [--json FILE]
    bench/trainer_vs_pytorch.py --bare …      the training step alone

FOLDER_OR_TAR holds train/CLASS/*.jpg and test/CLASS/*.jpg (32 x 32, such as CIFAR-10 as JPEG); what is used of it is
copied to a temporary folder, so that both sides read the same files. Cases: LeNet-5, ResNet-20, MobileNetV2 and a Siamese
ResNet-18. Sides, run by turns so that a busy machine is busy for all:

  wattle     wattle-train, its best of the settings that fit the model (threads, replicas)
  tuned      PyTorch: channels_last, tcmalloc by LD_PRELOAD, best of 0 to 2 loader workers, best thread count
  default    PyTorch as a beginner writes it: contiguous tensors, a loader in the process, its default threads

Every side also runs with one thread ("equal"). Told are samples a second over the epochs after the first (training and
validation; the first one warms up), CPU seconds a sample over the whole process, start and loading included, and the
validation accuracy of the last epoch. Each side holds out a tenth of the train images, chosen in its own way.

With --device cuda both sides train on the GPU; tuned PyTorch also has pinned memory, fused optimizers, cuDNN's choice by trying,
and its best of 0 to 8 loader workers.

--bare times training only, of images that are in memory, without augmentation: for PyTorch slices of one normalised tensor, the
barest loop that still counts loss and answers; for wattle-train its train phases as it tells them, which still normalise and shuffle.
"""

import argparse
import json
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

CASES = {
    "lenet5": ["--model", "lenet5", "--learning-rate", "0.02", "--momentum", "0.9"],
    "resnet20": ["--model", "resnet20", "--learning-rate", "0.1", "--momentum", "0.9", "--batch-size", "128"],
    "mobilenet_v2": ["--model", "mobilenet_v2", "--learning-rate", "0.02", "--momentum", "0.9"],
    "siamese": ["--model", "siamese_resnet18", "--width", "1", "--optimizer", "adadelta", "--learning-rate", "1"],
}
BATCH = {"resnet20": 128}
# A share of --per-class: every case is to take about as long.
SHARE = {"lenet5": 1, "resnet20": 0.5, "mobilenet_v2": 0.5, "siamese": 0.2}


def unpack(source, folder, per_class):
    """The first `per_class` train images of each class and a tenth as many test images, as files."""
    limits = {"train": per_class, "test": max(per_class // 10, 2)}
    counts = {}

    def wanted(split, name):
        counts[split, name] = counts.get((split, name), 0) + 1
        return counts[split, name] <= limits[split]

    if os.path.isdir(source):
        for split in limits:
            for name in sorted(os.listdir(os.path.join(source, split))):
                os.makedirs(os.path.join(folder, split, name))
                for image in sorted(os.listdir(os.path.join(source, split, name)))[:limits[split]]:
                    shutil.copy(os.path.join(source, split, name, image), os.path.join(folder, split, name, image))
        return
    with tarfile.open(source) as tar:
        for member in tar:
            parts = member.name.strip("/").split("/")[-3:]
            if member.isfile() and len(parts) == 3 and parts[0] in limits and wanted(parts[0], parts[1]):
                os.makedirs(os.path.join(folder, *parts[:2]), exist_ok=True)
                with open(os.path.join(folder, *parts), "wb") as file:
                    file.write(tar.extractfile(member).read())


def child(command, environment):
    """Runs it; gives its standard output and the CPU seconds of its process tree."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if run.returncode:
        sys.exit(f"{' '.join(command)}\n{run.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return run.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def wattle(arguments, case, folder, threads, replicas):
    flags = [*CASES[case], "--dataset", "folder", "--data", folder, "--augmentation",
             "none" if arguments.bare else "crop_flip", "--epochs", str(arguments.epochs), "--threads", str(threads),
             "--device", arguments.device,
             "--replicas", str(replicas), "--precision", arguments.precision, "--json"]
    with tempfile.NamedTemporaryFile() as events:
        out, cpu = child([arguments.trainer, *flags],
                         {"OMP_NUM_THREADS": str(threads), "WATTLE_EVENTS": events.name if arguments.bare else ""})
        phases = train_phases(events.read())
    result = json.loads(out)
    train, validation = result["samples"]["train"], result["samples"]["validation"]
    images = train if arguments.bare else train + validation
    seconds = phases[1:] if arguments.bare else [epoch["duration_s"] for epoch in result["epochs"][1:]]
    return {"samples_per_s": images / statistics.mean(seconds),
            "cpu_s_per_sample": cpu / ((train + validation) * arguments.epochs),
            "metric": result["epochs"][-1]["validation"]["accuracy"], "setting": f"{threads} threads, {replicas} replicas"}


def train_phases(events):
    """Seconds of each train phase."""
    seconds, begun = [], None
    for line in events.splitlines():
        event = json.loads(line)
        if event["event"] == "phase_begin" and event["phase"] == "train":
            begun = event["t"]
        elif event["event"] == "phase_end" and begun is not None:
            seconds.append((event["t"] - begun) * 1e-9)
            begun = None
    return seconds


def pytorch(arguments, case, folder, tuned, threads, workers):
    environment = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    if tuned and arguments.tcmalloc:
        environment["LD_PRELOAD"] = arguments.tcmalloc
    command = [arguments.python, os.path.abspath(__file__), "--peer", case, "--data", folder, "--epochs",
               str(arguments.epochs), "--workers", str(workers), "--precision", arguments.precision,
               "--device", arguments.device]
    command += ["--tuned"] * tuned + ["--bare"] * arguments.bare
    out, cpu = child(command, environment)
    result = json.loads(out)
    result["cpu_s_per_sample"] = cpu / (result.pop("images") * arguments.epochs)
    result["setting"] = f"{threads or 'default'} threads, {workers} workers"
    return result


def peer(arguments):
    """PyTorch's side, in a process of its own."""
    import torch
    import torch.nn.functional as F
    from torchvision import datasets, models, transforms
    sys.argv = sys.argv[:1]
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "trainer", "tests"))
    import models_pytorch_test as ours

    torch.manual_seed(1)
    device = torch.device(arguments.device)
    fast = arguments.tuned and device.type == "cuda"
    torch.backends.cudnn.benchmark = fast
    case, siamese = arguments.peer, arguments.peer == "siamese"
    normal = [transforms.ToTensor(), transforms.Normalize((0.49, 0.48, 0.45), (0.25, 0.24, 0.26))]
    augmented = transforms.Compose([transforms.RandomCrop(32, 4), transforms.RandomHorizontalFlip(), *normal])
    folder = os.path.join(arguments.data, "train")
    sets = [datasets.ImageFolder(folder, one) for one in (augmented, transforms.Compose(normal))]
    order = torch.randperm(len(sets[0]), generator=torch.Generator().manual_seed(1)).tolist()
    held = len(order) // 10
    parts = [torch.utils.data.Subset(sets[0], order[held:]), torch.utils.data.Subset(sets[1], order[:held])]
    if siamese:
        parts = [Pairs(part) for part in parts]
    loaders = [torch.utils.data.DataLoader(part, BATCH.get(case, 64) if shuffle else 250, shuffle=shuffle,
                                           num_workers=arguments.workers, persistent_workers=arguments.workers > 0,
                                           pin_memory=fast)
               for part, shuffle in zip(parts, (True, False))]
    classes = len(sets[0].classes)
    if arguments.bare:
        loaders = [in_memory(parts[0], sets[1], BATCH.get(case, 64), device), []]
    model = {"lenet5": lambda: ours.LeNet5(3, classes, 0, 400), "resnet20": lambda: ours.ResNet20(3, classes),
             "mobilenet_v2": lambda: models.mobilenet_v2(num_classes=classes, dropout=0.0),
             "siamese": lambda: colour_siamese(ours.Siamese())}[case]()
    layout = torch.channels_last if arguments.tuned else torch.contiguous_format
    model = model.to(device, memory_format=layout)
    more = {"fused": True} if fast else {}
    optimizer = (torch.optim.Adadelta(model.parameters(), lr=1.0) if siamese else
                 torch.optim.SGD(model.parameters(), lr={"lenet5": 0.02, "resnet20": 0.1}.get(case, 0.02), momentum=0.9,
                                 **more))

    def placed(batch):
        images, labels = batch
        return (images.to(device, non_blocking=fast).to(memory_format=layout), labels.to(device, non_blocking=fast))

    def loss_of(scores, labels):
        if siamese:
            return F.binary_cross_entropy_with_logits(scores.squeeze(1), labels.float())
        return F.cross_entropy(scores, labels)

    seconds, right, total = [], 0, 0
    for _ in range(arguments.epochs):
        begin = time.monotonic()
        model.train()
        summed, hits = torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device)
        for images, labels in map(placed, loaders[0]):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, arguments.precision == "bf16"):
                scores = model(images)
            loss = loss_of(scores.float(), labels)
            loss.backward()
            optimizer.step()
            summed += loss.detach() * len(labels)
            hits += answers(scores, siamese).eq(labels).sum()
        model.eval()
        right = total = 0
        with torch.no_grad():
            for images, labels in map(placed, loaders[1]):
                scores = model(images)
                right += answers(scores, siamese).eq(labels).sum().item()
                total += len(labels)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.monotonic() - begin)
    timed = len(order) - held if arguments.bare else len(order)
    print(json.dumps({"samples_per_s": timed / statistics.mean(seconds[1:]), "metric": right / total if total else None,
                      "images": timed}))


def in_memory(part, plain, batch, device):
    """Batches that lie ready, the last and smaller one too."""
    import torch
    part = Pairs(torch.utils.data.Subset(plain, part.images.indices)) if isinstance(part, Pairs) else (
        torch.utils.data.Subset(plain, part.indices))
    images, labels = zip(*(part[index] for index in range(len(part))))
    images, labels = torch.stack(images).to(device), torch.tensor(labels, device=device)
    return [(images[begin:begin + batch], labels[begin:begin + batch]) for begin in range(0, len(images), batch)]


def answers(scores, siamese):
    return scores.squeeze(1).gt(0) if siamese else scores.argmax(1)


def colour_siamese(model):
    import torch
    model.resnet[0] = torch.nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    model.forward = lambda pair: model.fc(torch.cat([model.resnet(pair[:, i:i + 3]).flatten(1) for i in (0, 3)], 1))
    return model


class Pairs:
    """As PyTorch's example: half of the pairs of one class, partners drawn anew each time."""

    def __init__(self, images):
        import random
        self.images, self.random = images, random.Random(1)
        self.targets = [images.dataset.targets[index] for index in images.indices]
        self.members = {}
        for position, label in enumerate(self.targets):
            self.members.setdefault(label, []).append(position)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        import torch
        own, same = self.targets[index], self.random.random() < 0.5
        label = own if same else self.random.choice([one for one in self.members if one != own])
        other = self.random.choice(self.members[label])
        return torch.cat((self.images[index][0], self.images[other][0])), int(same)


def sides(arguments, case, folder):
    if arguments.device != "cpu":
        return {
            "wattle": [lambda: wattle(arguments, case, folder, 1, 1)],
            "tuned": [lambda w=w: pytorch(arguments, case, folder, True, 1, w)
                      for w in ((0,) if arguments.bare else (0, 1, 2, 4, 8))],
            "default": [lambda: pytorch(arguments, case, folder, False, 0, 0)],
        }
    cores = os.cpu_count() or 1
    small = case == "lenet5"
    ours = [(threads, replicas) for threads, replicas in ((1, 1), (cores, 1), (cores, cores if small else 1))]
    theirs = [(threads, workers) for threads in {1, cores} for workers in ((0,) if arguments.bare else (0, 1, 2))]
    return {
        "wattle": [lambda s=s: wattle(arguments, case, folder, *s) for s in dict.fromkeys(ours)],
        "tuned": [lambda s=s: pytorch(arguments, case, folder, True, *s) for s in theirs],
        "default": [lambda: pytorch(arguments, case, folder, False, 0, 0)],
        "wattle, 1 thread": [lambda: wattle(arguments, case, folder, 1, 1)],
        "tuned, 1 thread": [lambda: pytorch(arguments, case, folder, True, 1, 0)],
    }


def compare(arguments, folder):
    results = {}
    for case in arguments.cases:
        settings = sides(arguments, case, os.path.join(folder, case))
        # One round picks each side's best setting; the rounds that count interleave the sides with it.
        best = {}
        for side, choices in settings.items():
            tried = [choice() for choice in choices] if len(choices) > 1 else [None]
            best[side] = max(range(len(tried)), key=lambda i: tried[i]["samples_per_s"]) if len(choices) > 1 else 0
        rounds = {side: [] for side in settings}
        for number in range(arguments.rounds):
            for side in list(settings)[number % 2::] + list(settings)[:number % 2]:
                rounds[side].append(settings[side][best[side]]())
        results[case] = {side: {"samples_per_s": statistics.median(r["samples_per_s"] for r in runs),
                                "cpu_s_per_sample": statistics.median(r["cpu_s_per_sample"] for r in runs),
                                "metric": None if runs[0]["metric"] is None else statistics.median(
                                    r["metric"] for r in runs), "setting": runs[0]["setting"]}
                         for side, runs in rounds.items()}
        for side, row in results[case].items():
            accuracy = "" if row["metric"] is None else f"  accuracy {row['metric']:.3f}"
            print(f"{case:13} {side:17} {row['samples_per_s']:9.0f} samples/s {1e3 * row['cpu_s_per_sample']:8.3f} CPU ms"
                  f"/sample{accuracy}  ({row['setting']})", flush=True)
    for other in ("tuned", "default"):
        ratios = [row["wattle"]["samples_per_s"] / row[other]["samples_per_s"] for row in results.values()]
        print(f"wattle / {other}: geometric mean {math.exp(statistics.mean(map(math.log, ratios))):.2f}, "
              + ", ".join(f"{case} {ratio:.2f}" for case, ratio in zip(results, ratios)))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", default="build/release/bin/wattle-train")
    parser.add_argument("--python", default="/usr/bin/python3", help="that has torch and torchvision")
    parser.add_argument("--data", required=True)
    parser.add_argument("--per-class", type=int, default=500, help="train images of each class")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", action="store_true", help="time the training step alone")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--tcmalloc", default="/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4")
    parser.add_argument("--json", help="write the results there")
    parser.add_argument("--peer", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--tuned", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.epochs < 2:
        parser.error("--epochs: at least 2, the first one warms up")
    if arguments.peer:
        return peer(arguments)
    if not os.path.exists(arguments.tcmalloc):
        print(f"{arguments.tcmalloc} is not there: PyTorch runs without tcmalloc", file=sys.stderr)
        arguments.tcmalloc = None
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {arguments.device}, {arguments.precision}"
          f"{', the bare step' if arguments.bare else ''}")
    with tempfile.TemporaryDirectory() as folder:
        for case in arguments.cases:
            unpack(arguments.data, os.path.join(folder, case), int(arguments.per_class * SHARE[case]))
        results = compare(arguments, folder)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
