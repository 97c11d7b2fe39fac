#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The lint must be able to fail: a small tree with one breach of each rule, each of which it must name."""
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile

HEAD = "// SPDX-License-Identifier: BSD-3-Clause\n"
LINT = pathlib.Path(__file__).with_name("lint.py")

RECIPE = "## Add a thing\n\n| file | at | do |\n|---|---|---|\n| `{}` | `{}` | x |\n| `{}` | `{}` | y |\n"


def profile_of(source):
    """A compiler's profile, as a tar, that has counts of dataplane/core/base/SOURCE."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as tar:
        tar.addfile(tarfile.TarInfo(f"dataplane/core/libx.a.p/base_{source}.gcda"))
    return out.getvalue()


BREACHES = {
    "spdx": ("dataplane/no_spdx.c", "int x;\n"),
    "size": ("dataplane/fn.c", HEAD + "int f(void);\nint f(void)\n{\n" + "\t;\n" * 121 + "}\n"),
    "floors": ("controlplane/cross.c", HEAD + '#include "../dataplane/state/worker.h"\n'),
    "includers": ("dataplane/http.c", HEAD + "#include <curl/curl.h>\n"),
    "tests": ("tests/unit/test_forgotten.c", HEAD),
    "packet_path": ("dataplane/stage_x.c", HEAD + "void f(void)\n{\n\tprintf(\"x\");\n}\n"),
    "accounts": ("controlplane/hoard.c", HEAD + "void *f(void)\n{\n\treturn heap_malloc(9);\n}\n"),
    "tables": ("controlplane/api_hoard.c", HEAD + "void *f(void)\n{\n\treturn heap_calloc(9, 9);\n}\n"),
    "dataplane_tables": ("dataplane/pool_x.c", HEAD + "void *f(void)\n{\n\treturn rte_ring_create(9);\n}\n"),
    "plan": ("tools/lint/memory.txt", "hoard.c hoards\n"),
    "frees": ("controlplane/hold.c", HEAD + "void f(struct s *x)\n{\n\theap_free(x->kept);\n}\n"),
    "nameless": ("controlplane/nameless.c", HEAD + "void f(void *x)\n{\n\tfree(x);\n}\n"),
    "terminal": ("tools/ctl/shown.c", HEAD + 'void f(void)\n{\n\tprintf("%s; %s", term_text(json_text(n, "a"), a, 9), json_text(n, "b"));\n}\n'),
    "musts": ("docs/reference/musts.md", "| 1035 9 | one thing | `gone_since` – but once there |\n"),
    "attacks": ("docs/reference/attacks.md", "| an attack | a defence | `gone_since` |\n"),
    "pages": ("docs/how-to/lone.md", "# A page\n"),
    "prose": ("docs/wide.md", "# A page\n\nOne sentence. " + "word " * 20 + "\n"),
    "structure": ("controlplane/base/apart.c", HEAD + "\nvoid one(void)\n{\n}\n"),
    "phrases": ("docs/told.md", "The querier, or who asks.\n"),
    "verbs": ("tools/ctl/cmd/cmd_frob.c", HEAD + 'CTL_COMMANDS = {\n\t{"frob", NULL, 0},\n};\n'),
    "metrics": ("controlplane/api/metrics/metrics_x.c", HEAD + 'const char *x = "weir_x_total";\n'),
    "keys": ("dataplane/core/config/config_keys.h", HEAD + "#define K(X) \\\n\tX(dns, frob, frob, BOOL, none, 0)\n"),
    "json_keys": ("controlplane/base/count.c", HEAD + "void f(void)\n{\n\tJSON_COUNTS(o, n, s, hits);\n}\n"),
    "bodies": ("tests/fuzz/fuzz_frob.c", HEAD),
    "recipes": ("docs/contributing.md", RECIPE.format("docs/gone.md", "a word", "docs", "contributing.md")),
    "files": ("controlplane/base/mentions.h", HEAD + '\n// As gone.h says; "other.c" is not asked, and the_NAME.c is any. Nor is <glib.h>.\n'),
    "profile": ("tools/debian/profile.tar.xz", profile_of("gone.c")),
    "headless": ("dataplane/state/x.h", HEAD + "\nint a; // the number; -1: none\nint b; // none of these\n"),
    "walks": ("docs/explanation/walks.md", "| `dataplane/core/base/good.c` | `gone` | x |\n"),
    "imports": ("tests/smoke/caller.py", "# SPDX-License-Identifier: BSD-3-Clause\nfrom good_names import gone\n"),
    "format": ("dataplane/ugly.c", HEAD + "int  f( void ){return 1;}\n"),
}


# The same in the folders below.
BELOW = [
    ("pages", ("docs/README.md", "# Index\n\n[Another](how-to/other.md)\n")),
    ("pages", ("docs/README.md", "# Index\n\n[Another](#page)\n")),
    ("pages", ("docs/README.md", "# Index\n" + "\n" * 350)),
    ("pages", ("controlplane/base/README.md", "[Another](../../docs/other.md)\n")),
    ("prose", ("docs/how-to/long.md", "* " + "a word\n" * 61)),
    ("prose", ("dataplane/state/README.md", "* A wide item that does not end here, " + "word " * 20 + "\nbut there.\n")),
    ("includers", ("dataplane/port/http.c", HEAD + "#include <curl/curl.h>\n")),
    ("includers", ("controlplane/l1/old.c", HEAD + "#ifdef REDIS_REPLY_DOUBLE\nint x;\n#endif\n")),
    ("tests", ("tests/unit/cp/l1/test_forgotten.c", HEAD)),
    ("packet_path", ("dataplane/stage/stage_x.c", HEAD + "void f(void)\n{\n\tprintf(\"x\");\n}\n")),
    ("accounts", ("controlplane/base/hoard.c", HEAD + "void *f(void)\n{\n\treturn heap_malloc(9);\n}\n")),
    ("dataplane_tables", ("dataplane/port/pool_x.c", HEAD + "void *f(void)\n{\n\treturn rte_ring_create(9);\n}\n")),
    # Rows that cannot be read, anchors that moved, recipes without rows.
    ("verbs", ("tools/ctl/cmd/cmd_frob.c", HEAD + "CTL_COMMANDS = {\n\tROW(frob),\n};\n")),
    ("verbs", ("tools/ctl/cmd/cmd_frob.c", HEAD + "CTL_COMMANDS = {\n\t{FROB, NULL},\n};\n")),
    ("verbs", ("tools/ctl/main.c", HEAD + "int x;\n")),
    ("metrics", ("controlplane/api/metrics/metrics_x.c", HEAD + "int x;\n")),
    ("keys", ("dataplane/core/config/config_keys.h", HEAD + "#define K(X)\n")),
    ("bodies", ("docs/how-to/fuzzing.md", "| `gone` | bytes | bounds |\n")),
    ("recipes", ("docs/contributing.md", RECIPE.format("docs", "contributing.md", "tools/lint/phrases.txt", "moved"))),
    ("recipes", ("docs/contributing.md", RECIPE.format("docs", "contributing.md", "docs", "gone.md"))),
    ("recipes", ("docs/contributing.md", "## Add a thing\n\nSomewhere.\n")),
    ("recipes", ("docs/contributing.md", "# A page\n")),
    ("recipes", ("docs/contributing.md", RECIPE.format(*["docs", "contributing.md"] * 2) + "\nmeson test -C build gone && x\n")),
    ("floors", ("dataplane/core/config/eal.c", HEAD + "#include <rte_eal.h>\n")),
    ("files", ("tests/README.md", "What `smoke/gone_test.py` does.\n")),
    ("files", ("tools/ctl/x.c", HEAD + 'const char *x = "a.c"; // base/good.c is not there, gone/good.c neither\n')),
    ("headless", ("dataplane/core/dns/x.c", HEAD + "\n// Of the same, DNS64.\nint a;\n")),
    ("walks", ("docs/explanation/walks.md", "| worker | `dataplane/gone.c` | `good`, `f` | x |\n")),
    ("walks", ("docs/explanation/walks.md", "```\ngdb -ex 'break gone' -ex continue\n```\n")),
]


# Files, and what the lint must say of them.
ROOM_BREACHES = {
    "a room above base": {"controlplane/base/low.c": '#include "lists/high.h"\n', "controlplane/lists/high.h": ""},
    "a circle of rooms: base -> lists -> base": {
        "controlplane/base/low.c": '#include "lists/high.h"\n', "controlplane/lists/high.h": "",
        "controlplane/lists/high.c": '#include "base/low.h"\n', "controlplane/base/low.h": ""},
    "inside.h is no door of controlplane/base": {
        "controlplane/lists/high.c": '#include "base/inside.h"\n', "controlplane/base/inside.h": ""},
    "controlplane/lists: no README.md": {"controlplane/lists/high.h": ""},
    "tools/ctl/README.md: its table does not have the rooms from the top floor down, from nic on": {
        "tools/ctl/README.md": "| `cmd` | x |\n| `setup` | x |\n| `nic` | x |\n"},
    "dataplane/README.md: its table does not have the rooms from the top floor down, from cellar on": {
        "dataplane/README.md": "| `cellar` | x |\n"},
    "controlplane/cellar: no room": {"controlplane/cellar/deep.c": ""},
}
ROOM_DOORS = {"controlplane/base/README.md": "**Door**: `low.h`.\n", "controlplane/lists/README.md": "**Door**: `high.h`.\n"}


FN = "\nvoid {}(void)\n{{\n\t{};\n}}\n"
USER = {"controlplane/app.c": "\nstatic void app(void)\n{\n\tgood_open(), list_open(), helper_open();\n}\n"}
AROUND = {f"controlplane/lists/{a}.h": f'#include "lists/{b}.h"\n' for a, b in ("ab", "bc", "cd", "da")}
BOOK = {"tools/lint/structure.txt": "1 unused controlplane/lists\n"}

STRUCTURE_BREACHES = {
    "lists/a: in a circle of 4: a b c d": AROUND,
    "is of controlplane/lists alone": {
        "controlplane/lists/good_internal.h": "", "controlplane/rules/x.c": '#include "lists/good_internal.h"\n'},
    "x.c: includes controlplane/lists/good_internal.h": {
        "controlplane/lists/good_internal.h": "", "tests/unit/cp/rules/x.c": '#include "controlplane/lists/good_internal.h"\n'},
    "good_internal.h is a door": {
        "controlplane/base/README.md": "**Door**: `good_internal.h`.\n", "controlplane/base/x.c": ""},
    "good.c:3: helper_open": {**USER, "controlplane/lists/good.c": FN.format("helper_open", "")},
    "good_list.c:3: list_open": {
        **USER, "controlplane/base/good_list.c": FN.format("list_open", ""), "controlplane/lists/list.h": ""},
    "good_open: no other file uses it": {"controlplane/lists/good.c": FN.format("good_open", "")},
    "good_open: tests alone use it": {
        "controlplane/lists/good.c": FN.format("good_open", ""), "tests/unit/cp/lists/x.c": FN.format("x", "good_open()")},
    "good_open: its file and tests use it": {
        "controlplane/lists/good.c": FN.format("good_open", "") + FN.format("good_close", "good_open()"),
        "controlplane/lists/user.c": FN.format("user_x", "good_close()"),
        "tests/unit/cp/lists/x.c": FN.format("x", "good_open()")},
    "(2 in controlplane/lists, 1 allowed)": {
        **BOOK, "controlplane/lists/good.c": FN.format("good_open", "") + FN.format("good_close", "")},
    "a function of 61 lines": {"controlplane/lists/good.c": "static void f(void)\n{\n" + "\t;\n" * 60 + "}\n"},
    "structure.txt:1: not": {"tools/lint/structure.txt": "1 frob controlplane/lists\n"},
}

SMOKE = "tests/smoke/x.sh"
SCRIPTS_BREACHES = {
    "x.sh:1: jq -e": {SMOKE: "seen() { jq -e --arg n \"$1\" \"select(.a == \\$n) | $2\" $tmp/rows; }\n"},
    "x.sh:2: jq -e": {SMOKE: "\ncheck x eval 'weirctl mem | jq -e \".[] | select(.a == \\\"b (c\\\") | .d\"'\n"},
    "x.sh:1: a tmux server": {SMOKE: "tmux -L top kill-server\n"},
    "x.sh:1: counts what the host has": {SMOKE: 'same "none" 0 "$(grep -c weir /proc/self/mounts)"\n'},
    "x.sh:1: grep -qv": {SMOKE: "check x grep -q -v bad $tmp/said\n"},
    "x.sh:2: judges the machine's speed": {SMOKE: "if judges_speed; then\ncheck x test $took -lt 9\nfi\n".replace("speed;", "seed;")},
    "x.sh:4: judges the machine's speed": {SMOKE: "if judges_speed; then\n\t:\nfi\n[ $(($(now_ms) - begun)) -lt 9 ]\n"},
    "x_load.py:1: judges the machine's speed": {"tests/smoke/rig/x_load.py": "assert answered >= asked * 0.95\n"},
    "x.sh:1: a wait": {SMOKE: "while ! test -e $tmp/x; do sleep 1; done\n"},
}
SCRIPTS_GOOD = {SMOKE: """seen() { any_line ".a == \\$n" <$tmp/rows; }
has() { jq -e "[.events[] | select($1)] | length > 0" && jq '.[] | select(.a)'; }
wide() { jq -e '.a == ([.b[] | select(.c == "d")] | length)'; }
! grep -q bad $tmp/said || grep -v x $tmp/y | grep -q z
grep weir /proc/self/mounts
if judges_speed; then
	check "in time" test $took -lt 9
