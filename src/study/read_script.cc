#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "study/placeholders.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

using std::filesystem::path;

constexpr std::size_t kLongestFile = 64U << 20U;
constexpr std::size_t kLongestTemplate = 1U << 20U;

// Collects what a script consists of, and which of its parameters are used somewhere.
class Script {
 public:
  Script(Section& section, Workload& workload, std::vector<std::string> parameters, Reading& reading)
      : section_(section), workload_(workload), reading_(reading), known_(std::move(parameters)) {
    known_.insert(known_.end(), std::begin(kOwnPlaceholders), std::end(kOwnPlaceholders));
  }

  void read_command(const toml::array& elements) {
    if (elements.empty()) {
      section_.complain("command", "`command` is empty", R"(for example ["python3", "train.py"])");
    }
    for (const toml::node& node : elements) {
      const auto* text = node.as_string();
      if (text == nullptr) {
        const auto value = value_of(node);
        mistake(node, fmt::format("`command` holds {}, but takes text in quotes", kind_of(node)),
                value ? fmt::format("write \"{}\"", to_text(*value)) : "");
      } else if (text->get().find('\0') != std::string::npos) {
        mistake(node, "`command` holds a NUL byte");
      } else {
        read_element(node, text->get());
      }
    }
    if (!workload_.command.empty() && workload_.command.front().empty()) mistake(elements[0], "the program is empty");
  }

  void read_files(const toml::array& names) {
    for (const toml::node& node : names) {
      const auto* text = node.as_string();
      if (text == nullptr) {
        mistake(node, fmt::format("`files` holds {}, but takes text in quotes", kind_of(node)));
      } else {
        add_file(node, text->get());
      }
    }
  }

  void read_render(const toml::array& entries) {
    for (const toml::node& node : entries) {
      if (const auto* table = node.as_table()) {
        read_rendered(*table);
      } else {
        mistake(node, fmt::format("`render` holds {}, but takes tables", kind_of(node)),
                R"(write render = [{ template = "config.yaml.in", target = "config.yaml" }])");
      }
    }
  }

  // A parameter that reaches the program nowhere would make mutants that change nothing.
  void check_all_used(const toml::table* parameters) const {
    for (const Parameter& parameter : workload_.parameters) {
      if (used_.contains(parameter.name) || parameters == nullptr) continue;
      for (auto&& [key, node] : *parameters) {
        if (key.str() != parameter.name) continue;
        reading_.mistakes.add(
            position_of(key),
            fmt::format("parameter `{}` is used neither in `command` nor in a rendered file: changing "
                        "it would change nothing",
                        parameter.name),
            fmt::format("add \"{{{}}}\" to `command`", parameter.name));
      }
    }
  }

  [[nodiscard]] std::string version() const { return script_version(contents_, named_command_); }

 private:
  void mistake(const toml::node& node, std::string message, std::string suggestion = {}) const {
    reading_.mistakes.add(position_of(node), std::move(message), std::move(suggestion));
  }

  void read_element(const toml::node& node, const std::string& element) {
    const bool program = workload_.command.empty();
    workload_.command.push_back(element);
    named_command_.push_back(element);
    if (const auto flag = as_switch(element)) {
      use(node, flag->parameter);
      const Parameter* parameter = find(flag->parameter);
      if (parameter != nullptr && parameter->type != ParameterType::boolean) {
        mistake(node,
                fmt::format("{} switches on `{}`, which is {}, not bool", code(element), flag->parameter,
                            to_string(parameter->type)),
                fmt::format("write \"{}\", \"{{{}}}\"", flag->flag, flag->parameter));
      }
      return;
    }
    if (element.find("{-") != std::string::npos && element.find(':') != std::string::npos) {
      mistake(node, fmt::format("the switch in {} must be an element of its own", code(element)));
    }
    const auto names = placeholders(element);
    for (const std::string& name : names) use(node, name);
    if (names.empty()) note_file_of(node, element, program);
  }

