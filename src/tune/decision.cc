#include "tune/decision.h"

#include <algorithm>
#include <cmath>

#include "stats/sequential.h"

namespace wattle::tune {
namespace {

double number(const Result<double>& log_e) { return log_e ? std::exp(std::min(*log_e, 690.0)) : 1.0; }

double e_value(const std::vector<double>& values, double null_mean, stats::Alternative alternative) {
  return number(stats::log_e_value(values, {null_mean, alternative, stats::kEffectVariance}));
}

// Shares of alpha.
constexpr double kGreener = 0.5;
constexpr double kLossy = 0.4 / 3.0;  // of each way to be lossy
constexpr double kSame = 0.1;
constexpr double kKnown = 0.5;

Judgement weigh(const Evidence& evidence, const Rules& rules) {
  Judgement judgement;
  judgement.less = e_value(evidence.log_ratios, 0.0, stats::Alternative::less);
  judgement.more = e_value(evidence.log_ratios, 0.0, stats::Alternative::greater);
  if (rules.tolerance > 0.0) {
    judgement.noninferior = e_value(evidence.differences, -rules.tolerance, stats::Alternative::greater);
    judgement.worse = e_value(evidence.differences, -rules.tolerance, stats::Alternative::less);
  }
  judgement.failing = number(stats::log_e_majority(evidence.failed, evidence.pairs));
  judgement.lasting = number(stats::log_e_majority(evidence.pairs - evidence.failed, evidence.pairs));
  const double error = rules.alpha * (rules.until_decided ? kSame : kKnown) / std::max(1, rules.mutants);
  const auto interval = stats::confidence_sequence(evidence.log_ratios, 1.0 - error);
  if (interval && std::isfinite(interval->low) && std::isfinite(interval->high)) {
    judgement.low = std::exp(interval->low);
    judgement.high = std::exp(interval->high);
  }
  return judgement;
}

Decision known_well_enough(const Judgement& judgement, const Rules& rules) {
  if (judgement.failing >= judgement.lossy_bar) return Decision::lossy;
  const bool known = rules.precision && judgement.low && (*judgement.high - *judgement.low) / 2.0 <= *rules.precision;
  return known ? Decision::known : Decision::undecided;
}

Decision decided(const Judgement& judgement, const Rules& rules) {
  if (std::max({judgement.more, judgement.worse, judgement.failing}) >= judgement.lossy_bar) return Decision::lossy;
  if (std::min({judgement.less, judgement.noninferior, judgement.lasting}) >= judgement.greener_bar) {
    return Decision::greener;
  }
  const bool within = judgement.low && *judgement.low >= 1.0 - rules.margin && *judgement.high <= 1.0 + rules.margin;
  return within ? Decision::same : Decision::undecided;
}

// Mutants less those of whom this is said already.
double remaining(std::span<const Judgement> judgements, const Rules& rules, Decision decision) {
  const auto said = std::count_if(judgements.begin(), judgements.end(),
                                  [&](const Judgement& judgement) { return judgement.decision == decision; });
  return std::max(1.0, rules.mutants - static_cast<double>(said));
}

void set_bars(Judgement& judgement, std::span<const Judgement> judgements, const Rules& rules) {
  judgement.greener_bar = remaining(judgements, rules, Decision::greener) / (kGreener * rules.alpha);
  judgement.lossy_bar = rules.until_decided ? remaining(judgements, rules, Decision::lossy) / (kLossy * rules.alpha)
                                            : std::max(1, rules.mutants) / (kKnown * rules.alpha);
}

}  // namespace

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::greener:
      return "greener";
    case Decision::lossy:
      return "lossy";
    case Decision::same:
      return "same";
    case Decision::known:
      return "known";
    case Decision::undecided:
      break;
  }
  return "undecided";
}

void judge(std::span<const Evidence> evidence, const Rules& rules, std::span<Judgement> judgements) {
  const auto open = [](const Judgement& judgement) { return judgement.decision == Decision::undecided; };
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    if (open(judgements[i])) judgements[i] = weigh(evidence[i], rules);
  }
  // Every decision may lower the bar of the others.
  for (bool changed = true; changed;) {
    changed = false;
    for (Judgement& judgement : judgements) {
      if (!open(judgement)) continue;
      set_bars(judgement, judgements, rules);
      judgement.decision = rules.until_decided ? decided(judgement, rules) : known_well_enough(judgement, rules);
      changed = changed || !open(judgement);
    }
  }
}

}  // namespace wattle::tune
