#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a compiler does not hold: who may include whom, outside libraries in
their one place, nothing past the seams, and so on. docs/testing.md lists them.

  tests/house/rules.py               all rules over this tree, and the rules over planted mistakes
  tests/house/rules.py floors ...    only these

Each rule is a function of a Tree that yields "file:line: what is wrong". The last line is
"N passed, N failed, N skipped".
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pages
import planted
from source import Tree, defined_types

ROOT = Path(__file__).resolve().parents[2]
CORES = max(1, len(os.sched_getaffinity(0)))

# docs/architecture.md, "The house". cmake/floors.cmake builds with the same table.
FLOORS = {
    "base": [],
    "net": ["base"],
    "protocol": ["base"],
    "storage": ["base", "protocol"],
    "client": ["base", "net", "protocol"],
    "consensus": ["base", "net", "protocol", "storage", "client"],
    "cli": ["base", "protocol", "client"],
    "metadata": ["base", "net", "protocol", "storage", "client", "consensus"],
    "replication": ["base", "net", "protocol", "storage", "client", "consensus", "metadata"],
    "coordination": ["base", "protocol", "consensus", "metadata", "replication"],
    "broker": ["base", "net", "protocol", "storage", "client", "consensus", "metadata",
               "replication", "coordination"],
}
PROGRAM_FLOORS = ["base", "protocol", "client", "cli"]
PROGRAM_EXTRA = {
    "kq-broker": ["net", "storage", "consensus", "metadata", "replication", "coordination",
                  "broker"],
    "kq-log": ["storage", "metadata"],
}

# Include path of an outside library -> where it may stand.
LIBRARIES = [
    (r"Poco/JSON/|Poco/Dynamic/", ["libkq/cli/", "libkq/storage/", "libkq/consensus/",
                                   "tests/cli/"]),  # tests: a second opinion on what cli/ writes
    (r"Poco/Net/", ["libkq/net/"]),
    (r"Poco/", ["libkq/net/", "libkq/cli/", "libkq/storage/", "libkq/consensus/", "tests/cli/"]),
    (r"openssl/", ["libkq/net/", "libkq/broker/"]),
    (r"toml\+\+/", ["libkq/base/config_toml.cpp"]),
    (r"(zlib|zstd|lz4|lz4frame|lz4hc|snappy|snappy-c)\.h$|xxhash\.h$", ["libkq/protocol/"]),
    (r"CLI/", ["libkq/cli/"]),
    (r"re2/", ["libkq/coordination/", "libkq/cli/"]),
    (r"catch2/", ["tests/"]),
]

# Files that carry a seam although they stand elsewhere, and why.
SEAM_CARRIERS = (
    "libkq/client/runtime.",  # binds the real seams for programs; a signal handler sets its flag
)

# What reaches past the seams: allowed in base/ and net/, which are the seams.
BEYOND_SEAMS = [
    (r"\bstd::(jthread|thread|async|mutex|recursive_mutex|shared_mutex|timed_mutex|lock_guard|"
     r"unique_lock|scoped_lock|shared_lock|condition_variable\w*|atomic\w*|future|promise|barrier|"
     r"latch|counting_semaphore|binary_semaphore|call_once|once_flag)\b", "threads and locks"),
    (r"\bpthread_\w+", "threads and locks"),
    (r"\bthread_local\b", "threads and locks"),
    (r"\b(sleep_for|sleep_until|nanosleep|usleep)\b|(?<![\w.>])::?sleep\s*\(", "sleeping"),
    (r"\b(system_clock|steady_clock|high_resolution_clock)\s*::\s*now\b", "asking the time"),
    (r"\b(gettimeofday|clock_gettime|localtime|gmtime|localtime_r|gmtime_r)\s*\(|"
     r"(?<![\w.>])(std::)?time\s*\(\s*(0|NULL|nullptr|&)", "asking the time"),
    (r"\b(getenv|secure_getenv|setenv|unsetenv|putenv)\b", "the environment"),
    (r"\b(random_device|mt19937\w*|default_random_engine|minstd_rand\w*)\b|"
     r"(?<![\w.>])(std::)?s?rand\s*\(|\bgetrandom\b|\bdrand48\b", "randomness"),
    (r"(?<![\w.>)])::(open|openat|creat|read|write|pread|pwrite|preadv2?|pwritev2?|readv|writev|"
     r"close|fsync|fdatasync|syncfs|ftruncate|truncate|fallocate|posix_fadvise|unlink|rename|mkdir|"
     r"rmdir|stat|fstat|lstat|statvfs|opendir|readdir|socket|bind|listen|accept4?|connect|send|"
     r"sendto|sendmsg|sendfile|recv|recvfrom|recvmsg|poll|ppoll|select|epoll_\w+|eventfd|pipe2?|"
     r"dup[23]?|fork|vfork|exec\w+|kill|raise|signal|sigaction|getpid|mmap|munmap|madvise|ioctl|"
     r"fcntl|flock|syscall|setsockopt|getsockopt|gethostname|getaddrinfo)\s*\(", "a system call"),
    (r"\bstd::(cout|cerr|clog|cin|ifstream|ofstream|fstream|filesystem|getline)\b|"
     r"\b(std::)?(printf|fprintf|puts|fputs|fopen|fwrite|fread)\s*\(", "files and streams"),
    (r"\bstd::(exit|quick_exit|_Exit|abort|terminate)\b|(?<![\w.>:])(exit|_exit|abort)\s*\(",
     "ending the process"),
    (r"\bstd::this_thread\b", "threads and locks"),
]
SYSTEM_HEADERS = re.compile(
    r"^(unistd|fcntl|poll|pthread|sched|signal|dirent|time|errno|netdb|stdio|stdlib|string|spawn|"
    r"malloc|termios)\.h$|^(sys|linux|netinet|arpa|net)/")
