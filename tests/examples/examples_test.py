"""The examples do what their pages say: each study runs to its end, and what Wattle read of a run's metric is what the
script says when it is run by hand with the same arguments."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WATTLE = str(Path(os.environ["WATTLE_BIN"]) / "wattle")


def has_torch():
    return subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, check=False).returncode == 0


class Example(unittest.TestCase):
    def study(self, folder, study, edit=lambda text: text):
        """Runs a study on a copy of its folder; returns the plan's runs and configurations, and the stored runs by key."""
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name) / folder
        shutil.copytree(EXAMPLES / folder, self.folder)
        file = self.folder / study
        file.write_text(edit(file.read_text(encoding="utf-8")), encoding="utf-8")
        self.file = study
        plan = self.wattle("plan", study)
        self.wattle("run", study)
        stored = self.wattle("list")
        self.assertEqual(sorted(run["run"] for run in plan["runs"]), sorted(run["run"] for run in stored))
        for run in stored:
            self.assertEqual(run["end"], "completed", run)
            self.assertTrue((run["measured_energy_j"] or run["estimated_energy_j"]) > 0, run)
        return plan, {run["run"]: run for run in stored}

    def wattle(self, *arguments):
        done = subprocess.run([WATTLE, "--json", "--store", str(self.folder / "wattle.db"), *arguments], cwd=self.folder,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def by_hand(self, arguments):
        # Thread counts are part of the arithmetic: sums in another order train to other weights.
        one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        return subprocess.run(arguments, cwd=self.folder, env={**os.environ, **one_thread}, capture_output=True, text=True,
                              check=True).stdout

    def assert_nothing_left_to_do(self):
        again = self.wattle("run", self.file)
        self.assertEqual((again["finished_now"], again["to_do"]), (0, 0))

    def values_of(self, plan, run):
        configuration = next(c for c in plan["configurations"] if c["configuration"] == run["configuration"])
        return configuration["hyperparameters"]


class PyTorchScript(Example):
    def test_prints_what_was_stored(self):
        if not has_torch():
            self.skipTest(f"{sys.executable} has no torch (Debian: python3-torch)")
        shorter = lambda text: text.replace("epochs = { default = 8", "epochs = { default = 2")  # noqa: E731
        plan, stored = self.study("pytorch_script", "study.toml", shorter)
        self.assertEqual(len(stored), 8)
        run = plan["runs"][0]
        printed = re.findall(r"val_acc ([\d.]+)", self.by_hand(run["arguments"]))
        self.assertEqual(len(printed), 2)
        self.assertEqual(stored[run["run"]]["performance"], float(printed[-1]))
        switched = [run for run in plan["runs"] if self.values_of(plan, run)["nesterov"]]
        self.assertEqual(len(switched), 2)
        for run in plan["runs"]:
            self.assertEqual("--nesterov" in run["arguments"], run in switched)
        self.assert_nothing_left_to_do()


class ConfigFile(Example):
    def configuration_by_hand(self, plan, run, template):
        values = {**self.values_of(plan, run), "seed": run["training_seed"], "run_dir": str(self.folder)}
        text = re.sub(r"\{(\w+)\}", lambda m: str(values[m.group(1)]), (self.folder / template).read_text(encoding="utf-8"))
        (self.folder / "by_hand.json").write_text(text, encoding="utf-8")
        self.by_hand([sys.executable, "train.py", "by_hand.json"])

    def test_leaves_in_a_csv_file_what_was_stored(self):
        plan, stored = self.study("config_file", "study_csv.toml")
        self.assertEqual(len(stored), 6)
        for run in plan["runs"]:
            self.configuration_by_hand(plan, run, "config.json.in")
            with open(self.folder / "metrics.csv", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            self.assertEqual(stored[run["run"]]["performance"], float(rows[-1]["val_accuracy"]))
        self.assert_nothing_left_to_do()

    def test_leaves_in_json_lines_what_was_stored(self):
        plan, stored = self.study("config_file", "study_json_lines.toml")
        self.assertEqual(len(stored), 6)
        for run in plan["runs"]:
            self.configuration_by_hand(plan, run, "config_lines.json.in")
            rows = [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
            self.assertEqual(stored[run["run"]]["performance"], rows[-1]["val_accuracy"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
