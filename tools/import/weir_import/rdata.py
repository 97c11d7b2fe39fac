# SPDX-License-Identifier: BSD-3-Clause
"""Values of local records: what weir takes. check() returns why not, or None."""
import re

from . import names

TYPES = ("A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "PTR", "SRV", "SVCB", "TXT")
TEXT_MAX = 255  # bytes of one string


def strings(text):
    """The strings of a TXT value: "quoted" ones with escapes, or the whole text. None: a quote has no end."""
    if not text.startswith('"'):
        return [text]
    found = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    rest = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    return None if rest.strip() else found


def quoted(text):
    """A string as a zone file has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _numbers(parts, most):
    for part in parts:
        n = names.integer(part)
        if n is None or not 0 <= n <= most:
            return f"`{part[:40]}` is no number up to {most}"
    return None


def _is_target(text):
    return text == "." or names.name(text)[0] is not None


def _named(text, numbers):
    parts = text.split()
    if len(parts) != numbers + 1:
        return f"it is not {numbers} number{'s' if numbers > 1 else ''} and a name"
    return _numbers(parts[:-1], 65535) or (None if _is_target(parts[-1]) else f"`{parts[-1][:100]}` is no domain name")


def _caa(text):
    found = re.fullmatch(r'(\d{1,3})\s+([A-Za-z0-9]{1,255})\s+(".*"|\S+)', text)
    if not found or int(found[1]) > 255:
        return "it is not a number, a tag and a value"
    value = strings(found[3])
    return None if value is not None and len(value) == 1 else "its value has no end"


def _svcb(text):
    parts = text.split()
    if len(parts) < 2:
        return "it is not a number and a name"
    why = _numbers(parts[:1], 65535)
    if why or not _is_target(parts[1]):
        return why or f"`{parts[1][:100]}` is no domain name"
    known = re.compile(r'(alpn|port|ipv4hint|ipv6hint|ech|dohpath|mandatory|key\d{1,5})=("[^"]*"|\S+)|no-default-alpn')
    odd = next((p for p in parts[2:] if not known.fullmatch(p)), None)
    return f"weir does not know its parameter `{odd[:60]}`" if odd else None


def check(kind, value):
    if not names.is_printable(value):
        return "it is not printable ASCII"
    if kind in ("A", "AAAA"):
        ip = names.address(value)
        return None if ip is not None and ip.version == (4 if kind == "A" else 6) else "it is no such address"
    if kind in ("CNAME", "PTR"):
        found, why = names.name(value)
        return None if found else f"`{value[:200]}` {why}"
    if kind == "MX":
        return _named(value, 1)
    if kind == "SRV":
        return _named(value, 3)
    if kind == "CAA":
        return _caa(value)
    if kind in ("HTTPS", "SVCB"):
        return _svcb(value)
    parts = strings(value)
    if parts is None:
        return "a quote has no end"
    return None if value and all(len(p) <= TEXT_MAX for p in parts) and len(value) <= 4000 else "it has no text, or too much"