STANDARD_HEADER = re.compile(r"^[a-z_0-9]+$")
# Instructions of the processor, not of the operating system.
PROCESSOR_HEADERS = {"immintrin.h", "nmmintrin.h", "cpuid.h", "wmmintrin.h", "x86intrin.h"}


# Settings whose names the code puts together, and where.
BUILT_NAMES = {f"compression.{codec}.level": ["libkq/client/options.cpp"]
               for codec in ("gzip", "lz4", "zstd")}


def at(source, position_or_line, what):
    return f"{source.path}:{position_or_line}: {what}"


def floors(tree):
    """The floors: who may include whom."""
    for source in tree.sources:
        if source.in_library:
            allowed = FLOORS.get(source.folder)
            if allowed is None:
                yield at(source, 1, f"libkq/{source.folder} is no floor")
                continue
            allowed = [source.folder, *allowed]
        elif source.in_program:
            allowed = [*PROGRAM_FLOORS, *PROGRAM_EXTRA.get(source.folder, [])]
        else:
            continue
        for line, name, ours in source.includes:
            if not ours:
                continue
            floor = name.split("/")[0]
            if source.in_program and "/" not in name:
                continue  # another file of the same program
            if floor not in allowed:
                yield at(source, line, f'"{name}" stands on a floor that {source.folder} '
                                       "may not include")


def libraries(tree):
    """Each outside library in its one place."""
    for source in tree.sources:
        seam = source.path.startswith(("libkq/base/", "libkq/net/", "tests/", "bench/"))
        for line, name, ours in source.includes:
            if ours or STANDARD_HEADER.match(name) or name in PROCESSOR_HEADERS:
                continue
            if SYSTEM_HEADERS.match(name):
                if not seam:
                    yield at(source, line, f"<{name}> belongs behind a seam in base/ or net/")
                continue
            places = next((where for pattern, where in LIBRARIES if re.match(pattern, name)), None)
            if places is None:
                yield at(source, line, f"<{name}> is of no library that kq uses")
            elif not source.path.startswith(tuple(places)):
                yield at(source, line, f"<{name}> belongs in {' '.join(places)}")


def seams(tree):
    """Threads, locks, time, files, sockets, randomness and the environment through seams only."""
    for source in tree.sources:
        if not (source.in_library or source.in_program):
            continue
        if source.path.startswith(("libkq/base/", "libkq/net/", *SEAM_CARRIERS)):
            continue
        for pattern, what in BEYOND_SEAMS:
            for match in re.finditer(pattern, source.code):
                yield at(source, source.line_of(match.start()),
                         f"'{match[0].strip()}' goes past the seams ({what})")


