#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which system calls of weir its unit refuses: unit_calls.py SANDBOX_CALLS.H LIST.H UNIT, or unit_calls.py STRACE UNIT.

STRACE is what `strace -f` has written. LIST.H names the families of one program. SystemCallFilter= is expanded by
systemd-analyze as systemd does it: the first line decides whether names are allowed, later lines add or take away. Prints
a line for each call that is missing.
"""

import re
import subprocess
import sys


def group(name, known={}):
    if name not in known:
        said = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
        words = [line.strip() for line in said.splitlines()[1:]]
        known[name] = set()
        for word in words:
            if word and not word.startswith("#"):
                known[name] |= group(word) if word.startswith("@") else {word}
    return known[name]


def allowed(unit):
    calls = set(group("@default"))  # systemd adds it to each list of what is allowed
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
        takes_away = line.startswith("~")
        for word in line.lstrip("~").split():
            name = word.split(":")[0]
            named = group(name) if name.startswith("@") else {name}
            calls = calls - named if takes_away else calls | named
    return calls


def wanted(families, lists):
    text = open(families).read()
    bodies = dict(re.findall(r"sandbox_call (calls_\w+)\[\] = \{(.*?)\};", text, re.S))
    calls = {"seccomp"}  # it loads the lists
    for family in set(re.findall(r"SANDBOX_FAMILY\((\w+)\)", open(lists).read())):
        calls |= set(re.findall(r"(?:ANY|WHERE|NOWHERE|BOTH_ZERO|OWN)\((\w+)", bodies[family]))
        calls |= {"socket"} if re.search(r"\bSOCKET\w*\(", bodies[family]) else set()
    return calls


def called(strace):
    return set(re.findall(r"^[0-9]+ +(\w+)\(", open(strace).read(), re.M))


*sources, unit_file = sys.argv[1:]
calls = wanted(*sources) if len(sources) == 2 else called(*sources)
missing = sorted(calls - allowed(open(unit_file).read()))
for call in missing:
    print(f"{unit_file.rsplit('/', 1)[-1]}: weir needs {call}, which is not in SystemCallFilter=")
sys.exit(bool(missing))
