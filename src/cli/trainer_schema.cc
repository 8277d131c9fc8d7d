#include "cli/trainer_schema.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/text.h"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace wattle::cli {
namespace {

namespace fs = std::filesystem;

// WATTLE_TRAINER, else beside this program, else on PATH.
Result<fs::path> find_trainer(const fs::path& own_program) {
  const auto executable = [](const fs::path& file) { return ::access(file.c_str(), X_OK) == 0; };
  if (const char* named = std::getenv("WATTLE_TRAINER"); named != nullptr && *named != '\0') {
    if (executable(named)) return fs::absolute(named);
    return fail(ErrorKind::environment, fmt::format("WATTLE_TRAINER names {}, which is no program", named));
  }
  std::vector<std::string> folders{own_program.parent_path().string()};
  if (const char* path = std::getenv("PATH"); path != nullptr) {
    for (std::string& folder : split(path, ':')) folders.push_back(std::move(folder));
  }
  for (const std::string& folder : folders) {
    const fs::path candidate = fs::path(folder) / "wattle-train";
    if (!folder.empty() && executable(candidate)) return fs::absolute(candidate);
  }
  return fail(ErrorKind::environment, "the built-in trainer `wattle-train` is not installed",
              "build it (./dev build), or name it with WATTLE_TRAINER");
}

Result<std::string> output_of(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(ErrorKind::environment, "cannot open a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::vector<char*> vector;
  for (const std::string& argument : arguments) vector.push_back(const_cast<char*>(argument.c_str()));
  vector.push_back(nullptr);
  pid_t child = 0;
  const int spawned = ::posix_spawn(&child, vector[0], &actions, nullptr, vector.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text;
  std::array<char, 65536> buffer{};
  while (spawned == 0) {
    const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || text.size() > (16U << 20U)) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  if (spawned != 0 || ::waitpid(child, &status, 0) != child || status != 0) {
    return fail(ErrorKind::environment, fmt::format("`{}` failed", shell_quoted(arguments)),
                "run it by hand to see why");
  }
  return text;
}

fs::path cache_file(const fs::path& program) {
  struct stat info {};
  ::stat(program.c_str(), &info);
  const std::string identity =
      fmt::format("{} {} {}.{}", program.string(), info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (cache != nullptr && *cache != '\0') {
    folder = cache;
  } else if (home != nullptr && *home != '\0') {
    folder = fs::path(home) / ".cache";
  } else {
    return {};
  }
  return folder / "wattle" / fmt::format("trainer-{}.json", sha256(identity).substr(0, 16));
}

}  // namespace

Result<study::TrainerSchema> TrainerSchemaSource::schema() {
  auto schema = ask();
  failed_ = !schema;
  return schema;
}

Result<study::TrainerSchema> TrainerSchemaSource::ask() {
  const auto trainer = find_trainer(own_program_);
  if (!trainer) return tl::unexpected(trainer.error());
  program_ = trainer->string();
  const fs::path cached = cache_file(*trainer);
  if (!cached.empty()) {
    if (const auto text = read_text(cached, 16U << 20U)) {
      if (auto schema = study::parse_trainer_schema(*text, program_)) return schema;
    }
  }
  const auto listed = output_of({program_, "--list"});
  if (!listed) return tl::unexpected(listed.error());
  auto schema = study::parse_trainer_schema(*listed, program_);
  if (schema && !cached.empty()) {
    std::error_code ignored;
    fs::create_directories(cached.parent_path(), ignored);
    // A cache that cannot be written costs time, nothing else.
    if (!write_text(cached, *listed)) fs::remove(cached, ignored);
  }
  return schema;
}

}  // namespace wattle::cli
