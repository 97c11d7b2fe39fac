#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""T1, T2, T4: clients over TLS and HTTPS beside dnsdist: CPU of a cached answer and of a handshake, memory of a connection.

Real processes in namespaces of their own: tools/lab for weir, and dnsdist beside its control plane, on the same address
with other ports, so that the packets of both go the same way through weir's data plane and the kernel. Both answer from a
cache, with the same certificate (P-256). Taken is user and system time of the process from /proc/PID/stat; the runs of
the two take turns. T1: dnsperf and h2load over ten connections that stay, at a rate that is not the limit. T2: connections that ask one
cached question each, full and resumed. T4: the resident set before and after connections that asked once and then wait.
Prints JSON lines as bench_path does.
Exit status 1: a run lost an answer, or a session was not resumed.
"""

import base64
import pathlib
import re
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))
import bench_rig  # noqa: E402
from bench_rig import CLIENT, SERVICE, cpu_s, memory_bytes  # noqa: E402

tmp = pathlib.Path("/run/tls-peers")
NAMES, CONNECTIONS, PATIENCE_S = 1000, 10, 30
PORTS = {"weir": {"dot": 853, "doh": 443}, "dnsdist": {"dot": 8853, "doh": 8443}}
NSD_PORT = 5301
DNSDIST = f"""setACL({{'0.0.0.0/0'}})
setTCPRecvTimeout(600)
newServer({{address='127.0.0.1:{NSD_PORT}', healthCheckMode='up'}})
getPool(''):setCache(newPacketCache(100000))
local cert, key = '{tmp}/cert.pem', '{tmp}/key.pem'
addTLSLocal('{SERVICE}:{PORTS['dnsdist']['dot']}', cert, key, {{provider='openssl'}})
addDOHLocal('{SERVICE}:{PORTS['dnsdist']['doh']}', cert, key, '/dns-query', {{idleTimeout=600}})
"""
# Beside the lab's own keys.
WEIR = f"""tls:
  certificates: [{{cert: {tmp}/cert.pem, key: {tmp}/key.pem}}]
dot: {{enabled: true}}
doh: {{enabled: true}}
"""
WEIR_TCP = "tcp:\n  per_client: 12288\n  idle_timeout: 600\n"  # idle as long as dnsdist's


def context_make():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def question(number):
    return bench_rig.query(f"n{number % NAMES}.tls.example", number)


def ask(connection, number):
    """One question with its reply over TLS."""
    message = question(number)
    connection.sendall(len(message).to_bytes(2, "big") + message)
    reply = b""
    while len(reply) < 2 or len(reply) < 2 + int.from_bytes(reply[:2], "big"):
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError("closed before the reply")
        reply += piece
    if reply[2:4] != message[:2] or reply[5] & 15 != 0 or reply[9] != 1:
        raise ConnectionError("no answer")


def connect(context, port, session=None):
    plain = socket.create_connection((SERVICE, port), PATIENCE_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, session=session)


def client_handshakes(port, count, resumed):
    """Inside the client's namespace: connections, each with one question; how many were resumed."""
    context, session, done = context_make(), None, 0
    for number in range(count):
        with connect(context, port, session if resumed else None) as connection:
            ask(connection, number)
            done += connection.session_reused
            session = connection.session
    print(done)


