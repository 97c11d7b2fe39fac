# SPDX-License-Identifier: BSD-3-Clause
"""Special-use names (IANA's registry): never forwarded, answered as their RFCs say, with a SOA where there is no data."""
from harness import asked, case

REVERSE_4 = ["10", "16.172", "31.172", "168.192", "0", "127", "254.169", "2.0.192", "100.51.198", "113.0.203", "64.100", "127.100"]
ULA, LINK_LOCAL = "1.0.0.f.f.d.f", "1.8.e.f"


def nothing_here(way, name, rcodes=("NXDOMAIN",), rdtypes=("A", "AAAA", "TXT", "HTTPS")):
    for rdtype in rdtypes:
        reply = way.ask(name, rdtype)
        assert reply.rcode in rcodes, (name, rdtype, reply.rcode)
        assert not reply.msg.answer and reply.soa(), (name, rdtype)
    assert not asked(name), f"{name} was forwarded"


@case
def rfc6761_6_3_localhost_is_the_loopback_address(way):
    for name in ("localhost", "a.localhost", "LocalHost", way.fresh("a", "localhost")):
        assert way.ask(name, "A").records("A") == ["127.0.0.1"]
        assert way.ask(name, "AAAA").records("AAAA") == ["::1"]
        reply = way.ask(name, "TXT")
        assert not reply.msg.answer and reply.soa()
        assert not asked(name)


@case
def rfc6761_6_3_and_back(way):
    for name in ("1.0.0.127.in-addr.arpa", "1." + "0." * 31 + "ip6.arpa"):
        assert way.ask(name, "PTR").records("PTR") == ["localhost."]
        assert not asked(name)


@case
def rfc6761_6_4_invalid_does_not_exist(way):
    nothing_here(way, "invalid")
    nothing_here(way, way.fresh("a", "invalid"))


@case
def rfc6761_6_2_test_does_not_exist(way):
    nothing_here(way, way.fresh("a", "test"))


@case
def rfc6761_6_5_example_is_nothing_special(way):
    """Caching servers should not treat it so: it is asked for."""
    name = way.fresh("a", "example")
    assert way.ask(name).records("A") and asked(name)


@case
def rfc6762_22_1_local_does_not_exist_here(way):
    nothing_here(way, way.fresh("a", "local"))


@case
def rfc6762_22_2_link_local_reverse_names(way):
    for name in ("1.2.254.169.in-addr.arpa", "8.e.f.ip6.arpa", LINK_LOCAL + ".ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa",
                 "b.e.f.ip6.arpa"):
        nothing_here(way, name, ("NXDOMAIN", "NOERROR"), ("PTR", "TXT"))


@case
def rfc7686_2_onion_does_not_exist(way):
    nothing_here(way, "onion")
    nothing_here(way, way.fresh("a", "onion"))


@case
def rfc8375_4_home_arpa_is_empty(way):
    reply = way.ask("home.arpa", "A")
    assert reply.rcode == "NOERROR" and not reply.msg.answer and reply.soa()
    nothing_here(way, way.fresh("a", "home.arpa"))


@case
def rfc8375_4_the_ds_of_home_arpa_is_asked_for(way):
    """So that a validator finds the insecure delegation."""
    way.ask("home.arpa", "DS")
    assert {entry["type"] for entry in asked("home.arpa")} == {"DS"}


@case
def rfc9462_4_resolver_arpa_is_not_forwarded(way):
    for name in ("_dns.resolver.arpa", "resolver.arpa", way.fresh("a", "resolver.arpa")):
        nothing_here(way, name, ("NOERROR",), ("SVCB", "A"))


@case
def rfc6303_4_private_reverse_zones_are_empty(way):
    for zone in REVERSE_4:
        nothing_here(way, f"1.2.{zone}.in-addr.arpa", ("NXDOMAIN",), ("PTR",))
        nothing_here(way, f"{zone}.in-addr.arpa", ("NOERROR", "NXDOMAIN"), ("PTR",))


@case
def rfc6303_4_4_v6_reverse_zones_are_empty(way):
    for name in (ULA + ".ip6.arpa", "d.f.ip6.arpa", "8.b.d.0.1.0.0.2.ip6.arpa", "0." * 32 + "ip6.arpa"):
        nothing_here(way, name, ("NXDOMAIN", "NOERROR"), ("PTR",))


@case
def rfc6303_3_the_neighbours_of_private_zones_are_resolved(way):
    for name in ("1.2.11.in-addr.arpa", "1.2.15.172.in-addr.arpa", "1.2.32.172.in-addr.arpa", "1.2.167.192.in-addr.arpa",
                 "1.2.63.100.in-addr.arpa", "1.2.128.100.in-addr.arpa", "1.c.f.ip6.arpa"):
        assert way.ask(name, "PTR").records("PTR") == ["Host.c.example."]
        assert asked(name)


@case
def rfc6303_3_soa_and_ns_of_an_empty_zone(way):
    """The zone has a SOA and an NS; both are to be had."""
    for zone in ("10.in-addr.arpa", "d.f.ip6.arpa"):
        assert len(way.ask(zone, "SOA").records("SOA")) == 1
        assert len(way.ask(zone, "NS").records("NS")) == 1
        assert not asked(zone)


@case
def mozilla_canary_does_not_exist(way):
    nothing_here(way, "use-application-dns.net", ("NXDOMAIN",), ("A", "AAAA"))


@case
def rfc9476_2_alt_does_not_exist(way):
    nothing_here(way, way.fresh("a", "alt"))


@case
def rfc9665_local_zones_of_the_operator_are_not_forwarded(way):
    nothing_here(way, way.fresh("a", "lan"))
    reply = way.ask("nas.lan", "MX")
    assert reply.rcode == "NOERROR" and reply.soa()
    assert way.ask("www.lan").records("A") == ["192.168.7.10"]
