# SPDX-License-Identifier: BSD-3-Clause
"""RFC 8482: ANY. RFC 5001 and 4892: what weir says of itself. The order of an RRset."""
from harness import asked, case, configured, eventually, option


@case
def rfc8482_4_any_is_answered(way):
    for reply in way.twice("any.rfc8482.c.example", "ANY", edns=True):
        assert reply.rcode == "NOERROR" and reply.msg.answer


@case
def rfc8482_4_2_any_is_one_hinfo(way):
    """weir asks no upstream for it: no amplification, neither here nor there."""
    name = way.fresh("any")
    reply = way.ask(name, "ANY", edns=True, size=4096)
    assert len(reply.wire) <= 512 and len(reply.msg.answer) == 1
    assert reply.records("HINFO") == ['"RFC8482" ""'] and not asked(name)
    assert not reply.has("TC")  # 7: it is the whole answer


@case(alone=True)
def rfc8482_4_1_any_is_forwarded_where_the_operator_wants_it(way):
    """And is one answer then, cached as such."""
    name = way.fresh("any")
    with configured(access="access: {allow: [private, 198.18.0.0/15], unlimited: [private, 198.18.0.0/15], any: forward}"):
        eventually(lambda: way.ask(way.fresh("any"), "ANY").records("A"))
        for reply in way.twice(name, "ANY", edns=True):
            assert {len(reply.records(kind)) for kind in ("A", "AAAA", "TXT", "MX")} == {1}, str(reply.msg)
        way.cached(name, "ANY", edns=True)


@case
def rfc8482_4_2_any_says_nothing_of_other_types(way):
    """What ANY brought is no answer to a question for one type."""
    name = way.fresh("any")
    way.ask(name, "ANY")
    assert len(way.ask(name, "A").records("A")) == 1
    assert [entry["type"] for entry in asked(name)][-1] == "A"


@case
def rfc8482_6_any_does_not_hide_a_hinfo(way):
    """The synthesised HINFO answers ANY only; an upstream's own HINFO is ordinary data (4.2)."""
    name = way.fresh("a")
    for _ in range(2):
        assert way.ask(name, "ANY").records("HINFO") == ['"RFC8482" ""']
        assert way.ask(name, "HINFO").records("HINFO") == ['"CPU" "OS"']


@case
def rfc5001_2_2_nsid_is_not_told_as_shipped(way):
    reply = way.ask(way.fresh("a"), options=[option(3)])
    assert reply.records("A") and not reply.option(3)


@case
def rfc5001_2_4_nsid_is_not_asked_for_upstream(way):
    """It is for the hop alone: neither is the client's wish passed on, nor what an upstream would say of itself."""
    name = way.fresh("a")
    way.ask(name, options=[option(3)])
    assert 3 not in asked(name)[0]["edns"]["options"]


@case(alone=True)
def rfc5001_2_2_nsid_is_told_where_the_operator_wants_it(way):
    """In replies to queries with the option, hits and misses, whatever it holds (2.1), and in no others (2.2, 2.4)."""
    name = way.fresh("a")
    with configured(identity="identity: {nsid: box 1}"):
        for asked_with in (b"", b"something"):
            for question in (name, name, way.fresh("nx")):
                reply = way.ask(question, options=[option(3, asked_with)])
                assert [o.data for o in reply.option(3)] == [b"box 1"]
        assert not way.ask(name, edns=True).option(3) and not way.ask(name).option(3)
    assert not way.ask(name, options=[option(3)]).option(3)


@case
def rfc4892_version_bind_is_not_told_as_shipped(way):
    for name in ("version.bind", "id.server", "hostname.bind", "version.server"):
        reply = way.ask(name, "TXT", rdclass="CH")
        assert reply.rcode in ("REFUSED", "NOTIMP") and not reply.msg.answer


@case(alone=True)
def rfc4892_2_what_the_operator_wants_told_is_told(way):
    texts = {"version.bind": '"some weir"', "version.server": '"some weir"', "hostname.bind": '"box 1"', "id.server": '"box 1"'}
    with configured(identity="identity: {version: some weir, name: box 1}"):
        for name, text in texts.items():
            assert way.ask(name, "TXT", rdclass="CH").records("TXT") == [text]
        assert way.ask("other.bind", "TXT", rdclass="CH").rcode == "REFUSED"
    assert way.ask("id.server", "TXT", rdclass="CH").rcode == "REFUSED"


@case
def rfc1034_3_6_an_rrset_is_whole_whatever_its_order(way):
    name = way.fresh("order")
    for _ in range(4):
        assert way.ask(name).records("A") == [f"198.18.200.{i}" for i in range(1, 5)]


@case(alone=True)
def rfc1794_4_addresses_go_round_where_told_to(way):
    """All there, each first in its turn; an alias stays before them, and a shipped weir leaves them as they came."""
    name, alias = way.fresh("order"), way.fresh("cname")

    def first(name):
        rrset = [rrset for rrset in way.ask(name).msg.answer if rrset.rdtype == 1][-1]
        return rrset[0].to_text(), len(rrset)

    as_stored = first(name)
    assert as_stored[1] == 4 and all(first(name) == as_stored for _ in range(4))
    with configured(cache="cache: {rrset_order: rotate}"):
        assert {first(name) for _ in range(16)} == {(f"198.18.200.{i}", 4) for i in range(1, 5)}
        assert way.ask(alias).msg.answer[0].rdtype == 5
