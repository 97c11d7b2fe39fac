# SPDX-License-Identifier: BSD-3-Clause
"""Zones of the private Internet that make a resolver work: colliding key tags (KeyTrap, CVE-2023-50387), hashes of long names
(CVE-2023-50868), chains of aliases, and a delegation to a thousand servers without addresses (NXNSAttack)."""
import os
import struct

import dns.dnssec
import dns.name
import dns.rdata

import internet_sign as sign
from internet_zone import NOW

SERVER = "ns7.host."
KEYS, SIGNATURES, CHAIN, SERVERS = 40, 40, 60, 1000
NAMES = 300  # of those attacks that need records
# The names of each attack, with a number below that.
ATTACKS = {
    "keytrap": ("www{}.keytrap.alpha.", NAMES),
    "hashes": (".".join("abcdefghijklmnopqrstuvwxyz" * 3) + "{}.hashes.alpha.", 1 << 24),
    "chain": ("c{}.chain.alpha.", NAMES),
    "dnames": ("w{}.d0.dnames.alpha.", 1 << 24),
    "nxns": ("w{}.nxns.alpha.", 1 << 24),
}


def colliding(key):
    """A key of RSA with a random modulus, and the tag of `key`."""
    wire = bytearray(key.wire[:8] + os.urandom(256))
    wire[8] |= 0x80
    wire[-4:-2] = b"\0\0"
    for _ in range(2):  # a carry may move it by one
        rdata = dns.rdata.from_wire(1, 48, bytes(wire), 0, len(wire))
        more = (key.tag - dns.dnssec.key_id(rdata)) & 0xFFFF
        wire[-4:-2] = struct.pack("!H", (int.from_bytes(wire[-4:-2], "big") + more) & 0xFFFF)
    return dns.rdata.from_wire(1, 48, bytes(wire), 0, len(wire))


def keytrap(net, tld):
    z = net.zone("keytrap.alpha.", SERVER, 8)
    key = z.keys[0]
    for i in range(KEYS):
        z.sets.setdefault((z.origin, "DNSKEY"), []).append(colliding(key))
    for i in range(NAMES):
        z.add(f"www{i}", "A", "192.0.2.1")
    # All of them wrong, and by the signer's tag any of the keys may have made them.
    wrong = [{"value": b"\1" * 256, "times": (t, t + 10 * sign.DAY)} for t in range(NOW - SIGNATURES, NOW)]
    z.tweak = lambda name, rdtype: wrong if rdtype == "A" else {}
    tld.delegate(z)


def chains(net, tld):
    z = net.zone("chain.alpha.", SERVER, 13)
    for i in range(NAMES):
        z.add(f"c{i}", "CNAME", "x0.chain.alpha.")
    for i in range(CHAIN):
        z.add(f"x{i}", "CNAME", f"x{i + 1}.chain.alpha.")
    tld.delegate(z)
    z = net.zone("dnames.alpha.", SERVER, 13)
    for i in range(CHAIN):
        z.add(f"d{i}", "DNAME", f"d{i + 1}.dnames.alpha.")
    tld.delegate(z)


def add(net):
    tld = net.tld["alpha."]
    keytrap(net, tld)
    z = net.zone("hashes.alpha.", SERVER, 13, (150, "ab" * 8, 0))
    tld.delegate(z)
    chains(net, tld)
    for i in range(SERVERS):
        tld.add("nxns.alpha.", "NS", f"n{i}.ok14.alpha.")
    tld.cuts[dns.name.from_text("nxns.alpha.")] = False
