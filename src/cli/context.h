// What every subcommand is given, and how results and errors leave the program: results to stdout (or --output), all
// else to stderr. Only this module prints, reads flags, or exits.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "energy/probe.h"
#include "run/runner.h"
#include "store/store.h"
#include "study/study.h"

namespace wattle::cli {

struct Context {
  bool json = false;
  std::string output;           // file for the result; empty: stdout
  std::filesystem::path store;  // --store, else WATTLE_STORE, else ./wattle.db
  std::string sysroot = "/";
  std::optional<std::uint64_t> seed;  // replaces the study's
  std::vector<std::string> probes;    // --probe
  std::filesystem::path program;      // this executable
  std::vector<std::string> command;   // everything after "--"
  std::vector<std::string> settings;  // --set KEY=VALUE, of commands that read a study file

  [[nodiscard]] energy::ProbeOptions probe_options() const;
  [[nodiscard]] run::RunnerOptions runner_options() const;
  // What this user's machine is known to draw when idle, and how its model was calibrated: below XDG_STATE_HOME, or
  // ~/.local/state.
  [[nodiscard]] std::filesystem::path state_folder() const;
  [[nodiscard]] std::filesystem::path idle_file() const { return state_folder() / "idle.json"; }
  [[nodiscard]] std::filesystem::path calibration_file() const { return state_folder() / "calibration.json"; }
  // Where attempts live until the store has them.
  [[nodiscard]] std::filesystem::path runs_folder() const { return store.string() + ".runs"; }
  // What a campaign on this store does now; outside of the folder, which is gone when it is done.
  [[nodiscard]] std::filesystem::path campaign_file() const { return store.string() + ".campaign"; }
};

// A subcommand adds itself to the app and, when chosen, leaves what is to be done in `chosen`, which returns the
// program's exit code.
using Chosen = std::function<int()>;
using AddCommand = void (*)(CLI::App& app, Context& context, Chosen& chosen);
void add_bundle(CLI::App& app, Context& context, Chosen& chosen);
void add_calibrate(CLI::App& app, Context& context, Chosen& chosen);
void add_check(CLI::App& app, Context& context, Chosen& chosen);
void add_compare(CLI::App& app, Context& context, Chosen& chosen);
void add_data(CLI::App& app, Context& context, Chosen& chosen);
void add_doctor(CLI::App& app, Context& context, Chosen& chosen);
void add_export(CLI::App& app, Context& context, Chosen& chosen);
void add_import(CLI::App& app, Context& context, Chosen& chosen);
void add_init(CLI::App& app, Context& context, Chosen& chosen);
void add_list(CLI::App& app, Context& context, Chosen& chosen);
void add_measure(CLI::App& app, Context& context, Chosen& chosen);
void add_metrics(CLI::App& app, Context& context, Chosen& chosen);
void add_monitor(CLI::App& app, Context& context, Chosen& chosen);
void add_plan(CLI::App& app, Context& context, Chosen& chosen);
void add_report(CLI::App& app, Context& context, Chosen& chosen);
void add_run(CLI::App& app, Context& context, Chosen& chosen);
void add_show(CLI::App& app, Context& context, Chosen& chosen);
void add_stats(CLI::App& app, Context& context, Chosen& chosen);
void add_status(CLI::App& app, Context& context, Chosen& chosen);
void add_store(CLI::App& app, Context& context, Chosen& chosen);

// --- Leaving the program ---------------------------------------------------------------------------------

// Writes a result; returns 0, or the exit code of a result that could not be written.
[[nodiscard]] int give(const Context& context, const std::string& text);
[[nodiscard]] int give(const Context& context, const nlohmann::json& json);
// Tells an error on stderr; returns its exit code.
[[nodiscard]] int tell(const Error& error);
void note(const std::string& line);  // a line on stderr

[[nodiscard]] bool is_terminal(int descriptor);
[[nodiscard]] bool wants_colour(int descriptor);   // a terminal, NO_COLOR unset, TERM not dumb
[[nodiscard]] int terminal_width(int descriptor);  // columns, 80 where it cannot be told

// --- Shared steps ------------------------------------------------------------------------------------------

// The study file, checked against the trainer's schema, with --seed applied; its mistakes are told on stderr (or given
// as JSON). On failure `exit` holds the code.
struct LoadedStudy {
  std::optional<study::Study> study;
  std::string trainer_program;  // empty where no workload uses the built-in trainer
  int exit = 0;
};
[[nodiscard]] LoadedStudy load(const Context& context, const std::string& file);

// Adds --set to a command that loads a study file.
void add_settings(CLI::App& command, Context& context);

// The study that a command without a study file means: the one named, or the one stored last.
[[nodiscard]] Result<std::string> study_meant(const store::Store& store, const std::string& named);

// "12.4 J" or "12.4 J est.", or "–".
[[nodiscard]] std::string energy_text(const record::Summary& summary);
[[nodiscard]] std::string local_time(Nanoseconds wall);  // "2026-11-21 01:07:12"; "–" where it is not known

// Turns SIGINT and SIGTERM into stop requests while it lives. The first SIGINT asks to stop after the run, the second,
// or any SIGTERM, now. Must be made before any other thread.
class Signals {
 public:
  explicit Signals(std::function<void()> on_first);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  std::stop_source after_run;
  std::stop_source now;

 private:
  std::function<void()> on_first_;
  std::jthread thread_;
};

}  // namespace wattle::cli
