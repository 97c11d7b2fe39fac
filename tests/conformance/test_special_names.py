# SPDX-License-Identifier: BSD-3-Clause
"""Special-use names (IANA's registry): never forwarded, answered as their RFCs say, with a SOA where there is no data."""
from harness import EVERY, LOG, TCP4, TCP6, UDP4, UDP6, asked, alike, case, configured, control, eventually, lab_section
from zoo import believed, sent

# RFC 6303 4.1 and 4.2, RFC 7793 2.1
REVERSE_4 = ["10", *(f"{n}.172" for n in range(16, 32)), "168.192", "0", "127", "254.169", "2.0.192", "100.51.198", "113.0.203",
             *(f"{n}.100" for n in range(64, 128))]
# RFC 6303 4.3 to 4.6, but for ::1
REVERSE_6 = ["0." * 31 + "0", "d.f", "8.e.f", "9.e.f", "a.e.f", "b.e.f", "8.b.d.0.1.0.0.2"]
ULA, LINK_LOCAL = "1.0.0.f.f.d.f", "1.8.e.f"


def forwarding(*names):
    """The lab's configuration with these zones asked for at the zoo."""
    return configured(forward_zones=lab_section("forward_zones")
                      + "\n".join(f"  - {{name: {one}, servers: ['127.0.0.1:5302']}}" for one in names))


def is_nothing(way, name, rcodes, rdtypes):
    for rdtype in rdtypes:
        reply = way.ask(name, rdtype)
        assert reply.rcode in rcodes, (name, rdtype, reply.rcode)
        assert not reply.msg.answer and reply.soa(), (name, rdtype)


def nothing_here(way, name, rcodes=("NXDOMAIN",), rdtypes=("A", "AAAA", "TXT", "HTTPS", "NS", "SOA", "DS")):
    is_nothing(way, name, rcodes, rdtypes)
    assert not asked(name), f"{name} was forwarded"


@case
def rfc6761_6_3_localhost_is_the_loopback_address(way):
    for name in ("localhost", "a.localhost", "LocalHost", way.fresh("a", "localhost")):
        assert way.ask(name, "A").records("A") == ["127.0.0.1"]
        assert way.ask(name, "AAAA").records("AAAA") == ["::1"]
        for rdtype in ("TXT", "NS", "SOA", "HTTPS"):
            reply = way.ask(name, rdtype)
            assert not reply.msg.answer and reply.soa(), rdtype
        assert not asked(name)


@case
def rfc6761_6_3_and_back(way):
    for name in ("1.0.0.127.in-addr.arpa", "1." + "0." * 31 + "ip6.arpa"):
        assert way.ask(name, "PTR").records("PTR") == ["localhost."]
        assert not asked(name)


def does_not_exist(way, *names):
    """`*.` stands for a name below that nobody has asked for."""
    for name in names:
        nothing_here(way, way.fresh("a", name[2:]) if name.startswith("*.") else name)


alike(
    does_not_exist,
    rfc6761_6_4_invalid_does_not_exist=(EVERY, "invalid", "*.invalid"),
    rfc6761_6_2_test_does_not_exist=(EVERY, "*.test"),
    rfc6762_22_1_local_does_not_exist_here=(EVERY, "*.local"),
    rfc7686_2_onion_does_not_exist=(EVERY, "onion", "*.onion"),
    rfc9476_2_alt_does_not_exist=(EVERY, "*.alt"),
    # CoAP's and EAP's (RFC 9140 5.6): a DNS query for it is a mistake that reveals the devices here.
    rfc9031_11_names_of_other_protocols_do_not_exist=(
        EVERY, "6tisch.arpa", "*.6tisch.arpa", "eap.arpa", "*.eap.arpa", "eap-noob.arpa", "*.eap-noob.arpa"),
)


