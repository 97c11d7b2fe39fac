# SPDX-License-Identifier: BSD-3-Clause
"""beyond-ads-dns: config.yaml, then the default.yaml below it, of which a list or value counts only where the first has none."""
import re

from .. import names, source, yaml_source
from ..account import BLOCKING, PRIVACY
from ..model import GROUPS_MAX, SERVICES
from ..table import differently, holder, impossible, match, needless, number, seconds, takes, value
from ..write import flow, text as yaml_text

TITLE = "beyond-ads-dns"
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def entry(items):
    """A domain with all names below it, or a /pattern/."""
    def take(r, node):
        _entry(r, node, getattr(r.model, items))
    return takes(take, BLOCKING)


def _entry(r, node, items):
    text = node.text.strip()
    if len(text) > 2 and text[0] == text[-1] == "/":
        return r.model.pattern(node, items, text[1:-1])
    return r.model.name(node, items, text)


def blocklist(r, node):
    name = _source(r, node)
    if name:
        r.state.lists.append(name)


def _source(r, node):
    url = node.get("url")
    if node.kind != "map" or url is None or url.is_empty():
        node.impossible("it is no list with a `url`", BLOCKING)
        return None
    name = r.model.list(url, node.word("name"), url.text)
    node.taken_keys("blocking.lists", "name") if name else [n.impossible("the list is left out", BLOCKING) for n in node.below()
                                                            if n.name == "name"]
    return name


def upstream(r, node):
    address = node.get("address")
    if address is None or address.is_empty():
        return node.impossible("it has no `address`")
    protocol = node.word("protocol").strip().lower()
    prefix = {"tls": "tls://", "https": "https://", "tcp": "tcp://"}.get(protocol, "") if "://" not in address.text else ""
    r.model.server(address, r.model.upstreams, prefix + address.text.strip(), node.word("name") or None)
    node.taken_keys("upstreams.servers", "name")
    for one in node.below():
        if one.name == "protocol" and protocol in ("", "udp", "tcp", "tls", "https"):
            one.taken("upstreams.servers")
        elif one.name == "protocol":
            one.impossible(f"weir has no protocol `{one.shown()}`")
    return None


def record(r, node):
    if node.kind != "map" or not all(node.word(key) for key in ("name", "type", "value")):
        return node.impossible("it is no record with `name`, `type` and `value`")
    r.model.record(node.get("value"), node.word("name").strip(), node.word("type").strip().upper(), node.word("value").strip())
    return node.taken_keys("local.records", "name", "type")


def blocked(r, node):
    ip = names.address(node.text.strip())
    if ip is None:
        words = {"nxdomain": "nxdomain"}
        return value("blocking", "mode", words, BLOCKING).handler(r, node)
    r.model.value(node, "blocking", "mode", "address")
    return r.model.value(node, "blocking", "ipv4" if ip.version == 4 else "ipv6", yaml_text(str(ip)))


def strategy(r, node):
    words = {"failover": "failover", "load_balance": "round-robin", "weighted": "latency"}
    value("upstreams", "policy", words).handler(r, node)


# Windows of time
def _window(node):
    """The days, hours of a window as YAML; None, with a verdict: it is off, or no window."""
    if node.word("enabled", "true").lower() == "false":
        for one in node.below():
            one.usual("it is off")
        return None
    days = node.get("days")
    numbers = [names.integer(n.text) for n in days.below()] if days is not None else []
    begin, end = node.word("start").strip(), node.word("end").strip()
    if not (TIME.fullmatch(begin) and TIME.fullmatch(end)) or any(n is None or not 0 <= n <= 6 for n in numbers):
        node.impossible("it is no window of hours and days: write a schedule (docs/how-to/groups.md)", BLOCKING)
        return None
    text = f"from: '{begin}', to: '{end}'"
    return text + (f", days: [{', '.join(DAYS[n] for n in dict.fromkeys(numbers))}]" if numbers else "")


