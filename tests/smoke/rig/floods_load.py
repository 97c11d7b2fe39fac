#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Floods on the client port, and what honest clients see meanwhile. Runs in the client namespace.

usage: floods_load.py WEIRCTL CONFIG UPSTREAM_LOG SECONDS RATE SEED [PHASE...]

A line of JSON for each phase: quiet, torture (random names below one zone whose servers never answer), stalled (torture,
and a control plane that stands still again and again), ring (the same with a domain for each name: nobody is to blame, so the
miss ring gets full), waiters (names that nobody answers and that many ask for: all waiters are taken), nxdomain (torture that
is answered), slow (torture and new names, answered after 300 ms), spoofed (each query from another address), garbage (frames of
every kind that is no query), exception (what is the kernel's), bomb (answers that an upstream held back), injection (names that mean
something to a terminal). In
each of them but the last two an honest client asks for cached names, 1,000 a second, blocked ones, 500, and new ones, 40.
overheard: the replies to one in 64 of the flood's clients, by rcode and extended error.
"strict" in the environment adds the bounds on time: p99 of cached and blocked names at most twice that of the quiet phase
(times_quiet), and in torture p99 of hit_batch_us under 100; and that flood and honest client had their rates, or these are of nothing. With these a phase
in which too much CPU was stolen is run again, and the exit status is 3 where it cannot be checked (floods_judge.py). hit_ms and its like are from wire to wire (floods_honest.py). worker_ms: what the worker ran, waited for its CPU and
was robbed of, and its turns over 10 ms, which a hypervisor or interrupts on its CPU make too. hit_batch_us: what the batch of a
cached answer took from the receive call to the sent reply; slow_frames: the part of all frames whose burst took over 100 us;
both by the worker's clock, which goes on while something else has the CPU.
"""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from floods_honest import BLOCKS, HITS, PATIENCE, Honest, Worker, hear_only
from floods_judge import Judge, Steal
from floods_kinds import HOT, LONG, Clients, Domains, Garbage, ExceptionTraffic, Spoofed, Torture, rng
from wire import SERVICE4, Port, framed, query, udp4

CTL, CONFIG, LOG, SECONDS, RATE, SEED = *sys.argv[1:4], float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
PHASES = sys.argv[7:]
STRICT = bool(os.environ.get("strict"))
# tools/leaks: a control plane that is slower, and whose memory is its sanitizer's.
WATCHED = bool(os.environ.get("WEIR_CONTROLPLANE"))
OVERHEARD = socket.inet_aton("198.18.64.0")  # and the 63 after it: some of those who flood
rng.seed(SEED)
Honest.serial = SEED * 1000000
judge = Judge(STRICT)
expect = judge.expect


def weirctl_json(verb, *more):
    done = subprocess.run([CTL, "-c", CONFIG, "--json", verb, *more], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def counts():
    both = weirctl_json("stats", "--interval", "0")
    dp, cp = both["dataplane"], both["controlplane"]["resolver"]
    return {**dp["verdicts"], **dp["counters"], **{f"cp_{k}": v for k, v in cp.items() if isinstance(v, int)},
            "breaches": sum(w["mbuf_breaches"] for w in dp["workers"])}


def batches(outcome="hit"):
    """Bound in seconds -> frames whose batch took no longer, by the workers' clock."""
    text = subprocess.run([CTL, "-c", CONFIG, "metrics"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r'^weir_dataplane_batch_seconds_bucket\{([^}]*)\} (\d+)', text, re.M)
    return {float(re.search('le="([^"]*)"', labels)[1]): int(n) for labels, n in found if f'outcome="{outcome}"' in labels}


def batch_us(before, after, of):
    """The bound that this part of the frames in between kept; None: no frames, or over the last one."""
    diff = sorted((bound, n - before.get(bound, 0)) for bound, n in after.items())
    all_of_them = diff[-1][1] if diff else 0
    bound = next((bound for bound, n in diff if n >= of * all_of_them), float("inf")) if all_of_them else float("inf")
    return round(bound * 1e6, 1) if bound != float("inf") else None


def memory_kb():
    out = {}
    for what in ("dataplane",) if WATCHED else ("dataplane", "controlplane"):
        pid = open(f"/run/weir/lab/{what}.pid").read().split()[0]
        out[what] = next(int(l.split()[1]) for l in open(f"/proc/{pid}/status") if l.startswith("VmRSS"))
    return out


def log_octets():
    return sum(os.path.getsize(f"/run/weir/lab/{what}.log") for what in ("dataplane", "controlplane"))


def before_control_plane(place):
    """The long form: a flood does not wait for its victim, nor the honest client for a pause of the flood. The worker is at place 4."""
    if STRICT:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK if place else os.SCHED_OTHER, os.sched_param(place))


