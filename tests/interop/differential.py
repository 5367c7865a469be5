# SPDX-License-Identifier: Apache-2.0
"""The same requests to kq and to Apache Kafka, and their answers compared field by field.

What must differ (addresses, ids that are drawn, free space, words) is made neutral first; what
differs on purpose stands in INTENDED with its reason. Everything else is a failure.
"""

import re
import time
from dataclasses import dataclass
from typing import Callable

import rawwire as raw
import wire_messages as wire
from harness import Failure, shorten

NEVER = "never answered"
ABSENT = "absent"


class Side:
    """One of the two brokers, and the names of what it drew at random."""

    def __init__(self, name, address):
        self.name = name
        self.address = address
        self.port = int(address.rsplit(":", 1)[1])
        self.connection = raw.Connection(address)
        self.topic_ids = {}  # topic -> uuid
        self.producers = {}  # producer id -> how manieth
        self.session = 0

    def close(self):
        self.connection.socket.close()

    def ask(self, api, version, values):
        answer = self.connection.ask(wire.request_frame(api, version, values))
        if answer is None:
            self.connection = raw.Connection(self.address)
            return NEVER
        try:
            return wire.answer_of(api, version, answer)
        except (ValueError, UnicodeDecodeError) as error:
            raise Failure(f"{self.name}'s answer to {api} v{version} does not decode: {error}") from error

    def learn(self, topic):
        """Waits until the broker knows a topic that was just made; Kafka's needs a moment."""
        for _ in range(200):
            found = self.ask("Metadata", 12, {"topics": [{"name": topic}],
                                              "allowAutoTopicCreation": False})["topics"][0]
            if found["errorCode"] == 0 and self._serves(topic, len(found["partitions"])):
                self.topic_ids[topic] = found["topicId"]
                return
            time.sleep(0.02)
        raise Failure(f"{self.name} does not know {topic}, which was made on it")

    def _serves(self, topic, partitions):
        answer = self.ask("ListOffsets", 5, {"replicaId": -1, "topics": [{"name": topic, "partitions": [
            {"partitionIndex": i, "timestamp": -1} for i in range(partitions)]}]})
        return all(p["errorCode"] == 0 for p in answer["topics"][0]["partitions"])

    # -- what is drawn, by the name of what it belongs to --

    def neutral_id(self, value):
        names = [n for n, known in self.topic_ids.items() if known == value]
        return f"id of {names[0]}" if names else ("zero" if value == bytes(16) else "some id")

    def neutral_producer(self, value):
        if value < 0:
            return value
        return f"producer {self.producers.setdefault(value, len(self.producers))}"


def text_or_none(_, value):
    return "words" if value else value


def or_negative(word):
    return lambda _, value: value if value < 0 else word


# The last words of a path -> what is compared instead of the value. Paths have no indexes.
NEUTRAL = [
    (r"\bclusterId$", lambda side, value: "cluster" if value else value),
    (r"\bport$", lambda side, value: "its port" if value == side.port else value),
    (r"\b(e|batchIndexE)rrorMessage$", text_or_none),
    (r"\bdocumentation$", text_or_none),
    (r"\bproducerId$", lambda side, value: side.neutral_producer(value)),
    (r"\blogAppendTimeMs$", or_negative("now")),
    (r"\blogDir$", lambda side, value: "the directory"),
    (r"\b(total|usable)Bytes$", lambda side, value: "some" if value > 0 else value),
    (r"^sessionId$", lambda side, value: "a session" if value else value),
    (r"\bfinalizedFeaturesEpoch$", or_negative("an epoch")),
]

# Lists whose order Kafka does not promise: (api, path) -> by what they are sorted.
UNORDERED = {
    ("Metadata", "topics"): "name",
    ("Metadata", "topics.partitions"): "partitionIndex",
    ("DescribeConfigs", "results.configs"): "name",
    ("DescribeConfigs", "results"): "resourceName",
    ("CreateTopics", "topics.configs"): "name",
    ("CreateTopics", "topics"): "name",
    ("DeleteTopics", "responses"): "name",
    ("DescribeLogDirs", "results.topics"): "name",
    ("DescribeLogDirs", "results.topics.partitions"): "partitionIndex",
    ("ApiVersions", "apiKeys"): "apiKey",
    ("ApiVersions", "supportedFeatures"): "name",
    ("ApiVersions", "finalizedFeatures"): "name",
    ("Produce", "responses"): "name",
    ("Fetch", "responses"): "topic",
    ("ListOffsets", "topics"): "name",
}


@dataclass
class Intended:
    """A difference on purpose. Where `holds` is given it must be true of (kq's value, Kafka's)."""

    api: str
    path: str  # a regular expression over the whole path, of whose [keys] only settings and features are left
    reason: str
    holds: Callable = lambda kq, kafka: True


# Settings whose values are each broker's own: its addresses, its directory.
OWN_SETTINGS = "|".join(re.escape(name) for name in (
    "advertised.listeners", "broker.id", "controller.listener.names", "controller.quorum.bootstrap.servers",
    "listeners", "log.dirs", "node.id", "process.roles"))

