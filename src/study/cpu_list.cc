#include "study/cpu_list.h"

#include <fmt/format.h>

#include "base/text.h"

namespace wattle::study {
namespace {

std::optional<int> cpu_number(std::string_view text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  const auto number = digits ? parse_unsigned(text) : std::nullopt;
  if (!number || *number >= static_cast<std::uint64_t>(kMostCpus)) return std::nullopt;
  return static_cast<int>(*number);
}

}  // namespace

Result<std::vector<int>> parse_cpus(std::string_view list) {
  std::vector<int> cpus;
  const auto refuse = [&](const std::string& what) {
    return fail(ErrorKind::bad_input, fmt::format("`{}` is no list of CPUs: {}", printable(list), what),
                R"(for example "0-3,8": sorted, no CPU twice)");
  };
  for (const std::string& part : split(list, ',')) {
    const std::string_view range = trim(part);
    const std::size_t dash = range.find('-');
    const auto first = cpu_number(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : cpu_number(range.substr(dash + 1));
    if (!first || !last) {
      return refuse(fmt::format("`{}` is neither a CPU below {} nor a range of them", printable(range), kMostCpus));
    }
    if (*last < *first) return refuse(fmt::format("{} runs backwards", range));
    if (!cpus.empty() && *first <= cpus.back())
      return refuse(fmt::format("{} does not come after {}", range, cpus.back()));
    for (int cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

std::string cpu_list(const std::vector<int>& cpus) {
  std::string list;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t end = i;
    while (end + 1 < cpus.size() && cpus[end + 1] == cpus[end] + 1) ++end;
    if (!list.empty()) list += ',';
    list += std::to_string(cpus[i]);
    if (end > i) list += fmt::format("-{}", cpus[end]);
    i = end + 1;
  }
  return list;
}

}  // namespace wattle::study
