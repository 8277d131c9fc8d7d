#include <algorithm>
#include <cmath>

#include "task.h"

namespace wattle::trainer {
namespace {

torch::TensorOptions whole_numbers(torch::Device device) { return torch::TensorOptions(torch::kInt64).device(device); }

/// The class with the largest score; of one column, whether it is above 0.
std::int64_t answer(const float* row, std::int64_t columns) {
  if (columns == 1) {
    return row[0] > 0 ? 1 : 0;
  }
  return std::max_element(row, row + columns) - row;
}

template <typename Value>
void move_to_end(std::vector<Value>& to, std::vector<Value>& from) {
  to.insert(to.end(), from.begin(), from.end());
  from.clear();
}

/// log sum exp of each row: what makes scores of different images comparable, as softmax does.
std::vector<float> log_sums(const std::vector<float>& scores, std::size_t columns) {
  std::vector<float> sums;
  for (std::size_t begin = 0; begin < scores.size(); begin += columns) {
    const auto row = scores.begin() + static_cast<std::ptrdiff_t>(begin);
    const float largest = *std::max_element(row, row + static_cast<std::ptrdiff_t>(columns));
    double sum = 0;
    for (std::size_t column = 0; column < columns; ++column) {
      sum += std::exp(static_cast<double>(scores[begin + column] - largest));
    }
    sums.push_back(largest + static_cast<float>(std::log(sum)));
  }
  return sums;
}

}  // namespace

Meter::Meter(const std::vector<Head>& heads, torch::Device device, Detail detail)
    : heads_(heads),
      device_(device),
      detail_(detail),
      loss_sum_(torch::zeros({}, torch::TensorOptions(torch::kFloat64).device(device))) {
  for (const Head& head : heads) {
    const std::int64_t classes = std::max<std::int64_t>(head.classes, 2);
    const std::int64_t cells = detail == Detail::kPlain ? 2 : classes * classes;
    counts_.push_back({classes, torch::zeros({cells}, whole_numbers(device)), {}, {}, {}, {}});
  }
}

bool Meter::keeps_scores(const Counts& counts) const {
  return detail_ == Detail::kAll || (detail_ == Detail::kRates && counts.classes == 2);
}

void Meter::add(const Judgement& judgement) {
  sum(judgement);
  count(judgement.labels[0].size(0), !judgement.scores.empty());
}

void Meter::count(std::int64_t images, bool answered) {
  seen_ += images;
  answered_ += answered ? images : 0;
}

void Meter::sum(const Judgement& judgement) {
  const torch::NoGradGuard no_grad;
  const std::int64_t images = judgement.labels[0].size(0);
  if (device_.is_cpu()) {
    loss_ += judgement.loss.item<double>() * static_cast<double>(images);
  } else {
    loss_sum_.add_(judgement.loss.detach(), static_cast<double>(images));
  }
  for (std::size_t head = 0; head < judgement.scores.size(); ++head) {
    add_head(counts_[head], judgement.scores[head].detach(), judgement.labels[head]);
  }
}

void Meter::add_head(Counts& counts, const torch::Tensor& scores, const torch::Tensor& labels) {
  if (device_.is_cpu()) {
    count_on_cpu(counts, scores.contiguous(), labels);
    return;
  }
  const torch::Tensor answers = scores.size(1) == 1 ? scores.select(1, 0).gt(0).to(torch::kInt64) : scores.argmax(1);
  const torch::Tensor cells =
      detail_ == Detail::kPlain ? answers.eq(labels).to(torch::kInt64) : labels * counts.classes + answers;
  counts.confusion.scatter_add_(0, cells, torch::ones_like(cells));
  if (keeps_scores(counts)) {
    counts.kept.insert(counts.kept.end(), {scores, labels});
  }
}

void Meter::count_on_cpu(Counts& counts, const torch::Tensor& scores, const torch::Tensor& labels) const {
  const std::int64_t columns = scores.size(1);
  const float* row = scores.data_ptr<float>();
  const auto* label = labels.data_ptr<std::int64_t>();
  auto* const cells = counts.confusion.data_ptr<std::int64_t>();
  for (std::int64_t image = 0; image < scores.size(0); ++image, row += columns, ++label) {
    const std::int64_t given = answer(row, columns);
    ++cells[detail_ == Detail::kPlain ? (given == *label ? 1 : 0) : *label * counts.classes + given];
    if (keeps_scores(counts)) {
      counts.scores.insert(counts.scores.end(), row, row + columns);
      counts.labels.push_back(*label);
    }
  }
}

void Meter::add(Meter& other) {
  loss_ += std::exchange(other.loss_, 0);
  loss_sum_.add_(other.loss_sum_);
  other.loss_sum_.zero_();
  for (std::size_t head = 0; head < counts_.size(); ++head) {
    counts_[head].confusion.add_(other.counts_[head].confusion);
    other.counts_[head].confusion.zero_();
    move_to_end(counts_[head].kept, other.counts_[head].kept);
    move_to_end(counts_[head].scores, other.counts_[head].scores);
    move_to_end(counts_[head].labels, other.counts_[head].labels);
  }
  seen_ += std::exchange(other.seen_, 0);
  answered_ += std::exchange(other.answered_, 0);
}

Scores Meter::take() {
  const auto seen = static_cast<double>(std::max<std::int64_t>(seen_, 1));
  Scores scores;
  scores.answered = answered_ > 0;
  scores.loss = (loss_ + (device_.is_cpu() ? 0 : loss_sum_.item<double>())) / seen;
  std::vector<double> accuracies;
  for (Counts& counts : counts_) {
    counts.taken = counts.confusion.cpu();
    const auto* cells = counts.taken.data_ptr<std::int64_t>();
    std::int64_t right = detail_ == Detail::kPlain ? cells[1] : 0;
    for (std::int64_t one = 0; detail_ != Detail::kPlain && one < counts.classes; ++one) {
      right += cells[one * (counts.classes + 1)];
    }
    accuracies.push_back(static_cast<double>(right) / seen);
    scores.accuracy += accuracies.back() / static_cast<double>(counts_.size());
  }
  for (std::size_t head = 0; head < counts_.size(); ++head) {
    const std::string ending = heads_[head].name.empty() ? "" : "_" + heads_[head].name;
    if (counts_.size() > 1) {
      scores.more.emplace_back("accuracy" + ending, accuracies[head]);
    }
    if (detail_ != Detail::kPlain) {
      describe(ending, counts_[head], scores);
    }
    counts_[head].confusion.zero_();
  }
  loss_sum_.zero_();
  loss_ = 0;
  seen_ = answered_ = 0;
  return scores;
}

/// Yes or no: of the class 1. Several classes: macro.
void Meter::describe(const std::string& ending, Counts& counts, Scores& scores) const {
  for (std::size_t kept = 0; kept + 1 < counts.kept.size(); kept += 2) {
    const torch::Tensor values = counts.kept[kept].cpu().contiguous(), labels = counts.kept[kept + 1].cpu();
    counts.scores.insert(counts.scores.end(), values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
    counts.labels.insert(counts.labels.end(), labels.data_ptr<std::int64_t>(),
                         labels.data_ptr<std::int64_t>() + labels.numel());
  }
  const auto* cells = counts.taken.data_ptr<std::int64_t>();
  const Confusion confusion{counts.classes, {cells, cells + counts.classes * counts.classes}};
  const Rates rates = counts.classes == 2 ? rates_of(confusion, 1) : macro_rates(confusion);
  scores.more.emplace_back("precision" + ending, rates.precision);
  scores.more.emplace_back("recall" + ending, rates.recall);
  scores.more.emplace_back("f1" + ending, rates.f1);
  if (counts.classes == 2) {
    scores.more.emplace_back("f1_macro" + ending, macro_rates(confusion).f1);
  }
  const std::size_t images = counts.labels.size();
  const std::size_t columns = images == 0 ? 0 : counts.scores.size() / images;
  std::vector<float> ranks(images);
  std::vector<char> positive(images);
  const std::vector<float> normalisers = columns > 2 ? log_sums(counts.scores, columns) : std::vector<float>();
  double sum = 0, areas = 0;
  for (std::int64_t one = counts.classes == 2 ? 1 : 0; images > 0 && one < counts.classes; ++one) {
    for (std::size_t image = 0; image < images; ++image) {
      const float* row = counts.scores.data() + image * columns;
      ranks[image] = columns == 1 ? row[0] : columns == 2 ? row[1] - row[0] : row[one] - normalisers[image];
      positive[image] = counts.labels[image] == one ? 1 : 0;
    }
    if (const auto area = area_under_curve(ranks, positive)) {
      sum += *area;
      ++areas;
    }
  }
  if (areas > 0) {
    scores.more.emplace_back("auc" + ending, sum / areas);
  }
  counts.scores.clear();
  counts.labels.clear();
  counts.kept.clear();
}

}  // namespace wattle::trainer
