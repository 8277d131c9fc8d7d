"""A disk that fills up or cannot be written ends a campaign in order, and nothing that was stored is lost."""

import os
import shutil
import subprocess
import unittest

from product import BIN, WATTLE, Product, live_processes_with

COUNTS = "import pathlib\npathlib.Path('began').open('a').write('x')\nprint('acc 0.9')\n"
# The third run fills the disk, as a trainer's checkpoints do.
FILLS = """
    import os, pathlib
    print("acc 0.9", flush=True)
    count = pathlib.Path("count")
    count.open("a").write("x")
    if pathlib.Path("fill").exists() and count.stat().st_size == 3:
        room = int(pathlib.Path("fill").read_text())
        free = os.statvfs("disk").f_bavail * 4096
        os.posix_fallocate(os.open("disk/ballast", os.O_RDWR | os.O_CREAT), 0, max(1, free - room))
    """


class FullDisk(Product):
    def test_at_any_amount_of_room_the_same_command_goes_on_when_there_is_more(self):
        place = self.mounted("3m")
        file = self.trainers(repetitions=6, fills=FILLS)
        store = ["--store", place / "wattle.db"]
        full = 0
        for room in (0, 4096, 8192, 16384, 32768, 65536, 131072):
            for name in ("wattle.db", "wattle.db-wal", "wattle.db-shm", "wattle.db.lock"):
                (place / name).unlink(missing_ok=True)
            shutil.rmtree(place / "wattle.db.runs", ignore_errors=True)
            (self.folder / "fill").write_text(str(room))
            process = self.start(*store, "run", file)
            out, err = process.communicate(timeout=120)
            if process.returncode:
                full += 1
                self.assertEqual(process.returncode, 3, out + err)
                self.assertRegex(err, "wattle: .*(No space left|disk)", err)
            self.assertEqual(live_processes_with(str(self.folder)), [])
            for name in ("fill", "count"):
                (self.folder / name).unlink()
            (place / "ballast").unlink(missing_ok=True)
            kept = self.finished(store)
            self.assertGreaterEqual(len(kept), 2, "what ended before the disk was full is stored")
            self.wattle(*store, "run", file)
            self.assert_sound(*store)
            runs = self.finished(store)
            self.assertEqual(len(runs), 6)
            self.assertEqual(len(set(runs)), 6)
            self.assertLessEqual(set(kept), set(runs), "what was stored is still there, once")
        self.assertGreater(full, 2, "the disk was never full")

    def finished(self, store):
        return [run["run"] for run in self.json(*store, "list") if run["end"] != "interrupted"]

    def test_a_disk_that_fills_while_many_runs_are_stored(self):
        place = self.mounted("1m")
        file = self.trainers(repetitions=60, counts=COUNTS)
        store = ["--store", place / "wattle.db"]
        _, err = self.wattle(*store, "run", file, code=3)
        self.assertRegex(err, "wattle: .*(No space left|disk)")
        kept = self.finished(store)
        self.assertGreater(len(kept), 3)
        subprocess.run(["mount", "-o", "remount,size=20m", place], check=True)
        self.wattle(*store, "run", file)
        self.assert_sound(*store)
        runs = self.finished(store)
        self.assertEqual((len(runs), len(set(runs))), (60, 60))
        self.assertLessEqual(set(kept), set(runs))
        self.assertLessEqual(len((self.folder / "began").read_text()), 61, "at most the run in flight is made again")


@unittest.skipIf(os.geteuid() != 0, "only root can become somebody who may not write")
class ReadOnly(Product):
    def refused(self, *store):
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        done = subprocess.run([WATTLE, *store, "run", "--shared", "study.toml"], cwd=self.folder, text=True,
                              capture_output=True, **nobody)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, "(?i)read-?only|permission denied|cannot be written|unable to open")
        self.assertIn("--store", done.stderr, "it says what would be right")
        self.assertFalse((self.folder / "began").exists(), "nothing runs")

    def setUp(self):
        super().setUp()
        if any(not folder.stat().st_mode & 1 for folder in (BIN, *BIN.parents)):
            self.skipTest("nobody may not reach the programs")
        self.trainers(counts=COUNTS)
        self.folder.chmod(0o755)

    def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(self):
        self.refused()
        (self.folder / "inner").mkdir()
        self.refused("--store", "inner/wattle.db")

    def test_a_store_that_cannot_be_written_is_refused_before_anything_runs(self):
        self.wattle("run", "study.toml")
        (self.folder / "began").unlink()
        self.trainers(repetitions=2, counts=COUNTS)
        self.folder.chmod(0o777)
        for file in self.folder.glob("wattle.db*"):
            file.chmod(0o555 if file.is_dir() else 0o444)
        self.refused()
        (self.folder / "wattle.db.lock").unlink()
        self.refused()
        self.assert_sound()


if __name__ == "__main__":
    unittest.main(verbosity=2)
