#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The Python client that tools/docs/openapi_client.py makes of docs/reference/openapi.json: what it reads is as that file says, it
adds and removes an entry, a list and a group, puts all entries, lists, records and groups at once, and weir wants the parameters that
must be there."""
import functools
import importlib
import json
import sys

from testing import ROOT, TMP, Refused, becomes, main, run, wait
from control import Socket

OK, BLOCKED, KID = "198.18.200.1", "NXDOMAIN", "198.18.0.3"
LAB = {"clients": [KID], "config": {"groups": [{"name": "filed", "clients": ["198.18.0.8"], "deny": ["filed.test"]}],
                                    "entries": [{"name": "filed.test", "verdict": "deny", "group": "filed"}]}}
FILE = ROOT / "docs/reference/openapi.json"
API = json.loads(FILE.read_text())["paths"]
GIVEN = {"why": {"name": "ok.why.test"}, "cache": {"name": "ok.why.test"}, "log_search": {"limit": 9}, "events": {"follow": 0}}
ABSENT = {"fleet_top": 409}  # without ClickHouse
KINDS = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}


@functools.cache
def client():
    (TMP / "weir_client.py").write_text(run("/usr/bin/python3", ROOT / "tools/docs/openapi_client.py", FILE))
    sys.path.insert(0, str(TMP))
    return importlib.import_module("weir_client").Client(lambda: Socket("weir"))


def differences(value, schema, place):
    """What of a value is not as its schema says; keys are all known in the reply's own object."""
    kinds = schema.get("type", list(KINDS))
    if type(value) not in [KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]:
        yield f"{place} is {value!r}"
    elif isinstance(value, list):
        for one in value:
            yield from differences(one, schema.get("items", {}), place + "[]")
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{place} has {key}" for key in value if "." not in place and key not in known)
        for key, one in value.items():
            yield from differences(one, known.get(key, {}), f"{place}.{key}")


def test_reads_are_as_described(lab):
    wait(lambda: lab.get("ready"))
    lab.ask("ok.why.test")
    wrong, read = [], 0
    for methods in API.values():
        about = methods.get("get", {})
        schema = about and about["responses"]["200"]["content"].get("application/json", {}).get("schema")
        if not schema:
            continue
        name = about["operationId"]
        try:
            wrong += differences(getattr(client(), name)(**GIVEN.get(name, {})), schema, name)
            read += 1
        except sys.modules["weir_client"].Refused as refused:
            assert refused.status == ABSENT.get(name), (name, refused.reply)
    assert wrong == []
    assert read > 40


def test_stream(lab):
    with client().events() as lines:
        assert next(iter(lines)) == b": weir\n"
        client().blocklist_pause(1)
        assert next(line for line in lines if b'"kind":"blocking_paused"' in line)
    client().blocklist_resume()


def test_entry(lab):
    assert client().entries_add("ok.client.test", "deny", seconds=600, why="a client")["replaced"] is False
    becomes(BLOCKED, lab.result, "ok.client.test")
    entry = client().entries()["entries"][-1]
    assert (entry["name"], entry["why"], entry["removable"]) == ("ok.client.test", "a client", True)
    client().entries_remove("ok.client.test")
    becomes(OK, lab.result, "ok.client.test")
    assert [entry["name"] for entry in client().entries()["entries"]] == ["filed.test"]


def test_list(lab):
    def enabled():
        return [one["enabled"] for one in client().lists()["lists"] if one["name"] == "more"]

    (TMP / "more.list").write_text("ok.more.test\n")
    client().lists_add("more", TMP / "more.list")
    becomes(BLOCKED, lab.result, "ok.more.test")
    client().lists_disable("more")
    becomes(OK, lab.result, "ok.more.test")
    assert enabled() == [False]
    client().lists_enable("more")
    becomes(BLOCKED, lab.result, "ok.more.test")
    client().lists_remove("more")
    becomes(OK, lab.result, "ok.more.test")
    assert enabled() == []


