#include "run/ledger_entry.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace wattle::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kLongestName = 128;

bool is_weights(const fs::path& file) {
  static constexpr std::array<std::string_view, 7> kEndings{".safetensors", ".pt", ".pth",  ".ckpt",
                                                            ".onnx",        ".h5", ".keras"};
  return std::find(kEndings.begin(), kEndings.end(), file.extension().string()) != kEndings.end();
}

// Of the first hello, which is the program's own.
std::string said_name(std::string_view events) {
  while (!events.empty()) {
    const std::size_t end = std::min(events.find('\n'), events.size());
    const json line = json::parse(events.substr(0, end), nullptr, false);
    events.remove_prefix(std::min(end + 1, events.size()));
    if (!line.is_object() || line.value("event", json()) != json("hello")) continue;
    const json details = line.value("details", json());
    const json run = details.is_object() ? details.value("run", json()) : json();
    const std::string name = run.is_string() ? run.get<std::string>() : "";
    return name.size() <= kLongestName ? name : "";
  }
  return {};
}

std::vector<fs::path> weights_in(const fs::path& run_dir) {
  std::vector<fs::path> files;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(run_dir, code)) {
    if (entry.is_regular_file(code) && is_weights(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

study::LedgerEntry ledger_entry(const record::Attempt& attempt) {
  const record::Record& record = attempt.record;
  study::LedgerEntry entry;
  entry.run = said_name(attempt.events);
  if (entry.run.empty()) entry.run = record.request.key.substr(0, 16);
  if (const auto energy = record::run_energy(record)) {
    entry.energy = energy->energy;
    entry.estimated = energy->estimated;
    entry.uncertainty = (energy->estimated ? record.estimated : record.measured).uncertainty;
  }
  if (record.duration) entry.duration = to_seconds(*record.duration);
  entry.machine = record::machine_identity(record.fingerprint);
  return entry;
}

Result<void> write_ledgers(const record::Attempt& attempt, const fs::path& run_dir, study::Ledger begun_with) {
  const std::vector<fs::path> files = weights_in(run_dir);
  const study::LedgerEntry own = files.empty() ? study::LedgerEntry{} : ledger_entry(attempt);
  if (!own.energy) return {};
  begun_with.push_back(own);
  for (const fs::path& file : files) {
    if (auto written = study::write_ledger(file, begun_with); !written) return written;
  }
  return {};
}

Result<study::Ledger> ledger_in(const fs::path& run_dir) {
  const std::vector<fs::path> files = weights_in(run_dir);
  if (files.empty()) return study::Ledger{};
  return study::read_ledger(files.front());
}

}  // namespace wattle::run
