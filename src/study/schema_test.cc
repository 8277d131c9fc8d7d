#include <gtest/gtest.h>

#include "study/fixture.h"

namespace wattle::study {
namespace {

std::string with(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(TrainerSchema, is_read_with_types_bounds_and_defaults) {
  const auto schema = parse_trainer_schema(kSchemaText, "/opt/wattle-train");
  ASSERT_TRUE(schema) << schema.error().message;
  EXPECT_EQ(schema->version, "0.1.0");
  EXPECT_EQ(schema->program, "/opt/wattle-train");
  EXPECT_EQ(schema->models, (std::vector<std::string>{"lenet5", "resnet20"}));
  EXPECT_EQ(schema->datasets, std::vector<std::string>{"glyphs"});
  EXPECT_EQ(schema->path_datasets, std::vector<std::string>{"idx"});
  ASSERT_EQ(schema->hyperparameters.size(), 6U);
  const Parameter& rate = schema->hyperparameters[2];
  EXPECT_EQ(rate.type, ParameterType::real);
  EXPECT_TRUE(rate.exclusive_minimum);
  EXPECT_EQ(rate.maximum, 1000.0);
  EXPECT_EQ(schema->hyperparameters[3].default_value, Value(0.0)) << "a float's default written as 0 is still a float";
  EXPECT_EQ(schema->hyperparameters[0].default_value, Value(std::int64_t{10}));
}

TEST(TrainerSchema, hostile_text_is_an_error_never_a_crash) {
  const std::string good = kSchemaText;
  const std::vector<std::string> bad{
      "",
      "null",
      "[]",
      "{",
      std::string(200'000, '['),
      std::string(5U << 20U, ' '),
      "{\"protocol\": 1}",
      with(good, "\"protocol\": 1", "\"protocol\": 2"),
      with(good, "\"protocol\": 1", "\"protocol\": \"1\""),
      with(good, "\"version\": \"0.1.0\"", "\"version\": 1"),
      with(good, "{\"name\": \"resnet20\"}", "17"),
      with(good, "\"path\": true", "\"path\": \"yes\""),
      with(good, "\"type\": \"int\"", "\"type\": \"integer\""),
      with(good, "\"default\": 10", "\"default\": 10.5"),
      with(good, "\"default\": 10", "\"default\": 18446744073709551615"),
      with(good, "\"default\": 10", "\"default\": 0"),
      with(good, "\"default\": 10", "\"default\": null"),
      with(good, "\"minimum\": 1", "\"minimum\": \"1\""),
      with(good, "[\"sgd\", \"adam\"]", "[]"),
      with(good, "[\"sgd\", \"adam\"]", "[1]"),
      with(good, "\"name\": \"batch_size\"", "\"name\": \"epochs\""),
      with(good, "\"name\": \"batch_size\"", "\"name\": \"batch size\""),
      with(good, "\"hyperparameters\": [", "\"hyperparameters\": [null,"),
      good.substr(0, good.size() / 2),
  };
  for (const std::string& text : bad) {
    const auto schema = parse_trainer_schema(text, "p");
    ASSERT_FALSE(schema) << text.substr(0, 400);
    EXPECT_EQ(schema.error().kind, ErrorKind::bad_input);
    EXPECT_EQ(schema.error().message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace wattle::study
