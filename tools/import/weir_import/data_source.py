# SPDX-License-Identifier: BSD-3-Clause
"""TOML, JSON and lines of `word=value` as trees of Nodes."""
import json
import re
import tomllib

from . import source
from .account import Node

NODES_MAX, DEPTH_MAX = 400000, 64


def _fill(root, value, path, line_of):
    """Without recursion; the keys keep their order."""
    count, todo = 0, [(root, value, 0, "")]
    while todo:
        node, value, depth, dotted = todo.pop()
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, below in pairs:
            count += 1
            if count > NODES_MAX:
                raise source.Refused(f"{path}: has more than {NODES_MAX} values")
            if depth > DEPTH_MAX:
                raise source.Refused(f"{path}: is nested more than {DEPTH_MAX} deep")
            key = f"{dotted}.{name}" if isinstance(value, dict) and dotted else dotted if isinstance(value, list) else str(name)
            line = line_of(key, node.line)
            if isinstance(below, (dict, list)):
                made = node.child(name, line, "map" if isinstance(below, dict) else "list")
                todo.append((made, below, depth + 1, key))
            elif below is None:
                node.child(name, line, "null")
            else:
                text = {True: "true", False: "false"}[below] if isinstance(below, bool) else str(below)
                node.child(name, line, "text", text)
    return root


def load_toml(account, path):
    """The root. tomllib knows no lines: they are those where `key =` stands below its [table]."""
    text = source.read_text(path)
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+)", str(error))
        where = f"line {found[1]}: " if found else ""
        raise source.Refused(f"{path}: {where}{re.sub(r' *[(]at .*[)]$', '', str(error))}") from None
    except (RecursionError, ValueError):
        raise source.Refused(f"{path}: is nested too deep, or has a number without a bound") from None
    lines, table = {}, ""
    for number, line in enumerate(text.split("\n"), 1):
        header = re.match(r"\s*\[+\s*([A-Za-z0-9_.-]{1,200})\s*\]", line)
        key = re.match(r"\s*([A-Za-z0-9_.-]{1,200})\s*=", line)
        if header:
            table = header[1]
            lines.setdefault(table, number)
        elif key:
            lines.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    root = Node(account, path, 1, "", "map")
    return _fill(root, value, path, lambda key, above: lines.get(key, above))


def load_json(account, path):
    """The root, a map or a list. Its places have no lines: such a file is rarely written by hand."""
    text = source.read_text(path)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise source.Refused(f"{path}: line {error.lineno}: {error.msg}") from None
    except (RecursionError, ValueError):
        raise source.Refused(f"{path}: is nested too deep, or has a number without a bound") from None
    if not isinstance(value, (dict, list)):
        raise source.Refused(f"{path}: is no JSON object")
    root = Node(account, path, 0, "", "map" if isinstance(value, dict) else "list")
    return _fill(root, value, path, lambda key, above: 0)


COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|(?<![^ \t])#.*')


def word_value(line):
    """("word", "value") of `word=value`, ("word", None) of `word`; a comment begins the line or follows a blank, outside quotes. None: nothing is there."""
    line = COMMENT.sub(lambda m: m[0] if m[0].startswith('"') else "", line).strip(" \t")
    if not line:
        return None
    word, equals, value = line.partition("=")
    return word.rstrip(" \t"), value.lstrip(" \t") if equals else None
