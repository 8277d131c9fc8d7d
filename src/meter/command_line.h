// A command that stands in one word, as 'wattle compare' is given it, split into an argument vector. Nothing of it is
// ever given to a shell.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wattle::meter {

// Words by the quoting rules of POSIX (Shell Command Language, 2.2): blanks separate, '…' is literal, "…" keeps all but
// \" \\ \$ \`, a backslash quotes one character. What only a shell could do is refused (bad_input) with the place: an
// operator (| & ; < > ( ) and newline), an expansion ($ `), a pattern (* ? [), a leading ~ or #, an assignment before
// the command, wherever they are not quoted.
[[nodiscard]] Result<std::vector<std::string>> split_words(std::string_view command);

// "{name}" replaced by its value in every word, once; braces around anything else stay as they are.
[[nodiscard]] std::vector<std::string> with_values(std::vector<std::string> words,
                                                   const std::map<std::string, std::string>& values);

// All combinations of the lists, the last list changing fastest: for -L a 1,2 -L b x,y.
using ParameterList = std::pair<std::string, std::vector<std::string>>;
[[nodiscard]] std::vector<std::map<std::string, std::string>> combinations(const std::vector<ParameterList>& lists);

}  // namespace wattle::meter