def _family(r, node):
    """The value of family_time, or None."""
    window = _window(node)
    if window is None:
        return None
    services, domains = [], []
    for one in node.get("services").below() if node.get("services") else []:
        if one.text.lower() in SERVICES:
            services.append(one.text.lower())
            one.taken("blocking.family_time")
        else:
            one.impossible(f"weir does not know the service `{one.shown()[:60]}` (weirctl services)", BLOCKING)
    for one in node.get("domains").below() if node.get("domains") else []:
        found, why = names.name(one.text)
        if found:
            domains.append(found)
            one.taken("blocking.family_time")
        else:
            one.impossible(f"`{one.shown()}` {why}, so it is left out", BLOCKING)
    if not services and not domains:
        for key in ("enabled", "start", "end", "days"):
            if node.get(key) is not None:
                node.get(key).impossible("family_time is left out: it names no services and domains that weir knows; write a schedule "
                                         "(docs/how-to/groups.md)", BLOCKING)
        return None
    node.taken_keys("blocking.family_time", "enabled", "start", "end", "days")
    parts = [window] + [f"{key}: {flow(list(dict.fromkeys(found)))}" for key, found in (("services", services[:70]), ("domains", domains))
                        if found]
    return "{" + ", ".join(parts) + "}"


def family(r, node):
    found = _family(r, node)
    if found and ("blocking", "family_time") not in r.model.values:
        r.model.values["blocking", "family_time"] = (found, node.path)


def _pause(r, node):
    window = _window(node)
    if window is None:
        return None
    node.taken_keys("blocking.schedules", "enabled", "start", "end", "days")
    return f"[{{name: pause, {window}, pause: true}}]"


def pause(r, node):
    found = _pause(r, node)
    if found and ("blocking", "schedules") not in r.model.values:
        r.model.values["blocking", "schedules"] = (found, node.path)


# Safe search
def _search(node, engines):
    is_off = node.word("enabled").lower() != "true"
    for one in node.below():
        if one.name == "enabled":
            one.taken("blocking.safe_search")
        elif one.name in ("google", "bing") and (is_off or one.text.lower() != "true"):
            one.usual("it is off")
        elif one.name in ("google", "bing"):
            engines[one.name] = "strict"
            one.taken("blocking.safe_search")


def search(r, node):
    _search(node, r.model.safe_search)


# Clients and groups
def clients(r, node):
    """A map of addresses to names, or a list of {ip, name, group_id}."""
    for one in node.below():
        ip = one.name if node.kind == "map" else one.word("ip")
        name = one.text if node.kind == "map" else one.word("name")
        at = one if node.kind == "map" else one.get("ip")
        if at is None or at.items or (one.kind != "map" and node.kind != "map"):
            one.impossible("it is no client with an `ip`")
            continue
        r.state.clients.append((ip.strip(), name, one.word("group_id"), at))
        r.state.addresses.setdefault(name.lower(), []).append(ip.strip())
        if node.kind != "map":
            one.taken_keys("clients", "name", "group_id")
        client = r.model.client(at, name)
        if client:
            r.model.client_member(at, client, ip.strip())


def group(r, node):
    name, lists = node.get("name"), node.get("blocklist")
    at = name if name is not None else node.get("id")
    if node.kind != "map" or at is None or at.items:
        return node.impossible("it is no group with a `name`", BLOCKING)
    made = r.model.group(at, at.text, node.word("description"))
    node.taken_keys("groups", "id", "name", "description")
    if made is None:
        return node.impossible("the group is left out", BLOCKING)
    r.state.groups.append((node.word("id"), made))
    if lists is not None:
        _group_lists(r, lists, made)
    if node.get("safe_search") is not None:
        _search(node.get("safe_search"), made.safe_search)
    cache = node.get("disable_cache")
    if cache is not None:
        made.cache = cache.text.lower() != "true"
        cache.taken("groups.disable_cache")
    return None


