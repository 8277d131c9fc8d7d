#include "record/record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "record/version.h"

namespace wattle::record {
namespace {

using nlohmann::json;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

energy::Series steady(std::string name, energy::DomainKind kind, energy::Provenance provenance, std::int64_t uj_per_s) {
  energy::Series series;
  series.domain.name = std::move(name);
  series.domain.kind = kind;
  series.domain.provenance = provenance;
  for (std::int64_t i = 0; i <= 100; ++i) {
    series.samples.push_back({seconds(1000) + milliseconds(100 * i), {uj_per_s * i / 10}, false});
  }
  return series;
}

energy::Window run_window() { return {energy::WindowKind::run, "run", {}, seconds(1000), seconds(1010)}; }

Record full_record() {
  Record record;
  record.request.key = "k1";
  record.request.metric.name = "accuracy";
  record.request.arguments = {"train", "--lr", "0.1"};
  record.attempt = 3;
  record.end = EndState::diverged;
  record.reason = "loss is not a number at epoch 2 (µ)";
  record.exit_code = 4;
  record.signal = 11;
  record.started_wall = {1'700'000'000'123'456'789};
  record.duration = Nanoseconds{98'765'432'101};
  record.resources = {{1.1}, {0.30000000000000004}, std::int64_t{3} << 40};
  record.metrics = {{"accuracy", Split::validation, 1, 0.1, Nanoseconds{81'234'567'890'123}},
                    {"loss", Split::train, 2, std::nan(""), {}},
                    {"perplexity", Split::test, {}, -kInfinity, {}},
                    {"tiny", Split::test, {}, 5e-324, {}}};
  energy::Domain domain;
  domain.name = "package-0";
  domain.kind = energy::DomainKind::package;
  domain.provenance = energy::Provenance::counter;
  domain.source = "powercap";
  domain.gain_uncertainty = 0.003;
  domain.update_period = milliseconds(1);
  domain.simulated = true;
  record.domains = {domain};
  record.windows = {{run_window(), {}, {{Microjoules{(std::int64_t{1} << 53) + 1}, "", 1.0, 0.003}}},
                    {{energy::WindowKind::epoch, "epoch", 1, seconds(1), seconds(2)},
                     "output came bunched",
                     {{{}, "output came bunched", 0.0, kInfinity}}}};
  record.measured = {Microjoules{7}, "", 0.99, 0.003};
  record.estimated.why_absent = "no energy was estimated";
  record.missing_domains = {"dram-0: permission denied"};
  record.flags = {"oversubscribed"};
  record.fingerprint = {{"cpu", "A"}, {"cores", "2"}};
  record.simulated = true;
  return record;
}

TEST(RecordJson, a_record_reads_back_as_itself_to_the_last_bit) {
  const std::string text = to_json(full_record()).dump();
  const auto back = record_from_json(json::parse(text));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back).dump(), text);
  EXPECT_EQ(back->attempt, 3);
  EXPECT_EQ(back->end, EndState::diverged);
  EXPECT_EQ(back->reason, full_record().reason);
  EXPECT_EQ(back->exit_code, 4);
  EXPECT_EQ(back->signal, 11);
  EXPECT_EQ(back->started_wall.value, 1'700'000'000'123'456'789);
  EXPECT_EQ(back->duration->value, 98'765'432'101);
  EXPECT_EQ(back->resources.system_cpu.value, 0.30000000000000004);
  EXPECT_EQ(back->resources.peak_resident_bytes, std::int64_t{3} << 40);
  ASSERT_EQ(back->metrics.size(), 4U);
  EXPECT_EQ(back->metrics[0].time->value, 81'234'567'890'123);
  EXPECT_TRUE(std::isnan(back->metrics[1].value));
  EXPECT_EQ(back->metrics[1].split, Split::train);
  EXPECT_EQ(back->metrics[2].value, -kInfinity);
  EXPECT_EQ(back->metrics[3].value, 5e-324);
  EXPECT_EQ(back->domains.at(0).update_period, milliseconds(1));
  EXPECT_TRUE(back->domains.at(0).simulated);
  EXPECT_EQ(back->windows.at(0).energies.at(0).energy->value, (std::int64_t{1} << 53) + 1)
      << "microjoules do not pass through a double";
  EXPECT_EQ(back->windows.at(1).void_reason, "output came bunched");
  EXPECT_FALSE(back->windows.at(1).energies.at(0).energy) << "absent stays absent";
  EXPECT_EQ(back->windows.at(1).energies.at(0).uncertainty, kInfinity);
  EXPECT_FALSE(back->estimated.energy);
  EXPECT_EQ(back->fingerprint.at("cores"), "2");
}

TEST(RecordJson, hostile_text_is_an_error_and_never_a_record) {
  const json good = to_json(full_record());
  EXPECT_FALSE(record_from_json(json()));
  EXPECT_FALSE(record_from_json(json::array({1})));
  for (const auto& [key, value] : good.items()) {
    const bool may_be_absent = key == "reason" || key == "exit_code" || key == "signal" || key == "duration_ns" ||
                               key == "measures";  // added later
    json without = good;
    without.erase(key);
    EXPECT_EQ(record_from_json(without).has_value(), may_be_absent) << key;
    json wrong = good;
    wrong[key] = value.is_object() ? json(-1) : json{{"deep", "object"}};
    EXPECT_FALSE(record_from_json(wrong)) << key;
  }
  const std::vector<std::pair<std::string, json>> changes{{"/end", "won"},
                                                          {"/attempt", 0},
                                                          {"/attempt", 1e300},
                                                          {"/exit_code", std::int64_t{1} << 40},
                                                          {"/duration_ns", 1.5},
                                                          {"/duration_ns", std::uint64_t{1} << 63},
                                                          {"/metrics/0/value", "many"},
                                                          {"/metrics/0/split", "dev"},
                                                          {"/domains/0/kind", "moon"},
                                                          {"/domains/0/provenance", ""},
                                                          {"/windows/0/energies", json::array()},
                                                          {"/windows/0/end_ns", 3},
                                                          {"/windows/0/kind", "week"},
                                                          {"/format", 2}};
  for (const auto& [path, value] : changes) {
    json changed = good;
    changed[json::json_pointer(path)] = value;
    const auto read = record_from_json(changed);
    ASSERT_FALSE(read) << path << " = " << value;
    EXPECT_EQ(read.error().kind, ErrorKind::bad_input);
  }
}

TEST(Names, every_state_and_split_has_its_own_and_no_other) {
  for (const EndState state : {EndState::completed, EndState::reached, EndState::censored, EndState::stopped,
                               EndState::failed, EndState::diverged, EndState::interrupted}) {
    EXPECT_EQ(end_state(to_string(state)), state);
  }
  for (const Split one : {Split::train, Split::validation, Split::test}) EXPECT_EQ(split(to_string(one)), one);
  EXPECT_FALSE(end_state("Completed"));
  EXPECT_FALSE(split(""));
}

TEST(Performance, is_the_last_test_value_and_else_the_last_validation_value) {
  Record record;
  record.request.metric.name = "accuracy";
  EXPECT_FALSE(performance(record));
  record.metrics = {{"accuracy", Split::train, 1, 0.99, {}}, {"loss", Split::test, {}, 0.1, {}}};
  EXPECT_FALSE(performance(record)) << "training values and other metrics are no performance";
  record.metrics.push_back({"accuracy", Split::validation, 1, 0.8, {}});
  record.metrics.push_back({"accuracy", Split::validation, 2, 0.7, {}});
  EXPECT_EQ(performance(record)->value, 0.7);
  EXPECT_EQ(performance(record)->split, Split::validation);
  record.metrics.insert(record.metrics.begin(), {"accuracy", Split::test, {}, 0.6, {}});
  EXPECT_EQ(performance(record)->value, 0.6);
  EXPECT_EQ(performance(record)->split, Split::test);
}

TEST(RunEnergy, measured_comes_first_and_absent_is_not_zero) {
  Record record;
  EXPECT_FALSE(run_energy(record));
  record.estimated.energy = Microjoules{5'000'000};
  EXPECT_EQ(run_energy(record)->energy, Joules{5.0});
  EXPECT_TRUE(run_energy(record)->estimated);
  record.measured.energy = Microjoules{2'000'000};
  EXPECT_EQ(run_energy(record)->energy, Joules{2.0});
  EXPECT_FALSE(run_energy(record)->estimated);
}

TEST(Meter, measured_and_estimated_domains_make_two_totals) {
  energy::Trace trace;
  trace.series = {steady("package-0", energy::DomainKind::package, energy::Provenance::counter, 10'000'000),
                  steady("dram-0", energy::DomainKind::dram, energy::Provenance::counter, 2'000'000),
                  steady("gpu (model)", energy::DomainKind::gpu_model, energy::Provenance::model, 50'000'000)};
  trace.series[2].domain.gain_uncertainty = 0.4;
  trace.missing = {"psys: denied"};
  const Metered metered =
      meter(trace, {run_window(), {energy::WindowKind::epoch, "epoch", 1, seconds(1000), seconds(1005)}});
  ASSERT_TRUE(metered.measured.energy) << metered.measured.why_absent;
  EXPECT_EQ(metered.measured.energy->value, 120'000'000);
  ASSERT_TRUE(metered.estimated.energy) << metered.estimated.why_absent;
  EXPECT_EQ(metered.estimated.energy->value, 500'000'000);
  EXPECT_GE(metered.estimated.uncertainty, 0.4);
  EXPECT_LT(metered.measured.uncertainty, 0.1);
  EXPECT_NEAR(metered.measured.coverage, 1.0, 1e-12);
  ASSERT_EQ(metered.windows.size(), 2U);
  ASSERT_EQ(metered.windows[1].energies.size(), 3U);
  EXPECT_EQ(metered.windows[1].energies[0].energy->value, 50'000'000);
  EXPECT_EQ(metered.missing_domains, trace.missing);
  EXPECT_FALSE(metered.simulated);
}

TEST(Meter, a_part_that_is_unknown_makes_the_total_unknown) {
  energy::Trace trace;
  trace.series = {steady("package-0", energy::DomainKind::package, energy::Provenance::counter, 10'000'000),
                  steady("package-1", energy::DomainKind::package, energy::Provenance::counter, 10'000'000)};
  trace.series[1].samples.resize(1);
  trace.series[1].domain.simulated = true;
  const Metered metered = meter(trace, {run_window()});
  EXPECT_FALSE(metered.measured.energy) << "half a machine is not the machine";
  EXPECT_NE(metered.measured.why_absent.find("package-1"), std::string::npos);
  EXPECT_FALSE(metered.estimated.energy);
  EXPECT_TRUE(metered.simulated);
}

TEST(Meter, no_trace_and_no_window_are_said_to_be_so) {
  EXPECT_FALSE(meter({}, {run_window()}).measured.why_absent.empty());
  const Metered none = meter({}, {});
  EXPECT_FALSE(none.measured.energy);
  EXPECT_FALSE(none.estimated.why_absent.empty());
}

class Sysroot : public testing::Test {
 protected:
  Sysroot() : root_(std::filesystem::path(testing::TempDir()) / "wattle_fingerprint") {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  ~Sysroot() override { std::filesystem::remove_all(root_); }
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::filesystem::path root_;
};

TEST_F(Sysroot, tells_what_the_machine_tells_of_itself) {
  put("proc/cpuinfo", "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) @ 2.00GHz\nflags\t\t: fpu hypervisor sse\n");
  put("proc/meminfo", "MemTotal:       24576 kB\n");
  put("proc/sys/kernel/osrelease", "6.1.0\n");
  put("proc/sys/kernel/hostname", "node7\n");
  put("sys/devices/system/cpu/online", "0-3,8-9\n");
  put("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
  put("etc/os-release", "NAME=\"X\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n");
  put(".dockerenv", "");
  const auto print = machine_fingerprint(root_);
  EXPECT_EQ(print.at("cpu"), "Intel(R) Xeon(R) @ 2.00GHz");
  EXPECT_EQ(print.at("cores"), "6");
  EXPECT_EQ(print.at("memory_bytes"), "25165824");
  EXPECT_EQ(print.at("kernel"), "6.1.0");
  EXPECT_EQ(print.at("hostname"), "node7");
  EXPECT_EQ(print.at("os"), "Debian GNU/Linux 12");
  EXPECT_EQ(print.at("container"), "docker");
  EXPECT_EQ(print.at("virtual_machine"), "yes");
  EXPECT_EQ(print.at("governor"), "performance");
  EXPECT_EQ(print.at("turbo"), "off");
  EXPECT_EQ(print.at("wattle"), version());
}

TEST_F(Sysroot, what_is_not_told_has_no_entry) {
  put("sys/devices/system/cpu/online", "9-0,x\n");
  put("proc/meminfo", "MemTotal: many\n");
  const auto print = machine_fingerprint(root_);
  for (const char* name : {"cpu", "cores", "memory_bytes", "container", "turbo", "os"}) {
    EXPECT_FALSE(print.contains(name)) << name;
  }
  EXPECT_TRUE(print.contains("compiler"));
}

}  // namespace
}  // namespace wattle::record
