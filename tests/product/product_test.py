"""The product as people meet it: commands, results, errors, exit codes."""

import csv
import io
import json
import os
import subprocess
import sys
import time
import unittest
from pathlib import Path

from product import BIN, ROOT, WATTLE, Product


class FirstMinutes(Product):
    def test_from_a_plain_script_to_a_finding_in_three_commands(self):
        self.write("train.py", self.SCRIPT)
        said, _ = self.wattle("init", "--repetitions", "2", "--", "/usr/bin/python3", "train.py", "--lr", "0.1",
                              "--epochs", "3", "--seed", "1")
        self.assertIn("val_acc", said)
        self.assertIn("next:  wattle run study.toml", said)
        self.wattle("run", "study.toml")
        report, _ = self.wattle("report")
        self.assertIn("val_acc", report)
        self.assertIn("estimated" if not measures(self) else "measured", report)

    def test_init_never_replaces_a_study_unasked(self):
        self.write("study.toml", "mine\n")
        self.wattle("init", "--", "/bin/echo", "acc 0.5", code=2)
        self.assertEqual((self.folder / "study.toml").read_text(), "mine\n")

    def test_init_of_a_command_that_fails_writes_nothing_and_says_why(self):
        _, err = self.wattle("init", "--", "/bin/sh", "-c", "echo bad luck >&2; exit 3", code=1)
        self.assertIn("exit code 3", err)
        self.assertIn("bad luck", err)
        self.assertFalse((self.folder / "study.toml").exists())


def measures(product):
    return product.json("doctor", "--quick")["measures"]


class StudyFiles(Product):
    def test_five_mistakes_are_five_errors_with_place_and_suggestion_and_nothing_runs(self):
        file = self.study()
        text = file.read_text()
        for right, wrong in [("repetitions = 3", 'repetitions = "three"'), ("goal =", "gaol ="),
                             ('"train.py"', '"trian.py"'), ('operator = "log_scale"', 'operator = "log_scal"'),
                             ("step = 1", "step = 1\nmutant = 2")]:
            self.assertIn(right, text)
            text = text.replace(right, wrong)
        file.write_text(text)
        for command in ("check", "plan", "run"):
            out, err = self.wattle(command, "study.toml", code=2)
            lines = [line for line in err.splitlines() if line.startswith("study.toml:")]
            self.assertGreaterEqual(len(lines), 5, err)
            for line in lines:
                place = line.split(" ")[0].split(":")
                self.assertGreater(int(place[1]), 0)
                self.assertGreater(int(place[2]), 0)
            for suggestion in ("`goal`", "`log_scale`", "`mutants`", "trian.py does not exist"):
                self.assertIn(suggestion, err)
            self.assertIn("nothing was run", err)
            self.assertEqual(out, "")
        self.assertFalse((self.folder / "wattle.db").exists())
        told = self.json("check", "study.toml", code=2)
        self.assertEqual(len(told["diagnostics"]), len(lines))

    def test_hostile_files_are_errors_not_crashes(self):
        for content in (b"", b"\xff\xfe\x00", b"[study", b"[[mutate]]\n" * 2000, b'x = "' + b"a" * 3_000_000 + b'"'):
            (self.folder / "bad.toml").write_bytes(content)
            self.wattle("check", "bad.toml", code=2)
        self.wattle("check", "none.toml", code=2)

    def test_an_edited_study_runs_what_is_new_and_says_what_it_leaves_out(self):
        file = self.study()
        self.wattle("run", file)
        file.write_text(file.read_text().replace("step = 1", "step = 2"))
        out, err = self.wattle("run", file)
        self.assertIn("left out", err)
        self.assertIn("9 of 9 runs done", out)
        self.assertEqual(len(self.json("list")), 12, "six old runs are kept, three are left out, three are new")
        self.assertEqual(self.json("status")["done"], 9)


