# SPDX-License-Identifier: BSD-3-Clause
"""A zone of the private Internet: its records, how it is signed, and what is wrong with that. Written as text for NSD."""
import time

import dns.dnssec
import dns.name

import internet_sign as sign

NOW = int(time.time())
TIMES = (NOW - 2 * sign.DAY, NOW + 20 * sign.DAY)
TTL = 300


class Zone:
    def __init__(self, name, server, algorithm=None, nsec3=None, flags=257):
        """`algorithm`: None: not signed. `nsec3`: (iterations, salt, flags), or None: NSEC."""
        self.name, self.server, self.algorithm, self.nsec3 = name, server, algorithm, nsec3
        self.origin = dns.name.from_text(name)
        self.sets = {}  # (name, type): rdata
        self.cuts = {}  # name: whether it has a DS
        self.keys = [sign.Key(algorithm, flags)] if algorithm else []
        self.signers = None  # of (name, type): keys; None: all
        self.tweak = lambda name, rdtype: {}  # what is wrong with the signature of these
        self.bitmap = lambda name, types: types  # what is wrong with the bitmap of that
        self.lines = lambda lines: lines  # what is wrong with the records
        self.ds = lambda z: [z.keys[0].ds(z.name)] if z.keys else []
        self.add("@", "SOA", f"{server} mail.host. 1 3600 600 86400 {TTL}")
        self.add("@", "NS", server)

    def full(self, name):
        return self.origin if name == "@" else dns.name.from_text(name, self.origin)

    def add(self, name, rdtype, text):
        self.sets.setdefault((self.full(name), rdtype), []).append(sign.rdata_of(rdtype, text))

    def delegate(self, child, how=None):
        """`how`: text of the DS records, for those of the child."""
        name = dns.name.from_text(child.name)
        self.cuts[name] = False
        self.add(child.name, "NS", child.server)
        for text in child.ds(child) if how is None else how:
            self.cuts[name] = True
            self.add(child.name, "DS", text)

    def is_below_cut(self, name):
        while name != self.origin:
            name = name.parent()
            if name in self.cuts:
                return True
        return False

    def types_of(self):
        """Owner names of the zone and their types."""
        types = {}
        for name, rdtype in self.sets:
            if not self.is_below_cut(name):
                types.setdefault(name, set()).add(rdtype)
        return types

    def sign_set(self, out, name, rdtype, rdatas):
        if name in self.cuts and rdtype == "NS":
            return
        tweak = self.tweak(name, rdtype)
        keys = self.signers(name, rdtype) if self.signers else self.keys
        for how in tweak if isinstance(tweak, list) else [tweak]:
            if how.get("skip"):
                continue
            how = {"times": TIMES, "signer": self.name, **how}
            for key in [how["key"]] if "key" in how else keys:
                text = sign.rrsig(name, rdtype, TTL, rdatas, key, how)
                out.append((name, "RRSIG", text))

    def nsec(self, out):
        types = self.types_of()
        names = sorted(types)
        for i, name in enumerate(names):
            present = self.bitmap(name, types[name] | {"NSEC", "RRSIG"})
            following = names[(i + 1) % len(names)]
            text = f"{following} {sign.bitmap_text(present)}"
            out.append((name, "NSEC", text))
            self.sign_set(out, name, "NSEC", [sign.rdata_of("NSEC", text)])

    def nsec3_owners(self):
        types = self.types_of()
        if self.nsec3[2] & 1:
            types = {n: t for n, t in types.items() if n not in self.cuts or self.cuts[n]}
        for name in list(types):
            while name != self.origin and name.parent() != self.origin:
                name = name.parent()
                types.setdefault(name, set())
        return types

    def nsec3_chain(self, out):
        iterations, salt, flags = self.nsec3
        hashed = {}
        for name, present in self.nsec3_owners().items():
            if present and (name not in self.cuts or "DS" in present):
                present = present | {"RRSIG"}
            hashed[dns.dnssec.nsec3_hash(name, salt, iterations, 1)] = (name, self.bitmap(name, present))
        order = sorted(hashed)
        for i, value in enumerate(order):
            name, present = hashed[value]
            following = order[(i + 1) % len(order)]
            owner = dns.name.from_text(value, self.origin)
            text = f"1 {flags} {iterations} {salt or '-'} {following} {sign.bitmap_text(present)}"
            out.append((owner, "NSEC3", text))
            self.sign_set(out, owner, "NSEC3", [sign.rdata_of("NSEC3", text)])

    def finish(self):
        """All records, as (name, type, text)."""
        out = []
        if self.keys:
            for key in self.keys:
                self.sets.setdefault((self.origin, "DNSKEY"), []).append(key.rdata)
            if self.nsec3:
                self.add("@", "NSEC3PARAM", f"1 0 {self.nsec3[0]} {self.nsec3[1] or '-'}")
        for (name, rdtype), rdatas in self.sets.items():
            out.extend((name, rdtype, r.to_text()) for r in rdatas)
            if self.keys and not self.is_below_cut(name):
                self.sign_set(out, name, rdtype, rdatas)
        if self.keys:
            (self.nsec3_chain if self.nsec3 else self.nsec)(out)
        return self.lines(out)

    def write(self, folder):
        path = f"{folder}/{self.name.rstrip('.') or 'root'}.zone"
        with open(path, "w", encoding="ascii") as f:
            for name, rdtype, text in self.finish():
                f.write(f"{name} {TTL} IN {rdtype} {text}\n")
        return path
