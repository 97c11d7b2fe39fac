#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""weirctl import: the frame, each reader, and the program. usage: python3 -W error test_import.py WEIRCTL [--write] [TEST...]

--write makes golden/ again, to be read before a commit.

For each source: a golden file that weir takes; a file of every key, of which none is unknown; a key that nobody knows, which is
reported; seeded mutations of the fixtures, each of which ends in a result or a sentence.
"""
import gzip
import importlib
import io
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import redirect_stderr, redirect_stdout

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[4]
sys.path.insert(0, str(ROOT / "tools/import"))
sys.dont_write_bytecode = True
from weir_import import account, data_source, main, model, names, rdata, report, servers, settle, source, table, write, yaml_source  # noqa: E402

WEIRCTL, WRITE = "", False
SCRATCH = tempfile.mkdtemp()
GRAVITY = f"{SCRATCH}/gravity.db"  # made from every/gravity.sql
# Word of the source: the golden files of it, with the files that they come from.
GOLDEN = {
    "dnsmasq": {"dnsmasq": ["dnsmasq.conf"]},
    "adguardhome": {"adguardhome": ["AdGuardHome.yaml"]},
    "pihole": {"pihole5": ["pihole5"], "pihole6": ["pihole6/pihole.toml", "pihole5"]},
    "blocky": {"blocky": ["blocky.yml"]},
    "technitium": {"technitium": ["settings.json", "AllowedZones.txt", "BlockedZones.txt", "corp.example.zone",
                                  "lan.example.zone"]},
    "unbound": {"unbound": ["unbound.conf"], "unbound-views": ["unbound-views.conf"]},
    "beyond-ads-dns": {"beyond-ads-dns": ["beyond.yaml"]},
}
# Files with every key of the source, as its documentation or the program itself has them.
EVERY = {
    "dnsmasq": [["every/dnsmasq.conf"]],
    "adguardhome": [["every/AdGuardHome.yaml"], ["every/AdGuardHome-12.yaml"]],
    "pihole": [["every/setupVars.conf"], ["every/pihole-FTL.conf"], ["every/pihole.toml"], ["every/pihole", GRAVITY]],
    "blocky": [["every/blocky.yml"], ["every/blocky-old.yml"]],
    "technitium": [["every/technitium.json"], ["every/technitium-11.json"]],
    "unbound": [["every/unbound.conf"], ["every/unbound-26.conf"]],
    "beyond-ads-dns": [["every/beyond.yaml"]],
}
# How a line with an unknown key is added to the file of every key.
UNKNOWN = {"dnsmasq": "unheard-of=1\n", "adguardhome": "unheard_of: 1\n", "pihole": "UNHEARD_OF=1\n", "blocky": "unheard_of: 1\n",
           "unbound": "unheard-of: 1\n", "beyond-ads-dns": "unheard_of: 1\n"}
# Texts that a mutation puts anywhere, beside bytes of its own.
PIECES = {
    "dnsmasq": [b"address=/", b"server=/x/#", b"rev-server=", b"\0", b"\xff\xfe", b"#", b",,", b'"', b"/8", b"\n", b"conf-file=."],
    "adguardhome": [b"&a ", b"*a", b"<<: ", b"[", b"{", b"- ", b": ", b"\0", b"\xff", b"!!python/object:os.system", b"\t", b"\n",
                    b"'", b"0x", b"24h"],
    "pihole": [b"\0", b"\xff", b"=", b"#", b"\n", b'"', b"[", b"]", b"-1", b"99999999999", b"/0", b",,", b"true", b"..", b";invert",
               b"[dns]\n"],
    "blocky": [b"&a ", b"*a", b"<<: ", b"[", b"{", b"- ", b": ", b"\0", b"\xff", b"\t", b"\n", b"*", b"/0", b"::/0", b",", b"default", b"-1"],
    "technitium": [b"(", b")", b'"', b";", b"\\", b"@", b"\n", b" FWD Tls ", b" SOA ", b"$ORIGIN ", b"*.", b"\0", b"\xff", b"IN", b"1w",
                   b" NS a.\n", b'"this-server"', b"null", b"{}", b"[]", b"-1"],
    "unbound": [b"server:", b"view:\n", b"forward-zone:", b'"', b"'", b"#", b"\\", b"local-zone: . static", b"local-data: ' '", b"\0",
                b"\xff", b"\n", b"include: *", b"access-control: ::/0 ", b"name: .\n", b"dnstap-enable: yes\n", b":", b"\t"],
    "beyond-ads-dns": [b"&a ", b"*a", b"[", b"{", b"- ", b": ", b"\0", b"\xff", b"\n", b"'", b"5m", b"-1", b"{}", b"null"],
}
MUTATIONS = 80  # of each fixture
SECONDS_MAX = 5  # that one mutation may take


def setUpModule():
    os.chdir(HERE)
    database(GRAVITY, (HERE / "every/gravity.sql").read_text())


def tearDownModule():
    shutil.rmtree(SCRATCH)


def database(path, script):
    base = sqlite3.connect(path)
    base.executescript(script)
    base.close()


def node_of(text, kind="text"):
    acc = account.Account()
    root = account.Node(acc, "file", 1, "", "map")
    acc.roots.append(root)
    return acc, root, root.child("key", 7, kind, text)


def read_rows(rows, pairs):
    """A Reading over a flat map with these rows."""
    reading = main.Reading("test")
    root = account.Node(reading.account, "file", 1, "", "map")
    reading.account.roots.append(root)
    for line, (key, value) in enumerate(pairs, 1):
        root.child(key, line, "flag" if value is None else "text", value or "")
    table.read(reading, root, rows)
    reading.account.close()
    return reading


def run(*words, **more):
    """(status, stdout, stderr) of weirctl."""
    done = subprocess.run([WEIRCTL, *map(str, words)], capture_output=True, text=True, timeout=60, check=False, **more)
    return done.returncode, done.stdout, done.stderr


class Names(unittest.TestCase):
    def test_names(self):
        for text, want in (("A.Example.", "a.example"), ("bücher.example", "xn--bcher-kva.example"),
                           ("straße.example", "xn--strae-oqa.example"), ("_ldap._tcp.lan", "_ldap._tcp.lan"),
                           ("16/28.2.0.192.in-addr.arpa", "16/28.2.0.192.in-addr.arpa")):
            self.assertEqual(names.name(text), (want, ""))
        for text in ("", ".", "a..b", "a b", "/x/", "a" * 64, ".".join(["abcdefgh"] * 40), "a\0b", "a\ufffdb", "a:b", "\u2003.x", "*" * 2000, "a*.x"):
            self.assertIsNone(names.name(text)[0], text)

    def test_reverse_zones(self):
        def zones(text):
            return names.reverse_zones(names.prefix(text))
        self.assertEqual(zones("172.16.0.0/12"), [f"{n}.172.in-addr.arpa" for n in range(16, 32)])
        self.assertEqual(zones("192.168.7.9/24"), ["7.168.192.in-addr.arpa"])
        self.assertEqual(zones("10.0.0.0/8"), ["10.in-addr.arpa"])
        self.assertEqual(zones("fc00::/7"), ["c.f.ip6.arpa", "d.f.ip6.arpa"])
        self.assertEqual(zones("0.0.0.0/0"), [])
        self.assertEqual(len(zones("192.0.2.0/25")), 128)

    def test_seconds(self):
        for text, want in (("24h", 86400), ("1h30m", 5400), ("90", 90), ("90d", 7776000), ("10ms", 0), ("", None), ("x", None),
                           ("1y", None), ("-1s", None)):
            self.assertEqual(names.seconds(text), want, text)

    def test_members(self):
        for text, want in (("10.1.2.3/8", "10.0.0.0/8"), ("02-00-5E-10-00-01", "02:00:5e:10:00:01"), ("fd00::1", "fd00::1"),
                           ("ff:ff:ff:ff:ff:ff", None), ("::ffff:1.2.3.4", None), ("fe80::1%eth0", None), ("host", None)):
            self.assertEqual(names.member(text), want, text)

    def test_services_are_those_of_weir(self):
        header = (ROOT / "include/weir/service_names.h").read_text()
        self.assertEqual(re.findall(r'X\("([^"]+)"', header), model.SERVICES)

    def test_bounds_of_entries_are_those_of_weir(self):
        headers = (ROOT / "include/weir/config.h").read_text() + (ROOT / "include/weir/config/lists.h").read_text()
        for word, want in (("CONFIG_DATED_MAX", model.ENTRIES_MAX), ("CONFIG_ENTRY_KINDS_MAX", settle.ENTRY_KINDS_MAX),
                           ("CONFIG_GROUP_ENTRIES_MAX", settle.GROUP_ENTRIES_MAX)):
            self.assertEqual(int(re.search(rf"\b{word} = (\d+)", headers)[1]), want, word)

    def test_record_values(self):
        good = (("A", "192.0.2.1"), ("AAAA", "::1"), ("MX", "10 a.example"), ("SRV", "0 0 1 ."), ("TXT", '"a" "b"'),
                ("CAA", '0 issue "x"'), ("HTTPS", "1 . alpn=h2"), ("CNAME", "a.example"))
        bad = (("A", "::1"), ("MX", "a"), ("SRV", "0 0 70000 a"), ("TXT", ""), ("TXT", '"a'), ("CAA", "300 issue x"),
               ("HTTPS", "1"), ("CNAME", "a..b"), ("TXT", '"' + "a" * 256 + '"'), ("A", "1.2.3.4\n"))
        self.assertEqual([rdata.check(*one) for one in good], [None] * len(good))
        self.assertNotIn(None, [rdata.check(*one) for one in bad])


class Servers(unittest.TestCase):
    def test_notations(self):
        for text, want in (("9.9.9.9", "9.9.9.9"), ("9.9.9.9#5353", "9.9.9.9:5353"), ("[2620:fe::fe]:53", "2620:fe::fe"),
                           ("2620:fe::fe#54", "[2620:fe::fe]:54"), ("tls://dns.quad9.net", "tls://dns.quad9.net"),
                           ("tcp-tls:dns.quad9.net:853", "tls://dns.quad9.net"), ("udp://1.1.1.1:53", "1.1.1.1"),
                           ("https://dns.quad9.net", "https://dns.quad9.net/dns-query"),
                           ("h3://dns.example/q{?dns}", "https://dns.example/q"), ("tls://[2620:fe::fe]", "tls://[2620:fe::fe]")):
            self.assertEqual(servers.parse(text).text(), want, text)
        for text in ("sdns://x", "quic://a.example", "9.9.9.9:0", "9.9.9.9:99999", "a b", "", "1.2.3", "tls://9.9.9.9/x", "[::1"):
            self.assertIsNone(servers.parse(text), text)
        self.assertEqual(servers.parse_unbound("9.9.9.9@853#dns.quad9.net", True).text(), "tls://dns.quad9.net@9.9.9.9")
        self.assertFalse(servers.parse("0.0.0.0").is_possible())


class Accounts(unittest.TestCase):
    """Nothing that a reader does can keep a key out of the account."""

    def test_unread_keys_are_unknown(self):
        rows = {"known": table.needless("why")}
        reading = read_rows(rows, [("known", "1"), ("unheard_of", "2")])
        self.assertEqual(reading.account.counts(), {"taken": 0, "needless": 1, "differently": 0, "impossible": 0, "unknown": 1})
        self.assertEqual([e.sentence() for e in reading.account.in_order(("unknown",))],
                         ["file:2: unheard_of: nobody knows this key; its value `2` is lost"])

    def test_a_handler_that_forgets(self):
        reading = read_rows({"known": table.takes(lambda r, n: None)}, [("known", "1")])
        self.assertEqual(reading.account.counts()["unknown"], 1)

    def test_keys_below_a_map_are_not_hidden(self):
        acc, root, _ = node_of("", "null")
        below = root.child("list", 2, "map")
        for name in ("url", "name", "new"):
            below.child(name, 3, "text", "x")
        below.taken_keys("blocking.lists", "url", "name")
        root.get("key").usual()
        acc.close()
        self.assertEqual([e.key for e in acc.in_order(("unknown",))], ["list.new"])

    def test_the_worst_verdict_counts(self):
        acc, _, node = node_of("x")
        node.impossible("no")
        node.taken("there")
        self.assertEqual(acc.counts()["impossible"], 1)

    def test_a_verdict_on_a_map_spares_what_has_one(self):
        acc, root, node = node_of("x")
        node.impossible("no")
        root.child("b", 2, "text", "y")
        root.needless("weir has no such process")
        self.assertEqual((acc.counts()["impossible"], acc.counts()["needless"]), (1, 1))

    def test_defaults_count_and_are_not_shown(self):
        reading = read_rows({"a": table.impossible("no", default="false"), "b": table.impossible("no", default="false")},
                            [("a", "false"), ("b", "true")])
        self.assertEqual(reading.account.counts()["needless"], 1)
        self.assertEqual(report.lines(reading.account), ["file:2: b: no"])
        self.assertEqual(len(report.lines(reading.account, True)), 2)

    def test_privacy_comes_first_then_blocking(self):
        rows = {"a": table.impossible("1"), "b": table.impossible("2", account.BLOCKING), "c": table.impossible("3", account.PRIVACY)}
        reading = read_rows(rows, [("a", "x"), ("b", "x"), ("c", "x")])
        self.assertEqual([e.key for e in reading.account.in_order()], ["c", "b", "a"])

    def test_the_topic_of_a_list_is_that_of_its_items(self):
        acc, root, node = node_of("", "list")
        node.topic = account.PRIVACY
        one = node.child("0", 3, "text", "x")
        one.impossible("no")
        self.assertEqual(acc.entries[0].topic, account.PRIVACY)

    def test_a_flag_says_something(self):
        reading = read_rows({"a": table.impossible("no"), "b": table.impossible("no")}, [("a", None), ("b", "")])
        self.assertEqual((reading.account.counts()["impossible"], reading.account.counts()["needless"]), (1, 1))

    def test_many_entries_do_not_hide_a_loss(self):
        acc = account.Account()
        for i in range(account.ENTRIES_MAX + 1):
            acc.remark(f"k{i}", "taken", verdict=account.TAKEN)
        acc.remark("k", "no", verdict=account.IMPOSSIBLE)
        self.assertEqual(([e.key for e in acc.in_order()], acc.beyond), (["k"], 1))

    def test_one_sentence_for_many_keys(self):
        rows = {f"k{i}": table.impossible("no DHCP") for i in range(20)}
        reading = read_rows(rows, [(f"k{i}", "x") for i in range(20)])
        lines = report.lines(reading.account)
        self.assertEqual(len(lines), 1)
        self.assertIn("k0, k1, k2, k3, k4, k5, k6, k7 and 12 more: no DHCP", lines[0])

    def test_lines_of_the_source_are_no_lines_of_the_report(self):
        reading = read_rows({}, [("a\nb\x1b[2J", "x\r\ny")])
        self.assertEqual(len(report.comments(reading.account).split("\n")), 3)
        self.assertNotIn("\x1b", report.comments(reading.account))


class Gate(unittest.TestCase):
    def reading(self):
        reading = main.Reading("test")
        root = account.Node(reading.account, "file", 1, "", "map")
        reading.account.roots.append(root)
        return reading, reading.model, lambda: root.child(f"k{len(root.items)}", 1, "text", "v")

    def test_the_first_value_counts(self):
        reading, m, key = self.reading()
        m.value(key(), "cache", "min_ttl", "60")
        m.value(key(), "cache", "min_ttl", "90")
        self.assertEqual(m.values["cache", "min_ttl"][0], "60")
        self.assertEqual(reading.account.counts()["differently"], 1)

    def test_numbers_are_cut_and_that_is_said(self):
        reading, m, key = self.reading()
        m.number(key(), "cache", "min_ttl", "99999999", 0, 86400)
        m.number(key(), "cache", "max_ttl", "many", 0, 86400)
        self.assertEqual(m.values, {("cache", "min_ttl"): ("86400", "k0")})
        self.assertEqual((reading.account.counts()["differently"], reading.account.counts()["impossible"]), (1, 1))

    def test_lists(self):
        _, m, key = self.reading()
        self.assertEqual(m.list(key(), "a: b", "https://x.example/a.txt"), "a- b")
        self.assertEqual(m.list(key(), "a: b", "https://x.example/b.txt"), "a- b-2")
        self.assertEqual(m.list(key(), "", "https://x.example/c.txt?x=1"), "x.example c.txt")
        self.assertEqual(m.list(key(), "group x", "/opt/a"), "list group x")  # weir has titles that begin so
        for place in ("ftp://x.example/a", "https://x.example/a b", "relative", "file://host/a", "https://", "axfr://x.example/"):
            self.assertIsNone(m.list(key(), "n", place), place)

    def test_a_client_is_in_one_group(self):
        reading, m, key = self.reading()
        one, two = m.group(key(), "one"), m.group(key(), "one")
        self.assertEqual((one.name, two.name), ("one", "one-2"))
        self.assertTrue(m.group_client(key(), one, "192.168.1.2/32"))
        self.assertFalse(m.group_client(key(), two, "192.168.1.2"))

    def test_exemptions_below_zones_with_servers(self):
        reading, m, key = self.reading()
        m.zone_server(key(), "corp.example", "10.0.0.1")
        m.exempt_zone(key(), "open.corp.example")
        m.exempt_zone(key(), "else.example")
        settle.settle(m)
        self.assertEqual({z.name: z.exempt for z in m.zones.values()}, {"corp.example": False, "open.corp.example": True})

    def test_many_patterns(self):
        reading, m, key = self.reading()
        at = key()
        for i in range(settle.PATTERNS_MANY + 1):
            m.special(at, lambda items, i=i: m.pattern(at, items, f"^{i}$"), False, ["A"], "nodata")
        settle.settle(m)
        self.assertEqual([e.key for e in reading.account.in_order()], ["patterns"])

    def test_entries_within_the_bounds(self):
        reading, m, key = self.reading()
        at, group, empty = key(), m.group(key(), "g"), m.group(key(), "h")
        m.member(key(), group.clients, "192.0.2.1")
        pairs = [pair for pair in itertools.combinations(model.BLOCKED_TYPES, 2)][:settle.ENTRY_KINDS_MAX]

        def special(name, *more):
            m.special(at, lambda items: m.name(at, items, name), *more)
        for of in (None, group, empty):
            for types in pairs:
                special("a.example", False, types, "", of)
            special("a.example", True, ["A"], "", of)
            special("b.example", False, pairs[0][::-1], "", of)
            special("c.example", False, ["A"], "", of)
        settle.settle(m)
        self.assertEqual([e.key for e in reading.account.in_order((account.IMPOSSIBLE,))], ["c.example"] * 2)
        self.assertEqual({(e.group, len(e.types)) for e in m.entries}, {(None, 2), (None, 1), (group, 2), (group, 1)})
        self.assertEqual(len(m.entries), 2 * (settle.ENTRY_KINDS_MAX + 2))
        self.assertEqual(main.config_check(WEIRCTL, write.configuration(m)), [])
        m.entries = [model.Entry(f"n{i}.example", True, ("A",), "") for i in range(model.ENTRIES_MAX + 1)]
        settle.settle(m)
        self.assertEqual(len(m.entries), model.ENTRIES_MAX)

    def test_records_beside_an_alias(self):
        reading, m, key = self.reading()
        m.record(key(), "a.example", "CNAME", "b.example")
        m.record(key(), "a.example", "A", "192.0.2.1")
        m.record(key(), "a.example", "CNAME", "b.example")
        settle.settle(m)
        self.assertEqual([(r.type, r.value) for r in m.records], [("CNAME", "b.example")])
        self.assertEqual(len(reading.account.in_order()), 1)

    def test_quotes_in_yaml(self):
        for text in ("it's", "a: b", "- x", "#", "null", "1.5", "0x10", "yes"):
            self.assertTrue(write.text(text).startswith("'"), text)


class Sources(unittest.TestCase):
    """Files that are no configuration."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)

    def refused(self, load, data, text):
        path = self.dir / "file"
        path.write_bytes(data)
        acc = account.Account()
        with self.assertRaises(source.Refused) as caught:
            load(acc, str(path))
        self.assertIn(text, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_yaml(self):
        yaml = yaml_source.load
        self.refused(yaml, b"a: [b\n", "line 2: ")
        self.refused(yaml, b"a: &a [*a]\n", "leads in a circle")
        self.refused(yaml, b"a: 1\n---\nb: 1\n", "has a second document")
        self.refused(yaml, b"a" * 10, "is no map of keys")
        self.refused(yaml, b"? [x]\n: 1\n", "a key is no text")
        self.refused(yaml, b"a: \xff\n", "not UTF-8")
        self.refused(yaml, b"a: b\0c\n", "")
        self.refused(yaml, b"[" * 100, "nested more than")
        self.refused(yaml, b"a: *b\n", "has no anchor")
        bomb = b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 9))
        self.refused(yaml, bomb, "values")
        self.refused(yaml, b"x: " + b"y" * (17 << 20), "16 MiB")

    def test_yaml_knows_lines_and_merges(self):
        path = self.dir / "file"
        path.write_text("a:\n  b: &x {c: 1}\nd:\n  <<: *x\n  e: ~\n")
        root = yaml_source.load(account.Account(), str(path))
        self.assertEqual([(n.path, n.line, n.text) for n in root.leaves()], [("a.b.c", 2, "1"), ("d.c", 4, "1"), ("d.e", 5, "")])

    def test_toml_and_json(self):
        self.refused(data_source.load_toml, b"a = [\n", "")
        self.refused(data_source.load_toml, b"a = " + b"[" * 5000, "")
        self.refused(data_source.load_json, b"{\n\"a\": }", "line 2")
        self.refused(data_source.load_json, b"[" * 100000, "nested")
        self.refused(data_source.load_json, b"3", "no JSON object")
        path = self.dir / "file"
        path.write_text("[dns]\nupstreams = ['9.9.9.9']\ntext = \"\"\"\nhosts = ['6.6.6.6']\n\"\"\"\nrateLimit = { count = 1 }\n[dns.cache]\nsize = 1\n")
        root = data_source.load_toml(account.Account(), str(path))
        self.assertEqual([(n.path, n.line) for n in root.leaves()],
                         [("dns.upstreams[0]", 2), ("dns.text", 3), ("dns.rateLimit.count", 6), ("dns.cache.size", 8)])

    def test_lines(self):
        def lines(acc, path):
            return list(source.read_lines(path))
        self.refused(lines, b"a\0b", "NUL")
        self.refused(lines, b"a" * (2 << 20), "longer than")
        for text, want in (("a=b # c", ("a", "b")), ("a", ("a", None)), ("# a", None), ('t=x,"a #b"', ("t", 'x,"a #b"')),
                           ("a=#5353", ("a", "#5353")), ("a=1#2", ("a", "1#2"))):
            self.assertEqual(data_source.word_value(text), want)

    def test_no_file(self):
        os.mkfifo(self.dir / "fifo")
        (self.dir / "big").touch()
        os.truncate(self.dir / "big", 65 << 20)
        for path, text in (("fifo", "is no regular file"), ("none", "No such file"), ("big", "larger than 64 MiB"), (".", "is a folder")):
            with self.assertRaises(source.Refused) as caught:
                source.read_bytes(str(self.dir / path))
            self.assertIn(text, str(caught.exception))