def flood(kind, port, seconds, rate, out):
    """In a child: sends frames at the rate, as far as possible; writes how many there were. Each half millisecond it sends the due frames.
    Held up, it makes up for that by half as many again each time and not in one clump, which would be its scheduler's and no
    flood's: hundreds of frames 5 us apart, 200,000 a second."""
    child = os.fork()
    if child:
        return child
    before_control_plane(2)
    source, sent, begin, tick = kind(port), 0, time.monotonic(), 0.0005
    most = int(rate * tick * 1.5) + 2
    while (now := time.monotonic()) < begin + seconds:
        due = max(min(int((now - begin) * rate) - sent, most), 0)
        for _ in range(due):
            port.send(source.frame())
        sent += due
        time.sleep(max(now + tick - time.monotonic(), 0))
    with open(out, "w") as f:
        f.write(str(sent))
    os._exit(0)


def overheard(port):
    """Rcode, and of SERVFAIL the extended error (RFC 8914), -> replies to some of those who flood."""
    out = {}
    for client, _, msg in port.drain():
        what = str(msg[3] & 15)
        if not client.startswith("198.18.64."):
            continue  # came before the filter
        if what == "2":
            at = 12
            while msg[at]:
                at += 1 + msg[at]
            opt = msg[at + 5:]  # neither answers nor authority stand before it
            what = "2, EDE %d" % struct.unpack("!H", opt[15:17]) if opt[:3] == b"\0\0\x29" and opt[11:13] == b"\0\x0f" else "2, no EDE"
        out[what] = out.get(what, 0) + 1
    return out


def stall(seconds):
    """In a child: the control plane stands still for 400 of each 600 ms."""
    child = os.fork()
    if child:
        return child
    pid, end = int(open("/run/weir/lab/controlplane.pid").read().split()[0]), time.monotonic() + seconds
    while time.monotonic() < end:
        for sign, pause in ((signal.SIGSTOP, 0.4), (signal.SIGCONT, 0.2)):
            os.kill(pid, sign)
            time.sleep(pause)
    os._exit(0)


quiet_p99 = {}


def beside_quiet(row):
    """p99 as so many times that of the quiet phase, in which it is remembered."""
    p99 = {key: row[key][-1] for key in ("hit_ms", "block_ms", "miss_ms", "hit_batch_us")}
    if row["phase"] == "quiet":  # the last of them is the one that was checked
        quiet_p99.update(p99)
    return {key: round(p99[key] / most, 2) if most and p99[key] else None for key, most in quiet_p99.items()}


