#include "study/placeholders.h"

#include "study/value.h"

namespace wattle::study {
namespace {

// The name if `text` begins with {name}.
std::optional<std::string_view> name_in_braces(std::string_view text) {
  if (!text.starts_with('{')) return std::nullopt;
  const std::size_t end = text.find_first_of("{}", 1);
  if (end == std::string_view::npos || text[end] != '}') return std::nullopt;
  const std::string_view name = text.substr(1, end - 1);
  if (!is_parameter_name(name)) return std::nullopt;
  return name;
}

}  // namespace

std::string filled(std::string_view text, const std::function<std::optional<std::string>(std::string_view)>& value) {
  std::string result;
  while (!text.empty()) {
    if (text.starts_with("{{")) {
      const auto name = name_in_braces(text.substr(1));
      if (name && text.substr(name->size() + 3).starts_with('}')) {
        result += text.substr(1, name->size() + 2);
        text.remove_prefix(name->size() + 4);
        continue;
      }
    }
    if (const auto name = name_in_braces(text)) {
      const std::string_view as_it_stands = text.substr(0, name->size() + 2);
      result += value(*name).value_or(std::string(as_it_stands));
      text.remove_prefix(as_it_stands.size());
      continue;
    }
    result += text.front();
    text.remove_prefix(1);
  }
  return result;
}

std::vector<std::string> placeholders(std::string_view text) {
  std::vector<std::string> names;
  const auto note = [&](std::string_view name) -> std::optional<std::string> {
    names.emplace_back(name);
    return std::nullopt;
  };
  (void)filled(text, note);
  return names;
}

std::optional<Switch> as_switch(std::string_view element) {
  if (!element.starts_with("{-") || !element.ends_with('}')) return std::nullopt;
  const std::string_view inner = element.substr(1, element.size() - 2);
  const std::size_t colon = inner.rfind(':');
  if (colon == std::string_view::npos || inner.find_first_of("{}") != std::string_view::npos) return std::nullopt;
  if (!is_parameter_name(inner.substr(colon + 1))) return std::nullopt;
  return Switch{std::string(inner.substr(0, colon)), std::string(inner.substr(colon + 1))};
}

}  // namespace wattle::study
