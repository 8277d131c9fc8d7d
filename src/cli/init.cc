// wattle init -- COMMAND: runs somebody's script once, measured, and drafts a study of it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <system_error>

#include "base/text.h"
#include "cli/context.h"
#include "meter/one_off.h"
#include "study/draft.h"
#include "study/plan.h"

namespace wattle::cli {
namespace {

namespace fs = std::filesystem;

struct InitOptions {
  bool force = false;
  int repetitions = 8;
};

Result<record::Attempt> run_first(const Context& context) {
  Signals signals({});
  std::stop_source stop;
  const std::stop_callback first(signals.after_run.get_token(), [&] { stop.request_stop(); });
  SystemClock clock;
  meter::OneOff what;
  what.arguments = context.command;
  what.variables["PYTHONUNBUFFERED"] = "1";
  what.use_terminal = true;  // as the study will run it
  return meter::run_one_off(what, context.runner_options(), clock, stop.get_token());
}

// A word that can name a study, a workload and a TOML table: the script's file name, else the program's.
std::string name_of(const std::vector<std::string>& command) {
  std::string name = fs::path(command.front()).stem().string();
  for (const std::string& argument : command) {
    const fs::path path(argument);
    if (!argument.starts_with('-') && path.has_extension() && path.extension() != ".") {
      name = path.stem().string();
      break;
    }
  }
  std::erase_if(name, [](unsigned char c) { return std::isalnum(c) == 0 && c != '_' && c != '-'; });
  return name.empty() ? "script" : name;
}

study::Draft draft_of(const Context& context, const InitOptions& options, const record::Attempt& attempt,
                      const std::vector<study::DraftMetric>& metrics) {
  study::Draft draft;
  draft.name = name_of(context.command);
  draft.arguments = context.command;
  draft.parameters = study::find_hyperparameters(context.command);
  draft.seed = study::find_seed(context.command);
  if (!metrics.empty()) draft.metric = metrics.front();
  draft.repetitions = options.repetitions;
  if (attempt.record.duration) draft.one_run = to_seconds(*attempt.record.duration);
  return draft;
}

std::string cost_text(const record::Record& record) {
  std::string text = record.duration ? human(to_seconds(*record.duration)) : "unknown time";
  if (record.measured.energy) {
    text += fmt::format(", {} ±{:.1f} % (measured)", human(to_joules(*record.measured.energy)),
                        100.0 * record.measured.uncertainty);
  } else if (record.estimated.energy) {
    text += fmt::format(", {} ±{:.0f} % (estimated: this machine has no energy counter to read)",
                        human(to_joules(*record.estimated.energy)), 100.0 * record.estimated.uncertainty);
  }
  return text;
}

std::string summary_text(const study::Draft& draft, const record::Record& record,
                         const std::vector<study::DraftMetric>& metrics, const std::string& file) {
  std::string text = fmt::format("ran once: {}\n", cost_text(record));
  text += "metrics seen in its output:\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(4, metrics.size()); ++i) {
    text += fmt::format("  {} {:12} {}   ({} line{} like this)\n", i == 0 ? "*" : " ", printable(metrics[i].name),
                        printable(metrics[i].example), metrics[i].lines, metrics[i].lines == 1 ? "" : "s");
  }
  if (metrics.empty()) text += "  none: say in the study how a metric line looks\n";
  std::vector<std::string> numbers;
  for (const study::DraftParameter& parameter : draft.parameters) {
    numbers.push_back(fmt::format("{} {}", parameter.flag, study::to_text(parameter.value)));
  }
  text +=
      fmt::format("hyperparameters: {}\n", numbers.empty() ? "no numbers on the command line" : join(numbers, "   "));
  const int mutants = study::mutants_of(draft);
  const int runs = (1 + mutants) * draft.repetitions;
  text += fmt::format("wrote {}   (1 original + {} mutants × {} repetitions = {} runs, about {})\n", file, mutants,
                      draft.repetitions, runs, human(Seconds{draft.one_run.value * runs}));
  return text + fmt::format("next:  wattle run {}\n", file);
}

nlohmann::json summary_json(const study::Draft& draft, const record::Record& record,
                            const std::vector<study::DraftMetric>& metrics, const std::string& file) {
  nlohmann::json found = nlohmann::json::array();
  for (const study::DraftMetric& metric : metrics) {
    found.push_back(
        {{"name", metric.name}, {"regex", metric.regex}, {"lines", metric.lines}, {"example", metric.example}});
  }
  nlohmann::json parameters = nlohmann::json::array();
  for (const study::DraftParameter& parameter : draft.parameters) {
    parameters.push_back(
        {{"name", parameter.name}, {"flag", parameter.flag}, {"default", study::to_text(parameter.value)}});
  }
  return {{"study", file},
          {"duration_s", draft.one_run.value},
          {"metrics", found},
          {"hyperparameters", parameters},
          {"measured_energy_j",
           record.measured.energy ? nlohmann::json(to_joules(*record.measured.energy).value) : nlohmann::json()},
          {"estimated_energy_j",
           record.estimated.energy ? nlohmann::json(to_joules(*record.estimated.energy).value) : nlohmann::json()},
          {"runs", (1 + study::mutants_of(draft)) * draft.repetitions}};
}

Error failed_first_run(const record::Attempt& attempt) {
  if (attempt.record.end == record::EndState::interrupted) return {ErrorKind::interrupted, "interrupted", {}};
  return {ErrorKind::failed, fmt::format("the command failed: {}; nothing was written", attempt.record.reason),
          "it must run by itself before it can be studied"};
}

int init(const Context& given, const InitOptions& options) {
  Context context = given;
  const std::string file = context.output.empty() ? "study.toml" : context.output;
  context.output.clear();
  if (context.command.empty()) {
    return tell({ErrorKind::bad_input, "init what? no command was given", "wattle init -- python3 train.py --lr 0.1"});
  }
  std::error_code code;
  if (fs::exists(file, code) && !options.force) {
    return tell({ErrorKind::bad_input, fmt::format("{} exists already", file),
                 "name another with --output FILE, or replace it with --force"});
  }
  note(fmt::format("running once: {}", printable(shell_quoted(context.command))));
  const auto attempt = run_first(context);
  if (!attempt) return tell(attempt.error());
  if (!record::successful(attempt->record.end)) return tell(failed_first_run(*attempt));
  const auto metrics = study::find_metrics(attempt->output);
  const study::Draft draft = draft_of(context, options, *attempt, metrics);
  if (const auto written = write_text(file, study::to_toml(draft)); !written) return tell(written.error());
  if (context.json) return give(context, summary_json(draft, attempt->record, metrics, file));
  return give(context, summary_text(draft, attempt->record, metrics, file));
}

}  // namespace

void add_init(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("init", "Run your script once, measured, and write a study of it");
  auto options = std::make_shared<InitOptions>();
  sub->add_flag("--force", options->force, "Replace the study file if there is one");
  sub->add_option("--repetitions", options->repetitions, "Blocks of the study")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  sub->prefix_command();
  sub->footer(
      "Writes study.toml, or what --output names.\n"
      "Example:\n  wattle init -- python3 train.py --lr 0.1 --epochs 10 --batch-size 128");
  sub->callback([&context, &chosen, options, sub] {
    if (context.command.empty()) context.command = sub->remaining();
    chosen = [&context, options] { return init(context, *options); };
  });
}

}  // namespace wattle::cli
