"""Programs speak to Wattle: python/wattle.py and libwattle_meter say what docs/trainer_protocol.md names, never disturb
what they speak for, and what they said is read by the real `wattle` as the windows that it was."""

import ast
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "product"))
from product import BIN, ROOT, Product  # noqa: E402

HERE = Path(__file__).resolve().parent
MODULE = ROOT / "python" / "wattle.py"
LIBRARY = BIN.parent / "lib" / "libwattle_meter.so"
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")

# The same as scenario() of speaks.c.
SCENARIO = """
    import wattle
    with wattle.phase("load"):
        pass
    with wattle.phase("train", epoch=1):
        with wattle.phase("train", epoch=1):
            with wattle.phase('save "it"\\n'):
                pass
    wattle.metric("loss", float("nan"), split="train", epoch=1)
    wattle.metric("loss", float("inf"), split="train", epoch=1)
    wattle.metric("loss", float("-inf"), split="train", epoch=1)
    wattle.metric("accuracy", 0.93, split="validation", epoch=1)
    wattle.metric("accuracy", 0.93, split="val", epoch=1)
    wattle.metric("accuracy", 0.94, split="test", epoch=-1)
    wattle.metric("", 0.94, split="test")
    wattle.epoch(1)
    wattle.epoch(0)
    wattle.phase("").__enter__()
    wattle.phase("caf\\u00e9").__enter__()
    wattle.done("perfect")
    wattle.done("early_stopped", "no better\\nfor long")
    wattle.metric("after", 1.0, split="test")
    """
KINDS = {
    "hello": {"protocol", "boot_id", "boottime", "program"},
    "phase_begin": {"phase"}, "phase_end": {"phase"}, "epoch": {"epoch"}, "metric": {"name", "value", "split"},
    "done": {"status"},
}


