# SPDX-License-Identifier: BSD-3-Clause
"""RFC 1035: messages."""
from harness import case, query


@case
def rfc1035_4_1_1_a_question_is_answered(way):
    reply = way.ask(way.fresh("a"))
    assert reply.rcode == "NOERROR" and reply.records("A") == ["198.18.200.1"]


@case
def rfc1035_4_1_1_id_is_copied(way):
    name = way.fresh("a")
    for ident in (0, 1, 0x1234, 0xffff):
        assert way.raw(query(name, ident=ident)).msg.id == ident
