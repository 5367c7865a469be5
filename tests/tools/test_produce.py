# SPDX-License-Identifier: Apache-2.0
"""kq-produce: what goes in comes out, in every framing, and the exit status can be trusted."""

import os
import random
import signal
import time

from harness import read_until, wait_for


def test_every_line_is_a_record(t):
    name = t.topic()
    for content, records in [(b"a\nb\n", [b"a", b"b"]), (b"a\nb", [b"a", b"b"]), (b"", []),
                             (b"\n", [b""]), (b"a\n\nb\n", [b"a", b"", b"b"]),
                             (b"\xff\xfe\x00x\n", [b"\xff\xfe\x00x"]), (b"a\r\n", [b"a\r"])]:
        start = t.run("kq-topics", "describe", name, "-f", "%{end}").out
        ran = t.status(t.run("kq-produce", name, stdin=content), 0)
        t.equal((ran.out, ran.err), ("", ""), "success is silent")
        got = t.status(t.run("kq-consume", name, "-o", start), 0)
        t.equal(got.out_bytes, b"".join(record + b"\n" for record in records), repr(content))


def test_keys_delimiters_and_nulls(t):
    name = t.topic()
    show = ["-f", "%K|%k|%V|%v;"]

    def sent(content, *options):
        start = t.run("kq-topics", "describe", name, "-f", "%{end}").out
        t.status(t.run("kq-produce", name, *options, stdin=content), 0)
        return t.status(t.run("kq-consume", name, "-o", start, *show), 0).out_bytes

    t.equal(sent(b"k\tv\tw\n\tx\n", "-K", "\\t"), b"1|k|3|v\tw;0||1|x;")
    t.equal(sent(b"a\nb\0c", "-0"), b"-1||3|a\nb;-1||1|c;")
    t.equal(sent(b"a--b--", "-D", "--"), b"-1||1|a;-1||1|b;")
    t.equal(sent(b"NULL:x\ny:NULL\n", "-K", ":", "--null", "NULL"), b"-1||1|x;1|y|-1|;")
    t.equal(sent(b"v\n", "-k", "fixed"), b"5|fixed|1|v;")
    t.equal(sent(b"a\r\nb\r", "--crlf"), b"-1||1|a;-1||1|b;")
    t.equal(sent(b"one\nvalue", "-f", "raw"), b"-1||9|one\nvalue;")
    t.equal(sent(b"k=v;k2=v2;", "-f", "%k=%v;"), b"1|k|1|v;2|k2|2|v2;")
    t.equal(sent(b"\0\0\0\3a\nb\xff\xff\xff\xff", "-f", "%V{be32}%v"), b"-1||3|a\nb;-1||-1|;")


def test_headers_timestamps_and_partitions(t):
    name = t.topic(3)
    t.status(t.run("kq-produce", name, "-p", "2", "-H", "a=1", "-H", "b=x=y", "--at",
                   "2026-03-01T14:30:00Z", stdin="v\n"), 0)
    ran = t.run("kq-consume", name, "-f", "%p %T{iso} %h %v\\n", "--utc")
    t.equal(ran.out, "2 2026-03-01T14:30:00.000Z a=1,b=x=y v\n")
    ran = t.run("kq-produce", name, "-f", "%p %T{iso} %h{%k:%v;} %v\\n",
                stdin="1 2026-03-02T00:00:00Z x:1;x:2; w\n")
    t.status(ran, 0)
    ran = t.run("kq-consume", name, "-p", "1", "-f", "jsonl")
    t.equal(ran.out, '{"topic":"%s","partition":1,"offset":0,"timestamp":1772409600000,"key":null,'
                     '"value":"w","headers":[{"k":"x","v":"1"},{"k":"x","v":"2"}]}\n' % name)
    t.fails(4, "there is no partition 3; it has 3 partitions", "kq-produce", name, "-p", "3",
            stdin="x\n")


