# SPDX-License-Identifier: BSD-3-Clause
"""Servers in the notations of other resolvers, made into weir's.

9.9.9.9  9.9.9.9#53  9.9.9.9:53  9.9.9.9@53  [2620:fe::fe]:53  udp://  tcp+udp:  tcp://  tcp:
tls://dns.quad9.net  tcp-tls:dns.quad9.net:853  9.9.9.9@853#dns.quad9.net (unbound, over TLS)
https://dns.quad9.net/dns-query  h3://
"""
import dataclasses
import re

from . import names

SERVERS_MAX, BOOTSTRAP_MAX, PTR_MAX = 16, 8, 4
SCHEMES = {"udp://": "", "tcp://": "tcp", "tls://": "tls://", "dot://": "tls://", "https://": "https://", "h3://": "https://",
           "tcp-tls:": "tls://", "tcp+udp:": "", "udp:": "", "tcp:": "tcp"}
USUAL = {"": 53, "tls://": 853, "https://": 443}
PATH = re.compile(r"/[A-Za-z0-9._~/!$&'()*+,;=:@%-]{0,119}")


@dataclasses.dataclass
class Server:
    scheme: str  # "", "tls://", "https://"
    host: str
    name: str = ""  # that a certificate must have
    path: str = ""
    port: int = 0  # 0: the usual one
    is_tcp: bool = False

    def is_named(self):
        """Does weir need upstreams.bootstrap to find it?"""
        return not self.name and names.address(self.host) is None

    def text(self):
        port = f":{self.port}" if self.port and self.port != USUAL[self.scheme] else ""
        host = f"[{self.host}]" if ":" in self.host and (port or self.scheme) else self.host
        return f"{self.scheme}{self.name}{'@' if self.name else ''}{host}{port}{self.path}"

    def is_possible(self):
        """Can a host have its address?"""
        ip = names.address(self.host)
        return ip is None or not (ip.is_unspecified or ip.is_multicast or (ip.version == 4 and int(ip) >= 224 << 24))


def _host(text):
    """(host, port) of "host", "host:port", "host#port", "host@port", "[v6]:port" or "v6"; None: none of these."""
    if text.startswith("["):
        found = re.fullmatch(r"\[([^\]]*)\](?:[:#@](.*))?", text)
        if not found:
            return None
        host, port = found.groups()
    elif names.address(text) is not None:
        host, port = text, None
    else:
        found = re.fullmatch(r"([^#@]*)[#@](.*)", text) or re.fullmatch(r"(.*):([^:]*)", text)
        host, port = found.groups() if found else (text, None)
    if port is not None and not (re.fullmatch(r"\d{1,5}", port) and port.isascii() and 0 < int(port) < 65536):
        return None
    ip = names.address(host)
    if ip is None and not names.is_host(host):
        return None
    return str(ip) if ip is not None else names.name(host)[0], int(port or 0)


def parse(text):
    """A Server, or None: one that weir cannot ask (sdns://, quic://)."""
    scheme, is_tcp, lower = "", False, text.lower()
    for begin, kind in SCHEMES.items():
        if lower.startswith(begin):
            scheme, is_tcp, text = ("" if kind == "tcp" else kind), kind == "tcp", text[len(begin):].lstrip("/")
            break
    else:
        if "://" in text:
            return None
    host, slash, path = text.partition("/")
    path = re.split("[{?#]", slash + path)[0]
    found = _host(host)
    if not found:
        return None
    if scheme == "https://":
        path = path if len(path) > 1 else "/dns-query"
        if not PATH.fullmatch(path):
            return None
    elif path not in ("", "/"):
        return None
    return Server(scheme, found[0], "", path if scheme == "https://" else "", found[1], is_tcp)


def parse_unbound(text, over_tls):
    """unbound's notation: 9.9.9.9@853#dns.quad9.net."""
    host, _, name = text.partition("#")
    found = _host(host)
    if not found or (over_tls and name and not names.is_host(name)):
        return None
    return Server("tls://" if over_tls else "", found[0], name if over_tls else "", "", found[1])
