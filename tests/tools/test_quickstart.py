# SPDX-License-Identifier: Apache-2.0
"""./quickstart: does its main job, and says what is missing. Packages and the build are played."""

import os
import shutil
import stat

from harness import Skipped

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def no_broker(test):
    test.needs_no_broker = True
    return test


def checkout(t, **played):
    """A directory with ./quickstart in it and the programs built; `played` commands answer so."""
    for path in ["quickstart", "cmake/setup"]:
        os.makedirs(os.path.dirname(os.path.join(t.directory, path)), exist_ok=True)
        shutil.copy(os.path.join(SOURCE, path), os.path.join(t.directory, path))
    os.makedirs(os.path.join(t.directory, "build"))
    os.symlink(t.bin, os.path.join(t.directory, "build", "bin"))
    for name, script in played.items():
        path = t.file("played/" + name.replace("_", "-"), "#!/bin/sh\n" + script + "\n")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return {"PATH": os.path.join(t.directory, "played") + os.pathsep + os.environ["PATH"],
            "TMPDIR": t.directory}


ALL_THERE = {"apt_get": "exit 1", "dpkg_query": "echo installed", "cmake": 'echo "$*" >>asked'}


@no_broker
def test_the_main_job_is_done(t):
    if not os.path.exists("/usr/share/dict/words") and not os.path.isdir("/usr/include/c++"):
        raise Skipped("there is no large file of text")
    env = checkout(t, **ALL_THERE)
    ran = t.status(t.sh("./quickstart", env=env), 0)
    for line in ["1. packages", "2. build", "3. the main job: ", "every byte came back after a restart",
                 "written ", "restart ", "Try next"]:
        t.contains(ran.out, line)
    asked = open(os.path.join(t.directory, "asked")).read()
    t.contains(asked, "--build --preset release")
    left = [name for name in os.listdir(t.directory) if name.startswith("kq-quickstart")]
    t.equal(left, [], "what it made for itself is gone")
    t.equal(t.status(t.sh("./quickstart --what", env=env), 2).out, "")


@no_broker
def test_a_missing_package_is_said_in_one_line(t):
    env = checkout(t, **dict(ALL_THERE, id="echo 1000", sudo="exit 1", dpkg_query=(
        'case "$*" in *libre2-dev|*ninja-build) exit 1;; esac; echo installed')))
    ran = t.status(t.sh("./quickstart", env=env), 2)
    lines = [line for line in ran.err.splitlines() if line.startswith("apt-get ")]
    t.equal(lines, ["apt-get install --no-install-recommends -y ninja-build libre2-dev"])
    t.true(not os.path.exists(os.path.join(t.directory, "asked")), "something was built")


@no_broker
def test_a_build_that_fails_shows_its_last_words(t):
    env = checkout(t, **dict(ALL_THERE, cmake='echo "no compiler is here"; exit 1'))
    ran = t.status(t.sh("./quickstart", env=env), 1)
    t.contains(ran.err, "no compiler is here")
    t.contains(ran.err, "quickstart: the build failed")
