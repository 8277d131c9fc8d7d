"""Whatever a power cut leaves in an attempt's directory, the same command goes on and only what was cut is lost."""

import json
import os
import shutil
import signal
import subprocess
import unittest

from product import WATTLE, Product, live_processes_with, wait_for

SPEAKS = """
    import json, os, time
    file = os.open(os.environ["WATTLE_EVENTS"], os.O_WRONLY | os.O_APPEND)
    boot = open("/proc/sys/kernel/random/boot_id").read().strip()
    def say(number, event, **fields):
        line = {"event": event, "t": time.monotonic_ns(), "pid": os.getpid(), "seq": number, **fields}
        os.write(file, json.dumps(line).encode() + b"\\n")
    say(0, "hello", protocol=1, boot_id=boot, boottime=time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    say(1, "phase_begin", phase="train")
    print("acc 0.9", flush=True)
    end = time.monotonic() + (1000 if os.path.exists("hang") else 0)
    while time.monotonic() < end:
        time.sleep(0.01)
    say(2, "phase_end", phase="train")
    """


def cut(file, bytes_lost):
    os.truncate(file, max(0, file.stat().st_size - bytes_lost))


# What is done to a copy of an attempt that was cut off in mid-run.
DAMAGE = {
    "none": lambda at: None,
    "torn trace": lambda at: cut(at / "trace.zst", 3),
    "no trace": lambda at: (at / "trace.zst").unlink(),
    "empty trace": lambda at: (at / "trace.zst").write_bytes(b""),
    "zeroed trace": lambda at: (at / "trace.zst").write_bytes(b"\0" * 4096),
    "torn event": lambda at: cut(at / "events.jsonl", 9),
    "zeroed events": lambda at: (at / "events.jsonl").write_bytes(b"\0" * 4096),
    "empty result": lambda at: (at / "result.json").write_bytes(b""),
    "zeroed result": lambda at: (at / "result.json").write_bytes(b"\0" * 4096),
    "garbage result": lambda at: (at / "result.json").write_bytes(os.urandom(4096)),
    "half a result": lambda at: (at / "result.json").write_text('{"attempt": 1, "domains": ['),
    "another's result": lambda at: (at / "result.json").write_text("{}"),
    "torn telemetry": lambda at: cut(at / "telemetry.jsonl", 7),
    "empty guard": lambda at: (at / "guard.json").write_bytes(b""),
    "garbage guard": lambda at: (at / "guard.json").write_bytes(os.urandom(400)),
    "garbage lines": lambda at: (at / "lines.jsonl").write_bytes(os.urandom(400)),
    "no output": lambda at: (at / "stdout").unlink(),
}


