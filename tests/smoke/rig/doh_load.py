#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients over HTTPS that mean ill, and good ones beside them: frames of HTTP/2 by hand over TLS, from inside the client namespace.

usage: doh_load.py many|http1|reset|continuation|ping|unread|slow
"""
import os
import pathlib
import socket
import ssl
import struct
import sys
import time

from wire import SERVICE4, query

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
from wait import ahead  # noqa: E402

PATIENCE = 60
JUDGES_SPEED = bool(os.environ.get("WEIR_LONG"))
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CALM = 11
ADDRESS = b"\xc6\x12\xc8\x01"  # of every name that upstream.py answers


def connect(alpn):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    sock = context.wrap_socket(socket.create_connection((SERVICE4, 443), PATIENCE), server_hostname="doh.test")
    assert sock.selected_alpn_protocol() == alpn, sock.selected_alpn_protocol()
    return sock


def frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def literal(name, value):
    """A header field without indexing and without Huffman (RFC 7541 6.2.2); the name an index below 15, or text."""
    name = bytes([name]) if isinstance(name, int) else b"\0" + bytes([len(name)]) + name
    assert len(value) < 127
    return name + bytes([len(value)]) + value


def post_head(length=None):
    out = b"\x83\x87" + literal(4, b"/dns-query") + literal(1, b"doh.test") + literal(b"content-type", b"application/dns-message")
    return out + (literal(b"content-length", b"%d" % length) if length is not None else b"")


class Http2:
    def __init__(self, settings=b""):
        self.sock, self.bytes = connect("h2"), b""
        self.sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings))

    def post(self, stream, message):
        return frame(HEADERS, END_HEADERS, stream, post_head(len(message))) + frame(DATA, END_STREAM, stream, message)

    def read(self):
        """(kind, flags, stream, payload), or None at the end."""
        while len(self.bytes) < 9 or len(self.bytes) < 9 + int.from_bytes(self.bytes[:3], "big"):
            try:
                more = self.sock.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                more = b""
            if not more:
                return None
            self.bytes += more
        end = 9 + int.from_bytes(self.bytes[:3], "big")
        head, payload, self.bytes = self.bytes[:9], self.bytes[9:end], self.bytes[end:]
        return head[3], head[4], struct.unpack("!I", head[5:9])[0] & 0x7fffffff, payload

    def answers(self, count):
        """{stream: body} of so many responses."""
        bodies, done = {}, set()
        while len(done) < count:
            got = self.read()
            assert got, f"closed after {len(done)} of {count}"
            kind, flags, stream, payload = got
            assert kind not in (GOAWAY, RST_STREAM), got
            if kind == DATA:
                bodies[stream] = bodies.get(stream, b"") + payload
            if stream and flags & END_STREAM and kind in (DATA, HEADERS):
                done.add(stream)
        return bodies

    def flood(self, pieces):
        """Sends until weir closes the connection; the error code of its GOAWAY, or None. Fails if weir does not close it."""
        code = None
        try:
            for piece in pieces:
                self.sock.sendall(piece)
        except OSError:
            pass
        while True:
            got = self.read()
            if not got:
                return code
            if got[0] == GOAWAY:
                code = struct.unpack("!I", got[3][4:8])[0]


def good(message):
    return message[2] & 0x80 and message[3] & 15 == 0 and ADDRESS in message


def one_answer():
    """A new client gets its answer; how long that took."""
    begin = time.monotonic()
    c = Http2()
    c.sock.sendall(c.post(1, query("ok-3000.cached.test", ident=0)))
    assert good(c.answers(1)[1])
    c.sock.close()
    return time.monotonic() - begin


def many():
    """A hundred at once, a slow one among them: out of order, each on its stream, with its own id."""
    c = Http2()
    for stream in range(1, 200, 2):
        name = "wait.first.test" if stream == 1 else f"ok.m{stream}.test"
        c.sock.sendall(c.post(stream, query(name, ident=stream)))
    bodies = c.answers(100)
    assert sorted(bodies) == list(range(1, 200, 2))
    assert all(good(m) and struct.unpack("!H", m[:2])[0] == s for s, m in bodies.items())
    assert list(bodies)[0] != 1, "the slow one came first"


def http1():
    """Requests in one go and cut anywhere are answered in their order."""
    sock = connect("http/1.1")
    out = b""
    for ident in range(1, 21):
        message = query("ok-3000.cached.test", ident=ident)
        out += b"POST /dns-query HTTP/1.1\r\nHost: doh.test\r\nContent-Type: application/dns-message\r\n"
        out += b"Content-Length: %d\r\n\r\n" % len(message) + message
    for at in range(0, len(out), 97):
        sock.sendall(out[at:at + 97])
    reader = sock.makefile("rb")
    for ident in range(1, 21):
        assert reader.readline().startswith(b"HTTP/1.1 200 "), ident
        length = 0
        while (line := reader.readline().strip()):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message = reader.read(length)
        assert good(message) and struct.unpack("!H", message[:2])[0] == ident


def reset():
    """CVE-2023-44487: requests that are reset at once, of names that need the upstream."""
    def pieces():
        for i in range(4000):
            stream = 2 * i + 1
            c_post = Http2.post(None, stream, query(f"slow.r{i}.test"))
            yield c_post + frame(RST_STREAM, 0, stream, struct.pack("!I", 8))
    codes = [Http2().flood(pieces()) for _ in range(3)]
    print("GOAWAY", codes)
    assert CALM in codes


def continuation():
    """CVE-2024-28182: a header that has no end."""
    c = Http2()
    junk = literal(b"a", b"b" * 100) * 100
    code = c.flood([frame(HEADERS, 0, 1, post_head())] + [frame(CONTINUATION, 0, 1, junk)] * 2000)
    print("GOAWAY", code)
    assert code in (CALM, None), code


def ping():
    """Frames that ask for a reply each, of a client that reads none until the end."""
    code = Http2().flood([frame(PING, 0, 0, b"weirweir") * 100] * 200)
    print("GOAWAY", code)
    assert code in (CALM, None), code


def unread():
    """Large answers that a client requests again and again and does not read, or does not let leave: its window is closed."""
    deaf, closed = Http2(), Http2(struct.pack("!HI", 4, 0))
    deaf.sock.settimeout(2)
    for c, times in ((deaf, 1 << 14), (closed, 200)):
        try:
            for i in range(times):
                c.sock.sendall(c.post(2 * i + 1, query("huge.test", 16, ident=i)))
        except (TimeoutError, OSError):
            pass
    for c in (deaf, closed):
        c.sock.settimeout(PATIENCE)
        c.flood([])


def slow():
    """Clients that never end their requests, by both versions: closed, or their streams reset, in tcp.query_timeout."""
    there = [Http2() for _ in range(30)]
    for c in there:
        for stream in range(1, 60, 2):
            c.sock.sendall(frame(HEADERS, END_HEADERS, stream, post_head(29)) + frame(DATA, 0, stream, b"half"))
    old = []
    for _ in range(30):  # each begins at once, or its time would be over before the last one is there
        old.append(connect("http/1.1"))
        old[-1].sendall(b"POST /dns-query HTTP/1.1\r\nHost: doh.test\r\nContent-Le")
    took = one_answer()
    assert not JUDGES_SPEED or took < 5, took
    ahead(6)
    resets = 0
    while resets < 30:
        got = there[0].read()
        assert got and got[0] != GOAWAY, got
        resets += got[0] == RST_STREAM
    for sock in old:
        data = b""
        while (more := sock.recv(4096)):
            data += more
        assert data.startswith(b"HTTP/1.1 408 "), data


if __name__ == "__main__":
    kept = globals()[sys.argv[1]]()
    assert one_answer() < PATIENCE
