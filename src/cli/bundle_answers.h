// What a bundle says of its runs: the report and every question's answer, and the script that makes them again.
// Internal to cli.
#pragma once

#include <span>
#include <string>

#include "analysis/questions.h"
#include "base/result.h"
#include "cli/bundle_files.h"
#include "record/record.h"

namespace wattle::cli {

// Adds report.*, answers/ and again.sh to `files`, each file with the bytes that `wattle report` writes into one. A
// question that these runs cannot answer is left out; answers/README.md says which, and why. So is a file of an answer
// with more than 100,000 rows.
void add_findings(std::span<const record::Record> records, const std::string& study, const analysis::Asked& asked,
                  BundleFiles& files);

}  // namespace wattle::cli
