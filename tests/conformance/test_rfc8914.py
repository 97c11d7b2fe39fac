# SPDX-License-Identifier: BSD-3-Clause
"""RFC 8914: extended errors; with them RFC 8767 (stale answers), RFC 9520 (failures), and what blocked names get."""
import contextlib
import pathlib
import subprocess
import time

import dns.name

from harness import CLEAR, CONFIG, TCP6, UDP, UDP4, Way, asked, case, configured, control, eventually, sections
from wait import stopped
from zoo import GRAVE, ZOO, believed, sent

BLOCKED, FILTERED, PROHIBITED = 15, 17, 18
STALE, STALE_NXDOMAIN, CACHED_ERROR, NOT_READY, NOT_SUPPORTED, NO_AUTHORITY, NETWORK = 3, 19, 13, 14, 21, 22, 23


@contextlib.contextmanager
def silent_upstream(way):
    """The server stops: another one in its place would find an empty cache, as no answer of other servers is kept."""
    pid = int(subprocess.run(["pgrep", "-o", "-f", "/authority.py "], check=True, capture_output=True, text=True).stdout)
    try:
        with stopped(pid):
            yield
    finally:
        eventually(lambda: way.ask(way.fresh("a")).records("A"))


@case
def rfc8914_2_no_extended_error_without_opt(way):
    for name in ("x.blocked.example", way.fresh("rcode-2")):
        assert way.ask(name).msg.edns == -1


@case
def rfc8914_4_16_blocked(way):
    reply = way.ask("x.blocked.example", edns=True)
    assert reply.rcode == "NXDOMAIN" and reply.ede() == [BLOCKED]


@case
def rfc8914_4_22_not_supported(way):
    assert NOT_SUPPORTED in way.ask(way.fresh("a"), "AXFR", edns=True).ede()
    assert NOT_SUPPORTED in way.ask(way.fresh("a"), "TXT", rdclass="HS", edns=True).ede()


@case
def rfc8914_4_23_no_reachable_authority_of_who_answers_with_errors(way):
    for word in ("rcode-2", "rcode-5"):
        reply = way.ask(way.fresh(word), edns=True)
        assert reply.rcode == "SERVFAIL" and reply.ede() == [NO_AUTHORITY], (word, reply.ede())


@case
def rfc8914_4_14_cached_error(way):
    """The second client within the second gets the error for a cached failure."""
    name = way.fresh("rcode-2")

    def again():
        way.ask(name, edns=True)
        return CACHED_ERROR in way.ask(name, edns=True).ede()

    eventually(again)


@case
def rfc8914_4_23_silence_is_told_as_what_it_is(way):
    reply = way.ask(way.fresh("dead"), edns=True)
    assert reply.rcode == "SERVFAIL" and reply.ede() == [NO_AUTHORITY], reply.ede()
    assert reply.seconds < 7  # limits.answer_deadline_ms, 4.5 s as shipped


@case(ways=[UDP4, TCP6], alone=True)
def rfc8914_4_24_network_error(way):
    """No server could even be sent anything: there is no route to it (RFC 5737)."""
    with configured(upstreams="upstreams: {servers: [{address: '192.0.2.1'}]}"):
        reply = way.ask(way.fresh("a"), edns=True)
        assert reply.rcode == "SERVFAIL" and reply.ede() == [NETWORK], reply.ede()


@case
def rfc8914_3_extended_errors_of_upstream_are_not_taken_for_ours(way):
    """To pass them on is optional; the client gets weir's own error."""
    for code in (6, 15, 18):
        reply = way.ask(way.fresh(f"ede-{code}"), edns=True)
        assert reply.rcode == "SERVFAIL" and reply.ede() == [NO_AUTHORITY], (code, reply.ede())


@case
def rfc8914_5_one_of_a_code_and_within_the_size(way):
    for name in ("x.blocked.example", way.fresh("rcode-2")):
        codes = way.ask(name, edns=True, size=512).ede()
        assert len(codes) == len(set(codes)) and codes


