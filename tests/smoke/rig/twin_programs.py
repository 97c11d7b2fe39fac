# SPDX-License-Identifier: BSD-3-Clause
"""Configurations of dnsmasq and unbound for twins_test.py, made by a seeded generator, with the names that it asks about.

Each has names below z0.example ... of one kind each, and some a label below another one. MAIN, ZONE and OTHER are upstreams that
answer each name with an address of their own.
"""
MAIN, ZONE, OTHER = 5301, 5302, 5303
KINDS = 120


def places(rng):
    """Names, of which a third lie below an earlier one."""
    found = []
    for number in range(KINDS):
        above = f"{rng.choice(found)}" if found and rng.random() < 0.33 else "example"
        found.append(f"z{number}.{above}" if above.count(".") < 4 else f"z{number}.example")
    return found


def around(rng, names, count, types):
    """(name, type): the names, those below, beside and above, in any case."""
    asked = []
    for _ in range(count):
        name = rng.choice(names)
        turn = rng.randrange(9)
        if turn < 2:
            name = rng.choice(("www.", "a.b.", "_x._tcp.", "nx.")) + name
        elif turn == 2:
            name = "x" + name
        elif turn == 3 and name.count(".") > 1:
            name = name.partition(".")[2]
        elif turn == 4:
            name = f"free{rng.randrange(500)}.example"
        elif turn == 5:
            name = name.upper()
        asked.append((name, rng.choice(types)))
    return asked


TYPES = ("A", "A", "A", "AAAA", "AAAA", "TXT", "MX")


class Dnsmasq:
    """`block`: how the file blocks names; a file that mixes forms gets one of them in weir, which the report says."""
    clients = {"198.18.0.2": 2000}

    def __init__(self, rng, block):
        self.names = names = places(rng)
        lines = ["no-resolv", "no-hosts", "no-negcache", f"server=127.0.0.1#{MAIN}"]
        # Names with addresses, with all below; blocked by one, with all below; with records, alone.
        self.wild, self.blocked, self.records, self.places = [], [], set(), set(names)
        for name in names:
            kind, n = rng.randrange(12), rng.randrange(1, 250)
            self.blocked += [name] if kind < 2 and block else []
            self.wild += {2: [name], 3: [name], 10: [f"a1.{name}", f"b1.{name}"]}.get(kind, [])
            self.records |= {7: {name}, 8: {name, f"alias.{name}"}, 9: {name, f"mail.{name}"}}.get(kind, set())
            lines += {
                0: [f"address=/{name}/{block}"], 1: [f"address=/{name}/{block}"], 2: [f"address=/{name}/{'127.0.0.1' if n % 4 == 0 else f'198.18.77.{n}'}"],
                3: [f"address=/{name}/fd00::{n:x}"], 4: [f"server=/{name}/127.0.0.1#{ZONE}"], 5: [f"local=/{name}/"],
                6: [f"server=/{name}/127.0.0.1#{ZONE}", f"server=/open.{name}/#"], 7: [f"host-record={name},198.18.78.{n},fd00:1::{n:x}"],
                8: [f"cname=alias.{name},{name}", f"host-record={name},198.18.79.{n}"],
                9: [f"local=/{name}/", f"txt-record={name},text {n}", f"mx-host={name},mail.{name},{n}", f"host-record=mail.{name},198.18.80.{n}"],
                10: [f"address=/a1.{name}/b1.{name}/198.18.81.{n}"], 11: [f"server=/{name}/127.0.0.1#{OTHER}"]}[kind]
        self.text = "\n".join(lines) + "\n"
        self.names += [f"{word}.{name}" for name in names[:] for word in ("open", "alias", "mail", "a1")]

    def questions(self, rng, count):
        return around(rng, self.names, count, TYPES)

    def named(self, name, theirs, ours):
        """The sentence of the report about such a difference, or ""."""
        below = any(name == one or name.endswith("." + one) for one in self.wild + self.blocked)
        if {theirs, ours} == {"NODATA", "NXDOMAIN"} and (below or name in self.places or any(one.endswith("." + name) for one in self.places)):
            return "weir answers NODATA for the name of a local zone"
        typed = below or name in self.records
        lacks = ours == "NODATA" or ours.startswith("CNAME ") and ours in theirs
        return "dnsmasq asks its servers for types" if typed and lacks else ""

    def command(self, conf, address):
        return ["dnsmasq", "-k", "-C", conf, f"--listen-address={address}", "--bind-interfaces", "--pid-file", "--user=root"]


