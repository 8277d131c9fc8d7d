#include "cli/stats_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <iterator>
#include <map>

#include "base/text.h"

namespace wattle::cli {
namespace {

bool missing(const std::string& text) {
  return text.empty() || text == "NA" || text == "NaN" || text == "nan" || text == "NAN";
}

// Names in the order in which they come.
std::size_t place_of(const std::string& name, std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  names.push_back(name);
  return names.size() - 1;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back("`" + printable(name) + "`");
  if (quoted.size() > 8) quoted.resize(8), quoted.emplace_back("…");
  return join(quoted, ", ");
}

Result<TwoSamples> only_two(std::vector<Group> groups) {
  if (groups.size() == 2) return TwoSamples{std::move(groups[0]), std::move(groups[1])};
  if (groups.empty()) return fail(ErrorKind::bad_input, "no row has a value and a group: there is nothing to test");
  std::vector<std::string> names;
  for (const Group& group : groups) names.push_back(group.name);
  if (groups.size() == 1) {
    return fail(ErrorKind::bad_input,
                fmt::format("all values are of one group, {}, and this test takes two", quoted_list(names)),
                "--by names the column that tells groups apart");
  }
  return fail(ErrorKind::bad_input,
              fmt::format("{} groups, this test takes two: {}", groups.size(), quoted_list(names)),
              "name two of them, as in --groups A,B; or ask kruskal-wallis about all");
}

}  // namespace

Result<StatsData> StatsData::read(const StatsRequest& request, std::vector<std::string>& notes) {
  if (request.data.empty()) {
    return fail(ErrorKind::bad_input, fmt::format("{} needs --data FILE", request.test),
                "a CSV with a first line of column names, or `-` for standard input");
  }
  std::string text;
  if (request.data == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  } else {
    auto read = read_text(request.data);
    if (!read) return tl::unexpected(read.error());
    text = std::move(*read);
  }
  auto table = parse_csv(text, request.data == "-" ? "stdin" : request.data);
  if (!table) return tl::unexpected(table.error());
  return StatsData(request, std::move(*table), notes);
}

tl::unexpected<Error> StatsData::at(const CsvCell& cell, const std::string& what, std::string hint) const {
  const std::string file = request_.data == "-" ? "stdin" : request_.data;
  return fail(ErrorKind::bad_input, fmt::format("{}:{}:{}: {}", file, cell.line, cell.column, what), std::move(hint));
}

Result<std::size_t> StatsData::column(const std::string& name, const char* option) const {
  if (name.empty()) {
    return fail(ErrorKind::bad_input, fmt::format("{} needs {} COLUMN", request_.test, option),
                fmt::format("{} has {}", request_.data, quoted_list(table_.columns)));
  }
  const auto found = std::find(table_.columns.begin(), table_.columns.end(), name);
  if (found != table_.columns.end()) return static_cast<std::size_t>(found - table_.columns.begin());
  const auto meant = nearest(name, table_.columns);
  return fail(ErrorKind::bad_input, fmt::format("{}: no column `{}`", request_.data, printable(name)),
              meant ? fmt::format("did you mean `{}`?", printable(*meant))
                    : fmt::format("there are {}", quoted_list(table_.columns)));
}

Result<std::optional<double>> StatsData::number(const CsvCell& cell, Infinite infinite) const {
  if (missing(cell.text)) return std::optional<double>();
  const auto value = parse_real(cell.text);
  if (!value) {
    return at(cell, fmt::format("`{}` is not a number", printable(cell.text)),
              "numbers look like 12.5 or 1.3e-4; an empty cell, NA or NaN is missing");
  }
  if (std::isnan(*value)) return std::optional<double>();
  if (std::isinf(*value) && infinite == Infinite::refused) {
    return at(cell, fmt::format("an infinite value, and {} needs finite ones", request_.test),
              "tests of ranks take infinite values: wilcoxon, mann-whitney, kruskal-wallis, cliffs-delta, spearman");
  }
  return value;
}

void StatsData::dropped(std::size_t rows, const std::string& why) {
  if (rows > 0) notes_.push_back(fmt::format("left out {} {}: {}", rows, rows == 1 ? "row" : "rows", why));
}

Result<std::vector<double>> StatsData::values(const std::string& name, Infinite infinite) {
  const auto place = column(name, "--value");
  if (!place) return tl::unexpected(place.error());
  std::vector<double> found;
  for (const auto& row : table_.rows) {
    const auto value = number(row[*place], infinite);
    if (!value) return tl::unexpected(value.error());
    if (*value) found.push_back(**value);
  }
  dropped(table_.rows.size() - found.size(), fmt::format("no {}", printable(name)));
  return found;
}

Result<std::vector<Group>> StatsData::groups(Infinite infinite) {
  const auto value_place = column(request_.value, "--value");
  if (!value_place) return tl::unexpected(value_place.error());
  const auto by_place = column(request_.by.empty() ? "" : request_.by.front(), "--by");
  if (!by_place) return tl::unexpected(by_place.error());
  std::vector<std::string> names = request_.groups;
  std::vector<Group> found;
  for (const std::string& name : names) found.push_back({name, {}});
  std::size_t lacking = 0;
  std::size_t unnamed = 0;
  std::size_t others = 0;
  for (const auto& row : table_.rows) {
    const auto value = number(row[*value_place], infinite);
    if (!value) return tl::unexpected(value.error());
    const std::string& name = row[*by_place].text;
    const bool wanted = request_.groups.empty() || std::find(names.begin(), names.end(), name) != names.end();
    if (missing(name)) {
      ++unnamed;
    } else if (!wanted) {
      ++others;
    } else if (!*value) {
      ++lacking;
    } else {
      const std::size_t place = place_of(name, names);
      if (place == found.size()) found.push_back({name, {}});
      found[place].values.push_back(**value);
    }
  }
  dropped(lacking, fmt::format("no {}", printable(request_.value)));
  dropped(unnamed, fmt::format("no {}", printable(request_.by.front())));
  dropped(others, "of other groups");
  for (const Group& group : found) {
    if (!group.values.empty()) continue;
    return fail(ErrorKind::bad_input,
                fmt::format("no row has `{}` in `{}`", printable(group.name), printable(request_.by.front())),
                "--groups takes values of that column, separated by commas");
  }
  return found;
}

Result<TwoSamples> StatsData::two_samples(Infinite infinite) {
  if (request_.x.empty() && request_.y.empty()) {
    auto found = groups(infinite);
    if (!found) return tl::unexpected(found.error());
    return only_two(std::move(*found));
  }
  for (const auto& [name, option] : {std::pair(&request_.x, "--x"), {&request_.y, "--y"}}) {
    if (const auto place = column(*name, option); !place) return tl::unexpected(place.error());
  }
  auto x = values(request_.x, infinite);
  if (!x) return tl::unexpected(x.error());
  auto y = values(request_.y, infinite);
  if (!y) return tl::unexpected(y.error());
  return TwoSamples{{request_.x, std::move(*x)}, {request_.y, std::move(*y)}};
}

Result<TwoSamples> StatsData::pairs(Infinite infinite) {
  if (request_.pair.empty()) {
    const auto x = column(request_.x, "--x");
    if (!x) return tl::unexpected(x.error());
    const auto y = column(request_.y, "--y");
    if (!y) return tl::unexpected(y.error());
    TwoSamples found{{request_.x, {}}, {request_.y, {}}};
    for (const auto& row : table_.rows) {
      const auto left = number(row[*x], infinite);
      if (!left) return tl::unexpected(left.error());
      const auto right = number(row[*y], infinite);
      if (!right) return tl::unexpected(right.error());
      if (!*left || !*right) continue;
      found.x.values.push_back(**left);
      found.y.values.push_back(**right);
    }
    dropped(table_.rows.size() - found.x.values.size(), "one of the two is missing");
    return found;
  }

  auto sides = groups(infinite);  // also: are they two?
  if (!sides) return tl::unexpected(sides.error());
  const auto two = only_two(std::move(*sides));
  if (!two) return tl::unexpected(two.error());
  const auto value_place = column(request_.value, "--value");
  const auto by_place = column(request_.by.front(), "--by");
  const auto pair_place = column(request_.pair, "--pair");
  if (!pair_place) return tl::unexpected(pair_place.error());
  std::map<std::string, std::array<std::optional<double>, 2>> joined;
  std::vector<std::string> order;
  for (const auto& row : table_.rows) {
    const std::string& side = row[*by_place].text;
    const std::string& key = row[*pair_place].text;
    const auto value = number(row[*value_place], infinite);
    if (!value || !*value || (side != two->x.name && side != two->y.name)) continue;
    if (missing(key)) return at(row[*pair_place], fmt::format("no `{}`: it belongs to no pair", request_.pair));
    auto& slot = joined[key][side == two->x.name ? 0 : 1];
    if (slot) {
      return at(row[*pair_place], fmt::format("pair `{}` has a second value of `{}`", printable(key), printable(side)),
                "a pair is one value of each group: give --pair a column that tells repetitions apart");
    }
    slot = **value;
    if (!(joined[key][0] && joined[key][1])) order.push_back(key);
  }
  TwoSamples found{{two->x.name, {}}, {two->y.name, {}}};
  std::size_t alone = 0;
  for (const std::string& key : order) {
    const auto& [x, y] = joined[key];
    alone += static_cast<std::size_t>(!x || !y);
    if (!x || !y) continue;
    found.x.values.push_back(*x);
    found.y.values.push_back(*y);
  }
  if (alone > 0) notes_.push_back(fmt::format("left out {} pairs: one of the two is missing", alone));
  return found;
}

Result<std::vector<std::pair<std::string, std::vector<stats::Lifetime>>>> StatsData::lifetimes() {
  const auto time_place = column(request_.value, "--value");
  if (!time_place) return tl::unexpected(time_place.error());
  const auto event_place = column(request_.event, "--event");
  if (!event_place) return tl::unexpected(event_place.error());
  std::optional<std::size_t> by;
  if (!request_.by.empty()) {
    const auto by_place = column(request_.by.front(), "--by");
    if (!by_place) return tl::unexpected(by_place.error());
    by = *by_place;
  }
  std::vector<std::string> names = request_.groups;
  std::vector<std::pair<std::string, std::vector<stats::Lifetime>>> found;
  for (const std::string& name : names) found.push_back({name, {}});
  std::size_t lacking = 0;
  for (const auto& row : table_.rows) {
    const auto time = number(row[*time_place], Infinite::refused);
    if (!time) return tl::unexpected(time.error());
    const std::string& said = row[*event_place].text;
    const std::string name = by ? row[*by].text : "all";
    if (!*time || missing(said) || (by && missing(name))) {
      ++lacking;
      continue;
    }
    if (!request_.groups.empty() && std::find(names.begin(), names.end(), name) == names.end()) continue;
    const bool event = said == "1" || said == "true" || said == "True" || said == "yes" || said == "1.0";
    const bool censored = said == "0" || said == "false" || said == "False" || said == "no" || said == "0.0";
    if (!event && !censored) {
      return at(row[*event_place], fmt::format("`{}` is neither 1 nor 0", printable(said)),
                "1, true or yes: the event came; 0, false or no: it had not come by then (censored)");
    }
    const std::size_t place = place_of(name, names);
    if (place == found.size()) found.push_back({name, {}});
    found[place].second.push_back({**time, event});
  }
  dropped(lacking, "time, event or group is missing");
  return found;
}

Result<StatsData::Crossed> StatsData::crossed() {
  if (request_.by.size() != 2) {
    return fail(ErrorKind::bad_input, "interaction needs two factors", "give --by COLUMN twice");
  }
  const auto value_place = column(request_.value, "--value");
  if (!value_place) return tl::unexpected(value_place.error());
  const auto first = column(request_.by[0], "--by");
  if (!first) return tl::unexpected(first.error());
  const auto second = column(request_.by[1], "--by");
  if (!second) return tl::unexpected(second.error());
  Crossed found;
  for (const auto& row : table_.rows) {
    const auto value = number(row[*value_place], Infinite::refused);
    if (!value) return tl::unexpected(value.error());
    if (!*value || missing(row[*first].text) || missing(row[*second].text)) continue;
    found.values.push_back(**value);
    found.first.push_back(static_cast<int>(place_of(row[*first].text, found.first_names)));
    found.second.push_back(static_cast<int>(place_of(row[*second].text, found.second_names)));
  }
  dropped(table_.rows.size() - found.values.size(), "value or factor is missing");
  return found;
}

Result<StatsData::Matrix> StatsData::matrix(const std::vector<std::string>& columns) {
  std::vector<std::size_t> places;
  for (const std::string& name : columns) {
    const auto place = column(name, "--minimize or --maximize");
    if (!place) return tl::unexpected(place.error());
    places.push_back(*place);
  }
  Matrix found;
  for (std::size_t r = 0; r < table_.rows.size(); ++r) {
    std::vector<double> row;
    for (const std::size_t place : places) {
      const auto value = number(table_.rows[r][place], Infinite::ranked);
      if (!value) return tl::unexpected(value.error());
      if (*value) row.push_back(**value);
    }
    if (row.size() < places.size()) continue;
    found.values.insert(found.values.end(), row.begin(), row.end());
    found.lines.push_back(table_.rows[r][0].line);
    found.rows.push_back(r);
  }
  dropped(table_.rows.size() - found.rows.size(),
          columns.size() > 1 ? "an objective is missing" : "the value is missing");
  if (found.rows.empty()) {
    return fail(ErrorKind::bad_input, fmt::format("no row has a number in {}", quoted_list(columns)));
  }
  return found;
}

Result<std::vector<std::string>> StatsData::texts(const std::string& name, const std::vector<std::size_t>& rows) {
  const auto place = column(name, "--by");
  if (!place) return tl::unexpected(place.error());
  std::vector<std::string> found;
  for (const std::size_t row : rows) found.push_back(table_.rows[row][*place].text);
  return found;
}

}  // namespace wattle::cli
