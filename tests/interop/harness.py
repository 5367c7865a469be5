# SPDX-License-Identifier: Apache-2.0
"""What the interop tests share: brokers to start and stop, commands to run, log files to look into,
and the list of tests."""

import itertools
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Failure(Exception):
    """A test's expectation does not hold."""


class Skip(Exception):
    """A test cannot run here; the text says why."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(found, wanted, what):
    if found != wanted:
        raise Failure(f"{what}: {shorten(found)} instead of {shorten(wanted)}")


def shorten(value, limit=300):
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


# ---- tests ----

TESTS = []  # (name, needs, function)


def test(name, *needs):
    """Registers a test. needs: "kcat", "java", and "kq" where Apache Kafka as the broker makes no
    sense. The function gets a Context."""

    def register(function):
        TESTS.append((name, needs, function))
        return function

    return register


class Context:
    """What a test works with: programs, a scratch folder, a broker that all client tests share."""

    def __init__(self, programs, java, against_kafka):
        self.programs = programs
        self.java = java
        self.against_kafka = against_kafka
        self.scratch = Path(tempfile.mkdtemp(prefix="kq-interop."))
        self.started = []
        self._shared = None
        self._names = 0

    def close(self):
        for broker in self.started:
            broker.kill()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def folder(self, name):
        self._names += 1
        path = self.scratch / f"{name}-{self._names}"
        path.mkdir()
        return path

    def topic(self, hint):
        self._names += 1
        return f"{hint}-{self._names}"

    def new_broker(self, data=None, settings=None, port=0):
        data = data or self.folder("data")
        if self.against_kafka:
            broker = KafkaBroker(self.java, data, settings=settings)
            broker.format()
        else:
            broker = KqBroker(self.programs, data, settings=settings, port=port)
        self.started.append(broker)
        return broker

    @property
    def broker(self):
        if self._shared is None or not self._shared.is_alive():
            self._shared = self.new_broker()
            self._shared.start()
        return self._shared

    def create(self, topic, partitions=1, **configs):
        """Makes a topic with kq-topics, or with Kafka's own tool against Kafka."""
        if self.against_kafka:
            words = [w for k, v in configs.items() for w in ("--config", f"{k.replace('_', '.')}={v}")]
            self.java.tool("topics", "--bootstrap-server", self.broker.address, "--create",
                           "--topic", topic, "--partitions", str(partitions), *words)
        else:
            words = [w for k, v in configs.items() for w in ("-c", f"{k.replace('_', '.')}={v}")]
            self.kq("kq-topics", "create", topic, "-p", str(partitions), *words)
        return topic

    def kq(self, program, *words, stdin=b"", broker=None, ok=(0,)):
        return run([self.programs / program, "-b", (broker or self.broker).address, *words],
                   stdin=stdin, ok=ok)


def run(command, stdin=b"", timeout=60, ok=(0,), env=None):
    """Runs a command to its end; its exit status must be in `ok` (None: any)."""
    try:
        done = subprocess.run([str(w) for w in command], input=stdin, capture_output=True,
                              timeout=timeout, env={**os.environ, **(env or {})})
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{shorten(command)} did not end in {timeout} s; it said "
                      f"{shorten(late.stdout)} {shorten(late.stderr)}") from late
    if ok is not None and done.returncode not in ok:
        raise Failure(f"{' '.join(map(str, command))[:200]} left with {done.returncode}: "
                      f"{done.stderr.decode(errors='replace')[-600:]} "
                      f"{done.stdout.decode(errors='replace')[-300:]}")
    return done


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- brokers ----

