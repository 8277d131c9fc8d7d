#include "../models/forward_forward.h"
#include "task.h"

namespace wattle::trainer {
namespace {

/// Scores as losses take them: not in the bfloat16 that autocast computed them in.
torch::Tensor plain(const torch::Tensor& scores) {
  return scores.scalar_type() == torch::kBFloat16 ? scores.to(torch::kFloat32) : scores;
}

torch::Tensor cross_entropy(const torch::Tensor& scores, const torch::Tensor& labels, double smoothing) {
  return torch::cross_entropy_loss(scores, labels, {}, at::Reduction::Mean, -100, smoothing);
}

/// One class of several, by cross entropy.
class Classification final : public Task {
 public:
  Classification(std::int64_t classes, double smoothing) : heads_{{"", classes}}, smoothing_(smoothing) {}
  [[nodiscard]] const std::vector<Head>& heads() const override { return heads_; }
  [[nodiscard]] Judgement judge(Model& model, const Batch& batch) const override {
    const torch::Tensor scores = plain(model.forward(batch.images));
    return {cross_entropy(scores, batch.labels[0], model.is_training() ? smoothing_ : 0), {scores}, {batch.labels[0]}};
  }

 private:
  std::vector<Head> heads_;
  double smoothing_;
};

/// Both label sets at once: a weighted sum of two cross entropies.
class Multitask final : public Task {
 public:
  Multitask(std::int64_t classes, std::int64_t second_classes, double first_share, double smoothing)
      : heads_{{"first", classes}, {"second", second_classes}}, first_share_(first_share), smoothing_(smoothing) {}
  [[nodiscard]] const std::vector<Head>& heads() const override { return heads_; }
  [[nodiscard]] Judgement judge(Model& model, const Batch& batch) const override {
    const double smoothing = model.is_training() ? smoothing_ : 0;
    const torch::Tensor scores = plain(model.forward(batch.images));
    const torch::Tensor first = scores.narrow(1, 0, heads_[0].classes),
                        second = scores.narrow(1, heads_[0].classes, heads_[1].classes);
    const torch::Tensor loss = first_share_ * cross_entropy(first, batch.labels[0], smoothing) +
                               (1 - first_share_) * cross_entropy(second, batch.labels[1], smoothing);
    return {loss, {first, second}, {batch.labels[0], batch.labels[1]}};
  }

 private:
  std::vector<Head> heads_;
  double first_share_, smoothing_;
};

/// Whether two images are of one class: binary cross entropy of one logit.
class Verification final : public Task {
 public:
  [[nodiscard]] const std::vector<Head>& heads() const override { return heads_; }
  [[nodiscard]] Judgement judge(Model& model, const Batch& batch) const override {
    const torch::Tensor scores = plain(model.forward(batch.images));
    const torch::Tensor loss =
        torch::binary_cross_entropy_with_logits(scores.squeeze(1), batch.labels[0].to(scores.scalar_type()));
    return {loss, {scores}, {batch.labels[0]}};
  }

 private:
  std::vector<Head> heads_{{"", 1}};
};

/// G. Hinton 2022, section 2: goodness above a threshold for images with their own label drawn in, below it for images
/// with a wrong one. The loss is a sum over layers of softplus(threshold - good) and softplus(bad - threshold), each
/// layer's gradient its own; the public version trains one layer after the other, this one all at each step.
class ForwardForward final : public Task {
 public:
  ForwardForward(std::int64_t classes, double threshold) : heads_{{"", classes}}, threshold_(threshold) {}
  [[nodiscard]] const std::vector<Head>& heads() const override { return heads_; }
  [[nodiscard]] Judgement judge(Model& model, const Batch& batch) const override {
    auto& net = dynamic_cast<ForwardForwardNet&>(model);
    const torch::Tensor pixels = net.features(batch.images), &labels = batch.labels[0];
    const auto good = net.goodness(pixels, labels);
    const auto bad = net.goodness(pixels, wrong(labels, batch.chance));
    torch::Tensor loss;
    for (std::size_t layer = 0; layer < good.size(); ++layer) {
      const torch::Tensor own = torch::softplus(torch::cat({threshold_ - good[layer], bad[layer] - threshold_})).mean();
      loss = loss.defined() ? loss + own : own;
    }
    // In training all classes' goodness would cost five times the training: it stays unknown there.
    if (model.is_training()) {
      return {loss, {}, {labels}};
    }
    return {loss, {plain(net.head(pixels))}, {labels}};
  }
  /// How many classes further on the wrong label of each image is.
  [[nodiscard]] torch::Tensor draw(std::int64_t images, Random& random) const override {
    torch::Tensor steps = torch::empty({images}, torch::kInt64);
    auto* const values = steps.data_ptr<std::int64_t>();
    for (std::int64_t image = 0; image < images; ++image) {
      values[image] = 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(others())));
    }
    return steps;
  }

 private:
  [[nodiscard]] std::int64_t others() const { return std::max<std::int64_t>(heads_[0].classes - 1, 1); }

  /// For each label another one: as drawn, or in evaluation the next ones by turns.
  [[nodiscard]] torch::Tensor wrong(const torch::Tensor& labels, const torch::Tensor& drawn) const {
    const torch::Tensor steps =
        drawn.defined() ? drawn : torch::arange(labels.size(0), labels.options()).remainder_(others()).add_(1);
    return (labels + steps).remainder_(heads_[0].classes);
  }

  std::vector<Head> heads_;
  double threshold_;
};

}  // namespace

torch::Tensor Task::draw(std::int64_t, Random&) const { return {}; }

std::unique_ptr<Task> make_task(std::string_view name, const Hyperparameters& values, std::int64_t classes,
                                std::int64_t second_classes) {
  if (name == "multitask") {
    return std::make_unique<Multitask>(classes, second_classes, values.first_share, values.label_smoothing);
  }
  if (name == "verification") {
    return std::make_unique<Verification>();
  }
  if (name == "forward_forward") {
    return std::make_unique<ForwardForward>(classes, values.threshold);
  }
  return std::make_unique<Classification>(classes, values.label_smoothing);
}

}  // namespace wattle::trainer
