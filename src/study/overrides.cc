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

// A value that the command line gives. toml++ keeps where a node came from when it is moved, not when it is copied: so
// it is read anew for every place that it goes to.
class Given {
 public:
  Given(const std::string& setting, std::string_view value) : source_("--set " + printable(setting)) {
    text_ = "value = " + std::string(value);
    if (read_toml(text_, source_)) return;
    toml::table as_text;
    as_text.insert("value", std::string(value));
    std::ostringstream written;
    written << as_text;
    text_ = written.str();
  }

  [[nodiscard]] bool readable() const { return read_toml(text_, source_).has_value(); }
  void put(toml::table& table, const std::string& key) const {
    auto read = read_toml(text_, source_);
    if (!read) return;
    read->get("value")->visit([&](auto&& node) { table.insert_or_assign(key, std::move(node)); });
  }

 private:
  std::string source_;
  std::string text_;
};

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
bool set_hyperparameter(toml::table& document, const std::string& name, const Given& value) {
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
      value.put(*defaults, name);
      found = true;
    } else if (toml::table* parameter = (*workload)["parameters"][name].as_table()) {
      value.put(*parameter, "default");
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
    const Given value(setting, trim(std::string_view(setting).substr(equals + 1)));
    if (!value.readable()) {
      complain("the value cannot be read", "it is a value as in the file");
      continue;
    }
    std::vector<std::string> path = split(key, '.');
    const bool of_study = std::find(kOfStudy.begin(), kOfStudy.end(), path.front()) != kOfStudy.end();
    if (of_study && !document.contains(path.front())) path.insert(path.begin(), "study");
    if (path.size() == 1) {
      if (!set_hyperparameter(document, key, value)) {
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
    value.put(*table, path.back());
  }
}

}  // namespace wattle::study