def phase(name, kind, seconds, rate, stalls=False, lag=0):
    """lag: milliseconds that upstream takes for what is new."""
    before, rss, logs, took, steal = counts(), memory_kb(), log_octets(), batches(), Steal()
    port, out = Port(hears=not kind), f"/run/smoke/flood.{name}"
    child = flood(kind, port, seconds, rate, out) if kind else 0
    staller = stall(seconds) if stalls else 0
    beside = Port()
    hear_only(beside.sock, OVERHEARD, 0xFFFFFFC0)
    if child:
        port = Port()
    honest, worker = Honest(port, "lag" if lag else "ok"), Worker()
    clock = worker.clock()
    before_control_plane(3)
    honest.run(seconds)
    before_control_plane(0)
    clock, stolen = {k: round(v - clock[k], 1) for k, v in worker.clock().items()}, steal.part()
    if staller:
        os.waitpid(staller, 0)
    inflight, waiters = (counts()[f"cp_{what}"] for what in ("inflight", "waiters"))
    if child:
        os.waitpid(child, 0)
    sent = int(open(out).read()) if child else 0
    after, took_after = counts(), batches()
    diff = {k: after[k] - before[k] for k in after}
    clock["long_turns"] = diff["turns_long_us"] / 1000
    grown = {k: v - rss[k] for k, v in memory_kb().items()}
    row = {"phase": name, "flood_qps": round(sent / seconds), "received": diff["rx_frames"],
           **honest.figures((.5, .95, .99)), "servfail": honest.servfail, "stolen": stolen, "worker_ms": clock,
           "hit_batch_us": [batch_us(took, took_after, p) for p in (.5, .99)], "slow_frames": round(diff["frames_slow"] / max(diff["rx_frames"], 1), 5), "inflight": inflight, "waiters": waiters,
           "upstream_sent": diff["cp_upstream_sent"], "refused_zone": diff["cp_refused_zone"],
           "refused_inflight": diff["cp_refused_inflight"], "refused_client": diff["cp_refused_client"],
           "refused_waiters": diff["cp_refused_waiters"], "overheard": overheard(beside),
           "crowd": diff["servfail_fairness"], "ring_full": diff["servfail_ring_full"], "grown_kb": grown, "log_octets": log_octets() - logs}
    row["times_quiet"] = beside_quiet(row)
    print(json.dumps(row), flush=True)
    expect(f"{name}: a refused client gets the reason", "2, no EDE" not in row["overheard"])
    expect(f"{name}: no packet buffer is lost", after["breaches"] == 0)
    expect(f"{name}: memory is flat", max(grown.values()) < 16384)
    expect(f"{name}: a flood is not one of log lines", row["log_octets"] < 16384)
    judge.times_count(name, stolen)
    expect(f"{name}: cached names are answered", len(honest.hit_ms) >= honest.hits * (1 if STRICT else 0.99))
    expect(f"{name}: blocked names are answered", len(honest.block_ms) >= honest.blocks * (1 if STRICT else 0.99))
    expect(f"{name}: new names are answered", stalls or len(honest.miss_ms) >= honest.misses * 0.95)
    # What the others are compared with: a wait of a few ms, which a busy machine brings, would allow them as much.
    expect("quiet: the worker had its CPU", kind or not STRICT or clock["waited"] < seconds * 1000 / 200)
    # Less of either than is said makes all that stands below easier.
    expect(f"{name}: the honest client had its rate", not STRICT or min(honest.hits / HITS, honest.blocks / BLOCKS) > seconds * 0.95)
    expect(f"{name}: the flood had its rate", not STRICT or sent >= rate * seconds * 0.95)
    expect(f"{name}: the flood came in", not STRICT or diff["rx_frames"] >= sent * 0.95)
    if STRICT and kind:
        for what, times in (("cached", row["times_quiet"]["hit_ms"]), ("blocked", row["times_quiet"]["block_ms"])):
            expect(f"{name}: 99 % of the {what} names in twice the time of the quiet phase", (times or 99) <= 2)
        # The upstream of nxdomain is busy, too.
        expect(f"{name}: 99 % of the new names within 100 ms more",
               stalls or name == "nxdomain" or row["miss_ms"][2] < lag + 100 + quiet_p99["miss_ms"])
    return row, diff, sent


def torture(turn):
    row, diff, sent = phase("torture", Torture, SECONDS, RATE)
    expect("torture: there was one", sent > SECONDS * 1000)
    expect("torture: nearly all of it is refused", row["refused_zone"] + row["crowd"] > sent * 0.6)
    expect("torture: who is refused is overheard", any(what.startswith("2,") for what in row["overheard"]))
    expect("torture: the zone has its share", row["inflight"] <= 256 + 100)
    expect("torture: 99 % of the cached names in a batch of under 100 us", not STRICT or (row["hit_batch_us"][1] or 100) < 100)
    expect("torture: the upstream is spared", row["upstream_sent"] < 6 * (256 * (SECONDS / 1.9 + 2) + row["misses"]))