@case
def rfc9520_3_2_a_failure_is_kept_for_a_second_at_least(way):
    name = way.fresh("rcode-2")
    first = way.ask(name)
    time.sleep(0.2)
    sends = len(asked(name))
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        assert way.ask(name).rcode == "SERVFAIL"
    assert first.rcode == "SERVFAIL"
    if time.monotonic() - began < 0.9:
        assert len(asked(name)) == sends, "asked again"


@case(ways=[UDP4], alone=True)
def rfc9520_3_2_how_long_a_failure_is_kept_is_the_operator_s(way):
    """Three seconds in place of one: weir sends no query before that time, and sends one some time after it."""
    def one():
        name = way.fresh("rcode-2")
        began = time.monotonic()
        first = way.ask(name)
        assert first.rcode == "SERVFAIL"
        sends = len(asked(name))
        while time.monotonic() - began < 2:
            assert way.ask(name).rcode == "SERVFAIL"
            time.sleep(0.1)
        found = len(asked(name))
        if first.seconds > 1 or time.monotonic() - began > 2.9:
            return False  # too slow a machine to tell
        assert found == sends, "asked again"
        return eventually(lambda: way.ask(name) and len(asked(name)) > sends)

    with configured(cache="cache: {failure_ttl: 3}"):
        eventually(one)


@case
def rfc9520_3_1_sends_of_a_failing_question_are_bounded(way):
    for word in ("rcode-2", "rcode-5", "dead"):
        name = way.fresh(word)
        way.ask(name)
        assert 1 <= len(asked(name)) <= 6, (word, len(asked(name)))


@case
def rfc9520_3_2_a_failure_is_not_kept_for_longer_than_five_minutes(way):
    """Eight seconds at most by default: first a name that fails, then one that the upstream answers from its third query on."""
    name = way.fresh("flaky-7")
    eventually(lambda: way.ask(name).records("A"))


@case
def rfc9520_3_2_failures_are_of_the_question_alone(way):
    name = way.fresh("rcode-2")
    way.ask(name)
    other = "a." + name.split(".", 1)[1]
    assert way.ask(other).records("A")


@case(ways=[UDP4, TCP6], alone=True)
def rfc8767_4_stale_answers_when_upstream_fails(way):
    """An expired answer in place of SERVFAIL, TTL 30, extended errors 3 and 19; soon enough for the client."""
    good, none = way.fresh("a-1"), way.fresh("nx-1")
    assert way.ask(good).records("A") and way.ask(none).rcode == "NXDOMAIN"
    with silent_upstream(way):
        time.sleep(1.5)  # behind any answer that was on its way
        reply = way.ask(good, edns=True)
        assert reply.records("A") and reply.ede() == [STALE] and reply.ttls() == [30], (reply.ede(), reply.ttls())
        reply = way.ask(none, edns=True)
        assert reply.rcode == "NXDOMAIN" and reply.ede() == [STALE_NXDOMAIN] and reply.soa()[0] <= 30
        reply = way.ask(way.fresh("a"), edns=True)
        assert reply.rcode == "SERVFAIL" and reply.ede() in ([NETWORK], [NO_AUTHORITY])


@case(ways=[UDP4], alone=True)
def rfc8767_7_an_answer_of_ttl_0_is_never_stale(way):
    """It is not cached at all, so there is nothing to serve when upstream fails; what has a second is there still."""
    never, once = way.fresh("a-0"), way.fresh("a-1")
    assert way.ask(never).ttls() == [0] and way.ask(once).records("A")
    with silent_upstream(way):
        time.sleep(1.5)
        assert way.ask(once).records("A")
        reply = way.ask(never)
        assert reply.rcode == "SERVFAIL" and not reply.msg.answer


@case(ways=UDP, alone=True)
def rfc8767_7_the_question_goes_on_behind_a_stale_answer(way):
    """An answer after the client's 1.8 s (5) serves the next client, without another query upstream."""
    def one():
        name = way.fresh("tired-2000", GRAVE)
        believed(way.ask(name))
        time.sleep(1.5)
        reply = way.ask(name, edns=True)
        if reply.ede() != [STALE]:
            return False  # the machine was slow, and the answer there before the time was over
        believed(reply)
        time.sleep(1)
        sends = len(sent(name))
        return way.ask(name).records("A") == ["198.18.200.2"] and len(sent(name)) == sends
    eventually(one)


