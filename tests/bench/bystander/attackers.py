#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who attacks weir, for bystander_run.py, which says when by a number in a file.

usage: attackers.py CLIENT FILE HOST PORT SINK_HOST SINK_PORT
       attackers.py SERVER FILE PORT CERT KEY
       attackers.py drain FILE PORT tls|plain
       attackers.py sink FILE PORT CERT KEY

CLIENT: headers (of a request of HTTP/1.1 without an end), slow (the same on 30 connections, a byte at a time), or frames of
HTTP/2: reset, continuation, ping, settings, window. SERVER, on loopback: hello (HelloRequests in a handshake), zone (a
transfer over TLS without an end), list, drip (a byte at a time), redis, clickhouse. Each sends 20 Mbit/s. A client has two
connections: one sends until it is reset, the other begins again as soon as its end is announced. While FILE says SINK a client attacks a server that discards all (`sink`), and a server
a client that does (`drain`), which connects to PORT + 1. Each runs until it is killed.
"""

import contextlib
import mmap
import os
import pathlib
import re
import socket
import ssl
import struct
import sys
import threading
import time

import dns.message
import dns.rrset

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "smoke/rig"))
import doh_load  # noqa: E402

QUIET, WEIR, SINK = range(3)
# struct shared of bench_tlsflood.c
PHASE, CONNECTIONS, BYTES, WORDS = 0, 1, 4, 7
BYTES_S, STEP_S, AGAIN_S, PATIENCE_S = 2500000, 0.005, 0.02, 2
STEP = int(BYTES_S * STEP_S)  # of a server, or of both connections of a client
SLOW, SLOW_S = 30, 0.02
SINK_TAKES = 16384  # of a connection, about what weir takes before it ends one
HEAD = b"GET /dns-query HTTP/1.1\r\nHost: dns.lab.example\r\n"
FIELDS = b"".join(b"X-Field-%03d: %s\r\n" % (i, b"v" * 32) for i in range(STEP // 2 // 47))
STREAMS = 55  # of a step of resets


def client_context(alpn):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context


def server_context(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2", "http/1.1", "dot"])
    return context


def send(sock, data, whom):
    sock.sendall(data)
    shared[BYTES + whom] += len(data)


def flood(sock, pieces, whom, stays=True):
    """Sends what `pieces` makes as long as `whom` is attacked, or until the connection ends: OSError."""
    for piece in pieces:
        if shared[PHASE] != whom or (not stays and is_over(sock)):
            return
        send(sock, piece, whom)
        time.sleep(STEP_S)


def is_over(sock):
    """Reads what has come beneath TLS, which would want whole records."""
    with raw_of(sock) as raw:
        raw.setblocking(False)
        try:
            return raw.recv(65536) == b""
        except BlockingIOError:
            return False


def raw_of(sock):
    """The connection without its TLS."""
    raw = socket.socket(fileno=os.dup(sock.fileno()))
    raw.settimeout(PATIENCE_S)
    return raw


def endless(first, piece):
    yield first
    while True:
        yield piece


# Clients.
def resets():
    head = doh_load.post_head(0)
    for first in range(1, 1 << 30, 2 * STREAMS):
        yield b"".join(doh_load.frame(doh_load.HEADERS, doh_load.END_HEADERS, stream, head)
                       + doh_load.frame(doh_load.RST_STREAM, 0, stream, bytes([0, 0, 0, 8]))
                       for stream in range(first, first + 2 * STREAMS, 2))


def frames(kind, payload, stream=0):
    one = doh_load.frame(kind, 0, stream, payload)
    return endless(b"", one * (STEP // 2 // len(one)))


def continuations():
    field = doh_load.frame(doh_load.CONTINUATION, 0, 1, doh_load.literal(b"x", b"y"))
    return endless(doh_load.frame(doh_load.HEADERS, 0, 1, doh_load.post_head()), field * (STEP // 2 // len(field)))


CLIENTS = {  # ALPN, and what is sent
    "headers": ("http/1.1", lambda: endless(HEAD, FIELDS)),
    "slow": ("http/1.1", None),
    "reset": ("h2", resets),
    "continuation": ("h2", continuations),
    "ping": ("h2", lambda: frames(doh_load.PING, b"12345678")),
    "settings": ("h2", lambda: frames(doh_load.SETTINGS, struct.pack("!HI", 4, 65535))),
    "window": ("h2", lambda: frames(doh_load.WINDOW_UPDATE, bytes([0, 0, 0, 1]))),
}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + doh_load.frame(doh_load.SETTINGS, 0, 0)


def connected(context, place, whom):
    sock = context.wrap_socket(socket.create_connection(place, PATIENCE_S))
    shared[CONNECTIONS + whom] += 1
    return sock


def attack(kind, places, stays):
    alpn, make = CLIENTS[kind]
    context = client_context(alpn)
    while True:
        time.sleep(AGAIN_S)
        whom = shared[PHASE]
        if whom == QUIET:
            continue
        with contextlib.suppress(OSError), connected(context, places[whom], whom) as sock:
            if alpn == "h2":
                send(sock, PREFACE, whom)
            flood(sock, make(), whom, stays)


def attack_slowly(places):
    context, held, of = client_context("http/1.1"), [], QUIET
    while True:
        whom = shared[PHASE]
        if whom != of:
            while held:
                held.pop().close()
            of = whom
        if whom != QUIET and len(held) < SLOW:
            with contextlib.suppress(OSError):
                held.append(connected(context, places[whom], whom))
                send(held[-1], HEAD + b"X: ", whom)
        for sock in list(held):
            try:
                send(sock, b"a", whom)
            except OSError:
                sock.close()
                held.remove(sock)
        time.sleep(SLOW_S)


# Servers.
def listen(port, serve):
    def serve_one(sock):
        with contextlib.suppress(OSError), sock:
            sock.settimeout(PATIENCE_S)
            serve(sock)

    def accept():
        while True:
            threading.Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    threading.Thread(target=accept, daemon=True).start()


def begins(whom):
    """Whether who connects now is attacked."""
    if shared[PHASE] != whom:
        return False
    shared[CONNECTIONS + whom] += 1
    return True


def hello(sock, whom):
    if sock.recv(4096) and begins(whom):
        flood(sock, endless(b"", b"\x16\x03\x03" + struct.pack("!H", STEP // 4 * 4) + bytes(STEP // 4 * 4)), whom)


def framed(message):
    wire = message.to_wire(max_size=65535)
    return struct.pack("!H", len(wire)) + wire


def zone(sock, whom):
    with tls.wrap_socket(sock, server_side=True) as secured:
        wire = secured.recv(65535)
        ask = dns.message.from_wire(wire[2:2 + int.from_bytes(wire[:2], "big")])
        soa = dns.rrset.from_text("rpz.test.", 60, "IN", "SOA", "ns.rpz.test. admin.rpz.test. 1 3600 600 86400 60")
        first, many = dns.message.make_response(ask), dns.message.make_response(ask)
        first.answer = [soa]
        many.answer = [dns.rrset.from_text(f"host-{i}.rpz.test.", 60, "IN", "CNAME", ".") for i in range(STEP // 34)]  # 34 bytes each, compressed
        if begins(whom):
            flood(secured, endless(framed(first), framed(many)), whom)
        elif whom == WEIR:
            secured.sendall(framed(first) + framed(many) + framed(first))


def web(endlessly, says):
    """A server over HTTP with a reply to each request, and, once its client is attacked, one without an end."""
    def serve(sock, whom):
        sock.settimeout(None)
        while request := sock.recv(65536):
            if begins(whom):
                flood(sock, endlessly(), whom)
                return
            text = says(request)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    return serve


def one_name(_):
    return b"host.example\n"


def clickhouse(request):
    """What a server that has each table and column says, and takes all rows."""
    named = re.search(rb"IN \((.*)\)", request)
    if named and b"AND NOT" not in request:
        return named[1].replace(b"'", b"").replace(b", ", b"\n") + b"\n"
    return next((says for word, says in CLICKHOUSE_SAYS.items() if word in request), b"")


def chunked(text, chunk):
    return endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n" % (len(text * chunk), text * chunk))


def redis_reply(words):
    what = words[0].upper()
    if what == b"HMGET":
        return b"*%d\r\n" % (len(words) - 2) + b"$-1\r\n" * (len(words) - 2)
    if what == b"ROLE":
        return b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
    if what == b"SUBSCRIBE":
        return b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n" % (len(words[1]), words[1])
    return b"+OK\r\n"


def redis(sock, whom):
    """One that has nothing; it says nothing before a command, even while its client is attacked."""
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock.makefile("rb") as said:
        while count := said.readline():
            if begins(whom):
                flood(sock, endless(b"*2147483647\r\n", b"$-1\r\n" * (STEP // 5)), whom)
                return
            words = [said.read(int(said.readline()[1:]) + 2)[:-2] for _ in range(int(count[1:]))]
            sock.sendall(redis_reply(words))


CLICKHOUSE_SAYS = {b"version()": b"24.3.1.1\n", b"SELECT engine": b"MergeTree\n", b"SELECT count()": b"1\n"}
SERVERS = {
    "hello": hello, "zone": zone, "redis": redis,
    "list": web(lambda: chunked(b"some-name.example\n", STEP // 18), one_name),
    "drip": web(lambda: chunked(b"a", 1), one_name),
    "clickhouse": web(lambda: chunked(b"1\t2\n", STEP // 4), clickhouse),
}


# What is attacked in place of weir.
def sink(sock):
    with tls.wrap_socket(sock, server_side=True) as secured:
        took = 0
        with raw_of(secured) as raw:
            while took < SINK_TAKES and (data := raw.recv(65536)):
                took += len(data)


def drain(port, how):
    context = client_context("dot")
    while True:
        time.sleep(AGAIN_S)
        if shared[PHASE] != SINK:
            continue
        with contextlib.suppress(OSError):
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
            if how == "tls":
                sock = context.wrap_socket(sock)
            with sock:
                sock.sendall(framed(dns.message.make_query("rpz.test", "AXFR")) + b"\n")
                with raw_of(sock) as raw:
                    while shared[PHASE] == SINK and raw.recv(65536):
                        pass


def share(path):
    return memoryview(mmap.mmap(os.open(path, os.O_RDWR), 8 * WORDS)).cast("Q")


if __name__ == "__main__":
    what, rest = sys.argv[1], sys.argv[3:]
    shared = share(sys.argv[2])
    if what in CLIENTS:
        to = {WEIR: (rest[0], int(rest[1])), SINK: (rest[2], int(rest[3]))}
        if what == "slow":
            attack_slowly(to)
        threading.Thread(target=attack, args=(what, to, True)).start()
        attack(what, to, False)
    elif what == "drain":
        drain(int(rest[0]) + 1, rest[1])
    else:
        tls = server_context(*rest[1:])
        if what == "sink":
            listen(int(rest[0]), sink)
        else:
            for listener_of in (WEIR, SINK):
                listen(int(rest[0]) + listener_of - WEIR, lambda sock, whom=listener_of: SERVERS[what](sock, whom))
        threading.Event().wait()
