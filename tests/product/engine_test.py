"""What a study and `wattle run` can ask for beside plain runs: groups, adaptive repetitions, parts of a study, reruns."""

import collections
import fcntl
import unittest

from product import Product, wait_for

BUSY = """
    import time
    end = time.monotonic() + {seconds}
    while time.monotonic() < end:
        pass
    print("acc 0.9")
    """
DIES = BUSY.format(seconds=0.1).replace('print("acc 0.9")', 'raise SystemExit("no luck today")')


class Engine(Product):
    def recording(self, watts=50):
        """A probe that measures `watts` for an hour, with nobody's machine behind it."""
        self.write("power.csv", f"time_s,domain,power_w\n0,package-0,{watts}\n3600,package-0,{watts}\n")
        return ["--probe", "replay:power.csv"]

    def attempts(self):
        """The records of all attempts."""
        return [self.json("show", f"{run['run']}.{run['attempt']}") for run in self.json("list")]


class Groups(Engine):
    def groups(self, b, mode="together", code=0):
        """Runs a study of one group; its records by the group's id."""
        file = self.trainers(a=BUSY.format(seconds=0.5), b=b, tail=f"""
            [[group]]
            workloads = ["a", "b"]
            mode = "{mode}"
            """)
        self.json(*self.recording(), "run", file, code=code)
        self.assert_sound()
        groups = collections.defaultdict(list)
        for record in self.attempts():
            if "group" in record:
                groups[record["request"]["group"]].append(record)
        return groups

    def assert_conserved(self, members):
        whole = {member["group"]["measured"]["energy_uj"] for member in members}
        self.assertEqual(len(whole), 1, "all tell the same whole")
        first = members[0]["group"]
        parts = sum(member["group"]["own_uj"] for member in members)
        self.assertEqual(parts + first["idle_uj"] + first["others_uj"] + first["unknown_uj"], whole.pop())
        for member in members:
            share = member["group"]
            self.assertLessEqual(share["least_uj"], share["own_uj"])
            self.assertLessEqual(share["own_uj"], share["most_uj"])
            self.assertNotIn("energy_uj", member["measured"], "a part is attributed, never measured")

    def test_parts_of_runs_side_by_side_are_the_whole_to_the_microjoule(self):
        (members,) = self.groups(BUSY.format(seconds=0.3)).values()
        self.assertEqual([member["end"] for member in members], ["completed", "completed"])
        self.assert_conserved(members)
        self.assertEqual(len(self.json("list")), 4, "two side by side, and the same two alone")

    def test_a_partner_in_the_background_runs_until_the_scored_one_has_ended(self):
        (members,) = self.groups(BUSY.format(seconds=0.2), "background").values()
        self.assert_conserved(members)
        ends = collections.Counter((one["request"]["configuration"]["workload"], one["end"]) for one in members)
        self.assertEqual(ends["a", "completed"], 1)
        self.assertGreaterEqual(ends["b", "completed"] + ends["b", "censored"], 2)
        self.assertEqual(self.json("run", "study.toml")["finished_now"], 0, "nothing is open")

    def test_a_partner_that_dies_invalidates_the_group(self):
        (members,) = self.groups(DIES, code=1).values()
        self.assert_conserved(members)
        for member in members:
            self.assertIn("no luck today", member["group"]["invalid"])
            self.assertIn("group invalid", member["flags"])


class Adaptive(Engine):
    def test_blocks_go_on_only_for_what_is_undecided(self):
        self.write("sleep.py", "import sys, time\ntime.sleep(float(sys.argv[1]))\nprint('acc 0.9')\n")
        file = self.write("study.toml", """
            [study]
            name = "adaptive"
            seed = 1
            repetitions = { min = 3, max = 12, until = "decided" }
            [workload.w]
            command = ["/usr/bin/python3", "sleep.py", "{wait}"]
            metric = { name = "acc", goal = "maximize", tolerance = 0.05, regex = 'acc (?<value>[0-9.]+)' }
            parameters = { wait = { default = 0.4, type = "float", domain = [0.01, 10.0] } }
            [[mutate]]
            parameter = "wait"
            operator = "values"
            values = [0.02, 0.404]
            """)
        done = self.json(*self.recording(), "run", file)
        self.assertEqual((done["planned"], done["to_do"]), (36, 0))
        runs = collections.Counter(run["label"] for run in self.json("list"))
        self.assertLess(runs["wait 0.02"], 12, "a twentieth of the energy is soon clear")
        self.assertGreaterEqual(runs["wait 0.02"], 6, "no single mutant is greener before six pairs")
        self.assertGreater(runs["wait 0.404"], runs["wait 0.02"], "one per cent is not")
        self.assertEqual(runs["original"], max(runs.values()), "each has its original to be compared with")
        self.assertEqual(self.json(*self.recording(), "run", file)["finished_now"], 0)
        self.assertIn("repetitions were adaptive", self.wattle("report")[0])


