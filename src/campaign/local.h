// Runs on this machine, one at a time or a group at a time, each in its own attempt directory below one root.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "campaign/campaign.h"
#include "run/guard_host.h"

namespace wattle::campaign {

class LocalLauncher final : public Launcher {
 public:
  // `options.on_progress` is replaced for every launch. The root is created when the first run needs it.
  LocalLauncher(std::filesystem::path root, run::RunnerOptions options, Clock& clock)
      : root_(std::move(root)), options_(std::move(options)), guards_(options_.program), clock_(clock) {
    options_.guards = &guards_;
  }

  [[nodiscard]] Result<std::vector<record::Attempt>> launch(
      const Start& start, const std::function<void(const run::Progress&)>& on_progress,
      const std::stop_token& stop) override;
  // Removes what the store now holds; keeps files/ where the program left something in it.
  void retire(const record::Record& record) override;

  // Known from now on: nobody's part of what runs side by side use.
  void set_idle_power(std::map<std::string, Watts> idle_power) { options_.idle_power = std::move(idle_power); }

 private:
  std::filesystem::path root_;
  run::RunnerOptions options_;
  run::GuardHost guards_;
  Clock& clock_;
};

// What a killed predecessor left behind below the root: every attempt directory that was not retired is loaded (its
// processes ended, its joules counted), handed to the sink and retired.
struct Recovered {
  int attempts = 0;
  // Why directories hold no readable request. Each is kept as NAME.damaged, so that its run can be made again.
  std::vector<std::string> damaged;
};
[[nodiscard]] Result<Recovered> recover(const std::filesystem::path& root, const Sink& sink);

}  // namespace wattle::campaign
