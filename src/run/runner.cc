#include "run/runner.h"

#include "run/one_run.h"

namespace wattle::run {
namespace {

// From the first sample to the last: everything between is the run.
Result<energy::Trace> measured(Run& run, Meter& meter, const std::stop_token& stop) {
  meter.start();
  const auto begun = run.begin();
  if (begun) run.watch(meter, stop);
  auto trace = meter.stop();
  const auto ended = run.end();
  if (!begun) return tl::unexpected(begun.error());
  if (trace && !ended) return tl::unexpected(ended.error());
  return trace;
}

}  // namespace

Result<record::Attempt> run_once(const study::RunRequest& request, int attempt, const std::filesystem::path& directory,
                                 const RunnerOptions& options, Clock& clock, const std::stop_token& stop) {
  const auto run = Run::create(request, attempt, directory, {}, options, clock);
  if (!run) return tl::unexpected(run.error());
  Meter meter(request, (*run)->files().trace(), options, clock);
  auto trace = measured(**run, meter, stop);
  auto record = trace ? (*run)->assembled(*std::move(trace)) : tl::unexpected(trace.error());
  if (record) return (*run)->written(*std::move(record));
  if (record.error().kind == ErrorKind::failed) return (*run)->lost(record.error().message);
  (*run)->forget();
  return tl::unexpected(record.error());
}

}  // namespace wattle::run
