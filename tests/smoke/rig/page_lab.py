#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A house with an office, a week of queries and a server that is down: what a lab needs so that the page has something to show.

usage: page_lab.py config FILE FOLDER      adds clients, groups, lists, records and servers to the lab's configuration FILE
       page_lab.py week STORE [HOURS]      writes the query store's files of the last seven days or so many hours, without the hour that runs
       page_lab.py addresses               the clients' addresses, one a line
       page_lab.py ask SERVICE SECONDS     asks as these clients do, from their addresses
       page_lab.py lists FOLDER PORT       hands out the lists of FOLDER over HTTP on loopback
"""
import http.server
import math
import pathlib
import random
import socket
import sqlite3
import sys
import time

import yaml

from wire import query

LISTS_PORT = 8099
# name, address, group, share of the queries
CLIENTS = [("tv", "198.18.0.31", "", 26), ("anna-laptop", "198.18.0.11", "office", 24), ("kid-tablet", "198.18.0.21", "kids", 19), ("ben-phone", "198.18.0.12", "", 16),
           ("guest-phone", "198.18.0.71", "guests", 8), ("console", "198.18.0.22", "kids", 7), ("nas", "198.18.0.40", "", 5), ("printer", "198.18.0.32", "", 2)]
ALLOWED = ["www.example.com", "mail.example.net", "cdn.video.example", "api.weather.example", "time.example.org", "updates.os.example", "chat.example.com", "news.example.org",
           "photos.cloud.example", "static.shop.example", "school.example", "maps.example.net", "music.example.com", "login.office.example", "git.office.example", "api.bank.example"]
LISTS = {"ads": ["ads.example", "banner.example", "pixel.shop.example", "adserver.example.net"],
         "trackers": ["metrics.video.example", "telemetry.os.example", "track.example.org", "beacon.news.example"],
         "malware": ["bad.example"]}
OF_KIDS = ["games.example", "social.example"]
MISSING = ["nx.printer.example", "nx.wpad.example", "nx.old.office.example"]
HIT, MISS, BLOCKED, ABSENT = range(4)
VERDICTS = {HIT: "hit", MISS: "miss", BLOCKED: "blocked", ABSENT: "miss"}


def question(rng, group):
    """A name that a client of this group asks for, the result, and the list that blocked it."""
    n = rng.random()
    if n < 0.04:
        return rng.choice(MISSING), ABSENT, ""
    if group == "kids" and n < 0.12:
        return rng.choice(OF_KIDS), BLOCKED, "group kids: deny"
    if n < 0.22:
        title = rng.choices(["ads", "trackers"], [3, 2])[0]
        return rng.choice(LISTS[title]), BLOCKED, title
    at = min(int(rng.paretovariate(0.9)) - 1, len(ALLOWED) - 1)
    return ALLOWED[at], MISS if rng.random() < 0.12 else HIT, ""


def config(file, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    for title, names in LISTS.items():
        filler = [f"host{i}.{title}.example" for i in range({"ads": 41280, "trackers": 9730, "malware": 2150}[title])]
        (folder / f"{title}.txt").write_text("# a list of names\n" + "\n".join(names + filler) + "\n")
    c = yaml.safe_load(pathlib.Path(file).read_text())
    url = f"http://127.0.0.1:{LISTS_PORT}/"
    c["clients"] = [{"name": name, "addresses": [address]} for name, address, _, _ in CLIENTS]
    c["groups"] = [
        {"name": "kids", "clients": ["kid-tablet", "console"], "deny": OF_KIDS, "allow": ["school.example"], "services": ["tiktok"], "safe_search": {"all": True},
         "schedules": [{"name": "homework", "days": ["weekdays"], "from": "14:00", "to": "16:00", "services": ["discord"]},
                       {"name": "bed", "days": ["sun", "mon", "tue", "wed", "thu"], "from": "21:00", "to": "06:30", "block_all": True}]},
        {"name": "office", "clients": ["anna-laptop"], "lists": ["ads", "malware"]}, {"name": "guests", "clients": ["198.18.0.64/26"], "inherit": False, "lists": ["malware"]}]
    c["blocking"] = {"lists": [*c["blocking"]["lists"], {"name": "ads", "url": url + "ads.txt"}, {"name": "trackers", "url": url + "trackers.txt"},
                               {"name": "malware", "path": str(folder / "malware.txt")}, {"name": "phishing", "url": url + "moved.txt"}],
                     "update": {"allow_private": True}}
    c["local"]["records"] = [{"name": "nas.home.arpa", "type": "A", "value": "198.18.0.40"}, {"name": "nas.home.arpa", "type": "AAAA", "value": "fd53::40"},
                             {"name": "printer.home.arpa", "type": "A", "value": "198.18.0.32"}, {"name": "home.arpa", "type": "MX", "value": "10 nas.home.arpa"},
                             {"name": "*.apps.home.arpa", "type": "CNAME", "value": "nas.home.arpa"}]
    c["upstreams"]["servers"] += [{"address": "127.0.0.1:5302"}, {"address": "127.0.0.1:5399"}]  # nobody listens at the last one
    pathlib.Path(file).write_text(yaml.safe_dump(c, sort_keys=False))


class Hour:
    """A file of the query store, as controlplane/querylog/store/query_schema.h has it."""

    SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "controlplane/querylog/store/query_schema.h"

    def __init__(self, store, hour):
        stamp = time.strftime("%Y%m%dT%H", time.gmtime(hour * 3600))
        self.db = sqlite3.connect(store / f"queries-{stamp}-001.sqlite", isolation_level=None)
        self.db.execute("PRAGMA journal_mode=OFF")
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.executescript(self.schema())
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO file VALUES (?)", (hour * 3600_000_000 + 1800_000_000,))
        self.ids = {"names": {}, "clients": {}, "kinds": {}}

    @classmethod
    def schema(cls):
        """The strings of the macros of the header, as the C compiler puts them together."""
        macros, name = {}, None
        for line in cls.SCHEMA.read_text().splitlines():
            if line.startswith("#define QUERY_"):
                name = line.split()[1]
                macros[name], line = "", line.split(name, 1)[1]
            if name:
                parts = line.split('"')
                for i, part in enumerate(parts):
                    macros[name] += part if i % 2 else "".join(macros.get(w, "") for w in part.split())
                if not line.endswith("\\"):
                    name = None
        return macros["QUERY_SCHEMA"]

    def number(self, table, *values):
        ids = self.ids[table]
        if values not in ids:
            ids[values] = len(ids) + 1
            self.db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * (len(values) + 1))})", (ids[values], *values))
        return ids[values]

    def row(self, rng, at_us, weight, client, name, became, title):
        kind = self.number("kinds", "box", VERDICTS[became], title, "127.0.0.1:5301" if became in (MISS, ABSENT) else "", "udp", "l0" if became == HIT else "", 1, 1,
                           3 if became in (BLOCKED, ABSENT) else 0, 15 if became == BLOCKED else 65535, 1, int(became == BLOCKED), "none")
        took = rng.randint(4000, 42000) if became in (MISS, ABSENT) else rng.randint(2, 9)
        self.db.execute("INSERT INTO rows(time,weight,name,client,kind,port,dataplane_us,total_us,query_len,reply_len) VALUES (?,?,?,?,?,?,?,?,?,?)",
                        (at_us, weight, self.number("names", name), self.number("clients", client[1], client[0], client[2], 4), kind, rng.randint(-30000, 30000),
                         rng.randint(2, 9), took, 45, 61))

    def close(self):
        self.db.execute("COMMIT")
        self.db.close()


def week(store, hours=166):
    store, rng, this_hour = pathlib.Path(store), random.Random(1), int(time.time()) // 3600
    store.mkdir(parents=True, exist_ok=True)
    for hour in range(this_hour - int(hours), this_hour):
        file = Hour(store, hour)
        awake = 0.15 + max(0.0, math.sin((hour % 24 - 6) / 18 * math.pi)) * (0.8 + 0.4 * rng.random())
        for i in range(160):
            client = rng.choices(CLIENTS, [c[3] * (awake if c[0] not in ("nas", "printer") else 0.3) for c in CLIENTS])[0]
            file.row(rng, i * 22_000_000 - 1_790_000_000, round(awake * rng.randint(200, 1400)), client, *question(rng, client[2]))
        file.close()


def ask(service, seconds):
    rng, sockets = random.Random(2), []
    for client in CLIENTS:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((client[1], 0))
        s.setblocking(False)
        sockets.append(s)
    end = time.monotonic() + float(seconds)
    while (now := time.monotonic()) < end:
        for _ in range(round(18 + 9 * math.sin(now / 9) + 4 * math.sin(now / 2.3) + rng.random() * 4)):
            i = rng.choices(range(len(CLIENTS)), [c[3] for c in CLIENTS])[0]
            name, became, _ = question(rng, CLIENTS[i][2])
            if became == MISS:
                name = f"n{rng.randrange(9999)}.{name}"
            try:
                sockets[i].sendto(query(name, ident=rng.randrange(65536), qtype=rng.choice([1, 1, 28])), (service, 53))
                while sockets[i].recv(2048):
                    pass
            except BlockingIOError:
                pass
        time.sleep(0.1)


def lists(folder, port):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *args):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


def addresses():
    print("\n".join(c[1] for c in CLIENTS))


if __name__ == "__main__":
    {"config": config, "week": week, "addresses": addresses, "ask": ask, "lists": lists}[sys.argv[1]](*sys.argv[2:])
