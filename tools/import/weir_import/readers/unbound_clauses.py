# SPDX-License-Identifier: BSD-3-Clause
"""What unbound's lines mean together: zones with servers, policy zones, local zones and their data, views, tags, who may ask."""
import collections
import os
import re

from .. import names, settle
from ..account import BLOCKING, NEEDLESS, PRIVACY

# Types of local zones that block, with the answer. "": the query is dropped, which weir does not.
BLOCKS = {"always_nxdomain": "nxdomain", "always_nodata": "nodata", "always_null": "null", "always_refuse": "refused",
          "refuse": "refused", "always_deny": "", "deny": "", "inform_deny": ""}
OPENS = ("transparent", "typetransparent", "inform", "always_transparent")
REDIRECTS = ("redirect", "inform_redirect")
LOGS = "weir logs queries of all names or of none (query_log), not those of this zone alone"
LAN = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fd00::/8", "fe80::/10")
SETS = "weir fills no sets of a firewall"


def lan_zones():
    return [zone for text in LAN for zone in names.reverse_zones(names.prefix(text))]


def note_group_denied(r):
    """What a group denies, where weir looks at everyone's records and local zones first."""
    model = r.model
    local = {*(record.name.removeprefix("*.") for record in model.records), *model.closed_zones.texts(), *model.open_zones.texts()}
    above = {above for name in local for above in settle.above(name)}
    for name, node in r.state.group_denied:
        if name in above or settle.is_below(name, local):
            node.differently("everyone's local records and zones at, above and below the name come first", "groups.deny", BLOCKING)


def enclosing(name, zones):
    """The nearest of `zones` at or above a name, or None."""
    labels = name.split(".")
    return next((zone for i in range(len(labels)) if (zone := ".".join(labels[i:])) in zones), None)


# Zones with servers
def server_of(node, over_tls, is_address):
    """The server as weir's gate takes it, or None with a verdict."""
    host = re.split("[@#]", node.text)[0]
    if is_address and names.address(host) is None:
        node.impossible(f"`{node.shown()}` is no address")
        return None
    if over_tls and "#" not in node.text and names.address(host) is not None:
        node.differently("without `#name` unbound verifies no certificate; weir wants one that is for the address", "upstreams.servers",
                         PRIVACY)
    return node.text


def give_zone(r, clause, all_over_tls, asks_itself):
    kind = clause.name.removesuffix("-zone")
    name, servers = clause.word("name"), clause.all(f"{kind}-addr", f"{kind}-host")
    over_tls = all_over_tls or clause.is_on(f"{kind}-tls-upstream", f"{kind}-ssl-upstream")
    is_root = name == "."
    others = clause.all("name", f"{kind}-first", f"{kind}-tls-upstream", f"{kind}-ssl-upstream")
    if not name or not servers or (is_root and kind == "stub"):
        why = ("its servers are those of the root: set upstreams.root_hints if they are not the public ones" if is_root and servers
               else "it has no name or no server")
        for node in [*servers, *others]:
            node.impossible(f"the zone {name[:200]} is left out: {why}")
        if not clause.nodes:
            r.model.lost(clause.name, "the zone is left out: it has no name or no server")
        return
    for node in servers:
        text = server_of(node, over_tls, node.name.endswith("-addr"))
        if text is not None:
            _server(r, node, "" if is_root else name, text, over_tls)
        if text is not None and not asks_itself and _is_loopback(text):
            node.differently("unbound does not ask its own machine (do-not-query-localhost); weir does", "upstreams.servers")
    for node in others:
        node.taken("upstreams.servers" if is_root else "forward_zones")
    _zone_words(r, clause, kind, name, is_root)


def _is_loopback(text):
    ip = names.address(re.split("[@#]", text)[0])
    return ip is not None and ip.is_loopback


def _server(r, node, zone, text, over_tls):
    if not zone:
        return r.model.server_unbound(node, r.model.upstreams, text, over_tls)
    found = r.model.zone(node, zone)
    return found is not None and r.model.server_unbound(node, found.servers, text, over_tls)


