#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "study/mutation.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

constexpr std::int64_t kMostMutants = 10'000;

struct ReadRule {
  MutationRule rule;
  const toml::table* table = nullptr;
};

bool read_range(Section& section, MutationRule& rule) {
  if (section.require("range", "factors of the default: range = [0.5, 2.0]") == nullptr) return false;
  const toml::array* range = section.list("range", "range = [0.5, 2.0]");
  if (range == nullptr) return false;
  const auto factor = [&](std::size_t i) {
    const toml::node* node = range->get(i);
    return node != nullptr && node->is_number() ? node->value<double>() : std::nullopt;
  };
  const auto low = factor(0);
  const auto high = factor(1);
  if (range->size() != 2 || !low || !high || !std::isfinite(*low) || !std::isfinite(*high)) {
    section.complain("range", "`range` must hold two finite numbers, factors of the default", "for example [0.5, 2.0]");
    return false;
  }
  const std::string shown = fmt::format("range [{}, {}]", shortest(*low), shortest(*high));
  if (*low < 0.0 || (rule.op == MutationOperator::log_scale && *low == 0.0)) {
    section.complain("range", fmt::format("{} of operator `{}` must {}", shown, to_string(rule.op),
                                          *low < 0.0 ? "not be negative" : "begin above 0"));
    return false;
  }
  if (*low >= *high) {
    section.complain("range", fmt::format("{} {}", shown, *low == *high ? "is a single point" : "runs backwards"),
                     *low == *high ? "widen it" : fmt::format("write [{}, {}]", shortest(*high), shortest(*low)));
    return false;
  }
  rule.low = *low;
  rule.high = *high;
  return true;
}

bool read_values(Section& section, MutationRule& rule, Mistakes& mistakes) {
  if (section.require("values", "for example values = [32, 128]") == nullptr) return false;
  const toml::array* values = section.list("values", "values = [32, 128]");
  if (values == nullptr) return false;
  if (values->empty()) section.complain("values", "`values` is empty");
  for (const toml::node& node : *values) {
    const auto value = value_of(node);
    const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
    if (!value) {
      mistakes.add(position_of(node), fmt::format("`values` cannot hold {}", kind_of(node)));
      return false;
    }
    if (text != nullptr && text->find('\0') != std::string::npos) {
      mistakes.add(position_of(node), "`values` holds a NUL byte");
      return false;
    }
    rule.values.push_back(*value);
  }
  return !values->empty();
}

// The keys that the operator takes; the others' are refused by name.
bool read_operands(Section& section, MutationRule& rule, Mistakes& mistakes) {
  std::string_view mine = "range";
  bool sound = true;
  if (rule.op == MutationOperator::values) {
    mine = "values";
    sound = read_values(section, rule, mistakes);
  } else if (rule.op == MutationOperator::step) {
    mine = "step";
    sound = section.require("step", "for example step = 1") != nullptr;
    if (const auto step = section.positive("step")) {
      rule.step = *step;
    } else {
      sound = false;
    }
  } else {
    sound = read_range(section, rule);
  }
  for (const char* key : {"range", "values", "step"}) {
    if (key == mine || section.find(key) == nullptr) continue;
    section.complain(key, fmt::format("operator `{}` takes `{}`, not `{}`", to_string(rule.op), mine, key));
  }
  return sound;
}

// Sound exactly when it named workloads; a mistake has been reported otherwise, or stands elsewhere.
bool read_targets(Section& section, MutationRule& rule, const std::vector<ReadWorkload>& workloads,
                  Mistakes& mistakes) {
  std::vector<std::string> names;
  for (const ReadWorkload& read : workloads) names.push_back(read.workload.name);
  const toml::node* node = section.find("workload");
  if (node == nullptr) {
    for (const ReadWorkload& read : workloads) {
      if (may_know(read, rule.parameter)) rule.workloads.push_back(read.workload.name);
    }
    if (rule.workloads.empty() && !workloads.empty()) {
      section.complain("parameter", fmt::format("no workload has a parameter {}", code(rule.parameter)),
                       did_you_mean(rule.parameter, parameters_of(workloads)));
    }
    return !rule.workloads.empty();
  }
  if (node->is_string()) {
    rule.workloads.push_back(node->as_string()->get());
  } else {
    rule.workloads = section.texts("workload", R"(workload = "name" or ["a", "b"])");
    if (node->is_array() && node->as_array()->empty()) section.complain("workload", "`workload` is empty");
  }
  bool sound = !rule.workloads.empty();
  for (std::size_t i = 0; i < rule.workloads.size(); ++i) {
    const std::string& name = rule.workloads[i];
    const auto found = std::find_if(workloads.begin(), workloads.end(),
                                    [&](const ReadWorkload& read) { return read.workload.name == name; });
    std::string message;
    std::string suggestion;
    if (found == workloads.end()) {
      message = fmt::format("there is no workload {}", code(name));
      suggestion = did_you_mean(name, names);
    } else if (!may_know(*found, rule.parameter)) {
      message = fmt::format("workload {} has no parameter {}", code(name), code(rule.parameter));
      suggestion = did_you_mean(rule.parameter, parameters_of({*found}));
    } else if (std::count(rule.workloads.begin(), rule.workloads.begin() + static_cast<std::ptrdiff_t>(i), name) > 0) {
      message = fmt::format("workload {} is named twice", code(name));
    }
    if (message.empty()) continue;
    sound = false;
    mistakes.add(section.position("workload"), std::move(message), std::move(suggestion));
  }
  return sound;
}