@case
def rfc6761_6_5_example_is_nothing_special(way):
    """Caching servers should not treat it specially: weir asks the upstream."""
    for zone in ("example", "example.com", "example.net", "example.org"):
        name = way.fresh("a", zone)
        assert way.ask(name).records("A") and asked(name), zone


@case
def rfc6762_22_2_link_local_reverse_names(way):
    for name in ("1.2.254.169.in-addr.arpa", "8.e.f.ip6.arpa", LINK_LOCAL + ".ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa",
                 "b.e.f.ip6.arpa"):
        nothing_here(way, name, ("NXDOMAIN", "NOERROR"), ("PTR", "TXT"))


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
def rfc9665_service_arpa_is_as_home_arpa_is(way):
    """The zone is empty, and weir asks the upstream for its DS."""
    reply = way.ask("service.arpa", "A")
    assert reply.rcode == "NOERROR" and not reply.msg.answer and reply.soa()
    nothing_here(way, way.fresh("a", "service.arpa"))
    way.ask("service.arpa", "DS")
    assert {entry["type"] for entry in asked("service.arpa")} == {"DS"}


@case
def rfc9462_6_1_resolver_arpa_is_not_forwarded(way):
    """NODATA for whatever is below it (6.4)."""
    for name in ("_dns.resolver.arpa", "resolver.arpa", way.fresh("a", "resolver.arpa")):
        nothing_here(way, name, ("NOERROR",), ("SVCB", "A", "NS", "TXT"))


@case
def rfc8880_7_ipv4only_arpa_is_resolved(way):
    """A client that looks for a NAT64 gets the upstream's answer."""
    for name, rdtype in (("ipv4only.arpa", "AAAA"), ("170.0.0.192.in-addr.arpa", "PTR"), ("171.0.0.192.in-addr.arpa", "PTR")):
        assert way.ask(name, rdtype).records(rdtype) and asked(name)


@case
def rfc6303_4_private_reverse_zones_are_empty(way):
    """Each of them, as each has its place in the registry."""
    tops = [f"{zone}.in-addr.arpa" for zone in (*REVERSE_4, "255.255.255.255")]
    for top in tops:
        is_nothing(way, top, ("NOERROR",), ("PTR",))
        is_nothing(way, "1.2." + top, ("NXDOMAIN",), ("PTR",))
    log = LOG.read_text().lower()
    assert not [top for top in tops if f'"{top}."' in log or f'"1.2.{top}."' in log], "forwarded"


@case
def rfc6303_4_4_v6_reverse_zones_are_empty(way):
    for zone in REVERSE_6:
        nothing_here(way, zone + ".ip6.arpa", ("NOERROR",), ("PTR",))
    for name in (ULA, LINK_LOCAL, "1.8.b.d.0.1.0.0.2"):
        nothing_here(way, name + ".ip6.arpa", ("NXDOMAIN",), ("PTR",))


@case
def rfc6303_3_the_neighbours_of_private_zones_are_resolved(way):
    for name in ("1.2.11.in-addr.arpa", "1.2.15.172.in-addr.arpa", "1.2.32.172.in-addr.arpa", "1.2.167.192.in-addr.arpa",
                 "1.2.63.100.in-addr.arpa", "1.2.128.100.in-addr.arpa", "1.c.f.ip6.arpa"):
        assert way.ask(name, "PTR").records("PTR") == ["Host.c.example."]
        assert asked(name)


@case
def rfc6303_3_soa_and_ns_of_an_empty_zone(way):
    """Both exist, as the RFC wants them: the zone names itself as its server, and `nobody` as its contact."""
    for zone in ("10.in-addr.arpa", "31.172.in-addr.arpa", "d.f.ip6.arpa"):
        soa = way.ask(zone, "SOA")
        (text,) = soa.records("SOA")
        assert text.split()[:2] == [zone + ".", "nobody.invalid."] and soa.ttls() == [int(text.split()[6])], text
        assert way.ask(zone, "NS").records("NS") == [zone + "."]
        assert not asked(zone)


