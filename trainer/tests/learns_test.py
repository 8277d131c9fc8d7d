"""Every task and model learns its stand-in, beyond what a trivial baseline does. Usage: learns_test.py WATTLE_TRAIN [Case…]

A row declares what is trained, the baseline that must be beaten and by how much. Baselines: `majority`, an upper bound of the
most frequent class's share; `pixels`, logistic regression on the same images (`--model logistic`), trained beside it. The
check itself is checked: a run with a learning rate of 0 must fail it.
"""

import json
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "wattle-train"
SIZES = ["--validation-samples", "250", "--test-samples", "500"]

# name: flags, metric, baseline, margin. Classes are drawn with equal chances, so of ten the most frequent has some 0.12, of
# two some 0.53.
MAJORITY_OF_10, MAJORITY_OF_2 = ("majority", 0.14), ("majority", 0.56)
QUICK = {
    "lenet5 on glyphs": (["--model", "lenet5", "--dataset", "glyphs", "--train-samples", "2048", "--epochs", "4"],
                         "accuracy", MAJORITY_OF_10, 0.25),
    "forward_forward on glyphs": (["--model", "forward_forward", "--dataset", "glyphs", "--train-samples", "4096",
                                   "--epochs", "8", "--optimizer", "adam", "--learning-rate", "0.03"],
                                  "accuracy", MAJORITY_OF_10, 0.1),
}
TEXTURES = ["--dataset", "textures", "--train-samples", "2048", "--augmentation", "flip"]
SQUARES = ["--dataset", "chess_squares", "--image-size", "64", "--train-samples", "1024"]
GLYPHS_BY_PIXELS = ("pixels", ["--dataset", "glyphs", "--epochs", "10", "--learning-rate", "0.01"])
TEXTURES_BY_PIXELS = ("pixels", [*TEXTURES, "--epochs", "10", "--learning-rate", "0.001"])
SQUARES_BY_PIXELS = ("pixels", [*SQUARES, "--epochs", "10", "--learning-rate", "0.001"])
SLOW = {
    **QUICK,
    "lenet5 on glyphs, all": (["--model", "lenet5", "--dataset", "glyphs"], "accuracy", GLYPHS_BY_PIXELS, 0.2),
    "resnet20 on textures": (["--model", "resnet20", *TEXTURES, "--epochs", "4", "--learning-rate", "0.1",
                              "--momentum", "0.9"], "accuracy", TEXTURES_BY_PIXELS, 0.25),
    "resnet18 on textures": (["--model", "resnet18", "--width", "0.25", "--dataset", "textures", "--augmentation", "flip", "--train-samples", "4096", "--epochs",
                              "8", "--optimizer", "adam", "--learning-rate", "0.002"],
                             "accuracy", TEXTURES_BY_PIXELS, 0.25),
    "mobilenet_v2 on chess squares": (["--model", "mobilenet_v2", "--width", "0.5", *SQUARES, "--epochs", "6",
                                       "--optimizer", "adam", "--learning-rate", "0.002", "--batch-size", "32"],
                                      "f1", SQUARES_BY_PIXELS, 0.1),
    "siamese_resnet18 on glyph pairs": (["--model", "siamese_resnet18", "--width", "0.25", "--dataset", "glyph_pairs",
                                         "--train-samples", "4096", "--epochs", "6", "--optimizer", "adadelta",
                                         "--learning-rate", "1"], "accuracy", MAJORITY_OF_2, 0.15),
    "resnet20 on textures, multitask": (["--model", "resnet20", "--task", "multitask", *TEXTURES, "--epochs", "5",
                                         "--learning-rate", "0.1", "--momentum", "0.9"],
                                        "accuracy_first", TEXTURES_BY_PIXELS, 0.2),
}


def value(flags, metric):
    run = subprocess.run([PROGRAM, *flags, *SIZES, "--seed", "1", "--json"], capture_output=True, text=True)
    if run.returncode:
        raise AssertionError(run.stderr)
    return json.loads(run.stdout)["test"][metric]


def level_of(baseline, metric):
    kind, level = baseline
    if kind == "majority":
        return level
    return value(["--model", "logistic", *level], metric.removesuffix("_first"))


def checks(rows):
    def claim(name, flags, metric, baseline, margin):
        def test(self):
            level = level_of(baseline, metric)
            self.assertGreater(value(flags, metric), level + margin,
                               f"{name}: not {margin} above {baseline[0]} ({level})")
        return test

    def control(name, flags, metric, baseline, margin):
        def test(self):
            cut = [*flags]
            for flag in ("--learning-rate", "--epochs"):
                if flag in cut:
                    del cut[cut.index(flag):cut.index(flag) + 2]
            self.assertLessEqual(value([*cut, "--learning-rate", "0", "--epochs", "1"], metric),
                                 level_of(baseline, metric) + margin,
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


class Precision(unittest.TestCase):
    def test_bf16_learns_as_well_as_fp32(self):
        flags = ["--model", "lenet5", "--dataset", "glyphs", "--train-samples", "4096", "--epochs", "6", *SIZES[:2]]
        found = {}
        for precision in ("fp32", "bf16"):
            found[precision] = []
            for seed in range(1, 6):
                run = subprocess.run([PROGRAM, *flags, "--precision", precision, "--seed", str(seed), "--json"],
                                     capture_output=True, text=True, check=True)
                found[precision].append(json.loads(run.stdout)["test"])
        self.assertNotEqual([one["loss"] for one in found["fp32"]], [one["loss"] for one in found["bf16"]],
                            "bf16 must have computed something else")
        means = {precision: sum(one["accuracy"] for one in all_of) / 5 for precision, all_of in found.items()}
        print("accuracy, mean of 5 seeds:", means)
        self.assertAlmostEqual(means["fp32"], means["bf16"], delta=0.02)

if __name__ == "__main__":
    unittest.main()
