# SPDX-License-Identifier: BSD-3-Clause
"""How soon a leak must be noticed, and whether an alarm blames the right place."""
import math
import os
import re

# What is lost an hour, and within how many seconds it must be noticed; between them by the logarithms.
BYTES = ((1 << 30, 60), (100 << 20, 180), (10 << 20, 900), (1 << 20, 3600))
COUNTS = ((1800, 60), (360, 300), (60, 900), (6, 3600))  # descriptors, packet buffers: 0.5 a second and less
ENTRIES = ((36000, 60), (7200, 180), (1200, 900), (200, 3600))  # of a table: 10 a second and less
BYTE_KINDS = ("heap", "map", "rte")
# The kinds of alarm that a kind of leak may raise. What is lost takes memory too, whatever else it is.
SUMS = {"account", "heap", "resident", "table"}
MAY = {"heap": SUMS, "rte": SUMS, "map": {"mappings", "deleted_mappings", "resident"}, "descriptor": SUMS | {"descriptors"},
       "buffer": {"buffers", "table"}, "table": SUMS}
# The tables whose entries a call gives back, by its name, or by the function around a call that serves several tables.
TABLES = {"slot_give_back": ("frontend",), "tcp_buffer_give": ("tcp_buffers",), "conn_pending_end": ("tcp_questions",),
          "conn_question_give": ("tcp_questions",), "tcp_place_give": ("tcp_connections",),
          "lookup_give": ("l1_", "redis_"), "request_give": ("refresh_",), "inflight_remove": ("question", "waiter", "inflight"),
          "querylog_release": ("log_",)}
DESCRIPTORS = (("socket:", "socket"), ("anon_inode:[eventfd]", "eventfd"), ("/memfd:", "memfd"), ("pipe:", "pipe"), ("", "file"))


def limit_s(kind, per_hour):
    points = BYTES if kind in BYTE_KINDS else ENTRIES if kind == "table" else COUNTS
    if per_hour >= points[0][0]:
        return points[0][1]
    for (high, soon), (low, late) in zip(points, points[1:]):
        if per_hour >= low:
            share = math.log(high / per_hour) / math.log(high / low)
            return soon * (late / soon) ** share
    return math.inf


def files_in(text):
    return set(re.findall(r"[\w-]+\.[ch]\b", text))


class Truth:
    """What a plant takes away, in all the words by which it may be named."""

    def __init__(self, site, result):
        self.kind, self.process, self.site = site["kind"], site["process"], site
        self.where = result.get("where", [])
        own = f"{site['function']} ({os.path.basename(site['path'])}:{site['line']})"
        texts = [own, *self.where] if self.kind != "descriptor" else [own]
        self.files = set().union(*(files_in(t) for t in texts))
        self.functions = {m for t in texts for m in re.findall(r"\b(\w+) \(", t)}
        # Blocks of a library are in its account, and named by it and by who called it: "jansson < json_out_finish < serve_top".
        chains = [t.split(" < ") for t in self.where if self.kind == "heap" and not files_in(t)]
        self.functions |= {word for chain in chains for word in chain}
        state = result.get("state", {})
        self.accounts = {f["account"] for f in state.get("files", ()) if f["name"] in self.files}
        self.accounts |= {"libraries"} if chains else set()
        self.owner = {t["name"]: t["owner"] for t in state.get("tables", ())}

    def regions(self):
        """Of a mapped file `/run/weir/rule_image.7 (deleted)`: rule_image."""
        names = set()
        for path in self.where:
            base = os.path.basename(path.removesuffix(" (deleted)"))
            names.add(re.sub(r"\.\d+$", "", base))
        return names

    def descriptors(self):
        return {next(kind for begin, kind in DESCRIPTORS if w.startswith(begin)) for w in self.where}

    def words(self):
        """By any of these the place is named."""
        if self.kind == "map":
            return self.regions() | self.functions | self.files
        if self.kind == "descriptor":
            return self.descriptors() | self.functions | self.files
        return self.functions | self.files

    def names(self, alarm):
        """Does this alarm name the place?"""
        text = f"{alarm['by']} {alarm['name']}"
        if any(re.search(rf"(?<![\w.]){re.escape(w)}(?!\w)", text) for w in self.words()):
            return True
        tables = TABLES.get(self.site["call"]) or TABLES.get(self.site["function"], ())
        if self.kind == "table":
            return alarm["kind"] == "table" and alarm["name"].startswith(tables)
        if self.kind == "buffer":
            owner = OWNERS.get(os.path.basename(self.site["path"]))
            return alarm["kind"] == "buffers" and bool(owner and re.match(owner + " ", alarm["by"]))
        return False

    def blames_another(self, alarm):
        """Is this alarm about something that the plant has no part in?"""
        if alarm["process"] != self.process or alarm["kind"] not in MAY[self.kind]:
            return True
        if self.names(alarm):
            return False
        if files_in(alarm["by"]) or alarm["kind"] in ("account", "heap") and alarm["by"]:
            return True  # a place, and not this one
        if alarm["kind"] == "descriptors":  # of another kind
            return any(alarm["name"].startswith(kind) for _, kind in DESCRIPTORS)
        if alarm["kind"] == "account":
            return bool(self.accounts) and alarm["name"] not in self.accounts
        if alarm["kind"] == "table":
            return self.kind not in ("table", "descriptor")
        return False


# Who owned most of the packet buffers that a file should have freed (include/weir/stats_tables.h): stage_tx frees by verdict.
OWNERS = {"stage_tx.c": r"(?!(port|rx|answer|kernel_\w+|tx|tx_full) )\w+", "send.c": "tx_full", "stage_exception.c": "drop_exception_full",
          "stage_answer.c": "answer"}


def verdict(site, result):
    """{"noticed", "after_s", "limit_s", "named", "wrong": [...], "by"} of one planted leak."""
    truth, limit = Truth(site, result), limit_s(site["kind"], result["rate"])
    wrong = [a for a in result["alarms"] if truth.blames_another(a)]
    right = [a for a in result["alarms"] if a not in wrong]
    naming = [a for a in right if truth.names(a)]
    after = min((a["after_s"] for a in right), default=None)
    best = (naming or right or [{"kind": "", "name": "", "by": ""}])[0]
    return {"noticed": after is not None and after <= limit, "after_s": after, "limit_s": round(limit) if limit < 1e9 else None,
            "named": bool(naming), "wrong": wrong, "alarm": f"{best['kind']} {best['name']} {best['by']}".strip(),
            "truth": sorted(truth.words())[:8]}
