# SPDX-License-Identifier: BSD-3-Clause
"""AdGuardHome.yaml, schemas 12 to 32. Keys moved between the sections over time: a table has both places."""
import ipaddress
import pathlib
import re

from .. import filter_rules, names, servers, settle, source, yaml_source
from ..account import BLOCKING, PRIVACY
from ..model import ENGINES, SCHEDULES_MAX, Schedule
from ..table import differently, flag, holder, impossible, nat64, needless, number, read as read_table, seconds, takes, value

TITLE = "AdGuard Home"
USUAL_HOSTS = ("version.bind", "id.server", "hostname.bind")
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
ZERO = ("", "0", "0s")


def texts(node):
    """The items of a list, or a text as its only one."""
    return node.below() if node.kind == "list" else [node]


# Lists and rules
def _list(r, node, allow):
    url = node.word("url")
    if not node.flag("enabled", True):
        return node.needless(f"{url[:200]}: the list is disabled there, so it is left out")
    node.taken_keys("blocking.lists", "enabled", "name", "id")
    r.model.list(node.get("url") or node, node.word("name"), url, allow)


def deny_list(r, node):
    _list(r, node, False)


def allow_list(r, node):
    _list(r, node, True)


def user_rule(r, node):
    filter_rules.take_text(r.model, node, r.model.allow, r.model.deny, node.text)


def blocked_host(r, node):
    if node.text in USUAL_HOSTS:
        return node.usual()
    filter_rules.take_text(r.model, node, r.model.allow, r.model.deny, node.text)


def rewrite(r, node):
    model, name, answer = r.model, node.word("domain"), node.word("answer")
    root = r.state.root
    if not node.flag("enabled", True) or root.word("filtering.rewrites_enabled") == "false":
        return node.needless(f"{name[:100]}: the rewrite is disabled there, so it is left out")
    if answer.lower() == name.lower():
        return node.impossible(f"{name[:100]}: a rewrite to itself, an exemption from a wildcard, is left out")
    if answer in ("A", "AAAA"):
        return node.impossible(f"{name[:100]}: a rewrite that keeps the records of the upstream is left out")
    at = node.get("answer") or node
    if names.address(answer) is not None:
        model.address(at, name, answer)
    else:
        model.record(at, name, "CNAME", answer)
    node.taken_keys("local.records", "domain", "enabled")


# Upstreams
def upstream(r, node):
    upstream_line(r, node, node.text)


def upstream_line(r, node, line, group=None):
    line = line.strip()
    if not line or line.startswith("#"):
        return node.usual("a comment")
    if not line.startswith("[/"):
        return r.model.server(node, (group or r.model).upstreams, line)
    zones, end, rest = line[2:].partition("/]")
    if not end:
        return node.impossible(f"`{line[:200]}`: its zones have no end")
    for zone in zones.split("/"):
        for one in rest.split():
            _zone_server(r, node, zone, one, group)
    if not rest.split():
        node.impossible(f"`{line[:200]}` has no server")


def _zone_server(r, node, zone, server, group):
    if not zone:
        return node.impossible(f"{server[:100]}: a server for names without a dot is left out: weir sends them to the upstreams",
                               PRIVACY)
    if server == "#" and group:
        return r.model.exempt_of(node, zone, group)
    if server == "#":
        return r.model.exempt_zone(node, zone)
    if r.model.zone_server(node, zone, server, group) and not group:
        r.state.own_zones[zone] = node


def upstream_file(r, node):
    if not node.text.startswith("/"):
        return node.impossible(f"{node.shown()} is not read: give its servers in dns.upstream_dns, or an absolute path")
    try:
        lines = list(source.read_lines(node.text))
    except source.Refused as refused:
        return node.impossible(f"{refused}: its servers are left out")
    for _, line in lines:
        if line.strip():
            upstream_line(r, node, line)
    node.differently("its servers stand in the result: import again when the file changes", "upstreams.servers")


def fallback(r, node):
    node.impossible(f"{node.shown()} is left out: with `policy: failover` the last of upstreams.servers is one")


def bootstrap(r, node):
    r.model.bootstrap_server(node, node.text)


