# SPDX-License-Identifier: Apache-2.0
"""Kafka's own command-line tools, of the version that kq follows."""

import json
import re

from harness import CODECS, check, codecs_on_disk, counts_on_disk, equal, field, lines, run, test


def tool(context, name, *words, stdin=b"", ok=(0,)):
    return context.java.tool(name, "--bootstrap-server", context.broker.address, *words,
                             stdin=stdin, ok=ok)


@test("kafka-topics creates, lists, describes and deletes", "java")
def topics(context):
    name = context.topic("java-topics")
    made = tool(context, "topics", "--create", "--topic", name, "--partitions", "3",
                "--replication-factor", "1", "--config", "retention.ms=3600000",
                "--config", "cleanup.policy=delete")
    check(b"Created topic" in made.stdout, f"create said {made.stdout!r}")
    check(name in lines(tool(context, "topics", "--list")), "it is not listed")
    shown = tool(context, "topics", "--describe", "--topic", name).stdout.decode()
    equal(field(shown, "PartitionCount"), "3", "partitions")
    equal(field(shown, "ReplicationFactor"), "1", "replicas")
    configs = set(re.search(r"Configs: (\S*)", shown)[1].split(","))
    check({"retention.ms=3600000", "cleanup.policy=delete"} <= configs, f"configs are {configs}")
    equal(len(re.findall(r"Partition: \d+\s+Leader: 1\b", shown)), 3, "partitions with leader 1")
    twice = tool(context, "topics", "--create", "--topic", name, ok=(1,))
    check(b"already exists" in twice.stdout + twice.stderr, "it can be created twice")
    tool(context, "topics", "--delete", "--topic", name)
    check(name not in lines(tool(context, "topics", "--list")), "it is still listed")


def perf_with(codec):
    def body(context):
        topic = context.create(context.topic(f"java-{codec}"))
        words = ["--topic", topic, "--num-records", "5000", "--record-size", "200",
                 "--throughput", "-1", "--producer-props",
                 f"bootstrap.servers={context.broker.address}", f"compression.type={codec}"]
        done = context.java.tool("perf-produce", *words)
        check(b"5000 records sent" in done.stdout, f"it said {done.stdout[-300:]!r}")
        equal(codecs_on_disk(context.broker, topic), {codec}, "codecs on disk")
        counted = tool(context, "get-offsets", "--topic", topic, "--time", "-1")
        equal(lines(counted), [f"{topic}:0:5000"], "the end offset")

    return body


for each_codec in CODECS:
    test(f"kafka-producer-perf-test with codec {each_codec}", "java")(perf_with(each_codec))


@test("kafka-producer-perf-test with every acks", "java")
def acks(context):
    topic = context.create(context.topic("java-acks"))
    for level in ("0", "1", "all"):
        context.java.tool("perf-produce", "--topic", topic, "--num-records", "1000",
                          "--record-size", "100", "--throughput", "-1", "--producer-props",
                          f"bootstrap.servers={context.broker.address}", f"acks={level}",
                          "batch.size=1000", "enable.idempotence=" + ("true" if level == "all" else "false"))
    found = lines(tool(context, "get-offsets", "--topic", topic, "--time", "latest"))
    equal(found, [f"{topic}:0:3000"], "the end offset")
    counts = counts_on_disk(context.broker, topic)
    equal(sum(counts), 3000, "records on disk")
    check(max(counts) <= 10, f"batches of {max(counts)} records of 100 bytes with batch.size=1000")


@test("kafka-get-offsets by every kind of time", "java")
def offsets(context):
    topic = context.create(context.topic("java-offsets"), partitions=2)
    context.java.tool("perf-produce", "--topic", topic, "--num-records", "100", "--record-size", "10",
                      "--throughput", "-1", "--producer-props",
                      f"bootstrap.servers={context.broker.address}")

    def total(when):
        rows = lines(tool(context, "get-offsets", "--topic", topic, "--time", when))
        return sum(int(row.rsplit(":", 1)[1]) for row in rows if not row.endswith(":"))

    equal(total("earliest"), 0, "earliest")
    equal(total("latest"), 100, "latest")
    equal(total("0"), 0, "at the dawn of time")
    check(total("max-timestamp") > 0, "max-timestamp")
    stamped = context.create(context.topic("java-times"))
    for i in range(3):
        context.kq("kq-produce", stamped, "--at", f"{1_700_000_000_000 + i * 1000}", stdin=b"x\n")
    for when, wanted in (("1700000000001", "1"), ("1700000002001", ""), ("max-timestamp", "2")):
        found = lines(tool(context, "get-offsets", "--topic", stamped, "--time", when))
        equal(found, [f"{stamped}:0:{wanted}"] if wanted else [], f"the offset at {when}")


