#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tools/services against checkouts that this test makes. usage: test_services.py ROOT"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()


class Services(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.checkout = pathlib.Path(folder.name)
        self.data = self.checkout / "data"
        self.data.mkdir()

    def compare(self, *words, status=0):
        done = subprocess.run([sys.executable, ROOT / "tools/services", self.checkout, *words], capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return (done.stdout if status == 0 else done.stderr).splitlines()

    def test_what_differs(self):
        (self.data / "signal").write_text("# names\nsignal.org @cn # its own\nfull:Updates.signal.org\nsignal.example\na.signal.example\n"
                                          "include:signal-more\nregexp:^x\nkeyword:signal\nads.signal-ads.example @ads\n")
        (self.data / "signal-more").write_text("domain:whispersystems.org\ninclude:signal\nsignal.me\nsignal.group\nsignal.art\n")
        self.assertEqual(self.compare("signal"), ["signal: +signal.example -signal.link"])

    def test_all(self):
        (self.data / "x").write_text("twitter.com\n")
        lines = self.compare()
        self.assertGreaterEqual(len(lines), 150)
        self.assertIn("signal: not there", lines)
        twitter = next(line for line in lines if line.startswith("twitter: "))
        self.assertIn(" -twimg.com", twitter)
        self.assertNotIn("+", twitter)

    def test_mistakes(self):
        self.assertEqual(self.compare("nothing", status=1), ["no service is called nothing"])
        self.data.rmdir()
        self.assertIn("no such directory", self.compare(status=1)[0])


unittest.main()
