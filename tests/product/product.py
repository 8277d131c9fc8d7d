"""Runs the programs as a person would, in a scratch folder of its own."""

import json
import os
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ["WATTLE_BIN"])
WATTLE = str(BIN / "wattle")


class Product(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return file

    def start(self, *arguments, alone=False, **options):
        """Tests run side by side, and none of them cares what the others cost: `alone` asks for the machine."""
        if "run" in arguments and not alone:
            arguments = (*arguments, "--shared")
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen([WATTLE, *map(str, arguments)], cwd=self.folder, **options)

    def wattle(self, *arguments, code=0, **options):
        """Runs to the end; the exit code must be `code`. Returns stdout and stderr."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=240)
        self.assertEqual(process.returncode, code, f"wattle {arguments}\n{out}\n{err}")
        return out, err

    def json(self, *arguments, code=0):
        return json.loads(self.wattle("--json", *arguments, code=code)[0])

    # A script that trains nothing but behaves like training: it prints a line an epoch, and burns CPU for `seconds`.
    SCRIPT = """
        import argparse, random, time
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float, default=0.1)
        parser.add_argument("--epochs", type=int, default=2)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--seconds", type=float, default=0.05)
        a = parser.parse_args()
        random.seed(a.seed)
        for epoch in range(1, a.epochs + 1):
            end = time.monotonic() + a.seconds
            while time.monotonic() < end:
                pass
            print(f"epoch {epoch} val_acc {0.9 + 0.01 * random.random() - abs(a.lr - 0.1) / 100:.4f}")
        """

    PATTERN = r"epoch (?<epoch>\d+) val_acc (?<value>[0-9.]+)"

    def study(self, seconds=0.05, repetitions=3):
        self.write("train.py", self.SCRIPT)
        return self.write("study.toml", f"""
            [study]
            name = "toy"
            seed = 7
            repetitions = {repetitions}

            [workload.toy]
            command = ["/usr/bin/python3", "train.py", "--lr", "{{lr}}", "--epochs", "{{epochs}}", "--seed", "{{seed}}",
                       "--seconds", "{seconds}"]
            metric = {{ name = "accuracy", goal = "maximize", tolerance = 0.05, regex = '{self.PATTERN}' }}
            [workload.toy.parameters]
            lr = {{ default = 0.1, type = "float", domain = [1e-6, 10.0] }}
            epochs = {{ default = 2, type = "int", domain = [1, 100] }}

            [[mutate]]
            parameter = "lr"
            operator = "log_scale"
            range = [0.1, 10.0]
            mutants = 1
            [[mutate]]
            parameter = "epochs"
            operator = "step"
            step = 1
            mutants = 1
            """)


def live_processes_with(text):
    """Command lines of the processes whose arguments or environment hold the text, zombies and this process left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            content = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if state != "Z" and text.encode() in content:
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found
