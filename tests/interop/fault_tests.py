# SPDX-License-Identifier: Apache-2.0
"""Processes that die, directories that are taken, disks that are full."""

import os
import random
import re
import subprocess
import threading
import time

from harness import Failure, Skip, check, equal, free_port, run, test

KILLS = 20


class Load:
    """A producer with acks=all that goes on through restarts, and remembers what was acknowledged."""

    def __init__(self, address, topic, partitions):
        from confluent_kafka import Producer
        self.topic = topic
        self.partitions = partitions
        self.acknowledged = {}  # (partition, offset) -> value
        self.sent = 0
        self.errors = []
        self.producer = Producer({
            "bootstrap.servers": address, "acks": "all", "enable.idempotence": True,
            "linger.ms": 2, "reconnect.backoff.max.ms": 200, "message.timeout.ms": 120_000,
            "log_level": 0})
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _told(self, error, message):
        if error:
            self.errors.append(str(error))
        else:
            self.acknowledged[message.partition(), message.offset()] = message.value()

    def _run(self):
        while not self.stopped.is_set():
            if len(self.producer) < 2000:
                for _ in range(50):
                    self.producer.produce(self.topic, b"%09d" % self.sent + b"." * 91,
                                          partition=self.sent % self.partitions,
                                          on_delivery=self._told)
                    self.sent += 1
            self.producer.poll(0.005)

    def stop(self):
        self.stopped.set()
        self.thread.join()
        equal(self.producer.flush(60), 0, "records without an answer")


def read_back(address, topic, partition):
    """(offset, value) of every record."""
    done = run(["kcat", "-b", address, "-C", "-q", "-e", "-t", topic, "-p", str(partition), "-o",
                "beginning", "-f", "%o %s\n"])
    rows = (line.split(b" ", 1) for line in done.stdout.splitlines())
    return [(int(offset), value) for offset, value in rows]


def nothing_lost(load, address):
    """I1, I12, I13: every acknowledged record at its offset, none twice, all in order."""
    for partition in range(load.partitions):
        records = read_back(address, load.topic, partition)
        equal([o for o, _ in records], list(range(len(records))), "offsets")
        held = dict(records)
        wanted = {o: v for (p, o), v in load.acknowledged.items() if p == partition}
        lost = [o for o, v in wanted.items() if held.get(o) != v]
        equal(lost, [], f"acknowledged offsets of partition {partition} that are lost or changed")
        values = [v for _, v in records]
        equal(len(set(values)), len(values), "records, each counted once")
        equal(values, sorted(values), "the order of records")


@test(f"kill -9 amid a load with acks=all loses nothing, {KILLS} times", "python", "kcat", "kq")
def kill_nine(context):
    broker = context.new_broker(port=free_port()).start()
    topic = "under-fire"
    context.kq("kq-topics", "create", topic, "-p", "3", broker=broker)
    load = Load(broker.address, topic, 3)
    dice = random.Random(20_261_121)
    try:
        for round_number in range(KILLS):
            before = len(load.acknowledged)
            deadline = time.monotonic() + 20
            while len(load.acknowledged) < before + 200:
                check(time.monotonic() < deadline,
                      f"no progress after kill {round_number}: {load.errors[:3]} {broker.words()}")
                time.sleep(0.01)
            time.sleep(dice.uniform(0, 0.3))
            broker.kill()
            broker.start()
    finally:
        load.stop()
    equal(load.errors, [], "records that failed")
    check(len(load.acknowledged) == load.sent, "some records were never answered")
    nothing_lost(load, broker.address)
    # And once more from the disk alone.
    equal(broker.terminate(), 0, "exit status")
    broker.start()
    nothing_lost(load, broker.address)
    equal(broker.terminate(), 0, "exit status")


@test("SIGTERM answers what is in flight, leaves a clean marker, exits 0", "python", "kcat", "kq")
def sigterm(context):
    broker = context.new_broker(port=free_port()).start()
    context.kq("kq-topics", "create", "t", "-p", "2", broker=broker)
    load = Load(broker.address, "t", 2)
    try:
        time.sleep(1)
        begin = time.monotonic()
        equal(broker.terminate(10), 0, "exit status")
        took = time.monotonic() - begin
        check((broker.data / ".kafka_cleanshutdown").exists(), "no clean marker")
        broker.start()
        check(not (broker.data / ".kafka_cleanshutdown").exists(), "the marker outlives the start")
    finally:
        load.stop()
    equal(load.errors, [], "records that failed")
    nothing_lost(load, broker.address)
    check(took < 10, f"it took {took:.1f} s")