class Readers(unittest.TestCase):
    def test_golden(self):
        for word, files in GOLDEN.items():
            for golden, paths in files.items():
                with self.subTest(golden):
                    status, out, err = run("import", word, *paths)
                    self.assertEqual(status, 0, err)
                    if WRITE:
                        (HERE / "golden" / f"{golden}.yaml").write_text(out)
                    self.assertEqual(out, (HERE / "golden" / f"{golden}.yaml").read_text())
                    self.assertIn(", 0 unknown", out)
                    said = [line for line in err.split("\n") if line.startswith("weirctl: import: ")]
                    self.assertEqual(len([line for line in out.split("\n") if line.startswith("# - ")]), len(said))
                    checked = subprocess.run([WEIRCTL, "config", "check", "/dev/stdin"], input=out, text=True, capture_output=True,
                                             check=False)
                    self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_every_key_is_accounted_for(self):
        for word, sets in EVERY.items():
            for paths in sets:
                with self.subTest(paths[0]):
                    reading = main.read(word, paths)
                    self.assertEqual([e.sentence() for e in reading.account.in_order((account.UNKNOWN,))], [])
                    self.assertGreater(sum(reading.account.counts().values()), 40)
                    status, _, err = run("import", word, *paths)
                    self.assertEqual(status, 0, err)

    def test_an_unknown_key_is_reported(self):
        for word, line in UNKNOWN.items():
            with self.subTest(word), tempfile.TemporaryDirectory() as folder:
                every = pathlib.Path(EVERY[word][0][0])
                path = pathlib.Path(folder) / every.name
                path.write_text(every.read_text() + line)
                number = every.read_text().count("\n") + 1
                _, out, err = run("import", word, path)
                want = f"{every.name}:{number}: {re.split('[=:]', line)[0]}: nobody knows this key; its value `1` is lost"
                self.assertEqual((out.count(want), err.count(want)), (1, 1))

    def test_each_row_is_met_by_a_file_of_every_key(self):
        """A table row that no fixture has is one that no test sees."""
        for word, sets in EVERY.items():
            reader = importlib.import_module(f"weir_import.readers.{main.SOURCES[word]}")
            met = set()
            for paths in sets:
                for root in main.read(word, paths).account.roots:
                    met |= {pattern for pattern in reader.KEYS if table.match(root, pattern)}
            unmet = sorted(set(reader.KEYS) - met - UNMET.get(word, set()))
            self.assertEqual(unmet, [], word)

    def test_mutations_end_in_a_result_or_a_sentence(self):
        for word, files in GOLDEN.items():
            for paths in [*files.values(), *EVERY[word]]:
                path = pathlib.Path(paths[-1])
                if path.is_file():
                    self.mutate(word, path, random.Random(f"{word} {path}"))

    def mutate(self, word, path, rng):
        whole = path.read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / path.name
            for turn in range(MUTATIONS):
                data = mutated(whole, rng, PIECES[word])
                copy.write_bytes(data)
                began = time.process_time()
                try:
                    reading = main.read(word, [str(copy)])
                    text = write.configuration(reading.model)
                except source.Refused as refused:
                    self.assertNotIn("\n", report.printable(str(refused)))
                    continue
                self.assertLess(time.process_time() - began, SECONDS_MAX, f"{path}, mutation {turn}")
                self.assertEqual(sum(reading.account.counts().values()),
                                 sum(1 for root in reading.account.roots for _ in root.leaves()))
                if turn % 10 == 0 and WEIRCTL:
                    errors = [e for e in main.config_check(WEIRCTL, text) if not KNOWN.search(e)]
                    self.assertEqual(errors, [], f"{path}, mutation {turn}: {bytes(data)!r}")


def mutated(whole, rng, pieces):
    data = bytearray(whole)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        what = rng.randrange(4)
        if what == 0:
            data[at:at] = rng.choice(pieces)
        elif what == 1:
            del data[at:at + rng.randint(1, 20)]
        elif what == 2:
            data[at:at + 1] = bytes([rng.randrange(256)])
        else:
            end = rng.randrange(len(whole))
            data[at:at] = whole[end:end + rng.randint(1, 80)]
    return data


# What weir refuses in a file that a person must correct: relations between records and servers, and patterns that do not compile.
KNOWN = re.compile("leads in a circle|is an address of this service|: /.*/: ")
# Rows of options that no file has: those of the command line, and the places of keys in schemas that a fixture has elsewhere.
UNMET = {
    "dnsmasq": {"test", "version", "help"},
    "adguardhome": {f"{section}.{key}" for section, keys in {
        "filtering": ["safesearch_enabled", "parental_sensitivity"],
        "dns": ["protection_disabled_until", "safe_search", "rewrites_enabled", "safe_fs_patterns"]}.items() for key in keys},
}


class Dnsmasq(unittest.TestCase):
    def read(self, text, **files):
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                (pathlib.Path(folder) / name).write_text(content)
            path = pathlib.Path(folder) / "dnsmasq.conf"
            path.write_text(text.replace("DIR", folder))
            return main.read("dnsmasq", [str(path)])

    def test_options_are_those_of_the_program(self):
        program = shutil.which("dnsmasq") or "/usr/sbin/dnsmasq"
        if not os.access(program, os.X_OK):
            self.skipTest("no dnsmasq")
        said = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
        from weir_import.readers import dnsmasq
        options = set(re.findall(r"^\s*(?:-\S, )?\s*--([A-Za-z0-9-]+)", said, re.M))
        self.assertGreater(len(options), 150)
        self.assertEqual(sorted(options - set(dnsmasq.KEYS)), [])

    def test_domains(self):
        m = self.read("address=/.lead.example/192.0.2.1\naddress=/*.star.example/192.0.2.2\naddress=/*.bad.example/\n"
                      "address=/*bad.example/#\naddress=/.ads.example/\naddress=/bücher.example/0.0.0.0\n").model
        self.assertEqual([r.name for r in m.records], ["*.lead.example", "*.star.example", "lead.example"])
        self.assertEqual(m.deny.texts(), ["/\\.bad\\.example$/", "/bad\\.example$/", "ads.example", "xn--bcher-kva.example"])

    def test_loopbacks_are_addresses(self):
        reading = self.read("address=/dev.test/127.0.0.1\naddress=/dev.test/::1\naddress=/*.star.test/127.0.0.1\naddress=/*x.test/::1\n")
        self.assertEqual([(r.name, r.value) for r in reading.model.records], [
            ("*.dev.test", "127.0.0.1"), ("*.dev.test", "::1"), ("*.star.test", "127.0.0.1"), ("dev.test", "127.0.0.1"), ("dev.test", "::1")])
        self.assertEqual((reading.model.deny.texts(), reading.account.counts()["impossible"]), ([], 1))

    def test_loopbacks_of_a_block_list(self):
        ads = "".join(f"address=/ads{i}.example/127.0.0.1\n" for i in range(model.RECORDS_MAX // 2))
        reading = self.read("host-record=a.example,192.0.2.1\n" + ads)
        self.assertEqual((len(reading.model.records), len(reading.model.deny)), (2, model.RECORDS_MAX // 2))
        self.assertEqual(len([line for line in report.lines(reading.account) if "too many for local.records" in line]), 1)
        self.assertEqual(len(self.read(ads).model.records), model.RECORDS_MAX)

    def test_servers_of_names(self):
        m = self.read("local=/lan/\nserver=/open.lan/#\nserver=/corp.example/10.0.0.1\nserver=/open.corp.example/#\n"
                      "server=/#/9.9.9.9\nrev-server=172.16.0.0/12,192.168.1.1\n").model
        self.assertEqual(m.closed_zones.texts(), ["lan"])
        self.assertEqual(m.open_zones.texts(), ["open.lan", "open.corp.example"])
        self.assertEqual([z.name for z in m.zones.values() if z.exempt], ["open.corp.example"])
        self.assertEqual(len([z for z in m.zones if z.endswith(".172.in-addr.arpa")]), 16)
        self.assertEqual(m.upstreams.texts(), ["9.9.9.9"])

    def test_a_reverse_server_without_a_prefix(self):
        m = self.read("rev-server=10.1.2.3,192.168.1.1\nrev-server=fd00::5,192.168.1.1\nrev-server=10.9.0.1,\n").model
        self.assertEqual((list(m.zones), m.closed_zones.texts()), (["3.2.1.10.in-addr.arpa", "5." + "0." * 29 + "d.f.ip6.arpa"],
                                                                   ["1.0.9.10.in-addr.arpa"]))

    def test_hosts_are_expanded(self):
        m = self.read("no-hosts\nexpand-hosts\ndomain=lan.example\naddn-hosts=DIR/hosts\n",
                      hosts="192.0.2.7 nas nas.other.example # x\nbad line\n").model
        self.assertEqual([(r.name, r.value) for r in m.records], [("nas.lan.example", "192.0.2.7")])
        self.assertEqual(len(m.hosts_files), 1)

    def test_the_log_is_off_where_it_was(self):
        self.assertEqual(self.read("port=53\n").model.values["query_log", "enabled"][0], "false")
        self.assertEqual(self.read("log-queries=extra\n").model.values["query_log", "enabled"][0], "true")

    def test_servers_of_the_machine(self):
        for text, want in (("port=53\n", True), ("server=9.9.9.9\n", True), ("no-resolv\nserver=9.9.9.9\n", False),
                           ("resolv-file=DIR/r\n", False), ("conf-file=DIR/more\n", False)):
            said = [e for e in self.read(text, r="nameserver 9.9.9.9\n", more="no-resolv\n").account.in_order() if e.key == "no-resolv"]
            self.assertEqual([e.topic for e in said], ["privacy"] * want, text)

    def test_names_without_a_dot(self):
        reading = self.read("domain-needed\nserver=//10.0.0.1\n")
        self.assertEqual([e.topic for e in reading.account.in_order()][:2], ["privacy"] * 2)

    def test_files_include_each_other(self):
        reading = self.read("conf-file=DIR/dnsmasq.conf\nconf-dir=DIR\n")
        self.assertIn("include each other", "\n".join(report.lines(reading.account)))


class AdGuardHome(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "AdGuardHome.yaml"
            path.write_text(text)
            return main.read("adguardhome", [str(path)])

    def test_rules_with_options(self):
        reading = self.read("dns: {}\nuser_rules: ['||a.example^$dnstype=AAAA|HTTPS', '@@/^b/$dnstype=~A', '||c.example^$dnsrewrite=refused', "
                            "'||d.example^$dnstype=ANY', '||e.example^$dnstype=A|~MX', '||f.example^$denyallow=x.f.example', "
                            "'@@||g.example^$dnsrewrite=REFUSED', '||h..example^$dnstype=A']\n")
        self.assertEqual([(e.name, e.allow, e.types, e.reply) for e in reading.model.entries],
                         [(r"/(^|\.)a\.example$/", False, ("AAAA", "HTTPS"), ""), ("/^b/", True, ("~A",), ""),
                          ("c.example", False, (), "refused")])
        lost = [e.key for e in reading.account.in_order(("impossible",))]
        self.assertEqual(lost, [f"user_rules[{i}]" for i in range(3, 8)])

    def test_hosts_lines_have_no_options(self):
        reading = self.read("dns: {}\nuser_rules: ['0.0.0.0 a.example$dnstype=A b.example # $c', '192.0.2.1 d.example$important']\n")
        self.assertEqual((reading.model.deny.texts(), reading.model.records), ([r"/^b\.example$/"], []))
        self.assertEqual([(e.key, e.text.split()[0]) for e in reading.account.in_order(("impossible",))],
                         [("user_rules[0]", "`a.example$dnstype=A`"), ("user_rules[1]", "`d.example$important`")])

    def test_the_answer_for_some_query_types(self):
        """A name has other types, so weir does not say that there is no such name."""
        for rule, mode, want in (("||a.example^$dnstype=A,dnsrewrite=NXDOMAIN", "default", ["user_rules[0]"]),
                                 ("||a.example^$dnstype=A", "nxdomain", ["blocking.mode"]), ("||a.example^$dnstype=A", "default", []),
                                 ("@@||a.example^$dnstype=A", "nxdomain", []), ("||a.example^$dnsrewrite=NXDOMAIN", "nxdomain", [])):
            reading = self.read(f"dns: {{blocking_mode: {mode}}}\nuser_rules: ['{rule}']\n")
            self.assertEqual([e.key for e in reading.account.in_order() if "NODATA" in e.text], want, rule)

    def test_exceptions_take_no_rewrite_back(self):
        for rules, allow, entries in (
                (["||a.example^$dnsrewrite=NXDOMAIN", "@@||a.example^", "@@||x.a.example^$important", "@@||b.example^"], ["b.example"], []),
                (["||a.example^$dnsrewrite=NXDOMAIN", "@@||example^"], ["example"], []),
                (["||a.example^$dnstype=AAAA,dnsrewrite=NOERROR", "@@||x.a.example^"], [], [("x.a.example", ("~AAAA",))]),
                (["||a.example^$dnstype=~A|~MX,dnsrewrite=NOERROR", "@@||a.example^"], [], [("a.example", ("A", "MX"))]),
                (["||a.example^$dnstype=A,dnsrewrite=NOERROR", "@@||a.example^$dnstype=A", "@@||x.a.example^$dnstype=AAAA|A",
                  "@@||y.a.example^$dnstype=~TXT"], [], [("x.a.example", ("AAAA",)), ("y.a.example", ("~A", "~TXT"))]),
                (["||a.example^$dnsrewrite=NOERROR", "||x.a.example^$dnstype=A,dnsrewrite=REFUSED", "@@||x.a.example^"], [], []),
                (["||a.example^$dnstype=A", "||b.example^$important", "@@||a.example^", "@@||b.example^"], ["a.example"], [])):
            m = self.read(f"dns: {{}}\nuser_rules: {rules}\n").model
            self.assertEqual((m.allow.texts(), [(e.name, e.types) for e in m.entries if e.allow]), (allow, entries), rules)
            self.assertEqual([e.name for e in m.entries if e.reply and e.name.startswith("/")], [], rules)
            self.assertEqual(main.config_check(WEIRCTL, write.configuration(m)), [])
        said = self.read("dns: {}\nuser_rules: ['/^a/$dnsrewrite=REFUSED', '@@||a.example^']\n").account.in_order()
        self.assertIn("$important, $dnsrewrite", [e.key for e in said])

    def test_important_exceptions(self):
        for rules, allow, deny in (
                (["||a.example^$important", "@@||a.example^$important"], ["a.example"], [r"/(^|\.)a\.example$/"]),
                (["||a.example^$important", "@@||x.a.example^$important"], ["x.a.example"], ["a.example"]),
                (["||x.a.example^$important", "@@||a.example^$important"], ["a.example"], [r"/(^|\.)x\.a\.example$/"]),
                (["||a.example^$important", "@@||x.a.example^"], [], ["a.example"])):
            m = self.read(f"dns: {{}}\nuser_rules: {rules}\n").model
            self.assertEqual((m.allow.texts(), m.deny.texts()), (allow, deny), rules)

    def test_allow_lists_and_user_rules(self):
        for rule, said in ("||a.example^", True), ("@@||a.example^", False):
            reading = self.read("dns: {}\nwhitelist_filters: [{enabled: true, url: 'https://l.example/a', name: a, id: 1}]\n"
                                f"user_rules: ['{rule}']\n")
            self.assertEqual(any("those count before every list" in e.text for e in reading.account.in_order()), said)

    def test_rules_for_every_name(self):
        rules = ["||*^$dnstype=HTTPS", "*$dnstype=AAAA,dnsrewrite=NOERROR;;", "|*^$dnsrewrite=nxdomain;;", "||*^"]
        model = self.read(f"dns: {{}}\nuser_rules: {rules}\n").model
        self.assertEqual([(e.name, e.types, e.reply) for e in model.entries],
                         [("/./", ("HTTPS",), ""), ("/./", ("AAAA",), "nodata"), ("/./", (), "nxdomain")])
        self.assertEqual(model.deny.texts(), ["/./"])

    def test_rules_about_parts_of_names(self):
        """As list_glob.c reads them; the report names any other rule."""
        for rule, want in (("||ads*.example.com^", r"/(^|\.)ads.*\.example\.com$/"), ("||ads*.example.com", r"/(^|\.)ads.*\.example\.com$/"),
                           ("||adservice.google.*^", r"/(^|\.)adservice\.google\./"), ("*tracker*", "/tracker/"), ("||analytics.", r"/(^|\.)analytics\./"),
                           ("|Ads", "/^ads/"), ("://ads.", r"/^ads\./"), ("|a.example|", r"/^a\.example$/"), ("-ads-", "/-ads-/"),
                           (".ads.", r"/\.ads\./"), (".a.example", r"/\.a\.example$/"), ("*.a.example^", r"/\.a\.example$/"),
                           ("||*.a.example", r"/\.a\.example$/"), ("*.a.example", "a.example"), ("||a.example^*", "a.example"),
                           ("a**b.example^", r"/a.*b\.example$/"), ("a.example.", r"/^a\.example$/"), ("a.example|", "a.example"),
                           ("||bücher.example^", "xn--bcher-kva.example"), ("||a*.com^", r"/(^|\.)a.*\.com$/")):
            for mark, word in (("", "deny"), ("@@", "allow")):
                reading = self.read(f"dns: {{blocked_hosts: ['{mark}{rule}']}}\nuser_rules: ['{mark}{rule}']\n")
                self.assertEqual(getattr(reading.model, word).texts(), [want], rule)
                self.assertEqual(main.config_check(WEIRCTL, write.configuration(reading.model)), [], rule)
        for rule in ("||ads.^", "||a..b*^", "||192.0.2.1^", "192.0.2.*", "||a.example/x^", "||a.example^x", "||bü*.example^", "|.a*^", "a,b.example^"):
            reading = self.read(f"dns: {{}}\nuser_rules: ['{rule}']\n")
            self.assertEqual((reading.model.deny.texts(), reading.account.counts()["impossible"]), ([], 1), rule)

    def test_ipv4_alone(self):
        for word, want in (("true", ("true", "[ipv6hint]")), ("false", (None, None))):
            values = self.read(f"dns: {{aaaa_disabled: {word}}}\n").model.values
            self.assertEqual(tuple(values.get(key, (None,))[0] for key in (("ipv6", "filter_aaaa"), ("blocking", "https_strip"))), want)

    def test_privacy(self):
        m = self.read("dns: {anonymize_client_ip: true}\nquerylog: {enabled: false, file_enabled: false, interval: 24h, "
                      "ignored: ['||a.example^']}\nstatistics: {ignored: [b.example]}\nclients: {persistent: [{name: x, "
                      "ids: [192.0.2.7], ignore_querylog: true}]}\n").model
        self.assertEqual({k: v[0] for k, v in m.values.items()},
                         {("query_log", "enabled"): "false", ("query_log", "anonymize"): "truncate",
                          ("query_log.store", "enabled"): "false", ("query_log.store", "hours"): "24"})
        self.assertEqual((m.log_names.texts(), m.log_clients.texts()), (["a.example", "b.example"], ["192.0.2.7"]))

    def test_schedules_are_turned_round(self):
        m = self.read("dns: {}\nfiltering: {blocked_services: {ids: [tiktok], schedule: {time_zone: Local, mon: {start: 8h, "
                      "end: 10h}, sun: {start: 0s, end: 24h}}}}\n").model
        self.assertEqual([(s.days, s.begin, s.end) for s in m.schedules],
                         [(("mon",), "00:00", "08:00"), (("tue", "wed", "thu", "fri", "sat"), "00:00", "24:00"),
                          (("mon",), "10:00", "24:00")])
        self.assertEqual(m.services.texts(), [])
        for zone, want in (("Local", ""), ("Europe/Berlin", "Europe/Berlin"), ("Europe/Berlim", ""), ("../zoneinfo/UTC", ""), ("Europe", "")):
            r = self.read(f"dns: {{}}\nfiltering: {{blocked_services: {{ids: [tiktok], schedule: {{time_zone: {zone}, mon: {{start: 8h, end: 10h}}}}}}}}\n")
            self.assertEqual({s.time_zone for s in r.model.schedules}, {want})

    def test_reverse_zones_of_all_private_networks(self):
        m = self.read("dns: {local_ptr_upstreams: [192.168.1.1]}\n").model
        for zone in ("10.in-addr.arpa", "16.172.in-addr.arpa", "31.172.in-addr.arpa", "168.192.in-addr.arpa", "d.f.ip6.arpa"):
            self.assertIn(zone, m.zones)
        self.assertNotIn("172.in-addr.arpa", m.zones)
        m = self.read("dns: {local_ptr_upstreams: [192.168.1.1], private_networks: [192.168.7.0/24]}\n").model
        self.assertEqual(list(m.zones), ["7.168.192.in-addr.arpa"])

    def test_dns64(self):
        self.assertEqual(self.read("dns: {use_dns64: true}\n").model.values["ipv6", "dns64"][0], "'64:ff9b::/96'")
        self.assertEqual(self.read("dns: {use_dns64: true, dns64_prefixes: ['64:ff9b:1::/96']}\n").model.values["ipv6", "dns64"][0],
                         "'64:ff9b:1::/96'")
        self.assertEqual(self.read("dns: {use_dns64: false, dns64_prefixes: ['64:ff9b:1::/96']}\n").model.values, {})

    def test_servers_of_one_client(self):
        """Its own servers for all names leave the others' zones to nobody; zones alone come before those of everyone."""
        m = self.read("dns: {upstream_dns: [9.9.9.9, '[/corp.example/]10.0.0.1', '[/x.example/]10.0.0.2']}\nclients: {persistent: ["
                      "{name: a, ids: [192.0.2.7], upstreams: [1.1.1.1, '[/x.example/y.example/]10.0.0.3', '[/z.example/]#']}, "
                      "{name: b, ids: [192.0.2.8], upstreams: ['[/x.example/]10.0.0.3']}]}\n").model
        self.assertEqual({g.name: {z.name: z.servers.texts() or z.exempt for z in g.zones.values()} for g in m.groups},
                         {"a": {"x.example": ["10.0.0.3"], "y.example": ["10.0.0.3"], "z.example": True, "corp.example": True},
                          "b": {"x.example": ["10.0.0.3"]}})
        self.assertEqual(main.config_check(WEIRCTL, write.configuration(m)), [])

    def test_services_of_clients_without_filtering(self):
        off = "use_global_settings: false, filtering_enabled: false"
        text = ("dns: {}\nfilters: [{enabled: true, url: 'https://l.example/a', name: a, id: 1}]\nfiltering: {blocked_services: {ids: [tiktok]}}\n"
                f"clients: {{persistent: [{{name: own, ids: [192.0.2.7], {off}, use_global_blocked_services: false, blocked_services: "
                f"{{ids: [roblox]}}}}, {{name: all, ids: [192.0.2.8], {off}, use_global_blocked_services: true}}, "
                f"{{name: none, ids: [192.0.2.9], {off}, use_global_blocked_services: false, blocked_services: {{ids: []}}}}]}}\n")
        for rules, said in (("[]", 0), ("['||a.example^']", 2), ("['@@||a.example^']", 2), ("['||a.example^$dnstype=A']", 2)):
            reading = self.read(text + f"user_rules: {rules}\n")
            self.assertEqual([(g.name, g.blocking, g.lists.texts(), g.services.texts()) for g in reading.model.groups],
                             [("own", True, [], ["roblox"]), ("all", True, [], ["tiktok"]), ("none", False, ["a"], [])])
            self.assertEqual(reading.account.counts()["differently"], said, rules)
            written = write.configuration(reading.model)
            self.assertEqual(main.config_check(WEIRCTL, written), [])
            self.assertEqual(written.count("# no list applies"), 2)
        said = self.read(text + "user_rules: ['192.0.2.1 a.example']\n").account.in_order()
        self.assertEqual(len([e for e in said if "gets no rewrites there" in e.text]), 3)

    def test_filtering_off_for_everyone(self):
        client = "clients: {persistent: [{name: a, ids: [192.0.2.7], use_global_settings: false, filtering_enabled: true}]}\n"
        services = ", blocked_services: {ids: [tiktok]}"
        for text, more, want in (("filtering_enabled: false", "", 0), ("filtering_enabled: false" + services, "", 1),
                                 ("filtering_enabled: false", client, 1), ("filtering_enabled: true" + services, client, 0),
                                 ("filtering_enabled: false, protection_enabled: false" + services, "", 0)):
            counts = self.read(f"dns: {{}}\nfiltering: {{{text}}}\n{more}").account.counts()
            self.assertEqual(counts["impossible"], want, text)

    def test_a_new_key_of_a_list_is_not_hidden(self):
        reading = self.read("filters: [{url: 'https://x.example/a', name: a, enabled: true, id: 1, new: 1}]\n")
        self.assertEqual([e.key for e in reading.account.in_order((account.UNKNOWN,))], ["filters[0].new"])


class Pihole(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)

    def read(self, **files):
        """Files by their names, with `_` for a dot."""
        for name, text in files.items():
            (self.dir / name.replace("_", ".")).write_text(text)
        return main.read("pihole", [str(self.dir)])

    def log(self, **files):
        values = self.read(**files).model.values
        return {key: value[0] for key, value in values.items() if key[0].startswith("query_log")}

    def test_logs_no_more_than_pihole(self):
        off, hashed = {("query_log", "enabled"): "false"}, {("query_log", "anonymize"): "hash"}
        self.assertEqual(self.log(pihole_toml="misc.privacylevel = 0\ndns.queryLogging = true\n"), {})
        self.assertEqual(self.log(pihole_toml="misc.privacylevel = 1\n"), off)
        for level in ("2", "3", "4", "7", "true"):
            self.assertEqual(self.log(pihole_toml=f"misc.privacylevel = {level}\n"), off | hashed, level)
        self.assertEqual(self.log(pihole_toml="dns.queryLogging = false\n"), off)
        self.assertEqual(self.log(pihole_toml="dns.port = 53\n", setupVars_conf="QUERY_LOGGING=false\n"), off)

    def test_keeps_queries_no_longer_than_pihole(self):
        off = {("query_log.store", "enabled"): "false"}
        for days, want in ((0, off), (-1, off), (1, {("query_log.store", "hours"): "24"}),
                           (91, {("query_log.store", "hours"): "2184"})):
            self.assertEqual(self.log(pihole_toml=f"database.maxDBdays = {days}\n"), want)
        (self.dir / "pihole.toml").unlink()
        (self.dir / "pihole-FTL.conf").write_text("MAXDBDAYS=30\nDBFILE=\n")
        self.assertEqual(self.log(), off)

    def test_lines_of_dnsmasq_do_not_turn_the_log_on(self):
        (self.dir / "dnsmasq.d").mkdir()
        (self.dir / "more").write_text("log-queries\n")
        (self.dir / "dnsmasq.d/9.conf").write_text(f"log-queries\nconf-file={self.dir}/more\n")
        text = 'misc.privacylevel = 3\nmisc.etc_dnsmasq_d = true\nmisc.dnsmasq_lines = ["log-queries", "unheard=1"]\n'
        reading = self.read(pihole_toml=text)
        self.assertEqual(reading.model.values["query_log", "enabled"][0], "false")
        self.assertEqual([e.key for e in reading.account.in_order(("unknown",))], ["misc.dnsmasq_lines[1].unheard"])

    def test_lines_of_dnsmasq_that_block_in_another_way(self):
        lines = 'misc.dnsmasq_lines = ["address=/a.example/", "address=/b.example/#", "address=/dev.example/127.0.0.1"]\n'
        for mode, named in (("NULL", ["a"]), ("NX", ["b"]), ("NODATA", ["a", "b"])):
            reading = self.read(pihole_toml=f"dns.blocking.mode = '{mode}'\n" + lines)
            said = [e.text.split(".example")[0][-1] for e in reading.account.in_order() if e.to == "blocking.mode"]
            self.assertEqual((said, reading.model.deny.texts()), (named, ["a.example", "b.example"]), mode)
            self.assertEqual([r.name for r in reading.model.records], ["*.dev.example", "dev.example"])

    def test_files_of_dnsmasq_count_where_pihole_reads_them(self):
        (self.dir / "dnsmasq.d").mkdir()
        for name in ("01-pihole.conf", "99-mine.conf"):
            (self.dir / "dnsmasq.d" / name).write_text("host-record=nas.example,192.0.2.1\n")
        for text, count in (("misc.etc_dnsmasq_d = false\n", 0), ("misc.etc_dnsmasq_d = true\n", 2), ("dns.port = 53\n", 2)):
            self.assertEqual(len(self.read(pihole_toml=text).model.records), count, text)

    def test_block_modes(self):
        def blocking(text):
            values = self.read(pihole_toml=text).model.values
            return {key[1]: value[0] for key, value in values.items() if key[0] == "blocking"}
        forced = "dns.reply.blocking = {force4 = true, IPv4 = '192.0.2.3', force6 = true, IPv6 = '2001:db8::3'}\n"
        four, six = {"ipv4": "'192.0.2.3'"}, {"ipv6": "'2001:db8::3'"}
        for mode, want in (("NULL", {"mode": "'null'"}), ("NX", {"mode": "nxdomain"}), ("NODATA", {"mode": "nodata"}),
                           ("IP", {"mode": "address", **four, **six}), ("IP-NODATA-AAAA", {"mode": "address", **four})):
            self.assertEqual(blocking(f"dns.blocking.mode = '{mode}'\n{forced}"), {"ttl": "2", **want}, mode)
        self.assertEqual(blocking("dns.blocking.mode = 'IP'\n"), {"ttl": "2", "mode": "'null'"})
        self.assertEqual(blocking("dns.replyWhenBusy = 'DROP'\n")["closed"], "true")

    def test_special_domains(self):
        for text, want in (("dns.port = 53\n", "true"), ("dns.specialDomains.iCloudPrivateRelay = true\n", "true"),
                           ("dns.specialDomains.iCloudPrivateRelay = false\n", None)):
            self.assertEqual(self.read(pihole_toml=text).model.values.get(("local", "relay_canary"), (None,))[0], want)
        values = self.read(pihole_toml="dns.specialDomains.mozillaCanary = false\n").model.values
        self.assertEqual(values["local", "doh_canary"][0], "false")

    def test_local_names(self):
        m = self.read(pihole_toml="dns.hosts = ['192.0.2.7 nas nas.other.example # x']\ndns.expandHosts = true\n"
                      "dns.domain = 'home.example'\ndns.cnameRecords = ['a.example,b.example,nas.other.example,60']\n").model
        self.assertEqual([(r.name, r.type, r.ttl) for r in m.records],
                         [("7.2.0.192.in-addr.arpa", "PTR", None), ("a.example", "CNAME", 60), ("b.example", "CNAME", 60),
                          ("nas", "A", None), ("nas.home.example", "A", None), ("nas.other.example", "A", None)])
        self.assertIn("home.example", m.closed_zones)
        self.assertEqual(m.values["local", "domain"][0], "'home.example'")
        m = self.read(pihole_toml="dns.domain = {name = 'home.example', local = false}\n").model
        self.assertNotIn("home.example", m.closed_zones)
        self.assertIn("home.example", m.open_zones)

    def test_reverse_servers(self):
        reading = self.read(pihole_toml="dns.revServers = ['true,172.16.0.0/12,192.0.2.1#54,lan', 'true,192.0.2.9,192.0.2.1', "
                            "'false,10.0.0.0/8,10.0.0.1,off']\ndns.domain = 'lan'\ndns.dnssec = true\n")
        m = reading.model
        self.assertEqual(len([z for z in m.zones if z.endswith(".172.in-addr.arpa")]), 16)
        self.assertEqual(m.zones["lan"].servers.texts(), ["192.0.2.1:54"])
        self.assertIn("9.2.0.192.in-addr.arpa", m.zones)
        self.assertNotIn("lan", m.closed_zones)  # it has a server of its own
        self.assertNotIn("off", m.zones)
        self.assertIn("lan", m.negative_anchors)
        self.assertEqual(reading.account.in_order()[0].key, "names without a dot")
        reading = self.read(pihole_toml="dns.revServers = ['true,192.0.2.0/24,192.0.2.1,lan']\ndns.domainNeeded = true\n")
        self.assertEqual(reading.account.in_order(), [])
        self.assertEqual(reading.model.values["local", "single_labels"][0], "home")

    def test_cache_and_rate(self):
        values = self.read(pihole_toml="dns.cache.optimizer = 7200\ndns.rateLimit = {count = 0, interval = 0}\n").model.values
        self.assertEqual([values[key][0] for key in (("cache", "stale"), ("cache", "stale_window"), ("access", "rate"))],
                         ["immediate", "7200", "0"])
        values = self.read(pihole_toml="dns.cache.optimizer = -1\ndns.rateLimit = {count = 1000, interval = 60}\n").model.values
        self.assertEqual([key for key in values if key[0] in ("cache", "access")], [])

    def test_expressions_with_options(self):
        from weir_import.readers import pihole_gravity
        for regex, allow, want in (("^a;querytype=A,aaaa", False, ("^a", ["A", "AAAA"], "", False)),
                                   ("^a;querytype=!A,MX", True, ("^a", ["~A", "~MX"], "", False)),
                                   ("^a;reply=nxdomain;querytype=A", False, ("^a", ["A"], "nxdomain", False)),
                                   ("^a;reply=NONE", False, ("^a", [], "drop", False)), ("^a;reply=NODATA", True, ("^a", [], "", False)),
                                   ("^a;invert", False, ("^a", [], "", True)),
                                   ("^a;querytype=A;invert", True, ("^a", ["A"], "", True)), ("^a;reply=1.2.3.4", False, None)):
            self.assertEqual(pihole_gravity.options(regex, allow), want, regex)
        for regex, want in ((r"(\.|^)a\.b-c\.example$", "a.b-c.example"), (r"(^|\.)a\-b\.example$", "a-b.example"),
                            (r"(\.|^)a.example$", None), (r"(\.|^)a\.example", None)):
            self.assertEqual(pihole_gravity.wildcard(regex), want, regex)

    def test_new_tables_and_columns_are_not_hidden(self):
        path = self.dir / "gravity.db"
        shutil.copy(GRAVITY, path)
        database(path, 'ALTER TABLE adlist ADD COLUMN "new.one" TEXT; CREATE TABLE later (what TEXT);')
        reading = main.read("pihole", [str(path)])
        self.assertEqual([e.key for e in reading.account.in_order(("unknown",))], ["adlist.new.one", "later.what"])

    def test_databases_that_are_none(self):
        def refused(text):
            with self.assertRaises(source.Refused) as caught:
                main.read("pihole", [str(path)])
            self.assertIn(text, str(caught.exception))
        path = self.dir / "gravity.db"
        path.write_text("not a database")
        refused("no database of Pi-hole that can be read: file is not a database")
        path.unlink()
        database(path, "CREATE TABLE adlist (id INTEGER);")
        refused("no such table: group")
        path.unlink()
        shutil.copy(GRAVITY, path)
        database(path, "DROP TABLE client; CREATE TABLE c (n INTEGER); INSERT INTO c VALUES (1); CREATE TABLE client (ip TEXT, x TEXT "
                 "AS (ip)); DROP TABLE c;")
        self.assertEqual(len(main.read("pihole", [str(path)]).model.groups), 0)
        path.unlink()
        os.mkfifo(path)
        refused("is no regular file")
        base = self.dir / "a?b#c%41.db"
        shutil.copy(GRAVITY, base)
        self.assertEqual(len(main.read("pihole", [str(base)]).model.groups), 4)

    def test_a_database_is_bounded(self):
        path = self.dir / "gravity.db"
        shutil.copy(GRAVITY, path)
        database(path, "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 100200) INSERT INTO domainlist (id, "
                 "type, domain, enabled) SELECT i, 1, 'n' || i || '.example', 1 FROM n; INSERT INTO domainlist_by_group SELECT id, 0 "
                 "FROM domainlist WHERE id >= 100;")
        reading = main.read("pihole", [str(path)])
        said = [e.text for e in reading.account.in_order() if e.key.startswith("domainlist")]
        self.assertIn("the table has more than 100000 rows; the others are left out", said)

    def test_mutations_of_a_teleporter(self):
        files, rng = sorted(p.name for p in (HERE / "pihole5").iterdir()), random.Random("teleporter")
        for turn in range(2 * MUTATIONS):
            shutil.rmtree(self.dir)
            shutil.copytree(HERE / "pihole5", self.dir)
            path = self.dir / rng.choice(files)
            path.write_bytes(mutated(path.read_bytes(), rng, [*PIECES["pihole"], b"{", b"null", b":", b"[]"]))
            try:
                reading = main.read("pihole", [str(self.dir)])
            except source.Refused as refused:
                self.assertNotIn("\n", report.printable(str(refused)))
                continue
            text = write.configuration(reading.model)
            if turn % 20 == 0:
                errors = [e for e in main.config_check(WEIRCTL, text) if not KNOWN.search(e)]
                self.assertEqual(errors, [], f"mutation {turn} of {path.name}: {path.read_bytes()!r}")


class Blocky(unittest.TestCase):
    def read(self, *texts):
        with tempfile.TemporaryDirectory() as folder:
            for number, text in enumerate(texts):
                (pathlib.Path(folder) / f"{number}.yml").write_text(text)
            return main.read("blocky", [folder])

    BLOCKING = ("blocking: {denylists: {a: ['https://x.example/a'], b: ['https://x.example/b'], c: ['https://x.example/c']}, "
                "allowlists: {only: ['https://x.example/only']}, ")

    def lists(self, model):
        return {g.name: (g.clients.texts(), [t.split()[1] for t in g.lists.texts()]) for g in model.groups}

    def test_an_address_has_the_lists_of_its_subnets_too(self):
        m = self.read(self.BLOCKING + "clientGroupsBlock: {default: [c], 10.0.0.0/8: [a], 10.1.0.0/16: [b], 10.1.0.7: [c], box: [a], "
                      "10.9.9.9: []}}\nclientLookup: {clients: {Box-1: [10.1.0.7], box: [192.0.2.7]}}\n").model
        lists = {client: sorted(names_) for clients, names_ in self.lists(m).values() for client in clients}
        self.assertEqual(lists, {"10.0.0.0/8": ["a"], "10.9.9.9": ["a"], "10.1.0.0/16": ["a", "b"], "10.1.0.7": ["a", "b", "c"],
                                 "192.0.2.7": ["a"], "0.0.0.0/0": ["c"], "::/0": ["c"]})

    def test_servers_of_a_client(self):
        """By its address, else by its name, else by the nearest subnet."""
        m = self.read("upstreams: {groups: {default: [9.9.9.9], 10.0.0.0/8: [192.0.2.1], 10.1.0.0/16: [192.0.2.2], 'b*': [192.0.2.3], "
                      "10.1.0.9: [192.0.2.4]}}\nclientLookup: {clients: {box: [10.1.0.7], bed: [10.1.0.9]}}\n").model
        servers_of = {client: g.upstreams.texts() for g in m.groups for client in g.clients.texts()}
        self.assertEqual(servers_of, {"10.0.0.0/8": ["192.0.2.1"], "10.1.0.0/16": ["192.0.2.2"], "10.1.0.7": ["192.0.2.3"],
                                      "10.1.0.9": ["192.0.2.4"]})

    def test_schedules(self):
        m = self.read(self.BLOCKING + "schedules: {night: {start: '22:00', end: '06:00', weekdays: [mon, sun]}, all: {}}, "
                      "listSchedules: {a: [night], b: [all]}, clientGroupsBlock: {default: [a, b, c]}}\n").model
        group = m.groups[0]
        self.assertEqual((group.name, [t.split()[1] for t in group.lists.texts()]), ("default", ["c"]))
        self.assertEqual([(s.name, s.days, s.begin, s.end, [t.split()[1] for t in s.lists]) for s in group.schedules],
                         [("night", ("mon", "sun"), "22:00", "06:00", ["a"]), ("all", (), "00:00", "24:00", ["b"])])

    def test_names_of_schedules_are_those_that_weir_takes(self):
        long = ["a night without an end", "a night without an end, later", "a night without an end, latest"]
        given = ["allow", "deny", "family time", "allowed alone", "allow-2", "n\u00e4chste", "a: b", *long]
        some = ", ".join(f"'{name}': {{start: '22:00', end: '06:00'}}" for name in given)
        reading = self.read(self.BLOCKING + f"schedules: {{{some}}}, listSchedules: {{a: [{', '.join(map(repr, given))}]}}, "
                            "clientGroupsBlock: {default: [a, c]}}\n")
        names_ = [s.name for s in reading.model.groups[0].schedules]
        self.assertEqual(names_, ["allow-2", "deny-2", "family time-2", "allowed alone-2", "allow-2-2", "nchste", "a- b", long[0],
                                  "a night without an end,", "a night without an en-2"])
        self.assertEqual(main.config_check(WEIRCTL, write.configuration(reading.model)), [])
        said = "\n".join(report.lines(reading.account))
        self.assertIn("the schedule `allow` is named `allow-2`", said)
        self.assertNotIn(f"the schedule `{long[0]}`", said)

    def test_lists_that_allow_alone_block_all_else(self):
        m = self.read(self.BLOCKING + "clientGroupsBlock: {default: [a], 10.0.0.7: [only], 10.0.0.8: [only, a]}}\n").model
        self.assertEqual({g.name: [s.block_all for s in g.schedules] for g in m.groups},
                         {"10.0.0.7": [True], "10.0.0.8": [], "default": []})

    def test_privacy(self):
        def log(text):
            values = self.read("blocking: {}\n" + text).model.values
            return {f"{s}.{k}": v[0] for (s, k), v in values.items() if s.startswith("query_log")}
        self.assertEqual(log("queryLog: {type: none}\n"), {"query_log.enabled": "false"})
        self.assertEqual(log(""), {"query_log.store.enabled": "false"})
        self.assertEqual(log("log: {privacy: true}\n"), {"query_log.enabled": "false"})
        self.assertEqual(log("queryLog: {type: csv, logRetentionDays: 2, fields: [question]}\n"),
                         {"query_log.enabled": "true", "query_log.store.hours": "48", "query_log.anonymize": "hash"})
        self.assertEqual(log("queryLog: {type: csv, fields: [clientIP]}\n")["query_log.enabled"], "true")

    def test_rebinding_and_dns64(self):
        m = self.read("blocking: {}\nrebindingProtection: {enable: true, allowedDomains: [a.example]}\ndns64: {enable: true}\n").model
        self.assertEqual((m.values["blocking.rebinding", "enabled"][0], m.rebinding_allow.texts(), m.values["ipv6", "dns64"][0]),
                         ("true", ["a.example"], "'64:ff9b::/96'"))

    def test_a_folder_is_one_configuration(self):
        reading = self.read(self.BLOCKING[:-2] + "}\n", "blocking: {clientGroupsBlock: {default: [a]}, unheard: 1}\n")
        self.assertEqual([one.place[-1] for one in reading.model.lists], ["a"])
        self.assertEqual([e.key for e in reading.account.in_order((account.UNKNOWN,))], ["blocking.unheard"])

    def test_rewrites_become_records(self):
        m = self.read("blocking: {}\ncustomDNS: {rewrite: {home.example: lan}, mapping: {nas.lan: 192.0.2.7}}\n").model
        self.assertEqual(sorted({r.name for r in m.records}), ["*.nas.home.example", "*.nas.lan", "nas.home.example", "nas.lan"])


class Technitium(unittest.TestCase):
    def read(self, **files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                (pathlib.Path(folder) / name.replace("_", ".")).write_text(text)
            return main.read("technitium", [f"{folder}/{name.replace('_', '.')}" for name in files])

    def settings(self, **keys):
        return self.read(settings_json=json.dumps({"response": {"forwarders": ["9.9.9.9"], **keys}, "status": "ok"}))

    def test_an_unknown_key_is_reported(self):
        reading = self.settings(unheardOf=1, qpmPrefixLimitsIPv4=[{"prefix": 24, "udpLimit": 60, "new": 1}])
        self.assertEqual([e.key for e in reading.account.in_order((account.UNKNOWN,))], ["unheardOf", "qpmPrefixLimitsIPv4[0].new"])

    def test_privacy(self):
        def log(**keys):
            m = self.settings(**keys).model
            return {k: v[0] for (s, k), v in m.values.items() if s.startswith("query_log")}
        self.assertEqual(log(), {"enabled": "false"})
        self.assertEqual(log(logQueries=False), {"enabled": "false"})
        self.assertEqual(log(logQueries=True, maxLogFileDays=2), {"enabled": "true", "hours": "48"})
        self.assertEqual(log(logQueries=True, enableLogging=False), {"enabled": "false"})
        self.assertEqual(log(logQueries=True, loggingType="None"), {"enabled": "false"})

    def test_clients_that_bypass_blocking(self):
        group = self.settings(blockingBypassList=["10.0.0.7", "10.1.0.0/16"]).model.groups[0]
        self.assertEqual((group.blocking, group.clients.texts()), (False, ["10.0.0.7", "10.1.0.0/16"]))

    def test_who_may_ask(self):
        m = self.settings(recursion="UseSpecifiedNetworkACL", recursionNetworkACL=["!10.0.9.0/24", "10.0.0.0/8"]).model
        self.assertEqual((m.access_allow.texts(), m.access_deny.texts()), (["10.0.0.0/8"], ["10.0.9.0/24"]))
        self.assertEqual(self.settings(recursion="Allow").model.access_allow.texts(), ["any"])

    def test_a_forwarded_zone_is_not_closed(self):
        m = self.read(corp_example_zone="@ IN SOA a. b. 1 2 3 4 5\n@ 0 IN FWD Udp \"10.0.0.1\" false 0\nopen IN FWD Udp \"this-server\"\n").model
        self.assertEqual((m.closed_zones.texts(), {z.name: (z.servers.texts(), z.exempt) for z in m.zones.values()}),
                         ([], {"corp.example": (["10.0.0.1"], False), "open.corp.example": ([], True)}))

    def test_zone_files(self):
        m = self.read(a_example_zone="$TTL 1h\n@ IN SOA a. b. (\n1 2 ; x\n3 4 5 )\n IN NS ns\nwww 60 IN A 192.0.2.1\n  IN AAAA ::1\n"
                      "$ORIGIN b.example.\nmail MX 10 mx\nt TXT one \"two ; three\"\nh HTTPS 1 . alpn=\"h2,h3\"\nsub NS else.example.\n"
                      "CH CH TXT no\n").model
        self.assertEqual([(r.name, r.type, r.value, r.ttl) for r in m.records], [
            ("h.b.example", "HTTPS", '1 . alpn="h2,h3"', 3600), ("mail.b.example", "MX", "10 mx.b.example.", 3600),
            ("t.b.example", "TXT", '"one" "two ; three"', 3600), ("www.a.example", "A", "192.0.2.1", 60),
            ("www.a.example", "AAAA", "::1", 3600)])
        self.assertEqual(m.closed_zones.texts(), ["a.example"])


class Unbound(unittest.TestCase):
    def read(self, text, **files):
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                (pathlib.Path(folder) / name).write_text(content)
            path = pathlib.Path(folder) / "unbound.conf"
            path.write_text(text)
            return main.read("unbound", [str(path)])

    def said(self, text):
        return "\n".join(report.lines(self.read(text).account))

    def test_options_are_those_of_the_manual(self):
        manual = pathlib.Path("/usr/share/man/man5/unbound.conf.5.gz")
        if not manual.exists():
            self.skipTest("no manual of unbound")
        from weir_import.readers import unbound
        options = set(re.findall(r"^\.B \\?\*?\(?([a-z0-9-]+)(?:\\-)?: ", gzip.decompress(manual.read_bytes()).decode().replace("\\-", "-"),
                                 re.M))
        self.assertGreater(len(options), 200)
        self.assertEqual(sorted(options - unbound.KNOWN), [])

    def test_unbound_takes_the_file_of_every_key(self):
        check = shutil.which("unbound-checkconf") or "/usr/sbin/unbound-checkconf"
        if not os.access(check, os.X_OK):
            self.skipTest("no unbound")
        with tempfile.TemporaryDirectory() as folder:
            text = (HERE / "every/unbound.conf").read_text().replace('"/etc/unbound', f'"{folder}')
            for path in re.findall(f'"({folder}/[^"]+)', text):
                pathlib.Path(path).touch()
            shutil.copy(HERE / "every/unbound-more.conf", folder)
            (pathlib.Path(folder) / "u.conf").write_text(text)
            done = subprocess.run([check, f"{folder}/u.conf"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_words(self):
        root = self.read("server:verbosity: 1 num-threads: 2 # x\n"
                         "local-data: 'a.example TXT \"#\"' local-zone:\n  x.example static\n"
                         "forward-zone: name: . forward-addr: 9.9.9.9@853#dns.quad9.net\nforward-addr: 2620:fe::fe\n").account.roots[0]
        self.assertEqual([(n.path, n.line, n.text) for n in root.leaves()],
                         [("verbosity", 1, "1"), ("num-threads", 1, "2"), ("local-data", 2, 'a.example TXT "#"'),
                          ("local-zone", 2, "x.example static"), ("forward-zone.name", 4, "."),
                          ("forward-zone.forward-addr", 4, "9.9.9.9@853#dns.quad9.net"), ("forward-zone.forward-addr", 5, "2620:fe::fe")])

    def test_the_log_is_off_where_it_was(self):
        def values(text):
            return {k: v[0] for k, v in self.read(text).model.values.items() if k[0].startswith("query_log")}
        self.assertEqual(values("server:\nlog-queries: no\n"), {("query_log", "enabled"): "false"})
        self.assertEqual(values("server:\nlog-replies: yes\n"), {("query_log", "enabled"): "true"})
        self.assertEqual(values("server:\nlog-queries: yes\nlog-queries: no\n"), {("query_log", "enabled"): "false"})
        tap = "dnstap:\ndnstap-enable: yes\ndnstap-socket-path: /run/tap\ndnstap-log-client-query-messages: "
        self.assertEqual(values(tap + "yes\n"), {("query_log.dnstap", "socket"): "'/run/tap'", ("query_log.store", "enabled"): "false"})
        self.assertEqual(values(tap + "no\n"), {("query_log", "enabled"): "false"})
        self.assertIn("logs no queries without it", self.said("server:\n"))

    def test_options_are_those_of_the_program(self):
        """The program has the words of unbound-control's get_option as texts; two that look so are none."""
        program = pathlib.Path(shutil.which("unbound") or "/usr/sbin/unbound")
        if not os.access(program, os.R_OK):
            self.skipTest("no unbound")
        from weir_import.readers import unbound
        options = {word.decode() for word in re.findall(rb"\0([a-z][a-z0-9-]{3,40}):(?=\0)", program.read_bytes())}
        self.assertGreater(len(options), 150)
        self.assertEqual(sorted(options - unbound.KNOWN - {"trailingdata", "verify"}), [])

    def test_local_zones(self):
        reading = self.read("".join(["server:\n", *(f"local-zone: {kind.replace('_', '-')}.example {kind}\n" for kind in (
            "static transparent typetransparent nodefault always_transparent inform deny refuse inform_deny always_nxdomain always_nodata "
            "always_null always_deny always_refuse redirect inform_redirect block_a ipset unheard").split()),
            *(f"local-data: '{name}.example A 192.0.2.1'\n" for name in ("typetransparent", "redirect", "inform-redirect", "always-null"))]))
        m = reading.model
        self.assertEqual(m.closed_zones.texts(), ["static.example"])
        self.assertEqual(m.open_zones.texts(), [f"{name}.example" for name in (
            "transparent", "typetransparent", "always-transparent", "inform", "nodefault")])
        self.assertEqual(m.deny.texts(), [f"{name}.example" for name in (
            "deny", "refuse", "inform-deny", "always-nxdomain", "always-nodata", "always-null", "always-deny", "always-refuse")])
        self.assertEqual(sorted(r.name for r in m.records), [
            "*.inform-redirect.example", "*.redirect.example", "always-null.example", "inform-redirect.example", "redirect.example",
            "typetransparent.example"])
        self.assertEqual(m.values["blocking", "mode"][0], "refused")
        lines = "\n".join(report.lines(reading.account))
        for text in ("no other types; unbound asks", "||block-a.example^$dnstype=A", "sets of a firewall", "the type unheard"):
            self.assertIn(text, lines)

    def test_typetransparent_without_data_loses_nothing(self):
        self.assertNotIn("local-zone", self.said("server:\nlocal-zone: x.example typetransparent\nlocal-data: 'x.y A 192.0.2.1'\n"))

    def test_reverse_zones_are_names(self):
        m = self.read("server:\nlocal-zone: 16.172.in-addr.arpa nodefault\nlocal-zone: '16/28.2.0.192.in-addr.arpa' transparent\n").model
        self.assertEqual(m.open_zones.texts(), ["16/28.2.0.192.in-addr.arpa", "16.172.in-addr.arpa"])
        m = self.read("server:\nunblock-lan-zones: yes\n").model
        self.assertIn("31.172.in-addr.arpa", m.open_zones)
        self.assertNotIn("172.in-addr.arpa", m.open_zones)

    def test_an_open_zone_below_a_blocked_one(self):
        m = self.read("server:\nlocal-zone: x.example always_null\nlocal-zone: ok.x.example transparent\n").model
        self.assertEqual((m.deny.texts(), m.allow.texts()), (["x.example"], ["ok.x.example"]))

    def test_the_longest_prefix_decides(self):
        m = self.read("server:\naccess-control: 0.0.0.0/0 refuse\naccess-control: 10.1.0.0/16 deny\naccess-control: 10.0.0.0/8 allow\n"
                      "access-control: 10.1.2.0/24 allow_snoop\naccess-control: 10.0.0.0/8 deny\naccess-control: 172.16.0.0/12 deny\n"
                      "access-control: 127.0.0.1 refuse\n").model
        self.assertEqual(m.access_allow.texts(), ["127.0.0.0/8", "::1", "10.0.0.0/8", "10.1.2.0/24"])
        self.assertEqual(m.access_deny.texts(), ["10.1.0.0/16", "127.0.0.1"])
        self.assertEqual(m.values["access", "denied"][0], "refuse")
        self.assertEqual(self.read("server:\naccess-control: 0.0.0.0/0 deny\n").model.access_allow.texts(), ["127.0.0.0/8", "::1"])
        self.assertIn("its own machine alone", self.said("server:\n"))

    def test_the_limit_of_a_client(self):
        for text, want in (("0", []), ("100", ["ip-ratelimit"])):
            reading = self.read(f"server:\nip-ratelimit: {text}\n")
            self.assertEqual(reading.model.values["access", "rate"][0], text)
            self.assertEqual([e.key for e in reading.account.in_order() if e.to == "access.rate"], want)

    def test_private_addresses_are_ranges_of_weir(self):
        from weir_import.readers import unbound
        own = [str(one) for one in unbound.REBINDING]
        text = (ROOT / "controlplane/lists/list_name.c").read_text().partition("list_own_prefixes[LIST_OWN_PREFIXES] = {")[2]
        self.assertEqual(re.findall('"([^"]+)"', text.partition("}")[0]), own)
        halves = ["fc00::/8", "fd00::/8", *(one for one in own if one != "fc00::/7")]
        for given, more, lost in ((["192.168.0.0/16"], [one for one in own if one != "192.168.0.0/16"], 0), (own, [], 0), (halves, [], 0),
                                  (own[1:], own[:1], 0), (["192.0.2.0/24"], [], 1), ([*own, "x"], [], 1), (own[:-1] + ["fe80::/16"], own[-1:], 0)):
            reading = self.read("server:\n" + "".join(f"private-address: {one}\n" for one in given))
            said = [e.text for e in reading.account.in_order() if e.to == "blocking.rebinding"]
            self.assertEqual(said, [f"weir blocks answers with addresses of {', '.join(more)}, too"] if more else [])
            self.assertEqual(reading.account.counts()["impossible"], lost)
            self.assertEqual(("blocking.rebinding", "enabled") in reading.model.values, given != ["192.0.2.0/24"])

    def test_rebinding_stays_off(self):
        m = self.read("server:\nprivate-domain: x.example\n").model
        self.assertEqual((len(m.rebinding_allow), m.values.get(("blocking.rebinding", "enabled"))), (0, None))

    def test_validation(self):
        def validates(text):
            return ("dnssec", "validate") in self.read(f"server:\nauto-trust-anchor-file: /k\n{text}\n").model.values
        self.assertTrue(validates(""))
        self.assertFalse(validates("module-config: iterator"))
        self.assertFalse(validates("val-permissive-mode: yes"))

    def test_stale(self):
        def values(text):
            return {k[1]: v[0] for k, v in self.read(f"server:\n{text}\n").model.values.items() if k[0] == "cache"}
        self.assertEqual(values("serve-expired-ttl: 60"), {})
        self.assertEqual(values("serve-expired: yes"), {"stale": "immediate", "stale_window": "86400"})
        self.assertEqual(values("serve-expired: yes\nserve-expired-ttl: 0\nserve-expired-client-timeout: 1800"),
                         {"stale": "on-failure", "stale_window": "604800"})

    def test_policy_zones(self):
        m = self.read("rpz:\nname: a.\nprimary: 2001:db8::1@5353#ns.example\nrpz:\nname: b\nzonefile: b.zone\n"
                      "rpz:\nname: c\nurl: https://x.example/c\nzonefile: c.zone\nrpz:\nname: d\nurl: https://x.example/d\n"
                      "rpz-action-override: disabled\n").model
        self.assertEqual([one.place for one in m.lists],
                         ["axfr+tls://ns.example@[2001:db8::1]:5353/a", "/etc/unbound/b.zone", "https://x.example/c"])

    def test_files_include_each_other(self):
        reading = self.read("server:\ninclude: '*.conf'\n", more="")
        self.assertIn("include each other", "\n".join(report.lines(reading.account)))

    def test_an_included_file_goes_on_with_the_clause(self):
        m = self.read("forward-zone:\nname: x.example\ninclude: more\nforward-addr: 10.0.0.2\ninclude-toplevel: top\n",
                      more="forward-addr: 10.0.0.1\n", top="server:\ndomain-insecure: y.example\n").model
        self.assertEqual(m.zones["x.example"].servers.texts(), ["10.0.0.1", "10.0.0.2"])
        self.assertEqual(m.negative_anchors.texts(), ["y.example"])


class BeyondAds(unittest.TestCase):
    def read(self, *texts):
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / f"{number}.yaml" for number in range(len(texts))]
            for path, text in zip(paths, texts):
                path.write_text(text)
            return main.read("beyond-ads-dns", [str(path) for path in paths])

    def test_the_first_file_overrides_the_second(self):
        m = self.read("upstreams: [{address: '10.0.0.1:53'}]\ncache: {min_ttl: 1m}\n",
                      "upstreams: [{address: '1.1.1.1:53'}]\ncache: {min_ttl: 5m, max_ttl: 1h}\nblocklists: {denylist: [a.example]}\n").model
        self.assertEqual(m.upstreams.texts(), ["10.0.0.1"])
        self.assertEqual({k[1]: v[0] for k, v in m.values.items()}, {"min_ttl": "60", "max_ttl": "3600"})
        self.assertEqual(m.deny.texts(), ["a.example"])

    def test_the_log_is_off_where_it_was(self):
        def values(text):
            return {k: v[0] for k, v in self.read("upstreams: []\n" + text).model.values.items()}
        self.assertEqual(values("query_store: {enabled: false}\n"), {("query_log", "enabled"): "false"})
        self.assertEqual(values("query_store: {enabled: false}\nrequest_log: {enabled: true}\n"),
                         {("query_log.requests", "enabled"): "true", ("query_log.store", "enabled"): "false"})
        self.assertEqual(values("query_store: {anonymize_client_ip: hash}\n"), {("query_log", "anonymize"): "hash"})

    def test_windows(self):
        m = self.read("blocklists: {family_time: {start: '17:00', end: '20:00', days: [0, 6], services: [tiktok]}, "
                      "scheduled_pause: {start: '09:00', end: '17:00'}}\n").model
        self.assertEqual(m.values["blocking", "family_time"][0], "{from: '17:00', to: '20:00', days: [sun, sat], services: ['tiktok']}")
        self.assertEqual(m.values["blocking", "schedules"][0], "[{name: pause, from: '09:00', to: '17:00', pause: true}]")


class Program(unittest.TestCase):
    """What a person sees."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)

    def refused(self, status, text, *words):
        got, out, err = run("import", *words)
        self.assertEqual((got, out), (status, ""), err)
        self.assertIn(text, err)
        self.assertNotIn("Traceback", err)

    def test_refused(self):
        os.mkfifo(self.dir / "fifo.conf")
        (self.dir / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\nfd53::7 seven\n")
        (self.dir / "bad.yaml").write_text("a: [b\n")
        self.refused(2, "did you mean pihole?", "pihol", "x")
        self.refused(2, "an argument is missing", "pihole")
        self.refused(1, "is no regular file", "dnsmasq", self.dir / "fifo.conf")
        self.refused(1, "No such file", "dnsmasq", self.dir / "none")
        self.refused(1, "no option of dnsmasq", "dnsmasq", self.dir / "hosts")
        self.refused(1, "line 2: ", "adguardhome", self.dir / "bad.yaml")
        self.refused(1, "no configuration of AdGuard Home", "adguardhome", "blocky.yml")
        (self.dir / "gravity.db").write_text("not a database")
        (self.dir / "pihole.toml").write_text("[other]\na = 1\n")
        self.refused(1, "no database of Pi-hole", "pihole", self.dir / "gravity.db")
        self.refused(1, "has no setting of Pi-hole", "pihole", self.dir / "pihole.toml")
        self.refused(1, "by their names", "pihole", "blocky.yml")
        self.refused(1, "no file of Pi-hole", "pihole", "golden")
        (self.dir / "dns.config").write_bytes(b"DC\0\1binary")
        self.refused(1, "settings/get", "technitium", self.dir / "dns.config")
        self.refused(1, "no record of a zone", "technitium", self.dir / "bad.yaml")
        self.refused(1, "no configuration of blocky", "blocky", "AdGuardHome.yaml")
        self.refused(1, "No such file", "unbound", self.dir / "none")
        self.refused(1, "no clause of unbound", "unbound", self.dir / "hosts")
        self.refused(1, "no configuration of beyond-ads-dns", "beyond-ads-dns", "AdGuardHome.yaml")

    def test_output(self):
        new, golden = self.dir / "new.yaml", (HERE / "golden/dnsmasq.yaml").read_text()
        self.assertEqual(run("import", "dnsmasq", "dnsmasq.conf", "-o", new)[:2], (0, ""))
        self.assertEqual(new.read_text(), golden)
        self.refused(1, "File exists (--force replaces it)", "dnsmasq", "dnsmasq.conf", "-o", new)
        new.write_text("old")
        self.assertEqual(run("import", "dnsmasq", "dnsmasq.conf", "-o", new, "--force")[0], 0)
        self.assertEqual((new.read_text(), sorted(os.listdir(self.dir))), (golden, ["new.yaml"]))
        with open("/dev/full", "w") as full:
            done = subprocess.run([WEIRCTL, "import", "dnsmasq", "dnsmasq.conf"], stdout=full, stderr=subprocess.PIPE, text=True,
                                  check=False)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("Traceback", done.stderr)

    def test_all_options_at_once(self):
        for count in (1, 2, 3):
            status, out, err = run("--json", "import", "--all", "--force", "-o", self.dir / "new", "dnsmasq", *["dnsmasq.conf"] * count)
            self.assertEqual((status, err, json.loads(out)["source"]), (0, "", "dnsmasq"))

    def test_json(self):
        status, out, err = run("--json", "import", "dnsmasq", "dnsmasq.conf")
        document = json.loads(out)
        self.assertEqual((status, err, document["source"]), (0, "", "dnsmasq"))
        self.assertEqual(set(document["keys"]), set(account.VERDICTS))
        self.assertEqual(document["missing"][0].keys(), {"place", "text"})
        self.assertIn("version: 1", document["configuration"])
        self.assertEqual(json.loads(run("--json", "import", "dnsmasq", "none")[1]), {"error": "import: none: No such file or directory"})

    def test_all_shows_every_key(self):
        short, long = (run("import", "dnsmasq", "dnsmasq.conf", *more)[2].count("\n") for more in ((), ("--all",)))
        self.assertGreater(long, short + 15)

    def test_without_pyyaml(self):
        blocked = ("import sys; sys.modules['yaml'] = None; sys.path.insert(0, sys.argv[1]); from weir_import.main import main; "
                   "sys.exit(main(['adguardhome', 'AdGuardHome.yaml']))")
        done = subprocess.run([sys.executable, "-I", "-B", "-c", blocked, str(ROOT / "tools/import")], capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (1, "weirctl: import: needs PyYAML: install the package python3-yaml\n"))

    def test_what_weir_refuses_is_an_error(self):
        path = self.dir / "circle.conf"
        path.write_text("cname=a.example,b.example\ncname=b.example,a.example\n")
        status, _, err = run("import", "dnsmasq", path)
        self.assertEqual(status, 1)
        self.assertIn("weirctl: import: to be corrected in the result: ", err)

    def test_nothing_warns(self):
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            self.assertEqual(main.main(["dnsmasq", "dnsmasq.conf"]), 0)
        self.assertNotIn("Warning", err.getvalue())


if __name__ == "__main__":
    WEIRCTL = os.path.realpath(sys.argv.pop(1))
    if "--write" in sys.argv:
        sys.argv.remove("--write")
        WRITE = True
    unittest.main()
