# SPDX-License-Identifier: BSD-3-Clause
"""The lab under the mixed traffic of tools/soak: its neighbours, its questions, and what an operator does meanwhile.

Imported by soak_run.py and tools/strangers, in the namespace of the servers.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
CONFIG = "/run/weir/lab/weir.yaml"
PROCESSES, HUNG_S = ("dataplane", "controlplane"), 10
# What may go wrong with a question to weirctl or to /proc while something is down.
TROUBLE = (RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError)
REDIS_PORT, CLICKHOUSE_PORT = 6401, 8129
SERVICE = "198.18.0.53"


def eventually(what, true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def late(reply):
    return [p for p in PROCESSES if reply.get(p, {}).get("state") == "hung"]


class Lab:
    """tools/lab and weirctl of a build, and a folder for files."""

    def __init__(self, script, ctl, folder, seed):
        self.script, self.binary, self.folder, self.seed = script, ctl, folder, seed
        self.client = [script, "exec"]

    def ctl(self, *words):
        done = subprocess.run([self.binary, "-c", CONFIG, "--json", *words], capture_output=True, text=True, timeout=60)
        reply = json.loads(done.stdout) if done.stdout else {}
        # A process may be late because it has no CPU: Churn.late judges that. One that is down is an error.
        if done.returncode and not (words == ("status",) and late(reply)
                                    and {reply[p]["state"] for p in PROCESSES} <= {"up", "hung"}):
            raise RuntimeError(f"weirctl {' '.join(words)}: {done.stderr.strip() or done.stdout[:400]}")
        return reply

    def answers(self, name):
        """Does a name that nobody has asked for get its answer, which takes both processes?"""
        done = subprocess.run([*self.client, "kdig", "+short", "+timeout=2", "+retry=0", f"@{SERVICE}", name, "A"],
                              capture_output=True, text=True, timeout=60)
        return done.stdout.strip() == "198.18.254.3"

    def serves(self):
        try:
            return self.ctl("status")["controlplane"]["state"] == "up"
        except TROUBLE:
            return False

    def pid(self, process):
        with open(f"/run/weir/lab/{process}.pid") as f:
            return int(f.read().split()[0])

    def configure(self, servers, sample):
        """A cache that the traffic fills, an L1, a log of one query in `sample` that goes to all that stores it."""
        with open(CONFIG) as f:
            text = f.read().replace("l0_mb: 64", "l0_mb: 8")
        text += f"redis:\n  mode: standalone\n  addresses: [127.0.0.1:{REDIS_PORT}]\n"
        text += f"query_log:\n  sample: {sample}\n"
        if any(s.name == "clickhouse" for s in servers):
            text += f"  clickhouse: {{url: 'http://127.0.0.1:{CLICKHOUSE_PORT}'}}\n"
        with open(CONFIG, "w") as f:
            f.write(text)
        for verb in ("stop", "start"):
            subprocess.run([self.script, verb, "controlplane"], check=True, capture_output=True)
        eventually("the control plane serves", self.serves)

    def questions(self, count=400000):
        """For dnsperf: of a hundred 80 cached, 10 blocked, 4 that do not exist, 6 that seldom are cached still."""
        rng, path = random.Random(self.seed), f"{self.folder}/questions"
        with open(path, "w") as f:
            for _ in range(count):
                kind, qtype = rng.randrange(100), rng.choice(("A", "A", "AAAA"))
                if kind < 80:
                    f.write(f"h{int(1000 ** rng.random())}.hot.soak.test A\n")
                elif kind < 90:
                    f.write(f"b{rng.randrange(2000)}.blocked.test {qtype}\n")
                elif kind < 94:
                    f.write(f"nx{rng.randrange(20000)}.soak.test {qtype}\n")
                else:
                    f.write(f"n{rng.randrange(100000)}.new.soak.test {qtype}\n")
        return path

    def walk(self, seconds, seed):
        """Starts the clients that come and go."""
        return subprocess.Popen([*self.client, PYTHON, f"{HERE}/soak_churn.py", str(seconds), str(seed)], stdout=subprocess.PIPE,
                                text=True)

    def perf(self, path, seconds, rate):
        """dnsperf's command."""
        return [*self.client, "dnsperf", "-s", SERVICE, "-d", path, "-l", str(seconds), "-Q", str(rate), "-c", "32", "-q", "2000",
                "-t", "3"]