def mode(r, node):
    if node.text == "parallel":
        r.model.value(node, "upstreams", "race", "2", "upstream_mode: parallel")
        node.differently("weir asks two servers at one time, not all", "upstreams.race")
    elif node.text == "fastest_addr":
        node.impossible("fastest_addr: weir does not measure the addresses of answers")
    elif node.text == "load_balance":
        r.model.value(node, "upstreams", "policy", "latency", "upstream_mode: load_balance")
    else:
        node.impossible(f"`{node.shown()}` is no mode of AdGuard Home")


def all_servers(r, node):
    r.model.value(node, "upstreams", "race", "2")
    node.differently("weir asks two servers at one time, not all", "upstreams.race")


def ptr_servers(r, node):
    """Servers for reverse names of private networks: all of them, or those of private_networks."""
    root = r.state.root
    if root.word("dns.use_private_ptr_resolvers") == "false":
        return node.needless("use_private_ptr_resolvers is false")
    own = root.get("dns.private_networks")
    networks = [n.text for n in own.below()] if own and own.items else PRIVATE
    for one in texts(node):
        for network in networks:
            r.model.reverse_zone_server(one, network, one.text)
        server = servers.parse(one.text)
        if root.flag("clients.runtime_sources.rdns") and server and not server.scheme and names.address(server.host):
            r.model.ptr_servers.add(server.text())


def private_networks(r, node):
    ptr = r.state.root.get("dns.local_ptr_upstreams")
    for one in texts(node):
        if names.prefix(one.text) is None:
            one.impossible(f"`{one.shown()}` is no network")
        elif ptr and ptr.items:
            one.taken("forward_zones")
        else:
            one.differently("weir answers reverse names of all private networks itself (local.special_names), and of no others")


def private_ptr(r, node):
    if node.text == "false":
        return node.differently("weir answers reverse names of private networks itself (local.special_names)", "local.special_names")
    node.usual()


def aaaa_disabled(r, node):
    """AdGuard Home takes the IPv6 hints out of HTTPS records as well."""
    flag("ipv6", "filter_aaaa").handler(r, node)
    if node.text == "true":
        r.model.value(None, "blocking", "https_strip", "[ipv6hint]", node.path)


# Blocking
MODES = {"default": "'null'", "null_ip": "'null'", "nxdomain": "nxdomain", "refused": "refused", "custom_ip": "address"}


def block_mode(r, node):
    if node.text not in MODES:
        return node.impossible(f"`{node.shown()}` is no mode of AdGuard Home")
    r.model.value(node, "blocking", "mode", MODES[node.text], node.text)


def protection(r, node):
    r.model.value(node, "blocking", "enabled", node.text)


def filtering(r, node):
    protection(r, node)
    root = r.state.root
    if node.text == "false" and "false" not in (root.word("filtering.protection_enabled"), root.word("dns.protection_enabled")):
        r.state.filtering_off = node


def note_filtering(r):
    """It is about lists, rules and rewrites for everyone, and clients may have their own."""
    at, model = r.state.filtering_off, r.model
    if at and (len(model.services) or model.schedules or r.state.filters_clients):
        at.impossible("services are blocked there all the same, and clients with settings of their own filtered; weir then blocks nothing for "
                      "anyone: for services alone set blocking.enabled to true, and leave out lists, deny and allow")


def _block_address(r, node, version):
    root = r.state.root
    if (root.word("filtering.blocking_mode") or root.word("dns.blocking_mode")) != "custom_ip":
        return node.needless("blocking_mode is not custom_ip")
    ip = names.address(node.text)
    if ip is None or ip.version != version:
        return node.impossible(f"`{node.shown()}` is no address, so it is left out")
    r.model.value(node, "blocking", f"ipv{version}", f"'{ip}'" if version == 6 else str(ip))


def block_v4(r, node):
    _block_address(r, node, 4)


def block_v6(r, node):
    _block_address(r, node, 6)


def services(r, node):
    """`ids` with a schedule of windows in which they are NOT blocked."""
    _services(r, node, r.model.services, r.model.schedules)


