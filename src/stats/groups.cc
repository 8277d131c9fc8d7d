#include "stats/groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "stats/descriptive.h"

namespace wattle::stats {

std::vector<std::span<const double>> groups_of(std::span<const std::vector<double>> samples) {
  return {samples.begin(), samples.end()};
}

Result<void> check_groups(Groups groups, std::size_t fewest, bool finite) {
  if (groups.size() < 2) return fail(ErrorKind::bad_input, fmt::format("{} groups, 2 are needed", groups.size()));
  std::size_t all = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const std::span<const double> group = groups[g];
    all += group.size();
    if (group.size() < fewest) {
      return fail(ErrorKind::bad_input,
                  fmt::format("group {} has {} values, {} are needed", g + 1, group.size(), fewest));
    }
    if (any_nan(group)) return fail(ErrorKind::bad_input, fmt::format("group {}: a value is not a number", g + 1));
    const bool bounded = std::all_of(group.begin(), group.end(), [](double value) { return std::isfinite(value); });
    if (finite && !bounded) return fail(ErrorKind::bad_input, fmt::format("group {}: a value is infinite", g + 1));
  }
  if (all > 1'000'000) return fail(ErrorKind::bad_input, "more than 1,000,000 values");
  return {};
}

}  // namespace wattle::stats
