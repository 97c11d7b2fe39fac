#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which allocation sites hold memory for long that nobody answers for: in a soak, each site whose blocks outlive ten minutes
belongs to a table of tools/lint/memory.txt, or is there as a named exception that says it stays.

usage: soak_sites.py SAMPLES    lines of `weirctl --json mem accounts`, of both processes; prints one line per site that is
                                wrong, and ends with status 1 if there is one, with 2 when the samples are of less than ten minutes

Sites carry exact counts, so the verdict is no guess. The data plane shows those with the most bytes, without how many blocks
were ever made. A site that no line of memory.txt names may not hold a byte through ten
minutes. Blocks of "= of one request" and the like may not live that long: more blocks at the start than were freed since
means that some did. No exception may grow: its fewest blocks in the last third are at most its most in the first third, and a
quarter.
"""
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "tools/lint"))
import memory  # noqa: E402

LONG_S = 600
GROWTH = 1.25  # the look itself is a request, and as large as what it says
ROOT = pathlib.Path(__file__).resolve().parents[3]


def place(name):
    """Of "function (file.c:12)" function and file; of a library's name, with or without its caller, the library."""
    match = re.fullmatch(r"(\S+) \((\S+):\d+\)", name)
    return match.groups() if match else (None, "library:" + name.split()[0])


def rows_for(rows, name):
    function, file = place(name)
    return [r for r in rows if r.covers(r.file.rsplit("/", 1)[0] + "/" + file if "/" in r.file else file, function)]


def lives(samples):
    """The samples of each life of a process: site -> [(seconds, bytes, blocks, freed; None: not known)]."""
    found = {}
    for sample in samples:
        other = sample.get("dataplane", {})
        for pid, sites in ((sample["process"]["pid"], sample["sites"]), (other.get("pid"), other.get("sites", []))):
            life = found.setdefault(pid, {}) if sites else {}
            for s in sites:
                freed = s["made"] - s["blocks"] if "made" in s else None
                life.setdefault(s["name"], []).append((sample["unix_s"], s["bytes"], s["blocks"], freed))
            for points in life.values():  # not among those with the most bytes: perhaps it holds none
                if points[-1][0] != sample["unix_s"]:
                    points.append((sample["unix_s"], 0, 0, None))
    return found.values()


def windows(points):
    """Parts of the samples, each of ten minutes."""
    start = 0
    for i, point in enumerate(points):
        if point[0] - points[start][0] >= LONG_S:
            yield points[start:i + 1]
            start = i


def grows(points):
    third = (points[-1][0] - points[0][0]) / 3
    first = [p[2] for p in points if p[0] <= points[0][0] + third]
    last = [p[2] for p in points if p[0] >= points[-1][0] - third]
    return min(last) > GROWTH * max(first)


def judge(rows, name, points):
    """What is wrong with a site, or None."""
    found = rows_for(rows, name)
    if any(r.tables for r in found):
        return None
    for window in windows(points):
        least = min(p[1] for p in window)
        survived = 0 if window[0][3] is None else window[0][2] - (window[-1][3] - window[0][3])
        if not found and least > 0:
            return f"{name}: {least} bytes through {LONG_S} s, and {memory.BOOK} does not say for which table"
        if found and found[0].reason.startswith("of one ") and survived > 0:
            return f"{name}: {survived} blocks outlive {LONG_S} s, and are \"{found[0].reason}\" ({memory.BOOK})"
    if found and not found[0].reason.startswith("one for each ") and list(windows(points)) and grows(points):
        return f"{name}: grew from {points[0][2]} to {points[-1][2]} blocks, and is \"{found[0].reason}\" ({memory.BOOK})"
    return None


def wrong(samples, rows=None):
    """One line per site that is wrong; None when no life of a process has ten minutes of samples."""
    rows, lines, seen = rows or memory.read(ROOT), [], False
    for life in lives(samples):
        seen = seen or any(True for points in life.values() for _ in windows(points))
        lines += [line for name, points in sorted(life.items()) if (line := judge(rows, name, points))]
    return lines if seen else None


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1]) as f:
        lines = wrong(json.loads(line) for line in f)
    if lines is None:
        print(f"soak_sites: samples of less than {LONG_S} s", file=sys.stderr)
        sys.exit(2)
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
