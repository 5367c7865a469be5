# SPDX-License-Identifier: Apache-2.0
"""kq-consume: positions and ranges, counts, following, and copies without loss."""

import json
import os
import signal
import subprocess
import time

from harness import read_until, wait_for


def filled(t, count=10, partitions=1):
    """A topic with the numbers from 0 on, one second apart from 2026-03-01 on, in each partition."""
    name = t.topic(partitions)
    lines = ["%d %d %d\n" % (p, 1772323200000 + i * 1000, i)
             for i in range(count) for p in range(partitions)]
    t.status(t.run("kq-produce", name, "-f", "%p %T %v\\n", stdin="".join(lines)), 0)
    return name


def test_positions_and_ranges(t):
    name = filled(t)
    for range_, wanted in [("start", "0 1 2 3 4 5 6 7 8 9"), ("end", ""), ("7", "7 8 9"),
                           ("+8", "8 9"), ("-2", "8 9"), ("-2..", "8 9"), ("..3", "0 1 2"),
                           ("3..5", "3 4"), ("-5..-3", "5 6"), ("+1..+3", "1 2"), ("5..5", ""),
                           ("8..100", "8 9"), ("-100..2", "0 1"), ("..", "0 1 2 3 4 5 6 7 8 9"),
                           ("@2026-03-01T00:00:07Z", "7 8 9"),
                           ("@2026-03-01T00:00:06.500Z..", "7 8 9"),
                           ("@2026-03-01T00:00:02Z..@2026-03-01T00:00:04Z", "2 3"),
                           ("@1772323208..", "8 9"), ("@-5m..", ""), ("0=4..6", "4 5")]:
        ran = t.status(t.run("kq-consume", name, "-o", range_), 0)
        t.equal(" ".join(ran.out.split()), wanted, range_)


def test_positions_past_the_end_are_told(t):
    name = filled(t)
    wanted = "cannot read '%s': '%s' partition 0 has offsets 0 to 10, not 99999999" % (name, name)
    for words in [["-o", "99999999"], ["-o", "99999999..100000000"], ["-o", "0=99999999"],
                  ["-o", "99999999", "-F"], ["-o", "99999999", "-n", "1", "-t", "9s"]]:
        ran = t.fails(4, wanted, "kq-consume", name, *words)
        t.contains(ran.err, "[OFFSET_OUT_OF_RANGE]")
        t.contains(ran.err, "  try: kq-consume %s" % name)
        t.contains(ran.err, " -o start\n")
    for range_ in ["10", "+11", "10..20", "@now", "end"]:
        ran = t.status(t.run("kq-consume", name, "-o", range_), 0)
        t.equal((ran.out, ran.err), ("", ""), range_)
    for reset, wanted in [("earliest", 10), ("latest", 0)]:
        ran = t.run("kq-consume", name, "-o", "99", "-X", "auto.offset.reset=" + reset)
        t.equal((ran.status, ran.out.count("\n"), ran.err), (0, wanted, ""), reset)
    # Of several partitions those are read that have it.
    name = t.topic(3)
    t.status(t.run("kq-produce", name, "-p", "1", stdin="a\nb\nc\n"), 0)
    ran = t.status(t.run("kq-consume", name, "-o", "2"), 0)
    t.equal(ran.out, "c\n")
    t.equal(ran.err, "".join(
        "kq-consume: warning: '%s' partition %d has offsets 0 to 0, not 2: nothing is read from it\n"
        % (name, partition) for partition in (0, 2)))
    ran = t.fails(4, "has offsets 0 to 0, not 7, and so it is with all 3", "kq-consume", name, "-o", "7")
    t.fails(2, "'8..5' ends before it begins", "kq-consume", name, "-o", "8..5")
    t.fails(2, "partition 0 has two positions", "kq-consume", name, "-o", "0=1,0=2")


