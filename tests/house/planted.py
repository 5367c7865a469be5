# SPDX-License-Identifier: Apache-2.0
"""Mistakes planted in a tree of their own, one for each thing a rule must notice, and beside them
what it must not mind."""

import tempfile
from pathlib import Path

from source import Tree

CARD = "// SPDX-License-Identifier: Apache-2.0\n//\n// Thing: what a thing is in this tree.\n#pragma once\n"
BODY = "// SPDX-License-Identifier: Apache-2.0\n"

# rule -> files that are wrong: (path, content, a part of the complaint, or None for a file that
# only another one makes wrong)
WRONG = {
    "floors": [
        ("libkq/storage/a.cpp", BODY + '#include "broker/session.hpp"\n', "broker/session.hpp"),
        ("kq-topics/a.cpp", BODY + '#include "storage/log.hpp"\n', "storage/log.hpp"),
        ("libkq/cellar/a.cpp", BODY, "is no floor"),
    ],
    "libraries": [
        ("libkq/storage/a.cpp", BODY + "#include <zstd.h>\n", "zstd.h"),
        ("libkq/broker/a.cpp", BODY + "#include <Poco/Net/Socket.h>\n", "Poco/Net"),
        ("libkq/storage/b.cpp", BODY + "#include <fcntl.h>\n", "fcntl.h"),
        ("libkq/storage/c.cpp", BODY + "#include <boost/asio.hpp>\n", "no library"),
        ("libkq/base/d.cpp", BODY + "#include <toml++/toml.h>\n", "toml++"),
    ],
    "seams": [
        ("libkq/storage/a.cpp", BODY + "std::mutex m;\n", "std::mutex"),
        ("libkq/storage/b.cpp", BODY + "auto t = std::chrono::steady_clock::now();\n", "now"),
        ("libkq/storage/c.cpp", BODY + "int fd = ::open(path, 0);\n", "::open"),
        ("libkq/broker/d.cpp", BODY + 'auto home = std::getenv("HOME");\n', "getenv"),
        ("kq-topics/e.cpp", BODY + 'std::cout << "x";\n', "std::cout"),
        ("libkq/broker/f.cpp", BODY + "std::this_thread::sleep_for(1s);\n", "sleep_for"),
        ("libkq/broker/g.cpp", BODY + "exit(1);\n", "exit"),
        ("libkq/broker/h.cpp", BODY + "std::mt19937 dice;\n", "mt19937"),
        ("libkq/broker/i.cpp", BODY + "auto t = time(nullptr);\n", "time("),
    ],
    "ownership": [
        ("libkq/storage/a.cpp", BODY + "auto* p = new Thing();\n", "'new'"),
        ("libkq/storage/b.cpp", BODY + "delete p;\n", "'delete'"),
        ("libkq/storage/c.cpp", BODY + "throw Oops();\n", "'throw'"),
        ("libkq/storage/d.cpp", BODY + "::new (place) Thing();\n", "'new'"),
    ],
    "loops": [
        ("libkq/broker/a.hpp", CARD + "class A {\n    Loop& loop_;\n    int n_ = 0;\n};\n", "n_"),
        ("libkq/net/b.hpp", CARD + "class B {\n    EpollLoop& loop_;\n    std::vector<int> v_;\n};\n",
         "v_"),
    ],
    "namespaces": [
        ("libkq/storage/a.cpp", BODY + "namespace kq::storage {\n}\n", "kq::storage"),
        ("libkq/storage/b.cpp", BODY + "namespace kq {\nnamespace detail {\n}\n}\n", "detail"),
    ],
    "one_definition": [
        ("libkq/base/a.hpp", CARD + "namespace kq {\nstruct Twice {\n};\n}\n", None),
        ("libkq/storage/a.cpp", BODY + "namespace kq {\nenum class Twice : int { a };\n}\n",
         "kq::Twice"),
        ("libkq/base/b.hpp", CARD + "namespace kq::wire {\ntemplate <class T>\nclass Both final {};\n}\n",
         None),
        ("tests/storage/a.cpp", BODY + "namespace kq {\nnamespace wire {\nclass Both {};\n}\n}\n",
         "kq::wire::Both"),
    ],
    "cards": [
        ("libkq/base/a.cpp", "int x;\n", "licence"),
        ("libkq/base/a.hpp", BODY + "//\n// Thing: what it is and so on.\n", "#pragma once"),
        ("libkq/base/b.hpp", BODY + "#pragma once\n", "opens with"),
    ],
    "todo": [("libkq/base/a.cpp", BODY + "// TODO later\n", "without its issue"),
             ("cmake/x", "# FIXME\n", "without its issue")],
    "names": [
        ("README.md", "see /work/x\n", "/work"),
        ("docs/a.md", "see ../shared/x\n", "../shared"),
        ("docs/b.md", "https://registry.example.com/x\n", "registry.example.com"),
    ],
    "config_effects": [
        ("libkq/base/config/broker.def",
         BODY + 'KQ_CONFIG("a.b", int32, "1", any, read_only, low, "", none, acted_on,\n"S.")\n'
                'KQ_CONFIG("c.d", int32, "1", any, read_only, low, "", none, accepted,\n"S.")\n',
         "a.b is marked acted_on"),
        ("libkq/broker/a.cpp", BODY + 'int x = config.integer("c.d");\n',
         "c.d is marked accepted"),
    ],
    "manuals": [
        ("kq-lost/main.cpp", BODY, "no man/kq-lost"),
        ("man/kq-ghost.1", ".Dd $Mdocdate$\n.Dt KQ-GHOST 1\n", "without its program"),
    ],
    "made_pages": [
        ("libkq/base/errors.def", BODY + 'KQ_ERROR(none, 0, "NONE", false, "no error")\n', None),
        ("man/kq-errors.7", "yesterday's\n", "man/kq-errors.7:1: out of date"),
    ],
    "links": [("docs/a.md", "see [that](nowhere.md)\n", "nowhere.md")],
    "scripts": [("x", "#!/bin/bash\nif\n", "syntax error"), ("y.py", "def\n", "y.py:1")],
    "formatting": [("libkq/base/a.cpp", BODY + "int   x ;\n", "libkq/base/a.cpp:2")],
    "headers": [
        ("libkq/storage/a.hpp", CARD + "inline std::string s;\n", "does not compile alone"),
        ("libkq/base/b.hpp", CARD + '#include "storage/a.hpp"\n', "libkq/base/b.hpp"),
    ],
}