def ownership(tree):
    """No new and no delete, no exceptions of ours."""
    for source in tree.sources:
        if source.path == "libkq/base/function.hpp":
            continue  # keeps callables too large for its place on the heap: the one owner by hand
        if not (source.in_library or source.in_program):
            continue
        code = re.sub(r"=\s*delete\b", "", source.code)
        code = re.sub(r"#\s*include\b.*", "", code)
        for match in re.finditer(r"(::\s*new\s*\()|\b(?<!operator )new\b|\bdelete\b|\bthrow\b", code):
            if match[1]:
                if source.path.startswith("libkq/base/"):
                    continue  # placement: into memory that is owned already
            word = match[0].strip(" (:")
            yield f"{source.path}:{code.count(chr(10), 0, match.start()) + 1}: '{word}' in kq"


def loops(tree):
    """What belongs to a loop says so: beside a member `Loop& x` every member is KQ_OWNED_BY it, const,
    a reference, a type that asks for its loop itself, or explained by a comment."""
    headers = [s for s in tree.sources if s.in_library and s.path.endswith(".hpp")]
    bodies = {s.path: s.code for s in tree.sources}
    careful = {"Logger"}  # may be used from any thread
    for source in headers:
        body = bodies.get(source.path.removesuffix(".hpp") + ".cpp", "")
        if ".assert_here()" in source.code + body:
            careful |= {name.split("::")[-1] for name in defined_types(source.code)}
    # Members stand one level in.
    loop = re.compile(r"    (?:Epoll)?Loop& \w+_;")
    member = re.compile(r"    (?!return |friend |using |static |const )([\w:][\w:<>,*() ]*?) \*?(\w+_)"
                        r"(?: = [^;]*|\{[^;]*\})?;(.*)")
    for source in headers:
        lines = source.text.splitlines()
        if source.path == "libkq/base/loop.hpp" or not any(loop.match(line) for line in lines):
            continue
        for number, line in enumerate(lines, 1):
            match = member.fullmatch(line)
            if not match or "&" in match[1] or "KQ_OWNED_BY" in line or match[1] in careful:
                continue
            if match[1].startswith("std::shared_ptr<const ") or match[2] == "options_":
                continue
            if "//" not in match[3] and not lines[number - 2].strip().startswith("//"):
                yield f"{source.path}:{number}: '{match[2]}' does not say which loop owns it"


def namespaces(tree):
    """kq, kq::wire, kq::sim, kq::cli; no deeper."""
    allowed = {"kq", "kq::wire", "kq::sim", "kq::cli", "std", "toml"}
    for source in tree.sources:
        if not (source.in_library or source.in_program):
            continue
        depth_kq = False
        for match in re.finditer(r"\bnamespace\s+([\w:]+)\s*\{", source.code):
            name = match[1]
            if name == "kq":
                depth_kq = True
            if name in allowed:
                continue
            if depth_kq and f"kq::{name}" in allowed:
                continue
            yield at(source, source.line_of(match.start()), f"namespace {name}")


def one_definition(tree):
    """No type is defined twice: the linker would take one for the other without a word."""
    seen = {}
    for source in tree.sources:
        if source.path.endswith(".def"):
            continue
        # Programs and tests are linked each on its own, but with the whole library.
        program = "" if source.in_library else "/".join(source.path.split("/")[:2])
        for name in defined_types(source.code):
            for where in ("", program):
                other = seen.get((where, name))
                if other is not None and other != source.path:
                    yield at(source, 1, f"{name} is defined in {other} too")
                    break
            else:
                seen[program, name] = source.path


def cards(tree):
    """Licence line first; headers open with a card and #pragma once."""
    for source in tree.sources:
        lines = source.text.splitlines() or [""]
        if lines[0] != "// SPDX-License-Identifier: Apache-2.0":
            yield at(source, 1, "the first line names the licence")
        if not source.path.endswith(".hpp"):
            continue
        if "#pragma once" not in lines:
            yield at(source, 1, "no #pragma once")
        if len(lines) < 4 or lines[1] != "//" or not re.match(r"// \S.{15,}", lines[2]):
            yield at(source, 3, "a header opens with what it is (docs/style.md, 3)")


def todo(tree):
    """TODO(#123) with an open issue, or nothing."""
    pattern = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
    for source in tree.texts:
        if source.path.startswith(("tests/house/", "docs/", "tests/wire/golden")):
            continue
        for number, line in enumerate(source.text.splitlines(), 1):
            if pattern.search(line):
                yield at(source, number, "a note to do something, without its issue")


