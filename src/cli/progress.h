// What `wattle run` shows on stderr while it works: a small picture on a terminal, a line a run elsewhere.
#pragma once

#include <string>

#include "campaign/campaign.h"
#include "study/study.h"

namespace wattle::cli {

class RunProgress {
 public:
  RunProgress(const study::Study& study, const campaign::History& history, std::size_t planned);
  RunProgress(const RunProgress&) = delete;
  RunProgress& operator=(const RunProgress&) = delete;

  [[nodiscard]] campaign::Observer observer();
  // Clears the picture, so that what follows starts on a line of its own.
  void finish();

 private:
  void draw(const study::RunRequest& request, const campaign::Observer::Position& position,
            const run::Progress& progress);
  void line(const record::Summary& summary, const campaign::Observer::Position& position);
  [[nodiscard]] std::string spent() const;
  [[nodiscard]] std::string name_of(const std::string& workload, const std::string& label) const;
  struct Count {
    std::size_t done = 0;
    std::string of;    // "40", "at most 480"
    std::string left;  // "1:20 min left"; empty behind the last run
  };
  [[nodiscard]] Count count(const campaign::Observer::Position& position) const;

  const study::Study& study_;
  const campaign::History& history_;
  std::size_t planned_;
  bool terminal_;
  int width_;
  int drawn_ = 0;  // lines of the picture now on the screen
};

}  // namespace wattle::cli