class PowerCut(Product):
    def cut_off(self):
        """An attempt directory as SIGKILL leaves it, after a second of trace; the study it belongs to."""
        file = self.trainers(repetitions=2, speaks=SPEAKS)
        (self.folder / "hang").touch()
        process = self.start("run", file)
        traces = lambda: [one for one in self.folder.glob("wattle.db.runs/*/trace.zst") if one.stat().st_size > 1500]
        self.assertTrue(wait_for(traces), "no trace was ever flushed")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertTrue(wait_for(lambda: not live_processes_with(str(self.folder)), 20))
        (self.folder / "hang").unlink()
        (attempt,) = self.folder.glob("wattle.db.runs/*")
        return attempt, file

    def test_every_damage_costs_only_itself(self):
        attempt, file = self.cut_off()
        copies = {}
        for number, (damage, apply) in enumerate(DAMAGE.items(), start=1):
            copy = attempt.with_name(attempt.name.rsplit("-", 1)[0] + f"-{number}")
            if number > 1:
                shutil.copytree(attempt, copy)
            request = json.loads((copy / "request.json").read_text())
            request["attempt"] = number
            (copy / "request.json").write_text(json.dumps(request))
            copies[number] = damage, apply, copy
        for damage, apply, copy in copies.values():
            apply(copy)
        _, err = self.wattle("run", file)
        self.assertIn(f"recovered {len(DAMAGE)} attempts", err)
        self.assert_sound()
        runs = self.json("list")
        ends = {run["attempt"]: run["end"] for run in runs if run["end"] == "interrupted"}
        self.assertEqual(sorted(ends), sorted(copies))
        self.assertEqual(sum(run["end"] == "completed" for run in runs), 2)
        without_joules = {copies[run["attempt"]][0] for run in runs
                          if run["end"] == "interrupted" and not (run["measured_energy_j"] or run["estimated_energy_j"])}
        self.assertEqual(without_joules, {"no trace", "empty trace", "zeroed trace"})

    def test_a_lost_request_does_not_stand_in_the_way(self):
        for content in (b"", b"\0" * 4096, b"{"):
            with self.subTest(content=content[:4]):
                shutil.rmtree(self.folder / "wattle.db.runs", ignore_errors=True)
                (self.folder / "wattle.db").unlink(missing_ok=True)
                attempt, file = self.cut_off()
                (attempt / "request.json").write_bytes(content)
                _, err = self.wattle("run", file)
                self.assertIn("request.json is damaged", err)
                self.assert_sound()
                self.assertEqual([run["end"] for run in self.json("list")], ["completed", "completed"])
                self.assertEqual(len(list(self.folder.glob("wattle.db.runs/*/trace.zst"))), 1, "it is kept")
                self.assertIn("request.json is damaged", self.wattle("run", file)[1], "and said as long as it is there")

    def test_files_of_an_attempt_whose_store_is_gone_do_not_stand_in_the_way(self):
        file = self.trainers(keeps="import os\nopen(os.environ['WATTLE_RUN_DIR'] + '/checkpoint', 'w')\nprint('acc 0.9')\n")
        self.wattle("run", file)
        (self.folder / "wattle.db").unlink()
        self.wattle("run", file)
        self.assert_sound()
        kept = sorted(str(one.relative_to(self.folder)).split("-")[1] for one in
                      self.folder.glob("wattle.db.runs/*/files/checkpoint"))
        self.assertEqual(kept, ["1.earlier/files/checkpoint", "1/files/checkpoint"])


class Clocks(Product):
    """Clocks that jump; the wall clock's steps are tested where there is a seam for them (run_test, store_test)."""

    SHIFT = 5_000_000  # seconds

    def elsewhere(self, *arguments):
        """wattle where CLOCK_MONOTONIC and CLOCK_BOOTTIME are ahead, as after another boot."""
        return subprocess.Popen(["unshare", "--time", "--fork", "--kill-child", "--monotonic", str(self.SHIFT), "--boottime",
                                 str(self.SHIFT), WATTLE, *map(str, arguments), "--shared"], cwd=self.folder, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def setUp(self):
        super().setUp()
        if subprocess.run(["unshare", "--time", "--monotonic", "1", "true"], capture_output=True).returncode:
            self.skipTest("needs the right to make a time namespace")

    def test_an_attempt_of_another_clock_is_recovered_with_its_own_duration(self):
        file = self.trainers(repetitions=3, speaks=SPEAKS)
        (self.folder / "hang").touch()
        process = self.elsewhere("run", file)
        traces = lambda: [one for one in self.folder.glob("wattle.db.runs/*/trace.zst") if one.stat().st_size > 1500]
        self.assertTrue(wait_for(traces), "no trace was ever flushed")
        process.kill()
        process.communicate()
        self.assertTrue(wait_for(lambda: not live_processes_with(str(self.folder)), 20))
        (self.folder / "hang").unlink()
        self.wattle("run", file)
        self.assert_sound()
        runs = self.json("list")
        self.assertEqual([run["end"] for run in runs], ["interrupted"] + 3 * ["completed"])
        for run in runs:
            self.assertGreaterEqual(run["duration_s"], 0)
            self.assertLess(run["duration_s"], 60)
        for run in runs[1:]:
            record = self.json("show", f"{run['run']}.{run['attempt']}")
            self.assertEqual([w.get("void_reason", "") for w in record["windows"]], ["", ""], "run and train")


if __name__ == "__main__":
    unittest.main(verbosity=2)
