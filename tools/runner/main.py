#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tools/test: choose trees and tests, build, run and judge. Exit status 1 if anything failed, 2 for a wrong argument, 130 interrupted.

WEIR_LONG is set for tests of `long`: they run full rounds and judge rates. Elsewhere WEIR_FUZZ_SHARE is the share of mutations.
"""
import contextlib
import dataclasses
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pages
import parts
import run
import tests

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHORT = {"WEIR_FUZZ_SHARE": "10"}
LONG = {"WEIR_LONG": "1"}
CHANGE_S, CHANGE_LONG_S = 75 * 60, 20 * 60  # of all that `change` runs, and of its parts of long
GATE_PAGES, LONG_PAGES, LEAST_PAGES = 512, 1024, 256
STEADY_TURNS = 3


def built(work, name, tree, nice=0):
    """Builds a tree: True when it is there."""
    script = '. tools/common.sh && build_targets="$1" && shift && build_tree "$@"'
    return work.build(name, ["bash", "-c", script, "x", tree.targets, str(ROOT / tree.folder), *tree.options],
                      {"CC_LD": "mold", **tree.env}, nice) is not None


def with_env(chosen, env):
    for test in chosen:
        test.env = {**env, **test.env}
    return chosen


def gate_tests(name, tree, other):
    """The gate's tests of a tree, and those once more with pages of the other kind."""
    chosen = with_env(tests.of_gate(tests.known(ROOT, name, tree), tree), SHORT)
    if other.prefix:
        chosen += [dataclasses.replace(test, on=other.label, command=other.prefix + test.command) for test in paged(name)]
    return chosen


def paged(name):
    return [test for test in tests.known(ROOT, name, tests.TREES[name]) if name == "test" and test.name in tests.PAGED]


def gate(work, other):
    """Builds the first tree, then the others beside its tests."""
    if not other.prefix:
        work.left_out.append(f"{other.label}: {other.missing}")
    first, *others = tests.TREES.items()
    if not built(work, *first):
        return
    work.add(gate_tests(*first, other))

    def beside(name, tree):
        if built(work, name, tree, nice=10):
            work.add(gate_tests(name, tree, other))
    work.build_beside([lambda each=each: beside(*each) for each in others])
    work.run_pending()


def quick(work):
    if built(work, "plain", tests.QUICK):
        work.add(with_env(tests.of_gate(tests.known(ROOT, "plain", tests.QUICK), tests.QUICK), SHORT))
        work.run_pending()


def smoke(work, names):
    """The smoke tests of the gate, or those named, whatever they belong to."""
    tree = tests.TREES["test"]
    if not built(work, "test", tree):
        return
    every = list(tests.known(ROOT, "test", tree))
    unknown = [name for name in names if f"smoke_{name}" not in {test.name for test in every}]
    if unknown:
        work.broken.append(f"no such smoke test: {' '.join(unknown)}")
        return
    work.add([test for test in every if (test.name.removeprefix("smoke_") in names and test.name.startswith("smoke_") if names
                                         else "smoke" in test.suites and "long" not in test.suites)])
    work.run_pending()


def long(work, chosen, other, until=math.inf):
    """The parts, one after the other, as far as they fit: [(part, tests, seconds)]."""
    trees, package, done = set(), None, []
    if not other.prefix and not other.mounted:
        work.left_out.append(f"long {other.label}: {other.missing}")
    for part in chosen:
        if time.monotonic() + part.seconds > until:
            work.out(f"left to tools/test long: {part.name}, which takes {part.seconds} s")
            continue
        for name in part.trees:
            if name not in trees and built(work, name, tests.TREES[name]):
                trees.add(name)
                work.broken += [f"long: {test.name} is of no part" for test in tests.known(ROOT, name, tests.TREES[name])
                                if "long" in test.suites and not test.suites & {each.name for each in parts.PARTS}]
        if part.package and package is None:
            package = package_made(work, part.name == "package")
        if not trees.issuperset(part.trees) or part.package and not package:
            continue
        if part.targets and not built(work, part.name, dataclasses.replace(tests.TREES[part.trees[0]], targets=part.targets)):
            continue
        begin = time.monotonic()
        mine = tests.of_part([test for name in part.trees for test in tests.known(ROOT, name, tests.TREES[name])], part)
        for test in with_env(mine, {**(LONG if part.full else SHORT), **({"WEIR_DEB": package} if part.package else {})}):
            test.parallel = test.parallel and not part.alone
            if not other.mounted:
                test.command = other.prefix + test.command
        work.out(f"\n== long {part.name}: {len(mine)} tests")
        if not mine:
            work.broken.append(f"long {part.name}: no test")
        work.add(mine)
        work.run_pending()
        done.append((part, mine, time.monotonic() - begin))
    return done


