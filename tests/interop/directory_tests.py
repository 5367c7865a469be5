# SPDX-License-Identifier: Apache-2.0
"""kq-broker on data directories that Apache Kafka wrote: stopped cleanly, killed, damaged."""

import hashlib
import re
import tarfile
from dataclasses import dataclass

import rawwire as raw
from harness import HERE, Failure, KafkaBroker, KqBroker, check, equal, lines, run, test

SOURCE = HERE / "directories"
# Nothing may be too old, however late the tests run.
SETTINGS = {"node.id": "1", "process.roles": "broker,controller",
            "controller.quorum.voters": "1@127.0.0.1:19611", "log.index.size.max.bytes": "4096",
            "log.retention.check.interval.ms": "86400000", "auto.create.topics.enable": "false"}


@dataclass
class Partition:
    topic: str
    id: str
    index: int
    start: int
    end: int
    newest: int  # offset of the largest timestamp
    records: int
    digest: str
    segments: list

    @property
    def name(self):
        return f"{self.topic}-{self.index}"


def facts(name):
    """What Kafka says about the partitions of a directory."""
    rows = [row.split("\t") for row in (SOURCE / f"{name}.tsv").read_text().splitlines()
            if not row.startswith("#")]
    return [Partition(t, i, int(p), int(s), int(e), int(n), int(c), d,
                      [tuple(w.split(":")) for w in words.split()])
            for t, i, p, s, e, n, c, d, words in rows]


def unpacked(context, name):
    """A copy of a directory."""
    place = context.folder(name)
    with tarfile.open(SOURCE / f"{name}.tar.xz") as archive:
        archive.extractall(place)
    return place / "data"


def digest(content):
    return hashlib.sha256(content).hexdigest()[:16]


def served(context, broker, partition):
    """(records, digest) of what a reader is given."""
    shown = context.kq("kq-consume", partition.topic, "-o", "start", "-p", str(partition.index),
                       "-X", "isolation.level=read_uncommitted", "-f", "%o\\t%T\\t%k\\t%v\\n", "--null", "NULL", broker=broker).stdout
    return len(shown.splitlines()), digest(shown)


def check_partition(context, broker, connection, partition, may_be_shorter):
    found = {when: raw.listed(connection.ask(raw.list_offsets(partition.topic, time,
                                                              partition.index)))
             for when, time in (("start", -2), ("end", -1), ("newest", -3))}
    equal(found["start"][::2], (0, partition.start), f"log start of {partition.name}")
    if not may_be_shorter:
        equal(found["end"][::2], (0, partition.end), f"log end of {partition.name}")
        equal(found["newest"][::2], (0, partition.newest),
              f"offset of the largest timestamp in {partition.name}")
    equal(served(context, broker, partition), (partition.records, partition.digest),
          f"records and their digest in {partition.name}")


def check_segments(broker, partition):
    logs = sorted((broker.data / partition.name).glob("*.log"))
    equal([(log.stem, str(log.stat().st_size), digest(log.read_bytes())) for log in logs],
          partition.segments, f"segments of {partition.name}")


def check_topics(context, broker, partitions):
    rows = (row.split("\t") for row in
            lines(context.kq("kq-topics", "describe", "-f", "tsv", "--columns",
                             "name,id,partition", broker=broker)))
    equal(sorted((t, i, int(p)) for t, i, p in rows if not t.startswith("__")),
          sorted((p.topic, p.id, p.index) for p in partitions), "topics, ids and partitions")


def serve(context, name):
    """Starts kq on a copy, compares, stops it, and does so once more: a start changes nothing."""
    partitions = facts(name)
    broker = KqBroker(context.programs, unpacked(context, name), SETTINGS)
    context.started.append(broker)
    for _ in range(2):
        broker.start()
        check_topics(context, broker, partitions)
        with raw.Connection(broker.address) as connection:
            for partition in partitions:
                # Whoever coordinates transactions would end those that were open at the kill.
                unfinished = name != "single" and partition.topic == "txns"
                check_partition(context, broker, connection, partition, unfinished)
        equal(broker.terminate(), 0, "exit status")
        for partition in partitions:
            if name == "single" or partition.topic != "txns":
                check_segments(broker, partition)
    return broker, partitions


