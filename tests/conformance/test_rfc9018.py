# SPDX-License-Identifier: BSD-3-Clause
"""RFC 9018 and 7873: cookies that a box of other make would have made with the same secret, and what a right one is good for."""
import socket
import struct
import time

import dns.message
import dns.rcode

from harness import CLIENT, TCP4, UDP, UDP6, case, configured, control, eventually, option

COOKIE = 10
MINE = bytes.fromhex("2464c4abcf10c957")
FIRST, SECOND = "e5e973e5a6b2a43f48e7dc849e37bfcf", "dd3bdf9344b678b185a6f5cb60fca715"  # of appendix A
WORD = (1 << 64) - 1


def sip_rounds(v, count):
    def turn(x, bits):
        return (x << bits | x >> 64 - bits) & WORD
    for _ in range(count):
        v[0] = v[0] + v[1] & WORD
        v[1] = turn(v[1], 13) ^ v[0]
        v[0] = turn(v[0], 32)
        v[2] = v[2] + v[3] & WORD
        v[3] = turn(v[3], 16) ^ v[2]
        v[0] = v[0] + v[3] & WORD
        v[3] = turn(v[3], 21) ^ v[0]
        v[2] = v[2] + v[1] & WORD
        v[1] = turn(v[1], 17) ^ v[2]
        v[2] = turn(v[2], 32)


def siphash(key, data):
    """SipHash-2-4."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xff])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        sip_rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xff
    sip_rounds(v, 4)
    return struct.pack("<Q", v[0] ^ v[1] ^ v[2] ^ v[3])


def made(secret, family, stamp, address=None, mine=MINE, reserved=b"\0\0\0"):
    """A whole cookie (4.4)."""
    head = mine + b"\x01" + reserved + struct.pack("!I", int(stamp) & 0xffffffff)
    return head + siphash(bytes.fromhex(secret), head + socket.inet_pton(family, address or CLIENT[family]))


def appendix_a():
    """A.1 and A.3: what made() says is what they say."""
    assert made(FIRST, socket.AF_INET, 1559731985, "198.51.100.100").hex() == "2464c4abcf10c957010000005cf79f111f8130c3eee29480"
    theirs = made(FIRST, socket.AF_INET, 1559727985, "203.0.113.203", bytes.fromhex("fc93fc62807ddb86"), b"\xab\xcd\xef")
    assert theirs.hex() == "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"


def tried(way, cookie):
    """weir's reply to this cookie without a question (RFC 7873 5.4): the rcode and the returned cookie."""
    opt = struct.pack("!HH", COOKIE, len(cookie)) + cookie
    wire = way.exchange(b"\x55\x66\x01\0\0\0\0\0\0\0\0\x01\0\0\x29\x04\xd0" + b"\0" * 4 + struct.pack("!H", len(opt)) + opt)
    msg = dns.message.from_wire(wire)
    assert not msg.question and not msg.answer and msg.edns == 0
    return dns.rcode.to_text(msg.rcode()), [o.data for o in msg.options if o.otype == COOKIE][0]


def secrets(*which):
    return configured(cookies="cookies: {secrets: [" + ", ".join(f"'{one}'" for one in which) + "]}")


@case(alone=True)
def rfc9018_4_4_the_hash_is_siphash_2_4_of_cookie_and_address(way):
    appendix_a()
    with secrets(FIRST):
        rcode, got = tried(way, MINE)
        stamp = struct.unpack("!I", got[12:16])[0]
        assert rcode == "NOERROR" and abs(stamp - time.time()) < 60 and got == made(FIRST, way.family, stamp)
        ours = made(FIRST, way.family, time.time() - 5)
        assert tried(way, ours) == ("NOERROR", ours), "one of another box is not taken as it is"


@case(ways=[UDP6, TCP4], alone=True)
def rfc9018_4_2_what_is_reserved_need_not_be_zero(way):
    with secrets(FIRST):
        assert tried(way, made(FIRST, way.family, time.time(), reserved=b"\xab\xcd\xef"))[0] == "NOERROR"


@case(ways=[UDP6, TCP4], alone=True)
def rfc9018_4_3_an_hour_back_and_five_minutes_ahead(way):
    with secrets(FIRST):
        for age, rcode, stays in ((1700, "NOERROR", True), (1900, "NOERROR", False), (3500, "NOERROR", False),
                                  (3700, "BADCOOKIE", False), (-200, "NOERROR", True), (-400, "BADCOOKIE", False)):
            cookie = made(FIRST, way.family, time.time() - age)
            said, got = tried(way, cookie)
            assert said == rcode and (got == cookie) == stays, (age, said)
            assert tried(way, got) == ("NOERROR", got)


