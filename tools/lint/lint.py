#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""House rules that a machine can check. Prints one line per breach; exit status 1 if there is any.

usage: lint.py SOURCE_ROOT [CHECK...]     checks: spdx size floors rooms includers tests packet_path accounts tables
                                          dataplane_tables plan frees musts attacks pages
                                          phrases prose waits scripts structure verbs metrics keys json_keys bodies recipes
                                          files profile headless walks imports texts format
"""
import ast
import itertools
import os
import pathlib
import re
import subprocess
import sys

import documented
import json_keys
import memory
import named
import phrases
import prose
import scripts
import structure
import words

FUNCTION_LINES_MAX = 120

# Third-party header prefix -> folders whose programs may include it, one file per program.
LIBRARIES = {
    "hiredis/": ["controlplane"],
    "hs.h": ["controlplane"],
    "curl/": ["controlplane", "tools/ctl"],
    "jansson.h": ["controlplane", "tools/ctl"],
    "sqlite3.h": ["controlplane"],
    "zlib.h": ["controlplane"],
    "zstd.h": ["controlplane"],
    "libpsl.h": ["controlplane"],
    "idn2.h": ["controlplane", "tools/ctl"],
    "openssl/": ["controlplane", "tools/ctl"],
    "nghttp2/": ["controlplane"],
    "http_parser.h": ["controlplane"],
    "jemalloc/": ["controlplane"],
    "yaml.h": ["dataplane/core/config"],
    "xxhash.h": ["dataplane/core"],
    "seccomp.h": ["dataplane/core"],
    "bpf/": ["dataplane/xdp"],
    "event2/": ["controlplane"],
    "unbound": ["controlplane"],
}
EXEMPT_FROM_ONE_INCLUDER = {"event2/"}  # libevent in controlplane/
# The steering program itself is the second file of libbpf, what its releases differ in that of hiredis. Of OpenSSL one file of controlplane/tls has
# connections, peers and their authorities, one the certificates that weir itself shows and those of clients, one the secrets of the
# control API and signatures. Of libcurl weirctl has two.
LIBRARY_FILES = {"bpf/": 2, "openssl/": 4, "curl/": 2, "hiredis/": 2}
# What one version of a library has and another lacks is hidden by LIBRARY_differs.h.
VERSION_OF_LIBRARY = re.compile(
    r"\s*#\s*(if|ifdef|ifndef|elif)\b.*\b(RTE|CURL|LIBCURL|OPENSSL|HIREDIS|REDIS_REPLY|NGHTTP2|UNBOUND|LIBBPF|HS|JANSSON|LIBEVENT|EVENT)_[A-Z]")

# Rooms of each program from the lowest floor up. A room includes headers of lower floors alone; the files beside the rooms
# are the top floor. Each room has a README.md, whose **Door** names the headers that others may include.
ROOMS = {
    "controlplane": [
        "base", "events", "versions", "lists", "rule_image", "bounds", "memory", "policy", "answer_policy", "answer_policy/why", "client_names", "querylog", "route", "tls", "access", "transfer",
        "upstream", "validator", "recursor", "http", "shm", "l1", "querylog/store", "querylog/clickhouse", "querylog/sinks", "events/out", "lists/fetch", "rules", "sync", "updates", "resolver",
        "doh", "frontend", "api/metrics", "api", "verbs", "page", "remote", "app",
    ],
    "dataplane": [
        "core/base", "core/log", "core/shm", "core/mem", "core/dns", "core/rule", "core/l0", "core/os", "core/config", "core/managed", "core/versions", "xdp",
        "state", "stage", "port",
    ],
    "tools/ctl": [
        "terminal", "lib", "memory", "selftest", "nic", "doctor", "setup", "cmd",
    ],
}
ROOM_README_LINES_MAX = 40

PACKET_PATH = re.compile(
    r"\b(heap_\w+|rte_site_\w+|printf|fprintf|log_(?!writer_|clock_)\w+|"
    r"pthread_mutex_\w+|rte_spinlock_\w+|usleep|sleep|nanosleep|ioctl|open|close|read|mmap)\s*\(")

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()


def tracked():
    out = subprocess.run(["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-co",
                          "--exclude-standard"], capture_output=True, text=True)
    if out.returncode == 0:
        names = out.stdout.split("\n")
    else:  # an exported tree without git
        names = [str(p.relative_to(root)) for p in root.rglob("*") if "build" not in p.parts[:1]]
    return sorted({n for n in names if n and (root / n).is_file()})


FILES = tracked()
C_FILES = [f for f in FILES if f.endswith((".c", ".h"))]


def lines_of(name):
    return (root / name).read_text(errors="replace").split("\n")


def is_script(name):
    if name.endswith((".sh", ".py")):
        return True
    path = root / name
    return "." not in path.name and path.read_bytes()[:2] == b"#!"


def check_spdx():
    for name in FILES:
        base = name.rsplit("/", 1)[-1]
        if name.endswith((".c", ".h")) or is_script(name) or base in ("meson.build", "meson_options.txt"):
            if not any("SPDX-License-Identifier: BSD-3-Clause" in l for l in lines_of(name)[:3]):
                yield f"{name}: no SPDX line in the first three"


def check_size():
    for name in C_FILES:
        start = None
        for number, line in enumerate(lines_of(name), 1):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                if number - start > FUNCTION_LINES_MAX:
                    yield f"{name}:{start}: function of {number - start} lines, over {FUNCTION_LINES_MAX}"
                start = None


def includes(name):
    for number, line in enumerate(lines_of(name), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1), match.group(2)


def floor_breach(name, quote, header):
    """Why `name` may not include `header`, or None."""
    top = name.split("/")[0]
    rte = header.startswith("rte_")
    if name.startswith("include/"):
        if rte or header.startswith(tuple(LIBRARIES)):
            return "include/weir is headers of the pure library only"
        if quote == '"' and "/" in header:
            return "headers of include/weir are siblings"
    elif name.startswith("dataplane/core/"):
        if rte:
            return "no DPDK in dataplane/core"
        if quote == '"' and "/" in header and not header.startswith("core/"):
            return "dataplane/core sees include/weir and itself"
    elif name.startswith("dataplane/xdp/"):
        if rte:
            return "no DPDK in dataplane/xdp"
        if quote == '"' and "/" in header and not header.startswith(("core/", "weir/")):
            return "dataplane/xdp sees the core and itself"
    elif top == "dataplane":
        if header.startswith("event2/") or "controlplane/" in header:
            return "the data plane does not see the control plane"
        if re.match(r"dataplane/(stage/)?stage_\w+\.c$", name) and quote == '"' and header.startswith(("stage_", "stage/stage_")):
            return "no stage includes another"
    elif top == "controlplane":
        if rte or "dataplane/" in header:
            return "the control plane does not see the data plane or DPDK"
    elif name.startswith("tools/ctl/"):
        if rte or header.startswith(("dataplane/", "controlplane/", "../")):
            return "weirctl sees include/weir only"
    return None


def check_floors():
    for name in C_FILES:
        for number, quote, header in includes(name):
            why = floor_breach(name, quote, header)
            if why:
                yield f"{name}:{number}: includes {header}: {why}"


def program_of(name):
    """The folder of LIBRARIES that a file is below, or else its own."""
    folders = {f for of in LIBRARIES.values() for f in of}
    return max((f for f in folders if name.startswith(f + "/")), key=len, default=name.rsplit("/", 1)[0])


def room_of(name):
    """(program, room) of a file of the product; the room is "" for the files beside the rooms."""
    for program in ROOMS:
        if name.startswith(program + "/"):
            return program, os.path.dirname(name)[len(program) + 1:]
    return None, None


def room_includes():
    """(file, line, program, its room, the other room, header's name) of each include from one room into another."""
    there = set(C_FILES)
    for name in C_FILES:
        program, room = room_of(name)
        for number, quote, header in includes(name) if program else ():
            near = os.path.normpath(os.path.join(os.path.dirname(name), header))
            target = next((t for t in (near, f"{program}/{header}") if t in there), None) if quote == '"' else None
            other = room_of(target)[1] if target else room
            if other != room and room_of(target)[0] == program:
                yield name, number, program, room, other, target.rsplit("/", 1)[1]


def room_doors(program, room):
    readme = root / program / room / "README.md"
    door = re.search(r"\*\*Door\*\*:(.*?)(\n\n|\Z)", readme.read_text() if readme.exists() else "", re.S)
    return set(re.findall(r"`([\w/.]+\.h)`", door[1])) if door else set()


def circle_of(edges):
    """The rooms of one circle in {room: rooms}, or []."""
    done = set()

    def walk(room, way):
        if room in way:
            return way[way.index(room):] + [room]
        if room in done:
            return []
        done.add(room)
        return next((c for c in (walk(n, way + [room]) for n in sorted(edges.get(room, ()))) if c), [])
    return next((c for c in (walk(r, []) for r in sorted(edges)) if c), [])


def check_rooms():
    """Rooms include downwards, by doors, without circles; each has a README.md, and the program's has all from the top down."""
    edges = {p: {} for p in ROOMS}
    for name, number, program, room, other, header in room_includes():
        edges[program].setdefault(room, set()).add(other)
        order = ROOMS[program]
        if other == "" or room in order and other in order and order.index(other) > order.index(room):
            yield f"{name}:{number}: {header} is of {other or program}, a room above {room}"
        elif other in order and header not in room_doors(program, other):
            yield f"{name}:{number}: {header} is no door of {program}/{other} (README.md)"
    for program, of in edges.items():
        circle = circle_of(of)
        if circle:
            yield f"{program}: a circle of rooms: {' -> '.join(r or program for r in circle)}"
        readme = root / program / "README.md"
        cells = re.findall(r"^\| ((?:`[\w/]+`(?:, )?)+) \|", readme.read_text(), re.M) if readme.exists() else []
        rooms = re.findall(r"`([\w/]+)`", "".join(cells))
        if readme.exists() and rooms != ROOMS[program][::-1]:
            wrong = next((a or b for a, b in itertools.zip_longest(rooms, ROOMS[program][::-1]) if a != b), "")
            yield f"{program}/README.md: its table does not have the rooms from the top floor down, from {wrong} on"
    for program, room in sorted({room_of(name) for name in C_FILES if room_of(name)[1]}):
        readme = root / program / room / "README.md"
        if room not in ROOMS[program]:
            yield f"{program}/{room}: no room of tools/lint/lint.py"
        elif not readme.exists() or readme.read_text().count("\n") > ROOM_README_LINES_MAX:
            yield f"{program}/{room}: no README.md of {ROOM_README_LINES_MAX} lines at most"


def check_includers():
    users = {}
    for name in C_FILES:
        folder = program_of(name)
        if folder.startswith("tests"):
            continue
        for _, _, header in includes(name):
            for library in LIBRARIES:
                if header.startswith(library):
                    users.setdefault((library, folder), set()).add(name)
        for number, line in enumerate(lines_of(name), 1):
            if VERSION_OF_LIBRARY.match(line) and not name.endswith("_differs.h"):
                yield f"{name}:{number}: versions of a library differ in LIBRARY_differs.h alone"
    for (library, folder), names in sorted(users.items()):
        if folder not in LIBRARIES[library]:
            yield f"{', '.join(sorted(names))}: {library} is not for {folder}"
        elif library not in EXEMPT_FROM_ONE_INCLUDER and len(names) > LIBRARY_FILES.get(library, 1):
            yield f"{library} has several includers in {folder}: {', '.join(sorted(names))}"


def check_tests():
    """Every test source is named in a meson.build of its folder (or by its stem), and so is every smoke script."""
    for name in FILES:
        folder, _, base = name.rpartition("/")
        if (folder in ("tests/dp", "tests/tsan") or (folder + "/").startswith("tests/unit/")) and base.endswith(".c"):
            stem = base[:-2]
        elif folder == "tests/fuzz" and base.startswith("fuzz_"):
            stem = base[:-2]
        elif folder == "tests/smoke" and base.endswith(("_test.sh", "_test.py")):
            stem = base[:-3]
        else:
            continue
        builds = {root / folder / "meson.build", *([root / "tests/unit/meson.build"] if folder.startswith("tests/unit/") else [])}
        text = "".join(build.read_text() for build in builds if build.exists())
        short = re.sub(r"^(test|fuzz|bench)_|_test$", "", stem)
        if not re.search(rf"['/\s]({re.escape(stem)}|{re.escape(short)})(\.c|\.sh)?['\s]", text):
            yield f"{name}: not registered in {folder}/meson.build"


def check_packet_path():
    for name in C_FILES:
        if not re.match(r"dataplane/(?:stage/|state/)?(stage_\w+|worker|recent|frame)\.c$", name):
            continue
        for number, line in enumerate(lines_of(name), 1):
            code = line.split("//")[0]
            if PACKET_PATH.search(code):
                yield f"{name}:{number}: {code.strip()}: not on the packet path"


def check_accounts():
    """Every file that allocates belongs to an account of dataplane/core/mem/mem_account.c."""
    table = root / "dataplane/core/mem/mem_account.c"
    words = [w for row in re.findall(r'{MEM_ACCOUNT_\w+,\s*{([^}]*)}}', table.read_text()) for w in re.findall(r'"(\w+)"', row)] if table.exists() else []
    for name in C_FILES:
        match = re.match(r"(?:controlplane|dataplane)/(?:\w+/)*(\w+)\.c$", name)
        if not match or match.group(1) == "heap_site":
            continue
        if any(match.group(1) == w or match.group(1).startswith(w + "_") for w in words):
            continue
        for number, line in enumerate(lines_of(name), 1):
            if memory.ALLOCATES.search(line.split("//")[0]):
                yield f"{name}:{number}: allocates and is of no account (mem_account.c)"
                break


def check_dataplane_tables():
    yield from memory.dataplane_tables(root, C_FILES)


def check_plan():
    yield from memory.plan(root)


def check_frees():
    """What is freed in something that lives on leaves no pointer there."""
    yield from memory.frees(root, C_FILES)


def check_nameless():
    """Each allocation names its site."""
    yield from memory.nameless(root, C_FILES)


def check_tables():
    yield from memory.tables(root, C_FILES)


# Names of tests: those of conformance (`@case`, and the rows of `alike`), and those of C.
CONFORMANCE_TEST = re.compile(r"^(?:@case\b.*\ndef | {4}(?=\w+=\())(\w+)", re.M)
C_TEST = re.compile(r"^(?:PACKET_)?TEST(?:_WITH|_OF)?\(\s*(\w+)", re.M)


def check_musts():
    """Each test that docs/reference/musts.md names is there, and is run; each row has one of tests/conformance, or says why not."""
    page = "docs/reference/musts.md"
    if not (root / page).exists():
        return
    there, outside = set(), set()
    for name in FILES:
        if name.startswith("tests/conformance/test_"):
            outside.update(CONFORMANCE_TEST.findall((root / name).read_text()))
        elif re.match(r"tests/unit/(\w+/)*test_", name):
            there.update(C_TEST.findall((root / name).read_text()))
    for number, line in enumerate(lines_of(page), 1):
        cells = line.split("|")
        if cells[0] or len(cells) < 2 or cells[1].strip() in ("section", "---"):
            continue
        if len(cells) != 5:
            yield f"{page}:{number}: not three columns"
            continue
        if re.match(r" – \w", cells[3]):
            continue  # the reason for its absence
        tests = re.findall(r"`(\w+)`", cells[3])
        if not tests:
            yield f"{page}:{number}: no test, and no reason"
        elif not outside.intersection(tests) and not re.search(r"`: \w", cells[3]):
            yield f"{page}:{number}: no test of tests/conformance, and no reason"
        for test in tests:
            if test not in there | outside:
                yield f"{page}:{number}: there is no test {test}"


def check_attacks():
    """Each row of docs/reference/attacks.md names tests that are there, or says why none is."""
    page, there = "docs/reference/attacks.md", set()
    for name in FILES:
        if re.match(r"tests/(smoke/\w+_test\.(?:sh|py)|fuzz/fuzz_\w+\.c|bench/bench_\w+\.c)$", name):
            there.add(pathlib.Path(name).stem)
        elif re.match(r"tests/conformance/test_", name):
            there.update(CONFORMANCE_TEST.findall((root / name).read_text()))
        elif re.match(r"tests/(unit|dp)/(\w+/)*test_", name):
            there.update(C_TEST.findall((root / name).read_text()))
    for number, line in enumerate(lines_of(page) if (root / page).exists() else [], 1):
        cells = line.split("|")
        if cells[0] or len(cells) < 2 or cells[1].strip() in ("attack", "---"):
            continue
        if len(cells) != 5:
            yield f"{page}:{number}: not three columns"
            continue
        tests = re.findall(r"`(\w+)`", cells[3])
        if not tests and not re.match(r" – \w", cells[3]):
            yield f"{page}:{number}: no test, and no reason"
        for test in tests:
            if test not in there:
                yield f"{page}:{number}: there is no test {test}"


PAGE_LINES = 350
PAGES_AS_LONG_AS_THEY_ARE = {"docs/reference/json.md", "docs/reference/metric-list.md"}  # a tool writes them


def anchors(name):
    """What a link may name behind `#`: the headings of a page, as GitHub spells them."""
    text = re.sub(r"^```.*?^```", "", (root / name).read_text(), flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.M)}


