"""`wattle import`: others' measurements become records that answer the same questions; bad files are refused with the place
of every mistake, and nothing of them is stored."""

import collections
import math
import os
import statistics
import unittest
from pathlib import Path

from product import ROOT, Product

DATA = Path(os.environ.get("WATTLE_DATA", ROOT.parent / "shared" / "data"))

HEAD = ("training environment,architecture,run,training duration (h),gpu model,gpu usage (%),average memory used (MB),"
        "max power limit (W),average temperature (Celsius),energy (MJ),batch size,GFLOPs,accuracy,total seen images,f1-score\n")


def row(environment="Cloud", architecture="vgg16", run="0", hours="0.5", energy="0.25", f1="0.9", temperature="60"):
    return f"{environment},{architecture},{run},{hours},RTX 3090,80,7000,350,{temperature},{energy},32,10.0,0.9,1000000,{f1}\n"


def metric(record, name):
    return next((point["value"] for point in record["metrics"] if point["name"] == name), None)


def mean(record, name):
    return next(measure["mean"] for measure in record["measures"] if measure["name"] == name)


def joules(record, kind="measured"):
    return record[kind]["energy_uj"] / 1e6


def setting(record):
    return record["request"]["configuration"]


class Import(Product):
    def given(self, name, text):
        file = self.folder / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def brought(self, form, *arguments, study="theirs"):
        self.wattle("import", "--format", form, *arguments, "--study", study)
        return self.records(study)

    def records(self, study="theirs"):
        return self.json("export", "--study", study)

    def refused(self, form, *arguments, says):
        _, err = self.wattle("import", "--format", form, *arguments, code=2)
        for words in says if isinstance(says, list) else [says]:
            self.assertIn(words, err)
        self.assertFalse((self.folder / "wattle.db").exists(), "something was stored")
        return err

    def public(self, path):
        if not (DATA / path).exists():
            self.skipTest(f"{path} is not in {DATA}; WATTLE_DATA names the folder")
        return DATA / path


