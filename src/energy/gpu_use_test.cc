#include "energy/gpu_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "energy/attribution.h"
#include "energy/fake_nvml/script.h"
#include "energy/telemetry.h"

namespace wattle::energy {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kGpu = "gpu\n uuid GPU-1\n name V\n";

class FakeGpu : public testing::Test {
 protected:
  static ProbeOptions options(const char* library = FAKE_NVML) {
    ProbeOptions all;
    all.nvml_library = library;
    return all;
  }
  void play(const std::string& more) { script_.play(kGpu + more); }
  NvmlScript script_;
};

class UseOfGpus : public FakeGpu {};

TEST_F(UseOfGpus, busy_time_is_the_share_of_the_time_since_the_last_sample) {
  play(" sample 7 1000000 90\n");
  GpuUse use(options());
  EXPECT_THAT(use.read(seconds(1))[0].processes, IsEmpty()) << "what came before the first read is not counted";
  play(" sample 7 2000000 90\n sample 8 1900000 10\n");
  const GpuBusy& busy = use.read(seconds(2))[0];
  EXPECT_EQ(busy.domain, "gpu-0");
  EXPECT_EQ(busy.time, seconds(2));
  EXPECT_THAT(busy.processes, ElementsAre(Pair(7, milliseconds(900)), Pair(8, milliseconds(90))));
  EXPECT_EQ(busy.all, milliseconds(990));
}

TEST_F(UseOfGpus, busy_time_adds_up_and_never_falls) {
  play(" sample 7 1000000 50\n");
  GpuUse use(options());
  use.read(seconds(1));
  play(" sample 7 2000000 50\n");
  use.read(seconds(2));
  EXPECT_EQ(use.read(seconds(3))[0].all, milliseconds(500)) << "no new sample: nothing ran";
  play(" sample 7 3900000 100\n sample 9 4000000 0\n");
  EXPECT_THAT(use.read(seconds(4))[0].processes, ElementsAre(Pair(7, milliseconds(1'500)), Pair(9, Nanoseconds{})));
}

TEST_F(UseOfGpus, after_an_idle_spell_a_process_is_not_given_the_time_before_it) {
  play(" sample 7 1000000 50\n");
  GpuUse use(options());
  for (int second = 1; second <= 100; ++second) use.read(seconds(second));
  play(" sample 7 100900000 80\n");
  EXPECT_EQ(use.read(seconds(101))[0].all, milliseconds(500 + 300)) << "80 % of the last second, not of 100 s";
}

TEST_F(UseOfGpus, a_clock_that_is_set_forward_gives_no_busy_hour) {
  play(" sample 7 1000000 50\n");
  GpuUse use(options());
  use.read(seconds(1));
  play(" sample 7 3602000000 100\n");
  EXPECT_LE(use.read(seconds(2))[0].all, seconds(2));
}

TEST_F(UseOfGpus, several_samples_of_one_process_each_count_for_their_own_time) {
  play(" sample 7 1000000 1\n");
  GpuUse use(options());
  use.read(seconds(1));
  play(" sample 7 2000000 20\n sample 7 1500000 100\n");
  EXPECT_EQ(use.read(seconds(2))[0].all, milliseconds(500 + 100));
}

TEST_F(UseOfGpus, nonsense_is_absent_with_a_reason_and_leaves_the_rest_as_it_was) {
  play(" sample 7 1000000 50\n");
  GpuUse use(options());
  use.read(seconds(1));
  play(" sample 7 2000000 50\n sample 8 2000000 4294967295\n");
  const GpuBusy& busy = use.read(seconds(2))[0];
  EXPECT_EQ(busy.why_absent, "NVML says 4294967295 % of process 8");
  EXPECT_EQ(busy.all, Nanoseconds{});
  EXPECT_EQ(busy.time, seconds(1));
  play(" sample 7 3000000 50\n");
  EXPECT_EQ(use.read(seconds(3))[0].all, seconds(1)) << "the interval is asked for again, whole";
  EXPECT_EQ(use.read(seconds(3))[0].why_absent, "");
}

TEST_F(UseOfGpus, with_mig_or_an_old_library_it_is_absent_with_a_reason) {
  play(" mig 1\n sample 7 1000000 50\n");
  GpuUse mig(options());
  EXPECT_EQ(mig.read(seconds(1))[0].why_absent, "use by process: not supported (NVML code 3)");
  GpuUse old(options(FAKE_NVML_OLD));
  EXPECT_THAT(old.read(seconds(1))[0].why_absent, HasSubstr("lacks the function"));
  GpuUse nothing(options("libnvidia-ml-of-nowhere.so.1"));
  EXPECT_THAT(nothing.read(seconds(1)), IsEmpty());
}

TEST_F(UseOfGpus, a_lost_gpu_keeps_what_it_had_and_says_why_it_tells_no_more) {
  play(" lost 2000\n sample 7 1000000 50\n");
  GpuUse use(options());
  use.read(seconds(1));
  script_.at(2'000);
  EXPECT_THAT(use.read(seconds(2))[0].why_absent, HasSubstr("the GPU is lost"));
  script_.at(0);
  EXPECT_THAT(use.read(seconds(3))[0].why_absent, HasSubstr("the GPU is lost"));
}

// --- Gauges
// -----------------------------------------------------------------------------------------------------------

class GaugesOfGpus : public FakeGpu {
 protected:
  static std::vector<double> read(GaugeSource& source) {
    std::vector<double> values(source.gauges().size(), -1.0);
    source.read(seconds(1), 0, values);
    return values;
  }
};

TEST_F(GaugesOfGpus, every_gpu_has_its_own_in_base_units) {
  play(
      " utilization 87\n memory 42949672960 1073741824\n temperature 61\n clock 1 1410\n clock 2 1215\n limit 400000\n"
      " reasons 0x4\ngpu\n uuid GPU-2\n name V\n temperature 30\n");
  const auto source = gpu_gauges(options());
  ASSERT_NE(source, nullptr);
  std::vector<std::string> names;
  for (const Gauge& gauge : source->gauges()) {
    names.push_back(gauge.name + " " + gauge.unit);
    EXPECT_NE(gauge.meaning, "");
  }
  EXPECT_THAT(std::vector<std::string>(names.begin(), names.begin() + 10),
              ElementsAre("gpu-0_utilisation 1", "gpu-0_memory_used B", "gpu-0_temperature degC", "gpu-0_sm_clock Hz",
                          "gpu-0_memory_clock Hz", "gpu-0_power_limit W", "gpu-0_power_throttled 1",
                          "gpu-0_thermal_throttled 1", "gpu-0_run_busy_time s", "gpu-0_busy_time s"));
  const std::vector<double> values = read(*source);
  EXPECT_THAT(std::vector<double>(values.begin(), values.begin() + 8),
              ElementsAre(0.87, 1073741824.0, 61.0, 1.41e9, 1.215e9, 400.0, 1.0, 0.0));
  EXPECT_EQ(names.at(12), "gpu-1_temperature degC");
  EXPECT_EQ(values.at(12), 30.0);
}

TEST_F(GaugesOfGpus, what_a_gpu_does_not_tell_is_not_zero) {
  play("");
  for (const double value : read(*gpu_gauges(options(FAKE_NVML_OLD)))) EXPECT_TRUE(std::isnan(value));
  play(" utilization 4294967295\n");
  EXPECT_TRUE(std::isnan(read(*gpu_gauges(options()))[0]));
}

TEST_F(GaugesOfGpus, the_reasons_for_slow_clocks_are_told_apart) {
  const auto throttled = [&](const std::string& reasons) {
    play(" reasons " + reasons + "\n");
    const std::vector<double> values = read(*gpu_gauges(options()));
    return std::vector<double>{values[6], values[7]};
  };
  EXPECT_THAT(throttled("0"), ElementsAre(0.0, 0.0));
  EXPECT_THAT(throttled("0x1"), ElementsAre(0.0, 0.0)) << "idle";
  EXPECT_THAT(throttled("0x80"), ElementsAre(1.0, 0.0));
  EXPECT_THAT(throttled("0x20"), ElementsAre(0.0, 1.0));
  EXPECT_THAT(throttled("0x48"), ElementsAre(0.0, 1.0));
  const std::vector<double> unexplained = throttled("0x8");
  EXPECT_TRUE(std::isnan(unexplained[0]) && std::isnan(unexplained[1])) << "heat or power: not told";
}

TEST_F(GaugesOfGpus, an_older_library_tells_the_reasons_under_their_older_name) {
  play(" reasons 0x4\n");
  EXPECT_EQ(read(*gpu_gauges(options(FAKE_NVML_OLD)))[6], 1.0);
}

TEST_F(GaugesOfGpus, a_lost_gpu_tells_nothing_more) {
  play(" temperature 50\n lost 2000\n");
  const auto source = gpu_gauges(options());
  EXPECT_EQ(read(*source)[2], 50.0);
  script_.at(2'000);
  EXPECT_TRUE(std::isnan(read(*source)[2]));
  script_.at(0);
  EXPECT_TRUE(std::isnan(read(*source)[2]));
}

// A tree of one process, 7, beside another, 8; and 9, which nobody here knows.
class TreesOnGpus : public FakeGpu {
 protected:
  TreesOnGpus() {
    root_ = testing::TempDir() + "trees_on_gpus";
    std::filesystem::remove_all(root_);
    for (const int pid : {7, 8}) {
      const std::filesystem::path folder = root_ / "proc" / std::to_string(pid);
      std::filesystem::create_directories(folder);
      std::ofstream(folder / "stat") << pid << " (python3) R 1 " << pid << " " << pid
                                     << " 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 100 4096 10\n";
    }
  }
  ~TreesOnGpus() override { std::filesystem::remove_all(root_); }

  std::unique_ptr<GaugeSource> source() {
    ProbeOptions all = options();
    all.sysroot = root_;
    return gpu_gauges(all);
  }
  static std::vector<double> busy(GaugeSource& source, Nanoseconds now) {
    std::vector<double> values(source.gauges().size());
    source.read(now, 7, values);
    return {values[8], values[9]};
  }
  std::filesystem::path root_;
};

TEST_F(TreesOnGpus, the_tree_of_the_run_is_told_apart_from_everybody) {
  play(" sample 7 1000000 90\n");
  const auto gpus = source();
  EXPECT_THAT(busy(*gpus, seconds(1)), ElementsAre(DoubleEq(0.0), DoubleEq(0.0)));
  play(" sample 7 2000000 60\n sample 8 2000000 20\n");
  EXPECT_THAT(busy(*gpus, seconds(2)), ElementsAre(DoubleEq(0.6), DoubleEq(0.8)));
  std::filesystem::remove_all(root_ / "proc" / "7");
  EXPECT_THAT(busy(*gpus, seconds(3)), ElementsAre(DoubleEq(0.6), DoubleEq(0.8))) << "it ended; what it used stays";
}

TEST_F(TreesOnGpus, what_a_process_of_another_container_used_could_be_anybodys) {
  play(" sample 7 1000000 90\n");
  const auto gpus = source();
  (void)busy(*gpus, seconds(1));
  play(" sample 7 2000000 60\n sample 9 2000000 20\n");
  EXPECT_THAT(busy(*gpus, seconds(2)), testing::Each(testing::IsNan()));
  play(" sample 7 3000000 60\n");
  EXPECT_THAT(busy(*gpus, seconds(3)), ElementsAre(DoubleEq(1.2), DoubleEq(1.4)))
      << "it rests, so what is new is known";
}

TelemetryTable told_by_a_gpu(const std::vector<std::vector<double>>& rows) {
  TelemetryTable table{.gauges = gpu_gauge_columns("gpu-0"), .rows = {}};
  for (const auto& row : rows) {
    std::vector<double> values(table.gauges.size(), kNotTold);
    values[8] = row[1];
    values[9] = row[2];
    table.rows.push_back({.time = to_nanoseconds(Seconds{row[0]}), .values = std::move(values)});
  }
  return table;
}

TEST(UseOfAGpu, begins_with_the_run_and_ends_with_the_last_that_nvml_told) {
  const Window run{.kind = WindowKind::run, .name = {}, .epoch = {}, .begin = seconds(1), .end = milliseconds(4'200)};
  const auto uses =
      gpu_uses(told_by_a_gpu({{0.9, 0.3, 0.3}, {2.0, 0.5, 0.6}, {3.0, 1.0, 1.6}, {4.2, 1.0, 1.6}}), "gpu-0", run);
  ASSERT_EQ(uses.size(), 3U) << "1.2 s later nothing new was told: NVML may be late";
  EXPECT_EQ(uses[0].consumers.front(), Nanoseconds{}) << "before the run it used nothing";
  EXPECT_EQ(uses[2].consumers.front(), seconds(1));
  EXPECT_EQ(uses[2].all, milliseconds(1'600));
  EXPECT_THAT(gpu_uses(told_by_a_gpu({{1.0, 0.0, 0.0}}), "gpu-1", run), IsEmpty());
  EXPECT_EQ(gpu_uses(told_by_a_gpu({{1.0, 0.0, 0.0}, {4.0, 0.0, 0.0}}), "gpu-0", run).size(), 2U)
      << "after long enough nothing new means that nobody used it";
}

TEST_F(GaugesOfGpus, without_a_gpu_there_are_none) {
  script_.play("");
  EXPECT_EQ(gpu_gauges(options()), nullptr);
  EXPECT_EQ(gpu_gauges(options("libnvidia-ml-of-nowhere.so.1")), nullptr);
}

}  // namespace
}  // namespace wattle::energy
