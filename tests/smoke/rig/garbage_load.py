#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A second port that floods by itself, as fast as a worker takes frames, and what honest clients see meanwhile.

usage: garbage_load.py WEIRCTL CONFIG UPSTREAM_LOG SECONDS CLIENTS SEED write FOLDER
       garbage_load.py WEIRCTL CONFIG UPSTREAM_LOG SECONDS CLIENTS SEED phase NAME

write: captures for net_pcap below FOLDER: one.pcap (a frame), garbage.pcap (a thousand frames that are no query, to be
played again and again) and clients.pcap (one query from each of CLIENTS addresses, half of them IPv4). phase: an
honest client asks while the port plays; a line of JSON; the caller plays it again for what a busy machine held up. Phases are one, garbage, clients, and again: the clients once more.
meanwhile: frames that came while the honest client asked; a worker that has a CPU is through all of clients.pcap before
that, and then the phase tells what a flood leaves behind, not what it is to ask during one.
"""
import json
import os
import random
import struct
import sys
import time

import floods_load
from floods_kinds import add
from floods_load import HOT, Honest, counts, expect, log_octets, memory_kb, warm, weirctl_json
from wire import Port, capture, query, udp4, udp6

SECONDS, CLIENTS, SEED, VERB, WHAT = float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]), *sys.argv[7:9]
JUDGES_SPEED = bool(os.environ.get("WEIR_LONG"))
STRICT, TURN = bool(os.environ.get("strict")), int(os.environ.get("turn", 1))
REMEMBERED = "/run/smoke/garbage.json"
# What counts time, polls and bytes, and so moves on any machine, flood or not.
CLOCKS = ("tx_bytes", "batches", "polls", "busy_cycles", "frames_slow", "sleeps", "sleeps_timed", "sleeps_woken", "sleep_us",
          "turns_late", "turns_long", "turns_long_us")
PHASES, FLOODS = ("one", "garbage", "clients", "again"), ("clients", "again")
LINK_OVERHEAD = 24  # bytes of a frame on the wire beside it: preamble, checksum, gap


class Ends:
    """In place of a port: whose MAC addresses the frames have."""
    mac, peer = bytes.fromhex("02000000fe02"), bytes.fromhex("02000000fe53")


def clients():
    """Cached names, and four hundred that fail, from 10.0.0.0/8 and 2001:db8::/32: an address, a network and a /64 of its own each."""
    rng = random.Random(SEED)
    asked = [query(f"ok-3000.hot{i % HOT}.test" if i % 4 < 2 else f"dead.z{i}.test", ident=i) for i in range(800)]
    heads = [(udp4(Ends.mac, Ends.peer, "10.0.0.0", 5353, q), udp6(Ends.mac, Ends.peer, "2001:db8::", 5353, q))
             for q in asked]
    hosts = rng.sample(range(1, (1 << 24) - 1), CLIENTS // 2)
    subnets = rng.sample(range(1 << 32), CLIENTS - CLIENTS // 2)
    for i in range(CLIENTS):
        four, six = heads[i % len(heads)]
        if i % 2:
            address = hosts[i // 2]
            ip = add(~struct.unpack("!H", four[24:26])[0] & 65535, address)
            udp = add(~struct.unpack("!H", four[40:42])[0] & 65535, address)
            yield b"%b%b%b%b%b%b%b" % (four[:24], struct.pack("!H", ~ip & 65535), b"\n", address.to_bytes(3, "big"), four[30:40],
                                       struct.pack("!H", ~udp & 65535 or 65535), four[42:])
        else:
            address = subnets[i // 2]
            udp = add(~struct.unpack("!H", six[60:62])[0] & 65535, address)
            yield b"%b%b%b%b%b" % (six[:26], address.to_bytes(4, "big"), six[30:60],
                                   struct.pack("!H", ~udp & 65535 or 65535), six[62:])


def write(folder):
    garbage = floods_load.Garbage(Ends).frames
    capture(f"{folder}/one.pcap", garbage[:1])
    capture(f"{folder}/garbage.pcap", garbage)
    capture(f"{folder}/clients.pcap", clients())


def flooded():
    """Frames that the second port has brought."""
    ports = [p for p in weirctl_json("stats", "--interval", "0")["dataplane"]["ports"] if not p["exception"]]
    return ports[1]["ipackets"]


def bytes_on_a_link():
    """Of a frame of garbage, on average; the shortest have 60 bytes there."""
    sizes = [max(len(frame), 60) + LINK_OVERHEAD for frame in floods_load.Garbage(Ends).frames]
    return sum(sizes) / len(sizes)


def settled():
    """All of clients.pcap has come, or the port plays for ever."""
    end = time.monotonic() + 60
    while (got := flooded()) < CLIENTS and time.monotonic() < end:
        time.sleep(0.2)
    return got


def measure(name):
    """An honest client asks while the second port plays: the row of JSON, and what each counter grew by."""
    port = Port()
    warm(port)
    before, batches, logs = counts(), floods_load.batches(), log_octets()
    frames, begun, honest = flooded(), time.monotonic(), Honest(port)
    Honest.serial += 100000 * (PHASES.index(name) + len(PHASES) * (TURN - 1))  # names that nobody has asked for before
    honest.run(SECONDS)
    more, took = flooded() - frames, time.monotonic() - begun
    after, batches_after = counts(), floods_load.batches()
    diff = {k: after[k] - before[k] for k in after}
    row = {"phase": name, "frames": settled() if name in FLOODS else more,
           "meanwhile": diff["rx_frames"] - honest.hits - honest.blocks - honest.misses,  # a port's own count is a second old
           **honest.figures(), "hit_batch_us": [floods_load.batch_us(batches, batches_after, p) for p in (.5, .99)],
           "tx_frames": diff["tx_frames"],
           "controlplane_misses": diff["cp_misses"], "refused_waiters": diff["cp_refused_waiters"], "upstream_sent": diff["cp_upstream_sent"],
           "breaches": after["breaches"], "log_octets": log_octets() - logs, "rss_kb": memory_kb()}
    if name == "garbage":
        row["load"] = open("/proc/loadavg").read().split()[0]
        row["frames_a_second"] = round(more / took)
        row["gigabit_a_second"] = round(more / took * bytes_on_a_link() * 8 / 1e9, 2)
    row["moved"] = sorted(k for k, v in diff.items()
                          if v > 1000 + 2 * (honest.hits + honest.blocks + honest.misses) and not k.startswith("cp_") and k not in CLOCKS)
    return row, diff


def answered(name, row, *mostly):
    """And what holds in every phase."""
    for what in ("hits", "blocks", *mostly):
        least = 0.95 if what in mostly else 1 if STRICT else 0.99
        expect(f"{name}: {what} are answered", row[f"{what}_answered"] >= (row[what] * least if JUDGES_SPEED else 1))
    expect(f"{name}: no packet buffer is lost", row["breaches"] == 0)
    expect(f"{name}: a flood is not one of log lines", row["log_octets"] < 16384)


def judge(name, row, diff):
    # A million a second fill the miss ring, or all waiters, for a moment, so a few new names share their fate.
    answered(name, row, "misses")
    if name == "garbage":
        asked = row["hits"] + row["blocks"] + row["misses"]
        expect("garbage: there is a lot of it", row["frames"] > 100000)
        expect("garbage: nothing is sent for it", diff["tx_frames"] <= asked + 200)
        expect("garbage: no query goes upstream", diff["cp_misses"] <= row["misses"] + 50)
        expect("garbage: it is parsed, being for this host", "drop_other_host" not in row["moved"])
        expect("garbage: drops are all that is counted",
               all(k.startswith(("drop_", "rx_")) for k in row["moved"]))
    if name in FLOODS:
        expect(f"{name}: each was heard", row["frames"] == CLIENTS)
        expect(f"{name}: none was another host's", diff["drop_other_host"] == 0)


def memory_judge(name, rss):
    """Beside the phase before, in which the data plane was another process. The first flood fills what has a fixed size and had
    never been full: the control plane's 65,536 waiters (10 MiB), the rings of a worker's rings, which it maps (8 MiB), some of the
    query log's 64 batches."""
    first = {"controlplane": 49152, "dataplane": 16384}
    if name != "one":
        for what, kb in json.load(open(REMEMBERED)).items():
            expect(f"{name}: the memory of the {what} is flat", rss[what] - kb < (first[what] if name == "clients" else 8192))
    if not floods_load.judge.failed:  # else it is played again, and measured by the phase before
        with open(REMEMBERED, "w") as f:
            json.dump(rss, f)


def main():
    if VERB == "write":
        write(WHAT)
        return
    row, diff = measure(WHAT)
    print(json.dumps(row), flush=True)
    judge(WHAT, row, diff)
    memory_judge(WHAT, row["rss_kb"])
    sys.exit(floods_load.judge.status())


if __name__ == "__main__":
    main()