def stalled(turn):
    """Torture while the resolver stands still again and again, so that the miss ring fills (6,553 of these, at 20,000 a second):
    the flood gets three quarters of it, the last is for the others."""
    row, diff, sent = phase("stalled", lambda p: Torture(p, f"{LONG}.victim.test"), SECONDS, RATE, stalls=True)
    expect("stalled: the flood has its share of the ring", row["crowd"] > 0 or not STRICT)
    expect("stalled: the ring is never full", row["ring_full"] == 0)


def ring(turn):
    """The same, and nothing tells the flood from others: a full ring refuses every client."""
    row, diff, sent = phase("ring", Domains, SECONDS, RATE, stalls=True)
    expect("ring: it was full", row["ring_full"] > 0 or not STRICT)
    expect("ring: new names have their share of it",
           row["misses_answered"] > row["misses"] * (1 - (row["ring_full"] + diff["servfail_no_control"]) / max(sent, 1)) / 2)


def waiters(turn):
    """200 names a second, each with 200 who wait for it: three quarters of 65,536, the last is for names with few."""
    row, diff, sent = phase("waiters", Clients, SECONDS, 2 * RATE)
    expect("waiters: all were taken", row["refused_waiters"] > 0 or not STRICT)


def garbage(turn):
    row, diff, sent = phase("garbage", Garbage, SECONDS, RATE * 5)
    expect("garbage: no query goes upstream", diff["cp_misses"] <= row["misses"] + 50 and diff["tx_frames"] < sent / 10 + 10000)


def over_tcp():
    """Whether a cached name is answered over TCP."""
    message = query("ok-3000.hot1.test", ident=7)
    with socket.create_connection((SERVICE4, 53), 10) as sock:
        sock.sendall(framed(message))
        sock.settimeout(10)
        return sock.recv(4)[2:] == message[:2]


def exception(turn, *kinds):
    """Of what is the kernel's it gets what limits.kernel_frames says by class, a quarter of that at once; in the long form each kind
    by itself as well."""
    share = {"syn": 10000, "segment": 13334, "reply": 5000, "udp": 1000}
    name, begin = "_".join(("exception", *kinds)), time.monotonic()
    row, diff, sent = phase(name, lambda p: ExceptionTraffic(p, *kinds), SECONDS, RATE * 2.5)
    seconds = time.monotonic() - begin + 1
    over = {kind: n for kind, n in diff.items() if n and (kind.startswith("kernel_over_") or kind == "drop_exception_full")}
    print(json.dumps({"phase": name, "to_kernel": diff["to_kernel"], "over": over}))
    # The client's RSTs are segments; ARP, and what is the lab's own.
    most = sum(share[kind] for kind in {*(kinds or ExceptionTraffic.KINDS), *([] if kinds and "syn" not in kinds else ["segment"])}) + 500
    expect(f"{name}: the kernel gets no more than its share", diff["to_kernel"] < seconds * most)
    expect(f"{name}: what is over that is dropped", diff["drop_kernel_rate"] > 0 or sent < seconds * most)
    expect(f"{name}: each frame over it is of a class", diff["drop_kernel_rate"] == sum(n for k, n in over.items() if k[0] == "k"))
    expect(f"{name}: TCP is answered", over_tcp())


def bomb(turn):
    """An upstream lets 2,000 answers for one address go at one time."""
    port, before = Port(), counts()
    for i in range(2000):
        port.send(udp4(port.mac, port.peer, "198.18.0.66", 10000 + i, query(f"wait.b{SEED}x{turn}x{i}.test", ident=i)))
    replies = port.collect(4)
    answers = sum(m[3] & 15 == 0 for client, _, m in replies if client == "198.18.0.66")
    refused = counts()["cp_refused_client"] - before["cp_refused_client"]
    print(json.dumps({"phase": "bomb", "asked": 2000, "answers": answers, "refused_client": refused}))
    # Who was answered may ask again: a slow sender's first ones may be back before its last ones are there.
    expect("bomb: few answers for one address", refused > 1000 and answers <= 64 * 8)