@case(ways=[UDP4, TCP6])
def rfc8767_5_the_client_waits_for_1800_ms_and_the_next_one_for_nothing(way):
    """The upstream is silent from the second time on. Its time is over when the stale answer leaves, and weir does not repeat the
    failed query at once for the next client."""
    def one():
        name = way.fresh("tired-60000", GRAVE)
        believed(way.ask(name))
        time.sleep(1.5)
        first = way.ask(name, edns=True)
        believed(first)
        assert first.ede() == [STALE] and first.ttls() == [30] and first.seconds > 1.6, (first.ede(), first.seconds)
        sends = len(sent(name))
        replies = [way.ask(name, edns=True) for _ in range(3)]
        if first.seconds > 2.5 or sum(reply.seconds for reply in replies) > 1.5:
            return False  # a machine so slow that it does not tell
        assert all(reply.ede() == [STALE] and reply.records("A") for reply in replies)
        return len(sent(name)) <= sends + 1  # a client that still waits may repeat its query once
    eventually(one)


@case(ways=[UDP4], alone=True)
def rfc8767_5_for_how_long_stale_answers_are_kept_is_the_operator_s(way):
    with configured(cache="cache: {stale_window: 1}", upstreams="upstreams: {servers: [{address: '127.0.0.1:5301'}]}"):
        name = way.fresh("a-1")
        assert way.ask(name).records("A")
        time.sleep(2.5)
        with silent_upstream(way):
            assert way.ask(name).rcode == "SERVFAIL"


@case(ways=UDP, alone=True)
def rfc8914_3_the_extended_error_goes_before_data_does(way):
    """A stale answer that fits to the byte without one: whole, the error left out, and TC, because TCP has room for it."""
    frame = 12 + 4 + 12 + 11  # header, type and class, the record's fixed part, OPT
    probe = len(dns.name.from_text(way.fresh("raw-999-1")).to_wire())
    name = way.fresh(f"raw-{512 - frame - probe}-1")
    assert len(way.ask(name, "TYPE65280", edns=True, size=512).wire) == 512
    with silent_upstream(way):
        time.sleep(1.5)
        reply = way.ask(name, "TYPE65280", edns=True, size=518)
        assert reply.ede() == [STALE] and len(reply.wire) == 518 and not reply.has("TC")
        reply = way.ask(name, "TYPE65280", edns=True, size=517)
        assert reply.msg.answer and reply.ede() == [] and len(reply.wire) == 512 and reply.has("TC")
        reply = way.ask(name, "TYPE65280")  # without an OPT there is no error to leave out
        assert reply.msg.answer and not reply.has("TC")
        reply = Way("tcp", way.family, way.number).ask(name, "TYPE65280", edns=True, size=517)
        assert reply.msg.answer and reply.ede() == [STALE] and not reply.has("TC")


@case(alone=True, over=CLEAR)  # over TLS a refusal would cost a handshake
def rfc8914_4_19_prohibited(way):
    with configured(access="access: {allow: [192.0.2.1], unlimited: [private], denied: refuse}"):
        reply = way.ask(way.fresh("a"), edns=True)
        assert reply.rcode == "REFUSED" and reply.ede() == [PROHIBITED]
        assert way.ask(way.fresh("a")).msg.edns == -1


@case(alone=True)
def blocked_answers_of_every_mode_have_a_soa_or_an_address(way):
    for mode, rcode in (("nxdomain", "NXDOMAIN"), ("nodata", "NOERROR"), ("null", "NOERROR"), ("refused", "REFUSED")):
        with configured(blocking=f"blocking: {{mode: {mode}, ttl: 77, deny: [blocked.example]}}"):
            eventually(lambda: way.ask("x.blocked.example").rcode == rcode)  # "deny" beside the list: asked for by name
            for rdtype in ("A", "AAAA", "TXT", "HTTPS"):
                reply = way.ask("x.blocked.example", rdtype, edns=True)
                assert reply.rcode == rcode and reply.ede() == [FILTERED], (mode, rdtype)
                if mode == "null" and rdtype in ("A", "AAAA"):
                    assert reply.records(rdtype) == [{"A": "0.0.0.0", "AAAA": "::"}[rdtype]] and reply.ttls() == [77]
                elif mode != "refused":
                    assert reply.soa() == (77, 77), (mode, rdtype, reply.soa())
    eventually(lambda: way.ask("x.blocked.example").rcode == "NXDOMAIN")
    assert not asked("x.blocked.example")


