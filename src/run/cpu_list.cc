#include "run/cpu_list.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>

#include "base/text.h"

namespace wattle::run {
namespace {

constexpr int kMostCpus = 4096;

}  // namespace

std::optional<std::vector<int>> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  for (const std::string& part : split(text, ',')) {
    const std::size_t dash = part.find('-');
    const auto first = parse_integer(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : parse_integer(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last >= kMostCpus) return std::nullopt;
    for (std::int64_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<int>(cpu));
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

std::string to_cpu_list(const std::vector<int>& cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    const std::size_t first = i;
    while (i + 1 < cpus.size() && cpus[i + 1] == cpus[i] + 1) ++i;
    if (!text.empty()) text += ',';
    text += first == i ? fmt::format("{}", cpus[i]) : fmt::format("{}-{}", cpus[first], cpus[i]);
  }
  return text;
}

std::vector<int> usable_cpus() {
  cpu_set_t* set = CPU_ALLOC(kMostCpus);
  const std::size_t size = CPU_ALLOC_SIZE(kMostCpus);
  std::vector<int> cpus;
  if (set != nullptr && ::sched_getaffinity(0, size, set) == 0) {
    for (int cpu = 0; cpu < kMostCpus; ++cpu) {
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), size, set)) cpus.push_back(cpu);
    }
  }
  CPU_FREE(set);
  return cpus;
}

std::vector<std::vector<int>> divided(const std::vector<int>& cpus, std::size_t parts) {
  if (parts == 0) return {};
  if (cpus.size() < parts) return std::vector<std::vector<int>>(parts, cpus);
  std::vector<std::vector<int>> slices;
  auto next = cpus.begin();
  for (std::size_t i = 0; i < parts; ++i) {
    const std::size_t size = cpus.size() / parts + (i < cpus.size() % parts ? 1 : 0);
    slices.emplace_back(next, next + static_cast<std::ptrdiff_t>(size));
    next += static_cast<std::ptrdiff_t>(size);
  }
  return slices;
}

}  // namespace wattle::run
