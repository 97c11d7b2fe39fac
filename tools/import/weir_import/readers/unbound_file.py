# SPDX-License-Identifier: BSD-3-Clause
"""The words of unbound.conf as a tree: a root of each file, below it a map of each clause ("server"), below that its attributes.

An attribute's text is its words with a blank between them. An included file goes on with the clause of the line that includes it,
so a Clause may have attributes in several files.
"""
import os
import re

from .. import source
from ..account import Node

NODES_MAX = 400000
CLAUSES = ("server", "forward-zone", "stub-zone", "auth-zone", "rpz", "view", "remote-control", "python", "dynlib", "cachedb",
           "dnstap", "dnscrypt", "ipset")
INCLUDES = ("include", "include-toplevel")
# Attributes with more than one word.
TWO = """access-control access-control-tag access-control-view interface-action interface-tag interface-view local-zone
local-zone-tag response-ip response-ip-tag response-ip-data ratelimit-for-domain ratelimit-below-domain tcp-connection-limit
edns-client-string edns-client-tag wait-limit-netblock wait-limit-cookie-netblock""".split()
THREE = "access-control-tag-action access-control-tag-data interface-tag-action interface-tag-data local-zone-override".split()
COUNT = {**dict.fromkeys(TWO, 2), **dict.fromkeys(THREE, 3)}
WORD = re.compile(r"""[ \t\r]*(?:(?P<comment>\#.*)|"(?P<double>(?:[^"\\]|\\.)*)(?:"|\\?$)|'(?P<single>(?:[^'\\]|\\.)*)(?:'|\\?$)
                      |(?P<plain>(?:[^'" \t\r\\]|\\.|\\$)+))""", re.X)
KEY = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,60}):")


class Clause:
    def __init__(self, name):
        self.name, self.nodes = name, []

    def all(self, *keys):
        return [node for key, node in self.nodes if key in keys]

    def word(self, key, default=""):
        """That of the last line, which counts."""
        return next((node.text for node in reversed(self.all(key))), default)

    def is_on(self, *keys):
        return any(self.word(key) == "yes" for key in keys)


def words(line):
    """(word, is it quoted) of a line without its comment. A quote without an end holds the rest."""
    at = 0
    while found := WORD.match(line, at):
        if found.end() == at or found["comment"] is not None:
            return
        at = found.end()
        quoted = found["double"] if found["double"] is not None else found["single"]
        yield (found["plain"], False) if quoted is None else (quoted, True)


class Parser:
    """Reads a file with those that it includes: `clauses`, `index` of "clause.key", and roots of the account."""

    def __init__(self, account, known):
        self.account, self.known = account, known
        self.clauses, self.index, self.last = [], {}, {}
        self.root = self.part = self.clause = self.key = None
        self.open, self.files, self.count, self.folder = [], 0, 0, ""

    def file(self, path):
        before = (self.root, self.part, self.clause)
        self.root, self.part = Node(self.account, path, 1, "", "map"), None
        self.account.roots.append(self.root)
        self.open.append(os.path.realpath(path))
        self.files += 1
        try:
            for number, line in source.read_lines(path):
                self._line(number, line)
            self._flush()
        finally:
            self.open.pop()
            self.key = None
            root, self.root = self.root, before[0]
            self.part = before[1] if self.clause is before[2] else None
        return root

    def _line(self, number, line):
        for place, (word, is_quoted) in enumerate(words(line)):
            self._word(number, word, is_quoted, place == 0)
        if self.key and len(self.words) >= self.need:
            self._flush()

    def _word(self, number, word, is_quoted, is_first):
        found = None if is_quoted else KEY.match(word)
        if self.key and not (found and (len(self.words) >= self.need or (is_first and found[1] in self.known))):
            self.words.append(word)
            return
        self._flush()
        while found and found[1] in CLAUSES:  # "server:verbosity:1" needs no blanks
            self._begin(found[1], number)
            word = word[found.end():]
            found = KEY.match(word)
        if found:
            rest = word[found.end():]
            self.key, self.number, self.need = found[1], number, COUNT.get(found[1], 1)
            self.words = [rest] if rest else []
        elif word:
            self._node(word[:100], number, "flag").impossible("the line is not read: `key: value` is expected")

    def _begin(self, name, number):
        self.clause = Clause(name)
        self.clauses.append(self.clause)
        self.part = self.root.child(name, number, "map")

    def _node(self, key, number, kind, text=""):
        self.count += 1
        if self.count > NODES_MAX:
            raise source.Refused(f"{self.root.file}: has more than {NODES_MAX} values, with the files that it includes")
        if self.part is None and self.clause is not None:
            self.part = self.root.child(self.clause.name, number, "map")
        node = (self.part or self.root).child(key, number, kind, text)
        if self.clause is None or self.clause.name == "server":
            node.path = key  # as a person knows it
        return node

    def _flush(self):
        key, self.key = self.key, None
        if not key:
            return
        node = self._node(key, self.number, "text", " ".join(self.words))
        if key in INCLUDES:
            self._include(node, key == "include-toplevel")
        elif self.clause is not None:
            self.clause.nodes.append((key, node))
            self.index.setdefault(f"{self.clause.name}.{key}", []).append(node)
            self.last[f"{self.clause.name}.{key}"] = node.text

    def _include(self, node, is_toplevel):
        folder = self.last.get("server.directory", "")
        path = source.beside(self.folder, node.text)
        found, count = source.matches(path) if node.text else ([], 0)
        if not found and folder.startswith("/"):
            found, count = source.matches(os.path.join(folder, node.text))
        self.clause = None if is_toplevel else self.clause
        self.part = None if is_toplevel else self.part
        if not found:
            node.impossible(f"no file is there: `{path[:200]}`")
        if count > len(found):
            node.impossible(f"only the first {len(found)} of {count} files are read")
        for one in found:
            self._included(node, one)
        node.taken("the lines of the file")
        if is_toplevel:
            self.clause = self.part = None

    def _included(self, node, path):
        if os.path.realpath(path) in self.open or len(self.open) >= source.DEPTH_MAX:
            node.impossible(f"{path[:200]} is left out: the files include each other")
        elif self.files >= source.FILES_MAX:
            node.impossible(f"{path[:200]} is left out: more than {source.FILES_MAX} files are included")
        else:
            try:
                self.file(path)
            except source.Refused as refused:
                node.impossible(str(refused))


def parse(account, path, known):
    """A Parser that has read the file. Refused: it is none of unbound."""
    parser = Parser(account, known)
    parser.folder = path
    root = parser.file(path)
    if root.items and not (parser.clauses or any(key in INCLUDES for key, _ in root.items)):
        raise source.Refused(f'{path}: has no clause of unbound, such as "server:"')
    for one in account.roots:
        for name, part in one.items:
            if name in CLAUSES and not part.items and part.verdict is None:
                part.usual("it has no lines")
    return parser
