#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "study/design.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

using Kind = DesignRule::Kind;

constexpr std::size_t kMostFactors = 64;
constexpr std::int64_t kMostSampled = 10'000;
constexpr std::int64_t kMostGridPoints = 1'000;
constexpr double kLargest = 1e150;  // beyond it the width of a range overflows

struct ReadDesign {
  DesignRule rule;
  const toml::table* table = nullptr;
  const toml::table* parameters = nullptr;
};

std::string example_of(Kind kind) {
  switch (kind) {
    case Kind::sweep:
      return "parameters = { batch_size = [32, 64] }";
    case Kind::sample:
      return R"(parameters = { learning_rate = { low = 0.001, high = 0.1, scale = "log" } })";
    case Kind::configuration:
      break;
  }
  return "parameters = { batch_size = 32 }";
}

// A text, number or truth that can be put on a command line; what cannot has been reported.
std::optional<Value> read_value(const std::string& name, const toml::node& node, Mistakes& mistakes) {
  auto value = value_of(node);
  const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
  if (!value) {
    mistakes.add(position_of(node), fmt::format("{} cannot be {}", code(name), kind_of(node)));
  } else if (text != nullptr && text->find('\0') != std::string::npos) {
    mistakes.add(position_of(node), fmt::format("{} holds a NUL byte", code(name)));
    return std::nullopt;
  }
  return value;
}

bool read_list(const toml::array& list, Factor& factor, Mistakes& mistakes) {
  if (list.empty()) mistakes.add(position_of(list), fmt::format("{} has no values", code(factor.parameter)));
  for (const toml::node& node : list) {
    if (auto value = read_value(factor.parameter, node, mistakes)) factor.values.push_back(std::move(*value));
  }
  return !list.empty() && factor.values.size() == list.size();
}

// The points of a sweep's range are counted out here, a sample's range is drawn from later.
bool read_range(const toml::table& table, Kind kind, bool whole, Factor& factor, Mistakes& mistakes) {
  const std::size_t before = mistakes.count();
  Section section(table, fmt::format("the range of {}", code(factor.parameter)), mistakes);
  section.require("low", "for example low = 0.001");
  section.require("high", "for example high = 0.1");
  const auto low = section.finite("low");
  const auto high = section.finite("high");
  factor.logarithmic = section.word("scale", {"linear", "log"}) == "log";
  std::optional<std::int64_t> points;
  if (kind == Kind::sweep) {
    section.require("points", "how many values, for example points = 3");
    points = section.integer("points", 2, kMostGridPoints);
  }
  section.finish();
  if (!low || !high || mistakes.count() > before) return false;
  if (std::abs(*low) > kLargest || std::abs(*high) > kLargest) {
    section.complain(std::abs(*low) > kLargest ? "low" : "high", "the range goes beyond 1e150");
  } else if (*low >= *high) {
    section.complain("high", fmt::format("the range from {} to {} {}", shortest(*low), shortest(*high),
                                         *low == *high ? "is a single point" : "runs backwards"));
  } else if (factor.logarithmic && *low <= 0.0) {
    section.complain("low", fmt::format("a logarithmic range begins above 0, not at {}", shortest(*low)));
  }
  factor.low = *low;
  factor.high = *high;
  if (mistakes.count() > before) return false;
  if (points) factor.values = grid(factor, static_cast<int>(*points), whole);
  return true;
}

bool is_whole(const std::string& parameter, const DesignRule& rule, const std::vector<ReadWorkload>& workloads) {
  return std::any_of(workloads.begin(), workloads.end(), [&](const ReadWorkload& read) {
    const auto& parameters = read.workload.parameters;
    return std::count(rule.workloads.begin(), rule.workloads.end(), read.workload.name) > 0 &&
           std::any_of(parameters.begin(), parameters.end(),
                       [&](const Parameter& p) { return p.name == parameter && p.type == ParameterType::integer; });
  });
}

