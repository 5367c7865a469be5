# SPDX-License-Identifier: Apache-2.0
"""kq-broker as a command: starts, refusals with one clear line, signals, run and check."""

import json
import os
import pty
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

from harness import Failed, free_port, read_until, wait_for, wait_for_file


def started(t, *options, **how):
    """A broker on disk and on a free port; (process, address)."""
    ready = os.path.join(t.directory, "ready-%d" % free_port())
    process = t.start("kq-broker", "--listen", "127.0.0.1:0", "--ready-file", ready, *options,
                      **how)
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
    ran = t.run("kq-broker", "--ephemeral", "--listen", "127.0.0.1:0", "--http", t.server())
    t.contains(t.status(ran, 4).err, "the status port (--http): cannot listen on ")
    t.contains(ran.err, "  try: kq-broker --ephemeral --listen 127.0.0.1:0 --http 127.0.0.1:0\n")


def test_an_address_of_another_machine(t):
    for address in ["192.0.2.1:9092", "no-such-host.invalid:9092"]:  # RFC 5737, RFC 2606: nobody's
        ran = t.status(t.run("kq-broker", "--ephemeral", "--listen", address), 4)
        t.contains(first_line(ran), "cannot listen on " + address)
        t.contains(ran.err, "  try: kq-broker --ephemeral --listen 0.0.0.0:9092 --advertise HOST:9092\n")
        ran = t.status(t.run("kq-broker", "run", "--listen", address, "--", "true"), 4)
        t.contains(ran.err, "  try: kq-broker run --listen 0.0.0.0:9092 --advertise HOST:9092 -- true\n")


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
    for name in ["log.dirs", "log.dir", "metadata.log.dir"]:
        setting = name + "=" + os.path.join(t.directory, "elsewhere")
        t.fails(2, "-X %s and --ephemeral exclude one another" % name, "kq-broker", "--ephemeral",
                "-X", setting)
        t.fails(2, "say --data", "kq-broker", "run", "-X", setting, "--", "true")
    t.true(not os.path.exists(os.path.join(t.directory, "elsewhere")), "a directory was made")
    t.status(t.run("kq-broker", "--config", "missing.toml"), 2)


def test_check_prints_what_would_count(t):
    path = t.file("broker.toml", "num.partitions = 3\n")
    ran = t.status(t.run("kq-broker", "check", "--config", path, "-f", "json"), 0)
    rows = {item["name"]: item for item in json.loads(ran.out)["items"]}
    t.equal(rows["num.partitions"], {"name": "num.partitions", "value": "3", "origin": path,
                                     "effect": "yes"})
    t.true(len(json.loads(t.run("kq-broker", "check", "--all", "-f", "json").out)["items"]) > 100,
           "--all")
    ran = t.run("kq-broker", "check", "--config", path, env={"KQ_FORMAT": "tsv"})
    t.contains(ran.out, "num.partitions\t3\t%s\tyes\n" % path)
    t.contains(t.run("kq-broker", "check", "--config", path, env={"KQ_FORMAT": "raw"}).out, "ORIGIN")
    ran = t.run("kq-broker", "check", "--config", path, env={"KQ_FORMAT": "tvs"})
    t.contains(t.status(ran, 2).err, "kq-broker: KQ_FORMAT: 'tvs' is none of ")


def test_run_ends_as_its_command_did(t):
    t.status(t.run("kq-broker", "run", "--", "true"), 0)
    t.status(t.run("kq-broker", "run", "--", "sh", "-c", "exit 7"), 7)
    ran = t.run("kq-broker", "run", "--", "sh", "-c", "echo out; echo err >&2; kill -9 $$")
    t.status(ran, 137)
    t.equal(ran.out, "out\n")
    t.contains(ran.err, "err\n")
    ran = t.run("kq-broker", "run", "--", "kq-topics", "list", "-f", "tsv")
    t.equal((ran.status, ran.out), (0, ""))
    # As a shell says it.
    ran = t.run("kq-broker", "run", "--", "no-such-command")
    t.contains(t.status(ran, 127).err, "kq-broker: cannot run 'no-such-command'")
    t.status(t.run("kq-broker", "run", "--", t.file("no-program", "x")), 126)
    t.status(t.run("kq-broker", "run"), 2)
    ran = t.fails(2, "the options of a command follow --", "kq-broker", "run", "ls", "-l")
    t.contains(ran.err, "  try: kq-broker run -- ls -l\n")


