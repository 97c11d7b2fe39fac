# SPDX-License-Identifier: BSD-3-Clause
"""Where a C file can be changed by one operator, and into what.

A site is one operator outside comments, texts, asserts and the preprocessor. Operators that are binary or unary by
their place (* & - +) count as binary only with blanks on both sides, as clang-format writes them.
"""
import dataclasses
import re

SWAPS = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
    "==": ("!=",), "!=": ("==",), "&&": ("||",), "||": ("&&",),
    "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("*",),
    "<<": (">>",), ">>": ("<<",), "&": ("|",), "|": ("&",), "^": ("|",),
    "+=": ("-=",), "-=": ("+=",), "|=": ("&=",), "&=": ("|=",), "++": ("--",), "--": ("++",),
    "!": ("",),
}
BY_PLACE = set("*&-+<>/%|^")

TOKEN = re.compile(r"""
    (?P<skip> //.* | /\*.*?(?:\*/|$) | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' )
  | (?P<op> <<= | >>= | \.\.\. | -> | <= | >= | == | != | && | \|\| | \+\+ | -- | \+= | -= | \*= | /= | %= | &= | \|= | \^=
      | << | >> | [-+*/%&|^<>!~=] )
""", re.X)
LEFT_ALONE = re.compile(r"\b(?:static_assert|assert|_Static_assert|ATTR_[A-Z_]+|__attribute__)\s*\(")


@dataclasses.dataclass(frozen=True)
class Site:
    path: str
    line: int  # from 1
    column: int  # from 0
    old: str
    new: str
    text: str  # of the whole line, stripped

    @property
    def key(self):
        return f"{self.path}:{self.line}:{self.column}:{self.old}:{self.new}"

    @property
    def change(self):
        return f"{self.old} -> {self.new or 'nothing'}"


def is_between_blanks(line, begin, end):
    before = line[:begin]
    return (not before.strip() or before[-1] in " \t") and (end >= len(line) or line[end] in " \t\n")


def line_operators(line):
    """(column, operator) of each that can be changed."""
    for m in TOKEN.finditer(line):
        op = m.group("op")
        if op in SWAPS and (op not in BY_PLACE or is_between_blanks(line, m.start(), m.end())):
            yield m.start(), op


def file_sites(path, text):
    in_comment = in_directive = in_assert = False
    for number, line in enumerate(text.split("\n"), 1):
        was_directive, in_directive = in_directive, False
        if was_directive or line.lstrip().startswith("#"):
            in_directive = line.endswith("\\")
            continue
        if in_comment:
            in_comment = "*/" not in line
            continue
        if "/*" in line and "*/" not in line.split("/*", 1)[1]:
            in_comment = True
        if in_assert or LEFT_ALONE.search(line):
            in_assert = not line.rstrip().endswith(";")
            continue
        for column, old in line_operators(line):
            for new in SWAPS[old]:
                yield Site(path, number, column, old, new, line.strip())


def changed(text, site):
    """The whole file with that one operator changed. The number of lines stays."""
    lines = text.split("\n")
    line = lines[site.line - 1]
    if line[site.column:site.column + len(site.old)] != site.old:
        raise ValueError(f"{site.key}: the file is another one")
    lines[site.line - 1] = line[:site.column] + site.new + line[site.column + len(site.old):]
    return "\n".join(lines)


def pick(sites, rng):
    """All of them in a random order, with one change for each operator."""
    by_place = {}
    for site in sites:
        by_place.setdefault((site.path, site.line, site.column), []).append(site)
    picked = [rng.choice(choices) for _, choices in sorted(by_place.items())]
    rng.shuffle(picked)
    return picked
