#include "campaign/local.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <system_error>

#include "run/ledger_entry.h"

namespace wattle::campaign {
namespace {

namespace fs = std::filesystem;

fs::path directory_of(const fs::path& root, const std::string& key, int attempt) {
  return root / fmt::format("{}-{}", key.substr(0, 16), attempt);
}

// request.json goes first: a directory without one is retired already, or never began.
void retire_directory(const fs::path& directory) {
  std::error_code ignored;
  fs::remove(directory / "request.json", ignored);
  // Goes only where it is empty, and stays otherwise; so does the directory around it.
  ::rmdir((directory / "files").c_str());
  std::vector<fs::directory_entry> entries;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) entries.push_back(entry);
  for (const fs::directory_entry& entry : entries) {
    if (!fs::is_directory(entry.symlink_status(ignored))) {
      ::unlink(entry.path().c_str());
    } else if (entry.path().filename() != "files") {
      fs::remove_all(entry.path(), ignored);
    }
  }
  ::rmdir(directory.c_str());
}

// Keeps a directory, but not under a name that the run's next attempt needs. Where it is then.
fs::path set_aside(const fs::path& directory, const std::string& suffix) {
  std::error_code code;
  fs::path place = directory.string() + suffix;
  for (int number = 2; fs::exists(place, code); ++number) place = directory.string() + suffix + std::to_string(number);
  fs::rename(directory, place, code);
  return code ? directory : place;
}

// Puts the folder that another run left in the place of {weights_path}.
Result<void> fill_weights(const fs::path& root, study::RunRequest& request) {
  static constexpr std::string_view kPlaceholder = "{weights_path}";
  if (request.weights.key.empty()) return {};
  const fs::path folder = directory_of(root, request.weights.key, request.weights.attempt) / "files";
  std::error_code code;
  if (!fs::exists(folder, code)) {
    return fail(ErrorKind::environment,
                fmt::format("{} of block {} left no weights in {}, or they were removed", request.weights.workload,
                            request.block, folder.string()),
                fmt::format("make them again: wattle run --rerun all --only {}", request.weights.workload));
  }
  const auto fill = [&](std::string& text) {
    for (std::size_t at = 0; (at = text.find(kPlaceholder, at)) != std::string::npos; at += folder.string().size()) {
      text.replace(at, kPlaceholder.size(), folder.string());
    }
  };
  for (std::string& argument : request.arguments) fill(argument);
  for (auto& [name, content] : request.rendered_files) fill(content);
  return {};
}

// Weights that a run leaves say what they cost. A ledger that cannot be written, or one before it that its program has
// damaged, is no reason to lose the run.
void leave_ledgers(const fs::path& root, const record::Attempt& attempt) {
  const study::Weights& weights = attempt.record.request.weights;
  study::Ledger begun_with = weights.ledger;
  if (!weights.key.empty()) {
    auto earlier = run::ledger_in(directory_of(root, weights.key, weights.attempt) / "files");
    if (!earlier) return;
    begun_with = *std::move(earlier);
  }
  const fs::path own = directory_of(root, attempt.record.request.key, attempt.record.attempt) / "files";
  (void)run::write_ledgers(attempt, own, std::move(begun_with));
}

Result<record::Attempt> loaded(const fs::path& directory) {
  static const std::string damaged = ".damaged";
  auto attempt = run::load_attempt(directory);
  if (attempt || attempt.error().kind != ErrorKind::bad_input) return attempt;
  if (directory.filename().string().find(damaged) != std::string::npos) return attempt;
  return run::load_attempt(set_aside(directory, damaged));
}

}  // namespace

Result<std::vector<record::Attempt>> LocalLauncher::launch(const Start& start,
                                                           const std::function<void(const run::Progress&)>& on_progress,
                                                           const std::stop_token& stop) {
  std::error_code code;
  fs::create_directories(root_, code);
  if (code) {
    return fail(ErrorKind::environment, fmt::format("cannot create {}: {}", root_.string(), code.message()),
                "choose a writable place with --store or WATTLE_STORE");
  }
  run::RunnerOptions options = options_;
  options.on_progress = on_progress;
  options.flags = start.flags;
  const auto directory = [&](const study::RunRequest& request, int attempt) {
    const fs::path place = directory_of(root_, request.key, attempt);
    // What a program left there in an attempt that the store no longer knows.
    std::error_code ignored;
    if (fs::exists(place, ignored)) set_aside(place, ".earlier");
    return place;
  };
  std::vector<run::GroupMember> members = start.members;
  for (run::GroupMember& member : members) {
    if (auto filled = fill_weights(root_, member.request); !filled) return tl::unexpected(filled.error());
  }
  if (members.size() > 1) {
    auto group = run::run_group(members, directory, options, clock_, stop);
    for (std::size_t i = 0; group && i < group->size(); ++i) leave_ledgers(root_, (*group)[i]);
    return group;
  }
  const run::GroupMember& alone = members.front();
  auto attempt =
      run::run_once(alone.request, alone.attempt, directory(alone.request, alone.attempt), options, clock_, stop);
  if (!attempt) return tl::unexpected(attempt.error());
  leave_ledgers(root_, *attempt);
  std::vector<record::Attempt> attempts;
  attempts.push_back(*std::move(attempt));
  return attempts;
}

void LocalLauncher::retire(const record::Record& record) {
  retire_directory(directory_of(root_, record.request.key, record.attempt));
}

Result<Recovered> recover(const fs::path& root, const Sink& sink) {
  Recovered recovered;
  std::error_code code;
  std::vector<fs::path> directories;
  for (const auto& entry : fs::directory_iterator(root, code)) {
    if (entry.is_directory(code)) directories.push_back(entry.path());
  }
  std::sort(directories.begin(), directories.end());
  for (const fs::path& directory : directories) {
    if (!fs::exists(directory / "request.json", code)) {
      retire_directory(directory);
      continue;
    }
    const auto attempt = loaded(directory);
    if (!attempt) {
      recovered.damaged.push_back(attempt.error().message);
      continue;
    }
    // Whoever was killed behind a whole run had perhaps not said yet what its weights cost.
    if (record::successful(attempt->record.end)) leave_ledgers(root, *attempt);
    if (auto kept = sink(*attempt); !kept) return tl::unexpected(kept.error());
    retire_directory(directory);
    ++recovered.attempts;
  }
  return recovered;
}

}  // namespace wattle::campaign