def injection(turn):
    """Names of bytes that mean something to a terminal, a log or JSON, through all that shows names."""
    port = Port()
    evil = b'\x1b[31m"\',\n\r\0\xff\x7f<&%s{};--'
    for i, word in enumerate((b"ok", b"dead", b"fail", b"lie", b"tc")):
        name = bytes([len(word)]) + word + bytes([len(evil)]) + evil + b"\4test\0"
        port.send(udp4(port.mac, port.peer, "198.18.0.67", 3000 + i, query(name, ident=i)))
    port.collect(3, 5)
    shown = b""
    text = "ok." + "".join(f"\\{c:03d}" for c in evil) + ".test"
    for verb in (["cache", "get", text], ["--json", "cache", "get", text], ["why", text], ["--json", "why", text]):
        done = subprocess.run([CTL, "-c", CONFIG, *verb], capture_output=True)
        expect(f"injection: weirctl {verb} shows the name", b"\\027" in done.stdout or verb[0] == "why")
        shown += done.stdout + done.stderr
    for what in ("dataplane", "controlplane"):
        shown += open(f"/run/weir/lab/{what}.log", "rb").read()
    odd = sorted({byte for byte in shown.replace("\u2192".encode(), b"") if byte < 32 and byte != 10 or byte > 126})
    print(json.dumps({"phase": "injection", "bytes": len(shown), "odd": odd}))
    expect("injection: nothing but printing characters", not odd)


def nxdomain(turn):
    """Servers that say at once that there is no such name, as many as they can; what it leaves in the cache goes before what
    goes upstream. Each is a resolver's whole work, and a resolver under a sanitizer does less in a second."""
    phase("nxdomain", lambda p: Torture(p, "gone.test", "nx"), SECONDS, RATE / PATIENCE)


def slow(turn):
    """Servers that answer everything, and take 300 ms for it: the flood has its share of the queries in flight, as many as are answered in
    that time, and nobody else waits for longer than upstream takes."""
    row, diff, sent = phase("slow", lambda p: Torture(p, "late.test", "lag-300"), SECONDS, RATE, lag=300)
    expect("slow: most of it is refused", row["refused_zone"] + row["crowd"] > sent * 0.6 or WATCHED)
    expect("slow: the zone has its share", row["inflight"] <= 256 + 100)
    expect("slow: who waits is not asked for again", row["upstream_sent"] < 2 * (256 * (SECONDS / 0.3 + 2) + row["misses"]) or WATCHED)


def spoofed(turn):
    """In the long form until there were a million of them."""
    phase("spoofed", Spoofed, max(SECONDS, 1000000 / RATE) if STRICT else SECONDS, RATE)


def quiet(turn):
    phase("quiet", None, SECONDS, 0)


BODIES = {body.__name__: body for body in (quiet, torture, stalled, ring, waiters, nxdomain, slow, spoofed, garbage, exception)}
BODIES |= {f"exception_{kind}": lambda turn, kind=kind: exception(turn, kind) for kind in ExceptionTraffic.KINDS if STRICT} | {"bomb": bomb, "injection": injection}


def wanted(name):
    return not PHASES or name in PHASES or name.split("_")[0] in PHASES


def warm(port):
    for i in range(HOT):
        port.send(udp4(port.mac, port.peer, "198.18.0.98", 1024 + i, query(f"ok-3000.hot{i}.test", ident=i)))
    port.collect(5, HOT)


def main():
    for asked in PHASES:
        if not any(asked in (name, name.split("_")[0]) for name in BODIES):
            sys.exit(f"{asked}: no such phase")
    port = Port()
    warm(port)
    for i in range(HOT):  # both processes have touched what a flood will
        port.send(Torture(port).frame())
    for name, body in BODIES.items():
        if wanted(name) and not (WATCHED and name in ("stalled", "ring")) and not judge.rounds(name, body) and name == "quiet":
            break  # nothing is there to compare with
    sys.exit(judge.status())


if __name__ == "__main__":
    main()
