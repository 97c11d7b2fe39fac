#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The alert rules of Prometheus: each fires and is quiet as it should by promtool, and has a runbook that is there; each
reason of /ready is in a rule. Tables of the dashboards have all boxes, and no empty name. usage: test_alerts.py ROOT"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(sys.argv[1]).resolve()
FILE = ROOT / "tools/grafana/alerts.yml"
RULES = {r["alert"]: r for r in yaml.safe_load(FILE.read_text())["groups"][0]["rules"]}
BOX = 'instance="box"'
FLEET = BOX + ',job="fleet"'


def reason(name, quiet="0+0x3000"):
    """Fires while the reason holds."""
    return [(f'weir_reason{{{BOX},id="{name}"}}', "1+0x3000", quiet)]


def is_one(series, bad="1", good="0"):
    return [(series, f"{bad}+0x3000", f"{good}+0x3000")]


def fleet(*boxes):
    """Boxes of a fleet: values of the replies and SERVFAILs of each a minute, those that fire and those that do not; None: it
    has no series. The first is the one that the alert is of."""
    series = []
    for i, (fires, quiet) in enumerate(boxes):
        box = FLEET.replace('"box"', f'"box{"" if i == 0 else " beside " + str(i)}"')
        series.append((f"weir_sync_epoch{{{box}}}", "1+0x3000", "1+0x3000"))
        series += [(f'weir_replies_total{{{box},rcode="{code}"}}', *(f"0+{of[k]}x3000" if of else "_x3000" for of in (fires, quiet)))
                   for k, code in enumerate(("NOERROR", "SERVFAIL"))]
    return series


