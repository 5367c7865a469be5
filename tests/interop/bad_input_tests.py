# SPDX-License-Identifier: Apache-2.0
"""What no client sends: each row of docs/testing.md, "Bad input", that can be said over a socket.
After every row the log is what it was and the broker answers."""

import struct
import time

import rawwire as raw
from harness import check, equal, log_bytes, test

CLOSED = "closed"

FRAMES = [
    ("a negative length", raw.i32(-1) + b"x" * 20),
    ("a length of zero", raw.i32(0)),
    ("a length below a header's", raw.i32(7) + b"x" * 7),
    ("a length beyond socket.request.max.bytes", raw.i32(104_857_601) + b"x" * 20),
    ("a length of two gigabytes", raw.i32(0x7FFFFFFF) + b"x" * 20),
    ("an HTTP request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a TLS greeting", bytes.fromhex("16030100a5010000a10303") + b"\0" * 160),
    ("an unknown API", raw.request(999, 0, b"")),
    ("a negative API", raw.request(-5, 0, b"")),
    ("an unknown version", raw.request(3, 99, b"")),
    ("a negative version", raw.request(3, -1, b"")),
    ("a client id longer than the frame",
     raw.data(raw.i16(3) + raw.i16(1) + raw.i32(1) + raw.i16(32000) + b"x")),
    ("an array longer than the frame", raw.request(3, 1, raw.i32(0x7FFFFFFF))),
    ("an array of -2", raw.request(3, 1, raw.i32(-2))),
    ("a string longer than the frame", raw.request(3, 1, raw.i32(1) + raw.i16(30000) + b"x")),
    ("a string of -2", raw.request(3, 1, raw.i32(1) + raw.i16(-2))),
    ("half a body", raw.request(3, 1, raw.i32(1) + raw.i16(3) + b"ab")),
    ("bytes behind the body", raw.request(22, 0, raw.string(None) + raw.i32(1000) + b"more")),
    ("a varint without an end",
     raw.data(raw.i16(3) + raw.i16(9) + raw.i32(1) + raw.string("c") + b"\x00" + b"\xff" * 12)),
    ("a tag that is not as long as it says",
     raw.data(raw.i16(3) + raw.i16(9) + raw.i32(1) + raw.string("c") + b"\x01\x05\x7f\x01")),
    ("a tag that comes twice",
     raw.data(raw.i16(18) + raw.i16(3) + raw.i32(1) + raw.string("c") + b"\x02\x05\x00\x05\x00" +
              b"\x02a\x02b\0")),
    ("tags out of order",
     raw.data(raw.i16(18) + raw.i16(3) + raw.i32(1) + raw.string("c") + b"\x02\x06\x00\x05\x00" +
              b"\x02a\x02b\0")),
]


def still_well(context, before):
    with raw.Connection(context.broker.address) as again:
        answer = again.ask(raw.request(18, 0, b""))
        check(answer is not None and answer[:2] == b"\0\0", "the broker does not answer any more")
    equal(log_bytes(context.broker.data).keys(), before.keys(), "segments")
    changed = [p for p, content in log_bytes(context.broker.data).items() if content != before[p]]
    equal(changed, [], "segments that changed")


def closes(what, content):
    def body(context):
        context.broker  # started, if it was not
        before = log_bytes(context.broker.data)
        with raw.Connection(context.broker.address) as connection:
            connection.send(content)
            check(connection.is_closed(), "the connection was not closed")
        still_well(context, before)

    test(f"{what} closes the connection", "kq")(body)


for each_what, each_content in FRAMES:
    closes(each_what, each_content)


@test("ApiVersions of an unknown version is answered with version 0", "kq")
def api_versions(context):
    with raw.Connection(context.broker.address) as connection:
        # A header of today: behind the client id no tags; then the client's name and version.
        answer = connection.ask(raw.request(18, 99, b"\0" + b"\x02a\x02b\0"))
        check(answer is not None, "closed")
        equal(struct.unpack_from(">h", answer)[0], 35, "error")


@test("half a frame is dropped after half a minute", "kq")
def half_a_frame(context):
    with raw.Connection(context.broker.address) as connection:
        connection.send(raw.i32(1000) + b"only a little")
        begin = time.monotonic()
        check(connection.is_closed(40), "it was kept for more than 40 s")
        check(time.monotonic() - begin > 20, "it was dropped too soon for a slow client")


