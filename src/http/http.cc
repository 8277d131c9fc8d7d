#include "http/http.h"

#include <fmt/format.h>

#include <utility>

#include "http/loading.h"

namespace wattle::http {
namespace {

constexpr std::size_t kLargestAnswer = 65'536;

void take_string(void* context, Bytes bytes) noexcept {
  static_cast<std::string*>(context)->assign(bytes.data, bytes.size);
}

void respond(void* context, Bytes path, void* reply, Answer answer) noexcept {
  Response response{.status = 500, .type = "text/plain; charset=utf-8", .body = "the page could not be made\n"};
  try {
    response = (*static_cast<const Handler*>(context))(std::string(path.data, path.size));
  } catch (...) {
    // Whoever asked is told; the server goes on.
  }
  answer(reply, response.status, {response.type.data(), response.type.size()},
         {response.body.data(), response.body.size()});
}

}  // namespace

Server::Server(const Library* library, std::unique_ptr<Handler> handler, void* server)
    : library_(library), handler_(std::move(handler)), server_(server) {}

Server::Server(Server&& other) noexcept
    : library_(other.library_), handler_(std::move(other.handler_)), server_(std::exchange(other.server_, nullptr)) {}

Server::~Server() {
  if (server_ != nullptr) library_->stop(server_);
}

int Server::port() const { return library_->port(server_); }

Result<std::string> Http::get(const std::string& url, Nanoseconds time) const {
  std::string said;
  const Outcome outcome = library_->get(url.c_str(), time.value, kLargestAnswer, &said, take_string);
  if (outcome == Outcome::done) return said;
  return fail(outcome == Outcome::refused ? ErrorKind::failed : ErrorKind::environment, std::move(said));
}

Result<Server> Http::serve(const std::string& address, int port, Handler handler) const {
  auto kept = std::make_unique<Handler>(std::move(handler));
  std::string error;
  void* server = library_->serve(address.c_str(), port, kept.get(), respond, &error, take_string);
  if (server == nullptr) {
    return fail(ErrorKind::environment, fmt::format("cannot listen on {} port {}: {}", address, port, error));
  }
  return Server(library_, std::move(kept), server);
}

Result<Http> load_http(const std::filesystem::path& program) {
  const auto loaded = load_library(program, kLibraryFile, kLibraryEntry, "HTTP");
  if (!loaded) return tl::unexpected(loaded.error());
  const auto* library = static_cast<const Library*>(*loaded);
  if (library == nullptr || library->version != kLibraryVersion) return of_another_build(kLibraryFile);
  return Http(library);
}

}  // namespace wattle::http
