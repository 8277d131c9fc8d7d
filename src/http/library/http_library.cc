// libwattle_http.so: cpp-httplib behind the functions of library.h. Exceptions end here.
#include <fcntl.h>
#include <httplib.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "http/library.h"

namespace wattle::http {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// Writing to a connection that the other side closed must be an error, not the end of the program. The signal stays
// with the thread that blocks it.
void block_broken_pipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

// --- Asking -------------------------------------------------------------------------------------------------------

struct Url {
  std::string host;
  int port = 80;
  std::string path;
};

// http://HOST[:PORT]/PATH, without a user; false for everything else.
bool parse_url(std::string_view text, Url& url) {
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme)) return false;
  text.remove_prefix(kScheme.size());
  const auto slash = text.find('/');
  std::string_view place = text.substr(0, slash);
  url.path = slash == std::string_view::npos ? "/" : std::string(text.substr(slash));
  const bool bracketed = place.starts_with('[');
  const auto end = bracketed ? place.find(']') : place.find(':');
  if (bracketed && end == std::string_view::npos) return false;
  url.host = place.substr(bracketed ? 1 : 0, end - (bracketed ? 1 : 0));
  place.remove_prefix(std::min(place.size(), end == std::string_view::npos ? place.size() : end + (bracketed ? 1 : 0)));
  const bool clean = (url.host + url.path).find_first_of("@ \r\n\t") == std::string::npos;
  if (place.empty()) return clean && !url.host.empty();
  if (place.front() != ':' || place.size() < 2 || place.size() > 6) return false;
  url.port = 0;
  for (const char c : place.substr(1)) {
    if (c < '0' || c > '9') return false;
    url.port = url.port * 10 + (c - '0');
  }
  return clean && !url.host.empty() && url.port >= 1 && url.port <= 65'535;
}

// Threads that somebody left waiting for a name or a stubborn server end by themselves. Until then they are counted.
std::atomic<int> threads_asking{0};
constexpr int kMostThreadsAsking = 8;

// One question, shared by who waits for the answer and the thread that fetches it. Time-outs of sockets bound each
// step, not the whole: names are looked up without any, and a server that sends a byte a second never times out. So the
// one who waits leaves in time, and ends the connection under the other.
struct Exchange {
  std::mutex mutex;
  std::condition_variable answered;
  bool done = false;
  bool given_up = false;
  int socket = -1;  // a duplicate, so that ending the connection never meets a number that was used anew
  Outcome outcome = Outcome::failed;
  std::string said;

  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() {
    if (socket >= 0) ::close(socket);
  }
  void connecting(int descriptor) {
    const std::scoped_lock lock(mutex);
    if (socket >= 0) ::close(socket);
    socket = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  }
  // Once. Whoever waits may ask anew as soon as it is told, so the thread counts no longer from here on.
  void finish(Outcome how, std::string what) {
    const std::scoped_lock lock(mutex);
    --threads_asking;
    outcome = how;
    said = std::move(what);
    done = true;
    answered.notify_all();
  }
  [[nodiscard]] bool abandoned() {
    const std::scoped_lock lock(mutex);
    return given_up;
  }
};

void fetch(const Url& url, nanoseconds time, std::size_t limit, Exchange& exchange) {
  httplib::Client client(url.host, url.port);
  // Longer than whoever waits does: these only end what was given up before there was a connection to end.
  const nanoseconds step = time + std::chrono::seconds(1);
  client.set_connection_timeout(step);
  client.set_read_timeout(step);
  client.set_write_timeout(step);
  client.set_follow_location(false);
  client.set_decompress(false);
  client.set_socket_options([&](int socket) { exchange.connecting(socket); });
  std::string body;
  int status = 0;
  bool too_long = false;
  const auto result = client.Get(
      url.path, {{"Accept-Encoding", "identity"}, {"Connection", "close"}},
      [&](const httplib::Response& response) {
        status = response.status;
        return status == 200 && !exchange.abandoned();
      },
      [&](const char* data, std::size_t size) {
        too_long = body.size() + size > limit;
        if (!too_long) body.append(data, size);
        return !too_long && !exchange.abandoned();
      });
  if (too_long) {
    exchange.finish(Outcome::refused, "the answer is longer than " + std::to_string(limit) + " bytes");
  } else if (status >= 300 && status < 400) {
    exchange.finish(Outcome::refused, "HTTP status " + std::to_string(status) + ": redirects are not followed");
  } else if (status != 0 && status != 200) {
    exchange.finish(Outcome::refused, "HTTP status " + std::to_string(status));
  } else if (!result) {
    exchange.finish(Outcome::failed, "no answer: " + httplib::to_string(result.error()));
  } else {
    exchange.finish(Outcome::done, std::move(body));
  }
}

