"""The meter alone, as people use it: measure, compare, doctor and metrics, run for real on this machine."""
import json
import subprocess
import sys
import unittest

import product


class Meter(product.Product):
    def test_metrics_are_documented_as_they_are(self):
        told, _ = self.wattle("metrics")
        self.assertEqual(told, (product.ROOT / "docs" / "metrics.md").read_text(),
                         "docs/metrics.md is out of date: wattle --output docs/metrics.md metrics")

    def test_measure_passes_streams_and_exit_code_and_tells_carbon(self):
        out, err = self.wattle("measure", "--country", "fr", "--repeat", "2", "--", "/bin/sh", "-c",
                               "echo out; sleep 0.4; exit 0")
        self.assertEqual(out, "out\nout\n")
        self.assertIn("location-based average of France, 56 g/kWh (2023)", err)
        self.assertIn("n = 2", err)
        _, err = self.wattle("measure", "--country", "XX", "--", "/bin/true", code=2)
        self.assertIn("--country XX", err)

    def test_what_is_too_short_has_no_number(self):
        told = self.json("measure", "--", "/bin/true")
        for total in ("measured", "estimated"):
            self.assertIsNone(told[total]["energy_j"])
        self.assertTrue(any("too short to measure" in domain["why_absent"] for domain in told["domains"]) or
                        not told["domains"])

    def test_a_trace_can_be_replayed(self):
        self.wattle("measure", "--trace", "trace.csv", "--interval", "20ms", "--", "/bin/sleep", "0.6")
        told = self.json("--probe", "replay:trace.csv", "measure", "--interval", "20ms", "--", "/bin/sleep", "0.4")
        self.assertTrue(told["domains"])
        for domain in told["domains"]:
            self.assertTrue(domain["simulated"], domain)
            self.assertIsNotNone(domain["energy_j"], domain)

    def test_telemetry_tells_what_the_command_did(self):
        told = self.json("measure", "--", sys.executable, "-c",
                         "import time\nend = time.time() + 2.3\nwhile time.time() < end: pass")["telemetry"]
        self.assertGreater(told["run_cpu"]["maximum"], 0.2)
        self.assertGreaterEqual(told["run_processes"]["maximum"], 1)

    def test_a_client_of_a_daemon_says_what_is_lost(self):
        self.write("docker", "#!/bin/sh\nexit 0\n").chmod(0o755)
        told = self.json("measure", "--", "./docker", "run", "image")
        self.assertIn("the Docker daemon", told["lost"])

    def test_two_measurements_at_once_know_of_each_other(self):
        (self.folder / "run" / "lock").mkdir(parents=True)
        command = ("--json", "--sysroot", self.folder, "--probe", "constant:5", "measure", "--", "/bin/sh", "-c")
        first = self.start(*command, "echo ready >&2; read line", stdin=subprocess.PIPE)
        self.assertEqual(first.stderr.readline(), "ready\n")
        self.assertEqual(self.json(*command[1:], "true")["other_measurement_pid"], first.pid)
        out, _ = first.communicate("go\n", timeout=60)
        self.assertIsNone(json.loads(out)["other_measurement_pid"])

    def test_a_mistyped_probe_is_refused_before_anything_runs(self):
        _, err = self.wattle("--probe", "powercp", "measure", "--", "/bin/sh", "-c", "touch made", code=2)
        self.assertIn("did you mean `powercap`?", err)
        self.assertFalse((self.folder / "made").exists())

    def test_compare_runs_in_rounds_and_tells_the_ratio(self):
        told = self.json("compare", "--runs", "6", "--warmup", "0", "sleep 0.3", "sleep 0.45")
        time = told["comparisons"][0]["time"]
        self.assertEqual(time["pairs"], 6)
        self.assertGreater(time["ratio"], 1.2)
        self.assertAlmostEqual(time["p_value"], 2 / 64)
        self.assertEqual(time["cliffs_delta"], 1.0)

    def test_compare_makes_commands_of_a_list(self):
        told = self.json("compare", "--runs", "1", "--warmup", "0", "-L", "t", "0.21,0.22,0.23", "sleep {t}")
        self.assertEqual([c["command"] for c in told["commands"]], [["sleep", t] for t in ("0.21", "0.22", "0.23")])

    def test_compare_uses_no_shell(self):
        for hostile in ("touch made; true", "true | tee made", "true > made", "true $(touch made)", "true `touch made`"):
            _, err = self.wattle("compare", hostile, "true", code=2)
            self.assertIn("for a shell, and none is used", err)
        self.assertFalse((self.folder / "made").exists())

    def test_compare_ends_where_a_command_fails(self):
        _, err = self.wattle("compare", "--runs", "2", "true", "false", code=1)
        self.assertIn("exit code 1", err)

    def test_doctor_names_every_probe_with_its_state(self):
        told = self.json("doctor", "--quick")
        names = [probe["probe"] for probe in told["probes"]]
        self.assertEqual(names, ["perf", "powercap", "nvml", "hwmon", "battery", "model"])
        for probe in told["probes"]:
            self.assertIn(probe["status"], ("found", "denied", "absent"))
            self.assertTrue(probe["reason"] and probe["proven"], probe)

    def test_a_probe_asked_for_and_absent_is_told(self):
        told = self.json("--probe", "powercap", "--sysroot", self.folder, "measure", "--", "/bin/sleep", "0.3")
        self.assertTrue(any(missing.startswith("powercap: no RAPL zone") for missing in told["missing_domains"]), told)
        self.assertIsNone(told["measured"]["energy_j"])
        self.assertIsNone(told["estimated"]["energy_j"], "nothing estimated fills a hole that was asked to be measured")


if __name__ == "__main__":
    unittest.main()
