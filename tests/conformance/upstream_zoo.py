#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Upstreams that lie, break off, keep silent or send what nobody can read, by the first label of the name.

usage: upstream_zoo.py PORT LOGFILE    listens on PORT and the six after it; a line "proto port edns id source-port name" for each query

A first label is WORD[-NUMBER...]; the labels behind it only make names distinct. Each beast is a generator of what is sent
for one query: a bytes object is a message; Far, Late and Raw are other ways. GOOD and NEWER are the truth, EVIL what nobody may ever see.
Nothing here is shared with the product or with dnspython, which would not write most of it.
"""
import collections
import random
import socket
import struct
import sys
import threading
import time

GOOD, NEWER, EVIL = bytes([198, 18, 200, 1]), bytes([198, 18, 200, 2]), bytes([198, 18, 66, 6])
PORTS = 7  # PORT: zoo.example; +1: grave.example; +2: case.example; +3: edns.example; +4 and +5: pack.example; +6: bye.example
LISTENS = "127.0.0.1"
beasts = {}
cut = set()  # names that have ended a connection
seen = set()  # names that have been asked for
gathering, waiting = threading.Condition(), collections.defaultdict(list)  # port of a connection -> queries that wait on it
forks = ("late", "drip", "noise", "tired", "everyport")  # beasts that sleep get a thread


class Far:
    """From another socket than the one that was asked: another port, or another address."""

    def __init__(self, wire, address=LISTENS, port=0):
        self.wire, self.address, self.port = wire, address, port


class Spray:
    """To ports of the client where it may be listening, but for the one that asked."""

    def __init__(self, ports, wire):
        self.ports, self.wire = ports, wire


class Late:
    def __init__(self, seconds):
        self.seconds = seconds


class Raw:
    """Bytes of a TCP stream without a length in front; over UDP a datagram like any other."""

    def __init__(self, data):
        self.data = data


class End:
    """The end of the connection."""


class Reset:
    """The end of the connection, at once and with all queries in flight on it."""


class Query:
    def __init__(self, wire, proto):
        self.wire, self.proto, self.id = wire, proto, struct.unpack("!H", wire[:2])[0]
        at, labels = 12, []
        while wire[at]:
            labels.append(wire[at + 1:at + 1 + wire[at]])
            at += 1 + wire[at]
        self.name, self.question = wire[12:at + 1], wire[12:at + 5]
        self.type = struct.unpack("!H", wire[at + 1:at + 3])[0]
        self.edns = wire[11] == 1
        self.text = b".".join(labels).decode("latin-1").lower()
        self.word, *tail = (labels[0].decode("latin-1").lower() if labels else "").split("-")
        self.numbers = [int(t) for t in tail if t.isdigit()]
        self.port = 0  # that it came to
        self.segments = self.before = 0  # over TCP: with data, and queries before this one

    def number(self, default=0):
        return self.numbers[0] if self.numbers else default

    def reply(self, *records, flags=0x8180, counts=None, question=None, ident=None):
        """Records are all of the answer section unless counts says (QD, AN, NS, AR)."""
        question = self.question if question is None else question
        counts = counts or (1, len(records), 0, 0)
        return struct.pack("!6H", self.id if ident is None else ident, flags, *counts) + question + b"".join(records)

    def address(self, data, ttl=300, owner=b"\xc0\x0c"):
        return record(owner, 1, ttl, data)

    def address_alone(self, data, ttl):
        return self.reply(self.address(data, ttl))

    def good(self):
        return self.reply(record(b"\xc0\x0c", 16, 300, b"\x05truth") if self.type == 16 else self.address(GOOD))

    def evil(self, **how):
        return self.reply(self.address(EVIL), **how)


def record(owner, kind, ttl, rdata, length=None):
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(rdata) if length is None else length) + rdata


def name(*labels):
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def soa(owner, ttl=60, minimum=60):
    return record(owner, 6, ttl, b"\0\0" + struct.pack("!5I", 1, 3600, 900, 604800, minimum))


def beast(function):
    beasts[function.__name__.replace("_", "")] = function
    return function


def forger(function):
    """An off-path attacker: speaks UDP only, before the server does."""
    def both(q):
        if q.proto == "udp":
            yield from function(q)
        yield q.good()
    beasts[function.__name__.replace("_", "")] = both
    return function


# --- forgeries, then the truth (RFC 5452 9.1; draft-li-dnsop-response-preprocessing) -----------------------------------

@beast
def good(q):
    yield q.good()


@forger
def wrong_id(q):
    for i in range(1, q.number(1) + 1):
        yield q.evil(ident=q.id ^ i)


@forger
def wrong_name(q):
    yield q.evil(question=name("evil", "example") + q.question[-4:])


@forger
def wrong_type(q):
    yield q.evil(question=q.name + struct.pack("!2H", 28, 1))


@forger
def wrong_class(q):
    yield q.evil(question=q.name + struct.pack("!2H", q.type, 3))


@forger
def not_a_reply(q):
    yield q.evil(flags=0x0100)


@forger
def other_opcode(q):
    for opcode in (1, 2, 4, 5, 15):
        yield q.evil(flags=0x8180 | opcode << 11)


@forger
def no_question(q):
    yield q.reply(record(q.name, 1, 300, EVIL), question=b"", counts=(0, 1, 0, 0))


@forger
def two_questions(q):
    yield q.reply(record(q.name, 1, 300, EVIL), question=q.question * 2, counts=(2, 1, 0, 0))


@forger
def other_port(q):
    yield Far(q.evil())


@forger
def other_address(q):
    yield Far(q.evil(), "127.0.0.2", PORT)


@forger
def every_port(q):
    """A sixteenth of them: the right id where it is of no use; then a wrong one where the question came from."""
    step = (65536 - 10000) // 16
    yield Spray(range(10000 + q.number() * step, 10000 + q.number() * step + step), q.evil())
    yield q.evil(ident=q.id ^ 1)


@forger
def short(q):
    """Its first bytes only, of each length."""
    whole = q.evil()
    for length in range(0, len(whole)):
        yield whole[:length]


@forger
def noise(q):
    rng = random.Random(q.text)
    for i in range(q.number(1000)):
        if i % 50 == 49:
            yield Late(0.002)  # a burst would only show how much a socket holds
        bad = bytearray(q.evil())
        bad[2] &= 0x7f  # QR
        for _ in range(rng.randrange(1, 6)):
            bad[rng.randrange(3, len(bad))] = rng.randrange(256)
        yield bytes(bad[:rng.randrange(3, len(bad) + 1)])


@beast
def twice(q):
    for _ in range(q.number(2)):
        yield q.good()


@beast
def second_thought(q):
    """A second reply that contradicts the first: nobody listens any more."""
    yield q.good()
    yield q.evil()


# --- messages that cannot be read ----------------------------------------------------------------------------------------

def broken(q):
    """Each of these has the right id and question, and is no message all the same."""
    to_itself = struct.pack("!H", 0xc000 | 12 + len(q.question))
    forward = struct.pack("!H", 0xc000 | 12 + len(q.question) + 40)
    tail = struct.pack("!HHIH", 1, 1, 300, 4) + EVIL
    longname = (b"\x3f" + b"x" * 63) * 4 + b"\0"
    return {
        "pointer to itself": q.reply(to_itself + tail),
        "pointer forward": q.reply(forward + tail, b"\0" * 64, counts=(1, 1, 0, 0)),
        "pointer past the end": q.reply(b"\xff\xff" + tail),
        "pointer into the header": q.reply(b"\xc0\x02" + tail),
        "label type 01": q.reply(b"\x41\x08" + tail),
        "label type 10": q.reply(b"\x80" + tail),
        "name of 257 bytes": q.reply(longname + tail),
        "name of 256 by pointer": q.reply(b"\x3f" + b"x" * 63 + b"\x3f" + b"x" * 63 + b"\x3f" + b"x" * 63
                                          + b"\x3f" + b"x" * 63 + b"\xc0\x0c" + tail),
        "label past the end": q.reply(b"\x3fshort"),
        "more answers than there are": q.reply(q.address(EVIL), counts=(1, 2, 0, 0)),
        "65535 answers": q.reply(q.address(EVIL), counts=(1, 65535, 0, 0)),
        "65535 of all": q.reply(q.address(EVIL), counts=(1, 65535, 65535, 65535)),
        "additional that is not there": q.reply(q.address(EVIL), counts=(1, 1, 0, 1)),
        "rdata past the end": q.reply(record(b"\xc0\x0c", 1, 300, EVIL, length=400)),
        "address of 3 bytes": q.reply(q.address(EVIL[:3])),
        "address of 5 bytes": q.reply(q.address(EVIL + b"\0")),
        "address of none": q.reply(q.address(b"")),
        "alias with more behind it": q.reply(record(b"\xc0\x0c", 5, 300, name("evil", "example") + b"\0")),
        "alias cut off": q.reply(record(b"\xc0\x0c", 5, 300, b"\x04ev")),
        "alias to itself by pointer": q.reply(record(b"\xc0\x0c", 5, 300, struct.pack("!H", 0xc000 | 24 + len(q.question)))),
        "text of no string": q.reply(record(b"\xc0\x0c", 16, 300, b"")),
        "text that ends too soon": q.reply(record(b"\xc0\x0c", 16, 300, b"\x09four")),
        "two OPT": q.reply(q.address(EVIL), opt(), opt(), counts=(1, 1, 0, 2)),
        "OPT with a name": q.reply(q.address(EVIL), b"\x01x" + opt(), counts=(1, 1, 0, 1)),
        "SOA too short": q.reply(record(b"\xc0\x0c", 6, 60, b"\0\0\0"), counts=(1, 0, 1, 0)),
    }


def opt(size=1232, extended=0, version=0, flags=0, options=b""):
    return b"\0" + struct.pack("!HHBBHH", 41, size, extended, version, flags, len(options)) + options


@beast
def bad(q):
    """Broken message N and nothing else."""
    yield list(broken(q).values())[q.number()]


@beast
def bad_then_good(q):
    yield list(broken(q).values())[q.number()]
    yield q.good()


# --- readable, but not to be followed or kept ------------------------------------------------------------------------------

@beast
def self_loop(q):
    yield q.reply(record(b"\xc0\x0c", 5, 300, b"\xc0\x0c"))


@beast
def loop(q):
    yield q.reply(record(q.name, 5, 300, name("b", "loop", "example")), record(name("b", "loop", "example"), 5, 300, q.name))


@beast
def chain(q):
    """N aliases, then the address; chain-N-1: in the wrong order."""
    owners = [q.name] + [name(f"hop{i}", "zoo", "example") for i in range(1, q.number() + 1)]
    records = [record(a, 5, 300, b) for a, b in zip(owners, owners[1:])] + [record(owners[-1], 1, 300, GOOD)]
    if q.numbers[1:]:
        records.reverse()
    yield q.reply(*records)


@beast
def strangers(q):
    """The answer with others' records in each section: nothing of them may be seen or kept."""
    other = name("bank", "zoo", "example")
    yield q.reply(record(other, 1, 300, EVIL), q.address(GOOD), record(other, 5, 300, name("evil", "example")),
                  record(name("example"), 2, 300, name("ns", "evil", "example")), record(other, 1, 300, EVIL),
                  record(name("ns", "evil", "example"), 1, 300, EVIL), counts=(1, 3, 2, 1))


