# SPDX-License-Identifier: BSD-3-Clause
"""What may be right or wrong with a signed zone: KINDS has a function for each, which breaks a zone before it is written, and
the verdict on `www A` in it: secure, insecure, or bogus with the Extended DNS Error (RFC 8914) that weir should give."""
import dns.name

import internet_sign as sign
import libunbound
from internet_zone import TIMES

KINDS = {}
PAST = (TIMES[0] - 40 * sign.DAY, TIMES[0] - 20 * sign.DAY)
FUTURE = (TIMES[1], TIMES[1] + 20 * sign.DAY)


def kind(name, verdict, ede=None):
    def add(function):
        KINDS[name] = (function, verdict, ede)
        return function

    return add


def fill(z):
    """What every zone at the bottom has."""
    for name, rdtype, text in (
        ("www", "A", "192.0.2.1"), ("www", "TXT", '"text"'), ("www", "AAAA", "2001:db8::1"), ("*.wild", "A", "192.0.2.2"),
        ("a.b.deep", "A", "192.0.2.3"), ("inside", "CNAME", f"www.{z.name}"), ("mail", "MX", f"10 www.{z.name}"),
        ("across", "CNAME", "www.ok13.alpha."), ("to-bad", "CNAME", "www.badsig.alpha."), ("to-none", "CNAME", "none.ok13.alpha."),
        ("to-plain", "CNAME", "www.plain.alpha."), ("dn", "DNAME", "ok13.alpha."), ("dn-bad", "DNAME", "badsig.beta."),
        ("dn-plain", "DNAME", "plain.beta."), ("*.alias", "CNAME", f"www.{z.name}"),
    ):
        z.add(name, rdtype, text)


def all_sets(**how):
    return lambda z: setattr(z, "tweak", lambda name, rdtype: how)


def only(owner, types, **how):
    def function(z):
        z.tweak = lambda name, rdtype: how if name == z.full(owner) and rdtype in types else {}

    return function


def of_types(*types, **how):
    return lambda z: setattr(z, "tweak", lambda name, rdtype: how if rdtype in types else {})


def ds(*makers):
    return lambda z: setattr(z, "ds", lambda child: [m(child) for m in makers])


def right(child, digest=2):
    return child.keys[0].ds(child.name, digest)


def without(keep):
    """Leaves out the records of which keep(zone, name, type, text) is false."""
    return lambda z: setattr(z, "lines", lambda lines: [x for x in lines if keep(z, *x)])


def covering(z, name):
    """The owner of the NSEC or NSEC3 record that covers or matches `name`."""
    import dns.dnssec

    if not z.nsec3:
        return max(n for n in z.types_of() if n <= z.full(name))
    hashed = dns.dnssec.nsec3_hash(z.full(name), z.nsec3[1], z.nsec3[0], 1)
    owners = sorted(dns.dnssec.nsec3_hash(n, z.nsec3[1], z.nsec3[0], 1) for n in z.nsec3_owners())
    below = [o for o in owners if o <= hashed]
    return dns.name.from_text(below[-1] if below else owners[-1], z.origin)


def gone(*names):
    """Without the proof at these names."""

    def keep(z, name, rdtype, text):
        is_proof = rdtype in ("NSEC", "NSEC3") or (rdtype == "RRSIG" and text.split()[0] in ("NSEC", "NSEC3"))
        return not is_proof or name not in [covering(z, n) for n in names]

    return without(keep)


for number, text in ((1, "sha1"), (2, "sha256"), (4, "sha384")):
    kind(f"ds-{text}", "secure")(ds(lambda z, number=number: right(z, number)))
