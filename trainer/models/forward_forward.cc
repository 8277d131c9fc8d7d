#include "forward_forward.h"

namespace wattle::trainer {
namespace {

constexpr double kEpsilon = 1e-4;

}  // namespace

ForwardForwardNet::ForwardForwardNet(const ModelRequest& request)
    : width_(static_cast<std::int64_t>(request.image.bytes())),
      classes_(request.classes),
      threshold_(request.threshold),
      dropout_(request.dropout) {
  class Folder final : public torch::nn::Module {};
  const auto folder = register_module("layers", std::make_shared<Folder>());
  std::int64_t from = width_;
  for (const char* name : {"0", "1"}) {
    const std::int64_t to = widened(500, request.width);
    layers_.push_back(folder->register_module(name, torch::nn::Linear(from, to)));
    from = to;
  }
}

torch::Tensor ForwardForwardNet::features(torch::Tensor images) { return images.flatten(1); }

torch::Tensor ForwardForwardNet::head(torch::Tensor pixels) {
  // All classes in one batch: the same products, in matrices large enough to be fast.
  const std::int64_t count = pixels.size(0);
  const auto labels = torch::arange(classes_, pixels.options().dtype(torch::kInt64)).repeat({count});
  torch::Tensor sum;
  for (const torch::Tensor& goodness : goodness(pixels.repeat_interleave(classes_, 0), labels)) {
    sum = sum.defined() ? sum + goodness : goodness;
  }
  return sum.view({count, classes_});
}

std::vector<torch::Tensor> ForwardForwardNet::goodness(const torch::Tensor& pixels, const torch::Tensor& labels) {
  torch::Tensor input = labelled(pixels, labels);
  std::vector<torch::Tensor> all;
  for (auto& layer : layers_) {
    const torch::Tensor direction = input / (input.norm(2, 1, true) + kEpsilon);
    const torch::Tensor output = torch::relu(layer->forward(direction));
    all.push_back(output.square().mean(1));
    input = torch::dropout(output.detach(), dropout_, is_training());
  }
  return all;
}

torch::Tensor ForwardForwardNet::labelled(const torch::Tensor& pixels, const torch::Tensor& labels) const {
  torch::Tensor drawn = pixels.clone();
  drawn.narrow(1, 0, classes_).zero_();
  return drawn.scatter_(1, labels.unsqueeze(1), pixels.amax(1, true));
}

std::shared_ptr<Model> make_forward_forward(const ModelRequest& request) {
  return std::make_shared<ForwardForwardNet>(request);
}

}  // namespace wattle::trainer
