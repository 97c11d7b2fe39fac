# SPDX-License-Identifier: BSD-3-Clause
"""Configurations of AdGuard Home, blocky, Technitium and beyond-ads-dns for twins_test.py, and the verdicts that these products
give by their documentation. Nothing here is shared with weirctl import.

An oracle's verdict(client, name, type) is what a reply says: a code, NODATA, or its records. MAIN, ZONE and OTHER are upstreams that
answer each name with an address of their own (`upstream`).
"""
import contextlib
import ipaddress
import json
import re
import sqlite3

import yaml

import pihole_twin
from twin_programs import MAIN, OTHER, ZONE, around, places

ADDRESSES = {MAIN: 1, ZONE: 2, OTHER: 3}
TYPES = ("A", "A", "AAAA")
BLOCKED = {"A": "A 0.0.0.0", "AAAA": "AAAA ::"}


def upstream(port, name, rdtype):
    if name.split(".")[0] == "nx":
        return "NXDOMAIN"
    return f"A 198.18.200.{ADDRESSES[port]}" if rdtype == "A" else f"AAAA fd53::c80{ADDRESSES[port]}"


def at_or_below(name, zones):
    """The longest of the zones that hold a name, or None."""
    labels = name.split(".")
    return next((zone for i in range(len(labels)) if (zone := ".".join(labels[i:])) in zones), None)


def of_type(addresses, rdtype):
    """The reply of a name with these addresses."""
    found = [ip for ip in map(ipaddress.ip_address, addresses) if ip.version == (4 if rdtype == "A" else 6)]
    return ", ".join(sorted(f"{rdtype} {ip}" for ip in found)) or "NODATA"


def address(rng):
    n = rng.randrange(1, 250)
    return f"198.18.77.{n}" if rng.random() < 0.6 else f"fd00::{n:x}"


class Oracle:
    clients = {"198.18.0.2": 1000, "198.18.0.3": 500, "198.18.0.4": 500}
    paths = ()  # of what it has made itself

    def questions(self, rng, count):
        return around(rng, self.names, count, TYPES)

    def theirs(self, client, questions):
        return [self.verdict(client, name.lower(), rdtype) for name, rdtype in questions]

    def named(self, name, theirs, ours):
        return ""


class AdGuardHome(Oracle):
    """Rewrites first: the exact name, else the wildcard with most labels. Then rules: `@@` wins over others but $important. Then the
    upstream: that of the client, else of the longest zone."""

    def __init__(self, rng, tmp):
        self.names = names = places(rng)
        pick = iter(rng.sample(names, len(names)))
        self.hosts = {next(pick) for _ in range(12)}
        self.below = {next(pick) for _ in range(12)}
        self.exact = {next(pick) for _ in range(6)}
        self.patterns = [f"^{next(pick).split('.')[0]}[.]" for _ in range(4)]
        self.allowed = {f"www.{name}" for name in sorted(self.below)[:6]} | {next(pick) for _ in range(4)}
        self.important = {f"a.b.{name}" for name in sorted(self.allowed)[:3]}
        self.listed = {next(pick) for _ in range(14)}
        names += [*self.allowed, *self.important]
        self.rewrites = {next(pick): [address(rng)] for _ in range(8)}
        self.wild = {next(pick): [address(rng)] for _ in range(6)}
        self.zones = {next(pick): rng.choice((ZONE, OTHER)) for _ in range(10)}
        self.own = {name: OTHER for name in sorted(self.zones)[:3]}
        listed = tmp / "agh.txt"
        listed.write_text("! a list\n" + "".join(f"||{name}^\n" for name in sorted(self.listed)))
        clients = [{"name": "free", "ids": ["198.18.0.3"], "use_global_settings": False, "filtering_enabled": False,
                    "use_global_blocked_services": True, "upstreams": []},
                   {"name": "own", "ids": ["198.18.0.4"], "use_global_settings": True, "use_global_blocked_services": True,
                    "upstreams": [f"127.0.0.1:{ZONE}", *(f"[/{name}/]127.0.0.1:{port}" for name, port in self.own.items())]}]
        rules = [*(f"0.0.0.0 {name}" for name in self.hosts), *(f"||{name}^" for name in self.below), *(f"|{name}^" for name in self.exact),
                 *(f"/{regex}/" for regex in self.patterns), *(f"@@||{name}^" for name in self.allowed), *(f"||{name}^$important" for name in self.important)]
        rewrites = [{"domain": name, "answer": ip, "enabled": True} for name, (ip,) in self.rewrites.items()]
        rewrites += [{"domain": f"*.{name}", "answer": ip, "enabled": True} for name, (ip,) in self.wild.items()]
        self.files = {"AdGuardHome.yaml": yaml.safe_dump({
            "dns": {"upstream_dns": [f"127.0.0.1:{MAIN}", *(f"[/{name}/]127.0.0.1:{port}" for name, port in self.zones.items())],
                    "upstream_mode": "load_balance", "blocking_mode": "default", "ratelimit": 0},
            "filtering": {"rewrites": rewrites, "blocking_mode": "default"}, "user_rules": sorted(rules),
            "filters": [{"enabled": True, "url": str(listed), "name": "a list", "id": 1}],
            "clients": {"persistent": clients}, "schema_version": 29})}

    def verdict(self, client, name, rdtype):
        above = at_or_below(name.partition(".")[2], self.wild)
        if name in self.rewrites or above:
            return of_type(self.rewrites.get(name) or self.wild[above], rdtype)
        blocked = name in self.hosts | self.exact or at_or_below(name, self.below | self.listed) or any(re.search(p, name) for p in self.patterns)
        blocked = at_or_below(name, self.important) or blocked and not at_or_below(name, self.allowed)
        if blocked and client != "198.18.0.3":
            return BLOCKED[rdtype]
        zones, main = (self.own, ZONE) if client == "198.18.0.4" else (self.zones, MAIN)
        return upstream(zones.get(at_or_below(name, zones), main), name, rdtype)


