#include "energy/telemetry.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>

namespace wattle::energy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsNan;

// Tells the seconds of the clock, the root, and nothing in its third column.
class Plain final : public GaugeSource {
 public:
  explicit Plain(const std::string& prefix = "") {
    for (const char* name : {"time", "root", "nothing"}) columns_.push_back({prefix + name, "1", "for a test"});
  }
  [[nodiscard]] const std::vector<Gauge>& gauges() const override { return columns_; }
  void read(Nanoseconds now, pid_t root, std::span<double> out) override {
    out[0] = to_seconds(now).value;
    out[1] = root;
  }

 private:
  std::vector<Gauge> columns_;
};

class Throwing final : public GaugeSource {
 public:
  [[nodiscard]] const std::vector<Gauge>& gauges() const override { return columns_; }
  void read(Nanoseconds /*now*/, pid_t /*root*/, std::span<double> out) override {
    out[0] = 1.0;
    throw std::runtime_error("a driver went away");
  }

 private:
  std::vector<Gauge> columns_{{"throwing", "1", "for a test"}};
};

template <class... Source>
std::vector<std::unique_ptr<GaugeSource>> sources(Source... source) {
  std::vector<std::unique_ptr<GaugeSource>> all;
  (all.push_back(std::move(source)), ...);
  return all;
}

// --- The thread ---------------------------------------------------------------------------------------------

TEST(Telemetry, reads_at_the_start_when_asked_and_at_the_end) {
  ScriptedClock clock(seconds(10));
  Telemetry telemetry(clock, sources(std::make_unique<Plain>()), {});
  EXPECT_FALSE(telemetry.latest());
  telemetry.start(false);
  EXPECT_EQ(telemetry.latest()->values[0], 10.0);
  clock.advance(seconds(1));
  telemetry.watch(77);
  telemetry.sample();
  clock.advance(seconds(1));
  const TelemetryTable table = telemetry.stop();
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(table.gauges.size(), 3U);
  EXPECT_THAT(table.rows[0].values, ElementsAre(10.0, 0.0, IsNan()));
  EXPECT_THAT(table.rows[1].values, ElementsAre(11.0, 77.0, IsNan()));
  EXPECT_THAT(table.rows[2].values, ElementsAre(12.0, 77.0, IsNan()));
  EXPECT_EQ(table.rows[2].time, seconds(12));
  EXPECT_THAT(telemetry.stop().rows, IsEmpty());
}

TEST(Telemetry, a_source_that_throws_has_told_nothing_and_stops_no_other) {
  ScriptedClock clock(seconds(10));
  Telemetry telemetry(
      clock, sources(std::make_unique<Plain>("a_"), std::make_unique<Throwing>(), std::make_unique<Plain>("b_")), {});
  telemetry.start(false);
  EXPECT_THAT(telemetry.latest()->values, ElementsAre(10.0, 0.0, IsNan(), IsNan(), 10.0, 0.0, IsNan()));
}

TEST(Telemetry, what_is_not_started_has_no_rows) {
  ScriptedClock clock;
  Telemetry telemetry(clock, sources(std::make_unique<Plain>()), {});
  EXPECT_THAT(telemetry.stop().rows, IsEmpty());
}

TEST(Telemetry, rows_are_bounded_and_the_first_and_last_are_kept) {
  ScriptedClock clock(seconds(1));
  Telemetry telemetry(clock, sources(std::make_unique<Throwing>()), {});
  telemetry.start(false);
  for (std::size_t i = 1; i <= Telemetry::kMostRows; ++i) {
    clock.advance(seconds(1));
    telemetry.sample();
  }
  const TelemetryTable table = telemetry.stop();
  EXPECT_LE(table.rows.size(), Telemetry::kMostRows / 2 + 2);
  EXPECT_EQ(table.rows[0].time, seconds(1));
  EXPECT_EQ(table.rows[1].time, seconds(3)) << "every second one went";
  EXPECT_EQ(table.rows.back().time, clock.monotonic());
  for (std::size_t i = 1; i < table.rows.size(); ++i) {
    ASSERT_LE(table.rows[i - 1].time, table.rows[i].time);
    ASSERT_EQ(table.rows[i].values.size(), 1U);
  }
}