class OfAnArchitectureStudy(Import):
    def test_a_row_is_a_run(self):
        table = self.given("table.csv", HEAD + row() + row(run="1", energy="0.26") + row("Local", "xception", "0"))
        first, second, third = self.brought("delrey", table)
        self.assertEqual({setting(r)["workload"] for r in (first, second)}, {"vgg16"})
        self.assertEqual(joules(first), 250000)
        self.assertEqual(first["duration_ns"], 1800 * 10**9)
        self.assertEqual((metric(first, "f1"), metric(first, "images_seen"), metric(first, "gflops")), (0.9, 1e6, 10.0))
        self.assertEqual((mean(first, "gpu-0_utilisation"), mean(first, "gpu-0_temperature")), (0.8, 60))
        self.assertEqual(first["fingerprint"]["imported"], "delrey table.csv")
        self.assertEqual(first["domains"][0]["provenance"], "integrated_power")
        self.assertEqual([setting(r)["environment"]["name"] for r in (first, second, third)], ["Cloud", "Cloud", "Local"])
        self.assertEqual([r["request"]["block"] for r in (first, second, third)], [1, 2, 1])
        self.assertEqual(setting(first)["id"], setting(second)["id"])
        self.assertEqual([setting(r)["label"] for r in (first, third)], ["original @Cloud", "original @Local"])
        self.assertEqual(len(first["request"]["key"]), 64)
        for command in (("list",), ("show", first["request"]["key"][:12]), ("report",), ("report", "--format", "html"),
                        ("export",), ("export", "--what", "epochs"), ("store", "verify")):
            self.wattle(*command)

    def test_importing_again_adds_nothing_under_another_file_name_either(self):
        text = HEAD + row() + row(run="1")
        self.brought("delrey", self.given("table.csv", text))
        again = self.json("import", "--format", "delrey", self.given("copy.csv", text), "--study", "theirs")
        self.assertEqual((again["added"], again["present"]), (0, 2))
        other = self.json("import", "--format", "delrey", self.given("copy.csv", text), "--study", "another")
        self.assertEqual((other["added"], other["present"]), (2, 0))

    def test_cells_that_are_missing_stay_absent(self):
        table = self.given("table.csv", HEAD + row(environment="", energy="", f1="nan", temperature="[Not Supported]"))
        only, = self.brought("delrey", table)
        self.assertNotIn("energy_uj", only["measured"])
        self.assertIn("no energy", only["measured"]["why_absent"])
        self.assertIsNone(metric(only, "f1"))
        self.assertNotIn("gpu-0_temperature", [measure["name"] for measure in only["measures"]])
        self.assertEqual(setting(only)["environment"]["name"], "RTX 3090")

    def test_mistakes_are_told_with_their_place_and_nothing_is_stored(self):
        table = self.given("table.csv", HEAD + row(energy="-1") + row(energy="inf") + row(hours="soon", run="x"))
        err = self.refused("delrey", table, says=["table.csv:2:", "-1 is out of range", "table.csv:3:", "not finite",
                                                  "`soon` is not a number", "4 mistakes in 3 rows", "--skip-bad"])
        self.assertEqual(err.count("table.csv:4:"), 2)

    def test_skip_bad_says_what_it_leaves_out(self):
        table = self.given("table.csv", HEAD + row() + row(energy="-1"))
        out, err = self.wattle("import", "--format", "delrey", table, "--skip-bad")
        self.assertIn("1 run imported, 1 row left out", out)
        self.assertIn("table.csv:3:", err)

    def test_hostile_files_are_refused(self):
        for name, text, says in [
                ("empty", b"", "is empty"), ("blank", b" \n\n", "is empty"), ("binary", b"\x7fELF\x00\x01\x02", "not UTF-8"),
                ("latin", b"architecture\nVGG\xe9\n", "hostile.csv:2:4"), ("header only", HEAD.encode(), "holds no runs"),
                ("truncated", (HEAD + "Cloud,vgg16,0").encode(), "3 cells"),
                ("open quote", (HEAD + '"Cloud').encode(), "never closed"),
                ("huge number", (HEAD + row(energy="9" * 100000)).encode(), "is"),
                ("huge name", (HEAD + row(architecture="v" * 100000)).encode(), "100000 bytes"),
                ("wrong header", HEAD.replace("architecture", "architectre").encode(), "did you mean `architecture`?"),
                ("not a number", (HEAD + row(energy="NaN MJ")).encode(), "not a number")]:
            with self.subTest(name):
                err = self.refused("delrey", self.given("hostile.csv", text), says=says)
                self.assertLess(len(err), 2000)

    def test_marks_of_other_systems_do_not_matter(self):
        text = "\ufeff" + (HEAD + row('"Cloud, far away"')).replace("\n", "\r\n")
        only, = self.brought("delrey", self.given("table.csv", text))
        self.assertEqual(setting(only)["environment"]["name"], "Cloud, far away")

    def test_outlier_rules_are_declared_with_the_import(self):
        rows = "".join(row(run=str(i), energy=str(0.1 * (i + 1)), temperature=str(50 + i)) for i in range(5))
        table = self.given("table.csv", HEAD + rows)
        self.brought("delrey", table, "--outlier", "measure=gpu-0_temperature,workloads=vgg16,drop_highest=2")
        out, _ = self.wattle("report")
        self.assertIn("leave 2 of 5 runs out", " ".join(out.split()))
        self.assertIn("200 kJ", out)  # the median of 100, 200, 300
        for rule, says in [("measure=heat,drop_highest=1", "no measure `heat`"), ("drop_highest=1", "needs a measure"),
                           ("measure=energy,drop_higest=1", "did you mean `drop_highest=`?"),
                           ("measure=energy,workloads=vgg17,drop_lowest=1", "did you mean `vgg16`?")]:
            _, err = self.wattle("import", "--format", "delrey", table, "--outlier", rule, code=2)
            self.assertIn(says, err)

    def test_the_public_table_gives_the_published_numbers(self):
        table = self.public("seaa2023/local_ml.csv")
        rules = ("measure=gpu-0_temperature,workloads=mobilenet_v2,drop_highest=7",
                 "measure=gpu-0_utilisation,workloads=mobilenet_v2,drop_highest=7",
                 "measure=gpu-0_temperature,workloads=resnet50,drop_lowest=1", "measure=f1,equals=0")
        records = self.brought("delrey", table, *(word for rule in rules for word in ("--outlier", rule)))
        self.assertEqual(len(records), 159)
        runs = collections.defaultdict(list)
        for record in records:
            runs[setting(record)["workload"]].append(record)

        def ordered(workload, name):
            return [r["request"]["key"] for r in sorted(runs[workload], key=lambda r: mean(r, name))]

        left_out = {*ordered("mobilenet_v2", "gpu-0_temperature")[-7:], *ordered("mobilenet_v2", "gpu-0_utilisation")[-7:],
                    ordered("resnet50", "gpu-0_temperature")[0]}
        left_out |= {r["request"]["key"] for r in records if metric(r, "f1") == 0}
        medians = {w: statistics.median(joules(r) / metric(r, "images_seen") for r in rs if r["request"]["key"] not in left_out)
                   for w, rs in runs.items()}
        for workload, published in [("mobilenet_v2", 0.0676), ("nasnet_mobile", 0.1546), ("resnet50", 0.1696),
                                    ("xception", 0.2265), ("vgg16", 0.3629)]:
            self.assertAlmostEqual(medians[workload], published, places=4)
        self.assertAlmostEqual(medians["resnet50"], 0.169614, places=6)
        self.assertAlmostEqual(1 - medians["mobilenet_v2"] / medians["vgg16"], 0.8138637, places=7)
        out, _ = self.wattle("report")
        self.assertIn(f"leave {len(left_out)} of 159 runs out", " ".join(out.split()))


