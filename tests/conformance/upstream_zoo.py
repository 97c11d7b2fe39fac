#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Upstreams that lie, break off, keep silent or send what nobody can read, by the first label of the name.

usage: upstream_zoo.py PORT LOGFILE    listens on PORT and the six after it; a line "proto port edns id source-port name" for each query

A first label is WORD[-NUMBER...]; the labels behind it only make names distinct. Each beast says what is sent for one query, as
scripted.py has it. GOOD and NEWER are the truth, EVIL what nobody may ever see. The tables are of those that are said in a line.
"""
import collections
import pathlib
import random
import socket
import struct
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
import dnswire
from dnswire import OWN, framed, name_wire, opt, option, record, soa
from scripted import End, Far, Late, Raw, Reset, Server, Spray

GOOD, NEWER, EVIL = bytes([198, 18, 200, 1]), bytes([198, 18, 200, 2]), bytes([198, 18, 66, 6])
PORTS = 7  # PORT: zoo.example; +1: grave.example; +2: case.example; +3: edns.example; +4 and +5: pack.example; +6: bye.example
cut = set()  # names that have ended a connection
seen = set()  # names that have been asked for
gathering, waiting = threading.Condition(), collections.defaultdict(list)  # port of a connection -> queries that wait on it
# Beasts that sleep get a thread; over TCP those whose connection goes on meanwhile.
FORKS = {"udp": ("late", "drip", "noise", "tired", "everyport"), "tcp": ("tclate", "tchang", "tcgather")}


class Query(dnswire.Query):
    def good(self):
        return self.reply(record(OWN, 16, 300, b"\x05truth") if self.type == 16 else self.address(GOOD))

    def evil(self, **how):
        return self.reply(self.address(EVIL), **how)

    def beside(self, *records, flags=0x8180):
        """The truth, and these in the additional section."""
        return self.reply(self.address(GOOD), *records, flags=flags, counts=(1, 1, 0, len(records)))

    def nothing(self, *authority, flags=0x8180):
        return self.reply(*authority, flags=flags, counts=(1, 0, len(authority), 0))

    def asked_again(self):
        """Whether it was before."""
        again = self.text in seen
        seen.add(self.text)
        return again


# --- forgeries by an off-path attacker, who speaks UDP only and before the server does; then the truth (RFC 5452 9.1;
# draft-li-dnsop-response-preprocessing) ----------------------------------------------------------------------------------

def every_port(q):
    """A sixteenth of them: the right id where it is of no use; then a wrong one where the question came from."""
    step = (65536 - 10000) // 16
    yield Spray(range(10000 + q.number() * step, 10000 + q.number() * step + step), q.evil())
    yield q.evil(ident=q.id ^ 1)


def edits(rng):
    """What makes one malformed: (place, byte) of some, a place being a share of the message, and where it ends."""
    return [(rng.random(), rng.randrange(256)) for _ in range(rng.randrange(1, 6))], rng.random()


# Made beforehand: while they were made the question would be sent again.
EDITS = [edits(random.Random(i)) for i in range(1000)]


def noise(q):
    evil = bytearray(q.evil())
    evil[2] &= 0x7f  # QR
    for i, (some, end) in enumerate(EDITS[:q.number(1000)]):
        if i % 50 == 49:
            yield Late(0.002)  # a burst would only show how much a socket holds
        bad = evil.copy()
        for share, byte in some:
            bad[3 + int(share * (len(bad) - 3))] = byte
        yield bytes(bad[:3 + int(end * (len(bad) - 2))])


FORGED = {
    "wrongid": lambda q: (q.evil(ident=q.id ^ i) for i in range(1, q.number(1) + 1)),
    "wrongname": lambda q: [q.evil(question=name_wire("evil.example") + q.question[-4:])],
    "wrongtype": lambda q: [q.evil(question=q.name + struct.pack("!2H", 28, 1))],
    "wrongclass": lambda q: [q.evil(question=q.name + struct.pack("!2H", q.type, 3))],
    "notareply": lambda q: [q.evil(flags=0x0100)],
    "otheropcode": lambda q: (q.evil(flags=0x8180 | opcode << 11) for opcode in (1, 2, 4, 5, 15)),
    "noquestion": lambda q: [q.reply(record(q.name, 1, 300, EVIL), question=b"", counts=(0, 1, 0, 0))],
    "twoquestions": lambda q: [q.reply(record(q.name, 1, 300, EVIL), question=q.question * 2, counts=(2, 1, 0, 0))],
    "otherport": lambda q: [Far(q.evil())],
    "otheraddress": lambda q: [Far(q.evil(), "127.0.0.2", PORT)],
    "everyport": every_port,
    "short": lambda q: (q.evil()[:length] for length in range(len(q.evil()))),  # its first bytes only, of each length
    "noise": noise,
}


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
        "rdata past the end": q.reply(record(OWN, 1, 300, EVIL, length=400)),
        "address of 3 bytes": q.reply(q.address(EVIL[:3])),
        "address of 5 bytes": q.reply(q.address(EVIL + b"\0")),
        "address of none": q.reply(q.address(b"")),
        "alias with more behind it": q.reply(record(OWN, 5, 300, name_wire("evil.example") + b"\0")),
        "alias cut off": q.reply(record(OWN, 5, 300, b"\x04ev")),
        "alias to itself by pointer": q.reply(record(OWN, 5, 300, struct.pack("!H", 0xc000 | 24 + len(q.question)))),
        "text of no string": q.reply(record(OWN, 16, 300, b"")),
        "text that ends too soon": q.reply(record(OWN, 16, 300, b"\x09four")),
        "two OPT": q.reply(q.address(EVIL), opt(), opt(), counts=(1, 1, 0, 2)),
        "OPT with a name": q.reply(q.address(EVIL), b"\x01x" + opt(), counts=(1, 1, 0, 1)),
        "SOA too short": q.reply(record(OWN, 6, 60, b"\0\0\0"), counts=(1, 0, 1, 0)),
    }


# --- readable, but not to be followed or kept ------------------------------------------------------------------------------

def loop(q):
    other = name_wire("b.loop.example")
    yield q.reply(record(q.name, 5, 300, other), record(other, 5, 300, q.name))


def chain(q):
    """N aliases, then the address; chain-N-1: in the wrong order."""
    owners = [q.name] + [name_wire(f"hop{i}.zoo.example") for i in range(1, q.number() + 1)]
    records = [record(a, 5, 300, b) for a, b in zip(owners, owners[1:])] + [record(owners[-1], 1, 300, GOOD)]
    if q.numbers[1:]:
        records.reverse()
    yield q.reply(*records)


def strangers(q):
    """The answer with others' records in each section: nothing of them may be seen or kept."""
    other, evil = name_wire("bank.zoo.example"), name_wire("ns.evil.example")
    yield q.reply(record(other, 1, 300, EVIL), q.address(GOOD), record(other, 5, 300, name_wire("evil.example")),
                  record(name_wire("example"), 2, 300, evil), record(other, 1, 300, EVIL),
                  record(evil, 1, 300, EVIL), counts=(1, 3, 2, 1))


