#include "energy/replay_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/clock.h"
#include "energy/sampler.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Each test in a folder of its own, so that two runs of this program do not meet.
class Recording : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "wattle-replay-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::string wanted(const std::string& content) const {
    std::ofstream(folder_ / "r", std::ios::binary | std::ios::trunc) << content;
    return "replay:" + (folder_ / "r").string();
  }
  [[nodiscard]] static std::vector<Found> find(const std::string& name) {
    return find_probes({.sysroot = "/nowhere", .wanted = {name}});
  }
  // Replays for `duration`, one read every `interval`.
  [[nodiscard]] static Trace replayed(const std::string& name, Nanoseconds interval, Nanoseconds duration) {
    ScriptedClock clock;
    SamplerOptions options;
    options.interval = interval;
    Sampler sampler(clock, find(name), options);
    sampler.start(false);
    for (Nanoseconds t = interval; t < duration; t += interval) {
      clock.advance(interval);
      sampler.sample();
    }
    clock.advance(interval);
    return sampler.stop();
  }
  fs::path folder_;
};

Trace recorded() {
  Trace trace;
  Series gpu;
  gpu.domain.name = "gpu-0";
  gpu.domain.kind = DomainKind::gpu;
  gpu.domain.provenance = Provenance::integrated_power;
  gpu.domain.gain_uncertainty = 0.05;
  for (int i = 0; i <= 100; ++i) gpu.samples.push_back({seconds(500) + milliseconds(20 * i), {i * i * 1000}});
  trace.series.push_back(gpu);
  trace.missing = {"dram-0: permission denied"};
  return trace;
}

TEST_F(Recording, a_trace_file_is_replayed_with_its_provenance_and_marked_simulated) {
  Flushed flushed;
  const std::string name = wanted(encode_chunk(recorded(), flushed));
  const auto found = find(name);
  ASSERT_EQ(found.size(), 1U);
  ASSERT_EQ(found[0].status, Found::Status::found) << found[0].reason;
  const Domain& domain = found[0].probe->domains()[0];
  EXPECT_TRUE(domain.simulated);
  EXPECT_EQ(domain.provenance, Provenance::integrated_power);
  EXPECT_EQ(domain.gain_uncertainty, 0.05);
  const Trace trace = replayed(name, milliseconds(20), seconds(2));
  EXPECT_EQ(trace.series[0].samples.back().cumulative.value, 100 * 100 * 1000);
  EXPECT_THAT(trace.missing, testing::Contains("dram-0: permission denied"));
}

TEST_F(Recording, holds_its_joules_at_any_sampling_rate) {
  Flushed flushed;
  const std::string name = wanted(encode_chunk(recorded(), flushed));
  for (const int interval : {1, 7, 100, 500}) {
    const Trace trace = replayed(name, milliseconds(interval), milliseconds(1000));
    const Sample& last = trace.series[0].samples.back();
    const Nanoseconds instant = seconds(500) + (last.time - trace.series[0].samples.front().time);
    EXPECT_EQ(last.cumulative, cumulative_at(recorded().series[0], instant)) << interval;
  }
}

TEST_F(Recording, past_its_end_readings_are_absent) {
  Flushed flushed;
  const Trace trace = replayed(wanted(encode_chunk(recorded(), flushed)), milliseconds(20), seconds(3));
  EXPECT_EQ(trace.series[0].samples.size(), 101U);
  EXPECT_THAT(trace.missing.back(), HasSubstr("the recording has ended"));
}

TEST_F(Recording, a_recorded_gap_stays_a_gap_however_seldom_it_is_read) {
  Trace trace = recorded();
  for (std::size_t i = 50; i <= 100; ++i) {
    trace.series[0].samples[i].cumulative -= Microjoules{50 * 50 * 1000 - 49 * 49 * 1000};
  }
  trace.series[0].samples[50].gap_before = true;
  Flushed flushed;
  const std::string name = wanted(encode_chunk(trace, flushed));
  for (const int interval : {5, 20, 90, 300}) {
    const Trace again = replayed(name, milliseconds(interval), milliseconds(1900));
    int gaps = 0;
    for (const Sample& sample : again.series[0].samples) gaps += sample.gap_before ? 1 : 0;
    EXPECT_EQ(gaps, 1) << interval;
  }
}

