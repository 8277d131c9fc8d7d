#include <fmt/format.h>

#include <algorithm>

#include "study/reading.h"

namespace wattle::study {
namespace {

constexpr std::size_t kMostMembers = 16;

bool same(const GroupRule& a, const GroupRule& b) {
  return a.workloads == b.workloads && a.mode == b.mode && a.divide_cores == b.divide_cores;
}

}  // namespace

void read_groups(Section& root, Study& study, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes) {
  for (const toml::table* table : root.tables("group")) {
    Section section(*table, "[[group]]", mistakes);
    GroupRule rule;
    section.require("workloads", R"(for example workloads = ["lenet", "resnet"])");
    const auto names = read_workload_names(section, workloads, true, mistakes);
    rule.mode =
        section.word("mode", {"together", "background"}) == "background" ? GroupMode::background : GroupMode::together;
    rule.divide_cores = section.truth("divide_cores").value_or(rule.divide_cores);
    rule.mutants = section.truth("mutants").value_or(rule.mutants);
    section.finish();
    if (!names || names->empty()) continue;
    rule.workloads = *names;
    if (names->size() < 2 || names->size() > kMostMembers) {
      section.complain("workloads", fmt::format("a group has 2 to {} workloads, not {}", kMostMembers, names->size()),
                       names->size() < 2 ? "one that trains beside itself stands twice" : "");
    } else if (std::any_of(study.groups.begin(), study.groups.end(),
                           [&](const GroupRule& g) { return same(g, rule); })) {
      section.complain("workloads", "the same group stands twice", "leave one out");
    } else {
      study.groups.push_back(std::move(rule));
    }
  }
}

}  // namespace wattle::study