def write_rows(work, done):
    """Rows of the page for the parts that have passed."""
    page = ROOT / parts.PAGE
    for part, mine, seconds in done:
        if mine and {outcome.result for outcome in work.results if outcome.test in mine} == {"OK"}:
            page.write_text(parts.with_row(page.read_text(), part.name, work.commit, seconds, len(mine)))


def package_made(work, twice):
    """The one package that all tests of it install: its path, or an empty text. Twice: two builds are the same."""
    said = work.build("package", [str(ROOT / "tools/package"), "--out", str(ROOT / "build/package"), *["--twice"] * twice], {})
    found = re.findall(r"^(.*/weir_.*\.deb)$", said or "", re.M)
    return found[0] if found else ""


def change(work, other):
    """What CI runs: the gate, then the parts of long that the change makes due."""
    gate(work, other)

    def changed_since(commit):
        names = work.git("diff", "--name-only", commit, "HEAD")
        return None if names is None else names.splitlines()
    chosen, never = parts.due((ROOT / parts.PAGE).read_text(), changed_since)
    if never:
        work.out(f"left to tools/test long: {', '.join(never)}: without a row in {parts.PAGE}")
    return chosen


@contextlib.contextmanager
def busy_loops():
    """One on each CPU; they end with this process, however that ends."""
    loops = [subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"])
             for cpu in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def steady(work, turns, names, other):
    """The gate's tests TURNS times beside a busy loop on each CPU, none of them a second time."""
    chosen = []
    for name, tree in tests.TREES.items():
        if built(work, name, tree):
            chosen += gate_tests(name, tree, other)
    chosen = [test for test in chosen if not names or test.name in names or test.name.removeprefix("smoke_") in names]
    if not chosen:
        work.broken.append("no such test")
    failures = {}
    with busy_loops():
        for turn in range(1, turns + 1):
            before = len(work.results)
            work.add(list(chosen))
            work.run_pending()
            failed = [outcome for outcome in work.results[before:] if outcome.failed]
            work.out(f"\n== turn {turn} of {turns}: {len(failed)} of {len(work.results) - before} failed")
            for outcome in failed:
                failures.setdefault(str(outcome.test), []).append(outcome)
    for name, failed in sorted(failures.items(), key=lambda item: -len(item[1])):
        work.out(f"{len(failed)} of {turns}: {name}")
        for outcome in failed:
            work.out(f"  {outcome.window}: {'; '.join(outcome.said[:2])}")


def end_on_signals():
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(_number, _frame):
        for number in signals:
            signal.signal(number, signal.SIG_IGN)  # a terminal may send several
        raise run.Interrupted
    for number in signals:
        signal.signal(number, end)


def main():
    mode, arguments = sys.argv[1], sys.argv[2:]
    environment = {name: value for name, value in os.environ.items() if name not in (*LONG, *SHORT)}
    chosen = parts.named(arguments) if mode == "long" else []
    end_on_signals()
    work = run.Run(ROOT, mode, environment, retry=mode != "steady", out=lambda text: print(text, flush=True))
    if "WEIR_PACKAGES_S" in environment:
        work.phases.append(("packages", float(environment["WEIR_PACKAGES_S"])))
    interrupted, other = False, None
    try:
        if mode in ("gate", "change", "steady", "long"):
            other = pages.Pages(LONG_PAGES if mode == "long" else GATE_PAGES, LEAST_PAGES)
        if mode == "gate":
            gate(work, other)
        elif mode == "quick":
            quick(work)
        elif mode == "smoke":
            smoke(work, arguments)
        elif mode == "steady":
            turns = int(arguments[0]) if arguments and arguments[0].isdigit() else STEADY_TURNS
            steady(work, turns, arguments[1:] if arguments and arguments[0].isdigit() else arguments, other)
        elif mode == "change":
            due = change(work, other)
            other.close()
            other = pages.Pages(LONG_PAGES, LEAST_PAGES)
            long(work, due, other, min(work.began + CHANGE_S, time.monotonic() + CHANGE_LONG_S))
        done = long(work, chosen, other) if mode == "long" else []
        work.run_again()
        write_rows(work, done)
    except run.Interrupted:
        interrupted = True
        work.stop()
    finally:
        if other:
            other.close()
    good = work.summary(interrupted)
    sys.exit(130 if interrupted else 0 if good else 1)


if __name__ == "__main__":
    main()
