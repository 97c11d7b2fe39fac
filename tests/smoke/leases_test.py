#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Names of the house in a running lab: DHCP leases of a file that changes, as A, AAAA and PTR; the operator's own names before them;
names that no lease may have; single labels kept at home or completed; a forward zone of the domain."""
import os
import time

from testing import TMP, becomes, main

LAB = {"upstreams": 2, "clients": ["198.18.0.3"]}
LEASES = TMP / "dnsmasq.leases"
RECORDS = [dict(zip(("name", "type", "value"), record)) for record in (
    ("nas.lan", "A", "192.168.1.200"), ("www.lan", "CNAME", "laptop.lan"), ("bench", "A", "192.168.1.201"), ("x.tv.lan", "TXT", "below"),
    ("x.room.lan", "TXT", "below"), ("printer.lan", "A", "192.168.1.20"), ("20.1.168.192.in-addr.arpa", "PTR", "printer.lan"))]
OPEN = [{"name": "lan", "unknown": "forward"}]
SIX = "5" + ".0" * 29 + ".d.f.ip6.arpa"


def leases(*lines):
    """Lines of `end address name`, as dnsmasq writes them."""
    (TMP / "next").write_text("".join(f"{end} 02:00:5e:10:00:{n:02x} {address} {name} *\n" for n, (end, address, name) in enumerate(lines)))
    os.rename(TMP / "next", LEASES)


def configure(lab, single_labels="forward", domain="lan", zones=None, deny=(), rebinding=True, missing=None, **changes):
    local = {"test_names": True, "domain": domain, "single_labels": single_labels, "records": RECORDS, "zones": zones,
             "missing_types": missing}
    lab.configure(local=local, client_names={"usual_files": False, "lease_files": [str(LEASES)]},
                  blocking={"rebinding": {"enabled": rebinding}, "deny": list(deny)}, **changes)


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
    """A lease named like a record, with the domain or alone, answers nothing, and its address has no PTR. The operator's PTR for the
    address of a lease counts before the lease's."""
    leases((0, "192.168.1.5", "LapTop"), (0, "192.168.1.6", "tv"), (0, "192.168.1.66", "nas"), (0, "192.168.1.67", "bench"),
           (0, "192.168.1.20", "other"))
    becomes("192.168.1.20", lab.result, "other.lan")
    assert lab.short("nas.lan") == "192.168.1.200"
    assert lab.short("www.lan") == "laptop.lan. 192.168.1.5"
    assert lab.result("66.1.168.192.in-addr.arpa", "PTR") == "NXDOMAIN"
    assert lab.result("67.1.168.192.in-addr.arpa", "PTR") == "NXDOMAIN"
    assert lab.result("bench.lan") == "NXDOMAIN"
    assert lab.short("bench") == "192.168.1.201"
    assert lab.short("20.1.168.192.in-addr.arpa", "PTR") == "printer.lan."


def test_record_below_a_lease(lab):
    """The lease has its name; a name with nothing but names below it exists (RFC 8020)."""
    assert lab.short("tv.lan") == "192.168.1.6"
    assert lab.short("x.tv.lan", "TXT") == '"below"'
    assert [lab.result(*q) for q in (("tv.lan", "TXT"), ("room.lan",), ("room.lan", "TXT"))] == ["NODATA"] * 3


def test_missing_types(lab):
    """Types that a record of the domain lacks are nobody else's: weir asks no server, and no lease takes the name."""
    configure(lab, missing="forward")
    becomes(True, lambda: "(local.missing_types: forward)" in lab.weirctl("why", "bench", "--type", "AAAA"))
    assert [lab.result(*q) for q in (("nas.lan", "AAAA"), ("nas.lan", "MX"), ("x.room.lan",), ("room.lan",))] == ["NODATA"] * 4
    assert [lab.short(name) for name in ("nas.lan", "tv.lan")] == ["192.168.1.200", "192.168.1.6"]
    assert lab.result("20.1.168.192.in-addr.arpa", "TXT") == "NODATA"
    assert lab.result("66.1.168.192.in-addr.arpa", "PTR") == "NXDOMAIN"
    assert asked(lab, "nas.lan", "x.room.lan", "room.lan", "20.1.168.192.in-addr.arpa") == []
    configure(lab)


