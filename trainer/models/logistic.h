#pragma once

#include "model.h"

namespace wattle::trainer {

[[nodiscard]] std::shared_ptr<Model> make_logistic(const ModelRequest& request);

}  // namespace wattle::trainer
