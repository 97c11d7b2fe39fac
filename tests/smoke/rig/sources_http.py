#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Lists over HTTP for sources_test.py. usage: sources_http.py FOLDER LOGFILE PEMFILE ADDRESS:PORT...

Port 8443 is https with the key and certificate of PEMFILE, the others are http.

Each file of FOLDER by its name, with an ETag of its content and 304 to a client with that ETag. /away redirects to the same
server at 198.18.200.1, /plain to http there. One line a request: address status path.
"""
import hashlib
import http.server
import pathlib
import ssl
import sys
import threading

FOLDER, LOG = pathlib.Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1)


class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self, status, headers=(), body=b""):
        LOG.write(f"{self.server.server_address[0]} {status} {self.path}\n")
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = FOLDER / self.path.lstrip("/").split("?")[0]
        if self.path == "/away":
            return self.reply(302, [("Location", f"http://198.18.200.1:{self.server.server_port}/list")])
        if self.path == "/plain":
            return self.reply(302, [("Location", "http://198.18.200.1:8080/list")])
        if not path.is_file():
            return self.reply(404)
        body = path.read_bytes()
        etag = '"' + hashlib.sha256(body).hexdigest() + '"'
        if self.headers.get("If-None-Match") == etag:
            return self.reply(304, [("ETag", etag)])
        return self.reply(200, [("ETag", etag)], body)

    def log_message(self, *args):
        pass


def serve(where):
    address, _, port = where.rpartition(":")
    server = http.server.ThreadingHTTPServer((address, int(port)), Handler)
    if port == "8443":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


for place in sys.argv[4:]:
    threading.Thread(target=serve, args=(place,)).start()
