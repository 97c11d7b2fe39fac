# SPDX-License-Identifier: BSD-3-Clause
"""One change, and whether a test notices: "killed", "survived", "same" (the same machine code), "no program" (does not
compile), or "untested" (no test program has the object). A link that fails is no verdict."""
import filecmp
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import sites

TEST_SECONDS = 30  # a test that takes longer unchanged is left out
SPARE_SECONDS = 15
DATA_MAX = 6 << 30
FILE_MAX = 2 << 30
CONFORMANCE_SECONDS = 30
TIMED_OUT = 124  # exit status of timeout(1)
DID_NOT_END = b"did not end"
CONFORMANCE_PROGRAMS = ("dataplane/weir-dataplane", "controlplane/weir-controlplane")
# A changed program may do anything: it gets files, processes and interfaces of its own.
INSIDE = ("for dir in /tmp /run /dev/shm; do mount -t tmpfs tmpfs $dir || exit 99; done; "
          "ip link set lo up; exec \"$@\"")


def limits_set():
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_MAX, DATA_MAX))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_MAX, FILE_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def can_isolate(folder):
    return (os.geteuid() == 0 and not str(folder).startswith(("/tmp/", "/run/", "/dev/"))
            and subprocess.run(["unshare", "--mount", "--net", "--pid", "true"], capture_output=True).returncode == 0)


