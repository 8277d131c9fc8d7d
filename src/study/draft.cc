#include "study/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace wattle::study {
namespace {

constexpr std::size_t kLongestLine = 1000;  // progress bars and dumps are no metric lines
constexpr int kVariedParameters = 3;
constexpr int kMutantsEach = 2;

std::optional<Value> number(std::string_view text) {
  if (const auto whole = parse_integer(text)) return Value(*whole);
  if (const auto real = parse_real(text); real && std::isfinite(*real)) return Value(*real);
  return std::nullopt;
}

bool is_seed(std::string_view name) { return name == "seed" || name.ends_with("_seed") || name == "random_state"; }

std::string parameter_name(std::string_view flag) {
  flag.remove_prefix(std::min(flag.find_first_not_of('-'), flag.size()));
  std::string name(flag);
  std::replace(name.begin(), name.end(), '-', '_');
  const bool plain = !name.empty() && std::isalpha(static_cast<unsigned char>(name[0])) != 0 &&
                     std::all_of(name.begin(), name.end(),
                                 [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
  return plain ? name : std::string();
}

std::vector<DraftParameter> numbers_of(std::span<const std::string> arguments) {
  std::vector<DraftParameter> found;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.starts_with('-')) continue;
    const auto equals = argument.find('=');
    const std::string flag = argument.substr(0, equals);
    const std::string name = parameter_name(flag);
    if (name.empty()) continue;
    if (equals != std::string::npos) {
      if (const auto value = number(argument.substr(equals + 1))) found.push_back({flag, name, *value, i, true});
    } else if (i + 1 < arguments.size()) {
      if (const auto value = number(arguments[i + 1])) found.push_back({flag, name, *value, i + 1, false});
    }
  }
  return found;
}

// --- Metric lines ----------------------------------------------------------------------------------------

// "val_acc 0.91", "accuracy: 91.2%", "loss=0.3": a word, a separator, a number.
struct NamedNumber {
  std::string name;
  double value = 0.0;
  bool of_total = false;  // "accuracy: 9887/10000 (99%)": the percentage is the value
};

bool word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '/' || c == '@' || c == '.';
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// The 99 of "/10000 (99%)".
std::optional<double> percentage_of_total(std::string_view rest) {
  if (!rest.starts_with('/')) return std::nullopt;
  rest.remove_prefix(std::min(rest.find_first_not_of("0123456789", 1), rest.size()));
  if (!rest.starts_with(" (")) return std::nullopt;
  const auto sign = rest.find('%');
  return sign == std::string_view::npos ? std::nullopt : parse_real(rest.substr(2, sign - 2));
}

std::optional<NamedNumber> named_number_at(std::string_view line, std::size_t& position) {
  const std::size_t word_end = static_cast<std::size_t>(
      std::find_if_not(line.begin() + static_cast<std::ptrdiff_t>(position), line.end(), word_character) -
      line.begin());
  const std::string_view word = line.substr(position, word_end - position);
  const std::size_t number_begin = std::min(line.find_first_not_of(" :=\t", word_end), line.size());
  position = word_end;
  const std::string_view separator = line.substr(word_end, number_begin - word_end);
  if (word.empty() || std::isalpha(static_cast<unsigned char>(word[0])) == 0 || separator.empty()) return std::nullopt;
  std::size_t number_end = number_begin;
  while (number_end < line.size() && (std::isdigit(static_cast<unsigned char>(line[number_end])) != 0 ||
                                      std::string_view("+-.eE").find(line[number_end]) != std::string_view::npos)) {
    ++number_end;
  }
  std::string_view digits = line.substr(number_begin, number_end - number_begin);
  while (digits.ends_with('.')) digits.remove_suffix(1);
  const auto value = parse_real(digits);
  if (!value || !std::isfinite(*value)) return std::nullopt;
  position = number_end;
  if (const auto percentage = percentage_of_total(line.substr(number_end))) {
    return NamedNumber{std::string(word), *percentage, true};
  }
  return NamedNumber{std::string(word), *value, false};
}

std::vector<NamedNumber> named_numbers(std::string_view line) {
  std::vector<NamedNumber> found;
  std::size_t position = 0;
  while (position < line.size()) {
    if (!word_character(line[position])) {
      ++position;
      continue;
    }
    if (auto named = named_number_at(line, position)) found.push_back(std::move(*named));
  }
  return found;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

constexpr std::string_view kNumber = R"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)";

std::string regex_of(const NamedNumber& metric, const std::optional<NamedNumber>& epoch) {
  // \b so that "acc" is not found inside "val_acc"; [ :=]* so that alignment blanks do not matter.
  std::string text;
  if (epoch) text = fmt::format(R"(\b{}[ \t:=]+(?<epoch>\d+).*?)", escaped(epoch->name));
  const char* total = metric.of_total ? R"([0-9]+/[0-9]+ \()" : "";
  const char* percent = metric.of_total ? "%" : "";
  return text + fmt::format(R"(\b{}[ \t:=]+{}(?<value>{}){})", escaped(metric.name), total, kNumber, percent);
}

bool holds(std::string_view name, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return name.find(part) != name.npos; });
}

