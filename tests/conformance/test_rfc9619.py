# SPDX-License-Identifier: BSD-3-Clause
"""RFC 9619: a query has one question. And RFC 6840, 4035, 3225: AD, CD and DO of a forwarder that validates nothing."""
import struct

from harness import asked, case, query
from zoo import ZOO


@case
def rfc9619_4_two_questions_are_formerr(way):
    name = way.fresh("a")
    wire = query(name)
    for count, body in ((2, wire[12:] * 2), (2, wire[12:]), (65535, wire[12:])):
        reply = way.raw(wire[:4] + struct.pack("!H", count) + wire[6:12] + body)
        assert reply.rcode == "FORMERR" and not reply.msg.answer, count
    assert not asked(name)


@case
def rfc9619_4_no_question_is_formerr(way):
    """But with a cookie (RFC 7873 5.4)."""
    assert way.raw(b"\x55\x66\x01" + b"\0" * 9).rcode == "FORMERR"
    assert way.raw(b"\x55\x66\x01\0\0\0\0\0\0\0\0\x01\0\0\x29\x04\xd0" + b"\0" * 6).rcode == "FORMERR"


@case
def rfc6840_5_7_ad_only_for_who_asked_and_only_if_validated(way):
    """Upstream says AD over plain UDP, which anyone on the way may have written: not passed on (RFC 6840 5.8, 4035 4.9.3)."""
    name = way.fresh("signed")
    for how in ({}, {"flags": "RD AD"}, {"do": True}):
        for _ in range(2):
            assert not way.ask(name, **how).has("AD"), how


@case
def rfc4035_3_2_2_cd_is_copied_and_passed_on(way):
    name = way.fresh("a")
    for _ in range(2):
        assert way.ask(name, flags="RD CD").has("CD")
    assert asked(name)[0]["flags"] & 0x0010, "upstream was asked without CD"


@case
def rfc4035_3_2_2_without_cd_upstream_validates(way):
    """What was had with CD may be bogus; it is not the answer for who wants it checked."""
    name = way.fresh("a")
    way.ask(name, flags="RD CD")
    reply = way.ask(name)
    assert reply.records("A") and not reply.has("CD")
    assert {entry["flags"] & 0x0010 for entry in asked(name)} == {0x0010, 0}


@case
def rfc6840_5_9_a_failure_without_cd_is_asked_again_with_it(way):
    """It may have been upstream's validation that failed: who checks for himself is to get what there is."""
    name = way.fresh("rcode-2")
    assert way.ask(name).rcode == "SERVFAIL"
    assert not [entry for entry in asked(name) if entry["flags"] & 0x0010]
    assert way.ask(name, flags="RD CD").rcode == "SERVFAIL"
    assert [entry for entry in asked(name) if entry["flags"] & 0x0010]


@case
def rfc3225_3_do_is_passed_on(way):
    name = way.fresh("signed")
    assert way.ask(name, do=True).records("RRSIG")
    assert asked(name)[0]["edns"]["do"]


@case
def rfc3225_3_no_signatures_for_who_did_not_ask(way):
    name = way.fresh("signed")
    way.ask(name, do=True)
    for reply in way.twice(name, edns=True):
        assert reply.records("A") and not reply.records("RRSIG")


@case
def rfc4035_3_2_1_signatures_for_who_asked_also_after_who_did_not(way):
    name = way.fresh("signed")
    way.ask(name)
    for _ in range(2):
        assert way.ask(name, do=True).records("RRSIG")


@case
def rfc4035_3_1_types_of_dnssec_are_answered_without_do_too(way):
    assert way.ask(way.fresh("a"), "DS").records("DS")
    assert way.ask(way.fresh("a"), "RRSIG").msg.answer


@case
def rfc7871_11_1_no_client_subnet_goes_upstream(way):
    from harness import option
    name = way.fresh("a")
    reply = way.ask(name, options=[option(8, b"\0\1\x18\0\xc6\x12\0")])
    assert reply.records("A")
    assert 8 not in asked(name)[0]["edns"]["options"]


@case
def rfc6672_3_1_a_dname_and_its_cname_are_passed_on(way):
    for reply in way.twice(way.fresh("dname")):
        assert len(reply.records("DNAME")) == 1 and len(reply.records("CNAME")) == 1 and reply.records("A")


@case
def rfc6672_3_1_a_dname_is_there_for_who_asks_for_its_cname_too(way):
    """Without it a client that validates has a CNAME without a signature."""
    name = way.fresh("dname")
    for how in ({}, {"do": True}):
        for reply in way.twice(name, "CNAME", **how):
            assert len(reply.records("DNAME")) == 1 and len(reply.records("CNAME")) == 1 and not reply.records("A")


@case
def rfc6840_5_8_ad_of_an_upstream_is_not_passed_on_with_or_without_its_opt(way):
    """A server that validates nothing must not set AD (RFC 4035 3.2.3, 4.9.3); neither unbound without its validator nor dnsmasq does."""
    for word in ("adbare", "adwithopt"):
        name = way.fresh(word, ZOO)
        for how in ({}, {"flags": "RD AD"}, {"do": True}, {"edns": True}, {"flags": "RD AD", "do": True}):
            for reply in way.twice(name, **how):
                assert reply.records("A") and not reply.has("AD"), (word, how)


@case
def rfc6840_5_7_ad_is_not_asked_for_upstream(way):
    """weir sends no query for answers that it would give to no client."""
    name = way.fresh("a")
    for how in ({"flags": "RD AD"}, {"flags": "RD AD", "do": True}):
        way.ask(name, **how)
    assert asked(name) and not [entry for entry in asked(name) if entry["flags"] & 0x0020]


@case
def rfc6840_5_9_ad_in_a_query_is_no_error(way):
    reply = way.ask(way.fresh("a"), flags="RD AD CD")
    assert reply.rcode == "NOERROR" and reply.records("A") and reply.has("CD")
