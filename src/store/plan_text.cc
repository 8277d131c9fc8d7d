#include "store/plan_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/text.h"

namespace wattle::store {
namespace {

using nlohmann::json;
using study::RunRequest;

// --- What runs share. The bindings name every member, so that a new one cannot be forgotten here: it does not compile.

auto parts(const study::Metric& metric) {
  const auto& [name, goal, tolerance, source, regex, file, value_column, epoch_column, target] = metric;
  return std::tie(name, goal, tolerance, source, regex, file, value_column, epoch_column, target);
}

auto parts(const study::Protocol& protocol) {
  const auto& [time_limit, silence_limit, grace, warm_up, cool_down, cool_to_temperature, cool_to_power,
               cool_down_limit, idle_baseline, control, foreign_load, repeat_flagged, sample_interval, repetitions,
               outliers] = protocol;
  return std::tie(time_limit, silence_limit, grace, warm_up, cool_down, cool_to_temperature, cool_to_power,
                  cool_down_limit, idle_baseline, control, foreign_load, repeat_flagged, sample_interval, repetitions,
                  outliers);
}

auto parts(const study::Configuration& configuration) {
  const auto& [id, label, workload, hyperparameters, environment, varied, mutation, colocation] = configuration;
  return std::tie(id, label, workload, hyperparameters, environment, varied, mutation, colocation);
}

template <class Pairs>
bool same_names(const Pairs& a, const Pairs& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& one, const auto& other) { return one.first == other.first; });
}

// Equal but for what a run's line tells.
bool same_kind(const RunRequest& a, const RunRequest& b) {
  const auto& [key, study, workload_version, configuration, block, order, training_seed, purpose, pair_key, group,
               weights, arguments, working_directory, variables, rendered_files, use_terminal, metric, protocol] = a;
  return purpose == b.purpose && use_terminal == b.use_terminal && study == b.study &&
         workload_version == b.workload_version && working_directory == b.working_directory &&
         weights.workload == b.weights.workload && weights.attempt == b.weights.attempt &&
         weights.file == b.weights.file && weights.ledger == b.weights.ledger &&
         arguments.size() == b.arguments.size() && same_names(variables, b.variables) &&
         same_names(rendered_files, b.rendered_files) && parts(configuration) == parts(b.configuration) &&
         parts(metric) == parts(b.metric) && parts(protocol) == parts(b.protocol);
}

// --- Texts that hold the seed

template <class Request, class Visit>
void for_each_text(Request& request, Visit visit) {
  std::size_t number = 0;
  for (auto& argument : request.arguments) visit(number++, argument);
  for (auto& [name, value] : request.variables) visit(number++, value);
  for (auto& [name, content] : request.rendered_files) visit(number++, content);
}

// A template's texts, each cut where its seed stands.
class SeededTexts {
 public:
  explicit SeededTexts(const RunRequest& of) {
    const std::string seed = std::to_string(of.training_seed);
    for_each_text(of, [&](std::size_t, const std::string& text) {
      std::vector<std::string> pieces;
      std::size_t begin = 0;
      for (std::size_t at = 0; (at = text.find(seed, begin)) != std::string::npos; begin = at + seed.size()) {
        pieces.push_back(text.substr(begin, at - begin));
      }
      pieces.push_back(text.substr(begin));
      texts_.push_back(std::move(pieces));
    });
  }
  [[nodiscard]] bool varies(std::size_t number) const { return texts_[number].size() > 1; }
  [[nodiscard]] std::string with(std::size_t number, const std::string& seed) const {
    return join(texts_[number], seed);
  }
  [[nodiscard]] bool equals(std::size_t number, const std::string& seed, const std::string& text) const {
    if (!varies(number)) return texts_[number].front() == text;
    std::string_view left = text;
    for (std::size_t i = 0; i < texts_[number].size(); ++i) {
      if (i > 0 && !drop(left, seed)) return false;
      if (!drop(left, texts_[number][i])) return false;
    }
    return left.empty();
  }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }

 private:
  static bool drop(std::string_view& text, std::string_view beginning) {
    if (!text.starts_with(beginning)) return false;
    text.remove_prefix(beginning.size());
    return true;
  }
  std::vector<std::vector<std::string>> texts_;
};

