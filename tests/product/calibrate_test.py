"""The model is calibrated by the real command, against a recording, and says so from then on."""

import json
import os
import threading
import time
import unittest

from product import Product

CPUS = 2
HOLD = 2.0
USES = [0.0, 0.5, 0.5, 1.0, 1.0, 0.0]  # of a ladder of two steps


def watts(use):
    return 10.0 + 12.0 * use + 8.0 * use * use


class FakeMachine(threading.Thread):
    """A /proc/stat whose CPUs are used as the ladder means them to be, whatever else this machine does."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.file = os.open(root / "proc/stat", os.O_RDWR)
        self.begin = None
        self.over = threading.Event()
        self.hertz = os.sysconf("SC_CLK_TCK")

    def tell(self, elapsed):
        used = 0.0
        for number, use in enumerate(USES):
            used += use * min(max(elapsed - number * HOLD, 0.0), HOLD)
        busy = int(used * CPUS * self.hertz)
        idle = int(elapsed * CPUS * self.hertz) - busy
        os.pwrite(self.file, stat_text(busy, idle).encode(), 0)

    def run(self):
        while not self.over.wait(0.01):
            if self.begin is not None:
                self.tell(time.monotonic() - self.begin)


def stat_text(busy, idle):
    # Of one length, since it is written over what was there while somebody may read.
    return f"cpu  {busy:010} 0 0 {idle:010} 0 0 0 0 0 0\n" + "".join(f"cpu{i} 0 0 0 0\n" for i in range(CPUS))


class Calibrate(Product):
    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        self.write("root/proc/stat", stat_text(0, 0))
        self.write("root/proc/meminfo", "MemTotal:        8388608 kB\n")
        self.write("root/proc/cpuinfo", "processor\t: 0\nmodel name\t: A processor\n")
        self.write("root/proc/sys/kernel/hostname", "toy\n")
        self.write("root/sys/devices/system/cpu/online", "0-1\n")
        rows = ["time_s,domain,power_w"]
        for number, use in enumerate(USES):
            rows += [f"{number * HOLD + 0.001:.3f},package-0,{watts(use)}", f"{(number + 1) * HOLD:.3f},package-0,{watts(use)}"]
        rows[1] = f"0,package-0,{watts(USES[0])}"
        rows.append(f"{(len(USES) + 5) * HOLD:.3f},package-0,{watts(USES[-1])}")
        self.write("meter.csv", "\n".join(rows) + "\n")

    def calibrate(self, *options):
        machine = FakeMachine(self.root)
        machine.start()
        process = self.start("--sysroot", self.root, "--output", "told", "calibrate", "--against", "replay:meter.csv",
                             "--hold", f"{HOLD}s", "--levels", "2", "--others", "100", *options)
        said = ""
        for line in process.stderr:
            if "level 1 of" in line:
                machine.begin = time.monotonic()
            said += line
        process.wait()
        process.stdout.close()
        process.stderr.close()
        machine.over.set()
        machine.join()
        os.close(machine.file)
        self.assertEqual(process.returncode, 0, said)
        return (self.folder / "told").read_text(), said

    def model(self):
        told = json.loads(self.wattle("--json", "--sysroot", self.root, "doctor", "--quick")[0])
        return next(probe for probe in told["probes"] if probe["probe"] == "model")

    def test_the_model_says_by_what_it_was_calibrated_until_that_is_damaged_or_anothers(self):
        self.assertIn("±40 %", self.model()["reason"])
        text, said = self.calibrate("--json")
        told = json.loads(text)
        self.assertIn("level 6 of 6: at rest; 2.0 s left", said)
        curve = told["calibration"]["curve"]
        for use in (0.0, 0.5, 1.0):
            fitted = curve["base_w"] + curve["slope_w"] * use + curve["bend_w"] * use * use
            self.assertAlmostEqual(fitted / watts(use), 1.0, delta=0.05)
        self.assertEqual([round(level["use"], 1) for level in told["levels"]], USES)

        kept = self.root / "var/lib/wattle/calibration.json"
        self.assertEqual(told["stored"], str(kept))
        model = self.model()
        self.assertRegex(model["reason"], r"calibrated against replay \(package-0\) on \d{4}-\d\d-\d\d, simulated")
        cpu = model["domains"][0]
        self.assertEqual(cpu["gain_uncertainty"], told["gain_uncertainty"])
        self.assertLess(cpu["gain_uncertainty"], 0.25)
        self.assertEqual(len(model["domains"]), 2, "memory is not in a package")

        command = ["--json", "--sysroot", self.root, "--probe", "model", "measure", "--", "/bin/sleep", "0.5"]
        measured = json.loads(self.wattle(*command)[0])
        domain = next(d for d in measured["domains"] if d["domain"] == "cpu (model)")
        self.assertEqual(domain["provenance"], "model")
        self.assertIn("calibrated against", domain["source"])
        # The fake machine stands still now: that is rest.
        self.assertAlmostEqual(domain["mean_power_w"], watts(0.0), delta=0.6)

        whole = kept.read_text()
        self.write("root/proc/sys/kernel/hostname", "another\n")
        self.assert_unused("of another machine: toy")
        self.write("root/proc/sys/kernel/hostname", "toy\n")
        self.assertNotIn("not used", self.model()["reason"])
        kept.write_text(whole.replace('"slope_w": ', '"slope_w": -'))
        self.assert_unused("`curve`")
        kept.write_text(whole[:80])
        self.assert_unused("not an object of JSON")
        kept.write_bytes(b"\xff" * 100_000)
        self.assert_unused("")

    def assert_unused(self, why):
        model = self.model()
        self.assertIn("±40 %", model["reason"])
        self.assertIn("its calibration is not used", model["reason"])
        self.assertIn(why, model["reason"])
        self.assertEqual(model["fix"], "wattle calibrate")
        self.assertEqual(model["domains"][0]["gain_uncertainty"], 0.4)

    def test_a_dry_run_shows_the_fit_and_keeps_nothing(self):
        text, _ = self.calibrate("--dry-run")
        for word in ("CPU use", "fitted", "P(u) = ", "W · u", "against   replay (package-0)", "nowhere (--dry-run)"):
            self.assertIn(word, text)
        self.assertFalse((self.root / "var").exists())

    def test_without_anything_that_measures_it_says_what_to_do(self):
        _, err = self.wattle("--sysroot", self.root, "calibrate", code=3)
        self.assertIn("nothing measures the processors here", err)
        self.assertIn("wattle doctor --quick", err)
        self.wattle("--sysroot", self.root, "calibrate", "--against", "model", code=3)
        _, err = self.wattle("--sysroot", self.root, "calibrate", "--against", "replay:none.csv", code=3)
        self.assertIn("none.csv", err)
        self.wattle("--sysroot", self.root, "calibrate", "--hold", "1ms", code=2)
        self.wattle("--sysroot", self.root, "calibrate", "--levels", "1", code=2)
        self.assertIn("Examples", self.wattle("calibrate", "--help")[0])


if __name__ == "__main__":
    unittest.main()
