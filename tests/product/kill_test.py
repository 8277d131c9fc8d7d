"""Nothing is lost: wattle is killed at random moments of one campaign and the same command goes on."""

import random
import signal
import sqlite3
import time
import unittest

from product import Product, live_processes_with

KILLS = 10


class Killed(Product):
    def test_a_campaign_killed_ten_times_holds_each_run_once(self):
        file = self.study(seconds=0.15, repetitions=6)
        planned = sorted(run["run"] for run in self.json("plan", file)["runs"])
        self.assertEqual(len(planned), 18)
        moments = random.Random(20261121)
        kills = 0
        while kills < KILLS:
            process = self.start("run", file)
            time.sleep(moments.uniform(0.02, 1.2))
            if process.poll() is not None:
                process.communicate()
                self.fail("the campaign ended before it was killed often enough: it must be made longer")
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            deadline = time.monotonic() + 20
            while (left := live_processes_with(str(self.folder))) and time.monotonic() < deadline:
                time.sleep(0.02)
            self.assertEqual(left, [], "a process outlived its campaign")
        self.wattle("run", file)

        database = sqlite3.connect(self.folder / "wattle.db")
        self.addCleanup(database.close)
        self.assertEqual(database.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        finished = database.execute("SELECT key FROM run WHERE end_state <> 'interrupted' ORDER BY key").fetchall()
        self.assertEqual([key for (key,) in finished], planned)
        interrupted = database.execute(
            "SELECT key, attempt, coalesce(measured_energy_j, estimated_energy_j) FROM run "
            "WHERE end_state = 'interrupted'").fetchall()
        self.assertLessEqual(len(interrupted), KILLS, "a kill loses at most the run in flight")
        self.assertGreater(len(interrupted), 0, "no kill hit a run: the moments prove nothing")
        self.assertGreater(sum(joules or 0 for _, _, joules in interrupted), 0, "the joules of dead attempts are kept")
        self.assertEqual(len({(key, attempt) for key, attempt, _ in interrupted}), len(interrupted))
        findings = self.json("report")
        self.assertEqual(self.wattle("run", file)[0].count("18 of 18"), 1, "nothing is run again")
        self.assertIsNotNone(findings)


class Stopped(Product):
    def stop(self, file, *signals):
        process = self.start("run", file)
        deadline = time.monotonic() + 30
        while not list(self.folder.glob("wattle.db.runs/*/events.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.01)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.05)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, out + err)
        self.assertEqual(live_processes_with(str(self.folder)), [])
        return self.json("list")

    def test_one_interrupt_lets_the_run_end(self):
        runs = self.stop(self.study(seconds=0.3), signal.SIGINT)
        self.assertEqual({run["end"] for run in runs}, {"completed"})
        self.assertLess(len(runs), 9)

    def test_two_interrupts_end_the_run_and_keep_its_joules(self):
        runs = self.stop(self.study(seconds=5), signal.SIGINT, signal.SIGINT)
        self.assertEqual([run["end"] for run in runs], ["interrupted"])

    def test_a_termination_ends_the_run(self):
        runs = self.stop(self.study(seconds=5), signal.SIGTERM)
        self.assertEqual([run["end"] for run in runs], ["interrupted"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
