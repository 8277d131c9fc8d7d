#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "study/cpu_list.h"
#include "study/placeholders.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

constexpr std::int64_t kMostThreads = 4096;
constexpr std::size_t kMostEnvironments = 64;
constexpr double kMostWatts = 100'000.0;
constexpr const char* kPrecision = "precision";

void read_variables(const toml::table& table, Environment& environment, Mistakes& mistakes) {
  for (auto&& [key, node] : table) {
    const std::string name(key.str());
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
      mistakes.add(position_of(key), fmt::format("{} cannot be the name of a variable", code(name)));
    } else if (name.starts_with("WATTLE_")) {
      mistakes.add(position_of(key),
                   fmt::format("{} is Wattle's own; names with WATTLE_ are set by the run", code(name)));
    } else if (const auto* text = node.as_string(); text == nullptr) {
      const auto value = value_of(node);
      mistakes.add(position_of(node),
                   fmt::format("variable {} must be text in quotes, not {}", code(name), kind_of(node)),
                   value ? fmt::format("write \"{}\"", to_text(*value)) : "");
    } else if (text->get().find('\0') != std::string::npos) {
      mistakes.add(position_of(node), fmt::format("variable {} holds a NUL byte", code(name)));
    } else {
      environment.variables[name] = text->get();
    }
  }
}

void read_device(Section& section, Environment& environment) {
  const auto device = section.text("device");
  if (!device) return;
  environment.device = *device;
  const std::string kind = device->substr(0, device->find(':'));
  const std::string index = device->substr(std::min(device->size(), kind.size()));
  const bool plain = !kind.empty() && kind.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
  const bool indexed = index.empty() || (index.size() > 1 && parse_unsigned(index.substr(1)));
  if (!plain || !indexed) {
    section.complain("device", fmt::format("{} is no device", code(*device)), "for example cpu, cuda or cuda:0");
  }
}

void read_power_cap(Section& section, Environment& environment) {
  const auto text = section.text("power_cap");
  if (!text) return;
  const std::string_view trimmed = trim(*text);
  const auto watts = trimmed.ends_with('W') ? parse_real(trimmed.substr(0, trimmed.size() - 1)) : std::nullopt;
  if (!watts || !std::isfinite(*watts) || *watts <= 0.0 || *watts > kMostWatts) {
    return section.complain(
        "power_cap", fmt::format("`power_cap` is {}, but must be a power above 0 and at most 100000 W", code(*text)),
        R"(for example "150 W")");
  }
  environment.power_cap = Watts{*watts};
}

void read_precision(Section& section, Environment& environment) {
  const auto text = section.text(kPrecision);
  if (!text) return;
  const bool word = text->size() <= 32 && std::all_of(text->begin(), text->end(), [](char c) {
                      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
                    });
  if (!word || text->starts_with('-')) {
    return section.complain(kPrecision, fmt::format("{} is no precision", code(*text)),
                            R"(for example "float32", "bfloat16" or "16-mixed")");
  }
  environment.precision = *text;
}

// What the table does not name is as in `base`.
Environment read_environment(const toml::table& table, const std::string& title, const Environment& base,
                             Mistakes& mistakes) {
  Environment environment = base;
  Section section(table, title, mistakes);
  read_device(section, environment);
  environment.threads = static_cast<int>(section.integer("threads", 1, kMostThreads).value_or(base.threads));
  if (const auto cpus = section.text("cpus")) {
    const auto parsed = parse_cpus(*cpus);
    if (!parsed) section.complain("cpus", parsed.error().message, parsed.error().hint);
    if (parsed) environment.cpus = cpu_list(*parsed);
  }
  if (const auto policy = section.word("wait_policy", {"active", "passive"})) environment.wait_policy = *policy;
  read_precision(section, environment);
  environment.nice = static_cast<int>(section.integer("nice", 0, 19).value_or(base.nice));
  read_power_cap(section, environment);
  if (const auto* variables = section.table("variables", R"(variables = { NAME = "value" })")) {
    read_variables(*variables, environment, mistakes);
  }
  if (!environment.wait_policy.empty() && environment.variables.contains("OMP_WAIT_POLICY")) {
    mistakes.add(section.position("wait_policy"), "`wait_policy` and the variable OMP_WAIT_POLICY say the same twice",
                 "leave one out");
  }
  section.finish();
  return environment;
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
             std::string::npos;
}

bool same_but_for_the_name(Environment one, const Environment& other) {
  one.name = other.name;
  return one == other;
}

void add_variation(Environment environment, Position at, Study& study, Mistakes& mistakes) {
  Environment& base = study.environments.front();
  const bool first_name = base.name == Environment{}.name;
  const auto twin = std::find_if(study.environments.begin(), study.environments.end(),
                                 [&](const Environment& e) { return same_but_for_the_name(environment, e); });
  if (environment.name == Environment{}.name) {
    mistakes.add(at, "`default` is the name of [environment] itself", "choose another");
  } else if (twin == study.environments.begin() && first_name) {
    base.name = environment.name;
  } else if (twin != study.environments.end()) {
    mistakes.add(at, fmt::format("environment `{}` is the same as `{}`", environment.name, twin->name),
                 "change a setting, or leave it out");
  } else {
    study.environments.push_back(std::move(environment));
  }
}

