// The script that the fake NVML plays, and the true power in it: tests only.
//
// The script is the file that WATTLE_FAKE_NVML names, read at every call, a key and its values a line; `gpu` begins the
// next GPU. What is not scripted is not supported. Times are milliseconds, powers mW, energies mJ.
//   time T                     what time it is
//   init CODE                  what nvmlInit_v2 answers
//   handle CODE                of a GPU: what nvmlDeviceGetHandleByIndex_v2 answers
//   uuid U | name WORDS | architecture N | mig 0/1 | mig_uuid U (one a line)
//   load LOW HIGH PERIOD ON    true power: HIGH during the first ON of each PERIOD, LOW for the rest
//   energy START REFRESH       counter: START and the true energy since 0, refreshed every REFRESH; energy_code CODE
//   reload T                   the counter begins at 0 then
//   instant WINDOW EVERY       field 186: every EVERY, the mean of the true power over the WINDOW before
//   instant_is V | average_is V | usage_is V | module_is V     these instead; average and usage are else means over 1 s
//   average | usage            supported, as a mean over 1 s
//   power_code CODE            for all readings of power
//   field_type N               nvmlValueType_t of field values; scope_ignored: the GPU's power under any scope
//   lost T                     from then on every call for this GPU answers 15
//   utilization G | memory TOTAL USED | temperature C | clock TYPE MHZ | limit MW | reasons BITS
//   sample PID TIME_US SM      of a process (one a line)
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace wattle::energy::fake_nvml {

using Words = std::vector<std::string>;

// One section of the script: lines of key and values.
struct Section {
  std::vector<std::pair<std::string, Words>> lines;

  [[nodiscard]] const Words* find(const std::string& key) const {
    const auto line = std::find_if(lines.begin(), lines.end(), [&](const auto& one) { return one.first == key; });
    return line == lines.end() ? nullptr : &line->second;
  }
  [[nodiscard]] std::optional<std::int64_t> number(const std::string& key, std::size_t place = 0) const {
    const Words* words = find(key);
    if (words == nullptr || words->size() <= place) return std::nullopt;
    return std::strtoll((*words)[place].c_str(), nullptr, 0);
  }
  [[nodiscard]] std::vector<Words> all(const std::string& key) const {
    std::vector<Words> found;
    for (const auto& [name, words] : lines) {
      if (name == key) found.push_back(words);
    }
    return found;
  }
};

struct Script {
  Section machine;
  std::vector<Section> gpus;
  [[nodiscard]] std::int64_t time() const { return machine.number("time").value_or(0); }
};

inline std::optional<Script> script() {
  const char* path = std::getenv("WATTLE_FAKE_NVML");
  std::ifstream file(path != nullptr ? path : "");
  if (!file) return std::nullopt;
  Script read;
  for (std::string line; std::getline(file, line);) {
    std::istringstream text(line);
    std::string key;
    if (!(text >> key)) continue;
    if (key == "gpu") {
      read.gpus.emplace_back();
      continue;
    }
    Words words;
    for (std::string word; text >> word;) words.push_back(word);
    (read.gpus.empty() ? read.machine : read.gpus.back()).lines.emplace_back(key, words);
  }
  return read;
}

// True energy since 0 in µJ: mW · ms.
inline std::int64_t true_energy(const Section& gpu, std::int64_t until) {
  const std::int64_t low = gpu.number("load", 0).value_or(0);
  const std::int64_t high = gpu.number("load", 1).value_or(0);
  const std::int64_t period = std::max<std::int64_t>(1, gpu.number("load", 2).value_or(1));
  const std::int64_t on = gpu.number("load", 3).value_or(0);
  const auto part = [&](std::int64_t length) {
    return std::min(length, on) * high + std::max<std::int64_t>(0, length - on) * low;
  };
  return until / period * part(period) + part(until % period);
}

inline std::int64_t mean_power(const Section& gpu, std::int64_t end, std::int64_t window) {
  const std::int64_t begin = std::max<std::int64_t>(0, end - window);
  return end > begin ? (true_energy(gpu, end) - true_energy(gpu, begin)) / (end - begin)
                     : gpu.number("load", 1).value_or(0);
}

}  // namespace wattle::energy::fake_nvml