def test_run_is_private_whatever_its_file_says(t):
    theirs = os.path.join(t.directory, "theirs")
    t.status(t.run("kq-broker", "run", "--data", theirs, "--", "kq-topics", "create", "kept", "-q"), 0)
    path = t.file("server.properties", f"log.dirs={theirs}\nlisteners=PLAINTEXT://127.0.0.1:1\n"
                   "advertised.listeners=PLAINTEXT://elsewhere:1\nnum.partitions=4\n")
    script = "kq-topics list -f tsv; kq-topics create t -q; kq-topics describe t -f tsv | wc -l"
    ran = t.status(t.run("kq-broker", "run", "--config", path, "--", "sh", "-c", script), 0)
    t.equal(ran.out.split()[-1], "4", "the rest of the file counts")
    t.true("kept" not in ran.out, "its topics are its own")
    t.contains(ran.err, "does not take listeners, advertised.listeners, log.dirs from " + path)
    ran = t.run("kq-broker", "run", "--data", theirs, "--", "kq-topics", "list", "-f", "tsv")
    t.equal([row.split("\t")[0] for row in ran.out.splitlines()], ["kept"], "nothing came in")


def test_settings_come_through_a_pipe_too(t):
    for script in ["kq-broker check -f tsv --config <(echo 'num.partitions = 3')",
                   "echo 'num.partitions = 3' | kq-broker check -f tsv --config -"]:
        ran = t.sh(script)
        t.status(ran, 0)
        t.contains(ran.out, "num.partitions\t3\t")
    ran = t.sh("kq-topics list -X @<(echo bootstrap.servers=127.0.0.1:1)")
    t.status(ran, 5)
    ran = t.sh("echo bootstrap.servers=127.0.0.1:1 | kq-topics list -X @-")
    t.status(ran, 5)


# Tells when it runs, and what it was sent. Its sleep is not left behind.
TRAPS = """
trap 'echo INT; kill $sleeper; exit 9' INT
trap 'echo TERM; kill $sleeper; exit 8' TERM
sleep 60 & sleeper=$!
echo runs
wait
"""


def test_run_passes_signals_on(t):
    for number, wanted in [(signal.SIGINT, 9), (signal.SIGTERM, 8)]:
        process = t.start("kq-broker", "run", "--", "bash", "-c", TRAPS)
        read_until(process.stdout.fileno(), b"runs\n")
        process.send_signal(number)
        t.equal(wait_for(process), wanted)
        t.equal(process.stdout.read().decode(), number.name[3:] + "\n")
    # One that does not catch it ends of it, and so do we.
    process = t.start("kq-broker", "run", "--", "bash", "-c", "echo runs; exec sleep 60")
    read_until(process.stdout.fileno(), b"runs\n")
    process.send_signal(signal.SIGINT)
    t.equal(wait_for(process), 130)


def test_run_leaves_the_keys_of_a_terminal_to_the_terminal(t):
    # It sends INT to both of us: the command gets one, not two.
    script = """
    trap 'echo "[INT]"' INT
    echo runs
    for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done
    echo over
    exit 5
    """
    process, terminal = t.start_on_terminal("kq-broker", "run", "--", "bash", "-c", script)
    read_until(terminal, b"runs\r\n")
    os.write(terminal, b"\x03")
    said = read_until(terminal, b"over\r\n")
    t.equal(said.count(b"[INT]"), 1, said)
    t.equal(wait_for(process), 5)


def test_run_takes_its_command_with_it(t):
    process = t.start("kq-broker", "run", "--", "bash", "-c", "echo $$; exec sleep 60")
    command = int(read_until(process.stdout.fileno(), b"\n"))
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while os.path.exists("/proc/%d" % command):
        t.true(time.monotonic() < deadline, "the command outlives the broker")
        time.sleep(0.01)