@case(ways=[UDP4, TCP4], alone=True)
def rfc6303_3_each_zone_can_be_resolved_elsewhere(way):
    """Zone by zone, as the operator says (RFC 6761 6.1, 6.2 and RFC 8375 4, item 4 C, too); the others stay empty."""
    with forwarding("17.172.in-addr.arpa", "test", "onion"):
        for name in ("17.172.in-addr.arpa", "test", "onion"):
            name = way.fresh("good", name)
            eventually(lambda name=name: way.ask(name).rcode == "NOERROR")
            believed(way.ask(name))
            assert sent(name) and not asked(name)
        nothing_here(way, way.fresh("good", "18.172.in-addr.arpa"))
        nothing_here(way, way.fresh("good", "invalid"))


def local(switch):
    """The lab's local names with this beside them."""
    return configured(local=lab_section("local") + f"  {switch}")


def resolved(way, *zones):
    for zone in zones:
        name = way.fresh("a", zone)
        assert way.ask(name).records("A") == ["198.18.200.1"] and asked(name), zone


@case(ways=[UDP4, TCP6], alone=True)
def rfc6303_3_all_of_it_can_be_switched_off(way):
    """Then these are names like others, those of the operator's own zones as before."""
    with local("special_names: false"):
        resolved(way, "10.in-addr.arpa", "d.f.ip6.arpa", "test", "invalid", "localhost", "local", "onion", "alt", "home.arpa", "service.arpa",
                 "eap.arpa")
        assert way.ask("nas.lan").records("A") == ["192.168.7.10"]
    nothing_here(way, way.fresh("a", "10.in-addr.arpa"))
    nothing_here(way, way.fresh("a", "test"))


@case(ways=[UDP4, TCP6], alone=True)
def rfc6761_6_2_test_is_resolved_where_the_operator_has_such_names(way):
    with local("test_names: true"):
        resolved(way, "test")
        nothing_here(way, way.fresh("a", "invalid"))
    nothing_here(way, way.fresh("a", "test"))


@case(ways=[UDP4, UDP6], alone=True)
def rfc8375_4_the_ds_is_the_parent_s_wherever_home_arpa_is(way):
    """The zone is the router's then, and the delegation is not."""
    with forwarding("home.arpa"):
        name = way.fresh("good", "home.arpa")
        eventually(lambda: way.ask(name).rcode == "NOERROR")
        believed(way.ask(name))
        before = len(asked("home.arpa"))
        control.post("cache/flush", name="home.arpa")
        eventually(lambda: way.ask("home.arpa", "DS", do=True).rcode == "NOERROR" and len(asked("home.arpa")) > before)
        assert asked("home.arpa")[-1]["type"] == "DS" and not sent("home.arpa")


@case(ways=[UDP4, TCP6], alone=True)
def rfc4035_3_1_4_1_the_ds_of_a_forwarding_zone_is_the_parent_s(way):
    """weir asks its own servers for all other names and types of it."""
    zone = way.fresh("good")
    with forwarding(zone):
        eventually(lambda: way.ask(zone).rcode == "NOERROR" and sent(zone))
        before, at_zone = len(asked(zone)), len(sent(zone))
        eventually(lambda: way.ask(zone, "DS", do=True).rcode == "NOERROR" and len(asked(zone)) > before)
        assert asked(zone)[-1]["type"] == "DS" and len(sent(zone)) == at_zone


@case
def mozilla_canary_does_not_exist(way):
    nothing_here(way, "use-application-dns.net", ("NXDOMAIN",), ("A", "AAAA"))


@case
def rfc9665_local_zones_of_the_operator_are_not_forwarded(way):
    nothing_here(way, way.fresh("a", "lan"))
    reply = way.ask("nas.lan", "MX")
    assert reply.rcode == "NOERROR" and reply.soa()
    assert way.ask("www.lan").records("A") == ["192.168.7.10"]
