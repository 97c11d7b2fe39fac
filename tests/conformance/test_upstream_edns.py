# SPDX-License-Identifier: BSD-3-Clause
"""Upstreams that do not know EDNS, or know it badly (RFC 6891, the DNS flag days), and letter case (0x20)."""

from harness import RESOLVERS, TCP4, UDP4, UDP6, alike, case
from zoo import CASE, EDNS, GRAVE, ZOO, believed, questions, refused, sent

LEARNING = 4 if RESOLVERS == 1 else 40  # names that a server is asked for until each resolver knows it: three of its own are enough


@case(ways=[UDP4, TCP4])
def rfc6891_6_2_2_server_without_edns_is_understood(way):
    believed(way.ask(way.fresh("old", ZOO), do=True))


def asked_without_opt(way, first):
    name = way.fresh(first, EDNS)
    believed(way.ask(name, edns=True))
    found = questions(name)
    assert not found[-1].edns and len(found) <= 2, found


alike(
    asked_without_opt,
    rfc6891_6_2_2_formerr_is_asked_again_without_opt=([UDP4, UDP6], "oldformerr"),
    rfc6891_6_2_2_notimp_is_asked_again_without_opt=([UDP4], "oldnotimp"),
    rfc6891_6_2_2_formerr_of_a_header_alone_is_asked_again_without_opt=([UDP4], "oldheader"),
    rfc6891_6_2_2_formerr_with_the_query_in_it_is_asked_again_without_opt=([UDP4], "oldecho"),
)


@case(ways=[UDP4], alone=True)
def rfc6891_6_2_2_server_without_edns_is_remembered(way):
    for _ in range(LEARNING):
        believed(way.ask(way.fresh("oldformerr", EDNS)))
    name = way.fresh("oldformerr", EDNS)
    believed(way.ask(name))
    assert {one.edns for one in sent(name)} == {False}


@case(ways=[UDP4])
def formerr_with_and_without_opt_is_servfail(way):
    name = way.fresh("alwaysformerr", GRAVE)
    refused(way.ask(name))
    assert len(questions(name)) <= 3


@case(ways=[UDP4])
def dns_flag_day_2019_server_that_drops_edns_is_not_worked_around(way):
    name = way.fresh("noednsatall", GRAVE)
    refused(way.ask(name))
    assert all(one.edns for one in sent(name)) and len(sent(name)) <= 6


@case(ways=[UDP4])
def rfc6891_6_1_3_badvers_to_version_0_is_servfail(way):
    refused(way.ask(way.fresh("badvers", GRAVE), edns=True))


@case(ways=[UDP4, TCP4])
def rfc6891_6_1_1_options_of_upstream_go_no_further(way):
    reply = way.ask(way.fresh("options", ZOO), edns=True)
    believed(reply)
    assert not reply.msg.options and reply.msg.ednsflags == 0 and reply.msg.payload <= 1232


@case(ways=[UDP4, TCP4])
def rfc6891_6_1_1_no_opt_for_who_sent_none_whatever_upstream_says(way):
    reply = way.ask(way.fresh("options", ZOO))
    believed(reply)
    assert reply.msg.edns < 0


@case(ways=[UDP4])
def dns_flag_day_2020_larger_reply_than_allowed_is_cut_for_the_client(way):
    reply = way.ask(way.fresh("large", ZOO), "TXT", edns=True, size=4096)
    assert reply.has("TC") and len(reply.wire) <= 1232


@case(ways=[UDP4, TCP4])
def dns0x20_server_that_changes_letters_is_understood(way):
    """Over TCP the first times, then without mixed case; the client sees its own letters (the oracle looks)."""
    for first in ("lower", "upper", "LoWer", "uPPer", "lower", "upper"):
        believed(way.ask(way.fresh(first, CASE)))


@case(ways=[UDP4], alone=True)
def dns0x20_server_that_changes_letters_is_asked_once_in_the_end(way):
    for _ in range(LEARNING):
        believed(way.ask(way.fresh("lower", CASE)))
    name = way.fresh("lower", CASE)
    believed(way.ask(name))
    assert {one.proto for one in sent(name)} == {"udp"}


@case(ways=[UDP4])
def rfc4343_owner_in_other_letters_is_the_same_name(way):
    believed(way.ask(way.fresh("upper", CASE)))
