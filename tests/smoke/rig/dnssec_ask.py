#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks a server the questions of standard input (NAME TYPE a line) with DO and AD, some at a time, and prints a line for each,
in their order: question, rcode, AD, Extended DNS Errors, and the records of the answer without their TTLs. Parts are
separated by tabs. usage: dnssec_ask.py ADDRESS PORT [AT_A_TIME]

dnssec_ask.py ADDRESS PORT counts: one after the other, without and with DO; of the answer the types and how many records."""
import select
import socket
import sys
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

TRY_S, TRIES = 6, 4


def line(question, reply):
    if reply is None:
        return f"{question}\tno answer\t-\t-\t"
    ad = "AD" if reply.flags & dns.flags.AD else "-"
    ede = ",".join(sorted(str(int(o.code)) for o in reply.options if isinstance(o, dns.edns.EDEOption))) or "-"
    answer = sorted(f"{s.name.to_text().lower()} {dns.rdatatype.to_text(s.rdtype)} {r.to_text()}" for s in reply.answer for r in s)
    return f"{question}\t{dns.rcode.to_text(reply.rcode())}\t{ad}\t{ede}\t{' ; '.join(answer)}"


def counted(question, do, reply):
    if reply is None:
        return f"{question} {do} no answer"
    ad = "AD" if reply.flags & dns.flags.AD else "--"
    records = sorted(f"{dns.rdatatype.to_text(s.rdtype)}*{len(s)}" for s in reply.answer)
    return f"{question} {do} {dns.rcode.to_text(reply.rcode())} {ad} {' '.join(records)}"


def by_tcp(address, port, wire):
    import dns.query

    try:
        return dns.query.tcp(dns.message.from_wire(wire), address, timeout=10, port=port)
    except (dns.exception.DNSException, OSError, EOFError):
        return None


class Client:
    def __init__(self, address, port, questions, at_a_time):
        self.to, self.questions, self.at_a_time = (address, port), questions, at_a_time
        self.replies, self.flight, self.next = {}, {}, 0

    def send(self, i, attempt):
        name, rdtype, do = *self.questions[i][0].split(), self.questions[i][1] == "DO"
        query = dns.message.make_query(name, rdtype, want_dnssec=do, payload=4096 if do else None)
        query.flags |= dns.flags.AD
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect(self.to)
        wire = query.to_wire()
        s.send(wire)
        self.flight[s] = (i, attempt, time.monotonic() + TRY_S, query, wire)

    def receive(self, s):
        i, attempt, _, query, wire = self.flight.pop(s)
        try:
            reply = dns.message.from_wire(s.recv(65535), ignore_trailing=True)
        except (OSError, dns.exception.DNSException):
            reply = None
        s.close()
        if reply is not None and query.is_response(reply):
            self.replies[i] = by_tcp(*self.to, wire) if reply.flags & dns.flags.TC else reply
        elif attempt < TRIES:
            self.send(i, attempt + 1)

    def late(self):
        for s, (i, attempt, until, _, _) in list(self.flight.items()):
            if time.monotonic() > until:
                del self.flight[s]
                s.close()
                if attempt < TRIES:
                    self.send(i, attempt + 1)

    def run(self):
        while self.next < len(self.questions) or self.flight:
            while self.next < len(self.questions) and len(self.flight) < self.at_a_time:
                self.send(self.next, 1)
                self.next += 1
            for s in select.select(list(self.flight), [], [], 0.5)[0]:
                self.receive(s)
            self.late()
        return self.replies


def main():
    how = sys.argv[3] if len(sys.argv) > 3 else 16
    dos, at_a_time = (("--", "DO"), 1) if how == "counts" else (("DO",), int(how))
    questions = [(question, do) for question in sys.stdin.read().splitlines() for do in dos]
    replies = Client(sys.argv[1], int(sys.argv[2]), questions, at_a_time).run()
    for i, (question, do) in enumerate(questions):
        print(counted(question, do, replies.get(i)) if how == "counts" else line(question, replies.get(i)))


main()
