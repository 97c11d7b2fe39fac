# SPDX-License-Identifier: BSD-3-Clause
"""Upstreams whose replies cannot be read, or say what must not be followed (RFC 9267, RFC 2181, RFC 2308)."""
from harness import TCP4, UDP4, UDP6, alike, case
from upstream_zoo import Query, broken
from harness import query
from zoo import GRAVE, LIE, TRUTH, ZOO, believed, questions, refused, sent

BROKEN = list(broken(Query(query("a.example"), "udp")))


def is_no_answer(way, word, rdtype, proto):
    name = way.fresh(word, GRAVE)
    refused(way.ask(name, rdtype))
    assert proto in {one.proto for one in sent(name)} and len(sent(name)) <= 6, sent(name)


def is_waited_over(way, word, rdtype):
    reply = way.ask(way.fresh(word, ZOO), rdtype)
    assert reply.records(rdtype) == [{"A": TRUTH, "TXT": '"truth"'}[rdtype]], reply.msg


# Three tests of each: alone it is no answer, by UDP or TCP, before the right one it is waited over.
for at, what in enumerate(BROKEN):
    words, kind = "rfc9267_" + "_".join(what.lower().split()), "TXT" if what.startswith("text") else "A"
    alike(is_no_answer, **{words + "_is_no_answer": ([UDP4], f"bad-{at}", kind, "udp"),
                           words + "_over_tcp_is_no_answer": ([TCP4], f"tcbad-{at}", kind, "tcp")})
    alike(is_waited_over, **{words + "_is_waited_over": ([UDP6], f"badthengood-{at}", kind)})


alike(
    lambda way, *words: [refused(way.ask(way.fresh(word, GRAVE))) for word in words],
    rfc1034_3_6_2_alias_of_itself_is_no_answer=([UDP4, TCP4], "selfloop"),
    rfc1034_3_6_2_circle_of_aliases_is_no_answer=([UDP4], "loop"),
    rfc6672_2_2_yxdomain_without_a_dname_for_it_is_no_answer=([UDP4], "yxdomain-1", "rcode-6"),
    rfc2308_2_2_referral_is_no_answer=([UDP4, TCP4], "lame"),
)


def is_empty(way, word):
    reply = way.ask(way.fresh(word, ZOO))
    assert not reply.msg.answer


alike(
    is_empty,
    records_of_another_name_are_no_answer=([UDP4], "wronganswer-0"),
    records_of_another_type_are_no_answer=([UDP4], "wronganswer-1"),
)


def refused_in_time(way, word):
    name = way.fresh(word, GRAVE)
    refused(way.ask(name))
    assert len(sent(name)) <= 6


alike(
    refused_in_time,
    dns_unchained_chain_of_200_aliases_is_no_answer=([UDP4], "chain-200"),
    many_4000_records_are_refused=([TCP4], "many-4000"),
)


@case(ways=[UDP4, TCP4])
def rfc1034_3_6_2_chain_of_16_aliases_is_followed(way):
    reply = way.ask(way.fresh("chain-16", ZOO))
    believed(reply)
    assert len(reply.records("CNAME")) == 16


@case(ways=[UDP4])
def rfc1034_3_6_2_chain_in_the_wrong_order_is_put_right(way):
    reply = way.ask(way.fresh("chain-16-1", ZOO))
    believed(reply)
    at = reply.msg.question[0].name
    for rrset in reply.msg.answer[:-1]:
        assert rrset.name == at
        at = rrset[0].target


@case(ways=[UDP4, TCP4])
def rfc1034_5_3_3_an_alias_alone_is_followed(way):
    """By the same server, or that of another forward zone; from the cache too."""
    for word in "aliasalone", "aliasalone-1":
        for reply in way.twice(way.fresh(word, ZOO)):
            believed(reply)
            assert len(reply.records("CNAME")) == 1


@case(ways=[UDP4, TCP4])
def rfc6672_3_4_a_cname_is_made_of_a_dname_without_it(way):
    for reply in way.twice(way.fresh("dnamealone", ZOO)):
        believed(reply)
        assert [rrset.rdtype for rrset in reply.msg.answer] == [39, 5, 1]


@case(ways=[UDP4])
def rfc2181_5_4_1_records_of_others_are_neither_given_nor_kept(way):
    reply = way.ask(way.fresh("strangers", ZOO))
    believed(reply)
    assert not reply.msg.authority and not reply.msg.additional and len(reply.msg.answer) == 1
    assert LIE not in str(way.ask("bank.zoo.example").msg)
    assert sent("bank.zoo.example"), "it was kept"


@case(ways=[UDP4, TCP4])
def rfc2181_10_1_of_two_aliases_of_a_name_one_is_followed(way):
    for reply in way.twice(way.fresh("twoaliases", ZOO)):
        believed(reply)
        assert len(reply.records("CNAME")) == 1


