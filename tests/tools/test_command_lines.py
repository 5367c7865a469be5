# SPDX-License-Identifier: Apache-2.0
"""Words, help, and mistakes in them: what every program does alike, without a broker."""

import json
import os
import re
import subprocess

PROGRAMS = ["kq-topics", "kq-produce", "kq-consume", "kq"]
CLIENTS = ["kq-topics", "kq-produce", "kq-consume"]
ONE_RUN = {"kq-topics": ["list"], "kq-produce": ["t"], "kq-consume": ["t"]}


def no_broker(test):
    test.needs_no_broker = True
    return test


@no_broker
def test_help_begins_with_examples_and_names_the_manual(t):
    for program in PROGRAMS:
        ran = t.status(t.run(program, "--help"), 0)
        t.equal(ran.err, "", program)
        lines = ran.out.split("\n")
        t.true(lines[0].startswith(program + ": "), lines[0])
        t.equal(lines[2], "Examples:", program)
        t.contains(ran.out, "Manual: " + program + "(", program)
        t.equal(t.run(program, "-h").out, ran.out, "-h is --help")
        for line in lines:
            t.true(len(line) <= 110, "a long line in the help: " + line)


@no_broker
def test_version_is_one_line(t):
    for program in PROGRAMS:
        ran = t.status(t.run(program, "--version"), 0)
        t.true(ran.out.startswith(program + " ") and ran.out.count("\n") == 1, ran.out)


@no_broker
def test_schema_needs_no_network(t):
    for verb in ["list", "describe", "create", "delete"]:
        ran = t.status(t.run("kq-topics", verb, "--schema"), 0)
        t.true(ran.out.startswith("# kq.topics.%s/1\nname\t" % verb), ran.out)
        document = json.loads(t.run("kq-topics", verb, "--schema", "-f", "json").out)
        t.equal(document["schema"], "kq.topics.%s/1" % verb)
    t.contains(t.run("kq-produce", "--schema").out, "kq.produce.report/1")
    # Without a verb: of all that print rows.
    t.equal([line for line in t.run("kq-topics", "--schema").out.splitlines() if line.startswith("#")],
            ["# kq.topics.%s/1" % verb for verb in ["list", "describe", "create", "delete"]])
    for words in [["kq"], ["kq", "explain"]]:
        t.true(t.status(t.run(*words, "--schema"), 0).out.startswith("# kq.explain/1\nname\t"), words)


@no_broker
def test_no_words_print_a_short_help_and_exit_2(t):
    for program in PROGRAMS:
        ran = t.status(t.run(program), 2)
        t.equal(ran.out, "", program)
        t.true(ran.err.startswith("usage: " + program), ran.err)


@no_broker
def test_no_address_is_no_other_address(t):
    # A script with an empty variable must not reach another cluster than it means.
    for program in CLIENTS:
        words = [program] + ONE_RUN[program]
        t.fails(2, "option '--bootstrap': the list is empty", *words, "-b", "")
        t.fails(2, "bootstrap.servers: there is no address", *words, env={"KQ_BOOTSTRAP": ""})
        t.fails(2, "bootstrap.servers: there is no address", *words, "-X", "bootstrap.servers=")


@no_broker
def test_properties_that_no_client_has_name_the_nearest(t):
    for program in CLIENTS:
        words = [program] + ONE_RUN[program]
        t.fails(2, "option '--property': 'linger.mss' is no setting of a client; is 'linger.ms' meant?",
                *words, "-X", "linger.mss=5")
        # Another kind of client has it: one set of properties serves all programs.
        t.fails(5, "127.0.0.1:1", *words, "-X", "linger.ms=5", "-X", "fetch.min.bytes=1", "-b",
                "127.0.0.1:1", stdin="x\n")


@no_broker
def test_properties_that_would_change_what_one_gets_are_refused(t):
    for program, key, why in [
            ("kq-produce", "transactional.id=tx", "transactions are not built yet"),
            ("kq-produce", "partitioner.class=x", "kq loads no Java classes"),
            ("kq-produce", "interceptor.classes=x", "kq loads no Java classes"),
            ("kq-produce", "value.serializer=x.Avro", "kq passes bytes on as they are"),
            ("kq-consume", "interceptor.classes=x", "kq loads no Java classes"),
            ("kq-consume", "group.id=g", "groups are not built yet"),
            ("kq-topics", "ssl.truststore.location=x", "not built yet"),
            ("kq-topics", "bootstrap.controllers=x:1", "controllers cannot be asked yet")]:
        name = key.split("=")[0]
        words = [program] + ONE_RUN[program]
        t.fails(2, "%s: option '--property': %s: " % (program, name), *words, "-X", key)
        t.fails(2, why, *words, "-X", key)
        # Whoever says it: a file of Kafka's, a variable, the client file.
        path = t.file("some.properties", key + "\n")
        t.fails(2, "%s:1: %s: " % (path, name), *words, "-X", "@" + path)
        variable = "KQ_" + name.upper().replace(".", "_")
        t.fails(2, "%s: %s: " % (variable, name), *words, env={variable: key.split("=")[1]})
    t.fails(2, "transactional.id", "kq-produce", "t", "--dry-run", "-X", "transactional.id=tx")


