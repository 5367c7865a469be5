# SPDX-License-Identifier: Apache-2.0
"""librdkafka of today, through confluent-kafka."""

import time
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec
from confluent_kafka import TopicCollection

from harness import CODECS, batches_on_disk, check, codecs_on_disk, counts_on_disk, equal, test


def admin(context):
    return AdminClient({"bootstrap.servers": context.broker.address})


def produce(context, topic, values, partition=0, **settings):
    """Sends and waits; (offset, error) for each value, in the order of the values."""
    answers = {}
    settings = {k.replace("_", "."): v for k, v in settings.items()}
    producer = Producer({"bootstrap.servers": context.broker.address, **settings})
    for index, value in enumerate(values):
        producer.produce(topic, value, partition=partition,
                         on_delivery=lambda error, message, i=index: answers.__setitem__(
                             i, (message.offset(), error)))
        producer.poll(0)
    left = producer.flush(30)
    equal(left, 0, "records without an answer")
    return [answers[i] for i in range(len(values))]


def consume(context, topic, start, count, partition=0, timeout=20, **settings):
    settings = {k.replace("_", "."): v for k, v in settings.items()}
    consumer = Consumer({"bootstrap.servers": context.broker.address, "group.id": str(uuid.uuid4()),
                         "enable.auto.commit": False, "auto.offset.reset": "error", **settings})
    try:
        consumer.assign([TopicPartition(topic, partition, start)])
        messages = []
        deadline = time.monotonic() + timeout
        while len(messages) < count and time.monotonic() < deadline:
            for message in consumer.consume(500, 0.2):
                if message.error():
                    raise KafkaException(message.error())
                messages.append(message)
        return messages
    finally:
        consumer.close()


