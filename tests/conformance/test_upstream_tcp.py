# SPDX-License-Identifier: BSD-3-Clause
"""weir as a client of upstreams over TCP: RFC 7766 6.2, 7; RFC 7828 3.2.1, 3.4. The zoo logs the port that a query came from, which is its
connection."""
import json

from harness import UDP4, case, eventually, together, weirctl
from zoo import EDNS, ZOO, believed, sent

CONNECTIONS = 4  # to one server (controlplane/upstream_stream.h)


def counted(what):
    return json.loads(weirctl("--json", "stats", "--interval", "0"))["controlplane"]["resolver"]["upstream_tcp_" + what]


def over_tcp(name):
    return [one for one in sent(name) if one.proto == "tcp"]


def ask_all(way, word, count, zone=ZOO):
    names = [way.fresh(word, zone) for _ in range(count)]
    for reply in together(*(lambda name=name: way.ask(name) for name in names)):
        believed(reply)
    return names


@case(ways=[UDP4], alone=True)
def rfc7766_6_2_1_connections_to_upstreams_are_used_again(way):
    ports = set()
    for _ in range(10):
        name = way.fresh("tc", ZOO)
        believed(way.ask(name))
        ports.update(one.source for one in over_tcp(name))
    assert len(ports) < 5, ports  # one, unless the machine slept for seconds between two


@case(ways=[UDP4], alone=True)
def rfc7766_6_2_1_1_queries_to_upstreams_are_pipelined(way):
    """Eight that each take 0.2 s: the second is sent before the first is answered."""
    names = ask_all(way, "tclate-200", 8)
    assert len({over_tcp(name)[0].source for name in names}) <= CONNECTIONS
    assert counted("reused") > 0


@case(ways=[UDP4], alone=True)
def rfc7766_6_2_2_few_connections_to_an_upstream(way):
    names = ask_all(way, "tclate-100", 40)
    assert len({one.source for name in names for one in over_tcp(name)}) <= CONNECTIONS


@case(ways=[UDP4], alone=True)
def rfc7766_7_replies_of_upstreams_come_in_any_order(way):
    """On one connection the fast one passes the slow one."""
    def one():
        slow, fast = way.fresh("tclate-300", ZOO), way.fresh("tc", ZOO)
        replies = together(lambda: way.ask(slow), lambda: way.ask(fast))
        for reply in replies:
            believed(reply)
        return over_tcp(slow)[0].source == over_tcp(fast)[0].source and replies[1].seconds < replies[0].seconds
    eventually(one)


@case(ways=[UDP4], alone=True)
def rfc7766_6_2_1_an_upstream_may_close_after_each_query(way):
    """As servers older than the RFC do: nobody's question suffers."""
    for _ in range(3):
        ask_all(way, "tconce", 10)


@case(ways=[UDP4], alone=True)
def rfc7766_6_2_1_a_query_whose_connection_ends_is_sent_again(way):
    """On another one, if it was not alone on the first."""
    def one():
        believed(way.ask(way.fresh("tc", EDNS)))
        name = way.fresh("tccut", EDNS)
        reply = way.ask(name)
        if reply.rcode != "NOERROR":
            return False  # the first connection was closed for idleness in between: it had one of its own
        found = over_tcp(name)
        assert len(found) == 2 and found[0].source != found[1].source, found
        return True
    eventually(one)


@case(ways=[UDP4], alone=True)
def rfc7766_6_2_3_idle_connections_to_upstreams_are_closed(way):
    believed(way.ask(way.fresh("tc", ZOO)))
    assert counted("opened") > 0
    eventually(lambda: counted("open") == 0)


@case(ways=[UDP4], alone=True)
def rfc7828_3_4_a_time_out_of_0_is_the_end(way):
    first, second = way.fresh("tcbye", ZOO), way.fresh("tc", ZOO)
    believed(way.ask(first))
    believed(way.ask(second))
    assert over_tcp(first)[0].source != over_tcp(second)[0].source