struct Template {
  const RunRequest* request;
  SeededTexts texts;
};

constexpr std::string_view kOwnKey = "=";
constexpr std::string_view kNoKey = "-";

bool one_word(std::string_view key) {
  return !key.empty() && key != kOwnKey && key != kNoKey &&
         std::none_of(key.begin(), key.end(), [](char c) { return c > 0 && c <= ' '; });
}

// --- Writing

void append_number(std::string& text, std::uint64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  text.append(1, ' ').append(digits, end);
}

void append_line(std::string& text, const RunRequest& run, std::size_t number, const Template& shared) {
  text += run.key;
  append_number(text, number);
  append_number(text, static_cast<std::uint64_t>(run.block));
  append_number(text, static_cast<std::uint64_t>(run.order));
  append_number(text, run.training_seed);
  const bool plain = one_word(run.pair_key);
  text.append(1, ' ').append(run.pair_key == run.key ? kOwnKey : plain ? run.pair_key : kNoKey);
  json rest;
  const std::string seed = std::to_string(run.training_seed);
  for_each_text(run, [&](std::size_t i, const std::string& own) {
    if (!shared.texts.equals(i, seed, own)) rest["texts"].push_back({i, own});
  });
  if (!plain && !run.pair_key.empty()) rest["pair_key"] = run.pair_key;
  if (run.group != shared.request->group) rest["group"] = run.group;
  if (run.weights.key != shared.request->weights.key) rest["weights"] = run.weights.key;
  if (!rest.is_null()) text.append(1, ' ').append(rest.dump(-1, ' ', false, json::error_handler_t::replace));
  text += '\n';
}

// --- Reading

struct Line {
  std::string_view key;
  std::size_t shared = 0;
  int block = 0;
  int order = 0;
  std::uint64_t seed = 0;
  std::string_view pair_key;
  std::string_view rest;  // JSON, or empty
};

std::string_view word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view found = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return found;
}

template <class Number>
bool read_number(std::string_view& line, Number& number) {
  const std::string_view digits = word(line);
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return code == std::errc() && end == digits.data() + digits.size() && number >= 0;
}

std::optional<Line> read_line(std::string_view text, std::size_t templates) {
  Line line;
  line.key = word(text);
  const bool whole = read_number(text, line.shared) && read_number(text, line.block) && read_number(text, line.order) &&
                     read_number(text, line.seed);
  if (!whole || line.key.empty() || line.shared >= templates) return std::nullopt;
  line.pair_key = word(text);
  line.rest = text;
  return line;
}

tl::unexpected<Error> damaged() { return fail(ErrorKind::failed, "a stored plan is damaged"); }

Result<std::vector<RunRequest>> read_requests(std::string_view text) {
  const json list = json::parse(text, nullptr, false);
  if (!list.is_array()) return damaged();
  std::vector<RunRequest> requests;
  for (const json& item : list) {
    auto request = study::request_from_json(item);
    if (!request) return tl::unexpected(request.error());
    requests.push_back(std::move(*request));
  }
  return requests;
}

// The templates and, by `visit`, each line. Schema 2's form has no line at all: its templates are the runs.
template <class Visit>
Result<std::vector<RunRequest>> read_plan(std::string_view text, Visit visit) {
  const std::size_t first = std::min(text.find('\n'), text.size());
  auto templates = read_requests(text.substr(0, first));
  if (!templates) return templates;
  for (std::size_t begin = first + 1; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const auto line = read_line(text.substr(begin, end - begin), templates->size());
    if (!line || !visit(*templates, *line)) return damaged();
    begin = end + 1;
  }
  return templates;
}

