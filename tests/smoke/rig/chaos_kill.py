#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The campaign of tools/chaos kill: kills at random moments under load, and judges what the clients saw.

usage: chaos_kill.py LAB WEIRCTL TIMES PROCESS RATE SEED LIST ZONE_LOG

Runs in the client namespace; the lab's commands go back to the namespace of process 1. Prints a table and a line of
JSON; exit status 1 when a bound is broken.
"""
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

from chaos_lab import KEPT, Lab
from chaos_load import BLOCKED, CACHED, Load
from chaos_zone import zone_pairs
from regions import region_files

LAB, WEIRCTL, TIMES, PROCESS, RATE, SEED, LIST, ZONE_LOG = sys.argv[1:9]
LAB = Lab(LAB)
# The bounds, with KEPT. When both are dead a miss needs the data plane back first. A few kills on a machine that has other
# things to do say nothing of times: there they only end the waiting.
SHORT = int(TIMES) < 20
GIVE_UP_S = 60 if SHORT else 5
ANSWER_BACK_S = GIVE_UP_S if SHORT else 2.0
MISS_BACK_S = ANSWER_BACK_S if PROCESS == "both" or SHORT else 1.0
EVICTED_AT_DEATH = 0.05  # of cached names, each kill, see not_there
WRONG_TOLD = 40  # of wrong replies, each with its times
FIRST_HITS = 0.98  # of names first asked up to a second after a restart: the small cache goes on evicting meanwhile


CONTROL_LOG = f"{LAB.RUN}/lab/controlplane.log"


def recovered(since):
    """(kept, discarded) as the start logs whose log begins at `since`; None when it began with an empty cache. A thread
    writes the log, perhaps later than the first answer."""
    end = time.monotonic() + 20
    while True:
        with open(CONTROL_LOG) as log:
            log.seek(since)
            found = re.findall(r"cache reused: (\d+) records kept, (\d+) discarded", log.read())
        if found or time.monotonic() > end:
            return tuple(map(int, found[-1])) if found else None
        time.sleep(0.02)


def reloads(stop, count):
    """A name more in the list and a reload, each second; while the control plane is down it fails, as it should."""
    while not stop.wait(1):
        with open(LIST, "a") as names:
            names.write(f"more-{count[0]}.blocked.test\n")
        done = subprocess.run([WEIRCTL, "-c", LAB.CONFIG, "blocklist", "reload"], capture_output=True)
        count[done.returncode != 0] += 1


def signal_control_plane(signo):
    os.kill(LAB.pid_of("controlplane"), signo)


def one_kill(dice, what, dead):
    """Kills, waits, starts; (when killed, {process: when started}). "stopped": the control plane does not move meanwhile."""
    time.sleep(dice.uniform(0.3, 1.5))
    killed = time.monotonic()
    if PROCESS == "stopped":
        signal_control_plane(signal.SIGSTOP)
    for process in what:
        LAB.run("kill", process)
    time.sleep(dead)
    execs = {}
    for process in dice.sample(what, len(what)):
        LAB.run("start", process)
        execs[process] = LAB.started_s(process)
    return killed, execs


def first_after(load, kinds, when, timeout=GIVE_UP_S):
    """The first right answer of these kinds received after `when`."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        times = []
        for kind in kinds:
            for received, _, _ in reversed(load.good[kind]):
                if received <= when:
                    break
                times.append(received)
        if times:
            return min(times)
        time.sleep(0.02)
    return None


def measure(load, what, killed, execs, log_at):
    row = {"killed": killed, "process": "+".join(p[:-5] for p in what), "execs": execs}
    if "dataplane" in execs:
        first = first_after(load, ("cached", "blocked"), execs["dataplane"])
        row["answer_s"] = first and first - execs["dataplane"]
        row["served"] = first or time.monotonic()
    if "controlplane" in execs:
        since = max(execs.values())
        first = first_after(load, ("miss",), since)
        row["miss_s"] = first and first - since
        row["kept"] = recovered(log_at)
    row["ends"] = time.monotonic()
    return row


