// Columns of somebody's CSV as the samples that tests take. Empty cells, NA and NaN are missing: their rows are left
// out and counted aloud. What is not a number is an error with its place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/csv.h"
#include "base/result.h"
#include "cli/stats_request.h"
#include "stats/survival.h"

namespace wattle::cli {

// Whether a test may see infinite values: where it ranks, they are the largest; where it takes means, they are an
// error.
enum class Infinite { ranked, refused };

struct Group {
  std::string name;
  std::vector<double> values;
};

struct TwoSamples {
  Group x;
  Group y;  // of one length with x where they are pairs
};

class StatsData {
 public:
  // Reads the file, or standard input for "-". The notes are where dropped rows are told.
  [[nodiscard]] static Result<StatsData> read(const StatsRequest& request, std::vector<std::string>& notes);

  [[nodiscard]] Result<std::vector<double>> values(const std::string& column, Infinite infinite);
  // Of --value in the groups of --by, in --groups' order, or as they come.
  [[nodiscard]] Result<std::vector<Group>> groups(Infinite infinite);
  // Two groups of --by, or the columns --x and --y, each with its own missing cells.
  [[nodiscard]] Result<TwoSamples> two_samples(Infinite infinite);
  // The same row by row: --x and --y, or two groups of --by joined by --pair. Pairs that lack a side are left out.
  [[nodiscard]] Result<TwoSamples> pairs(Infinite infinite);
  // --value until --event, by group; one group without --by.
  [[nodiscard]] Result<std::vector<std::pair<std::string, std::vector<stats::Lifetime>>>> lifetimes();
  // --value with its level of both columns of --by.
  struct Crossed {
    std::vector<double> values;
    std::vector<int> first;
    std::vector<int> second;
    std::vector<std::string> first_names;
    std::vector<std::string> second_names;
  };
  [[nodiscard]] Result<Crossed> crossed();
  // Row by row the columns; `rows` are the lines of the file they stand in.
  struct Matrix {
    std::vector<double> values;
    std::vector<std::size_t> lines;
    std::vector<std::size_t> rows;  // places in the table
  };
  [[nodiscard]] Result<Matrix> matrix(const std::vector<std::string>& columns);
  [[nodiscard]] Result<std::vector<std::string>> texts(const std::string& column, const std::vector<std::size_t>& rows);

 private:
  StatsData(const StatsRequest& request, CsvTable table, std::vector<std::string>& notes)
      : request_(request), table_(std::move(table)), notes_(notes) {}

  [[nodiscard]] Result<std::size_t> column(const std::string& name, const char* option) const;
  [[nodiscard]] Result<std::optional<double>> number(const CsvCell& cell, Infinite infinite) const;
  void dropped(std::size_t rows, const std::string& why);
  [[nodiscard]] tl::unexpected<Error> at(const CsvCell& cell, const std::string& what, std::string hint = {}) const;

  const StatsRequest& request_;
  CsvTable table_;
  std::vector<std::string>& notes_;
};

}  // namespace wattle::cli
