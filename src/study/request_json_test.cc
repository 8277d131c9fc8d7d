#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "study/fixture.h"
#include "study/json_value.h"
#include "study/plan.h"

namespace wattle::study {
namespace {

using nlohmann::json;

RunRequest request() {
  RunRequest request;
  request.study = "ä study";
  request.workload_version = "v";
  Configuration& configuration = request.configuration;
  configuration.id = "0123456789ab";
  configuration.label = "learning_rate 0.1";
  configuration.workload = "w";
  configuration.hyperparameters = {{"one", 1.0},
                                   {"whole", std::int64_t{1}},
                                   {"tiny", 5e-324},
                                   {"third", 1.0 / 3.0},
                                   {"minus_zero", -0.0},
                                   {"yes", true},
                                   {"text", std::string("1")},
                                   {"large", std::numeric_limits<std::int64_t>::max()},
                                   {"small", std::numeric_limits<std::int64_t>::min()}};
  configuration.environment = {.name = "fast",
                               .device = "cuda:1",
                               .threads = 4,
                               .cpus = "0-1",
                               .wait_policy = "passive",
                               .precision = "bfloat16",
                               .nice = 5,
                               .power_cap = Watts{150.5},
                               .variables = {{"A", "b"}}};
  configuration.colocation = {
      .mode = GroupMode::background, .divided_cores = false, .partners = {"other/original"}, .member = 1};
  configuration.varied = {"one"};
  configuration.mutation = "scale";
  request.block = 2;
  request.order = 7;
  request.training_seed = (1U << 31U) - 1;
  request.purpose = Purpose::proof;
  request.arguments = {"a", "", "{run_dir}"};
  request.working_directory = "/x";
  request.variables = {{"B", ""}};
  request.rendered_files = {{"c.yaml", "lr: 1\n"}};
  request.use_terminal = true;
  request.metric = {"loss", Goal::minimize, 0.1, MetricSource::csv_file, "", "log.csv", "v", "e", 0.25};
  request.weights = {.key = "maker", .workload = "pretrain", .attempt = 2, .file = "", .ledger = {}};
  request.protocol.cool_down = Nanoseconds{123456789};
  request.protocol.cool_to_temperature = 45.5;
  request.protocol.control = true;
  request.protocol.outliers = {{"energy", {"lenet"}, 1.5, 2, 0, {}}, {"f1", {"lenet"}, {}, 0, 1, 0.0}};
  request.group = "a group";
  request.key = run_key(request);
  request.pair_key = request.key;
  return request;
}

TEST(RequestJson, comes_back_exactly_also_through_text) {
  const RunRequest sent = request();
  const auto back = request_from_json(json::parse(to_json(sent).dump()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(sent));
  EXPECT_EQ(back->configuration.hyperparameters, sent.configuration.hyperparameters);
  EXPECT_TRUE(std::holds_alternative<double>(back->configuration.hyperparameters.at("one")));
  EXPECT_TRUE(std::holds_alternative<std::int64_t>(back->configuration.hyperparameters.at("whole")));
  EXPECT_EQ(back->rendered_files, sent.rendered_files);
  EXPECT_EQ(back->configuration.environment, sent.configuration.environment);
  EXPECT_EQ(back->configuration.colocation, sent.configuration.colocation);
  EXPECT_EQ(back->protocol.cool_down, sent.protocol.cool_down);
  EXPECT_EQ(back->protocol.outliers, sent.protocol.outliers);
  EXPECT_EQ(back->metric.goal, Goal::minimize);
  EXPECT_EQ(back->metric.target, 0.25);
  EXPECT_EQ(back->weights, sent.weights);
  EXPECT_EQ(back->purpose, Purpose::proof);
  EXPECT_EQ(run_key(*back), sent.key);
}

// Every leaf and branch in turn is removed and replaced by what it cannot be.
void attack(const json& whole, const json::json_pointer& at, int& attacks) {
  const json& here = whole.at(at);
  if (here.is_object() && at.to_string().find("hyperparameters") == std::string::npos &&
      at.to_string().find("variables") == std::string::npos) {
    for (const auto& [field, child] : here.items()) {
      json without = whole;
      without.at(at).erase(field);
      // Informative, or later than the others.
      const bool told = field == "version" || field == "outliers" || field == "target" || field == "weights";
      EXPECT_EQ(request_from_json(without).has_value(), told) << at / field;
      attack(whole, at / field, attacks);
    }
  }
  if (at.to_string() == "/protocol/version") return;
  const std::string name = at.empty() ? "" : at.back();
  const bool of_repetitions =
      !at.empty() && !at.parent_pointer().empty() && at.parent_pointer().back() == "repetitions";
  const bool optional = name.starts_with("cool_to_") || name == "power_cap_w" || name == "target" ||
                        (name == "precision" && of_repetitions);
  for (const json& wrong : {json(nullptr), json::array({json::object()}), json::object({{"x", json::array()}})}) {
    if (optional && wrong.is_null()) continue;
    json other = whole;
    other.at(at) = wrong;
    const auto back = request_from_json(other);
    EXPECT_FALSE(back) << at << " " << wrong;
    if (!back) {
      EXPECT_EQ(back.error().kind, ErrorKind::bad_input);
    }
    ++attacks;
  }
}

TEST(RequestJson, nothing_missing_and_nothing_of_another_type_passes) {
  int attacks = 0;
  attack(to_json(request()), json::json_pointer(), attacks);
  EXPECT_GT(attacks, 100);
}

TEST(RequestJson, what_was_written_before_there_were_designs_is_read_with_their_defaults) {
  json old = to_json(request());
  json& configuration = old["configuration"];
  configuration.erase("varied");
  configuration.erase("colocation");
  configuration["mutated_parameter"] = "one";
  for (const char* name : {"cpus", "wait_policy", "precision", "nice", "power_cap_w"}) {
    configuration["environment"].erase(name);
  }
  for (const char* name : {"warm_up_ns", "cool_to_temperature", "control", "foreign_load", "repetitions"})
    old["protocol"].erase(name);
  old.erase("group");
  const auto back = request_from_json(old);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->configuration.varied, std::vector<std::string>{"one"});
  EXPECT_TRUE(back->configuration.colocation.alone());
  configuration["mutated_parameter"] = "";
  EXPECT_TRUE(request_from_json(old)->configuration.original());
}

TEST(RequestJson, hostile_values_are_refused_by_name) {
  const auto why = [](const char* pointer, const json& value) {
    json object = to_json(request());
    object[json::json_pointer(pointer)] = value;
    const auto back = request_from_json(object);
    return back ? std::string("accepted") : back.error().message;
  };
  EXPECT_EQ(why("/block", 0), "not a run request: block is not from 1 to 2147483647");
  EXPECT_EQ(why("/block", 1.0), "not a run request: block is not a whole number");
  EXPECT_EQ(why("/block", true), "not a run request: block is not a whole number");
  EXPECT_EQ(why("/training_seed", 18446744073709551615U),
            "not a run request: training_seed is not from 0 to 2147483647");
  EXPECT_EQ(why("/configuration/environment/threads", -1),
            "not a run request: configuration.environment.threads is not from 1 to 1000000");
  EXPECT_EQ(why("/rendered_files/0/name", "../../etc/passwd"),
            "not a run request:  rendered_files: name is not a plain file name");
  EXPECT_EQ(why("/rendered_files/0/name", ".."), "not a run request:  rendered_files: name is not a plain file name");
  EXPECT_EQ(why("/key", "../up"), "not a run request: key is no key");
  EXPECT_EQ(why("/key", ""), "not a run request: key is empty");
  EXPECT_EQ(why("/purpose", "fun"), "not a run request: purpose is no purpose");
  EXPECT_EQ(why("/arguments", json::array()), "not a run request: arguments is empty");
  EXPECT_EQ(why("/arguments/0", std::string("a\0b", 3)), "not a run request: arguments holds a NUL byte");
  EXPECT_EQ(why("/variables/A=B", "c"), "not a run request: variables holds what cannot be a variable");
  EXPECT_EQ(why("/configuration/hyperparameters/x", std::nan("")),
            "not a run request: configuration.hyperparameters holds no value for `x`");
  EXPECT_EQ(why("/configuration/hyperparameters/x", 18446744073709551615U),
            "not a run request: configuration.hyperparameters holds no value for `x`");
  EXPECT_EQ(why("/protocol/time_limit_ns", -1).substr(0, 52), "not a run request: protocol.time_limit_ns is not fro");
  EXPECT_EQ(why("/metric/goal", "max"), "not a run request: metric.goal is neither maximize nor minimize");
}

TEST(RequestJson, other_documents_are_refused) {
  for (const char* text : {"null", "[]", "3", "\"x\"", "{}"})
    EXPECT_FALSE(request_from_json(json::parse(text))) << text;
}

TEST(Canonical, sorts_keys_and_writes_the_shortest_numbers) {
  const json value = json::parse(R"({"b": [1, 1.0, 0.1, 1e-5, true, null], "a": {"z": "ä\n\"", "c": {}}})");
  EXPECT_EQ(canonical(value), R"({"a":{"c":{},"z":"ä\n\""},"b":[1,1.0,0.1,1.0e-05,true,null]})");
}

TEST(Canonical, what_json_lacks_becomes_text_instead_of_null) {
  EXPECT_EQ(canonical(json(std::nan(""))), "\"nan\"");
  EXPECT_EQ(canonical(json(-std::numeric_limits<double>::infinity())), "\"-inf\"");
}

TEST(Canonical, bytes_that_are_no_text_do_not_throw) { EXPECT_FALSE(canonical(json("a\xff")).empty()); }

}  // namespace
}  // namespace wattle::study