def go_on(load, row):
    """The control plane, which was stopped; the misses are then due as after a start."""
    since = time.monotonic()
    signal_control_plane(signal.SIGCONT)
    first = first_after(load, ("miss",), since)
    row["miss_s"] = first and first - since
    row["ends"] = time.monotonic()


def share_hit(load, since, before):
    """Whose first reply after the kill was the very answer from before it: of the first name, and of all."""
    first = {}
    for received, q, serial in load.good["cached"]:
        if received >= since:
            first.setdefault(q.name, serial)
    hit = [before[name] == serial for name, serial in first.items()]
    return hit[:1] == [True], sum(hit), len(hit)


def evicted(load):
    """How often a cached name, whose TTL is an hour, had to be asked again: (when the new answer came, name)."""
    serials, out = {}, []
    for received, q, serial in load.good["cached"]:
        if serials.setdefault(q.name, serial) != serial:
            out.append((received, q.name))
            serials[q.name] = serial
    return out


def not_there(load, rows):
    """Cached names that got SERVFAIL and nothing else for as long as the control plane was dead: [(when sent, name)].
    The cache is too small for all, and a name that is evicted is soon asked again, unless the control plane dies in
    between. Nothing is evicted while it is dead, so a name with an answer in the same time was there, and is not in this list.
    """
    out = []
    for row in rows:
        if "controlplane" not in row["execs"]:
            continue
        during = lambda when: row["killed"] <= when <= row["execs"]["controlplane"] + max(1, row["miss_s"] or 0)
        there = {q.name for received, q, serial in load.good["cached"]
                 if row["killed"] + 0.05 <= received <= row["execs"]["controlplane"]}
        out += [(b[0], b[3]) for b in load.bad
                if b[1:3] == ("cached", "servfail") and during(b[0]) and b[3] not in there]
    return out


def udp_sockets(pid):
    links = set()
    for family in ("udp", "udp6"):
        with open(f"/proc/{pid}/net/{family}") as table:
            links |= {f"socket:[{line.split()[9]}]" for line in list(table)[1:]}
    return links


def descriptors(pid):
    """Of the process, but for UDP sockets: those to upstreams come and go by the hundred, and have a table with a cap."""
    udp, links = udp_sockets(pid), []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass  # closed meanwhile
    udp |= udp_sockets(pid)  # opened meanwhile
    return len([link for link in links if link not in udp])


def leftovers(fds_before):
    """Regions, descriptors and deleted mappings that should be gone while both processes run."""
    out = []
    names = [os.path.basename(path) for path in region_files()]
    for stem in ("l0", "rule_image", "marks.0"):
        found = [n for n in names if re.fullmatch(re.escape(stem) + r"\.\d+", n)]
        if len(found) != 1:
            out.append(f"{len(found)} regions {stem}.*: {found}")
    for what in ("dataplane", "controlplane"):
        pid = LAB.pid_of(what)
        with open(f"/proc/{pid}/maps") as maps:
            gone = [line.split()[-2] for line in maps if line.endswith("(deleted)\n") and "weir" in line]
        if gone:
            out.append(f"{what} still maps {gone}")
        fds = descriptors(pid)
        for _ in range(3):  # a leak stays, a connection of this moment does not
            if fds > fds_before[what] + 2:
                time.sleep(0.3)
                fds = min(fds, descriptors(pid))
        if fds > fds_before[what] + 2:
            out.append(f"{what} holds {fds} descriptors, {fds_before[what]} at first")
    return out


def law():
    """(rx_frames, sum of verdicts) of the data plane's present life."""
    stats = json.loads(subprocess.run([WEIRCTL, "-c", LAB.CONFIG, "--json", "stats", "--interval", "0"],
                                      capture_output=True, text=True).stdout)["dataplane"]
    return stats["counters"]["rx_frames"], sum(stats["verdicts"].values())


