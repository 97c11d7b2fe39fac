# SPDX-License-Identifier: BSD-3-Clause
"""The tables of weirctl's command line, read from their C: CTL_COMMANDS of the files below tools/ctl, their order and
ctl_topics[] and ctl_options[] of tools/ctl/main.c. A row that cannot be read is an error."""

import collections
import re
import sys

STRING = r'(?:"(?:[^"\\]|\\.)*"\s*)+'
COMMAND = re.compile(r"\{(" + STRING + r"),\s*(NULL|" + STRING + r"),\s*\d+,\s*\d+,\s*([^,]+),\s*cmd_\w+,\s*(" + STRING
                     + r"),\s*(" + STRING + r")(?:,\s*\.alias = (" + STRING + r"))?\}")
OPTION = re.compile(r'\t(?:TEXT|FLAG)\("(--[a-z-]+)",\s*(NULL|"-[a-z]"),\s*(0|CTL_OPT_\w+),\s*[\w.]+,\s*(?:("[^"]+"),\s*)?('
                    r'"[^"]*"(?:\s*(?:WEIR_CONFIG_DEFAULT|"[^"]*"))*)\),')
TOPIC = re.compile(r'\{("[a-z]+"),\s*(' + STRING + r'),\s*(' + STRING + r')\}')

Command = collections.namedtuple("Command", "words bits usage help alias")
Option = collections.namedtuple("Option", "name alias bit value help")
Topic = collections.namedtuple("Topic", "name title verbs")


def text(literal):
    """The value of adjacent C string literals."""
    literal = literal.replace("WEIR_CONFIG_DEFAULT", '"/etc/weir/weir.yaml"')
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal)).replace('\\"', '"').replace("\\\\", "\\")


def rows(root, name, table, pattern, count):
    source = (root / name).read_text()
    source = source[source.index(f"{table} = {{"):]
    source = source[:source.index("};")]
    found = list(pattern.finditer(source))
    wanted = len(re.findall(count, source))
    if not found or len(found) != wanted:
        sys.exit(f"{name}: {len(found)} of {wanted} rows of {table} read")
    return found


def place(order, words):
    """As main.c has it: that of the last entry that is the verb or both words; behind all others without one."""
    return max((i for i, entry in enumerate(order) if entry in (words, words.split()[0])), default=len(order))


def commands(root):
    """In the order of the help."""
    found = [Command(text(m[1]) if m[2] == "NULL" else f"{text(m[1])} {text(m[2])}",
                     set(re.findall(r"CTL_OPT_\w+", m[3])) - {"CTL_OPT_LOCAL"}, text(m[4]), text(m[5]), text(m[6] or ""))
             for path in sorted((root / "tools/ctl").glob("*/*.c")) if "CTL_COMMANDS = {" in path.read_text()
             for m in rows(root, path.relative_to(root), "CTL_COMMANDS", COMMAND, r"\bcmd_")]
    order = [text(m[0]) for m in rows(root, "tools/ctl/main.c", "order[]", re.compile(STRING), r",|$")]
    return sorted(found, key=lambda c: place(order, c.words))


def names(command):
    """Its words, and the word that stands for them."""
    return [n for n in (command.words, command.alias) if n]


def verbs(root):
    """First words, and those that stand for a command."""
    return list(dict.fromkeys(n.split()[0] for c in commands(root) for n in names(c)))


def options(root):
    """One without a bit is of every command, one without a value a flag."""
    return [Option(m[1], "" if m[2] == "NULL" else text(m[2]), "" if m[3] == "0" else m[3], text(m[4] or ""), text(m[5]))
            for m in rows(root, "tools/ctl/main.c", "ctl_options[]", OPTION, r"\t(?:TEXT|FLAG)\(")]


def topics(root):
    return [Topic(text(m[1]), text(m[2]), text(m[3]).split())
            for m in rows(root, "tools/ctl/main.c", "ctl_topics[]", TOPIC, r"\t\{")]


def commands_of(root, topic):
    """In the order of its verbs, as the man page has them."""
    return [c for verb in topic.verbs for c in commands(root) if c.words.split()[0] == verb]


def summary(meaning):
    """What a help says first, as `weirctl help TOPIC` shows it."""
    return re.split(r"[.:;](?: |$)", meaning)[0] + "."


def usage_options(usage):
    return re.findall(r"(?<![\w-])--?[a-z]+(?:-[a-z]+)*", usage)


def operands(usage):
    """The words of `a|b|c` at the beginning of a usage."""
    first = re.match(r"[a-z-]+(?:\|[a-z-]+)+(?= |$)", usage)
    return first[0].split("|") if first else []


LIVE_OPTIONS = {"--group": "groups", "--client": "clients", "--verdict": "verdicts"}
LIVE_OPERANDS = {"GROUP": "groups", "CLIENT": "clients", "LIST": "lists", "SERVICE": "services", "ZONE": "zones", "CHECK": "checks",
                 "NAME|ADDRESS": "servers", "NAME|SERVER": "servers"}
NEW = {"group create": "GROUP", "forward-zone add": "ZONE"}  # a name that is not there yet


def live(command):
    """{option, or number of the operand: kind of names, for `weirctl complete`}"""
    found = {o: kind for o, kind in LIVE_OPTIONS.items() if o in usage_options(command.usage)}
    for i, word in enumerate(command.usage.split()):
        if "-" in word.split("|")[0]:
            break
        bare = re.split(r"[][]", word.removeprefix("["))[0]
        kind = LIVE_OPERANDS.get(bare) or LIVE_OPERANDS.get(bare.split("|")[0])
        if kind and NEW.get(command.words) != bare:
            found[str(i + 1)] = kind
    return found


def values(usage):
    """{option: the words that it takes}, of those that name them."""
    return {m[1]: m[2].split("|") for m in re.finditer(r"(--[a-z]+) ([a-z]+(?:\|[a-z]+)+)", usage)}
