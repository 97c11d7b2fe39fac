# SPDX-License-Identifier: BSD-3-Clause
"""weir as a client of upstreams over TCP: RFC 7766 6.2, 7; RFC 7828 3.2, 3.4, 3.5. The zoo logs the port that a query came from, which is its
connection."""
import threading
import time

from harness import RESOLVERS, UDP4, ZONE as HONEST, asked, case, configured, control, eventually, together
from zoo import BYE, EDNS, GRAVE, ZOO, believed, questions, refused, sent, served

CONNECTIONS = 4  # of one resolver to one server (controlplane/upstream/upstream.h)
ZONES = 2  # whose servers have some beside the zoo's: the honest one's may be idle still


def counted(what):
    return control.get("stats")["resolver"]["upstream_tcp_" + what]


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


@case(ways=[UDP4], alone=True, resolvers=1)  # each has its connection
def rfc7766_6_2_1_1_queries_to_upstreams_are_pipelined(way):
    """None of eight is answered before all are there, on one connection (6.2.2). A machine that sleeps in between sends some again,
    elsewhere."""
    def one():
        names = [way.fresh("tcgather-8", ZOO) for _ in range(8)]
        replies = together(*(lambda name=name: way.ask(name) for name in names))
        return all(reply.rcode == "NOERROR" for reply in replies) and len({over_tcp(name)[0].source for name in names}) == 1
    eventually(one)


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


@case(ways=[UDP4], alone=True)
def rfc7828_3_4_the_server_says_for_how_long(way):
    """A minute: the connection is there after the three seconds of who says nothing. Half a second: it is not."""
    def later(units):
        first, second = way.fresh(f"tcstay-{units}", BYE), way.fresh("tc", BYE)
        believed(way.ask(first))
        time.sleep(3.5 if units > 100 else 1)
        believed(way.ask(second))
        return over_tcp(first)[-1].source, over_tcp(second)[-1].source

    eventually(lambda: len(set(later(600))) == 1)
    assert len(set(later(5))) == 2


@case(ways=[UDP4], alone=True)
def rfc7766_8_the_length_leaves_with_the_message(way):
    """In one segment: what the server's kernel counts is no more than there are queries."""
    for _ in range(3):
        believed(way.ask(way.fresh("tcsegments", ZOO)))


@case(ways=[UDP4], alone=True)
def rfc7766_7_no_id_twice_on_a_connection(way):
    """Two in flight together would look alike. Thirty at one time have none; where the machine slept between them, the
    same one may have come again later, but hardly three times."""
    for _ in range(3):
        names = [way.fresh("tclate-100", ZOO) for _ in range(30)]
        together(*(lambda name=name: way.ask(name) for name in names))
        under_way = [(one.source, one.id) for name in names for one in over_tcp(name)]
        if len(set(under_way)) == len(under_way) >= 30:
            return
    assert False, sorted(under_way)


@case(ways=[UDP4], alone=True)
def rfc7766_6_2_2_few_connections_whatever_an_upstream_does(way):
    """It ends each after one query, and there are forty: they wait for each other, and none is lost."""
    most, done = 0, []
    names = [way.fresh("tconce", ZOO) for _ in range(40)]
    watching = threading.Thread(target=lambda: done.extend(
        together(*(lambda name=name: way.ask(name) for name in names))))
    watching.start()
    while watching.is_alive():
        most = max(most, counted("open"))
    watching.join()
    assert len(done) == 40
    for reply in done:
        believed(reply)
    assert most <= CONNECTIONS * ZONES * RESOLVERS, most


