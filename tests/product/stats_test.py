"""`wattle stats`: every test on anybody's CSV, for people and as JSON; mistakes are told with their place."""

import json
import subprocess
import unittest

from product import WATTLE, Product

# Six blocks of two methods, and a third method with ties; one cell is empty.
ROWS = [("new", 1, 10.2, 0.91), ("old", 1, 12.9, 0.90), ("new", 2, 9.8, 0.92), ("old", 2, 13.1, 0.91), ("new", 3, 11.0, 0.90),
        ("old", 3, 12.2, 0.92), ("new", 4, 10.4, 0.93), ("old", 4, 12.6, 0.92), ("new", 5, 10.9, 0.92), ("old", 5, 14.0, 0.90),
        ("new", 6, 9.9, 0.91), ("old", 6, 13.5, 0.93), ("other", 1, 11.0, 0.90), ("other", 2, 11.0, 0.91), ("other", 3, 11.5, 0.92)]


class Stats(Product):
    def setUp(self):
        super().setUp()
        lines = ["method,block,energy_j,accuracy,reached,size"]
        lines += [f"{m},{b},{e},{a},{int(a > 0.9)},{'small' if b % 2 else 'large'}" for m, b, e, a in ROWS]
        self.data = self.write("runs.csv", "\n".join(lines) + "\nnew,7,,0.9,1,small\n")

    def stats(self, test, *options, code=0):
        return self.json("stats", test, "--data", self.data, *options, code=code)

    def refused(self, *arguments, says, data=True):
        where = ["--data", self.data] if data else []
        _, err = self.wattle("stats", *arguments, *where, code=2)
        for words in says if isinstance(says, list) else [says]:
            self.assertIn(words, err)

    TWO = ("--value", "energy_j", "--by", "method", "--groups", "new,old")

    def test_every_test_gives_the_same_keys(self):
        energy = ("--value", "energy_j", "--by", "method")
        pairs = (*self.TWO, "--pair", "block")
        lives = ("--value", "energy_j", "--event", "reached", "--by", "method")
        options = {
            "spearman": ("--x", "energy_j", "--y", "accuracy"), "wilcoxon": pairs, "mann-whitney": self.TWO,
            "cliffs-delta": self.TWO, "vargha-delaney": self.TWO, "paired-t": pairs, "welch-t": self.TWO,
            "non-inferiority": (*pairs, "--margin", "1", "--better", "lower"), "equivalence": (*self.TWO, "--margin", "5"),
            "shapiro-wilk": energy, "levene": energy, "brown-forsythe": energy, "anova": energy, "welch-anova": energy,
            "kruskal-wallis": energy, "dunn": energy, "interaction": ("--value", "energy_j", "--by", "method", "--by", "size"),
            "bootstrap": ("--value", "energy_j"), "kaplan-meier": lives, "log-rank": lives, "gehan-wilcoxon": lives,
            "pareto": ("--minimize", "energy_j", "--maximize", "accuracy"), "holm": ("--value", "accuracy"),
            "benjamini-hochberg": ("--value", "accuracy")}
        listed = {test["test"] for test in self.json("stats", "--list")}
        self.assertEqual(listed, set(options) | {"power"})
        for test, given in options.items():
            with self.subTest(test):
                found = self.stats(test, *given)
                self.assertEqual(found["test"], test)
                self.assertLessEqual({"statistic", "p_value", "effect", "interval", "n", "method"}, set(found))
                text, _ = self.wattle("stats", test, "--data", self.data, *given)
                self.assertTrue(text.startswith(test + ": "), text)

    def test_six_pairs_all_one_way(self):
        found = self.stats("wilcoxon", *self.TWO, "--pair", "block")
        self.assertEqual((found["statistic"], found["p_value"], found["n"]), (0.0, 0.03125, 6))
        self.assertEqual(found["effect"], {"name": "rank_biserial", "value": -1.0})
        self.assertEqual(found["method"], "exact")
        self.assertIn("left out 1 row: no energy_j", found["notes"])
        self.assertEqual(self.stats("wilcoxon", *self.TWO, "--pair", "block", "--alternative", "less")["p_value"], 1 / 64)
        normal = self.stats("wilcoxon", *self.TWO, "--pair", "block", "--method", "normal")
        self.assertIn("normal", normal["method"])
        self.assertAlmostEqual(normal["p_value"], 0.0360, 3)

    def test_too_few_pairs_are_told_and_what_helps(self):
        few = self.write("few.csv", "difference\n1\n2\n3\n4\n5\n")
        text, _ = self.wattle("stats", "wilcoxon", "--data", few, "--value", "difference")
        self.assertIn("cannot give a p-value below 0.0625", text)
        self.assertIn("next: wattle stats power", text)
        self.assertIn("at least 6", self.wattle("stats", "power", "--n", "5")[0])

    def test_two_groups_and_their_effect(self):
        found = self.stats("mann-whitney", *self.TWO)
        self.assertEqual((found["statistic"], found["n"], found["groups"]), (0.0, [6, 6], ["new", "old"]))
        self.assertAlmostEqual(found["p_value"], 2 / 924)
        self.assertEqual((found["effect"]["value"], found["effect"]["magnitude"]), (-1.0, "large"))
        self.assertEqual(found["interval"]["low"], -1.0)
        self.assertEqual(self.stats("vargha-delaney", *self.TWO)["statistic"], 0.0)

    def test_all_groups_lead_to_the_pairs_that_differ(self):
        text, _ = self.wattle("stats", "kruskal-wallis", "--data", self.data, "--value", "energy_j", "--by", "method")
        self.assertIn("next: wattle stats dunn", text)
        pairs = self.stats("dunn", "--value", "energy_j", "--by", "method")["comparisons"]
        self.assertEqual([pair["groups"] for pair in pairs], [["new", "old"], ["new", "other"], ["old", "other"]])
        self.assertTrue(all(pair["adjusted_p_value"] >= pair["p_value"] for pair in pairs))

    def test_margins(self):
        pairs = (*self.TWO, "--pair", "block")
        self.assertTrue(self.stats("non-inferiority", *pairs, "--margin", "0.5", "--better", "lower")["shown"])
        self.assertFalse(self.stats("non-inferiority", *pairs, "--margin", "0.5")["shown"])
        mean = self.stats("equivalence", *self.TWO, "--margin", "5", "--method", "mean")
        self.assertTrue(mean["shown"])
        self.assertEqual(len(mean["comparisons"]), 2)

    def test_censored_runs_count(self):
        found = self.stats("kaplan-meier", "--value", "energy_j", "--event", "reached")
        self.assertEqual((found["n"], found["events"]), (15, 11))
        self.assertEqual(found["curve"][0]["time"], 9.8)
        self.assertIn("next: wattle stats log-rank", self.wattle(
            "stats", "kaplan-meier", "--data", self.data, "--value", "energy_j", "--event", "reached", "--by", "method")[0])

    def test_the_front_and_its_volume(self):
        found = self.stats("pareto", "--minimize", "energy_j", "--maximize", "accuracy", "--by", "method", "--reference", "15,0.8")
        self.assertEqual([(p["label"], p["values"]["energy_j"]) for p in found["front"]], [("new", 9.8), ("new", 10.4)])
        self.assertAlmostEqual(found["effect"]["value"], 5.2 * 0.12 + 4.6 * 0.01)

    def test_a_seed_repeats_what_is_drawn(self):
        first = self.stats("bootstrap", "--value", "energy_j")
        self.assertEqual(first, self.stats("bootstrap", "--value", "energy_j"))
        self.assertNotEqual(first["interval"], self.stats("bootstrap", "--value", "energy_j", "--seed", "5")["interval"])

    def test_standard_input_and_what_spreadsheets_write(self):
        text = '\ufeffname,"v, J"\r\na,1\r\nb,"2"\r\nc,NA\r\n\r\nd,4\r\n'
        done = subprocess.run([WATTLE, "--json", "stats", "bootstrap", "--data", "-", "--value", "v, J"], input=text.encode(),
                              capture_output=True, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["n"], 3)

    def test_infinite_values_have_ranks_but_no_means(self):
        self.data = self.write("failed.csv", "g,v\na,1\na,inf\na,3\nb,0.5\nb,2\nb,-inf\n")
        self.assertEqual(self.stats("mann-whitney", "--value", "v", "--by", "g")["statistic"], 8.0)
        self.refused("welch-t", "--value", "v", "--by", "g", says=["failed.csv:3:3: an infinite value", "mann-whitney"])

    def test_mistakes_of_the_table_are_told_with_their_place(self):
        self.refused("wilcoxon", "--value", "enrgy_j", says=["no column `enrgy_j`", "did you mean `energy_j`?"])
        self.refused("shapiro-wilk", "--value", "method", says=["runs.csv:2:1: `new` is not a number"])
        self.refused("kruskal-wallis", "--value", "energy_j", says=["needs --by COLUMN", "`method`"])
        self.refused("mann-whitney", "--value", "energy_j", "--by", "method", says=["3 groups", "--groups A,B"])
        self.refused("mann-whitney", "--value", "energy_j", "--by", "method", "--groups", "new,odl", says="no row has `odl`")
        self.refused("wilcoxon", "--value", "energy_j", "--by", "method", "--groups", "new,old", says="--pair COLUMN")
        self.refused("wilcoxon", *self.TWO, "--pair", "size", says="has a second value of `new`")
        self.refused("kaplan-meier", "--value", "energy_j", "--event", "block", says="`2` is neither 1 nor 0")
        self.refused("shapiro-wilk", "--value", "energy_j", "--data", self.folder / "none.csv", says="none.csv", data=False)
        self.data = self.write("ragged.csv", "a,b\n1,2\n3\n")
        self.refused("shapiro-wilk", "--value", "a", says="ragged.csv:3:1: 1 cells in this row, the first line names 2")

    def test_nothing_to_test_is_said_by_every_test(self):
        empty = self.write("empty.csv", "v,g,p,e,x\n")
        for options in (("wilcoxon", "--value", "v", "--by", "g", "--pair", "p"), ("mann-whitney", "--value", "v", "--by", "g"),
                        ("kruskal-wallis", "--value", "v", "--by", "g"), ("dunn", "--value", "v", "--by", "g")):
            self.refused(*options, "--data", empty, says="no row has a value and a group", data=False)
        self.refused("holm", "--value", "v", "--data", empty, says="no row has a number in `v`", data=False)
        self.refused("pareto", "--minimize", "v", "--maximize", "x", "--data", empty, says="in `v`, `x`", data=False)
        one = self.write("one.csv", "v,g\n1,a\n2,a\n")
        self.refused("mann-whitney", "--value", "v", "--by", "g", "--data", one, says="all values are of one group, `a`", data=False)
        self.refused("anova", "--value", "v", "--by", "g", "--data", one, says="all values are of one group, `a`", data=False)

    def test_mistakes_of_the_command_are_told(self):
        self.refused("wilcoxn", says="did you mean `wilcoxon`?")
        self.refused("levene", "--value", "energy_j", "--by", "method", "--pair", "block", says="--pair has no meaning for levene")
        self.refused("wilcoxon", "--value", "energy_j", "--alternative", "lower", says="--alternative `lower` is not known")
        self.refused("bootstrap", "--value", "energy_j", "--level", "95", says="--level 95 is not between 0 and 1")
        self.refused("equivalence", *self.TWO, says="needs --margin")
        self.refused("power", says="power reads no data")
        self.refused("wilcoxon", "--value", "energy_j", says="needs --data FILE", data=False)
        self.wattle("stats", code=2)


if __name__ == "__main__":
    unittest.main()
