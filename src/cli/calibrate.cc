// wattle calibrate: fits the energy model to this machine, by a source that measures.
#include "meter/calibrate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

using nlohmann::json;

struct Asked {
  std::string against;
  std::string hold = "10s";
  int levels = 4;
  double others = 5.0;  // percent
  bool dry_run = false;
};

json as_json(const meter::Calibrated& result, const std::string& stored) {
  const energy::PowerCurve& curve = result.calibration.fit.curve;
  json levels = json::array();
  for (const meter::MeasuredLevel& level : result.levels) {
    const Watts fitted = curve.at(level.use);
    levels.push_back({{"level", meter::describe(level.load)},
                      {"use", level.use},
                      {"power_w", level.power.value},
                      {"fitted_w", fitted.value},
                      {"residual_w", (level.power - fitted).value},
                      {"measured_s", level.measured.value}});
  }
  return {{"levels", levels},
          {"calibration", json::parse(energy::calibration_json(result.calibration), nullptr, false)},
          {"gain_uncertainty", result.calibration.gain()},
          {"stored", stored.empty() ? json() : json(stored)}};
}

std::string curve_text(const energy::PowerCurve& curve) {
  std::string text = fmt::format("P(u) = {} W", significant(curve.base.value, 3));
  const auto add = [&](double coefficient, const char* of) {
    if (coefficient == 0.0) return;
    text += fmt::format(" {} {} W · {}", coefficient < 0.0 ? "−" : "+", significant(std::abs(coefficient), 3), of);
  };
  add(curve.slope.value, "u");
  add(curve.bend.value, "u²");
  return text;
}

std::string percent(double share) { return significant(100.0 * share, 2) + " %"; }

std::string as_text(const meter::Calibrated& result, const std::string& stored, bool colour) {
  const energy::Calibration& calibration = result.calibration;
  const energy::Fit& fit = calibration.fit;
  report::Table table({{"level", report::Align::left, true},
                       {"CPU use", report::Align::right, false},
                       {"measured", report::Align::right, false},
                       {"fitted", report::Align::right, false},
                       {"off by", report::Align::right, false}});
  for (const meter::MeasuredLevel& level : result.levels) {
    const Watts fitted = fit.curve.at(level.use);
    table.add_row({{meter::describe(level.load)},
                   {fmt::format("{:.1f} %", 100.0 * level.use)},
                   {human(level.power)},
                   {human(fitted)},
                   {fmt::format("{:+.1f} %", 100.0 * ((level.power - fitted) / fitted))}});
  }
  std::string text = table.render(80, colour) + "\n";
  const auto add = [&](const char* head, const std::string& line) { text += report::wrapped(line, 80, head); };
  add("curve     ", fmt::format("{}, for CPU use u of {:.0f} to {:.0f} %", curve_text(fit.curve),
                                100.0 * fit.curve.least_use, 100.0 * fit.curve.most_use));
  add("error     ", fmt::format("of levels left out: rms {} ({}), largest {} ({})", human(fit.rms),
                                percent(fit.relative_rms), human(fit.largest), percent(fit.relative_largest)));
  add("          ", fmt::format("±{} in all: ±{} of the source, ±{} of the fit, ±{} for what other programs do with "
                                "the same CPU time",
                                percent(calibration.gain()), percent(calibration.source_gain), percent(fit.spread()),
                                percent(energy::kOtherPrograms)));
  add("against   ", calibration.provenance() + (calibration.covers_memory ? "; memory is within" : ""));
  if (calibration.simulated) {
    add("          ", "! fitted to a recording: what the model says by it is marked simulated, and no finding");
  }
  add("stored    ", stored.empty() ? "nowhere (--dry-run)" : stored);
  if (!stored.empty()) text += "\nnext:  wattle --probe model measure -- COMMAND\n";
  return text;
}

Result<meter::CalibrateOptions> options_of(const Asked& asked, const energy::ProbeOptions& probes) {
  meter::CalibrateOptions options;
  const auto hold = parse_duration(asked.hold);
  if (!hold || *hold < milliseconds(500) || *hold > seconds(3600)) {
    return fail(ErrorKind::bad_input,
                fmt::format("--hold {}: a duration from 500ms to 1h is needed", printable(asked.hold)),
                "for example --hold 10s");
  }
  options.hold = *hold;
  options.steps = asked.levels;
  options.others = asked.others / 100.0;
  options.machine = probes.machine;
  return options;
}

int calibrate(const Context& context, const Asked& asked) {
  energy::ProbeOptions probes = context.probe_options();
  if (!asked.against.empty()) probes.wanted = {asked.against};
  const auto options = options_of(asked, probes);
  if (!options) return tell(options.error());
  Signals signals({});
  std::stop_source stop;
  const std::stop_callback first(signals.after_run.get_token(), [&] { stop.request_stop(); });
  SystemClock clock;
  meter::ThisMachine machine(context.sysroot);
  const auto on_level = [](const meter::LoadLevel& level, int number, int of, Nanoseconds left) {
    note(fmt::format("wattle: level {} of {}: {}; {} left", number, of, meter::describe(level),
                     human(to_seconds(left))));
  };
  const auto result =
      meter::calibrate(energy::find_probes(probes), *options, machine, clock, stop.get_token(), on_level);
  if (!result) return tell(result.error());
  std::string stored;
  if (!asked.dry_run) {
    stored = context.calibration_file().string();
    const auto kept = energy::save_calibration(stored, result->calibration);
    if (!kept) return tell(kept.error());
  }
  if (context.json) return give(context, as_json(*result, stored));
  return give(context, as_text(*result, stored, context.output.empty() && wants_colour(STDOUT_FILENO)));
}

}  // namespace

void add_calibrate(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("calibrate", "Fit the energy model to this machine, by a source that measures");
  auto asked = std::make_shared<Asked>();
  sub->add_option("--against", asked->against, "Measure with this probe (otherwise the best that there is)")
      ->type_name("PROBE");
  sub->add_option("--hold", asked->hold, "How long each level is held; its first fifth is not measured")
      ->type_name("DURATION")
      ->capture_default_str();
  sub->add_option("--levels", asked->levels, "Steps from rest to full use, each with two kinds of work")
      ->type_name("N")
      ->check(CLI::Range(2, 32))
      ->capture_default_str();
  sub->add_option("--others", asked->others, "Most that other programs may use of the CPUs' time")
      ->type_name("PERCENT")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  sub->add_flag("--dry-run", asked->dry_run, "Fit, and store nothing");
  sub->footer(
      "Loads every CPU for a minute and a half and wants an otherwise idle machine. What is found is kept for this\n"
      "user and this machine and used wherever energy has to be estimated; with sudo: sudo env HOME=$HOME wattle "
      "calibrate\n"
      "Examples:\n  wattle calibrate\n  wattle calibrate --against plug:192.168.1.20 --hold 30s\n  wattle calibrate "
      "--dry-run --json");
  sub->callback([&context, &chosen, asked] { chosen = [&context, asked] { return calibrate(context, *asked); }; });
}

}  // namespace wattle::cli
