#include "store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "store/maintenance.h"
#include "store/text_blob.h"

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
    energy::Trace trace;
    trace.series.emplace_back().domain.name = "package-0";
    trace.series.back().samples = {{seconds(1), {}, false}, {seconds(2), {2'500'000}, false}};
    energy::Flushed none;
    a.trace = energy::encode_chunk(trace, none);
    a.telemetry = energy::encode_gauges({{"cpu_utilisation", "1", "share"}}) + energy::encode_row({seconds(1), {0.5}});
    a.events = "{\"event\":\"hello\"}\n";
    a.output = std::string(100'000, 'x');
    return a;
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("wattle_store_" + std::to_string(::getpid()));
  fs::path file_ = folder_ / "wattle.db";
};

TEST_F(StoreTest, order_is_that_of_storing_whatever_the_wall_clock_said) {
  auto store = Store::open(file_, Mode::write);
  ASSERT_TRUE(store) << store.error().message;
  for (const std::int64_t hour : {5, 2, 9, 1}) {
    auto one = attempt("a" + std::to_string(hour));
    one.record.started_wall = seconds(3600 * hour);
    ASSERT_TRUE(store->add(one));
  }
  std::string order;
  const auto summaries = store->summaries("s");
  ASSERT_TRUE(summaries);
  for (const record::Summary& summary : *summaries) order += summary.key.at(1);
  EXPECT_EQ(order, "5291");
}

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
  EXPECT_EQ(verify(file_)->faults.size(), 0U);
}

