#include "run/attempt_files.h"

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace wattle::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormat = 1;
constexpr std::size_t kLongestFile = 64U << 20U;

constexpr std::array<std::pair<Cause, std::string_view>, 7> kCauses{{{Cause::none, "none"},
                                                                     {Cause::time_limit, "time_limit"},
                                                                     {Cause::silence, "silence"},
                                                                     {Cause::events, "events"},
                                                                     {Cause::stop, "stop"},
                                                                     {Cause::orphaned, "orphaned"},
                                                                     {Cause::partner_ended, "partner_ended"}}};

tl::unexpected<Error> cannot(std::string_view what, const fs::path& path, int code) {
  return fail(ErrorKind::environment, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(code)));
}

Result<json> read_object(const fs::path& path) {
  auto text = read_text(path, kLongestFile);
  if (!text) return tl::unexpected(text.error());
  json object = json::parse(*text, nullptr, false);
  if (!object.is_object()) return fail(ErrorKind::bad_input, fmt::format("{} is damaged", path.string()));
  return object;
}

Result<void> put(const fs::path& path, std::string_view text, bool synced) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return cannot("create", path, errno);
  if (!write_all(file.get(), text) || (synced && ::fsync(file.get()) != 0)) return cannot("write", path, errno);
  return {};
}

Result<void> replace(const fs::path& path, std::string_view text, bool synced) {
  const fs::path temporary = path.string() + ".tmp";
  if (auto written = put(temporary, text, synced); !written) return written;
  if (::rename(temporary.c_str(), path.c_str()) != 0) return cannot("write", path, errno);
  return {};
}

// A name inside the run's own folder: a rendered file must not reach anything else.
bool stays_inside(const fs::path& name) {
  return !name.empty() && name.is_relative() &&
         std::none_of(name.begin(), name.end(), [](const fs::path& part) { return part == ".."; }) &&
         name.has_filename();
}

json to_json(const Preamble& preamble) {
  json object{{"format", kFormat},
              {"attempt", preamble.attempt},
              {"started_wall_ns", preamble.started_wall.value},
              {"boot_offset_ns", preamble.boot_offset.value},
              {"boot_id", preamble.boot},
              {"fingerprint", preamble.fingerprint},
              {"variables", preamble.variables},
              {"request", study::to_json(preamble.request)}};
  if (!preamble.cpus.empty()) object["cpus"] = preamble.cpus;
  if (!preamble.flags.empty()) object["flags"] = preamble.flags;
  if (preamble.held) object["held"] = true;
  if (preamble.power_cap) {
    object["power_cap"] = {{"w", preamble.power_cap->watts.value}, {"sysroot", preamble.power_cap->sysroot.string()}};
  }
  return object;
}

Preamble preamble_from(const json& object, study::RunRequest request) {
  Preamble preamble{std::move(request),
                    std::max(1, object.at("attempt").get<int>()),
                    Nanoseconds{object.at("started_wall_ns").get<std::int64_t>()},
                    Nanoseconds{object.at("boot_offset_ns").get<std::int64_t>()},
                    object.at("boot_id").get<std::string>(),
                    object.at("fingerprint").get<std::map<std::string, std::string>>(),
                    object.at("variables").get<std::map<std::string, std::string>>(),
                    object.value("cpus", std::string()),
                    {},
                    object.value("flags", std::vector<std::string>{}),
                    object.value("held", false)};
  if (const auto cap = object.find("power_cap"); cap != object.end()) {
    preamble.power_cap = {Watts{cap->at("w").get<double>()}, cap->at("sysroot").get<std::string>()};
  }
  return preamble;
}

Result<void> fill(const AttemptFiles& files, const Preamble& preamble, bool durable) {
  std::error_code error;
  if (!fs::create_directory(files.run_dir(), error)) return cannot("create", files.run_dir(), error.value());
  for (const auto& [name, content] : preamble.request.rendered_files) {
    if (!stays_inside(name)) {
      return fail(ErrorKind::bad_input, fmt::format("rendered file `{}` is outside {{run_dir}}", printable(name)));
    }
    fs::create_directories((files.run_dir() / name).parent_path(), error);
    if (auto done = put(files.run_dir() / name, with_run_dir(content, files), false); !done) return done;
  }
  if (auto done = put(files.events(), {}, false); !done) return done;
  const std::string text = to_json(preamble).dump(2, ' ', false, json::error_handler_t::replace);
  // Whole or not there: a directory with half a request would be nobody's attempt.
  if (auto done = replace(files.request(), text, false); !done) return done;
  if (!durable) return {};
  // After the renaming, so that the disk is waited for once.
  for (const fs::path& path : {files.request(), files.root}) {
    const Descriptor entry(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!entry.valid() || ::fsync(entry.get()) != 0) return cannot("write", path, errno);
  }
  return {};
}

template <class T>
void put_optional(json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}

std::optional<int> optional_int(const json& object, const char* key) {
  const auto entry = object.find(key);
  return entry == object.end() ? std::nullopt : std::optional<int>(entry->get<int>());
}