@case(ways=[UDP4], alone=True)
def rfc7828_3_2_1_the_option_is_sent_first_and_without_a_time_out(way):
    """With the first query of a connection, without data, and never over UDP."""
    eventually(lambda: counted("open") == 0)
    first, second = (way.fresh("big-40", HONEST) for _ in range(2))
    for name in (first, second):
        assert way.ask(name, "TXT", edns=True).has("TC")
    entries = {name: asked(name) for name in (first, second)}
    for name, found in entries.items():
        assert [entry["proto"] for entry in found][-1] == "tcp", found
        assert not [entry for entry in found if entry["proto"] == "udp" and 11 in entry["edns"]["options"]]
    over = [entries[name][-1] for name in (first, second)]
    assert over[0]["edns"]["options"] == [11] and over[0]["wire"].endswith("000b0000"), over[0]
    if over[0]["port"] == over[1]["port"]:  # else the machine slept for seconds between the two
        assert not over[1]["edns"]["options"], over[1]


@case(ways=[UDP4], alone=True)
def rfc7828_3_4_later_queries_of_a_connection_have_an_opt_too(way):
    """Or the server could not say that the time has changed."""
    for _ in range(3):
        name = way.fresh("tc", ZOO)
        believed(way.ask(name))
        assert over_tcp(name) and all(one.edns for one in over_tcp(name)), over_tcp(name)


@case(ways=[UDP4], alone=True)
def rfc7828_3_5_where_the_option_is_turned_down_without_an_opt(way):
    """For the same server; the next query to it has an OPT again."""
    eventually(lambda: counted("open") == 0)
    name, after = way.fresh("tcnokeepalive", BYE), way.fresh("good", BYE)
    believed(way.ask(name))
    assert [(one.proto, one.edns) for one in questions(name)] == [("udp", True), ("tcp", True), ("tcp", False)], sent(name)
    believed(way.ask(after))
    assert sent(after)[0].edns, sent(after)


@case(ways=[UDP4], alone=True, resolvers=1)  # each counts to three
def rfc7828_3_5_where_the_option_ends_the_connection_without_it(way):
    """With an OPT all the same. After three times weir omits it from the first query on; UDP goes on as before."""
    zone = "path.example"
    # The same servers again so soon would be the same set, with what was learnt of them.
    for word, spare, turned_down in (("tcnooption", 5307, [("tcp", True), ("tcp", True)]), ("tcnokeepalive", 5306, [("tcp", True), ("tcp", False)])):
        with configured(forward_zones=served(zone, 5308, spare)):
            for times in range(4):
                eventually(lambda: counted("open") == 0)  # its connection is its own: no other case's, no other zone's
                name = way.fresh(word, zone)
                believed(way.ask(name))
                found = [(one.proto, one.edns) for one in questions(name)]
                assert found == [("udp", True)] + (turned_down if times < 3 else [("tcp", True)]), (times, sent(name))


@case(ways=[UDP4], alone=True)
def rfc7828_3_2_2_the_option_in_a_reply_over_udp_is_ignored(way):
    """A time-out of 0 there does not end the connection: the next query over TCP uses it. No other test uses this server, so
    weir opens a second connection only if the machine slept until the first one was idle for too long."""
    def one():
        before, name, after = way.fresh("tc", BYE), way.fresh("udpbye", BYE), way.fresh("tc", BYE)
        believed(way.ask(before))
        reply = way.ask(name, edns=True)
        believed(reply)
        assert not reply.option(11)
        assert sent(name) and not over_tcp(name)
        believed(way.ask(after))
        return over_tcp(before)[-1].source == over_tcp(after)[-1].source
    eventually(one)


@case(ways=[UDP4], alone=True)
def rfc9520_3_1_no_server_is_asked_more_than_3_times_by_tcp(way):
    """Whatever it does to its connections, together with others' questions on them."""
    for word in ("tcclose", "tchalf", "tcliar", "tcotherquestion", "tcempty", "tcever", "tchang"):
        names = [way.fresh(word, GRAVE) for _ in range(4)]
        for reply in together(*(lambda name=name: way.ask(name) for name in names)):
            refused(reply)
        for name in names:
            assert 1 <= len(over_tcp(name)) <= 3, (word, over_tcp(name))
