// Training alone and side by side (Wang et al., RQ3): the group's energy is measured, each member's part attributed.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "analysis/comparison.h"
#include "analysis/questions.h"
#include "analysis/runs.h"
#include "base/text.h"
#include "stats/descriptive.h"

namespace wattle::analysis {
namespace {

using record::Record;

// Runs of one configuration, by block.
using ByBlock = std::map<int, const Record*>;

struct Alone {
  std::string workload;
  std::string environment;
  study::Assignment hyperparameters;
  friend bool operator<(const Alone& a, const Alone& b) {
    return std::tie(a.workload, a.environment, a.hyperparameters) <
           std::tie(b.workload, b.environment, b.hyperparameters);
  }
};

Alone shape_of(const study::Configuration& configuration) {
  return {configuration.workload, configuration.environment.name, configuration.hyperparameters};
}

// Records of one launch of a group: its members by their place; a background partner may have several.
struct Launch {
  std::map<int, std::vector<const Record*>> members;
  [[nodiscard]] const Record& first() const { return *members.begin()->second.front(); }
  [[nodiscard]] const record::GroupShare& share() const { return *first().group; }
};

std::string name_of(const study::Configuration& configuration) {
  return configuration.workload + (configuration.original() ? "" : " " + configuration.label);
}

std::string mode_of(const study::Colocation& colocation) {
  return fmt::format("{}, cores {}", colocation.mode == study::GroupMode::together ? "together" : "in the background",
                     colocation.divided_cores ? "divided" : "shared");
}

// What makes launches repetitions of each other: members, mode, cores, environment.
struct Kind {
  std::string members;
  std::string mode;
  std::string environment;
  friend auto operator<=>(const Kind&, const Kind&) = default;
};

Kind kind_of(const Launch& launch) {
  std::vector<std::string> names;
  for (const auto& [member, records] : launch.members) names.push_back(name_of(records.front()->request.configuration));
  const study::Configuration& first = launch.first().request.configuration;
  return {join(names, " + "), mode_of(first.colocation), first.environment.name};
}

bool later(const Record& a, const Record& b) {
  return std::pair(a.attempt, a.started_wall.value) > std::pair(b.attempt, b.started_wall.value);
}

struct Sorted {
  std::map<Alone, ByBlock> alone;
  std::map<Kind, std::map<int, Launch>> groups;  // by block
  std::map<Kind, std::vector<std::string>> invalid;
};

Microjoules whole_of(const record::GroupShare& share) {
  const auto energy = share.measured.energy ? share.measured.energy : share.estimated.energy;
  return energy.value_or(Microjoules{});
}

// Of a group that was launched again only the last launch counts: members belong together where they overlap in time.
std::map<std::string, Launch> launches_of(std::span<const Record> records) {
  std::map<std::string, Launch> launches;
  for (const Record& record : records) {
    if (!record.group || !record::finished(record.end) || record.windows.empty()) continue;
    Launch& launch = launches[record.request.group];
    auto& same = launch.members[record.request.configuration.colocation.member];
    if (record.request.purpose == study::Purpose::partner) {
      same.push_back(&record);
    } else if (same.empty() || later(record, *same.front())) {
      same.assign(1, &record);
    }
  }
  for (auto& [group, launch] : launches) {
    const Microjoules whole = whole_of(launch.share());
    for (auto& [member, same] : launch.members) {
      std::erase_if(same, [&](const Record* one) { return whole_of(*one->group) != whole; });
    }
    std::erase_if(launch.members, [](const auto& member) { return member.second.empty(); });
  }
  return launches;
}

Sorted sort(std::span<const Record> records) {
  Sorted sorted;
  for (const Record& record : records) {
    const study::RunRequest& request = record.request;
    if (request.purpose != study::Purpose::score || !record::successful(record.end)) continue;
    if (!request.configuration.colocation.alone() || !record.duration) continue;
    const Record*& kept = sorted.alone[shape_of(request.configuration)][request.block];
    if (kept == nullptr || later(record, *kept)) kept = &record;
  }
  for (auto& [group, launch] : launches_of(records)) {
    const Kind kind = kind_of(launch);
    if (!launch.share().invalid.empty()) {
      sorted.invalid[kind].push_back(launch.share().invalid);
      continue;
    }
    sorted.groups[kind][launch.first().request.block] = std::move(launch);
  }
  return sorted;
}

double seconds_of(const Record& record) { return to_seconds(*record.duration).value; }

// From the first begin to the last end of all members, in seconds.
double span_of(const Launch& launch) {
  std::int64_t begin = launch.first().windows.front().window.begin.value;
  std::int64_t end = begin;
  for (const auto& [member, records] : launch.members) {
    for (const Record* record : records) {
      begin = std::min(begin, record->windows.front().window.begin.value);
      end = std::max(end, record->windows.front().window.end.value);
    }
  }
  return to_seconds(Nanoseconds{end - begin}).value;
}

std::optional<double> joules_of(const record::GroupShare& share) {
  const auto energy = share.measured.energy ? share.measured.energy : share.estimated.energy;
  if (!energy) return std::nullopt;
  return to_joules(*energy).value;
}

// Same provenance as the group's, else they cannot be compared.
std::optional<double> joules_alone(const Record& record, const record::GroupShare& group) {
  const record::Total& total = group.measured.energy ? record.measured : record.estimated;
  if (!total.energy) return std::nullopt;
  return to_joules(*total.energy).value;
}

double idle_watts(const Launch& launch) { return to_joules(launch.share().idle).value / span_of(launch); }

// What the program itself cost when it ran alone: without the idle power that the group's shares leave out too.
std::optional<double> active_alone(const Record& record, const Launch& launch) {
  const auto joules = joules_alone(record, launch.share());
  if (!joules) return std::nullopt;
  return *joules - idle_watts(launch) * seconds_of(record);
}

std::optional<double> own_joules(const std::vector<const Record*>& records) {
  double sum = 0.0;
  for (const Record* record : records) {
    if (!record->group->own) return std::nullopt;
    sum += to_joules(*record->group->own).value;
  }
  return sum;
}

double share_edge(const std::vector<const Record*>& records, Microjoules record::GroupShare::*edge) {
  double sum = 0.0;
  for (const Record* record : records) sum += to_joules((*record->group).*edge).value;
  return sum;
}

Cell median_of(const std::vector<double>& values, std::string why = "no such run") {
  return Cell::of(stats::median(values), std::move(why));
}

// The ratio over blocks that have both, as the signed-rank test sees it.
Cell change(const std::vector<double>& before, const std::vector<double>& after) {
  const Comparison ratio = compare_ratios(before, after);
  if (!ratio.estimate) return Cell::absent("no block has both");
  return Cell::of(*ratio.estimate, ratio.low, ratio.high);
}

struct Both {
  std::vector<double> before;
  std::vector<double> after;
  void add(std::optional<double> alone, std::optional<double> beside) {
    if (!alone || !beside || *alone <= 0.0 || *beside <= 0.0) return;
    before.push_back(*alone);
    after.push_back(*beside);
  }
};

// --- The group as one: measured, nothing attributed ---------------------------------------------------------------

AnswerTable group_table() {
  return {"groups",
          "the machine's energy for all, and the same runs one after another",
          {{"members", "together"},
           {"mode", "mode"},
           {"environment", "environment"},
           {"n", "n", Unit::count},
           {"energy_j", "energy", Unit::joules},
           {"energy_change", "against alone", Unit::change, true},
           {"duration_s", "time", Unit::seconds},
           {"duration_change", "against alone", Unit::change, true},
           {"idle_j", "idle", Unit::joules},
           {"others_j", "others", Unit::joules},
           {"unknown_j", "unknown", Unit::joules}},
          {}};
}

// All members alone, one after another, in this block; absent where one is missing.
std::optional<std::pair<double, double>> one_after_another(const Sorted& sorted, const Launch& launch, int block) {
  double joules = 0.0;
  double time = 0.0;
  for (const auto& [member, records] : launch.members) {
    const auto shape = sorted.alone.find(shape_of(records.front()->request.configuration));
    if (shape == sorted.alone.end()) return std::nullopt;
    const auto run = shape->second.find(block);
    if (run == shape->second.end()) return std::nullopt;
    const auto energy = joules_alone(*run->second, launch.share());
    if (!energy) return std::nullopt;
    joules += *energy;
    time += seconds_of(*run->second);
  }
  return std::pair(joules, time);
}

void add_group(const Sorted& sorted, const Kind& kind, const std::map<int, Launch>& blocks, AnswerTable& table) {
  std::vector<double> energies;
  std::vector<double> times;
  std::vector<double> idle;
  std::vector<double> others;
  std::vector<double> unknown;
  Both energy;
  Both time;
  for (const auto& [block, launch] : blocks) {
    if (const auto joules = joules_of(launch.share())) energies.push_back(*joules);
    times.push_back(span_of(launch));
    idle.push_back(to_joules(launch.share().idle).value);
    others.push_back(to_joules(launch.share().others).value);
    unknown.push_back(to_joules(launch.share().unknown).value);
    if (launch.first().request.configuration.colocation.mode != study::GroupMode::together) continue;
    if (const auto alone = one_after_another(sorted, launch, block)) {
      energy.add(alone->first, joules_of(launch.share()));
      time.add(alone->second, span_of(launch));
    }
  }
  table.rows.push_back({Cell::of(kind.members), Cell::of(kind.mode), Cell::of(kind.environment),
                        Cell::of(static_cast<double>(blocks.size())), median_of(energies, "no energy was read"),
                        change(energy.before, energy.after), median_of(times), change(time.before, time.after),
                        median_of(idle), median_of(others), median_of(unknown)});
}

// --- Each member: attributed --------------------------------------------------------------------------------------

AnswerTable member_table() {
  return {"members",
          "each one's part, attributed, without idle energy, and how it changed",
          {{"member", "member"},
           {"beside", "beside"},
           {"mode", "mode"},
           {"environment", "environment"},
           {"n", "n", Unit::count},
           {"overlap", "overlap", Unit::percent},
           {"attributed_energy_j", "attributed", Unit::joules, true},
           {"alone_energy_j", "alone", Unit::joules},
           {"energy_change", "change", Unit::change, true},
           {"duration_s", "time", Unit::seconds},
           {"alone_duration_s", "alone", Unit::seconds},
           {"duration_change", "change", Unit::change, true}},
          {}};
}

void add_member(const Sorted& sorted, const Kind& kind, const std::map<int, Launch>& blocks, int member,
                AnswerTable& table) {
  std::vector<double> own;
  std::vector<double> least;
  std::vector<double> most;
  std::vector<double> times;
  std::vector<double> overlaps;
  Both energy;
  Both time;
  const Record* shown = nullptr;
  for (const auto& [block, launch] : blocks) {
    const auto here = launch.members.find(member);
    if (here == launch.members.end()) continue;
    const auto& records = here->second;
    shown = records.front();
    const auto joules = own_joules(records);
    if (joules) own.push_back(*joules);
    least.push_back(share_edge(records, &record::GroupShare::least));
    most.push_back(share_edge(records, &record::GroupShare::most));
    times.push_back(seconds_of(*shown));
    overlaps.push_back(shown->group->overlap);
    const auto shape = sorted.alone.find(shape_of(shown->request.configuration));
    if (shape == sorted.alone.end() || records.size() != 1) continue;
    const auto run = shape->second.find(block);
    if (run == shape->second.end()) continue;
    energy.add(active_alone(*run->second, launch), joules);
    time.add(seconds_of(*run->second), seconds_of(*shown));
  }
  if (shown == nullptr) return;
  Cell attributed = median_of(own, "its share is not known");
  attributed.low = stats::median(least);
  attributed.high = stats::median(most);
  table.rows.push_back({Cell::of(name_of(shown->request.configuration)),
                        Cell::of(join(shown->request.configuration.colocation.partners, ", ")), Cell::of(kind.mode),
                        Cell::of(kind.environment), Cell::of(static_cast<double>(times.size())), median_of(overlaps),
                        attributed, median_of(energy.before, "it did not run alone"),
                        change(energy.before, energy.after), median_of(times),
                        median_of(time.before, "it did not run alone"), change(time.before, time.after)});
}

std::string basis_of(const Sorted& sorted) {
  bool measured = false;
  bool estimated = false;
  for (const auto& [kind, blocks] : sorted.groups) {
    for (const auto& [block, launch] : blocks) {
      if (launch.first().simulated) return "simulated";
      measured = measured || launch.share().measured.energy;
      estimated = estimated || (!launch.share().measured.energy && launch.share().estimated.energy);
    }
  }
  return estimated ? "estimated" : measured ? "measured" : "absent";
}

std::string in_percent(double ratio) {
  const double change = 100.0 * (ratio - 1.0);
  return fmt::format("{}{:.0f} %", change < 0.0 ? "−" : "+", std::abs(change));
}

std::string sentence_of(const AnswerTable& groups, const std::string& basis) {
  const auto worst = [](const auto& a, const auto& b) { return a[5].value.value_or(1.0) < b[5].value.value_or(1.0); };
  const auto best = std::min_element(groups.rows.begin(), groups.rows.end(), worst);
  if (best == groups.rows.end()) return "No group of this study ran to its end.";
  const std::vector<Cell>& row = *best;
  if (!row[5].value || !row[7].value) return "No group has the same runs alone beside it.";
  return fmt::format("Side by side ({}; {}; {}) the same work took {} time and {} {}energy against one after another.",
                     row[0].text, row[1].text, row[2].text, in_percent(*row[7].value), in_percent(*row[5].value),
                     basis == "measured" ? "" : basis + " ");
}

}  // namespace

Result<Answer> side_by_side(std::span<const Record> records, const Asked&) {
  const Sorted sorted = sort(records);
  Answer answer;
  answer.question = "side-by-side";
  answer.basis = basis_of(sorted);
  AnswerTable groups = group_table();
  AnswerTable members = member_table();
  for (const auto& [kind, blocks] : sorted.groups) {
    add_group(sorted, kind, blocks, groups);
    std::vector<int> places;
    for (const auto& [member, same] : blocks.begin()->second.members) places.push_back(member);
    for (const int member : places) add_member(sorted, kind, blocks, member, members);
  }
  answer.sentence = sorted.groups.empty() && sorted.invalid.empty()
                        ? "This study has no groups: nothing ran side by side."
                        : sentence_of(groups, answer.basis);
  for (const auto& [kind, reasons] : sorted.invalid) {
    answer.warnings.push_back(fmt::format("{} ({}, {}): {} launch{} invalid and left out: {}", kind.members, kind.mode,
                                          kind.environment, reasons.size(), reasons.size() == 1 ? " is" : "es are",
                                          printable(reasons.front())));
  }
  if (answer.basis == "estimated") {
    answer.warnings.emplace_back(
        "energy here is estimated from time and CPU use: shares and changes of energy repeat those of CPU time");
  }
  answer.method = {
      "group energy: from the first begin to the last end of all members, of the whole machine; one after another: the "
      "sum of the members' runs alone in the same block",
      "attributed: each one's part of what the machine used above idle, by CPU time or GPU busy time (record of the "
      "group); in brackets what it can really be if a second of one costs at most twice a second of another",
      "alone: the run alone, less the idle power that the group's shares leave out",
      "change: Hodges-Lehmann estimate of the ratio within blocks, with the signed-rank test's 95 % interval; absent "
      "interval: too few blocks",
      "overlap: part of a member's time during which every other member trained too",
  };
  answer.tables = {std::move(groups), std::move(members)};
  return answer;
}

}  // namespace wattle::analysis
