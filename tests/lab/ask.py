# SPDX-License-Identifier: BSD-3-Clause
"""DNS by sockets in the namespace of the lab's clients: over UDP, TCP, TLS and HTTPS, IPv4 and IPv6."""
import contextlib
import ctypes
import socket
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.reversename

import encrypted
from dnswire import framed, message_from
from wait import PATIENCE, NotYet, stalls

SERVICE = {4: "198.18.0.53", 6: "fd53::53"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
PORTS = {"udp": 53, "tcp": 53, **encrypted.PORTS}
AGAIN = 5  # seconds, which weir's deadline for a miss does not reach: a datagram was lost
libc = ctypes.CDLL(None, use_errno=True)
ids = iter(range(1, 1 << 62))


@contextlib.contextmanager
def client_namespace():
    """Sockets that this thread opens inside stay in the client namespace."""
    with open("/proc/thread-self/ns/net") as ours, open("/run/netns/weir-client") as theirs:
        enter(theirs)
        try:
            yield
        finally:
            enter(ours)


def enter(namespace):
    if libc.setns(namespace.fileno(), 0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


def query(name, rdtype="A", *, rdclass="IN", flags="RD", edns=None, size=1232, do=False, options=(), version=0, eflags=0,
          ident=None):
    """Bytes of a query. With edns=True, do, options, version or eflags it has an OPT. Letter case stays."""
    msg = dns.message.make_query(name, rdtype, rdclass)
    msg.flags = dns.flags.from_text(flags)
    msg.id = ident if ident is not None else next(ids) * 40503 & 0xffff
    if edns or do or options or version or eflags:
        msg.use_edns(version, eflags | (dns.flags.DO if do else 0), size, options=list(options))
    return msg.to_wire()


class Reply:
    def __init__(self, wire):
        self.wire, self.msg = wire, dns.message.from_wire(wire)
        self.rcode = dns.rcode.to_text(self.msg.rcode())

    def __repr__(self):
        return f"{self.rcode} {self.short}".strip()

    @property
    def texts(self):
        """The data of the answer's records, in order."""
        return [rdata.to_text() for rrset in self.msg.answer for rdata in rrset]

    @property
    def short(self):
        return " ".join(self.texts)

    @property
    def result(self):
        """The last address or other data of the answer; without one NODATA, or the code."""
        return self.rcode if self.rcode != "NOERROR" else self.texts[-1] if self.texts else "NODATA"

    @property
    def ttl(self):
        return self.msg.answer[0].ttl

    @property
    def ede(self):
        return [int(option.code) for option in self.msg.options if option.otype == dns.edns.EDE]


class DnsClient:
    """ask("a.test") returns the Reply. A SERVFAIL fails the test, unless it may_fail; it asks again only if the machine stood
    still meanwhile. `lost` counts datagrams that it sent again, `again` those questions."""

    lost = again = 0

    def connect(self, over="udp", family=4, client=None):
        with client_namespace():
            sock = socket.socket(FAMILY[family], socket.SOCK_DGRAM if over == "udp" else socket.SOCK_STREAM)
        sock.settimeout(PATIENCE)
        if client:
            sock.bind((client, 0))
        sock.connect((SERVICE[family], PORTS[over]))
        if over in ("dot", "doh"):
            return encrypted.connection(over, sock, gets=family == 6)
        return sock

    def exchange(self, wire, over="udp", family=4, client=None):
        """The bytes of the reply."""
        with self.connect(over, family, client) as sock:
            if over == "doh":
                sock.ask(wire)
                sock.flush()
                return sock.reply()
            if over != "udp":
                sock.sendall(framed(wire))
                return message_from(sock)
            sock.settimeout(AGAIN)
            for _ in range(max(1, int(PATIENCE / AGAIN))):
                sock.send(wire)
                with contextlib.suppress(TimeoutError):
                    return sock.recv(65535)
                self.lost += 1
            raise NotYet("no reply")

    def ask(self, name, rdtype="A", *, client=None, over="udp", family=4, may_fail=False, **how):
        wire = query(name, rdtype, **how)
        for last in (False, False, False, True):
            began = time.monotonic()
            reply = Reply(self.exchange(wire, over, family, client))
            assert reply.msg.id == dns.message.from_wire(wire).id, "a reply to another query"
            if reply.rcode != "SERVFAIL" or may_fail:
                return reply
            if last or stalls.last < began:
                raise NotYet(f"SERVFAIL for {name} {rdtype}: {reply.msg}")
            self.again += 1

    def short(self, name, rdtype="A", **how):
        return self.ask(name, rdtype, **how).short

    def result(self, name, rdtype="A", **how):
        return self.ask(name, rdtype, **how).result

    def pointer(self, address, **how):
        return self.short(dns.reversename.from_address(address), "PTR", **how)

    def dropped(self, name, then, client=None):
        """Whether no reply comes for the name before the one for `then`, sent behind it, which a worker answers by itself."""
        first, second = query(name), query(then)
        with self.connect(client=client) as sock:
            sock.settimeout(AGAIN)
            for _ in range(max(1, int(PATIENCE / AGAIN))):
                sock.send(first)
                sock.send(second)
                with contextlib.suppress(TimeoutError):
                    return sock.recv(65535)[:2] == second[:2]
                self.lost += 1
            raise NotYet("no reply")
