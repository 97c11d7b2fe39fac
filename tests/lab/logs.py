# SPDX-License-Identifier: BSD-3-Clause
"""The log of a process of the lab, read as it grows, from a mark on."""
import json
import pathlib
import re

from wait import wait


class Log:
    def __init__(self, path):
        self.path, self.at = pathlib.Path(path), 0

    def mark(self):
        """Only lines behind this moment count."""
        self.at = self.path.stat().st_size

    def text(self):
        """The whole lines since the mark."""
        with open(self.path, "rb") as file:
            file.seek(self.at)
            data = file.read()
        return data[:data.rfind(b"\n") + 1].decode(errors="replace")

    def objects(self):
        return [json.loads(line) for line in self.text().splitlines()]

    def said(self, pattern):
        """Wait for a line since the mark in which the pattern is found, and return the match."""
        return wait(lambda: re.search(pattern, self.text(), re.M), f"{self.path.name} does not say {pattern!r}")

    def has(self, condition):
        """Wait for a line since the mark that is such an object."""
        return wait(lambda: next(filter(condition, self.objects()), None), f"{self.path.name} has no such object")