def test_a_broker_without_standard_streams_puts_nothing_in_their_place(t):
    for closed in ["2>&-", "<&- >&- 2>&-"]:
        ready = os.path.join(t.directory, "ready")
        script = "exec kq-broker --data data --listen 127.0.0.1:0 --ready-file ready %s" % closed
        process = t.start_shell(script)
        wait_for_file(ready)
        address = open(ready).read().split()[0].split("=")[1]
        t.status(t.run("kq-topics", "create", "x", "--if-not-exists", "-b", address), 0)
        t.status(t.run("kq-produce", "x", "-b", address, stdin="a\n"), 0)
        for number in [0, 1, 2][:3 if "<" in closed else 0] + [2]:
            t.equal(os.readlink("/proc/%d/fd/%d" % (process.pid, number)), "/dev/null", closed)
        process.terminate()
        t.equal(wait_for(process), 0)
        t.true(not os.path.exists(ready), "who waits for the file waits for a broker that is there")


def test_settings_that_cannot_be_honoured_are_refused(t):
    path = os.path.join(t.directory, "server.properties")
    for setting, part in [("process.roles=broker", "process.roles: 'broker' is not built yet"),
                          ("process.roles=controller", "'controller' is not built yet"),
                          ("controller.quorum.voters=1@a:1,2@b:2", "it names 2 voters"),
                          ("controller.quorum.voters=2@b:2", "'2@b:2' is not this node"),
                          ("controller.quorum.bootstrap.servers=a:1,b:2", "it names 2 controllers"),
                          ("authorizer.class.name=some.A", "'some.A' is not built"),
                          ("security.inter.broker.protocol=SASL_SSL", "'SASL_SSL' is not built"),
                          ("sasl.enabled.mechanisms=PLAIN", "SASL is not built yet"),
                          ("ssl.keystore.location=/etc/k.p12", "TLS is not built yet"),
                          ("ssl.client.auth=required", "every listener is open to everybody"),
                          ("super.users=User:admin", "super.users: access rules are not built"),
                          ("listener.name.a.ssl.keystore.location=/k", "TLS is not built yet"),
                          ("listener.name.a.plain.sasl.jaas.config=x", "SASL is not built yet")]:
        open(path, "w").write(setting + "\n")
        for words in [["--ephemeral", "--config", path], ["check", "--config", path],
                      ["--ephemeral", "-X", setting]]:
            ran = t.status(t.run("kq-broker", *words), 2)
            t.contains(first_line(ran), part)
            t.contains(first_line(ran), "-X: " if "-X" in words else path + ": ")


def test_a_directory_of_another_node_is_left_alone(t):
    data = os.path.join(t.directory, "w")
    t.status(t.run("kq-broker", "run", "--data", data, "--id", "2", "--", "true"), 0)
    before = sorted(os.listdir(data))
    ran = t.status(t.run("kq-broker", "--data", "w", "--listen", "127.0.0.1:0"), 2)
    t.equal(ran.err, "kq-broker: cannot start: 'w' belongs to node 2, and node.id is 1 "
            "[KQ_FOREIGN_DIRECTORY]\n"
            "  try: kq-broker --data w --listen 127.0.0.1:0 --id N\n"
            "  try: kq-broker --listen 127.0.0.1:0 --data DIR\n"
            "  see: kq explain KQ_FOREIGN_DIRECTORY\n")
    t.equal(sorted(os.listdir(data)), before)
    ran = t.status(t.run("kq-broker", "run", "--data", data, "--", "true"), 2)
    t.contains(ran.err, "  try: kq-broker run --data DIR -- true\n")


def test_a_start_that_failed_leaves_no_directory(t):
    port = t.server()
    for data, stays in [("new/below/it", False), ("there", True)]:
        os.makedirs(os.path.join(t.directory, "there"), exist_ok=True)
        t.status(t.run("kq-broker", "--data", data, "--listen", port), 4)
        t.equal(os.path.exists(os.path.join(t.directory, data.split("/")[0])), stays, data)
    # One that others are in stays, whoever made it.
    process, _ = started(t, "--data", os.path.join(t.directory, "data"))
    t.status(t.run("kq-broker", "--data", "data", "--listen", "127.0.0.1:0"), 4)
    t.true(os.path.exists(os.path.join(t.directory, "data", "meta.properties")), "it is gone")


