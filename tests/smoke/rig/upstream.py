#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scripted upstream: answers by the first label of the name, and writes down every query.

usage: upstream.py PORT LOGFILE [ADDRESS]        one line a query: time proto id name type [SUBNET]

ADDRESS is 127.0.0.1 if absent.
A name's first label is WORD[-TTL]; words: ok (A 198.18.200.1), serial (A with a counter in it), slow (ok after
1 s), wait (ok after 0.25 s), lag (ok after 0.3 s over UDP, for a thousand a second), dead (never), fail (SERVFAIL),
nx (NXDOMAIN with SOA), empty (NODATA), v4 (NODATA for AAAA), tc (TC over UDP, ok over TCP), lie (first a wrong id and a wrong question, then ok), big (20 TXT strings), huge (60 over TCP, TC over UDP),
near (A 198.18.X.Y where X is the last byte of the client's subnet that came and Y its source prefix length; ok
without one), n<NUMBER> (A 198.19.x.y from the number), cname_a_b (a CNAME to a.b, and its A 198.18.200.1), ip_10_0_0_1 (that A), moves (the A in the file LOGFILE.moves; no AAAA). In the log, bytes of a name that
are not printing characters are "?". A file LOGFILE.down silences it. SUBNET is that of the query (RFC 7871), as 198.18.0.0/24. Replies to such queries have the
scope /SOURCE for near, /0 for others.
"""
import os
import queue
import socket
import struct
import sys
import threading
import time

PORT, LOG = int(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
ADDRESS = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
DOWN = sys.argv[2] + ".down"
DELAYS = {"slow": 1, "wait": 0.25}  # each such query has a thread to itself
LAG = 0.3  # these have one together
serial = 0


def parse(msg):
    labels, at = [], 12
    while msg[at]:
        labels.append("".join(chr(c) if 32 < c < 127 else "?" for c in msg[at + 1:at + 1 + msg[at]]))
        at += 1 + msg[at]
    qtype = struct.unpack("!H", msg[at + 1:at + 3])[0]
    return labels, qtype, msg[12:at + 5]


def subnet(msg, question):
    """(family, source prefix length, address bytes) of the query's option, or None."""
    at = 12 + len(question) + 11
    while struct.unpack("!H", msg[10:12])[0] and at + 4 <= len(msg):
        code, size = struct.unpack("!HH", msg[at:at + 4])
        if code == 8:
            family, source, _ = struct.unpack("!HBB", msg[at + 4:at + 8])
            return family, source, msg[at + 8:at + 4 + size]
        at += 4 + size
    return None


def subnet_text(found):
    family, source, data = found
    return f" {socket.inet_ntop({1: socket.AF_INET, 2: socket.AF_INET6}[family], data + bytes((4 if family == 1 else 16) - len(data)))}/{source}"


def with_scope(out, found, scope):
    family, source, data = found
    option = struct.pack("!HHHBB", 8, 4 + len(data), family, source, scope) + data
    return out[:10] + struct.pack("!H", 1) + out[12:] + b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(option)) + option


def reply(msg, question, rcode=0, answers=(), authority=(), flags=0x8180):
    head = struct.pack("!6H", struct.unpack("!H", msg[:2])[0], flags | rcode, 1, len(answers), len(authority), 0)
    return head + question + b"".join(answers) + b"".join(authority)


def rr(owner, rtype, ttl, rdata):
    return owner + struct.pack("!HHIH", rtype, 1, ttl, len(rdata)) + rdata


def answer(msg, proto, addr):
    labels, _, question = parse(msg)
    found = subnet(msg, question)
    out = answer_of(msg, proto, found)
    near = labels and labels[0].lower().partition("-")[0] == "near"
    return [with_scope(one, found, found[1] if near else 0) for one in out] if found else out


