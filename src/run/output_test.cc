// Lines, streams and metric files, without processes.
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "base/text.h"
#include "run/metric_file.h"
#include "run/output_lines.h"
#include "run/stream.h"

namespace wattle::run {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
  std::vector<std::string> lines;
  LineSplitter splitter;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  for (const std::string& piece : pieces) splitter.feed(piece, take);
  splitter.finish(take);
  return lines;
}

TEST(LineSplitter, lines_end_with_line_feeds_and_carriage_returns_wherever_reads_end) {
  EXPECT_THAT(lines_of({"a\nb\r\nc\rd", "e\n", "\n", "f"}), ElementsAre("a", "b", "c", "de", "f"));
  const std::string text = "one\ntwo\r\nthree";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_THAT(lines_of({text.substr(0, cut), text.substr(cut)}), ElementsAre("one", "two", "three")) << cut;
  }
}

TEST(LineSplitter, an_endless_line_does_not_fill_the_memory) {
  std::vector<std::string> pieces(1000, std::string(10'000, 'x'));
  pieces.emplace_back("\nnext\n");
  const auto lines = lines_of(pieces);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].size(), LineSplitter::kLongestLine);
  EXPECT_EQ(lines[1], "next");
}

TEST(Escapes, colours_and_cursor_moves_vanish) {
  EXPECT_EQ(without_escapes("\x1b[1;32mepoch 1\x1b[0m acc\x1b[A 0.5"), "epoch 1 acc 0.5");
  EXPECT_EQ(without_escapes("\x1b]0;title\a"
                            "x\x1b]8;;u\x1b\\y"),
            "xy");
  EXPECT_EQ(without_escapes("end\x1b"), "end");
  EXPECT_EQ(without_escapes("end\x1b[1;3"), "end");
}

OutputLine at(std::int64_t ms, int epoch, double value = 0.5) {
  return {seconds(100) + milliseconds(ms), value, epoch};
}

energy::Window whole_run() { return {energy::WindowKind::run, "run", {}, seconds(100), seconds(200)}; }

TEST(OutputEpochs, the_last_line_of_an_epoch_is_its_end) {
  const auto epochs = epochs_from({at(100, 0), at(1000, 0), at(1100, 1), at(2000, 1)}, whole_run());
  ASSERT_EQ(epochs.size(), 2U);
  EXPECT_EQ(epochs[0].window.epoch, 1) << "counted from 1";
  EXPECT_EQ(epochs[0].window.begin, whole_run().begin);
  EXPECT_EQ(epochs[0].window.end, seconds(101));
  EXPECT_EQ(epochs[1].window.begin, seconds(101));
  EXPECT_EQ(epochs[1].void_reason, "");
}

TEST(OutputEpochs, one_bunch_among_honest_lines_voids_all) {
  const auto epochs = epochs_from({at(1000, 1), at(2000, 2), at(2001, 3), at(4000, 4)}, whole_run());
  for (const Cut& epoch : epochs) EXPECT_THAT(epoch.void_reason, HasSubstr("epochs 2 and 3"));
}

TEST(OutputEpochs, epochs_that_are_really_short_are_no_bunch) {
  std::vector<OutputLine> lines;
  for (int i = 1; i <= 100; ++i) lines.push_back(at(i, i));
  for (const Cut& epoch : epochs_from(lines, whole_run())) EXPECT_EQ(epoch.void_reason, "");
}

TEST(OutputMetrics, lines_without_an_epoch_are_values_of_the_run) {
  const auto points = metrics_from({{seconds(1), 0.1, {}}, {seconds(2), 0.2, {}}}, "a");
  ASSERT_EQ(points.size(), 2U);
  EXPECT_FALSE(points[1].epoch);
  EXPECT_EQ(points[1].value, 0.2);
}

class Folder : public testing::Test {
 protected:
  Folder() : root_(std::filesystem::path(testing::TempDir()) / "wattle_run_output") {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  ~Folder() override { std::filesystem::remove_all(root_); }
  std::filesystem::path root_;
};

TEST_F(Folder, matching_lines_are_kept_on_disk_as_in_memory) {
  auto pattern = study::MetricPattern::compile(R"(epoch (?<epoch>\d+) acc (?<value>\S+))");
  ASSERT_TRUE(pattern);
  OutputLines lines(*pattern, root_ / "lines.jsonl");
  lines.feed("epoch 1 acc 0.5\nnoise\xff\n\x1b[32mepoch 2\x1b[0m acc nan", seconds(3));
  lines.finish(seconds(4));
  const auto back = read_output_lines(root_ / "lines.jsonl");
  ASSERT_EQ(lines.lines().size(), 2U);
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].value, 0.5);
  EXPECT_EQ(back[0].epoch, 1);
  EXPECT_EQ(back[0].time, seconds(3));
  EXPECT_TRUE(std::isnan(back[1].value));
  EXPECT_EQ(back[1].time, seconds(4));
}

