#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a bystander waits while another client or a server attacks weir: `tools/bench --goals bystander`.

The real binaries in a lab (tools/lab). Bystanders (bystander/bystander.py) ask steadily: for a cached name over UDP, TCP, TLS
and HTTPS, for names that are not cached over UDP, and at the control socket as `weirctl` does. For each attack there are rounds of three
turns: nobody attacks; the attacker (bystander/attackers.py, bench_tlsflood) does to a server or client that discards all what it
would do to weir; it attacks weir. The second turn is what the attacker itself costs a machine that it shares with weir. Printed are
medians and 99th percentiles of each turn, medians over the rounds, and the median of their ratios to the quiet turn.
Prints JSON lines as bench_path does. Exit status 1: an attacker did not reach weir, weir ended, or a 99th
percentile was more than MOST times the quiet one, and more than that of the second turn.
"""

import ctypes
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import threading
import time

import yaml

sys.dont_write_bytecode = True
here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here / "bystander"), str(here.parent / "lab")]
import attackers  # noqa: E402
import bench_rig  # noqa: E402
import bystander  # noqa: E402
import control  # noqa: E402
import lab as labs  # noqa: E402

MOST = 2  # times the quiet 99th percentile
QUIET, WEIR, SINK = attackers.QUIET, attackers.WEIR, attackers.SINK
TURNS = {QUIET: "quiet", SINK: "sink", WEIR: "attacked"}
ORDERS = [(QUIET, SINK, WEIR), (WEIR, QUIET, SINK), (SINK, WEIR, QUIET)]
SETTLE_S, LOOK_S, PROD_S, RELOAD_S = 0.2, 0.05, 0.1, 1
API, SINK_PORT, EVIL = 9953, 8530, 7800
CONFIG = pathlib.Path("/run/weir/lab/weir.yaml")
CERT, KEY = "/run/weir/lab/tls/cert.pem", "/run/weir/lab/tls/key.pem"
tmp = pathlib.Path("/run/bystander")


def of_list(scheme, **more):
    return {"blocking": {"update": {"allow_private": True}, "lists": [{"url": f"{scheme}127.0.0.1:{EVIL}/rpz.test", **more}]}}


FORWARD = {"forward_zones": [{"name": "evil.test", "servers": [f"tls://dns.lab.example@127.0.0.1:{EVIL}"]}]}
REDIS = {"redis": {"mode": "standalone", "addresses": [f"127.0.0.1:{EVIL}"]}}
TRANSFER = of_list("axfr+tls://dns.lab.example@", ca_file=CERT)
CLICKHOUSE = {"query_log": {"clickhouse": {"url": f"http://127.0.0.1:{EVIL}", "flush_ms": 100, "rollups": False}}}


class Attack:
    """From a client: `what` of the attackers at the port `at`. From a server: what weir's configuration has besides, what
    makes weir come while it is attacked, and whether the server speaks TLS."""

    def __init__(self, name, what, at=None, config=None, prod=None, tls=False):
        self.name, self.what, self.at, self.config, self.prod, self.tls = name, what, at, config or {}, prod, tls


def reload_lists():
    labs.Control().post("blocklist/reload")


ATTACKS = [
    Attack("KeyUpdates over DoT", "keys", 853),
    Attack("ClientHellos over DoT", "hellos", 853),
    Attack("headers over DoH", "headers", 443),
    Attack("slow headers over DoH", "slow", 443),
    *(Attack(f"{what} over DoH", what, 443) for what in ("reset", "continuation", "ping", "settings", "window")),
    Attack("KeyUpdates at the API", "keys", API),
    Attack("ClientHellos at the API", "hellos", API),
    Attack("headers at the API", "headers", API),
    Attack("slow headers at the API", "slow", API),
    Attack("KeyUpdates of an upstream", "serve", config=FORWARD, prod="ask", tls=True),
    Attack("HelloRequests of an upstream", "hello", config=FORWARD, prod="ask"),
    Attack("KeyUpdates in a transfer", "serve", config=TRANSFER, prod=reload_lists, tls=True),
    Attack("a transfer without an end", "zone", config=TRANSFER, prod=reload_lists, tls=True),
    Attack("a list without an end", "list", config=of_list("http://"), prod=reload_lists),
    Attack("a list that drips", "drip", config=of_list("http://"), prod=reload_lists),
    Attack("Redis without an end", "redis", config=REDIS),
    Attack("ClickHouse without an end", "clickhouse", config=CLICKHOUSE),
]
ALPN = {853: "dot", 443: "h2", API: "http/1.1"}


def in_client(function):
    """Calls it with a thread of this process in the client namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as ours, open("/run/netns/weir-client", "rb") as theirs:
        libc.setns(theirs.fileno(), 0)
        try:
            return function()
        finally:
            libc.setns(ours.fileno(), 0)


