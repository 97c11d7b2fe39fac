#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the two dashboards beside it: weir-prometheus.json and weir-clickhouse.json.

A panel is a line here: title, what it draws, unit, and its queries. Grafana imports the files as they are; it asks for
the data sources. `--check` says whether the files are what this would write.
"""

import json
import math
import pathlib
import re
import sys

here = pathlib.Path(__file__).resolve().parent
RATE = "[$__rate_interval]"

# Title, kind, unit, [(query, legend)]
PROMETHEUS = {
    "Fleet": [
        ("Replies, all boxes", "timeseries", "reqps", [(f'sum(rate(weir_replies_total{RATE}))', "all")]),
        ("Replies by box", "timeseries", "reqps", [(f'sum by (instance) (rate(weir_replies_total{RATE}))', "{{instance}}")]),
        ("SERVFAIL share by box", "timeseries", "percentunit", [
            (f'sum by (instance) (rate(weir_replies_total{{rcode="SERVFAIL"}}{RATE})) / '
             f'sum by (instance) (rate(weir_replies_total{RATE}))', "{{instance}}")]),
        ("Blocked share by box", "timeseries", "percentunit", [
            (f'sum by (instance) (rate(weir_frames_total{{verdict=~"blocked|blocked_answer|drop_rule"}}{RATE})) / '
             f'sum by (instance) (rate(weir_questions_total{RATE}))', "{{instance}}")]),
        ("Versions by box, as its primary knows them", "timeseries", "short", [
            ("weir_sync_version", "handed out by {{instance}}"), ("weir_sync_box_version", "{{box}}")]),
        ("Boxes without their primary's version", "timeseries", "short", [
            ("1 - weir_sync_box_current", "{{box}} differs"), ("weir_sync_boxes_away", "away from {{instance}}"),
            ("weir_sync_boxes_refused", "refused or took back, of {{instance}}")]),
    ],
    "Traffic": [
        ("Queries by outcome", "timeseries", "reqps", [
            (f'sum by (outcome) (rate(weir_dataplane_batch_seconds_count{RATE}))', "{{outcome}}")]),
        ("Frames by verdict", "timeseries", "pps", [
            (f'sum by (verdict) (rate(weir_frames_total{RATE})) > 0', "{{verdict}}")]),
        ("Response codes", "timeseries", "reqps", [
            (f'sum by (rcode) (rate(weir_replies_total{RATE})) > 0', "{{rcode}}")]),
        ("Types", "timeseries", "reqps", [
            (f'sum by (type) (rate(weir_questions_total{RATE})) > 0', "{{type}}")]),
        ("Ports", "timeseries", "pps", [
            (f'rate(weir_port_rx_packets_total{RATE})', "{{port}} in"),
            (f'rate(weir_port_tx_packets_total{RATE})', "{{port}} out"),
            (f'rate(weir_port_rx_missed_total{RATE})', "{{port}} missed")]),
        ("Groups", "timeseries", "reqps", [(f'rate(weir_group_queries_total{RATE})', "{{group}}")]),
    ],
    "Latency": [
        ("Time in the data plane, hits", "heatmap", "s", [
            (f'sum by (le) (increase(weir_dataplane_batch_seconds_bucket{{outcome="hit"}}{RATE}))', "{{le}}")]),
        ("Misses", "heatmap", "s", [
            (f'sum by (le) (increase(weir_resolver_answer_seconds_bucket{RATE}))', "{{le}}")]),
        ("p99 by outcome", "timeseries", "s", [
            (f'histogram_quantile(0.99, sum by (le, outcome) (rate(weir_dataplane_batch_seconds_bucket{RATE})))',
             "data plane, {{outcome}}"),
            (f'histogram_quantile(0.99, sum by (le, outcome) (rate(weir_resolver_answer_seconds_bucket{RATE})))',
             "resolver, {{outcome}}")]),
        ("Time by stage", "timeseries", "s", [
            (f'sum by (stage) (rate(weir_dataplane_stage_seconds_sum{RATE})) / '
             f'sum by (stage) (rate(weir_dataplane_stage_seconds_count{RATE}))', "{{stage}}")]),
        ("Busy share of workers", "timeseries", "percentunit", [
            (f'rate(weir_worker_busy_seconds_total{RATE})', "worker {{worker}}")]),
        ("Lateness of event loops", "timeseries", "s", [('weir_loop_lag_seconds{of="p99"}', "{{loop}}")]),
    ],
    "Cache": [
        ("Hit ratio", "timeseries", "percentunit", [
            (f'sum(rate(weir_frames_total{{verdict=~"hit|hit_stale"}}{RATE})) / '
             f'sum(rate(weir_frames_total{{verdict=~"hit|hit_stale|miss"}}{RATE}))', "L0"),
            (f'rate(weir_l1_hits_total{RATE}) / rate(weir_l1_lookups_total{RATE})', "L1")]),
        ("L0", "timeseries", "percentunit", [("weir_l0_units_used / weir_l0_units", "full")]),
        ("L0 changes", "timeseries", "ops", [
            (f'rate(weir_l0_puts_total{RATE})', "stored"),
            (f'rate(weir_l0_evicted_space_total{RATE})', "evicted"),
            (f'rate(weir_l0_expired_total{RATE})', "expired"),
            (f'rate(weir_l0_renewed_total{RATE})', "renewed")]),
        ("Redis", "timeseries", "s", [("weir_redis_rtt_seconds", "round trip")]),
        ("Redis: state", "timeseries", "short", [("weir_redis_state == 1", "{{state}}")]),
        ("Redis: refusals and failed sweeps", "timeseries", "ops", [
            (f'rate(weir_redis_oom_total{RATE})', "full"),
            (f'rate(weir_redis_readonly_total{RATE})', "a replica"),
            (f'rate(weir_redis_denied_total{RATE})', "no right"),
            (f'rate(weir_l1_puts_lost_total{RATE})', "answers lost"),
            (f'rate(weir_l1_sweeps_failed_total{RATE})', "failed sweeps")]),
    ],
    "Upstreams": [
        ("Queries", "timeseries", "reqps", [(f'rate(weir_upstream_queries_total{RATE})', "{{upstream}}")]),
        ("Time-outs and failures", "timeseries", "reqps", [
            (f'rate(weir_upstream_timeouts_total{RATE})', "{{upstream}} silent"),
            (f'rate(weir_upstream_failures_total{RATE})', "{{upstream}} failed")]),
        ("Round trips, p50 and p99", "timeseries", "s", [
            (f'histogram_quantile(0.5, sum by (le, address) (rate(weir_upstream_reply_seconds_bucket{RATE})))',
             "p50 {{address}}"),
            (f'histogram_quantile(0.99, sum by (le, address) (rate(weir_upstream_reply_seconds_bucket{RATE})))',
             "p99 {{address}}")]),
        ("Under way", "timeseries", "short", [
            ("weir_resolver_inflight", "questions"), ("weir_resolver_waiters", "clients that wait")]),
    ],
    "Memory": [
        ("Resident", "timeseries", "bytes", [("weir_process_resident_bytes", "{{process}}")]),
        ("Tables, how full", "timeseries", "percentunit", [
            ("weir_table_used / (weir_table_cap > 0)", "{{table}}")]),
        ("Packet buffers free", "timeseries", "short", [("weir_worker_mbufs_free", "worker {{worker}}")]),
    ],
    "Operator": [
        ("The last reload failed", "timeseries", "short", [("1 - weir_config_last_reload_successful", "failed")]),
        ("Settings that wait for a restart", "timeseries", "short", [("weir_config_restart_pending", "settings")]),
        ("Pauses and rollback", "timeseries", "short", [
            ("weir_blocking_pause_seconds > bool 0", "everyone paused"),
            ("weir_blocking_groups_paused", "groups paused"), ("weir_rules_held", "rollback held")]),
        ("Sets of upstreams", "timeseries", "short", [
            ("weir_upstream_sets", "all"), ("weir_upstream_sets_down", "without an answer")]),
    ],
    "Lists": [
        ("Names by list", "timeseries", "short", [("weir_list_names", "{{list}}")]),
        ("Failing lists", "timeseries", "short", [("weir_list_failing", "{{list}}")]),
        ("Blocked share", "timeseries", "percentunit", [
            (f'sum(rate(weir_frames_total{{verdict=~"blocked|blocked_answer|drop_rule"}}{RATE})) / '
             f'sum(rate(weir_questions_total{RATE}))', "of queries")]),
        ("Age of the image", "timeseries", "s", [("time() - weir_rules_loaded_timestamp_seconds", "age")]),
    ],
    "Query log": [
        ("Rows and queries", "timeseries", "ops", [
            (f'rate(weir_log_rows_total{RATE})', "rows"), (f'rate(weir_log_queries_total{RATE})', "queries")]),
        ("Rows taken, by sink", "timeseries", "ops", [(f'rate(weir_log_sink_rows_total{RATE})', "{{sink}}")]),
        ("Lost in 5 minutes, by sink", "timeseries", "short", [
            ("increase(weir_log_sink_lost_rows_total[5m])", "{{sink}} rows"),
            ("increase(weir_log_sink_lost_queries_total[5m])", "{{sink}} queries")]),
        ("Rows in memory, and lost by the last kill at most, by sink", "timeseries", "short", [
            ("weir_log_sink_held_rows", "{{sink}}"), ("weir_log_sink_lost_by_kill_rows", "{{sink}} lost")]),
        ("Queries owed to slow sinks", "timeseries", "short", [("weir_log_sink_owed_queries", "{{sink}}")]),
        ("ClickHouse: waits on disk", "timeseries", "bytes", [
            ("weir_clickhouse_spool_bytes", "spool"), ("weir_clickhouse_spool_cap_bytes", "cap")]),
        ("Failing", "timeseries", "short", [
            ("weir_store_failing", "store"), ("weir_clickhouse_failing", "clickhouse")]),
    ],
}

# In both: the log knows nothing of memory, so the other one asks Prometheus for it.
SLOPE = ("Slope over an hour, MiB/h", "timeseries", "short", [
    ("deriv(weir_process_resident_bytes[1h]) * 3600 / 1048576", "{{process}}")])
PROMETHEUS["Memory"].insert(1, SLOPE)


def latency_columns():
    """A column for each half octave that whole microseconds can be in, named by the least of them; those of the last have
    all that is slower. The heat map takes columns in their order, lowest first, and no names of a label's values."""
    rows = {}
    for bucket in range(49):
        rows.setdefault(math.ceil(2 ** (bucket / 2)) - 1, []).append(bucket)
    last = max(rows)
    return ", ".join(
        f"sumIf(queries, bucket {'>=' if least == last else '='} {max(buckets)}) AS `{least}`" for least, buckets in rows.items())


