# SPDX-License-Identifier: BSD-3-Clause
"""memory.txt: which tables the memory is for that each file, or each function of it, takes.

tools/lint holds the sources against it, tests/smoke/rig/soak_sites.py what is alive in a soak.
"""
import fnmatch
import re
import typing

BOOK = "tools/lint/memory.txt"
PLAN = "dataplane/core/mem/mem_plan.c"
DP_LIST = "include/weir/stats_tables.h"

ALLOCATES = re.compile(r"\bheap_(malloc|calloc|realloc|reallocarray|aligned_alloc|strdup|strndup)\(")
# Memory that the data plane takes of anyone.
RESERVES = re.compile(r"\b(heap_(malloc|calloc|realloc|reallocarray|aligned_alloc|strdup|strndup)|posix_memalign|asprintf|vasprintf|"
                      r"rte_site_zmalloc_socket|rte_mempool_create\w*|rte_pktmbuf_pool_create\w*|rte_ring_create\w*|"
                      r"rte_memzone_reserve\w*|rte_(hash|lpm|fbk_hash|stack|acl)_create\w*|mmap|shm_open|memfd_create|region_create|"
                      r"region_attach|bpf_map_create)\(")


class Row(typing.NamedTuple):
    file: str  # from the root; may end in "*". "": memory of no file. "library:NAME": of a library
    functions: tuple  # none: all of the file
    tables: tuple  # none: the reason says why
    reason: str
    name: str  # as it stands in the book

    def covers(self, file, function):
        return fnmatch.fnmatchcase(file, self.file) and (not self.functions or function in self.functions)


def rows_of(text):
    for line in text.split("\n"):
        name, _, rest = line.split("#")[0].strip().partition(" ")
        if not name:
            continue
        what, equals, reason = rest.partition("=")
        file, _, functions = ("", "", "") if name.endswith(":") else name.partition(":")
        if name.startswith("library:"):
            file, functions = name, ""
        elif file and not file.startswith("dataplane/"):
            file = "controlplane/" + file
        yield Row(file, tuple(f for f in functions.split(",") if f), () if equals else tuple(what.split()), reason.strip(), name)


def read(root):
    path = root / BOOK
    return list(rows_of(path.read_text())) if path.exists() else []


def takers(text, pattern):
    """Function -> its first line that takes memory; None: a line outside of all functions, as in a macro."""
    lines, out, function = text.split("\n"), {}, None
    for number, line in enumerate(lines, 1):
        if line == "{":
            function = name_above(lines[:number - 1])
        elif line == "}":
            function = None
        elif pattern.search(line.split("//")[0]):
            out.setdefault(function, number)
    return out


def name_above(lines):
    """Of the function whose body begins below: what stands before the first parenthesis of its head."""
    head = ""
    for line in reversed(lines):
        if not line or line.startswith(("}", "#", "//")) or line.endswith(";"):
            break
        head = line + " " + head
    match = re.search(r"(\w+)\(", re.sub(r"\b(ATTR_\w+(\([^)]*\))?|__attribute__\(\(.*?\)\))", "", head))
    return match.group(1) if match else None


def uncovered(rows, name, text, pattern):
    """Functions of a file that take memory for nothing that the book names."""
    taking = takers(text, pattern)
    of_file = [r for r in rows if fnmatch.fnmatchcase(name, r.file)]
    if not of_file and taking:
        yield f"{name}:{min(taking.values())}: takes memory, and {BOOK} does not say for which table"
        return
    for r in of_file:
        if taking and not r.functions and not r.file.endswith("*"):
            yield f"{BOOK}: {r.name}: name its functions: {','.join(map(str, taking))}"
    for function, number in taking.items():
        if not any(r.covers(name, function) for r in of_file):
            yield f"{name}:{number}: {function} takes memory, and {BOOK} does not say for which table"
    for r in of_file:
        for function in r.functions:
            if function not in taking:
                yield f"{BOOK}: {r.name}: {function} takes no memory"


def named_by(rows, files, known, who):
    """Files and tables of the book that are nowhere, and tables that it lacks."""
    for r in rows:
        if r.file and not r.file.startswith("library:") and not fnmatch.filter(files, r.file):
            yield f"{BOOK}: {r.name}: there is no such file"
        for table in r.tables:
            if table not in known:
                yield f"{BOOK}: {r.name}: {who} {table}"
    for table in sorted(known - {t for r in rows for t in r.tables}):
        yield f"table {table}: {BOOK} does not say who takes its memory"