def test_name_of_others_that_leads_here(lab):
    """The server's own address for laptop.lan does not count, and rebinding protection sees weir's."""
    assert lab.result("cname_laptop_lan.evil.test") == "NODATA"
    assert asked(lab, "cname_laptop_lan.evil.test", "laptop.lan") == ["cname_laptop_lan.evil.test"]
    configure(lab, rebinding=False)
    becomes("laptop.lan. 192.168.1.5", lab.short, "cname_laptop_lan.evil.test")


def test_least_ttl(lab):
    configure(lab, cache={"min_ttl": 3600})
    assert lab.ask("laptop.lan").ttl <= 60
    assert lab.ask("ok-40.test").ttl > 60  # the key counts
    configure(lab)


def test_what_weir_says(lab):
    found = lab.get("why", name="laptop.lan")
    assert (found["verdict"], str(LEASES) in found["headline"]) == ("local", True)
    assert lab.get("why", name="bench.lan")["headline"].count("lease") == 0
    assert lab.get("why", name="none.lan")["verdict"] == "local"
    names = lab.get("clients/names")
    assert {key: names[key] for key in ("domain", "lease_answered", "lease_conflicts", "lease_refused")} == {
        "domain": "lan", "lease_answered": 5, "lease_conflicts": 0, "lease_refused": 0}


def test_changed_leases(lab):
    """The first address is gone as soon as the second is there: nothing is cached."""
    end = int(time.time()) + 3600
    leases((end, "192.168.1.15", "laptop"), (end + 1, "192.168.1.16", "laptop"), (end, "192.168.1.17", "phone"))
    becomes("192.168.1.16", lab.result, "laptop.lan")  # the lease that ends last
    assert lab.result("laptop.lan", "AAAA") == "NODATA"
    assert lab.short("www.lan") == "laptop.lan. 192.168.1.16"
    assert lab.result("tv.lan") == "NODATA"  # x.tv.lan is a record
    assert lab.result("other.lan") == "NXDOMAIN"
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


def test_open_domain(lab):
    """Names that are no lease's are as without leases: lists, rebinding protection and the cache count."""
    configure(lab, "complete", zones=OPEN, deny=["ok-3020.lan"])
    becomes("198.18.200.1", lab.result, "ok-3021.lan")
    assert lab.short("laptop.lan") == "192.168.1.5"
    assert lab.result("ok-3020.lan") != "198.18.200.1"
    assert lab.get("why", name="ok-3020.lan")["verdict"] == "blocked"
    assert lab.result("ip_10_0_0_1.lan") == "NODATA"
    assert lab.result("ip_10_0_0_2") == "NODATA"  # completed, but a server's answer
    assert asked(lab, "ip_10_0_0_2.lan", "ok-3020.lan") == ["ip_10_0_0_2.lan"]
    before = lab.up1.asked("nx.lan") + lab.up2.asked("nx.lan")
    assert [lab.result("nx.lan") for _ in range(3)] == ["NXDOMAIN"] * 3
    assert lab.up1.asked("nx.lan") + lab.up2.asked("nx.lan") == before + 1  # cached
    leases((0, "192.168.1.5", "laptop"), (0, "192.168.1.30", "nx"))
    becomes("192.168.1.30", lab.result, "nx.lan")  # and flushed
    leases((0, "192.168.1.5", "laptop"))
    becomes("NXDOMAIN", lab.result, "nx.lan")


def test_forward_zone_of_a_group(lab):
    kids = {"name": "kids", "clients": ["198.18.0.3/32"], "forward_zones": [{"name": "lan", "servers": ["127.0.0.1:5302"]}]}
    configure(lab, groups=[kids])
    becomes("198.18.200.1", lab.result, "ok-3030.lan", client="198.18.0.3")
    assert lab.short("laptop.lan", client="198.18.0.3") == "192.168.1.5"
    assert lab.result("ok-3030.lan") == "NXDOMAIN"


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
