#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The runner of tools/test: which tests it chooses, in which order it runs them, when it runs one again, and its history."""
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import types

import history
import main
import parts
import run
import starved
import tests

folder = tempfile.TemporaryDirectory()
root = pathlib.Path(folder.name)
os.environ["WEIR_HISTORY"] = str(root / "state/tests.tsv")
failures = []


def same(what, want, got):
    if want != got:
        failures.append(f"{what}: {got!r}, not {want!r}")


def a_test(name, script, **other):
    return tests.Test(**{"tree": "plain", "name": name, "suites": {"unit"}, "command": ["sh", "-c", script], "env": {}, "folder": str(root),
                         "timeout": 20, "parallel": True, **other})


def a_run(chosen, windows=None, again=True):
    """(Run, its output, whether it was good); windows: test name -> the Window that the sampler is to have measured."""
    said = []
    work = run.Run(root, "gate", dict(os.environ), retry=again, out=said.append)
    if windows is not None:
        execute = work.execute

        def measured(test):
            outcome = execute(test)
            outcome.window = windows.get(test.name, starved.Window(1))
            return outcome
        work.execute = measured
    work.add(chosen)
    work.run_pending()
    work.run_again()
    good = work.summary()
    return work, "\n".join(said), good


def ends(command):
    """Within 20 s: what was killed may wait for a CPU to die on."""
    try:
        subprocess.run(["pidwait", "-fx", command], timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return True


def results(work):
    return {outcome.test.name: (outcome.result, outcome.tries) for outcome in work.results}


# Windows
looks = [(0.0, 0.0, 0.0, 2), (10.0, 1.0, 4.0, 4), (20.0, 9.0, 8.0, 6), (30.0, 9.0, 8.0, 99)]
window = starved.window_of(2, 12, [(1, 0, 0.5), (2.1, 0, 0.3), (5, 0, 0.2), (6, 1, 0.1), (30, 1, 9)], looks, 2)
same("stalls: of the worst CPU, the part that lies in the window", 0.3, round(window.stalls_s, 3))
same("steal: of both CPUs", 9 / 20 / 2, window.steal)
same("pressure", 8 / 20, window.pressure)
same("tasks a CPU", 2, window.tasks)
same("no reason: quiet", None, starved.Window(10, 0.25, 0.05, 1, 8).reason())
same("a reason: stalls", "stalls 1.3 of 21 s", starved.Window(21, 1.3).reason())
same("a reason: tasks", "9 tasks a CPU for 21 s", starved.Window(21, tasks=9).reason())
same("a reason: steal", "steal 6 % of 21 s", starved.Window(21, 0, 0.06).reason())
sampler = starved.Sampler()
began = time.monotonic()
time.sleep(0.1)
same("a sampler measures a window as long as it was", True, 0.09 < sampler.measured(began, time.monotonic()).seconds < 5)

# CPU time
burn = f"'{sys.executable}' -c 'import time\nwhile time.process_time() < 0.3: pass'; true"
work, _, _ = a_run([a_test("burns in a child", burn), a_test("sleeps", "sleep 0.01")])
spent = {outcome.test.name: outcome.cpu_s for outcome in work.results}
same("CPU time is a test's and its children's", (True, True), (spent["burns in a child"] >= 0.3, spent["sleeps"] < 0.3))
same("the dearest come first", "burns in a child", list(history.dearest(history.read(), 2))[1].split("plain ")[1])

# Results
work, text, good = a_run([a_test("passes", "exit 0"), a_test("fails", "echo 'not ok 1 - x'; exit 1"), a_test("skips", "echo no root; exit 77"),
                          a_test("hangs", "sleep 60", timeout=0.2), a_test("is missing", "", command=["/nonexistent"])], {})
same("results", {"passes": ("OK", 1), "fails": ("FAIL", 1), "skips": ("SKIP", 1), "hangs": ("TIMEOUT", 1), "is missing": ("ERROR", 1)},
     results(work))
same("the end", "1 passed, 3 failed, 1 skipped", text.splitlines()[-1])
for line in ("skipped: plain: skips", "FAILED:  plain: fails (FAIL)", "not ok:  plain: fails: not ok 1 - x"):
    same(f"it says {line}", True, line in text.splitlines())
same("so it is not good", False, good)
same("output is kept", "not ok 1 - x\n", (root / "build/test-output/plain-fails.out").read_text())
same("nothing failed", True, a_run([a_test("passes", "exit 0")], {})[2])
a_run([a_test("hangs", "timeout 70 sleep 60.25 & wait", timeout=0.2)], {})
same("a child of a test that hangs is gone", True, ends("sleep 60.25"))

# What a thread raises is a failure, and the run ends
def raises():
    raise KeyError("no target")


said = []
work = run.Run(root, "gate", dict(os.environ), out=said.append)
(work.output / "plain-no-output.out").mkdir()
work.build_beside([raises, lambda: work.add([a_test("passes", "exit 0")])])
work.add([a_test("no output", "exit 0")])
runs = threading.Thread(target=work.run_pending, daemon=True)
runs.start()
runs.join(20)
same("it ends", False, runs.is_alive())
same("a test whose output has no file", {"no output": ("ERROR", 1), "passes": ("OK", 1)}, results(work))
same("so it is not good", False, work.summary())
text = "\n".join(said)
same("the build that raises is named", True, "FAILED:  build: KeyError('no target')" in text.splitlines())
same("and what the test met", True, "not ok:  plain: no output: IsADirectoryError" in text)

# A second try needs a reason
once = "test -e {0} || {{ touch {0}; exit 1; }}"
starving = starved.Window(10, 2)
work, text, good = a_run([a_test("starved", once.format("a")), a_test("fed", once.format("b"))], {"starved": starving})
same("with a reason again, without not", {"starved": ("OK", 2), "fed": ("FAIL", 1)}, results(work))
same("and it is named", True, "again:   plain: starved (stalls 2.0 of 10 s)" in text.splitlines())
work, _, good = a_run([a_test("broken", "exit 1")], {"broken": starving})
same("a second failure is one", ({"broken": ("FAIL", 2)}, False), (results(work), good))
names = [f"s{n}" for n in range(6)]
work, text, good = a_run([a_test(name, once.format(name)) for name in names], dict.fromkeys(names, starving))
same("five are run again, the sixth fails", [("FAIL", 1)] + 5 * [("OK", 2)], sorted(results(work).values()))
same("the summary says why", True, "(FAIL; 5 others were run again)" in text)
same("none in steady", ("FAIL", 1), results(a_run([a_test("starved", once.format("c"))], {"starved": starving}, again=False)[0])["starved"])

# Order
stamp = "echo {0} begins >>order; sleep {1}; echo {0} ends >>order"
a_run([a_test("alone", stamp.format("alone", 0), parallel=False), a_test("short", stamp.format("short", 0.1)),
       a_test("long", stamp.format("long", 0.3), priority=60)], {})
order = (root / "order").read_text().splitlines()
same("one that runs alone is the last", ["alone begins", "alone ends"], order[4:])
history.append([history.Line("r", "c", "plain", name, "OK", seconds, 1, "") for name, seconds in (("short", 3.0), ("long", 5.0))])
work = run.Run(root, "gate", {})
work.add([a_test("short", ""), a_test("long", ""), a_test("known", "", priority=9)])
same("first what is said to take long, then what took longest the last time", ["known", "long", "short"], [test.name for test in work.pending])
cpus = len(work.sampler.cpus)
lab = a_test("lab", "", suites={"smoke"})
work.pending, work.running = [], [lab] * (cpus + 1)
same("labs: one more than CPUs, and beside them a test that computes", (False, True), (work.may_start(lab), work.may_start(a_test("x", ""))))
computes = a_test("computes", "")
work.building, work.running = True, [lab]
same("beside a build", True, work.may_start(computes))
work.running.append(computes)
same("one test that computes", False, work.may_start(computes))
work.building, work.running, work.tasks = None, [computes], 2 * cpus - 1
same("one more", True, work.may_start(computes))
work.tasks = 2 * cpus
same("none more while two tasks a CPU could run", False, work.may_start(computes))
work.running = []
same("but one", True, work.may_start(computes))

# An interrupted run
work = run.Run(root, "gate", dict(os.environ), out=lambda text: None)
work.add([a_test("sleeps", "sleep 61.5 & wait")])
threading.Timer(0.5, work.stop).start()
work.run_pending()
same("an interrupted test is no failure", "INTERRUPTED", work.results[0].result)
same("and leaves nothing", True, ends("sleep 61.5"))

# History
same("a line a test and one of the run", [("sleeps", "INTERRUPTED"), ("gate", "INTERRUPTED")],
     (work.summary(interrupted=True), [(line.name, line.result) for line in history.read()[-2:]])[1])
history.append([history.Line("r9", "c", "plain", "crawls", "OK", 500.0, 2, "stalls 3 s")])
with open(history.path(), "a", encoding="utf-8") as file:
    file.write("cut\toff\n")
same("the slowest", True, list(history.slowest(history.read(), 1))[1].endswith("plain crawls"))
same("those that needed a reason", True, any("stalls 3 s" in line and line.endswith("plain crawls") for line in history.again(history.read(), 9)))
same("runs", True, list(history.runs(history.read(), 1))[1].startswith("r9"))
history.LINES_MAX = 10
history.append([history.Line("r10", "c", "plain", "x", "OK", 1.0, 1, "")])
same("the file has a cap", 5, len(history.path().read_text().splitlines()))

# What is taken
every = [a_test("u", ""), a_test("s", "", suites={"smoke", "benches"}), a_test("l", "", suites={"long", "benches"}),
         a_test("n", "", suites={"unit", "unsanitized"}), a_test("v", "", suites={"long", "vm"})]
same("the gate takes nothing of long", ["u"], [test.name for test in tests.of_gate(every, tests.TREES["asan"])])
same("a part takes its own", ["s", "l"], [test.name for test in tests.of_part(every, next(p for p in parts.PARTS if p.name == "benches"))])
same("each once, of the first tree", ["plain"],
     [test.tree for test in tests.of_part([every[4], a_test("v", "", tree="asan", suites={"vm"})], next(p for p in parts.PARTS if p.name == "vm"))])

# Parts
done = subprocess.run([sys.executable, parts.__file__, "soak", "sock"], capture_output=True, text=True)
same("an unknown part", (2, True), (done.returncode, "no part sock; the parts are: " in done.stderr and "soak" in done.stderr))
same("no part is all of them", len(parts.PARTS), len(parts.named([])))
page = parts.with_row("# x\n\n| part | passed | commit | seconds | tests |\n|---|---|---|---|---|\n", "soak", "0123abcd", 1234.4, 1)
same("a row", {"soak": ("0123abcd", 1234)}, parts.passed(page))
same("the row of a part replaces its last", {"soak": ("ffff", 5)}, parts.passed(parts.with_row(page, "soak", "ffff", 5, 1)))
for part in parts.PARTS:
    page = parts.with_row(page, part.name, "0123abcd", 1000, 1)
def due(text, files):
    return [(part.name, part.seconds) for part in parts.due(text, lambda commit: files)[0]]


same("no part is due", [], due(page, ["README.md"]))
same("those of a file, with what they last took", [("page", 1000), ("trixie", 1000), ("vm", 1000)], due(page, ["dataplane/port/port.c", "controlplane/page/a.js"]))
same("with a commit that nobody knows a part is due", len(parts.PARTS), len(due(page, None)))
same("without a row it is named alone", ([], [part.name for part in parts.PARTS]), parts.due("", lambda commit: None))
said = []
work = run.Run(root, "change", {}, out=said.append)
same("what does not fit is named and no test", ([], True), (main.long(work, parts.PARTS[:1], types.SimpleNamespace(prefix=["x"]), time.monotonic() + 1),
                                                           said[0].startswith("left to tools/test long: page")))
print("\n".join(failures))
sys.exit(bool(failures))