bool read_factor(const toml::node& node, const std::vector<ReadWorkload>& workloads, DesignRule& rule, Factor& factor,
                 Mistakes& mistakes) {
  if (rule.kind == Kind::configuration) {
    auto value = read_value(factor.parameter, node, mistakes);
    if (!value) return false;
    factor.values.push_back(std::move(*value));
    return true;
  }
  if (const auto* list = node.as_array()) return read_list(*list, factor, mistakes);
  if (const auto* table = node.as_table()) {
    return read_range(*table, rule.kind, is_whole(factor.parameter, rule, workloads), factor, mistakes);
  }
  const auto value = value_of(node);
  mistakes.add(position_of(node),
               fmt::format("{} must be a list of values or a range, not {}", code(factor.parameter), kind_of(node)),
               value && !node.is_string() ? fmt::format("write [{}]", to_text(*value)) : "");
  return false;
}

// In the file's order, not the alphabet's.
std::vector<std::pair<const toml::key*, const toml::node*>> entries_of(const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (auto&& [key, node] : table) entries.emplace_back(&key, &node);
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.first->source().begin < b.first->source().begin; });
  return entries;
}

bool knows_all(const ReadWorkload& read, const toml::table& parameters) {
  return std::all_of(parameters.begin(), parameters.end(),
                     [&](auto&& entry) { return may_know(read, std::string(entry.first.str())); });
}

// False where a workload is meant that lacks a parameter, or none has all; that has been reported.
bool read_targets(Section& section, ReadDesign& read, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes) {
  const auto named = read_workload_names(section, workloads, false, mistakes);
  if (named && named->empty()) return false;
  const std::size_t before = mistakes.count();
  for (const ReadWorkload& workload : workloads) {
    const bool meant = named && std::count(named->begin(), named->end(), workload.workload.name) > 0;
    if (!named && knows_all(workload, *read.parameters)) read.rule.workloads.push_back(workload.workload.name);
    if (!meant) continue;
    read.rule.workloads.push_back(workload.workload.name);
    for (auto&& [key, node] : *read.parameters) {
      if (may_know(workload, std::string(key.str()))) continue;
      mistakes.add(position_of(key),
                   fmt::format("workload {} has no parameter {}", code(workload.workload.name), code(key.str())),
                   did_you_mean(key.str(), parameters_of({workload})));
    }
  }
  if (!read.rule.workloads.empty() || workloads.empty()) return mistakes.count() == before;
  for (auto&& [key, node] : *read.parameters) {
    const std::string name(key.str());
    if (std::any_of(workloads.begin(), workloads.end(), [&](const auto& w) { return may_know(w, name); })) continue;
    mistakes.add(position_of(key), fmt::format("no workload has a parameter {}", code(name)),
                 did_you_mean(name, parameters_of(workloads)));
  }
  if (mistakes.count() == before) section.complain("parameters", "no workload has all of these parameters");
  return false;
}

