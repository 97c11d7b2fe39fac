#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A region's file cut off while both processes live: a process that cannot go on says which file it was and ends with status 87, the
other one lives where it can, and after a restart, as a supervisor would do it, all is right again. Never a crash."""
import contextlib
import itertools
import os
import pathlib
import re
import subprocess

from testing import CONFIG, LOGS, ROOT, TMP, Reply, main, query, region, run, stopped, wait

BOTH = "controlplane", "dataplane"
ALLOWED, STRANGER = "198.18.0.66", "203.0.113.9"
LAB = {"clients": [ALLOWED, STRANGER]}
OK, CACHED, LIST = "198.18.200.1", "ok-3000.cached.test", TMP / "blocked.list"
numbers = itertools.count()


def runs(lab, what):
    """A zombie does not."""
    try:
        with open(f"/proc/{lab.pid(what)}/status") as file:
            return not re.search("^State:\\s*[ZX]", file.read(), re.M)
    except (OSError, IndexError):
        return False


def well(lab):
    """Processes that are gone are started again, for as long as this takes; then all works."""
    def once():
        for what in BOTH:
            if not runs(lab, what):
                lab.start(what)
        new = lab.short(f"ok.new-{next(numbers)}.test") == OK and lab.result("blocked.test") == "NXDOMAIN"
        return new and lab.weirctl("status")
    wait(once, "all is not well")


def shorten(pattern, size):
    """The file that was cut off there."""
    path = region(pattern)
    run("/usr/bin/python3", ROOT / "tests/smoke/rig/damage.py", size, "cut", path)
    return path.name


def check_no_crash():
    for what in BOTH:
        assert not re.search("segv|sanitizer|assert", (LOGS / f"{what}.log").read_text(), re.I)


def ends(lab, what, pattern):
    def gone():
        with contextlib.suppress(OSError), lab.connect() as sock:  # the interface goes with the data plane
            sock.send(query(f"ok.touch-{next(numbers)}.test"))  # any query will do
        return not runs(lab, what)
    wait(gone, f"{what} does not end")
    lab.log[what].said(pattern)


def denied(lab, client):
    """No answer to its queries comes before the replies to others, which the worker sends behind it."""
    with lab.connect(client=client) as sock:
        for _ in range(3):
            sock.send(query(CACHED))
            lab.ask(CACHED, client=ALLOWED, may_fail=True)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                if Reply(sock.recv(65535)).short == OK:
                    return False
    return True


def cut_off(lab, pattern, size, *ending):
    """These processes must say so and end; the others live."""
    well(lab)
    for what in BOTH:
        lab.log[what].mark()
    pids = {what: lab.pid(what) for what in BOTH if what not in ending}
    name = shorten(pattern, size)
    for what in ending:
        ends(lab, what, f"{re.escape(name)}: cut off while in use.*status 87")
    assert {what: lab.pid(what) for what in pids if runs(lab, what)} == pids
    well(lab)
    check_no_crash()


def test_statistics(lab):
    cut_off(lab, "stats", 5000, "dataplane")


def test_rules(lab):
    cut_off(lab, "rule_image.*", 4096, "controlplane")


def test_cache(lab):
    cut_off(lab, "l0.*", 65536, "controlplane")
    lab.log["dataplane"].said("l0[.][0-9]+: cut off while in use.*going on")


def test_rings(lab):
    cut_off(lab, "rings.0", 20000, "dataplane")


def test_marks(lab):
    cut_off(lab, "marks.0.*", 4096, "dataplane")


def test_policy(lab):
    assert [denied(lab, client) for client in (ALLOWED, STRANGER)] == [False, True]
    lab.log["controlplane"].mark()
    before = lab.pid("dataplane")
    name = shorten("policy.*", 4096)
    assert denied(lab, STRANGER)
    # The control plane looks at it by itself, too, so it may have ended already.
    ends(lab, "controlplane", f"{re.escape(name)}: cut off while in use.*status 87")
    assert lab.pid("dataplane") == before
    well(lab)
    check_no_crash()
    assert [denied(lab, client) for client in (ALLOWED, STRANGER)] == [False, True]


def test_directory(lab):
    cut_off(lab, "directory", 0, "controlplane")
    lab.log["dataplane"].said("directory: cut off while in use.*going on")
    lab.check_verdicts()


def test_closed_blocking_lets_no_answer_through(lab):
    text = LIST.read_text()
    LIST.write_text(text + CACHED + "\n")
    lab.configure(blocking={"closed": True})
    assert lab.result(CACHED) == "NXDOMAIN"
    lab.log["controlplane"].mark()
    with stopped(lab.pid("controlplane")):
        name = shorten("rule_image.*", 4096)
        assert [lab.result(CACHED, may_fail=True) for _ in range(3)] == ["SERVFAIL"] * 3
    ends(lab, "controlplane", f"{re.escape(name)}: cut off while in use.*status 87")
    assert lab.result(CACHED, may_fail=True) == "SERVFAIL"
    well(lab)
    assert lab.result(CACHED) == "NXDOMAIN"
    LIST.write_text(text)
    lab.configure()
    lab.check_verdicts()


def test_data_plane_starts_without_the_file_of_the_cache(lab):
    lab.log["controlplane"].mark()
    region("l0.*").unlink()
    lab.kill("dataplane")
    lab.start("dataplane")
    ends(lab, "controlplane", "cannot map the cache \\(.*/l0[.].*status 87")
    well(lab)
    wait(lab.activated)


def test_deleted_locks_and_identity(lab):
    pids = [lab.pid(what) for what in BOTH]
    paths = [pathlib.Path("/run/weir", name) for name in ("dataplane.lock", "control/controlplane.lock", "instance")]
    for path in paths:
        path.unlink()
    for path in paths:
        wait(path.exists, f"{path} is not back")
    wait(lambda: lab.weirctl("status"))
    for what in BOTH:
        second = subprocess.run([f"{os.environ['WEIR_BUILD']}/{what}/weir-{what}", "-c", CONFIG], capture_output=True, text=True)
        assert re.search("another (weir-dataplane|control plane)", second.stdout + second.stderr)
    assert [lab.pid(what) for what in BOTH if runs(lab, what)] == pids
    well(lab)
    assert [path.stat().st_mode & 0o777 for path in paths[:2]] == [0o600, 0o600]


def test_status(lab):
    lab.stop("controlplane")
    command = os.environ.get("WEIR_CONTROLPLANE", os.environ["WEIR_BUILD"] + "/controlplane/weir-controlplane").split()
    with open(TMP / "controlplane.log", "w") as log:
        control = subprocess.Popen([*command, "-c", CONFIG], stderr=log)
    wait(pathlib.Path("/run/weir/control/control.sock").is_socket)
    shorten("directory", 0)
    assert control.wait() == 87
    well(lab)


if __name__ == "__main__":
    main()
