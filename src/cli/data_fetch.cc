// wattle data fetch: getting public data sets.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.h"
#include "base/text.h"
#include "cli/data.h"
#include "datasets/fetch.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

// On a terminal one line that is drawn over, with the time that is left; elsewhere a line for each address asked.
class FetchProgress {
 public:
  FetchProgress() : terminal_(is_terminal(STDERR_FILENO)), width_(terminal_width(STDERR_FILENO)) {}
  FetchProgress(const FetchProgress&) = delete;
  FetchProgress& operator=(const FetchProgress&) = delete;
  ~FetchProgress() { clear(); }

  void file(const datasets::File& file) { file_ = &file; }
  void show(const std::string& url, std::int64_t here) {
    const Nanoseconds now = clock_.monotonic();
    if (!url.empty()) {
      begun_ = now;
      begun_with_ = here;
      if (!terminal_) {
        const std::string gone_on = here > 0 ? fmt::format(", from byte {}", here) : "";
        note(printable(fmt::format("fetching {} ({}{})", url, bytes_text(file_->size), gone_on)));
      }
    }
    constexpr Nanoseconds kInterval = milliseconds(200);
    if (!terminal_ || (drawn_ && url.empty() && now - drawn_at_ < kInterval)) return;
    drawn_at_ = now;
    draw(now, here);
  }
  void clear() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
    drawn_ = false;
  }

 private:
  void draw(Nanoseconds now, std::int64_t here) {
    const double seconds = to_seconds(now - begun_).value;
    const auto came = static_cast<double>(here - begun_with_);
    std::string line = fmt::format("{}  {:3.0f} %  {} of {}", file_->name,
                                   100.0 * static_cast<double>(here) / static_cast<double>(file_->size),
                                   bytes_text(here), bytes_text(file_->size));
    if (came > 0.0 && seconds > 0.5) {
      const double rate = came / seconds;
      line += fmt::format("  {}/s  {} left", bytes_text(static_cast<std::int64_t>(rate)),
                          human(Seconds{static_cast<double>(file_->size - here) / rate}));
    }
    fmt::print(stderr, "\r\x1b[K{}", report::shortened(printable(line), static_cast<std::size_t>(width_ - 1)));
    std::fflush(stderr);
    drawn_ = true;
  }

  SystemClock clock_;
  const datasets::File* file_ = nullptr;
  bool terminal_;
  int width_;
  bool drawn_ = false;
  Nanoseconds drawn_at_{};
  Nanoseconds begun_{};
  std::int64_t begun_with_ = 0;
};

Result<datasets::FetchOptions> fetch_options(const DataOptions& options) {
  datasets::FetchOptions fetching;
  fetching.from = options.from;
  const bool address =
      options.from.empty() || options.from.starts_with("https://") || options.from.starts_with("http://");
  if (!address || options.from.find_first_of(" \r\n\t?#") != std::string::npos) {
    return fail(ErrorKind::bad_input,
                fmt::format("--from {}: the address of a folder is needed", printable(options.from)),
                "for example --from https://mirror.example/mnist");
  }
  const auto patience = parse_duration(options.timeout);
  if (!patience || *patience < seconds(1) || *patience > seconds(3600)) {
    return fail(ErrorKind::bad_input, fmt::format("--timeout {}: a duration from 1s to 1h is needed", options.timeout));
  }
  fetching.patience = to_seconds(*patience);
  if (const char* file = std::getenv("SSL_CERT_FILE")) fetching.authorities = file;
  return fetching;
}

datasets::Ask asking(const Context& context) {
  return
      [file = context.program](const http::TransferRequest& request, http::TransferReceiver& receiver) -> Result<void> {
        const auto transfers = http::load_transfers(file);
        if (!transfers) return tl::unexpected(transfers.error());
        return transfers->ask(request, receiver);
      };
}

nlohmann::json json_of(const datasets::Fetched& fetched, const datasets::File& file) {
  return {{"name", file.name},
          {"path", fetched.place.string()},
          {"bytes", file.size},
          {"state", fetched.was_there ? "there" : "fetched"},
          {"received_bytes", fetched.received},
          {"resumed_from_bytes", fetched.resumed_from}};
}

std::string line_of(const datasets::Fetched& fetched, const datasets::File& file) {
  std::string line = fmt::format("{}  {}  {}", fetched.was_there ? "there   " : "fetched ", fetched.place.string(),
                                 bytes_text(file.size));
  if (fetched.resumed_from > 0) line += fmt::format("  (went on from byte {})", fetched.resumed_from);
  return line + "\n";
}

// Adds what became of each file to both; an error ends it.
Result<void> fetch_set(const datasets::DataSet& set, const std::filesystem::path& folder, const datasets::Ask& ask,
                       datasets::FetchOptions& options, FetchProgress& progress, nlohmann::json& files,
                       std::string& text) {
  for (const datasets::File& file : set.files) {
    progress.file(file);
    options.progress = [&](const std::string& url, std::int64_t here) { progress.show(url, here); };
    const auto fetched = datasets::fetch(file, folder, ask, options);
    progress.clear();
    if (!fetched) return tl::unexpected(fetched.error());
    files.push_back(json_of(*fetched, file));
    text += line_of(*fetched, file);
  }
  return {};
}

}  // namespace

int fetch_data(const Context& context, const DataOptions& options) {
  const auto sets = all_sets(options);
  if (!sets) return tell(sets.error());
  auto fetching = fetch_options(options);
  if (!fetching) return tell(fetching.error());
  std::vector<const datasets::DataSet*> wanted;
  for (const std::string& name : options.names) {
    const auto set = set_named(*sets, name);
    if (!set) return tell(set.error());
    wanted.push_back(*set);
  }
  Signals signals({});
  fetching->stop = signals.after_run.get_token();
  FetchProgress progress;
  nlohmann::json json = nlohmann::json::array();
  std::string text;
  std::optional<Error> error;
  for (const datasets::DataSet* set : wanted) {
    const std::filesystem::path folder = std::filesystem::path(options.into) / set->name;
    nlohmann::json files = nlohmann::json::array();
    const auto done = fetch_set(*set, folder, asking(context), *fetching, progress, files, text);
    if (!done) {
      error = done.error();
      break;
    }
    const std::vector<std::string> next = next_commands(*set, folder);
    for (std::size_t i = 0; i < next.size(); ++i) text += fmt::format("{}  {}\n", i == 0 ? "next:" : "     ", next[i]);
    json.push_back({{"name", set->name}, {"folder", folder.string()}, {"files", files}, {"next", next}});
  }
  // What came before a mishap is told, too.
  const int written = context.json ? give(context, nlohmann::json{{"sets", json}}) : give(context, text);
  if (error) return tell(*error);
  return written;
}

}  // namespace wattle::cli
