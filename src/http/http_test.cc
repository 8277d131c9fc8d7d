#include "http/http.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace wattle::http {
namespace {

using testing::HasSubstr;

Http loaded() {
  auto http = load_http(std::filesystem::read_symlink("/proc/self/exe"));
  if (!http) throw std::runtime_error(http.error().message);
  return *http;
}

std::string url(int port, const std::string& path = "/") { return "http://127.0.0.1:" + std::to_string(port) + path; }

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A server that says what a script says, byte for byte, to each connection in turn, after it has read a request.
class RawServer {
 public:
  // The script returns when the stop is requested; false from say(): the client is gone.
  using Script = std::function<void(int socket, const std::stop_token& stop)>;

  explicit RawServer(Script script) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket_, 8) != 0 ||
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this, script = std::move(script)](const std::stop_token& stop) { loop(script, stop); });
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;
  ~RawServer() {
    thread_.request_stop();
    thread_.join();
    ::close(socket_);
  }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }

  static bool say(int socket, std::string_view text) {
    return ::send(socket, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  static void drip(int socket, const std::stop_token& stop) {
    for (int i = 0; i < 2000 && !stop.stop_requested() && say(socket, "x"); ++i) ::usleep(10'000);
  }

 private:
  void loop(const Script& script, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 20) != 1) continue;
      const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      ++connections_;
      char request[4096];
      if (::recv(client, request, sizeof request, 0) > 0) script(client, stop);
      ::close(client);
    }
  }

  int socket_;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::jthread thread_;
};

RawServer::Script saying(std::string text) {
  return [text](int socket, const std::stop_token&) { RawServer::say(socket, text); };
}

// A connection that the test itself makes.
int connected(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
  return socket;
}

TEST(Http, what_is_served_can_be_asked_for) {
  const Http http = loaded();
  const auto server = http.serve("127.0.0.1", 0, [](const std::string& path) {
    return Response{.status = path == "/metrics" ? 200 : 404, .type = "text/plain", .body = "you asked " + path};
  });
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_EQ(http.get(url(server->port(), "/metrics"), seconds(5)).value(), "you asked /metrics");
  EXPECT_EQ(http.get(url(server->port(), "/metrics?x=1"), seconds(5)).value(), "you asked /metrics");
  const auto other = http.get(url(server->port(), "/"), seconds(5));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::failed);
  EXPECT_EQ(other.error().message, "HTTP status 404");
}

TEST(HttpClient, a_server_that_drips_its_head_does_not_hold_the_asker) {
  const RawServer server([](int socket, const std::stop_token& stop) {
    RawServer::say(socket, "HTTP/1.1 200 OK\r\nX: ");
    RawServer::drip(socket, stop);
  });
  const auto answer = loaded().get(url(server.port()), milliseconds(200));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no answer within 200 ms");
  EXPECT_EQ(answer.error().kind, ErrorKind::environment);
}

TEST(HttpClient, a_server_that_drips_its_body_does_not_hold_the_asker) {
  const RawServer server([](int socket, const std::stop_token& stop) {
    RawServer::say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n");
    RawServer::drip(socket, stop);
  });
  const auto answer = loaded().get(url(server.port()), milliseconds(200));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no answer within 200 ms");
}

TEST(HttpClient, questions_given_up_end_their_connections) {
  std::atomic<int> left{0};
  const RawServer server([&](int socket, const std::stop_token& stop) {
    // Reads until the client is gone.
    char byte = 0;
    while (!stop.stop_requested()) {
      pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 20) == 1 && ::recv(socket, &byte, 1, 0) <= 0) break;
    }
    if (!stop.stop_requested()) ++left;
  });
  // More than may be without an answer at one time: each must be out of the way before the next eight are asked.
  for (int i = 0; i < 12; ++i) {
    const auto answer = loaded().get(url(server.port()), milliseconds(50));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "no answer within 50 ms");
  }
  while (left < 12) ::usleep(1000);
}

