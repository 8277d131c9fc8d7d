#include "study/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace wattle::study {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestFile = 16U << 20U;
constexpr std::size_t kMostEntries = 10'000;

tl::unexpected<Error> refused(const std::string& what) {
  return fail(ErrorKind::bad_input, what,
              R"(a ledger is {"RUN": {"energy_j": 12.5, "provenance": "measured", "uncertainty": 0.02}, …})");
}

// Absent and null are the same. False where the number makes no sense.
bool take(const json& object, const char* name, double most, std::optional<double>& value) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return true;
  if (!found->is_number()) return false;
  value = found->get<double>();
  return std::isfinite(*value) && *value >= 0.0 && *value <= most;
}

bool take(const json& object, const char* name, std::string& text) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_string()) return false;
  text = found->get<std::string>();
  return text.find('\0') == std::string::npos;
}

// Who does not say how the joules were obtained has not measured them.
Result<LedgerEntry> entry_of(const std::string& run, const json& object) {
  const auto wrong = [&](const std::string& what) { return refused(fmt::format("run {}: {}", printable(run), what)); };
  if (!object.is_object()) return wrong("must be an object");
  std::optional<double> joules;
  std::optional<double> uncertainty;
  std::optional<double> duration;
  std::string provenance = "estimated";
  LedgerEntry entry;
  entry.run = run;
  if (!take(object, "energy_j", kMostJoules, joules)) {
    return wrong(fmt::format("`energy_j` must be a number from 0 to {}", shortest(kMostJoules)));
  }
  if (!take(object, "uncertainty", 1e3, uncertainty)) return wrong("`uncertainty` must be a part, 0.02 for 2 %");
  if (!take(object, "duration_s", 1e12, duration)) return wrong("`duration_s` must be a number of seconds from 0");
  if (!take(object, "provenance", provenance) || (provenance != "measured" && provenance != "estimated")) {
    return wrong(R"(`provenance` must be "measured" or "estimated")");
  }
  if (!take(object, "machine", entry.machine)) return wrong("`machine` must be text");
  if (joules) entry.energy = Joules{*joules};
  if (duration) entry.duration = Seconds{*duration};
  entry.estimated = provenance == "estimated";
  entry.uncertainty = uncertainty.value_or(0.0);
  return entry;
}

// What wattle-train wrote into a safetensors file of who made it; nothing for any other file.
std::optional<json> own_list(const std::filesystem::path& weights) {
  std::ifstream file(weights, std::ios::binary);
  unsigned char bytes[8]{};
  if (!file.read(reinterpret_cast<char*>(bytes), sizeof bytes)) return std::nullopt;
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8U | bytes[i];
  if (length > kLongestFile) return std::nullopt;
  std::string header(length, '\0');
  if (!file.read(header.data(), static_cast<std::streamsize>(length))) return std::nullopt;
  const json all = json::parse(header, nullptr, false);
  const auto metadata = all.is_object() ? all.find("__metadata__") : all.end();
  if (!all.is_object() || metadata == all.end() || !metadata->is_object()) return std::nullopt;
  const auto text = metadata->find("wattle.ledger");
  if (text == metadata->end() || !text->is_string()) return std::nullopt;
  json list = json::parse(text->get<std::string>(), nullptr, false);
  if (!list.is_array() || list.size() > kMostEntries) return std::nullopt;
  return list;
}

// The runs that the weights name, each with what the file knows of it.
Result<Ledger> matched(const json& list, const Ledger& told) {
  Ledger ledger;
  for (const json& object : list) {
    const auto run = object.is_object() ? object.find("run") : object.end();
    if (!object.is_object() || run == object.end() || !run->is_string())
      return refused("the weights' own ledger is damaged");
    const auto known = std::find_if(told.begin(), told.end(),
                                    [&](const LedgerEntry& entry) { return entry.run == run->get<std::string>(); });
    auto entry = known != told.end() ? Result<LedgerEntry>(*known) : entry_of(run->get<std::string>(), object);
    if (!entry) return tl::unexpected(entry.error());
    ledger.push_back(*std::move(entry));
  }
  for (const LedgerEntry& entry : told) {
    const bool there = std::any_of(ledger.begin(), ledger.end(), [&](const auto& own) { return own.run == entry.run; });
    if (there) continue;
    return refused(
        fmt::format("run {} has no part in these weights: the ledger belongs to others", printable(entry.run)));
  }
  return ledger;
}