def names(tree):
    """Nothing committed points to one machine, one person's folders or a package registry."""
    home = re.compile(r"(?<![\w.$}>~*-])/(?:work|root|Users|home/\w+)(?![\w-])")
    above = re.compile(r"(?:\.\./)+(?:shared|notes)\b")
    url = re.compile(r"https?://([\w.-]+)")
    hosts = {"www.apache.org", "maven.apache.org", "www.w3.org", "127.0.0.1", "localhost",
             "kafka.apache.org", "example.org"}
    for source in tree.texts:
        if source.path.startswith("tests/house/"):
            continue
        for number, line in enumerate(source.text.splitlines(), 1):
            for pattern in (home, above):
                for match in pattern.finditer(line):
                    yield at(source, number, f"'{match[0]}' is a path of one machine")
            for match in url.finditer(line):
                if match[1] not in hosts:
                    yield at(source, number, f"an address that is not ours: {match[1]}")


def config_effects(tree):
    """Settings marked acted_on are named in the code; accepted ones are not."""
    row = re.compile(r'KQ_(?:INTERNAL_)?CONFIG\((?:[\w |]+, )?"([\w.]+)",.*?\b(acted_on|accepted),', re.S)
    readers = {
        "broker": ("libkq/", "kq-broker/"), "topic": ("libkq/", "kq-broker/"),
        "group": ("libkq/coordination/",), "client": ("libkq/client/", "libkq/cli/", "kq-"),
    }
    code = {}
    for source in tree.sources:
        if (source.in_library or source.in_program) and "libkq/base/config" not in source.path:
            for name in re.findall(r'"([a-z][\w.]*)"', source.text):
                code.setdefault(name, set()).add(source.path)
    for name in BUILT_NAMES:
        code.setdefault(name, set()).update(BUILT_NAMES[name])
    # What stands in for a topic's setting is read with it.
    for match in re.finditer(r'CONFIG\("[\w.]+",[^\n]*"([\w. ]*)", \w+, acted_on,',
                             tree.read("libkq/base/config/topic.def")):
        for name in match[1].split():
            code.setdefault(name, set()).add("libkq/base/config/topic.def")
    for source in tree.sources:
        if not source.path.startswith("libkq/base/config/"):
            continue
        scope = Path(source.path).stem
        for match in row.finditer(source.text):
            name, effect = match[1], match[2]
            where = {p for p in code.get(name, ()) if p.startswith(readers[scope])}
            if scope in ("broker", "topic"):
                where = {p for p in where if not p.startswith(("libkq/client/", "libkq/cli/"))}
            line = source.line_of(match.start())
            if effect == "acted_on" and not where:
                yield at(source, line, f"{name} is marked acted_on, but nothing reads it")
            if effect == "accepted" and name.startswith("kq."):
                yield at(source, line, f"{name} is ours and has no effect")
            # The same name may be a topic's, a client's and a broker's: one reader does not tell
            # which is read, so only names of one scope can be found out.
            if effect == "accepted" and where and scope in ("broker", "group") and "." in name:
                others = sum(f'"{name}"' in s.text for s in tree.sources
                             if s.path.startswith("libkq/base/config/"))
                if others == 1:
                    yield at(source, line, f"{name} is marked accepted, but "
                                           f"{sorted(where)[0]} reads it")


def manuals(tree):
    """Every program has its manual, every manual its program; manuals lint clean."""
    programs = {s.path.split("/")[0] for s in tree.sources
                if re.match(r"kq(-\w+)?/main\.cpp$", s.path)}
    pages = [p for p in tree.paths if re.match(r"man/[\w.-]+\.[1-8]$", p)]
    for program in sorted(programs):
        if not any(re.fullmatch(rf"man/{program}\.[18]", page) for page in pages):
            yield f"{program}/main.cpp:1: no man/{program}.1 (or .8)"
    for page in pages:
        name = Path(page).name.rsplit(".", 1)[0]
        if page.endswith((".1", ".8")) and name not in programs:
            yield f"{page}:1: a manual without its program"
    if pages and shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], cwd=tree.root,
                              capture_output=True, text=True)
        for line in lint.stdout.splitlines():
            yield re.sub(r"^mandoc: ", "", line)


def made_pages(tree):
    """Manuals that are made from tables are up to date."""
    for path, make in pages.PAGES.items():
        if (tree.root / path).exists() and (tree.root / "libkq/base/errors.def").exists():
            if tree.read(path) != make(tree.root):
                yield f"{path}:1: out of date: run tests/house/pages.py"


