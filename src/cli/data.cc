// wattle data: public data sets, what is known of them, getting and verifying them.
#include "cli/data.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/text.h"
#include "datasets/verify.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

namespace fs = std::filesystem;

// --- list ---------------------------------------------------------------------------------------------------------

std::string here_text(const datasets::DataSet& set, const fs::path& folder) {
  const datasets::Presence found = datasets::presence(set, folder);
  if (found.complete == set.files.size()) return folder.string();
  return found.begun ? "in part" : "–";
}

std::string tried_text(const datasets::DataSet& set) {
  if (!set.known) return "yours";
  return set.tried ? "yes" : "untried";
}

nlohmann::json json_of(const datasets::DataSet& set, const fs::path& folder) {
  const datasets::Presence found = datasets::presence(set, folder);
  nlohmann::json files = nlohmann::json::array();
  for (const datasets::File& file : set.files) {
    files.push_back({{"name", file.name},
                     {"bytes", file.size},
                     {datasets::to_string(file.digest.kind), file.digest.hex},
                     {"urls", file.urls}});
  }
  const bool complete = found.complete == set.files.size();
  return {{"name", set.name},
          {"about", set.about},
          {"bytes", set.size()},
          {"licence", set.licence},
          {"citation", set.citation},
          {"dataset", set.dataset},
          {"source", set.source},
          {"known", set.known},
          {"urls_tried", set.known ? nlohmann::json(set.tried) : nlohmann::json(nullptr)},
          {"here", complete ? "complete" : (found.begun ? "in_part" : "no")},
          {"folder", folder.string()},
          {"next", next_commands(set, folder)},
          {"files", std::move(files)}};
}

int list_data(const Context& context, const DataOptions& options) {
  const auto sets = all_sets(options);
  if (!sets) return tell(sets.error());
  if (context.json) {
    nlohmann::json json = nlohmann::json::array();
    for (const auto& set : *sets) json.push_back(json_of(set, fs::path(options.into) / set.name));
    return give(context, nlohmann::json{{"into", options.into}, {"sets", json}});
  }
  report::Table table({{"name", report::Align::left, false},
                       {"size", report::Align::right, false},
                       {"files", report::Align::right, false},
                       {"--dataset", report::Align::left, false},
                       {"URLs", report::Align::left, false},
                       {"here", report::Align::left, false},
                       {"licence", report::Align::left, true}});
  for (const auto& set : *sets) {
    table.add_row({{set.name},
                   {bytes_text(set.size())},
                   {fmt::format("{}", set.files.size())},
                   {set.dataset.empty() ? "–" : set.dataset},
                   {tried_text(set)},
                   {here_text(set, fs::path(options.into) / set.name)},
                   {set.licence.empty() ? "–" : set.licence}});
    if (!set.about.empty()) table.add_note({set.about, report::Tone::dim});
  }
  const int width = context.output.empty() ? std::min(terminal_width(STDOUT_FILENO), 120) : 120;
  std::string text = table.render(width, context.output.empty() && wants_colour(STDOUT_FILENO));
  text += report::wrapped(
      "untried: nobody fetched from these URLs when the table was made; sizes and digests are copied from the sources "
      "that --json names, and decide whatever comes. --from URL takes a mirror.",
      width);
  return give(context, text);
}

// --- verify -------------------------------------------------------------------------------------------------------

struct Place {
  const datasets::DataSet* set;
  fs::path folder;
};

bool is_folder(const fs::path& path) {
  std::error_code code;
  return fs::is_directory(path, code);
}

// Those of the sets that have a folder below this one.
std::vector<Place> places_below(const std::vector<datasets::DataSet>& sets, const fs::path& folder) {
  std::vector<Place> places;
  for (const auto& set : sets) {
    if (is_folder(folder / set.name)) places.push_back({&set, folder / set.name});
  }
  return places;
}

