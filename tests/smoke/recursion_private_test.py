#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Recursion from a private root: names that the Internet has for other uses, addresses that are no name server's, and name
servers with IPv6 where packets of IPv6 are lost."""
import itertools
import select
import socket
import subprocess

from testing import TMP, ahead, becomes, main, run, wait

ZONES = 48  # z0 to z47: each with two name servers of its own, with IPv4 and IPv6
ROOT = "198.18.210.1"
SPECIAL = {  # what the root says of them
    "www.test A": "192.0.2.1",
    "host.home.arpa A": "192.0.2.2",
    "x.onion A": "192.0.2.3",
    "a.localhost A": "192.0.2.4",
    "b.invalid A": "192.0.2.5",
    "5.0.0.10.in-addr.arpa PTR": "pc5.corp.",
    "1.1.168.192.in-addr.arpa PTR": "router.corp.",
    "1.0.0.127.in-addr.arpa PTR": "me.corp.",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa PTR": "six.corp.",
}
NO_SERVERS = {"loop": "A 127.0.0.1", "zero": "A 0.0.0.0", "six": "AAAA ::1", "none": "AAAA ::"}
RECURSIVE = {"mode": "recursive", "servers": None, "root_hints": str(TMP / "hints")}


def servers_of(number):
    """IPv4 and IPv6 addresses of the name servers of a zone."""
    return [(f"198.18.211.{2 * number + i + 1}", f"2001:db8:1::{2 * number + i + 1:x}") for i in range(2)]


def zone_of(number):
    """Its records, and those that the root has of it."""
    own, above = ["www A 192.0.2.9"], []
    for i, (four, six) in enumerate(servers_of(number)):
        own += [f"@ NS ns{i}", f"ns{i} A {four}", f"ns{i} AAAA {six}"]
        above += [f"z{number} NS ns{i}.z{number}", f"ns{i}.z{number} A {four}", f"ns{i}.z{number} AAAA {six}"]
    return own, above


FOURS, SIXES = ([pair[at] for number in range(ZONES) for pair in servers_of(number)] for at in range(2))
TEXTS = {f"z{number}.": zone_of(number)[0] for number in range(ZONES)}


def nsd(name, addresses, zones):
    """Serves these zones at these addresses."""
    conf = ["server:", "  username: \"\"", "  chroot: \"\"", f"  zonesdir: {TMP}", "  database: \"\"", "  pidfile: \"\"",
            f"  xfrdfile: {TMP}/{name}.xfrd", f"  zonelistfile: {TMP}/{name}.list", "  server-count: 1", "  rrl-ratelimit: 0",
            *(f"  ip-address: {address}" for address in addresses), "remote-control:", "  control-enable: no"]
    for zone, lines in zones.items():
        path = TMP / f"{name}.{zone.rstrip('.') or 'root'}"
        path.write_text("\n".join(["$TTL 300", f"$ORIGIN {zone}", "@ SOA ns.host. h.host. 1 3600 600 86400 60", *lines, ""]))
        conf += ["zone:", f"  name: {zone}", f"  zonefile: {path}"]
    (TMP / f"{name}.conf").write_text("\n".join(conf) + "\n")
    with open(TMP / f"{name}.err", "w", encoding="ascii") as err:
        return subprocess.Popen(["nsd", "-d", "-c", TMP / f"{name}.conf"], stderr=err)


def says(server, question, want):
    """Whether a name server does."""
    return want in run("kdig", "+timeout=1", "+retry=0", "+norec", f"@{server}", *question.split())


servers = {}  # processes by name
# Nobody answers here: IPv6 does not work.
silent = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
silent.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)


def unanswered(server=silent):
    """How many queries have come there since the last call?"""
    count = 0
    while select.select([server], [], [], 0)[0]:
        server.recv(512)
        count += 1
    return count


def root_zone():
    root = ["@ NS ns.host", f"ns.host A {ROOT}"]
    for question, value in SPECIAL.items():
        root.append(f"{question} {value}")
    for label, address in NO_SERVERS.items():
        root += [f"{label} NS ns.{label}", f"ns.{label} {address}"]
    for number in range(ZONES):
        root += zone_of(number)[1]
    return root


# The root gives one to its servers for a second, and the other for five minutes; these servers say five minutes of both.
BRIEF, LASTING = ([f"{zone} {ttl} NS ns.{zone}", f"ns.{zone} {ttl} A {FOURS[0]}"] for zone, ttl in (("brief", 1), ("lasting", 300)))


def config():
    """The root and the zones are served over IPv4."""
    (TMP / "addresses").write_text("".join([f"addr add {four}/32 dev lo\n" for four in [ROOT, *FOURS]]
                                           + [f"addr add {six}/128 dev lo nodad\n" for six in SIXES]))
    run("ip", "-batch", TMP / "addresses")
    silent.bind(("::", 53))
    servers["root"] = nsd("root", [ROOT], {".": root_zone() + BRIEF + LASTING})
    gone = ["@ NS ns", f"ns A {FOURS[0]}", "*.old A 192.0.2.7"]
    nsd("fours", FOURS, {**TEXTS, "brief.": gone, "lasting.": gone})
    wait(lambda: says(ROOT, "www.test A", "192.0.2.1") and says(FOURS[0], "a.old.brief A", "192.0.2.7"))
    (TMP / "hints").write_text(f". 3600000 NS ns.host.\nns.host. 3600000 A {ROOT}\n")
    return {"upstreams": RECURSIVE, "dnssec": {"validate": False}, "local": None}


LAB = {"config": config}


def answer(lab, question):
    return lab.result(*question.split(), may_fail=True)


def test_special_names_are_the_roots(lab):
    with lab.configured(local={"special_names": False}):
        for question, value in SPECIAL.items():
            assert answer(lab, question) == value


def test_special_names_are_weirs(lab):
    for question in SPECIAL:
        assert answer(lab, question) in ("NXDOMAIN", "127.0.0.1", "localhost.")


def test_names_of_a_test_network(lab):
    with lab.configured(local={"test_names": True}):
        assert answer(lab, "www.test A") == "192.0.2.1"
        assert answer(lab, "b.invalid A") == "NXDOMAIN"


def test_a_zone_that_is_to_be_resolved(lab):
    with lab.configured(local={"zones": [{"name": name, "unknown": "forward"} for name in ("168.192.in-addr.arpa", "home.arpa")]}):
        assert answer(lab, "1.1.168.192.in-addr.arpa PTR") == "router.corp."
        assert answer(lab, "host.home.arpa A") == "192.0.2.2"
        assert answer(lab, "5.0.0.10.in-addr.arpa PTR") == "NXDOMAIN"


def test_addresses_that_are_no_servers(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.1", 53))
        unanswered()
        for zone in NO_SERVERS:
            assert answer(lab, f"www.{zone} A") == "SERVFAIL"
        assert unanswered(here) == 0
    assert unanswered() == 0


def test_a_zone_that_is_gone(lab):
    """It ends with the TTL of its delegation, or with a flush, whatever its own servers say.

    With IPv4 alone, as IPv6 that is left empties the library's caches."""
    name = (f"n{number}.old" for number in itertools.count())
    with lab.configured(upstreams={**RECURSIVE, "recursion_ip": "ipv4"}):
        for zone in "brief", "lasting":
            assert answer(lab, f"a.old.{zone} A") == "192.0.2.7"
        servers["root"].kill()
        servers["root"].wait()
        servers["root"] = nsd("root", [ROOT], {".": root_zone()})
        wait(lambda: says(ROOT, "b.old.lasting A", "NXDOMAIN"))
        becomes("NXDOMAIN", lambda: answer(lab, f"{next(name)}.brief A"))
        assert answer(lab, "b.old.lasting A") == "192.0.2.7"
        lab.post("cache/flush", name="c.other")
        assert answer(lab, "d.old.lasting A") == "NXDOMAIN"


