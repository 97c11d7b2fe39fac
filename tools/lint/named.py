# SPDX-License-Identifier: BSD-3-Clause
"""Names of files and functions that comments, pages and the compiler's profile mention: they are there."""
import re
import tarfile

import structure

# Files of libraries and of other projects, and the file.c of an example.
OTHERS = {
    "hs.h", "yaml.h", "syslog.h", "linux/icmp.h", "lib/eal/common/eal_common_options.c", "lib/eal/linux/eal_timer.c",
    "lease.c",  # of dnsmasq
    "control.h",  # of fstrm
    "file.c",
}
PLACES = ("include/", "dataplane/", "controlplane/", "tools/ctl/")
NAME = re.compile(r"(?<![\w./<*{-])((?:[\w.-]+/)*\w[\w-]*\.(?:c|h|py))(?![\w*/(]|\.\w)")
WALKS = "docs/explanation/walks.md"
STEP = re.compile(r"^\|(?:[^|`]*\|)? `([\w/]+\.[ch])` \| ((?:`\w+`(?:, )?)+) \|", re.M)


def comments(text):
    """(line, text) of each comment of a C file, the lines of one block together."""
    blocks, last = [], -1
    for match in structure.NOT_CODE.finditer(text):
        if match[0][0] in "\"'":
            continue
        number = text.count("\n", 0, match.start()) + 1
        alone = text[text.rfind("\n", 0, match.start()) + 1:match.start()].strip() == ""
        body = re.sub(r"^//+ ?", "", match[0]) if match[0].startswith("//") else match[0]
        if blocks and alone and number == last + 1:
            blocks[-1][1].append(body)
        else:
            blocks.append((number, [body]))
        last = number + match[0].count("\n")
    return [(number, "\n".join(lines)) for number, lines in blocks]


def files(root, names):
    """Each source file that a comment of the product or a README.md mentions exists."""
    ends = {n[i:] for n in names for i in [0, *(m.end() for m in re.finditer("/", n))]}
    for name in names:
        if name.startswith(PLACES) and name.endswith((".c", ".h")):
            parts = comments((root / name).read_text(errors="replace"))
        elif name.rsplit("/", 1)[-1] == "README.md":
            parts = [(1, (root / name).read_text(errors="replace"))]
        else:
            continue
        for first, text in parts:
            for match in NAME.finditer(re.sub(r"\]\([^)]*\)", "]", text)):
                if match[1] not in ends and match[1] not in OTHERS and "NAME" not in match[1]:
                    yield f"{name}:{first + text.count(chr(10), 0, match.start())}: there is no {match[1]}"


# The product, whose comments name what they speak of; tests and other tools may follow.
PLAIN = re.compile(r"(include|dataplane|controlplane|tools/ctl)/")
HEADLESS = re.compile(r"(of|by|with|without|those|these|the same|theirs|and|nor|also|its|they|whose|in|as)\b", re.I)
NOTHING = re.compile(r": none(?! of)\b")


def headless(root, names):
    """No comment of these rooms begins with a preposition or a pronoun, or says ": none"."""
    for name in names:
        if not PLAIN.match(name) or not name.endswith((".c", ".h")):
            continue
        for number, text in comments((root / name).read_text(errors="replace")):
            match = HEADLESS.match(text) or NOTHING.search(text)
            if match:
                yield f'{name}:{number}: a comment with "{match[0].strip(": ")}": name what it speaks of'


def walks(root):
    """Each step of walks.md names a file that defines its functions; so does each breakpoint."""
    page = root / WALKS
    text = page.read_text() if page.exists() else ""
    known = set()
    for match in STEP.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        functions = re.findall(r"`(\w+)`", match[2])
        known.update(functions)
        path = root / match[1]
        if not path.exists():
            yield f"{WALKS}:{number}: there is no {match[1]}"
            continue
        source = path.read_text(errors="replace")
        for function in functions:
            if not re.search(rf"^(?!\t| )[^;#/\n]*\b{function}\([^;]*?\n\{{", source, re.M):
                yield f"{WALKS}:{number}: {match[1]} does not define {function}"
    for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S):
        for function in re.findall(r"(?:-ex 'break |-a )(\w+)", block):
            if function not in known:
                yield f"{WALKS}: no step has the breakpoint {function}"


PROFILE = "tools/debian/profile.tar.xz"
COUNTS = re.compile(r"(.+)/[^/]+\.a\.p/(.+)\.gcda")  # meson writes a source's / as _


def profile(root, names):
    """Each object that tools/debian/profile.tar.xz has counts of is made from a file that exists: packages are not built otherwise."""
    if not (root / PROFILE).is_file():
        return
    with tarfile.open(root / PROFILE) as counts:
        objects = [COUNTS.fullmatch(member) for member in counts.getnames()]
    for match in objects:
        made = {n[len(match[1]) + 1:].replace("/", "_") for n in names if n.startswith(match[1] + "/")}
        if match[2] not in made:
            yield f"{PROFILE}: there is no {match[1]}/{match[2]} (/ as _): run tools/profile"