def tell_logs(lines=15):
    """What the two said last: a restart that takes long is rare, and its reason gone with the next kill."""
    for what in ("controlplane", "dataplane"):
        with open(f"{LAB.RUN}/lab/{what}.log") as log:
            print(f"      {what}:", *(f"        {line.rstrip()}" for line in log.readlines()[-lines:]), sep="\n")


def campaign(load, dice):
    what = {"both": ["controlplane", "dataplane"], "stopped": ["dataplane"]}.get(PROCESS, [PROCESS])
    rows = []
    for n in range(int(TIMES)):
        before = {q.name: q.serial for q in load.pools["cached"]}
        # tools/lab asks weirctl whether a start is done, which asks a control plane as long as that seems to live.
        dead = dice.uniform(0.1, 1.0) + (1.1 if PROCESS == "stopped" else 0)
        log_at = os.path.getsize(CONTROL_LOG)
        killed, execs = one_kill(dice, what, dead)
        row = measure(load, what, killed, execs, log_at)
        if "served" in row:
            time.sleep(1.2)  # some queries for each cached name
            row["first_hit"], row["hits"], row["asked"] = share_hit(load, row["served"], before)
        if PROCESS == "stopped":
            go_on(load, row)
        rows.append(row)
        print(table_row(n + 1, row), flush=True)
        if "miss_s" in row and (row["miss_s"] is None or row["miss_s"] >= MISS_BACK_S):
            tell_logs()
        if load.error:
            raise SystemExit(f"the load generator died: {load.error}")
    return rows


def ms(seconds):
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def table_row(n, row):
    kept = row.get("kept")
    return (f"{n:4}  {row['process']:13} down {ms(min(row['execs'].values()) - row['killed']):>7}"
            + (f"  first answer {ms(row['answer_s']):>7}  names hit {row['hits']}/{row['asked']}"
               if "answer_s" in row else "")
            + (f"  first miss {ms(row['miss_s']):>7}" if "miss_s" in row else "")
            + (f"  kept {kept and f'{kept[0]}/{sum(kept)}'}" if "kept" in row else ""))