def check_pages():
    """docs/README.md leads to each page of docs/, each relative link of a page to a file and a heading; 350 lines a page."""
    led_to, pages = set(), [n for n in FILES if n.endswith(".md")]
    for name in pages:
        for number, line in enumerate(lines_of(name), 1):
            for link, _, heading in re.findall(r"\]\(([^):#\s]*)(#([^)\s]*))?\)", line):
                there = os.path.normpath(os.path.join(os.path.dirname(name), link)) if link else name
                if not (root / there).exists():
                    yield f"{name}:{number}: there is no {link}"
                elif heading and heading not in anchors(there):
                    yield f"{name}:{number}: {there} has no heading #{heading}"
                if name == "docs/README.md":
                    led_to.add(there)
    for name in sorted(set(pages) - led_to - {"docs/README.md"}):
        if name.startswith("docs/"):
            yield f"{name}: docs/README.md does not lead there"
    for name in sorted(set(pages) - PAGES_AS_LONG_AS_THEY_ARE):
        if len(lines_of(name)) - 1 > PAGE_LINES:
            yield f"{name}: {len(lines_of(name)) - 1} lines, {PAGE_LINES} allowed"


def check_phrases():
    """No more of the phrases of phrases.txt than that file allows."""
    yield from phrases.breaches(root, FILES)


