// The bytes of a trace: zstd frames (RFC 8878) with content checksum. The content of each frame:
//
//   "WTRC", version (1 byte), reads, dropped                                     counters so far
//   n, then n texts                                                              what newly is missing
//   n, then n texts of JSON                                                      domains introduced here
//   n = all series so far, then for each:
//     n samples; n times; n energies; n gaps, then n places                      columns
//
// Numbers are LEB128 varints, texts are a length and bytes. A column holds second differences (zigzag), running on from
// the frame before, because time and energy are nearly straight lines. Gaps are the distances between the samples that
// have one, so none costs one byte.
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>

#include "energy/trace.h"

namespace wattle::energy {
namespace {

constexpr std::string_view kMagic = "WTRC";
constexpr char kVersion = 1;
constexpr int kCompressionLevel = 3;
// Limits of a valid file. They bound what a hostile one can make the reader allocate.
constexpr std::size_t kFrameSamples = 65536;     // of one series in one frame
constexpr std::size_t kFrameBytes = 64U << 20U;  // of one frame's content
constexpr std::size_t kMaximumSeries = 1024;
constexpr std::size_t kMaximumMissing = 65536;
constexpr std::size_t kMaximumSamples = 1U << 27U;  // of the whole file, 3 GiB in memory: 50 Hz × 8 domains × 92 h

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) { return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1U)); }

// --- Writing ---------------------------------------------------------------------------------------------

void put(std::string& out, std::uint64_t value) {
  while (value >= 0x80U) {
    out += static_cast<char>(value | 0x80U);
    value >>= 7U;
  }
  out += static_cast<char>(value);
}

void put(std::string& out, std::string_view text) {
  put(out, text.size());
  out += text;
}

