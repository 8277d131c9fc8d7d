#include "study/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "study/cpu_list.h"
#include "study/design.h"
#include "study/identity.h"
#include "study/mutation.h"

namespace wattle::study {
namespace {

// A configuration before it is put into an environment.
struct Shape {
  std::string label;
  Assignment hyperparameters;
  std::vector<std::string> varied;
  std::string mutation;
};

tl::unexpected<Error> refused(const Workload& workload, const std::string& message, const std::string& suggestion) {
  return fail(ErrorKind::bad_input, fmt::format("workload `{}`: {}", workload.name, message), suggestion);
}

std::string_view method_of(const DesignRule& rule) {
  switch (rule.kind) {
    case DesignRule::Kind::sweep:
      return "sweep";
    case DesignRule::Kind::configuration:
      return "stated";
    case DesignRule::Kind::sample:
      break;
  }
  return rule.method == SampleMethod::random ? "random" : "latin_hypercube";
}

Shape differing(const Shape& original, const Assignment& values, std::string label) {
  Shape shape{std::move(label), original.hyperparameters, {}, {}};
  std::vector<std::string> words;
  for (const auto& [name, value] : values) {
    if (original.hyperparameters.at(name) == value) continue;
    shape.hyperparameters[name] = value;
    shape.varied.push_back(name);
    words.push_back(fmt::format("{} {}", name, printable(to_text(value))));
  }
  if (shape.label.empty()) shape.label = join(words, ", ");
  return shape;
}

// A workload's shapes, the original first; what is the same stands once.
Result<std::vector<Shape>> shapes_of(const Study& study, const Workload& workload, std::vector<std::string>& warnings) {
  std::vector<Shape> shapes(1);
  shapes[0].label = "original";
  for (const Parameter& parameter : workload.parameters) {
    shapes[0].hyperparameters[parameter.name] = parameter.default_value;
  }
  std::map<Assignment, std::string> seen{{shapes[0].hyperparameters, "original"}};
  const auto add = [&](Shape shape, std::string_view mutation) -> const std::string* {
    const auto [known, fresh] = seen.emplace(shape.hyperparameters, shape.label);
    if (!fresh) return &known->second;
    shape.mutation = mutation;
    shapes.push_back(std::move(shape));
    return nullptr;
  };
  const Mutants drawn = draw_mutants(study.seed, workload, study.mutations);
  if (!drawn.failures.empty()) return refused(workload, drawn.failures[0].message, drawn.failures[0].suggestion);
  for (const Mutant& mutant : drawn.mutants) {
    const MutationRule& rule = study.mutations[mutant.rule];
    add(differing(shapes[0], {{rule.parameter, mutant.value}}, {}), to_string(rule.op));
  }
  const Design design = draw_design(study.seed, workload, study.designs);
  if (!design.failures.empty()) return refused(workload, design.failures[0].message, design.failures[0].suggestion);
  for (const DesignPoint& point : design.points) {
    const DesignRule& rule = study.designs[point.rule];
    const std::string* same = add(differing(shapes[0], point.values, rule.label), method_of(rule));
    if (same == nullptr || rule.kind != DesignRule::Kind::configuration) continue;
    warnings.push_back(fmt::format("workload `{}`: the configuration{} is the same as `{}` and is not run twice",
                                   workload.name, rule.label.empty() ? "" : fmt::format(" `{}`", printable(rule.label)),
                                   printable(*same)));
  }
  return shapes;
}

// The i-th of n shares of a whole, the larger ones first.
int share(int whole, std::size_t i, std::size_t n) {
  const int parts = static_cast<int>(n);
  return whole / parts + (static_cast<int>(i) < whole % parts ? 1 : 0);
}

std::string slice(const std::string& cpus, std::size_t member, std::size_t members) {
  const auto all = parse_cpus(cpus);
  if (cpus.empty() || !all || all->empty()) return cpus;
  if (all->size() < members) return std::to_string((*all)[member % all->size()]);
  std::vector<int> mine;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= member; ++i) {
    const auto length = static_cast<std::size_t>(share(static_cast<int>(all->size()), i, members));
    if (i == member)
      mine.assign(all->begin() + static_cast<std::ptrdiff_t>(begin),
                  all->begin() + static_cast<std::ptrdiff_t>(begin + length));
    begin += length;
  }
  return cpu_list(mine);
}

class Layouter {
 public:
  Layouter(const Study& study, std::optional<int> cores)
      : study_(study), cores_(cores), used_(study.exclusions.size()) {}