def dataplane_tables(root, files):
    """Each function of the data plane that takes memory names its tables (stats_tables.h), and every table is named."""
    rows = [r for r in read(root) if r.name.startswith("dataplane")]
    path = root / DP_LIST
    for name in files:
        if re.match(r"dataplane/(\w+/)*\w+\.[ch]$", name) and not name.endswith(("/heap_site.c", "/rte_site.c", "/rte_site.h")):
            yield from uncovered(rows, name, (root / name).read_text(errors="replace"), RESERVES)
    yield from named_by(rows, files, set(re.findall(r"X\((dp_\w+),", path.read_text())) if path.exists() else set(), "no table")


def tables(root, files):
    """Each function of the control plane that allocates names its tables, and every table is registered and named."""
    rows = [r for r in read(root) if not r.name.startswith("dataplane")]
    registered = set()
    for name in files:
        if not name.startswith("controlplane/"):
            continue
        text = (root / name).read_text(errors="replace")
        if "table_register(" in text:
            registered.update(re.findall(r'table_info\)\s*\{\s*\.name = "(\w+)"', text))
        if name.endswith(".c"):
            yield from uncovered(rows, name, text, ALLOCATES)
    yield from named_by(rows, files, registered, "nobody registers (table_registry.h)")


NAMELESS = re.compile(r"(?<![\w.>])(?:(malloc|calloc|realloc|reallocarray|aligned_alloc|strdup|strndup|free)|"
                      r"(rte_[mzc]+alloc(?:_socket)?|rte_realloc\w*|rte_free))\(")
QUIET = re.compile(r'//[^\n]*|"(?:\\.|[^"\\\n])*"')


def nameless(root, files):
    """The product takes the heap's memory by heap_malloc and its relatives (weir/heap_site.h), DPDK's by rte_site.h: a site each."""
    for name in files:
        if not re.match(r"(controlplane|dataplane|include)/", name) or re.search(r"/(heap_site|rte_site)\.c$", name):
            continue
        text = QUIET.sub("", (root / name).read_text(errors="replace"))
        for m in NAMELESS.finditer(text):
            say = f"heap_{m[1]} (weir/heap_site.h)" if m[1] else "rte_site_zmalloc_socket and rte_site_free (port/rte_site.h)"
            yield f"{name}:{text.count(chr(10), 0, m.start()) + 1}: {m[1] or m[2]} names nobody: say {say}"


FREED = re.compile(r"(?<!\w)heap_free\((.*?)\);")


def lives_on(argument, body):
    """Does something that outlives the function still lead to what it frees? Then a pointer, an index, or a copy of one does."""
    name = re.sub(r"^(\([^()]*\))+", "", argument)  # less casts
    if name.startswith("*") or not name.endswith(")") and re.search(r"->|\[", name):
        return True
    copied = re.findall(rf"(?<![\w.>]){re.escape(name)} = ([\w.\[\]]+->[\w.\[\]>-]+);", body)
    return any(f"{source} = " not in body for source in copied)


def frees(root, files):
    """The product frees with FREE_AND_NULL (weir/heap_site.h) what something longer-lived than the function leads to."""
    for name in files:
        if not re.match(r"(controlplane|dataplane)/", name):
            continue
        text = re.sub(r"//[^\n]*", "", (root / name).read_text(errors="replace"))
        for m in FREED.finditer(text):
            if lives_on(m[1], text[text.rfind("\n{\n", 0, m.start()):text.find("\n}\n", m.end())]):
                yield f"{name}:{text.count(chr(10), 0, m.start()) + 1}: heap_free({m[1]}): say FREE_AND_NULL, which leaves no pointer to it"


def plan(root):
    """Every table of either process stands on a line of the bill."""
    path = root / PLAN
    billed = {w for text in re.findall(r'"([^"]*)"', path.read_text()) for w in text.split()} if path.exists() else set()
    for r in read(root):
        for table in r.tables:
            if table not in billed:
                yield f"{BOOK}: {r.name}: {table} is on no line of {PLAN}"