# Series by the minute: the values that fire, and those that do not.
CASES = {
    "WeirNotScraped": is_one(f'up{{{BOX},job="weir"}}', "0", "1"),
    "WeirProcessDown": is_one(f'weir_up{{{BOX},process="dataplane"}}', "0", "1"),
    "WeirNotReady": [(f'weir_ready{{{BOX},for="balancer"}}', "0+0x3000", "0+0x3000"),
                     (f'weir_reason{{{BOX},id="drained"}}', "0+0x3000", "1+0x3000")],  # an operator wants it so
    "WeirDataplaneAway": reason("dataplane"),
    "WeirDrained": reason("drained", "1+0x100 0+0x3000"),
    "WeirThreadHung": [(f"weir_workers_hung{{{BOX}}}", "1+0x3000", "0+0x3000"), (f"weir_resolvers_hung{{{BOX}}}", "0+0x3000", "0+0x3000"),
                       (f"weir_frontends_hung{{{BOX}}}", "0+0x3000", "0+0x3000")],
    "WeirWorkersEvicted": is_one(f"weir_workers_evicted{{{BOX}}}"),
    "WeirPortDown": is_one(f'weir_port_link_up{{{BOX},port="0"}}', "0", "1"),
    "WeirFramesLost": [(f'weir_port_rx_missed_total{{{BOX},port="0"}}', "0+600x3000", "0+30x3000"),
                       (f'weir_port_rx_nombuf_total{{{BOX},port="0"}}', "0+0x3000", "0+0x3000")],
    "WeirUpstreamsDown": is_one(f"weir_upstream_sets_down{{{BOX}}}"),
    "WeirUpstreamDown": is_one(f'weir_upstream_up{{{BOX},upstream="quad9"}}', "0", "1"),
    "WeirServfail": [(f'weir_replies_total{{{BOX},rcode="SERVFAIL"}}', "0+200x3000", "0+50x3000"),
                     (f'weir_replies_total{{{BOX},rcode="NOERROR"}}', "0+800x3000", "0+950x3000")],
    "WeirRulesOld": reason("rules_lag"),
    "WeirListFailing": is_one(f'weir_list_failing{{{BOX},list="ads"}}'),
    "WeirBlockingPaused": [(f"weir_blocking_pause_seconds{{{BOX}}}", "300+0x3000", "0+0x3000"),
                           (f"weir_blocking_groups_paused{{{BOX}}}", "0+0x3000", "0+0x3000")],
    "WeirBlockingOff": reason("rules_held"),
    "WeirHugepagesApart": reason("hugepages"),
    "WeirClockBehind": reason("clock"),
    "WeirReloadFailed": is_one(f"weir_config_last_reload_successful{{{BOX}}}", "0", "1"),
    "WeirConfigTakenBack": [(f"weir_config_taken_back_total{{{BOX}}}", "0+0x100 1+0x60", "1+0x3000")],
    "WeirConfigNotTakenBack": reason("config_health"),
    "WeirConfigDiffers": is_one(f"weir_config_differs{{{BOX}}}"),
    "WeirRestartPending": is_one(f"weir_config_restart_pending{{{BOX}}}", "2"),
    "WeirVersionsNotStored": reason("config_versions"),
    "WeirListenFailing": reason("control_listen"),
    "WeirRedisFailing": reason("redis"),
    "WeirClickHouseFailing": reason("clickhouse_tidy"),
    "WeirQueryStoreFailing": is_one(f"weir_store_failing{{{BOX}}}"),
    "WeirSinkFailing": reason("sink"),
    "WeirLogLost": [(f'weir_log_sink_dropped_queries_total{{{BOX},sink="dnstap"}}', "0+600x3000", "0+30x3000")],
    "WeirEventsLost": [(f'weir_event_output_lost_total{{{BOX},output="syslog"}}', "0+0x100 5+0x60", "5+0x3000")],
    "WeirUpdateAvailable": is_one(f"weir_update_available{{{BOX}}}"),
    "WeirUpdateRefused": [(f'weir_update_checks_total{{{BOX},result="older"}}', "0+0x100 5+0x60", "5+0x3000")],
    "WeirSyncPrimary": reason("sync_primary"),
    "WeirSyncVersion": reason("sync_version"),
    "WeirSyncRollout": reason("sync_rollout"),
    "WeirSyncPrimaries": reason("sync_primaries"),
    "WeirSyncBoxDiffers": [(f'weir_sync_box_current{{{BOX},box="box2",address="192.0.2.2"}}', "0+0x3000", "0+0x3000"),
                           (f'weir_sync_box_silent_seconds{{{BOX},box="box2",address="192.0.2.2"}}', "9+0x3000", "100+0x3000")],
    "WeirFleetUneven": fleet(((1000, 0), (2000, 0)), ((6000, 0), (6000, 0)), ((6000, 0), (6000, 0))),
    "WeirFleetServfail": fleet(((5000, 800), (5000, 200)), ((6000, 60), (6000, 200)), ((6000, 60), (6000, 200))),
    "WeirAuditLost": [(f"weir_audit_lost_total{{{BOX}}}", "0+0x100 5+0x60", "5+0x3000")],
    "WeirMemoryGrows": reason("memory_grows"),
    "WeirMemoryAlarm": [(f"weir_memory_alarms_total{{{BOX}}}", "0+0x100 1+0x60", "1+0x3000")],
    "WeirFault": reason("verdict_gap"),
}
# More of some: others of the fleet stand by, or are not there to compare with.
AGAIN = {
    "WeirFleetServfail": fleet(((970, 30), (970, 30)), ((0, 0), None)),
}
AT, LONG_AT = 120, 1560  # minutes: longer than rules wait that wait up to an hour, and than any


