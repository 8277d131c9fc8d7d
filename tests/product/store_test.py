"""The store is checked, copied, shrunk and brought up to date from the command line, and withstands what disks do."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from product import Product


class Store(Product):
    def setUp(self):
        super().setUp()
        self.file = self.folder / "wattle.db"

    def filled(self):
        self.wattle("run", self.study(repetitions=1))

    def change(self, sql):
        database = sqlite3.connect(self.file)
        database.execute(sql)
        database.commit()
        database.close()

    def test_a_sound_store_is_called_sound(self):
        self.filled()
        found = self.json("store", "verify")
        self.assertEqual((found["sound"], found["runs"], found["plans"], found["faults"]), (True, 3, 1, []))
        self.assertIn("sound", self.wattle("store", "verify")[0])

    def test_damage_is_named_with_its_run_and_exit_code_1(self):
        self.filled()
        key = self.json("list")[1]["run"]
        self.change(f"UPDATE run SET duration_s = 1e6 WHERE key = '{key}'")
        found = self.json("store", "verify", code=1)
        self.assertEqual([fault["run"] for fault in found["faults"]], [key + ".1"])
        self.assertIn("duration_s", self.wattle("store", "verify", code=1)[0])

    def test_what_is_no_store_is_bad_input(self):
        self.file.write_bytes(os.urandom(100_000))
        for command in (["store", "verify"], ["store", "vacuum"], ["store", "migrate"], ["list"], ["status"]):
            self.wattle(*command, code=2)
        self.assertEqual(self.file.stat().st_size, 100_000, "it is left alone")
        self.file.unlink()
        self.wattle("store", "verify", code=2)

    def test_a_newer_store_is_refused_and_an_older_one_brought_up_to_date(self):
        self.filled()
        self.change("PRAGMA user_version = 99")
        self.assertIn("newer", self.wattle("store", "migrate", code=2)[1])
        self.assertIn("newer", self.wattle("run", "study.toml", code=2)[1])
        self.change("PRAGMA user_version = 2")
        done = self.json("store", "migrate")
        self.assertEqual((done["from_schema"], len(done["steps"])), (2, done["to_schema"] - 2))
        self.assertIn("nothing to do", self.wattle("store", "migrate")[0])
        self.assertTrue(self.json("store", "verify")["sound"])

    def test_vacuum_says_before_and_after(self):
        self.filled()
        done = self.json("store", "vacuum")
        self.assertLessEqual(done["after_bytes"], done["before_bytes"])
        self.assertEqual(done["after_bytes"], self.file.stat().st_size)

    def test_a_copy_of_a_store_that_is_written_is_sound_and_overwrites_nothing(self):
        process = self.start("run", self.study(seconds=0.2, repetitions=6))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (self.file.exists() and self.wattle("list")[0].count("completed") > 1):
            pass
        self.assertIn("is writing this store", self.wattle("run", "study.toml", code=3)[1])
        self.assertIn("is writing this store", self.wattle("store", "vacuum", code=3)[1])
        made = self.json("export", "--format", "store", "--output", "copy.db")
        self.assertGreater(made["bytes"], 0)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        found = self.json("--store", "copy.db", "store", "verify")
        self.assertTrue(found["sound"])
        self.assertGreater(found["runs"], 1)
        self.wattle("export", "--format", "store", "--output", "copy.db", code=2)
        self.wattle("export", "--format", "store", code=2)

    def test_a_read_only_folder_can_be_read_and_not_written(self):
        self.filled()
        place = self.mounted("20m")
        shutil.copy(self.file, place / "wattle.db")
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        store = ["--store", place / "wattle.db"]
        self.assertEqual(len(self.json(*store, "list")), 3)
        self.assertTrue(self.json(*store, "store", "verify")["sound"])
        self.wattle(*store, "store", "vacuum", code=3)
        self.wattle(*store, "run", "study.toml", code=3)

    def test_a_full_disk_ends_the_campaign_and_loses_nothing(self):
        study = self.study(repetitions=2)
        place = self.mounted("1m")
        store = ["--store", place / "wattle.db"]
        ballast = place / "ballast"
        ballast.write_bytes(os.urandom(880_000))
        _, err = self.wattle(*store, "run", study, code=3)
        self.assertIn("wattle:", err)
        ballast.unlink()
        self.wattle(*store, "run", study)
        self.assertTrue(self.json(*store, "store", "verify")["sound"])
        finished = [run["run"] for run in self.json(*store, "list") if run["end"] != "interrupted"]
        self.assertEqual(len(finished), 6)
        self.assertEqual(len(set(finished)), 6)


if __name__ == "__main__":
    unittest.main()