class Blocky(Oracle):
    """customDNS first, for a name and all below it. Then the lists of a client: those of every key that holds it, else `default`. An
    allowed name passes; lists that allow alone block all else. Then `conditional`, then the upstream of the client's group."""

    def __init__(self, rng, tmp):
        self.names = names = places(rng)
        pick = iter(rng.sample(names, len(names)))
        self.custom = {next(pick): [address(rng)] for _ in range(10)}
        self.zones = {next(pick): rng.choice((ZONE, OTHER)) for _ in range(10)}
        self.deny = {group: self.entries(pick, tmp / f"blocky-{group}.txt") for group in ("ads", "kids")}
        self.allow = {"ads": [f"www.{name.removeprefix('*.')}" for name in self.deny["ads"][:6]], "only": [next(pick) for _ in range(8)]}
        self.groups = {"default": ["ads"], "198.18.0.3": ["kids"], "198.18.0.0/29": ["ads"], "198.18.0.4": ["only"], "198.18.0.8/29": ["only"]}
        self.by_group = {"198.18.0.2": ["ads"], "198.18.0.3": ["ads", "kids"], "198.18.0.9": ["only"]}
        self.files = {"blocky.yml": yaml.safe_dump({
            "upstreams": {"groups": {"default": [f"127.0.0.1:{MAIN}"], "198.18.0.3": [f"127.0.0.1:{OTHER}"]}, "strategy": "strict"},
            "customDNS": {"mapping": {name: ip for name, (ip,) in self.custom.items()}},
            "conditional": {"mapping": {name: f"127.0.0.1:{port}" for name, port in self.zones.items()}},
            "blocking": {"denylists": {group: [str(tmp / f"blocky-{group}.txt")] for group in self.deny},
                         "allowlists": {group: ["# in the file\n" + "\n".join(lines) + "\n"] for group, lines in self.allow.items()},
                         "clientGroupsBlock": {"default": ["ads"], "198.18.0.3": ["kids"], "198.18.0.0/29": ["ads"], "198.18.0.9": ["only"]}},
            "queryLog": {"type": "none"}})}

    clients = {"198.18.0.2": 800, "198.18.0.3": 800, "198.18.0.9": 400}

    @staticmethod
    def entries(pick, path):
        lines = [next(pick) for _ in range(16)] + [f"*.{next(pick)}" for _ in range(8)] + [f"/^{next(pick).split('.')[0]}[.]/" for _ in range(3)]
        path.write_text("# a list\n" + "\n".join(lines) + "\n")
        return lines

    @staticmethod
    def has(lines, name):
        return any(name == line or (line.startswith("*.") and (name == line[2:] or name.endswith(line[1:])))
                   or (line.startswith("/") and re.search(line[1:-1], name)) for line in lines)

    def named(self, name, theirs, ours):
        allowed = at_or_below(name.partition(".")[2], set(self.allow["only"]))
        return f"names below {allowed} are allowed" if allowed and theirs in BLOCKED.values() else ""

    def verdict(self, client, name, rdtype):
        custom = at_or_below(name, self.custom)
        if custom:
            return of_type(self.custom[custom], rdtype)
        groups = self.by_group[client]
        allowed = any(self.has(self.allow.get(group, ()), name) for group in groups)
        closed = not any(group in self.deny for group in groups)
        if not allowed and (closed or any(self.has(self.deny.get(group, ()), name) for group in groups)):
            return BLOCKED[rdtype]
        zone = at_or_below(name, self.zones)
        return upstream(self.zones[zone] if zone else OTHER if client == "198.18.0.3" else MAIN, name, rdtype)


