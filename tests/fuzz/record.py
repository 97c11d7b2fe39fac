#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Real packets as fuzz inputs.

usage: record.py capture FILE IFACE     the frames of the interface, as a capture, until a signal
       record.py seeds FILE... CORPUS   DNS messages of captures into the folders below CORPUS

clients_test.sh records where WEIR_RECORD names a folder. Of messages that look alike the first is taken. Queries to port
53 go to dns_query, front, dns_ldns and dns_opt, replies from any port to dns_answer and dns_ldns, and frames with queries to
pcap, as one capture.
"""
import hashlib
import pathlib
import signal
import socket
import struct
import sys

HEAD = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)

RRSIG = b"\0\x2e\0\1"


def capture(path, iface):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((iface, 0))
    with open(path, "wb", buffering=0) as f:
        f.write(HEAD)
        while True:
            frame = sock.recv(65535)
            f.write(struct.pack("=4I", 0, 0, len(frame), len(frame)) + frame)


def frames(path):
    data = pathlib.Path(path).read_bytes()
    at = len(HEAD)
    while at + 16 <= len(data):
        size = struct.unpack_from("=I", data, at + 8)[0]
        yield data[at + 16:at + 16 + size]
        at += 16 + size


def udp_of(frame):
    """Ports and message; None: no whole UDP packet."""
    if frame[12:14] == b"\x08\0" and frame[23] == 17:
        at = 14 + 4 * (frame[14] & 15)
    elif frame[12:14] == b"\x86\xdd" and frame[20] == 17:
        at = 54
    else:
        return None
    source, to, size = struct.unpack_from("!3H", frame, at)
    return (source, to, frame[at + 8:at + size]) if at + size <= len(frame) else None


def question_end(msg):
    at = 12
    while at < len(msg) and 0 < msg[at] < 64:
        at += 1 + msg[at]
    return at + 5


def opt_of(msg):
    """What stands behind a query's OPT owner, type and class; None: it has none, or other records."""
    at = question_end(msg)
    return msg[at + 3:] if struct.unpack_from("!H", msg, 10)[0] == 1 and msg[at:at + 3] == b"\0\0\x29" else None


def options(opt):
    at, codes = 8, []
    while at + 4 <= len(opt):
        code, size = struct.unpack_from("!HH", opt, at)
        codes.append((code, size))
        at += 4 + size
    return tuple(codes)


def look(msg):
    counts = struct.unpack_from("!4H", msg, 4)
    end = question_end(msg)
    if msg[2] & 0x80:
        return msg[2] & 2, msg[3] & 15, msg[end - 4:end], counts[1] > 0, counts[2] > 0, RRSIG in msg[end:]
    opt = opt_of(msg)
    return msg[2:4], counts, msg[end - 4:end], opt and (opt[:6], options(opt))


def keep(folder, what, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"real_{what}_{hashlib.sha256(data).hexdigest()[:8]}").write_bytes(data)


def seeds(paths, corpus):
    seen, played = set(), []
    for frame in (f for path in paths for f in frames(path)):
        source, to, msg = udp_of(frame) or (0, 0, b"")
        if len(msg) < 17 or msg[4:6] != b"\0\1":
            continue
        is_reply = bool(msg[2] & 0x80)
        if (is_reply and to == 53) or (not is_reply and to != 53) or look(msg) in seen:
            continue
        seen.add(look(msg))
        if is_reply:
            keep(corpus / "dns_answer", "reply", msg)
            keep(corpus / "dns_ldns", "reply", b"\1" + msg)
            continue
        played.append(frame)
        keep(corpus / "dns_query", "query", msg)
        keep(corpus / "dns_ldns", "query", b"\0" + msg)
        keep(corpus / "frontend", "query", bytes([len(played) % 4]) + msg)
        opt = opt_of(msg)
        if opt:
            keep(corpus / "dns_opt", "opt", b"\0" + opt[:6] + opt[8:])
    played = b"".join(struct.pack("=4I", 0, 0, len(f), len(f)) + f for f in played)
    (corpus / "pcap" / "real").write_bytes(HEAD + played[:16000])


if __name__ == "__main__":
    if sys.argv[1] == "capture":
        capture(*sys.argv[2:4])
    else:
        seeds(sys.argv[2:-1], pathlib.Path(sys.argv[-1]))
