# SPDX-License-Identifier: BSD-3-Clause
"""Two build trees against each other on net_pcap; tools/bench --against imports it.

Goal by goal, runs of bench_path of one tree and of the other take turns, so that both see the same machine. Taken is
the least of each tree's runs, in cycles of the DNS stages and of the whole turn: what else runs can only add to it.
"""

import bench_rig

SLOWER = 0.93  # of the other tree's speed; a tree against itself: 0.94 to 1.02 at a load average of 20 on two CPUs

METRICS = {"dns": "DNS stages", "whole": "whole turn"}


def least(runs):
    """(goal, case, metric) to the least value, in the order of the first run."""
    out = {}
    for rows in runs:
        for row in rows:
            if row["metric"] in METRICS:
                key = (row["goal"], row["case"], row["metric"])
                out[key] = min(row["value"], out.get(key, row["value"]))
    return out


def rows_of(ours, other):
    """Rows of what both trees have, from the rows of their runs."""
    mine, its = least(ours), least(other)
    out = []
    for (goal, case, metric), value in mine.items():
        was = its.get((goal, case, metric))
        if was is None:
            continue
        out += [bench_rig.row(goal, case, f"{metric}_here", value, "cycles"),
                bench_rig.row(goal, case, f"{metric}_other", was, "cycles"),
                bench_rig.row(goal, case, f"{metric}_speed", was / value, "of the other's", digits=3)]
    return out


def is_slower(row):
    return row["metric"].endswith("_speed") and row["value"] < SLOWER


def measure(goals, runs, run_here, run_other):
    """run_here(goal), run_other(goal): rows, and whether all was right. Rows of all, and whether all was right."""
    here, other, ok = [], [], True
    for goal in goals:
        for i in range(runs):
            pair = [(run_here, here), (run_other, other)]
            for run, into in pair if i % 2 == 0 else reversed(pair):  # who goes first is also taken in turns
                rows, right = run(goal)
                into.append(rows)
                ok &= right
    return rows_of(here, other), ok


def lines(rows):
    """Lines of cells for a table."""
    out = [["against", "case", *(f"{name}: {part}" for name in METRICS.values() for part in ("here", "other", "speed"))]]
    cases = {}
    for row in rows:
        cases.setdefault((row["goal"], row["case"]), {})[row["metric"]] = row
    for (goal, case), m in cases.items():
        line = [goal, case]
        for metric in METRICS:
            for part, digits in (("here", 0), ("other", 0), ("speed", 2)):
                row = m.get(f"{metric}_{part}")
                mark = " SLOWER" if row and is_slower(row) else ""
                line.append("-" if row is None else f"{row['value']:.{digits}f}{mark}")
        out.append(line)
    return out
