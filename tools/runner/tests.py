#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The trees that tools/test builds, the tests that meson knows in each, and which of them a run takes.

A suite `long` marks a test that only `tools/test long` runs; `slow` one that `tools/test quick` leaves out. The other suites say what
a test is, or to which part of `long` it belongs (parts.py). Each tree runs the suites of TREES alone.

usage: tests.py TREE    what `meson setup` takes for that tree, for other tools that build it
"""
import dataclasses
import json
import pathlib
import sys

# Tests with a lab: processes of weir in namespaces. They wait for most of their time.
LABS = {"smoke", "conformance", "fault", "leak", "scribble", "lost", "race", "vm", "machine"}
# Tests that the gate runs once more on huge pages, or without on a machine that has them.
PAGED = {"shm_region", "smoke_memory", "smoke_restart"}
O1 = ["-Doptimization=1", "-Dc_args=-g1"]
PRODUCT = "dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl"


@dataclasses.dataclass
class Tree:
    folder: str
    targets: str           # of ninja; `default` is what a plain ninja builds
    suites: set            # that run here
    without: set = dataclasses.field(default_factory=set)
    options: list = dataclasses.field(default_factory=list)  # of meson setup
    env: dict = dataclasses.field(default_factory=dict)      # of its build; of its tests: test_env
    test_env: dict = dataclasses.field(default_factory=dict)
    patience: int = 3      # factor of meson's time-outs, which are for tests that hang


# In the order in which they are built, each with -O1 and few symbols: they are compiled for one run. What a malloc of glibc returns is
# filled, so that what is not set shows. What clang says of a build without asserts is a test (tools/lint/clang.py).
TREES = {
    "test": Tree("build-test", "default plain-tests tests/unit/unit-core-shm fault-tests",
                 {"model", "tsan", "script", "lint", "plain", "smoke", "conformance", "fault", "leak"},
                 options=["-Dfault_points=true", "-Dleak_demo=true", *O1], test_env={"MALLOC_PERTURB_": "165"}),
    "asan": Tree("build-asan", f"unit-tests dp-tests fuzz-tests {PRODUCT} tests/scribble/scribble",
                 {"unit", "fuzz", "dp", "scribble", "lost"}, {"unsanitized"}, ["-Db_sanitize=address,undefined", *O1],
                 test_env={"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"},
                 patience=5),
    "tsan": Tree("build-tsan", "tsan-tests " + PRODUCT, {"tsan", "race"}, options=["-Db_sanitize=thread", *O1], patience=10),
}
QUICK = Tree("build", "default unit-tests dp-tests fuzz-tests", {"unit", "dp", "fuzz", "lint", "script"}, {"slow"},
             # A table that malloc fills is all of it touched: seven times the CPU time. AddressSanitizer fills what is small.
             test_env={"MALLOC_PERTURB_": "0"})


@dataclasses.dataclass
class Test:
    tree: str
    name: str
    suites: set
    command: list
    env: dict
    folder: str
    timeout: float
    parallel: bool
    priority: int = 0      # seconds that it takes, where that is long
    on: str = ""           # why it runs a second time: "on huge pages"

    @property
    def lab(self):
        return bool(self.suites & LABS)

    def __str__(self):
        return f"{self.tree}: {self.name}" + (f" {self.on}" if self.on else "")


def known(root, name, tree):
    """Every test that the tree's meson knows."""
    folder = pathlib.Path(root) / tree.folder
    real = {"WEIR_BUILD": str(pathlib.Path(root) / TREES["test"].folder)}  # for a test that runs the real programs of another tree
    with open(folder / "meson-info/intro-tests.json", encoding="utf-8") as described:
        for test in json.load(described):
            yield Test(name, test["name"], {suite.partition(":")[2] for suite in test["suite"]}, test["cmd"],
                       {**real, **tree.test_env, **test["env"]}, test["workdir"] or str(folder), test["timeout"] * tree.patience,
                       test["is_parallel"], test["priority"])


def of_gate(tests, tree):
    return [test for test in tests if test.suites & tree.suites and not test.suites & (tree.without | {"long"})]


def of_part(tests, part):
    """Those of a part of `long`, each in the first tree that has it."""
    chosen = {}
    for test in tests:
        if part.name in test.suites or part.suites & test.suites and "long" not in test.suites:
            chosen.setdefault(test.name, test)
    return list(chosen.values())


if __name__ == "__main__":
    print(*TREES[sys.argv[1]].options)
