#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`weirctl bisect` puts its toggle back, and ends its load, when it is ended; by a control plane of stubs. usage: test_bisect_ends.py WEIRCTL"""

import http.server
import json
import os
import pathlib
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

WEIRCTL = pathlib.Path(sys.argv[1]).resolve()
PATIENCE_S = 60


class Reply(http.server.BaseHTTPRequestHandler):
    """Notes each value that the toggle is set to. The first `refusals` that put it back are refused."""
    values, refusals, hangs_s = [], 0, 0

    def send(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.send(200, {"toggles": [{"name": "resolver", "value": 1, "usual": 1}],
                        "bytes": [{"name": "heap", "per_hour": 0, "plus_minus": 1, "known": True}]})

    def do_POST(self):
        value = urllib.parse.parse_qs(self.path.partition("?")[2])["value"][0]
        if value == "default":
            time.sleep(Reply.hangs_s)
        refused = value == "default" and Reply.refusals > 0
        Reply.refusals -= refused
        if not refused:
            Reply.values.append(value)
        self.send(*((503, {"error": "busy"}) if refused else (200, {})))

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def until(what, condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not in {PATIENCE_S} s: {what}")
        time.sleep(0.05)


class Ends(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        run = self.folder / "run"
        (run / "control").mkdir(parents=True)
        self.config = self.folder / "weir.yaml"
        self.config.write_text(f"runtime: {{directory: {run}}}\ndataplane: {{ports: [{{device: net_null0}}], service_addresses: [198.18.0.53/24]}}\n"
                               "upstreams: {servers: [{address: 9.9.9.9}]}\n")
        server = Server(str(run / "control/control.sock"), Reply)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        Reply.values, Reply.refusals, Reply.hangs_s = [], 0, 0

    def start(self, *options, **more):
        load = f"echo $$ > {self.folder}/load; exec sleep 600"
        self.bisect = subprocess.Popen([WEIRCTL, *options, "-c", self.config, "bisect", "resolver", "--seconds", "5", "--load", load],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        self.addCleanup(self.bisect.stderr.close)
        self.addCleanup(self.bisect.stdout.close)
        self.addCleanup(self.bisect.wait)
        self.addCleanup(self.bisect.kill)

    def load_lives(self):
        return pathlib.Path(f"/proc/{(self.folder / 'load').read_text().strip()}").exists()

    def test_ends(self):
        for number in signal.SIGHUP, signal.SIGTERM, signal.SIGINT:
            with self.subTest(number.name):
                Reply.values, Reply.refusals = [], 2
                self.start()
                until("the toggle is off", lambda: Reply.values == ["off"])
                self.assertTrue(self.load_lives())
                self.bisect.send_signal(number)
                _, error = self.bisect.communicate(timeout=PATIENCE_S)
                self.assertEqual((1, ["off", "default"]), (self.bisect.returncode, Reply.values), error)
                self.assertIn("weirctl: interrupted\n", error)
                self.assertFalse(self.load_lives())

    def test_terminal_gone(self):
        """A pipe for messages, as to `tee`, that nobody reads any more."""
        self.start()
        until("the toggle is off", lambda: Reply.values == ["off"])
        self.bisect.stderr.close()
        self.bisect.stdout.close()
        self.bisect.send_signal(signal.SIGHUP)
        self.assertEqual(1, self.bisect.wait(PATIENCE_S))
        self.assertEqual(["off", "default"], Reply.values)
        self.assertFalse(self.load_lives())

    def test_nohup(self):
        self.start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        until("the toggle is off", lambda: Reply.values == ["off"])
        os.kill(self.bisect.pid, signal.SIGHUP)
        time.sleep(1.5)
        self.assertEqual((None, ["off"]), (self.bisect.poll(), Reply.values))

    def test_never_back(self):
        Reply.refusals = 1000
        self.start()
        until("the toggle is off", lambda: Reply.values == ["off"])
        self.bisect.send_signal(signal.SIGTERM)
        _, error = self.bisect.communicate(timeout=2 * PATIENCE_S)
        self.assertEqual(1, self.bisect.returncode)
        self.assertIn("toggle resolver stays off: it could not be put back in 60 s (busy); weirctl set resolver default puts it back\n", error)
        self.assertFalse(self.load_lives())

    def test_one_error_of_a_control_plane_that_hangs(self):
        """It no longer answers: the time of all tries has an end, and JSON is one document."""
        Reply.hangs_s = 1000
        self.start("--json")
        until("the toggle is off", lambda: Reply.values == ["off"])
        begin = time.monotonic()
        self.bisect.send_signal(signal.SIGTERM)
        text, _ = self.bisect.communicate(timeout=3 * PATIENCE_S)
        self.assertLess(time.monotonic() - begin, 75)
        self.assertTrue(json.loads(text)["error"].startswith("toggle resolver stays off"), text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