@beast
def dname_over_all(q):
    """A DNAME for the whole of example. beside the answer."""
    yield q.reply(record(name("example"), 39, 300, name("evil", "test")), q.address(GOOD))


@beast
def bad_glue(q):
    """The answer, and name servers in the additional section whose names are pointers to themselves, past the end or cut off."""
    first = 12 + len(q.question) + 16 + 12  # where the data of the first are
    yield q.reply(q.address(GOOD), *(record(b"\xc0\x0c", 2, 300, rdata) for rdata in (struct.pack("!H", 0xc000 | first), b"\xff\xff", b"\x3fx", b"")),
                  counts=(1, 1, 0, 4))


@beast
def yxdomain(q):
    """A DNAME that makes the name too long (RFC 6672 2.2); yxdomain-1: one that does not, so that the rcode says nothing."""
    target = name("elsewhere", "example") if q.number() else name("x" * 63, "y" * 63, "z" * 63, "w" * 55)
    yield q.reply(record(b"\xc0" + bytes([13 + q.name[0]]), 39, 300, target), flags=0x8186)


@beast
def lame(q):
    """A referral: RFC 2308 2.2's NODATA it is not."""
    yield q.reply(record(name("example"), 2, 300, name("ns", "evil", "example")), counts=(1, 0, 1, 0))