def judge(load, rows, extra):
    """The sums, and the list of what is broken."""
    out_windows = [(r["killed"] - 0.2, r["served"] + 0.2) for r in rows if "served" in r]
    cp_windows = [(r["killed"] - 0.2, r["ends"] + 3) for r in rows if "miss_s" in r]
    inside = lambda when, windows: any(a <= when <= b for a, b in windows)
    absent = set(not_there(load, rows))
    wrong = [b for b in load.bad if b[2] != "servfail" or (b[1] == "cached" and (b[0], b[3]) not in absent)]
    absent_names = len({name for _, name in absent})
    lost = [x for x in load.lost if not inside(x[0], out_windows)]
    steady = [x for x in lost if x[1] in ("cached", "blocked")]
    refused = [b for b in load.bad if b[2] == "servfail" and b[1] != "cached"]
    refused_up = [b for b in refused if not inside(b[0], cp_windows + out_windows)]
    foreign = load.pairs - zone_pairs(ZONE_LOG)
    answers = {kind: len(got) for kind, got in load.good.items()}
    broken = list(extra)
    if wrong:
        broken.append(f"{len(wrong)} wrong replies")
        broken += [f"{name or kind}, sent {when:.3f}: {what}" for when, kind, what, name in wrong[:WRONG_TOLD]]
        broken += [f"killed {r['killed']:.3f}, started {min(r['execs'].values()):.3f}" for r in rows]
    if absent_names > 1 + len(rows) * EVICTED_AT_DEATH:
        broken.append(f"{absent_names} cached names were gone when the control plane died")
    if foreign:
        broken.append(f"{len(foreign)} answers that the zone never gave, one: {next(iter(foreign))}")
    if steady:
        broken.append(f"{len(steady)} cached or blocked answers lost outside data-plane outages")
    for kind, floor in (("cached", CACHED), ("blocked", BLOCKED), ("miss", 1)):
        if answers[kind] < floor:
            broken.append(f"only {answers[kind]} {kind} answers: this shows nothing")
    kept = [r["kept"] for r in rows if r.get("kept")]
    emptied = sum("kept" in r and not (r["kept"] and r["kept"][0]) for r in rows)
    if emptied:
        broken.append(f"{emptied} starts of the control plane took no cache over")
    times = {"miss_s": [r["miss_s"] for r in rows if "miss_s" in r],
             "answer_s": [r["answer_s"] for r in rows if "answer_s" in r]}
    for what, bound in (("miss_s", MISS_BACK_S), ("answer_s", ANSWER_BACK_S)):
        late = [t for t in times[what] if t is None or t >= bound]
        if late:
            broken.append(f"{what}: {len(late)} of {len(times[what])} over {bound} s: {[ms(t) for t in late[:5]]}")
    hits, asked = (sum(r.get(key, 0) for r in rows) for key in ("hits", "asked"))
    taken, discarded = sum(k[0] for k in kept), sum(k[1] for k in kept)
    cold = sum(not r["first_hit"] for r in rows if "first_hit" in r)
    if cold or hits < asked * FIRST_HITS:
        broken.append(f"after a restart of the data plane {cold} first queries were no hits, nor were "
                      f"{asked - hits} of {asked} names")
    if taken + discarded and taken < (taken + discarded) * KEPT:
        broken.append(f"{discarded} of {taken + discarded} records were discarded")
    top = lambda got: max((t for t in got if t is not None), default=None)
    return {
        "kills": len(rows), "process": PROCESS, "rate": int(RATE), "sent": sum(load.sent.values()),
        "answers": answers, "wrong": len(wrong), "foreign": len(foreign), "lost_steady": len(steady),
        "lost_other": len(lost) - len(steady), "servfail_while_down": len(refused) - len(refused_up),
        "servfail_while_up": len(refused_up), "first_miss_max_s": top(times["miss_s"]),
        "first_answer_max_s": top(times["answer_s"]), "first_query_cold": cold, "names_hit": hits, "names_asked": asked,
        "records_kept": taken, "records_discarded": discarded, "hot_evicted": len(evicted(load)),
        "evicted_at_death": absent_names,
    }, broken


def main():
    load = Load(int(RATE), int(SEED))
    load.warm()
    time.sleep(0.5)
    fds = {what: descriptors(LAB.pid_of(what)) for what in ("dataplane", "controlplane")}
    stop, count = threading.Event(), [0, 0]
    reloader = threading.Thread(target=reloads, args=(stop, count), daemon=True)
    load.start()
    reloader.start()
    rows = campaign(load, random.Random(int(SEED)))
    time.sleep(1)
    stop.set()
    reloader.join()
    load.stop_at.set()
    load.join()
    time.sleep(0.5)
    extra = leftovers(fds)
    for _ in range(60):  # what is still let go of
        if not extra:
            break
        time.sleep(0.5)
        extra = leftovers(fds)
    for _ in range(50):  # a frame may be on its way through the stages at that instant
        frames, verdicts = law()
        if frames and frames == verdicts:
            break
        time.sleep(0.2)
    if frames != verdicts or not frames:
        extra.append(f"{frames} frames, {verdicts} verdicts")
    if load.error:
        extra.append(f"the load generator died: {load.error}")
    sums, broken = judge(load, rows, extra)
    sums["reloads"], sums["reloads_refused"], sums["seed"] = count[0], count[1], int(SEED)
    print("\n".join(f"BROKEN: {b}" for b in broken) or "all bounds hold")
    print(json.dumps({"goal": "chaos", "case": "kill", "ok": not broken, **sums}))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