  // Elements that are files: the script (known by its ending), and a program given by a path. A program outside the
  // study's folder belongs to the machine: it must exist, but is no part of the version.
  void note_file_of(const toml::node& node, const std::string& element, bool program) {
    static constexpr std::array<std::string_view, 9> kEndings{".py", ".sh", ".R",  ".r",  ".jl",
                                                              ".js", ".pl", ".rb", ".lua"};
    const bool script = !element.starts_with('-') && !script_found_ &&
                        std::any_of(kEndings.begin(), kEndings.end(), [&](auto end) { return element.ends_with(end); });
    const path given(element);
    if (script) {
      script_found_ = true;
      if (add_file(node, element)) named_command_.back() = known_as(given);
    } else if (program && given.is_relative() && element.find('/') != std::string::npos) {
      if (add_file(node, element)) named_command_.back() = known_as(given);
    } else if (program) {
      std::error_code ignored;
      if (given.is_absolute() && !std::filesystem::exists(given, ignored)) {
        mistake(node, fmt::format("{} does not exist", printable(element)));
      }
      named_command_.back() = given.filename().string();
    }
  }

  static std::string known_as(const path& given) {
    return given.is_absolute() ? given.filename().string() : given.lexically_normal().string();
  }

  // Reads a file that is part of the version. False, and a mistake, where it cannot be read.
  bool add_file(const toml::node& node, const std::string& name) {
    auto content = read_named(node, name, kLongestFile);
    if (!content) return false;
    const std::string known = known_as(name);
    const bool there = std::any_of(contents_.begin(), contents_.end(), [&](const auto& c) { return c.name == known; });
    if (there) return true;
    contents_.push_back({known, std::move(*content)});
    workload_.files.push_back(name);
    return true;
  }

  std::optional<std::string> read_named(const toml::node& node, const std::string& name, std::size_t limit) const {
    const path where = (reading_.directory / name).lexically_normal();
    std::error_code ignored;
    if (name.empty() || !std::filesystem::exists(where, ignored)) {
      const std::string folder = reading_.directory.filename().string() + "/";
      mistake(node, path(name).is_absolute()
                        ? fmt::format("{} does not exist", printable(name))
                        : fmt::format("{} does not exist (looked in {})", printable(name), printable(folder)));
      return std::nullopt;
    }
    if (!std::filesystem::is_regular_file(where, ignored)) {
      mistake(node, fmt::format("{} is not a regular file", printable(name)));
      return std::nullopt;
    }
    auto content = read_text(where, limit);
    if (content) return std::move(*content);
    mistake(node, content.error().message, content.error().hint);
    return std::nullopt;
  }

  void read_rendered(const toml::table& table) {
    Section section(table, "render", reading_.mistakes);
    section.require("template", R"(for example template = "config.yaml.in")");
    section.require("target", R"(for example target = "config.yaml")");
    const auto source = section.text("template");
    const auto target = section.text("target");
    section.finish();
    if (target && (path(*target).has_parent_path() || *target == "." || *target == "..")) {
      section.complain("target", fmt::format("{} is not a plain file name", code(*target)),
                       "it is written into {run_dir}");
    }
    if (!source || !target) return;
    const bool twice = std::any_of(workload_.rendered.begin(), workload_.rendered.end(),
                                   [&](const RenderedFile& other) { return other.target == *target; });
    if (twice) section.complain("target", fmt::format("two templates are written to {}", code(*target)));
    const toml::node& node = *table.get("template");
    auto content = read_named(node, *source, kLongestTemplate);
    if (!content) return;
    int line = 1;
    for (const std::string& text : split(*content, '\n')) {
      for (const std::string& name : placeholders(text))
        use(node, name, fmt::format(" in line {} of {}", line, *source));
      ++line;
    }
    contents_.push_back({"template of " + *target, *content});
    workload_.rendered.push_back({*source, *target, std::move(*content)});
  }

  [[nodiscard]] const Parameter* find(std::string_view name) const {
    const auto found = std::find_if(workload_.parameters.begin(), workload_.parameters.end(),
                                    [&](const Parameter& parameter) { return parameter.name == name; });
    return found == workload_.parameters.end() ? nullptr : &*found;
  }