TEST_F(StoreTest, a_query_brings_the_last_ones_of_its_study_and_the_part_it_names) {
  auto store = Store::open(file_, Mode::write);
  for (const char* key : {"a", "b", "c", "d"}) ASSERT_TRUE(store->add(attempt(key, 1, "s")));
  ASSERT_TRUE(store->add(attempt("e", 2, "other")));
  const auto last = store->summaries("s", 2);
  ASSERT_EQ(last->size(), 2U);
  EXPECT_EQ(last->front().key.front(), 'c');
  EXPECT_EQ(last->back().key.front(), 'd');
  EXPECT_EQ(store->summaries({}, 9)->size(), 5U) << "more than there are";
  std::vector<record::Summary> listed;
  ASSERT_TRUE(store->visit({{}, Part::listed, 0}, [&](const auto& s) { listed.push_back(s); }));
  ASSERT_EQ(listed.size(), 5U);
  EXPECT_EQ(listed[4].attempt, 2);
  EXPECT_EQ(listed[4].study, "other");
  EXPECT_DOUBLE_EQ(*listed[4].performance, 0.91);
  EXPECT_EQ(listed[4].metric, "") << "no line tells it";
  ASSERT_TRUE(store->visit({"other", Part::counted, 0}, [&](const auto& s) { listed.push_back(s); }));
  ASSERT_EQ(listed.size(), 6U);
  EXPECT_EQ(listed[5].key, listed[4].key);
  EXPECT_EQ(listed[5].end, record::EndState::completed);
  EXPECT_DOUBLE_EQ(listed[5].duration->value, 1.5);
  EXPECT_EQ(listed[5].label, "") << "nobody counts by it";
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

TEST_F(StoreTest, several_are_stored_at_once) {
  auto store = Store::open(file_, Mode::write);
  ASSERT_TRUE(store->add(attempt("b")));
  const std::vector<record::Attempt> several{attempt("a"), attempt("b"), attempt("c")};
  EXPECT_EQ(store->add(std::span(several)).value_or(0U), 2U) << "one was there already";
  auto reader = Store::open(file_, Mode::read);
  const std::vector<record::Attempt> more{attempt("d")};
  EXPECT_FALSE(reader->add(std::span(more))) << "a reader stores nothing";
  EXPECT_EQ(store->summaries()->size(), 3U);
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

// --- Plans

std::vector<study::RunRequest> varied_plan() {
  std::vector<study::RunRequest> runs;
  for (int i = 0; i < 60; ++i) {
    study::RunRequest run;
    run.key = sha256(std::to_string(i));
    run.pair_key = i % 4 == 0 ? run.key : runs[static_cast<std::size_t>(i / 4 * 4)].key;
    run.study = "s";
    run.configuration.id = std::to_string(i % 4);
    run.block = 1 + i / 4;
    run.order = i;
    run.training_seed = static_cast<std::uint64_t>(7 + 1000 * (i / 4));
    run.arguments = {"train", "--seed", std::to_string(run.training_seed), "--lr", "0.07", "two\nlines"};
    run.variables["SEED_FILE"] = "seed-" + std::to_string(run.training_seed) + ".txt";
    run.rendered_files = {{"c.toml", "seed = " + std::to_string(run.training_seed) + "\n"}};
    runs.push_back(std::move(run));
  }
  runs[5].group = "pair-1";
  runs[6].pair_key = "of several words";
  runs[7].pair_key.clear();
  runs[8].metric.tolerance = 0.25;
  runs[9].arguments[3] = "--learning-rate";
  return runs;
}

nlohmann::json as_json(const std::vector<study::RunRequest>& runs) {
  nlohmann::json list = nlohmann::json::array();
  for (const study::RunRequest& run : runs) list.push_back(study::to_json(run));
  return list;
}

TEST(PlanText, a_plan_comes_back_as_it_was) {
  const auto runs = varied_plan();
  const auto text = encode_plan(runs);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_LT(text->size(), as_json(runs).dump().size() / 2) << "what runs share stands once";
  const auto back = decode_plan(*text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(as_json(*back), as_json(runs));
  const auto planned = decode_planned_runs(*text);
  ASSERT_EQ(planned->runs.size(), runs.size());
  EXPECT_EQ(planned->runs[5].key, runs[5].key);
  EXPECT_EQ(planned->kinds[planned->runs[5].kind].configuration, "1");
}

TEST(PlanText, the_form_of_older_schemas_is_read) {
  const auto runs = varied_plan();
  const std::string old_form = as_json(runs).dump();
  EXPECT_EQ(as_json(*decode_plan(old_form)), as_json(runs));
  const auto planned = decode_planned_runs(old_form);
  ASSERT_EQ(planned->runs.size(), runs.size());
  EXPECT_EQ(planned->runs[5].key, runs[5].key);
  EXPECT_EQ(planned->kinds[planned->runs[5].kind].configuration, "1");
}

TEST(PlanText, damage_is_told_and_never_read_as_something_else) {
  const std::string text = *encode_plan(varied_plan());
  for (const std::string& line : {std::string("abc"), std::string("abc 99 1 1 1 ="), std::string("abc 0 x 1 1 ="),
                                  std::string("abc 0 1 1 1 = {"), std::string("abc 0 1 1 1 = {\"texts\":[[\"x\"]]}")}) {
    EXPECT_FALSE(decode_plan(text + line + "\n")) << line;
  }
  EXPECT_FALSE(decode_plan("garbage"));
  EXPECT_FALSE(decode_plan("{}\n"));
}

// --- Looking after a store

TEST_F(StoreTest, an_older_store_is_brought_up_to_date_and_told_how) {
  { ASSERT_TRUE(Store::open(file_, Mode::write)->set_plan("s", varied_plan())); }
  {  // as schema 1 had it
    SQLite::Database database(file_.string(), SQLite::OPEN_READWRITE);
    const std::string blob = compressed(as_json(varied_plan()).dump());
    SQLite::Statement update(database, "UPDATE plan SET requests = ?");
    update.bind(1, blob.data(), static_cast<int>(blob.size()));
    update.exec();
    database.exec("DROP TABLE telemetry");
    database.exec("PRAGMA user_version = 1");
  }
  EXPECT_EQ(as_json(*Store::open(file_, Mode::read)->plan("s")), as_json(varied_plan())) << "read as it is";
  EXPECT_EQ(verify(file_)->schema, 1);
  EXPECT_TRUE(verify(file_)->faults.empty());
  const auto done = migrate(file_);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->from, 1);
  EXPECT_EQ(done->steps.size(), 2U);
  EXPECT_EQ(migrate(file_)->steps.size(), 0U) << "twice is harmless";
  const auto store = Store::open(file_, Mode::write);
  EXPECT_EQ(as_json(*store->plan("s")), as_json(varied_plan()));
  EXPECT_TRUE(verify(file_)->faults.empty());
}

TEST_F(StoreTest, verifying_names_the_run_and_what_is_wrong_with_it) {
  {
    auto store = Store::open(file_, Mode::write);
    for (const char* key : {"a1", "b2", "c3", "d4", "e5", "f6"}) ASSERT_TRUE(store->add(attempt(key)));
  }
  EXPECT_TRUE(verify(file_)->faults.empty());
  EXPECT_EQ(verify(file_)->traces, 6);
  EXPECT_EQ(verify(file_)->telemetry, 6);
  {
    SQLite::Database database(file_.string(), SQLite::OPEN_READWRITE);
    const std::string of = " WHERE run_id = (SELECT id FROM run WHERE key LIKE '";
    database.exec("UPDATE detail SET trace = substr(trace, 1, length(trace) - 3)" + of + "a1%')");
    database.exec("UPDATE detail SET record = '{\"attempt\":'" + of + "b2%')");
    database.exec("UPDATE run SET estimated_energy_j = 3 WHERE key LIKE 'c3%'");
    database.exec("UPDATE telemetry SET lines = x'00'" + of + "d4%')");
    database.exec("DELETE FROM detail" + of + "e5%')");
  }
  const auto found = verify(file_);
  ASSERT_EQ(found->faults.size(), 5U);
  const std::pair<const char*, const char*> expected[] = {
      {"a1", "trace"}, {"b2", "no JSON"}, {"c3", "`estimated_energy_j`"}, {"d4", "telemetry"}, {"e5", "missing"}};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(found->faults[i].run.substr(0, 2), expected[i].first);
    EXPECT_NE(found->faults[i].what.find(expected[i].second), std::string::npos) << found->faults[i].what;
  }
}

TEST_F(StoreTest, a_file_that_lost_its_end_is_no_sound_store) {
  {
    auto store = Store::open(file_, Mode::write);
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(store->add(attempt("a" + std::to_string(10 + i))));
  }
  const auto whole = fs::file_size(file_);
  for (const auto size : {whole - 1, whole / 2, std::uintmax_t{5000}, std::uintmax_t{600}, std::uintmax_t{50}}) {
    const fs::path cut = folder_ / "cut.db";
    fs::copy_file(file_, cut, fs::copy_options::overwrite_existing);
    fs::resize_file(cut, size);
    const auto found = verify(cut);
    EXPECT_TRUE(!found || !found->faults.empty()) << size;
    const auto opened = Store::open(cut, Mode::read);
    if (opened) {
      EXPECT_TRUE(!opened->records() || opened->records()->size() <= 40U);
    }
  }
}

TEST_F(StoreTest, a_copy_taken_while_another_writes_is_complete) {
  auto store = Store::open(file_, Mode::write);
  ASSERT_TRUE(store->add(attempt("a0")));
  std::atomic<bool> enough = false;
  std::jthread writer([&] {
    for (int i = 0; !enough; ++i) (void)store->add(attempt(sha256(std::to_string(i)).substr(0, 60)));
  });
  for (int i = 0; i < 5; ++i) {
    const fs::path target = folder_ / ("copy" + std::to_string(i) + ".db");
    const auto copied = copy_store(file_, target);
    ASSERT_TRUE(copied) << copied.error().message;
    const auto found = verify(target);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->faults.empty());
    EXPECT_GE(found->runs, 1);
    EXPECT_FALSE(fs::exists(target.string() + "-wal")) << "one file";
  }
  enough = true;
  const auto again = copy_store(file_, folder_ / "copy0.db");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::bad_input) << "nothing is overwritten";
  EXPECT_EQ(copy_store(file_, folder_ / "no" / "such.db").error().kind, ErrorKind::environment);
}

