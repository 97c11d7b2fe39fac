#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scripted DNS-over-HTTPS server on 127.0.0.1 for tests: doh_server.py FOLDER [PORT].

Makes two authorities (FOLDER/ca.pem, FOLDER/other.pem) and a certificate of the first one for dns.example and 127.0.0.1, unless
FOLDER/server.pem is there, prints its port, and writes a line for each request into FOLDER/requests: connection, path, headers,
body. What it answers is in the path. Speaks HTTP/2, or HTTP/1.1 while there is FOLDER/http1. Ends with its standard input.
"""

import gzip
import json
import os
import pathlib
import socket
import ssl
import sys
import threading
import time

import h2.config
import h2.connection
import h2.events

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from certificates import authority, certificate  # noqa: E402
from dnswire import Query  # noqa: E402

folder = pathlib.Path(sys.argv[1])
PATIENCE_S = 30
lock = threading.Lock()
connections = 0


def certificates_make():
    if (folder / "server.pem").exists():
        return
    for name in "ca", "other":
        authority(folder, name)
    certificate(folder, "server", "ca", "DNS:dns.example,IP:127.0.0.1")


def answer(wire, before=b""):
    """An address that the name's digits say, with a TTL of 300 s; nothing for other types than A."""
    q = Query(wire)
    digits = q.labels[0][1:5] if q.labels else ""
    address = int(digits).to_bytes(4, "big") if digits.isdigit() else bytes((192, 0, 2, 77))
    return q.reply(*[q.address(address)][:q.type == 1], question=before + q.question)


DNS = ("content-type", "application/dns-message")
HTML = ("content-type", "text/html")
# By path: status, headers, body.
REPLIES = {
    "/status": lambda query: (500, [DNS], answer(query)),
    "/lost": lambda query: (404, [HTML], bytes(70000)),
    "/redirect": lambda query: (302, [("location", "/dns-query")], b""),
    "/trailer": lambda query: (200, [HTML], answer(query)),
    "/type": lambda query: (200, [HTML], answer(query)),
    "/big": lambda query: (200, [DNS], answer(query) + bytes(70000)),
    "/endless": lambda query: (200, [DNS], answer(query) + bytes(1 << 20)),
    "/short": lambda query: (200, [DNS], b"abc"),
    "/other": lambda query: (200, [DNS], answer(query, b"\5other")),
}


def reply_to(path, query):
    """(status, headers, body), or None: never."""
    if path == "/stall":
        return None
    if path.startswith("/age"):  # alone, or with the values of its fields: /age/250/10
        return 200, [DNS] + [("age", v.replace("_", " ")) for v in path.split("/")[2:] or ["250"]], answer(query)
    return REPLIES.get(path, lambda query: (200, [DNS, ("set-cookie", "a=b")], answer(query)))(query)


class Connection:
    def __init__(self, sock, number):
        self.sock, self.number = sock, number
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.streams = {}
        self.queued = {}

    def send(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def body(self, stream, rest):
        while rest:
            n = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(rest))
            if n == 0:
                self.queued[stream] = rest
                return
            self.h2.send_data(stream, rest[:n])
            rest = rest[n:]
        self.queued.pop(stream, None)
        self.h2.end_stream(stream)

    def request(self, stream):
        """True: the connection goes on."""
        headers, query = self.streams.pop(stream)
        path = headers[":path"]
        with lock, open(folder / "requests", "a") as f:
            f.write(json.dumps([self.number, path, headers, query.hex()]) + "\n")
        if path == "/break":
            return False
        if path == "/reset":
            self.h2.reset_stream(stream, 2)
            return True
        if path.endswith("?late"):  # until the test says so
            end = time.monotonic() + PATIENCE_S
            while not (folder / "late").exists() and time.monotonic() < end:
                time.sleep(0.002)
            (folder / "late").unlink(missing_ok=True)
        reply = reply_to(path.split("?")[0], query)
        if not reply:
            return True
        status, extra, text = reply
        length = [] if path in ("/endless", "/trailer") else [("content-length", str(len(text)))]
        self.h2.send_headers(stream, [(":status", str(status))] + extra + length)
        if path == "/trailer":  # a type behind the body
            self.h2.send_data(stream, text)
            self.h2.send_headers(stream, [DNS], end_stream=True)
        else:
            self.body(stream, text)
        if path == "/close":
            self.h2.close_connection()
        return path != "/close"

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.streams[event.stream_id] = [{k.decode() if isinstance(k, bytes) else k: v.decode() if isinstance(v, bytes)
                                              else v for k, v in event.headers}, b""]
        elif isinstance(event, h2.events.DataReceived):
            self.streams[event.stream_id][1] += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            return self.request(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated):
            for stream, rest in list(self.queued.items()):
                self.body(stream, rest)
        elif isinstance(event, h2.events.StreamReset):
            self.queued.pop(event.stream_id, None)
        return not isinstance(event, h2.events.ConnectionTerminated)

    def serve(self):
        self.h2.initiate_connection()
        self.send()
        while True:
            data = self.sock.recv(65536)
            if not data:
                return
            goes_on = all([self.take(e) for e in self.h2.receive_data(data)])
            self.send()
            if not goes_on:
                return


def serve_http1(tls):
    """Each request's reply in one chunk; of the path /packed by gzip, too."""
    stream = tls.makefile("rb")
    while request := stream.readline():
        length = [int(line.split(b":")[1]) for line in iter(stream.readline, b"\r\n") if line.lower().startswith(b"content-length")]
        body, packed = answer(stream.read(length[0])), b"/packed" in request
        body = gzip.compress(body) if packed else body
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nTransfer-Encoding: %schunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                    % (b"gzip, " if packed else b"", len(body), body))


def serve(context, sock):
    global connections
    try:
        with context.wrap_socket(sock, server_side=True) as tls:
            with lock:
                connections += 1
                number = connections
            if tls.selected_alpn_protocol() == "h2":
                Connection(tls, number).serve()
            else:
                serve_http1(tls)
            tls.unwrap()  # or unread bytes make the kernel reset the connection before the client has the answer
    except OSError:
        pass  # clients that do not trust us hang up


def main():
    certificates_make()
    contexts = {}
    for protocol in "h2", "http/1.1":
        contexts[protocol] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[protocol].load_cert_chain(folder / "server.pem", folder / "server.key")
        contexts[protocol].set_alpn_protocols([protocol])
    listener = socket.create_server(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), backlog=64)

    def accept():
        while True:
            context = contexts["http/1.1" if (folder / "http1").exists() else "h2"]
            threading.Thread(target=serve, args=(context, listener.accept()[0]), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    os.write(1, b"%d\n" % listener.getsockname()[1])
    sys.stdin.read()


if __name__ == "__main__":
    main()
