#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run tests of several trees at once, those that take longest first, beside the builds of the other trees.

Run: one for a run of tools/test. Its threads are the sampler's, one for each test that runs and one for the builds; `changed` guards
the state that they share. Each test has a session of its own, which ends with the test or with the runner. A test that fails runs
once more, alone, at the end, if starved.py has a reason for its time; RETRIES in a run at most, and a second failure is one.
"""
import contextlib
import dataclasses
import os
import pathlib
import select
import shutil
import signal
import subprocess
import threading
import time

import history
import starved
import what_failed

RETRIES, KILL_S, SHOWN_LINES = 5, 10, 100
BUSY = 2       # tasks a CPU that could run, from which on one test more only slows the others
DEFAULT_S = 2  # of a test that has never run here


class Interrupted(Exception):
    pass


@dataclasses.dataclass
class Result:
    test: object
    result: str            # as history.Line
    seconds: float
    window: starved.Window
    cpu_s: float = 0       # of CPU time, its children's included
    tries: int = 1
    said: list = dataclasses.field(default_factory=list)  # the checks that failed

    @property
    def failed(self):
        return self.result not in ("OK", "SKIP")


class Run:
    def __init__(self, root, what, environment, retry=True, out=print):
        self.root, self.what, self.environment, self.retry, self.out = pathlib.Path(root), what, environment, retry, out
        self.began, self.start = time.monotonic(), time.strftime("%Y-%m-%dT%H:%M:%S")
        self.commit = (self.git("rev-parse", "--short=8", "HEAD") or "-").strip()
        self.sampler = starved.Sampler()
        self.expected = history.last_seconds(history.read())
        self.output = self.root / "build" / "test-output"
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)
        self.changed = threading.Condition()
        self.pending, self.running, self.results, self.sessions = [], [], [], set()
        self.tasks = 0                   # that could run when it last looked, and the tests that it started then
        self.broken, self.left_out, self.building, self.stopped = [], [], None, False
        self.phases = []                 # (text, seconds)

    def git(self, *words):
        """Its output, or None; the checkout may be another user's."""
        done = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(self.root), *words], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    # --- tests

    def add(self, tests):
        with self.changed:
            self.pending += tests
            self.pending.sort(key=lambda test: -self.seconds_of(test))
            self.changed.notify()

    def seconds_of(self, test):
        return self.expected.get((test.tree, test.name)) or test.priority or DEFAULT_S

    def may_start(self, test):
        """On N CPUs N + 1 labs, which wait for most of their time, and one other test. Or others: 4 N, as long as BUSY allows, and one
        beside a build."""
        if not test.parallel:
            return not self.running and not self.building and not any(other.parallel for other in self.pending)
        if any(not other.parallel for other in self.running):
            return False
        cpus = len(self.sampler.cpus)
        labs = sum(other.lab for other in self.running)
        if test.lab:
            return labs <= cpus and len(self.running) < cpus + 2
        others = len(self.running) - labs
        return not others or not labs and not self.building and others < 4 * cpus and self.tasks < BUSY * cpus

    def execute(self, test):
        """Runs it to its end: Result."""
        base = self.output / f"{test.tree}-{test.name} {test.on}".strip().replace(" ", "-")
        begin, cpu_s = time.monotonic(), 0
        result = "ERROR"
        with open(f"{base}.out", "wb") as out, open(f"{base}.err", "wb") as err:
            try:
                process = subprocess.Popen(test.command, cwd=test.folder, env={**self.environment, **test.env}, stdin=subprocess.DEVNULL,
                                           stdout=out, stderr=err, start_new_session=True)
            except OSError as error:
                err.write(f"{error}\n".encode())
            else:
                result, cpu_s = self.wait(process, test.timeout)
        end = time.monotonic()
        outcome = Result(test, result, end - begin, self.sampler.measured(begin, end), cpu_s)
        texts = [pathlib.Path(f"{base}.{kind}").read_text(errors="replace") for kind in ("out", "err")]
        if outcome.failed:
            outcome.said = what_failed.capped({"result": result, "stdout": texts[0], "stderr": texts[1]})
        self.tell(outcome, texts)
        return outcome

    def wait(self, process, timeout):
        """(result as history.Line, seconds of CPU time) when it has ended; it is ended after `timeout` seconds, of which 0 is no limit."""
        with self.changed:
            self.sessions.add(process.pid)
        try:
            if not ended(process, timeout):
                end_session(process)
                return "TIMEOUT", 0
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            result = {0: "OK", 77: "SKIP"}.get(process.returncode, "INTERRUPTED" if self.stopped else "FAIL")
            return result, usage.ru_utime + usage.ru_stime
        finally:
            with self.changed:
                self.sessions.discard(process.pid)

    def tell(self, outcome, texts):
        if outcome.result == "INTERRUPTED":
            return
        last = (texts[0].strip().splitlines() or [""])[-1]
        more = f": {last}" if outcome.result == "SKIP" or outcome.test.name in ("conformance", "encrypted") else ""
        lines = [f"{outcome.result:7} {outcome.seconds:6.1f} s  {outcome.test}{more}"]
        if outcome.failed:
            lines.append(f"  {outcome.window}")
            for text in texts:
                lines += ["  | " + line for line in text.splitlines()[-SHOWN_LINES:]]
        self.out("\n".join(lines))

    def thread_of(self, test):
        begin = time.monotonic()
        try:
            outcome = self.execute(test)
        except Exception as error:
            outcome = Result(test, "ERROR", time.monotonic() - begin, starved.Window(0), said=[repr(error)])
        with self.changed:
            self.running.remove(test)
            self.results.append(outcome)
            self.changed.notify()

    def run_pending(self):
        """Until nothing is left to run or to build."""
        begin = time.monotonic()
        alone = None
        with self.changed:
            while self.pending or self.running or self.building:
                self.tasks = starved.runnable() - 1
                for test in [test for test in self.pending if self.may_start(test)]:
                    if not self.may_start(test):
                        continue
                    if not test.parallel and alone is None:
                        alone = time.monotonic()
                    self.pending.remove(test)
                    self.running.append(test)
                    self.tasks += 1
                    threading.Thread(target=self.thread_of, args=(test,), daemon=True).start()
                self.changed.wait(0.2)
        end = time.monotonic()
        self.phases.append(("tests", (alone or end) - begin))
        if alone:
            self.phases.append(("alone", end - alone))

    def run_again(self):
        """Those that failed while the machine starved them, once more."""
        begin = time.monotonic()
        starving = [outcome for outcome in self.results if outcome.failed and outcome.window.reason()] if self.retry else []
        for outcome in starving[:RETRIES]:
            second = self.execute(dataclasses.replace(outcome.test, on=outcome.test.on or "again"))
            second.test, second.tries = outcome.test, 2
            second.seconds, second.window = outcome.seconds if second.failed else second.seconds, outcome.window
            self.results[self.results.index(outcome)] = second
        if starving:
            self.phases.append(("again", time.monotonic() - begin))

    # --- builds

    def build(self, label, command, environment, nice=0):
        """Its standard output, or None when it failed, which is one failed test."""
        begin = time.monotonic()
        process = subprocess.Popen(["nice", "-n", str(nice), *command], cwd=self.root, env={**self.environment, **environment},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True)
        with self.changed:
            self.sessions.add(process.pid)
        said, _ = process.communicate()
        with self.changed:
            self.sessions.discard(process.pid)
        seconds = time.monotonic() - begin
        self.phases.append((f"build {label}", seconds))
        if not process.returncode:
            self.out(f"built   {seconds:6.1f} s  {label}")
        elif not self.stopped:
            self.broken.append(f"build: {label}")
            self.out(f"FAIL    {seconds:6.1f} s  build: {label}\n" + "".join(f"  | {line}\n" for line in said.splitlines()[-60:]))
        return None if process.returncode else said

    def build_beside(self, builds):
        """builds: functions that build and add, one after the other, in a thread beside the tests."""
        def thread():
            for build in builds:
                try:
                    if not self.stopped:
                        build()
                except Exception as error:
                    self.broken.append(f"build: {error!r}")
            with self.changed:
                self.building = None
                self.changed.notify()
        if builds:
            self.building = threading.Thread(target=thread, daemon=True)
            self.building.start()

    # --- the end

    def stop(self):
        """Ends everything that runs."""
        with self.changed:
            self.stopped = True
            self.pending.clear()
            sessions = list(self.sessions)
        for signal_number, patience in ((signal.SIGTERM, KILL_S / 2), (signal.SIGKILL, 1)):
            for session in sessions:
                signal_session(session, signal_number)
            end = time.monotonic() + patience
            while time.monotonic() < end and self.sessions:
                time.sleep(0.05)

    def record(self, seconds, result):
        lines = [history.Line(self.start, self.commit, outcome.test.tree, outcome.test.name + (f" {outcome.test.on}" if outcome.test.on else ""),
                              outcome.result, outcome.seconds, outcome.tries, f"CPU {outcome.cpu_s:.1f} s, {outcome.window}") for outcome in self.results]
        history.append([*lines, history.Line(self.start, self.commit, "run", self.what, result, seconds, 1, "")])

    def summary(self, interrupted=False):
        """Prints it, writes the history; True when all passed."""
        seconds = time.monotonic() - self.began
        failed = [outcome for outcome in self.results if outcome.failed and outcome.result != "INTERRUPTED"]
        skipped = [outcome for outcome in self.results if outcome.result == "SKIP"]
        out = self.out
        out("\nseconds: " + ", ".join(f"{text} {spent:.0f}" for text, spent in [*self.phases, ("all", seconds)]))
        for outcome in self.results:
            if outcome.tries > 1:
                out(f"again:   {outcome.test} ({outcome.window.reason()})")
        for outcome in skipped:
            out(f"skipped: {outcome.test}")
        for text in self.left_out:
            out(f"skipped: {text}")
        for text in self.broken:
            out(f"FAILED:  {text}")
        for outcome in failed:
            reason = outcome.window.reason() if self.retry and outcome.tries == 1 else None
            out(f"FAILED:  {outcome.test} ({outcome.result}" + (f"; {RETRIES} others were run again" if reason else "") + ")")
        said = [f"{outcome.test}: {line}" for outcome in failed for line in outcome.said]
        for line in said[:40]:
            out(f"not ok:  {line}")
        if len(said) > 40:
            out(f"not ok:  and {len(said) - 40} more")
        if interrupted:
            out("interrupted")
        good = not failed and not self.broken and not interrupted
        self.record(seconds, "INTERRUPTED" if interrupted else "OK" if good else "FAIL")
        out(f"{sum(outcome.result == 'OK' for outcome in self.results)} passed, {len(failed) + len(self.broken)} failed, "
            f"{len(skipped) + len(self.left_out)} skipped")
        return good


def ended(process, timeout):
    """Whether a child ended, reaped or not, within `timeout` seconds; 0 waits without limit."""
    fd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(timeout * 1000 if timeout > 0 else None))
    finally:
        os.close(fd)


def signal_session(session, number):
    """Signals every process of a session: `timeout` makes a group of its own, which a signal to the group would miss. How many lived."""
    lived = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, of = stat.read_text().rpartition(")")[2].split()[:4]
            if int(of) == session and state != "Z":
                os.kill(int(stat.parent.name), number)
                lived += 1
    return lived


def end_session(process):
    signal_session(process.pid, signal.SIGTERM)
    try:
        process.wait(KILL_S)
    except subprocess.TimeoutExpired:
        pass
    for _ in range(20):  # one that was just being made is seen by the next look
        if not signal_session(process.pid, signal.SIGKILL):
            break
    process.wait()
