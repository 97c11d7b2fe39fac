#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Replies that no server gave, to the local ports of queries by the port, and what honest clients see meanwhile.

usage: forged_load.py WEIRCTL CONFIG UPSTREAM_LOG SECONDS RATE SEED write FOLDER
       forged_load.py WEIRCTL CONFIG UPSTREAM_LOG SECONDS RATE SEED phase quiet|forged

Runs in the client namespace. write: captures for net_pcap below FOLDER: one.pcap (a frame) and forged.pcap, a reply to each
local port of the range with an id and the letters of the question by chance: from the server's address to weir's source address,
of names that the honest client asks for all the time, so each may fit but for port, id and letters. phase: an honest client asks for cached, blocked and new names, and for the victims, whose answers take 300 ms and are not kept; a line of JSON. Replies
with the forger's address are counted at any client.
RATE: of the flood, at least. strict: no cached or blocked name lost, p99 of both at most twice that of the quiet phase.
"""
import json
import random
import struct
import sys
import time

import floods_load
from floods_honest import Honest
from floods_load import counts, expect, log_octets, memory_kb, warm
from garbage_load import JUDGES_SPEED, SECONDS, SEED, STRICT, VERB, WHAT, Ends, answered, flooded
from wire import Port, capture, query, udp4

RATE = int(sys.argv[5])
REMEMBERED = "/run/smoke/forged.json"
SERVER, SOURCE = "198.18.0.2", "198.18.0.53"
FORGED, RIGHT = bytes([198, 18, 66, 6]), bytes([198, 18, 200, 1])
VICTIMS = [f"lag-0.v{i}.victim.test" for i in range(8)]
ASKED_REPLIES = 15  # dataplane/state/asked_ports.h
STRANGERS = ("drop_not_ours", "drop_kernel_rate", "drop_exception_full", "to_kernel")


def local_ports():
    """All that a query may leave by."""
    first, last = map(int, open("/proc/sys/net/ipv4/ip_local_port_range").read().split())
    return [*range(1024, first), *range(last + 1, 65536)]


def reply(rng, victim, port):
    """A whole one: header, question, and an address that is the forger's."""
    spelled = "".join(rng.choice((c, c.upper())) for c in victim)
    head = struct.pack("!6H", rng.randrange(65536), 0x8180, 1, 1, 0, 0)
    msg = head + query(spelled)[12:] + b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 86400, 4) + FORGED
    return udp4(Ends.mac, Ends.peer, SERVER, 53, msg, dst=SOURCE, dport=port)


def write(folder):
    rng = random.Random(SEED)
    ports = local_ports()
    rng.shuffle(ports)
    frames = [reply(rng, VICTIMS[i % len(VICTIMS)], port) for i, port in enumerate(ports)]
    capture(f"{folder}/one.pcap", frames[:1])
    capture(f"{folder}/forged.pcap", frames)


class Victim(Honest):
    """Asks for the victims too, each again as soon as it is answered, and looks at addresses."""
    forged = wrong = victims = victims_answered = 0

    def answered(self, frame, at):
        _, dport, msg = Port.reply(frame)
        self.forged += FORGED in msg
        if 1024 <= dport < 1024 + len(VICTIMS) and self.waiting.pop(dport, None):
            self.victims_answered += msg[3] & 15 == 0
            self.wrong += msg[3] & 15 == 0 and not msg.endswith(RIGHT)
        else:
            super().answered(frame, at)

    def take(self):
        for i, name in enumerate(VICTIMS):
            if time.monotonic() < self.until and 1024 + i not in self.waiting:
                self.victims += 1
                self.ask(name, 1024 + i, None)
        super().take()

    def run(self, seconds):
        self.until = time.monotonic() + seconds
        super().run(seconds)


def measure(name):
    port = Port()
    warm(port)
    Honest.serial = (SEED * 2 + (name == "forged")) * 1000000  # names that nobody has asked for before
    before, logs, frames, begun, honest = counts(), log_octets(), flooded(), time.monotonic(), Victim(port)
    honest.run(SECONDS)
    more, took = flooded() - frames, time.monotonic() - begun
    after = counts()
    diff = {k: after[k] - before[k] for k in after}
    row = {"phase": name, "frames": more, "frames_a_second": round(more / took), "forged": honest.forged, "wrong": honest.wrong,
           "victims": honest.victims, "victims_answered": honest.victims_answered,
           **honest.figures(),
           "sent_by_port": diff["cp_upstream_port_sent"], "handed_over": diff["upstream_reply"],
           "disbelieved": diff["cp_mismatched"], "strays": diff["cp_upstream_port_strays"],
           "received": diff["rx_frames"] - diff["tx_frames"], "strangers": sum(diff[v] for v in STRANGERS), "breaches": after["breaches"], "log_octets": log_octets() - logs,
           "rss_kb": memory_kb()}
    return row


def judge(row):
    name, queries = row["phase"], row["sent_by_port"]
    expect(f"{name}: no forged reply is accepted", row["forged"] == 0 and row["wrong"] == 0)
    answered(name, row, "misses", "victims")
    expect(f"{name}: queries leave by the port", queries >= row["misses"])
    if name == "quiet":
        json.dump(row, open(REMEMBERED, "w"))
        return
    quiet = json.load(open(REMEMBERED))
    expect("there is a flood", row["frames_a_second"] >= RATE if JUDGES_SPEED else row["frames"] > RATE)
    expect("it meets queries", row["disbelieved"] > 0)
    expect("a resolver hears of so many replies a query", row["handed_over"] <= ASKED_REPLIES * queries)
    expect("others are strangers' frames", row["strangers"] + row["handed_over"] >= (row["received"] * 0.98 if JUDGES_SPEED else 1))
    for what, kb in quiet["rss_kb"].items():
        # The data plane is another process than in the quiet phase.
        expect(f"the memory of the {what} is flat", row["rss_kb"][what] - kb < 16384)
    for what in ("hit_ms", "block_ms"):
        expect(f"p99 of {what} is at most twice that without a flood", not STRICT or row[what][1] <= 2 * quiet[what][1])


def main():
    if VERB == "write":
        write(WHAT)
        return
    row = measure(WHAT)
    print(json.dumps(row), flush=True)
    judge(row)
    sys.exit(floods_load.judge.status())


if __name__ == "__main__":
    main()
