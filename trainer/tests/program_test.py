"""Runs wattle-train as Wattle does and reads what it says. Usage: program_test.py WATTLE_TRAIN [TestCase…]"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "wattle-train"
SHORT = ["--train-samples", "512", "--validation-samples", "250", "--test-samples", "250", "--epochs", "2"]


class Run:
    def __init__(self, *flags, events=True, **options):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "events.jsonl")
            environment = {key: value for key, value in os.environ.items() if not key.startswith("WATTLE_")}
            if events:
                with open(path, "w"):
                    pass
                environment["WATTLE_EVENTS"] = path
            result = subprocess.run([PROGRAM, *flags], capture_output=True, text=True, env=environment, **options)
            self.code, self.out, self.error = result.returncode, result.stdout, result.stderr
            self.lines = []
            if events:
                with open(path, encoding="utf-8") as file:
                    self.lines = file.read().split("\n")
        self.events = [json.loads(line) for line in self.lines if line]

    def of(self, kind):
        return [event for event in self.events if event["event"] == kind]


def metrics(run):
    return [(e["name"], e["split"], e.get("epoch"), e["value"]) for e in run.of("metric")]


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.run_ = Run(*SHORT)

    def test_lines_are_whole_numbered_and_in_time(self):
        run = self.run_
        self.assertEqual(run.code, 0, run.error)
        self.assertEqual(run.lines[-1], "", "the last line ends with a newline")
        self.assertTrue(all(len(line) < 4096 for line in run.lines))
        self.assertEqual([event["seq"] for event in run.events], list(range(len(run.events))))
        self.assertEqual(len({event["pid"] for event in run.events}), 1)
        times = [event["t"] for event in run.events]
        self.assertEqual(times, sorted(times))

    def test_hello_is_first_and_done_last(self):
        first, last = self.run_.events[0], self.run_.events[-1]
        self.assertEqual((first["event"], first["protocol"], first["program"]), ("hello", 1, "wattle-train"))
        with open("/proc/sys/kernel/random/boot_id") as file:
            self.assertEqual(first["boot_id"], file.read().strip())
        self.assertGreaterEqual(first["boottime"], first["t"])
        self.assertEqual((last["event"], last["status"]), ("done", "completed"))

    def test_phases_do_not_overlap_and_come_in_order(self):
        names, opened = [], None
        for event in self.run_.events:
            if event["event"] == "phase_begin":
                self.assertIsNone(opened)
                opened = event["phase"]
                names.append((opened, event.get("epoch")))
            elif event["event"] == "phase_end":
                self.assertEqual(event["phase"], opened)
                opened = None
        self.assertEqual(names, [("load", None), ("train", 1), ("validate", 1), ("train", 2), ("validate", 2),
                                 ("test", None)])

    def test_no_time_falls_between_epochs(self):
        first, second = self.run_.of("epoch")
        self.assertEqual((first["epoch"], second["epoch"]), (1, 2))
        self.assertEqual(second["begin"], first["t"])
        begins = [event["t"] for event in self.run_.of("phase_begin") if event["phase"] == "train"]
        self.assertEqual(begins, [first["begin"], second["begin"]])

    def test_every_pass_tells_loss_and_accuracy_and_evaluations_more(self):
        rates = ["precision", "recall", "f1"]
        expected = [(name, split, epoch)
                    for split, epoch, more in (("train", 1, []), ("validation", 1, rates), ("train", 2, []),
                                               ("validation", 2, rates), ("test", None, rates + ["auc"]))
                    for name in ["loss", "accuracy"] + more]
        expected += [("images_seen", "train", None), ("gflops", "train", None)]
        self.assertEqual([(name, split, epoch) for name, split, epoch, _ in metrics(self.run_)], expected)

    def test_what_the_cost_is_divided_by_is_told(self):
        told = {name: value for name, _, epoch, value in metrics(self.run_) if epoch is None}
        samples = json.loads(Run(*SHORT, "--json").out)["samples"]
        self.assertEqual(told["images_seen"], 2 * (samples["train"] + samples["validation"]))
        summary = json.loads(Run("--summary", "--json", "--model", "lenet5", "--channels", "1", "--input-size", "28").out)
        self.assertEqual(told["gflops"], summary["gflops"])

    def test_stand_ins_are_called_synthetic(self):
        self.assertEqual(self.run_.events[0]["details"]["synthetic"], 1)
        for row in json.loads(Run("--list").out)["datasets"]:
            self.assertEqual(row["synthetic"], row["meaning"].startswith("synthetic:"))

    def test_people_read_one_line_an_epoch(self):
        self.assertRegex(self.run_.out, r"(?m)^epoch 2 train_loss \d\.\d+ train_acc 0\.\d+ val_loss \d\.\d+ val_acc 0")
        self.assertRegex(self.run_.out, r"(?m)^test_loss \d\.\d+ test_acc 0\.\d+$")

    def test_without_wattle_it_just_trains(self):
        self.assertEqual(Run(*SHORT, events=False).code, 0)


class Seeds(unittest.TestCase):
    def test_the_same_seed_gives_the_same_bits(self):
        for extra in ([], ["--dropout", "0.3", "--augmentation", "crop_flip", "--optimizer", "adadelta",
                           "--learning-rate", "1"]):
            flags = [*SHORT, "--seed", "7", *extra]
            first, second = Run(*flags), Run(*flags)
            self.assertEqual(first.code, 0, first.error)
            self.assertEqual(metrics(first), metrics(second))

    def test_another_seed_gives_other_numbers(self):
        self.assertNotEqual(metrics(Run(*SHORT, "--seed", "7")), metrics(Run(*SHORT, "--seed", "8")))

    def test_a_run_of_resnet_repeats_too(self):
        flags = ["--model", "resnet20", "--train-samples", "64", "--validation-samples", "32", "--test-samples", "32",
                 "--epochs", "1", "--learning-rate", "0.1"]
        self.assertEqual(metrics(Run(*flags)), metrics(Run(*flags)))


class Json(unittest.TestCase):
    def test_a_result_is_json_alone_on_standard_output(self):
        run = Run(*SHORT, "--json")
        result = json.loads(run.out)
        self.assertIn("epoch 2", run.error)
        self.assertEqual(result["status"], "completed")
        self.assertEqual(result["parameters"], 61706)
        self.assertEqual(len(result["epochs"]), 2)
        told = {(name, split, epoch): value for name, split, epoch, value in metrics(run)}
        self.assertEqual(result["test"]["accuracy"], told["accuracy", "test", None])
        self.assertEqual(result["epochs"][1]["validation"]["loss"], told["loss", "validation", 2])

    def test_list_has_the_documented_fields(self):
        listing = json.loads(Run("--list").out)
        self.assertEqual(list(listing), ["program", "version", "protocol", "libtorch", "devices", "models", "datasets",
                                         "hyperparameters"])
        self.assertIn({"name": "glyphs", "path": False, "synthetic": True},
                      [{key: row[key] for key in ("name", "path", "synthetic")} for row in listing["datasets"]])
        for row in listing["hyperparameters"]:
            self.assertIn(row["type"], ("bool", "int", "float", "choice"))
            self.assertTrue(row["meaning"])
            if row["type"] in ("int", "float"):
                self.assertLessEqual(row["minimum"], row["default"])
                self.assertLessEqual(row["default"], row["maximum"])
            elif row["type"] == "choice":
                self.assertIn(row["default"], row["choices"])

    def test_every_hyperparameter_is_a_flag_that_takes_its_default(self):
        flags = []
        for row in json.loads(Run("--list").out)["hyperparameters"]:
            default = row["default"] if row["type"] == "choice" else json.dumps(row["default"])
            flags += ["--" + row["name"].replace("_", "-"), default]
        self.assertEqual(Run(*flags, "--summary").code, 0)

    def test_a_result_of_a_stand_in_says_so(self):
        self.assertIs(json.loads(Run(*SHORT, "--json").out)["synthetic"], True)

    def test_summary_counts_layers(self):
        summary = json.loads(Run("--summary", "--model", "resnet20", "--classes", "100", "--input-size", "32",
                                 "--json").out)
        self.assertEqual(summary["parameters"], 269722 + 90 * 65)
        self.assertEqual(sum(layer["parameters"] for layer in summary["layers"]), summary["parameters"])
        self.assertAlmostEqual(sum(layer["gflops"] for layer in summary["layers"]), summary["gflops"])
        self.assertRegex(Run("--summary", "--model", "lenet5").out, "61706 parameters")

    def test_help_and_version(self):
        text = Run("--help").out
        for row in json.loads(Run("--list").out)["hyperparameters"]:
            self.assertIn("--" + row["name"].replace("_", "-"), text)
        self.assertRegex(Run("--version").out, r"^wattle-train \d+\.\d+\.\d+\n$")


class ExitCodes(unittest.TestCase):
    def test_bad_flags_say_what_would_be_right_and_leave_no_events(self):
        run = Run("--learning-rat", "0.1")
        self.assertEqual((run.code, run.events, run.out), (2, [], ""))
        self.assertIn("did you mean `--learning-rate`?", run.error)
        run = Run("--learning-rate", "5000")
        self.assertEqual(run.code, 2)
        self.assertIn("--learning-rate 5000: must be from 0, at most 1000", run.error)

    def test_a_damaged_image_has_a_code_of_its_own(self):
        with tempfile.TemporaryDirectory() as folder:
            for split in ("train", "test"):
                for name in ("a", "b"):
                    os.makedirs(os.path.join(folder, split, name))
                    for number in range(10):
                        with open(os.path.join(folder, split, name, f"{number}.jpg"), "wb") as file:
                            file.write(b"\xff\xd8\xff\xe0 no image")
            run = Run("--dataset", "folder", "--data", folder)
        self.assertEqual(run.code, 7)
        self.assertEqual(run.events[-1]["status"], "failed")
        self.assertIn(".jpg", run.events[-1]["reason"])

    def test_bad_data_is_told_in_the_events_too(self):
        run = Run("--dataset", "idx", "--data", "/nonexistent")
        self.assertEqual(run.code, 2)
        self.assertEqual((run.events[-1]["event"], run.events[-1]["status"]), ("done", "failed"))
        self.assertIn("/nonexistent", run.events[-1]["reason"])
        self.assertIn("/nonexistent", run.error)

    def test_an_image_too_small_for_the_model_is_refused(self):
        self.assertEqual(Run("--summary", "--model", "lenet5", "--input-size", "11").code, 2)

    def test_cuda_where_there_is_none_is_one_clear_line(self):
        if "cuda" in json.loads(Run("--list").out)["devices"]:
            self.skipTest("this machine has CUDA")
        for device in ("cuda", "cuda:0", "cuda:12"):
            run = Run("--device", device)
            self.assertEqual(run.code, 3)
            self.assertEqual(run.error.count("\n"), 1)
            self.assertIn(f"--device {device}", run.error)

    def test_what_is_no_device_is_refused(self):
        for device in ("gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1234", "CPU", ""):
            self.assertEqual(Run("--device", device).code, 2, device)

    def test_a_loss_that_is_no_number_is_divergence(self):
        run = Run(*SHORT[:-1], "5", "--learning-rate", "1000", "--weight-decay", "10")
        self.assertEqual(run.code, 4)
        self.assertEqual(run.events[-1]["status"], "diverged")
        self.assertIn("nan", [value for name, _, _, value in metrics(run) if name == "loss"])

    def test_memory_that_is_not_there_is_said(self):
        limit = 6 << 30
        run = Run("--train-samples", "900000000",
                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        self.assertEqual(run.code, 5, run.error)
        self.assertEqual(run.events[-1]["status"], "failed")

    def test_a_full_disk_is_said(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([PROGRAM, "--list"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 6)

    def test_an_event_file_that_is_not_there_is_said(self):
        result = subprocess.run([PROGRAM, *SHORT], env={**os.environ, "WATTLE_EVENTS": "/nonexistent/events"},
                                capture_output=True)
        self.assertEqual(result.returncode, 6)

    def test_a_signal_ends_a_run_cleanly(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as file:
                child = subprocess.Popen([PROGRAM, "--epochs", "1000"], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, env={**os.environ, "WATTLE_EVENTS": file.name})
                text = ""
                while '"phase":"train"' not in text:  # until it trains
                    time.sleep(0.02)
                    text += file.read()
                    self.assertIsNone(child.poll())
                child.send_signal(number)
                self.assertEqual(child.wait(), 130)
                last = (text + file.read()).strip().split("\n")[-1]
            self.assertEqual(json.loads(last)["status"], "failed")
            self.assertIn("interrupted", json.loads(last)["reason"])


class Difficulty(unittest.TestCase):
    """Glyphs must neither be learned at once nor be beyond LeNet-5, and settings must matter. Slow."""

    @staticmethod
    def accuracies(*flags):
        run = Run("--seed", "1", *flags)
        return [value for name, split, _, value in metrics(run) if (name, split) == ("accuracy", "validation")]

    def test_lenet_needs_several_epochs_and_gets_there(self):
        default = self.accuracies()
        self.assertLess(default[0], 0.97)
        self.assertLess(default[0], default[-1] - 0.05)
        self.assertGreater(default[-1], 0.90)
        self.assertLess(self.accuracies("--learning-rate", "0.005")[-1], default[-1] - 0.05)
        self.assertLess(self.accuracies("--batch-size", "256")[-1], default[-1] - 0.01)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # so that what is skipped says so
