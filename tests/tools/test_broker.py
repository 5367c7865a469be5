# SPDX-License-Identifier: Apache-2.0
"""kq-broker as a command: starts, refusals with one clear line, signals, run and check."""

import json
import os
import signal
import time

from harness import Failed, free_port, wait_for


def started(t, *options):
    """A broker on disk and on a free port; (process, address)."""
    ready = os.path.join(t.directory, "ready-%d" % free_port())
    process = t.start("kq-broker", "--listen", "127.0.0.1:0", "--ready-file", ready, *options)
    deadline = time.monotonic() + 10
    while not os.path.exists(ready):
        if process.poll() is not None or time.monotonic() > deadline:
            raise Failed("no start: " + process.stderr.read().decode())
        time.sleep(0.01)
    return process, open(ready).read().split()[0].split("=")[1]


def first_line(ran):
    return [line for line in ran.err.splitlines() if line.startswith("kq-broker: ")][0]


def test_data_is_kept_and_signals_stop_it_cleanly(t):
    for number in [signal.SIGTERM, signal.SIGINT]:
        data = os.path.join(t.directory, "data-%d" % number)
        process, address = started(t, "--data", data)
        t.status(t.run("kq-topics", "create", "kept", "-b", address), 0)
        t.status(t.run("kq-produce", "kept", "-b", address, stdin="a\nb\n"), 0)
        process.send_signal(number)
        t.equal(wait_for(process), 0)
        t.true(os.path.exists(os.path.join(data, ".kafka_cleanshutdown")), "no clean marker")
        process, address = started(t, "--data", data)
        t.equal(t.run("kq-consume", "kept", "-b", address).out, "a\nb\n")
        process.send_signal(signal.SIGTERM)
        t.equal(wait_for(process), 0)


def test_kill_9_loses_nothing_that_was_acknowledged(t):
    data = os.path.join(t.directory, "data")
    process, address = started(t, "--data", data)
    t.status(t.run("kq-topics", "create", "x", "-b", address), 0)
    t.status(t.run("kq-produce", "x", "-b", address, stdin="acknowledged\n"), 0)
    process.kill()
    process.wait()
    process, address = started(t, "--data", data)
    t.equal(t.run("kq-consume", "x", "-b", address).out, "acknowledged\n")


def test_a_second_broker_on_the_same_directory_says_who_holds_it(t):
    data = os.path.join(t.directory, "data")
    process, _ = started(t, "--data", data)
    ran = t.status(t.run("kq-broker", "--data", data, "--listen", "127.0.0.1:0"), 4)
    t.contains(ran.err, "[KQ_LOCKED]")
    t.contains(ran.err, str(process.pid))


def test_a_port_that_is_taken(t):
    ran = t.run("kq-broker", "--ephemeral", "--listen", t.server())
    t.status(ran, 4)
    t.contains(first_line(ran), "[KQ_PORT_IN_USE]")


def test_mistakes_in_settings_name_the_nearest(t):
    ran = t.status(t.run("kq-broker", "-X", "log.retention.huors=1"), 2)
    t.contains(ran.err, "log.retention.hours")
    path = t.file("broker.toml", "log.retention.huors = 1\n")
    ran = t.status(t.run("kq-broker", "--config", path), 2)
    t.contains(ran.err, path + ":1")
    t.contains(ran.err, "log.retention.hours")
    t.status(t.run("kq-broker", "check", "--config", path), 2)
    t.status(t.run("kq-broker", "--listen", "nonsense:port"), 2)
    t.status(t.run("kq-broker", "--data", "x", "--ephemeral"), 2)
    t.status(t.run("kq-broker", "--config", "missing.toml"), 2)


def test_check_prints_what_would_count(t):
    path = t.file("broker.toml", "num.partitions = 3\n")
    ran = t.status(t.run("kq-broker", "check", "--config", path, "-f", "json"), 0)
    rows = {item["name"]: item for item in json.loads(ran.out)["items"]}
    t.equal(rows["num.partitions"], {"name": "num.partitions", "value": "3", "origin": path})
    t.true(len(json.loads(t.run("kq-broker", "check", "--all", "-f", "json").out)["items"]) > 100,
           "--all")


def test_run_ends_as_its_command_did(t):
    t.status(t.run("kq-broker", "run", "--", "true"), 0)
    t.status(t.run("kq-broker", "run", "--", "sh", "-c", "exit 7"), 7)
    ran = t.run("kq-broker", "run", "--", "sh", "-c", "echo out; echo err >&2; kill -9 $$")
    t.status(ran, 137)
    t.equal(ran.out, "out\n")
    t.contains(ran.err, "err\n")
    ran = t.run("kq-broker", "run", "--", "kq-topics", "list", "-f", "tsv")
    t.equal((ran.status, ran.out), (0, ""))
    t.true(t.run("kq-broker", "run", "--", "no-such-command").status not in (0, None), "it fails")
    t.status(t.run("kq-broker", "run"), 2)
