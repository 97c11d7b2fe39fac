# SPDX-License-Identifier: BSD-3-Clause
"""Where the product gives something back: each such statement is a site that tools/strangers can leave out.

A site is a whole statement: a heap_free, munmap, close, rte_site_free, a free of packet buffers, or a call that gives an entry back to
its table. `guarded` puts a question in front of each; the number of lines stays.
"""
import dataclasses
import re

# What gives back: the kind of leak, and the guard, with {0}, {1} for the call's arguments.
CALLS = {
    "heap_free": ("heap", "stranger_block({id}, {0})"),
    "FREE_AND_NULL": ("heap", "stranger_block({id}, {0})"),
    "rte_site_free": ("rte", "stranger_count({id}, ({0}) != NULL)"),
    "munmap": ("map", "stranger_map({id}, {0}, {1})"),
    "close": ("descriptor", "stranger_fd({id}, {0})"),
    "rte_pktmbuf_free": ("buffer", "stranger_count({id}, ({0}) != NULL)"),
    "rte_pktmbuf_free_bulk": ("buffer", "stranger_count({id}, {1})"),
}
TABLE_CALL = re.compile(r"[a-z0-9_]+_(?:remove|give|give_back|release|forget|evict|delete)$")
# Calls that look like a removal from a table, and what leaving one out would do instead of leaking.
NOT_LEAKS = {
    "age_remove": "the list of ages would go through freed memory",
    "clickhouse_spool_remove": "files on the disk",
    "clickhouse_spool_unlink": "files on the disk",
    "drops_expire": "not one entry",
    "exception_left_remove": "once, at the end",
    "http_conns_forget": "the list would go through freed memory",
    "l0_sieve_remove": "the order of eviction would name a slot that is in use again",
    "l0_writer_delete": "an entry of a cache, which leaves by its age",
    "l1_delete": "a key in Redis",
    "l1_sweep_delete": "keys in Redis",
    "line_give": "gives data to a reader",
    "list_give": "gives data to a parser",
    "node_remove": "the list would go through freed memory",
    "region_unlink": "a file, swept at the next start",
    "querylog_names_release": "a block of a size that is not known here",
    "regions_remove": "files",
    "request_log_forget": "not an entry",
    "rest_remove": "files",
    "ring_release": "stops the ring",
    "row_give": "gives data to a reader",
    "shelf_remove": "a socket in use would be drawn again",
    "shm_folder_remove": "files",
    "sketch_remove": "a count, no memory",
    "sweep_delete": "keys in Redis",
    "tcp_buffer_give": "a count, no memory",
    "tcp_evict": "makes room, an entry in use stays one",
    "upstream_port_remove": "the list would go through a leg that is in use again",
    "upstream_socket_give": "the socket would report to a question that is gone",
    "upstream_stream_forget": "the array of queries would overflow",
    "yaml_event_delete": "a library's own",
    "yaml_parser_delete": "a library's own",
}
# Functions whose sites give back no memory.
NO_MEMORY = {"shm_huge_map": "address space that was reserved"}
SKIP = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:\\\n|[^\n])*', re.S | re.M)
CALL = re.compile(r"(?<![\w.>])(?:\(void\)\s*)?([A-Za-z_]\w*)\(")
FUNCTION = re.compile(r"^(?!static_assert)[A-Za-z_][\w \t*]*?\b(\w+)\((?:[^;{}]|\n)*?\)\n\{", re.M)


@dataclasses.dataclass(frozen=True)
class Site:
    id: int
    path: str
    line: int
    kind: str
    call: str
    function: str
    begin: int  # of the statement in the file
    end: int  # behind its semicolon
    guard: str

    @property
    def key(self):
        return f"{self.path}:{self.line}"

    @property
    def name(self):
        return f"{self.function} ({self.path.rsplit('/', 1)[-1]}:{self.line})"


def masked(text):
    """The text with comments, strings and directives blanked out, each character at its place."""
    return SKIP.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def arguments(text, begin):
    """The arguments of the call whose parenthesis opens at `begin`, and where it closes."""
    depth, start, out = 0, begin + 1, []
    for at in range(begin, len(text)):
        c = text[at]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                return out + [text[start:at].strip()], at
        elif c == "," and depth == 1:
            out.append(text[start:at].strip())
            start = at + 1
    raise ValueError("a call does not end")


def begins_statement(text, at):
    before = text[:at].rstrip()
    return before.endswith((";", "{", "}", ")", ":")) or re.search(r"\b(?:else|do)$", before) is not None


def kind_of(call):
    if call in CALLS:
        return CALLS[call]
    if TABLE_CALL.match(call) and call not in NOT_LEAKS:
        return "table", "stranger_count({id}, 1)"
    return None


def file_sites(path, text, first_id):
    """The sites of a file, numbered from `first_id` on."""
    clean, out = masked(text), []
    functions = [(m.start(), m.group(1)) for m in FUNCTION.finditer(clean)]
    for m in CALL.finditer(clean):
        found = kind_of(m.group(1))
        if not found or not begins_statement(clean, m.start()):
            continue
        args, close = arguments(clean, m.end() - 1)
        end = re.compile(r"\s*;").match(clean, close + 1)
        inside = [name for begin, name in functions if begin < m.start()]
        if not end or not inside or inside[-1] in NO_MEMORY or len(args) <= found[1].count("{1}"):
            continue
        args, _ = arguments(text, m.end() - 1)
        if re.search(r"\+\+|--|[^=!<>]=[^=]", args[0]):
            continue  # evaluated twice
        number = first_id + len(out)
        out.append(Site(number, path, text.count("\n", 0, m.start()) + 1, found[0], m.group(1), inside[-1], m.start(),
                        end.end(), found[1].format(*args, id=number)))
    return out


def guarded(text, sites, header):
    """The file with a guard in front of each site; its first line, a comment, becomes the include of `header`."""
    for s in sorted(sites, key=lambda s: -s.begin):
        statement = text[s.begin:s.end]
        guard = re.sub(r"\s*\n\s*", " ", s.guard)
        if s.call == "FREE_AND_NULL":  # what leaks is lost for its owner, too
            lost = statement[statement.index("(") + 1:statement.rindex(")")]
            statement += f" else {lost} = NULL;"
        text = f"{text[:s.begin]}{{ if (!{guard}) {statement} }}{text[s.end:]}"
    first, rest = text.split("\n", 1)
    assert first.startswith("//"), first
    return f'#include "{header}"\n{rest}'