def test_properties_without_effect_are_told_once(t):
    name = t.topic()
    t.status(t.run("kq-produce", name, stdin="a\n"), 0)
    for words, told in [
            (["kq-consume", name, "-X", "max.poll.records=7"], "max.poll.records has"),
            (["kq-topics", "list", "-X", "max.poll.records=abc"], "max.poll.records has"),
            (["kq-topics", "list", "-X", "linger.ms=5"], "linger.ms has"),
            (["kq-produce", name, "-X", "group.id=g", "-X", "send.buffer.bytes=1MiB"],
             "group.id, send.buffer.bytes have")]:
        ran = t.status(t.run(*words, stdin=""), 0)
        t.equal(ran.err, "%s: warning: %s no effect on %s\n" % (words[0], told, words[0]))
        t.equal(t.run(*words, "-q", stdin="").err, "")
    # A file serves all programs: what another one reads is no news, nor is what is done anyway.
    path = t.file("client.properties", "linger.ms=5\ngroup.id=g\nsecurity.protocol=PLAINTEXT\n"
                  "key.serializer=org.apache.kafka.common.serialization.StringSerializer\n")
    ran = t.run("kq-produce", name, "-X", "@" + path, stdin="b\n")
    t.equal((ran.status, ran.err), (0, ""))
    t.equal(t.run("kq-consume", name).out, "a\nb\n")


@no_broker
def test_unknown_options_suggest_the_nearest(t):
    for program in CLIENTS:
        ran = t.fails(2, "unknown option '--bootstarp'", program, *ONE_RUN[program],
                      "--bootstarp", "x:1")
        t.contains(ran.err, "  try: %s %s --bootstrap x:1" % (program, ONE_RUN[program][0]))
        t.fails(2, "unknown option '-j'", program, *ONE_RUN[program], "-j")
    # What follows it is no verb, but its value.
    for words in [["--lissten", "127.0.0.1:0"], ["--lissten", "127.0.0.1:0", "run", "--", "true"],
                  ["run", "--lissten", "127.0.0.1:0", "--", "true"]]:
        ran = t.fails(2, "kq-broker: unknown option '--lissten'", "kq-broker", *words)
        t.contains(ran.err, "  try: kq-broker " + " ".join(words).replace("--lissten", "--listen"))


@no_broker
def test_unknown_verbs_suggest_the_nearest_and_never_run_it(t):
    ran = t.fails(2, "unknown verb 'delte'", "kq-topics", "delte", "x", "-y")
    t.contains(ran.err, "  try: kq-topics delete x -y")
    t.fails(2, "unknown verb 'topcs'", "kq", "topcs")


