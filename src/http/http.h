// HTTP for those who need it, loaded when they do: a client for devices on the local network, and a server of pages and
// metrics. The work is done by cpp-httplib in a library of its own (library.h), because it comes with OpenSSL, which no
// start of a program should wait for.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "http/library.h"

namespace wattle::http {

struct Response {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};
// Given the path of a GET, without what follows "?". Called from the server's threads, one at a time; what it throws is
// answered by 500.
using Handler = std::function<Response(const std::string& path)>;

// Listens until it is destroyed, which waits for a request in progress for two seconds at most.
class Server {
 public:
  // Takes what Library::serve gave, with the handler that it was given.
  Server(const Library* library, std::unique_ptr<Handler> handler, void* server);
  Server(Server&&) noexcept;
  Server& operator=(Server&&) = delete;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();
  [[nodiscard]] int port() const;

 private:
  const Library* library_;
  std::unique_ptr<Handler> handler_;  // where the server's threads find it, wherever this object is moved
  void* server_;
};

// Cheap to copy; the library stays loaded. Thread-safe.
class Http {
 public:
  explicit Http(const Library* library) : library_(library) {}
  // The body of http://HOST[:PORT]/PATH, of 64 KiB at most, within `time` in all: looking up the name, connecting, and
  // every byte, however slowly they come. Other schemes and redirects are refused. Kind failed: the answer was another
  // status than 200, or too long; kind environment: there was none.
  [[nodiscard]] Result<std::string> get(const std::string& url, Nanoseconds time) const;
  // Serves at once; port 0 takes a free one. Few threads, one request a connection, five seconds for each read and
  // write. There is no encryption and no password: an address other than the loopback shows everything to its network.
  // Fails (environment) where the port is taken or may not be had.
  [[nodiscard]] Result<Server> serve(const std::string& address, int port, Handler handler) const;

 private:
  const Library* library_;
};

// From ../lib/wattle beside the program's folder, as built and as installed. Fails (environment) where it is not there
// or of another build.
[[nodiscard]] Result<Http> load_http(const std::filesystem::path& program);

}  // namespace wattle::http
