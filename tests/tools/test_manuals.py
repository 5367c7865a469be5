# SPDX-License-Identifier: Apache-2.0
"""Manuals: they lint clean, say what --help says, and their examples run."""

import difflib
import os
import re
import shutil
import subprocess

from harness import Failed, Skipped
import manuals
import statuses

SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "OUTPUT", "EXIT STATUS", "ENVIRONMENT",
            "FILES", "SIGNALS", "EXAMPLES", "SEE ALSO"]
PROGRAMS = {"kq.1": [[], ["explain"]], "kq-topics.1": [["list"], ["describe"], ["create"], ["delete"]],
            "kq-produce.1": [[]], "kq-consume.1": [[]],
            "kq-broker.8": [[], ["run"], ["check"]]}
# Pages whose examples are commands, and how many there must be.
RUN = {"kq.1": 5, "kq-topics.1": 5, "kq-produce.1": 5, "kq-consume.1": 5, "kq-formats.7": 5,
       "kq-broker.8": 5}


def pages():
    return sorted(name for name in os.listdir(manuals.MAN) if re.search(r"\.[1578]$", name))


def source(page):
    return open(os.path.join(manuals.MAN, page), encoding="utf-8").read()


def no_broker(test):
    test.needs_no_broker = True
    return test


@no_broker
def test_pages_lint_clean(t):
    if shutil.which("mandoc") is None:
        raise Skipped("mandoc is not installed")
    for page in pages():
        done = subprocess.run(["mandoc", "-Tlint", "-W", "warning",
                               os.path.join(manuals.MAN, page)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        t.equal(done.stdout.decode(), "", page)


@no_broker
def test_every_program_has_its_page(t):
    for name in os.listdir(t.bin):
        if name.startswith("kq") and not name.startswith(("kq-test", "kq-sim", "kq-fuzz")) \
                and os.access(os.path.join(t.bin, name), os.X_OK) and name.count("bench") == 0:
            t.true(any(page.startswith(name + ".") for page in pages()), "no manual of " + name)


@no_broker
def test_sections_stand_in_their_order(t):
    for page in PROGRAMS:
        found = [name.replace("\\ ", " ") for name in re.findall(r"^\.Sh (.*)$", source(page), re.M)]
        t.equal(found, SECTIONS, page)


@no_broker
def test_options_and_help_agree(t):
    for page, verbs in PROGRAMS.items():
        program = page.rsplit(".", 1)[0]
        if not os.path.exists(os.path.join(t.bin, program)):
            continue
        wanted, there = manuals.made(t.bin, page), source(page)
        difference = "\n".join(difflib.unified_diff(there.split("\n"), wanted.split("\n"), page,
                                                    "--help", lineterm="", n=0))
        t.equal(difference, "", "manuals.py --write mends it")
        # Every verb has its block, so that no option can be left out.
        blocks = re.findall(r'^\.\\" options: (.*)$', source(page), re.M)
        for verb in verbs:
            own = manuals.options_in(manuals.help_of(t.bin, program, *verb), False)
            t.true(not own or " ".join([program] + verb) in blocks, "%s of %s" % (verb, page))
        t.true(program + " common" in blocks, page)
        # And no option is spoken of that the program does not have.
        known = set()
        for verb in verbs:
            text = manuals.help_of(t.bin, program, *verb)
            for common in (False, True):
                for short, name, _, _ in manuals.options_in(text, common):
                    known.update([short, "-" + name])
        if program == "kq":
            text = manuals.help_of(t.bin, "kq-topics", "list")
            for short, name, _, _ in manuals.options_in(text, True):
                known.update([short, "-" + name])
        for words in re.findall(r"(?:^\.|\s)Fl ((?:\S+ , )*\S+)", source(page)):
            for word in words.replace("\\", "").replace("Fl ", "").split(" , "):
                t.true(word in known or word == "Fl", "%s speaks of option -%s" % (page, word))


@no_broker
def test_exit_statuses_are_listed(t):
    # That each program returns these and no others is seen over all tests: statuses.py.
    for program in ["kq", "kq-topics", "kq-produce", "kq-consume", "kq-broker"]:
        t.true({0, 2} < set(statuses.listed(program)), "%s lists too little" % program)


def examples(page):
    """[(command, [lines it prints])] in order."""
    section = source(page).split(".Sh EXAMPLES")[1].split(".Sh ")[0]
    found = []
    for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", section, re.S | re.M):
        continued = False
        for line in block.split("\n")[:-1]:
            line = line.replace("\\e", "\\").replace("\\-", "-").replace("\\&", "")
            if line.startswith("$ "):
                found.append((line[2:], []))
                continued = line.count("'") % 2 == 1
            elif continued:
                found[-1] = (found[-1][0] + "\n" + line, found[-1][1])
                continued = (found[-1][0].count("'")) % 2 == 1
            else:
                found[-1][1].append(line)
    return found


def run_examples(t, page):
    if os.environ.get("KQ_TEST_BOOTSTRAP"):
        raise Skipped("needs a broker of its own")
    found = examples(page)
    t.true(len(found) >= RUN[page], "%s has %d examples" % (page, len(found)))
    broker = t.another_broker()
    t.broker = broker
    # One shell runs them all, as a reader would; each ends with a line that tells its status.
    script = "set -o pipefail\n"
    for command, _ in found:
        script += command + "\necho \"<$?>\"\n"
    ran = t.sh("exec 2>&1\n" + script, timeout=120)
    outputs = re.split(r"^<(\d+)>\n", ran.out, flags=re.M)
    for i, (command, lines) in enumerate(found):
        if 2 * i + 1 >= len(outputs):
            raise Failed("%s: %r did not run: %s" % (page, command, ran))
        output, status = outputs[2 * i], outputs[2 * i + 1]
        t.equal(status, "0", "%s: %s\n%s" % (page, command, output))
        wanted = "".join(line + "\n" for line in lines)
        pattern = re.escape(wanted).replace(re.escape("..."), ".*")
        if not re.fullmatch(pattern, output):
            t.equal(output, wanted, "%s: %s" % (page, command))


def test_examples_of_kq(t):
    run_examples(t, "kq.1")


def test_examples_of_kq_topics(t):
    run_examples(t, "kq-topics.1")


def test_examples_of_kq_produce(t):
    run_examples(t, "kq-produce.1")


def test_examples_of_kq_consume(t):
    run_examples(t, "kq-consume.1")


def test_examples_of_kq_broker(t):
    run_examples(t, "kq-broker.8")


def test_examples_of_kq_formats(t):
    run_examples(t, "kq-formats.7")


@no_broker
def test_the_broker_files_of_the_manual_are_ones(t):
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", source("kq-broker.toml.5"), re.S | re.M)
    t.true(len(blocks) >= 3, "the page has %d examples" % len(blocks))
    for block in blocks:
        path = t.file("broker.toml", block.replace("\\-", "-").replace("\\e", "\\"))
        ran = t.status(t.run("kq-broker", "check", "--config", path, "-f", "tsv"), 0)
        t.equal(ran.err, "", block)
        taken = {line.split("\t")[0]: line.split("\t")[2] for line in ran.out.splitlines()}
        table = ""
        for line in block.splitlines():
            if line.startswith("["):
                table = line.strip("[]") + "."
            elif line:
                name = table + line.split(" = ")[0].strip('"')
                t.equal(taken.get(name), path, "%s of %s" % (name, block))
    # Who mixes the two spellings is told what TOML has against it.
    path = t.file("mixed.toml", 'log.dirs = "d"\n\n[log]\nretention.ms = "7d"\n')
    t.fails(2, "all dotted, or all under one [table]", "kq-broker", "check", "--config", path)


@no_broker
def test_the_client_file_of_the_manual_is_one(t):
    block = re.search(r"^\.Bd -literal.*?\n(.*?)^\.Ed", source("kq-config.toml.5").split(
        ".Sh EXAMPLES")[1], re.S | re.M).group(1)
    t.file("config/kq/config.toml", block)
    for context in ["prod", "staging"]:
        ran = t.run("kq-topics", "list", "-C", context, "-b", "127.0.0.1:1")
        t.status(ran, 5)
        t.true("warning" not in ran.err, ran.err)


@no_broker
def test_help_examples_are_commands_that_parse(t):
    # Examples of --help name options that exist: each is tried with --help at its end.
    for program in ["kq-topics", "kq-produce", "kq-consume", "kq", "kq-broker"]:
        text = t.run(program, "--help").out
        block = text.split("Examples:\n")[1].split("\nUsage:")[0]
        for line in block.split("\n"):
            for part in re.findall(r"(?:^|\| )\s*(%s [^|]*)" % program, line.strip()):
                if line.strip().startswith("#"):
                    continue
                ran = t.sh(part.strip() + " --help")
                t.equal(ran.status, 0, part + ": " + ran.err)


