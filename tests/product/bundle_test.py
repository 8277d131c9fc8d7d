"""`wattle bundle`: a stranger who unpacks it elsewhere makes every number again, to the byte."""

import os
import shutil
import subprocess
import tarfile
import unittest

from product import BIN, Product

TABLE = ("model,lr,rep,joules,seconds,acc\n" + "".join(
    f"net,{lr},{rep},{joules + rep},{10 + rep},{0.9 - lr / 10}\n" for lr, joules in ((0.1, 100), (0.2, 80)) for rep in range(8)))
MAP = [word for pair in ("workload=model", "parameter.lr=lr", "repetition=rep", "energy_j=joules", "duration_s=seconds", "metric=acc")
       for word in ("--column", pair)]


class Bundle(Product):
    def setUp(self):
        super().setUp()
        table = self.write("table.csv", TABLE)
        for study in ("first", "it's here"):
            self.wattle("import", "--format", "csv", table, *MAP, "--study", study, "--provenance", "counter")
        power = "timestamp,gpu_name,gpu_power_draw\n" + "".join(f"2023-01-21 10:00:{i:02},A GPU,{100 + i} W\n" for i in range(30))
        self.wattle("import", "--format", "delrey-raw", self.write("vgg16-gpu-power-1.csv", power), "--study", "first")

    def bundle(self, name, study="first", *options):
        self.wattle("bundle", study, "--output", name, *options)
        return self.folder / name

    def test_unpacked_elsewhere_it_makes_its_reports_again(self):
        for study in ("first", "it's here"):
            made = self.bundle("made" + study[:2], study)
            place = self.folder / "far" / "away"
            shutil.copytree(made, place)
            for form, file in (("text", "report.txt"), ("json", "report.json"), ("html", "report.html")):
                again, _ = self.wattle("--store", place / "wattle.db", "report", "--study", study, "--format", form)
                self.assertEqual(again.encode(), (place / file).read_bytes(), file)
            runs, _ = self.wattle("--store", place / "wattle.db", "export", "--study", study)
            self.assertEqual(runs.encode(), (place / "runs.csv").read_bytes())
            shutil.rmtree(self.folder / "far")

    def test_its_readme_is_true(self):
        made = self.bundle("made", "it's here")
        commands = [line.strip() for line in (made / "README.md").read_text().splitlines() if line.startswith("    ")]
        self.assertEqual(len(commands), 4)
        for command in commands:
            done = self.shell(command, made)
            self.assertEqual(done.returncode, 0, command + done.stdout + done.stderr)

    def shell(self, command, place):
        path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-c", command], cwd=place, env={**os.environ, **path}, capture_output=True, text=True)

    def test_it_answers_every_question_again_to_the_byte(self):
        made = self.bundle("made", "first", "--target", "0.85")
        place = self.folder / "far" / "away"
        shutil.copytree(made, place)
        before = {file.relative_to(place): file.read_bytes() for file in place.rglob("*") if file.is_file()}
        done = self.shell("sh again.sh", place)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        remade = {line.removeprefix("same: ") for line in done.stdout.splitlines()}
        names = [one["question"] for one in self.json("report", "--list")["questions"]]
        said = (place / "answers/README.md").read_text()
        for name in names:  # answered, or said why not
            self.assertIn(f"- `{name}`", said)
        answered = {name for name in names if (place / f"answers/{name}.json").exists()}
        self.assertLessEqual({"correlation", "grid", "greener", "methods", "reduction", "front"}, answered)
        self.assertLessEqual({f"answers/{name}.{ending}" for name in answered for ending in ("txt", "json", "tex")}, remade)
        self.assertLessEqual({"answers/grid.wang-grid.csv", "answers/reduction.pairs.csv", "report.tex", "runs.csv"}, remade)
        listed = {str(file) for file in before if file.parts[0] == "answers"} - {"answers/README.md"}
        self.assertLessEqual(listed, remade)
        self.assertEqual(before, {file.relative_to(place): file.read_bytes() for file in place.rglob("*") if file.is_file()})

    def test_an_answer_that_was_changed_is_found(self):
        made = self.bundle("made")
        (made / "answers/methods.tex").write_text("Nothing was measured.\n")
        done = self.shell("sh again.sh", made)
        self.assertEqual(done.returncode, 1)
        self.assertIn("NOT THE SAME: answers/methods.tex", done.stdout)
        self.assertEqual(done.stdout.count("NOT THE SAME"), 1)

    def test_it_holds_the_study_alone(self):
        made = self.bundle("made")
        self.assertEqual(self.json("--store", made / "wattle.db", "store", "verify")["runs"], 17)
        self.assertEqual(len(list((made / "traces").iterdir())), 1)
        listed = {line.split("  ")[1] for line in (made / "SHA256SUMS").read_text().splitlines()}
        there = {str(file.relative_to(made)) for file in made.rglob("*") if file.is_file()}
        self.assertEqual(listed | {"SHA256SUMS"}, there)

    def test_changing_a_file_is_noticed(self):
        made = self.bundle("made")
        (made / "runs.csv").write_text("forged\n")
        self.assertNotEqual(subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=made, capture_output=True).returncode, 0)

    def test_the_same_runs_give_the_same_archive(self):
        one = self.bundle("bundle.tar").read_bytes()
        (self.folder / "bundle.tar").unlink()
        self.assertEqual(one, self.bundle("bundle.tar").read_bytes())
        with tarfile.open(self.folder / "bundle.tar") as archive:
            names = archive.getnames()
            archive.extractall(self.folder / "unpacked")
        self.assertIn("bundle/README.md", names)
        self.assertEqual(names, sorted(names))
        done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=self.folder / "unpacked/bundle", capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_compressed_archive_holds_the_same(self):
        plain = self.bundle("b.tar").read_bytes()
        packed = self.bundle("b.tar.zst")
        self.assertLess(packed.stat().st_size, len(plain))
        self.assertEqual(packed.read_bytes()[:4], b"\x28\xb5\x2f\xfd")
        if shutil.which("zstd"):
            self.assertEqual(subprocess.run(["zstd", "-dc", packed], capture_output=True).stdout, plain)

    def test_the_study_file_goes_in_where_it_is_named(self):
        study = self.write("study.toml", "[study]\n")
        self.assertEqual((self.bundle("made", "first", "--study-file", study) / "study.toml").read_text(), "[study]\n")

    def test_a_study_that_was_run_keeps_its_plan(self):
        self.wattle("run", self.study(repetitions=2), "--probe", "constant:10")
        made = self.bundle("made", "toy")
        again, _ = self.wattle("--store", made / "wattle.db", "report", "--format", "json")
        self.assertEqual(again, (made / "report.json").read_text())
        self.assertGreater(len(self.json("--store", made / "wattle.db", "export", "--study", "toy")), 0)

    def test_refusals(self):
        made = self.bundle("made")
        for arguments, says in ((("frist", "--output", "x"), "frist"), (("first",), "--output is needed"),
                                (("first", "--output", "x.tar.gz"), ".tar.zst"), (("first", "--output", made), "is there already")):
            _, err = self.wattle("bundle", *arguments, code=2)
            self.assertIn(says, err)
        _, err = self.wattle("bundle", "first", "--output", "x", "--study-file", self.write("report.txt", "[study]\n"), code=2)
        self.assertIn("the bundle has a report.txt of its own", err)
        self.assertFalse((self.folder / "x").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