class Parts(Engine):
    def test_smoke_is_one_short_block_under_another_name(self):
        file = self.study(repetitions=3)
        self.json("run", "--smoke", file)
        runs = self.json("list")
        self.assertEqual({run["study"] for run in runs}, {"toy (smoke)"})
        self.assertEqual({run["block"] for run in runs}, {1})
        epochs = [self.json("show", run["run"])["request"]["configuration"]["hyperparameters"]["epochs"] for run in runs]
        self.assertIn(1, epochs)
        self.assertEqual(self.json("run", file)["finished_now"], 9, "they are nobody's results")

    def test_only_some_runs_and_later_the_rest(self):
        file = self.study(repetitions=2)
        # As the help writes it: the study's name after the text.
        self.assertEqual(self.json("run", "--only", "original", file)["finished_now"], 2)
        self.assertEqual({run["label"] for run in self.json("list")}, {"original"})
        self.assertEqual(self.json("run", "--only", "epochs", "--only", "original", file)["finished_now"], 2)
        self.assertIn("no run of this study is meant", self.wattle("run", "--only", "nonsense", file, code=2)[1])
        self.assertEqual(self.json("run", file)["finished_now"], 2)

    def test_rerun_makes_again_what_it_is_asked_for_and_keeps_the_earlier_attempts(self):
        fails = "import os\nif not os.path.exists('mended'): raise SystemExit('not yet')\nprint('acc 0.9')\n"
        strays = "import os, time\nif os.fork() == 0: time.sleep(1000)\nprint('acc 0.9')\n"
        file = self.trainers(good="print('acc 0.9')\n", fails=fails, strays=strays)
        self.json("run", file, code=1)
        (self.folder / "mended").touch()
        made = lambda: collections.Counter(run["workload"] for run in self.json("list"))
        self.assertEqual(self.json("run", file)["finished_now"], 0)
        self.assertEqual(self.json("run", "--rerun", "failed", file)["finished_now"], 1)
        self.assertEqual(made(), {"good": 1, "fails": 2, "strays": 1})
        self.assertEqual(self.json("run", "--rerun", "flagged", file)["finished_now"], 1)
        self.assertEqual(made(), {"good": 1, "fails": 2, "strays": 2})
        self.assertEqual(self.json("run", "--rerun", "all", file)["finished_now"], 3)
        self.assertEqual(made(), {"good": 2, "fails": 3, "strays": 3})
        self.assertEqual(len({(run["run"], run["attempt"]) for run in self.json("list")}), 8)
        self.wattle("run", "--rerun", "sometimes", file, code=2)
        self.assert_sound()


class Alone(Engine):
    def test_a_second_who_measures_the_machine_is_refused_unless_told_that_it_is_shared(self):
        root = self.folder / "root"
        (root / "tmp").mkdir(parents=True)
        file = self.trainers(good="print('acc 0.9')\n")
        machine = ["--sysroot", root, *self.recording()]
        with (root / "tmp/wattle-meter").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.write("4711\n")
            lock.flush()
            _, err = self.wattle(*machine, "run", file, code=3, alone=True)
            self.assertIn("process 4711 measures this machine already", err)
            self.assertIn("--shared", err)
            self.assertFalse((self.folder / "wattle.db").exists(), "nothing was begun")
            self.wattle(*machine, "run", "--shared", file, alone=True)
        self.wattle(*machine, "run", "--rerun", "all", file, alone=True)

    def test_a_second_run_on_one_store_is_refused_even_when_the_machine_is_shared(self):
        file = self.trainers(slow="import time\nprint('acc 0.9', flush=True)\ntime.sleep(1000)\n")
        first = self.start("run", file)
        self.assertTrue(wait_for(lambda: list(self.folder.glob("wattle.db.runs/*/stdout"))))
        _, err = self.wattle("run", file, code=3)
        self.assertIn(str(first.pid), err)
        first.terminate()
        first.communicate()
        self.assert_sound()

    def test_a_power_cap_needs_to_be_allowed(self):
        file = self.trainers(good="open('began', 'w')\nprint('acc 0.9')\n", tail="[environment]\npower_cap = '50 W'\n")
        _, err = self.wattle("run", file, code=3)
        self.assertIn("--allow-power-cap", err)
        self.assertFalse((self.folder / "began").exists())
        # Where nothing can be capped, what is allowed is infeasible.
        (self.folder / "root/tmp").mkdir(parents=True)
        self.json("--sysroot", self.folder / "root", *self.recording(), "run", "--allow-power-cap", file, code=1)
        self.assertEqual([run["end"] for run in self.json("list")], ["infeasible"])
        self.assertFalse((self.folder / "began").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
