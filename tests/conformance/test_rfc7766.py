# SPDX-License-Identifier: BSD-3-Clause
"""RFC 7766, 9210, 7828: DNS over TCP."""
import itertools
import pathlib
import socket
import ssl
import struct
import time

import dns.message

from dnswire import framed
from harness import CLEAR, FRONTENDS, PATIENCE, TCP, TLS, UDP, asked, case, configured, control, eventually, option, query

TCPI_OPT_SYN_DATA = 32  # linux/tcp.h: what went with the SYN was taken


def wires(way, first="a", count=1):
    return [query(way.fresh(first), ident=i + 1) for i in range(count)]


@case(ways=TCP)
def rfc7766_5_tcp_is_served(way):
    assert way.ask(way.fresh("a")).records("A")


@case(ways=TCP)
def rfc7766_6_2_1_a_connection_takes_many_queries(way):
    with way.socket() as sock:
        for wire in wires(way, count=20):
            way.send(sock, wire)
            assert way.receive(sock)[:2] == wire[:2]


@case(ways=TCP)
def rfc7766_6_2_1_1_queries_may_be_sent_before_replies_are_there(way):
    all_of_them = wires(way, count=50)
    with way.socket() as sock:
        way.send(sock, *all_of_them)
        got = sorted(way.receive(sock)[:2] for _ in all_of_them)
    assert got == [wire[:2] for wire in all_of_them]


@case(ways=TCP)
def rfc7766_7_replies_come_in_the_order_they_are_there(way):
    slow, fast = query(way.fresh("wait-1000"), ident=1), query(way.fresh("a"), ident=2)
    with way.socket() as sock:
        way.send(sock, slow, fast)
        assert [way.receive(sock)[:2] for _ in range(2)] == [b"\0\2", b"\0\1"]


@case(ways=TCP, over=TLS)
def rfc7766_8_length_and_message_in_any_pieces(way):
    wire = wires(way)[0]
    with way.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in framed(wire):
            sock.sendall(bytes([byte]))
        assert way.receive(sock)[:2] == wire[:2]


@case(ways=TCP, over=TLS)
def rfc7766_8_the_length_comes_with_the_message(way):
    """In one segment, so that a reader of one segment has all of it."""
    wire = wires(way)[0]
    with way.socket() as sock:
        way.send(sock, wire)
        got = sock.recv(65535)
    assert struct.unpack("!H", got[:2])[0] == len(got) - 2


@case(ways=TCP)
def rfc7766_6_2_3_the_connection_stays_open_after_a_reply(way):
    with way.socket() as sock:
        way.send(sock, wires(way)[0])
        way.receive(sock)
        time.sleep(1)
        way.send(sock, wires(way)[0])
        assert way.receive(sock)


@case(ways=TCP, over=TLS)
def rfc7766_6_2_3_silence_ends_the_connection(way):
    """10 s by default; RFC 9210 4.3 asks for a bound."""
    with way.socket() as sock:
        way.send(sock, wires(way)[0])
        way.receive(sock)
        began = time.monotonic()
        sock.settimeout(40)
        assert sock.recv(1) == b""
        assert time.monotonic() - began > 5


@case(ways=TCP, over=CLEAR)
def rfc7766_6_2_4_what_was_asked_before_a_half_close_is_answered(way):
    all_of_them = wires(way, "wait-300", 5)
    with way.socket() as sock:
        sock.sendall(b"".join(map(framed, all_of_them)))
        sock.shutdown(socket.SHUT_WR)
        got = [way.receive(sock) for _ in all_of_them]
        assert all(got) and way.receive(sock) is None


@case(ways=TCP)
def rfc7766_6_2_4_a_reset_in_the_middle_harms_nobody(way):
    with way.socket() as sock:
        way.send(sock, wires(way, "wait-300")[0])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert way.ask(way.fresh("a")).records("A")


@case(ways=TCP)
def rfc7766_6_2_2_several_connections_of_a_client(way):
    socks = [way.socket() for _ in range(10)]
    for sock, wire in zip(socks, wires(way, count=10)):
        way.send(sock, wire)
    for sock in socks:
        assert way.receive(sock)
        sock.close()


@case(ways=TCP)
def rfc7766_8_a_message_of_64_kib_is_answered(way):
    reply = way.ask(way.fresh("big-290"), "TXT")
    assert len(reply.records("TXT")) == 290 and len(reply.wire) > 60000


@case(ways=TCP)
def rfc7766_8_a_query_of_64_kib_is_read(way):
    wire = query(way.fresh("a"))
    reply = way.raw(wire + b"\0" * (65535 - len(wire)))
    assert reply.rcode in ("NOERROR", "FORMERR")


