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

# What judges the machine's speed, and where that is allowed: in `tools/test long`.
SPEED = {".sh": re.compile(r"\b(now_ms|SECONDS|took|p9[059])\b"),
         ".py": re.compile(r"\b(assert|expect)\b.*(\btook\b|\bp9[059]\b|\* 0?\.9\d*\b)")}
SAID = re.compile(r"(^|\s)#\s.*|\b(check|same|must) \"[^\"]*\"")  # comments and names of checks
JUDGES = re.compile(r"judges_speed|JUDGES_SPEED|STRICT")
LONG_PARTS = re.compile(r"^long_parts = \{(.*?)^\}", re.M | re.S)
LONG_TEST = re.compile(r"files\('(\w+)_test\.sh'\)[^\n]*suite: \['long'")


def long_names(root):
    """Names of the smoke tests that `tools/test long` alone runs."""
    path = root / "tests/smoke/meson.build"
    text = path.read_text() if path.exists() else ""
    parts = LONG_PARTS.search(text)
    listed = re.findall(r"\[(.*?)\]", parts[1]) if parts else []
    return {n for names in listed for n in re.findall(r"'(\w+)'", names)} | set(LONG_TEST.findall(text))


def speed(root, files):
    """Lines that judge speed outside of a block that `if judges_speed` opens."""
    long = tuple(long_names(root))
    for name in files:
        match = re.match(r"tests/smoke/(?:rig/)?(\w+?)(?:_test|_load)?(\.sh|\.py)$", name)
        if not match or match[1].startswith((*long, "_init")):
            continue
        block = None
        for number, line in enumerate((root / name).read_text().split("\n"), 1):
            code = SAID.sub("", line)
            indent = line[:len(line) - len(line.lstrip())]
            if block is None and line.strip() == "if judges_speed; then":
                block = indent
            elif block == indent and line.strip() == "fi":
                block = None
            elif block is None and SPEED[match[2]].search(code) and not JUDGES.search(code):
                yield f"{name}:{number}: judges the machine's speed: judges_speed (tests/smoke/_init.sh)"


def streams(program):
    """Whether a jq program gives several values, of which `jq -e` looks at the last: a `select` outside of brackets."""
    depth, bare = 0, re.sub(r'\\?"(?:[^"\\]|\\[^"])*?\\?"', "", program)
    for match in re.finditer(r"[\[({]|[\])}]|\bselect\(", bare):
        if match[0] == "select(" and depth == 0:
            return True
        depth += 1 if match[0] in ("[", "(", "{", "select(") else -1
    return False


def breaches(root, files):
    yield from speed(root, files)
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