class OfMonitorLogs(Import):
    NEW = "timestamp,gpu_name,gpu_usage,gpu_memory_usage,gpu_total_memory,gpu_memory_used,gpu_power_draw,gpu_max_power,gpu_temperature\n"
    OLD = ("timestamp, name, utilization.gpu [%], utilization.memory [%], memory.total [MiB], memory.used [MiB], "
           "power.draw [W], power.max_limit [W], temperature.gpu\n")

    def log(self, watts, step=1.5, head=NEW, day="2023-01-21", blank=""):
        lines = [f"{day} 10:00:{i * step:06.3f},{blank}A GPU,{blank}50 %,{blank}10 %,{blank}8192 MiB,{blank}100 MiB,{blank}{w},"
                 f"{blank}240.00 W,{blank}{40 + i}" for i, w in enumerate(watts)]
        return head + "\n".join(lines) + "\n"

    def test_power_is_integrated_over_the_time_stamps(self):
        for head, day, blank in ((self.NEW, "2023-01-21", ""), (self.OLD, "2023/01/21", " ")):
            with self.subTest(day):
                text = self.log(["10.50 W", "20.50 W", "30.50 W"], head=head, day=day, blank=blank)
                only, = self.brought("delrey-raw", self.given("vgg16-gpu-power-20230121T100000.csv", text), study=day)
                self.assertEqual(joules(only), 1.5 * (15.5 + 25.5))  # neither the sum of powers nor whole watts
                self.assertEqual(only["duration_ns"], 3 * 10**9)
                self.assertEqual(setting(only)["workload"], "vgg16")
                self.assertEqual(setting(only)["environment"]["name"], "A GPU")
                self.assertEqual(mean(only, "gpu-0_memory_used"), 100 * 2**20)
                trace, _ = self.wattle("show", only["request"]["key"], "--trace")
                self.assertEqual(trace.splitlines()[-1], "3.000000000,gpu-0,61.500000,0")

    def test_padding_is_trimmed_on_request(self):
        log = self.given("vgg16-gpu-power-1.csv", self.log(["100 W"] * 20, step=1.0))
        whole, = self.brought("delrey-raw", log, study="whole")
        trimmed, = self.brought("delrey-raw", log, "--trim", "3s", study="trimmed")
        self.assertEqual((joules(whole), joules(trimmed)), (1900, 1300))
        self.refused_trim(log)

    def refused_trim(self, log):
        _, err = self.wattle("import", "--format", "delrey-raw", log, "--trim", "10s", code=2)
        self.assertIn("nothing is left", err)

    def test_what_the_driver_did_not_tell_is_a_gap(self):
        text = self.log(["100 W", "100 W", "[N/A]", "100 W", "100 W"], step=1.0)
        only, = self.brought("delrey-raw", self.given("vgg16-gpu-power-1.csv", text))
        self.assertEqual(joules(only), 200)
        self.assertEqual(only["measured"]["coverage"], 0.5)

    def test_mistakes_in_logs(self):
        for text, says in [(self.log(["100 W", "lots W"]), "`lots W` is not a quantity"), (self.log(["100 W"]), "fewer than two"),
                           (self.log(["1 W", "2 W"], step=0.0), "not after the row before"),
                           (self.log(["1 W", "2 W"], day="21.01.2023"), "is no time stamp"),
                           (self.log(["1 W", "-2 W"]), "out of range"),
                           (self.NEW.replace("gpu_power_draw", "gpu_power_drow") + "a,b,c,d,e,f,g,h,i\n", "gpu_power_draw")]:
            self.refused("delrey-raw", self.given("vgg16-gpu-power-1.csv", text), says=says)

    def test_the_public_logs_integrate_to_the_table_but_for_its_whole_watts(self):
        logs = sorted(self.public("seaa2023/raw").glob("*.csv"))
        records = self.brought("delrey-raw", *logs, "--trim", "3s")
        by_workload = {setting(r)["workload"]: r for r in records}
        self.assertEqual(set(by_workload), {"mobilenet_v2", "resnet50"})
        table = self.brought("delrey", self.public("seaa2023/local_ml.csv"), study="table")
        for workload, run in (("mobilenet_v2", 0), ("resnet50", 19)):
            ours = by_workload[workload]
            row, = [r for r in table if setting(r)["workload"] == workload and r["request"]["block"] == run + 1]
            self.assertAlmostEqual(ours["duration_ns"] / row["duration_ns"], 1, delta=1e-4)
            # Their parser dropped the fraction of every watt, half a watt on average.
            dropped = joules(ours) - joules(row)
            self.assertAlmostEqual(dropped / (ours["duration_ns"] / 1e9), 0.5, delta=0.02)
            self.assertLess(dropped / joules(row), 0.005)
            self.assertAlmostEqual(mean(ours, "gpu-0_utilisation"), mean(row, "gpu-0_utilisation"), delta=0.002)
        self.assertIn("cpu_utilisation", [m["name"] for m in by_workload["mobilenet_v2"]["measures"]])


