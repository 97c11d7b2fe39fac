# SPDX-License-Identifier: BSD-3-Clause
"""After the last file: what weir refuses in values that do not go together, and bounds of several lists together."""
from . import names
from .account import BLOCKING, NEEDLESS, PRIVACY
from .model import BLOCKED_TYPES, BLOCKED_TYPES_MAX, ENTRIES_MAX, Entry

PATTERNS_MANY = 4096
# Of include/weir/config.h and config/lists.h; a test compares.
GROUP_ENTRIES_MAX, ENTRY_KINDS_MAX, MEMBERS_MAX = 10000, 30, 4096
BOUNDS = {"negative_anchors": 64, "access_allow": 256, "access_deny": 256, "access_unlimited": 256, "log_names": 256,
          "log_clients": 256, "ptr_servers": 4, "lease_files": 8, "services": 188}


def settle(model):
    _ttls(model)
    _mode(model)
    _subnet(model)
    _upstreams(model)
    _records(model)
    _members(model)
    _entries(model)
    _types(model)
    _patterns(model)
    _exempt(model)
    for word, most in BOUNDS.items():
        _cut(model, getattr(model, word), most)
    model.open_zones.keep([t for t in model.open_zones.texts() if t not in model.closed_zones])
    _cut(model, model.closed_zones, 1000)
    _cut(model, model.open_zones, 1000 - len(model.closed_zones))


def _cut(model, items, most, key=None):
    texts = items.texts()
    if len(texts) > most:
        items.keep(texts[:most])
        model.lost(key or items.key, f"{len(texts) - most} entries are left out: weir takes {most} here")


def _text(model, section, key):
    return model.values.get((section, key), (None,))[0]


def _ttls(model):
    least, most = _text(model, "cache", "min_ttl"), _text(model, "cache", "max_ttl")
    if least and most and int(least) > int(most):
        model.remark("cache", f"the shortest TTL, {least}, is over the longest, which counts")
        model.values["cache", "min_ttl"] = (most, None)


def _mode(model):
    if _text(model, "blocking", "mode") == "address" and not (_text(model, "blocking", "ipv4") or _text(model, "blocking", "ipv6")):
        model.remark("blocking.mode", "it answers with an address, and has none: 0.0.0.0 and ::", BLOCKING)
        model.values["blocking", "mode"] = ("'null'", None)


def _types(model):
    if _text(model, "blocking", "mode") in (None, "nxdomain") and any(e.types and not (e.reply or e.allow) for e in model.entries):
        model.remark("blocking.mode", "an entry that denies some query types of a name answers NODATA, and not NXDOMAIN: the name has others",
                     BLOCKING)


def _subnet(model):
    """weir refuses both: it validates answers without a client. Privacy first: the servers then get no subnet."""
    keys = [("upstreams", "client_subnet_ipv4"), ("upstreams", "client_subnet_ipv6")]
    if _text(model, "dnssec", "validate") == "true" and any(_text(model, *key) not in (None, "0") for key in keys):
        for key in keys:
            model.values.pop(key, None)
        model.lost("upstreams.client_subnet_ipv4", "it is left out: weir validates answers (dnssec.validate) without a client, so "
                   "that servers would get no subnet", PRIVACY)


def _upstreams(model):
    """A resolver without servers has none to choose among."""
    if model.is_recursive and not len(model.upstreams):
        model.values = {k: v for k, v in model.values.items() if k[0] != "upstreams" or k[1] == "recursion_ip"}


def _records(model):
    """In order, none twice, nothing beside a CNAME."""
    for of in (model, *model.groups):
        of.records = _in_order(model, of.records)


def _in_order(model, records):
    def order(r):
        return r.name, r.type != "CNAME", r.type, r.value.lower()
    kept = []
    for record in sorted(records, key=order):
        before = kept[-1] if kept else None
        if before and order(before) == order(record):
            continue
        if before and before.name == record.name and before.type == "CNAME":
            model.lost(record.name, f"its record {record.type} {record.value} is left out: the name has a CNAME, and so no other "
                       "record")
            continue
        kept.append(record)
    return kept


