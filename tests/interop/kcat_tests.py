# SPDX-License-Identifier: Apache-2.0
"""kcat, with the librdkafka of Debian 12."""

import json
import time

from harness import CODECS, check, codecs_on_disk, counts_on_disk, equal, lines, run, test


def kcat(context, *words, stdin=b"", ok=(0,)):
    return run(["kcat", "-b", context.broker.address, *words], stdin=stdin, ok=ok)


def numbered(count):
    return b"".join(b"record %06d of some length that a codec can do something with\n" % i
                    for i in range(count))


def consume(context, topic, *words):
    return kcat(context, "-C", "-q", "-e", "-t", topic, "-p", "0", *words).stdout


def produces_with(codec):
    def body(context):
        topic = context.create(context.topic(f"kcat-{codec}"))
        data = numbered(5000)
        kcat(context, "-P", "-t", topic, "-p", "0", "-z", codec, "-X", "linger.ms=50", stdin=data)
        equal(consume(context, topic, "-o", "beginning"), data, "what came back")
        # The last batch may be too small to gain from a codec; the others must bear it.
        codecs = codecs_on_disk(context.broker, topic)
        check(codec in codecs and codecs <= {codec, "none"}, f"codecs on disk are {codecs}")

    return body


for each_codec in CODECS:
    test(f"kcat produces and consumes with codec {each_codec}", "kcat")(produces_with(each_codec))


@test("kcat produces with acks 0, 1 and all", "kcat")
def acks(context):
    topic = context.create(context.topic("kcat-acks"))
    for level in ("0", "1", "all"):
        kcat(context, "-P", "-t", topic, "-p", "0", "-X", f"acks={level}",
             stdin=f"acks {level}\n".encode())
    # Nobody waits for a record sent with acks=0; it is there soon after.
    wanted = {"acks 0", "acks 1", "acks all"}
    for _ in range(50):
        found = set(consume(context, topic, "-o", "beginning").decode().splitlines())
        if found == wanted:
            return
        time.sleep(0.1)
    equal(found, wanted, "records")


@test("kcat produces idempotently", "kcat")
def idempotent(context):
    topic = context.create(context.topic("kcat-idempotent"))
    data = numbered(2000)
    kcat(context, "-P", "-t", topic, "-p", "0", "-X", "enable.idempotence=true", stdin=data)
    equal(consume(context, topic, "-o", "beginning"), data, "what came back")


@test("kcat produces batches of any size", "kcat")
def batch_sizes(context):
    topic = context.create(context.topic("kcat-batches"))
    data = numbered(300)
    # 300 records of 63 bytes.
    for turn, (size, batches) in enumerate((("1", (300, 300)), ("1000", (20, 40)), ("1000000", (1, 2)))):
        kcat(context, "-P", "-t", topic, "-p", "0", "-X", f"batch.size={size}", "-X",
             "linger.ms=200", stdin=data)
        counts = counts_on_disk(context.broker, topic, turn * 300)
        equal(sum(counts), 300, f"records with batch.size={size}")
        check(batches[0] <= len(counts) <= batches[1], f"{len(counts)} batches with batch.size={size}")
    equal(consume(context, topic, "-o", "beginning"), data * 3, "what came back")


@test("kcat keeps keys, headers, empty and null values", "kcat")
def keys(context):
    topic = context.create(context.topic("kcat-keys"))
    kcat(context, "-P", "-t", topic, "-p", "0", "-K:", "-H", "one=1", "-H", "two=", stdin=b"k:v\n")
    kcat(context, "-P", "-t", topic, "-p", "0", "-K:", "-Z", stdin=b"tombstone:\n")
    kcat(context, "-P", "-t", topic, "-p", "0", stdin=b"no key\n")
    rows = consume(context, topic, "-o", "beginning", "-f", "%k|%K|%s|%S|%h\n").decode().splitlines()
    equal(rows, ["k|1|v|1|one=1,two=", "tombstone|9||-1|", "|-1|no key|6|"], "records")


