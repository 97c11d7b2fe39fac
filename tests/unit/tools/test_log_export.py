#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`weirctl log export` of a box that sends what no weir does. usage: test_log_export.py WEIRCTL"""

import csv
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


class Reply(http.server.BaseHTTPRequestHandler):
    """Gives one page after the other, the last one for ever."""
    pages = []

    def do_GET(self):
        text = json.dumps(Reply.pages.pop(0) if len(Reply.pages) > 1 else Reply.pages[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


def page(after, *names, complete=False):
    return {"rows": [{"qname": name, "time_us": 1} for name in names], "after": after, "complete": complete}


class Export(unittest.TestCase):
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

    def names(self, status, *pages, words=("export", "--format", "csv")):
        Reply.pages = list(pages)
        done = subprocess.run([WEIRCTL, "-c", self.config, "log", *words], capture_output=True, timeout=30)
        self.assertEqual(status, done.returncode, done.stderr)
        self.assertEqual(status == 0, done.stderr == b"", done.stderr)
        if status:
            self.assertRegex(done.stderr, b"the search does not (move on|end)")
        self.assertEqual([], [c for c in done.stdout if c != 10 and not 32 <= c < 127], done.stdout)
        return [row["qname"] for row in csv.DictReader(done.stdout.decode().splitlines())]

    def test_text(self):
        self.assertEqual(["a.example.", r"\x1b]0;x\x07", 'quo"te', "'=1", r"\xc2\x9b2J", "A" * 1023, r"\x0a"],
                         self.names(0, page("1.1.7", "a.example.", "\x1b]0;x\x07", 'quo"te', "=1", "\x9b2J", "A" * 1023, "\n", complete=True)))

    def test_pages(self):
        self.assertEqual(["a", "b", "c"], self.names(0, page("1.1.7", "a"), page("1.1.7"), page("1.1.7"), page("1.1.8", "b"), page("2.1.0"),
                                                     page("2.2.1", "c", complete=True)))
        Reply.pages = []
        self.names(1, page("2.1.7", "a"), page("2.1.7", "b"))
        self.names(1, page("2.1.7", "a"), page("1.1.8", "b"))
        self.names(1, page("2.1.7", "a"), page("2.1.6", "b"))
        self.names(1, page("2.1.7", "a"), page("x", "b"))
        self.names(1, page("2.1.7"))

    def test_places_that_grow(self):
        self.names(1, *(page(f"2.1.{i}") for i in range(1, 700)))
        self.names(1, page("490000.1.1", "a"), page("99999999.1.1", "b"))
        names = self.names(0, *(page(f"{i}.1.1") for i in range(1, 700)), page("700.1.1", "a", complete=True))
        self.assertEqual(["a"], names)

    def test_newest_first(self):
        def found(status, *pages):
            Reply.pages = list(pages)
            done = subprocess.run([WEIRCTL, "-c", self.config, "log", "search", "--json"], capture_output=True, timeout=30)
            self.assertEqual(status, done.returncode, done.stderr)
            return json.loads(done.stdout)
        self.assertEqual(2, len(found(0, page("2.1.999999999999999999"), page("2.1.7", "a"), page("1.2.9", "b", complete=True))["rows"]))
        self.assertIn("does not move on", found(1, page("2.1.7", "a"), page("2.1.8", "b"))["error"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