bool fill_rest(RunRequest& run, std::string_view rest) {
  const json own = json::parse(rest, nullptr, false);
  if (!own.is_object()) return false;
  if (own.contains("pair_key")) run.pair_key = own["pair_key"].get<std::string>();
  if (own.contains("group")) run.group = own["group"].get<std::string>();
  if (own.contains("weights")) run.weights.key = own["weights"].get<std::string>();
  if (!own.contains("texts")) return true;
  std::unordered_map<std::size_t, std::string> texts;
  for (const json& pair : own["texts"]) texts[pair.at(0).get<std::size_t>()] = pair.at(1).get<std::string>();
  for_each_text(run, [&](std::size_t i, std::string& text) {
    if (const auto found = texts.find(i); found != texts.end()) text = found->second;
  });
  return true;
}

bool in_lines(std::string_view text) { return text.find('\n') != std::string_view::npos; }

}  // namespace

Result<std::string> encode_plan(const std::vector<RunRequest>& runs) {
  std::vector<Template> templates;
  std::unordered_map<std::string_view, std::vector<std::size_t>> of_configuration;
  std::string lines;
  lines.reserve(runs.size() * 160);
  for (const RunRequest& run : runs) {
    if (!one_word(run.key)) {
      return fail(ErrorKind::bad_input, fmt::format("`{}` is not a run's key", printable(run.key)));
    }
    std::vector<std::size_t>& known = of_configuration[run.configuration.id];
    auto found = std::find_if(known.begin(), known.end(),
                              [&](std::size_t number) { return same_kind(*templates[number].request, run); });
    if (found == known.end()) {
      templates.push_back({&run, SeededTexts(run)});
      found = known.insert(known.end(), templates.size() - 1);
    }
    append_line(lines, run, *found, templates[*found]);
  }
  json shared = json::array();
  for (const Template& one : templates) shared.push_back(study::to_json(*one.request));
  return shared.dump(-1, ' ', false, json::error_handler_t::replace) + "\n" + lines;
}

Result<std::vector<RunRequest>> decode_plan(std::string_view text) {
  if (!in_lines(text)) return read_requests(text);
  std::vector<RunRequest> runs;
  std::vector<SeededTexts> texts;
  try {
    const auto read = read_plan(text, [&](const std::vector<RunRequest>& templates, const Line& line) {
      for (std::size_t i = texts.size(); i < templates.size(); ++i) texts.emplace_back(templates[i]);
      RunRequest run = templates[line.shared];
      run.key = line.key;
      run.pair_key = line.pair_key == kOwnKey ? line.key : line.pair_key == kNoKey ? "" : line.pair_key;
      run.block = line.block;
      run.order = line.order;
      run.training_seed = line.seed;
      const std::string seed = std::to_string(line.seed);
      for_each_text(run, [&](std::size_t i, std::string& own) {
        if (texts[line.shared].varies(i)) own = texts[line.shared].with(i, seed);
      });
      const bool good = line.rest.empty() || fill_rest(run, line.rest);
      runs.push_back(std::move(run));
      return good;
    });
    if (!read) return tl::unexpected(read.error());
  } catch (const json::exception&) {
    return damaged();
  }
  return runs;
}

Result<PlannedRuns> decode_planned_runs(std::string text) {
  PlannedRuns planned;
  planned.text = std::make_unique<const std::string>(std::move(text));
  const auto read = read_plan(*planned.text, [&](const std::vector<RunRequest>&, const Line& line) {
    planned.runs.push_back({line.key, line.shared});
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  for (const RunRequest& run : *read) planned.kinds.push_back({run.configuration.id, run.configuration.workload});
  if (in_lines(*planned.text)) return planned;
  std::string keys;  // the old form: each run is a kind of its own
  for (const RunRequest& run : *read) keys += run.key;
  planned.text = std::make_unique<const std::string>(std::move(keys));
  std::size_t begin = 0;
  for (const RunRequest& run : *read) {
    planned.runs.push_back({std::string_view(*planned.text).substr(begin, run.key.size()), planned.runs.size()});
    begin += run.key.size();
  }
  return planned;
}

}  // namespace wattle::store