@no_broker
def test_values_that_cannot_be_are_named(t):
    t.fails(2, "option '--partitions': 'six' is no number", "kq-topics", "create", "a", "-p", "six")
    t.fails(2, "option '--partitions': '0' is not between 1 and", "kq-topics", "create", "a", "-p0")
    t.fails(2, "option '--timeout': '5 apples' is no TIME", "kq-topics", "list", "-t", "5 apples")
    t.fails(2, "option '--partitions' does not go with 'list'", "kq-topics", "list", "-p", "3")
    t.fails(2, "'xml' is none of text, wide, tsv, json", "kq-topics", "list", "-f", "xml")
    t.fails(2, "is 'json' meant?", "kq-topics", "list", "-f", "jsn")
    t.fails(2, "is 'name' meant?", "kq-topics", "list", "--columns", "nmae")
    t.fails(2, "'retention.sm'; is 'retention.ms' meant?", "kq-topics", "create", "a", "-c",
            "retention.sm=7d")
    t.fails(2, "retention.ms", "kq-topics", "create", "a", "-c", "retention.ms=soon")
    t.fails(2, "'x' is no KEY=VALUE", "kq-topics", "create", "a", "-c", "x")
    t.fails(2, "--offset': 'x' is no position", "kq-consume", "t", "-o", "x")
    t.fails(2, "'yesterday' is no time", "kq-consume", "t", "-o", "@yesterday")
    t.fails(2, "'x' is no partition", "kq-consume", "t", "-p", "x")
    t.fails(2, "does not go with an end", "kq-consume", "t", "-F", "-o", "..5")
    t.fails(2, "%q' is no field", "kq-consume", "t", "-f", "%q")
    t.fails(2, "nothing tells where %k ends", "kq-produce", "t", "-f", "%k%v")
    t.fails(2, "-K and --crlf go with '-f text'", "kq-produce", "t", "-f", "raw", "-K", ":")
    for format in ["jsonl", "frame", "raw"]:
        for program in ["kq-produce", "kq-consume"]:
            ran = t.status(t.run(program, "t", "-f", format, "--null", "N"), 2)
            t.contains(ran.err, "--null goes with '-f text' and templates, not with '-f %s'" % format)
    t.fails(2, "exclude each other", "kq-produce", "t", "-K", ":", "-k", "x")
    t.fails(2, "'x' is no NAME=VALUE", "kq-produce", "t", "-H", "x")
    t.fails(2, "'fast' is no rate", "kq-produce", "t", "--rate", "fast")
    t.fails(2, "none of partition, timestamp, topic", "kq-produce", "t", "--keep", "offset")
    t.fails(2, "snapy", "kq-produce", "t", "-z", "snapy")
    t.fails(2, "auto, always, never", "kq-topics", "list", "--color", "sometimes")
    t.fails(2, "needs a value", "kq-topics", "list", "-b")
    t.fails(2, "takes no value", "kq-topics", "list", "--quiet=no")


@no_broker
def test_properties_are_checked_before_anything_is_sent(t):
    for program in CLIENTS:
        run = ONE_RUN[program]
        t.fails(2, "request.timeout.ms", program, *run, "-X", "request.timeout.sm=5")
        t.fails(2, "request.timeout.ms", program, *run, "-X", "request.timeout.ms=x")
        t.fails(2, "is neither KEY=VALUE nor @FILE", program, *run, "-X", "x")
        t.fails(2, "--resolve", program, *run, "--resolve", "x")
        t.fails(2, "bootstrap.servers", program, *run, "-b", "host:notaport")
        t.fails(2, "'http://localhost:9092' is no address: HOST:PORT is wanted, not a URL", program, *run,
                "-b", "http://localhost:9092")
        t.fails(2, "only PLAINTEXT", program, *run, "-X", "security.protocol=SSL")


@no_broker
def test_errors_are_json_where_json_was_asked_for(t):
    ran = t.status(t.run("kq-topics", "list", "-f", "json", "-b", "127.0.0.1:1"), 5)
    error = json.loads(ran.err)["error"]
    t.equal((error["code"], error["number"], error["exit"], error["retriable"]),
            ("KQ_UNREACHABLE", -1008, 5, True))
    t.contains(error["message"], "127.0.0.1:1")
    ran = t.status(t.run("kq-topics", "create", "-f", "json"), 2)
    t.equal(json.loads(ran.err)["error"]["code"], "KQ_USAGE")


@no_broker
def test_settings_option_over_variable_over_context_over_file(t):
    t.file("config/kq/config.toml",
           'bootstrap.servers = "127.0.0.1:11"\n'
           '[context.prod]\nbootstrap.servers = "127.0.0.1:12"\n'
           '[context.other]\nformat = "json"\n')
    none = {"KQ_BOOTSTRAP": None}

    def dialled(*words, env=none):
        return t.status(t.run("kq-topics", "list", *words, env=env), 5).err

    t.contains(dialled(), "127.0.0.1:11")
    t.contains(dialled("-C", "prod"), "127.0.0.1:12")
    t.contains(dialled(env={"KQ_BOOTSTRAP": None, "KQ_CONTEXT": "prod"}), "127.0.0.1:12")
    t.contains(dialled("-C", "prod", env={"KQ_BOOTSTRAP": "127.0.0.1:13"}), "127.0.0.1:13")
    t.contains(dialled("-C", "prod", "-b", "127.0.0.1:14",
                       env={"KQ_BOOTSTRAP": "127.0.0.1:13"}), "127.0.0.1:14")
    t.true(dialled("-C", "other").startswith('{"error"'), "the context's format rules errors too")
    t.contains(dialled("-C", "none", env={"KQ_BOOTSTRAP": "127.0.0.1:13"}), "127.0.0.1:13")
    t.fails(2, "is 'prod' meant?", "kq-topics", "list", "-C", "prd", env=none)
    t.file("config/kq/config.toml",
           'bootstrap.servers = "127.0.0.1:11"\ndefault.context = "prod"\n'
           '[context.prod]\nbootstrap.servers = "127.0.0.1:12"\n[context.other]\ntimeout = "9s"\n')
    t.contains(dialled(), "127.0.0.1:12")
    t.contains(dialled("-C", "other"), "127.0.0.1:11")
    # The properties file of another client, as it is.
    t.file("client.properties", "# mine\nbootstrap.servers=127.0.0.1\\\n  :15\nacks=all\n")
    t.contains(dialled("-X", "@client.properties"), "127.0.0.1:15")