fi
check "which took long" true # it took p99
""", "tests/smoke/rig/x_load.py": "assert not JUDGES_SPEED or took < 5\n", "tests/smoke/power_test.sh": "[ $took -lt 9 ]\n",
    "tests/smoke/meson.build": "long_parts = {\n  'benches': ['power'],\n}\n"}

# One more than its row allows, fewer, and one without a row.
NAP = FN.format("f", "usleep(9)")
WAITS_BREACHES = {
    "x.c:5: sleeps": {"tests/tsan/x.c": NAP},
    "y.c:5: sleeps": {"tests/unit/cp/y.c": FN.format("f", "nanosleep(&t, NULL)")},
    "test_dnstap.c:10: sleeps": {"tests/unit/cp/querylog/sinks/test_dnstap.c": NAP * 2},
    "fake_upstream.c: sleeps less": {"tests/unit/cp/upstream/fake_upstream.c": NAP},
}
WAITS_GOOD = {"tests/unit/cp/querylog/sinks/test_dnstap.c": NAP, "dataplane/x.c": NAP,
              "tests/unit/y.c": FN.format("idle_sleep", "thread_rest(9); // sleep(9)")}

FREES_BREACHES = {
    "hold.c:5: heap_free(*x)": {"controlplane/hold.c": FN.format("f", "heap_free(*x)")},
    "hold.c:5: heap_free(x[i].name)": {"dataplane/hold.c": FN.format("f", "heap_free(x[i].name)")},
    "hold.c:5: heap_free((void *)x->name)": {"controlplane/hold.c": FN.format("f", "heap_free((void *)x->name)")},
    "hold.c:6: heap_free(t)": {"controlplane/hold.c": FN.format("f", "struct t *t = x->kept[0];\n\theap_free(t)")},
}
FREES_GOOD = {"controlplane/hold.c": "".join(FN.format("f", body) for body in (
    "heap_free(x); // heap_free(x->kept);", "heap_free(text.bytes)", "heap_free((void *)(uintptr_t)x)", "heap_free(name_of(x->kept))",
    "first = x->list;\n\tx->list = first->next;\n\theap_free(first)", "my_heap_free(x->kept)"))}

HOARD = {"controlplane/lists/hoard.c": FN.format("kept", "heap_malloc(9)")}
MEMORY_BREACHES = {
    "hoard.c:10: planted takes memory": {
        "controlplane/lists/hoard.c": FN.format("kept", "heap_malloc(9)") + FN.format("planted", "heap_strdup(9)"),
        "tools/lint/memory.txt": "lists/hoard.c:kept = one for life\n"},
    "lists/hoard.c: name its functions: kept": {**HOARD, "tools/lint/memory.txt": "lists/hoard.c = one for life\n"},
    "gone takes no memory": {**HOARD, "tools/lint/memory.txt": "lists/hoard.c:kept,gone = one for life\n"},
    "there is no such file": {**HOARD, "tools/lint/memory.txt": "lists/hoard.c:kept = one for life\nlists/x.c:f = once\n"},
    "nobody registers (table_registry.h) hoards": {**HOARD, "tools/lint/memory.txt": "lists/hoard.c:kept hoards\n"},
}

# What the structure may be.
STRUCTURE_GOOD = [
    {k: v for k, v in AROUND.items() if "/d.h" not in k},
    {"controlplane/lists/good_internal.h": "", "tests/unit/cp/lists/x.c": '#include "controlplane/lists/good_internal.h"\n'},
    {**USER, "controlplane/lists/goods.c": FN.format("good_open", "")},
    {**USER, "controlplane/lists/x.c": FN.format("good_open", ""), "controlplane/lists/good_internal.h": "void good_open(void);\n"},
    {**USER, "controlplane/base/good_list.c": FN.format("list_open", "")},
    {**BOOK, "controlplane/lists/good.c": FN.format("good_open", "")},
    {"controlplane/lists/good.c": "\nstatic void good_open(void)\n{\n\t// {\n}\n",
     "controlplane/lists/good.h": "int a;\n" * 400, "controlplane/base/x.c": "\nvoid __wrap_x(void)\n{\n}\n"},
    {"controlplane/lists/good.c": "static void f(void)\n{\n" + "\t;\n" * 59 + "}\n"},
]

# Keys of JSON in all the ways that they are written, and one that the book does not have, or has alone.
JSON_TREE = {"controlplane/base/keys.c": """
static void given(struct json_out *o, struct json_node *n, const char *key)
{
\tjson_out_count(o, n, key, f(1, 2));
}

