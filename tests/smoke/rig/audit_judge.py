#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Says which changes that a state directory shows are not in its audit log; exit status 1 if there are any,
2 if there is no such state directory, or a log is no regular file.

usage: audit_judge.py STATE_DIRECTORY LOG...

Changes are: each version of the configuration with its number, who and what; each token and each password; each
lock-out that the control plane's logs name; and each request for a change there (a flush, a pause, a list's reload).
A control plane that was killed may take its last entries with it, which are written in the background. A version by
`start` that never came into force has none: its process ended before there was an audit log. A request that 404 or 409
refused after its first entry (status 0) is no change; one that failed otherwise may be.
"""

import collections
import json
import pathlib
import re
import struct
import sys
from urllib.parse import parse_qs

RESULTS = ("pending", "watched_again", "applied", "taken_back", "not_taken", "fallen")


def lines_of(path):
    if path.exists() and not path.is_file():
        raise FileNotFoundError(f"{path}: no regular file")
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def version_read(path):
    """The head of a version's file (dataplane/core/versions/config_version.c); None: it is damaged, or no such format."""
    data = path.read_bytes()
    try:
        if data[:8] != b"WEIRVER\0":
            return None
        form, number, _, _, result = struct.unpack_from(">IIIQI", data, 16)
        at, words = 40, []
        for _ in range(2):
            size = struct.unpack_from(">I", data, at)[0]
            words.append(data[at + 4:at + 4 + size].decode())
            at += 4 + size
        return {"number": number, "result": RESULTS[result], "who": words[0], "what": words[1]} if form == 1 else None
    except (struct.error, UnicodeDecodeError, IndexError):
        return None


def entries_read(state):
    """All entries; a line that a crash has cut is none."""
    out = []
    for path in state.glob("audit.log*"):
        for line in lines_of(path):
            try:
                out.append(json.loads(line))
            except ValueError:
                pass
    return out


def shown(text):
    """As audit_text.c writes it."""
    text = re.sub(r"(?<=weir_)[0-9a-fA-F]+", lambda m: "*" * len(m.group()), text)
    return re.sub(r'[^\x20-\x7e]|["\\]', "?", text.encode().decode("latin-1"))


def names_read(path):
    """Names in a file of tokens or passwords, and of those the revoked ones."""
    lines = [line.split() for line in lines_of(path)[1:] if line]
    return [f[0] for f in lines], [f[0] for f in lines if f[-1] == "revoked"]


def requests_of(entries):
    """Path and parameter `name` of each request that has changed something, or may have."""
    begun, done = collections.Counter(), set()
    for e in entries:
        for name in parse_qs(e.get("query", "")).get("name", []) if "path" in e and "refused" not in e else []:
            if e["status"] == 200:
                done.add((e["path"], name))
            elif e["status"] in (0, 404, 409):
                begun[e["path"], name] += -1 if e["status"] else 1
    return done | {request for request, count in begun.items() if count > 0}


LAST = 3  # requests before a kill


def requests_said(lines):
    """How often each path is asked for a change, by the log of the control plane's runs."""
    runs = [[]]
    for line in lines:
        if "serving, incarnation" in line:
            runs.append([])
        elif found := re.search(r"control: (/[a-z0-9_/]+) .*by |(stopping: signal)", line):
            runs[-1].append(found[1] or found[2])
    said = collections.Counter(runs[-1])
    for run in runs[:-1]:
        said.update(run if run and run[-1] == "stopping: signal" else run[:-LAST])
    del said["stopping: signal"]
    return said


def missing(state, logs):
    """A sentence for each change without an entry, and how many changes there are."""
    state = pathlib.Path(state)
    if not any(True for pattern in ("audit.log*", "config/*.version") for _ in state.glob(pattern)):
        raise FileNotFoundError(f"{state}: neither an audit log nor a version is in it")
    entries = entries_read(state)
    noted = {(e.get("version"), e["who"], e["what"]) for e in entries if "what" in e}
    asked = requests_of(entries)
    # Tries and lock-outs beyond the log's rate are left out, and counted.
    locked = sum("locked out for" in e["what"] for e in entries if "what" in e) + sum(e.get("left_out", 0) for e in entries)
    wanted = []
    for path in state.glob("config/*.version"):
        v = version_read(path)
        if v and (v["who"] != "start" or v["result"] not in ("pending", "not_taken")):
            wanted.append((f"version {v['number']}: {v['what']} by {v['who']}",
                           (v["number"], shown(v["who"]), shown(v["what"])) in noted))
    tokens, revoked = names_read(state / "tokens")
    wanted += [(f"token {n} created", ("/token/create", n) in asked) for n in tokens]
    wanted += [(f"token {n} revoked", ("/token/revoke", n) in asked) for n in revoked]
    wanted += [(f"password of {n} set", ("/password/set", n) in asked)
               for n in names_read(state / "passwords")[0]]
    # A toggle may take more than the role of its path, so that a refusal is after the line in the log.
    replied = collections.Counter(e["path"].removeprefix("/v1") for e in entries
                                  if e.get("status") and ("refused" not in e or e["path"].endswith("/set")))
    for path, count in sum((requests_said(lines_of(pathlib.Path(path))) for path in logs), collections.Counter()).items():
        wanted += [(f"a request of {path}", i < replied[path]) for i in range(count)]
    said = sum(re.search(r"locked out for \d+ s: ", line) is not None
               for path in logs for line in lines_of(pathlib.Path(path)))
    wanted += [("a lock-out", i < locked) for i in range(said)]
    return [text for text, is_there in wanted if not is_there], len(wanted)


def main():
    try:
        gone, count = missing(sys.argv[1], sys.argv[2:])
    except FileNotFoundError as why:
        print(why)
        return 2
    for text in gone:
        print("not in the audit log:", text)
    print(count, "changes")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
