#include "energy/background.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <semaphore>

#include "energy/sampler.h"

namespace wattle::energy {
namespace {

constexpr Nanoseconds kLong = seconds(60);  // longer than any test: waiting for it would be the failure

// Moved by the test, read by the thread.
class MovedClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds monotonic() const override { return {now_.load()}; }
  [[nodiscard]] Nanoseconds boot() const override { return monotonic(); }
  [[nodiscard]] Nanoseconds wall() const override { return monotonic(); }
  bool sleep_until(Nanoseconds /*instant*/, const std::stop_token& stop) override { return !stop.stop_requested(); }
  void advance(Nanoseconds by) { now_ += by.value; }

 private:
  std::atomic<std::int64_t> now_{1'000'000'000'000};
};

// What the test and the probe, which may outlive it, share.
struct Script {
  std::atomic<int> reads = 0;
  std::latch hanging{1};
  std::binary_semaphore answer{0};
  std::promise<void> destroyed;
};

// 100 W as power; the second read hangs until it is let go.
class HangingProbe final : public Probe {
 public:
  explicit HangingProbe(std::shared_ptr<Script> script) : script_(std::move(script)) {
    Domain domain;
    domain.name = "wall";
    domain.kind = DomainKind::wall;
    domain.provenance = Provenance::integrated_power;
    domains_.push_back(domain);
  }
  HangingProbe(const HangingProbe&) = delete;
  HangingProbe& operator=(const HangingProbe&) = delete;
  ~HangingProbe() override { script_->destroyed.set_value(); }
  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }
  [[nodiscard]] Nanoseconds own_period() const override { return milliseconds(1); }
  void read(Nanoseconds /*now*/, std::span<Reading> out) override {
    if (++script_->reads == 2) {
      script_->hanging.count_down();
      script_->answer.acquire();
    }
    out[0].kind = Reading::Kind::power;
    out[0].value = 100'000'000;
  }

 private:
  std::shared_ptr<Script> script_;
  std::vector<Domain> domains_;
};

TEST(Background, a_source_that_hangs_is_told_and_nobody_waits_for_it) {
  MovedClock clock;
  const auto script = std::make_shared<Script>();
  Background background(clock, std::make_unique<HangingProbe>(script));
  std::array<Reading, 1> out;
  script->hanging.wait();
  const Nanoseconds first = clock.monotonic();
  background.read(clock.monotonic(), out);
  EXPECT_EQ(out[0].kind, Reading::Kind::power);
  EXPECT_EQ(out[0].time, first) << "stamped when it was read, not when it was asked for";
  clock.advance(seconds(5));
  background.read(clock.monotonic(), out);
  EXPECT_EQ(out[0].kind, Reading::Kind::absent);
  EXPECT_EQ(out[0].reason, "no answer for 5.0 s");
  script->answer.release();
  background.refresh(kLong);
  background.read(clock.monotonic(), out);
  EXPECT_EQ(out[0].kind, Reading::Kind::power);
  EXPECT_EQ(out[0].time, first + seconds(5));
}

TEST(Background, that_is_thrown_away_during_a_read_leaves_the_probe_to_its_thread) {
  const auto script = std::make_shared<Script>();
  {
    MovedClock clock;
    const Background background(clock, std::make_unique<HangingProbe>(script));
    script->hanging.wait();
  }
  std::future<void> destroyed = script->destroyed.get_future();
  EXPECT_EQ(destroyed.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "it is still being read";
  script->answer.release();
  destroyed.wait();
}

TEST(Sampler, is_not_held_up_by_a_probe_that_hangs_and_leaves_a_gap) {
  SystemClock clock;
  const auto script = std::make_shared<Script>();
  std::vector<Found> found(1);
  found[0].name = "plug";
  found[0].status = Found::Status::found;
  found[0].probe = std::make_unique<HangingProbe>(script);
  SamplerOptions options;
  options.interval = milliseconds(1);
  Sampler sampler(clock, std::move(found), options);
  sampler.start();
  script->hanging.wait();
  const Nanoseconds end = clock.monotonic() + seconds(2);
  const Trace trace = sampler.stop();
  ASSERT_EQ(trace.series.size(), 1U);
  ASSERT_EQ(trace.series[0].samples.size(), 1U) << "what was read before it hung, once";
  const Window window{WindowKind::run, "run", {}, trace.series[0].samples[0].time, end};
  EXPECT_FALSE(energy_in(trace.series[0], window).energy) << "one reading of power is no energy";
  script->answer.release();
}

}  // namespace
}  // namespace wattle::energy
