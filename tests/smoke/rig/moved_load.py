# SPDX-License-Identifier: BSD-3-Clause
"""Clients of an address that moves to another box, one for each way: UDP, TCP and DoT, of IPv4 and IPv6.

usage: moved_load.py ADDRESS4 ADDRESS6 STOP ZONE     until the file STOP exists; then a line for each client, as JSON:
  {"way": "udp 4", "answers": 900, "again": 0, "lost": 0, "gap_ms": 31}
Each asks one question after the other, of every second one the name is new (in ZONE). TCP and DoT keep their connection. A question
without a NOERROR in 1 s, or whose connection ends, goes out once more over a new connection (`again`); then it is `lost`. UDP asks but
once. `gap_ms`: the longest time between two answers.
"""
import json
import pathlib
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
from dnswire import exactly, framed, query  # noqa: E402

WAIT_S, PAUSE_S = 1, 0.02
PORTS = {"udp": 53, "tcp": 53, "dot": 853}


def answers(reply, message):
    return reply[:2] == message[:2] and reply[3] & 15 == 0


class Client(threading.Thread):
    def __init__(self, kind, address, stop):
        super().__init__()
        self.kind, self.address, self.stop, self.sock = kind, address, stop, None
        self.way = f"{kind} {6 if ':' in address else 4}"
        self.answers = self.again = self.lost = self.gap_ms = 0

    def connect(self):
        to = (self.address, PORTS[self.kind])
        if self.kind == "udp":
            self.sock = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.connect(to)
        else:
            self.sock = socket.create_connection(to, WAIT_S)
        self.sock.settimeout(WAIT_S)
        if self.kind == "dot":
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
            self.sock = tls.wrap_socket(self.sock)

    def ask(self, message):
        try:
            if not self.sock:
                self.connect()
            if self.kind == "udp":
                self.sock.send(message)
                return answers(self.sock.recv(4096), message)
            self.sock.sendall(framed(message))
            return answers(exactly(self.sock, struct.unpack("!H", exactly(self.sock, 2))[0]), message)
        except OSError:
            if self.sock:
                self.sock.close()
            self.sock = None
            return False

    def run(self):
        number, last = 0, time.monotonic()
        while not self.stop.exists():
            number += 1
            name = f"ok-{number}.{self.way.replace(' ', '')}.{sys.argv[4]}" if number % 2 else f"ok-3000.cached.{sys.argv[4]}"
            message = query(name, ident=number & 0xFFFF)
            if not self.ask(message):
                if self.kind == "udp" or not self.ask(message):
                    self.lost += 1
                    time.sleep(PAUSE_S)
                    continue
                self.again += 1
            now = time.monotonic()
            self.answers, self.gap_ms, last = self.answers + 1, max(self.gap_ms, round((now - last) * 1000)), now
            time.sleep(PAUSE_S)


stop_file = pathlib.Path(sys.argv[3])
clients = [Client(kind, address, stop_file) for address in sys.argv[1:3] for kind in PORTS]
for client in clients:
    client.start()
for client in clients:
    client.join()
    print(json.dumps({key: getattr(client, key) for key in ("way", "answers", "again", "lost", "gap_ms")}))