class OfTraces(Import):
    def zeus(self, **changed):
        tables = {
            "cells": "dataset,network,optimizer,target_metric,epoch_limit,default_batch_size\nmnist,net,sgd,0.9,10,32\n",
            "summary_train": "dataset,network,batch_size,optimizer,learning_rate,run,target_metric,target_epoch\n"
                             "mnist,net,32,sgd,0.1,1,0.8,2.0\nmnist,net,32,sgd,0.1,1,0.9,4.0\nmnist,net,64,sgd,0.1,1,0.8,3\n"
                             "mnist,net,64,sgd,0.1,1,0.9,\nmnist,net,64,sgd,0.1,2,0.9,11\nmnist,net,128,sgd,0.1,1,0.9,5\n",
            "summary_power_t4": "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power\n"
                                "mnist,net,32,sgd,100,10,90\nmnist,net,32,sgd,70,12,60\nmnist,net,64,sgd,100,8,95\n"}
        tables.update(changed)
        for name, text in tables.items():
            self.write(f"zeus/{name}.csv", text)
        return self.folder / "zeus"

    def test_energy_to_target_is_epochs_times_time_times_power(self):
        records = self.brought("zeus", self.zeus())
        self.assertEqual(len(records), 4)  # batch size 128 has no power there
        original, = [r for r in records if not setting(r)["varied"]]
        self.assertEqual((joules(original), original["end"], metric(original, "target_metric")), (4 * 10 * 90, "reached", 0.9))
        slow, = [r for r in records if setting(r)["varied"] == ["power_limit"]]
        self.assertEqual((joules(slow), slow["duration_ns"]), (4 * 12 * 60, 48 * 10**9))
        self.assertEqual(slow["request"]["pair_key"], original["request"]["key"])
        self.assertEqual(setting(slow)["environment"]["power_cap_w"], 70)
        never = [r for r in records if setting(r)["hyperparameters"]["batch_size"] == 64]
        self.assertEqual([r["end"] for r in never], ["censored", "censored"])
        self.assertEqual([joules(r) for r in never], [10 * 8 * 95] * 2)  # of the epochs that were allowed: a lower bound
        self.assertEqual([metric(r, "target_metric") for r in never], [0.8, None])
        self.wattle("report")

    def test_an_error_rate_is_better_when_lower(self):
        train = ("dataset,network,batch_size,optimizer,learning_rate,run,target_metric,target_epoch\n"
                 "mnist,net,32,sgd,0.1,1,0.9,2\nmnist,net,32,sgd,0.1,1,1.2,1\nmnist,net,32,sgd,0.1,1,0.8,\n")
        records = self.brought("zeus", self.zeus(summary_train=train))
        self.assertEqual({r["request"]["metric"]["goal"] for r in records}, {"minimize"})
        self.assertEqual({metric(r, "target_metric") for r in records}, {0.9})
        self.assertEqual({r["end"] for r in records}, {"reached"})

    def test_mistakes_in_traces(self):
        power = "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power\n"
        self.refused("zeus", self.zeus(summary_power_t4=power + "mnist,net,32,sgd,100,10,NaN\n"), says="summary_power_t4.csv:2:25")
        self.refused("zeus", self.zeus(summary_power_t4=power.replace("average_power", "avrage_power") + "a,b,1,d,1,1,1\n"),
                     says="did you mean `average_power`?")
        (self.zeus() / "cells.csv").unlink()
        self.refused("zeus", self.folder / "zeus", says="no cells.csv among the files")

    def test_the_public_traces_spread_as_published(self):
        records = self.brought("zeus", self.public("zeus"))
        cells = collections.defaultdict(lambda: collections.defaultdict(list))
        for record in records:
            configuration = setting(record)
            cells[configuration["environment"]["name"], configuration["workload"]][configuration["id"]].append(record)
        self.assertEqual(len(cells), 6)
        spreads = {}
        for cell, settings in cells.items():
            reached = {name: [joules(r) for r in runs] for name, runs in settings.items()
                       if all(r["end"] == "reached" for r in runs)}
            costs = {name: statistics.mean(energies) for name, energies in reached.items()}
            spreads[cell] = max(costs.values()) / min(costs.values())
            default, = [name for name, runs in settings.items() if not setting(runs[0])["varied"]]
            self.assertTrue(0.19 <= 1 - min(costs.values()) / costs[default] <= 0.78, cell)
        self.assertTrue(all(1.3 <= spread <= 21 for spread in spreads.values()), spreads)
        self.assertAlmostEqual(spreads["a40", "cifar100-shufflenetv2"], 20.83, places=2)


