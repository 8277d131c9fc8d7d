#include "study/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "study/identity.h"
#include "study/layout.h"
#include "study/placeholders.h"
#include "study/random.h"

namespace wattle::study {
namespace {

std::string flag_of(const std::string& parameter) {
  std::string flag = "--" + parameter;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

// `saves`: somebody begins with its weights.
std::vector<std::string> builtin_arguments(const Workload& workload, const RunRequest& request,
                                           const std::string& trainer_program, bool saves) {
  const Environment& environment = request.configuration.environment;
  std::vector<std::string> arguments{trainer_program, "--model", workload.model, "--dataset", workload.dataset};
  if (!workload.data.empty()) arguments.insert(arguments.end(), {"--data", workload.data});
  arguments.insert(arguments.end(), {"--seed", std::to_string(request.training_seed), "--device", environment.device,
                                     "--threads", std::to_string(environment.threads)});
  if (!environment.precision.empty()) arguments.insert(arguments.end(), {"--precision", environment.precision});
  for (const Parameter& parameter : workload.parameters) {
    const Value& value = request.configuration.hyperparameters.at(parameter.name);
    const auto unspoken = workload.trainer_defaults.find(parameter.name);
    if (unspoken != workload.trainer_defaults.end() && unspoken->second == value) continue;
    arguments.insert(arguments.end(), {flag_of(parameter.name), to_text(value)});
  }
  if (!workload.weights.empty()) arguments.insert(arguments.end(), {"--weights", workload.weights});
  if (!workload.weights_of.empty()) {
    arguments.insert(arguments.end(), {"--weights", fmt::format("{{weights_path}}/{}", kWeightsFile)});
  }
  if (saves) arguments.insert(arguments.end(), {"--save", fmt::format("{{run_dir}}/{}", kWeightsFile)});
  return arguments;
}

std::optional<std::string> placeholder_value(const RunRequest& request, std::string_view name) {
  const Configuration& configuration = request.configuration;
  if (name == "seed") return std::to_string(request.training_seed);
  if (name == "threads") return std::to_string(configuration.environment.threads);
  if (name == "device") return configuration.environment.device;
  if (name == "precision" && !configuration.environment.precision.empty()) return configuration.environment.precision;
  if (name == "weights_path" && !request.weights.file.empty()) return request.weights.file;
  const auto found = configuration.hyperparameters.find(std::string(name));
  if (found == configuration.hyperparameters.end()) return std::nullopt;
  return to_text(found->second);
}

void fill_script(const Workload& workload, RunRequest& request) {
  const auto value = [&](std::string_view name) { return placeholder_value(request, name); };
  for (const std::string& element : workload.command) {
    if (const auto flag = as_switch(element)) {
      const auto found = request.configuration.hyperparameters.find(flag->parameter);
      const bool on = found != request.configuration.hyperparameters.end() && found->second == Value(true);
      if (on) request.arguments.push_back(flag->flag);
      continue;
    }
    request.arguments.push_back(filled(element, value));
  }
  for (const RenderedFile& file : workload.rendered) {
    request.rendered_files.emplace_back(file.target, filled(file.content, value));
  }
}

std::map<std::string, std::string> variables_of(const Workload& workload, const Configuration& configuration) {
  const Environment& environment = configuration.environment;
  // What the author sets comes first: insert keeps it.
  std::map<std::string, std::string> variables = environment.variables;
  const std::string threads = std::to_string(environment.threads);
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) {
    variables.insert({name, threads});
  }
  if (!environment.wait_policy.empty()) variables.insert({"OMP_WAIT_POLICY", environment.wait_policy});
  // Beside others glibc's heaps, eight for each of the machine's cores by default, are as many as there is use for.
  if (!configuration.colocation.alone()) {
    variables.insert({"MALLOC_ARENA_MAX", std::to_string(2 * environment.threads)});
  }
  if (!workload.builtin) variables.insert({"PYTHONUNBUFFERED", "1"});
  return variables;
}

std::uint64_t training_seed(const Study& study, int block) {
  return derived_seed({"training", std::to_string(study.seed), std::to_string(block)}) & 0x7fff'ffffU;
}

const Workload& workload_named(const Study& study, const std::string& name) {
  return *std::find_if(study.workloads.begin(), study.workloads.end(),
                       [&](const Workload& workload) { return workload.name == name; });
}

class Planner {
 public:
  Planner(const Study& study, const Layout& layout, const std::string& trainer_program)
      : study_(study), layout_(layout), trainer_program_(trainer_program) {
    std::vector<bool> grouped(layout.configurations.size(), false);
    for (const auto& group : layout.groups) {
      for (const std::size_t member : group) grouped[member] = true;
    }
    for (std::size_t i = 0; i < grouped.size(); ++i) {
      if (!grouped[i]) units_.push_back({i});
    }
    for (const Workload& workload : study.workloads) {
      if (!workload.weights_of.empty()) makers_.insert(workload.weights_of);
    }
    units_.insert(units_.end(), layout.groups.begin(), layout.groups.end());
  }

