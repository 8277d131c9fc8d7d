// STORE.campaign: what `wattle run` does now, for `wattle status` in another terminal. Informative: results
// stand in the attempt directories and the store.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/clock.h"
#include "campaign/campaign.h"
#include "study/study.h"

namespace wattle::cli {

class CampaignFile {
 public:
  CampaignFile(std::filesystem::path file, const study::Study& study, Clock& clock);
  CampaignFile(const CampaignFile&) = delete;
  CampaignFile& operator=(const CampaignFile&) = delete;

  // The same observer, which writes here too: at most every half second, and whenever the campaign waits.
  [[nodiscard]] campaign::Observer observer(campaign::Observer inner);

 private:
  void write(const study::RunRequest* request, const campaign::Observer::Position& position,
             const run::Progress& progress, const std::string& waiting);

  std::filesystem::path file_;
  const study::Study& study_;
  Clock& clock_;
  std::optional<Nanoseconds> written_;  // CLOCK_MONOTONIC
};

// What it holds of a campaign.
struct CampaignNow {
  struct Run {
    std::string label;
    std::string workload;
    int block = 0;
    int blocks = 0;
    Seconds elapsed;
    std::optional<int> epoch;
    std::string metric;
    std::optional<double> value;
    std::optional<Watts> power;
    Joules energy;
    bool estimated = false;
  };
  std::string study;
  study::Budget budget;
  bool adaptive = false;  // repetitions
  std::string waiting;    // "cooling down"; empty: it does not
  std::optional<Run> run;
  std::optional<Seconds> remaining;
};
// Nothing where there is no such file, or it cannot be read.
[[nodiscard]] std::optional<CampaignNow> read_campaign(const std::filesystem::path& file);

}  // namespace wattle::cli