@no_broker
def test_unknown_keys_of_the_client_file_warn_with_their_place(t):
    path = t.file("config/kq/config.toml", 'bootstrap.servers = "127.0.0.1:1"\n'
                                           'acks = "all"\nreqest.timeout.ms = 5\n')
    none = {"KQ_BOOTSTRAP": None}
    ran = t.status(t.run("kq-topics", "list", env=none), 5)
    t.contains(ran.err, "kq-topics: warning: %s:3: unknown key 'reqest.timeout.ms'; "
                        "is 'request.timeout.ms' meant?" % path)
    t.true("acks" not in ran.err, "what other programs read is no mistake")
    t.file("config/kq/config.toml", "x = [\n")
    t.contains(t.status(t.run("kq-topics", "list"), 2).err, path + ":")


@no_broker
def test_a_context_may_forbid_changes(t):
    t.file("config/kq/config.toml", "[context.prod]\nreadonly = true\n")
    t.fails(4, "context 'prod' is read-only", "kq-topics", "create", "x", "-C", "prod")
    t.fails(4, "context 'prod' is read-only", "kq-topics", "delete", "x", "-C", "prod", "-y")
    ran = t.run("kq-produce", "x", "-C", "prod", stdin="a\n")
    t.status(ran, 4)
    t.contains(ran.err, "context 'prod' is read-only")


@no_broker
def test_files_of_settings_that_are_not_there_are_exit_2(t):
    for words in [["kq-topics", "list"], ["kq-produce", "x"], ["kq-consume", "x"]]:
        t.fails(2, "option '--property': cannot open 'missing': ", *words, "-X", "@missing",
                stdin="a\n")
        t.fails(2, "KQ_CONFIG: cannot open 'missing.toml': ", *words, stdin="a\n",
                env={"KQ_CONFIG": "missing.toml"})
        t.fails(2, "directory", *words, "-X", "@.", stdin="a\n")
        path = t.file("bad.toml", "a = = b\n")
        t.fails(2, path + ":1", *words, stdin="a\n", env={"KQ_CONFIG": path})


@no_broker
def test_no_help_has_an_empty_section(t):
    verbs = {"kq": ["explain", "help"], "kq-topics": ["list", "describe", "create", "delete"],
             "kq-produce": [], "kq-consume": [], "kq-broker": ["run", "check"]}
    for program, names in verbs.items():
        for words in [[program]] + [[program, name] for name in names]:
            text = t.status(t.run(*words, "--help"), 0).out
            for title, body in re.findall(r"^([A-Z][a-z ]+):\n((?:  .*\n)*)", text, re.M):
                t.true(body, "%s --help has an empty %r" % (words, title))
            usage = re.search(r"^Usage:\n((?:  .*\n)+)", text, re.M)
            t.true(usage and "  " + " ".join(words) in usage.group(1), text)
    t.contains(t.run("kq-broker", "run", "--help").out,
               "Usage:\n  kq-broker run [OPTION...] -- CMD...\n")


@no_broker
def test_kq_runs_the_programs_beside_it(t):
    t.equal(t.run("kq", "topics", "--help").out, t.run("kq-topics", "--help").out)
    t.equal(t.run("kq", "help", "produce").out, t.run("kq-produce", "--help").out)
    t.contains(t.status(t.run("kq", "topics", "crate"), 2).err, "kq-topics: unknown verb 'crate'")
    t.contains(t.status(t.run("kq", "help"), 0).out, "kq explain")
    ran = t.fails(2, "there is no program 'topiks'", "kq", "help", "topiks")
    t.contains(ran.err, "  try: kq help topics")


