#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What another compiler says of a build without asserts: clang reads each source file once.

	clang.py BUILD      by the commands of BUILD/compile_commands.json; exit status 1 if clang has a warning

It parses and makes no code, which takes a third of the time of a build. The programs of unit, packet and fuzz tests are left out.
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

LEFT_OUT = ("tests/unit/", "tests/dp/", "tests/fuzz/")
NOT_FOR_CLANG = ("-mno-stv", "-fpch-preprocess", "-Winvalid-pch")  # of gcc alone
PRECOMPILED = "dpdk.h"
# Of the intrinsics of x86, which DPDK's headers include whole, only those for the processor that the build is for: for files that
# do not include ALL_INTRINSICS themselves.
FEWER_INTRINSICS, ALL_INTRINSICS = "-D__SCE__", "<immintrin.h>"
WITH_VALUE = ("-o", "-MF", "-MQ", "-MT")


def clangs(command):
    """The command with which clang reads what this one compiles."""
    out, words = ["clang", "-fsyntax-only", "-DNDEBUG"], iter(shlex.split(command))
    for word in words:
        if word in WITH_VALUE:
            next(words)
        elif word.startswith("-") and word not in (*NOT_FOR_CLANG, "-c", "-MD") or word.endswith(".c"):
            out.append(word)
        elif out[-1] == "-include" and word == PRECOMPILED:
            out.pop()  # which clang does without: so each file includes what it uses
        elif out[-1] in ("-include", "-I", "-isystem", "-D"):
            out.append(word)
    return out


def reads(entry):
    source = pathlib.Path(entry["directory"], entry["file"]).read_text(encoding="utf-8")
    fewer = [] if ALL_INTRINSICS in source else [FEWER_INTRINSICS]
    done = subprocess.run([*clangs(entry["command"]), *fewer], cwd=entry["directory"], capture_output=True, text=True)
    return done.returncode == 0 and not done.stderr, done.stderr


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    root = pathlib.Path(__file__).resolve().parents[2]
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = os.path.relpath(build / entry["file"], root)
        if path.endswith(".c") and not path.startswith((*LEFT_OUT, "..")):
            entries.setdefault(path, entry)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for path, (good, said) in zip(entries, pool.map(reads, entries.values())):
            bad += not good
            if not good:
                print(f"{path}\n{said}")
    print(f"{len(entries)} files, {bad} with a warning")
    return 0 if entries and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
