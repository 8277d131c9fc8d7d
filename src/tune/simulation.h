// Studies whose truth is known, to see how often decisions are false and how soon they come: for the tests and for
// bench/sequential_bench.cc. Noise is of a run's logarithm of cost and of its metric; the spread of a pair's difference
// is the scenario's, whatever the shape.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "tune/decision.h"

namespace wattle::tune {

enum class Noise {
  normal,
  log_normal,   // log-normal with sigma 1, of both runs: pairs are symmetric with heavy tails
  skewed,       // log-normal with sigma 0.25 of the mutant alone, so that pairs have a skewness of 0.8
  very_skewed,  // the same with sigma 1: a skewness of 6
  bimodal,      // one run in five is slow by 2.5 spreads of a run
  drift,        // AR(1), rho 0.9, from run to run in random order, a random walk by block, and own noise
  ties,         // normal, rounded to a half of the pair's spread
};

struct Scenario {
  Noise noise = Noise::normal;
  int mutants = 1;
  double log_ratio = 0.0;          // true, of every mutant's cost
  double spread = 0.10;            // standard deviation of a pair's log-ratio
  double metric_difference = 0.0;  // true, in tolerances, more is better
  double metric_spread = 1.0;      // of a pair, in tolerances
  double failure_rate = 0.0;       // of each mutant's runs
  int min = 8;
  int max = 30;
};

struct SimulatedStudy {
  std::vector<Decision> decisions;  // by mutant
  int runs = 0;
};

// Noise with a mean of 0, run by run.
class NoiseSource {
 public:
  NoiseSource(Noise noise, double pair_spread)
      : noise_(noise), pair_(pair_spread), run_(pair_spread / std::sqrt(2.0)) {}

  // One block: the original's first. Runs are made in random order.
  std::vector<double> block(int runs, std::mt19937_64& random) {
    std::vector<double> values(static_cast<std::size_t>(runs));
    std::vector<std::size_t> order(values.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    walk_ += pair_ * normal_(random);
    for (const std::size_t place : order) values[place] = one(place == 0, random);
    return values;
  }

 private:
  // Of mean 0 and standard deviation 1.
  static double log_normal(double z, double sigma) {
    const double variance = sigma * sigma;
    return (std::exp(sigma * z) - std::exp(variance / 2.0)) / std::sqrt(std::expm1(variance) * std::exp(variance));
  }

  double one(bool original, std::mt19937_64& random) {
    const double z = normal_(random);
    switch (noise_) {
      case Noise::log_normal:
        return run_ * log_normal(z, 1.0);
      case Noise::skewed:
        return original ? 0.0 : pair_ * log_normal(z, 0.25);
      case Noise::very_skewed:
        return original ? 0.0 : pair_ * log_normal(z, 1.0);
      case Noise::bimodal:
        // The two modes have a variance of 0.2 · 0.8 · 2.5^2 = 1.
        return run_ * (2.5 * ((slow_(random) ? 1.0 : 0.0) - 0.2) + 0.1 * z) / std::sqrt(1.01);
      case Noise::drift:
        drift_ = 0.9 * drift_ + std::sqrt(1.0 - 0.81) * normal_(random);
        return walk_ + run_ * (drift_ + z) / std::sqrt(2.0);
      case Noise::ties:
        return std::round(run_ * z / (0.5 * pair_)) * 0.5 * pair_;
      case Noise::normal:
        break;
    }
    return run_ * z;
  }

  Noise noise_;
  double pair_;
  double run_;
  double drift_ = 0.0;
  double walk_ = 0.0;
  std::normal_distribution<double> normal_;
  std::bernoulli_distribution slow_{0.2};
};

inline SimulatedStudy simulate(const Scenario& scenario, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  NoiseSource cost(scenario.noise, scenario.spread);
  NoiseSource metric(scenario.noise, scenario.metric_spread);
  std::bernoulli_distribution fails(scenario.failure_rate);
  Rules rules;
  rules.mutants = scenario.mutants;
  rules.tolerance = 1.0;
  const auto mutants = static_cast<std::size_t>(scenario.mutants);
  std::vector<Evidence> evidence(mutants);
  std::vector<Judgement> judgements(mutants);
  SimulatedStudy study;
  const auto undecided = [](const Judgement& judgement) { return judgement.decision == Decision::undecided; };
  const auto open = [&] { return std::count_if(judgements.begin(), judgements.end(), undecided); };
  for (int block = 1; block <= scenario.max && open() > 0; ++block) {
    study.runs += 1 + static_cast<int>(open());
    const std::vector<double> costs = cost.block(scenario.mutants + 1, random);
    const std::vector<double> metrics = metric.block(scenario.mutants + 1, random);
    for (std::size_t i = 0; i < mutants; ++i) {
      const bool failed = fails(random);
      if (!undecided(judgements[i])) continue;
      ++evidence[i].pairs;
      evidence[i].failed += failed ? 1 : 0;
      if (!failed) {
        evidence[i].log_ratios.push_back(scenario.log_ratio + costs[i + 1] - costs[0]);
        // More is better: the skewed noise of the mutant has its long tail on the bad side.
        evidence[i].differences.push_back(scenario.metric_difference - (metrics[i + 1] - metrics[0]));
      }
    }
    if (block >= scenario.min) judge(evidence, rules, judgements);
  }
  for (const Judgement& judgement : judgements) study.decisions.push_back(judgement.decision);
  return study;
}

// Over many studies.
struct Tally {
  int studies = 0;
  int with_false = 0;        // some decision was false
  double decided_right = 0;  // part of all mutants
  double undecided = 0;      // part of all mutants
  double runs = 0;           // mean per study
};

// Whether the statement is true of the scenario's truth.
inline bool is_true(Decision decision, const Scenario& truth) {
  const bool fails_mostly = truth.failure_rate > 0.5;
  switch (decision) {
    case Decision::greener:
      return truth.log_ratio < 0.0 && truth.metric_difference >= -1.0 && !fails_mostly;
    case Decision::lossy:
      return truth.log_ratio > 0.0 || truth.metric_difference < -1.0 || fails_mostly;
    case Decision::same:
      return std::abs(std::expm1(truth.log_ratio)) <= Rules{}.margin;
    case Decision::undecided:
    case Decision::known:
      break;
  }
  return true;
}

inline Tally simulate_many(const Scenario& scenario, int studies, std::uint64_t seed) {
  Tally tally;
  tally.studies = studies;
  for (int i = 0; i < studies; ++i) {
    const SimulatedStudy study = simulate(scenario, seed + static_cast<std::uint64_t>(i));
    bool any_false = false;
    for (const Decision decision : study.decisions) {
      const bool right = is_true(decision, scenario);
      any_false = any_false || !right;
      if (decision == Decision::undecided) {
        tally.undecided += 1.0;
      } else if (right) {
        tally.decided_right += 1.0;
      }
    }
    tally.with_false += any_false ? 1 : 0;
    tally.runs += study.runs;
  }
  tally.decided_right /= static_cast<double>(studies) * scenario.mutants;
  tally.undecided /= static_cast<double>(studies) * scenario.mutants;
  tally.runs /= studies;
  return tally;
}

}  // namespace wattle::tune
