#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reads what fstrm_capture wrote, by a decoder of its own: dnstap_check.py whole|hidden CAPTURE EXCHANGES. whole: each exchange
of dnstap_ask.py is one CLIENT_RESPONSE with both ends and both messages byte for byte. hidden: there is a CLIENT_RESPONSE
for each, and in all of CAPTURE no address or port of a client and no message as it was on the wire."""

import ipaddress
import json
import struct
import sys

CLIENT_RESPONSE = 6
FAMILIES = {1: 4, 2: 6}
TRANSPORTS = {1: "udp", 2: "tcp"}


def frames(data):
    at = 0
    while at < len(data):
        size, = struct.unpack_from(">I", data, at)
        at += 4
        if size == 0:  # a control frame
            at += 4 + struct.unpack_from(">I", data, at)[0]
            continue
        if at + size > len(data):
            raise ValueError("a frame that is cut")
        yield data[at:at + size]
        at += size


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    out, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = varint(data, at)
        else:
            size, at = varint(data, at) if wire == 2 else ({5: 4, 1: 8}[wire], at)
            value, at = data[at:at + size], at + size
            if len(value) != size:
                raise ValueError("a field that is cut")
        out[tag >> 3] = value
    return out


def shown(message):
    """As dnstap_ask.py writes an exchange."""
    assert message[1] == CLIENT_RESPONSE
    for address in (message[4], message[5]):
        assert len(address) == {4: 4, 6: 16}[FAMILIES[message[2]]]
    asked_s, told_s = message[8], message[12]
    asked, answered = (s + struct.unpack("<I", ns)[0] / 1e9 for s, ns in ((asked_s, message[9]), (told_s, message[13])))
    assert 1.7e9 < asked <= answered < asked + 60, (asked, answered)
    return {"transport": TRANSPORTS[message[3]], "client": str(ipaddress.ip_address(message[4])), "port": message[6],
            "service": str(ipaddress.ip_address(message[5])), "service_port": message[7],
            "query": message.get(10, b"").hex(), "reply": message.get(14, b"").hex()}


def main():
    how, capture, exchanges = sys.argv[1:]
    with open(capture, "rb") as f:
        data = f.read()
    messages = [fields(fields(frame)[14]) for frame in frames(data)]
    with open(exchanges, encoding="ascii") as f:
        wanted = [json.loads(line) for line in f]
    if how == "hidden":
        answered = [m for m in messages if m[1] == CLIENT_RESPONSE]
        assert len(answered) == len(wanted), (len(answered), len(wanted))
        for m in messages:
            assert 6 not in m and ipaddress.ip_address(m[4]).packed[-1:] == b"\0", m
            assert 5 in m and m[7] == 53, m
        for w in wanted:
            assert bytes.fromhex(w["query"]) not in data and bytes.fromhex(w["reply"]) not in data
            assert ipaddress.ip_address(w["client"]).packed not in data
    else:
        seen = [shown(m) for m in messages if m[1] == CLIENT_RESPONSE]
        for w in wanted:
            w["service_port"] = 53
            assert seen.count(w) == 1, (w, [s for s in seen if s["query"][:4] == w["query"][:4]])
    print(len(wanted), "exchanges")


if __name__ == "__main__":
    main()
