// A confidence interval, closed.
#pragma once

namespace wattle::stats {

struct Interval {
  double low = 0.0;    // may be minus infinity where values are
  double high = 0.0;   // may be infinite: open above
  double level = 0.0;  // what it really covers: at least what was asked for where exact
  bool exact = true;   // false: by an approximation for large samples
};

}  // namespace wattle::stats
