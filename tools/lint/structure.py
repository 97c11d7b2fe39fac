#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The structure of the C files: what each room has that it should not have. structure.txt has how many it may still have.

usage: structure.py SOURCE_ROOT [CHECK [FOLDER]]     lists the offenders; checks: circles internals prefixes unused long
       structure.py SOURCE_ROOT single [FOLDER]      lists the exported functions that one other file uses; no breach
       structure.py SOURCE_ROOT --lower              writes the counts that fell into structure.txt

circles    a module that is in a circle of includes of more than three in its folder. X.c, X.h and X_internal.h are module X.
internals  an X_internal.h that a file of another folder includes, its unit tests and the fuzzers aside, or that is a door.
prefixes   an exported function whose name does not begin with words of its file's or its header's name, or borrows the
           first words of another room's module.
unused     a function that is exported and no other file uses, or only tests do.
long       a function of more than 60 lines.
single     an exported function that one other file of the product uses: where both are one idea, they are one file.
"""
import collections
import os
import pathlib
import re
import subprocess
import sys

BOOK = "tools/lint/structure.txt"
ROW = re.compile(r"(\d+) (\w+) (\S+)$")
CIRCLE_MAX, FUNCTION_LINES_MAX = 3, 60
PRODUCT = ("controlplane/", "dataplane/", "tools/")
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DEFINITION = re.compile(r"^(?!#|\s|\}|typedef|enum |union )([A-Za-z_][^;{}=#]*?)\b(\w+)\(([^;{}]*?)\)[^;{}()=#]*\n\{\n", re.M)
DECLARATION = re.compile(r"^(?!#|\s|\}|typedef|static|return)[A-Za-z_][^;{}=#()]*?\b(\w+)\([^;{}]*\)[^;{}]*;", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
# Names that the linker or a library wants.
FOREIGN = re.compile(r"main$|__wrap_|LLVMFuzzer")


def blank(match):
    """Nothing in place of a comment, an empty text in place of a text: the lines stay."""
    return '""' if match[0][0] in "\"'" else "\n" * match[0].count("\n")


class Tree:
    def __init__(self, root, files):
        self.root = pathlib.Path(root)
        self.files = [f for f in files if f.endswith((".c", ".h"))]
        self.there = set(self.files)
        self.raw = {f: (self.root / f).read_text(errors="replace") for f in self.files}
        self.text = {f: NOT_CODE.sub(blank, t) for f, t in self.raw.items()}
        self.inlines = {m for t in self.text.values() for m in re.findall(r"^#\s*define (\w+)\s.*\bstatic\b", t, re.M)}

    def included(self, name):
        """The files of the tree that `name` includes: beside it, from the root of its program, or below include/."""
        folder, top = os.path.dirname(name), name.split("/")[0]
        for header in INCLUDE.findall(self.raw[name]):
            ways = [folder + "/" + header, top + "/" + header, "tools/ctl/" + header, "controlplane/" + header,
                    "dataplane/" + header, header]
            there = next((w for w in map(os.path.normpath, ways) if w in self.there), None)
            if there:
                yield there

    def exported(self):
        """(file, line, name) of each function of the product that other files may call."""
        for name in self.files:
            if not name.startswith(PRODUCT) or not name.endswith(".c") or name.endswith(".bpf.c"):
                continue
            for match in DEFINITION.finditer(self.text[name]):
                words = set(re.findall(r"\w+", match[1]))
                if "static" not in words and not words & self.inlines and not FOREIGN.match(match[2]):
                    yield name, self.text[name].count("\n", 0, match.start(2)) + 1, match[2]


def module_of(name):
    return re.sub(r"(_internal)?\.[ch]$", "", os.path.basename(name))


def components(edges):
    """The strongly connected parts of {module: modules}."""
    reach = {}
    for start in edges:
        seen, todo = set(), [start]
        while todo:
            for other in edges.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        reach[start] = seen
    return {frozenset(b for b in edges if b in reach[a] and a in reach.get(b, ())) for a in edges if a in reach[a]}


def circles(tree):
    rooms = collections.defaultdict(lambda: collections.defaultdict(set))
    for name in tree.files:
        for other in tree.included(name) if name.startswith(PRODUCT) else ():
            if os.path.dirname(other) == os.path.dirname(name) and module_of(other) != module_of(name):
                rooms[os.path.dirname(name)][module_of(name)].add(module_of(other))
    for room, edges in rooms.items():
        for part in components(edges):
            for module in sorted(part) if len(part) > CIRCLE_MAX else ():
                yield room, f"{room}/{module}: in a circle of {len(part)}: {' '.join(sorted(part))}"


def internals(tree):
    for name in tree.files:
        folder = os.path.dirname(name)
        tests = re.sub(r"^tests/unit/", "", folder)
        tests = re.sub(r"^cp\b", "controlplane", re.sub(r"^(dp/core|core)\b", "dataplane/core", re.sub(r"^dp\b", "dataplane", tests)))
        for other in tree.included(name):
            room = os.path.dirname(other)
            if other.endswith("_internal.h") and room not in (folder, tests) and not name.startswith("tests/fuzz/"):
                yield room, f"{name}: includes {other}, which is of {room} alone"
    for readme in sorted({os.path.dirname(f) + "/README.md" for f in tree.files}):
        path = tree.root / readme
        door = re.search(r"\*\*Door\*\*:(.*?)(\n\n|\Z)", path.read_text() if path.exists() else "", re.S)
        for header in re.findall(r"`([\w/.]+_internal\.h)`", door[1]) if door else ():
            yield os.path.dirname(readme), f"{readme}: {header} is a door"


def forms(word):
    """A word of a file's name as the functions may have it: limit, limits, limiter."""
    return {word, word + "s", word + "r", word + "er", re.sub(r"s$", "", word), re.sub(r"y$", "ies", word)}


