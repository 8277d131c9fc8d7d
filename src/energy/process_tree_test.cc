#include "energy/process_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iterator>
#include <thread>

#include "base/text.h"
#include "energy/process_fixture.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

constexpr Nanoseconds kTick = milliseconds(10);

// --- Formats ------------------------------------------------------------------------------------------------

TEST(ProcessStat, fields_are_counted_from_the_last_parenthesis) {
  const auto stat = parse_process_stat(
      "77 () R 1 () S 12 77 77 0 -1 4194560 1 0 0 0 10 20 300 4000 20 0 6 0 555 9000000 88 18446744073709551615 1\n");
  ASSERT_TRUE(stat);
  EXPECT_FALSE(stat->zombie);
  EXPECT_EQ(stat->parent, 12);
  EXPECT_EQ(stat->cpu_ticks, 4330);
  EXPECT_EQ(stat->threads, 6);
  EXPECT_EQ(stat->start_ticks, 555U);
  EXPECT_EQ(stat->resident_pages, 88);
}

TEST(ProcessStat, refuses_what_is_none) {
  const std::string good = "7 (a) S 12 77 77 0 -1 4194560 1 0 0 0 10 20 300 4000 20 0 6 0 555 9000000 88";
  EXPECT_TRUE(parse_process_stat(good));
  for (std::size_t length = 0; length < good.size() - 2; ++length) {
    EXPECT_FALSE(parse_process_stat(good.substr(0, length))) << length;
  }
  EXPECT_FALSE(parse_process_stat("7 (a) S -1 77 77 0 -1 4194560 1 0 0 0 10 20 300 4000 20 0 6 0 555 9000000 88"));
  EXPECT_FALSE(parse_process_stat("7 (a) S 1 77 77 0 -1 4194560 1 0 0 0 -10 20 300 4000 20 0 6 0 555 9000000 88"));
  EXPECT_FALSE(
      parse_process_stat("7 (a) S 1 77 77 0 -1 4194560 1 0 0 0 9223372036854775807 2 3 4 20 0 6 0 555 9000000 88"));
}

TEST(ProcessIo, refuses_what_is_none) {
  EXPECT_TRUE(parse_process_io("rchar: 1\nread_bytes: 5\nwrite_bytes: 6\n"));
  EXPECT_FALSE(parse_process_io("rchar: 1\nread_bytes: 5\n"));
  EXPECT_FALSE(parse_process_io("read_bytes: -5\nwrite_bytes: 6\n"));
  EXPECT_FALSE(parse_process_io(""));
}

