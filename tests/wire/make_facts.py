#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes facts.tsv, the table against which facts_test.cpp holds every message and record.

  tests/wire/make_facts.py FOLDER > tests/wire/facts.tsv

FOLDER holds Kafka's field lists: FOLDER/message/*.json and FOLDER/records/metadata/*.json. Only facts
are taken from them: names, versions, types, defaults, tags, in wire order.
"""

import json
import re
import sys
from pathlib import Path

APIS = """Produce Fetch ListOffsets Metadata FindCoordinator ApiVersions CreateTopics DeleteTopics
InitProducerId DescribeConfigs DescribeLogDirs Vote BeginQuorumEpoch EndQuorumEpoch AlterPartition
DescribeCluster BrokerRegistration BrokerHeartbeat AllocateProducerIds DescribeTopicPartitions"""
CONTROL = """EndTxnMarker LeaderChangeMessage SnapshotHeaderRecord SnapshotFooterRecord
KRaftVersionRecord VotersRecord"""
# The newest lists know versions and records that Kafka 4.3 does not advertise or write.
NEWEST = {"InitProducerIdRequest": 5, "InitProducerIdResponse": 5, "ApiVersionsRequest": 4,
          "ApiVersionsResponse": 4}
NOT_IN_4_3 = {"UnregisterControllerRecord"}

PRIMITIVES = {"bool", "int8", "int16", "int32", "int64", "uint16", "uint32", "float64", "string",
              "uuid", "bytes", "records"}
LAST = 32767


def load(path):
    text = re.sub(r"(?m)^\s*//.*$", "", path.read_text())
    return json.loads(re.sub(r'(?m)\s//[^"\n]*$', "", text))


def versions(text, outer):
    """The range that `text` says, cut to the one of what is around it; None when nothing is left."""
    if text is None or text == "none":
        return None
    low, _, high = text.partition("-")
    if low.endswith("+"):
        low, high = low[:-1], LAST
    first = max(int(low), outer[0])
    last = min(int(high) if high != "" else int(low), outer[1])
    return (first, last) if first <= last else None


def text_of(span):
    return "-" if span is None else f"{span[0]}-{span[1]}"


def default_of(field, kind, nullable):
    value = field.get("default")
    if nullable and value == "null":
        return "null"
    if kind.startswith("[]"):
        return "[]"
    if kind == "struct":
        return "{}"
    if kind == "bool":
        return str(value or "false").lower()
    if kind == "records":
        return "null"
    if kind in ("string", "bytes"):
        return '"' + (value or "") + '"'
    if kind == "uuid":
        return "0"
    return str(int(str(value), 0)) if value is not None else "0"


def rows(fields, outer, path, commons):
    for field in fields:
        span = versions(field["versions"], outer)
        if span is None:
            continue
        element = field["type"].removeprefix("[]")
        array = "[]" if field["type"].startswith("[]") else ""
        kind = array + (element if element in PRIMITIVES else "struct")
        nullable = versions(field.get("nullableVersions"), span)
        name = path + field["name"][0].lower() + field["name"][1:]
        tag = field["tag"] if versions(field.get("taggedVersions"), span) else "-"
        yield [text_of(span), name, kind, text_of(nullable), default_of(field, kind, nullable), tag,
               "ignorable" if field.get("ignorable") else "-"]
        if element not in PRIMITIVES:
            inner = field.get("fields") or commons[element]["fields"]
            yield from rows(inner, span, name + array + ".", commons)


def table(path):
    message = load(path)
    name = message["name"]
    if name in NOT_IN_4_3:
        return
    span = versions(message["validVersions"], (0, NEWEST.get(name, LAST)))
    flexible = message["flexibleVersions"]
    flexible = flexible.removesuffix("+") if flexible != "none" else "-"
    commons = {struct["name"]: struct for struct in message.get("commonStructs", [])}
    yield [name, text_of(span), "*", message.get("apiKey", "-"), "flexible", flexible]
    for row in rows(message["fields"], span, "", commons):
        yield [name, *row]


def main():
    folder = Path(sys.argv[1])
    paths = [folder / "message" / f"{api}{side}.json"
             for api in APIS.split() for side in ("Request", "Response")]
    paths += [folder / "message" / f"{name}.json" for name in CONTROL.split()]
    paths += sorted((folder / "records" / "metadata").glob("*.json"))
    print("# Made by make_facts.py from Kafka's field lists. Per message one line: name, versions,")
    print("# *, key, first flexible version; then a line a field, in wire order: versions, path, type,")
    print("# versions in which it may be null, default, tag, whether its value may be dropped.")
    for path in paths:
        for row in table(path):
            print("\t".join(str(cell) for cell in row))


if __name__ == "__main__":
    main()