def _group_lists(r, node, made):
    inherit = node.get("inherit_global")
    made.own_lists = inherit is not None and inherit.text.lower() == "false"
    if inherit is not None:
        inherit.taken("groups.lists")
    if made.own_lists and (len(r.model.allow) or len(r.model.deny)):
        inherit.differently(f"{made.name}: the entries of `blocking` apply to this group, too", "groups.lists", BLOCKING)
    for one in node.get("sources").below() if node.get("sources") else []:
        if made.own_lists:
            found = _source(r, one)
            if found:
                made.lists.add(found)
        else:
            for key in one.below():
                if key.name in ("name", "url"):
                    key.needless("with inherit_global the group has everyone's lists")
    for key in ("allow", "deny"):
        for one in node.get(f"{key}list").below() if node.get(f"{key}list") else []:
            _entry(r, one, getattr(made, key))
    for key, take in (("family_time", _family), ("scheduled_pause", _pause)):
        found = take(r, node.get(key)) if node.get(key) is not None else None
        if found:
            made.values["family_time" if key == "family_time" else "schedules"] = found
    for key in ("sources", "allowlist", "denylist"):
        if node.get(key) is not None and not node.get(key).items:
            node.get(key).usual()
    _health(node.get("health_check"))


def _health(node):
    if node is not None:
        node.taken_keys("blocking.update", "enabled", "fail_on_any")


# The log
def store_enabled(r, node):
    r.state.store = node.text.lower() != "false"
    node.taken("query_log.enabled")


def request_log(r, node):
    r.state.requests = node.text.lower() == "true"
    r.model.value(node, "query_log.requests", "enabled", "true") if r.state.requests else node.usual()


def sample(r, node):
    try:
        rate = float(node.text)
    except ValueError:
        return node.impossible(f"`{node.shown()}` is no rate")
    if not 0 < rate < 1:
        return node.usual()
    r.model.value(node, "query_log", "sample", str(min(max(round(1 / rate), 1), 1000000)))
    return node.differently("weir logs one query in so many, with their number", "query_log.sample")


def anonymize(r, node):
    if node.text == "truncate":
        r.model.value(node, "query_log", "anonymize", "truncate")
        return node.differently("weir leaves /48 of an IPv6 address, and /24 of an IPv4 address", "query_log.anonymize")
    return value("query_log", "anonymize", {"hash": "hash", "none": "none"}).handler(r, node)


def exclude_domain(r, node):
    if node.text.startswith("/"):
        return node.impossible("weir leaves out names, not patterns (query_log.exclude_domains)", PRIVACY)
    return r.model.name(node, r.model.log_names, node.text)


def exclude_client(r, node):
    if names.prefix(node.text) is not None:
        return r.model.prefix(node, r.model.log_clients, node.text)
    found = r.state.addresses.get(node.text.lower(), [])
    if not found:
        return node.impossible(f"no client is named `{node.shown()}`: name its address in query_log.exclude_clients", PRIVACY)
    for ip in found:
        r.model.prefix(node, r.model.log_clients, ip)
    return None


def hours(times):
    return number("query_log.store", "hours", 1, 8760, PRIVACY, times=times)


LISTEN = "weir serves port 53 of dataplane.service_addresses, which the result says to CHANGE"
TUNED = "weir tunes this itself"
CLICKHOUSE = "ClickHouse: set query_log.clickhouse (docs/how-to/clickhouse.md); its table is another one"
REDIS = "weir's own format in Redis is another one: set `redis` (docs/reference/config.md#redis)"
TLS = "set `tls`, `dot` and `doh` (docs/how-to/dot.md)"
SYNC = "boxes of weir share no configuration: copy the file"
CONTROL = "the control socket of weir is a Unix socket; its group decides"
REFRESH = "weir renews popular records by rules of its own (refresh)"
JOURNAL = "weir logs to the journal (runtime.log_level)"


def under(section, row, text):
    return {f"{section}.{key}": row for key in text.split()}


