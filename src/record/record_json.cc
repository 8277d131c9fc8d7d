#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/text.h"
#include "record/record.h"

namespace wattle::record {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

// What is wrong with a text; never leaves record_from_json.
struct Malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// JSON has no NaN and no infinity: they travel as text, as in the trainer protocol.
json real(double value) { return std::isfinite(value) ? json(value) : json(shortest(value)); }

double real_from(const json& value) {
  if (value.is_number()) return value.get<double>();
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (text == "inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  throw Malformed("a number is expected");
}

std::int64_t whole_from(const json& value, std::int64_t least, std::int64_t most) {
  if (!value.is_number_integer()) throw Malformed("a whole number is expected");
  const bool huge = value.is_number_unsigned() &&
                    value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (huge || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most) {
    throw Malformed("a whole number is out of range");
  }
  return value.get<std::int64_t>();
}

std::int64_t int64_from(const json& value) {
  return whole_from(value, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
}

int int_from(const json& value) {
  return static_cast<int>(whole_from(value, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

const json* present(const json& object, const char* key) {
  const auto entry = object.find(key);
  return entry == object.end() || entry->is_null() ? nullptr : &*entry;
}

std::optional<int> optional_int(const json& object, const char* key) {
  const json* value = present(object, key);
  return value == nullptr ? std::nullopt : std::optional<int>(int_from(*value));
}

template <class Quantity>
std::optional<Quantity> optional_quantity(const json& object, const char* key) {
  const json* value = present(object, key);
  return value == nullptr ? std::nullopt : std::optional<Quantity>(Quantity{int64_from(*value)});
}

std::string text_from(const json& object, const char* key) { return object.at(key).get<std::string>(); }

template <class Value>
Value known(std::optional<Value> value, const json& object, const char* key) {
  if (!value) throw Malformed(fmt::format("unknown {} `{}`", key, printable(text_from(object, key))));
  return *value;
}

std::optional<energy::WindowKind> window_kind(std::string_view name) {
  for (const auto kind : {energy::WindowKind::run, energy::WindowKind::phase, energy::WindowKind::epoch}) {
    if (to_string(kind) == name) return kind;
  }
  return std::nullopt;
}

json to_json(const MetricPoint& point) {
  json object{{"name", point.name}, {"split", to_string(point.split)}, {"value", real(point.value)}};
  if (point.epoch) object["epoch"] = *point.epoch;
  if (point.time) object["time_ns"] = point.time->value;
  return object;
}

MetricPoint metric_from(const json& object) {
  return {text_from(object, "name"), known(split(text_from(object, "split")), object, "split"),
          optional_int(object, "epoch"), real_from(object.at("value")),
          optional_quantity<Nanoseconds>(object, "time_ns")};
}

json to_json(const energy::Domain& domain) {
  return {{"name", domain.name},
          {"kind", to_string(domain.kind)},
          {"provenance", to_string(domain.provenance)},
          {"source", domain.source},
          {"parent", domain.parent},
          {"gain_uncertainty", real(domain.gain_uncertainty)},
          {"update_period_ns", domain.update_period.value},
          {"simulated", domain.simulated}};
}

energy::Domain domain_from(const json& object) {
  return {text_from(object, "name"),
          known(energy::domain_kind(text_from(object, "kind")), object, "kind"),
          known(energy::provenance(text_from(object, "provenance")), object, "provenance"),
          text_from(object, "source"),
          text_from(object, "parent"),
          real_from(object.at("gain_uncertainty")),
          Nanoseconds{int64_from(object.at("update_period_ns"))},
          object.at("simulated").get<bool>()};
}

// energy::WindowEnergy and Total have the same members and the same JSON.
template <class Energy>
json energy_to_json(const Energy& energy) {
  json object{{"coverage", real(energy.coverage)}, {"uncertainty", real(energy.uncertainty)}};
  if (energy.energy) object["energy_uj"] = energy.energy->value;
  if (!energy.why_absent.empty()) object["why_absent"] = energy.why_absent;
  return object;
}

template <class Energy>
Energy energy_from(const json& object) {
  return {optional_quantity<Microjoules>(object, "energy_uj"), object.value("why_absent", std::string()),
          real_from(object.at("coverage")), real_from(object.at("uncertainty"))};
}

json to_json(const MeasuredWindow& measured) {
  json object{{"kind", to_string(measured.window.kind)},
              {"name", measured.window.name},
              {"begin_ns", measured.window.begin.value},
              {"end_ns", measured.window.end.value},
              {"energies", json::array()}};
  if (measured.window.epoch) object["epoch"] = *measured.window.epoch;
  if (!measured.void_reason.empty()) object["void_reason"] = measured.void_reason;
  for (const energy::WindowEnergy& one : measured.energies) object["energies"].push_back(energy_to_json(one));
  return object;
}

MeasuredWindow window_from(const json& object, std::size_t domains) {
  MeasuredWindow measured;
  measured.window = {known(window_kind(text_from(object, "kind")), object, "kind"), text_from(object, "name"),
                     optional_int(object, "epoch"), Nanoseconds{int64_from(object.at("begin_ns"))},
                     Nanoseconds{int64_from(object.at("end_ns"))}};
  measured.void_reason = object.value("void_reason", std::string());
  for (const json& one : object.at("energies")) measured.energies.push_back(energy_from<energy::WindowEnergy>(one));
  if (measured.energies.size() != domains) throw Malformed("a window has not one energy per domain");
  if (measured.window.end < measured.window.begin) throw Malformed("a window ends before it begins");
  return measured;
}

json to_json(const energy::Measure& measure) {
  return {{"name", measure.name},
          {"unit", measure.unit},
          {"mean", real(measure.mean)},
          {"maximum", real(measure.maximum)},
          {"readings", measure.readings}};
}

energy::Measure measure_from(const json& object) {
  return {.name = text_from(object, "name"),
          .unit = text_from(object, "unit"),
          .mean = real_from(object.at("mean")),
          .maximum = real_from(object.at("maximum")),
          .readings = int64_from(object.at("readings"))};
}

json to_json(const Resources& resources) {
  return {{"user_cpu_s", real(resources.user_cpu.value)},
          {"system_cpu_s", real(resources.system_cpu.value)},
          {"peak_resident_bytes", resources.peak_resident_bytes}};
}

Resources resources_from(const json& object) {
  return {Seconds{real_from(object.at("user_cpu_s"))}, Seconds{real_from(object.at("system_cpu_s"))},
          int64_from(object.at("peak_resident_bytes"))};
}

json to_json(const GroupShare& group) {
  json object{{"members", group.members},
              {"overlap", real(group.overlap)},
              {"invalid", group.invalid},
              {"measured", energy_to_json(group.measured)},
              {"estimated", energy_to_json(group.estimated)},
              {"least_uj", group.least.value},
              {"most_uj", group.most.value},
              {"idle_uj", group.idle.value},
              {"others_uj", group.others.value},
              {"unknown_uj", group.unknown.value}};
  if (group.own) object["own_uj"] = group.own->value;
  return object;
}

GroupShare group_from(const json& object) {
  const auto energy = [&](const char* key) { return Microjoules{int64_from(object.at(key))}; };
  return {.members = int_from(object.at("members")),
          .overlap = real_from(object.at("overlap")),
          .invalid = text_from(object, "invalid"),
          .measured = energy_from<Total>(object.at("measured")),
          .estimated = energy_from<Total>(object.at("estimated")),
          .own = optional_quantity<Microjoules>(object, "own_uj"),
          .least = energy("least_uj"),
          .most = energy("most_uj"),
          .idle = energy("idle_uj"),
          .others = energy("others_uj"),
          .unknown = energy("unknown_uj")};
}

template <class Items>
json array_of(const Items& items) {
  json array = json::array();
  for (const auto& item : items) array.push_back(to_json(item));
  return array;
}

Result<Record> parse(const json& object) {
  if (!object.is_object()) throw Malformed("an object is expected");
  if (int_from(object.at("format")) != kFormat) throw Malformed("the record is of another format");
  auto request = study::request_from_json(object.at("request"));
  if (!request) return tl::unexpected(request.error());
  Record record;
  record.request = *std::move(request);
  record.attempt = static_cast<int>(whole_from(object.at("attempt"), 1, std::numeric_limits<int>::max()));
  record.end = known(end_state(text_from(object, "end")), object, "end");
  record.reason = object.value("reason", std::string());
  record.exit_code = optional_int(object, "exit_code");
  record.signal = optional_int(object, "signal");
  record.started_wall = {int64_from(object.at("started_wall_ns"))};
  record.duration = optional_quantity<Nanoseconds>(object, "duration_ns");
  record.resources = resources_from(object.at("resources"));
  for (const json& point : object.at("metrics")) record.metrics.push_back(metric_from(point));
  for (const json& domain : object.at("domains")) record.domains.push_back(domain_from(domain));
  for (const json& one : object.at("windows")) record.windows.push_back(window_from(one, record.domains.size()));
  // Records of before had no telemetry.
  if (object.contains("measures")) {
    for (const json& measure : object.at("measures")) record.measures.push_back(measure_from(measure));
  }
  record.measured = energy_from<Total>(object.at("measured"));
  record.estimated = energy_from<Total>(object.at("estimated"));
  if (const json* group = present(object, "group")) record.group = group_from(*group);
  record.missing_domains = object.at("missing_domains").get<std::vector<std::string>>();
  record.flags = object.at("flags").get<std::vector<std::string>>();
  record.fingerprint = object.at("fingerprint").get<std::map<std::string, std::string>>();
  record.simulated = object.at("simulated").get<bool>();
  return record;
}

}  // namespace

json to_json(const Record& record) {
  json object{{"format", kFormat},
              {"request", study::to_json(record.request)},
              {"attempt", record.attempt},
              {"end", to_string(record.end)},
              {"started_wall_ns", record.started_wall.value},
              {"resources", to_json(record.resources)},
              {"metrics", array_of(record.metrics)},
              {"domains", array_of(record.domains)},
              {"windows", array_of(record.windows)},
              {"measures", array_of(record.measures)},
              {"measured", energy_to_json(record.measured)},
              {"estimated", energy_to_json(record.estimated)},
              {"missing_domains", record.missing_domains},
              {"flags", record.flags},
              {"fingerprint", record.fingerprint},
              {"simulated", record.simulated}};
  if (record.group) object["group"] = to_json(*record.group);
  if (!record.reason.empty()) object["reason"] = record.reason;
  if (record.exit_code) object["exit_code"] = *record.exit_code;
  if (record.signal) object["signal"] = *record.signal;
  if (record.duration) object["duration_ns"] = record.duration->value;
  return object;
}

Result<Record> record_from_json(const json& object) {
  try {
    return parse(object);
  } catch (const std::exception& error) {  // the JSON library's, and Malformed
    return fail(ErrorKind::bad_input, fmt::format("not a run's record: {}", printable(error.what())));
  }
}

}  // namespace wattle::record
