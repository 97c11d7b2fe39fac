# SPDX-License-Identifier: BSD-3-Clause
"""Commands in the guest, through the runner on a virtio-serial port (guest/weir-runner says what it reads and writes)."""
import base64
import itertools
import socket
import time


class GuestError(Exception):
    """A command that failed, or no reply of the guest."""


class Guest:
    """The socket of the port. One command at a time."""

    def __init__(self, path):
        self.path = path
        self.ids = itertools.count(1)
        self.line = None
        self.rest = b""

    def connect(self):
        self.close()
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(str(self.path))
        self.rest = b""

    def close(self):
        if self.line:
            self.line.close()
        self.line = None

    def reply(self, number, end):
        """The status and the output of command `number`; None at the time `end`."""
        while True:
            while b"\n" in self.rest:
                line, self.rest = self.rest.split(b"\n", 1)
                words = line.split(b" ")
                if words[0] == str(number).encode():
                    return int(words[1]), base64.b64decode(words[2] if len(words) > 2 else b"").decode(errors="replace")
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.line.settimeout(left)
            try:
                data = self.line.recv(1 << 20)
            except socket.timeout:
                return None
            if not data:
                raise GuestError("QEMU closed the port of the guest's runner")
            self.rest += data

    def run(self, command, seconds=120):
        """The status and the output of a shell command. The guest kills it after `seconds`."""
        if not self.line:
            self.connect()
        number = next(self.ids)
        request = f"{number} {seconds} {base64.b64encode(command.encode()).decode()}\n"
        self.line.sendall(request.encode())
        answer = self.reply(number, time.monotonic() + seconds + 30)
        if answer is None:
            raise GuestError(f"no reply to: {command}")
        return answer

    def do(self, command, seconds=120):
        """The output of a command that must succeed."""
        status, out = self.run(command, seconds)
        if status:
            raise GuestError(f"status {status} of: {command}\n{out}")
        return out.strip()

    def ready(self, seconds):
        """Waits for the runner. A line that the port lost (a machine brought back by loadvm) is sent again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.connect()
            number = next(self.ids)
            self.line.sendall(f"{number} 5 {base64.b64encode(b'true').decode()}\n".encode())
            if self.reply(number, min(end, time.monotonic() + 15)):
                return
        raise GuestError(f"the guest has no runner after {seconds} s")