TEST_F(Folder, a_stream_keeps_its_begin_and_its_end_and_counts_the_rest) {
  auto file = StreamFile::create(root_ / "out", 10);
  ASSERT_TRUE(file);
  std::string all;
  for (int i = 0; i < 50'000; ++i) all += std::to_string(i) + "\n";
  for (std::size_t i = 0; i < all.size(); i += 777) file->add(std::string_view(all).substr(i, 777));
  ASSERT_TRUE(file->finish());
  const std::string kept = read_text(root_ / "out").value();
  EXPECT_TRUE(kept.starts_with(all.substr(0, 10)));
  EXPECT_TRUE(kept.ends_with("49998\n49999\n"));
  const std::string mark = "\n… " + std::to_string(file->dropped()) + " bytes dropped …\n";
  EXPECT_THAT(kept, HasSubstr(mark));
  EXPECT_EQ(kept.size() - mark.size() + file->dropped(), all.size()) << "every byte is kept or counted";
}

TEST_F(Folder, a_full_disk_is_told) {
  auto file = StreamFile::create("/dev/full", 100);
  ASSERT_TRUE(file);
  file->add("x");
  const auto done = file->finish();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::environment);
}

TEST_F(Folder, long_texts_are_shortened_in_the_middle) {
  std::ofstream(root_ / "long") << std::string(500, 'a') << std::string(500, 'z');
  const std::string text = shortened_text(root_ / "long", 100);
  EXPECT_EQ(text, std::string(50, 'a') + "\n… 900 bytes dropped …\n" + std::string(50, 'z'));
  EXPECT_EQ(shortened_text(root_ / "none", 100), "");
}

TEST(LastLine, is_safe_and_short) {
  EXPECT_EQ(last_line("a\nb\n\n \n"), "b");
  EXPECT_EQ(last_line(""), "");
  EXPECT_LE(last_line(std::string(10'000, 'x')).size(), 200U);
  EXPECT_EQ(last_line("\xff\x1b"
                      "a"),
            "\xEF\xBF\xBD?a");
}

study::Metric metric(std::string value_column, std::string epoch_column) {
  study::Metric metric;
  metric.name = "accuracy";
  metric.value_column = std::move(value_column);
  metric.epoch_column = std::move(epoch_column);
  return metric;
}

TEST(MetricFile, csv_fields_may_be_quoted_empty_and_no_numbers) {
  const auto points = metrics_from_csv(
      "\xEF\xBB\xBF"
      "step, \"val \"\"acc\"\"\" ,note\r\n1,0.5,\"a,\nb\"\r\n2,,\n3,\"0.7\"\n4,NaN,x\nx,0.9\n",
      metric("val \"acc\"", "step"), "log.csv");
  ASSERT_TRUE(points) << points.error().message;
  ASSERT_EQ(points->size(), 4U);
  EXPECT_EQ(points->at(0).epoch, 1);
  EXPECT_EQ(points->at(1).epoch, 3);
  EXPECT_EQ(points->at(1).value, 0.7);
  EXPECT_TRUE(std::isnan(points->at(2).value));
  EXPECT_FALSE(points->at(3).epoch);
  EXPECT_EQ(points->at(0).name, "accuracy");
}

TEST(MetricFile, rows_without_an_epoch_column_are_counted) {
  const auto points = metrics_from_csv("accuracy\n0.1\n0.2\n", metric("", ""), "log.csv");
  ASSERT_TRUE(points);
  EXPECT_EQ(points->at(1).epoch, 2);
}

TEST(MetricFile, a_column_that_is_not_there_is_said_with_what_is) {
  const auto csv = metrics_from_csv("epoch,val_accuracy\n1,0.5\n", metric("val_acuracy", ""), "log.csv");
  ASSERT_FALSE(csv);
  EXPECT_THAT(csv.error().message, HasSubstr("did you mean `val_accuracy`?"));
  const auto lines = metrics_from_json_lines("{\"loss\": 1}\n", metric("", ""), "log.jsonl");
  ASSERT_FALSE(lines);
  EXPECT_THAT(lines.error().message, HasSubstr("loss"));
  EXPECT_FALSE(metrics_from_csv("", metric("", ""), "log.csv"));
}

TEST(MetricFile, json_lines_may_be_mixed_torn_and_pythons) {
  const auto points = metrics_from_json_lines(
      "{\"epoch\": 0, \"accuracy\": 0.5}\n{\"loss\": 3}\n{\"epoch\": 1.0, \"accuracy\": NaN, \"s\": \"NaN\"}\n{\"epo",
      metric("", "epoch"), "log.jsonl");
  ASSERT_TRUE(points);
  ASSERT_EQ(points->size(), 2U);
  EXPECT_EQ(points->at(0).epoch, 1);
  EXPECT_EQ(points->at(1).epoch, 2);
  EXPECT_TRUE(std::isnan(points->at(1).value));
}

}  // namespace
}  // namespace wattle::run
