#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scripted upstream over TLS that fails in each way: dot_upstream.py ADDRESS PORT CERTIFICATE KEY LOGFILE

The first label of a name chooses the reply: reset (of the connection), stall (nothing), id (a reply of another id), other (a reply to
another question), half (of a reply, and the end), close (the answer, and the end);
anything else: the address 192.0.2.81. A line in the log for each query: its name, and "resumed" or "full" for its session.
A line on standard input is CERTIFICATE KEY, for connections from then on; its end is that of the server.
"""
import socket
import ssl
import struct
import sys
import threading

log = open(sys.argv[5], "a", buffering=1)


def context_of(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["dot"])
    return context


def name_end(msg):
    at = 12
    while msg[at]:
        at += 1 + msg[at]
    return at + 1


def labels(msg):
    at, out = 12, []
    while msg[at]:
        out.append(msg[at + 1:at + 1 + msg[at]].decode("latin-1").lower())
        at += 1 + msg[at]
    return out


def answer(msg, ident, question):
    is_a = question[-4:-2] == b"\0\1"
    record = b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", 60, 4) + bytes((192, 0, 2, 81))
    out = ident + b"\x81\x80" + struct.pack("!4H", 1, is_a, 0, 0) + question + (record if is_a else b"")
    return struct.pack("!H", len(out)) + out


def exactly(tls, count):
    out = b""
    while len(out) < count:
        more = tls.recv(count - len(out))
        if not more:
            raise EOFError
        out += more
    return out


def query(tls):
    """True: the connection goes on."""
    msg = exactly(tls, struct.unpack("!H", exactly(tls, 2))[0])
    question = msg[12:name_end(msg) + 4]
    log.write(".".join(labels(msg)) + (" resumed\n" if tls.session_reused else " full\n"))
    word = labels(msg)[0].split("-")[0]
    if word == "reset":
        tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if word == "id":
        tls.sendall(answer(msg, bytes((msg[0] ^ 1, msg[1])), question))
    elif word == "other":
        tls.sendall(answer(msg, msg[:2], b"\5other" + question))
    elif word == "half":
        tls.sendall(answer(msg, msg[:2], question)[:20])
        return False
    elif word != "stall":
        tls.sendall(answer(msg, msg[:2], question))
    return word != "close"


def serve(context, sock):
    try:
        with context.wrap_socket(sock, server_side=True) as tls:
            while query(tls):
                pass
    except (OSError, EOFError):
        pass  # clients that do not trust us hang up


def main():
    current = [context_of(*sys.argv[3:5])]
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=64)

    def accept():
        while True:
            threading.Thread(target=serve, args=(current[0], listener.accept()[0]), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    for line in sys.stdin:
        current[0] = context_of(*line.split())


main()
