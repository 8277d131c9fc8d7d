// Several independent samples, as tests of k groups take them.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"

namespace wattle::stats {

// Views: the values belong to the caller.
using Groups = std::span<const std::span<const double>>;

[[nodiscard]] std::vector<std::span<const double>> groups_of(std::span<const std::vector<double>> samples);

// Whether there are two groups or more, each of `fewest` values or more, none a NaN, and all finite where asked;
// 1,000,000 values in all at most. The error (bad_input) counts groups from 1.
[[nodiscard]] Result<void> check_groups(Groups groups, std::size_t fewest, bool finite);

}  // namespace wattle::stats
