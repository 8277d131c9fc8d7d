// A captured child's standard output and error on their way into the attempt directory.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "run/attempt_files.h"
#include "run/output_lines.h"
#include "run/stream.h"

namespace wattle::run {

// Standard output comes through a pseudo-terminal where the request asks for one, else through a pipe; standard error
// by a pipe. Lines that match the metric's pattern are stamped with the moment of the read that brought them, as long
// as the stream is kept (`limit`); those in the kept tail of a longer stream come without a time.
class ChildOutput {
 public:
  // Opens streams and files. Fails with kind bad_input where the metric's pattern is none, else environment.
  [[nodiscard]] static Result<ChildOutput> open(const AttemptFiles& files, const study::RunRequest& request,
                                                std::size_t limit);

  [[nodiscard]] int child_output() const { return streams_[0].ends.childs.get(); }
  [[nodiscard]] int child_error() const { return streams_[1].ends.childs.get(); }
  // After the child has its copies: the streams then end with the child.
  void close_child_ends();

  // To poll for reading; -1 once the stream has ended.
  [[nodiscard]] std::array<int, 2> descriptors() const;
  // Takes what has come on the streams that poll called readable, at most a few MiB at a time. False when nothing had.
  bool take(const Clock& clock, std::array<bool, 2> readable = {true, true});
  // Takes what is left, now that the child has ended, and completes the files. A process that still holds a stream open
  // is not waited for. Fails with kind environment where the files could not be written.
  [[nodiscard]] Result<void> finish(const Clock& clock);

  [[nodiscard]] std::span<const OutputLine> lines() const;
  [[nodiscard]] bool shortened() const;

 private:
  struct Stream {
    StreamEnds ends;
    StreamFile file;
  };
  ChildOutput(std::array<Stream, 2> streams, std::optional<OutputLines> lines)
      : streams_(std::move(streams)), lines_(std::move(lines)), buffer_(256U << 10U) {}
  bool take(Stream& stream, OutputLines* lines, const Clock& clock);

  std::array<Stream, 2> streams_;  // output, error
  std::optional<OutputLines> lines_;
  std::vector<char> buffer_;
};

}  // namespace wattle::run
