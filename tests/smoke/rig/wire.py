# SPDX-License-Identifier: BSD-3-Clause
"""Frames by hand, for the smoke tests: many clients behind one interface, and every reply checked byte by byte.

Runs inside the lab's client namespace. Nothing here shares code with the product.
"""
import fcntl
import pathlib
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
from dnswire import framed, message_from, name_wire, query  # noqa: E402, F401: those who have frames have messages

SERVICE4, SERVICE6 = "198.18.0.53", "fd53::53"
IFACE = "wt0"


def mac_of(iface):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    raw = fcntl.ioctl(sock, 0x8927, struct.pack("256s", iface.encode()))  # SIOCGIFHWADDR
    sock.close()
    return raw[18:24]


def service_mac():
    """The service's MAC as the kernel learnt it (a ping makes it learn)."""
    for _ in range(50):
        subprocess.run(["ping", "-c1", "-W1", SERVICE4], capture_output=True)
        out = subprocess.run(["ip", "neigh", "show", SERVICE4], capture_output=True, text=True).stdout.split()
        if "lladdr" in out:
            return bytes.fromhex(out[out.index("lladdr") + 1].replace(":", ""))
        time.sleep(0.1)
    raise SystemExit("the service's MAC cannot be learnt")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp4(src_mac, dst_mac, src, sport, payload, dst=SERVICE4, dport=53):
    length = 8 + len(payload)
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 17, length)
    head = struct.pack("!4H", sport, dport, length, 0)
    csum = checksum(pseudo + head + payload) or 0xFFFF
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0)
    ip += socket.inet_aton(src) + socket.inet_aton(dst)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return dst_mac + src_mac + b"\x08\0" + ip + head[:6] + struct.pack("!H", csum) + payload


def tagged(frame, vid):
    return frame[:12] + struct.pack("!HH", 0x8100, vid) + frame[12:]


def tag_socket(iface):
    """A packet socket whose messages tell the tag that the kernel took off a frame."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(263, 8, 1)  # PACKET_AUXDATA
    sock.bind((iface, 0))
    return sock


def tag_of(extra):
    """The VLAN in a message's ancillary data, 0 without a tag."""
    for level, kind, data in extra:  # struct tpacket_auxdata
        if level == 263 and kind == 8 and struct.unpack("I", data[:4])[0] & 0x10:
            return struct.unpack("H", data[16:18])[0] & 0xFFF
    return 0


def tcp4(src_mac, dst_mac, src, sport, flags, seq, dst=SERVICE4, dport=53):
    """A segment with these flags; a SYN has the option that says how long one may be."""
    syn = flags & 2
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, 0 if syn else seq, 0x60 if syn else 0x50, flags, 64240, 0, 0)
    tcp += struct.pack("!BBH", 2, 4, 1460) if syn else b""
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + pseudo[:8]
    return dst_mac + src_mac + b"\x08\0" + ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


def udp6(src_mac, dst_mac, src, sport, payload, dst=SERVICE6, dport=53):
    length = 8 + len(payload)
    src, dst = socket.inet_pton(socket.AF_INET6, src), socket.inet_pton(socket.AF_INET6, dst)
    head = struct.pack("!4H", sport, dport, length, 0)
    csum = checksum(src + dst + struct.pack("!II", length, 17) + head + payload) or 0xFFFF
    ip = struct.pack("!IHBB", 0x60000000, length, 17, 64) + src + dst
    return dst_mac + src_mac + b"\x86\xdd" + ip + head[:6] + struct.pack("!H", csum) + payload


def capture(path, frames):
    """A file of frames for net_pcap."""
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            f.write(struct.pack("=4I", 0, 0, len(frame), len(frame)) + frame)


class Port:
    """The client interface as raw frames, both ways, or only out: one that hears gets a copy of all that passes."""

    def __init__(self, iface=IFACE, hears=True):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3) if hears else 0)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.sock.bind((iface, 0))
        self.sock.setblocking(False)
        self.mac, self.peer = mac_of(iface), service_mac()
        self.iface, self.sent, self.left_before = iface, 0, 0
        self.left_before = self.left()
        self.drain()

    def send(self, frame):
        while True:
            try:
                self.sock.send(frame)
                self.sent += 1
                return
            except (BlockingIOError, OSError) as error:
                if getattr(error, "errno", None) not in (11, 105):
                    raise
                time.sleep(0.0005)

    def left(self):
        """Frames, others' too, that the other side of the interface has taken or that found its queue full, since the start."""
        with open("/proc/net/dev") as devices:
            line = next(l for l in devices if l.strip().startswith(self.iface + ":")).split(":")[1].split()
        return int(line[9]) + int(line[11]) - self.left_before

    def settle(self):
        """Waits until nearly all that was sent has been taken: a queue that is full throws away. What no longer moves was thrown
        away where nobody counts it."""
        left = self.left()
        moved = time.monotonic()
        while self.sent - left > 100:
            time.sleep(0.001)
            before, left = left, self.left()
            if left > before:
                moved = time.monotonic()
            elif time.monotonic() > moved + 0.3:
                self.sent = left

    def drain(self):
        """Replies that are here: (client address, client port, DNS message), checksums checked."""
        out = []
        while True:
            try:
                frame, where = self.sock.recvfrom(65535)
            except BlockingIOError:
                return out
            if where[2] == socket.PACKET_OUTGOING:
                continue
            reply = self.reply(frame)
            if reply:
                out.append(reply)

    @staticmethod
    def reply(frame):
        if frame[12:14] == b"\x08\0" and frame[23] == 17:
            size = struct.unpack("!H", frame[16:18])[0]
            src, dst, udp = frame[26:30], frame[30:34], frame[34:14 + size]
            if udp[:2] != b"\0\x35":
                return None
            assert frame[14] == 0x45 and checksum(frame[14:34]) == 0, "IPv4 header checksum"
            pseudo = src + dst + struct.pack("!BBH", 0, 17, len(udp))
            assert udp[6:8] == b"\0\0" or checksum(pseudo + udp) == 0, "UDP checksum over IPv4"
            client = socket.inet_ntoa(dst)
        elif frame[12:14] == b"\x86\xdd" and frame[20] == 17:
            size = struct.unpack("!H", frame[18:20])[0]
            src, dst, udp = frame[22:38], frame[38:54], frame[54:54 + size]
            if udp[:2] != b"\0\x35":
                return None
            assert checksum(src + dst + struct.pack("!II", len(udp), 17) + udp) == 0, "UDP checksum over IPv6"
            client = socket.inet_ntop(socket.AF_INET6, dst)
        else:
            return None
        assert struct.unpack("!H", udp[4:6])[0] == len(udp), "UDP length"
        return client, struct.unpack("!H", udp[2:4])[0], udp[8:]

    def collect(self, seconds, until=None):
        """Replies over a time, or until there are `until` of them."""
        end, out = time.monotonic() + seconds, []
        while time.monotonic() < end and (until is None or len(out) < until):
            got = self.drain()
            out += got
            if not got:
                time.sleep(0.002)
        return out