@case(ways=TCP)
def rfc7766_4_udp_and_tcp_say_the_same(way):
    from harness import Way
    udp = Way("udp", way.family, way.number + 5000)
    for word, rdtype in (("a", "A"), ("nx-60", "A"), ("nodata", "AAAA"), ("cname", "A"), ("name", "MX")):
        name = way.fresh(word)
        one, two = way.ask(name, rdtype), udp.ask(name, rdtype)
        assert one.rcode == two.rcode and one.msg.flags == two.msg.flags
        for section in ("answer", "authority", "additional"):  # RRsets are compared without their TTLs
            assert getattr(one.msg, section) == getattr(two.msg, section), (name, section)
        way.cached(name, rdtype)
        udp.cached(name, rdtype)


@case(ways=TCP, over=TLS)
def rfc7828_3_3_2_keepalive_is_told_who_asks(way):
    with way.socket() as sock:
        way.send(sock, query(way.fresh("a"), options=[option(11)]))
        reply = way.receive(sock)
    assert b"\0\x0b\0\x02" in reply


@case(ways=TCP)
def rfc7828_3_3_2_and_nobody_else(way):
    assert not way.ask(way.fresh("a"), edns=True).option(11)


@case(ways=UDP)
def rfc7828_3_2_1_keepalive_over_udp_is_ignored(way):
    reply = way.ask(way.fresh("a"), options=[option(11)])
    assert reply.records("A") and not reply.option(11)


@case(over=CLEAR)
def rfc7830_4_no_padding_where_nothing_is_encrypted(way):
    reply = way.ask(way.fresh("a"), options=[option(12, b"\0" * 50)])
    assert reply.records("A") and not reply.option(12)


@case(ways=TCP, over=TLS)
def rfc9210_4_2_one_client_s_stall_is_its_own(way):
    """A connection that sends half of a query holds up nobody."""
    with way.socket() as sock:
        sock.sendall(b"\0\x40\x12")
        for _ in range(5):
            assert way.ask(way.fresh("a")).seconds < PATIENCE / 2


@case(ways=TCP, over=TLS)
def rfc7766_6_1_1_less_than_a_header_ends_the_connection(way):
    """Also nothing at all, or a response. Earlier queries get their answers; weir does not read what follows."""
    before, behind = wires(way, count=2)
    for message in (b"", b"\x12", before[:11], before[:2] + b"\x81" + before[3:]):
        with way.socket() as sock:
            sock.sendall(framed(before) + framed(message) + framed(behind))
            assert way.receive(sock)[:2] == before[:2], message
            assert way.receive(sock) is None, message
    eventually(lambda: way.ask(way.fresh("a")).records("A"))


PORTS = itertools.count(20853)  # below those that the kernel gives to connections of other tests