class OfOtherTools(Import):
    def test_codecarbon_counts_as_estimated(self):
        text = ("timestamp,project_name,run_id,experiment_id,duration,emissions,cpu_energy,gpu_energy,ram_energy,energy_consumed,"
                "cpu_model,gpu_model,tracking_mode\n2024-01-01T00:00:00,net,r1,e1,3600,0.1,0.04,0.2,0.01,0.25,A CPU,A GPU,machine\n"
                "2024-01-01T01:00:00,net,r2,e1,3600,0.1,0.04,,0.01,0.06,A CPU,,machine\n")
        first, second = self.brought("codecarbon", self.given("emissions.csv", text))
        self.assertEqual(joules(first, "estimated"), 900000)
        self.assertNotIn("energy_uj", first["measured"])
        self.assertEqual([d["name"] for d in first["domains"]], ["package", "gpu", "ram"])
        self.assertEqual(first["fingerprint"]["tracking_mode"], "machine")
        self.assertEqual(setting(first)["environment"]["name"], "A CPU, A GPU")
        self.assertEqual(joules(second, "estimated"), 180000)
        self.assertIn("parts add up to 0.05 kWh where energy_consumed is 0.06", second["flags"][0])
        self.refused_in_another_store(text)

    def refused_in_another_store(self, text):
        bad = self.given("bad.csv", text.replace("0.04,0.2", "-0.04,nan"))
        _, err = self.wattle("import", "--format", "codecarbon", bad, code=2)
        self.assertIn("2 mistakes in 1 row:", err)

    def test_perf_stat_counts_joules(self):
        text = ("# started on Sat Nov 21 15:00:00 2026\n\n182.41,Joules,power/energy-pkg/,10012345678,100.00,,\n"
                "9.50,Joules,power/energy-ram/,10012345678,100.00,,\n<not supported>,Joules,power/energy-psys/,0,100.00,,\n"
                "12.00,Joules,power/energy-cores/,10012345678,100.00,,\n10000000000,ns,duration_time,10000000000,100.00,,\n")
        only, = self.brought("perf-stat", self.given("run.csv", text), "--workload", "net")
        self.assertAlmostEqual(joules(only), 182.41 + 9.5)  # the cores are in the package
        self.assertEqual(only["duration_ns"], 10**10)
        self.assertEqual({d["provenance"] for d in only["domains"]}, {"counter"})
        self.assertIn("psys: perf says <not supported>", only["missing_domains"])

    def test_perf_stat_in_intervals_and_with_decimal_commas(self):
        text = "".join(f"     {i}.000100;1,5;Joules;power/energy-pkg/;1000000;100,00;;\n" for i in range(1, 4)).replace(".0001", ",0001")
        only, = self.brought("perf-stat", self.given("run.csv", text))
        self.assertEqual((joules(only), only["duration_ns"]), (4.5, 3000100000))

    def test_a_counter_that_was_not_counted_now_and_then_has_no_sum(self):
        text = ("1.0,1.5,Joules,power/energy-pkg/,1,100,,\n2.0,<not counted>,Joules,power/energy-pkg/,0,100,,\n"
                "3.0,1.5,Joules,power/energy-pkg/,1,100,,\n")
        only, = self.brought("perf-stat", self.given("run.csv", text))
        self.assertEqual(only["measured"]["why_absent"], "perf says <not counted>")
        self.assertEqual(only["duration_ns"], 3 * 10**9)

    def test_perf_stat_mistakes(self):
        self.refused("perf-stat", self.given("a.txt", "nothing here\n"), says="perf stat -x, -o FILE")
        self.refused("perf-stat", self.given("a.txt", "-3,Joules,power/energy-pkg/,1,1\n"), says="a.txt:1:1: `-3` is no energy")
        self.refused("perf-stat", self.given("a.txt", "3,mJ,power/energy-pkg/,1,1\n"), says="`mJ` where Joules")


