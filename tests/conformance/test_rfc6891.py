# SPDX-License-Identifier: BSD-3-Clause
"""RFC 6891: EDNS(0)."""
import struct

from harness import ENCRYPTED, TCP, UDP, Reply, asked, case, option, query

OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


def with_additional(name, *records, rdtype="A"):
    wire = query(name, rdtype)
    return wire[:10] + struct.pack("!H", len(records)) + wire[12:] + b"".join(records)


@case
def rfc6891_6_1_1_opt_if_and_only_if_asked(way):
    """Of every kind of reply; the oracle looks."""
    way_words = ("a", "nx", "nodata", "cname", "rcode-2", "signed")
    for word in way_words:
        name = way.fresh(word)
        for _ in range(2):
            assert way.ask(name).msg.edns == -1
            assert way.ask(name, edns=True).msg.edns == 0


@case
def rfc6891_6_1_1_opt_in_replies_to_blocked_and_local_names(way):
    for name in ("x.blocked.example", "nas.lan", "nothing.lan", "localhost", "x.invalid"):
        assert way.ask(name).msg.edns == -1
        assert way.ask(name, edns=True).msg.edns == 0


@case
def rfc6891_6_1_1_two_opts_are_formerr(way):
    reply = way.raw(with_additional(way.fresh("a"), OPT, OPT))
    assert reply.rcode == "FORMERR" and reply.msg.edns == 0


@case
def rfc6891_6_1_1_opt_may_stand_anywhere_in_the_additional_section(way):
    other = b"\0\0\x01\0\x01\0\0\0\0\0\x04\x01\x02\x03\x04"
    for records in ((OPT, other), (other, OPT), (other, OPT, other)):
        reply = way.raw(with_additional(way.fresh("a"), *records))
        assert reply.records("A") == ["198.18.200.1"] and reply.msg.edns == 0


@case
def rfc6891_6_1_2_the_owner_of_opt_is_the_root(way):
    """A pointer to a root label is the root too, as in BIND and unbound; a pointer to anything else is not."""
    reply = way.raw(with_additional(way.fresh("a"), b"\x01a" + OPT))
    assert reply.rcode == "FORMERR" and reply.msg.edns == 0
    for to_root in (True, False):
        name = way.fresh("a")
        at = len(query(name)) - 5 if to_root else 12
        reply = way.raw(with_additional(name, struct.pack("!H", 0xc000 | at) + OPT[1:]))
        assert reply.rcode == ("NOERROR" if to_root else "FORMERR") and reply.msg.edns == 0


@case
def rfc6891_6_1_2_unknown_options_are_ignored(way):
    name = way.fresh("a")
    for options in ([option(100)], [option(65001, b"abc")], [option(n, b"x" * 20) for n in range(100, 110)]):
        reply = way.ask(name, options=options)
        assert reply.rcode == "NOERROR" and reply.records("A") and not reply.msg.options
    assert not [n for entry in asked(name) for n in entry["edns"]["options"] if n >= 100], "passed on"


@case
def rfc6891_6_1_2_options_cut_short_are_formerr(way):
    for rdata in (b"\0", b"\0\x64\0", b"\0\x64\0\x04abc", b"\0\x64\xff\xff"):
        opt = OPT[:-2] + struct.pack("!H", len(rdata)) + rdata
        reply = way.raw(with_additional(way.fresh("a"), opt))
        assert reply.rcode == "FORMERR" and reply.msg.edns == 0, rdata  # 7: so that it is no server without EDNS


@case
def rfc6891_6_1_3_other_versions_are_badvers(way):
    for version in (1, 2, 100, 255):
        name = way.fresh("a")
        reply = way.ask(name, version=version)
        assert reply.rcode == "BADVERS" and reply.msg.edns == 0 and not reply.msg.answer
        assert not asked(name), "the question was resolved"


@case
def rfc6891_6_1_3_badvers_comes_before_the_name(way):
    """Of a blocked or local name too."""
    for name in ("x.blocked.example", "nas.lan", "localhost"):
        assert way.ask(name, version=1).rcode == "BADVERS", name


@case
def rfc6891_6_1_3_badvers_whatever_that_version_s_options_look_like(way):
    for rdata in (b"\0", b"\0\x64\xff\xff", b"\0\x0a\0\1x", b"\xff" * 600):
        opt = OPT[:6] + b"\1" + OPT[7:9] + struct.pack("!H", len(rdata)) + rdata
        reply = way.raw(with_additional(way.fresh("a"), opt))
        assert reply.rcode == "BADVERS" and not reply.msg.options, rdata


