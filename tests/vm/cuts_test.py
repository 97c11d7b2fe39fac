#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Power cuts under load: QEMU is killed at random moments while weir answers, publishes rules, and writes the query store, the
request log and the spool of ClickHouse. The next life starts from what a disk with a volatile write cache has by then
(tools/machine/platter.py). In the end a ClickHouse server takes the spool.

usage: cuts_test.py [--times N] [--seed N]
"""
import argparse
import random
import shutil
import subprocess
import time

import vmtest
import platter  # of tools/machine, which vmtest has put in the path
import stage

ZONE = "cut.example"  # denied, so weir answers each name below it at once; one query for each name
LOAD_SECONDS, RATE = 120, 1000
CLICKHOUSE = "http://198.18.0.2:8123"
MORE = f"""query_log:
  clickhouse: {{url: '{CLICKHOUSE}', flush_ms: 1000}}
  requests: {{enabled: true}}
"""
REQUEST_WORDS = 21
STATE = "/var/lib/weir"
SAFE_SECONDS = 13  # docs/how-to/query-store.md says 11; emulated, a commit takes its time
# Reloads a list of one name, gen-N, again and again; /root/published has the last N that weirctl confirmed.
RELOADS = """n=$(cat /root/published); while :; do n=$((n + 1)); echo gen-$n.example >/root/new && sync /root/new &&
mv /root/new /etc/weir/turn.txt && sync /etc/weir && weirctl blocklist reload >/dev/null && echo $n >/root/published &&
sync /root/published; sleep 0.5; done"""
# Prints: files, rows, names twice, and what is not sound.
STORE = f"""cd {STATE}/log; for f in queries-*.sqlite; do
sqlite3 -readonly "$f" "SELECT 'rows ' || count(*) || ' twice ' || (count(*) - count(DISTINCT qname)) FROM queries
WHERE qname LIKE '%.{ZONE}%'; PRAGMA integrity_check;" 2>&1 | grep -v '^ok$'; done; ls queries-*.sqlite | wc -l"""
REQUESTS = f"""cd {STATE}/requests; cat requests-*.log | tr -d '\\000' | wc -c; cat requests-*.log | wc -c
awk 'NF != {REQUEST_WORDS} || $1 !~ /^20[0-9-]*T[0-9:.]*Z$/ {{ print FILENAME ": " FNR ": " substr($0, 1, 200) }}' requests-*.log | head -n 5
awk '$5 ~ /{ZONE}/ {{ print $5 }}' requests-*.log | sort | uniq -d | head -n 5"""


def configuration():
    return vmtest.machine.config(lists="[{name: turn, path: turn.txt}]", more=MORE).replace("denied.example", ZONE)


def prepare(box):
    """A raw disk with weir, its configuration and a list."""
    box.boot(box.installed())
    box.put("/etc/weir/turn.txt", "gen-1.example\n")
    box.put("/root/published", "1\n")
    box.configure(configuration())
    box.off()
    stage.raw(box.folder / "installed.qcow2", box.folder / "state.raw")


def stored(box):
    """Rows of the query store, queries that it has twice, and whether it is sound: each file read, none with a complaint."""
    lines = box.do(STORE, 120).split("\n")
    rows = [line.split() for line in lines if line.startswith("rows ")]
    sound = len(rows) == int(lines[-1]) == len(lines) - 1
    return sum(int(row[1]) for row in rows), sum(int(row[3]) for row in rows), sound, "\n".join(lines)


def store(t, box, when, kept):
    """Rows of the query store, which had `kept` in good time before the cut."""
    rows, twice, sound, lines = stored(box)
    t.check(f"{when}: the query store is sound", sound, lines)
    t.same(f"{when}: it has no query twice", 0, twice)
    t.check(f"{when}: it has the {kept} rows that it had {SAFE_SECONDS} s before", rows >= kept, rows)
    return rows


def requests(t, box, when):
    plain, full, *bad = box.do(REQUESTS, 120).split("\n")
    t.check(f"{when}: the request log has no NUL", plain == full, f"{full} bytes, {plain} of them no NUL")
    t.check(f"{when}: it has whole lines, each query once", not [line for line in bad if line], "\n".join(bad))
    return box.do(f"cat {STATE}/requests/requests-*.log | grep -c {ZONE} || :")


def rules(t, box, when):
    """The rules are those of the last reload that was confirmed, or of the one in progress."""
    published = int(box.do("cat /root/published"))
    blocked = [n for n in (published, published + 1) if box.far.ask(f"gen-{n}.example")[0] == "NXDOMAIN"]
    t.check(f"{when}: the rules are the last good ones (reload {published})", blocked, f"blocked: {blocked}")


def sink(box):
    """Counts of the ClickHouse sink. A control plane that is busy for seconds is missing in a snapshot."""
    for _ in range(30):
        counts = box.ctl("stats --interval 0").get("controlplane", {}).get("clickhouse")
        if counts:
            return counts
        time.sleep(1)
    raise RuntimeError("weirctl stats has no counts of the ClickHouse sink: " + str(box.ctl("stats --interval 0"))[:2000])


