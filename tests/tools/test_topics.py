# SPDX-License-Identifier: Apache-2.0
"""kq-topics: every verb, every format, success and failure."""

import json
import os
import pty
import re
import subprocess

from harness import read_until, wait_for


def rows(ran):
    return [line.split("\t") for line in ran.out.splitlines()]


def test_create_says_what_it_made(t):
    ran = t.status(t.run("kq-topics", "create", "made-1", "-p", "3", "-r", "1"), 0)
    t.equal((ran.out, ran.err), ("created made-1 (3 partitions, 1 replica)\n", ""))
    ran = t.status(t.run("kq-topics", "create", "made-2", "made-3", "-q"), 0)
    t.equal((ran.out, ran.err), ("", ""), "-q silences it")
    t.status(t.run("kq-topics", "delete", "made-1", "made-2", "made-3", "-y"), 0)


def test_what_was_made_is_not_called_unchanged_because_it_cannot_be_told(t):
    name = "made-untold"
    for words, told in [(["create", name], "created " + name),
                        (["delete", name, "-y"], "deleted " + name),
                        (["create", name, "-f", "tsv"], "created " + name)]:
        with open("/dev/full", "wb") as full:
            done = subprocess.run([os.path.join(t.bin, "kq-topics")] + words, stdout=full,
                                  stderr=subprocess.PIPE, env=t.environment())
        t.equal(done.returncode, 3)
        t.contains(done.stderr.decode(), "kq-topics: %s, but it cannot be told: cannot write standard "
                   "output: " % told)
    t.equal(t.run("kq-topics", "list", name, "-f", "%{name}\n").out, name + "\n")


def test_created_topics_can_be_written_at_once(t):
    for _ in range(5):
        name = t.topic(4)
        t.status(t.run("kq-produce", name, stdin="a\nb\n"), 0)
        t.equal(sorted(t.run("kq-consume", name).out.split()), ["a", "b"])


def test_create_in_formats_for_programs(t):
    ran = t.status(t.run("kq-topics", "create", "f-1", "-p", "2", "-f", "tsv"), 0)
    row = rows(ran)[0]
    t.equal((row[0], row[1], row[2], row[4], row[5]), ("f-1", "2", "1", "-", "-"))
    ran = t.status(t.run("kq-topics", "create", "f-1", "f-2", "-f", "json"), 3)
    document = json.loads(ran.out)
    t.equal([item["name"] for item in document["items"]], ["f-1", "f-2"])
    t.equal(document["items"][0]["error"], "TOPIC_ALREADY_EXISTS")
    t.equal(document["items"][1]["error"], None)
    t.equal(document["errors"][0]["target"], "f-1")
    t.equal(json.loads(ran.err)["error"]["code"], "TOPIC_ALREADY_EXISTS")
    t.status(t.run("kq-topics", "delete", "f-?", "-y"), 0)


def test_create_sets_configs_with_units(t):
    name = t.topic(1, None, "-c", "retention.ms=7d", "-c", "max.message.bytes=2MiB")
    ran = t.status(t.run("kq-topics", "describe", name, "-f", "json"), 0)
    configs = json.loads(ran.out)["items"][0]["configs"]
    t.equal(configs["retention.ms"], "604800000")
    t.equal(configs["max.message.bytes"], "2097152")


def test_create_refusals_exit_4_and_help(t):
    name = t.topic()
    ran = t.fails(4, "cannot create '%s': " % name, "kq-topics", "create", name)
    t.contains(ran.err, "[TOPIC_ALREADY_EXISTS]\n  try: kq-topics create %s --if-not-exists" % name)
    ran = t.status(t.run("kq-topics", "create", name, "--if-not-exists"), 0)
    t.equal((ran.out, ran.err), ("", name + " exists already\n"))
    ran = t.fails(4, "[INVALID_REPLICATION_FACTOR]", "kq-topics", "create", "many", "-r", "3")
    t.contains(ran.err, "  try: kq-topics create many -r 1\n")
    t.fails(4, "[INVALID_TOPIC_EXCEPTION]", "kq-topics", "create", "a b")
    t.fails(4, "[INVALID_TOPIC_EXCEPTION]", "kq-topics", "create", "x" * 250)
    t.fails(4, "[INVALID_CONFIG]", "kq-topics", "create", "odd", "-c", "no.such.thing.at.all=1")