def runs(stem):
    """(first word's place, words) of each run of words of a file's name."""
    words = stem.split("_")
    return [(i, words[i:j]) for i in range(len(words)) for j in range(len(words), i, -1)]


def begins(name, words):
    have = name.split("_")
    return len(have) >= len(words) and all(have[i] in forms(w) for i, w in enumerate(words))


def prefixes(tree):
    declared = collections.defaultdict(set)
    firsts = collections.defaultdict(set)  # (program, first word) -> folders
    for name in tree.files:
        if name.startswith((*PRODUCT, "include/")) and name.endswith(".h"):
            for function in DECLARATION.findall(tree.text[name]):
                declared[function].add(name)
        if name.startswith(PRODUCT):
            firsts[name.split("/")[0], module_of(name).split("_")[0]].add(os.path.dirname(name))
    for name, line, function in tree.exported():
        folder, program = os.path.dirname(name), name.split("/")[0]
        first = function.split("_")[0]
        good = False
        for file in {name, *declared[function]}:
            for place, words in runs(module_of(file)):
                lent = place > 0 and folder not in (rooms := firsts.get((program, first), {folder})) and rooms
                good = good or begins(function, words) and not lent
        if not good:
            yield folder, f"{name}:{line}: {function}"


def users(tree):
    """Each word -> the files that use it as a function or a value; and what names that are pasted together begin with."""
    uses, pasted = collections.defaultdict(set), set()
    for name in tree.files:
        pasted |= set(re.findall(r"\b([a-z]\w*_)\s*##", tree.text[name]))
        for line in tree.text[name].split("\n"):
            column = line[:1].isspace() or line[:1] == "#"
            for match in re.finditer(r"\b([a-z]\w+)\b(\(?)", line):
                if column or not match[2]:
                    uses[match[1]].add(name)
    return uses, tuple(pasted)


def unused(tree):
    uses, pasted = users(tree)
    for name, line, function in tree.exported():
        others = uses[function] - {name}
        if any(f.startswith((*PRODUCT, "include/")) for f in others) or function.startswith(pasted):
            continue
        own = len(re.findall(rf"\b{function}\b", tree.text[name])) > 1
        why = ("its file and tests use it" if own else "tests alone use it") if others else "no other file uses it"
        yield os.path.dirname(name), f"{name}:{line}: {function}: {why}"


def single(tree):
    uses, _ = users(tree)
    for name, line, function in tree.exported():
        others = [f for f in uses[function] - {name} if f.startswith((*PRODUCT, "include/"))]
        if len(others) == 1:
            yield os.path.dirname(name), f"{name}:{line}: {function}: {others[0]}"


def long(tree):
    for name in tree.files:
        room = os.path.dirname(name)
        start = None
        for number, line in enumerate(tree.raw[name].split("\n"), 1):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                if number - start > FUNCTION_LINES_MAX:
                    yield room, f"{name}:{start}: a function of {number - start} lines, over {FUNCTION_LINES_MAX}"
                start = None


CHECKS = {"circles": circles, "internals": internals, "prefixes": prefixes, "unused": unused, "long": long}
REPORTS = {"single": single}  # listed when asked for


def rows(root):
    """(line number, allowed, check, folder) of each row; `allowed` is None where a row cannot be read."""
    path = pathlib.Path(root) / BOOK
    for number, line in enumerate(path.read_text().split("\n") if path.exists() else [], 1):
        if line and not line.startswith("#"):
            match = ROW.match(line)
            good = match and match[2] in CHECKS
            yield (number, int(match[1]), match[2], match[3]) if good else (number, None, line, "")


def found(root, files, checks):
    """(check, folder) -> offenders."""
    tree, of = Tree(root, files), collections.defaultdict(list)
    for check in checks:
        for folder, offender in (CHECKS | REPORTS)[check](tree):
            of[check, folder].append(offender)
    return of


def breaches(root, files, checks=tuple(CHECKS)):
    allowed = {}
    for number, count, check, folder in rows(root):
        if count is None:
            yield f"{BOOK}:{number}: not `COUNT CHECK FOLDER`"
        else:
            allowed[check, folder] = count
    for (check, folder), offenders in sorted(found(root, files, checks).items()):
        most = allowed.get((check, folder), 0)
        if len(offenders) > most:
            for offender in offenders:
                yield f"{check}: {offender} ({len(offenders)} in {folder}, {most} allowed)"


def lower(root, of):
    path = pathlib.Path(root) / BOOK
    lines = path.read_text().split("\n")
    for number, count, check, folder in rows(root):
        if count is not None and len(of.get((check, folder), ())) < count:
            lines[number - 1] = f"{len(of[check, folder])} {check} {folder}" if of.get((check, folder)) else None
    path.write_text("\n".join(l for l in lines if l is not None))


def main():
    root, words = pathlib.Path(sys.argv[1]), sys.argv[2:]
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    files = sorted({n for n in out.stdout.split("\n") if n and (root / n).is_file()})
    of = found(root, files, [words[0]] if words and words[0] in CHECKS | REPORTS else CHECKS)
    for (check, folder), offenders in sorted(of.items()):
        if len(words) < 2 or folder == words[1]:
            print(f"{len(offenders)} {check} {folder}", *offenders, sep="\n\t")
    if "--lower" in words:
        lower(root, of)


if __name__ == "__main__":
    main()
