#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Groups that are published again: as the data plane could not read them (the query log names them by that image), and as the
control plane could not write them."""
import itertools

from testing import ROOT, ahead, becomes, main, region, run, wait

numbers = itertools.count()


def group(name, length):
    return {"query_log": {"enabled": True}, "groups": [{"name": name, "clients": [f"198.18.0.0/{length}"]}]}


def row_group(lab):
    """The client's group in a row of the query log."""
    name = f"ok.row{next(numbers)}.test"
    with lab.stream("log/tail", name=name) as rows:
        lab.ask(name)
        return rows.wait()["client_group"]


def test_row_has_the_group_and_then_another_in_its_place(lab):
    for name, length in (("first", 24), ("second", 25)):
        lab.configure(**group(name, length))
        assert row_group(lab) == name


def test_damaged_image_is_published_again(lab):
    lab.kill("dataplane")
    run("/usr/bin/python3", ROOT / "tests/smoke/rig/damage.py", 5300, "ff", region("policy.*"))
    lab.log["controlplane"].mark()
    lab.start("dataplane")
    lab.log["controlplane"].said("groups of generation .*: publishing them again")
    wait(lab.activated)
    assert row_group(lab) == "second"


def test_image_that_cannot_be_written(lab):
    image = region("policy.*")
    following = image.with_suffix(f".{int(image.suffix[1:]) + 1}")
    following.mkdir()  # where the next image is to be
    lab.write(**group("third", 26))
    assert "except the groups" in lab.weirctl("config reload --keep", status=1)
    wait(lambda: "GROUPS NOT ACTIVE" in lab.weirctl("status"))
    assert row_group(lab) == "second"
    following.rmdir()
    ahead(2)  # it tries again by itself
    becomes(0, lambda: lab.get("status")["generations"]["policy_lag_ms"])
    wait(lab.activated)
    assert lab.get("status")["generations"]["policy_failures"] > 0
    assert row_group(lab) == "third"


if __name__ == "__main__":
    main()