def test_positions_before_the_first_record_are_told_alike(t):
    t.broker = t.another_broker("-X", "log.retention.check.interval.ms=100ms")
    name = t.topic(2, None, "-c", "retention.ms=1h")
    t.status(t.run("kq-produce", name, "-p", "0", "--at", "2020-01-01", "-X",
                   "enable.idempotence=false", stdin="old\n" * 5), 0)
    deadline = time.monotonic() + 10
    while t.run("kq-topics", "describe", name, "-f", "%{partition} %{start};").out != "0 5;1 0;":
        t.true(time.monotonic() < deadline, "retention takes nothing away")
        time.sleep(0.1)
    t.status(t.run("kq-produce", name, "-p", "0", stdin="5\n6\n"), 0)
    t.status(t.run("kq-produce", name, "-p", "1", stdin="0\n1\n2\n3\n4\n"), 0)
    why = "'%s' partition 0 has offsets 5 to 7, not 3" % name
    warning = "kq-consume: warning: %s: nothing is read from it\n" % why
    for words in [["-o", "3"], ["-o", "3..9"], ["-o", "3", "-n", "2", "-t", "5s"]]:
        ran = t.status(t.run("kq-consume", name, *words), 0)
        t.equal((ran.out, ran.err), ("3\n4\n", warning), words)
    follower = t.start("kq-consume", name, "-o", "3", "-F")
    t.equal(read_until(follower.stdout.fileno(), b"4\n"), b"3\n4\n")
    t.equal(read_until(follower.stderr.fileno(), b"\n").decode(), warning)
    for words in [["-o", "0=3"], ["-o", "3", "-p", "0"], ["-o", "3", "-p", "0", "-F"]]:
        t.fails(4, why, "kq-consume", name, *words)
    # Past the end of the one, in the other; and with -n and -t, as without.
    for words in [[], ["-n", "1", "-t", "5s"]]:
        ran = t.status(t.run("kq-consume", name, "-o", "6", *words), 0)
        t.equal(ran.out, "6\n")
        t.contains(ran.err, "'%s' partition 1 has offsets 0 to 5, not 6: nothing is read from it" % name)
    ran = t.fails(4, "and so it is with all 2", "kq-consume", name, "-o", "9")
    ran = t.status(t.run("kq-consume", name, "-o", "3", "-X", "auto.offset.reset=earliest"), 0)
    t.equal((sorted(ran.out.split()), ran.err), (["3", "4", "5", "6"], ""))


def test_a_configured_format_counts_where_it_means_something(t):
    name = filled(t, 2)
    for form in ["tsv", "wide", "json", "%{name}\\n"]:
        for words in [["kq-consume", name], ["kq-produce", name]]:
            ran = t.status(t.run(*words, stdin="", env={"KQ_FORMAT": form}), 0)
            t.equal((ran.out, ran.err), ("0\n1\n" if words[0] == "kq-consume" else "", ""), form)
    t.equal(t.run("kq-consume", name, env={"KQ_FORMAT": "raw"}).out, "01")
    for form in ["raw", "frame", "%v;"]:
        t.contains(t.status(t.run("kq-topics", "list", env={"KQ_FORMAT": form}), 0).out, "PARTITIONS")
    t.equal(t.run("kq-consume", name, "-f", "text", env={"KQ_FORMAT": "raw"}).out, "0\n1\n")
    t.equal(t.run("kq-consume", name, "-K", ":", env={"KQ_FORMAT": "raw"}).out, ":0\n:1\n")
    # The errors are where the format was said.
    path = t.file("config/kq/config.toml", 'format = "jsn"\n')
    for words in [["kq-topics", "list"], ["kq-consume", name], ["kq-produce", name]]:
        t.fails(2, words[0] + ": %s:1: 'jsn' is none of " % path, *words, stdin="")
        t.fails(2, words[0] + ": KQ_FORMAT: 'jsn' is none of ", *words, stdin="", env={"KQ_FORMAT": "jsn"})
        t.fails(2, words[0] + ": option '--format': 'jsn' is none of ", *words, "-f", "jsn", stdin="")
    t.file("config/kq/config.toml", 'format = "tsv"\n')
    t.equal(t.status(t.run("kq-consume", name), 0).out, "0\n1\n")
    t.equal(t.run("kq-topics", "list", name, "--columns", "name").out, name + "\n")
    t.fails(2, "KQ_FORMAT: ", "kq-consume", name, env={"KQ_FORMAT": "%q"})
    t.fails(2, "KQ_FORMAT: ", "kq-topics", "list", env={"KQ_FORMAT": "%{nmae}"})
    ran = t.status(t.run("kq-produce", name, stdin="a\n", env={"KQ_FORMAT": "jsonl"}), 8)
    t.contains(json.loads(ran.err)["error"]["try"][0], "kq-produce %s -f text" % name)