class ProcessBroker:
    """A broker in a process of its own, on this machine."""

    def __init__(self, data, settings):
        self.data = Path(data)
        self.settings = settings or {}
        self.process = None
        self.address = None
        self.log = self.data.parent / f"{self.data.name}.log"

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL: the process is gone at once."""
        if self.is_alive():
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def terminate(self, timeout=30):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"the broker did not stop within {timeout} s of SIGTERM") from late

    def words(self):
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def spawn(self, command):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(w) for w in command], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def wait_until(self, ready, timeout, what):
        deadline = time.monotonic() + timeout
        while not ready():
            if self.process.poll() is not None:
                raise Failure(f"the broker left with {self.process.returncode}: {self.words()}")
            if time.monotonic() > deadline:
                raise Failure(f"{what} within {timeout} s: {self.words()}")
            time.sleep(0.01)


class KqBroker(ProcessBroker):
    # One start after the other has another number of data loops: requests, partitions and
    # connections that lie on several threads, and partitions that change theirs with a restart.
    LOOPS = itertools.cycle([3, 1, 2])

    def __init__(self, programs, data, settings=None, port=0):
        super().__init__(data, settings)
        self.program = programs / "kq-broker"
        self.port = port
        self.ready = self.data.parent / f"{self.data.name}.ready"
        self.http = None

    def command(self, *more):
        command = [self.program, "--listen", f"127.0.0.1:{self.port}", "--data", self.data,
                   "--http", "127.0.0.1:0", "--ready-file", self.ready]
        if self.settings:
            file = self.data.parent / f"{self.data.name}.properties"
            file.write_text("".join(f"{k}={v}\n" for k, v in self.settings.items()))
            command += ["--config", file]
        if "kq.data.loops" not in self.settings:
            command += ["-X", f"kq.data.loops={next(self.LOOPS)}"]
        return command + list(more)

    def start(self):
        self.ready.unlink(missing_ok=True)
        self.spawn(self.command())
        self.wait_until(lambda: self.ready.exists() and self.ready.stat().st_size > 0, 30,
                        "kq-broker did not write its ready file")
        words = dict(w.split("=", 1) for w in self.ready.read_text().split())
        self.address, self.http = words["kafka"], words.get("http")
        return self


class KafkaBroker(ProcessBroker):
    """Apache Kafka itself, on a directory that is formatted already (or by format())."""

    def __init__(self, java, data, settings=None, static_voter=False):
        super().__init__(data, settings)
        self.java = java
        self.controller_port = free_port()
        self.port = free_port()
        self.file = self.data.parent / f"{self.data.name}.properties"
        values = {
            "process.roles": "broker,controller", "node.id": "1",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
                         f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER", "log.dirs": str(self.data),
            "offsets.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1",
            "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "group.initial.rebalance.delay.ms": "0", **self.settings,
        }
        if static_voter:
            values["controller.quorum.voters"] = f"1@127.0.0.1:{self.controller_port}"
        else:
            values["controller.quorum.bootstrap.servers"] = f"127.0.0.1:{self.controller_port}"
        self.file.write_text("".join(f"{k}={v}\n" for k, v in values.items()))

    def format(self):
        self.java.tool("storage", "format", "--standalone", "-t", "a3EtaW50ZXJvcC10ZXN0MQ",
                       "-c", self.file)

    def start(self):
        self.spawn(self.java.command("kafka.Kafka", self.file, heap="512m"))

        def answers():
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return "Kafka Server started" in self.log.read_text(errors="replace")
            except OSError:
                return False

        self.wait_until(answers, 60, "Apache Kafka did not start")
        self.address = f"127.0.0.1:{self.port}"
        return self


TOOLS = {
    "acls": "org.apache.kafka.tools.AclCommand",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "configs": "kafka.admin.ConfigCommand",
    "produce": "org.apache.kafka.tools.ConsoleProducer",
    "consume": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "perf-produce": "org.apache.kafka.tools.ProducerPerformance",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "dump": "org.apache.kafka.tools.DumpLogSegments",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "storage": "kafka.tools.StorageTool",
}


class Java:
    """Kafka's own programs."""

    def __init__(self, libs):
        self.libs = libs

    def command(self, name, *words, heap="256m"):
        return ["java", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Djava.awt.headless=true", f"-Dlog4j2.configurationFile={HERE}/log4j2.properties",
                "-cp", f"{self.libs}/*", TOOLS.get(name, name), *words]

    def tool(self, name, *words, stdin=b"", ok=(0,), timeout=120):
        return run(self.command(name, *words), stdin=stdin, ok=ok, timeout=timeout)


# ---- what lies on disk ----

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def batches_on_disk(data, topic, partition=0):
    """(base offset, codec, records, attributes) of every batch of a partition's segments."""
    found = []
    for segment in sorted((Path(data) / f"{topic}-{partition}").glob("*.log")):
        content = segment.read_bytes()
        position = 0
        while position + 61 <= len(content):
            base, length = struct.unpack_from(">qi", content, position)
            if length <= 0:
                break  # preallocated
            attributes, = struct.unpack_from(">h", content, position + 21)
            count, = struct.unpack_from(">i", content, position + 57)
            found.append((base, CODECS[attributes & 7], count, attributes))
            position += 12 + length
    return found


def codecs_on_disk(broker, topic, partition=0):
    return {codec for _, codec, _, _ in batches_on_disk(broker.data, topic, partition)}


def counts_on_disk(broker, topic, skip=0):
    """Records of each batch behind the first `skip` records."""
    return [count for base, _, count, _ in batches_on_disk(broker.data, topic) if base >= skip]


def log_bytes(data):
    """Content of every segment below a data directory."""
    return {str(p.relative_to(data)): p.read_bytes()
            for p in sorted(Path(data).glob("*/*.log")) if "__cluster" not in str(p)}


def lines(done):
    return done.stdout.decode(errors="replace").splitlines()


def field(text, name):
    """The value after "name: " in the output of Kafka's tools."""
    match = re.search(rf"{re.escape(name)}:\s*(\S+)", text)
    return match[1] if match else None
