#include "analysis/questions.h"

#include <algorithm>
#include <array>

namespace wattle::analysis {
namespace {

constexpr std::array kQuestions{
    Question{"correlation", "which hyperparameters move energy, time and performance?", "Wang", correlation_table},
    Question{"grid", "how many mutants win, tie and lose?", "Wang", grids},
    Question{"greener", "which mutants take less energy at no loss, failures counted?", "Wang", greener},
    Question{"susceptible", "do hyperparameters matter more side by side?", "Wang", susceptible},
    Question{"side-by-side", "what does training side by side change, for all and for each?", "Wang", side_by_side},
    Question{"target", "what does it take to reach the target? (--target)", "Geissler", to_target},
    Question{"spread", "how far apart are the worst and the best setting?", "Geissler", spread},
    Question{"heat-map", "what does each pair of two hyperparameters take?", "Geissler", heat_map},
    Question{"machines", "is the best setting of one environment the best of another?", "Geissler", machines},
    Question{"pretraining", "from how many fine-tunings on does pretraining pay?", "Geissler", pretraining},
    Question{"multitask", "does one training for all tasks take less than one for each?", "Geissler", multitask},
    Question{"cost-per-image", "what does an architecture cost in an environment, per image seen?", "del Rey",
             cost_per_image},
    Question{"reduction", "how much less would another architecture take?", "del Rey", reduction},
    Question{"omnibus", "do architectures differ at all, and which?", "del Rey", omnibus},
    Question{"front", "which cells are not beaten in both correctness and cost?", "del Rey", front},
    Question{"complexity", "do cost and utilisation follow the FLOPs?", "del Rey", complexity},
    Question{"interaction", "does what an architecture costs depend on the environment?", "del Rey", interaction},
    Question{"placement", "in which environment does each architecture cost least?", "del Rey", placement},
    Question{"outliers", "what do declared outlier rules leave out, and what would be without them?", "", outliers},
    Question{"methods", "how would a paper say what was done?", "", methods},
    Question{"drift", "did the machine change while the study ran?", "", drift},
};

}  // namespace

std::span<const Question> questions() { return kQuestions; }

const Question* question(std::string_view name) {
  const auto* found = std::find_if(kQuestions.begin(), kQuestions.end(), [&](const auto& q) { return q.name == name; });
  return found == kQuestions.end() ? nullptr : found;
}

}  // namespace wattle::analysis
