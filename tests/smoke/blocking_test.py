#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""All of blocking at once in a running lab: four formats of lists, groups by address and MAC with lists, entries, services,
schedules and replies of their own, safe search; pause, rollback; `weirctl why` says what each client gets; and all of it goes on
without the control plane."""
import datetime
import os
import time

from testing import TMP, becomes, main

os.environ["TZ"] = "Etc/GMT-9"  # schedules go by local time: far from UTC, so that it shows
time.tzset()

MAC, OK, OWN = "02:00:5e:10:00:05", "198.18.200.1", "198.18.99.99"
LISTS = {
    "hosts": "0.0.0.0 hosts.ads.test # first\n127.0.0.1 a.shared.test b.shared.test\n",
    "adblock": "! AdBlock\n||adb.test^\n@@||ok.adb.test^\n||must.ok.adb.test^$important\nexample.test##.ad\n|self.test|\n",
    "rpz": "$TTL 60\n$ORIGIN rpz.zone.\n@ SOA localhost. root.localhost. 1 2 3 4 5\none.test CNAME .\n*.below.test CNAME .\n"
           "nodata.test CNAME *.\ndrop.test CNAME rpz-drop.\ndata.test A 192.0.2.5\npass.adb.test CNAME rpz-passthru.\n",
    "dnsmasq": "address=/mas1.test/mas2.test/#\nlocal=/mas3.test/\n",
    "kids": "kids.test\n"}


def window(start, end):
    now = datetime.datetime.now()
    return {key: (now + datetime.timedelta(hours=hours)).strftime("%H:%M") for key, hours in (("from", start), ("to", end))}


def config():
    return {
        "blocking": {"allow": ["ok.hosts.ads.test"], "deny": ["denied.test", "hard.ok.adb.test"]},
        "local": {"records": [{"name": "nas.test", "type": "A", "value": "192.168.7.10"}, {"name": "nas.test", "type": "TXT", "value": "box"}]},
        "groups": [
            {"name": "kids", "clients": ["198.18.0.3"], "lists": ["hosts", "kids"], "allow": ["ok.kids.test"], "deny": ["games.test"],
             "services": ["signal"], "safe_search": {"google": "strict"}, "block": {"mode": "address", "ipv4": OWN, "ttl": 77},
             "schedules": [{"name": "now", "domains": ["now.test"], **window(-1, 1)},
                           {"name": "later", "domains": ["later.test"], **window(3, 4)}]},
            {"name": "zero", "clients": ["198.18.0.4"], "block": {"mode": "null"}},
            {"name": "refused", "clients": ["198.18.0.6"], "block": {"mode": "refused"}},
            {"name": "nodata", "clients": ["198.18.0.7"], "block": {"mode": "nodata"}},
            {"name": "card", "clients": [MAC], "lists": ["kids"]}]}


LAB = {"lists": LISTS, "clients": [f"198.18.0.{n}" for n in (3, 4, 6, 7)], "config": config}
GETS = {  # what client 198.18.0.N gets
    2: {"hosts.ads.test": "NXDOMAIN", "x.hosts.ads.test": "NXDOMAIN", "b.shared.test": "NXDOMAIN", "x.ok.hosts.ads.test": OK,
        "adb.test": "NXDOMAIN", "ok.adb.test": OK, "x.pass.adb.test": "NXDOMAIN", "pass.adb.test": OK, "must.ok.adb.test": "NXDOMAIN",
        "hard.ok.adb.test": "NXDOMAIN", "self.test": "NXDOMAIN", "x.self.test": OK, "example.test": OK, "one.test": "NXDOMAIN",
        "x.one.test": OK, "below.test": OK, "x.below.test": "NXDOMAIN", "nodata.test": "NODATA", "drop.test": "TIMEOUT",
        "data.test": "192.0.2.5", "x.mas2.test": "0.0.0.0", "mas3.test": "NXDOMAIN", "denied.test": "NXDOMAIN", "games.test": OK,
        "www.signal.org": OK, "now.test": OK, "nas.test": "192.168.7.10"},
    3: {"x.hosts.ads.test": OWN, "ok.hosts.ads.test": OK, "kids.test": OWN, "ok.kids.test": OK, "games.test": OWN, "denied.test": OWN,
        "adb.test": OK, "mas1.test": OK, "www.signal.org": OWN, "now.test": OWN, "later.test": OK, "nas.test": "192.168.7.10"},
    4: {"hosts.ads.test": "0.0.0.0"}, 6: {"hosts.ads.test": "REFUSED"}, 7: {"hosts.ads.test": "NODATA"},
    5: {"kids.test": "NXDOMAIN", "adb.test": OK}}


def gets(lab, n, name):
    if name == "drop.test":  # what its list blocks is answered by a worker in turn
        return "TIMEOUT" if lab.dropped(name, then="one.test", client=f"198.18.0.{n}") else "an answer"
    return lab.result(name, client=f"198.18.0.{n}")


def explained(lab, n, name):
    """The same by why; "answer" for what is not blocked, or by a rule with records of its own."""
    why = lab.get("why", name=name, client=f"198.18.0.{n}", type="A", **({"mac": MAC} if n == 5 else {}))
    mode = why.get("reply", {}).get("mode", "")
    if why["verdict"] == "dropped":
        return "TIMEOUT"
    return mode if why["verdict"] in ("blocked", "blocked_answer") and not mode.startswith("its records") else "answer"


def table(lab):
    return {n: {name: gets(lab, n, name) for name in names} for n, names in GETS.items()}


def safe_search(lab):
    return lab.short("www.google.com", client="198.18.0.3"), lab.short("www.google.com")


def test_each_client_gets_what_its_rules_say(lab):
    lab.client("ip", "link", "add", "link", "wt0", "name", "card", "address", MAC, "type", "macvlan", "mode", "bridge")
    for words in ("addr add 198.18.0.5/32 dev card", "link set card up", "rule add from 198.18.0.5 table 5",
                  "route add 198.18.0.0/24 dev card table 5"):
        lab.client("ip", *words.split())
    becomes("NXDOMAIN", gets, lab, 5, "kids.test")
    becomes(OWN, gets, lab, 3, "games.test")
    assert table(lab) == GETS
    assert safe_search(lab) == (f"forcesafesearch.google.com. {OK}", OK)
    assert lab.ask("kids.test", client="198.18.0.3").ttl == 77


def test_why_says_what_each_client_gets(lab):
    want = {n: {name: "answer" if got == OK or got.startswith("192.") else got for name, got in names.items()} for n, names in GETS.items()}
    assert {n: {name: explained(lab, n, name) for name in names} for n, names in GETS.items()} == want


def test_why_names_list_rule_line_and_schedule(lab):
    rules = lab.get("why", name="x.adb.test", client="198.18.0.2")["rules"]
    assert [(r["list"], r["name"], r["lines"][0]["line"]) for r in rules if r["state"] == "decides"] == [("adblock", "adb.test", 2)]
    assert "now" in lab.weirctl("why now.test --client 198.18.0.3").splitlines()[0]


def test_pause(lab):
    lab.activate("blocklist/pause", minutes=5)
    becomes(OK, gets, lab, 2, "hosts.ads.test")
    assert gets(lab, 3, "kids.test") == OK
    assert explained(lab, 3, "kids.test") == "answer"
    assert gets(lab, 2, "nas.test") == "192.168.7.10"  # local data stays
    lab.post("blocklist/resume")
    becomes("NXDOMAIN", gets, lab, 2, "hosts.ads.test")  # what is cached too


def test_changed_list_acts_at_once_until_a_rollback(lab):
    (TMP / "hosts").write_text(LISTS["hosts"].replace("hosts.ads", "other.ads"))
    lab.activate("blocklist/reload")
    assert gets(lab, 2, "hosts.ads.test") == OK
    assert gets(lab, 2, "other.ads.test") == "NXDOMAIN"
    lab.activate("blocklist/rollback")
    becomes("NXDOMAIN", gets, lab, 2, "hosts.ads.test")
    assert gets(lab, 2, "x.other.ads.test") == OK


def test_all_of_it_without_the_control_plane(lab):
    lab.kill("controlplane")
    assert table(lab) == GETS
    assert safe_search(lab) == (f"forcesafesearch.google.com. {OK}", OK)
    lab.start("controlplane")
    becomes(OK, gets, lab, 2, "ok-3000.again.test")


if __name__ == "__main__":
    main()