@case(ways=[UDP6, TCP4], alone=True)
def rfc7873_5_2_4_whatever_is_wrong_with_it_is_badcookie_without_a_question(way):
    now = int(time.time())
    with secrets(FIRST):
        right = made(FIRST, way.family, now)
        other = {socket.AF_INET: "198.18.0.99", socket.AF_INET6: "fd53::99"}[way.family]
        for wrong in (made(SECOND, way.family, now), made(FIRST, way.family, now, other), b"another!" + right[8:],
                      right[:-1] + bytes([right[-1] ^ 1]), right[:8] + b"\x02" + right[9:], right[:9] + b"\x01" + right[10:],
                      right[:16], right + b"x", right[:8] + b"y" * 32):
            rcode, got = tried(way, wrong)
            assert rcode == "BADCOOKIE" and got[:8] == wrong[:8] and tried(way, got)[0] == "NOERROR", wrong.hex()


@case(ways=[UDP6, TCP4], alone=True)
def rfc9018_5_a_secret_is_changed_without_a_wrong_cookie(way):
    """The new one behind the old, then in front, then alone: only at the end is the old one's cookie wrong."""
    with secrets(FIRST):
        cookie = tried(way, MINE)[1]
    with secrets(FIRST, SECOND):
        assert tried(way, cookie) == ("NOERROR", cookie)
        assert tried(way, made(SECOND, way.family, time.time()))[0] == "NOERROR"
    with secrets(SECOND, FIRST):
        rcode, renewed = tried(way, cookie)
        assert rcode == "NOERROR" and renewed == made(SECOND, way.family, struct.unpack("!I", renewed[12:16])[0])
    with secrets(SECOND):
        assert tried(way, cookie)[0] == "BADCOOKIE" and tried(way, renewed) == ("NOERROR", renewed)


@case(ways=UDP, alone=True)
def rfc7873_5_2_3_over_the_rate_a_right_cookie_is_asked_for(way):
    """Without any: TC. With the client's part or a wrong one: BADCOOKIE with a right one, which is answered each time."""
    name, alone = way.fresh("a"), [option(COOKIE, MINE)]
    way.ask(name)
    limited = "access: {allow: [private, 198.18.0.0/15], unlimited: [], rate: 1, network_rate: 0, burst: 1, slip: 1}"

    def over(options=()):
        """The first reply to this that is no answer: one a second is let through."""
        return eventually(lambda: (reply := way.ask(name, options=options)) and not reply.records("A") and reply)

    with configured(access=limited):
        reply = over()
        assert reply.has("TC") and reply.rcode == "NOERROR"
        reply = over(alone)
        assert reply.rcode == "BADCOOKIE" and not reply.has("TC")
        right = reply.option(COOKIE)[0].data
        reply = over([option(COOKIE, right[:-1] + bytes([right[-1] ^ 1]))])
        assert reply.rcode == "BADCOOKIE"
        for _ in range(10):
            assert way.ask(name, options=[option(COOKIE, right)]).records("A")


@case(ways=[UDP6, TCP4], alone=True)
def rfc7873_7_1_own_secrets_are_nobody_else_s_and_stay(way):
    """Where none is configured: a cookie of theirs is of none that was, and is as good after a reload as before it."""
    with secrets(FIRST):
        theirs = tried(way, MINE)[1]
    rcode, own = tried(way, theirs)
    assert rcode == "BADCOOKIE"
    stamp = struct.unpack("!I", own[12:16])[0]
    assert own not in (made(secret, way.family, stamp) for secret in (FIRST, SECOND, "00" * 16))
    with configured(cache="cache: {failure_ttl: 2}"):
        assert tried(way, own) == ("NOERROR", own)


KINDS = "good", "bad", "alone"


def cookies_counted(way):
    """Of the data plane's clients over UDP, of the control plane's over all else."""
    if way.proto == "udp":
        counters = control.get("dataplane")["stats"]["counters"]
        return {kind: counters.get("cookies_" + kind, 0) for kind in KINDS}
    counters = control.get("stats")["frontend"][way.proto]
    return {kind: counters["cookies_" + kind] for kind in KINDS}


@case(alone=True)
def rfc7873_7_2_cookies_are_counted_by_kind(way):
    """The client's part alone, right ones and wrong ones, of hits: each in its own counter and no other."""
    name = way.fresh("a")
    right = way.ask(name, options=[option(COOKIE, MINE)]).option(COOKIE)[0].data
    for kind, cookie in (("alone", MINE), ("good", right), ("bad", right[:-1] + bytes([right[-1] ^ 1]))):
        before = cookies_counted(way)
        for _ in range(3):
            assert way.ask(name, options=[option(COOKIE, cookie)]).records("A")
        eventually(lambda kind=kind, before=before: cookies_counted(way)[kind] >= before[kind] + 3)
        after = cookies_counted(way)
        assert all(after[other] == before[other] for other in after if other != kind), (kind, before, after)