// Reading takes time: the script's clock moves on.
class Slow final : public GaugeSource {
 public:
  Slow(ScriptedClock& clock, std::vector<Nanoseconds> takes) : clock_(clock), takes_(std::move(takes)) {}
  [[nodiscard]] const std::vector<Gauge>& gauges() const override { return columns_; }
  void read(Nanoseconds /*now*/, pid_t /*root*/, std::span<double> /*out*/) override {
    if (next_ < takes_.size()) clock_.advance(takes_[next_++]);
    const std::scoped_lock lock(mutex_);
    ++reads_;
    changed_.notify_all();
  }
  void wait_for(int reads) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return reads_ >= reads; });
  }

 private:
  ScriptedClock& clock_;
  std::vector<Nanoseconds> takes_;
  std::size_t next_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  int reads_ = 0;
  std::vector<Gauge> columns_{{"slow", "1", "for a test"}};
};

TEST(Telemetry, the_schedule_is_absolute_and_rounds_slept_through_are_left_out) {
  ScriptedClock clock(seconds(10));
  auto source = std::make_unique<Slow>(
      clock, std::vector<Nanoseconds>{milliseconds(300), milliseconds(900), milliseconds(2500), milliseconds(10)});
  Slow& slow = *source;
  Telemetry telemetry(clock, sources(std::move(source)), {.interval = seconds(1), .on_line = {}});
  telemetry.start();
  slow.wait_for(5);
  const TelemetryTable table = telemetry.stop();
  ASSERT_GE(table.rows.size(), 6U);
  const auto time = [&](std::size_t i) { return table.rows[i].time; };
  EXPECT_EQ(time(0), seconds(10));
  EXPECT_EQ(time(1), seconds(11)) << "a slow read does not shift the next";
  EXPECT_EQ(time(2), seconds(12));
  EXPECT_EQ(time(3), seconds(15)) << "13 and 14 were read through";
  EXPECT_EQ(time(4), seconds(16));
}

TEST(Telemetry, the_real_thread_reads_at_once_and_says_every_line) {
  SystemClock clock;
  std::string said;
  TelemetryTable table;
  {
    Telemetry telemetry(clock, sources(std::make_unique<Plain>()),
                        {.interval = seconds(3600), .on_line = [&](std::string_view line) { said += line; }});
    telemetry.start();
    while (!telemetry.latest()) ::usleep(100);
    telemetry.watch(5);
    table = telemetry.stop();
  }
  ASSERT_EQ(table.rows.size(), 2U) << "the end cuts the hour short";
  EXPECT_EQ(table.rows[1].values[1], 5.0);
  const auto read = decode_telemetry(said);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->rows.size(), 2U);
  EXPECT_EQ(read->rows[1].time, table.rows[1].time);
  EXPECT_EQ(read->rows[1].values[0], table.rows[1].values[0]);
}

TEST(Telemetry, every_source_of_this_machine_has_names_units_and_meanings_of_its_own) {
  SystemClock clock;
  Telemetry telemetry(clock, gauge_sources({}), {});
  telemetry.watch(::getpid());
  telemetry.start(false);
  const TelemetryTable table = telemetry.stop();
  std::string text = encode_gauges(table.gauges);
  for (const TelemetryRow& row : table.rows) text += encode_row(row);
  const auto read = decode_telemetry(text);
  ASSERT_TRUE(read) << "names are unique";
  EXPECT_EQ(read->rows.size(), 2U);
  for (const Gauge& gauge : table.gauges) {
    EXPECT_FALSE(gauge.name.empty() || gauge.unit.empty() || gauge.meaning.empty()) << gauge.name;
  }
}

// --- On disk ------------------------------------------------------------------------------------------------

std::vector<Gauge> two_gauges() { return {{"a", "1", "one \"quoted\"\n"}, {"b", "B/s", "two"}}; }

// Answers 1, 2, 3 …, but not while it is held.
class Held final : public GaugeSource {
 public:
  explicit Held(std::shared_ptr<std::mutex> mutex) : mutex_(std::move(mutex)) {}
  [[nodiscard]] const std::vector<Gauge>& gauges() const override { return gauges_; }
  void read(Nanoseconds /*now*/, pid_t /*root*/, std::span<double> out) override {
    const std::scoped_lock lock(*mutex_);
    out[0] = ++count_;
  }

 private:
  std::shared_ptr<std::mutex> mutex_;
  std::vector<Gauge> gauges_{{"held", "1", "how often it was read"}};
  double count_ = 0.0;
};

double told_by(GaugeSource& source) {
  double value = kNotTold;
  source.read({}, 0, {&value, 1});
  return value;
}

TEST(PatientGauges, one_that_hangs_holds_nobody_up_and_tells_again_when_it_has_answered) {
  const auto held = std::make_shared<std::mutex>();
  const auto source = patient(std::make_unique<Held>(held), milliseconds(100));
  EXPECT_EQ(source->gauges().front().name, "held");
  // What a busy machine does not answer in time is asked again.
  const auto awaited = [&](double least) {
    double value = told_by(*source);
    while (std::isnan(value) || value < least) value = told_by(*source);
    return value;
  };
  EXPECT_GE(awaited(1.0), 1.0);
  std::unique_lock lock(*held);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(told_by(*source)));
  lock.unlock();
  EXPECT_GE(awaited(2.0), 2.0);
}