def _members(model):
    left = MEMBERS_MAX
    for group in model.groups:
        _cut(model, group.clients, left, group.name)
        left -= len(group.clients)
        _cut(model, group.allow, GROUP_ENTRIES_MAX, group.name)
        _cut(model, group.deny, GROUP_ENTRIES_MAX, group.name)
    left = MEMBERS_MAX
    for client in model.clients:
        _cut(model, client.members, left, client.name)
        left -= len(client.members)


def _entries(model):
    """Those of groups that are written, within weir's bounds."""
    entries, model.entries, kinds = model.entries, [], {}
    for e in entries:
        if e.group and not e.group.has_members():
            continue
        of = kinds.setdefault((e.group, e.allow), set())
        kind = frozenset(e.types), e.reply
        if len(model.entries) == ENTRIES_MAX or len(e.types) > BLOCKED_TYPES_MAX or len(of | {kind}) > ENTRY_KINDS_MAX:
            model.lost(e.name, f"the entry for {e.group.name if e.group else 'everyone'} is left out: weir takes {ENTRIES_MAX} with query "
                       f"types or a reply, {BLOCKED_TYPES_MAX} types in each, and {ENTRY_KINDS_MAX} combinations of types and reply to "
                       "allow, or to deny, in one group", BLOCKING)
            continue
        of.add(kind)
        model.entries.append(e)


def above(name):
    """The name and those above it, from the longest."""
    labels = name.split(".")
    return (".".join(labels[i:]) for i in range(len(labels)))


def is_below(name, zones):
    return any(zone in zones for zone in above(name))


def _exempt(model):
    """A zone for the upstreams below a forward zone; one with servers of its own needs no exemption."""
    with_servers = {z.name for z in model.zones.values() if len(z.servers)}
    for name, at in model.exempt.items():
        if name not in with_servers and is_below(name, with_servers):
            zone = model.zone(at, name)
            if zone:
                zone.exempt = True


def records_before_zones(model):
    """For sources that look at their records first. weir asks the servers of a zone that lies below such a record."""
    names_of = {record.name for record in model.records}
    wild = {name[2:] for name in names_of if name.startswith("*.")}
    for of in (model, *model.groups):
        for name in list(of.zones):
            if is_below(name.partition(".")[2], wild) or (name in wild and name in names_of):
                del of.zones[name]
                model.remark(name, "the servers of the zone are left out: a record at or above it holds its names", verdict=NEEDLESS)


def open_with_servers(model, zones):
    """weir answers NODATA for a name between a local zone and its records, and between the root and those."""
    local = {*(record.name.removeprefix("*.") for record in model.records), *model.closed_zones.texts()}
    between = {name for one in local for name in above(one)}
    for name in zones:
        if name not in local and (name in between or is_below(name, model.closed_zones)):
            model.open_zones.add(name, "it has servers of its own")


def longest_decides(model):
    """For sources in which the longest name decides, whether it is blocked, local or has servers. In weir a name that is blocked has
    none, nor has one of a local zone between its records."""
    with_servers = [z.name for z in model.zones.values() if len(z.servers)]
    open_with_servers(model, with_servers)
    for name in [*with_servers, *model.open_zones.texts()]:
        if name not in model.deny and is_below(name, model.deny):
            model.allow.add(name, "it has servers, below a name that is blocked")


