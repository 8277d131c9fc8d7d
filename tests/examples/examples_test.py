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

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "product"))
from product import live_processes_with  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
BIN = Path(os.environ["WATTLE_BIN"])
WATTLE = str(BIN / "wattle")
# Where a program finds wattle.py and libwattle_meter without an installation.
os.environ["PYTHONPATH"] = str(ROOT / "python")
os.environ["C_INCLUDE_PATH"] = str(ROOT / "src" / "meter")
os.environ["LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"] = str(BIN.parent / "lib")


def has_torch():
    return subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, check=False).returncode == 0


class Example(unittest.TestCase):
    def copy(self, folder):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name) / folder
        shutil.copytree(EXAMPLES / folder, self.folder)

    def study(self, folder, study, edit=lambda text: text):
        """Runs a study on a copy of its folder; returns the plan's runs and configurations, and the stored runs by key."""
        self.copy(folder)
        return self.run_study(study, edit)

    def run_study(self, study, edit=lambda text: text):
        file = self.folder / study
        file.write_text(edit(file.read_text(encoding="utf-8")), encoding="utf-8")
        self.file = study
        plan = self.wattle("plan", study)
        self.wattle("run", study)
        stored = self.wattle("list")
        self.assertEqual(sorted(run["run"] for run in plan["runs"]), sorted(run["run"] for run in stored))
        for run in stored:
            self.assertEqual(run["end"], "completed", run)
            energy = run["measured_energy_j"] or run["estimated_energy_j"]
            if run["duration_s"] > 0.25:
                self.assertGreater(energy, 0, run)
            elif run["duration_s"] < 0.2:  # 20 updates of the model
                self.assertIsNone(energy, run)
        return plan, {run["run"]: run for run in stored}

    def wattle(self, *arguments):
        if arguments[0] == "run":  # tests run side by side
            arguments = (*arguments, "--shared")
        done = subprocess.run([WATTLE, "--json", "--store", str(self.folder / "wattle.db"), *arguments], cwd=self.folder,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def whole_records(self):
        """The stored records, whose windows must all be good and which nothing but a busy machine may have flagged."""
        records = self.wattle("export", "--format", "json")
        for record in records:
            self.assertLessEqual(set(record["flags"]), {"late samples", "foreign load"})
            self.assertEqual([window for window in record["windows"] if window.get("void_reason")], [])
        return records

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


class DataParallel(Example):
    def windows(self, epochs):
        one = [("train", "phase"), ("validate", "phase"), ("epoch", "epoch"), ("until epoch", "phase")]
        expected = [("run", "run", None), ("load", "phase", None)]
        return expected + [(name, kind, epoch) for epoch in range(1, epochs + 1) for name, kind in one]

    def test_two_ranks_are_one_run(self):
        if not has_torch():
            self.skipTest(f"{sys.executable} has no torch (Debian: python3-torch)")
        once = lambda text: text.replace("repetitions = 2", "repetitions = 1")  # noqa: E731
        plan, stored = self.study("data_parallel", "study.toml", once)
        self.assertEqual(len(stored), 2)
        for record in self.whole_records():
            self.assertEqual(sorted(((w["name"], w["kind"], w.get("epoch")) for w in record["windows"]), key=str),
                             sorted(self.windows(3), key=str))
            self.assertEqual([(m["name"], m["split"], m["epoch"]) for m in record["metrics"]],
                             [(name, split, epoch) for epoch in (1, 2, 3)
                              for name, split in (("loss", "train"), ("accuracy", "validation"))])
        printed = re.findall(r"val_acc ([\d.]+)", self.by_hand(plan["runs"][0]["arguments"]))
        self.assertAlmostEqual(stored[plan["runs"][0]["run"]]["performance"], float(printed[-1]), delta=5e-5)

    def test_every_rank_is_measured_and_none_is_left(self):
        if not has_torch():
            self.skipTest(f"{sys.executable} has no torch (Debian: python3-torch)")
        self.copy("data_parallel")
        # Each rank says what CPU time it took itself.
        script = self.folder / "train.py"
        script.write_text(script.read_text(encoding="utf-8").replace(
            '    wattle.done("completed")\n', '    wattle.done("completed")\n    import time\n'
            '    open(f"cpu-{rank}-{os.getpid()}", "w").write(str(time.process_time()))\n'), encoding="utf-8")
        environment = {**os.environ, "STARTED_BY": str(self.folder)}
        done = subprocess.run([WATTLE, "--json", "--output", "measured.json", "measure", "--", sys.executable, "train.py"],
                              cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(live_processes_with(str(self.folder)), [])
        measured = json.loads((self.folder / "measured.json").read_text(encoding="utf-8"))
        ranks = list(self.folder.glob("cpu-*"))
        self.assertEqual(sorted(file.name.split("-")[1] for file in ranks), ["0", "1"])
        used = sum(float(file.read_text()) for file in ranks)
        self.assertGreaterEqual(measured["user_cpu_s"] + measured["system_cpu_s"], used - 0.05)

    def test_one_rank_writes(self):
        if not has_torch():
            self.skipTest(f"{sys.executable} has no torch (Debian: python3-torch)")
        self.copy("data_parallel")
        (self.folder / "events.jsonl").touch()
        os.environ["WATTLE_EVENTS"] = str(self.folder / "events.jsonl")
        self.addCleanup(os.environ.pop, "WATTLE_EVENTS")
        self.by_hand([sys.executable, "train.py", "--epochs", "1"])
        lines = [json.loads(line) for line in (self.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
        self.assertEqual(len({line["pid"] for line in lines}), 1)
        self.assertEqual([line["event"] for line in lines],
                         ["hello", *["phase_begin", "phase_end"] * 3, "metric", "metric", "epoch", "done"])


class CProgram(Example):
    def test_is_built_as_its_page_says_and_stores_what_it_prints(self):
        self.copy("c_program")
        page = (self.folder / "README.md").read_text(encoding="utf-8")
        command = re.search(r"^gcc .*$", page, re.MULTILINE).group(0).split()
        subprocess.run([*command, *sanitizers()], cwd=self.folder, check=True)
        shorter = lambda text: text.replace("epochs = { default = 3", "epochs = { default = 2")  # noqa: E731
        plan, stored = self.run_study("study.toml", shorter)
        self.assertEqual(len(stored), 4)
        run = plan["runs"][0]
        lines = self.by_hand(run["arguments"]).splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertRegex(line, r"^epoch \d loss [\d.]+ accuracy [\d.]+ energy_j [\d.]+ uncertainty [\d.]+ "
                                   r"(measured|estimated) \(")
        printed = float(re.search(r"accuracy ([\d.]+)", lines[-1]).group(1))
        self.assertAlmostEqual(stored[run["run"]]["performance"], printed, delta=5e-5)
        for record in self.whole_records():
            phases = [window for window in record["windows"] if window["kind"] == "phase"]
            self.assertEqual(sum(window["name"] != "until epoch" for window in phases), 5)


def sanitizers():
    """What a program needs to be linked with where the library was built for a sanitizer."""
    symbols = subprocess.run(["nm", "-D", str(BIN.parent / "lib" / "libwattle_meter.so")], capture_output=True, text=True,
                             check=True).stdout
    return [flag for symbol, flag in (("__asan_init", "-fsanitize=address,undefined"), ("__tsan_init", "-fsanitize=thread"))
            if symbol in symbols]


if __name__ == "__main__":
    unittest.main(verbosity=2)