def _services(r, node, items, schedules):
    if node.kind == "list":  # before schema 25
        for one in node.below():
            r.model.service(one, items, one.text)
        return
    ids, schedule = node.get("ids"), node.get("schedule")
    windows = _windows(schedule) if schedule else {}
    if windows is None:
        schedule.impossible("a window of the schedule is no time of day: the services are always blocked", BLOCKING)
        windows = {}
    if not windows:
        for one in texts(ids) if ids else []:
            r.model.service(one, items, one.text)
    else:
        scratch = type(items)("blocking.schedules")
        for one in texts(ids) if ids else []:
            r.model.service(one, scratch, one.text)
        zone = _zone(schedule)
        made = _schedules(windows, scratch.texts(), zone) if len(scratch) else []
        if len(made) > SCHEDULES_MAX:
            schedule.impossible(f"it has more windows than the {SCHEDULES_MAX} of weir: the services are always blocked", BLOCKING)
            for text in scratch.texts():
                items.add(text)
        else:
            schedules.extend(made)
    if schedule:
        for day in DAYS:
            if schedule.get(day):
                schedule.get(day).taken_keys("blocking.schedules", "start", "end")
        schedule.taken_keys("blocking.schedules", "time_zone")
    if ids and not ids.items:
        ids.usual()


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _zone(schedule):
    """The time zone for weir; "": its machine's, also for one that this machine does not know."""
    zone = schedule.word("time_zone")
    if zone in ("", "Local"):
        return ""
    if re.fullmatch(r"[\w+-][\w+/-]{,63}", zone, re.ASCII) and pathlib.Path("/usr/share/zoneinfo", zone).is_file():
        return zone
    schedule.differently(f"this machine has no time zone {zone[:40]} (package tzdata); weir goes by its own", "blocking.schedules", BLOCKING)
    return ""


