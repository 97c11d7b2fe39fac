# SPDX-License-Identifier: BSD-3-Clause
"""The other end of the NICs: TAPs in the network namespace of the test, the client's address, an upstream, list server, load.

The client's address is on one TAP at a time (`use`), so it is clear through which NIC an answer came.
"""
import re
import signal
import subprocess
import time

CLIENT, CLIENT6, SERVICE, SERVICE6 = "198.18.0.2", "fd53::2", "198.18.0.53", "fd53::53"


def sh(command, **more):
    """The output of a command here; an exception if it fails."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, **more)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout.strip()


class Far:
    """root: of the source tree, whose rig has the upstream; folder: of logs and lists."""

    def __init__(self, root, folder):
        self.root = root
        self.folder = folder
        self.tap = None
        self.children = []
        self.log = folder / "upstream.log"

    def add(self, tap, queues=1):
        """Makes a TAP of this name, which QEMU opens."""
        sh(f"ip tuntap add {tap} mode tap" + (" multi_queue" if queues > 1 else ""))
        sh(f"ip link set {tap} up")

    def use(self, tap):
        """Moves the client to this TAP."""
        if self.tap:
            sh(f"ip addr flush dev {self.tap}")
        sh(f"ip addr add {CLIENT}/24 dev {tap}; ip -6 addr add {CLIENT6}/64 dev {tap} nodad; ip neigh flush all")
        self.tap = tap

    def spawn(self, *argv):
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def upstream(self):
        """Starts an upstream on the client's address; names as in tests/lab/upstream.py."""
        return self.spawn("/usr/bin/python3", str(self.root / "tests/lab/upstream.py"), "53", str(self.log), CLIENT)

    def lists(self):
        """Serves the files of the folder `lists` over HTTP on port 8080."""
        (self.folder / "lists").mkdir(exist_ok=True)
        return self.spawn("/usr/bin/python3", "-m", "http.server", "--bind", CLIENT, "--directory",
                          str(self.folder / "lists"), "8080")

    def stop(self, child):
        child.kill()
        child.wait()
        self.children.remove(child)

    def close(self):
        for child in list(self.children):
            self.stop(child)

    def ask(self, name, kind="A", *more, server=SERVICE, seconds=2):
        """Status and answer of one query: ("NOERROR", ["198.18.200.1"]); ("", []) without a reply."""
        done = subprocess.run(["kdig", f"+timeout={seconds}", "+retry=0", f"@{server}", name, kind, *more],
                              capture_output=True, text=True, timeout=seconds + 20)
        status = re.search(r"status: (\w+)", done.stdout)
        answer = re.findall(r"^[^;\s]\S*\s+\d+\s+IN\s+\S+\s+(\S.*)$", done.stdout, re.M)
        return (status.group(1) if status else ""), answer

    def until(self, want, name, kind="A", *more, seconds=90, server=SERVICE):
        """Waits until a query has this status or this first answer. Seconds that it took, or None."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            status, answer = self.ask(name, kind, *more, server=server, seconds=1)
            if want in (status, *answer):
                return time.monotonic() - start
            time.sleep(0.1)
        return None

    def frame(self, name, vlan=None, other=False):
        """Sends one query as a frame to the NIC behind the client's TAP, or to another host. The reply of scapy, or None."""
        from scapy.all import DNS, DNSQR, IP, UDP, Dot1Q, Ether, srp1
        number = int(self.tap[3:]) + (0x81 if other else 1)
        head = Ether(dst=f"52:54:00:00:00:{number:02x}")
        head = head / Dot1Q(vlan=vlan) if vlan else head
        query = head / IP(src=CLIENT, dst=SERVICE) / UDP(sport=5399, dport=53) / DNS(rd=1, qd=DNSQR(qname=name))
        return srp1(query, iface=self.tap, timeout=3, verbose=0)

    def load(self, names, seconds, rate=1000, clients=4):
        """Starts a load of these names, `rate` queries a second from this number of sockets."""
        file = self.folder / "load.names"
        file.write_text("".join(f"{name} A\n" for name in names))
        child = subprocess.Popen(["dnsperf", "-s", SERVICE, "-d", str(file), "-l", str(seconds), "-Q", str(rate), "-c", str(clients), "-t", "2"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.children.append(child)
        return child

    def result(self, child, end=False):
        """What a load counted: {sent, lost, codes}. end: it ends at once, not when its time is over."""
        if end:
            child.send_signal(signal.SIGINT)
        text = child.communicate(timeout=180)[0]
        self.children.remove(child)

        def count(pattern):
            found = re.search(pattern, text)
            return int(found.group(1)) if found else -1
        codes = dict(re.findall(r"([A-Z]+) (\d+) \(", text))
        return {"sent": count(r"Queries sent:\s+(\d+)"), "lost": count(r"Queries lost:\s+(\d+)"),
                "codes": {k: int(v) for k, v in codes.items()}}
