#include "energy/plug_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace wattle::energy {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Le;

// An answer of a Shelly Plus Plug S as the API's documentation shows it.
constexpr const char* kAnswer =
    R"({"id":0,"source":"init","output":true,"apower":61.3,"voltage":230.1,"current":0.31,)"
    R"("aenergy":{"total":1234.567,"by_minute":[997.1,1012.4,0],"minute_ts":1700000000},"temperature":{"tC":41.2}})";
constexpr const char* kOldAnswer =
    R"({"relays":[{"ison":true}],"meters":[{"power":42.5,"is_valid":true,"total":12345}],"uptime":5})";

// What stands at each path; everything else is 404. Notes what was asked.
class Plug {
 public:
  std::map<std::string, Result<std::string>> answers;
  std::vector<std::string> asked;
  std::vector<std::int64_t> times;

  [[nodiscard]] Found find(const std::string& place = "plug.local:8080") {
    ProbeOptions options;
    options.http_get = [this](const std::string& url, Nanoseconds time) -> Result<std::string> {
      asked.push_back(url);
      times.push_back(time.value);
      const auto path = url.find('/', std::string("http://").size());
      const auto answer = answers.find(url.substr(path));
      if (answer == answers.end()) return fail(ErrorKind::failed, "HTTP status 404");
      return answer->second;
    };
    return find_plug(place, options);
  }
  void say(Result<std::string> answer) { answers.insert_or_assign("/rpc/Switch.GetStatus?id=0", std::move(answer)); }
};

Reading read(const Found& found) {
  std::vector<Reading> readings(1);
  found.probe->read(seconds(1), readings);
  return readings[0];
}

TEST(PlugProbe, the_plugs_power_is_the_whole_machines) {
  Plug plug;
  plug.say(kAnswer);
  const Found found = plug.find();
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  const Domain& domain = found.probe->domains()[0];
  EXPECT_EQ(domain.name, "wall-plug.local:8080");
  EXPECT_EQ(domain.kind, DomainKind::wall);
  EXPECT_EQ(domain.provenance, Provenance::integrated_power);
  EXPECT_EQ(read(found).kind, Reading::Kind::power);
  EXPECT_EQ(read(found).value, 61'300'000U);
  EXPECT_THAT(plug.asked, Each("http://plug.local:8080/rpc/Switch.GetStatus?id=0"));
  EXPECT_THAT(plug.times, Each(Le(seconds(2).value))) << "every question has its time";
  EXPECT_EQ(found.probe->own_period(), milliseconds(500));
}

TEST(PlugProbe, a_plug_of_the_first_generation_is_understood) {
  Plug plug;
  plug.answers.emplace("/status", kOldAnswer);
  const Found found = plug.find("10.0.0.7");
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  EXPECT_EQ(read(found).value, 42'500'000U);
  plug.answers.insert_or_assign("/status", R"({"meters":[{"power":42.5,"is_valid":false}]})");
  EXPECT_THAT(read(found).reason, HasSubstr("not valid"));
}

TEST(PlugProbe, answers_that_hold_no_power_are_absent_with_the_reason) {
  Plug plug;
  plug.say(kAnswer);
  const Found found = plug.find();
  const std::pair<std::string, const char*> bad[] = {
      {"", "no JSON"},
      {"<html>", "no JSON"},
      {R"({"apower":61.3)", "no JSON"},
      {R"({"apower":NaN})", "no JSON"},
      {R"({"apower":1e999})", ""},
      {"null", "no `apower`"},
      {"[]", "no `apower`"},
      {"[61.3]", "no `apower`"},
      {R"({"output":true})", "no `apower`"},
      {R"({"apower":null})", "no `apower`"},
      {R"({"apower":"61.3"})", "no `apower`"},
      {R"({"apower":true})", "no `apower`"},
      {R"({"apower":{"total":1}})", "no `apower`"},
      {R"({"apower":-61.3})", "no power that a machine draws"},
      {R"({"apower":0.0})", "not behind the plug"},
      {R"({"apower":61.3,"output":false})", "switched off"},
      {R"({"apower":1e6})", "more power"},
      {R"({"apower":61.3,"x":")" + std::string(70'000, 'x') + R"("})", "longer than 64 KiB"},
      {std::string(60'000, '['), "no JSON"},
  };
  for (const auto& [answer, reason] : bad) {
    plug.say(answer);
    const Reading reading = read(found);
    EXPECT_EQ(reading.kind, Reading::Kind::absent) << answer.substr(0, 60);
    EXPECT_THAT(reading.reason, HasSubstr(reason)) << answer.substr(0, 60);
    EXPECT_NE(reading.reason, "");
  }
  plug.say(kAnswer);
  EXPECT_EQ(read(found).kind, Reading::Kind::power) << "it goes on when the plug does";
}

TEST(PlugProbe, silence_is_asked_once_and_absent) {
  Plug plug;
  plug.say(fail(ErrorKind::environment, "no answer within 2 s"));
  const Found found = plug.find();
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_EQ(found.reason, "no answer within 2 s");
  EXPECT_EQ(plug.asked.size(), 1U) << "who is silent is not asked for the older way too";
}

TEST(PlugProbe, a_place_is_a_host_and_a_port_and_nothing_that_leads_elsewhere) {
  Plug plug;
  plug.say(kAnswer);
  for (const char* place : {"10.0.0.7", "plug", "plug.local:80", "[fe80::1]", "[::1]:8080"}) {
    EXPECT_EQ(plug.find(place).status, Found::Status::found) << place;
  }
  plug.asked.clear();
  for (const char* place : {"", ":80", "host:", "host:0", "host:65536", "host:x", "user@host", "host/path", "host?x",
                            "http://host", "a b", "[::1", "[]", "[::1]80", "host\r\nX: y", "[g::1]"}) {
    const Found found = plug.find(place);
    EXPECT_EQ(found.status, Found::Status::absent) << place;
    EXPECT_THAT(found.reason, HasSubstr("HOST:PORT")) << place;
  }
  EXPECT_THAT(plug.asked, testing::IsEmpty());
}

TEST(PlugProbe, without_a_network_it_is_absent) {
  const Found found = find_plug("10.0.0.7", {});
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_EQ(found.reason, "nothing here can ask a network");
}

}  // namespace
}  // namespace wattle::energy
