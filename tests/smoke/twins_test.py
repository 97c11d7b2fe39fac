#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""weirctl import: from the configuration of each source weir gives the verdicts that the source gives, for 2,000 questions: the
records, the code, and which upstream answered.

dnsmasq and unbound run themselves from the same file, in the client's namespace. The others' verdicts come from oracles
(rig/twin_oracles.py) that are written after their documentation, not after the readers.
"""
import json
import random
import subprocess
import time

import dns.rdatatype
import yaml

from testing import LONG, ROOT, TMP, Reply, Upstream, client_namespace, main, query, wait

import ask_many
import twin_oracles
import twin_programs

CLIENTS = [f"198.18.0.{n}" for n in (3, 4, 9, 10, 20, 30, 40, 50, 70)]
LAB = {"upstreams": 3, "clients": CLIENTS, "lists": {}}
TWIN = "198.18.0.100"  # the address of a program
SEEDS, SHARE = (range(5), 1) if LONG else (range(1), 4)  # the gate asks a quarter of the questions, about one file
# Sections that the import gives; the others are the lab's.
SECTIONS = ("blocking", "upstreams", "groups", "clients", "local", "forward_zones", "access", "cache", "ipv6", "entries")
UNIT = ROOT / "tests/unit/tools/ctl/import"
FIXTURES = {
    "pihole5": ("pihole", "pihole5"), "pihole6": ("pihole", "pihole6/pihole.toml", "pihole5"),
    "adguardhome": ("adguardhome", "AdGuardHome.yaml"), "unbound": ("unbound", "unbound.conf"),
    "unbound-views": ("unbound", "unbound-views.conf"), "dnsmasq": ("dnsmasq", "dnsmasq.conf"), "blocky": ("blocky", "blocky.yml"),
    "technitium": ("technitium", "settings.json", "AllowedZones.txt", "BlockedZones.txt", "corp.example.zone", "lan.example.zone"),
    "beyond-ads-dns": ("beyond-ads-dns", "beyond.yaml")}
OK = [bytes([198, 18, 200, n]) for n in (1, 2, 3)]
served = []


def upstreams(lab):
    """Each with an address of its own, and the same ones for programs in the client's namespace."""
    for number, ok in enumerate(OK):
        getattr(lab, f"up{number + 1}").ok = ok
    if not served:
        lab.client("ip", "link", "set", "lo", "up")
        lab.client("ip", "addr", "replace", f"{TWIN}/24", "dev", "wt0")
        for number, ok in enumerate(OK):
            served.append(Upstream(5301 + number, "127.0.0.1", client_namespace))
            served[-1].ok = ok


def said(wire):
    """The code, or the records of the answer."""
    reply = Reply(wire)
    found = sorted(f"{dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_text().lower()}" for rrset in reply.msg.answer for rdata in rrset)
    return ", ".join(found) if found else "NODATA" if reply.rcode == "NOERROR" else reply.rcode


def replies(address, client, questions):
    got = {}

    def answered(number, wire):
        got[number] = said(wire)
        return got[number] != "SERVFAIL"
    with client_namespace():
        left = ask_many.ask_all(address, {i: query(*one, ident=i) for i, one in enumerate(questions)}, answered, 60, client=client)
    assert not left, f"{address}: no answer to {[(questions[i], got.get(i)) for i in sorted(left)[:5]]}"
    return [got[i] for i in range(len(questions))]


def sections(config):
    """The result's, for lab.configure; the lab's own upstream goes."""
    return {key: {"servers": None, **config[key]} if key == "upstreams" else config[key] for key in SECTIONS if key in config}


def imported(lab, word, *paths):
    """weir runs from the result of the import; its report."""
    out = TMP / f"{word}.yaml"
    document = json.loads(lab.weirctl("--json", "import", "--force", "-o", str(out), word, *map(str, paths)))
    config = yaml.safe_load(out.read_text())
    lab.configure(**sections(config))
    lab.activate("blocklist/reload")
    return " ".join(one["text"] for one in document["missing"])


