#include "snapshot.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace wattle::trainer {
namespace {

struct TypePair {
  std::string_view name;
  torch::ScalarType type;
};
constexpr TypePair kTypes[] = {{"F64", torch::kFloat64},   {"F32", torch::kFloat32}, {"F16", torch::kFloat16},
                               {"BF16", torch::kBFloat16}, {"I64", torch::kInt64},   {"I32", torch::kInt32},
                               {"I16", torch::kInt16},     {"I8", torch::kInt8},     {"U8", torch::kUInt8},
                               {"BOOL", torch::kBool}};

std::string_view name_of(torch::ScalarType type) {
  for (const TypePair& pair : kTypes) {
    if (pair.type == type) {
      return pair.name;
    }
  }
  return "F32";  // nothing here has another type
}

std::string shape_text(torch::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace

NamedTensors state_of(const torch::nn::Module& model) {
  NamedTensors all;
  for (const auto& parameter : model.named_parameters()) {
    all.emplace_back(parameter.key(), parameter.value());
  }
  for (const auto& buffer : model.named_buffers()) {
    all.emplace_back(buffer.key(), buffer.value());
  }
  return all;
}

Result<void> save_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                          const std::map<std::string, std::string>& metadata) {
  std::vector<torch::Tensor> kept;
  std::vector<StoredTensor> stored;
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.detach().cpu().contiguous());
    const torch::Tensor& plain = kept.back();
    stored.push_back({name,
                      name_of(plain.scalar_type()),
                      plain.sizes().vec(),
                      {static_cast<const std::uint8_t*>(plain.data_ptr()), plain.nbytes()}});
  }
  return write_safetensors(path, stored, metadata);
}

torch::Tensor to_tensor(const StoredTensor& stored) {
  torch::ScalarType type = torch::kFloat32;
  for (const TypePair& pair : kTypes) {
    type = pair.name == stored.type ? pair.type : type;
  }
  torch::Tensor tensor = torch::empty(stored.shape, type);
  std::copy(stored.bytes.begin(), stored.bytes.end(), static_cast<std::uint8_t*>(tensor.data_ptr()));
  return tensor;
}

Result<void> restore(const SafetensorsFile& file, const std::filesystem::path& path, std::string_view prefix,
                     const NamedTensors& tensors) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    const std::string full = fmt::format("{}{}", prefix, name);
    const StoredTensor* stored = file.find(full);
    if (stored == nullptr || torch::IntArrayRef(stored->shape) != tensor.sizes() ||
        stored->type != name_of(tensor.scalar_type())) {
      return bad_input(fmt::format("{}: holds no `{}` of shape {}; is it this run's checkpoint?", path.string(), full,
                                   shape_text(tensor.sizes())));
    }
    torch::Tensor to = tensor;
    to.copy_(to_tensor(*stored));
  }
  return {};
}

Result<Transfer> load_weights(Model& model, const SafetensorsFile& file, const std::filesystem::path& path) {
  const torch::NoGradGuard no_grad;
  constexpr std::string_view kTrunk = "trunk.";
  Transfer transfer;
  std::vector<std::pair<torch::Tensor, const StoredTensor*>> copies;
  for (auto& [name, tensor] : state_of(model)) {
    const StoredTensor* stored = file.find(name);
    if (stored == nullptr && name.starts_with(kTrunk)) {
      stored = file.find(std::string_view(name).substr(kTrunk.size()));
    }
    if (stored != nullptr && torch::IntArrayRef(stored->shape) == tensor.sizes()) {
      copies.emplace_back(tensor, stored);
    } else if (model.is_head(name)) {
      transfer.new_layers.push_back(name);
    } else if (!name.ends_with("num_batches_tracked")) {  // older files lack it, and nothing here reads it
      return bad_input(stored == nullptr
                           ? fmt::format("{}: holds no `{}`; is it of another model?", path.string(), name)
                           : fmt::format("{}: `{}` has shape {}; this model's has {}", path.string(), name,
                                         shape_text(stored->shape), shape_text(tensor.sizes())));
    }
  }
  for (auto& [tensor, stored] : copies) {
    tensor.copy_(to_tensor(*stored));
  }
  transfer.taken = copies.size();
  transfer.unused = file.tensors().size() - std::min(copies.size(), file.tensors().size());
  return transfer;
}

}  // namespace wattle::trainer
