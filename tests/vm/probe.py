# SPDX-License-Identifier: BSD-3-Clause
"""Single queries at an even pace, for the time without a reply."""
import socket
import threading
import time

from far import SERVICE

# A query for here.lan, A.
QUERY = b"\x00\x35\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04here\x03lan\x00\x00\x01\x00\x01"


class Probe(threading.Thread):
    """One query each `pace` seconds, until `end`; `gap` is the longest time from one reply to the next."""

    def __init__(self, pace=0.02):
        super().__init__(daemon=True)
        self.pace = pace
        self.over = threading.Event()
        self.gap = 0.0
        self.replies = 0
        self.start()

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(self.pace)
            last = time.monotonic()
            while not self.over.is_set():
                try:
                    line.sendto(QUERY, (SERVICE, 53))
                    line.recv(512)
                    time.sleep(self.pace)
                    self.replies += 1
                except OSError:  # no reply yet, or no ARP reply
                    self.gap = max(self.gap, time.monotonic() - last)
                    continue
                self.gap = max(self.gap, time.monotonic() - last)
                last = time.monotonic()

    def end(self):
        self.over.set()
        self.join(10)
        return self.gap
