#include "meter/owner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace wattle::meter {
namespace {

TEST(Owner, is_one_a_machine_and_the_second_learns_who) {
  const std::filesystem::path root = std::filesystem::path(testing::TempDir()) / "wattle_owner_test";
  std::filesystem::create_directories(root / "run/lock");
  {
    const Owner first(root);
    EXPECT_FALSE(first.other());
    const Owner second(root);
    EXPECT_EQ(second.other(), ::getpid());
  }
  EXPECT_FALSE(Owner(root).other()) << "the lock went with its owner";
  std::filesystem::remove_all(root);
  EXPECT_FALSE(Owner(root).other()) << "where no lock can be made nobody can know";
}

}  // namespace
}  // namespace wattle::meter
