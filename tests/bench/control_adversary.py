#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An adversary of the control API over HTTPS, as fast as it can, for control_attack.py. It runs until it is killed.

usage: control_adversary.py KIND HOST PORT FILE

handshakes: TLS handshakes one after another. tokens: requests with a wrong token, and another address once one is locked
out. slow: a byte of a header now and then on each connection. connections: 5,000 sockets that try at a
time. Each
connection comes from an address of 10.66.0.0/16, which is the adversary's own. FILE holds how often it has reached weir,
8 bytes: handshakes that weir took part in, tokens it refused, connections it closed.
"""

import contextlib
import itertools
import mmap
import os
import resource
import selectors
import socket
import ssl
import struct
import sys
import time

HELD, OTHERS, SLOW, TIMEOUT_S, PAUSE_S, TRIES = 5000, 64, 60, 2, 0.2, 10
sources = itertools.count()


def reached():
    struct.pack_into("=Q", count, 0, struct.unpack_from("=Q", count)[0] + 1)


def source():
    n = next(sources)
    return f"10.66.{n // 250 % 250}.{1 + n % 250}"


def connect(timeout_s=TIMEOUT_S):
    """A connection; 0: one on its way."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    raw.settimeout(timeout_s)
    try:
        raw.bind((source(), 0))
        with contextlib.suppress(BlockingIOError):
            raw.connect(server)
    except OSError:
        raw.close()
        raise
    return raw


def secured():
    raw = connect()
    try:
        return tls.wrap_socket(raw)
    except OSError:
        raw.close()
        raise


def handshakes():
    while True:
        with contextlib.suppress(OSError):
            secured().close()
            reached()


def tokens():
    head = "GET /v1/status HTTP/1.1\r\nHost: box\r\nAuthorization: Bearer weir_%064x\r\n\r\n"
    for number in itertools.count():
        with contextlib.suppress(OSError), secured() as conn:
            for n in range(TRIES):
                conn.sendall((head % (number * TRIES + n)).encode())
                if not conn.recv(65536):
                    break
                reached()


def slow():
    held = []
    while True:
        while len(held) < SLOW:
            try:
                held.append(secured())
                reached()
                held[-1].sendall(b"GET /v1/status HTTP/1.1\r\nX: ")
            except OSError:
                break
        for conn in list(held):
            try:
                conn.sendall(b"a")
            except OSError:
                conn.close()
                held.remove(conn)
        time.sleep(PAUSE_S / 10)


def connections():
    """Each one that weir closes makes room for another one."""
    files = HELD + OTHERS
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    except ValueError:
        sys.exit(f"control_adversary: {files} open files are needed (ulimit -Hn)")
    watch = selectors.EpollSelector()
    while True:
        while len(watch.get_map()) < HELD:
            with contextlib.suppress(OSError):
                watch.register(connect(0), selectors.EVENT_READ)
        for key, _ in watch.select(PAUSE_S):
            try:
                if key.fileobj.recv(64):
                    continue
                reached()
            except ConnectionResetError:
                reached()
            except OSError:  # it never came in
                pass
            watch.unregister(key.fileobj)
            key.fileobj.close()


KINDS = {"handshakes": handshakes, "tokens": tokens, "slow": slow, "connections": connections}

if __name__ == "__main__":
    server = (sys.argv[2], int(sys.argv[3]))
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    count = mmap.mmap(os.open(sys.argv[4], os.O_RDWR), 8)
    KINDS[sys.argv[1]]()
