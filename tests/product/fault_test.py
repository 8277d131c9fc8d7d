"""Training programs that misbehave end as documented, and nothing else suffers."""

import unittest

from product import Product, live_processes_with

GOOD = "print('acc 0.9')\n"

IGNORES_SIGTERM = """
    import os, signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(3):
        if os.fork() == 0 and os.getpid() % 2:
            os.setsid()
    while True:
        time.sleep(1000)
    """

LEAVES_DAEMONS = """
    import os, signal, sys, time
    def daemon(hears):
        if os.fork():
            return
        os.setsid()
        if os.fork():
            os._exit(0)
        if not hears:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for number in (0, 1, 2):
            os.close(number)
        while True:
            time.sleep(1000)
    for number in range(20):
        daemon(number % 2)
    print("acc 0.9")
    """

GIBIBYTE = """
    import os
    print("acc 0.9", flush=True)
    block = b"x" * ((1 << 20) - 1) + b"\\n"
    for _ in range(1024):
        view = memoryview(block)
        while view:
            view = view[os.write(1, view):]
    """

EVENT_FLOOD = """
    import os
    file = os.open(os.environ["WATTLE_EVENTS"], os.O_WRONLY | os.O_APPEND)
    line = b'{"event": "x", "note": "' + b"x" * 4000 + b'"}\\n'
    print("acc 0.9", flush=True)
    while True:
        os.write(file, line)
    """

GARBAGE = r"""
    import os
    events = os.open(os.environ["WATTLE_EVENTS"], os.O_WRONLY | os.O_APPEND)
    for hostile in (os.urandom(100_000), b"\0" * 5000, b"[" * 100_000, b'{"event":"hello","t":1e999,"pid":[],"seq":-1}\n',
                    b'{"event":"metric","t":1,"pid":1,"seq":0,"name":"' + b"\xff" * 999 + b'","value":1}\n',
                    b"\x1b]0;title\x07\x1b[2J" + b"\r" * 999, b"\n"):
        for file in (1, 2, events):
            os.write(file, hostile)
    print("acc 0.9")
    """

CLOSES_STREAMS = """
    import os, time
    print("acc 0.9", flush=True)
    for number in (0, 1, 2):
        os.close(number)
    time.sleep(0.6)
    os._exit(0)
    """

REMOVES_RUN_DIR = """
    import os, shutil
    os.chdir(os.environ["WATTLE_RUN_DIR"])
    shutil.rmtree(os.environ["WATTLE_RUN_DIR"])
    print("acc 0.9")
    """

REMOVES_ATTEMPT = """
    import os, shutil
    print("acc 0.9", flush=True)
    shutil.rmtree(os.path.dirname(os.environ["WATTLE_EVENTS"]))
    """


class Misbehaving(Product):
    def end_of(self, script, **study):
        """Runs it beside a good one, which must not notice; its record."""
        code = 0 if study.pop("good", False) else 1
        file = self.trainers(bad=script, good=GOOD, **study)
        self.json("run", file, code=code)
        self.assert_sound()
        runs = {run["workload"]: run for run in self.json("list")}
        self.assertEqual(set(runs), {"bad", "good"})
        self.assertEqual(runs["good"]["end"], "completed")
        self.assertEqual(list(self.folder.glob("wattle.db.runs/*")), [])
        return self.json("show", runs["bad"]["run"])

    def test_daemons_that_a_run_leaves_are_ended_and_flagged(self):
        record = self.end_of(LEAVES_DAEMONS, good=True)
        self.assertEqual((record["end"], record["flags"]), ("completed", ["strays"]))

    def test_a_program_that_hangs_is_ended_by_its_time_limit(self):
        record = self.end_of("import time\nwhile True: time.sleep(1000)\n", protocol='time_limit = "1s"')
        self.assertEqual(record["end"], "failed")
        self.assertIn("time limit of 1", record["reason"])
        self.assertLess(record["duration_ns"], 20e9)

    def test_a_program_that_says_nothing_is_ended_by_the_silence_limit(self):
        record = self.end_of("import time\nprint('acc 0.9', flush=True)\nwhile True: time.sleep(1000)\n",
                             protocol='silence_limit = "1s"')
        self.assertEqual(record["end"], "failed")
        self.assertIn("silent for 1", record["reason"])

    def test_a_tree_that_ignores_sigterm_is_killed_after_its_grace(self):
        record = self.end_of(IGNORES_SIGTERM, protocol='time_limit = "1s"\ngrace = "100ms"')
        self.assertEqual((record["end"], record["signal"]), ("failed", 9))

    def test_a_gibibyte_of_output_is_kept_in_part_and_the_run_goes_on(self):
        process = self.start("run", self.trainers(bad=GIBIBYTE, good=GOOD, options='output = "pipe"'))
        largest = 0
        while process.poll() is None:
            for file in self.folder.glob("wattle.db.runs/*/stdout"):
                try:
                    largest = max(largest, file.stat().st_size)
                except OSError:
                    pass
        _, err = process.communicate()
        self.assertEqual(process.returncode, 0, err)
        self.assertGreater(largest, 1 << 20, "nothing was looked at")
        self.assertLessEqual(largest, (64 << 20) + (129 << 10))
        self.assert_sound()
        self.assertLess((self.folder / "wattle.db").stat().st_size, 1 << 20)
        run = next(run for run in self.json("list") if run["workload"] == "bad")
        self.assertEqual((run["end"], run["performance"]), ("completed", 0.9))
        self.assertIn("output shortened", run["flags"])

    def test_a_flood_of_events_is_a_failure(self):
        record = self.end_of(EVENT_FLOOD)
        self.assertEqual(record["end"], "failed")
        self.assertIn("event file grew beyond 64 MiB", record["reason"])

    def test_hostile_bytes_cost_only_themselves(self):
        record = self.end_of(GARBAGE, good=True)
        self.assertEqual(record["end"], "completed")
        self.assertIn("bad event lines", record["flags"])
        shown, _ = self.wattle("show", record["request"]["key"])
        self.assertNotIn("\x1b", shown)

    def test_a_signal_is_a_failure_with_its_name(self):
        record = self.end_of("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
        self.assertEqual((record["end"], record["signal"]), ("failed", 11))
        self.assertIn("segmentation fault", record["reason"])

    def test_closed_streams_do_not_end_a_run(self):
        record = self.end_of(CLOSES_STREAMS, good=True)
        self.assertEqual(record["end"], "completed")
        self.assertGreater(record["duration_ns"], 0.6e9)

    def test_a_program_may_remove_its_own_folder(self):
        self.assertEqual(self.end_of(REMOVES_RUN_DIR, good=True)["end"], "completed")

    def test_a_program_that_removes_its_attempt_is_a_failed_run(self):
        record = self.end_of(REMOVES_ATTEMPT)
        self.assertEqual(record["end"], "failed")
        self.assertIn("attempt", record["reason"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
