#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other people's clients against kq-broker: kcat, librdkafka, kafka-python, Kafka's Java tools, and
Apache Kafka itself: on a directory that kq wrote, and beside kq with the same requests.

  tests/interop/run.py --bin build/bin          all tests
  tests/interop/run.py --bin build/bin WORD...  the tests whose name contains a WORD
  tests/interop/run.py --against-kafka          the clients' tests against Apache Kafka: what holds
                                                there must hold for kq

What the clients need is fetched once into the user's cache: Python packages as requirements.txt
says, Kafka's jars as pom.xml says. What is missing is skipped by name; with CI=true it is an error.
The last line is "N passed, N failed, N skipped".
"""

import argparse
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

import harness

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kq-interop"
REQUIRED = os.environ.get("CI") == "true"
FETCH_ATTEMPTS = 3
MODULES = ["kcat_tests", "librdkafka_tests", "kafka_python_tests", "java_tests", "disk_tests",
           "directory_tests", "differential_tests", "fault_tests", "metadata_log_tests", "bad_input_tests"]


def fetched(name, sources, make):
    """A folder of the cache that `make` fills once for these sources."""
    digest = hashlib.sha256(b"".join((HERE / s).read_bytes() for s in sources) +
                            sys.version.encode()).hexdigest()[:12]
    place = CACHE / f"{name}-{digest}"
    for attempt in range(FETCH_ATTEMPTS):
        if (place / ".complete").exists():
            break
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            make(place)
            (place / ".complete").touch()
        except subprocess.CalledProcessError:  # a server may have a bad moment
            if attempt + 1 == FETCH_ATTEMPTS:
                raise
            time.sleep(5)
    return place


def python_packages():
    """A virtual environment with the pinned clients, or why there is none."""

    def make(place):
        subprocess.run([sys.executable, "-m", "venv", place], check=True, capture_output=True)
        subprocess.run([place / "bin/pip", "install", "-q", "--disable-pip-version-check",
                        "-r", HERE / "requirements.txt"], check=True, capture_output=True)

    try:
        return fetched("python", ["requirements.txt"], make), ""
    except (subprocess.CalledProcessError, OSError) as error:
        tail = getattr(error, "stderr", b"") or str(error).encode()
        return None, "the Python packages could not be installed: " + \
            tail.decode(errors="replace").strip().splitlines()[-1][:200]


def kafka_jars():
    """Kafka's own programs, or why there are none."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            return None, f"no {program} (a JDK and Maven are needed)"

    def make(place):
        subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies",
                        f"-DoutputDirectory={place}"], check=True, capture_output=True)

    try:
        return harness.Java(fetched("java", ["pom.xml"], make)), ""
    except (subprocess.CalledProcessError, OSError) as error:
        tail = getattr(error, "stdout", b"") or str(error).encode()
        return None, "Kafka's jars could not be fetched: " + \
            tail.decode(errors="replace").strip().splitlines()[0][:200]


def enter_environment():
    """Goes on in the virtual environment, where the clients can be imported."""
    if os.environ.get("KQ_INTEROP_ENVIRONMENT"):
        return os.environ["KQ_INTEROP_ENVIRONMENT"]
    place, why = python_packages()
    if place is None:
        return "missing: " + why
    os.environ["KQ_INTEROP_ENVIRONMENT"] = "here"
    python = place / "bin/python"
    os.execv(python, [str(python), *sys.argv])


def run_tests(context, missing, words):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name, needs, function in harness.TESTS:
        if words and not any(w in name for w in words):
            continue
        if context.against_kafka and "kq" in needs:
            continue
        why = next((missing[n] for n in needs if missing.get(n)), None)
        begin = time.monotonic()
        try:
            if why:
                raise harness.Skip(why)
            function(context)
            counts["passed"] += 1
            print(f"ok {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except harness.Skip as skip:
            if REQUIRED:
                counts["failed"] += 1
                print(f"FAILED {name}: cannot run: {skip}", flush=True)
            else:
                counts["skipped"] += 1
                print(f"skipped {name}: {skip}", flush=True)
        except harness.Failure as failure:
            counts["failed"] += 1
            print(f"FAILED {name}: {failure}", flush=True)
        except Exception as error:  # a client's own exception is a failure like any other
            counts["failed"] += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAILED {name}: {type(error).__name__}: {error} "
                  f"({Path(where.filename).name}:{where.lineno})", flush=True)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 0 if counts["failed"] == 0 and counts["passed"] > 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/bin", help="where kq's programs are")
    parser.add_argument("--against-kafka", action="store_true")
    parser.add_argument("--list", action="store_true", help="name the tests")
    parser.add_argument("word", nargs="*", help="only tests whose name contains one of these")
    options = parser.parse_args()

    environment = enter_environment()
    java, no_java = kafka_jars()
    missing = {"python": environment[9:] if environment.startswith("missing: ") else "",
               "java": no_java,
               "kcat": "" if shutil.which("kcat") else "no kcat"}
    for module in MODULES:
        if missing["python"] and module in ("librdkafka_tests", "kafka_python_tests"):
            harness.TESTS.append((module, ("python",), None))  # skipped by the module's name
        else:
            importlib.import_module(module)
    if options.list:
        for name, needs, _ in harness.TESTS:
            print(name, f"({', '.join(needs)})" if needs else "")
        return 0
    context = harness.Context(Path(options.bin).resolve(), java, options.against_kafka)
    try:
        return run_tests(context, missing, options.word)
    finally:
        context.close()


if __name__ == "__main__":
    sys.exit(main())
