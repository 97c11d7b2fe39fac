#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What earlier runs of tools/test measured. One line a test of a run, and one of the run itself, in a file outside the checkout.

$WEIR_HISTORY, or weir/tests.tsv in $XDG_STATE_HOME (~/.local/state): columns COLUMNS, text without tabs. The line of a run has the
tree `run` and the name of what was run (gate, long, steady). The file keeps its last LINES_MAX lines.

usage: history.py slowest|dearest|again|runs [N]    (tools/results)
"""
import os
import pathlib
import re
import statistics
import sys
import typing

LINES_MAX, SHOWN = 200_000, 20


class Line(typing.NamedTuple):
    run: str       # its start, 2026-11-27T01:02:03; `*` and a number behind it for a turn of steady
    commit: str
    tree: str
    name: str
    result: str    # OK, FAIL, TIMEOUT, SKIP, INTERRUPTED
    seconds: float
    tries: int
    measured: str  # "CPU 1.5 s, " and starved.Window of the first try


def path():
    state = os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local/state"
    return pathlib.Path(os.environ.get("WEIR_HISTORY") or pathlib.Path(state) / "weir/tests.tsv")


def append(lines, to=None):
    file = to or path()
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a", encoding="utf-8") as out:
        for line in lines:
            out.write("\t".join(f"{value:.1f}" if isinstance(value, float) else str(value).replace("\t", " ") for value in line) + "\n")
    kept = file.read_text(encoding="utf-8").splitlines(keepends=True)
    if len(kept) > LINES_MAX:
        part = file.with_suffix(".part")
        part.write_text("".join(kept[-LINES_MAX // 2:]), encoding="utf-8")
        part.replace(file)


def read(source=None):
    """Every line that can be read; one that was cut off is left out."""
    try:
        text = (source or path()).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = []
    for cells in (row.split("\t") for row in text.splitlines()):
        try:
            lines.append(Line(*cells[:5], float(cells[5]), int(cells[6]), cells[7]))
        except (IndexError, ValueError):
            pass
    return lines


def last_seconds(lines):
    """(tree, name) -> seconds of the last time that it passed."""
    return {(line.tree, line.name): line.seconds for line in lines if line.result == "OK"}


def cpu_s(line):
    found = re.match(r"CPU ([0-9.]+) s", line.measured)
    return float(found[1]) if found else None


def most(lines, count, seconds_of):
    times = {}
    for line in lines:
        if line.tree != "run" and line.result == "OK" and seconds_of(line) is not None:
            times.setdefault((line.tree, line.name), []).append(seconds_of(line))
    order = sorted(times.items(), key=lambda item: -statistics.median(item[1][-10:]))
    yield "  median       last  times  test"
    for (tree, name), seconds in order[:count]:
        yield f"{statistics.median(seconds[-10:]):6.1f} s {seconds[-1]:8.1f} s {len(seconds):6}  {tree} {name}"


def slowest(lines, count):
    return most(lines, count, lambda line: line.seconds)


def dearest(lines, count):
    return most(lines, count, cpu_s)


def again(lines, count):
    yield "times  of  last run             measured                                          test"
    runs, needed = {}, {}
    for line in lines:
        if line.tree != "run":
            runs[line.tree, line.name] = runs.get((line.tree, line.name), 0) + 1
            if line.tries > 1:
                needed.setdefault((line.tree, line.name), []).append(line)
    for key, found in sorted(needed.items(), key=lambda item: -len(item[1]))[:count]:
        yield f"{len(found):5} {runs[key]:3}  {found[-1].run:19}  {found[-1].measured:48}  {' '.join(key)}"


def runs(lines, count):
    yield "start                commit    what     result      seconds  tests  failed  again"
    of_run = {}
    for line in lines:
        of_run.setdefault(line.run, []).append(line)
    for run, found in list(of_run.items())[-count:]:
        tests = [line for line in found if line.tree != "run"]
        whole = next((line for line in found if line.tree == "run"), found[-1])
        failed = sum(line.result not in ("OK", "SKIP") for line in tests)
        yield (f"{run:19}  {whole.commit:8}  {whole.name:7}  {whole.result:11} {whole.seconds:7.0f} {len(tests):6} {failed:7} "
               f"{sum(line.tries > 1 for line in tests):6}")


def main():
    views = {"slowest": slowest, "dearest": dearest, "again": again, "runs": runs}
    arguments = sys.argv[1:]
    if not arguments or arguments[0] not in views or len(arguments) > 2 or not all(a.isdigit() for a in arguments[1:]):
        print(f"usage: tools/results {'|'.join(views)} [N]", file=sys.stderr)
        sys.exit(2)
    print("\n".join(views[arguments[0]](read(), int(arguments[1]) if arguments[1:] else SHOWN)))


if __name__ == "__main__":
    main()
