#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Options in the manuals, made from the tables that the programs print with --help.

  tests/tools/manuals.py --bin build/bin --write     rewrites them in man/
  tests/tools/manuals.py --bin build/bin             tells where they differ

A page holds, between these two lines, what the tool made:

  .\\" options: PROGRAM [VERB] [common]
  .\\" end of options
"""

import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MAN = os.path.join(HERE, "..", "..", "man")
PAGES = ["kq.1", "kq-topics.1", "kq-produce.1", "kq-consume.1", "kq-broker.8"]
OPTION = re.compile(r"^  (?:-(\w), |    )--([\w-]+)(?: (\S+))?(?:\s{2,}(.*))?$")
BLOCK = re.compile(r'(\.\\" options: ([^\n]*)\n).*?(\.\\" end of options\n)', re.S)


def help_of(bin_dir, *words):
    return subprocess.run([os.path.join(bin_dir, words[0])] + list(words[1:]) + ["--help"],
                          stdout=subprocess.PIPE, check=True).stdout.decode()


def options_in(text, common):
    """[(short, long, value, sentence)] of one section of a help text."""
    wanted = ("Common options:", "Options of every verb:") if common else ("Options:",)
    found, inside = [], False
    for line in text.split("\n"):
        if line and not line.startswith(" "):
            inside = line in wanted
            continue
        if not inside:
            continue
        match = OPTION.match(line)
        if match:
            found.append([match.group(1), match.group(2), match.group(3), match.group(4) or ""])
        elif line.strip():
            found[-1][3] = (found[-1][3] + " " + line.strip()).strip()
    return [tuple(option) for option in found]


def escaped(text):
    return text.replace("\\", "\\e").replace("-", "\\-")


def mdoc(options):
    lines = [".Bl -tag -width Ds"]
    for short, name, value, sentence in options:
        words = ".It "
        if short:
            words += "Fl %s , " % short
        words += "Fl \\-" + escaped(name)
        if value:
            words += " Ar " + escaped(value)
        sentence = sentence[:1].upper() + sentence[1:]
        default = re.search(r" \(default (.*)\)$", sentence)
        if default:
            sentence = sentence[:default.start()]
        lines += [words, escaped(sentence) + "."]
        if default:
            lines.append("Default: " + escaped(default.group(1)) + ".")
    return "\n".join(lines + [".El"]) + "\n"


def made(bin_dir, page):
    """The page as it should be."""
    text = open(os.path.join(MAN, page), encoding="utf-8").read()

    def block(match):
        words = match.group(2).split()
        common = words[-1] == "common"
        words = words[:-1] if common else words
        options = options_in(help_of(bin_dir, *words), common)
        return match.group(1) + mdoc(options) + match.group(3)

    return BLOCK.sub(block, text)


def main():
    arguments = argparse.ArgumentParser(description=__doc__,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bin", default=os.path.join(HERE, "..", "..", "build", "bin"))
    arguments.add_argument("--write", action="store_true")
    options = arguments.parse_args()
    wrong = 0
    for page in PAGES:
        path = os.path.join(MAN, page)
        if not os.path.exists(path):
            continue
        wanted = made(options.bin, page)
        if wanted == open(path, encoding="utf-8").read():
            continue
        if options.write:
            with open(path, "w", encoding="utf-8") as file:
                file.write(wanted)
        else:
            wrong += 1
            print("%s does not say what --help says; tests/tools/manuals.py --write" % page)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
