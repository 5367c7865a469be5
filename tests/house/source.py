# SPDX-License-Identifier: Apache-2.0
"""The files of a source tree, and C++ without its comments and literals."""

import os
import re
import subprocess
from functools import cached_property
from pathlib import Path

CPP = (".cpp", ".hpp", ".def")


def blank_out(text):
    """C++ with comments and the insides of literals replaced by blanks: lines and columns stay."""
    out = []
    i = 0
    end = len(text)
    while i < end:
        two = text[i:i + 2]
        if two == "//":
            stop = text.find("\n", i)
            stop = end if stop < 0 else stop
            out.append(" " * (stop - i))
            i = stop
        elif two == "/*":
            stop = text.find("*/", i + 2)
            stop = end if stop < 0 else stop + 2
            out.append(re.sub(r"[^\n]", " ", text[i:stop]))
            i = stop
        elif two == 'R"':
            tag = re.match(r'R"([^(\s]*)\(', text[i:])
            close = text.find(")" + tag[1] + '"', i) if tag else -1
            stop = end if close < 0 else close + len(tag[1]) + 2
            out.append('""' + re.sub(r"[^\n]", " ", text[i + 2:stop]))
            i = stop
        elif text[i] == "'" and i > 0 and text[i - 1].isalnum():
            out.append("'")  # the separator of 1'000
            i += 1
        elif text[i] in "\"'":
            quote = text[i]
            stop = i + 1
            while stop < end and text[stop] != quote and text[stop] != "\n":
                stop += 2 if text[stop] == "\\" else 1
            stop = min(stop + 1, end)
            out.append(quote + " " * (stop - i - 2) + quote)
            i = stop
        else:
            out.append(text[i])
            i += 1
    return "".join(out)


def without_templates(code):
    """C++ without the parameter lists of its templates, whose `class T` defines nothing."""
    out = []
    position = 0
    for match in re.finditer(r"\btemplate\s*<", code):
        if match.start() < position:
            continue
        depth, end = 1, match.end()
        while depth and end < len(code):
            depth += {"<": 1, ">": -1}.get(code[end], 0)
            end += 1
        out.append(code[position:match.start()])
        position = end
    return "".join(out) + code[position:]


def defined_types(code):
    """Names, with their namespaces, of the types that a file defines for all to see."""
    token = re.compile(r"\bnamespace\b\s*([\w:]*)\s*\{|"
                       r"\b(?:struct|class|union|enum(?:\s+(?:class|struct))?)\s+(?:\w+\([^)]*\)\s*)?"
                       r"([A-Za-z_]\w*)\b(?!\s*(?:<|::))[^;{}()=]*\{|[{}]")
    scopes = []
    for match in token.finditer(without_templates(code)):
        if match[0] == "}":
            if scopes:
                scopes.pop()
        elif match[0] == "{":
            scopes.append(None)
        elif match[2]:
            if all(scopes):
                yield "::".join([*scopes, match[2]])
            scopes.append(None)
        else:
            scopes.append(match[1] or None)  # nobody else sees an anonymous namespace


class Source:
    """One file: its path from the root, and its text."""

    def __init__(self, root, path):
        self.root = root
        self.path = path

    @cached_property
    def text(self):
        return (self.root / self.path).read_text(errors="replace")

    @cached_property
    def code(self):
        return blank_out(self.text)

    @cached_property
    def includes(self):
        """(line, name, is it one of ours)"""
        found = []
        for number, line in enumerate(self.text.splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
            if match:
                found.append((number, match[2], match[1] == '"'))
        return found

    @property
    def folder(self):
        """The floor of a file in libkq/, else the first folder of the path."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "libkq" and len(parts) > 2 else parts[0]

    @property
    def in_library(self):
        return self.path.startswith("libkq/")

    @property
    def in_program(self):
        return re.match(r"kq(-\w+)?/", self.path) is not None

    def line_of(self, position):
        return self.text.count("\n", 0, position) + 1


class Tree:
    """All files that are, or are about to be, committed."""

    def __init__(self, root):
        self.root = Path(root)

    @cached_property
    def paths(self):
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.root, capture_output=True, text=True)
        if listed.returncode == 0 and listed.stdout:
            names = listed.stdout.split("\0")
        else:  # an unpacked archive, or a tree that a test made
            names = []
            for folder, folders, files in os.walk(self.root):
                folders[:] = [f for f in folders
                              if not f.startswith("build") and f not in (".git", ".cache")]
                names += [os.path.relpath(os.path.join(folder, f), self.root) for f in files]
        return sorted({n for n in names if n and (self.root / n).is_file()})

    @cached_property
    def sources(self):
        return [Source(self.root, p) for p in self.paths if p.endswith(CPP)]

    @cached_property
    def texts(self):
        """Every file that is text."""
        kept = []
        for path in self.paths:
            with open(self.root / path, "rb") as file:
                if b"\0" not in file.read(4096):
                    kept.append(Source(self.root, path))
        return kept

    def read(self, path):
        file = self.root / path
        return file.read_text(errors="replace") if file.exists() else ""
