#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Several upstreams: a dead first server, checks, latency, drain, a port where nobody listens."""
import itertools
import re

from testing import LONG, Refused, ahead, becomes, main, together, wait

LAB = {"upstreams": 2}
OK = "198.18.200.1"


def servers(lab, *ports, **keys):
    """These are the lab's upstreams, with these keys of the section."""
    lab.configure(upstreams={"servers": [{"address": f"127.0.0.1:{port}", "name": f"up{port}"} for port in ports], **keys})


def of(lab, server, field):
    return next(one for one in lab.get("upstreams")["upstreams"] if one["name"] == server)[field]


def clients(upstream, text):
    """How many queries of clients for names with this text it got."""
    return sum(text in query.name.lower() for query in upstream.all())


def test_failover_asks_the_first_alone(lab):
    servers(lab, 5301, 5302, policy="failover")
    assert [one["name"] for one in lab.get("upstreams")["upstreams"]] == ["up5301", "up5302"]
    assert lab.short("ok.first.test") == OK
    assert clients(lab.up2, "first.test") == 0
    assert re.search("^ *everyone +up5301 +127.0.0.1:5301 +up ", lab.weirctl("upstreams"), re.M)


def test_dead_first_server(lab):
    with lab.up1.silent():
        for i in range(8):
            assert lab.short(f"ok.dead-{i}.test") == OK
        becomes("down", of, lab, "up5301", "state")
        assert lab.short("ok.dead-9.test") == OK
        problems = lab.weirctl("status").partition("\nPROBLEMS")[2]
        assert re.search("^  warning: 1 of 2 upstreams is down.*\n    .*weirctl upstreams", problems, re.M)
        assert 1 <= of(lab, "up5301", "timeouts") < 8  # not one wait for each name
        asked = clients(lab.up1, "dead-")
        ahead(3)
        wait(lambda: of(lab, "up5301", "checks_failed") >= 3, "it is not checked")
        for i in range(5):
            assert lab.short(f"ok.dead-later-{i}.test") == OK
        assert clients(lab.up1, "dead-") == asked
        assert lab.resolver("servfail") == 0
        lab.log["controlplane"].said("upstream up5301 does not answer")
    becomes("up", of, lab, "up5301", "state")
    assert lab.short("ok.again.test") == OK
    assert clients(lab.up1, "again.test") >= 1


def test_test(lab):
    lab.weirctl("upstream test up5301")
    found = lab.post("upstream/test", server="127.0.0.1:5301")
    assert (found["udp"]["rcode"], found["tcp"]["rcode"]) == ("NOERROR", "NOERROR")
    with lab.up2.silent():
        assert "UDP: no reply" in lab.weirctl("upstream test up5302", status=1)
    assert 'no server "up9"' in lab.weirctl("upstream test up9", status=1)
    assert 'did you mean "up5301"?' in lab.weirctl("upstream test up531", status=1)
    becomes("up", of, lab, "up5302", "state")


def counted(lab):
    """What weir counts of its servers, but for checks, which come by themselves."""
    keys = "name", "state", "sent", "answered", "timeouts", "failures", "tcp_opened", "refused"
    return [[one[key] for key in keys] for one in lab.get("upstreams")["upstreams"]]


def test_a_server_that_weir_does_not_ask(lab):
    servers(lab, 5301, policy="failover", check="off")
    before = counted(lab)
    found = lab.post("upstreams/test", server="127.0.0.1:5302")
    assert (found["udp"]["rcode"], found["tcp"]["rcode"]) == ("NOERROR", "NOERROR")
    assert [found["signed"], found["ad"], "tls" in found] == [False, False, False]
    assert "DNSSEC records: no" in lab.weirctl("upstream test 127.0.0.1:5302")
    with lab.up2.silent():
        assert "UDP: no reply" in lab.weirctl("upstream test 127.0.0.1:5302", status=1)
        assert lab.short("ok.meanwhile.test") == OK
    lab.post("upstreams/test", server="127.0.0.1:5301")  # one of weir's own, apart from it
    after = counted(lab)
    assert [one[:2] for one in after] == [one[:2] for one in before]
    assert after[0][2] - before[0][2] == 1  # the question meanwhile
    assert after[0][4:] == before[0][4:]


def test_a_test_is_refused(lab):
    for server, why in (("198.18.0.53", "is an address of this service: queries would loop"), ("127.0.0.1:0", "is not an IP address"),
                        ("[::ffff:127.0.0.1]:5301", "is an IPv4 address in IPv6"), ("tls://dns.example", "is a host name alone"),
                        ("https://192.0.2.1", "needs the path"), ("[fe80::1%lo]:53", "is not an IP address"),
                        ("quic://192.0.2.1", "no such protocol")):
        assert f"server: {why}" in lab.refused("upstreams/test", server=server)


def test_tests_are_bounded(lab):
    def outcome():
        try:
            lab.post("upstreams/test", server="127.0.0.1:5302")
            return "done"
        except Refused as refusal:
            return refusal.text
    ahead(10)  # those before are forgotten
    with lab.up2.silent():
        at_once = together(outcome, outcome, outcome)
    assert sorted(at_once) == ["another server is being tested: try again"] * 2 + ["done"]
    assert {outcome() for _ in range(20)} == {"done", "too busy: try again"}
    servers(lab, 5301, 5302, policy="failover")


def test_drain(lab):
    lab.weirctl("upstream drain up5301")
    assert of(lab, "up5301", "state") == "drained"
    assert lab.short("ok.drained.test") == OK
    assert clients(lab.up1, "ok.drained.test") == 0
    servers(lab, 5301, 5302, policy="failover", max_sends=5)
    assert of(lab, "up5301", "state") == "drained"  # also behind a reload
    lab.weirctl("upstream undrain up5301")
    assert lab.short("ok.undrained.test") == OK
    assert clients(lab.up1, "undrained.test") >= 1


def test_drain_ends_with_the_control_plane(lab):
    lab.post("upstream/drain", server="up5301")
    lab.kill("controlplane")
    lab.start("controlplane")
    becomes("up", of, lab, "up5301", "state")


def test_nobody_listens_at_the_first_port(lab):
    servers(lab, 5309, 5302, policy="failover", first_timeout_ms=1500, check="off")
    assert lab.short("ok.refused.test") == OK
    wait(lambda: of(lab, "up5309", "refused") >= 1)


def test_latency(lab):
    servers(lab, 5301, 5302, policy="latency", check="all")
    wait(lambda: of(lab, "up5301", "srtt_us") > 0 and of(lab, "up5302", "srtt_us") > 0)
    for i in range(100):
        assert lab.short(f"ok.latency-{i}.test") == OK
    assert sum(of(lab, server, "share_percent") for server in ("up5301", "up5302")) in (99, 100)


def test_round_robin(lab):
    servers(lab, 5301, 5302, policy="round-robin", check="all")
    turns = itertools.count()

    def half_each():
        turn = f"turn-{next(turns)}-"
        for i in range(40):
            assert lab.short(f"ok.{turn}{i}.test") == OK
        return min(clients(lab.up1, turn), clients(lab.up2, turn)) >= (17 if LONG else 10)
    wait(half_each, "never half each, where no server was late")


def test_race(lab):
    servers(lab, 5301, 5302, race=2)
    assert lab.short("ok.race.test") == OK
    assert [clients(upstream, "race.test") >= 1 for upstream in (lab.up1, lab.up2)] == [True, True]
    assert 'weir_upstream_checks_total{upstream="up5301"' in lab.get("metrics")


if __name__ == "__main__":
    main()