def test_a_file_that_goes_meanwhile_is_a_partial_success(t):
    name = t.topic()
    late = t.file("late", "c\n")
    process = t.start("kq-produce", name, "-", late)
    process.stdin.write(b"a\nb\n")
    process.stdin.flush()
    deadline = time.monotonic() + 10
    while t.run("kq-consume", name).out != "a\nb\n":
        t.true(time.monotonic() < deadline, "what was read did not leave")
        time.sleep(0.05)
    os.unlink(late)
    process.stdin.close()
    t.equal(wait_for(process), 3)
    t.contains(process.stderr.read().decode(), "cannot open '%s': No such file" % late)
    t.equal(t.run("kq-consume", name).out, "a\nb\n")


def test_promises_that_settings_take_away_are_warned_of(t):
    name = t.topic()
    off = "idempotence is off, as it needs "
    for setting, lack in [("acks=1", "acks=all"), ("acks=0", "acks=all"), ("retries=0", "retries above 0"),
                          ("max.in.flight.requests.per.connection=6", "at most 5 for max.in.flight")]:
        ran = t.status(t.run("kq-produce", name, "-X", setting, stdin="a\nb\n"), 0)
        t.equal(ran.err.count(off + lack), 1, ran)
        t.equal(ran.err.count("acks=0: no broker tells"), int(setting == "acks=0"), ran)
        ran = t.run("kq-produce", name, "-X", setting, "-X", "enable.idempotence=false", stdin="a\n")
        t.true(off not in t.status(ran, 0).err, ran)
        t.equal(t.run("kq-produce", name, "-q", "-X", setting, stdin="a\n").err, "")


