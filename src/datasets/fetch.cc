#include "datasets/fetch.h"

#include <fmt/format.h>

#include <optional>

#include "base/text.h"
#include "datasets/part_file.h"
#include "datasets/verify.h"

namespace wattle::datasets {
namespace {

constexpr int kMostAttempts = 10;

// One transfer into the part. What it finds wrong by itself stands in `error`.
class Receiving final : public http::TransferReceiver {
 public:
  Receiving(const File& file, PartFile& part, const FetchOptions& options)
      : file_(file), part_(part), options_(options), from_(part.size()) {}

  bool head(const http::TransferHead& head) override {
    status = head.status;
    if (status != 200 && status != 206) return true;  // refused by whoever asks
    if (status == 206 && head.first != from_) {
      return refuse(fmt::format("answers with another part than the one from byte {}", from_));
    }
    if (head.total && *head.total != file_.size) {
      return refuse(fmt::format("has {} bytes there, where {} are expected", *head.total, file_.size));
    }
    // The whole comes, whatever was asked for.
    if (status == 200 && part_.size() > 0) return kept(part_.empty());
    return true;
  }

  bool bytes(std::string_view bytes) override {
    if (part_.size() + static_cast<std::int64_t>(bytes.size()) > file_.size) {
      worthless = true;
      return refuse(fmt::format("sends more than the {} bytes that are expected", file_.size));
    }
    received += static_cast<std::int64_t>(bytes.size());
    if (!kept(part_.append(bytes))) return false;
    options_.progress("", part_.size());
    return true;
  }

  bool go_on() override {
    options_.progress("", part_.size());
    return !options_.stop.stop_requested();
  }

  int status = 0;
  std::int64_t received = 0;
  bool worthless = false;  // the part is of something else
  std::optional<Error> error;

 private:
  bool refuse(std::string why) {
    error = Error{ErrorKind::failed, std::move(why), {}};
    return false;
  }
  bool kept(const Result<void>& written) {
    if (!written) error = written.error();
    return written.has_value();
  }

  const File& file_;
  PartFile& part_;
  const FetchOptions& options_;
  std::int64_t from_;
};

class Fetching {
 public:
  Fetching(const File& file, PartFile part, const Ask& ask, const FetchOptions& options)
      : file_(file), part_(std::move(part)), ask_(ask), options_(options) {}

  // False where the address gave nothing good; why() tells. An error ends it all.
  Result<bool> from(const std::string& url) {
    // A part of something else shows in the end only; then everything is fetched anew, once.
    for (int round = 0; round < 2; ++round) {
      const bool old = part_.size() > 0;
      const auto whole = complete(url);
      if (!whole || !*whole) return whole;
      const auto right = judge(url);
      if (!right || *right || !old) return right;
    }
    return false;
  }

  // The part that is there may be all of it already.
  Result<bool> already() {
    if (part_.size() < file_.size) return false;
    if (part_.size() == file_.size) {
      const auto digest = digest_of(part_.path(), file_.digest.kind, options_.stop);
      if (!digest) return tl::unexpected(digest.error());
      if (*digest == file_.digest) return finished();
    }
    if (const auto emptied = part_.empty(); !emptied) return tl::unexpected(emptied.error());
    return false;
  }

  Error gave_up() {
    Error error{kind_, fmt::format("{}: {}", file_.name, why_), hint_};
    if (part_.size() == 0) {
      part_.remove();
    } else if (error.hint.empty()) {
      error.hint = kept_text();
    }
    return error;
  }

  Error stopped() {
    if (part_.size() == 0) part_.remove();
    return {ErrorKind::interrupted, fmt::format("{}: stopped", file_.name), part_.size() > 0 ? kept_text() : ""};
  }

  [[nodiscard]] std::int64_t here() const { return part_.size(); }
  [[nodiscard]] std::int64_t received() const { return received_; }