@beast
def foreign_soa(q):
    yield q.reply(soa(name("bank", "test"), 86400, 86400), flags=0x8183, counts=(1, 0, 1, 0))


@beast
def wrong_answer(q):
    """Only records of another name, or another type, to the right question."""
    if q.number():
        yield q.reply(record(b"\xc0\x0c", 28, 300, EVIL * 4))
    else:
        yield q.reply(record(name("other", "zoo", "example"), 1, 300, EVIL))


@beast
def two_aliases(q):
    """An error of the zone (RFC 2181 10.1)."""
    first, second = name("first", "zoo", "example"), name("second", "zoo", "example")
    yield q.reply(record(b"\xc0\x0c", 5, 300, first), record(b"\xc0\x0c", 5, 300, second), record(first, 1, 300, GOOD),
                  record(second, 1, 300, EVIL))


@beast
def packed(q):
    """Names compressed where only the types of RFC 1035 may have that (RFC 3597 4): "sip" in front of the question."""
    at = b"\x03sip\xc0\x0c"
    yield q.reply(record(b"\xc0\x0c", q.type, 300, {
        2: at, 12: at, 15: b"\0\1" + at, 17: at + at, 18: b"\0\1" + at, 21: b"\0\1" + at, 26: b"\0\1" + at + at,
        33: b"\0\1\0\2\x13\xc4" + at, 35: b"\0\x64\0\x0a\1u\0\0" + at}[q.type]))


