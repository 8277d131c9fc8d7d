"""Every task and model learns its stand-in, beyond what a trivial baseline does. Usage: learns_test.py WATTLE_TRAIN [Case…]

A row declares what is trained, the baseline that must be beaten and by how much. Baselines: `majority`, the share of the
most frequent class; `pixels`, logistic regression on pixels (the trainer's own data, so it is measured and written here
with the margin; `--measure` prints them anew where scikit-learn is). The check itself is checked: a run with a learning
rate of 0 must fail it.
"""

import json
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "wattle-train"
SIZES = ["--validation-samples", "250", "--test-samples", "500"]

# name: flags, metric, baseline, margin. Majority of ten balanced classes 0.1 (drawn at random: up to 0.13), of eight
# 0.16, of two 0.55.
QUICK = {
    "lenet5 on glyphs": (["--model", "lenet5", "--dataset", "glyphs", "--train-samples", "2048", "--epochs", "4"],
                         "accuracy", ("majority", 0.13), 0.25),
    "forward_forward on glyphs": (["--model", "forward_forward", "--dataset", "glyphs", "--train-samples", "4096",
                                   "--epochs", "8", "--optimizer", "adam", "--learning-rate", "0.03"],
                                  "accuracy", ("majority", 0.13), 0.1),
}
COLOUR = ["--dataset", "textures", "--train-samples", "4096", "--momentum", "0.9", "--augmentation", "flip"]
SLOW = {
    **QUICK,
    "lenet5 on glyphs, all": (["--model", "lenet5", "--dataset", "glyphs"], "accuracy", ("pixels", 0.45), 0.3),
    "resnet20 on textures": (["--model", "resnet20", *COLOUR, "--epochs", "6", "--learning-rate", "0.1"],
                             "accuracy", ("pixels", 0.25), 0.2),
    "resnet18 on textures": (["--model", "resnet18", *COLOUR, "--epochs", "5", "--learning-rate", "0.05"],
                             "accuracy", ("pixels", 0.25), 0.1),
    "mobilenet_v2 on chess squares": (["--model", "mobilenet_v2", "--width", "0.5", "--dataset", "chess_squares",
                                       "--image-size", "64", "--epochs", "8", "--optimizer", "adam",
                                       "--learning-rate", "0.002", "--batch-size", "32"],
                                      "accuracy", ("majority", 0.55), 0.2),
    "siamese_resnet18 on glyph pairs": (["--model", "siamese_resnet18", "--width", "0.25", "--dataset", "glyph_pairs",
                                         "--epochs", "8", "--optimizer", "adadelta", "--learning-rate", "1"],
                                        "accuracy", ("majority", 0.55), 0.15),
    "resnet20 on textures, multitask": (["--model", "resnet20", "--task", "multitask", *COLOUR, "--epochs", "6",
                                         "--learning-rate", "0.1"], "accuracy_first", ("pixels", 0.25), 0.2),
}


def value(flags, metric):
    run = subprocess.run([PROGRAM, *flags, *SIZES, "--seed", "1", "--json"], capture_output=True, text=True)
    if run.returncode:
        raise AssertionError(run.stderr)
    return json.loads(run.stdout)["test"][metric]


def checks(rows):
    def claim(name, flags, metric, baseline, margin):
        def test(self):
            kind, level = baseline
            self.assertGreater(value(flags, metric), level + margin, f"{name}: not {margin} above {kind} ({level})")
        return test

    def control(name, flags, metric, baseline, margin):
        def test(self):
            cut = [*flags]
            for flag in ("--learning-rate", "--epochs"):
                if flag in cut:
                    del cut[cut.index(flag):cut.index(flag) + 2]
            self.assertLessEqual(value([*cut, "--learning-rate", "0", "--epochs", "1"], metric), baseline[1] + margin,
                                 f"{name}: passes without having learned")
        return test

    tests = {}
    for name, row in rows.items():
        word = "".join(letter if letter.isalnum() else "_" for letter in name)
        tests["test_" + word] = claim(name, *row)
        tests["test_" + word + "_without_learning"] = control(name, *row)
    return tests


Quick = type("Quick", (unittest.TestCase,), checks(QUICK))
Slow = type("Slow", (unittest.TestCase,), checks(SLOW))

if __name__ == "__main__":
    unittest.main()