@case
def rfc6891_6_1_3_badvers_whatever_the_opcode(way):
    """A question alone, as in NOTIFY; with a record more, as in UPDATE; or neither."""
    wire, record, opt = query(way.fresh("a")), b"\0\0\x10\0\1\0\0\0\0\0\0", OPT[:6] + b"\1" + OPT[7:]
    for opcode in (1, 2, 4, 5, 15):
        for counts, body in (((1, 0, 0, 1), wire[12:]), ((1, 0, 1, 1), wire[12:] + record), ((0, 0, 0, 1), b"")):
            reply = way.raw(wire[:2] + bytes([opcode << 3, 0]) + struct.pack("!4H", *counts) + body + opt)
            assert reply.rcode == "BADVERS" and reply.msg.edns == 0, (opcode, counts, reply.rcode)


@case
def rfc6891_6_1_1_opt_with_notimp_of_another_opcode(way):
    for opcode in (1, 2, 4, 15):
        for edns in (True, False):
            wire = bytearray(query(way.fresh("a"), edns=edns))
            wire[2] |= opcode << 3
            reply = way.raw(bytes(wire))
            assert reply.rcode == "NOTIMP" and reply.msg.edns == (0 if edns else -1), (opcode, edns)


@case
def rfc6891_6_1_4_unknown_flags_are_ignored_and_not_set(way):
    name = way.fresh("a")
    for eflags in (0x4000, 0x0001, 0x7fff):
        reply = way.ask(name, eflags=eflags)
        assert reply.records("A") and reply.msg.ednsflags & 0xffff == 0
    assert all(entry["edns"]["flags"] & 0x7fff == 0 for entry in asked(name)), "passed on"


@case
def rfc6891_6_1_4_do_is_copied(way):
    for word in ("a", "nx", "signed", "rcode-2"):
        name = way.fresh(word)
        for _ in range(2):
            assert way.ask(name, do=True).msg.ednsflags & 0x8000


@case(ways=UDP)
def rfc6891_6_2_3_sizes_below_512_are_512(way):
    for size in (0, 1, 100, 511):
        reply = way.ask(way.fresh("big-2"), "TXT", edns=True, size=size)
        assert not reply.has("TC") and 450 < len(reply.wire) <= 512, size


@case(ways=UDP)
def rfc6891_6_2_3_a_reply_is_no_larger_than_the_client_takes(way):
    for size in (512, 600, 700, 800, 1000, 1232):
        for reply in way.twice(way.fresh("big-4"), "TXT", edns=True, size=size):
            assert len(reply.wire) <= size, (size, len(reply.wire))
            assert reply.has("TC") == (size < 900)


@case(ways=UDP)
def rfc6891_6_2_3_the_client_s_size_is_of_one_query_alone(way):
    """What one query said is not kept for the next, neither of the same client nor of the same answer."""
    name = way.fresh("big-4")
    for size, cut in ((1232, False), (512, True), (1232, False), (None, True), (700, True), (1232, False)):
        reply = way.ask(name, "TXT", size=size or 512, edns=size is not None)
        assert reply.has("TC") == cut and len(reply.wire) <= (size or 512), size


@case(ways=UDP)
def rfc6891_6_2_5_nor_larger_than_we_send(way):
    """1,232 bytes by default, whatever size the client offers: the DNS flag day of 2020 and RFC 9715."""
    name = way.fresh("big-10")
    for size in (1233, 4096, 65535):
        reply = way.ask(name, "TXT", edns=True, size=size)
        assert reply.has("TC") and len(reply.wire) <= 1232


@case(ways=TCP)
def rfc6891_6_2_5_the_size_is_not_for_tcp(way):
    reply = way.ask(way.fresh("big-10"), "TXT", edns=True, size=512)
    assert not reply.has("TC") and len(reply.records("TXT")) == 10


@case
def rfc6891_6_2_6_the_reply_says_what_we_take(way):
    assert way.ask(way.fresh("a"), edns=True).msg.payload >= 1220


@case
def rfc6891_6_2_6_upstream_is_asked_with_edns(way):
    name = way.fresh("a")
    way.ask(name)
    assert asked(name)[0]["edns"]["version"] == 0 and 1220 <= asked(name)[0]["edns"]["size"] <= 1232


@case
def rfc6891_6_2_1_opt_is_not_cached(way):
    """Neither the first client's OPT nor upstream's is what the next one gets."""
    name = way.fresh("a")
    way.ask(name, edns=True, options=[option(65001, b"abc")])
    reply = way.ask(name)
    assert reply.msg.edns == -1 and not reply.msg.additional
    assert not way.ask(name, edns=True).msg.options


