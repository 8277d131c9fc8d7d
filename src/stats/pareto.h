// What cannot be improved in one objective without losing in another. Pure.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"

namespace wattle::stats {

enum class Goal { minimise, maximise };

// Points lie row by row: point i has the values [i d, (i + 1) d) of d = goals.size() objectives.
struct Points {
  std::span<const double> values;
  std::span<const Goal> goals;
};

// Places of the points that no other dominates, in the points' order: another dominates where it is as good in every
// objective and better in one (Pareto, "Manuale di economia politica", 1906; as in Kung, Luccio & Preparata, "On
// finding the maxima of a set of vectors", Journal of the ACM 22, 1975). Equal points are on the front together. O(n
// log n) for two objectives, O(n log n + n × front) above. Infinite values are ordered like any other. Fails
// (bad_input) for no objectives or more than 32, values that are no whole number of points, or a NaN. No points: an
// empty front.
[[nodiscard]] Result<std::vector<std::size_t>> pareto_front(const Points& points);

// Volume that the points dominate, up to the reference, a point that is worse: how good a front is as one number
// (Zitzler & Thiele, "Multiobjective evolutionary algorithms", IEEE Transactions on Evolutionary Computation 3, 1999).
// A point that is not better than the reference in every objective adds nothing. Exact: a sweep for two objectives,
// slices (While, Hingston, Barone & Huband, "A faster algorithm for calculating hypervolume", the same Transactions 10,
// 2006) above: O(front^(d-1)). Fails (bad_input) as above, for a reference of another length or not finite, an infinite
// value, more than 8 objectives, or a front of more than 200 points in more than 3 objectives.
[[nodiscard]] Result<double> hypervolume(const Points& points, std::span<const double> reference);

}  // namespace wattle::stats
