# SPDX-License-Identifier: Apache-2.0
"""Brokers that are absent, silent, strangers, or advertise addresses that do not answer."""

import json
import os
import signal
import socket
import struct
import threading
import time

from harness import free_port, read_until, wait_for

CLIENTS = [["kq-topics", "list"], ["kq-topics", "create", "x"], ["kq-topics", "delete", "x", "-y"],
           ["kq-topics", "describe", "x"], ["kq-produce", "x"], ["kq-consume", "x"]]


def no_broker(test):
    test.needs_no_broker = True
    return test


@no_broker
def test_no_broker_is_exit_5_at_once(t):
    for words in CLIENTS:
        start = time.monotonic()
        ran = t.fails(5, "127.0.0.1:1", *words, "-b", "127.0.0.1:1", stdin="a\n")
        t.contains(ran.err, "[KQ_UNREACHABLE]")
        t.equal(ran.err.count("127.0.0.1:1"), 1, "the address is told once: %s" % ran.err)
        t.true(time.monotonic() - start < 3, "%s waited" % words)


@no_broker
def test_the_default_address_comes_with_advice(t):
    probe = socket.socket()
    if probe.connect_ex(("127.0.0.1", 9092)) == 0:
        probe.close()
        return  # somebody runs a broker there
    ran = t.fails(5, "localhost:9092", "kq-topics", "list", env={"KQ_BOOTSTRAP": None})
    t.contains(ran.err, "  try: kq-broker")
    t.contains(ran.err, "  try: kq-topics list -b HOST:PORT")


@no_broker
def test_a_name_that_does_not_exist_is_exit_5(t):
    t.fails(5, "no-such-host.invalid", "kq-topics", "list", "-b", "no-such-host.invalid:9092")


@no_broker
def test_one_address_of_several_is_enough(t):
    if t.broker is None:
        return
    t.status(t.run("kq-topics", "list", "-b", "127.0.0.1:1," + t.broker.address), 0)


@no_broker
def test_a_server_that_says_nothing_is_exit_7_after_the_timeout(t):
    address = t.server()
    for words in CLIENTS:
        start = time.monotonic()
        ran = t.run(*words, "-b", address, "-t", "700ms", stdin="a\n")
        t.true(ran.status in (5, 7), str(ran))
        t.equal(ran.out, "")
        spent = time.monotonic() - start
        t.true(0.5 < spent < 4, "%s took %.1f s" % (words, spent))
    ran = t.fails(7, "[KQ_DEADLINE_PASSED]", "kq-topics", "list", "-b", address, "-t", "300ms")
    t.contains(ran.err, "  try: kq-topics list -b %s -t 1m\n" % address)


@no_broker
def test_a_web_server_is_told_from_a_broker(t):
    address = t.server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    ran = t.fails(5, "HTTP", "kq-topics", "list", "-b", address)
    t.contains(ran.err, address)


@no_broker
def test_the_status_port_is_told_from_the_port_for_clients(t):
    broker = t.another_broker("--http", "127.0.0.1:0")
    start = time.monotonic()
    t.fails(5, "HTTP", "kq-topics", "list", "-b", broker.http)
    t.true(time.monotonic() - start < 2, "it waited")


@no_broker
def test_a_tls_port_is_told_from_a_plain_one(t):
    # What a TLS server answers to bytes that are no TLS: an alert, protocol_version or so.
    address = t.server(b"\x15\x03\x03\x00\x02\x02\x46")
    t.fails(5, "TLS", "kq-topics", "list", "-b", address)


@no_broker
def test_nonsense_is_no_broker(t):
    address = t.server(b"\x00\x00\x00\x04\xff\xff\xff\xff")
    ran = t.run("kq-topics", "list", "-b", address, "-t", "5s")
    t.status(ran, 5)


def test_an_advertised_address_that_does_not_answer(t):
    broker = t.another_broker("--listen", "127.0.0.1:%d" % free_port(),
                              "--advertise", "127.0.0.1:1")
    t.status(t.run("kq-topics", "create", "x", "-b", broker.address), 0)
    quick = ["-X", "delivery.timeout.ms=2s", "-X", "request.timeout.ms=1s"]
    for words in [["kq-topics", "list"], ["kq-produce", "x"] + quick, ["kq-consume", "x"]]:
        ran = t.run(*words, "-b", broker.address, "-t", "20s", stdin="a\n")
        t.status(ran, 5)
        for part in [broker.address + " answers, but broker 1", "127.0.0.1:1",
                     "  try: %s" % words[0], "--resolve 127.0.0.1:1=" + broker.address,
                     "--advertise " + broker.address]:
            t.contains(ran.err, part, words)
    resolve = ["-b", broker.address, "--resolve", "127.0.0.1:1=" + broker.address]
    t.status(t.run("kq-produce", "x", *resolve, stdin="a\n"), 0)
    t.equal(t.status(t.run("kq-consume", "x", *resolve), 0).out, "a\n")


