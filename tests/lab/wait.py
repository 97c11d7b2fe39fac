# SPDX-License-Identifier: BSD-3-Clause
"""Waiting: for a condition, with one patience for all tests, and for the product's timers, which a clock of the tests moves.

A machine that serves others for a while does not use the patience up: a turn of the loop counts 0.1 s at most, however long
it took.
"""
import contextlib
import json
import os
import pathlib
import signal
import struct
import threading
import time

PATIENCE = 60 * float(os.environ.get("WEIR_PATIENCE", 1))  # seconds
TURN, TURN_MAX = 0.02, 0.1
CLOCK = pathlib.Path("/run/smoke/clock")  # microseconds that the product's clocks are ahead of the kernel's


class NotYet(AssertionError):
    """What may still come true: `wait` goes on after it, as after an error of a socket, but not after an assertion."""


def turns():
    """Turns of a loop that looks, until the patience is used up."""
    left = PATIENCE
    while left > 0:
        began = time.monotonic()
        yield
        time.sleep(TURN)
        left -= min(time.monotonic() - began, TURN_MAX)
    yield


def wait(condition, what="it did not come true"):
    """Return what `condition` returns once that is true."""
    problem = None
    for _ in turns():
        try:
            found = condition()
            if found:
                return found
            problem = None
        except (OSError, LookupError, NotYet) as error:
            problem = error
    raise NotYet(f"{what}{f': {problem}' if problem else ''}")


def is_stopped(pid):
    """All threads: one of them takes the signal, and the others go on until it has run."""
    states = {task.read_text().rpartition(")")[2].split()[0] for task in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")}
    return states == {"T"}


@contextlib.contextmanager
def stopped(pid):
    """It runs no more meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait(lambda: is_stopped(pid), "it is not stopped")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def becomes(want, function, *args, **named):
    """Wait until the function returns `want`."""
    got = None
    for _ in turns():
        try:
            got = function(*args, **named)
        except (OSError, LookupError, NotYet) as error:
            got = error
        if got == want:
            return
    raise NotYet(f"it did not become that\n  want: {want!r}\n  got:  {got!r}")


def together(*calls):
    """Runs these at one time and returns what they returned, in order."""
    results = [None] * len(calls)

    def one(i, call):
        try:
            results[i] = call()
        except BaseException as problem:  # handed to who waits
            results[i] = problem

    threads = [threading.Thread(target=one, args=(i, call)) for i, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def clock_prepare():
    """In a build with fault points the processes started from here on read the tests' clock."""
    options = pathlib.Path(os.environ["WEIR_BUILD"]) / "meson-info/intro-buildoptions.json"
    if any(o["name"] == "fault_points" and o["value"] for o in json.loads(options.read_text())):
        CLOCK.write_bytes(bytes(8))
        os.environ["WEIR_CLOCK"] = str(CLOCK)


def ahead(seconds):
    """So much later for the product: by the tests' clock, or by waiting in a build without it."""
    if "WEIR_CLOCK" not in os.environ:
        time.sleep(seconds)
        return
    with open(CLOCK, "r+b") as file:
        now, = struct.unpack("<q", file.read(8))
        file.seek(0)
        file.write(struct.pack("<q", now + int(seconds * 1e6)))


class Stalls(threading.Thread):
    """Sleeps 5 ms at a time and remembers when that took much longer: then the machine had others to serve."""

    STALL = 0.02

    def __init__(self):
        super().__init__(daemon=True)
        self.last = float("-inf")

    def run(self):
        before = time.monotonic()
        while True:
            time.sleep(0.005)
            now = time.monotonic()
            if now - before > 0.005 + self.STALL:
                self.last = now
            before = now


stalls = Stalls()