def _windows(schedule):
    """{day: (begin, end)} in minutes, of those in which the services may be used. None: a time is wrong."""
    found = {}
    for day in DAYS:
        of = schedule.get(day)
        if of is None or not of.items:
            continue
        begin, end = (names.seconds(of.word(key, "0s")) for key in ("start", "end"))
        if begin is None or end is None or not 0 <= begin < end <= 86400:
            return None
        found[day] = (begin // 60, -(-end // 60) if end < 86340 else 1440)
    return found


def _schedules(windows, ids, zone):
    """The windows in which they are blocked: before and behind those, and whole days."""
    by_window = {}
    for day in DAYS:
        begin, end = windows.get(day, (0, 0))
        blocked = [(0, begin), (end, 1440)] if end else [(0, 1440)]
        for window in blocked:
            if window[0] < window[1]:
                by_window.setdefault(window, []).append(day)
    def clock(minutes):
        return f"{minutes // 60:02d}:{minutes % 60:02d}"
    return [Schedule(tuple(days), clock(a), clock(b), ids, time_zone=zone) for (a, b), days in sorted(by_window.items())]


def search(r, node):
    _search(node, r.model.safe_search, False)


def _search(node, engines, says_off):
    enabled = node.flag("enabled")
    for engine in ENGINES:
        is_on = enabled and node.flag(engine)
        if is_on or (says_off and node.get(engine)):
            engines[engine] = "strict" if is_on else "'off'"
    for name, one in node.items:
        if name == "enabled" or name in ENGINES:
            one.taken("blocking.safe_search")


def old_search(r, node):
    """Before schema 19: one switch for all."""
    if node.text == "true":
        r.model.safe_search.setdefault("all", "true")
    node.taken("blocking.safe_search")


SERVICE = "weir asks no service about names: "
PARENTAL = impossible(SERVICE + "add lists of adult sites", BLOCKING, default="false")
BROWSING = impossible(SERVICE + "add lists of malware and phishing", BLOCKING, default="false")


# Who may ask
def allowed(r, node):
    for one in texts(node):
        r.model.prefix(one, r.model.access_allow, one.text)


def disallowed(r, node):
    root = r.state.root
    given = root.get("dns.allowed_clients")
    for one in texts(node):
        network = names.prefix(one.text)
        if given and given.items:
            one.needless("allowed_clients is there, so AdGuard Home does not look at it, and weir answers those alone")
        elif network is None:
            one.impossible(f"`{one.shown()}`: weir denies addresses alone (access.deny)", PRIVACY)
        elif not any(network.version == p.version and network.subnet_of(p) for p in map(ipaddress.ip_network, PRIVATE)):
            one.needless("weir answers private networks and its own alone (access.allow)")
        else:
            r.model.prefix(one, r.model.access_deny, one.text)


def rate(r, node):
    if node.text == "0":
        r.model.value(node, "access", "rate", "0")
        return r.model.value(node, "access", "network_rate", "0")
    r.model.number(node, "access", "network_rate", node.text, 0, 10000000)
    node.differently("weir counts IPv4 /24 and IPv6 /56, and not the clients of access.unlimited, private networks by default",
                     "access.network_rate")


def rate_free(r, node):
    r.model.unlimited(texts(node))


# Cache
def interval(r, node):
    """Hours."""
    if node.text == "0":
        return r.model.value(node, "blocking.update", "interval", "0")
    r.model.number(node, "blocking.update", "interval", node.text, 3600, 604800, 3600)


def subnet(r, node):
    if not node.flag("enabled"):
        return node.usual("it is off")
    for key, bits in (("client_subnet_ipv4", "24"), ("client_subnet_ipv6", "56")):
        r.model.value(None, "upstreams", key, bits, "edns_client_subnet")
    custom = node.get("custom_ip")
    if custom and custom.text and node.flag("use_custom"):
        custom.impossible("weir sends the client's own subnet: without it set client_subnet_ipv4 and _ipv6 to 0")
    node.taken_keys("upstreams.client_subnet_ipv4", "enabled", "use_custom", "custom_ip")


# Privacy
def log_enabled(r, node):
    r.model.value(node, "query_log", "enabled", node.text, "querylog.enabled")


def log_file(r, node):
    """Without a file the log is in memory alone."""
    r.model.value(node, "query_log.store", "enabled", node.text, "querylog.file_enabled")
    if node.text == "false":
        node.differently("AdGuard Home keeps the last queries in memory; weir then keeps none, and shows those to come (weirctl watch)",
                         "query_log.store.enabled")


def log_interval(r, node):
    """"24h", "2160h"; in old schemas days."""
    days = names.integer(node.text)
    n = days * 86400 if days is not None else names.seconds(node.text)
    if n is None:
        return node.impossible(f"`{node.shown()}` is no time")
    r.model.number(node, "query_log.store", "hours", str(-(-n // 3600)), 1, 8760)


def anonymize(r, node):
    if node.text != "true":
        return node.usual()
    r.model.value(node, "query_log", "anonymize", "truncate", "anonymize_client_ip")
    node.differently("AdGuard Home keeps 16 bits of an IPv4 address, weir 24 (both 48 of IPv6); `anonymize: hash` keeps none",
                     "query_log.anonymize")


def _ignored_name(r, one):
    text = one.text.strip()
    if text.startswith("||"):
        text = text[2:].rstrip("^")
    elif text.startswith("*."):
        one.differently(f"{text[2:][:100]} itself is not logged, too", "query_log.exclude_domains")
    elif not text.startswith(("|", "/", "@")) and text != ".":
        one.differently(f"names below {text[:100]} are not logged, too", "query_log.exclude_domains")
    if text in (".", "|.^"):
        return one.needless("weir logs what the root is asked as any other name")
    return r.model.name(one, r.model.log_names, text.strip("|^"))


def log_ignored(r, node):
    if r.state.root.word("querylog.ignored_enabled") == "false":
        return node.needless("ignored_enabled is false")
    for one in texts(node):
        _ignored_name(r, one)


def stats_ignored(r, node):
    """weir's statistics by name come from the log."""
    if r.state.root.word("statistics.ignored_enabled") == "false":
        return node.needless("ignored_enabled is false")
    for one in texts(node):
        if _ignored_name(r, one):
            one.differently("weir's statistics by name come from its log, so the log leaves the name out, too",
                            "query_log.exclude_domains")


def stats_enabled(r, node):
    if node.text == "true":
        return node.usual()
    node.differently("weir's counters are always on, and have neither names nor clients; those by name come from the log "
                     "(query_log.enabled)", "query_log.enabled")


# Clients
def client(r, node):
    model, name = r.model, node.word("name")
    made = model.client(node, name)
    group = _group(r, node, name) if _has_own(node) else None
    r.state.node, r.state.client, r.state.group, r.state.own = node, made, group, node.word("use_global_settings") == "false"
    read_table(r, node, CLIENT_KEYS)


def _has_own(node):
    """Has it settings of its own?"""
    upstreams = node.get("upstreams")
    return node.word("use_global_settings") == "false" or node.word("use_global_blocked_services") == "false" or \
        bool(upstreams and upstreams.items)


def _group(r, node, name):
    model = r.model
    group = model.group(node, name, "from AdGuard Home: a client with its own settings")
    if group is None:
        return None
    group.own_lists, group.inherit = True, False
    for one in model.lists:
        group.lists.add(one.name)
    if node.word("use_global_settings") == "false":
        group.blocking = node.flag("filtering_enabled", True)
        search_of = node.get("safe_search")
        if search_of:
            _search(search_of, group.safe_search, False)
    else:
        group.safe_search = dict(model.safe_search)
    services_of = node.get("blocked_services")
    if node.word("use_global_blocked_services") != "false":
        for text in model.services.texts():
            group.services.add(text)
        group.schedules = list(model.schedules)
    elif services_of:
        _services(r, services_of, group.services, group.schedules)
    r.state.filters_clients |= group.blocking and (len(group.services) > 0 or node.word("use_global_settings") == "false")
    _unfiltered(r.model, node, group)
    for one in node.get("upstreams").below() if node.get("upstreams") else []:
        upstream_line(r, one, one.text, group)
    if len(group.upstreams):  # AdGuard Home then looks at no servers of upstream_dns, neither at those of a zone
        for zone, at in r.state.own_zones.items():
            model.exempt_of(at, zone, group)
    return model.group_twin(group)


def _unfiltered(model, node, group):
    """`filtering_enabled: false` of a client is about lists, rules and rewrites; its services are blocked all the same."""
    if group.blocking:
        return
    at = node.get("filtering_enabled")
    group.blocking = len(group.services) > 0 or bool(group.schedules)
    if group.blocking:
        group.lists.keep([])
    if group.blocking and (len(model.deny) or len(model.allow) or model.entries):
        at.differently("its services are blocked there all the same, so its group blocks, and what `user_rules` deny and allow for everyone "
                       "counts in the group, too", "groups.blocking")
    if model.records:
        at.differently("the client gets no rewrites there; weir's local records are for everyone", "local.records")


def client_ids(r, node):
    made, group = r.state.client, r.state.group
    for one in texts(node):
        if names.member(one.text) is not None:
            if made is None or r.model.client_member(one, made, one.text):
                if group:
                    r.model.group_client(one, group, one.text, made.name if made else None)
        elif group is not None and _is_label(one.text):
            group.client_names.add(one.text.lower())
            one.taken("groups.client_names")
        else:
            one.impossible(f"the ClientID `{one.shown()}` is left out: groups have client_names (docs/how-to/groups.md#by-name)")


def _is_label(text):
    return 0 < len(text) < 64 and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def client_ignored(r, node):
    """Clients that the log leaves out go by their addresses."""
    made = r.state.client
    addresses = [t for t in made.members.texts() if not names.mac(t)] if made else []
    if not addresses:
        return node.impossible("weir's log leaves out clients by address alone (query_log.exclude_clients)")
    for text in addresses:
        r.model.prefix(node, r.model.log_clients, text, made.name)
    if len(addresses) < len(made.members):
        node.differently("its MAC address does not count: weir's log leaves out clients by address alone",
                         "query_log.exclude_clients")


def stats_client_ignored(r, node):
    client_ignored(r, node)
    node.differently("weir's statistics by client come from its log, so the log leaves the client out, too",
                     "query_log.exclude_clients")


def global_settings(r, node):
    node.taken("groups.inherit")


def setting(switch):
    """A section that _group has read, if `switch` says that the client has its own."""
    def take(r, node):
        client_of = r.state.node
        if client_of.word(switch) != "false":
            node.usual("the client has the global settings")
        elif node.kind == "text":
            node.taken("groups")
    return takes(take, BLOCKING)


def own_only(row):
    """The row for a client that has settings of its own; else the global ones count."""
    def take(r, node):
        if r.state.own:
            row.handler(r, node)
        else:
            node.usual("the client has the global settings")
    return takes(take, row.topic, row.default)


CLIENT_KEYS = {
    "use_global_settings": takes(global_settings, BLOCKING),
    "use_global_blocked_services": takes(lambda r, n: n.taken("groups.services"), BLOCKING),
    "name": takes(lambda r, n: n.taken("clients.name")),
    "ids": takes(client_ids),
    "ignore_querylog": takes(client_ignored, PRIVACY, default="false"),
    "ignore_statistics": takes(stats_client_ignored, PRIVACY, default="false"),
    "tags": impossible("a client has one group and no tags: $ctag means the group of that name", BLOCKING),
    "filtering_enabled": setting("use_global_settings"),
    "safe_search": setting("use_global_settings"),
    "blocked_services": setting("use_global_blocked_services"),
    "upstreams": holder(),
    "safesearch_enabled": own_only(impossible("before schema 19: set groups.safe_search", BLOCKING, default="false")),
    "safebrowsing_enabled": own_only(BROWSING),
    "parental_enabled": own_only(PARENTAL),
    "upstreams_cache_enabled": needless("a group with upstreams of its own has answers of its own", default="false"),
    "upstreams_cache_size": needless("a group with upstreams of its own has answers of its own", default="0"),
    "uid": needless("a number of AdGuard Home's own"),
}

WEB = "weir's page and control API have settings of their own (`control`)"
PROCESS = "weir's processes and their logs are its own"
DHCP = "weir is no DHCP server: let the router, Kea or dnsmasq do it"
SETS = "weir fills no sets of a firewall"


def section_if_on(sentence, topic=None):
    """A section with a switch `enabled`."""
    def take(r, node):
        if node.flag("enabled"):
            return node.impossible(sentence)
        node.settle("needless", "it is off", usual=True)
    return takes(take, *([topic] if topic else []))


FILTERING = {  # in `filtering` since schema 26, in `dns` before
    "blocking_mode": takes(block_mode, BLOCKING),
    "blocking_ipv4": takes(block_v4, BLOCKING),
    "blocking_ipv6": takes(block_v6, BLOCKING),
    "blocked_response_ttl": number("blocking", "ttl", 1, 86400, BLOCKING),
    "protection_enabled": takes(protection, BLOCKING, default="true"),
    "filtering_enabled": takes(filtering, BLOCKING, default="true"),
    "protection_disabled_until": needless("a pause ends by itself", BLOCKING),
    "filters_update_interval": takes(interval, BLOCKING),
    "blocked_services": takes(services, BLOCKING),
    "safe_search": takes(search, BLOCKING),
    "safesearch_enabled": takes(old_search, BLOCKING, default="false"),
    "parental_enabled": PARENTAL,
    "safebrowsing_enabled": BROWSING,
    "parental_block_host": needless(SERVICE + "nothing leads there", BLOCKING, default="family-block.dns.adguard.com"),
    "safebrowsing_block_host": needless(SERVICE + "nothing leads there", BLOCKING, default="standard-block.dns.adguard.com"),
    "parental_sensitivity": needless(SERVICE + "nothing has a sensitivity", BLOCKING),
    "rewrites[]": takes(rewrite),
    "rewrites": holder(),
    "rewrites_enabled": takes(lambda r, n: n.taken("local.records"), default="true"),
    "safe_fs_patterns": needless("weir reads the lists that its configuration names", default=None),
    **{f"{word}_cache_size": needless(SERVICE + "there is nothing to keep", default="1048576")
       for word in ("parental", "safebrowsing", "safesearch")},
    "cache_time": needless(SERVICE + "there is nothing to keep", default="30"),
}

KEYS = {
    # Privacy
    "querylog.enabled": takes(log_enabled, PRIVACY),
    "dns.querylog_enabled": takes(log_enabled, PRIVACY),
    "querylog.file_enabled": takes(log_file, PRIVACY, default="true"),
    "dns.querylog_file_enabled": takes(log_file, PRIVACY, default="true"),
    "querylog.interval": takes(log_interval, PRIVACY),
    "dns.querylog_interval": takes(log_interval, PRIVACY),
    "querylog.ignored": takes(log_ignored, PRIVACY),
    "querylog.ignored_enabled": takes(lambda r, n: n.taken("query_log.exclude_domains"), PRIVACY, default="true"),
    "querylog.size_memory": needless("weir's log has no size in memory", PRIVACY, default="1000"),
    "dns.querylog_size_memory": needless("weir's log has no size in memory", PRIVACY, default="1000"),
    "querylog.dir_path": impossible("set query_log.store.directory to a folder that weir may write to", PRIVACY),
    "dns.anonymize_client_ip": takes(anonymize, PRIVACY, default="false"),
    "statistics.enabled": takes(stats_enabled, PRIVACY),
    "statistics.interval": needless("weir's statistics by name reach back as far as its log (query_log.store.hours)", PRIVACY,
                                    default="24h"),
    "dns.statistics_interval": needless("weir's statistics by name reach back as far as its log (query_log.store.hours)", PRIVACY,
                                        default="1"),
    "statistics.ignored": takes(stats_ignored, PRIVACY),
    "statistics.ignored_enabled": takes(lambda r, n: n.taken("query_log.exclude_domains"), PRIVACY, default="true"),
    "statistics.dir_path": needless("weir's statistics by name stand in its log", PRIVACY),
    "dns.edns_client_subnet": takes(subnet, PRIVACY),
    # Lists and rules
    "filters[]": takes(deny_list, BLOCKING),
    "filters": holder(BLOCKING),
    "whitelist_filters[]": takes(allow_list, BLOCKING),
    "whitelist_filters": holder(BLOCKING),
    "user_rules[]": takes(user_rule, BLOCKING),
    "user_rules": holder(BLOCKING),
    **{f"{section}.{key}": row for section in ("filtering", "dns") for key, row in FILTERING.items()},
    # Access
    "dns.blocked_hosts[]": takes(blocked_host, BLOCKING),
    "dns.blocked_hosts": holder(BLOCKING),
    "dns.allowed_clients": takes(allowed, PRIVACY),
    "dns.disallowed_clients": takes(disallowed, PRIVACY),
    "dns.ratelimit": takes(rate, default="20"),
    "dns.ratelimit_subnet_len_ipv4": differently("weir counts IPv4 /24", default="24", to="access.network_rate"),
    "dns.ratelimit_subnet_len_ipv6": differently("weir counts IPv6 /56", default="56", to="access.network_rate"),
    "dns.ratelimit_whitelist": takes(rate_free),
    "dns.refuse_any": value("access", "any", {"false": "forward"}, default="true"),
    "dns.trusted_proxies": takes(lambda r, n: n.usual() if {x.text for x in texts(n)} <= {"127.0.0.0/8", "::1/128"} else n.impossible(
        "weir believes no X-Forwarded-For: give it the PROXY protocol (proxy_protocol)", PRIVACY)),
    # Upstreams
    "dns.upstream_dns[]": takes(upstream),
    "dns.upstream_dns": holder(),
    "dns.upstream_dns_file": takes(upstream_file),
    "dns.bootstrap_dns[]": takes(bootstrap),
    "dns.bootstrap_dns": holder(),
    "dns.fallback_dns[]": takes(fallback),
    "dns.fallback_dns": holder(),
    "dns.upstream_mode": takes(mode),
    "dns.all_servers": takes(all_servers, default="false"),
    "dns.fastest_addr": impossible("weir does not measure the addresses of answers", default="false"),
    "dns.fastest_timeout": needless("weir does not measure the addresses of answers", default="1s"),
    "dns.upstream_timeout": needless("weir tunes this itself (upstreams.first_timeout_ms)", default="10s"),
    "dns.bootstrap_prefer_ipv6": needless("weir asks the addresses that answer", default="false"),
    "dns.use_http3_upstreams": impossible("weir asks over HTTP/2, not HTTP/3", default="false"),
    "dns.local_ptr_upstreams": takes(ptr_servers, PRIVACY),
    "dns.use_private_ptr_resolvers": takes(private_ptr, PRIVACY, default="true"),
    "dns.private_networks": takes(private_networks, PRIVACY),
    "dns.local_domain_name": needless("weir is no DHCP server, and gives no names", default="lan"),
    "dns.autohost_tld": needless("weir is no DHCP server, and gives no names", default="lan"),
    "dns.resolve_clients": differently("weir finds names of clients in lease files and by client_names.ptr_servers", default="true"),
    # Answers
    "dns.cache_enabled": differently("weir always has a cache, but for groups with `disable_cache: true`", default="true"),
    "dns.cache_size": needless("weir's cache is sized by cache.l0_mb", default="4194304"),
    "dns.cache_ttl_min": number("cache", "min_ttl", 0, 86400, default=ZERO),
    "dns.cache_ttl_max": number("cache", "max_ttl", 1, 604800, default=ZERO),
    "dns.cache_optimistic": flag("cache", "stale", "immediate"),
    "dns.cache_optimistic_answer_ttl": seconds("cache", "stale_ttl", 1, 3600, default="30s"),
    "dns.cache_optimistic_max_age": seconds("cache", "stale_window", 0, 604800),
    "dns.bogus_nxdomain": impossible("put the addresses into a file, one a line, and that into blocking.lists with "
                                     "`format: addresses`: weir blocks answers that have them", BLOCKING),
    "dns.aaaa_disabled": takes(aaaa_disabled, default="false"),
    "dns.enable_dnssec": differently("AdGuard Home asks for DNSSEC records and validates nothing; weir validates with `dnssec: "
                                     "{validate: true}`", default="false"),
    **nat64("dns.use_dns64", "dns.dns64_prefixes"),
    "dns.handle_ddr": differently("weir answers for _dns.resolver.arpa where tls.name is set", default="true"),
    "dns.hostsfile_enabled": takes(lambda r, n: n.needless("weir answers from local.hosts_files alone") if n.text == "false" else
                                   n.differently("AdGuard Home answers from /etc/hosts of its machine; for that too, add "
                                                 "`hosts_files: [/etc/hosts]` to `local`", "local.hosts_files")),
    "dns.ipset": impossible(SETS),
    "dns.ipset_file": impossible(SETS),
    # Where it serves
    "dns.bind_hosts": needless("weir serves dataplane.service_addresses, which the result says to CHANGE"),
    "dns.bind_host": needless("weir serves dataplane.service_addresses, which the result says to CHANGE"),
    "dns.port": impossible("weir serves port 53 of its addresses", default="53"),
    "dns.serve_plain_dns": impossible("weir answers over port 53 always: let the firewall close it", PRIVACY, default="true"),
    "dns.serve_http3": impossible("weir serves HTTP/2, not HTTP/3", default="false"),
    "dns.max_goroutines": needless("weir tunes this itself (limits.inflight)", default=("300", "0")),
    "dns.pending_requests": needless("weir always shares one question among those that ask the same"),
    "tls": section_if_on("the certificate is left out: set `tls`, `dot` and `doh` (docs/how-to/dot.md); /etc/weir must have the "
                         "files", PRIVACY),
    "dhcp": section_if_on(DHCP),
    # Clients
    "clients.persistent[]": takes(client, BLOCKING),
    "clients.persistent": holder(),
    "clients[]": takes(client, BLOCKING),  # before schema 14
    "clients.runtime_sources": needless("weir finds names of clients in lease files and by client_names.ptr_servers"),
    # The program itself
    **{key: needless(WEB) for key in ("http", "users", "auth_attempts", "block_auth_min", "language", "theme", "bind_host",
                                      "bind_port", "beta_bind_port", "web_session_ttl", "debug_pprof")},
    "http_proxy": impossible("weir fetches lists without a proxy"),
    **{key: needless(PROCESS) for key in ("log", "os", "rlimit_nofile", "verbose", "log_file", "log_max_backups", "log_max_size",
                                          "log_max_age", "log_compress", "log_localtime")},
    "schema_version": needless("weir's own is `version`", default=None),
}


def read(r, path):
    root = yaml_source.load(r.account, path)
    if root.get("dns") is None and root.get("filters") is None:
        raise source.Refused(f"{path}: is no configuration of AdGuard Home")
    r.account.roots.append(root)
    r.state.root, r.state.own_zones, r.state.filtering_off, r.state.filters_clients = root, {}, None, False
    r.model.list_exact = True
    read_table(r, root, KEYS)


def end(r):
    if len(r.model.deny) and any(one.allow for one in r.model.lists):
        r.model.remark("whitelist_filters", "they take back user rules that block there; in weir those count before every list", BLOCKING)
    note_filtering(r)
    settle.allow_wins(r.model)
    settle.records_before_zones(r.model)
