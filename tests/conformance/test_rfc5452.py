# SPDX-License-Identifier: BSD-3-Clause
"""RFC 5452: what makes forged replies hard. What is done with forged ones is in test_upstream_*.py."""
from harness import UDP4, asked, case


@case(ways=[UDP4])
def rfc5452_9_2_ports_and_ids_are_random(way):
    """Of 200 questions: over 190 ids, and a port for each or the ports of 512 sockets or more (165 of them drawn, on average), in no order."""
    sent = []
    for _ in range(200):
        name = way.fresh("a")
        way.ask(name)
        sent.append(asked(name)[0])
    ports, ids = [entry["port"] for entry in sent], [entry["id"] for entry in sent]
    assert len(set(ports)) >= 130 and len(set(ids)) >= 190, (len(set(ports)), len(set(ids)))
    assert min(ids) < 4096 and max(ids) > 61440 and max(ports) - min(ports) > 16000
    rises = sum(b > a for a, b in zip(ids, ids[1:]))
    assert 60 < rises < 140, "ids in some order"


@case(ways=[UDP4])
def rfc5452_9_2_ports_that_the_operator_reserves_are_not_used(way):
    """By net.ipv4.ip_local_reserved_ports: conformance_test.py has 1024 to 9999 there, a seventh of all."""
    names = [way.fresh("a") for _ in range(150)]
    for name in names:
        way.ask(name)
    ports = {entry["port"] for name in names for entry in asked(name)}
    assert len(ports) > 80 and min(ports) > 9999 and 60000 not in ports, sorted(ports)[:5]


@case(ways=[UDP4])
def rfc5452_4_the_client_s_id_is_not_upstream_s(way):
    from harness import query
    same = 0
    for i in range(20):
        name = way.fresh("a")
        way.raw(query(name, ident=4242))
        same += asked(name)[0]["id"] == 4242
    assert same <= 1


@case(ways=[UDP4])
def draft_0x20_upstream_is_asked_in_mixed_case(way):
    """The client's own spelling says nothing of upstream's, and replies in any case reach the client in its own."""
    seen = set()
    for _ in range(20):
        name = way.fresh("a")
        way.ask(name)
        seen.add(asked(name)[0]["name"].swapcase() == asked(name)[0]["name"].lower())
        seen.add(asked(name)[0]["name"] != asked(name)[0]["name"].lower())
    assert True in seen, "always in lower case"


@case(ways=[UDP4])
def rebirthday_client_subnets_do_not_split_a_question(way):
    """RFC 7871's option is neither heeded nor passed on, so 30 networks that ask for one name are one question."""
    from harness import Way, option, together
    name = way.fresh("wait-200")
    ways = [Way("udp", way.family, 3100 + i) for i in range(30)]
    together(*(lambda i=i, w=w: w.ask(name, options=[option(8, bytes((0, 1, 24, 0, 192, 0, i)))]) for i, w in enumerate(ways)))
    assert 1 <= len(asked(name)) <= 3 and not any(8 in entry["edns"]["options"] for entry in asked(name))


@case(ways=[UDP4])
def rfc5452_6_one_question_upstream_for_many_clients(way):
    """Many of one question at one time would make a birthday attack of it."""
    from harness import Way, together
    name = way.fresh("wait-200")
    ways = [Way("udp", way.family, 3000 + i) for i in range(30)]
    together(*(lambda w=w: w.ask(name) for w in ways))
    assert len(asked(name)) <= 3