@test("SIGTERM closes 2,000 new partitions within 10 s, half of them with records", "kcat", "kq")
def sigterm_many(context):
    broker = context.new_broker().start()
    context.kq("kq-topics", "create", "empty", "-p", "1000", broker=broker)
    context.kq("kq-topics", "create", "full", "-p", "1000", broker=broker)
    lines = b"".join(b"%d:x\n" % i for i in range(20_000))
    run(["kcat", "-b", broker.address, "-P", "-t", "full", "-K:", "-X", "acks=1"], stdin=lines)
    begin = time.monotonic()
    equal(broker.terminate(60), 0, "exit status")
    took = time.monotonic() - begin
    check((broker.data / ".kafka_cleanshutdown").exists(), "no clean marker")
    broker.start()
    read = run(["kcat", "-b", broker.address, "-C", "-t", "full", "-e", "-q"])
    equal(len(read.stdout.splitlines()), 20_000, "records")
    equal(broker.terminate(60), 0, "exit status")
    check(took < 10, f"it took {took:.1f} s")


@test("SIGTERM ends a long poll at once", "kcat", "kq")
def sigterm_with_reader(context):
    broker = context.new_broker().start()
    context.kq("kq-topics", "create", "t", broker=broker)
    reader = subprocess.Popen(["kcat", "-b", broker.address, "-C", "-q", "-t", "t", "-p", "0",
                               "-X", "fetch.wait.max.ms=60000"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.7)
        begin = time.monotonic()
        equal(broker.terminate(10), 0, "exit status")
        check(time.monotonic() - begin < 3, "the reader held the broker up")
    finally:
        reader.kill()
        reader.wait()


def refuses_to_start(command, status, *parts):
    """The broker must say one clear line and leave with that status."""
    done = run(command, timeout=20, ok=None)
    said = done.stderr.decode(errors="replace")
    equal(done.returncode, status, f"exit status of a start that said {said!r}")
    for part in parts:
        check(part in said, f"{part!r} is not in {said!r}")
    first = [l for l in said.splitlines() if l.startswith("kq-broker: ")]
    check(len(first) == 1, f"not one line with what is wrong: {said!r}")


@test("the second broker on a directory says who holds it", "kq")
def two_brokers(context):
    first = context.new_broker().start()
    second = context.new_broker(data=first.data)
    second.ready = context.scratch / "second.ready"
    refuses_to_start(second.command(), 4, str(first.data), str(first.process.pid))
    check(first.is_alive(), "the first broker died of it")
    context.kq("kq-topics", "create", "still-works", broker=first)
    equal(first.terminate(), 0, "exit status of the first")


@test("a port that is taken is named", "kq")
def port_taken(context):
    first = context.new_broker().start()
    port = first.address.rsplit(":", 1)[1]
    second = context.new_broker(port=int(port))
    refuses_to_start(second.command(), 4, port)
    first.terminate()


@test("a misspelt setting brings the nearest one", "kq")
def misspelt(context):
    broker = context.new_broker(settings={"log.retention.hour": "5"})
    refuses_to_start(broker.command(), 2, "log.retention.hour", "log.retention.hours",
                     ".properties:1")
    bad = context.new_broker(settings={"num.partitions": "many"})
    refuses_to_start(bad.command(), 2, "num.partitions", "many")


@test("a directory that cannot be written to is named", "kq")
def not_writable(context):
    file = context.scratch / "a-file"
    file.write_text("")
    broker = context.new_broker(data=context.folder("x"))
    broker.data = file / "below"
    refuses_to_start(broker.command(), 4, str(file))


@test("a directory without the right to write is named, to root too", "kq")
def no_right_to_write(context):
    place = context.folder("read-only")
    place.chmod(0o555)
    # Root may write everywhere by a capability, which can be given up.
    given_up = [] if os.geteuid() != 0 else [
        "setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    broker = context.new_broker(data=context.folder("z"))
    for data in (place, place / "new"):
        broker.data = data
        refuses_to_start(given_up + broker.command(), 4, str(place), "ermission denied",
                         "KQ_PERMISSION_DENIED")


@test("a file system without writing is named", "kq")
def read_only_file_system(context):
    place = context.folder("frozen")
    if os.geteuid() != 0 or run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", place],
                                ok=None).returncode != 0:
        raise Skip("needs root and mount")
    try:
        broker = context.new_broker(data=context.folder("z"))
        broker.data = place / "data"
        refuses_to_start(broker.command(), 4, str(place), "Read-only file system")
    finally:
        run(["umount", "-l", place])


@test("a full disk at start is named", "kq")
def disk_full(context):
    place = context.folder("tiny")
    if os.geteuid() != 0 or run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place],
                                ok=None).returncode != 0:
        raise Skip("needs root and mount")
    try:
        (place / "filler").write_bytes(b"x" * 60_000)
        broker = context.new_broker(data=context.folder("y"))
        broker.data = place / "data"
        refuses_to_start(broker.command(), 4, str(place), "No space left", "KQ_DISK_FULL")
    finally:
        run(["umount", "-l", place])


