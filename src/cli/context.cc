#include "cli/context.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/trainer_schema.h"
#include "http/http.h"

namespace wattle::cli {

energy::ProbeOptions Context::probe_options() const {
  energy::ProbeOptions options;
  options.sysroot = sysroot;
  options.wanted = probes;
  if (const char* library = std::getenv("WATTLE_NVML")) options.nvml_library = library;
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) options.visible_gpus = visible;
  options.calibration = calibration_file();
  options.machine = record::machine_identity(record::machine_fingerprint(sysroot));
  if (const char* order = std::getenv("CUDA_DEVICE_ORDER")) options.gpu_order = order;
  options.http_get = [file = program](const std::string& url, Nanoseconds time) -> Result<std::string> {
    const auto http = http::load_http(file);
    if (!http) return tl::unexpected(http.error());
    return http->get(url, time);
  };
  return options;
}

std::filesystem::path Context::state_folder() const {
  const auto folder = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  // A fake machine below --sysroot has a state of its own.
  if (sysroot != "/") return std::filesystem::path(sysroot) / "var/lib/wattle";
  if (const auto state = folder("XDG_STATE_HOME"); state.is_absolute()) return state / "wattle";
  if (const auto home = folder("HOME"); home.is_absolute()) return home / ".local/state/wattle";
  return "/var/lib/wattle";
}

run::RunnerOptions Context::runner_options() const {
  run::RunnerOptions options;
  options.program = program;
  options.probes = probe_options();
  return options;
}

int give(const Context& context, const std::string& text) {
  if (context.output.empty()) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) == 0) return 0;
    return tell({ErrorKind::environment, "cannot write the result to standard output", {}});
  }
  if (const auto written = write_text(context.output, text); !written) return tell(written.error());
  note(fmt::format("wrote {}", context.output));
  return 0;
}

int give(const Context& context, const nlohmann::json& json) {
  return give(context, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void note(const std::string& line) { fmt::print(stderr, "{}\n", line); }

int tell(const Error& error) {
  note(fmt::format("wattle: {}", error.message));
  if (!error.hint.empty()) note(fmt::format("        {}", error.hint));
  return exit_code(error.kind);
}

bool is_terminal(int descriptor) {
  const char* term = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && (term == nullptr || std::string_view(term) != "dumb");
}

bool wants_colour(int descriptor) {
  const char* refused = std::getenv("NO_COLOR");
  return is_terminal(descriptor) && (refused == nullptr || *refused == '\0');
}

int terminal_width(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
  return 80;
}

void add_settings(CLI::App& command, Context& context) {
  command
      .add_option("--set", context.settings,
                  "Change the study: KEY is a path in the file, a key of [study], or a hyperparameter (repeatable)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

LoadedStudy load(const Context& context, const std::string& file) {
  TrainerSchemaSource source(context.program);
  study::StudyOrDiagnostics read = study::load_study(file, source, context.settings);
  LoadedStudy loaded;
  if (read.study) {
    if (context.seed) read.study->seed = *context.seed;
    loaded.study = std::move(read.study);
    loaded.trainer_program = source.program();
    return loaded;
  }
  const bool machines_fault = source.failed() && read.diagnostics.size() == 1;
  loaded.exit = exit_code(machines_fault ? ErrorKind::environment : ErrorKind::bad_input);
  if (context.json) {
    nlohmann::json mistakes = nlohmann::json::array();
    for (const study::Diagnostic& d : read.diagnostics) {
      mistakes.push_back(
          {{"line", d.line}, {"column", d.column}, {"message", d.message}, {"suggestion", d.suggestion}});
    }
    const int written = give(context, nlohmann::json{{"valid", false}, {"file", file}, {"diagnostics", mistakes}});
    if (written != 0) loaded.exit = written;
  } else {
    fmt::print(stderr, "{}", study::describe(read.diagnostics, file));
    const std::size_t count = read.diagnostics.size();
    note(fmt::format("{} error{}, nothing was run", count, count == 1 ? "" : "s"));
  }
  return loaded;
}

Result<std::string> study_meant(const store::Store& store, const std::string& named) {
  auto studies = store.studies();
  if (!studies) return tl::unexpected(studies.error());
  if (studies->empty()) return fail(ErrorKind::bad_input, "the store holds no run yet", "`wattle run STUDY.toml`");
  if (named.empty()) return studies->back();
  if (std::find(studies->begin(), studies->end(), named) != studies->end()) return named;
  const auto meant = nearest(named, *studies);
  return fail(ErrorKind::bad_input, fmt::format("the store holds no study `{}`", printable(named)),
              meant ? fmt::format("did you mean `{}`?", *meant) : fmt::format("it holds: {}", join(*studies, ", ")));
}

std::string energy_text(const record::Summary& summary) {
  if (summary.measured_energy) return human(*summary.measured_energy);
  if (summary.estimated_energy) return human(*summary.estimated_energy) + " est.";
  return "–";
}

std::string local_time(Nanoseconds wall) {
  if (wall.value <= 0) return "–";
  const std::time_t seconds = wall.value / 1'000'000'000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char buffer[32];
  const std::size_t size = std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S", &parts);
  return {buffer, size};
}

Signals::Signals(std::function<void()> on_first) : on_first_(std::move(on_first)) {
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGTERM);
  // Blocked here and thus in every later thread: only the one below ever sees them, so no handler is needed.
  pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  thread_ = std::jthread([this, watched](const std::stop_token& done) {
    while (!done.stop_requested()) {
      int signal = 0;
      if (sigwait(&watched, &signal) != 0 || done.stop_requested()) continue;
      if (signal == SIGINT && !after_run.stop_requested()) {
        after_run.request_stop();
        if (on_first_) on_first_();
      } else {
        after_run.request_stop();
        now.request_stop();
      }
    }
  });
}

Signals::~Signals() {
  thread_.request_stop();
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

}  // namespace wattle::cli
