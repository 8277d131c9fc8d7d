#include <gtest/gtest.h>

#include <cmath>

#include "../compat.h"
#include "../loop.h"
#include "../models/model.h"
#include "../summary.h"
#include "../tasks/classification.h"

namespace wattle::trainer {
namespace {

TEST(LeNet5, has_the_published_61706_parameters_for_28_and_for_32_pixels) {
  for (const std::int64_t side : {28, 32}) {
    const ImageShape image{1, side, side};
    EXPECT_EQ(summarise(*make_lenet5({image, 10, 0}), image).parameters, 61'706) << side;
  }
}

TEST(LeNet5, costs_the_multiply_adds_that_its_layers_come_to) {
  const ImageShape image{1, 28, 28};
  const double convolutions = 28. * 28 * 6 * 25 + 10. * 10 * 16 * 150;
  const double dense = 400. * 120 + 120. * 84 + 84. * 10;
  EXPECT_NEAR(summarise(*make_lenet5({image, 10, 0}), image).gflops, 2e-9 * (convolutions + dense), 1e-12);
}

TEST(ResNet20, has_the_269722_parameters_of_option_a) {
  const ImageShape image{3, 32, 32};
  const Summary summary = summarise(*make_resnet20({image, 10, 0}), image);
  EXPECT_EQ(summary.parameters, 269'722);
  std::int64_t listed = 0;
  for (const Layer& layer : summary.layers) {
    EXPECT_FALSE(layer.name.empty());
    listed += layer.parameters;
  }
  EXPECT_EQ(listed, summary.parameters);
  EXPECT_EQ(summary.layers.size(), 19U + 19U + 1U);  // convolutions, normalisations, one linear layer
}

TEST(ResNet20, costs_the_multiply_adds_that_its_layers_come_to) {
  const ImageShape image{3, 32, 32};
  const double stage1 = 1024. * 9 * (3 * 16 + 6 * 16 * 16);
  const double stage2 = 256. * 9 * (16 * 32 + 5 * 32 * 32);
  const double stage3 = 64. * 9 * (32 * 64 + 5 * 64 * 64);
  EXPECT_NEAR(summarise(*make_resnet20({image, 10, 0}), image).gflops, 2e-9 * (stage1 + stage2 + stage3 + 640), 1e-9);
}

TEST(Models, accept_grey_and_colour_of_every_size_from_their_smallest_on) {
  for (const ModelKind& kind : model_kinds()) {
    for (const std::int64_t channels : {1, 3}) {
      for (const std::int64_t side : {kind.smallest_side, kind.smallest_side + 1, std::int64_t{64}}) {
        const ImageShape image{channels, side, side + 3};
        const auto scores = kind.make({image, 7, 0})->forward(torch::zeros({2, channels, side, side + 3}));
        EXPECT_EQ(scores.sizes(), (torch::IntArrayRef{2, 7})) << kind.name << side;
      }
    }
  }
}

TEST(Models, dropout_changes_training_and_not_evaluation) {
  for (const ModelKind& kind : model_kinds()) {
    torch::manual_seed(1);
    const ImageShape image{kind.usual_channels, kind.usual_side, kind.usual_side};
    const auto model = kind.make({image, 10, 0.5});
    const auto images = torch::rand({2, image.channels, image.height, image.width});
    model->eval();
    EXPECT_TRUE(torch::equal(model->forward(images), model->forward(images))) << kind.name;
    model->train();
    EXPECT_FALSE(torch::equal(model->forward(images), model->forward(images))) << kind.name;
  }
}

TEST(ChannelsLast, weights_of_depthwise_convolutions_are_moved_too) {
  torch::nn::Conv2d depthwise(torch::nn::Conv2dOptions(8, 8, 3).groups(8));
  const torch::Tensor before = depthwise->weight.detach().clone();
  to_channels_last(*depthwise, torch::kCPU);
  EXPECT_EQ(depthwise->weight.stride(1), 1);
  EXPECT_EQ(depthwise->weight.stride(3), 1);
  EXPECT_EQ(depthwise->weight.stride(2), 3);
  EXPECT_TRUE(torch::equal(depthwise->weight, before));
}

ImageSet numbered_images(std::int64_t count, const ImageShape& shape) {
  ImageSet images;
  for (std::int64_t index = 0; index < count; ++index) {
    images.labels.push_back(index % 10);
    for (std::size_t byte = 0; byte < shape.bytes(); ++byte) {
      images.pixels.push_back(static_cast<std::uint8_t>(mix(static_cast<std::uint64_t>(index) * 7919 + byte)));
    }
  }
  return images;
}

TEST(Batches, are_normalised_channels_last_and_in_the_order_asked_for) {
  const ImageShape shape{3, 5, 4};
  const ImageSet images = numbered_images(50, shape);
  const ChannelStatistics statistics = channel_statistics(images, 3);
  const Batches batches(images, shape, statistics, torch::kCPU);
  const auto all = batches.slice(0, 50);
  EXPECT_TRUE(all.images.is_contiguous(torch::MemoryFormat::ChannelsLast));
  EXPECT_LT(all.images.mean({0, 2, 3}).abs().max().item<double>(), 1e-5);
  EXPECT_LT((all.images.std(c10::IntArrayRef{0, 2, 3}, false) - 1).abs().max().item<double>(), 1e-4);
  const double byte = images.pixels[(7 * 20 + 6) * 3 + 2];  // image 7, row 1, column 2, channel 2
  EXPECT_NEAR(all.images.index({7, 2, 1, 2}).item<double>(),
              (byte / 255 - statistics.mean[2]) / statistics.deviation[2], 1e-5);
  const auto some = batches.take(torch::tensor({7, 3}, torch::kInt64), nullptr);
  EXPECT_TRUE(torch::equal(some.images[0], all.images[7]));
  EXPECT_EQ(some.labels[1].item<std::int64_t>(), 3);
}

TEST(Batches, augmented_images_are_shifted_and_mirrored_copies) {
  const ImageShape shape{1, 9, 9};
  ImageSet images{std::vector<std::uint8_t>(81, 0), {0}};
  images.pixels[4 * 9 + 1] = 200;  // one light, off the middle
  const Batches batches(images, shape, {{0}, {1.0 / 255}}, torch::kCPU);
  Random random(3);
  std::set<std::pair<std::int64_t, std::int64_t>> places;
  for (int draw = 0; draw < 2000; ++draw) {
    const auto image = batches.take(torch::tensor({0}, torch::kInt64), &random).images[0][0];
    const auto lights = image.nonzero();
    ASSERT_LE(lights.size(0), 1);
    if (lights.size(0) == 1) {
      EXPECT_FLOAT_EQ(image.max().item<float>(), 200);
      places.insert({lights[0][0].item<std::int64_t>(), lights[0][1].item<std::int64_t>()});
    }
  }
  // Rows 0 to 8; columns up to 5 unmirrored, from 3 on mirrored: every place of the image.
  EXPECT_EQ(places.size(), 81U);
}

TEST(Batches, a_light_in_the_middle_is_never_shifted_or_mirrored_out) {
  const ImageShape shape{1, 9, 9};
  ImageSet images{std::vector<std::uint8_t>(81, 0), {0}};
  images.pixels[4 * 9 + 4] = 200;
  const Batches batches(images, shape, {{0}, {1.0 / 255}}, torch::kCPU);
  Random random(3);
  for (int draw = 0; draw < 500; ++draw) {
    ASSERT_EQ(batches.take(torch::tensor({0}, torch::kInt64), &random).images.nonzero().size(0), 1);
  }
}

TEST(Classification, scores_are_means_over_images_however_they_are_batched) {
  class Fixed final : public Model {
   public:
    torch::Tensor forward(torch::Tensor images) override {
      return torch::one_hot(torch::zeros({images.size(0)}, torch::kInt64), 10).to(torch::kFloat32);
    }
  };
  const ImageShape shape{1, 2, 2};
  const ImageSet images = numbered_images(333, shape);
  const Batches batches(images, shape, {{0}, {1}}, torch::kCPU);
  Classification task(std::make_shared<Fixed>(), default_hyperparameters(), torch::kCPU);
  const Scores scores = task.evaluate(batches, [] { return false; });
  EXPECT_NEAR(scores.accuracy, 34.0 / 333, 1e-12);
  const double right = -std::log(std::exp(1.0) / (std::exp(1.0) + 9));
  EXPECT_NEAR(scores.loss, (34 * right + 299 * (right + 1)) / 333, 1e-6);
}

/// Two classes that a glance tells apart; `unseen` validates and tests.
struct Toy {
  ImageShape shape{1, 12, 12};
  ImageSet images, unseen;
  Toy() {
    for (int index = 0; index < 40; ++index) {
      images.labels.push_back(index % 2);
      images.pixels.insert(images.pixels.end(), 144, index % 2 == 1 ? 250 : 5);
    }
    unseen = images;
  }
  Outcome run(
      Hyperparameters values, const std::function<bool()>& stop_requested = [] { return false; },
      std::uint64_t seed = 1) {
    torch::manual_seed(1);
    const auto model = make_lenet5({shape, 2, 0});
    Classification task(model, values, torch::kCPU);
    const ChannelStatistics statistics = channel_statistics(images, 1);
    const Batches seen(images, shape, statistics, torch::kCPU), others(unseen, shape, statistics, torch::kCPU);
    EventLog events = *EventLog::open(nullptr);
    return train(task, {seen, others, others}, values,
                 {events, seed, torch::kCPU, stop_requested, [](const EpochScores&) {}});
  }
};

TEST(Loop, learns_what_is_easy) {
  Hyperparameters values = default_hyperparameters();
  values.batch_size = 8;
  const Outcome outcome = Toy().run(values);
  EXPECT_EQ(outcome.status, "completed");
  EXPECT_EQ(outcome.epochs.size(), 6U);
  EXPECT_EQ(outcome.test->accuracy, 1);
}

TEST(Loop, the_seed_decides_the_order_of_images) {
  Hyperparameters values = default_hyperparameters();
  values.batch_size = 8;
  values.epochs = 1;
  const auto loss = [&values](std::uint64_t seed) {
    return Toy()
        .run(
            values, [] { return false; }, seed)
        .epochs.front()
        .validation.loss;
  };
  EXPECT_EQ(loss(1), loss(1));
  EXPECT_NE(loss(1), loss(2));
}

TEST(Loop, stops_early_after_as_many_epochs_without_a_better_one_as_patience_says) {
  Hyperparameters values = default_hyperparameters();
  values.epochs = 50;
  values.patience = 3;
  values.learning_rate = 1e-12;  // nothing ever gets better than the first epoch
  const Outcome outcome = Toy().run(values);
  EXPECT_EQ(outcome.status, "early_stopped");
  EXPECT_EQ(outcome.epochs.size(), 4U);
  EXPECT_EQ(outcome.code, ExitCode::kDone);
  EXPECT_TRUE(outcome.test);
}

TEST(Loop, a_loss_that_is_not_finite_ends_it_as_diverged) {
  Hyperparameters values = default_hyperparameters();
  values.learning_rate = 1000;
  values.weight_decay = 10;  // parameters grow ten thousandfold a step
  values.batch_size = 2;
  const Outcome outcome = Toy().run(values);
  EXPECT_EQ(outcome.status, "diverged");
  EXPECT_EQ(outcome.code, ExitCode::kDiverged);
  EXPECT_FALSE(outcome.test);
}

TEST(Loop, ends_within_a_step_when_asked_to) {
  Hyperparameters values = default_hyperparameters();
  values.batch_size = 1;
  int asked = 0;
  const Outcome outcome = Toy().run(values, [&asked] { return ++asked > 3; });
  EXPECT_EQ(outcome.code, ExitCode::kInterrupted);
  EXPECT_TRUE(outcome.epochs.empty());
  EXPECT_EQ(asked, 4);
}

TEST(Loop, restore_best_tests_the_best_epoch) {
  Hyperparameters values = default_hyperparameters();
  values.batch_size = 8;
  values.learning_rate = 0.005;
  values.epochs = 40;
  Toy toy;
  for (std::int64_t& label : toy.unseen.labels) {
    label = 1 - label;  // the better it learns, the worse it does in validation and test
  }
  const Outcome last = toy.run(values);
  values.restore_best = true;
  const Outcome best = toy.run(values);
  EXPECT_EQ(last.test->accuracy, 0);
  EXPECT_EQ(best.epochs.back().validation.accuracy, 0);
  EXPECT_EQ(best.test->accuracy, 0.5);
}

}  // namespace
}  // namespace wattle::trainer
