# SPDX-License-Identifier: BSD-3-Clause
"""Zone files (RFC 1035, section 5) as records, and what weir makes of them."""
import dataclasses
import re

from . import names, servers, source
from .account import PRIVACY

LINES_MAX, WORDS_MAX = 400000, 200
TOKEN = re.compile(r'(?P<quoted>"(?:[^"\\\n]|\\.)*"?)|(?P<comment>;[^\n]*)|(?P<paren>[()])|(?P<end>\n)|(?P<blank>[ \t\r]+)|'
                   r'(?P<word>(?:[^\s"();\\]|\\.)+)|(?P<odd>.)', re.S)
NAME_LAST = ("CNAME", "PTR", "MX", "SRV")  # types whose data ends with a name
NAME_SECOND = ("SVCB", "HTTPS")
OF_ZONE = ("NS", "DNSKEY", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DS", "CDS", "CDNSKEY", "ZONEMD")
CLASSES = ("IN", "CH", "HS", "CS", "ANY")
PROTOCOLS = {"udp": "", "tcp": "tcp://", "tls": "tls://", "https": "https://", "httpsjson": "https://", "quic": "quic://"}


@dataclasses.dataclass
class Line:
    number: int
    has_owner: bool  # it begins without a blank
    words: list


@dataclasses.dataclass
class Entry:
    """A record, or a directive without a type. Names are absolute, without a dot at the end; "" is the root."""
    number: int
    owner: str
    type: str
    words: list
    ttl: int | None = None


def lines(text, path):
    """The lines with their words; those in parentheses are one."""
    number, line, depth, fresh, count = 1, None, 0, True, 0
    joined = False  # the next word continues the last one: alpn="h2"
    for token in TOKEN.finditer(text):
        kind, value = token.lastgroup, token[0]
        if line is None:
            line = Line(number, True, [])
        if kind == "end":
            number += 1
            joined = False
            if depth:
                continue
            if line.words:
                count += 1
                yield line
            line, fresh = None, True
            if count > LINES_MAX:
                raise source.Refused(f"{path}: has more than {LINES_MAX} records")
            continue
        if kind == "paren":
            depth = depth + 1 if value == "(" else max(depth - 1, 0)
        elif kind == "blank" and fresh:
            line.has_owner = False
        elif kind in ("quoted", "word", "odd"):
            if joined:
                line.words[-1] += value
            elif len(line.words) < WORDS_MAX:
                line.words.append(value)
        joined = kind in ("quoted", "word", "odd") and bool(line.words)
        fresh = False
    if line is not None and line.words:
        yield line


def absolute(name, origin):
    if name == "@":
        return origin
    if name.endswith("."):
        return name[:-1]
    return f"{name}.{origin}" if origin else name


def parse(text, origin, path):
    """The Entries."""
    owner, ttl = origin, None
    for line in lines(text, path):
        words = list(line.words)
        if line.has_owner and words[0].startswith("$"):
            word = words[0].upper()
            if word == "$ORIGIN" and len(words) > 1:
                origin = absolute(words[1], origin)
            elif word == "$TTL" and len(words) > 1:
                ttl = names.seconds(words[1].lower())
            else:
                yield Entry(line.number, word, "", words[1:])
            continue
        if line.has_owner:
            owner = absolute(words.pop(0), origin)
        own_ttl, kind = ttl, None
        while words and kind is None:
            word = words.pop(0)
            if word[0].isdigit() and names.seconds(word.lower()) is not None:
                own_ttl = names.seconds(word.lower())
            elif word.upper() not in CLASSES:
                kind = word.upper()
            elif word.upper() != "IN":
                kind = f"class {word.upper()}"
        if kind:
            at = len(words) - 1 if kind in NAME_LAST else 1 if kind in NAME_SECOND else None
            if at is not None and 0 <= at < len(words) and words[at] != ".":
                words[at] = absolute(words[at], origin) + "."
            yield Entry(line.number, owner, kind, words, own_ttl)


def _quoted(word):
    return word if word.startswith('"') else '"' + word.replace('"', '\\"') + '"'


def forwarder(protocol, text):
    """A Server of Technitium's notation: "dns.quad9.net:853 (9.9.9.9:853)", or None."""
    begin = PROTOCOLS.get(protocol.lower())
    if begin is None:
        return None
    name, _, address = text.partition(" (")
    server = servers.parse(name if "://" in name else begin + name)
    ip = servers.parse(address.rstrip(")")) if address else None
    if server and ip and names.address(ip.host) is not None and names.address(server.host) is None:
        server.name, server.host = (server.host if server.scheme else ""), ip.host
    return server


def _forward(model, node, entry):
    words = [word.strip('"') for word in entry.words]
    if len(words) < 2:
        return node.impossible("it has no server")
    zone = entry.owner or "."
    if words[1] == "this-server":
        if not entry.owner:
            return node.usual("the server resolves names itself")
        return model.exempt_zone(node, zone)
    items = model.upstreams
    if entry.owner:
        found = model.zone(node, zone)
        if found is None:
            return None
        items = found.servers
    model._server(node, items, forwarder(words[0], words[1]), words[1], None)
    if zone.startswith("*."):
        node.differently(f"the zone {zone[2:][:100]} holds the name itself, too", "forward_zones")
    if len(words) > 4 and words[4].lower() in ("http", "socks5"):
        node.impossible(f"{words[1][:100]}: weir asks servers without a proxy", PRIVACY)
    return None


def _of_zone(node, entry, apexes):
    if entry.type == "NS" and entry.owner not in apexes:
        return node.impossible(f"{entry.owner[:100]}: a delegation is left out: give its servers in forward_zones")
    if entry.type == "NS":
        return node.needless("weir needs no name servers for its own local zones")
    return node.needless("weir does not sign local records")


def take(model, root, text, origin, path, first=1):
    """Gives each record a Node below `root`, and the model its records. Returns the number of those that have a type."""
    entries = list(parse(text, origin, path))
    apexes = {e.owner for e in entries if e.type == "SOA"} or {origin}
    forwards = {e.owner for e in entries if e.type == "FWD"}
    count = 0
    for e in entries:
        name = f"{e.owner or '.'} {e.type}" if e.type else e.owner
        data = " ".join(e.words)
        node = root.child(name, first + e.number - 1, "flag", data)
        count += bool(re.fullmatch("[A-Z0-9-]+", e.type))
        if not e.type:
            node.impossible(f"`{e.owner} {data[:100]}`: the line is left out")
        elif e.type == "SOA":
            if e.owner in forwards:
                node.needless("a zone that is forwarded is not weir's own")
            elif not e.owner:
                node.impossible("weir has no root zone of its own")
            else:
                model.name(node, model.closed_zones, e.owner)
        elif e.type == "FWD":
            _forward(model, node, e)
        elif e.type in OF_ZONE:
            _of_zone(node, e, apexes)
        else:
            value = " ".join(map(_quoted, e.words)) if e.type == "TXT" else data
            model.record(node, e.owner, e.type, value, e.ttl)
    return count
