# SPDX-License-Identifier: BSD-3-Clause
"""blocky's config.yml, or the folder of its files. Keys that were renamed over time are read by both names."""
import math
import re

from .. import names, servers, settle, source, table, yaml_source, zone_file
from ..account import BLOCKING, DIFFERENTLY, PRIVACY, REST, Node
from ..model import Items
from ..table import differently, flag, holder, impossible, nat64, needless, number, read as read_table, takes, value
from .blocky_groups import ALONE, DAYS, ListGroup, Maker, Plan, items_of

TITLE = "blocky"


def parts(node):
    """(node, text) of each item of a list, or of a text with commas."""
    return [(one, part.strip()) for one in items_of(node) for part in one.text.split(",") if part.strip()]


def seconds(section, key, least, most, default=None, topic=REST):
    return table.seconds(section, key, least, most, topic, default, _seconds, "blocky takes its default")


def _seconds(text):
    """A time of Go; a number alone is minutes."""
    if text.startswith("-"):
        return -1 if _seconds(text[1:]) is not None else None
    return int(text) * 60 if re.fullmatch(r"\d{1,9}", text) and text.isascii() else names.seconds(text)


# Upstreams
def take_server(r, node, items, text):
    """[net]:host[:port][/path][#commonName]"""
    address, _, common = text.partition("#")
    server = servers.parse(address)
    if server is not None and common:
        if not server.scheme or not names.is_host(common):
            server = None
        elif names.address(server.host) is not None:
            server.name = names.name(common)[0]
        elif names.name(common)[0] != server.host:
            node.impossible(f"`{text[:200]}`: weir wants the certificate of {server.host[:100]}, whose address it asks for; write "
                            "NAME@ADDRESS")
            return False
    return r.model._server(node, items, server, text, None)


def upstream_groups(r, node):
    for key, below in node.items:
        is_default = key in ("default", "externalResolvers")
        used = [made for (_, group), made in r.state.made.items() if group == key]
        for one in items_of(below):
            if is_default:
                take_server(r, one, r.model.upstreams, one.text)
            elif not used:
                one.impossible(no_client(key))
            for made in () if is_default else used:
                take_server(r, one, made.upstreams, one.text)
        if not items_of(below):
            below.usual()


def strategy(r, node):
    if node.text == "strict":
        return r.model.value(node, "upstreams", "policy", "failover", "strategy: strict")
    if node.text == "random":
        return r.model.value(node, "upstreams", "policy", "round-robin", "strategy: random")
    if node.text != "parallel_best":
        return node.impossible(f"`{node.shown()}` is no strategy of blocky")
    best(r)
    return node.taken("upstreams.race")


def best(r):
    r.model.value(None, "upstreams", "policy", "latency", "strategy: parallel_best")
    r.model.value(None, "upstreams", "race", "2", "strategy: parallel_best")


def bootstrap(r, node):
    for one in node.below() if node.kind == "list" else [node]:
        ips, upstream = one.get("ips"), one.get("upstream")
        if one.kind != "map":
            r.model.bootstrap_server(one, one.text)
            continue
        for ip in items_of(ips):
            if r.model.bootstrap_server(ip, ip.text) and upstream:
                upstream.differently(f"weir asks the bootstrap server {ip.text[:60]} in clear text, port 53", "upstreams.bootstrap",
                                     PRIVACY)
        if upstream and not items_of(ips):
            r.model.bootstrap_server(upstream, upstream.text)
        if one.get("resolvFile"):
            one.get("resolvFile").impossible("give its servers in upstreams.bootstrap")


def conditional(r, node):
    for zone, below in node.items:
        for one, part in parts(below):
            if zone == ".":
                one.impossible(f"{part[:100]}: a server for names without a dot is left out: weir sends them to the upstreams", PRIVACY)
            else:
                found = r.model.zone(one, zone)
                if found is not None:
                    take_server(r, one, found.servers, part)


# Local records
def mapping(r, node):
    rewrites = r.state.root.get("customDNS.rewrite")
    pairs = [(old.lower().strip("."), new.text.lower().strip(".")) for old, new in rewrites.items] if rewrites else []
    for name, below in node.items:
        for one, part in parts(below):
            for owner in [name, *rewritten(name.lower().strip("."), pairs)]:
                record(r, one, owner, part)


