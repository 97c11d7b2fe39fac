#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Servers for test_doctor_servers.sh, each on an address of its own. usage: doctor_servers.py CERTIFICATE KEY

127.0.0.2:53 DNS over UDP and TCP    127.0.0.3:53 over UDP alone      127.0.0.4:53 UDP, replies of another id
127.0.0.5:53 takes queries, says nothing                             127.0.0.2:853 TLS    127.0.0.3:853 TLS, closes
127.0.0.2:443 HTTPS of DNS, files, /ping                             127.0.0.3:443 status 500
127.0.0.2:6379 Redis    127.0.0.3:6379 with the password "right"
Prints "ready" once all listen.
"""
import http.server
import socket
import ssl
import sys
import threading

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain(sys.argv[1], sys.argv[2])


def reply(query, code=0):
    return query[:2] + bytes((0x81, 0x80 | code)) + query[4:6] + bytes(6) + query[12:]


def thread(target, *args):
    threading.Thread(target=target, args=args, daemon=True).start()


def udp(address, answer):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 53))

    def loop():
        while True:
            query, client = s.recvfrom(512)
            if answer(query):
                s.sendto(answer(query), client)
    thread(loop)


def tcp(address, port, serve, tls=False):
    s = socket.create_server((address, port))

    def one(c):
        try:
            if tls:
                c = CONTEXT.wrap_socket(c, server_side=True)
            serve(c)
            c.close()
        except OSError:
            pass

    def loop():
        while True:
            thread(one, s.accept()[0])
    thread(loop)


def dns_stream(c):
    query = c.recv(512)[2:]
    out = reply(query, 5)
    c.sendall(len(out).to_bytes(2, "big") + out)


def redis(password):
    def serve(c):
        words = c.recv(1024)
        if password and password not in words:
            c.sendall(b"-WRONGPASS invalid username-password pair\r\n" if b"AUTH" in words else b"-NOAUTH Authentication required.\r\n")
        else:
            c.sendall((b"+OK\r\n" if password else b"") + b"+PONG\r\n")
    return serve


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"/ping": b"Ok.\n", "/ads.txt": b"x"}.get(self.path))
    do_HEAD = do_GET

    def do_POST(self):
        query = self.rfile.read(int(self.headers["Content-Length"]))
        good = self.path == "/dns-query" and self.headers["Content-Type"] == "application/dns-message"
        self.answer(reply(query) if good else None)

    def answer(self, body):
        good = body is not None and self.server.server_address[0] == "127.0.0.2"
        self.send_response(200 if good else 500 if body else 404)
        self.send_header("Content-Length", str(len(body) if good else 0))
        self.end_headers()
        if good and self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


udp("127.0.0.2", reply)
udp("127.0.0.3", reply)
udp("127.0.0.4", lambda q: reply(bytes((q[0] ^ 1, q[1])) + q[2:]))
udp("127.0.0.5", lambda q: None)
tcp("127.0.0.2", 53, dns_stream)
tcp("127.0.0.2", 853, dns_stream, tls=True)
tcp("127.0.0.3", 853, lambda c: None, tls=True)
tcp("127.0.0.2", 6379, redis(None))
tcp("127.0.0.3", 6379, redis(b"right"))
for address, port, tls in ("127.0.0.2", 443, True), ("127.0.0.3", 443, True), ("127.0.0.2", 8123, False):
    server = http.server.ThreadingHTTPServer((address, port), Web)
    if tls:
        server.socket = CONTEXT.wrap_socket(server.socket, server_side=True)
    thread(server.serve_forever)
print("ready", flush=True)
threading.Event().wait(60)
