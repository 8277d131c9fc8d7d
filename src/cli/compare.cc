// wattle compare 'CMD A' 'CMD B': which of them takes less energy and time, with interval, test and effect size.
#include "meter/compare.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "meter/command_line.h"
#include "report/table.h"
#include "stats/descriptive.h"

namespace wattle::cli {
namespace {

using nlohmann::json;

struct Asked {
  std::vector<std::string> commands;
  std::vector<std::string> lists;  // name, values, name, values …
  std::string interval = "20ms";
  int runs = 10;
  int warm_ups = 1;
  bool show_output = false;
};

Result<std::vector<meter::ParameterList>> parameter_lists(const std::vector<std::string>& flat) {
  std::vector<meter::ParameterList> lists;
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2) {
    auto values = split(flat[i + 1], ',');
    if (flat[i].empty() || flat[i + 1].empty()) {
      return fail(ErrorKind::bad_input, "-L needs a name and its values", "for example -L batch 64,128");
    }
    lists.emplace_back(flat[i], std::move(values));
  }
  return lists;
}

Result<std::vector<std::vector<std::string>>> commands_of(const Asked& asked) {
  const auto lists = parameter_lists(asked.lists);
  if (!lists) return tl::unexpected(lists.error());
  std::vector<std::vector<std::string>> commands;
  for (const std::string& text : asked.commands) {
    const auto words = meter::split_words(text);
    if (!words) return tl::unexpected(words.error());
    for (const auto& values : meter::combinations(*lists)) {
      auto command = meter::with_values(*words, values);
      // A command without the placeholder is one command, not one a value.
      if (std::find(commands.begin(), commands.end(), command) == commands.end())
        commands.push_back(std::move(command));
    }
  }
  if (commands.size() < 2) {
    return fail(ErrorKind::bad_input, "compare needs two commands or more",
                "wattle compare 'python3 train.py --batch-size 64' 'python3 train.py --batch-size 256'");
  }
  return commands;
}

char letter(std::size_t index) { return static_cast<char>('A' + static_cast<int>(index % 26)); }

// --- JSON ------------------------------------------------------------------------------------------------

json ratio_json(const std::optional<meter::PairedRatio>& ratio) {
  if (!ratio) return {};
  json item{{"pairs", ratio->pairs},
            {"ratio", ratio->ratio},
            {"p_value", ratio->p_value},
            {"test", "Wilcoxon signed-rank on log ratios, two-sided"},
            {"cliffs_delta", ratio->cliffs_delta},
            {"probability_less", ratio->probability_less}};
  item["low"] = ratio->low ? json(*ratio->low) : json();
  item["high"] = ratio->high ? json(*ratio->high) : json();
  return item;
}

json values_json(const std::vector<std::optional<double>>& values) {
  json list = json::array();
  for (const auto& value : values) list.push_back(value ? json(*value) : json());
  return list;
}

json as_json(const meter::Comparison& comparison) {
  json commands = json::array();
  for (const meter::Contestant& one : comparison.commands) {
    commands.push_back({{"command", one.arguments},
                        {"energy_j", values_json(one.energy_j)},
                        {"duration_s", one.duration_s},
                        {"estimated", one.estimated},
                        {"why_absent", one.why_absent}});
  }
  json against = json::array();
  for (std::size_t i = 0; i < comparison.energy.size(); ++i) {
    against.push_back({{"command", i + 1},
                       {"against", 0},
                       {"energy", ratio_json(comparison.energy[i])},
                       {"time", ratio_json(comparison.time[i])}});
  }
  return {{"commands", commands}, {"comparisons", against}};
}

// --- Text ------------------------------------------------------------------------------------------------

std::string percent(double ratio) { return significant(100.0 * std::abs(1.0 - ratio), 3); }

std::string interval_text(const meter::PairedRatio& ratio) {
  if (!ratio.low || !ratio.high) return fmt::format("[too few pairs for an interval: {} of 6]", ratio.pairs);
  const double less_at_most = 100.0 * (1.0 - *ratio.low);
  const double less_at_least = 100.0 * (1.0 - *ratio.high);
  const bool less = ratio.ratio <= 1.0;
  return less ? fmt::format("[{}, {}]", significant(less_at_least, 3), significant(less_at_most, 3))
              : fmt::format("[{}, {}]", significant(-less_at_most, 3), significant(-less_at_least, 3));
}

std::string ratio_text(const std::optional<meter::PairedRatio>& ratio, const char* what) {
  if (!ratio) return fmt::format("{}: nothing can be said", what);
  return fmt::format("{} % {} {} {}  (p = {}, Cliff's delta {}, n = {} pairs)", percent(ratio->ratio),
                     ratio->ratio <= 1.0 ? "less" : "more", what, interval_text(*ratio), significant(ratio->p_value, 2),
                     significant(ratio->cliffs_delta, 2), ratio->pairs);
}

std::string mean_text(const std::vector<double>& values, auto show) {
  const auto mean = stats::mean(values);
  const auto half = stats::mean_half_width(values);
  if (!mean) return "–";
  return half ? fmt::format("{} ± {}", show(*mean), show(*half)) : show(*mean);
}

std::vector<double> known(const std::vector<std::optional<double>>& values) {
  std::vector<double> some;
  for (const auto& value : values) {
    if (value) some.push_back(*value);
  }
  return some;
}

bool decided(const std::optional<meter::PairedRatio>& ratio) { return ratio && ratio->p_value < 0.05; }

// The answer first: energy where it was measured, time where it was not.
std::string answer(const meter::Comparison& comparison, std::size_t index) {
  const bool estimated = comparison.commands.front().estimated || comparison.commands[index + 1].estimated;
  const auto& energy = comparison.energy[index];
  const auto& time = comparison.time[index];
  std::string text = fmt::format("{} uses ", letter(index + 1));
  text += ratio_text(energy, estimated ? "estimated energy" : "energy");
  text += ", " + ratio_text(time, "time") + " than A";
  if (estimated) {
    text += ". Energy is estimated from time and CPU use here, so only the time says anything";
  } else if (!decided(energy)) {
    text += ". Undecided: more runs may tell";
  }
  return report::wrapped(text, 80);
}

std::string as_text(const meter::Comparison& comparison, bool colour) {
  std::string text;
  for (std::size_t i = 0; i < comparison.energy.size(); ++i) text += answer(comparison, i);
  report::Table table({{"", report::Align::left, false},
                       {"energy", report::Align::right, false},
                       {"time", report::Align::right, false},
                       {"command", report::Align::left, true}});
  for (std::size_t i = 0; i < comparison.commands.size(); ++i) {
    const meter::Contestant& one = comparison.commands[i];
    const std::string mark = one.estimated ? " est." : "";
    table.add_row({{std::string(1, letter(i))},
                   {mean_text(known(one.energy_j), [](double j) { return human(Joules{j}); }) + mark},
                   {mean_text(one.duration_s, [](double s) { return human(Seconds{s}); })},
                   {one.label}});
    if (!one.why_absent.empty()) table.add_note({"no energy: " + one.why_absent, report::Tone::dim});
  }
  return text + table.render(80, colour) + "± and [ ] are 95 % intervals over the repetitions\n";
}

int compare(const Context& context, const Asked& asked) {
  const auto commands = commands_of(asked);
  if (!commands) return tell(commands.error());
  const auto period = parse_duration(asked.interval);
  if (!period || *period < milliseconds(1) || *period > seconds(60)) {
    return tell({ErrorKind::bad_input, "--interval: a duration from 1ms to 60s is needed", "--interval 20ms"});
  }
  meter::CompareOptions options;
  options.runner = context.runner_options();
  options.interval = *period;
  options.runs = asked.runs;
  options.warm_ups = asked.warm_ups;
  options.seed = context.seed.value_or(1);
  options.show_output = asked.show_output;
  Signals signals({});
  std::stop_source stop;
  const std::stop_callback first(signals.after_run.get_token(), [&] { stop.request_stop(); });
  SystemClock clock;
  const Nanoseconds begin = clock.monotonic();
  const bool live = is_terminal(2) && !asked.show_output;
  const auto progress = [&](int done, int all) {
    const Seconds left = to_seconds((clock.monotonic() - begin) * std::int64_t{all - done}) / done;
    if (live) fmt::print(stderr, "\r\033[Kround {}/{}   {} left", done, all, human(left));
    if (live && done == all) fmt::print(stderr, "\r\033[K");
  };
  const auto comparison = meter::compare(*commands, options, clock, stop.get_token(), progress);
  if (!comparison) {
    if (live) fmt::print(stderr, "\r\033[K");
    return tell(comparison.error());
  }
  if (context.json) return give(context, as_json(*comparison));
  return give(context, as_text(*comparison, context.output.empty() && wants_colour(1)));
}

}  // namespace

