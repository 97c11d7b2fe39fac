# SPDX-License-Identifier: BSD-3-Clause
"""The account: the verdict on each key of the source.

A source is a tree of Nodes. Every leaf (a text, a null, an empty list or map) must get a verdict; what has none at the end is
`unknown`, and the report says so. A verdict on a map or list is one on all leaves below that have none.
"""
import dataclasses

TAKEN, NEEDLESS, DIFFERENTLY, IMPOSSIBLE, UNKNOWN = "taken", "needless", "differently", "impossible", "unknown"
VERDICTS = (TAKEN, NEEDLESS, DIFFERENTLY, IMPOSSIBLE, UNKNOWN)  # from the best one; the worst of a key counts
LOSSES = (DIFFERENTLY, IMPOSSIBLE, UNKNOWN)
PRIVACY, BLOCKING, REST = "privacy", "blocking", "rest"
TOPICS = (PRIVACY, BLOCKING, REST)  # the order of the report
ENTRIES_MAX = 100000  # entries of one topic that are kept, of losses and of others; those beyond are counted


@dataclasses.dataclass
class Entry:
    """One line of the report. `to`: the key of weir. `usual`: the source has its default, so nothing is to be said."""
    file: str
    line: int
    key: str
    verdict: str
    topic: str
    text: str
    to: str = ""
    usual: bool = False

    def place(self):
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    def sentence(self):
        return ": ".join(part for part in (self.place(), self.key, self.text) if part)


class Account:
    """All entries, and the roots of the trees that must be settled."""

    def __init__(self):
        self.entries, self.roots, self.beyond = [], [], 0
        self.said, self.kept = set(), {}

    def add(self, entry):
        once = (entry.file, entry.line, entry.key, entry.verdict, entry.text)
        if once in self.said:
            return
        kind = entry.topic, entry.verdict in LOSSES
        self.kept[kind] = self.kept.get(kind, 0) + 1
        if self.kept[kind] > ENTRIES_MAX:
            self.beyond += 1
            return
        self.said.add(once)
        self.entries.append(entry)

    def remark(self, key, text, topic=REST, verdict=DIFFERENTLY, file="", to=""):
        """An entry about what no key of the source says: a default that it leaves, or a bound of weir."""
        self.add(Entry(file, 0, key, verdict, topic, text, to))

    def close(self):
        """What nobody settled is unknown."""
        for root in self.roots:
            for leaf in root.leaves():
                if leaf.verdict is None:
                    leaf.settle(UNKNOWN, f"nobody knows this key; its value `{leaf.shown()}` is lost")

    def counts(self):
        """How many keys have each verdict."""
        counts = dict.fromkeys(VERDICTS, 0)
        for root in self.roots:
            for leaf in root.leaves():
                counts[leaf.verdict or UNKNOWN] += 1
        return counts

    def in_order(self, verdicts=LOSSES):
        """The entries with these verdicts: privacy first, then blocking, then the rest, each as the source has them."""
        files = {file: number for number, file in enumerate(dict.fromkeys(["", *(root.file for root in self.roots)]))}
        found = [e for e in self.entries if e.verdict in verdicts]
        return sorted(found, key=lambda e: (TOPICS.index(e.topic), files.get(e.file, len(files)), e.line))


class Node:
    """A key of the source with its value. `kind`: "map", "list", "text", "null", or "flag", a word without a value, which says
    something by being there. `items`: (name, Node); names may repeat."""

    __slots__ = ("account", "file", "line", "path", "kind", "text", "items", "topic", "verdict", "name", "parent")

    def __init__(self, account, file, line, path, kind, text=""):
        self.account, self.file, self.line, self.path, self.kind, self.text = account, file, line, path, kind, text
        self.items, self.topic, self.verdict, self.name, self.parent = [], None, None, path, None

    def child(self, name, line, kind, text=""):
        """A new Node below this one. In a list `name` is the index."""
        if self.kind == "list":
            path = f"{self.path}[{name}]"
        else:
            path = f"{self.path}.{name}" if self.path else str(name)
        node = Node(self.account, self.file, line, path, kind, text)
        node.name, node.parent = str(name), self
        self.items.append((str(name), node))
        return node

    def below(self):
        return [node for _, node in self.items]

    def leaves(self):
        """Without recursion: a tree may be as deep as its reader lets it."""
        todo = [self]
        while todo:
            node = todo.pop()
            if node.items:
                todo.extend(n for _, n in reversed(node.items))
            elif node.path:  # the root of an empty file is no key
                yield node

    def is_empty(self):
        """Does it say nothing?"""
        return not self.items and not self.text and self.kind != "flag"

    def topic_found(self):
        """Its own, or that of the node above it."""
        node = self
        while node is not None:
            if node.topic:
                return node.topic
            node = node.parent
        return REST

    def shown(self):
        text = {"map": "{}", "list": "[]", "null": "null"}.get(self.kind, self.text)
        return text if len(text) <= 200 else text[:200] + "..."

    # What a handler reads. Nothing of this settles anything.
    def get(self, path):
        """The first node at "a.b" below this one, or None."""
        node = self
        for name in path.split("."):
            node = next((n for key, n in node.items if key == name), None) if node.kind == "map" else None
            if node is None:
                return None
        return node

    def word(self, path, default=""):
        node = self.get(path)
        return node.text if node and node.kind == "text" else default

    def flag(self, path, default=False):
        return {"true": True, "false": False}.get(self.word(path).lower(), default)

    # Verdicts. `text` is a sentence for a person: what differs or is lost, and what to do about it.
    def settle(self, verdict, text="", to="", topic=None, usual=False):
        rank = VERDICTS.index(verdict)
        for leaf in self.leaves():
            if leaf is not self and leaf.verdict is not None:
                continue
            if leaf.verdict is None or VERDICTS.index(leaf.verdict) < rank:
                leaf.verdict = verdict
        entry = Entry(self.file, self.line, self.path, verdict, topic or self.topic_found(), text, to, usual)
        self.account.add(entry)

    def taken(self, to):
        self.settle(TAKEN, to=to)

    def taken_keys(self, to, *keys):
        """Only these keys of a map; others stay as they are, so that the report has those that nobody knows."""
        for name, node in self.items:
            if name in keys:
                node.taken(to)

    def differently(self, text, to="", topic=None):
        self.settle(DIFFERENTLY, text, to, topic)

    def needless(self, text):
        self.settle(NEEDLESS, text)

    def usual(self, text="its default"):
        """The value is the default of the source, or says nothing: the report has it with --all alone."""
        self.settle(NEEDLESS, text, usual=True)

    def impossible(self, text, topic=None):
        self.settle(IMPOSSIBLE, text, topic=topic)
