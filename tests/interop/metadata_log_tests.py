# SPDX-License-Identifier: Apache-2.0
"""A metadata log that a crash tore, and one that something else damaged."""

import random
import shutil
import time

from fault_tests import read_back, refuses_to_start
from harness import KqBroker, check, equal, run, test

TOPICS = 6


def tree(folder):
    """Every file of a directory with its bytes, and every directory."""
    return {str(p.relative_to(folder)): None if p.is_dir() else p.read_bytes()
            for p in folder.rglob("*")}


def filled(context, **settings):
    broker = context.new_broker(settings=settings).start()
    for i in range(TOPICS):
        context.kq("kq-topics", "create", f"t{i}", "-p", "2", broker=broker)
        context.kq("kq-produce", f"t{i}", "-p", "1", stdin=b"one %d\ntwo %d\n" % (i, i), broker=broker)
    return broker


def all_there(context, broker):
    for i in range(TOPICS):
        equal(read_back(broker.address, f"t{i}", 1), [(0, b"one %d" % i), (1, b"two %d" % i)],
              f"records of t{i}")
    equal([p.name for p in broker.data.iterdir() if p.name.endswith("-stray")], [], "strays")


def damages(folder, log):
    """(what, how it is done, what the refusal must say)"""
    size = log.stat().st_size

    def cut(length):
        return lambda: log.open("r+b").truncate(length)

    def turn(position):
        def turn_byte():
            with log.open("r+b") as file:
                file.seek(position)
                byte = file.read(1)[0]
                file.seek(position)
                file.write(bytes([byte ^ 0x10]))
        return turn_byte

    def all_gone():
        for path in folder.glob("*.log"):
            path.unlink()
        (folder / "quorum-state").unlink()

    return [("cut to nothing", cut(0), (str(log), "ends at byte 0")),
            ("without its last third", cut(size * 2 // 3), (str(log), "at byte ")),
            ("without its last byte", cut(size - 1), (str(log), "is damaged at byte ")),
            ("with a byte changed in the middle", turn(size // 2), (str(log), "is damaged at byte ")),
            ("with a byte changed at the front", turn(70), (str(log), "is damaged at byte 0 ")),
            ("gone", log.unlink, (str(folder), "is gone")),
            ("gone with quorum-state", all_gone, (str(folder), "is gone, and what was committed"))]


def damaged_in_every_way(context, broker):
    folder = broker.data / "__cluster_metadata-0"
    log = folder / f"{0:020}.log"
    copy = context.folder("copy") / "data"
    shutil.copytree(broker.data, copy)
    for what, damage, parts in damages(folder, log):
        damage()
        before = tree(broker.data)
        for _ in range(2):
            refuses_to_start(broker.command(), 8, *parts, "back from a copy", "[KQ_CORRUPT_FILE]")
            equal(tree(broker.data), before, f"the files of a directory whose metadata log is {what}")
        shutil.rmtree(folder)
        shutil.copytree(copy / folder.name, folder)
    broker.start()
    all_there(context, broker)


@test("after kill -9 a damaged metadata log refuses the start, and is served once it is put back",
      "kcat", "kq")
def damaged_after_kill(context):
    broker = filled(context)
    broker.kill()
    damaged_in_every_way(context, broker)
    equal(broker.terminate(), 0, "exit status")


@test("after a clean stop a damaged metadata log refuses the start", "kcat", "kq")
def damaged_after_stop(context):
    broker = filled(context)
    equal(broker.terminate(), 0, "exit status")
    damaged_in_every_way(context, broker)
    equal(broker.terminate(), 0, "exit status")


@test("a snapshot stands in for the log below it, and not for what follows", "kcat", "kq")
def damaged_below_snapshot(context):
    broker = filled(context, **{"metadata.log.max.record.bytes.between.snapshots": "1000"})
    folder = broker.data / "__cluster_metadata-0"
    deadline = time.monotonic() + 10
    while len(list(folder.glob("*.checkpoint"))) < 2:
        check(time.monotonic() < deadline, "no snapshot was written")
        time.sleep(0.05)
    broker.kill()
    damaged_in_every_way(context, broker)
    equal(broker.terminate(), 0, "exit status")


def everything_but_locks(folder):
    return {name: content for name, content in tree(folder).items() if name.split("/")[-1] != ".lock"}


@test("a data directory that lost its metadata log or meta.properties is refused, and served with them",
      "kcat", "kq")
def lost_parts(context):
    for killed in (False, True):
        for topics in (True, False):
            broker = filled(context) if topics else context.new_broker().start()
            if killed:
                broker.kill()
            else:
                equal(broker.terminate(), 0, "exit status")
            away = context.folder("away")
            for name, parts in (("__cluster_metadata-0", ("is gone", str(broker.data))),
                                ("meta.properties", ("is missing", str(broker.data)))):
                (broker.data / name).rename(away / name)
                before = everything_but_locks(broker.data)
                for _ in range(2):
                    refuses_to_start(broker.command(), 8, str(broker.data / name), *parts,
                                     "back from a copy", "[KQ_CORRUPT_FILE]")
                    equal(everything_but_locks(broker.data), before, f"the files without {name}")
                (away / name).rename(broker.data / name)
            broker.start()
            if topics:
                all_there(context, broker)
            equal(broker.terminate(), 0, "exit status")


@test("kill -9 at any time of a first start leaves a directory that starts", "kq")
def kill_first_start(context):
    dice = random.Random(20_261_121)
    unready = 0
    starts = []  # how long one takes, here and now
    for _ in range(3):
        broker = KqBroker(context.programs, context.folder("measured") / "data")
        begun = time.monotonic()
        broker.start()
        starts.append(time.monotonic() - begun)
        broker.kill()
    for round_number in range(25):
        broker = KqBroker(context.programs, context.folder("young") / "data")
        context.started.append(broker)
        for _ in range(dice.choice((1, 1, 3))):  # a start that was killed may be killed again
            broker.ready.unlink(missing_ok=True)
            broker.spawn(broker.command())
            time.sleep(dice.uniform(0, min(starts)))
            broker.kill()
            unready += not broker.ready.exists()
        broker.start()
        context.kq("kq-topics", "create", "t", broker=broker)
        broker.kill()
        broker.start()
        shown = run([context.programs / "kq-topics", "-b", broker.address, "list", "-f", "tsv"]).stdout
        check(shown.startswith(b"t\t"), f"the topic is gone after round {round_number}: {shown!r}")
        equal(broker.terminate(), 0, "exit status")
    check(unready > 5, f"only {unready} kills came before the broker was ready")