def check_texts():
    """The page's texts are marked, and each language has each of them."""
    yield from words.breaches(root, FILES)


def check_prose():
    """Pages are wrapped, and their paragraphs short."""
    yield from prose.breaches(root, FILES)


# What sleeps in a test of C, beside tests/unit/wait.h: how many calls, and why.
SLEEPS = {
    "tests/fuzz/fuzz_api.c": (1, "turns the loop itself, and counts the turns"),
    "tests/unit/clock_still.c": (2, "has usleep and nanosleep in the C library's stead"),
    "tests/unit/cp/base/test_loop_fan.c": (1, "parts that take more and less time"),
    "tests/unit/cp/http/fake_listener.c": (1, "the pace of a scripted server"),
    "tests/unit/cp/l1/test_redis_hostile.c": (1, "the pace of a scripted server"),
    "tests/unit/cp/querylog/clickhouse/fake_clickhouse.c": (1, "the pace of a scripted server"),
    "tests/unit/cp/querylog/clickhouse/test_clickhouse_expire.c": (1, "the pace of a scripted server"),
    "tests/unit/cp/querylog/sinks/test_dnstap.c": (1, "a receiver that is slow"),
    "tests/unit/cp/resolver/test_resolver_hostile.c": (1, "the pace of a data plane that flips bits"),
    "tests/unit/cp/shm/fake_dataplane.c": (1, "looks for a message for so long as the test says, which may be that none comes"),
    "tests/unit/cp/upstream/fake_upstream.c": (2, "the pace of a scripted server"),
    "tests/unit/dp/port/test_eal_tsc.c": (2, "tests nanosleep"),
    "tests/unit/wait.h": (2, "is how all others wait"),
}
SLEEP = re.compile(r"\b(clock_nano|nano|u)?sleep\(")
C_TESTS = tuple(f"tests/{folder}/" for folder in ("unit", "dp", "tsan", "fault", "fuzz"))


