# SPDX-License-Identifier: BSD-3-Clause
"""RFC 1034 and 1035: messages and names."""
import struct
import time

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset

from harness import EVERY, TCP, UDP, alike, asked, case, query


def header(ident=7, flags=0x0100, counts=(1, 0, 0, 0)):
    return struct.pack("!HH4H", ident, flags, *counts)


@case
def rfc1035_4_1_1_a_question_is_answered(way):
    reply = way.ask(way.fresh("a"))
    assert reply.rcode == "NOERROR" and reply.records("A") == ["198.18.200.1"]


@case
def rfc1035_4_1_1_id_is_copied(way):
    name = way.fresh("a")
    for ident in (0, 1, 0x1234, 0xffff):
        assert way.raw(query(name, ident=ident)).msg.id == ident


@case
def rfc1035_4_1_1_rd_is_copied_and_ra_set(way):
    name = way.fresh("a")
    way.ask(name)
    assert way.ask(name, flags="RD").has("RD") and not way.ask(name, flags="").has("RD")


@case
def rfc1035_4_1_1_z_is_zero_in_replies(way):
    wire = bytearray(query(way.fresh("a")))
    wire[3] |= 0x40
    assert way.raw(bytes(wire)).rcode == "NOERROR"  # the oracle looks at the bit


@case
def rfc1035_4_1_1_aa_tc_ra_and_rcode_of_a_query_are_ignored(way):
    wire = bytearray(query(way.fresh("a")))
    wire[2] |= 0x06
    wire[3] |= 0x85
    assert way.raw(bytes(wire)).records("A")


@case
def rfc1035_4_1_1_responses_are_not_answered(way):
    wire = bytearray(query(way.fresh("a")))
    wire[2] |= 0x80
    way.silence(bytes(wire))


@case
def rfc1035_4_1_1_unknown_opcodes_are_notimp(way):
    for opcode in (1, 2, 3, 4, 5, 6, 15):
        wire = bytearray(query(way.fresh("a")))
        wire[2] |= opcode << 3
        wire[3] |= 0x90  # RA and CD
        assert way.raw(bytes(wire)).rcode == "NOTIMP", opcode


@case
def rfc1035_4_1_1_less_than_a_header_is_not_answered(way):
    way.silence(b"\x12\x34\x01\0\0\x01\0\0\0\0\0")


@case
def rfc1035_4_1_2_a_question_cut_short_is_formerr(way):
    wire = query(way.fresh("a"))
    for cut in (1, 3, 5, 9):
        assert way.raw(wire[:-cut]).rcode == "FORMERR", cut


def name_is_formerr(way, *names):
    for name in names:
        assert way.raw(header() + name + b"\0\x01\0\x01").rcode == "FORMERR", name


alike(
    name_is_formerr,
    rfc1035_4_1_4_a_pointer_in_a_question_is_formerr=(EVERY, b"\xc0\x0c", b"\x01a\xc0\x0c", b"\x01a\xc0\xff"),
    rfc1035_4_1_4_reserved_label_types_are_formerr=(EVERY, b"\x40\x01a\0", b"\x80\x01a\0", b"\x41\x08\0"),
)


@case
def rfc1035_2_3_4_a_name_of_255_octets_is_answered_and_256_is_formerr(way):
    suffix = dns.name.from_text(way.fresh("x")).to_wire()
    left = 255 - len(suffix)
    labels = b"\x01a"  # the word that upstream answers to
    left -= 2
    while left:
        size = min(63, left - 1) if left - 1 - 63 != 1 else 62
        labels += bytes([size]) + b"b" * size
        left -= size + 1
    name = labels + suffix
    assert len(name) == 255
    assert way.raw(header() + name + b"\0\x01\0\x01").records("A")
    longer = b"\x02aa" + name[2:]
    assert way.raw(header() + longer + b"\0\x01\0\x01").rcode == "FORMERR"


@case
def rfc1035_3_1_labels_of_any_octets_are_resolved(way):
    """RFC 2181 11 says so too: a DNS name is not a host name."""
    odd = b"\x01a\x06\0\xff. \\\x7f" + dns.name.from_text(way.fresh("x")).to_wire()
    reply = way.raw(header() + odd + b"\0\x01\0\x01")
    assert reply.records("A")


@case
def rfc1035_3_1_the_root_is_a_name(way):
    assert way.raw(header() + b"\0\0\x02\0\x01").rcode in ("NOERROR", "NXDOMAIN")


