// The CPUs that this process may use, and their division among those that run side by side. As text they are lists of
// study/cpu_list.h.
#pragma once

#include <vector>

namespace wattle::run {

// Ascending.
[[nodiscard]] std::vector<int> usable_cpus();

// One slice for each of `parts`, as even as can be and in order, the first ones larger. Fewer CPUs than parts: each
// gets all of them.
[[nodiscard]] std::vector<std::vector<int>> divided(const std::vector<int>& cpus, std::size_t parts);

}  // namespace wattle::run
