// The two output streams of a child: how they come to the parent, and what is kept of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "run/descriptor.h"

namespace wattle::run {

// A one-way connection; the parent's end does not block.
struct StreamEnds {
  Descriptor ours;
  Descriptor childs;
};
[[nodiscard]] Result<StreamEnds> open_pipe();
// A pseudo-terminal of 80 × 24 that passes bytes through unchanged and is nobody's controlling terminal. Programs that
// see a terminal write their lines when they are printed, not when a buffer is full.
[[nodiscard]] Result<StreamEnds> open_terminal();

// Keeps the first `limit` bytes of a stream and the last kTail; what is between is counted and dropped. A failed write
// does not stop the stream from being taken; it is told at the end.
class StreamFile {
 public:
  static constexpr std::size_t kTail = 64U << 10U;

  // Creates the file. Fails with kind environment.
  [[nodiscard]] static Result<StreamFile> create(const std::filesystem::path& path, std::size_t limit);

  void add(std::string_view bytes);
  // Writes the tail. Call once, last.
  [[nodiscard]] Result<void> finish();

  // How many more bytes are kept as they come.
  [[nodiscard]] std::size_t room() const { return limit_ - written_; }
  [[nodiscard]] const std::string& tail() const { return tail_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  StreamFile(std::filesystem::path path, Descriptor file, std::size_t limit)
      : path_(std::move(path)), file_(std::move(file)), limit_(limit) {}
  void write(std::string_view bytes);

  std::filesystem::path path_;
  Descriptor file_;
  std::size_t limit_;
  std::size_t written_ = 0;
  std::string tail_;
  std::uint64_t dropped_ = 0;
  int error_ = 0;
};

// A file's text, of a longer one the first and the last half of `limit` bytes with a line between that says how many
// are left out. Empty where there is no such file.
[[nodiscard]] std::string shortened_text(const std::filesystem::path& path, std::size_t limit);

// The last line of the text that is not blank, safe to print and at most 200 characters long.
[[nodiscard]] std::string last_line(std::string_view text);

}  // namespace wattle::run
