# SPDX-License-Identifier: BSD-3-Clause
"""What systemd started, in the guest: users, rights of each thread as docs/explanation/security.md says, filters, locked memory,
restarts, and the watchdog."""
import fnmatch
import re
import time

import vmtest

UNITS = {"weir-dataplane": ("weir-dp", "data plane"), "weir-controlplane": ("weir-cp", "control plane")}
BITS = {"none": 0, "NET_ADMIN": 1 << 12, "NET_BIND_SERVICE": 1 << 10}
FIELDS = "CapPrm CapEff CapInh CapAmb NoNewPrivs Seccomp Seccomp_filters"
# One line a thread: its name, and its FIELDS.
THREADS = f"""for task in /proc/%s/task/*; do echo "$(<$task/comm)|$(for field in {FIELDS}; do
sed -n "s/^$field:[[:space:]]*//p" $task/status; done | xargs)"; done"""
NOW_AND_THEN = (["weir-*"], ["weir-close"])  # threads that need not be there
WATCHDOG_SECONDS = 30  # of the units
RESTART_SECONDS = 90  # until systemd says that it runs again, on an emulated machine


def table(words):
    """Rows of the page for one process: patterns of threads, permitted, effective, numbers of filters. (DAC is root's alone.)"""
    page = (vmtest.ROOT / "docs/explanation/security.md").read_text()
    part = page.split(f"Threads of the {words}", 1)[1]
    rows = [re.match(r"\| (`[^|]+`) \| (\w+)(?: \+DAC)? \| (\w+)(?: \+DAC)? \| ([\w ]+) \|", line).groups()
            for line in part.split("\n\n", 2)[1].split("\n") if line.startswith("| `")]
    return [(re.findall("`([^`]+)`", names), BITS[permitted], BITS[effective], set(filters.split()))
            for names, permitted, effective, filters in rows]


def wrong(words, text):
    """What differs from the table in the lines that THREADS printed. The first one is the main thread; what it has beside its one
    filter is systemd's, which all threads have."""
    rows = table(words)
    bad, seen = [], []
    lines = [line.partition("|")[::2] for line in text.split("\n")]
    systemd = int(lines[0][1].split()[-1]) - 1
    for name, values in lines:
        row = next((row for row in rows if any(fnmatch.fnmatchcase(name, pattern) for pattern in row[0])), None)
        if not row:
            bad.append(f"{name} has no row")
            continue
        seen.append(row)
        permitted, effective, inheritable, ambient, alone, mode, filters = values.split()
        if [int(caps, 16) for caps in (permitted, effective, inheritable, ambient)] != [row[1], row[2], 0, 0] \
                or (alone, mode) != ("1", "2") or str(int(filters) - systemd) not in row[3]:
            bad.append(f"{name}: {FIELDS} {values}")
    if systemd < 1:
        bad.append("systemd gave no filter")
    return bad + [f"no thread {' or '.join(row[0])}" for row in rows if row not in seen and row[0] not in NOW_AND_THEN]


def show(box, unit, *names):
    """Properties of a unit, in this order."""
    lines = box.do(f"systemctl show -p {','.join(names)} {unit}").split("\n")
    values = dict(line.split("=", 1) for line in lines)
    return [values[name] for name in names]


def pid(box, unit):
    return show(box, unit, "MainPID")[0]


def check(t, box, when):
    """Of processes that systemd started and that nobody disturbed."""
    for unit, (user, words) in UNITS.items():
        number = pid(box, unit)
        field = f"sed -n 's/^%s:[[:space:]]*//p' /proc/{number}/status"
        want = box.do(f"id -u {user}")
        t.same(f"{when}: the {words} runs as {user}", [want] * 4, box.do(field % "Uid").split())
        bad = wrong(words, box.do(THREADS % number))
        t.check(f"{when}: rights and filters of its threads are as written", not bad, "\n".join(bad))
        t.same(f"{when}: systemd has not restarted it", ["0"], show(box, unit, "NRestarts"))
    locked = box.do(f"sed -n 's/^VmLck:[[:space:]]*//p' /proc/{pid(box, 'weir-dataplane')}/status")
    t.check(f"{when}: the data plane's memory is locked", int(locked.split()[0]) > 64 * 1024, locked)
    t.same(f"{when}: no call was refused", "", box.do("journalctl -k -q --no-pager --grep 'type=1326' | tail -n 5"))


def watchdog(t, box, unit):
    """A process that stands still is restarted."""
    words = UNITS[unit][1]
    before = pid(box, unit)
    start = time.monotonic()
    box.do(f"kill -STOP {before}")
    limit = WATCHDOG_SECONDS + RESTART_SECONDS * vmtest.KIND.slower
    state = show(box, unit, "ActiveState", "MainPID")
    while (state[0] != "active" or state[1] == before) and time.monotonic() - start < limit:
        time.sleep(0.5)
        state = show(box, unit, "ActiveState", "MainPID")
    t.check(f"watchdog: systemd restarts the {words} that stands still", state[0] == "active" and state[1] != before, state)
    t.same("watchdog: once", ["1"], show(box, unit, "NRestarts"))
    t.say(f"watchdog: the {words} runs again after {time.monotonic() - start:.0f} s")
    t.check("watchdog: weir serves", box.serves() is not None)


def reload_and_stop(t, box):
    """`systemctl reload`, and a stop, by which each process ends itself."""
    before = pid(box, "weir-controlplane")
    box.do("systemctl reload weir-controlplane", 90)
    t.same("reload: the same process runs on", ["active", before], show(box, "weir-controlplane", "ActiveState", "MainPID"))
    for unit, (_, words) in UNITS.items():
        box.do(f"systemctl stop {unit}", 90)
        t.same(f"stop: the {words} ends by itself", ["success", "1", "0"],
               show(box, unit, "Result", "ExecMainCode", "ExecMainStatus"))
    box.start()
    t.check("stop: weir serves after the next start", box.serves() is not None)
