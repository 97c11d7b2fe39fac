# SPDX-License-Identifier: BSD-3-Clause
"""What the conformance tests are written with. A test is a function with @case, named RFC number, section, what.

	@case                                   runs four times: UDP and TCP over IPv4 and IPv6
	def rfc1035_4_1_1_id_is_copied(way):
		way.ask(way.fresh("a"))

	@case(ways=[UDP4])                      once (UDP, TCP: over both families)
	@case(alone=True)                       with nothing else beside it: changes the configuration, counts, waits
	@case(resolvers=1)                      what two resolvers do twice: left out where WEIR_RESOLVERS says so many
	@case(ways=TCP, over=TLS)               of the encrypted transports with TLS alone; over=CLEAR: with none

What a test does over TCP it also does over TLS and HTTPS, in a run with --over. `over` is for a test that itself
writes lengths, which HTTPS has not, or that is about TCP.

	alike(check, NAME=(ways, argument...), ...)   tests that are alike: each is check(way, argument...)

Every reply that a Way receives goes through `judge` (oracle.py) before the test sees it.
"""
import json
import os
import pathlib
import socket
import ssl
import sys
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
import ask
import encrypted
from ask import query
from dnswire import framed, message_from
from control import CONFIG as CONFIG_PATH, Control, Refused
from oracle import judge
from wait import together, wait as eventually

SERVICE = {socket.AF_INET: ask.SERVICE[4], socket.AF_INET6: ask.SERVICE[6]}
CLIENT = {socket.AF_INET: "198.18.0.2", socket.AF_INET6: "fd53::2"}
ZONE = "c.example"  # below it the honest upstream answers
LOG = pathlib.Path("/run/smoke/authority.log")
CONFIG = pathlib.Path(CONFIG_PATH)
FRONTENDS, RESOLVERS = int(os.environ.setdefault("WEIR_FRONTENDS", "2")), int(os.environ.get("WEIR_RESOLVERS", 1))
PATIENCE = 10  # seconds for what takes milliseconds on a machine with nothing else to do
control = Control()

UDP4, TCP4 = ("udp", socket.AF_INET), ("tcp", socket.AF_INET)
UDP6, TCP6 = ("udp", socket.AF_INET6), ("tcp", socket.AF_INET6)
UDP, TCP = [UDP4, UDP6], [TCP4, TCP6]
EVERY = UDP + TCP
CLEAR, TLS, ENCRYPTED = (), ("dot",), ("dot", "doh")
cases = []


def case(function=None, *, ways=EVERY, alone=False, resolvers=RESOLVERS, over=ENCRYPTED):
    def register(test):
        if RESOLVERS <= resolvers:
            cases.append((test, ways, alone, over))
        return test
    return register(function) if function else register


def alike(check, alone=False, **tests):
    """Tests that are alike, NAME=(ways, argument...): each is check(way, argument...)."""
    for name, (ways, *arguments) in tests.items():
        def test(way, arguments=arguments):
            check(way, *arguments)
        test.__name__ = name
        case(ways=ways, alone=alone)(test)


class Reply:
    def __init__(self, query, wire, seconds):
        self.wire, self.seconds = wire, seconds
        self.msg = judge(query, wire)
        self.rcode = dns.rcode.to_text(self.msg.rcode())

    def has(self, flag):
        return bool(self.msg.flags & dns.flags.from_text(flag))

    def records(self, rdtype, section="answer"):
        """The texts of the records of a type in a section, sorted."""
        kind = dns.rdatatype.from_text(rdtype)
        return sorted(rdata.to_text() for rrset in getattr(self.msg, section) if rrset.rdtype == kind for rdata in rrset)

    def soa(self):
        """The SOA of a negative answer: (TTL, MINIMUM), or None."""
        for rrset in self.msg.authority:
            if rrset.rdtype == dns.rdatatype.SOA:
                return rrset.ttl, rrset[0].minimum
        return None

    def ede(self):
        return [int(option.code) for option in self.msg.options if option.otype == dns.edns.EDE]

    def option(self, number):
        return [option for option in self.msg.options if option.otype == number]

    def ttls(self):
        return [rrset.ttl for rrset in self.msg.answer]


unanswered = []  # sockets over UDP: a late reply must not come to a later one of the same port