def test_a_broker_that_dies_under_a_producer(t):
    broker = t.another_broker()
    at = ["-b", broker.address]
    t.status(t.run("kq-topics", "create", "x", *at), 0)
    producer = t.start("kq-produce", "x", *at, "-X", "delivery.timeout.ms=3s",
                       "-X", "request.timeout.ms=1s", "--report")
    producer.stdin.write(b"before\n")
    producer.stdin.flush()
    read_until(producer.stdout.fileno(), b"x\t0\t0\t-\n")
    broker.process.kill()
    broker.process.wait()
    producer.stdin.write(b"after\n")
    producer.stdin.close()
    t.equal(wait_for(producer, 15), 3)
    t.contains(producer.stderr.read().decode(), "1 record of 2 was not acknowledged")


def follower_of_a_broker_that_died(t, limit):
    """(a consumer that has read what there was, and would wait that long for more; its broker)"""
    broker = t.another_broker()
    at = ["-b", broker.address]
    t.status(t.run("kq-topics", "create", "x", *at), 0)
    t.status(t.run("kq-produce", "x", *at, stdin="a\n"), 0)
    follower = t.start("kq-consume", "x", *at, "-F", "-t", limit)
    read_until(follower.stdout.fileno(), b"a\n")
    broker.process.kill()
    broker.process.wait()
    return follower, broker


def test_a_broker_that_dies_under_a_consumer(t):
    consumer, _ = follower_of_a_broker_that_died(t, "4s")
    t.true(wait_for(consumer, 10) in (5, 7), "it ends with the deadline")


def test_waiting_is_told_on_a_terminal(t):
    address = t.server()
    process, terminal = t.start_on_terminal("kq-topics", "list", "-b", address, "-t", "2s")
    read_until(terminal, b"waiting for " + address.encode())
    process, terminal = t.start_on_terminal("kq-topics", "list", "-b", address, "-t", "1s",
                                            "--progress", "never")
    t.true(b"waiting" not in read_until(terminal, b"KQ_DEADLINE_PASSED"), "--progress never")


def test_deadlines_in_json(t):
    ran = t.status(t.run("kq-topics", "list", "-f", "json", "-b", t.server(), "-t", "300ms"), 7)
    t.equal(json.loads(ran.err)["error"]["code"], "KQ_DEADLINE_PASSED")


def test_a_broker_that_falls_silent_under_a_producer(t):
    broker = t.another_broker()
    at = ["-b", broker.address]
    t.status(t.run("kq-topics", "create", "x", *at), 0)
    for before, status in [(b"", 7), (b"before\n", 3)]:
        producer = t.start("kq-produce", "x", *at, "-t", "3s", "--report", "-v")
        if before:
            producer.stdin.write(before)
            producer.stdin.flush()
            read_until(producer.stdout.fileno(), b"\t-\n")
        else:
            read_until(producer.stderr.fileno(), b"# Metadata ")  # it knows the topic now
        os.kill(broker.process.pid, signal.SIGSTOP)
        try:
            producer.stdin.write(b"after\n")
            producer.stdin.close()
            t.equal(wait_for(producer, 10), status)
        finally:
            os.kill(broker.process.pid, signal.SIGCONT)
        said = producer.stderr.read().decode()
        t.contains(said, "kq-produce: 1 record of %d was not acknowledged" % (1 + bool(before)))
        t.contains(said, "the time was up before the broker answered [KQ_DEADLINE_PASSED]\n")
        t.equal(said.count("kq-produce: "), 1, said)
        errors = [line for line in said.splitlines() if not line.startswith("# ")]
        t.true(not any("CANCELLED" in line for line in errors), said)


def test_a_script_may_start_its_broker_in_the_line_before(t):
    port = free_port()
    ran = t.sh("kq-broker --ephemeral --listen 127.0.0.1:%d --http none 2> broker.log &\n"
               "export KQ_BOOTSTRAP=127.0.0.1:%d\n"
               "kq-topics create orders -p 3 && seq 10 | kq-produce orders && kq-consume orders | wc -l\n"
               "kill $!; wait" % (port, port))
    t.equal(ran.out, "created orders (3 partitions, 1 replica)\n10\n", str(ran))


