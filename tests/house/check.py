#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the steps of ./check one after the other, keeps their output in build-check/logs, and ends
with a table of where the time went and the line "N passed, N failed, N skipped".

A step that fails does not stop those that do not need it. A step or test that is left out is named.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build-check"
ASAN = ROOT / "build-asan"
TSAN = ROOT / "build-tsan"
LOGS = BUILD / "logs"
CORES = max(1, len(os.sched_getaffinity(0)))

SIM_SEEDS = 500
MUTANT_SEARCH_SEEDS = 2000
FUZZ_SECONDS = 20
FUZZ_SECONDS_REQUESTS = 120

# So many sources of a floor are one unit in the builds with clang (preset check: 8).
UNITS = ["CMAKE_UNITY_BUILD=ON", "CMAKE_UNITY_BUILD_BATCH_SIZE=16"]

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-14",
}


@dataclass
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: list = field(default_factory=list)  # "name: reason"
    failures: list = field(default_factory=list)  # one line each

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures

    def fail(self, line):
        self.failed += 1
        self.failures.append(line)


class Log:
    """The output of one command, in build-check/logs."""

    def __init__(self, name):
        LOGS.mkdir(parents=True, exist_ok=True)
        self.path = LOGS / (re.sub(r"[^A-Za-z0-9._-]+", "-", name) + ".log")

    def tail(self, lines=40):
        text = self.path.read_text(errors="replace") if self.path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def text(self):
        return self.path.read_text(errors="replace")


def run(name, command, timeout, env=None, cwd=ROOT):
    """Runs a command; returns (exit status or None after the timeout, its Log)."""
    log = Log(name)
    with open(log.path, "wb") as out:
        out.write(("$ " + " ".join(map(str, command)) + "\n").encode())
        out.flush()
        process = subprocess.Popen(
            [str(word) for word in command], cwd=cwd, stdout=out, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}, start_new_session=True)
        try:
            return process.wait(timeout), log
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            out.write(f"\nkilled after {timeout} s\n".encode())
            return None, log
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def how_it_ended(status):
    if status is None:
        return "did not end in time"
    if status < 0:
        return f"was ended by signal {-status}"
    return f"left with status {status}"


def cmake_build(name, preset, binary_dir, definitions=(), targets=()):
    """Configures and builds; one passed or one failed."""
    outcome = Outcome()
    configure = ["cmake", "--preset", preset, "-B", binary_dir]
    configure += ["-D" + d for d in definitions]
    status, log = run(f"{name}-configure", configure, 300)
    if status == 0:
        command = ["ninja", "-C", binary_dir, *targets]
        status, log = run(f"{name}-build", command, 3600)
    if status == 0:
        outcome.passed = 1
    else:
        outcome.fail(f"{name}: the build {how_it_ended(status)}, see {log.path}\n{log.tail()}")
    return outcome


def catch_counts(text):
    """(passed, failed) test cases out of what Catch2 printed last; None if it did not get there."""
    found = re.search(r"All tests passed \(.* in (\d+) test cases?\)", text)
    if found:
        return int(found[1]), 0
    found = re.search(r"^test cases:\s*(\d+)(.*)$", text, re.M)
    if not found:
        return None
    failed = sum(int(n) for n in re.findall(r"(\d+) failed", found[2]))
    return int(found[1]) - failed, failed


def run_catch(label, program, env, timeout):
    outcome = Outcome()
    status, log = run(f"{label}-{program.name}", [program], timeout, env)
    counts = catch_counts(log.text())
    if status == 0 and counts and counts[0] > 0:
        outcome.passed = counts[0]
    else:
        passed, failed = counts or (0, 1)
        outcome.passed = passed
        outcome.failed = max(failed, 1)
        outcome.failures.append(
            f"{program.name} {how_it_ended(status)}, see {log.path}\n{log.tail()}")
    return outcome


def in_parallel(jobs):
    outcome = Outcome()
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        for one in pool.map(lambda job: job(), jobs):
            outcome.add(one)
    return outcome


def unit_tests(label, binary_dir, env=None, timeout=300, only=None):
    programs = sorted((binary_dir / "bin").glob("kq-test-*"))
    if only:
        programs = [p for p in programs if p.name in only]
    if not programs:
        outcome = Outcome()
        outcome.fail(f"{label}: no test program in {binary_dir}/bin")
        return outcome
    # The slowest first, as far as their size tells.
    programs.sort(key=lambda p: -p.stat().st_size)
    return in_parallel([lambda p=p: run_catch(label, p, env, timeout) for p in programs])


