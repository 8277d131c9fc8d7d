// A calibration on disk: one JSON object, of which every field must be there and sound.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "energy/accumulator.h"
#include "energy/calibration.h"
#include "energy/coefficients.h"

namespace wattle::energy {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::size_t kLargestFile = 64U << 10U;
constexpr std::size_t kLongestText = 1024;
constexpr std::size_t kMostDomains = 1024;

// Takes fields out of an object and keeps the first thing that is wrong with them.
class Fields {
 public:
  explicit Fields(const json& object) : object_(object) {}

  double real(const char* field, double least, double most) {
    const json* found = find(field, &json::is_number);
    const double number = found == nullptr ? least : found->get<double>();
    if (!(number >= least && number <= most)) {
      wrong(field, fmt::format("is not between {} and {}", least, most));
      return least;
    }
    return number;
  }
  std::int64_t integer(const char* field, std::int64_t least, std::int64_t most) {
    const json* found = find(field, &json::is_number_integer);
    if (found == nullptr) return least;
    // A value beyond 2^63 would come out negative.
    const bool huge = found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(most);
    const auto number = found->get<std::int64_t>();
    if (huge || number < least || number > most) {
      wrong(field, fmt::format("is not between {} and {}", least, most));
      return least;
    }
    return number;
  }
  bool boolean(const char* field) {
    const json* found = find(field, &json::is_boolean);
    return found != nullptr && found->get<bool>();
  }
  std::string text(const char* field) {
    const json* found = find(field, &json::is_string);
    return found == nullptr ? std::string() : checked(field, *found);
  }
  std::vector<std::string> texts(const char* field) {
    std::vector<std::string> all;
    const json* found = find(field, &json::is_array);
    if (found == nullptr) return all;
    if (found->empty() || found->size() > kMostDomains) wrong(field, "has no entry, or too many");
    for (const json& one : *found) {
      if (!one.is_string()) wrong(field, "holds something that is no text");
      if (!error_.empty()) break;
      all.push_back(checked(field, one));
    }
    return all;
  }
  [[nodiscard]] const json& object(const char* field) {
    static const json kEmpty = json::object();
    const json* found = find(field, &json::is_object);
    return found == nullptr ? kEmpty : *found;
  }
  void wrong(const char* field, std::string_view what) {
    if (error_.empty()) error_ = fmt::format("`{}` {}", field, what);
  }
  void take_error_of(const Fields& inner) {
    if (error_.empty()) error_ = inner.error_;
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  const json* find(const char* field, bool (json::*is)() const noexcept) {
    const auto found = object_.find(field);
    if (found != object_.end() && ((*found).*is)()) return &*found;
    wrong(field, found == object_.end() ? "is missing" : "is of the wrong type");
    return nullptr;
  }
  std::string checked(const char* field, const json& one) {
    auto text = one.get<std::string>();
    if (text.empty() || text.size() > kLongestText || text != printable(text)) {
      wrong(field, "is empty, too long, or holds control bytes");
    }
    return text;
  }

  const json& object_;
  std::string error_;
};

Fit fit_in(Fields& fields) {
  const double most = plausible_power(DomainKind::wall).value;
  Fields curve(fields.object("curve"));
  Fit fit;
  fit.curve.base = {curve.real("base_w", -most, most)};
  fit.curve.slope = {curve.real("slope_w", -most, most)};
  fit.curve.bend = {curve.real("bend_w", -most, most)};
  fit.curve.least_use = curve.real("least_use", 0.0, kFarthestFromRest);
  fit.curve.most_use = curve.real("most_use", kNarrowestRange, 1.0);
  const bool sound = fit.curve.at(0.0).value >= 0.0 && fit.curve.at(1.0) > fit.curve.at(0.0) && fit.curve.rises();
  if (!sound && curve.error().empty()) curve.wrong("curve", "falls, or is below 0 W at rest");
  fields.take_error_of(curve);
  Fields error(fields.object("left_out_error"));
  fit.points = static_cast<int>(error.integer("points", kFewestUses, 100'000));
  fit.rms = {error.real("rms_w", 0.0, most)};
  fit.largest = {error.real("largest_w", 0.0, most)};
  fit.relative_rms = error.real("relative_rms", 0.0, kModelGain);
  fit.relative_largest = error.real("relative_largest", 0.0, kModelGain);
  fields.take_error_of(error);
  return fit;
}

}  // namespace

std::string calibration_json(const Calibration& calibration) {
  const Fit& fit = calibration.fit;
  const json all{{"calibration", kVersion},
                 {"machine", calibration.machine},
                 {"fitted_wall_ns", calibration.fitted_wall.value},
                 {"against", calibration.against},
                 {"domains", calibration.domains},
                 {"covers_memory", calibration.covers_memory},
                 {"simulated", calibration.simulated},
                 {"source_gain", calibration.source_gain},
                 {"curve",
                  {{"base_w", fit.curve.base.value},
                   {"slope_w", fit.curve.slope.value},
                   {"bend_w", fit.curve.bend.value},
                   {"least_use", fit.curve.least_use},
                   {"most_use", fit.curve.most_use}}},
                 {"left_out_error",
                  {{"points", fit.points},
                   {"rms_w", fit.rms.value},
                   {"largest_w", fit.largest.value},
                   {"relative_rms", fit.relative_rms},
                   {"relative_largest", fit.relative_largest}}}};
  return all.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<Calibration> parse_calibration(std::string_view text) {
  const json all = json::parse(text, nullptr, false);
  if (!all.is_object()) return fail(ErrorKind::bad_input, "no calibration: not an object of JSON");
  Fields fields(all);
  // Of another version nothing else is known.
  if (fields.integer("calibration", kVersion, kVersion); !fields.error().empty()) {
    return fail(ErrorKind::bad_input, "no calibration of this version: " + fields.error());
  }
  Calibration calibration;
  calibration.machine = fields.text("machine");
  calibration.fitted_wall = {fields.integer("fitted_wall_ns", 0, std::int64_t{1} << 62)};
  calibration.against = fields.text("against");
  calibration.domains = fields.texts("domains");
  calibration.covers_memory = fields.boolean("covers_memory");
  calibration.simulated = fields.boolean("simulated");
  calibration.source_gain = fields.real("source_gain", 0.0, 1.0);
  calibration.fit = fit_in(fields);
  if (!fields.error().empty()) return fail(ErrorKind::bad_input, "damaged calibration: " + fields.error());
  return calibration;
}

Result<void> save_calibration(const std::filesystem::path& file, const Calibration& calibration) {
  std::error_code code;
  std::filesystem::create_directories(file.parent_path(), code);
  return write_text(file, calibration_json(calibration));
}

Result<Calibration> load_calibration(const std::filesystem::path& file, std::string_view machine) {
  const auto text = read_text(file, kLargestFile);
  if (!text) return tl::unexpected(text.error());
  auto calibration = parse_calibration(*text);
  if (calibration && calibration->machine != machine) {
    return fail(ErrorKind::bad_input, fmt::format("of another machine: {}", calibration->machine));
  }
  return calibration;
}

}  // namespace wattle::energy
