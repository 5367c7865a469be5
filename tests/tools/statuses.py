# SPDX-License-Identifier: Apache-2.0
"""Exit statuses: what the manuals list, and what the programs returned while the tests ran.

A status that a page does not list fails the test that saw it. A whole run fails, too, where a page
lists one that nothing returned."""

import os
import re

import manuals

SIGNALS = {130, 141, 143}  # of every program

seen = {}


def page_of(program):
    for section in "18":
        path = os.path.join(manuals.MAN, "%s.%s" % (program, section))
        if os.path.exists(path):
            return path
    return None


def listed(program):
    """{status: what the page says of it}, without those of signals."""
    text = open(page_of(program), encoding="utf-8").read()
    section = text.split(".Sh EXIT\\ STATUS")[1].split(".Sh ")[0]
    found = re.findall(r"^\.It (\d+)\n(.*?)(?=^\.It|^\.El)", section, re.S | re.M)
    return {int(n): words for n, words in found if int(n) < 128}


def saw(program, words, status):
    """What a program returned; answers what is wrong with that, or None."""
    if page_of(program) is None or (program == "kq-broker" and "run" in words[1:]):
        return None  # `run` returns what its command did
    seen.setdefault(program, set()).add(status)
    if program == "kq":  # its page lists what all programs return
        return None
    if status in listed(program) or status in SIGNALS or status < 0:
        return None
    return "exit status %d of %s is not in its manual" % (status, program)


def missing():
    """What the pages list and no test saw."""
    return ["%s lists exit status %d, which no test saw" % (program, status)
            for program in ["kq-topics", "kq-produce", "kq-consume", "kq-broker"]
            for status in sorted(listed(program))
            if status not in seen.get(program, ())]
