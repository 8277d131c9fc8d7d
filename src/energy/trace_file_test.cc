#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <random>
#include <string>

#include "energy/trace.h"

namespace wattle::energy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Series series_named(std::string name) {
  Series series;
  series.domain.name = std::move(name);
  series.domain.kind = DomainKind::dram;
  series.domain.provenance = Provenance::integrated_power;
  series.domain.source = "powercap \"µ\"";
  series.domain.parent = "psys";
  series.domain.gain_uncertainty = 0.1;
  series.domain.update_period = milliseconds(1);
  series.domain.simulated = true;
  return series;
}

void grow(Series& series, int samples, std::mt19937_64& random) {
  std::uniform_int_distribution<std::int64_t> jitter(-200'000, 200'000);
  std::uniform_int_distribution<std::int64_t> energy(0, 4'000'000);
  Sample sample = series.samples.empty() ? Sample{seconds(4'000'000), {0}} : series.samples.back();
  for (int i = 0; i < samples; ++i) {
    sample.time += milliseconds(20) + Nanoseconds{jitter(random)};
    sample.gap_before = !series.samples.empty() && random() % 9 == 0;
    if (!sample.gap_before && !series.samples.empty()) sample.cumulative += Microjoules{energy(random)};
    series.samples.push_back(sample);
  }
}

void expect_equal(const Trace& a, const Trace& b) {
  EXPECT_EQ(a.missing, b.missing);
  EXPECT_EQ(a.reads, b.reads);
  EXPECT_EQ(a.dropped, b.dropped);
  ASSERT_EQ(a.series.size(), b.series.size());
  for (std::size_t i = 0; i < a.series.size(); ++i) {
    const Domain& x = a.series[i].domain;
    const Domain& y = b.series[i].domain;
    EXPECT_EQ(
        std::tie(x.name, x.kind, x.provenance, x.source, x.parent, x.gain_uncertainty, x.update_period, x.simulated),
        std::tie(y.name, y.kind, y.provenance, y.source, y.parent, y.gain_uncertainty, y.update_period, y.simulated));
    ASSERT_EQ(a.series[i].samples.size(), b.series[i].samples.size());
    for (std::size_t k = 0; k < a.series[i].samples.size(); ++k) {
      const Sample& s = a.series[i].samples[k];
      const Sample& t = b.series[i].samples[k];
      ASSERT_EQ(std::tie(s.time, s.cumulative, s.gap_before), std::tie(t.time, t.cumulative, t.gap_before)) << k;
    }
  }
}

// A trace as a sampler writes it, chunk by chunk; `ends` are the sizes after each.
struct Written {
  Trace trace;
  std::string bytes;
  std::vector<std::size_t> ends;
};

Written written(int chunks) {
  std::mt19937_64 random(11);
  Written out;
  Flushed flushed;
  out.trace.series.push_back(series_named("dram-0"));
  out.trace.missing.push_back("dram-1: permission denied");
  for (int chunk = 0; chunk < chunks; ++chunk) {
    if (chunk == 2) out.trace.series.push_back(series_named("dram-2"));
    if (chunk == 3) out.trace.missing.push_back("dram-0: 2 of 9 readings failed");
    for (Series& series : out.trace.series) grow(series, chunk % 4 == 1 ? 1 : 50, random);
    out.trace.reads += 50;
    out.trace.dropped += chunk;
    out.bytes += encode_chunk(out.trace, flushed);
    out.ends.push_back(out.bytes.size());
  }
  return out;
}

TEST(TraceFile, reads_back_what_was_written_chunk_by_chunk) {
  const Written file = written(6);
  const auto read = decode_trace(file.bytes);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_FALSE(read->damaged);
  expect_equal(read->trace, file.trace);
}

TEST(TraceFile, nothing_at_all_is_an_empty_trace) {
  ASSERT_TRUE(decode_trace(""));
  EXPECT_FALSE(decode_trace("")->damaged);
  Flushed flushed;
  const auto read = decode_trace(encode_chunk(Trace{}, flushed));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->damaged);
}

TEST(TraceFile, extreme_values_survive) {
  Trace trace;
  trace.series.push_back(series_named("dram-0"));
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  trace.series[0].samples = {{{-5}, {0}}, {{0}, {0}}, {{1}, {kMost}}, {{kMost}, {kMost}, true}};
  Flushed flushed;
  const auto read = decode_trace(encode_chunk(trace, flushed));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->damaged);
  expect_equal(read->trace, trace);
}

TEST(TraceFile, a_torn_end_loses_the_last_chunk_only) {
  const Written file = written(5);
  for (std::size_t size = 0; size < file.bytes.size(); ++size) {
    const auto read = decode_trace(std::string_view(file.bytes).substr(0, size));
    ASSERT_TRUE(read) << size;
    std::size_t whole = 0;
    while (whole < file.ends.size() && file.ends[whole] <= size) ++whole;
    const bool between = size == 0 || (whole > 0 && file.ends[whole - 1] == size);
    EXPECT_EQ(read->damaged, !between) << size;
    EXPECT_EQ(read->trace.reads, static_cast<std::int64_t>(50 * whole));
  }
}

