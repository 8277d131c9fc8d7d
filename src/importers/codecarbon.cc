// CodeCarbon's emissions.csv: a row a run, energies in kWh.
//
// The file does not tell how its energies came about: without access to RAPL the processor's is a share of its TDP, and
// memory is always a constant per module. So all of it is estimated here, the GPU's with it, because parts of one sum
// must be of one kind.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/text.h"
#include "importers/draft.h"
#include "importers/sheet.h"

namespace wattle::importers {
namespace {

constexpr double kJoulesPerKwh = 3.6e6;
constexpr double kMostKwh = kMostJoules / kJoulesPerKwh;
// As wide as a model of TDP is, see docs/measurement.md.
constexpr double kGain = 0.4;

struct Source {
  const char* column;
  const char* domain;
  energy::DomainKind kind;
};
constexpr std::array kSources{Source{"cpu_energy", "package", energy::DomainKind::package},
                              Source{"gpu_energy", "gpu", energy::DomainKind::gpu},
                              Source{"ram_energy", "ram", energy::DomainKind::dram}};

Part part_of(const char* domain, energy::DomainKind kind, std::optional<double> kwh, const char* column) {
  Part part{{.name = domain,
             .kind = kind,
             .provenance = energy::Provenance::model,
             .source = "imported: CodeCarbon, measured or estimated is not told",
             .parent = {},
             .gain_uncertainty = kGain},
            std::nullopt,
            fmt::format("no {} in the file", column)};
  if (kwh) part.energy = Joules{*kwh * kJoulesPerKwh};
  return part;
}

void take_energies(Row& row, Draft& draft) {
  double sum = 0.0;
  bool any = false;
  for (const Source& source : kSources) {
    const auto kwh = row.number(source.column, 0.0, kMostKwh);
    any = any || kwh;
    sum += kwh.value_or(0.0);
    draft.parts.push_back(part_of(source.domain, source.kind, kwh, source.column));
  }
  const auto whole = row.number("energy_consumed", 0.0, kMostKwh);
  if (!any && whole) {
    draft.parts = {part_of("machine", energy::DomainKind::other, whole, "energy_consumed")};
  } else if (whole && std::abs(sum - *whole) > 0.001 * *whole) {
    draft.flags.push_back(
        fmt::format("parts add up to {} kWh where energy_consumed is {}", shortest(sum), shortest(*whole)));
  }
}

Draft draft_of(Row& row, const Sheet& sheet, const Request& request) {
  Draft draft;
  draft.file = sheet.name();
  draft.identity = row.content();
  draft.workload = row.text("project_name");
  if (!request.workload.empty()) draft.workload = request.workload;
  if (draft.workload.empty()) draft.workload = sheet.stem();
  for (const char* name : {"cpu_model", "gpu_model"}) {
    const std::string model = row.text(name);
    if (model.empty()) continue;
    draft.environment.name = draft.fingerprint.count("cpu") == 0 && draft.fingerprint.empty()
                                 ? model
                                 : draft.environment.name + ", " + model;
    draft.fingerprint[std::string_view(name) == "cpu_model" ? "cpu" : "gpu"] = model;
  }
  if (!request.environment.empty()) draft.environment.name = request.environment;
  for (const char* name : {"run_id", "experiment_id", "tracking_mode", "codecarbon_version", "os", "python_version"}) {
    if (const std::string told = row.text(name); !told.empty()) draft.fingerprint[name] = told;
  }
  if (const auto duration = row.number("duration", 0.0, kMostSeconds)) draft.duration = Seconds{*duration};
  take_energies(row, draft);
  draft.metric.name = "accuracy";
  return draft;
}

}  // namespace

Result<void> read_codecarbon(const Request& request, Intake& intake) {
  for (const auto& file : request.files) {
    const auto sheet = Sheet::read(file);
    if (!sheet) return tl::unexpected(sheet.error());
    if (const auto there = sheet->require({"duration", "energy_consumed"}); !there) return there;
    for (std::size_t i = 0; i < sheet->rows().size(); ++i) {
      Row row(*sheet, i, intake.mistakes);
      row.strict();
      Draft draft = draft_of(row, *sheet, request);
      if (row.good()) {
        intake.drafts.push_back(std::move(draft));
      } else {
        ++intake.bad_rows;
      }
    }
  }
  intake.notes.emplace_back("CodeCarbon's file does not tell what was measured: all of it counts as estimated");
  return {};
}

}  // namespace wattle::importers