kind("ds-two", "secure")(ds(right, lambda z: sign.Key(13).ds(z.name)))
kind("ds-and-digest", "secure")(ds(right, lambda z: z.keys[0].ds(z.name, 99)))
kind("ds-and-algorithm", "secure")(ds(right, lambda z: z.keys[0].ds(z.name, 2, 200)))
kind("ds-downgrade", "secure")(ds(lambda z: right(z, 1), lambda z: z.keys[0].ds(z.name, 2, wrong=True)))
kind("ds-digest", "insecure")(ds(lambda z: z.keys[0].ds(z.name, 99)))
kind("ds-gost", "insecure")(ds(lambda z: z.keys[0].ds(z.name, 3)))
kind("ds-none-of-two", "insecure")(ds(lambda z: z.keys[0].ds(z.name, 99), lambda z: z.keys[0].ds(z.name, 2, 200)))
for number in (1, 3, 12, 200, 253, 254):
    kind(f"ds-alg{number}", "insecure")(ds(lambda z, number=number: z.keys[0].ds(z.name, 2, number)))
kind("ds-wrong", "bogus", 9)(ds(lambda z: z.keys[0].ds(z.name, 2, wrong=True)))
kind("ds-no-key", "bogus", 9)(ds(lambda z: sign.Key(z.algorithm).ds(z.name)))
kind("ds-tag", "bogus", 9)(ds(lambda z: z.keys[0].ds(z.name, 2, tag=z.keys[0].tag ^ 1)))
kind("ds-other-alg", "bogus", 9)(ds(lambda z: z.keys[0].ds(z.name, 2, 8 if z.algorithm != 8 else 13)))
kind("ds-broken-and-unknown", "bogus", 9)(ds(lambda z: z.keys[0].ds(z.name, 2, wrong=True), lambda z: z.keys[0].ds(z.name, 2, 200)))
kind("no-ds", "insecure")(ds())

kind("expired", "bogus", 7)(all_sets(times=PAST))
kind("early", "bogus", 8)(all_sets(times=FUTURE))
kind("backwards", "bogus", 6)(all_sets(times=(TIMES[1], TIMES[0])))
kind("expired-www", "bogus", 7)(only("www", ("A",), times=PAST))
kind("expired-key", "bogus", 7)(of_types("DNSKEY", times=PAST))
kind("expired-proof", "secure")(of_types("NSEC", "NSEC3", times=PAST))
kind("early-soa", "secure")(of_types("SOA", times=FUTURE))
kind("badsig", "bogus", 6)(only("www", ("A", "TXT", "AAAA"), corrupt=True))
kind("badsig-all", "bogus", 6)(all_sets(corrupt=True))
kind("badsig-key", "bogus", 6)(of_types("DNSKEY", corrupt=True))
kind("badsig-proof", "secure")(of_types("NSEC", "NSEC3", corrupt=True))
kind("badsig-alias", "secure")(of_types("CNAME", "DNAME", corrupt=True))
kind("no-sig", "bogus", 10)(all_sets(skip=True))
kind("no-sig-www", "bogus", 10)(only("www", ("A", "TXT", "AAAA"), skip=True))
kind("no-sig-key", "bogus", 10)(of_types("DNSKEY", skip=True))
kind("no-sig-soa", "secure")(of_types("SOA", skip=True))
kind("no-sig-proof", "secure")(of_types("NSEC", "NSEC3", skip=True))
kind("no-sig-alias", "secure")(of_types("CNAME", "DNAME", skip=True))
kind("no-sig-ns", "secure")(of_types("NS", skip=True))
kind("short-sig", "bogus", 6)(all_sets(length=20))
kind("sig-signer-above", "bogus", "(9|22)")(  # libunbound fails on some of these
    lambda z: all_sets(signer=str(z.origin.parent()))(z))
kind("sig-signer-beside", "bogus", 6)(lambda z: all_sets(signer="ok13.alpha.")(z))
kind("sig-signer-below", "bogus", 6)(lambda z: all_sets(signer="www." + z.name)(z))
kind("sig-labels-more", "bogus", 6)(only("www", ("A", "TXT", "AAAA"), labels=7))
kind("sig-labels-less", "bogus", 6)(only("www", ("A", "TXT", "AAAA"), labels=2))
kind("sig-labels-none", "bogus", 6)(only("www", ("A", "TXT", "AAAA"), labels=0))
kind("sig-tag", "bogus", 10)(lambda z: all_sets(tag=z.keys[0].tag ^ 1)(z))
kind("sig-alg", "bogus", 10)(all_sets(algorithm=200))
kind("sig-ttl", "secure")(all_sets(ttl=60))


