"""The house keeps its rules, and each rule notices when it is broken: every one is tried on a small sound tree with
one thing planted in it."""

import sys
import tempfile
import unittest
from pathlib import Path

import rules

ROOT = Path(__file__).resolve().parents[2]
RULES = [
    rules.modules_include_only_what_the_table_allows,
    rules.cmake_targets_depend_as_the_table_says,
    rules.libraries_stay_where_they_belong,
    rules.the_trainer_stands_alone,
    rules.files_are_named_in_snake_case,
    rules.headers_are_guarded_by_pragma_once,
    rules.nothing_is_left_to_do,
    rules.no_path_of_one_machine,
    rules.links_in_documents_resolve,
]

SOUND = {
    "docs/architecture.md": """# The plan
See [the heading](#two-words) and [the code](../src/base/text.h).
## Two words
```modules
base  <-
study <- base
store <- base
cli   <- *
```
```libraries
fmt/   <- * trainer
zstd.h <- store
torch/ <- trainer
```
""",
    "src/base/CMakeLists.txt": "wattle_module(base LIBRARIES PkgConfig::libmd)\n",
    "src/base/text.h": "#pragma once\n#include <string>\n",
    "src/study/CMakeLists.txt": "wattle_module(study DEPENDS base\n  LIBRARIES fmt)\n",
    "src/study/plan.cc": '#include <fmt/format.h>\n#include <unistd.h>\n#include "base/text.h"\n',
    "src/study/plan.h": "#pragma once\n",
    "src/store/CMakeLists.txt": "wattle_module(store DEPENDS base)\n",
    "src/store/store.cc": "#include <sys/file.h>\n#include <zstd.h>\n",
    "src/cli/main.cc": '#include "study/plan.h"\n',
    "trainer/loop.cc": '#include <torch/torch.h>\n#include "models/net.h"\n',
    "trainer/models/net.h": "#pragma once\n",
    "build/anything/Generated.h": "TO" "DO\n",
}

# What is planted, which rule must notice, and a word that its sentence must hold.
PLANTED = [
    ("modules_include_only_what_the_table_allows", {"src/base/loop.cc": '#include "study/plan.h"\n'}, "base"),
    ("modules_include_only_what_the_table_allows", {"src/store/row.h": '#pragma once\n#include "study/plan.h"\n'}, "store"),
    ("modules_include_only_what_the_table_allows", {"src/study/odd.cc": '  #  include "study/gone.h"\n'}, "gone.h"),
    ("modules_include_only_what_the_table_allows", {"src/study/odd.cc": "#include <base/text.h>\n"}, "quotes"),
    ("modules_include_only_what_the_table_allows", {"src/extra/new.cc": "int x;\n"}, "extra"),
    ("modules_include_only_what_the_table_allows",
     {"docs/architecture.md": SOUND["docs/architecture.md"].replace("base  <-\n", "base  <- study\n")}, "itself"),
    ("modules_include_only_what_the_table_allows", {"docs/architecture.md": "# No table\n"}, "block"),
    ("cmake_targets_depend_as_the_table_says",
     {"src/study/CMakeLists.txt": "wattle_module(study DEPENDS base store)\n"}, "store"),
    ("cmake_targets_depend_as_the_table_says", {"src/study/CMakeLists.txt": "wattle_module(study)\n"}, "base"),
    ("cmake_targets_depend_as_the_table_says", {"src/base/CMakeLists.txt": "wattle_module(basis)\n"}, "basis"),
    ("libraries_stay_where_they_belong", {"src/study/net.cc": "#include <torch/torch.h>\n"}, "torch"),
    ("libraries_stay_where_they_belong", {"tests/net_test.cc": "#include <torch/torch.h>\n"}, "torch"),
    ("libraries_stay_where_they_belong", {"src/study/pack.cc": "#include <zstd.h>\n"}, "zstd"),
    ("libraries_stay_where_they_belong", {"src/base/web.cc": "#include <curl/curl.h>\n"}, "no row"),
    ("libraries_stay_where_they_belong", {"trainer/pack.cc": "#include <zstd.h>\n"}, "trainer"),
    ("the_trainer_stands_alone", {"trainer/units.cc": '#include "base/text.h"\n'}, "base/text.h"),
    ("files_are_named_in_snake_case", {"src/study/PlanMaker.cc": "\n"}, "snake_case"),
    ("files_are_named_in_snake_case", {"src/study/text_utils.h": "#pragma once\n"}, "content"),
    ("files_are_named_in_snake_case", {"trainer/net.cpp": "\n"}, ".cc"),
    ("headers_are_guarded_by_pragma_once", {"src/study/grid.h": "#ifndef GRID\n#define GRID\n#endif\n"}, "grid.h"),
    ("nothing_is_left_to_do", {"src/study/late.cc": "int x;  // TO" "DO: later\n"}, "late.cc:1"),
    ("no_path_of_one_machine", {"docs/setup.md": "First line.\ncd /wo" "rk/main\n"}, "setup.md:2"),
    ("links_in_documents_resolve", {"README.md": "[gone](docs/gone.md)\n"}, "docs/gone.md"),
    ("links_in_documents_resolve", {"README.md": "[part](docs/architecture.md#three-words)\n"}, "three-words"),
    ("links_in_documents_resolve", {"README.md": "![a [nested] picture](gone.svg)\n"}, "gone.svg"),
]


def grow(root, tree):
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class TheHouse(unittest.TestCase):
    maxDiff = None

    def test_keeps_its_rules(self):
        for rule in RULES:
            with self.subTest(rule=rule.__name__):
                self.assertEqual(rule(ROOT), [])

    def test_is_really_read(self):
        self.assertGreater(len(list(rules.files(ROOT, "src", suffixes={".cc", ".h"}))), 20)
        self.assertIn("base", rules.allowed_modules(ROOT))


class ARule(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        grow(self.root, SOUND)

    def test_says_nothing_of_a_sound_tree(self):
        for rule in RULES:
            with self.subTest(rule=rule.__name__):
                self.assertEqual(rule(self.root), [])

    def test_has_something_planted_for_it(self):
        self.assertEqual({rule.__name__ for rule in RULES}, {name for name, _, _ in PLANTED})

    def test_notices_what_is_planted(self):
        for name, tree, word in PLANTED:
            with self.subTest(rule=name, planted=list(tree)), tempfile.TemporaryDirectory() as folder:
                grow(Path(folder), SOUND)
                grow(Path(folder), tree)
                broken = getattr(rules, name)(Path(folder))
                self.assertEqual(len(broken), 1, broken)
                self.assertIn(word, broken[0])


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0]] + sys.argv[1:])
