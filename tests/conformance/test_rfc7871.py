# SPDX-License-Identifier: BSD-3-Clause
"""RFC 7871: the client's subnet, which the servers of subnet.example get: 24 bits of IPv4, 56 of IPv6."""
import socket

from harness import TCP4, UDP4, UDP6, Way, alike, asked, case, option

ZONE = "subnet.example"


def sent(name):
    """The subnets of the queries for that name, each once, in order."""
    return list(dict.fromkeys(text for entry in asked(name) for text in entry["edns"]["subnet"]))


def subnet_goes(way, word, options, four, six):
    name = way.fresh(word, ZONE)
    way.ask(name, options=options)
    assert sent(name) == [six if way.family == socket.AF_INET6 else four], asked(name)


NOTHING = "0.0.0.0/0/0", "::/0/0"
OURS = "198.18.0.0/24/0", "fd53::/56/0"
alike(
    subnet_goes,
    rfc7871_6_the_option_has_the_client_s_subnet_and_no_scope=([UDP4, TCP4, UDP6], "scope-24", [], *OURS),
    rfc7871_7_1_2_a_client_with_source_0_has_nothing_of_its_address_sent=(
        [UDP4, UDP6], "scope-0", [option(8, bytes((0, 1, 0, 0)))], *NOTHING),
    rfc7871_7_1_2_no_more_bits_than_the_client_says=([UDP4, TCP4, UDP6], "scope-0", [option(8, bytes((0, 1, 16, 0, 192, 0)))], *NOTHING),
    rfc7871_11_3_a_client_s_own_subnet_is_not_believed=([UDP4], "scope-24", [option(8, bytes((0, 1, 24, 0, 192, 0, 2)))], *OURS),
)


@case(ways=[UDP4, TCP4])
def rfc7871_6_a_malformed_option_is_formerr(way):
    """No such family, a scope, an address that is too short, too long or not cut."""
    for text in ("0003 00 00", "0001 18 18 c00002", "0001 18 00 c000", "0001 18 00 c0000201", "0001 17 00 c00003", "0001"):
        assert way.ask(way.fresh("a"), options=[option(8, bytes.fromhex(text))]).rcode == "FORMERR", text


@case(ways=[UDP4])
def rfc7871_11_1_no_option_where_none_is_configured(way):
    name = way.fresh("a")
    way.ask(name, options=[option(8, bytes((0, 1, 24, 0, 192, 0, 2)))])
    assert not sent(name)


@case(ways=[UDP4])
def rfc7871_7_3_1_an_answer_to_source_0_is_for_source_0(way):
    name = way.fresh("scope-0", ZONE)
    hidden = [option(8, bytes((0, 1, 0, 0)))]
    way.ask(name, options=hidden)
    way.cached(name, options=hidden)
    way.ask(name)
    assert sent(name) == ["0.0.0.0/0/0", "198.18.0.0/24/0"], asked(name)


@case(ways=[UDP4, TCP4])
def rfc7871_7_3_1_an_answer_of_a_scope_is_cached_for_its_subnet(way):
    name = way.fresh("scope-24", ZONE)
    way.ask(name)
    way.cached(name)
    other = Way("udp", socket.AF_INET6, 3200)
    other.ask(name)
    other.cached(name)
    assert sorted(sent(name)) == ["198.18.0.0/24/0", "fd53::/56/0"], asked(name)


@case(ways=[UDP4])
def rfc7871_7_3_1_scope_0_and_no_option_are_for_everyone(way):
    for first in ("scope-0", "scopeless"):
        name = way.fresh(first, ZONE)
        way.ask(name)
        Way("udp", socket.AF_INET6, 3201).cached(name)


@case(ways=[UDP4])
def rfc7871_7_3_1_a_scope_over_the_source_counts_as_the_source(way):
    name = way.fresh("scope-32", ZONE)
    way.ask(name)
    way.cached(name)