def _zone_words(r, clause, kind, name, is_root):
    for node in clause.all(f"{kind}-first"):
        if node.text == "yes" and is_root:
            r.model.value(node, "upstreams", "mode", "forward-first")
        elif node.text == "yes":
            node.impossible(f"weir asks no other server when those of the zone {name[:200]} fail")
    if kind == "stub":
        clause.all("name")[-1].differently(f"the servers of {name[:200]} get the questions as the servers of a forward zone; "
                                           "authoritative ones must answer for the names below, too", "forward_zones")


def give_rpz(r, clause, folder):
    name = clause.word("name")
    urls, primaries, files = clause.all("url"), clause.all("primary", "master"), clause.all("zonefile")
    node = (urls or primaries or files or [None])[0]
    names_of = clause.all("name")
    if node is None:
        for one in names_of:
            one.impossible("the policy zone is left out: it has no file, URL or primary", BLOCKING)
        return
    if clause.word("rpz-action-override") == "disabled":
        for one in [*names_of, *urls, *primaries, *files]:
            one.needless("the policy zone is disabled (rpz-action-override)")
        return
    if r.model.list(node, name, _place(node, name, bool(urls), bool(primaries), folder), False, "response policy zone"):
        for one in names_of:
            one.taken("blocking.lists")
    else:
        for one in names_of:
            one.impossible("the policy zone is left out, see its place", BLOCKING)
    for one in urls[1:] + (primaries if urls else primaries[1:]):
        one.differently(f"weir takes the zone from one place: {node.shown()}", "blocking.lists", BLOCKING)
    for one in files if files[:1] != [node] else files[1:]:
        one.needless("weir keeps a copy of its own")


def _place(node, name, is_url, is_primary, folder):
    if is_url:
        return node.text
    if not is_primary:
        return os.path.join(folder or "/etc/unbound", node.text)
    rest, _, tls = node.text.partition("#")
    host, _, port = rest.partition("@")
    host = f"[{host}]" if ":" in host else host
    scheme = f"axfr+tls://{tls}@" if tls else "axfr://"
    return f"{scheme}{host}{':' + port if port else ''}/{name.rstrip('.')}"


# Local zones and data
class Scope:
    """Local zones and data of the server, or of a view."""

    def __init__(self):
        self.zones, self.data = {}, []  # name: (type, node); (name, type, value, ttl, node)
        self.opened = []  # (name, node) of nodefault, which is no zone

    def zone(self, node):
        parts = node.text.split()
        if len(parts) != 2:
            return node.impossible(f"`{node.shown()}` is no name with a type", BLOCKING)
        found, why = names.name(parts[0])
        if not found:
            return node.impossible(f"the zone `{parts[0][:200]}` {why}, so it is left out", BLOCKING)
        if parts[1] == "nodefault":
            return self.opened.append((found, node))
        if found in self.zones:
            return node.needless("an earlier line has a type for the zone, which counts")
        self.zones[found] = (parts[1], node)
        return None

    def record(self, node):
        """name [ttl] [class] type data"""
        owner, rest, ttl = (*node.text.split(None, 1), "", "")[0], (*node.text.split(None, 1), "", "")[1], None
        for _ in range(3):
            word, after = (*rest.split(None, 1), "", "")[:2]
            if word.upper() in ("CH", "HS", "CHAOS", "HESIOD"):
                return node.impossible("weir has local records of class IN alone (identity has version.bind and id.server)")
            if word[:1].isdigit() and names.seconds(word.lower()) is not None:
                ttl = names.seconds(word.lower())
            elif word and word.upper() != "IN":
                self.data.append((owner, word.upper(), _value(word.upper(), after.strip()), ttl, node))
                return None
            rest = after
        return node.impossible(f"`{node.shown()}` is no record")

    def pointer(self, node):
        """address [ttl] name"""
        parts = node.text.split()
        ip = names.address(parts[0]) if parts else None
        ttl = names.seconds(parts[1].lower()) if len(parts) == 3 and parts[1][:1].isdigit() else None
        if ip is None or len(parts) not in (2, 3) or (len(parts) == 3 and ttl is None):
            return node.impossible(f"`{node.shown()}` is no address and name")
        self.data.append((names.reverse_name(ip), "PTR", parts[-1], ttl, node))
        return None

    def kind_of(self, name):
        zone = enclosing(name, self.zones)
        return (zone, self.zones[zone][0]) if zone else (None, "transparent")

    def has_data(self, zone):
        return any(enclosing(names.name(owner)[0] or "", (zone,)) for owner, *_ in self.data)


