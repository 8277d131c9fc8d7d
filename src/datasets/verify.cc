#include "datasets/verify.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <md5.h>
#include <sha2.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <system_error>

namespace wattle::datasets {
namespace {

constexpr std::size_t kPiece = 1U << 18U;

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

class Summing {
 public:
  explicit Summing(Digest::Kind kind) : kind_(kind) {
    SHA256Init(&sha256_);
    MD5Init(&md5_);
  }
  void add(const std::uint8_t* bytes, std::size_t size) {
    if (kind_ == Digest::Kind::sha256) {
      SHA256Update(&sha256_, bytes, size);
    } else {
      MD5Update(&md5_, bytes, size);
    }
  }
  Digest result() {
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> bytes{};
    if (kind_ == Digest::Kind::sha256) {
      SHA256Final(bytes.data(), &sha256_);
    } else {
      MD5Final(bytes.data(), &md5_);
    }
    return {.kind = kind_, .hex = hex(std::span(bytes).first(hex_digits(kind_) / 2))};
  }

 private:
  Digest::Kind kind_;
  SHA2_CTX sha256_{};
  MD5_CTX md5_{};
};

std::int64_t length(const std::filesystem::path& file) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(file, code)) return -1;
  const std::uintmax_t size = std::filesystem::file_size(file, code);
  return code ? -1 : static_cast<std::int64_t>(size);
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::ok:
      return "ok";
    case State::missing:
      return "missing";
    case State::wrong:
      return "wrong";
    case State::unreadable:
      break;
  }
  return "unreadable";
}

Result<Digest> digest_of(const std::filesystem::path& file, Digest::Kind kind, const std::stop_token& stop) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return fail(ErrorKind::environment, fmt::format("cannot read {}: {}", file.string(), std::strerror(errno)));
  }
  Summing sum(kind);
  const auto piece = std::make_unique<std::array<std::uint8_t, kPiece>>();
  ssize_t got = 1;
  while (got > 0 && !stop.stop_requested()) {
    got = ::read(descriptor, piece->data(), piece->size());
    if (got < 0 && errno == EINTR) {
      got = 1;
    } else if (got > 0) {
      sum.add(piece->data(), static_cast<std::size_t>(got));
    }
  }
  const int code = errno;
  ::close(descriptor);
  if (stop.stop_requested()) return fail(ErrorKind::interrupted, "stopped");
  if (got < 0) {
    return fail(ErrorKind::environment, fmt::format("cannot read {}: {}", file.string(), std::strerror(code)));
  }
  return sum.result();
}

Verdict verify(const File& file, const std::filesystem::path& folder, const std::stop_token& stop) {
  const std::filesystem::path place = folder / file.name;
  Verdict verdict{.file = file.name, .state = State::missing, .why = {}, .part = 0};
  verdict.part = std::max<std::int64_t>(0, length(place.string() + ".part"));
  std::error_code code;
  if (!std::filesystem::exists(std::filesystem::symlink_status(place, code))) return verdict;
  const std::int64_t size = length(place);
  if (size != file.size) {
    verdict.state = State::wrong;
    verdict.why = size < 0 ? "this is no file" : fmt::format("expected {} bytes, got {}", file.size, size);
    return verdict;
  }
  const auto digest = digest_of(place, file.digest.kind, stop);
  if (!digest) {
    verdict.state = State::unreadable;
    verdict.why = digest.error().message;
  } else if (*digest == file.digest) {
    verdict.state = State::ok;
  } else {
    verdict.state = State::wrong;
    verdict.why = fmt::format("expected {} {}, got {}", to_string(file.digest.kind), file.digest.hex, digest->hex);
  }
  return verdict;
}

Presence presence(const DataSet& set, const std::filesystem::path& folder) {
  Presence found;
  for (const File& file : set.files) {
    const std::int64_t size = length(folder / file.name);
    if (size == file.size) ++found.complete;
    found.begun = found.begun || size >= 0 || length(folder / (file.name + ".part")) >= 0;
  }
  return found;
}

}  // namespace wattle::datasets
