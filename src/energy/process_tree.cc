#include "energy/process_tree.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/text.h"
#include "energy/fields.h"

namespace wattle::energy {
namespace {

// Measured on a virtual machine (Linux 6.18, µs of CPU a file, 40 processes): pread of a kept file 1.2 to 2.1 for stat
// and 1.0 for io; open, read and close 2.9 to 4.5 and 2.8 to 3.7; with openat below a kept folder 3.1 to 4.1 and 3.1.
constexpr std::size_t kMostKept = 128;     // members whose files stay open: a quarter of the usual 1024 descriptors
constexpr std::size_t kBuffer = 4096;      // stat is below 1 KiB
constexpr std::size_t kDeepest = 4096;     // longer lines of parents are read another time, and loops never
constexpr int kTries = 3;                  // where processes vanish while they are read
constexpr std::int64_t kMost = 1LL << 40;  // ticks (348 years) or pages (4 PiB): more is garbage, and sums fit
constexpr std::int64_t kMostBytes = 1LL << 53;
// A pid that was an outsider's and is a member's now is found after at most this; in practice its number was missing in
// some scan between, which tells at once.
constexpr std::int64_t kForgetSeconds = 30;

template <class Integer>
std::optional<Integer> number(std::string_view word) {
  Integer value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> count(std::string_view word, std::int64_t most = kMost) {
  const auto value = number<std::int64_t>(word);
  return value && *value >= 0 && *value <= most ? value : std::nullopt;
}

// The first words of a line, empty where there are fewer.
template <std::size_t N>
std::array<std::string_view, N> words_of(std::string_view text) {
  std::array<std::string_view, N> words;
  for (std::string_view& word : words) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
  }
  return words;
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  const auto name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  // proc(5) numbers the fields from 1; the state, the first after the name, is number 3.
  const auto words = words_of<22>(text.substr(name_end + 1));
  const auto field = [&](std::size_t n) { return words[n - 3]; };
  const auto parent = number<pid_t>(field(4));
  const auto start = number<std::uint64_t>(field(22));
  const auto threads = count(field(20));
  const auto pages = count(field(24));
  if (field(3).size() != 1 || !parent || *parent < 0 || !start || !threads || !pages) return std::nullopt;
  ProcessStat stat{.zombie = field(3) == "Z" || field(3) == "X", .parent = *parent, .start_ticks = *start};
  stat.threads = *threads;
  stat.resident_pages = *pages;
  for (const std::size_t n : {14U, 15U, 16U, 17U}) {
    const auto ticks = count(field(n));
    if (!ticks) return std::nullopt;
    stat.cpu_ticks += *ticks;
  }
  return stat;
}

std::optional<ProcessIo> parse_process_io(std::string_view text) {
  const auto read = count(field_of(text, "read_bytes"), kMostBytes);
  const auto written = count(field_of(text, "write_bytes"), kMostBytes);
  if (!read || !written) return std::nullopt;
  return ProcessIo{*read, *written};
}

ProcessTree::ProcessTree(const std::filesystem::path& sysroot, pid_t root)
    : proc_(sysroot / "proc"), root_(root), folder_(::opendir(proc_.c_str()), &::closedir), buffer_(kBuffer, '\0') {}

std::optional<TreeUse> ProcessTree::scan(Nanoseconds now) {
  if (!root_seen_) {
    classify(root_, now);
    root_seen_ = is_member(root_);
  }
  if (!root_seen_ || !list()) return std::nullopt;
  forget(now);
  for (const pid_t pid : listed_) {
    if (!is_outsider(pid) && !is_member(pid)) classify(pid, now);
  }
  return add_up(read_members());
}

std::vector<pid_t> ProcessTree::members() const {
  std::vector<pid_t> pids;
  for (const Member& member : members_) pids.push_back(member.pid);
  return pids;
}

bool ProcessTree::list() {
  if (!folder_) return false;
  listed_.clear();
  ::rewinddir(folder_.get());
  while (const dirent* entry = ::readdir(folder_.get())) {
    const auto pid = number<pid_t>(static_cast<const char*>(entry->d_name));
    if (pid && *pid > 0) listed_.push_back(*pid);
  }
  std::sort(listed_.begin(), listed_.end());
  return true;
}

void ProcessTree::forget(Nanoseconds now) {
  auto listed = listed_.begin();
  std::erase_if(outsiders_, [&](const Outsider& outsider) {
    while (listed != listed_.end() && *listed < outsider.pid) ++listed;
    return listed == listed_.end() || *listed != outsider.pid || outsider.until <= now;
  });
  // Dropping a living member would count its past twice when it is found again, so a list without it is not believed
  // alone.
  std::erase_if(members_, [&](const Member& member) {
    if (std::binary_search(listed_.begin(), listed_.end(), member.pid)) return false;
    const auto stat = parse_process_stat(text_of(member.pid, KeptFile(), "stat"));
    return !stat || stat->start_ticks != member.start_ticks;
  });
}

// Climbs to the first process that is known. Where a parent ended on the way, its child has another one by now.
void ProcessTree::classify(pid_t pid, Nanoseconds now) {
  for (int tries = 0; tries < kTries; ++tries) {
    std::vector<std::pair<pid_t, std::uint64_t>> line;
    pid_t at = pid;
    bool inside = is_member(at);
    bool torn = false;
    while (!inside && !torn && at > 0 && !is_outsider(at)) {
      const auto stat = parse_process_stat(text_of(at, KeptFile(), "stat"));
      torn = !stat;
      if (torn) break;
      if (line.size() == kDeepest) return;
      line.emplace_back(at, stat->start_ticks);
      inside = at == root_ && !root_seen_;
      at = stat->parent;
      inside = inside || is_member(at);
    }
    if (torn && line.empty()) return;
    if (torn) continue;
    for (auto process = line.rbegin(); process != line.rend(); ++process) {
      if (inside) add_member(process->first, process->second);
      if (!inside) add_outsider(process->first, now);
    }
    return;
  }
}

void ProcessTree::add_member(pid_t pid, std::uint64_t start_ticks) {
  Member member;
  member.pid = pid;
  member.start_ticks = start_ticks;
  if (members_.size() < kMostKept) {
    const std::filesystem::path folder = proc_ / fmt::format("{}", pid);
    member.stat_file = KeptFile(folder / "stat");
    member.io_file = KeptFile(folder / "io");
  }
  members_.push_back(std::move(member));
}

// Spread over half of the time, so that no scan has to look at all of them again.
void ProcessTree::add_outsider(pid_t pid, Nanoseconds now) {
  const auto place = std::lower_bound(outsiders_.begin(), outsiders_.end(), pid,
                                      [](const Outsider& outsider, pid_t p) { return outsider.pid < p; });
  outsiders_.insert(place, {pid, now + seconds(kForgetSeconds - pid % (kForgetSeconds / 2))});
}

bool ProcessTree::is_member(pid_t pid) const {
  return std::any_of(members_.begin(), members_.end(), [&](const Member& member) { return member.pid == pid; });
}

bool ProcessTree::is_outsider(pid_t pid) const {
  const auto place = std::lower_bound(outsiders_.begin(), outsiders_.end(), pid,
                                      [](const Outsider& outsider, pid_t p) { return outsider.pid < p; });
  return place != outsiders_.end() && place->pid == pid;
}

std::string_view ProcessTree::text_of(pid_t pid, const KeptFile& kept, const char* name) {
  if (kept.open()) return kept.read(buffer_);
  return KeptFile(proc_ / fmt::format("{}/{}", pid, name)).read(buffer_);
}

// False: it is gone. io comes first: where stat can be read after it, io was denied and not just gone.
bool ProcessTree::read_member(Member& member) {
  member.io = parse_process_io(text_of(member.pid, member.io_file, "io"));
  const auto stat = parse_process_stat(text_of(member.pid, member.stat_file, "stat"));
  if (!stat || stat->start_ticks != member.start_ticks) return false;
  member.stat = *stat;
  return true;
}

// What a process used moves to its parent when that has waited for it. Parents are read first, so nothing is seen
// twice; what moved upwards behind the reader is missed, and then all is read again. False: never came to rest.
bool ProcessTree::read_members() {
  for (int tries = 0; tries < kTries; ++tries) {
    const std::size_t gone = std::erase_if(members_, [&](Member& member) { return !read_member(member); });
    if (gone == 0) return true;
  }
  return false;
}

// Living members' sum is complete (see TreeUse), so once it came to rest a fall is what nobody waited for.
void ProcessTree::Cumulative::set(std::int64_t sum, bool settled) {
  if (settled && sum + lost < total) lost = total - sum;
  total = std::max(total, sum + lost);
}

TreeUse ProcessTree::add_up(bool settled) {
  TreeUse use;
  std::int64_t ticks = 0;
  std::int64_t pages = 0;
  std::optional<ProcessIo> io = ProcessIo{};
  for (const Member& member : members_) {
    ticks += member.stat.cpu_ticks;
    pages += member.stat.resident_pages;
    use.processes += member.stat.zombie ? 0 : 1;
    use.threads += member.stat.zombie ? 0 : member.stat.threads;
    if (!member.io) io.reset();
    if (io) io = ProcessIo{io->read_bytes + member.io->read_bytes, io->write_bytes + member.io->write_bytes};
  }
  cpu_ticks_.set(ticks, settled);
  use.cpu_time = Nanoseconds{1'000'000'000 / ::sysconf(_SC_CLK_TCK)} * cpu_ticks_.total;
  use.resident_bytes = pages * ::sysconf(_SC_PAGESIZE);
  if (!io) return use;
  read_bytes_.set(io->read_bytes, settled);
  write_bytes_.set(io->write_bytes, settled);
  use.io = ProcessIo{read_bytes_.total, write_bytes_.total};
  return use;
}

}  // namespace wattle::energy