  // Block r: every configuration once, in an order that depends on the seed, r and the configurations alone, not on the
  // order of the study file. What runs side by side is shuffled as one.
  [[nodiscard]] std::vector<RunRequest> block(int number) const {
    std::vector<RunRequest> requests;
    for (const Configuration& configuration : layout_.configurations) {
      const Colocation& with = configuration.colocation;
      const bool partner = !with.alone() && with.mode == GroupMode::background && with.member > 0;
      requests.push_back(request(configuration, number, number, partner ? Purpose::partner : Purpose::score));
    }
    for (std::size_t i = 0; i < requests.size(); ++i) requests[i].pair_key = requests[layout_.pairs[i]].key;
    for (const auto& group : layout_.groups) name_group(group, requests);
    std::vector<std::vector<std::size_t>> units = units_;
    std::sort(units.begin(), units.end(),
              [&](const auto& a, const auto& b) { return requests[a.front()].key < requests[b.front()].key; });
    Random random(derived_seed({"order", std::to_string(study_.seed), std::to_string(number)}));
    shuffle(units, random);
    put_behind_their_weights(units, requests);
    std::vector<RunRequest> runs;
    if (study_.protocol.control) runs.push_back(control(number));
    for (const auto& unit : units) {
      for (const std::size_t place : unit) runs.push_back(std::move(requests[place]));
    }
    return runs;
  }

 private:
  [[nodiscard]] RunRequest request(const Configuration& configuration, int block, int seed_block,
                                   Purpose purpose) const {
    const Workload& workload = workload_named(study_, configuration.workload);
    RunRequest request;
    request.study = study_.name;
    request.workload_version = workload.version;
    request.configuration = configuration;
    request.block = block;
    request.training_seed = training_seed(study_, seed_block);
    request.purpose = purpose;
    request.weights = weights_of(workload, configuration.environment.name, block);
    if (workload.builtin) {
      const bool saves = makers_.contains(workload.name);
      request.arguments = builtin_arguments(workload, request, trainer_program_, saves);
    } else {
      fill_script(workload, request);
    }
    request.working_directory = study_.directory.string();
    request.variables = variables_of(workload, configuration);
    request.use_terminal = workload.use_terminal;
    request.metric = workload.metric;
    request.protocol = study_.protocol;
    request.protocol.repetitions = study_.repetitions;
    std::erase_if(request.protocol.outliers, [&](const OutlierRule& rule) {
      return std::find(rule.workloads.begin(), rule.workloads.end(), workload.name) == rule.workloads.end();
    });
    request.key = run_key(request);
    return request;
  }

