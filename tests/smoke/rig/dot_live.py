#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients over TLS, from inside the client namespace, that keep their connections.

usage: dot_live.py          one connection: a question for each line of stdin, and a line with the number of its answer
       dot_live.py idle N   N connections, the line "open N", and their end with that of stdin
       dot_live.py slow N   the same; half of them stop in their handshake, half in their first query
DOT_PORT: 853 by default
"""
import contextlib
import os
import resource
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

from tcp_load import PATIENCE, framed, good, read_reply
from wire import SERVICE4, query

PORT = int(os.environ.get("DOT_PORT", 853))


def connect(context):
    return context.wrap_socket(socket.create_connection((SERVICE4, PORT), PATIENCE, ("198.18.0.2", 0)))


def slow(context, number):
    """The beginning of a hello, or a handshake and one byte of a query."""
    if number % 2:
        sock = connect(context)
        sock.sendall(b"\0")
        return sock
    sock = socket.create_connection((SERVICE4, PORT), PATIENCE, ("198.18.0.2", 0))
    sock.sendall(b"\x16\3\1\2\0\1\0\1\xfc\3\3")
    return sock


def read_tickets(sock):
    """Behind it nothing is unread, so a close sends FIN, which the kernel repeats. With the session tickets unread it would send a
    reset, once: a server that misses it keeps the connection until its idle time-out."""
    sock.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError):
        sock.recv(1)


def main():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if sys.argv[1:]:
        one = slow if sys.argv[1] == "slow" else lambda context, _: connect(context)
        count = int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 64, count + 64))
        with ThreadPoolExecutor(16) as several:  # a busy machine makes each wait
            socks = list(several.map(lambda number: one(context, number), range(count)))
        print("open", len(socks), flush=True)
        sys.stdin.read()
        if sys.argv[1] == "idle":
            for sock in socks:
                read_tickets(sock)
        return
    sock = connect(context)
    for number, _ in enumerate(sys.stdin, 1):
        sock.sendall(framed(query("ok-3000.cached.test")))
        assert good(read_reply(sock))
        print("answer", number, flush=True)


main()
