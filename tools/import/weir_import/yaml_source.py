# SPDX-License-Identifier: BSD-3-Clause
"""YAML as a tree of Nodes: from PyYAML's events, so that lines are known and nothing grows without a bound.

An alias is a copy of what its anchor holds; a circle of aliases, more than NODES_MAX nodes or a depth of more than DEPTH_MAX
refuses the file. Tags are ignored: a value is the text that stands there.
"""
from . import source
from .account import Node

NODES_MAX, DEPTH_MAX, BYTES_MAX = 400000, 64, 16 << 20
NEEDS = "needs PyYAML: install the package python3-yaml"
NULLS = ("", "~", "null", "Null", "NULL")


def load(account, path):
    """The root of the file's only document."""
    try:
        import yaml
    except ImportError:
        raise source.Refused(NEEDS) from None
    data = source.read_bytes(path)
    if len(data) > BYTES_MAX:
        raise source.Refused(f"{path}: is larger than 16 MiB, which no configuration is")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise source.Refused(f"{path}: line {line}: has bytes that are not UTF-8") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Tree(account, path, yaml).build(yaml.parse(text, loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise source.Refused(f"{path}: {line}{getattr(error, 'problem', None) or str(error).splitlines()[0]}") from None
    except RecursionError:
        raise source.Refused(f"{path}: is nested too deep") from None


class _Tree:
    def __init__(self, account, path, yaml):
        self.account, self.path, self.yaml = account, path, yaml
        self.anchors, self.open_anchors, self.count = {}, set(), 0

    def refuse(self, line, text):
        raise source.Refused(f"{self.path}: line {line}: {text}")

    def grow(self, line):
        self.count += 1
        if self.count > NODES_MAX:
            self.refuse(line, f"has more than {NODES_MAX} values")

    def build(self, events):
        yaml, documents = self.yaml, 0
        root = Node(self.account, self.path, 1, "", "map")
        stack = []  # [node, the key that waits for its value or None, anchor]
        for event in events:
            line = event.start_mark.line + 1 if event.start_mark else 0
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.refuse(line, "has a second document")
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                *_, anchor = stack.pop()
                self.open_anchors.discard(anchor)
            elif isinstance(event, yaml.AliasEvent):
                self.alias(stack, event.anchor, line)
            elif isinstance(event, yaml.ScalarEvent):
                self.scalar(stack, event, line)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self.container(stack, root, event, line)
        return root

    def parent(self, stack):
        """(the node, name of the child that comes), or None where the text is a key."""
        node, key, _ = stack[-1]
        if node.kind == "list":
            return node, str(len(node.items))
        if key is None:
            return None
        stack[-1][1] = None
        return node, key

    def scalar(self, stack, event, line):
        if not stack:
            if event.value.strip():
                self.refuse(line, "is no map of keys")
            return
        place = self.parent(stack)
        if place is None:
            stack[-1][1] = event.value
            return
        self.grow(line)
        kind = "null" if event.implicit[0] and event.value in NULLS else "text"
        node = place[0].child(place[1], line, kind, "" if kind == "null" else event.value)
        if event.anchor:
            self.anchors[event.anchor] = node

    def container(self, stack, root, event, line):
        self.grow(line)
        if len(stack) >= DEPTH_MAX:
            self.refuse(line, f"is nested more than {DEPTH_MAX} deep")
        kind = "map" if isinstance(event, self.yaml.MappingStartEvent) else "list"
        if not stack:
            root.kind = kind
            node = root
        else:
            place = self.parent(stack)
            if place is None:
                self.refuse(line, "a key is no text")
            node = place[0].child(place[1], line, kind)
        if event.anchor:
            self.anchors[event.anchor] = node
            self.open_anchors.add(event.anchor)
        stack.append([node, None, event.anchor])

    def alias(self, stack, anchor, line):
        if not stack or anchor not in self.anchors:
            self.refuse(line, f"the alias `{anchor}` has no anchor")
        if anchor in self.open_anchors:
            self.refuse(line, f"the alias `{anchor}` leads in a circle")
        place = self.parent(stack)
        if place is None:
            self.refuse(line, "a key is an alias")
        of = self.anchors[anchor]
        if place[1] == "<<" and place[0].kind == of.kind == "map":  # a merge: what stands here counts
            for name, below in of.items:
                if place[0].get(name) is None:
                    self.copy((place[0], name), below, line, len(stack))
            return
        self.copy(place, self.anchors[anchor], line, len(stack))

    def copy(self, place, of, line, depth):
        todo = [(place[0], place[1], of, depth)]
        while todo:
            parent, name, node, depth = todo.pop()
            self.grow(line)
            if depth > DEPTH_MAX:
                self.refuse(line, f"is nested more than {DEPTH_MAX} deep")
            made = parent.child(name, line, node.kind, node.text)
            for key, below in reversed(node.items):
                todo.append((made, key, below, depth + 1))