def check_waits():
    """Tests of C wait for what is to be so: no fixed time is long enough on each machine, or it is too long on most."""
    for name in C_FILES:
        if not name.startswith(C_TESTS):
            continue
        calls = [n for n, line in enumerate(lines_of(name), 1) if SLEEP.search(line.split("//")[0])]
        allowed, why = SLEEPS.get(name, (0, ""))
        if len(calls) > allowed:
            yield f"{name}:{calls[-1]}: sleeps: WAIT_FOR or STAYS_SO (tests/unit/wait.h), or a clock of the test's own"
        elif len(calls) < allowed:
            yield f"{name}: sleeps less than SLEEPS says ({why})"


PRINTED = re.compile(r'\b(?:f?printf|f?puts)\((?:"(?:\\.|[^"\\])*"|[^";])*;')
OF_REPLY = re.compile(r"(?<!term_text\()(?<!term_names\()(?<!strcmp\()(?<!\*)\bjson_(?:item_)?text\(")


def check_terminal():
    """A text of a reply is escaped on its way to the terminal."""
    for name in C_FILES:
        text = (root / name).read_text() if name.startswith("tools/ctl/") else ""
        for call in PRINTED.finditer(text):
            if OF_REPLY.search(re.sub(r"\(\s+", "(", call[0])):
                yield f"{name}:{text.count(chr(10), 0, call.start()) + 1}: prints a text of a reply without term_text"


