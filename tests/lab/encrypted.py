# SPDX-License-Identifier: BSD-3-Clause
"""Connections over TLS (RFC 7858) and HTTPS (RFC 8484), for the harness: a Way whose proto is "dot" or "doh" has them."""
import base64
import collections
import functools
import ssl

import h2.config
import h2.connection
import h2.events

CERTIFICATE, NAME = "/run/weir/lab/tls/cert.pem", "dns.lab.example"
PORTS = {"dot": 853, "doh": 443}
ALPN = {"dot": "dot", "doh": "h2"}
GET_MAX = 4096  # longer messages are posted, whatever a Way does


@functools.cache
def context_of(proto):
    context = ssl.create_default_context(cafile=CERTIFICATE)
    context.set_alpn_protocols([ALPN[proto]])
    return context


def connection(proto, sock, gets):
    """What stands in for the socket, which is connected. `gets`: requests over HTTPS are GETs where they can be."""
    tls = context_of(proto).wrap_socket(sock, server_hostname=NAME)
    assert tls.selected_alpn_protocol() == ALPN[proto]
    return Https(tls, gets) if proto == "doh" else tls


class Https:
    """Requests and responses of HTTP/2 on one connection. Of a socket it has what tests call over every transport."""

    def __init__(self, sock, gets):
        self.sock, self.gets = sock, gets
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.status, self.bodies, self.whole = {}, collections.defaultdict(bytes), collections.deque()
        self.settimeout, self.setsockopt = sock.settimeout, sock.setsockopt
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def head(self, method, path, *more):
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "https"), (":authority", NAME), (":path", path), *more]
        self.h2.send_headers(stream, fields, end_stream=method == "GET")
        return stream

    def ask(self, wire):
        if self.gets and len(wire) <= GET_MAX:
            self.head("GET", "/dns-query?dns=" + base64.urlsafe_b64encode(wire).decode().rstrip("="))
            return
        stream = self.head("POST", "/dns-query", ("content-type", "application/dns-message"), ("content-length", str(len(wire))))
        rest = wire
        while rest:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if not room:
                self.flush()
                self.take()
                continue
            self.h2.send_data(stream, rest[:room])
            rest = rest[room:]
        self.h2.end_stream(stream)

    def take(self):
        """Whatever comes next. ConnectionError: the connection has ended."""
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionResetError
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.status[event.stream_id] = dict(event.headers)[b":status"]
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                body = self.bodies.pop(event.stream_id, b"")
                self.whole.append(body if self.status.pop(event.stream_id) == b"200" else None)
            elif isinstance(event, h2.events.StreamReset):
                self.whole.append(None)
        self.flush()

    def reply(self):
        """The message of the next response; None if it has none."""
        while not self.whole:
            self.take()
        return self.whole.popleft()