@beast
def many(q):
    """N addresses; over UDP TC."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        yield q.reply(*(q.address(struct.pack("!I", 0xc6120000 + i)) for i in range(q.number())))


@beast
def full(q):
    """A message of exactly 65,535 bytes."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
        return
    text, at = [], 12 + len(q.question)
    while 65535 - at > 600:
        text.append(record(b"\xc0\x0c", 16, 300, b"\xff" + b"%05d" % at + b"x" * 250))
        at += len(text[-1])
    left = 65535 - at - 12
    text.append(record(b"\xc0\x0c", 16, 300, b"\xff" + b"y" * 255 + bytes([left - 257]) + b"z" * (left - 257)))
    yield q.reply(*text)


@beast
def ttl(q):
    yield q.reply(q.address(GOOD, q.number()))


@beast
def ttl_nx(q):
    """ttlnx-TTL-MINIMUM"""
    yield q.reply(soa(b"\xc0\x0c", q.numbers[0], q.numbers[1]), flags=0x8183, counts=(1, 0, 1, 0))


@beast
def rcode(q):
    yield q.evil(flags=0x8180 | q.number() & 15) if q.number() < 16 else q.reply(
        q.address(EVIL), opt(extended=q.number() >> 4), flags=0x8180 | q.number() & 15, counts=(1, 1, 0, 1))


# --- EDNS (RFC 6891; the flag days) ------------------------------------------------------------------------------------------

@beast
def old(q):
    """Does not know EDNS, and answers as if there was none."""
    yield q.good()


@beast
def old_formerr(q):
    yield q.reply(flags=0x8181) if q.edns else q.good()


@beast
def old_notimp(q):
    yield q.reply(flags=0x8184) if q.edns else q.good()