Outcome ask(const char* text, nanoseconds time, std::size_t limit, std::string& said) {
  Url url;
  said = "only http://HOST[:PORT]/PATH can be asked";
  if (!parse_url(text, url)) return Outcome::failed;
  said = "earlier questions are still without an answer";
  if (threads_asking.fetch_add(1) >= kMostThreadsAsking) {
    --threads_asking;
    return Outcome::failed;
  }
  const auto exchange = std::make_shared<Exchange>();
  try {
    std::thread([exchange, url, time, limit] {
      block_broken_pipe();
      try {
        fetch(url, time, limit, *exchange);
      } catch (const std::exception& error) {
        exchange->finish(Outcome::failed, error.what());
      }
    }).detach();
  } catch (const std::exception& error) {
    --threads_asking;
    said = error.what();
    return Outcome::failed;
  }
  std::unique_lock lock(exchange->mutex);
  if (exchange->answered.wait_until(lock, steady_clock::now() + time, [&] { return exchange->done; })) {
    said = exchange->said;
    return exchange->outcome;
  }
  exchange->given_up = true;
  if (exchange->socket >= 0) ::shutdown(exchange->socket, SHUT_RDWR);
  said =
      "no answer within " + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
  return Outcome::failed;
}

Outcome get(const char* url, std::int64_t time_ns, std::size_t limit, void* context, Take take) noexcept {
  try {
    std::string said;
    const Outcome outcome = ask(url, nanoseconds(time_ns), limit, said);
    take(context, {said.data(), said.size()});
    return outcome;
  } catch (...) {
    constexpr std::string_view kWhy = "out of memory";
    take(context, {kWhy.data(), kWhy.size()});
    return Outcome::failed;
  }
}

// --- Serving ------------------------------------------------------------------------------------------------------

constexpr std::size_t kThreads = 4;
constexpr std::chrono::seconds kIoTime{5};
constexpr std::chrono::seconds kStopTime{2};
constexpr std::size_t kLargestRequest = 65'536;

// The way to the program, closed before the program leaves: a thread that is stuck with a slow client outlives it.
struct Door {
  std::mutex mutex;
  Respond respond;
  void* context;
  bool open = true;
};

// Everything that the server's threads touch; kept by them and by the handle.
struct Listening {
  httplib::Server server;
  std::shared_ptr<Door> door = std::make_shared<Door>();
  int port = -1;
  std::mutex mutex;
  std::condition_variable ended_signal;
  bool ended = false;
};

void answer(void* reply, int status, Bytes type, Bytes body) noexcept {
  auto& response = *static_cast<httplib::Response*>(reply);
  try {
    response.status = status;
    response.set_content(std::string(body.data, body.size), std::string(type.data, type.size));
  } catch (...) {
    response.status = 500;
  }
}

void set_up(Listening& listening) {
  httplib::Server& server = listening.server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  // A client that keeps its connection keeps a thread: four of those would be all.
  server.set_keep_alive_max_count(1);
  server.set_read_timeout(kIoTime);
  server.set_write_timeout(kIoTime);
  server.set_payload_max_length(kLargestRequest);
  // Without SO_REUSEPORT, which the library sets by itself: a second server on the port must fail, not share.
  server.set_socket_options([](int socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.Get(".*", [door = listening.door](const httplib::Request& request, httplib::Response& response) {
    const std::scoped_lock lock(door->mutex);
    response.status = 503;
    if (door->open) door->respond(door->context, {request.path.data(), request.path.size()}, &response, answer);
  });
}

void* serve(const char* address, int port, void* context, Respond respond, void* error_context, Take error) noexcept {
  const auto failed = [&](std::string_view why) -> void* {
    error(error_context, {why.data(), why.size()});
    return nullptr;
  };
  try {
    auto listening = std::make_shared<Listening>();
    listening->door->respond = respond;
    listening->door->context = context;
    set_up(*listening);
    errno = 0;
    listening->port = port == 0 ? listening->server.bind_to_any_port(address)
                                : (listening->server.bind_to_port(address, port) ? port : -1);
    if (listening->port <= 0) return failed(errno != 0 ? std::strerror(errno) : "no such address");
    std::thread([listening] {
      block_broken_pipe();
      listening->server.listen_after_bind();
      const std::scoped_lock lock(listening->mutex);
      listening->ended = true;
      listening->ended_signal.notify_all();
    }).detach();
    // A stop before it runs would be lost on it.
    while (!listening->server.is_running()) {
      std::unique_lock lock(listening->mutex);
      if (listening->ended_signal.wait_for(lock, std::chrono::milliseconds(1), [&] { return listening->ended; })) {
        return failed("it ended at once");
      }
    }
    return new std::shared_ptr<Listening>(std::move(listening));
  } catch (const std::exception& exception) {
    return failed(exception.what());
  } catch (...) {
    return failed("unknown exception");
  }
}

int port_of(const void* server) noexcept { return (*static_cast<const std::shared_ptr<Listening>*>(server))->port; }

void stop(void* server) noexcept {
  auto* const handle = static_cast<std::shared_ptr<Listening>*>(server);
  const std::shared_ptr<Listening> listening = *handle;
  delete handle;
  {
    const std::scoped_lock lock(listening->door->mutex);
    listening->door->open = false;
  }
  listening->server.stop();
  std::unique_lock lock(listening->mutex);
  listening->ended_signal.wait_for(lock, kStopTime, [&] { return listening->ended; });
}

constexpr Library kLibrary{.version = kLibraryVersion, .get = get, .serve = serve, .port = port_of, .stop = stop};

}  // namespace
}  // namespace wattle::http

extern "C" __attribute__((visibility("default"))) const wattle::http::Library* wattle_http_library() {
  return &wattle::http::kLibrary;
}
