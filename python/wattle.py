"""Tells Wattle what a training program is doing.

    import wattle

    for epoch in range(1, epochs + 1):
        with wattle.phase("train", epoch=epoch):
            train()
        with wattle.phase("validate", epoch=epoch):
            accuracy = validate()
        wattle.metric("accuracy", accuracy, split="validation", epoch=epoch)
        wattle.epoch(epoch)

One file, the standard library, Python 3.8 or later: copy it beside your script, or put its folder on PYTHONPATH.

**Outside a Wattle run** (WATTLE_EVENTS is not set when this module is imported) every function does nothing and looks at
nothing: `with phase("train", epoch=3)` costs 180 ns, a `metric` 60 ns (CPython 3.11, a virtual machine), and `@measured`
gives the function back as it is.

**Inside a run** it speaks the trainer protocol (docs/trainer_protocol.md), some 20 µs a phase and 10 µs a metric. It never
disturbs the training: nothing raises because of what it is told or cannot write. It warns on stderr, once a cause, leaves
out what makes no sense, and is silent for good where the file is gone, no regular file, or on a full disk.

- **Which process speaks.** The first process that says anything speaks for the run. So of a data-parallel training only
  rank 0 does: the first of RANK, LOCAL_RANK, SLURM_PROCID, OMPI_COMM_WORLD_RANK that holds a number, read when there is
  first something to say. A process made by os.fork (a data loader's worker) is silent. `speak()` overrules both, as it
  must where each task of a launcher is a run of its own (`srun -n 4 wattle run …`).
- **Phases do not overlap.** A phase inside a phase pauses the outer one, which resumes afterwards: each joule belongs to
  the innermost, and the outer one is cut into several windows. A phase within one of the same name and epoch (a
  recursion) is part of it. They are the process's, not the thread's: the one begun last and still open is the one that
  runs, whichever thread began it.
- **Threads** may call everything; lines are written one at a time.
- **Names** are at most 200 bytes of UTF-8, control characters become blanks. Epochs count from 1.
"""

import atexit
import contextlib
import functools
import inspect
import json
import math
import operator
import os
import stat
import sys
import threading
import time

__all__ = ["phase", "metric", "epoch", "measured", "done", "speak"]

_PROTOCOL = 1
_LONGEST_NAME = 200  # bytes; the reader keeps no more, and no line comes near its 4096
_MOST_EPOCHS = 1_000_000_000
_DEEPEST = 1000  # phases in one another
# A run whose event file passes 64 MiB is a failure, so a function measured too often falls silent well before.
_LARGEST_FILE = 48 << 20
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")
_SPLITS = ("train", "validation", "test")
_STATUSES = ("completed", "early_stopped", "diverged", "failed")


# --- Outside a run ----------------------------------------------------------------------------------------------------
# The same signatures as inside, so that a wrong call is noticed wherever it is made first.


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        return None


_NOTHING = _Nothing()


def phase(name, epoch=None, sync=None):
    """A span of the training, `with phase("train", epoch=3):`. The usual names are load, pretrain, train, validate, test
    and save. It ends where the block does, by an exception too. `sync`, such as torch.cuda.synchronize, is called at
    both edges (and where a phase inside begins), so that what was queued on a device falls into the phase that queued
    it; outside a run it is not called."""
    return _NOTHING


def metric(name, value, *, split, epoch=None):
    """One value: a number, or whatever float() takes, such as a NumPy or PyTorch scalar. `split` is train, validation or
    test. A `loss` that is not finite makes the run diverged."""


def epoch(number):
    """The epoch (1, 2 …) has ended, validation included. The first began with the first phase `train`."""


def measured(function):
    """A decorator: every call of the function is a phase of its name; `@measured("name")` names it otherwise. For
    functions that are called some thousand times a run, not some million. Not for generators and coroutines, whose call
    ends before their work."""
    return function if callable(function) else lambda decorated: decorated


def done(status="completed", reason=""):
    """The last word: completed, early_stopped, diverged or failed. Ends what is open. Said by itself when the interpreter
    exits, as failed after an uncaught exception. An exit code other than 0 is a failure whatever was said."""


def speak(really=True):
    """This process speaks (or does not), whatever its rank, and even if it was forked."""


# --- Inside a run -----------------------------------------------------------------------------------------------------


def _name(value):
    """As text that fits: at most 200 bytes, one line, no half characters; empty where it has no text."""
    try:
        text = str(value)
    except Exception:
        return ""
    if not text.isprintable():  # control characters, and surrogates, which UTF-8 does not have
        text = "".join(c if c.isprintable() else " " for c in text)
    return text.encode("utf-8")[:_LONGEST_NAME].decode("utf-8", "ignore").strip()


