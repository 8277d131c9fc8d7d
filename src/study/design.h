// Designs: from a [[sweep]], [[sample]] or [[configuration]] to points of a workload's hyperparameter space.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "study/study.h"

namespace wattle::study {

inline constexpr std::int64_t kMostPoints = 100'000;  // of one rule and one workload

struct DesignPoint {
  std::size_t rule = 0;  // index into the rules
  Assignment values;     // of the rule's factors only
};

// Why a rule cannot yield its points for a workload.
struct DesignFailure {
  std::size_t rule = 0;
  std::optional<std::size_t> factor;   // the one to blame
  std::optional<std::size_t> element;  // of the factor's values
  std::string message;
  std::string suggestion;
};

struct Design {
  std::vector<DesignPoint> points;  // in rule order; of a sweep the last factor changes fastest
  std::vector<DesignFailure> failures;
};

// Values of `points` at equal distances from low to high (of their logarithms where so asked), both ends included:
// whole numbers for `whole`, else three significant digits on a logarithmic grid and six on a linear one. Two that fall
// together stay in.
[[nodiscard]] std::vector<Value> grid(const Factor& range, int points, bool whole);

// A workload's points. Values have the parameter's type and lie in its domain; the points of one rule differ from each
// other, though not from the defaults or from other rules' (the plan merges those). Ranges of integer parameters yield
// whole numbers, of others reals of three significant digits. Latin hypercube (McKay, Beckman, Conover: A comparison of
// three methods for selecting values of input variables, Technometrics 21, 1979): the range of each factor falls into
// `count` strata of equal probability, and each holds one point; where rounding lets points coincide, they exchange
// strata until none do.
//
// A rule draws from a generator seeded by study seed, workload, method and its place among the samples of that method:
// other rules change nothing that it draws.
[[nodiscard]] Design draw_design(std::uint64_t study_seed, const Workload& workload,
                                 const std::vector<DesignRule>& rules);

}  // namespace wattle::study
