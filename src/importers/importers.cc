#include "importers/importers.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "importers/draft.h"
#include "importers/sheet.h"

namespace wattle::importers {
namespace {

struct Reader {
  Format format;
  Result<void> (*read)(const Request& request, Intake& intake);
};

constexpr std::array kReaders{
    Reader{{"delrey", "processed table of del Rey et al. (seaa2023_ect): a row a run"}, read_delrey_table},
    Reader{{"delrey-raw", "their monitor logs: nvidia-smi in both layouts, psutil beside it"}, read_delrey_logs},
    Reader{{"zeus", "traces of Zeus: a folder of cells.csv, summary_train.csv, summary_power_GPU.csv"}, read_zeus},
    Reader{{"codecarbon", "emissions.csv of CodeCarbon"}, read_codecarbon},
    Reader{{"perf-stat", "output of `perf stat -x, -e power/energy-pkg/,…`: a run a file"}, read_perf_stat},
    Reader{{"csv", "anybody's CSV, with --column or --map"}, read_mapped_csv}};

Result<const Reader*> reader_of(const std::string& name) {
  std::vector<std::string> names;
  for (const Reader& reader : kReaders) {
    if (reader.format.name == name) return &reader;
    names.emplace_back(reader.format.name);
  }
  const auto meant = nearest(name, names);
  return fail(ErrorKind::bad_input, fmt::format("there is no format `{}`", excerpt(name)),
              meant ? fmt::format("did you mean `{}`?", *meant) : "there are " + join(names, ", "));
}

Result<void> set_number(study::OutlierRule& rule, const std::string& key, const std::string& value) {
  const auto whole = parse_integer(value);
  const auto real = parse_real(value);
  if (key == "drop_highest" || key == "drop_lowest") {
    if (!whole || *whole < 1 || *whole > 1'000'000) {
      return fail(ErrorKind::bad_input, fmt::format("--outlier: {} is how many, 1 or more", key));
    }
    (key == "drop_highest" ? rule.drop_highest : rule.drop_lowest) = static_cast<int>(*whole);
    return {};
  }
  if (!real || !(*real == *real)) return fail(ErrorKind::bad_input, fmt::format("--outlier: {} is a number", key));
  (key == "equals" ? rule.equals : rule.beyond_iqr) = *real;
  return {};
}

// Tables are flattened: [parameter] lr = "x" is parameter.lr.
void flatten(const toml::table& table, const std::string& before, std::map<std::string, std::string>& columns,
             std::vector<std::string>& mistakes) {
  for (const auto& [key, node] : table) {
    const std::string name = before + std::string(key.str());
    if (const auto* inner = node.as_table(); inner != nullptr && before.empty()) {
      flatten(*inner, name + ".", columns, mistakes);
    } else if (const auto text = node.value<std::string>()) {
      columns[name] = *text;
    } else {
      mistakes.push_back(fmt::format("{}:{}: {}: the name of a column is expected, in quotes", node.source().begin.line,
                                     node.source().begin.column, printable(name)));
    }
  }
}

}  // namespace

std::span<const Format> formats() {
  static const auto list = [] {
    std::array<Format, kReaders.size()> all;
    std::transform(kReaders.begin(), kReaders.end(), all.begin(), [](const Reader& reader) { return reader.format; });
    return all;
  }();
  return list;
}

Result<Imported> import(const Request& asked) {
  const auto reader = reader_of(asked.format);
  if (!reader) return tl::unexpected(reader.error());
  if (asked.files.empty()) return fail(ErrorKind::bad_input, "no file is named");
  if (!asked.columns.empty() && asked.format != "csv") {
    return fail(ErrorKind::bad_input, "--column and --map are for --format csv",
                "the other formats know their columns");
  }
  Request request = asked;
  if (request.study.empty()) {
    const auto& first = asked.files.front();
    request.study = (first.has_stem() ? first.stem() : first.parent_path().filename()).string();
  }
  Intake intake;
  if (const auto read = (*reader)->read(request, intake); !read) return tl::unexpected(read.error());
  if (intake.drafts.empty() && intake.mistakes.empty()) {
    return fail(ErrorKind::bad_input, fmt::format("{} holds no runs", asked.files.front().filename().string()));
  }
  if (!intake.mistakes.empty() && !request.skip_bad) request.outliers.clear();  // nothing is judged before all is read
  return finish(request, std::move(intake));
}

Result<study::OutlierRule> parse_outlier_rule(std::string_view text) {
  const std::vector<std::string> keys{"measure", "workloads", "drop_highest", "drop_lowest", "equals", "beyond_iqr"};
  study::OutlierRule rule;
  for (const std::string& part : split(text, ',')) {
    const auto equals = part.find('=');
    const std::string key(trim(part.substr(0, equals)));
    const std::string value(equals == std::string::npos ? "" : trim(std::string_view(part).substr(equals + 1)));
    if (std::find(keys.begin(), keys.end(), key) == keys.end() || value.empty()) {
      const auto meant = nearest(key, keys);
      return fail(ErrorKind::bad_input, fmt::format("--outlier: `{}` is not KEY=VALUE", excerpt(part)),
                  meant ? fmt::format("did you mean `{}=`?", *meant)
                        : "as in measure=gpu-0_temperature,workloads=a|b,drop_highest=7");
    }
    if (key == "measure") {
      rule.measure = value;
    } else if (key == "workloads") {
      rule.workloads = split(value, '|');
    } else if (const auto set = set_number(rule, key, value); !set) {
      return tl::unexpected(set.error());
    }
  }
  const bool judges = rule.drop_highest > 0 || rule.drop_lowest > 0 || rule.equals || rule.beyond_iqr;
  if (rule.measure.empty() || !judges) {
    return fail(ErrorKind::bad_input, "--outlier needs a measure, and what to leave out",
                "as in measure=gpu-0_temperature,drop_highest=7; also drop_lowest, equals, beyond_iqr");
  }
  return rule;
}

Result<std::map<std::string, std::string>> read_column_map(const std::filesystem::path& file) {
  const auto text = read_plain_text(file);
  if (!text) return tl::unexpected(text.error());
  const std::string name = file.filename().string();
  constexpr std::size_t kLongest = 65536;  // tables in tables without end would exhaust the parser's stack
  if (text->size() > kLongest) return fail(ErrorKind::bad_input, fmt::format("{} is too long for a map", name));
  try {
    const toml::table table = toml::parse(*text);
    std::map<std::string, std::string> columns;
    std::vector<std::string> mistakes;
    flatten(table, "", columns, mistakes);
    if (!mistakes.empty()) return fail(ErrorKind::bad_input, fmt::format("{}:{}", name, mistakes.front()));
    return columns;
  } catch (const toml::parse_error& error) {
    const auto& begin = error.source().begin;
    return fail(ErrorKind::bad_input,
                fmt::format("{}:{}:{}: not TOML: {}", name, begin.line, begin.column,
                            printable(std::string(error.description()))),
                "a line is `energy_kwh = \"their column\"`");
  }
}

}  // namespace wattle::importers
