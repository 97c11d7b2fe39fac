#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What tools/mutate takes for an operator, and what it says of a project of two functions, one of them tested well."""
import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here))
import sites
import trial

MESON = """project('two', 'c', default_options: ['c_std=gnu2x'])
lib = static_library('two', 'well.c', 'badly.c', 'same.c', 'nobody.c', gnu_symbol_visibility: 'hidden')
test('well', executable('test_well', 'test_well.c', link_with: lib), suite: 'unit')
test('badly', executable('test_badly', 'test_badly.c', link_with: lib, build_by_default: false), suite: 'unit')
"""
FILES = {
    "meson.build": MESON,
    "well.c": "int above(int a, int b);\nint above(int a, int b)\n{\n\treturn a > b;\n}\n",
    "badly.c": "int sum(int a, int b);\nint sum(int a, int b)\n{\n\treturn a + b;\n}\n",
    "same.c": "unsigned zero(unsigned a);\nunsigned zero(unsigned a)\n{\n\treturn a + 0u;\n}\n",
    "nobody.c": "int odd(int a);\nint odd(int a)\n{\n\treturn a % 2;\n}\n",
    "test_well.c": "int above(int, int);\nint main(void) { return above(2, 1) && !above(1, 1) && !above(1, 2) ? 0 : 1; }\n",
    "test_badly.c": "int sum(int, int);\nunsigned zero(unsigned);\n"
                    "int main(void) { return sum(2, 0) == 2 && zero(0) == 0 ? 0 : 1; }\n",
}


def found(line):
    return [(s.column, s.old, s.new) for s in sites.file_sites("a.c", line)]


class Sites(unittest.TestCase):
    def test_operators(self):
        self.assertEqual(found("a >= b"), [(2, ">=", ">"), (2, ">=", "<")])
        self.assertEqual(found("x = a - b;"), [(6, "-", "+")])
        self.assertEqual(found("if (!a)"), [(4, "!", "")])
        self.assertEqual(found("\t&& a"), [(1, "&&", "||")])
        self.assertEqual(found("i++"), [(1, "++", "--")])

    def test_left_alone(self):
        for line in ("a->b = *c;", "f(&a, -1);", "char *a = b;", "// a < b", 'f("a < b");', "c = '<';", "#if A > 2",
                     "static_assert(A < B);", "assert(a < b);", "\tvoid *p, **q;", "x = a ? b : c;", "/* a < b */"):
            self.assertEqual(found(line), [], line)
        self.assertEqual(found("/* a\n < b\n*/\n#define A \\\n  (a < b)\nassert(a\n < b);"), [])

    def test_changed(self):
        text = "int a;\nb = c << 2;\n"
        site = next(sites.file_sites("a.c", text))
        self.assertEqual((site.line, site.key), (2, "a.c:2:6:<<:>>"))
        self.assertEqual(sites.changed(text, site), "int a;\nb = c >> 2;\n")
        with self.assertRaises(ValueError):
            sites.changed("int a;\nb = c;\n", site)


class Build:
    """Of one test of one program of one object."""
    tests = {"t": {"programs": ["p"]}}

    def __init__(self, links):
        self.links = links

    def linked(self, program):
        return {"o"}

    def link_to(self, program, out):
        out.touch()
        return 0 if self.links else 1


class Notices(unittest.TestCase):
    def notices(self, statuses, links=True):
        with tempfile.TemporaryDirectory() as name:
            judge = trial.Trial.__new__(trial.Trial)
            judge.tree, judge.scratch = Build(links), pathlib.Path(name)
            judge.unchanged, judge.kills = {"t": 1}, {}
            left = list(statuses)
            judge.run_test = lambda *_: left.pop(0)
            noticed = judge.notices(next(sites.file_sites("a.c", "a < b")), "t", {"o": True}, {})
            self.assertEqual(left, [])
            return noticed

    def test_a_failure_counts_when_it_comes_twice(self):
        self.assertFalse(self.notices([0]))
        for first in (1, None):
            self.assertFalse(self.notices([first, 0]))
            for second in (1, None):
                self.assertTrue(self.notices([first, second]))

    def test_a_link_that_fails_is_no_verdict(self):
        with self.assertRaises(RuntimeError):
            self.notices([], links=False)