def _value(kind, value):
    """Words of a TXT record without quotes are a string each."""
    if kind == "TXT" and not value.startswith('"'):
        return " ".join(f'"{word}"' for word in value.split())
    return value


def give_records(scope, take):
    """take(node, name, type, value, ttl) of each record that is answered; those of a redirect for the names below, too."""
    for owner, kind, value, ttl, node in scope.data:
        found = names.name(owner)[0]
        zone, of = scope.kind_of(found) if found else (None, "")
        if owner.startswith("*."):
            node.impossible(f"unbound answers the name `{owner[:100]}` alone, with its star; a record of weir would be for all names "
                            "below: write one if that was meant")
        elif of.startswith("always_") and of != "always_null" or of == "block_a" and kind == "A":
            node.needless(f"the zone {zone} is {of}, which ignores its data")
        elif kind in ("SOA", "NS") and names.name(value.split()[0] if value.split() else "")[0]:
            node.differently("weir makes the SOA of a local zone itself, and has no NS", "local.zones")
        elif take(node, owner, kind, value, ttl) and of in REDIRECTS and zone == found:
            take(node, f"*.{owner}", kind, value, ttl)


def modes(zones):
    """The answer of blocking.mode: that of most zones that block."""
    counts = collections.Counter(BLOCKS[kind] for kind, _ in zones.values() if BLOCKS.get(kind))
    return counts.most_common(1)[0][0] if counts else "nxdomain"


def block(r, node, items, name, kind, mode):
    if not r.model.name(node, items, name, kind):
        return
    if BLOCKS[kind] != mode:
        what = "it drops no queries" if not BLOCKS[kind] else f"not as {kind}"
        node.differently(f"weir answers as blocking.mode says ({mode}), {what}" + (f"; {LOGS}" if "inform" in kind else ""),
                         items.key, BLOCKING)


def give_server_zones(r, scope, tagged):
    model, mode = r.model, modes(scope.zones)
    if mode != "nxdomain":
        model.value(None, "blocking", "mode", "'null'" if mode == "null" else mode, "that of most local zones")
    blocked = {name for name, (kind, _) in scope.zones.items() if kind in BLOCKS and name not in tagged}
    for name, (kind, node) in scope.zones.items():
        if name in tagged:
            continue  # for clients with the tag alone
        if kind in BLOCKS:
            block(r, node, model.deny, name, kind, mode)
        elif kind in OPENS:
            model.name(node, model.open_zones, name)
            if enclosing(name.partition(".")[2], blocked):
                model.allow.add(name, "open below a blocked zone")
            _open_notes(scope, node, name, kind)
        elif kind in REDIRECTS and not scope.has_data(name):
            model.name(node, model.closed_zones, name)
            node.differently("the redirect has no data: unbound answers all names without records, weir with NXDOMAIN", "local.zones")
        elif kind in REDIRECTS:
            node.taken("local.records")
            if kind != "redirect":
                node.differently(LOGS, "local.records", PRIVACY)
        elif kind == "static":
            model.name(node, model.closed_zones, name)
        else:
            other_zone(node, name, kind)
    for name, node in scope.opened:
        above = enclosing(name, scope.zones)
        if above:
            node.needless(f"it takes away a zone that unbound has by default; the zone {above} holds the name all the same")
        else:
            model.name(node, model.open_zones, name)