class OfAnybodysTable(Import):
    TABLE = ("model,lr,machine,rep,Energy (kWh),hours,acc,seen\nnet,0.1,lab,0,0.5,1.5,0.9,100\nnet,0.2,lab,0,0.25,1,0.8,100\n"
             "net,0.1,lab,1,0.6,1.5,0.91,100\n\"net, wide\",0.1,lab,0,,1,0.7,100\n")
    MAP = ("--column", "workload=model", "--column", "environment=machine", "--column", "repetition=rep", "--column",
           "energy_kwh=Energy (kWh)", "--column", "duration_h=hours", "--column", "metric=acc", "--column", "parameter.lr=lr",
           "--column", "metric.images_seen=seen")

    def test_columns_are_mapped_and_units_converted(self):
        table = self.given("t.csv", self.TABLE)
        first, second, third, fourth = self.brought("csv", table, *self.MAP, "--provenance", "counter")
        self.assertEqual([joules(r) for r in (first, second, third)], [1.8e6, 0.9e6, 2.16e6])
        self.assertEqual(fourth["measured"]["why_absent"], "the row tells no energy")
        self.assertEqual((first["duration_ns"], metric(first, "acc"), metric(first, "images_seen")), (5400 * 10**9, 0.9, 100))
        self.assertEqual([setting(r)["label"] for r in (first, second, third, fourth)], ["original", "lr 0.2", "original", "original"])
        self.assertEqual([r["request"]["block"] for r in (first, second, third)], [1, 1, 2])
        self.assertEqual(second["request"]["pair_key"], first["request"]["key"])
        self.assertEqual(setting(fourth)["workload"], "net, wide")

    def test_a_file_may_hold_the_map(self):
        mapping = self.write("map.toml", """
            workload = "model"
            energy_kwh = "Energy (kWh)"
            metric = "acc"
            [parameter]
            lr = "lr"
            """)
        self.assertEqual(len(self.brought("csv", self.given("t.csv", self.TABLE), "--map", mapping)), 4)
        for text, says in (("a = 1\n", "map.toml:1:5"), ("a = \n", "not TOML"), ('wokload = "model"\n', "did you mean `workload`?")):
            _, err = self.wattle("import", "--format", "csv", self.folder / "t.csv", "--map", self.given("map.toml", text), code=2)
            self.assertIn(says, err)

    def test_energy_of_unknown_origin_counts_as_estimated(self):
        _, err = self.wattle("import", "--format", "csv", self.given("t.csv", self.TABLE), *self.MAP, "--study", "theirs")
        self.assertIn("counts as estimated", err)
        self.assertEqual(joules(self.records()[0], "estimated"), 1.8e6)

    def test_mistakes_are_told_with_their_place(self):
        def with_energy(cell):
            return self.given("t.csv", self.TABLE.replace("0.25", cell))

        for cell, says in [("-1", "t.csv:3:15: Energy (kWh): -1 is out of range"), ("NaN", "not finite"), ("1e300", "out of range"),
                           ("0x10", "not a number"), ("1 kWh", "not a number")]:
            self.refused("csv", with_energy(cell), *self.MAP, says=says)
        self.refused("csv", self.given("t.csv", self.TABLE), "--column", "energy_kwh=Energy", says="no column `Energy`")
        self.refused("csv", self.given("t.csv", self.TABLE), "--column", "enery_j=acc", says="did you mean `energy_j`?")
        self.refused("csv", self.given("t.csv", self.TABLE), "--column", "workload=model", says="no column of energy or time")
        self.refused("csv", self.given("t.csv", self.TABLE), "--column", "energy_j=acc", "--column", "energy_wh=lr", says="both")
        self.refused("cvs", self.given("t.csv", self.TABLE), says="did you mean `csv`?")


