// What a monitor knows, in the words of Prometheus.
#pragma once

#include <string>
#include <string_view>

#include "meter/monitor.h"

namespace wattle::meter {

inline constexpr std::string_view kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

// Text exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): each metric with its HELP and
// TYPE, label values escaped, joules in whole microjoules without a float between. A domain is one series, and its
// provenance is a label, so nothing measured ever shares one with what is estimated. What is not known now has no
// sample: absent is not zero. Pure.
[[nodiscard]] std::string exposition(const MonitorNow& now, std::string_view version);

}  // namespace wattle::meter
