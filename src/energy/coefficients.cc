#include "energy/coefficients.h"

#include <array>
#include <limits>

#include "base/text.h"
#include "energy/fields.h"

namespace wattle::energy {
namespace {

struct FamilyRow {
  std::string_view vendor;
  int family;
  int first_model;
  int last_model;
  int first_stepping;
  int last_stepping;
  CpuCoefficients coefficients;
};

constexpr int kAny = std::numeric_limits<int>::max();
constexpr std::string_view kIntel = "GenuineIntel";
constexpr std::string_view kAmd = "AuthenticAMD";

// Watts: Cloud Carbon Footprint (see the header). Which family and model numbers carry the name: Linux,
// arch/x86/include/asm/intel-family.h, and AMD's revision guides. Skylake-SP and Cascade Lake share model 85 and differ
// by stepping.
constexpr std::array<FamilyRow, 14> kFamilies{{
    {kIntel, 6, 85, 85, 5, 7, {"Cascade Lake", {0.64}, {3.97}}},
    {kIntel, 6, 85, 85, 0, 4, {"Skylake", {0.65}, {4.26}}},
    {kIntel, 6, 78, 78, 0, kAny, {"Skylake", {0.65}, {4.26}}},
    {kIntel, 6, 94, 94, 0, kAny, {"Skylake", {0.65}, {4.26}}},
    {kIntel, 6, 79, 79, 0, kAny, {"Broadwell", {0.71}, {3.69}}},
    {kIntel, 6, 86, 86, 0, kAny, {"Broadwell", {0.71}, {3.69}}},
    {kIntel, 6, 61, 61, 0, kAny, {"Broadwell", {0.71}, {3.69}}},
    {kIntel, 6, 71, 71, 0, kAny, {"Broadwell", {0.71}, {3.69}}},
    {kIntel, 6, 63, 63, 0, kAny, {"Haswell", {1.0}, {4.74}}},
    {kIntel, 6, 60, 60, 0, kAny, {"Haswell", {1.0}, {4.74}}},
    {kIntel, 6, 69, 70, 0, kAny, {"Haswell", {1.0}, {4.74}}},
    {kAmd, 23, 1, 1, 0, kAny, {"EPYC 1st generation", {0.82}, {2.55}}},
    {kAmd, 23, 49, 49, 0, kAny, {"EPYC 2nd generation", {0.47}, {1.69}}},
    {kAmd, 25, 0, 1, 0, kAny, {"EPYC 3rd generation", {0.45}, {2.02}}},
}};
constexpr CpuCoefficients kAverage{"average", {0.74}, {3.5}};

struct GpuRow {
  std::string_view word;  // as a word of the name
  GpuCoefficients coefficients;
};

// Watts: Cloud Carbon Footprint (cloudcarbonfootprint.org, Methodology, Appendix V). The first row that fits counts.
constexpr std::array<GpuRow, 5> kGpus{{{"T4", {"T4", {8.0}, {71.0}}},
                                       {"V100", {"V100", {35.0}, {306.0}}},
                                       {"A100", {"A100", {46.0}, {407.0}}},
                                       {"A10G", {"A10G", {18.0}, {153.0}}},
                                       {"P100", {"P100", {36.0}, {306.0}}}}};
// The same source's shares of a GPU's power limit, for those not in the table.
constexpr double kGpuIdleShare = 0.115;
constexpr double kGpuBusyShare = 1.02;

bool has_word(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto letter = [&](std::size_t i) {
      return i < text.size() && ((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z') ||
                                 (text[i] >= 'a' && text[i] <= 'z'));
    };
    if ((at == 0 || !letter(at - 1)) && !letter(at + word.size())) return true;
  }
  return false;
}

}  // namespace

CpuCoefficients cpu_coefficients(std::string_view cpuinfo) {
  const std::string_view vendor = field_of(cpuinfo, "vendor_id");
  const auto family = parse_integer(field_of(cpuinfo, "cpu family"));
  const auto model = parse_integer(field_of(cpuinfo, "model"));
  const auto stepping = parse_integer(field_of(cpuinfo, "stepping"));
  for (const FamilyRow& row : kFamilies) {
    if (row.vendor != vendor || family != row.family || !model || *model < row.first_model || *model > row.last_model) {
      continue;
    }
    const std::int64_t step = stepping.value_or(row.first_stepping);
    if (step >= row.first_stepping && step <= row.last_stepping) return row.coefficients;
  }
  return kAverage;
}

std::optional<GpuCoefficients> gpu_coefficients(std::string_view name, std::optional<Watts> power_limit) {
  for (const GpuRow& row : kGpus) {
    if (has_word(name, row.word)) return row.coefficients;
  }
  if (!power_limit || !(power_limit->value > 0.0)) return std::nullopt;
  return GpuCoefficients{"by its power limit", *power_limit * kGpuIdleShare, *power_limit * kGpuBusyShare};
}

}  // namespace wattle::energy