def bad_glue(q):
    """The answer, and name servers in the additional section whose names are pointers to themselves, past the end or cut off."""
    first = 12 + len(q.question) + 16 + 12  # where the data of the first are
    yield q.beside(*(record(OWN, 2, 300, rdata) for rdata in (struct.pack("!H", 0xc000 | first), b"\xff\xff", b"\x3fx", b"")))


def yxdomain(q):
    """A DNAME that makes the name too long (RFC 6672 2.2); yxdomain-1: one that does not, so that the rcode says nothing."""
    target = name_wire("elsewhere.example" if q.number() else ".".join(("x" * 63, "y" * 63, "z" * 63, "w" * 55)))
    yield q.reply(record(b"\xc0" + bytes([13 + q.name[0]]), 39, 300, target), flags=0x8186)


def dname_alone(q):
    """A DNAME that covers the name, and the address it leads to, without the CNAME between (RFC 6672 5.3.1)."""
    first = q.name[:1 + q.name[0]]
    yield q.reply(record(b"\xc0" + bytes([13 + q.name[0]]), 39, 300, name_wire("moved.example")),
                  record(first + name_wire("moved.example"), 1, 300, GOOD))


def alias_alone(q):
    """As of a server that does not recurse; asked for the name that it leads to, the truth. aliasalone-1: in another zone."""
    rest = q.name[1 + q.name[0]:]
    yield q.reply(record(OWN, 5, 300, b"\x04good" + (rest[:1 + rest[0]] + name_wire("case.example") if q.number() else rest)))