def test_a_full_disk_at_the_start_is_one_clear_line(t):
    for free in range(0, 40 << 10, 4 << 10):  # wherever in the start it is met
        disk = t.small_disk(256 << 10)
        t.file(os.path.join(disk, "filler"), b"x" * ((256 << 10) - free))
        before = sorted(os.listdir(disk))
        data = os.path.join(disk, "data")
        ran = t.run("kq-broker", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error")
        t.status(ran, 4)
        t.equal(sorted(os.listdir(disk)), before, "with %d bytes free" % free)
        lines = [line for line in ran.err.splitlines() if line.startswith("kq-broker: ")]
        t.equal(len(lines), 1, ran.err)
        t.contains(lines[0], "kq-broker: cannot start: ")
        t.true(lines[0].endswith((": No space left on device [KQ_DISK_FULL]",
                                  " is full [KQ_DISK_FULL]")), lines[0])
        t.contains(lines[0], data)
        t.contains(ran.err, "\n  try: kq-broker --listen 127.0.0.1:0 --log-level error --data DIR\n")


KAFKA_FILE = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=%s
num.partitions=4
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
"""


def test_a_file_like_the_one_that_kafka_comes_with_is_taken_as_it_is(t):
    path = os.path.join(t.directory, "server.properties")
    data = os.path.join(t.directory, "kraft-combined-logs")
    port = free_port()
    open(path, "w").write(KAFKA_FILE.replace(":0,", ":%d," % port) % (port, data))
    ready = os.path.join(t.directory, "ready-file")
    process = t.start("kq-broker", "--config", path, "--ready-file", ready)
    deadline = time.monotonic() + 10
    while not os.path.exists(ready) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    address = "127.0.0.1:%d" % port
    t.contains(t.run("kq-topics", "create", "four", "-b", address).out, "(4 partitions, 1 replica)")
    t.true(os.path.isdir(os.path.join(data, "four-3")), "log.dirs is not where the records are")
    process.send_signal(signal.SIGTERM)
    t.equal(wait_for(process), 0)


def test_settings_of_one_listener_and_of_plugins_are_judged_too(t):
    path = os.path.join(t.directory, "server.properties")
    open(path, "w").write("listener.name.plaintext.ssl.keystore.location=/etc/k.p12\n")
    ran = t.status(t.run("kq-broker", "check", "--config", path), 2)
    t.contains(first_line(ran), "listener.name.plaintext.ssl.keystore.location: TLS is not built")
    open(path, "w").write("listener.name.plaintext.max.connections=7\nmy.plugin.secret=x\n"
                          "ssl.client.auth=none\n")
    ran = t.status(t.run("kq-broker", "check", "--config", path, "-f", "tsv"), 0)
    t.contains(ran.out, "my.plugin.secret\t(hidden)\t%s\tunknown\n" % path)
    t.contains(ran.out, "listener.name.plaintext.max.connections\t7\t%s\tnot yet\n" % path)


def test_settings_without_effect_are_told(t):
    path = os.path.join(t.directory, "server.properties")
    open(path, "w").write("log.cleaner.enable=false\nnum.io.threads=3\nnum.partitions=2\n"
                          "log.cleaner.threads=1\nlog.cleanup.policy=compact\n")
    ran = t.status(t.run("kq-broker", "check", "--config", path), 0)
    t.contains(ran.err,
               "no effect in kq yet: log.cleaner.enable, log.cleanup.policy=compact, num.io.threads\n")
    ran = t.status(t.run("kq-broker", "check", "--config", path, "-f", "tsv"), 0)
    t.contains(ran.out, "num.io.threads\t3\t%s\tnot yet\n" % path)
    t.contains(ran.out, "num.partitions\t2\t%s\tyes\n" % path)
    process, _ = started(t, "--ephemeral", "--config", path)
    process.send_signal(signal.SIGTERM)
    t.contains(process.communicate(timeout=10)[1].decode(),
               "warn no effect in kq yet: log.cleaner.enable, log.cleanup.policy=compact, "
               "num.io.threads\n")


def test_broker_id_is_the_older_name_of_node_id(t):
    ran = t.status(t.run("kq-broker", "check", "-X", "broker.id=7", "-f", "tsv"), 0)
    t.contains(ran.out, "node.id\t7\t-X\tyes\n")
    process, address = started(t, "--ephemeral", "-X", "broker.id=7")
    t.contains(t.run("kq-topics", "create", "seven", "-b", address).out, "created seven")
    t.contains(t.run("kq-topics", "describe", "seven", "-b", address, "-f", "tsv", "--columns",
                     "leader").out, "7\n")
    process.kill()
    process.wait()
    ran = t.status(t.run("kq-broker", "--ephemeral", "-X", "broker.id=7", "--id", "8"), 2)
    t.contains(first_line(ran), "broker.id: 7 is the older name of node.id, which is 8")
    t.status(t.run("kq-broker", "check", "-X", "broker.id=7", "--id", "7"), 0)


def test_a_hang_up_is_ignored_by_a_daemon_and_stops_a_broker_on_a_terminal(t):
    data = os.path.join(t.directory, "data")
    marker = os.path.join(data, ".kafka_cleanshutdown")
    process, address = started(t, "--data", data, stdin=subprocess.DEVNULL)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    t.true(process.poll() is None, "a daemon died of HUP")
    t.status(t.run("kq-topics", "list", "-b", address), 0)
    process.send_signal(signal.SIGTERM)
    t.equal(wait_for(process), 0)

    # The terminal goes away: the kernel sends HUP.
    own, other = pty.openpty()
    for nohup in (False, True):
        process, address = started(t, "--data", data, stdin=other, preexec_fn=ignore_hangup if nohup else hear_hangup)
        t.true(not os.path.exists(marker), "the marker outlives the start")
        process.send_signal(signal.SIGHUP)
        if nohup:
            time.sleep(0.3)
            t.true(process.poll() is None, "nohup does not help")
            process.send_signal(signal.SIGTERM)
        t.equal(wait_for(process), 0)
        t.true(os.path.exists(marker), "no clean marker")
    os.close(own)
    os.close(other)


def ignore_hangup():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def hear_hangup():  # whoever runs the tests may do so under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_stop_that_is_not_clean_is_not_called_so(t):
    data = os.path.join(t.directory, "data")
    process, address = started(t, "--data", data)
    t.status(t.run("kq-topics", "create", "lost", "-b", address), 0)
    t.status(t.run("kq-produce", "lost", "-b", address, stdin="a\n"), 0)
    shutil.rmtree(os.path.join(data, "lost-0"))
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=10)[1].decode()
    t.equal(process.returncode, 4)
    t.contains(said, "clean=false")
    t.contains(said, "kq-broker: stopped: the broker could not be stopped cleanly")
    t.true(not os.path.exists(os.path.join(data, ".kafka_cleanshutdown")), "a clean marker")


def test_a_broker_whose_metadata_log_is_gone_changes_nothing(t):
    data = os.path.join(t.directory, "data")
    t.status(t.run("kq-broker", "run", "--data", data, "--", "kq-topics", "create", "t", "-q"), 0)
    log = os.path.join(data, "__cluster_metadata-0", "00000000000000000000.log")
    os.rename(log, log + ".away")
    before = sorted(os.listdir(data))
    for _ in range(2):
        ran = t.run("kq-broker", "--data", data, "--listen", "127.0.0.1:0")
        t.true(ran.status not in (0, None), str(ran))
        t.contains(ran.err, "the metadata log in " + os.path.dirname(log) + " is gone")
    os.truncate(log + ".away", os.path.getsize(log + ".away") - 1)
    os.rename(log + ".away", log)
    ran = t.run("kq-broker", "--data", data, "--listen", "127.0.0.1:0")
    t.contains(ran.err, "(the batch is cut), and what was committed at the offsets ")
    t.contains(ran.err, " is missing: put the file back from a copy")
    t.equal(sorted(os.listdir(data)), before)
    t.true("t-0" in before and ".kafka_cleanshutdown" in before, str(before))


def test_every_listener_is_told_where_it_is_bound(t):
    ready = os.path.join(t.directory, "ready")
    process = t.start("kq-broker", "--ephemeral", "--ready-file", ready, "--listen",
                      "A://127.0.0.1:0", "--listen", "B://0.0.0.0:0",
                      "-X", "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT",
                      "-X", "advertised.listeners=A://127.0.0.1:1,B://127.0.0.1:2")
    wait_for_file(ready)
    addresses = open(ready).read().split()[0].split("=")[1].split(",")
    t.equal(len(addresses), 2, addresses)
    t.true(addresses[0].startswith("127.0.0.1:"), addresses)
    # Every address of this machine is told as one that can be dialled.
    t.true(addresses[1].startswith(("127.0.0.1:", "[::1]:")), addresses)
    ports = [address.rsplit(":", 1)[1] for address in addresses]
    t.true("0" not in ports and ports[0] != ports[1], addresses)
    t.status(t.run("kq-topics", "create", "x", "-b", addresses[0]), 0)
    for address, told in zip(addresses, ["127.0.0.1:1", "127.0.0.1:2"]):
        ran = t.status(t.run("kq-topics", "list", "-b", address, "-t", "5s"), 5)
        t.contains(ran.err, " " + told, "the listener of %s" % address)
    process.terminate()
    t.equal(wait_for(process), 0)
    log = process.stderr.read().decode()
    t.contains(log, "A://127.0.0.1:%s as 127.0.0.1:1,B://" % ports[0])
    t.contains(log, ":%s as 127.0.0.1:2" % ports[1])
    # What `run` tells its command is where the broker is, too.
    ran = t.run("kq-broker", "run", "--advertise", "far:1", "--", "sh", "-c",
                "echo $KQ_BOOTSTRAP")
    t.true(ran.out.startswith("127.0.0.1:"), ran.out)


def test_a_broker_that_ran_did_not_fail_to_start(t):
    data = os.path.join(t.directory, "data")
    process, address = started(t, "--data", data)
    t.status(t.run("kq-topics", "create", "x", "-c", "segment.bytes=1MiB", "-b", address), 0)
    shutil.rmtree(os.path.join(data, "x-0"))
    # The next segment has nowhere to be, and the only directory fails.
    ran = t.run("kq-produce", "x", "-b", address, "-t", "4s", stdin=("x" * 99 + "\n") * 40_000)
    t.true(ran.status in (3, 5, 7), str(ran))
    t.equal(wait_for(process), 4)
    said = [line for line in process.stderr.read().decode().splitlines()
            if line.startswith("kq-broker: ")]
    t.equal(len(said), 1, said)
    t.true(said[0].startswith("kq-broker: stopped: "), said[0])


def test_a_damaged_directory_is_status_8(t):
    data = os.path.join(t.directory, "data")
    t.status(t.run("kq-broker", "run", "--data", data, "--", "true"), 0)
    for name in ["meta.properties", "__cluster_metadata-0/quorum-state"]:
        path = os.path.join(data, name)
        whole = open(path, "rb").read()
        t.file(path, b"\x00damaged\n")
        ran = t.status(t.run("kq-broker", "--data", data, "--listen", "127.0.0.1:0"), 8)
        t.contains(first_line(ran), "[KQ_CORRUPT_FILE]")
        t.equal(open(path, "rb").read(), b"\x00damaged\n", "it is left as it is")
        t.file(path, whole)
    t.status(t.run("kq-broker", "run", "--data", data, "--", "true"), 0)


def limited(open_files):
    """Sets the limit of a process before it starts, hard and soft."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))


def test_silent_connections_leave_the_files_their_descriptors(t):
    data = os.path.join(t.directory, "data")
    process, address = started(t, "--data", data, "-X",
                               "replica.high.watermark.checkpoint.interval.ms=200",
                               preexec_fn=limited(256))
    host, port = address.rsplit(":", 1)
    t.status(t.run("kq-topics", "create", "before", "-b", address), 0)
    silent = []
    for _ in range(300):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex((host, int(port)))
        silent.append(one)
    time.sleep(1)
    # Topics that others make need checkpoints and files all the while; nobody may come in to make
    # one, so what is watched is that the broker lives, and serves once there is room.
    t.equal(process.poll(), None, "the broker ended")
    for one in silent:
        one.close()
    t.status(t.run("kq-topics", "create", "after", "-b", address), 0)
    t.status(t.run("kq-produce", "after", "-b", address, stdin="a\n"), 0)
    process.send_signal(signal.SIGTERM)
    t.equal(wait_for(process), 0)
    said = process.stderr.read().decode()
    t.contains(said, "accepting connections pauses")
    t.equal(said.count("accepting connections pauses"), 1, "once a minute")
    t.true("offline" not in said, said)
    t.true("Too many open files" not in said, said)


def test_more_partitions_than_files_may_be_open_are_refused(t):
    data = os.path.join(t.directory, "data")
    process, address = started(t, "--data", data, preexec_fn=limited(256))
    ran = t.status(t.run("kq-topics", "create", "wide", "-p", "256", "-b", address), 4)
    t.contains(ran.err, "open files allowed (ulimit -n)")
    t.contains(ran.err, "[POLICY_VIOLATION]")
    # Up to the limit, all of them open, and the broker goes on and starts again.
    made = 0
    while t.run("kq-topics", "create", "t%d" % made, "-p", "8", "-b", address).status == 0:
        made += 1
        t.true(made < 32, "no limit")
    t.true(made > 2, "no room at all")
    t.status(t.run("kq-produce", "t%d" % (made - 1), "-b", address, stdin="a\n"), 0)
    process.send_signal(signal.SIGTERM)
    t.equal(wait_for(process), 0)
    said = process.stderr.read().decode()
    t.true("Too many open files" not in said, said)
    process, address = started(t, "--data", data, preexec_fn=limited(256))
    t.equal(t.run("kq-consume", "t%d" % (made - 1), "-b", address).out, "a\n")
    process.send_signal(signal.SIGTERM)
    t.equal(wait_for(process), 0)
    # With less than that it does not start, and says what it takes.
    before = sorted(os.listdir(data))
    ran = t.run("kq-broker", "--data", data, "--listen", "127.0.0.1:0", preexec_fn=limited(140))
    t.status(ran, 4)
    t.contains(first_line(ran), "partitions need at least ")
    t.contains(first_line(ran), "140 are allowed (ulimit -n, LimitNOFILE)")
    t.contains(ran.err, "  try: ulimit -n ")
    t.equal(sorted(os.listdir(data)), before, "nothing changed")


def listening(t, where):
    """What the ready file says of a broker that listens there."""
    ready = os.path.join(t.directory, "ready-%d" % free_port())
    t.start("kq-broker", "--ephemeral", "--listen", where, "--ready-file", ready)
    wait_for_file(ready)
    return open(ready).read().split()[0].split("=")[1]


def test_every_address_of_ipv4_is_not_one_of_ipv6(t):
    address = listening(t, "0.0.0.0:0")
    t.true(address.startswith("127.0.0.1:"), address)
    port = int(address.rsplit(":", 1)[1])
    socket.create_connection(("127.0.0.1", port), 5).close()
    if socket.has_ipv6:
        with socket.socket(socket.AF_INET6) as six:
            t.true(six.connect_ex(("::1", port)) != 0, "IPv6 was not asked for")
    if not socket.has_ipv6:
        return
    address = listening(t, "[::]:0")
    t.true(address.startswith("127.0.0.1:"), address)
    socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])), 5).close()


