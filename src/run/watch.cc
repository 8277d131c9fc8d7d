#include "run/watch.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>

namespace wattle::run {
namespace {

constexpr Nanoseconds kTick = milliseconds(250);

class Watch {
 public:
  Watch(const Watched& watched, const RunnerOptions& options, const Clock& clock)
      : watched_(watched),
        options_(options),
        clock_(clock),
        started_(clock.monotonic()),
        next_tick_(started_ + kTick),
        last_sign_(started_) {}

  void until_ended(int stop, const std::stop_token& stopped_by_user) {
    while (true) {
      const auto streams = watched_.output == nullptr ? std::array{-1, -1} : watched_.output->descriptors();
      std::array<pollfd, 4> sources{{{watched_.guard.channel(), POLLIN, 0},
                                     {stopped_ ? -1 : stop, POLLIN, 0},
                                     {streams[0], POLLIN, 0},
                                     {streams[1], POLLIN, 0}}};
      const Nanoseconds left = std::max(Nanoseconds{0}, next_tick_ - clock_.monotonic());
      const timespec timeout{left.value / 1'000'000'000, left.value % 1'000'000'000};
      ::ppoll(sources.data(), sources.size(), &timeout, nullptr);
      if (sources[1].revents != 0) {
        watched_.guard.command(stopped_by_user.stop_requested() ? Cause::stop : Cause::partner_ended);
        stopped_ = true;
      }
      const std::array<bool, 2> readable{sources[2].revents != 0, sources[3].revents != 0};
      if (watched_.output != nullptr && watched_.output->take(clock_, readable)) heard();
      if (sources[0].revents != 0) return;
      if (clock_.monotonic() >= next_tick_) tick();
    }
  }

 private:
  void heard() {
    last_sign_ = clock_.monotonic();
    if (latest_epoch() != told_epoch_) tell();
  }

  void tick() {
    const Nanoseconds now = clock_.monotonic();
    next_tick_ = now + kTick;
    if (watched_.events.take()) last_sign_ = now;
    if (watched_.events.too_large()) watched_.guard.command(Cause::events);
    // Of streams that pass by nothing is heard, so silence there says nothing.
    const Nanoseconds limit = watched_.request.protocol.silence_limit;
    if (watched_.output != nullptr && limit.value > 0 && now - last_sign_ > limit) {
      watched_.guard.command(Cause::silence);
    }
    tell();
  }

  [[nodiscard]] std::optional<int> latest_epoch() const {
    if (const auto epoch = watched_.events.reader().epoch()) return epoch;
    if (watched_.output == nullptr || watched_.output->lines().empty()) return std::nullopt;
    return watched_.output->lines().back().epoch;
  }

  [[nodiscard]] std::optional<double> latest_metric() const {
    if (const auto value = watched_.events.reader().last(watched_.request.metric.name)) return value;
    if (watched_.output == nullptr || watched_.output->lines().empty()) return std::nullopt;
    return watched_.output->lines().back().value;
  }

  void tell() {
    told_epoch_ = latest_epoch();
    if (!options_.on_progress) return;
    const energy::Sampler::Now now = watched_.sampler.now();
    options_.on_progress(
        {clock_.monotonic() - started_, told_epoch_, latest_metric(), now.power, now.energy, now.estimated});
  }

  const Watched& watched_;
  const RunnerOptions& options_;
  const Clock& clock_;
  Nanoseconds started_;
  Nanoseconds next_tick_;
  Nanoseconds last_sign_;
  std::optional<int> told_epoch_;
  bool stopped_ = false;
};

}  // namespace

void watch(const Watched& watched, const RunnerOptions& options, const Clock& clock, const std::stop_token& stop,
           const std::stop_token& partner_ended) {
  const Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const auto rouse = [&wake] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t told = ::write(wake.get(), &one, sizeof one);
  };
  const std::stop_callback on_stop(stop, rouse);
  const std::stop_callback on_partner(partner_ended, rouse);
  Watch(watched, options, clock).until_ended(wake.get(), stop);
}

}  // namespace wattle::run