BOX = "box IN (${box:singlequote})"
RANGE = f"$__timeFilter(time) AND {BOX}"
MINUTES = f"$__timeFilter(minute) AND {BOX}"
ROWS = "${database}.${table}"
BOXES = 768  # SYNC_BOXES_MAX
EACH_BOX = f"10 BY box LIMIT {10 * BOXES}"
CLICKHOUSE = {
    "Boxes": [
        ("Queries by box", "timeseries", "reqps", [
            (f"SELECT minute AS time, box, sum(queries) / 60 AS qps FROM {ROWS}_minute WHERE {MINUTES} "
             "GROUP BY minute, box ORDER BY minute", "")]),
        ("Blocked share by box", "timeseries", "percentunit", [
            (f"SELECT minute AS time, box, sum(queries * blocked) / sum(queries) AS share FROM {ROWS}_minute "
             f"WHERE {MINUTES} GROUP BY minute, box ORDER BY minute", "")]),
        ("Names by box", "table", "short", [
            (f"SELECT box, qname, sum(weight) AS queries FROM {ROWS} WHERE {RANGE} AND qname != '' GROUP BY box, qname "
             f"ORDER BY queries DESC LIMIT {EACH_BOX}", "")]),
        ("Clients by box", "table", "short", [
            (f"SELECT box, client, any(client_name) AS name, sum(weight) AS queries FROM {ROWS} WHERE {RANGE} AND client != '' "
             f"GROUP BY box, client ORDER BY queries DESC LIMIT {EACH_BOX}", "")]),
    ],
    "Traffic": [
        ("Queries by verdict", "timeseries", "reqps", [
            (f"SELECT minute AS time, verdict, sum(queries) / 60 AS qps FROM {ROWS}_minute WHERE {MINUTES} "
             "GROUP BY minute, verdict ORDER BY minute", "")]),
        ("Cache tiers", "timeseries", "reqps", [
            (f"SELECT minute AS time, tier, sum(queries) / 60 AS qps FROM {ROWS}_minute WHERE {MINUTES} "
             "GROUP BY minute, tier ORDER BY minute", "")]),
        ("Blocked share", "timeseries", "percentunit", [
            (f"SELECT minute AS time, sum(queries * blocked) / sum(queries) AS share FROM {ROWS}_minute "
             f"WHERE {MINUTES} GROUP BY minute ORDER BY minute", "")]),
        ("Groups", "timeseries", "reqps", [
            (f"SELECT minute AS time, client_group, sum(queries) / 60 AS qps FROM {ROWS}_minute WHERE {MINUTES} "
             "GROUP BY minute, client_group ORDER BY minute", "")]),
    ],
    "Latency": [
        ("Time to the answer", "heatmap", "µs", [
            (f"SELECT minute AS time, {latency_columns()} FROM {ROWS}_latency WHERE {MINUTES} "
             "GROUP BY minute ORDER BY minute", "")]),
        ("Mean by tier", "timeseries", "µs", [
            (f"SELECT minute AS time, tier, sum(spent_us) / sum(queries) AS us FROM {ROWS}_minute "
             f"WHERE {MINUTES} GROUP BY minute, tier ORDER BY minute", "")]),
    ],
    "Upstreams": [
        ("Queries by upstream", "timeseries", "reqps", [
            (f"SELECT toStartOfMinute(time) AS minute, upstream, sum(weight) / 60 AS qps FROM {ROWS} "
             f"WHERE {RANGE} AND upstream != '' GROUP BY minute, upstream ORDER BY minute", "")]),
        ("Slowest upstreams, p99", "table", "short", [
            (f"SELECT upstream, quantileTDigestWeighted(0.99)(total_us, weight) AS p99_us, sum(weight) AS queries FROM {ROWS} "
             f"WHERE {RANGE} AND upstream != '' GROUP BY upstream ORDER BY p99_us DESC LIMIT 20", "")]),
    ],
    "Who and what": [
        ("Names", "table", "short", [
            (f"SELECT qname, sum(weight) AS queries FROM {ROWS} WHERE {RANGE} AND qname != '' GROUP BY qname "
             "ORDER BY queries DESC LIMIT 50", "")]),
        ("Blocked names", "table", "short", [
            (f"SELECT qname, list, sum(weight) AS queries FROM {ROWS} WHERE {RANGE} AND blocked = 1 "
             "GROUP BY qname, list ORDER BY queries DESC LIMIT 50", "")]),
        ("Clients", "table", "short", [
            (f"SELECT client, any(client_name) AS name, sum(weight) AS queries FROM {ROWS} WHERE {RANGE} AND client != '' "
             "GROUP BY client ORDER BY queries DESC LIMIT 50", "")]),
        ("Names that do not exist", "table", "short", [
            (f"SELECT qname, sum(weight) AS queries FROM {ROWS} WHERE {RANGE} AND rcode = 3 GROUP BY qname "
             "ORDER BY queries DESC LIMIT 50", "")]),
    ],
    "Lists": [
        ("Blocked by list", "timeseries", "reqps", [
            (f"SELECT toStartOfMinute(time) AS minute, list, sum(weight) / 60 AS qps FROM {ROWS} "
             f"WHERE {RANGE} AND list != '' GROUP BY minute, list ORDER BY minute", "")]),
        ("Lists", "table", "short", [
            (f"SELECT list, sum(weight) AS queries FROM {ROWS} WHERE {RANGE} AND list != '' GROUP BY list "
             "ORDER BY queries DESC", "")]),
    ],
    "Memory, from Prometheus": [SLOPE],
}