def links(tree):
    """Links between documents lead somewhere."""
    for source in tree.texts:
        if not source.path.endswith(".md"):
            continue
        for number, line in enumerate(source.text.splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if target.startswith(("http:", "https:")):
                    continue
                if not (tree.root / source.path).parent.joinpath(target).exists():
                    yield at(source, number, f"'{target}' leads nowhere")


def formatting(tree):
    """clang-format leaves every file as it is."""
    tool = shutil.which("clang-format-14")
    if tool is None:
        yield ".clang-format:1: clang-format-14 is not installed"
        return
    files = [s.path for s in tree.sources if not s.path.endswith(".def")]
    parts = [files[i::CORES] for i in range(CORES) if files[i::CORES]]

    def one(part):
        done = subprocess.run([tool, "--dry-run", "--Werror", *part], cwd=tree.root,
                              capture_output=True, text=True)
        return re.findall(r"^([^\s:]+:\d+):\d+: error: code should be", done.stderr, re.M)

    seen = set()
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        for places in pool.map(one, parts):
            for place in places:
                if place.split(":")[0] not in seen:
                    seen.add(place.split(":")[0])
                    yield f"{place}: clang-format would write it otherwise"


def headers(tree):
    """Every header compiles alone, seeing no more than its floor may."""
    compiler = shutil.which("g++")
    if compiler is None:
        yield "libkq:1: g++ is not installed"
        return
    with tempfile.TemporaryDirectory() as scratch:
        roots = {}
        for floor, below in FLOORS.items():
            root = Path(scratch) / floor
            root.mkdir()
            # What lower floors' own headers include is seen too, as in the build; the rule `floors`
            # holds what is included by name.
            seen = {floor, *below}
            for name in below:
                seen.update(FLOORS[name])
            for name in sorted(seen):
                if (tree.root / "libkq" / name).is_dir():
                    (root / name).symlink_to(tree.root / "libkq" / name)
            roots[floor] = root
        # A precompiled header of the standard library's heaviest parts would hide missing includes,
        # so each header is parsed as it is.
        units = [s for s in tree.sources if s.in_library and s.path.endswith(".hpp")]

        def one(source):
            name = source.path.removeprefix("libkq/")
            done = subprocess.run(
                [compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", "-Wall", "-Wextra",
                 "-march=x86-64-v2", "-I", roots[source.folder], "-"],
                input=f'#include "{name}"\n', capture_output=True, text=True, cwd=tree.root)
            if done.returncode == 0:
                return None
            first = next((l for l in done.stderr.splitlines() if "error:" in l), "does not compile")
            return at(source, 1, "does not compile alone: " + re.sub(r"^\S*libkq/", "", first))

        with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
            yield from filter(None, pool.map(one, [u for u in units if u.folder in roots]))


def scripts(tree):
    """Shell and Python scripts parse."""
    for source in tree.texts:
        first = source.text.split("\n", 1)[0]
        if re.match(r"#!.*\b(bash|sh)\b", first):
            done = subprocess.run(["bash", "-n", source.path], cwd=tree.root, capture_output=True,
                                  text=True)
            if done.returncode:
                yield at(source, 1, done.stderr.strip().splitlines()[0])
        elif source.path.endswith(".py") or "python3" in first:
            try:
                compile(source.text, source.path, "exec")
            except SyntaxError as error:
                yield at(source, error.lineno, error.msg)


RULES = [floors, libraries, seams, ownership, loops, namespaces, one_definition, cards, todo, names, config_effects,
         manuals, made_pages, links, scripts, formatting, headers]


def main():
    wanted = sys.argv[1:]
    unknown = set(wanted) - {rule.__name__ for rule in RULES} - {"planted"}
    if unknown:
        print(f"rules: unknown rule {sorted(unknown)[0]}", file=sys.stderr)
        return 2
    tree = Tree(ROOT)
    passed = failed = 0
    for rule in RULES:
        if wanted and rule.__name__ not in wanted:
            continue
        wrong = list(rule(tree))
        for line in wrong:
            print(line)
        if wrong:
            failed += 1
            print(f"FAILED {rule.__name__}: {rule.__doc__} ({len(wrong)} places)")
        else:
            passed += 1
    if not wanted or "planted" in wanted:
        # Rules that cannot fail are worth nothing: each must find the mistake planted for it.
        for rule in RULES:
            missed = planted.missed(rule)
            if missed:
                failed += 1
                print(f"FAILED planted {rule.__name__}: not noticed: {'; '.join(missed)}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
