#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Name the checks that failed of a test.

capped({"result", "stdout", "stderr"}) -> lines: the "not ok" lines with the last two lines that they said; the assertions of cmocka
and Python with file and line; the reports of sanitizers; of a test that has none of these its last lines. 20 lines a test at most.
"""
import re

LINES, LINE = 20, 300
# Lines that say by themselves what is wrong.
PLAIN = re.compile(r"^(BROKEN: |soak: |SUMMARY: \w+Sanitizer)|runtime error: |: Assertion `.*' failed")


def of_checks(lines):
    """The checks of a smoke test, each with the last two of the indented lines below it."""
    found, inside = [], False
    for text in lines:
        if text.startswith(("ok ", "not ok ")):
            inside = text.startswith("not ok ")
            if inside:
                found.append([text])
        elif inside and text.startswith("  "):
            found[-1][1:] = (found[-1][1:] + [text.strip()])[-2:]
        elif PLAIN.search(text):
            found.append([text])
    return [" ".join(check) for check in found]


def of_programs(lines):
    """cmocka's values with the line of the assertion, Python's errors with theirs, and what sanitizers report."""
    found, value, place = [], "", ""
    for text in lines:
        if crash := re.match(r"\[  ERROR   \] --- (Test failed with exception.*)", text):
            found.append(crash[1])
        elif at := re.search(r"\[   LINE   \] --- (\S+:\d+):", text):
            found.append(f"{value} {at[1]}".strip())
            value = ""
        elif name := re.match(r"\[  FAILED  \] (\w+)$", text):
            if found and found[-1].startswith("Test failed with exception") and " in " not in found[-1]:
                found[-1] += f" in {name[1]}"
        elif said := re.match(r"(?:\[  ERROR   \] --- |ERROR: )(.+)", text):
            value = said[1]
        elif re.match(r'  File ".*", line \d+', text):
            place = text.strip()
        elif place and re.match(r"[\w.]+(Error|Exception|Exit|Interrupt|Expired)\b", text):
            found.append(f"{place} {text}")
            place = ""
        elif PLAIN.search(text):
            found.append(text)
    return found


def of_test(test):
    out, err = (test.get(key, "").splitlines() for key in ("stdout", "stderr"))
    found = of_checks(out) + of_programs(err)
    last = [text for text in out + err if text.strip()]
    if test["result"] == "TIMEOUT":
        found.append(f"TIMEOUT after {last[-1].strip() if last else 'no line'}")
    return found or last[-4:] or [f"{test['result']}, and said nothing"]


def capped(test):
    found = of_test(test)
    more = [f"and {len(found) - LINES} more"] if len(found) > LINES else []
    return [text.strip()[:LINE] for text in found[:LINES] + more]
