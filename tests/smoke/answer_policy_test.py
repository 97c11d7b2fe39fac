#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What answers lead to, in a running lab: names behind aliases, addresses, patterns, rebinding; by group, and at once when the
lists change although the answers are cached."""
from testing import TMP, becomes, main

FEW, OK = "198.18.0.3", "198.18.200.1"
BLOCKED = """blocked.test
||refused.test^$dnsrewrite=REFUSED
||failed.test^$dnsrewrite=SERVFAIL
||nodata.test^$dnsrewrite=NOERROR
||data.test^$dnsrewrite=192.0.2.5
||six.test^$dnstype=AAAA
"""
LAB = {"lists": {"blocked.list": BLOCKED, "other.list": "other.test\n"}, "clients": [FEW],
       "config": {"groups": [{"name": "few", "clients": [FEW], "lists": ["other.list"]}]}}
ALIAS = "cname_ads_blocked_test.shop.test"


def free(lab, name):
    """What a client of the group with its own list gets."""
    return lab.result(name, client=FEW)


def test_alias_of_a_listed_name(lab):
    assert lab.result(ALIAS) == "NXDOMAIN"
    once = lab.up1.asked(ALIAS)  # 1, or more when this upstream was late
    assert lab.result("cname_fine_test.shop.test") == OK
    becomes(OK, free, lab, "ok.blocked.test")
    assert lab.result(ALIAS) == "NXDOMAIN"
    assert free(lab, ALIAS) == OK  # from the cache, in the group with another list
    assert lab.up1.asked(ALIAS) == once
    assert lab.result(ALIAS) == "NXDOMAIN"
    assert lab.verdict("blocked_answer") >= 2  # by the packet path


def test_changed_list_counts_for_a_cached_alias(lab):
    name = "cname_cdn_late_test.shop.test"
    assert free(lab, name) == OK
    once = lab.up1.asked(name)
    for text, result in (("other.test\nlate.test\n", "NXDOMAIN"), ("other.test\n", OK)):
        (TMP / "other.list").write_text(text)
        lab.activate("blocklist/reload")
        assert free(lab, name) == result
        assert lab.up1.asked(name) == once


def test_allow_entry_lets_the_alias_through(lab):
    with lab.configured(blocking={"allow": ["ads.blocked.test"]}):
        assert lab.result(ALIAS) == OK


def test_patterns_of_the_operator(lab):
    with lab.configured(blocking={"deny": ["/^metric[0-9]+[.]/"]}):
        assert lab.result("metric7.shop.test") == "NXDOMAIN"
        assert lab.up1.asked("metric7.shop.test") == 0
        assert lab.result("ok-3000.metric.test") == OK
        assert lab.result("cname_metric1_cdn_test.shop.test") == "NXDOMAIN"  # behind an alias too


def test_allow_pattern_of_the_operator(lab):
    with lab.configured(blocking={"allow": ["/^ok-[0-9]+[.]fine/"]}):
        for _ in range(2):  # from the cache too
            assert lab.result("ok-3000.fine.blocked.test") == OK
        assert lab.result("ok-3000.other.blocked.test") == "NXDOMAIN"
        assert lab.up1.asked("ok-3000.other.blocked.test") == 0


def test_allow_pattern_leaves_rules_their_replies(lab):
    replies = {"refused.test": "REFUSED", "failed.test": "SERVFAIL", "nodata.test": "NODATA", "data.test": "192.0.2.5", "blocked.test": "NXDOMAIN"}
    with lab.configured(blocking={"allow": ["/^ok-[0-9]+[.]/"]}):
        for over in ("udp", "tcp"):
            assert {name: lab.result(name, over=over, may_fail=name == "failed.test") for name in replies} == replies
            assert lab.result("six.test", "AAAA", over=over) == "NODATA"  # its A may be asked for
            assert {name: lab.result(f"ok-3000.{name}", over=over) for name in replies} == dict.fromkeys(replies, OK)
        shown = {name: replies[name] for name in ("refused.test", "failed.test", "nodata.test")}
        assert {name: lab.get("why", name=name)["reply"]["mode"] for name in shown} == shown


def test_query_types(lab):
    with lab.configured(blocking={"types": ["HTTPS"], "allow": ["open.test"]}):
        for over in ("udp", "tcp"):
            assert lab.result("ok-3000.one.test", "HTTPS", over=over) == "NODATA"
            assert lab.result("ok-3000.one.test", over=over) == OK
        assert lab.up1.asked("ok-3000.one.test") == 1  # for A alone
        found = lab.get("why", name="ok-3000.one.test", type="HTTPS")
        assert found["verdict"] == "blocked" and "deny entries" in found["headline"], found["headline"]
        assert lab.get("why", name="ok-3000.one.test", type="A")["verdict"] == "passed"
        assert lab.get("why", name="ok-3000.open.test", type="HTTPS")["verdict"] == "allowed"


def test_query_types_of_a_list(lab):
    (TMP / "other.list").write_text("other.test\n||*^$dnstype=HTTPS\n@@||open.test^\n")
    lab.activate("blocklist/reload")
    assert lab.result("ok-3000.two.test", "HTTPS") == "NODATA"
    assert lab.up1.asked("ok-3000.two.test") == 0
    assert lab.result("ok-3000.two.test") == OK
    found = lab.get("why", name="ok-3000.two.test", type="HTTPS")
    assert found["verdict"] == "blocked" and "||*^$dnstype=HTTPS (line 2)" in found["headline"], found["headline"]
    assert lab.get("why", name="ok-3000.open.test", type="HTTPS")["verdict"] == "allowed"
    (TMP / "other.list").write_text("other.test\n")
    lab.activate("blocklist/reload")
    assert lab.get("why", name="ok-3000.two.test", type="HTTPS")["verdict"] == "passed"


def test_parameters_of_services(lab):
    name, whole = "svc.one.test", '1 . alpn="h2" ipv4hint="198.18.200.1" ech="YWJj"'
    assert lab.result(name, "HTTPS") == whole
    with lab.configured(blocking={"https_strip": ["ech", "ipv4hint"]}):
        becomes('1 . alpn="h2"', lab.result, name, "HTTPS")  # although it was cached
        assert {lab.result(name, "HTTPS", over=over) for over in ("udp", "tcp")} == {'1 . alpn="h2"'}
        assert lab.result("svc.two.test", "HTTPS", client=FEW) == '1 . alpn="h2"'
    becomes(whole, lab.result, name, "HTTPS")


def test_rebinding_protection(lab):
    assert lab.result("ip_10_0_0_1.shop.test") == "10.0.0.1"
    with lab.configured(blocking={"rebinding": {"enabled": True, "allow": ["home.test"]}}):
        assert lab.result("ip_10_0_0_1.shop.test") == "NODATA"  # at once, although it is cached; it may have an AAAA
        assert lab.result("ip_10_0_0_1.home.test") == "10.0.0.1"
        assert lab.result("ok-3000.shop.test") == OK


if __name__ == "__main__":
    main()
