#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The parts of `tools/test long`, and the page that says when each of them last passed.

A part has the tests of the suite of its name. A change of a file that fits one of its patterns (fnmatch; `*` also stands for `/`)
makes it due: .ci/run then runs it after the gate. A row of PAGE is | part | passed | commit | seconds | tests |, written when it passes.
"""
import dataclasses
import fnmatch
import re
import sys
import time

PAGE = "docs/measurements/long-parts.md"


@dataclasses.dataclass
class Part:
    name: str
    seconds: int           # until PAGE knows better
    files: str             # patterns
    alone: bool = True     # its tests judge rates, or use the whole machine
    trees: tuple = ("test",)
    package: bool = False  # its tests install WEIR_DEB
    suites: frozenset = frozenset()  # whose tests of the gate it runs as well
    full: bool = True      # with WEIR_LONG, else with the gate's rounds
    targets: str = ""      # of ninja in its first tree, beside those of the tree


# The cheap ones first, for .ci/run takes them in this order as long as its time allows.
PARTS = [
    Part("page", 180, "controlplane/page/* tests/smoke/page_* tests/smoke/rig/page*", alone=False),
    Part("clickhouse", 120, "controlplane/querylog/clickhouse/* tests/smoke/clickhouse_* tests/smoke/rig/clickhouse_*", alone=False),
    Part("imports", 150, "tools/import/* tests/smoke/twins_test.py tests/smoke/rig/*twin*", alone=False),
    Part("conformance", 300, "tests/conformance/* controlplane/tls/* controlplane/doh/*", alone=False),
    Part("package", 420, "tools/package tools/packages tools/debian/* tools/systemd/* tools/system/* meson.build"
         " meson_options.txt dataplane/*meson.build controlplane/*meson.build tools/*meson.build tests/smoke/package_test.sh"
         " tests/smoke/setup_test.sh tools/ctl/setup/*", package=True),
    Part("container", 420, "tools/container/* tests/smoke/container_test.sh tests/smoke/rig/container_bundle.py tools/ctl/setup/*", alone=False, package=True),
    Part("bare", 600, "tools/bare tools/packages tools/common.sh tools/package tools/container/Containerfile", alone=False),
    Part("trixie", 1500, "tools/bare tools/packages tools/common.sh tools/package *meson.build meson_options.txt include/weir/* dataplane/xdp/*"
         " dataplane/port/* dataplane/stage/* controlplane/l1/* controlplane/recursor/* controlplane/validator/* controlplane/transfer/*"
         " controlplane/tls/*", alone=False),
    Part("redis", 420, "controlplane/l1/* tests/smoke/redis_test.sh tests/smoke/rig/redis_*"),
    Part("kills", 600, "include/weir/fault.h tests/fault/* tests/smoke/fault_*", alone=False),
    Part("release", 900, "tools/release tools/bare tools/package tools/version tools/packages tools/debian/* tests/smoke/release_test.sh", alone=False),
    Part("vm", 1500, "tools/vm tools/machine/* tests/vm/* tools/debian/* tools/systemd/* dataplane/port/* dataplane/xdp/*", package=True),
    Part("race", 330, "tests/smoke/race_test.sh tests/smoke/rig/race_drive.py tests/tsan/* tools/tsan*", trees=("tsan",)),
    Part("fuzz", 420, "tests/fuzz/*", alone=False, trees=("asan",), suites=frozenset({"fuzz"})),
    Part("leaks", 2400, "controlplane/memory/* tools/leaks* tools/memtest", alone=False, trees=("test", "asan")),
    Part("chaos", 900, "tools/chaos tests/scribble/* tests/smoke/chaos_test.sh tests/smoke/rig/chaos_*", trees=("test", "asan")),
    Part("huge", 900, "dataplane/core/shm/* controlplane/shm/*", alone=False, suites=frozenset({"smoke"}), full=False),
    Part("benches", 1500, "tests/bench/* tools/bench tools/loadgen/*", targets="bench-programs"),
    Part("arm64", 1200, "tools/bare tools/packages tools/common.sh tools/arm64.cross *meson.build include/weir/page.h"
         " dataplane/core/os/* dataplane/core/mem/* include/weir/os/* controlplane/memory/*", alone=False),
    Part("arm64_whole", 7200, "tools/arm64.cross", alone=False),
    Part("vm_arm64", 7200, "tools/machine/kind.py tools/machine/image.py tests/vm/arm64_test.py", alone=False),
    Part("fleet", 600, "tools/fleet-lab tools/fleet-pair.sh tools/lab tools/lab.sh tools/announce/* controlplane/sync/* controlplane/api/drain.*"
         " tests/smoke/fleet_*lab* tests/smoke/rig/fleet_load.py"),
    Part("soak", 210, "tools/soak tests/smoke/rig/soak_*"),
    Part("strangers", 900, "tools/strangers/*"),
]


def named(names):
    """The parts of these names, all without any. Ends the program with exit status 2 if a part is unknown."""
    unknown = [name for name in names if name not in {part.name for part in PARTS}]
    if unknown:
        print(f"tools/test long: no part {' '.join(unknown)}; the parts are: {' '.join(part.name for part in PARTS)}", file=sys.stderr)
        sys.exit(2)
    return [part for part in PARTS if not names or part.name in names]


def passed(text):
    """The rows of the page: part -> (commit, seconds)."""
    rows = re.findall(r"^\| (\w+) \| [\d-]+ \| ([0-9a-f]+) \| ([\d,]+) \|", text, re.M)
    return {name: (commit, int(seconds.replace(",", ""))) for name, commit, seconds in rows}


def with_row(text, name, commit, seconds, tests):
    """The page with a row for a part that has passed."""
    row = f"| {name} | {time.strftime('%Y-%m-%d')} | {commit} | {seconds:,.0f} | {tests} |"
    new, times = re.subn(rf"^\| {name} \|.*\|$", row, text, flags=re.M)
    return new if times else text.rstrip("\n") + "\n" + row + "\n"


def due(text, changed_since):
    """(parts that a change makes due, with the seconds that they last took; names of parts that have never passed)

    changed_since(commit) -> names of files that differ, or None where that commit is not known: then a part is due. What has never
    passed says nothing of a change: `tools/test long PART` writes its first row."""
    rows, chosen = passed(text), []
    for part in PARTS:
        if part.name not in rows:
            continue
        commit, seconds = rows[part.name]
        files = changed_since(commit)
        if files is None or any(fnmatch.fnmatch(file, pattern) for file in files for pattern in part.files.split()):
            chosen.append(dataclasses.replace(part, seconds=seconds))
    return chosen, [part.name for part in PARTS if part.name not in rows]


if __name__ == "__main__":
    named(sys.argv[1:])