def _rank():
    for variable in _RANKS:
        try:
            return int(os.environ[variable])
        except (KeyError, ValueError):
            continue
    return 0


def _boot_id():
    # Bytes: looking a codec up imports, and another thread may have held the lock of imports when this process was forked.
    with contextlib.suppress(OSError):
        file = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(file, 100).decode().strip()
        finally:
            os.close(file)
    return ""


class _Speaker:
    """The writer's end of the event file. Nothing here raises because of what it is told or cannot write."""

    def __init__(self, path):
        self._path = path
        self._warned = set()
        self._open = []  # phases, the running one last
        self._begin_anew(allowed=None)  # its rank is asked when it first has something to say
        os.register_at_fork(after_in_child=self._after_fork)

    def _begin_anew(self, allowed):
        # Re-entrant: a signal handler or a finaliser may speak while its own thread is speaking.
        self._lock = threading.RLock()
        self._allowed = allowed
        self._ended = False
        self._file = None
        self._identity = None
        self._process = None
        self._sequence = 0
        self._open.clear()

    def _after_fork(self):
        # Another thread may have held the lock; the numbers and the open phases are the parent's. The descriptor stays open
        # here: the program may have given its number to another file.
        self._begin_anew(allowed=False)

    def speak(self, really):
        self._allowed = bool(really)

    def warn(self, text):
        if text not in self._warned and len(self._warned) < 100:
            self._warned.add(text)
            with contextlib.suppress(Exception):  # no stderr, or a closed one
                sys.stderr.write(f"wattle: {text}\n")
                sys.stderr.flush()

    def _silent(self, why):
        self._ended = True
        self.warn(f"{why}; no more events are written, the training goes on")

    # --- Lines

    def speaks(self):
        """Whether this process speaks; says hello where it is the first time."""
        with self._lock:
            if self._allowed is None:
                self._allowed = _rank() == 0
            if self._file is not None and self._process != os.getpid():  # forked behind Python's back
                self._begin_anew(allowed=False)
            if self._allowed and not self._ended and self._file is None:
                self._hello()
            return self._allowed and not self._ended

    def _hello(self):
        try:
            # Not blocking, for a FIFO; which is then refused, like everything that is no regular file.
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK)
            status = os.fstat(self._file)
        except (OSError, ValueError) as error:
            self._silent(f"WATTLE_EVENTS: {error}")
            return
        self._process = os.getpid()
        self._identity = (status.st_dev, status.st_ino)
        if not stat.S_ISREG(status.st_mode):
            self._silent(f"WATTLE_EVENTS {self._path}: not a regular file")
            return
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        program = _name(os.path.basename((getattr(sys, "argv", None) or [""])[0])) or "python"
        self._write("hello", now, {"protocol": _PROTOCOL, "boot_id": _boot_id(), "boottime": boot, "program": program})

    def _write(self, event, at, fields):
        line = {"event": event, "t": at, "pid": self._process, "seq": self._sequence}
        line.update((key, value) for key, value in fields.items() if value is not None)
        data = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        why = None
        try:
            status = os.fstat(self._file)
            if (status.st_dev, status.st_ino) != self._identity:
                why = "the program closed the event file"  # and its descriptor is another file's by now
            elif status.st_nlink == 0:
                why = "the event file is gone"
            elif status.st_size > _LARGEST_FILE:
                why = f"the event file has reached {_LARGEST_FILE >> 20} MiB"
            elif os.write(self._file, data) != len(data):
                why = f"WATTLE_EVENTS {self._path}: the disk is full"
        except OSError as error:
            why = f"WATTLE_EVENTS {self._path}: {error.strerror}"
        if why:
            self._silent(why)
        self._sequence += 1

    def _say(self, event, at=None, **fields):
        with self._lock:
            if self.speaks():
                self._write(event, time.clock_gettime_ns(time.CLOCK_MONOTONIC) if at is None else at, fields)

    # --- Events

    def begin(self, opened):
        with self._lock:
            if self.speaks() and len(self._open) < _DEEPEST:
                outer = self.running()
                self._open.append(opened)
                self._change(outer, opened)

    def end(self, ended):
        with self._lock:
            if ended is self.running():
                self._open.pop()
                self._change(ended, self.running())
            elif ended in self._open:  # paused: another thread's phase runs on
                self._open.remove(ended)

    def _change(self, before, after):
        """From one running phase to the other, at one instant."""
        if before and after and (before.name, before.epoch) == (after.name, after.epoch):
            return
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        if before:
            self._say("phase_end", now, phase=before.name, epoch=before.epoch)
        if after:
            self._say("phase_begin", now, phase=after.name, epoch=after.epoch)

    def running(self):
        return self._open[-1] if self._open else None

    def has(self, one):
        return not self._ended and one in self._open

    def number_of(self, number):
        """An epoch as the protocol takes it, or None."""
        if number is None:
            return None
        whole = 0
        with contextlib.suppress(Exception):
            whole = operator.index(number)
        if not 1 <= whole <= _MOST_EPOCHS:
            self.warn("an epoch is left out: epochs are whole numbers and count from 1")
            return None
        return whole

    def metric(self, name, value, split, number):
        try:
            real = float(value)
        except Exception as error:
            self.warn(f"a metric is left out: {type(error).__name__}: {error}")
            return
        text, split = _name(name), _name(split)
        if not text or split not in _SPLITS:
            self.warn(f"a metric is left out: it has no name, or its split is none of {', '.join(_SPLITS)}")
            return
        value = real if math.isfinite(real) else str(real)
        self._say("metric", name=text, value=value, split=split, epoch=self.number_of(number))

    def epoch(self, number):
        whole = self.number_of(number)
        if whole is not None:
            self._say("epoch", epoch=whole)

    def done(self, status, reason):
        status = _name(status)
        if status not in _STATUSES:
            self.warn(f"a last word is left out: it is none of {', '.join(_STATUSES)}")
            return
        with self._lock:
            self._change(self.running(), None)
            self._open.clear()
            self._say("done", status=status, reason=_name(reason) or None)
            self._ended = True

    def at_exit(self):
        # Whoever never spoke has nothing to conclude: a launcher, a worker. And the children of multiprocessing catch
        # their exceptions before they exit, so what their end means is not known here.
        process = sys.modules.get("multiprocessing.process")
        if self._file is None or self._process != os.getpid() or (process and process.parent_process()):
            return
        trace = getattr(sys, "last_traceback", None)
        # One that ended the program came from its outermost frame; others were only printed.
        failed = trace is not None and trace.tb_frame.f_back is None
        why = f"{sys.last_type.__name__}: {_name(sys.last_value)}" if failed else ""
        self.done("failed" if failed else "completed", why)


