# SPDX-License-Identifier: BSD-3-Clause
"""DNS messages as bytes, for servers and clients that send what no library would write. Nothing here is shared with the product or
with dnspython."""
import struct

OWN = b"\xc0\x0c"  # the name of the question


def name_wire(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def query(name, qtype=1, ident=0, edns=None, flags=0x0100, options=b""):
    """A query; edns is the UDP size to advertise or None."""
    msg = struct.pack("!6H", ident, flags, 1, 0, 0, 1 if edns else 0)
    msg += (name if isinstance(name, bytes) else name_wire(name)) + struct.pack("!2H", qtype, 1)
    return msg + opt(edns, options=options) if edns else msg


def option(code, data):
    return struct.pack("!HH", code, len(data)) + data


def opt(size=1232, extended=0, version=0, flags=0, options=b""):
    return b"\0" + struct.pack("!HHBBHH", 41, size, extended, version, flags, len(options)) + options


def record(owner, kind, ttl, rdata, length=None):
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(rdata) if length is None else length) + rdata


def soa(owner, ttl=60, minimum=60):
    return record(owner, 6, ttl, b"\0\0" + struct.pack("!5I", 1, 3600, 900, 604800, minimum))


def framed(wire):
    """As TCP has it."""
    return struct.pack("!H", len(wire)) + wire


class Ended(ConnectionError, EOFError):
    """The peer has closed it, in good order: `wait` goes on after it as after a reset."""


def exactly(sock, count):
    out = b""
    while len(out) < count:
        more = sock.recv(count - len(out))
        if not more:
            raise Ended("the connection ended")
        out += more
    return out


def message_from(sock):
    """The next one of a connection."""
    return exactly(sock, *struct.unpack("!H", exactly(sock, 2)))


def rcode(msg):
    return msg[3] & 15


class Query:
    """One that came to a server. Its first label is WORD[-NUMBER...]."""

    def __init__(self, wire, proto="udp", source=0):
        self.wire, self.proto, self.source = wire, proto, source
        self.id, = struct.unpack("!H", wire[:2])
        at, self.labels = 12, []
        while wire[at]:
            self.labels.append(wire[at + 1:at + 1 + wire[at]].decode("latin-1"))
            at += 1 + wire[at]
        self.name, self.question = wire[12:at + 1], wire[12:at + 5]
        self.type, = struct.unpack("!H", wire[at + 1:at + 3])
        self.edns = wire[11] == 1
        self.text = ".".join(self.labels).lower()
        self.word, *tail = (self.labels[0].lower() if self.labels else "").split("-")
        self.numbers = [int(number) for number in tail if number.isdecimal()]

    def number(self, default=0):
        return self.numbers[0] if self.numbers else default

    def option(self, code):
        """The data of that option of the query, or None."""
        at = 12 + len(self.question) + 11
        while self.edns and at + 4 <= len(self.wire):
            found, size = struct.unpack("!HH", self.wire[at:at + 4])
            if found == code:
                return self.wire[at + 4:at + 4 + size]
            at += 4 + size
        return None

    def reply(self, *records, flags=0x8180, counts=None, question=None, ident=None):
        """Records are all of the answer section unless counts says (QD, AN, NS, AR)."""
        question = self.question if question is None else question
        counts = counts or (1, len(records), 0, 0)
        return struct.pack("!6H", self.id if ident is None else ident, flags, *counts) + question + b"".join(records)

    def address(self, data, ttl=300, owner=OWN):
        return record(owner, 1, ttl, data)

    def truncated(self):
        return self.reply(flags=0x8380)
