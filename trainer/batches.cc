#include "batches.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <numeric>
#include <thread>

#include "cuda.h"

namespace wattle::trainer {
namespace {

constexpr std::int64_t kLargestShift = 4;
constexpr std::uint64_t kPartnerSeed = 0x70'61'69'72;  // "pair": of pairs that do not change
constexpr std::size_t kBatchesAhead = 2;

/// Where an image comes from, and how it lies: columns of the table that a device gathers by. Where nothing is shifted
/// or mirrored it has the first alone.
constexpr std::int64_t kPlainColumns = 1, kShiftedColumns = 4;

}  // namespace

Batches::Batches(ImageSet images, const ImageShape& shape, const ChannelStatistics& statistics, torch::Device device,
                 bool pairs, Place place)
    : images_(std::make_shared<const ImageSet>(std::move(images))), shape_(shape), device_(device), pairs_(pairs) {
  for (std::int64_t column = 0; column < shape.width; ++column) {
    for (std::size_t channel = 0; channel < statistics.mean.size(); ++channel) {
      scale_.push_back(static_cast<float>(1 / (255 * statistics.deviation[channel])));
      shift_.push_back(static_cast<float>(-statistics.mean[channel] / statistics.deviation[channel]));
    }
  }
  for (std::int64_t position = 0; pairs && position < size(); ++position) {
    const auto label = static_cast<std::size_t>(images_->labels[static_cast<std::size_t>(position)]);
    classes_.resize(std::max(classes_.size(), label + 1));
    classes_[label].push_back(position);
  }
  std::erase_if(classes_, [](const auto& members) { return members.empty(); });
  // Half of what is free: the rest is for activations, whose size only the first steps tell.
  const auto fits = [&] { return !device.is_cpu() && images_->pixels.size() < free_device_memory().value_or(0) / 2; };
  if (place == Place::kDevice || (place == Place::kWhereItFits && fits())) {
    resident_ = torch::from_blob(const_cast<std::uint8_t*>(images_->pixels.data()),
                                 {size(), shape.height, shape.width, shape.channels}, torch::kUInt8)
                    .to(device);
    row_scale_ = torch::tensor(scale_).narrow(0, 0, shape.channels).to(device);
    row_shift_ = torch::tensor(shift_).narrow(0, 0, shape.channels).to(device);
  }
}

Batches::Partner Batches::partner_of(std::int64_t position, std::uint64_t seed) const {
  Random random(mix(seed ^ kPartnerSeed) + static_cast<std::uint64_t>(position));
  const std::int64_t label = images_->labels[static_cast<std::size_t>(position)];
  const auto is_own = [this, label](const auto& members) {
    return images_->labels[static_cast<std::size_t>(members.front())] == label;
  };
  const auto own = static_cast<std::size_t>(std::find_if(classes_.begin(), classes_.end(), is_own) - classes_.begin());
  const bool same = classes_.size() < 2 || random.below(2) == 1;
  const std::size_t chosen =
      same ? own : (own + 1 + static_cast<std::size_t>(random.below(classes_.size() - 1))) % classes_.size();
  const auto& members = classes_[chosen];
  std::size_t index = static_cast<std::size_t>(random.below(members.size()));
  if (members[index] == position) {  // a class of one image is paired with itself
    index = (index + 1) % members.size();
  }
  return {members[index], same};
}

Batches::Source Batches::source_of(std::int64_t position, std::int64_t which, const Draw& draw) const {
  Source source{position};
  if (draw.shift || draw.mirror) {
    Random random(mix(draw.seed + static_cast<std::uint64_t>(which)) + static_cast<std::uint64_t>(position));
    const auto shift = [&random] { return static_cast<std::int64_t>(random.below(2 * kLargestShift + 1)); };
    const std::int64_t down = shift() - kLargestShift, right = shift() - kLargestShift;
    source = {position, draw.shift ? down : 0, draw.shift ? right : 0, draw.mirror && random.below(2) == 1};
  }
  return source;
}

Prepared Batches::prepare(std::span<const std::int64_t> positions, const Draw& draw) const {
  std::vector<Source> sources;
  LabelSets labels(static_cast<std::size_t>(label_sets()));
  sources.reserve(positions.size() * static_cast<std::size_t>(per_image()));
  for (const std::int64_t position : positions) {
    const auto at = static_cast<std::size_t>(position);
    sources.push_back(source_of(position, 0, draw));
    if (pairs_) {
      const Partner partner = partner_of(position, draw.seed);
      sources.push_back(source_of(partner.position, 1, draw));
      labels[0].push_back(partner.same ? 1 : 0);
    } else {
      labels[0].push_back(images_->labels[at]);
      if (labels.size() > 1) {
        labels[1].push_back(images_->second_labels[at]);
      }
    }
  }
  const auto size = static_cast<std::int64_t>(positions.size());
  if (filled_by_cpu()) {
    return {filled(sources, labels), size};
  }
  return {{table(sources, labels, draw.shift || draw.mirror)}, size};
}

Batch Batches::finish(const std::vector<torch::Tensor>& tensors) const {
  const auto sets = static_cast<std::size_t>(label_sets());
  if (filled_by_cpu()) {
    return {tensors[0], {tensors.begin() + 1, tensors.begin() + 1 + static_cast<std::ptrdiff_t>(sets)}};
  }
  const torch::Tensor& table = tensors[0];
  Batch batch;
  for (std::int64_t set = 0; set < label_sets(); ++set) {  // both images of a pair have the pair's label
    batch.labels.push_back(table.select(1, set).slice(0, 0, table.size(0), per_image()).contiguous());
  }
  batch.images = gathered(table.narrow(1, label_sets(), table.size(1) - label_sets()));
  return batch;
}

Batch Batches::take(std::span<const std::int64_t> positions, const Draw& draw) const {
  std::vector<torch::Tensor> tensors = prepare(positions, draw).tensors;
  for (torch::Tensor& tensor : tensors) {
    tensor = tensor.to(device_, /*non_blocking=*/true);
  }
  return finish(tensors);
}

Batch Batches::slice(std::int64_t first, std::int64_t count) const {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), first);
  return take(positions, {});
}