def test_ranges_that_turn_out_empty_are_told(t):
    name = filled(t)
    for range_, end, start in [("-1..2", 2, 9), ("end..start", 0, 10), ("5..-8", 2, 5),
                               ("@now..3", 3, 10), ("0=end..+1", 1, 10)]:
        ran = t.status(t.run("kq-consume", name, "-o", range_), 0)
        t.equal((ran.out, ran.err), ("", "kq-consume: warning: '%s' partition 0: the range ends at "
                                     "%d, before it begins at %d\n" % (name, end, start)), range_)
    for range_ in ["5..5", "end..", "end..end", "..start"]:
        ran = t.status(t.run("kq-consume", name, "-o", range_), 0)
        t.equal((ran.out, ran.err), ("", ""), range_)


def test_partitions_are_chosen(t):
    name = filled(t, 3, 4)

    def got(*options):
        ran = t.status(t.run("kq-consume", name, "-f", "%p.%o ", *options), 0)
        return " ".join(sorted(ran.out.split()))

    t.equal(got("-p", "1,3"), "1.0 1.1 1.2 3.0 3.1 3.2")
    t.equal(got("-p", "2", "-p", "0", "-o", "-1"), "0.2 2.2")
    t.equal(got("-o", "0=1..2,3=-1"), "0.1 3.2")
    t.equal(len(got().split()), 12)
    t.fails(4, "has no partition 4; it has 4 partitions", "kq-consume", name, "-p", "4")


def test_topics_by_globs(t):
    for name in ["gl.a", "gl.b"]:
        t.topic(1, name)
        t.status(t.run("kq-produce", name, stdin=name + "\n"), 0)
    t.equal(sorted(t.run("kq-consume", "gl.*").out.split()), ["gl.a", "gl.b"])
    t.fails(4, "no topic matches 'gx.*'", "kq-consume", "gx.*")
    got = t.status(t.run("kq-consume", "gl.b", "gl.a", "gl.b"), 0).out
    t.equal(sorted(got.split()), ["gl.a", "gl.b"], "named twice, read once")


def test_counts(t):
    name = filled(t)
    t.equal(t.status(t.run("kq-consume", name, "-n", "3"), 0).out, "0\n1\n2\n")
    t.equal(t.status(t.run("kq-consume", name, "-n", "100"), 0).out.count("\n"), 10)
    t.equal(t.status(t.run("kq-consume", name, "-n", "3", "-t", "5s"), 0).out, "0\n1\n2\n")
    start = time.monotonic()
    ran = t.run("kq-consume", name, "-n", "11", "-t", "700ms")
    t.status(ran, 7)
    t.true(time.monotonic() - start < 3, "the deadline is kept")
    t.equal(ran.out.count("\n"), 10, "what came is written")
    t.contains(ran.err, "kq-consume: got 10 of 11 records: ")
    t.status(t.run("kq-consume", name, "-F", "-t", "300ms"), 7)


def test_waiting_for_records_that_come(t):
    name = t.topic()
    consumer = t.start("kq-consume", name, "-n", "2", "-t", "20s")
    t.status(t.run("kq-produce", name, stdin="a\nb\nc\n"), 0)
    t.equal(wait_for(consumer), 0)
    t.equal(consumer.stdout.read(), b"a\nb\n")


def test_an_empty_topic_is_nothing(t):
    ran = t.run("kq-consume", t.topic(3))
    t.equal((ran.status, ran.out, ran.err), (0, "", ""))


