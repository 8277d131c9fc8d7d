#include "run/cpus.h"

#include <sched.h>

#include "study/cpu_list.h"

namespace wattle::run {

std::vector<int> usable_cpus() {
  cpu_set_t* set = CPU_ALLOC(study::kMostCpus);
  const std::size_t size = CPU_ALLOC_SIZE(study::kMostCpus);
  std::vector<int> cpus;
  if (set != nullptr && ::sched_getaffinity(0, size, set) == 0) {
    for (int cpu = 0; cpu < study::kMostCpus; ++cpu) {
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
