#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../batches.h"
#include "../metrics.h"

namespace wattle::trainer {

/// What a head of the net answers: `classes` columns of scores, or one column (a logit) for a yes or no.
struct Head {
  std::string name;
  std::int64_t classes = 0;
};

/// What a task makes of a batch: a mean loss, to be differentiated, and for each head its scores (N x columns, float)
/// and the right answers (N), from which accuracies are counted. No scores: it gave no answers.
struct Judgement {
  torch::Tensor loss;
  std::vector<torch::Tensor> scores, labels;
};

/// What is to be learned, as a pure function of model and batch: a task keeps nothing, and threads may share it. In
/// training (as the model knows it is in) labels may be smoothed, and things left to chance.
class Task {
 public:
  virtual ~Task() = default;
  [[nodiscard]] virtual const std::vector<Head>& heads() const = 0;
  /// What `judge` wants as `Batch::chance` of so many images in training; undefined where it leaves nothing to chance.
  [[nodiscard]] virtual torch::Tensor draw(std::int64_t images, Random& random) const;
  /// It asks nothing of the host: what it does on a device can be recorded.
  [[nodiscard]] virtual Judgement judge(Model& model, const Batch& batch) const = 0;
};

/// `name` is a task of the table of hyperparameters, other than auto.
[[nodiscard]] std::unique_ptr<Task> make_task(std::string_view name, const Hyperparameters& values,
                                              std::int64_t classes, std::int64_t second_classes);

/// What one pass over a set came to. Loss and accuracy are means over its images (several heads: accuracy is the mean
/// of theirs); `more` are other metrics by name, in an order that does not change.
struct Scores {
  double loss = 0, accuracy = 0;
  bool answered = true;  ///< false where a task gave no answers, and so has no accuracy: Forward-Forward in training
  std::vector<std::pair<std::string, double>> more;
};

/// Adds up what a pass shows. On the CPU it reads scores where they lie, once, and allocates nothing a batch; on a
/// device sums stay there until `take`, the only synchronisation.
class Meter {
 public:
  enum class Detail {
    kPlain,  ///< loss and accuracy
    kRates,  ///< and precision, recall, F1; the area under the ROC curve of yes or no
    kAll,    ///< and that area of several classes, one against the rest, macro
  };
  Meter(const std::vector<Head>& heads, torch::Device device, Detail detail);

  void add(const Judgement& judgement);
  /// The same in two parts: what happens on the device, which can be recorded, and how many images it was of.
  void sum(const Judgement& judgement);
  void count(std::int64_t images, bool answered);
  /// Adds what another meter has seen, and forgets it there.
  void add(Meter& other);
  /// What the images since the last call came to.
  [[nodiscard]] Scores take();
  [[nodiscard]] std::int64_t seen() const { return seen_; }

 private:
  struct Counts {
    std::int64_t classes;     ///< 2 for one column
    torch::Tensor confusion;  ///< classes x classes on the device; of kPlain two counts: wrong, right
    torch::Tensor taken{};    ///< the same on the host, while `take` reads it; a recorded step adds to the device's
    std::vector<float> scores;
    std::vector<std::int64_t> labels;
    std::vector<torch::Tensor> kept;  ///< of a device: scores and labels by turns
  };
  void add_head(Counts& counts, const torch::Tensor& scores, const torch::Tensor& labels);
  void count_on_cpu(Counts& counts, const torch::Tensor& scores, const torch::Tensor& labels) const;
  [[nodiscard]] bool keeps_scores(const Counts& counts) const;
  void describe(const std::string& ending, Counts& counts, Scores& scores) const;

  const std::vector<Head>& heads_;
  torch::Device device_;
  Detail detail_;
  torch::Tensor loss_sum_;  ///< of a device
  double loss_ = 0;
  std::vector<Counts> counts_;
  std::int64_t seen_ = 0, answered_ = 0;
};

}  // namespace wattle::trainer