class Trial:
    def __init__(self, tree, conformance, most):
        self.tree = tree
        self.most = most  # tests of one change; 0: all
        self.conformance = conformance  # words for conformance_test.py, or none
        self.scratch = tree.folder / "scratch"
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        self.isolated = can_isolate(tree.folder)
        self.unchanged = {}  # test: seconds, or None when it is no judge
        self.kills = {}      # (path, test): how often it noticed
        self.base = {}       # object: compiled from the unchanged source
        self.plain = None    # conformance tests that fail unchanged
        self.plain_seconds = 0

    # ---- running
    def execute(self, args, seconds, env=None):
        """(exit status, output); the status is None when the time was over."""
        if self.isolated:
            args = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation",
                    "private", "--", "sh", "-c", INSIDE, "sh", *args]
        with subprocess.Popen(args, cwd=self.tree.build, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, start_new_session=True,
                              preexec_fn=limits_set) as child:
            try:
                out, _ = child.communicate(timeout=seconds)
                return child.returncode, out
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.communicate()
                return None, b""

    def run_test(self, name, programs, seconds):
        test = self.tree.tests[name]
        words = [str(programs.get(w, self.tree.build / w if w in self.tree.link else w)) for w in test["words"]]
        return self.execute(words, seconds, test["env"])[0]

    def unchanged_seconds(self, name):
        if name not in self.unchanged:
            begin = time.monotonic()
            status = self.run_test(name, {}, TEST_SECONDS)
            self.unchanged[name] = time.monotonic() - begin if status == 0 else None
        return self.unchanged[name]

    # ---- one change
    def base_object(self, obj):
        if obj not in self.base:
            out = self.scratch / f"base{len(self.base)}.o"
            if self.tree.compile_to(obj, out) != 0:
                raise RuntimeError(f"{obj} does not compile unchanged")
            self.base[obj] = out
        return self.base[obj]

    def link(self, program, out):
        """What compiled and does not link is the machine's fault, or the tool's."""
        if self.tree.link_to(program, out) != 0:
            raise RuntimeError(f"{program} does not link")

    def put(self, obj, new):
        self.tree.keep(self.tree.build / obj)
        shutil.copy(new, self.tree.build / obj)

    def object_change(self, obj):
        """None: does not compile; False: the same code; True: it lies in the build folder."""
        out = self.scratch / "changed.o"
        if self.tree.compile_to(obj, out) != 0:
            return None
        if filecmp.cmp(self.base_object(obj), out, shallow=False):
            return False
        self.put(obj, out)
        return True

    def order(self, path, names):
        stem = re.sub(r"(_line|_fast)?\.[ch]$", "", os.path.basename(path))

        def rank(name):
            plain = name.removeprefix("fuzz_").removeprefix("packet_")
            near = (3 if stem == plain else 2 if stem in name or plain in stem
                    else 1 if stem.split("_")[0] == plain.split("_")[0]
                    or (name.startswith("packet_") and path.startswith("dataplane/stage/")) else 0)
            return -self.kills.get((path, name), 0), -near, sum(len(self.tree.linked(p)) for p in self.tree.tests[name]["programs"])
        names = sorted((n for n in names if self.unchanged.get(n, 0) is not None), key=rank)
        return names[:self.most] if self.most else names

    def changed(self, program, changes, linked):
        """The program with the changed objects, linked once for a change; None: it has none."""
        if program not in linked:
            mine = [o for o in changes if o in self.tree.linked(program)]
            for obj in mine:
                if changes[obj] is Ellipsis:
                    changes[obj] = self.object_change(obj)
            linked[program] = None
            if any(changes[o] for o in mine):
                linked[program] = self.scratch / os.path.basename(program)
                self.link(program, linked[program])
        return linked[program]

    def notices(self, site, name, changes, linked):
        """Does this test fail with the changed objects, twice?"""
        seconds = self.unchanged_seconds(name)
        if seconds is None:
            return False
        programs = {p: out for p in self.tree.tests[name]["programs"] if (out := self.changed(p, changes, linked))}
        if not programs:
            return False
        limit = 5 * seconds + SPARE_SECONDS
        status = self.run_test(name, programs, limit)
        # A machine with others on it fails a test now and then, or takes its time; a change does so each time.
        if status != 0:
            status = self.run_test(name, programs, limit)
        if status == 0:
            return False
        self.kills[site.path, name] = self.kills.get((site.path, name), 0) + 1
        return True

    def run(self, site):
        """(the result, the test that noticed or None)"""
        source = self.tree.src / site.path
        objects = self.tree.objects_of(site.path)
        tests = self.tree.tests_of(objects)
        if not tests:
            return "untested", None
        for obj in objects:
            self.base_object(obj)
        text = sites.changed(source.read_text(), site)
        self.tree.keep(source)
        linked = {}  # program: the one with the change, or None
        try:
            source.write_text(text)
            changes = dict.fromkeys(sorted(objects), Ellipsis)
            first = min(objects, key=lambda o: (self.tree.source_of[o] != str(source), o.startswith("tests/"), o))
            changes[first] = self.object_change(first)
            if changes[first] is None:
                return "no program", None
            if changes[first] is False and site.path.endswith(".c"):
                return "same", None
            for name in self.order(site.path, tests):
                if self.notices(site, name, changes, linked):
                    return "killed", name
            if self.conformance and self.conformance_notices(changes):
                return "killed", "conformance"
            return ("survived", None) if any(c for c in changes.values() if c is not Ellipsis) else ("same", None)
        finally:
            for out in filter(None, linked.values()):
                out.unlink(missing_ok=True)
            self.tree.restore()

    # ---- the real programs
    def conformance_failures(self, seconds):
        script = self.tree.src / "tests/conformance/conformance_test.py"
        # The lab must not build: it would compile the changed source into the whole tree.
        status, out = self.execute(["/usr/bin/python3", str(script), *self.conformance], seconds + SPARE_SECONDS,
                                   {"WEIR_BUILD": str(self.tree.build), "WEIR_BUILT": "1", "SMOKE_TIMEOUT": str(seconds)})
        if status in (None, TIMED_OUT):
            return {DID_NOT_END}
        return {re.sub(rb"^not ok \d+ - | \(\d+ s\)$", b"", line)
                for line in out.splitlines() if line.startswith(b"not ok")}

    def conformance_plain(self):
        """Is it a judge at all? Begins with the programs as they are."""
        if self.plain is None:
            begin = time.monotonic()
            self.plain = self.conformance_failures(CONFORMANCE_SECONDS)
            self.plain_seconds = time.monotonic() - begin
            if DID_NOT_END in self.plain:
                print(f"conformance tests took longer than {CONFORMANCE_SECONDS} s unchanged: left out", flush=True)
        return DID_NOT_END not in self.plain

    def conformance_notices(self, changes):
        programs = [p for p in CONFORMANCE_PROGRAMS if set(changes) & set(self.tree.linked(p))]
        if not programs or not self.conformance_plain():
            return False
        for obj in changes:
            if changes[obj] is Ellipsis and any(obj in self.tree.linked(p) for p in programs):
                changes[obj] = self.object_change(obj)
        for program in programs:
            out = self.scratch / "program"
            self.link(program, out)
            self.put(program, out)
        limit = round(5 * self.plain_seconds) + SPARE_SECONDS
        new = self.conformance_failures(limit) - self.plain
        return bool(new and new & self.conformance_failures(limit))
