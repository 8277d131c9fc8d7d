// Fetching something large from the internet: HTTPS, by libcurl in a library of its own (transfer_library.h), because
// it comes with thirty others, for which no start of a program should wait.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "http/transfer_library.h"

namespace wattle::http {

struct TransferRequest {
  std::string url;
  std::int64_t from = 0;         // asks for what follows this many bytes
  bool plain_http = false;       // http:// is good, too; redirects lead to https:// or nowhere
  std::string authorities = {};  // file of certificates to trust instead of the system's
  Seconds patience{60.0};        // in whole seconds: so long below 1,000 bytes a second, it is given up
};

struct TransferHead {
  int status = 0;  // a server may answer 200 to a request for a part: then everything comes
  std::optional<std::int64_t> first;
  std::optional<std::int64_t> total;
};

// Gets what comes, on the thread that asks. false ends the transfer.
class TransferReceiver {
 public:
  TransferReceiver() = default;
  TransferReceiver(const TransferReceiver&) = delete;
  TransferReceiver& operator=(const TransferReceiver&) = delete;
  virtual ~TransferReceiver() = default;
  // Of every answer but redirects; bytes follow only of 200 and 206, as they are: nothing is unpacked.
  virtual bool head(const TransferHead& head) = 0;
  virtual bool bytes(std::string_view bytes) = 0;
  virtual bool go_on() = 0;  // asked ten times a second or oftener
};

// Cheap to copy; the library stays loaded. Proxies are taken from the environment, as libcurl does (https_proxy,
// no_proxy). Blocks SIGPIPE on the thread that asks.
class Transfers {
 public:
  explicit Transfers(const TransferLibrary* library) : library_(library) {}
  // Everything came. Kind failed: the answer was no; environment: there was none, it broke off, or stalled;
  // interrupted: the receiver ended it.
  [[nodiscard]] Result<void> ask(const TransferRequest& request, TransferReceiver& receiver) const;

 private:
  const TransferLibrary* library_;
};

// From ../lib/wattle beside the program's folder. Fails (environment) where it is not there or of another build.
[[nodiscard]] Result<Transfers> load_transfers(const std::filesystem::path& program);

}  // namespace wattle::http