def test_create_dry_run_makes_nothing(t):
    ran = t.status(t.run("kq-topics", "create", "dry", "-p", "2", "--dry-run"), 0)
    t.contains(ran.out, "would create dry")
    t.fails(4, "there is no topic 'dry'", "kq-topics", "describe", "dry")
    name = t.topic()
    t.fails(4, "[TOPIC_ALREADY_EXISTS]", "kq-topics", "create", name, "--dry-run")


def test_some_made_and_some_refused_exit_3(t):
    name = t.topic()
    ran = t.run("kq-topics", "create", name, name + "-b")
    t.status(ran, 3)
    t.contains(ran.out, "created %s-b" % name)
    t.contains(ran.err, "cannot create '%s'" % name)


def test_list_counts_records_and_bytes(t):
    name = t.topic(3)
    t.status(t.run("kq-produce", name, stdin="".join("%d\n" % i for i in range(1000))), 0)
    row = rows(t.status(t.run("kq-topics", "list", name, "-f", "tsv"), 0))[0]
    t.equal(row[:4], [name, "3", "1", "1000"])
    t.true(int(row[4]) > 1000, row)
    t.equal(row[5], "false")
    ran = t.run("kq-topics", "list", name)
    t.equal(ran.out.split("\n")[0].split(), ["NAME", "PARTITIONS", "REPLICAS", "RECORDS", "BYTES"])
    ran = t.run("kq-topics", "list", name, "-f", "%{name}=%{records}\\n")
    t.equal(ran.out, name + "=1000\n")
    ran = t.run("kq-topics", "list", name, "-f", "tsv", "--header", "--columns", "records,name")
    t.equal(ran.out, "records\tname\n1000\t%s\n" % name)
    for format in ["json", "jsonl", "%{name}"]:
        ran = t.status(t.run("kq-topics", "list", name, "-f", format, "--header"), 2)
        t.contains(ran.err, "--header goes with '-f tsv', not with '-f %s'" % format)
    ran = t.run("kq-topics", "list", name, "--header", "--columns", "name", env={"KQ_FORMAT": "jsonl"})
    t.equal(ran.out, "name\n%s\n" % name)
    ran = t.run("kq-topics", "list", name, "-f", "jsonl")
    t.equal(json.loads(ran.out)["partitions"], 3)


def test_list_is_sorted_and_takes_globs(t):
    for name in ["glob-b", "glob-a", "glob-c"]:
        t.topic(1, name)
    ran = t.status(t.run("kq-topics", "list", "glob-*", "-f", "%{name} "), 0)
    t.equal(ran.out, "glob-a glob-b glob-c ")
    ran = t.status(t.run("kq-topics", "list", "glob-[bc]", "glob-?", "-f", "%{name} "), 0)
    t.equal(ran.out, "glob-a glob-b glob-c ")
    t.fails(4, "no topic matches 'nothing*'", "kq-topics", "list", "nothing*")
    ran = t.run("kq-topics", "list", "glob-a", "nothing*", "-f", "tsv")
    t.status(ran, 3)
    t.equal(len(rows(ran)), 1)
    ran = t.status(t.run("kq-topics", "list", "-f", "json"), 0)
    names = [item["name"] for item in json.loads(ran.out)["items"]]
    t.equal(names, sorted(names))


def test_describe_shows_partitions(t):
    name = t.topic(2)
    t.status(t.run("kq-produce", name, "-p", "1", stdin="a\nb\n"), 0)
    ran = t.status(t.run("kq-topics", "describe", name), 0)
    lines = ran.out.splitlines()
    t.true(lines[0].startswith(name + ": 2 partitions, 1 replica, id "), lines[0])
    t.equal(lines[1].split()[:3], ["PARTITION", "LEADER", "EPOCH"])
    t.equal(len(lines), 4)
    table = rows(t.run("kq-topics", "describe", name, "-f", "tsv"))
    t.equal([row[1] for row in table], ["0", "1"])
    leader = table[0][2]
    t.equal((table[0][4], table[0][5], table[0][6]), (leader, leader, "-"))
    t.equal((table[1][7], table[1][8]), ("0", "2"))
    ran = t.fails(4, "is '%s' meant?" % name, "kq-topics", "describe", name[:-1], "-f", "tsv")
    t.contains(ran.err, "[UNKNOWN_TOPIC_OR_PARTITION]")
    t.contains(ran.err, "  try: kq-topics describe %s -f tsv\n" % name)
    # What is proposed asks before it deletes.
    ran = t.fails(4, "is '%s' meant?" % name, "kq-topics", "delete", "-y", name[:-1])
    t.contains(ran.err, "  try: kq-topics delete %s\n" % name)
    t.true("  try:" not in t.fails(4, "", "kq-topics", "describe", "nothing-like-it-9").err, "a guess")


