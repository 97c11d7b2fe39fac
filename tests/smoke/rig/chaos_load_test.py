#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""chaos_load: which replies are older than an answer before."""
import struct
import sys
import unittest
from types import SimpleNamespace

sys.dont_write_bytecode = True
import chaos_zone  # noqa: E402
from dnswire import Query  # noqa: E402
from chaos_load import Question  # noqa: E402

NAME = "s1.short.test"


def answer_to(question, serial):
    asked = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + question.body
    return chaos_zone.answer(Query(asked), serial)


class Oracle(unittest.TestCase):
    def setUp(self):
        self.question = Question("short", NAME, SimpleNamespace(peer=bytes(6), mac=bytes(6)), "198.18.0.100")

    def reply(self, serial, sent, received):
        return self.question.judge(answer_to(self.question, serial), sent, received)[0]

    def test_in_order(self):
        self.assertEqual([self.reply(n, n, n + 0.1) for n in (1, 2, 2, 7)], ["ok"] * 4)

    def test_a_later_query_gets_nothing_older(self):
        self.reply(4, 1.0, 1.1)
        self.reply(7, 2.0, 2.1)
        self.assertTrue(self.reply(4, 2.2, 2.3).startswith("older than an answer before: serial 4"))
        self.assertTrue(self.reply(6, 2.2, 2.3).startswith("older"))
        self.assertEqual(self.reply(7, 2.2, 2.3), "ok")

    def test_queries_under_way_together_get_answers_in_any_order(self):
        self.reply(4, 1.0, 1.1)
        self.reply(7, 4.0, 4.1)
        self.assertEqual(self.reply(4, 2.0, 4.1), "ok")
        self.assertTrue(self.reply(3, 2.0, 4.1).startswith("older"))
        # It does not make the newest one forgotten.
        self.assertTrue(self.reply(4, 4.2, 4.3).startswith("older"))

    def test_other_faults_stay_faults(self):
        other = Question("short", "s2.short.test", SimpleNamespace(peer=bytes(6), mac=bytes(6)), "198.18.0.100")
        self.assertEqual(self.question.judge(answer_to(other, 1), 1, 2)[0], "another question")


if __name__ == "__main__":
    unittest.main()
