#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Verbs that edit the configuration without an editor: what each does to answers, how it is taken back, entries that end by
themselves, a kill and a restart of both processes, refusals, and the history."""
import os
import re

from rig.person import Person
from testing import CONFIG, TMP, ahead, becomes, main, wait

KID, OK = "198.18.0.3", "198.18.200.1"
LAB = {"clients": [KID], "upstreams": 2, "config": {
    "groups": [{"name": "kids", "clients": ["198.18.0.9"], "deny": ["game.test"]}, {"name": "guests", "clients": ["198.18.0.10"]}],
    "entries": [{"name": "filed.test", "verdict": "deny", "why": "by hand"}, {"name": "kept.test", "verdict": "allow"}]}}


def passes(lab, name, client=None):
    becomes(OK, lab.result, name, client=client)


def blocks(lab, name, client=None):
    becomes("NXDOMAIN", lab.result, name, client=client)


def entries(lab):
    return {entry["name"]: entry for entry in lab.get("entries")["entries"]}


def made(lab, **fields):
    """A version of the history with these fields."""
    versions = lab.get("config/history")["versions"]
    return any(fields.items() <= version.items() for version in versions)


def test_allow(lab):
    lab.weirctl("allow ok.blocked.test --why 'für Anna'")
    passes(lab, "ok.blocked.test")
    assert made(lab, who="uid 0", what="allow ok.blocked.test", why="für Anna")
    assert lab.result("blocked.test") == "NXDOMAIN"  # what stands above it
    assert "allow ok.blocked.test for everyone: " in lab.weirctl("why ok.blocked.test")
    assert lab.get("why", name="ok.blocked.test")["entries"][0]["why"] == "für Anna"


def test_deny(lab):
    lab.weirctl("deny toy.test --group kids")
    assert lab.result("ok.toy.test") == OK
    assert "in place of" in lab.weirctl("deny ok.blocked.test")
    blocks(lab, "ok.blocked.test")
    lab.weirctl("deny --remove ok.blocked.test")
    lab.weirctl("allow ok.blocked.test")
    lab.weirctl("deny '/^pat[0-9]/'")
    blocks(lab, "pat7.test")


def test_deny_of_a_type(lab):
    assert "for type A,HTTPS" in lab.weirctl("deny typed.test --type A,HTTPS")
    becomes("NODATA", lab.result, "typed.test")
    lab.weirctl("deny '/^typed[0-9]/' --type A")
    becomes("NODATA", lab.result, "typed1.test")
    lab.weirctl("deny typed2.test --type AAAA")
    lab.weirctl("allow in.typed.test --type A")
    passes(lab, "in.typed.test")
    assert lab.result("other.typed.test") == "NODATA"
    assert "is for other query types" in lab.weirctl("why typed.test --type AAAA")
    assert "deny typed.test for everyone" in lab.weirctl("why typed.test --type HTTPS")
    lab.weirctl("deny replied.test --reply refused")
    becomes("REFUSED", lab.result, "replied.test")
    listed = entries(lab)
    assert (listed["typed.test"]["type"], listed["replied.test"]["reply"]) == ("A,HTTPS", "refused")
    for name in ("typed.test", "replied.test", "'/^typed[0-9]/'", "typed2.test"):
        lab.weirctl(f"deny --remove {name}")
    lab.weirctl("allow --remove in.typed.test")
    passes(lab, "typed.test")


def test_inverted_pattern(lab):
    passes(lab, "kept.example")
    assert "every name but /[.]test$/ denied for all clients" in lab.weirctl("deny '/[.]test$/' --invert --why 'only ours'")
    blocks(lab, "kept.example")
    passes(lab, "in.test")
    assert entries(lab)["/[.]test$/"]["invert"] is True
    assert "all but /[.]test$/" in lab.weirctl("entries")
    assert "deny every name but those that match /[.]test$/ for everyone: only ours" in lab.weirctl("why kept.example")
    assert "blocked by deny entries: every name but those that match /[.]test$/" in lab.weirctl("why kept.example")
    lab.weirctl("deny --remove '/[.]test$/'")
    passes(lab, "kept.example")


def test_pattern_above_an_allowed_type(lab):
    lab.post("entries/add", name="half.test", verdict="allow", type="A", reply="")
    lab.post("entries/add", name="/^half[.]/", verdict="deny", type="", reply="")
    blocks(lab, "half.other.test")
    assert lab.result("half.test", "AAAA") == "NODATA"  # as it has an address
    assert lab.result("half.test") == OK
    for name in ("half.test", "/^half[.]/"):
        lab.post("entries/remove", name=name)


def test_entry_with_an_end(lab):
    lab.weirctl("deny keep.test")
    assert "had no end; it does not come back" in lab.weirctl("deny keep.test --for 1h")
    lab.weirctl("deny --remove keep.test")
    lab.weirctl("deny short.test --for 10m")
    blocks(lab, "short.test")
    assert "short.test" in lab.weirctl("entries")
    assert entries(lab)["short.test"]["left_s"] <= 600


def test_list(lab):
    added = TMP / "added.list"
    added.write_text("added.test\n")
    lab.weirctl(f"list add more {added}")
    assert "nothing changed" in lab.weirctl(f"list add more {added}")
    blocks(lab, "added.test")
    assert re.search("more .*in use", lab.weirctl("list show"))
    added.rename(TMP / "away.list")
    assert re.search('weirctl: warning: .*except list "more"', lab.weirctl("deny warned.test"))
    blocks(lab, "warned.test")  # in force, although the list's file is away
    lab.weirctl("deny --remove warned.test")
    (TMP / "away.list").rename(added)
    lab.weirctl("list disable more --why 'too wide'")
    assert made(lab, what="list disable more", why="too wide")
    passes(lab, "ok.added.test")
    assert re.search("more .*disabled", lab.weirctl("list show"))
    lab.weirctl("list enable more")
    blocks(lab, "added.test")


def test_allow_list(lab):
    (TMP / "good.list").write_text("ok.added.test\n")
    lab.weirctl(f"list add good {TMP}/good.list --allow")
    passes(lab, "ok.added.test")
    assert lab.result("added.test") == "NXDOMAIN"  # what stands above it
    assert re.search("good  *allow", lab.weirctl("list show"))
    lab.weirctl("list remove good")
    blocks(lab, "ok.added.test")


def test_local_record(lab):
    lab.weirctl("local add nas.lan A 192.0.2.77")
    becomes("192.0.2.77", lab.short, "nas.lan")
    assert "\ntake it back: weirctl local remove nas.lan A 192.0.2.78\n" in "\n" + lab.weirctl("local add nas.lan A 192.0.2.78")
    assert "with that value" in lab.weirctl("local remove nas.lan A 192.0.2.79")
    lab.weirctl("local remove nas.lan A 192.0.2.78")
    becomes("192.0.2.77", lab.short, "nas.lan")


def test_names_in_utf8(lab):
    lab.weirctl("local add BÜCHER.lan A 192.0.2.79")
    becomes("192.0.2.79", lab.short, "xn--bcher-kva.lan")
    assert "removed 1" in lab.weirctl("local remove bücher.lan")
    lab.weirctl("deny bücher.test")
    blocks(lab, "www.xn--bcher-kva.test")
    assert "deny entries" in lab.weirctl("why bücher.test")
    wait(lambda: lab.get("log/search", name="xn--bcher-kva.test", limit=1)["rows"])
    for command, name in (("deny bücher.test --why books", "bücher.test (xn--bcher-kva.test)"), ("entries", "bücher.test (xn--bcher-kva.test)"),
                          ("why xn--bcher-kva.test", "bücher.test (xn--bcher-kva.test)"),
                          ("log search --name xn--bcher-kva.test --limit 1", "www.bücher.test (www.xn--bcher-kva.test)")):
        person = Person("env", "LC_ALL=C.UTF-8", "COLUMNS=200", os.environ["WEIR_BUILD"] + "/tools/ctl/weirctl", "-c", CONFIG, *command.split())
        status, said = person.end()
        assert status == 0 and name in said, (command, said)
        assert "ü" not in lab.weirctl(command) + lab.weirctl(f"--json {command}"), command
    lab.weirctl("deny --remove bücher.test")


def test_group(lab):
    lab.weirctl(f"group add {KID} kids")
    blocks(lab, "game.test", KID)
    assert lab.result("toy.test", client=KID) == "NXDOMAIN"  # the entry of the group
    lab.weirctl(f"group move {KID} guests")
    passes(lab, "ok.game.test", KID)


def test_upstream(lab):
    lab.weirctl("upstream add 127.0.0.1:5302")
    assert [u["address"] for u in lab.get("upstreams")["upstreams"]].count("127.0.0.1:5302") == 1
    lab.weirctl("upstream remove 127.0.0.1:5302")


def test_history_has_each(lab):
    whats = [version["what"] for version in lab.get("config/history")["versions"]]
    for what in ("list add more", "list enable more", "local add nas.lan", f"group add {KID}", f"group move {KID}",
                 "upstream add 127.0.0.1:5302", "upstream remove 127.0.0.1:5302"):
        assert any(text.startswith(what) for text in whats), (what, whats)


def test_refusals(lab):
    name = lab.get("lists")["lists"][0]["name"]
    for command, status, said in (
            (f"list remove {name}", 1, f"{CONFIG}:"),  # of the file
            (f"list remove {name}", 1, "weirctl list disable"),
            ("deny --remove filed.test", 1, f"{CONFIG}:"),
            ("deny --remove filed.test", 1, ": weirctl allow filed.test beats it; or edit the file"),
            ("allow --remove kept.test", 1, "does not edit: edit the file, then"),
            ("list disable mroe", 1, 'did you mean "more"?'),
            ("deny a.test --group kid", 1, 'did you mean "kids"?'),
            ("group add 198.18.0.9 guests", 1, f"{CONFIG}:"),
            (f"group add {KID} kids", 1, 'in group "guests" already'),
            ("deny a..test", 1, "name: "),
            ("deny '/(ads/'", 1, "blocking.deny: /(ads/: "),
            ("deny '/(((([a-z]x?){1,20}y){1,20}z){1,20}w){1,20}1/'", 1, "blocking.deny: /(((([a-z]x?){1,20}y){1,20}z){1,20}w){1,20}1/: takes too long"),
            ("allow '/ads(?=x)/' --group kids", 1, 'groups "kids": allow: /ads(?=x)/: '),
            ("local add bü_cher..lan A 192.0.2.1", 1, "name: is not a domain name"),
            ("local add x.lan A nonsense", 1, "value: "),
            ("list add bad ftp://lists.test/", 1, "is not a URL"),
            ("list add bad /nowhere", 1, "No such file"),
            ("deny a.test --for soon", 2, "--for takes"),
            ("allow --remove nothing.test", 0, 'nothing changed: no allow entry "nothing.test"')):
        assert said in lab.weirctl(command, status=status)
    denied = [name for name, entry in entries(lab).items() if entry["verdict"] == "deny" and not name.startswith("/")]
    assert sorted(denied) == ["filed.test", "short.test", "toy.test"]
    assert "bad" not in [one["name"] for one in lab.get("lists")["lists"]]


TWICE = ("deny twice.test", "deny twice2.test", "deny twice.test", "deny --remove twice.test", "deny --remove twice2.test",
         f"list add twice {TMP / 'twice.list'}", "list disable twice", "list enable twice", "list remove twice",
         "local add twice.lan A 192.0.2.7", "local remove twice.lan A", "group add 198.18.0.77 kids", "group move 198.18.0.77 guests",
         "group remove 198.18.0.77", "upstream add 127.0.0.1:5302", "upstream remove 127.0.0.1:5302", "group create twice 198.18.0.77",
         "group set twice services steam", "group delete twice", "client name 198.18.0.78 twice", "client forget twice",
         "forward-zone add twice.lan 127.0.0.1", "forward-zone remove twice.lan", "schedule set twice 21:00-07:00 steam",
         "schedule remove twice", "services block steam", "services allow steam", "safe-search on", "query-log off", "query-log on",
         "config set blocking.ttl 7", "config clear blocking", "config clear query_log", "config unset cache.min_ttl",
         "drops remove 198.18.0.77", "resume")


def test_each_twice(lab):
    """The second time nothing changes, which is no error and no version."""
    (TMP / "twice.list").write_text("ok.twice.test\n")
    for command in TWICE:
        lab.weirctl(command)
        newest = lab.get("config/history")["versions"][0]["number"]
        assert "nothing changed" in lab.weirctl(command), command
        assert lab.get("config/history")["versions"][0]["number"] == newest, command


def test_what_beats_an_entry_of_the_file(lab):
    lab.weirctl("allow filed.test")
    passes(lab, "ok.filed.test")
    lab.weirctl("allow --remove filed.test")


def test_check_of_the_file_with_the_managed_part(lab):
    lab.write(groups=[{"name": "teens", "clients": ["198.18.0.9"]}, {"name": "guests", "clients": ["198.18.0.10"]}])
    assert "managed.yaml:" in lab.weirctl("config check", status=1)
    lab.write()
    assert "with the managed part: good" in lab.weirctl("config check")
    lab.write(blocking={"deny": ["good.test", "/a{2,1}/"]})
    assert "blocking.deny: /a{2,1}/: " in lab.weirctl("config check", status=1)
    lab.write()


def test_entry_ends_by_itself(lab):
    lab.weirctl("deny short.test --for 1m")
    assert lab.result("ok.short.test") == "NXDOMAIN"
    assert 50 < entries(lab)["short.test"]["left_s"] <= 60
    lab.weirctl("deny short.test --for 4s")
    ahead(4)
    passes(lab, "ok.short.test")
    wait(lambda: "short.test" not in entries(lab))
    assert made(lab, who="timer", what="end of deny short.test")


def test_all_of_it_comes_back_with_both_processes(lab):
    lab.weirctl("deny gone.test --for 3s")
    lab.kill("controlplane")
    lab.kill("dataplane")
    ahead(3)
    lab.start("controlplane")
    lab.start("dataplane")
    wait(lab.activated)
    passes(lab, "ok.gone.test")
    blocks(lab, "pat8.test")
    passes(lab, "ok.blocked.test")
    assert lab.short("nas.lan") == "192.0.2.77"
    assert lab.result("added.test") == "NXDOMAIN"
    assert lab.result("ok.game.test", client=KID) == OK
    assert entries(lab)["filed.test"]["why"] == "by hand"
    ahead(10)  # the health of the version that it started with held
    wait(lambda: made(lab, who="timer", what="end of entries while weir was down"))
    wait(lambda: "gone.test" not in entries(lab))  # once that version is in force


def test_back_to_what_the_file_says(lab):
    wait(lambda: lab.weirctl("local remove nas.lan").startswith("removed 1 local record of nas.lan"))  # the timer's change ends
    for undo in ("allow --remove ok.blocked.test", "deny --remove '/^pat[0-9]/'", "deny --remove toy.test --group kids",
                 "list remove more", f"group remove {KID}"):
        lab.weirctl(undo)
    blocks(lab, "ok.blocked.test")
    assert sorted(entries(lab)) == ["filed.test", "kept.test"]
    ahead(10)  # its health held
    with lab.stream("events") as events:
        events.wait(lambda event: event["kind"] == "config_applied" and event["fields"]["what"] == f"group remove {KID}")


if __name__ == "__main__":
    main()