@test("kafka-console-producer and -consumer by partition and offset", "java")
def console(context):
    topic = context.create(context.topic("java-console"))
    text = "".join(f"key{i}:value{i}\n" for i in range(50))
    context.java.tool("produce", "--bootstrap-server", context.broker.address, "--topic", topic,
                      "--reader-property", "parse.key=true", "--reader-property", "key.separator=:",
                      stdin=text.encode())
    shown = context.java.tool(
        "consume", "--bootstrap-server", context.broker.address, "--topic", topic,
        "--partition", "0", "--offset", "10", "--max-messages", "40", "--timeout-ms", "20000",
        "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:")
    equal(shown.stdout.decode().splitlines(), text.splitlines()[10:], "records")
    first = context.java.tool(
        "consume", "--bootstrap-server", context.broker.address, "--topic", topic, "--partition",
        "0", "--offset", "earliest", "--max-messages", "1", "--timeout-ms", "20000")
    equal(first.stdout, b"value0\n", "the record at the beginning")
    if not context.against_kafka:
        ours = context.kq("kq-consume", topic, "-K", ":")
        equal(ours.stdout.decode(), text, "what kq-consume shows of it")


@test("kafka-log-dirs, kafka-cluster and kafka-broker-api-versions", "java")
def others(context):
    topic = context.create(context.topic("java-dirs"))
    shown = tool(context, "log-dirs", "--describe", "--topic-list", topic).stdout.decode()
    described = json.loads(next(l for l in shown.splitlines() if l.startswith("{")))
    found = [p["partition"] for b in described["brokers"] for d in b["logDirs"]
             for p in d["partitions"]]
    equal(found, [f"{topic}-0"], "partitions in log directories")
    cluster = context.java.tool("cluster", "cluster-id", "--bootstrap-server",
                                context.broker.address).stdout.decode()
    check(re.search(r"Cluster ID: \S{22}", cluster), f"it said {cluster!r}")
    versions = tool(context, "api-versions").stdout.decode()
    for api in ("Produce(0)", "Fetch(1)", "ListOffsets(2)", "Metadata(3)", "FindCoordinator(10)",
                "ApiVersions(18)", "CreateTopics(19)", "DeleteTopics(20)", "InitProducerId(22)",
                "DescribeConfigs(32)", "DescribeLogDirs(35)", "DescribeCluster(60)",
                "DescribeTopicPartitions(75)"):
        line = next((l for l in versions.splitlines() if api in l), "")
        check("usable" in line, f"{api} is not usable: {line.strip()!r}")


@test("kafka-configs describes topic and broker settings", "java")
def configs(context):
    topic = context.create(context.topic("java-configs"), retention_ms="123456789")
    shown = tool(context, "configs", "--describe", "--all", "--topic", topic).stdout.decode()
    check("retention.ms=123456789" in shown, "retention.ms is not shown")
    check("DYNAMIC_TOPIC_CONFIG:retention.ms=123456789" in shown, "its source is not shown")
    check("segment.bytes=1073741824" in shown, "a default is not shown")
    broker = tool(context, "configs", "--describe", "--all", "--broker", "1").stdout.decode()
    check("node.id=1" in broker, "the broker's node.id is not shown")


@test("kcat -L, kafka-topics --describe and kq-topics describe agree", "java", "kcat", "kq")
def agree(context):
    names = {context.create(context.topic("agree"), partitions=4, retention_ms="7200000"),
             context.create(context.topic("agree"), partitions=1)}
    kafka = tool(context, "topics", "--describe").stdout.decode()
    # topic -> (id, partitions); a partition is (index, leader, replicas, in sync)
    kafka_view = {name: (re.search(rf"^Topic: {re.escape(name)}\s+TopicId: (\S+)", kafka, re.M)[1], [
        (int(m[1]), int(m[2]), m[3].split(","), m[4].split(","))
        for m in re.finditer(rf"^\s+Topic: {re.escape(name)}\s+Partition: (\d+)\s+Leader: (\d+)\s+"
                             r"Replicas: (\S+)\s+Isr: (\S+)", kafka, re.M)]) for name in names}
    equal(sorted(len(p) for _, p in kafka_view.values()), [1, 4], "partitions that kafka-topics shows")

    def ours(*words):
        view = {}
        for item in json.loads(context.kq("kq-topics", "describe", *words, "-f", "json").stdout)["items"]:
            view.setdefault(item["name"], (item["id"], []))[1].append(
                (item["partition"], item["leader"], [str(r) for r in item["replicas"]],
                 [str(r) for r in item["isr"]]))
        return {name: found for name, found in view.items() if name in names}

    equal(ours(), kafka_view, "kq-topics describe against kafka-topics --describe")
    equal(ours(*names), kafka_view, "kq-topics describe of two topics")
    # And what a person reads: a heading and a row for each partition, once.
    text = context.kq("kq-topics", "describe", *sorted(names)).stdout.decode()
    for name in names:
        equal(len(re.findall(rf"^{re.escape(name)}: ", text, re.M)), 1, f"headings of {name}")
    equal(len(re.findall(r"^ *\d+ +1 ", text, re.M)), 5, "rows of partitions")

    shown = json.loads(run(["kcat", "-b", context.broker.address, "-L", "-J"]).stdout)
    kcat_view = {t["topic"]: [(p["partition"], p["leader"], [str(r["id"]) for r in p["replicas"]],
                               [str(r["id"]) for r in p["isrs"]]) for p in t["partitions"]]
                 for t in shown["topics"] if t["topic"] in names}
    equal(kcat_view, {name: found for name, (_, found) in kafka_view.items()},
          "kcat -L against kafka-topics --describe")
