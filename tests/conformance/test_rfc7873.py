# SPDX-License-Identifier: BSD-3-Clause
"""RFC 7873 and 9018: DNS cookies."""
import socket
import struct
import time

from harness import CLIENT, Way, asked, case, option, query

COOKIE = 10
MINE = b"\x24\x64\xc4\xab\xcf\x10\xc9\x57"


def cookie_of(reply):
    found = reply.option(COOKIE)
    return found[0].data if found else None


def server_cookie(way):
    got = cookie_of(way.ask(way.fresh("a"), options=[option(COOKIE, MINE)]))
    assert got is not None, "no cookie"
    return got


@case
def rfc7873_5_2_3_a_client_cookie_gets_a_server_cookie(way):
    got = server_cookie(way)
    assert got[:8] == MINE and 16 <= len(got) <= 40


@case
def rfc7873_5_2_1_no_cookie_gets_none(way):
    server_cookie(way)
    assert cookie_of(way.ask(way.fresh("a"), edns=True)) is None


@case
def rfc7873_5_2_2_a_malformed_cookie_is_formerr(way):
    """Of each length: 8 bytes are a client's part, 16 to 40 both, anything else nothing (4)."""
    server_cookie(way)
    name = way.fresh("a")
    for length in (*range(43), 100):
        reply = way.ask(name, options=[option(COOKIE, b"x" * length)])
        assert reply.msg.edns == 0, length
        if length == 8 or 16 <= length <= 40:
            assert reply.records("A") and cookie_of(reply)[:8] == b"x" * 8 and len(cookie_of(reply)) == 24, length
        else:
            assert reply.rcode == "FORMERR" and not reply.option(COOKIE), length


@case
def rfc7873_5_2_5_a_right_server_cookie_is_answered(way):
    full = server_cookie(way)
    for word in ("a", "nx", "cname"):
        reply = way.ask(way.fresh(word), options=[option(COOKIE, full)])
        assert reply.rcode in ("NOERROR", "NXDOMAIN") and cookie_of(reply)[:8] == MINE


@case
def rfc7873_5_2_4_a_wrong_server_cookie_gets_a_right_one(way):
    full = bytearray(server_cookie(way))
    full[-1] ^= 1
    reply = way.ask(way.fresh("a"), options=[option(COOKIE, bytes(full))])
    assert reply.rcode in ("NOERROR", "BADCOOKIE")
    fresh = cookie_of(reply)
    assert fresh[:8] == MINE and fresh != bytes(full)
    assert way.ask(way.fresh("a"), options=[option(COOKIE, fresh)]).records("A")


@case
def rfc7873_5_4_a_query_for_a_cookie_alone(way):
    server_cookie(way)
    opt = struct.pack("!HH", COOKIE, 8) + MINE
    wire = b"\x55\x66\x01\0\0\0\0\0\0\0\0\x01\0\0\x29\x04\xd0" + b"\0" * 4 + struct.pack("!H", len(opt)) + opt
    reply = way.exchange(wire)
    assert reply is not None and reply[3] & 15 == 0 and reply[4:12] == b"\0\0\0\0\0\0\0\x01"
    assert struct.pack("!HH", COOKIE, 24) + MINE in reply


@case
def rfc7873_5_2_every_kind_of_reply_has_it(way):
    """Misses, hits, negative, failed, blocked and local ones, and errors."""
    server_cookie(way)
    names = [way.fresh("a"), way.fresh("nx"), way.fresh("rcode-2"), "x.blocked.example", "nas.lan", "localhost", "x.invalid"]
    for name in names:
        for _ in range(2):
            assert cookie_of(way.ask(name, options=[option(COOKIE, MINE)]))[:8] == MINE, name
    assert cookie_of(way.ask(way.fresh("a"), "AXFR", options=[option(COOKIE, MINE)])), "REFUSED"
    large = way.ask(way.fresh("big-10"), "TXT", size=512, options=[option(COOKIE, MINE)])
    assert cookie_of(large) and large.has("TC") == (way.proto == "udp")


@case
def rfc7873_5_2_3_whatever_the_opcode(way):
    """NOTIFY, UPDATE and those that nobody knows, with a question alone, with records, or without either (5.3: who has had a cookie
    drops replies without one)."""
    server_cookie(way)
    wire, record = query(way.fresh("a"), options=[option(COOKIE, MINE)]), b"\0\0\x10\0\1\0\0\0\0\0\0"
    question, opt = wire[12:-23], wire[-23:]
    for opcode in (4, 5, 15):
        for counts, body in (((1, 0, 0, 1), question), ((1, 0, 1, 1), question + record), ((0, 0, 0, 1), b"")):
            reply = way.raw(wire[:2] + bytes([opcode << 3, 0]) + struct.pack("!4H", *counts) + body + opt)
            assert reply.rcode == "NOTIMP" and cookie_of(reply)[:8] == MINE and len(cookie_of(reply)) == 24, (opcode, counts)


@case
def rfc9018_4_the_server_cookie_is_version_1(way):
    got = server_cookie(way)
    assert len(got) == 24 and got[8:12] == b"\x01\0\0\0"
    assert abs(struct.unpack("!I", got[12:16])[0] - time.time()) < 60


@case
def rfc9018_4_3_a_cookie_of_another_time_is_not_right(way):
    """Over an hour old or five minutes in the future; with a hash that says nothing anyway."""
    got = server_cookie(way)
    for shift in (-7200, 600):
        stamp = struct.pack("!I", int(time.time()) + shift & 0xffffffff)
        reply = way.ask(way.fresh("a"), options=[option(COOKIE, got[:12] + stamp + got[16:])])
        assert cookie_of(reply)[12:16] != stamp


@case
def rfc7873_4_2_a_server_cookie_is_for_one_address(way):
    """Another family is another address."""
    got = server_cookie(way)
    other = Way(way.proto, socket.AF_INET6 if way.family == socket.AF_INET else socket.AF_INET, way.number + 6000)
    theirs = cookie_of(other.ask(other.fresh("a"), options=[option(COOKIE, MINE)]))
    assert theirs[16:] != got[16:] and CLIENT[way.family] != CLIENT[other.family]


@case
def rfc7873_5_2_cookies_do_not_split_the_cache(way):
    server_cookie(way)
    name = way.fresh("a")
    for i in range(4):
        assert way.ask(name, options=[option(COOKIE, bytes([i]) * 8)]).records("A")
    assert way.raw(query(name)).records("A")
    assert len(asked(name)) < 5


@case
def rfc7873_5_2_of_several_cookies_the_first_counts(way):
    """And one comes back."""
    full = server_cookie(way)
    reply = way.ask(way.fresh("a"), options=[option(COOKIE, full), option(COOKIE, b"another!"), option(COOKIE, b"x")])
    assert reply.rcode == "NOERROR" and [o.data for o in reply.option(COOKIE)] == [full]


@case
def rfc6891_6_1_1_the_client_s_cookie_does_not_go_upstream(way):
    name = way.fresh("a")
    way.ask(name, options=[option(COOKIE, MINE)])
    assert MINE.hex() not in asked(name)[0]["wire"]