class Speaking(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.events = self.folder / "events.jsonl"
        self.events.touch()

    def environment(self, events, **more):
        environment = {k: v for k, v in os.environ.items() if k not in (*RANKS, "WATTLE_EVENTS")}
        environment.update({"PYTHONPATH": str(MODULE.parent), **more})
        if events is not None:
            environment["WATTLE_EVENTS"] = str(events)
        return environment

    def start(self, command, events, **more):
        return subprocess.run(command, cwd=self.folder, env=self.environment(events, **more), capture_output=True, text=True,
                              timeout=120, check=False)

    def python(self, code, *arguments, events="", code_expected=0, **environment):
        """Runs the code as a script; returns what it printed and its warnings."""
        script = self.folder / "script.py"
        script.write_text(textwrap.dedent(code), encoding="utf-8")
        done = self.start([sys.executable, "-B", str(script), *arguments], self.events if events == "" else events,
                          **environment)
        self.assertEqual(done.returncode, code_expected, done.stderr)
        return done.stdout, done.stderr

    def said(self, events=None):
        """The lines of the event file, each of which must be whole and as the protocol has it."""
        data = (events or self.events).read_bytes()
        self.assertTrue(data.endswith(b"\n") or not data)
        lines = [json.loads(line) for line in data.splitlines()]
        for line, text in zip(lines, data.splitlines()):
            self.assertLessEqual(len(text), 4095)
            self.assertEqual({"event", "t", "pid", "seq"} | KINDS[line["event"]], set(line) - {"epoch", "reason"}
                             | ({"epoch"} if line["event"] == "epoch" else set()), line)
        for pid in {line["pid"] for line in lines}:
            own = [line for line in lines if line["pid"] == pid]
            self.assertEqual([line["seq"] for line in own], list(range(len(own))))
            self.assertEqual([line["event"] == "hello" for line in own], [True] + [False] * (len(own) - 1))
            times = [line["t"] for line in own]
            self.assertEqual(times, sorted(times))
        return lines

    def short(self, lines):
        """What was said, without who and when."""
        return [{k: v for k, v in line.items() if k not in ("t", "pid", "seq", "boottime", "boot_id", "program")}
                for line in lines]

    def phases(self):
        return [(line["event"][6:], line["phase"]) for line in self.said() if line["event"].startswith("phase")]


@contextlib.contextmanager
def tmpfs(test, size):
    folder = test.folder / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True,
                             text=True, check=False) if os.geteuid() == 0 else None
    if mounted is None or mounted.returncode != 0:
        test.skipTest(f"no small disk can be mounted: {mounted.stderr.strip() if mounted else 'not root'}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


class PythonOutsideARun(Speaking):
    def test_does_nothing_and_looks_at_nothing(self):
        out, err = self.python("""
            import atexit, os, wattle
            class Untouchable:
                def __float__(self): raise SystemExit("float")
                def __str__(self): raise SystemExit("str")
                def __index__(self): raise SystemExit("index")
            def synchronise(): raise SystemExit("sync")
            def function(): return 7
            with wattle.phase(Untouchable(), epoch=Untouchable(), sync=synchronise):
                wattle.metric(Untouchable(), Untouchable(), split=Untouchable(), epoch=Untouchable())
            wattle.epoch(Untouchable()); wattle.done(Untouchable()); wattle.speak()
            print(wattle.measured(function) is function, wattle.measured("name")(function) is function)
            """, events=None)
        self.assertEqual((out, err), ("True True\n", ""))
        self.assertEqual(self.events.read_bytes(), b"")

    def test_a_wrong_call_is_wrong_there_too(self):
        for call in ("wattle.metric('loss', 0.5)", "wattle.phase()", "wattle.epoch()", "wattle.phase('a', epoc=1)"):
            for events in (None, self.events):
                self.assertIn("TypeError", self.python(f"import wattle\n{call}", events=events, code_expected=1)[1])

    def test_an_empty_variable_is_no_run(self):
        self.assertEqual(self.python(SCENARIO, WATTLE_EVENTS="", events=None), ("", ""))

    def test_the_module_needs_no_newer_python_than_it_says(self):
        tree = ast.parse(MODULE.read_text(encoding="utf-8"), feature_version=(3, 8))
        imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        self.assertLessEqual(imported, {"atexit", "contextlib", "functools", "inspect", "json", "math", "operator", "os",
                                        "stat", "sys", "threading", "time"})


class Python(Speaking):
    def test_says_what_the_protocol_names(self):
        _, warnings = self.python(SCENARIO)
        lines = self.said()
        self.assertEqual(self.short(lines)[1:], [
            {"event": "phase_begin", "phase": "load"}, {"event": "phase_end", "phase": "load"},
            {"event": "phase_begin", "phase": "train", "epoch": 1}, {"event": "phase_end", "phase": "train", "epoch": 1},
            {"event": "phase_begin", "phase": 'save "it"'}, {"event": "phase_end", "phase": 'save "it"'},
            {"event": "phase_begin", "phase": "train", "epoch": 1}, {"event": "phase_end", "phase": "train", "epoch": 1},
            {"event": "metric", "name": "loss", "value": "nan", "split": "train", "epoch": 1},
            {"event": "metric", "name": "loss", "value": "inf", "split": "train", "epoch": 1},
            {"event": "metric", "name": "loss", "value": "-inf", "split": "train", "epoch": 1},
            {"event": "metric", "name": "accuracy", "value": 0.93, "split": "validation", "epoch": 1},
            {"event": "metric", "name": "accuracy", "value": 0.94, "split": "test"},
            {"event": "epoch", "epoch": 1},
            {"event": "phase_begin", "phase": "café"}, {"event": "phase_end", "phase": "café"},
            {"event": "done", "status": "early_stopped", "reason": "no better for long"}])
        hello = lines[0]
        self.assertEqual((hello["protocol"], hello["program"]), (1, "script.py"))
        self.assertEqual(hello["boot_id"], Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        self.assertLess(abs(hello["boottime"] - hello["t"] - self.offset()), 1_000_000_000)
        self.assertEqual(len(warnings.splitlines()), 4, warnings)  # of metric, epoch, phase and done

    def offset(self):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def test_a_pause_and_its_end_are_one_instant(self):
        self.python(SCENARIO)
        times = [line["t"] for line in self.said() if line["event"].startswith("phase")]
        self.assertEqual((times[3], times[5]), (times[4], times[6]))

    def test_a_name_of_any_kind_is_one_short_line(self):
        self.python(r"""
            import wattle
            class Nameless:
                def __str__(self): raise ValueError
            for name in ("x" * 5000, '"' * 199 + "éé", "tab\tnul\0 line\u2028", "half \ud800", "日本" * 100, 7, Nameless()):
                with wattle.phase(name):
                    wattle.metric(name, 1, split="train")
            """)
        names = [line["phase"] for line in self.said() if line["event"] == "phase_begin"]
        self.assertEqual(names, ["x" * 200, '"' * 199, "tab nul  line", "half", "日本" * 33, "7"])
        self.assertEqual([name for what, name in self.phases() if what == "end"], names)

    def test_scalars_of_numpy_and_torch_are_numbers(self):
        if subprocess.run([sys.executable, "-c", "import torch, numpy"], capture_output=True, check=False).returncode != 0:
            self.skipTest(f"{sys.executable} has no torch and numpy")
        _, warnings = self.python("""
            import numpy, torch, wattle
            with wattle.phase("train", epoch=numpy.int64(2)):
                wattle.metric("a", numpy.float32(0.5), split="train", epoch=torch.tensor(3))
                wattle.metric("b", torch.tensor(0.25, requires_grad=True), split="train", epoch=2.5)
                wattle.metric("c", torch.ones(2), split="train")
                wattle.metric("d", 1, split=numpy.ones(2))
            """)
        lines = self.short(self.said())
        self.assertEqual(lines[1]["epoch"], 2)
        self.assertEqual(lines[2:4], [{"event": "metric", "name": "a", "value": 0.5, "split": "train", "epoch": 3},
                                      {"event": "metric", "name": "b", "value": 0.25, "split": "train"}])
        self.assertEqual(len(warnings.splitlines()), 3, warnings)

    def test_an_exception_ends_its_phases_and_is_the_last_word(self):
        self.python("""
            import wattle
            with wattle.phase("train", epoch=1):
                with wattle.phase("save"):
                    raise MemoryError("no room\\nat all")
            """, code_expected=1)
        self.assertEqual(self.phases(), [("begin", "train"), ("end", "train"), ("begin", "save"), ("end", "save"),
                                         ("begin", "train"), ("end", "train")])
        self.assertEqual(self.short(self.said())[-1],
                         {"event": "done", "status": "failed", "reason": "MemoryError: no room at all"})

    def test_the_end_of_the_program_is_said_by_itself_once(self):
        for code, status in (("", "completed"), ("wattle.done('diverged')", "diverged"), ("raise ValueError('x')", "failed"),
                             ("import sys; sys.excepthook = lambda *_: None; raise ValueError('x')", "failed"),
                             # One that something caught and printed, as an embedded interpreter does, is not the end.
                             ("import sys\ntry: (lambda: 1 / 0)()\n"
                              "except Exception as e: sys.last_type, sys.last_value, sys.last_traceback = "
                              "type(e), e, e.__traceback__.tb_next", "completed")):
            self.events.write_bytes(b"")
            self.python("import wattle\nwattle.metric('a', 1, split='test')\n" + code,
                        code_expected=1 if "raise" in code else 0)
            self.assertEqual([line["status"] for line in self.said() if line["event"] == "done"], [status], code)

    def test_a_program_that_says_nothing_leaves_nothing(self):
        self.python("import wattle")
        self.assertEqual(self.events.read_bytes(), b"")

    def test_calls_of_a_measured_function_are_phases(self):
        out, warnings = self.python("""
            import wattle
            @wattle.measured
            def load(n): "Loads."; return n + 1
            @wattle.measured("train")
            def step(n): return step(n - 1) if n else load(0)
            @wattle.measured
            def late(): yield 1
            print(load.__doc__, load(1), step(3), list(late()))
            """)
        self.assertEqual(out, "Loads. 2 1 [1]\n")
        self.assertEqual(self.phases(), [("begin", "load"), ("end", "load"), ("begin", "train"), ("end", "train"),
                                         ("begin", "load"), ("end", "load"), ("begin", "train"), ("end", "train")])
        self.assertIn("late is a generator", warnings)

    def test_devices_are_synchronised_at_the_edges_only(self):
        out, _ = self.python("""
            import wattle
            def sync(name): return lambda: print("sync", name)
            def broken(): raise RuntimeError("device lost")
            with wattle.phase("train", sync=sync("train")):
                print("in")
                with wattle.phase("validate", sync=sync("validate")):
                    print("inner")
                print("out")
            try:
                with wattle.phase("a", sync=sync("a")) as phase:
                    phase._sync = broken
            except RuntimeError as error:
                print(error)
            try:
                with wattle.phase("b", sync=sync("b")) as phase:
                    phase._sync = broken
                    raise KeyError("first")
            except KeyError as error:
                print(error)
            """)
        self.assertEqual(out.splitlines(), ["sync train", "in", "sync train", "sync validate", "inner", "sync validate",
                                            "out", "sync train", "sync a", "device lost", "sync b", "'first'"])
        self.assertEqual(self.phases()[-4:], [("begin", "a"), ("end", "a"), ("begin", "b"), ("end", "b")])

    def test_phases_of_several_threads_do_not_overlap(self):
        self.python("""
            import threading, wattle
            first, second = wattle.phase("first"), wattle.phase("second")
            first.__enter__()
            other = threading.Thread(target=second.__enter__); other.start(); other.join()
            first.__exit__(None, None, None)    # paused: nothing to say
            second.__exit__(None, None, None)
            """)
        self.assertEqual(self.phases(), [("begin", "first"), ("end", "first"), ("begin", "second"), ("end", "second")])

    def test_threads_write_one_line_at_a_time(self):
        self.python("""
            import threading, wattle
            def many():
                for i in range(300):
                    with wattle.phase("train", epoch=i + 1): wattle.metric("loss", 0.5, split="train")
            threads = [threading.Thread(target=many) for _ in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            """)
        lines = self.said()
        self.assertEqual(sum(line["event"] == "metric" for line in lines), 2400)
        running = None
        for line in lines:
            if line["event"] == "phase_begin":
                self.assertIsNone(running)
                running = line.get("epoch")
            elif line["event"] == "phase_end":
                self.assertEqual(line["epoch"], running)
                running = None

    def test_a_signal_handler_may_speak_while_its_thread_speaks(self):
        self.python("""
            import signal, wattle
            signal.signal(signal.SIGALRM, lambda *_: wattle.metric("alarm", 1, split="train"))
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            for i in range(4000): wattle.metric("loss", 0.5, split="train")
            signal.setitimer(signal.ITIMER_REAL, 0)
            """)
        lines = [json.loads(line) for line in self.events.read_text(encoding="utf-8").splitlines()]
        self.assertEqual(sum(line.get("name") == "loss" for line in lines), 4000)
        self.assertLess(max(line["seq"] for line in lines), len(lines))


class Processes(Speaking):
    def test_two_writers_at_once_and_neither_tears_a_line(self):
        self.python("""
            import subprocess, sys
            many = "import wattle\\nfor i in range(2500): wattle.metric('loss', i, split='train', epoch=i + 1)"
            for child in [subprocess.Popen([sys.executable, "-c", many]) for _ in range(4)]: assert child.wait() == 0
            """)
        lines = self.said()
        self.assertEqual(sum(line["event"] == "metric" for line in lines), 10_000)
        self.assertEqual(len({line["pid"] for line in lines}), 4)

    FORK = """
        import os, sys, wattle
        with wattle.phase("train", epoch=1):
            child = os.fork()
            if child == 0:
                if "asked" in sys.argv: wattle.speak()
                wattle.metric("child", 1, split="train")
            else:
                assert os.waitpid(child, 0)[1] == 0
                wattle.metric("parent", 1, split="train")
        if child == 0: sys.exit(0)
        """

    def test_a_forked_child_is_silent(self):
        self.python(self.FORK)
        lines = self.said()
        self.assertEqual(len({line["pid"] for line in lines}), 1)
        self.assertEqual([line["event"] for line in lines], ["hello", "phase_begin", "metric", "phase_end", "done"])

    def test_a_forked_child_that_is_asked_to_speaks_under_its_own_numbers(self):
        self.python(self.FORK, "asked")
        lines = self.said()
        parent = lines[0]["pid"]
        self.assertEqual([line["event"] for line in lines if line["pid"] != parent], ["hello", "metric", "done"])
        self.assertEqual([line["event"] for line in lines if line["pid"] == parent],
                         ["hello", "phase_begin", "metric", "phase_end", "done"])

    def test_a_child_forked_behind_the_back_of_python_is_silent(self):
        self.python("""
            import ctypes, os, wattle
            wattle.metric("parent", 1, split="train")
            child = ctypes.CDLL(None).fork()
            if child == 0:
                wattle.metric("child", 1, split="train"); os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            """)
        self.assertEqual([line["event"] for line in self.said()], ["hello", "metric", "done"])

    def test_a_child_forked_while_another_thread_speaks_can_be_asked_to_speak(self):
        self.python("""
            import os, threading, wattle
            stop = threading.Event()
            def chatter():
                while not stop.is_set(): wattle.metric("loss", 0.5, split="train")
            thread = threading.Thread(target=chatter); thread.start()
            for _ in range(30):
                child = os.fork()
                if child == 0:
                    wattle.speak(); wattle.metric("child", 1, split="train"); os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
            stop.set(); thread.join()
            """)
        self.assertEqual(sum(line.get("name") == "child" for line in self.said()), 30)

    def test_only_rank_0_speaks_unless_told_otherwise(self):
        code = "import wattle\nwattle.metric('a', 1, split='test')"
        for environment, speaks in (({}, True), ({"RANK": "0"}, True), ({"RANK": "1"}, False), ({"LOCAL_RANK": "2"}, False),
                                    ({"SLURM_PROCID": "3"}, False), ({"OMPI_COMM_WORLD_RANK": "1"}, False),
                                    ({"RANK": "0", "SLURM_PROCID": "3"}, True), ({"RANK": "", "LOCAL_RANK": "1"}, False),
                                    ({"RANK": "first"}, True)):
            for ask in (None, "True", "False"):
                self.events.write_bytes(b"")
                self.python(code if ask is None else code.replace("\n", f"\nwattle.speak({ask})\n"), **environment)
                self.assertEqual(bool(self.said()), speaks if ask is None else ask == "True", (environment, ask))

    def test_the_rank_is_read_when_there_is_something_to_say(self):
        self.python("import os, wattle\nos.environ['RANK'] = '1'\nwattle.metric('a', 1, split='test')")
        self.assertEqual(self.said(), [])

    def test_a_child_of_multiprocessing_does_not_conclude_by_itself(self):
        self.python("""
            import multiprocessing, wattle
            def train():
                wattle.metric("loss", 1, split="train")
                raise ValueError("caught and printed by multiprocessing")
            if __name__ == "__main__":
                child = multiprocessing.get_context("spawn").Process(target=train)
                child.start(); child.join()
                assert child.exitcode == 1
            """)
        self.assertEqual([line["event"] for line in self.said()], ["hello", "metric"])


class InTheWay(Speaking):
    """Whatever happens to the file, the training goes on, and is warned once."""

    LOOP = """
        import sys, wattle
        for epoch in range(1, 2001):
            with wattle.phase("train", epoch=epoch): pass
            wattle.metric("loss", 0.5, split="train", epoch=epoch)
        print("trained")
        """

    def assert_trains_on(self, code=LOOP, events="", word=""):
        out, err = self.python(code, events=events)
        self.assertEqual(out, "trained\n")
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn(word, err)
        self.assertIn("the training goes on", err)

    def test_no_file(self):
        self.assert_trains_on(events=self.folder / "none" / "events.jsonl", word="No such file")
        self.assertFalse((self.folder / "none").exists())

    def test_a_directory(self):
        self.assert_trains_on(events=self.folder, word="directory")

    def test_a_pipe_blocks_nobody(self):
        os.mkfifo(self.folder / "pipe")
        self.assert_trains_on(events=self.folder / "pipe")
        reader = os.open(self.folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assert_trains_on(events=self.folder / "pipe", word="not a regular file")

    def test_a_file_that_vanishes(self):
        self.assert_trains_on(self.LOOP.replace("import sys, wattle", "import os, wattle\n        wattle.epoch(1)\n"
                                                "        os.remove(os.environ['WATTLE_EVENTS'])"), word="gone")

    def test_a_descriptor_that_the_program_closed_and_used_again(self):
        other = self.folder / "other"
        self.assert_trains_on(self.LOOP.replace("import sys, wattle", f"""import os, wattle
        wattle.epoch(1)
        os.closerange(3, 100)
        for _ in range(50): os.open({str(other)!r}, os.O_RDWR | os.O_CREAT)
        """), word="closed")
        self.assertEqual(other.read_bytes(), b"")

    def test_a_full_disk(self):
        with tmpfs(self, "64k") as folder:
            events = folder / "events.jsonl"
            events.touch()
            self.assert_trains_on(events=events)
            self.assertGreater(events.read_bytes().count(b"\n"), 100)

    def test_a_file_at_its_limit(self):
        limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n        import sys"
        self.assert_trains_on(self.LOOP.replace("import sys", limited))
        lines = self.events.read_bytes().split(b"\n")
        self.assertGreater(len([json.loads(line) for line in lines[:-1]]), 50)

    def test_a_file_that_would_end_the_run_by_its_size(self):
        with open(self.events, "wb") as file:
            file.truncate((48 << 20) + 1)
        self.assert_trains_on(word="48 MiB")
        self.assertEqual(self.events.stat().st_size, (48 << 20) + 1)

    def test_after_half_a_line_nothing_is_said_though_there_is_room_again(self):
        self.assert_trains_on("import os\nwrite = os.write\n"
                              "os.write = lambda file, data: write(file, data[:9]) if b'epoch\":7}' in data else write(file, data)"
                              + textwrap.dedent(self.LOOP), word="full")
        self.assertTrue(self.events.read_bytes().endswith(b'}\n{"event":'))

    def test_no_stderr_to_warn_on(self):
        self.assertEqual(self.python("import sys; sys.stderr.close(); sys.stderr = None\nimport wattle; wattle.epoch(1)",
                                     events=self.folder), ("", ""))


def sanitizers():
    """What a program needs to be linked with where the library was built for a sanitizer."""
    symbols = subprocess.run(["nm", "-D", str(LIBRARY)], capture_output=True, text=True, check=True).stdout
    return [flag for symbol, flag in (("__asan_init", "-fsanitize=address,undefined"), ("__tsan_init", "-fsanitize=thread"))
            if symbol in symbols]


class CPrograms(Speaking):
    WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.built = Path(scratch.name)
        cls.place = [f"-I{ROOT / 'src' / 'meter'}", f"-L{LIBRARY.parent}", f"-Wl,-rpath,{LIBRARY.parent}"]
        for name in ("speaks", "meters"):
            subprocess.run(["gcc", "-std=c99", "-g", *cls.WARNINGS, *sanitizers(), *cls.place, str(HERE / f"{name}.c"),
                            "-o", str(cls.built / name), "-lwattle_meter", "-lm", "-lpthread"], check=True)

    def c(self, scenario, events="", **environment):
        done = self.start([str(self.built / "speaks"), scenario], self.events if events == "" else events, **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def test_say_the_same_as_python(self):
        warnings = self.c("scenario")
        in_c = self.said()
        self.assertEqual(in_c[0]["program"], "speaks")
        self.events.write_bytes(b"")
        in_python_warnings = self.python(SCENARIO)[1]
        in_python = self.said()
        self.assertEqual(self.short(in_c), self.short(in_python))
        self.assertEqual((in_c[0]["boot_id"], in_c[0]["protocol"]), (in_python[0]["boot_id"], 1))
        self.assertLess(abs(in_c[0]["boottime"] - in_c[0]["t"] - in_python[0]["boottime"] + in_python[0]["t"]), 10 ** 9)
        self.assertEqual(len(warnings.splitlines()), len(in_python_warnings.splitlines()))

    def test_outside_a_run_do_nothing(self):
        self.assertEqual(self.c("scenario", events=None), "")
        self.assertEqual(self.events.read_bytes(), b"")

    def test_a_name_of_any_kind_is_one_short_line(self):
        self.c("long_names")
        names = [line["phase"] for line in self.said() if line["event"] == "phase_begin"]
        self.assertEqual(names, ["x" * 200, '"' * 199, "not � UTF-8 �"])
        self.assertEqual([name for what, name in self.phases() if what == "end"], names)

    def test_threads_write_one_line_at_a_time(self):
        self.c("threads")
        self.assertEqual(len(self.said()), 4001)

    def test_a_forked_child_is_silent_unless_asked(self):
        self.c("fork")
        self.assertEqual([line["event"] for line in self.said()], ["hello", "phase_begin", "phase_end"])
        self.events.write_bytes(b"")
        self.c("fork_asked")
        lines = self.said()
        self.assertEqual([line["event"] for line in lines if line["pid"] != lines[0]["pid"]], ["hello", "metric"])
        self.assertEqual([line["event"] for line in lines if line["pid"] == lines[0]["pid"]],
                         ["hello", "phase_begin", "phase_end"])

    def test_only_rank_0_speaks_unless_told_otherwise(self):
        for what, environment, lines in (("metric", {"RANK": "1"}, 0), ("asked", {"RANK": "1"}, 2),
                                         ("metric", {"RANK": "0"}, 2), ("metric", {"SLURM_PROCID": "1"}, 0),
                                         ("metric", {"RANK": "no"}, 2)):
            self.events.write_bytes(b"")
            self.c(what, **environment)
            self.assertEqual(len(self.said()), lines, (what, environment))

    def test_no_file_and_a_directory_disturb_nobody(self):
        for events, word in ((self.folder / "none", "No such file"), (self.folder, "directory")):
            warnings = self.c("threads", events=events)
            self.assertEqual(len(warnings.splitlines()), 1, warnings)
            self.assertIn(word, warnings)

    def test_a_full_disk_disturbs_nobody(self):
        with tmpfs(self, "64k") as folder:
            (folder / "events.jsonl").touch()
            self.assertEqual(len(self.c("threads", events=folder / "events.jsonl").splitlines()), 1)

    def test_a_file_at_its_limit_kills_nobody(self):
        self.assertEqual(len(self.c("file_limit").splitlines()), 1)
        self.events.write_bytes(b"x" * 599 + b"\n")
        self.assertEqual(len(self.c("file_limit").splitlines()), 1)

    def test_the_meter_tells_what_is_known_and_what_is_not(self):
        replay = self.folder / "replay.csv"
        replay.write_text("time_s,domain,power_w\n0,package-0,50\n1000,package-0,50\n", encoding="ascii")
        done = self.start([str(self.built / "meters"), str(replay)], None)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_header_is_cplusplus_too(self):
        (self.folder / "use.cc").write_text("#include <wattle_meter.h>\nint main() { wattle_epoch(1); }\n", encoding="ascii")
        subprocess.run(["g++", "-std=c++11", *self.WARNINGS, *sanitizers(), *self.place, str(self.folder / "use.cc"), "-o",
                        str(self.folder / "use"), "-lwattle_meter"], check=True)

    def test_the_library_shows_its_c_functions_only_and_names_its_version(self):
        symbols = subprocess.run(["nm", "-D", "--defined-only", str(LIBRARY)], capture_output=True, text=True,
                                 check=True).stdout
        header = (ROOT / "src" / "meter" / "wattle_meter.h").read_text(encoding="utf-8")
        self.assertEqual({line.split()[2].split("@")[0] for line in symbols.splitlines() if line.split()[1] == "T"},
                         set(re.findall(r"^WATTLE_API .*?(wattle_\w+)\(", header, re.MULTILINE)))
        self.assertEqual({line.split()[1] for line in symbols.splitlines()}, {"T", "A"})
        read = subprocess.run(["readelf", "-d", str(LIBRARY)], capture_output=True, text=True, check=True).stdout
        self.assertRegex(read, r"SONAME.*\[libwattle_meter\.so\.\d+\]")


class ReadByWattle(Product):
    """What was said is what `wattle` stores."""

    WHOLE_RUN = """
        import time, wattle
        def burn(seconds):
            end = time.monotonic() + seconds
            while time.monotonic() < end: pass
        for epoch in (1, 2):
            with wattle.phase("train", epoch=epoch):
                burn(0.15)
                with wattle.phase("save", epoch=epoch): burn(0.05)
            with wattle.phase("validate", epoch=epoch): burn(0.05)
            wattle.metric("accuracy", 0.9 + 0.01 * epoch, split="validation", epoch=epoch)
            wattle.epoch(epoch)
        """

    def record(self, *command):
        words = ", ".join(json.dumps(str(word)) for word in command)
        self.write("study.toml", f"""
            [study]
            name = "speaks"
            seed = 1
            repetitions = 1
            [workload.one]
            command = [{words}]
            version = "1"
            metric = {{ name = "accuracy", goal = "maximize", tolerance = 0.01 }}
            """)
        self.wattle("run", "study.toml", env={**os.environ, "PYTHONPATH": str(MODULE.parent)})
        (record,) = self.json("export", "--format", "json")
        return record

    def assert_whole(self, record):
        self.assertEqual((record["end"], record["metrics"][-1]["value"]), ("completed", 0.92))
        self.assertLessEqual(set(record["flags"]), {"late samples", "foreign load"})  # which is the machine's, not the program's
        windows = [(w["kind"], w["name"], w.get("epoch")) for w in record["windows"]]
        expected = [("run", "run", None)]
        for epoch in (1, 2):
            expected += [("phase", "train", epoch), ("phase", "save", epoch), ("phase", "train", epoch),
                         ("phase", "validate", epoch), ("epoch", "epoch", epoch), ("phase", "until epoch", epoch)]
        self.assertEqual(sorted(windows, key=str), sorted(expected, key=str))
        self.assertEqual([w for w in record["windows"] if w.get("void_reason")], [])
        spans = {(w["name"], w.get("epoch")): 0 for w in record["windows"]}
        for w in record["windows"]:
            spans[w["name"], w.get("epoch")] += w["end_ns"] - w["begin_ns"]
        for epoch in (1, 2):
            self.assertGreaterEqual(spans["train", epoch], 150_000_000)
            self.assertGreaterEqual(spans["save", epoch], 50_000_000)
            self.assertGreaterEqual(spans["epoch", epoch],
                                    spans["train", epoch] + spans["save", epoch] + spans["validate", epoch])

    def test_python(self):
        script = self.write("script.py", self.WHOLE_RUN)
        self.assert_whole(self.record(sys.executable, "-B", script))

    def test_c(self):
        CPrograms.setUpClass()
        self.addCleanup(CPrograms.doClassCleanups)
        self.assert_whole(self.record(CPrograms.built / "speaks", "whole_run"))

    def test_a_loss_that_is_no_number_is_a_diverged_run(self):
        script = self.write("script.py", "import wattle\nwattle.metric('loss', float('nan'), split='train', epoch=3)\n")
        self.write("study.toml", f"""
            [study]
            name = "speaks"
            seed = 1
            repetitions = 1
            [workload.one]
            command = ["{sys.executable}", "-B", "{script}"]
            version = "1"
            metric = {{ name = "accuracy", goal = "maximize", tolerance = 0.01 }}
            """)
        self.wattle("run", "study.toml", code=1, env={**os.environ, "PYTHONPATH": str(MODULE.parent)})
        (run,) = self.json("list")
        self.assertEqual((run["end"], run["reason"]), ("diverged", "loss is nan at epoch 3"))

    def test_a_thousand_windows_and_odd_names(self):
        script = self.write("script.py", r"""
            import wattle
            for i in range(1000):
                with wattle.phase("é" * 300 + "\n", epoch=i + 1): pass
            wattle.metric("accuracy", 0.92, split="test")
            """)
        record = self.record(sys.executable, "-B", script)
        phases = [w for w in record["windows"] if w["kind"] == "phase"]
        self.assertEqual((len(phases), {w["name"] for w in phases}), (1000, {"é" * 100}))
        self.assertLessEqual(set(record["flags"]), {"late samples", "foreign load"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
