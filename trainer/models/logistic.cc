#include "logistic.h"

/// Logistic regression on pixels: one linear layer. What a network is to beat before it may be called one.

namespace wattle::trainer {
namespace {

namespace nn = torch::nn;

class Logistic final : public Model {
 public:
  explicit Logistic(const ModelRequest& request)
      : dropout_(request.dropout),
        output_(
            register_module("output", nn::Linear(static_cast<std::int64_t>(request.image.bytes()), request.classes))) {}

  torch::Tensor features(torch::Tensor images) override { return images.flatten(1); }
  torch::Tensor head(torch::Tensor features) override {
    return output_->forward(torch::dropout(features, dropout_, is_training()));
  }
  [[nodiscard]] std::int64_t feature_width() const override { return output_->options.in_features(); }
  [[nodiscard]] bool is_head(std::string_view name) const override { return name.starts_with("output."); }

 private:
  double dropout_;
  nn::Linear output_;
};

}  // namespace

std::shared_ptr<Model> make_logistic(const ModelRequest& request) { return std::make_shared<Logistic>(request); }

}  // namespace wattle::trainer
