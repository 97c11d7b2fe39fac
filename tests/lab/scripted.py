# SPDX-License-Identifier: BSD-3-Clause
"""A scripted DNS server over UDP and TCP. It sends all that its `answer` yields for a query: a bytes object, which is a message, or
one of the types below."""
import collections
import contextlib
import socket
import struct
import threading
import time
import traceback

import dnswire
from dnswire import framed, message_from

Far = collections.namedtuple("Far", "wire address port", defaults=("127.0.0.1", 0))  # from another socket than the one that was asked
Spray = collections.namedtuple("Spray", "ports wire")  # to ports of the client where it may be listening, but for the one that asked
Late = collections.namedtuple("Late", "seconds")
Raw = collections.namedtuple("Raw", "data")  # bytes of a stream without a length in front; over UDP a datagram like any other


class End:
    """The end of the connection."""


class Reset:
    """The end of the connection, at once and with all queries in flight on it."""


class Server:
    """Listens once it is made, and serves from its start. `inside`: a context in which the sockets are opened."""

    Query = dnswire.Query
    lasting = True  # connections, behind their first query
    threads = "serve_udp", "serve_tcp"
    patience = 10  # seconds that a connection may be silent

    def __init__(self, port, address="127.0.0.1", inside=contextlib.nullcontext):
        self.host, self.port = address, port
        with inside():
            if "serve_tcp" in self.threads:
                self.tcp = socket.create_server((address, port), backlog=128)
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.udp.bind((address, port))

    def remember(self, q):
        """Before it is answered."""

    def answer(self, q):
        raise NotImplementedError

    def forks(self, q):
        """Whether others are answered while this one is."""
        return False

    def wrapped(self, conn):
        return conn

    def start(self):
        for work in self.threads:
            threading.Thread(target=getattr(self, work), daemon=True).start()
        return self

    def play(self, q, send):
        try:
            for item in self.answer(q):
                if isinstance(item, Late):
                    time.sleep(item.seconds)
                else:
                    send(item)
        except OSError:
            pass  # the connection has ended, or the interface is away with its data plane
        except Exception:  # a question that nobody foresaw has no answer; the next one has
            traceback.print_exc()

    def perform(self, q, send):
        if self.forks(q):
            threading.Thread(target=self.play, args=(q, send), daemon=True).start()
        else:
            self.play(q, send)

    def serve_udp(self):
        while True:
            self.take(*self.udp.recvfrom(65535))

    def take(self, wire, peer):
        q = self.heard(wire, peer)
        if q:
            self.perform(q, lambda item: self.send_udp(item, peer))

    def heard(self, wire, peer):
        """The query of a datagram, or None: it is none."""
        try:
            q = self.Query(wire, "udp", peer[1])
            self.remember(q)
            return q
        except Exception:
            traceback.print_exc()
            return None

    def send_udp(self, item, peer):
        if isinstance(item, Far):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((item.address, item.port))
                other.sendto(item.wire, peer)
        elif isinstance(item, Spray):
            for to in set(item.ports) - {peer[1]}:
                self.udp.sendto(item.wire, (peer[0], to))
        else:
            self.udp.sendto(item.data if isinstance(item, Raw) else item, peer)

    def serve_tcp(self):
        while True:
            threading.Thread(target=self.serve_connection, args=self.tcp.accept(), daemon=True).start()

    def serve_connection(self, conn, peer):
        """Each query when it comes; those that fork, beside the others."""
        lock, before = threading.RLock(), 0  # nobody's message in the middle of another one

        def send(item):
            if isinstance(item, Reset):
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                conn.close()
            elif isinstance(item, End):
                conn.shutdown(socket.SHUT_RDWR)
            else:
                with lock:
                    conn.sendall(item.data if isinstance(item, Raw) else framed(item))

        with contextlib.suppress(OSError, EOFError), self.wrapped(conn) as conn:
            conn.settimeout(self.patience)
            while self.lasting or not before:
                q = self.Query(message_from(conn), "tcp", peer[1])
                q.conn, q.before = conn, before
                before += 1
                self.remember(q)
                if self.forks(q):
                    self.perform(q, send)
                else:
                    with lock:
                        self.play(q, send)