def settle_zones(r, scope, tagged):
    """unbound asks nobody about names of a local zone. weir asks the servers of a zone below one."""
    everyone = {name: of for name, of in scope.zones.items() if name not in tagged}
    settle.deny_below_local(r.model, [(name, BLOCKS[kind], node) for name, (kind, node) in everyone.items() if kind in BLOCKS])
    for name in list(r.model.zones):
        above = enclosing(name, everyone)
        kind = everyone[above][0] if above else ""
        if above and kind not in OPENS:
            del r.model.zones[name]
            r.model.remark(name, f"the servers of the zone are left out: the local zone {above} ({kind}) holds its names", verdict=NEEDLESS)
    settle.open_with_servers(r.model, list(r.model.zones))


def other_zone(node, name, kind):
    if kind == "block_a":
        node.impossible(f"a line `||{name}^$dnstype=A` of a file in blocking.lists blocks the A records of a zone", BLOCKING)
    elif kind == "ipset":
        node.impossible(SETS)
    else:
        node.impossible(f"the type {kind[:40]} of a local zone has no counterpart", BLOCKING)


def _open_notes(scope, node, name, kind):
    if kind == "inform":
        node.differently(LOGS, "local.zones", PRIVACY)
    if kind == "typetransparent" and any(scope.kind_of(names.name(owner)[0] or "")[0] == name for owner, *_ in scope.data):
        node.differently("a name with local data has in weir no other types; unbound asks for those: write its other records into "
                         "local.records, too", "local.zones")


# Views and tags
def give_view(r, clause, netblocks):
    """A group of the clients that access-control-view names."""
    name, nodes = clause.word("name"), [node for _, node in clause.nodes]
    clients = netblocks.pop(name, [])
    if not name or not clients:
        for node in nodes:
            node.needless("no access-control-view names the view, so nobody has it")
        return
    group = r.model.group(nodes[0], name, "view")
    if group is None:
        for node in nodes:
            node.impossible("the view is left out: weir has no room for its group", BLOCKING)
        return
    for text, node in clients:
        r.model.group_client(node, group, text)
    scope = scope_of(clause)
    _view_zones(r, group, scope)
    give_records(scope, lambda *record: r.model.record(*record, of=group))
    for node in clause.all("name"):
        node.taken("groups")
    for node in clause.all("view-first"):
        node.taken("groups")
    if not clause.is_on("view-first") and scope.zones:
        clause.all("name")[-1].differently(f"in the view {name[:60]} everyone's local zones and data do not count; for a group of weir "
                                           "they do, behind its own", "groups")


def scope_of(clause):
    scope = Scope()
    for node in clause.all("local-zone"):
        if not node.is_empty():
            scope.zone(node)
    for key, take in (("local-data", scope.record), ("local-data-ptr", scope.pointer)):
        for node in clause.all(key):
            if not node.is_empty():
                take(node)
    return scope


def _view_zones(r, group, scope):
    everyone = (r.model.values.get(("blocking", "mode")) or ("nxdomain",))[0].strip("'")
    mode = modes(scope.zones) if any(BLOCKS.get(kind) for kind, _ in scope.zones.values()) else everyone
    if mode != everyone:
        group.block["mode"] = f"'{mode}'"
    for _, node in scope.opened:
        node.needless("it takes away a zone that a view has by default; a group of weir has none")
    for name, (kind, node) in scope.zones.items():
        if kind in BLOCKS:
            block(r, node, group.deny, name, kind, mode)
            r.state.group_denied.append((name, node))
        elif kind == "static":
            r.model.name(node, group.deny, name, kind)
            node.differently(f"a group has no local zones: weir blocks its other names ({mode})", "groups.deny", BLOCKING)
        elif kind in REDIRECTS and scope.has_data(name):
            node.taken("groups.local_records")
        elif kind in (*OPENS, "noview"):
            r.model.name(node, group.allow, name, kind)
            node.differently("the names of the zone are allowed to the group, whatever a list says", "groups.allow", BLOCKING)
        else:
            other_zone(node, name, kind)


