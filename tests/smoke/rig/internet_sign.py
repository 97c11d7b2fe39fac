# SPDX-License-Identifier: BSD-3-Clause
"""Signs zones (RFC 4034, 5155), and wrongly where a zone wants that: keys, DS, NSEC and NSEC3 chains and signatures."""
import hashlib
import struct

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RSA_HASH = {5: hashes.SHA1(), 7: hashes.SHA1(), 8: hashes.SHA256(), 10: hashes.SHA512()}
CURVE = {13: (ec.SECP256R1(), hashes.SHA256(), 32), 14: (ec.SECP384R1(), hashes.SHA384(), 48)}
DIGEST = {1: hashlib.sha1, 2: hashlib.sha256, 4: hashlib.sha384}
DAY = 86400
_rsa = {}


def _rsa_private(number):
    if number not in _rsa:
        _rsa[number] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return _rsa[number]


class Key:
    """A key of any number of zones: the private one, and the DNSKEY record that stands for it."""

    def __init__(self, algorithm, flags=257, protocol=3, number=0):
        self.algorithm = algorithm
        if algorithm in RSA_HASH:
            self.private = _rsa_private(number)
            n = self.private.public_key().public_numbers().n
            public = b"\x03\x01\x00\x01" + n.to_bytes(256, "big")
        elif algorithm in CURVE:
            self.private = ec.generate_private_key(CURVE[algorithm][0])
            point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            public = point[1:]
        elif algorithm in (15, 16):
            self.private = (ed25519.Ed25519PrivateKey if algorithm == 15 else ed448.Ed448PrivateKey).generate()
            public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:  # one that nobody knows
            self.private, public = None, bytes(range(64))
        self.wire = struct.pack("!HBB", flags, protocol, algorithm) + public
        self.rdata = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.DNSKEY, self.wire, 0, len(self.wire))
        self.tag = dns.dnssec.key_id(self.rdata)

    def as_other(self, flags):
        """The same key under other flags."""
        other = object.__new__(Key)
        other.algorithm, other.private = self.algorithm, self.private
        other.wire = struct.pack("!H", flags) + self.wire[2:]
        other.rdata = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.DNSKEY, other.wire, 0, len(other.wire))
        other.tag = dns.dnssec.key_id(other.rdata)
        return other

    def sign(self, data):
        if self.algorithm in RSA_HASH:
            return self.private.sign(data, padding.PKCS1v15(), RSA_HASH[self.algorithm])
        if self.algorithm in CURVE:
            _, digest, size = CURVE[self.algorithm]
            r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return self.private.sign(data) if self.private else bytes(64)

    def ds(self, zone, digest=2, algorithm=None, tag=None, wrong=False):
        """The text of a DS record; `wrong`: of another digest."""
        data = dns.name.from_text(zone).canonicalize().to_wire() + self.wire
        value = bytearray(DIGEST.get(digest, hashlib.sha256)(data).digest())
        value[0] ^= 0xFF if wrong else 0
        return f"{self.tag if tag is None else tag} {algorithm or self.algorithm} {digest} {value.hex()}"


def rdata_of(rdtype, text):
    return dns.rdata.from_text(dns.rdataclass.IN, rdtype, text)


def rrsig(owner, rdtype, ttl, rdatas, key, how):
    """The text of an RRSIG record; `how`: what is other than it should be, besides `signer` and `times`."""
    labels = len(owner) - 1 - owner.is_wild()
    labels = how.get("labels", labels)
    begin, end = how["times"]
    signer = dns.name.from_text(how["signer"])
    head = struct.pack(
        "!HBBIIIH", dns.rdatatype.from_text(rdtype), how.get("algorithm", key.algorithm), labels, how.get("ttl", ttl), end, begin,
        how.get("tag", key.tag))
    name = owner.canonicalize()
    if len(name) - 1 - name.is_wild() > labels:
        name = dns.name.Name((b"*",) + name.labels[len(name) - 1 - labels:])
    prefix = name.to_wire() + struct.pack("!HHI", dns.rdatatype.from_text(rdtype), 1, how.get("ttl", ttl))
    data = head + signer.canonicalize().to_wire()
    for wire in sorted({r.to_digestable(dns.name.root) for r in rdatas}):
        data += prefix + struct.pack("!H", len(wire)) + wire
    value = how["value"] if "value" in how else key.sign(data)
    if how.get("corrupt"):
        value = value[:10] + bytes([value[10] ^ 1]) + value[11:]
    value = value[: how.get("length", len(value))]
    wire = head + signer.to_wire() + value
    return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.RRSIG, wire, 0, len(wire)).to_text()


def bitmap_text(types):
    return " ".join(sorted(types, key=dns.rdatatype.from_text))


def nsec3_bitmap(types):
    """The bytes of a bitmap of types below 256."""
    numbers = [int(dns.rdatatype.from_text(t)) for t in types]
    if not numbers:
        return b""
    bits = bytearray(max(numbers) // 8 + 1)
    for n in numbers:
        bits[n // 8] |= 0x80 >> n % 8
    return bytes([0, len(bits)]) + bytes(bits)
