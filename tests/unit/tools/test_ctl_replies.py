#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What weirctl makes of replies that end a wait, name files that cannot be read, or meet a full disk. usage: test_ctl_replies.py WEIRCTL"""

import http.server
import json
import pathlib
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "smoke/rig"))
from person import Person  # noqa: E402

WEIRCTL = pathlib.Path(sys.argv[1]).resolve()
UNKNOWN = (401, {"error": "unknown token"})
TOP = {"for_ms": 1800000, "totals": {"queries": 7}, "names": {"queries": 7, "items": []}}


class Reply(http.server.BaseHTTPRequestHandler):
    """Gives one (status, document) after the other, the last one for ever; a list of documents is a stream, which ends."""
    replies, asked = [], []

    def do_GET(self):
        form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        Reply.asked.append(self.path + ("?" + form if form else ""))
        status, body = Reply.replies.pop(0) if len(Reply.replies) > 1 else Reply.replies[0]
        lines = body if isinstance(body, list) else [body]
        text = "\n".join([*map(json.dumps, lines), ""]).encode()
        self.send_response(status)
        if body is not lines:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        try:
            self.wfile.write(text)
        except BrokenPipeError:  # weirctl has enough
            pass

    do_POST = do_GET

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Replies(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        run = pathlib.Path(folder.name) / "run"
        (run / "control").mkdir(parents=True)
        self.config = pathlib.Path(folder.name) / "weir.yaml"
        self.config.write_text(f"runtime: {{directory: {run}}}\ndataplane: {{ports: [{{device: net_null0}}], service_addresses: [198.18.0.53/24]}}\n"
                               "upstreams: {servers: [{address: 9.9.9.9}]}\n")
        server = Server(str(run / "control/control.sock"), Reply)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def weirctl(self, *words, replies, stdout=subprocess.PIPE):
        Reply.replies, Reply.asked = list(replies), []
        done = subprocess.run([WEIRCTL, "-c", self.config, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=30)
        return done.returncode, done.stdout, done.stderr

    def test_wait_ends_where_it_may_not_ask(self):
        for status in 401, 403:
            for condition in ("ready",), ("lists",), ("event", "start"):
                got = self.weirctl("wait", *condition, "--for", "20s", replies=[(status, {"error": "not you"})])
                self.assertEqual((1, "", "weirctl: not you\n"), got)
                self.assertEqual(1, len(Reply.asked))

    def test_wait_for_another_box_ends(self):
        """Where the conditions are of both processes; of this box's, shared memory says that it is down."""
        folder = self.config.parent
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key", "-out", "cert",
                        "-subj", "/CN=box", "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert", folder / "key")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reply)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        box = f"127.0.0.1:{server.server_port}"
        for condition in ("generations",), ("counter", "stats.controlplane.misses", ">", "0"), ("counter", "stats.dataplane.workers", ">", "0"):
            got = self.weirctl("--host", box, "--ca", folder / "cert", "wait", *condition, "--for", "5s", replies=[UNKNOWN])
            self.assertEqual((1, "", f"weirctl: {box}: unknown token\n"), got)
            self.assertEqual(2, len(Reply.asked))  # for each process

    def test_wait_asks_again(self):
        for status in 429, 500, 503:
            code, out, err = self.weirctl("wait", "ready", replies=[(status, {"error": "busy"}), (200, {"ready": True})])
            self.assertEqual((0, ""), (code, err), out)

    def test_a_change_of_what_was_seen(self):
        """Another change between the look and this one is not written over."""
        rows = [{"path": "clients[tablet].addresses", "value": "[192.0.2.7]"}]
        for overrides in [], rows:
            seen = {"overrides": overrides, "version": 7}
            self.weirctl("client", "name", "192.0.2.8", "tablet", replies=[(200, seen), (200, {"path": "p"})])
            self.assertEqual(2, len(Reply.asked))
            self.assertRegex(Reply.asked[1], r"[?&]if_version=7\b")
        self.weirctl("client", "name", "192.0.2.8", "tablet", replies=[(200, {"overrides": []}), (200, {"path": "p"})])
        self.assertNotIn("if_version", Reply.asked[1])

    def test_a_full_disk_ends_a_stream(self):
        row = {"unix_ms": 1, "time_us": 1, "qname": "a" * 5000, "text": "b" * 5000}
        rows = {"rows": [row], "after": "1.1.1", "complete": True}
        for words, reply in ((("log", "tail"), [row, row]), (("events", "--follow"), [row, row]), (("log", "export"), rows), (("log", "search"), rows),
                             (("trace",), [{"begin": True}, row, row])):
            with open("/dev/full", "w") as full:
                code, _, err = self.weirctl("--json", *words, replies=[(200, reply)], stdout=full)
            self.assertEqual((1, 1), (code, err.count("the output is not whole")), (words, err))
            self.assertNotIn("closed the connection", err, words)

    def test_files_that_cannot_be_read(self):
        reply = {**TOP, "covered_s": 3600, "complete": True, "clients": [], "unreadable_files": 2}
        for words in ("top", "--since", "1h"), ("top", "--since", "1h", "--until", "30m"), ("clients",):
            code, out, err = self.weirctl(*words, replies=[(200, reply)])
            self.assertEqual((0, ""), (code, err))
            self.assertIn("files of the query store that could not be read: 2; their queries are not counted", out)
            self.assertNotIn("not be read", self.weirctl(*words, replies=[(200, {**reply, "unreadable_files": 0})])[1])
        Reply.replies = [(200, reply)]
        person = Person("timeout", "--foreground", "5", WEIRCTL, "-c", self.config, "top", "--watch", "--since", "1h")
        person.until("files that could not be read: 2")
        person.types("q")
        self.assertEqual(0, person.end()[0])

    def test_top_ends_where_it_may_not_ask(self):
        Reply.replies, Reply.asked = [(200, TOP), UNKNOWN], []
        person = Person("timeout", "--foreground", "5", WEIRCTL, "-c", self.config, "top", "--watch", "--interval", "0.2")
        person.until("unknown token")
        self.assertEqual(1, person.end()[0])
        self.assertEqual(2, len(Reply.asked))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
