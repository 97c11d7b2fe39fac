# SPDX-License-Identifier: BSD-3-Clause
"""A proxy before a ClickHouse server, with faults for inserts.

usage: clickhouse_proxy.py PORT SERVER_PORT MODE_FILE

What MODE_FILE says when an insert comes: `pass`; `slow S`: answered S seconds late; `error`: 500, the server gets nothing; `cut`:
the connection ends in the midst of the body; `lost`: the server gets it, and nobody says so; `limit N`: 413 for more than N
bytes. All else is passed on.
"""
import http.client
import socket
import socketserver
import sys
import time

PORT, SERVER_PORT, MODE_FILE = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def mode():
    with open(MODE_FILE) as f:
        return f.read().split() or ["pass"]


class Talk(socketserver.StreamRequestHandler):
    def say(self, status, body):
        self.wfile.write(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)

    def head(self):
        """Request line, headers; None: the client has gone."""
        line = self.rfile.readline().decode().split()
        headers = {}
        while (field := self.rfile.readline().strip()):
            name, value = field.decode().split(":", 1)
            headers[name.strip()] = value.strip()
        return (line, headers) if len(line) == 3 else None

    def forward(self, path, headers, body):
        server = http.client.HTTPConnection("127.0.0.1", SERVER_PORT, timeout=60)
        server.request("POST", path, body, {k: v for k, v in headers.items() if k not in ("Host", "Content-Length")})
        reply = server.getresponse()
        return reply.status, reply.read()

    def exchange(self):
        """False: the connection is over."""
        got = self.head()
        if not got:
            return False
        (_, path, _), headers = got
        length = int(headers.get("Content-Length", 0))
        what = mode() if "query=INSERT" in path else ["pass"]
        if what[0] == "cut":
            self.rfile.read(length // 2)
            return False
        body = self.rfile.read(length)
        if what[0] == "error":
            self.say(500, b"out of order\n")
        elif what[0] == "limit" and length > int(what[1]):
            self.say(413, b"request entity too large\n")
        else:
            reply = self.forward(path, headers, body)
            if what[0] == "lost":
                return False
            if what[0] == "slow":
                time.sleep(float(what[1]))
            self.say(*reply)
        return True

    def handle(self):
        try:
            while self.exchange():
                pass
        except OSError:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # as the server did


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", PORT), Talk).serve_forever()