def test_numbers_that_no_machine_has_are_refused(t):
    for setting in ["kq.data.loops", "kq.io.threads"]:
        for value in ["0", "257", "100000"]:
            wrong = setting + "=" + value
            t.contains(t.status(t.run("kq-broker", "--ephemeral", "-X", wrong), 2).err, setting)
            t.status(t.run("kq-broker", "check", "-X", wrong), 2)


def test_a_limit_of_producer_ids_names_its_setting(t):
    process, address = started(t, "--ephemeral", "-X", "kq.producer.ids.max=1")
    t.status(t.run("kq-topics", "create", "x", "-b", address), 0)
    t.status(t.run("kq-produce", "x", "-b", address, stdin="a\n"), 0)
    ran = t.status(t.run("kq-produce", "x", "-b", address, stdin="b\n"), 4)
    t.contains(ran.err, "kq.producer.ids.max")
    t.contains(ran.err, "  try: kq-broker -X kq.producer.ids.max=1000000")


def test_producer_ids_of_all_partitions_are_bounded_together(t):
    process, address = started(t, "--ephemeral", "-X", "kq.producer.ids.total.max=2")
    for topic in ["x", "y", "z"]:
        t.status(t.run("kq-topics", "create", topic, "-b", address), 0)
    for topic in ["x", "y"]:
        t.status(t.run("kq-produce", topic, "-b", address, stdin="a\n"), 0)
    ran = t.status(t.run("kq-produce", "z", "-b", address, stdin="b\n"), 4)
    t.contains(ran.err, "kq.producer.ids.total.max")
    t.contains(ran.err, "  try: kq-broker -X kq.producer.ids.total.max=10000000")
    t.status(t.run("kq-topics", "delete", "x", "-b", address, "-y"), 0)
    t.status(t.run("kq-produce", "z", "-b", address, stdin="b\n"), 0)