TEST(HttpClient, a_redirect_is_not_followed) {
  const RawServer elsewhere(saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
  const RawServer server(
      saying("HTTP/1.1 302 Found\r\nLocation: " + url(elsewhere.port()) + "\r\nContent-Length: 0\r\n\r\n"));
  const auto answer = loaded().get(url(server.port()), seconds(5));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("redirects are not followed"));
  EXPECT_EQ(answer.error().kind, ErrorKind::failed);
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST(HttpClient, an_answer_beyond_64_kib_is_refused_however_it_comes) {
  const std::string mebibyte(1U << 20U, 'x');
  const RawServer told(saying("HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + mebibyte));
  const RawServer untold(saying("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + mebibyte));
  const RawServer chunked([&](int socket, const std::stop_token& stop) {
    RawServer::say(socket, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (!stop.stop_requested() && RawServer::say(socket, "1000\r\n" + std::string(4096, 'x') + "\r\n")) continue;
  });
  for (const RawServer* server : {&told, &untold, &chunked}) {
    const auto answer = loaded().get(url(server->port()), seconds(20));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "the answer is longer than 65536 bytes");
  }
  const RawServer fits(saying("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + mebibyte.substr(0, 65536)));
  EXPECT_EQ(loaded().get(url(fits.port()), seconds(20)).value().size(), 65536U);
}

TEST(HttpClient, answers_that_are_no_http_are_errors) {
  for (const char* text : {"", "\r\n", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
                           "HTTP/1.1 999999999999 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"}) {
    const RawServer server(saying(text));
    EXPECT_FALSE(loaded().get(url(server.port()), seconds(5))) << text;
  }
}

TEST(HttpClient, nobody_there_is_told_apart_from_an_answer) {
  int port = 0;
  {
    const RawServer gone(saying(""));
    port = gone.port();
  }
  const auto answer = loaded().get(url(port), seconds(5));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::environment);
  const auto nowhere = loaded().get("http://no-such-host.invalid/", seconds(5));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind, ErrorKind::environment);
}

TEST(HttpClient, only_plain_http_to_a_host_is_asked) {
  for (const char* text : {"", "http://", "https://127.0.0.1/", "ftp://x/", "127.0.0.1", "http://:80/", "http://u@h/",
                           "http://h:0/", "http://h:65536/", "http://h:x/", "http://h:/", "http://[::1/",
                           "http://h/a b", "http://h/a\r\nX: y", "http://h\r\n/"}) {
    const auto answer = loaded().get(text, seconds(5));
    ASSERT_FALSE(answer) << text;
    EXPECT_THAT(answer.error().message, HasSubstr("only http://")) << text;
  }
}

TEST(HttpServer, a_port_that_is_taken_is_an_error) {
  const Http http = loaded();
  const auto page = [](const std::string&) { return Response{}; };
  const auto first = http.serve("127.0.0.1", 0, page);
  ASSERT_TRUE(first);
  const auto second = http.serve("127.0.0.1", first->port(), page);
  ASSERT_FALSE(second) << "two servers would share the requests between them";
  EXPECT_EQ(second.error().kind, ErrorKind::environment);
  EXPECT_THAT(second.error().message, HasSubstr("cannot listen on 127.0.0.1 port"));
  EXPECT_FALSE(http.serve("no-such-host.invalid", 0, page));
}

TEST(HttpServer, a_handler_that_throws_is_an_answer_of_500) {
  const Http http = loaded();
  const auto server = http.serve("127.0.0.1", 0, [](const std::string& path) -> Response {
    if (path == "/bad") throw std::runtime_error("no");
    return {.status = 200, .type = "text/plain", .body = "fine"};
  });
  ASSERT_TRUE(server);
  EXPECT_EQ(http.get(url(server->port(), "/bad"), seconds(5)).error().message, "HTTP status 500");
  EXPECT_EQ(http.get(url(server->port()), seconds(5)).value(), "fine");
}

TEST(HttpServer, it_listens_where_it_was_told_and_nowhere_else) {
  const auto server = loaded().serve("127.0.0.1", 0, [](const std::string&) { return Response{}; });
  ASSERT_TRUE(server);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(server->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);  // 127.0.0.2 is this machine too
  EXPECT_NE(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(socket);
}

TEST(HttpServer, stopping_does_not_wait_for_clients_that_never_come_to_an_end) {
  std::vector<int> sockets;
  std::jthread clients;
  {
    const auto server = loaded().serve("127.0.0.1", 0, [](const std::string&) { return Response{}; });
    ASSERT_TRUE(server);
    for (int i = 0; i < 5; ++i) {
      sockets.push_back(connected(server->port()));
      ASSERT_GE(sockets.back(), 0);
      RawServer::say(sockets.back(), "GET /");
    }
    clients = std::jthread([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        for (const int socket : sockets) RawServer::say(socket, "x");
        ::usleep(20'000);
      }
    });
    EXPECT_FALSE(loaded().get(url(server->port()), milliseconds(200))) << "all threads are held by those clients";
  }
  // That the server's end was reached is the claim: a server that waited would wait for ever.
  clients.request_stop();
  clients.join();
  for (const int socket : sockets) ::close(socket);
}

TEST(HttpServer, many_clients_are_answered_by_few_threads) {
  const Http http = loaded();
  std::atomic<int> within{0};
  std::atomic<int> most{0};
  const auto server = http.serve("127.0.0.1", 0, [&](const std::string&) {
    most = std::max<int>(most, ++within);
    --within;
    return Response{.status = 200, .type = "text/plain", .body = "yes"};
  });
  ASSERT_TRUE(server);
  std::atomic<int> answers{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 6; ++i) {
      clients.emplace_back([&] {
        for (int n = 0; n < 5; ++n) answers += http.get(url(server->port()), seconds(20)).value_or("") == "yes" ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(answers, 30);
  EXPECT_EQ(most, 1) << "the handler is called one at a time";
}

TEST(LoadHttp, where_the_library_is_not_the_error_says_what_is_missing) {
  const auto http = load_http("/nowhere/bin/wattle");
  ASSERT_FALSE(http);
  EXPECT_EQ(http.error().kind, ErrorKind::environment);
  EXPECT_THAT(http.error().hint, HasSubstr("lib/wattle/libwattle_http.so"));
}

}  // namespace
}  // namespace wattle::http
