#include "http/transfer.h"

#include <algorithm>
#include <utility>

#include "http/loading.h"

namespace wattle::http {
namespace {

std::optional<std::int64_t> known(std::int64_t number) {
  return number >= 0 ? std::optional<std::int64_t>(number) : std::nullopt;
}

// What a receiver throws ends the transfer.
template <class Work>
bool guarded(const Work& work) noexcept {
  try {
    return work();
  } catch (...) {
    return false;
  }
}

TransferReceiver& receiver_of(void* context) { return *static_cast<TransferReceiver*>(context); }

bool take_head(void* context, int status, std::int64_t first, std::int64_t total) noexcept {
  return guarded(
      [&] { return receiver_of(context).head({.status = status, .first = known(first), .total = known(total)}); });
}

bool take_bytes(void* context, Bytes bytes) noexcept {
  return guarded([&] { return receiver_of(context).bytes({bytes.data, bytes.size}); });
}

bool go_on(void* context) noexcept {
  return guarded([&] { return receiver_of(context).go_on(); });
}

void take_text(void* context, Bytes bytes) noexcept {
  guarded([&] {
    static_cast<std::string*>(context)->assign(bytes.data, bytes.size);
    return true;
  });
}

}  // namespace

Result<void> Transfers::ask(const TransferRequest& request, TransferReceiver& receiver) const {
  const TransferQuestion question{.url = request.url.c_str(),
                                  .from = request.from,
                                  .plain = request.plain_http,
                                  .authorities = request.authorities.empty() ? nullptr : request.authorities.c_str(),
                                  .patience_s = std::max<std::int64_t>(1, std::llround(request.patience.value))};
  const TransferHooks hooks{.context = &receiver, .head = take_head, .bytes = take_bytes, .go_on = go_on};
  std::string why;
  switch (library_->ask(&question, &hooks, &why, take_text)) {
    case Arrival::done:
      return {};
    case Arrival::refused:
      return fail(ErrorKind::failed, std::move(why));
    case Arrival::broken:
      return fail(ErrorKind::environment, std::move(why));
    case Arrival::stopped:
      break;
  }
  return fail(ErrorKind::interrupted, "stopped");
}

Result<Transfers> load_transfers(const std::filesystem::path& program) {
  const auto loaded = load_library(program, kTransferFile, kTransferEntry, "HTTPS");
  if (!loaded) return tl::unexpected(loaded.error());
  const auto* library = static_cast<const TransferLibrary*>(*loaded);
  if (library == nullptr || library->version != kTransferVersion) return of_another_build(kTransferFile);
  return Transfers(library);
}

}  // namespace wattle::http
