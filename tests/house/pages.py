#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manuals that are made from tables: kq-broker.toml(5) and the properties in kq-config.toml(5)
from base/config, kq-errors(7) from base/errors.def.

  tests/house/pages.py     writes them anew; the rules of the house say when they are out of date
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ROW = re.compile(
    r'KQ_(?P<internal>INTERNAL_)?CONFIG\("(?P<name>[^"]+)", (?P<type>\w+), (?P<fallback>"[^"]*"|\w+), '
    r'(?P<valid>\w+(?:\([^)]*\))?), (?P<mode>\w+), (?P<importance>\w+), "(?P<synonyms>[^"]*)", '
    r'(?P<unit>\w+), (?P<effect>\w+),\s*"(?P<sentence>[^"]*)"\)')
CLIENT_ROW = re.compile(ROW.pattern.replace(r'CONFIG\("', r'CONFIG\((?P<scopes>[a-z |]+), "'))
REFUSAL = re.compile(r'^    \{"([\w.]+)", \w+\},|^    \{"([\w.]+)", "', re.M)
ERROR = re.compile(r'KQ_ERROR\(\w+, (-?\d+), "(\w+)", (true|false), "([^"]*)"\)')

TYPES = {"boolean": "true or false", "string": "text", "int32": "number", "int16": "number",
         "int64": "number", "real": "number", "list": "list", "class_name": "Java class",
         "password": "secret"}
UNITS = {"none": "", "microseconds": "us", "milliseconds": "ms", "seconds": "s", "minutes": "min",
         "hours": "h", "bytes": "bytes"}


def escaped(text):
    """Text for a line of mdoc."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"`([^`]*)`", r"\\(oq\1\\(cq", text)
    return "\\&" + text if text.startswith((".", "'")) else text


def sentences(text):
    """One sentence a line, as mdoc likes it."""
    return "\n".join(escaped(s) for s in re.split(r"(?<=[.;:]) (?=[A-Z])", text))


def bounds(valid):
    match = re.match(r"(\w+)(?:\(([^)]*)\))?", valid)
    kind, inside = match[1], match[2] or ""
    if kind == "at_least":
        return f"at least {inside}"
    if kind in ("between", "real_between"):
        low, high = inside.split(", ")
        return f"{low} to {high}"
    if kind == "between_or":
        low, high, also = inside.split(", ")
        return f"{low} to {high}, or {also}"
    if kind in ("one_of", "any_case"):
        return "one of " + ", ".join(inside.strip('"').split())
    if kind == "list_of":
        return "of " + ", ".join(inside.strip('"').split())
    return "not empty" if kind == "not_empty" else ""


def rows(root, path):
    return [m.groupdict() for m in ROW.finditer((root / path).read_text())]


def facts(row):
    parts = [TYPES[row["type"]]]
    unit = UNITS[row["unit"]]
    if unit:
        parts[0] = {"bytes": "size in bytes"}.get(unit, f"time in {unit}")
    limit = bounds(row["valid"])
    if limit:
        parts.append(limit)
    if row["fallback"].startswith('"'):
        value = row["fallback"].strip('"')
        parts.append(f"default {value}" if value else "default empty")
    elif row["fallback"] == "required":
        parts.append("must be given")
    return ", ".join(parts)


def item(row):
    return f".It Cm {row['name'].replace('-', chr(92) + '-')}\n({escaped(facts(row))})\n" + \
        sentences(row["sentence"])


def broker_toml(root):
    table = [r for r in rows(root, "libkq/base/config/broker.def") if not r["internal"]]
    topics = [r for r in rows(root, "libkq/base/config/topic.def") if not r["internal"]]
    acted = [r for r in table if r["effect"] == "acted_on"]
    accepted = [r for r in table if r["effect"] == "accepted"]
    of_topics = [r for r in topics if r["effect"] == "acted_on"]
    out = [r""".\" SPDX-License-Identifier: Apache-2.0
.\" Made from the tables in libkq/base/config by tests/house/pages.py.
.Dd November 21, 2026
.Dt KQ-BROKER.TOML 5
.Os kq
.Sh NAME
.Nm kq-broker.toml
.Nd settings of a kq broker, and of topics
.Sh DESCRIPTION
.Xr kq-broker 8
reads its settings from the file that
.Fl Fl config
names.
A file whose name ends in
.Pa .properties
is read as Apache Kafka would read it; every other file is TOML, where dotted keys are Kafka's names:
.Bd -literal -offset indent
node.id = 1
listeners = ["PLAINTEXT://127.0.0.1:9092"]

[log]
dirs = ["/var/lib/kq"]
retention.ms = "7d"
segment.bytes = "256MiB"
.Ed
.Pp
TOML lets the names of one table stand in one place only: beside
.Li [log]
there is no
.Li log.dirs
above it.
.Pp
Times and sizes may bear a unit:
.Cm us , ms , s , m , h , d , w ;
.Cm KB , MB , GB
of 1000 and
.Cm KiB , MiB , GiB
of 1024.
A bare number counts what the setting says.
A name that begins with another whole name has to be quoted in TOML:
.Bd -literal -offset indent
max.connections = 1000
"max.connections.per.ip" = 50
.Ed
.Pp
A name that is in no table stops the broker with the file, the line and the nearest name; in a
.Pa .properties
file it does so only if a known name is near, because plug\-ins of Kafka read names of their own there.
.Ic kq-broker check
prints what counts and where it came from.
.Sh SETTINGS OF BROKERS
kq acts on these:
.Bl -tag -width Ds"""]
    out += [item(r) for r in acted]
    out.append(r""".El
