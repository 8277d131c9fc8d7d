// wattle stats TEST: statistics on anybody's CSV.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cli/context.h"
#include "cli/stats_request.h"
#include "report/table.h"
#include "stats/random.h"

namespace wattle::cli {

std::string figure(double value) {
  if (std::isinf(value)) return value > 0.0 ? "infinite" : "minus infinite";
  return fmt::format("{:.4g}", value);
}

std::string p_text(double p) { return fmt::format("p = {:.3g}", p); }

std::string against_chance(double p) {
  if (p < 0.001) return "chance alone hardly ever looks so";
  if (p < 0.01) return "chance alone looks so in less than 1 case of 100";
  if (p < 0.05) return "chance alone looks so in less than 1 case of 20";
  return fmt::format("not shown, chance alone looks so in {:.3g} % of cases", 100.0 * p);
}

nlohmann::json interval_json(const char* of, double low, double high, double level) {
  return {{"of", of}, {"low", low}, {"high", high}, {"level", level}};
}

std::string same_data(const StatsRequest& request, const std::string& test) {
  std::vector<std::string> words{"wattle", "stats", test, "--data", request.data};
  const auto add = [&](const char* option, const std::string& value) {
    if (value.empty()) return;
    words.emplace_back(option);
    words.push_back(value);
  };
  add("--value", request.value);
  for (const std::string& by : request.by) add("--by", by);
  add("--x", request.x);
  add("--y", request.y);
  add("--groups", join(request.groups, ","));
  return shell_quoted(words);
}

namespace {

constexpr const char* kExamples = R"(
Examples:
  wattle stats --list
  wattle stats wilcoxon --data runs.csv --value energy_j --by method --pair block
  wattle stats mann-whitney --data runs.csv --value energy_j --by method --groups new,old --alternative less
  wattle stats kruskal-wallis --data runs.csv --value energy_j --by architecture
  wattle stats spearman --data runs.csv --x flops --y energy_j
  wattle stats non-inferiority --data runs.csv --value accuracy --by method --pair block --margin 0.01
  wattle stats kaplan-meier --data runs.csv --value energy_to_target_j --event reached --by method
  wattle stats pareto --data runs.csv --minimize energy_j --maximize accuracy --by model
  wattle export --format csv | wattle stats shapiro-wilk --data - --value measured_energy_j --by configuration
  wattle stats power --n 5 --effect 1

Differences are the first group less the second: in the order of --groups, else as they come in the file.
Empty cells, NA and NaN are missing: their rows are left out, and told. Exit codes: 0 done, 2 bad input.)";

std::vector<StatsTest> all_tests() {
  std::vector<StatsTest> all;
  for (const auto* family : {&pair_tests(), &margin_tests(), &group_tests(), &lifetime_tests(), &planning_tests()}) {
    all.insert(all.end(), family->begin(), family->end());
  }
  return all;
}

int list(const Context& context) {
  nlohmann::json json = nlohmann::json::array();
  const int width = terminal_width(1);
  std::string text;
  for (const StatsTest& test : all_tests()) {
    std::string options;
    nlohmann::json names = nlohmann::json::array();
    for (const std::string& option : split(test.options, ' ')) {
      options += (options.empty() ? "--" : " --") + option;
      names.push_back("--" + option);
    }
    json.push_back({{"test", test.name}, {"what", test.what}, {"options", names}});
    text += report::wrapped(test.what, width, fmt::format("{:<20}", test.name));
    text += report::toned(report::wrapped(options, width, std::string(20, ' ')), report::Tone::dim, wants_colour(1));
  }
  if (context.json) return give(context, json);
  return give(context, text);
}

// Options that were given but mean nothing to the test would mislead by silence.
Result<void> check_options(const StatsTest& test, const CLI::App& sub) {
  const std::vector<std::string> taken = split(test.options, ' ');
  for (const CLI::Option* option : sub.get_options()) {
    const std::string name = option->get_lnames().empty() ? "" : option->get_lnames().front();
    if (option->count() == 0 || name.empty() || name == "data" || name == "list" || name == "help") continue;
    if (std::find(taken.begin(), taken.end(), name) != taken.end()) continue;
    return fail(ErrorKind::bad_input, fmt::format("--{} has no meaning for {}", name, test.name),
                fmt::format("it takes --{}", join(taken, ", --")));
  }
  if (test.name == std::string_view("power") && sub.get_option("--data")->count() > 0) {
    return fail(ErrorKind::bad_input, "power reads no data", "give --n, --effect, or both");
  }
  return {};
}

Result<void> check_words(const StatsRequest& request) {
  const auto one_of = [](const char* option, const std::string& given, std::vector<std::string> words) -> Result<void> {
    if (given.empty() || std::find(words.begin(), words.end(), given) != words.end()) return {};
    const auto meant = nearest(given, words);
    return fail(ErrorKind::bad_input, fmt::format("--{} `{}` is not known", option, printable(given)),
                meant ? fmt::format("did you mean `{}`?", *meant) : fmt::format("there are {}", join(words, ", ")));
  };
  const bool resamples = request.test == "bootstrap";
  const bool margins = request.test == "non-inferiority" || request.test == "equivalence";
  std::vector<std::string> methods{"automatic", "exact", "normal"};
  if (resamples) methods = {"bca", "percentile"};
  if (margins) methods = {"rank", "mean"};
  if (const auto good = one_of("method", request.method, methods); !good) return good;
  if (const auto good = one_of("alternative", request.alternative, {"two-sided", "greater", "less"}); !good)
    return good;
  if (const auto good = one_of("better", request.better, {"higher", "lower"}); !good) return good;
  if (const auto good = one_of("statistic", request.statistic, {"mean", "median", "standard-deviation"}); !good)
    return good;
  for (const auto& [name, value] :
       {std::pair("level", request.level), {"alpha", request.alpha}, {"power", request.power}}) {
    if (!(value > 0.0 && value < 1.0))
      return fail(ErrorKind::bad_input, fmt::format("--{} {} is not between 0 and 1", name, value));
  }
  return {};
}

std::string text_of(const StatsRequest& request, const StatsAnswer& answer) {
  std::string text = report::wrapped(answer.sentence, 120, request.test + ": ");
  for (const std::string& line : answer.figures) text += "  " + printable(line) + "\n";
  for (const std::string& line : answer.notes) text += "  note: " + printable(line) + "\n";
  if (!answer.next.empty()) text += "next: " + answer.next + "\n";
  return text;
}

int run(const Context& context, StatsRequest request, const CLI::App& sub) {
  const std::vector<StatsTest> tests = all_tests();
  std::vector<std::string> names;
  for (const StatsTest& test : tests) names.emplace_back(test.name);
  const auto chosen = std::find(names.begin(), names.end(), request.test);
  if (chosen == names.end()) {
    if (request.test.empty())
      return tell({ErrorKind::bad_input, "stats needs a test", "`wattle stats --list` names them"});
    const auto meant = nearest(request.test, names);
    return tell({ErrorKind::bad_input, fmt::format("there is no test `{}`", printable(request.test)),
                 meant ? fmt::format("did you mean `{}`?", *meant) : "`wattle stats --list` names them"});
  }
  const StatsTest& test = tests[static_cast<std::size_t>(chosen - names.begin())];
  if (const auto checked = check_options(test, sub); !checked) return tell(checked.error());
  if (const auto checked = check_words(request); !checked) return tell(checked.error());
  request.seed = context.seed.value_or(stats::kDefaultSeed);
  auto answer = test.run(request);
  if (!answer) return tell(answer.error());
  if (!context.json) return give(context, text_of(request, *answer));
  answer->json["test"] = request.test;
  answer->json["notes"] = answer->notes;
  answer->json["sentence"] = answer->sentence;
  for (const char* key : {"statistic", "p_value", "effect", "interval", "n", "method"})
    answer->json.emplace(key, nullptr);
  const std::vector<std::string> taken = split(test.options, ' ');
  if (std::find(taken.begin(), taken.end(), "alternative") != taken.end())
    answer->json["alternative"] = request.alternative;
  return give(context, answer->json);
}

void add_columns(CLI::App& sub, StatsRequest& request) {
  sub.add_option("--data", request.data, "CSV with a first line of names; - is standard input")->type_name("FILE");
  sub.add_option("--value", request.value, "Column of numbers")->type_name("COLUMN");
  sub.add_option("--by", request.by, "Column that tells groups apart; twice for interaction")
      ->type_name("COLUMN")
      ->allow_extra_args(false);
  sub.add_option("--groups", request.groups, "Only these groups, in this order")->type_name("A,B")->delimiter(',');
  sub.add_option("--pair", request.pair, "Column whose equal values belong together")->type_name("COLUMN");
  sub.add_option("--x", request.x, "First column of numbers, instead of --value and --by")->type_name("COLUMN");
  sub.add_option("--y", request.y, "Second column of numbers")->type_name("COLUMN");
  sub.add_option("--event", request.event, "Column: 1 where the event came, 0 where censored")->type_name("COLUMN");
  sub.add_option("--minimize", request.minimize, "Objective of pareto; may be repeated")
      ->type_name("COLUMN")
      ->allow_extra_args(false);
  sub.add_option("--maximize", request.maximize, "Objective of pareto; may be repeated")
      ->type_name("COLUMN")
      ->allow_extra_args(false);
}

void add_choices(CLI::App& sub, StatsRequest& request) {
  sub.add_option("--alternative", request.alternative, "two-sided (default), greater or less")->type_name("WORD");
  sub.add_option("--method", request.method, "exact or normal; bca or percentile; rank or mean")->type_name("WORD");
  sub.add_flag("--no-continuity", request.no_continuity, "No continuity correction in normal approximations");
  sub.add_option("--statistic", request.statistic, "mean, median or standard-deviation (bootstrap)")->type_name("WORD");
  sub.add_option("--better", request.better, "higher (default) or lower values are better (margins)")
      ->type_name("WORD");
  sub.add_option("--margin", request.margin, "How much worse is good enough")->type_name("NUMBER");
  sub.add_option("--shift", request.shift, "Hypothesis: the difference (default 0)")->type_name("NUMBER");
  sub.add_option("--resolution", request.resolution, "Round differences to multiples of this")->type_name("NUMBER");
  sub.add_option("--level", request.level, "Of intervals (default 0.95)")->type_name("NUMBER");
  sub.add_option("--alpha", request.alpha, "What counts as shown (default 0.05)")->type_name("NUMBER");
  sub.add_option("--horizon", request.horizon, "End of the restricted mean (kaplan-meier)")->type_name("NUMBER");
  sub.add_option("--reference", request.reference, "Worst point of the hypervolume, minimized objectives first")
      ->type_name("A,B")
      ->delimiter(',');
  sub.add_option("--resamples", request.resamples, "Of the bootstrap (default 10000)")->type_name("N");
  sub.add_option("--permutations", request.permutations, "Of interaction (default 9999)")->type_name("N");
  sub.add_option("--n", request.n, "Pairs, or values in each group (power)")->type_name("N");
  sub.add_option("--effect", request.effect, "In standard deviations (power)")->type_name("NUMBER");
  sub.add_option("--power", request.power, "Wanted (default 0.8)")->type_name("NUMBER");
}

}  // namespace

void add_stats(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("stats", "Statistics on any CSV: tests, effect sizes, intervals, fronts, power");
  const auto request = std::make_shared<StatsRequest>();
  const auto wants_list = std::make_shared<bool>(false);
  sub->add_option("TEST", request->test, "What to compute; --list names all");
  sub->add_flag("--list", *wants_list, "List the tests and the options that each takes");
  add_columns(*sub, *request);
  add_choices(*sub, *request);
  sub->footer(kExamples);
  sub->callback([&context, &chosen, request, wants_list, sub] {
    chosen = [&context, request, wants_list, sub] {
      return *wants_list ? list(context) : run(context, *request, *sub);
    };
  });
}

}  // namespace wattle::cli
