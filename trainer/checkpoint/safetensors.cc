#include "safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace wattle::trainer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Bytes = std::span<const std::uint8_t>;

constexpr std::uint64_t kLongestHeader = 100'000'000;  // the format's own limit
constexpr std::size_t kMostDimensions = 16;

tl::unexpected<Error> damaged(const fs::path& path, std::string_view problem) {
  return trainer::damaged(fmt::format("{}: {}", path.string(), problem));
}

Result<std::vector<std::uint8_t>> contents(const fs::path& path) {
  std::error_code problem;
  const auto size = fs::is_regular_file(path, problem) ? fs::file_size(path, problem) : 0;
  std::ifstream stream(path, std::ios::binary);
  if (problem || !fs::is_regular_file(path, problem) || !stream) {
    return bad_input(fmt::format("{}: cannot be opened", path.string()));
  }
  std::vector<std::uint8_t> bytes(size);
  if (!stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size))) {
    return damaged(path, "cannot be read to its end");
  }
  return bytes;
}

/// The header, if it is one JSON object in which no name stands twice: JSON libraries keep one of the two and say
/// nothing.
std::optional<Json> parse_header(Bytes text) {
  std::vector<std::set<std::string>> names;
  bool twice = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) {
      names.resize(static_cast<std::size_t>(depth) + 1);
      names.back().clear();
    } else if (event == Json::parse_event_t::key && static_cast<std::size_t>(depth) <= names.size()) {
      twice = twice || !names[static_cast<std::size_t>(depth) - 1].insert(value.get<std::string>()).second;
    }
    return true;
  };
  Json header = Json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  return header.is_object() && !twice ? std::optional<Json>(std::move(header)) : std::nullopt;
}

std::optional<std::uint64_t> whole(const Json& value) {
  return value.is_number_unsigned() ? std::optional<std::uint64_t>(value.get<std::uint64_t>()) : std::nullopt;
}

/// Bytes of a tensor of that shape, unless a product leaves 63 bits.
std::optional<std::uint64_t> size_of(const std::vector<std::int64_t>& shape, std::size_t element) {
  std::uint64_t size = element;
  for (const std::int64_t side : shape) {
    if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(side), &size) || size > INT64_MAX) {
      return std::nullopt;
    }
  }
  return size;
}

/// What a tensor's entry says, as a view into `data`; a sentence about what is wrong with it otherwise.
tl::expected<StoredTensor, std::string> read_entry(const std::string& name, const Json& entry, Bytes data) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) {
    return tl::unexpected(std::string("lacks dtype, shape or data_offsets"));
  }
  StoredTensor tensor{name, {}, {}, {}};
  const auto types = element_types();
  const auto type = std::find_if(types.begin(), types.end(), [&entry](const ElementType& candidate) {
    return entry["dtype"].is_string() && entry["dtype"].get<std::string>() == candidate.name;
  });
  const Json &shape = entry["shape"], &offsets = entry["data_offsets"];
  if (type == types.end()) {
    return tl::unexpected(fmt::format("dtype {} is not known", entry["dtype"].dump(-1, ' ', true)));
  }
  tensor.type = type->name;
  if (!shape.is_array() || shape.size() > kMostDimensions || !offsets.is_array() || offsets.size() != 2) {
    return tl::unexpected(std::string("shape or data_offsets are no proper lists"));
  }
  for (const Json& side : shape) {
    const auto length = whole(side);
    if (!length || *length > INT64_MAX) {
      return tl::unexpected(std::string("a dimension is no whole number"));
    }
    tensor.shape.push_back(static_cast<std::int64_t>(*length));
  }
  const auto begin = whole(offsets[0]), end = whole(offsets[1]);
  if (!begin || !end || *begin > *end || *end > data.size()) {
    return tl::unexpected(std::string("lies outside the file"));
  }
  if (size_of(tensor.shape, type->bytes) != *end - *begin) {
    return tl::unexpected(std::string("shape and data_offsets do not fit each other"));
  }
  tensor.bytes = data.subspan(*begin, *end - *begin);
  return tensor;
}

