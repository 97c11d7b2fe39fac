# SPDX-License-Identifier: BSD-3-Clause
"""Shell scripts of tests: what made them fail, or pass, for a reason of their own."""
import re

SCRIPTS = re.compile(r"tests/(smoke|conformance)/.*\.sh$")
ARGUMENT = re.compile(r"--(arg|argjson|slurpfile) \w+ (\\?\"[^\"]*\"|\S+)")
PROGRAM = re.compile(r"""jq\b(?=[^|;'"]*\s-\w*e)[^|;'"]*(\\?['"])(.*?)\1""", re.S)

LINES = (
    (re.compile(r"\btmux -L"), "a tmux server in the host's /tmp: tmux -S, a socket of the test's own for each session"),
    (re.compile(r"\bgrep (-\w+ )*-c[^|]*/proc/(self/)?(mounts|net)"), "counts what the host has too: compare with before"),
    (re.compile(r"(?<!\| )\bgrep (-\w*q\w* -\w*v|-\w*v\w* -\w*q|-\w*qv|-\w*vq)"), "grep -qv is true of nearly any text: ! grep -q"),
    (re.compile(r"^\s*(until|while !)"), "a wait without an end or a report: eventually"),
)


def streams(program):
    """Whether a jq program gives several values, of which `jq -e` looks at the last: a `select` outside of brackets."""
    depth, bare = 0, re.sub(r'\\?"(?:[^"\\]|\\[^"])*?\\?"', "", program)
    for match in re.finditer(r"[\[({]|[\])}]|\bselect\(", bare):
        if match[0] == "select(" and depth == 0:
            return True
        depth += 1 if match[0] in ("[", "(", "{", "select(") else -1
    return False


def breaches(root, files):
    for name in files:
        if not SCRIPTS.match(name):
            continue
        text = (root / name).read_text()
        for number, line in enumerate(text.split("\n"), 1):
            for pattern, why in LINES if not line.lstrip().startswith("#") else ():
                if pattern.search(line):
                    yield f"{name}:{number}: {why}"
        for match in PROGRAM.finditer(ARGUMENT.sub("", text)):
            if "any_line" not in match[0] and streams(match[2]):
                number = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{number}: jq -e looks at the last value alone: any(...), any_line"