def test_group(lab):
    def has(name):
        return any(group["name"] == name for group in client().groups()["groups"])

    made = {"name": "made", "clients": ["198.18.0.9"], "deny": ["ok.game.test"]}
    client().config_override(json.dumps({"groups": [made]}))
    assert has("made")
    client().groups_add(KID, "made")
    becomes(BLOCKED, lab.result, "ok.game.test", client=KID)
    assert lab.result("ok.game.test") == OK
    client().groups_remove(KID)
    becomes(OK, lab.result, "ok.game.test", client=KID)
    client().config_unset("groups[made]")
    assert not has("made")
    assert client().config_overrides()["overrides"] == []


def newest():
    return client().config_history()["versions"][0]


def puts(endpoint, state, **counts):
    """Puts a state twice, of which the second changes nothing and makes no version."""
    put, before = getattr(client(), endpoint + "_put"), newest()["number"]
    foreseen, done = put(state, check=1), put(state, why="desired")
    assert (foreseen["changed"], foreseen["counts"]) == (True, done["counts"])
    assert {key: done["counts"][key] for key in counts} == counts
    assert newest()["number"] == before + 1
    again = put(state)
    assert (again["changed"], again["counts"]["unchanged"]) == (False, len(state[next(iter(state))]))
    as_shown = put(getattr(client(), endpoint)())
    assert as_shown["changed"] is False, as_shown
    assert newest()["number"] == before + 1


def refused(text, call):
    try:
        call()
    except sys.modules["weir_client"].Refused as error:
        assert error.status == 400 and text in error.reply["error"], error.reply
    else:
        raise AssertionError(f"not refused: {text}")


def test_put_entries(lab):
    deny = {"name": "ok.put.test", "verdict": "deny", "why": "declared"}
    puts("entries", {"entries": [deny, {"name": "/^x[0-9]/", "verdict": "deny", "type": "https,AAAA"}]}, added=2, in_file=1)
    assert (newest()["who"], newest()["what"], newest()["why"]) == ("uid 0", "put entries: 2 added, 0 changed, 0 removed", "desired")
    becomes(BLOCKED, lab.result, "ok.put.test")
    puts("entries", {"entries": [{**deny, "verdict": "allow"}]}, added=0, changed=1, removed=1)
    becomes(OK, lab.result, "ok.put.test")
    both = [{**one, "verdict": "allow", "why": "both"} for one in (deny, {**deny, "name": "ok.both.test"})]
    puts("entries", {"entries": both}, added=1, changed=1)
    puts("entries", {"entries": [{**one, "verdict": "deny"} for one in both] + [{**deny, "name": "ok.new.test"}]}, added=1, changed=2)
    filed = {"name": "filed.test", "group": "filed"}
    for verdict in "deny", "allow":
        puts("entries", {"entries": [{**filed, "verdict": verdict, "why": "beside"}]}, in_file=1)
    client().entries_add("filed.test", "deny", group="filed")
    assert client().entries_put(client().entries())["changed"] is False
    puts("entries", {"entries": []}, removed=1, in_file=1)
    ended = {"name": "ok.ended.test", "verdict": "deny", "until": "2020-01-01T00:00:00Z"}
    assert client().entries_put({"entries": [ended]})["changed"] is False
    refused("Unterminated", lambda: client().entries_put({"entries": [{"name": "/[/", "verdict": "deny"}]}, check=1))
    assert [entry["name"] for entry in client().entries()["entries"]] == ["filed.test"]


def test_put_lists(lab):
    (TMP / "put.list").write_text("ok.listed.test\n")
    mine = {"name": "put", "source": str(TMP / "put.list")}
    filed = [{"name": one["name"], "source": one["source"], "format": one["format"], "allow": one["allow"]} for one in client().lists()["lists"]]
    puts("lists", {"lists": filed + [mine]}, added=1, in_file=0)
    becomes(BLOCKED, lab.result, "ok.listed.test")
    puts("lists", {"lists": filed + [{**mine, "enabled": False}]}, changed=1)
    becomes(OK, lab.result, "ok.listed.test")
    out = [{**one, "enabled": False} for one in filed[:1]]
    puts("lists", {"lists": out}, changed=1, removed=1, in_file=len(filed) - 1)
    assert client().lists_put({"lists": []})["changed"] is False
    puts("lists", {"lists": filed}, changed=1, in_file=0)


