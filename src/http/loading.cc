#include "http/loading.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace wattle::http {

Result<const void*> load_library(const std::filesystem::path& program, const char* file, const char* entry,
                                 const char* what) {
  const std::filesystem::path path = program.parent_path().parent_path() / "lib/wattle" / file;
  // Never closed: its threads may outlive a question that was given up.
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return fail(ErrorKind::environment, fmt::format("cannot load {}: {}", what, why != nullptr ? why : path.string()),
                fmt::format("it is built and installed with wattle, as lib/wattle/{} beside bin/", file));
  }
  using Entry = const void* (*)();
  const auto function = reinterpret_cast<Entry>(::dlsym(handle, entry));
  if (function == nullptr) return of_another_build(file);
  return function();
}

tl::unexpected<Error> of_another_build(const char* file) {
  return fail(ErrorKind::environment, fmt::format("{} is of another build of wattle", file),
              "build or install both together");
}

}  // namespace wattle::http
