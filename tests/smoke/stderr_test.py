#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Both processes write their logs to pipes that nobody reads. They start, serve, stop in time, survive each other's death, and count
the lines that are lost."""
import fcntl
import os
import re
import subprocess

from testing import LOGS, PATIENCE, ROOT, TMP, becomes, main, wait

OK = "198.18.200.1"
LONG_NAME = ".".join(["x" * 60] * 3) + ".test"
pipes = {}


def lost(lab):
    return int(re.search(r"^weir_messages_lost_total (\d+)", lab.get("metrics"), re.M)[1])


def jam(what):
    """A pipe of one page in the place of the log file. It is held open here, and full before the process writes its first line."""
    log = LOGS / f"{what}.log"
    log.rename(TMP / log.name)
    os.mkfifo(log)
    pipes[what] = os.open(log, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(pipes[what], fcntl.F_SETPIPE_SZ, 4096)
    os.write(pipes[what], bytes(4096))
    os.set_blocking(pipes[what], True)


def stop_in_time(what):
    """One that waits for a reader is killed by the lab after 30 s."""
    subprocess.run([ROOT / "tools/lab", "stop", what], check=True, timeout=25 * PATIENCE / 60)


def test_no_line_is_lost_while_there_is_a_reader(lab):
    assert lost(lab) == 0


def test_start_without_a_reader(lab):
    for what in ("dataplane", "controlplane"):
        lab.stop(what)
        jam(what)
        lab.start(what)
    wait(lab.activated)
    assert lab.short("ok-1.stalled.test") == OK
    becomes("NXDOMAIN", lab.result, "x.blocked.test")
    assert lab.short("ok-2.stalled.test", over="tcp") == OK


def test_lost_lines_are_counted(lab):
    def fill():
        """Lines of some 300 bytes, fewer than the limit of a second, until the buffer of 64 KiB is full."""
        for _ in range(60):
            lab.post("cache/flush", name=LONG_NAME)
        return lost(lab) >= 5
    wait(fill)
    assert lab.short("ok-3.stalled.test") == OK
    lab.post("config/reload")
    lab.get("errors")


def test_killed_control_plane(lab):
    lab.kill("controlplane")
    assert lab.short("ok-3.stalled.test") == OK  # the data plane answers what is cached
    lab.start("controlplane")
    wait(lab.activated)
    assert lab.short("ok-4.stalled.test") == OK


def test_stop_in_time(lab):
    stop_in_time("controlplane")
    stop_in_time("dataplane")


def test_reader_is_back(lab):
    readers = {what: subprocess.Popen(["cat"], stdin=pipe, stdout=open(TMP / f"{what}.tail", "wb")) for what, pipe in pipes.items()}
    lab.start("dataplane")
    lab.start("controlplane")
    tails = {what: TMP / f"{what}.tail" for what in pipes}
    wait(lambda: b"serving" in tails["controlplane"].read_bytes() and tails["dataplane"].read_bytes())
    for what, reader in readers.items():
        reader.kill()
        reader.wait()
        # What judges the audit log reads files, not pipes.
        log = LOGS / f"{what}.log"
        log.unlink()
        log.write_bytes((TMP / log.name).read_bytes() + tails[what].read_bytes())


if __name__ == "__main__":
    main()
