#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""weirctl why against what clients get: its verdict, reply and line for clients of different groups, for names of each class of
rules, with pauses, a rollback and a changed list; rulec why of the same lists."""
import os

from testing import TMP, becomes, main, run

EVERYONE, KID, STRICT, ASLEEP = CLIENTS = [f"198.18.0.{n}" for n in (2, 3, 4, 5)]
ALWAYS = {"from": "00:00", "to": "24:00"}
ADS = """! names to block
||ads.test^
0.0.0.0 tracker.test
||important.test^$important
||typed.test^$dnstype=AAAA
||wide.test^$denyallow=ok.wide.test
||kids.test^$client=kids
/^ok-7[0-9]+\\./
||others.test^$client=~kids
||kid.test^$client=198.18.0.3|198.18.0.0/24
"""
NETS = "$TTL 60\n@ SOA localhost. root.localhost. 1 3600 900 604800 60\n24.0.1.19.198.rpz-ip CNAME .\n"
LAB = {
    "lists": {"ads.list": ADS, "fine.list": "ok-1.ads.test\nimportant.test\n", "nets.list": NETS},
    "clients": CLIENTS[1:],
    "config": {
        "blocking": {
            "lists": [{"name": "ads.list", "path": f"{TMP}/ads.list"}, {"name": "fine.list", "path": f"{TMP}/fine.list", "allow": True},
                      {"name": "nets.list", "path": f"{TMP}/nets.list"}],
            "deny": ["denied.test", "ok-1.deep.allowed.test"], "allow": ["allowed.test"]},
        "groups": [
            {"name": "kids", "clients": ["198.18.0.3/32"], "deny": ["homework.test"], "safe_search": {"all": True},
             "schedules": [{"name": "always", **ALWAYS, "domains": ["ok-1.timed.test"]}]},
            {"name": "asleep", "clients": [ASLEEP], "schedules": [{"name": "night", **ALWAYS, "block_all": True}]},
            {"name": "strict", "clients": ["198.18.0.4/32"], "lists": ["ads.list"], "block": {"mode": "null", "ttl": 77}}]}}
NAMES = """ok-1.plain.test ok-1.ads.test x.ads.test tracker.test important.test ok-1.typed.test ok-1.wide.test ok-1.ok.wide.test
    ok-1.kids.test ok-1.others.test ok-1.kid.test ok-77.other.test denied.test ok-1.allowed.test ok-1.deep.allowed.test
    ok-1.homework.test ok-1.timed.test""".split()


def gets(lab, client, name, rdtype="A"):
    result = lab.result(name, rdtype, client=client)
    return "resolved" if result.startswith(("198.", "fd53:")) else result


def why(lab, client, name, rdtype="A"):
    return lab.get("why", name=name, client=client, type=rdtype)


def explained(lab, client, name, rdtype="A"):
    """What a client ought to get."""
    return why(lab, client, name, rdtype).get("reply", {}).get("mode", "resolved")


def decides(lab, client, name):
    return next(rule for rule in why(lab, client, name)["rules"] if rule["state"] == "decides")


def agrees(lab, client, name):
    becomes(True, lambda: gets(lab, client, name) == explained(lab, client, name))


def test_why_and_the_client_say_the_same(lab):
    for client in CLIENTS:
        assert {name: gets(lab, client, name) for name in NAMES} == {name: explained(lab, client, name) for name in NAMES}


def test_rule_for_a_type_blocks_that_type(lab):
    for client in CLIENTS:
        assert why(lab, client, "ok-1.typed.test", "AAAA")["verdict"] == "blocked"
        assert gets(lab, client, "ok-1.typed.test", "AAAA") == explained(lab, client, "ok-1.typed.test", "AAAA")
    assert [gets(lab, client, "ok-1.typed.test", "AAAA") for client in (EVERYONE, STRICT)] == ["NODATA", "::"]


def test_headline(lab):
    headlines = {
        (EVERYONE, "ok-1.ads.test"): "allowed by list fine.list: ok-1.ads.test (line 1)",
        (STRICT, "ok-1.ads.test"): "blocked by list ads.list: ||ads.test^ (line 2)",
        (EVERYONE, "ok-77.other.test"): "blocked by list ads.list: /^ok-7[0-9]+\\./ (line 8)",
        (ASLEEP, "ok-1.plain.test"): "blocked by a schedule: all but what is allowed"}
    assert {key: why(lab, *key)["headline"] for key in headlines} == headlines


def test_reply_of_the_group(lab):
    reply = why(lab, STRICT, "x.ads.test")["reply"]
    assert (reply["mode"], reply["ttl"], reply["extended_error"]) == ("0.0.0.0", 77, 15)


def test_line_of_a_hosts_file(lab):
    assert why(lab, EVERYONE, "tracker.test")["rules"][0]["lines"][0]["line"] == 3


def test_important_beats_allow(lab):
    assert decides(lab, EVERYONE, "important.test")["class"] == "important_block"
    assert why(lab, EVERYONE, "important.test")["without_it"] == "allowed"


def test_exception_of_the_same_list(lab):
    rules = why(lab, EVERYONE, "ok-1.ok.wide.test")["rules"]
    assert [rule["state"] for rule in rules if rule["class"] == "block"] == ["excepted"]


def test_rule_for_one_group(lab):
    found = why(lab, KID, "ok-1.kids.test")
    assert (found["client"]["group"], found["verdict"]) == ("kids", "blocked")
    assert why(lab, STRICT, "ok-1.kids.test")["verdict"] == "passed"


def test_rule_for_all_but_one_group(lab):
    assert [why(lab, client, "ok-1.others.test")["verdict"] for client in (EVERYONE, KID, STRICT)] == ["blocked", "passed", "blocked"]


def test_rule_for_an_address(lab):
    assert [why(lab, client, "ok-1.kid.test")["verdict"] for client in (EVERYONE, KID, STRICT)] == ["passed", "blocked", "passed"]
    ads = next(one for one in lab.get("blocklist")["lists"] if one["name"] == "ads.list")
    assert [one["client"] for one in ads["unknown_clients"]] == ["198.18.0.0/24"]
    said = "ads.list: rules for client 198.18.0.0/24 decide nothing: no group has exactly these clients"
    assert said in lab.weirctl("blocklist", "status").splitlines()


def test_entry_of_a_schedule(lab):
    found = why(lab, KID, "ok-1.timed.test")
    assert found["client"]["schedule"].startswith("schedule always")
    assert found["verdict"] == "blocked"


def test_safe_search_for_one_group(lab):
    assert [why(lab, client, "www.bing.com")["safe_search"] for client in (KID, STRICT)] == [True, False]


def test_answer_with_a_listed_address(lab):
    agrees(lab, EVERYONE, "n300.test")
    found = why(lab, EVERYONE, "n300.test")
    assert (found["verdict"], found["reply"]["mode"], found["rules"][0]["lines"][0]["line"]) == ("blocked_answer", "NODATA", 3)
    gets(lab, STRICT, "n301.test")
    assert why(lab, STRICT, "n301.test")["verdict"] == "passed"  # which the other group has not
    assert why(lab, EVERYONE, "n302.test")["verdict"] == "passed"  # nor before it is cached


def test_for_a_person_the_headline_is_first(lab):
    headline = "blocked by list ads.list: ||ads.test^ (line 2)"
    assert lab.weirctl("why", "x.ads.test", "--group", "strict").splitlines()[0] == headline
    offline = run(f"{os.environ['WEIR_BUILD']}/tools/rule/rulec", "why", "-t", "ads.list", "-l", TMP / "ads.list", "x.ads.test")
    assert offline.splitlines()[0] == headline


def test_pause_of_one_group(lab):
    lab.activate("blocklist/pause", minutes=5, group="strict")
    for client in (EVERYONE, STRICT):
        agrees(lab, client, "x.ads.test")
    assert [pause["group"] for pause in lab.get("blocklist")["paused_groups"]] == ["strict"]
    lab.activate("blocklist/resume", group="strict")


def test_pause_of_all(lab):
    lab.activate("blocklist/pause", minutes=1)
    becomes("resolved", gets, lab, STRICT, "ok-1.x.ads.test")
    agrees(lab, STRICT, "ok-1.x.ads.test")
    assert why(lab, STRICT, "ok-1.x.ads.test")["headline"] == "not blocked now: blocking is paused"
    lab.activate("blocklist/resume")
    assert lab.post("blocklist/resume")["unchanged"]  # there is no pause


def test_changed_list(lab):
    ads = TMP / "ads.list"
    ads.write_text("".join(ADS.splitlines(keepends=True)[1:]) + "# one line more\n||new.test^\n")
    assert "changed since it was loaded" in lab.weirctl("why", "x.ads.test")  # lines may be others
    lab.activate("blocklist/reload")
    assert decides(lab, EVERYONE, "x.ads.test")["lines"][0]["line"] == 1
    agrees(lab, EVERYONE, "x.new.test")


def test_rollback(lab):
    lab.activate("blocklist/rollback")
    agrees(lab, EVERYONE, "ok-1.new.test")
    assert why(lab, EVERYONE, "ok-1.new.test")["verdict"] == "passed"
    assert "\nrolled back" in "\n" + lab.weirctl("blocklist", "status")
    lab.activate("blocklist/reload")
    agrees(lab, EVERYONE, "ok-1.new.test")


if __name__ == "__main__":
    main()
