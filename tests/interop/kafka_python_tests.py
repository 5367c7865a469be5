# SPDX-License-Identifier: Apache-2.0
"""kafka-python, a client without a line of C."""

import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

from harness import CODECS, check, codecs_on_disk, counts_on_disk, equal, test


def produce(context, topic, values, **settings):
    producer = KafkaProducer(bootstrap_servers=context.broker.address, **settings)
    try:
        futures = [producer.send(topic, v, partition=0) for v in values]
        producer.flush(30)
        return [f.get(10).offset for f in futures]
    finally:
        producer.close(5)


def consume(context, topic, start, count, **settings):
    consumer = KafkaConsumer(bootstrap_servers=context.broker.address, group_id=None,
                             enable_auto_commit=False, **settings)
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, start)
        found = []
        deadline = time.monotonic() + 20
        while len(found) < count and time.monotonic() < deadline:
            for records in consumer.poll(200).values():
                found += records
        return found
    finally:
        consumer.close()


def values(count):
    return [b"%06d kafka-python writes something that compresses" % i for i in range(count)]


def produces_with(codec):
    def body(context):
        topic = context.create(context.topic(f"kp-{codec}"))
        sent = values(1000)
        offsets = produce(context, topic, sent, linger_ms=50,
                          compression_type=None if codec == "none" else codec)
        equal(offsets, list(range(1000)), "offsets")
        equal([r.value for r in consume(context, topic, 0, 1000)], sent, "what came back")
        equal(codecs_on_disk(context.broker, topic), {codec}, "codecs on disk")

    return body


for each_codec in CODECS:
    test(f"kafka-python produces and consumes with codec {each_codec}", "python")(
        produces_with(each_codec))


@test("kafka-python with every acks and batch size", "python")
def acks(context):
    topic = context.create(context.topic("kp-acks"))
    sent = values(200)
    # 200 records of 53 bytes, which pack badly one by one and well together.
    for turn, (size, batches, settings) in enumerate((
            (1, (200, 200), {"acks": 1, "enable_idempotence": False}),
            (2000, (5, 40), {"acks": "all", "enable_idempotence": False, "linger_ms": 200}),
            (1_000_000, (1, 3), {"acks": "all", "enable_idempotence": True, "linger_ms": 200}))):
        produce(context, topic, sent, batch_size=size, **settings)
        counts = counts_on_disk(context.broker, topic, turn * 200)
        equal(sum(counts), 200, f"records with batch_size={size}")
        check(batches[0] <= len(counts) <= batches[1], f"{len(counts)} batches with batch_size={size}")
    equal([r.value for r in consume(context, topic, 0, 600)], sent * 3, "what came back")
    producer = KafkaProducer(bootstrap_servers=context.broker.address, acks=0,
                             enable_idempotence=False)
    for value in sent:
        producer.send(topic, value, partition=0)
    producer.flush(30)
    producer.close(5)
    equal(len(consume(context, topic, 0, 800)), 800, "records, those of acks=0 too")


@test("kafka-python reads from every position", "python")
def positions(context):
    topic = context.create(context.topic("kp-positions"))
    produce(context, topic, values(300), batch_size=2000)
    for start in (0, 1, 77, 150, 299):
        equal([r.offset for r in consume(context, topic, start, 300 - start)],
              list(range(start, 300)), f"offsets from {start}")
    consumer = KafkaConsumer(bootstrap_servers=context.broker.address, group_id=None)
    partition = TopicPartition(topic, 0)
    equal(consumer.beginning_offsets([partition]), {partition: 0}, "beginning")
    equal(consumer.end_offsets([partition]), {partition: 300}, "end")
    equal(consumer.offsets_for_times({partition: 0})[partition].offset, 0, "offset by time")
    consumer.close()


@test("kafka-python reads from a time", "python")
def times(context):
    topic = context.create(context.topic("kp-times"))
    base = int(time.time() * 1000) - 60_000
    producer = KafkaProducer(bootstrap_servers=context.broker.address, batch_size=500)
    for i in range(100):
        producer.send(topic, b"%d" % i, partition=0, timestamp_ms=base + i * 100)
    producer.flush(30)
    producer.close(5)
    consumer = KafkaConsumer(bootstrap_servers=context.broker.address, group_id=None)
    partition = TopicPartition(topic, 0)
    for when, wanted in ((0, 0), (1, 1), (100, 1), (4_950, 50), (9_900, 99)):
        found = consumer.offsets_for_times({partition: base + when})[partition]
        equal((found.offset, found.timestamp), (wanted, base + wanted * 100), f"offset at {when} ms")
        first = consume(context, topic, found.offset, 1)[0]
        equal((first.offset, first.timestamp), (wanted, base + wanted * 100), f"first record at {when} ms")
    equal(consumer.offsets_for_times({partition: base + 9_901})[partition], None, "behind the last one")
    consumer.close()


@test("kafka-python creates, describes and deletes topics", "python")
def topics(context):
    admin = KafkaAdminClient(bootstrap_servers=context.broker.address)
    name = context.topic("kp-admin")
    try:
        admin.create_topics([NewTopic(name, 2, 1)])
        try:
            admin.create_topics([NewTopic(name, 2, 1)])
            raised = False
        except TopicAlreadyExistsError:
            raised = True
        check(raised, "creating it again went well")
        described = admin.describe_topics([name])[0]
        equal(len(described["partitions"]), 2, "partitions")
        check(name in admin.list_topics(), "the topic is not listed")
        admin.delete_topics([name])
        check(name not in admin.list_topics(), "the topic is still listed")
    finally:
        admin.close()