bool smaller_is_better(std::string_view name) {
  return holds(name, {"loss", "err", "perplexity", "ppl", "mse", "mae", "wer", "nll"});
}

// 0: not a metric at all.
int promise(std::string_view given) {
  const std::string name = lower(given);
  const bool performance = holds(
      name, {"acc", "f1", "auc", "score", "precision", "recall", "map", "bleu", "dice", "iou", "rank", "top1", "r2"});
  if (!performance && !smaller_is_better(name)) return 0;
  int points = performance ? 2 : 1;
  if (holds(name, {"val", "valid", "dev", "eval"})) points += 6;
  if (holds(name, {"test"})) points += 4;
  if (holds(name, {"train"})) points -= 1;
  return std::max(points, 1);
}

std::string basic_string(const std::string& text) { return nlohmann::json(text).dump(); }

std::string literal_string(const std::string& text) {
  return text.find('\'') == std::string::npos ? "'" + text + "'" : basic_string(text);
}

// --- TOML --------------------------------------------------------------------------------------------------

std::string command_toml(const Draft& draft) {
  std::vector<std::string> arguments = draft.arguments;
  const auto replace = [&](const DraftParameter& parameter, const std::string& placeholder) {
    arguments[parameter.argument] = parameter.joined ? parameter.flag + "=" + placeholder : placeholder;
  };
  for (const DraftParameter& parameter : draft.parameters) replace(parameter, "{" + parameter.name + "}");
  if (draft.seed) replace(*draft.seed, "{seed}");
  std::vector<std::string> quoted;
  for (const std::string& argument : arguments) quoted.push_back(basic_string(argument));
  return fmt::format("command = [{}]", fmt::join(quoted, ", "));
}

std::string metric_toml(const Draft& draft) {
  if (!draft.metric) {
    return "# No line of the output looked like a metric. Say how yours looks; (?<value>…) marks the number:\n"
           "# metric = { name = \"accuracy\", goal = \"maximize\", tolerance = 0.01, "
           "regex = 'epoch (?<epoch>\\d+) acc (?<value>[0-9.]+)' }\n";
  }
  const DraftMetric& metric = *draft.metric;
  return fmt::format(
      "# Read from lines like:  {}\n"
      "# tolerance is a guess: the loss of {} that you would still call none.\n"
      "metric = {{ name = {}, goal = \"{}\", tolerance = {}, regex = {} }}\n",
      printable(metric.example), printable(metric.name), basic_string(metric.name),
      metric.goal == Goal::maximize ? "maximize" : "minimize", shortest(guess_tolerance(metric)),
      literal_string(metric.regex));
}

bool is_count(const DraftParameter& parameter) { return std::holds_alternative<std::int64_t>(parameter.value); }

std::string parameters_toml(const Draft& draft) {
  std::string text;
  for (const DraftParameter& parameter : draft.parameters) {
    const double value = *to_number(parameter.value);
    // A positive default stays positive; how far it may go is the author's to widen.
    const bool positive = value > 0.0;
    text += fmt::format("{} = {{ default = {}, type = \"{}\"{} }}\n", parameter.name, to_text(parameter.value),
                        is_count(parameter) ? "int" : "float",
                        !positive ? ""
                        : is_count(parameter)
                            ? fmt::format(", domain = [1, {}]", to_text(parameter.value) + "000")
                            : fmt::format(", domain = [{}, {}]", shortest(value / 1000.0), shortest(value * 1000.0)));
  }
  return text;
}

// What is worth varying first: epochs, then rates, then the rest; a zero has no range around it.
std::vector<DraftParameter> varied(const Draft& draft) {
  std::vector<DraftParameter> chosen;
  std::copy_if(draft.parameters.begin(), draft.parameters.end(), std::back_inserter(chosen),
               [](const DraftParameter& parameter) {
                 const double value = *to_number(parameter.value);
                 return value > 0.0 && (!is_count(parameter) || value >= 2.0);
               });
  const auto order = [](const DraftParameter& parameter) {
    const std::string name = lower(parameter.name);
    if (name.find("epoch") != name.npos) return 0;
    if (name == "lr" || name.find("rate") != name.npos) return 1;
    if (name.find("batch") != name.npos) return 2;
    if (holds(name, {"log", "worker", "thread", "device", "gpu", "port", "rank", "verbose", "print"})) return 9;
    return 3;
  };
  std::stable_sort(chosen.begin(), chosen.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
  std::erase_if(chosen, [&](const DraftParameter& parameter) { return order(parameter) == 9; });
  if (chosen.size() > kVariedParameters) chosen.resize(kVariedParameters);
  return chosen;
}

std::string mutations_toml(const Draft& draft) {
  std::string text;
  for (const DraftParameter& parameter : varied(draft)) {
    const bool epochs = lower(parameter.name).find("epoch") != std::string::npos;
    const double value = *to_number(parameter.value);
    text += fmt::format("\n[[mutate]]\nparameter = \"{}\"\n", parameter.name);
    if (epochs && value < 8.0) {
      text += "operator = \"step\"         # default ± 1, ± 2 …\nstep = 1\n";
    } else if (epochs) {
      text += "operator = \"scale\"        # uniform in range × default\nrange = [0.75, 1.25]\n";
    } else if (is_count(parameter)) {
      text += "operator = \"scale\"\nrange = [0.5, 2.0]\n";
    } else {
      text += "operator = \"log_scale\"    # log-uniform in range × default\nrange = [0.1, 10.0]\n";
    }
    text += fmt::format("mutants = {}\n", kMutantsEach);
  }
  return text;
}

}  // namespace

