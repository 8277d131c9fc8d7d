// libwattle_transfer.so: libcurl behind the function of transfer_library.h. Exceptions end here.
#include "http/transfer_library.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include <array>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>

namespace wattle::http {
namespace {

constexpr long kConnectTime = 30;
constexpr long kSlowest = 1000;  // bytes a second
constexpr long kMostRedirects = 5;
constexpr int kWaitMs = 100;

struct Question {
  CURL* curl;
  const TransferHooks* hooks;
  bool answered = false;  // the head was passed on
  bool stopped = false;
  std::array<char, CURL_ERROR_SIZE> error{};
};

// OpenSSL writes to sockets that the other side may have closed. The signal stays with this thread.
void block_broken_pipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

std::int64_t number(std::string_view text) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : -1;
}

// "bytes 100-199/200" (RFC 9110, 14.4); a star where the length is not known.
void read_range(std::string_view text, std::int64_t& first, std::int64_t& total) {
  const auto dash = text.find('-');
  const auto slash = text.find('/');
  if (!text.starts_with("bytes ") || dash == std::string_view::npos || slash == std::string_view::npos) return;
  first = number(text.substr(6, dash - 6));
  total = number(text.substr(slash + 1));
}

bool pass_head(Question& question) {
  question.answered = true;
  const int status = status_of(question.curl);
  std::int64_t first = status == 200 ? 0 : -1;
  std::int64_t total = -1;
  if (status == 200) {
    curl_off_t length = -1;
    curl_easy_getinfo(question.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    total = length;
  }
  curl_header* range = nullptr;
  if (status == 206 && curl_easy_header(question.curl, "Content-Range", 0, CURLH_HEADER, -1, &range) == CURLHE_OK) {
    read_range(range->value, first, total);
  }
  return question.hooks->head(question.hooks->context, status, first, total);
}

std::size_t write(char* data, std::size_t size, std::size_t count, void* context) {
  auto& question = *static_cast<Question*>(context);
  if (!question.answered && !pass_head(question)) {
    question.stopped = true;
    return 0;
  }
  const int status = status_of(question.curl);
  if (status != 200 && status != 206) return 0;
  question.stopped = !question.hooks->bytes(question.hooks->context, {data, size * count});
  return question.stopped ? 0 : size * count;
}

void set_up(Question& question, const TransferQuestion& asked) {
  CURL* curl = question.curl;
  curl_easy_setopt(curl, CURLOPT_URL, asked.url);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, asked.plain ? "http,https" : "https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (asked.authorities != nullptr) curl_easy_setopt(curl, CURLOPT_CAINFO, asked.authorities);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectTime);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kSlowest);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(asked.patience_s));
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "wattle");
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, question.error.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &question);
  // libcurl copies it.
  if (asked.from > 0) curl_easy_setopt(curl, CURLOPT_RANGE, (std::to_string(asked.from) + "-").c_str());
}

// Waits in small steps, so that a stop is heard although nothing comes.
CURLcode perform(CURLM* multi, Question& question) {
  int running = 1;
  while (running > 0) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    if (!question.hooks->go_on(question.hooks->context)) {
      question.stopped = true;
      return CURLE_ABORTED_BY_CALLBACK;
    }
    if (running > 0) curl_multi_poll(multi, nullptr, 0, kWaitMs, nullptr);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) return message->data.result;
  }
  return CURLE_FAILED_INIT;
}

Arrival judge(CURLcode code, const TransferQuestion& asked, Question& question, std::string& why) {
  const int status = status_of(question.curl);
  const bool good = status == 200 || status == 206;
  why = question.error.front() != '\0' ? question.error.data() : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OK:
    case CURLE_WRITE_ERROR:
      break;
    case CURLE_URL_MALFORMAT:
      why = "this is no URL";
      return Arrival::refused;
    case CURLE_UNSUPPORTED_PROTOCOL:
      why = status >= 300 && status < 400 ? "it redirects to an address that is not https://"
                                          : "only https:// addresses are fetched";
      return Arrival::refused;
    case CURLE_TOO_MANY_REDIRECTS:
      return Arrival::refused;
    case CURLE_OPERATION_TIMEDOUT:
      if (question.answered) {
        why = "below " + std::to_string(kSlowest) + " bytes a second for " + std::to_string(asked.patience_s) + " s";
      }
      return Arrival::broken;
    default:
      return Arrival::broken;
  }
  if (question.stopped) return Arrival::stopped;
  if (!question.answered && !pass_head(question)) return Arrival::stopped;
  if (good) return code == CURLE_OK ? Arrival::done : Arrival::broken;
  why = "HTTP status " + std::to_string(status);
  return Arrival::refused;
}

Arrival asked_of_curl(const TransferQuestion& asked, const TransferHooks& hooks, std::string& why) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  const std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi(curl_multi_init(), curl_multi_cleanup);
  why = "libcurl cannot start";
  if (initialised != CURLE_OK || curl == nullptr || multi == nullptr) return Arrival::broken;
  block_broken_pipe();
  Question question{.curl = curl.get(), .hooks = &hooks};
  set_up(question, asked);
  if (curl_multi_add_handle(multi.get(), curl.get()) != CURLM_OK) return Arrival::broken;
  const CURLcode code = perform(multi.get(), question);
  const Arrival arrival = question.stopped ? Arrival::stopped : judge(code, asked, question, why);
  curl_multi_remove_handle(multi.get(), curl.get());
  return arrival;
}

Arrival ask(const TransferQuestion* question, const TransferHooks* hooks, void* why_context, Take why) noexcept {
  Arrival arrival = Arrival::broken;
  try {
    std::string text;
    arrival = asked_of_curl(*question, *hooks, text);
    if (arrival != Arrival::done) why(why_context, {text.data(), text.size()});
  } catch (...) {
    constexpr std::string_view kWhy = "out of memory";
    why(why_context, {kWhy.data(), kWhy.size()});
  }
  return arrival;
}

constexpr TransferLibrary kLibrary{.version = kTransferVersion, .ask = ask};

}  // namespace
}  // namespace wattle::http

extern "C" __attribute__((visibility("default"))) const wattle::http::TransferLibrary* wattle_transfer_library() {
  return &wattle::http::kLibrary;
}
