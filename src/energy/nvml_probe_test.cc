#include "energy/nvml_probe.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "energy/accumulator.h"
#include "energy/counter_check.h"
#include "energy/fake_nvml/script.h"
#include "energy/nvml_api.h"

namespace wattle::energy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A GPU that can do everything, at 200 W for 60 ms of each 100 ms and at 100 W for the rest: 160 W.
constexpr const char* kV100 =
    "gpu\n uuid GPU-11111111-aaaa\n name Tesla V100-SXM2-16GB\n architecture 5\n load 100000 200000 100 60\n"
    " energy 5000 20\n instant 20 20\n usage\n average\n";
constexpr const char* kSecond =
    "gpu\n uuid GPU-22222222-bbbb\n name Tesla V100-SXM2-16GB\n architecture 5\n load 50000 50000 1 1\n energy 7000 "
    "100\n"
    " instant 20 20\n";

class Nvidia : public testing::Test {
 protected:
  Found find(const std::string& script, const char* library = FAKE_NVML) {
    script_.play(script);
    ProbeOptions options;
    options.nvml_library = library;
    return find_nvml(options);
  }

  static std::vector<std::string> names(const Found& found) {
    std::vector<std::string> all;
    if (!found.probe) return all;
    for (const Domain& domain : found.probe->domains()) all.push_back(domain.name);
    return all;
  }
  static Domain domain(const Found& found, std::size_t i) {
    return found.probe ? found.probe->domains().at(i) : Domain();
  }

  std::vector<Reading> read(const Found& found, std::int64_t at_ms) {
    script_.at(at_ms);
    if (!found.probe) return std::vector<Reading>(4);
    std::vector<Reading> readings(found.probe->domains().size());
    found.probe->read(milliseconds(at_ms), readings);
    return readings;
  }

  // What a run gives that reads every `every` from one time to the other, all in ms.
  std::vector<Series> measure(const Found& found, std::int64_t from, std::int64_t to, std::int64_t every = 50) {
    std::vector<Series> series;
    for (const Domain& one : found.probe->domains()) series.push_back({.domain = one, .samples = {}});
    std::vector<Accumulator> accumulators(found.probe->domains().begin(), found.probe->domains().end());
    for (std::int64_t t = from; t <= to; t += every) {
      const std::vector<Reading> readings = read(found, t);
      for (std::size_t i = 0; i < readings.size(); ++i) {
        const auto sample = accumulators[i].add(milliseconds(t), readings[i], false);
        if (sample) series[i].samples.push_back(*sample);
      }
    }
    failure_ = accumulators.front().last_failure();
    return series;
  }
  static Window window(std::int64_t from_ms, std::int64_t to_ms) {
    return {.kind = WindowKind::phase,
            .name = "train",
            .epoch = {},
            .begin = milliseconds(from_ms),
            .end = milliseconds(to_ms)};
  }

  NvmlScript script_;
  std::string failure_;  // of the first domain measured last
};

// --- Domains
// ----------------------------------------------------------------------------------------------------------

