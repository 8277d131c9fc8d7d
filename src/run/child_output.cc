#include "run/child_output.h"

#include <poll.h>

#include "run/json_line.h"

namespace wattle::run {

Result<ChildOutput> ChildOutput::open(const AttemptFiles& files, const study::RunRequest& request, std::size_t limit) {
  std::optional<OutputLines> lines;
  if (request.metric.source == study::MetricSource::output && !request.metric.name.empty()) {
    auto pattern = study::MetricPattern::compile(request.metric.regex);
    if (!pattern) return tl::unexpected(pattern.error());
    lines.emplace(*std::move(pattern), files.lines());
  }
  auto output_ends = request.use_terminal ? open_terminal() : open_pipe();
  if (!output_ends) return tl::unexpected(output_ends.error());
  auto error_ends = open_pipe();
  if (!error_ends) return tl::unexpected(error_ends.error());
  auto output_file = StreamFile::create(files.output(), limit);
  if (!output_file) return tl::unexpected(output_file.error());
  auto error_file = StreamFile::create(files.error(), limit);
  if (!error_file) return tl::unexpected(error_file.error());
  return ChildOutput({Stream{*std::move(output_ends), *std::move(output_file)},
                      Stream{*std::move(error_ends), *std::move(error_file)}},
                     std::move(lines));
}

void ChildOutput::close_child_ends() {
  for (Stream& stream : streams_) stream.ends.childs.reset();
}

std::array<int, 2> ChildOutput::descriptors() const {
  return {streams_[0].ends.ours.get(), streams_[1].ends.ours.get()};
}

bool ChildOutput::take(const Clock& clock, std::array<bool, 2> readable) {
  const bool output = readable[0] && take(streams_[0], lines_ ? &*lines_ : nullptr, clock);
  const bool error = readable[1] && take(streams_[1], nullptr, clock);
  return output || error;
}

bool ChildOutput::take(Stream& stream, OutputLines* lines, const Clock& clock) {
  static constexpr int kMostReads = 16;
  bool any = false;
  for (int i = 0; i < kMostReads && stream.ends.ours.valid(); ++i) {
    const ssize_t got = ::read(stream.ends.ours.get(), buffer_.data(), buffer_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) {  // the end; of a terminal that nobody holds open any more it is EIO
      stream.ends.ours.reset();
      break;
    }
    any = true;
    const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
    if (lines != nullptr) lines->feed(bytes.substr(0, stream.file.room()), clock.monotonic());
    stream.file.add(bytes);
  }
  return any;
}

Result<void> ChildOutput::finish(const Clock& clock) {
  static constexpr int kPatienceMs = 100;
  static constexpr Nanoseconds kLongest = seconds(2);
  const Nanoseconds deadline = clock.monotonic() + kLongest;
  while (clock.monotonic() < deadline) {
    take(clock);
    const auto left = descriptors();
    std::array<pollfd, 2> waiting{{{left[0], POLLIN, 0}, {left[1], POLLIN, 0}}};
    if ((left[0] < 0 && left[1] < 0) || ::poll(waiting.data(), waiting.size(), kPatienceMs) == 0) break;
  }
  if (lines_) {
    if (!streams_[0].file.tail().empty()) {
      lines_->finish(std::nullopt);
      lines_->feed(streams_[0].file.tail(), std::nullopt);
    }
    lines_->finish(streams_[0].file.tail().empty() ? std::optional(clock.monotonic()) : std::nullopt);
  }
  for (Stream& stream : streams_) {
    if (auto done = stream.file.finish(); !done) return done;
  }
  return {};
}

std::span<const OutputLine> ChildOutput::lines() const {
  return lines_ ? std::span<const OutputLine>(lines_->lines()) : std::span<const OutputLine>();
}

bool ChildOutput::shortened() const {
  return streams_[0].file.dropped() > 0 || streams_[1].file.dropped() > 0 || (lines_ && lines_->shortened());
}

}  // namespace wattle::run
