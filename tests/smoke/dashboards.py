#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks the engine behind it each query of a dashboard: dashboards.py prometheus URL METRICS | clickhouse URL.

prometheus: the engine takes the query, and every metric that it names is in the file METRICS, a scrape.
clickhouse: the tables are made as the control plane's sources say, and the server takes the query on them.
Prints what is wrong; exit status 1 if anything is.
"""

import json
import pathlib
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

root = pathlib.Path(__file__).resolve().parent.parent.parent


def queries(name, key):
    doc = json.loads((root / "tools/grafana" / name).read_text())
    return [(p["title"], t[key]) for p in doc["panels"] for t in p.get("targets", [])]


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
    all_queries = queries("weir-prometheus.json", "expr")
    for title, expr in all_queries:
        expr = expr.replace("$__rate_interval", "1m")
        missing = [m for m in re.findall(r"weir_\w+", expr) if m not in known]
        status, text = ask(f"{url}/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        if status != 200 or json.loads(text)["status"] != "success":
            bad.append(f"{title}: {text}")
        bad += [f"{title}: no metric {m}" for m in missing]
    return bad, len(all_queries)


def strings(text):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def clickhouse_tables():
    """From the sources: the columns' list, and the definitions of the roll-ups."""
    columns = re.findall(r'X\((\w+), "([^"]+)"', (root / "controlplane/clickhouse_columns.h").read_text())
    yield "queries", "(" + ", ".join(f"{n} {t}" for n, t in columns) + ") ENGINE = Memory"
    rollups = (root / "controlplane/clickhouse_rollup.c").read_text()
    words = re.search(r'#define MINUTE_WORDS "([^"]*)"', rollups).group(1)
    for name, definition in re.findall(r'table\(c, out, s, "(\w+)",\s*((?:"[^;]*?"\s*|MINUTE_WORDS\s*)+)\)', rollups):
        yield "queries_" + name, strings(definition.replace("MINUTE_WORDS", f'"{words}"'))


def clickhouse(url):
    bad = []
    for sql in ["CREATE DATABASE IF NOT EXISTS weir"] + [
            f"CREATE TABLE weir.{name} {definition}" for name, definition in clickhouse_tables()]:
        status, text = ask(url, sql.encode())
        if status != 200:
            bad.append(f"{sql}: {text}")
    all_queries = queries("weir-clickhouse.json", "rawSql")
    for title, sql in all_queries:
        sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 >= now() - 3600 AND \1 <= now()", sql)
        status, text = ask(url, sql.encode())
        if status != 200:
            bad.append(f"{title}: {text}")
    return bad, len(all_queries)


def main():
    bad, count = prometheus(sys.argv[2], sys.argv[3]) if sys.argv[1] == "prometheus" else clickhouse(sys.argv[2])
    print(f"{count} queries")
    for line in bad:
        print(line)
    return 1 if bad or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