class Runs(Product):
    def test_failures_have_a_reason_and_the_campaign_goes_on(self):
        file = self.study()
        script = self.folder / "train.py"
        script.write_text(script.read_text() + "if a.epochs == 2 and a.lr == 0.1: raise SystemExit('no luck today')\n")
        out, _ = self.wattle("run", file, code=1)
        self.assertIn("9 of 9 runs done", out)
        runs = self.json("list")
        failed = [run for run in runs if run["end"] == "failed"]
        self.assertEqual(len(failed), 3)
        for run in failed:
            self.assertIn("exit code 1", run["reason"])
            self.assertIn("no luck today", run["reason"])
        log, _ = self.wattle("show", failed[0]["run"], "--log")
        self.assertIn("no luck today", log)
        self.assertEqual(self.json("run", file)["finished_now"], 0, "a failed run is a result")

    def test_epochs_end_when_they_really_ended_though_python_buffers(self):
        file = self.study(seconds=0.6, repetitions=1)
        script = self.folder / "train.py"
        script.write_text(script.read_text().replace(
            "    print(", "    open('ends', 'a').write(f'{a.seed} {a.lr} {a.epochs} {time.monotonic_ns()}\\n')\n    print("))
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        self.wattle("run", file, env=environment)
        really = [line.split() for line in (self.folder / "ends").read_text().splitlines()]
        seen = 0
        for run in self.json("list"):
            record = self.json("show", run["run"])
            values = record["request"]["configuration"]["hyperparameters"]
            epochs = [w for w in record["windows"] if w["kind"] == "epoch"]
            for window in epochs:
                self.assertEqual(window.get("void_reason", ""), "")
            ends = [int(line[3]) for line in really if float(line[1]) == number(values["lr"]) and
                    int(line[2]) == number(values["epochs"])]
            self.assertEqual(len(epochs), len(ends))
            for window, end in zip(epochs, ends):
                self.assertLess(abs(window["end_ns"] - end), 100_000_000)
                seen += 1
        self.assertEqual(seen, 2 + 2 + (3 if any(int(line[2]) == 3 for line in really) else 1))

    def test_telemetry_is_a_measure_like_others(self):
        self.wattle("run", self.study(seconds=0.6, repetitions=2))
        rows = list(csv.DictReader(io.StringIO(self.wattle("export")[0])))
        self.assertTrue(all(0 <= float(row["mean:cpu_utilisation"]) <= 1 for row in rows))
        self.assertTrue(all(float(row["mean:run_resident_memory [B]"]) > 1e6 for row in rows))
        told = self.json("report", "--measure", "cpu_utilisation")["correlations"]
        self.assertIn("cpu_utilisation", {one["measure"] for one in told})
        _, err = self.wattle("report", "--measure", "cpu_utilization", code=2)
        self.assertIn("did you mean `cpu_utilisation`?", err)

    def test_results_for_other_programs(self):
        self.wattle("run", self.study(seconds=0.15))
        rows = list(csv.DictReader(io.StringIO(self.wattle("export")[0])))
        self.assertEqual(len(rows), 9)
        self.assertTrue(all(row["estimated_energy_j"] or row["measured_energy_j"] for row in rows))
        self.assertIn("lr", rows[0])
        self.assertGreater(len(list(csv.DictReader(io.StringIO(self.wattle("export", "--what", "epochs")[0])))), 9)
        self.assertEqual(len(self.json("export", "--format", "json")), 9)
        self.wattle("report", "--format", "html", "--output", "report.html")
        page = (self.folder / "report.html").read_text()
        for outside in ("http://", "https://", "src=", "@import"):
            self.assertNotIn(outside, page.replace("http://www.w3.org/2000/svg", ""))
        trace, _ = self.wattle("show", rows[0]["run"] if "run" in rows[0] else rows[0]["key"], "--trace")
        self.assertGreater(trace.count("\n"), 2)


def number(value):
    return float(value["value"]) if isinstance(value, dict) else float(value)


