#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Upstream servers by host name, resolved by a scripted bootstrap server: plain and over TLS, in a group and in a forward zone;
addresses that change, a bootstrap server that is dead or lies, weir's own address."""
import itertools
import os
import re

from testing import CONFIG, TMP, ahead, authority, becomes, certificate, main, run, unbound, wait

OK, HERE, BOOTSTRAP = "198.18.200.1", "192.0.2.77", 5310
TLS = {"address": "tls://moves.test", "name": "tls"}
numbers = itertools.count(31)


def points_to(lab, *addresses):
    lab.server(BOOTSTRAP).moves = addresses


def look_again(lab, *servers, **more):
    """weir looks host names up again at the end of a configuration that differs."""
    lab.configure(upstreams={"servers": list(servers), "bootstrap": [f"127.0.0.1:{BOOTSTRAP}"], "backoff": next(numbers),
                             "ca_file": f"{TMP}/ca.pem"}, **more)


def of(lab, server, field):
    return [one[field] for one in lab.get("upstreams")["upstreams"] if one["name"] == server]


def host(lab, name):
    return next(one for one in lab.get("upstreams")["hosts"] if one["host"] == name)


def test_name_without_bootstrap_is_refused(lab):
    authority("ca")
    certificate("good", "ca", "DNS:moves.test")
    certificate("wrong", "ca", "DNS:other.test")
    unbound("good", HERE, ("127.0.0.1", 853), ("127.0.0.2", 853))
    unbound("wrong", "192.0.2.66", ("127.0.0.3", 853))
    why = lab.config_refused(upstreams={"servers": [{"address": "tls://moves.test"}]})
    assert re.search(r"servers\[0\].address: is a host name.*upstreams.bootstrap: \[9.9.9.9\]", why)
    assert lab.short("ok.before.test") == OK


def test_server_in_clear_text(lab):
    points_to(lab, "127.0.0.1")
    look_again(lab, {"address": "ip_127_0_0_1.test:5301", "name": "plain"})
    run("env", "-i", f"PATH={os.environ['PATH']}", f"{os.environ['WEIR_BUILD']}/tools/ctl/weirctl", "config", "check", CONFIG)
    assert lab.short("ok.plain.test") == OK
    assert of(lab, "plain", "address") == ["127.0.0.1:5301", "[fd53::1]:5301"]
    assert [lab.server(BOOTSTRAP).asked("ip_127_0_0_1.test", rdtype) > 0 for rdtype in ("A", "AAAA")] == [True, True]
    lab.weirctl("upstream test plain")
    lab.weirctl("upstream test ip_127_0_0_1.test")


def test_server_over_tls(lab):
    look_again(lab, TLS)
    assert lab.short("a.unbound.test") == HERE
    assert of(lab, "tls", "address") == ["tls://moves.test@127.0.0.1:853"]


def test_address_that_changes(lab):
    points_to(lab, "127.0.0.2")
    look_again(lab, TLS)
    becomes(["tls://moves.test@127.0.0.2:853"], of, lab, "tls", "address")
    assert lab.short("b.unbound.test") == HERE
    assert lab.short("a.unbound.test") == HERE  # a change of address empties no cache


def test_two_addresses_are_two_servers(lab):
    points_to(lab, "127.0.0.1", "127.0.0.2")
    look_again(lab, TLS)
    wait(lambda: len(of(lab, "tls", "address")) == 2)
    lab.weirctl("upstream drain tls")
    assert of(lab, "tls", "state") == ["drained", "drained"]
    lab.weirctl("upstream undrain tls")
    lab.weirctl("upstream drain moves.test")
    lab.weirctl("upstream undrain tls://moves.test@127.0.0.1:853")
    look_again(lab, TLS)
    becomes(["up", "up"], of, lab, "tls", "state")
    wait(lambda: '\nweir_upstream_host_addresses{host="moves.test:853"} 2' in lab.get("metrics"))
    wait(lambda: re.search("^moves.test:853: 127.0.0.1, 127.0.0.2, resolved .* ago, next lookup in ", lab.weirctl("upstreams"), re.M))


def test_lying_bootstrap_server_denies_service_no_more(lab):
    points_to(lab, "127.0.0.3")  # without the name's certificate
    look_again(lab, TLS)
    becomes(["tls://moves.test@127.0.0.3:853"], of, lab, "tls", "address")
    assert lab.result("c.unbound.test", may_fail=True) == "SERVFAIL"
    assert of(lab, "tls", "tls")[0]["failed_name"] >= 1
    points_to(lab, "127.0.0.1")
    look_again(lab, TLS)
    becomes(["tls://moves.test@127.0.0.1:853"], of, lab, "tls", "address")
    assert lab.short("d.unbound.test") == HERE


def test_dead_bootstrap_server(lab):
    with lab.server(BOOTSTRAP).silent():
        before = host(lab, "moves.test:853")["lookups"]
        look_again(lab, TLS, {"address": "ip_127_0_0_9.test", "name": "lost"})
        assert lab.short("e.unbound.test") == HERE  # from the known address
        ahead(5)
        wait(lambda: host(lab, "moves.test:853")["lookups"] > before)
        moves = host(lab, "moves.test:853")
        assert (moves["addresses"], moves["error"]) == (["127.0.0.1"], "no bootstrap server answers")
        assert of(lab, "lost", "state") == ["no address"]
        wait(lambda: re.search("^ip_127_0_0_9.test:53: NAME NOT RESOLVED, since", lab.weirctl("status"), re.M))
        assert "the host name has no address" in lab.weirctl("upstream test lost", status=1)


def test_names_of_a_group_and_of_a_zone(lab):
    look_again(lab, {"address": "127.0.0.1", "name": "other"},
               forward_zones=[{"name": "zone.test", "servers": ["ip_127_0_0_1.zone:5301"]}],
               groups=[{"name": "lab", "clients": ["198.18.0.0/15"], "upstreams": [{"address": TLS["address"]}]}])
    assert lab.short("f.unbound.test") == HERE
    assert lab.short("ok.zone.test") == OK


def test_own_address_is_refused(lab):
    points_to(lab, "198.18.0.53")
    look_again(lab, {"address": "moves.own", "name": "own"})
    wait(lambda: host(lab, "moves.own:53")["refused"] == 1)
    assert of(lab, "own", "state") == ["no address"]
    lab.log["controlplane"].said("moves.own: weir does not use the address 198.18.0.53")


if __name__ == "__main__":
    main()
