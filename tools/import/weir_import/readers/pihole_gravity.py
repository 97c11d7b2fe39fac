# SPDX-License-Identifier: BSD-3-Clause
"""Pi-hole's lists, domains, groups and clients: gravity.db, or the JSON files of version 5's teleporter.

A client of Pi-hole is in several groups, and has what any of them has. One of weir is in one group: each combination of groups
that a client has becomes a group. Every column of a table is a key of the account, and so is every row, by its text.
"""
import os
import re
import sqlite3
import stat
import urllib.parse

from .. import data_source, names, source
from ..account import BLOCKING, Account, Node
from ..model import GROUPS_MAX
from ..table import holder, needless, read as read_table, takes

ROWS_MAX, COLUMNS_MAX, TABLES_MAX = 100000, 100, 100  # of one table, and of a database
STEPS_MAX = 50000  # thousands of steps of SQLite's machine; 100,000 rows a table take some thousand
VALUE_MAX = 1 << 20  # bytes
ALLOW_EXACT, DENY_EXACT, ALLOW_PATTERN, DENY_PATTERN = range(4)
TEXTS = {"group": "name", "domainlist": "domain", "adlist": "address", "client": "ip"}
NOTES = {"group": "description", "domainlist": "comment", "adlist": "comment", "client": "comment"}
LINKS = {"domainlist_by_group": "domainlist", "adlist_by_group": "adlist", "client_by_group": "client"}
# Files of the teleporter: the table, and the type of its rows where they do not say it.
FILES = {"group.json": ("group", 0), "adlist.json": ("adlist", 0), "whitelist.exact.json": ("domainlist", ALLOW_EXACT),
         "blacklist.exact.json": ("domainlist", DENY_EXACT), "whitelist.regex.json": ("domainlist", ALLOW_PATTERN),
         "blacklist.regex.json": ("domainlist", DENY_PATTERN), "client.json": ("client", 0),
         "adlist_by_group.json": ("adlist_by_group", 0), "domainlist_by_group.json": ("domainlist_by_group", 0),
         "client_by_group.json": ("client_by_group", 0), "domain_audit.json": ("domain_audit", 0)}


class Row:
    """A list, domain, client or group. `groups`: the enabled ones that it is in."""

    def __init__(self, node, number, kind, enabled, text, note):
        self.node, self.id, self.type, self.enabled, self.text, self.note = node, number, kind, enabled, text, note
        self.groups = set()


class Gravity:
    def __init__(self, root):
        self.root, self.tables, self.links, self.counts = root, {table: [] for table in TEXTS}, [], {}
        self.columns = set()

    def table_node(self, table):
        return self.root.get(table) or self.root.child(table, 0, "map")

    def column(self, table, name, kind):
        """A leaf for the column, once."""
        if (table, name) in self.columns:
            return
        self.columns.add((table, name))
        node = self.table_node(table)
        columns = node.get("columns") or node.child("columns", 0, "map")
        if len(columns.items) < COLUMNS_MAX:
            columns.child(name, 0, "text", kind or "a column").path = f"{table}.{name}"

    def row(self, table, values, kind=0):
        """False: the table has more rows than are read."""
        self.counts[table] = self.counts.get(table, 0) + 1
        if self.counts[table] > ROWS_MAX:
            return False
        if table in LINKS:
            self.links.append((LINKS[table], number(values.get(LINKS[table] + "_id")), number(values.get("group_id"))))
        elif table in TEXTS:
            text, note = plain(values.get(TEXTS[table])), plain(values.get(NOTES[table]))
            kind = number(values.get("type"), kind)
            node = self.table_node(table)
            rows = node.get("rows") or node.child("rows", 0, "list")
            leaf = rows.child(len(rows.items), 0, "text", text)
            leaf.path = text[:200] or f"{table} without a text"
            enabled = number(values.get("enabled"), 1) != 0
            self.tables[table].append(Row(leaf, number(values.get("id")), kind, enabled, text, note))
        return True

    def link(self):
        """Rows and groups by their ids, when all are there."""
        groups = {g.id for g in self.tables["group"] if g.enabled}
        by_id = {table: {row.id: row for row in rows} for table, rows in self.tables.items()}
        for table, row, group in self.links:
            if group in groups and row in by_id[table]:
                by_id[table][row].groups.add(group)


