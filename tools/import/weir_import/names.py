# SPDX-License-Identifier: BSD-3-Clause
"""Names, addresses and numbers as weir writes them. Each function returns None (or a reason) for what weir would refuse."""
import encodings.idna
import ipaddress
import re
import unicodedata

NAME_MAX, LABEL_MAX = 253, 63
PATTERN_MAX = 1024
MAC = re.compile(r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}\Z")
ODD = re.compile(r"[\x00-\x20\x7f@:\"'<>()\[\]{},;\\]")
# Characters that IDNA2003 maps away and IDNA2008, as weir has it, keeps.
DEVIATIONS = re.compile("[\u00df\u03c2\u200c\u200d]")
UNIT = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "ms": 0, "us": 0, "µs": 0, "ns": 0}


def is_printable(text):
    return all(" " <= c <= "~" for c in text)


def a_label(label):
    """The label in ASCII; ValueError: no such form."""
    if label.isascii():
        return label.lower()
    label = unicodedata.normalize("NFC", label.lower())
    if "\ufffd" in label:
        raise ValueError
    if DEVIATIONS.search(label):
        return "xn--" + label.encode("punycode").decode()
    return encodings.idna.ToASCII(label).decode().lower()


def name(text):
    """(the name in lower case without a dot at its end, ""), or (None, why not)."""
    text = text.strip()
    text = text[:-1] if text.endswith(".") and len(text) > 1 else text
    if text == ".":
        return None, "is the root"
    if len(text) > 4 * NAME_MAX:
        return None, "is longer than 253 bytes"
    if not text or text.startswith("/"):
        return None, "is no domain name"
    try:
        labels = [a_label(label) for label in re.split("[.\u3002\uff0e\uff61]", text)]
    except (ValueError, UnicodeError):
        return None, "has a character that no domain name has"
    whole = ".".join(labels)
    if ODD.search(whole) or not is_printable(whole):
        return None, "is no domain name"
    if "*" in whole:
        return None, "has a star, which is no part of a name"
    if not all(labels):
        return None, "has an empty label"
    if max(map(len, labels)) > LABEL_MAX:
        return None, "has a label of more than 63 bytes"
    return (whole, "") if len(whole) <= NAME_MAX else (None, "is longer than 253 bytes")


def is_host(text):
    """A host name that a server may have: it does not end in a number."""
    found, _ = name(text)
    return bool(found) and bool(re.fullmatch(r"[a-z0-9._-]+", found)) and not found.split(".")[-1][0].isdigit()


def address(text):
    """An IPv4Address or IPv6Address, without a prefix or a scope; None: it is none."""
    if "%" in text or not text.isascii():
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def prefix(text):
    """A network; bits behind the prefix become 0. None: neither an address nor one with a prefix."""
    if "%" in text or not text.isascii() or not re.fullmatch(r"[0-9A-Fa-f:.]+(/\d{1,3})?", text):
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def prefix_text(network):
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def is_mapped(network):
    return network.version == 6 and network.subnet_of(ipaddress.ip_network("::ffff:0:0/96"))


def mac(text):
    """A MAC address of one device in weir's form, or None."""
    if not MAC.match(text):
        return None
    text = text.lower().replace("-", ":")
    return None if int(text[:2], 16) & 1 or text == "00:00:00:00:00:00" else text


def member(text):
    """A client: a MAC, an address or a prefix, as weir writes it. None: none of these."""
    found = mac(text)
    if found:
        return found
    network = prefix(text)
    return None if network is None or is_mapped(network) else prefix_text(network)


def reverse_name(ip):
    """The name of the PTR record of an address."""
    return ip.reverse_pointer


def reverse_zones(network):
    """The reverse zones that are exactly a prefix: 172.16.0.0/12 has sixteen. Empty: of the root."""
    step = 8 if network.version == 4 else 4
    bits = -(-network.prefixlen // step) * step
    if bits == 0:
        return []
    zones = []
    for part in network.subnets(new_prefix=bits):
        labels = part.network_address.reverse_pointer.split(".")
        cut = (network.max_prefixlen - bits) // step
        zones.append(".".join(labels[cut:]))
    return zones


def seconds(text):
    """"1h30m", "24h", "90d" or a number of seconds; None: no such time. Less than a second is 0."""
    parts = re.findall(r"(\d{1,10})([a-zµ]*)", text)
    if not parts or "".join(n + unit for n, unit in parts) != text or any(unit not in UNIT for _, unit in parts):
        return None
    return sum(int(n) * UNIT[unit] for n, unit in parts)


def integer(text):
    """A plain decimal number, or None."""
    text = text.strip()
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) and text.isascii() else None


def _escaped(found):
    return re.sub(r"([\\^$.|?*+()\[\]{}/])", r"\\\1", found)


def exact_pattern(found):
    """The pattern of a name alone."""
    return "^" + _escaped(found) + "$"


def below_pattern(found):
    """The pattern of what is below a name, without the name."""
    return "\\." + _escaped(found) + "$"


def whole_pattern(found):
    """The pattern of a name with all names below."""
    return "(^|\\.)" + _escaped(found) + "$"


def glob_pattern(begin, body, end):
    """The pattern of names that have any text where `body` has stars."""
    return begin + ".*".join(map(_escaped, re.split(r"\*+", body))) + end


def near(word, words):
    """The word of `words` that is most like it, or None."""
    import difflib
    return next(iter(difflib.get_close_matches(word, words, 1, 0.6)), None)
