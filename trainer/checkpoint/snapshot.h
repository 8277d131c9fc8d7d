#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../models/model.h"
#include "safetensors.h"

namespace wattle::trainer {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/// Parameters and buffers under the names that PyTorch's state_dict has. The tensors are the model's own.
[[nodiscard]] NamedTensors state_of(const torch::nn::Module& model);

/// Writes tensors, whatever their device and layout, as a safetensors file.
[[nodiscard]] Result<void> save_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                                        const std::map<std::string, std::string>& metadata);

/// The values of a stored tensor, on the CPU, of the type that it was stored in.
[[nodiscard]] torch::Tensor to_tensor(const StoredTensor& stored);

/// Copies values into `tensors` by name, `prefix` before each. All must be there, in their shapes.
[[nodiscard]] Result<void> restore(const SafetensorsFile& file, const std::filesystem::path& path,
                                   std::string_view prefix, const NamedTensors& tensors);

/// What came of starting from given weights.
struct Transfer {
  std::vector<std::string> new_layers;  ///< of the last layer, left as drawn: the file has others or none
  std::size_t taken = 0, unused = 0;
};

/// Copies weights into a model. Its last layer may differ, since another task has other classes; everything before it
/// must be in the file, in the right shape. A trunk below two heads takes the
/// weights of the model that it is.
[[nodiscard]] Result<Transfer> load_weights(Model& model, const SafetensorsFile& file,
                                            const std::filesystem::path& path);

}  // namespace wattle::trainer