KEYS = {
    # Clients first: rows of the log look for their names
    "client_identification.clients": takes(clients),
    "client_identification.enabled": takes(lambda r, n: n.taken("clients")),
    # Privacy
    "query_store.enabled": takes(store_enabled, PRIVACY),
    "query_store.retention_hours": hours(1),
    "query_store.retention_days": hours(24),
    "query_store.max_size_mb": number("query_log.store", "max_mb", 16, 1048576, PRIVACY, default="0"),
    "query_store.sample_rate": takes(sample, PRIVACY),
    "query_store.anonymize_client_ip": takes(anonymize, PRIVACY, default="none"),
    "query_store.exclude_domains[]": takes(exclude_domain, PRIVACY),
    "query_store.exclude_domains": holder(PRIVACY),
    "query_store.exclude_clients[]": takes(exclude_client, PRIVACY),
    "query_store.exclude_clients": holder(PRIVACY),
    **under("query_store", differently(CLICKHOUSE, PRIVACY, to="query_log.clickhouse"), "address database table username password"),
    **under("query_store", needless(TUNED + " (query_log)"), "flush_interval flush_to_store_interval flush_to_disk_interval batch_size"),
    "request_log.enabled": takes(request_log, PRIVACY),
    "request_log.format": value("query_log.requests", "format", {"text": "text", "json": "json"}, PRIVACY, default="text"),
    "request_log.directory": differently("set query_log.requests.directory to a folder that weir may write to", PRIVACY,
                                         to="query_log.requests.directory", default="logs"),
    "request_log.filename_prefix": needless("weir names the files by day", PRIVACY),
    "webhooks": impossible("set query_log.webhooks", PRIVACY),
    # Blocking
    "blocklists.sources[]": takes(blocklist, BLOCKING),
    "blocklists.sources": holder(BLOCKING),
    "blocklists.allowlist[]": entry("allow"),
    "blocklists.allowlist": holder(BLOCKING),
    "blocklists.denylist[]": entry("deny"),
    "blocklists.denylist": holder(BLOCKING),
    "blocklists.refresh_interval": seconds("blocking.update", "interval", 60, 604800, BLOCKING),
    "blocklists.scheduled_pause": takes(pause, BLOCKING),
    "blocklists.family_time": takes(family, BLOCKING),
    "blocklists.health_check": takes(lambda r, n: _health(n), BLOCKING),
    "response.blocked": takes(blocked, BLOCKING),
    "response.blocked_ttl": seconds("blocking", "ttl", 1, 86400, BLOCKING),
    "safe_search": takes(search, BLOCKING),
    "client_groups[]": takes(group, BLOCKING),
    "client_groups": holder(BLOCKING),
    # Servers and records
    "upstreams[]": takes(upstream),
    "upstreams": holder(),
    "resolver_strategy": takes(strategy),
    **{f"{where}{key}": needless(TUNED + " (upstreams)") for where in ("", "network.") for key in (
        "upstream_timeout", "upstream_backoff", "upstream_conn_pool_idle_timeout", "upstream_conn_pool_validate_before_reuse")},
    "local_records[]": takes(record),
    "local_records": holder(),
    # Cache
    "cache.min_ttl": seconds("cache", "min_ttl", 0, 86400),
    "cache.max_ttl": seconds("cache", "max_ttl", 1, 604800),
    "cache.negative_ttl": seconds("cache", "negative_ttl", 1, 86400),
    "cache.client_ttl_cap": seconds("cache", "client_ttl_cap", 0, 604800),
    "cache.respect_source_ttl": differently("set cache.min_ttl to 0 for it", to="cache.min_ttl", default="false"),
    "cache.refresh.stale_ttl": seconds("cache", "stale_window", 0, 604800),
    "cache.refresh.expired_entry_ttl": seconds("cache", "stale_ttl", 1, 3600),
    "cache.refresh.enabled": value("refresh", "enabled", {"true": "true", "false": "false"}, default="true"),
    "cache.refresh.refresh_mode": value("refresh", "mode", {w: w for w in ("aggressive", "balanced", "conservative", "custom")},
                                        default="balanced"),
    "cache.refresh.serve_stale": value("cache", "stale_window", {"false": "0"}, default="true"),
    **under("cache", needless(TUNED + " (cache.failure_ttl, refresh.servfail_backoff)"), """servfail_backoff servfail_refresh_threshold
            servfail_log_interval refresh_upstream_fail_log_interval"""),
    **under("cache.refresh", needless(REFRESH), """refresh_past_auth_ttl hit_window hot_threshold hot_threshold_rate min_ttl hot_ttl
            hot_ttl_fraction warm_threshold warm_ttl warm_ttl_fraction lock_ttl max_inflight sweep_interval sweep_window batch_size
            max_batch_size sweep_min_hits sweep_hit_window batch_stats_window hit_count_sample_rate"""),
    **under("cache.redis", impossible(REDIS), "address sentinel_addrs cluster_addrs"),
    **under("cache.redis", needless(REDIS), "db password mode master_name max_keys degraded_on_unavailable hit_counter_max_entries"),
    **under("cache.redis", needless("weir's cache is sized by cache.l0_mb"), "lru_size lru_grace_period"),
    # Where it serves
    "server.listen": takes(lambda r, n: n.needless(LISTEN)),
    "server.protocols": needless("weir serves UDP and TCP"),
    **under("server", needless(TUNED), "read_timeout write_timeout reuse_port reuse_port_listeners"),
    "doh_dot_server.enabled": needless("see its certificate", default="false"),
    **under("doh_dot_server", impossible(TLS, PRIVACY), "cert_file key_file"),
    **under("doh_dot_server", differently(TLS), "dot_listen doh_listen doh_path"),
    # The program itself
    "sync.role": takes(lambda r, n: n.impossible(SYNC)),
    "sync.enabled": needless(SYNC, default="false"),
    **under("sync", needless(SYNC), "tokens primary_url sync_token sync_interval stats_source_url"),
    "control.token": impossible(CONTROL),
    **under("control", needless(CONTROL), "enabled listen"),
    "control.errors": needless(JOURNAL),
    "logging": needless(JOURNAL),
    "ui": needless("weir has no web interface of its own: weirctl and the control API"),
    "config_version": needless("weir's own is `version`"),
}