def two_aliases(q):
    """An error of the zone (RFC 2181 10.1)."""
    first, second = name_wire("first.zoo.example"), name_wire("second.zoo.example")
    yield q.reply(record(OWN, 5, 300, first), record(OWN, 5, 300, second), record(first, 1, 300, GOOD), record(second, 1, 300, EVIL))


def packed(q):
    """Names compressed where only the types of RFC 1035 may have that (RFC 3597 4): "sip" in front of the question."""
    at = b"\x03sip\xc0\x0c"
    yield q.reply(record(OWN, q.type, 300, {
        2: at, 12: at, 15: b"\0\1" + at, 17: at + at, 18: b"\0\1" + at, 21: b"\0\1" + at, 26: b"\0\1" + at + at,
        33: b"\0\1\0\2\x13\xc4" + at, 35: b"\0\x64\0\x0a\1u\0\0" + at}[q.type]))


def full(q):
    """A message of exactly 65,535 bytes."""
    text, at = [], 12 + len(q.question)
    while 65535 - at > 600:
        text.append(record(OWN, 16, 300, b"\xff" + b"%05d" % at + b"x" * 250))
        at += len(text[-1])
    left = 65535 - at - 12
    text.append(record(OWN, 16, 300, b"\xff" + b"y" * 255 + bytes([left - 257]) + b"z" * (left - 257)))
    yield q.reply(*text)


def options(q):
    """Options that nobody asked for: a cookie, a subnet, an unknown one, an EDE, padding."""
    some = b"".join(option(code, data) for code, data in (
        (10, b"c" * 24), (8, b"\0\x01\x18\x18\xc6\x12\x01"), (65001, b"x" * 40), (15, b"\0\x06bogus"), (12, b"\0" * 16)))
    yield q.beside(opt(size=65535, flags=0x7fff, version=3, options=some))


def errors(q):
    """Four extended errors beside a good answer (RFC 8914 3): one without a text, with a NUL behind it, in no UTF-8, of no known code."""
    yield q.beside(opt(options=b"".join(option(15, data) for data in (b"\0\x03", b"\0\x06why\0", b"\0\x0f\xff\xfe\x80", b"\xc0\0"))))


def authority_of(q):
    """The records of the authority section: SOA and NS, SOA, neither, NS."""
    zone = name_wire("zoo.example")
    servers = record(zone, 2, 300, name_wire("ns.zoo.example"))
    return {1: [soa(zone), servers], 2: [soa(zone)], 3: [], 4: [servers]}[q.number()]


def tired(q):
    """At once the first time, for a second; then another address, after N ms."""
    if not q.asked_again():
        yield q.reply(q.address(GOOD, 1))
    else:
        yield Late(q.number() / 1000)
        yield q.reply(q.address(NEWER))


def late(q):
    """After N ms."""
    yield Late(q.number() / 1000)
    yield q.good()


