#include "study/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "base/text.h"

namespace wattle::study {
namespace {

constexpr std::array<std::string_view, 4> kOfStudy{"name", "seed", "repetitions", "budget"};

std::optional<toml::table> read_toml(const std::string& text, const std::string& source) {
  try {
    toml::table table = toml::parse(text, source);
    if (table.size() == 1) return table;
  } catch (const toml::parse_error&) {
  }
  return std::nullopt;
}

// The value as a table { value = … }, every node of which names the setting as where it came from.
std::optional<toml::table> parsed(const std::string& setting, std::string_view value) {
  const std::string source = "--set " + printable(setting);
  if (auto table = read_toml("value = " + std::string(value), source)) return table;
  toml::table text;
  text.insert("value", std::string(value));
  std::ostringstream written;
  written << text;
  return read_toml(written.str(), source);
}

void put(toml::table& table, const std::string& key, const toml::table& value) {
  value.get("value")->visit([&](const auto& node) { table.insert_or_assign(key, node); });
}

// The table at the path's end but one; made where there is none. Null where something else is in the way.
toml::table* table_at(toml::table& root, std::span<const std::string> path) {
  toml::table* table = &root;
  for (const std::string& step : path) {
    toml::node* next = table->get(step);
    if (next == nullptr) {
      table->insert(step, toml::table{});
      next = table->get(step);
    }
    table = next->as_table();
    if (table == nullptr) return nullptr;
  }
  return table;
}

// As the default of every workload that has this hyperparameter; of the built-in trainer's, reading tells what it
// lacks.
bool set_hyperparameter(toml::table& document, const std::string& name, const toml::table& value) {
  toml::table* workloads = document["workload"].as_table();
  if (workloads == nullptr) return false;
  bool found = false;
  for (auto&& [key, node] : *workloads) {
    toml::table* workload = node.as_table();
    if (workload == nullptr) continue;
    if (workload->contains("trainer")) {
      if (!workload->contains("defaults")) workload->insert("defaults", toml::table{});
      toml::table* defaults = (*workload)["defaults"].as_table();
      if (defaults == nullptr) continue;
      put(*defaults, name, value);
      found = true;
    } else if (toml::table* parameter = (*workload)["parameters"][name].as_table()) {
      put(*parameter, "default", value);
      found = true;
    }
  }
  return found;
}

}  // namespace

void apply(std::span<const std::string> settings, toml::table& document, Mistakes& mistakes) {
  for (const std::string& setting : settings) {
    const auto equals = setting.find('=');
    const std::string key(trim(std::string_view(setting).substr(0, equals)));
    const auto complain = [&](std::string message, std::string suggestion) {
      mistakes.add({}, fmt::format("--set {}: {}", code(setting), message), std::move(suggestion));
    };
    if (equals == std::string::npos || key.empty() || key.starts_with('.') || key.ends_with('.')) {
      complain("it must be KEY=VALUE", "for example --set repetitions=3 or --set protocol.cool_down=10s");
      continue;
    }
    const auto value = parsed(setting, trim(std::string_view(setting).substr(equals + 1)));
    if (!value) {
      complain("the value cannot be read", "it is a value as in the file");
      continue;
    }
    std::vector<std::string> path = split(key, '.');
    const bool of_study = std::find(kOfStudy.begin(), kOfStudy.end(), path.front()) != kOfStudy.end();
    if (of_study && !document.contains(path.front())) path.insert(path.begin(), "study");
    if (path.size() == 1) {
      if (!set_hyperparameter(document, key, *value)) {
        complain(fmt::format("no workload has a hyperparameter {}", code(key)),
                 "a key of the file is given with its table: --set protocol.cool_down=10s");
      }
      continue;
    }
    toml::table* table = table_at(document, std::span(path).first(path.size() - 1));
    if (table == nullptr) {
      complain("its path leads through something that is no table", "");
      continue;
    }
    put(*table, path.back(), *value);
  }
}

}  // namespace wattle::study