INTENDED = [
    Intended("ApiVersions", r"apiKeys|(supported|finalized)Features\[.*\]",
             "what kq does not serve it does not offer", lambda kq, kafka: kq == ABSENT),
    Intended("CreateTopics", r"topics\.configs\[kq\..*\]", "settings of kq's own", lambda kq, kafka: kafka == ABSENT),
    Intended("DescribeConfigs", r"results\.configs\[kq\..*\]", "settings of kq's own",
             lambda kq, kafka: kafka == ABSENT),
    Intended("DescribeConfigs", rf"results\.configs\[({OWN_SETTINGS})\].*", "each broker has its own"),
    Intended("CreateTopics", r"topics\.topicId", "Kafka names an id that no topic gets when it only validates",
             lambda kq, kafka: (kq, kafka) == ("zero", "some id")),
    Intended("Produce", r"responses\.partitionResponses\.errorMessage", "kq says what is wrong where Kafka does not",
             lambda kq, kafka: kq == "words"),
    Intended("DescribeConfigs", r"results\.errorMessage", "kq says what is wrong where Kafka does not",
             lambda kq, kafka: kq == "words"),
    Intended("Produce", r"responses\.partitionResponses\.errorCode",
             "an unknown magic is no damage of the transport, which clients would send again for",
             lambda kq, kafka: (kq, kafka) == (87, 2)),
    Intended("Fetch", r"responses\.partitions\.records", "kq sends whole batches where Kafka cuts one in two",
             lambda kq, kafka: len(kq) < len(kafka) and kafka.startswith(kq)),
    Intended("Metadata", r"(errorCode|brokers|clusterId|controllerId|topics.*)",
             "neither name nor id: an error of that topic; in Kafka one of the broker, for all of the request",
             lambda kq, kafka: kafka in (-1, None, []) or "'errorCode': -1" in str(kafka) or
             "'errorCode': 42" in str(kq)),
    Intended("DeleteTopics", r"responses.*", "a topic named in two ways is refused; Kafka does that and deletes it",
             lambda kq, kafka: "'errorCode': 42" in str(kq) or kq == "zero"),
]

# What tells the elements of a list from one another.
KEYS = ("apiKey", "name", "topic", "partitionIndex", "partition")


def neutral(side, api, value, path=""):
    """The value with everything replaced that has to differ."""
    if isinstance(value, dict):
        return {name: neutral(side, api, inner, f"{path}.{name}".lstrip("."))
                for name, inner in value.items()}
    if isinstance(value, list):
        items = [neutral(side, api, inner, path) for inner in value]
        key = UNORDERED.get((api, path))
        return sorted(items, key=lambda item: str(item.get(key))) if key else items
    for pattern, replace in NEUTRAL:
        if re.search(pattern, path):
            return replace(side, value)
    if isinstance(value, bytes) and len(value) == 16 and path.lower().endswith("id"):
        return side.neutral_id(value)
    return value


def differences(kq, kafka, path=""):
    """(path with names instead of indexes where there are any, kq's value, Kafka's)."""
    if isinstance(kq, dict) and isinstance(kafka, dict):
        for name in sorted(kq.keys() | kafka.keys()):
            yield from differences(kq.get(name, ABSENT), kafka.get(name, ABSENT),
                                   f"{path}.{name}".lstrip("."))
    elif isinstance(kq, list) and isinstance(kafka, list):
        name = next((n for n in KEYS if all(isinstance(i, dict) and n in i for i in kq + kafka)), None)
        here = {str(i[name]): i for i in kq} if name else {}
        there = {str(i[name]): i for i in kafka} if name else {}
        if name and len(here) == len(kq) and len(there) == len(kafka):
            for key in sorted(here.keys() | there.keys()):
                yield from differences(here.get(key, ABSENT), there.get(key, ABSENT), f"{path}[{key}]")
            return
        if len(kq) != len(kafka):
            yield path, kq, kafka
            return
        for index, (one, other) in enumerate(zip(kq, kafka)):
            yield from differences(one, other, f"{path}[{index}]")
    elif kq != kafka:
        yield path, kq, kafka


class Twin:
    """Two brokers that are told the same; what they answer otherwise is collected."""

    def __init__(self, kq_address, kafka_address, intended):
        self.sides = [Side("kq", kq_address), Side("Kafka", kafka_address)]
        self.intended = intended
        self.found = {}  # (api, what differs) -> versions
        self.asked = 0

    def close(self):
        for side in self.sides:
            side.close()

    def ask(self, api, version, values, what=""):
        """Asks both; `values` are fields, or a function that makes them of a Side. The answers."""
        self.asked += 1
        answers = [side.ask(api, version, values(side) if callable(values) else values)
                   for side in self.sides]
        plain = [neutral(side, api, answer) for side, answer in zip(self.sides, answers)]
        for path, kq, kafka in differences(*plain):
            bare = re.sub(r"(?<!configs)(?<!Features)\[[^]]*\]", "", path)
            if any(i.api == api and re.fullmatch(i.path, bare) and i.holds(kq, kafka) for i in self.intended):
                continue
            line = f"{what}: {path}: kq {shorten(kq, 200)}, Kafka {shorten(kafka, 200)}"
            self.found.setdefault((api, line), []).append(version)
        return answers

    def ask_all(self, api, values, what="", versions=None):
        """Asks at every version that both know."""
        for version in versions or wire.MESSAGES[f"{api}Request"].versions():
            self.ask(api, version, (lambda side, v=version: values(side, v)) if callable(values) else values,
                     what)

    def create(self, name, partitions=1, **configs):
        self.ask("CreateTopics", 7, {
            "topics": [{"name": name, "numPartitions": partitions, "replicationFactor": 1,
                        "configs": [{"name": k.replace("_", "."), "value": v} for k, v in configs.items()]}],
            "timeoutMs": 10_000}, f"making {name}")
        for side in self.sides:
            side.learn(name)
        return name

    def settle(self):
        """Fails with everything that was found; otherwise says how much was asked."""
        lines = [f"{api} v{','.join(map(str, versions))} {line}"
                 for (api, line), versions in self.found.items()]
        if lines:
            raise Failure(f"{len(lines)} differences in {self.asked} requests:\n    " +
                          "\n    ".join(lines))
