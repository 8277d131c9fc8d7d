#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "../compat.h"
#include "../freezing.h"
#include "../loop.h"
#include "../models/model.h"
#include "../progress.h"
#include "../summary.h"

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

TEST(ResNet18, has_torchvisions_11689512_parameters_for_1000_classes) {
  const ImageShape image{3, 64, 64};
  EXPECT_EQ(summarise(*make_resnet18({image, 1000}), image).parameters, 11'689'512);
}

TEST(MobileNetV2, has_torchvisions_parameters_and_the_papers_300_million_multiply_adds) {
  const ImageShape image{3, 224, 224};
  const Summary summary = summarise(*make_mobilenet_v2({image, 1000}), image);
  EXPECT_EQ(summary.parameters, 3'504'872);
  EXPECT_NEAR(summary.gflops, 0.6016, 0.0005);
  EXPECT_EQ(summarise(*make_mobilenet_v2({image, 1000, 0, 0.5}), image).parameters, 1'968'680);
}

/// Images of that kind's sort: pairs stand behind each other in the channels.
ImageShape image_for(const ModelKind& kind, std::int64_t channels, std::int64_t height, std::int64_t width) {
  return {kind.task == "verification" ? 2 * channels : channels, height, width};
}

TEST(Models, accept_grey_and_colour_of_every_size_from_their_smallest_on) {
  for (const ModelKind& kind : model_kinds()) {
    for (const std::int64_t channels : {1, 3}) {
      for (const std::int64_t side : {kind.smallest_side, kind.smallest_side + 1, std::int64_t{40}}) {
        const ImageShape image = image_for(kind, channels, side, side + 3);
        const auto model = kind.make({image, 7});
        model->eval();
        const auto scores = model->forward(torch::zeros({2, image.channels, side, side + 3}));
        EXPECT_EQ(scores.sizes(), (torch::IntArrayRef{2, kind.task == "verification" ? 1 : 7})) << kind.name << side;
      }
    }
  }
}

TEST(Models, width_changes_hidden_layers_and_not_what_they_answer) {
  for (const ModelKind& kind : model_kinds()) {
    const ImageShape image = image_for(kind, kind.usual_channels, 32, 32);
    const auto narrow = kind.make({image, 10, 0, 0.5}), wide = kind.make({image, 10, 0, 2});
    const std::int64_t few = summarise(*narrow, image).parameters, many = summarise(*wide, image).parameters;
    EXPECT_EQ(few < many, kind.name != "logistic") << kind.name;  // which has no hidden layer
  }
}

TEST(Models, the_summary_lists_every_layer_that_has_parameters) {
  for (const ModelKind& kind : model_kinds()) {
    const ImageShape image = image_for(kind, kind.usual_channels, 32, 32);
    const auto model = kind.make({image, 10});
    std::set<std::string> listed;
    for (const Layer& layer : summarise(*model, image).layers) {
      listed.insert(layer.name);
    }
    EXPECT_EQ(static_cast<std::int64_t>(listed.size()), count_layers(*model)) << kind.name;
  }
}

TEST(TwoHeads, answer_both_tasks_from_one_trunk) {
  const ImageShape image{3, 32, 32};
  const auto& kind = model_kinds()[1];
  const auto model = make_model(kind, {image, 8, 0, 1, 2, 2, 5});
  EXPECT_EQ(model->forward(torch::zeros({2, 3, 32, 32})).sizes(), (torch::IntArrayRef{2, 13}));
  EXPECT_EQ(count_layers(*model), count_layers(*make_model(kind, {image, 8})) + 1);
  EXPECT_TRUE(model->is_head("second.weight"));
  EXPECT_TRUE(model->is_head("trunk.output.weight"));
  EXPECT_FALSE(model->is_head("trunk.conv.weight"));
}

TEST(Freezing, leaves_the_last_layer_alone_to_learn) {
  const auto model = make_resnet18({{3, 32, 32}, 10});
  EXPECT_EQ(Freezing(*model, 0, true).learning().size(), 2U);
  EXPECT_EQ(Freezing(*model, 0, false).learning().size(), model->parameters().size());
  EXPECT_EQ(Freezing(*model, 2, false).learning().size(),
            model->parameters().size() - 3);  // a convolution and its norm
}

