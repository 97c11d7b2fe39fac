# SPDX-License-Identifier: BSD-3-Clause
"""Texts of the page: each is marked with `_`, and each language has each of them once."""
import ast
import collections
import re

PAGE = "controlplane/page/files/"
# What looks like a text and is none.
NO_TEXTS = {"AbortError", "Retry-After", "Redis", "columns wide", "The view was left.", "main h1, main h2", "(prefers-color-scheme: dark)",
            'a[href], button, input, select, textarea, [tabindex="0"]', "sudo weirctl password set NAME --role admin", "--role read", "--role operate",
            "sudo weirctl restore --force FILE", "sudo weirctl config reload", "sudo weirctl doctor --save", "Content-Type", "DNS of {1}", "Configuration",
            "form, thead, .tools", "row tools", "row narrow"}
DOCUMENT = '<?xml version="1.0"'  # a template of a file that is no page
LOOKS_LIKE_TEXT = re.compile(r"^\W*[A-Z][a-z]+\b|\w\w[,.;:]? [a-z]{2}")
LANGUAGE = re.compile(r"\['(\w+)', '[^']+', '[\w-]+'\]")
ENTRY = re.compile(r"  '(?:[^'\\]|\\.)*': (?:'(?:[^'\\]|\\.)*'|\{.*\}),")
MARK = re.compile(r"(?<![\w$.])(?:_|pieces)\Z")
PLACE = re.compile(r"\{\d+\}")
BEFORE_REGEX = re.compile(r"(?:^|[(,=:\[!&|?{};>+]|\breturn)\s*$")
STEP = re.compile(r"""//[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`|[{}]|/""", re.S)
REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/")


def template(text, at, found):
    """The end of the template that begins at `at`, and its key: the text, with {1}, {2} ... in place of its values."""
    key, places, begin = "", 0, at
    is_marked = bool(MARK.search(text, max(at - 7, 0), at))
    at += 1
    while text[at] != "`":
        if text[at] == "\\":
            key += {"n": "\n"}.get(text[at + 1], text[at + 1])
            at += 2
        elif text.startswith("${", at):
            places += 1
            key += f"{{{places}}}"
            at = code(text, at + 2, found)
        else:
            key += text[at]
            at += 1
    found.append((text.count("\n", 0, begin) + 1, is_marked, key))
    return at + 1


def code(text, at, found):
    """Appends (line, whether it is marked, key) of the literals from `at` to what closes the block; gives the place behind that."""
    depth = 0
    while step := STEP.search(text, at):
        what, at = step.group(), step.end()
        if what == "`":
            at = template(text, step.start(), found)
        elif what == "/":
            line = text[text.rfind("\n", 0, step.start()) + 1:step.start()]
            regex = REGEX.match(text, step.start()) if BEFORE_REGEX.search(line) else None
            at = regex.end() if regex else at
        elif what in "{}":
            depth += 1 if what == "{" else -1
            if depth < 0:
                return at
        elif what[0] in "'\"":
            found.append((text.count("\n", 0, step.start()) + 1, False, ast.literal_eval(what)))
    return len(text)


def literals(text):
    found = []
    code(text, 0, found)
    return found


def entries(root, name):
    """[(key, its forms)] of the entries of a file, one a line."""
    lines = [line for line in (root / PAGE / name).read_text().split("\n") if ENTRY.fullmatch(line)]
    return [(key, forms) for key, *forms in ([text for _, _, text in literals(line)] for line in lines)]


def twice(root, name):
    """Keys that stand in a file again: JavaScript keeps the last text alone."""
    counts = collections.Counter(key for key, _ in entries(root, name))
    yield from (f"{PAGE}{name}: {key!r} stands {n} times" for key, n in counts.items() if n > 1)


def faults(key, forms):
    """What is wrong with the forms of a text in another language."""
    for form in forms:
        if not form.strip() or (form == key and len(re.findall(r"[^\W\d]{2,}", key)) > 1):
            yield "is not translated"
        elif form[0].isspace() != key[0].isspace() or form[-1].isspace() != key[-1].isspace():
            yield "begins or ends with a blank, unlike its key"
        elif sorted(PLACE.findall(form)) != sorted(PLACE.findall(key)):
            yield "has other places than its key"


def breaches(root, files):
    views = [n for n in files if n.startswith(PAGE) and n.endswith(".js")]
    if PAGE + "words.js" not in views:
        return
    codes = LANGUAGE.findall((root / PAGE / "words.js").read_text())
    apart, used = {f"{PAGE}{name}.js" for name in [*codes, "words", "uplot"]}, {}
    for name in sorted(set(views) - apart):
        for line, is_marked, key in literals((root / name).read_text()):
            if is_marked:
                used.setdefault(key, f"{name}:{line}")
            elif LOOKS_LIKE_TEXT.search(key) and key not in NO_TEXTS and not key.startswith(DOCUMENT):
                yield f"{name}:{line}: no mark at {key!r}: write it as _`...` (words.js)"
    yield from twice(root, "words.js")
    for key in set(dict(entries(root, "words.js"))) - set(used):
        yield f"{PAGE}words.js: nobody uses {key!r}"
    for code in codes:
        name = f"{PAGE}{code}.js"
        if code == "en":
            continue
        if name not in views:
            yield f"{name}: there is no such file"
            continue
        texts = dict(entries(root, f"{code}.js"))
        yield from twice(root, f"{code}.js")
        for entry in re.findall(r"^  .*': \{(?!.*\bother: ).*", (root / name).read_text(), re.M):
            yield f"{name}: no form for other numbers: {entry.strip()}"
        if missing := [key for key in used if key not in texts]:
            yield f"{name}: {len(missing)} texts are missing: paste these lines, with the texts:\n" + "\n".join(
                f"  {quoted(key)}: ''," for key in missing)
        yield from (f"{name}: nobody uses {key!r}" for key in texts if key not in used)
        yield from (f"{name}: {key!r} {fault}" for key, forms in texts.items() for fault in faults(key, forms))


def quoted(key):
    return "'" + key.replace("\\", "\\\\").replace("'", "\\'") + "'"
