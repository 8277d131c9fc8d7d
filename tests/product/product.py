"""Runs the programs as a person would, in a scratch folder of its own."""

import json
import os
import subprocess
import tempfile
import textwrap
import time
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

    # Other tests, and other people, may measure this machine meanwhile: who tests that says alone=True.
    def start(self, *arguments, alone=False, **options):
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

    def json(self, *arguments, code=0, **options):
        return json.loads(self.wattle("--json", *arguments, code=code, **options)[0])

    def mounted(self, size):
        """A small file system of its own, where we may mount one."""
        place = self.folder / "disk"
        place.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True).returncode:
            self.skipTest("needs the right to mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", place], check=True)
        return place

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

    def trainers(self, repetitions=1, head="", protocol="", tail="", options="", **scripts):
        """A study of Python scripts, a workload each, that print `acc VALUE`; no hyperparameters."""
        parts = [f'[study]\nname = "toy"\nseed = 7\nrepetitions = {repetitions}\n{head}\n[protocol]\n{protocol}\n']
        for name, script in scripts.items():
            self.write(f"{name}.py", script)
            parts.append(f"""
                [workload.{name}]
                command = ["/usr/bin/python3", "{name}.py"]
                metric = {{ name = "acc", goal = "maximize", tolerance = 0.05, regex = 'acc (?<value>[0-9.]+)' }}
                {options}
                """)
        return self.write("study.toml", "\n".join(textwrap.dedent(part) for part in [*parts, tail]))

    def assert_sound(self, *options):
        """The store verifies, and no process of a run is left."""
        self.assertTrue(self.json(*options, "store", "verify")["sound"])
        self.assertEqual(live_processes_with(str(self.folder)), [])


def wait_for(condition, seconds=60):
    """Looks until it holds; says whether it does."""
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return held


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