def give_tags(r, scope, tag_nodes, client_nodes):
    """Zones that block clients with one of their tags: a group for the clients. Returns the zones that are for tags alone."""
    tags = {}
    for node in tag_nodes:
        parts = node.text.split()
        found = names.name(parts[0])[0] if parts else None
        if found and found in scope.zones:
            tags[found] = (set(parts[1:]), node)
        else:
            node.needless("no local-zone has the name")
    used = set()
    for node in client_nodes:
        parts = node.text.split()
        mine = {zone for zone, (of, _) in tags.items() if of & set(parts[1:]) and scope.zones[zone][0] in BLOCKS}
        used |= mine
        if not parts or not mine:
            node.needless("no zone that blocks has one of these tags")
            continue
        group = r.model.group(node, " ".join(parts[1:]), "tags")
        if group is not None and r.model.group_client(node, group, parts[0]):
            for zone in sorted(mine):
                r.model.name(node, group.deny, zone, scope.zones[zone][0])
                r.state.group_denied.append((zone, scope.zones[zone][1]))
    for zone, (_, node) in tags.items():
        what = "groups.deny" if zone in used else ""
        for one in (node, scope.zones[zone][1]):
            if what:
                one.taken(what)
            else:
                one.impossible("the zone is for clients with its tags, and no group could be made of them: write one with rules of "
                               "its own (docs/how-to/groups.md)", BLOCKING)
    return set(tags)


# Who may ask
ALLOWS = {"allow": "", "allow_setrd": "a query without RD is answered as others are in weir",
          "allow_snoop": "weir looks at no RD: its cache answers such queries, too",
          "allow_cookie": "weir wants a cookie only over access.rate (cookies.require)"}


def give_access(r, nodes, made_by):
    """The longest prefix decides, in both. `made_by`: access-control-tag and -view, which deny a prefix that no line allows."""
    found = {}
    for node in nodes:
        prefix, _, action = node.text.partition(" ")
        network = names.prefix(prefix)
        if network is None:
            node.impossible(f"`{prefix[:60]}` is no prefix", PRIVACY)
        elif names.is_mapped(network):
            node.needless("weir knows clients over IPv4 by their IPv4 address")
        elif network in found:
            node.needless("an earlier line is about the prefix, which counts")
        else:
            found[network] = (action.strip(), node)
    if not found and not made_by:
        return r.model.remark("access-control", "without it unbound answers its own machine alone; weir answers all private networks: "
                              "set access.allow", PRIVACY, to="access.allow")
    for text in ("127.0.0.0/8", "::1"):
        network = names.prefix(text)
        if network not in found:
            r.model.access_allow.add(text, "unbound allows it by default" if text != "::1" else None)
    allowed = [network for network, (action, _) in found.items() if action in ALLOWS]
    allowed += [names.prefix(text) for text in r.model.access_allow.texts()]
    for network, (action, node) in found.items():
        _access_one(r, network, action, node, allowed)
    if not any(network.prefixlen == 0 for network in found):
        r.model.remark("access-control", "unbound answers REFUSED to all others; weir answers them nothing unless access.denied is "
                       "refuse", to="access.denied") if ("access", "denied") not in r.model.values else None
    return None


def _access_one(r, network, action, node, allowed):
    model, text = r.model, names.prefix_text(network)
    if action in ALLOWS:
        model.prefix(node, model.access_allow, text)
        if ALLOWS[action]:
            node.differently(ALLOWS[action], "access.allow", PRIVACY)
        return
    if action not in ("deny", "refuse", "deny_non_local", "refuse_non_local"):
        node.impossible(f"the action {action[:40]} has no counterpart; who is not in access.allow may not ask", PRIVACY)
    if any(network.version == one.version and network != one and network.subnet_of(one) for one in allowed):
        model.prefix(node, model.access_deny, text)
    else:
        node.taken("access.allow")  # which lacks it
    denied, before = "refuse" if action.startswith("refuse") else "drop", model.values.get(("access", "denied"))
    if before and before[0] != denied:
        node.differently(f"weir answers all who may not ask alike, as access.denied says: {before[0]}", "access.denied")
    elif action.startswith(("refuse", "deny")):
        model.value(node, "access", "denied", denied, "access-control")
    if action.endswith("non_local"):
        node.differently(f"{action}: such clients get nothing, local data neither", "access.deny", PRIVACY)