TEST(TraceFile, a_flipped_bit_is_never_taken_for_data) {
  const Written file = written(4);
  for (std::size_t byte = 0; byte < file.bytes.size(); ++byte) {
    for (const unsigned bit : {0U, 3U, 7U}) {
      std::string bytes = file.bytes;
      bytes[byte] = static_cast<char>(static_cast<unsigned char>(bytes[byte]) ^ (1U << bit));
      const auto read = decode_trace(bytes);
      if (!read) continue;
      // A bit that carries no information may go unnoticed; then everything is there.
      EXPECT_TRUE(read->damaged || read->trace.reads == file.trace.reads) << byte;
      for (std::size_t i = 0; i < read->trace.series.size(); ++i) {
        const auto& samples = read->trace.series[i].samples;
        ASSERT_LE(samples.size(), file.trace.series[i].samples.size());
        for (std::size_t k = 0; k < samples.size(); ++k) {
          ASSERT_EQ(samples[k].cumulative, file.trace.series[i].samples[k].cumulative) << byte;
        }
      }
    }
  }
}

std::string framed(const std::string& content) {
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), content.data(), content.size(), 1));
  return frame;
}

TEST(TraceFile, what_is_no_trace_file_is_refused) {
  EXPECT_THAT(decode_trace("hello").error().message, HasSubstr("not a trace file"));
  EXPECT_THAT(decode_trace(framed("other content")).error().message, HasSubstr("not a trace file"));
  EXPECT_THAT(decode_trace(framed(std::string("WTRC\x02", 5))).error().message, HasSubstr("version"));
  EXPECT_EQ(decode_trace("hello").error().kind, ErrorKind::bad_input);
}

TEST(TraceFile, hostile_counts_neither_crash_nor_allocate) {
  const std::string head("WTRC\x01", 5);
  const std::string huge("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10);
  const std::string domain =
      R"({"name":"a","kind":"gpu","provenance":"counter","source":"","parent":"","gain_uncertainty":0,)"
      R"("update_period_ns":0,"simulated":false})";
  const std::string one_series = std::string("\0\0\0\x01", 4) + static_cast<char>(domain.size() | 0x80U) +
                                 static_cast<char>(domain.size() >> 7U) + domain + std::string("\x01", 1);
  const std::vector<std::string> contents{
      head,
      head + huge,
      head + std::string("\0\0", 2) + huge,
      head + std::string("\0\0\0", 3) + huge,
      head + std::string("\0\0\0\x01", 4) + huge,
      head + std::string("\0\0\0\x01\x02{}", 7),
      head + std::string("\0\0\0\x01\x05[[[[[", 9),
      head + one_series,
      head + one_series + huge,
      head + one_series + std::string("\x7F", 1),
      head + one_series + std::string("\x02\x02\x01\x00\x00\x00", 6),      // time stands still
      head + one_series + std::string("\x02\x02\x02\x02\x05\x00", 6),      // energy falls
      head + one_series + std::string("\x02\x02\x02\x02\x02\x01\x01", 7),  // energy in a gap
      head + one_series + std::string("\x02\x02\x02\x02\x02\x01\x7F", 7),  // gap beyond the end
      head + one_series + std::string("\x01\x02\x01\x00", 4),              // energy below 0
      head + one_series + std::string("\x00\x00more", 6),
      head + std::string(1000, '\xFF'),
  };
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const auto read = decode_trace(framed(contents[i]));
    ASSERT_TRUE(read) << i;
    EXPECT_TRUE(read->damaged) << i;
    EXPECT_TRUE(read->trace.series.empty()) << "a damaged frame leaves nothing behind " << i;
  }
  EXPECT_FALSE(decode_trace(framed(head + one_series + std::string("\x02\x02\x02\x02\x02\x00", 6)))->damaged)
      << "the frame that the others are broken from";
}

TEST(TraceFile, a_frame_that_claims_a_giant_content_is_damaged) {
  // Single segment, 8-byte content size: 2⁶² bytes (RFC 8878, 3.1.1.1).
  const std::string frame =
      std::string("\x28\xB5\x2F\xFD\xE0", 5) + std::string("\0\0\0\0\0\0\0\x40", 8) + std::string("\x01\0\0", 3);
  ASSERT_TRUE(decode_trace(frame));
  EXPECT_TRUE(decode_trace(frame)->damaged);
  const std::string bomb = framed(std::string("WTRC\x01", 5) + std::string(200U << 20U, '\0'));
  ASSERT_TRUE(decode_trace(bomb));
  EXPECT_TRUE(decode_trace(bomb)->damaged);
}

TEST(TraceFile, random_bytes_do_not_crash) {
  std::mt19937_64 random(13);
  for (int round = 0; round < 3000; ++round) {
    std::string content("WTRC\x01", 5);
    for (std::size_t n = random() % 60; n > 0; --n) content += static_cast<char>(random() % (round % 2 == 0 ? 256 : 4));
    const auto read = decode_trace(framed(content));
    EXPECT_TRUE(!read || read->damaged || read->trace.series.empty());
  }
}

TEST(TraceFile, a_trace_of_very_many_samples_goes_through_in_one_call) {
  std::mt19937_64 random(17);
  Trace trace;
  trace.series.push_back(series_named("dram-0"));
  trace.series.push_back(series_named("dram-1"));
  grow(trace.series[0], 200'000, random);
  grow(trace.series[1], 10, random);
  Flushed flushed;
  const std::string bytes = encode_chunk(trace, flushed);
  EXPECT_THAT(flushed.samples, ElementsAre(200'000U, 10U));
  const auto read = decode_trace(bytes);
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->damaged);
  expect_equal(read->trace, trace);
}

}  // namespace
}  // namespace wattle::energy