def _overridden(root, before):
    """Nodes of a later file that an earlier one overrides: all but maps that both have."""
    todo, found = [(root, before)], set()
    while todo:
        later, first = todo.pop()
        for name, node in later.items:
            other = first.get(name)
            if other is None:
                continue
            if node.kind == "map" and other.kind == "map" and node.items:
                todo.append((node, other))
            else:
                node.needless("the file before overrides it")
                found.add(id(node))
    return found


def _is_in(node, found):
    while node is not None:
        if id(node) in found:
            return True
        node = node.parent
    return False


def read(r, path):
    root, state = yaml_source.load(r.account, path), r.state
    if root.get("blocklists") is None and root.get("upstreams") is None:
        raise source.Refused(f"{path}: is no configuration of beyond-ads-dns")
    if not hasattr(state, "roots"):
        state.roots, state.lists, state.groups, state.clients, state.addresses = [], [], [], [], {}
        state.store, state.requests = True, False
    gone = set().union(*(_overridden(root, before) for before in state.roots))
    r.account.roots.append(root)
    state.roots.append(root)
    for pattern, row in KEYS.items():
        for node in match(root, pattern):
            if not _is_in(node, gone):
                row.apply(r, node)


def end(r):
    model, state = r.model, r.state
    for ip, name, of, at in state.clients:
        for number_, made in state.groups:
            if of and of == number_:
                model.group_client(at, made, ip, name)
    _everyone(model, state)
    if not state.store and not state.requests:
        model.value(None, "query_log", "enabled", "false", "query_store and request_log are off")
        model.remark("query_store.enabled", "nothing logs queries there, so query_log.enabled is false: without a log there is no "
                     "`weirctl log` or `top`", PRIVACY, to="query_log.enabled")
    elif not state.store:
        model.value(None, "query_log.store", "enabled", "false", "query_store is off")
    if len(state.roots) == 1:
        model.remark("default.yaml", "what the file leaves out stands in default.yaml: name that, too, behind it")


def _everyone(model, state):
    """In weir every list applies to clients without a group: where a group has lists of its own, the others become a group, too."""
    if all(one.name in state.lists for one in model.lists):
        return
    if len(model.groups) >= GROUPS_MAX:
        model.lost("client_groups", "the lists of groups apply to clients without a group, too: weir has no room for one more group",
                   BLOCKING)
        return
    made = model.group(None, "default", "every other client")
    for text in ("0.0.0.0/0", "::/0"):
        if not any(text in one.clients for one in model.groups):
            made.clients.add(text)
    for one in model.groups:
        if not one.own_lists:
            one.own_lists = True
            for name in state.lists:
                one.lists.add(name)