@kind("sig-other-key", "bogus", 9)
def sig_other_key(z):
    key = sign.Key(z.algorithm)
    z.tweak = lambda name, rdtype: {} if rdtype == "DNSKEY" else {"key": key}


@kind("sig-two", "secure")
def sig_two(z):
    z.tweak = lambda name, rdtype: [{"times": PAST}, {}]


@kind("sig-unknown-and-right", "secure")
def sig_unknown_and_right(z):
    z.tweak = lambda name, rdtype: [{"algorithm": 200}, {}]


@kind("changed", "bogus", 6)
def changed(z):
    z.lines = lambda lines: [(n, t, "192.0.2.9" if (t, x) == ("A", "192.0.2.1") else x) for n, t, x in lines]


kind("no-key", "bogus", 9)(without(lambda z, name, rdtype, text: rdtype != "DNSKEY" and not text.startswith("DNSKEY ")))


def another_flag(flags):
    def function(z):
        z.keys = [z.keys[0].as_other(flags)]

    return function


kind("no-sep", "secure")(another_flag(256))
kind("no-zone-key", "bogus", 11)(another_flag(1))
kind("revoked", *(("bogus", 6) if libunbound.version() >= (1, 26) else ("secure",)))(another_flag(385))


@kind("key-protocol", "bogus", 6)
def key_protocol(z):
    z.keys = [sign.Key(z.algorithm, 257, 2)]


def split_keys(z):
    z.keys.append(sign.Key(z.algorithm, 256))
    z.signers = lambda name, rdtype: [z.keys[0] if rdtype == "DNSKEY" else z.keys[1]]


kind("two-keys", "secure")(split_keys)


@kind("standby-key", "secure")
def standby_key(z):
    z.keys.append(sign.Key(z.algorithm))
    z.signers = lambda name, rdtype: z.keys[:1]


@kind("no-zone-signing-key", "bogus", 9)
def no_zone_signing_key(z):
    split_keys(z)
    other = z.keys.pop()
    z.signers = lambda name, rdtype: [z.keys[0] if rdtype == "DNSKEY" else other]


@kind("two-algorithms", "secure")
def two_algorithms(z):
    z.keys.append(sign.Key(8))
    z.ds = lambda child: [k.ds(child.name) for k in child.keys]


@kind("one-of-two-algorithms", "secure")
def one_of_two_algorithms(z):
    two_algorithms(z)
    z.signers = lambda name, rdtype: z.keys if rdtype == "DNSKEY" else z.keys[:1]


kind("no-proof", "secure")(gone("@", "www", "a.b.deep", "b.deep", "deep", "none", "none.none", "*", "x.wild", "*.wild", "mail", "sub"))
kind("no-proof-of-name", "secure")(gone("none"))
kind("no-proof-of-wildcard", "secure")(gone("*"))
kind("no-proof-of-type", "secure")(gone("www"))
kind("no-proof-of-apex", "secure")(gone("@"))
kind("no-proof-in-wildcard", "secure")(gone("x.wild"))
kind("no-proof-of-cut", "secure")(gone("sub"))


def bits(owner, add="", remove=""):
    def function(z):
        z.bitmap = lambda name, types: types if name != z.full(owner) else (types | set(add.split())) - set(remove.split())

    return function


kind("bit-more", "secure")(bits("www", "MX"))
kind("bit-cname", "secure")(bits("www", "CNAME"))
kind("bits-of-a-cut", "secure")(bits("www", "NS"))
kind("bit-ns-missing", "secure")(bits("sub", remove="NS"))
kind("bit-ds-more", "secure")(bits("sub", "DS"))
kind("bit-soa-more", "secure")(bits("sub", "SOA"))
kind("bit-dname", "secure")(bits("deep", "DNAME"))


@kind("wildcard-copied", "secure")
def wildcard_copied(z):
    z.add("copy.wild", "A", "192.0.2.2")
    z.tweak = lambda name, rdtype: {"labels": 3} if name == z.full("copy.wild") and rdtype == "A" else {}


@kind("ds-at-child", "secure")
def ds_at_child(z):
    z.add("@", "DS", sign.Key(13).ds(z.name))
