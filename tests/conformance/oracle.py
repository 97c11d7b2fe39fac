# SPDX-License-Identifier: BSD-3-Clause
"""Checks that every reply must pass, whatever the query. Reads the bytes itself; dnspython only checks that all of it parses."""
import struct

import dns.edns
import dns.message
import dns.rrset

# Their bytes are what tests look at, malformed ones too; dnspython 2.7 would refuse those, and 2.3 knows neither.
for number in (dns.edns.NSID, dns.edns.COOKIE):
    dns.edns.register_type(dns.edns.GenericOption, number)

QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010
UDP_LIMIT = 1232


def question_of(wire):
    """The bytes of one uncompressed question, or None."""
    at = 12
    while at < len(wire) and wire[at]:
        if wire[at] > 63:
            return None
        at += 1 + wire[at]
    return wire[12:at + 5] if at + 5 <= len(wire) else None


def opt_of(wire):
    try:
        msg = dns.message.from_wire(wire)
    except Exception:
        return None
    return msg if msg.edns >= 0 else None


def judge(query, wire):
    """The reply, parsed. AssertionError says what is wrong with it."""
    assert len(wire) >= 12, "shorter than a header"
    qid, qflags = struct.unpack("!HH", query[:4])
    rid, flags, qd, _, _, _ = struct.unpack("!6H", wire[:12])
    assert rid == qid, "another id"
    assert flags & QR, "no response: QR is 0"
    assert flags & 0x7800 == qflags & 0x7800, "another opcode (RFC 1035 4.1.1)"
    assert flags & RD == qflags & RD, "RD is not copied (RFC 1035 4.1.1)"
    assert not flags & AA, "AA from a resolver"
    assert not flags & Z, "the reserved bit is set"
    # dnspython knows no reserved opcodes; trailing bytes are an error for it.
    msg = dns.message.from_wire(wire[:2] + bytes([wire[2] & 0x87]) + wire[3:], one_rr_per_rrset=True)
    opcode = qflags >> 11 & 15
    rcode = msg.rcode()
    if opcode == 0:
        assert flags & RA, "RA is 0"
    else:
        assert not flags & (RA | CD), "RA or CD outside of QUERY, whose bits they are"
    if rcode not in (1, 4) and query[4:6] != b"\0\0":  # FORMERR and NOTIMP may leave the question out
        assert qd == 1, f"QDCOUNT {qd}"
    if qd:
        assert question_of(wire) == question_of(query), "another question, or its letters changed"
        assert opcode or flags & CD == qflags & CD, "CD is not copied (RFC 4035 3.2.2)"
    theirs = opt_of(query)
    if theirs is None and rcode not in (1, 16) and opcode == 0:  # BADVERS is in an OPT, whatever else is in the query's
        assert msg.edns < 0, "an OPT for who sent none (RFC 6891 7)"
    full = len(wire) > 65535 - 11  # no room for an OPT in the largest message there is
    if theirs is not None and opcode == 0 and rcode != 1 and not full:
        assert msg.edns == 0, "no OPT of version 0 for who sent one (RFC 6891 6.1.1)"
        assert bool(msg.ednsflags & 0x8000) == bool(theirs.ednsflags & 0x8000), "DO is not copied (RFC 3225 3)"
        assert not msg.ednsflags & 0x7fff, "unknown flags are set (RFC 6891 6.1.4)"
    if flags & AD:
        assert qflags & AD or theirs is not None and theirs.ednsflags & 0x8000, "AD for who did not ask (RFC 6840 5.7)"
    if flags & TC and (msg.answer or msg.authority):  # only where an extended error had no room
        assert msg.edns == 0 and not [o for o in msg.options if o.otype == dns.edns.EDE], "records beside TC (RFC 8914 3)"
    answer_records(msg)
    return fold(msg)


def answer_records(msg):
    sets = {}
    for section, name in ((msg.answer, "answer"), (msg.authority, "authority"), (msg.additional, "additional")):
        for one in section:
            key = (name, one.name, one.rdtype, one.covers, one.rdclass)
            assert one.ttl < 1 << 31, "a TTL with its top bit set (RFC 2181 8)"
            assert sets.setdefault(key, one.ttl) == one.ttl, "different TTLs in an RRset (RFC 2181 5.2)"


def fold(msg):
    """One RRset where there were its records, as tests want to read them."""
    for section in (msg.answer, msg.authority, msg.additional):
        merged = {}
        for one in section:
            key = (one.name, one.rdtype, one.covers, one.rdclass)
            if key in merged:
                merged[key].update(one)
            else:
                merged[key] = one
        section[:] = list(merged.values())
    return msg
