#include "meter/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stop_token>

#include "base/clock.h"

namespace wattle::meter {
namespace {

constexpr std::size_t kFloats = 1U << 20U;  // in each of two arrays
constexpr std::size_t kFloatsAtOnce = 1U << 14U;
constexpr int kStepsAtOnce = 1 << 14;

// Does some ten microseconds of work at a time.
class Worker {
 public:
  Worker(Work work, std::uint64_t seed) : work_(work), state_(seed) {
    if (work_ == Work::memory) {
      changing_.assign(kFloats, 1.0F);
      added_.assign(kFloats, 0.5F);
    }
  }

  void some() {
    if (work_ == Work::memory) return stream();
    // xorshift: neither memory nor the compiler can shorten steps that depend on each other.
    for (int i = 0; i < kStepsAtOnce; ++i) {
      state_ ^= state_ << 13U;
      state_ ^= state_ >> 7U;
      state_ ^= state_ << 17U;
    }
  }
  [[nodiscard]] std::uint64_t result() const {
    return work_ == Work::memory ? static_cast<std::uint64_t>(changing_.front()) : state_;
  }

 private:
  void stream() {
    for (std::size_t end = place_ + kFloatsAtOnce; place_ < end; ++place_) {
      changing_[place_] = changing_[place_] * 0.5F + added_[place_];  // stays at 1: never denormal
    }
    if (place_ == kFloats) place_ = 0;
  }

  Work work_;
  std::uint64_t state_;
  std::vector<float> changing_;
  std::vector<float> added_;
  std::size_t place_ = 0;
};

// `offset` in 0…1 of a period: threads that work in turns make an even use.
std::uint64_t work(const LoadLevel& level, double offset, std::uint64_t seed, const std::stop_token& stop) {
  SystemClock clock;
  Worker worker(level.work, seed);
  const auto share = [](double part) { return to_nanoseconds(to_seconds(Load::kPeriod) * part); };
  const Nanoseconds busy = share(level.duty);
  Nanoseconds begin = clock.monotonic() + (level.duty < 1.0 ? share(offset) : Nanoseconds{});
  while (clock.sleep_until(begin, stop)) {
    while (clock.monotonic() < begin + busy && !stop.stop_requested()) worker.some();
    // Periods that were missed altogether (others had the CPU) are not made up for.
    do {
      begin += Load::kPeriod;
    } while (begin + Load::kPeriod < clock.monotonic());
  }
  return worker.result();
}

}  // namespace

double LoadLevel::use(int cpus) const { return duty * static_cast<double>(threads) / std::max(1, cpus); }

std::string describe(const LoadLevel& level) {
  if (level.threads == 0) return "at rest";
  const std::string part = level.duty < 1.0 ? fmt::format(" {:.0f} % of the time", 100.0 * level.duty) : "";
  return fmt::format("{} thread{}{}, {}", level.threads, level.threads == 1 ? "" : "s", part,
                     level.work == Work::memory ? "memory" : "arithmetic");
}

std::vector<LoadLevel> ladder(int steps, int cpus) {
  std::vector<LoadLevel> levels{LoadLevel{}};
  for (int step = 1; step <= steps; ++step) {
    const double use = static_cast<double>(step) / steps;
    const bool whole = step * cpus % steps == 0;
    const bool by_threads = whole && (step % 2 == 0 || step == steps);
    for (const Work kind : {Work::arithmetic, Work::memory}) {
      levels.push_back(by_threads ? LoadLevel{step * cpus / steps, 1.0, kind} : LoadLevel{cpus, use, kind});
    }
  }
  levels.push_back(LoadLevel{});
  return levels;
}

void Load::set(const LoadLevel& level) {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
  for (int i = 0; i < level.threads; ++i) {
    threads_.emplace_back([this, level, i](const std::stop_token& stop) {
      const double offset = static_cast<double>(i) / level.threads;
      result_ ^= work(level, offset, 0x9E3779B97F4A7C15ULL + static_cast<unsigned>(i), stop);
    });
  }
}

}  // namespace wattle::meter