@case
def rfc6891_7_formerr_to_whatever_had_an_opt_has_one(way):
    """Two questions, records in other sections, more records than are read, a question with a pointer in it."""
    wire, record = query(way.fresh("a")), b"\0\0\x10\0\1\0\0\0\0\0\0"
    question = wire[12:]

    def message(counts, *parts):
        return wire[:4] + struct.pack("!4H", *counts) + b"".join(parts)
    for malformed in (message((2, 0, 0, 1), question, question, OPT), message((1, 1, 0, 1), question, record, OPT),
                      message((1, 0, 1, 1), question, record, OPT), message((1, 0, 0, 18), question, record * 17, OPT),
                      message((1, 0, 0, 1), b"\1a\xc0\x0c\0\1\0\1", OPT)):
        reply = way.raw(malformed)
        assert reply.rcode == "FORMERR" and reply.msg.edns == 0 and not reply.msg.answer, malformed.hex()
        plain = malformed.replace(OPT, record)
        assert way.raw(plain).msg.edns == -1, plain.hex()


@case
def rfc6891_7_formerr_has_no_records(way):
    reply = way.raw(with_additional(way.fresh("a"), OPT, OPT))
    assert not reply.msg.answer and not reply.msg.authority


@case
def rfc6891_9_many_options_are_harmless(way):
    """Sixteen are read; more are refused and resolve nothing."""
    name = way.fresh("a")
    assert way.ask(name, options=[option(65001) for _ in range(16)]).records("A")
    other = way.fresh("a")
    assert way.ask(other, options=[option(65001) for _ in range(200)]).rcode == "FORMERR"
    assert not asked(other)


@case
def rfc7830_4_padding_may_fill_the_message(way):
    """Over UDP as far as a datagram of 1,500 bytes goes, over TCP to the last of 65,535. Over TLS the reply is padded, too (RFC 8467)."""
    for room in (513, 1400) if way.proto == "udp" else (513, 1400, 65535):
        name = way.fresh("a")
        padding = room - len(with_additional(name, OPT)) - 4 if room > 513 else room
        wire = with_additional(name, OPT[:-2] + struct.pack("!HHH", padding + 4, 12, padding) + bytes(padding))
        assert len(wire) <= 65535
        reply = way.raw(wire)
        assert reply.rcode == "NOERROR" and reply.records("A") and reply.msg.edns == 0, room
        if way.proto in ENCRYPTED:
            assert [option.otype for option in reply.msg.options] == [12] and len(reply.wire) % 468 == 0, room
        else:
            assert not reply.msg.options, room
        assert way.raw(wire).records("A") == reply.records("A"), room


@case(ways=TCP)
def rfc6891_9_16000_options_in_65000_octets_are_formerr(way):
    """Each such query gets a short error; weir goes on serving the connection and all other clients."""
    name = way.fresh("a")
    rdata = (struct.pack("!HH", 65001, 0) * 15999) + struct.pack("!HH", 65002, 1000) + bytes(1000)
    floods = [rdata, rdata[:64000], b"\0\x0a\0\x08" * 5000, struct.pack("!HH", 10, 64996) + bytes(64996)]
    with way.socket() as sock:
        for rdata in floods:
            flood = with_additional(name, OPT[:-2] + struct.pack("!H", len(rdata)) + rdata)
            way.send(sock, flood)
            reply = Reply(flood, way.receive(sock), 0)
            assert reply.rcode == "FORMERR" and reply.msg.edns == 0 and len(reply.wire) < 100, len(rdata)
            good = query(way.fresh("a"))
            way.send(sock, good)
            assert Reply(good, way.receive(sock), 0).records("A") and way.ask(way.fresh("a")).records("A")
    assert not asked(name)


@case
def rfc6891_6_2_5_the_client_s_size_does_not_go_upstream(way):
    """A forwarder says what it takes itself (6.1.1: the OPT is for the hop)."""
    for size in (0, 512, 1400, 65535):
        name = way.fresh("a")
        way.ask(name, edns=True, size=size)
        assert {entry["edns"]["size"] for entry in asked(name)} == {1232}, size


@case
def rfc6891_6_1_1_an_opt_elsewhere_is_formerr(way):
    """It has its place, the additional section."""
    wire = query(way.fresh("a"))
    for counts in ((1, 1, 0, 0), (1, 0, 1, 0)):
        reply = way.raw(wire[:4] + struct.pack("!4H", *counts) + wire[12:] + OPT)
        assert reply.rcode == "FORMERR" and not reply.msg.answer, counts