def test_a_broker_that_is_silent_at_first_is_waited_for(t):
    broker = t.another_broker()
    at = ["-b", broker.address]
    t.status(t.run("kq-topics", "create", "x", *at), 0)
    os.kill(broker.process.pid, signal.SIGSTOP)
    try:
        producer = t.start("kq-produce", "x", *at)
        producer.stdin.write(b"late\n")
        producer.stdin.close()
        # A topic that nobody knows is given up after four seconds, a broker that says nothing is not.
        read_until(producer.stderr.fileno(), b"warning: ", 20)
    finally:
        os.kill(broker.process.pid, signal.SIGCONT)
    t.equal(wait_for(producer, 20), 0)
    t.equal(t.run("kq-consume", "x", *at).out, "late\n")


def test_the_deadline_holds_while_the_buffer_is_full(t):
    broker = t.another_broker()
    at = ["-b", broker.address]
    t.status(t.run("kq-topics", "create", "x", *at), 0)
    producer = t.start("kq-produce", "x", *at, "-t", "3s", "-v", "-X", "buffer.memory=65536", "-X", "batch.size=16384")
    read_until(producer.stderr.fileno(), b"# Metadata ")
    os.kill(broker.process.pid, signal.SIGSTOP)

    def feed():
        try:
            producer.stdin.write(b"a line that finds no room\n" * 100_000)
            producer.stdin.close()
        except BrokenPipeError:
            pass

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        t.equal(wait_for(producer, 15), 7)
    finally:
        os.kill(broker.process.pid, signal.SIGCONT)
    feeder.join(10)
    said = producer.stderr.read().decode()
    t.contains(said, "[KQ_DEADLINE_PASSED]")
    t.equal(said.count("kq-produce: "), 1, said)


