#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Man pages and completions from their templates, at build time: what they list comes from its own source.

usage: fill.py ROOT TEMPLATE OUTPUT [TOPIC]

@TOPICS@     the topics of weirctl and their verbs, in scdoc (table.py)
@TOPIC@, @TITLE@, @SYNOPSIS@, @COMMANDS@, @OPTIONS@   a topic: its name and title, commands, and the options of these
@GLOBALS@    the options of every command, in scdoc
@WORDS@      commands for a shell: WORDS|OPTIONS AND OPERANDS|OPTION=VALUE,VALUE ...|SUMMARY, one a line; in place of values
             @KIND, and N=@KIND for the operand N: the names that `weirctl complete KIND` prints
@ALWAYS@     the options of every command, for a shell; @VALUED@, @FILED@: patterns of those with a value, and with a file;
             @VALUED_WORDS@: the former for fish; @BOX@, @BOX_WORDS@: those of every command, which say what box is asked
@FISH@       commands and options as `complete` of fish takes them
@KEYS@       the keys of weir.yaml, in scdoc, from docs/reference/config*.md (tools/docs/config_md.py writes those)
@VERSION@    of meson.build
"""

import pathlib
import re
import sys

import table


def scdoc(line):
    """A line whose every character stands for itself."""
    return re.sub(r"([\\*_<#.~-])", r"\\\1", line) if line else line


def names(option):
    return [n for n in (option.alias, option.name) if n]


def topic_list(root):
    out = []
    for t in table.topics(root):
        out += [f"*weirctl-{t.name}*(8)", f"\t{scdoc(t.title)}: {', '.join(f'*{v}*' for v in t.verbs)}.", ""]
    return "\n".join(out)


def synopsis(root, topic):
    return " ++\n".join(f"*weirctl {scdoc(name)}*{' ' if c.usage else ''}{scdoc(c.usage)}"
                        for c in table.commands_of(root, topic) for name in table.names(c))


def command_list(root, topic):
    out = []
    for c in table.commands_of(root, topic):
        words = ", ".join(f"*{scdoc(name)}*" for name in table.names(c))
        out += [f"{words}{' ' if c.usage else ''}{scdoc(c.usage)}", f"\t{scdoc(c.help)}", ""]
    return "\n".join(out)


def option_list(root, bits):
    out = []
    for o in table.options(root):
        if o.bit in bits:
            shown = ", ".join(f"*{scdoc(n)}*" for n in names(o))
            out += [f"{shown}{' _' + scdoc(o.value) + '_' if o.value else ''}", f"\t{scdoc(o.help[0].upper() + o.help[1:])}.", ""]
    return "\n".join(out) or "None but those of every command."


def topic_marks(root, name):
    topic = next((t for t in table.topics(root) if t.name == name), None)
    if not topic:
        sys.exit(f"fill.py: ctl_topics[] has no {name}")
    bits = set().union(*(c.bits for c in table.commands_of(root, topic)))
    return {"@TOPIC@": name, "@TITLE@": topic.title[0].lower() + topic.title[1:], "@SYNOPSIS@": synopsis(root, topic),
            "@COMMANDS@": command_list(root, topic), "@OPTIONS@": option_list(root, bits)}


def help_words(root):
    return [*dict.fromkeys([t.name for t in table.topics(root)] + table.verbs(root)), "options"]


def word_list(root):
    lines = [f"help|{' '.join(help_words(root))}||Print the help of a topic or command."]
    for c in table.commands(root):
        tokens = table.operands(c.usage) + list(dict.fromkeys(table.usage_options(c.usage)))
        taken = " ".join([f"{option}={','.join(words)}" for option, words in table.values(c.usage).items()]
                         + [f"{at}=@{kind}" for at, kind in table.live(c).items()])
        lines += [f"{name}|{' '.join(tokens)}|{taken}|{table.summary(c.help)}" for name in table.names(c)]
    return "\n".join(lines)


def pattern(root, wanted):
    """Options for `case`."""
    return " | ".join(n for o in table.options(root) if o.value and wanted(o) for n in names(o))


def fish_text(words):
    return "'" + words.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_option(o, where, taken, live):
    line = "complete -c weirctl" + (f" -n \"__weirctl_in {fish_text(where)}\"" if where else "")
    line += f" -s {o.alias[1:]}" if o.alias else ""
    line += f" -l {o.name[2:]}"
    if o.name in live:
        line += f" -x -a '(__weirctl_live {live[o.name]})'"
    elif o.name in taken:
        line += f" -x -a {fish_text(' '.join(taken[o.name]))}"
    elif o.value:
        line += " -r -F" if o.value == "FILE" else " -x"
    return f"{line} -d {fish_text(o.help)}"


def fish_list(root):
    every, out, seen = table.options(root), [], set()
    out += [fish_option(o, "", {}, {}) for o in every if not o.bit]
    out.append(f"complete -c weirctl -n \"__weirctl_at ''\" -a help -d 'Print help.'")
    out.append(f"complete -c weirctl -n \"__weirctl_at help\" -a {fish_text(' '.join(help_words(root)))}")
    for c, name in ((c, name) for c in table.commands(root) for name in table.names(c)):
        first, _, second = name.partition(" ")
        if first not in seen:
            about = "" if second else f" -d {fish_text(table.summary(c.help))}"
            out.append(f"complete -c weirctl -n \"__weirctl_at ''\" -a {first}{about}")
            seen.add(first)
        if second:
            out.append(f"complete -c weirctl -n \"__weirctl_at {first}\" -a {second} -d {fish_text(table.summary(c.help))}")
        if table.operands(c.usage):
            out.append(f"complete -c weirctl -n \"__weirctl_at {fish_text(name)}\" -a {fish_text(' '.join(table.operands(c.usage)))}")
        if re.search(r"\b(FILE|PATH)\b", re.sub(r"-o FILE", "", c.usage)):
            out.append(f"complete -c weirctl -n \"__weirctl_in {fish_text(name)}\" -F")
        out += [f"complete -c weirctl -n \"__weirctl_nth {fish_text(name)} {at}\" -a '(__weirctl_live {kind})'"
                for at, kind in table.live(c).items() if at.isdigit()]
        out += [fish_option(o, name, table.values(c.usage), table.live(c)) for o in every if o.bit in c.bits and o.bit]
    return "\n".join(out)


def plain(cell):
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cell.replace("`", "")).replace("\\|", "|").strip()


def key_list(root):
    out = []
    for page in sorted((root / "docs/reference").glob("config*.md")):
        for line in page.read_text().splitlines():
            cells = re.split(r"(?<!\\)\|", line)
            if len(cells) != 7 or not re.fullmatch(r" `[a-z_0-9.\[\]]+` ", cells[1]):
                continue
            key, default, values, when, meaning = (plain(cell) for cell in cells[1:6])
            out += [f"*{scdoc(key)}* (default: {scdoc(default)}; {scdoc(values)}; {scdoc(when)})",
                    f"\t{scdoc(meaning)}", ""]
    if len(out) < 300:
        sys.exit(f"fill.py: only {len(out) // 3} keys found in docs/reference/config*.md")
    return "\n".join(out)


MADE = {
    "@TOPICS@": topic_list,
    "@GLOBALS@": lambda root: option_list(root, {""}),
    "@WORDS@": word_list,
    "@ALWAYS@": lambda root: " ".join(o.name for o in table.options(root) if not o.bit),
    "@VALUED@": lambda root: pattern(root, lambda o: True),
    "@VALUED_WORDS@": lambda root: pattern(root, lambda o: True).replace(" |", ""),
    "@BOX@": lambda root: pattern(root, lambda o: not o.bit),
    "@BOX_WORDS@": lambda root: pattern(root, lambda o: not o.bit).replace(" |", ""),
    "@FILED@": lambda root: pattern(root, lambda o: o.value == "FILE"),
    "@FISH@": fish_list,
    "@KEYS@": key_list,
    "@VERSION@": lambda root: re.search(r"^  version: '(.*)',", (root / "meson.build").read_text(), re.M)[1],
}


def main():
    root, template, output = map(pathlib.Path, sys.argv[1:4])
    page = template.read_text()
    made = {mark: make(root) for mark, make in MADE.items() if mark in page}
    if len(sys.argv) > 4:
        made.update(topic_marks(root, sys.argv[4]))
    for mark, text in made.items():
        page = page.replace(mark, text)
    output.write_text(page)


if __name__ == "__main__":
    main()