def test_put_records(lab):
    one, other = ({"name": f"{name}.put.lan", "type": "A", "value": "192.0.2.7"} for name in ("one", "other"))
    puts("local", {"records": [one, other]}, added=2)
    becomes("192.0.2.7", lab.result, "one.put.lan")
    puts("local", {"records": [{**one, "ttl_s": 7}]}, changed=1, removed=1)
    assert [(r["name"], r["ttl_s"]) for r in client().local()["records"] if r["removable"]] == [("one.put.lan", 7)]
    puts("local", {"records": []}, removed=1)


def test_put_groups(lab):
    client().config_override(json.dumps({"clients": [{"name": "tablet", "addresses": ["198.18.0.20"]}]}))
    one = {"clients": ["198.18.0.12", "02:00:00:00:00:07", "198.18.4.0/24", "tablet"], "client_names": ["one"], "services": ["tiktok"],
           "safe_search": {"google": True}, "blocking": True, "deny": ["ok.game.test"], "upstreams": ["127.0.0.1:5301"],
           "schedules": [{"name": "night", "from": "21:00", "to": "07:00", "days": ["mon"], "block_all": True, "time_zone": "Asia/Tokyo"}]}
    filed, put = {"name": "filed"}, {"name": "put", "own": one}
    puts("groups", {"groups": [filed, put]}, added=1, unchanged=1)
    assert client().groups_put(client().groups(own=1))["changed"] is False
    made = next(g for g in client().groups(own=1)["groups"] if g["name"] == "put")
    assert made["own"]["clients"] == one["clients"] and made["own"]["schedules"][0]["time_zone"] == "Asia/Tokyo"
    becomes(OK, lab.result, "ok.game.test", client=KID)
    client().groups_add(KID, "put")
    becomes(BLOCKED, lab.result, "ok.game.test", client=KID)
    assert client().groups_put(client().groups(own=1))["changed"] is False
    puts("groups", {"groups": [{"name": "filed", "own": {"clients": ["198.18.0.8", KID]}}, put]}, changed=2)
    becomes(OK, lab.result, "ok.game.test", client=KID)
    refused("is in group", lambda: client().groups_put({"groups": [filed, {"name": "put", "own": {"clients": [KID]}}]}, check=1))
    refused("no service", lambda: client().groups_put({"groups": [{"name": "put", "own": {**one, "services": ["none"]}}]}))
    puts("groups", {"groups": [{"name": "filed", "own": {"clients": ["198.18.0.8"], "deny": ["filed.test"]}}]}, changed=1, removed=1)
    client().config_unset("clients[tablet]")
    assert client().config_overrides()["overrides"] == []


def test_restore(lab):
    client().config_restore("entries: [{name: ok.back.test, verdict: deny, why: für Anna}]\n", why="a new box")
    becomes(BLOCKED, lab.result, "ok.back.test")
    assert [e["why"] for e in client().entries()["entries"] if e["name"] == "ok.back.test"] == ["für Anna"]
    client().entries_remove("ok.back.test")


def test_what_must_be_there(lab):
    """Of each endpoint each such parameter, left out alone."""
    wrong = []
    for path, methods in API.items():
        for method, about in methods.items():
            needed = [p["name"] for p in about["parameters"] if p["required"]]
            for name in needed:
                try:
                    said = lab.request(method.upper(), path.removeprefix("/v1/"), {other: "x" for other in needed if other != name})
                except Refused as refused:
                    said = refused.text
                if said != f"{name}: is missing":
                    wrong.append((path, name, said))
    assert wrong == []


def test_refused(lab):
    try:
        client().entries_add("ok.client.test")
    except TypeError as error:
        assert "verdict" in str(error)
    else:
        raise AssertionError("a call without what must be there")
    try:
        client().lists_disable("none")
    except sys.modules["weir_client"].Refused as refused:
        assert (refused.status, refused.reply["error"]) == (404, 'no list "none"; weirctl list show names them')
    else:
        raise AssertionError("a list that is not there was disabled")


if __name__ == "__main__":
    main()