tl::unexpected<Error> of_file(const std::filesystem::path& file, const Error& error) {
  return fail(error.kind, fmt::format("{}: {}", file.string(), error.message), error.hint);
}

}  // namespace

std::filesystem::path ledger_file(const std::filesystem::path& weights) { return weights.string() + ".ledger.json"; }

Result<Ledger> read_ledger(const std::filesystem::path& weights) {
  const std::filesystem::path file = ledger_file(weights);
  Ledger told;
  std::error_code code;
  if (std::filesystem::exists(file, code)) {
    const auto text = read_text(file, kLongestFile);
    if (!text) return tl::unexpected(text.error());
    auto ledger = ledger_from_json(json::parse(*text, nullptr, false));
    if (!ledger) return of_file(file, ledger.error());
    told = *std::move(ledger);
  }
  const auto own = own_list(weights);
  if (!own) return told;
  auto ledger = matched(*own, told);
  if (!ledger) return of_file(file, ledger.error());
  return ledger;
}

Result<void> write_ledger(const std::filesystem::path& weights, const Ledger& ledger) {
  Ledger known;
  std::copy_if(ledger.begin(), ledger.end(), std::back_inserter(known),
               [](const LedgerEntry& entry) { return entry.energy.has_value(); });
  return write_text(ledger_file(weights), to_json(known).dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

json to_json(const Ledger& ledger) {
  json object = json::object();
  for (const LedgerEntry& entry : ledger) {
    json& one = object[entry.run] = json::object();
    one["energy_j"] = entry.energy ? json(entry.energy->value) : json();
    one["provenance"] = entry.estimated ? "estimated" : "measured";
    one["uncertainty"] = entry.uncertainty;
    one["duration_s"] = entry.duration ? json(entry.duration->value) : json();
    one["machine"] = entry.machine;
  }
  return object;
}

Result<Ledger> ledger_from_json(const json& object) {
  if (object.is_discarded()) return refused("no JSON, cut off, or with a number beyond all measure");
  if (!object.is_object() || object.size() > kMostEntries) return refused("must be an object, a member for each run");
  Ledger ledger;
  for (const auto& [run, one] : object.items()) {
    auto entry = entry_of(run, one);
    if (!entry) return tl::unexpected(entry.error());
    ledger.push_back(*std::move(entry));
  }
  return ledger;
}

LedgerTotal total_of(const Ledger& ledger) {
  LedgerTotal total;
  if (ledger.empty()) {
    total.why_absent = "no ledger tells what the weights cost";
    return total;
  }
  double joules = 0.0;
  double uncertain = 0.0;
  double seconds = 0.0;
  bool timed = true;
  total.estimated = ledger.front().estimated;
  for (const LedgerEntry& entry : ledger) {
    if (!entry.energy) total.why_absent = fmt::format("nobody measured run {}, which went into the weights", entry.run);
    if (entry.energy && entry.estimated != total.estimated) {
      total.why_absent = "some of the runs that went into the weights were measured, others estimated";
    }
    joules += entry.energy.value_or(Joules{}).value;
    uncertain += entry.energy.value_or(Joules{}).value * entry.uncertainty;
    seconds += entry.duration.value_or(Seconds{}).value;
    timed = timed && entry.duration.has_value();
  }
  if (timed) total.duration = Seconds{seconds};
  if (!total.why_absent.empty()) return total;
  total.energy = Joules{joules};
  total.uncertainty = joules > 0.0 ? uncertain / joules : 0.0;
  return total;
}

}  // namespace wattle::study
