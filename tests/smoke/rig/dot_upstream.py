#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scripted upstream over TLS that fails in each way: dot_upstream.py ADDRESS PORT CERTIFICATE KEY LOGFILE

The first label of a name chooses the reply: reset (of the connection), stall (nothing), id (a reply of another id), other (a reply to
another question), half (of a reply, and the end), close (the answer, and the end);
anything else: the address 192.0.2.81. A line in the log for each query: its name, and "resumed" or "full" for its session.
A line on standard input is CERTIFICATE KEY, for connections from then on; its end is that of the server.
"""
import pathlib
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
from dnswire import framed  # noqa: E402
from scripted import End, Raw, Reset, Server  # noqa: E402

log = open(sys.argv[5], "a", buffering=1)


def context_of(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["dot"])
    return context


class Dot(Server):
    threads, patience = ("serve_tcp",), None
    context = context_of(*sys.argv[3:5])

    def wrapped(self, conn):
        return self.context.wrap_socket(conn, server_side=True)

    def remember(self, q):
        log.write(q.text + (" resumed\n" if q.conn.session_reused else " full\n"))

    def answer(self, q):
        def reply(**how):
            return q.reply(*[q.address(bytes((192, 0, 2, 81)), 60)][:q.type == 1], **how)
        ways = {"reset": [Reset()], "stall": [], "id": [reply(ident=q.id ^ 0x100)], "other": [reply(question=b"\5other" + q.question)],
                "half": [Raw(framed(reply())[:20]), End()], "close": [reply(), End()]}
        return ways.get(q.word, [reply()])


server = Dot(int(sys.argv[2]), sys.argv[1]).start()
for line in sys.stdin:
    server.context = context_of(*line.split())
