# SPDX-License-Identifier: BSD-3-Clause
"""RFC 2308: negative answers, and what others ask of them (RFC 6604, 8020)."""
import time

from harness import EVERY, UDP4, asked, alike, case
from zoo import ZOO


def negative(way, word, rcode, aliases):
    """With the SOA, and cached."""
    name = way.fresh(word)
    for reply in way.twice(name):
        assert reply.rcode == rcode and reply.soa() and len(reply.records("CNAME")) == len(reply.msg.answer) == aliases
    way.cached(name)


alike(
    negative,
    rfc2308_2_1_nxdomain_has_the_soa=(EVERY, "nx-60", "NXDOMAIN", 0),
    rfc2308_2_2_nodata_has_the_soa=(EVERY, "nodata-60", "NOERROR", 0),
    # RFC 6604 2: the rcode is that of the last name of the chain.
    rfc2308_2_1_an_alias_of_no_name_is_nxdomain_with_the_alias=(EVERY, "cnamenx-60", "NXDOMAIN", 1),
    rfc2308_2_2_an_alias_of_a_name_without_data=(EVERY, "cnamenodata-60", "NOERROR", 1),
)


def understood(way, word, rcode, kinds):
    """1: with SOA and NS; 2: SOA alone; 3: neither; 4: NS alone. Of the zone, the reply has its SOA and no NS."""
    for kind in kinds:
        for reply in way.twice(way.fresh(f"{word}-{kind}", ZOO)):
            assert reply.rcode == rcode and not reply.msg.answer, kind
            assert bool(reply.soa()) == (kind < 3) and not reply.records("NS", "authority"), kind


alike(
    understood,
    rfc2308_2_1_1_nxdomain_of_every_type_is_understood=(EVERY, "nxkind", "NXDOMAIN", (1, 2, 3, 4)),
    rfc2308_2_2_1_nodata_of_every_type_is_understood=(EVERY, "nodatakind", "NOERROR", (1, 2, 3)),
)


@case
def rfc2308_5_ttl_is_the_lesser_of_the_soa_s_and_its_minimum(way):
    for first in ("nx-300-40", "nx-40-300", "nodata-300-40", "nodata-40-300"):
        name = way.fresh(first)
        for _ in range(2):
            assert 38 <= way.ask(name).soa()[0] <= 40, first


@case
def rfc2308_6_the_soa_s_ttl_counts_down(way):
    name = way.fresh("nx-50")
    way.ask(name)
    time.sleep(2.1)
    assert way.ask(name).soa()[0] <= 48


@case
def rfc2308_5_negative_answers_expire(way):
    name = way.fresh("nx-2")
    way.ask(name)
    time.sleep(2.5)
    assert way.ask(name).rcode == "NXDOMAIN"
    assert len(asked(name)) >= 2


@case
def rfc2308_5_without_a_soa_a_negative_answer_is_not_cached(way):
    for first, rcode in (("nxbare", "NXDOMAIN"), ("nodatabare", "NOERROR")):
        name = way.fresh(first)
        for times in (1, 2, 3):
            assert way.ask(name).rcode == rcode
            assert len(asked(name)) >= times, f"{first} was cached"


@case
def rfc2308_5_ttl_of_a_negative_answer_is_bounded(way):
    """One to three hours are said to work well, over a day to be trouble."""
    name = way.fresh("nx-200000")
    for _ in range(2):
        assert way.ask(name).soa()[0] <= 10800


@case
def rfc6604_2_an_alias_of_no_name_is_itself_there(way):
    """A query for the alias itself gets it with NOERROR, also where NXDOMAIN of its target is cached."""
    name = way.fresh("cnamenx-60")
    assert way.ask(name).rcode == "NXDOMAIN"
    for reply in way.twice(name, "CNAME"):
        assert reply.rcode == "NOERROR" and len(reply.records("CNAME")) == 1
    assert way.ask(name, "TXT").rcode == "NXDOMAIN"


