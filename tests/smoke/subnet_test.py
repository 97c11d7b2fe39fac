#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""EDNS Client Subnet in a running lab: an upstream that answers by subnet, clients of several addresses, one that hides its own;
the cache by scope, shown and flushed, with the control plane restarted."""
import ipaddress

import dns.edns

from testing import becomes, main

ANYONE, THIRD, FOURTH = "198.18.0.2", "198.18.0.3", "198.18.0.4"
LAB = {"clients": [THIRD, FOURTH]}
NEAR = "near.a.test"
SENDS = {"upstreams": {"client_subnet_ipv4": 32}}


def gets(lab, client, name, subnet=None, **how):
    """What this client gets, which may say a subnet of its own."""
    if subnet:
        network = ipaddress.ip_network(subnet)
        how["options"] = [dns.edns.ECSOption(str(network.network_address), network.prefixlen)]
    return lab.short(name, client=client, **how)


def subnets(lab, name):
    """Those that upstream saw in queries for this name."""
    return [query.subnet for query in lab.up1.all() if query.name.lower() == name]


def test_none_is_sent_by_default(lab):
    assert gets(lab, ANYONE, "near.default.test") == "198.18.200.1"
    assert lab.get("upstreams")["upstreams"][0]["sends_client_subnet"] is False


def test_shown(lab):
    lab.configure(**SENDS)
    server = lab.get("upstreams")["upstreams"][0]
    assert [server[key] for key in ("sends_client_subnet", "client_subnet_ipv4", "client_subnet_ipv6")] == [True, 32, 0]
    assert "gets the subnet of clients: 32 bits of IPv4, 0 bits of IPv6" in lab.weirctl("upstreams")


def test_each_client_has_its_answer_in_the_cache(lab):
    want = {ANYONE: "198.18.2.32", THIRD: "198.18.3.32"}
    assert {client: gets(lab, client, NEAR) for client in want} == want
    before = lab.up1.asked(NEAR)
    assert {client: gets(lab, client, NEAR) for client in want} == want
    assert lab.up1.asked(NEAR) == before
    assert "198.18.0.3/32" in subnets(lab, NEAR)


def test_answer_for_everyone(lab):
    assert gets(lab, ANYONE, "ok.b.test") == "198.18.200.1"
    before = lab.up1.asked("ok.b.test")
    assert gets(lab, THIRD, "ok.b.test") == "198.18.200.1"
    assert lab.up1.asked("ok.b.test") == before


def test_client_with_an_option_of_its_own(lab):
    assert gets(lab, FOURTH, NEAR, "0.0.0.0/0") == "198.18.0.0"  # it hides its address
    assert "0.0.0.0/0" in subnets(lab, NEAR)
    assert not any(query.subnet.startswith("198.18.0.53/") for query in lab.up1.all())
    assert gets(lab, ANYONE, NEAR, "192.0.2.9/32") == "198.18.2.32"  # an address counts for nothing
    assert gets(lab, ANYONE, NEAR, "192.0.2.0/24") == "198.18.0.0"  # fewer bits hide it
    assert gets(lab, THIRD, NEAR, over="tcp") == "198.18.3.32"
    assert [lab.resolver(f"subnet_{what}") >= least for what, least in (("sent", 4), ("answers", 3), ("hits", 3))] == [True] * 3


def test_cache_says_for_whom(lab):
    entries = lab.get("cache", name=NEAR)["entries"]
    assert sorted(entry["subnet"] for entry in entries) == ["0.0.0.0/0", "198.18.0.2/32", "198.18.0.3/32"]
    assert " for 198.18.0.3/32" in lab.weirctl(f"cache get {NEAR}")
    assert "for clients of 198.18.0.3/32" in lab.weirctl(f"why {NEAR} --client {THIRD}")


def test_cache_outlives_the_control_plane_until_a_flush(lab):
    lab.kill("controlplane")
    lab.start("controlplane")
    becomes(3, lambda: len(lab.get("cache", name=NEAR)["entries"]))
    lab.post("cache/flush", name=NEAR)
    assert lab.get("cache", name=NEAR)["entries"] == []


def test_zone_with_another_choice(lab):
    lab.configure(**SENDS, forward_zones=[{"name": "own.test", "servers": ["127.0.0.1:5301"], "client_subnet_ipv4": 0}])
    for client in (ANYONE, THIRD):
        assert gets(lab, client, "near.own.test") == "198.18.200.1"


if __name__ == "__main__":
    main()
