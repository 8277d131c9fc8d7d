#include "footprint/grid.h"

#include <algorithm>
#include <cctype>

namespace wattle::footprint {
namespace {

constexpr int kYear = 2023;
constexpr double kJoulesPerKwh = 3.6e6;

bool same_code(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

}  // namespace

const std::vector<Grid>& grids() {
  static const std::vector<Grid> kGrids{
      {"AU", "Australia", 549, kYear},     {"BR", "Brazil", 98, kYear},          {"CA", "Canada", 170, kYear},
      {"CH", "Switzerland", 35, kYear},    {"CN", "China", 582, kYear},          {"DE", "Germany", 381, kYear},
      {"DK", "Denmark", 152, kYear},       {"ES", "Spain", 174, kYear},          {"FI", "Finland", 79, kYear},
      {"FR", "France", 56, kYear},         {"GB", "United Kingdom", 238, kYear}, {"IE", "Ireland", 291, kYear},
      {"IN", "India", 713, kYear},         {"IT", "Italy", 331, kYear},          {"JP", "Japan", 485, kYear},
      {"KR", "South Korea", 431, kYear},   {"NL", "Netherlands", 268, kYear},    {"NO", "Norway", 30, kYear},
      {"PL", "Poland", 662, kYear},        {"SE", "Sweden", 41, kYear},          {"SG", "Singapore", 471, kYear},
      {"US", "United States", 369, kYear}, {"ZA", "South Africa", 708, kYear},   {"WORLD", "the world", 481, kYear}};
  return kGrids;
}

std::optional<Grid> find_grid(std::string_view country) {
  const auto found =
      std::find_if(grids().begin(), grids().end(), [&](const Grid& grid) { return same_code(grid.country, country); });
  if (found == grids().end()) return std::nullopt;
  return *found;
}

double grams_co2e(Joules energy, const Grid& grid) { return energy.value / kJoulesPerKwh * grid.grams_per_kwh; }

}  // namespace wattle::footprint