def heatmap(kind, unit):
    """Of counts that are in buckets already. Prometheus sorts its own by `le` and makes differences of them."""
    return {"calculate": False, "rowsFrame": {"layout": "auto" if kind == "prometheus" else "ge"},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit}, "cellGap": 1, "cellValues": {"unit": "short"},
            "color": {"mode": "scheme", "scheme": "Oranges", "scale": "exponential", "exponent": 0.5, "steps": 64,
                      "fill": "dark-orange", "reverse": False},
            "filterValues": {"le": 1e-9}, "exemplars": {"color": "rgba(255,0,255,0.7)"}, "legend": {"show": True},
            "showValue": "never", "tooltip": {"mode": "single", "show": True, "yHistogram": True}}


def field_config(draws, unit):
    if draws == "heatmap":
        return {"defaults": {}, "overrides": []}
    of_table = [{"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": its}]}
                for name, its in (("queries", unit), ("p99_us", "µs"))]
    return {"defaults": {}, "overrides": of_table} if draws == "table" else {"defaults": {"unit": unit}, "overrides": []}


def of_boxes(expr):
    """A query of the chosen boxes alone."""
    return re.sub(r"\b(weir_\w+)(\{)?", lambda m: m[1] + '{instance=~"$box"' + ("," if m[2] else "}"), expr)


