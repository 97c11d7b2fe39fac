#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What `weirctl fleet` says of a roll-out, and its exit status, by a control plane of stubs. usage: test_fleet_ctl.py WEIRCTL"""

import http.server
import json
import pathlib
import socketserver
import subprocess
import sys
import tempfile
import threading
import unittest

WEIRCTL = pathlib.Path(sys.argv[1]).resolve()
HOUR_MS = 3600 * 1000


def box(name, **more):
    return {"name": name, "from": "192.0.2.2", "away": False, "twin": False, "current": True, "version": 13, "result": "held", "wave": 0, **more}


def rollout(state, **more):
    return {"version": 13, "base_version": 12, "wave": 1, "waves": 3, "released": 1, "held": 1, "boxes": 1, "goes_back": False,
            "since_ms": HOUR_MS, "box": "", "reason": "", **more, "state": state}


def primary(roll, *boxes):
    return {"box": "box1", "epoch": 1, "primary": {"version": 13, "boxes": list(boxes), "rollout": roll}}


class Reply(http.server.BaseHTTPRequestHandler):
    """GET /fleet gives one look after the other, the last one for ever; POST /fleet/X is noted, and the looks in `after` follow."""
    looks, after, posted, asked = [], {}, [], ""  # `asked`: the query of the last POST

    def send(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.send(Reply.looks.pop(0) if len(Reply.looks) > 1 else Reply.looks[0])

    def do_POST(self):
        path, _, Reply.asked = self.path.rpartition("/v1")[2].partition("?")
        Reply.posted.append(path)
        Reply.looks = Reply.after.get(path, Reply.looks)
        self.send({"version": 13, "watch_left_s": 0, "rollout": Reply.looks[0].get("primary", {}).get("rollout")})

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Fleet(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        run = pathlib.Path(folder.name) / "run"
        (run / "control").mkdir(parents=True)
        self.config = pathlib.Path(folder.name) / "weir.yaml"
        self.config.write_text(f"runtime: {{directory: {run}}}\ndataplane: {{ports: [{{device: net_null0}}], service_addresses: [198.18.0.53/24]}}\n"
                               "upstreams: {servers: [{address: 9.9.9.9}]}\n")
        server = socketserver.UnixStreamServer(str(run / "control/control.sock"), Reply)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def run_at(self, looks, *words, after=None):
        Reply.looks, Reply.after, Reply.posted = list(looks), after or {}, []
        return subprocess.run([WEIRCTL, "-c", self.config, "fleet", *words], capture_output=True, text=True, timeout=20)

    def ends(self, status, looks, *words, after=None):
        """The lines of the roll-out, without that of the apply."""
        done = self.run_at(looks, *words, after=after)
        self.assertEqual((status, ""), (done.returncode, done.stderr), done.stdout)
        return [line for line in done.stdout.splitlines() if not line.startswith("nothing has changed")]

    def test_secondary(self):
        secondary = {"box": "box2", "epoch": 1, "secondary": {"url": "https://box1:9953", "result": "held"}}
        for words in ["apply"], ["diff"]:
            done = self.run_at([secondary], *words)
            self.assertEqual((1, "", "weirctl: this box is a secondary: its primary, https://box1:9953, rolls versions out\n"),
                             (done.returncode, done.stdout, done.stderr))
            self.assertEqual([], Reply.posted)

    def test_diff_of_nobody(self):
        self.assertIn("no box has polled this one since its start", self.ends(0, [primary(rollout("done", boxes=0, held=0))], "diff")[0])
        self.assertIn("all boxes have one", self.ends(0, [primary(rollout("done"), box("box2"))], "diff")[0])

    def test_status_without_boxes(self):
        shown = self.ends(0, [primary(rollout("stopped", box="box2", boxes=0, held=0, reason="no poll for 90 s"))], "status")
        self.assertIn("roll-out     version 13 STOPPED in wave 1 of 3: box2: no poll for 90 s", shown)
        self.assertIn("no box has polled this one since its start, or in seven days", shown)
        self.assertIn("roll-out     no version has been rolled out so far", self.ends(0, [primary(rollout("done", wave=0))], "status"))

    def test_wave_column(self):
        for state, wave in ("rolling", "0"), ("stopped", "0"), ("done", "-"), ("taken_back", "-"):
            row = self.ends(0, [primary(rollout(state), box("box2"))], "status")[-1]
            self.assertEqual(wave, row.split()[-1], row)

    def test_rollout_after_a_start(self):
        waits = rollout("rolling", wave=2, released=0, held=0, waits_ms=65000)
        shown = self.ends(0, [primary(waits, box("box2"))], "status")
        self.assertIn("roll-out     version 13, wave 2 of 3: no further box gets it for 1 min 5 s: this primary has started and "
                      "waits for its boxes to poll, 1 so far", shown)
        self.assertEqual("-", shown[-1].split()[-1], shown)

    def test_state_column(self):
        for state, of, more in (("current", "rolling", {}), ("watched", "rolling", {"current": False, "result": "pending", "wave": 1}),
                                ("waiting", "rolling", {"current": False}), ("behind", "rolling", {"current": False, "wave": 1}),
                                ("behind", "stopped", {"current": False}), ("refused", "taken_back", {"current": False, "result": "refused"})):
            row = self.ends(0, [primary(rollout(of), box("box2", **more))], "status")[-1]
            self.assertEqual(state, row.split()[2], row)

    def test_apply_waits_for_a_box(self):
        nobody = rollout("rolling", boxes=0, released=0, held=0)
        looks = [primary(nobody)] * 4 + [primary(rollout("rolling", held=0), box("box2", current=False)), primary(rollout("done"), box("box2"))]
        self.assertEqual(["version 13, wave 1 of 3: no box polls this one now, weir waits for one",
                          "version 13, wave 1 of 3: 0 of 1 boxes that may have it hold it, 1 boxes in all",
                          "version 13 may be on all boxes: 1 of 1 hold it"], self.ends(0, looks, "apply"))

    def test_apply_without_waves(self):
        behind, now = box("box2", current=False, version=12), {"boxes": 2, "since_ms": 900}
        looks = [primary(rollout("done", **now), box("box3"), behind)] * 4
        good = ["version 13 may be on all boxes: 1 of 2 hold it", "version 13 may be on all boxes: 2 of 2 hold it"]
        self.assertEqual(good, self.ends(0, looks + [primary(rollout("done", **now, held=2), box("box3"), box("box2"))], "apply"))
        refused = box("box2", current=False, result="refused", reason="no list ads")
        self.assertEqual([good[0], "box2: version 13, refused: no list ads"], self.ends(1, looks + [primary(rollout("done", **now), box("box3"), refused)], "apply"))
        late = primary(rollout("done", boxes=2), box("box3"), behind)
        self.assertEqual([good[0], "box2: version 12, held"], self.ends(1, [late], "apply"))

    def test_apply_after_a_take_back(self):
        over = primary(rollout("taken_back", box="box2", reason="refused: x"), box("box2"))
        self.assertEqual(["version 12 may be on all boxes: 1 of 1 hold it"],
                         self.ends(0, [over], "apply", after={"/fleet/apply": [primary(rollout("done", version=12), box("box2", version=12))]}))
        self.assertEqual(["/config/apply", "/fleet/apply"], Reply.posted)
        self.assertEqual("if_version=13&if_state=taken_back", Reply.asked)
        self.ends(1, [primary(rollout("taken_back", goes_back=True), box("box2"))] * 3 + [over], "apply")
        self.assertEqual(["/config/apply"], Reply.posted)  # the way back goes on

    def test_stop_back(self):
        goes = primary(rollout("taken_back", goes_back=True, reason="by root"), box("box2"))
        back = primary(rollout("taken_back", base_version=14, reason="by root"), box("box2"))
        stuck = primary(rollout("stopped", reason="by root; this box cannot go back: no such version"), box("box2"))
        said = "version 13 is being TAKEN BACK to version 12: by root"
        self.assertEqual([said, "version 13 TAKEN BACK to version 14: by root"], self.ends(0, [goes], "stop", "--back", after={"/fleet/stop": [goes, goes, back]}))
        self.assertEqual([said, "version 13 STOPPED in wave 1 of 3: by root; this box cannot go back: no such version"],
                         self.ends(1, [goes], "stop", "--back", after={"/fleet/stop": [goes, stuck]}))
        self.assertEqual(["version 13 STOPPED in wave 1 of 3: by root"], self.ends(0, [primary(rollout("stopped", reason="by root"))], "stop"))
        self.assertEqual("if_version=13", Reply.asked)
        self.ends(0, [primary(rollout("stopped"))], "stop", "12")  # the one that the operator saw
        self.assertEqual("if_version=12", Reply.asked)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