// Of a living process; sanitizers add some of their own.
std::int64_t threads_of(pid_t pid) {
  const fs::path folder = fmt::format("/proc/{}/task", pid);
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

// --- Real processes -----------------------------------------------------------------------------------------

TEST(ProcessTree, children_and_their_children_are_members_and_siblings_are_not) {
  const Family family([](const Family& me) {
    const pid_t child = Family::child([&] {
      me.say(Family::child([&] { me.wait_for_end(); }));
      me.wait_for_end();
    });
    me.say(child);
    me.wait_for_end();
  });
  const Family other([](const Family& me) { me.wait_for_end(); });
  const int one = family.hear();
  const int two = family.hear();
  ProcessTree tree("/", family.root());
  const auto use = tree.scan(seconds(1));
  ASSERT_TRUE(use);
  EXPECT_THAT(tree.members(), UnorderedElementsAre(family.root(), one, two));
  EXPECT_EQ(tree.members().front(), family.root());
  EXPECT_EQ(use->processes, 3);
  EXPECT_EQ(use->threads, threads_of(family.root()) + threads_of(one) + threads_of(two));
  EXPECT_GT(use->resident_bytes, 3 * 4096);
  EXPECT_TRUE(use->io);
}

TEST(ProcessTree, a_daemon_that_forked_twice_and_left_its_session_stays_a_member) {
  const Family family([](const Family& me) {
    const pid_t first = Family::child([&] {
      ::setsid();
      me.say(Family::child([&] {
        while (::getppid() != me.root()) ::usleep(100);
        me.wait_for_end();
      }));
    });
    ::waitpid(first, nullptr, 0);
    me.say(-1);
    me.wait_for_end();
  });
  // Said by two processes in any order.
  const int heard[] = {family.hear(), family.hear()};
  const pid_t daemon = std::max(heard[0], heard[1]);
  ProcessTree tree("/", family.root());
  ASSERT_TRUE(tree.scan(seconds(1)));
  EXPECT_THAT(tree.members(), ElementsAre(family.root(), daemon));
}

TEST(ProcessTree, an_orphan_seen_before_its_parent_ended_stays_a_member) {
  const Family family([](const Family& me) {
    const pid_t middle = Family::child([&] {
      me.say(::getpid());
      me.say(Family::child([&] { me.wait_for_end(); }));
      me.wait_for_end();
    });
    ::waitpid(middle, nullptr, 0);
    me.say(1);
    me.wait_for_end();
  });
  const pid_t middle = family.hear();
  const pid_t orphan = family.hear();
  ProcessTree tree("/", family.root());
  ASSERT_TRUE(tree.scan(seconds(1)));
  EXPECT_THAT(tree.members(), ElementsAre(family.root(), middle, orphan));
  ::kill(middle, SIGKILL);
  ASSERT_EQ(family.hear(), 1);
  ASSERT_TRUE(tree.scan(seconds(2)));
  EXPECT_THAT(tree.members(), ElementsAre(family.root(), orphan));
}

TEST(ProcessTree, a_child_that_ended_between_two_scans_is_in_the_cpu_time) {
  const Family family([](const Family& me) {
    me.wait_for_word();
    ::waitpid(Family::child([] { Family::burn(80); }), nullptr, 0);
    me.say(1);
    me.wait_for_end();
  });
  ProcessTree tree("/", family.root());
  const auto before = tree.scan(seconds(1));
  family.tell();
  ASSERT_EQ(family.hear(), 1);
  const auto after = tree.scan(seconds(2));
  ASSERT_TRUE(before && after);
  EXPECT_THAT(tree.members(), ElementsAre(family.root())) << "it was never seen";
  EXPECT_GE(after->cpu_time - before->cpu_time, milliseconds(80) - 2 * kTick);
}

TEST(ProcessTree, a_zombie_is_no_process_and_its_time_counts_still) {
  const Family family([](const Family& me) {
    const pid_t child = Family::child([] { Family::burn(60); });
    siginfo_t gone{};
    ::waitid(P_PID, static_cast<id_t>(child), &gone, WEXITED | WNOWAIT);
    me.say(child);
    me.wait_for_end();
  });
  const pid_t zombie = family.hear();
  ProcessTree tree("/", family.root());
  const auto use = tree.scan(seconds(1));
  ASSERT_TRUE(use);
  EXPECT_THAT(tree.members(), ElementsAre(family.root(), zombie));
  EXPECT_EQ(use->processes, 1);
  EXPECT_EQ(use->threads, threads_of(family.root()));
  EXPECT_GE(use->cpu_time, milliseconds(60) - 2 * kTick);
}

TEST(ProcessTree, a_name_with_parentheses_deceives_nobody) {
  const Family family([](const Family& me) {
    ::prctl(PR_SET_NAME, ") R 1 (");
    me.say(Family::child([&] {
      ::prctl(PR_SET_NAME, ") Z 1 1 1 (");
      me.say(1);
      me.wait_for_end();
    }));
    me.wait_for_end();
  });
  const pid_t child = std::max(family.hear(), family.hear());
  ProcessTree tree("/", family.root());
  const auto use = tree.scan(seconds(1));
  ASSERT_TRUE(use);
  EXPECT_THAT(tree.members(), ElementsAre(family.root(), child));
  EXPECT_EQ(use->processes, 2);
}

TEST(ProcessTree, threads_are_counted_and_are_no_processes) {
  const Family family([](const Family& me) {
    const std::jthread one([&] { me.wait_for_end(); });
    const std::jthread two([&] { me.wait_for_end(); });
    me.say(1);
    me.wait_for_end();
  });
  ASSERT_EQ(family.hear(), 1);
  ProcessTree tree("/", family.root());
  const auto use = tree.scan(seconds(1));
  ASSERT_TRUE(use);
  EXPECT_EQ(use->processes, 1);
  EXPECT_GE(use->threads, 3);
  EXPECT_EQ(use->threads, threads_of(family.root()));
}

std::ptrdiff_t open_files() { return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()); }

