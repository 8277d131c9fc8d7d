// What one round of telemetry costs: CPU time of the process tree's gauges for 40 processes, and of the machine's.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "energy/telemetry.h"

namespace wattle::energy {
namespace {

// A tree of this many sleeping processes, its root included; gone with this.
class Sleepers {
 public:
  explicit Sleepers(int count) {
    if (::pipe2(ready_, O_CLOEXEC) != 0 || ::pipe2(end_, O_CLOEXEC) != 0) std::abort();
    root_ = ::fork();
    if (root_ == 0) sleep(count);
    std::vector<char> said(static_cast<std::size_t>(count));
    for (char& byte : said) (void)!::read(ready_[0], &byte, 1);
    ::close(end_[0]);
  }
  Sleepers(const Sleepers&) = delete;
  Sleepers& operator=(const Sleepers&) = delete;
  ~Sleepers() {
    for (const int fd : {end_[1], ready_[0], ready_[1]}) ::close(fd);
    ::waitpid(root_, nullptr, 0);
  }
  [[nodiscard]] pid_t root() const { return root_; }

 private:
  // Until the other end is closed; parents wait for their children, so that no zombies are left to the machine.
  [[noreturn]] void sleep(int count) const {
    ::close(end_[1]);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = 1; i < count && ::fork() != 0; ++i) {
    }
    char byte = '.';
    (void)!::write(ready_[1], &byte, 1);
    while (::read(end_[0], &byte, 1) > 0) {
    }
    while (::wait(nullptr) > 0) {
    }
    ::_exit(0);
  }

  int ready_[2] = {-1, -1};
  int end_[2] = {-1, -1};
  pid_t root_ = 0;
};

void round_of(benchmark::State& state, GaugeSource& source, pid_t root) {
  std::vector<double> values(source.gauges().size());
  Nanoseconds now = seconds(1);
  for ([[maybe_unused]] auto _ : state) {
    source.read(now, root, values);
    benchmark::DoNotOptimize(values.data());
    now += seconds(1);  // so that outsiders are looked at again as often as in life
  }
}

// Beside as many processes of others as the second number says.
void telemetry_of_a_process_tree(benchmark::State& state) {
  const Sleepers tree(static_cast<int>(state.range(0)));
  const Sleepers others(static_cast<int>(state.range(1)));
  const auto source = process_gauges({});
  round_of(state, *source, tree.root());
}
BENCHMARK(telemetry_of_a_process_tree)->Args({40, 1})->Args({40, 500})->Args({400, 1})->Unit(benchmark::kMicrosecond);

void telemetry_of_the_machine(benchmark::State& state) {
  const auto source = machine_gauges({});
  round_of(state, *source, 0);
}
BENCHMARK(telemetry_of_the_machine)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace wattle::energy