@beast
def old_header(q):
    """FORMERR as a header alone."""
    yield q.reply(flags=0x8181, question=b"", counts=(0, 0, 0, 0)) if q.edns else q.good()


@beast
def old_echo(q):
    """FORMERR, and the query as it was."""
    yield q.wire[:2] + b"\x81\x81" + q.wire[4:] if q.edns else q.good()


@beast
def always_formerr(q):
    yield q.reply(flags=0x8181)


@beast
def no_edns_at_all(q):
    if not q.edns:
        yield q.good()


@beast
def badvers(q):
    yield q.reply(opt(extended=1), flags=0x8180, counts=(1, 0, 0, 1))


@beast
def options(q):
    """Options that nobody asked for: a cookie, a subnet, an unknown one, an EDE, padding."""
    some = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in (
        (10, b"c" * 24), (8, b"\0\x01\x18\x18\xc6\x12\x01"), (65001, b"x" * 40), (15, b"\0\x06bogus"), (12, b"\0" * 16)))
    yield q.reply(q.address(GOOD), opt(size=65535, flags=0x7fff, version=3, options=some), counts=(1, 1, 0, 1))


@beast
def errors(q):
    """Four extended errors beside a good answer (RFC 8914 3): one without a text, with a NUL behind it, in no UTF-8, of no known code."""
    some = b"".join(struct.pack("!HH", 15, len(data)) + data for data in (b"\0\x03", b"\0\x06why\0", b"\0\x0f\xff\xfe\x80", b"\xc0\0"))
    yield q.reply(q.address(GOOD), opt(options=some), counts=(1, 1, 0, 1))


@beast
def large(q):
    """More than was allowed over UDP, not cut."""
    yield q.reply(*(record(b"\xc0\x0c", 16, 300, b"\xc8" + bytes([65 + i]) * 200) for i in range(20)))


# --- negative answers of every type (RFC 2308 2.1.1, 2.2.1), sets, AD ----------------------------------------------------------

def authority_of(q):
    """The records of the authority section, and how many: SOA and NS, SOA, neither, NS."""
    zone = name("zoo", "example")
    servers = record(zone, 2, 300, name("ns", "zoo", "example"))
    return {1: [soa(zone), servers], 2: [soa(zone)], 3: [], 4: [servers]}[q.number()]


@beast
def nxkind(q):
    found = authority_of(q)
    yield q.reply(*found, flags=0x8183, counts=(1, 0, len(found), 0))


@beast
def nodatakind(q):
    found = authority_of(q)
    yield q.reply(*found, counts=(1, 0, len(found), 0))


@beast
def twins(q):
    """A record three times, once in other words, and another."""
    yield q.reply(q.address(GOOD), q.address(GOOD), q.address(bytes([198, 18, 200, 2])), q.address(GOOD, owner=q.name))


@beast
def ptrs(q):
    yield q.reply(*(record(b"\xc0\x0c", 12, 300, name(first, "example")) for first in "abc"))


@beast
def ad_bare(q):
    """AD, without an OPT."""
    yield q.reply(q.address(GOOD), flags=0x81a0)


@beast
def ad_with_opt(q):
    yield q.reply(q.address(GOOD), opt(flags=0x8000), flags=0x81a0, counts=(1, 1, 0, 1))


@beast
def udp_bye(q):
    """The keepalive option over UDP, where it has no place (RFC 7828 3.2.2)."""
    yield q.reply(q.address(GOOD), opt(options=b"\0\x0b\0\2\0\0"), counts=(1, 1, 0, 1))


# --- letter case (draft-vixie-dnsext-dns0x20) ----------------------------------------------------------------------------------

@beast
def lower(q):
    yield q.reply(q.address(GOOD), question=q.name.lower() + q.question[-4:])


@beast
def upper(q):
    yield q.reply(record(q.name.upper(), 1, 300, GOOD), question=q.name.upper() + q.question[-4:])


# --- silence, truncation, TCP --------------------------------------------------------------------------------------------------

@beast
def dead(q):
    yield from ()


@beast
def late(q):
    """After N ms."""
    yield Late(q.number() / 1000)
    yield q.good()


