# SPDX-License-Identifier: BSD-3-Clause
"""The verdict of tools/soak on its two drained points B and C and on the load between them. Pure: no lab, no clock."""
from collections import Counter

from soak_stats import slope_with_bounds

GROWN_MAX, UNEXPLAINED = 256 << 10, 0.05
EXPLAINED = (0.95, 1.05)  # of the resident set: accounts, slack, libraries, images and the rest that weir names
SLOPE_S = 240  # a load of less says nothing about an hour
NEW_MAX = 8  # descriptors that a line names
PROCESSES = ("controlplane", "dataplane")
# Planted leaks that this traffic brings out. Of controlplane/base/leak_demo.h: whose account and which file must be named first.
LEAKS = {"reload": ("images", "rules_job.c"), "bodies": ("http", "api_server.c"), "keys": ("redis", "l1.c"),
         "buffers": ("upstream", "upstream_udp.c"), "map": ("resolver", "resolver_miss.c")}
# Of shm_leaks (dataplane/core/shm/shm_internal.h), in both processes: what must be wrong with each of them.
KINDS = {"regions": "bytes of deleted mappings", "huge": "bytes of huge mappings", "files": "descriptors more than its tables explain"}


def growers(before, after, what="accounts"):
    rows = {k: v - before[what].get(k, 0) for k, v in after[what].items()}
    return {k: v for k, v in sorted(rows.items(), key=lambda r: -r[1]) if v > 0}


def beyond_tables(row):
    """What the allocator has handed out less what tables say that they hold."""
    return row["allocated"] - sum(row["in_filling"].values())


def accounts_beyond(b, c):
    """By how much each account grew beyond its tables, most first."""
    rows = [{"rest": {k: v - row["in_filling"].get(k, 0) for k, v in row["accounts"].items()}} for row in (b, c)]
    return growers(*rows, "rest")


def judge_process(process, b, c, must):
    """Descriptors beyond those that entries of tables hold, threads, and mappings by kind; of the data plane every byte."""
    share = c["explained"][process]
    must(f"{process}: accounts, slack, libraries and images explain {share:.1%} of its resident set",
         EXPLAINED[0] <= share <= EXPLAINED[1])
    b, c = b[process], c[process]
    more = c["fds_beyond"] - b["fds_beyond"]
    new = list((Counter(c.get("fds_names", ())) - Counter(b.get("fds_names", ()))).elements())[:NEW_MAX]
    must(f"{process}: {more} descriptors more than its tables explain ({b['fds']}, then {c['fds']}); new are {new}", more <= 0)
    keys = ("threads", "deleted_maps") + (("maps", "RssAnon", "VmData") if process == "dataplane" else ())
    for key in keys:
        must(f"{process}: {key} {b[key]}, then {c[key]}", c[key] <= b[key])
    for kind in ("huge", "deleted"):
        must(f"{process}: bytes of {kind} mappings {b['mapped'][kind]}, then {c['mapped'][kind]}",
             c["mapped"][kind] <= b["mapped"][kind])


def judge_traffic(rows, samples, seconds, must):
    """Was there a load at all, and was it answered?"""
    asked, answered = (sum(r.get(k, 0) for r in rows) for k in ("queries_sent", "queries_completed"))
    must(f"of {asked:.0f} queries {answered:.0f} were answered", answered > 0 and answered >= asked * 0.99)
    must(f"{len(samples)} samples over {seconds:.0f} of {rows[-1]['seconds']} s", seconds >= rows[-1]["seconds"] * 0.8)
    for row in rows:
        must(f"{row['part']}: {row['errors']}", not row["errors"])
        did = row["clients"]
        must(f"{row['part']}: clients {did}", did.get("udp", 0) > 0 and did.get("tcp", 0) > did.get("tcp_refused", 0))
        must(f"{row['part']}: churn {row['churn']}", all(row["churn"].get(k) for k in ("polls", "reloads")))


def verdict(b, c, rows, samples, accused, seed):
    """The last row of a soak: what grew, and "wrong", a line for each thing that is not as it must be.

    rows: of both loads; samples: of the second load; accused: alarms at any time.
    """
    wrong = []

    def must(what, good):
        if not good:
            wrong.append(what)
    grown = beyond_tables(c) - beyond_tables(b)
    files = dict(list(growers(b, c, "files").items())[:5])
    accounts = accounts_beyond(b, c)
    must(f"the control plane grew by {grown} bytes that no table explains, by account {accounts}, most in the files {files}",
         grown <= GROWN_MAX)
    seconds = samples[-1]["s"] - samples[0]["s"]
    line, least, most = slope_with_bounds([(s["s"], beyond_tables(s)) for s in samples], seed)
    must(f"what it holds beyond its tables rises by at least {least * 3600:.0f} bytes an hour", least <= 0 or seconds < SLOPE_S)
    share = c["unexplained"] / c["rss"]
    must(f"{share:.1%} of its resident set is unexplained", share <= UNEXPLAINED)
    for text in c["long_lived"]:
        must(f"long-lived memory of no table: {text}", False)
    for text in c["miscounted"]:
        must(f"tables that miscount: {text}", False)
    must(f"alarms: {accused}", not accused)
    must(f"weir raised {c['raised']} alarms since it started", c["raised"] == 0)
    for process in PROCESSES:
        judge_process(process, b, c, must)
    must(f"packet buffers in use: {b['mbufs']}, then {c['mbufs']}", c["mbufs"] == b["mbufs"] and not c["mbufs"]["breaches"])
    judge_traffic(rows, samples, seconds, must)
    answered = sum(r.get("queries_completed", 0) for r in rows)
    return {"part": "verdict", "grown": grown, "hour": [round(v * 3600) for v in (line, least, most)], "seconds": round(seconds),
            "a_query": round(max(most, 0) * seconds / max(answered, 1), 5), "unexplained": round(share, 4),
            "explained": c["explained"], "alarms": accused, "growers": accounts, "files": files, "wrong": wrong}


def found(planted, last):
    """Does the verdict blame the planted leak: account and file first among what grew, or the kind in both processes?"""
    if planted in KINDS:
        return all(any(w.startswith(process) and KINDS[planted] in w for w in last["wrong"]) for process in PROCESSES)
    first = tuple(next(iter(last[what]), "") for what in ("growers", "files"))
    return last["grown"] > GROWN_MAX and first == LEAKS[planted]
