#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A primary of another weir, for one secondary. usage: sync_primary.py PORT CERTIFICATE KEY OFFER SAID

OFFER is a JSON object, read for each poll: "text", "version", "skew" (its protocol minus that of the secondary), and any other keys
for the reply. SAID gets the fields of the last poll.
"""
import hashlib
import http.server
import json
import os
import ssl
import sys
import time
import urllib.parse


class Poll(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        fields = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode(), keep_blank_values=True))
        with open(sys.argv[5] + ".new", "w") as said:
            json.dump(fields, said)
        os.rename(said.name, sys.argv[5])
        with open(sys.argv[4]) as file:
            offer = json.load(file)
        reply = {"box": "newer", "epoch": 1, **offer, "protocol": int(fields["protocol"]) + offer.pop("skew", 0)}
        reply.pop("skew", None)
        reply["digest"] = hashlib.sha256(reply["text"].encode()).hexdigest()
        reply["unchanged"] = reply["digest"] == fields["digest"]
        if reply["unchanged"]:
            del reply["text"]
            time.sleep(0.3)
        line = (json.dumps(reply) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Content-Length", str(len(line)))
        self.end_headers()
        self.wfile.write(line)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Poll)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
