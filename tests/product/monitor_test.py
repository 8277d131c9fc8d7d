"""`wattle monitor` and the smart plug as people meet them: over real HTTP, in a terminal, until ^C."""

import http.server
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

from product import BIN, Product

# prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{{(?:{LABEL}(?:,{LABEL})*)?\}})? (\S+)")


def parsed(text):
    """(samples by name and labels, types by name) of an exposition; fails where it breaks the format."""
    samples, types = {}, {}
    assert text.endswith("\n"), "the last line must end"
    for line in text.splitlines():
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, line
            types[name] = kind
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        assert name in types, line
        assert (name, labels) not in samples, line
        samples[name, labels] = float(value)
    return samples, types


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


class Monitoring(Product):
    def machine(self):
        """A machine with one package that counts, below a folder."""
        zone = self.folder / "root/sys/class/powercap/intel-rapl:0"
        zone.mkdir(parents=True)
        (zone / "name").write_text("package-0\n")
        (zone / "energy_uj").write_text("1000000\n")
        (zone / "max_energy_range_uj").write_text("262143328850\n")
        return self.folder / "root"

    def listening(self, *arguments):
        """A monitor that serves, and its address."""
        process = self.start("monitor", "--interval", "100ms", *arguments)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        told = process.stderr.readline()
        match = re.fullmatch(r"metrics at (http://\S+)/metrics\n", told)
        self.assertTrue(match, told)
        return process, match[1]

    def interrupted(self, process):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        return out, err


class Lines(Monitoring):
    def test_json_is_one_object_a_line_and_its_energy_never_falls(self):
        out, err = self.wattle("--json", "monitor", "--interval", "100ms", "--count", "4")
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(len(lines), 4)
        for name in ("elapsed_s", "domains", "measured_energy_j", "measured_power_w", "estimated_energy_j",
                     "estimated_power_w", "missing"):
            self.assertIn(name, lines[0])
        for before, after in zip(lines, lines[1:]):
            self.assertGreater(after["elapsed_s"], before["elapsed_s"])
            for old, new in zip(before["domains"], after["domains"]):
                self.assertGreaterEqual(new["energy_j"], old["energy_j"])
        self.assertIn("watched", err)

    def test_interrupting_it_is_its_ordinary_end(self):
        process = self.start("monitor", "--interval", "100ms")
        lines = [process.stdout.readline()]  # the first may lie too soon after the start to have a power
        while not re.search(r" W", lines[-1]) and len(lines) < 50:
            lines.append(process.stdout.readline())
        self.assertRegex(lines[-1], r" W")
        out, _ = self.interrupted(process)
        self.assertRegex(out.splitlines()[-1], r"^watched .* (measured|estimated) \S+ m?k?J \(mean \S+ m?W\)$")

    def test_nobody_reading_ends_it(self):
        for more in ([], ["--listen", "0"]):
            process = self.start("--json", "monitor", "--interval", "100ms", *more, stderr=subprocess.DEVNULL)
            process.stdout.readline()
            process.stdout.close()
            process.wait(timeout=60)

    def test_what_is_measured_is_not_called_estimated(self):
        root = self.machine()
        out, _ = self.wattle("--json", "--sysroot", root, "monitor", "--interval", "100ms", "--count", "2")
        line = json.loads(out.splitlines()[-1])
        self.assertEqual([d["domain"] for d in line["domains"]], ["package-0"])
        self.assertEqual(line["measured_energy_j"], 0.0)
        self.assertIsNone(line["estimated_energy_j"])

    def test_a_stated_part_joins_the_estimate_alone(self):
        root = self.machine()
        out, _ = self.wattle("--json", "--sysroot", root, "--probe", "powercap", "--probe", "constant:20:fans", "monitor",
                             "--interval", "100ms", "--count", "3")
        line = json.loads(out.splitlines()[-1])
        self.assertEqual(line["measured_energy_j"], 0.0)
        self.assertAlmostEqual(line["estimated_power_w"], 20.0, places=3)

    def test_mistakes_are_told(self):
        for words in (["--interval", "1ms"], ["--interval", "fast"], ["--listen", "x"], ["--listen", "host:"],
                      ["--listen", "::1:80"], ["--listen", "70000"], ["--count", "0"]):
            self.wattle("monitor", *words, code=2)
        _, err = self.wattle("--sysroot", self.folder, "monitor", code=3)
        self.assertIn("nothing here can be watched", err)
        self.assertIn("powercap", err)


