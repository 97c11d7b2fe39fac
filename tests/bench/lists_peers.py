#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""G13: block lists beside dnsmasq, unbound and dnsdist, the same list in the same run.

Real processes in namespaces of their own: tools/lab for weir, the others on loopback. Each loads a made-up list of a
million names (lists_corpus.py); then it loads it again, unchanged, and again with 1 % of the names replaced,
while dnsperf asks 5,000 names of the list that stay a second. Taken are the time until the last name of the file is
blocked, memory by name (the server's resident set less that with a list of ten names), queries lost and the longest
wait of any, and for weir what it says of its own builds. Prints JSON lines as bench_path does.
Exit status 1: a server did not answer, or weir lost a query or blocked what it should not.
"""

import json
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_rig  # noqa: E402
import lists_corpus  # noqa: E402

tmp = pathlib.Path("/run/lists-peers")
RATE, SECONDS, LOAD_LIMIT_S = 5000, 14, 120
TARGETS = [*bench_rig.TARGETS, "tools/rule/rulec"]


def is_blocked(address, port, name, timeout=0.5):
    """NXDOMAIN: blocked; anything else: not yet. None: no answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect((address, port))
        try:
            s.send(bench_rig.query(name, ident=random.getrandbits(16)))
            return s.recv(4096)[3] & 15 == 3
        except OSError:
            return None


class Peer:
    """A server that blocks what its list says and answers nothing else."""
    address, prefix = "127.0.0.1", []

    def __init__(self, port):
        self.port, self.process = port, None
        self.file = tmp / f"{self.name}.list"

    def write(self, names):
        part = self.file.with_suffix(".part")
        with part.open("w") as out:
            out.writelines(self.line(name) for name in names)
        part.rename(self.file)

    def start(self, names):
        self.write(names)
        self.process = bench_rig.start(tmp, self.command())
        return self.wait(names[-1])

    def wait(self, name):
        """Seconds until it is blocked."""
        began = time.monotonic()
        while not is_blocked(self.address, self.port, name):
            if time.monotonic() > began + LOAD_LIMIT_S:
                raise RuntimeError(f"{self.name}: {name} is not blocked")
            time.sleep(0.002)
        return time.monotonic() - began

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def memory(self):
        return bench_rig.memory_bytes(self.process.pid)


class Dnsmasq(Peer):
    name = "dnsmasq"

    def line(self, name):
        return f"server=/{name}/\n"

    def command(self):
        return ["dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1",
                "--bind-interfaces", f"--port={self.port}", "--pid-file=", "--user=root", f"--servers-file={self.file}"]


class Unbound(Peer):
    name = "unbound"

    def line(self, name):
        return f"local-zone: \"{name}\" always_nxdomain\n"

    def command(self):
        return bench_rig.unbound(tmp, "127.0.0.1", "127.0.0.0/8", f'include: "{self.file}"', port=self.port)


class Dnsdist(Peer):
    name = "dnsdist"

    def line(self, name):
        return f"{name}\n"

    def command(self):
        return bench_rig.dnsdist(tmp, f"""setLocal('127.0.0.1:{self.port}')
setACL({{'127.0.0.0/8'}})
local seen = 0
local function load()
  local smn = newSuffixMatchNode()
  for line in io.lines('{self.file}') do smn:add(newDNSName(line)) end
  clearRules()
  addAction(SuffixMatchNodeRule(smn, true), RCodeAction(DNSRCode.NXDOMAIN))
end
load()
function maintenance()
  local f = io.open('{tmp}/dnsdist.again')
  if f then
    f:close()
    os.remove('{tmp}/dnsdist.again')
    load()
  end
end
""")

    def reload(self):
        (tmp / "dnsdist.again").touch()


class Weir(Peer):
    name, address, prefix = "weir", bench_rig.SERVICE, bench_rig.CLIENT

    def __init__(self, build):
        super().__init__(53)
        self.build, self.reload_replies = build, []

    def line(self, name):
        return f"{name}\n"

    def ctl(self, *words):
        return json.loads(bench_rig.weirctl(self.build, "--json", *words) or "{}")

    def start(self, names):
        self.write(names)
        bench_rig.lab_up(self.build, "--offline", "--list", str(self.file), targets=TARGETS)
        self.pids = [bench_rig.lab_pid(process) for process in ("controlplane", "dataplane")]
        return self.ctl("blocklist", "status")["build_ms"] / 1000

    def reload(self):
        threading.Thread(target=lambda: self.reload_replies.append(self.ctl("blocklist", "reload")), daemon=True).start()

    def wait(self, name):
        """From the client's namespace; the time it takes to enter is some milliseconds."""
        began = time.monotonic()
        while time.monotonic() < began + LOAD_LIMIT_S:
            done = subprocess.run(self.prefix + ["kdig", f"@{self.address}", "+timeout=1", "+retry=0", name],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if "NXDOMAIN" in done.stdout:
                return time.monotonic() - began
        raise RuntimeError(f"weir: {name} is not blocked")

    def memory(self):
        """All of both processes; what they share counts once."""
        return sum(bench_rig.memory_bytes(pid, "Pss", "smaps_rollup") for pid in self.pids)

    def stop(self):
        bench_rig.lab(self.build, "down")


def under_load(peer, names, work):
    """Queries for listed names while work() runs: lost, and the longest wait in ms."""
    load = bench_rig.dnsperf(peer.prefix, peer.address, peer.port, names, "-Q", RATE, "-l", SECONDS, "-t", 3, "-q", 60000, file=tmp / "names")
    time.sleep(1)
    took = work()
    out = load.communicate()[0]
    lost = int(re.search(r"Queries lost:\s+(\d+)", out).group(1))
    longest = float(re.search(r"max ([0-9.]+)\)", out).group(1)) * 1000
    return took, lost, longest


def measure(peer, names, changed, emit):
    kept = sorted(set(names) & set(changed))[: RATE * 4]
    case = f"{peer.name}, {len(names)} names"
    peer.start(names[:10])
    small = peer.memory()
    peer.stop()
    emit(case, "load", peer.start(names), "s")
    emit(case, "memory_per_name", (peer.memory() - small) / len(names), "bytes")

    def again(listed):
        peer.write(listed)
        peer.reload()
        return peer.wait(listed[-1])
    _, lost, longest = under_load(peer, kept, lambda: time.sleep(2))
    emit(case, "longest_wait_no_reload", longest, "ms")
    before = peer.memory()
    took, lost, longest = under_load(peer, kept, lambda: again(changed))
    emit(case, "reload_1_percent", took, "s")
    emit(case, "lost_during_reload", lost, "queries")
    emit(case, "longest_wait_during_reload", longest, "ms")
    emit(case, "memory_after_reload_per_name", (peer.memory() - before) / len(names), "bytes")
    return lost


def weir_itself(peer, emit):
    """What weir alone can say: an unchanged reload, the image's size and the build's peak."""
    case = "weir itself"
    status = peer.ctl("blocklist", "status")
    emit(case, "build", (status["build_ms"] - status["rested_ms"]) / 1000, "s")
    emit(case, "packet_path_per_name",
         (status["bloom_bytes"] + status["table_bytes"] + status["sets"] * 32) / status["names"], "bytes")
    emit(case, "build_peak_to_image", status["peak_bytes"] / status["image_bytes"], "")
    quick, before = [], peer.memory()
    for _ in range(20):
        began = time.monotonic()
        again = peer.ctl("blocklist", "reload")
        quick.append(time.monotonic() - began)
        if again["outcome"] != "unchanged":
            raise RuntimeError(f"weir: reload of what did not change: {again['outcome']}")
    plain = []
    for _ in range(20):
        began = time.monotonic()
        peer.ctl("blocklist", "status")
        plain.append(time.monotonic() - began)
    emit(case, "reload_unchanged_over_status", max(sorted(quick)[10] - sorted(plain)[10], 0) * 1000, "ms")
    emit(case, "memory_after_20_unchanged", peer.memory() - before, "bytes")


def main():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--names", type=int, default=1000000)
    parser.add_argument("--only", default="weir,dnsmasq,unbound,dnsdist")
    args = parser.parse_args()
    bench_rig.enter(tmp)
    names = lists_corpus.names(args.names, 1)
    changed = lists_corpus.changed(names, 0.01, 2)
    good = True

    def emit(case, metric, value, unit):
        bench_rig.say(bench_rig.row("G13", case, metric, value, unit, digits=3))
    peers = {"weir": Weir(args.build), "dnsmasq": Dnsmasq(5311), "unbound": Unbound(5312), "dnsdist": Dnsdist(5313)}
    for name in args.only.split(","):
        if name != "weir" and not shutil.which(name):
            print(f"{name} is not installed", file=sys.stderr)
            continue
        peer = peers[name]
        try:
            lost = measure(peer, names, changed, emit)
            if name == "weir":
                weir_itself(peer, emit)
                good &= lost == 0
        except (RuntimeError, KeyError, AttributeError) as why:
            print(f"{name}: {why}", file=sys.stderr)
            good = False
        peer.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
