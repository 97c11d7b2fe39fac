# SPDX-License-Identifier: BSD-3-Clause
"""A copy of the sources with a build folder of its own, and what is compiled and linked in it by which command.

Nothing in the checkout is touched. Only the objects of a changed file are compiled again, and only the test programs that
took one of these objects from their libraries are linked again, by the commands of build.ninja with cheaper options.
"""
import filecmp
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

COMPILE = re.compile(r" -o (\S+\.o) -c (\S+)$")
SUITES = ("unit", "dp", "fuzz", "model", "fault")
ASIDE = ".mutate-kept"


def aside(path):
    return path.with_name(path.name + ASIDE)


def run(args, **more):
    return subprocess.run(args, check=True, capture_output=True, text=True, **more).stdout


def same_file(a, b):
    return b.is_file() and filecmp.cmp(a, b, shallow=False)


class Tree:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.src = self.folder / "src"
        self.build = self.src / "build"  # as in a checkout: paths that ccache knows
        self.closures_file = self.folder / "closures.json"
        self.closures = {}
        self.kept = []
        self.libraries, self.defined = {}, {}

    # ---- made once
    def make(self, root, say, tests_only=False):
        """Copies what git does not ignore in `root`, or of a copy that is there already the tests alone, and builds it."""
        self.restore_all()
        if not (self.build / "build.ninja").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.src.mkdir(parents=True)
            self.copy(root, "")
            say(f"setting up {self.build}")
            compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
            run(["meson", "setup", str(self.build), str(self.src)], env={**os.environ, "CC": compiler})
        elif tests_only:
            self.copy(root, "tests/")
            self.closures_file.unlink(missing_ok=True)
        say("building")
        # The second is what the tests run, which a plain build leaves out.
        subprocess.run(["ninja", "-C", str(self.build), "-j2", "all", "meson-test-prereq"], check=True, stdout=subprocess.DEVNULL)
        self.read()

    def copy(self, root, begin):
        names = run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]).split("\0")
        for name in names:
            source, target = pathlib.Path(root) / name, self.src / name
            if name and name.startswith(begin) and source.is_file() and not same_file(source, target):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)

    def keep(self, path):
        """Puts the file aside until restore()."""
        if path not in self.kept:
            path.rename(aside(path))
            self.kept.append(path)

    def restore(self):
        while self.kept:
            path = self.kept.pop()
            aside(path).replace(path)

    def restore_all(self):
        """Takes back what a run that was cut off left changed."""
        for path in self.src.rglob("*" + ASIDE):
            path.replace(path.with_name(path.name.removesuffix(ASIDE)))

    def read(self):
        self.compile, self.link, self.source_of = {}, {}, {}
        for line in run(["ninja", "-t", "commands"], cwd=self.build).splitlines():
            line = line.removeprefix("ccache ")
            m = COMPILE.search(line)
            if m:
                self.compile[m.group(1)] = line
                self.source_of[m.group(1)] = os.path.normpath(self.build / m.group(2))
            elif " -o " in line:
                args = shlex.split(line)
                self.link[args[args.index("-o") + 1]] = args
        self.includers = {}
        for block in run(["ninja", "-t", "deps"], cwd=self.build).split("\n\n"):
            head, *deps = block.splitlines() or [""]
            for dep in deps:
                if dep.strip().startswith("../"):
                    path = os.path.normpath(self.build / dep.strip())
                    self.includers.setdefault(path, set()).add(head.split(":", 1)[0])
        self.tests = {}
        for test in json.loads(run(["meson", "introspect", "--tests", str(self.build)])):
            suite = test["suite"][0].split(":")[-1]
            words = [os.path.relpath(a, self.build) if a.startswith(str(self.build) + "/") else a for a in test["cmd"]]
            programs = [w for w in words if w in self.link]
            if suite in SUITES and programs:
                self.tests[test["name"]] = {**test, "words": words, "programs": programs}
        if self.closures_file.exists():  # links of an unchanged build
            self.closures = json.loads(self.closures_file.read_text())

    # ---- what depends on what
    def objects_of(self, path):
        """Objects that a source or header of the tree goes into."""
        return {o for o in self.includers.get(str(self.src / path), ()) if o in self.compile}

    def symbols(self, file, *options):
        """What a program or object defines."""
        lines = run(["nm", *options, "--defined-only", file], cwd=self.build).splitlines()
        return {line.split()[-1] for line in lines if line}

    def linked(self, program):
        """The objects in a program: those it names, and those of its libraries whose symbols it has."""
        if program not in self.closures:
            has = self.symbols(program)  # of all kinds: mold makes what is hidden a local one
            found = []
            for arg in self.link[program]:
                if arg.endswith(".a"):
                    found += [o for o in self.members(arg) if self.defined[o] and self.defined[o] <= has]
                elif arg in self.compile:
                    found.append(arg)
            self.closures[program] = found
            self.closures_file.write_text(json.dumps(self.closures))
        return self.closures[program]

    def members(self, library):
        if library not in self.libraries:
            self.libraries[library] = [o for o in run(["ar", "t", library], cwd=self.build).split() if o in self.compile]
            for obj in self.libraries[library]:
                self.defined[obj] = self.symbols(obj, "--extern-only")
        return self.libraries[library]

    def tests_of(self, objects):
        return [name for name, t in self.tests.items() if any(objects & set(self.linked(p)) for p in t["programs"])]

    # ---- commands
    def link_args(self, program, out):
        args = list(self.link[program])
        args[args.index("-o") + 1] = str(out)
        return [a for a in args if a] + (["-fuse-ld=lld"] if shutil.which("ld.lld") else [])

    def compile_to(self, obj, out):
        """0, or the compiler's exit status."""
        args = shlex.split(self.compile[obj])
        args[args.index("-o") + 1] = str(out)
        for option in ("-MF", "-MQ"):
            at = args.index(option)
            del args[at:at + 2]
        args.remove("-MD")
        if "-fpch-preprocess" in args:  # what is precompiled is so for other options
            at = args.index("-fpch-preprocess") + 1
            del args[at - 1:at + 2]
        args[1:1] = ["-w"]
        args = [a for a in args if a != "-Werror"] + ["-O1", "-g0"]
        return subprocess.run(args, cwd=self.build, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

    def link_to(self, program, out):
        return subprocess.run(self.link_args(program, out), cwd=self.build, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode
