#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""G10: weir on AF_XDP beside its own reflector and Knot on XDP, and beside dnsdist and unbound on kernel sockets.

A new veth pair for each turn of a server, in namespaces of their own; the same generator for all (kxdpgun, which
sends and receives by AF_XDP itself), the same names, the servers take turns in rounds. Each server has one core and the
generator the other; dnsdist, unbound and weir hold all names in their caches before they are measured, filled from one
authority on loopback (a Knot of its own, idle afterwards). A generator that sends more than a server can take makes some
of them slower, and larger batches suit some and not others, so each gets several rates, and its figure of a round
is the most replies a second that came back at any; all of these must be NOERROR. With --dnsperf a program on kernel
sockets is the generator instead, in a closed loop, which ends at its own 90,000 or so.
Each server has a part of its core alone (--share, cpu_share.py), so that it ends before the generator does, and beside
the replies those to the CPU time that it had are compared.
A veth receives where the packet was sent from. With --peer thread, which decides the goal, the client's end receives
in a kernel thread on the generator's core (napi_threads.py), as another machine would, so a server pays for its own work
alone; with --peer softirq the server pays for the client's receiving too, most of all in programs that do little else.
What the server's end receives is the generator's cost in both, for XDP its program and the copy, for sockets all up to
the socket. Without --peer both are measured, the second in one round.
Prints JSON lines as bench_path does. Exit status 1: a server did not answer, or a reply was not NOERROR.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_rig  # noqa: E402
import cpu_share  # noqa: E402
import memif_run  # noqa: E402
import napi_threads  # noqa: E402
from bench_rig import Failed, figures  # noqa: E402

tmp = pathlib.Path("/run/xdp-peers")
SERVER, CLIENT, CLIENT_SPACE, INTERFACE = "198.18.0.53", "198.18.0.2", "bench-client", "bench-server"
CLIENT_INTERFACE = napi_threads.own_name("client")
AUTHORITY_PORT = 5300
NAMES, ADDRESSES = 1000, 4
LOADS = "250000:32,400000:32"  # queries/s and batch of kxdpgun
SHARE = 20  # % of a core
PEERS = ["thread", "softirq"]  # where the client's end receives
WAIT_S = 30
REFERENCES = {"reflector": 0.8, "knot": 1.5, "dnsdist": 3.0, "unbound": 3.0}  # weir's replies/s to theirs


def run(command, **kw):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: {done.stdout.strip()[-400:]}")
    return done.stdout


def ip(*words):
    run(["ip", *words])


def in_client(*words):
    return ["nsenter", f"--net=/run/netns/{CLIENT_SPACE}", "--", *words]


def make_veth(with_address, receiver):
    """A fresh pair; `with_address`: the kernel has the service address, as servers on sockets want; `receiver`: the CPU
    of the thread that receives for the client, or None: where the server sends."""
    subprocess.run(["ip", "link", "del", INTERFACE], stderr=subprocess.DEVNULL, check=False)
    ip("link", "add", INTERFACE, "address", "02:00:00:00:00:53", "type", "veth", "peer", "name", CLIENT_INTERFACE,
       "address", "02:00:00:00:00:02", "netns", CLIENT_SPACE)
    ip("link", "set", INTERFACE, "up")
    if with_address:
        ip("addr", "add", f"{SERVER}/24", "dev", INTERFACE)
        ip("neigh", "replace", CLIENT, "lladdr", "02:00:00:00:00:02", "dev", INTERFACE)
    run(in_client("ip", "link", "set", CLIENT_INTERFACE, "up"))
    run(in_client("ip", "addr", "add", f"{CLIENT}/24", "dev", CLIENT_INTERFACE))
    run(in_client("ip", "neigh", "replace", SERVER, "lladdr", "02:00:00:00:00:53", "dev", CLIENT_INTERFACE))
    if receiver is not None:
        why = napi_threads.receive_on(CLIENT_INTERFACE, receiver, in_client())
        if why:
            raise Failed(why)


def write_zone():
    lines = ["$ORIGIN load.test.", "@ 3600 SOA ns hostmaster 1 3600 900 604800 60", "@ 3600 NS ns", "ns 3600 A 127.0.0.1"]
    lines += [f"n{i} 3600 A 198.19.{k}.{i % 256}" for i in range(NAMES) for k in range(ADDRESSES)]
    (tmp / "zone").write_text("\n".join(lines) + "\n")
    (tmp / "names").write_text("".join(f"n{i}.load.test A\n" for i in range(NAMES)))


def knot_config(folder, listen):
    folder.mkdir(exist_ok=True)
    path = folder / "knot.conf"
    path.write_text(f"""\
server:
    rundir: {folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
{listen}
database:
    storage: {folder}
zone:
  - domain: load.test
    file: {tmp}/zone
""")
    return ["knotd", "-c", str(path)]


class Server:
    """One that takes its turn, on the second core, before other programs."""
    with_address = True

    def __init__(self, cpus, build):
        self.cpus, self.build, self.best, self.started = cpus, pathlib.Path(build), [], []
        self.share, self.had = None, []  # the part of its core that it may have, in %; what it had in each turn
        self.threaded = True  # the client receives in a thread

    def spawn(self, command, cpus):
        def child():
            os.sched_setaffinity(0, cpus)
            memif_run.come_first()
        p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(tmp / f"{self.name}.log").open("a"),
                             preexec_fn=child)
        self.started.append(p)
        return p

    def start(self):
        make_veth(self.with_address, self.cpus[0] if self.threaded else None)
        self.spawn(self.command(), self.cpus[1:2])

    def ready(self):
        """Answers a name with all its addresses."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            done = subprocess.run(in_client("kdig", f"@{SERVER}", "+short", "+timeout=1", "+retry=0", "n7.load.test", "A"),
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
            if len(done.stdout.split()) == ADDRESSES:
                return
            time.sleep(0.1)
        raise Failed(f"{self.name} does not answer\n{(tmp / (self.name + '.log')).read_text()[-800:]}")

    def answering(self):
        """The threads of the process that answers, which was started last, on the server's core."""
        found = cpu_share.threads_on(self.started[-1].pid, self.cpus[1])
        if not found:
            raise Failed(f"{self.name} has no thread that stays on its core: nothing to limit or meter")
        return found

    def limit(self):
        return cpu_share.Slices(self.share, self.cpus[1]) if self.share else None

    def answered(self, _):
        """True when the server itself counts that many answers."""
        return True

    def stop(self):
        for p in reversed(self.started):
            bench_rig.stop(p)
        self.started = []


class Knot(Server):
    """It binds its XDP thread to the first CPU itself, so the generator has the other one."""
    name = "knot"

    def __init__(self, cpus, build):
        super().__init__([cpus[1], cpus[0]], build)

    def command(self):
        return knot_config(tmp / "knot", f"    listen: {SERVER}@53\nxdp:\n    listen: {INTERFACE}")


class Dnsdist(Server):
    name = "dnsdist"

    def command(self):
        return bench_rig.dnsdist(tmp, f"""setLocal('{SERVER}:53')
setACL({{'198.18.0.0/15'}})
newServer({{address='127.0.0.1:{AUTHORITY_PORT}', healthCheckMode='up'}})
getPool(''):setCache(newPacketCache(100000))
""")


class Unbound(Server):
    name = "unbound"

    def command(self):
        return bench_rig.unbound(tmp, SERVER, "198.18.0.0/15", 'module-config: "iterator"', "so-sndbuf: 4m", "minimal-responses: yes",
                                 'local-zone: "test." nodefault', asks=AUTHORITY_PORT)


class Weir(Server):
    name, with_address = "weir", False
    program, mode = "dataplane/weir-dataplane", ()

    def config(self):
        path = tmp / "weir.yaml"
        (tmp / "state").mkdir(exist_ok=True)
        path.write_text(f"""\
runtime: {{directory: "{tmp}/weir", state_directory: "{tmp}/state", hugepages: "off"}}
dataplane:
  main_lcore: {self.cpus[0]}
  worker_lcores: [{self.cpus[1]}]
  ports: [{{xdp: {INTERFACE}}}]
  service_addresses: [{SERVER}/24]
  poll: busy
cache: {{l0_mb: 64}}
query_log: {{enabled: false}}
local: {{test_names: true}}
upstreams: {{servers: [{{address: "127.0.0.1:{AUTHORITY_PORT}"}}]}}
""")
        return str(path)

    def start(self):
        make_veth(self.with_address, self.cpus[0] if self.threaded else None)
        config = self.config()
        self.spawn([self.build / "controlplane/weir-controlplane", "-c", config], self.cpus[:1])
        self.spawn([self.build / self.program, "-c", config, *self.mode], self.cpus[:2])


    def ctl(self, *words):
        command = [self.build / "tools/ctl/weirctl", "-c", tmp / "weir.yaml", "--json", *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return {}

    def serves(self):
        """The kernel gives its queries to the control plane until the data plane takes them."""
        end = time.monotonic() + WAIT_S
        while not self.ctl("status").get("dataplane", {}).get("link_up"):
            if time.monotonic() > end:
                raise Failed(f"{self.name} does not start\n{(tmp / (self.name + '.log')).read_text()[-800:]}")
            time.sleep(0.1)

    def ready(self):
        self.serves()
        super().ready()

    def answered(self, replies):
        """All came from the packet path, but for a few at the start."""
        return self.ctl("stats", "--interval", "0")["dataplane"]["verdicts"]["hit"] >= replies * 0.999


class Reflector(Weir):
    """weir's own, on the same port: what the machine, the interface and the generator can do at all."""
    name, program, mode = "reflector", memif_run.BENCHED, ("--bench", "reflect", "--bench-live-ports")

    def ready(self):
        self.serves()

    def answered(self, replies):
        return self.ctl("stats", "--interval", "0")["dataplane"]["verdicts"]["reflected"] >= replies


def kxdpgun_figures(out):
    return figures(out, r"total queries:\s+(\d+)", r"total replies:\s+(\d+)", r"NOERROR:\s+(\d+)",
                   r"total replies:\s+\d+ \((\d+) pps\)")


def kxdpgun(load, seconds, cpu):
    """Sent, replies, and replies that are NOERROR; replies/s."""
    rate, batch = load.split(":")
    return kxdpgun_figures(run(in_client("kxdpgun", "-t", str(seconds), "-Q", rate, "-b", batch, "-F", str(cpu), "-i",
                                         str(tmp / "names"), SERVER), preexec_fn=memif_run.come_first))


def dnsperf(_, seconds, cpu):
    out = run(in_client("taskset", "-c", str(cpu), "dnsperf", "-s", SERVER, "-d", str(tmp / "names"), "-l", str(seconds),
                        "-q", "400", "-c", "8", "-t", "2"), preexec_fn=memif_run.come_first)
    return figures(out, r"Queries sent:\s+(\d+)", r"Queries completed:\s+(\d+)", r"NOERROR (\d+)",
                   r"Queries per second:\s+(\d+)")


def ask(generator, load, seconds, cpu):
    """What a generator tells; again when it sent nothing, as kxdpgun does now and then."""
    for _ in range(3):
        figures_of_run = generator(load, seconds, cpu)
        if figures_of_run[0]:
            break
    return figures_of_run


def turn(server, generator, loads, seconds):
    """One turn of a server: the most replies a second at any of the loads; False if a reply was wrong."""
    server.start()
    share = None
    try:
        server.ready()
        ask(kxdpgun, "4000:10", 1, server.cpus[0])  # fills the caches: each name four times
        share = server.limit()
        best, good, all_replies, had = 0, True, 0, 1.0
        for load in loads:
            with cpu_share.Meter(server.answering()) as meter:
                sent, replies, right, per_s = ask(generator, load, seconds, server.cpus[0])
            print(f"{server.name}: {load}: {sent} sent, {replies} replies, {per_s} a second, "
                  f"{meter.most():.2f} of a core", file=sys.stderr)
            if per_s > best:
                best, had = per_s, meter.most()
            # What a reflector sends back is a query: its code is NOERROR as well.
            good &= right == replies and replies > 0
            all_replies += replies
        server.best.append(best)
        server.had.append(had)
        if not server.answered(all_replies):
            raise Failed(f"{server.name} answered by another way than the one to measure")
        return good
    finally:
        server.stop()
        if share:
            share.close()


def row(case, metric, value, unit, reference=None):
    return bench_rig.row("G10", case, metric, value, unit, reference, digits=3)


def rows(servers, case, has_goal=True):
    best = {s.name: statistics.median(s.best) for s in servers}
    out = [row(case, f"replies_{name}", value, "replies/s") for name, value in best.items()]
    out += [row(case, f"core_had_{s.name}", statistics.median(s.had), "of a core") for s in servers if s.share]
    has_goal = has_goal and "dnsperf" not in case  # which asks for less than any of them gives
    for name, reference in {name: goal if has_goal else None for name, goal in REFERENCES.items()}.items():
        if name in best:
            weir, other = servers[0], next(s for s in servers if s.name == name)
            ratios = [w / max(o, 1) for w, o in zip(weir.best, other.best)]
            out.append(row(case, f"to_{name}", statistics.median(ratios), "of its replies/s", reference))
            if weir.share:
                by_cpu = [x * o / w for x, w, o in zip(ratios, weir.had, other.had)]
                out.append(row(case, f"to_{name}_by_cpu", statistics.median(by_cpu), "of its replies/CPU s", reference))
    return out


def arguments():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1, help="of each rate (1)")
    parser.add_argument("--loads", default=LOADS, help=f"RATE:BATCH,... of kxdpgun ({LOADS})")
    parser.add_argument("--only", default="reflector,knot,dnsdist,unbound", help="which of these; weir always")
    parser.add_argument("--dnsperf", action="store_true", help="dnsperf instead of kxdpgun")
    parser.add_argument("--peer", choices=PEERS, help="where the client's end receives (both, softirq in one round)")
    parser.add_argument("--share", type=int, default=SHARE, help=f"%% of its core that each server gets ({SHARE}; 0: all)")
    args = parser.parse_args()
    if args.share and not cpu_share.LEAST <= args.share <= cpu_share.MOST:
        parser.error(f"--share of {cpu_share.LEAST} to {cpu_share.MOST}, or 0")
    return args