torch::TensorOptions Batches::host_options(torch::ScalarType type) const {
  return torch::TensorOptions(type).pinned_memory(!device_.is_cpu());
}

/// From bytes to a part of a batch: shifted, mirrored and normalised in one pass. What comes in from outside is black.
void Batches::fill(const Source& source, float* to, std::int64_t channels_apart) const {
  const std::int64_t channels = shape_.channels, width = shape_.width;
  const std::uint8_t* const from = images_->pixels.data() + static_cast<std::size_t>(source.position) * shape_.bytes();
  for (std::int64_t row = 0; row < shape_.height; ++row) {
    float* const out = to + row * width * channels_apart;
    const std::int64_t source_row = row + source.down;
    const bool inside = source_row >= 0 && source_row < shape_.height;
    const std::uint8_t* const in = from + source_row * width * channels;
    if (inside && source.right == 0 && !source.mirrored && channels_apart == channels) {
      for (std::int64_t value = 0; value < width * channels; ++value) {
        out[value] = static_cast<float>(in[value]) * scale_[static_cast<std::size_t>(value)] +
                     shift_[static_cast<std::size_t>(value)];
      }
      continue;
    }
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t from_column = (source.mirrored ? width - 1 - column : column) + source.right;
      const bool seen = inside && from_column >= 0 && from_column < width;
      for (std::int64_t channel = 0; channel < channels; ++channel) {
        const auto value = static_cast<float>(seen ? in[from_column * channels + channel] : 0);
        out[column * channels_apart + channel] =
            value * scale_[static_cast<std::size_t>(channel)] + shift_[static_cast<std::size_t>(channel)];
      }
    }
  }
}

std::vector<torch::Tensor> Batches::filled(std::span<const Source> sources, const LabelSets& labels) const {
  const auto count = static_cast<std::int64_t>(sources.size()) / per_image();
  const std::int64_t channels = shape_.channels * per_image();
  std::vector<torch::Tensor> tensors = {torch::empty({count, channels, shape_.height, shape_.width},
                                                     host_options(torch::kFloat32), torch::MemoryFormat::ChannelsLast)};
  float* const values = tensors[0].data_ptr<float>();
  const std::int64_t size = channels * shape_.height * shape_.width;
  for (std::size_t index = 0; index < sources.size(); ++index) {
    const auto image = static_cast<std::int64_t>(index) / per_image(),
               which = static_cast<std::int64_t>(index) % per_image();
    fill(sources[index], values + image * size + which * shape_.channels, channels);
  }
  for (const auto& own : labels) {
    tensors.push_back(torch::empty({count}, host_options(torch::kInt64)));
    std::copy(own.begin(), own.end(), tensors.back().data_ptr<std::int64_t>());
  }
  return tensors;
}

/// One row an image: its labels, then its source.
torch::Tensor Batches::table(std::span<const Source> sources, const LabelSets& labels, bool shifted) const {
  const auto rows = static_cast<std::int64_t>(sources.size());
  const std::int64_t columns = label_sets() + (shifted ? kShiftedColumns : kPlainColumns);
  torch::Tensor table = torch::empty({rows, columns}, host_options(torch::kInt64));
  auto* to = table.data_ptr<std::int64_t>();
  for (std::size_t row = 0; row < sources.size(); ++row) {
    for (const auto& own : labels) {
      *to++ = own[row / static_cast<std::size_t>(per_image())];
    }
    const Source& source = sources[row];
    *to++ = source.position;
    if (shifted) {
      *to++ = source.down;
      *to++ = source.right;
      *to++ = source.mirrored ? 1 : 0;
    }
  }
  return table;
}

