#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Applies broken configurations, one after the other, and judges what each refusal says.

usage: broken_drive.py find FOLDER WANTED CONFIG PART GOOD GOOD_PART CHECK...
       broken_drive.py refuse FOLDER CONFIG PART GOOD GOOD_PART APPLY...

FOLDER has the files of broken_configs.py: each stands in for CONFIG, or for PART that it includes, while the other is as in GOOD or
GOOD_PART. find keeps the first WANTED that the command CHECK refuses. refuse: the command APPLY has to refuse each of them, and to say
so in JSON with file, line and column of each error; standard output: `suggestions severals parts slowest_ms`, or what is wrong.
"""
import json
import pathlib
import re
import subprocess
import sys
import time


class Box:
    """The two files that a control plane reads, and a command that reads them or has them read."""

    def __init__(self, config, part, good, good_part, *command):
        self.config, self.part, self.command = pathlib.Path(config), pathlib.Path(part), command
        self.goods = [(self.config, pathlib.Path(good).read_bytes()), (self.part, pathlib.Path(good_part).read_bytes())]

    def put(self, broken):
        """Puts a broken file into its place: that place."""
        for path, text in self.goods:
            path.write_bytes(text)
        place = self.part if broken.suffix == ".part" else self.config
        place.write_bytes(broken.read_bytes())
        return place

    def run(self):
        return subprocess.run(self.command, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def find(folder, wanted, box):
    found = 0
    for broken in sorted(folder.iterdir()):
        box.put(broken)
        if found < wanted and box.run().returncode:
            found += 1
        else:
            broken.unlink()


def refuse(folder, box):
    located = re.compile(rf" \(({re.escape(str(box.config))}|{re.escape(str(box.part))}):[0-9]+:[0-9]+\)")
    suggestions = severals = parts = slowest_ms = 0
    for broken in sorted(folder.iterdir()):
        place = box.put(broken)
        began = time.monotonic()
        done = box.run()
        slowest_ms = max(slowest_ms, int(1000 * (time.monotonic() - began)))
        if not done.returncode:
            return f"{broken} is accepted"
        try:
            errors = json.loads(done.stdout)["errors"]
        except (ValueError, KeyError) as error:
            return f"{broken}: {error!r} of {done.stdout!r}, {done.stderr!r}"
        said = [error for error in errors if not re.fullmatch(r"and [0-9]+ more errors", error)]
        if not any(f"({place}:" in error for error in errors) or not all(located.search(error) for error in said):
            return f"{broken}: {done.stdout}"
        suggestions += "did you mean" in done.stdout
        severals += len(said) > 1
        parts += place == box.part
    return suggestions, severals, parts, slowest_ms


def main():
    what, folder, *rest = sys.argv[1:]
    if what == "find":
        find(pathlib.Path(folder), int(rest[0]), Box(*rest[1:]))
        return 0
    result = refuse(pathlib.Path(folder), Box(*rest))
    print(result if isinstance(result, str) else " ".join(map(str, result)))
    return isinstance(result, str)


if __name__ == "__main__":
    sys.exit(main())