TEST(ProcessTree, many_processes_do_not_use_up_the_files) {
  constexpr int kChildren = 300;
  const Family family([](const Family& me) {
    for (int i = 0; i < kChildren; ++i) Family::child([&] { me.wait_for_end(); });
    me.say(1);
    me.wait_for_end();
  });
  ASSERT_EQ(family.hear(), 1);
  const auto before = open_files();
  ProcessTree tree("/", family.root());
  for (int i = 1; i < 4; ++i) {
    const auto use = tree.scan(seconds(i));
    ASSERT_TRUE(use);
    EXPECT_EQ(use->processes, kChildren + 1);
  }
  EXPECT_LE(open_files() - before, 2 * 128 + 1);
}

TEST(ProcessTree, processes_that_end_while_they_are_read_are_counted_once) {
  // Sleepers stand between the root, which is read first, and those that end.
  const Family family([](const Family& me) {
    for (int i = 0; i < 60; ++i) Family::child([&] { me.wait_for_end(); });
    me.say(1);
    for (int i = 0; i < 25; ++i) {
      const pid_t pair[] = {Family::child([] { Family::burn(11); }), Family::child([] { Family::burn(21); })};
      for (const pid_t pid : pair) ::waitpid(pid, nullptr, 0);
    }
    me.say(2);
    me.wait_for_end();
  });
  ASSERT_EQ(family.hear(), 1);
  std::atomic<int> heard = 0;
  const std::jthread listener([&] { heard = family.hear(); });
  ProcessTree tree("/", family.root());
  Nanoseconds last;
  while (heard == 0) {
    const auto use = tree.scan(seconds(1));
    ASSERT_TRUE(use);
    ASSERT_GE(use->cpu_time, last) << "it never falls";
    last = use->cpu_time;
  }
  const auto use = tree.scan(seconds(1));
  std::int64_t ticks = 0;
  for (const pid_t pid : tree.members()) {
    ticks += parse_process_stat(*read_text(fmt::format("/proc/{}/stat", pid), 4096))->cpu_ticks;
  }
  EXPECT_GT(ticks, 60);
  EXPECT_EQ(use->cpu_time / kTick, static_cast<double>(ticks)) << "nothing of it twice, and nothing lost";
}

TEST(ProcessTree, a_root_that_is_not_there_has_no_tree) {
  pid_t gone = 0;
  {
    const Family family([](const Family& me) { me.wait_for_end(); });
    gone = family.root();
  }
  ProcessTree tree("/", gone);
  EXPECT_FALSE(tree.scan(seconds(1)));
  EXPECT_THAT(tree.members(), IsEmpty());
  ProcessTree nowhere("/nowhere", ::getpid());
  EXPECT_FALSE(nowhere.scan(seconds(1)));
}

TEST(ProcessTree, after_its_end_a_tree_has_no_process_and_keeps_its_time) {
  Family family([](const Family& me) {
    Family::burn(50);
    me.say(1);
    me.wait_for_end();
  });
  ASSERT_EQ(family.hear(), 1);
  ProcessTree tree("/", family.root());
  const auto before = tree.scan(seconds(1));
  family.end();
  const auto after = tree.scan(seconds(2));
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->processes, 0);
  EXPECT_EQ(after->cpu_time, before->cpu_time);
  EXPECT_GE(after->cpu_time, milliseconds(50) - 2 * kTick);
}