/// Tensors follow each other from the first byte to the last.
bool without_holes(std::vector<StoredTensor> tensors, Bytes data) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const StoredTensor& left, const StoredTensor& right) {
    return std::pair(left.bytes.data(), left.bytes.size()) < std::pair(right.bytes.data(), right.bytes.size());
  });
  const std::uint8_t* expected = data.data();
  for (const StoredTensor& tensor : tensors) {
    if (tensor.bytes.data() != expected) {
      return false;
    }
    expected += tensor.bytes.size();
  }
  return expected == data.data() + data.size();
}

bool write_all(int file, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), std::min<std::size_t>(bytes.size(), 1U << 30U));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);  // the rename is done; that it outlives a power cut is asked for, not promised
    ::close(descriptor);
  }
}

}  // namespace

std::span<const ElementType> element_types() {
  static constexpr ElementType kTypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
                                           {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U8", 1},   {"BOOL", 1}};
  return kTypes;
}

Result<SafetensorsFile> SafetensorsFile::read(const fs::path& path) {
  auto bytes = contents(path);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  SafetensorsFile file;
  file.file_ = std::move(*bytes);
  std::uint64_t length = 0;
  for (std::size_t byte = 0; byte < std::min<std::size_t>(file.file_.size(), 8); ++byte) {
    length |= std::uint64_t{file.file_[byte]} << (8 * byte);
  }
  if (file.file_.size() < 10 || length < 2 || length > kLongestHeader || length > file.file_.size() - 8) {
    return damaged(path, "no safetensors file: the length of its header is impossible");
  }
  const auto header = parse_header(Bytes(file.file_).subspan(8, length));
  if (!header) {
    return damaged(path, "no safetensors file: its header is no JSON object of different names");
  }
  const Bytes data = Bytes(file.file_).subspan(8 + length);
  for (const auto& [name, entry] : header->items()) {
    if (name == "__metadata__") {
      for (const auto& [key, value] : entry.items()) {
        if (!entry.is_object() || !value.is_string()) {
          return damaged(path, "its __metadata__ holds more than texts");
        }
        file.metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    auto tensor = read_entry(name, entry, data);
    if (!tensor) {
      return damaged(path, fmt::format("tensor `{}` {}", name.substr(0, 200), tensor.error()));
    }
    file.tensors_.push_back(std::move(*tensor));
  }
  if (!without_holes(file.tensors_, data)) {
    return damaged(path, "its tensors overlap or leave bytes unused");
  }
  return file;
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors_.begin(), tensors_.end(), [name](const StoredTensor& one) { return one.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

Result<void> write_atomically(const fs::path& path, std::span<const Bytes> pieces) {
  const fs::path fresh = path.string() + fmt::format(".{}.new", ::getpid());
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  bool good = file >= 0;
  for (const Bytes piece : pieces) {
    good = good && write_all(file, piece);
  }
  good = good && ::fsync(file) == 0;
  int problem = errno;
  if (file >= 0 && ::close(file) != 0 && good) {
    good = false;
    problem = errno;
  }
  if (good && ::rename(fresh.c_str(), path.c_str()) != 0) {
    good = false;
    problem = errno;
  }
  if (!good) {
    ::unlink(fresh.c_str());
    return tl::unexpected(
        Error{ExitCode::kUnwritable, fmt::format("{}: cannot be written: {}", path.string(), strerror(problem))});
  }
  sync_folder(path.parent_path());
  return {};
}

Result<void> write_safetensors(const fs::path& path, std::span<const StoredTensor> tensors,
                               const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  std::size_t at = 0;
  std::vector<Bytes> pieces(2);
  for (const StoredTensor& tensor : tensors) {
    header[tensor.name] = {
        {"dtype", tensor.type}, {"shape", tensor.shape}, {"data_offsets", {at, at + tensor.bytes.size()}}};
    at += tensor.bytes.size();
    pieces.push_back(tensor.bytes);
  }
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');  // tensors begin at whole words
  std::vector<std::uint8_t> length(8);
  for (std::size_t byte = 0; byte < 8; ++byte) {
    length[byte] = static_cast<std::uint8_t>(text.size() >> (8 * byte));
  }
  pieces[0] = length;
  pieces[1] = Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  return write_atomically(path, pieces);
}

}  // namespace wattle::trainer