def local_alias(way, name, rdtype, rcode, count, address=None):
    reply = way.ask(name, rdtype)
    assert reply.rcode == rcode and len(reply.records("CNAME")) == count, (name, rdtype, reply.msg)
    assert reply.records(rdtype) == ([address] if address else []) and bool(reply.soa()) == (address is None), (name, reply.msg)


alike(
    local_alias,
    rfc6604_3_a_local_alias_of_no_name=(EVERY, "gone.lan", "A", "NXDOMAIN", 1),
    rfc6604_3_a_local_alias_of_an_alias_of_no_name=(EVERY, "went.lan", "A", "NXDOMAIN", 2),
    rfc6604_3_a_local_alias_of_a_special_name=(EVERY, "tv.lan", "A", "NXDOMAIN", 1),
    rfc2308_2_2_a_local_alias_of_a_name_without_the_type=(EVERY, "www.lan", "AAAA", "NOERROR", 1),
    rfc2308_2_2_a_local_alias_of_two_steps=(EVERY, "web.lan", "AAAA", "NOERROR", 2),
    rfc1034_3_6_2_a_local_alias_of_two_steps=(EVERY, "web.lan", "A", "NOERROR", 2, "192.168.7.10"),
    rfc1034_3_6_2_a_local_alias_of_localhost=(EVERY, "here.lan", "A", "NOERROR", 1, "127.0.0.1"),
)


@case
def rfc2308_5_what_proves_a_negative_answer_is_kept_with_it(way):
    """NSEC and signatures (RFC 4035 3.1.3, 4.5), for who sets DO."""
    for word, rcode in (("signednx", "NXDOMAIN"), ("signednodata", "NOERROR")):
        name = way.fresh(word)
        for reply in way.twice(name, do=True):
            assert reply.rcode == rcode and reply.soa() and len(reply.records("NSEC", "authority")) == 1
            covered = sorted(sig.split()[0] for sig in reply.records("RRSIG", "authority"))
            assert covered == ["NSEC", "SOA"], covered
        for reply in way.twice(name, edns=True):
            assert reply.rcode == rcode and reply.soa() and len(reply.msg.authority) == 1


@case
def rfc4035_3_2_1_no_proofs_for_who_did_not_ask(way):
    """Also where upstream gives them to everyone."""
    for how in ({}, {"edns": True}):
        for reply in way.twice(way.fresh("provenx"), **how):
            assert reply.rcode == "NXDOMAIN" and reply.soa() and len(reply.msg.authority) == 1


@case
def rfc4035_3_1_3_3_what_proves_a_wildcard_is_kept_with_the_answer(way):
    name = way.fresh("signedwild")
    for reply in way.twice(name, do=True):
        assert reply.records("A") and reply.records("RRSIG") and reply.records("NSEC", "authority")
        assert not way.ask(name, edns=True).msg.authority


@case
def rfc2308_5_nodata_is_for_the_type_alone(way):
    name = way.fresh("empty")
    assert way.ask(name, "A").soa()
    assert way.ask(name, "MX").soa()
    assert {entry["type"] for entry in asked(name)} == {"A", "MX"}


@case(resolvers=1)  # each has its part of L0
def rfc2308_5_nxdomain_is_for_every_type_of_the_name(way):
    """Cached such that it can be returned to another query for the same name and class."""
    name = way.fresh("nx-60")
    assert way.ask(name, "A").rcode == "NXDOMAIN"
    for rdtype in ("AAAA", "TXT", "HTTPS"):
        reply = way.ask(name, rdtype)
        assert reply.rcode == "NXDOMAIN" and reply.soa()[0] <= 60
    assert {entry["type"] for entry in asked(name)} == {"A"}


@case(ways=[UDP4])
def rfc2308_5_nxdomain_of_a_name_is_not_that_of_its_parent(way):
    name = way.fresh("nx-60")
    assert way.ask(name).rcode == "NXDOMAIN"
    parent = name.split(".", 1)[1]
    assert way.ask("a." + parent).records("A")
