# SPDX-License-Identifier: BSD-3-Clause
"""Checks that docs/ has what the code offers, and that the recipes of docs/contributing.md lead to code that is there."""
import re

COUNT = re.compile(r'\bX\(\w+, [\w ]+, ([\w.\[\]]+), (?:\w+|NAMED\("\w+"\)), (NONE|SAME|TOTAL|NAMED\("(\w+)"\)), ')
VERBS, METRICS = "tools/ctl/", "docs/reference/metrics.md"
KEYS = ("docs/reference/config.md", "docs/reference/config-control.md", "docs/reference/config-tcp.md", "docs/reference/config-upstreams.md", "docs/reference/config-query-log.md")
RECIPES = "docs/contributing.md"
TARGETS = "docs/how-to/fuzzing.md"


def text_of(root, name):
    path = root / name
    return path.read_text() if path.exists() else ""


def verbs(root, files):
    """Each command of weirctl is named on a page of docs/, as `weirctl WORD [SECOND]`."""
    tables = [(n, t) for n in files if n.startswith(VERBS) for t in re.findall(r"^CTL_COMMANDS = \{\n(.*?)^\};", text_of(root, n), re.M | re.S)]
    pages = " ".join(" ".join(text_of(root, n).split()) for n in files if n.startswith("docs/") and n.endswith(".md"))
    if not tables and any(n.startswith(VERBS) for n in files):
        yield f"{VERBS}main.c: no file beside or below it has CTL_COMMANDS"
    for name, row in ((n, r) for n, t in tables for r in re.findall(r"^\t\{?(\S.*)", t, re.M)):
        words = re.match(r'"([\w-]+)", (?:NULL|"([\w-]+)"),', row)
        verb = "weirctl " + " ".join(w for w in words.groups() if w) if words else None
        if not verb:
            yield f"{name}: a row of CTL_COMMANDS that the lint cannot read: {row}"
        elif not re.search(re.escape(verb) + r"(?![\w-])", pages):
            yield f"{name}: no page of docs/ names `{verb}`"


def counters(root, sources):
    """{family: source} of the rows of counters (controlplane/base/counts.h)."""
    texts = {n: re.sub(r"\s*\\\n\s*", " ", text_of(root, n)) for n in sources}
    rows = {name: COUNT.findall(row) for text in texts.values() for name, row in re.findall(r"^#define (\w+_COUNTS)\(X\)(.*)$", text, re.M)}
    return {prefix + (named or field + measured.removeprefix("SAME").replace("TOTAL", "_total")): n
            for n, text in texts.items() for prefix, name in re.findall(r'^COUNTS\(\s*\w+,\s*struct \w+,\s*"(\w*)",\s*(\w+)\)', text, re.M)
            for field, measured, named in rows[name] if measured != "NONE"}


def metrics(root, files):
    """Each family of /metrics has a row in docs/reference/metrics.md: its name, or a prefix such as `weir_l0_*`."""
    page = text_of(root, METRICS)
    names = set(re.findall(r"`(weir_\w+)(?![\w*])", page))
    prefixes = tuple(re.findall(r"`(weir_\w+_)\*", page))
    sources = [n for n in files if re.match(r"controlplane/api/(metrics/|api_metrics)\w*\.c$", n)]
    found = {family: n for n in sources for family in re.findall(r'"(weir_\w+)"', text_of(root, n))}
    found |= counters(root, [n for n in files if n.startswith(("controlplane/", "include/")) and n.endswith((".c", ".h"))])
    if sources and not found:
        yield f"{sources[0]}: no metric found"
    for family, name in sorted(found.items()):
        if family not in names and not (family.startswith(prefixes) if prefixes else False):
            yield f"{name}: {METRICS} has no row for {family}"


def keys(root):
    """Each key of the configuration has a row in docs/reference/config.md or a page config-*.md beside it."""
    pages = "\n".join(text_of(root, page) for page in KEYS)
    rows = {key.replace(".", "_") for key in re.findall(r"^\| `([\w.]+)` \|", pages, re.M)}
    for name in ("dataplane/core/config/config_keys.h", "dataplane/core/config/config_keys_controlplane.h", "dataplane/core/config/config_keys_log.h", "dataplane/core/config/config_keys_tcp.h",
                 "dataplane/core/config/config_keys_blocking.h", "dataplane/core/config/config_keys_upstreams.h"):
        text = re.sub(r"\\\n\s*", "", text_of(root, name))
        found = re.findall(r"X\((\w+), (\w+), \w+, (?:TEXT|FILE|NUMBER|BOOL|CHOICE),", text)
        if text and not found:
            yield f"{name}: no key found"
        for section, key in found:
            if f"{section}_{key}" not in rows:
                yield f"{name}: {' and '.join(KEYS)} have no row for {section}: {key}"


def bodies(root, files):
    """Each fuzz body has a row in the table of docs/how-to/fuzzing.md, and each target of a row has a body."""
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", text_of(root, TARGETS), re.M)
    targets = set(re.findall(r"\w+", " ".join(rows)))
    found = {m[1] for m in (re.fullmatch(r"tests/fuzz/fuzz_(\w+)\.c", n) for n in files) if m}
    for name in sorted(found - targets):
        yield f"tests/fuzz/fuzz_{name}.c: {TARGETS} has no row for {name}"
    for name in sorted(targets - found):
        yield f"{TARGETS}: there is no tests/fuzz/fuzz_{name}.c"


def recipes(root, files):
    """Each row `| file | anchor | step |` of the recipes names a file that has the anchor, or a folder that has that file.

    Each `meson test -C FOLDER NAME...` names tests that a meson.build has.
    """
    page = text_of(root, RECIPES)
    builds = "".join(text_of(root, n) for n in files if n.endswith("meson.build"))
    parts = re.split(r"^## (Add .*)\n", page, flags=re.M)
    if page and len(parts) < 3:
        yield f"{RECIPES}: no recipe"
    for title, body in zip(parts[1::2], parts[2::2]):
        rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", body, re.M)
        if len(rows) < 2:
            yield f"{RECIPES}: `{title}` names {len(rows)} files"
        for name, anchor in rows:
            path = root / name
            if not path.exists():
                yield f"{RECIPES}: `{title}`: there is no {name}"
            elif not ((path / anchor).exists() if path.is_dir() else anchor in path.read_text(errors="replace")):
                yield f"{RECIPES}: `{title}`: {name} does not have {anchor}"
        for test in " ".join(re.findall(r"^.*meson test -C \S+ ([\w ]+)", body, re.M)).split():
            if not re.search(rf"['\s]({test}|{re.sub('^(fuzz|smoke|fault)_', '', test)})['\s]", builds):
                yield f"{RECIPES}: `{title}`: there is no test {test}"
