#include "importers/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/text.h"
#include "importers/sheet.h"
#include "record/until_epoch.h"

namespace wattle::importers {
namespace {

using record::Record;
using Place = std::pair<std::string, std::string>;  // workload, environment

Place place_of(const Draft& draft) { return {draft.workload, draft.environment.name}; }

std::string assignment_text(const study::Assignment& assignment) {
  std::string text;
  for (const auto& [name, value] : assignment) {
    text += fmt::format("{}\x1f{}\x1f{}\x1e", name, value.index(), study::to_text(value));
  }
  return text;
}

std::string configuration_id(const Draft& draft) {
  const std::string cap = draft.environment.power_cap ? shortest(draft.environment.power_cap->value) : "";
  return sha256(fmt::format("imported\x1d{}\x1d{}\x1d{}\x1d{}", draft.workload, assignment_text(draft.hyperparameters),
                            draft.environment.name, cap))
      .substr(0, 12);
}

std::vector<std::string> differing(const study::Assignment& original, const study::Assignment& other) {
  std::set<std::string> names;
  for (const auto& [name, value] : original) {
    const auto found = other.find(name);
    if (found == other.end() || found->second != value) names.insert(name);
  }
  for (const auto& [name, value] : other) {
    if (original.count(name) == 0) names.insert(name);
  }
  return {names.begin(), names.end()};
}

std::string label_of(const study::Assignment& assignment, const std::vector<std::string>& varied) {
  std::vector<std::string> words;
  for (const std::string& name : varied) {
    const auto found = assignment.find(name);
    words.push_back(name + " " + (found == assignment.end() ? std::string("not told") : study::to_text(found->second)));
  }
  return join(words, ", ");
}

// --- Energy ----------------------------------------------------------------------------------------------------------

record::Total total_over(const std::vector<Part>& parts, const std::vector<std::size_t>& cover, const char* nothing) {
  record::Total total;
  if (cover.empty()) {
    total.why_absent = nothing;
    return total;
  }
  double sum = 0.0;
  for (const std::size_t i : cover) sum += parts[i].energy->value;
  if (sum > kMostJoules) {
    total.why_absent = "the domains add up to more than can be kept";
    return total;
  }
  total.energy = Microjoules{};
  total.coverage = 1.0;
  for (const std::size_t i : cover) {
    *total.energy += to_microjoules(*parts[i].energy);
    total.uncertainty = std::max(total.uncertainty, parts[i].domain.gain_uncertainty);
  }
  return total;
}

// From the begin to the end of each epoch, as runs of one's own have them.
void add_epochs(const Draft& draft, Record& record) {
  for (const EpochEnd& end : draft.epochs) {
    const Nanoseconds until = end.until ? to_nanoseconds(*end.until) : Nanoseconds{};
    record::MeasuredWindow window{
        {energy::WindowKind::phase, record::kUntilEpoch, end.epoch, Nanoseconds{}, until}, {}, {}};
    for (const Part& part : draft.parts) {
      energy::WindowEnergy energy;
      if (end.energy) {
        energy = {to_microjoules(*end.energy), {}, 1.0, part.domain.gain_uncertainty};
      } else {
        energy.why_absent = "the epoch's row tells no energy";
      }
      window.energies.push_back(std::move(energy));
    }
    record.windows.push_back(std::move(window));
  }
}

void take_energy(const Draft& draft, Record& record) {
  if (draft.metered) {
    record.domains = draft.metered->domains;
    record.windows = draft.metered->windows;
    record.measured = draft.metered->measured;
    record.estimated = draft.metered->estimated;
    record.missing_domains = draft.metered->missing_domains;
    return;
  }
  const Nanoseconds length = draft.duration ? to_nanoseconds(*draft.duration) : Nanoseconds{};
  record::MeasuredWindow run{{energy::WindowKind::run, "run", std::nullopt, Nanoseconds{}, length}, {}, {}};
  std::vector<energy::Series> series;
  std::string why = "no energy in the file";
  for (const Part& part : draft.parts) {
    record.domains.push_back(part.domain);
    energy::WindowEnergy energy;
    if (part.energy) {
      energy = {to_microjoules(*part.energy), {}, 1.0, part.domain.gain_uncertainty};
    } else {
      energy.why_absent = why = part.why_absent;
      record.missing_domains.push_back(part.domain.name + ": " + part.why_absent);
    }
    run.energies.push_back(std::move(energy));
    series.push_back({.domain = part.domain, .samples = {}});
    if (part.energy) series.back().samples.resize(2);
  }
  record.windows.push_back(std::move(run));
  add_epochs(draft, record);
  const energy::Cover cover = energy::cover(series);
  record.measured = total_over(draft.parts, cover.measured, "no energy measured by a counter or from power is told");
  record.estimated = total_over(draft.parts, cover.estimated, "no energy was estimated");
  if (cover.measured.empty() && cover.estimated.empty()) record.measured.why_absent = why;
}

// --- Identity --------------------------------------------------------------------------------------------------------

// Repetitions that are not told are counted; one that stands twice gets the next free number.
void number_blocks(std::vector<Draft>& drafts, std::vector<std::string>& notes) {
  std::map<std::string, std::set<int>> taken;
  int again = 0;
  for (Draft& draft : drafts) {
    if (draft.block > 0 && !taken[configuration_id(draft)].insert(draft.block).second) draft.block = 0, ++again;
  }
  for (Draft& draft : drafts) {
    if (draft.block > 0) continue;
    std::set<int>& used = taken[configuration_id(draft)];
    draft.block = 1;
    while (!used.insert(draft.block).second) ++draft.block;
  }
  if (again > 0)
    notes.push_back(fmt::format("{} runs have a repetition number that was there already: counted on", again));
}

struct Originals {
  std::map<Place, study::Assignment> settings;
  std::map<std::tuple<std::string, std::string, int>, std::string> keys;
  std::set<std::string> environments;
};

study::Configuration configuration_of(const Draft& draft, const Originals& originals) {
  study::Configuration configuration;
  configuration.id = configuration_id(draft);
  configuration.workload = draft.workload;
  configuration.hyperparameters = draft.hyperparameters;
  configuration.environment = draft.environment;
  const auto original = originals.settings.find(place_of(draft));
  if (original != originals.settings.end()) {
    configuration.varied = differing(original->second, draft.hyperparameters);
  } else if (!draft.original) {
    for (const auto& [name, value] : draft.hyperparameters) configuration.varied.push_back(name);
  }
  configuration.label = configuration.original() ? "original"
                        : draft.label.empty()    ? label_of(draft.hyperparameters, configuration.varied)
                                                 : draft.label;
  if (originals.environments.size() > 1) configuration.label += " @" + draft.environment.name;  // as in a plan
  if (!configuration.original()) configuration.mutation = "stated";
  return configuration;
}

Record record_of(const Request& request, const Draft& draft, const Originals& originals) {
  Record record;
  record.request.study = request.study;
  record.request.workload_version = "imported";
  record.request.configuration = configuration_of(draft, originals);
  record.request.block = draft.block;
  record.request.arguments = {"wattle", "import", "--format", request.format, draft.file};
  record.request.metric = draft.metric;
  record.request.metric.tolerance = request.tolerance;
  record.request.metric.source = study::MetricSource::csv_file;
  for (const study::OutlierRule& rule : request.outliers) {
    const auto& named = rule.workloads;
    if (named.empty() || std::find(named.begin(), named.end(), draft.workload) != named.end()) {
      record.request.protocol.outliers.push_back(rule);
      if (named.empty()) record.request.protocol.outliers.back().workloads = {draft.workload};
    }
  }
  record.end = draft.end;
  record.reason = draft.reason;
  record.started_wall = draft.started_wall;
  if (draft.duration) record.duration = to_nanoseconds(*draft.duration);
  record.metrics = draft.metrics;
  record.measures = draft.measures;
  take_energy(draft, record);
  record.missing_domains.insert(record.missing_domains.end(), draft.missing.begin(), draft.missing.end());
  record.flags = draft.flags;
  record.fingerprint = draft.fingerprint;
  record.fingerprint[kImported] = fmt::format("{} {}", request.format, draft.file);
  return record;
}

Result<void> rules_fit(const Request& request, const std::vector<Draft>& drafts) {
  std::set<std::string> workloads;
  std::set<std::string> measures{"energy", "time"};
  for (const Draft& draft : drafts) {
    workloads.insert(draft.workload);
    measures.insert(draft.metric.name);
    for (const energy::Measure& measure : draft.measures) measures.insert(measure.name);
  }
  const auto known = [](const std::string& name, const char* what, const std::set<std::string>& there) -> Result<void> {
    if (there.count(name) > 0) return {};
    const std::vector<std::string> names(there.begin(), there.end());
    const auto meant = nearest(name, names);
    return fail(
        ErrorKind::bad_input, fmt::format("--outlier: no {} `{}` in what is imported", what, excerpt(name)),
        meant ? fmt::format("did you mean `{}`?", printable(*meant)) : "there are " + printable(join(names, ", ")));
  };
  for (const study::OutlierRule& rule : request.outliers) {
    if (const auto fits = known(rule.measure, "measure", measures); !fits) return fits;
    for (const std::string& workload : rule.workloads) {
      if (const auto fits = known(workload, "workload", workloads); !fits) return fits;
    }
  }
  return {};
}

}  // namespace

void add_metric(Draft& draft, const char* name, std::optional<double> value, record::Split split) {
  if (value) draft.metrics.push_back({name, split, std::nullopt, *value, std::nullopt});
}

void add_mean(Draft& draft, const char* name, const char* unit, std::optional<double> mean, std::int64_t readings) {
  if (mean) {
    draft.measures.push_back(
        {.name = name, .unit = unit, .mean = *mean, .maximum = energy::kNotTold, .readings = readings});
  }
}

Result<Imported> finish(const Request& request, Intake intake) {
  if (const auto fit = rules_fit(request, intake.drafts); !fit) return tl::unexpected(fit.error());
  Imported imported;
  imported.study = request.study;
  imported.mistakes = std::move(intake.mistakes);
  imported.rows_left_out = intake.bad_rows;
  imported.notes = std::move(intake.notes);
  if (!imported.mistakes.empty() && !request.skip_bad) return imported;

  number_blocks(intake.drafts, imported.notes);
  Originals originals;
  for (const Draft& draft : intake.drafts) {
    originals.environments.insert(draft.environment.name);
    if (draft.original) originals.settings.emplace(place_of(draft), draft.hyperparameters);
  }
  std::map<std::string, int> seen;  // runs whose content is the same to the last byte
  for (Draft& draft : intake.drafts) {
    record::Attempt attempt;
    attempt.record = record_of(request, draft, originals);
    study::RunRequest& run = attempt.record.request;
    const std::string identity = fmt::format("{}\x1d{}\x1d{}", request.format, request.study, draft.identity);
    run.key = sha256(fmt::format("{}\x1d{}", identity, ++seen[identity]));
    run.order = static_cast<int>(imported.attempts.size()) + 1;
    attempt.trace = std::move(draft.trace);
    attempt.telemetry = std::move(draft.telemetry);
    if (run.configuration.original()) {
      originals.keys.emplace(std::tuple(draft.workload, draft.environment.name, draft.block), run.key);
    }
    imported.attempts.push_back(std::move(attempt));
  }
  for (record::Attempt& attempt : imported.attempts) {
    study::RunRequest& run = attempt.record.request;
    const study::Configuration& of = run.configuration;
    const auto original = originals.keys.find(std::tuple(of.workload, of.environment.name, run.block));
    run.pair_key = original == originals.keys.end() ? run.key : original->second;
  }
  return imported;
}

}  // namespace wattle::importers
