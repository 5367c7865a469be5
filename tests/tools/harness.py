# SPDX-License-Identifier: Apache-2.0
"""What the tests of the programs share: a private broker, commands with their exit status, expectations.

Plain python3, no packages. A test is a function test_NAME(t) in test_*.py, with t a Test."""

import fcntl
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import time

import statuses


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


class Ran:
    """A command that has ended."""

    def __init__(self, words, status, out, err):
        self.words, self.status, self.out_bytes, self.err_bytes = words, status, out, err

    @property
    def out(self):
        return self.out_bytes.decode("utf-8", "backslashreplace")

    @property
    def err(self):
        return self.err_bytes.decode("utf-8", "backslashreplace")

    def __str__(self):
        return "%s\n  status %s\n  out %r\n  err %r" % (
            self.words, self.status, self.out[:2000], self.err[:2000])


class Broker:
    """A kq-broker in memory on a free port, or one that runs already (KQ_TEST_BOOTSTRAP)."""

    def __init__(self, bin_dir, *options):
        self.directory = tempfile.mkdtemp(prefix="kq-tools-")
        self.process = None
        self.address = os.environ.get("KQ_TEST_BOOTSTRAP")
        if self.address and not options:
            return
        if not os.path.exists(os.path.join(bin_dir, "kq-broker")):
            raise Skipped("kq-broker is not built")
        ready = os.path.join(self.directory, "ready")
        self.log = open(os.path.join(self.directory, "log"), "wb")
        listen = [] if "--listen" in options else ["--listen", "127.0.0.1:0"]
        where = [] if "--data" in options else ["--ephemeral"]
        # Several threads, whatever the machine: what is asked for lies on another one mostly.
        words = [os.path.join(bin_dir, "kq-broker"), "--ready-file", ready] + where + listen + \
            ["-X", "kq.data.loops=3"] + list(options)
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        deadline = time.monotonic() + 10
        while not os.path.exists(ready) or not open(ready).read().endswith("\n"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = open(os.path.join(self.directory, "log")).read()
                self.stop()
                raise Failed("kq-broker did not start: " + said[-2000:])
            time.sleep(0.01)
        line = open(ready).read()
        words = dict(word.split("=", 1) for word in line.split() if "=" in word)
        self.address = words["kafka"]
        self.http = words.get("http")
        if "--advertise" in options:
            self.address = options[options.index("--listen") + 1]

    def stop(self):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(10)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
            self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def alive(self):
        return self.process is None or self.process.poll() is None


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Test:
    """What a test function works with."""

    def __init__(self, bin_dir, broker, name):
        self.bin, self.broker, self.name = bin_dir, broker, name
        self.directory = tempfile.mkdtemp(prefix="kq-tools-")
        self.counter = 0
        self.open_things = []

    def end(self):
        for close in reversed(self.open_things):
            close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- commands

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("KQ_") and k not in ("NO_COLOR", "COLUMNS")}
        env.update(PATH=self.bin + os.pathsep + env.get("PATH", ""), HOME=self.directory,
                   XDG_CONFIG_HOME=os.path.join(self.directory, "config"),
                   KQ_BOOTSTRAP=self.broker.address if self.broker else "127.0.0.1:1",
                   TZ="UTC", LC_ALL="C.UTF-8")
        env.update(more)
        return {k: v for k, v in env.items() if v is not None}

    def run(self, *words, stdin=b"", timeout=30, env=None, **options):
        """Runs a program of ours; its words are given one by one."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        feed = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        try:
            done = subprocess.run([os.path.join(self.bin, words[0])] + list(words[1:]),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=self.environment(**(env or {})), timeout=timeout,
                                  cwd=self.directory, **feed, **options)
        except subprocess.TimeoutExpired as late:
            raise Failed("%s did not end within %s s; err %r" % (words, timeout, late.stderr))
        ran = Ran(words, done.returncode, done.stdout, done.stderr)
        wrong = statuses.saw(words[0], words, ran.status)
        if wrong:
            raise Failed("%s: %s" % (wrong, ran))
        return ran

    def sh(self, script, timeout=60, env=None):
        """Runs a piece of bash, with our programs first in the PATH."""
        try:
            done = subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=self.environment(**(env or {})), timeout=timeout,
                                  cwd=self.directory)
        except subprocess.TimeoutExpired:
            raise Failed("%r did not end within %s s" % (script, timeout))
        return Ran(script, done.returncode, done.stdout, done.stderr)

    def start(self, *words, stdin=subprocess.PIPE, env=None, **options):
        """Starts a program and leaves it running; it is killed at the end of the test."""
        return self.start_words([os.path.join(self.bin, words[0])] + list(words[1:]), stdin, env,
                                **options)

    def start_shell(self, script, stdin=subprocess.PIPE):
        """The same for a piece of bash."""
        return self.start_words(["bash", "-c", script], stdin, None)

    def start_words(self, words, stdin, env, **options):
        process = subprocess.Popen(words, stdin=stdin, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment(**(env or {})),
                                   cwd=self.directory, **options)

        def close():
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe and not pipe.closed:
                    try:
                        pipe.close()
                    except OSError:
                        pass
        self.open_things.append(close)
        return process

    def start_on_terminal(self, *words, env=None):
        """Starts a program whose three streams are a terminal, which is its own: ^C written there
        is INT to it and what it runs. Answers (process, terminal)."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([os.path.join(self.bin, words[0])] + list(words[1:]),
                                   stdin=theirs, stdout=theirs, stderr=theirs,
                                   start_new_session=True, env=self.environment(**(env or {})),
                                   preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                                   cwd=self.directory)
        os.close(theirs)

        def close():
            if process.poll() is None:
                process.kill()
            process.wait()
            os.close(ours)
        self.open_things.append(close)
        return process, ours

    def topic(self, partitions=1, name=None, *options):
        """Makes a topic with a name that no other test uses."""
        self.counter += 1
        name = name or "t%d-%s" % (self.counter, self.name.replace("_", "-")[:80])
        ran = self.run("kq-topics", "create", name, "-p", str(partitions), *options)
        self.status(ran, 0)
        return name

    def file(self, name, content=""):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def small_disk(self, size):
        """A file system of that many bytes, empty."""
        self.counter += 1
        place = os.path.join(self.directory, "disk-%d" % self.counter)
        os.makedirs(place)
        if os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=%d" % size, "none", place],
                stderr=subprocess.DEVNULL).returncode != 0:
            raise Skipped("needs root and mount")
        self.open_things.append(lambda: subprocess.run(["umount", "-l", place]))
        return place

    def another_broker(self, *options):
        broker = Broker(self.bin, *options)
        self.open_things.append(broker.stop)
        return broker

    def server(self, answer=None):
        """A listening socket; `answer` bytes are sent to whoever connects. Answers HOST:PORT."""
        import threading
        listener = socket.create_server(("127.0.0.1", 0))
        stopping = []
        connections = []

        def serve():
            while not stopping:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                if answer is not None:
                    try:
                        connection.recv(65536)
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def close():
            stopping.append(True)
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
            for connection in connections:
                connection.close()
            thread.join(5)
        self.open_things.append(close)
        return "127.0.0.1:%d" % listener.getsockname()[1]

    # ---- expectations

    def status(self, ran, wanted):
        if ran.status != wanted:
            raise Failed("exit status %s, not %s: %s" % (ran.status, wanted, ran))
        return ran

    def equal(self, got, wanted, about=""):
        if got != wanted:
            raise Failed("%s\n  got    %r\n  wanted %r" % (about, got, wanted))

    def contains(self, text, part, about=""):
        if part not in text:
            raise Failed("%s: no %r in %r" % (about, part, text[:3000]))

    def true(self, condition, about):
        if not condition:
            raise Failed(about)

    def fails(self, status, part, *words, **options):
        """The command ends with `status`, nothing on stdout, and `part` on stderr in one line."""
        ran = self.run(*words, **options)
        self.status(ran, status)
        self.equal(ran.out, "", words)
        self.contains(ran.err, part, words)
        first = ran.err.split("\n")[0]
        self.true(first.startswith(words[0] + ": "), "the tool's name opens %r" % first)
        for line in ran.err.splitlines()[1:]:
            self.true(line.startswith(("  try: ", "  see: ", words[0] + ": ")), "stray line %r" % line)
        self.true(ran.err.count("  try: ") <= 3, "more than three tries: " + ran.err)
        return ran


def wait_for(process, timeout=10):
    """The exit status as a shell tells it."""
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise Failed("%s did not end within %s s" % (process.args, timeout))
    return 128 - status if status < 0 else status


def wait_for_file(path, timeout=10):
    deadline = time.monotonic() + timeout
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise Failed("%s did not appear within %s s" % (path, timeout))
        time.sleep(0.01)


def read_until(descriptor, part, timeout=10):
    """Reads until `part` has come; answers all that came."""
    got = b""
    deadline = time.monotonic() + timeout
    while part not in got:
        left = deadline - time.monotonic()
        ready, _, _ = select.select([descriptor], [], [], max(0, left))
        if not ready:
            raise Failed("%r did not come within %s s, only %r" % (part, timeout, got[-2000:]))
        try:
            more = os.read(descriptor, 65536)
        except OSError:
            more = b""
        if not more:
            raise Failed("the output ended before %r: %r" % (part, got[-2000:]))
        got += more
    return got