def rewritten(name, pairs):
    """The names that lead to `name` by a rewrite of their end, at most one for each rule."""
    found = []
    for old, new in pairs[:100]:
        if old and new and (name == new or name.endswith("." + new)):
            found.append(name[:len(name) - len(new)] + old)
        elif old and new.endswith("." + name):
            found.append(old)
    return found


def record(r, at, owner, text):
    """The name and all names below it."""
    alias = re.fullmatch(r"(CNAME|A|AAAA)\(([^()]*)\)", text)
    for name in (owner, f"*.{owner}"):
        if alias and alias[1] == "CNAME":
            r.model.record(at, name, "CNAME", alias[2].strip())
        else:
            r.model.address(at, name, alias[2].strip() if alias else text)


def rewrite(r, node):
    """Of customDNS: mapping() has made records of it."""
    mapped = r.state.root.get("customDNS.mapping")
    have = {name.lower().strip(".") for name, _ in mapped.items} if mapped else set()
    for _, one in node.items:
        target = one.text.lower().strip(".")
        if any(name == target or name.endswith("." + target) or target.endswith("." + name) for name in have):
            one.taken("local.records")
        else:
            one.impossible("blocky rewrites the name before it looks it up; customDNS.mapping has no record of the new name: write "
                           "local.records of type CNAME")


def zone(r, node):
    text = node.text
    if not zone_file.take(r.model, node, text, "", node.file, node.line + 1):
        node.impossible("it has no record")


def hosts(r, node):
    for one in items_of(node):
        if "\n" in one.text:
            inline_hosts(r, one)
        else:
            r.model.hosts_file(one, one.text.removeprefix("file://"))


def inline_hosts(r, node):
    for line in node.text.split("\n"):
        words = line.split("#")[0].split()
        for name in words[1:]:
            r.model.address(node, name, words[0])
    if node.verdict is None:
        node.usual("comments alone")


# Blocking
def take_entry(r, node, items, line):
    """One line of a list that stands in the file."""
    line = line.strip()
    if not line or line.startswith(("#", "!")):
        return
    if len(line) > 2 and line[0] == line[-1] == "/":
        r.model.pattern(node, items, line[1:-1])
        return
    words = line.split("#")[0].split()
    if len(words) > 1 and names.address(words[0]) is not None:
        words = words[1:]
    for word in words:
        if names.address(word) is not None:
            node.impossible(f"{word}: put it into a file, and that into blocking.lists with `format: addresses`: weir blocks answers "
                            "that have it", BLOCKING)
        elif word.startswith("*."):
            r.model.name(node, items, word)
        else:
            r.model.exact(node, items, word)


def list_source(is_allow):
    def take(r, node):
        name = node.parent.name
        if not r.state.plan.is_used(name):
            return node.impossible(f"no client has this group of lists ({name[:60]}), so it is left out")
        group = r.state.list_groups.setdefault(name, ListGroup(Items))
        if "\n" in node.text:
            for line in node.text.split("\n"):
                take_entry(r, node, group.allow if is_allow else group.deny, line)
            if node.verdict is None:
                node.usual("comments alone")
            return None
        found = r.model.list(node, "", node.text, is_allow, name)
        have = group.allow_lists if is_allow else group.lists
        if found and found not in have:
            have.append(found)
        return None
    return takes(take, BLOCKING)


