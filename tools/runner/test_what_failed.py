#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""what_failed.py names the check of each kind of failed test: smoke, cmocka, sanitizer, Python, time-out, any other program."""
import sys

import what_failed

failures = []


def said(*tests):
    """What it says of these: (name, result, stdout, stderr)."""
    return [f"{name}: {line}" for name, result, out, err in tests
            for line in what_failed.capped({"name": name, "result": result, "stdout": out, "stderr": err})]


def expect(what, tests, *lines):
    if said(*tests) != list(lines):
        failures.append(f"{what}: {said(*tests)}, not {list(lines)}")


expect("a smoke test: the check and the last two lines that it said",
       [("s", "FAIL", "ok 1 - a\n  | of a\nnot ok 2 - b\n  cmd\n  | one\n  | two\nok 3 - c\nnot ok 4 - d\n  want: 1\n  got:  2\n"
         "--- logs\nnoise\n2 of 4 checks passed\n", "")],
       "s: not ok 2 - b | one | two", "s: not ok 4 - d want: 1 got:  2")
expect("a campaign: its bounds, and the check", [("s", "FAIL", "BROKEN: two lost\nnot ok 1 - faults\n", "soak: it grew\n")],
       "s: BROKEN: two lost", "s: not ok 1 - faults", "s: soak: it grew")
expect("cmocka: the values with file and line",
       [("u", "FAIL", "[ RUN      ] t\n[  FAILED  ] t\n", "[  ERROR   ] --- 0x1 != 0x2\n[   LINE   ] --- ../t.c:6: error: Failure!\n"
         "ERROR: no reply in 3 ms\n[  ERROR   ] --- [   LINE   ] --- ../t.c:9: error: Failure!\n[  FAILED  ] t\n")],
       "u: 0x1 != 0x2 ../t.c:6", "u: no reply in 3 ms ../t.c:9")
expect("a crash in cmocka names the test", [("u", "FAIL", "[ RUN      ] t\n", "[  ERROR   ] --- Test failed with exception: Segmentation fault(11)\n"
                                            "[  FAILED  ] t\n")],
       "u: Test failed with exception: Segmentation fault(11) in t")
expect("a sanitizer's report",
       [("u", "FAIL", "[ RUN      ] t\n", "x.c:7:3: runtime error: load\n==1==ERROR: AddressSanitizer: heap-use-after-free on 0x1\n"
         "SUMMARY: AddressSanitizer: heap-use-after-free x.c:8 in f\n")],
       "u: x.c:7:3: runtime error: load", "u: SUMMARY: AddressSanitizer: heap-use-after-free x.c:8 in f")
expect("an assertion of C", [("u", "FAIL", "", "t: x.c:7: main: Assertion `a == b' failed.\n")],
       "u: t: x.c:7: main: Assertion `a == b' failed.")
expect("Python: the line and the error",
       [("p", "FAIL", "", 'Traceback (most recent call last):\n  File "a.py", line 3, in <module>\n    f()\n  File "b.py", line 9, in f\n'
         "    assert x == 1\nAssertionError: 2 lost\n")], 'p: File "b.py", line 9, in f AssertionError: 2 lost')
expect("a time-out: the result, and how far it came", [("u", "TIMEOUT", "[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n", "")],
       "u: TIMEOUT after [ RUN      ] b")
expect("any other: its last lines", [("l", "FAIL", "one\ntwo\n\nthree\nfour\n", "five\n")], "l: two", "l: three", "l: four", "l: five")
expect("nothing said", [("l", "FAIL", "", "")], "l: FAIL, and said nothing")
many = said(("s", "FAIL", "".join(f"not ok {n} - x\n" for n in range(30)), ""))
if len(many) != 21 or many[-1] != "s: and 10 more":
    failures.append(f"no cap: {len(many)} lines, {many[-1:]}")
if len(said(("s", "FAIL", "not ok 1 - " + "x" * 5000, ""))[0]) > 320:
    failures.append("no cap of a line")
print("\n".join(failures))
sys.exit(bool(failures))