def test_following_shows_each_record_when_it_comes(t):
    name = filled(t, 2)
    follower = t.start("kq-consume", name, "-F", "-f", "jsonl")
    read_until(follower.stdout.fileno(), b'"value":"1"')
    t.status(t.run("kq-produce", name, stdin="new\n"), 0)
    read_until(follower.stdout.fileno(), b'"value":"new"')
    t.equal(follower.poll(), None, "it goes on")
    follower.send_signal(signal.SIGTERM)
    t.equal(wait_for(follower), 143)
    t.equal(follower.stderr.read(), b"")
    late = t.start("kq-consume", name, "-F", "-o", "end")
    time.sleep(0.5)
    t.status(t.run("kq-produce", name, stdin="later\n"), 0)
    t.equal(read_until(late.stdout.fileno(), b"\n"), b"later\n")
    late.send_signal(signal.SIGINT)
    t.equal(wait_for(late), 130)


def test_usr1_tells_the_progress(t):
    name = filled(t, 5)
    follower = t.start("kq-consume", name, "-F")
    read_until(follower.stdout.fileno(), b"4\n")
    follower.send_signal(signal.SIGUSR1)
    t.contains(read_until(follower.stderr.fileno(), b"\n"), b"5 records, 5B")
    t.equal(follower.poll(), None)


def test_templates_show_everything(t):
    name = t.topic()
    t.status(t.run("kq-produce", name, "-f", "jsonl", "--keep", "timestamp", stdin=json.dumps(
        {"timestamp": 1772323200250, "key": "k", "value": "v\u00fc",
         "headers": [{"k": "a", "v": "1"}, {"k": "b", "v": None}]}) + "\n"), 0)

    def shown(form, *options):
        return t.status(t.run("kq-consume", name, "-f", form, *options), 0).out

    t.equal(shown("%t %p %o %k %v %s %T %e %K %V %i %%\\n"),
            name + " 0 0 k v\u00fc v\u00fc 1772323200250 0 1 3 0 %\n")
    t.equal(shown("%h|%h{%k=%v;}"), "a=1,b=|a=1;b=;")
    t.equal(shown("%v{hex} %v{base64} %v{json}"), '76c3bc dsO8 "v\u00fc"')
    t.equal(shown("%T{iso} %T{%F}"), "2026-03-01T00:00:00.250+00:00 2026-03-01")
    t.equal(shown("%T{iso}", "--utc"), "2026-03-01T00:00:00.250Z")
    ran = t.run("kq-consume", name, "-f", "%T{iso}", env={"TZ": "Asia/Tokyo"})
    t.true(ran.out in ("2026-03-01T09:00:00.250+09:00", "2026-03-01T00:00:00.250+00:00"), ran.out)
    ran = t.run("kq-consume", name, "-f", "%v{be32}\\n")
    t.contains(t.status(ran, 8).err, "%s-0 offset 0: a number of 4 bytes is wanted" % name)


def test_copies_lose_nothing(t):
    source = t.topic(3)
    lines = []
    for i in range(300):
        record = {"key_b64": "/w==", "value_b64": "AAEC/w=="} if i % 5 == 0 else \
            {"key": None if i % 3 == 0 else "k%d" % i, "value": None if i % 7 == 0 else "v\n\t\"%d" % i}
        record["partition"] = i % 3
        record["timestamp"] = 1772323200000 + i
        record["headers"] = [{"k": "h", "v": str(j)} for j in range(i % 4)] + \
            [{"k": "", "v": None}, {"k": "b", "v_b64": "//4="}][:i % 3]
        lines.append(json.dumps(record))
    t.status(t.run("kq-produce", source, "-f", "jsonl", "--keep", "partition,timestamp",
                   stdin="\n".join(lines)), 0)
    first = sorted(t.run("kq-consume", source, "-f", "jsonl").out.splitlines())
    t.equal(len(first), 300)
    for form in ["jsonl", "frame"]:
        copy = t.topic(3)
        ran = t.sh("kq-consume %s -f %s | kq-produce %s -f %s --keep partition,timestamp"
                   % (source, form, copy, form))
        t.status(ran, 0)
        second = sorted(t.run("kq-consume", copy, "-f", "jsonl").out.splitlines())
        t.equal([line.replace(copy, source) for line in second], first, form)
    # --keep topic sends each record to the topic that it names.
    ran = t.sh("kq-consume %s -f frame | kq-produce %s -f frame --keep topic" % (source, copy))
    t.status(ran, 0)
    t.equal(t.run("kq-consume", source).out_bytes.count(b"\n") > 300, True)
    t.equal(len(t.run("kq-consume", source, "-f", "%p\\n").out.split()), 600)


