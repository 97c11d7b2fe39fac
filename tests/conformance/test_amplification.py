# SPDX-License-Identifier: BSD-3-Clause
"""What an attacker with forged addresses gets out of weir: bytes out for bytes in, over UDP."""
from harness import UDP, case, configured, eventually, query, verdicts

LARGE = ("A", "AAAA", "CAA", "DNSKEY", "DS", "HTTPS", "MX", "NS", "PTR", "RRSIG", "SRV", "TXT")  # sets of any size
SMALL = ("ANY", "CNAME", "SOA")
SIZES = {None: 512, 512: 512, 1232: 1232, 4096: 1232, 65535: 1232}  # size in the OPT, or no OPT: the largest reply


def lengths(way, rdtype):
    """By size in the OPT: lengths of the query and of the replies to it. Answers that just fit, some that do not, and nothing."""
    found = {size: [] for size in SIZES}
    for word in ("wide-200", "wide-400", "wide-1000", "wide-4000", "nodata") if rdtype in LARGE else ("a", "nx"):
        name = way.fresh(word)
        for size in SIZES:
            reply = way.ask(name, rdtype, edns=size is not None, size=size or 512)
            assert reply.rcode == ("NXDOMAIN" if word == "nx" and rdtype != "ANY" else "NOERROR"), reply.msg
            found[size].append((len(query(name, rdtype, edns=size is not None)), len(reply.wire), reply.has("TC")))
    return found


@case(ways=UDP)
def rfc9715_no_type_brings_more_than_1232_octets(way):
    """Or 512 without EDNS; what does not fit is TC, and no longer than the query."""
    for rdtype in LARGE + SMALL:
        for size, found in lengths(way, rdtype).items():
            most = SIZES[size]
            assert all(out <= most for _, out, _ in found), (rdtype, size)
            assert all(out <= into for into, out, cut in found if cut), (rdtype, size)
            if rdtype in LARGE:
                assert max(out for _, out, _ in found) > most / 2, (rdtype, size, "nothing large was measured")
                assert any(cut for _, _, cut in found), (rdtype, size)
            if rdtype == "ANY":
                assert all(out <= into + 24 for into, out, _ in found), found


@case(ways=UDP, alone=True)
def nothing_is_sent_to_who_may_not_ask(way):
    """Of no type, whatever size it says it takes, cached or not: no byte, and no ICMP either. By order: the first reply over
    the same socket belongs to the query that follows once the client may ask again."""
    names = {rdtype: way.fresh("wide-400" if rdtype in LARGE else "a") for rdtype in LARGE + SMALL}
    for rdtype, name in names.items():
        way.ask(name, rdtype)
    wires = [query(name, rdtype, edns=size is not None, size=size or 512) for size in SIZES
             for rdtype, known in names.items() for name in (known, way.fresh("a"))]
    with way.socket() as sock:
        with configured(access="access: {allow: [192.0.2.1], unlimited: [private]}"):
            before = verdicts("drop_denied")

            def dropped():  # a busy machine may lose one on its way
                for wire in wires:
                    way.send(sock, wire)
                    way.send(sock, wire[:2] + b"\x85\x80" + wire[4:])  # a reply, which weir never answers
                return verdicts("drop_denied") - before >= 2 * len(wires)
            eventually(dropped)
        last = query(way.fresh("a"))

        def first():  # which it may lose, too
            way.send(sock, last)
            return way.receive(sock, 2)
        assert eventually(first)[:2] == last[:2]
