#include "energy/visible_gpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wattle::energy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<GpuIdentity> twins{{.name = "A100", .uuid = "GPU-8932f937-d72c"},
                                     {.name = "A100", .uuid = "GPU-8932aaaa-0000"},
                                     {.name = "A100", .uuid = "GPU-1234bbbb-0000"}};
const std::vector<GpuIdentity> mixed{{.name = "GeForce GT 1030", .uuid = "GPU-11111111"},
                                     {.name = "A100", .uuid = "GPU-22222222"}};

GpuChoice choose(const std::vector<GpuIdentity>& all, const std::string& visible) {
  return choose_gpus(all, true, visible, std::nullopt);
}

TEST(VisibleGpus, absent_means_all_and_empty_means_none) {
  EXPECT_THAT(choose_gpus(twins, true, std::nullopt, std::nullopt).gpus, ElementsAre(0, 1, 2));
  EXPECT_THAT(choose(twins, "").gpus, IsEmpty());
  EXPECT_THAT(choose(twins, "-1").gpus, IsEmpty());
  EXPECT_THAT(choose(twins, "NoDevFiles").gpus, IsEmpty());
}

TEST(VisibleGpus, indices_choose_and_a_gpu_named_twice_counts_once) {
  EXPECT_THAT(choose(twins, "2,0").gpus, ElementsAre(0, 2));
  EXPECT_THAT(choose(twins, "1, 1").gpus, ElementsAre(1));
  EXPECT_THAT(choose(twins, "2,GPU-1234").gpus, ElementsAre(2));
}

TEST(VisibleGpus, the_list_ends_before_the_first_entry_that_is_no_gpu) {
  EXPECT_THAT(choose(twins, "0,2,-1,1").gpus, ElementsAre(0, 2)) << "the example of the CUDA programming guide";
  EXPECT_THAT(choose(twins, "0,3,1").gpus, ElementsAre(0));
  EXPECT_THAT(choose(twins, "1,,2").gpus, ElementsAre(1));
  EXPECT_THAT(choose(twins, "GPU-9,0").gpus, IsEmpty());
  EXPECT_THAT(choose(twins, "0,3,1").notes, ElementsAre("CUDA_VISIBLE_DEVICES ends at `3`, which is no GPU here"));
}

TEST(VisibleGpus, a_uuid_may_be_cut_short_as_long_as_it_fits_one) {
  EXPECT_THAT(choose(twins, "GPU-8932f937-d72c").gpus, ElementsAre(0));
  EXPECT_THAT(choose(twins, "GPU-8932F").gpus, ElementsAre(0));
  EXPECT_THAT(choose(twins, "GPU-8932").gpus, IsEmpty()) << "fits two";
}

TEST(VisibleGpus, an_instance_is_counted_with_its_whole_board_and_says_so) {
  auto gpus = twins;
  gpus[1].mig_uuids = {"MIG-aaaa0001", "MIG-aaaa0002"};
  gpus[2].mig_uuids = {"MIG-bbbb0001"};
  EXPECT_THAT(choose(gpus, "MIG-aaaa0001,MIG-aaaa0002").gpus, ElementsAre(1));
  EXPECT_THAT(choose(gpus, "MIG-bbbb0001").notes, ElementsAre("MIG-bbbb0001 is counted with its whole board"));
  EXPECT_THAT(choose(gpus, "MIG-cccc").gpus, IsEmpty());
  EXPECT_THAT(choose(gpus, "MIG-GPU-1234bbbb-0000/1/0").gpus, ElementsAre(2)) << "as before driver 470";
}

TEST(VisibleGpus, among_different_gpus_an_index_is_told_by_the_order_of_the_bus_only) {
  EXPECT_THAT(choose_gpus(mixed, true, "0", "PCI_BUS_ID").gpus, ElementsAre(0));
  for (const auto& order : {std::optional<std::string>(), std::optional<std::string>("FASTEST_FIRST")}) {
    const GpuChoice choice = choose_gpus(mixed, true, "0", order);
    EXPECT_THAT(choice.gpus, ElementsAre(0, 1));
    EXPECT_THAT(choice.notes, ElementsAre(HasSubstr("means by `0` cannot be told: all are measured")));
  }
  EXPECT_THAT(choose(mixed, "GPU-22").gpus, ElementsAre(1)) << "a UUID is told in any order";
  EXPECT_THAT(choose(mixed, "2").gpus, IsEmpty()) << "no order has it";
  EXPECT_THAT(choose_gpus(twins, true, "1", "FASTEST_FIRST").gpus, ElementsAre(1)) << "of one name, of one speed";
}

TEST(VisibleGpus, an_index_among_gpus_of_which_one_is_hidden_cannot_be_told) {
  EXPECT_THAT(choose_gpus(twins, false, "1", "PCI_BUS_ID").gpus, ElementsAre(0, 1, 2));
}

TEST(VisibleGpus, a_uuid_that_may_be_that_of_a_nameless_gpu_cannot_be_told) {
  auto gpus = twins;
  gpus[2].uuid.clear();
  EXPECT_THAT(choose(gpus, "GPU-7777").gpus, ElementsAre(0, 1, 2));
  EXPECT_THAT(choose(gpus, "GPU-8932f").gpus, ElementsAre(0));
}

TEST(VisibleGpus, one_gpu_listed_twice_is_found_by_its_uuid) {
  const std::vector<GpuIdentity> gpus{twins[0], twins[0]};
  EXPECT_THAT(choose(gpus, "GPU-8932").gpus, ElementsAre(0));
}

TEST(VisibleGpus, without_gpus_nothing_is_chosen) {
  EXPECT_THAT(choose({}, "0").gpus, IsEmpty());
  EXPECT_THAT(choose_gpus({}, true, std::nullopt, std::nullopt).gpus, IsEmpty());
}

}  // namespace
}  // namespace wattle::energy
