# SPDX-License-Identifier: BSD-3-Clause
"""A reader's table of known keys: {pattern: row}, in the order in which they are read.

pattern: "dns.upstream_dns", "filters[]" (each item of a list), "clients.*.name" (any key). Of a file of lines: the word of the
option. A row is what a constructor below returns. What no row names stays unsettled, and so is reported.
"""
import dataclasses
from typing import Callable

from . import names
from .account import REST


@dataclasses.dataclass(frozen=True)
class Row:
    handler: Callable  # (reading, node); settles the node, or reads tables below it
    topic: str = REST
    default: tuple = ()  # values with which the key says nothing that weir must know
    empty: bool = False  # the handler wants empty values, too

    def apply(self, reading, node):
        node.topic = node.topic or (None if self.topic == REST else self.topic)
        if not self.empty and node.is_empty():
            node.usual()
        elif node.kind == "text" and node.text in self.default:
            node.usual()
        else:
            self.handler(reading, node)


def _default(value):
    return value if isinstance(value, tuple) else () if value is None else (value,)


def takes(handler, topic=REST, default=None, empty=False):
    """handler(reading, node) takes the key."""
    return Row(handler, topic, _default(default), empty)


def holder(topic=REST):
    """A list or map whose items have rows of their own; an empty one says nothing."""
    return Row(lambda _, node: None, topic)


def needless(why, topic=REST, default=None):
    """weir has no use for the key, whatever its value."""
    return Row(lambda _, node: node.needless(why), topic, _default(default))


def impossible(sentence, topic=REST, default=None):
    """weir cannot do it: why, and what to do instead."""
    return Row(lambda _, node: node.impossible(sentence), topic, _default(default))


def differently(sentence, topic=REST, default=None, to=""):
    """weir does it, in another way."""
    return Row(lambda _, node: node.differently(sentence, to), topic, _default(default))


def number(section, key, least, most, topic=REST, default=None, times=1):
    """The number, `times` so much, becomes SECTION.KEY within its bounds."""
    return Row(lambda r, node: r.model.number(node, section, key, node.text, least, most, times), topic, _default(default))


def seconds(section, key, least, most, topic=REST, default=None, of=names.seconds, unset=None):
    """A duration becomes SECTION.KEY. `of` reads the source's notation; `unset`: why one of 0 or less says nothing there."""
    def take(r, node):
        n = of(node.text.strip())
        if n is None:
            node.impossible(f"`{node.shown()}` is no time")
        elif unset and n <= 0:
            node.usual(unset)
        else:
            r.model.number(node, section, key, str(n), least, most)
    return Row(take, topic, _default(default))


def value(section, key, words, topic=REST, default=None):
    """A word of the source becomes one of weir: {"parallel": "2"}. A word that `words` lacks is impossible."""
    def take(reading, node):
        if node.text in words:
            reading.model.value(node, section, key, words[node.text])
        else:
            node.impossible(f"`{node.shown()}` has no counterpart; known are {', '.join(w or 'nothing' for w in words)}")
    return Row(take, topic, _default(default))


def flag(section, key, on="true", topic=REST, off=None):
    """true becomes SECTION.KEY: on. false says nothing, or is `off`."""
    words = {"true": on} if off is None else {"true": on, "false": off}
    return value(section, key, words, topic, default=("false",) if off is None else None)


def nat64(switch, prefixes):
    """The rows of a switch of DNS64, and of the list of its prefixes."""
    def is_on(r, node):
        given = r.state.root.get(prefixes)
        if given and not given.is_empty():
            node.taken("ipv6.dns64")
        else:
            r.model.nat64(node)

    def prefix(r, node):
        if not r.state.root.flag(switch):
            return node.needless(f"{switch} is false")
        first, *more = node.below() if node.kind == "list" else [node]
        r.model.nat64(first, first.text)
        for one in more:
            one.impossible(f"{one.shown()}: weir has one prefix; groups may have others (groups.dns64)")
    return {switch: takes(is_on, default="false"), prefixes: takes(prefix)}


def _steps(pattern):
    steps = []
    for part in pattern.split("."):
        name, *lists = part.split("[]")
        steps += [name] if name else []
        steps += ["[]"] * len(lists)
    return steps


def match(root, pattern):
    """The nodes below `root` that a pattern names, in the order of the source."""
    nodes = [root]
    for step in _steps(pattern):
        kind = "list" if step == "[]" else "map"
        nodes = [n for node in nodes if node.kind == kind for name, n in node.items if step in ("*", "[]", name)]
    return nodes


def read(reading, root, rows):
    """Reads all that the table knows below `root`."""
    for pattern, row in rows.items():
        for node in match(root, pattern):
            row.apply(reading, node)
