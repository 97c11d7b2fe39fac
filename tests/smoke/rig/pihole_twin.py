#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A Pi-hole for `weirctl import`: its database and lists, and the verdicts that Pi-hole would give.

usage: pihole_twin.py make FOLDER                 gravity.db, custom.list and five lists
       pihole_twin.py check FOLDER SERVER         asks SERVER all names from a client of each group; compares

Verdicts as docs.pi-hole.net says, for the enabled groups of the client, or group 0 if the client is not named: what is allowed,
exactly or by an expression, passes; then what is denied exactly is blocked; what a list allows passes; what a list has is
blocked; what an expression denies is blocked. A plain name of a list, and an exact domain, is that name alone; ||name^ is the
name and all below it. An expression with ;invert is for every name that it does not match. A blocked name is 0.0.0.0.
"""
import pathlib
import random
import re
import sqlite3
import sys

from wire import query
import ask_many
from dnswire import rcode

NAMES = 2000
# Addresses of the lab's client, and the groups that the database gives them.
CLIENTS = {"198.18.0.2": [0], "198.18.0.10": [1], "198.18.0.20": [2], "198.18.0.30": [3], "198.18.0.40": [1, 3],
           "198.18.0.70": [2], "198.18.0.50": [4]}
SCHEMA = """
CREATE TABLE "group" (id INTEGER PRIMARY KEY AUTOINCREMENT, enabled BOOLEAN NOT NULL DEFAULT 1, name TEXT UNIQUE NOT NULL,
    date_added INTEGER NOT NULL DEFAULT 0, date_modified INTEGER NOT NULL DEFAULT 0, description TEXT);
CREATE TABLE domainlist (id INTEGER PRIMARY KEY AUTOINCREMENT, type INTEGER NOT NULL DEFAULT 0, domain TEXT NOT NULL,
    enabled BOOLEAN NOT NULL DEFAULT 1, date_added INTEGER NOT NULL DEFAULT 0, date_modified INTEGER NOT NULL DEFAULT 0,
    comment TEXT, UNIQUE(domain, type));
CREATE TABLE adlist (id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL, enabled BOOLEAN NOT NULL DEFAULT 1,
    date_added INTEGER NOT NULL DEFAULT 0, date_modified INTEGER NOT NULL DEFAULT 0, comment TEXT, date_updated INTEGER,
    number INTEGER NOT NULL DEFAULT 0, invalid_domains INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 0,
    abp_entries INTEGER NOT NULL DEFAULT 0, type INTEGER NOT NULL DEFAULT 0, UNIQUE(address, type));
CREATE TABLE adlist_by_group (adlist_id INTEGER NOT NULL REFERENCES adlist (id),
    group_id INTEGER NOT NULL REFERENCES "group" (id), PRIMARY KEY (adlist_id, group_id));
