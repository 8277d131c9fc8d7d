// What libwattle_http.so gives to the program that loads it: functions with C's calling conventions, across which no
// exception, no string and no memory passes to a new owner. Both sides are built from this file; `version` tells when
// they were not.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wattle::http {

inline constexpr int kLibraryVersion = 1;
inline constexpr const char* kLibraryEntry = "wattle_http_library";
inline constexpr const char* kLibraryFile = "libwattle_http.so";

// Bytes that stay their owner's and live until the call is over.
struct Bytes {
  const char* data;
  std::size_t size;
};
using Take = void (*)(void* context, Bytes bytes) noexcept;

enum class Outcome : int {
  done,
  refused,  // there was an answer, and it was no
  failed,   // there was none
};

// Answers one request for `path` by one call of `answer`, with `reply` and the rest filled in.
using Answer = void (*)(void* reply, int status, Bytes type, Bytes body) noexcept;
using Respond = void (*)(void* context, Bytes path, void* reply, Answer answer) noexcept;

struct Library {
  int version;
  // `take` gets the body, or what went wrong: once, on the calling thread.
  Outcome (*get)(const char* url, std::int64_t time_ns, std::size_t limit, void* context, Take take) noexcept;
  // A server that has begun to listen, or null and what went wrong. `respond` is called from its threads, one at a
  // time, until stop() has returned.
  void* (*serve)(const char* address, int port, void* context, Respond respond, void* error_context,
                 Take error) noexcept;
  int (*port)(const void* server) noexcept;
  void (*stop)(void* server) noexcept;  // and frees it
};

}  // namespace wattle::http
