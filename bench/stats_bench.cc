// Statistics as a server for stats_peer.py, which asks it and SciPy in turn about the same numbers:
//
//   stats_bench FOLDER      reads FOLDER/CASE.f64 (little-endian doubles); a line "CASE ROWS COLUMNS" on standard input
//   is
//                           answered by "SECONDS CHECKSUM" on standard output
//
// One thread, CPU time, so that what else the machine does counts for neither side. The checksum is the sum of the
// answers, so that both sides are seen to say the same.
#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "stats/bootstrap.h"
#include "stats/effect_size.h"
#include "stats/kruskal_wallis.h"
#include "stats/signed_rank.h"

namespace wattle {
namespace {

using Row = std::span<const double>;

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "stats_bench: {}\n", why);
  std::exit(1);
}

// Exact two-sided p-values of n = columns differences.
double wilcoxon(Row row) { return stats::signed_rank(row)->p_value; }

// The two halves of a row against each other.
double cliffs_delta(Row row) { return *stats::cliffs_delta(row.first(row.size() / 2), row.subspan(row.size() / 2)); }

// Both bounds of the mean's BCa interval from 10,000 resamples. Another generator than NumPy's: they agree roughly.
double bca(Row row) {
  const auto found = stats::bootstrap_mean(row);
  return found->interval.low + found->interval.high;
}

// Eight partial sums, as NumPy's mean adds: one sum alone would wait for every addition.
double mean(Row values) {
  constexpr std::size_t kSums = 8;
  double sums[kSums] = {};
  std::size_t i = 0;
  for (; i + kSums <= values.size(); i += kSums) {
    for (std::size_t s = 0; s < kSums; ++s) sums[s] += values[i + s];
  }
  for (; i < values.size(); ++i) sums[i % kSums] += values[i];
  const double sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  return sum / static_cast<double>(values.size());
}

// The same by the general way, with any statistic.
double bca_general(Row row) {
  const auto found = stats::bootstrap(row, mean);
  return found->interval.low + found->interval.high;
}

// Three groups of a third of the row each.
double kruskal(Row row) {
  const std::size_t third = row.size() / 3;
  const std::span<const double> groups[] = {row.first(third), row.subspan(third, third), row.subspan(2 * third)};
  return stats::kruskal_wallis(groups)->p_value;
}

std::vector<double> numbers(const std::string& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) give_up("cannot read " + file);
  std::vector<double> values(static_cast<std::size_t>(stream.tellg()) / sizeof(double));
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(double)));
  return values;
}

void answer(const std::string& folder, const std::string& line) {
  static const std::map<std::string, double (*)(Row)> kCases{{"wilcoxon", wilcoxon},
                                                             {"cliffs_delta", cliffs_delta},
                                                             {"bca", bca},
                                                             {"bca_general", bca_general},
                                                             {"kruskal", kruskal}};
  std::istringstream words(line);
  std::string name;
  std::size_t rows = 0;
  std::size_t columns = 0;
  words >> name >> rows >> columns;
  const auto chosen = kCases.find(name);
  if (chosen == kCases.end()) give_up("unknown case " + name);
  const std::vector<double> values = numbers(folder + "/" + name + ".f64");
  if (values.size() != rows * columns) give_up(name + ": another number of values than was said");
  const std::clock_t start = std::clock();
  double sum = 0.0;
  for (std::size_t r = 0; r < rows; ++r) sum += chosen->second(Row(values).subspan(r * columns, columns));
  const double taken = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  fmt::print("{} {}\n", taken, sum);
  std::fflush(stdout);
}

}  // namespace
}  // namespace wattle

int main(int count, char** values) {
  if (count != 2) wattle::give_up("usage: stats_bench FOLDER; or bench/stats_peer.py, which starts it");
  for (std::string line; std::getline(std::cin, line);) wattle::answer(values[1], line);
}
