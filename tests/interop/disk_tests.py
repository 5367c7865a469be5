# SPDX-License-Identifier: Apache-2.0
"""What kq leaves on disk, read by Kafka's dump tool and by Apache Kafka itself."""

import re
import shutil
import struct
from pathlib import Path

import rawwire as raw
from harness import (CODECS, KafkaBroker, KqBroker, batches_on_disk, check, equal, field, run, test)

SMALL_SEGMENTS = {"segment.bytes": "1048576", "index.interval.bytes": "100"}


def lines_of(count, size=200):
    return b"".join((b"%08d " % i) + b"x" * size + b"\n" for i in range(count))


def filled_broker(context, settings=None):
    """A broker with topics of several kinds; (broker, {topic: lines in order})."""
    broker = context.new_broker(settings=settings).start()
    contents = {}

    def create(topic, *configs):
        words = [w for c in configs for w in ("-c", c)]
        context.kq("kq-topics", "create", topic, "-p", "1", *words, broker=broker)
        contents[topic] = b""

    def kcat(topic, data, *words):
        run(["kcat", "-b", broker.address, "-P", "-t", topic, "-p", "0", *words], stdin=data)
        contents[topic] += data

    small = [f"{k}={v}" for k, v in SMALL_SEGMENTS.items()]
    create("rolled", *small)
    kcat("rolled", lines_of(20_000), "-X", "batch.num.messages=100")
    for codec in CODECS:
        create(f"codec-{codec}", *small)
        kcat(f"codec-{codec}", lines_of(3000), "-z", codec, "-X", "batch.num.messages=500")
    create("idempotent", *small)
    kcat("idempotent", lines_of(10_000), "-X", "enable.idempotence=true", "-X",
         "batch.num.messages=50")
    kcat("idempotent", lines_of(100), "-X", "enable.idempotence=true")
    create("appended", "message.timestamp.type=LogAppendTime")
    kcat("appended", lines_of(100))
    create("empty")
    create("ours")
    data = lines_of(5000)
    context.kq("kq-produce", "ours", stdin=data, broker=broker)
    contents["ours"] += data
    create("gone")
    kcat("gone", b"never seen again\n")
    context.kq("kq-topics", "delete", "gone", "-y", broker=broker)
    del contents["gone"]
    return broker, contents


COMPLAINTS = ("isvalid: false", "isvalid:false", "Found timestamp mismatch", "Mismatches in",
              "Found out of order timestamp", "Could not dump", "Exception", "corrupt",
              "is not the expected")


def gaps(text):
    """The pairs of offsets that the dump finds not consecutive. Of every segment that does not begin
    at 0 it says "-1 is followed by BASE", of Kafka's own too: that is no gap."""
    found = []
    for name, rows in re.findall(r"^Non-consecutive offsets in (\S+)\n((?:  .*\n?)+)", text, re.M):
        base = int(Path(name).stem)
        found += [f"{name}: {row.strip()}" for row in rows.splitlines()
                  if row.strip() != f"-1 is followed by {base}"]
    return found


def dump(context, files, *words):
    """The dump tool over some files; its complaints are failures."""
    check(files, "there is no file to dump")
    done = context.java.tool("dump", "--files", ",".join(map(str, files)), *words, timeout=300)
    text = (done.stdout + done.stderr).decode(errors="replace")
    for complaint in COMPLAINTS:
        at = text.find(complaint)
        check(at < 0, f"the dump says: {text[max(0, at - 300):at + 300]}")
    equal(gaps(text), [], "gaps in the offsets")
    return text


def sections(text):
    """What the dump says of each file, by the name of its folder and its own."""
    parts = re.split(r"^Dumping (\S+)\n", text, flags=re.M)
    return {"/".join(Path(name).parts[-2:]): said for name, said in zip(parts[1::2], parts[2::2])}


def files_of(broker, contents, *suffixes):
    return [f for t in contents for f in sorted((broker.data / f"{t}-0").iterdir())
            if f.suffix in suffixes and f.stat().st_size > 0]


