# SPDX-License-Identifier: BSD-3-Clause
"""RFC 4343: letter case; and clients whose questions differ in nothing else."""
import json

import dns.name

from harness import EVERY, LOG, UDP4, Way, asked, case, logged, query, together


def spelt(name, seed):
    return "".join(c.upper() if (seed >> i % 16) & 1 else c.lower() for i, c in enumerate(name))


@case
def rfc4343_3_names_are_one_whatever_their_case(way):
    name = way.fresh("a")
    for seed in (0, 0x5555, 0xaaaa, 0xffff):
        assert way.ask(spelt(name, seed)).records("A") == ["198.18.200.1"]
    assert len(asked(name)) < 4


@case
def rfc4343_4_1_the_question_keeps_its_case(way):
    """The oracle compares the question byte for byte; so does every client that uses 0x20."""
    name = way.fresh("cname")
    for seed in (0x1234, 0xfedc, 0x0f0f):
        text = spelt(name, seed)
        assert way.ask(text).msg.question[0].name.to_text() == text + "."


@case
def rfc4343_3_only_ascii_letters_are_folded(way):
    """0xC1 and 0xE1 differ in the bit that makes a letter small and are no letters."""
    suffix = dns.name.from_text(way.fresh("x")).to_wire()
    for byte in (b"\xc1", b"\xe1", b"@", b"`", b"[", b"{"):
        wire = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01a\x01" + byte + suffix + b"\0\x01\0\x01"
        assert way.raw(wire).records("A")
    log = asked_wires(suffix)
    assert len(log) == 6, f"{len(log)} questions of 6"


def asked_wires(suffix):
    want = suffix.lower().hex()
    found = [json.loads(line) for line in logged(LOG)]
    return {e["wire"][24:] for e in found if want in bytes.fromhex(e["wire"]).lower().hex()}


@case
def rfc4343_4_1_upstream_s_spelling_of_owners_does_not_matter(way):
    name = way.fresh("upper")
    for _ in range(2):
        assert way.ask(name).records("A") == ["198.18.200.1"]


@case(ways=[UDP4])
def joined_clients_of_every_kind_get_what_is_theirs(way):
    """Twelve clients ask while upstream takes its time: own case, own id, own EDNS size, own way. Upstream hears
    one, and again when it is late for a machine with much to do."""
    name = way.fresh("wait-200")
    wires = []
    for i in range(12):
        how = [{}, {"edns": True, "size": 512}, {"edns": True, "size": 4096}][i % 3]
        wires.append(query(spelt(name, 0x1111 * i), ident=1000 + i, **how))
    clients = [Way(*EVERY[i % 4], number=900 + i) for i in range(12)]
    replies = together(*(lambda w=w, wire=wire: w.raw(wire) for w, wire in zip(clients, wires)))
    for reply in replies:
        assert reply.records("A") == ["198.18.200.1"]
    assert len(asked(name)) <= 3, f"asked {len(asked(name))} times"


@case(ways=[UDP4], alone=True)
def joined_clients_of_different_sizes(way):
    """The answer has 4 KiB and comes late, so that all wait for it: small clients get TC, clients over TCP all of it; one name, one
    resolution."""
    name = way.fresh("big-20-300")
    kinds = [(EVERY[0], {}), (EVERY[1], {"edns": True, "size": 512}), (EVERY[0], {"edns": True, "size": 4096}),
             (EVERY[2], {}), (EVERY[3], {"edns": True, "size": 512})]
    clients = [(Way(*kind, number=950 + i), query(name, "TXT", **how)) for i, (kind, how) in enumerate(kinds)]
    replies = together(*(lambda w=w, wire=wire: w.raw(wire) for w, wire in clients))
    for (way_, wire), reply in zip(clients, replies):
        if way_.proto == "udp":
            assert reply.has("TC") and len(reply.wire) <= 1232
        else:
            assert len(reply.records("TXT")) == 20 and not reply.has("TC")
    assert len([e for e in asked(name) if e["proto"] == "tcp"]) < 3


@case(ways=[UDP4])
def joined_clients_with_and_without_do(way):
    """RRSIGs are for who sets DO (RFC 3225 3), so there are two questions, and each client has its own answer."""
    name = way.fresh("signed")
    clients = [(Way(*EVERY[i % 4], number=970 + i), bool(i & 1)) for i in range(8)]
    replies = together(*(lambda w=w, do=do: w.ask(name, do=do) for w, do in clients))
    for (_, do), reply in zip(clients, replies):
        assert bool(reply.records("RRSIG")) == do
    assert {e["edns"]["do"] for e in asked(name)} == {False, True} and len(asked(name)) < 8