TEST_F(Recording, a_csv_of_power_is_integrated) {
  const std::string name = wanted(
      "# from a plug\ntime_s,domain,power_w\n0,wall,100\n0,cpu_model,5\r\n1,wall,200\n1,cpu_model,5\n2.5,wall,200\n\n");
  const Trace trace = replayed(name, milliseconds(500), milliseconds(2500));
  ASSERT_EQ(trace.series.size(), 2U);
  EXPECT_EQ(trace.series[0].domain.kind, DomainKind::wall);
  EXPECT_EQ(trace.series[0].domain.provenance, Provenance::integrated_power);
  EXPECT_EQ(trace.series[0].samples.back().cumulative.value, 450'000'000);
  EXPECT_EQ(trace.series[1].domain.provenance, Provenance::model);
  EXPECT_EQ(trace.series[1].samples.back().cumulative.value, 5'000'000) << "it ended after 1 s";
}

TEST_F(Recording, a_recorded_constant_is_not_measured) {
  const Trace trace =
      replayed(wanted("time_s,domain,power_w\n0,other-fans,5\n1,other-fans,5\n"), milliseconds(500), seconds(1));
  EXPECT_EQ(trace.series[0].domain.provenance, Provenance::constant);
}

TEST_F(Recording, a_csv_of_energy_is_a_counter_with_resets_as_gaps) {
  const auto trace = trace_from_csv(
      "time_s,domain,energy_j\n10,package-0,1.5\n11,package-0,2.25\n12,package-0,0\n"
      "13,package-0,1\n14,package-0,\n15,package-0,3\n16,package-0,3.000001\n");
  ASSERT_TRUE(trace) << trace.error().message;
  const auto& samples = trace->series[0].samples;
  ASSERT_EQ(samples.size(), 6U);
  EXPECT_EQ(samples[1].cumulative.value, 750'000);
  EXPECT_TRUE(samples[2].gap_before);
  EXPECT_TRUE(samples[4].gap_before) << "an empty value";
  EXPECT_EQ(samples[5].cumulative.value, 1'750'001);
  EXPECT_EQ(trace->series[0].domain.provenance, Provenance::counter);
}

TEST(ReplayCsv, mistakes_are_told_with_their_line) {
  const auto error = [](std::string_view text) {
    const auto trace = trace_from_csv(text);
    return trace ? std::string("none") : trace.error().message;
  };
  const std::string head = "time_s,domain,power_w\n";
  EXPECT_THAT(error(""), HasSubstr("no header"));
  EXPECT_THAT(error("a,b,c\n"), HasSubstr("line 1: the header"));
  EXPECT_THAT(error(head + "1,gpu-0\n"), HasSubstr("line 2: not three"));
  EXPECT_THAT(error(head + "x,gpu-0,1\n"), HasSubstr("no time"));
  EXPECT_THAT(error(head + "nan,gpu-0,1\n"), HasSubstr("no time"));
  EXPECT_THAT(error(head + "1e300,gpu-0,1\n"), HasSubstr("no time"));
  EXPECT_THAT(error(head + "1,toaster-0,1\n"), HasSubstr("`toaster-0`"));
  EXPECT_THAT(error(head + "1,gpu-0,-1\n"), HasSubstr("0 or more"));
  EXPECT_THAT(error(head + "1,gpu-0,inf\n"), HasSubstr("0 or more"));
  EXPECT_THAT(error(head + "1,gpu-0,1\n\n1,gpu-0,1\n"), HasSubstr("line 4: time does not rise"));
  EXPECT_EQ(error(head + "1,gpu-0,nan\n2,gpu-0,5\n"), "none") << "nan is a gap";
}

TEST_F(Recording, what_cannot_be_replayed_is_absent_with_the_reason) {
  EXPECT_THAT(find("replay:" + (folder_ / "none").string())[0].reason, HasSubstr("No such file"));
  EXPECT_THAT(find(wanted("hello"))[0].reason, HasSubstr("header"));
  EXPECT_THAT(find(wanted("\x28\xB5\x2F\xFD garbage"))[0].reason, HasSubstr("no sample"));
  EXPECT_THAT(find(wanted("time_s,domain,power_w\n"))[0].reason, HasSubstr("no sample"));
  for (const Found& found : find(wanted("hello"))) EXPECT_EQ(found.status, Found::Status::absent);
}

}  // namespace
}  // namespace wattle::energy