// NAME, or a folder: a set's own, one given by --as, or one that holds sets' folders.
Result<std::vector<Place>> places_of(const std::vector<datasets::DataSet>& sets, const DataOptions& options,
                                     const std::string& word) {
  const auto named = [&](const std::string& name) {
    return std::find_if(sets.begin(), sets.end(), [&](const auto& set) { return set.name == name; });
  };
  if (!options.as.empty()) {
    const auto set = set_named(sets, options.as);
    if (!set) return tl::unexpected(set.error());
    return std::vector<Place>{{*set, word}};
  }
  if (const auto set = named(word); set != sets.end()) {
    return std::vector<Place>{{&*set, fs::path(options.into) / word}};
  }
  if (!is_folder(word)) {
    const auto set = set_named(sets, word);
    return tl::unexpected(set.error());
  }
  const fs::path folder = fs::path(word).has_filename() ? fs::path(word) : fs::path(word).parent_path();
  if (const auto set = named(folder.filename().string()); set != sets.end()) {
    return std::vector<Place>{{&*set, folder}};
  }
  std::vector<Place> places = places_below(sets, folder);
  if (!places.empty()) return places;
  return fail(ErrorKind::bad_input, fmt::format("{} is not called like a set, and holds none", printable(word)),
              "say which it is: wattle data verify --as mnist FOLDER");
}

Result<std::vector<Place>> all_places(const std::vector<datasets::DataSet>& sets, const DataOptions& options) {
  if (options.names.empty()) {
    if (!options.as.empty()) return fail(ErrorKind::bad_input, "--as needs a folder");
    std::vector<Place> places = places_below(sets, options.into);
    if (!places.empty()) return places;
    return fail(ErrorKind::bad_input, fmt::format("there is no data set in {}", printable(options.into)),
                "`wattle data fetch NAME`, or --into FOLDER");
  }
  std::vector<Place> places;
  for (const std::string& word : options.names) {
    const auto some = places_of(sets, options, word);
    if (!some) return tl::unexpected(some.error());
    places.insert(places.end(), some->begin(), some->end());
  }
  return places;
}

std::string line_of(const datasets::Verdict& verdict, const fs::path& folder) {
  std::string line = fmt::format("{:<10}  {}", datasets::to_string(verdict.state), (folder / verdict.file).string());
  if (!verdict.why.empty()) line += "  " + verdict.why;
  if (verdict.state != datasets::State::ok && verdict.part > 0) {
    line += fmt::format("  ({} of it are in {}.part)", bytes_text(verdict.part), verdict.file);
  }
  return printable(line) + "\n";
}

int verify_data(const Context& context, const DataOptions& options) {
  const auto sets = all_sets(options);
  if (!sets) return tell(sets.error());
  const auto places = all_places(*sets, options);
  if (!places) return tell(places.error());
  nlohmann::json json = nlohmann::json::array();
  std::string text;
  bool right = true;
  bool readable = true;
  for (const Place& place : *places) {
    nlohmann::json files = nlohmann::json::array();
    for (const datasets::File& file : place.set->files) {
      const datasets::Verdict verdict = datasets::verify(file, place.folder);
      right = right && verdict.state == datasets::State::ok;
      readable = readable && verdict.state != datasets::State::unreadable;
      text += line_of(verdict, place.folder);
      files.push_back({{"name", file.name},
                       {"state", datasets::to_string(verdict.state)},
                       {"reason", verdict.why},
                       {"part_bytes", verdict.part}});
    }
    json.push_back({{"name", place.set->name}, {"folder", place.folder.string()}, {"files", files}});
  }
  const int written =
      context.json ? give(context, nlohmann::json{{"right", right}, {"sets", json}}) : give(context, text);
  if (written != 0) return written;
  return !readable ? exit_code(ErrorKind::environment) : (right ? 0 : exit_code(ErrorKind::failed));
}

}  // namespace

Result<std::vector<datasets::DataSet>> all_sets(const DataOptions& options) {
  std::vector<datasets::DataSet> sets = datasets::known_data_sets();
  for (const std::string& file : options.catalogs) {
    auto more = datasets::read_catalog(file, sets);
    if (!more) return tl::unexpected(more.error());
    std::move(more->begin(), more->end(), std::back_inserter(sets));
  }
  return sets;
}

