#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reads a profile in pprof's format (profile.proto, not compressed) by the rules of protobuf, and checks that it is whole.

usage: pprof_read.py FILE TYPE [FUNCTION]    ends with status 0 when its values are of that type, each sample leads to functions
                                             with names, and FUNCTION, where one is given, is one of them
"""
import sys


def varint(data, at):
    n = shift = 0
    while True:
        byte = data[at]
        n, shift, at = n | (byte & 0x7f) << shift, shift + 7, at + 1
        if byte < 0x80:
            return n, at


def fields(data):
    """(number, value): of a varint the number, of a length its bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
            assert at <= len(data)
        else:
            assert key & 7 == 0, key
        yield key >> 3, value


def packed(data):
    at = 0
    while at < len(data):
        n, at = varint(data, at)
        yield n


def main():
    with open(sys.argv[1], "rb") as f:
        found = {}
        for number, value in fields(f.read()):
            found.setdefault(number, []).append(value)
    strings = [s.decode() for s in found[6]]
    assert strings[0] == "" and len(set(strings)) == len(strings)
    types = [strings[dict(fields(t))[1]] for t in found[1]]
    functions = {dict(fields(f))[1]: strings[dict(fields(f))[2]] for f in found.get(5, ())}
    lines = {dict(fields(loc))[1]: functions[dict(fields(dict(fields(loc))[4]))[1]] for loc in found.get(4, ())}
    seen, sums = set(), [0] * len(types)
    for sample in map(dict, map(fields, found.get(2, ()))):
        seen.update(lines[location] for location in packed(sample[1]))
        sums = [a + b for a, b in zip(sums, packed(sample[2]))]
    assert sys.argv[2] in types, types
    if len(sys.argv) > 3:
        assert all(sums) and sys.argv[3] in seen, (sums, sorted(seen)[:50])


if __name__ == "__main__":
    main()
