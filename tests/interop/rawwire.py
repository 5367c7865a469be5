# SPDX-License-Identifier: Apache-2.0
"""Requests by hand: just enough of the protocol to say things that no client would."""

import socket
import struct
import time
import zlib


def i8(n):
    return struct.pack(">b", n)


def i16(n):
    return struct.pack(">h", n)


def i32(n):
    return struct.pack(">i", n)


def i64(n):
    return struct.pack(">q", n)


def string(text):
    data = text.encode() if isinstance(text, str) else text
    return i16(-1) if data is None else i16(len(data)) + data


def array(items):
    return i32(len(items)) + b"".join(items)


def data(content):
    return i32(-1) if content is None else i32(len(content)) + content


def request(key, version, body, correlation=7, client="raw"):
    return data(i16(key) + i16(version) + i32(correlation) + string(client) + body)


def compact(text):
    """A string of the flexible versions, of at most 126 bytes."""
    return bytes([len(text) + 1]) + text.encode()


def _crc_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _crc_table()


def crc32c(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(n):
    n = (n << 1) ^ (n >> 63)
    out = b""
    while n & ~0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def record(value, delta=0, key=None):
    body = i8(0) + varint(0) + varint(delta)
    body += varint(-1) if key is None else varint(len(key)) + key
    body += varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(values=(b"v",), *, magic=2, attributes=0, count=None, last_delta=None, crc=None,
          producer=(-1, -1, -1), timestamp=None, max_timestamp=None, payload=None, length=None, base=0):
    """A record batch; everything that could be wrong can be made wrong."""
    timestamp = int(time.time() * 1000) if timestamp is None else timestamp
    content = payload if payload is not None else \
        b"".join(record(v, i) for i, v in enumerate(values))
    count = len(values) if count is None else count
    last_delta = count - 1 if last_delta is None else last_delta
    max_timestamp = timestamp if max_timestamp is None else max_timestamp
    tail = i16(attributes) + i32(last_delta) + i64(timestamp) + i64(max_timestamp) + \
        i64(producer[0]) + i16(producer[1]) + i32(producer[2]) + i32(count) + content
    sum_ = crc32c(tail) if crc is None else crc
    after_length = i32(-1) + i8(magic) + struct.pack(">I", sum_) + tail
    return i64(base) + i32(len(after_length) if length is None else length) + after_length


def gzipped(content):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(content) + packer.flush()


def produce(topic, records, partition=0, acks=-1, timeout=5000, correlation=7, transaction=None):
    body = string(transaction) + i16(acks) + i32(timeout) + array(
        [string(topic) + array([i32(partition) + data(records)])])
    return request(0, 7, body, correlation)


def fetch(topic, offset, partition=0, max_bytes=1 << 20, max_wait=0):
    body = i32(-1) + i32(max_wait) + i32(0) + i32(max_bytes) + i8(0) + array(
        [string(topic) + array([i32(partition) + i64(offset) + i32(1 << 20)])])
    return request(1, 4, body)


def list_offsets(topic, time_, partition=0):
    """-1 asks for the end, -2 for the start, -3 for the record with the largest timestamp."""
    # Version 7: an array of one is 2, and nothing bears tags.
    return request(2, 7, b"\0" + i32(-1) + i8(0) + b"\2" + compact(topic) + b"\2" +
                   i32(partition) + i32(-1) + i64(time_) + b"\0\0\0")


def create_topic(name, partitions=1, replicas=1):
    body = array([string(name) + i32(partitions) + i16(replicas) + array([]) + array([])])
    return request(19, 3, body + i32(5000) + i8(0))


def new_producer(connection):
    """(id, epoch) of a producer without a transactional id."""
    for _ in range(100):
        answer = connection.ask(request(22, 0, string(None) + i32(60_000)))
        error, producer, epoch = struct.unpack_from(">hqh", answer, 4)
        if error not in (14, 15):  # still loading, or not there yet
            break
        time.sleep(0.1)
    if error:
        raise RuntimeError(f"InitProducerId was answered with error {error}")
    return producer, epoch


class Connection:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 5)
        self.socket.settimeout(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, content):
        try:
            self.socket.sendall(content)
        except OSError:
            pass  # closed while we spoke; receive() tells

    def receive(self):
        """The body of the next answer behind its correlation id, or None when closed."""
        try:
            head = self._exactly(4)
            return self._exactly(struct.unpack(">i", head)[0])[4:] if head else None
        except ConnectionError:
            return None

    def _exactly(self, count):
        content = b""
        while len(content) < count:
            piece = self.socket.recv(count - len(content))
            if not piece:
                return None
            content += piece
        return content

    def ask(self, content):
        self.send(content)
        return self.receive()

    def is_closed(self, within=10):
        """Whether the broker closes the connection, without a word."""
        self.socket.settimeout(within)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


def produced(answer):
    """(error, base offset) of the one partition in a Produce v7 answer."""
    topic, = struct.unpack_from(">h", answer, 4)
    return struct.unpack_from(">hq", answer, 4 + 2 + topic + 4 + 4)


def fetched(answer):
    """The error of the one partition in a Fetch v4 answer."""
    topic, = struct.unpack_from(">h", answer, 4 + 4)
    return struct.unpack_from(">h", answer, 4 + 4 + 2 + topic + 4 + 4)[0]


def listed(answer):
    """(error, timestamp, offset) of the one partition in a ListOffsets v7 answer."""
    topic = answer[1 + 4 + 1] - 1
    return struct.unpack_from(">hqq", answer, 1 + 4 + 1 + 1 + topic + 1 + 4)


def created(answer):
    """The error of the one topic in a CreateTopics v3 answer."""
    name, = struct.unpack_from(">h", answer, 4 + 4)
    return struct.unpack_from(">h", answer, 4 + 4 + 2 + name)[0]