def test_a_lack_of_descriptors_is_no_failed_disk(t):
    data = os.path.join(t.directory, "data")
    process, address = started(t, "--data", data, "-X",
                               "replica.high.watermark.checkpoint.interval.ms=100")
    t.status(t.run("kq-topics", "create", "x", "-b", address), 0)
    producer = t.start("kq-produce", "x", "-b", address)
    producer.stdin.write(b"before\n")
    producer.stdin.flush()
    time.sleep(0.5)
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    producer.stdin.write(b"without\n")
    producer.stdin.flush()
    time.sleep(1.5)  # checkpoints, the note of the committed end, and whatever opens files
    t.equal(process.poll(), None, "the broker ended")
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
    producer.stdin.write(b"after\n")
    producer.stdin.close()
    t.equal(wait_for(producer), 0)
    t.status(t.run("kq-topics", "create", "y", "-b", address), 0)
    t.equal(t.run("kq-consume", "x", "-b", address).out, "before\nwithout\nafter\n")
    process.send_signal(signal.SIGTERM)
    t.equal(wait_for(process), 0)
    said = process.stderr.read().decode()
    t.equal(said.count("checkpoints cannot be written"), 1, said)
    t.contains(said, "[KQ_TOO_MANY_OPEN_FILES]")
    t.true("offline" not in said, said)