fresh = iter(range(ZONES))


def ask_fresh(lab, count):
    """Asks for names of so many zones that nobody asked before. How many queries went unanswered?"""
    unanswered()
    for _ in range(count):
        becomes("192.0.2.9", answer, lab, f"www.z{next(fresh)} A")
    return unanswered()


def six_off(lab):
    return lab.resolver("recursion")["ipv6_off"]


def test_the_operator_says_which_version(lab):
    with lab.configured(upstreams={**RECURSIVE, "recursion_ip": "ipv4"}):
        assert six_off(lab) == 1
        assert ask_fresh(lab, 4) == 0
    with lab.configured(upstreams={**RECURSIVE, "recursion_ip": "both"}):
        assert ask_fresh(lab, 12) > 0
        assert six_off(lab) == 0


def test_a_version_that_does_not_work_is_found_out(lab):
    """And that it works again."""
    ask_fresh(lab, 12)
    becomes(1, six_off, lab)
    lab.log["controlplane"].said("no server answers over IPv6")
    wait(lambda: lab.resolver("recursion")["questions"] == 0)
    assert ask_fresh(lab, 12) <= 8  # one round of probes
    silent.close()
    nsd("sixes", SIXES, TEXTS)
    wait(lambda: says(SIXES[0], "www.z0 A", "192.0.2.9"))
    ahead(31)
    becomes(0, six_off, lab)
    lab.log["controlplane"].said("answers over IPv6 again")
    becomes("192.0.2.9", answer, lab, f"www.z{next(fresh)} A")


if __name__ == "__main__":
    main()
