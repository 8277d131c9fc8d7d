// What a question is answered with: a sentence, tables, and what limits them. Pure values; reports only lay them out.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wattle::analysis {

// What a column's numbers are. In programs (JSON, CSV) they are plain SI numbers; for people they get a unit.
enum class Unit {
  none,      // words, or numbers without a unit
  count,     // whole
  joules,    //
  seconds,   //
  watts,     //
  percent,   // stored as a part, 0.21; shown as 21 %
  change,    // stored as a ratio, 0.79; shown as −21 %
  p_value,   //
  effect,    // rho, delta, eta²: two decimals, with a sign
  per_item,  // joules or seconds an image: three significant digits
};

struct Column {
  std::string key;   // stable, with the unit: "energy_j"; its interval is "energy_j_low" and "energy_j_high"
  std::string head;  // for people: "energy"
  Unit unit = Unit::none;
  bool interval = false;  // cells carry low and high
};

// A word, a number with or without an interval, or nothing with the reason.
struct Cell {
  std::string text;
  std::optional<double> value;
  std::optional<double> low;
  std::optional<double> high;
  std::string why_absent;
  bool at_least = false;  // the value is a lower bound: censored

  static Cell of(std::string words) { return {std::move(words), {}, {}, {}, {}, false}; }
  static Cell of(double number) { return {{}, number, {}, {}, {}, false}; }
  static Cell of(double number, std::optional<double> low, std::optional<double> high) {
    return {{}, number, low, high, {}, false};
  }
  static Cell of(std::optional<double> number, std::string why_absent) {
    return {{}, number, {}, {}, number ? std::string() : std::move(why_absent), false};
  }
  static Cell absent(std::string why) { return {{}, {}, {}, {}, std::move(why), false}; }
};

struct AnswerTable {
  std::string name;   // stable, one word: "groups"
  std::string title;  // for people
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // as many cells as columns
};

struct Answer {
  std::string question;             // its name: "side-by-side"
  std::string study;                //
  std::string sentence;             // the answer; says itself what it rests on
  std::string basis;                // of its energies: "measured", "estimated", "imported", "simulated", "absent"
  std::vector<AnswerTable> tables;  // the first is the answer's own; empty ones are left out
  std::vector<std::string> warnings;
  std::vector<std::string> method;  // how each number is computed, with source
};

}  // namespace wattle::analysis