@case(ways=[UDP4])
def rfc6672_dname_over_everything_is_not_kept(way):
    reply = way.ask(way.fresh("dnameoverall", ZOO))
    believed(reply)
    assert not reply.records("DNAME")
    believed(way.ask(way.fresh("good", ZOO)))


@case(ways=[UDP4, TCP4])
def rfc9267_bad_pointers_in_the_additional_section_go_no_further(way):
    """The reply is read as far as it is passed on; what is passed on is whole (oracle.py), from the cache too."""
    for reply in way.twice(way.fresh("badglue", ZOO)):
        believed(reply)
        assert not reply.msg.authority and not reply.msg.additional and len(reply.msg.answer) == 1


@case
def rfc6672_2_2_yxdomain_of_a_dname_is_passed_on_and_kept(way):
    name = way.fresh("yxdomain", ZOO)
    for _ in range(3):
        reply = way.ask(name)
        assert reply.rcode == "YXDOMAIN" and not reply.msg.authority, reply.msg
        assert [(rrset.name.to_text(), len(rrset)) for rrset in reply.msg.answer] == [(name.partition(".")[2] + ".", 1)]
        assert len(reply.records("DNAME")) == 1 and reply.ttls()[0] <= 300
    assert len(sent(name)) <= 2, sent(name)


@case(ways=[UDP4])
def rfc2308_5_soa_of_another_zone_is_not_passed_on(way):
    reply = way.ask(way.fresh("foreignsoa", ZOO))
    assert reply.rcode == "NXDOMAIN" and "bank.test" not in str(reply.msg)


@case(ways=[TCP4])
def rfc1035_4_2_2_message_of_65535_octets_is_given_over_tcp(way):
    reply = way.ask(way.fresh("full", ZOO), "TXT")
    assert reply.rcode == "NOERROR" and len(reply.wire) > 60000 and len(reply.records("TXT")) > 200


@case(ways=[TCP4])
def rfc6891_6_1_1_message_without_room_for_an_opt_comes_without(way):
    """TC over TCP would send the client nowhere."""
    reply = way.ask(way.fresh("full", ZOO), "TXT", edns=True)
    assert reply.rcode == "NOERROR" and not reply.has("TC") and len(reply.records("TXT")) > 200


@case(ways=[UDP4])
def rfc1035_4_2_2_message_of_65535_octets_is_cut_over_udp(way):
    reply = way.ask(way.fresh("full", ZOO), "TXT", size=4096, edns=True)
    assert reply.has("TC") and len(reply.wire) <= 1232


@case(ways=[TCP4])
def many_2000_records_are_given(way):
    assert len(way.ask(way.fresh("many-2000", ZOO)).records("A")) == 2000


def kept(way, first):
    """TTL of the first reply, and whether a second one came from the cache."""
    name = way.fresh(first, ZOO)
    reply = way.ask(name)
    way.ask(name)
    return reply, len(questions(name)) == 1


def ttl_kept(way, words, least, most, rcode="NOERROR"):
    for word in words:
        reply, in_cache = kept(way, word)
        ttl = reply.soa()[0] if rcode == "NXDOMAIN" else reply.ttls()[0]
        assert reply.rcode == rcode and least <= ttl <= most and in_cache, (word, ttl)
        assert reply.records("A") == ([TRUTH] if rcode == "NOERROR" else [])


TOP = 1 << 31
alike(
    ttl_kept,
    rfc8767_4_ttl_with_its_top_bit_is_capped_too=([UDP4], (f"ttl-{TOP}", f"ttl-{TOP + 300}", f"ttl-{2 * TOP - 1}"), 86000, 86400),
    rfc8767_4_ttl_is_capped_at_a_day=([UDP4], ("ttl-86401", "ttl-604801", f"ttl-{TOP - 1}"), 0, 86400),
    rfc2308_5_negative_ttl_is_capped=([UDP4], ("ttlnx-864000-864000", f"ttlnx-{TOP - 1}-7200"), 0, 3600, "NXDOMAIN"),
    rfc2308_5_negative_ttl_is_the_lower_one=([UDP4], ("ttlnx-60-600", "ttlnx-600-60"), 60, 60, "NXDOMAIN"),
)


@case(ways=[UDP4])
def rfc1035_3_2_1_ttl_of_0_is_given_and_not_kept(way):
    reply, in_cache = kept(way, "ttl-0")
    assert reply.ttls() == [0] and not in_cache


@case(ways=[UDP4])
def rfc8767_4_negative_ttl_with_its_top_bit_is_a_large_one(way):
    """Of the two that say how long, the lesser counts still."""
    ttl_kept(way, (f"ttlnx-{TOP + 9}-60", f"ttlnx-60-{TOP + 9}"), 40, 60, "NXDOMAIN")
    ttl_kept(way, (f"ttlnx-{TOP}-{TOP}",), 3580, 3600, "NXDOMAIN")