class _Phase:
    """One `with` block. May be entered again."""

    def __init__(self, speaker, name, number, sync):
        self._speaker = speaker
        self._sync = sync
        self.name = _name(name)
        self.epoch = speaker.number_of(number)
        if not self.name:
            speaker.warn("a phase without a name is left out")

    def synchronise(self):
        if self._sync is not None:
            self._sync()

    def __enter__(self):
        if self.name and self._speaker.speaks():
            outer = self._speaker.running()
            if outer is not None:
                outer.synchronise()
            self.synchronise()
            self._speaker.begin(self)
        return self

    def __exit__(self, kind, value, trace):
        if not self._speaker.has(self):  # silent, or begun before a fork
            return
        try:
            self.synchronise()
        except Exception:
            if kind is None:
                raise  # the training's own error, reported late by its device
        finally:
            self._speaker.end(self)


def _bind(path):
    """Replaces the functions above by those that speak."""
    speaker = _Speaker(path)
    outside = {name: globals()[name] for name in __all__}

    def phase(name, epoch=None, sync=None):
        return _Phase(speaker, name, epoch, sync)

    def metric(name, value, *, split, epoch=None):
        speaker.metric(name, value, split, epoch)

    def epoch(number):
        speaker.epoch(number)

    def measured(function):
        if not callable(function):
            return functools.partial(_measured, speaker, function)
        return _measured(speaker, getattr(function, "__name__", "call"), function)

    def done(status="completed", reason=""):
        speaker.done(status, reason)

    def speak(really=True):
        speaker.speak(really)

    for function in (phase, metric, epoch, measured, done, speak):
        globals()[function.__name__] = functools.update_wrapper(function, outside[function.__name__])
    atexit.register(speaker.at_exit)


def _measured(speaker, name, function):
    late = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    if any(kind(function) for kind in late):
        speaker.warn(f"{_name(name)} is a generator or coroutine and not measured: use `with phase(…):` inside it")
        return function

    @functools.wraps(function)
    def call(*arguments, **keywords):
        with _Phase(speaker, name, None, None):
            return function(*arguments, **keywords)

    return call


if os.environ.get("WATTLE_EVENTS") and hasattr(time, "CLOCK_BOOTTIME"):  # elsewhere than on Linux there are no runs
    _bind(os.environ["WATTLE_EVENTS"])