def values(count, size=200):
    return [(b"%08d " % i) + b"abcdefgh" * (size // 8) for i in range(count)]


def produces_with(codec):
    def body(context):
        topic = context.create(context.topic(f"rd-{codec}"))
        sent = values(3000)
        answers = produce(context, topic, sent, compression_type=codec, linger_ms=100)
        equal([a for a in answers], [(i, None) for i in range(len(sent))], "offsets and errors")
        equal([m.value() for m in consume(context, topic, 0, len(sent))], sent, "what came back")
        equal(codecs_on_disk(context.broker, topic), {codec}, "codecs on disk")

    return body


for each_codec in CODECS:
    test(f"librdkafka produces and consumes with codec {each_codec}", "python")(
        produces_with(each_codec))


@test("librdkafka with every acks, idempotent and not", "python")
def acks(context):
    topic = context.create(context.topic("rd-acks"))
    sent = values(200)
    for level, idempotent in (("1", False), ("all", False), ("all", True)):
        answers = produce(context, topic, sent, acks=level, enable_idempotence=idempotent)
        check(all(error is None for _, error in answers), f"acks={level} had errors")
    equal(len(consume(context, topic, 0, 600)), 600, "records")
    produce(context, topic, sent, acks="0")
    equal(len(consume(context, topic, 0, 800)), 800, "records, those of acks=0 too")
    marked = [b for b in batches_on_disk(context.broker.data, topic)]
    check(sum(count for _, _, count, _ in marked) == 800, "the segment holds other counts")


@test("librdkafka with batch sizes from one record to a megabyte", "python")
def batch_sizes(context):
    topic = context.create(context.topic("rd-batches"))
    sent = values(2000, 1000)
    # 2000 records of a kilobyte.
    for turn, (size, batches) in enumerate(((1, (2000, 2000)), (16384, (115, 180)), (900_000, (3, 20)))):
        produce(context, topic, sent, batch_size=size, linger_ms=200, queue_buffering_max_messages=100_000)
        counts = counts_on_disk(context.broker, topic, turn * 2000)
        equal(sum(counts), 2000, f"records with batch.size={size}")
        check(batches[0] <= len(counts) <= batches[1], f"{len(counts)} batches with batch.size={size}")
    equal([m.value() for m in consume(context, topic, 0, 6000)], sent * 3, "what came back")


@test("librdkafka reads from every position, and across fetch sizes", "python")
def positions(context):
    topic = context.create(context.topic("rd-positions"))
    sent = values(1000)
    produce(context, topic, sent, batch_num_messages=64)
    for start in (0, 1, 63, 64, 65, 500, 999):
        got = consume(context, topic, start, 1000 - start)
        equal([m.offset() for m in got], list(range(start, 1000)), f"offsets from {start}")
    for limit in (1, 1000, 50_000):
        got = consume(context, topic, 0, 1000, fetch_message_max_bytes=max(limit, 1),
                      max_partition_fetch_bytes=max(limit, 1))
        equal([m.value() for m in got], sent, f"fetching {limit} bytes at a time")
    equal(consume(context, topic, 1000, 1, timeout=1), [], "records at the end")
    try:
        consume(context, topic, 5000, 1, timeout=5)
        raised = None
    except KafkaException as error:
        raised = error.args[0].code()
    check(raised in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE),
          f"reading past the end raised {raised}")


@test("librdkafka finds offsets by time, and the watermarks", "python")
def times(context):
    topic = context.create(context.topic("rd-times"))
    base = int(time.time() * 1000) - 100_000
    producer = Producer({"bootstrap.servers": context.broker.address, "batch.num.messages": 1})
    for i in range(100):
        producer.produce(topic, b"x", partition=0, timestamp=base + i * 1000)
    equal(producer.flush(30), 0, "records without an answer")
    consumer = Consumer({"bootstrap.servers": context.broker.address, "group.id": "none"})
    try:
        equal(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10), (0, 100), "watermarks")
        for when, wanted in ((base, 0), (base + 1, 1), (base + 50_000, 50), (base + 98_999, 99),
                             (base + 99_001, -1), (0, 0)):
            found = consumer.offsets_for_times([TopicPartition(topic, 0, when)], timeout=10)[0]
            equal(found.offset, wanted, f"the offset at {when - base} ms")
    finally:
        consumer.close()
    client = admin(context)  # the answers die with it
    offsets = client.list_offsets({TopicPartition(topic, 0): OffsetSpec.max_timestamp()})
    equal(next(iter(offsets.values())).result(10).offset, 99, "the offset of the newest record")


@test("librdkafka keeps keys, headers, timestamps and null", "python")
def fields(context):
    topic = context.create(context.topic("rd-fields"))
    producer = Producer({"bootstrap.servers": context.broker.address})
    now = int(time.time() * 1000)
    producer.produce(topic, b"v", b"k", partition=0, timestamp=now,
                     headers=[("a", b"1"), ("a", b"2"), ("b", None), ("c", b"")])
    producer.produce(topic, None, b"gone", partition=0)
    producer.produce(topic, b"", None, partition=0)
    equal(producer.flush(30), 0, "records without an answer")
    one, two, three = consume(context, topic, 0, 3)
    equal((one.key(), one.value(), one.timestamp()[1]), (b"k", b"v", now), "first record")
    equal(one.headers(), [("a", b"1"), ("a", b"2"), ("b", None), ("c", b"")], "headers")
    equal((two.key(), two.value()), (b"gone", None), "tombstone")
    equal((three.key(), three.value()), (None, b""), "empty value")


@test("librdkafka spreads records over partitions, keys always the same way", "python")
def partitions(context):
    topic = context.create(context.topic("rd-partitions"), partitions=5)
    producer = Producer({"bootstrap.servers": context.broker.address, "partitioner": "murmur2_random"})
    for i in range(500):
        producer.produce(topic, b"v", b"key %d" % (i % 50))
    equal(producer.flush(30), 0, "records without an answer")
    where = {}
    for partition in range(5):
        low_high = Consumer({"bootstrap.servers": context.broker.address, "group.id": "none"})
        _, high = low_high.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        low_high.close()
        for message in consume(context, topic, 0, high, partition):
            where.setdefault(message.key(), set()).add(partition)
    equal(len(where), 50, "keys")
    check(all(len(p) == 1 for p in where.values()), "a key went to two partitions")


