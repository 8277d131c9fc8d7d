#include "study/mutation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "base/text.h"
#include "study/random.h"

namespace wattle::study {
namespace {

constexpr std::array<std::pair<MutationOperator, std::string_view>, 4> kOperators{
    {{MutationOperator::scale, "scale"},
     {MutationOperator::log_scale, "log_scale"},
     {MutationOperator::values, "values"},
     {MutationOperator::step, "step"}}};

// Beyond this a double no longer holds every whole number.
constexpr double kLargestWhole = 9e15;
constexpr int kTriesPerMutant = 10'000;

double rounded(double value, int digits) {
  return parse_real(fmt::format("{:.{}e}", value, digits - 1)).value_or(value);
}

struct Range {
  double low = 0.0;
  double high = 0.0;
};

// Draws for one rule of one workload. `taken` holds the values that no rule may draw again, the default among them.
class Draw {
 public:
  Draw(const MutationRule& rule, const Parameter& parameter, std::set<Value>& taken, Random random)
      : rule_(rule), parameter_(parameter), taken_(taken), random_(random) {}

  std::vector<Value> values;
  std::string message;  // not empty: the rule failed
  std::string suggestion;
  std::optional<std::size_t> element;

  void run() {
    if (rule_.op == MutationOperator::values) return take_values();
    if (parameter_.type != ParameterType::integer && parameter_.type != ParameterType::real) {
      message = fmt::format("operator `{}` needs numbers, and `{}` is {}", to_string(rule_.op), parameter_.name,
                            to_string(parameter_.type));
      suggestion = "use operator `values`";
      return;
    }
    default_ = to_number(parameter_.default_value).value_or(0.0);
    if (rule_.op == MutationOperator::step) return take_steps();
    if (default_ == 0.0) {
      message = fmt::format("the default of `{}` is 0, and 0 times any factor is 0", parameter_.name);
      suggestion = "use operator `values` or `step`";
      return;
    }
    if (parameter_.type == ParameterType::integer) return draw_whole();
    draw_real();
  }

 private:
  void take(Value value) {
    taken_.insert(value);
    values.push_back(std::move(value));
  }
  [[nodiscard]] bool free(const Value& value) const {
    return !taken_.contains(value) && why_not(parameter_, value).empty();
  }
  [[nodiscard]] bool enough() const { return values.size() >= static_cast<std::size_t>(rule_.mutants); }

  void take_values() {
    for (std::size_t i = 0; i < rule_.values.size() && !enough(); ++i) {
      const Value value = coerced(parameter_, rule_.values[i]);
      const auto why = why_not(parameter_, value);
      if (!why.empty()) {
        message = fmt::format("`{}`: {}", parameter_.name, why);
        const auto* word = std::get_if<std::string>(&value);
        const auto meant = word == nullptr ? std::nullopt : nearest(*word, parameter_.choices);
        if (meant) suggestion = fmt::format("did you mean `{}`?", *meant);
      } else if (value == parameter_.default_value) {
        message = fmt::format("{} is the default of `{}`: the original has it", to_text(value), parameter_.name);
        suggestion = "leave it out";
      } else if (taken_.contains(value)) {
        message = fmt::format("{} stands among the values of `{}` already", to_text(value), parameter_.name);
        suggestion = "leave it out";
      }
      if (!message.empty()) {
        element = i;
        return;
      }
      take(value);
    }
  }

  void take_steps() {
    const bool whole = parameter_.type == ParameterType::integer;
    if (whole && rule_.step != std::trunc(rule_.step)) {
      message = fmt::format("step {} of `{}` is not a whole number, and its values are", shortest(rule_.step),
                            parameter_.name);
      return;
    }
    // On one side at least each further step is a new value, so this many reach all that there are to take.
    const std::size_t most = taken_.size() + static_cast<std::size_t>(rule_.mutants);
    for (std::size_t k = 1; k <= most && !enough(); ++k) {
      for (const double side : {1.0, -1.0}) {
        const double number = default_ + side * static_cast<double>(k) * rule_.step;
        if (std::abs(number) > kLargestWhole && whole) continue;
        // Twelve digits: 0.1 + 2 × 0.1 is 0.3 to the person who wrote it.
        const Value value = whole ? Value(static_cast<std::int64_t>(number)) : Value(rounded(number, 12));
        if (!enough() && free(value)) take(value);
      }
    }
    if (enough()) return;
    message = fmt::format("steps of {} from the default {} give `{}` {} new {}, not {}", shortest(rule_.step),
                          to_text(parameter_.default_value), parameter_.name, values.size(),
                          values.size() == 1 ? "value" : "values", rule_.mutants);
    suggestion = "take smaller steps or fewer mutants";
  }

  // range × default, in ascending order also where the default is negative, cut to the parameter's domain.
  [[nodiscard]] Range bounds() const {
    Range range{std::min(rule_.low * default_, rule_.high * default_),
                std::max(rule_.low * default_, rule_.high * default_)};
    if (parameter_.minimum) range.low = std::max(range.low, *parameter_.minimum);
    if (parameter_.maximum) range.high = std::min(range.high, *parameter_.maximum);
    return range;
  }