class Rig:
    def __init__(self, build):
        self.build, self.started, self.own = build, [], CONFIG.read_text()
        self.shared_path = tmp / "shared"
        self.shared_path.write_bytes(bytes(8 * attackers.WORDS))
        self.shared = attackers.share(self.shared_path)

    def spawn(self, *command, client=False, **kw):
        """In a session of its own, in the client namespace or in that of weir."""
        p = subprocess.Popen([*(bench_rig.CLIENT if client else []), *map(str, command)], start_new_session=True, **kw)
        self.started.append(p)
        return p

    def attacker(self, *words, client=False):
        """Behind all others on the CPUs."""
        program = [f"{self.build}/tests/bench/bench_tlsflood"] if words[0] in ("keys", "hellos", "serve") else \
            [sys.executable, here / "bystander/attackers.py"]
        return self.spawn("nice", "-n", "19", *program, words[0], self.shared_path, *words[1:], client=client)

    def stop(self, since=0):
        while len(self.started) > since:
            p = self.started.pop()
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()

    def bystanders(self):
        self.asking = {kind: self.spawn(sys.executable, here / "bystander/bystander.py", kind, client=kind != "control",
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for kind in bystander.ASKS}

    def begin(self, attack):
        """Its configuration, and its attacker. weir takes what only a start reads at a start."""
        self.shared[attackers.PHASE] = QUIET
        self.shared[1:] = memoryview(bytes(8 * (attackers.WORDS - 1))).cast("Q")
        if attack.at:
            at_api = attack.at == API
            where = ["127.0.0.1" if at_api else bench_rig.SERVICE, attack.at, "127.0.0.1", SINK_PORT]
            self.attacker(attack.what, *([ALPN[attack.at]] if attack.what in ("keys", "hellos") else []), *where, client=not at_api)
        else:
            self.attacker(attack.what, EVIL, CERT, KEY)
            self.attacker("drain", EVIL, "tls" if attack.tls else "plain")
        if attack.config:
            self.configure(attack.config, starts="query_log" in attack.config)

    def configure(self, changes, starts=False):
        CONFIG.write_text(yaml.dump(labs.merged(yaml.safe_load(self.own), changes), sort_keys=False))
        if starts:
            bench_rig.lab(self.build, "stop", "controlplane")
            bench_rig.lab(self.build, "start", "controlplane")
            labs.wait(lambda: bench_rig.weirctl(self.build, "ready"), "weir is not ready")
        else:
            labs.Control().activate("config/reload", keep=1)

    def turn(self, phase, seconds):
        """What each kind of bystander waited, in us."""
        self.shared[attackers.PHASE] = phase
        time.sleep(SETTLE_S)
        for p in self.asking.values():
            p.stdin.write(f"{seconds}\n")
            p.stdin.flush()
        return {kind: json.loads(p.stdout.readline()) for kind, p in self.asking.items()}


class Prodding(threading.Thread):
    """Makes weir come to the server while it is attacked."""

    def __init__(self, rig, how):
        super().__init__(daemon=True)
        self.rig, self.how, self.over = rig, how, threading.Event()
        self.client = in_client(lambda: bystander.Datagrams(lambda: f"{bystander.rng.getrandbits(48):x}.evil.test"))

    def prod(self):
        if callable(self.how):
            self.how()
        else:
            self.client.sock.send(bystander.query(self.client.name(), ident=1))

    def run(self):
        began, gap = 0, PROD_S if self.how == "ask" else RELOAD_S
        while self.how and not self.over.wait(LOOK_S):
            if self.rig.shared[attackers.PHASE] == WEIR and time.monotonic() >= began + gap:
                began = time.monotonic()
                try:
                    self.prod()
                except (OSError, control.Refused):  # it is at it
                    pass


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(rig, attack, rounds, seconds):
    """Of each round, of each turn, what each kind of bystander waited; of the attacker and of weir's control plane, figures of case,
    metric, value and unit."""
    had = len(rig.started)
    rig.begin(attack)
    prodding = Prodding(rig, attack.prod)
    prodding.start()
    out, spent, used, pid = [], {phase: 0 for phase in TURNS}, {phase: 0 for phase in TURNS}, bench_rig.lab_pid()
    for n in range(rounds):
        turns = {}
        for phase in ORDERS[n % len(ORDERS)]:
            began, cpu = time.monotonic(), bench_rig.cpu_s(pid)
            turns[phase] = rig.turn(phase, seconds)
            spent[phase] += time.monotonic() - began
            used[phase] += bench_rig.cpu_s(pid) - cpu
        out.append(turns)
    rig.shared[attackers.PHASE] = QUIET
    prodding.over.set()
    prodding.join()
    figures = [("control plane", f"cpu_{name}", 100 * used[phase] / spent[phase], "% of a core") for phase, name in TURNS.items()]
    for phase, name in ((WEIR, "weir"), (SINK, "sink")):
        figures += [("attacker", f"sent_{name}", rig.shared[attackers.BYTES + phase] * 8e-6 / spent[phase], "Mbit/s"),
                    ("attacker", f"connections_{name}", rig.shared[attackers.CONNECTIONS + phase] / spent[phase], "a second")]
    reached = rig.shared[attackers.CONNECTIONS + WEIR] > 0
    rig.stop(had)
    if attack.config:
        rig.configure({}, starts="query_log" in attack.config)
    return out, figures, reached


def rows_of(attack, rounds, figures):
    out = []
    for kind in bystander.ASKS:
        case = f"{attack.name}: {kind}"
        of = {name: [[percentile(turns[phase][kind], share) for turns in rounds] for share in (0.5, 0.99)] for phase, name in TURNS.items()}
        for name, (middle, worst) in of.items():
            out += [bench_rig.row("bystander", case, f"p50_{name}", statistics.median(middle), "us"),
                    bench_rig.row("bystander", case, f"p99_{name}", statistics.median(worst), "us")]
        for name in ("sink", "attacked"):
            ratio = statistics.median(a / b for a, b in zip(of[name][1], of["quiet"][1]))
            out.append(bench_rig.row("bystander", case, f"times_{name}", round(ratio, 2), "of quiet", MOST if name == "attacked" else None))
    return out + [bench_rig.row("bystander", f"{attack.name}: {case}", metric, round(value, 1), unit) for case, metric, value, unit in figures]


def too_slow(rows):
    """Cases in which a bystander waited too long for weir's own sake."""
    of = {(row["case"], row["metric"]): row["value"] for row in rows}
    return [case for (case, metric), times in of.items() if metric == "times_attacked" and times > MOST * max(1, of[case, "times_sink"])]


def arguments():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="of three turns, for each attack (4)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each turn (1.5)")
    parser.add_argument("--attack", action="append", default=[], help="those whose name has this; more than once: any of them (all)")
    args = bench_rig.parse(parser, rounds=1, seconds=0.3)
    args.attacks = [a for a in ATTACKS if not args.attack or any(word in a.name for word in args.attack)]
    return args