def compare(twin, report, questions, theirs, ours):
    """No difference, but for those that the report names."""
    differ, named = [], 0
    for (name, rdtype), a, b in zip(questions, theirs, ours):
        sentence = twin.named(name.lower(), a, b) if a != b else ""
        named += bool(sentence and sentence in report)
        if a != b and not (sentence and sentence in report):
            differ.append((name, rdtype, a, b))
    assert not differ, f"{len(differ)} of {len(questions)} differ: (name, type, the source, weir)\n" + "\n".join(map(str, differ[:12]))
    return named


def judge(lab, word, seed, twin, asked, theirs, *paths):
    report = imported(lab, word, *paths)
    named = sum(compare(twin, report, questions, theirs[client], replies("198.18.0.53", client, questions))
                for client, questions in asked.items())
    print(f"# {word} {seed}: {sum(map(len, asked.values()))} questions, {named} differ as the report says")


def program(lab, word, make, forms):
    upstreams(lab)
    for seed in SEEDS:
        rng = random.Random(f"{word} {seed}")
        twin = make(rng, forms[seed % len(forms)])
        conf = TMP / f"{word}.conf"
        conf.write_text(twin.text)
        with client_namespace(), open(TMP / f"{word}.log", "w") as log:
            running = subprocess.Popen(twin.command(conf, TWIN), stdout=log, stderr=log)
        try:
            wait(lambda: lab.client("ss", "-Hunl", f"src {TWIN}:53"), f"{word} does not listen")
            asked = {client: twin.questions(rng, count // SHARE) for client, count in twin.clients.items()}
            theirs = {client: replies(TWIN, client, questions) for client, questions in asked.items()}
        finally:
            running.terminate()
            running.wait()
        judge(lab, word, seed, twin, asked, theirs, conf)


def test_each_fixture_is_served(lab):
    """Import with its check of the result, then a reload, until a client has a reply. The seconds are for docs/measurements/import.md."""
    for name, (word, *files) in FIXTURES.items():
        began, out = time.monotonic(), TMP / f"{name}.yaml"
        lab.weirctl("import", "-o", str(out), word, *(f"{UNIT}/{file}" for file in files))
        imported_at, config = time.monotonic(), yaml.safe_load(out.read_text())
        lab.weirctl("config", "check", str(out))
        checked_at = time.monotonic()
        lab.configure(**{**sections(config), "access": {}})
        lab.ask("version.bind", "TXT", rdclass="CH", may_fail=True)
        print(f"# {name}: import {imported_at - began:.2f} s, check {checked_at - imported_at:.2f} s, "
              f"served {time.monotonic() - checked_at:.2f} s")


def test_dnsmasq(lab):
    program(lab, "dnsmasq", twin_programs.Dnsmasq, ("", "#"))


def test_unbound(lab):
    program(lab, "unbound", twin_programs.Unbound, ("always_nxdomain", "always_null", "always_refuse", "always_nodata"))


def oracle(lab, word, make):
    upstreams(lab)
    for seed in SEEDS:
        rng = random.Random(f"{word} {seed}")
        twin = make(rng, TMP)
        for name, text in twin.files.items():
            (TMP / name).write_text(text)
        paths = [*twin.paths, *(TMP / name for name in twin.files)]
        asked = {client: twin.questions(rng, count // SHARE) for client, count in twin.clients.items()}
        judge(lab, word, seed, twin, asked, {client: twin.theirs(client, questions) for client, questions in asked.items()}, *paths)


def test_adguardhome(lab):
    oracle(lab, "adguardhome", twin_oracles.AdGuardHome)


def test_pihole(lab):
    oracle(lab, "pihole", twin_oracles.Pihole)


def test_blocky(lab):
    oracle(lab, "blocky", twin_oracles.Blocky)


def test_technitium(lab):
    oracle(lab, "technitium", twin_oracles.Technitium)


def test_beyond_ads_dns(lab):
    oracle(lab, "beyond-ads-dns", twin_oracles.BeyondAds)


if __name__ == "__main__":
    main()
