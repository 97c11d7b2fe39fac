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

import argparse
import base64
import json
import os
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
import namespaces  # noqa: E402
import nsd_run  # noqa: E402
from lists_peers import rss_bytes  # noqa: E402
from miss_cpu import CLIENT, cpu_s, row, service, weirctl  # noqa: E402

root = pathlib.Path(__file__).resolve().parents[3]
tmp = pathlib.Path("/run/tls-peers")
NAMES, CONNECTIONS, PATIENCE_S = 1000, 10, 30
PORTS = {"weir": {"dot": 853, "doh": 443}, "dnsdist": {"dot": 8853, "doh": 8443}}
TARGETS = ["controlplane/weir-controlplane", "dataplane/weir-dataplane", "tools/ctl/weirctl"]
CERTIFICATE = """openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=dns.lab.example
-addext subjectAltName=DNS:dns.lab.example -keyout key.pem -out cert.pem""".split()
DNSDIST = f"""setACL({{'0.0.0.0/0'}})
setTCPRecvTimeout(600)
newServer({{address='127.0.0.1:{nsd_run.PORT}', healthCheckMode='up'}})
getPool(''):setCache(newPacketCache(100000))
local cert, key = '{tmp}/cert.pem', '{tmp}/key.pem'
addTLSLocal('{service}:{PORTS['dnsdist']['dot']}', cert, key, {{provider='openssl'}})
addDOHLocal('{service}:{PORTS['dnsdist']['doh']}', cert, key, '/dns-query', {{idleTimeout=600}})
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
    name = b"".join(bytes([len(part)]) + part.encode() for part in f"n{number % NAMES}.tls.example".split(".")) + b"\0"
    return number.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1"


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
    plain = socket.create_connection((service, port), PATIENCE_S)
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
            out = self.run("dnsperf", "-m", "dot", "-s", service, "-p", self.ports[kind], "-d", tmp / "names", "-Q", rate,
                           "-l", seconds, "-c", CONNECTIONS, "-q", 200, "-t", 5)
            done = int((re.search(r"NOERROR (\d+)", out) or [0, 0])[1])
            asked = int(re.search(r"Queries sent:\s+(\d+)", out)[1])
        else:  # dnsperf waits for the id that it sent, dnsdist gives 0
            out = self.run("h2load", "-n", asked, "-c", CONNECTIONS, "-m", 20, f"--rps={rate / CONNECTIONS}",
                           "-i", tmp / f"{self.name}.urls")
            done = int((re.search(r"status codes: (\d+) 2xx", out) or [0, 0])[1])
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
        before = rss_bytes(self.pid)
        client = self.client("idle", self.ports["dot"], count, stdin=subprocess.PIPE)
        opened = client.stdout.readline().strip()
        time.sleep(1)
        bytes_each = (rss_bytes(self.pid) - before) / count
        client.communicate("")
        print(f"{self.name}: {opened} of {count} connections wait, {bytes_each:.0f} bytes each", file=sys.stderr)
        return bytes_each if opened == str(count) else 0


def wait_for(servers):
    """Until each port of each answers all names, which are in its cache then."""
    (tmp / "names").write_text("".join(f"n{i}.tls.example A\n" for i in range(NAMES)))
    for server in servers:
        uri = f"https://{service}:{server.ports['doh']}/dns-query?dns="
        texts = [base64.urlsafe_b64encode(question(i)).decode().rstrip("=") for i in range(NAMES)]
        (tmp / f"{server.name}.urls").write_text("".join(f"{uri}{text}\n" for text in texts))
    end = time.monotonic() + PATIENCE_S
    for server in servers:
        for kind in server.ports:
            while not server.queries(kind, NAMES, 2):
                if time.monotonic() > end:
                    sys.exit(f"{server.name} does not answer {kind}: " + (tmp / "log").read_text()[-2000:])


def start(command):
    return subprocess.Popen(command, cwd=tmp, stdout=subprocess.DEVNULL, stderr=(tmp / "log").open("a"))


def start_servers(build):
    subprocess.run(CERTIFICATE, cwd=tmp, check=True, stderr=subprocess.DEVNULL)
    (tmp / "key.pem").chmod(0o644)
    (tmp / "dnsdist.conf").write_text(DNSDIST)
    nsd_run.start(tmp)  # dnsdist asks over TCP what it was asked over TLS
    own = {"WEIR_BUILD": build, "build_targets": " ".join(TARGETS)}
    up = subprocess.run([f"{root}/tools/lab", "up", "--upstream", f"127.0.0.1:{nsd_run.PORT}"],
                        env=dict(os.environ, **own), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if up.returncode != 0:
        sys.exit(up.stdout)
    config = pathlib.Path("/run/weir/lab/weir.yaml")
    config.write_text(re.sub(r"^tcp:\n(  .*\n)*", WEIR_TCP, config.read_text(), flags=re.M) + WEIR)
    if weirctl(build, "config", "reload") is None or weirctl(build, "set", "query_log", "off") is None:
        sys.exit("weir does not take the configuration")
    pid = int(pathlib.Path("/run/weir/lab/controlplane.pid").read_text().split()[0])
    dnsdist = start(["dnsdist", "--supervised", "--disable-syslog", "-C", str(tmp / "dnsdist.conf")])
    return [Server("weir", pid), Server("dnsdist", dnsdist.pid)]


def emit(goal, case, metric, unit, found, part=1):
    """The goal is `part` of dnsdist's figure."""
    weir, dnsdist = (statistics.median(found[name]) for name in ("weir", "dnsdist"))
    print(json.dumps(row(goal, case, metric, weir, unit, None)))
    print(json.dumps(row(goal, case, f"{metric}_to_dnsdist", weir, unit, round(dnsdist * part, 3))), flush=True)


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(root / "build-bench"))
    parser.add_argument("--goals", default="T1,T2,T4", type=lambda text: text.split(","))
    parser.add_argument("--rate", type=int, default=5000, help="queries a second of T1 (5000)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run of T1 (5)")
    parser.add_argument("--runs", type=int, default=3, help="of each in T1 and T2; the median counts (3)")
    parser.add_argument("--handshakes", type=int, default=1000, help="a run of T2 (1000)")
    parser.add_argument("--connections", type=int, default=2000, help="of T4 (2000)")
    parser.add_argument("--quick", action="store_true", help="a second of each: whether it works, not how fast")
    args = parser.parse_args()
    if args.quick:
        args.runs, args.seconds, args.rate, args.handshakes, args.connections = 1, 1, 500, 50, 100
    namespaces.enter(tmp)
    servers = start_servers(args.build)
    wait_for(servers)
    good = measure(args, servers)
    subprocess.run([f"{root}/tools/lab", "down"], stdout=subprocess.DEVNULL)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
