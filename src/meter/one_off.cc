#include "meter/one_off.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace wattle::meter {
namespace {

namespace fs = std::filesystem;

constexpr Nanoseconds kUnlimited = seconds(365L * 86400);  // the longest that a request may ask for

class PrivateFolder {
 public:
  PrivateFolder() {
    std::error_code code;
    const fs::path base = fs::temp_directory_path(code);
    std::string pattern = ((code ? fs::path("/tmp") : base) / "wattle-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  ~PrivateFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

study::RunRequest request_for(const OneOff& what) {
  study::RunRequest request;
  request.study = "one-off";
  request.key = std::string(64, '0');
  request.configuration.label = "command";
  request.arguments = what.arguments;
  request.variables = what.variables;
  request.use_terminal = what.use_terminal;
  std::error_code ignored;
  request.working_directory = fs::current_path(ignored).string();
  request.protocol.sample_interval = what.interval;
  request.protocol.time_limit = kUnlimited;
  request.protocol.silence_limit = kUnlimited;
  return request;
}

}  // namespace

Result<record::Attempt> run_one_off(const OneOff& what, run::RunnerOptions options, Clock& clock,
                                    const std::stop_token& stop) {
  const PrivateFolder folder;
  if (folder.path().empty()) {
    return fail(ErrorKind::environment, "cannot make a folder for temporary files",
                "set TMPDIR to a folder that can be written");
  }
  options.durable = false;
  return run::run_once(request_for(what), 1, folder.path() / "attempt", options, clock, stop);
}

}  // namespace wattle::meter