class Technitium(Oracle):
    """Zones of the server first: the longest one decides, and a wildcard holds names that are not there. Then allowed zones, then
    blocked ones and lists, each with all below."""
    clients = {"198.18.0.2": 1500, "198.18.0.3": 500}

    def __init__(self, rng, tmp):
        self.names = names = places(rng)
        pick = iter(rng.sample(names, len(names)))
        self.blocked = {next(pick) for _ in range(14)}
        self.listed = {next(pick) for _ in range(14)}
        self.allowed = {f"www.{name}" for name in sorted(self.blocked)[:6]} | {next(pick) for _ in range(4)}
        self.records = {"lan.test0": [], "nas.lan.test0": [address(rng)], "a.b.lan.test0": [address(rng)]}
        self.wild = {"apps.lan.test0": [address(rng)]}
        self.zones = {"corp.test0": ZONE}
        self.names += [*self.records, *self.wild, "other.lan.test0", *self.zones]
        listed = tmp / "technitium.txt"
        listed.write_text("".join(f"{name}\n" for name in sorted(self.listed)))
        settings = {"forwarders": [f"127.0.0.1:{MAIN}"], "forwarderProtocol": "Udp", "concurrentForwarding": False, "blockingType": "AnyAddress",
                    "blockListUrls": [f"file://{listed}"], "blockingBypassList": ["198.18.0.3"], "recursion": "AllowOnlyForPrivateNetworks"}
        lines = [f"{name}. 300 IN {'A' if '.' in ip else 'AAAA'} {ip}" for name, ips in self.records.items() for ip in ips]
        lines += [f"*.{name}. 300 IN {'A' if '.' in ip else 'AAAA'} {ip}" for name, ips in self.wild.items() for ip in ips]
        self.files = {"settings.json": json.dumps({"response": settings, "status": "ok"}), "AllowedZones.txt": "\n".join(sorted(self.allowed)),
                      "BlockedZones.txt": "\n".join(sorted(self.blocked)),
                      "lan.test0.zone": "\n".join(["@ 900 IN SOA ns. admin. 1 2 3 4 5", "@ 3600 IN NS ns.", *lines]) + "\n",
                      "corp.test0.zone": f'@ 0 IN FWD Udp "127.0.0.1:{ZONE}" No 10\n'}

    def verdict(self, client, name, rdtype):
        if name == "lan.test0" or name.endswith(".lan.test0"):
            above = at_or_below(name.partition(".")[2], self.wild)
            if name in self.records or above:
                return of_type(self.records.get(name) or self.wild.get(above, []), rdtype)
            return "NODATA" if any(one.endswith("." + name) for one in (*self.records, *("x." + one for one in self.wild))) else "NXDOMAIN"
        if at_or_below(name, self.blocked | self.listed) and not at_or_below(name, self.allowed) and client != "198.18.0.3":
            return BLOCKED[rdtype]
        return upstream(self.zones.get(at_or_below(name, self.zones), MAIN), name, rdtype)


