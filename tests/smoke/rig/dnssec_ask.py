#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks a server the questions of standard input (NAME TYPE a line), with and without DO, and prints a line for each:
rcode, AD, and types and numbers of the records of the answer. usage: dnssec_ask.py ADDRESS PORT"""
import socket
import sys
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype


def ask(address, port, name, rdtype, want_dnssec):
    query = dns.message.make_query(name, rdtype, want_dnssec=want_dnssec)
    query.flags |= dns.flags.AD
    for attempt in range(4):
        try:
            reply = dns.query.udp_with_fallback(query, address, timeout=8, port=port)[0]
        except (dns.exception.Timeout, socket.error, EOFError):
            time.sleep(0.2)
            continue
        return reply
    return None


def line(reply):
    if reply is None:
        return "no answer"
    rcode = dns.rcode.to_text(reply.rcode())
    ad = "AD" if reply.flags & dns.flags.AD else "--"
    records = sorted(f"{dns.rdatatype.to_text(s.rdtype)}*{len(s)}" for s in reply.answer)
    return f"{rcode} {ad} {' '.join(records)}"


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    for question in sys.stdin:
        name, rdtype = question.split()
        for want_dnssec in (False, True):
            print(name, rdtype, "DO" if want_dnssec else "--", line(ask(address, port, name, rdtype, want_dnssec)))


main()