def answer_of(msg, proto, found):
    global serial
    labels, qtype, question = parse(msg)
    LOG.write(f"{time.monotonic():.6f} {proto} {struct.unpack('!H', msg[:2])[0]} {'.'.join(labels)} {qtype}{subnet_text(found) if found else ''}\n")
    word, _, ttl = labels[0].lower().partition("-") if labels else ("ok", "", "")
    ttl = int(ttl) if ttl.isdigit() else 300
    own = b"\xc0\x0c"
    soa = rr(own, 6, 60, b"\0\0" + struct.pack("!5I", 1, 3600, 900, 604800, 60))
    if word == "dead" or os.path.exists(DOWN):
        return []
    time.sleep(DELAYS.get(word, 0))
    if word == "fail":
        return [reply(msg, question, 2)]
    if word == "nx":
        return [reply(msg, question, 3, authority=[soa])]
    if word in ("tc", "huge") and proto == "udp":
        return [reply(msg, question, flags=0x8380)]
    if word == "moves" and qtype == 1:
        with open(sys.argv[2] + ".moves") as file:
            return [reply(msg, question, answers=[rr(own, 1, ttl, socket.inet_aton(line)) for line in file.read().split()])]
    if word == "empty" or word == "moves" or (word == "v4" and qtype == 28) or qtype not in (1, 16, 28):
        return [reply(msg, question, authority=[soa])]
    if qtype == 16 or word == "big":
        text = [rr(own, 16, ttl, bytes([200]) + b"x" * 199 + bytes([65 + i])) for i in range(60)]
        return [reply(msg, question, answers=text[:{"big": 20, "huge": 60}.get(word, 1)])]
    if word == "serial":
        serial += 1
        rdata = bytes([198, 18, serial >> 8 & 255, serial & 255])
    elif word == "near" and found:
        rdata = bytes([198, 18, found[2][-1] if found[2] else 0, found[1]])
    elif word[:1] == "n" and word[1:].isdigit():
        rdata = bytes([198, 19, int(word[1:]) >> 8 & 255, int(word[1:]) & 255])
    else:
        rdata = bytes([198, 18, 200, 1])
    if labels and labels[0].lower().startswith("ip_"):
        rdata = bytes(int(byte) for byte in labels[0].split("_")[1:])
    if qtype == 28:
        rdata = bytes.fromhex("fd53") + b"\0" * 12 + rdata[2:]
    good = reply(msg, question, answers=[rr(own, qtype, ttl, rdata)])
    if labels and labels[0].lower().startswith("cname_"):
        target = b"".join(bytes([len(part)]) + part.encode() for part in labels[0].split("_")[1:]) + b"\0"
        good = reply(msg, question, answers=[rr(own, 5, ttl, target), rr(target, qtype, ttl, rdata)])
    if word == "lie":
        wrong_id = struct.pack("!H", struct.unpack("!H", msg[:2])[0] ^ 1) + good[2:]
        return [good[:12] + b"\x04evil" + good[12 + 5:], wrong_id, good]
    return [good]


def serve_udp():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind((ADDRESS, PORT))

    def send(replies, addr):
        for out in replies:
            try:
                sock.sendto(out, addr)
            except OSError:  # the interface is away with its data plane
                pass

    def one(msg, addr):
        send(answer(msg, "udp", addr), addr)

    lagging = queue.SimpleQueue()

    def in_turn():
        while True:
            due, replies, addr = lagging.get()
            time.sleep(max(due - time.monotonic(), 0))
            send(replies, addr)

    threading.Thread(target=in_turn, daemon=True).start()
    while True:
        msg, addr = sock.recvfrom(65535)
        if msg[13:17].lower() in (b"slow", b"wait"):
            threading.Thread(target=one, args=(msg, addr), daemon=True).start()
        elif msg[13:17].lower() == b"lag-":
            lagging.put((time.monotonic() + LAG, answer(msg, "udp", addr), addr))
        else:
            one(msg, addr)


def serve_tcp():
    server = socket.create_server((ADDRESS, PORT), reuse_port=False)
    while True:
        conn, addr = server.accept()
        conn.settimeout(3)
        try:
            size = struct.unpack("!H", conn.recv(2, socket.MSG_WAITALL))[0]
            for out in answer(conn.recv(size, socket.MSG_WAITALL), "tcp", addr):
                conn.sendall(struct.pack("!H", len(out)) + out)
        except (OSError, struct.error):
            pass
        conn.close()


threading.Thread(target=serve_tcp, daemon=True).start()
serve_udp()