def connected(way, port):
    sock = socket.socket(way.family, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", port))
    sock.connect(way.address())
    return sock


@case(ways=TCP, over=CLEAR)
def rfc7766_6_2_4_what_a_closed_session_asked_is_not_sent(way):
    """Neither to the next connection from the same address and port: it gets the answers to its own queries only."""
    late = query(way.fresh("wait-700"), ident=1)
    port = next(PORTS)
    with connected(way, port) as sock:
        sock.sendall(framed(late))
        eventually(lambda: asked(dns.message.from_wire(late).question[0].name.to_text()))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with connected(way, port) as sock:
        slower = query(way.fresh("wait-1500"), ident=2)
        way.send(sock, slower)
        assert way.receive(sock)[:2] == slower[:2]
        sock.shutdown(socket.SHUT_WR)
        assert way.receive(sock) is None, "a reply that this connection did not ask for"


@case(ways=TCP)
def rfc7828_3_2_1_a_time_out_in_a_query_is_no_harm(way):
    """A client must not say one. weir answers, and does not return the client's."""
    with way.socket() as sock:
        way.send(sock, query(way.fresh("a"), options=[option(11, b"\xff\xff")]))
        reply = dns.message.from_wire(way.receive(sock))
    assert reply.rcode() in (0, 1) and b"\xff\xff" not in reply.to_wire()


@case
def rfc7828_3_2_1_keepalive_of_a_client_does_not_go_upstream(way):
    """It is for the hop alone; and over UDP no query may have it."""
    name = way.fresh("a")
    way.ask(name, options=[option(11)])
    assert {entry["proto"] for entry in asked(name)} == {"udp"}
    assert not [entry for entry in asked(name) if 11 in entry["edns"]["options"]]


def is_served(way, sock):
    try:
        way.send(sock, wires(way)[0])
        return way.receive(sock) is not None
    except ConnectionError:
        return False


def two_more_close_two_idle(way, most):
    """With one frontend those that were idle longest. Of several each closes its own first, and never the one that is new."""
    socks = []
    for _ in range(most + 2):
        socks.append(way.socket())
        way.send(socks[-1], wires(way)[0])
        assert way.receive(socks[-1])
    closed = [i for i, sock in enumerate(socks) if not is_served(way, sock)]
    for sock in socks:
        sock.close()
    assert closed == [0, 1] if FRONTENDS == 1 else len(closed) == 2 and most + 1 not in closed, closed


@case(ways=TCP, alone=True)
def rfc9210_4_2_connections_of_a_client_are_limited(way):
    """One more, and the one that was idle longest is closed."""
    with configured(tcp="tcp: {per_client: 4}"):
        two_more_close_two_idle(way, 4)


@case(ways=TCP, alone=True)
def rfc9210_4_2_connections_of_all_are_limited(way):
    """One more over all clients, and the connection that was idle longest is closed."""
    with configured(tcp="tcp: {connections: 16, idle_timeout: 600}"):
        two_more_close_two_idle(way, 16)


@case(alone=True)
def rfc9210_4_1_who_may_not_ask_gets_nothing(way):
    """Neither a reply nor a connection that stays."""
    with configured(access="access: {allow: [192.0.2.1], unlimited: [private]}"):
        try:
            with way.socket() as sock:
                way.send(sock, wires(way)[0])
                assert (sock.recv(1) == b"" if way.proto == "tcp" else way.receive(sock, 1) is None)
        except (ConnectionError, ssl.SSLError):
            assert way.proto != "udp"
    assert way.ask(way.fresh("a")).records("A")


@case(ways=TCP, alone=True, over=TLS)
def rfc7766_6_2_3_octets_that_make_no_message_do_not_keep_it(way):
    """Who sends one now and then is idle all the same: it is closed before the message could be whole."""
    with configured(tcp="tcp: {idle_timeout: 2, query_timeout: 2}"), way.socket() as sock:
        way.send(sock, wires(way)[0])
        assert way.receive(sock)
        for byte in framed(bytes(200))[:-1]:  # takes 40 s
            try:
                sock.sendall(bytes([byte]))
                sock.settimeout(0.2)
                assert sock.recv(1) == b""
                break
            except socket.timeout:
                continue
            except ConnectionError:
                break
        else:
            assert False, "still open"


@case(ways=TCP, alone=True, over=CLEAR)
def rfc9210_4_1_fast_open(way):
    """Where the kernel allows it, a client that has been here sends its query with the SYN (RFC 7413), and has its answer."""
    pathlib.Path("/proc/sys/net/ipv4/tcp_fastopen").write_text("1")  # of the client; conformance_test.py allows it for weir

    def one():
        with socket.socket(way.family, socket.SOCK_STREAM) as sock:
            sock.sendto(framed(query(way.fresh("a"))), socket.MSG_FASTOPEN, way.address())  # waits for the handshake
            assert way.receive(sock)
            return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] & TCPI_OPT_SYN_DATA
    eventually(one)


@case
def rfc9210_6_queries_are_on_record_whatever_their_transport(way):
    name = way.fresh("a")
    way.ask(name)
    rows = eventually(lambda: control.get("log/search", name=name, limit=10)["rows"])
    assert {row["transport"] for row in rows} == {way.proto}, rows


@case(ways=TCP, alone=True, over=TLS)
def rfc9210_4_2_queries_of_a_connection_are_limited(way):
    """The last one's answer says that it is the end (RFC 7828 3.4), and nothing that was answered is lost by it."""
    with configured(tcp="tcp: {connection_queries: 3}"), way.socket() as sock:
        way.send(sock, *(query(way.fresh("a"), options=[option(11)]) for _ in range(6)))
        replies = [way.receive(sock) for _ in range(3)]
        assert all(replies)
        assert b"\0\x0b\0\x02\0\0" in replies[-1], replies[-1].hex()
        sock.settimeout(PATIENCE)
        assert sock.recv(1) == b"", "not the end"
    assert way.ask(way.fresh("a")).records("A")


@case(ways=TCP, alone=True, over=TLS)
def rfc9210_4_2_the_age_of_a_connection_is_limited(way):
    """However busy it is; the keepalive option in a reply has the time that is left."""
    with configured(tcp="tcp: {connection_age: 2, idle_timeout: 60}"):
        began, left = time.monotonic(), []
        with way.socket() as sock:
            while time.monotonic() - began < 40:
                way.send(sock, query(way.fresh("a"), options=[option(11)]))
                reply = way.receive(sock)
                if reply is None:
                    break
                at = reply.index(b"\0\x0b\0\x02")
                left.append(int.from_bytes(reply[at + 4:at + 6], "big"))
            ended = time.monotonic() - began
        assert 2 <= ended < 40, ended
        assert left and left == sorted(left, reverse=True) and max(left) <= 20, left


@case(ways=TCP, alone=True, over=TLS)
def rfc9210_4_2_idle_time_is_the_operator_s(way):
    with configured(tcp="tcp: {idle_timeout: 2}"):
        with way.socket() as sock:
            way.send(sock, query(way.fresh("a"), options=[option(11)]))
            assert b"\0\x0b\0\x02\0\x14" in way.receive(sock)  # 20 times 0.1 s
            began = time.monotonic()
            sock.settimeout(40)
            assert sock.recv(1) == b"" and time.monotonic() - began < 9  # 10 by default