def test_describe_of_several_topics_shows_each_row_once(t):
    names = [t.topic(count) for count in (1, 2, 3)]
    ran = t.status(t.run("kq-topics", "describe", *names), 0)
    blocks = ran.out.split("\n\n")
    t.equal(len(blocks), 3)
    for count, name, block in zip((1, 2, 3), names, blocks):
        lines = block.splitlines()
        t.true(lines[0].startswith(name + ": %d partition" % count), lines[0])
        t.equal([line.split()[0] for line in lines[1:]],
                ["PARTITION"] + [str(i) for i in range(count)], block)


def test_settings_that_do_nothing_yet_are_told(t):
    ran = t.status(t.run("kq-topics", "create", "idle-1", "-c", "cleanup.policy=compact,delete", "-c",
                         "min.compaction.lag.ms=1h", "-c", "retention.ms=1h"), 0)
    t.equal(ran.err, "kq-topics: warning: no effect on kq's own brokers yet: cleanup.policy=compact, "
            "min.compaction.lag.ms\n")
    t.equal(t.run("kq-topics", "create", "idle-2", "-q", "-c", "cleanup.policy=compact").err, "")
    t.equal(t.run("kq-topics", "create", "idle-3", "-c", "cleanup.policy=delete").err, "")


def test_settings_of_brokers_name_the_topic_s(t):
    for wrong in ["retention.huors=1", "retention.hours=1", "log.retention.hours=1"]:
        t.fails(2, "is 'retention.ms' meant?", "kq-topics", "create", "x", "-c", wrong)


def test_delete_asks_or_needs_yes(t):
    name = t.topic(2)
    ran = t.run("kq-topics", "delete", name)
    t.status(ran, 2)
    t.contains(ran.err, "  %s (2 partitions, 0 records, 0B)" % name)
    t.contains(ran.err, "say --yes")
    t.status(t.run("kq-topics", "describe", name), 0)
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    ran = t.run("kq-topics", "delete", name, stdin=theirs)
    os.close(ours)
    os.close(theirs)
    t.status(ran, 1)
    t.contains(ran.err, "[y/N] kq-topics: nothing was changed [KQ_CANCELLED]")
    t.status(t.run("kq-topics", "describe", name), 0)
    process, terminal = t.start_on_terminal("kq-topics", "delete", name)
    read_until(terminal, b"[y/N] ")
    os.write(terminal, b"y\n")
    t.equal(wait_for(process), 0)
    t.status(t.run("kq-topics", "describe", name), 4)
    process, terminal = t.start_on_terminal("kq-topics", "delete", t.topic(), "--no-input")
    t.equal(wait_for(process), 2)


def test_delete_with_yes_globs_and_dry_run(t):
    for name in ["gone-1", "gone-2", "kept"]:
        t.topic(1, name)
    ran = t.status(t.run("kq-topics", "delete", "gone-*", "--dry-run"), 0)
    t.equal(ran.out.count("would delete gone-"), 2)
    t.equal(len(rows(t.run("kq-topics", "list", "gone-*", "-f", "tsv"))), 2)
    ran = t.status(t.run("kq-topics", "delete", "gone-*", "-y"), 0)
    t.equal(ran.out, "deleted gone-1 (1 partition, 0 records, 0B)\n"
                     "deleted gone-2 (1 partition, 0 records, 0B)\n")
    t.fails(4, "there is no topic 'gone-1'", "kq-topics", "delete", "gone-1", "-y")
    ran = t.status(t.run("kq-topics", "delete", "gone-1", "--if-exists", "-y"), 0)
    t.equal(ran.err, "there is no topic 'gone-1'\n")
    ran = t.run("kq-topics", "delete", "kept", "gone-1", "-y", "-f", "tsv")
    t.status(ran, 3)
    t.equal(sorted(rows(ran))[0][:2], ["gone-1", "UNKNOWN_TOPIC_OR_PARTITION"])


