// Calibrates the model on this machine: a ladder of loads, measured by a source that can be trusted, and a curve of
// power by CPU use fitted to it. What `wattle calibrate` does.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "energy/calibration.h"
#include "energy/cpu_use.h"
#include "energy/probe.h"
#include "meter/load.h"

namespace wattle::meter {

// What the ladder stands on: a machine that can be loaded and tells where its CPU time went.
class LoadedMachine {
 public:
  LoadedMachine() = default;
  LoadedMachine(const LoadedMachine&) = delete;
  LoadedMachine& operator=(const LoadedMachine&) = delete;
  virtual ~LoadedMachine() = default;

  virtual void load(const LoadLevel& level) = 0;
  [[nodiscard]] virtual std::optional<energy::CpuTime> cpu_time() = 0;
  [[nodiscard]] virtual Nanoseconds own_cpu_time() const = 0;  // of the program that calibrates
};

// The machine that this program runs on, by /proc/stat below `sysroot`.
class ThisMachine final : public LoadedMachine {
 public:
  explicit ThisMachine(const std::filesystem::path& sysroot) : stat_(sysroot) {}
  void load(const LoadLevel& level) override { load_.set(level); }
  [[nodiscard]] std::optional<energy::CpuTime> cpu_time() override { return stat_.read(); }
  [[nodiscard]] Nanoseconds own_cpu_time() const override;

 private:
  energy::MachineCpu stat_;
  Load load_;
};

struct CalibrateOptions {
  int steps = 4;                   // of the ladder, at least 2
  Nanoseconds hold = seconds(10);  // each level, of which the first fifth is for settling and not measured
  double others = 0.05;            // of the CPUs' time, at most, that other programs or machines may use
  std::string machine;             // for Calibration::machine
};

struct MeasuredLevel {
  LoadLevel load;
  double use = 0.0;  // 0…1, as /proc/stat has it
  Watts power;
  Seconds measured;
};

struct Calibrated {
  energy::Calibration calibration;
  std::vector<MeasuredLevel> levels;
};

// A level that begins: which of how many, and how long all that are left take.
using OnLevel = std::function<void(const LoadLevel& level, int number, int of, Nanoseconds left)>;

// Samples by hand on the calling thread; probes that may block are read aside. GPUs are left out of what is fitted. The
// machine is at rest again when this returns. Fails (environment) where no probe measures the processors, other
// programs disturb, or the source stops telling; (bad_input) where levels are too short for the source; (failed) where
// the levels give no curve, see energy::fit; (interrupted) where it is stopped.
[[nodiscard]] Result<Calibrated> calibrate(std::vector<energy::Found> probes, const CalibrateOptions& options,
                                           LoadedMachine& machine, Clock& clock, const std::stop_token& stop,
                                           const OnLevel& on_level = {});

}  // namespace wattle::meter
