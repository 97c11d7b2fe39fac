# SPDX-License-Identifier: BSD-3-Clause
"""Runs the tests of a file: tests/smoke/NAME_test.py [WORD...], all or those with a word in their names.

The file runs itself again in namespaces of its own (mounts, network, processes), with an empty /run and /dev/shm, so it
touches nothing of the machine and leaves nothing behind. Its functions test_*(lab) run in their order, and each is a line of
the output: "ok N - name", or "not ok N - name" with the assertion and both values. Exit status 77: skipped.
"""
import ast
import linecache
import os
import pathlib
import subprocess
import sys
import time
import traceback

from wait import clock_prepare, stalls

LONG = bool(os.environ.get("WEIR_LONG"))  # tools/test long
SECONDS = os.environ.get("SMOKE_TIMEOUT", "240")
UNSHARE = ["unshare", "--mount", "--net", "--pid", "--propagation", "private"]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def enter_namespaces():
    """Runs this file again inside, or prepares the inside."""
    os.environ.setdefault("WEIR_BUILD", str(pathlib.Path(__file__).resolve().parents[2] / "build"))
    if not os.environ.get("WEIR_SMOKE_INSIDE"):
        if os.geteuid():
            skip("needs root for namespaces")
        if not pathlib.Path("/dev/net/tun").is_char_device():
            skip("no /dev/net/tun")
        if subprocess.run([*UNSHARE, "--", "true"]).returncode:
            skip("no namespaces (in a chroot?)")
        os.environ["WEIR_SMOKE_INSIDE"] = "1"
        os.execvp("timeout", ["timeout", "-k", "10", SECONDS, *UNSHARE, "--fork", "--kill-child", "--mount-proc", "--",
                              sys.executable, "-B", *sys.argv])
    for options, place in (("mode=755", "/run"), ("mode=1777", "/dev/shm")):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
    # Where the machine has huge pages the test uses them too, in a mount of its own.
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "hugetlbfs":
            subprocess.run(["umount", "-l", place], check=True)
            subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", place], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    pathlib.Path("/run/smoke").mkdir()


class Asserts(ast.NodeTransformer):
    """assert A == B shows both values when it fails; so do !=, <, in ..."""

    def visit_Assert(self, node):
        if not isinstance(node.test, ast.Compare) or len(node.test.ops) != 1 or node.msg:
            return node
        compare = ast.Lambda(ast.arguments([], [ast.arg("a"), ast.arg("b")], None, [], [], None, []),
                             ast.Compare(ast.Name("a", ast.Load()), node.test.ops, [ast.Name("b", ast.Load())]))
        call = ast.Call(ast.Name("__compared", ast.Load()), [compare, node.test.left, node.test.comparators[0]], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))


def differing(got, want):
    """Of two mappings the keys with different values."""
    if not isinstance(got, dict) or not isinstance(want, dict):
        return got, want
    pairs = {key: differing(got.get(key), want.get(key)) for key in {**want, **got} if got.get(key) != want.get(key)}
    return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}


def compared(compare, got, want):
    if compare(got, want):
        return
    got, want = differing(got, want)
    raise AssertionError(f"\n  want: {want!r}\n  got:  {got!r}")


def tests_of(path):
    """The module's functions test_*, with their order."""
    tree = Asserts().visit(ast.parse(path.read_text(), str(path)))
    module = {"__name__": "test", "__file__": str(path), "__compared": compared}
    exec(compile(tree, str(path), "exec"), module)
    return module, [function for name, function in module.items() if name.startswith("test_")]


class Report:
    def __init__(self, path):
        self.path, self.count, self.bad = str(path), 0, 0

    def run(self, name, function, *args):
        self.count += 1
        began = time.monotonic()
        try:
            function(*args)
        except Exception as error:  # whatever is wrong is this test's result
            self.bad += 1
            print(f"not ok {self.count} - {name}")
            if not isinstance(error, AssertionError):
                print("".join(f"  | {line}\n" for line in traceback.format_exc().splitlines()[-12:]), end="")
            for frame in traceback.extract_tb(error.__traceback__):
                if frame.filename == self.path:
                    print(f"  {pathlib.Path(frame.filename).name}:{frame.lineno}: {linecache.getline(frame.filename, frame.lineno).strip()}")
            print("".join(f"  {line.strip()}\n" for line in f"{type(error).__name__}: {error}".splitlines() if line.strip()), end="")
        else:
            seconds = time.monotonic() - began
            print(f"ok {self.count} - {name}" + (f" ({seconds:.1f} s)" if seconds > 1 else ""))
        sys.stdout.flush()


def main():
    """A test file ends with this. Its LAB has the arguments of the Lab (lab.py) that its tests share; a test with an attribute
    `lab` of its own (@own_lab) has that to itself."""
    enter_namespaces()
    from lab import LOGS, Lab  # not before there is an inside
    clock_prepare()
    stalls.start()
    path = pathlib.Path(sys.argv[0]).resolve()
    module, tests = tests_of(path)
    words = sys.argv[1:]
    report, lab = Report(path), None

    def end(lab):
        report.run("every frame has one verdict", lab.check_verdicts)
        report.run("the audit log has every change", lab.check_audit)
        if os.environ.get("WEIR_CONTROLPLANE"):
            lab.stop("controlplane")  # only one that ends by itself says what it lost
        if report.bad:
            print("--- logs", *(line for log in LOGS.glob("*.log") for line in log.read_text(errors="replace").splitlines()[-20:]),
                  sep="\n")
        if lab.lost or lab.again:
            print(f"asked again: {lab.lost} datagrams lost, {lab.again} SERVFAIL while the machine stood still")
        lab.down()

    for test in tests:
        if words and not any(word in test.__name__ for word in words):
            continue
        wanted = getattr(test, "lab", None)
        if lab is None or wanted is not None or lab.own:
            if lab:
                end(lab)
            lab = Lab(**(module.get("LAB", {}) if wanted is None else wanted))
            lab.own = wanted is not None
            report.run("the lab is up", lab.up)
            if report.bad and not LOGS.joinpath("up").exists():
                break  # nothing that follows would mean anything
        report.run(test.__name__.removeprefix("test_"), test, lab)
    if lab and LOGS.joinpath("up").exists():
        end(lab)
    print(f"{report.count - report.bad} of {report.count} checks passed")
    sys.stdout.flush()
    os._exit(1 if report.bad or not report.count else 0)  # threads that serve are still there


def own_lab(**options):
    """@own_lab(upstreams=2): a lab of the test's own."""
    def mark(test):
        test.lab = options
        return test
    return mark
