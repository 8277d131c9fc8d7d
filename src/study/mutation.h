// Mutation operators: from a rule and a parameter's default to the values that mutants take.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "study/study.h"

namespace wattle::study {

[[nodiscard]] std::string_view to_string(MutationOperator op);  // "scale", "log_scale", "values", "step"
[[nodiscard]] std::optional<MutationOperator> mutation_operator(std::string_view name);

struct Mutant {
  std::size_t rule = 0;  // index into the rules
  Value value;
};

// Why a rule cannot yield its mutants for a workload.
struct RuleFailure {
  std::size_t rule = 0;
  std::optional<std::size_t> element;  // of `values`, where one of them is to blame
  std::string message;
  std::string suggestion;
};

struct Mutants {
  std::vector<Mutant> mutants;  // in rule order
  std::vector<RuleFailure> failures;
};

// Draws a workload's mutants. Values have the parameter's type, lie in its domain, differ from the default and from
// each other across all rules of the parameter. scale draws uniformly and log_scale log-uniformly in range × default;
// whole numbers are drawn as such, reals are rounded to three significant digits. values are taken in order, step goes
// default + step, default − step, default + 2 steps…
//
// A rule draws from a generator seeded by study seed, workload, parameter, operator and its place among the parameter's
// rules of that operator: rules of other parameters, rules added after it, and more mutants asked of it change nothing
// that it drew. Values listed in `values` rules are kept free of other rules' draws.
[[nodiscard]] Mutants draw_mutants(std::uint64_t study_seed, const Workload& workload,
                                   const std::vector<MutationRule>& rules);

}  // namespace wattle::study
