// CPUs as the kernel lists them, "0-3,8" (cpuset(7), "List format").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wattle::run {

// Ascending, each once; nothing where the text is no list or names a CPU beyond 4095.
[[nodiscard]] std::optional<std::vector<int>> parse_cpu_list(std::string_view text);
[[nodiscard]] std::string to_cpu_list(const std::vector<int>& cpus);

// Those that this process may use, ascending.
[[nodiscard]] std::vector<int> usable_cpus();

// One slice for each of `parts`, as even as can be and in order, the first ones larger. Fewer CPUs than parts: each
// gets all of them.
[[nodiscard]] std::vector<std::vector<int>> divided(const std::vector<int>& cpus, std::size_t parts);

}  // namespace wattle::run
