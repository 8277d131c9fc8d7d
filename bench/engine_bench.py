"""What one run of the engine costs beyond its program, beside Optuna doing the same; and whether memory stays flat.

usage: engine_bench.py WATTLE [--runs N] [--rounds N] [--long N]

Rounds alternate: the bare command, the floor (engine_floor beside WATTLE: a guard, an attempt's files and a commit, nothing
else), wattle, Optuna (package python3-optuna; left out where it is not installed), `--runs` runs each. Figures are medians of the rounds, per run. CPU time is told apart: wattle itself, its guards, the program.
Then one campaign of `--long` runs, with wattle's memory on the way.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = ["/bin/echo", "acc 0.5"]
STUDY = """
[study]
name = "nothing"
repetitions = {runs}
[workload.nothing]
command = {command}
output = "pipe"
metric = {{ name = "acc", goal = "maximize", tolerance = 0.05, regex = 'acc (?<value>[0-9.]+)' }}
"""
OPTUNA = """
import subprocess, sys
import optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
def objective(trial):
    trial.suggest_float("lr", 1e-3, 1.0, log=True)
    out = subprocess.run({command}, capture_output=True, text=True, check=True).stdout
    return float(out.split()[1])
study = optuna.create_study(storage="sqlite:///optuna.db", sampler=optuna.samplers.RandomSampler(seed=1))
study.optimize(objective, n_trials=int(sys.argv[1]))
"""
MEMORY_AT = (100, 1000, 5000, 10000)


def cpu_of(pid):
    """Seconds of a process that has ended and is not reaped yet: its own, and of the children that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    tick = os.sysconf("SC_CLK_TCK")
    user, system, children_user, children_system = (int(field) / tick for field in fields[11:15])
    return user + system, children_user + children_system


def run_to_end(command, folder, on_line=None):
    """Wall time, own CPU time, children's CPU time."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    for line in process.stderr:
        said = [*said[-5:], line]
        if on_line:
            on_line(line, process.pid)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    wall = time.perf_counter() - begin
    own, children = cpu_of(process.pid)
    if process.wait() != 0:
        sys.exit(f"{command}: exit code {process.returncode}\n{''.join(said)}")
    return wall, own, children


def bare(count):
    begin, before = time.perf_counter(), os.times()
    with open(os.devnull, "w") as nothing:
        for _ in range(count):
            action = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1)]
            os.waitpid(os.posix_spawn(COMMAND[0], COMMAND, {}, file_actions=action), 0)
    after = os.times()
    children = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": (time.perf_counter() - begin) / count, "program": children / count}


def campaign(wattle, count, on_line=None):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "study.toml").write_text(STUDY.format(runs=count, command=json.dumps(COMMAND)))
        wall, own, children = run_to_end([wattle, "run", "--shared", "study.toml"], folder, on_line)
        told = subprocess.run([wattle, "export", "--format", "json"], cwd=folder, capture_output=True, check=True).stdout
    used = [record["resources"] for record in json.loads(told)]
    assert len(used) == count, f"{len(used)} runs of {count} are stored"
    program = sum(one["user_cpu_s"] + one["system_cpu_s"] for one in used)
    return {"wall": wall / count, "wattle": own / count, "guard": (children - program) / count, "program": program / count}


def optuna(count):
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "study.py")
        script.write_text(OPTUNA.format(command=json.dumps(COMMAND)))
        # What it takes to start and import is no part of a trial.
        start = run_to_end(["/usr/bin/python3", script, "0"], folder)
        whole = run_to_end(["/usr/bin/python3", script, str(count)], folder)
    wall, own, children = ((b - a) / count for a, b in zip(start, whole))
    return {"wall": wall, "optuna": own, "program": children}


def floor(program, count):
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run([program, folder, str(count), *COMMAND], capture_output=True, text=True, check=True).stdout
    wall, own, children = (float(word) / 1e3 for word in told.split())
    return {"wall": wall, "engine": own, "guard and program": children}


def has_optuna():
    return subprocess.run(["/usr/bin/python3", "-c", "import optuna"], capture_output=True).returncode == 0


def compare(wattle, runs, rounds):
    kinds = {"bare": bare}
    lowest = Path(wattle).with_name("engine_floor")
    if lowest.exists():
        kinds["floor"] = lambda count: floor(lowest, count)
    else:
        print("engine_floor is not built: left out")
    kinds["wattle"] = lambda count: campaign(wattle, count)
    if has_optuna():
        kinds["Optuna"] = optuna
    else:
        print("Optuna is not installed (python3-optuna): left out")
    told = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, measure in kinds.items():
            told[name].append(measure(runs))
    print(f"{rounds} rounds of {runs} runs of `{' '.join(COMMAND)}`; ms a run, median [least, most]; "
          f"load {os.getloadavg()[0]:.1f}")
    for name, rows in told.items():
        for what in rows[0]:
            values = sorted(1e3 * row[what] for row in rows)
            label = "wall time" if what == "wall" else f"CPU time of {what.replace('program', 'the program')}"
            print(f"  {name:8} {label:30} {statistics.median(values):7.2f}  [{values[0]:.2f}, {values[-1]:.2f}]")


def memory(wattle, runs):
    seen = {}

    def look(line, pid):
        number = re.match(r"\[(\d+)/", line)
        if number and int(number[1]) in MEMORY_AT:
            status = Path(f"/proc/{pid}/status").read_text()
            seen[int(number[1])] = [int(re.search(rf"{key}:\s+(\d+)", status)[1]) for key in ("VmRSS", "VmHWM")]

    figures = campaign(wattle, runs, look)
    print(f"one campaign of {runs} runs: " + ", ".join(f"{1e3 * value:.2f} ms {what}" for what, value in figures.items()))
    for number, (now, most) in seen.items():
        print(f"  after {number:6} runs: {now / 1024:.1f} MiB resident, at most {most / 1024:.1f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wattle")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, default=10000)
    options = parser.parse_args()
    wattle = str(Path(options.wattle).resolve())
    if options.rounds:
        compare(wattle, options.runs, options.rounds)
    if options.long:
        memory(wattle, options.long)


if __name__ == "__main__":
    main()
