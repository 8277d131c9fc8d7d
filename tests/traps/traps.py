"""Every trap of measuring energy has a test that fails when its fix is taken out. traps.toml lists them; here each fix is
taken out of a copy of src/base and src/energy, in turn, and its test must then fail.

usage: traps.py [--only SUBSTRING] [--list] [--jobs N] [--folder FOLDER]

One line a trap, then a summary. Exit 0: every test fails when it must. 1: some do not, or their trap no longer matches the
code. 77: cannot be tried here. The working tree is never changed. --folder keeps the copy there, so that the next run, while
a trap is being written, compiles little."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TRAPS = Path(__file__).with_name("traps.toml")
KEYS = {"trap", "file", "fix", "without", "test"}
TEST_SECONDS = 60  # a test that hangs has failed

# The project's own CMakeLists.txt wants every module.

TOP = """\
cmake_minimum_required(VERSION 3.25)
project(traps LANGUAGES CXX)
option(WATTLE_TESTS "" ON)
list(APPEND CMAKE_MODULE_PATH ${PROJECT_SOURCE_DIR}/cmake)
include(WattleModule)
add_subdirectory(src/base)
add_subdirectory(src/energy)
"""


class Broken(Exception):
    """Why a trap is not proven."""


def traps_of(path, only):
    traps = tomllib.loads(path.read_text(encoding="utf-8"))["trap"]
    for trap in traps:
        if set(trap) != KEYS:
            sys.exit(f"{path.name}: a trap has {sorted(trap)} instead of {sorted(KEYS)}")
    return [trap for trap in traps if only in trap["trap"] or only in trap["test"] or only in trap["file"]]


def copy_tree(folder):
    """What git tracks of the two modules, as it stands in the working tree. Equal files keep their time."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "cmake", "src/base", "src/energy"],
                            capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        print(f"SKIP: not a git checkout: {listed.stderr.strip()}")
        sys.exit(77)
    texts = {name: (ROOT / name).read_bytes() for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    texts["CMakeLists.txt"] = TOP.encode()
    for name, text in texts.items():
        to = folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        if not to.is_file() or to.read_bytes() != text:
            to.write_bytes(text)


class Tree:
    def __init__(self, folder, jobs):
        self.folder, self.build, self.jobs = folder, folder / "build", jobs
        # A compiler's cache knows objects again wherever the copy lies, as long as they name no folder.
        self.environment = os.environ | {"CCACHE_BASEDIR": str(folder)}

    def run(self, what, command):
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                              env=self.environment)
        if done.returncode != 0:
            raise Broken(f"{what}:\n{(done.stdout + done.stderr)[-4000:]}")

    def configure(self):
        self.run("does not configure", ["cmake", "-S", self.folder, "-B", self.build, "-G", "Ninja",
                                        "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0",
                                        "-DWATTLE_WERROR=OFF"])

    def compile(self):
        self.run("does not compile", ["cmake", "--build", self.build, "-j", str(self.jobs), "--target", "energy_test"])

    def outcome(self, test):
        """passed, skipped, failed, crashed, hung, or none where there is no such test."""
        try:
            done = subprocess.run([self.build / "bin/energy_test", f"--gtest_filter={test}"], capture_output=True,
                                  text=True, errors="replace", check=False, timeout=TEST_SECONDS)
        except subprocess.TimeoutExpired:
            return "hung"
        if "[  SKIPPED ]" in done.stdout:
            return "skipped"
        if done.returncode == 0:
            return "passed" if re.search(r"^\[  PASSED  \] 1 test\.", done.stdout, re.MULTILINE) else "none"
        return "failed" if ": Failure\n" in done.stdout else "crashed"

    def prove(self, trap):
        """How the trap's test fails without the fix."""
        path = self.folder / trap["file"]
        whole = path.read_text(encoding="utf-8")
        if whole.count(trap["fix"]) != 1:
            raise Broken(f"the fix stands {whole.count(trap['fix'])} times in {trap['file']}, not once")
        try:
            path.write_text(whole.replace(trap["fix"], trap["without"]), encoding="utf-8")
            self.compile()
            outcome = self.outcome(trap["test"])
        finally:
            path.write_text(whole, encoding="utf-8")
        if outcome not in ("failed", "crashed", "hung"):
            raise Broken(f"the test {outcome} though the fix was taken out of {trap['file']}")
        return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="SUBSTRING", default="", help="of the trap, its test or its file")
    parser.add_argument("--list", action="store_true", help="the traps and their tests, without trying them")
    parser.add_argument("--jobs", type=int, default=2, help="compilers at once (2)")
    parser.add_argument("--folder", type=Path, help="where to put the copy, and keep it")
    options = parser.parse_args()
    traps = traps_of(TRAPS, options.only)
    if not traps:
        sys.exit(f"no trap holds `{options.only}`")
    if options.list:
        for trap in traps:
            print(f"{trap['test']}\n    {trap['trap']}")
        return 0
    folder = options.folder.resolve() if options.folder else Path(tempfile.mkdtemp(prefix="wattle-traps-"))
    try:
        copy_tree(folder)
        return try_all(Tree(folder, options.jobs), traps)
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)


def try_all(tree, traps):
    try:
        tree.configure()
        tree.compile()
    except Broken as why:
        print(f"the code as it is {why}")
        return 1
    counts = {"proven": 0, "not proven": 0, "skipped": 0}
    for trap, whole in [(trap, tree.outcome(trap["test"])) for trap in traps]:
        try:
            if whole not in ("passed", "skipped"):
                raise Broken(f"with its fix the test is not passed but {whole}")
            verdict = "skipped" if whole == "skipped" else "proven"
            how = "the test skips itself here" if whole == "skipped" else tree.prove(trap)
        except Broken as why:
            verdict, how = "not proven", why
        counts[verdict] += 1
        print(f"{verdict:10}  {trap['test']}: {trap['trap']} ({how})", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + f", of {len(traps)} traps")
    return 1 if counts["not proven"] else 0


if __name__ == "__main__":
    sys.exit(main())
