#include "meter/measure.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace wattle::meter {
namespace {

namespace fs = std::filesystem;

study::RunRequest request_for(const std::vector<std::string>& arguments, Nanoseconds interval) {
  study::RunRequest request;
  request.study = "measure";
  request.key = std::string(64, '0');
  request.configuration.label = "command";
  request.arguments = arguments;
  std::error_code ignored;
  request.working_directory = fs::current_path(ignored).string();
  request.protocol.sample_interval = interval;
  // Somebody else's command: it may take as long as it likes and say nothing.
  constexpr Nanoseconds kUnlimited = seconds(365L * 86400);  // the longest that a request may ask for
  request.protocol.time_limit = kUnlimited;
  request.protocol.silence_limit = kUnlimited;
  return request;
}

Result<fs::path> private_folder() {
  std::error_code code;
  const fs::path base = fs::temp_directory_path(code);
  if (code) return fail(ErrorKind::environment, fmt::format("no folder for temporary files: {}", code.message()));
  std::string pattern = (base / "wattle-measure-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return fail(ErrorKind::environment, fmt::format("cannot make a folder in {}", base.string()),
                "set TMPDIR to a writable folder");
  }
  return fs::path(pattern);
}

std::vector<DomainEnergy> domains_of(const energy::Trace& trace, const energy::Window& window) {
  std::vector<DomainEnergy> domains;
  for (const energy::Series& series : trace.series) {
    DomainEnergy domain{series.domain, energy::energy_in(series, window), {}, energy::peak_power(series, window)};
    const Seconds duration = to_seconds(window.end - window.begin);
    if (domain.energy.energy && duration.value > 0.0) domain.mean = to_joules(*domain.energy.energy) / duration;
    domains.push_back(std::move(domain));
  }
  return domains;
}

}  // namespace

Result<Measurement> measure(const std::vector<std::string>& arguments, const MeasureOptions& options, Clock& clock,
                            const std::stop_token& stop) {
  const auto folder = private_folder();
  if (!folder) return tl::unexpected(folder.error());
  run::RunnerOptions runner = options.runner;
  runner.streams = run::Streams::inherited;
  auto attempt = run::run_once(request_for(arguments, options.interval), 1, *folder / "attempt", runner, clock, stop);
  std::error_code ignored;
  fs::remove_all(*folder, ignored);
  if (!attempt) return tl::unexpected(attempt.error());
  const auto decoded = energy::decode_trace(attempt->trace);
  if (!decoded) return tl::unexpected(decoded.error());
  Measurement measurement{std::move(attempt->record), {}};
  if (!measurement.record.windows.empty()) {
    measurement.domains = domains_of(decoded->trace, measurement.record.windows.front().window);
  }
  return measurement;
}

}  // namespace wattle::meter