# ---- topics ----

TOPIC_NAMES = [("an empty name", ""), ("the name .", "."), ("the name ..", ".."),
               ("a name of 250 characters", "x" * 250), ("a blank in a name", "a b"),
               ("a slash in a name", "../etc"), ("a letter beyond ASCII", "größe"),
               ("a NUL in a name", "a\0b")]


@test("illegal topic names are refused", "kq")
def topic_names(context):
    with raw.Connection(context.broker.address) as connection:
        for what, name in TOPIC_NAMES:
            equal(raw.created(connection.ask(raw.create_topic(name))), 17, what)
        longest = "y" * 249
        equal(raw.created(connection.ask(raw.create_topic(longest))), 0, "249 characters")
        equal(raw.created(connection.ask(raw.create_topic("one.name"))), 0, "one.name")
        equal(raw.created(connection.ask(raw.create_topic("one_name"))), 17, "one_name beside it")
        equal(raw.created(connection.ask(raw.create_topic("zero", 0))), 37, "no partitions")
        equal(raw.created(connection.ask(raw.create_topic("minus", -7))), 37, "-7 partitions")
        equal(raw.created(connection.ask(raw.create_topic("none", 1, 0))), 38, "no replicas")
        check(raw.created(connection.ask(raw.create_topic("huge", 0x7FFFFFFF))) in (37, 44),
              "two thousand million partitions")


# ---- batches ----

def batch_rows():
    """(what, records, error) for a topic that takes batches of at most 2000 bytes."""
    sound = raw.batch([b"abc"])
    many = raw.batch([b"x" * 50] * 20)
    flipped = bytearray(many)
    flipped[-3] ^= 1
    records = b"".join(raw.record(b"v", i) for i in range(3))
    now = int(time.time() * 1000)
    return [
        ("a flipped bit", bytes(flipped), {2}),
        ("a wrong checksum", raw.batch(crc=1), {2}),
        ("a batch cut short", sound[:-2], {2, 87}),
        ("a length that is too small", raw.batch(length=20), {2, 87}),
        ("a negative length", raw.batch(length=-5), {2, 87}),
        ("two batches", sound + raw.batch([b"def"]), {87}),
        ("no records at all", None, {87}),
        ("an empty records field", b"", {87}),
        ("a batch without records", raw.batch([], payload=b"", last_delta=-1), {87}),
        ("more records than there are", raw.batch([b"a"], count=5), {87}),
        ("fewer records than there are", raw.batch([b"a"] * 3, count=1), {87}),
        ("a wrong last offset delta", raw.batch([b"a"] * 3, last_delta=7), {87}),
        ("a control batch", raw.batch(attributes=0x20), {87}),
        ("magic 1", raw.batch(magic=1), {2, 87}),
        ("magic 9", raw.batch(magic=9), {2, 87}),
        ("codec 6", raw.batch(attributes=6), {2, 87}),
        ("gzip that is none", raw.batch([b"a"], attributes=1, payload=b"not gzip"), {2}),
        ("snappy that is none", raw.batch([b"a"], attributes=2, payload=b"\xff" * 9), {2}),
        ("lz4 that is none", raw.batch([b"a"], attributes=3, payload=b"\xff" * 9), {2}),
        ("zstd that is none", raw.batch([b"a"], attributes=4, payload=b"\xff" * 9), {2}),
        ("gzip cut short",
         raw.batch([b"a"] * 3, attributes=1, payload=raw.gzipped(records)[:-12]), {2}),
        ("a bomb", raw.batch([b"a"], attributes=1,
                             payload=raw.gzipped(b"\0" * (80 << 20))[:100_000]), {2, 10, 87}),
        ("a batch beyond max.message.bytes", raw.batch([b"z" * 3000]), {10}),
        ("a timestamp two hours ahead", raw.batch(timestamp=now + 7_200_000), {32}),
        ("a record that is longer than its batch",
         raw.batch([b"a"], payload=raw.varint(500) + b"\0" * 10), {2, 87}),
        ("a varint of six bytes", raw.batch([b"a"], payload=b"\xff" * 6 + b"\0" * 10), {2, 87}),
    ]


