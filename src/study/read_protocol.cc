#include <fmt/format.h>

#include "base/text.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

constexpr std::int64_t kMostRepetitions = 10'000;

void read_cooling(Section& protocol, Protocol& into, Mistakes& mistakes) {
  static constexpr std::string_view kExample = "cool_to = { temperature = 50 }";
  const toml::table* table = protocol.table("cool_to", kExample);
  if (table == nullptr) return;
  Section section(*table, "cool_to", mistakes);
  into.cool_to_temperature = section.finite("temperature");
  if (into.cool_to_temperature && (*into.cool_to_temperature < 1.0 || *into.cool_to_temperature > 120.0)) {
    section.complain("temperature", fmt::format("`temperature` is {}, but must be from 1 to 120 degC",
                                                shortest(*into.cool_to_temperature)));
  }
  into.cool_to_power = section.part("power");
  if (table->empty()) {
    protocol.complain("cool_to", "`cool_to` is empty",
                      R"(give temperature = 50 (degC), or power = "5 %" (within 5 % of idle))");
  }
  section.finish();
}

Repetitions read_adaptive(const toml::table& table, Mistakes& mistakes) {
  Repetitions repetitions;
  Section section(table, "repetitions", mistakes);
  section.require("min", "for example min = 5");
  section.require("max", "for example max = 30");
  const auto least = section.integer("min", 1, kMostRepetitions);
  const auto most = section.integer("max", 1, kMostRepetitions);
  repetitions.precision = section.part("precision");
  repetitions.until_decided = section.word("until", {"decided"}).has_value();
  if (!section.has("precision") && !section.has("until")) {
    mistakes.add(section.position(), "`repetitions` does not say when they are enough",
                 R"(add precision = "2 %" or until = "decided", or write one number)");
  }
  if (least && most && *least >= *most) {
    section.complain("max", fmt::format("`max` is {}, but must be above `min`, {}", *most, *least),
                     *least == *most ? fmt::format("for a fixed number write repetitions = {}", *most) : "");
  }
  repetitions.min = static_cast<int>(least.value_or(1));
  repetitions.max = static_cast<int>(most.value_or(repetitions.min));
  section.finish();
  return repetitions;
}

}  // namespace

Repetitions read_repetitions(Section& study, Mistakes& mistakes) {
  const toml::node* node = study.find("repetitions");
  if (node != nullptr && node->is_table()) return read_adaptive(*node->as_table(), mistakes);
  Repetitions repetitions;
  repetitions.max = static_cast<int>(study.integer("repetitions", 1, kMostRepetitions).value_or(repetitions.max));
  repetitions.min = repetitions.max;
  return repetitions;
}

Protocol read_protocol(const toml::table& table, Mistakes& mistakes) {
  Protocol protocol;
  Section section(table, "[protocol]", mistakes);
  const auto read = [&](std::string_view key, Nanoseconds& into, Nanoseconds least, Nanoseconds most,
                        std::string_view limits) {
    if (const auto duration = section.duration(key, least, most, limits)) into = *duration;
  };
  const Nanoseconds day = seconds(24L * 3600);
  const Nanoseconds month = seconds(30L * 24 * 3600);
  read("time_limit", protocol.time_limit, seconds(1), month, "from 1s to 30d");
  read("silence_limit", protocol.silence_limit, seconds(1), month, "from 1s to 30d");
  read("grace", protocol.grace, Nanoseconds{}, seconds(3600), "at most 1h");
  read("warm_up", protocol.warm_up, Nanoseconds{}, day, "at most 1d");
  read("cool_down", protocol.cool_down, Nanoseconds{}, day, "at most 1d");
  read("cool_down_limit", protocol.cool_down_limit, Nanoseconds{}, day, "at most 1d");
  read("idle_baseline", protocol.idle_baseline, Nanoseconds{}, seconds(3600), "at most 1h");
  read("sample_interval", protocol.sample_interval, milliseconds(20), seconds(10), "from 20ms to 10s");
  read_cooling(section, protocol, mistakes);
  if (protocol.cool_down > protocol.cool_down_limit && section.has("cool_to")) {
    section.complain("cool_down", "`cool_down` is longer than `cool_down_limit`");
  }
  protocol.control = section.truth("control").value_or(protocol.control);
  protocol.foreign_load = section.part("foreign_load").value_or(protocol.foreign_load);
  protocol.repeat_flagged = static_cast<int>(section.integer("repeat_flagged", 0, 100).value_or(0));
  section.finish();
  return protocol;
}

}  // namespace wattle::study