TEST_F(Nvidia, a_gpu_has_its_counter_and_beside_it_the_integral_of_its_power) {
  const Found found = find(kV100);
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  EXPECT_THAT(names(found), ElementsAre("gpu-0", "gpu-0 (power)"));
  EXPECT_EQ(domain(found, 0).kind, DomainKind::gpu);
  EXPECT_EQ(domain(found, 0).provenance, Provenance::counter);
  EXPECT_EQ(domain(found, 0).source, "NVML energy counter of Tesla V100-SXM2-16GB GPU-11111111-aaaa");
  EXPECT_EQ(domain(found, 0).update_period, milliseconds(100));
  EXPECT_EQ(domain(found, 0).gain_uncertainty, 0.05);
  EXPECT_EQ(domain(found, 1).provenance, Provenance::integrated_power);
  EXPECT_EQ(domain(found, 1).source, "NVML instant power of Tesla V100-SXM2-16GB GPU-11111111-aaaa");
  EXPECT_EQ(found.probe->own_period(), milliseconds(50)) << "NVML may take milliseconds";
  EXPECT_EQ(found.proven, "verified on a fake only");
  EXPECT_THAT(found.reason, HasSubstr("gpu-0, gpu-0 (power) (Tesla V100-SXM2-16GB GPU-11111111-aaaa)"));
  const auto readings = read(found, 1000);
  EXPECT_EQ(readings[0].kind, Reading::Kind::counter);
  EXPECT_EQ(readings[0].value, (5000U + 160'000U) * 1000U) << "mJ are told as µJ";
  EXPECT_EQ(readings[0].modulus, kNeverWraps);
  EXPECT_EQ(readings[1].kind, Reading::Kind::power);
  EXPECT_EQ(readings[1].value, 100'000'000U) << "mW are told as µW";
}

TEST_F(Nvidia, the_integral_beside_a_counter_never_joins_a_total) {
  const Found found = find(std::string(kV100) + kSecond);
  EXPECT_THAT(names(found), ElementsAre("gpu-0", "gpu-0 (power)", "gpu-1", "gpu-1 (power)"));
  const Cover covered = cover(measure(found, 0, 1000));
  EXPECT_THAT(covered.measured, ElementsAre(0, 2));
  EXPECT_THAT(covered.estimated, IsEmpty());
}

TEST_F(Nvidia, a_counter_that_steps_every_100_ms_is_right_over_a_window_of_5_s) {
  const Found found = find("gpu\n uuid GPU-1\n name V\n load 100000 300000 700 350\n energy 10 100\n");
  const auto series = measure(found, 0, 12'000);
  const WindowEnergy energy = energy_in(series[0], window(3'017, 8'617));
  ASSERT_TRUE(energy.energy);
  const double truth = 200.0 * 5.6;
  EXPECT_NEAR(to_joules(*energy.energy).value, truth, truth * energy.uncertainty);
  EXPECT_NEAR(to_joules(*energy.energy).value, truth, 0.04 * truth);
  EXPECT_EQ(energy.coverage, 1.0) << "a step of a seldom refreshed counter is no reset";
}

TEST_F(Nvidia, without_a_counter_power_alone_is_the_gpu) {
  const Found found =
      find("gpu\n uuid GPU-1\n name Tesla P100\n architecture 4\n load 90000 90000 1 1\n instant 20 20\n");
  EXPECT_THAT(names(found), ElementsAre("gpu-0"));
  EXPECT_EQ(domain(found, 0).provenance, Provenance::integrated_power);
  EXPECT_EQ(domain(found, 0).parent, "");
  const WindowEnergy energy = energy_in(measure(found, 0, 10'000)[0], window(1'000, 9'000));
  EXPECT_EQ(energy.energy, (Microjoules{720'000'000}));
}

TEST_F(Nvidia, a_counter_that_says_zero_is_no_counter) {
  const Found found = find("gpu\n uuid GPU-1\n name V\n energy 0 100\n usage_is 70000\n");
  EXPECT_THAT(names(found), ElementsAre("gpu-0"));
  EXPECT_EQ(domain(found, 0).provenance, Provenance::integrated_power);
}

TEST_F(Nvidia, a_counter_that_falls_is_a_gap_not_energy) {
  const Found found = find(std::string(kV100) + " reload 4990\n");
  const auto series = measure(found, 0, 10'000);
  EXPECT_EQ(failure_, "the counter was reset");
  const WindowEnergy energy = energy_in(series[0], window(0, 10'000));
  ASSERT_TRUE(energy.energy);
  EXPECT_NEAR(to_joules(*energy.energy).value, 160.0 * 9.95, 20.0) << "one interval is lost, the rest counts";
  EXPECT_LT(energy.coverage, 1.0);
}

TEST_F(Nvidia, the_module_of_a_grace_hopper_is_shown_and_never_added) {
  const Found found = find(std::string(kV100) + " module_is 600000\n");
  EXPECT_THAT(names(found), ElementsAre("gpu-0", "gpu-0 (power)", "module-0"));
  EXPECT_EQ(domain(found, 2).kind, DomainKind::board);
  EXPECT_THAT(domain(found, 2).source, HasSubstr("module"));
  const auto series = measure(found, 0, 1000);
  EXPECT_EQ(series[2].samples.back().cumulative, (Microjoules{600'000'000}));
  EXPECT_THAT(cover(series).measured, ElementsAre(0));
}

TEST_F(Nvidia, a_driver_that_ignores_the_scope_has_no_module) {
  EXPECT_THAT(names(find(std::string(kV100) + " scope_ignored\n")), ElementsAre("gpu-0", "gpu-0 (power)"));
}

TEST_F(Nvidia, where_neither_counter_nor_power_is_told_utilisation_gives_an_estimate) {
  const Found found = find("gpu\n uuid GPU-1\n name Tesla T4\n utilization 50\n");
  EXPECT_THAT(names(found), ElementsAre("gpu-0 (model)"));
  EXPECT_EQ(domain(found, 0).kind, DomainKind::gpu_model);
  EXPECT_EQ(domain(found, 0).provenance, Provenance::model);
  EXPECT_EQ(domain(found, 0).gain_uncertainty, 0.4);
  EXPECT_THAT(domain(found, 0).source, HasSubstr("8.00 to 71.0 W (T4)"));
  EXPECT_EQ(read(found, 0)[0].value, 39'500'000U) << "8 W + (71 W − 8 W) · 0.5";
  EXPECT_THAT(names(find("gpu\n uuid GPU-1\n name Odd\n utilization 50\n limit 100000\n")),
              ElementsAre("gpu-0 (model)"));
}

TEST_F(Nvidia, what_tells_nothing_is_absent_with_all_its_reasons) {
  const Found found = find("gpu\n uuid GPU-1\n name Odd\n");
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_EQ(found.probe, nullptr);
  EXPECT_EQ(
      found.reason,
      "gpu-0: energy: not supported (NVML code 3); power: not supported (NVML code 3); model: neither its name nor "
      "its power limit is known");
  EXPECT_THAT(find("").reason, HasSubstr("no GPU to measure"));
}

// --- Power
// ------------------------------------------------------------------------------------------------------------

TEST_F(Nvidia, the_instant_field_is_preferred_to_means_over_a_second) {
  const std::string gpu = "gpu\n uuid GPU-1\n name NVIDIA RTX A6000\n architecture 7\n usage_is 1000\n";
  const Found all = find(gpu + " average_is 2000\n instant_is 3000\n");
  EXPECT_EQ(read(all, 0)[0].value, 3'000'000U);
  EXPECT_EQ(domain(all, 0).update_period, milliseconds(100));
  const Found mean = find(gpu + " average_is 2000\n");
  EXPECT_EQ(read(mean, 0)[0].value, 2'000'000U);
  EXPECT_EQ(domain(mean, 0).update_period, seconds(1));
  const Found old = find(gpu);
  EXPECT_EQ(read(old, 0)[0].value, 1'000'000U);
  EXPECT_THAT(domain(old, 0).source, HasSubstr("1 s mean power"));
}

TEST_F(Nvidia, power_usage_is_a_mean_over_a_second_on_ampere_and_later_except_ga100) {
  const auto period = [&](const std::string& name, const std::string& architecture) {
    return domain(find("gpu\n uuid GPU-1\n usage_is 5000\n name " + name + "\n" + architecture), 0).update_period;
  };
  EXPECT_EQ(period("NVIDIA GeForce RTX 3090", " architecture 7\n"), seconds(1));
  EXPECT_EQ(period("NVIDIA H100 PCIe", " architecture 9\n"), seconds(1));
  EXPECT_EQ(period("NVIDIA RTX A1000", " architecture 7\n"), seconds(1)) << "no A100";
  EXPECT_EQ(period("NVIDIA A100-SXM4-40GB", " architecture 7\n"), milliseconds(100));
  EXPECT_EQ(period("Tesla T4", " architecture 6\n"), milliseconds(100));
  EXPECT_EQ(period("Unheard of", ""), seconds(1)) << "where it is not known, the worse";
}

TEST_F(Nvidia, power_sampled_a_quarter_of_the_time_says_so_and_is_caught_by_the_counter) {
  // The sampler sees the last 25 ms of each 100 ms, when this load is low.
  const Found found = find(
      "gpu\n uuid GPU-1\n name NVIDIA A100-SXM4-40GB\n architecture 7\n load 100000 400000 100 60\n energy 10 20\n"
      " instant 25 100\n");
  EXPECT_THAT(domain(found, 1).source, HasSubstr("sampled during 25 % of the time"));
  EXPECT_EQ(domain(found, 1).gain_uncertainty, 0.70);
  EXPECT_EQ(domain(found, 0).gain_uncertainty, 0.05) << "the counter is not the integral";
  const auto checks = check_counters(measure(found, 0, 10'000), window(1'000, 9'000));
  ASSERT_EQ(checks.size(), 1U);
  EXPECT_TRUE(checks[0].suspicious);
  EXPECT_NEAR(*checks[0].ratio, 100.0 / 280.0, 0.01);
}

TEST_F(Nvidia, a_counter_and_an_integral_that_agree_are_not_flagged) {
  const Found found = find("gpu\n uuid GPU-1\n name V\n load 100000 400000 4000 1000\n energy 10 20\n instant 20 20\n");
  const auto checks = check_counters(measure(found, 0, 10'000), window(1'000, 9'000));
  ASSERT_EQ(checks.size(), 1U);
  EXPECT_EQ(checks[0].domain, "gpu-0");
  EXPECT_NEAR(*checks[0].ratio, 1.0, 0.02);
  EXPECT_FALSE(checks[0].suspicious);
}

TEST_F(Nvidia, zero_and_absurd_power_is_absent_not_a_number) {
  const std::string gpu = "gpu\n uuid GPU-1\n name V\n architecture 5\n usage_is ";
  const Found found = find(gpu + "80000\n");
  for (const char* value : {"0", "4000001", "4294967295"}) {
    script_.play(gpu + value + "\n");
    const Reading reading = read(found, 100)[0];
    EXPECT_EQ(reading.kind, Reading::Kind::absent) << value;
    EXPECT_EQ(reading.reason, std::string("power: NVML says ") + value + " mW, which is no reading");
  }
  EXPECT_EQ(find(gpu + "0\n").status, Found::Status::absent);
}

TEST_F(Nvidia, a_field_is_read_by_the_type_that_it_says) {
  for (const char* type : {"0", "1", "2", "3", "4", "5", "6"}) {
    const Found found = find(std::string("gpu\n uuid GPU-1\n name V\n instant_is 65000\n field_type ") + type + "\n");
    ASSERT_EQ(found.status, Found::Status::found) << type << ": " << found.reason;
    EXPECT_EQ(read(found, 0)[0].value, 65'000'000U) << type;
  }
  for (const char* wrong : {"instant_is -5\n field_type 4", "instant_is -5\n field_type 5",
                            "instant_is -5\n field_type 0", "instant_is 5\n field_type 9"}) {
    EXPECT_THAT(find(std::string("gpu\n uuid GPU-1\n name V\n ") + wrong + "\n").reason,
                HasSubstr("power: no usable data"))
        << wrong;
  }
}

// --- What goes wrong
// --------------------------------------------------------------------------------------------------

TEST_F(Nvidia, a_gpu_lost_in_mid_run_is_absent_from_then_on_and_the_others_go_on) {
  const std::string script = std::string(kV100) + " lost 3000\n" + kSecond;
  const Found found = find(script);
  EXPECT_EQ(read(found, 2'950)[0].kind, Reading::Kind::counter);
  for (const std::int64_t time : {3'000, 3'050}) {
    const auto readings = read(found, time);
    EXPECT_EQ(readings[0].kind, Reading::Kind::absent);
    EXPECT_THAT(readings[0].reason, HasSubstr("the GPU is lost (NVML code 15)"));
    EXPECT_EQ(readings[1].kind, Reading::Kind::absent);
    EXPECT_EQ(readings[2].kind, Reading::Kind::counter);
    EXPECT_EQ(readings[3].kind, Reading::Kind::power);
  }
  EXPECT_EQ(read(found, 0)[0].kind, Reading::Kind::absent) << "it is not asked again";
}

TEST_F(Nvidia, a_passing_error_is_absent_once) {
  const Found found = find(kV100);
  script_.play(std::string(kV100) + " energy_code 999\n");
  EXPECT_EQ(read(found, 50)[0].reason, "energy: unexpected error (NVML code 999)");
  EXPECT_EQ(read(found, 50)[1].kind, Reading::Kind::power);
  script_.play(kV100);
  EXPECT_EQ(read(found, 100)[0].kind, Reading::Kind::counter);
}

TEST_F(Nvidia, a_denied_gpu_tells_the_command_that_opens_it) {
  const Found found = find("gpu\n uuid GPU-1\n name V\n energy 1 1\n energy_code 4\n power_code 4\n");
  EXPECT_EQ(found.status, Found::Status::denied);
  EXPECT_THAT(found.reason, HasSubstr("gpu-0: energy: permission denied (NVML code 4)"));
  EXPECT_THAT(found.fix, HasSubstr("sudo chmod a+rw /dev/nvidia*"));
  EXPECT_THAT(found.fix_lasting, HasSubstr("NVreg_DeviceFileMode=0666"));
  EXPECT_EQ(found.probe, nullptr);
}

TEST_F(Nvidia, a_gpu_that_may_not_be_opened_is_missing_and_the_others_are_measured) {
  const Found found = find(std::string(kV100) + "gpu\n handle 4\n");
  EXPECT_EQ(found.status, Found::Status::found);
  EXPECT_THAT(names(found), ElementsAre("gpu-0", "gpu-0 (power)"));
  EXPECT_THAT(found.missing, ElementsAre("gpu-1: permission denied (NVML code 4)"));
  EXPECT_THAT(found.fix, HasSubstr("chmod"));
}

TEST_F(Nvidia, a_library_without_newer_functions_gives_what_it_has) {
  const Found found = find(kV100, FAKE_NVML_OLD);
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  EXPECT_THAT(names(found), ElementsAre("gpu-0"));
  EXPECT_EQ(domain(found, 0).provenance, Provenance::integrated_power);
  EXPECT_EQ(read(found, 1000)[0].value, 160'000'000U);
  EXPECT_THAT(find("gpu\n uuid GPU-1\n name V\n", FAKE_NVML_OLD).reason,
              HasSubstr("energy: this NVML lacks the function (NVML code 13)"));
}

TEST_F(Nvidia, a_gpu_with_mig_is_one_board_and_says_so) {
  const Found found = find(std::string(kV100) + " mig 1\n mig_uuid MIG-1\n mig_uuid MIG-2\n");
  EXPECT_THAT(names(found), ElementsAre("gpu-0", "gpu-0 (power)"));
  EXPECT_THAT(domain(found, 0).source, HasSubstr("the whole board with all its MIG instances"));
  EXPECT_THAT(found.reason, HasSubstr("MIG: the whole board"));
  ProbeOptions options;
  options.nvml_library = FAKE_NVML;
  options.visible_gpus = "MIG-2";
  EXPECT_THAT(names(find_nvml(options)), ElementsAre("gpu-0", "gpu-0 (power)")) << "an instance is looked up by UUID";
  options.visible_gpus = "MIG-3";
  EXPECT_EQ(find_nvml(options).status, Found::Status::absent);
}

TEST_F(Nvidia, one_gpu_listed_twice_is_counted_once) {
  const Found found = find(std::string(kV100) + kV100 + kSecond);
  EXPECT_THAT(names(found), ElementsAre("gpu-0", "gpu-0 (power)", "gpu-2", "gpu-2 (power)"));
  EXPECT_THAT(found.reason, HasSubstr("gpu-1 is gpu-0 again and counted once"));
}

TEST_F(Nvidia, a_driver_that_is_not_loaded_is_absent) {
  const Found found = find("init 9\n");
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_EQ(found.reason, "nvmlInit_v2: the NVIDIA driver is not loaded (NVML code 9)");
  EXPECT_EQ(found.fix, "sudo modprobe nvidia");
}

TEST_F(Nvidia, a_driver_of_another_version_is_absent_and_says_to_reboot_or_reload) {
  const Found found = find("init 18\n");
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_THAT(found.reason, HasSubstr("of different versions (NVML code 18)"));
  EXPECT_THAT(found.fix, HasSubstr("sudo reboot"));
  EXPECT_THAT(found.fix, HasSubstr("modprobe -r nvidia"));
}

TEST_F(Nvidia, a_driver_that_may_not_be_talked_to_is_denied) {
  const Found found = find("init 4\n");
  EXPECT_EQ(found.status, Found::Status::denied);
  EXPECT_EQ(found.fix, "sudo chmod a+rw /dev/nvidia*");
  EXPECT_EQ(find("init 17\n").fix, "docker run --gpus all ...");
}

TEST_F(Nvidia, without_the_library_it_is_absent) {
  const Found found = find("", "libnvidia-ml-of-nowhere.so.1");
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_THAT(found.reason, HasSubstr("no NVIDIA driver: libnvidia-ml-of-nowhere.so.1"));
  EXPECT_EQ(found.fix, "");
  EXPECT_THAT(find("", "libm.so.6").reason, HasSubstr("is no NVML"));
}

TEST_F(Nvidia, nvml_is_shut_down_with_the_probe) {
  void* library = ::dlopen(FAKE_NVML, RTLD_NOW);
  ASSERT_NE(library, nullptr);
  const auto count = reinterpret_cast<int (*)(unsigned*)>(::dlsym(library, "nvmlDeviceGetCount_v2"));
  unsigned gpus = 0;
  {
    const Found found = find(kV100);
    EXPECT_EQ(count(&gpus), 0);
  }
  EXPECT_EQ(count(&gpus), 1) << "uninitialised again";
  ::dlclose(library);
}

// --- Among the other probes ------------------------------------------------------------------------------

TEST_F(Nvidia, only_the_visible_gpus_are_measured) {
  script_.play(std::string(kV100) + kSecond);
  ProbeOptions options;
  options.nvml_library = FAKE_NVML;
  options.visible_gpus = "GPU-2222";
  EXPECT_THAT(names(find_nvml(options)), ElementsAre("gpu-1", "gpu-1 (power)"));
  options.visible_gpus = "";
  EXPECT_EQ(find_nvml(options).status, Found::Status::absent);
  EXPECT_THAT(find_nvml(options).reason, HasSubstr("no GPU to measure"));
}

TEST_F(Nvidia, a_gpu_does_not_take_the_place_of_the_processors) {
  const auto model_is_used = [&](const char* script) {
    script_.play(script);
    ProbeOptions options;
    options.sysroot = std::filesystem::temp_directory_path() / "wattle-no-such-tree";
    options.nvml_library = FAKE_NVML;
    return find_probes(options).back().name == "model";
  };
  EXPECT_TRUE(model_is_used("gpu\n uuid GPU-1\n name Tesla T4\n utilization 50\n"));
  EXPECT_TRUE(model_is_used(kV100)) << "measured or not, it is no processor";
}

}  // namespace
}  // namespace wattle::energy