class Alerts(unittest.TestCase):
    def test_each_rule_has_a_case_and_each_case_a_rule(self):
        self.assertEqual(list(CASES), list(RULES))

    def test_each_has_a_runbook_that_is_there(self):
        for name, rule in RULES.items():
            self.assertEqual({"summary", "runbook"}, set(rule["annotations"]), name)
            self.assertIn(rule["labels"]["severity"], ("page", "ticket"), name)
            said = re.fullmatch(r".+[.?] (docs/\S+\.md)(?:#(\S+))?", rule["annotations"]["runbook"])
            self.assertTrue(said, name)
            page = (ROOT / said[1]).read_text()
            anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", page, re.M)}
            if said[2]:
                self.assertIn(said[2], anchors, name)

    def test_each_reason_has_a_rule(self):
        """A reason is one of a rule, or its metric of its own or what blocks is."""
        source = (ROOT / "controlplane/api/api_reasons.h").read_text()
        ids = re.findall(r"^\tX\((\w+), (?:info|warning|error)", source, re.M)
        self.assertGreater(len(ids), 20)
        own = {"serving": "WeirNotReady", "blocking_paused": "WeirBlockingPaused", "upstreams": "WeirUpstreamsDown", "upstream_sets": "WeirUpstreamsDown",
               "lists": "WeirListFailing", "reload": "WeirReloadFailed", "memory": "WeirMemoryAlarm", "query_store": "WeirQueryStoreFailing"}
        text = " ".join(r["expr"] for r in RULES.values())
        patterns = re.findall(r'weir_reason\{id=~?"([^"]*)"', text)
        for name in ids:
            self.assertTrue(own.get(name) in RULES or any(re.fullmatch(p, name) for p in patterns), name)

    def promtool(self, what, *args):
        if not shutil.which("promtool") and not os.environ.get("WEIR_INSTALLED"):
            print(f"no promtool: {what} not tried")
            return
        memory = {"TMPDIR": "/dev/shm"} if os.path.isdir("/dev/shm") else {}  # its databases need no disk
        done = subprocess.run(["promtool", *args], capture_output=True, text=True, timeout=200, env={**os.environ, **memory})
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_rules_are_right(self):
        self.promtool("rules", "check", "rules", FILE)

    def expected(self, name):
        """Labels of the alert."""
        labels = dict(re.findall(r'(\w+)="([^"]*)"', CASES[name][0][0]))
        labels.pop("rcode", None)  # a sum
        return labels | RULES[name]["labels"]

    def text(self, labels):
        return "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}"

    def of_case(self, series, case):
        """With a box and a fleet of the case's own."""
        return series.replace('instance="box', f'instance="{case}').replace('job="fleet"', f'job="{case}"')

    def test_each_fires_and_is_quiet(self):
        """All cases at once, each on a box of its own."""
        for at, every in (AT, 5), (LONG_AT, 60):
            series, wanted = [], []
            for name, cases in CASES.items():
                if (RULES[name].get("for", "0s") in ("4h", "6h", "1d")) != (at == LONG_AT):
                    continue
                samples = []
                labels = self.expected(name) | {"alertname": name, "alertstate": "firing"}
                for case, again in (name, cases), (f"{name} again", AGAIN.get(name, [])):
                    series += [{"series": self.of_case(c[0], f"{case} {i}"), "values": c[i]} for c in again for i in (1, 2)]
                    samples += [{"value": 0, "labels": self.of_case(self.text(labels), f"{case} 1")}] if again else []
                alerts = self.text({k: v for k, v in labels.items() if k not in ("instance", "job")})
                wanted.append({"expr": f'ALERTS{alerts[:-1]},instance=~"{name} .*"}} * 0', "eval_time": f"{at}m", "exp_samples": samples})
            test = {"interval": "1m", "name": f"at {at} min", "input_series": series, "promql_expr_test": wanted}
            with tempfile.NamedTemporaryFile("w", suffix=".yml") as out:
                yaml.safe_dump({"rule_files": [str(FILE)], "evaluation_interval": f"{every}m", "tests": [test]}, out)
                out.flush()
                self.promtool("tests of rules", "test", "rules", out.name)


class Tables(unittest.TestCase):
    def setUp(self):
        panels = json.loads((ROOT / "tools/grafana/weir-clickhouse.json").read_text())["panels"]
        self.queries = [t["rawSql"] for p in panels for t in p.get("targets", []) if "rawSql" in t]

    def test_each_box_has_its_rows(self):
        most = int(re.search(r"SYNC_BOXES_MAX = (\d+)", (ROOT / "controlplane/sync/sync_boxes.h").read_text())[1])
        limits = [m for m in (re.search(r"LIMIT (\d+) BY box LIMIT (\d+)$", q) for q in self.queries) if m]
        self.assertEqual(2, len(limits))
        for each, of_all in (m.groups() for m in limits):
            self.assertGreaterEqual(int(of_all), int(each) * most)

    def test_unlogged_queries_are_no_name_and_no_client(self):
        for column in "qname", "client":
            lists = [q for q in self.queries if re.search(rf"GROUP BY (box, )?{column}\b", q) and "blocked = 1" not in q and "rcode = 3" not in q]
            self.assertEqual(2, len(lists))
            for q in lists:
                self.assertIn(f"AND {column} != ''", q)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