TEST(ProcessTree, bytes_of_a_process_that_may_not_be_looked_at_are_not_told) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to begin with, to look as somebody else";
  const Family family([](const Family& me) { me.wait_for_end(); });
  if (::seteuid(65534) != 0) GTEST_SKIP() << "cannot give up root here";
  ProcessTree tree("/", family.root());
  const auto use = tree.scan(seconds(1));
  if (::seteuid(0) != 0) std::abort();
  ASSERT_TRUE(use);
  EXPECT_EQ(use->processes, 1);
  EXPECT_FALSE(use->io);
}

// --- Made-up processes --------------------------------------------------------------------------------------

class FakeTree : public FakeRoot {};

TEST_F(FakeTree, parents_stand_before_their_children_whatever_their_pids) {
  process({.pid = 1});
  process({.pid = 100, .parent = 1});
  process({.pid = 50, .parent = 100});
  process({.pid = 20, .parent = 50});
  process({.pid = 30, .parent = 1});
  ProcessTree tree(root_, 100);
  ASSERT_TRUE(tree.scan(seconds(1)));
  EXPECT_THAT(tree.members(), ElementsAre(100, 50, 20));
}

TEST_F(FakeTree, a_pid_that_vanishes_during_the_scan_is_left_out) {
  process({.pid = 1});
  process({.pid = 10, .parent = 1, .ticks = 7});
  process({.pid = 11, .parent = 10, .ticks = 5});
  fs::create_directories(root_ / "proc/12");  // listed, and gone when it is read
  process({.pid = 13, .parent = 99});         // its parent is gone
  ProcessTree tree(root_, 10);
  const auto use = tree.scan(seconds(1));
  ASSERT_TRUE(use);
  EXPECT_THAT(tree.members(), ElementsAre(10, 11));
  EXPECT_EQ(use->cpu_time, 12 * kTick);
  process({.pid = 13, .parent = 10, .ticks = 1});  // as the kernel would have it: a child of the subreaper
  ASSERT_TRUE(tree.scan(seconds(2)));
  EXPECT_THAT(tree.members(), ElementsAre(10, 11, 13));
}

TEST_F(FakeTree, a_pid_used_again_is_another_process) {
  process({.pid = 1});
  process({.pid = 10, .parent = 1});
  process({.pid = 11, .parent = 10, .ticks = 500});
  ProcessTree tree(root_, 10);
  const auto before = tree.scan(seconds(1));
  process({.pid = 10, .parent = 1, .of_ended = 500});
  process({.pid = 11, .parent = 1, .ticks = 9000, .start = 2000});
  const auto after = tree.scan(seconds(2));
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->cpu_time, 500 * kTick);
  EXPECT_EQ(after->cpu_time, 500 * kTick);
  ASSERT_TRUE(tree.scan(seconds(3)));
  EXPECT_THAT(tree.members(), ElementsAre(10));
}

TEST_F(FakeTree, the_roots_pid_used_again_is_no_root) {
  process({.pid = 1});
  process({.pid = 10, .parent = 1});
  process({.pid = 11, .parent = 10});
  ProcessTree tree(root_, 10);
  ASSERT_TRUE(tree.scan(seconds(1)));
  ends(10);
  process({.pid = 11, .parent = 1});  // nobody below it was a subreaper
  ASSERT_TRUE(tree.scan(seconds(2)));
  process({.pid = 10, .parent = 1, .start = 2000});
  process({.pid = 12, .parent = 10, .start = 2001});
  ASSERT_TRUE(tree.scan(seconds(3)));
  EXPECT_THAT(tree.members(), ElementsAre(11));
}

TEST_F(FakeTree, a_child_that_was_waited_for_counts_once) {
  process({.pid = 10, .parent = 1});
  process({.pid = 11, .parent = 10, .ticks = 500});
  ProcessTree tree(root_, 10);
  ASSERT_TRUE(tree.scan(seconds(1)));
  ends(11);
  process({.pid = 10, .parent = 1, .of_ended = 510});
  EXPECT_EQ(tree.scan(seconds(2))->cpu_time, 510 * kTick);
}