class Terminal(Monitoring):
    def test_it_redraws_in_place_and_says_what_is_estimated(self):
        here, there = pty.openpty()
        self.addCleanup(os.close, here)
        process = self.start("monitor", "--interval", "100ms", "--count", "3", stdout=there,
                             env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"})
        os.close(there)
        text = b""
        while process.poll() is None or select.select([here], [], [], 0)[0]:
            if not select.select([here], [], [], 0.05)[0]:
                continue
            try:
                text += os.read(here, 65536)
            except OSError:
                break
        process.communicate(timeout=60)
        text = text.decode()
        self.assertEqual(process.returncode, 0)
        ups = re.findall(r"\x1b\[(\d+)A\x1b\[J", text)
        self.assertEqual(len(ups), 2, text)
        first = text[: text.index("\x1b[")]
        self.assertEqual(first.count("\n"), int(ups[0]), "as many lines up as were drawn")
        for line in first.splitlines():
            self.assertLess(len(line), 80)
        self.assertIn("last minute", first)
        self.assertRegex(text, "[▁▂▃▄▅▆▇█]")
        self.assertRegex(first, "measured|estimated")


class Prometheus(Monitoring):
    def test_a_scrape_is_what_prometheus_reads(self):
        root = self.machine()
        process, address = self.listening("--listen", "0", "--sysroot", root)
        kind, text = get(address + "/metrics")
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        samples, types = parsed(text)
        self.assertEqual(types, {"wattle_energy_joules_total": "counter", "wattle_power_watts": "gauge",
                                 "wattle_readings_failed_total": "counter", "wattle_sampler_rounds_total": "counter",
                                 "wattle_sampler_dropped_total": "counter", "wattle_build_info": "gauge"})
        labels = '{domain="package-0",kind="package",provenance="counter",source="powercap"}'
        self.assertEqual(samples["wattle_energy_joules_total", labels], 0.0)
        (root / "sys/class/powercap/intel-rapl:0/energy_uj").write_text("3500000\n")
        while parsed(get(address + "/metrics")[1])[0]["wattle_energy_joules_total", labels] != 2.5:
            time.sleep(0.02)
        later, _ = parsed(get(address + "/metrics")[1])
        self.assertGreater(later["wattle_sampler_rounds_total", None], samples["wattle_sampler_rounds_total", None])
        out, _ = self.interrupted(process)
        self.assertIn("measured 2.50 J", out)

    def test_only_the_metrics_are_served_and_only_on_the_loopback(self):
        process, address = self.listening("--listen", "0")
        self.assertTrue(address.startswith("http://127.0.0.1:"))
        self.assertIn("/metrics", get(address + "/")[1])
        with self.assertRaises(urllib.error.HTTPError) as refused:
            get(address + "/etc/passwd")
        self.assertEqual(refused.exception.code, 404)
        port = int(address.rsplit(":", 1)[1])
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=10)
        _, err = self.wattle("monitor", "--listen", port, code=3)
        self.assertIn("cannot listen on 127.0.0.1 port", err)
        self.interrupted(process)

    def test_a_client_that_says_nothing_keeps_nobody_waiting(self):
        process, address = self.listening("--listen", "0")
        with socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1]))) as silent:
            silent.sendall(b"GET /metrics HT")
            parsed(get(address + "/metrics")[1])
            out, _ = self.interrupted(process)
        self.assertIn("watched", out)


class Library(Monitoring):
    def test_only_who_needs_http_loads_it(self):
        for more, loaded in (([], False), (["--listen", "0"], True)):
            process = self.start("--json", "monitor", "--interval", "100ms", *more)
            process.stdout.readline()
            with open(f"/proc/{process.pid}/maps", encoding="utf-8") as maps:
                text = maps.read()
            self.assertEqual("libwattle_http" in text, loaded)
            self.assertEqual("libssl" in text, loaded)
            self.interrupted(process)

    def test_without_the_library_the_rest_works_and_listening_says_what_is_missing(self):
        (self.folder / "bin").mkdir()
        alone = str(shutil.copy(BIN / "wattle", self.folder / "bin/wattle"))
        done = subprocess.run([alone, "monitor", "--interval", "100ms", "--count", "1"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run([alone, "monitor", "--listen", "0"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn("lib/wattle/libwattle_http.so", done.stderr)


class Plug(Monitoring):
    def plug(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer(self)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"plug:127.0.0.1:{server.server_address[1]}"

    @staticmethod
    def shelly(request):
        body = b'{"id":0,"output":true,"apower":61.3,"aenergy":{"total":1.0}}' if "Switch" in request.path else b""
        request.send_response(200 if body else 404)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def test_the_wall_is_measured_through_a_plug(self):
        place = self.plug(self.shelly)
        out, _ = self.wattle("--json", "--probe", place, "monitor", "--interval", "100ms", "--count", "20")
        line = json.loads(out.splitlines()[-1])
        self.assertEqual(line["domains"][0]["kind"], "wall")
        self.assertAlmostEqual(line["measured_power_w"], 61.3, places=3)

    def test_a_plug_that_drips_or_sends_elsewhere_is_a_reason_not_a_wait(self):
        left = threading.Event()
        self.addCleanup(left.set)

        def drip(request):
            try:
                request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not left.wait(0.02):
                    request.wfile.write(b"x")
            except OSError:
                pass

        def elsewhere(request):
            request.send_response(302)
            request.send_header("Location", "http://127.0.0.1:9/")
            request.end_headers()

        for answer, reason in ((drip, "no answer within"), (elsewhere, "redirects are not followed")):
            _, err = self.wattle("--probe", self.plug(answer), "monitor", "--count", "1", code=3)
            self.assertIn(reason, err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
