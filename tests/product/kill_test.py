"""Nothing is lost: wattle is killed at random moments of one campaign and the same command goes on."""

import random
import signal
import sqlite3
import sys
import time
import unittest

from product import Product, live_processes_with, wait_for

KILLS = int(sys.argv.pop(1)) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 10


# Every third run leaves a daemon behind that hears no SIGTERM, in a session of its own and with no stream of ours.
DAEMON = """
        import os, signal
        if a.seed % 3 == 0 and os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for number in (0, 1, 2):
                os.close(number)
            while True:
                time.sleep(1000)
        """


class Killed(Product):
    SCRIPT = Product.SCRIPT + DAEMON

    def kill_often(self, file):
        moments = random.Random(20261121)
        for kill in range(KILLS):
            process = self.start("run", file)
            time.sleep(moments.uniform(0.02, 1.2))
            if process.poll() is not None:
                process.communicate()
                self.fail("the campaign ended before it was killed often enough: it must be made longer")
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if kill % 3:  # sometimes the next one comes while the last one's processes still live
                self.assertTrue(wait_for(lambda: not live_processes_with(str(self.folder)), 20),
                                "a process outlived its campaign")

    def test_a_campaign_killed_at_random_moments_holds_each_run_once(self):
        file = self.study(seconds=0.15, repetitions=4 + KILLS // 4)
        planned = sorted(run["run"] for run in self.json("plan", file)["runs"])
        self.kill_often(file)
        self.wattle("run", file)
        self.assert_sound()

        database = sqlite3.connect(self.folder / "wattle.db")
        self.addCleanup(database.close)
        finished = database.execute("SELECT key FROM run WHERE end_state <> 'interrupted' ORDER BY key").fetchall()
        self.assertEqual([key for (key,) in finished], planned)
        interrupted = database.execute(
            "SELECT key, attempt, coalesce(measured_energy_j, estimated_energy_j) FROM run "
            "WHERE end_state = 'interrupted'").fetchall()
        self.assertLessEqual(len(interrupted), KILLS, "a kill loses at most the run in flight")
        self.assertGreater(len(interrupted), 0, "no kill hit a run: the moments prove nothing")
        self.assertGreater(sum(joules or 0 for _, _, joules in interrupted), 0, "the joules of dead attempts are kept")
        self.assertEqual(len({(key, attempt) for key, attempt, _ in interrupted}), len(interrupted))
        self.assertEqual(list(self.folder.glob("wattle.db.runs/*")), [])
        count = len(planned)
        self.assertEqual(self.wattle("run", file)[0].count(f"{count} of {count}"), 1, "nothing is run again")
        self.assertIsNotNone(self.json("report"))


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
