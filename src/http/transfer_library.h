// What libwattle_transfer.so gives to the program that loads it, by the same rules as library.h: C's calling
// conventions, no exception, no string and no memory that changes its owner.
#pragma once

#include <cstdint>

#include "http/library.h"

namespace wattle::http {

inline constexpr int kTransferVersion = 1;
inline constexpr const char* kTransferEntry = "wattle_transfer_library";
inline constexpr const char* kTransferFile = "libwattle_transfer.so";

enum class Arrival : int {
  done,
  refused,  // there was an answer, and it was no
  broken,   // there was none, or it ended too early, or came too slowly
  stopped,  // by one of the hooks
};

struct TransferQuestion {
  const char* url;
  std::int64_t from;        // the first byte that is wanted
  bool plain;               // http:// is good, too; never of what a redirect names
  const char* authorities;  // a file of certificates to trust instead of the system's; or null
  std::int64_t patience_s;  // after so many seconds below 1,000 bytes a second it is given up
};

// Called on the thread that asks; false ends the transfer.
struct TransferHooks {
  void* context;
  // Of the last answer, after redirects. first: where its bytes begin; total: how many the whole has; -1: not told.
  bool (*head)(void* context, int status, std::int64_t first, std::int64_t total) noexcept;
  bool (*bytes)(void* context, Bytes bytes) noexcept;
  bool (*go_on)(void* context) noexcept;  // ten times a second or oftener
};

struct TransferLibrary {
  int version;
  // `why` gets what went wrong, once, unless all is done.
  Arrival (*ask)(const TransferQuestion* question, const TransferHooks* hooks, void* why_context, Take why) noexcept;
};

}  // namespace wattle::http
