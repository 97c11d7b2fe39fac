#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients that keep connections to the fleet's address over TCP, TLS and HTTPS, and count what they lose. In the client namespace.

usage: fleet_load.py RATE CONNECTIONS TIMEOUT ADDRESS...

RATE queries a second of each of the three, over so many connections each, to the addresses by turns, until standard input ends.
dnsperf, which asks over UDP beside it, counts each query as lost that a connection ended before; here a query is lost that had no
reply in TIMEOUT seconds, or whose connection ended without a goodbye that came before the query was sent. A goodbye is an end of
the connection, a keepalive of 0 (RFC 7828), a GOAWAY whose last stream is below the query's. A client that got one
connects again; so does one that lost a query. A query that crossed the end of its connection, which came within 50 ms, goes out once
more over another one, as clients have to (RFC 7766 6.2.4), and is lost if that ends, too. Prints JSON: for each transport the queries
sent, lost and crossed, connections made, refused and left after a goodbye, the slowest reply in ms; "losses": when (seconds after the
epoch), the transport, how.
"""
import contextlib
import json
import select
import socket
import ssl
import struct
import sys
import threading
import time
from collections import Counter

import doh_load
from wire import framed, message_from, query
from dnswire import Ended, option

KEEPALIVE, OPT = 11, b"\0\0\x29"
PORTS = {"tcp": 53, "dot": 853, "doh": 443}
NAMES = ("www", "many", "alias", "ads", "short")
LOSSES_MAX = 200
CROSSED_S = 0.05


class Goodbye(Exception):
    """What the server said before the query was sent, or of a query that it has not read."""


def keepalive_of(reply):
    """The time of the option in tenths of a second, or None. OPT is the last record."""
    at = reply.rfind(OPT)
    at += 11
    while at > 10 and at + 4 <= len(reply):
        code, size = struct.unpack("!HH", reply[at:at + 4])
        if code == KEEPALIVE and size == 2:
            return int.from_bytes(reply[at + 4:at + 6], "big")
        at += 4 + size
    return None


class Framed:
    """One over TCP or TLS."""

    def __init__(self, sock):
        self.sock, self.last = sock, False

    def ask(self, name, ident):
        self.sock.sendall(framed(query(name, ident=ident, edns=1232, options=option(KEEPALIVE, b""))))
        reply = message_from(self.sock)
        if int.from_bytes(reply[:2], "big") != ident:
            raise ValueError("another query's reply")
        self.last = keepalive_of(reply) == 0
        return reply

    def look(self):
        """Goodbye if the server has said it. Session tickets may wait as well."""
        if self.last:
            raise Goodbye
        while self.readable():
            self.sock.settimeout(0)
            try:
                if not self.sock.recv(65536):
                    raise Goodbye
            except ssl.SSLWantReadError:
                return
            except OSError as end:
                raise Goodbye from end
            finally:
                self.sock.settimeout(TIMEOUT)

    def readable(self):
        return select.select([self.sock], [], [], 0)[0]


class Https(doh_load.Http2, Framed):
    def __init__(self, sock):
        Framed.__init__(self, sock)
        self.bytes, self.stream = b"", -1
        # The connection's window, 64 KiB at first, is never renewed: this is for 2 GiB of answers.
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + doh_load.frame(doh_load.SETTINGS, 0, 0) +
                     doh_load.frame(doh_load.WINDOW_UPDATE, 0, 0, struct.pack("!I", 0x7fff0000)))

    def ask(self, name, _):
        self.stream += 2
        self.sock.sendall(self.post(self.stream, query(name)))
        body = b""
        while got := self.take():
            kind, flags, stream, payload = got
            if kind == doh_load.GOAWAY:
                self.last = True
                if struct.unpack("!I", payload[:4])[0] < self.stream:
                    raise Goodbye
            if stream != self.stream:
                continue
            body += payload if kind == doh_load.DATA else b""
            if kind == doh_load.RST_STREAM:
                raise ConnectionError("the stream was reset")
            if flags & doh_load.END_STREAM:
                return body
        raise ConnectionError("the connection ended")

    def take(self):
        """As read, which takes a time-out's exception through; a PING or SETTINGS has its reply."""
        got = self.read()
        if got and got[0] == doh_load.SETTINGS and not got[1] & doh_load.ACK:
            self.sock.sendall(doh_load.frame(doh_load.SETTINGS, doh_load.ACK, 0))
        if got and got[0] == doh_load.PING and not got[1] & doh_load.ACK:
            self.sock.sendall(doh_load.frame(doh_load.PING, doh_load.ACK, 0, got[3]))
        return got

    def look(self):
        if self.last:
            raise Goodbye
        while self.sock.pending() or self.readable():
            self.sock.settimeout(0.05)
            try:
                got = self.take()
            except TimeoutError:
                return  # a session ticket, or the beginning of a frame
            finally:
                self.sock.settimeout(TIMEOUT)
            if not got or got[0] == doh_load.GOAWAY:
                raise Goodbye


