#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Versions of the configuration: apply, refusal with all errors, history, difference, rollback, the way back when health falls, and
starts on the version in force whatever is on disk."""
import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import threading

from testing import CONFIG, LOGS, TMP, Refused, ahead, becomes, main, own_disk, query, together, wait

FILE, FOLDER, OK = pathlib.Path(CONFIG), LOGS / "state/config", "198.18.200.1"
numbers = itertools.count()
plain = ""  # the text of the lab's configuration


def deny(name):
    FILE.write_text(plain.replace("blocking:\n", f"blocking:\n  deny: [{name}]\n"))


def break_upstream():
    FILE.write_text(plain.replace("127.0.0.1:5301", "127.0.0.1:5399"))


def in_force(lab):
    return lab.get("config/history")["version"]


def of(lab, number, field="result"):
    return next(one for one in lab.get("config/history")["versions"] if one["number"] == number)[field]


def differs(lab, number):
    return f"warning: the file on disk differs from version {number}" in lab.weirctl("status")


def events(lab, kind):
    return [event for event in lab.get("events", follow=0)["events"] if event["kind"] == kind]


def blocks(lab, name):
    becomes("NXDOMAIN", lab.result, name)


def answers(lab):
    becomes(OK, lab.result, f"ok-3000.n{next(numbers)}.again.test")


def watched(lab, command):
    """What an apply prints whose health is watched, and holds."""
    def later():
        wait(lambda: lab.get("status")["config_version"]["watch_left_s"] > 0)
        ahead(10)
    return together(lambda: lab.weirctl(command, clock=False), later)[0]


def restart(lab, how, *processes):
    for process in processes or ("controlplane", "dataplane"):
        how(process)
        lab.start(process)


@contextlib.contextmanager
def load(lab):
    """100 queries a second for new names, each a miss."""
    end = threading.Event()

    def ask():
        while not end.wait(0.01):
            sock.send(query(f"ok-3000.n{next(numbers)}.load.test"))
    before = lab.resolver("misses")
    with lab.connect() as sock:
        thread = threading.Thread(target=ask)
        thread.start()
        try:
            wait(lambda: lab.resolver("misses") >= before + 100)
            yield
        finally:
            end.set()
            thread.join()


def test_version_of_the_start(lab):
    global plain
    plain = FILE.read_text()
    becomes(1, in_force, lab)
    ahead(10)
    becomes("applied", of, lab, 1)
    assert of(lab, 1, "who") == "start"
    assert "warning: the file on disk" not in lab.weirctl("status")


def test_difference_and_trial(lab):
    deny("first.test")
    wait(lambda: differs(lab, 1))
    diff = lab.weirctl("config diff").splitlines()
    assert "+  deny: [first.test]" in diff
    assert "in force at once: blocking.deny" in diff
    trial = lab.weirctl("config apply --dry-run")
    assert trial.startswith("good")
    assert "in force at once: blocking.deny" in trial.splitlines()
    found = lab.post("config/apply", dry_run=1)
    assert [found[key] for key in ("live", "restart_controlplane", "restart_dataplane")] == ["blocking.deny", "", ""]
    assert lab.result("ok.first.test") == OK


def test_apply(lab):
    said = watched(lab, "config apply --why 'a first one'").splitlines()
    assert said[-1] == "version 2 is applied"
    assert "in force at once: blocking.deny" in said
    blocks(lab, "first.test")
    assert [of(lab, 2, field) for field in ("who", "what", "result", "why")] == ["uid 0", "config apply", "applied", "a first one"]
    assert lab.weirctl("config apply") == "nothing has changed: version 2 stays in force\n"
    for path, params in (("apply", {}), ("rollback", {"version": 1})):
        try:
            lab.post(f"config/{path}", if_version=1, **params)
        except Refused as error:
            assert (error.status, "since version 1: version 2 is in force, by uid 0 (config apply)" in error.text) == (409, True), error
        else:
            raise AssertionError(f"{path} for another version than the one in force")


def test_trial_names_what_waits_for_a_restart(lab):
    FILE.write_text(FILE.read_text().replace("dataplane:\n", "dataplane:\n  mbufs: 16383\n")
                    .replace("controlplane: {resolvers: 1", "controlplane: {resolvers: 2") + "identity: {version: other}\n")
    said = lab.weirctl("config apply --dry-run").splitlines()
    for line in ("in force at once: identity.version", "in force after a restart of weir-dataplane: dataplane.mbufs",
                 "in force after a restart of weir-controlplane: controlplane.resolvers"):
        assert line in said


def test_refusal_has_all_errors(lab):
    FILE.write_text(plain.replace("blocking:\n", "ignored:\n") + "blocking: {enabled: maybe, deny: [1]}\nrefresh: {max_batch: 4x, frob: 1}\n")
    said = lab.weirctl("config apply", status=1)
    for text in ("blocking.enabled", 'refresh.max_batch: "4x" is not a whole number', f"({CONFIG}:", "refresh.frob: unknown key"):
        assert text in said
    FILE.write_text("\n".join(line.split(":")[0] + ": [127]" if "worker_lcores" in line else line for line in plain.splitlines()) + "\n")
    assert "dataplane.worker_lcores[0]: this machine has no core 127" in lab.weirctl("config apply", status=1)
    lab.refused("config/reload")
    assert lab.result("first.test") == "NXDOMAIN"
    assert len(lab.get("config/history")["versions"]) == 2


def test_refused_reasons_and_rollback(lab):
    assert "no version 99" in lab.weirctl("config rollback 99", status=1)
    for path, params in (("apply", {"why": "a\nb"}), ("rollback", {"version": 1, "why": "0" * 201})):
        try:
            lab.post(f"config/{path}", **params)
            raise AssertionError(f"{path} took {params}")
        except Refused as error:
            assert error.status == 400


def test_way_back_when_health_falls(lab):
    def rollback():
        return lab.weirctl("config rollback 1", status=1)

    def break_service():
        becomes(OK, lab.result, "ok.first.test")
        assert (of(lab, 3, "what"), of(lab, 3)) == ("config rollback 1", "pending")  # a version of its own
        break_upstream()
        with load(lab):
            return lab.weirctl("config apply", status=1)
    # The rollback is taken back too, as the apply followed it during its watch.
    assert ["TAKEN BACK, as health fell: " in said for said in together(rollback, break_service)] == [True, True]
    answers(lab)
    assert of(lab, 4) == "taken_back"
    assert (of(lab, 5, "who"), of(lab, 5, "what")) == ("weir", "take back version 4")
    assert "version 4 was TAKEN BACK: " in lab.weirctl("status")
    assert len(events(lab, "config_taken_back")) == 1


def test_start_uses_the_version_in_force(lab):
    restart(lab, lab.stop)  # the text that was taken back is on disk
    assert in_force(lab) == 5
    answers(lab)
    wait(lambda: differs(lab, 5))


def test_start_with_a_broken_file(lab):
    deny("second.test")
    lab.post("config/reload")
    FILE.write_text(plain + "broken: [\n")  # the lab reads of it what the ports are
    restart(lab, lab.kill)
    answers(lab)
    blocks(lab, "second.test")
    status = lab.weirctl("status")
    assert "warning: the file on disk cannot be used, version 6 stays in force: " in status
    assert events(lab, "config_differs")
    # It died while the health was watched: the next one watches again. A clean stop is no death.
    assert of(lab, 6) == "watched_again"
    restart(lab, lab.stop, "controlplane")
    wait(lambda: lab.weirctl("ready"))
    assert (in_force(lab), of(lab, 6)) == (6, "pending")


def test_good_file_waits_for_an_apply_or_a_clean_stop(lab):
    deny("third.test")
    restart(lab, lab.kill, "controlplane")
    becomes(6, in_force, lab)
    wait(lambda: differs(lab, 6))
    restart(lab, lab.stop, "controlplane")
    becomes(7, in_force, lab)
    blocks(lab, "third.test")
    ahead(10)
    becomes("applied", of, lab, 6)
    assert of(lab, 7, "who") == "start"


def test_reload_and_signal_make_versions(lab):
    deny("fourth.test")
    assert lab.weirctl("config reload") == "reloaded\n"
    assert of(lab, 8, "what") == "config reload"
    deny("fifth.test")
    lab.log["controlplane"].mark()
    os.kill(lab.pid("controlplane"), signal.SIGHUP)
    lab.log["controlplane"].said("configuration reloaded")
    becomes(9, in_force, lab)
    assert of(lab, 9, "who") == "signal"


def test_version_with_which_it_dies_twice_is_taken_back(lab):
    for _ in range(2):
        restart(lab, lab.kill, "controlplane")
        wait(lambda: lab.weirctl("ready"))
    assert (in_force(lab), of(lab, 8), of(lab, 9)) == (7, "taken_back", "taken_back")


def test_damaged_version_is_not_used(lab):
    lab.kill("controlplane")
    (FOLDER / "7.version").write_text("damaged\n")
    lab.start("controlplane")
    becomes(6, in_force, lab)
    blocks(lab, "second.test")
    assert lab.get("config/history")["damaged"] == [f"{FOLDER}/7.version: damaged"]


def test_restart_of_the_data_plane_does_not_count(lab):
    deny("restarted.test")

    def restart_dataplane():
        blocks(lab, "restarted.test")
        lab.stop("dataplane")
        ahead(5)  # longer than a fault that is held against a version
        lab.start("dataplane")
        ahead(10)
    said = together(lambda: lab.weirctl("config apply", clock=False), restart_dataplane)[0].splitlines()
    assert said[-1].startswith("version ") and said[-1].endswith(" is applied"), said


def test_keep_ends_the_watch(lab):
    deny("kept.test")
    lab.weirctl("config reload")
    now = in_force(lab)
    assert of(lab, now) == "pending"
    assert lab.weirctl("config apply --keep") == f"version {now} is in force\n"  # though the text is the same
    becomes("applied", of, lab, now)
    assert of(lab, now, "reason") == "is kept, as asked"


def test_secondary_refuses_changes_of_shared_sections(lab):
    token = TMP / "sync.token"
    token.write_text("a.secret\n")
    FILE.write_text(plain + f"sync: {{primary: 'https://127.0.0.1:9', token_file: {token}, own: [local]}}\n")
    lab.weirctl("config apply --keep")
    for command, section in (("deny shared.test", "entries"), ("config set blocking.mode refused", "blocking"),
                             ("config set dnssec.validate true", "dnssec")):
        said = lab.weirctl(command, status=1)
        assert f"this box takes {section} from https://127.0.0.1:9: change it there" in said, said
    try:
        lab.post("services/block", service="tiktok")
        raise AssertionError("the change is not refused")
    except Refused as error:
        assert error.status == 409
    lab.weirctl("config set cache.failure_ttl 2")  # a section of its own
    lab.weirctl("local add own.test A 192.0.2.8")
    becomes("192.0.2.8", lab.result, "own.test")
    FILE.write_text(plain)
    lab.weirctl("config apply --keep")
    lab.weirctl("local remove own.test")


def test_missing_list_is_a_warning(lab):
    global plain
    away = TMP / "away.list"
    away.write_text("listed.test\n")
    plain = plain.replace("  lists:\n", f"  lists:\n    - {{name: away, path: {away}}}\n")
    deny("there.test")
    lab.weirctl("config apply --keep --why 'the list of a friend'")
    wait(lambda: "the list of a friend; is kept, as asked" in lab.weirctl("config history"))
    away.unlink()
    deny("gone.test")
    said = watched(lab, "config apply")
    assert f"version {in_force(lab)} is applied" in said.splitlines()
    assert "weirctl: warning: " in said and "away" in said, said
    lab.weirctl("config reload", status=1)
    away.write_text("listed.test\n")


@contextlib.contextmanager
def full_disk():
    """The versions are on a disk of their own, which has no room left."""
    filler = FOLDER / "filler"
    with own_disk(FOLDER):
        subprocess.run(f"! cat /dev/zero >{filler} 2>/dev/null", shell=True, check=True)
        try:
            yield
        finally:
            filler.unlink()


def test_full_disk_refuses_changes(lab):
    def audited():
        return [entry for entry in map(json.loads, (LOGS / "state/audit.log").read_text().splitlines()) if entry.get("version")]
    deny("stored.test")
    lab.weirctl("config apply --keep")
    now = in_force(lab)
    becomes("applied", of, lab, now)
    older = lab.get("config/history")["versions"][1]["number"]
    before = audited()
    with full_disk():
        deny("full.test")
        for command in "config apply", "config reload", "deny full.test", "config set cache.failure_ttl 3":
            said = lab.weirctl(command, status=1)
            assert f"{FOLDER}: No space left on device: a version needs " in said and "nothing has changed; make room there" in said, said
        assert in_force(lab) == now and lab.result("ok.full.test") == OK
        assert audited() == before
        assert "config_versions" not in lab.weirctl("--json ready")
        said = lab.weirctl(f"config rollback {older} --keep")  # a way back
        assert f"a restart goes back to version {now}: not stored: " in said, said
        becomes(OK, lab.result, "ok.stored.test")
        assert "config_versions" in lab.weirctl("--json ready")
    lab.weirctl("config apply --keep")
    blocks(lab, "full.test")
    assert "config_versions" not in lab.weirctl("--json ready")


def test_health_falls_and_there_is_no_way_back(lab):
    lab.weirctl("allow dated.test --for 10m")
    deny("held.test")
    watched(lab, "config apply")
    now = in_force(lab)
    break_upstream()
    with load(lab):
        (FOLDER / f"{now}.version").unlink()
        said = lab.weirctl("config apply", status=1)
        assert f"no version {now};" in said
        assert "STAYS IN FORCE, though health fell: " in said
        assert (in_force(lab), of(lab, now + 1)) == (now + 1, "fallen")
        assert [event["fields"]["number"] for event in events(lab, "config_not_taken_back")] == [str(now + 1)]
        assert events(lab, "config_taken_back") == []
        alarm = f"health fell with version {now + 1} of the configuration, which stays in force"
        assert alarm in lab.weirctl("ready --strict", status=1)
        assert f"HEALTH FELL with version {now + 1}, which stays in force: " in lab.weirctl("status")
    ahead(600)
    becomes(now + 2, in_force, lab)  # the end of the entry, which mends nothing
    assert [of(lab, now + 2, field) for field in ("who", "result", "reason")] == ["timer", "fallen", of(lab, now + 1, "reason")]
    assert f"health fell with version {now + 2} of" in lab.weirctl("ready --strict", status=1)
    lab.weirctl("config apply --keep")
    becomes("applied", of, lab, now + 2)
    assert "health fell" not in lab.weirctl("ready")


def test_way_back_leads_past_a_version_that_is_not_stored(lab):
    deny("stored.test")
    watched(lab, "config apply")
    in_the_way = FOLDER / f"{lab.get('config/history')['versions'][0]['number'] + 1}.blotted.tmp"
    in_the_way.mkdir()
    deny("unstored.test")
    assert "not stored: " in lab.weirctl("config apply --keep")
    blocks(lab, "unstored.test")
    in_the_way.rmdir()
    break_upstream()
    with load(lab):
        assert "TAKEN BACK, as health fell: " in lab.weirctl("config apply", status=1)
    answers(lab)
    blocks(lab, "stored.test")


if __name__ == "__main__":
    main()
