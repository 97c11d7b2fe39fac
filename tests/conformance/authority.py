#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The honest upstream of the conformance tests: what a good resolver says, by the first label of the name.

usage: authority.py PORT LOGFILE       one JSON object a line for each query

A first label is WORD[-NUMBER[-NUMBER]]; the labels behind it only make names distinct. Types it knows (RECORDS) are answered
whatever the word, but for these:
  nx, nodata      [-SOA_TTL[-MINIMUM]]     no such name, no such data, with the SOA; nxbare, nodatabare: without it
  cnamenx, cnamenodata  an alias of a name that is not, or has no such data; asked for the alias itself: that
  cname, dname    an alias of a.REST, followed;  ttls: one RRset with three TTLs;  order: four addresses
  ttlof-0123456789  that TTL, ten digits
  raw-LENGTH[-TTL]  LENGTH bytes of rdata whatever the type: no name in it may be read
  big-COUNT[-MS]  COUNT texts of 200 bytes, cut at what the client takes; whole ones late
  wide-BYTES      a set of the asked type with that many bytes of records or a few more, cut like big
  rcode-N, ede-N  that rcode; SERVFAIL with that extended error
  signed          with AD, and RRSIGs where DO asks for them;  any: several types for ANY
  signednx, signednodata, signedwild  with SOA or answer, and for DO the NSEC and RRSIGs that prove it; provenx: for all
  turns-TTL       another address each time;  gone-TTL: an address for a second, then no such name
  scope-N         with that scope in the client's subnet, where the query has one;  scopeless: without the option
  wait-MS         late;  dead: never;  flaky-N: the first N queries of that name get no answer
  upper           every owner in upper case;  name: the rdata has names in mixed case
