#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Names of the house in a running lab: DHCP leases of a file that changes, as A, AAAA and PTR; the operator's own names before them;
names that no lease may have; single labels kept at home or completed; a forward zone of the domain."""
import os
import time

from testing import TMP, becomes, main

LAB = {"upstreams": 2}
LEASES = TMP / "dnsmasq.leases"
REBINDING = {"rebinding": {"enabled": True}}
RECORDS = [{"name": "nas.lan", "type": "A", "value": "192.168.1.200"}, {"name": "www.lan", "type": "CNAME", "value": "laptop.lan"}]
SIX = "5" + ".0" * 29 + ".d.f.ip6.arpa"


def leases(*lines):
    """Lines of `end address name`, as dnsmasq writes them."""
    (TMP / "next").write_text("".join(f"{end} 02:00:5e:10:00:{n:02x} {address} {name} *\n" for n, (end, address, name) in enumerate(lines)))
    os.rename(TMP / "next", LEASES)


def configure(lab, single_labels="forward", domain="lan", **changes):
    lab.configure(local={"test_names": True, "domain": domain, "single_labels": single_labels, "records": RECORDS},
                  client_names={"usual_files": False, "lease_files": [str(LEASES)]}, blocking=REBINDING, **changes)


def asked(lab, *names):
    return [name for name in names if lab.up1.asked(name) or lab.up2.asked(name)]


def test_leases(lab):
    leases((0, "192.168.1.5", "LapTop"), (0, "fd00::5", "laptop"), (0, "192.168.1.6", "tv.lan"), (0, "192.168.1.66", "nas"),
           (0, "192.168.1.7", "wpad"), (0, "192.168.1.8", "isatap.lan"), (0, "192.168.1.9", "a.b"), (0, "9.9.9.9", "public"))
    configure(lab)
    becomes("192.168.1.5", lab.result, "laptop.lan")
    assert lab.ask("laptop.lan").ttl == 60
    assert lab.short("laptop.lan", over="tcp") == "192.168.1.5"
    assert lab.short("laptop.lan", "AAAA") == "fd00::5"
    assert lab.short("5.1.168.192.in-addr.arpa", "PTR") == "laptop.lan."
    assert lab.short(SIX, "PTR") == "laptop.lan."
    assert lab.short("tv.lan") == "192.168.1.6"
    assert lab.result("tv.lan", "AAAA") == "NODATA"
    assert [lab.result(name) for name in ("wpad.lan", "isatap.lan", "a.b.lan", "public.lan", "none.lan")] == ["NXDOMAIN"] * 5
    assert lab.result("7.1.168.192.in-addr.arpa", "PTR") == "NXDOMAIN"
    assert asked(lab, "laptop.lan", "tv.lan", "wpad.lan", "none.lan", "7.1.168.192.in-addr.arpa") == []


def test_own_names_first(lab):
    assert lab.short("nas.lan") == "192.168.1.200"
    assert lab.short("www.lan") == "laptop.lan. 192.168.1.5"


def test_name_of_others_that_leads_here(lab):
    """The server's own address for laptop.lan does not count, and rebinding protection sees weir's."""
    assert "192.168.1.5" not in lab.short("cname_laptop_lan.evil.test")
    assert "198.18.200.1" not in lab.short("cname_laptop_lan.evil.test")


def test_what_weir_says(lab):
    found = lab.get("why", name="laptop.lan")
    assert (found["verdict"], str(LEASES) in found["headline"]) == ("local", True)
    assert lab.get("why", name="none.lan")["verdict"] == "local"
    names = lab.get("clients/names")
    assert {key: names[key] for key in ("domain", "lease_answered", "lease_conflicts", "lease_refused")} == {
        "domain": "lan", "lease_answered": 4, "lease_conflicts": 0, "lease_refused": 4}


def test_changed_leases(lab):
    """The first address is gone as soon as the second is there: nothing is cached."""
    end = int(time.time()) + 3600
    leases((end, "192.168.1.15", "laptop"), (end + 1, "192.168.1.16", "laptop"), (end, "192.168.1.17", "phone"))
    becomes("192.168.1.16", lab.result, "laptop.lan")  # the lease that ends last
    assert lab.result("laptop.lan", "AAAA") == "NODATA"
    assert lab.short("www.lan") == "laptop.lan. 192.168.1.16"
    assert lab.result("tv.lan") == "NXDOMAIN"
    assert lab.result("5.1.168.192.in-addr.arpa", "PTR") == "NXDOMAIN"
    assert lab.result("15.1.168.192.in-addr.arpa", "PTR") == "NXDOMAIN"
    assert lab.short("16.1.168.192.in-addr.arpa", "PTR") == "laptop.lan."
    assert lab.get("clients/names")["lease_conflicts"] == 1


def test_ended_lease(lab):
    """Without a change of the file. The TTL is no longer than the lease."""
    end = int(time.time()) + 12
    leases((end, "192.168.1.18", "guest"), (0, "192.168.1.5", "laptop"))
    becomes("192.168.1.18", lab.result, "guest.lan")
    assert lab.ask("guest.lan").ttl <= 12
    becomes("NXDOMAIN", lab.result, "guest.lan")
    assert time.time() >= end
    becomes("192.168.1.5", lab.result, "laptop.lan")


def test_single_labels(lab):
    lab.ask("ok-3100")
    assert asked(lab, "ok-3100") == ["ok-3100"]  # the default
    configure(lab, "home")
    becomes("NXDOMAIN", lab.result, "desk")
    assert lab.result("desk", "AAAA") == "NXDOMAIN"
    assert asked(lab, "desk") == []
    lab.ask("ok-3101", "NS")
    assert lab.up1.asked("ok-3101", "NS") >= 1
    configure(lab, "complete")
    becomes("laptop.lan. 192.168.1.5", lab.short, "laptop")
    assert lab.short("nas") == "nas.lan. 192.168.1.200"
    assert lab.ask("chair").rcode == "NXDOMAIN"
    assert asked(lab, "chair", "chair.lan", "nas") == []
    found = lab.get("why", name="laptop")
    assert (found["verdict"], "answered as laptop.lan" in found["headline"]) == ("local", True)


def test_forward_zone_of_the_domain(lab):
    configure(lab, "complete", forward_zones=[{"name": "lan", "servers": ["127.0.0.1:5302"]}])
    becomes("198.18.200.1", lab.result, "ok-3000.lan")
    assert lab.up2.asked("ok-3000.lan") >= 1
    assert lab.up1.asked("ok-3000.lan") == 0
    assert lab.short("laptop.lan") == "192.168.1.5"
    assert lab.short("ok-3001") == "ok-3001.lan. 198.18.200.1"
    assert lab.up2.asked("laptop.lan") == 0


def test_other_domain(lab):
    configure(lab, domain="home.arpa", forward_zones=None)
    becomes("192.168.1.5", lab.result, "laptop.home.arpa")
    assert lab.short("5.1.168.192.in-addr.arpa", "PTR") == "laptop.home.arpa."
    assert lab.result("none.home.arpa") == "NXDOMAIN"
    configure(lab, domain="")
    becomes("NXDOMAIN", lab.result, "laptop.home.arpa")
    assert lab.result("5.1.168.192.in-addr.arpa", "PTR") == "NXDOMAIN"


if __name__ == "__main__":
    main()
