"""Checkpoints: resumed runs, weights that travel, ledgers, disks that are full. Usage: checkpoints_test.py WATTLE_TRAIN"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
try:
    import export_torchvision as safetensors
except ImportError:  # no numpy
    safetensors = None

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "wattle-train"
SHORT = ["--train-samples", "256", "--validation-samples", "100", "--test-samples", "100", "--seed", "7"]


class Checkpoints(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def train(self, *flags, code=0, events=False, **options):
        environment = {key: text for key, text in os.environ.items() if not key.startswith("WATTLE_")}
        if events:
            environment["WATTLE_EVENTS"] = self.path("events.jsonl")
            with open(environment["WATTLE_EVENTS"], "w"):
                pass
        run = subprocess.run([PROGRAM, *SHORT, "--json", *flags], capture_output=True, text=True, env=environment, **options)
        self.assertEqual(run.returncode, code, run.stderr)
        self.error = run.stderr
        return json.loads(run.stdout) if run.stdout else None

    def same_weights(self, one, other):
        with open(self.path(one), "rb") as left, open(self.path(other), "rb") as right:
            headers = []
            for file in (left, right):
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(length))
                header.pop("__metadata__")
                headers.append(header)
            self.assertEqual(headers[0], headers[1])
            self.assertEqual(left.read(), right.read())

    def resumes_alike(self, *flags, first="2", all_="4"):
        whole = self.train(*flags, "--epochs", all_, "--save", self.path("whole"))
        self.train(*flags, "--epochs", first, "--checkpoint", self.path("half"))
        rest = self.train(*flags, "--epochs", all_, "--resume", self.path("half"), "--save", self.path("rest"))
        for one, other in zip(whole["epochs"], rest["epochs"]):
            one.pop("duration_s"), other.pop("duration_s")
        self.assertEqual(whole["epochs"], rest["epochs"])
        self.assertEqual(whole["test"], rest["test"])
        self.same_weights("whole", "rest")
        return rest

    def test_a_resumed_run_comes_to_the_same_bits(self):
        rest = self.resumes_alike("--momentum", "0.9", "--scheduler", "step", "--dropout", "0.3", "--augmentation",
                                  "crop_flip", "--restore-best", "true")
        self.assertEqual(len(rest["epochs"]), 4)
        self.assertEqual([entry["epochs"] for entry in rest["ledger"]], [2, 2])

    def test_the_same_with_adam_and_a_plateau(self):
        self.resumes_alike("--optimizer", "adam", "--learning-rate", "0.001", "--scheduler", "plateau",
                           "--plateau-patience", "0", "--warmup-epochs", "3")

    def test_the_same_with_adadelta_and_batch_norm(self):
        self.resumes_alike("--model", "resnet20", "--width", "0.25", "--dataset", "textures", "--optimizer", "adadelta",
                           "--learning-rate", "1")

    def test_the_same_across_the_end_of_the_frozen_epochs(self):
        self.resumes_alike("--frozen-epochs", "2", "--frozen-learning-rate", "0.01", first="1", all_="2")

    def test_other_settings_are_refused(self):
        self.train("--epochs", "1", "--checkpoint", self.path("half"))
        self.train("--epochs", "1", "--resume", self.path("half"), "--batch-size", "32", code=2)
        self.assertIn("batch_size 64, not 32", self.error)

    def test_damaged_checkpoints_are_refused(self):
        self.train("--epochs", "1", "--checkpoint", self.path("half"))
        with open(self.path("half"), "r+b") as file:
            file.truncate(os.path.getsize(self.path("half")) - 100)
        self.train("--epochs", "1", "--resume", self.path("half"), code=7)
        with open(self.path("text"), "w") as file:
            file.write("not weights at all")
        self.train("--weights", self.path("text"), code=7)
        self.train("--weights", self.path("absent"), code=2)

    def test_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint(self):
        self.train("--epochs", "1", "--checkpoint", self.path("kept"))
        with open(self.path("kept"), "rb") as file:
            before = file.read()
        limit = 100_000
        result = self.train("--epochs", "3", "--checkpoint", self.path("kept"), code=6, events=True,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertEqual(result["status"], "failed")
        self.assertIn("cannot be written", self.error)
        with open(self.path("kept"), "rb") as file:
            self.assertEqual(file.read(), before)
        with open(self.path("events.jsonl")) as file:
            last = json.loads(file.read().strip().split("\n")[-1])
        self.assertEqual((last["event"], last["status"]), ("done", "failed"))
        self.assertIn("cannot be written", last["reason"])

    def test_weights_travel_to_another_task_and_their_cost_with_them(self):
        first = self.train("--model", "resnet20", "--width", "0.25", "--dataset", "textures", "--epochs", "1",
                           "--save", self.path("base"))
        run = first["ledger"][0]["run"]
        with open(self.path("base.ledger.json"), "w") as file:
            json.dump({run: {"energy_j": 3.5}}, file)
        second = self.train("--model", "resnet20", "--width", "0.25", "--dataset", "textures", "--target", "second",
                            "--epochs", "1", "--weights", self.path("base"), "--save", self.path("tuned"))
        self.assertIn("the last layer is new", self.error)
        self.assertEqual([entry["energy_j"] for entry in second["ledger"]], [3.5, None])
        self.assertEqual(second["ledger"][0]["images_seen"], 256 + 100)
        third = self.train("--model", "resnet20", "--width", "0.25", "--dataset", "textures", "--target", "second",
                           "--epochs", "1", "--weights", self.path("tuned"), "--ledger-joules", "7")
        self.assertEqual([entry["energy_j"] for entry in third["ledger"]], [3.5, 7, None])

    def test_weights_of_another_model_are_refused(self):
        self.train("--epochs", "1", "--save", self.path("lenet"))
        self.train("--model", "resnet20", "--weights", self.path("lenet"), code=2)
        self.assertIn("another model", self.error)

    def test_frozen_epochs_change_the_last_layer_alone(self):
        if safetensors is None:
            self.skipTest("no numpy")
        common = ["--model", "resnet20", "--width", "0.25", "--dataset", "textures"]
        self.train(*common, "--epochs", "1", "--save", self.path("base"))
        # One epoch must be unfrozen; with a learning rate of 0 it changes nothing but statistics.
        self.train(*common, "--weights", self.path("base"), "--frozen-epochs", "2", "--epochs", "1", "--learning-rate",
                   "0", "--save", self.path("head"))
        before, after = safetensors.read(self.path("base"))[0], safetensors.read(self.path("head"))[0]
        changed = {name for name in before if (before[name] != after[name]).any() and "running" not in name
                   and "num_batches" not in name}
        self.assertEqual(changed, {"output.weight", "output.bias"})

    def test_replicas_come_to_almost_the_same_and_repeat_themselves(self):
        flags = ["--epochs", "2", "--threads", "2"]
        one, two = self.train(*flags), self.train(*flags, "--replicas", "2")
        self.assertAlmostEqual(one["epochs"][1]["validation"]["loss"], two["epochs"][1]["validation"]["loss"], places=3)
        self.assertEqual(two["test"], self.train(*flags, "--replicas", "2")["test"])
        self.train("--replicas", "2", code=2)
        self.assertIn("--threads 2", self.error)
        self.train("--replicas", "2", "--threads", "2", "--model", "resnet20", code=2)
        self.assertIn("batch norm", self.error)

    def test_bf16_trains(self):
        result = self.train("--precision", "bf16", "--epochs", "2")
        self.assertNotEqual(result["test"]["loss"], self.train("--epochs", "2")["test"]["loss"])

    def test_tasks_say_what_they_need(self):
        for flags, says in ((["--dataset", "glyph_pairs"], "siamese_resnet18"),
                            (["--task", "multitask"], "labelled twice"),
                            (["--task", "verification"], "model lenet5 is for classification"),
                            (["--target", "second"], "labelled once"),
                            (["--frozen-layers", "6"], "5 layers")):
            self.train(*flags, code=2)
            self.assertIn(says, self.error)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # so that what is skipped says so