GuardReport report_from(const json& object) {
  GuardReport report;
  report.guard = {object.at("pid").get<pid_t>(), object.at("start_ticks").get<std::uint64_t>()};
  report.boot = object.at("boot_id").get<std::string>();
  report.complete = object.at("complete").get<bool>();
  report.start_error = object.at("start_error").get<std::string>();
  report.infeasible = object.value("infeasible", false);
  report.child_started = {object.at("child_started_ns").get<std::int64_t>()};
  if (object.contains("child_ended_ns")) {
    report.child_ended = Nanoseconds{object.at("child_ended_ns").get<std::int64_t>()};
  }
  report.exit_code = optional_int(object, "exit_code");
  report.signal = optional_int(object, "signal");
  report.cause = cause(object.at("cause").get<std::string>()).value_or(Cause::none);
  report.resources = {Seconds{object.at("user_cpu_s").get<double>()}, Seconds{object.at("system_cpu_s").get<double>()},
                      object.at("peak_resident_bytes").get<std::int64_t>()};
  report.strays = object.at("strays").get<int>();
  report.survivors = object.at("survivors").get<int>();
  return report;
}

}  // namespace

std::string_view to_string(Cause wanted) {
  const auto* entry = std::find_if(kCauses.begin(), kCauses.end(), [&](const auto& c) { return c.first == wanted; });
  return entry == kCauses.end() ? std::string_view("none") : entry->second;
}

std::optional<Cause> cause(std::string_view name) {
  const auto* entry = std::find_if(kCauses.begin(), kCauses.end(), [&](const auto& c) { return c.second == name; });
  return entry == kCauses.end() ? std::nullopt : std::optional<Cause>(entry->first);
}

Result<Preamble> read_preamble(const AttemptFiles& files) {
  const auto damaged = [&](std::string_view why) {
    return fail(ErrorKind::bad_input, fmt::format("{} holds no attempt: {}", files.root.string(), printable(why)));
  };
  const auto object = read_object(files.request());
  if (!object) return damaged(object.error().message);
  try {
    if (object->at("format").get<int>() != kFormat) return damaged("request.json is of another format");
    auto request = study::request_from_json(object->at("request"));
    if (!request) return damaged(request.error().message);
    return preamble_from(*object, *std::move(request));
  } catch (const json::exception& error) {
    return damaged(error.what());
  }
}

Result<void> write_report(const AttemptFiles& files, const GuardReport& report) {
  json object{{"pid", report.guard.pid},
              {"start_ticks", report.guard.start_ticks},
              {"boot_id", report.boot},
              {"complete", report.complete},
              {"start_error", report.start_error},
              {"infeasible", report.infeasible},
              {"child_started_ns", report.child_started.value},
              {"cause", to_string(report.cause)},
              {"user_cpu_s", report.resources.user_cpu.value},
              {"system_cpu_s", report.resources.system_cpu.value},
              {"peak_resident_bytes", report.resources.peak_resident_bytes},
              {"strays", report.strays},
              {"survivors", report.survivors}};
  if (report.child_ended) object["child_ended_ns"] = report.child_ended->value;
  put_optional(object, "exit_code", report.exit_code);
  put_optional(object, "signal", report.signal);
  return replace(files.guard(), object.dump(2, ' ', false, json::error_handler_t::replace), false);
}

Result<void> write_result(const AttemptFiles& files, std::string_view text, bool synced) {
  return replace(files.result(), text, synced);
}

Result<GuardReport> read_report(const AttemptFiles& files) {
  const auto object = read_object(files.guard());
  if (!object) return tl::unexpected(object.error());
  try {
    return report_from(*object);
  } catch (const json::exception& error) {
    return fail(ErrorKind::bad_input, fmt::format("{} is damaged: {}", files.guard().string(), error.what()));
  }
}

Result<Created> create_attempt(const fs::path& directory, const Preamble& preamble, bool durable) {
  Created created;
  std::error_code error;
  created.files.root = fs::absolute(directory, error);
  if (!error) fs::create_directories(created.files.root.parent_path(), error);
  if (error) return cannot("create", directory, error.value());
  if (::mkdir(created.files.root.c_str(), 0755) != 0) return cannot("create", directory, errno);
  auto lock = lock_attempt(created.files);
  Result<void> filled = lock ? fill(created.files, preamble, durable) : tl::unexpected(lock.error());
  if (!filled) {
    fs::remove_all(created.files.root, error);
    return tl::unexpected(filled.error());
  }
  created.lock = *std::move(lock);
  return created;
}

Result<Descriptor> lock_attempt(const AttemptFiles& files) {
  Descriptor folder(::open(files.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) {
    return fail(ErrorKind::bad_input, fmt::format("cannot open {}: {}", files.root.string(), std::strerror(errno)));
  }
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) == 0) return folder;
  if (errno == EWOULDBLOCK) {
    return fail(ErrorKind::failed, fmt::format("the attempt in {} is still running", files.root.string()));
  }
  return cannot("lock", files.root, errno);
}

std::string with_run_dir(std::string text, const AttemptFiles& files) {
  static constexpr std::string_view kPlaceholder = "{run_dir}";
  const std::string folder = files.run_dir().string();
  for (auto at = text.find(kPlaceholder); at != std::string::npos; at = text.find(kPlaceholder, at + folder.size())) {
    text.replace(at, kPlaceholder.size(), folder);
  }
  return text;
}

}  // namespace wattle::run
