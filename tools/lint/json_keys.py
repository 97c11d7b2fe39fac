#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The keys of JSON that the control plane writes, held against json_keys.txt.

usage: json_keys.py SOURCE_ROOT [--write]

JSON_COUNTS and the rows of counters (controlplane/base/counts.h), which counts_json writes, make keys of the names of C
fields, so a renamed field would rename a key that clients read. Each file that
writes JSON has a line of its keys in json_keys.txt; a key that is not a text in the code stands there as `*` and the
expression. A change of keys changes that file (--write) together with the documentation and the readers of the key.
"""
import pathlib
import re
import subprocess
import sys

BOOK = "tools/lint/json_keys.txt"
WRITER = re.compile(r"\b(json_out_(?:object|array|text|count|signed|bool)|JSON_COUNTS|JSON_COUNTS_AS|counts_json)\(")
ROWS = re.compile(r"^#define (\w+_COUNTS)\(X\)(.*)$", re.M)
ROW = re.compile(r'\bX\(\w+, [\w ]+, ([\w.\[\]]+), (SAME|TOTAL|NAMED\("(\w+)"\)), ')
OF_ROWS = re.compile(r'^COUNTS\(\s*(\w+),\s*struct \w+,\s*"\w*",\s*(\w+)\)', re.M)
FUNCTION = re.compile(r"^(?:static )?[\w *]*?\b(\w+)\(([^;{]*?)\)\n\{\n(.*?)^\}", re.M | re.S)
IN_TEXT = re.compile(r'\\"(\w+)\\":')
GIVEN = '\\"%s\\":'  # in a format: its argument is the key
PRINTER = re.compile(r"\b\w+\((?=[^;\"]*\"[^;]*" + re.escape(GIVEN) + ")")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)\'|.', re.S)


def arguments(text, start):
    """The arguments of a call, whose opening parenthesis is before `start`."""
    depth, found, now = 0, [], ""
    for match in TOKEN.finditer(text, start):
        token = match[0]
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        if depth < 0:
            return [" ".join(a.split()) for a in found + [now]]
        if token == "," and depth == 0:
            found.append(now)
            now = ""
        else:
            now += token
    return []


def calls(name, text):
    for match in re.finditer(rf"\b{name}\(", text):
        yield arguments(text, match.end())


def counters(texts):
    """{function that COUNTS defines: the keys of its rows}"""
    texts = [re.sub(r"\s*\\\n\s*", " ", text) for text in texts]
    rows = {name: {named or field + key.removeprefix("SAME").replace("TOTAL", "_total") for field, key, named in ROW.findall(row)}
            for text in texts for name, row in ROWS.findall(text)}
    return {function: rows[name] for text in texts for function, name in OF_ROWS.findall(text)}


class Source:
    def __init__(self, text, rows):
        self.rows = rows
        self.text = re.sub(r"^\s*//.*$|^#.*(?:\\\n.*)*", "", text, flags=re.M)
        self.functions = [(m[1], [p.split()[-1].strip("*[]") for p in m[2].split(",") if p.split()], m[3])
                          for m in FUNCTION.finditer(self.text)]
        self.keys = set(IN_TEXT.findall(text))

    def key(self, expression, inside, seen=()):
        """A key in the function `inside` (name, parameters): a text, or a parameter that its callers give."""
        if expression in ("NULL", ""):
            return
        texts = TEXT.findall(expression)
        if texts:
            self.keys.update(texts)
        elif inside and expression in inside[1] and inside[0] not in seen:
            place = inside[1].index(expression)
            for name, parameters, body in self.functions:
                for a in calls(inside[0], body):
                    if place < len(a):
                        self.key(a[place], (name, parameters), (*seen, inside[0]))
            if not any(True for n, _, b in self.functions for _ in calls(inside[0], b)):
                self.keys.add("*" + expression)
        else:
            self.keys.add("*" + re.split(r"[\[(]", expression)[0])

    def read(self):
        for name, parameters, body in self.functions:
            for match in WRITER.finditer(body):
                a = arguments(body, match.end())
                if match[1] == "JSON_COUNTS":
                    self.keys.update(a[3:])
                elif match[1] == "JSON_COUNTS_AS":
                    self.keys.update(TEXT.findall(a[2])[0] + field for field in a[4:])
                elif match[1] == "counts_json":
                    self.keys.update(TEXT.findall(a[2])[0] + key for key in self.rows.get(a[3].removesuffix("()"), ()))
                elif len(a) > 2:
                    self.key(a[2], (name, parameters))
            for match in PRINTER.finditer(body):
                a = arguments(body, match.end())
                for i in (i for i, text in enumerate(a) if GIVEN in text):
                    self.key(a[i + 1 + a[i].split(GIVEN)[0].count("%")], (name, parameters))
        return self.keys


def keys_of(root, files):
    """{file: its keys}"""
    found = {}
    rows = counters((root / name).read_text() for name in files if name.startswith(("controlplane/", "include/")) and name.endswith((".c", ".h")))
    for name in files:
        if not name.startswith("controlplane/") or not name.endswith(".c") or name.endswith(("/counts.c", "/json.c")):
            continue
        text = (root / name).read_text()
        if WRITER.search(text) or IN_TEXT.search(text) or GIVEN in text:
            keys = Source(text, rows).read()
            if keys:
                found[name] = keys
    return found


def book_of(root):
    path = root / BOOK
    lines = path.read_text().split("\n") if path.exists() else []
    return {l.split(":")[0]: set(l.split(":")[1].split()) for l in lines if l and not l.startswith("#")}


def breaches(root, files):
    book, found = book_of(root), keys_of(root, files)
    for name in sorted(book.keys() | found.keys()):
        gone, new = (" ".join(sorted(a.get(name, set()) - b.get(name, set()))) for a, b in ((book, found), (found, book)))
        if gone or new:
            what = [f"{word}: {keys}" for word, keys in (("gone", gone), ("new", new)) if keys]
            yield f"{name}: keys of JSON, {'; '.join(what)}; if that is meant, tools/lint/json_keys.py . --write"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    files = sorted(n for n in out.stdout.split("\n") if n and (root / n).is_file())
    if "--write" not in sys.argv[1:]:
        found = list(breaches(root, files))
        print(*found, sep="\n", end="\n" if found else "")
        return 1 if found else 0
    head = [l for l in (root / BOOK).read_text().split("\n") if l.startswith("#")] if (root / BOOK).exists() else []
    rows = [f"{name}: {' '.join(sorted(keys))}" for name, keys in sorted(keys_of(root, files).items())]
    (root / BOOK).write_text("\n".join(head + rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
