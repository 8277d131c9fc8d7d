// What the tests of this module share: a schema that is simply there, and a folder of their own.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

#include "base/text.h"
#include "study/study.h"

namespace wattle::study {

inline constexpr const char* kSchemaText = R"({"program": "wattle-train", "version": "0.1.0", "protocol": 1,
  "models": [{"name": "lenet5", "meaning": "small"}, {"name": "resnet20"}],
  "datasets": [{"name": "glyphs", "path": false, "synthetic": true}, {"name": "idx", "path": true}],
  "hyperparameters": [
    {"name": "epochs", "type": "int", "default": 10, "minimum": 1, "maximum": 100000},
    {"name": "batch_size", "type": "int", "default": 64, "minimum": 1, "maximum": 65536},
    {"name": "learning_rate", "type": "float", "default": 0.05, "minimum": 0, "exclusive_minimum": true,
     "maximum": 1000, "meaning": "step size"},
    {"name": "momentum", "type": "float", "default": 0, "minimum": 0, "maximum": 1},
    {"name": "nesterov", "type": "bool", "default": false},
    {"name": "optimizer", "type": "choice", "choices": ["sgd", "adam"], "default": "sgd"}]})";

class FixedSchema final : public SchemaSource {
 public:
  FixedSchema() : answer_(parse_trainer_schema(kSchemaText, "/opt/wattle-train")) {}
  explicit FixedSchema(Error error) : answer_(tl::unexpected(std::move(error))) {}

  [[nodiscard]] Result<TrainerSchema> schema() override {
    ++asked;
    return answer_;
  }
  int asked = 0;

 private:
  Result<TrainerSchema> answer_;
};

// A fresh folder, gone at the end.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(std::filesystem::temp_directory_path() / ("wattle_study_" + name)) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    EXPECT_TRUE(write_text(path_ / name, text));
  }
  [[nodiscard]] std::filesystem::path study() const { return path_ / "study.toml"; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A sound study of the built-in trainer; `more` follows.
inline std::string builtin_study(const std::string& more = {}) {
  return R"([study]
name = "lenet-on-glyphs"
seed = 42
repetitions = 3
[workload.lenet]
trainer = "builtin"
model = "lenet5"
dataset = "glyphs"
metric = { name = "accuracy", goal = "maximize", tolerance = 0.01 }
[workload.lenet.defaults]
epochs = 6
batch_size = 64
learning_rate = 0.05
)" + more;
}

// One line per mistake, as people see them.
inline std::string mistakes_in(const std::string& text, const std::filesystem::path& file = "/nowhere/study.toml") {
  FixedSchema schema;
  return describe(parse_study(text, file, schema).diagnostics, file.filename());
}

}  // namespace wattle::study
