# SPDX-License-Identifier: BSD-3-Clause
"""Imported first by every test of a machine: enters namespaces, and counts checks as the smoke tests do.

    def main(t):
        t.check("the service answers", box.serves())
    vmtest.run(main)
"""
import pathlib
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/machine"))
import box as machine  # noqa: E402
import kind  # noqa: E402
import scope  # noqa: E402

# Of the machines of this process: what the command line names.
KIND = kind.choose(sys.argv)


def address(number):
    """Of a NIC, by its number in the order of a box."""
    return f"0000:00:{5 + number:02x}.0"


def port(box):
    """What weirctl says of the first port that is no exception port."""
    return next(p for p in box.ctl("ports")["ports"] if not p["exception"])


def until(condition, seconds=90):
    """The last value of `condition`, which is called until it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.5)
    return value


class Checks:
    """The checks of one test, and its boxes, which end with it."""

    def __init__(self):
        self.start = time.monotonic()
        self.count = self.bad = 0
        self.boxes = []

    def box(self, **more):
        made = machine.Box(ROOT, kind=KIND, **more)
        self.boxes.append(made)
        return made

    def check(self, text, good, why=""):
        """`good` is true. `why`: what was seen in its place."""
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {text}", flush=True)
        if not good:
            self.bad += 1
            for line in str(why).strip().split("\n")[-30:]:
                print(f"  | {line}", flush=True)
        return bool(good)

    def same(self, text, want, got):
        return self.check(text, want == got, f"want: {want}\ngot:  {got}")

    def say(self, text):
        """A figure, with the seconds since the start."""
        print(f"# {time.monotonic() - self.start:5.0f} s  {text}", flush=True)


def run(main, seconds=600):
    """Runs main(checks) in namespaces; ends the process."""
    machine.prepare(ROOT, KIND)
    scope.enter(seconds * KIND.slower)
    t = Checks()
    try:
        main(t)
    except Exception:  # any: it must reach the report, with what the machine says
        t.check("the test came to its end", False, traceback.format_exc())
    finally:
        if t.bad and t.boxes:
            print(t.boxes[-1].state(), flush=True)
        for one in t.boxes:
            one.close()
    print(f"{t.count - t.bad} of {t.count} checks passed", flush=True)
    sys.exit(1 if t.bad or not t.count else 0)
