// Reading the cases that tests/reference wrote, and comparing with them. For tests.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "stats/alternative.h"

namespace wattle::stats::reference {

using Json = nlohmann::json;
using Sample = std::vector<double>;

inline constexpr double kRelative = 1e-9;

inline const std::map<std::string, Alternative> kAlternatives = {
    {"two_sided", Alternative::two_sided}, {"greater", Alternative::greater}, {"less", Alternative::less}};

// Relative, however small: a p-value of 1e-48 too. What is 0 may be a rounding of numbers near 1.
inline void expect_same(double ours, double theirs, double relative = kRelative) {
  EXPECT_NEAR(ours, theirs, theirs == 0.0 ? 1e-14 : relative * std::abs(theirs));
}

// Calls the check on every case of a kind; a kind without cases is a failure, not a pass.
template <class Check>
void for_each(const char* file, const std::string& kind, std::size_t at_least, Check check) {
  std::ifstream stream(file);
  const Json all = Json::parse(stream);
  std::size_t number = 0;
  for (const Json& one : all.at("cases")) {
    if (one.at("kind") != kind) continue;
    SCOPED_TRACE(kind + " case " + std::to_string(number++) + ", " + one.at("source").get<std::string>());
    check(one, one.at("answer"));
  }
  EXPECT_GE(number, at_least) << kind;
}

}  // namespace wattle::stats::reference
