#include "run/events.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>

namespace wattle::run {
namespace {

using testing::HasSubstr;

energy::Window whole_run() { return {energy::WindowKind::run, "run", {}, seconds(100), seconds(200)}; }
ClockReference same_clock() { return {"boot", seconds(5), seconds(5)}; }

std::string hello(int pid = 7, std::string_view boot = "boot", std::int64_t offset_s = 5, int protocol = 1) {
  return fmt::format(R"({{"event":"hello","t":{},"pid":{},"seq":0,"protocol":{},"boot_id":"{}","boottime":{}}})"
                     "\n",
                     seconds(101).value, pid, protocol, boot, seconds(101 + offset_s).value);
}

// A line of the process 7.
std::string line(int sequence, std::int64_t time_s, std::string_view rest) {
  return fmt::format(R"({{"t":{},"pid":7,"seq":{},{}}})"
                     "\n",
                     seconds(time_s).value, sequence, rest);
}

Events read(std::string_view text, const ClockReference& clock = same_clock()) {
  EventReader reader;
  reader.feed(text);
  return reader.finish(whole_run(), clock);
}

TEST(Events, phases_and_epochs_become_windows_in_time_order) {
  const Events events =
      read(hello() + line(1, 110, R"("event":"phase_begin","phase":"train","epoch":1)") +
           line(2, 120, R"("event":"phase_end","phase":"train","epoch":1)") +
           line(3, 121, R"("event":"epoch","epoch":1)") + line(4, 131, R"("event":"epoch","epoch":2)") +
           line(5, 140, fmt::format(R"("event":"epoch","epoch":3,"begin":{})", seconds(135).value)));
  ASSERT_EQ(events.windows.size(), 4U);
  EXPECT_EQ(events.windows[0].window.name, "train");
  EXPECT_EQ(events.windows[0].window.epoch, 1);
  EXPECT_EQ(events.windows[0].window.end, seconds(120));
  EXPECT_EQ(events.windows[1].window.kind, energy::WindowKind::epoch);
  EXPECT_EQ(events.windows[1].window.begin, seconds(110)) << "an epoch begins with the first training";
  EXPECT_EQ(events.windows[2].window.begin, seconds(121)) << "or at the end of the one before";
  EXPECT_EQ(events.windows[3].window.begin, seconds(135)) << "or where it says";
  for (const Cut& cut : events.windows) EXPECT_EQ(cut.void_reason, "");
  EXPECT_EQ(events.bad_lines + events.foreign_lines + events.missing_lines, 0);
}

TEST(Events, bytes_may_come_in_any_pieces_and_a_torn_last_line_is_ignored) {
  const std::string text =
      hello() + line(1, 110, R"("event":"metric","name":"a","value":1,"split":"test")") + R"({"event":"metric","t":1)";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EventReader reader;
    reader.feed(std::string_view(text).substr(0, cut));
    reader.feed(std::string_view(text).substr(cut));
    const Events events = reader.finish(whole_run(), same_clock());
    ASSERT_EQ(events.metrics.size(), 1U) << cut;
    EXPECT_EQ(events.bad_lines, 0) << cut;
  }
}

TEST(Events, only_the_first_to_say_hello_speaks_for_the_run) {
  const std::string metric = R"({"event":"metric","t":1,"pid":8,"seq":0,"name":"a","value":9,"split":"test"})"
                             "\n";
  const Events events = read(metric + hello() + hello(8) + metric);
  EXPECT_TRUE(events.metrics.empty());
  EXPECT_EQ(events.foreign_lines, 3);
  EXPECT_EQ(events.bad_lines, 0);
}

TEST(Events, hostile_lines_cost_only_themselves) {
  std::string text = hello();
  text += "\n  \n";
  text += "garbage\n[1,2]\n\"x\"\nnull\n{}\n";  // 5
  text += line(1, 110, R"("event":7)");         // 6
  text += R"({"event":"epoch","t":-1,"pid":7,"seq":2,"epoch":1})"
          "\n";  // 7
  text += R"({"event":"epoch","t":1e400,"pid":7,"seq":2,"epoch":1})"
          "\n";  // 8
  text += R"({"event":"epoch","t":99999999999999999999,"pid":7,"seq":2,"epoch":1})"
          "\n";                                                                          // 9
  text += line(2, 110, R"("event":"epoch","epoch":0)");                                  // 10
  text += line(3, 110, R"("event":"epoch","epoch":"1")");                                // 11
  text += line(4, 110, R"("event":"epoch","epoch":1,"begin":"soon")");                   // 12
  text += line(5, 110, R"("event":"metric","name":"a","value":"high","split":"test")");  // 13
  text += line(6, 110, R"("event":"metric","name":"a","value":1,"split":"dev")");        // 14
  text += line(7, 110, R"("event":"phase_end","phase":"train")");                        // 15
  text += line(8, 110, R"("event":"done","status":"victory")");                          // 16
  text += std::string(1U << 20U, '[') + "\n";                                            // 17
  text += "{\"a\":" + std::string(60'000, '[') + "\n";                                   // 18
  text += std::string("\0\xff\xfe\n", 4);                                                // 19
  text += line(9, 110, R"("event":"metric","name":"a\u001b[31m","value":2,"split":"test")");
  const Events events = read(text);
  EXPECT_EQ(events.bad_lines, 19);
  ASSERT_EQ(events.metrics.size(), 1U);
  EXPECT_EQ(events.metrics[0].value, 2.0);
  EXPECT_EQ(events.metrics[0].name, "a?[31m") << "names are safe to print";
  EXPECT_TRUE(events.windows.empty());
  EXPECT_EQ(events.done, "");
}

TEST(Events, another_clock_boot_or_protocol_voids_the_windows) {
  const std::string epoch = line(1, 110, fmt::format(R"("event":"epoch","epoch":1,"begin":{})", seconds(105).value));
  EXPECT_EQ(read(hello() + epoch).windows.at(0).void_reason, "");
  EXPECT_THAT(read(hello(7, "boot", 7) + epoch).windows.at(0).void_reason, HasSubstr("more than 1 s"));
  EXPECT_THAT(read(hello(7, "other") + epoch).windows.at(0).void_reason, HasSubstr("boot"));
  EXPECT_THAT(read(hello(7, "boot", 5, 2) + epoch).windows.at(0).void_reason, HasSubstr("protocol 2"));
  const ClockReference suspended{"boot", seconds(5), seconds(65)};
  EXPECT_EQ(read(hello(7, "boot", 65) + epoch, suspended).windows.at(0).void_reason, "")
      << "a suspend before hello is no other clock";
}

TEST(Events, windows_outside_the_run_or_without_an_end_are_void) {
  const Events events = read(
      hello() + line(1, 50, R"("event":"phase_begin","phase":"load")") +
      line(2, 110, R"("event":"phase_end","phase":"load")") + line(3, 120, R"("event":"phase_begin","phase":"train")") +
      line(4, 130, R"("event":"phase_begin","phase":"validate")") + line(5, 300, R"("event":"epoch","epoch":1)"));
  ASSERT_EQ(events.windows.size(), 4U);
  for (const Cut& cut : events.windows) EXPECT_NE(cut.void_reason, "") << cut.window.name;
}

TEST(Events, divergence_is_a_loss_that_is_no_number_in_any_spelling) {
  for (const char* value : {"NaN", "\"nan\"", "Infinity", "\"-inf\""}) {
    const Events events = read(
        hello() +
        line(1, 110, fmt::format(R"("event":"metric","name":"loss","value":{},"split":"train","epoch":2)", value)));
    EXPECT_THAT(events.divergence, HasSubstr("at epoch 2")) << value;
  }
  EXPECT_EQ(read(hello() + line(1, 110, R"("event":"metric","name":"lossy","value":"nan","split":"train")")).divergence,
            "");
}

TEST(Events, holes_in_the_sequence_are_counted) {
  const Events events = read(hello() + line(3, 110, R"("event":"note")") + line(4, 111, R"("event":"note")"));
  EXPECT_EQ(events.missing_lines, 2);
}

TEST(Events, a_flood_is_kept_in_part_with_the_values_that_decide) {
  std::string text = hello();
  for (int i = 0; i < 60'000; ++i) {
    text += line(i + 1, 110, R"("event":"metric","name":"loss","value":1,"split":"train")");
  }
  text += line(60'001, 111, R"("event":"metric","name":"accuracy","value":0.9,"split":"test")");
  const Events events = read(text);
  EXPECT_TRUE(events.shortened);
  EXPECT_EQ(events.metrics.size(), kMostMetrics / 2 + 1);
  EXPECT_EQ(events.metrics.back().value, 0.9);
}

}  // namespace
}  // namespace wattle::run