TEST_F(FakeTree, a_child_that_nobody_waited_for_is_counted_as_far_as_it_was_seen) {
  process({.pid = 10, .parent = 1});
  process({.pid = 11, .parent = 10, .ticks = 500});
  ProcessTree tree(root_, 10);
  ASSERT_TRUE(tree.scan(seconds(1)));
  ends(11);
  EXPECT_EQ(tree.scan(seconds(2))->cpu_time, 500 * kTick);
  process({.pid = 10, .parent = 1, .ticks = 30});
  EXPECT_EQ(tree.scan(seconds(3))->cpu_time, 530 * kTick) << "what others use afterwards counts in full";
}

TEST_F(FakeTree, a_living_member_that_the_list_left_out_is_not_counted_twice) {
  process({.pid = 10, .parent = 1});
  process({.pid = 11, .parent = 10, .ticks = 500});
  ProcessTree tree(root_, 10);  // lists this folder, and reads by path
  ASSERT_TRUE(tree.scan(seconds(1)));
  fs::rename(root_ / "proc", root_ / "listed");
  fs::copy(root_ / "listed", root_ / "proc", fs::copy_options::recursive);
  fs::rename(root_ / "listed/11", root_ / "listed/left-out");
  ASSERT_TRUE(tree.scan(seconds(2)));
  fs::rename(root_ / "listed/left-out", root_ / "listed/11");
  EXPECT_EQ(tree.scan(seconds(3))->cpu_time, 500 * kTick);
}

TEST_F(FakeTree, an_outsider_is_looked_at_again_after_half_a_minute) {
  process({.pid = 1});
  process({.pid = 10, .parent = 1});
  process({.pid = 50, .parent = 1});
  ProcessTree tree(root_, 10);
  ASSERT_TRUE(tree.scan(seconds(1)));
  process({.pid = 50, .parent = 10, .start = 2000});
  ASSERT_TRUE(tree.scan(seconds(2)));
  EXPECT_THAT(tree.members(), Not(Contains(50))) << "nobody asks it again so soon";
  ASSERT_TRUE(tree.scan(seconds(32)));
  EXPECT_THAT(tree.members(), ElementsAre(10, 50));
}

TEST_F(FakeTree, an_outsiders_pid_that_was_free_for_one_scan_is_looked_at_again_at_once) {
  process({.pid = 1});
  process({.pid = 10, .parent = 1});
  process({.pid = 50, .parent = 1});
  ProcessTree tree(root_, 10);
  ASSERT_TRUE(tree.scan(seconds(1)));
  ends(50);
  ASSERT_TRUE(tree.scan(seconds(2)));
  process({.pid = 50, .parent = 10, .start = 2000});
  ASSERT_TRUE(tree.scan(seconds(3)));
  EXPECT_THAT(tree.members(), ElementsAre(10, 50));
}

TEST_F(FakeTree, bytes_of_the_tree_are_not_told_where_one_member_does_not) {
  process({.pid = 10, .parent = 1});
  process({.pid = 11, .parent = 10});
  ProcessTree tree(root_, 10);
  const auto both = tree.scan(seconds(1));
  ASSERT_TRUE(both && both->io);
  EXPECT_EQ(both->io->read_bytes, 2000);
  EXPECT_EQ(both->io->write_bytes, 400);
  process({.pid = 12, .parent = 10});
  fs::remove(root_ / "proc/12/io");
  const auto three = tree.scan(seconds(2));
  ASSERT_TRUE(three);
  EXPECT_FALSE(three->io);
}

TEST_F(FakeTree, loops_and_garbage_are_no_tree) {
  process({.pid = 10, .parent = 1});
  process({.pid = 20, .parent = 21});
  process({.pid = 21, .parent = 20});
  process({.pid = 30, .parent = 30});
  put("proc/40/stat", "garbage");
  put("proc/99999999999999999999/stat", "1 (x) S 10");
  put("proc/-5/stat", "1 (x) S 10");
  ProcessTree tree(root_, 10);
  ASSERT_TRUE(tree.scan(seconds(1)));
  EXPECT_THAT(tree.members(), ElementsAre(10));
}

}  // namespace
}  // namespace wattle::energy