class Denying:
    """A broker that lets nobody near its topics, in the oldest versions of Kafka's protocol."""

    def __init__(self, t):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()
        t.open_things.append(self.close)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()

    def accept(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()
        except OSError:
            pass

    def serve(self, connection):
        with connection.makefile("rb") as stream:
            while True:
                size = stream.read(4)
                if len(size) < 4:
                    return
                frame = stream.read(struct.unpack(">i", size)[0])
                api, version, number, length = struct.unpack(">hhih", frame[:10])
                body = self.answer(api, version, frame[10 + max(length, 0):])
                connection.sendall(struct.pack(">ii", 4 + len(body), number) + body)

    def answer(self, api, version, request):
        def text(word):
            return struct.pack(">h", len(word)) + word
        if api == 18:  # ApiVersions: v0 alone; Metadata v1, CreateTopics v2
            ranges = [(3, 1, 1), (18, 0, 0), (19, 2, 2)]
            return struct.pack(">hi", 0 if version == 0 else 35, len(ranges)) + \
                b"".join(struct.pack(">hhh", *one) for one in ranges)
        count = max(struct.unpack(">i", request[:4])[0], 0)
        name = request[6:6 + struct.unpack(">h", request[4:6])[0]] if count else b""
        if api == 19:
            return struct.pack(">ii", 0, 1) + text(name) + struct.pack(">hh", 29, -1)
        brokers = struct.pack(">ii", 1, 1) + text(b"127.0.0.1") + struct.pack(">ih", self.port, -1)
        topics = struct.pack(">h", 29) + text(name) + struct.pack(">bi", 0, 0) if count else b""
        return brokers + struct.pack(">ii", 1, count) + topics


class FullDisk(Denying):
    """A broker that has topic "x", and no room for a record of it."""

    def answer(self, api, version, request):
        def text(word):
            return struct.pack(">h", len(word)) + word
        if api == 18:  # Produce v8, Metadata v1, InitProducerId v0
            ranges = [(0, 8, 8), (3, 1, 1), (18, 0, 0), (22, 0, 0)]
            return struct.pack(">hi", 0 if version == 0 else 35, len(ranges)) + \
                b"".join(struct.pack(">hhh", *one) for one in ranges)
        if api == 22:
            return struct.pack(">ihqh", 0, 0, 1000, 0)
        if api == 0:
            return struct.pack(">i", 1) + text(b"x") + struct.pack(">iihqqqi", 1, 0, 56, -1, -1, -1, 0) + \
                text(b"the disk of /data/x-0 is full") + struct.pack(">i", 0)
        brokers = struct.pack(">ii", 1, 1) + text(b"127.0.0.1") + struct.pack(">ih", self.port, -1)
        partition = struct.pack(">ihiiiiii", 1, 0, 0, 1, 1, 1, 1, 1)
        return brokers + struct.pack(">iih", 1, 1, 0) + text(b"x") + struct.pack(">b", 0) + partition


REFUSAL = "broker 1 refused it: KAFKA_STORAGE_ERROR: the disk of /data/x-0 is full"


@no_broker
def test_a_full_disk_of_the_broker_is_what_the_producer_tells(t):
    address = "127.0.0.1:%d" % FullDisk(t).port
    produce = ["kq-produce", "x", "-b", address]
    ran = t.run(*produce, "-X", "delivery.timeout.ms=2s", "-X", "request.timeout.ms=1s",
                stdin="a\n")
    t.status(ran, 7)
    t.equal(ran.err, "kq-produce: 1 record of 1 was not acknowledged (1 may have been written): "
            "no acknowledgement within 2s (delivery.timeout.ms): " + REFUSAL +
            " [KQ_DEADLINE_PASSED]\n  try: kq explain KAFKA_STORAGE_ERROR\n"
            "  see: kq explain KQ_DEADLINE_PASSED\n")
    ran = t.status(t.run(*produce, "-t", "1s", stdin="a\n"), 7)
    t.contains(ran.err, "the time was up before the broker answered: " + REFUSAL)
    ran = t.status(t.run(*produce, "-t", "1s", "-f", "jsonl", stdin='{"value":"a"}\n'), 7)
    t.contains(json.loads(ran.err)["error"]["message"], REFUSAL)


@no_broker
def test_a_producer_that_waits_says_on_what(t):
    address = "127.0.0.1:%d" % FullDisk(t).port
    for quiet in [[], ["-q"]]:
        producer = t.start("kq-produce", "x", "-b", address, *quiet)
        producer.stdin.write(b"a\n")
        producer.stdin.close()
        if not quiet:
            warning = b"kq-produce: warning: still waiting: " + REFUSAL.encode() + b"\n"
            t.equal(read_until(producer.stderr.fileno(), b"\n", 8), warning)
        else:
            time.sleep(1)
        producer.send_signal(signal.SIGINT)  # what was read has five seconds
        t.equal(wait_for(producer, 7), 130)
        said = producer.stderr.read().decode()
        t.contains(said, "a signal came, and the broker had not answered: " + REFUSAL)
        t.equal(said.count("kq-produce: "), 1, said)


@no_broker
def test_a_producer_that_waits_shows_on_a_terminal_on_what(t):
    address = "127.0.0.1:%d" % FullDisk(t).port
    t.file("in", "a\n")
    process, terminal = t.start_on_terminal("kq-produce", "x", "in", "-b", address,
                                            env={"COLUMNS": "200"})
    read_until(terminal, b"/data/x-0 is full (1 record", 3)
    process.kill()


def test_progress_is_no_reason_to_give_up_what_is_on_its_way(t):
    broker = t.another_broker()
    at = ["-b", broker.address]
    t.status(t.run("kq-topics", "create", "x", *at), 0)
    producer = t.start("kq-produce", "x", *at, "-v")
    read_until(producer.stderr.fileno(), b"# Metadata ")
    os.kill(broker.process.pid, signal.SIGSTOP)
    try:
        producer.stdin.write(b"a\n")
        producer.stdin.close()
        time.sleep(0.5)
        producer.send_signal(signal.SIGUSR1)
        read_until(producer.stderr.fileno(), b"1 not yet acknowledged")
    finally:
        os.kill(broker.process.pid, signal.SIGCONT)
    t.equal(wait_for(producer), 0)
    t.equal(t.run("kq-consume", "x", *at).out, "a\n")


def test_a_follower_whose_broker_is_gone_says_so(t):
    follower, broker = follower_of_a_broker_that_died(t, "8s")
    said = read_until(follower.stderr.fileno(), b"\n", 8).decode()
    t.contains(said, "kq-consume: warning: still waiting: ")
    t.contains(said, broker.address)
    t.true(wait_for(follower, 8) in (5, 7), "it ends with the deadline")
    t.contains(follower.stderr.read().decode(), broker.address)


@no_broker
def test_a_silent_server_is_told_of_where_nothing_is_drawn(t):
    address = t.server()
    ran = t.run("kq-topics", "list", "-b", address, "-t", "6s")
    t.true(ran.status in (5, 7), str(ran))
    t.equal(ran.err.splitlines()[0], "kq-topics: warning: still waiting for " + address)
    ran = t.run("kq-topics", "list", "-b", address, "-t", "6s", "-q")
    t.true("warning" not in ran.err, ran.err)


@no_broker
def test_a_broker_that_denies_is_exit_6(t):
    address = "127.0.0.1:%d" % Denying(t).port
    for words in [["kq-topics", "create", "secret"], ["kq-produce", "secret"],
                  ["kq-consume", "secret"]]:
        ran = t.fails(6, "[TOPIC_AUTHORIZATION_FAILED]", *words, "-b", address, stdin="a\n")
        t.contains(ran.err, "'secret'")
