"""Weights that one run makes and another begins with, and the ledger of what they cost."""

import json
import os
import shutil
import unittest

from product import BIN, Product

TRAINER = os.environ.get("WATTLE_TRAINER") or (str(BIN / "wattle-train") if (BIN / "wattle-train").exists() else "")
MAKES = """
    import sys
    end_with = {code}
    open(sys.argv[1] + "/model.pt", "w").write("weights")
    print("acc 0.9")
    sys.exit(end_with)
    """
USES = """
    import sys
    assert open(sys.argv[1]).read() == "weights"
    print("acc 0.9")
    """
SCRATCH = """
    import time
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
    print("acc 0.9")
    """
TINY = """
    [study]
    name = "chain"
    repetitions = 2

    [workload.pretrain]
    trainer = "builtin"
    model = "lenet5"
    dataset = "glyphs"
    metric = {{ name = "accuracy", goal = "maximize", tolerance = 0.01 }}
    [workload.pretrain.defaults]
    {sizes}

    [workload.tuned]
    trainer = "builtin"
    model = "lenet5"
    dataset = "glyphs"
    weights_of = "pretrain"
    metric = {{ name = "accuracy", goal = "maximize", tolerance = 0.01, target = 0.01 }}
    [workload.tuned.defaults]
    {sizes}

    [workload.scratch]
    trainer = "builtin"
    model = "lenet5"
    dataset = "glyphs"
    metric = {{ name = "accuracy", goal = "maximize", tolerance = 0.01, target = 0.01 }}
    [workload.scratch.defaults]
    epochs = 2
    {rest}
    """
REST = "train_samples = 256\nvalidation_samples = 128\ntest_samples = 128"


