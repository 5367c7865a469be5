# SPDX-License-Identifier: Apache-2.0
"""What kq leaves on disk, read by Kafka's dump tool and by Apache Kafka itself."""

import re
import shutil

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


def dump(context, files, *words):
    """The dump tool over some files; its complaints are failures."""
    done = context.java.tool("dump", "--files", ",".join(map(str, files)), *words, timeout=300)
    text = (done.stdout + done.stderr).decode(errors="replace")
    for complaint in ("isvalid: false", "isvalid:false", "Found timestamp mismatch", "Mismatches in",
                      "Found out of order timestamp", "Non-consecutive offsets", "Could not dump",
                      "Exception", "corrupt", "is not the expected"):
        at = text.find(complaint)
        check(at < 0, f"the dump says: {text[max(0, at - 300):at + 300]}")
    return text


@test("DumpLogSegments finds nothing wrong with segments, indexes and snapshots", "java", "kcat", "kq")
def dump_segments(context):
    broker, contents = filled_broker(context)
    equal(broker.terminate(), 0, "exit status")
    check(len(list(broker.data.glob("rolled-0/*.log"))) > 3, "the topic did not roll")
    for topic in contents:
        folder = broker.data / f"{topic}-0"
        logs = sorted(folder.glob("*.log"))
        text = dump(context, logs, "--deep-iteration")
        records = sum(1 for line in text.splitlines() if line.startswith("| offset:"))
        equal(records, contents[topic].count(b"\n"), f"records of {topic} that the dump shows")
        others = [f for f in sorted(folder.iterdir())
                  if f.suffix in (".index", ".timeindex", ".snapshot") and f.stat().st_size > 0]
        if others:
            text = dump(context, others)
        if topic == "idempotent":
            newest = sorted(folder.glob("*.snapshot"))[-1]
            text = dump(context, [newest])
            equal(len(re.findall(r"producerId: \d+", text)), 2, "producers in the newest snapshot")


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


@test("Apache Kafka serves a copy of the directory, and kq what Kafka leaves", "java", "kcat", "kq")
def kafka_on_copy(context):
    broker, contents = filled_broker(context)
    ids = {t: i for t, i in topic_ids(context, broker.address).items()}
    equal(broker.terminate(), 0, "exit status")
    copy = context.scratch / "copy-for-kafka"
    shutil.copytree(broker.data, copy)
    (copy / ".lock").unlink(missing_ok=True)
    kafka = KafkaBroker(context.java, copy)
    context.started.append(kafka)
    kafka.start()
    same_under(context, kafka.address, contents, ids)
    more = lines_of(100)
    run(["kcat", "-b", kafka.address, "-P", "-t", "rolled", "-p", "0", "-z", "lz4"], stdin=more)
    contents["rolled"] += more
    equal(kafka.terminate(), 143, "exit status of Apache Kafka")

    again = KqBroker(context.programs, copy)
    context.started.append(again)
    again.start()
    same_under(context, again.address, contents, ids)
    equal(again.terminate(), 0, "exit status")


@test("Apache Kafka recovers a copy of the directory after SIGKILL", "java", "kcat", "kq")
def kafka_after_kill(context):
    broker, contents = filled_broker(context)
    ids = topic_ids(context, broker.address)
    broker.kill()
    copy = context.scratch / "copy-of-killed"
    shutil.copytree(broker.data, copy)
    kafka = KafkaBroker(context.java, copy)
    context.started.append(kafka)
    kafka.start()
    same_under(context, kafka.address, contents, ids)
    kafka.kill()


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
