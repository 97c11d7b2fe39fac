#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A reload that the resolver refuses changes nothing and says so, each time. The control plane has one CPU, so that its two loops
take turns where they would else run side by side. A toggle changes the running configuration alone: what stands in the files by
then does not matter."""
import os
import pathlib

from testing import CONFIG, TMP, Refused, main, run, together, wait

OWN, OK, LIST = "198.18.0.3", "198.18.200.1", TMP / "blocked.list"
LAB = {"upstreams": 2, "clients": [OWN]}


def groups(number):
    """60 groups with servers of their own and safe search, so with 120 views that no other round has. The server of the first is
    the second upstream."""
    return [{"name": "own", "clients": [OWN], "upstreams": [{"address": "127.0.0.1:5302"}]}] + [
        {"name": f"g{number}x{i}", "clients": [f"10.{number}.{i}.0/24"], "safe_search": {"google": True},
         "upstreams": [{"address": f"127.0.0.1:{10000 + 100 * number + i}"}]} for i in range(59)]


def described(lab):
    """Names of the groups in force."""
    return [group["name"] for group in lab.get("status")["groups"]]


def check_own_server(lab, number):
    """weir asks the group's server for a new name of its client, and no other."""
    name = f"ok-{number}.own.test"
    assert lab.short(name, client=OWN) == OK
    assert (lab.up1.asked(name), lab.up2.asked(name) > 0) == (0, True)


def reload(lab):
    return lab.post("config/reload", keep=1)


def set_toggle(lab, name, value):
    lab.post("set", toggle=name, value=value)


def toggle(lab, name):
    return next(one["value"] for one in lab.get("toggles")["toggles"] if one["name"] == name)


def test_refused_reload_changes_nothing(lab):
    run("taskset", "-acp", min(os.sched_getaffinity(0)), lab.pid("controlplane"))
    for number in (1, 2, 3):
        lab.write(groups=groups(number))
        reload(lab)
    wait(lab.activated)
    check_own_server(lab, 1)
    refused = 0
    for number in range(11, 100):
        before = described(lab)
        lab.write(groups=groups(number))
        try:
            reload(lab)
            assert f"g{number}x0" in described(lab)
        except Refused as error:
            refused += 1
            assert "groups of earlier reloads are still in use" in error.text
            assert described(lab) == before
        check_own_server(lab, number)
        if refused == 20:
            break
    assert refused == 20  # more than three within 10 s are too many


def test_toggle_leaves_files_alone(lab):
    named, builds = described(lab), lab.get("blocklist")["builds"]
    lab.write(local={"records": [{"name": "pending.test", "type": "A", "value": "198.18.200.9"}]})
    lab.weirctl("config check")
    LIST.write_text(LIST.read_text() + "pending-list.test\n")
    lab.activate("set", toggle="refresh", value="off")
    assert toggle(lab, "refresh") == 0
    assert (lab.short("pending.test"), lab.short("ok-1.pending-list.test")) == (OK, OK)  # both edits wait on
    assert (described(lab), lab.get("blocklist")["builds"]) == (named, builds)
    with open(CONFIG, "a") as file:
        file.write("local: [\n")
    lab.refused("config/reload")
    set_toggle(lab, "refresh", "default")
    assert toggle(lab, "refresh") == 1
    set_toggle(lab, "upstream.recycle", 7)
    assert toggle(lab, "upstream.recycle") == 7
    pathlib.Path(CONFIG).unlink()
    set_toggle(lab, "upstream.recycle", "default")
    lab.configure()
    assert lab.result("ok-1.pending-list.test") == "NXDOMAIN"


def test_toggle_beside_a_long_reload(lab):
    short = LIST.read_text()
    with open(LIST, "a") as file:
        file.writelines(f"name-{i}.long.test\n" for i in range(1, 3000001))

    def toggles():
        """Whether all that came before the end of the reload, which a busy machine may hold up."""
        wait(lambda: lab.get("blocklist")["building"])
        set_toggle(lab, "refresh", "off")
        assert toggle(lab, "refresh") == 0
        try:
            reload(lab)
            beside = False
        except Refused:
            beside = lab.get("blocklist")["building"]
        set_toggle(lab, "upstream.recycle", 9)
        set_toggle(lab, "refresh", "default")
        return beside
    for turn in range(5):
        if together(lambda: reload(lab), toggles)[1]:
            break
        with open(LIST, "a") as file:
            file.write(f"turn-{turn}.long.test\n")
    else:
        raise AssertionError("a toggle waits for the end of a reload")
    wait(lab.activated)
    assert lab.result("name-3000000.long.test") == "NXDOMAIN"
    assert toggle(lab, "upstream.recycle") == 9
    reload(lab)
    LIST.write_text(short)
    reload(lab)


def test_toggle_and_reload_in_the_same_moment(lab):
    for value in range(10, 50):  # each on a connection of its own, either of them first
        calls = [lambda value=value: set_toggle(lab, "upstream.recycle", value), lambda: reload(lab)]
        together(*calls[::-1 if value % 2 else 1])
    assert toggle(lab, "upstream.recycle") == 49


if __name__ == "__main__":
    main()