TEST(PatientGauges, one_that_hangs_is_left_behind_at_the_end) {
  const auto held = std::make_shared<std::mutex>();
  std::unique_lock lock(*held);
  ScriptedClock clock(seconds(10));
  std::vector<std::unique_ptr<GaugeSource>> sources;
  sources.push_back(patient(std::make_unique<Held>(held), milliseconds(1)));
  std::optional<Telemetry> telemetry;
  telemetry.emplace(clock, std::move(sources), TelemetryOptions{});
  telemetry->start(false);
  const TelemetryTable table = telemetry->stop();
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_TRUE(std::isnan(table.rows[0].values[0]) && std::isnan(table.rows[1].values[0]));
  telemetry.reset();
}

TEST(TelemetryLines, values_survive_the_trip_to_the_last_bit) {
  std::string text = encode_gauges(two_gauges());
  std::vector<TelemetryRow> rows;
  std::mt19937_64 random(3);
  for (int i = 0; i < 500; ++i) {
    const double value = std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 1800) - 900);
    rows.push_back({.time = milliseconds(i), .values = {value, -value}});
    text += encode_row(rows.back());
  }
  rows.push_back({.time = {std::int64_t{1} << 61}, .values = {kNotTold, std::numeric_limits<double>::infinity()}});
  text += encode_row(rows.back());
  const auto read = decode_telemetry(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->gauges[0].meaning, two_gauges()[0].meaning);
  EXPECT_EQ(read->gauges[1].unit, "B/s");
  ASSERT_EQ(read->rows.size(), rows.size());
  for (int i = 0; i < 500; ++i) EXPECT_EQ(read->rows[i].values, rows[i].values);
  EXPECT_EQ(read->rows.back().time, rows.back().time);
  EXPECT_THAT(read->rows.back().values, ElementsAre(IsNan(), IsNan())) << "not told is not zero";
}

TEST(TelemetryLines, a_torn_end_loses_its_line_only) {
  const std::string head = encode_gauges(two_gauges()) + encode_row({.time = {1}, .values = {0.25, 2}});
  const std::string last = encode_row({.time = {2}, .values = {1.5, kNotTold}});
  for (std::size_t length = 0; length < last.size() - 1; ++length) {
    const auto read = decode_telemetry(head + last.substr(0, length));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->rows.size(), 1U) << length;
  }
  EXPECT_EQ(decode_telemetry(head + last)->rows.size(), 2U);
}

TEST(TelemetryLines, the_first_damaged_line_ends_the_reading) {
  const std::string good = encode_row({.time = {10}, .values = {1, 2}});
  for (const char* bad : {"",
                          "[]",
                          "{}",
                          "null",
                          "{\"t\":11}",
                          "{\"values\":[1,2]}",
                          "{\"t\":11,\"values\":[1]}",
                          "{\"t\":11,\"values\":[1,2,3]}",
                          "{\"t\":11,\"values\":[1,\"2\"]}",
                          "{\"t\":11,\"values\":[1,true]}",
                          "{\"t\":11,\"values\":{\"0\":1,\"1\":2}}",
                          "{\"t\":9,\"values\":[1,2]}",
                          "{\"t\":-1,\"values\":[1,2]}",
                          "{\"t\":11.5,\"values\":[1,2]}",
                          "{\"t\":1e400,\"values\":[1,2]}",
                          "{\"t\":99999999999999999999,\"values\":[1,2]}",
                          "{\"t\":18446744073709551615,\"values\":[1,2]}",
                          "{\"t\":9223372036854775807,\"values\":[1,2]}",
                          "{\"t\":null,\"values\":[1,2]}",
                          "\xff\xfe",
                          "{\"t\":11,\"values\":[1,2]}{"}) {
    const auto read = decode_telemetry(fmt::format("{}{}{}\n{}", encode_gauges(two_gauges()), good, bad, good));
    ASSERT_TRUE(read) << bad;
    EXPECT_EQ(read->rows.size(), 1U) << bad;
  }
}

