#include "stats/hodges_lehmann.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "stats/sign_distribution.h"
#include "stats/signed_rank.h"

namespace wattle::stats {
namespace {

constexpr std::size_t kLargest = 4000;  // 8 million averages

std::vector<double> sorted_walsh_averages(std::span<const double> differences) {
  std::vector<double> averages;
  averages.reserve(differences.size() * (differences.size() + 1) / 2);
  for (std::size_t i = 0; i < differences.size(); ++i) {
    for (std::size_t j = i; j < differences.size(); ++j) {
      averages.push_back(std::midpoint(differences[i], differences[j]));
    }
  }
  std::sort(averages.begin(), averages.end());
  return averages;
}

// How many Walsh averages are cut from each end: the largest c with P(W <= c - 1) below half the error; 0: no interval.
struct Cut {
  std::size_t count = 0;
  double tail = 0.0;  // P(W <= count - 1)
};

Cut exact_cut(std::size_t n, double half_error) {
  std::vector<std::int64_t> ranks(n);
  std::iota(ranks.begin(), ranks.end(), std::int64_t{1});
  const std::vector<double> probability = sign_distribution(ranks);
  Cut cut;
  while (cut.tail + probability[cut.count] <= half_error) cut.tail += probability[cut.count++];
  return cut;
}

Cut normal_cut(std::size_t size, double half_error) {
  const auto n = static_cast<double>(size);
  const double centre = n * (n + 1.0) / 4.0;
  const double deviation = std::sqrt(n * (n + 1.0) * (2.0 * n + 1.0) / 24.0);
  const boost::math::normal standard;
  const double place = std::floor(centre + boost::math::quantile(standard, half_error) * deviation + 0.5);
  if (place < 1.0) return {};
  return {static_cast<std::size_t>(place), boost::math::cdf(standard, (place - 0.5 - centre) / deviation)};
}

Result<void> check(std::span<const double> differences, double level) {
  if (differences.empty()) return fail(ErrorKind::bad_input, "there are no differences");
  if (differences.size() > kLargest) return fail(ErrorKind::bad_input, "more than 4,000 differences");
  if (!(level > 0.0 && level < 1.0)) return fail(ErrorKind::bad_input, "the level is not between 0 and 1");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  bool up = false;
  bool down = false;
  for (const double difference : differences) {
    if (std::isnan(difference)) return fail(ErrorKind::bad_input, "a difference is not a number");
    up = up || difference == kInfinity;
    down = down || difference == -kInfinity;
  }
  if (up && down) return fail(ErrorKind::bad_input, "infinities of both signs have no mean");
  return {};
}

}  // namespace

Result<Location> hodges_lehmann(std::span<const double> differences, double level) {
  if (const auto checked = check(differences, level); !checked) return tl::unexpected(checked.error());
  const std::vector<double> averages = sorted_walsh_averages(differences);
  const std::size_t count = averages.size();
  Location location;
  location.estimate = std::midpoint(averages[(count - 1) / 2], averages[count / 2]);

  const std::size_t n = differences.size();
  const bool exact = n <= static_cast<std::size_t>(SignedRank::kExactLimit);
  const double half_error = (1.0 - level) / 2.0;
  const Cut cut = exact ? exact_cut(n, half_error) : normal_cut(n, half_error);
  if (cut.count > 0) {
    location.interval = Interval{averages[cut.count - 1], averages[count - cut.count], 1.0 - 2.0 * cut.tail, exact};
  }
  return location;
}

}  // namespace wattle::stats