class Meter(Product):
    def tree(self, microjoules, range_uj=262143328850):
        for name, value in (("name", "package-0"), ("energy_uj", microjoules), ("max_energy_range_uj", range_uj)):
            self.write(f"root/sys/class/powercap/intel-rapl:0/{name}", f"{value}\n")
        return self.folder / "root"

    def test_a_counter_that_wraps_in_mid_run_gives_the_exact_joules(self):
        root = self.tree(262143000000)
        counter = root / "sys/class/powercap/intel-rapl:0/energy_uj"
        # In place, as the kernel does: the probe keeps the file open. 328850 µJ to the wrap, 671150 after it.
        moves = (f"import time; c = open('{counter}', 'r+'); time.sleep(0.3); c.write('671150      \\n'); c.flush(); "
                 "time.sleep(0.3)")
        told = json.loads(self.wattle("--json", "--sysroot", root, "measure", "--interval", "20ms", "--", sys.executable,
                                      "-c", moves)[0])
        self.assertEqual([d["energy_j"] for d in told["domains"] if d["domain"] == "package-0"], [1.0])
        self.assertEqual(told["measured"]["energy_j"], 1.0)
        self.assertIsNone(told["estimated"]["energy_j"], "what is measured is not estimated as well")

    @unittest.skipIf(os.geteuid() != 0, "only root can become somebody who may not read")
    def test_an_unreadable_counter_is_unavailable_with_the_fix_and_the_total_says_what_it_lacks(self):
        root = self.tree(1000)
        counter = root / "sys/class/powercap/intel-rapl:0/energy_uj"
        counter.chmod(0o400)
        for folder in (self.folder, *self.folder.rglob("*")):
            if folder.is_dir():
                folder.chmod(0o755)
        command = [WATTLE, "--json", "--sysroot", str(root), "doctor", "--quick"]
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        doctor = json.loads(subprocess.run(command, capture_output=True, check=True, **nobody).stdout)
        powercap = next(probe for probe in doctor["probes"] if probe["probe"] == "powercap")
        self.assertEqual(powercap["status"], "denied")
        self.assertIn("energy_uj", powercap["fix"])
        command = [WATTLE, "--json", "--sysroot", str(root), "measure", "--", "/bin/sleep", "0.1"]
        told = json.loads(subprocess.run(command, capture_output=True, check=True, **nobody).stdout)
        self.assertIsNone(told["measured"]["energy_j"])
        self.assertTrue(any("package-0" in missing for missing in told["missing_domains"]), told["missing_domains"])

    def test_streams_and_exit_code_pass_through(self):
        out, err = self.wattle("measure", "--", "/bin/sh", "-c", "echo to out; echo to err >&2; exit 7", code=7)
        self.assertEqual(out, "to out\n")
        self.assertIn("to err", err)
        self.assertIn("too short to measure", err)

    def test_arguments_reach_the_command_untouched(self):
        out, _ = self.wattle("measure", "--", "/usr/bin/printf", "%s|", "{}", "[1,2]", "--json", "-h", "", "a b", "$HOME")
        self.assertEqual(out, "{}|[1,2]|--json|-h||a b|$HOME|")


class CommandLine(Product):
    def test_help_has_examples_and_mistakes_are_answered(self):
        for command in ("init", "check", "plan", "run", "status", "list", "show", "report", "export", "measure", "doctor"):
            self.assertIn("Example", self.wattle(command, "--help")[0], command)
        _, err = self.wattle("reprot", code=2)
        self.assertIn("`wattle report`", err)
        self.wattle("run", code=2)
        self.wattle("list", "--nonsense", code=2)
        self.wattle("list", code=2)  # there is no store yet
        self.wattle("report", "--format", "pdf", code=2)

    def test_a_second_run_on_a_store_is_refused(self):
        file = self.study(seconds=2)
        first = self.start("run", file)
        deadline = time.monotonic() + 30
        while not (self.folder / "wattle.db.runs").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        _, err = self.wattle("run", file, code=3)
        self.assertIn(str(first.pid), err)
        self.assertTrue(self.json("status")["running"])
        first.terminate()
        first.communicate()

    def test_wattle_needs_no_libtorch(self):
        libraries = subprocess.run(["ldd", WATTLE], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("torch", libraries)


class BuiltInTrainer(Product):
    def short_quickstart(self):
        text = (ROOT / "studies/quickstart.toml").read_text()
        for long, short in [("repetitions = 8", "repetitions = 1"), ("epochs = 6", "epochs = 2"),
                            ("range = [0.75, 1.25]", "range = [0.5, 2.0]")]:
            self.assertIn(long, text)
            text = text.replace(long, short)
        self.write("study.toml", text)

    def test_without_the_trainer_its_studies_are_refused_for_the_machines_sake(self):
        self.write("study.toml", (ROOT / "studies/quickstart.toml").read_text())
        environment = {**os.environ, "WATTLE_TRAINER": str(self.folder / "none")}
        _, err = self.wattle("run", "study.toml", code=3, env=environment)
        self.assertIn("WATTLE_TRAINER", err)

    @unittest.skipUnless((BIN / "wattle-train").exists(), "wattle-train was not built (--no-trainer)")
    def test_a_study_of_the_built_in_trainer(self):
        self.short_quickstart()
        self.wattle("run", "study.toml")
        runs = self.json("list")
        self.assertEqual({run["end"] for run in runs}, {"completed"})
        self.assertEqual(len(runs), 5)
        record = self.json("show", runs[0]["run"])
        phases = {window["name"] for window in record["windows"]}
        self.assertLessEqual({"run", "load", "train", "validate", "test", "epoch"}, phases)
        self.assertTrue(all(run["performance_split"] == "test" for run in runs))

    @unittest.skipUnless((BIN / "wattle-train").exists(), "wattle-train was not built (--no-trainer)")
    def test_the_same_seed_gives_the_same_accuracy_in_two_stores(self):
        self.short_quickstart()
        values = []
        for store in ("one.db", "two.db"):
            self.wattle("--store", store, "run", "study.toml")
            values.append(sorted((run["run"], run["performance"]) for run in self.json("--store", store, "list")))
        self.assertEqual(values[0], values[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