@test("DumpLogSegments finds nothing wrong with segments, indexes and snapshots", "java", "kcat", "kq")
def dump_segments(context):
    broker, contents = filled_broker(context)
    equal(broker.terminate(), 0, "exit status")
    check(len(list(broker.data.glob("rolled-0/*.log"))) > 3, "the topic did not roll")
    shown = sections(dump(context, files_of(broker, contents, ".log"), "--deep-iteration",
                          "--print-data-log"))
    for topic, content in contents.items():
        payloads = [row for name, said in shown.items() if name.startswith(f"{topic}-0/")
                    for row in re.findall(r"^\| offset: .* payload: (.*)$", said, re.M)]
        equal(payloads, content.decode().splitlines(), f"records of {topic} that the dump shows")
    for codec in CODECS[1:]:
        check(f"compresscodec: {codec} " in shown[f"codec-{codec}-0/{0:020}.log"], f"no batch in {codec}")

    caches = sections(dump(context, files_of(broker, contents, ".index", ".timeindex", ".snapshot")))
    newest = max(name for name in caches if name.startswith("idempotent-0/") and
                 name.endswith(".snapshot"))
    producers = re.findall(r"producerId: (\d+) producerEpoch: 0 .*?lastSequence: (\d+) lastOffset: (\d+)",
                           caches[newest])
    equal(sorted((int(s), int(o)) for _, s, o in producers), [(99, 10_099), (9999, 9999)],
          f"last sequences and offsets of the producers in {newest}: {caches[newest]}")


@test("DumpLogSegments checks every index entry against its log", "java", "kcat", "kq")
def dump_indexes(context):
    broker, _ = filled_broker(context)
    equal(broker.terminate(), 0, "exit status")
    indexes = sorted((broker.data / "rolled-0").glob("*.index")) + \
        sorted((broker.data / "rolled-0").glob("*.timeindex"))
    entries = dump(context, [f for f in indexes if f.suffix == ".index" and f.stat().st_size])
    check(entries.count("offset: ") > 100, "the indexes hold next to nothing")
    dump(context, indexes, "--verify-index-only")
    dump(context, indexes, "--index-sanity-check")


@test("DumpLogSegments decodes the metadata log and its snapshots", "java", "kcat", "kq")
def dump_metadata(context):
    settings = {"metadata.log.max.record.bytes.between.snapshots": "2000"}
    broker, contents = filled_broker(context, settings)
    equal(broker.terminate(), 0, "exit status")
    folder = broker.data / "__cluster_metadata-0"
    text = dump(context, sorted(folder.glob("*.log")), "--cluster-metadata-decoder")
    for record in ("LeaderChange", "KRaftVersion", "KRaftVoters", "FEATURE_LEVEL_RECORD",
                   "REGISTER_CONTROLLER_RECORD", "REGISTER_BROKER_RECORD",
                   "BROKER_REGISTRATION_CHANGE_RECORD", "TOPIC_RECORD", "PARTITION_RECORD",
                   "CONFIG_RECORD", "REMOVE_TOPIC_RECORD", "PRODUCER_IDS_RECORD"):
        check(record in text, f"no {record} in the metadata log")
    snapshots = sorted(folder.glob("*.checkpoint"))
    check(len(snapshots) > 0, "no snapshot was written")
    text = dump(context, [snapshots[-1]], "--cluster-metadata-decoder")
    for record in ("SnapshotHeader", "SnapshotFooter", "FEATURE_LEVEL_RECORD", "TOPIC_RECORD"):
        check(record in text, f"no {record} in the newest snapshot")


def read_all(address, topic):
    return run(["kcat", "-b", address, "-C", "-q", "-e", "-t", topic, "-p", "0", "-o",
                "beginning"]).stdout


def topic_ids(context, address):
    shown = context.java.tool("topics", "--bootstrap-server", address, "--describe").stdout.decode()
    return {field(row, "Topic"): (field(row, "TopicId"), field(row, "PartitionCount"))
            for row in shown.splitlines() if "TopicId:" in row}


