// The processed table of del Rey et al. (arXiv 2307.05520): a row a run.
#include <fmt/format.h>

#include <cmath>

#include "importers/draft.h"
#include "importers/sheet.h"

namespace wattle::importers {
namespace {

// As of a GPU's own power readings, see docs/measurement.md.
constexpr double kGain = 0.05;

energy::Domain gpu_domain() {
  return {.name = "gpu-0",
          .kind = energy::DomainKind::gpu,
          .provenance = energy::Provenance::integrated_power,
          .source = "imported: nvidia-smi",
          .parent = {},
          .gain_uncertainty = kGain,
          .update_period = milliseconds(100)};
}

std::optional<double> scaled(std::optional<double> value, double by) {
  if (value) *value *= by;
  return value;
}

// The sum of all power readings over their mean is how many there were.
std::int64_t readings_of(Row& row) {
  const auto sum = row.number("total power (W)", 0.0, 1e12);
  const auto mean = row.number("average power draw (W)", 0.0, 1e6);
  return sum && mean && *mean > 0.0 ? std::llround(*sum / *mean) : 0;
}

void take_measures(Row& row, Draft& draft) {
  constexpr double kMebibyte = 1048576.0;  // nvidia-smi says MiB where the table says MB
  const std::int64_t readings = readings_of(row);
  add_mean(draft, "gpu-0_utilisation", "1", scaled(row.number("gpu usage (%)", 0.0, 100.0), 0.01), readings);
  add_mean(draft, "gpu-0_memory_used", "B", scaled(row.number("average memory used (MB)", 0.0, 1e9), kMebibyte),
           readings);
  add_mean(draft, "gpu-0_temperature", "degC", row.number("average temperature (Celsius)", -50.0, 200.0), readings);
  add_mean(draft, "gpu-0_power_limit", "W", row.number("max power limit (W)", 0.0, 1e5), readings);
}

void take_metrics(Row& row, Draft& draft) {
  using enum record::Split;
  // The last epoch's validation values: the study kept no test data apart.
  add_metric(draft, "f1", row.number("f1-score", 0.0, 1.0), validation);
  add_metric(draft, "accuracy", row.number("accuracy", 0.0, 1.0), validation);
  add_metric(draft, "precision", row.number("precision", 0.0, 1.0), validation);
  add_metric(draft, "recall", row.number("recall", 0.0, 1.0), validation);
  add_metric(draft, "auc", row.number("AUC", 0.0, 1.0), validation);
  const auto images = row.number("total seen images", 0.0, 1e15);
  if (images && *images > 0.0) add_metric(draft, "images_seen", images, train);  // 0 would be divided by
  add_metric(draft, "gflops", row.number("GFLOPs", 0.0, 1e12), train);
  add_metric(draft, "trained_epochs", row.number("trained epochs", 0.0, 1e9), train);
}

Draft draft_of(Row& row, const Sheet& sheet, const Request& request) {
  Draft draft;
  draft.file = sheet.name();
  draft.identity = row.content();
  draft.workload = row.required_text("architecture");
  const std::string gpu = row.text("gpu model");
  draft.environment.name = row.text("training environment");
  if (draft.environment.name.empty()) {
    draft.environment.name = !request.environment.empty() ? request.environment : gpu.empty() ? "default" : gpu;
  }
  draft.environment.device = "cuda";
  if (!gpu.empty()) draft.fingerprint["gpu"] = gpu;
  if (const auto batch = row.whole("batch size", 1, 1 << 30)) draft.hyperparameters["batch_size"] = *batch;
  if (const auto run = row.whole("run", 0, 1'000'000'000)) draft.block = static_cast<int>(*run) + 1;
  if (const auto hours = row.number("training duration (h)", 0.0, kMostSeconds / 3600.0)) {
    draft.duration = Seconds{*hours * 3600.0};
  }
  Part part{gpu_domain(), std::nullopt, "the table has no energy for it"};
  if (const auto energy = row.number("energy (MJ)", 0.0, kMostJoules * 1e-6)) part.energy = Joules{*energy * 1e6};
  draft.parts.push_back(std::move(part));
  draft.missing.emplace_back("processor and memory: the table tells the GPU only");
  draft.metric.name = "f1";
  take_metrics(row, draft);
  take_measures(row, draft);
  return draft;
}

}  // namespace

Result<void> read_delrey_table(const Request& request, Intake& intake) {
  for (const auto& file : request.files) {
    const auto sheet = Sheet::read(file);
    if (!sheet) return tl::unexpected(sheet.error());
    if (const auto there = sheet->require({"architecture", "run", "training duration (h)", "energy (MJ)"}); !there) {
      return there;
    }
    std::size_t without = 0;
    for (std::size_t i = 0; i < sheet->rows().size(); ++i) {
      Row row(*sheet, i, intake.mistakes);
      Draft draft = draft_of(row, *sheet, request);
      if (!row.good()) {
        ++intake.bad_rows;
        continue;
      }
      without += draft.parts.front().energy ? 0 : 1;
      intake.drafts.push_back(std::move(draft));
    }
    if (without > 0) intake.notes.push_back(fmt::format("{}: {} rows tell no energy", sheet->name(), without));
  }
  return {};
}

}  // namespace wattle::importers