def schedules(r, node):
    """{name: (name in weir, days, from, to)}, in state. Without a time it is the whole day."""
    for name, one in node.items:
        begin, end = one.word("start"), one.word("end")
        days = [n.text.lower() for n in items_of(one.get("weekdays"))]
        good = all(re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", t) for t in (begin, end) if t or begin or end)
        if not good or begin == end != "" or any(d not in DAYS for d in days):
            one.impossible("its window is none: its lists always apply", BLOCKING)
            continue
        days = tuple(d for d in DAYS if d in days)
        known = r.model.schedule_name(one, name, (ALONE, *(s[0] for s in r.state.schedules.values())))
        r.state.schedules[name] = (known, days, begin or "00:00", end or "24:00")
        one.taken_keys("groups.schedules", "start", "end", "weekdays")
        if one.is_empty():
            one.taken("groups.schedules")


def list_schedules(r, node):
    for name, one in node.items:
        for item in items_of(one):
            if not r.state.plan.is_used(name):
                item.needless("no client has this group of lists")
            elif item.text not in r.state.schedules:
                item.impossible(f"there is no schedule `{item.shown()}`", BLOCKING)
            else:
                r.state.of_list.setdefault(name, []).append(item.text)
                item.taken("groups.schedules")
        if name in r.state.of_list and _has_allow(r, name):
            one.differently(f"what the lists of {name[:60]} allow is allowed at any hour", "groups.allow", BLOCKING)


def _has_allow(r, name):
    group = r.state.list_groups.get(name)
    return bool(group and (group.allow_lists or len(group.allow)))


def clients_block(r, node):
    plan, known = r.state.plan, set(r.state.list_groups) | r.state.lost_lists
    for key, below in node.items:
        if key != "default" and not plan.networks.get(key):
            below.impossible(no_client(key), BLOCKING)
        for one in items_of(below):
            if one.text in known:
                one.taken("groups.lists")
            else:
                one.impossible(f"there is no group of lists `{one.shown()}`", BLOCKING)
        if not items_of(below):
            below.differently("without a list group blocky takes `default`", "groups.lists", BLOCKING)


def block_type(r, node):
    text = node.text.strip().lower()
    if text in ("zeroip", "nxdomain"):
        word = {"zeroip": "zeroIp", "nxdomain": "nxDomain"}[text]
        return r.model.value(node, "blocking", "mode", "'null'" if text == "zeroip" else "nxdomain", f"blockType: {word}")
    for one, part in parts(node):
        ip = names.address(part)
        if ip is None:
            one.impossible(f"`{part[:60]}` has no counterpart")
            continue
        r.model.value(one, "blocking", "mode", "address", "blockType")
        r.model.value(one, "blocking", f"ipv{ip.version}", f"'{ip}'")


def refresh(r, node):
    n = _seconds(node.text.strip())
    if n is None:
        return node.impossible(f"`{node.shown()}` is no time")
    if n <= 0:
        return r.model.value(node, "blocking.update", "interval", "0")
    r.model.number(node, "blocking.update", "interval", str(n), 60, 604800)


# Caching, answers
def max_time(r, node):
    if node.text.startswith("-"):
        return node.impossible("weir always has a cache, but for groups with `disable_cache: true`")
    return seconds("cache", "max_ttl", 1, 604800).handler(r, node)


def negative_time(r, node):
    if node.text.startswith("-"):
        r.model.value(node, "cache", "negative_ttl", "1")
        return node.differently("weir keeps an answer without records for a second", "cache.negative_ttl")
    return seconds("cache", "negative_ttl", 1, 86400).handler(r, node)


def query_type(r, node):
    if node.text == "AAAA":
        return r.model.value(node, "ipv6", "filter_aaaa", "true", "filtering.queryTypes")
    return r.model.blocked_type(node, node.text)


def rebinding(r, node):
    r.model.value(node, "blocking.rebinding", "enabled", "true")


def rebinding_allow(r, node):
    for one in items_of(node):
        if r.state.root.flag("rebindingProtection.enable"):
            r.model.name(one, r.model.rebinding_allow, one.text)
        else:
            one.needless("rebindingProtection.enable is false")


def rate(r, node):
    root = r.state.root
    if not root.flag("rateLimit.enable"):
        return node.needless("rateLimit.enable is false")
    length = (root.word("rateLimit.ipv4Prefix", "32"), root.word("rateLimit.ipv6Prefix", "64"))
    key = {("32", "64"): "rate", ("24", "56"): "network_rate"}.get(length, "rate")
    if r.model.number(node, "access", key, node.text, 0, 1000000):
        node.differently("weir counts IPv4 /32 and IPv6 /64 (network_rate: /24 and /56), and not the clients of access.unlimited, "
                         "private networks by default", f"access.{key}")


def burst(r, node):
    """Queries there, seconds here."""
    n, per_second = names.integer(node.text), names.integer(r.state.root.word("rateLimit.rate"))
    if not r.state.root.flag("rateLimit.enable") or not n or not per_second or per_second < 0:
        return node.needless("there is no limit")
    r.model.number(node, "access", "burst", str(math.ceil(n / per_second)), 1, 60)


def rate_free(r, node):
    if not r.state.root.flag("rateLimit.enable"):
        return node.needless("rateLimit.enable is false")
    r.model.unlimited(items_of(node))


def clients(r, node):
    for name, below in node.items:
        made = r.model.client(below, name)
        for one in items_of(below):
            if made is not None:
                r.model.client_member(one, made, one.text)
        if not items_of(below):
            below.usual("it has no address")


def lookup(r, node):
    """The server that knows names of clients."""
    if r.model.plain_server(node, r.model.ptr_servers, node.text, servers.PTR_MAX):
        node.differently("weir shows names that it finds so; groups go by addresses, not by these names", "client_names.ptr_servers")


# Privacy
LOG_TYPES = ("mysql", "postgresql", "csv", "csv-client", "timescale")


def log_type(r, node):
    r.state.has_log = True
    if node.text == "none":
        return r.model.value(node, "query_log", "enabled", "false", "queryLog.type: none")
    if node.text == "console":
        return console(r, node)
    if node.text not in LOG_TYPES:
        return node.impossible(f"`{node.shown()}` is no type of blocky")
    r.model.value(node, "query_log", "enabled", "true", f"queryLog.type: {node.text}")
    node.differently("weir stores its log itself, or in ClickHouse (docs/how-to/query-store.md)", "query_log.store")


def console(r, node):
    """Lines on standard output, with stars in place of names and addresses if log.privacy says so."""
    root = r.state.root
    if root.flag("log.privacy") or root.flag("logPrivacy"):
        r.model.value(None, "query_log", "enabled", "false", "log.privacy")
        text = "blocky logs queries with stars in place of names and addresses, so weir logs none (query_log.enabled)"
    else:
        r.model.value(None, "query_log.store", "enabled", "false", "blocky logs to its standard output")
        text = "blocky logs queries to its standard output; weir keeps none of them, and shows those to come (weirctl watch)"
    if node is None:
        r.model.remark("queryLog.type", text, PRIVACY, DIFFERENTLY, "query_log.store.enabled")
    else:
        node.differently(text, "query_log.store.enabled")


def log_days(r, node):
    if node.text == "0":
        r.model.value(node, "query_log.store", "hours", "8760")
        return node.differently("blocky keeps its log for ever; weir keeps a year at most", "query_log.store.hours")
    r.model.number(node, "query_log.store", "hours", node.text, 1, 8760, 24)


def log_fields(r, node):
    given = {one.text for one in items_of(node)}
    if "question" not in given:
        r.model.value(None, "query_log", "enabled", "false", "queryLog.fields")
        return node.differently("its log has no names, so weir logs nothing; weir's counters have neither names nor clients",
                                "query_log.enabled")
    if not given & {"clientIP", "clientName"}:
        r.model.value(None, "query_log", "anonymize", "hash", "queryLog.fields")
        return node.differently("its log has no clients; weir's has a hash by a key that is new each day", "query_log.anonymize")
    if "clientIP" in given and len(given) == 6:
        return node.usual("all of them")
    node.differently("weir logs whole rows", "query_log.store")


def log_domains(r, node):
    for one in items_of(node):
        text = one.text.strip()
        if text.startswith("/"):
            one.impossible("weir's log leaves out names with all below them, not patterns (query_log.exclude_domains)")
        elif r.model.name(one, r.model.log_names, text) and not text.startswith("*."):
            one.differently(f"names below {text[:100]} are not logged, too", "query_log.exclude_domains")


def privacy(r, node):
    node.taken("query_log.enabled")


def subnet_bits(key, most):
    return number("upstreams", key, 0, most, PRIVACY, default="0")


def if_true(sentence, topic="rest"):
    return impossible(sentence, topic, default="false")


LOADS = "weir loads lists and files in its own way"
CERT = "the certificate is left out: set `tls`, `dot` and `doh` (docs/how-to/dot.md); /etc/weir must have the files"
PROCESS = "weir's processes and their logs are its own"
TUNES = "weir tunes this itself"
SERVES = "weir serves port 53 of dataplane.service_addresses, which the result says to CHANGE"
SECURE = "over TLS and HTTPS weir serves what `tls`, `dot` and `doh` say (docs/how-to/dot.md)"
REDIS = "the Redis server is left out: weir's `redis` is a second cache, with another format"
PREFETCH = "weir goes by hits a minute (refresh.mode)"
START = {"blocking": "blocking", "fast": "fast", "failOnError": "fail"}


def loading(section):
    return {f"{section}.{key}": needless(LOADS) for key in (
        "concurrency", "maxErrorsPerSource", *(f"downloads.{key}" for key in (
            "timeout", "readTimeout", "readHeaderTimeout", "writeTimeout", "attempts", "cooldown", "cachePath")))}


KEYS = {
    # Privacy
    "queryLog.type": takes(log_type, PRIVACY),
    "queryLog.logRetentionDays": takes(log_days, PRIVACY),
    "queryLog.fields": takes(log_fields, PRIVACY),
    "queryLog.ignore.domains": takes(log_domains, PRIVACY),
    "queryLog.ignore.sudn": if_true("weir logs special-use names, too: name them in query_log.exclude_domains", PRIVACY),
    "queryLog.target": needless("weir's log has a folder of its own (query_log.store.directory)", PRIVACY),
    **{f"queryLog.{key}": needless(TUNES) for key in ("creationAttempts", "creationCooldown", "flushInterval")},
    # Before 0.5
    "queryLog.dir": needless("weir's log has a folder of its own (query_log.store.directory)", PRIVACY),
    "queryLog.perClient": needless("weir's log has the client in each row", PRIVACY),
    "log.privacy": takes(privacy, PRIVACY, default="false"),
    "logPrivacy": takes(privacy, PRIVACY, default="false"),
    "ecs.useAsClient": if_true("weir takes no client's address from a query", PRIVACY),
    "ecs.forward": if_true("weir passes on no subnet of a query; it sends the client's own (upstreams.client_subnet_ipv4)", PRIVACY),
    "ecs.ipv4Mask": subnet_bits("client_subnet_ipv4", 32),
    "ecs.ipv6Mask": subnet_bits("client_subnet_ipv6", 128),
    "fqdnOnly.enable": if_true("weir answers names without a dot, too: it sends them to the upstreams", PRIVACY),
    # Lists and groups: first the lists, then their hours, then clients, then the servers of clients
    "blocking.denylists.*[]": list_source(False),
    "blocking.blackLists.*[]": list_source(False),
    "blocking.allowlists.*[]": list_source(True),
    "blocking.whiteLists.*[]": list_source(True),
    "blocking.denylists": holder(BLOCKING),
    "blocking.blackLists": holder(BLOCKING),
    "blocking.allowlists": holder(BLOCKING),
    "blocking.whiteLists": holder(BLOCKING),
    "blocking.schedules": takes(schedules, BLOCKING),
    "blocking.listSchedules": takes(list_schedules, BLOCKING),
    "blocking.clientGroupsBlock": takes(clients_block, BLOCKING),
    "blocking.blockType": takes(block_type, BLOCKING),
    "blocking.blockTTL": seconds("blocking", "ttl", 1, 86400, topic=BLOCKING),
    "blocking.loading.refreshPeriod": takes(refresh, BLOCKING),
    "blocking.refreshPeriod": takes(refresh, BLOCKING),
    "blocking.loading.strategy": value("blocking.update", "start", START),
    "blocking.startStrategy": value("blocking.update", "start", START),
    "blocking.failStartOnListError": value("blocking.update", "start", {"true": "fail"}, default="false"),
    **loading("blocking.loading"),
    **{f"blocking.{key}": needless(LOADS) for key in ("downloadTimeout", "downloadAttempts", "downloadCooldown",
                                                      "processingConcurrency", "maxErrorsPerFile")},
    "filtering.queryTypes[]": takes(query_type, BLOCKING),
    "filtering.queryTypes": holder(BLOCKING),
    "disableIPv6": value("ipv6", "filter_aaaa", {"true": "true"}, default="false"),
    "rebindingProtection.enable": takes(rebinding, BLOCKING, default="false"),
    "rebindingProtection.allowedDomains": takes(rebinding_allow, BLOCKING),
    # Upstreams
    "upstreams.strategy": takes(strategy),
    "upstreams.timeout": needless("weir tunes this itself (upstreams.first_timeout_ms)", default="2s"),
    "upstreams.init.strategy": needless("weir starts whether servers answer or not (metrics.ready_needs_upstream)"),
    "upstreams.userAgent": impossible("weir sends no User-Agent"),
    "upstreams.quic": needless("weir asks over UDP, TCP, TLS and HTTPS"),
    "upstreamTimeout": needless("weir tunes this itself (upstreams.first_timeout_ms)", default="2s"),
    "startVerifyUpstream": needless("weir starts whether servers answer or not (metrics.ready_needs_upstream)"),
    "dohUserAgent": impossible("weir sends no User-Agent"),
    "connectIPVersion": differently("weir asks the addresses that the servers have", default="dual"),
    "bootstrapDns": takes(bootstrap, PRIVACY),
    "conditional.mapping": takes(conditional, PRIVACY),
    "conditional.fallbackUpstream": if_true("weir asks no other server about a zone that has servers of its own"),
    "conditional.rewrite": impossible("blocky rewrites the name before it asks; weir asks for the name itself: write "
                                      "local.records of type CNAME"),
    # Local records
    "customDNS.mapping": takes(mapping),
    "customDNS.rewrite": takes(rewrite),
    "customDNS.customTTL": seconds("local", "ttl", 0, 604800),
    "customDNS.zone": takes(zone),
    "customDNS.fallbackUpstream": if_true("weir asks no server about a name that has local records"),
    "customDNS.filterUnmappedTypes": differently("weir answers other types of a name with local records itself: there are none",
                                                 default="true"),
    "hostsFile.sources": takes(hosts),
    "hostsFile.filePath": takes(hosts),
    "hostsFile.hostsTTL": seconds("local", "ttl", 0, 604800),
    "hostsFile.filterLoopback": needless("weir takes no loopback address of a hosts file"),
    "hostsFile.loading.refreshPeriod": differently("weir reads hosts files at a reload (weirctl config reload)", default="1h"),
    "hostsFile.refreshPeriod": differently("weir reads hosts files at a reload (weirctl config reload)", default="1h"),
    "hostsFile.loading.strategy": needless(LOADS),
    **loading("hostsFile.loading"),
    # Answers
    "caching.minTime": seconds("cache", "min_ttl", 0, 86400),
    "caching.maxTime": takes(max_time),
    "caching.cacheTimeNegative": takes(negative_time),
    "caching.maxItemsCount": needless("weir's cache is sized by cache.l0_mb", default="0"),
    "caching.prefetching": needless("weir renews popular answers before they expire (refresh)"),
    **{f"caching.{key}": needless(PREFETCH) for key in ("prefetchExpires", "prefetchThreshold", "prefetchMaxItemsCount")},
    "caching.exclude": impossible("weir keeps all answers, but for groups with `disable_cache: true`"),
    "dnssec.validate": flag("dnssec", "validate"),
    "dnssec.trustAnchors": impossible("put them into a file, and name it in dnssec.anchors"),
    **{f"dnssec.{key}": needless("weir's validator has bounds of its own") for key in (
        "maxChainDepth", "cacheExpirationHours", "maxNSEC3Iterations", "maxUpstreamQueries", "clockSkewToleranceSec")},
    **nat64("dns64.enable", "dns64.prefixes"),
    "dns64.exclusionSet": impossible("weir makes addresses for names without AAAA records alone"),
    "ede.enable": needless("weir always gives extended errors to clients that send an OPT"),
    "specialUseDomains.enable": value("local", "special_names", {"true": "true", "false": "false"}, PRIVACY, default="true"),
    "specialUseDomains.rfc6762-appendixG": takes(lambda r, n: n.usual() if n.text == "false" else n.impossible(
        "weir sends names such as `lan`, `home` and `corp` to the upstreams: name those that you have in local.zones", PRIVACY)),
    # Who may ask
    "rateLimit.enable": takes(lambda r, n: n.taken("access.rate"), default="false"),
    "rateLimit.rate": takes(rate, default="0"),
    "rateLimit.burst": takes(burst, default="0"),
    "rateLimit.ipv4Prefix": needless("weir counts IPv4 /32 and /24", default="32"),
    "rateLimit.ipv6Prefix": needless("weir counts IPv6 /64 and /56", default="64"),
    "rateLimit.allowlist": takes(rate_free),
    # Clients
    "clientLookup.clients": takes(clients),
    "clientLookup.upstream": takes(lookup),
    "clientLookup.singleNameOrder": needless("weir takes the first name of a client"),
    # Where it serves, the program itself
    "ports.dns": impossible(SERVES, default="53"),
    "port": impossible(SERVES, default="53"),
    "ports.tls": impossible(SECURE, PRIVACY),
    "tlsPort": impossible(SECURE, PRIVACY),
    "ports.https": impossible(SECURE, PRIVACY),
    "httpsPort": impossible(SECURE, PRIVACY),
    "ports.http": needless("weir's page and metrics have addresses of their own (`control`, `metrics`)"),
    "httpPort": needless("weir's page and metrics have addresses of their own (`control`, `metrics`)"),
    "ports.dohPath": impossible("weir serves /dns-query, and /dns-query/NAME for a group", default="/dns-query"),
    "ports.freeBind": needless("weir adds its addresses to the exception interface itself", default="false"),
    "ports.proxyProtocol": impossible("set `proxy_protocol`", PRIVACY),
    "certFile": impossible(CERT, PRIVACY),
    "keyFile": impossible(CERT, PRIVACY),
    "minTlsServeVersion": differently("weir serves TLS 1.2 and 1.3", default="1.2"),
    "http3.enable": if_true("weir serves HTTP/2, not HTTP/3"),
    "statistics.enable": needless("weir's counters are always on, and have neither names nor clients"),
    "prometheus": needless("weir's metrics have an address of their own (`metrics`)"),
    **{f"redis.{key}": impossible(REDIS) for key in ("address", "sentinelAddresses")},
    **{f"redis.{key}": needless(REDIS) for key in ("username", "password", "database", "required", "connectionAttempts",
                                                   "connectionCooldown", "sentinelUsername", "sentinelPassword")},
    **{key: needless(PROCESS) for key in ("log.level", "log.format", "log.timestamp", "logLevel", "logFormat", "logTimestamp")},
}
# These need the groups that `make` makes between them and the rows above.
UPSTREAMS = {"upstreams.groups": takes(upstream_groups), "upstream": takes(upstream_groups)}
KEYS.update(UPSTREAMS)


def files_of(path):
    """The files of a folder, as blocky takes them."""
    if not source.is_folder(path):
        return [path]
    found, count = source.matches_in(path, "*.y*ml")
    if not found or count > len(found):
        raise source.Refused(f"{path}: has no configuration of blocky, or more than {source.FILES_MAX} files")
    return found


def read(r, path):
    if not hasattr(r.state, "roots"):
        r.state.roots = []
    for one in files_of(path):
        root = yaml_source.load(r.account, one)
        r.account.roots.append(root)
        r.state.roots.append(root)


def merged(nodes):
    """One tree of several files. Its leaves are theirs, so verdicts reach the account."""
    if len(nodes) == 1 or any(node.kind != "map" for node in nodes):
        return nodes[0]
    first = nodes[0]
    node = Node(first.account, first.file, first.line, first.path, "map")
    node.name, node.parent = first.name, first.parent
    by_name = {}
    for one in nodes:
        for name, below in one.items:
            by_name.setdefault(name, []).append(below)
    node.items = [(name, merged(some)) for name, some in by_name.items()]
    return node


def no_client(key):
    return (f"the client {key[:60]} is left out: weir knows clients by address, and clientLookup.clients has none for that name")


def end(r):
    state, root = r.state, merged(r.state.roots)
    if all(root.get(key) is None for key in ("upstreams", "upstream", "blocking")):
        raise source.Refused(f"{r.state.roots[0].file}: is no configuration of blocky")
    state.root = root
    state.plan, state.list_groups, state.schedules, state.of_list, state.has_log = Plan(root), {}, {}, {}, False
    state.lost_lists = {name for key in ("denylists", "blackLists", "allowlists", "whiteLists")
                        for name, _ in (root.get(f"blocking.{key}").items if root.get(f"blocking.{key}") else ())}
    r.model.list_exact = True
    read_table(r, root, {key: row for key, row in KEYS.items() if key not in UPSTREAMS})
    maker = Maker(r, state.plan, state.list_groups, state.schedules, state.of_list)
    maker.entries()
    maker.clients()
    state.made = maker.made
    read_table(r, root, UPSTREAMS)
    if root.word("upstreams.strategy") == "":
        best(r)
    r.model.value(None, "blocking", "mode", "'null'", "blockType: zeroIp")
    if not state.has_log:
        console(r, None)
    settle.allow_wins(r.model)
    settle.records_before_zones(r.model)
