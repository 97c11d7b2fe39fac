#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks the engine behind it each query of a dashboard: dashboards.py prometheus URL METRICS | clickhouse[-filled] URL.

prometheus: the engine takes the query, and every metric that it names is in the file METRICS, a scrape.
clickhouse: the tables are made as the control plane's sources say, and the server takes the query on them.
clickhouse-filled: the control plane made and filled them, so each query finds something.
Prints what is wrong; exit status 1 if anything is.
"""

import json
import pathlib
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

root = pathlib.Path(__file__).resolve().parents[3]


# What both dashboards show, as a word of some panel's or row's title.
SHOWN = ("traffic", "verdict", "latency", "cache", "upstream", "slope", "list")


def panels(name):
    return json.loads((root / "tools/grafana" / name).read_text())["panels"]


def queries(name, key):
    return [(p["title"], t[key]) for p in panels(name) for t in p.get("targets", []) if key in t]


def heat_maps(name, key):
    return [(p["title"], t[key]) for p in panels(name) if p["type"] == "heatmap" for t in p["targets"]]


def missing(name):
    titles = " ".join(p["title"] for p in panels(name)).lower()
    bad = [f"{name}: nothing of {word}" for word in SHOWN if word not in titles]
    kinds = [p["type"] for p in panels(name)]
    return bad + ([] if "heatmap" in kinds else [f"{name}: no heat map"])


def ask(url, data=None):
    try:
        with urllib.request.urlopen(url, data, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def prometheus(url, scrape):
    known = set(re.findall(r"^(weir_\w+)", pathlib.Path(scrape).read_text(), re.M))
    known |= set(re.findall(r"^# TYPE (weir_\w+)", pathlib.Path(scrape).read_text(), re.M))
    bad = []
    own = queries("weir-prometheus.json", "expr")
    bad += [f"{title}: not of the chosen boxes" for title, expr in own
            if len(re.findall(r"weir_\w+", expr)) != expr.count('{instance=~"$box"')]
    all_queries = own + queries("weir-clickhouse.json", "expr")
    for title, expr in heat_maps("weir-prometheus.json", "expr"):
        if not re.match(r"sum by \(le\) \(increase\(weir_\w+_bucket", expr):
            bad.append(f"{title}: a heat map is of cumulative buckets by `le` alone")
    for title, expr in all_queries:
        expr = expr.replace("$__rate_interval", "1m").replace("$box", ".*")
        missing = [m for m in re.findall(r"weir_\w+", expr) if m not in known]
        status, text = ask(f"{url}/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        if status != 200 or json.loads(text)["status"] != "success":
            bad.append(f"{title}: {text}")
        bad += [f"{title}: no metric {m}" for m in missing]
    return bad, len(all_queries)


VALUES = {"database": "weir", "table": "queries"}


def filled_in(sql, boxes=("",)):
    """With what Grafana puts in the place of its variables."""
    quoted = ",".join("'" + box.replace("\\", "\\\\").replace("'", "\\'") + "'" for box in boxes)
    sql = sql.replace("${box:singlequote}", quoted)
    return re.sub(r"\$\{(\w+)\}", lambda m: VALUES[m.group(1)], sql)


def boxes_of(url):
    """By the query of the dashboard's own variable."""
    variables = json.loads((root / "tools/grafana/weir-clickhouse.json").read_text())["templating"]["list"]
    query = next(v["query"] for v in variables if v["name"] == "box")
    status, text = ask(url, (filled_in(query) + " FORMAT JSON").encode())
    return [row["box"] for row in json.loads(text)["data"]] if status == 200 else None


def between(sql):
    """With what Grafana puts in the place of its macro."""
    return re.sub(r"\$__timeFilter\((\w+)\)", r"\1 >= now() - 3600 AND \1 <= now()", sql)


def strings(text):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def clickhouse_tables():
    """From the sources: the columns' list, and the definitions of the roll-ups."""
    columns = re.findall(r'X\((\w+), "([^"]+)"', (root / "controlplane/querylog/clickhouse/clickhouse_row.h").read_text())
    yield "queries", "(" + ", ".join(f"{n} {t}" for n, t in columns) + ") ENGINE = Memory"
    rollups = (root / "controlplane/querylog/clickhouse/clickhouse_schema.c").read_text()
    words = re.search(r'#define MINUTE_WORDS "([^"]*)"', rollups).group(1)
    for name, definition in re.findall(r'rollup_table\(c, out, s, "(\w+)",\s*((?:"[^;]*?"\s*|MINUTE_WORDS\s*)+)\)', rollups):
        yield "queries_" + name, strings(definition.replace("MINUTE_WORDS", f'"{words}"'))


def heat_map_columns(url, title, sql):
    """A time, then counts, named by what grows: Grafana draws columns in their order."""
    status, text = ask(url, (sql + " FORMAT JSON").encode())
    if status != 200:
        return [f"{title}: {text}"]
    (time, kind), *rows = [(c["name"], c["type"]) for c in json.loads(text)["meta"]]
    lows = [int(name) for name, _ in rows]
    whole = time == "time" and kind.startswith("DateTime") and lows == sorted(set(lows)) and len(lows) > 30
    return [] if whole and all(k == "UInt64" for _, k in rows) else [f"{title}: columns are not as a heat map wants them"]


def clickhouse(url, filled):
    bad = []
    for sql in [] if filled else ["CREATE DATABASE IF NOT EXISTS weir"] + [
            f"CREATE TABLE weir.{name} {definition}" for name, definition in clickhouse_tables()]:
        status, text = ask(url, sql.encode())
        if status != 200:
            bad.append(f"{sql}: {text}")
    all_queries = queries("weir-clickhouse.json", "rawSql")
    boxes = boxes_of(url)
    if boxes is None or (filled and not boxes):
        bad.append(f"the variable `box`: {boxes}")
    boxes = boxes or [""]
    for title, sql in all_queries:
        if "box IN (" not in sql or "weir." in sql:
            bad.append(f"{title}: not by box and database")
        if re.search(r"quantile(?!\w*Weighted)", sql):
            bad.append(f"{title}: a quantile of rows, not of queries")
        status, text = ask(url, between(filled_in(sql, boxes)).encode())
        if status != 200:
            bad.append(f"{title}: {text}")
        elif filled and not text:
            bad.append(f"{title}: finds nothing")
    for title, sql in heat_maps("weir-clickhouse.json", "rawSql"):
        bad += heat_map_columns(url, title, between(filled_in(sql, boxes)))
    return bad, len(all_queries)


def main():
    if sys.argv[1] == "prometheus":
        bad, count = prometheus(sys.argv[2], sys.argv[3])
    else:
        bad, count = clickhouse(sys.argv[2], sys.argv[1] == "clickhouse-filled")
    bad += missing("weir-prometheus.json") + missing("weir-clickhouse.json")
    print(f"{count} queries")
    for line in bad:
        print(line)
    return 1 if bad or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