@no_broker
def test_kq_explains_codes_and_settings_offline(t):
    for what in ["UNKNOWN_TOPIC_OR_PARTITION", "3", "unknown_topic_or_partition"]:
        ran = t.status(t.run("kq", "explain", what), 0)
        t.contains(ran.out, "UNKNOWN_TOPIC_OR_PARTITION (3)\nmeaning")
    t.contains(t.status(t.run("kq", "explain", "retention.ms"), 0).out, "retention.ms (topic)")
    t.fails(2, "is 'NOT_ENOUGH_REPLICAS' meant?", "kq", "explain", "NOT_ENOUGH_REPLICSA")
    t.fails(2, "is 'retention.ms' meant?", "kq", "explain", "retention.huors")
    t.contains(t.run("kq", "explain", "log.dir").out, "\ndefault   ${XDG_STATE_HOME:-~/.local/state}/kq ")


@no_broker
def test_kq_explains_to_programs_too(t):
    items = json.loads(t.status(t.run("kq", "explain", "-f", "json", "5"), 0).out)["items"]
    t.equal([(item["name"], item["number"], item["retriable"]) for item in items],
            [("LEADER_NOT_AVAILABLE", 5, True)])
    lines = t.run("kq", "explain", "compression.type", "-f", "jsonl").out.splitlines()
    t.equal([json.loads(line)["scope"] for line in lines], ["topic", "broker", "producer"])
    row = t.run("kq", "explain", "acks", "-f", "tsv").out.split("\t")
    t.equal((row[0], row[1], len(row)), ("acks", "setting", 14))
    t.equal(t.run("kq", "explain", "acks", "-f", "%{name} %{scope} %{default}\\n").out, "acks producer all\n")
    t.equal(json.loads(t.run("kq", "explain", "acks", env={"KQ_FORMAT": "jsonl"}).out)["name"], "acks")
    t.equal(t.run("kq", "explain", "acks", env={"KQ_FORMAT": "raw"}).out, t.run("kq", "explain", "acks").out)
    t.equal(json.loads(t.status(t.run("kq", "explain", "x", "-f", "json"), 2).err)["error"]["code"], "KQ_USAGE")


@no_broker
def test_output_to_a_full_disk_is_an_error(t):
    if not os.path.exists("/dev/full"):
        return
    for program, *words in [("kq", "help"), ("kq-broker", "check"), ("kq-broker", "check", "-f", "json")]:
        with open("/dev/full", "wb") as full:
            done = subprocess.run([os.path.join(t.bin, program), *words], stdout=full,
                                  stderr=subprocess.PIPE)
        t.equal(done.returncode, 4, program)
        t.contains(done.stderr.decode(), "KQ_DISK_FULL")


def test_streams_that_were_closed_before_the_start(t):
    name = t.topic()
    t.status(t.run("kq-produce", name, stdin="a\n"), 0)
    # Nobody can read what is not there.
    for command in ["kq-consume " + name, "kq-topics list", "kq topics list", "kq --help",
                    "kq-topics describe %s -f json" % name, "kq-broker check --all"]:
        ran = t.sh(command + " >&-", timeout=15)
        t.equal((ran.status, ran.out, ran.err), (141, "", ""), command)
    ran = t.sh("kq-produce %s <&-" % name, timeout=15)
    t.status(ran, 2)
    t.contains(ran.err, "kq-produce: standard input is closed")
    # Who prints nothing does not mind; and what is said goes nowhere, not into a socket.
    t.status(t.sh("echo b | kq-produce %s >&-" % name, timeout=15), 0)
    t.equal(t.status(t.sh("kq-consume %s <&- 2>&-" % name, timeout=15), 0).out, "a\nb\n")
    ran = t.sh("kq-topics describe no-such-topic 2>&-", timeout=15)
    t.equal((ran.status, ran.out), (4, ""))
    ran = t.sh("kq-consume %s -v <&- >&- 2>&-" % name, timeout=15)
    t.status(ran, 141)


@no_broker
def test_closed_output_ends_with_141_and_no_word(t):
    ran = t.sh("{ kq --help; echo $? >&2; } | :; true")
    # The reader may have gone before or after the write: 0 or 141, and never a message.
    t.true(ran.err in ("0\n", "141\n"), ran.err)
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([os.path.join(t.bin, "kq"), "--help"], stdout=write_end,
                          stderr=subprocess.PIPE)
    os.close(write_end)
    t.equal((done.returncode, done.stderr), (141, b""))