TEST(TelemetryLines, text_that_names_no_gauges_is_bad_input) {
  const std::string gauge = R"({"name":"a","unit":"1","meaning":""})";
  const std::string twice = fmt::format(R"({{"gauges":[{},{}]}})", gauge, gauge);
  for (const char* text : {"", "\n", "{}", "[]", "null", "garbage", R"({"gauges":{}})", R"({"gauges":[1]})",
                           R"({"gauges":[{"name":"a"}]})", R"({"gauges":[{"name":"a","unit":1,"meaning":""}]})",
                           R"({"t":1,"values":[]})", twice.c_str()}) {
    const auto read = decode_telemetry(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::bad_input);
  }
  const std::string deep(200'000, '[');
  EXPECT_FALSE(decode_telemetry("{\"gauges\":" + deep));
  EXPECT_FALSE(decode_telemetry(std::string(3'000'000, ' ')));
}

TEST(TelemetryLines, no_damage_of_any_byte_crashes_the_reader) {
  std::string text = encode_gauges(two_gauges());
  for (int i = 0; i < 5; ++i) text += encode_row({.time = seconds(i), .values = {i * 0.1, 1e9}});
  std::mt19937 random(11);
  for (int i = 0; i < 4'000; ++i) {
    std::string damaged = text;
    for (int hits = 0; hits < 3; ++hits) damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto read = decode_telemetry(damaged);
    if (!read) continue;
    for (const TelemetryRow& row : read->rows) ASSERT_EQ(row.values.size(), read->gauges.size());
    (void)measures_in(*read, {.kind = WindowKind::run, .name = {}, .epoch = {}, .begin = {}, .end = seconds(9)});
  }
}

// --- Windows ------------------------------------------------------------------------------------------------

TelemetryTable table_of(const std::vector<std::pair<double, double>>& rows) {
  TelemetryTable table{.gauges = {{"a", "W", "for a test"}, {"b", "1", "never told"}}, .rows = {}};
  for (const auto& [time, value] : rows) {
    table.rows.push_back({.time = to_nanoseconds(Seconds{time}), .values = {value, kNotTold}});
  }
  return table;
}

Window between(double begin, double end) {
  return {.kind = WindowKind::phase,
          .name = "train",
          .epoch = {},
          .begin = to_nanoseconds(Seconds{begin}),
          .end = to_nanoseconds(Seconds{end})};
}

TEST(TelemetryWindow, a_row_weighs_the_time_since_the_one_before) {
  const auto measures = measures_in(table_of({{0, 1}, {1, 10}, {4, 20}, {5, 90}}), between(1, 4));
  ASSERT_EQ(measures.size(), 1U) << "what no row told is absent";
  EXPECT_EQ(measures[0].name, "a");
  EXPECT_EQ(measures[0].unit, "W");
  EXPECT_DOUBLE_EQ(measures[0].mean, 20.0) << "the row at the begin stands for the time before it";
  EXPECT_EQ(measures[0].maximum, 20.0);
  EXPECT_EQ(measures[0].readings, 2);
  EXPECT_DOUBLE_EQ(measures_in(table_of({{0, 1}, {1, 10}, {4, 20}}), between(0.5, 4))[0].mean, (0.5 * 10 + 60) / 3.5);
}

TEST(TelemetryWindow, a_mean_goes_by_time_and_not_by_rows) {
  // Ten rows in the first second, one for the nine after it.
  std::vector<std::pair<double, double>> rows{{0, 0}};
  for (int i = 1; i <= 10; ++i) rows.emplace_back(0.1 * i, 100.0);
  rows.emplace_back(10.0, 0.0);
  EXPECT_NEAR(measures_in(table_of(rows), between(0, 10))[0].mean, 10.0, 1e-9);
}

TEST(TelemetryWindow, what_was_not_told_neither_counts_nor_weighs) {
  const auto measures = measures_in(table_of({{0, 5}, {1, kNotTold}, {2, 7}}), between(0.5, 3));
  EXPECT_DOUBLE_EQ(measures[0].mean, 7.0);
  EXPECT_EQ(measures[0].readings, 1);
}

TEST(TelemetryWindow, negative_values_have_a_maximum_too) {
  EXPECT_EQ(measures_in(table_of({{0, -5}, {1, -7}}), between(0, 3))[0].maximum, -5.0);
}

TEST(TelemetryWindow, one_row_without_time_still_tells) {
  EXPECT_EQ(measures_in(table_of({{1, 5}}), between(0, 3))[0].mean, 5.0);
  EXPECT_THAT(measures_in(table_of({{1, 5}}), between(2, 3)), IsEmpty());
  EXPECT_THAT(measures_in(table_of({{1, 5}}), between(3, 2)), IsEmpty());
  EXPECT_THAT(measures_in({}, between(0, 3)), IsEmpty());
}

}  // namespace
}  // namespace wattle::energy