def test_every_codec_reads_back(t):
    content = "".join("line %d %s\n" % (i, "x" * 50) for i in range(5000))
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        name = t.topic()
        t.status(t.run("kq-produce", name, "-z", codec, stdin=content), 0)
        t.equal(t.run("kq-consume", name).out, content, codec)
        size = int(t.run("kq-topics", "list", name, "-f", "%{bytes}").out)
        t.true((size < len(content) // 2) == (codec != "none"), "%s: %d bytes" % (codec, size))


def test_files_end_their_last_record(t):
    name = t.topic()
    one, two = t.file("one", "a\nb"), t.file("two", "c\n")
    t.status(t.run("kq-produce", name, one, two, "-", stdin="d"), 0)
    t.equal(t.run("kq-consume", name).out, "a\nb\nc\nd\n")
    ran = t.run("kq-produce", name, "missing")
    t.status(ran, 2)
    # The second one is missing: nothing of the first is sent.
    ran = t.status(t.run("kq-produce", name, one, "missing"), 2)
    t.contains(ran.err, "cannot open 'missing': No such file")
    t.equal(t.run("kq-consume", name).out, "a\nb\nc\nd\n")
    t.contains(ran.err, "cannot open 'missing': No such file")
    ran = t.run("kq-produce", name, t.directory)
    t.contains(t.status(ran, 2).err, "it is a directory")


def test_named_pipes_and_substitutions_are_read(t):
    name = t.topic()
    t.status(t.sh("kq-produce %s <(seq 3) <(seq 4 6)" % name), 0)
    t.equal(t.run("kq-consume", name).out.split(), ["1", "2", "3", "4", "5", "6"])


def test_bad_input_stops_with_its_place_or_is_skipped(t):
    name = t.topic()
    path = t.file("in", '{"value":"1"}\nnonsense\n{"value":"2"}\n')
    ran = t.run("kq-produce", name, path, "-f", "jsonl")
    t.status(ran, 8)
    t.contains(ran.err, path + ":2:1: an object is wanted")
    ran = t.run("kq-produce", name, "-f", "jsonl", stdin='\n{"value":"x" "key":1}\n')
    t.contains(t.status(ran, 8).err, """-:2:14: ',' or '}' is wanted""")
    t.equal(t.run("kq-consume", name).out, "1\n", "what came before was sent")
    ran = t.run("kq-produce", name, path, "-f", "jsonl", "--skip-bad")
    t.status(ran, 0)
    t.contains(ran.err, "warning: skipped 1 bad record")
    t.equal(t.run("kq-consume", name).out, "1\n1\n2\n")
    ran = t.run("kq-produce", name, "-K", ":", stdin="a:1\nb\n")
    t.contains(t.status(ran, 8).err, "-:2:1: no key separator ':'")
    ran = t.run("kq-produce", name, "-f", "%k %T\\n", stdin="a 1\nbc x\n")
    t.contains(t.status(ran, 8).err, "-:2:4: 'x' is no number for %T")
    ran = t.run("kq-produce", name, "-f", "%p %v\\n", stdin="0 a\n7 b\n")
    t.contains(t.status(ran, 3).err, "-:2:1: '%s' has partitions 0 to 0, not 7" % name)
    ran = t.run("kq-produce", name, "-f", "frame", stdin="not a frame at all")
    t.contains(t.status(ran, 8).err, "-:1:1: no record frame begins here")
    ran = t.run("kq-produce", name, "-f", "frame", "--skip-bad", stdin="not a frame at all")
    t.status(ran, 8)
    # Of two members that contradict each other none is taken.
    for line, told in [('{"value":"a","value":"b"}', ":1:14: 'value' is a second 'value'"),
                       ('{"value":"a","value_b64":"Yg=="}', ":1:14: 'value_b64' is a second 'value'"),
                       ('{"id":1,"name":"a"}', ":1:1: an object without key or value"),
                       ('{"value":"a","timestamp":-5}', ":1:26: a whole number is wanted")]:
        path = t.file("in", line + "\n")
        ran = t.run("kq-produce", name, path, "-f", "jsonl", "--keep", "timestamp")
        t.contains(t.status(ran, 8).err, path + told)
    t.fails(2, "option '--at': '1969-12-31' is before 1970", "kq-produce", name, "--at",
            "1969-12-31", "--utc")


def test_report_tells_where_each_record_is(t):
    name = t.topic(2)
    ran = t.run("kq-produce", name, "-p", "1", "--report", stdin="a\nb\nc\n")
    t.status(ran, 0)
    t.equal(ran.out, "".join("%s\t1\t%d\t-\n" % (name, i) for i in range(3)))


def test_dry_run_sends_nothing(t):
    name = t.topic()
    ran = t.run("kq-produce", name, "--dry-run", stdin="a\nbc\n")
    t.equal((ran.status, ran.out, ran.err), (0, "", "would send 2 records, 3B\n"))
    t.equal(t.run("kq-consume", name).out, "")
    t.status(t.run("kq-produce", "x", "--dry-run", "-f", "jsonl", stdin="x\n"), 8)


def test_unknown_topics_name_the_nearest(t):
    t.broker = t.another_broker("-X", "auto.create.topics.enable=false")
    name = t.topic(1, "nearest-orders")
    ran = t.fails(4, "there is no topic 'nearest-ordesr'; is '%s' meant?" % name, "kq-produce",
                  "nearest-ordesr", "-X", "max.block.ms=1s", stdin="a\n")
    t.contains(ran.err, "[UNKNOWN_TOPIC_OR_PARTITION]")
    t.contains(ran.err, "  try: kq-produce %s -X max.block.ms=1s\n" % name)


def test_a_broker_may_make_topics_on_being_written_to(t):
    t.broker = t.another_broker("-X", "num.partitions=2")
    ran = t.status(t.run("kq-produce", "made-by-writing", stdin="a\n"), 0)
    t.equal(ran.err, "topic 'made-by-writing' did not exist: the broker made it, with 2 partitions\n")
    t.equal(t.run("kq-consume", "made-by-writing").out, "a\n")
    t.equal(t.run("kq-produce", "made-by-writing", stdin="a\n").err, "")
    t.equal(t.run("kq-produce", "made-quietly", "-q", stdin="a\n").err, "")
    t.status(t.run("kq-produce", "made-for-its-first", "-p", "0", stdin="a\n"), 0)


def test_a_produce_that_is_refused_makes_no_topic(t):
    t.broker = t.another_broker()
    t.topic(1, "orders")
    t.status(t.run("kq-produce", "ordres", "missing"), 2)
    t.status(t.run("kq-produce", "ordres", t.file("there", "a\n"), t.directory), 2)
    t.status(t.sh("kq-produce ordres <&-"), 2)
    ran = t.fails(4, "there is no topic 'ordres'; is 'orders' meant?", "kq-produce", "ordres", "-p", "7",
                  stdin="a\n")
    t.contains(ran.err, "  try: kq-produce orders -p 7\n  try: kq-topics create ordres -p 8\n")
    # Nor does one that shall make none, whoever says so.
    for words, env in [(["-X", "allow.auto.create.topics=false"], {}),
                       ([], {"KQ_ALLOW_AUTO_CREATE_TOPICS": "false"})]:
        ran = t.fails(4, "there is no topic 'ordres'; is 'orders' meant?", "kq-produce", "ordres", *words,
                      stdin="a\n", env=env)
        t.contains(ran.err, "  try: kq-topics create ordres\n")
    line = '{"topic":"ordres","value":"a"}\n'
    ran = t.run("kq-produce", "orders", "-f", "jsonl", "--keep", "topic", "-X",
                "allow.auto.create.topics=false", stdin=line)
    t.contains(t.status(ran, 4).err, "-:1:1: there is no topic 'ordres'")
    t.equal(t.run("kq-topics", "list", "-f", "tsv", "--columns", "name").out, "orders\n")
    t.status(t.run("kq-produce", "orders", "-f", "jsonl", "--keep", "topic", stdin=line), 0)
    t.contains(t.run("kq-topics", "list").out, "ordres")


def test_a_record_that_is_too_large_is_named(t):
    name = t.topic()
    ran = t.run("kq-produce", name, stdin="small\n" + "x" * 2_000_000 + "\n")
    t.status(ran, 3)
    t.contains(ran.err, "-:2:1: ")
    t.contains(ran.err, "[MESSAGE_TOO_LARGE]")
    t.equal(t.run("kq-consume", name).out, "small\n")
    t.contains(ran.err, "  try: kq-produce %s -X max.request.size=16MiB\n" % name)
    ran = t.status(t.run("kq-produce", name, stdin="x" * (17 << 20)), 4)
    t.true("max.request.size=16MiB" not in ran.err, "advice that does not help: " + ran.err)
    # What goes on and on is not read to its end; escapes are longer than what they stand for.
    ran = t.status(t.sh("{ head -c 200000000 /dev/zero || true; } 2>/dev/null | kq-produce " + name), 4)
    t.contains(ran.err, "-:1:1: a record of more than 16MiB")
    ran = t.run("kq-produce", name, "-f", "jsonl", "-X", "max.request.size=4MiB",
                stdin='{"value":"%s"}\n' % ("\\u0061" * 3_500_000))
    t.contains(t.status(ran, 4).err, "1 record of 1 was not acknowledged")  # it is for the topic to refuse
    # Over the topic's limit, though not over ours.
    small = t.topic(1, None, "-c", "max.message.bytes=1000")
    ran = t.run("kq-produce", small, stdin="x" * 5000 + "\n")
    t.status(ran, 4)
    t.contains(ran.err, "[MESSAGE_TOO_LARGE]")
    t.contains(ran.err, "1 record of 1 was not acknowledged")
    t.contains(ran.err, "  try: kq-topics create NAME -c max.message.bytes=16MiB")
    t.fails(4, "cannot write to 'a b': the topic name is not allowed", "kq-produce", "a b",
            stdin="x\n")


def test_a_full_disk_refuses_records_with_a_word(t):
    t.broker = t.another_broker("--data", os.path.join(t.small_disk(24 << 20), "data"))
    name = t.topic()
    lines = ("y" * 999 + "\n") * 40_000
    ran = t.run("kq-produce", name, "-X", "delivery.timeout.ms=3s", "-X", "request.timeout.ms=1s",
                stdin=lines)
    t.status(ran, 3)
    t.contains(ran.err, "broker 1 refused it: KAFKA_STORAGE_ERROR: the disk of ")
    t.contains(ran.err, name + "-0 is full")
    t.true(len(t.run("kq-consume", name).out) > 1000, "nothing can be read any more")


def test_batches_are_cut_to_what_the_topic_takes(t):
    name = t.topic(1, None, "-c", "max.message.bytes=20000")
    t.status(t.sh("seq 1 50000 | kq-produce " + name), 0)
    t.equal(t.run("kq-consume", name).out, "".join("%d\n" % i for i in range(1, 50001)))


def test_keys_go_to_the_partition_that_other_clients_choose(t):
    # murmur2 as Kafka's Java client has it; partitions computed with that client.
    name = t.topic(10)
    keys = ["", "a", "key", "orders", "k1", "k2", "\u00fc", "21", "foobar"]
    wanted = [murmur2_partition(key.encode(), 10) for key in keys]
    t.status(t.run("kq-produce", name, "-K", "\t",
                   stdin="".join(key + "\tv\n" for key in keys)), 0)
    lines = t.run("kq-consume", name, "-f", "%k\\t%p\\n").out.splitlines()
    got = dict(line.split("\t") for line in lines)
    t.equal([int(got[key]) for key in keys], wanted)


def murmur2_partition(data, partitions):
    mask = 0xffffffff
    m, h, length = 0x5bd1e995, 0x9747b28c ^ len(data), len(data)
    for i in range(0, length - 3, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    tail = data[length & ~3:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7fffffff) % partitions


def test_rate_is_kept(t):
    name = t.topic()
    start = time.monotonic()
    t.status(t.run("kq-produce", name, "--rate", "100/s", stdin="x\n" * 51), 0)
    spent = time.monotonic() - start
    t.true(0.45 <= spent < 5, "51 records at 100/s took %.2f s" % spent)


def test_lines_leave_while_the_pipe_is_quiet(t):
    name = t.topic()
    follower = t.start("kq-consume", name, "-F")
    producer = t.start("kq-produce", name)
    for line in [b"one\n", b"two\n"]:
        producer.stdin.write(line)
        producer.stdin.flush()
        t.contains(read_until(follower.stdout.fileno(), line), line)
    producer.stdin.close()
    t.equal(wait_for(producer), 0)


def test_signals_let_what_was_read_arrive(t):
    for number in [signal.SIGINT, signal.SIGTERM]:
        name = t.topic()
        producer = t.start("kq-produce", name, "-X", "linger.ms=10s")
        producer.stdin.write(b"read before the signal\n")
        producer.stdin.flush()
        time.sleep(0.5)
        producer.send_signal(number)
        t.equal(wait_for(producer, 6), 128 + number)
        t.equal(producer.stderr.read(), b"", "a signal needs no message")
        t.equal(t.run("kq-consume", name).out, "read before the signal\n")


def test_usr1_tells_the_progress(t):
    name = t.topic()
    producer = t.start("kq-produce", name)
    producer.stdin.write(b"a\nb\n")
    producer.stdin.flush()
    time.sleep(0.4)
    producer.send_signal(signal.SIGUSR1)
    t.contains(read_until(producer.stderr.fileno(), b"\n"), b"2 records, 2B")
    producer.stdin.write(b"c\n")
    producer.stdin.close()
    t.equal(wait_for(producer), 0)
    t.equal(t.run("kq-consume", name).out, "a\nb\nc\n")


def test_a_terminal_gets_a_hint(t):
    name = t.topic()
    process, terminal = t.start_on_terminal("kq-produce", name)
    read_until(terminal, b"Ctrl-D ends")
    os.write(terminal, b"typed\n")
    time.sleep(0.3)
    os.write(terminal, b"\x04")
    t.equal(wait_for(process), 0)
    t.equal(t.run("kq-consume", name).out, "typed\n")


def test_a_few_megabytes_byte_for_byte(t):
    name = t.topic()
    source = random.Random(7)
    content = source.randbytes(4 << 20)
    t.status(t.run("kq-produce", name, "-z", "lz4", stdin=content), 0)
    got = t.run("kq-consume", name).out_bytes
    if not content.endswith(b"\n"):
        content += b"\n"
    t.true(got == content, "%d bytes in, %d out" % (len(content), len(got)))
