#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which tables count other bytes than their allocation sites hold: tools/lint/memory.txt says which sites are of which tables.

usage: weirctl --json mem tables | soak_tables.py    prints a line per table, or group of tables that share a site, that is
                                                     wrong; status 1 if there is one

What a table counts it excuses (controlplane/memory/memory_judge.h), so too much hides a leak, and too little accuses the table's
own growth. The allocator rounds a block, with the 8 bytes of its mark, up to its size class, a quarter more at most. A table that
says `reserved` counts the bytes that are touched: it may count less than it holds. Figures of a busy process are not of one
moment: a count may be a few entries old.
"""
import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parent))
from soak_sites import ROOT, memory, rows_for  # noqa: E402

CLASS, MARK, SMALLEST = 1.25, 8, 16
SLACK = 4096  # of one that changes while it is read
PAST = 0.05
OFTEN = 0.5  # in that part of the samples a group must be wrong


class Groups:
    """Tables that one site, or a chain of sites, allocates for."""

    def __init__(self):
        self.parent = {}

    def of(self, table):
        while self.parent.setdefault(table, table) != table:
            table = self.parent[table]
        return table

    def join(self, tables):
        for table in tables:
            self.parent[self.of(table)] = self.of(tables[0])


def sums(mem, rows):
    """Group -> its tables, the bytes they count, the bytes and blocks of its sites, and whether it counts what is touched."""
    groups, found = Groups(), []
    sites = [(process, s) for process, part in (("controlplane", mem), ("dataplane", mem.get("dataplane", {})))
             for s in part.get("sites", [])]
    for row in rows:
        if row.tables and row.file and not row.name.startswith("dataplane:"):
            groups.join(row.tables)
    for process, s in sites:
        tables = [t for r in rows_for(rows, s["name"]) if r.name != "dataplane:" for t in r.tables]
        if process == "controlplane":
            tables = [ALSO.get(t, t) for t in tables]
        if tables and (tables[0].startswith("dp_") == (process == "dataplane")):
            found.append((groups.of(tables[0]), s))
    out = {}
    for t in mem["tables"]:
        if t["name"] in groups.parent:
            g = out.setdefault(groups.of(t["name"]), {"tables": [], "counted": 0, "held": 0, "blocks": 0, "reserved": False})
            g["tables"].append(t["name"])
            g["counted"] += t["bytes"] - t["shared"]
            g["reserved"] |= t.get("reserved", False)
    for group, s in found:
        g = out.setdefault(group, {"tables": [group], "counted": 0, "held": 0, "blocks": 0, "reserved": False})
        g["held"] += s["bytes"]
        g["blocks"] += s["blocks"]
    return out.values()


def judge(g):
    """What is wrong with a group, or None."""
    most = CLASS * (g["counted"] + MARK * g["blocks"]) + SMALLEST * g["blocks"] + SLACK
    name = " ".join(sorted(g["tables"]))
    if g["held"] > most and not g["reserved"]:
        return name, f"{name}: count {g['counted']} bytes, and their sites hold {g['held']} in {g['blocks']} blocks"
    if g["counted"] > (1 + PAST) * g["held"] + SLACK and not set(g["tables"]) <= ELSEWHERE:
        return name, f"{name}: count {g['counted']} bytes, and their sites hold no more than {g['held']}"
    return None


ALSO = {"dp_limits": "frontend_limits"}  # allocated by the pure library in both processes, or as blocks of one table
# Memory that is no block of a site: regions, DPDK's pools and zones, a library's own, the program's data.
ELSEWHERE = {"answer_patterns", "l0", "rule_image", "sqlite_pages", "validator_contexts", "dp_buffers", "dp_eal_heap", "dp_memzones", "dp_miss_ring", "dp_answer_ring",
             "dp_log_ring", "dp_marks", "dp_images", "dp_stats", "dp_errors"}


class Seen:
    """How often each group of tables was wrong."""

    def __init__(self, rows=None):
        self.rows, self.samples, self.lines, self.often = rows or memory.read(ROOT), 0, {}, {}

    def add(self, mem):
        self.samples += 1
        for name, line in filter(None, map(judge, sums(mem, self.rows))):
            self.lines[name] = line
            self.often[name] = self.often.get(name, 0) + 1

    def wrong(self):
        """One line per group of tables that is wrong in most of the samples."""
        return [self.lines[name] for name in sorted(self.lines) if self.often[name] > OFTEN * self.samples]


def wrong(samples, rows=None):
    seen = Seen(rows)
    for mem in samples:
        seen.add(mem)
    return seen.wrong()


def main():
    lines = wrong([json.load(sys.stdin)])
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
