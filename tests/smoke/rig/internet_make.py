#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes a private Internet of signed zones: zone files, a list of zones for each server, root hints, the trust anchor, the
questions about it, and what is intended of them. With `load` the zones that make work, and few beside them; with `tree` those
of dnssec_zones.sh. usage: internet_make.py FOLDER [load|tree]"""
import sys

import internet_evil
import internet_kinds
from internet_zone import Zone

PREFIX = "198.18.210."
SERVERS = 7
# name, algorithm, NSEC3 (iterations, salt, flags)
TLDS = (
    ("alpha.", 13, None),
    ("beta.", 8, (0, "", 1)),  # opt-out
    ("gamma.", 15, (5, "abcd", 0)),
    ("delta.", 14, None),
    ("plain.", None, None),
    ("epsilon.", 10, (0, "", 0)),
    ("zeta.", 16, None),
)
ALGORITHMS = (5, 7, 8, 10, 13, 14, 15, 16, 200)
NSEC3 = {
    "n3": (0, "", 0), "n3-salt": (1, "aabbccdd", 0), "n3-out": (0, "", 1), "n3-50": (50, "ab", 0), "n3-51": (51, "", 0),
    "n3-150": (150, "ab", 0), "n3-151": (151, "", 0), "n3-500": (500, "ab", 0), "n3-flag": (1, "ab", 2),
    "n3-long": (0, "ab" * 60, 0),
}
ASKED = (
    "www A", "www MX", "none A", "none.none TXT", "x.wild A", "x.wild MX", "deep A", "b.deep TXT", "inside A", "across A", "to-bad A",
    "to-none A", "to-plain A", "www.dn A", "www.dn-bad A", "www.dn-plain A", "none.dn A", "dn A", "y.alias A", "y.alias MX", "sub DS",
    "x.sub A", "@ DS", "@ DNSKEY", "@ SOA", "@ NS", "mail MX", "copy.wild A", "*.wild A", "@ NSEC3PARAM",
)
TREE = ("good", "nsec3", "badsig", "expired", "early", "nods", "wrongds", "stripped", "unsigned", "algo")
TREE_KINDS = {"badsig": "changed", "expired": "expired", "early": "early", "nods": "no-ds", "wrongds": "ds-no-key", "algo": "ds-alg200"}
TREE_TLDS = (("alpha.", 13, None), ("beta.", 13, (1, "cd", 0)))
TREE_RECORDS = (
    ("www", "A", "192.0.2.1"), ("www", "TXT", '"text"'), ("www", "HTTPS", '1 . alpn=h2 ech=YWJj'), ("*.wild", "A", "192.0.2.2"), ("a.b.deep", "A", "192.0.2.3"),
    ("inside", "CNAME", "www.{}"), ("across", "CNAME", "www.good.alpha."), ("to-bad", "CNAME", "www.badsig.alpha."),
    ("to-none", "CNAME", "none.good.alpha."), ("below.to-none", "A", "192.0.2.4"),
    *((f"c{i}", "CNAME", f"c{i + 1}.{{}}" if i < 15 else "www.{}") for i in range(16)),  # 16 in a row
)
EACH = 9  # questions of a zone, besides `www A`


class Internet:
    def __init__(self, tlds):
        self.zones, self.intended = [], {}
        self.root = self.zone(".", "ns1.host.", 8)
        self.tld = {name: self.zone(name, "ns2.host.", algorithm, nsec3) for name, algorithm, nsec3 in tlds}
        for i in range(1, SERVERS + 1):
            self.root.add(f"ns{i}.host.", "A", f"{PREFIX}{i}")

    def zone(self, name, server, algorithm=None, nsec3=None, flags=257):
        z = Zone(name, server, algorithm, nsec3, flags)
        self.zones.append(z)
        return z

    def leaf(self, label, parent, algorithm=13, nsec3=None, kind=None, server=None):
        server = server or f"ns{3 + len(self.zones) // 2 % 2}.host."
        z = self.zone(f"{label}.{parent.name}", server, algorithm, nsec3)
        internet_kinds.fill(z)
        if kind:
            internet_kinds.KINDS[kind][0](z)
        parent.delegate(z)
        sub = self.zone(f"sub.{z.name}", "ns6.host.")
        sub.add("x", "A", "192.0.2.4")
        z.delegate(sub)
        return z


def kinds(net):
    """Each kind with NSEC and with NSEC3."""
    for name, (_, verdict, ede) in internet_kinds.KINDS.items():
        for parent, algorithm, nsec3 in (("alpha.", 13, None), ("beta.", 15, (1, "ab", 0))):
            z = net.leaf(name, net.tld[parent], algorithm, nsec3, name)
            net.intended[f"www.{z.name} A"] = (verdict, ede)


def right(net):
    """Each algorithm with each way to deny, and zones that are not signed."""
    for algorithm in ALGORITHMS:
        for parent in ("alpha.", "gamma."):
            net.leaf(f"ok{algorithm}", net.tld[parent], algorithm)
        net.leaf(f"n3-ok{algorithm}", net.tld["delta."], algorithm, (0, "", 0))
    for name, nsec3 in NSEC3.items():
        for parent in ("alpha.", "beta.", "epsilon."):
            net.leaf(name, net.tld[parent], 13, nsec3)
    for parent in ("alpha.", "beta.", "gamma.", "delta.", "epsilon.", "zeta.", "plain."):
        net.leaf("plain", net.tld[parent], None)
    net.leaf("signed", net.tld["plain."], 13)
    net.leaf("good", net.tld["zeta."], 16, (0, "", 0))
    net.leaf("good", net.tld["epsilon."], 10)


def below(net):
    """Zones below others: right, not signed and wrong ones, each below such a one."""
    for parent in [z for z in net.zones if z.name in (
            "ok13.alpha.", "plain.alpha.", "n3.alpha.", "n3-out.beta.", "n3-500.alpha.", "badsig-key.alpha.", "ds-alg12.alpha.",
            "no-proof-of-cut.alpha.", "bit-ns-missing.alpha.", "expired-proof.alpha.")]:
        for label, algorithm, kind in (("right", 13, None), ("none", None, None), ("wrong", 13, "expired")):
            net.leaf(f"{label}.down", parent, algorithm, None, kind, "ns5.host.")
    for label, tweak in (("ds-no-sig", {"skip": True}), ("ds-bad-sig", {"corrupt": True}), ("ds-expired", {"times": internet_kinds.PAST})):
        parent = net.tld["delta."]
        z = net.leaf(label, parent, 13)
        parent_tweak = parent.tweak
        parent.tweak = lambda name, rdtype, z=z, tweak=tweak, other=parent_tweak: (
            tweak if (name, rdtype) == (z.origin, "DS") else other(name, rdtype))


def few(net):
    net.leaf("ok13", net.tld["gamma."], 13)
    net.leaf("plain", net.tld["gamma."], None)
    net.leaf("ok14", net.tld["alpha."], 14)


def tree(net):
    """A zone for each way to be right, unsigned or wrong, which have the same names."""
    def stripped(z):
        key = z.keys.pop()
        z.ds = lambda child: [key.ds(child.name)]
    faults = {label: internet_kinds.KINDS[kind][0] for label, kind in TREE_KINDS.items()} | {"stripped": stripped}
    for parent, labels in (("alpha.", TREE), ("beta.", ("good", "unsigned"))):
        for label in labels:
            z = net.zone(f"{label}.{parent}", "ns3.host.", None if label == "unsigned" else 13, (1, "ab", 0) if label == "nsec3" else None)
            for name, rdtype, text in TREE_RECORDS:
                z.add(name, rdtype, text.format(z.name))
            faults.get(label, lambda z: None)(z)
            net.tld[parent].delegate(z)


def half(net):
    """A zone on two servers, of which one has wrong addresses."""
    tld = net.tld["alpha."]
    z = net.zone("half.alpha.", internet_evil.SERVER, 13)
    for i in range(8):
        z.add(f"w{i}", "A", "192.0.2.1")
    tld.delegate(z)
    tld.add(z.name, "NS", "ns6.host.")


def half_wrong(servers, path):
    with open(path, encoding="ascii") as f, open(f"{path}.wrong", "w", encoding="ascii") as wrong:
        wrong.write(f.read().replace(" A 192.0.2.1\n", " A 192.0.2.9\n"))
    servers["ns6.host."].append(f"half.alpha. {path}.wrong\n")


def questions(net):
    for number, z in enumerate(z for z in net.zones if z.server not in ("ns6.host.", internet_evil.SERVER)):
        if z.name == "." or z.name in net.tld:
            yield from (f"{z.name} {t}" for t in ("SOA", "NS", "DNSKEY", "DS"))
            yield f"none.{z.name.lstrip('.')} A"
            continue
        step = 1 + number % 7 * 2  # odd and not a divisor of the rest: another choice for each zone
        picked = [0] + [1 + (number * 5 + i * step) % (len(ASKED) - 1) for i in range(EACH)]
        for i in dict.fromkeys(picked):
            name, rdtype = ASKED[i].split()
            yield f"{z.name if name == '@' else f'{name}.{z.name}'} {rdtype}"


def main():
    folder = sys.argv[1]
    which = "".join(sys.argv[2:])
    net = Internet(TREE_TLDS if which == "tree" else TLDS)
    for part in {"load": (few, internet_evil.add, half), "tree": (tree,)}.get(which, (right, kinds, below, internet_evil.add, half)):
        part(net)
    for name, z in net.tld.items():
        net.root.delegate(z)
    servers = {}
    for z in net.zones:
        servers.setdefault(z.server, []).append(f"{z.name} {z.write(folder)}\n")
    if which != "tree":
        half_wrong(servers, f"{folder}/half.alpha.zone")
    for server, lines in servers.items():
        with open(f"{folder}/{server.split('.')[0]}.list", "w", encoding="ascii") as f:
            f.writelines(lines)
    with open(f"{folder}/hints", "w", encoding="ascii") as f:
        f.write(f". 3600000 NS ns1.host.\nns1.host. 3600000 A {PREFIX}1\n")
    with open(f"{folder}/anchor", "w", encoding="ascii") as f:
        f.write(f". 3600 IN DNSKEY {net.root.keys[0].rdata.to_text()}\n")
    with open(f"{folder}/questions", "w", encoding="ascii") as f:
        f.writelines(f"{q}\n" for q in questions(net))
    with open(f"{folder}/intended", "w", encoding="ascii") as f:
        f.writelines(f"{q} {verdict} {ede or '-'}\n" for q, (verdict, ede) in net.intended.items())


main()
