#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Rule images against a reference that shares nothing with them: plain sets of names, and its own reading of the lists.

usage: reference_test.py RULEC [--names N] [--seed S] [--keep DIR]

Seven made-up lists with N names in all, which overlap and lie below one another: hosts, domains and wildcards, AdBlock
(exceptions, $important, $denyallow, $dnstype, $badfilter, |name|, stars within names), dnsmasq, RPZ, a list of names to allow. `rulec` makes an image of
them and gets queries for every name of the lists, each parent and a child of each, look-alikes, and as many random names. Each
verdict must be that of the reference: the action, the name and class of the rule, and the lists that hold it. Query types
of every name (`||*^$dnstype=HTTPS`) are patterns, which `rulec why` knows: it gets some names of each verdict. Reports false
blocks, misses, and other differences; any of them fails.
"""
import argparse
import functools
import os
import random
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench"))
import lists_corpus  # noqa: E402

# What these lists hold of what the parser refuses, by its reasons.
REFUSED = {"com": "single_label", "xyz": "single_label", "co.uk": "public_suffix", "com.br": "public_suffix"}
IMPORTANT_ALLOW, IMPORTANT_BLOCK, ALLOW, BLOCK = range(4)  # in the order in which they decide
CLASSES = ("important_allow", "important_block", "allow", "block")
SELF, BELOW = 1, 2


class Reference:
    """For each class of rules: name -> [(list, covers, types, base, looks)]. types: None or a set of the types it is for; looks: None
    or an expression for the whole name."""

    def __init__(self):
        self.rules = [{} for _ in range(4)]
        self.excepts = {}  # name -> rules farther up that do not count: (list, name, types)
        self.existing = set()  # names of the policy zone
        self.every = []  # rules for every name: (class, list, line, types)
        self.taken, self.refused = {}, {}

    def add(self, source, rule_class, name, covers=SELF | BELOW, types=None, base=None, looks=None):
        name = name.lower().rstrip(".")
        if name in REFUSED:
            of = self.refused.setdefault(source, {})
            of[REFUSED[name]] = of.get(REFUSED[name], 0) + 1
            return
        self.taken[source] = self.taken.get(source, 0) + 1
        self.rules[rule_class].setdefault(name, []).append((source, covers, types, base, looks))

    def add_except(self, source, name, of, types):
        self.taken[source] = self.taken.get(source, 0) + 1
        self.excepts.setdefault(name, set()).add((source, of, types))

    def add_zone(self, source, rule_class, name, covers):
        self.add(source, rule_class, name, covers, base="zone")
        if name.lower().rstrip(".") not in REFUSED:
            self.existing.update(parents(name))

    def add_every(self, source, rule_class, line, types):
        self.taken[source] = self.taken.get(source, 0) + 1
        self.every.append((rule_class, source, line, types))

    def decide_every(self, name, qtype):
        """With the rules for every name, which beat what a weaker class lets pass."""
        decided = self.decide(name, qtype)
        of = CLASSES.index(decided[2]) if decided[2] else len(CLASSES)
        stronger = sorted(rule for rule in self.every if qtype in rule[3] and decided[0] == "pass" and rule[0] < of)
        return ("block", stronger[0][2], CLASSES[stronger[0][0]], {stronger[0][1]}) if stronger else decided

    def names(self):
        return set().union(*self.rules, self.excepts)

    @functools.cached_property
    def known(self):
        """Names that any rule is about, once all lists are read."""
        return self.names() | self.existing

    def decide(self, name, qtype):
        chain = [at for at in parents(name) if at in self.known]
        if not chain:
            return "pass", None, None, set()
        encloser = next((at for at in chain if at in self.existing), None)
        found = {}
        for rule_class, rules in enumerate(self.rules):
            gone = set()
            for at in chain:
                need, held = SELF if at == name else BELOW, rules.get(at, ())
                lists = {s for s, covers, types, base, looks in held
                         if covers & need and (types is None or qtype in types) and (not looks or looks.search(name))
                         and not (base == "excepted" and (s, at, types) in gone)
                         and not (base == "zone" and at != encloser)} if held else ()
                if lists:
                    zone = {s for s, _, _, base, _ in held if base == "zone"}
                    for of, which in (("zone", lists & zone), ("list", lists - zone)):
                        if which:
                            found.setdefault((rule_class, of), (at, which))
                if rule_class == BLOCK and at in self.excepts:
                    gone |= {e for e in self.excepts[at] if e[2] is None or qtype in e[2]}
        # The zone's nearest rule comes between what lists allow and what they block.
        zone = sorted((-len(found[k, "zone"][0]), k) for k in (ALLOW, BLOCK) if (k, "zone") in found)
        order = [(IMPORTANT_ALLOW, "list"), (IMPORTANT_BLOCK, "list"), (ALLOW, "list"),
                 *((k, "zone") for _, k in zone[:1]), (BLOCK, "list")]
        for key in order:
            if key in found:
                at, lists = found[key]
                return "pass" if key[0] in (IMPORTANT_ALLOW, ALLOW) else "block", at, CLASSES[key[0]], lists
        return "pass", None, None, set()


def parents(name):
    """The name, and all above it."""
    chain = [name]
    while "." in chain[-1]:
        chain.append(chain[-1].partition(".")[2])
    return chain


# One reader for each format, which are written by write_lists below.

def read_hosts(ref, source, lines):
    for line in lines:
        words = line.partition("#")[0].split()
        for word in words[1:]:
            ref.add(source, BLOCK, word)


def read_domains(ref, source, lines, rule_class=BLOCK):
    for line in lines:
        name = line.partition("#")[0].strip()
        if name:
            ref.add(source, rule_class, name[2:] if name.startswith("*.") else name)


def read_adblock(ref, source, lines):
    lines = [line.strip() for line in lines]
    off = {line[:-len("$badfilter")] for line in lines if line.endswith("badfilter")}
    for line in lines:
        if not line or line.startswith("!") or line in off or line.endswith("badfilter"):
            continue
        allow = line.startswith("@@")
        body, _, options = line[2 * allow:].partition("$")
        important = types = None
        excepted = []
        for option in filter(None, options.split(",")):
            key, _, value = option.partition("=")
            if key == "important":
                important = True
            elif key == "dnstype":
                types = frozenset(value.split("|"))
            elif key == "denyallow":
                excepted = value.split("|")
            else:
                raise ValueError(line)
        if not body.strip("|*^"):
            ref.add_every(source, IMPORTANT_BLOCK if important else BLOCK, line, types)
            continue
        covers, looks = SELF | BELOW, None
        if "*" in body.removeprefix("||*.") or body.startswith("-"):
            looks, name = read_stars(body)
            body, covers = name, BELOW
        elif body.startswith("||*."):
            body, covers = body[4:], BELOW
        elif body.startswith("||"):
            body = body[2:]
        elif body.startswith("|"):
            body, covers = body[1:], SELF
        name = body.rstrip("^|")
        for inner in excepted:
            ref.add_except(source, inner, name, types)
        ref.add(source, (IMPORTANT_ALLOW if allow else IMPORTANT_BLOCK) if important else ALLOW if allow else BLOCK,
                name, covers, types, "excepted" if excepted else None, looks)


def read_stars(body):
    """An expression for what AdGuard Home would match, and the labels that the rule ends with."""
    within = body.rstrip("^|")
    begin = r"(^|\.)" if within.startswith("||") else "^" if within.startswith("|") else ""
    within = within.lstrip("|")
    return re.compile(begin + ".*".join(map(re.escape, within.split("*"))) + "$"), re.search(r"\.([^*.]+(\.[^*.]+)*)$", within.rpartition("*")[2] if "*" in within else within)[1]


def read_dnsmasq(ref, source, lines):
    for line in lines:
        found = re.fullmatch(r"(?:address|local|server)=/(.*)/(?:0\.0\.0\.0|#)?", line.strip())
        if found:
            for name in found[1].split("/"):
                ref.add(source, BLOCK, name)


def read_rpz(ref, source, lines):
    for line in lines:
        words = line.split()
        if len(words) != 3 or words[1] != "CNAME":
            continue
        below = words[0].startswith("*.")
        ref.add_zone(source, ALLOW if words[2] == "rpz-passthru." else BLOCK, words[0][2:] if below else words[0],
                     BELOW if below else SELF)


def write_lists(count, rng, seed):
    """{file: (reader, lines)}; later lists repeat names of earlier ones and allow some of them."""
    names = lists_corpus.names(count * 4 // 5, seed)
    rng.shuffle(names)
    cut = len(names) // 10
    some = lambda share: rng.sample(names, int(count * share))  # noqa: E731
    below = lambda name: f"{rng.choice('abcdef')}{rng.randrange(100)}.{name}"  # noqa: E731
    stars = lambda name: f"{rng.choice(('*a', 'a*', 'w*', 'w*.b', '*1', 'w1*2', 'a.*c', '*.*b'))}.{name}"  # noqa: E731
    hosts = ["# hosts", "", *(f"{rng.choice(('0.0.0.0', '127.0.0.1', '::'))} {a} {b.upper()}\r" for a, b in
             zip(names[:cut * 2], names[cut * 2:cut * 4])), "0.0.0.0 com co.uk", f"0 {below(names[0])}. # and why"]
    domains = [(f"*.{n}" if rng.random() < .2 else n) + rng.choice(("", "", " ", ".", " # why")) for n in
               names[cut * 4:cut * 7] + some(.08)] + ["xyz", "*.com.br"]
    adblock = ["! AdBlock", *(f"||{n}^" for n in names[cut * 7:cut * 9] + some(.03)),
               *(f"@@||{below(n)}^" for n in some(.02)), *(f"@@||{n}^" for n in some(.01)),
               *(f"||{below(below(n))}^$important" for n in some(.01)), *(f"||{n}^$important" for n in some(.01)),
               *(f"@@||{below(n)}^$important" for n in some(.01)), *(f"|{below(n)}|" for n in some(.01)),
               *(f"||*.{below(n)}^" for n in some(.01)), *(f"||{stars(n)}^" for n in some(.02)),
               *(f"@@||{stars(n)}^|" for n in some(.01)), *(f"|{stars(n)}^$dnstype=AAAA" for n in some(.005)),
               *(f"{stars(n)}^$important" for n in some(.005)), *(f"-w.{n}^" for n in some(.005)), *(f"||{below(n)}^$dnstype=AAAA" for n in some(.005)),
               *(f"@@||{below(n)}^$dnstype=A|TXT" for n in some(.005))]
    rules = [line for line in adblock if line.startswith("||") and "$" not in line]
    adblock += [f"{line}$badfilter" for line in rng.sample(rules, len(rules) // 20)]
    adblock += ["||*^$dnstype=HTTPS|SVCB", "*$dnstype=SRV,important", "|*^$dnstype=MX", "|*^$dnstype=MX,badfilter"]
    rng.shuffle(adblock)
    for n in some(.005):
        inner = below(n)
        adblock += [f"||{n}^$denyallow={inner}|{below(n)}"] + [f"||{below(inner)}^"] * rng.randrange(2)
        adblock += [f"||{inner}^$denyallow=x.{inner}"] * rng.randrange(2) + [f"||{inner}^"] * (rng.randrange(4) == 0)
    dnsmasq = ["# dnsmasq", *(f"address=/{a}/{below(b)}/0.0.0.0" for a, b in zip(names[cut * 9:], some(.05))),
               *(f"local=/{n}/" for n in some(.01)), *(f"address=/{n}/#" for n in some(.01))]
    rpz = ["$TTL 60", "@ SOA localhost. root.localhost. 1 2 3 4 5", *(f"{n} CNAME ." for n in some(.02)),
           *(f"*.{n} CNAME ." for n in some(.02)), *(f"{below(n)} CNAME rpz-passthru." for n in some(.01)),
           *(f"*.{below(n)} CNAME *." for n in some(.01)),
           *(f"x.{below(n)} CNAME ." for n in some(.01)), *(f"*.{n} CNAME rpz-passthru." for n in some(.005))]
    allow = [below(n) for n in some(.02)] + some(.01)
    return {"hosts": (read_hosts, hosts), "domains": (read_domains, domains), "adblock": (read_adblock, adblock),
            "dnsmasq": (read_dnsmasq, dnsmasq), "rpz": (read_rpz, rpz),
            "more": (read_domains, some(.05)), "good": (lambda *a: read_domains(*a, rule_class=ALLOW), allow)}


def questions(listed, rng, seed):
    """All names, their parents, children of each, look-alikes, and as many random ones."""
    asked = set(listed)
    for name in listed:
        rest = name
        while "." in rest:
            rest = rest.partition(".")[2]
            asked.add(rest)
        asked.add(f"w{rng.randrange(1000)}.{name}")
        asked.add(f"{rng.choice(('', 'x.'))}{rng.choice('abw')}{rng.choice(('', '.'))}{rng.choice('b1c')}{rng.choice(('2', '-w'))}.{name}")
        first, _, rest = name.partition(".")
        asked.add((f"x{name}", f"{name}x", f"{first}-.{rest}", f"a.b.c.d.e.{name}", f"{first}.{first}.{rest}")[rng.randrange(5)])
    asked.update(lists_corpus.names(len(listed), seed + 1))
    asked = list(asked)
    rng.shuffle(asked)
    return asked


def refused_of(report, source):
    """{reason: count} of what rulec says of a list."""
    line = re.search(rf"^{source}: .* rejected=\d+(.*)$", report, re.M)
    return {k: int(v) for k, v in (w.split("=") for w in line[1].split())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rulec")
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="a folder for lists, questions and verdicts")
    args = parser.parse_args()
    rng, rulec = random.Random(args.seed), os.path.abspath(args.rulec)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(args.keep or scratch)
        ref = Reference()
        for title, (read, lines) in write_lists(args.names, rng, args.seed).items():
            with open(title, "w", newline="") as f:
                f.write("\n".join(lines) + "\n")
            with open(title, newline="\n") as f:
                read(ref, title, f)
        block = [t for t in ("hosts", "domains", "adblock", "dnsmasq", "rpz", "more")]
        report = subprocess.run([rulec, "compile", "-o", "image", *block, "-a", "good"], check=True,
                                capture_output=True, text=True).stdout
        bad = 0
        for title in [*block, "good"]:
            want, got = ref.refused.get(title, {}), refused_of(report, title)
            if want != got:
                bad += 1
                print(f"{title}: refused {got}, expected {want}")
        listed = sorted(ref.names())
        asked = questions(listed, rng, args.seed)
        with open("questions", "w") as f:
            f.write("\n".join(asked) + "\n")
        print(f"{len(listed)} names in {len(block) + 1} lists, {len(asked)} asked")
        for qtype in ("A", "AAAA"):
            with open("questions") as f, open(f"verdicts.{qtype}", "w") as out:
                start = time.monotonic()
                subprocess.run([rulec, "query", "--type", qtype, "image", "-"], stdin=f, stdout=out, check=True)
                took = time.monotonic() - start
            bad += compare(ref, asked, qtype, took)
        bad += compare_every(ref, asked, [rulec, "why", *(w for t in block for w in ("-l", t)), "-a", "-l", "good"])
    return 1 if bad else 0


def compare_every(ref, asked, why):
    """Asks for some names of each verdict, of types that rules for every name are for."""
    each, bad, seen = 2, 0, {}
    for name, qtype in ((name, qtype) for name in asked[:10_000] for qtype in ("HTTPS", "SRV", "MX")):
        action, at, rule_class, lists = want = ref.decide_every(name, qtype)
        is_every = any(at == rule[2] for rule in ref.every)
        of = (qtype, action, rule_class, is_every and ref.decide(name, qtype)[2])
        seen[of] = seen.get(of, 0) + 1
        if seen[of] > each:
            continue
        said = subprocess.run([*why, "--type", qtype, name], check=True, capture_output=True, text=True).stdout.partition("\n")[0]
        by = re.match(r"(blocked|allowed) by list (\w+): (.*) \(line \d+\)$", said)
        got = ("block" if said.startswith("blocked") else "pass", by and by[2])
        if got[0] != action or (got[1] or None) not in (lists or {None}) or (is_every and by[3] != at):
            bad += 1
            print(f"{name} {qtype}: {said}\n  expected {want}")
    print(f"every name: {sum(min(n, each) for n in seen.values())} verdicts of {len(seen)} kinds, {bad} others")
    # Both rules decided, the important one also what an exception allows; and exceptions beat each.
    assert {("HTTPS", "block", "block", None), ("HTTPS", "pass", "allow", False), ("SRV", "block", "important_block", "allow"),
            ("SRV", "pass", "important_allow", False), ("MX", "pass", None, False)} <= seen.keys()
    return bad


def compare(ref, asked, qtype, took):
    count = {"block": 0, "pass": 0, "false block": 0, "miss": 0, "other rule": 0}
    shown = 0
    with open(f"verdicts.{qtype}") as f:
        lines = f.read().splitlines()
    if len(lines) != len(asked):
        raise SystemExit(f"{len(lines)} verdicts for {len(asked)} names")
    for name, line in zip(asked, lines):
        head, _, tail = line.partition(" [")
        words = head.split(" ") + [None, None]  # name, action, rule, its class, how it answers
        got = (words[1], words[2], words[3], set(tail[:-1].split("] [")) if tail else set())
        want = ref.decide(name, qtype)
        count[want[0]] += 1
        if words[0] == name and got == want:
            continue
        count["other rule" if got[0] == want[0] else "miss" if want[0] == "block" else "false block"] += 1
        if (shown := shown + 1) <= 10:
            print(f"{name} {qtype}: {line}\n  expected {want}")
    print(f"{qtype}: " + ", ".join(f"{n} {what}" for what, n in count.items()) + f"; asked in {took:.2f} s")
    # All sorts of verdicts must have occurred for this to mean anything.
    assert min(count["block"], count["pass"]) * 10 > len(asked)
    return count["false block"] + count["miss"] + count["other rule"]


if __name__ == "__main__":
    sys.exit(main())