@test("kq serves a directory that Kafka closed", "kq")
def single(context):
    serve(context, "single")


@test("kq recovers what a killed Kafka left as Kafka does", "kq")
def killed(context):
    serve(context, "killed")


@test("kq recovers torn and damaged files of Kafka as Kafka does", "kq")
def torn(context):
    serve(context, "torn")


@test("kq knows the producers of a directory that Kafka closed", "kq")
def producers(context):
    broker = KqBroker(context.programs, unpacked(context, "single"), SETTINGS)
    context.started.append(broker)
    broker.start()
    # Producer 6 wrote 12 records to idem-0, the last three (sequences 9 to 11) in one batch.
    with raw.Connection(broker.address) as connection:
        def send(sequence, count):
            records = raw.batch([b"v"] * count, producer=(6, 0, sequence))
            return raw.produced(connection.ask(raw.produce("idem", records)))

        equal(send(9, 3), (0, 9), "error and offset of the last batch, sent once more")
        equal(send(14, 1)[0], 45, "a gap in the sequence")
        equal(send(12, 1), (0, 12), "the next batch")
        identity = raw.new_producer(connection)
    check(identity[0] > 10, f"producer id {identity[0]} was given out before")
    equal(broker.terminate(), 0, "exit status")


@test("Apache Kafka goes on where kq served its directory", "java", "kq")
def back_to_kafka(context):
    broker, partitions = serve(context, "torn")
    kafka = KafkaBroker(context.java, broker.data, {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS", "log.retention.check.interval.ms": "86400000",
        "log.index.size.max.bytes": "4096", "auto.create.topics.enable": "false"},
        static_voter=True)
    context.started.append(kafka)
    kafka.start()

    def tool(name, *words):
        return context.java.tool(name, "--bootstrap-server", kafka.address, *words).stdout.decode()

    ends = {tuple(row.rsplit(":", 2)[:2]): int(row.rsplit(":", 1)[1])
            for row in tool("get-offsets", "--time", "latest").split()}
    for partition in partitions:
        if partition.topic != "txns":
            equal(ends[partition.topic, str(partition.index)], partition.end,
                  f"log end of {partition.name}")
    # What kq has no use for yet it keeps all the same.
    check("User:alice" in tool("acls", "--list"), "the ACLs are gone")
    users = tool("configs", "--describe", "--entity-type", "users")
    check("SCRAM-SHA-256" in users, f"the users are gone: {users}")
    groups = tool("groups", "--list")
    check(len(re.findall(r"\S+", groups)) > 5, f"the groups are gone: {groups}")
    kafka.kill()


@test("kq starts where kafka-storage has only formatted, and Kafka after it", "java", "kq")
def formatted(context):
    kafka = KafkaBroker(context.java, context.folder("formatted") / "data")
    kafka.format()
    cluster = re.search(r"^cluster.id=(\S+)", (kafka.data / "meta.properties").read_text(), re.M)[1]
    broker = KqBroker(context.programs, kafka.data)
    context.started.append(broker)
    broker.start()
    context.kq("kq-topics", "create", "ours", "-p", "2", broker=broker)
    context.kq("kq-produce", "ours", "-p", "1", stdin=b"one\ntwo\n", broker=broker)
    check(cluster in context.java.tool("cluster", "cluster-id", "--bootstrap-server",
                                       broker.address).stdout.decode(), "another cluster id")
    # Each sees the other's lock.
    context.started.append(kafka)
    try:
        kafka.start()
        raise AssertionError("Apache Kafka started on a directory that kq holds")
    except Failure as left:
        check("Failed to acquire lock on file .lock" in kafka.log.read_text(), f"Kafka said {left}")
    equal(broker.terminate(), 0, "exit status")
    kafka.log.unlink()
    kafka.start()
    second = run(broker.command(), ok=(4,))
    check(b"[KQ_LOCKED]" in second.stderr and str(kafka.data).encode() in second.stderr,
          f"kq said {second.stderr!r}")
    found = context.java.tool("get-offsets", "--bootstrap-server", kafka.address, "--topic", "ours",
                              "--time", "latest").stdout.decode().split()
    equal(sorted(found), ["ours:0:0", "ours:1:2"], "log ends")
    kafka.kill()