@case
def rfc1035_3_2_4_other_classes_are_refused(way):
    for qclass in (3, 4, 254, 2, 77):
        name = way.fresh("a")
        wire = bytearray(query(name))
        wire[-1] = qclass
        assert way.raw(bytes(wire)).rcode in ("REFUSED", "NOTIMP"), qclass
        assert not asked(name)


@case
def rfc1035_3_2_3_zone_transfers_are_refused(way):
    for rdtype in ("AXFR", "IXFR"):
        name = way.fresh("a")
        assert way.ask(name, rdtype).rcode in ("REFUSED", "NOTIMP")
        assert not asked(name)


@case
def rfc1995_3_an_ixfr_with_its_soa_is_refused(way):
    name = way.fresh("a")
    message = dns.message.make_query(name, "IXFR")
    message.authority.append(dns.rrset.from_text(message.question[0].name, 0, "IN", "SOA", "ns. admin. 1 2 3 4 5"))
    assert way.raw(message.to_wire()).rcode == "REFUSED"
    assert not asked(name)


@case
def rfc1035_3_2_2_every_type_of_it_is_answered(way):
    for rdtype, want in (("MX", "10 Mail.c.example."), ("TXT", '"conformance" "second string"'), ("PTR", "Host.c.example."),
                         ("NS", "Ns.c.example."), ("HINFO", '"CPU" "OS"')):
        assert way.ask(way.fresh("name"), rdtype).records(rdtype) == [want]
    assert len(way.ask(way.fresh("name"), "SOA").records("SOA")) == 1


@case
def rfc1034_3_6_2_a_cname_and_what_it_leads_to_are_one_answer(way):
    name = way.fresh("cname")
    reply = way.ask(name)
    assert len(reply.records("CNAME")) == 1 and reply.records("A") == ["198.18.200.1"]
    assert reply.msg.answer[0].rdtype == dns.rdatatype.CNAME, "the alias comes first"
    again = way.ask(name)
    assert again.records("CNAME") == reply.records("CNAME") and again.records("A") == reply.records("A")


@case
def rfc1034_3_6_2_a_question_for_the_cname_itself_is_not_followed(way):
    reply = way.ask(way.fresh("cname"), "CNAME")
    assert len(reply.records("CNAME")) == 1 and not reply.records("A")


@case
def rfc1034_3_6_1_ttls_count_down_in_the_cache(way):
    name = way.fresh("a-100")
    assert 98 <= way.ask(name).ttls()[0] <= 100
    time.sleep(2.1)
    assert way.ask(name).ttls()[0] <= 98


@case
def rfc1035_3_2_1_ttl_0_is_told_and_not_cached(way):
    name = way.fresh("a-0")
    for times in (1, 2, 3):
        reply = way.ask(name)
        assert reply.records("A") and reply.ttls() == [0]
        assert len(asked(name)) >= times, "answered from the cache"


@case
def rfc1035_7_4_an_answer_is_cached(way):
    name = way.fresh("a")
    assert way.ask(name).records("A") == way.cached(name).records("A")


@case(ways=UDP)
def rfc1035_4_2_1_udp_without_edns_is_512_octets_at_most(way):
    for reply in way.twice(way.fresh("big-3"), "TXT"):  # as a miss and as a hit
        assert len(reply.wire) <= 512 and reply.has("TC")
    small = way.ask(way.fresh("big-2"), "TXT")
    assert len(small.wire) <= 512 and not small.has("TC") and len(small.records("TXT")) == 2


@case(ways=TCP)
def rfc1035_4_2_2_tcp_takes_what_udp_does_not(way):
    for count in (3, 60, 250):
        reply = way.ask(way.fresh(f"big-{count}"), "TXT")
        assert not reply.has("TC") and len(reply.records("TXT")) == count


@case
def rfc1035_4_1_4_compression_is_allowed_in_what_the_client_gets(way):
    """Pointers of an answer stand against another spelling of the question: a second client's is as long as the first's."""
    name = way.fresh("cname")
    way.ask(name)
    mixed = "".join(c.upper() if i % 2 else c for i, c in enumerate(name))
    reply = way.ask(mixed, edns=True)
    assert reply.records("A") == ["198.18.200.1"]
    assert reply.msg.answer[0].name == dns.name.from_text(name)


@case
def rfc1035_7_3_answers_of_a_question_with_records_in_other_sections(way):
    """A query with an answer or authority record says something else than a question."""
    base = query(way.fresh("a"))
    record = b"\0\0\x01\0\x01\0\0\0\0\0\x04\x01\x02\x03\x04"
    for counts in ((1, 1, 0, 0), (1, 0, 1, 0)):
        assert way.raw(header(counts=counts) + base[12:] + record).rcode == "FORMERR", counts