BEASTS = {
    "good": lambda q: [q.good()],
    "twice": lambda q: [q.good()] * q.number(2),
    "secondthought": lambda q: [q.good(), q.evil()],  # which contradicts the first: nobody listens any more
    # Broken message N and nothing else, or with the truth behind it.
    "bad": lambda q: [list(broken(q).values())[q.number()]],
    "badthengood": lambda q: [list(broken(q).values())[q.number()], q.good()],
    "selfloop": lambda q: [q.reply(record(OWN, 5, 300, OWN))],
    "loop": loop, "chain": chain, "strangers": strangers, "badglue": bad_glue, "yxdomain": yxdomain, "twoaliases": two_aliases,
    "dnamealone": dname_alone, "aliasalone": alias_alone,
    "packed": packed, "options": options, "errors": errors, "tired": tired, "late": late,
    # A DNAME for the whole of example. beside the answer.
    "dnameoverall": lambda q: [q.reply(record(name_wire("example"), 39, 300, name_wire("evil.test")), q.address(GOOD))],
    # A referral: RFC 2308 2.2's NODATA it is not.
    "lame": lambda q: [q.nothing(record(name_wire("example"), 2, 300, name_wire("ns.evil.example")))],
    "foreignsoa": lambda q: [q.nothing(soa(name_wire("bank.test"), 86400, 86400), flags=0x8183)],
    # Only records of another name, or another type, to the right question.
    "wronganswer": lambda q: [q.reply(record(OWN, 28, 300, EVIL * 4) if q.number() else
                                      record(name_wire("other.zoo.example"), 1, 300, EVIL))],
    "ttl": lambda q: [q.reply(q.address(GOOD, q.number()))],
    "ttlnx": lambda q: [q.nothing(soa(OWN, *q.numbers[:2]), flags=0x8183)],  # ttlnx-TTL-MINIMUM
    "rcode": lambda q: [q.evil(flags=0x8180 | q.number() & 15) if q.number() < 16 else q.reply(
        q.address(EVIL), opt(extended=q.number() >> 4), flags=0x8180 | q.number() & 15, counts=(1, 1, 0, 1))],
    # EDNS (RFC 6891; the flag days). Servers that do not know it: one answers as if there was none, others say FORMERR, NOTIMP,
    # FORMERR as a header alone, or FORMERR and the query as it was.
    "old": lambda q: [q.good()],
    "oldformerr": lambda q: [q.reply(flags=0x8181) if q.edns else q.good()],
    "oldnotimp": lambda q: [q.reply(flags=0x8184) if q.edns else q.good()],
    "oldheader": lambda q: [q.reply(flags=0x8181, question=b"", counts=(0, 0, 0, 0)) if q.edns else q.good()],
    "oldecho": lambda q: [q.wire[:2] + b"\x81\x81" + q.wire[4:] if q.edns else q.good()],
    "alwaysformerr": lambda q: [q.reply(flags=0x8181)],
    "noednsatall": lambda q: [] if q.edns else [q.good()],
    "badvers": lambda q: [q.reply(opt(extended=1), counts=(1, 0, 0, 1))],
    # More than was allowed over UDP, not cut.
    "large": lambda q: [q.reply(*(record(OWN, 16, 300, b"\xc8" + bytes([65 + i]) * 200) for i in range(20)))],
    # Negative answers of every type (RFC 2308 2.1.1, 2.2.1), sets, AD.
    "nxkind": lambda q: [q.nothing(*authority_of(q), flags=0x8183)],
    "nodatakind": lambda q: [q.nothing(*authority_of(q))],
    # A record three times, once in other words, and another.
    "twins": lambda q: [q.reply(q.address(GOOD), q.address(GOOD), q.address(NEWER), q.address(GOOD, owner=q.name))],
    "ptrs": lambda q: [q.reply(*(record(OWN, 12, 300, name_wire(f"{first}.example")) for first in "abc"))],
    "adbare": lambda q: [q.reply(q.address(GOOD), flags=0x81a0)],  # without an OPT
    "adwithopt": lambda q: [q.beside(opt(flags=0x8000), flags=0x81a0)],
    # The keepalive option over UDP, where it has no place (RFC 7828 3.2.2).
    "udpbye": lambda q: [q.beside(opt(options=option(11, b"\0\0")))],
    # Letter case (draft-vixie-dnsext-dns0x20).
    "lower": lambda q: [q.reply(q.address(GOOD), question=q.name.lower() + q.question[-4:])],
    "upper": lambda q: [q.reply(record(q.name.upper(), 1, 300, GOOD), question=q.name.upper() + q.question[-4:])],
    # An error, or nothing, from the server that weir asks first, the other one knows; nothing from the one at port N.
    "dead": lambda q: [],
    "failsfirst": lambda q: [q.good() if q.asked_again() else q.evil(flags=0x8182)],
    "silentfirst": lambda q: [q.good()] if q.asked_again() else [],
    "silentat": lambda q: [] if q.port == q.number() else [q.good()],
    # TC beside records: they are not to be used (RFC 2181 9).
    "tcwithanswer": lambda q: [q.evil(flags=0x8380) if q.proto == "udp" else q.good()],
    "tcever": lambda q: [q.truncated()],
}