def deny_below_local(model, blocked):
    """weir looks at local zones and records first: a name that is blocked below one, (name, mode, node), becomes local, too."""
    local = {record.name[2:] for record in model.records if record.name.startswith("*.")}
    local |= {*model.closed_zones.texts(), *model.open_zones.texts()}
    gone = set()
    for name, mode, node in sorted((one for one in blocked if one[0]), key=lambda one: one[0].count(".")):
        nearest = next((zone for zone in above(name) if zone in local), None)
        if nearest is None or name not in model.deny or (mode == "nxdomain" and nearest in model.closed_zones):
            continue
        if mode == "null":
            for owner in (name, f"*.{name}"):
                model.address(node, owner, "0.0.0.0")
                model.address(node, owner, "::")
        elif mode == "nxdomain":
            model.name(node, model.closed_zones, name)
            node.differently(f"a local zone, as it lies below {nearest}, which is one: weir answers NODATA for {name[:100]} itself", "local.zones",
                             BLOCKING)
        else:
            node.differently("weir looks at the local zone or record above it first, and answers as that says", "blocking.deny", BLOCKING)
            continue
        gone.add(name)
        local.add(name)
    model.deny.keep([text for text in model.deny.texts() if text not in gone])


def _patterns(model):
    """weir takes them all, but each build of the rules compiles them."""
    lists = [model.allow, model.deny, *(items for g in model.groups for items in (g.allow, g.deny))]
    texts = [text for items in lists for text in items.texts()] + [e.name for e in model.entries]
    n = sum(text.startswith("/") for text in texts)
    if n > PATTERNS_MANY:
        model.remark("patterns", f"{n} entries are patterns, which each build of the rules compiles (seconds for some thousand): "
                     "write names where the names below may follow, or a list", BLOCKING)


def covered(types):
    """The query types that an entry with `types` is for; "": those without a name in weir."""
    plain = {t.removeprefix("~") for t in types}
    return plain if types and types[0][0] != "~" else {*BLOCKED_TYPES, ""} - plain


def types_of(covers):
    """`types` of an entry that is for these query types."""
    mark = "~" if "" in covers else ""
    return tuple(mark + t for t in BLOCKED_TYPES if (t in covers) != bool(mark))


def _important(model):
    """What no exception takes back, with its query types: rules with $important, and those with a reply, from $dnsrewrite."""
    model.important = {text for text in model.important if not is_below(text, model.final)}
    return _rewrites(model) | {text: covered(()) for text in model.important}


def _rewrites(model):
    found = {}
    for e in model.entries:
        if e.reply:
            found.setdefault(e.name, set()).update(covered(e.types))
    return found


def _important_wins(model, important):
    """Takes what is in `important`, or below a name of it, out of the entries to allow, for its query types."""
    rewrites = _rewrites(model)

    def over(text):
        return rewrites if text in model.final else important
    groups = [(model.allow, None), *((g.allow, g) for g in model.groups)]
    allowed = [Entry(text, True, (), "", group, note) for items, group in groups for text, note in items if is_below(text, over(text))]
    for items, _ in groups:
        items.keep([text for text in items.texts() if not is_below(text, over(text))])
    entries, model.entries = model.entries + allowed, []
    for e in entries:
        covers = covered(e.types)
        if e.allow:
            covers -= {t for name in above(e.name) for t in over(e.name).get(name, ())}
            e.types = types_of(covers)
        if covers:
            model.entries.append(e)


def allow_wins(model):
    """For sources in which an entry to allow wins over any to deny. In weir the longer name decides, and names come before
    patterns: entries of `deny` that an allowed name or pattern could cover become patterns."""
    important = _important(model)
    if important:
        _important_wins(model, important)
    allowed = [text for items in (model.allow, *(g.allow for g in model.groups)) for text in items.texts()]
    allowed += [e.name for e in model.entries if e.allow]
    if allowed and any(text.startswith("/") for text in important):
        model.remark("$important, $dnsrewrite", "a pattern with one of these options blocks no name that an entry allows: write the name",
                     BLOCKING)
    zones, has_pattern = {t for t in allowed if not t.startswith("/")}, any(t.startswith("/") for t in allowed)

    def turned(text):
        if text.startswith("/") or text in model.important or not (has_pattern or is_below(text, zones)):
            return text
        return f"/{names.whole_pattern(text)}/"
    for e in model.entries:
        e.name = e.name if e.allow or e.reply else turned(e.name)
    for deny in (model.deny, *(g.deny for g in model.groups)):
        deny.notes = {turned(text): note for text, note in deny}
