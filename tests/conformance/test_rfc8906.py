# SPDX-License-Identifier: BSD-3-Clause
"""RFC 8906: every test of its section 8, of a server that knows the name asked for; and the DNS flag days."""
import dns.opcode

from harness import EVERY, TCP, UDP, asked, alike, case, option, query


def soa(way, how, *others):
    """Answered, with an OPT for who sent one and never with these options."""
    reply = way.ask(way.fresh("a"), "SOA", flags="", **how)
    assert reply.rcode == "NOERROR" and reply.records("SOA") and reply.msg.edns == (0 if how else -1)
    assert not any(reply.option(number) for number in others)
    return reply


def badvers(way, how, *others):
    reply = way.ask(way.fresh("a"), "SOA", flags="", version=1, **how)
    assert reply.rcode == "BADVERS" and reply.msg.edns == 0 and not reply.msg.answer
    assert reply.msg.ednsflags & 0xffff == (0x8000 if "do" in how else 0)
    assert not any(reply.option(number) for number in others)


alike(
    soa,
    rfc8906_8_1_1_the_server_answers_for_the_name=(EVERY, {}),
    rfc8906_8_1_5_tcp=(TCP, {}),
    rfc8906_8_2_1_minimal_edns=(EVERY, {"edns": True}),
    rfc8906_8_2_3_unknown_options=(EVERY, {"options": [option(100)]}, 100),
)
alike(
    badvers,
    rfc8906_8_2_2_version_negotiation=(EVERY, {}),
    rfc8906_8_2_5_version_negotiation_with_unknown_flags=(EVERY, {"eflags": 0x40}),
    rfc8906_8_2_6_version_negotiation_with_unknown_options=(EVERY, {"options": [option(100)]}, 100),
    rfc8906_8_2_9_version_negotiation_with_do=(EVERY, {"do": True}),
)


def eflags(way, how, want):
    assert soa(way, how).msg.ednsflags & 0xffff == want


alike(
    eflags,
    rfc8906_8_2_4_unknown_flags=(EVERY, {"eflags": 0x40}, 0),
    rfc8906_8_2_8_do=(EVERY, {"do": True}, 0x8000),
)


def flags(way, asked_with, set_in_reply):
    reply = way.ask(way.fresh("a"), "SOA", flags=asked_with)
    assert reply.records("SOA") and all(map(reply.has, set_in_reply))


alike(
    flags,
    rfc8906_8_1_3_1_cd=(EVERY, "CD", ()),
    rfc8906_8_1_3_2_ad=(EVERY, "AD", ()),
    rfc8906_8_1_3_4_recursive_queries=(EVERY, "RD", ("RA",)),
)


@case
def rfc8906_8_1_2_unknown_types(way):
    reply = way.ask(way.fresh("a"), "TYPE1000", flags="")
    assert reply.rcode == "NOERROR" and not reply.msg.answer and reply.msg.edns == -1


@case
def rfc8906_8_1_3_3_the_reserved_bit(way):
    wire = bytearray(query(way.fresh("a"), "SOA", flags=""))
    wire[3] |= 0x40
    reply = way.raw(bytes(wire))
    assert reply.records("SOA") and not reply.wire[3] & 0x40


@case
def rfc8906_8_1_4_unknown_opcodes(way):
    for counts in (b"\0\0", b"\0\x01"):
        wire = query(way.fresh("a"), flags="") if counts[1] else b"\x11\x22" + b"\0" * 10
        wire = wire[:2] + bytes([15 << 3]) + wire[3:]
        reply = way.raw(wire)
        assert reply.rcode == "NOTIMP" and reply.wire[2] >> 3 & 15 == 15
        assert not reply.msg.answer


@case(ways=UDP)
def rfc8906_8_2_7_truncated_replies(way):
    for reply in way.twice(way.fresh("big-10"), "TXT", flags="", do=True, size=512):
        assert reply.rcode == "NOERROR" and reply.has("TC") and len(reply.wire) <= 512
        assert reply.msg.edns == 0 and reply.msg.ednsflags & 0x8000


@case
def rfc8906_8_2_10_several_defined_options(way):
    """Cookie, NSID, EXPIRE, client subnet."""
    options = [option(10, b"12345678"), option(3), option(9), option(8, b"\0\1\0\0")]
    reply = way.ask(way.fresh("a"), "SOA", flags="", options=options)
    assert reply.records("SOA") and reply.msg.edns == 0
    assert {int(o.otype) for o in reply.msg.options} <= {10, 3, 8}


@case
def rfc8906_3_every_query_has_an_answer(way):
    """Of what a client may send there is nothing that gets silence: types, flags, EDNS, opcodes, classes."""
    for rdtype in ("A", "AAAA", "SOA", "NS", "DNSKEY", "DS", "CDS", "TYPE65000", "ANY", "SPF", "CAA", "TSIG", "TKEY", "AXFR", "NULL"):
        way.ask(way.fresh("empty"), rdtype)
    for opcode in (dns.opcode.IQUERY, dns.opcode.STATUS, 3, dns.opcode.NOTIFY, dns.opcode.UPDATE, 6, 7, 11):
        wire = query(way.fresh("a"))
        way.raw(wire[:2] + bytes([opcode << 3]) + wire[3:])
    for qclass in ("CH", "HS", "ANY", "NONE", "CLASS4711"):
        way.ask(way.fresh("a"), "TXT", rdclass=qclass)


@case(ways=TCP)
def rfc8490_5_1_dso_is_notimp(way):
    reply = way.raw(b"\x33\x44\x30\0\0\0\0\0\0\0\0\0" + b"\0\1\0\x08\0\0\x3a\x98\0\0\x3a\x98")
    assert reply.rcode == "NOTIMP"


@case
def flag_day_2019_edns_needs_no_second_try(way):
    """No kind of EDNS query is dropped or answered as if there were none."""
    for how in ({"size": 4096}, {"size": 512}, {"do": True}, {"options": [option(10, b"12345678")]}, {"eflags": 0x1}):
        reply = way.ask(way.fresh("a"), edns=True, **how)
        assert reply.rcode == "NOERROR" and reply.msg.edns == 0 and reply.seconds < 5


@case(ways=UDP)
def flag_day_2020_no_reply_of_over_1232_octets(way):
    reply = way.ask(way.fresh("big-6"), "TXT", edns=True, size=4096)
    assert reply.has("TC") and len(reply.wire) <= 1232
    assert len(way.ask(way.fresh("big-5"), "TXT", edns=True, size=4096).records("TXT")) == 5


@case
def flag_day_2020_upstream_is_asked_over_tcp_after_tc(way):
    name = way.fresh("big-12")
    way.ask(name, "TXT", edns=True)
    log = asked(name)
    assert log[0]["proto"] == "udp" and log[0]["edns"]["size"] <= 1232
    assert "tcp" in [entry["proto"] for entry in log]  # a query repeated by UDP may be written down behind it
