#include <fmt/format.h>

#include <algorithm>

#include "study/reading.h"

namespace wattle::study {

bool knows(const ReadWorkload& read, const std::string& parameter) {
  const auto& parameters = read.workload.parameters;
  return std::any_of(parameters.begin(), parameters.end(), [&](const Parameter& p) { return p.name == parameter; });
}

bool may_know(const ReadWorkload& read, const std::string& parameter) {
  return !read.usable || knows(read, parameter) || std::count(read.faulty.begin(), read.faulty.end(), parameter) > 0;
}

std::vector<std::string> parameters_of(const std::vector<ReadWorkload>& workloads) {
  std::vector<std::string> names;
  for (const ReadWorkload& read : workloads) {
    for (const Parameter& parameter : read.workload.parameters) names.push_back(parameter.name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

const ReadWorkload* workload_named(const std::vector<ReadWorkload>& workloads, std::string_view name) {
  const auto found = std::find_if(workloads.begin(), workloads.end(),
                                  [&](const ReadWorkload& read) { return read.workload.name == name; });
  return found == workloads.end() ? nullptr : &*found;
}

std::optional<std::vector<std::string>> read_workload_names(Section& section,
                                                            const std::vector<ReadWorkload>& workloads, bool may_repeat,
                                                            Mistakes& mistakes) {
  static constexpr const char* kKey = "workloads";
  if (section.find(kKey) == nullptr) return std::nullopt;
  std::vector<std::string> all;
  for (const ReadWorkload& read : workloads) all.push_back(read.workload.name);
  const std::size_t before = mistakes.count();
  std::vector<std::string> names = section.texts(kKey, R"(workloads = ["a", "b"])");
  const toml::array* list = section.find(kKey)->as_array();
  if (list == nullptr) return std::vector<std::string>{};
  if (list->empty()) section.complain(kKey, "`workloads` is empty", "leave it out, or name some");
  std::vector<std::string> seen;
  for (const toml::node& node : *list) {
    if (!node.is_string()) continue;
    const std::string& name = node.as_string()->get();
    if (workload_named(workloads, name) == nullptr) {
      mistakes.add(position_of(node), fmt::format("there is no workload {}", code(name)), did_you_mean(name, all));
    } else if (!may_repeat && std::count(seen.begin(), seen.end(), name) > 0) {
      mistakes.add(position_of(node), fmt::format("workload {} is named twice", code(name)));
    }
    seen.push_back(name);
  }
  if (mistakes.count() > before) names.clear();
  return names;
}

}  // namespace wattle::study