def check_scripts():
    """Scripts of tests wait, count and look without a reason of their own to fail, or to pass."""
    yield from scripts.breaches(root, FILES)


def check_structure():
    """No more circles, foreign internal headers, misnamed, unused or long functions than structure.txt allows."""
    yield from structure.breaches(root, FILES)


def check_verbs():
    yield from documented.verbs(root, FILES)


def check_metrics():
    yield from documented.metrics(root, FILES)


def check_keys():
    yield from documented.keys(root)


def check_json_keys():
    """JSON has the keys that json_keys.txt lists, as clients know them."""
    yield from json_keys.breaches(root, FILES)


def check_bodies():
    yield from documented.bodies(root, FILES)


def check_recipes():
    yield from documented.recipes(root, FILES)


def check_files():
    """A source file that a comment of the product or a README.md mentions is there."""
    yield from named.files(root, FILES)


def check_profile():
    """Each object that the compiler's profile has counts of is made from a file that exists."""
    yield from named.profile(root, FILES)


def check_headless():
    """Comments name what they speak of, in the rooms that are done."""
    yield from named.headless(root, FILES)


def check_walks():
    """Each step of docs/explanation/walks.md names a file, and functions that it defines."""
    yield from named.walks(root)


def python_names(tree):
    """What a module defines anywhere, which is more than it gives."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(a.asname or a.name for a in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def check_imports():
    """A name that a Python file imports from another one of the tree exists."""
    trees = {}
    for name in FILES:
        if name.endswith(".py") or (root / name).read_bytes()[:64].split(b"\n")[0].endswith(b"python3"):
            trees[name] = ast.parse((root / name).read_bytes(), name)
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            there = [n for n in trees if pathlib.Path(n).stem == node.module.split(".")[-1]]
            defined = set().union(*(python_names(trees[n]) for n in there))
            for alias in node.names:
                if there and alias.name != "*" and alias.name not in defined:
                    yield f"{name}:{node.lineno}: there is no {alias.name} in {' or '.join(there)}"


FORMAT_VERSION = 14  # of clang-format, by which the tree is written; others break some lines elsewhere


def format_version():
    """That of the installed clang-format, if there is one."""
    try:
        said = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        return None
    return int(re.search(r"version (\d+)", said)[1])


def check_format():
    version = format_version()
    if version is None:
        yield "clang-format is not installed"
    elif version == FORMAT_VERSION:
        yield from misformatted()
    else:
        print(f"format is not checked: clang-format {version}, not {FORMAT_VERSION}")


def misformatted():
    out = subprocess.run(["clang-format", "--dry-run", *C_FILES], cwd=root, capture_output=True, text=True)
    seen = set()
    for line in out.stderr.split("\n"):
        match = re.match(r"([^:]+):(\d+):.*clang-format", line)
        if match and match.group(1) not in seen:
            seen.add(match.group(1))
            yield f"{match.group(1)}:{match.group(2)}: not as clang-format writes it"


CHECKS = {n[6:]: f for n, f in list(globals().items()) if n.startswith("check_")}


def main():
    wanted = sys.argv[2:] or list(CHECKS)
    breaches = 0
    for check in wanted:
        for breach in CHECKS[check]():
            print(f"{check}: {breach}")
            breaches += 1
    print(f"{len(C_FILES)} C files, {len(FILES)} files, checks: {' '.join(wanted)}: {breaches} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