def test_bytes_that_are_no_text_are_not_lost_in_json(t):
    name = t.topic()
    values = [b"plain", b"\xff\xfe\x00", "v\u00fc".encode(), b"cut \xc3"]
    t.status(t.run("kq-produce", name, "-D", ";", stdin=b";".join(values)), 0)
    copy = t.topic()
    t.status(t.sh("kq-consume %s -f jsonl | kq-produce %s -f jsonl" % (name, copy)), 0)
    t.equal(t.run("kq-consume", copy, "-D", ";").out_bytes, b";".join(values) + b";")
    # {json} has no form for them, and says so rather than write others.
    ran = t.run("kq-consume", name, "-f", "%v{json}\\n")
    t.status(ran, 8)
    t.equal(ran.out, '"plain"\n')
    t.contains(ran.err, "%s-0 offset 1: %%v{json} has no form for bytes that are not UTF-8 "
               "[KQ_BAD_DATA]\n  try: kq-consume %s -f jsonl\n" % (name, name))
    t.status(t.run("kq-produce", copy, "-f", "%v{json}\\n", stdin=b'"a\\u00fc\\n"\n'), 0)
    t.equal(t.run("kq-consume", copy, "-o", "-1", "-f", "%v{hex}").out, "61c3bc0a")


def test_lines_with_keys_and_nulls(t):
    name = t.topic()
    t.status(t.run("kq-produce", name, "-f", "jsonl", stdin='{"key":"k","value":"v"}\n'
                                                            '{"key":null,"value":null}\n'), 0)
    t.equal(t.run("kq-consume", name).out, "v\n\n")
    t.equal(t.run("kq-consume", name, "-K", "\\t").out, "k\tv\n\t\n")
    t.equal(t.run("kq-consume", name, "-K", ":", "--null", "NULL").out, "k:v\nNULL:NULL\n")
    t.equal(t.run("kq-consume", name, "-0", "--null", "-").out_bytes, b"v\0-\0")
    t.equal(t.run("kq-consume", name, "-f", "raw").out, "v")


def test_a_reader_that_has_enough_ends_it_quietly(t):
    name = t.topic()
    t.status(t.sh("seq 1 200000 | kq-produce " + name), 0)
    ran = t.sh("kq-consume %s | head -1; echo ${PIPESTATUS[0]}" % name)
    t.equal((ran.out, ran.err), ("1\n141\n", ""))
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([os.path.join(t.bin, "kq-consume"), name], stdout=write_end,
                          stderr=subprocess.PIPE, env=t.environment())
    os.close(write_end)
    t.equal((done.returncode, done.stderr), (141, b""))
    # A follower need not have anything to write to notice.
    ran = t.sh("kq-consume %s -F -o -1 | head -1; echo ${PIPESTATUS[0]}" % name, timeout=15)
    t.equal((ran.out, ran.err), ("200000\n141\n", ""))
    for words in [["-F", "-o", "end"], ["-n", "5", "-t", "20s", "-o", "end"]]:
        follower = t.start("kq-consume", name, *words)
        time.sleep(0.3)
        t.true(follower.poll() is None, "it follows")
        follower.stdout.close()
        t.equal(wait_for(follower, 5), 141)
        t.equal(follower.stderr.read(), b"")


