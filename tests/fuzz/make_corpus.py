#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the seeds of the fuzz targets from the golden bytes of tests/wire.

  tests/fuzz/make_corpus.py

One seed for the oldest and one for the newest version of every message and record, one a batch. The
names of seeds say what they are.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/wire/golden"
CORPUS = ROOT / "tests/fuzz/corpus"


def blocks(path):
    for text in path.read_text().split("\n\n"):
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        if lines:
            yield dict(re.match(r"([^:]*): ?(.*)", line).groups() for line in lines)


def save(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def oldest_and_newest(found):
    """Of (name, version, ...) rows in ascending order of versions, per name the first and the last."""
    rows = {}
    for row in found:
        rows.setdefault(row[0], []).append(row)
    ends = [{same[0][1]: same[0], same[-1][1]: same[-1]} for same in rows.values()]
    return [row for pair in ends for row in pair.values()]


def requests():
    for path in sorted((GOLDEN / "frames").glob("*.txt")):
        found = []
        for block in blocks(path):
            name, key, version, side = block["frame"].split()
            if block["source"] == "generated full":
                found.append((f"{name}-{side}", version, int(key), block))
        for name, version, key, block in oldest_and_newest(found):
            frame = bytes.fromhex(block["hex"])[4:]
            if name.endswith("request"):
                save("requests", f"{name}-{version}", b"\0" + frame)
            else:
                body = frame[5:] if block["header"].startswith("v1") else frame[4:]
                head = key.to_bytes(2, "big") + int(version[1:]).to_bytes(2, "big")
                save("requests", f"{name}-{version}", b"\1" + head + body)


def records():
    for name, kind in (("metadata", b"\2"), ("control", b"\3")):
        found = [(*block["record"].split(), block)
                 for block in blocks(GOLDEN / "records" / f"{name}.txt")
                 if block["source"].startswith("generated full")]
        for record, version, block in oldest_and_newest(found):
            key = bytes.fromhex(block.get("key", ""))
            save("requests", f"{record}-{version}", kind + key + bytes.fromhex(block["hex"]))


def batches():
    for part in ("valid", "invalid", "legacy"):
        for block in blocks(GOLDEN / "batches" / f"{part}.txt"):
            data = block["hex"]
            if data in ("null", "") or len(data) > 1000:
                continue
            batch = bytes.fromhex(data)
            save("batches", f"{part}-{block['batch']}", b"\7" + batch)
            if part == "valid" and block["batch"].endswith("-create-time"):
                codec = batch[22] & 7
                save("batches", f"stream-{block['batch']}", bytes([0x80 | codec]) + batch[61:])
                save("batches", f"recompress-{block['batch']}", bytes([(codec + 1) % 5]) + batch)
    # A bare snappy block, which Java does not write: its length, a literal, a copy.
    save("batches", "stream-snappy-bare", bytes.fromhex("82" + "0d0861626319030a"))


if __name__ == "__main__":
    requests()
    records()
    batches()
