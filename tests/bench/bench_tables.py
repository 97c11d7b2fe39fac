# SPDX-License-Identifier: BSD-3-Clause
"""Tables of the rows of tools/bench: a row is goal, case, metric, value, unit, reference and ratio."""

import json
import pathlib

import latency_rows

baseline_path = pathlib.Path(__file__).resolve().parent / "baseline.json"
# What is compared, and from what part of the baseline's figure on it is worse: as far as runs of one tree differ on one
# machine (ratios of one process by 5 %, those to servers beside it by a fifth to a third), doubled or more. Goal (None:
# any) and what the metric begins with; the first that fits counts. Not compared: what depends on where the lines lie that
# two threads share, which is all of G9, and on memif the ratio of a run that saw one level alone, as its name is chance.
ONE_LEVEL = "of reflector, one level"
LEAST = [("G9", "", None), (None, "ratio", 0.90), ("G8", "rate_swap", 0.90), ("G10", "to_", 0.50)]
MOST = [*(("G6", what, 1.05) for what in ("index", "record", "marks", "private", "all", "path", "image")),
        ("G2", "times_hot", 1.10),
        ("G7", "over_reflector", 1.5), ("G7", "p50_over_reflector", 1.7), ("G12", "cpu_to_", 1.25), ("power", "idle", 2.0),
        ("except", "times_one", 1.05),
        ("power", "first_p50", 1.5)]
STAGES = ["rx", "net", "policy", "parse", "rules", "lookup", "miss", "tx"]


def key_of(row):
    return f"{row['goal']}: {row['case']}: {row['metric']}"


def bound(row, bounds):
    if row["unit"] == ONE_LEVEL:
        return None
    for goal, metric, part in bounds:
        if goal in (None, row["goal"]) and row["metric"].startswith(metric):
            return part
    return None


def kept(row):
    """What of it can be compared with another day: CPU beside a peer's is that in the same run."""
    return row["ratio"] if row["metric"].startswith("cpu_to_") else row["value"]


def baseline_read():
    return json.loads(baseline_path.read_text()) if baseline_path.exists() else {}


def baseline_store(baseline, rows):
    """Keeps what is compared."""
    stored = baseline | {key_of(row): kept(row) for row in rows if kept(row) is not None and (bound(row, LEAST) or bound(row, MOST))}
    baseline_path.write_text(json.dumps(stored, indent="\t", sort_keys=True) + "\n")


def is_worse(row, baseline):
    was, value, least, most = baseline.get(key_of(row)), kept(row), bound(row, LEAST), bound(row, MOST)
    if was is None or value is None:
        return False
    return (least is not None and value < was * least) or (most is not None and value > was * most)


HOT, COLD = "G1: hits, 1k names: dns", "G2: hits, 1M names: dns"
COLD_TIMES = 1.5  # of the hot case's cycles at most


def cold_times(rows):
    """How many times the hot case's cycles 1M names take; no row where one of the two was not measured."""
    cycles = {key_of(row): row["value"] for row in rows}
    if not cycles.get(HOT) or not cycles.get(COLD):
        return []
    value = round(cycles[COLD] / cycles[HOT], 3)
    return [dict(goal="G2", case="1M names to 1k names", metric="times_hot", value=value, unit="times the DNS cycles",
                 reference=COLD_TIMES, ratio=round(value / COLD_TIMES, 3))]


def number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def columns(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in lines)


def ratio_cells(row, baseline):
    slower = " SLOWER" if is_worse(row, baseline) else ""
    return [number(row["value"], 2) + slower, number(row["reference"], 2), number(baseline.get(key_of(row)), 2)]


def table_pcap(cases, baseline):
    lines = [["net_pcap", "case", "DNS", "goal", "ratio", "goal", "base", *STAGES, "Mq/s", "calls", "strays"]]
    for (goal, case), m in cases.items():
        calls = sum(m[name]["value"] for name in ("allocations", "locks", "syscalls"))
        lines.append([goal, case, number(m["dns"]["value"], 0), number(m["dns"]["reference"], 0)]
                     + ratio_cells(m["ratio"], baseline)
                     + [number(m["stage_" + s]["value"], 0) for s in STAGES]
                     + [number(m["rate"]["value"], 1), number(calls, 0), number(m["unaccounted"]["value"], 0)])
    return columns(lines)


