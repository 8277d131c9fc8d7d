#include "base/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sha2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace wattle {
namespace {

Error system_error(std::string_view what, const std::filesystem::path& path, int code) {
  const bool users_fault = code == ENOENT || code == ENOTDIR || code == EISDIR;
  return {users_fault ? ErrorKind::bad_input : ErrorKind::environment,
          fmt::format("{} {}: {}", what, path.string(), std::strerror(code)),
          {}};
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  // Close with its error seen: a full disk may only show here.
  [[nodiscard]] int close_now() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string with_prefix(double value, std::string_view unit) {
  struct Prefix {
    double scale;
    std::string_view symbol;
  };
  static constexpr std::array<Prefix, 7> kPrefixes{
      {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1.0, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}}};
  if (!std::isfinite(value) || value == 0.0) return fmt::format("{} {}", shortest(value), unit);
  // 999.96 must become "1.00 k", so the prefix is chosen for the rounded value.
  const double rounded = std::abs(value) * (1.0 + 0.5e-3);
  const auto* prefix = std::find_if(kPrefixes.begin(), kPrefixes.end() - 1,
                                    [&](const Prefix& candidate) { return rounded >= candidate.scale; });
  return significant(value / prefix->scale, 3).append(" ").append(prefix->symbol).append(unit);
}

}  // namespace

Result<std::string> read_text(const std::filesystem::path& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return tl::unexpected(system_error("cannot read", path, errno));
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(system_error("cannot read", path, errno));
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) {
      return fail(ErrorKind::bad_input, fmt::format("{} is larger than {} bytes", path.string(), limit));
    }
  }
}

Result<void> write_text(const std::filesystem::path& path, std::string_view text) {
  const std::filesystem::path temporary = path.string() + fmt::format(".{}.tmp", ::getpid());
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) return tl::unexpected(system_error("cannot write", path, errno));
  const bool written = write_all(file.get(), text) && ::fsync(file.get()) == 0;
  const int write_error = errno;
  if (file.close_now() == 0 && written && ::rename(temporary.c_str(), path.c_str()) == 0) return {};
  const int code = written ? errno : write_error;
  ::unlink(temporary.c_str());
  return tl::unexpected(system_error("cannot write", path, code));
}

std::string shortest(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end};
}

std::optional<double> parse_real(std::string_view text) { return parse_whole<double>(text); }
std::optional<std::int64_t> parse_integer(std::string_view text) { return parse_whole<std::int64_t>(text); }
std::optional<std::uint64_t> parse_unsigned(std::string_view text) { return parse_whole<std::uint64_t>(text); }

std::optional<Nanoseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  static constexpr std::array<Unit, 8> kUnits{{{"ms", 1e-3},
                                               {"us", 1e-6},
                                               {"min", 60.0},
                                               {"s", 1.0},
                                               {"m", 60.0},
                                               {"hours", 3600.0},
                                               {"h", 3600.0},
                                               {"d", 86400.0}}};
  text = trim(text);
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    const auto number = parse_real(text.substr(0, text.size() - unit.name.size()));
    if (!number) continue;
    const double total = *number * unit.seconds;
    if (!(total >= 0.0) || total > 9e9) return std::nullopt;
    return to_nanoseconds(Seconds{total});
  }
  return std::nullopt;
}

std::string_view trim(std::string_view text) {
  static constexpr std::string_view kBlank = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const auto end = text.find(separator, begin);
    parts.emplace_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::string join(std::span<const std::string> words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  const auto distance = [&](std::string_view other) {
    // Optimal string alignment: insertions, deletions, substitutions and swapped neighbours cost 1 each.
    std::vector<std::vector<std::size_t>> cost(word.size() + 1, std::vector<std::size_t>(other.size() + 1));
    for (std::size_t i = 0; i <= word.size(); ++i) cost[i][0] = i;
    std::iota(cost[0].begin(), cost[0].end(), std::size_t{0});
    for (std::size_t i = 1; i <= word.size(); ++i) {
      for (std::size_t j = 1; j <= other.size(); ++j) {
        const std::size_t change = word[i - 1] == other[j - 1] ? 0 : 1;
        cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
        if (i > 1 && j > 1 && word[i - 1] == other[j - 2] && word[i - 2] == other[j - 1]) {
          cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
      }
    }
    return cost[word.size()][other.size()];
  };
  if (word.size() > 200) return std::nullopt;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  std::optional<std::string> best;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 200) continue;
    const std::size_t d = distance(candidate);
    if (d < best_distance && d < std::max(word.size(), candidate.size())) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

std::size_t display_width(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string printable(std::string_view text) {
  std::string clean(text);
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  return clean;
}

std::string shell_quoted(std::span<const std::string> arguments) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%^";
  std::vector<std::string> quoted;
  for (const std::string& argument : arguments) {
    if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos) {
      quoted.push_back(argument);
      continue;
    }
    std::string text = "'";
    for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    quoted.push_back(text + "'");
  }
  return join(quoted, " ");
}

std::string significant(double value, int digits) {
  if (!std::isfinite(value)) return shortest(value);
  if (value == 0.0) return "0";
  // The exponent of the rounded value decides how many decimals are left: 9.996 at 3 digits is 10.0.
  const int decimals = std::max(0, digits - 1);
  fmt::basic_memory_buffer<char, 64> scientific;
  fmt::format_to(std::back_inserter(scientific), "{:.{}e}", value, decimals);
  const std::string_view text(scientific.data(), scientific.size());
  const std::size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + 2, text.data() + text.size(), exponent);
  if (text[e + 1] == '-') exponent = -exponent;
  if (exponent < -4 || exponent >= 15) return std::string(text);
  if (exponent < 0 || exponent >= digits) return fmt::format("{:.{}f}", value, std::max(0, digits - 1 - exponent));
  // The digits are all there: the point moves to its place.
  std::string plain(text.substr(0, e));
  if (exponent == 0) return plain;
  const std::size_t point = plain.find('.');
  plain.erase(point, 1);
  if (exponent < decimals) plain.insert(point + static_cast<std::size_t>(exponent), 1, '.');
  return plain;
}

std::string human(Joules energy) { return with_prefix(energy.value, "J"); }
std::string human(Watts power) { return with_prefix(power.value, "W"); }

std::string human(Seconds duration) {
  const double s = duration.value;
  if (!std::isfinite(s) || s < 0.0) return fmt::format("{} s", shortest(s));
  if (s < 0.9995) return with_prefix(s, "s");
  if (s < 600.0) return fmt::format("{:.1f} s", s);
  const auto minutes = static_cast<std::int64_t>(std::llround(s / 60.0));
  if (minutes < 60) return fmt::format("{} min", minutes);
  if (minutes < 48 * 60) return fmt::format("{}:{:02} h", minutes / 60, minutes % 60);
  return fmt::format("{:.1f} days", s / 86400.0);
}

std::string sha256(std::string_view bytes) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256Final(digest.data(), &context);
  std::string text;
  for (const std::uint8_t byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace wattle