class OfEpochs(Import):
    # Two settings, two repetitions; joules since the begin. lr 1 reaches 0.9 in the second epoch, lr 2 in one run of two.
    RUNS = {(1, 1): [(100, 0.5), (210, 0.91), (330, 0.95)], (1, 2): [(90, 0.6), (190, 0.92), (300, 0.93)],
            (2, 1): [(200, 0.4), (400, 0.7), (600, 0.8)], (2, 2): [(150, 0.5), (320, 0.85), (500, 0.90)]}
    MAP = [word for pair in ("parameter.lr=lr", "repetition=rep", "epoch=epoch", "energy_j=joules", "duration_s=s", "metric=acc")
           for word in ("--column", pair)] + ["--provenance", "counter", "--workload", "net"]

    def table(self, alone=False, first=1):
        rows = []
        for (lr, rep), epochs in self.RUNS.items():
            before = 0
            for number, (joules_until, accuracy) in enumerate(epochs):
                told, seconds = (joules_until - before, 1) if alone else (joules_until, number + 1)
                rows.append(f"{lr},{rep},{number + first},{told},{seconds},{accuracy}\n")
                before = joules_until
        return "lr,rep,epoch,joules,s,acc\n" + "".join(rows)

    def test_rows_of_a_run_become_one_and_answer_for_a_target(self):
        keys = []
        for name, alone, first in (("until", False, 1), ("alone", True, 1), ("from0", False, 0)):
            records = self.brought("csv", self.given("t.csv", self.table(alone, first)), *self.MAP,
                                   *(["--per-epoch"] if alone else []), study=name)
            self.assertEqual([joules(r) for r in records], [330, 300, 600, 500], name)
            self.assertEqual([r["duration_ns"] for r in records], [3 * 10**9] * 4)
            self.assertEqual([r["request"]["block"] for r in records], [1, 2, 1, 2])
            keys.append({r["request"]["key"] for r in records})
            answer = self.json("report", "--study", name, "--question", "target", "--target", "0.9")
            settings = {row["setting"]: row for row in answer["tables"]["settings"]}
            self.assertEqual((settings["net"]["n"], settings["net"]["reached"]), (2, 2))
            self.assertEqual((settings["net lr 2"]["reached"], settings["net lr 2"]["censored"]), (1, 1))
            self.assertEqual(settings["net"]["median_energy_j"], 200)  # 210 and 190, both in the second epoch
            self.assertEqual(answer["basis"], "imported")
            spread, = self.json("report", "--study", name, "--question", "spread", "--target", "0.9")["tables"]["spread"]
            self.assertEqual((spread["best"], spread["worst"]), ("original", "lr 2"))
            self.assertEqual(spread["best_energy_j"], 200)
        self.wattle("report", "--study", "until")

    def test_the_metric_is_of_validation_and_further_ones_are_the_last_epochs(self):
        table = self.table().replace("acc", "acc,seen", 1).replace("0.95", "0.95,3000").replace("\n2,", "\n2,")
        lines = [line if i == 0 or line.count(",") == 6 else line + ",1" for i, line in enumerate(table.splitlines())]
        records = self.brought("csv", self.given("t.csv", "\n".join(lines) + "\n"), *self.MAP, "--column", "metric.images_seen=seen")
        whole = [p for p in records[0]["metrics"] if p.get("epoch") is None]
        self.assertEqual([(p["name"], p["value"], p["split"]) for p in whole], [("images_seen", 3000, "validation")])
        self.assertEqual({p["split"] for p in records[0]["metrics"]}, {"validation"})

    def test_an_epoch_without_energy_is_not_guessed(self):
        table = self.table().replace("1,1,2,210,", "1,1,2,,")
        self.brought("csv", self.given("t.csv", table), *self.MAP)
        answer = self.json("report", "--question", "target", "--target", "0.9")
        self.assertEqual({row["setting"]: row["n"] for row in answer["tables"]["settings"]}, {"net": 1, "net lr 2": 2})
        alone = self.table(alone=True).replace("1,1,2,110,", "1,1,2,,")
        records = self.brought("csv", self.given("t.csv", alone), *self.MAP, "--per-epoch", study="alone")
        self.assertIsNone(records[0]["measured"].get("energy_uj"))

    def test_mistakes(self):
        def given(text):
            return self.given("t.csv", text)

        self.refused("csv", given(self.table(alone=True)), *self.MAP, says="time until epoch 3 is 1 s, as until the first; --per-epoch")
        falls = self.table(alone=True).replace("1,1,3,120,1", "1,1,3,109,3")
        self.refused("csv", given(falls), *self.MAP, says="energy until epoch 3 is 109 J, less than the 110 before it; --per-epoch")
        self.refused("csv", given(self.table().replace("1,1,2,", "1,1,1,")), *self.MAP, says="t.csv:3: epoch 1 stands in line 2 too")
        self.refused("csv", given(self.table(alone=True).replace("1,1,2,", "1,1,5,")), *self.MAP, "--per-epoch", says="epoch 5 follows epoch 3")
        self.refused("csv", given(self.table().replace("1,1,2,", "1,1,,")), *self.MAP, says="needs its epoch")
        self.refused("csv", given(self.table()), *self.MAP, "--column", "measure.cpu_temperature=s", says="a mean over a run")
        without = [word for word in self.MAP if word != "epoch=epoch"]
        del without[without.index("repetition=rep") + 1]
        self.refused("csv", given(self.table()), *without, "--per-epoch", says="--column epoch=THEIRS")

    def test_a_run_with_a_bad_row_is_left_out_as_a_whole(self):
        bad = self.given("t.csv", self.table().replace("1,1,2,210,", "1,1,2,-3,"))
        self.refused("csv", bad, *self.MAP, says="-3 is out of range")
        _, err = self.wattle("import", "--format", "csv", bad, *self.MAP, "--skip-bad", "--study", "theirs")
        self.assertIn("leaves 3 rows out", err)
        self.assertEqual([joules(r) for r in self.records()], [300, 600, 500])


if __name__ == "__main__":
    unittest.main(verbosity=2)
