#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Queries at an even rate while the data plane is restarted; what was lost, and for how long.

usage: restart_load.py SERVICE NAME RATE RESTARTS TERM|KILL READY LOG COMMAND...

Runs COMMAND, a data plane whose output goes to LOG, as a service manager does: signal, end, start again. The client is one
socket in its namespace. Prints one JSON line for each restart: queries sent and lost, the longest time without a reply, what
the end took (signal to exit) and the start (to the log's line with READY), all in milliseconds. Exit status 1: a reply was
wrong, or a query was lost outside a restart.
"""
import json
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
from ask import client_namespace  # noqa: E402
from dnswire import query  # noqa: E402

BEFORE_S, AFTER_S, LATE_S = 0.5, 1.5, 3


def client_socket():
    with client_namespace():
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


class Client(threading.Thread):
    """Sends and receives in one loop. `sent` and `came` hold times in seconds by the query's number."""

    def __init__(self, service, name, rate):
        super().__init__()
        self.sock = client_socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.connect((service, 53))
        self.name, self.rate, self.stop = name, rate, False
        self.sent, self.came, self.wrong = [], {}, 0

    def receive(self):
        while True:
            try:
                reply = self.sock.recv(4096)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error
                continue
            # The newest query with this number: they come round after 13 s at 5,000 a second.
            number = (len(self.sent) - 1) & ~0xffff | int.from_bytes(reply[:2], "big")
            number -= 0x10000 if number >= len(self.sent) else 0
            self.came.setdefault(number, time.monotonic())
            self.wrong += number < 0 or reply[3] & 15 != 0 or reply[7] == 0

    def run(self):
        began, poll = time.monotonic(), select.poll()
        poll.register(self.sock, select.POLLIN)
        ends = None
        while ends is None or time.monotonic() < ends:
            now = time.monotonic()
            if self.stop and ends is None:
                ends = now + LATE_S
            while ends is None and len(self.sent) < (now - began) * self.rate:
                self.sent.append(time.monotonic())
                try:
                    self.sock.send(query(self.name, ident=len(self.sent) - 1 & 0xffff))
                except OSError:  # an ICMP error, or no neighbour yet: lost like others
                    pass
            wait = began + len(self.sent) / self.rate - time.monotonic()
            poll.poll(max(0, wait) * 1000 if ends is None else 100)
            self.receive()
            if ends and len(self.came) == len(self.sent):
                return


def wait_answer(service, name):
    """Until the cache has the answer."""
    sock, end = client_socket(), time.monotonic() + 60
    sock.settimeout(0.5)
    while time.monotonic() < end:
        try:
            sock.sendto(query(name), (service, 53))
            reply = sock.recv(4096)
            if reply[3] & 15 == 0 and reply[7]:
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("no answer")


class DataPlane:
    def __init__(self, ready, log, command):
        self.ready, self.log, self.command = ready.encode(), log, command
        self.start()

    def start(self):
        began = time.monotonic()
        with open(self.log, "ab") as log:
            at = log.tell()
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while True:
            with open(self.log, "rb") as log:
                log.seek(at)
                text = log.read()
            if self.ready in text:
                return (time.monotonic() - began) * 1000, text
            if self.process.poll() is not None or time.monotonic() > began + 60:
                sys.exit(f"the data plane did not start:\n{text.decode()}")
            time.sleep(0.002)

    def end(self, signo):
        began = time.monotonic()
        self.process.send_signal(signo)
        status = self.process.wait(30)
        if status not in (0, -signal.SIGKILL):
            sys.exit(f"the data plane ended with status {status}")
        return (time.monotonic() - began) * 1000


def gap(client, since, until):
    """Queries sent in the span, lost of these, and the longest time without a reply."""
    numbers = [i for i, at in enumerate(client.sent) if since <= at < until]
    times = [since, *sorted(client.came[i] for i in numbers if i in client.came)]
    longest = max((b - a for a, b in zip(times, times[1:])), default=until - since)
    lost = [client.sent[i] for i in numbers if i not in client.came]
    return len(numbers), lost, longest


def main():
    service, name, rate, restarts, how, ready, log, *command = sys.argv[1:]
    dataplane = DataPlane(ready, log, command)
    wait_answer(service, name)
    client = Client(service, name, int(rate))
    client.start()
    time.sleep(BEFORE_S)
    spans = []
    for _ in range(int(restarts)):
        at = time.monotonic()
        end_ms = dataplane.end(signal.SIGKILL if how == "KILL" else signal.SIGTERM)
        start_ms, text = dataplane.start()
        line = re.search(rb"started in .*", text)
        time.sleep(AFTER_S)
        spans.append((at, time.monotonic(), end_ms, start_ms, line.group().decode() if line else ""))
    client.stop = True
    client.join()
    dataplane.end(signal.SIGTERM)
    outside = set(gap(client, spans[0][0] - BEFORE_S / 2, time.monotonic())[1])
    for at, until, end_ms, start_ms, line in spans:
        sent, lost, longest = gap(client, at, until)
        outside -= set(lost)
        late = max((client.came[i] - t for i, t in enumerate(client.sent) if i in client.came and at <= t < until), default=0)
        print(json.dumps({"sent": sent, "lost": len(lost), "gap_ms": round(longest * 1000, 1),
                          "slowest_ms": round(late * 1000, 1), "end_ms": round(end_ms, 1), "start_ms": round(start_ms, 1),
                          "lost_at_ms": [round((t - at) * 1000) for t in (lost[0], lost[-1])] if lost else [],
                          "log": line}), flush=True)
    print(json.dumps({"wrong": client.wrong, "lost_outside": len(outside)}))
    sys.exit(1 if client.wrong or outside else 0)


if __name__ == "__main__":
    main()
