# SPDX-License-Identifier: BSD-3-Clause
"""Queries in fragments (RFC 9715: DNS over UDP needs none), and replies that must never be any."""
import random
import socket
import struct

from harness import CLIENT, SERVICE, UDP, alike, eventually, query, verdicts
from zoo import ZOO, believed

UDP_HEADER, MORE = 8, 0x2000


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def addresses(family):
    return b"".join(socket.inet_pton(family, side[family]) for side in (CLIENT, SERVICE))


def datagram(family, port, wire):
    size = UDP_HEADER + len(wire)
    if family == socket.AF_INET:
        return struct.pack("!4H", port, 53, size, 0) + wire  # without a checksum, as IPv4 allows
    pseudo = addresses(family) + struct.pack("!II", size, 17)
    total = checksum(pseudo + struct.pack("!4H", port, 53, size, 0) + wire + bytes(len(wire) % 2))
    return struct.pack("!4H", port, 53, size, total or 0xffff) + wire


def packet6(ident, offset, data, more):
    """With a fragment header (RFC 8200 4.5)."""
    return struct.pack("!IHBB", 6 << 28, 8 + len(data), 44, 64) + addresses(socket.AF_INET6) + \
        struct.pack("!BBHI", 17, 0, offset | more, ident) + data


def packet(family, ident, offset, data, more):
    if family == socket.AF_INET6:
        return packet6(ident, offset, data, more)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), ident, offset // 8 | (MORE if more else 0), 64, 17, 0,
                       socket.inet_aton(CLIENT[socket.AF_INET]), socket.inet_aton(SERVICE[socket.AF_INET]))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data


def fragments_are_not_answered(way, cut, count=20):
    """`cut` makes (offset, bytes, more) of a datagram. No reply comes, and weir counts the fragment with the port as dropped."""
    before, rng = verdicts("drop_fragment"), random.Random(9715)
    with socket.socket(way.family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw, \
            socket.socket(way.family, socket.SOCK_DGRAM) as back:
        back.bind((CLIENT[way.family], 0))
        back.settimeout(1)
        first = 0
        for _ in range(count):
            name, ident = way.fresh("good", ZOO), rng.randrange(1, 65536)
            for offset, data, more in cut(datagram(way.family, back.getsockname()[1], query(name))):
                raw.sendto(packet(way.family, ident, offset, data, more), (SERVICE[way.family], 0))
                first += offset == 0
        try:
            raise AssertionError(f"a reply: {back.recv(65535).hex()}")
        except socket.timeout:
            pass
    eventually(lambda: verdicts("drop_fragment") - before >= first)
    believed(way.ask(way.fresh("good", ZOO)))


alike(
    fragments_are_not_answered, alone=True,
    rfc9715_query_in_two_fragments_is_not_answered=(UDP, lambda whole: [(0, whole[:24], True), (24, whole[24:], False)]),
    rfc9715_query_in_tiny_fragments_is_not_answered=(UDP, lambda whole: [
        (at, whole[at:at + 8], at + 8 < len(whole)) for at in range(0, len(whole), 8)]),
    rfc9715_overlapping_fragments_are_not_answered=(UDP, lambda whole: [
        (0, whole[:32], True), (16, whole[16:], False), (8, whole[8:], False)]),
    rfc9715_fragments_in_the_wrong_order_are_not_answered=(UDP, lambda whole: [(24, whole[24:], False), (0, whole[:24], True)]),
    rfc9715_first_fragments_alone_do_no_harm=(UDP, lambda whole: [(0, whole, True)], 200),
    rfc9715_second_fragments_alone_do_no_harm=(UDP, lambda whole: [(24, whole[24:], False)], 200),
)
