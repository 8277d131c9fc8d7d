#include "classification.h"

namespace wattle::trainer {
namespace {

constexpr std::int64_t kEvaluationBatch = 250;
constexpr std::int64_t kLargestShift = 4;

torch::Tensor on_device(const std::vector<std::int64_t>& values, torch::Device device) {
  return torch::tensor(values, torch::kInt64).to(device);
}

/// N x H x W x C bytes, shifted and mirrored image by image.
torch::Tensor crop_flip(const torch::Tensor& bytes, Random& random) {
  const std::int64_t count = bytes.size(0), height = bytes.size(1), width = bytes.size(2);
  std::vector<std::int64_t> downs, rights, mirrored;
  for (std::int64_t image = 0; image < count; ++image) {
    downs.push_back(static_cast<std::int64_t>(random.below(2 * kLargestShift + 1)));
    rights.push_back(static_cast<std::int64_t>(random.below(2 * kLargestShift + 1)));
    mirrored.push_back(static_cast<std::int64_t>(random.below(2)));
  }
  const auto options = torch::TensorOptions(torch::kInt64).device(bytes.device());
  const torch::Tensor column = torch::arange(width, options).unsqueeze(0);
  const torch::Tensor mirror = on_device(mirrored, bytes.device()).unsqueeze(1);
  const torch::Tensor columns =
      on_device(rights, bytes.device()).unsqueeze(1) + column + mirror * (width - 1 - 2 * column);
  const torch::Tensor rows = on_device(downs, bytes.device()).unsqueeze(1) + torch::arange(height, options);
  const torch::Tensor padded =
      torch::constant_pad_nd(bytes, {0, 0, kLargestShift, kLargestShift, kLargestShift, kLargestShift});
  const torch::Tensor images = torch::arange(count, options).view({count, 1, 1});
  return padded.index({images, rows.unsqueeze(2), columns.unsqueeze(1)});
}

}  // namespace

Batches::Batches(const ImageSet& images, const ImageShape& shape, const ChannelStatistics& statistics,
                 torch::Device device)
    : pixels_(torch::from_blob(const_cast<std::uint8_t*>(images.pixels.data()),
                               {static_cast<std::int64_t>(images.size()), shape.height, shape.width, shape.channels},
                               torch::kUInt8)
                  .to(torch::TensorOptions(device), false, /*copy=*/true)),
      labels_(on_device(images.labels, device)) {
  std::vector<float> scale, shift;
  for (std::size_t channel = 0; channel < statistics.mean.size(); ++channel) {
    scale.push_back(static_cast<float>(1 / (255 * statistics.deviation[channel])));
    shift.push_back(static_cast<float>(-statistics.mean[channel] / statistics.deviation[channel]));
  }
  scale_ = torch::tensor(scale).to(device);
  shift_ = torch::tensor(shift).to(device);
}

Batches::Batch Batches::take(const torch::Tensor& order, Random* augment) const {
  torch::Tensor bytes = pixels_.index_select(0, order);
  if (augment != nullptr) {
    bytes = crop_flip(bytes, *augment);
  }
  return {normalised(bytes), labels_.index_select(0, order)};
}

Batches::Batch Batches::slice(std::int64_t first, std::int64_t count) const {
  return {normalised(pixels_.narrow(0, first, count)), labels_.narrow(0, first, count)};
}

torch::Tensor Batches::normalised(const torch::Tensor& bytes) const {
  // Channels stand last in memory already, so this permutation is a channels_last tensor and copies nothing.
  return bytes.to(torch::kFloat32).mul_(scale_).add_(shift_).permute({0, 3, 1, 2});
}

Classification::Classification(std::shared_ptr<Model> model, const Hyperparameters& values, torch::Device device)
    : model_(std::move(model)),
      label_smoothing_(values.label_smoothing),
      loss_sum_(torch::zeros({}, torch::TensorOptions(torch::kFloat64).device(device))),
      right_(torch::zeros({}, torch::TensorOptions(torch::kInt64).device(device))) {}

torch::Tensor Classification::training_loss(const Batches::Batch& batch) {
  const torch::Tensor scores = model_->forward(batch.images);
  torch::Tensor loss = torch::cross_entropy_loss(scores, batch.labels, {}, at::Reduction::Mean, -100, label_smoothing_);
  const torch::NoGradGuard no_grad;
  add(loss.detach(), scores.detach(), batch.labels);
  return loss;
}

Scores Classification::take_training_scores() {
  const auto seen = static_cast<double>(std::max<std::int64_t>(seen_, 1));
  const Scores scores{loss_sum_.item<double>() / seen, static_cast<double>(right_.item<std::int64_t>()) / seen};
  loss_sum_.zero_();
  right_.zero_();
  seen_ = 0;
  return scores;
}

Scores Classification::evaluate(const Batches& images, const std::function<bool()>& stop_requested) {
  const torch::NoGradGuard no_grad;
  model_->eval();
  for (std::int64_t first = 0; first < images.size() && !stop_requested(); first += kEvaluationBatch) {
    const auto batch = images.slice(first, std::min(kEvaluationBatch, images.size() - first));
    const torch::Tensor scores = model_->forward(batch.images);
    add(torch::cross_entropy_loss(scores, batch.labels), scores, batch.labels);
  }
  model_->train();
  return take_training_scores();
}

void Classification::add(const torch::Tensor& loss, const torch::Tensor& scores, const torch::Tensor& labels) {
  loss_sum_.add_(loss, static_cast<double>(labels.size(0)));
  right_.add_(scores.argmax(1).eq(labels).sum());
  seen_ += labels.size(0);
}

}  // namespace wattle::trainer