def panel(number, x, y, spec, sources):
    title, draws, unit, queries = spec
    kind = "prometheus" if queries[0] in SLOPE[3] else sources["kind"]
    source, targets = sources[kind], []
    for i, (query, legend) in enumerate(queries):
        t = {"refId": chr(ord("A") + i), "datasource": source}
        if kind == "prometheus":
            t |= {"expr": of_boxes(query) if sources["kind"] == "prometheus" else query, "legendFormat": legend}
            if draws == "heatmap":
                t["format"] = "heatmap"
        else:
            t |= {"rawSql": query, "format": 1 if draws == "table" else 0, "editorType": "sql",
                  "queryType": "table" if draws == "table" else "timeseries"}
        targets.append(t)
    return {"id": number, "title": title, "type": draws, "datasource": source, "targets": targets,
            "gridPos": {"x": x, "y": y, "w": 12, "h": 8}, "fieldConfig": field_config(draws, unit),
            "options": heatmap(kind, unit) if draws == "heatmap" else {}}


def variable(name, label, plugin):
    return {"name": name, "label": label, "type": "datasource", "query": plugin}


def textbox(name, label, value):
    return {"name": name, "label": label, "type": "textbox", "query": value, "current": {"text": value, "value": value}}


def boxes(source, query):
    """All of them at first."""
    return {"name": "box", "label": "Box", "type": "query", "datasource": source, "query": query, "refresh": 2, "multi": True,
            "includeAll": True, "current": {"text": ["All"], "value": ["$__all"]}}


