#include "meter/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "base/text.h"
#include "meter/one_off.h"
#include "stats/hodges_lehmann.h"
#include "stats/signed_rank.h"

namespace wattle::meter {
namespace {

class Contest {
 public:
  Contest(const std::vector<std::vector<std::string>>& commands, const CompareOptions& options, Clock& clock,
          const std::stop_token& stop)
      : options_(options), clock_(clock), stop_(stop), random_(options.seed) {
    for (const auto& arguments : commands) {
      contestants_.push_back({arguments, shell_quoted(arguments), {}, {}, false, {}});
    }
  }

  [[nodiscard]] Result<void> round(bool counts) {
    std::vector<std::size_t> order(contestants_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    // std::shuffle differs between libraries; the seed must mean the same everywhere.
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_() % i]);
    for (const std::size_t index : order) {
      if (auto done = run(contestants_[index], counts); !done) return done;
    }
    return {};
  }

  [[nodiscard]] std::vector<Contestant> take() { return std::move(contestants_); }

 private:
  [[nodiscard]] Result<void> run(Contestant& contestant, bool counts) {
    OneOff what;
    what.arguments = contestant.arguments;
    what.interval = options_.interval;
    run::RunnerOptions runner = options_.runner;
    runner.streams = options_.show_output ? run::Streams::inherited : run::Streams::captured;
    const auto attempt = run_one_off(what, runner, clock_, stop_);
    if (!attempt) return tl::unexpected(attempt.error());
    const record::Record& record = attempt->record;
    if (stop_.stop_requested()) return fail(ErrorKind::interrupted, "interrupted");
    if (!record::successful(record.end) || !record.duration) {
      return fail(ErrorKind::failed, fmt::format("{}: {}", contestant.label, record.reason),
                  "a comparison needs commands that succeed; nothing was concluded");
    }
    if (!counts) return {};
    const auto energy = record::run_energy(record);
    contestant.duration_s.push_back(to_seconds(*record.duration).value);
    contestant.energy_j.push_back(energy ? std::optional<double>(energy->energy.value) : std::nullopt);
    contestant.estimated |= energy && energy->estimated;
    if (!energy && contestant.why_absent.empty()) {
      const bool measures = std::any_of(record.domains.begin(), record.domains.end(), [](const energy::Domain& domain) {
        return energy::measured(domain.provenance);
      });
      contestant.why_absent = measures ? record.measured.why_absent : record.estimated.why_absent;
    }
    return {};
  }

  const CompareOptions& options_;
  Clock& clock_;
  const std::stop_token& stop_;
  std::mt19937_64 random_;
  std::vector<Contestant> contestants_;
};

std::vector<std::optional<double>> known(const std::vector<double>& values) { return {values.begin(), values.end()}; }

}  // namespace

std::optional<PairedRatio> paired_ratio(const std::vector<std::optional<double>>& a,
                                        const std::vector<std::optional<double>>& b) {
  std::vector<double> differences;
  std::vector<double> firsts;
  std::vector<double> seconds;
  double less = 0.0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!a[i] || !b[i] || !(*a[i] > 0.0) || !(*b[i] > 0.0)) continue;
    differences.push_back(std::log(*b[i] / *a[i]));
    firsts.push_back(*a[i]);
    seconds.push_back(*b[i]);
    less += *b[i] < *a[i] ? 1.0 : *b[i] == *a[i] ? 0.5 : 0.0;
  }
  if (differences.empty()) return std::nullopt;
  const auto location = stats::hodges_lehmann(differences);
  const auto test = stats::signed_rank(differences);
  const auto delta = stats::cliffs_delta(seconds, firsts);
  if (!location || !test || !delta) return std::nullopt;
  PairedRatio ratio;
  ratio.pairs = static_cast<int>(differences.size());
  ratio.ratio = std::exp(location->estimate);
  if (location->interval) {
    ratio.low = std::exp(location->interval->low);
    ratio.high = std::exp(location->interval->high);
  }
  ratio.p_value = test->p_value;
  ratio.cliffs_delta = *delta;
  ratio.probability_less = less / static_cast<double>(differences.size());
  return ratio;
}

Result<Comparison> compare(const std::vector<std::vector<std::string>>& commands, const CompareOptions& options,
                           Clock& clock, const std::stop_token& stop, const OnRound& on_round) {
  Contest contest(commands, options, clock, stop);
  const int all = options.warm_ups + options.runs;
  for (int round = 0; round < all; ++round) {
    if (auto done = contest.round(round >= options.warm_ups); !done) return tl::unexpected(done.error());
    if (on_round) on_round(round + 1, all);
  }
  Comparison comparison;
  comparison.commands = contest.take();
  const Contestant& first = comparison.commands.front();
  for (std::size_t i = 1; i < comparison.commands.size(); ++i) {
    const Contestant& other = comparison.commands[i];
    // A measured joule against an estimated one says nothing.
    const bool alike = first.estimated == other.estimated;
    comparison.energy.push_back(alike ? paired_ratio(first.energy_j, other.energy_j) : std::nullopt);
    comparison.time.push_back(paired_ratio(known(first.duration_s), known(other.duration_s)));
  }
  return comparison;
}

}  // namespace wattle::meter
