# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of lying upstreams share: the zoo's zones and its log."""
import collections
import pathlib

from harness import lab_section, logged

ZOO, GRAVE, CASE, EDNS, PACK, BYE = (f"{first}.example" for first in ("zoo", "grave", "case", "edns", "pack", "bye"))
LOG = pathlib.Path("/run/smoke/zoo.log")
TRUTH, LIE = "198.18.200.1", "198.18.66.6"
Sent = collections.namedtuple("Sent", "proto port edns id source")


def served(zone, *ports):
    """Forwarding zones with one more, of these servers: nothing was learnt of them before, and nothing stays
    but for some moments, for who has the same ones again."""
    servers = ", ".join(f"'127.0.0.1:{port}'" for port in ports)
    return f"{lab_section('forward_zones')}  - {{name: {zone}, servers: [{servers}]}}"


def log():
    """name -> what was sent for it, in order."""
    out = collections.defaultdict(list)
    for line in logged(LOG):
        proto, port, edns, ident, source, name = line.split(" ", 5)
        out[name].append(Sent(proto, int(port), edns == "1", int(ident), int(source)))
    return out


def sent(name):
    return log()[name.lower()]


def questions(name):
    """The same without repetitions: who is late for a busy machine is sent the same question again."""
    return list(dict.fromkeys(sent(name)))


def believed(reply):
    assert reply.rcode == "NOERROR" and reply.records("A") == [TRUTH], reply.msg


def refused(reply):
    """SERVFAIL without a record: never an empty NOERROR, never what could not be believed."""
    assert reply.rcode == "SERVFAIL" and not reply.msg.answer and not reply.msg.authority, reply.msg
    assert reply.seconds < 8, f"after {reply.seconds:.1f} s"
