# SPDX-License-Identifier: BSD-3-Clause
"""Rules of the AdBlock and hosts formats that stand in a configuration, made into entries to allow and deny."""
import re

from . import names

SINKS = ("0.0.0.0", "::", "::1")
LEFT_OUT = ("the rule is left out: an entry has query types and a code as its reply, and no other options; put it into a file, and "
            "that into blocking.lists (docs/reference/lists.md says which options weir has)")
EVERY_NAME = ("*", "|*", "||*")
REPLIES = {"NXDOMAIN": "nxdomain", "REFUSED": "refused", "SERVFAIL": "servfail", "NOERROR": "nodata"}


def is_sink(address):
    return address in SINKS or address.startswith("127.")


def _hosts(model, at, items, address, words):
    for word in words:
        if "$" in word:
            at.impossible(f"`{word[:200]}` is left out: a hosts line has no options; write it as `||name^$option`")
        elif is_sink(address):
            model.exact(at, items, word)
        else:
            model.address(at, word, address)


def _rule(model, at, items, rule):
    if len(rule) > 2 and rule[0] == rule[-1] == "/":
        return model.pattern(at, items, rule[1:-1])
    is_filter = len(rule) > 1 and not rule.startswith("|") and rule.endswith("^")
    rule = rule.rstrip("^|")
    if rule in EVERY_NAME:
        return model.pattern(at, items, ".")
    if rule.startswith("||*."):
        found, why = names.name(rule[4:])
        if not found:
            return model._no(at, f"`{rule[:200]}` {why}, so it is left out")
        return model.pattern(at, items, names.below_pattern(found))
    if rule.startswith("||"):
        return model.name(at, items, rule[2:])
    if is_filter or rule.startswith("*."):
        return model.name(at, items, rule)
    return model.exact(at, items, rule[1:] if rule.startswith("|") else rule)


def take_line(model, at, allow, deny, line, is_allow=False):
    """One rule. `at` is settled."""
    line = line.strip(" \t\r")
    if not line or line[0] in "!#":
        return at.usual("a comment")
    whole = line
    if line.startswith("@@"):
        is_allow, line = True, line[2:]
    items = allow if is_allow else deny
    words = line.split()
    if len(words) > 1 and names.address(words[0]) is not None:
        end = next((i for i, w in enumerate(words) if w.startswith("#")), len(words))
        return _hosts(model, at, items, words[0], words[1:end])
    if not line.startswith("/"):
        line = line.split(" #")[0].rstrip(" \t")
    found = re.fullmatch(r"(.+)\$([^$]*)", line)
    if found and found[2] and not (line.startswith("/") and "/" in found[2]):
        if found[2] == "important":
            return _important(model, at, items, found[1], is_allow)
        special = _options(found[2], is_allow)
        if not special:
            return at.impossible(f"`{whole[:200]}`: {LEFT_OUT}")
        return model.special(at, lambda into: _rule(model, at, into, found[1]), is_allow, *special)
    return _rule(model, at, items, line)


def _options(text, is_allow):
    """(query types, reply) of options that an entry can have, or None."""
    types, reply = [], ""
    for option in text.split(","):
        key, _, value = option.partition("=")
        if key == "dnstype" and value and not types:
            types = value.upper().split("|")
        elif key == "dnsrewrite" and (code := value.upper().removesuffix(";;")) in REPLIES and not reply and not is_allow:
            reply = REPLIES[code]
        else:
            return None
    return types, reply


def _important(model, at, items, rule, is_allow):
    """A rule that plain rules do not take back: settle.allow_wins goes by model.important and model.final."""
    found = type(items)(items.key)
    done = _rule(model, at, found, rule)
    for text, note in found:
        items.add(text, note)
        (model.final if is_allow else model.important).add(text)
    return done


def take_text(model, at, allow, deny, text, is_allow=False):
    for line in text.split("\n"):
        take_line(model, at, allow, deny, line, is_allow)