  Result<Layout> run() {
    for (const Workload& workload : study_.workloads) {
      auto shapes = shapes_of(study_, workload, layout_.warnings);
      if (!shapes) return tl::unexpected(shapes.error());
      shapes_[workload.name] = std::move(*shapes);
    }
    for (const Workload& workload : study_.workloads) {
      for (const Environment& environment : study_.environments) add_cells(workload.name, environment);
    }
    for (const GroupRule& rule : study_.groups) {
      for (const Environment& environment : study_.environments) add_groups(rule, environment);
    }
    if (layout_.configurations.empty()) {
      return fail(ErrorKind::bad_input, "every configuration is excluded: there is nothing to run",
                  "leave out an [[exclude]]");
    }
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (used_[i]) continue;
      layout_.warnings.push_back(
          fmt::format("the exclusion `{}` excludes nothing", printable(study_.exclusions[i].reason)));
    }
    return std::move(layout_);
  }

 private:
  // The first rule that leaves the shape out. Rules about hyperparameters leave the original in.
  const Exclusion* excluding(const std::string& workload, const Environment& environment, const Shape& shape) {
    const Exclusion* first = nullptr;
    for (std::size_t i = 0; i < study_.exclusions.size(); ++i) {
      const Exclusion& rule = study_.exclusions[i];
      if (rule.workload.value_or(workload) != workload) continue;
      if (rule.environment.value_or(environment.name) != environment.name) continue;
      if (shape.varied.empty() && !rule.parameters.empty()) continue;
      const bool match = std::all_of(rule.parameters.begin(), rule.parameters.end(), [&](const auto& wanted) {
        const auto held = shape.hyperparameters.find(wanted.first);
        if (held == shape.hyperparameters.end()) return false;
        const bool real = std::holds_alternative<double>(held->second);
        return held->second == wanted.second || (real && to_number(wanted.second) == to_number(held->second));
      });
      if (!match) continue;
      used_[i] = true;
      if (first == nullptr) first = &rule;
    }
    return first;
  }

  [[nodiscard]] std::string in(const Environment& environment) const {
    return study_.environments.size() > 1 ? " @" + environment.name : "";
  }

  static Configuration configured(const std::string& workload, const Shape& shape, const Environment& environment) {
    Configuration configuration;
    configuration.label = shape.label;
    configuration.workload = workload;
    configuration.hyperparameters = shape.hyperparameters;
    configuration.environment = environment;
    configuration.varied = shape.varied;
    configuration.mutation = shape.mutation;
    return configuration;
  }

  // The rule that leaves out whoever makes the workload's weights, and so the workload.
  const Exclusion* excluding_maker(const std::string& workload, const Environment& environment) {
    std::string maker = workload;
    for (std::size_t depth = 0; depth < study_.workloads.size(); ++depth) {
      const auto needy = std::find_if(study_.workloads.begin(), study_.workloads.end(),
                                      [&](const Workload& one) { return one.name == maker; });
      if (needy == study_.workloads.end() || needy->weights_of.empty()) return nullptr;
      maker = needy->weights_of;
      if (const Exclusion* rule = excluding(maker, environment, shapes_.at(maker).front())) return rule;
    }
    return nullptr;
  }

  void add_cells(const std::string& workload, const Environment& environment) {
    const std::size_t original = layout_.configurations.size();
    const Exclusion* without_weights = excluding_maker(workload, environment);
    for (const Shape& shape : shapes_.at(workload)) {
      Configuration configuration = configured(workload, shape, environment);
      configuration.label += in(environment);
      configuration.id = configuration_id(configuration);
      const Exclusion* own = excluding(workload, environment, shape);
      if (const Exclusion* rule = own != nullptr ? own : without_weights) {
        layout_.excluded.push_back({std::move(configuration), rule->reason});
        continue;
      }
      layout_.configurations.push_back(std::move(configuration));
      layout_.pairs.push_back(original);
    }
  }

