#include "replicas.h"

#include <algorithm>

#include "compat.h"

namespace wattle::trainer {
namespace {

/// Images that are judged at once. A device of thousands of cores wants more at a time, if they are small.
std::int64_t evaluation_batch(const Batches& images, torch::Device device) {
  constexpr std::int64_t kLeast = 250, kBytes = std::int64_t{1} << 23U;
  return device.is_cpu() ? kLeast : std::max(kLeast, kBytes / static_cast<std::int64_t>(images.bytes_per_image()));
}

}  // namespace

Replicas::Replicas(const Task& task, std::vector<std::shared_ptr<Model>> models, const Setting& setting)
    : task_(task),
      models_(std::move(models)),
      setting_(setting),
      step_(setting.make_graph, setting.device),
      learning_(models_.front()->parameters()),
      problems_(models_.size()),
      begin_(static_cast<std::ptrdiff_t>(models_.size())),
      end_(static_cast<std::ptrdiff_t>(models_.size())) {
  const std::vector<torch::Tensor> shared = models_.front()->parameters();
  for (std::size_t replica = 0; replica < models_.size(); ++replica) {
    meters_.emplace_back(task.heads(), setting.device, Meter::Detail::kPlain);
    std::vector<torch::Tensor> own = models_[replica]->parameters();
    for (std::size_t index = 0; replica > 0 && index < own.size(); ++index) {
      own[index].set_data(shared[index].detach());
    }
  }
  for (std::size_t replica = 1; replica < models_.size(); ++replica) {
    threads_.emplace_back([this, replica] { work(replica); });
  }
}

Replicas::~Replicas() {
  job_ = nullptr;
  if (!threads_.empty()) {
    begin_.arrive_and_wait();
  }
}

void Replicas::work(std::size_t replica) {
  at::set_num_threads(setting_.threads);
  while (true) {
    begin_.arrive_and_wait();
    if (job_ == nullptr) {
      return;
    }
    try {
      (*job_)(replica);
    } catch (...) {  // told on the calling thread
      problems_[replica] = std::current_exception();
    }
    end_.arrive_and_wait();
  }
}

void Replicas::run(const std::function<void(std::size_t)>& job) {
  if (models_.size() == 1) {
    job(0);
    return;
  }
  job_ = &job;
  begin_.arrive_and_wait();
  try {
    job(0);
  } catch (...) {
    problems_[0] = std::current_exception();
  }
  end_.arrive_and_wait();
  for (std::exception_ptr& problem : problems_) {
    if (problem) {
      std::rethrow_exception(std::exchange(problem, nullptr));
    }
  }
}

bool Replicas::judge_part(std::size_t replica, const Batch& batch, double weight) {
  Judgement judgement;
  {
    const Autocast autocast(setting_.low_precision, setting_.device);
    judgement = task_.judge(*models_[replica], batch);
  }
  meters_[replica].sum(judgement);
  (weight == 1 ? judgement.loss : judgement.loss * weight).backward();
  return !judgement.scores.empty();
}

void Replicas::add_gradients(const Batches& images, const Prepared& batch, double weight, Random& random) {
  std::vector<torch::Tensor> inputs = batch.tensors;
  inputs.push_back(task_.draw(batch.size, random));
  step_.run(inputs, weight, learning_, [this, &images](const std::vector<torch::Tensor>& tensors, double share) {
    Batch whole = images.finish(tensors);
    whole.chance = tensors.back();
    answers_ = judge_part(0, whole, share);
  });
  meters_.front().count(batch.size, answers_);
}

void Replicas::begin_stage(std::vector<torch::Tensor> learning) {
  learning_ = std::move(learning);
  step_.forget();
}

void Replicas::add_gradients(const Batches& images, std::span<const std::int64_t> positions, const Draw& draw,
                             double weight, Random& random) {
  const std::uint64_t seed = random.bits();
  const std::size_t count = positions.size(), parts = models_.size();
  run([&](std::size_t replica) {
    for (torch::Tensor& parameter : models_[replica]->parameters()) {
      if (replica > 0) {
        parameter.mutable_grad().reset();
      }
    }
    const std::size_t begin = count * replica / parts, end = count * (replica + 1) / parts;
    if (begin == end) {
      return;
    }
    Random own(seed + replica);
    const double share = weight * static_cast<double>(end - begin) / static_cast<double>(count);
    Batch part = images.take(positions.subspan(begin, end - begin), draw);
    part.chance = task_.draw(part.size(), own);
    meters_[replica].count(part.size(), judge_part(replica, part, share));
  });
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> sums = models_.front()->parameters();
  for (std::size_t replica = 1; replica < parts; ++replica) {
    const std::vector<torch::Tensor> own = models_[replica]->parameters();
    for (std::size_t index = 0; index < sums.size(); ++index) {
      if (own[index].grad().defined() && sums[index].grad().defined()) {
        sums[index].mutable_grad().add_(own[index].grad());
      } else if (own[index].grad().defined()) {
        sums[index].mutable_grad() = own[index].grad().clone();
      }
    }
  }
}

Scores Replicas::take_training_scores() {
  for (std::size_t replica = 1; replica < meters_.size(); ++replica) {
    meters_.front().add(meters_[replica]);
  }
  return meters_.front().take();
}

Scores Replicas::evaluate(const Batches& images, Meter::Detail detail, const std::function<bool()>& stop_requested) {
  std::vector<Meter> meters;
  for (std::size_t replica = 0; replica < models_.size(); ++replica) {
    meters.emplace_back(task_.heads(), setting_.device, detail);
  }
  run([&](std::size_t replica) {
    const torch::NoGradGuard no_grad;
    models_[replica]->eval();
    const std::int64_t batch = evaluation_batch(images, setting_.device);
    const auto step = static_cast<std::int64_t>(models_.size()) * batch;
    for (auto first = static_cast<std::int64_t>(replica) * batch; first < images.size() && !stop_requested();
         first += step) {
      const Autocast autocast(setting_.low_precision, setting_.device);
      meters[replica].add(task_.judge(*models_[replica], images.slice(first, std::min(batch, images.size() - first))));
    }
    models_[replica]->train();
  });
  for (std::size_t replica = 1; replica < meters.size(); ++replica) {
    meters.front().add(meters[replica]);
  }
  return meters.front().take();
}

}  // namespace wattle::trainer