def contenders(args, cpus):
    """Servers, weir first, those alone that are installed."""
    programs = {"reflector": None, "knot": "knotd", "dnsdist": "dnsdist", "unbound": "unbound"}
    classes = {"reflector": Reflector, "knot": Knot, "dnsdist": Dnsdist, "unbound": Unbound}
    servers = [Weir(cpus, args.build)]
    for name in args.only.split(","):
        if programs[name] and not shutil.which(programs[name]):
            print(f"{name} is not installed", file=sys.stderr)
        elif not (args.dnsperf and name == "reflector"):
            servers.append(classes[name](cpus, args.build))
    for server in servers:
        server.share = args.share
    return servers


def rounds_of(args, cpus, peer, rounds):
    """Prints the rows of so many rounds with the client receiving there; whether each reply was right."""
    servers = contenders(args, cpus)
    for server in servers:
        server.threaded = peer == "thread"
    generator = dnsperf if args.dnsperf else kxdpgun
    loads = ["closed loop"] if args.dnsperf else args.loads.split(",")
    case = "1k names, 4 A, veth, " + ("dnsperf" if args.dnsperf else "kxdpgun")
    case += f", {args.share} % of a core" if args.share else ""
    case += "" if peer == "thread" else ", paying for the client's receiving"
    print(case, file=sys.stderr)
    good = all([turn(s, generator, loads, args.seconds) for _ in range(rounds) for s in servers])
    bench_rig.say(*rows(servers, case, has_goal=peer == "thread"))
    return good


def main():
    args = arguments()
    napi_threads.before_namespaces()
    bench_rig.enter(tmp)
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("xdp_peers: needs two CPUs: one for the server, one for the generator")
    ip("netns", "add", CLIENT_SPACE)
    write_zone()
    authority = subprocess.Popen(knot_config(tmp / "authority", f"    listen: 127.0.0.1@{AUTHORITY_PORT}"),
                                 stdout=subprocess.DEVNULL, stderr=(tmp / "authority.log").open("a"))
    kinds = [(args.peer, args.rounds)] if args.peer else list(zip(PEERS, [args.rounds, 1]))
    try:
        good = all([rounds_of(args, cpus, *kind) for kind in kinds])
    except (Failed, OSError) as why:
        sys.exit(f"xdp_peers: {why}")
    finally:
        authority.terminate()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