@test("a full disk refuses records and goes on serving", "kcat", "kq")
def disk_fills_up(context):
    place = context.folder("small")
    if os.geteuid() != 0 or run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", place],
                                ok=None).returncode != 0:
        raise Skip("needs root and mount")
    broker = None
    try:
        broker = context.new_broker(data=place / "data").start()
        context.kq("kq-topics", "create", "t", broker=broker)
        done = run(["kcat", "-b", broker.address, "-P", "-t", "t", "-p", "0", "-X",
                    "message.timeout.ms=3000"], stdin=(b"y" * 999 + b"\n") * 40_000, ok=None)
        check(done.returncode != 0, "40 MB went onto a disk of 24 MB")
        check(broker.is_alive(), f"the broker died of a full disk: {broker.words()}")
        held = read_back(broker.address, "t", 0)
        check(len(held) > 1000, "nothing can be read any more")
        context.kq("kq-topics", "delete", "t", "-y", broker=broker)
        context.kq("kq-topics", "list", broker=broker)
    finally:
        if broker is not None:
            broker.kill()
        run(["umount", "-l", place])


@test("/livez, /readyz and /metrics answer", "kq")
def status_port(context):
    import urllib.request
    broker = context.broker
    if broker.http is None:
        raise Failure("the ready file names no http address")
    for path, part in (("/livez", ""), ("/readyz", ""), ("/metrics", "# TYPE ")):
        with urllib.request.urlopen(f"http://{broker.http}{path}", timeout=5) as answer:
            equal(answer.status, 200, path)
            check(part in answer.read().decode(), f"{path} does not hold {part!r}")
    try:
        urllib.request.urlopen(f"http://{broker.http}/nothing", timeout=5)
        raise Failure("an unknown page was found")
    except urllib.error.HTTPError as error:
        equal(error.code, 404, "an unknown page")


@test("an ephemeral broker works and leaves nothing behind", "kcat", "kq")
def ephemeral(context):
    ready = context.scratch / "ephemeral.ready"
    home = context.folder("home")
    process = subprocess.Popen(
        [context.programs / "kq-broker", "--ephemeral", "--listen", "127.0.0.1:0",
         "--ready-file", ready], env={**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home)},
        stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not (ready.exists() and ready.stat().st_size):
            check(time.monotonic() < deadline and process.poll() is None, "it did not get ready")
            time.sleep(0.01)
        address = re.search(r"kafka=(\S+)", ready.read_text())[1]
        run(["kcat", "-b", address, "-P", "-t", "t", "-p", "0"], stdin=b"one\ntwo\n")
        equal(read_back(address, "t", 0), [(0, b"one"), (1, b"two")], "records")
        process.terminate()
        equal(process.wait(10), 0, "exit status")
    finally:
        process.kill()
    equal([p.name for p in home.iterdir()], [], "files left behind")