class Unbound:
    """Local zones of each type that has a counterpart; `block`: the type of those that block. A view and a tag for a client each."""
    clients = {"198.18.0.2": 1400, "198.18.0.3": 300, "198.18.0.4": 300}

    def __init__(self, rng, block):
        self.names, data, server, zones, view = places(rng), [], [], [], []
        for name in list(self.names):
            kind, n = rng.randrange(10), rng.randrange(1, 250)
            if kind < 2:
                server += [f"local-zone: {name} {block}"]
            elif kind == 2:
                server += [f"local-zone: {name} static"]
                data += [f"{name} A 198.18.77.{n}", f"www.{name} AAAA fd00::{n:x}", f"{name} MX 10 www.{name}", f"{name} TXT \"text {n}\""]
            elif kind == 3:
                server += [f"local-zone: {name} redirect"]
                data += [f"{name} A 198.18.78.{n}"]
            elif kind == 4:
                server += [f"local-zone: {name} {rng.choice(('transparent', 'nodefault', 'always_transparent'))}"]
            elif kind == 5:
                data += [f"{name} A 198.18.79.{n}", f"{name} AAAA fd00:1::{n:x}"]
            elif kind == 6:
                zones += [(name, ZONE)]
            elif kind == 7:
                zones += [(name, OTHER)]
            elif kind == 8:
                view += [f"local-zone: {name} {block}"]
            else:
                server += [f"local-zone: {name} {block}", f'local-zone-tag: {name} "kids"']
        lines = ["server:", "access-control: 198.18.0.0/24 allow", "access-control-view: 198.18.0.3/32 guests", 'define-tag: "kids"',
                 'access-control-tag: 198.18.0.4/32 "kids"', "module-config: iterator", *server, *(f"local-data: '{one}'" for one in data)]
        for name, port in (("." , MAIN), *zones):
            lines += ["forward-zone:", f"name: {name}", f"forward-addr: 127.0.0.1@{port}"]
        lines += ["view:", "name: guests", "view-first: yes", *view, "local-data: 'guests.example A 198.18.80.1'"]
        self.text = "\n".join(lines) + "\n"
        local = {line.split()[1] for line in server if line.endswith((" static", " redirect", "transparent", "nodefault"))}
        self.hidden = [one for line in server if line.endswith(block) for one in [line.split()[1]]
                       if any(one.endswith("." + zone) for zone in local)]
        self.grouped = [line.split()[1] for line in view] + [line.split()[1] for line in server if line.startswith("local-zone-tag")]
        self.names += ["guests.example"]

    def questions(self, rng, count):
        return around(rng, self.names, count, TYPES)

    def named(self, name, theirs, ours):
        if any(name == one or name.endswith("." + one) for one in self.hidden):
            return "as it lies below" if ours == "NODATA" else "weir looks at the local zone or record above it first"
        hidden = any(name == one or name.endswith("." + one) for one in self.grouped)
        return "everyone's local records and zones at, above and below the name" if hidden else ""

    def command(self, conf, address):
        path = str(conf) + ".twin"
        with open(conf) as source, open(path, "w") as twin:
            twin.write(source.read() + f"server:\ninterface: {address}\ndo-daemonize: no\nchroot: ''\nusername: ''\npidfile: ''\n"
                       "use-syslog: no\ndo-not-query-localhost: no\nlogfile: ''\nremote-control:\ncontrol-enable: no\n")
        return ["unbound", "-c", path]