def context_of(alpn):
    """Made once for all clients: weir gives a handshake 5 s from its connection on, and a default context takes 50 ms of CPU."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context


CONTEXTS = {"dot": context_of("dot"), "doh": context_of("h2")}


def connect(proto, address):
    sock = socket.create_connection((address, PORTS[proto]), TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if proto == "tcp":
        return Framed(sock)
    tls = CONTEXTS[proto].wrap_socket(sock, server_hostname="dns.lab.example")
    return Https(tls) if proto == "doh" else Framed(tls)


class Client(threading.Thread):
    """One connection at a time, one query at a time; a client that is late asks the next ones without a pause."""

    def __init__(self, proto, address, rate, number):
        super().__init__()
        self.proto, self.address, self.pause, self.number = proto, address, 1 / rate, number
        self.sent = self.made = self.goodbyes = self.refused = self.crossed = 0
        self.slowest, self.losses, self.conn, self.why = 0.0, [], None, Counter()

    def open(self):
        while not self.conn and not over.is_set():
            try:
                self.conn = connect(self.proto, self.address)
                self.made += 1
            except OSError as why:  # no query was sent
                self.refused += 1
                self.why[f"{type(why).__name__} {why}"] += 1
                time.sleep(0.05)

    def leave(self):
        with contextlib.suppress(OSError):
            self.conn.sock.close()
        self.conn = None

    def has_crossed(self, why, took_s):
        """Did the server end the connection before it had the query?"""
        return isinstance(why, (Ended, ConnectionResetError, BrokenPipeError)) and took_s < CROSSED_S

    def one(self):
        again = False
        while True:
            self.open()
            if not self.conn:
                return
            try:
                self.conn.look()
                began = time.monotonic()
                self.conn.ask(f"{NAMES[self.sent % len(NAMES)]}.lab.example", self.sent & 0xffff)
                self.slowest = max(self.slowest, time.monotonic() - began)
                break
            except Goodbye:
                self.goodbyes += 1
                self.leave()
            except (OSError, ValueError, EOFError) as why:
                took_s = time.monotonic() - began
                self.leave()
                if self.has_crossed(why, took_s) and not again:
                    again = True
                    self.crossed += 1
                    continue
                self.losses.append((time.time(), self.proto, f"{type(why).__name__} {why} after {took_s:.3f} s"))
                break
        self.sent += 1

    def run(self):
        due = time.monotonic() + self.pause * (self.number % 97) / 97
        while not over.is_set():
            if (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            self.one()
            due += self.pause


def main():
    global TIMEOUT
    rate, connections, TIMEOUT = float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    addresses = sys.argv[4:]
    clients = [Client(proto, addresses[n % len(addresses)], rate / connections, 31 * n) for proto in PORTS for n in range(connections)]
    for client in clients:
        client.start()
    print("runs", flush=True)
    sys.stdin.read()
    over.set()
    for client in clients:
        client.join()
    out = {}
    for proto in PORTS:
        own = [client for client in clients if client.proto == proto]
        out[proto] = {key: sum(getattr(client, key) for client in own) for key in ("sent", "made", "goodbyes", "refused", "crossed")}
        out[proto]["refused_why"] = sum((client.why for client in own), Counter())
        out[proto] |= {"lost": sum(len(client.losses) for client in own), "slowest_ms": round(1e3 * max(client.slowest for client in own))}
    out["losses"] = sorted(loss for client in clients for loss in client.losses)[:LOSSES_MAX]
    print(json.dumps(out), flush=True)


TIMEOUT = 5.0
over = threading.Event()
if __name__ == "__main__":
    main()
