#include "record/summary.h"

#include "base/text.h"

namespace wattle::record {

Summary summarise(const Record& record) {
  const study::RunRequest& request = record.request;
  Summary summary;
  summary.key = request.key;
  summary.attempt = record.attempt;
  summary.study = request.study;
  summary.workload = request.configuration.workload;
  summary.configuration = request.configuration.id;
  summary.label = request.configuration.label;
  summary.original = request.configuration.original();
  summary.block = request.block;
  summary.order = request.order;
  summary.purpose = std::string(study::to_string(request.purpose));
  summary.training_seed = request.training_seed;
  summary.end = record.end;
  summary.reason = record.reason;
  summary.started_wall = record.started_wall;
  if (record.duration) summary.duration = to_seconds(*record.duration);
  if (record.measured.energy) summary.measured_energy = to_joules(*record.measured.energy);
  if (record.estimated.energy) summary.estimated_energy = to_joules(*record.estimated.energy);
  summary.metric = request.metric.name;
  if (const auto reached = performance(record)) {
    summary.performance = reached->value;
    summary.performance_split = std::string(to_string(reached->split));
  }
  summary.flags = join(record.flags, ",");
  return summary;
}

}  // namespace wattle::record