def same_under(context, address, contents, ids):
    found = {t: i for t, i in topic_ids(context, address).items() if not t.startswith("__")}
    equal(found, ids, "topics and their ids")
    for topic, data in contents.items():
        equal(read_all(address, topic), data, f"records of {topic}")


class Sequence:
    """An idempotent producer by hand, that goes on when another broker has taken over."""

    def __init__(self, topic):
        self.topic = topic
        self.identity = None
        self.sequence = 0
        self.offset = 0  # of the next record
        self.sent = b""

    def _ask(self, connection, sequence):
        records = raw.batch([b"sequence %d" % (sequence + i) for i in range(2)],
                            producer=(*self.identity, sequence))
        return raw.produced(connection.ask(raw.produce(self.topic, records)))

    def go_on(self, address):
        """The last batch once more, a gap, then the next two."""
        with raw.Connection(address) as connection:
            if self.identity is None:
                self.identity = raw.new_producer(connection)
            else:
                equal(self._ask(connection, self.sequence - 2), (0, self.offset - 2),
                      "error and offset of a batch that was sent to the broker before")
                equal(self._ask(connection, self.sequence + 2)[0], 45, "a gap in the sequence")
            for _ in range(2):
                equal(self._ask(connection, self.sequence), (0, self.offset), "the next batch")
                self.sent += b"sequence %d\nsequence %d\n" % (self.sequence, self.sequence + 1)
                self.sequence += 2
                self.offset += 2


def kafka_on(context, directory):
    """Apache Kafka, started on a directory that somebody else wrote. A word of its log manager about
    a file that is not as it should be is a failure; but kq leaves no index in a directory that waits
    for its deletion, and Kafka says so."""
    kafka = KafkaBroker(context.java, directory)
    context.started.append(kafka)
    kafka.start()
    log = kafka.log.read_text(errors="replace")
    for word in ("corrupt", "Corrupt", "rebuilding", "Could not find offset index", "ERROR",
                 "Exception", "inconsistent"):
        rows = [r for r in log.splitlines()
                if word in r and "Reloading from producer snapshot" not in r and "-delete/" not in r]
        equal(rows[:3], [], f"lines with {word} in the log of Apache Kafka")
    return kafka, log


@test("Apache Kafka serves a copy of the directory, and kq what Kafka leaves", "java", "kcat", "kq")
def kafka_on_copy(context):
    broker, contents = filled_broker(context)
    context.kq("kq-topics", "create", "sequence", broker=broker)
    producer = Sequence("sequence")
    producer.go_on(broker.address)
    contents["sequence"] = producer.sent
    ids = topic_ids(context, broker.address)
    equal(broker.terminate(), 0, "exit status")
    copy = context.scratch / "copy-for-kafka"
    shutil.copytree(broker.data, copy)
    kafka, log = kafka_on(context, copy)
    check("Skipping recovery of" in log, "Apache Kafka did not see that the stop was clean")
    same_under(context, kafka.address, contents, ids)
    more = lines_of(100)
    run(["kcat", "-b", kafka.address, "-P", "-t", "rolled", "-p", "0", "-z", "lz4"], stdin=more)
    contents["rolled"] += more
    producer.go_on(kafka.address)
    contents["sequence"] = producer.sent
    equal(kafka.terminate(), 143, "exit status of Apache Kafka")

    again = KqBroker(context.programs, copy)
    context.started.append(again)
    again.start()
    same_under(context, again.address, contents, ids)
    producer.go_on(again.address)
    contents["sequence"] = producer.sent
    same_under(context, again.address, contents, ids)
    equal(again.terminate(), 0, "exit status")