VERSUS = {"ratio_plain": "the plain case", "ratio_misses": "no misses", "ratio_groups": "no groups", "ratio_access": "anybody asks",
          "ratio_hops": "no servers by the port", "ratio_limits": "no limits", "ratio_log": "no query log", "ratio_writes": "no writes to L0",
          "ratio_second": "a second without an image"}


def table_versus(cases, baseline):
    """Cases that alternate in short slices with what they are measured against."""
    lines = [["beside", "case", "against", "speed", "goal", "base", "cycles more", "goal"]]
    for (goal, case), m in cases.items():
        for metric in VERSUS.keys() & m.keys():
            over = m.get("over_plain") or m.get("over_log") or {"value": None, "reference": None}
            lines.append([goal, case, VERSUS[metric]] + ratio_cells(m[metric], baseline)
                         + [number(over["value"], 0), number(over["reference"], 0)])
    return columns(lines)


def table_memif(cases, baseline):
    head = ["memif", "case"]
    for level in ("near", "far"):
        head += [level, "goal", "base", "answer", "reflect", "rx", "pairs"]
    lines = [head + ["answered", "bad", "lost", "calls"]]
    for (goal, case), m in cases.items():
        line = [goal, case.removeprefix("memif, ")]
        for level in ("near", "far"):
            line += ratio_cells(m[f"ratio_{level}"], baseline)
            line += [number(m[f"{c}_{level}"]["value"], 0) for c in
                     ("answer_cycles", "reflect_cycles", "rx_cycles", "pairs")]
        line += [number(m[c]["value"], 0) for c in ("answered", "bad", "lost")]
        lines.append(line + [number(m["syscalls"]["value"], 0) if "syscalls" in m else "?"])
    return columns(lines)


def table_latency(cases):
    lines = [["latency", "case", "p50 us", "reflector", "difference", "goal"]]
    for (goal, case), m in cases.items():
        over = m["p50_over_reflector"]
        lines.append([goal, case.removeprefix("memif, "), number(m["p50"]["value"], 2),
                      number(m["p50_reflector"]["value"], 2), number(over["value"], 2), number(over["reference"], 1)])
    return columns(lines)


def table_alone(cases):
    """Queries one at a time, without a generator: what a turn takes over the reflector's."""
    return columns([["net_pcap", "case", "over the reflector, us", "goal"]] + [
        [goal, case, number(m["over_reflector"]["value"], 2), number(m["over_reflector"]["reference"], 1)]
        for (goal, case), m in cases.items()])


def table_bystander(cases):
    """What a bystander waits in each turn."""
    turns = "quiet", "sink", "attacked"
    lines = [["attack: who waits", *(f"p50 {turn}" for turn in turns), *(f"p99 {turn}" for turn in turns), "sink", "attacked", "goal"]]
    for (_, case), m in cases.items():
        lines.append([case, *(number(m[f"{share}_{turn}"]["value"], 0) for share in ("p50", "p99") for turn in turns),
                      *(number(m[f"times_{turn}"]["value"], 2) for turn in turns[1:]), number(m["times_attacked"]["reference"], 0)])
    return columns(lines)


def plain_lines(cases, baseline):
    """What has no table: a line for each figure."""
    return columns([[row["goal"], row["case"], row["metric"], number(row["value"], 3).rstrip("0").rstrip("."), row["unit"],
                     f"asked {row['reference']}: {row['ratio']}" if row["reference"] else "",
                     "SLOWER" if is_worse(row, baseline) else ""]
                    for m in cases.values() for row in m.values()])


def tables(rows, baseline):
    cases = {}
    for row in rows:
        cases.setdefault((row["goal"], row["case"]), {})[row["metric"]] = row
    shown = set()

    def pick(*metrics):
        found = {k: m for k, m in cases.items() if any(metric in m for metric in metrics)}
        shown.update(found)
        return found
    parts = [
        (table_pcap, pick("dns"), baseline),
        (table_versus, pick(*VERSUS), baseline),
        (table_alone, pick("over_reflector")),
        (table_memif, pick("ratio_near"), baseline),
        (table_latency, pick("p50_over_reflector")),
        (table_bystander, pick("times_attacked")),
        (lambda found: columns(latency_rows.loads_lines(found)), pick("load50_rate")),
        (plain_lines, {k: m for k, m in cases.items() if k not in shown}, baseline),
    ]
    return "\n\n".join(make(found, *more) for make, found, *more in parts if found)