def dashboard(title, uid, rows, kind):
    """`kind`: the entries of a top list; only the log's dashboard also queries Prometheus."""
    sources = {"kind": kind, "prometheus": {"type": "prometheus", "uid": "${source}"}}
    variables = [variable("source", "Data source", "prometheus"),
                 boxes(sources["prometheus"], "label_values(weir_up, instance)")]
    if kind == "clickhouse":
        plugin = "grafana-clickhouse-datasource"
        sources |= {"clickhouse": {"type": plugin, "uid": "${source}"}, "prometheus": {"type": "prometheus", "uid": "${metrics}"}}
        variables = [variable("source", "Data source", plugin), variable("metrics", "Metrics", "prometheus"),
                     textbox("database", "Database", "weir"), textbox("table", "Table", "queries"),
                     boxes(sources["clickhouse"],  # every box that has written in the last month
                           f"SELECT DISTINCT box FROM {ROWS}_minute WHERE minute > now() - 2592000 ORDER BY box")]
    panels, y, number = [], 0, 1
    for name, specs in rows.items():
        panels.append({"id": number, "type": "row", "title": name, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y, number = y + 1, number + 1
        for i, spec in enumerate(specs):
            panels.append(panel(number, 12 * (i % 2), y + 8 * (i // 2), spec, sources))
            number += 1
        y += 8 * ((len(specs) + 1) // 2)
    return {"title": title, "uid": uid, "schemaVersion": 38, "version": 1, "editable": True, "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"}, "tags": ["weir", "dns"], "panels": panels,
            "templating": {"list": variables}}


def texts():
    return {
        "weir-prometheus.json": dashboard("weir", "weir-prometheus", PROMETHEUS, "prometheus"),
        "weir-clickhouse.json": dashboard("weir: query log", "weir-clickhouse", CLICKHOUSE, "clickhouse"),
    }


def main():
    stale = []
    for name, doc in texts().items():
        text = json.dumps(doc, indent=1, ensure_ascii=True) + "\n"
        file = here / name
        if "--check" in sys.argv:
            if not file.exists() or file.read_text() != text:
                stale.append(name)
        else:
            file.write_text(text)
    if stale:
        print("not as make.py writes them:", *stale)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
