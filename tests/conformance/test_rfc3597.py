# SPDX-License-Identifier: BSD-3-Clause
"""RFC 3597: types that nobody here knows."""
import dns.name
import dns.rdatatype

from harness import TCP, asked, case
from zoo import ZOO


@case
def rfc3597_3_rdata_of_unknown_types_is_untouched(way):
    """The upstream's rdata look like compression pointers: a server that reads names in them changes or refuses them."""
    for number in (1000, 65280, 65534, 300):
        for length in (0, 1, 2, 17, 200):
            name = way.fresh(f"raw-{length}")
            want = bytes(0xc0 | i & 1 if i % 2 == 0 else 0x0c for i in range(length))
            for reply in way.twice(name, f"TYPE{number}"):
                assert [rdata.data for rrset in reply.msg.answer for rdata in rrset] == [want], (number, length)
            way.cached(name, f"TYPE{number}")


@case(ways=TCP)
def rfc3597_3_large_rdata_of_an_unknown_type_is_untouched(way):
    reply = way.ask(way.fresh("raw-20000"), "TYPE65281")
    assert len(reply.msg.answer[0][0].data) == 20000


@case
def rfc3597_4_names_in_newer_types_are_not_compressed(way):
    """Senders must not compress in types that RFC 1035 does not define, so the name is there in full on the wire."""
    for rdtype, inside in (("SRV", b"\x03Sip\x01c\x07example\0"), ("SVCB", b"\x03Svc\x01c\x07example\0"),
                           ("RP", b"\x02Me\x01c\x07example\0")):
        name = way.fresh("name")
        for _ in range(2):
            assert inside in way.ask(name, rdtype).wire, rdtype


@case
def rfc3597_4_names_that_upstream_compressed_are_whole(way):
    """Of types that had that before it was forbidden: a receiver should read them. What the client gets has no pointer."""
    for rdtype in ("SRV", "RP", "AFSDB", "RT", "PX", "NAPTR"):
        name = way.fresh("packed", ZOO)
        want = b"\x03sip" + dns.name.from_text(name).to_wire()
        for reply in way.twice(name, rdtype):
            names = 2 if rdtype in ("RP", "PX") else 1
            assert len(reply.records(rdtype)) == 1 and reply.wire.lower().count(want) == names, rdtype


@case
def rfc3597_4_names_in_types_of_rfc1035_are_read(way):
    for rdtype in ("NS", "PTR", "MX"):
        name = way.fresh("packed", ZOO)
        for _ in range(2):
            assert f"sip.{name}." in way.ask(name, rdtype).records(rdtype)[0].lower()


@case
def rfc3597_6_letter_case_in_rdata_stays(way):
    for rdtype, want in (("SRV", "1 2 5060 Sip.c.example."), ("MX", "10 Mail.c.example."), ("PTR", "Host.c.example."),
                         ("RP", "Me.c.example. T.c.example.")):
        name = way.fresh("name")
        for _ in range(2):
            assert way.ask(name, rdtype).records(rdtype) == [want]


@case
def rfc3597_5_types_of_today_pass(way):
    for rdtype in ("CAA", "HTTPS", "SVCB", "NAPTR", "TLSA", "SSHFP", "LOC", "DS", "DNAME", "AAAA"):
        reply = way.ask(way.fresh("name"), rdtype)
        assert len(reply.records(rdtype)) == 1, rdtype


@case
def rfc3597_8_a_type_that_is_not_there_is_nodata(way):
    for reply in way.twice(way.fresh("empty"), "TYPE4711"):
        assert reply.rcode == "NOERROR" and not reply.msg.answer and reply.soa()


@case
def rfc6895_3_1_meta_types_are_not_forwarded(way):
    for number in (0, 41, 128, 200, 249, 250, 253, 254):
        name = way.fresh("a")
        rcode = way.ask(name, dns.rdatatype.to_text(number)).rcode
        assert rcode in ("NOTIMP", "REFUSED", "FORMERR"), (number, rcode)
        assert not asked(name), number
