#include "progress.h"

#include <bit>
#include <nlohmann/json.hpp>

namespace wattle::trainer {
namespace {

using Json = nlohmann::ordered_json;

/// Numbers as their bits: JSON has no word for minus infinity, and the same bits are the promise.
Json bits(double number) { return std::bit_cast<std::uint64_t>(number); }
double number(const Json& bits) { return std::bit_cast<double>(bits.get<std::uint64_t>()); }

Json scores_json(const Scores& scores) {
  Json more = Json::array();
  for (const auto& [name, value] : scores.more) {
    more.push_back({name, bits(value)});
  }
  return {
      {"loss", bits(scores.loss)}, {"accuracy", bits(scores.accuracy)}, {"answered", scores.answered}, {"more", more}};
}

Scores parse_scores(const Json& json) {
  Scores scores{number(json.at("loss")), number(json.at("accuracy")), json.at("answered").get<bool>(), {}};
  for (const Json& pair : json.at("more")) {
    scores.more.emplace_back(pair.at(0).get<std::string>(), number(pair.at(1)));
  }
  return scores;
}

}  // namespace

BestEpoch::BestEpoch(const Hyperparameters& values, const torch::nn::Module& model)
    : min_delta_(values.min_delta), patience_(values.patience), keep_(values.restore_best), model_(model) {}

void BestEpoch::look_at(double accuracy) {
  ++epochs_since_;
  if (accuracy > best_ + min_delta_) {
    best_ = accuracy;
    epochs_since_ = 0;
    if (keep_) {
      make_room();
    }
  }
}

void BestEpoch::make_room() {
  kept_.clear();
  for (const auto& [name, tensor] : state_of(model_)) {
    kept_.emplace_back(name, tensor.detach().clone());
  }
}

void BestEpoch::restore() {
  const torch::NoGradGuard no_grad;
  NamedTensors now = state_of(model_);
  for (std::size_t index = 0; index < kept_.size(); ++index) {
    now[index].second.copy_(kept_[index].second);
  }
}

void BestEpoch::set_state(const State& state) {
  best_ = state.best;
  epochs_since_ = state.epochs_since;
}

std::string to_text(const Progress& progress) {
  Json epochs = Json::array();
  for (const EpochScores& scores : progress.epochs) {
    epochs.push_back({{"epoch", scores.epoch},
                      {"train", scores_json(scores.train)},
                      {"validation", scores_json(scores.validation)},
                      {"learning_rate", bits(scores.learning_rate)},
                      {"duration_s", bits(scores.duration_s)}});
  }
  return Json{{"epoch", progress.epoch},
              {"optimizer_steps", progress.optimizer_steps},
              {"rate", bits(progress.schedule.rate)},
              {"schedule_best", bits(progress.schedule.best)},
              {"schedule_ended", progress.schedule.ended},
              {"bad_epochs", progress.schedule.bad_epochs},
              {"best", bits(progress.best.best)},
              {"epochs_since", progress.best.epochs_since},
              {"epochs", epochs}}
      .dump();
}

std::optional<Progress> parse_progress(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    Progress progress{json.at("epoch").get<std::int64_t>(),
                      json.at("optimizer_steps").get<std::int64_t>(),
                      {number(json.at("rate")), number(json.at("schedule_best")),
                       json.at("schedule_ended").get<std::int64_t>(), json.at("bad_epochs").get<std::int64_t>()},
                      {number(json.at("best")), json.at("epochs_since").get<std::int64_t>()},
                      {}};
    for (const Json& epoch : json.at("epochs")) {
      progress.epochs.push_back({epoch.at("epoch").get<std::int64_t>(), parse_scores(epoch.at("train")),
                                 parse_scores(epoch.at("validation")), number(epoch.at("learning_rate")),
                                 number(epoch.at("duration_s"))});
    }
    return progress.epoch >= 0 ? std::optional(std::move(progress)) : std::nullopt;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace wattle::trainer
