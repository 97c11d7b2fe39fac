#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Groups of clients in a running lab: lists, servers and cache by source address; a reload moves clients at once, also with the
control plane restarted or gone."""
import re
import socket
import struct

from testing import LOGS, TMP, ahead, becomes, client_namespace, main, own_disk, run, wait

LAB = {"upstreams": 2, "clients": ["198.18.0.3", "198.18.0.4", "fd53::3", "fd53::4"]}
ANYONE, THIRD, FOURTH, THIRD6, FOURTH6 = "198.18.0.2", "198.18.0.3", "198.18.0.4", "fd53::3", "fd53::4"
NAME, OK, DENIED = "ok-3000.cached.test", "198.18.200.1", "198.18.99.99"
FIRST, SECOND = {"address": "127.0.0.1:5301"}, {"address": "127.0.0.1:5302"}
OWN = {"name": "own", "clients": ["198.18.0.3/32"], "upstreams": [SECOND]}
DAY = {"from": "00:00", "to": "24:00"}


def asked(lab):
    """How many times for NAME, of either server."""
    return lab.up1.asked(NAME) + lab.up2.asked(NAME)


def queries(lab, group):
    return sum(count["queries"] for count in lab.stats()["groups"] if count["group"] == group)


def test_without_groups_the_cache_is_shared(lab):
    assert lab.short(NAME, client=THIRD) == OK


def test_groups_have_servers_cache_and_lists_of_their_own(lab):
    lab.configure(groups=[OWN, {"name": "bare", "clients": [FOURTH], "disable_cache": True, "blocking": False}])
    assert lab.short(NAME, client=THIRD) == OK
    own = lab.up2.asked(NAME)
    assert own >= 1  # not what others have cached
    assert lab.short(NAME, client=THIRD) == OK
    assert lab.up2.asked(NAME) == own  # but its own
    for _ in range(2):  # without a cache it asks each time
        before = lab.up1.asked(NAME)
        lab.ask(NAME, client=FOURTH)
        assert lab.up1.asked(NAME) > before
    before = lab.up1.asked(NAME)
    assert lab.short(NAME, client=ANYONE) == OK
    assert lab.up1.asked(NAME) == before
    assert lab.short("blocked.test", client=ANYONE) == ""
    assert lab.short("ok.blocked.test", client=FOURTH) == OK


def test_status_names_groups_and_counts_queries(lab):
    assert [group["name"] for group in lab.get("status")["groups"]] == ["own", "bare"]
    assert queries(lab, 2) >= 3
    assert re.search("^ *own +1 ", lab.weirctl("status"), re.M)


def test_cache_outlives_the_control_plane(lab):
    lab.kill("controlplane")
    assert lab.short(NAME, client=THIRD) == OK
    lab.start("controlplane")
    wait(lab.activated)
    own = lab.up2.asked(NAME)
    assert lab.short(NAME, client=THIRD) == OK  # the same definition: warm
    assert lab.up2.asked(NAME) == own


def test_another_definition_starts_cold(lab):
    lab.configure(groups=[{**OWN, "upstreams": [FIRST, SECOND]}])
    before = asked(lab)
    lab.ask(NAME, client=THIRD)
    assert asked(lab) > before


def test_bad_group_is_refused(lab):
    why = lab.config_refused(groups=[{"name": "x", "clients": ["198.18.0.1/24"]}])
    assert 'groups "x": clients[0]: has bits set behind its prefix of 24' in why


def test_no_memory_for_an_image_of_the_groups(lab):
    with own_disk(LOGS / "state/config"):  # the version has room
        no_memory(lab)


def no_memory(lab):
    used = int(run("df", "-k", "--output=used", "/run").split()[-1])
    run("mount", "-o", f"remount,size={used + 64}k", "/run")
    try:
        lab.write(groups=[OWN])
        assert "except the groups: No space left on device" in lab.weirctl("config reload", status=1)
        failures = lab.get("status")["generations"]["policy_failures"]
        ahead(2)
        wait(lambda: lab.get("status")["generations"]["policy_failures"] > failures, "weir did not try again")
        assert lab.short("ok-3000.later.test", client=THIRD) == OK  # clients are answered as before
    finally:
        run("mount", "-o", "remount,size=50%", "/run")


def test_no_groups(lab):
    lab.configure()
    before = lab.up1.asked(NAME)
    assert lab.short(NAME, client=THIRD) == OK
    assert lab.up1.asked(NAME) == before  # the shared cache


def test_groups_with_one_ip_version(lab):
    lab.configure(groups=[{"name": "six", "clients": [THIRD], "dns64": "64:ff9b::/96"},
                          {"name": "four", "clients": [FOURTH], "filter_aaaa": True}])
    assert lab.short("v4-3000.nat64.test", "AAAA", client=THIRD) == "64:ff9b::c612:c801"
    assert "1.200.18.198.in-addr.arpa." in lab.ask("1.0.8.c.2.1.6.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa", "PTR",
                                                   client=THIRD).texts
    assert lab.short("ok-3000.nat64.test", "AAAA", client=THIRD) == lab.short("ok-3000.nat64.test", "AAAA", client=ANYONE)
    assert lab.result("v4-3000.nat64.test", "AAAA", client=ANYONE) == "NODATA"
    assert lab.result("ok-3000.nat64.test", "AAAA", client=FOURTH) == "NODATA"
    assert lab.short("ok-3000.nat64.test", client=FOURTH) == OK


def test_groups_with_rules_of_their_own(lab):
    lab.configure(groups=[
        {"name": "kids", "clients": [THIRD], "deny": ["ok-3100.cached.test"], "allow": ["ok.blocked.test"], "services": ["signal"],
         "block": {"mode": "address", "ipv4": DENIED}, "schedules": [{"name": "day", **DAY, "domains": ["ok-3101.cached.test"]}]},
        {"name": "bed", "clients": [FOURTH], "allow": ["ok-3102.cached.test"], "schedules": [{"name": "bed", **DAY, "block_all": True}]}])
    becomes(DENIED, lab.short, "ok-3100.cached.test", client=THIRD)
    replies = {
        (ANYONE, "ok-3100.cached.test"): OK, (THIRD, "ok.blocked.test"): OK, (ANYONE, "ok.blocked.test"): "",
        (THIRD, "www.signal.org"): DENIED, (THIRD, "ok-3101.cached.test"): DENIED,
        (FOURTH, NAME): "", (FOURTH, "ok-3102.cached.test"): OK}  # all names but allowed ones are blocked, cached ones too
    assert {(client, name): lab.short(name, client=client) for client, name in replies} == replies
    assert re.search("^ *bed +bed +daily +00:00 +24:00 +block all +on", lab.weirctl("groups"), re.M)


def test_pause_of_a_group(lab):
    lab.post("blocklist/pause", minutes=5, group="bed")
    becomes(OK, lab.short, NAME, client=FOURTH)
    lab.stop("controlplane")
    lab.start("controlplane")
    wait(lab.activated)
    assert [pause["group"] for pause in lab.get("blocklist")["paused_groups"]] == ["bed"]
    becomes(OK, lab.short, NAME, client=FOURTH)
    lab.post("blocklist/resume", group="bed")
    becomes("", lab.short, NAME, client=FOURTH)
    assert 'no group "nobody"; groups: everyone, ' in lab.refused("blocklist/pause", minutes=5, group="nobody")


def test_pause_for_everyone_leaves_a_schedule_that_blocks_all(lab):
    wait(lambda: lab.post("blocklist/pause", minutes=5))
    becomes(OK, lab.short, "ok-3100.cached.test", client=THIRD)
    assert lab.short(NAME, client=FOURTH) == ""
    why = lab.get("why", name=NAME, client=FOURTH)
    assert ([step["decides"] for step in why["steps"] if step["step"] == "time"], why["verdict"]) == ([True], "blocked")
    assert "group bed stays blocked by a schedule" in lab.weirctl("blocklist", "pause", "5")
    lab.weirctl("blocklist", "pause", "5", "--all")  # ends that, too
    becomes(OK, lab.short, NAME, client=FOURTH)
    lab.post("blocklist/resume")
    becomes("", lab.short, NAME, client=FOURTH)


def group_of(lab, **asked):
    client = lab.get("why", name="x.test", **asked)["client"]
    return client["group"], client["found_by"], client["by"], client["mac_from"]


def test_group_by_mac(lab):
    mac = re.search("ether ([^ ]*)", lab.client("ip", "-o", "link", "show", "dev", "wt0"))[1]
    lab.configure(groups=[{"name": "card", "clients": [mac], "deny": ["ok-3103.cached.test"], "block": {"mode": "null"}},
                          {"name": "address", "clients": [THIRD], "blocking": False}])
    becomes("0.0.0.0", lab.short, "ok-3103.cached.test", client=THIRD)  # whatever the address
    for client in (THIRD, FOURTH, FOURTH6):  # an explanation by the address says what a client gets
        lab.ask("ok-3103.cached.test", client=client, family=6 if ":" in client else 4, over="tcp")  # the kernel learns the MAC address
        found = lab.get("why", name="ok-3103.cached.test", client=client)
        assert (found["verdict"], found["client"]["group"], found["client"]["found_by"]) == ("blocked", "card", "mac"), found
        assert (found["client"]["by"], found["client"]["mac_from"], found["client"]["asked"]) == (mac, "neighbour", client)
    said = f"client     {THIRD} is in group card by MAC address {mac}, known from the kernel's neighbours"
    assert said in lab.weirctl("why", "ok-3103.cached.test", "--client", THIRD)
    said = "198.18.0.77 is in no group, as everyone else; its MAC address is not known, and a group with it would come first"
    assert said in lab.weirctl("why", "ok-3103.cached.test", "--client", "198.18.0.77")


def test_why_by_what_a_lease_has(lab):
    leases, mac = TMP / "leases", "02:00:5e:10:00:77"
    leases.write_text(f"0 {mac} 198.18.0.77 Pad *\n")
    names = {"lease_files": [str(leases)]}
    lab.configure(client_names=names, groups=[{"name": "pads", "clients": [mac]}, {"name": "net", "clients": ["198.18.0.0/24"]}])
    for client in ("198.18.0.77", "pad"):
        becomes(("pads", "mac", mac, "lease"), group_of, lab, client=client)
    lab.configure(client_names=names, groups=[{"name": "net", "clients": ["198.18.0.0/24"]}], clients=[{"name": "tablet", "macs": [mac]}])
    becomes(("net", "prefix", "198.18.0.0/24", "asked"), group_of, lab, client="tablet")
    lab.configure(client_names=names, groups=[{"name": "hosts", "clients": ["host:pad"]}], clients=[{"name": "tablet", "macs": [mac]}])
    for asked in ({"client": "tablet"}, {"mac": mac}):
        becomes(("hosts", "host", "pad", "asked"), group_of, lab, **asked)
    leases.write_text("")
    becomes(("", "rest", "", "asked"), group_of, lab, client="tablet")
    assert "its address is not known" in lab.weirctl("why", "x.test", "--client", "tablet")


def ask_tagged(vlan, source, name):
    """The VLAN of the reply and the address that its last record has. A frame by hand: the kernel here may know no VLANs."""
    with client_namespace():
        import wire
        mac, peer = wire.mac_of(wire.IFACE), wire.service_mac()
        sock = wire.tag_socket(wire.IFACE)
    with sock:
        sock.settimeout(3)
        sock.send(wire.tagged(wire.udp4(mac, peer, source, 5000, wire.query(name, ident=vlan)), vlan))
        while True:
            frame, extra, _, _ = sock.recvmsg(4096, 64)
            if frame[:6] == mac and frame[42:44] == struct.pack("!H", vlan) and frame[44] & 0x80:
                return wire.tag_of(extra), socket.inet_ntoa(frame[-4:])


def test_names_of_members_by_mac(lab):
    leases, named, leased, bare = TMP / "leases", "02:00:5e:10:00:71", "02:00:5e:10:00:72", "02:00:5e:10:00:73"
    leases.write_text(f"0 {leased} 198.18.0.72 pad *\n0 {named} 198.18.0.71 other *\n")
    lab.configure(client_names={"lease_files": [str(leases)]}, clients=[{"name": "Tablet", "macs": [named]}],
                  groups=[{"name": "kids", "clients": [named, leased, bare, THIRD], "vlans": [7]}, {"name": "other", "clients": [FOURTH]}])
    names = [{"client": named, "name": "Tablet", "name_from": "clients"}, {"client": leased, "name": "pad", "name_from": "lease"}]
    becomes(names, lambda: lab.get("groups")["groups"][1]["member_names"])
    kids, = lab.get("groups", group="kids", own=1)["groups"]
    assert kids["clients"] == [f"{THIRD}/32", named, leased, bare] and kids["own"]["vlans"] == ["7"]
    said = lab.weirctl("groups", "kids")
    assert f"\nTablet ({named})\npad ({leased})\n{bare}\nVLAN 7\n" in said and "other" not in said
    assert 'no group "kid"; did you mean "kids"' in lab.weirctl("groups", "kid", status=1)


def test_name_of_a_client_in_any_case(lab):
    lab.configure(clients=[{"name": "host:Tablet", "addresses": [THIRD]}], groups=[{"name": "kids", "clients": ["198.18.0.99"]}])
    lab.weirctl("group", "add", "HOST:TABLET", "kids")
    becomes(("kids", "prefix", f"{THIRD}/32", ""), group_of, lab, client=THIRD)
    assert group_of(lab, client="HOST:tablet") == group_of(lab, client=THIRD)
    lab.weirctl("group", "remove", "host:Tablet")
    becomes("", lambda: group_of(lab, client=THIRD)[0])


def test_group_by_vlan(lab):
    lab.configure(groups=[{"name": "lan10", "vlans": [10], "deny": ["ok-3104.cached.test"], "block": {"mode": "null"}},
                          {"name": "address", "clients": ["198.18.0.11"], "blocking": False}])
    before = queries(lab, 1)
    assert lab.short("ok-3104.cached.test", client=THIRD) == OK
    becomes((11, OK), ask_tagged, 11, THIRD, "ok-3104.cached.test")
    assert queries(lab, 1) == before
    becomes((10, "0.0.0.0"), ask_tagged, 10, THIRD, "ok-3104.cached.test")
    becomes((10, OK), ask_tagged, 10, THIRD, "ok-3105.cached.test")
    becomes((10, OK), ask_tagged, 10, "198.18.0.11", "ok-3104.cached.test")  # an address in another group beats the VLAN
    wait(lambda: queries(lab, 1) >= before + 2, "the group's queries are not counted")
    why = lab.get("why", name="ok-3104.cached.test", client="198.18.0.10", vlan=10)
    assert (why["client"]["found_by"], why["client"]["group"], why["verdict"]) == ("vlan", "lan10", "blocked")
    assert "must be a VLAN number" in lab.weirctl("why", "ok-3104.cached.test", "--vlan", "4095", status=1)
    assert re.search("^ *lan10 +0 +0 +1 ", lab.weirctl("groups"), re.M)


def test_group_by_host_name(lab):
    leases = TMP / "leases"
    leases.write_text(f"0 02:00:5e:10:00:07 {THIRD} Pad *\n")
    lab.configure(client_names={"lease_files": [str(leases)]}, clients=[],
                  groups=[{"name": "hosts", "clients": ["host:pad"], "deny": ["ok-3106.cached.test"], "block": {"mode": "null"}}])
    becomes("0.0.0.0", lab.short, "ok-3106.cached.test", client=THIRD)
    assert lab.short("ok-3106.cached.test", client=FOURTH) == OK
    assert (group := lab.get("groups")["groups"][1])["clients"] == ["host:pad"] and group["host_addresses"] == 1
    why = lab.get("why", name="ok-3106.cached.test", client=THIRD)
    assert (why["client"]["found_by"], why["client"]["by"], why["client"]["group"]) == ("host", "pad", "hosts")
    leases.write_text(f"0 02:00:5e:10:00:07 {FOURTH} pad *\n")  # the device has another address now
    becomes("0.0.0.0", lab.short, "ok-3106.cached.test", client=FOURTH)
    assert lab.short("ok-3106.cached.test", client=THIRD) == OK


def test_group_by_interface_part_of_ipv6(lab):
    member = "::3/::ffff:ffff:ffff:ffff"
    lab.configure(clients=[], groups=[{"name": "part", "clients": [member], "deny": ["ok-3107.cached.test"], "block": {"mode": "null"}},
                                      {"name": "prefix", "clients": ["fd53::/64"], "blocking": False}])
    becomes("part", lambda: lab.get("why", name="x.test", client="2001:db8:9::3")["client"]["group"])
    why = lab.get("why", name="ok-3107.cached.test", client="fd53::3")  # the part beats the prefix
    assert (why["client"]["found_by"], why["client"]["by"], why["verdict"]) == ("iid", member, "blocked")
    assert lab.get("why", name="x.test", client="fd53::4")["client"]["group"] == "prefix"
    for over in "udp", "tcp":  # a worker and the control plane
        becomes("0.0.0.0", lab.short, "ok-3107.cached.test", client=THIRD6, family=6, over=over)
        assert lab.short("ok-3107.cached.test", client=FOURTH6, family=6, over=over) == OK
    assert lab.get("groups")["groups"][1]["clients"] == [member]


def test_block_all_leaves_local_data(lab):
    """`why` says what clients get: a pattern allows no name there, and a zone that is left to servers below a local one is none."""
    zones = [{"name": "lan"}, {"name": "open.lan", "unknown": "forward"}]
    with lab.configured(local={"zones": zones, "records": [{"name": "alias.lan", "type": "CNAME", "value": "ok-3104.cached.test"}]},
                        blocking={"allow": ["/^ok-3103[.]cached[.]test$/"], "deny": ["ok-3105.open.lan"], "schedules": [{"name": "all", **DAY, "block_all": True}]}):
        becomes("NXDOMAIN", lab.result, NAME)
        verdicts = {"ok-3103.cached.test": ("NXDOMAIN", "blocked"), "alias.lan": (OK, "rewritten"), "ok-3105.open.lan": ("NXDOMAIN", "blocked"),
                    "nobody.lan": ("NXDOMAIN", "local")}
        assert {name: (lab.result(name), lab.get("why", name=name)["verdict"]) for name in verdicts} == verdicts


if __name__ == "__main__":
    main()
