// Asks the built-in trainer what it knows (`wattle-train --list`). Starting it costs a third of a second of loading
// libtorch, so its answer is cached, by the binary's path, size and modification time.
#pragma once

#include <filesystem>
#include <string>

#include "study/study.h"

namespace wattle::cli {

class TrainerSchemaSource final : public study::SchemaSource {
 public:
  explicit TrainerSchemaSource(std::filesystem::path own_program) : own_program_(std::move(own_program)) {}
  [[nodiscard]] Result<study::TrainerSchema> schema() override;
  // The trainer's executable once schema() has found it; empty before.
  [[nodiscard]] const std::string& program() const { return program_; }
  // schema() was asked and the machine had no answer: no fault of the study file's.
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  [[nodiscard]] Result<study::TrainerSchema> ask();

  std::filesystem::path own_program_;
  std::string program_;
  bool failed_ = false;
};

}  // namespace wattle::cli
