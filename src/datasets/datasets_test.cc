#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "base/text.h"
#include "datasets/data_set.h"
#include "datasets/fetch.h"
#include "datasets/verify.h"

namespace wattle::datasets {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kContent = "twelve bytes";

class Datasets : public testing::Test {
 public:
  Datasets(const Datasets&) = delete;
  Datasets& operator=(const Datasets&) = delete;

 protected:
  Datasets() : folder_(fs::temp_directory_path() / ("wattle_datasets_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    file_.name = "file.bin";
    file_.size = 12;
    file_.digest = {.kind = Digest::Kind::sha256, .hex = sha256(kContent)};
    file_.urls = {"https://first.example/file.bin", "https://second.example/file.bin"};
  }
  ~Datasets() override { fs::remove_all(folder_); }

  // A server: answers each request in turn, and remembers the addresses.
  using Answer = std::function<Result<void>(const http::TransferRequest&, http::TransferReceiver&)>;
  Result<Fetched> fetched(std::vector<Answer> answers, const FetchOptions& options = {}) {
    std::size_t next = 0;
    return fetch(
        file_, folder_,
        [&](const http::TransferRequest& request, http::TransferReceiver& receiver) -> Result<void> {
          asked_.push_back(request.url + "@" + std::to_string(request.from));
          if (next == answers.size()) return fail(ErrorKind::environment, "nobody is there");
          return answers[next++](request, receiver);
        },
        options);
  }
  // All of the text from where it was asked, up to `end`; whether it then broke off.
  static Answer sends(const std::string& text, std::size_t end, bool broken) {
    return [=](const http::TransferRequest& request, http::TransferReceiver& receiver) -> Result<void> {
      const auto size = static_cast<std::int64_t>(text.size());
      if (!receiver.head({.status = request.from > 0 ? 206 : 200, .first = request.from, .total = size}) ||
          !receiver.bytes(text.substr(static_cast<std::size_t>(request.from), end - request.from))) {
        return fail(ErrorKind::interrupted, "stopped");
      }
      if (broken) return fail(ErrorKind::environment, "broken");
      return {};
    };
  }
  static Answer refuses() {
    return [](const http::TransferRequest&, http::TransferReceiver& receiver) -> Result<void> {
      receiver.head({.status = 404, .first = {}, .total = {}});
      return fail(ErrorKind::failed, "HTTP status 404");
    };
  }
  [[nodiscard]] std::set<std::string> names_there() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.insert(entry.path().filename());
    return names;
  }

  fs::path folder_;
  File file_;
  std::vector<std::string> asked_;
};

TEST_F(Datasets, a_transfer_goes_on_at_the_next_address_with_what_the_first_gave) {
  const auto got = fetched({sends(kContent, 5, true), refuses(), sends(kContent, 12, false)});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->received, 12);
  EXPECT_THAT(asked_, testing::ElementsAre("https://first.example/file.bin@0", "https://first.example/file.bin@5",
                                           "https://second.example/file.bin@5"));
  EXPECT_EQ(read_text(folder_ / "file.bin").value(), kContent);
  EXPECT_EQ(names_there(), std::set<std::string>{"file.bin"});
}

TEST_F(Datasets, all_addresses_are_told_when_none_gives_the_file) {
  const auto got = fetched({refuses()});
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr("first.example/file.bin: HTTP status 404; https://second.example"));
  EXPECT_EQ(got.error().kind, ErrorKind::failed);
  EXPECT_TRUE(names_there().empty());
}

TEST_F(Datasets, wrong_bytes_never_get_the_name) {
  const auto got = fetched({sends("twelve bytez", 12, false), sends("twelve bytex", 12, false)});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::failed);
  EXPECT_THAT(got.error().message, HasSubstr("expected sha256 " + sha256(kContent)));
  EXPECT_TRUE(names_there().empty());
}

TEST_F(Datasets, a_stop_keeps_what_came) {
  std::stop_source stop;
  const auto got = fetched({[&](const http::TransferRequest&, http::TransferReceiver& receiver) -> Result<void> {
                             receiver.head({.status = 200, .first = 0, .total = 12});
                             receiver.bytes("twelve");
                             stop.request_stop();
                             EXPECT_FALSE(receiver.go_on());
                             return fail(ErrorKind::interrupted, "stopped");
                           }},
                           {.from = {}, .authorities = {}, .patience = {}, .stop = stop.get_token()});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::interrupted);
  EXPECT_THAT(got.error().hint, HasSubstr("6 of 12 bytes are in "));
  EXPECT_EQ(asked_.size(), 1U);
  EXPECT_EQ(read_text(folder_ / "file.bin.part").value(), "twelve");
}

TEST_F(Datasets, only_an_address_of_the_users_may_be_plain) {
  std::vector<bool> plain;
  const Answer look = [&](const http::TransferRequest& request, http::TransferReceiver&) -> Result<void> {
    plain.push_back(request.plain_http);
    return fail(ErrorKind::environment, "no");
  };
  EXPECT_FALSE(fetched({look, look}));
  EXPECT_FALSE(fetched({look}, {.from = "http://mirror.example/x", .authorities = {}, .patience = {}, .stop = {}}));
  EXPECT_EQ(plain, (std::vector<bool>{false, false, true}));
  EXPECT_EQ(asked_.back(), "http://mirror.example/x/file.bin@0");
}

TEST_F(Datasets, digests_are_those_of_the_standards) {
  std::ofstream(folder_ / "abc") << "abc";
  // RFC 1321 (A.5) and FIPS 180-2 (B.1).
  EXPECT_EQ(digest_of(folder_ / "abc", Digest::Kind::md5)->hex, "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(digest_of(folder_ / "abc", Digest::Kind::sha256)->hex,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(KnownDataSets, each_is_whole_and_has_a_source) {
  const std::vector<DataSet> sets = known_data_sets();
  std::set<std::string> names;
  for (const DataSet& set : sets) {
    EXPECT_TRUE(is_name(set.name) && names.insert(set.name).second) << set.name;
    EXPECT_FALSE(set.source.empty() || set.licence.empty() || set.citation.empty()) << set.name;
    EXPECT_FALSE(set.tried) << "say when and from where in known.cc and docs/data.md";
    for (const File& file : set.files) {
      EXPECT_TRUE(is_name(file.name) && file.size > 0 && !file.urls.empty()) << file.name;
      EXPECT_EQ(file.digest.hex.size(), hex_digits(file.digest.kind)) << file.name;
    }
  }
}

TEST(Names, none_leaves_its_folder_or_looks_like_a_flag) {
  for (const char* good : {"a", "cifar-10-binary.tar.gz", "9", "A_b.c"}) EXPECT_TRUE(is_name(good)) << good;
  for (const char* bad : {"", ".", "..", ".a", "-a", "a/b", "/a", "../a", "a b", "a\n", "é", "a.part"}) {
    EXPECT_FALSE(is_name(bad)) << bad;
  }
}

}  // namespace
}  // namespace wattle::datasets
