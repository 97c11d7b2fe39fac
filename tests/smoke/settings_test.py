#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Keys of the file that are changed without an editor: config set, unset and clear, and the words of every day for groups, clients,
services, safe search, schedules, forward zones and the query log."""
from testing import CONFIG, ahead, becomes, main, wait

KID, OK = "198.18.0.3", "198.18.200.1"
LAB = {"clients": [KID], "upstreams": 2, "config": {
    "groups": [{"name": "guests", "clients": ["198.18.0.10"], "services": ["steam"]}],
    "clients": [{"name": "printer", "addresses": ["198.18.0.11"]}],
    "blocking": {"deny": ["first.test", "second.test"]}}}
NOW = "00:00-23:59"


def passes(lab, name, client=None):
    becomes(OK, lab.result, name, client=client)


def blocks(lab, name, client=None):
    becomes("NXDOMAIN", lab.result, name, client=client)


def overrides(lab):
    return {row["path"]: row for row in lab.get("config/overrides")["overrides"]}


def groups(lab):
    return {group["name"]: group for group in lab.get("groups")["groups"]}


def test_a_value(lab):
    blocks(lab, "first.test")
    assert "in place of what a file says" not in lab.weirctl("config set blocking.mode nodata")
    becomes("NODATA", lab.result, "first.test")
    assert overrides(lab)["blocking.mode"]["value"] == '"nodata"'
    assert "blocking.mode" in lab.weirctl("config overrides")
    assert " nodata " in lab.weirctl("config get blocking.mode")
    lab.weirctl("config clear blocking.mode")
    blocks(lab, "first.test")
    assert "blocking.mode" not in overrides(lab)
    assert " nxdomain " in lab.weirctl("config get blocking.mode")


def test_a_list_and_an_item_of_the_file(lab):
    assert "in place of what a file says" in lab.weirctl("config set blocking.deny second.test,third.test")
    passes(lab, "first.test")
    blocks(lab, "third.test")
    lab.weirctl("config clear blocking.deny")
    lab.weirctl("config unset 'blocking.deny[first.test]'")
    passes(lab, "first.test")
    blocks(lab, "second.test")
    assert overrides(lab)["blocking.deny[first.test]"]["unset"]
    lab.weirctl("config clear 'blocking.deny[first.test]'")
    blocks(lab, "first.test")


def test_a_group_with_a_service(lab):
    lab.weirctl(f"group create kids {KID}")
    assert "is blocked for group kids" in lab.weirctl("services block tiktok --group kids")
    blocks(lab, "www.tiktok.com", KID)
    passes(lab, "www.tiktok.com")
    assert "nothing changed" in lab.weirctl("services block tiktok --group kids")
    assert "nothing changed" in lab.weirctl(f"group create kids {KID}")
    assert "groups[kids] exists already" in lab.weirctl("group create kids 198.18.0.77", status=1)
    lab.weirctl("services block steam --group kids")
    assert groups(lab)["kids"]["services"] == ["tiktok", "steam"]
    lab.weirctl("services allow tiktok --group kids")
    passes(lab, "www.tiktok.com", KID)
    lab.weirctl("group set kids services []")
    assert groups(lab)["kids"]["services"] == []


def test_a_service_for_all(lab):
    lab.weirctl("services block roblox")
    blocks(lab, "www.roblox.com")
    assert groups(lab)["guests"]["services"] == ["steam"]
    lab.weirctl("config clear blocking.services")
    passes(lab, "www.roblox.com")


def test_a_schedule(lab):
    lab.weirctl(f"schedule set bedtime {NOW} block_all --group kids")
    blocks(lab, "anything.test", KID)
    passes(lab, "anything.test")
    lab.weirctl("schedule remove bedtime --group kids")
    lab.weirctl("schedule set bedtime 21:00-07:00@Asia/Kathmandu block_all --group kids")
    assert "07:00 Asia/Kathmandu" in lab.weirctl("groups")
    lab.weirctl("schedule remove bedtime --group kids")
    passes(lab, "anything.test", KID)
    lab.weirctl(f"schedule set play {NOW} youtube mon,tue,wed,thu,fri,sat,sun")
    blocks(lab, "www.youtube.com")
    lab.weirctl(f"schedule set play {NOW} vk")
    passes(lab, "www.youtube.com")
    assert overrides(lab)["blocking.schedules[play].services"]["value"] == '["vk"]'
    assert "blocking.schedules[play].days" not in overrides(lab)
    lab.weirctl("schedule remove play")
    name = 'rest "at" \\noon'
    lab.weirctl(f"schedule set '{name}' {NOW} vk,tiktok")
    assert overrides(lab)[f"blocking.schedules[{name}].services"]["value"] == '["vk", "tiktok"]'
    lab.weirctl(f"schedule remove '{name}'")
    passes(lab, "www.youtube.com")


def test_schedules_called_family_time(lab):
    lab.weirctl(f"schedule set 'family time' {NOW} youtube")
    blocks(lab, "www.youtube.com")
    lab.weirctl("schedule remove 'family time'")
    passes(lab, "www.youtube.com")
    lab.post("config/override", yaml='{"blocking": {"family_time": {"from": "00:00", "to": "23:59", "services": ["youtube"]}}}')
    blocks(lab, "www.youtube.com")
    lab.weirctl("schedule remove 'family time'")
    passes(lab, "www.youtube.com")


def test_safe_search(lab):
    lab.weirctl("safe-search on --group kids")
    wait(lambda: groups(lab)["kids"]["safe_search"])
    assert lab.get("why", name="www.google.com", client=KID)["safe_search"]
    lab.weirctl("safe-search on youtube --group kids")
    lab.weirctl("safe-search off --group kids")
    wait(lambda: not lab.get("why", name="www.youtube.com", client=KID)["safe_search"])
    lab.weirctl("config clear 'groups[kids].safe_search'")


def test_a_client(lab):
    lab.weirctl(f"client name {KID} tablet")
    assert f"{KID} is in group kids" in lab.weirctl("why first.test --client tablet")
    assert f"{KID} is phone, and no longer tablet" in lab.weirctl(f"client name {KID} phone")
    assert {"clients[phone].addresses", "clients[tablet].addresses"} & set(overrides(lab)) == {"clients[phone].addresses"}
    assert "nothing changed" in lab.weirctl(f"client name {KID} phone")
    lab.weirctl(f"client name {KID} tablet")
    lab.weirctl("client name 02:00:00:00:00:09 tablet")
    lab.weirctl(f"client name {KID} phone")
    assert "clients[tablet].macs" in overrides(lab)
    lab.weirctl("client name 02:00:00:00:00:09 phone")
    assert {path for path in overrides(lab) if "[tablet]" in path} == set()
    lab.weirctl("client forget phone")
    lab.weirctl(f"client name {KID} tablet")
    lab.weirctl("client forget printer")
    assert "clients[printer]" in overrides(lab)
    lab.weirctl("client forget tablet")
    assert "clients[tablet].addresses" not in overrides(lab)
    lab.weirctl("config clear 'clients[printer]'")


def test_a_client_of_two_addresses(lab):
    def addresses(name):
        return overrides(lab).get(f"clients[{name}].addresses", {}).get("value")
    lab.weirctl(f"client name {KID} tablet")
    said = lab.weirctl("client name fd53::3 tablet")
    assert f"weirctl config set 'clients[tablet].addresses' '[\"{KID}\"]'" in said
    assert addresses("tablet") == f'["{KID}", "fd53::3"]'
    assert "nothing changed" in lab.weirctl("client name fd53::3 tablet")
    lab.weirctl("client name 198.18.0.12 phone")
    assert f"{KID} is phone, and no longer tablet" in lab.weirctl(f"client name {KID} phone")
    assert addresses("phone") == f'["198.18.0.12", "{KID}"]'
    assert addresses("tablet") == '["fd53::3"]'
    lab.weirctl("client name fd53::3 phone")
    assert addresses("tablet") is None
    lab.weirctl("client forget phone")


def test_a_client_of_the_file(lab):
    said = lab.weirctl(f"client name {KID} printer", status=1)
    assert "weirctl config set 'clients[printer].addresses' ADDRESS,... sets all of them" in said
    lab.weirctl(f"client name {KID} tablet")
    lab.weirctl(f"client name {KID} printer", status=1)
    lab.weirctl("client name 02:00:00:00:00:09 printer")
    assert set(overrides(lab)) >= {"clients[tablet].addresses", "clients[printer].macs"}
    assert "clients[printer].addresses" not in overrides(lab)
    lab.weirctl("config clear 'clients[printer]'")
    lab.weirctl("client forget tablet")


def test_a_group_of_the_file(lab):
    lab.weirctl("group set guests services vk")
    assert groups(lab)["guests"]["services"] == ["vk"]
    lab.weirctl("group delete guests")
    assert "guests" not in groups(lab)
    assert overrides(lab)["groups[guests]"]["of_file"]
    lab.weirctl("group create guests 198.18.0.12")
    lab.weirctl("group delete guests")
    lab.weirctl("config clear 'groups[guests]'")
    assert groups(lab)["guests"]["services"] == ["steam"]


def test_a_forward_zone(lab):
    lab.weirctl("forward-zone add corp.test 127.0.0.1:5302")
    assert "corp.test has servers of its own" in lab.weirctl("why www.corp.test")
    passes(lab, "www.corp.test")
    assert sum(one["answered"] for one in lab.get("upstreams")["upstreams"] if "corp.test" in one["set"]) == 1
    lab.weirctl("forward-zone remove corp.test")
    assert "servers of its own" not in lab.weirctl("why www.corp.test")


def test_the_privacy_of_the_query_log(lab):
    def logged(name):
        lab.result(name, client=KID)
        return {row["client"] for row in lab.get("log/search", name=name, limit=10)["rows"]}

    wait(lambda: logged("shown.test") == {KID})
    assert "query_log.anonymize is set" in lab.weirctl("query-log privacy truncate")
    assert "nothing changed" in lab.weirctl("query-log privacy truncate")
    assert lab.weirctl("config history").count("query_log.anonymize") == 1
    wait(lambda: logged("network.test") == {"198.18.0.0"})
    assert "must be one of" in lab.weirctl("query-log privacy most", status=1)
    lab.weirctl("query-log off")
    assert "nothing changed" in lab.weirctl("query-log off")
    assert overrides(lab)["query_log.enabled"]["value"] == '"false"'
    lab.weirctl("query-log on")
    lab.weirctl("config clear query_log.anonymize")
    wait(lambda: KID in logged("again.test"))


def test_a_change_that_is_so_already(lab):
    for command in ("config set blocking.ttl 9", "safe-search on youtube --group kids", f"schedule set night {NOW} vk --group kids"):
        lab.weirctl(command)
        assert "nothing changed" in lab.weirctl(command), command
    for command in ("config clear blocking.ttl", "config clear 'groups[kids].safe_search'", "schedule remove night --group kids"):
        lab.weirctl(command)


def test_names_for_the_shell(lab):
    lab.weirctl("forward-zone add corp.test 127.0.0.1:5302")
    for kind, name in (("groups", "kids"), ("groups", "guests"), ("services", "tiktok"), ("zones", "corp.test"), ("servers", "127.0.0.1:5302"),
                       ("clients", KID), ("checks", "port53"), ("verdicts", "blocked")):
        lines = lab.weirctl(f"complete {kind}").split("\n")
        assert lines.count(name) == 1, (kind, lines)
    assert "takes one of: groups" in lab.weirctl("complete nonsense", status=2)
    lab.weirctl("forward-zone remove corp.test")


def test_servers_replace_those_of_the_file(lab):
    lab.weirctl("config set upstreams.servers 127.0.0.1:5302")
    passes(lab, "only.test")
    assert [one["address"] for one in lab.get("upstreams")["upstreams"]] == ["127.0.0.1:5302"]
    assert overrides(lab)["upstreams.servers[127.0.0.1:5302]"]["of_file"] is False
    lab.weirctl("config clear upstreams.servers")
    assert len(lab.get("upstreams")["upstreams"]) == 1 and "upstreams.servers" not in overrides(lab)


def test_what_commands_add_comes_after(lab):
    lab.weirctl("config unset blocking.deny")
    passes(lab, "second.test")
    lab.weirctl("deny own.test")
    blocks(lab, "own.test")
    lab.weirctl("deny --remove own.test")
    lab.weirctl("config clear blocking.deny")
    blocks(lab, "second.test")


def test_a_pause(lab):
    assert "blocking paused" in lab.weirctl("pause 2m")
    passes(lab, "second.test")
    assert "has ended" in lab.weirctl("resume")
    blocks(lab, "second.test")


def test_several_keys_at_once(lab):
    lab.post("config/override", yaml='{"groups": [{"name": "kids", "deny": ["game.test"]}], "blocking": {"ttl": 7}}')
    blocks(lab, "game.test", KID)
    assert {"groups[kids].deny", "blocking.ttl"} <= set(overrides(lab))
    lab.weirctl("config clear blocking.ttl")


def test_refusals(lab):
    for command, status, said in (
            ("config set blocking.mode maybe", 1, "blocking.mode: must be one of"),
            ("config set blocking.mod nodata", 1, "blocking.mod: there is no such key"),
            ("config set 'groups[kids]' x", 1, "name a key of the item"),
            ("config set version 2", 1, "is no key that can be set so"),
            ("config set cookies.secrets 00", 1, "is no key that can be set so"),
            ("config set blocking.deny '[a.test, {b]'", 1, "the change"),
            ("config clear blocking.ttl", 0, "nothing changed: blocking.ttl is not set; weirctl config overrides lists"),
            ("config unset dnssec.validate", 0, "nothing changed: neither a file nor an override has"),
            ("services block tikt0k", 1, "weirctl services lists them"),
            ("services block tiktok --group kid", 1, 'did you mean "kids"?'),
            ("schedule set bedtime 21:00 block_all", 1, "to:"),
            ("schedule set bedtime 21:00-07:00@Europe/Berlim block_all", 1, "time_zone: /usr/share/zoneinfo/Europe/Berlim cannot be read"),
            ("schedule set \U0001f319 21:00-07:00 block_all", 1, "name: must be printable ASCII"),
            ("safe-search maybe", 2, "takes on or off"),
            ("group create", 2, "usage: weirctl group create GROUP CLIENT"),
            ("pause soon", 2, "a pause has 1 to 1440 minutes")):
        assert said in lab.weirctl(command, status=status), command
    assert "blocking.mode" not in overrides(lab)


def test_all_of_it_comes_back(lab):
    ahead(10)  # the health of the last change held
    lab.kill("controlplane")
    lab.start("controlplane")
    wait(lab.activated)
    blocks(lab, "game.test", KID)
    assert "managed.yaml" in lab.weirctl("config show") and CONFIG in lab.weirctl("config show")


def test_back_to_the_file(lab):
    lab.weirctl("group delete kids")
    passes(lab, "game.test", KID)
    for path in overrides(lab):
        lab.weirctl(f"config clear '{path}'")
    assert not overrides(lab) and "kids" not in groups(lab) and "guests" in groups(lab)
    ahead(10)


if __name__ == "__main__":
    main()
