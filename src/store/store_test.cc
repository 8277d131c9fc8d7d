#include "store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace wattle::store {
namespace {

namespace fs = std::filesystem;
using Mode = Store::Mode;

class StoreTest : public testing::Test {
 protected:
  StoreTest() { fs::remove_all(folder_), fs::create_directories(folder_); }
  ~StoreTest() override { fs::remove_all(folder_); }

  static record::Attempt attempt(const std::string& key, int number = 1, const std::string& study = "s") {
    record::Attempt a;
    a.record.request.key = key + std::string(64 - key.size(), '0');
    a.record.request.pair_key = a.record.request.key;
    a.record.request.study = study;
    a.record.request.arguments = {"/bin/true"};
    a.record.request.configuration.label = "original";
    a.record.request.metric.name = "accuracy";
    a.record.attempt = number;
    a.record.end = record::EndState::completed;
    a.record.duration = milliseconds(1500);
    a.record.estimated.energy = Microjoules{2'500'000};
    a.record.metrics.push_back({"accuracy", record::Split::test, std::nullopt, 0.91, std::nullopt});
    a.trace = std::string("\x28\xb5\x2f\xfd\0bytes", 10);
    a.events = "{\"event\":\"hello\"}\n";
    a.output = std::string(100'000, 'x');
    return a;
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("wattle_store_" + std::to_string(::getpid()));
  fs::path file_ = folder_ / "wattle.db";
};

TEST_F(StoreTest, an_attempt_comes_back_as_it_was) {
  {
    auto store = Store::open(file_, Mode::write);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE(store->add(attempt("abc")));
  }
  EXPECT_FALSE(fs::exists(file_.string() + "-wal")) << "closing leaves one complete file";
  const auto store = Store::open(file_, Mode::read);
  ASSERT_TRUE(store);
  const auto back = store->attempt("abc");
  ASSERT_TRUE(back) << back.error().message;
  const record::Attempt original = attempt("abc");
  EXPECT_EQ(record::to_json(back->record), record::to_json(original.record));
  EXPECT_EQ(back->trace, original.trace);
  EXPECT_EQ(back->events, original.events);
  EXPECT_EQ(back->output, original.output);
  const auto rows = store->summaries();
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_DOUBLE_EQ(rows->front().estimated_energy->value, 2.5);
  EXPECT_FALSE(rows->front().measured_energy.has_value()) << "absent stays absent";
  EXPECT_DOUBLE_EQ(*rows->front().performance, 0.91);
  EXPECT_EQ(store->integrity().value(), "");
}

TEST_F(StoreTest, storing_an_attempt_twice_keeps_one) {
  auto store = Store::open(file_, Mode::write);
  ASSERT_TRUE(store->add(attempt("abc")));
  ASSERT_TRUE(store->add(attempt("abc")));
  ASSERT_TRUE(store->add(attempt("abc", 2)));
  EXPECT_EQ(store->summaries()->size(), 2U);
  EXPECT_EQ(store->attempt("abc")->record.attempt, 2) << "the last attempt is meant";
  EXPECT_EQ(store->attempt("abc.1")->record.attempt, 1);
}

TEST_F(StoreTest, a_metric_that_is_not_a_number_survives_in_the_record) {
  auto store = Store::open(file_, Mode::write);
  record::Attempt a = attempt("abc");
  a.record.metrics.back().value = std::numeric_limits<double>::quiet_NaN();
  ASSERT_TRUE(store->add(a));
  EXPECT_TRUE(std::isnan(store->attempt("abc")->record.metrics.back().value));
}

TEST_F(StoreTest, a_second_writer_is_refused_and_told_who_writes) {
  auto first = Store::open(file_, Mode::write);
  ASSERT_TRUE(first);
  const auto second = Store::open(file_, Mode::write);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::environment);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos) << second.error().message;
  EXPECT_TRUE(Store::open(file_, Mode::read)) << "reading goes on";
}

TEST_F(StoreTest, the_lock_of_a_killed_writer_is_free) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = Store::open(file_, Mode::write);
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(Store::open(file_, Mode::write));
}

TEST_F(StoreTest, what_is_no_store_is_refused_and_left_alone) {
  ASSERT_TRUE(write_text(file_, "hello, I am somebody's text file, longer than a header of SQLite would be......"));
  EXPECT_EQ(Store::open(file_, Mode::write).error().kind, ErrorKind::bad_input);
  const fs::path foreign = folder_ / "foreign.db";
  { SQLite::Database(foreign.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE t (x)"); }
  const auto refused = Store::open(foreign, Mode::write);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("not a Wattle store"), std::string::npos);
  EXPECT_EQ(Store::open(folder_ / "none.db", Mode::read).error().kind, ErrorKind::bad_input);
  EXPECT_FALSE(fs::exists(folder_ / "none.db")) << "reading creates nothing";
}

TEST_F(StoreTest, a_newer_schema_is_refused_with_a_word) {
  { ASSERT_TRUE(Store::open(file_, Mode::write)); }
  { SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99"); }
  const auto refused = Store::open(file_, Mode::read);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("newer"), std::string::npos);
}

TEST_F(StoreTest, keys_are_found_by_their_first_digits) {
  auto store = Store::open(file_, Mode::write);
  ASSERT_TRUE(store->add(attempt("abc")));
  ASSERT_TRUE(store->add(attempt("abd")));
  EXPECT_TRUE(store->attempt("abd"));
  EXPECT_NE(store->attempt("ab").error().message.find("several"), std::string::npos);
  for (const char* wrong : {"", "zz", "ffff", "abc.x", "abc.7", "'; DROP TABLE run; --"}) {
    const auto none = store->attempt(wrong);
    ASSERT_FALSE(none) << wrong;
    EXPECT_EQ(none.error().kind, ErrorKind::bad_input) << wrong;
  }
}

TEST_F(StoreTest, records_are_seen_through_the_plan_of_today) {
  auto store = Store::open(file_, Mode::write);
  ASSERT_TRUE(store->add(attempt("a1")));
  ASSERT_TRUE(store->add(attempt("b1")));
  ASSERT_TRUE(store->add(attempt("c1", 1, "other")));
  EXPECT_EQ(store->planned_records("s")->size(), 2U) << "without a plan, all";
  study::RunRequest edited = attempt("b1").record.request;
  edited.metric.tolerance = 0.5;
  edited.pair_key = "new pair";
  ASSERT_TRUE(store->set_plan("s", {edited}));
  const auto records = store->planned_records("s");
  ASSERT_EQ(records->size(), 1U);
  EXPECT_EQ(records->front().request.metric.tolerance, 0.5);
  EXPECT_EQ(records->front().request.pair_key, "new pair");
  EXPECT_EQ(store->plan("s")->size(), 1U);
  EXPECT_EQ(store->studies().value(), (std::vector<std::string>{"other", "s"})) << "the one run last comes last";
  ASSERT_TRUE(store->set_plan("fresh", {edited}));
  EXPECT_EQ(store->studies()->back(), "fresh") << "though it has no run yet";
}

TEST_F(StoreTest, a_folder_that_cannot_be_written_is_told_as_such) {
  const auto refused = Store::open(folder_ / "no" / "such" / "folder.db", Mode::write);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::environment);
}

}  // namespace
}  // namespace wattle::store
