#include "energy/constant_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "energy/sampler.h"

namespace wattle::energy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ConstantProbe, its_power_by_time_is_exact) {
  ScriptedClock clock;
  std::vector<Found> probes;
  probes.push_back(find_constant("12.5:fans"));
  ASSERT_EQ(probes[0].status, Found::Status::found) << probes[0].reason;
  SamplerOptions options;
  options.interval = milliseconds(20);
  Sampler sampler(clock, std::move(probes), options);
  sampler.start(false);
  clock.advance(seconds(8));
  const Trace trace = sampler.stop();
  EXPECT_EQ(trace.series[0].samples.back().cumulative.value, 100'000'000);
  const Domain& domain = trace.series[0].domain;
  EXPECT_EQ(domain.name, "other-fans");
  EXPECT_EQ(domain.kind, DomainKind::other);
  EXPECT_EQ(domain.provenance, Provenance::constant);
}

TEST(ConstantProbe, it_joins_the_estimated_total_and_never_a_measured_one) {
  const Found found = find_constant("15");
  Series stated{.domain = found.probe->domains()[0], .samples = {{seconds(1), {0}}, {seconds(2), {15}}}};
  EXPECT_EQ(stated.domain.name, "other");
  Series package = stated;
  package.domain = {.name = "package-0", .kind = DomainKind::package, .source = {}, .parent = {}};
  Series model = stated;
  model.domain = {.name = "cpu (model)",
                  .kind = DomainKind::cpu_model,
                  .provenance = Provenance::model,
                  .source = {},
                  .parent = {}};
  const Cover covered = cover({package, model, stated});
  EXPECT_THAT(covered.measured, ElementsAre(0));
  EXPECT_THAT(covered.estimated, ElementsAre(1, 2));
  Series wall = package;
  wall.domain.kind = DomainKind::wall;
  wall.domain.name = "wall-battery";
  EXPECT_THAT(cover({wall, stated}).measured, ElementsAre(0));
}

TEST(ConstantProbe, what_is_no_power_or_no_name_is_absent_with_an_example) {
  for (const char* words : {"", ":", "watts", "0", "-5", "nan", "inf", "1e9", "5W", "5 W:fans", "1e-9", ":fans"}) {
    const Found found = find_constant(words);
    EXPECT_EQ(found.status, Found::Status::absent) << words;
    EXPECT_EQ(found.probe, nullptr);
    EXPECT_THAT(found.reason, HasSubstr("no power in watts")) << words;
    EXPECT_THAT(found.reason, HasSubstr("constant:15:fans")) << words;
  }
  for (const char* words :
       {"5:", "5:-x", "5:a b", "5:a:b", "5:\x1b[2J", "5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    const Found found = find_constant(words);
    EXPECT_EQ(found.status, Found::Status::absent) << words;
    EXPECT_THAT(found.reason, HasSubstr("no name")) << words;
  }
}

}  // namespace
}  // namespace wattle::energy