.Sh SETTINGS OF TOPICS
These are given to
.Ic kq-topics create
with
.Fl c ;
a topic that does not say takes the broker's.
kq acts on these:
.Bl -tag -width Ds""")
    for row in of_topics:
        text = item(row)
        if row["synonyms"]:
            names = row["synonyms"].split()
            text += "\nThe broker's: " + ", ".join(escaped(n) for n in names) + "."
        out.append(text)
    out.append(r""".El
.Sh SETTINGS WITHOUT EFFECT
These are known, checked and shown, because a file of Kafka's is taken as it is; kq does nothing with them today:
.Bl -tag -width Ds""")
    out += [item(r) for r in accepted]
    out.append(r""".El
.Sh EXAMPLES
A broker that listens on all addresses and is reached as kq.example.org:
.Bd -literal -offset indent
listeners = "PLAINTEXT://0.0.0.0:9092"
advertised.listeners = "PLAINTEXT://kq.example.org:9092"
log.dirs = ["/var/lib/kq"]
.Ed
.Sh SEE ALSO
.Xr kq-topics 1 ,
.Xr kq-errors 7 ,
.Xr kq-broker 8""")
    return "\n".join(out) + "\n"


def client_rows(root):
    text = (root / "libkq/base/config/client.def").read_text()
    return [m.groupdict() for m in CLIENT_ROW.finditer(text)]


def config_toml(root):
    """The page as it is, with its lists of properties made anew."""
    page = (root / "man/kq-config.toml.5").read_text()
    programs = {"producer": "kq-produce", "consumer": "kq-consume", "admin": "kq-topics"}
    named = {}
    for row in client_rows(root):
        if row["effect"] == "acted_on":
            scopes = row["scopes"].replace("clients", "producer|consumer|admin").split("|")
            named.setdefault(row["name"], (row, []))[1].extend(programs[s.strip()] for s in scopes)
    counting = []
    for name, (row, users) in sorted(named.items()):
        what = facts({**row, "fallback": "null"})
        who = "every program" if len(users) == 3 else ", ".join(users)
        counting.append(f".It Cm {escaped(name)}\n({escaped(what)}; {escaped(who)})\n" +
                        sentences(row["sentence"]))
    text = (root / "libkq/client/options.cpp").read_text()
    table = text.split("refusals[] = {")[1].split("\n};")[0]
    refused = [a or b for a, b in REFUSAL.findall(table)]
    lists = {"counting": "\n".join(counting),
             "refused": "\n".join(f".Cm {n}{'*' if n.endswith('.') else ''} ,"
                                  for n in refused)[:-1] + "."}
    for name, made in lists.items():
        page = re.sub(rf'(\.\\" made: {name}\n).*?(\.\\" end\n)',
                      lambda m: m[1] + made + "\n" + m[2], page, flags=re.S)
    return page


def errors(root):
    table = [(int(n), name, retriable == "true", text) for n, name, retriable, text in
             ERROR.findall((root / "libkq/base/errors.def").read_text())]

    def items(chosen):
        for number, name, retriable, text in chosen:
            again = " A later try may succeed." if retriable else ""
            first = text[0].upper() + text[1:] + "."
            yield f".It Er {name} Pq {number}\n" + sentences(first + again)

    kafka = sorted(r for r in table if r[0] >= -1)
    ours = sorted((r for r in table if r[0] < -1), reverse=True)
    out = [r""".\" SPDX-License-Identifier: Apache-2.0
.\" Made from libkq/base/errors.def by tests/house/pages.py.
.Dd November 21, 2026
.Dt KQ-ERRORS 7
.Os kq
.Sh NAME
.Nm kq-errors
.Nd error codes of brokers and programs
.Sh DESCRIPTION
Every program of kq ends an error message with a code in brackets, but where the command line itself
is wrong (status 2; with
.Fl f Cm json
the code is KQ_USAGE):
.Bd -literal -offset indent
kq-topics: cannot describe 'orders': there is no topic 'orders' [UNKNOWN_TOPIC_OR_PARTITION]
.Ed
.Pp
Codes are for scripts and for looking up; they do not change.
The exit status tells the kind of failure; see the manual of the program.
.Sh CODES OF BROKERS
These are Kafka's, and travel between clients and brokers:
.Bl -tag -width Ds"""]
    out += items(kafka)
    out.append(r""".El
.Sh CODES OF PROGRAMS
These are faults on this side, and never travel:
.Bl -tag -width Ds""")
    out += items(ours)
    out.append(r""".El
.Sh SEE ALSO
.Xr kq 1 ,
.Xr kq-broker 8""")
    return "\n".join(out) + "\n"


PAGES = {"man/kq-broker.toml.5": broker_toml, "man/kq-config.toml.5": config_toml,
         "man/kq-errors.7": errors}


def main():
    for path, make in PAGES.items():
        place = ROOT / path
        place.parent.mkdir(exist_ok=True)
        place.write_text(make(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
