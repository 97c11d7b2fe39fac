# SPDX-License-Identifier: BSD-3-Clause
"""Rules of the AdBlock and hosts formats that stand in a configuration, made into entries to allow and deny."""
import re

from . import names

SINKS = ("0.0.0.0", "::", "::1")
LEFT_OUT = ("the rule is left out: an entry has query types and a code as its reply, and no other options; put it into a file, and "
            "that into blocking.lists (docs/reference/lists.md says which options weir has)")
NO_NAME = ("is no rule about names that weir has as an entry, so it is left out: put it into a file, and that into blocking.lists, "
           "which take rules about addresses, too (docs/reference/lists.md)")
BEGINS = {"||": "(^|\\.)", "|": "^", "://": "^", "": ""}
GLOB = re.compile("[a-z0-9_.*-]+")
OTHER = re.compile("[!-)+,/:-@\\[-^`{-~]")  # ASCII that neither a name nor a rule about parts of one has
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


def _cut(rule):
    """(what stands in front, the body, whether it has an end)."""
    start = next(mark for mark in BEGINS if rule.startswith(mark))
    body = rule[len(start):]
    body = body[:-1] if body.endswith("^*") else body
    found = re.fullmatch(r"(.*?)(\^?\|?)", body)
    return start, found[1], bool(found[2])


def _glob(model, at, items, start, body, ends):
    """A rule with stars, or without an end, becomes the pattern that it is in a list (controlplane/lists/list_glob.c)."""
    start = "" if body[0] == "*" else start
    ends = ends and body[-1] != "*"
    part = body.strip("*").lower()
    if not GLOB.fullmatch(part) or ".." in part or (ends and part[-1] == ".") or (start and part[0] == "."):
        return model._no(at, f"`{body[:200]}` {NO_NAME}")
    return model.pattern(at, items, names.glob_pattern(BEGINS[start], part, "$" if ends else ""))


def _below(start, body):
    """The name of `*.a.example^` or `.a.example`, which hold what is below it, or ""."""
    skip = 2 if body.startswith("*.") else 1 if body.startswith(".") and not start else 0
    return body[skip:] if skip and "*" not in body[skip:] else ""


def _rule(model, at, items, rule):
    if len(rule) > 2 and rule[0] == rule[-1] == "/":
        return model.pattern(at, items, rule[1:-1])
    start, body, ends = _cut(rule)
    if body and not body.strip("*"):
        return model.pattern(at, items, ".")
    if not body or OTHER.search(body) or re.fullmatch(r"[\d.*]+", body):
        return model._no(at, f"`{rule[:200]}` {NO_NAME}")
    has_anchor = bool(start) or ends
    if not has_anchor and "*" not in body and body[0] not in ".-" and body[-1] != "-":
        return model.exact(at, items, body)
    if not has_anchor and body.startswith("*.") and "*" not in body[2:]:
        return model.name(at, items, body)
    is_open = body[-1] in ".*" or (not ends and (start in ("|", "://") or body[-1] == "-"))
    below = "" if is_open else _below(start, body)
    if below:
        found, why = names.name(below)
        return model.pattern(at, items, names.below_pattern(found)) if found else model._no(at, f"`{rule[:200]}` {why}, so it is left out")
    if is_open or "*" in body or (not start and body[0] in ".-"):
        return _glob(model, at, items, start, body, ends or not is_open)
    return model.exact(at, items, body) if start in ("|", "://") else model.name(at, items, body)


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
