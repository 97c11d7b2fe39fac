# SPDX-License-Identifier: BSD-3-Clause
"""Upstreams that send something else first, and then the truth: it is waited for (RFC 5452 9.1)."""
from harness import UDP4, TCP6, alike, case
from zoo import LIE, ZOO, believed, log, sent


def survives(way, first):
    name = way.fresh(first, ZOO)
    believed(way.ask(name))
    believed(way.ask(name))  # and that is what was kept
    return sent(name)


def survives_at_once(way, first):
    assert len(survives(way, first)) == 1


alike(
    survives_at_once,
    rfc5452_9_1_wrong_name_is_not_believed=([UDP4, TCP6], "wrongname"),
    rfc5452_9_1_wrong_type_is_not_believed=([UDP4], "wrongtype"),
    rfc5452_9_1_wrong_class_is_not_believed=([UDP4], "wrongclass"),
    rfc5452_9_1_other_port_is_not_believed=([UDP4], "otherport"),
    rfc5452_9_1_other_address_is_not_believed=([UDP4], "otheraddress"),
    rfc1035_7_3_a_query_is_no_reply=([UDP4], "notareply"),
    rfc1035_7_3_other_opcode_is_no_reply=([UDP4], "otheropcode"),
    rfc9619_reply_of_no_question_is_not_believed=([UDP4], "noquestion"),
    rfc9619_reply_of_two_questions_is_not_believed=([UDP4], "twoquestions"),
    rfc5452_replies_that_come_twice_do_no_harm=([UDP4], "twice-50"),
    rfc5452_the_first_reply_that_fits_counts=([UDP4], "secondthought"),
)
alike(
    survives,
    rfc5452_9_1_wrong_id_is_not_believed=([UDP4, TCP6], "wrongid"),
    rfc5452_short_replies_are_waited_over=([UDP4], "short"),
)


@case(ways=[UDP4])
def rfc5452_9_1_no_second_guess_by_udp(way):
    """One wrong id moves the question to TCP; what 200 more guesses say is of no interest."""
    found = survives(way, "wrongid-200")
    assert [one.proto for one in found] == ["udp", "tcp"], found


@case(ways=[UDP4], alone=True)
def rfc5452_9_2_guesses_at_every_port_are_not_believed(way):
    """From an attacker who forges the server's address and port: the right id at 55,520 ports, and a wrong one at the port that asks.
    For what others ask the same server meanwhile these are wrong ids, which would move it to TCP."""
    for part in range(16):
        assert {one.proto for one in survives(way, f"everyport-{part}")} == {"udp", "tcp"}
    believed(way.ask(way.fresh("good", ZOO)))


@case(ways=[UDP4, TCP6], alone=True)  # beside other cases a starved machine asks again before it has read the 1,000
def tudoor_1000_malformed_replies_before_the_right_one(way):
    assert len(survives(way, "noise")) <= 2


@case(ways=[UDP4])
def rfc5452_4_5_questions_go_out_from_many_ports_and_ids(way):
    """Over 60 names: a port or an id of one question tells nothing of the next one."""
    for i in range(60):
        believed(way.ask(way.fresh("good", ZOO)))
    pairs = [(one.source, one.id) for name, all in log().items() for one in dict.fromkeys(all)  # but for repeated queries
             if name.startswith("good.") and one.proto == "udp"]
    ports, ids = zip(*pairs)
    assert len(set(pairs)) == len(pairs) >= 60 and len(set(ids)) >= 0.9 * len(ids), (len(pairs), len(set(ids)))
    assert len(set(ports)) >= 0.4 * len(ports), f"{len(set(ports))} ports for {len(ports)} questions"
    assert max(ports) - min(ports) > 30000 and max(ids) - min(ids) > 30000


@case(ways=[UDP4])
def reply_that_contradicts_is_seen_nowhere(way):
    """None of the lies of this file is in the cache, whatever name it was for."""
    for name in ("evil.example", "bank.zoo.example"):
        assert LIE not in way.ask(name).records("A")