class Weights(Product):
    def recording(self, watts=50):
        """A probe that measures `watts` for an hour, with nobody's machine behind it."""
        self.write("power.csv", f"time_s,domain,power_w\n0,package-0,{watts}\n3600,package-0,{watts}\n")
        return ["--probe", "replay:power.csv"]

    def chain(self, code=0):
        """A study of scripts: `pretrain` leaves model.pt, `finetune` begins with it."""
        metric = "metric = { name = \"acc\", goal = \"maximize\", tolerance = 0.05, regex = 'acc (?<value>[0-9.]+)' }"
        self.write("makes.py", MAKES.format(code=code))
        self.write("uses.py", USES)
        self.write("scratch.py", SCRATCH)
        return self.write("study.toml", f"""
            [study]
            name = "chain"
            repetitions = 2
            [workload.finetune]
            command = ["/usr/bin/python3", "uses.py", "{{weights_path}}/model.pt"]
            weights_of = "pretrain"
            {metric}
            [workload.scratch]
            command = ["/usr/bin/python3", "scratch.py"]
            {metric}
            [workload.pretrain]
            command = ["/usr/bin/python3", "makes.py", "{{run_dir}}"]
            {metric}
            """)

    def records(self, workload):
        runs = [run for run in self.json("list") if run["workload"] == workload]
        return [self.json("show", f"{run['run']}.{run['attempt']}") for run in runs]

    def ledger_rows(self, *options):
        answer = self.json("report", "--question", "pretraining", *options)
        return answer["tables"]["ledger"]

    def assert_ledger_is_the_records(self, workload):
        joules = sorted(record["measured"]["energy_uj"] * 1e-6 for record in self.records(workload))
        rows = self.ledger_rows()
        for told, measured in zip(sorted(row["energy_j"] for row in rows), joules, strict=True):
            self.assertAlmostEqual(told, measured, places=6)
        self.assertEqual({row["provenance"] for row in rows}, {"measured"})

    def test_a_script_begins_with_the_weights_of_another_of_its_block(self):
        file = self.chain()
        self.json(*self.recording(), "run", file)
        self.assert_sound()
        self.assert_ledger_is_the_records("pretrain")
        for record in self.records("finetune"):
            weights = record["request"]["weights"]
            self.assertEqual((weights["workload"], weights["attempt"]), ("pretrain", 1))
        (ledger, *_) = self.folder.glob("wattle.db.runs/*/files/model.pt.ledger.json")
        (entry,) = json.loads(ledger.read_text()).values()
        self.assertEqual(entry["provenance"], "measured")
        self.assertGreater(entry["energy_j"], 0)
        self.assertTrue(entry["machine"])

    def test_without_weights_the_run_fails_and_says_whose_are_missing(self):
        file = self.chain(code=3)
        self.json(*self.recording(), "run", file, code=1)
        self.assert_sound()
        for record in self.records("finetune"):
            self.assertEqual(record["end"], "failed")
            self.assertIn("pretrain of block", record["reason"])
        self.chain()
        self.json(*self.recording(), "run", file)
        ends = {run["end"] for run in self.json("list") if run["workload"] == "finetune"}
        self.assertIn("completed", ends, "another script is another run, and so are those that begin with its weights")

    def test_who_is_asked_for_alone_brings_the_maker_of_its_weights(self):
        file = self.chain()
        self.json(*self.recording(), "run", "--only", "finetune", file)
        done = sorted(run["workload"] for run in self.json("list"))
        self.assertEqual(done, ["finetune", "finetune", "pretrain", "pretrain"])

    def test_weights_that_were_removed_are_missed_by_name(self):
        file = self.chain()
        self.json(*self.recording(), "run", "--only", "pretrain", file)
        shutil.rmtree(self.folder / "wattle.db.runs")
        _, err = self.wattle(*self.recording(), "run", "--only", "finetune", file, code=3)
        self.assertIn("pretrain of block", err)
        self.assertIn("--rerun all --only pretrain", err)

    def test_a_command_under_measurement_leaves_a_ledger_that_a_study_reads(self):
        self.chain()
        probe = self.recording()
        self.wattle(*probe, "--output", "told.json", "--json", "measure", "--ledger", "model.pt", "--", "/usr/bin/python3",
                    "makes.py", ".")
        told = json.loads((self.folder / "told.json").read_text())
        ledger = json.loads((self.folder / "model.pt.ledger.json").read_text())
        (entry,) = ledger.values()
        self.assertAlmostEqual(entry["energy_j"], told["measured"]["energy_j"], places=6)
        study = (self.folder / "study.toml").read_text()
        study = study[: study.index("[workload.pretrain]")]
        study = study.replace('weights_of = "pretrain"', 'weights = "model.pt"').replace("/model.pt", "")
        self.write("file.toml", study.replace('"chain"', '"from a file"'))
        self.json(*probe, "run", "file.toml")
        (row,) = self.ledger_rows("--study", "from a file")
        self.assertEqual(row["energy_j"], entry["energy_j"])
        self.write("model.pt.ledger.json", json.dumps({name: {**one, "energy_j": -1} for name, one in ledger.items()}))
        _, err = self.wattle("check", "file.toml", code=2)
        self.assertIn("`energy_j` must be a number from 0", err)

    def test_members_of_a_group_leave_ledgers_of_their_own_parts(self):
        metric = "metric = { name = \"acc\", goal = \"maximize\", tolerance = 0.05, regex = 'acc (?<value>[0-9.]+)' }"
        self.write("makes.py", MAKES.format(code=0))
        file = self.write("study.toml", f"""
            [study]
            name = "beside"
            repetitions = 1
            [workload.one]
            command = ["/usr/bin/python3", "makes.py", "{{run_dir}}"]
            {metric}
            [workload.two]
            command = ["/usr/bin/python3", "makes.py", "{{run_dir}}", "too"]
            {metric}
            [[group]]
            workloads = ["one", "two"]
            divide_cores = false
            """)
        self.json(*self.recording(), "run", file, alone=True)
        records = [record for workload in ("one", "two") for record in self.records(workload)]
        recorded = sorted((kind, round(record[kind]["energy_uj"] * 1e-6, 6))
                          for record in records for kind in ("measured", "estimated") if "energy_uj" in record[kind])
        files = self.folder.glob("wattle.db.runs/*/files/model.pt.ledger.json")
        told = sorted((one["provenance"], round(one["energy_j"], 6))
                      for file in files for one in json.loads(file.read_text()).values())
        self.assertEqual(told, recorded)
        self.assertEqual([kind for kind, _ in told], ["estimated", "estimated", "measured", "measured"],
                         "alone the machine's energy is theirs; of both beside each other it is divided")

    def test_weights_of_which_nobody_knows_the_cost_have_no_break_even(self):
        self.chain()
        self.write("model.pt", "weights")
        study = (self.folder / "study.toml").read_text()
        study = study[: study.index("[workload.pretrain]")]
        study = study.replace('weights_of = "pretrain"', 'weights = "model.pt"').replace("/model.pt", "")
        self.write("study.toml", study)
        self.json(*self.recording(), "run", "study.toml")
        out, _ = self.wattle("report", "--question", "pretraining")
        self.assertIn("not known: no ledger tells what the weights cost", " ".join(out.split()))

    @unittest.skipUnless(TRAINER, "wattle-train was not built (--no-trainer)")
    def test_the_built_in_trainer_fine_tunes_what_it_has_pretrained(self):
        sizes = "epochs = 1\n" + REST
        self.write("study.toml", TINY.format(sizes=sizes.replace("\n", "\n    "), rest=REST.replace("\n", "\n    ")))
        options = {"env": {**os.environ, "WATTLE_TRAINER": TRAINER}}
        self.json(*self.recording(), "run", "study.toml", **options)
        self.assert_ledger_is_the_records("pretrain")
        checkpoints = sorted(self.folder.glob("wattle.db.runs/*/files/weights.safetensors.ledger.json"))
        self.assertEqual(len(checkpoints), 2)
        joules = {entry["energy_j"] for file in checkpoints for entry in json.loads(file.read_text()).values()}
        told = {row["energy_j"] for row in self.ledger_rows()}
        self.assertEqual({round(value, 6) for value in joules}, {round(value, 6) for value in told})


if __name__ == "__main__":
    unittest.main()
