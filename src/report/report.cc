#include "report/report.h"

#include <algorithm>
#include <array>
#include <utility>

#include "report/formats.h"

namespace wattle::report {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 6> kFormats{{{"text", Format::text},
                                                                       {"json", Format::json},
                                                                       {"csv", Format::csv},
                                                                       {"md", Format::md},
                                                                       {"latex", Format::latex},
                                                                       {"html", Format::html}}};

}  // namespace

std::optional<Format> parse_format(std::string_view name) {
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(), [&](const auto& f) { return f.first == name; });
  if (found == kFormats.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  names.reserve(kFormats.size());
  for (const auto& [name, format] : kFormats) names.emplace_back(name);
  return names;
}

std::string render(const analysis::Findings& findings, std::span<const record::Record> records, Format format,
                   const Options& options) {
  switch (format) {
    case Format::json:
      return render_json(findings);
    case Format::csv:
      return findings_csv(findings);
    case Format::md:
      return render_markdown(findings, options);
    case Format::latex:
      return render_latex(findings);
    case Format::html:
      return render_html(findings, records, options);
    case Format::text:
      break;
  }
  return render_text(findings, options);
}

}  // namespace wattle::report
