#include "energy/visible_gpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace wattle::energy {
namespace {

constexpr std::string_view kGpu = "GPU-";
constexpr std::string_view kMig = "MIG-";

// Hexadecimal digits are read in either case.
std::string lower(std::string_view text) {
  std::string copy(text);
  std::transform(copy.begin(), copy.end(), copy.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return copy;
}

bool begins(const std::string& uuid, std::string_view with) { return lower(uuid).starts_with(lower(with)); }

// The only GPU for which the predicate holds.
template <class Predicate>
std::optional<std::size_t> only_one(const std::vector<GpuIdentity>& all, Predicate holds) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!holds(all[i])) continue;
    // One GPU listed twice is still that one.
    if (found && all[*found].uuid != all[i].uuid) return std::nullopt;
    if (!found) found = i;
  }
  return found;
}

std::optional<std::size_t> by_uuid(const std::vector<GpuIdentity>& all, std::string_view entry) {
  return only_one(all, [&](const GpuIdentity& gpu) { return !gpu.uuid.empty() && begins(gpu.uuid, entry); });
}

std::optional<std::size_t> by_instance(const std::vector<GpuIdentity>& all, std::string_view entry) {
  if (entry.substr(kMig.size()).starts_with(kGpu)) {
    return by_uuid(all, entry.substr(kMig.size(), entry.find('/') - kMig.size()));
  }
  return only_one(all, [&](const GpuIdentity& gpu) {
    return std::any_of(gpu.mig_uuids.begin(), gpu.mig_uuids.end(),
                       [&](const std::string& uuid) { return begins(uuid, entry); });
  });
}

bool of_one_name(const std::vector<GpuIdentity>& all) {
  return std::all_of(all.begin(), all.end(),
                     [&](const GpuIdentity& gpu) { return !gpu.name.empty() && gpu.name == all.front().name; });
}

// What the list says, entry by entry.
class VisibleList {
 public:
  VisibleList(const std::vector<GpuIdentity>& all, bool complete, const std::optional<std::string>& order)
      : all_(all), indices_are_told_(complete && (order == "PCI_BUS_ID" || of_one_name(all))) {}

  // False where the list ends before this entry.
  bool take(std::string_view entry) {
    if (entry.starts_with(kMig)) return note_instance(entry, add_known(by_instance(all_, entry), entry));
    if (entry.starts_with(kGpu)) return add_known(by_uuid(all_, entry), entry);
    const auto index = parse_unsigned(entry);
    if (!index || *index >= all_.size()) return false;
    if (!indices_are_told_) return leave_untold(entry);
    chosen_.insert(static_cast<std::size_t>(*index));
    return true;
  }

  [[nodiscard]] GpuChoice choice() {
    if (untold_.empty()) return {.gpus = {chosen_.begin(), chosen_.end()}, .notes = std::move(notes_)};
    notes_.push_back(
        fmt::format("which GPU CUDA_VISIBLE_DEVICES means by `{}` cannot be told: all are measured (it can where "
                    "CUDA_DEVICE_ORDER is PCI_BUS_ID and all GPUs may be used)",
                    printable(untold_)));
    for (std::size_t i = 0; i < all_.size(); ++i) chosen_.insert(i);
    return {.gpus = {chosen_.begin(), chosen_.end()}, .notes = std::move(notes_)};
  }
  void note(std::string text) { notes_.push_back(std::move(text)); }

 private:
  // A name that fits none of the GPUs may still be that of one whose own name could not be read.
  bool add_known(std::optional<std::size_t> gpu, std::string_view entry) {
    const bool nameless = std::any_of(all_.begin(), all_.end(), [](const auto& one) { return one.uuid.empty(); });
    if (!gpu && nameless) return leave_untold(entry);
    if (gpu) chosen_.insert(*gpu);
    return gpu.has_value();
  }
  bool leave_untold(std::string_view entry) {
    untold_ = entry;
    return true;
  }
  bool note_instance(std::string_view entry, bool known) {
    if (known) note(fmt::format("{} is counted with its whole board", printable(entry)));
    return known;
  }

  const std::vector<GpuIdentity>& all_;
  bool indices_are_told_;
  std::set<std::size_t> chosen_;
  std::vector<std::string> notes_;
  std::string untold_;  // an entry that may mean any GPU
};

// Everything that NVML tells of the machine's GPUs; those it does not give go to `seen.missing`.
std::vector<VisibleGpu> list_gpus(const Nvml& nvml, VisibleGpus& seen) {
  std::vector<VisibleGpu> all;
  const auto count = nvml.device_count();
  if (!count) seen.missing.push_back("GPUs: " + to_string(count.error()));
  for (unsigned i = 0; i < count.value_or(0); ++i) {
    const auto device = nvml.device(i);
    if (!device) {
      seen.denied |= denies(device.error());
      seen.missing.push_back(fmt::format("gpu-{}: {}", i, to_string(device.error())));
      continue;
    }
    all.push_back({.index = i,
                   .device = *device,
                   .name = nvml.name(*device).value_or(""),
                   .uuid = nvml.uuid(*device).value_or(""),
                   .mig = nvml.mig_enabled(*device).value_or(false)});
  }
  return all;
}

}  // namespace

GpuChoice choose_gpus(const std::vector<GpuIdentity>& all, bool complete, const std::optional<std::string>& visible,
                      const std::optional<std::string>& order) {
  VisibleList list(all, complete, order);
  if (!visible) {
    GpuChoice everything;
    for (std::size_t i = 0; i < all.size(); ++i) everything.gpus.push_back(i);
    return everything;
  }
  if (trim(*visible).empty()) return list.choice();
  for (const std::string& entry : split(*visible, ',')) {
    if (list.take(trim(entry))) continue;
    list.note(fmt::format("CUDA_VISIBLE_DEVICES ends at `{}`, which is no GPU here", printable(trim(entry))));
    break;
  }
  return list.choice();
}

VisibleGpus visible_gpus(const Nvml& nvml, const ProbeOptions& options) {
  VisibleGpus seen;
  const std::vector<VisibleGpu> all = list_gpus(nvml, seen);
  std::vector<GpuIdentity> identities;
  identities.reserve(all.size());
  for (const VisibleGpu& gpu : all) {
    identities.push_back({.name = gpu.name,
                          .uuid = gpu.uuid,
                          .mig_uuids = gpu.mig ? nvml.mig_uuids(gpu.device) : std::vector<std::string>()});
  }
  GpuChoice choice = choose_gpus(identities, seen.missing.empty(), options.visible_gpus, options.gpu_order);
  seen.notes = std::move(choice.notes);
  for (const std::size_t i : choice.gpus) {
    const VisibleGpu& gpu = all[i];
    const auto same = std::find_if(seen.gpus.begin(), seen.gpus.end(), [&](const VisibleGpu& other) {
      return !gpu.uuid.empty() && other.uuid == gpu.uuid;
    });
    if (same == seen.gpus.end()) {
      seen.gpus.push_back(gpu);
    } else {
      seen.notes.push_back(fmt::format("gpu-{} is gpu-{} again and counted once", gpu.index, same->index));
    }
  }
  return seen;
}

}  // namespace wattle::energy