@test("batches that are not sound are refused", "kq")
def bad_batches(context):
    topic = context.create(context.topic("bad-batches"), max_message_bytes="2000")
    with raw.Connection(context.broker.address) as connection:
        equal(raw.produced(connection.ask(raw.produce(topic, raw.batch([b"one"])))), (0, 0), "a sound one")
        before = log_bytes(context.broker.data)
        for what, records, errors in batch_rows():
            answer = connection.ask(raw.produce(topic, records))
            check(answer is not None, f"{what}: the connection was closed")
            error, _ = raw.produced(answer)
            check(error in errors, f"{what}: error {error}, not one of {sorted(errors)}")
        still_well(context, before)
        equal(raw.produced(connection.ask(raw.produce(topic, raw.batch([b"two"])))), (0, 1), "a sound one")


@test("batches that Kafka takes are taken", "kq")
def odd_batches(context):
    topic = context.create(context.topic("odd-batches"))
    now = int(time.time() * 1000)
    rows = [("a largest timestamp that is wrong", raw.batch([b"a"], timestamp=now, max_timestamp=now + 5)),
            ("attribute bits without a meaning", raw.batch([b"b"], attributes=0x80 | 0x200)),
            ("a producer that nobody has seen, in the midst of its sequence",
             raw.batch([b"c"], producer=(123_456, 3, 77)))]
    with raw.Connection(context.broker.address) as connection:
        for at, (what, records) in enumerate(rows):
            equal(raw.produced(connection.ask(raw.produce(topic, records))), (0, at), what)
        equal(raw.fetched(connection.ask(raw.fetch(topic, 0))), 0, "a fetch of them")


@test("produce requests that ask for the impossible are refused", "kq")
def bad_produce(context):
    topic = context.create(context.topic("bad-produce"))
    sound = raw.batch()
    with raw.Connection(context.broker.address) as connection:
        # Nobody but a coordinator writes to an internal topic, though anybody may have made it.
        check(raw.created(connection.ask(raw.create_topic("__consumer_offsets"))) in (0, 36),
              "the internal topic cannot be made")
    before = log_bytes(context.broker.data)
    with raw.Connection(context.broker.address) as connection:
        for what, content, error in [
                ("acks of 2", raw.produce(topic, sound, acks=2), 21),
                ("acks of -2", raw.produce(topic, sound, acks=-2), 21),
                ("a negative timeout", raw.produce(topic, sound, timeout=-1), 42),
                ("a negative timeout that would not count",
                 raw.produce(topic, sound, acks=1, timeout=-1), 42),
                ("a partition that is not there", raw.produce(topic, sound, partition=99), 3),
                ("a negative partition", raw.produce(topic, sound, partition=-1), 3),
                ("a topic that is not there", raw.produce("no-such-topic", sound), 3),
                ("a transaction that nobody opened",
                 raw.produce(topic, raw.batch(attributes=0x10, producer=(5, 0, 0)), transaction="t"), 48),
                ("an internal topic", raw.produce("__consumer_offsets", sound), 17)]:
            answer = connection.ask(content)
            check(answer is not None, f"{what}: the connection was closed")
            equal(raw.produced(answer)[0], error, what)
    with raw.Connection(context.broker.address) as connection:
        connection.send(raw.produce(topic, raw.batch(crc=1), acks=0))
        check(connection.is_closed(), "an error at acks=0 must close the connection")
    still_well(context, before)


@test("sequences of idempotent producers are held", "kq")
def sequences(context):
    topic = context.create(context.topic("bad-sequences"))
    with raw.Connection(context.broker.address) as connection:
        producer, epoch = raw.new_producer(connection)

        def send(sequence, count=1, epoch_=epoch):
            records = raw.batch([b"s%d" % sequence] * count, producer=(producer, epoch_, sequence))
            return raw.produced(connection.ask(raw.produce(topic, records)))

        equal(send(0), (0, 0), "the first")
        equal(send(1, 3), (0, 1), "the second, of three")
        equal(send(4), (0, 4), "the third")
        equal(send(1, 3), (0, 1), "the second once more")
        equal(send(0), (0, 0), "the first once more")
        equal(send(9)[0], 45, "a gap")
        equal(send(5), (0, 5), "the right one after the gap")
        equal(send(3, 1, epoch + 1)[0], 45, "a new epoch that does not begin at 0")
        equal(send(0, 1, epoch + 1), (0, 6), "a new epoch")
        equal(send(6)[0], 47, "the old epoch")