void add_compare(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("compare", "Compare the energy and time of two commands or more");
  auto asked = std::make_shared<Asked>();
  sub->add_option("commands", asked->commands, "Commands, each in one word; no shell is used")->type_name("'COMMAND'");
  sub->add_option("-L,--parameter-list", asked->lists, "Put each of these values for {name}, as commands of their own")
      ->type_name("NAME V1,V2")
      ->type_size(2)
      ->expected(-1)
      ->allow_extra_args(false);
  sub->add_option("--runs", asked->runs, "Rounds; each runs every command once, in random order")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  sub->add_option("--warmup", asked->warm_ups, "Rounds before them, untold")
      ->type_name("N")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  sub->add_option("--interval", asked->interval, "Time between samples")->type_name("DURATION")->capture_default_str();
  sub->add_flag("--show-output", asked->show_output, "Let the commands' output through");
  sub->footer(
      "The first command is what the others are compared with. Pairs are of one round, so drift meets both alike.\n"
      "Examples:\n  wattle compare 'python3 train.py --batch-size 64' 'python3 train.py --batch-size 256'\n"
      "  wattle compare --runs 20 -L threads 1,2,4 'env OMP_NUM_THREADS={threads} ./train'");
  sub->callback([&context, &chosen, asked] { chosen = [&context, asked] { return compare(context, *asked); }; });
}

}  // namespace wattle::cli
