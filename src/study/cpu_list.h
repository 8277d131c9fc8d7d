// Lists of CPUs as in cpuset(7): "0-3,8".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wattle::study {

inline constexpr int kMostCpus = 4096;  // CPUs are numbered below it

// The CPUs in ascending order. What overlaps, runs backwards, is not sorted or names a CPU of 4096 or more is refused.
[[nodiscard]] Result<std::vector<int>> parse_cpus(std::string_view list);
// The shortest list that names them; they must ascend.
[[nodiscard]] std::string cpu_list(const std::vector<int>& cpus);

}  // namespace wattle::study