void read_count(Section& section, MutationRule& rule) {
  const bool listed = rule.op == MutationOperator::values;
  rule.mutants = listed ? static_cast<int>(rule.values.size()) : 1;
  const auto mutants = section.integer("mutants", 1, kMostMutants);
  if (!mutants) return;
  if (listed && *mutants > rule.mutants) {
    section.complain("mutants", fmt::format("{} mutants are asked for, but `values` holds {}", *mutants, rule.mutants));
  }
  rule.mutants = static_cast<int>(*mutants);
}

std::string inferred_operator(const Section& section) {
  if (section.has("values")) return R"(write operator = "values")";
  if (section.has("step")) return R"(write operator = "step")";
  return R"("scale", "log_scale", "values" or "step")";
}

// Nothing where the rule cannot be judged; what is wrong has been reported.
std::optional<ReadRule> read_rule(const toml::table& table, const std::vector<ReadWorkload>& workloads,
                                  Mistakes& mistakes) {
  Section section(table, "[[mutate]]", mistakes);
  ReadRule read{{}, &table};
  bool sound = section.require("parameter", R"(for example parameter = "learning_rate")") != nullptr;
  read.rule.parameter = section.text("parameter").value_or("");
  sound = sound && !read.rule.parameter.empty();
  section.require("operator", inferred_operator(section));
  const auto op = section.word("operator", {"scale", "log_scale", "values", "step"});
  if (op) {
    read.rule.op = *mutation_operator(*op);
    sound = read_operands(section, read.rule, mistakes) && sound;
  } else {
    sound = false;
    for (const char* key : {"range", "values", "step"}) section.find(key);
  }
  if (!read.rule.parameter.empty()) {
    sound = read_targets(section, read.rule, workloads, mistakes) && sound;
  } else {
    section.find("workload");
  }
  read_count(section, read.rule);
  section.finish();
  if (!sound) return std::nullopt;
  return read;
}

Position blamed(const ReadRule& read, const RuleFailure& failure) {
  static constexpr std::string_view kOperand[] = {"range", "range", "values", "step"};
  const toml::node* operand = read.table->get(kOperand[static_cast<std::size_t>(read.rule.op)]);
  if (failure.element && operand->as_array() != nullptr) return position_of((*operand->as_array())[*failure.element]);
  return position_of(*operand);
}

}  // namespace

void read_mutations(const toml::node& node, Study& study, const std::vector<ReadWorkload>& workloads,
                    Mistakes& mistakes) {
  const toml::array* entries = node.as_array();
  if (entries == nullptr) {
    mistakes.add(position_of(node), fmt::format("`mutate` must be a list of tables, not {}", kind_of(node)),
                 "write [[mutate]], with two brackets");
    return;
  }
  std::vector<ReadRule> rules;
  for (const toml::node& entry : *entries) {
    if (!entry.is_table()) {
      mistakes.add(position_of(entry), fmt::format("`mutate` holds {}, but takes tables", kind_of(entry)));
    } else if (auto rule = read_rule(*entry.as_table(), workloads, mistakes)) {
      rules.push_back(std::move(*rule));
    }
  }
  for (const ReadRule& read : rules) study.mutations.push_back(read.rule);
  for (const ReadWorkload& read : workloads) {
    if (!read.usable) continue;
    for (const RuleFailure& failure : draw_mutants(study.seed, read.workload, study.mutations).failures) {
      const ReadRule& rule = rules[failure.rule];
      if (!knows(read, rule.rule.parameter)) continue;
      std::string message = failure.message;
      if (workloads.size() > 1) message += fmt::format(" (workload {})", code(read.workload.name));
      mistakes.add(blamed(rule, failure), std::move(message), failure.suggestion);
    }
  }
}

}  // namespace wattle::study
