// An answer laid out: text, JSON, CSV (of one table), Markdown, LaTeX (booktabs) or HTML. Pure, and the same rules as
// for findings (report.h): what is absent stays absent, with the reason; text is escaped for the format it goes into.
#pragma once

#include <string>
#include <string_view>

#include "analysis/answer.h"
#include "base/result.h"
#include "report/report.h"

namespace wattle::report {

// `table` names one of the answer's tables, which then is all that text, CSV, Markdown, LaTeX and HTML hold; empty: all
// of them, of CSV the first, and for people no more than 200 rows of each, which it says. Fails (bad_input) where there
// is none of that name.
[[nodiscard]] Result<std::string> render(const analysis::Answer& answer, Format format, const Options& options,
                                         std::string_view table = {});

}  // namespace wattle::report
