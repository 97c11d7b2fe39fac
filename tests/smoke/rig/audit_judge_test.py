#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The judge of audit logs finds each change whose entry is missing."""
import json
import pathlib
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from audit_judge import missing  # noqa: E402


def words(text):
    return struct.pack(">I", len(text.encode())) + text.encode()


def version(number, result, who, what):
    return (b"WEIRVER\0" + bytes(8) + struct.pack(">IIIQI", 1, number, number - 1, 1, result) + words(who) + words(what)
            + words(""))


class State(unittest.TestCase):
    ENTRIES = [{"who": "uid 0", "what": "deny weir_****é".replace("é", "??"), "version": 2},
               {"who": "start", "what": "start", "version": 1},
               {"who": "uid 0", "path": "/token/create", "query": "name=ops&role=read", "status": 0},
               {"who": "uid 0", "path": "/token/revoke", "query": "name=ops", "status": 0},
               {"who": "uid 0", "path": "/password/set", "query": "name=eve&role=read", "status": 0},
               {"who": "weir", "what": "this address is locked out for 60 s"},
               {"who": "uid 0", "path": "/cache/flush", "query": "name=a.example", "status": 200},
               {"who": "uid 0", "path": "/blocking/off", "status": 400}]

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.state = pathlib.Path(self.folder.name)
        (self.state / "config").mkdir()
        for v in (version(1, 2, "start", "start"), version(2, 3, "uid 0", "deny weir_12abé"), version(3, 4, "start", "start")):
            (self.state / "config" / f"{v[23]}.version").write_bytes(v)
        (self.state / "config" / "9.version").write_bytes(b"damaged")
        (self.state / "tokens").write_text("weir-tokens 1\nops read 00 1 0 revoked\n")
        (self.state / "passwords").write_text("weir-passwords 1\neve read 00 00\n")
        (self.state / "control.log").write_text(
            "serving, incarnation 1\ncontrol: /cache/flush a.example by uid 0, pid 3\nstopping: signal 15\n"
            "serving, incarnation 2\ncontrol: /cache/flush lost.example by uid 0, pid 4\n"
            "serving, incarnation 3\ncontrol: 192.0.2.7 is locked out for 60 s: 10 failed tries\n"
            "[2 lines suppressed] control: /blocking/off  by ops, 192.0.2.1\n")

    def tearDown(self):
        self.folder.cleanup()

    def gone(self, entries):
        half = len(entries) // 2
        for name, part in (("audit.log.1", entries[:half]), ("audit.log", entries[half:])):
            (self.state / name).write_text("".join(json.dumps(e) + "\n" for e in part) + '{"torn')
        return missing(str(self.state), [str(self.state / "control.log")])

    def test_all_there(self):
        self.assertEqual(([], 8), self.gone(self.ENTRIES))

    def test_each_is_missed(self):
        for i, entry in enumerate(self.ENTRIES):
            with self.subTest(entry=entry):
                self.assertEqual(1, len(self.gone(self.ENTRIES[:i] + self.ENTRIES[i + 1:])[0]))

    def test_of_a_refused_try(self):
        begun, *others = self.ENTRIES[2], *self.ENTRIES[:2], *self.ENTRIES[3:]
        for entries, gone in (([begun | {"status": 400}], 1), ([begun | {"status": 403, "refused": "role"}], 1), ([begun, begun | {"status": 409}], 1),
                              ([begun | {"status": 200}], 0), ([begun, begun | {"status": 500}], 0), ([begun, begun, begun | {"status": 409}], 0)):
            with self.subTest(entries=entries):
                self.assertEqual(gone, len(self.gone(others + entries)[0]))

    def test_no_state(self):
        with tempfile.TemporaryDirectory() as empty, self.assertRaises(FileNotFoundError):
            missing(empty, [])

    def test_of_another(self):
        for key, value in (("who", "uid 1"), ("what", "deny b"), ("version", 7)):
            self.assertEqual(1, len(self.gone([self.ENTRIES[0] | {key: value}] + self.ENTRIES[1:])[0]))


if __name__ == "__main__":
    unittest.main()