def client_idle(port, count):
    """Inside the client's namespace: connections that asked once, kept until standard input ends."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 64, count + 64))
    context, kept = context_make(), []
    for number in range(count):
        kept.append(connect(context, port))
        ask(kept[-1], number)
    print(len(kept), flush=True)
    sys.stdin.read()


class Server:
    def __init__(self, name, pid):
        self.name, self.pid, self.ports = name, pid, PORTS[name]

    def run(self, *words):
        return subprocess.run([*CLIENT, *map(str, words)], stdout=subprocess.PIPE, text=True).stdout

    def client(self, *words, **kw):
        return subprocess.Popen([*CLIENT, sys.executable, __file__, "--client", *map(str, words)], stdout=subprocess.PIPE,
                                text=True, **kw)

    def queries(self, kind, rate, seconds):
        """CPU of an answer, us; 0 if one is missing."""
        before, asked = cpu_s(self.pid), rate * seconds
        if kind == "dot":
            names = (f"n{i}.tls.example" for i in range(NAMES))
            asked, _, done = bench_rig.dnsperf_figures(bench_rig.dnsperf(
                CLIENT, SERVICE, self.ports[kind], names, "-m", "dot", "-Q", rate, "-l", seconds, "-c", CONNECTIONS, "-q", 200, "-t", 5,
                file=tmp / "names"))
        else:  # dnsperf waits for the id that it sent, dnsdist gives 0
            out = self.run("h2load", "-n", asked, "-c", CONNECTIONS, "-m", 20, f"--rps={rate / CONNECTIONS}",
                           "-i", tmp / f"{self.name}.urls")
            done, = bench_rig.figures(out, r"status codes: (\d+) 2xx")
        used = cpu_s(self.pid) - before
        print(f"{self.name} {kind}: {asked} sent, {done} answered, {used * 1e6 / max(done, 1):.2f} us each", file=sys.stderr)
        return used * 1e6 / done if 0 < asked == done else 0

    def handshakes(self, how, count):
        before = cpu_s(self.pid)
        out = self.client("handshakes", self.ports["dot"], count, how).communicate()[0]
        used, resumed = cpu_s(self.pid) - before, int(out or -1)
        print(f"{self.name} {how}: {resumed} of {count} resumed, {used * 1e6 / count:.0f} us each", file=sys.stderr)
        return used * 1e6 / count if resumed == (count - 1 if how == "resumed" else 0) else 0

    def idle(self, count):
        """Bytes of a connection; 0 if one was refused."""
        before = memory_bytes(self.pid)
        client = self.client("idle", self.ports["dot"], count, stdin=subprocess.PIPE)
        opened = client.stdout.readline().strip()
        time.sleep(1)
        bytes_each = (memory_bytes(self.pid) - before) / count
        client.communicate("")
        print(f"{self.name}: {opened} of {count} connections wait, {bytes_each:.0f} bytes each", file=sys.stderr)
        return bytes_each if opened == str(count) else 0


def wait_for(servers):
    """Until each port of each answers all names, which are in its cache then."""
    for server in servers:
        uri = f"https://{SERVICE}:{server.ports['doh']}/dns-query?dns="
        texts = [base64.urlsafe_b64encode(question(i)).decode().rstrip("=") for i in range(NAMES)]
        (tmp / f"{server.name}.urls").write_text("".join(f"{uri}{text}\n" for text in texts))
    end = time.monotonic() + PATIENCE_S
    for server in servers:
        for kind in server.ports:
            while not server.queries(kind, NAMES, 2):
                if time.monotonic() > end:
                    sys.exit(f"{server.name} does not answer {kind}: " + (tmp / "log").read_text()[-2000:])


def start_servers(build):
    bench_rig.certificate(tmp, "subjectAltName=DNS:dns.lab.example", name="dns.lab.example")
    (tmp / "key.pem").chmod(0o644)
    bench_rig.nsd(tmp, f"127.0.0.1@{NSD_PORT}", {".": bench_rig.ROOT_ZONE})  # dnsdist asks over TCP what it was asked over TLS
    bench_rig.lab_up(build, "--upstream", f"127.0.0.1:{NSD_PORT}")
    config = pathlib.Path("/run/weir/lab/weir.yaml")
    config.write_text(re.sub(r"^tcp:\n(  .*\n)*", WEIR_TCP, config.read_text(), flags=re.M) + WEIR)
    bench_rig.weirctl_must(build, "config", "reload")
    bench_rig.weirctl_must(build, "set", "query_log", "off")
    return [Server("weir", bench_rig.lab_pid()), Server("dnsdist", bench_rig.start(tmp, bench_rig.dnsdist(tmp, DNSDIST)).pid)]


def emit(goal, case, metric, unit, found, part=1):
    """The goal is `part` of dnsdist's figure."""
    weir, dnsdist = (statistics.median(found[name]) for name in ("weir", "dnsdist"))
    asked = {metric: None, f"{metric}_to_dnsdist": round(dnsdist * part, 3)}
    bench_rig.say(*(bench_rig.row(goal, case, name, weir, unit, of, 3) for name, of in asked.items()))


def measure(args, servers):
    good = True

    def turns(work):
        found = {server.name: [] for server in servers}
        for _ in range(args.runs):
            for server in servers:
                found[server.name].append(work(server))
        nonlocal good
        good &= all(all(values) for values in found.values())
        return found
    if "T1" in args.goals:
        for kind in ("dot", "doh"):
            emit("T1", f"{kind}, cached names, {args.rate} q/s", "cpu", "us a query",
                 turns(lambda server, kind=kind: server.queries(kind, args.rate, args.seconds)))
    if "T2" in args.goals:
        for how in ("full", "resumed"):
            emit("T2", f"TLS 1.3, {how}, with one query", "cpu", "us a connection",
                 turns(lambda server, how=how: server.handshakes(how, args.handshakes)))
    if "T4" in args.goals:  # one run: memory that a server keeps for the next connections would not be counted again
        found = {server.name: [server.idle(args.connections)] for server in servers}
        good &= all(all(values) for values in found.values())
        emit("T4", f"{args.connections} idle connections", "memory", "bytes", found, 0.5)
    return good


def main():
    if sys.argv[1:2] == ["--client"]:
        what, port, count, *how = sys.argv[2:]
        client_idle(int(port), int(count)) if what == "idle" else client_handshakes(int(port), int(count), how == ["resumed"])
        return 0
    parser = bench_rig.options(__doc__)
    parser.add_argument("--goals", default="T1,T2,T4", type=lambda text: text.split(","))
    parser.add_argument("--rate", type=int, default=5000, help="queries a second of T1 (5000)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run of T1 (5)")
    parser.add_argument("--runs", type=int, default=3, help="of each in T1 and T2; the median counts (3)")
    parser.add_argument("--handshakes", type=int, default=1000, help="a run of T2 (1000)")
    parser.add_argument("--connections", type=int, default=2000, help="of T4 (2000)")
    args = bench_rig.parse(parser, runs=1, seconds=1, rate=500, handshakes=50, connections=100)
    bench_rig.enter(tmp)
    servers = start_servers(args.build)
    wait_for(servers)
    good = measure(args, servers)
    bench_rig.lab(args.build, "down")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
