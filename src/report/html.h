// Parts of the HTML page. Internal to this module. Every function returns markup whose foreign text is escaped.
#pragma once

#include <string>
#include <string_view>

#include "analysis/findings.h"
#include "report/wording.h"

namespace wattle::report {

// Safe as element content and inside quoted attributes; control bytes become '?'.
[[nodiscard]] std::string html_escaped(std::string_view text);

// A whole page: `title` is plain text, `body` markup.
[[nodiscard]] std::string html_page(std::string_view title, const std::string& body);

// Each configuration a dot with its intervals: energy (time where no energy is known) against the metric, relative to
// the original in the middle; the front, and the region that "greener" means. Points far out stand at the edge with an
// arrow. Empty where no mutant can be placed.
[[nodiscard]] std::string tradeoff_chart(const analysis::Findings& findings);

// One configuration's runs as dots on a line from `least` to `greatest`, with a tick at the median.
[[nodiscard]] std::string strip_chart(const std::vector<double>& values, std::optional<double> median, double least,
                                      double greatest);

}  // namespace wattle::report