@case(alone=True)
def rfc8914_4_18_filtered(way):
    """An operator's deny entry is what the network asked for; a list is the policy of its author."""
    with configured(blocking="blocking: {deny: [denied.example]}"):
        for name in ("denied.example", "x.denied.example"):
            eventually(lambda: way.ask(name, edns=True).ede() == [FILTERED])
            assert way.ask(name, edns=True).rcode == "NXDOMAIN"


@case(ways=UDP, alone=True)
def rfc8914_4_15_not_ready(way):
    """While the control plane hangs: what is cached is answered, for the rest the data plane says that it is not ready."""
    cached = way.fresh("a")
    way.ask(cached)
    pid = int(pathlib.Path("/run/weir/lab/controlplane.pid").read_text().split()[0])
    with stopped(pid):
        time.sleep(1.5)
        assert way.ask(cached, edns=True).records("A")
        reply = way.ask(way.fresh("a"), edns=True)
        assert reply.rcode == "SERVFAIL" and reply.ede() == [NOT_READY], reply.ede()
    eventually(lambda: way.ask(way.fresh("a")).records("A"))


@case(alone=True)
def blocked_names_below_a_custom_address(way):
    with configured(blocking="blocking: {mode: address, ipv4: 198.18.9.9, ttl: 5, deny: [blocked.example]}"):
        eventually(lambda: way.ask("x.blocked.example").records("A") == ["198.18.9.9"])
        reply = way.ask("x.blocked.example", "AAAA", edns=True)
        assert reply.rcode == "NOERROR" and reply.soa() and not reply.msg.answer and reply.ede() == [FILTERED]


@case(alone=True)
def rfc8914_4_16_an_address_in_place_of_the_true_one_is_blocked(way):
    """Of a name on a list: the null address, the operator's own, or none."""
    listed = sections(CONFIG.read_text())["blocking"].split("\n", 1)[1].rstrip()
    for mode, address in (("'null'", "0.0.0.0"), ("address\n  ipv4: 198.18.9.9", "198.18.9.9")):
        with configured(blocking=f"blocking:\n  mode: {mode}\n  ttl: 5\n{listed}"):
            eventually(lambda: way.ask("x.blocked.example").records("A") == [address])
            assert way.ask("x.blocked.example", edns=True).ede() == [BLOCKED], mode
            reply = way.ask("x.blocked.example", "TXT", edns=True)
            assert not reply.msg.answer and reply.ede() == [BLOCKED], mode
    eventually(lambda: way.ask("x.blocked.example").rcode == "NXDOMAIN")


@case
def rfc8914_3_several_extended_errors_of_an_upstream_are_no_harm(way):
    """With and without text, of codes nobody knows, with NOERROR: the answer is what it is."""
    for reply in way.twice(way.fresh("errors", ZOO), edns=True):
        believed(reply)
        assert reply.ede() == []


@case(ways=[UDP4], alone=True)
def a_flush_forgets_an_answer(way):
    name = way.fresh("a")
    way.ask(name)
    control.post("cache/flush", name=name)
    eventually(lambda: way.ask(name) and len(asked(name)) >= 2)


@case
def rfc8914_2_extra_text_is_utf_8_and_ends_with_the_option(way):
    """It may be empty, and nobody may count on a NUL behind it."""
    for name, rdtype in (("x.blocked.example", "A"), (way.fresh("rcode-2"), "A"), (way.fresh("a"), "AXFR")):
        for one in way.ask(name, rdtype, edns=True).option(15):
            wire = one.to_wire()
            assert len(wire) >= 2 and b"\0" not in wire[2:], name
            wire[2:].decode("utf-8")
