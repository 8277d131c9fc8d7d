#include "model.h"

/// Two tasks on one trunk ("hard parameter sharing", R. Caruana, "Multitask Learning", Machine Learning 28, 1997): any
/// classifier, and a second linear layer beside its last one. Scores of both stand in one row, the first task's first.

namespace wattle::trainer {
namespace {

namespace nn = torch::nn;

class TwoHeads final : public Model {
 public:
  TwoHeads(std::shared_ptr<Model> trunk, std::int64_t second_classes)
      : trunk_(register_module("trunk", std::move(trunk))),
        second_(register_module("second", nn::Linear(trunk_->feature_width(), second_classes))) {}

  torch::Tensor features(torch::Tensor images) override { return trunk_->features(std::move(images)); }
  torch::Tensor head(torch::Tensor features) override {
    return torch::cat({trunk_->head(features), second_->forward(features)}, 1);
  }
  [[nodiscard]] std::int64_t feature_width() const override { return trunk_->feature_width(); }
  [[nodiscard]] bool is_head(std::string_view name) const override {
    constexpr std::string_view kTrunk = "trunk.";
    return name.starts_with("second.") || (name.starts_with(kTrunk) && trunk_->is_head(name.substr(kTrunk.size())));
  }

 private:
  std::shared_ptr<Model> trunk_;
  nn::Linear second_;
};

}  // namespace

std::shared_ptr<Model> make_two_heads(std::shared_ptr<Model> trunk, std::int64_t second_classes) {
  return std::make_shared<TwoHeads>(std::move(trunk), second_classes);
}

}  // namespace wattle::trainer