def set_up(args):
    bench_rig.lab_up(args.build, "--offline", "--dot")
    rig = Rig(args.build)
    rig.own = yaml.dump(labs.merged(yaml.safe_load(rig.own), {
        "doh": {"enabled": True}, "upstreams": {"ca_file": CERT},
        "control": {"listen": [f"127.0.0.1:{API}"], "connections": 192, "source_connections": 192}}))
    rig.configure({}, starts=True)
    rig.attacker("sink", SINK_PORT, CERT, KEY)
    rig.attacker("sink", SINK_PORT, CERT, KEY, client=True)
    rig.bystanders()
    rig.turn(QUIET, 0.5)
    return rig


def main():
    args = arguments()
    bench_rig.enter(tmp)
    rig, slow, dead = set_up(args), [], []
    try:
        for attack in args.attacks:
            before = bench_rig.lab_pid()
            rounds, figures, reached = measure(rig, attack, args.rounds, args.seconds)
            rows = rows_of(attack, rounds, figures)
            bench_rig.say(*rows)
            slow += [] if args.quick else too_slow(rows)
            if not reached:
                raise bench_rig.Failed(f"{attack.name}: the attacker did not reach weir")
            dead += [attack.name] * (not pathlib.Path(f"/proc/{bench_rig.lab_pid()}").exists())
    finally:
        rig.stop()
        bench_rig.lab(args.build, "down")
    if slow or dead:
        raise bench_rig.Failed(f"more than {MOST} times as long: {', '.join(slow) or '-'}; weir ended: {', '.join(dead) or '-'}")


if __name__ == "__main__":
    try:
        main()
    except bench_rig.Failed as why:
        sys.exit(f"bystander_run: {why}")
