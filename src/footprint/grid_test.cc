#include "footprint/grid.h"

#include <gtest/gtest.h>

#include <set>

namespace wattle::footprint {
namespace {

TEST(Grid, a_kilowatt_hour_weighs_what_the_table_says) {
  const auto france = find_grid("fr");
  ASSERT_TRUE(france);
  EXPECT_EQ(france->name, "France");
  EXPECT_EQ(france->year, 2023);
  EXPECT_DOUBLE_EQ(grams_co2e(Joules{3.6e6}, *france), 56.0);
}

TEST(Grid, a_country_that_is_not_listed_has_no_factor) {
  EXPECT_FALSE(find_grid("XX"));
  EXPECT_FALSE(find_grid(""));
  EXPECT_FALSE(find_grid("France"));
}

TEST(Grid, each_country_stands_once_with_a_factor_that_can_be) {
  std::set<std::string_view> seen;
  for (const Grid& grid : grids()) {
    EXPECT_TRUE(seen.insert(grid.country).second) << grid.country;
    EXPECT_GT(grid.grams_per_kwh, 10.0);
    EXPECT_LT(grid.grams_per_kwh, 1100.0) << "coal alone";
  }
  EXPECT_TRUE(seen.contains("WORLD"));
}

}  // namespace
}  // namespace wattle::footprint
