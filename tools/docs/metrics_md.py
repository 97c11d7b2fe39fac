#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/reference/metric-list.md beside what /metrics says: each family has a row with its labels, type and help.

usage: metrics_md.py SOURCE_ROOT FILE... [--check]     FILE: a text of /metrics; brings rows up to date, or fails if they are not

A family that no FILE has keeps its row while its help stands in the sources: some come with a setting alone. Former
names, which are exported for one version (docs/reference/metrics.md), are left out.
"""
import pathlib
import re
import sys

PAGE = "docs/reference/metric-list.md"
ROW = re.compile(r"^\| `(weir_\w+)(?:\{([\w,]*)\})?` \| (\w+) \| (.*) \|$", re.M)
HEAD = "| metric | type | what |\n|---|---|---|\n"
LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')


def families(text):
    """{name: (labels, type, help)} of a text of /metrics."""
    found, name = {}, ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, help_text = line[7:].partition(" ")
            found[name] = [[], "", help_text]
        elif line.startswith("# TYPE "):
            found[name][1] = line.split(" ")[3]
        elif name and line.startswith(name):
            labels = line[len(name):].partition("{")[2].rpartition("}")[0]
            for label in LABEL.findall(labels):
                if label != "le" and label not in found[name][0]:
                    found[name][0].append(label)
    return {n: (",".join(labels), kind, text) for n, (labels, kind, text) in found.items() if not text.startswith("Deprecated")}


def helps(root):
    """The strings of the sources that name metrics, each with what the compiler joins to it; formats as patterns."""
    texts = set()
    for path in sorted(p for folder in ("controlplane", "include") for p in (root / folder).rglob("*.[ch]")):
        for run in re.findall(r'"(?:[^"\\]|\\.)*"(?:[\s\\]*"(?:[^"\\]|\\.)*")*', path.read_text()):
            texts.add("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', run)).replace("%%", "%"))
    return texts


def stands_in(texts, help_text):
    formats = (t for t in texts if "%" in t and len(re.sub(r"%\w+|\W", "", t)) >= 8)
    return help_text in texts or any(re.fullmatch(re.sub(r"%\w+", ".+", re.escape(t)), help_text) for t in formats)


def page_of(page, found):
    at = page.index(HEAD) + len(HEAD)
    rows = "".join(f"| `{n}{'{' + labels + '}' if labels else ''}` | {kind} | {text} |\n" for n, (labels, kind, text) in sorted(found.items()))
    return page[:at] + rows


def main():
    root, names = pathlib.Path(sys.argv[1]), [a for a in sys.argv[2:] if a != "--check"]
    path = root / PAGE
    page, texts = path.read_text(), helps(root)
    found = {n: (labels or "", kind, text) for n, labels, kind, text in ROW.findall(page) if stands_in(texts, text)}
    for name in names:
        for family, (labels, kind, text) in families(pathlib.Path(name).read_text()).items():
            # Without a sample, as where nothing has happened, its labels are those of before.
            found[family] = (labels or found.get(family, ("",))[0], kind, text)
    wanted = page_of(page, found)
    if "--check" not in sys.argv:
        path.write_text(wanted)
    elif wanted != page:
        differ = sorted(set(wanted.splitlines()) ^ set(page.splitlines()))
        sys.exit("\n".join([f"{path}: out of date; run tools/docs/metrics_md.py . FILE with the text of `weirctl metrics`:"] + differ))
    if not found:
        sys.exit(f"{path}: no metric found")


if __name__ == "__main__":
    main()