@test("Apache Kafka recovers a copy of the directory after SIGKILL", "java", "kcat", "kq")
def kafka_after_kill(context):
    broker, contents = filled_broker(context)
    context.kq("kq-topics", "create", "sequence", broker=broker)
    producer = Sequence("sequence")
    producer.go_on(broker.address)
    contents["sequence"] = producer.sent
    ids = topic_ids(context, broker.address)
    broker.kill()
    copy = context.scratch / "copy-of-killed"
    shutil.copytree(broker.data, copy)
    kafka, log = kafka_on(context, copy)
    check("since no clean shutdown file was found" in log, "Apache Kafka took the stop for a clean one")
    same_under(context, kafka.address, contents, ids)
    producer.go_on(kafka.address)
    kafka.kill()  # and kq after a killed Kafka
    again = KqBroker(context.programs, copy)
    context.started.append(again)
    again.start()
    producer.go_on(again.address)
    contents["sequence"] = producer.sent
    same_under(context, again.address, contents, ids)
    equal(again.terminate(), 0, "exit status")


@test("everybody reads on behind records that are missing", "java", "kcat", "kq")
def missing_records(context):
    broker = context.new_broker().start()
    context.kq("kq-topics", "create", "holed", "-p", "1", broker=broker)
    rows = lines_of(300)

    def send(data, address):
        run(["kcat", "-b", address, "-P", "-t", "holed", "-p", "0", "-X", "batch.num.messages=10"],
            stdin=data)

    def check_readers(broker, kept):
        for where in ("beginning", "155"):  # in the hole, the second
            found = run(["kcat", "-b", broker.address, "-C", "-t", "holed", "-p", "0", "-o", where,
                         "-e", "-q"]).stdout
            equal(found, kept if where == "beginning" else kept[base * 210:],
                  f"what kcat reads from {where}")
        equal(context.kq("kq-consume", "holed", "-o", "start", broker=broker).stdout, kept,
              "what kq-consume reads")
        equal(context.java.tool("consume", "--bootstrap-server", broker.address, "--topic",
                                "holed", "--partition", "0", "--offset", "earliest",
                                "--max-messages", str(kept.count(b"\n")), "--timeout-ms",
                                "20000").stdout, kept, "what Kafka's consumer reads")

    send(rows, broker.address)
    broker.kill()
    log = broker.data / "holed-0" / f"{0:020}.log"
    content = bytearray(log.read_bytes())
    position = 0
    while True:  # the batch that holds offset 150
        base, length = struct.unpack_from(">qi", content, position)
        if base + struct.unpack_from(">i", content, position + 23)[0] >= 150:
            break
        position += 12 + length
    content[position + 100] ^= 1
    log.write_bytes(content)
    broker.start()
    said = [r for r in broker.log.read_text().splitlines() if "records are missing" in r]
    equal(len(said), 1, f"lines that say so: {said}")
    check(f"{base}..299" in said[0] and ".log.damaged" in said[0], said[0])
    kept = rows[:base * 210]
    send(b"behind the hole\n", broker.address)
    kept += b"behind the hole\n"
    check_readers(broker, kept)
    text = dump(context, [log])
    check(re.search(rf"baseOffset: {base} lastOffset: 299 count: 0 ", text), f"the dump: {text[-600:]}")

    # Apache Kafka recovers it after a kill, goes on after a stop, and kq after Kafka.
    broker.kill()
    copy = context.scratch / "holed"
    shutil.copytree(broker.data, copy)
    kafka, said = kafka_on(context, copy)
    check("since no clean shutdown file was found" in said, "Apache Kafka did not recover")
    check_readers(kafka, kept)
    send(b"from Kafka\n", kafka.address)
    kept += b"from Kafka\n"
    equal(kafka.terminate(), 143, "exit status of Apache Kafka")
    again = KqBroker(context.programs, copy)
    context.started.append(again)
    again.start()
    check_readers(again, kept)
    check("records are missing" not in again.log.read_text(), again.words())
    equal(again.terminate(), 0, "exit status")


@test("a segment holds batches as they were sent", "kcat", "kq")
def codec_of_topic(context):
    broker = context.broker
    topic = context.create(context.topic("disk-codec"))
    run(["kcat", "-b", broker.address, "-P", "-t", topic, "-p", "0", "-z", "zstd"],
        stdin=lines_of(2000))
    found = batches_on_disk(broker.data, topic)
    equal(sum(count for _, _, count, _ in found), 2000, "records on disk")
    bases = [base for base, *_ in found]
    equal(bases, sorted(bases), "base offsets")