class Conformance(unittest.TestCase):
    """Of the real programs: unchanged at first, then changed."""

    def notices(self, outputs):
        with tempfile.TemporaryDirectory() as name:
            judge = trial.Trial.__new__(trial.Trial)
            judge.tree, judge.scratch = Build(True), pathlib.Path(name)
            judge.tree.src = judge.tree.build = judge.scratch
            judge.conformance, judge.plain = ["rfc"], None
            judge.put = lambda *_: None
            left, self.seen = list(outputs), []

            def execute(args, seconds, env):
                self.seen.append((seconds, env))
                return left.pop(0)
            judge.execute = execute
            noticed = judge.conformance_notices({"o": True})
            self.assertEqual(left, [])
            return noticed

    def test_new_failures_count_when_they_come_twice(self):
        good, bad, other = (0, b"ok 1 - a\n"), (1, b"not ok 1 - a (3 s)\n"), (1, b"not ok 2 - b\n")
        self.assertFalse(self.notices([good, good]))
        self.assertFalse(self.notices([good, bad, good]))
        self.assertFalse(self.notices([good, bad, other]))
        self.assertTrue(self.notices([good, bad, bad]))
        self.assertFalse(self.notices([bad, bad]))
        self.assertTrue(self.notices([bad, other, other]))

    def test_the_lab_does_not_build(self):
        self.notices([(0, b""), (0, b"")])
        for _, env in self.seen:
            self.assertEqual(env["WEIR_BUILT"], "1")

    def test_what_does_not_end(self):
        for late in ((None, b""), (trial.TIMED_OUT, b"ok 1 - a\n")):
            self.assertTrue(self.notices([(0, b""), late, late]))
            self.assertFalse(self.notices([(0, b""), late, (0, b"")]))
            with contextlib.redirect_stdout(io.StringIO()) as said:
                self.assertFalse(self.notices([late]))  # no judge
            self.assertIn("left out", said.getvalue())


class Project(unittest.TestCase):
    def mutate(self, folder, *options):
        done = subprocess.run([sys.executable, here.parent / "mutate", "--root", folder / "src", "--work", folder / "work",
                               "--conformance", "", *options], capture_output=True, text=True, timeout=240)
        return done.returncode, done.stdout + done.stderr

    def what(self, folder):
        results = {}
        for line in (folder / "work/results0.jsonl").read_text().splitlines():
            r = json.loads(line)
            results.setdefault(r["path"], []).append((r["what"], r["test"]))
        return results

    def test_verdicts(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "src").mkdir()
            for path, text in FILES.items():
                (folder / "src" / path).write_text(text)
            subprocess.run(["git", "-c", "init.defaultBranch=main", "init", "-q", folder / "src"], check=True)
            options = ["--files", "*.c", "--count", "9", "--seed", "3"]
            status, out = self.mutate(folder, "--want", "100", *options)
            self.assertEqual(status, 1, out)
            self.assertIn("survived badly.c:4: + -> - in: return a + b;", out)
            results = self.what(folder)
            self.assertEqual(results["well.c"], [("killed", "well")], out)
            self.assertEqual(results["nobody.c"], [("untested", None)], out)
            self.assertIn(("same", None), results["same.c"], out)
            for path, text in FILES.items():
                self.assertEqual((folder / "src" / path).read_text(), text)
            # Once more: nothing is left to be done, and the report is the same.
            before = (folder / "work/results0.jsonl").read_text()
            again, report = self.mutate(folder, *options)
            self.assertEqual((again, (folder / "work/results0.jsonl").read_text()), (0, before), report)
            self.assertEqual(out[out.index("\narea"):], report[report.index("\narea"):])


if __name__ == "__main__":
    unittest.main()
