#include "options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "version.h"

namespace wattle::trainer {
namespace {

std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// Texts as they were given; each is read, and checked, by its own rule afterwards.
struct Texts {
  std::string seed, threads, classes, input_size, channels, checkpoint_every, ledger_joules;
  std::vector<std::optional<std::string>> hyperparameters;
};

class Reader {
 public:
  explicit Reader(const KnownNames& known) : known_(known) {
    app_.description("Trains image classifiers and their kin, and tells Wattle what it does (WATTLE_EVENTS).");
    app_.set_help_flag("--help,-h", "This text");
    app_.allow_extras();
    app_.get_formatter()->column_width(34);
    add_fixed_flags();
    add_hyperparameters();
  }

  Result<Options> read(int count, const char* const* arguments) {
    try {
      app_.parse(count, arguments);
    } catch (const CLI::CallForHelp&) {
      return print(app_.help());
    } catch (const CLI::ParseError& error) {
      return bad_input(error.what());
    }
    if (version_) {
      return print(fmt::format("wattle-train {}\n", kVersion));
    }
    check_unknown();
    check_names();
    read_hyperparameters();
    options_.seed = whole<std::uint64_t>("--seed", texts_.seed, 0, std::numeric_limits<std::uint64_t>::max());
    options_.threads = whole<int>("--threads", texts_.threads, 1, 1024);
    options_.checkpoint_every = whole<std::int64_t>("--checkpoint-every", texts_.checkpoint_every, 1, 1'000'000);
    read_joules();
    read_action();
    if (!problems_.empty()) {
      return bad_input(fmt::format("{}", fmt::join(problems_, "\n")));
    }
    return options_;
  }

 private:
  void add_fixed_flags() {
    texts_ = {"0", "1", "10", "", "", "1", "", {}};
    app_.add_option("--model", options_.model, fmt::format("One of {}", fmt::join(known_.models, ", ")))
        ->capture_default_str();
    app_.add_option("--dataset", options_.dataset, fmt::format("One of {}", fmt::join(known_.datasets, ", ")))
        ->capture_default_str();
    app_.add_option("--data", options_.data, "Where the data lies: a folder or an archive")->type_name("PATH");
    app_.add_option("--seed", texts_.seed, "Of parameters, orders, dropout")->type_name("INT")->default_str("0");
    app_.add_option("--device", options_.device, "cpu, cuda, or one of several: cuda:0, cuda:1…")
        ->capture_default_str();
    app_.add_option("--threads", texts_.threads, "Of libtorch and of decoding")->type_name("INT")->default_str("1");
    add_checkpoint_flags();
    app_.add_flag("--json", options_.json, "The result as JSON on standard output, progress on standard error");
    app_.add_flag("--list", list_, "Models, data sets and hyperparameters as JSON");
    app_.add_flag("--summary", summary_, "Layers, parameters and GFLOPs of --model");
    app_.add_option("--classes", texts_.classes, "Of --summary")->type_name("INT")->default_str("10");
    app_.add_option("--input-size", texts_.input_size, "Of --summary: pixels a side")->type_name("INT");
    app_.add_option("--channels", texts_.channels, "Of --summary: 1 grey, 3 colour")->type_name("INT");
    app_.add_flag("--version", version_, "The version of its mathematics");
  }

  void add_checkpoint_flags() {
    app_.add_option("--weights", options_.weights, "Begin with these weights (safetensors)")->type_name("FILE");
    app_.add_option("--ledger-joules", texts_.ledger_joules, "Joules that making --weights took, for its ledger")
        ->type_name("FLOAT");
    app_.add_option("--save", options_.save, "Write the weights that were tested, with their ledger")
        ->type_name("FILE");
    app_.add_option("--checkpoint", options_.checkpoint, "Write all that --resume needs, while training")
        ->type_name("FILE");
    app_.add_option("--checkpoint-every", texts_.checkpoint_every, "Epochs from one --checkpoint to the next")
        ->type_name("INT")
        ->default_str("1");
    app_.add_option("--resume", options_.resume, "Go on from this --checkpoint")->type_name("FILE");
  }

  void add_hyperparameters() {
    const auto kinds = hyperparameter_kinds();
    texts_.hyperparameters.resize(kinds.size());
    for (std::size_t index = 0; index < kinds.size(); ++index) {
      const HyperparameterKind& kind = kinds[index];
      app_.add_option(kind.flag(), texts_.hyperparameters[index],
                      fmt::format("{} ({})", kind.meaning, kind.domain_text()))
          ->type_name(std::string(kind.type()))
          ->default_str(std::string(kind.standard))
          ->group("Hyperparameters");
    }
  }