std::string to_json_text(const Domain& domain) {
  const nlohmann::json json{{"name", domain.name},
                            {"kind", to_string(domain.kind)},
                            {"provenance", to_string(domain.provenance)},
                            {"source", domain.source},
                            {"parent", domain.parent},
                            {"gain_uncertainty", domain.gain_uncertainty},
                            {"update_period_ns", domain.update_period.value},
                            {"simulated", domain.simulated}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The last value and slope of a column; unsigned, so that hostile input cannot overflow.
struct Line {
  std::uint64_t value = 0;
  std::uint64_t slope = 0;

  std::int64_t bend_to(std::int64_t next) {
    const std::uint64_t new_slope = static_cast<std::uint64_t>(next) - value;
    const std::uint64_t bend = new_slope - slope;
    slope = new_slope;
    value = static_cast<std::uint64_t>(next);
    return static_cast<std::int64_t>(bend);
  }
  std::int64_t bent_by(std::int64_t bend) {
    slope += static_cast<std::uint64_t>(bend);
    value += slope;
    return static_cast<std::int64_t>(value);
  }
};

struct Lines {
  Line time;
  Line energy;
};

// Where the columns stand after the first `count` samples.
Lines lines_after(const std::vector<Sample>& samples, std::size_t count) {
  Lines lines;
  for (std::size_t i = count - std::min<std::size_t>(count, 2); i < count; ++i) {
    (void)lines.time.bend_to(samples[i].time.value);
    (void)lines.energy.bend_to(samples[i].cumulative.value);
  }
  // From one sample alone the slope is its own value, as it was when that sample was written from (0, 0).
  return lines;
}

void put_columns(std::string& out, const std::vector<Sample>& samples, std::size_t first, std::size_t last) {
  put(out, last - first);
  Lines lines = lines_after(samples, first);
  for (std::size_t i = first; i < last; ++i) put(out, zigzag(lines.time.bend_to(samples[i].time.value)));
  for (std::size_t i = first; i < last; ++i) put(out, zigzag(lines.energy.bend_to(samples[i].cumulative.value)));
  std::string gaps;
  std::size_t count = 0;
  std::size_t from = first;
  for (std::size_t i = first; i < last; ++i) {
    if (!samples[i].gap_before) continue;
    put(gaps, i - from);
    from = i;
    ++count;
  }
  put(out, count);
  out += gaps;
}

std::string compressed(std::string_view content) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (!context) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kCompressionLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  const std::size_t size = ZSTD_compress2(context.get(), frame.data(), frame.size(), content.data(), content.size());
  // With room for the bound, only memory can run out.
  if (ZSTD_isError(size) != 0) throw std::bad_alloc();
  frame.resize(size);
  return frame;
}

std::string encode_frame(const Trace& trace, Flushed& already) {
  std::string content(kMagic);
  content += kVersion;
  put(content, static_cast<std::uint64_t>(trace.reads));
  put(content, static_cast<std::uint64_t>(trace.dropped));
  put(content, trace.missing.size() - already.missing);
  for (; already.missing < trace.missing.size(); ++already.missing) put(content, trace.missing[already.missing]);
  put(content, trace.series.size() - already.samples.size());
  while (already.samples.size() < trace.series.size()) {
    put(content, to_json_text(trace.series[already.samples.size()].domain));
    already.samples.push_back(0);
  }
  put(content, trace.series.size());
  const std::size_t share = kFrameSamples * 16 / std::max<std::size_t>(trace.series.size(), 16);
  for (std::size_t i = 0; i < trace.series.size(); ++i) {
    const std::vector<Sample>& samples = trace.series[i].samples;
    const std::size_t last = std::min(samples.size(), already.samples[i] + share);
    put_columns(content, samples, already.samples[i], last);
    already.samples[i] = last;
  }
  return compressed(content);
}

// --- Reading ---------------------------------------------------------------------------------------------

// Takes numbers and texts off a frame's content. After the first failure everything is 0 and ok() false.
class Cursor {
 public:
  explicit Cursor(std::string_view rest) : rest_(rest) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return stop();
  }
  // A count of things that take at least a byte each.
  std::size_t count(std::size_t limit) {
    const std::uint64_t value = number();
    return value <= limit && value <= rest_.size() ? static_cast<std::size_t>(value) : stop();
  }
  std::string_view bytes(std::size_t size) {
    if (size > rest_.size()) size = stop();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view text() { return bytes(count(rest_.size())); }

 private:
  std::size_t stop() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

std::optional<Domain> domain_from(std::string_view text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  try {
    Domain domain;
    domain.name = json.at("name").get<std::string>();
    const auto kind = domain_kind(json.at("kind").get<std::string>());
    const auto how = provenance(json.at("provenance").get<std::string>());
    if (!kind || !how) return std::nullopt;
    domain.kind = *kind;
    domain.provenance = *how;
    domain.source = json.at("source").get<std::string>();
    domain.parent = json.at("parent").get<std::string>();
    domain.gain_uncertainty = json.at("gain_uncertainty").get<double>();
    domain.update_period = {json.at("update_period_ns").get<std::int64_t>()};
    domain.simulated = json.at("simulated").get<bool>();
    return domain;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

// A series only ever grows: later in time, not lower in energy, and still where a gap is said.
bool follows(const Sample& next, const Sample& last) {
  return next.time > last.time && next.cumulative >= last.cumulative &&
         (!next.gap_before || next.cumulative == last.cumulative);
}

bool read_columns(Cursor& in, std::vector<Sample>& samples) {
  const std::size_t first = samples.size();
  const std::size_t count = in.count(kFrameSamples);
  Lines lines = lines_after(samples, first);
  samples.resize(first + count);
  for (std::size_t i = first; i < samples.size(); ++i) samples[i].time = {lines.time.bent_by(unzigzag(in.number()))};
  for (std::size_t i = first; i < samples.size(); ++i) {
    samples[i].cumulative = {lines.energy.bent_by(unzigzag(in.number()))};
  }
  const std::size_t gaps = in.count(count);
  std::uint64_t place = first;
  for (std::size_t gap = 0; gap < gaps && in.ok(); ++gap) {
    const std::uint64_t step = in.number();
    if (step >= samples.size() - place) return false;
    place += step;
    samples[place].gap_before = true;
  }
  if (!in.ok()) return false;
  for (std::size_t i = std::max<std::size_t>(first, 1); i < samples.size(); ++i) {
    if (!follows(samples[i], samples[i - 1])) return false;
  }
  return samples.empty() || samples.front().cumulative.value >= 0;
}

std::optional<std::int64_t> read_counter(Cursor& in) {
  const std::uint64_t value = in.number();
  if (!in.ok() || value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

// Adds one frame's content to the trace. On false the trace holds part of it and must be rolled back.
bool read_content(std::string_view content, Trace& trace) {
  Cursor in(content);
  (void)in.bytes(kMagic.size() + 1);
  const auto reads = read_counter(in);
  const auto dropped = read_counter(in);
  if (!reads || !dropped) return false;
  trace.reads = *reads;
  trace.dropped = *dropped;
  for (std::size_t n = in.count(kMaximumMissing); n > 0; --n) trace.missing.emplace_back(in.text());
  for (std::size_t n = in.count(kMaximumSeries); n > 0; --n) {
    const auto domain = domain_from(in.text());
    if (!domain) return false;
    trace.series.push_back({.domain = *domain, .samples = {}});
  }
  if (!in.ok() || trace.series.size() > kMaximumSeries || trace.missing.size() > kMaximumMissing) return false;
  if (in.number() != trace.series.size()) return false;
  for (Series& series : trace.series) {
    if (!read_columns(in, series.samples)) return false;
  }
  return in.finished();
}

// Undoes a half-read frame.
class Rollback {
 public:
  explicit Rollback(Trace& trace)
      : trace_(trace), reads_(trace.reads), dropped_(trace.dropped), missing_(trace.missing.size()) {
    for (const Series& series : trace.series) samples_.push_back(series.samples.size());
  }
  void undo() {
    trace_.reads = reads_;
    trace_.dropped = dropped_;
    trace_.missing.resize(missing_);
    trace_.series.resize(samples_.size());
    for (std::size_t i = 0; i < samples_.size(); ++i) trace_.series[i].samples.resize(samples_[i]);
  }

 private:
  Trace& trace_;
  std::int64_t reads_;
  std::int64_t dropped_;
  std::size_t missing_;
  std::vector<std::size_t> samples_;
};

// The content of the frame that `bytes` begins with, which is taken off. Nothing where it is torn or damaged.
std::optional<std::string> take_frame(std::string_view& bytes) {
  const std::size_t size = ZSTD_findFrameCompressedSize(bytes.data(), bytes.size());
  if (ZSTD_isError(size) != 0) return std::nullopt;
  const unsigned long long content_size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (content_size == ZSTD_CONTENTSIZE_UNKNOWN || content_size == ZSTD_CONTENTSIZE_ERROR ||
      content_size > kFrameBytes) {
    return std::nullopt;
  }
  std::string content(static_cast<std::size_t>(content_size), '\0');
  const std::size_t got = ZSTD_decompress(content.data(), content.size(), bytes.data(), size);
  if (ZSTD_isError(got) != 0 || got != content.size()) return std::nullopt;
  bytes.remove_prefix(size);
  return content;
}

bool looks_like_zstd(std::string_view bytes) {
  static constexpr std::string_view kZstdMagic = "\x28\xB5\x2F\xFD";
  const std::size_t known = std::min(bytes.size(), kZstdMagic.size());
  return bytes.substr(0, known) == kZstdMagic.substr(0, known);
}

std::size_t samples_in(const Trace& trace) {
  std::size_t count = 0;
  for (const Series& series : trace.series) count += series.samples.size();
  return count;
}

}  // namespace

std::string encode_chunk(const Trace& trace, Flushed& already) {
  std::string bytes;
  bool more = true;
  while (more) {
    bytes += encode_frame(trace, already);
    more = false;
    for (std::size_t i = 0; i < trace.series.size(); ++i) more |= already.samples[i] < trace.series[i].samples.size();
  }
  return bytes;
}

Result<DecodedTrace> decode_trace(std::string_view bytes) {
  if (!looks_like_zstd(bytes)) return fail(ErrorKind::bad_input, "not a trace file");
  DecodedTrace decoded;
  while (!bytes.empty()) {
    const auto content = take_frame(bytes);
    if (!content) {
      decoded.damaged = true;
      break;
    }
    if (!content->starts_with(kMagic)) return fail(ErrorKind::bad_input, "compressed by zstd, but not a trace file");
    if (content->size() <= kMagic.size() || (*content)[kMagic.size()] != kVersion) {
      return fail(ErrorKind::bad_input, "a trace file of a version that this program does not know");
    }
    Rollback rollback(decoded.trace);
    if (!read_content(*content, decoded.trace)) {
      rollback.undo();
      decoded.damaged = true;
      break;
    }
    if (samples_in(decoded.trace) > kMaximumSamples) {
      return fail(ErrorKind::bad_input, fmt::format("the trace has more than {} samples", kMaximumSamples));
    }
  }
  return decoded;
}

}  // namespace wattle::energy
