// wattle store: looking after the file that keeps the runs.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "store/maintenance.h"

namespace wattle::cli {
namespace {

std::string megabytes(std::uintmax_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

int verify(const Context& context) {
  const auto found = store::verify(context.store);
  if (!found) return tell(found.error());
  const int verdict = found->faults.empty() ? 0 : 1;
  if (context.json) {
    nlohmann::json faults = nlohmann::json::array();
    for (const store::Fault& fault : found->faults) faults.push_back({{"run", fault.run}, {"fault", fault.what}});
    const int written = give(context, nlohmann::json{{"store", context.store.string()},
                                                     {"sound", found->faults.empty()},
                                                     {"schema", found->schema},
                                                     {"runs", found->runs},
                                                     {"traces", found->traces},
                                                     {"telemetry", found->telemetry},
                                                     {"plans", found->plans},
                                                     {"faults", std::move(faults)}});
    return written != 0 ? written : verdict;
  }
  std::string text;
  for (const store::Fault& fault : found->faults) {
    text += fmt::format("{}: {}\n", fault.run.empty() ? "store" : fault.run, printable(fault.what));
  }
  text += fmt::format("{}: schema {}, {} runs, {} traces, {} with telemetry, {} plans: {}\n", context.store.string(),
                      found->schema, found->runs, found->traces, found->telemetry, found->plans,
                      found->faults.empty() ? "sound" : fmt::format("{} faults", found->faults.size()));
  const int written = give(context, text);
  return written != 0 ? written : verdict;
}

int vacuum(const Context& context) {
  const auto done = store::vacuum(context.store);
  if (!done) return tell(done.error());
  if (context.json) {
    return give(context,
                nlohmann::json{
                    {"store", context.store.string()}, {"before_bytes", done->before}, {"after_bytes", done->after}});
  }
  return give(context, fmt::format("{}: {} before, {} after\n", context.store.string(), megabytes(done->before),
                                   megabytes(done->after)));
}

int migrate(const Context& context) {
  const auto done = store::migrate(context.store);
  if (!done) return tell(done.error());
  if (context.json) {
    return give(context, nlohmann::json{{"store", context.store.string()},
                                        {"from_schema", done->from},
                                        {"to_schema", done->to},
                                        {"steps", done->steps}});
  }
  std::string text;
  for (const std::string& step : done->steps) text += step + "\n";
  text += done->from == done->to
              ? fmt::format("{}: schema {}, nothing to do\n", context.store.string(), done->to)
              : fmt::format("{}: from schema {} to {}\n", context.store.string(), done->from, done->to);
  return give(context, text);
}

}  // namespace

void add_store(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("store", "Check, shrink or bring up to date the file that keeps the runs");
  sub->require_subcommand(1);
  sub->fallthrough();
  sub->footer(
      "Examples:\n  wattle store verify\n  wattle --store lab.db store verify --json\n  wattle store vacuum\n"
      "  wattle store migrate\nExit codes: 0 done, 1 verify found faults, 2 no store or a newer one, 3 it is being "
      "written, or the disk is full.");
  const auto add = [&](const char* name, const char* what, int (*work)(const Context&)) {
    CLI::App* one = sub->add_subcommand(name, what);
    one->fallthrough();
    one->callback([&context, &chosen, work] { chosen = [&context, work] { return work(context); }; });
  };
  add("verify", "Read everything once: every record, trace and checksum; name what is damaged", verify);
  add("vacuum", "Give back the room that is not used", vacuum);
  add("migrate", "Bring a store of an older schema up to date, and say what was done", migrate);
}

}  // namespace wattle::cli