  // One group with workload 0 in this shape and the others as their originals.
  std::vector<Configuration> members_of(const GroupRule& rule, const Environment& environment, const Shape& first) {
    std::vector<Configuration> members;
    for (std::size_t i = 0; i < rule.workloads.size(); ++i) {
      const Shape& shape = i == 0 ? first : shapes_.at(rule.workloads[i]).front();
      Configuration member = configured(rule.workloads[i], shape, environment);
      member.colocation.mode = rule.mode;
      member.colocation.divided_cores = rule.divide_cores;
      member.colocation.member = static_cast<int>(i);
      member.colocation.undivided = environment_digest(environment);
      std::vector<std::string> others;
      for (std::size_t other = 0; other < rule.workloads.size(); ++other) {
        if (other == i) continue;
        const std::string& label = other == 0 ? first.label : shapes_.at(rule.workloads[other]).front().label;
        member.colocation.partners.push_back(fmt::format("{}/{}", rule.workloads[other], label));
        others.push_back(label == "original" ? rule.workloads[other]
                                             : fmt::format("{} {}", rule.workloads[other], label));
      }
      if (rule.divide_cores) {
        member.environment.threads = std::max(1, share(environment.threads, i, rule.workloads.size()));
        member.environment.cpus = slice(environment.cpus, i, rule.workloads.size());
      }
      const bool behind = rule.mode == GroupMode::background && i > 0;
      member.label += fmt::format(" {} {}", behind ? "behind" : "beside", join(others, ", "));
      const auto twin = std::count(rule.workloads.begin(), rule.workloads.begin() + static_cast<std::ptrdiff_t>(i),
                                   rule.workloads[i]);
      if (twin > 0) member.label += fmt::format(", #{}", twin + 1);
      if (rule.mode == GroupMode::background && i == 0) member.label += " in the background";
      if (!rule.divide_cores) member.label += ", cores shared";
      member.label += in(environment);
      member.id = configuration_id(member);
      members.push_back(std::move(member));
    }
    return members;
  }

  void add_groups(const GroupRule& rule, const Environment& environment) {
    const Exclusion* missing = nullptr;
    for (const std::string& workload : rule.workloads) {
      if (missing == nullptr) missing = excluding(workload, environment, shapes_.at(workload).front());
      if (missing == nullptr) missing = excluding_maker(workload, environment);
    }
    const std::size_t original = layout_.configurations.size();
    const std::vector<Shape>& shapes = shapes_.at(rule.workloads.front());
    const std::size_t count = rule.mutants ? shapes.size() : 1;
    for (std::size_t s = 0; s < count; ++s) {
      std::vector<Configuration> members = members_of(rule, environment, shapes[s]);
      const Exclusion* reason =
          missing != nullptr ? missing : excluding(rule.workloads.front(), environment, shapes[s]);
      if (reason != nullptr) {
        layout_.excluded.push_back({std::move(members.front()), reason->reason});
        continue;
      }
      if (s == 0) warn_of_crowd(rule, environment, members);
      std::vector<std::size_t> group;
      for (Configuration& member : members) {
        group.push_back(layout_.configurations.size());
        layout_.pairs.push_back(group.size() == 1 ? original : group.back());
        layout_.configurations.push_back(std::move(member));
      }
      layout_.groups.push_back(std::move(group));
    }
  }

  void warn_of_crowd(const GroupRule& rule, const Environment& environment, const std::vector<Configuration>& members) {
    int threads = 0;
    for (const Configuration& member : members) threads += member.environment.threads;
    std::optional<int> given = cores_;
    if (const auto cpus = parse_cpus(environment.cpus); !environment.cpus.empty() && cpus) {
      given = static_cast<int>(cpus->size());
    }
    if (!given || threads <= *given) return;
    layout_.warnings.push_back(fmt::format("the group {}{} is oversubscribed: {} threads on {} {}",
                                           join(rule.workloads, ", "), in(environment), threads, *given,
                                           *given == 1 ? "CPU" : "CPUs"));
  }

  const Study& study_;
  std::optional<int> cores_;
  std::map<std::string, std::vector<Shape>> shapes_;
  std::vector<bool> used_;
  Layout layout_;
};

}  // namespace

Result<Layout> lay_out(const Study& study, std::optional<int> cores) { return Layouter(study, cores).run(); }

Result<std::int64_t> runs_in_block(const Study& study) {
  std::map<std::string, std::int64_t> shapes;
  std::vector<std::string> ignored;
  std::int64_t cells = 0;
  for (const Workload& workload : study.workloads) {
    const auto found = shapes_of(study, workload, ignored);
    if (!found) return tl::unexpected(found.error());
    shapes[workload.name] = static_cast<std::int64_t>(found->size());
    cells += shapes[workload.name];
  }
  for (const GroupRule& rule : study.groups) {
    cells += static_cast<std::int64_t>(rule.workloads.size()) * (rule.mutants ? shapes.at(rule.workloads.front()) : 1);
  }
  return cells * static_cast<std::int64_t>(study.environments.size()) + (study.protocol.control ? 1 : 0);
}

}  // namespace wattle::study