std::vector<DraftParameter> find_hyperparameters(std::span<const std::string> arguments) {
  std::vector<DraftParameter> found = numbers_of(arguments);
  std::erase_if(found, [](const DraftParameter& parameter) { return is_seed(parameter.name); });
  // A flag given twice: only the last counts for most programs, and one name can stand for one number only.
  for (std::size_t i = found.size(); i-- > 0;) {
    const auto later = std::find_if(found.begin() + static_cast<std::ptrdiff_t>(i) + 1, found.end(),
                                    [&](const DraftParameter& other) { return other.name == found[i].name; });
    if (later != found.end()) found.erase(found.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return found;
}

std::optional<DraftParameter> find_seed(std::span<const std::string> arguments) {
  for (const DraftParameter& parameter : numbers_of(arguments)) {
    if (is_seed(parameter.name)) return parameter;
  }
  return std::nullopt;
}

std::vector<DraftMetric> find_metrics(std::string_view output) {
  std::vector<DraftMetric> metrics;
  std::map<std::string, std::size_t> index;
  for (std::size_t begin = 0; begin < output.size();) {
    const std::size_t end = std::min(output.find_first_of("\r\n", begin), output.size());
    const std::string_view line = output.substr(begin, end - begin);
    begin = end + 1;
    if (line.size() > kLongestLine) continue;
    std::optional<NamedNumber> epoch;
    for (const NamedNumber& named : named_numbers(line)) {
      if (!epoch && lower(named.name).find("epoch") != std::string::npos && named.value == std::floor(named.value)) {
        epoch = named;
        continue;
      }
      if (promise(named.name) == 0) continue;
      const std::string regex = regex_of(named, epoch);
      const auto [entry, fresh] = index.try_emplace(regex, metrics.size());
      if (fresh) {
        metrics.push_back({named.name,
                           {},
                           regex,
                           0,
                           0.0,
                           epoch.has_value(),
                           smaller_is_better(lower(named.name)) ? Goal::minimize : Goal::maximize});
      }
      DraftMetric& metric = metrics[entry->second];
      ++metric.lines;
      metric.last = named.value;
      metric.example = std::string(trim(line.substr(0, 100)));
    }
  }
  const auto points = [](const DraftMetric& metric) { return 10 * promise(metric.name) + (metric.per_epoch ? 5 : 0); };
  std::stable_sort(metrics.begin(), metrics.end(),
                   [&](const DraftMetric& a, const DraftMetric& b) { return points(a) > points(b); });
  return metrics;
}

double guess_tolerance(const DraftMetric& metric) {
  const double size = std::abs(metric.last);
  if (metric.goal == Goal::maximize && size <= 1.0) return 0.01;
  if (metric.goal == Goal::maximize && size <= 100.0) return 1.0;
  if (size == 0.0) return 0.01;
  return parse_real(significant(0.01 * size, 1)).value_or(0.01 * size);
}

int mutants_of(const Draft& draft) { return kMutantsEach * static_cast<int>(varied(draft).size()); }

std::string to_toml(const Draft& draft) {
  std::string text = fmt::format(
      "# Drafted by `wattle init` from one run of {}. Every guess below is yours to change.\n"
      "# `wattle check FILE` says what is wrong with it, `wattle plan FILE` what it will do.\n\n"
      "[study]\nname = {}\nseed = 42                    # orders the runs, draws the mutants, seeds each repetition\n"
      "repetitions = {}              # each configuration once in each; fewer than 6 decide nothing\n\n"
      "[workload.{}]\n{}\n",
      human(draft.one_run), basic_string(draft.name), draft.repetitions, draft.name, command_toml(draft));
  if (!draft.seed) {
    text +=
        "# No seed flag was found. If your program has one, put \"--seed\", \"{seed}\" into the command: the original "
        "and\n"
        "# its mutants then start alike in every repetition, and differences are seen sooner.\n";
  }
  text += metric_toml(draft);
  if (!draft.parameters.empty()) {
    text += fmt::format("\n[workload.{}.parameters]        # numbers found on the command line\n{}", draft.name,
                        parameters_toml(draft));
  }
  return text + mutations_toml(draft);
}

}  // namespace wattle::study