  void use(const toml::node& node, const std::string& name, const std::string& where = {}) {
    used_.insert(name);
    if (std::count(known_.begin(), known_.end(), name) > 0) return;
    const auto meant = nearest(name, known_);
    if (meant) used_.insert(*meant);  // the typing error is told; that the parameter is unused would be its echo
    mistake(node, fmt::format("unknown placeholder {{{}}}{}", name, where),
            meant ? fmt::format("did you mean {{{}}}?", *meant)
                  : fmt::format("declare it in [workload.{}.parameters], or write {{{{{}}}}} for plain text",
                                workload_.name, name));
  }

  Section& section_;
  Workload& workload_;
  Reading& reading_;
  std::vector<std::string> known_;
  std::set<std::string, std::less<>> used_;
  std::vector<NamedContent> contents_;
  std::vector<std::string> named_command_;  // free of absolute paths to program and script
  bool script_found_ = false;
};

void refuse_builtin_keys(Section& section) {
  for (const char* key : {"model", "dataset", "data", "defaults"}) {
    if (section.find(key) == nullptr) continue;
    section.complain(key, fmt::format("`{}` belongs to the built-in trainer", key),
                     std::string_view(key) == "defaults" ? "a script's defaults stand in its `parameters`"
                                                         : R"(add trainer = "builtin", or leave it out)");
  }
}

void check_names(const toml::table& table, const std::string& title, Mistakes& mistakes) {
  for (auto&& [key, node] : table) {
    const std::string_view name = key.str();
    if (!is_parameter_name(name)) {
      mistakes.add(position_of(key), fmt::format("{} cannot be a parameter's name", code(name)),
                   "use letters, digits and underscores");
    } else if (std::count(std::begin(kOwnPlaceholders), std::end(kOwnPlaceholders), name) > 0) {
      mistakes.add(position_of(key), fmt::format("{{{}}} is filled in by Wattle; it cannot be a parameter", name),
                   "leave it out");
    } else if (!node.is_table()) {
      const auto value = value_of(node);
      mistakes.add(position_of(node), fmt::format("`{}` in {} must be a table, not {}", name, title, kind_of(node)),
                   value ? fmt::format("write {} = {{ default = {} }}", name,
                                       node.is_string() ? fmt::format("\"{}\"", to_text(*value)) : to_text(*value))
                         : "");
    }
  }
}

}  // namespace

void read_script(Section& section, ReadWorkload& read, Reading& reading) {
  Workload& workload = read.workload;
  refuse_builtin_keys(section);
  const std::string title = fmt::format("[workload.{}.parameters]", printable(workload.name));
  const toml::table* parameters = section.table("parameters", title);
  ReadParameters declared_parameters;
  if (parameters != nullptr) {
    check_names(*parameters, title, reading.mistakes);
    declared_parameters = read_parameters(*parameters, title, reading.mistakes);
    workload.parameters = std::move(declared_parameters.sound);
  }
  for (const std::string& name : declared_parameters.names) {
    const bool sound = std::any_of(workload.parameters.begin(), workload.parameters.end(),
                                   [&](const Parameter& parameter) { return parameter.name == name; });
    if (!sound) read.faulty.push_back(name);
  }
  if (section.find("trainer") == nullptr && section.find("command") == nullptr) {
    reading.mistakes.add(section.position(), fmt::format("{} has neither `trainer` nor `command`", section.title()),
                         R"(for example command = ["python3", "train.py"])");
  }
  Script script(section, workload, std::move(declared_parameters.names), reading);
  const toml::array* command =
      section.list("command", R"(command = ["python3", "train.py", "--lr", "{learning_rate}"])");
  if (command != nullptr) script.read_command(*command);
  if (const auto* files = section.list("files", R"(files = ["model.py"])")) script.read_files(*files);
  if (const auto* render = section.list("render", R"(render = [{ template = "c.in", target = "c.yaml" }])")) {
    script.read_render(*render);
  }
  if (command != nullptr) script.check_all_used(parameters);
  workload.use_terminal = section.word("output", {"terminal", "pipe"}) != "pipe";
  const auto declared = section.text("version");
  workload.version = declared ? *declared : script.version();
}

}  // namespace wattle::study