bool takes_precision(const Workload& script) {
  const auto names_it = [](const std::string& text) {
    const auto names = placeholders(text);
    return std::count(names.begin(), names.end(), kPrecision) > 0;
  };
  return std::any_of(script.command.begin(), script.command.end(), names_it) ||
         std::any_of(script.rendered.begin(), script.rendered.end(),
                     [&](const RenderedFile& file) { return names_it(file.content); });
}

struct Complaint {
  std::string message;
  std::string suggestion;
};

std::optional<Complaint> why_not_precision(const Workload& workload, const Environment& environment) {
  const std::string& name = workload.name;
  if (!workload.builtin) {
    const bool takes = takes_precision(workload);
    if (takes && environment.precision.empty()) {
      return Complaint{
          fmt::format("workload `{}` uses {{precision}}, and environment `{}` has none", name, environment.name),
          R"(add precision = "…")"};
    }
    if (takes || environment.precision.empty()) return std::nullopt;
    return Complaint{fmt::format("`precision` would change nothing for workload `{}`", name),
                     R"(add "{precision}" to its `command`)"};
  }
  if (environment.precision.empty()) return std::nullopt;
  const auto found = std::find_if(workload.parameters.begin(), workload.parameters.end(),
                                  [](const Parameter& p) { return p.name == kPrecision; });
  if (found == workload.parameters.end()) {
    return Complaint{fmt::format("the built-in trainer of workload `{}` takes no `precision`", name), "leave it out"};
  }
  if (!workload.trainer_defaults.contains(kPrecision)) {
    return Complaint{fmt::format("workload `{}` sets `precision`, too", name), "leave out one of them"};
  }
  const auto why = why_not(*found, Value(environment.precision));
  if (why.empty()) return std::nullopt;
  const auto meant = nearest(environment.precision, found->choices);
  return Complaint{fmt::format("`precision`: {}", why), meant ? fmt::format("did you mean `{}`?", *meant) : ""};
}

Position precision_of(const Section& root, const toml::table* base, const toml::table* variations,
                      const std::string& name) {
  const toml::table* own = variations == nullptr ? nullptr : variations->get_as<toml::table>(name);
  for (const toml::table* table : {own, base}) {
    const toml::node* node = table == nullptr ? nullptr : table->get(kPrecision);
    if (node != nullptr) return position_of(*node);
  }
  if (own != nullptr) return position_of(*own);
  return base == nullptr ? root.position() : position_of(*base);
}

}  // namespace

void read_environments(Section& root, Study& study, Mistakes& mistakes) {
  if (const auto* table = root.table("environment", "[environment]")) {
    study.environments.front() = read_environment(*table, "[environment]", Environment{}, mistakes);
  }
  const toml::table* variations = root.table("environments", "[environments.NAME]");
  if (variations == nullptr) return;
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (auto&& [key, node] : *variations) entries.emplace_back(&key, &node);
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.first->source().begin < b.first->source().begin; });
  if (entries.empty()) root.complain("environments", "`environments` is empty", "leave it out");
  if (entries.size() > kMostEnvironments) {
    return root.complain("environments",
                         fmt::format("{} environments; a study may have {}", entries.size(), kMostEnvironments));
  }
  const Environment base = study.environments.front();
  for (const auto& [key, node] : entries) {
    const std::string name(key->str());
    if (!is_name(name)) {
      mistakes.add(position_of(*key), fmt::format("{} cannot be an environment's name", code(name)),
                   "use letters, digits, `-`, `_` and `.`, at most 64");
    } else if (!node->is_table()) {
      mistakes.add(position_of(*key), fmt::format("environment {} must be a table, not {}", code(name), kind_of(*node)),
                   fmt::format("write [environments.{}]", name));
    } else {
      Environment environment =
          read_environment(*node->as_table(), fmt::format("[environments.{}]", name), base, mistakes);
      environment.name = name;
      add_variation(std::move(environment), position_of(*key), study, mistakes);
    }
  }
}

void settle_precision(Section& root, const Study& study, std::vector<ReadWorkload>& workloads, Mistakes& mistakes) {
  const auto table = [&](const char* key) {
    const toml::node* node = root.find(key);
    return node == nullptr ? nullptr : node->as_table();
  };
  const bool set = std::any_of(study.environments.begin(), study.environments.end(),
                               [](const Environment& e) { return !e.precision.empty(); });
  for (ReadWorkload& read : workloads) {
    if (!read.usable) continue;
    for (const Environment& environment : study.environments) {
      const auto complaint = why_not_precision(read.workload, environment);
      if (!complaint) continue;
      mistakes.add(precision_of(root, table("environment"), table("environments"), environment.name),
                   complaint->message, complaint->suggestion);
      break;
    }
    if (!set || !read.workload.builtin) continue;
    std::erase_if(read.workload.parameters, [](const Parameter& p) { return p.name == kPrecision; });
    read.workload.trainer_defaults.erase(kPrecision);
  }
}

}  // namespace wattle::study
