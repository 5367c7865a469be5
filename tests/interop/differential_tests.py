# SPDX-License-Identifier: Apache-2.0
"""kq beside Apache Kafka: every API at every version is asked the same on both (differential.py)."""

import time

import rawwire as raw
from differential import INTENDED, Twin
from harness import KafkaBroker, KqBroker, test

# What both are started with, beside the addresses.
SETTINGS = {"node.id": "1", "auto.create.topics.enable": "true", "num.partitions": "2",
            "offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1", "group.initial.rebalance.delay.ms": "0",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1"}
NOON = 1_700_000_000_000  # a time for records, so that both have the same
DAY = 86_400_000

_both = []


def addresses(context):
    """kq and Kafka, started once for all the tests of this file."""
    if not _both or not all(b.is_alive() for b in _both):
        kafka = KafkaBroker(context.java, context.folder("kafka"), settings=SETTINGS)
        kafka.format()
        kq = KqBroker(context.programs, context.folder("kq"), settings=SETTINGS)
        context.started += [kafka, kq]
        _both[:] = [kq.start(), kafka.start()]
    return [b.address for b in _both]


def differential(name):
    def register(function):
        def body(context):
            twin = Twin(*addresses(context), INTENDED)
            twin.topic = lambda hint: context.topic(f"d-{hint}")
            try:
                function(twin)
                twin.settle()
            finally:
                twin.close()

        return test(f"kq and Kafka answer the same: {name}", "java", "kq")(body)

    return register


def records(count=3, timestamp=NOON, size=10, **more):
    return raw.batch([bytes([65 + i % 26]) * size for i in range(count)], timestamp=timestamp, **more)


def produce(topic, content, partition=0, acks=-1):
    """Values of a Produce request at any version."""
    def values(side, version=7):
        return {"acks": acks, "timeoutMs": 5000, "topicData": [{
            **({"topicId": side.topic_ids.get(topic, b"\1" * 16)} if version >= 13 else {"name": topic}),
            "partitionData": [{"index": partition, "records": content}]}]}
    return values


@differential("ApiVersions")
def api_versions(twin):
    twin.ask_all("ApiVersions", {"clientSoftwareName": "differential", "clientSoftwareVersion": "1.0"})
    twin.ask_all("ApiVersions", {"clientSoftwareName": "not a name!", "clientSoftwareVersion": ""},
                 "a name that is none", versions=(3, 4))


@differential("Metadata")
def metadata(twin):
    some, other = twin.create(twin.topic("meta"), 3), twin.create(twin.topic("meta"))
    twin.ask_all("Metadata", {"topics": [{"name": other}, {"name": some}],
                              "includeTopicAuthorizedOperations": True,
                              "includeClusterAuthorizedOperations": True}, "two topics")
    twin.ask_all("Metadata", {"topics": [{"name": other}, {"name": other}]}, "one topic twice")
    twin.ask_all("Metadata", {"topics": []}, "none, in version 0 all")
    twin.ask_all("Metadata", {"topics": None}, "all", versions=range(1, 14))
    twin.ask_all("Metadata", {"topics": [{"name": "not there"}], "allowAutoTopicCreation": False},
                 "an illegal name")
    twin.ask_all("Metadata", {"topics": [{"name": "no.such.topic"}], "allowAutoTopicCreation": False},
                 "an unknown topic", versions=range(4, 14))
    twin.ask_all("Metadata", lambda side, _: {"topics": [{"name": None, "topicId": side.topic_ids[some]}]},
                 "by id", versions=(12, 13))
    twin.ask_all("Metadata", {"topics": [{"name": None, "topicId": b"\7" * 16}]}, "by an unknown id",
                 versions=(12, 13))
    twin.ask_all("Metadata", {"topics": [{"name": None}]}, "neither name nor id", versions=(10, 11, 12, 13))
    twin.ask_all("Metadata", lambda side, _: {"topics": [{"name": some, "topicId": side.topic_ids[some]}]},
                 "name and id", versions=(10, 11, 12, 13))
    for version in range(14):
        new = twin.topic("auto")
        twin.ask("Metadata", version, {"topics": [{"name": new}]}, "a topic that is made now")


@differential("Produce")
def produce_answers(twin):
    topic = twin.create(twin.topic("produce"), 2)
    for acks in (-1, 1, 7):
        twin.ask_all("Produce", produce(topic, records(), acks=acks), f"acks={acks}")
    twin.ask_all("Produce", produce(topic, records(), partition=9), "an unknown partition")
    twin.ask_all("Produce", produce(topic, records(), partition=-1), "a negative partition")
    twin.ask_all("Produce", produce("no.such.topic", records()), "an unknown topic")
    twin.ask_all("Produce", produce(topic, b""), "no bytes", versions=range(3, 14))
    twin.ask_all("Produce", produce(topic, records(crc=1)), "a wrong checksum")
    for magic in (-1, 0, 1, 3):
        twin.ask_all("Produce", produce(topic, records(magic=magic)), f"magic {magic}")
    twin.ask_all("Produce", produce(topic, records() + records()), "two batches")
    twin.ask_all("Produce", produce(topic, records(count=2, last_delta=5)), "a wrong last offset delta")
    twin.ask_all("Produce", produce(topic, records(attributes=0x20)), "a control batch")
    twin.ask_all("Produce", produce(topic, records(count=3, size=500_000)), "more than max.message.bytes")
    twin.ask_all("Produce", {"acks": -1, "timeoutMs": 5000, "topicData": []}, "no topics")
    late = twin.create(twin.topic("append-time"), message_timestamp_type="LogAppendTime")
    twin.ask_all("Produce", produce(late, records()), "log append time")
    compacted = twin.create(twin.topic("compacted"), cleanup_policy="compact")
    twin.ask_all("Produce", produce(compacted, records()), "no keys on a compacted topic")
    strict = twin.create(twin.topic("strict"), message_timestamp_before_max_ms="1000")
    twin.ask_all("Produce", produce(strict, records()), "too old")
    strict = twin.create(twin.topic("strict"), message_timestamp_after_max_ms="1000")
    twin.ask_all("Produce", produce(strict, records(timestamp=int(time.time() * 1000) + DAY)), "too new")


@differential("Produce of idempotent producers")
def sequences(twin):
    topic = twin.create(twin.topic("sequences"))
    ids = {side.name: raw.new_producer(side.connection)[0] for side in twin.sides}

    def send(what, epoch, sequence, count=3, version=9):
        twin.ask("Produce", version, lambda side: produce(
            topic, records(count, producer=(ids[side.name], epoch, sequence)))(side, version), what)

    send("the first", 0, 0)
    send("the second", 0, 3)
    send("the second again", 0, 3)
    send("the first again", 0, 0)
    send("a gap", 0, 9)
    send("part of one", 0, 3, count=2)
    for i in range(6):
        send(f"number {i}", 0, 6 + 3 * i)
    send("older than five", 0, 0)
    send("a new epoch that does not begin at 0", 1, 5)
    send("a new epoch", 1, 0)
    send("the old epoch", 0, 24)
    send("a negative sequence", 1, -1)
    send("the end of all sequences", 2, 0x7FFFFFFF)


@differential("Fetch")
def fetch(twin):
    topic = twin.create(twin.topic("fetch"), 2)
    for n in range(4):
        twin.ask("Produce", 9, produce(topic, records(3, NOON + n)))

    def values(offset, partition=0, name=topic, more=None, **fields):
        def at(side, version):
            named = {"topicId": side.topic_ids.get(name, b"\1" * 16)} if version >= 13 else {"topic": name}
            return {"maxWaitMs": 0, "minBytes": 0, "topics": [{**named, "partitions": [
                {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": 1 << 20, **(more or {})}]}],
                **fields}
        return at

    for offset in (0, 2, 5, 11, 12, 13, -1, -2, 1 << 40):
        twin.ask_all("Fetch", values(offset), f"offset {offset}")
    twin.ask_all("Fetch", values(0, 1), "an empty partition")
    twin.ask_all("Fetch", values(0, 5), "an unknown partition")
    twin.ask_all("Fetch", values(0, -1), "a negative partition")
    twin.ask_all("Fetch", values(0, name="no.such.topic"), "an unknown topic")
    twin.ask_all("Fetch", values(0, maxBytes=1), "maxBytes 1")
    twin.ask_all("Fetch", values(0, more={"partitionMaxBytes": 1}), "partitionMaxBytes 1")
    twin.ask_all("Fetch", values(0, more={"partitionMaxBytes": 150}), "partitionMaxBytes 150")
    twin.ask_all("Fetch", values(0, more={"partitionMaxBytes": 0}), "partitionMaxBytes 0")
    twin.ask_all("Fetch", values(0, isolationLevel=1), "read_committed")
    twin.ask_all("Fetch", values(0, more={"currentLeaderEpoch": 0}), "the leader epoch", versions=range(9, 19))
    twin.ask_all("Fetch", values(0, more={"currentLeaderEpoch": 7}), "a future leader epoch", versions=range(9, 19))
    twin.ask_all("Fetch", values(0, more={"lastFetchedEpoch": 0}), "the last fetched epoch", versions=range(12, 19))
    twin.ask_all("Fetch", values(5, more={"lastFetchedEpoch": 3}), "a future last fetched epoch",
                 versions=range(12, 19))
    twin.ask_all("Fetch", {"maxWaitMs": 0, "topics": []}, "no topics")
    twin.ask_all("Fetch", values(0, rackId="a"), "a rack", versions=range(11, 19))


@differential("Fetch sessions")
def fetch_sessions(twin):
    topic = twin.create(twin.topic("session"), 3)
    for version in range(7, 19):
        ids = {}

        def named(side):
            return {"topicId": side.topic_ids[topic]} if version >= 13 else {"topic": topic}

        def ask(what, epoch, partitions=(), forgotten=(), session=None):
            answers = twin.ask("Fetch", version, lambda side: {
                "maxWaitMs": 0, "minBytes": 0,
                "sessionId": ids.get(side.name, 0) if session is None else session, "sessionEpoch": epoch,
                "topics": [{**named(side), "partitions": [
                    {"partition": p, "fetchOffset": o, "partitionMaxBytes": 1 << 20} for p, o in partitions]}]
                if partitions else [],
                "forgottenTopicsData": [{**named(side), "partitions": list(forgotten)}] if forgotten else []}, what)
            if epoch == 0:
                ids.update({s.name: a["sessionId"] for s, a in zip(twin.sides, answers)})

        ask("a session of two", 0, [(0, 0), (1, 0)])
        ask("nothing new", 1)
        twin.ask("Produce", 9, produce(topic, records(), partition=1))
        ask("one has new records", 2)
        ask("the position moves, a third joins", 3, [(1, 3), (2, 0)])
        ask("one is forgotten", 4, forgotten=[0])
        ask("a stale epoch", 2)
        ask("an unknown session", 1, session=12345)
        ask("closed", -1)
        ask("after its end", 5)


@differential("ListOffsets")
def list_offsets(twin):
    topic, empty = twin.create(twin.topic("offsets"), 2), twin.create(twin.topic("offsets"))
    for n in (0, 5, 3, 9, 4):  # out of order on purpose
        twin.ask("Produce", 9, produce(topic, records(3, NOON + n * 1000)))

    def values(timestamp, name=topic, partition=0, **more):
        return {"replicaId": -1, "timeoutMs": 1000, "topics": [{"name": name, "partitions": [
            {"partitionIndex": partition, "timestamp": timestamp, **more}]}]}

    for timestamp in (-1, -2, NOON - 1, NOON, NOON + 1, NOON + 3000, NOON + 5000, NOON + 9000, NOON + 9001, 0):
        twin.ask_all("ListOffsets", values(timestamp), f"timestamp {timestamp}")
        twin.ask_all("ListOffsets", values(timestamp, empty), f"timestamp {timestamp}, empty")
    for timestamp, since in ((-3, 7), (-4, 8), (-5, 9)):
        for name in (topic, empty):
            twin.ask_all("ListOffsets", values(timestamp, name), f"timestamp {timestamp} of {name}",
                         versions=range(since, 12))
    twin.ask_all("ListOffsets", values(-17), "timestamp -17")
    twin.ask_all("ListOffsets", values(-1, partition=7), "an unknown partition")
    twin.ask_all("ListOffsets", values(-1, "no.such.topic"), "an unknown topic")
    twin.ask_all("ListOffsets", {**values(-1), "isolationLevel": 1}, "read_committed", versions=range(2, 12))
    twin.ask_all("ListOffsets", values(-1, currentLeaderEpoch=0), "the leader epoch", versions=range(4, 12))
    twin.ask_all("ListOffsets", values(-1, currentLeaderEpoch=9), "a future leader epoch", versions=range(4, 12))
    twice = values(-1)
    twice["topics"][0]["partitions"] *= 2
    twin.ask_all("ListOffsets", twice, "a partition twice")


@differential("InitProducerId")
def init_producer_id(twin):
    for side in twin.sides:
        raw.new_producer(side.connection)  # Kafka is not there at once
    twin.ask_all("InitProducerId", {"transactionalId": None, "transactionTimeoutMs": 60_000})
    twin.ask_all("InitProducerId", {"transactionalId": "", "transactionTimeoutMs": 60_000}, "an empty id")
    twin.ask_all("InitProducerId", {"transactionalId": None, "transactionTimeoutMs": 60_000, "producerId": 5},
                 "a producer without epoch", versions=range(3, 6))
    twin.ask_all("InitProducerId", {"transactionalId": None, "producerId": 5, "producerEpoch": 1},
                 "a producer with epoch", versions=range(3, 6))


@differential("CreateTopics")
def create_topics(twin):
    def values(name, partitions=1, factor=1, configs=(), assignments=(), only=False, times=1):
        return {"topics": [{"name": name, "numPartitions": partitions, "replicationFactor": factor,
                            "configs": [{"name": k, "value": v} for k, v in configs],
                            "assignments": [{"partitionIndex": p, "brokerIds": b} for p, b in assignments]}
                           ] * times,
                "timeoutMs": 10_000, "validateOnly": only}

    for version in range(2, 8):
        def ask(what, *words, name=None, **more):
            name = twin.topic("create") if name is None else name
            twin.ask("CreateTopics", version, values(name, *words, **more), what)

        ask("one partition")
        ask("the defaults", -1, -1)
        ask("configs", 2, 1, [("retention.ms", "1000"), ("cleanup.policy", "compact,delete")])
        ask("only validated", 2, 1, [("retention.ms", "1000")], only=True)
        ask("an assignment", -1, -1, assignments=[(0, [1]), (1, [1])])
        ask("an assignment and partitions", 2, 1, assignments=[(0, [1])])
        ask("an assignment with a hole", -1, -1, assignments=[(0, [1]), (2, [1])])
        ask("an assignment to nobody", -1, -1, assignments=[(0, [])])
        ask("an assignment to an unknown broker", -1, -1, assignments=[(0, [5])])
        ask("an assignment twice to one broker", -1, -1, assignments=[(0, [1, 1])])
        ask("no partitions", 0)
        ask("-2 partitions", -2)
        ask("factor 0", 1, 0)
        ask("factor 3", 1, 3)
        ask("factor -3", 1, -3)
        ask("an unknown config", 1, 1, [("no.such.config", "1")])
        ask("a config that is no number", 1, 1, [("retention.ms", "x")])
        ask("a config out of range", 1, 1, [("segment.bytes", "-3")])
        ask("a config that is null", 1, 1, [("retention.ms", None)])
        ask("a config twice", 1, 1, [("retention.ms", "1"), ("retention.ms", "2")])
        ask("a policy that is none", 1, 1, [("cleanup.policy", "burn")])
        for name in ("", ".", "..", "a b", "a/b", "x" * 249, "x" * 250, "ä"):
            ask(f"the name {name[:20]!r}", name=name, only=True)
        there = twin.create(twin.topic("there"))
        ask("a topic that is there", name=there)
        ask("a topic twice", times=2)
        dotted = twin.create(twin.topic("a.b"))
        ask("a name that collides", name=dotted.replace("a.b", "a_b"))
        ask("an internal topic", name="__consumer_offsets", only=True)
    twin.ask_all("CreateTopics", {"topics": []}, "no topics")


@differential("DeleteTopics")
def delete_topics(twin):
    for version in range(1, 7):
        def ask(what, *names, ids=()):
            twin.ask("DeleteTopics", version, lambda side: {
                "topicNames": list(names), "timeoutMs": 10_000,
                "topics": [{"name": n} for n in names] + [
                    {"name": None, "topicId": side.topic_ids.get(i, b"\5" * 16)} for i in ids]}, what)

        one, two, three = (twin.create(twin.topic("delete")) for _ in range(3))
        ask("one topic", one)
        ask("one that is gone", one)
        ask("an unknown topic", "no.such.topic")
        ask("an illegal name", "a b")
        ask("a topic twice", two, two)
        ask("nothing")
        if version == 6:
            ask("by id", ids=[three])
            ask("by an id that is gone", ids=["unknown"])
            ask("by name and id", two, ids=[two])


@differential("DescribeConfigs")
def describe_configs(twin):
    topic = twin.create(twin.topic("configs"), retention_ms="1234567", cleanup_policy="compact",
                        min_insync_replicas="1")

    def values(kind, name, keys=None, synonyms=True):
        return {"resources": [{"resourceType": kind, "resourceName": name, "configurationKeys": keys}],
                "includeSynonyms": synonyms, "includeDocumentation": True}

    twin.ask_all("DescribeConfigs", values(2, topic), "a topic")
    twin.ask_all("DescribeConfigs", values(2, topic, synonyms=False), "a topic, no synonyms")
    twin.ask_all("DescribeConfigs", values(2, topic, ["retention.ms", "no.such.config"]), "two keys")
    twin.ask_all("DescribeConfigs", values(2, topic, []), "no keys")
    twin.ask_all("DescribeConfigs", values(2, "no.such.topic"), "an unknown topic")
    twin.ask_all("DescribeConfigs", values(2, "a b"), "an illegal topic")
    twin.ask_all("DescribeConfigs", values(4, "1", ["num.partitions", "log.retention.hours", "log.retention.ms"]),
                 "three keys of the broker")
    twin.ask_all("DescribeConfigs", values(4, "1"), "the broker")
    twin.ask_all("DescribeConfigs", values(4, ""), "the default of brokers")
    twin.ask_all("DescribeConfigs", values(4, "7"), "another broker")
    twin.ask_all("DescribeConfigs", values(4, "x"), "a broker that is no number")
    twin.ask_all("DescribeConfigs", values(77, "x"), "an unknown kind")
    twin.ask_all("DescribeConfigs", {"resources": []}, "nothing")


@differential("DescribeLogDirs")
def describe_log_dirs(twin):
    topic = twin.create(twin.topic("dirs"), 2)
    twin.ask("Produce", 9, produce(topic, records(30)))
    both = {"topics": [{"topic": topic, "partitions": [0, 1]}]}
    for side in twin.sides:
        while len(side.ask("DescribeLogDirs", 4, both)["results"][0]["topics"][0]["partitions"]) < 2:
            time.sleep(0.05)  # Kafka makes a log a moment after it knows of it
    twin.ask_all("DescribeLogDirs", both, "a topic")
    twin.ask_all("DescribeLogDirs", {"topics": [{"topic": topic, "partitions": [1, 8]}]}, "one that is not there")
    twin.ask_all("DescribeLogDirs", {"topics": [{"topic": "no.such.topic", "partitions": [0]}]}, "an unknown topic")
    twin.ask_all("DescribeLogDirs", {"topics": []}, "none")


@differential("DescribeCluster")
def describe_cluster(twin):
    twin.ask_all("DescribeCluster", {})
    twin.ask_all("DescribeCluster", {"includeClusterAuthorizedOperations": True}, "operations")
    twin.ask_all("DescribeCluster", {"includeFencedBrokers": True}, "fenced ones")
    twin.ask_all("DescribeCluster", {"endpointType": 2}, "controllers", versions=(1, 2))
    twin.ask_all("DescribeCluster", {"endpointType": 9}, "an unknown type", versions=(1, 2))


@differential("DescribeTopicPartitions")
def describe_topic_partitions(twin):
    one, two = sorted((twin.create(twin.topic("pages"), 4), twin.create(twin.topic("pages"), 2)))

    def ask(what, names, limit=2000, cursor=None):
        twin.ask("DescribeTopicPartitions", 0, {"topics": [{"name": n} for n in names],
                                                "responsePartitionLimit": limit, "cursor": cursor}, what)

    ask("two topics", [two, one])
    ask("a topic twice", [one, one])
    ask("three partitions", [one, two], 3)
    ask("five partitions", [one, two], 5)
    ask("no partitions", [one, two], 0)
    ask("a negative limit", [one, two], -1)
    for index in (0, 2, 4, 9, -1):
        ask(f"from {index}", [one, two], 3, {"topicName": one, "partitionIndex": index})
    ask("from the second", [one, two], 3, {"topicName": two, "partitionIndex": 1})
    ask("from one that is not asked for", [two], 3, {"topicName": one, "partitionIndex": 1})
    ask("from an unknown topic", [one, two], 3, {"topicName": "zzz", "partitionIndex": 1})
    ask("unknown and illegal topics", ["no.such.topic", "a b", one])


@differential("FindCoordinator")
def find_coordinator(twin):
    for kind, what in ((0, "a group"), (1, "a transaction")):
        for _ in range(50):  # the internal topic is made by the first
            answers = [side.ask("FindCoordinator", 2, {"key": "k", "keyType": kind}) for side in twin.sides]
            if all(a["errorCode"] == 0 for a in answers):
                break
            time.sleep(0.2)
        twin.ask_all("FindCoordinator", {"key": "k", "keyType": kind, "coordinatorKeys": ["k", "l"]}, what,
                     versions=range(1, 7))
    twin.ask("FindCoordinator", 0, {"key": "k"})
    twin.ask_all("FindCoordinator", {"key": "", "coordinatorKeys": [""]}, "an empty group")
    twin.ask_all("FindCoordinator", {"key": "k", "keyType": 9, "coordinatorKeys": ["k"]}, "an unknown kind",
                 versions=range(1, 7))
    twin.ask_all("FindCoordinator", {"key": "k", "coordinatorKeys": []}, "none", versions=range(4, 7))