@beast
def tired(q):
    """At once the first time, for a second; then another address, after N ms."""
    if q.text not in seen:
        seen.add(q.text)
        yield q.address_alone(GOOD, 1)
    else:
        yield Late(q.number() / 1000)
        yield q.address_alone(NEWER, 300)


@beast
def fails_first(q):
    """An error from the server that weir asks first; the other one knows."""
    first = q.text not in seen
    seen.add(q.text)
    yield q.evil(flags=0x8182) if first else q.good()


@beast
def silent_first(q):
    """Nothing from the server that weir asks first; the other one knows."""
    first = q.text not in seen
    seen.add(q.text)
    if not first:
        yield q.good()


@beast
def silent_at(q):
    """Nothing from the server at port N."""
    if q.port != q.number():
        yield q.good()


@beast
def tc(q):
    yield q.reply(flags=0x8380) if q.proto == "udp" else q.good()


@beast
def tc_with_answer(q):
    """TC beside records: they are not to be used (RFC 2181 9)."""
    yield q.evil(flags=0x8380) if q.proto == "udp" else q.good()


@beast
def tc_ever(q):
    yield q.reply(flags=0x8380)


@beast
def tc_hang(q):
    """Takes the query over TCP and says nothing."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        yield Late(5)


@beast
def tc_close(q):
    yield q.reply(flags=0x8380) if q.proto == "udp" else End()


@beast
def tc_half(q):
    """Half of the message, then the end."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        whole = q.evil()
        yield Raw(struct.pack("!H", len(whole)) + whole[:len(whole) // 2])
        yield End()


@beast
def tc_empty(q):
    """An empty message, then one of eleven, then the truth."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        yield Raw(b"\0\0")
        yield Raw(b"\0\x0b" + q.good()[:11])
        yield q.good()


@beast
def tc_liar(q):
    """TCP with another id: on a connection that is no guess of a third party, and no answer."""
    yield q.reply(flags=0x8380) if q.proto == "udp" else q.evil(ident=q.id ^ 1)


@beast
def tc_other_question(q):
    """TCP with the right id and another query's question."""
    yield q.reply(flags=0x8380) if q.proto == "udp" else q.evil(question=name("evil", "example") + q.question[-4:])


@beast
def tc_bad(q):
    """Broken message N, over TCP."""
    yield q.reply(flags=0x8380) if q.proto == "udp" else list(broken(q).values())[q.number()]


@beast
def tc_late(q):
    """Over TCP after N ms; later queries on the connection are answered meanwhile."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        yield Late(q.number() / 1000)
        yield q.good()


@beast
def tc_gather(q):
    """Answers over TCP when N queries wait on the connection: who waits for one answer before the next query gets none."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
        return
    with gathering:
        here = waiting[q.source]
        here.append(q)
        q.together = False
        if len(here) >= q.number():
            for one in here:
                one.together = True
            here.clear()
            gathering.notify_all()
        if not gathering.wait_for(lambda: q.together, 4):
            here.remove(q)
    if q.together:
        yield q.good()


@beast
def tc_cut(q):
    """The connection ends under its first query over TCP; the second is answered."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    elif q.text in cut:
        yield q.good()
    else:
        cut.add(q.text)
        yield End()


@beast
def tc_once(q):
    """Answers over TCP and ends the connection."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        yield q.good()
        yield End()


@beast
def tc_bye(q):
    """Says that the connection is not to be kept (RFC 7828 3.4)."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        yield q.reply(q.address(GOOD), opt(options=b"\0\x0b\0\2\0\0"), counts=(1, 1, 0, 1))


@beast
def tc_stay(q):
    """Says that the connection may be idle for N tenths of a second."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        yield q.reply(q.address(GOOD), opt(options=struct.pack("!3H", 11, 2, q.number())), counts=(1, 1, 0, 1))


@beast
def tc_segments(q):
    """The truth if each query so far came in one segment with its length."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        yield q.good() if 0 < q.segments <= q.before + 1 else q.evil()


@beast
def tc_no_keepalive(q):
    """FORMERR over TCP to a query with the keepalive option, as of a server, or of what stands before it, that knows none."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        if q.wire.endswith(b"\0\x0b\0\0"):
            yield q.reply(flags=0x8181)
        else:
            yield q.good()
            yield End()


@beast
def tc_no_option(q):
    """Resets the connection on the keepalive option, as what stands before a server may."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
    else:
        yield Reset() if q.wire.endswith(b"\0\x0b\0\0") else q.good()
        yield End()


@beast
def drip(q):
    """The answer over TCP byte by byte."""
    if q.proto == "udp":
        yield q.reply(flags=0x8380)
        return
    whole = q.good()
    for byte in struct.pack("!H", len(whole)) + whole:
        yield Late(0.005)
        yield Raw(bytes([byte]))


# --- serving ---------------------------------------------------------------------------------------------------------------------

class Log:
    def __init__(self, path):
        self.file, self.lock = open(path, "a", buffering=1), threading.Lock()

    def write(self, port, q, source):
        with self.lock:
            self.file.write(f"{q.proto} {port} {int(q.edns)} {q.id} {source} {q.text}\n")


def play(q, send, send_raw, end=None):
    for item in beasts.get(q.word, good)(q):
        if isinstance(item, (End, Reset)):
            end(item)
        elif isinstance(item, Late):
            time.sleep(item.seconds)
        elif isinstance(item, Raw):
            send_raw(item.data)
        else:
            send(item)


def serve_udp(sock, port, log):
    while True:
        wire, peer = sock.recvfrom(65535)
        q = Query(wire, "udp")
        q.port = port
        log.write(port, q, peer[1])

        def send(item, peer=peer):
            if isinstance(item, Spray):
                for to in set(item.ports) - {peer[1]}:
                    sock.sendto(item.wire, (peer[0], to))
                return
            if not isinstance(item, Far):
                sock.sendto(item, peer)
                return
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((item.address, item.port))
                other.sendto(item.wire, peer)

        if q.word in forks:
            threading.Thread(target=play, args=(q, send, send), daemon=True).start()
        else:
            play(q, send, send)


def play_tcp(conn, q, lock):
    def send(data):
        with lock:
            conn.sendall(data)

    def end(item):
        if isinstance(item, Reset):
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            conn.close()
        else:
            conn.shutdown(socket.SHUT_RDWR)

    try:
        play(q, lambda item: send(struct.pack("!H", len(item)) + item), send, end)
    except OSError:
        pass


def segments(conn):
    """With data that have come (tcpi_data_segs_in)."""
    return struct.unpack("=I", conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 156)[152:])[0]


def serve_connection(conn, port, source, log):
    """Each query when it comes; those that are slow, beside the others."""
    before = 0
    try:
        conn.settimeout(10)
        lock = threading.RLock()  # nobody's message in the middle of another one
        while True:
            size = struct.unpack("!H", conn.recv(2, socket.MSG_WAITALL))[0]
            q = Query(conn.recv(size, socket.MSG_WAITALL), "tcp")
            q.port, q.before, q.segments = port, before, segments(conn)
            before += 1
            log.write(port, q, source)
            q.source = source
            if q.word in ("tclate", "tchang", "tcgather"):
                threading.Thread(target=play_tcp, args=(conn, q, lock), daemon=True).start()
            else:
                with lock:
                    play_tcp(conn, q, lock)
    except (OSError, struct.error):
        pass
    conn.close()


def serve_tcp(server, port, log):
    while True:
        conn, peer = server.accept()
        threading.Thread(target=serve_connection, args=(conn, port, peer[1], log), daemon=True).start()


def main():
    log = Log(sys.argv[2])
    for port in range(PORT, PORT + PORTS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind((LISTENS, port))
        server = socket.create_server((LISTENS, port), backlog=128)
        threading.Thread(target=serve_udp, args=(sock, port, log), daemon=True).start()
        threading.Thread(target=serve_tcp, args=(server, port, log), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    PORT = int(sys.argv[1])
    main()