def test_topics_that_are_only_named_have_the_same_limit(t):
    data = os.path.join(t.directory, "data")
    process, address = started(t, "--data", data, preexec_fn=limited(256))
    host, port = address.rsplit(":", 1)
    names = [b"named-%d" % i for i in range(300)]
    body = struct.pack(">hhihi", 3, 4, 1, -1, len(names))
    body += b"".join(struct.pack(">h", len(name)) + name for name in names) + b"\1"
    with socket.create_connection((host, int(port)), 10) as client:
        for _ in range(3):
            client.sendall(struct.pack(">i", len(body)) + body)
            size = struct.unpack(">i", client.recv(4, socket.MSG_WAITALL))[0]
            client.recv(size, socket.MSG_WAITALL)
            time.sleep(0.3)
    made = len(t.run("kq-topics", "list", "-b", address).out.splitlines())
    t.true(10 < made < 200, "%d topics" % made)
    process.send_signal(signal.SIGTERM)
    t.equal(wait_for(process), 0)
    said = process.stderr.read().decode()
    t.equal(said.count("topic could not be made on first use"), 1, "once a minute")
    t.true("Too many open files" not in said, said)
    process, address = started(t, "--data", data, preexec_fn=limited(256))
    process.send_signal(signal.SIGTERM)
    t.equal(wait_for(process), 0)
