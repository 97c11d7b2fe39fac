# SPDX-License-Identifier: BSD-3-Clause
"""Real Redis servers as children, for the smoke tests: alone, under three sentinels, or as a cluster.

They listen on loopback in the namespace of process 1, where the control plane is; we speak to them through Unix
sockets, from whatever network namespace this runs in. All die with us.
"""
import ctypes
import os
import signal
import subprocess
import time

import redis

from soak_rig import eventually

SLOTS = 16384


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Server:
    def __init__(self, folder, port, *args, sentinel=False):
        self.port, self.folder, self.sentinel = port, f"{folder}/{port}", sentinel
        self.socket = f"{self.folder}/socket"
        self.args = ["--port", str(port), "--bind", "127.0.0.1", "--unixsocket", self.socket, "--dir", self.folder,
                     "--logfile", f"{self.folder}/log", "--daemonize", "no", "--save", "", "--appendonly", "no",
                     "--enable-debug-command", "yes", *map(str, args)]
        os.makedirs(self.folder)
        self.child = None

    def start(self, *more):
        config = []
        if self.sentinel:  # writes its own configuration
            config, more = [f"{self.folder}/sentinel.conf"], ["--sentinel"]
        args = self.args if not self.sentinel else []
        self.child = subprocess.Popen(
            ["nsenter", "--net=/proc/1/ns/net", "--", "redis-server", *config, *args, *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent)
        eventually(f"redis-server on port {self.port}", self.answers)
        return self

    def answers(self):
        try:
            return self.say("PING") in (True, b"PONG")
        except redis.RedisError:
            return False

    def client(self, timeout=5):
        return redis.Redis(unix_socket_path=self.socket, socket_timeout=timeout)

    def say(self, *command, timeout=5):
        with self.client(timeout) as client:
            return client.execute_command(*command)

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        self.child.kill()
        self.child.wait()
        if os.path.exists(self.socket):
            os.unlink(self.socket)


class Standalone:
    mode = "standalone"

    def __init__(self, folder, *args):
        self.servers = [Server(folder, 6401, *args).start()]

    def config(self):
        return "  mode: standalone\n  addresses: [\"127.0.0.1:6401\"]\n"

    def masters(self):
        return self.servers


class Sentinels:
    mode = "sentinel"

    def __init__(self, folder):
        self.servers = [Server(folder, 6401).start(), Server(folder, 6402, "--replicaof", "127.0.0.1 6401").start()]
        eventually("a replica", lambda: self.servers[0].client().info("replication").get("connected_slaves") == 1)
        self.sentinels = [Server(folder, 26401 + i, sentinel=True) for i in range(3)]
        for s in self.sentinels:
            with open(f"{s.folder}/sentinel.conf", "w") as out:
                out.write(f"port {s.port}\nbind 127.0.0.1\nunixsocket {s.socket}\ndir {s.folder}\n"
                          f"logfile {s.folder}/log\nsentinel monitor weir 127.0.0.1 6401 2\n"
                          "sentinel down-after-milliseconds weir 700\nsentinel failover-timeout weir 4000\n")
            s.start()
        eventually("the sentinels know each other", lambda: all(
            self.known(s, b"num-other-sentinels") == b"2" for s in self.sentinels) and self.known(self.sentinels[0], b"num-slaves") == b"1")

    @staticmethod
    def known(sentinel, what):
        said = sentinel.say("SENTINEL", "MASTER", "weir")
        return said[said.index(what) + 1]

    def config(self):
        return ("  mode: sentinel\n  master_name: weir\n  addresses: ["
                + ", ".join(f"\"127.0.0.1:{s.port}\"" for s in self.sentinels) + "]\n")

    def masters(self):
        """The one that the sentinels name; the former one may take itself for a master for some seconds."""
        port = self.sentinels[0].say("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "weir")[1]
        return [s for s in self.servers if s.port == int(port)]


class Cluster:
    mode = "cluster"

    def __init__(self, folder, *args):
        self.servers = [Server(folder, 6401 + i, "--cluster-enabled", "yes", "--cluster-config-file",
                               f"{folder}/{6401 + i}/nodes.conf", "--cluster-node-timeout", "2000", *args).start()
                        for i in range(3)]
        self.ids = [s.say("CLUSTER", "MYID").decode() for s in self.servers]
        self.owner = [min(slot * 3 // SLOTS, 2) for slot in range(SLOTS)]
        for i, s in enumerate(self.servers):
            mine = [slot for slot in range(SLOTS) if self.owner[slot] == i]
            s.say("CLUSTER", "ADDSLOTSRANGE", mine[0], mine[-1])
            s.say("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for s in self.servers[1:]:
            s.say("CLUSTER", "MEET", "127.0.0.1", 6401)
        eventually("the cluster is formed", lambda: all(
            self.info(s).get("cluster_state") == "ok" and self.info(s).get("cluster_known_nodes") == "3" for s in self.servers))

    @staticmethod
    def info(server):
        text = server.say("CLUSTER", "INFO")
        return text if isinstance(text, dict) else dict(
            line.split(":", 1) for line in text.decode().splitlines() if ":" in line)

    def config(self):
        return "  mode: cluster\n  addresses: [\"127.0.0.1:6401\", \"127.0.0.1:6402\"]\n"

    def masters(self):
        return self.servers

    def set_slots(self, client, slots, what, node):
        with client.pipeline(transaction=False) as pipe:
            for slot in slots:
                pipe.execute_command("CLUSTER", "SETSLOT", slot, what, self.ids[node])
            pipe.execute()

    def move(self, slots, to, linger):
        """Moves slots that all belong to one other master, as redis-cli --cluster reshard would; `linger` seconds
        with half of their keys moved, so that questions get ASK."""
        here = self.owner[slots[0]]
        source, target = self.servers[here].client(), self.servers[to].client()
        self.set_slots(target, slots, "IMPORTING", here)
        self.set_slots(source, slots, "MIGRATING", to)
        moved = 0
        for n, slot in enumerate(slots):
            while keys := source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
                source.execute_command("MIGRATE", "127.0.0.1", self.servers[to].port, "", 0, 2000, "KEYS", *keys)
                moved += len(keys)
            if n == len(slots) // 2:
                time.sleep(linger)
        time.sleep(linger)
        for server in [self.servers[to], self.servers[here], *self.servers]:
            self.set_slots(server.client(), slots, "NODE", to)
        for slot in slots:
            self.owner[slot] = to
        return moved


def scan(masters):
    """(answers, other keys, those without a TTL) over all masters."""
    answers, others, endless = 0, 0, []
    for server in masters:
        client = server.client(10)
        cursor = None
        while cursor != 0:
            cursor, keys = client.scan(cursor or 0, count=2000)
            with client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.ttl(key)
                lives = pipe.execute()
            endless += [key for key, life in zip(keys, lives) if life == -1]
            mine = sum(key.startswith(b"weir:") for key in keys)
            answers, others = answers + mine, others + len(keys) - mine
    return answers, others, endless