static void printed(struct line *l, const char *key)
{
\tadd(l, "%s\\"%s\\":1", ",", key);
}

void all(struct json_out *o, struct json_node *n, struct line *l, struct s *s)
{
\t// json_out_text(o, n, "comment", "");
\tstruct json_node *list = json_out_array(o, n, "list");
\tjson_out_object(o, list, NULL);
\tJSON_COUNTS(o, n, &s->of[1], hits,
\t\tmisses);
\tJSON_COUNTS_AS(o, n, "open_", s, files);
\tjson_out_text(o, n, word_of(s), "value");
\tgiven(o, n, "given");
\tprinted(l, s ? "one" : "other");
\tadd(l, "{\\"first\\":1}");
}
"""}
JSON_KEYS = "controlplane/base/keys.c: *word_of first given hits list misses one open_files other\n"
JSON_BREACHES = {
    "keys.c: keys of JSON, gone: hit; new: hits;": {"tools/lint/json_keys.txt": JSON_KEYS.replace("hits", "hit")},
    "keys.c: keys of JSON, gone: more;": {"tools/lint/json_keys.txt": JSON_KEYS.replace("\n", " more\n")},
    "gone.c: keys of JSON, gone: a;": {"tools/lint/json_keys.txt": JSON_KEYS + "controlplane/gone.c: a\n"},
}

# A page with a text in each form, in strings and templates within others, and regular expressions that look like neither.
VIEW, GERMAN = "controlplane/page/files/view.js", "controlplane/page/files/de.js"
TEXTS_TREE = {
    VIEW: "say(a ? _`${x} is \\`made\\`.` : `mark ${b.map((c) => _`Show ${c}` + 'x')}`);\nreturn /[`'\"/]/.test(s) || t / 2;\n"
          "h(pieces`See ${p} now.`, 'nodes'); // It's `a comment\ncall(_`${a} of ${many} names`, \"Redis\");\n",
    "controlplane/page/files/words.js": "const LANGUAGES = [['en', 'English', 'en-GB'], ['de', 'Deutsch', 'de-DE']];\n"
                                        "const ENGLISH = {\n  'See {1} now.': { one: 'Look at {1} now.' },\n};\n",
    GERMAN: "export default {\n  '{1} is `made`.': '{1} ist da.',\n  'Show {1}': '{1} zeigen',\n"
            "  'See {1} now.': { one: 'Siehe {1} da.', other: 'Siehe {1} hier.' },\n  '{1} of {2} names': '{2} Namen, davon {1}',\n};\n"}


def view(before, after, name=VIEW):
    assert before in TEXTS_TREE[name], before
    return {name: TEXTS_TREE[name].replace(before, after)}


TEXTS_BREACHES = {
    "view.js:3: no mark at 'See {1} now.'": view("pieces`", "`"),
    "view.js:3: no mark at 'Two nodes'": view("'nodes'", "'Two nodes'"),
    "view.js:1: no mark at 'Show {1}'": view("_`Show", "x_`Show"),
    "1 texts are missing: paste these lines, with the texts:\n  'It\\'s {1} more': '',\n": view("'nodes'", "_`It's ${x} more`"),
    "de.js: nobody uses 'Show {1}'": view("_`Show ${c}`", "c"),
    "words.js: nobody uses 'See {1} now.'": {**view("See ${p} now.", "See ${p}."), **view("See {1} now.", "See {1}.", GERMAN)},
    "'{1} of {2} names' has other places than its key": view("davon {1}", "davon {3}", GERMAN),
    "'Show {1}' is not translated": view("'{1} zeigen'", "''", GERMAN),
    "'See {1} now.' is not translated": view("Siehe {1} hier.", "See {1} now.", GERMAN),
    "'Show {1}' begins or ends with a blank": view("{1} zeigen", "{1} zeigen ", GERMAN),
    "no form for other numbers: 'See {1} now.'": view(", other: 'Siehe {1} hier.'", "", GERMAN),
    "de.js: 'Show {1}' stands 2 times": view("export default {\n", "export default {\n  'Show {1}': 'Zeige {1}',\n", GERMAN),
    "words.js: 'See {1} now.' stands 2 times": view("const ENGLISH = {\n", "const ENGLISH = {\n  'See {1} now.': 'Look at {1} now.',\n", "controlplane/page/files/words.js"),
    "fr.js: there is no such file": view("['de'", "['fr', 'x', 'fr'], ['de'", "controlplane/page/files/words.js"),
}


def planted(check, files, around):
    """What the lint says of a tree of `files`, and of those of `around` that it does not have."""
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for name, text in {**around, **files}.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(HEAD + text if name.endswith((".c", ".h")) else text)
        return lint(tree, check)


def not_found(check, breaches, around=()):
    """How many of `breaches` the lint does not find."""
    failed = 0
    for wanted, files in breaches.items():
        kept = {n: t for n, t in dict(around).items() if "README" not in wanted or "lists" not in n}
        out = planted(check, files, kept)
        if out.returncode != 1 or wanted not in out.stdout:
            print(f"{check}: not found: {wanted}:\n{out.stdout}{out.stderr}")
            failed += 1
    return failed


def refused():
    """How many good trees the lint refuses."""
    failed = 0
    for check, files in [*(("structure", f) for f in STRUCTURE_GOOD),
                         ("frees", FREES_GOOD), ("scripts", SCRIPTS_GOOD), ("waits", WAITS_GOOD), ("json_keys", {**JSON_TREE, "tools/lint/json_keys.txt": JSON_KEYS}), ("texts", TEXTS_TREE)]:
        out = planted(check, files, {})
        if out.returncode != 0:
            print(f"{check}: refused: {out.stdout}{out.stderr}")
            failed += 1
    return failed


def lint(tree, *checks):
    return subprocess.run([sys.executable, LINT, tree, *checks], capture_output=True, text=True)


def main():
    failed, tried = 0, len(BREACHES) + len(BELOW) + len(ROOM_BREACHES) + len(STRUCTURE_BREACHES) + len(STRUCTURE_GOOD) + len(JSON_BREACHES) + 8
    tried += len(MEMORY_BREACHES) + len(FREES_BREACHES) + len(SCRIPTS_BREACHES) + len(WAITS_BREACHES) + len(TEXTS_BREACHES)
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        (tree / ".clang-format").write_bytes(LINT.parents[2].joinpath(".clang-format").read_bytes())
        clean = tree / "dataplane/core/base/good.c"
        clean.parent.mkdir(parents=True)
        clean.with_name("README.md").write_text("**Door**: `good.c`.\n")
        clean.write_text(HEAD + "\nint good;\n")
        named = tree / "tests/smoke/good_names.py"
        named.parent.mkdir(parents=True)
        named.write_text("# SPDX-License-Identifier: BSD-3-Clause\nhere = 1\n")
        profile = tree / "tools/debian/profile.tar.xz"
        profile.parent.mkdir(parents=True)
        profile.write_bytes(profile_of("good.c"))
        book = tree / "tools/lint/phrases.txt"
        book.parent.mkdir(parents=True)
        book.write_text("# a head\n1 who asks: the client\n0 for want of: without\n")
        clean.with_name("one.c").write_text(HEAD + "\n// Who asks: one of one. They who  ask, who-asks.\nint one;\n")
        out = lint(tree)
        if out.returncode != 0:
            print("a clean tree is refused:\n" + out.stdout)
            failed += 1
        if "version 14." not in subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout:
            del BREACHES["format"]  # which no other version judges
        for check, (name, text) in [*BREACHES.items(), *BELOW]:
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            out = lint(tree, check)
            if out.returncode != 1 or name.rsplit("/", 1)[-1] not in out.stdout:
                print(f"{check}: the breach in {name} was not found:\n{out.stdout}{out.stderr}")
                failed += 1
            path.unlink()
        book.write_text("who asks\n")
        if "phrases.txt:1: not" not in lint(tree, "phrases").stdout:
            print("phrases: a row without a count was not found")
            failed += 1
        failed += not_found("rooms", ROOM_BREACHES, ROOM_DOORS) + not_found("structure", STRUCTURE_BREACHES) + refused()
        failed += not_found("json_keys", JSON_BREACHES, JSON_TREE)
        failed += not_found("tables", MEMORY_BREACHES) + not_found("frees", FREES_BREACHES) + not_found("scripts", SCRIPTS_BREACHES)
        failed += not_found("waits", WAITS_BREACHES) + not_found("texts", TEXTS_BREACHES, TEXTS_TREE)
    print(f"{tried - failed} of {tried} as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