TEST(Freezing, keeps_the_statistics_of_frozen_norms) {
  const auto model = make_resnet20({{3, 16, 16}, 10});
  const auto before = model->named_buffers()["norm.running_mean"].clone();
  const Freezing frozen(*model, 0, true);
  frozen.train();
  static_cast<void>(model->forward(torch::rand({4, 3, 16, 16})));
  EXPECT_TRUE(torch::equal(model->named_buffers()["norm.running_mean"], before));
  const Freezing thawed(*model, 0, false);
  thawed.train();
  static_cast<void>(model->forward(torch::rand({4, 3, 16, 16})));
  EXPECT_FALSE(torch::equal(model->named_buffers()["norm.running_mean"], before));
}

TEST(Models, dropout_changes_training_and_not_evaluation) {
  for (const ModelKind& kind : model_kinds()) {
    torch::manual_seed(1);
    const ImageShape image = image_for(kind, kind.usual_channels, 32, 32);
    const auto model = kind.make({image, 10, 0.5});
    const auto images = torch::rand({2, image.channels, image.height, image.width});
    model->eval();
    EXPECT_TRUE(torch::equal(model->forward(images), model->forward(images))) << kind.name;
    model->train();
    if (kind.task != "forward_forward") {  // it drops what a layer gets from the one below: seen in its loss alone
      EXPECT_FALSE(torch::equal(model->forward(images), model->forward(images))) << kind.name;
    }
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
  const auto some = batches.take(std::vector<std::int64_t>{7, 3}, {});
  EXPECT_TRUE(torch::equal(some.images[0], all.images[7]));
  EXPECT_EQ(some.labels[0][1].item<std::int64_t>(), 3);
}

/// Where the one light of an image comes to lie, for each of many draws; nothing where it left the image.
std::multiset<std::pair<std::int64_t, std::int64_t>> places(std::int64_t row, std::int64_t column, Draw draw) {
  const ImageShape shape{1, 9, 9};
  ImageSet images{std::vector<std::uint8_t>(81, 0), {0}};
  images.pixels[static_cast<std::size_t>(row * 9 + column)] = 200;
  const Batches batches(images, shape, {{0}, {1.0 / 255}}, torch::kCPU);
  std::multiset<std::pair<std::int64_t, std::int64_t>> all;
  for (draw.seed = 0; draw.seed < 2000; ++draw.seed) {
    const auto image = batches.take(std::vector<std::int64_t>{0}, draw).images[0][0];
    const auto lights = image.nonzero();
    if (lights.size(0) == 1) {
      EXPECT_FLOAT_EQ(image.max().item<float>(), 200);
      all.insert({lights[0][0].item<std::int64_t>(), lights[0][1].item<std::int64_t>()});
    }
  }
  return all;
}

TEST(Batches, augmented_images_are_shifted_and_mirrored_copies) {
  const auto all = places(4, 1, {true, true});
  // Rows 0 to 8; columns up to 5 unmirrored, from 3 on mirrored: every place of the image.
  EXPECT_EQ((std::set<std::pair<std::int64_t, std::int64_t>>(all.begin(), all.end()).size()), 81U);
}

TEST(Batches, a_mirror_alone_shows_an_image_as_it_is_half_of_the_times) {
  const auto all = places(4, 1, {false, true});
  EXPECT_EQ(all.size(), 2000U);
  EXPECT_NEAR(static_cast<double>(all.count({4, 1})), 1000, 100);
  EXPECT_EQ(all.count({4, 1}) + all.count({4, 7}), 2000U);
}

TEST(Batches, a_light_in_the_middle_is_never_shifted_or_mirrored_out) {
  EXPECT_EQ(places(4, 4, {true, true}).size(), 2000U);
}

TEST(Batches, of_pairs_half_are_of_one_class_and_say_so) {
  const ImageShape shape{1, 2, 2};
  const ImageSet images = numbered_images(200, shape);
  const Batches batches(images, shape, {{0}, {1}}, torch::kCPU, true);
  int same = 0;
  for (std::int64_t position = 0; position < 200; ++position) {
    const auto partner = batches.partner_of(position, 5);
    EXPECT_NE(partner.position, position);
    EXPECT_EQ(partner.same, partner.position % 10 == position % 10);
    same += partner.same ? 1 : 0;
  }
  EXPECT_NEAR(same, 100, 30);
  const Batch batch = batches.take(std::vector<std::int64_t>{3}, {false, false, 5});
  const auto partner = batches.partner_of(3, 5);
  const Batches single(images, shape, {{0}, {1}}, torch::kCPU);
  EXPECT_TRUE(torch::equal(batch.images[0][1], single.slice(partner.position, 1).images[0][0]));
}

TEST(Batches, that_lie_on_the_device_are_those_that_the_host_fills) {
  const ImageShape shape{3, 9, 7};
  ImageSet images = numbered_images(60, shape);
  for (const std::int64_t label : images.labels) {
    images.second_labels.push_back(label % 2);
  }
  const ChannelStatistics statistics = channel_statistics(images, 3);
  const auto order = order_of_epoch(60, 3, 1);
  for (const bool pairs : {false, true}) {
    const Batches host(images, shape, statistics, torch::kCPU, pairs, Batches::Place::kHost);
    const Batches device(images, shape, statistics, torch::kCPU, pairs, Batches::Place::kDevice);
    EXPECT_TRUE(host.filled_by_cpu() && !device.filled_by_cpu());
    for (const Draw& draw : {Draw{}, Draw{true, false, 5}, Draw{false, true, 6}, Draw{true, true, 7}}) {
      const Batch left = host.take(std::span(order).first(25), draw),
                  right = device.take(std::span(order).first(25), draw);
      EXPECT_LT((left.images - right.images).abs().max().item<double>(), 1e-6);
      EXPECT_TRUE(right.images.is_contiguous(torch::MemoryFormat::ChannelsLast));
      ASSERT_EQ(left.labels.size(), pairs ? 1U : 2U);
      ASSERT_EQ(right.labels.size(), left.labels.size());
      for (std::size_t set = 0; set < left.labels.size(); ++set) {
        EXPECT_TRUE(torch::equal(left.labels[set], right.labels[set]));
      }
    }
  }
}

TEST(Feed, gives_the_same_batches_ahead_as_in_time) {
  const ImageShape shape{3, 8, 8};
  const Batches batches(numbered_images(50, shape), shape, {{0, 0, 0}, {1, 1, 1}}, torch::kCPU);
  const auto order = order_of_epoch(50, 3, 1);
  const Draw draw{true, true, 9};
  Feed now(batches, order, 8, draw, false), ahead(batches, order, 8, draw, true);
  for (int number = 0; number < 7; ++number) {
    const auto left = now.next(), right = ahead.next();
    ASSERT_TRUE(left && right);
    EXPECT_TRUE(torch::equal(left->tensors[0], right->tensors[0]));
    EXPECT_TRUE(torch::equal(left->tensors[1], right->tensors[1]));
  }
  EXPECT_FALSE(now.next());
  EXPECT_FALSE(ahead.next());
}

TEST(Feed, may_be_left_before_its_end) {
  const ImageShape shape{3, 8, 8};
  const Batches batches(numbered_images(50, shape), shape, {{0, 0, 0}, {1, 1, 1}}, torch::kCPU);
  Feed feed(batches, order_of_epoch(50, 3, 1), 4, {}, true);
  EXPECT_TRUE(feed.next());
}

TEST(Classification, scores_are_means_over_images_however_they_are_batched) {
  class Fixed final : public Model {
   public:
    torch::Tensor features(torch::Tensor images) override { return images; }
    torch::Tensor head(torch::Tensor images) override {
      return torch::one_hot(torch::zeros({images.size(0)}, torch::kInt64), 10).to(torch::kFloat32);
    }
    [[nodiscard]] std::int64_t feature_width() const override { return 1; }
    [[nodiscard]] bool is_head(std::string_view) const override { return false; }
  };
  const ImageShape shape{1, 2, 2};
  const Batches batches(numbered_images(333, shape), shape, {{0}, {1}}, torch::kCPU);
  const auto task = make_task("classification", default_hyperparameters(), 10, 0);
  Replicas replicas(*task, {std::make_shared<Fixed>()}, {torch::kCPU, false, 1});
  const Scores scores = replicas.evaluate(batches, Meter::Detail::kAll, [] { return false; });
  EXPECT_NEAR(scores.accuracy, 34.0 / 333, 1e-12);
  const double right = -std::log(std::exp(1.0) / (std::exp(1.0) + 9));
  EXPECT_NEAR(scores.loss, (34 * right + 299 * (right + 1)) / 333, 1e-6);
  const std::map<std::string, double> more(scores.more.begin(), scores.more.end());
  EXPECT_NEAR(more.at("recall"), 0.1, 1e-12);  // all of class 0, none of the nine others
  EXPECT_NEAR(more.at("auc"), 0.5, 1e-12);     // all images look alike
}

TEST(Replicas, sum_to_the_gradients_of_the_whole_batch) {
  const ImageShape shape{1, 16, 16};
  const Batches batches(numbered_images(50, shape), shape, {{0.5}, {0.3}}, torch::kCPU);
  const auto task = make_task("classification", default_hyperparameters(), 10, 0);
  const auto order = order_of_epoch(50, 1, 1);
  std::vector<std::vector<torch::Tensor>> gradients;
  for (const int count : {1, 3}) {
    torch::manual_seed(1);
    std::vector<std::shared_ptr<Model>> models;
    for (int replica = 0; replica < count; ++replica) {
      models.push_back(make_lenet5({shape, 10}));
    }
    const auto first = models.front();
    Replicas replicas(*task, std::move(models), {torch::kCPU, false, 1});
    Random random(1);
    replicas.add_gradients(batches, order, {true, true, 4}, 1, random);
    auto& all = gradients.emplace_back();
    for (const torch::Tensor& parameter : first->parameters()) {
      all.push_back(parameter.grad().clone());
    }
    EXPECT_GT(replicas.take_training_scores().loss, 0);
  }
  for (std::size_t index = 0; index < gradients[0].size(); ++index) {
    EXPECT_LT((gradients[0][index] - gradients[1][index]).abs().max().item<double>(), 1e-5);
  }
}

/// Stands in for a device's graph: to launch it is to do the recorded work again, on the recording's memory.
class Rerun final : public Graph {
 public:
  Rerun(std::vector<torch::Tensor> parameters, int& launches)
      : parameters_(std::move(parameters)), launches_(launches) {}
  void record(const std::function<void()>& work) override {
    work_ = work;
    work();
    done_ = true;
    for (const torch::Tensor& parameter : parameters_) {
      gradients_.push_back(parameter.grad());
    }
  }
  void launch() override {
    ++launches_;
    if (std::exchange(done_, false)) {
      return;
    }
    std::vector<torch::Tensor> before;
    for (const torch::Tensor& parameter : parameters_) {
      before.push_back(parameter.grad());
      parameter.mutable_grad() = torch::Tensor();
    }
    work_();
    const torch::NoGradGuard no_grad;
    for (std::size_t index = 0; index < parameters_.size(); ++index) {
      gradients_[index].copy_(parameters_[index].grad());
      parameters_[index].mutable_grad() = before[index];
    }
  }

 private:
  std::vector<torch::Tensor> parameters_, gradients_;
  std::function<void()> work_;
  bool done_ = false;
  int& launches_;
};

struct Unrecordable final : Graph {
  void record(const std::function<void()>& work) override {
    work();
    throw std::runtime_error("operation not permitted when stream is capturing");
  }
  void launch() override { FAIL() << "nothing was recorded"; }
};

/// Gradients of steps of 8 and 8, 8 and 8, … and 5 of 53 images, summed step by step; and what the pass scored.
struct Trace {
  std::vector<torch::Tensor> gradients;
  Scores scores;
  std::string refusal;
  Trace(const std::string& task_name, std::int64_t accumulation, Batches::Place place,
        const std::function<std::unique_ptr<Graph>(const Model&)>& make_graph) {
    const ImageShape shape{1, 16, 16};
    const Batches batches(numbered_images(53, shape), shape, {{0.5}, {0.3}}, torch::kCPU, false, place);
    const auto task = make_task(task_name, default_hyperparameters(), 10, 0);
    torch::manual_seed(1);
    const std::shared_ptr<Model> model =
        task_name == "forward_forward" ? make_forward_forward({shape, 10}) : make_lenet5({shape, 10});
    std::function<std::unique_ptr<Graph>()> make = nullptr;
    if (make_graph) {
      make = [&] { return make_graph(*model); };
    }
    Replicas replicas(*task, {model}, {torch::kCPU, false, 1, make});
    Random random(1);
    Feed feed(batches, order_of_epoch(53, 1, 1), 8, {true, true, 4}, false);
    std::int64_t number = 0;
    while (const auto batch = feed.next()) {
      replicas.add_gradients(batches, *batch, 1.0 / static_cast<double>(accumulation), random);
      if (++number % accumulation == 0 || number == feed.count()) {
        for (const torch::Tensor& parameter : model->parameters()) {
          gradients.push_back(parameter.grad().clone());
          parameter.mutable_grad() = torch::Tensor();
        }
      }
    }
    scores = replicas.take_training_scores();
    refusal = replicas.refusal();
  }
};

TEST(RecordedStep, comes_to_the_same_as_one_that_is_not_recorded) {
  for (const char* const task : {"classification", "forward_forward"}) {
    for (const std::int64_t accumulation : {1, 2}) {
      int launches = 0;
      const auto rerun = [&launches](const Model& model) {
        return std::make_unique<Rerun>(model.parameters(), launches);
      };
      const Trace plain(task, accumulation, Batches::Place::kHost, nullptr),
          recorded(task, accumulation, Batches::Place::kDevice, rerun);
      EXPECT_EQ(launches, 3) << "of 7 batches 3 come before the recording, and the last one has another shape";
      EXPECT_EQ(recorded.refusal, "");
      ASSERT_EQ(plain.gradients.size(), recorded.gradients.size());
      for (std::size_t index = 0; index < plain.gradients.size(); ++index) {
        EXPECT_LT((plain.gradients[index] - recorded.gradients[index]).abs().max().item<double>(), 1e-6) << index;
      }
      EXPECT_NEAR(plain.scores.loss, recorded.scores.loss, 1e-6);
      EXPECT_EQ(plain.scores.accuracy, recorded.scores.accuracy);
      EXPECT_EQ(plain.scores.answered, recorded.scores.answered);
    }
  }
}

TEST(RecordedStep, that_cannot_be_recorded_is_computed_operator_by_operator_and_says_why) {
  const Trace plain("classification", 1, Batches::Place::kHost, nullptr),
      refused("classification", 1, Batches::Place::kHost,
              [](const Model&) { return std::make_unique<Unrecordable>(); });
  EXPECT_EQ(refused.refusal, "operation not permitted when stream is capturing");
  for (std::size_t index = 0; index < plain.gradients.size(); ++index) {
    EXPECT_TRUE(torch::equal(plain.gradients[index], refused.gradients[index]));
  }
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
    const auto task = make_task("classification", values, 2, 0);
    Replicas replicas(*task, {make_lenet5({shape, 2})}, {torch::kCPU, false, 1});
    const ChannelStatistics statistics = channel_statistics(images, 1);
    const Batches seen(images, shape, statistics, torch::kCPU), others(unseen, shape, statistics, torch::kCPU);
    EventLog events = *EventLog::open(nullptr);
    return train(replicas, {seen, others, others}, values,
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

TEST(Loop, accumulated_batches_are_one_larger_batch) {
  Hyperparameters values = default_hyperparameters();
  values.epochs = 1;
  values.batch_size = 15;
  const double large = Toy().run(values).epochs.back().validation.loss;
  values.batch_size = 5;
  EXPECT_GT(std::abs(Toy().run(values).epochs.back().validation.loss - large), 1e-4);
  values.accumulation = 3;
  EXPECT_NEAR(Toy().run(values).epochs.back().validation.loss, large, 1e-5);
}

TEST(Loop, with_a_learning_rate_of_0_nothing_is_learned) {
  Hyperparameters values = default_hyperparameters();
  values.learning_rate = 0;
  values.epochs = 2;
  const Outcome outcome = Toy().run(values);
  EXPECT_EQ(outcome.epochs[0].validation.loss, outcome.epochs[1].validation.loss);
}

TEST(Loop, frozen_epochs_come_first_by_their_own_rule) {
  Hyperparameters values = default_hyperparameters();
  values.epochs = 2;
  values.frozen_epochs = 3;
  values.scheduler = "exponential";
  const Outcome outcome = Toy().run(values);
  ASSERT_EQ(outcome.epochs.size(), 5U);
  EXPECT_EQ(outcome.epochs[2].learning_rate, values.frozen_learning_rate);
  EXPECT_EQ(outcome.epochs[3].learning_rate, values.learning_rate);
  EXPECT_EQ(outcome.epochs[4].learning_rate, values.learning_rate * values.gamma);
}

TEST(Progress, survives_being_written_down_to_the_bit) {
  Progress progress{3, 77, {0.1, -std::numeric_limits<double>::infinity(), 3, 1}, {0.25, 2}, {}};
  progress.epochs.push_back({1, {0.1, 0.2, true, {{"f1", 1.0 / 3}}}, {std::nan(""), 0.5, false, {}}, 0.05, 1.5});
  const auto read = parse_progress(to_text(progress));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_text(*read), to_text(progress));
  EXPECT_EQ(read->epochs[0].train.more[0].second, 1.0 / 3);
  EXPECT_FALSE(parse_progress("{}"));
  EXPECT_FALSE(parse_progress("["));
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
