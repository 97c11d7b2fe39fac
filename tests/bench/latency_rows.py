# SPDX-License-Identifier: BSD-3-Clause
"""Rows and table of what weir-loadgen says of latency: at parts of the capacity, beside the reflector's in the same run."""

import statistics

PERCENTS = (25, 50, 75)
QUANTILES = ("p50", "p99", "p999", "p9999")
P999_TO_REFLECTOR = 2.0  # G7, at half of the capacity


def loads_rows(row, case, lines):
    """`row`: makes one. `lines`: of the generator; those without a percentage are other runs. Medians over its rounds."""
    out = []

    def emit(metric, values, unit, digits=2, reference=None):
        values = [v for v in values if v is not None]
        if values:
            out.append(row("G7", case, metric, round(statistics.median(values), digits), unit, reference))

    for percent in PERCENTS:
        rounds, part = [line for line in lines if line.get("percent") == percent], f"load{percent}"
        emit(f"{part}_rate", [line["rate"] for line in rounds], "queries/s", 0)
        emit(f"{part}_reached", [line["qps"] for line in rounds], "queries/s", 0)
        emit(f"{part}_again", [line["asked_again"] / max(line["asked"], 1) for line in rounds], "of queries", 6)
        for q in QUANTILES:
            for kind, suffix in (("answer", ""), ("reflect", "_reflector")):
                us = [line.get(f"{kind}_{q}_ns", 0) / 1000 or None for line in rounds]
                emit(f"{part}_{q}{suffix}", us, "us")
        ratios = [line["answer_p999_ns"] / line["reflect_p999_ns"] for line in rounds
                  if line.get("answer_p999_ns") and line.get("reflect_p999_ns")]
        emit(f"{part}_p999_to_reflector", ratios, "of the reflector's", 3, P999_TO_REFLECTOR if percent == 50 else None)
    return out


def loads_lines(cases):
    """Lines of cells for a table. `cases`: (goal, case) to metric to row, as tools/bench keeps them."""
    def cell(metrics, name, digits=1):
        value = metrics[name]["value"] if name in metrics else None
        return "-" if value is None else f"{value:.{digits}f}"

    head = ["at load", "case", "queries/s", "lost at first"]
    for q in ("p50", "p99", "p99.9", "p99.99"):
        head += [f"{q} us", "reflector"]
    lines = [head + ["p99.9 ratio", "goal"]]
    for (_, case), metrics in cases.items():
        for percent in PERCENTS:
            part = f"load{percent}"
            if f"{part}_rate" not in metrics:
                continue
            line = [f"{percent} %", case.removeprefix("memif, "), cell(metrics, f"{part}_reached", 0)]
            line.append(cell(metrics, f"{part}_again", 6))
            for q in QUANTILES:
                line += [cell(metrics, f"{part}_{q}"), cell(metrics, f"{part}_{q}_reflector")]
            line.append(cell(metrics, f"{part}_p999_to_reflector", 2))
            lines.append(line + [f"{P999_TO_REFLECTOR:.0f}" if percent == 50 else "-"])
    return lines