/// What `filled` does, by the device's operators, from images that lie there.
torch::Tensor Batches::gathered(const torch::Tensor& sources) const {
  const std::int64_t count = sources.size(0);
  torch::Tensor bytes = resident_.index_select(0, sources.select(1, 0));
  if (sources.size(1) == kShiftedColumns) {
    const auto options = torch::TensorOptions(torch::kInt64).device(device_);
    const torch::Tensor column = torch::arange(shape_.width, options).unsqueeze(0);
    const torch::Tensor mirrored = sources.narrow(1, 3, 1) * (shape_.width - 1 - 2 * column);
    const torch::Tensor columns = sources.narrow(1, 2, 1) + kLargestShift + column + mirrored;
    const torch::Tensor rows = sources.narrow(1, 1, 1) + kLargestShift + torch::arange(shape_.height, options);
    const torch::Tensor padded =
        torch::constant_pad_nd(bytes, {0, 0, kLargestShift, kLargestShift, kLargestShift, kLargestShift});
    bytes = padded.index({torch::arange(count, options).view({count, 1, 1}), rows.unsqueeze(2), columns.unsqueeze(1)});
  }
  // Channels stand last in memory already, so this permutation is a channels_last tensor and copies nothing.
  const torch::Tensor images = bytes.to(torch::kFloat32).mul_(row_scale_).add_(row_shift_).permute({0, 3, 1, 2});
  if (per_image() == 1) {
    return images;
  }
  const auto every = [&images, count](std::int64_t first) { return images.slice(0, first, count, 2); };
  return torch::cat({every(0), every(1)}, 1).contiguous(torch::MemoryFormat::ChannelsLast);
}

/// Fills batches on a thread of its own, a few before they are asked for.
class Feed::Ahead {
 public:
  explicit Ahead(const Feed& feed) : thread_([this, &feed](const std::stop_token& stop) { work(feed, stop); }) {}
  ~Ahead() {
    thread_.request_stop();
    changed_.notify_all();
  }
  Ahead(const Ahead&) = delete;
  Ahead& operator=(const Ahead&) = delete;

  Prepared pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ready_.empty() || problem_; });
    if (ready_.empty()) {
      std::rethrow_exception(problem_);
    }
    Prepared batch = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return batch;
  }

 private:
  void work(const Feed& feed, const std::stop_token& stop) {
    try {
      for (std::int64_t number = 0; number < feed.count(); ++number) {
        {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [&] { return stop.stop_requested() || ready_.size() < kBatchesAhead; });
        }
        if (stop.stop_requested()) {
          return;
        }
        Prepared batch = feed.prepare(number);
        const std::lock_guard lock(mutex_);
        ready_.push_back(std::move(batch));
        changed_.notify_all();
      }
    } catch (...) {  // told to who waits for the batch
      const std::lock_guard lock(mutex_);
      problem_ = std::current_exception();
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Prepared> ready_;
  std::exception_ptr problem_;
  std::jthread thread_;  // last: the others are there before it begins and after it ends
};

Feed::Feed(const Batches& batches, std::vector<std::int64_t> order, std::int64_t batch_size, const Draw& draw,
           bool ahead)
    : batches_(batches), order_(std::move(order)), batch_size_(batch_size), draw_(draw) {
  if (ahead && batches.filled_by_cpu()) {
    ahead_ = std::make_unique<Ahead>(*this);
  }
}

Feed::~Feed() = default;

std::int64_t Feed::count() const { return (static_cast<std::int64_t>(order_.size()) + batch_size_ - 1) / batch_size_; }

Prepared Feed::prepare(std::int64_t number) const {
  const auto first = static_cast<std::size_t>(number * batch_size_);
  const auto size = std::min(static_cast<std::size_t>(batch_size_), order_.size() - first);
  return batches_.prepare(std::span(order_).subspan(first, size), draw_);
}

std::optional<Prepared> Feed::next() {
  if (next_ == count()) {
    return std::nullopt;
  }
  ++next_;
  return ahead_ ? ahead_->pop() : prepare(next_ - 1);
}

std::vector<std::int64_t> order_of_epoch(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  Random random(mix(seed) + static_cast<std::uint64_t>(epoch));
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  shuffle(std::span(order), random);
  return order;
}

Draw draw_of_epoch(const Hyperparameters& values, std::uint64_t seed, std::int64_t epoch) {
  const std::string& kind = values.augmentation;
  return {kind == "crop" || kind == "crop_flip", kind == "flip" || kind == "crop_flip",
          mix(mix(seed) + static_cast<std::uint64_t>(epoch))};
}

}  // namespace wattle::trainer
