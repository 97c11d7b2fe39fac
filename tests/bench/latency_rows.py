# SPDX-License-Identifier: BSD-3-Clause
"""Rows and table of what weir-loadgen says of latency: at parts of the capacity, beside the reflector's in the same run."""

QUANTILES = ("p50", "p99", "p999", "p9999")
P999_TO_REFLECTOR = 2.0  # G7, at half of the capacity


def loads_rows(row, case, lines):
    """`row`: makes one. `lines`: of the generator; those without a percentage are other runs."""
    out = []
    for line in lines:
        if "percent" not in line:
            continue
        part = f"load{line['percent']}"
        out.append(row("G7", case, f"{part}_rate", line["rate"], "queries/s"))
        out.append(row("G7", case, f"{part}_reached", line["qps"], "queries/s"))
        for q in QUANTILES:
            answer, reflect = (line.get(f"{kind}_{q}_ns") for kind in ("answer", "reflect"))
            for kind, ns in (("", answer), ("_reflector", reflect)):
                if ns is not None:
                    out.append(row("G7", case, f"{part}_{q}{kind}", round(ns / 1000, 2), "us"))
            if q == "p999" and answer and reflect:
                out.append(row("G7", case, f"{part}_p999_to_reflector", round(answer / reflect, 3), "of the reflector's",
                               P999_TO_REFLECTOR if line["percent"] == 50 else None))
    return out


def loads_lines(cases):
    """Lines of cells for a table. `cases`: (goal, case) to metric to row, as tools/bench keeps them."""
    def cell(metrics, name, digits=1):
        value = metrics[name]["value"] if name in metrics else None
        return "-" if value is None else f"{value:.{digits}f}"

    head = ["at load", "case", "queries/s"]
    for q in ("p50", "p99", "p99.9", "p99.99"):
        head += [f"{q} us", "reflector"]
    lines = [head + ["p99.9 ratio", "goal"]]
    for (_, case), metrics in cases.items():
        for percent in (25, 50, 75):
            part = f"load{percent}"
            if f"{part}_rate" not in metrics:
                continue
            line = [f"{percent} %", case.removeprefix("memif, "), cell(metrics, f"{part}_reached", 0)]
            for q in QUANTILES:
                line += [cell(metrics, f"{part}_{q}"), cell(metrics, f"{part}_{q}_reflector")]
            line.append(cell(metrics, f"{part}_p999_to_reflector", 2))
            lines.append(line + [f"{P999_TO_REFLECTOR:.0f}" if percent == 50 else "-"])
    return lines