@test("fetches outside the log are refused", "kq")
def bad_fetch(context):
    topic = context.create(context.topic("bad-fetch"))
    with raw.Connection(context.broker.address) as connection:
        connection.ask(raw.produce(topic, raw.batch([b"a", b"b"])))
        for what, content, error in [
                ("the end", raw.fetch(topic, 2), 0),
                ("past the end", raw.fetch(topic, 3), 1),
                ("far past the end", raw.fetch(topic, 1 << 62), 1),
                ("a negative offset", raw.fetch(topic, -1), 1),
                ("a negative max_bytes", raw.fetch(topic, 0, max_bytes=-1), 42),
                ("a partition that is not there", raw.fetch(topic, 0, partition=5), 3),
                ("a topic that is not there", raw.fetch("no-such-topic", 0), 3)]:
            answer = connection.ask(content)
            check(answer is not None, f"{what}: the connection was closed")
            equal(raw.fetched(answer), error, what)


@test("answers come in the order of the requests", "kq")
def pipelined(context):
    topic = context.create(context.topic("pipelined"))
    with raw.Connection(context.broker.address) as connection:
        content = b""
        for i in range(200):
            key, version, body = [(18, 0, b""), (3, 1, raw.i32(0))][i % 2]
            content += raw.request(key, version, body, correlation=i)
            content += raw.produce(topic, raw.batch([b"%d" % i]), correlation=1000 + i)
        connection.send(content)
        seen = []
        for _ in range(400):
            head = connection._exactly(4)
            check(head is not None, f"closed after {len(seen)} answers")
            answer = connection._exactly(struct.unpack(">i", head)[0])
            seen.append(struct.unpack_from(">i", answer)[0])
        equal(seen, [n for i in range(200) for n in (i, 1000 + i)], "correlation ids")


@test("a client that does not read its answers is bounded", "kq")
def does_not_read(context):
    topic = context.create(context.topic("unread"))
    with raw.Connection(context.broker.address) as connection:
        connection.ask(raw.produce(topic, raw.batch([b"x" * 100_000] * 5)))
    with raw.Connection(context.broker.address) as silent:
        silent.socket.settimeout(2)
        sent = 0
        try:
            for _ in range(3000):  # some 1.5 GB of answers
                silent.socket.sendall(raw.fetch(topic, 0))
                sent += 1
        except OSError:
            pass  # the broker stopped reading, or closed
        rss = int(next(line.split()[1] for line in
                       open(f"/proc/{context.broker.process.pid}/status") if line.startswith("RssAnon")))
        check(rss < 256 * 1024, f"{rss} KiB are held for a client that does not read")
        with raw.Connection(context.broker.address) as other:
            equal(raw.fetched(other.ask(raw.fetch(topic, 0))), 0, "another client's fetch")


@test("connections beyond max.connections and max.connections.per.ip are closed", "kq")
def connection_limits(context):
    for setting, limit in (("max.connections.per.ip", 3), ("max.connections", 5)):
        broker = context.new_broker(settings={setting: str(limit)}).start()
        versions = raw.request(18, 0, b"")
        held = [raw.Connection(broker.address) for _ in range(limit)]
        check(all(c.ask(versions) for c in held), f"{limit} connections are not served")
        with raw.Connection(broker.address) as beyond:
            check(beyond.is_closed(), f"connection {limit + 1} is not closed: {setting}={limit}")
        check(all(c.ask(versions) for c in held), "the others suffered")
        held.pop().socket.close()
        for attempt in range(100):  # the broker has to notice
            with raw.Connection(broker.address) as again:
                if again.ask(versions):
                    break
            time.sleep(0.05)
        else:
            check(False, "there is no room after one has gone")
        for connection in held:
            connection.socket.close()
        equal(broker.terminate(), 0, "exit status")