 private:
  // Attempts until the part is as long as the file, or the address brings nothing more.
  Result<bool> complete(const std::string& url) {
    for (int attempt = 0; attempt < kMostAttempts && part_.size() < file_.size; ++attempt) {
      options_.progress(url, part_.size());
      const std::int64_t before = part_.size();
      Receiving receiving(file_, part_, options_);
      const auto asked = ask_({.url = url,
                               .from = before,
                               .plain_http = !options_.from.empty(),
                               .authorities = options_.authorities,
                               .patience = options_.patience},
                              receiving);
      received_ += receiving.received;
      if (receiving.error && receiving.error->kind == ErrorKind::environment) {
        return tl::unexpected(with_part(*receiving.error));
      }
      const bool range_is_no_good = receiving.status == 416 && before > 0;
      if (receiving.worthless || range_is_no_good) {
        if (const auto emptied = part_.empty(); !emptied) return tl::unexpected(emptied.error());
      }
      if (range_is_no_good) continue;
      if (asked && part_.size() < file_.size) {
        say(url, {ErrorKind::environment, fmt::format("ends after {} of {} bytes", part_.size(), file_.size), {}});
      } else if (!asked) {
        if (options_.stop.stop_requested()) return tl::unexpected(stopped());
        say(url, receiving.error.value_or(asked.error()));
        if (asked.error().kind != ErrorKind::environment) return false;
      }
      if (receiving.received == 0) break;
    }
    return part_.size() == file_.size;
  }

  // What has come is right and has its name; or it is gone.
  Result<bool> judge(const std::string& url) {
    const auto digest = digest_of(part_.path(), file_.digest.kind, options_.stop);
    if (!digest && digest.error().kind == ErrorKind::interrupted) return tl::unexpected(stopped());
    if (!digest) return tl::unexpected(digest.error());
    if (*digest == file_.digest) return finished();
    say(url, {ErrorKind::failed,
              fmt::format("it is not what was published: expected {} {}, got {}", to_string(file_.digest.kind),
                          file_.digest.hex, digest->hex),
              "nothing of it was kept"});
    if (const auto emptied = part_.empty(); !emptied) return tl::unexpected(emptied.error());
    return false;
  }

  Result<bool> finished() {
    if (const auto done = part_.finish(); !done) return tl::unexpected(done.error());
    return true;
  }

  // All addresses' reasons; an answer that was no outweighs one that never came.
  void say(const std::string& url, const Error& error) {
    const std::string line = fmt::format("{}: {}", printable(url), printable(error.message));
    if (why_.find(line) == std::string::npos) why_ += (why_.empty() ? "" : "; ") + line;
    if (error.kind == ErrorKind::failed) kind_ = ErrorKind::failed;
    hint_ = error.hint;
  }

  [[nodiscard]] std::string kept_text() const {
    return fmt::format("{} of {} bytes are in {}; the same command goes on from there", part_.size(), file_.size,
                       part_.path().string());
  }
  [[nodiscard]] Error with_part(Error error) const {
    if (error.hint.empty() && part_.size() > 0) error.hint = kept_text();
    return error;
  }

  const File& file_;
  PartFile part_;
  const Ask& ask_;
  const FetchOptions& options_;
  std::int64_t received_ = 0;
  ErrorKind kind_ = ErrorKind::environment;
  std::string why_;
  std::string hint_;
};

}  // namespace

std::vector<std::string> addresses(const File& file, const std::string& from) {
  if (from.empty()) return file.urls;
  return {from + (from.ends_with('/') ? "" : "/") + file.name};
}

Result<Fetched> fetch(const File& file, const std::filesystem::path& folder, const Ask& ask,
                      const FetchOptions& options) {
  Fetched fetched{.place = folder / file.name, .was_there = true};
  const Verdict verdict = verify(file, folder, options.stop);
  if (options.stop.stop_requested()) return fail(ErrorKind::interrupted, fmt::format("{}: stopped", file.name));
  if (verdict.state == State::ok) return fetched;
  fetched.was_there = false;
  const std::vector<std::string> urls = addresses(file, options.from);
  if (urls.empty()) {
    return fail(ErrorKind::bad_input, fmt::format("{}: no address is known", file.name), "name one by --from URL");
  }
  auto part = PartFile::open(fetched.place);
  if (!part) return tl::unexpected(part.error());
  Fetching fetching(file, std::move(*part), ask, options);
  const auto already = fetching.already();
  if (!already) return tl::unexpected(already.error());
  fetched.resumed_from = fetching.here();
  if (*already) return fetched;
  for (const std::string& url : urls) {
    const auto done = fetching.from(url);
    if (!done) return tl::unexpected(done.error());
    fetched.received = fetching.received();
    if (*done) return fetched;
  }
  return tl::unexpected(fetching.gave_up());
}

}  // namespace wattle::datasets
