// wattle bundle STUDY: all that a stranger needs to check a study's numbers, in one folder or archive.
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "analysis/questions.h"
#include "base/text.h"
#include "cli/asked.h"
#include "cli/bundle_answers.h"
#include "cli/bundle_files.h"
#include "cli/context.h"
#include "cli/trace_csv.h"
#include "record/version.h"
#include "report/report.h"
#include "store/text_blob.h"

namespace wattle::cli {
namespace {

namespace fs = std::filesystem;

struct BundleOptions {
  std::string study;
  std::string study_file;
  analysis::Asked asked;
};

constexpr const char* kReadme = R"(# {study}

Everything that was measured for the study `{study}`, and what was found: made by wattle {version}.

| File | What |
|---|---|
| `wattle.db` | the store: every run with its record, trace and output (SQLite) |
| `report.*` | what was found: for people (`.txt`, `.html`), for programs (`.json`, `.csv`), as LaTeX tables (`.tex`) |
| `answers/` | the answer to every question that these runs can answer, likewise; `answers/methods.tex` is a paragraph of methods for a paper |
| `runs.csv` | a row a run: energies, times, metric, machine |
| `epochs.csv` | a row a window of an epoch and domain, or a metric value |
| `traces/` | energy over time of each run that has a trace, as CSV |
| `plan.json` | what was asked for, run by run; the study file too, where it was given |
| `fingerprints.json` | the machines and builds that the runs come from |
| `again.sh` | makes reports, answers and `runs.csv` again, and compares |
| `SHA256SUMS` | digests of all other files |

To check that nothing was changed, in this folder:

    sha256sum -c SHA256SUMS

To make every number again from the runs:

    sh again.sh

which compares each file with what `wattle` {version} makes of `wattle.db` now. One by one, for example:

    wattle --store wattle.db report --study {quoted} --format text --output again.txt && cmp again.txt report.txt
    wattle --store wattle.db report --study {quoted} --question methods --format latex --output again.tex && cmp again.tex answers/methods.tex

One run, all of it: `wattle --store wattle.db list --study {quoted}`, then `wattle --store wattle.db show RUN`.
)";

// A folder of our own for the store's copy, gone at the end.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path(code_) / "wattle-bundle-XXXXXX").string();
    if (!code_ && ::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (!path_.empty()) fs::remove_all(path_, code_);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  std::error_code code_;
  fs::path path_;
};

std::string run_name(const record::Record& record) {
  return fmt::format("{}.{}", record.request.key.substr(0, 16), record.attempt);
}

// The study's attempts alone, in the order in which they were stored, and its plan.
Result<void> copy_study(const store::Store& from, const std::string& study, const fs::path& file, BundleFiles& files) {
  auto copy = store::Store::open(file, store::Store::Mode::write);
  if (!copy) return tl::unexpected(copy.error());
  const auto runs = from.summaries(study);
  if (!runs) return tl::unexpected(runs.error());
  for (const record::Summary& run : *runs) {
    const auto attempt = from.attempt(fmt::format("{}.{}", run.key, run.attempt));
    if (!attempt) return tl::unexpected(attempt.error());
    if (const auto added = copy->add(*attempt); !added) return added;
    if (attempt->trace.empty()) continue;
    auto csv = trace_csv(attempt->trace);
    if (!csv) return tl::unexpected(csv.error());
    files[fmt::format("traces/{}.csv", run_name(attempt->record))] = std::move(*csv);
  }
  const auto plan = from.plan(study);
  if (!plan) return tl::unexpected(plan.error());
  nlohmann::json requests = nlohmann::json::array();
  for (const study::RunRequest& request : *plan) requests.push_back(study::to_json(request));
  if (plan->empty()) {  // imported runs had none: what they say of themselves
    for (const record::Record& record : from.records(study).value_or(std::vector<record::Record>())) {
      requests.push_back(study::to_json(record.request));
    }
  } else if (const auto set = copy->set_plan(study, *plan); !set) {
    return set;
  }
  files["plan.json"] = requests.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return {};
}

nlohmann::json fingerprints(const std::vector<record::Record>& records) {
  std::map<std::map<std::string, std::string>, std::vector<std::string>> machines;
  for (const record::Record& record : records) machines[record.fingerprint].push_back(run_name(record));
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [fingerprint, runs] : machines) list.push_back({{"fingerprint", fingerprint}, {"runs", runs}});
  return list;
}

// What asks the runs to be made again: the study file, which must not take another file's place.
Result<void> add_study_file(const fs::path& path, BundleFiles& files) {
  auto text = read_text(path);
  if (!text) return tl::unexpected(text.error());
  const std::string name = path.filename().string();
  if (files.contains(name) || name == "README.md" || name == "SHA256SUMS") {
    return fail(ErrorKind::bad_input, fmt::format("--study-file: the bundle has a {} of its own", printable(name)),
                "call the study file otherwise");
  }
  files[name] = std::move(*text);
  return {};
}