  void check_unknown() {
    std::vector<std::string> flags;
    for (const CLI::Option* option : app_.get_options()) {
      flags.push_back("--" + option->get_lnames().front());
    }
    bool after_flag = false;  // what follows an unknown flag is its value
    for (const std::string& extra : app_.remaining()) {
      const std::string flag = extra.substr(0, extra.find('='));
      if (flag.starts_with("-")) {
        problems_.push_back(unknown("unknown flag", flag, flags));
      } else if (!after_flag) {
        problems_.push_back(fmt::format("`{}` stands alone; values follow a flag", extra));
      }
      after_flag = flag.starts_with("-");
    }
  }

  void check_names() {
    if (std::find(known_.models.begin(), known_.models.end(), options_.model) == known_.models.end()) {
      problems_.push_back(unknown("unknown model", options_.model, known_.models));
    }
    if (std::find(known_.datasets.begin(), known_.datasets.end(), options_.dataset) == known_.datasets.end()) {
      problems_.push_back(unknown("unknown data set", options_.dataset, known_.datasets));
    }
    const std::string& device = options_.device;
    const bool numbered =
        device.starts_with("cuda:") && device.size() > 5 && device.size() < 8 &&
        std::all_of(device.begin() + 5, device.end(), [](char digit) { return '0' <= digit && digit <= '9'; });
    if (device != "cpu" && device != "cuda" && !numbered) {
      problems_.push_back(fmt::format("--device {}: must be cpu, cuda, or one of several as cuda:0", device));
    }
  }

  static std::string unknown(std::string_view what, const std::string& name, const std::vector<std::string>& known) {
    const auto near = nearest(name, known);
    return near ? fmt::format("{} `{}`; did you mean `{}`?", what, name, *near) : fmt::format("{} `{}`", what, name);
  }

  void read_hyperparameters() {
    const auto kinds = hyperparameter_kinds();
    for (std::size_t index = 0; index < kinds.size(); ++index) {
      if (const auto& text = texts_.hyperparameters[index]) {
        if (const auto set = kinds[index].set(options_.values, *text); !set) {
          std::string problem = set.error().message;
          const auto& choices = kinds[index].domain.choices;
          if (const auto near = nearest(*text, {choices.begin(), choices.end()})) {
            problem += fmt::format("; did you mean `{}`?", *near);
          }
          problems_.push_back(problem);
        }
      }
    }
  }

  template <typename Number>
  Number whole(std::string_view flag, std::string_view text, Number minimum, Number maximum) {
    Number number{};
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || end != text.data() + text.size() || number < minimum || number > maximum) {
      problems_.push_back(fmt::format("{} {}: must be a whole number from {} to {}", flag, text, minimum, maximum));
    }
    return number;
  }

  void read_joules() {
    const std::string& text = texts_.ledger_joules;
    if (text.empty()) {
      return;
    }
    double joules = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), joules);
    if (problem != std::errc{} || end != text.data() + text.size() || !std::isfinite(joules) || joules < 0) {
      problems_.push_back(fmt::format("--ledger-joules {}: must be a number from 0 on", text));
    } else if (options_.weights.empty()) {
      problems_.emplace_back("--ledger-joules says what --weights cost: it needs --weights FILE");
    }
    options_.ledger_joules = joules;
  }

  void read_action() {
    options_.action = list_ ? Options::Action::kList : summary_ ? Options::Action::kSummary : Options::Action::kTrain;
    if (options_.action == Options::Action::kSummary) {
      options_.classes = whole<std::int64_t>("--classes", texts_.classes, 1, 1'000'000);
      if (!texts_.input_size.empty()) {
        options_.input_size = whole<std::int64_t>("--input-size", texts_.input_size, 1, 4096);
      }
      if (!texts_.channels.empty()) {
        options_.channels = whole<std::int64_t>("--channels", texts_.channels, 1, 4096);
      }
    }
    const auto& paths = known_.datasets_with_path;
    const bool path = std::find(paths.begin(), paths.end(), options_.dataset) != paths.end();
    if (options_.action == Options::Action::kTrain && path && options_.data.empty()) {
      problems_.push_back(fmt::format("data set {} needs --data PATH", options_.dataset));
    } else if (options_.action == Options::Action::kTrain && !path && !options_.data.empty()) {
      problems_.push_back(fmt::format("data set {} takes no --data", options_.dataset));
    }
  }

  static Options print(std::string text) {
    Options options;
    options.action = Options::Action::kPrint;
    options.text = std::move(text);
    return options;
  }

  const KnownNames& known_;
  CLI::App app_{"", "wattle-train"};
  Options options_;
  Texts texts_;
  bool list_ = false, summary_ = false, version_ = false;
  std::vector<std::string> problems_;
};

}  // namespace

Result<Options> parse_options(int count, const char* const* arguments, const KnownNames& known) {
  return Reader(known).read(count, arguments);
}

std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known) {
  std::optional<std::string> best;
  std::size_t shortest = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    if (const std::size_t distance = edit_distance(name, candidate); distance < shortest) {
      shortest = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace wattle::trainer