class Neighbour:
    """A server that is killed and stopped by turns, and is there again afterwards."""

    def __init__(self, name, port, command):
        self.name, self.port, self.command, self.child, self.faults = name, port, command, None, 0

    def start(self):
        self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)

    def listens(self):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def fault(self, seconds, stop):
        self.faults += 1
        if self.faults % 2:
            self.child.send_signal(signal.SIGSTOP)
            stop.wait(seconds)
            self.child.send_signal(signal.SIGCONT)
        else:
            self.end()
            stop.wait(seconds)
            self.start()

    def end(self):
        self.child.kill()
        self.child.wait()


def redis(folder):
    os.makedirs(f"{folder}/redis")
    return Neighbour("redis", REDIS_PORT, ["redis-server", "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--save", "",
                                           "--appendonly", "no", "--dir", f"{folder}/redis", "--maxmemory", "64mb",
                                           "--maxmemory-policy", "allkeys-lru"])


def clickhouse(folder):
    data = f"{folder}/clickhouse"
    os.makedirs(f"{data}/tmp")
    with open(f"{data}/users.xml", "w") as f:
        f.write("<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password>"
                "<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>")
    with open(f"{data}/config.xml", "w") as f:
        f.write(f"<yandex><logger><level>error</level><log>{data}/log</log><errorlog>{data}/err</errorlog></logger>"
                f"<http_port>{CLICKHOUSE_PORT}</http_port><tcp_port>9009</tcp_port><listen_host>127.0.0.1</listen_host>"
                f"<path>{data}/</path><tmp_path>{data}/tmp/</tmp_path><users_config>{data}/users.xml</users_config>"
                "<default_profile>default</default_profile><default_database>default</default_database>"
                "<mark_cache_size>33554432</mark_cache_size></yandex>")
    return Neighbour("clickhouse", CLICKHOUSE_PORT, ["clickhouse-server", f"--config-file={data}/config.xml"])


def neighbours(folder):
    out = [redis(folder)]
    if shutil.which("clickhouse-server"):
        out.append(clickhouse(folder))
    return out


class Churn(threading.Thread):
    """Every few seconds something that an operator or a bad day does; `did` counts."""

    def __init__(self, lab, servers, reload_s=20, fault_s=15, config_s=0):
        super().__init__(daemon=True)
        self.lab, self.servers, self.stop, self.did, self.errors = lab, servers, threading.Event(), {}, []
        self.reload_s, self.fault_s, self.config_s = reload_s, fault_s, config_s

    def count(self, what):
        self.did[what] = self.did.get(what, 0) + 1

    def reload(self, serial):
        path = f"{self.lab.folder}/soak.list"
        with open(f"{path}.new", "w") as f:
            f.writelines(f"b{i}.blocked.test\n" for i in range(2000))
            f.writelines(f"r{serial}-{i}.blocked.test\n" for i in range(serial % 7 * 100))
        os.replace(f"{path}.new", path)
        self.lab.ctl("blocklist", "reload")

    def late(self, who):
        """No heartbeat for a second: no fault on a busy machine, as long as queries are answered meanwhile."""
        self.count("hung")
        end = time.monotonic() + HUNG_S
        while not self.lab.answers(f"late-{time.monotonic_ns()}.new.soak.test"):
            if time.monotonic() > end:
                raise RuntimeError(f"hung: {' and '.join(who)}, and nothing new was answered for {HUNG_S} s")

    def poll(self, serial):
        reply = self.lab.ctl(*(("status",), ("stats", "--interval", "0"), ("top",), ("mem", "slope"))[serial % 4])
        self.count("polls")
        if serial % 4 == 0 and late(reply):
            self.late(late(reply))

    def turn(self, now):
        if now > self.did.get("polled", 0):
            self.count("polled")
            self.poll(self.did["polled"])
        if now > self.did.get("reloads", 0) * self.reload_s:
            self.count("reloads")
            self.reload(self.did["reloads"])
        if self.config_s and now > self.did.get("configs", 0) * self.config_s:
            self.count("configs")
            self.lab.ctl("config", "reload")
        if self.servers and self.fault_s and now > (self.did.get("faults", 0) + 1) * self.fault_s:
            server = self.servers[self.did.get("faults", 0) % len(self.servers)]
            self.count("faults")
            server.fault(4, self.stop)
            self.count(server.name)

    def run(self):
        begin = time.monotonic()
        while not self.stop.wait(0.2):
            try:
                self.turn(time.monotonic() - begin)
            except TROUBLE as error:
                self.errors.append(str(error))

    def end(self):
        self.stop.set()
        self.join(60)
        for server in self.servers:
            eventually(f"{server.name} is back", server.listens)
