// Runs on this machine, one at a time, each in its own attempt directory below one root.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "campaign/campaign.h"

namespace wattle::campaign {

class LocalLauncher final : public Launcher {
 public:
  // `options.on_progress` is replaced for every launch. The root is created when the first run needs it.
  LocalLauncher(std::filesystem::path root, run::RunnerOptions options, Clock& clock)
      : root_(std::move(root)), options_(std::move(options)), clock_(clock) {}

  [[nodiscard]] Result<record::Attempt> launch(const study::RunRequest& request, int attempt,
                                               const std::function<void(const run::Progress&)>& on_progress,
                                               std::stop_token stop) override;
  // Removes what the store now holds; keeps files/ where the program left something in it.
  void retire(const record::Record& record) override;

 private:
  std::filesystem::path root_;
  run::RunnerOptions options_;
  Clock& clock_;
};

// What a killed predecessor left behind below the root: every attempt directory that was not retired is loaded (its
// processes ended, its joules counted), handed to the sink and retired.
struct Recovered {
  int attempts = 0;
  std::vector<std::string> damaged;  // directories that hold no readable request, with the reason; left as they are
};
[[nodiscard]] Result<Recovered> recover(const std::filesystem::path& root, const Sink& sink);

}  // namespace wattle::campaign
