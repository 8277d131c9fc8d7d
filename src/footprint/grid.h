// Greenhouse gas of electricity: location-based averages of a country's grid, the only kind of factor used here.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace wattle::footprint {

// What generating a kWh emitted on average, CO2 equivalents over the life cycle of the plants. A year's mean of a whole
// country: an hour there, or a marginal kWh, may be several times more or less.
struct Grid {
  std::string_view country;  // ISO 3166-1 alpha-2; "WORLD" for the world
  std::string_view name;
  double grams_per_kwh = 0.0;
  int year = 0;
};
inline constexpr std::string_view kGridSource = "Our World in Data, from Ember and Energy Institute (CC BY 4.0)";

[[nodiscard]] const std::vector<Grid>& grids();
// By its code, in any case; nothing where the table lacks it.
[[nodiscard]] std::optional<Grid> find_grid(std::string_view country);
// Grams of CO2e of electricity from this grid.
[[nodiscard]] double grams_co2e(Joules energy, const Grid& grid);

}  // namespace wattle::footprint