"""
import json
import pathlib
import struct
import sys
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from dnswire import OWN, record
from scripted import Late, Server

RECORDS = {
    "A": "198.18.200.1", "AAAA": "fd53:0:0:c8::1", "TXT": '"conformance" "second string"', "MX": "10 Mail.c.example.",
    "NS": "Ns.c.example.", "SRV": "1 2 5060 Sip.c.example.", "PTR": "Host.c.example.", "CAA": '0 issue "ca.example"',
    "HTTPS": "1 . alpn=h2,h3", "SVCB": "1 Svc.c.example. alpn=dot", "NAPTR": '100 10 "u" "sip" "!^.*$!sip:i@c.example!" .',
    "SOA": "Ns.c.example. Hostmaster.c.example. 7 3600 900 604800 60", "DNAME": "Other.c.example.",
    "DS": "1 13 2 " + "ab" * 32, "TLSA": "3 1 1 " + "cd" * 32, "SSHFP": "4 2 " + "ef" * 32,
    "LOC": "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m", "HINFO": '"CPU" "OS"', "RP": "Me.c.example. T.c.example.",
    "RRSIG": "A 13 3 300 20380101000000 20250101000000 1 c.example. " + "AAAA" * 16,
}
SOA = "ns.c.example. hostmaster.c.example. 7 3600 900 604800 %d"
APEX = dns.name.from_text("c.example.")
tries = {}
lock = threading.Lock()


def subnets(query):
    return [option for option in query.options if isinstance(option, dns.edns.ECSOption)]


def rrset(owner, rdtype, ttl, *texts):
    return dns.rrset.from_text(owner, ttl, "IN", rdtype, *texts)


def generic(owner, rdtype, ttl, data):
    rdata = dns.rdata.GenericRdata(dns.rdataclass.IN, rdtype, data)
    out = dns.rrset.RRset(owner, dns.rdataclass.IN, rdtype)
    out.add(rdata, ttl)
    return out


def negative(reply, owner, numbers, rcode):
    ttl = numbers[0] if numbers else 60
    reply.set_rcode(rcode)
    reply.authority.append(rrset(APEX, "SOA", ttl, SOA % (numbers[1] if len(numbers) > 1 else ttl)))


def records(owner, rdtype, word, numbers):
    """The answer section, or None if the reply has no records."""
    ttl, text = 300, dns.rdatatype.to_text(rdtype)
    if word in ("a", "ttl") and numbers:
        ttl = numbers[0]
    if word == "raw":
        ttl = numbers[1] if len(numbers) > 1 else ttl
        return [generic(owner, rdtype, ttl, bytes((0xc0 | i & 1) if i % 2 == 0 else 0x0c for i in range(numbers[0])))]
    if word == "turns" and text == "A":
        return [rrset(owner, "A", numbers[0], f"198.18.201.{count_up(owner) % 250}")]
    if word == "order" and text == "A":
        return [rrset(owner, "A", ttl, *(f"198.18.200.{i}" for i in range(1, 5)))]
    if word == "any" or text == "ANY":
        return [rrset(owner, kind, ttl, RECORDS[kind]) for kind in ("A", "AAAA", "TXT", "MX")]
    if word == "empty" or text not in RECORDS:
        return None
    return [rrset(owner, text, ttl, RECORDS[text])]


def count_up(owner):
    """How many times this was asked."""
    with lock:
        tries[owner] = tries.get(owner, 0) + 1
        return tries[owner]


def signature(owner, ttl, kind):
    return rrset(owner, "RRSIG", ttl, kind + RECORDS["RRSIG"][1:])


def proof(reply, owner):
    """That there is nothing, or only a wildcard: NSEC and the signatures (RFC 4035 3.1.3)."""
    if reply.authority:
        reply.authority.append(signature(APEX, reply.authority[0].ttl, "SOA"))
    else:
        reply.answer.append(signature(owner, 300, "A"))
    reply.authority.append(rrset(APEX, "NSEC", 60, "zz.c.example. SOA RRSIG NSEC"))
    reply.authority.append(signature(APEX, 60, "NSEC"))


def with_aliases(owner, rdtype, word, numbers):
    rest = dns.name.Name(owner.labels[1:])
    target = dns.name.Name((b"a",) + rest.labels)
    if word == "cname" and rdtype != dns.rdatatype.CNAME:
        return [rrset(owner, "CNAME", 200, target.to_text())] + (records(target, rdtype, "a", []) or [])
    if word == "cname":
        return [rrset(owner, "CNAME", 200, target.to_text())]
    if word == "dname":  # RFC 6672: the DNAME, and the CNAME made of it
        source, other = dns.name.Name(rest.labels), dns.name.from_text("other.c.example.")
        alias = dns.name.Name(owner.labels[:1] + other.labels)
        return [rrset(source, "DNAME", 200, other.to_text()), rrset(owner, "CNAME", 200, alias.to_text())] + (
            records(alias, rdtype, "a", []) or [])
    return records(owner, rdtype, word, numbers)


def answer(query, word, numbers):
    """The reply, or None for silence."""
    reply = dns.message.make_response(query, recursion_available=True, our_payload=1232)
    owner, rdtype = query.question[0].name, query.question[0].rdtype
    if word == "dead":
        return None
    if word == "flaky" and count_up(owner) <= numbers[0]:
        return None
    if word == "gone":
        with lock:
            word = "ttl" if time.monotonic() - tries.setdefault(owner, time.monotonic()) < 1 else "nx"
    if word in ("nx", "nodata"):
        negative(reply, owner, numbers, dns.rcode.NXDOMAIN if word == "nx" else dns.rcode.NOERROR)
    elif word in ("signednx", "signednodata", "signedwild", "provenx"):
        if word == "signedwild":
            reply.answer = records(owner, rdtype, "a", [])
        else:
            negative(reply, owner, [], dns.rcode.NOERROR if word == "signednodata" else dns.rcode.NXDOMAIN)
        if query.ednsflags & dns.flags.DO or word == "provenx":
            proof(reply, owner)
    elif word in ("cnamenx", "cnamenodata"):
        target = dns.name.Name((b"missing",) + owner.labels[1:])
        reply.answer.append(rrset(owner, "CNAME", 200, target.to_text()))
        if rdtype != dns.rdatatype.CNAME:
            negative(reply, owner, numbers, dns.rcode.NXDOMAIN if word == "cnamenx" else dns.rcode.NOERROR)
    elif word in ("nxbare", "nodatabare"):
        reply.set_rcode(dns.rcode.NXDOMAIN if word == "nxbare" else dns.rcode.NOERROR)
    elif word == "rcode":
        reply.set_rcode(numbers[0])
    elif word == "ede":
        reply.set_rcode(dns.rcode.SERVFAIL)
        reply.use_edns(0, 0, 1232, options=[dns.edns.EDEOption(numbers[0], "said upstream")])
    else:
        reply.answer = with_aliases(owner, rdtype, word, numbers) or []
        if not reply.answer:
            negative(reply, owner, [], dns.rcode.NOERROR)
        for o in subnets(query) if word == "scope" else []:
            reply.use_edns(0, 0, 1232, options=[dns.edns.ECSOption(o.address, o.srclen, numbers[0])])
        if word == "signed":
            reply.flags |= dns.flags.AD
            if query.ednsflags & dns.flags.DO:
                reply.answer.append(signature(owner, 300, dns.rdatatype.to_text(rdtype)))
    return reply


def wires(query, reply, q):
    """What is sent for it."""
    limit = 65535 if q.proto == "tcp" else max(512, query.payload if query.edns >= 0 else 512)
    if q.word in ("ttls", "ttlof"):
        # What dnspython does not say: an RRset with three TTLs, an error (RFC 2181 5.2), or with any number of 32 bits.
        ttls = (300, 100, 200) if q.word == "ttls" else q.numbers * 3
        yield q.reply(*(q.address(bytes([198, 18, 200, i]), ttl) for i, ttl in enumerate(ttls)))
        return
    if q.word == "wait":
        yield Late(q.number() / 1000)
    if q.word == "big":
        # dnspython takes 0.1 s for hundreds, and a machine with other things to do much longer than an upstream has. COUNT says
        # how many, whatever the type.
        texts = [record(OWN, 16, 300, b"\xc8%03d" % i + b"x" * 197) for i in range(q.number())]
        whole = with_records(q, reply, texts, limit)
        if not whole[2] & 2:
            yield Late(sum(q.numbers[1:]) / 1000)
        yield whole
        return
    if q.word == "wide":
        yield with_records(q, reply, wide(q), limit)
        return
    if q.word == "upper":
        reply.answer = [rrset(dns.name.from_text(r.name.to_text().upper()), r.rdtype, r.ttl, *(d.to_text() for d in r))
                        for r in reply.answer]
    try:
        yield reply.to_wire(max_size=limit)
    except dns.exception.TooBig:
        yield cut(reply, dns.flags.TC)


def cut(reply, flags=0):
    """Without its records."""
    reply.answer = []
    reply.authority = []
    reply.flags |= flags
    return reply.to_wire()


def with_records(q, reply, records, limit):
    whole, end = cut(reply), 12 + len(q.question)
    out = whole[:6] + struct.pack("!H", len(records)) + whole[8:end] + b"".join(records) + whole[end:]
    return out if len(out) <= limit else cut(reply, dns.flags.TC)


def wide(q):
    """A set as it may be, of any type that may have more than one record."""
    host = b"\4%04d\xc0\x0c"
    data = {"A": b"\xc6\x12%c%c", "AAAA": b"\xfd\x53" + b"\0" * 12 + b"%c%c", "NS": host, "PTR": host, "MX": b"\0\x0a" + host,
            "SRV": b"\0\1\0\2\x13\xc4\4%04d\1c\7example\0", "HTTPS": b"\0\1\4%04d\1c\7example\0\0\1\0\3\2h2",
            "CAA": b"\0\5issueca%04d.example", "DS": b"\0\1\x0d\2" + b"%04d" * 8, "DNSKEY": b"\1\1\3\x0d" + b"%04d" * 16,
            "RRSIG": b"\0\1\x0d\3\0\0\1\x2c" + b"\x70\0\0\0\x60\0\0\0" + b"\0\1\1c\7example\0" + b"%04d" * 16,
            "TXT": b"\x40" + b"%04d" * 16}[dns.rdatatype.to_text(q.type)]
    records = []
    while sum(map(len, records)) < q.number():
        i = len(records)
        records.append(record(OWN, q.type, 300, data % ((i,) * data.count(b"%04d") or (i >> 8, i & 255))))
    return records


class Authority(Server):
    def __init__(self, port, log):
        self.log = open(log, "a", buffering=1)
        super().__init__(port)

    def remember(self, q):
        try:
            q.query = query = dns.message.from_wire(q.wire)
        except dns.exception.DNSException:
            q.query = None
            return
        entry = {"time": time.monotonic(), "proto": q.proto, "port": q.source, "id": query.id, "flags": int(query.flags),
                 "wire": q.wire.hex()}
        if query.question:
            question = query.question[0]
            entry.update(name=question.name.to_text(), type=dns.rdatatype.to_text(question.rdtype), qclass=question.rdclass)
        if query.edns >= 0:
            entry["edns"] = {"version": query.edns, "size": query.payload, "do": bool(query.ednsflags & dns.flags.DO),
                             "flags": query.ednsflags & 0xffff, "options": [int(option.otype) for option in query.options],
                             "subnet": [f"{o.address}/{o.srclen}/{o.scopelen}" for o in subnets(query)]}
        with lock:
            self.log.write(json.dumps(entry) + "\n")

    def forks(self, q):
        return q.proto == "udp" and q.word == "wait"

    def answer(self, q):
        reply = q.query and answer(q.query, q.word, q.numbers)
        return wires(q.query, reply, q) if reply else ()


if __name__ == "__main__":
    Authority(int(sys.argv[1]), sys.argv[2]).start()
    threading.Event().wait()
