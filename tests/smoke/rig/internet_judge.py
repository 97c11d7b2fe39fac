#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares answers of dnssec_ask.py: rcode, AD and records of weir with those of unbound and BIND. Prints a line for each
question that differs and is not in a table here, and exits with 1 if there is one; with 2 if asking again cannot make it right:
unbound and BIND have answers, and weir one whose AD or records neither has. usage: internet_judge.py UNBOUND BIND WEIR"""
import re
import sys

# Questions about which unbound and BIND disagree, or one of them is not always of the same opinion: weir's answer is one of
# theirs.
DISAGREE = (
    (r"\.n3-flag\.", "NSEC3 with an unknown flag: to unbound no proof (RFC 5155 8.2), to BIND one"),
    (r"^(no-zone-key|key-protocol)\.\S+ DNSKEY", "the keys themselves, where none is a key of DNSSEC: BIND gives them"),
    (r"(^|\.)ds-downgrade\.", "a wrong SHA-256 digest beside a right SHA-1 one: BIND does not look at SHA-1 (RFC 4509 3)"),
    (r"(^|\.)sig-two\.", "an expired signature before a valid one: BIND gives up after one failure (CVE-2023-50387)"),
    (r"(^|\.)revoked\.", "a revoked key with a DS: unbound 1.17 takes it, as RFC 5011 is for trust anchors alone"),
    (r"(^|\.)(n3-51|n3-150)\.", "NSEC3 of more than 50 iterations: BIND 9.20 takes no more"),
    (r"(^|\.)(early|no-sig)-soa\.", "a negative answer whose SOA is not signed: to unbound bogus, to BIND insecure"),
    (r"^mail\.sig-labels-none\.", "a signature of no labels in the additional section: BIND gives no answer then"),
    (r"\.ds-at-child\.beta\.", "an NSEC3 of the apex that has DS: to BIND no proof"),
    (r"\.no-sig-proof\.beta\.", "an NSEC3 without a signature beside an alias into another zone: BIND gives no answer"),
    (r"(^|\.)down\.(n3-500|n3-51|n3-150|n3-151)\.", "a signed zone below a proof of many iterations: other limits"),
    (r"(^|\.)down\.(expired-proof|no-proof-of-cut|bit-ns-missing)\.", "a DS or none beside a broken proof in the parent zone"),
)
# Debian builds libunbound with Nettle, which has no Ed448: weir's answers are those of a zone that is not signed.
NO_ED448 = re.compile(r"(^|\.)(n3-)?ok16\.|(^|\.)zeta\.")


def read(path):
    answers = {}
    with open(path, encoding="utf-8") as f:
        for text in f:
            question, rcode, ad, _, records = text.rstrip("\n").split("\t")
            answers[question] = (rcode, ad, records)
    return answers


def is_right(question, unbound, bind, weir):
    if NO_ED448.search(question):
        return unbound == bind and weir in (unbound, (unbound[0], "-", unbound[2]))
    if any(re.search(pattern, question) for pattern, _ in DISAGREE):
        return weir in (unbound, bind)
    return weir == unbound == bind


def is_final(unbound, bind, weir):
    others = (unbound, bind)
    if any(rcode in ("SERVFAIL", "no answer") for rcode, _, _ in others):
        return False
    return any(weir[i] not in ("", "-") and all(weir[i] != other[i] for other in others) for i in (1, 2))


def main():
    unbound, bind, weir = (read(path) for path in sys.argv[1:4])
    wrong = [q for q in unbound if not is_right(q, unbound[q], bind[q], weir[q])]
    for q in wrong:
        print(q)
        for name, answers in (("unbound", unbound), ("BIND", bind), ("weir", weir)):
            print(f"  {name}: {' '.join(answers[q])[:300]}", file=sys.stderr)
    final = any(is_final(unbound[q], bind[q], weir[q]) for q in wrong)
    sys.exit(2 if final else 1 if wrong else 0)


main()