# --- over TCP; over UDP TC -------------------------------------------------------------------------------------------------

def gather(q):
    """Answers when N queries wait on the connection. A client that sends no query before it has its answer gets none."""
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


def cut_once(q):
    """The connection ends under its first query; the second is answered."""
    if q.text in cut:
        yield q.good()
    else:
        cut.add(q.text)
        yield End()


def no_keepalive(q):
    """FORMERR to a query with the keepalive option, as of a server, or of what stands before it, that knows none."""
    if q.wire.endswith(b"\0\x0b\0\0"):
        yield q.reply(flags=0x8181)
    else:
        yield q.good()
        yield End()


def no_option(q):
    """Resets the connection on the keepalive option, as what stands before a server may."""
    yield Reset() if q.wire.endswith(b"\0\x0b\0\0") else q.good()
    yield End()


def drip(q):
    """The answer byte by byte."""
    for byte in framed(q.good()):
        yield Late(0.005)
        yield Raw(bytes([byte]))


OVER_TCP = {
    "tc": lambda q: [q.good()],
    "many": lambda q: [q.reply(*(q.address(struct.pack("!I", 0xc6120000 + i)) for i in range(q.number())))],  # N addresses
    "full": full,
    "tchang": lambda q: [Late(5)],  # takes the query and says nothing
    "tcclose": lambda q: [End()],
    "tchalf": lambda q: [Raw(framed(q.evil())[:2 + len(q.evil()) // 2]), End()],  # of the message, then the end
    # An empty message, then one of eleven, then the truth.
    "tcempty": lambda q: [Raw(b"\0\0"), Raw(b"\0\x0b" + q.good()[:11]), q.good()],
    # Another id: on a connection that is no guess of a third party, and no answer.
    "tcliar": lambda q: [q.evil(ident=q.id ^ 1)],
    "tcotherquestion": lambda q: [q.evil(question=name_wire("evil.example") + q.question[-4:])],  # with the right id
    "tcbad": lambda q: [list(broken(q).values())[q.number()]],
    "tclate": late,  # later queries on the connection are answered meanwhile
    "tcgather": gather, "tccut": cut_once, "tcnokeepalive": no_keepalive, "tcnooption": no_option, "drip": drip,
    "tconce": lambda q: [q.good(), End()],
    # Says that the connection is not to be kept (RFC 7828 3.4), or may be idle for N tenths of a second.
    "tcbye": lambda q: [q.beside(opt(options=option(11, b"\0\0")))],
    "tcstay": lambda q: [q.beside(opt(options=option(11, struct.pack("!H", q.number()))))],
    # The truth if each query so far came in one segment with its length.
    "tcsegments": lambda q: [q.good() if 0 < segments(q.conn) <= q.before + 1 else q.evil()],
}


def segments(conn):
    """With data that have come (tcpi_data_segs_in)."""
    return struct.unpack("=I", conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 156)[152:])[0]


class Zoo(Server):
    Query = Query
    log, lock = None, threading.Lock()

    def remember(self, q):
        q.port = self.port
        with self.lock:
            self.log.write(f"{q.proto} {self.port} {int(q.edns)} {q.id} {q.source} {q.text}\n")

    def forks(self, q):
        return q.word in FORKS[q.proto]

    def answer(self, q):
        if q.word in FORGED:
            if q.proto == "udp":
                yield from FORGED[q.word](q)
            yield q.good()
        elif q.word in OVER_TCP and q.proto == "udp":
            yield q.truncated()
        else:
            yield from OVER_TCP.get(q.word, BEASTS.get(q.word, BEASTS["good"]))(q)


if __name__ == "__main__":
    PORT = int(sys.argv[1])
    Zoo.log = open(sys.argv[2], "a", buffering=1)
    zoo = [Zoo(port).start() for port in range(PORT, PORT + PORTS)]
    threading.Event().wait()
