// Gauges of the run's process tree, and of what everybody else does beside it.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "energy/attribution.h"
#include "energy/cpu_use.h"
#include "energy/process_tree.h"
#include "energy/telemetry.h"

namespace wattle::energy {
namespace {

constexpr std::string_view kRunCpuTime = "run_cpu_time";
constexpr std::string_view kMachineBusyTime = "machine_busy_time";

struct Column {
  enum : std::size_t { processes, threads, cpu, resident, read, write, others, cpu_time, busy_time };
};

std::vector<Gauge> process_columns() {
  return {
      {"run_processes", "1", "processes of the run's tree, zombies left out"},
      {"run_threads", "1", "threads of the run's tree"},
      {"run_cpu", "1", "CPU seconds that the run's tree used in a second: the mean number of busy CPUs"},
      {"run_resident_memory", "B",
       "resident memory of the run's tree; shared pages count in each process that has them"},
      {"run_read", "B/s", "bytes that the run's tree made storage read, those from caches left out"},
      {"run_write", "B/s", "bytes that the run's tree sent on their way to storage"},
      {"others_cpu_utilisation", "1",
       "share of the machine's CPU time that was busy outside the run's tree, the measuring itself included"},
      {std::string(kRunCpuTime), "s", "CPU time that the run's tree used so far: only differences mean something"},
      {std::string(kMachineBusyTime), "s", "time that all CPUs together were busy since the machine started"},
  };
}

// What rates are taken from.
struct Moment {
  Nanoseconds time;
  TreeUse tree;
  std::optional<CpuTime> machine;
};

class ProcessGauges final : public GaugeSource {
 public:
  explicit ProcessGauges(std::filesystem::path sysroot)
      : sysroot_(std::move(sysroot)), machine_(sysroot_), columns_(process_columns()) {}

  [[nodiscard]] const std::vector<Gauge>& gauges() const override { return columns_; }

  void read(Nanoseconds now, pid_t root, std::span<double> out) override {
    follow(root);
    const std::optional<CpuTime> machine = machine_.read();
    if (machine) out[Column::busy_time] = to_seconds(busy_time(*machine)).value;
    const std::optional<TreeUse> use = tree_ ? tree_->scan(now) : std::nullopt;
    if (!use) {
      before_.reset();
      return;
    }
    out[Column::processes] = static_cast<double>(use->processes);
    out[Column::threads] = static_cast<double>(use->threads);
    out[Column::resident] = static_cast<double>(use->resident_bytes);
    const Moment moment{.time = now, .tree = *use, .machine = machine};
    out[Column::cpu_time] = to_seconds(moment.tree.cpu_time).value;
    if (before_ && now - before_->time < kShortestRate) return;
    if (before_) tell_rates(*before_, moment, out);
    before_ = moment;
  }

 private:
  void follow(pid_t root) {
    if (root == root_) return;
    root_ = root;
    before_.reset();
    tree_.reset();
    if (root > 0) tree_.emplace(sysroot_, root);
  }

  static void tell_rates(const Moment& before, const Moment& now, std::span<double> out) {
    const double elapsed = to_seconds(now.time - before.time).value;
    const Nanoseconds used = now.tree.cpu_time - before.tree.cpu_time;
    out[Column::cpu] = to_seconds(used).value / elapsed;
    if (before.tree.io && now.tree.io) {
      out[Column::read] = static_cast<double>(now.tree.io->read_bytes - before.tree.io->read_bytes) / elapsed;
      out[Column::write] = static_cast<double>(now.tree.io->write_bytes - before.tree.io->write_bytes) / elapsed;
    }
    if (!before.machine || !now.machine) return;
    const auto machine = cpu_shares(*before.machine, *now.machine);
    if (!machine) return;
    // The two are counted apart, in ticks: a tree that did everything may have done a little more than that.
    out[Column::others] = std::clamp(machine->busy - used / machine->time, 0.0, 1.0);
  }

  std::filesystem::path sysroot_;
  MachineCpu machine_;
  std::vector<Gauge> columns_;
  pid_t root_ = 0;
  std::optional<ProcessTree> tree_;
  std::optional<Moment> before_;
};

}  // namespace

std::unique_ptr<GaugeSource> process_gauges(const ProbeOptions& options) {
  return std::make_unique<ProcessGauges>(options.sysroot);
}

std::vector<Use> cpu_uses(const TelemetryTable& table, const Window& run, std::optional<Nanoseconds> total) {
  const std::size_t own = column_of(table, kRunCpuTime);
  const std::size_t machine = column_of(table, kMachineBusyTime);
  std::vector<Use> uses;
  for (const TelemetryRow& row : table.rows) {
    if (own >= row.values.size() || machine >= row.values.size()) break;
    if (!std::isfinite(row.values[machine])) continue;
    Use use{.time = row.time, .consumers = {}, .all = to_nanoseconds(Seconds{row.values[machine]})};
    const Nanoseconds last = uses.empty() ? Nanoseconds{} : uses.back().consumers.front();
    if (row.time <= run.begin) {
      use.consumers = {Nanoseconds{}};  // nothing of it ran
    } else if (row.time >= run.end && total) {
      use.consumers = {std::max(last, *total)};  // what the kernel says of it when it had ended
    } else if (std::isfinite(row.values[own])) {
      use.consumers = {std::max(last, to_nanoseconds(Seconds{row.values[own]}))};
    } else {
      continue;
    }
    uses.push_back(std::move(use));
  }
  return uses;
}

}  // namespace wattle::energy