class Way:
    """How a test asks: transport, family, and names that nobody else uses."""

    def __init__(self, proto, family, number):
        self.proto, self.family, self.number, self.names = proto, family, number, 0
        self.title = proto + ("4" if family == socket.AF_INET else "6")

    def fresh(self, first="a", zone=ZONE):
        """A name never asked before; its first label says how upstream answers."""
        self.names += 1
        return f"{first}.n{self.names}-{self.title}-{self.number}.{zone}"

    def address(self):
        return (SERVICE[self.family], encrypted.PORTS.get(self.proto, 53))

    def socket(self, source=None):
        kind = socket.SOCK_DGRAM if self.proto == "udp" else socket.SOCK_STREAM
        sock = socket.socket(self.family, kind)
        sock.settimeout(PATIENCE)
        if source:
            sock.bind((source, 0))
        sock.connect(self.address())
        if self.proto in encrypted.PORTS:
            return encrypted.connection(self.proto, sock, gets=self.family == socket.AF_INET6)
        return sock

    def send(self, sock, *wires):
        """Together, if there are several."""
        if self.proto == "doh":
            for wire in wires:
                sock.ask(wire)
            sock.flush()
        elif self.proto == "udp":
            for wire in wires:
                sock.sendall(wire)
        else:
            sock.sendall(b"".join(map(framed, wires)))

    def receive(self, sock, seconds=PATIENCE):
        """The next message, or None at the end of time or of the connection."""
        sock.settimeout(seconds)
        try:
            if self.proto == "udp":
                return sock.recv(65535)
            if self.proto == "doh":
                return sock.reply()
            return message_from(sock)
        except (socket.timeout, ConnectionError, EOFError, ssl.SSLError):
            return None

    def exchange(self, wire, seconds=PATIENCE, source=None):
        """The bytes of the reply, unchecked, or None. Over UDP it asks three times: a loaded machine may lose one."""
        if self.proto != "udp":
            with self.socket(source) as sock:
                self.send(sock, wire)
                return self.receive(sock, seconds)
        for _ in range(3):
            sock = self.socket(source)
            self.send(sock, wire)
            reply = self.receive(sock, seconds / 3)
            if reply is not None:
                sock.close()
                return reply
            unanswered.append(sock)
        return None

    def silence(self, wire, seconds=1.0):
        """Nobody answers this. Over UDP by order: the first reply belongs to the query behind it."""
        behind = query(self.fresh("a"), ident=(wire[0] ^ 1) << 8 | wire[1])
        with self.socket() as sock:
            def first():  # a busy machine may lose it
                self.send(sock, wire, behind)
                return self.receive(sock, 2)
            if self.proto == "udp":
                reply = eventually(first)
                assert reply[:2] == behind[:2], f"a reply: {reply.hex()}"
                return
            self.send(sock, wire)
            reply = self.receive(sock, seconds)
        assert reply is None, f"a reply: {reply.hex()}"

    def raw(self, wire, seconds=PATIENCE):
        began = time.monotonic()
        reply = self.exchange(wire, seconds)
        assert reply is not None, "no reply"
        return Reply(wire, reply, time.monotonic() - began)

    def ask(self, name, rdtype="A", **how):
        return self.raw(query(name, rdtype, **how))

    def twice(self, name, rdtype="A", **how):
        """Both replies, of a miss and of a hit."""
        for _ in range(2):
            yield self.ask(name, rdtype, **how)

    def cached(self, name, rdtype="A", **how):
        """This was asked before: four more times bring fewer than four queries upstream. None, but on a busy machine the
        first one's may have been repeated."""
        before = len(asked(name))
        for _ in range(4):
            reply = self.ask(name, rdtype, **how)
        assert len(asked(name)) - before < 4, "not cached"
        return reply


def option(number, data=b""):
    return dns.edns.GenericOption(number, data)


def logged(path):
    """The lines of a server's log, but for one that is still being written."""
    text = path.read_text(errors="replace")
    return text[:text.rfind("\n") + 1].split("\n")[:-1]


def asked(name):
    """What upstream was asked for this name, in order."""
    want, text = dns.name.from_text(name), dns.name.from_text(name).to_text().lower()
    found = []
    for line in logged(LOG):
        if text not in line.lower():
            continue
        entry = json.loads(line)
        if "name" in entry and dns.name.from_text(entry["name"]) == want:
            found.append(entry)
    return found


def verdicts(*names):
    """How many frames had one of these."""
    counts = control.get("dataplane")["stats"]["verdicts"]
    return sum(counts.get(name, 0) for name in names)


def sections(text):
    """A configuration as its top-level sections, each with its text."""
    out, key = {}, ""
    for line in text.splitlines(keepends=True):
        if line[:1].isalpha():
            key = line.split(":")[0]
        out[key] = out.get(key, "") + line
    return out


class configured:
    """with configured(cache="cache: {stale: immediate}"): these sections in place of the lab's own, by a live reload."""

    def __init__(self, **changes):
        self.changes = changes

    def __enter__(self):
        self.before = CONFIG.read_text()
        now = sections(self.before)
        now.update({key: text + "\n" for key, text in self.changes.items()})
        self.reload("".join(now.values()))

    def __exit__(self, *_):
        self.reload(self.before)

    def reload(self, text):
        CONFIG.write_text(text)
        control.activate("config/reload", keep=1)


def refuses(**changes):
    """Whether these sections are turned down, and what was in force stays."""
    live = configured(**changes)
    try:
        live.__enter__()
    except Refused:
        CONFIG.write_text(live.before)
        return True
    live.__exit__()
    return False


OURS = pathlib.Path(__file__).parent / "config.yaml"


def lab_section(key):
    """A section of config.yaml, for more to be put behind it."""
    return sections(OURS.read_text())[key].rstrip() + "\n"


def configure_lab():
    """The lab's configuration with the sections of config.yaml."""
    now = sections(CONFIG.read_text())
    now.update(sections(OURS.read_text()))
    CONFIG.write_text("".join(text if text.endswith("\n") else text + "\n" for text in now.values()))
