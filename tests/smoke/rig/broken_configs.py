#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes broken variants of a good configuration file: mutations of it, and what people paste.

usage: broken_configs.py FILE PART FOLDER COUNT     FOLDER gets COUNT files, the same ones each time: 000.yaml and on, and
                                                    each third one, 028.part and on, of PART, a file that FILE includes
Not every mutation breaks a file: the caller leaves out those that a check accepts, so more are written than needed.
"""
import pathlib
import random
import sys

PASTED = [
    '{"dataplane": {"ports": [], "poll": "busy"}, "upstreams": {"servers": ["9.9.9.9"]}}',
    '{\n  "dns": {\n    "bind_hosts": ["0.0.0.0"],\n    "upstream_dns": ["https://dns10.quad9.net/dns-query"]\n  }\n}',
    'server:\n    interface: 0.0.0.0\n    access-control: 10.0.0.0/8 allow\nforward-zone:\n    name: "."\n    forward-addr: 9.9.9.9\n',
    'PIHOLE_INTERFACE=eth0\nIPV4_ADDRESS=192.168.1.2/24\nPIHOLE_DNS_1=9.9.9.9\nBLOCKING_ENABLED=true\n',
    '[dns]\nupstreams = ["9.9.9.9"]\n[dhcp]\nactive = false\n',
    'options {\n\tdirectory "/var/cache/bind";\n\tforwarders { 9.9.9.9; };\n};\n',
    'port=53\nserver=9.9.9.9\naddress=/ads.example/0.0.0.0\n',
    '<html><head><title>404 Not Found</title></head><body>nginx</body></html>',
    '<<<<<<< HEAD\nupstreams: {}\n=======\nupstreams: {servers: []}\n>>>>>>> mine\n',
    '0.0.0.0 ads.example\n0.0.0.0 tracker.example\n',
    '||ads.example^\n@@||good.example^\n',
    'nameserver 9.9.9.9\nsearch lan\n', '', '\n\n', '---\n---\n', '...\n', 'null\n', '[]\n', '42\n', '"text"\n', '~\n',
    '- a\n- b\n', '&a [*a]\n', '!!python/object:os.system {}\n', '{' * 5000, '[' * 5000, 'a: ' * 3000, '%YAML 9.9\n---\na: 1\n',
]


def near(word, rng):
    """A key with a slip of the pen."""
    i = rng.randrange(len(word))
    return rng.choice([word[:i] + word[i + 1:], word[:i] + word[i] + word[i:], word[:i] + "x" + word[i + 1:], word.upper(),
                       word.replace("_", "-") if "_" in word else word + "s"])


def keys(lines):
    return [i for i, line in enumerate(lines) if ":" in line and not line.lstrip().startswith(("#", "-"))]


def value_set(lines, rng, values):
    at = rng.choice([i for i in keys(lines) if lines[i].split(":", 1)[1].strip()])
    lines[at] = lines[at].split(":", 1)[0] + ": " + rng.choice(values)


def line_at(change):
    def mutate(lines, rng):
        at = rng.choice(keys(lines))
        lines[at:at + 1] = change(lines[at], rng)
    return mutate


def key_slip(line, rng):
    key, rest = line.split(":", 1)
    margin = key[:len(key) - len(key.lstrip())]
    return [margin + near(key.strip(), rng) + ":" + rest]


def cut(lines, rng):
    text = "\n".join(lines)
    lines[:] = text[:rng.randrange(1, len(text))].split("\n")


def byte_in(what):
    def mutate(lines, rng):
        text = "\n".join(lines)
        at = rng.randrange(len(text))
        lines[:] = (text[:at] + what + text[at:]).split("\n")
    return mutate


def line_delete(lines, rng):
    del lines[rng.choice(keys(lines))]


def pasted_into(lines, rng):
    at = rng.randrange(len(lines))
    lines[at:at] = rng.choice(PASTED).split("\n")


def slips(lines, rng):
    """A slip in each of three keys: three errors of one file."""
    for at in rng.sample(keys(lines), 3):
        lines[at:at + 1] = key_slip(lines[at], rng)


MUTATIONS = [
    line_delete, cut, pasted_into,
    line_at(lambda line, rng: [line, line]),                      # given twice
    line_at(lambda line, rng: [" " + line]),                      # indented by one more
    line_at(lambda line, rng: ["\t" + line.lstrip()]),            # by a tab
    line_at(lambda line, rng: [line.replace(":", "", 1)]),        # no colon
    line_at(lambda line, rng: [line.replace(": ", ":", 1)]),      # no blank behind it
    line_at(lambda line, rng: [line.replace(":", " =", 1)]),
    line_at(lambda line, rng: [line + ": x"]),
    line_at(key_slip), line_at(key_slip), slips, slips,
    lambda lines, rng: value_set(lines, rng, ["[a, b]", "{a: b}", "maybe", "-1", "1e9", "99999999999999999999999", "0x10", "''", "4x"]),
    lambda lines, rng: value_set(lines, rng, ['"unclosed', "'unclosed", "[unclosed", "{unclosed: 1", "*alias", "!tag x", "&a b", "|", "@x", "`x`", "%x"]),
    lambda lines, rng: value_set(lines, rng, ["999.1.2.3", "fe80::g", "9.9.9.9:99999", "256", "\u202e", "\u00e4" * 300, "x" * 5000]),
    byte_in("\0"), byte_in("\x1b"), byte_in("\ufffe"), byte_in("\t"), byte_in('"'), byte_in("]"), byte_in("\r"),
]


def main():
    good = {end: pathlib.Path(path).read_text().rstrip("\n").split("\n") for end, path in zip(("yaml", "part"), sys.argv[1:])}
    folder, count = pathlib.Path(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(26)
    for i in range(count):
        end = "part" if i >= len(PASTED) and i % 3 == 1 else "yaml"
        if i < len(PASTED):
            text = PASTED[i]
        else:
            lines = list(good[end])
            MUTATIONS[i % len(MUTATIONS)](lines, rng)
            text = "\n".join(lines) + "\n"
        raw = text.encode("utf-8", "surrogatepass")
        if i % 7 == 1:
            raw = raw.replace(b"\n", b"\r\n")
        if i % 11 == 1:
            raw = b"\xef\xbb\xbf" + raw
        if i % 97 == 50:
            raw = text.encode("utf-16")
        (folder / f"{i:03d}.{end}").write_bytes(raw)


main()