  // The original of the workload that makes them, in the same environment and block.
  [[nodiscard]] Weights weights_of(const Workload& workload, const std::string& environment, int block) const {
    Weights weights;
    weights.file = workload.weights;
    weights.ledger = workload.ledger;
    weights.workload = workload.weights_of;
    if (workload.weights_of.empty()) return weights;
    const auto maker = std::find_if(
        layout_.configurations.begin(), layout_.configurations.end(), [&](const Configuration& configuration) {
          return configuration.workload == workload.weights_of && configuration.original() &&
                 configuration.colocation.alone() && configuration.environment.name == environment;
        });
    weights.key = request(*maker, block, block, Purpose::score).key;
    return weights;
  }

  // Whoever comes before the maker of its weights changes places with it: with one maker every order that is possible
  // stays as likely as any other.
  static void put_behind_their_weights(std::vector<std::vector<std::size_t>>& units,
                                       const std::vector<RunRequest>& requests) {
    std::map<std::string_view, std::size_t> places;  // of makers, all of them alone in their unit
    for (std::size_t i = 0; i < units.size(); ++i) {
      if (units[i].size() == 1) places[requests[units[i].front()].key] = i;
    }
    for (std::size_t i = 0; i < units.size(); ++i) {
      for (bool ready = false; !ready;) {
        ready = true;
        for (const std::size_t member : units[i]) {
          const auto maker = places.find(requests[member].weights.key);
          if (maker == places.end() || maker->second < i) continue;
          const std::size_t later = maker->second;
          std::swap(units[i], units[later]);
          places[requests[units[i].front()].key] = i;
          places[requests[units[later].front()].key] = later;
          ready = false;
          break;
        }
      }
    }
  }

  // Of the first original that needs nobody's weights: it comes before all others. There is one, for who needs weights
  // is left out with their maker.
  [[nodiscard]] RunRequest control(int block) const {
    const auto first = std::find_if(
        layout_.configurations.begin(), layout_.configurations.end(), [&](const Configuration& configuration) {
          return configuration.original() && workload_named(study_, configuration.workload).weights_of.empty();
        });
    RunRequest run = request(*first, block, 1, Purpose::control);
    run.pair_key = run.key;
    return run;
  }

  static void name_group(const std::vector<std::size_t>& group, std::vector<RunRequest>& requests) {
    std::vector<std::string> keys;
    keys.reserve(group.size());
    for (const std::size_t member : group) keys.push_back(requests[member].key);
    for (const std::size_t member : group) requests[member].group = group_digest(keys);
  }

  const Study& study_;
  const Layout& layout_;
  const std::string& trainer_program_;
  std::vector<std::vector<std::size_t>> units_;
  std::set<std::string> makers_;  // workloads with whose weights others begin
};

}  // namespace

std::string_view to_string(Purpose purpose) {
  switch (purpose) {
    case Purpose::profile:
      return "profile";
    case Purpose::control:
      return "control";
    case Purpose::proof:
      return "proof";
    case Purpose::partner:
      return "partner";
    case Purpose::warm_up:
      return "warm_up";
    case Purpose::score:
      break;
  }
  return "score";
}

std::string in_blocks(const Repetitions& repetitions) {
  if (repetitions.adaptive()) return fmt::format("{} to {} blocks", repetitions.min, repetitions.max);
  return fmt::format("{} {}", repetitions.max, repetitions.max == 1 ? "block" : "blocks");
}

Result<Plan> make_plan(const Study& study, const std::string& trainer_program, std::optional<int> cores) {
  auto layout = lay_out(study, cores);
  if (!layout) return tl::unexpected(layout.error());
  const Planner planner(study, *layout, trainer_program);
  Plan plan;
  for (int block = 1; block <= study.repetitions.max; ++block) {
    for (RunRequest& request : planner.block(block)) {
      request.order = static_cast<int>(plan.runs.size()) + 1;
      plan.runs.push_back(std::move(request));
    }
  }
  plan.configurations = std::move(layout->configurations);
  plan.excluded = std::move(layout->excluded);
  plan.warnings = std::move(layout->warnings);
  return plan;
}

}  // namespace wattle::study