def test_a_follower_into_a_file_goes_on(t):
    name = t.topic()
    with open(os.path.join(t.directory, "out"), "wb") as out:
        follower = subprocess.Popen([os.path.join(t.bin, "kq-consume"), name, "-F"], stdout=out,
                                    stderr=subprocess.PIPE, env=t.environment())
        try:
            t.status(t.run("kq-produce", name, stdin="x\n"), 0)
            deadline = time.monotonic() + 5
            while open(out.name).read() != "x\n":
                t.true(time.monotonic() < deadline, "the record came")
                time.sleep(0.01)
            ticks = open("/proc/%d/stat" % follower.pid).read().split()[13:15]
            time.sleep(0.5)
            later = open("/proc/%d/stat" % follower.pid).read().split()[13:15]
            spent = sum(map(int, later)) - sum(map(int, ticks))
            t.true(spent < 10, "it turns %d ticks while nothing comes" % spent)
        finally:
            follower.terminate()
            t.equal(wait_for(follower), 143)
            follower.stderr.close()


def test_a_full_disk_is_told_once(t):
    name = t.topic()
    t.status(t.run("kq-produce", name, stdin="a\n"), 0)
    for words in [["kq-consume", name], ["kq-topics", "list"]]:
        with open("/dev/full", "wb") as full:
            done = subprocess.run([os.path.join(t.bin, words[0])] + words[1:], stdout=full,
                                  stderr=subprocess.PIPE, env=t.environment())
        t.equal(done.returncode, 4)
        said = done.stderr.decode()
        t.true(said.startswith(words[0] + ": cannot write standard output: "), said)
        t.equal(said.count(words[0] + ": "), 1, said)


def test_of_several_topics_the_one_at_fault_is_named(t):
    name = t.topic()
    ran = t.fails(4, "kq-consume: cannot read 'no-such': there is no topic 'no-such'", "kq-consume",
                  name, "no-such")
    ran = t.run("kq-consume", name, "no-such", "-f", "jsonl")
    t.equal(json.loads(ran.err)["error"]["target"], "no-such")
    t.fails(4, "cannot read 'a b': the topic name is not allowed", "kq-consume", "a b")


def test_a_slow_reader_gets_everything(t):
    name = t.topic()
    t.status(t.sh("seq 1 300000 | kq-produce " + name), 0)
    ran = t.sh("kq-consume %s | { sleep 1; cat; } | cksum; seq 1 300000 | cksum" % name)
    one, two = ran.out.splitlines()
    t.equal(one, two)


def test_a_signal_ends_a_consumer_that_nobody_reads(t):
    name = t.topic()
    t.status(t.sh("seq 1 300000 | kq-produce " + name), 0)
    consumer = t.start("kq-consume", name)
    time.sleep(0.7)  # the pipe is full now, and nobody empties it
    consumer.send_signal(signal.SIGTERM)
    t.equal(wait_for(consumer, 8), 143)
    second = t.start("kq-consume", name)
    time.sleep(0.7)
    second.send_signal(signal.SIGINT)
    time.sleep(0.2)
    second.send_signal(signal.SIGINT)
    t.equal(wait_for(second, 2), 130, "the second one ends it at once")


def test_unknown_topics_are_not_made_by_reading(t):
    t.topic(1, "read-orders")
    ran = t.fails(4, "there is no topic 'read-ordres'; is 'read-orders' meant?", "kq-consume",
                  "read-ordres", "-o", "-5..")
    t.contains(ran.err, "  try: kq-consume read-orders -o -5..\n")
    t.fails(4, "there is no topic 'read-ordres'", "kq-topics", "describe", "read-ordres")


def test_what_is_not_built_says_so(t):
    t.fails(4, "groups are not built", "kq-consume", t.topic(), "-o", "stored")


def test_without_a_terminal_nothing_is_drawn(t):
    name = filled(t)
    process = t.start("kq-consume", name, stdin=subprocess.DEVNULL, start_new_session=True)
    t.equal(wait_for(process), 0)
    t.equal(process.stderr.read(), b"")
