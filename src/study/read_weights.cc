// Weights that a workload begins with.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "study/placeholders.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

constexpr std::size_t kLongestHashed = 1U << 30U;

// By content; what is too large for that by name, size and time.
Result<std::string> version_of(const std::filesystem::path& file) {
  std::error_code code;
  if (std::filesystem::file_size(file, code) > kLongestHashed && !code) return data_manifest(file);
  const auto content = read_text(file, kLongestHashed);
  if (!content) return tl::unexpected(content.error());
  return sha256(*content);
}

bool uses_weights(const Workload& workload) {
  const auto within = [](const std::string& text) {
    const auto names = placeholders(text);
    return std::count(names.begin(), names.end(), "weights_path") > 0;
  };
  return std::any_of(workload.command.begin(), workload.command.end(), within) ||
         std::any_of(workload.rendered.begin(), workload.rendered.end(),
                     [&](const RenderedFile& file) { return within(file.content); });
}

const Workload* named(const std::vector<ReadWorkload>& workloads, const std::string& name) {
  const ReadWorkload* found = workload_named(workloads, name);
  return found == nullptr ? nullptr : &found->workload;
}

// Whether following who makes whose weights comes back to the workload.
bool in_a_circle(const std::vector<ReadWorkload>& workloads, const Workload& workload) {
  const Workload* maker = &workload;
  for (std::size_t depth = 0; depth < workloads.size() && maker != nullptr; ++depth) {
    maker = named(workloads, maker->weights_of);
    if (maker == &workload) return true;
  }
  return false;
}

// What is wrong with beginning with the other's weights, and what would be right; nothing where it can be done.
std::pair<std::string, std::string> why_not(const std::vector<ReadWorkload>& workloads, const Workload& workload) {
  const std::string& name = workload.weights_of;
  const Workload* maker = named(workloads, name);
  if (maker == nullptr) {
    std::vector<std::string> names;
    for (const ReadWorkload& one : workloads) {
      if (one.workload.name != workload.name) names.push_back(one.workload.name);
    }
    return {fmt::format("there is no workload {}", code(name)), did_you_mean(name, names)};
  }
  if (in_a_circle(workloads, workload)) return {"workloads begin with each other's weights, in a circle", ""};
  if (!workload.builtin) return {};
  if (!maker->builtin) {
    return {fmt::format("the built-in trainer cannot know which file {} leaves", code(name)),
            R"(make it a script whose command has "--weights", "{weights_path}/FILE")"};
  }
  if (maker->model != workload.model) {
    return {fmt::format("{} cannot begin with weights of {}", code(workload.model), code(maker->model)), ""};
  }
  return {};
}

}  // namespace

void read_weights(Section& section, Workload& workload, Reading& reading) {
  workload.weights_of = section.text("weights_of").value_or("");
  const auto file = section.text("weights");
  const bool any = !workload.weights_of.empty() || file;
  if (file && !workload.weights_of.empty()) {
    section.complain("weights", "a workload begins either with `weights` or with `weights_of`, not both");
  }
  if (!workload.builtin && !workload.command.empty() && any != uses_weights(workload)) {
    section.complain(file  ? "weights"
                     : any ? "weights_of"
                           : "command",
                     any ? "the command holds no {weights_path}: the weights would reach the program nowhere"
                         : "{weights_path} needs `weights_of` or `weights`");
  }
  if (!file) return;
  const std::filesystem::path where = (reading.directory / *file).lexically_normal();
  std::error_code code;
  if (!std::filesystem::is_regular_file(where, code)) {
    return section.complain("weights", fmt::format("{} is no file", printable(where.string())));
  }
  const auto version = version_of(where);
  if (!version) return section.complain("weights", version.error().message, version.error().hint);
  auto ledger = read_ledger(where);
  if (!ledger) return section.complain("weights", ledger.error().message, ledger.error().hint);
  workload.weights = where.string();
  workload.ledger = *std::move(ledger);
  workload.version += " weights " + version->substr(0, 16);
}

void check_weights(const toml::table& workload_tables, const Study& study, const std::vector<ReadWorkload>& workloads,
                   Mistakes& mistakes) {
  for (const ReadWorkload& read : workloads) {
    if (read.workload.weights_of.empty()) continue;
    Section section(*workload_tables.get(read.workload.name)->as_table(), "", mistakes);
    auto [message, suggestion] = why_not(workloads, read.workload);
    if (message.empty() && study.repetitions.adaptive()) {
      message =
          "`weights_of` needs a fixed number of repetitions: adaptive ones may leave the maker of the weights out";
      suggestion = "for example repetitions = 8";
    }
    if (!message.empty()) section.complain("weights_of", std::move(message), std::move(suggestion));
  }
}

}  // namespace wattle::study
