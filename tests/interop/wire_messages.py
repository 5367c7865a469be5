# SPDX-License-Identifier: Apache-2.0
"""Requests and answers as Python values, at any version, by the table of facts in ../wire/facts.tsv.

A message is a dict of its fields, by Kafka's names; arrays are lists, structs dicts, uuids and
records bytes. Fields that are left out get their defaults; fields that a version does not have are
not written, so that one value serves all versions.
"""

import struct
from pathlib import Path

FACTS = Path(__file__).resolve().parent.parent / "wire" / "facts.tsv"
INTEGERS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I",
            "int64": ">q", "float64": ">d", "bool": ">?"}


class Field:
    def __init__(self, span, name, kind, nullable, default, tag):
        self.span = span
        self.name = name
        self.is_array = kind.startswith("[]")
        self.kind = kind.removeprefix("[]")
        self.nullable = nullable
        self.tag = None if tag == "-" else int(tag)
        self.fields = []  # of a struct, or of the elements of an array of structs
        self.text = default

    def default(self):
        if self.text == "null":
            return None
        if self.is_array:
            return []
        if self.kind == "struct":
            return {}
        if self.kind == "string":
            return self.text.strip('"')
        if self.kind == "bool":
            return self.text == "true"
        if self.kind == "uuid":
            return bytes(16)
        if self.kind in ("bytes", "records"):
            return b""
        return float(self.text) if self.kind == "float64" else int(self.text)


class Message:
    def __init__(self, name, span, key, flexible):
        self.name = name
        self.span = span
        self.key = int(key) if key != "-" else None
        self.flexible = int(flexible) if flexible != "-" else 1 << 15
        self.fields = []

    def versions(self):
        return range(self.span[0], self.span[1] + 1)


def _span(text):
    if text == "-":
        return (1, 0)
    first, last = text.split("-")
    return (int(first), int(last))


def _load():
    messages = {}
    for line in FACTS.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, span, path, *rest = line.split("\t")
        if path == "*":
            messages[name] = Message(name, _span(span), rest[0], rest[2])
            continue
        kind, nullable, default, tag = rest[:4]
        level = messages[name].fields
        *outer, last = path.replace("[]", "").split(".")
        for step in outer:
            level = next(f for f in level if f.name == step).fields
        level.append(Field(_span(span), last, kind, _span(nullable), default, tag))
    return messages


MESSAGES = _load()


def within(version, span):
    return span[0] <= version <= span[1]


# ---- writing ----

def unsigned_varint(n):
    out = b""
    while n & ~0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def _length(n, form, compact):
    """The length in front of a value; None for null."""
    if compact:
        return unsigned_varint(0 if n is None else n + 1)
    return struct.pack(form, -1 if n is None else n)


def _encode_value(field, value, version, compact):
    if field.is_array:
        if value is None:
            return _length(None, ">i", compact)
        element = Field(field.span, field.name, field.kind, (1, 0), field.text, "-")
        element.fields = field.fields
        return _length(len(value), ">i", compact) + \
            b"".join(_encode_value(element, v, version, compact) for v in value)
    if field.kind == "struct":
        if within(version, field.nullable):
            mark = struct.pack(">b", -1 if value is None else 1)
            return mark if value is None else mark + _encode_fields(field.fields, value, version, compact)
        return _encode_fields(field.fields, value, version, compact)
    if field.kind == "string":
        text = value.encode() if isinstance(value, str) else value
        return _length(None if text is None else len(text), ">h", compact) + (text or b"")
    if field.kind in ("bytes", "records"):
        return _length(None if value is None else len(value), ">i", compact) + (value or b"")
    if field.kind == "uuid":
        return value
    return struct.pack(INTEGERS[field.kind], value)


def _encode_fields(fields, values, version, compact):
    known = {f.name for f in fields}
    unknown = set(values) - known
    if unknown:
        raise KeyError(f"no such field: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    out, tagged = b"", []
    for field in fields:
        if not within(version, field.span):
            continue
        value = values.get(field.name, field.default())
        if field.tag is None:
            out += _encode_value(field, value, version, compact)
        elif field.name in values:
            tagged.append((field.tag, _encode_value(field, value, version, compact)))
    if compact:
        out += unsigned_varint(len(tagged))
        for tag, content in sorted(tagged):
            out += unsigned_varint(tag) + unsigned_varint(len(content)) + content
    return out


def encode(name, version, values):
    message = MESSAGES[name]
    return _encode_fields(message.fields, values, version, version >= message.flexible)


# ---- reading ----

class Reader:
    def __init__(self, content):
        self.content = content
        self.at = 0

    def take(self, count):
        piece = self.content[self.at:self.at + count]
        if len(piece) != count:
            raise ValueError(f"{count} bytes wanted at {self.at} of {len(self.content)}")
        self.at += count
        return piece

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def length(self, form, compact):
        n = self.varint() - 1 if compact else self.number(form)
        return None if n < 0 else n


def _decode_value(field, reader, version, compact):
    if field.is_array:
        count = reader.length(">i", compact)
        if count is None:
            return None
        element = Field(field.span, field.name, field.kind, (1, 0), field.text, "-")
        element.fields = field.fields
        return [_decode_value(element, reader, version, compact) for _ in range(count)]
    if field.kind == "struct":
        if within(version, field.nullable) and reader.number(">b") < 0:
            return None
        return _decode_fields(field.fields, reader, version, compact)
    if field.kind == "string":
        count = reader.length(">h", compact)
        return None if count is None else reader.take(count).decode()
    if field.kind in ("bytes", "records"):
        count = reader.length(">i", compact)
        return None if count is None else reader.take(count)
    if field.kind == "uuid":
        return reader.take(16)
    return reader.number(INTEGERS[field.kind])


def _decode_fields(fields, reader, version, compact):
    values, tags = {}, {}
    for field in fields:
        if not within(version, field.span):
            continue
        if field.tag is not None:
            tags[field.tag] = field
        else:
            values[field.name] = _decode_value(field, reader, version, compact)
    if compact:
        for _ in range(reader.varint()):
            tag, size = reader.varint(), reader.varint()
            inner = Reader(reader.take(size))
            if tag not in tags:
                values[f"tag {tag}"] = inner.content
                continue
            # Whether a tagged default is written is seen, too: it is part of the bytes.
            values[tags[tag].name] = _decode_value(tags[tag], inner, version, compact)
    return values


def decode(name, version, content):
    """The fields of a message that fills `content` to its last byte."""
    message = MESSAGES[name]
    reader = Reader(content)
    values = _decode_fields(message.fields, reader, version, version >= message.flexible)
    if reader.at != len(content):
        raise ValueError(f"{len(content) - reader.at} bytes behind {name} v{version}")
    return values


# ---- frames ----

def request_frame(api, version, values, correlation=7, client="differential"):
    message = MESSAGES[f"{api}Request"]
    header = struct.pack(">hhih", message.key, version, correlation, len(client)) + client.encode()
    if version >= message.flexible:
        header += b"\0"
    body = header + encode(message.name, version, values)
    return struct.pack(">i", len(body)) + body


def answer_of(api, version, content):
    """The fields of an answer; `content` begins behind the correlation id."""
    message = MESSAGES[f"{api}Response"]
    # An answer to ApiVersions has the old header whatever its version: the asker may not know it.
    if version >= message.flexible and api != "ApiVersions":
        if content[:1] != b"\0":
            raise ValueError(f"tags in the header of {api} v{version}")
        content = content[1:]
    return decode(message.name, version, content)
