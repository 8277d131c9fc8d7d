// events.jsonl while it grows.
#pragma once

#include <filesystem>

#include "run/descriptor.h"
#include "run/events.h"

namespace wattle::run {

class EventFile {
 public:
  // Bytes beyond `limit` are not read.
  EventFile(const std::filesystem::path& path, std::size_t limit);

  // Reads what has been added. False when nothing had.
  bool take();
  [[nodiscard]] bool too_large() const { return too_large_; }
  [[nodiscard]] const EventReader& reader() const { return reader_; }

 private:
  Descriptor file_;
  std::size_t limit_;
  std::size_t offset_ = 0;
  bool too_large_ = false;
  EventReader reader_;
};

}  // namespace wattle::run