  [[nodiscard]] double drawn(const Range& range) {
    if (rule_.op == MutationOperator::scale) return range.low + random_.unit() * (range.high - range.low);
    const double sign = default_ < 0.0 ? -1.0 : 1.0;
    const double low = std::log(std::abs(range.low));
    const double high = std::log(std::abs(range.high));
    return sign * std::exp(low + random_.unit() * (high - low));
  }

  void draw_whole() {
    Range range = bounds();
    range = {std::clamp(std::ceil(range.low), -kLargestWhole, kLargestWhole),
             std::clamp(std::floor(range.high), -kLargestWhole, kLargestWhole)};
    const auto low = static_cast<std::int64_t>(range.low);
    const auto high = static_cast<std::int64_t>(range.high);
    const auto gone = std::count_if(taken_.begin(), taken_.end(), [&](const Value& value) {
      const auto* whole = std::get_if<std::int64_t>(&value);
      return whole != nullptr && *whole >= low && *whole <= high;
    });
    const std::int64_t left = range.low > range.high ? 0 : high - low + 1 - gone;
    if (left < rule_.mutants) return range_is_too_narrow(left);
    while (!enough()) take(one_whole(range, low, high));
  }

  // Draws until a free one comes; where nearly all are taken, the first free one from below. There is one.
  [[nodiscard]] Value one_whole(const Range& range, std::int64_t low, std::int64_t high) {
    for (int attempt = 0; attempt < kTriesPerMutant; ++attempt) {
      const Value value =
          rule_.op == MutationOperator::scale
              ? low + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(high - low) + 1))
              : std::llround(drawn(range));
      if (std::get<std::int64_t>(value) >= low && std::get<std::int64_t>(value) <= high && free(value)) return value;
    }
    std::int64_t candidate = low;
    while (!free(candidate)) ++candidate;
    return candidate;
  }

  void draw_real() {
    const Range range = bounds();
    int tries = kTriesPerMutant * (range.low > range.high ? 0 : 1);
    while (!enough() && tries-- > 0) {
      const Value value = rounded(drawn(range), 3);
      if (std::get<double>(value) < range.low || std::get<double>(value) > range.high || !free(value)) continue;
      take(value);
      tries = kTriesPerMutant;
    }
    if (!enough()) range_is_too_narrow(static_cast<std::int64_t>(values.size()));
  }

  void range_is_too_narrow(std::int64_t left) {
    std::string noun = parameter_.type == ParameterType::integer ? "whole number" : "value";
    if (left > 1) noun += 's';
    if (parameter_.type == ParameterType::real) noun += " of three digits";
    message = fmt::format("range [{}, {}] of `{}` (default {}) holds {} other {}{}", shortest(rule_.low),
                          shortest(rule_.high), parameter_.name, to_text(parameter_.default_value),
                          left == 0 ? "no" : std::to_string(left), noun,
                          left == 0 ? "" : fmt::format(", not {}", rule_.mutants));
    suggestion = left == 0 ? "widen it or use `step`" : "widen it or ask for fewer mutants";
  }

  const MutationRule& rule_;
  const Parameter& parameter_;
  std::set<Value>& taken_;
  Random random_;
  double default_ = 0.0;
};

bool concerns(const MutationRule& rule, const std::string& workload) {
  return std::count(rule.workloads.begin(), rule.workloads.end(), workload) > 0;
}

}  // namespace

std::string_view to_string(MutationOperator op) {
  const auto* found = std::find_if(kOperators.begin(), kOperators.end(), [&](const auto& e) { return e.first == op; });
  return found->second;
}

std::optional<MutationOperator> mutation_operator(std::string_view name) {
  for (const auto& [op, op_name] : kOperators) {
    if (op_name == name) return op;
  }
  return std::nullopt;
}

Mutants draw_mutants(std::uint64_t study_seed, const Workload& workload, const std::vector<MutationRule>& rules) {
  std::map<std::string, std::set<Value>> taken;                         // per parameter
  std::map<std::pair<std::string, MutationOperator>, int> occurrences;  // rules seen
  std::map<std::size_t, std::vector<Value>> by_rule;
  Mutants result;
  const auto draw = [&](std::size_t index) {
    const MutationRule& rule = rules[index];
    const auto parameter = std::find_if(workload.parameters.begin(), workload.parameters.end(),
                                        [&](const Parameter& p) { return p.name == rule.parameter; });
    if (!concerns(rule, workload.name)) return;
    if (parameter == workload.parameters.end()) {
      result.failures.push_back(
          {index, std::nullopt, fmt::format("workload `{}` has no parameter `{}`", workload.name, rule.parameter), {}});
      return;
    }
    const int occurrence = ++occurrences[{rule.parameter, rule.op}];
    taken[rule.parameter].insert(parameter->default_value);
    Draw one(rule, *parameter, taken[rule.parameter],
             Random(derived_seed({"mutants", std::to_string(study_seed), workload.name, rule.parameter,
                                  to_string(rule.op), std::to_string(occurrence)})));
    one.run();
    if (!one.message.empty()) result.failures.push_back({index, one.element, one.message, one.suggestion});
    by_rule[index] = std::move(one.values);
  };
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].op == MutationOperator::values) draw(i);
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].op != MutationOperator::values) draw(i);
  }
  for (auto& [index, values] : by_rule) {
    for (Value& value : values) result.mutants.push_back({index, std::move(value)});
  }
  return result;
}

}  // namespace wattle::study