def counted_script(name, command, timeout, env=None):
    """A program whose last line is "N passed, N failed[, N skipped]"; lines "skipped NAME: why" and
    "FAILED NAME: why" before it are repeated."""
    outcome = Outcome()
    status, log = run(name, command, timeout, env)
    text = log.text()
    outcome.skipped = re.findall(r"^skipped (.+)$", text, re.M)
    found = re.search(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*\Z", text, re.M)
    if found:
        outcome.passed, outcome.failed = int(found[1]), int(found[2])
    if status != 0 or not found:
        outcome.failed = max(outcome.failed, 1)
        named = re.findall(r"^FAILED .+$", text, re.M)
        outcome.failures.append(f"{name} {how_it_ended(status)}, see {log.path}\n" +
                                ("\n".join(named[:20]) or log.tail()))
    elif outcome.passed + outcome.failed == 0:
        outcome.fail(f"{name} ran no test at all, see {log.path}")
    return outcome


# ---- the steps ----

def step_house():
    return counted_script("house", [sys.executable, "tests/house/rules.py"], 900)


def step_release():
    return cmake_build("release", "check", BUILD)


def step_unit():
    return unit_tests("unit", BUILD)


def step_tools():
    return counted_script("tools", ["tests/tools/run", "--bin", BUILD / "bin"], 900)


def step_asan():
    # Without the programs, which are what their floors are: they would double the linking.
    return cmake_build("asan", "asan", ASAN, [*UNITS, "KQ_PROGRAMS=OFF"])


def step_asan_unit():
    return unit_tests("asan", ASAN, SANITIZERS, 900)


def fresh_seeds():
    """Seeds of this commit: new ones for every change, the same ones for a repetition."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    word = head.stdout.strip()[:8]
    return 1_000_000 + int(word, 16) % 1_000_000 * 1_000 if head.returncode == 0 else 1_000_000


def run_seeds(binary_dir, first, last, *words):
    outcome = Outcome()
    status, log = run(f"sim-{first}",
                      [binary_dir / "bin/kq-sim", "--seeds", f"{first}..{last}", *words], 1800,
                      SANITIZERS)
    if status == 0:
        outcome.passed = last - first + 1
    else:
        replay = re.findall(r"^(?:broken|replay): .*$", log.text(), re.M)
        outcome.fail(f"kq-sim {how_it_ended(status)}, see {log.path}\n" +
                     ("\n".join(replay) or log.tail()))
    return outcome


def step_sim():
    # A hundred seeds that never change, with sanitizers, twenty of them twice to see that nothing
    # else than the seed decides; and four hundred of this commit, optimized.
    fixed = 100
    ranges = [(ASAN, 1, 20, "--twice"), (ASAN, 21, fixed)]
    base = fresh_seeds()
    part = -(-(SIM_SEEDS - fixed) // CORES)
    ranges += [(BUILD, base + i * part, base + (i + 1) * part - 1) for i in range(CORES)]
    return in_parallel([lambda r=r: run_seeds(*r) for r in ranges])


def mutant_names():
    return re.findall(r"^KQ_MUTANT\((\w+),", (ROOT / "libkq/base/mutants.def").read_text(), re.M)


MUTANT_SEEDS = ROOT / "tests/sim/mutants.tsv"


def killing_seeds():
    """mutant -> seed, from tests/sim/mutants.tsv."""
    seeds = {}
    if MUTANT_SEEDS.exists():
        for line in MUTANT_SEEDS.read_text().splitlines():
            if line and not line.startswith("#"):
                name, seed = line.split("\t")[:2]
                seeds[name] = int(seed)
    return seeds


def run_mutant(name, first, last, timeout=1800):
    """The status of kq-sim, and the first seed that it names as failing."""
    status, log = run(f"mutant-{name}",
                      [ASAN / "bin/kq-sim", "--seeds", f"{first}..{last}", "--mutant", name],
                      timeout, SANITIZERS)
    found = re.search(r"--seeds? (\d+)", "\n".join(re.findall(r"replay: .*", log.text())))
    return status, int(found[1]) if found else None, log


def step_mutants():
    outcome = Outcome()
    seeds = killing_seeds()
    for name in mutant_names():
        if name not in seeds:
            outcome.fail(f"mutant {name}: no seed that kills it in tests/sim/mutants.tsv; "
                         "./check mutants searches one")
    for name in sorted(set(seeds) - set(mutant_names())):
        outcome.fail(f"tests/sim/mutants.tsv names '{name}', which libkq/base/mutants.def does not")

    def one(name):
        result = Outcome()
        status, seed, log = run_mutant(name, seeds[name], seeds[name])
        if status == 0:
            # What changed since shifted the world's dice: its seeds are other worlds now.
            status, seed, log = run_mutant(name, 1, MUTANT_SEARCH_SEEDS)
            if seed is not None:
                print(f"mutant {name}: seed {seed} kills it now, not {seeds[name]}; "
                      "./check mutants writes the new ones", flush=True)
        if status == 1 and seed is not None:
            result.passed = 1
        else:
            result.fail(f"mutant {name} survived: kq-sim {how_it_ended(status)}, see {log.path}")
        return result

    outcome.add(in_parallel([lambda n=n: one(n) for n in mutant_names() if n in seeds]))
    return outcome


def step_fuzz():
    programs = sorted((ASAN / "bin").glob("kq-fuzz-*"))
    if not programs:
        outcome = Outcome()
        outcome.fail(f"fuzz: no target in {ASAN}/bin")
        return outcome

    def one(program):
        outcome = Outcome()
        name = program.name.removeprefix("kq-fuzz-")
        seconds = FUZZ_SECONDS_REQUESTS if name == "requests" else FUZZ_SECONDS
        corpus = ROOT / "tests/fuzz/corpus" / name
        found = ASAN / "fuzz" / name  # what this machine found on top of it
        found.mkdir(parents=True, exist_ok=True)
        command = [program, f"-max_total_time={seconds}", "-rss_limit_mb=1024",
                   "-malloc_limit_mb=512", "-timeout=10", "-print_final_stats=1",
                   f"-artifact_prefix={found}/crash-", found]
        if corpus.is_dir():
            command.append(corpus)
        status, log = run(f"fuzz-{name}", command, seconds + 180, SANITIZERS)
        runs = re.search(r"number_of_executed_units:\s*(\d+)", log.text())
        if status == 0 and runs and int(runs[1]) > 1000:
            outcome.passed = 1
        else:
            outcome.fail(f"fuzz {name} {how_it_ended(status)} after "
                         f"{runs[1] if runs else 0} inputs, see {log.path}\n{log.tail()}")
        return outcome

    # The longest first.
    programs.sort(key=lambda p: p.name != "kq-fuzz-requests")
    return in_parallel([lambda p=p: one(p) for p in programs])


TSAN_TESTS = ["kq-test-base", "kq-test-net", "kq-test-loops"]


def step_tsan():
    known = (ROOT / "tests/CMakeLists.txt").read_text()
    tests = [t for t in TSAN_TESTS if f"kq_test({t} " in known]
    outcome = cmake_build("tsan", "tsan", TSAN, UNITS, tests)
    if outcome.failed == 0:
        outcome.add(unit_tests("tsan", TSAN, SANITIZERS, 600, tests))
    return outcome


def step_interop():
    outcome = Outcome()
    if os.environ.get("CI") == "true":
        for program, package in (("java", "openjdk-17-jdk-headless"), ("mvn", "maven")):
            if shutil.which(program) is None:
                outcome.fail(f"interop: no {program}: with CI=true it is required; install {package}")
    outcome.add(counted_script(
        "interop", [sys.executable, "tests/interop/run.py", "--bin", BUILD / "bin"], 1800))
    return outcome


# name, what it needs, function, what it is
STEPS = [
    ("house", [], step_house, "rules of the house: floors, seams, headers, formatting, manuals"),
    ("release", [], step_release, "release build with g++, in unity batches"),
    ("unit", ["release"], step_unit, "unit and wire tests"),
    ("tools", ["release"], step_tools, "programs, manuals, exit codes"),
    ("interop", ["release"], step_interop, "other people's clients and Kafka's own tools"),
    ("asan", [], step_asan, "clang build with ASan, UBSan, thread-safety analysis, fuzz targets"),
    ("asan-unit", ["asan"], step_asan_unit, "unit and wire tests with sanitizers"),
    ("sim", ["release", "asan"], step_sim, f"simulator, {SIM_SEEDS} seeds"),
    ("kill", ["asan"], step_mutants, "every mutant on the seed that killed it"),
    ("fuzz", ["asan"], step_fuzz, "fuzz targets"),
    ("tsan", [], step_tsan, "threads of base and net with TSan"),
]


def run_steps(names, started):
    total = Outcome()
    rows = []
    ok = {}
    now = time.time()
    if now - started >= 1:
        rows.append(("set-up", now - started, Outcome()))
    for name, needs, function, what in STEPS:
        if name not in names:
            continue
        broken = [n for n in needs if n in ok and not ok[n]]
        if broken:
            outcome = Outcome()
            outcome.fail(f"{name}: not run, because {broken[0]} failed")
            seconds = 0.0
            print(f"{name}: not run, because {broken[0]} failed", flush=True)
        else:
            print(f"{name}: {what}", flush=True)
            begin = time.monotonic()
            outcome = function()
            seconds = time.monotonic() - begin
            state = "ok" if outcome.failed == 0 else "FAILED"
            print(f"    {state}: {outcome.passed} passed, {outcome.failed} failed, "
                  f"{len(outcome.skipped)} skipped, {seconds:.0f} s", flush=True)
        for line in outcome.failures:
            print("    " + line.replace("\n", "\n    "), flush=True)
        ok[name] = outcome.failed == 0
        rows.append((name, seconds, outcome))
        total.add(outcome)

    print("\nwhere the time went")
    for name, seconds, outcome in rows:
        print(f"  {name:<12}{seconds:>7.0f} s   {outcome.passed:>6} passed {outcome.failed:>4} failed "
              f"{len(outcome.skipped):>4} skipped")
    minutes, seconds = divmod(int(time.time() - started), 60)
    print(f"  {'in all':<12}{minutes:>4} min {seconds} s")
    for line in total.skipped:
        print(f"skipped {line}")
    print(f"{total.passed} passed, {total.failed} failed, {len(total.skipped)} skipped")
    return 0 if total.failed == 0 else 1


def quick():
    outcome = cmake_build("quick", "release", ROOT / "build")
    if outcome.failed == 0:
        outcome.add(unit_tests("quick", ROOT / "build"))
    for line in outcome.failures:
        print(line)
    print(f"{outcome.passed} passed, {outcome.failed} failed, 0 skipped")
    return 0 if outcome.failed == 0 else 1


def search_mutants():
    built = step_asan()
    if built.failed:
        print("\n".join(built.failures))
        return 1
    seeds = killing_seeds()

    def search(name):
        step = 50
        for first in range(1, MUTANT_SEARCH_SEEDS + 1, step):
            status, seed, log = run_mutant(name, first, first + step - 1, 3600)
            if status == 1 and seed is not None:
                print(f"{name}: killed by seed {seed}", flush=True)
                return name, seed
            if status != 0:
                print(f"{name}: kq-sim {how_it_ended(status)}, see {log.path}", flush=True)
                return name, None
        print(f"{name}: survived {MUTANT_SEARCH_SEEDS} seeds: the tests are wrong, not the code",
              flush=True)
        return name, None

    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        found = dict(pool.map(search, mutant_names()))
    seeds = {name: seed for name, seed in {**seeds, **found}.items()
             if seed is not None and name in mutant_names()}
    lines = ["# mutant\tseed that kills it (./check mutants writes this)"]
    lines += [f"{name}\t{seed}" for name, seed in sorted(seeds.items())]
    MUTANT_SEEDS.write_text("\n".join(lines) + "\n")
    alive = [name for name, seed in found.items() if seed is None]
    print(f"{len(found) - len(alive)} passed, {len(alive)} failed, 0 skipped")
    return 1 if alive else 0


def main():
    parser = argparse.ArgumentParser(prog="check", description=__doc__)
    parser.add_argument("--started", type=int, default=int(time.time()), help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="name the steps")
    parser.add_argument("step", nargs="*", help="quick, mutants, or steps; default: all of them")
    options = parser.parse_args()
    if options.list:
        for name, _, _, what in STEPS:
            print(f"{name:<12}{what}")
        return 0
    if options.step == ["quick"]:
        return quick()
    if options.step == ["mutants"]:
        return search_mutants()
    known = [name for name, *_ in STEPS]
    for name in options.step:
        if name not in known:
            print(f"check: unknown step '{name}'; ./check --list names them", file=sys.stderr)
            return 1
    return run_steps(options.step or known, options.started)


if __name__ == "__main__":
    sys.exit(main())
