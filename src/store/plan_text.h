// A plan as one text, short and quick to read and write however many runs it holds. Runs of one configuration differ in
// little; so what they share stands once, as JSON, and each run is a line:
//
//   [request, request, ...]                            templates: the first run of each kind, as study::to_json gives
//   it KEY TEMPLATE BLOCK ORDER SEED PAIR                 a run; TEMPLATE counts from 0, PAIR is a key, = for its own,
//   - for none KEY TEMPLATE BLOCK ORDER SEED PAIR {"texts":...}   what else is its own
//
// A run's texts (arguments, values of variables, contents of rendered files, counted in this order) are its template's,
// with the template's training seed in decimal replaced by its own wherever it stands; "texts" lists those that are
// not, as [number, text]. "group", "weights" (the key) and a pair's key of several words stand there too. Before schema
// 3 a plan was a JSON array of whole requests.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/record.h"

namespace wattle::store {

// The runs of a plan, of each what counting needs.
struct PlannedRuns {
  struct Kind {
    std::string configuration;  // id
    std::string workload;
  };
  struct Run {
    std::string_view key;  // stands in `text`
    std::size_t kind = 0;
  };
  std::vector<Kind> kinds;
  std::vector<Run> runs;
  std::unique_ptr<const std::string> text;
};

// Fails (bad_input) where a key is not one word.
[[nodiscard]] Result<std::string> encode_plan(const std::vector<study::RunRequest>& runs);
// Both read either form; fail where the text is damaged.
[[nodiscard]] Result<std::vector<study::RunRequest>> decode_plan(std::string_view text);
[[nodiscard]] Result<PlannedRuns> decode_planned_runs(std::string text);

}  // namespace wattle::store