TEST_F(StoreTest, vacuuming_gives_room_back_and_needs_the_lock) {
  {
    auto store = Store::open(file_, Mode::write);
    record::Attempt large = attempt("a1");
    for (int i = 0; i < 50'000; ++i) large.events += std::to_string(i * 7919 % 65'537);
    ASSERT_TRUE(store->add(large));
    EXPECT_EQ(vacuum(file_).error().kind, ErrorKind::environment) << "somebody writes";
    EXPECT_EQ(migrate(file_).error().kind, ErrorKind::environment);
  }
  { SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("UPDATE detail SET events = x''"); }
  const auto done = vacuum(file_);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_LT(done->after, done->before);
  EXPECT_EQ(verify(file_)->runs, 1);
  EXPECT_EQ(vacuum(folder_ / "none.db").error().kind, ErrorKind::bad_input);
  EXPECT_FALSE(fs::exists(folder_ / "none.db.lock"));
}

// --- Places

TEST_F(StoreTest, a_network_file_system_is_refused_with_what_to_do) {
  fs::create_directories(file_.string() + ".runs/attempt");
  for (const long type : {0x6969L, 0xFF534D42L, static_cast<long>(static_cast<int>(0xFF534D42))}) {
    const auto refused = Store::open(file_, Mode::write, [&](const fs::path&) { return type; });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::environment);
    EXPECT_NE(refused.error().message.find("network file system"), std::string::npos);
    EXPECT_NE(refused.error().hint.find("--store"), std::string::npos);
    EXPECT_NE(refused.error().hint.find(".runs stay"), std::string::npos) << refused.error().hint;
  }
  EXPECT_FALSE(fs::exists(file_)) << "nothing is made there";
  EXPECT_TRUE(fs::exists(file_.string() + ".runs/attempt"));
  EXPECT_TRUE(Store::open(file_, Mode::write, [](const fs::path&) { return 0xEF53L; })) << "ext4";
}

TEST_F(StoreTest, a_disk_that_is_full_loses_nothing_that_was_stored) {
  { ASSERT_TRUE(Store::open(file_, Mode::write)->add(attempt("a1"))); }
  const pid_t child = ::fork();
  if (child == 0) {  // a file that may not grow stands for a disk that is full
    auto store = Store::open(file_, Mode::write);
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{300'000, 300'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    record::Attempt large = attempt("b2");
    large.trace.assign(1'000'000, 'x');
    const auto refused = store->add(large);
    const bool told = !refused && refused.error().kind == ErrorKind::environment &&
                      refused.error().hint.find("make room") != std::string::npos;
    ::_exit(told && store->add(attempt("c3")) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  const auto found = verify(file_);
  EXPECT_TRUE(found->faults.empty());
  EXPECT_EQ(found->runs, 2) << "what came after there was room again";
}

}  // namespace
}  // namespace wattle::store
