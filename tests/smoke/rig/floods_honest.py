# SPDX-License-Identifier: BSD-3-Clause
"""An honest client amid a flood: what it asks for and how long the answers take.

The times are the kernel's: from when it gave a query to the TAP, of which a packet socket gets a copy, until the worker's reply
came out of it. So they are weir's, the worker's wait for a CPU included, and not those of a generator that is run late.
"""
import ctypes
import os
import re
import socket
import struct
import time

from floods_kinds import HOT
from wire import Port, query, udp4

PATIENCE = float(os.environ.get("WEIR_PATIENCE", 1))  # tools/leaks: a control plane that is slower
HITS, BLOCKS, MISSES = 1000, 500, 40 / PATIENCE
HONEST = socket.inet_aton("198.18.0.99")
SO_TIMESTAMPNS = 35


def hear_only(sock, address, mask=0xFFFFFFFF, own=False):
    """Of what passes, the most is for those who flood: the kernel leaves it out (IPv4 to this address, or its network; `own`: and
    from it)."""
    want = int.from_bytes(address, "big")
    program = [(0x28, 0, 0, 12), (0x15, 0, 7, 0x0800), (0x20, 0, 0, 26), (0x54, 0, 0, mask), (0x15, 3 if own else 0, 0, want),
               (0x20, 0, 0, 30), (0x54, 0, 0, mask), (0x15, 0, 1, want), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", len(program), ctypes.addressof(code)))  # SO_ATTACH_FILTER
    sock.setsockopt(263, 23, int(not own))  # PACKET_IGNORE_OUTGOING


def part(values, of):
    return round(sorted(values)[min(int(len(values) * of), len(values) - 1)], 3) if values else None


class Worker:
    """The thread of the data plane's first worker: how long it ran, how long it waited for its CPU while it could have run, and what
    a hypervisor took from that CPU, in ms since the machine's start."""

    def __init__(self):
        pid = open("/run/weir/lab/dataplane.pid").read().split()[0]
        for tid in os.listdir(f"/proc/{pid}/task"):
            found = re.fullmatch(r".*worker-?(\d+)\n", open(f"/proc/{pid}/task/{tid}/comm").read())
            if found:
                self.task, self.cpu = f"/proc/{pid}/task/{tid}", int(found[1])

    def clock(self):
        ran, waited = open(f"{self.task}/schedstat").read().split()[:2]
        stolen = next(l for l in open("/proc/stat") if l.startswith(f"cpu{self.cpu} ")).split()[8]
        return {"ran": int(ran) / 1e6, "waited": int(waited) / 1e6, "stolen": int(stolen) * 1000 / os.sysconf("SC_CLK_TCK")}


class Honest:
    serial = 0

    def __init__(self, port, new="ok"):
        """new: how upstream answers new names."""
        hear_only(port.sock, HONEST, own=True)
        port.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock, self.out = port.sock, Port(hears=False)  # a socket does not hear itself
        self.waiting, self.hit_ms, self.block_ms, self.miss_ms, self.servfail = {}, [], [], [], 0
        self.hits = self.blocks = self.misses = 0
        self.new = new

    def ask(self, name, sport, took):
        """The time goes into `took`; what is blocked is NXDOMAIN."""
        self.waiting[sport] = [None, took]
        self.out.send(udp4(self.out.mac, self.out.peer, "198.18.0.99", sport, query(name, ident=sport)))

    def take(self):
        while True:
            try:
                frame, beside, _, where = self.sock.recvmsg(2048, 64)
            except BlockingIOError:
                return
            second, ns = struct.unpack("qq", beside[0][2])
            at = second * 1000 + ns / 1e6
            if where[2] == socket.PACKET_OUTGOING:
                # Before the filter was there anything came, frames that end before their ports too.
                sport = int.from_bytes(frame[34:36], "big")
                if frame[26:30] == HONEST and sport in self.waiting:
                    self.waiting[sport][0] = at
            elif frame[30:34] == HONEST:
                self.answered(frame, at)

    def answered(self, frame, at):
        _, dport, msg = Port.reply(frame)
        if dport not in self.waiting:
            return
        since, took = self.waiting.pop(dport)
        if since is None:
            return  # nobody saw it leave: as good as lost
        if msg[3] & 15 == (3 if took is self.block_ms else 0):
            took.append(at - since)
        else:
            self.servfail += 1

    def figures(self, misses=(.5, .99)):
        """Of a row of JSON; `misses`: the parts of these times."""
        return {"hits": self.hits, "hits_answered": len(self.hit_ms), "hit_ms": [part(self.hit_ms, p) for p in (.5, .99)],
                "blocks": self.blocks, "blocks_answered": len(self.block_ms),
                "block_ms": [part(self.block_ms, p) for p in (.5, .99)],
                "misses": self.misses, "misses_answered": len(self.miss_ms), "miss_ms": [part(self.miss_ms, p) for p in misses]}

    def run(self, seconds):
        begin = time.monotonic()
        while (now := time.monotonic()) < begin + seconds + 2:
            if now < begin + seconds:
                # Who was held up doesn't ask all at once: those would wait for each other.
                for _ in range(min(int((now - begin) * HITS) - self.hits, 2)):
                    self.hits += 1
                    self.ask(f"ok-3000.hot{self.hits % HOT}.test", 20000 + self.hits % 20000, self.hit_ms)
                if self.blocks < (now - begin) * BLOCKS:
                    self.blocks += 1
                    self.ask(f"b{self.blocks}.ads.lab.example", 40000 + self.blocks % 10000, self.block_ms)
                if self.misses < (now - begin) * MISSES:
                    self.misses += 1
                    Honest.serial += 1
                    self.ask(f"{self.new}-300.site{Honest.serial}.{('test', 'co.uk')[self.misses % 2]}",
                             50000 + self.misses % 10000, self.miss_ms)
            elif not self.waiting:
                break
            self.take()
            time.sleep(0.0005)
