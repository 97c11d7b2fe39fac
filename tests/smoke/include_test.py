#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A configuration of several files: both processes read them behind their filters, a reload sees each change of them and each new
file, an error names the file that it is in, and what is refused changes nothing."""
import json
import pathlib
import re
import time

import yaml

from testing import CONFIG, LOGS, becomes, main

FOLDER = LOGS / "conf.d"
PORTS, DENY, MORE, BAD = (FOLDER / name for name in ("00-ports.yaml", "20-deny.yaml", "30-deny.yaml", "40-bad.yaml"))


def deny(path, name):
    path.write_text(f"blocking: {{deny: [{name}]}}\n")


def configuration(lab, version=1):
    """The lab's own, but for the ports, which stand in a file that the data plane reads at its start."""
    rest = {key: value for key, value in lab.base.items() if key != "dataplane"}
    pathlib.Path(CONFIG).write_text(yaml.safe_dump({"version": version, "include": ["conf.d/*.yaml"], **rest}, sort_keys=False))


def refused(lab):
    return lab.refused("config/reload")


def blocked(lab, name):
    becomes("NXDOMAIN", lab.result, name)


def settle(lab):
    """A reload that changes nothing, of files too old for their time not to show a change."""
    time.sleep(max(0, 3 - time.time() + max(path.stat().st_mtime for path in FOLDER.iterdir())))
    lab.post("config/reload")


def test_files_are_counted_and_named(lab):
    FOLDER.mkdir()
    PORTS.write_text(yaml.safe_dump({"dataplane": lab.base["dataplane"]}))
    configuration(lab)
    deny(DENY, "first.test")
    assert lab.weirctl("config check") == f"{CONFIG} with 2 included files: good\n"
    included = json.loads(lab.weirctl("--json config check"))["included"]
    assert [pathlib.Path(path).name for path in included] == ["00-ports.yaml", "20-deny.yaml"]
    assert lab.weirctl("config reload") == "reloaded\n"  # the ports are the same ports
    blocked(lab, "first.test")


def test_changed_files_are_read(lab):
    settle(lab)
    deny(MORE, "second.test")  # a new file
    lab.post("config/reload")
    blocked(lab, "second.test")
    settle(lab)
    deny(MORE, "third.test")  # an edited one
    lab.post("config/reload")
    blocked(lab, "third.test")
    becomes("198.18.200.1", lab.result, "ok.second.test")
    settle(lab)
    MORE.unlink()
    lab.post("config/reload")
    becomes("198.18.200.1", lab.result, "ok.third.test")
    blocked(lab, "first.test")


def test_refusals_name_the_file(lab):
    BAD.write_text("cache: {min_ttl: 4x}\n")
    assert f'cache.min_ttl: "4x" is not a whole number ({BAD}:1:9)' in refused(lab)
    BAD.write_text("blocking:\n  enabled: true\n")
    other = FOLDER / "50-bad.yaml"
    other.write_text("blocking: {enabled: true}\n")
    assert f"blocking.enabled: has a value in another file, too: {BAD}:2:3 ({other}:1:12)" in refused(lab)
    other.unlink()
    BAD.write_text("include: [conf.d/20-deny.yaml]\n")
    assert f"include: is not possible in an included file: move it to the file that includes this one ({BAD}:1:1)" in refused(lab)
    BAD.unlink()
    configuration(lab, version=2)
    why = refused(lab)
    assert "version: 2 is newer than this weir, which knows version 1" in why
    assert f"({CONFIG}:1:1)" in why
    assert lab.result("first.test") == "NXDOMAIN"  # what was in force is still
    lab.weirctl("status")
    configuration(lab)
    lab.post("config/reload")


def test_both_processes_start_with_all_files(lab):
    deny(MORE, "fourth.test")
    for process in ("controlplane", "dataplane"):
        lab.stop(process)
        lab.start(process)
    becomes("198.18.200.1", lab.result, "ok-3000.restarted.test")
    blocked(lab, "fourth.test")


def test_data_plane_starts_with_a_broken_file_by_the_version_in_force(lab):
    PORTS.write_text("dataplane: [\n")
    lab.stop("dataplane")
    lab.start("dataplane")
    blocked(lab, "fourth.test")
    lab.log["dataplane"].said(re.escape(f"({PORTS}:2:1)"))


if __name__ == "__main__":
    main()
