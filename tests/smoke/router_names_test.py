#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Names that only the router knows, by PTR, as names of the house: AAAA and PTR, behind the operator's names and those of leases,
only in the domain; neither in groups nor before a forwarding zone; the key that turns it off."""
import os

from testing import TMP, becomes, main, wait
from dnswire import OWN, name_wire, record, soa
from scripted import Server

LEASES = TMP / "dnsmasq.leases"
TABLET, BANK, NAS, OLD = "fd53::3", "fd53::4", "fd53::5", "fd53::6"
LAB = {"upstreams": 1, "clients": [TABLET, BANK, NAS, OLD]}
NAMES = {TABLET: "tablet.lan", BANK: "www.bank.example", NAS: "nas", OLD: "tv"}
RECORDS = [{"name": "nas.lan", "type": "AAAA", "value": "fd53::200"}]


def reverse(address):
    last = address.rpartition(":")[2]
    return f"{last}." + "0." * 27 + "3.5.d.f.ip6.arpa"


class Router(Server):
    threads = ("serve_udp",)

    def __init__(self, port):
        super().__init__(port)
        self.asked = []

    def answer(self, q):
        name = ".".join(q.labels).lower()
        self.asked.append((name, q.type))
        for address, known in NAMES.items():
            if name == reverse(address) and q.type == 12:
                return [q.reply(record(OWN, 12, 0, name_wire(known)))]
        return [q.reply(soa(OWN), flags=0x8183, counts=(1, 0, 1, 0))]


def leases(*lines):
    """Lines of `address name`, as dnsmasq writes them."""
    (TMP / "next").write_text("".join(f"0 02:00:5e:10:00:{n:02x} {address} {name} *\n" for n, (address, name) in enumerate(lines)))
    os.rename(TMP / "next", LEASES)


def configure(lab, router_names=True, **changes):
    lab.configure(local={"domain": "lan", "router_names": router_names, "records": RECORDS}, query_log={"enabled": True},
                  client_names={"usual_files": False, "lease_files": [str(LEASES)], "ptr_servers": ["127.0.0.1:5390"]}, **changes)


def from_client(lab, address, name="ok.seen.test"):
    return lab.result(name, client=address, family=6)


def test_name_of_the_router(lab):
    router = Router(5390).start()
    leases()
    configure(lab)
    assert lab.result("tablet.lan", "AAAA") == "NXDOMAIN"
    from_client(lab, TABLET)
    becomes(TABLET, lab.result, "tablet.lan", "AAAA")
    assert lab.ask("tablet.lan", "AAAA").ttl == 60
    assert lab.result("tablet.lan") == "NODATA"
    assert lab.short(reverse(TABLET), "PTR") == "tablet.lan."
    assert lab.up1.asked("tablet.lan", "AAAA") == 0
    assert router.asked.count((reverse(TABLET), 12)) == 1
    assert {kind for _, kind in router.asked} == {12}


def test_other_names(lab):
    """A name in another domain is none here; the operator's record is before the router's, and its address has no PTR."""
    for address in (BANK, NAS):
        from_client(lab, address)
    wait(lambda: lab.get("clients/names")["router_answered"] == 2)  # nas, behind the record
    assert lab.get("clients/names")["router_refused"] == 1
    assert [lab.result(name, "AAAA") for name in ("www.lan", "bank.lan", "nas.lan")] == ["NXDOMAIN", "NXDOMAIN", "fd53::200"]
    assert [lab.result(reverse(address), "PTR") for address in (BANK, NAS)] == ["NXDOMAIN"] * 2
    assert lab.short("www.bank.example", "AAAA") == "fd53::c801"  # a name in public is the server's


def test_what_weir_says(lab):
    assert lab.get("why", name="tablet.lan", type="AAAA")["headline"].count(f"PTR record of tablet, {TABLET}, at 127.0.0.1") == 1
    names = lab.get("clients/names")
    assert {key: names[key] for key in ("lease_answered", "router_answered", "router_conflicts")} == {
        "lease_answered": 0, "router_answered": 2, "router_conflicts": 0}


def test_lease_first(lab):
    leases(("fd53::33", "tablet"))
    becomes("fd53::33", lab.result, "tablet.lan", "AAAA")
    assert lab.result(reverse(TABLET), "PTR") == "NXDOMAIN"
    assert lab.get("clients/names")["router_conflicts"] == 1
    leases()
    becomes(TABLET, lab.result, "tablet.lan", "AAAA")


def test_no_client_of_a_group(lab):
    """A device chooses the name that it tells the router, so no group takes it."""
    configure(lab, groups=[{"name": "kids", "clients": ["host:tablet", NAS], "deny": ["ok.game.test"]}])
    becomes("NXDOMAIN", from_client, lab, NAS, "ok.game.test")
    assert from_client(lab, TABLET, "ok.game.test") == "198.18.200.1"


def test_forward_zone(lab):
    """The zone's server is the router itself, which knows all types."""
    configure(lab)
    becomes(TABLET, lab.result, "tablet.lan", "AAAA")
    configure(lab, forward_zones=[{"name": "lan", "servers": ["127.0.0.1:5390"]}])
    becomes("NXDOMAIN", lab.result, "tablet.lan", "AAAA")
    assert lab.result(reverse(TABLET), "PTR") == "NXDOMAIN"


def test_key(lab):
    configure(lab, router_names=False)
    becomes("NXDOMAIN", lab.result, "tablet.lan", "AAAA")
    assert lab.get("clients/names")["ptr"] == 3  # names of clients they are as ever
    from_client(lab, OLD)
    wait(lambda: lab.get("clients/names")["ptr"] == 4)
    assert lab.result("tv.lan", "AAAA") == "NXDOMAIN"


if __name__ == "__main__":
    main()