# What every rule must leave alone.
RIGHT = {
    "libkq/base/right.hpp": CARD + "\n#include <string>\n\nnamespace kq {\n"
                            "struct Right {\n    Right(const Right&) = delete;\n"
                            "    std::string say() const { return \"new delete ::open( std::mutex\"; }\n"
                            "};\n}  // namespace kq\n",
    "libkq/net/right.hpp": CARD + "#define KQ_OWNED_BY(x)\nnamespace kq {\nstruct Loop {\n"
                           "    void assert_here() {}\n};\nstruct Logger {};\nclass Loops {\npublic:\n"
                           "    void f() { loop_.assert_here(); }\n\nprivate:\n    Loop& loop_;\n"
                           "    const int a_ = 1;\n    int b_ KQ_OWNED_BY(loop_) = 0;\n    Logger log_;\n"
                           "    int c_ = 2;  // made once\n    Logger& d_;\n};\n}  // namespace kq\n",
    "libkq/base/right.cpp": BODY + '#include "base/right.hpp"\n\n#include <mutex>\n\n'
                            "std::mutex guards_the_seam;\n",
    "libkq/storage/right.cpp": BODY + '#include "base/right.hpp"\n\n'
                               "// new, delete, ::open( and getenv in a comment; TODO(#12)\n"
                               "namespace kq {\nnamespace {\nint million() { return 1'000'000; }\n"
                               "template <class T>\nstruct Right {\n    struct Inner {};\n};\n"
                               "}  // namespace\n"
                               "class Later;\nclass Later;\n}  // namespace kq\n",
    "docs/right.md": "[this](right.md) and https://kafka.apache.org/ and build/bin/x\n",
    ".clang-format": "BasedOnStyle: Google\nIndentWidth: 4\nAccessModifierOffset: -4\nColumnLimit: 100\n",
}


def complaints(rule, files):
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            place = Path(folder) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
        return list(rule(Tree(folder)))


def missed(rule):
    """What the rule does not notice, or notices wrongly; empty when all is well."""
    wrong = WRONG[rule.__name__]
    found = complaints(rule, {**RIGHT, **{path: content for path, content, _ in wrong}})
    out = [f"{path} ({part})" for path, _, part in wrong
           if part is not None and not any(part in c for c in found)]
    out += [f"a false alarm: {c}" for c in complaints(rule, RIGHT)]
    return out
