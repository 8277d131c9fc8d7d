"""The rules of the house as functions: each takes the root of a source tree and returns what breaks the rule there,
one sentence a violation. An empty list means that the rule is kept. No dependencies but the standard library."""

import re
from pathlib import Path

ARCHITECTURE = "docs/architecture.md"
TEXT = {".cc", ".h", ".cmake", ".txt", ".md", ".py", ".toml", ".json", ".sh", ".js", ".html", ".css", ".cff", ".in", ""}
GENERATED = {"build", "__pycache__", "node_modules", "local"}


def files(root, *folders, suffixes=TEXT):
    """Source files below the folders (all, where none is named), without what tools generate."""
    starts = [root / folder for folder in folders] if folders else [root]
    for start in starts:
        for path in sorted(start.rglob("*")):
            parts = path.relative_to(root).parts
            hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1])
            if path.is_file() and not hidden and not GENERATED & set(parts[:-1]) and path.suffix in suffixes:
                yield path


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


# --- The tables of docs/architecture.md ---------------------------------------------------------------------------


def fenced(markdown, name):
    block = re.search(rf"^```{name}\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    return block.group(1).splitlines() if block else []


def table(root, name):
    """The rows `left <- right` of one block as a list of (left words, right words)."""
    rows = (line.partition("<-") for line in fenced(read(root / ARCHITECTURE), name) if "<-" in line)
    return [(left.split(), right.split()) for left, _, right in rows]


def allowed_modules(root):
    rows = table(root, "modules")
    every = {left[0] for left, _ in rows}
    return {left[0]: every if right == ["*"] else set(right) for left, right in rows}


def cycle(graph):
    """Some module that reaches itself, or None."""
    for start in graph:
        seen, ahead = set(), list(graph[start])
        while ahead:
            here = ahead.pop()
            if here == start and graph[start] != set(graph):
                return start
            if here not in seen:
                seen.add(here)
                ahead.extend(graph.get(here, ()))
    return None


# --- Includes -----------------------------------------------------------------------------------------------------

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
SYSTEM_FOLDERS = ("sys/", "linux/", "netinet/", "arpa/", "asm/")
POSIX = set("""dirent.h dlfcn.h errno.h fcntl.h fenv.h glob.h ifaddrs.h libgen.h limits.h locale.h malloc.h math.h netdb.h
poll.h pthread.h pty.h pwd.h sched.h signal.h spawn.h stddef.h stdint.h stdio.h stdlib.h string.h syscall.h syslog.h termios.h
time.h unistd.h utmp.h wait.h""".split())


def includes(path):
    return INCLUDE.findall(read(path))


def of_the_system(header):
    return "." not in header and "/" not in header or header in POSIX or header.startswith(SYSTEM_FOLDERS)


def modules_include_only_what_the_table_allows(root):
    allowed = allowed_modules(root)
    if not allowed:
        return [f"{ARCHITECTURE}: no ```modules block"]
    broken = [f"{ARCHITECTURE}: `{cycle(allowed)}` depends on itself"] if cycle(allowed) else []
    for folder in sorted((root / "src").iterdir()):
        module = folder.name
        sources = list(files(root, f"src/{module}", suffixes={".cc", ".h"}))
        if sources and module not in allowed:
            broken.append(f"src/{module}: not in the ```modules block of {ARCHITECTURE}")
            continue
        for path in sources:
            where = path.relative_to(root)
            for bracket, header in includes(path):
                if bracket == "<":
                    if (root / "src" / header).exists():
                        broken.append(f"{where}: <{header}> is our own, include it with quotes")
                    continue
                other = header.split("/")[0]
                if not (root / "src" / header).is_file():
                    broken.append(f'{where}: "{header}" is no file of src/')
                elif other != module and other not in allowed[module]:
                    broken.append(f'{where}: `{module}` may not include "{header}"')
    return broken


def cmake_targets_depend_as_the_table_says(root):
    allowed, broken = allowed_modules(root), []
    for path in sorted((root / "src").glob("*/CMakeLists.txt")):
        module = path.parent.name
        call = re.search(r"wattle_module\(\s*(\w+)([^)]*)\)", read(path))
        if not call or module not in allowed:
            continue
        words = call.group(2).split()
        depends = words[words.index("DEPENDS") + 1:] if "DEPENDS" in words else []
        stated = set(depends[:depends.index("LIBRARIES")] if "LIBRARIES" in depends else depends)
        where = path.relative_to(root)
        if call.group(1) != module:
            broken.append(f"{where}: declares `{call.group(1)}` in the folder of `{module}`")
        if stated != allowed[module] - {module}:
            broken.append(f"{where}: depends on {sorted(stated)}, the table says {sorted(allowed[module] - {module})}")
    return broken


def libraries_stay_where_they_belong(root):
    rows = [(prefix, set(users)) for prefixes, users in table(root, "libraries") for prefix in prefixes]
    if not rows:
        return [f"{ARCHITECTURE}: no ```libraries block"]
    broken = []
    for path in files(root, "src", "trainer", "tests", "bench", suffixes={".cc", ".h"}):
        where = path.relative_to(root)
        user = where.parts[1] if where.parts[0] == "src" else where.parts[0]
        for bracket, header in includes(path):
            if bracket == '"' or of_the_system(header):
                continue
            users = next((users for prefix, users in rows if header.startswith(prefix)), None)
            if users is None:
                broken.append(f"{where}: <{header}> is in no row of the ```libraries block of {ARCHITECTURE}")
            elif user not in users and not ("*" in users and user != "trainer"):
                broken.append(f"{where}: `{user}` may not include <{header}>")
    return broken


def the_trainer_stands_alone(root):
    """wattle-train includes its own headers and nothing of src/."""
    broken = []
    for path in files(root, "trainer", suffixes={".cc", ".h"}):
        for bracket, header in includes(path):
            own = (root / "trainer" / header).is_file() or (path.parent / header).is_file()
            if bracket == '"' and not own:
                broken.append(f'{path.relative_to(root)}: "{header}" is no file of trainer/')
    return broken


# --- Names and words ----------------------------------------------------------------------------------------------

SNAKE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
VAGUE = re.compile(r"(^|_)(manager|helper|helpers|util|utils|misc|common)($|_)")


def files_are_named_in_snake_case(root):
    broken = []
    for path in files(root, "src", "trainer", "tests", "bench", "examples", "python", suffixes={".cc", ".h", ".py"}):
        if not SNAKE.fullmatch(path.stem):
            broken.append(f"{path.relative_to(root)}: not snake_case")
        if VAGUE.search(path.stem):
            broken.append(f"{path.relative_to(root)}: says nothing of its content")
    for path in files(root, "src", "trainer", suffixes={".cpp", ".cxx", ".hpp", ".hh"}):
        broken.append(f"{path.relative_to(root)}: sources end in .cc, headers in .h")
    return broken


def headers_are_guarded_by_pragma_once(root):
    return [f"{path.relative_to(root)}: no #pragma once" for path in files(root, "src", "trainer", suffixes={".h"})
            if not re.search(r"^#pragma once$", read(path), re.MULTILINE)]


def nothing_is_left_to_do(root):
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    return [f"{path.relative_to(root)}:{number}: `{marks.search(line).group(0)}` left behind"
            for path in files(root) for number, line in enumerate(read(path).splitlines(), 1) if marks.search(line)]


def no_path_of_one_machine(root):
    paths = re.compile(r"(?<![\w.])/(work|root)/\w")
    return [f"{path.relative_to(root)}:{number}: `{line.strip()[:80]}` names a folder of one machine"
            for path in files(root) for number, line in enumerate(read(path).splitlines(), 1) if paths.search(line)]


# --- Documents ----------------------------------------------------------------------------------------------------

LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)")


def anchors(markdown):
    """Anchors as Markdown hosts make them of headings."""
    found = set()
    for heading in re.findall(r"^#+ +(.+)$", without_code(markdown), re.MULTILINE):
        text = re.sub(r"[^\w\- ]", "", heading.lower().replace("`", ""))
        found.add(text.replace(" ", "-"))
    return found


def without_code(markdown):
    return re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.MULTILINE | re.DOTALL)


def links_in_documents_resolve(root):
    broken = []
    for path in files(root, suffixes={".md"}):
        markdown = read(path)
        for target in LINK.findall(re.sub(r"`[^`\n]*`", "", without_code(markdown))):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            linked = path.parent / name if name else path
            if not linked.exists():
                broken.append(f"{path.relative_to(root)}: {target} leads nowhere")
            elif anchor and linked.suffix == ".md" and anchor not in anchors(read(linked)):
                broken.append(f"{path.relative_to(root)}: {target}: no such heading")
    return broken