def number(value, default=-1):
    if isinstance(value, (int, float)) and value == value and abs(value) < 1 << 62:
        return int(value)
    found = names.integer(value) if isinstance(value, str) else None
    return default if found is None else found


def plain(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


# The database
def is_regular(path):
    """A fifo would block."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise source.Refused(f"{path}: {source.why(error) if isinstance(error, OSError) else 'is no path'}") from None
    if not stat.S_ISREG(mode):
        raise source.Refused(f"{path}: is no regular file")


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def _tables(db):
    found = db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'")
    return [plain(name) for name, in found.fetchmany(TABLES_MAX)]


def _read(db, gravity):
    tables = _tables(db)
    for table in (*TEXTS, *LINKS):
        if table not in tables:
            raise sqlite3.DatabaseError(f"no such table: {table}")
    for table in sorted(tables, key=lambda t: t in LINKS):
        columns = db.execute(f"PRAGMA main.table_info({quoted(table)})").fetchmany(COLUMNS_MAX)
        for _, name, kind, *_ in columns:
            gravity.column(table, plain(name), plain(kind))
        if table not in TEXTS and table not in LINKS:
            continue
        wanted = [plain(c[1]) for c in columns]
        rows = db.execute(f"SELECT {', '.join(map(quoted, wanted))} FROM main.{quoted(table)}")
        for row in rows:
            if not gravity.row(table, dict(zip(wanted, row))):
                break


def read_db(r, path):
    is_regular(path)
    root = Node(r.account, path, 0, "", "map")
    gravity, steps = Gravity(root), [0]

    def step():
        steps[0] += 1
        return steps[0] > STEPS_MAX
    uri = f"file:{urllib.parse.quote(os.path.realpath(path))}?mode=ro&immutable=1"
    db = None
    try:
        db = sqlite3.connect(uri, uri=True)
        db.text_factory = lambda data: data.decode("utf-8", "replace")
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_MAX)
        db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        db.set_progress_handler(step, 1000)
        db.execute("PRAGMA trusted_schema = OFF")
        _read(db, gravity)
    except (sqlite3.Error, OverflowError, ValueError) as error:
        raise source.Refused(f"{path}: no database of Pi-hole that can be read: {str(error)[:150]}") from None
    finally:
        if db is not None:
            db.close()
    r.account.roots.append(root)
    give(r, gravity)


# The teleporter
def _items(path):
    """The rows of a file, with the bounds of the reader of JSON; what is no row is left out."""
    root = data_source.load_json(Account(), path)
    if root.kind != "list":
        raise source.Refused(f"{path}: is no JSON of Pi-hole: it has no list of rows")
    for node in root.below():
        yield {name: None if n.kind == "null" else n.text for name, n in node.items if node.kind == "map" and not n.items}


def read_json(r, folder):
    """How many of the files are there."""
    root = Node(r.account, folder, 0, "", "map")
    gravity, found = Gravity(root), 0
    for file, (table, kind) in FILES.items():
        path = os.path.join(folder, file)
        if not source.exists(path):
            continue
        found += 1
        gravity.table_node(table)
        for values in _items(path):
            for name in values:
                gravity.column(table, name, "a column")
            gravity.row(table, values, kind)
    if found:
        r.account.roots.append(root)
        give(r, gravity)
    return found


# Combinations of groups
class Combinations:
    """`sets`: of groups. The first is that of clients which Pi-hole does not name. `every`: it needs a group of weir."""

    def __init__(self, gravity):
        self.gravity = gravity
        self.places = {frozenset(g.id for g in gravity.tables["group"] if g.id == 0 and g.enabled): 0}
        for client in gravity.tables["client"]:
            client.groups = frozenset(client.groups)
            if len(self.places) < GROUPS_MAX:
                self.places.setdefault(client.groups, len(self.places))
        self.sets, self.reached = list(self.places), {}
        self.groups = [None] * len(self.sets)
        # Clients of no group of weir have all lists, and what stands in `blocking`.
        self.every = any(self.where(row) and 0 not in self.where(row) for row in gravity.tables["adlist"]) or \
            any(0 in self.where(row) and len(self.where(row)) < len(self.sets) for row in gravity.tables["domainlist"])

    def where(self, row):
        """The places of those that it applies to."""
        key = frozenset(row.groups) if row.enabled else frozenset()
        if key not in self.reached:
            self.reached[key] = [i for i, ids in enumerate(self.sets) if not key.isdisjoint(ids)]
        return self.reached[key]

    def name(self, i):
        return "+".join(g.text for g in self.gravity.tables["group"] if g.id in self.sets[i]) or "no group"


def _groups_make(r, c):
    clients = {client.groups for client in c.gravity.tables["client"]}
    for i, ids in enumerate(c.sets):
        if len(c.sets) == 1 or (i == 0 and not c.every and ids not in clients):
            continue
        name = c.name(i)
        more = "; also clients that it does not name" if i == 0 and c.every else ""
        c.groups[i] = r.model.group(c.gravity.table_node("group"), name, f"from Pi-hole: {name}{more}")
        if c.groups[i]:
            c.groups[i].own_lists = True
    if c.every and c.groups[0]:
        c.groups[0].clients.add("0.0.0.0/0", "every other client")
        c.groups[0].clients.add("::/0")
    used = frozenset().union(*c.sets)
    for row in c.gravity.tables["group"]:
        if not row.enabled:
            row.node.needless("the group is disabled there")
        elif row.id in used:
            row.node.taken("groups")
        else:
            row.node.needless("no client is in the group")


def _client(r, c, row):
    if row.groups not in c.places:
        return row.node.impossible(f"the client is left out: weir takes {GROUPS_MAX} combinations of groups")
    if names.member(row.text) is None:
        return row.node.impossible("the client is left out: weir puts a client into a group by its address, MAC or VLAN, and not by "
                                   "a host name or an interface")
    group = c.groups[c.places[row.groups]]
    if group is None:
        return row.node.needless("the client has the groups of every client")
    return r.model.group_client(row.node, group, row.text, row.note)


def _list(r, c, row):
    if not row.enabled:
        return row.node.needless("the list is disabled there, so it is left out")
    if not c.where(row):
        return row.node.needless("the list is of no enabled group that a client has, so it is left out")
    name = r.model.list(row.node, "", row.text, row.type == 1, row.note)
    for group in [c.groups[i] for i in c.where(row)]:
        if name and group:
            group.lists.add(name)
    return name


# Domains
WILDCARD = re.compile(r"(?:\(\\\.\|\^\)|\(\^\|\\\.\))((?:[a-z0-9_-]|\\[.-])+)\$")


def wildcard(regex):
    """Pi-hole writes what it calls a wildcard as an expression: the name, and all below it. None: another one."""
    found = WILDCARD.fullmatch(regex)
    return found[1].replace("\\", "") if found else None


def _entry(r, items, row):
    """An allowed name beats every pattern in weir, as Pi-hole wants it. A denied name would beat patterns that allow, so that all
    that is denied is a pattern."""
    name = wildcard(row.text)
    if row.type in (ALLOW_EXACT, DENY_EXACT):
        return r.model.exact(row.node, items, row.text, row.note)
    if row.type == ALLOW_PATTERN and name:
        return r.model.name(row.node, items, name, row.note)
    return r.model.pattern(row.node, items, row.text, row.note)


OPTION = re.compile(r";(querytype=[^;]*|reply=[^;]*|invert)")
REPLIES = {"nxdomain": "nxdomain", "nodata": "nodata", "refused": "refused", "none": "drop"}


def options(regex, allow):
    """(expression, query types, reply, whether it is inverted) of one with options, or None."""
    types, reply, invert = [], "", False
    for option in OPTION.findall(regex):
        key, _, value = option.lower().partition("=")
        if key == "querytype":
            mark = "~" if value.startswith("!") else ""
            types = [mark + t.strip().upper() for t in value.removeprefix("!").split(",")]
        elif key == "reply" and value in REPLIES:
            reply = "" if allow else REPLIES[value]
        elif key == "invert":
            invert = True
        else:
            return None
    return OPTION.sub("", regex), types, reply, invert


def _special(r, c, row, allow, where):
    """An expression with options is an entry for each group that has it."""
    found = options(row.text, allow)
    if not found:
        return row.node.impossible("the expression is left out: weir has patterns with a code as the reply, and none that answer with "
                                   "an address")
    regex, types, reply, invert = found
    for group in [None] if len(where) == len(c.sets) else [c.groups[i] for i in where]:
        if len(where) < len(c.sets) and group is None:
            row.node.impossible("the domain is left out for some clients: their group is left out")
        else:
            r.model.special(row.node, lambda items: r.model.pattern(row.node, items, regex, row.note), allow, types, reply, group, invert)
    return None


def _domain(r, c, row):
    if not ALLOW_EXACT <= row.type <= DENY_PATTERN:
        return row.node.impossible(f"the domain is left out: nobody knows its type {row.type}")
    if not row.enabled:
        return row.node.needless("the domain is disabled there, so it is left out")
    allow, where = row.type in (ALLOW_EXACT, ALLOW_PATTERN), c.where(row)
    if not where:
        return row.node.needless("the domain is of no enabled group that a client has, so it is left out")
    if row.type >= ALLOW_PATTERN and OPTION.search(row.text):
        return _special(r, c, row, allow, where)
    if len(where) == len(c.sets):
        return _entry(r, r.model.allow if allow else r.model.deny, row)
    for group in [c.groups[i] for i in where]:
        if group is None:
            row.node.impossible("the domain is left out for some clients: their group is left out")
        else:
            _entry(r, group.allow if allow else group.deny, row)
    return None


def _differences(r, gravity, c):
    domains, lists, clients = (gravity.tables[t] for t in ("domainlist", "adlist", "client"))
    if any(d.type == DENY_EXACT and d.enabled for d in domains) and any(one.type == 1 and one.enabled for one in lists):
        r.model.remark("domainlist", "a name that is denied, and is in a list of names to allow, is blocked in Pi-hole and allowed in "
                       "weir", BLOCKING)
    by_mac = [names.mac(one.text) is not None for one in clients]
    if any(by_mac) and not all(by_mac) and len(c.sets) > 1:
        r.model.remark("client", "a client that is there by its MAC and by its address has the groups of its MAC in weir, and those of "
                       "its address in Pi-hole", BLOCKING)
    for table, count in gravity.counts.items():
        if count > ROWS_MAX and (table in TEXTS or table in LINKS):
            r.model.lost(table, f"the table has more than {ROWS_MAX} rows; the others are left out", BLOCKING)


def give(r, gravity):
    gravity.link()
    read_table(r, gravity.root, KEYS)
    c = Combinations(gravity)
    _groups_make(r, c)
    for table, take in (("adlist", _list), ("domainlist", _domain), ("client", _client)):
        for row in gravity.tables[table]:
            if row.text:
                take(r, c, row)
            else:
                row.node.usual("it is empty")
    _differences(r, gravity, c)


DATES = "weir's entries have no dates of their own"
FETCHED = "weir counts what it fetches itself (weirctl blocklist)"
USED = takes(lambda _, node: node.taken("groups"), BLOCKING)
_COLUMNS = {
    "group": {"id": USED, "enabled": USED, "name": USED, "description": USED},
    "domainlist": {"id": USED, "type": USED, "domain": USED, "enabled": USED, "comment": USED},
    "adlist": {"id": USED, "type": USED, "address": USED, "enabled": USED, "comment": USED,
               **{name: needless(FETCHED) for name in ("date_updated", "number", "invalid_domains", "status", "abp_entries")}},
    "client": {"id": USED, "ip": USED, "comment": USED},
    **{table: {f"{of}_id": USED, "group_id": USED} for table, of in LINKS.items()},
    **{table: {name: needless("weir fetches the lists itself") for name in ("domain", "adlist_id")} for table in ("gravity",
                                                                                                                  "antigravity")},
    "info": {name: needless("it is about the database itself") for name in ("property", "value")},
    "domain_audit": {name: needless("it notes which names a person has checked") for name in ("id", "domain", "date_added")},
}
KEYS = {
    **{table: holder(BLOCKING) for table in _COLUMNS},
    **{f"{table}.rows": takes(lambda _, node: None, BLOCKING) for table in TEXTS},
    **{f"{table}.columns.{name}": row for table, columns in _COLUMNS.items() for name, row in columns.items()},
    **{f"{table}.columns.{name}": needless(DATES) for table in TEXTS for name in ("date_added", "date_modified")},
}
