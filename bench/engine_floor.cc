// What a run costs that keeps Wattle's two promises and does nothing else: a guard between the campaign and the
// program, so that no process outlives its run, and a directory that is the truth until the store has it. No energy is
// read, no telemetry, no output looked at, no statistics: fork, exec, files of the usual sizes, syncs where power may
// fail. An engine with these promises cannot cost less on the machine it is asked on.
//
// usage: engine_floor FOLDER RUNS PROGRAM [ARGUMENTS]     prints wall, own CPU and children's CPU in ms a run
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

// Name and bytes of what an attempt of a program that does nothing leaves (docs/architecture.md, "On disk").
constexpr std::array<std::pair<const char*, std::size_t>, 9> kFiles{{{"request.json", 2766},
                                                                     {"events.jsonl", 0},
                                                                     {"telemetry.jsonl", 2106},
                                                                     {"trace.zst", 239},
                                                                     {"stdout", 8},
                                                                     {"stderr", 0},
                                                                     {"lines.jsonl", 60},
                                                                     {"guard.json", 387},
                                                                     {"result.json", 4344}}};
constexpr std::size_t kRow = 7000;

void require(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::exit(3);
}

void write_file(const std::string& path, std::size_t bytes, bool synced) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const std::string text(bytes, 'x');
  require(file >= 0 && ::write(file, text.data(), bytes) == static_cast<ssize_t>(bytes), "write");
  require(!synced || ::fsync(file) == 0, "fsync");
  ::close(file);
}

void sync_folder(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  require(folder >= 0 && ::fsync(folder) == 0, "fsync");
  ::close(folder);
}

void guarded(char** command) {
  const pid_t guard = ::fork();
  if (guard == 0) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), 1);
      ::execv(command[0], command);
      ::_exit(127);
    }
    ::waitpid(child, nullptr, 0);
    ::_exit(0);
  }
  ::waitpid(guard, nullptr, 0);
}

void run(const std::string& root, int number, char** command, sqlite3_stmt* insert) {
  const std::string folder = root + "/" + std::to_string(number);
  require(::mkdir(folder.c_str(), 0755) == 0, "mkdir");
  for (const auto& [name, bytes] : kFiles) write_file(folder + "/" + name, bytes, name == kFiles.front().first);
  sync_folder(folder);
  guarded(command);
  const std::string row(kRow, 'x');
  sqlite3_bind_text(insert, 1, row.data(), static_cast<int>(row.size()), SQLITE_STATIC);
  require(sqlite3_step(insert) == SQLITE_DONE, "insert");
  sqlite3_reset(insert);
  for (const auto& [name, bytes] : kFiles) ::unlink((folder + "/" + name).c_str());
  require(::rmdir(folder.c_str()) == 0, "rmdir");
}

double cpu_ms(int who) {
  rusage used{};
  ::getrusage(who, &used);
  const auto ms = [](const timeval& t) {
    return 1e3 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_usec);
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

}  // namespace

int main(int count, char** words) {
  if (count < 4) return 2;
  const std::string root = words[1];
  const int runs = std::atoi(words[2]);
  sqlite3* store = nullptr;
  sqlite3_stmt* insert = nullptr;
  require(sqlite3_open((root + "/floor.db").c_str(), &store) == SQLITE_OK, "open");
  sqlite3_exec(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE run (record TEXT)", nullptr,
               nullptr, nullptr);
  sqlite3_prepare_v2(store, "INSERT INTO run VALUES (?)", -1, &insert, nullptr);
  const auto begin = std::chrono::steady_clock::now();
  const double own = cpu_ms(RUSAGE_SELF);
  const double children = cpu_ms(RUSAGE_CHILDREN);
  for (int number = 0; number < runs; ++number) run(root, number, words + 3, insert);
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - begin;
  std::printf("%.3f %.3f %.3f\n", wall.count() / runs, (cpu_ms(RUSAGE_SELF) - own) / runs,
              (cpu_ms(RUSAGE_CHILDREN) - children) / runs);
  sqlite3_finalize(insert);
  sqlite3_close(store);
}