Result<const datasets::DataSet*> set_named(const std::vector<datasets::DataSet>& sets, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& set : sets) {
    if (set.name == name) return &set;
    names.push_back(set.name);
  }
  const auto meant = nearest(name, names);
  return fail(ErrorKind::bad_input, fmt::format("no data set is called `{}`", printable(name)),
              meant ? fmt::format("did you mean `{}`?", *meant)
                    : fmt::format("there are {}; --catalog FILE adds yours", join(names, ", ")));
}

std::string bytes_text(std::int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (bytes < 1'000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", size / 1e3);
  return bytes < 1'000'000'000 ? fmt::format("{:.1f} MB", size / 1e6) : fmt::format("{:.2f} GB", size / 1e9);
}

std::vector<std::string> next_commands(const datasets::DataSet& set, const fs::path& folder) {
  std::vector<std::string> commands;
  const std::string quoted = shell_quoted(std::vector{folder.string()});
  for (std::string command : set.prepare) {
    constexpr std::string_view kFolder = "{folder}";
    for (auto at = command.find(kFolder); at != std::string::npos; at = command.find(kFolder, at + quoted.size())) {
      command.replace(at, kFolder.size(), quoted);
    }
    commands.push_back(printable(command));
  }
  if (set.dataset.empty()) return commands;
  const fs::path data = set.below.empty() ? folder : folder / set.below;
  commands.push_back(printable(
      shell_quoted(std::vector<std::string>{"wattle-train", "--dataset", set.dataset, "--data", data.string()})));
  return commands;
}

void add_data(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("data", "Fetch public data sets and verify them");
  auto options = std::make_shared<DataOptions>();
  sub->require_subcommand(1);
  sub->fallthrough();
  sub->add_option("--into", options->into, "The folder of data sets, each in one of its own")
      ->envname("WATTLE_DATA")
      ->type_name("FOLDER")
      ->capture_default_str();
  sub->add_option("--catalog", options->catalogs, "A TOML file of further sets, of yours or your lab's (repeatable)")
      ->allow_extra_args(false)
      ->type_name("FILE");
  sub->footer(
      "A file gets its name only when its digest is right; what a broken transfer left stands beside it as NAME.part, "
      "and the same command goes on from there.\n"
      "Examples:\n  wattle data list\n  wattle data fetch fashion-mnist\n"
      "  wattle-train --dataset idx --data data/fashion-mnist\n"
      "  wattle data fetch mnist --from https://mirror.example/mnist\n  wattle data verify\n"
      "  wattle data --catalog lab.toml fetch our-digits --into /scratch/data\n"
      "Exit codes: 0 done, 1 the answer was no or a digest is wrong, 2 no such set or a bad catalog, 3 no answer, no "
      "network, or the folder cannot be written, 130 interrupted.");
  const auto add = [&](const char* name, const char* what, int (*work)(const Context&, const DataOptions&)) {
    CLI::App* one = sub->add_subcommand(name, what);
    one->fallthrough();
    one->callback(
        [&context, &chosen, options, work] { chosen = [&context, options, work] { return work(context, *options); }; });
    return one;
  };
  add("list", "What there is: size, licence, what the trainer calls it, and where it is", list_data);
  CLI::App* fetch = add("fetch", "Get sets by name, or what is missing of them", fetch_data);
  fetch->add_option("names", options->names, "Which, as `wattle data list` calls them")->required()->type_name("NAME");
  fetch->add_option("--from", options->from, "Take the files from below this address instead; http:// too")
      ->type_name("URL");
  fetch->add_option("--timeout", options->timeout, "Give up after so long below 1,000 bytes a second")
      ->type_name("DURATION")
      ->capture_default_str();
  CLI::App* verify = add("verify", "Compare sizes and digests of what is here", verify_data);
  verify->add_option("names", options->names, "Sets by name, or folders (default: all that is there)")
      ->type_name("NAME|FOLDER");
  verify->add_option("--as", options->as, "What the folder holds, if it is called otherwise")->type_name("NAME");
}

}  // namespace wattle::cli