@test("kcat reads from every kind of position", "kcat")
def positions(context):
    topic = context.create(context.topic("kcat-positions"))
    first = numbered(1000)
    kcat(context, "-P", "-t", topic, "-p", "0", "-X", "batch.num.messages=100", stdin=first)
    time.sleep(0.05)
    between = int(time.time() * 1000)
    time.sleep(0.05)
    kcat(context, "-P", "-t", topic, "-p", "0", stdin=b"the last one\n")

    def offsets(*words):
        return [int(o) for o in consume(context, topic, "-f", "%o\n", *words).split()]

    equal(offsets("-o", "beginning"), list(range(1001)), "from the beginning")
    for start in (0, 1, 99, 100, 101, 555, 999, 1000):
        equal(offsets("-o", str(start)), list(range(start, 1001)), f"from {start}")
    equal(offsets("-o", "-5"), list(range(996, 1001)), "the last five")
    equal(offsets("-o", "end"), [], "from the end")
    equal(offsets("-o", f"s@{between}"), [1000], "from a time")
    equal(offsets("-o", f"s@{between}", "-o", f"e@{between + 600_000}"), [1000], "between two times")
    equal(offsets("-o", "beginning", "-c", "3"), [0, 1, 2], "three of them")


@test("kcat asks for offsets by time", "kcat")
def query(context):
    topic = context.create(context.topic("kcat-query"))
    kcat(context, "-P", "-t", topic, "-p", "0", stdin=numbered(10))

    def offset(when):
        return lines(kcat(context, "-Q", "-t", f"{topic}:0:{when}"))[0].split()[-1]

    equal(offset(-2), "0", "the earliest offset")
    equal(offset(-1), "10", "the latest offset")
    equal(offset(1), "0", "the offset at the dawn of time")


@test("kcat waits at the end for what comes next", "kcat")
def long_poll(context):
    topic = context.create(context.topic("kcat-follow"))
    import subprocess
    follower = subprocess.Popen(["kcat", "-b", context.broker.address, "-C", "-q", "-u", "-t", topic,
                                 "-p", "0", "-o", "beginning", "-c", "2"], stdout=subprocess.PIPE)
    try:
        time.sleep(0.5)
        for word in (b"first\n", b"second\n"):
            kcat(context, "-P", "-t", topic, "-p", "0", stdin=word)
        out, _ = follower.communicate(timeout=20)
    finally:
        follower.kill()
    equal(out, b"first\nsecond\n", "what the follower saw")


@test("kcat lists brokers and topics", "kcat")
def metadata(context):
    topic = context.create(context.topic("kcat-list"), partitions=3)
    shown = json.loads(kcat(context, "-L", "-J").stdout)
    equal([b["name"] for b in shown["brokers"]], [context.broker.address], "brokers")
    mine = next(t for t in shown["topics"] if t["topic"] == topic)
    equal([p["partition"] for p in mine["partitions"]], [0, 1, 2], "partitions")
    node = shown["brokers"][0]["id"]
    for partition in mine["partitions"]:
        equal(partition["leader"], node, "leader")
        equal([r["id"] for r in partition["replicas"]], [node], "replicas")
        equal([r["id"] for r in partition["isrs"]], [node], "replicas in sync")


@test("kcat is told that a topic does not exist", "kcat")
def absent(context):
    done = kcat(context, "-C", "-e", "-t", "no-such-topic-here", "-p", "0",
                "-X", "allow.auto.create.topics=false", ok=None)
    check(done.returncode != 0, "kcat took an absent topic for a present one")
    check(b"unknown topic" in done.stderr.lower() or b"unknown partition" in done.stderr.lower(),
          f"kcat said {done.stderr!r}")


@test("kcat produces to a topic that is created on the way", "kcat")
def auto_create(context):
    topic = context.topic("kcat-auto")
    kcat(context, "-P", "-t", topic, stdin=b"hello\n")
    equal(consume(context, topic, "-o", "beginning"), b"hello\n", "what came back")