@test("librdkafka creates, describes and deletes topics", "python")
def topics(context):
    client = admin(context)
    name = context.topic("rd-admin")
    client.create_topics([NewTopic(name, 3, 1, config={"retention.ms": "3600000"})])[name].result(20)
    again = client.create_topics([NewTopic(name, 3, 1)])[name].exception(20)
    equal(again.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS, "creating it again")
    bad = client.create_topics([NewTopic("not/legal", 1, 1)])["not/legal"].exception(20)
    equal(bad.args[0].code(), KafkaError.TOPIC_EXCEPTION, "an illegal name")
    wrong = client.create_topics([NewTopic(name + "x", 1, 1, config={"retention.mss": "1"})])
    equal(wrong[name + "x"].exception(20).args[0].code(), KafkaError.INVALID_CONFIG, "a bad setting")
    many = client.create_topics([NewTopic(name + "y", 1, 7)])[name + "y"].exception(20)
    equal(many.args[0].code(), KafkaError.INVALID_REPLICATION_FACTOR, "too many replicas")

    described = client.describe_topics(TopicCollection([name]))[name].result(20)
    equal(len(described.partitions), 3, "partitions")
    check(str(described.topic_id) != "", "no topic id")
    resource = ConfigResource("topic", name)
    configs = client.describe_configs([resource])[resource].result(20)
    equal(configs["retention.ms"].value, "3600000", "retention.ms")
    check(not configs["retention.ms"].is_default, "retention.ms is shown as a default")
    equal(configs["cleanup.policy"].value, "delete", "cleanup.policy")
    check(configs["cleanup.policy"].is_default, "cleanup.policy is not shown as a default")
    node = client.list_topics(timeout=10).controller_id
    broker = ConfigResource("broker", str(node))
    check(client.describe_configs([broker])[broker].result(20)["node.id"].value == str(node),
          "the broker's node.id")

    produce(context, name, [b"soon gone"])
    client.delete_topics([name])[name].result(20)
    check(name not in client.list_topics(timeout=10).topics, "the topic is still listed")
    gone = client.delete_topics([name])[name].exception(20)
    equal(gone.args[0].code(), KafkaError.UNKNOWN_TOPIC_OR_PART, "deleting it again")
    # The name is free again, and begins empty.
    client.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    equal(produce(context, name, [b"new"])[0], (0, None), "the first record of the new topic")


@test("librdkafka describes the cluster", "python")
def cluster(context):
    client = admin(context)  # the answer dies with it
    described = client.describe_cluster().result(20)
    equal([f"{n.host}:{n.port}" for n in described.nodes], [context.broker.address], "nodes")
    check(len(described.cluster_id) == 22, f"cluster id {described.cluster_id!r}")


@test("librdkafka moves a hundred megabytes", "python")
def bulk(context):
    topic = context.create(context.topic("rd-bulk"), partitions=4)
    producer = Producer({"bootstrap.servers": context.broker.address, "linger.ms": 20,
                         "queue.buffering.max.kbytes": 200_000, "batch.size": 500_000})
    failed = []
    payload = b"0123456789" * 100
    for i in range(100_000):
        producer.produce(topic, b"%08d" % i + payload, partition=i % 4,
                         on_delivery=lambda e, m: failed.append(e) if e else None)
        if i % 1000 == 0:
            producer.poll(0)
    equal(producer.flush(60), 0, "records without an answer")
    equal(failed, [], "failed records")
    for partition in range(4):
        got = consume(context, topic, 0, 25_000, partition, timeout=60)
        equal([int(m.value()[:8]) for m in got], list(range(partition, 100_000, 4)), "records")