def spool(t, box, when):
    counts = sink(box)
    t.same(f"{when}: every file of the spool can be read", 0, counts["unreadable_files"])
    return counts["spool_files"]


def sound(t, box, when, kept):
    """What a machine has after a power cut. Rows of the store, lines of the request log, files of the spool."""
    t.same(f"{when}: both units are active and none has failed", "", box.active())
    rules(t, box, when)
    return store(t, box, when, kept), requests(t, box, when), spool(t, box, when)


def life(t, box, number, kept):
    """From power on. `kept`: rows that the query store must have. False: weir did not serve."""
    when = f"cut {number}"
    disk = stage.overlay(box.folder / "state.raw", box.folder / "life.qcow2")
    box.boot(disk, log=box.folder / "writes.log")
    served = box.serves()
    if not t.check(f"{when}: weir serves after it" if number else "weir serves", served is not None):
        return False
    if number:
        rows, lines, files = sound(t, box, when, kept)
        t.say(f"{when}: served {box.age():.0f} s after power on; {rows} rows stored, {lines} lines, {files} chunks in the spool")
    return True


def work(t, box, number, chance):
    """Load and reloads, and the cut in the middle of them. Rows that the query store must still have."""
    load = box.far.load([f"u{number}x{i}.{ZONE}" for i in range(LOAD_SECONDS * RATE)], LOAD_SECONDS, RATE)
    box.do(f"nohup bash -c '{RELOADS}' >/dev/null 2>&1 &")
    start = time.monotonic()
    time.sleep(chance.uniform(2, 12))
    had = stored(box)[0]
    while True:  # at least once, as a look at many rows takes longer than half of the load
        time.sleep(1)
        kept = stored(box)[0]
        if kept > had or time.monotonic() - start > LOAD_SECONDS / 2:
            break
    t.check(f"cut {number + 1}: the query store gets rows", kept > had, box.ctl("status || :"))
    time.sleep(SAFE_SECONDS)
    seconds = time.monotonic() - start
    box.cut()
    box.far.stop(load)
    count = platter.cut(box.folder / "writes.log", box.folder / "state.raw", chance)
    t.say(f"cut {number + 1} after {seconds:.1f} s of load; writes: {count}")
    t.check(f"cut {number + 1}: the disk had writes and flushes", count["kept"], count)
    return kept


def clickhouse(t, box):
    """A server at the far end takes what the spool has; each query is there once."""
    folder = box.folder / "clickhouse"
    folder.mkdir()
    (folder / "users.xml").write_text("<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password>"
                                      "</password><networks><ip>::/0</ip></networks><profile>default</profile>"
                                      "<quota>default</quota></default></users></yandex>")
    (folder / "config.xml").write_text(
        f"<yandex><logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/err</errorlog></logger>"
        f"<http_port>8123</http_port><tcp_port>9000</tcp_port><listen_host>198.18.0.2</listen_host><path>{folder}/data/</path>"
        f"<tmp_path>{folder}/tmp/</tmp_path><users_config>{folder}/users.xml</users_config>"
        "<default_profile>default</default_profile><default_database>default</default_database>"
        "<mark_cache_size>33554432</mark_cache_size></yandex>")
    box.far.spawn("clickhouse-server", f"--config-file={folder}/config.xml")
    end = time.monotonic() + 120
    left = 1
    while left and time.monotonic() < end:
        time.sleep(1)
        left = sink(box)["spool_files"]
    t.same("a ClickHouse server takes the whole spool", 0, left)
    counts = sink(box)
    t.same("no row was lost on the way", (0, 0), (counts["lost_rows"], counts["refused_rows"]))
    said = subprocess.run(["curl", "-sS", "--max-time", "30", CLICKHOUSE, "--data-binary",
                           f"SELECT count(), uniqExact(qname) FROM weir.queries WHERE qname LIKE '%.{ZONE}%'"],
                          capture_output=True, text=True).stdout.split()
    t.check("the server has rows, and no query twice", len(said) == 2 and said[0] == said[1] and said[0] != "0", said)
    t.say(f"ClickHouse has {said[:1]} rows")


def main(t):
    options = argparse.ArgumentParser()
    options.add_argument("--times", type=int, default=2)
    options.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    chosen = options.parse_args()
    t.say(f"{chosen.times} power cuts, --seed {chosen.seed}")
    chance = random.Random(chosen.seed)
    box = t.box()
    prepare(box)
    kept = 0
    for number in range(chosen.times + 1):
        if not life(t, box, number, kept):
            return
        if number < chosen.times:
            kept = work(t, box, number, chance)
    if shutil.which("clickhouse-server"):
        clickhouse(t, box)


vmtest.run(main, 7200)