CREATE TABLE gravity (domain TEXT NOT NULL, adlist_id INTEGER NOT NULL REFERENCES adlist (id));
CREATE TABLE antigravity (domain TEXT NOT NULL, adlist_id INTEGER NOT NULL REFERENCES adlist (id));
CREATE TABLE info (property TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE domainlist_by_group (domainlist_id INTEGER NOT NULL REFERENCES domainlist (id),
    group_id INTEGER NOT NULL REFERENCES "group" (id), PRIMARY KEY (domainlist_id, group_id));
CREATE TABLE client (id INTEGER PRIMARY KEY AUTOINCREMENT, ip TEXT NOT NULL UNIQUE, date_added INTEGER NOT NULL DEFAULT 0,
    date_modified INTEGER NOT NULL DEFAULT 0, comment TEXT);
CREATE TABLE client_by_group (client_id INTEGER NOT NULL REFERENCES client (id),
    group_id INTEGER NOT NULL REFERENCES "group" (id), PRIMARY KEY (client_id, group_id));
CREATE TRIGGER tr_domainlist_add AFTER INSERT ON domainlist
    BEGIN INSERT INTO domainlist_by_group (domainlist_id, group_id) VALUES (NEW.id, 0); END;
CREATE TRIGGER tr_client_add AFTER INSERT ON client
    BEGIN INSERT INTO client_by_group (client_id, group_id) VALUES (NEW.id, 0); END;
CREATE TRIGGER tr_adlist_add AFTER INSERT ON adlist
    BEGIN INSERT INTO adlist_by_group (adlist_id, group_id) VALUES (NEW.id, 0); END;
"""
# Name, type, how a line is written, groups.
LISTS = [("ads.txt", 0, "0.0.0.0 {}", [0, 1, 2, 3]), ("track.txt", 0, "{}", [0, 1]), ("mal.txt", 0, "||{}^", [0, 1, 3, 4]),
         ("social.txt", 0, "{}", [1]), ("good.txt", 1, "{}", [0, 2])]


def names():
    """Half are names that lists have, half are below such names. The upstream answers each."""
    return [f"n{i}.pi.example" for i in range(NAMES // 2)] + [f"n{i}.n{i // 2}.pi.example" for i in range(NAMES // 2)]


def link(db, table, row, groups):
    db.execute(f"DELETE FROM {table}_by_group WHERE {table}_id = ?", (row,))
    db.executemany(f"INSERT INTO {table}_by_group VALUES (?, ?)", [(row, g) for g in groups])


def lists_make(db, folder, rng, denied):
    for file, kind, line, groups in LISTS:
        have = rng.sample(range(NAMES // 2), 250)
        if kind:  # weir and Pi-hole differ for these, as the import says
            have = [i for i in have if i not in denied]
        (folder / file).write_text("# a list\n" + "".join(line.format(f"n{i}.pi.example") + "\n" for i in have))
        row = db.execute("INSERT INTO adlist (address, type, comment) VALUES (?, ?, ?)",
                         (f"file://{folder}/{file}", kind, f"list '{file}'")).lastrowid
        link(db, "adlist", row, groups)
        db.executemany(f"INSERT INTO {'antigravity' if kind else 'gravity'} VALUES (?, ?)",
                       [(line.split()[-1].format(f"n{i}.pi.example"), row) for i in have])


def domains_make(db, rng, denied):
    some = rng.sample(range(NAMES // 2), 80)
    rows = [(0, f"n{i}.pi.example") for i in some[:40]] + [(0, f"n{i}.n{i // 2}.pi.example") for i in some[40:]]
    rows += [(1, f"n{i}.pi.example") for i in denied[:40]] + [(1, f"n{i}.n{i // 2}.pi.example") for i in denied[40:]]
    rows += [(2, r"(\.|^)n77\.pi\.example$"), (2, r"^n1[0-4][0-9]\.pi"), (2, r"^n[0-9]+\.n2[0-9]\."), (2, r"n(3|5)33\.")]
    rows += [(3, r"(\.|^)n4[0-9]\.pi\.example$"), (3, r"^n7[0-9]{2}\."), (3, r"^n[0-9]+\.n1[0-9]{2}\."), (3, r"(^|\.)n140\.pi\.example$")]
    rows += [(2, r"n[0-9]*[1-9]\.;invert"), (3, r"^n[0-9]*[0-7]\.;invert")]
    for kind, domain in rows:
        row = db.execute("INSERT INTO domainlist (type, domain, enabled) VALUES (?, ?, ?)", (kind, domain, rng.random() < 0.95)).lastrowid
        link(db, "domainlist", row, [g for g in range(5) if rng.random() < 0.5])


def clients_make(db):
    clients = [(f"198.18.0.{10 * g + k}", [g], f"client {k} of {g}") for g in (1, 2, 3) for k in range(10)]
    clients += [(f"198.18.0.{40 + k}", [1, 3], None) for k in range(5)] + [("198.18.0.64/28", [2], "a 'network'"), ("198.18.0.50", [4], None)]
    clients += [("02:00:5e:10:00:01", [1], "by MAC"), ("fd53::77", [2], None), ("tablet.lan", [1], "by name")]
    for ip, groups, comment in clients:
        link(db, "client", db.execute("INSERT INTO client (ip, comment) VALUES (?, ?)", (ip, comment)).lastrowid, groups)


def make(folder):
    rng = random.Random(42)
    db = sqlite3.connect(folder / "gravity.db")
    db.executescript(SCHEMA)
    db.executemany('INSERT INTO "group" (id, enabled, name) VALUES (?, ?, ?)',
                   [(0, 1, "Default"), (1, 1, "kids"), (2, 1, "guests: all"), (3, 1, "work"), (4, 0, "off")])
    db.execute("INSERT INTO info VALUES ('version', '19')")
    denied = rng.sample(range(NAMES // 2), 80)
    lists_make(db, folder, rng, set(denied))
    domains_make(db, rng, denied)
    clients_make(db)
    db.commit()
    db.close()
    (folder / "custom.list").write_text("198.18.9.9 nas.pi.example\n")


class Pihole:
    def __init__(self, folder, groups):
        db = sqlite3.connect(folder / "gravity.db")
        on = {g for g, in db.execute('SELECT id FROM "group" WHERE enabled')} & set(groups)
        marks = "(" + ",".join(map(str, on)) + ")"
        self.domains = {kind: {d for d, in db.execute(
            "SELECT domain FROM domainlist JOIN domainlist_by_group ON domainlist_id = id "
            f"WHERE type = ? AND enabled AND group_id IN {marks}", (kind,))} for kind in range(4)}
        self.lists = {table: {d for d, in db.execute(
            f"SELECT domain FROM {table} JOIN adlist_by_group USING (adlist_id) WHERE group_id IN {marks}")}
            for table in ("gravity", "antigravity")}
        self.regex = {kind: [(re.compile(d.removesuffix(";invert")), d.endswith(";invert")) for d in self.domains[kind]] for kind in (2, 3)}

    def listed(self, table, name):
        parts = name.split(".")
        above = {"||" + ".".join(parts[i:]) + "^" for i in range(len(parts))}
        return name in self.lists[table] or bool(above & self.lists[table])

    def expressed(self, kind, name):
        return any(bool(r.search(name)) != inverted for r, inverted in self.regex[kind])

    def blocks(self, name):
        if name in self.domains[0] or self.expressed(2, name):
            return False
        if name in self.domains[1]:
            return True
        if self.listed("antigravity", name):
            return False
        return self.listed("gravity", name) or self.expressed(3, name)


def ask_all(server, client, wanted):
    """{name: blocked or not}; a name without an answer is missing."""
    got = {}

    def answered(number, reply):
        got[wanted[number]] = reply[6:8] != b"\0\0" and reply[-4:] == b"\0\0\0\0"
        return rcode(reply) != 2  # SERVFAIL: the upstream was late

    left = ask_many.ask_all(server, {i: query(name, ident=i) for i, name in enumerate(wanted)}, answered, 60, client=client)
    return {name: got[name] for number, name in enumerate(wanted) if number not in left}


def check(folder, server):
    wrong = 0
    for client, groups in CLIENTS.items():
        pihole, got = Pihole(folder, groups), ask_all(server, client, names())
        want = {n: pihole.blocks(n) for n in names()}
        differ = [n for n in want if got.get(n) != want[n]]
        print(f"{client} {groups}: {sum(want.values())} of {len(want)} names blocked, {len(differ)} differ")
        for n in differ[:5]:
            print(f"  {n}: Pi-hole {want[n]}, weir {got.get(n)}")
        wrong += len(differ) + (len(want) != NAMES)
    return 1 if wrong else 0


if __name__ == "__main__":
    where = pathlib.Path(sys.argv[2])
    sys.exit(make(where) if sys.argv[1] == "make" else check(where, sys.argv[3]))
