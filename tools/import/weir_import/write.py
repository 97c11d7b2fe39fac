# SPDX-License-Identifier: BSD-3-Clause
"""Prints the model as weir.yaml, in the order of the shipped file, and the report behind it as comments."""
import re

from . import names, report
from .servers import parse

HEAD = """\
# weir: made by `weirctl import` from the configuration of {title}.
# Look through it, set what says CHANGE, then: weirctl config check FILE
# docs/how-to/import.md says what differs; docs/reference/config.md has every key.
"""
DATAPLANE = """
version: 1

dataplane:
  ports:                           # CHANGE: the network card (docs/how-to/nic.md)
    - device: net_tap0,iface=wt0,persist
      exception: weir0
  service_addresses:               # CHANGE: the addresses that clients ask
    - 198.18.0.53/24

"""
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9.-]*\.[A-Za-z0-9.-]*")


def text(value):
    """A scalar that no YAML reader takes for anything but a text."""
    return value if PLAIN.fullmatch(value) else "'" + value.replace("'", "''") + "'"


def note(value):
    return f"  # {report.printable(value)[:200]}" if value else ""


def flow(texts):
    return "[" + ", ".join(map(text, texts)) + "]"


class Writer:
    def __init__(self, model):
        self.model, self.lines = model, []

    def put(self, line=""):
        self.lines.append(line)

    def items(self, indent, key, items):
        if len(items):
            self.put(" " * indent + key + ":")
            for value, why in items:
                self.put(f"{' ' * indent}- {text(value)}{note(why)}")

    def has(self, section):
        return any(key[0] == section for key in self.model.values)

    def values(self, section, indent=2):
        for (of, key), (value, why) in self.model.values.items():
            if of == section:
                self.put(f"{' ' * indent}{key}: {value}{note(why)}")

    def section(self, name, below=(), lists=()):
        """Keys with one value, sections below, and lists: ("allow", Items)."""
        lists = [(key, items) for key, items in lists if len(items)]
        subs = [sub for sub in below if self.has(f"{name}.{sub}")]
        if not (self.has(name) or lists or subs):
            return
        self.put(f"{name}:")
        self.values(name)
        for key, items in lists:
            self.items(2, key, items)
        for sub in subs:
            self.put(f"  {sub}:")
            self.values(f"{name}.{sub}", 4)
        self.put()

    def servers(self, indent, items):
        for value, why in items:
            self.put(f"{' ' * indent}- {{address: {text(value)}}}{note(why)}")

    def filters(self, indent, services, safe_search, schedules):
        if len(services):
            self.put(f"{' ' * indent}services: {flow(services.texts())}")
        if safe_search:
            engines = ", ".join(f"{k}: {v}" for k, v in safe_search.items())
            self.put(f"{' ' * indent}safe_search: {{{engines}}}")
        if schedules:
            self.put(f"{' ' * indent}schedules:")
        for number, s in enumerate(schedules, 1):
            parts = [f"name: {text(s.name) if s.name else f'services-{number}'}"]
            if s.days:
                parts.append(f"days: [{', '.join(s.days)}]")
            parts += [f"from: '{s.begin}'", f"to: '{s.end}'"]
            if s.time_zone:
                parts.append(f"time_zone: {text(s.time_zone)}")
            parts += [f"{key}: {flow(given)}" for key, given in (("services", s.services), ("domains", s.domains), ("lists", s.lists))
                      if given]
            if s.block_all:
                parts.append("block_all: true")
            self.put(f"{' ' * indent}- {{{', '.join(parts)}}}")

    def blocking(self):
        m = self.model
        self.put("blocking:")
        if not self.has("blocking"):
            self.put("  enabled: true")
        self.values("blocking")
        if self.has("blocking.rebinding") or len(m.rebinding_allow):
            self.put("  rebinding:")
            self.put("    enabled: true")
            self.items(4, "allow", m.rebinding_allow)
        if m.lists:
            self.put("  lists:")
        for one in m.lists:
            self.put(f"    - name: {text(one.name)}{note(one.note)}")
            self.put(f"      {'path' if one.place.startswith('/') else 'url'}: {text(one.place)}")
            if one.allow:
                self.put("      allow: true")
            if one.exact:
                self.put("      exact: true                  # a plain name is that name alone, as there")
        if self.has("blocking.update"):
            self.put("  update:")
        self.values("blocking.update", 4)
        self.items(2, "deny", m.deny)
        self.items(2, "allow", m.allow)
        self.items(2, "types", m.types)
        self.filters(2, m.services, m.safe_search, m.schedules)
        self.put()

    def needs_bootstrap(self):
        all_servers = [s for of in (self.model, *self.model.groups)
                       for items in (of.upstreams, *(z.servers for z in of.zones.values())) for s in items.texts()]
        return any(not re.match(r"[a-z]+://[^/]*@", s) and parse(s).is_named() for s in all_servers)

    def upstreams(self):
        m = self.model
        self.put("upstreams:")
        if m.is_recursive and not len(m.upstreams):
            self.put("  mode: recursive                  # no forwarding there")
        else:
            self.put("  servers:")
        self.servers(4, m.upstreams)
        if not m.is_recursive and not len(m.upstreams):
            self.put("    - {address: 9.9.9.9}           # CHANGE: the source names no server")
        self.items(2, "bootstrap", m.bootstrap)
        if not len(m.bootstrap) and self.needs_bootstrap():
            self.put("  bootstrap: [9.9.9.9, 1.1.1.1]    # CHANGE: resolve the host names above, and those of groups and zones")
        self.values("upstreams")
        self.put()

    def local(self):
        m = self.model
        if not (m.records or len(m.hosts_files) or len(m.closed_zones) or len(m.open_zones) or self.has("local")):
            return
        self.put("local:")
        self.values("local")
        if m.records:
            self.put("  records:")
        self.records(m.records)
        self.items(2, "hosts_files", m.hosts_files)
        zones = [(z, "nxdomain") for z in m.closed_zones.texts()] + [(z, "forward") for z in m.open_zones.texts()]
        if zones:
            self.put("  zones:")
        for name, unknown in zones:
            self.put(f"    - {{name: {text(name)}, unknown: {unknown}}}")
        self.put()

    def records(self, records):
        for r in records:
            ttl = "" if r.ttl is None else f", ttl: {r.ttl}"
            self.put(f"    - {{name: {text(r.name)}, type: {r.type}, value: {text(r.value)}{ttl}}}")

    def forward_zones(self, of, indent):
        """Whether there are any. One without servers that is not exempt had only refused ones."""
        zones = [z for z in of.zones.values() if len(z.servers) or z.exempt]
        if zones:
            self.put(f"{' ' * indent}forward_zones:")
        for z in zones:
            what = f"servers: {flow(z.servers.texts())}" if len(z.servers) else "exempt: true"
            self.put(f"{' ' * indent}  - {{name: {text(z.name)}, {what}}}")
        return bool(zones)

    def clients(self):
        clients = [c for c in self.model.clients if len(c.members)]
        if not clients:
            return
        self.put("clients:")
        for c in clients:
            macs = [t for t in c.members.texts() if names.mac(t)]
            addresses = [t for t in c.members.texts() if t not in macs]
            parts = [f"{key}: {flow(texts)}" for key, texts in (("addresses", addresses), ("macs", macs)) if texts]
            self.put(f"  - {{name: {text(c.name)}, {', '.join(parts)}}}")
        self.put()

    def group(self, g):
        self.put(f"  - name: {text(g.name)}{note(g.note)}")
        self.items(4, "clients", g.clients)
        if len(g.client_names):
            self.put(f"    client_names: {flow(g.client_names.texts())}")
        if not g.blocking:
            self.put("    blocking: false")
        if not g.inherit or (g.own_lists and not len(g.lists)):
            self.put(f"    inherit: false                 # {'it has what stands here' if len(g.lists) else 'no list applies'}")
        self.items(4, "lists", g.lists)
        if g.blocking:
            self.items(4, "deny", g.deny)
        self.items(4, "allow", g.allow)
        self.filters(4, g.services if g.blocking else (), g.safe_search, g.schedules if g.blocking else [])
        for key, value in g.values.items():
            self.put(f"    {key}: {value}")
        if g.block and g.blocking:
            self.put(f"    block: {{{', '.join(f'{key}: {value}' for key, value in g.block.items())}}}")
        if g.records:
            self.put("    local_records:")
        self.records(g.records)
        self.forward_zones(g, 4)
        if not g.cache:
            self.put("    disable_cache: true")
        if len(g.upstreams):
            self.put("    upstreams:")
        self.servers(4, g.upstreams)

    def groups(self):
        groups = [g for g in self.model.groups if g.has_members()]
        if groups:
            self.put("groups:")
        for g in groups:
            self.group(g)
        if groups:
            self.put()

    def entries(self):
        if self.model.entries:
            self.put("entries:")
        for e in self.model.entries:
            invert = ", invert: true" if e.invert else ""
            types = f", types: {flow(e.types)}" if e.types else ""
            reply = f", reply: {e.reply}" if e.reply else ""
            group = f", group: {text(e.group.name)}" if e.group else ""
            self.put(f"  - {{name: {text(e.name)}, verdict: {'allow' if e.allow else 'deny'}{invert}{types}{reply}{group}}}{note(e.note)}")
        if self.model.entries:
            self.put()

    def all(self):
        m = self.model
        for name in ("runtime", "cache", "refresh"):
            self.section(name)
        self.blocking()
        self.upstreams()
        self.section("limits")
        self.section("access", lists=(("allow", m.access_allow), ("deny", m.access_deny), ("unlimited", m.access_unlimited)))
        self.section("query_log", ("store", "clickhouse", "requests", "dnstap"),
                     (("exclude_domains", m.log_names), ("exclude_clients", m.log_clients)))
        self.section("dnssec", lists=(("negative_anchors", m.negative_anchors),))
        for name in ("identity", "ipv6", "redis"):
            self.section(name)
        self.section("client_names", lists=(("lease_files", m.lease_files), ("ptr_servers", m.ptr_servers)))
        self.local()
        if self.forward_zones(m, 0):
            self.put()
        self.clients()
        self.groups()
        self.entries()


def configuration(model, with_all=False):
    """The text of the file."""
    writer = Writer(model)
    writer.all()
    summary = report.summary(model.account)
    tail = report.comments(model.account, with_all)
    losses = f"# {summary}: see the end.\n" if tail else f"# {summary}.\n"
    return HEAD.format(title=model.title) + losses + DATAPLANE + "\n".join(writer.lines) + ("\n" if writer.lines else "") + tail
