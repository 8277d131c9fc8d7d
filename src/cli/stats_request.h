// What `wattle stats` was asked, what it answers, and the tests it knows. The tests' files are stats_*.cc.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "stats/alternative.h"

namespace wattle::cli {

// Every option of the command line; what a test does not name in `options` is refused before it runs.
struct StatsRequest {
  std::string test;
  std::string data;  // file, or "-"
  std::string value;
  std::vector<std::string> by;  // one column, for `interaction` two
  std::string pair;
  std::string x;
  std::string y;
  std::string event;
  std::vector<std::string> groups;    // values of --by, in the order that is wanted
  std::vector<std::string> minimize;  // columns of `pareto`
  std::vector<std::string> maximize;
  std::vector<double> reference;
  std::string alternative = "two-sided";
  std::string method;  // empty: the test's own choice
  std::string statistic = "mean";
  std::string better = "higher";
  std::optional<double> margin;
  std::optional<double> horizon;
  double shift = 0.0;
  double resolution = 0.0;
  double level = 0.95;
  double alpha = 0.05;
  double power = 0.8;
  std::optional<double> effect;
  std::optional<int> n;
  int resamples = 10'000;
  int permutations = 9'999;
  bool no_continuity = false;
  std::uint64_t seed = 0;

  [[nodiscard]] stats::Alternative asked() const {
    if (alternative == "greater") return stats::Alternative::greater;
    return alternative == "less" ? stats::Alternative::less : stats::Alternative::two_sided;
  }
  [[nodiscard]] stats::Method way() const {
    if (method == "exact") return stats::Method::exact;
    return method == "normal" ? stats::Method::normal : stats::Method::automatic;
  }
};

struct StatsAnswer {
  nlohmann::json json = nlohmann::json::object();
  std::vector<std::string> figures;  // lines for a person
  std::string sentence;              // what they mean
  std::string next;                  // a command that would go on from here, or empty
  std::vector<std::string> notes;    // what was dropped, and other warnings
};

struct StatsTest {
  const char* name;
  const char* what;
  const char* options;  // that it takes beside --data, without dashes, separated by blanks
  Result<StatsAnswer> (*run)(const StatsRequest&);
};

// Of stats_pairs.cc, stats_margins.cc, stats_groups.cc, stats_lifetimes.cc and stats_planning.cc.
[[nodiscard]] const std::vector<StatsTest>& pair_tests();
[[nodiscard]] const std::vector<StatsTest>& margin_tests();
[[nodiscard]] const std::vector<StatsTest>& group_tests();
[[nodiscard]] const std::vector<StatsTest>& lifetime_tests();
[[nodiscard]] const std::vector<StatsTest>& planning_tests();

// --- Words and keys that answers share ---------------------------------------------------------------------------

[[nodiscard]] std::string p_text(double p);          // "p = 0.0312"
[[nodiscard]] std::string figure(double value);      // four digits
[[nodiscard]] std::string against_chance(double p);  // what a p-value says of chance, as half a sentence
[[nodiscard]] nlohmann::json interval_json(const char* of, double low, double high, double level);
// `wattle stats TEST --data … --value … --by …` of the same data.
[[nodiscard]] std::string same_data(const StatsRequest& request, const std::string& test);

}  // namespace wattle::cli
