#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Level and form of the log of both processes change with a reload, and hold for a process that starts."""
import datetime
import re

from testing import TMP, main, wait

BOTH = "controlplane", "dataplane"
LIST = TMP / "blocked.list"


def set_log(lab, level, form):
    """From here on they count, without what was logged before and is still on its way into the file."""
    lab.log["controlplane"].mark()
    lab.configure(runtime={"log_level": level, "log_format": form})
    if level == "info":
        change(lab)
        lab.log["controlplane"].said('"message": *"rules: ' if form == "json" else "weir-controlplane: rules: ")
    for process in BOTH:
        lab.log[process].mark()


def change(lab):
    """A rule image of other names, which both processes log."""
    LIST.write_text(LIST.read_text() + f"more-{len(LIST.read_text())}.test\n")
    lab.activate("blocklist/reload")


def objects(lab, process):
    """The lines since the mark, once there are some, all of them objects with the keys that each has."""
    found = wait(lab.log[process].objects, f"{process} logs nothing")
    for line in found:
        assert re.fullmatch(r"2[0-9-]{9}T[0-9:]{8}\.[0-9]{3}Z", line["time"]) and line["process"] == f"weir-{process}", line
        assert line["level"] in ("error", "warning", "info", "debug") and line["thread"] and line["message"], line
    return found


def test_text_at_first(lab):
    lab.log["controlplane"].mark()
    change(lab)
    lab.log["controlplane"].said("weir-controlplane: rules: ")


def test_form_becomes_json(lab):
    set_log(lab, "info", "json")
    change(lab)
    lab.log["controlplane"].has(lambda line: line["level"] == "info" and line["message"].startswith("rules: "))
    objects(lab, "controlplane")


def test_reload_is_an_event_with_number_and_fields(lab):
    lab.post("config/reload")
    event = lab.log["controlplane"].has(lambda line: line.get("event") == "config_reloaded")
    assert event["number"] > 1700000000000
    assert event["fields"] == {"needs_restart": ""}
    assert lab.get("status")["reload"]["needs_restart"] == ""


def test_warning_has_its_id(lab):
    LIST.rename(TMP / "away")
    lab.post("blocklist/reload")
    (TMP / "away").rename(LIST)
    warning = lab.log["controlplane"].has(lambda line: line["level"] == "warning" and "event" not in line)
    assert re.fullmatch("W[0-9a-f]{8}", warning["id"])


def test_objects_to_the_end_and_from_the_start(lab):
    lab.log["controlplane"].mark()
    lab.log["dataplane"].mark()
    lab.stop("controlplane")
    objects(lab, "controlplane")
    objects(lab, "dataplane")  # it lost its control plane
    lab.log["controlplane"].mark()
    lab.start("controlplane")
    lab.log["controlplane"].said(r"^\{.*\"message\"")  # behind its first lines


def test_level_error_logs_nothing_more(lab):
    set_log(lab, "error", "json")
    began = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")

    def logged(process):
        return [line for line in lab.log[process].objects() if line["time"] > began]
    lab.post("blocklist/reload", force=1)
    lab.activate("config/reload")
    assert logged("controlplane") == []
    lab.stop("controlplane")
    lab.start("controlplane")
    assert [line for line in logged("dataplane") if line["level"] != "error"] == []


def test_text_again_without_lines_of_events(lab):
    set_log(lab, "info", "text")
    change(lab)
    lab.post("config/reload")
    lab.log["controlplane"].said("weir-controlplane: rules: ")
    assert "config_reloaded" not in lab.log["controlplane"].text()


if __name__ == "__main__":
    main()