Result<BundleFiles> gather(const Context& context, const BundleOptions& options) {
  const std::string& study = options.study;
  const auto from = store::Store::open(context.store, store::Store::Mode::read);
  if (!from) return tl::unexpected(from.error());
  if (const auto known = study_meant(*from, study); !known) return tl::unexpected(known.error());
  const Scratch scratch;
  const fs::path file = scratch.path() / "wattle.db";
  if (scratch.path().empty()) return fail(ErrorKind::environment, "no folder can be made in the temporary one");
  BundleFiles files;
  if (const auto copied = copy_study(*from, study, file, files); !copied) return tl::unexpected(copied.error());
  auto bytes = read_text(file, std::size_t{1} << 33U);
  if (!bytes) return tl::unexpected(bytes.error());
  files["wattle.db"] = std::move(*bytes);
  // What is told is told of the copy.
  const auto copy = store::Store::open(file, store::Store::Mode::read);
  if (!copy) return tl::unexpected(copy.error());
  const auto all = copy->records(study);
  const auto planned = copy->planned_records(study);
  if (!all || !planned) return tl::unexpected((all ? planned : all).error());
  files["runs.csv"] = report::runs_csv(*all);
  files["epochs.csv"] = report::epochs_csv(*all);
  files["fingerprints.json"] = fingerprints(*all).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  add_findings(*planned, study, options.asked, files);
  const auto plan = from->plan(study);
  if (options.study_file.empty() && plan && !plan->empty()) {
    note("! the study file is not in the bundle, for stores keep plans only: --study-file FILE puts it in");
  }
  if (!options.study_file.empty()) {
    if (const auto added = add_study_file(options.study_file, files); !added) return tl::unexpected(added.error());
  }
  const std::vector<std::string> quoted{study};
  files["README.md"] = fmt::format(fmt::runtime(kReadme), fmt::arg("study", printable(study)),
                                   fmt::arg("version", version()), fmt::arg("quoted", shell_quoted(quoted)));
  files["SHA256SUMS"] = checksums(files);
  return files;
}

Result<void> write_archive(const BundleFiles& files, const fs::path& output) {
  const std::string name = output.filename().string();
  auto archive = ustar(files, name.substr(0, name.find(".tar")));
  if (!archive) return tl::unexpected(archive.error());
  return write_text(output, name.ends_with(".zst") ? store::compressed(*archive) : *archive);
}

int bundle(const Context& context, const BundleOptions& options) {
  const fs::path output = context.output;
  const std::string name = output.filename().string();
  if (name.empty()) {
    return tell({ErrorKind::bad_input, "where to? --output is needed",
                 "wattle bundle STUDY --output FOLDER, FOLDER.tar or FOLDER.tar.zst"});
  }
  if (name.ends_with(".gz") || name.ends_with(".tgz") || name.ends_with(".zip")) {
    return tell({ErrorKind::bad_input, fmt::format("{}: this kind of archive is not written", name),
                 "name a folder, a .tar or a .tar.zst"});
  }
  std::error_code code;
  if (fs::exists(fs::symlink_status(output, code))) {
    return tell({ErrorKind::bad_input, fmt::format("{} is there already, and is not overwritten", output.string()),
                 "name a new one"});
  }
  const auto files = gather(context, options);
  if (!files) return tell(files.error());
  const bool archive = name.ends_with(".tar") || name.ends_with(".tar.zst");
  const auto written = archive ? write_archive(*files, output) : write_folder(*files, output);
  if (!written) return tell(written.error());
  Context to_stdout = context;  // the file is the bundle's
  to_stdout.output.clear();
  if (context.json) {
    std::vector<std::string> paths;
    for (const auto& [path, content] : *files) paths.push_back(path);
    return give(to_stdout, nlohmann::json{{"bundle", context.output}, {"study", options.study}, {"files", paths}});
  }
  return give(to_stdout, fmt::format("wrote {}: {} files\n", output.string(), files->size()));
}

}  // namespace

void add_bundle(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub =
      app.add_subcommand("bundle", "Pack a study for others to check: runs, tables, report, answers, checksums");
  auto options = std::make_shared<BundleOptions>();
  sub->add_option("study", options->study, "The study's name")->required()->type_name("STUDY");
  sub->add_option("--study-file", options->study_file, "Put the study file in too")->type_name("FILE");
  add_asked(*sub, options->asked);
  sub->footer(
      "Examples:\n  wattle bundle mnist --output mnist-energy\n"
      "  wattle bundle mnist --study-file study.toml --output mnist-energy.tar.zst\n"
      "The same runs give the same bytes. Unpacked anywhere, its README.md says how every number is made again.");
  sub->callback([&context, &chosen, options] { chosen = [&context, options] { return bundle(context, *options); }; });
}

}  // namespace wattle::cli
