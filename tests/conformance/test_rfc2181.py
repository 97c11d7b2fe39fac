# SPDX-License-Identifier: BSD-3-Clause
"""RFC 2181: clarifications."""
import socket
import time

from harness import TCP, TCP4, UDP, UDP4, asked, case, query
from zoo import ZOO


@case(ways=UDP)
def rfc2181_4_replies_come_from_where_the_query_went(way):
    """4.1 the address, 4.2 the port; of what is cached, of what upstream says, and of errors."""
    name = way.fresh("a")
    for wire in (query(name), query(name), query(name, edns=True, version=1), query(way.fresh("nx"))):
        for left in (2, 1, 0):
            with socket.socket(way.family, socket.SOCK_DGRAM) as sock:
                sock.settimeout(3)
                sock.sendto(wire, way.address())
                try:
                    reply, peer = sock.recvfrom(65535)
                except socket.timeout:
                    assert left, "no reply"
                    continue
            assert peer[:2] == way.address() and reply[:2] == wire[:2]
            break


@case
def rfc2181_5_2_one_ttl_within_an_rrset(way):
    """Upstream says 300, 100 and 200. The oracle refuses different ones; the least is what all may be trusted for."""
    for reply in way.twice(way.fresh("ttls")):
        assert len(reply.records("A")) == 3 and reply.ttls()[0] <= 100


@case
def rfc8767_4_a_ttl_with_the_top_bit_set_is_a_large_one(way):
    """No longer 0, as RFC 2181 8 had it; and never sent (oracle.py looks at each reply)."""
    for ttl in ("2147483648", "2147483649", "4294967295"):
        name = way.fresh("ttlof-" + ttl)
        for _ in range(2):
            assert 86000 <= way.ask(name).ttls()[0] <= 86400
        way.cached(name)


@case
def rfc2181_8_the_largest_ttl_is_capped(way):
    """An upper bound of the implementation is allowed: a day by default."""
    name = way.fresh("ttlof-2147483647")
    for _ in range(2):
        assert 86000 <= way.ask(name).ttls()[0] <= 86400


@case(ways=UDP)
def rfc2181_9_what_does_not_fit_has_tc(way):
    for reply in way.twice(way.fresh("big-30"), "TXT", edns=True):
        assert reply.has("TC") and len(reply.wire) <= 1232
        assert len(reply.records("TXT")) in (0, 30), "a part of an RRset"


@case(ways=UDP)
def rfc2181_9_tc_is_only_for_required_data(way):
    reply = way.ask(way.fresh("a"), edns=True, size=512)
    assert not reply.has("TC")


@case(ways=TCP)
def rfc2181_9_after_tc_the_whole_is_had_over_tcp(way):
    assert len(way.ask(way.fresh("big-30"), "TXT", edns=True).records("TXT")) == 30


@case
def rfc2181_5_4_1_what_came_beside_an_answer_is_no_answer(way):
    """A query for the SOA does not get the SOA of a negative answer."""
    assert way.ask(way.fresh("nx-300")).soa()
    assert way.ask("c.example", "SOA").records("SOA")  # its owner, which only this test asks for
    assert asked("c.example"), "answered by what was beside NXDOMAIN"


@case
def rfc2181_5_an_rrset_of_now_is_not_mixed_with_one_of_before(way):
    """Upstream says another address each time."""
    name = way.fresh("turns-1")
    seen = set()
    for _ in range(3):
        found = way.ask(name).records("A")
        assert len(found) == 1 and not seen & set(found), (found, seen)
        seen.update(found)
        time.sleep(2.2)


@case(ways=[UDP4, TCP4])
def ghost_domain_that_is_asked_for_all_the_time_is_gone_when_its_time_is_over(way):
    """Neither asking nor renewing prolongs what upstream said once, and nothing brings it back."""
    name, seen, last = way.fresh("gone-3"), [], 3
    while "NXDOMAIN" not in seen[-20:-19]:
        reply = way.ask(name)
        seen.append(reply.rcode)
        assert reply.rcode == "NXDOMAIN" or reply.records("A") and "NXDOMAIN" not in seen, seen
        if reply.rcode == "NOERROR":
            assert reply.ttls()[0] <= last, "it was prolonged"
            last = reply.ttls()[0]
        assert len(seen) < 600
        time.sleep(0.1)
    assert seen[0] == "NOERROR"


@case
def rfc2181_10_3_names_in_mx_and_ns_are_given_as_they_are(way):
    assert way.ask(way.fresh("name"), "MX").records("MX") == ["10 Mail.c.example."]
    assert way.ask(way.fresh("name"), "NS").records("NS") == ["Ns.c.example."]


@case
def rfc2181_11_underscores_and_digits_are_names(way):
    for first in ("_dmarc", "_25._tcp", "0", "1.2.3.4", "-", "*"):
        name = "a." + first + "." + way.fresh("x")
        assert way.raw(query(name)).records("A"), first


@case
def rfc2181_5_a_record_that_came_twice_is_there_once(way):
    """Two of the same label, class, type and data are one; so is an RRset in its section (5.5)."""
    for reply in way.twice(way.fresh("twins", ZOO)):
        assert reply.wire[6:8] == b"\0\2" and reply.records("A") == ["198.18.200.1", "198.18.200.2"], str(reply.msg)


@case
def rfc2181_10_2_an_address_may_have_several_names(way):
    name = way.fresh("ptrs", ZOO)
    for _ in range(2):
        assert way.ask(name, "PTR").records("PTR") == ["a.example.", "b.example.", "c.example."]