void read_label(Section& section, const Study& study, DesignRule& rule) {
  rule.label = section.text("label").value_or("");
  if (rule.label.empty()) return;
  const bool control = std::any_of(rule.label.begin(), rule.label.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (control || rule.label.size() > 100) section.complain("label", "`label` must be one line of at most 100 bytes");
  if (rule.label == "original") section.complain("label", "`original` is the name of the defaults", "choose another");
  const bool twice = std::any_of(study.designs.begin(), study.designs.end(),
                                 [&](const DesignRule& other) { return other.label == rule.label; });
  if (twice) section.complain("label", fmt::format("two configurations are called {}", code(rule.label)));
}

// Keys beside `parameters` and `workloads`. False where one is missing or wrong.
bool read_own_keys(Section& section, const Study& study, DesignRule& rule) {
  if (rule.kind == Kind::configuration) read_label(section, study, rule);
  if (rule.kind != Kind::sample) return true;
  const auto method = section.word("method", {"latin_hypercube", "random"});
  rule.method = method == "random" ? SampleMethod::random : SampleMethod::latin_hypercube;
  section.require("count", "how many points, for example count = 20");
  const auto count = section.integer("count", 1, kMostSampled);
  rule.count = static_cast<int>(count.value_or(0));
  return count && (method || !section.has("method"));
}

// Nothing where the rule cannot be judged; what is wrong has been reported.
std::optional<ReadDesign> read_rule(const toml::table& table, Kind kind, const std::string& title, const Study& study,
                                    const std::vector<ReadWorkload>& workloads, Mistakes& mistakes) {
  Section section(table, title, mistakes);
  ReadDesign read;
  read.rule.kind = kind;
  read.table = &table;
  bool sound = read_own_keys(section, study, read.rule);
  section.require("parameters", "for example " + example_of(kind));
  read.parameters = section.table("parameters", example_of(kind));
  const std::size_t factors = read.parameters == nullptr ? 0 : read.parameters->size();
  if (read.parameters != nullptr && (factors == 0 || factors > kMostFactors)) {
    section.complain("parameters", factors == 0
                                       ? std::string("`parameters` is empty")
                                       : fmt::format("{} parameters; a design may have {}", factors, kMostFactors));
  }
  if (factors == 0 || factors > kMostFactors) {
    section.find("workloads");
    section.finish();
    return std::nullopt;
  }
  sound = read_targets(section, read, workloads, mistakes) && sound;
  for (const auto& [key, node] : entries_of(*read.parameters)) {
    Factor factor;
    factor.parameter = key->str();
    sound = read_factor(*node, workloads, read.rule, factor, mistakes) && sound;
    read.rule.factors.push_back(std::move(factor));
  }
  section.finish();
  if (!sound) return std::nullopt;
  return read;
}

Position blamed(const ReadDesign& read, const DesignFailure& failure) {
  if (!failure.factor) return position_of(*read.table->get("parameters"));
  const toml::node* node = read.parameters->get(read.rule.factors[*failure.factor].parameter);
  const toml::array* list = node->as_array();
  if (failure.element && list != nullptr && *failure.element < list->size()) {
    return position_of((*list)[*failure.element]);
  }
  return position_of(*node);
}

// Draws each workload's points once.
void check_points(const Study& study, const std::vector<ReadDesign>& designs,
                  const std::vector<ReadWorkload>& workloads, Mistakes& mistakes) {
  std::size_t points = 0;
  for (const ReadWorkload& read : workloads) {
    if (!read.usable || static_cast<std::int64_t>(points) > kMostPoints) continue;
    const Design drawn = draw_design(study.seed, read.workload, study.designs);
    points += drawn.points.size();
    for (const DesignFailure& failure : drawn.failures) {
      const ReadDesign& design = designs[failure.rule];
      if (failure.factor && !knows(read, design.rule.factors[*failure.factor].parameter)) continue;
      std::string message = failure.message;
      if (workloads.size() > 1) message += fmt::format(" (workload {})", code(read.workload.name));
      mistakes.add(blamed(design, failure), std::move(message), failure.suggestion);
    }
  }
  if (static_cast<std::int64_t>(points) > kMostPoints && mistakes.count() == 0) {
    mistakes.add({}, fmt::format("the designs have more than {} points together", kMostPoints), "ask for fewer");
  }
}

}  // namespace

void read_designs(Section& root, Study& study, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes) {
  std::vector<ReadDesign> designs;
  const auto read_all = [&](const char* key, Kind kind) {
    for (const toml::table* table : root.tables(key)) {
      auto read = read_rule(*table, kind, fmt::format("[[{}]]", key), study, workloads, mistakes);
      if (!read) continue;
      study.designs.push_back(read->rule);
      designs.push_back(std::move(*read));
    }
  };
  read_all("sweep", Kind::sweep);
  read_all("sample", Kind::sample);
  read_all("configuration", Kind::configuration);
  check_points(study, designs, workloads, mistakes);
}

}  // namespace wattle::study