def test_a_protected_context_wants_the_names_again(t):
    name = t.topic()
    t.file("config/kq/config.toml", "[context.prod]\nprotect = true\n")
    ran = t.run("kq-topics", "delete", name, "-y", "-C", "prod")
    t.status(ran, 2)
    t.contains(ran.err, "--confirm " + name)
    t.status(t.run("kq-topics", "delete", name, "-y", "-C", "prod", "--confirm", name), 0)


def test_a_topic_made_again_is_empty(t):
    name = t.topic()
    t.status(t.run("kq-produce", name, stdin="old\n"), 0)
    t.status(t.run("kq-topics", "delete", name, "-y"), 0)
    t.status(t.run("kq-topics", "create", name), 0)
    t.equal(t.status(t.run("kq-consume", name), 0).out, "")


def test_text_is_friendly_on_a_terminal_only(t):
    name = t.topic()
    t.status(t.run("kq-produce", name, stdin="x" * 100_000 + "\n"), 0)
    process, terminal = t.start_on_terminal("kq-topics", "list", name)
    t.contains(read_until(terminal, b"KiB").decode(), name)
    t.equal(wait_for(process), 0)
    process, terminal = t.start_on_terminal("kq-topics", "list", name, "--raw-units",
                                            "--color", "never")
    t.true(b"KiB" not in read_until(terminal, name.encode()), "--raw-units")
    t.true("KiB" not in t.run("kq-topics", "list", name).out, "a pipe gets base units")
    t.contains(t.run("kq-topics", "list", name, "--color", "always").out, "\x1b[1m")


def test_verbose_tells_settings_with_their_origin(t):
    ran = t.status(t.run("kq-topics", "list", "-v", "-X", "request.timeout.ms=5s"), 0)
    t.contains(ran.err, "# request.timeout.ms=5s (--property)\n")
    t.contains(ran.err, "(KQ_BOOTSTRAP)\n")


def test_verbose_tells_requests_and_what_they_took(t):
    ran = t.status(t.run("kq-topics", "list", "-v"), 0)
    requests = re.findall(r"^# (\w+) v\d+ to (\S+), number \d+: \d+ bytes, answered with \d+ in "
                          r"[\d.]+ m?s$", ran.err, re.M)
    t.true({"ApiVersions", "Metadata", "ListOffsets", "DescribeLogDirs"}
           >= {name for name, _ in requests} > {"ApiVersions"}, ran.err)
    t.equal({address for _, address in requests}, {t.broker.address})
    t.contains(ran.err, "# %d requests in " % len(requests))
    t.true("#   > " not in ran.err, ran.err)
    # Twice: the bytes. The frame of ApiVersions begins with its size and key 18.
    ran = t.status(t.run("kq-topics", "list", "-vv"), 0)
    t.true(re.search(r"^# ApiVersions .*\n#   > 00 00 00 [0-9a-f]{2} 00 12 ", ran.err, re.M), ran.err)
    t.true(re.search(r"^#   < ", ran.err, re.M), ran.err)
    t.equal(t.run("kq-topics", "list").err, "")
    name = t.topic()
    for program, word in [("kq-produce", "Produce"), ("kq-consume", "Fetch")]:
        ran = t.status(t.run(program, name, "-v", stdin="a\n"), 0)
        t.true(re.search(r"^# %s v\d+ to \S+, number \d+: " % word, ran.err, re.M), ran.err)
        t.true(re.search(r"^# 1 record, 1B in ", ran.err, re.M), ran.err)
    ran = t.status(t.run("kq-produce", name, "-v", "-X", "acks=0", "-X", "enable.idempotence=false",
                         stdin="a\n"), 0)
    t.true(re.search(r"^# Produce .* no answer is owed$", ran.err, re.M), ran.err)
