// A study in its shortest form, to see that everything in it runs.
#pragma once

#include "study/study.h"

namespace wattle::study {

// One block, and every default that counts how long to train ("epochs", "max_steps" …) at the least its domain allows;
// by name another study ("NAME (smoke)"), so that its runs are nobody's results. Waiting for coolness or quiet is left
// out.
[[nodiscard]] Study smoke(Study study);

}  // namespace wattle::study