class Pihole(Oracle):
    """Its lists, domains, groups and clients are those of pihole_twin. Before them come local records, behind them the servers of
    zones."""
    clients = {client: 300 for client in pihole_twin.CLIENTS}

    def __init__(self, rng, tmp):
        folder = tmp / "pihole"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        pihole_twin.make(folder)
        with contextlib.closing(sqlite3.connect(folder / "gravity.db")) as db, db:  # smoke_import has all of them
            db.execute("DELETE FROM domainlist WHERE id % 8 AND domain NOT LIKE '%;invert'")
        self.names = rng.sample(pihole_twin.names(), 400)
        pick = iter(rng.sample([name for name in self.names if name.count(".") == 2], 20))
        self.hosts = {"nas.pi.example": ["198.18.9.9"], **{f"host.{next(pick)}": [address(rng)] for _ in range(8)}}
        self.zones = {next(pick): rng.choice((ZONE, OTHER)) for _ in range(10)}
        self.names += [*self.hosts, *(f"www.{zone}" for zone in self.zones)]
        lines = [f"server=/{zone}/127.0.0.1#{port}" for zone, port in self.zones.items()]
        settings = {"upstreams": [f"127.0.0.1#{MAIN}"], "hosts": [f"{ip} {name}" for name, (ip,) in self.hosts.items()]}
        (folder / "pihole.toml").write_text("[dns]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
                                            + f"[misc]\ndnsmasq_lines = {json.dumps(lines)}\n")
        self.judges = {client: pihole_twin.Pihole(folder, groups) for client, groups in pihole_twin.CLIENTS.items()}
        self.files, self.paths = {}, [folder]

    def verdict(self, client, name, rdtype):
        if name in self.hosts and of_type(self.hosts[name], rdtype) != "NODATA":
            return of_type(self.hosts[name], rdtype)
        if self.judges[client].blocks(name):
            return BLOCKED[rdtype]
        if name.partition(".")[0][1:].isdecimal():
            n = int(name.partition(".")[0][1:])
            return f"A 198.19.{n >> 8}.{n & 255}" if rdtype == "A" else f"AAAA {ipaddress.ip_address((0xfd53 << 112) + n)}"
        return upstream(self.zones.get(at_or_below(name, self.zones), MAIN), name, rdtype)

    def named(self, name, theirs, ours):
        return "dnsmasq asks its servers for types" if name in self.hosts and ours == "NODATA" else ""


class BeyondAds(Oracle):
    """Local records first. Then the name and each above it, from the longest: what is allowed there passes, what is denied or listed
    is blocked. A client's group has its entries beside everyone's."""
    clients = {"198.18.0.2": 1000, "198.18.0.3": 1000}

    def __init__(self, rng, tmp):
        self.names = names = places(rng)
        pick = iter(rng.sample(names, len(names)))
        self.deny, self.listed, self.kids = ({next(pick) for _ in range(12)} for _ in range(3))
        self.allow = {f"www.{name}" for name in sorted(self.listed)[:6]} | {next(pick) for _ in range(4)}
        self.local = {next(pick): [address(rng)] for _ in range(8)}
        listed = tmp / "beyond.txt"
        listed.write_text("".join(f"0.0.0.0 {name}\n" for name in sorted(self.listed)))
        records = [{"name": name, "type": "A" if "." in ip else "AAAA", "value": ip} for name, (ip,) in self.local.items()]
        self.files = {"beyond.yaml": yaml.safe_dump({
            "upstreams": [{"name": "main", "address": f"127.0.0.1:{MAIN}", "protocol": "udp"}], "local_records": records,
            "response": {"blocked": "nxdomain"},
            "blocklists": {"sources": [{"name": "a list", "url": str(listed)}], "allowlist": sorted(self.allow), "denylist": sorted(self.deny)},
            "client_identification": {"enabled": True, "clients": [{"ip": "198.18.0.3", "name": "kid", "group_id": "kids"}]},
            "client_groups": [{"id": "kids", "name": "Kids", "blocklist": {"inherit_global": True, "denylist": sorted(self.kids)}}]})}

    def verdict(self, client, name, rdtype):
        if name in self.local:
            return of_type(self.local[name], rdtype)
        denied = self.deny | self.listed | (self.kids if client == "198.18.0.3" else set())
        decides = at_or_below(name, denied | self.allow)
        return "NXDOMAIN" if decides and decides not in self.allow else upstream(MAIN, name, rdtype)
