# SPDX-License-Identifier: BSD-3-Clause
"""Settings of Pi-hole: pihole.toml of version 6, setupVars.conf and pihole-FTL.conf of version 5.

Both versions name the same things differently, so the handlers are shared. What several keys decide together is kept in
`reading.state` for `end` of pihole.py.
"""
import re

from .. import data_source, names, servers
from ..account import BLOCKING, PRIVACY
from ..table import differently, holder, impossible, needless, number, read as read_table, takes
from . import dnsmasq

ON, OFF = ("true", "yes"), ("false", "no")
MODES = {"NULL": "'null'", "NXDOMAIN": "nxdomain", "NX": "nxdomain", "NODATA": "nodata"}
IP_MODES = ("IP", "IP-NODATA-AAAA", "IP-AAAA-NODATA")


def is_on(node):
    return node.text.lower() in ON


# What is logged
def log_off(r, node, why):
    """One reason is enough: `end` writes query_log.enabled."""
    r.state.log_off = True
    node.differently(why, "query_log.enabled")


def privacy_level(r, node):
    level = names.integer(node.text)
    if level is None or not 0 <= level <= 4:
        r.state.log_off = r.state.anonymous = True
        return node.differently(f"`{node.shown()}` is no privacy level, so weir logs nothing", "query_log.enabled")
    if level >= 2:
        r.state.anonymous = True
    if level in (1, 2):
        what = "names" if level == 1 else "names and clients"
        return log_off(r, node, f"Pi-hole logs queries without their {what}; weir logs none without names, so query_log.enabled is "
                       "false and it counts them alone")
    if level > 2:
        r.state.log_off = True
        node.taken("query_log.enabled")
    return None


def query_logging(r, node):
    if is_on(node):
        return node.usual()
    return log_off(r, node, "weir has one log, so query_log.enabled is false; Pi-hole kept its database of queries all the same "
                   "(database.maxDBdays)")


def store_off(r, node):
    r.state.store_off = True
    node.differently("Pi-hole keeps the queries of 24 hours in memory; weir then keeps none, and shows those to come (weirctl watch)",
                     "query_log.store.enabled")


def days(r, node):
    n = names.integer(node.text)
    if n is None or n <= 0:
        return store_off(r, node)
    return r.model.number(node, "query_log.store", "hours", str(n), 1, 8760, 24)


def database_file(r, node):
    if node.is_empty():
        return store_off(r, node)
    return node.needless("set query_log.store.directory where weir's log is to lie elsewhere")


def ignore_localhost(r, node):
    for one in ("127.0.0.0/8", "::1"):
        r.model.prefix(node, r.model.log_clients, one)


def privacy_mode(r, node):
    r.state.anonymous = True
    log_off(r, node, "Pi-hole shows no names and no clients; weir logs none without names, so query_log.enabled is false")


EXACT = re.compile(r"\^((?:[A-Za-z0-9_:-]|\\\.|\\-)+)\$")
BELOW = re.compile(r"(?:\((?:\\\.\|\^|\^\|\\\.)\)|\(\?:\^\|\\\.\))((?:[A-Za-z0-9_-]|\\\.|\\-)+)\$")
HIDDEN = "Pi-hole keeps such queries and shows them to nobody; weir only counts them"


def _exclude_client(r, node, text):
    if names.prefix(text) is None:
        return node.impossible(f"`{text[:100]}`: weir leaves clients out of its log by address (query_log.exclude_clients)")
    return r.model.prefix(node, r.model.log_clients, text) and node.differently(HIDDEN, "query_log.exclude_clients")


def _exclude_name(r, node, text, below):
    if r.model.name(node, r.model.log_names, text):
        node.differently(HIDDEN if below else f"{HIDDEN}, and names below {text[:100]}, too", "query_log.exclude_domains")


def exclude_client(r, node):
    found = EXACT.fullmatch(node.text)
    _exclude_client(r, node, found[1].replace("\\", "") if found else node.text)


def exclude_domain(r, node):
    found, below = EXACT.fullmatch(node.text), BELOW.fullmatch(node.text)
    if not found and not below:
        return node.impossible(f"`{node.shown()}`: weir leaves names out of its log (query_log.exclude_domains), and no patterns")
    return _exclude_name(r, node, (below or found)[1].replace("\\", ""), bool(below))


def exclude_clients(r, node):
    for one in filter(None, map(str.strip, node.text.split(","))):
        _exclude_client(r, node, one)


def exclude_domains(r, node):
    for one in filter(None, map(str.strip, node.text.split(","))):
        _exclude_name(r, node, one.removeprefix("*").lstrip("."), one.startswith("*"))


# Blocking
def active(r, node):
    if is_on(node):
        return node.usual()
    return r.model.value(node, "blocking", "enabled", "false")


def mode(r, node):
    word = node.text.upper()
    if word in MODES:
        r.model.value(node, "blocking", "mode", MODES[word])
    elif word in IP_MODES:
        r.state.ip_mode = r.state.ip_mode or (node, word)
    else:
        node.differently(f"`{node.shown()}` is no mode of Pi-hole, which then answers 0.0.0.0 and ::", "blocking.mode")


def block_address(r, node):
    """Kept for `end`: it counts with a mode that answers with an address."""
    ip = names.address(node.text)
    if ip is None:
        return node.impossible(f"`{node.shown()}` is no address")
    r.state.block_addresses.setdefault(f"ipv{ip.version}", []).append(node)
    return None


def block_forced(r, node):
    """`force4 = true` with `IPv4`."""
    place = node.parent.get("IPv4" if node.name == "force4" else "IPv6")
    if is_on(node) and place is not None and place.text:
        node.needless("its address counts where the mode is IP")
    elif is_on(node):
        node.needless("there is no address to answer with")
    else:
        node.usual()


def block_toml_address(r, node):
    if node.parent.flag("force4" if node.name == "IPv4" else "force6"):
        return block_address(r, node)
    return node.usual()


def settle_mode(r):
    """After the last file. IP: both addresses of Pi-hole; IP-NODATA-AAAA: that of IPv4 alone."""
    found = r.state.block_addresses
    for version in ("ipv4", "ipv6"):
        for node in found.get(version, ()):
            if not r.state.ip_mode:
                node.needless("the blocking mode answers with no address")
            elif version == "ipv6" and r.state.ip_mode[1] != "IP":
                node.needless("the blocking mode answers with no address of IPv6")
            else:
                r.model.value(node, "blocking", version, f"'{names.address(node.text)}'")
    if not r.state.ip_mode:
        return
    node, word = r.state.ip_mode
    if any(r.model.values.get(("blocking", version)) for version in ("ipv4", "ipv6")):
        r.model.value(node, "blocking", "mode", "address")
    else:
        r.model.value(node, "blocking", "mode", "'null'")
        node.impossible(f"`{word}` answers with the address of Pi-hole; weir answers 0.0.0.0 and :: unless blocking.mode is `address`, "
                        "with blocking.ipv4 and ipv6")


def when_busy(r, node):
    if node.text.upper() not in ("BLOCK", "REFUSE", "DROP"):
        return node.impossible(f"`{node.shown()}` has no counterpart; known are ALLOW, BLOCK, REFUSE and DROP")
    r.model.value(node, "blocking", "closed", "true")
    return node.differently("weir's rules are in memory and never busy; while it has none it answers SERVFAIL", "blocking.closed")


def canary(r, node):
    if is_on(node):
        return node.taken("local.doh_canary")
    return r.model.value(node, "local", "doh_canary", "false")


def relay(r, node):
    r.state.relay_said = True
    if not is_on(node):
        return node.taken("local.relay_canary")
    return r.model.value(node, "local", "relay_canary", "true")


def rate(r, node, count, interval):
    """So many queries in so many seconds."""
    if count is None or interval is None or count < 0 or interval < 0:
        return node.impossible(f"`{node.shown()}` is no number of queries in a time")
    if count == 0 or interval == 0:
        for key in ("rate", "network_rate"):
            r.model.value(node, "access", key, "0")
        return None
    r.model.number(node, "access", "rate", str(-(-count // interval)), 1, 1000000)
    r.model.number(node, "access", "burst", str(interval), 1, 60)
    return node.differently(f"{count} queries in {interval} s for one client: in weir this holds for clients that access.unlimited does "
                            "not name, that is, not for your own networks; `unlimited: []` holds it for all", "access.rate")


def rate_toml(r, node):
    count, interval = node.get("count"), node.get("interval")
    numbers = [names.integer(n.text) if n is not None else usual for n, usual in ((count, 1000), (interval, 60))]
    known = [n for n in (count, interval) if n is not None]
    if numbers == [1000, 60]:
        for one in known:
            one.usual()
        return
    for one in known:
        rate(r, one, *numbers)


def rate_conf(r, node):
    count, slash, interval = node.text.partition("/")
    rate(r, node, names.integer(count), names.integer(interval) if slash else None)


# Names and servers
def upstream(r, node):
    r.model.server(node, r.model.upstreams, node.text)


def hosts_line(r, node):
    """"192.0.2.1 name other # why": each name has the address, which has the first one."""
    ip, *hosts = node.text.split("#")[0].split() or [""]
    if not ip:
        return node.usual("a comment")
    if not hosts:
        return node.impossible(f"`{node.shown()}` is not an address with names")
    for host in hosts:
        if r.model.address(node, host, ip) and "." not in host:
            r.state.short_names.append((node, host, ip))
    return names.address(ip) is not None and r.model.reverse(node, ip, hosts[0])


def expand(r):
    """After the last file: names of hosts lines without a dot have the domain behind them, too."""
    node, domain = r.state.expand_hosts, r.state.local_domain
    if node is None:
        return
    if not domain:
        return node.needless("without a domain it does nothing")
    for at, host, ip in r.state.short_names:
        r.model.address(at, f"{host}.{domain}", ip)
    node.taken("local.records")


def expand_hosts(r, node):
    if is_on(node):
        r.state.expand_hosts = node
    else:
        node.usual()


def fqdn_required(r, node):
    """Of version 5: domainNeeded and expandHosts."""
    if not is_on(node):
        return node.usual()
    r.state.domain_needed = True
    r.state.expand_hosts = r.state.expand_hosts or node
    return dnsmasq.KEYS["domain-needed"].handler(r, node)


def domain_needed(r, node):
    if not is_on(node):
        return node.usual()
    r.state.domain_needed = True
    return dnsmasq.KEYS["domain-needed"].handler(r, node)


def domain(r, node):
    """A text; in later versions a map of `name` and `local`. Nobody is asked about its names, unless it is not `local`, or has a
    server of its own."""
    if node.kind == "map":
        return None
    found, why = names.name(node.text)
    if not found:
        return node.impossible(f"`{node.shown()}` {why}, so it is left out")
    r.state.local_domain = r.state.local_domain or found
    at_home = node.parent.word("local", "true") == "true" if node.name == "name" else True
    if at_home:
        r.state.domains.append((node, found))
    dnsmasq.home_domain(r, node, found, at_home)
    return None


def domain_conf(r, node):
    """Of version 5: the DHCP server's, which then asks nobody about it."""
    if node.parent.flag("DHCP_ACTIVE"):
        return domain(r, node)
    found, _ = names.name(node.text)
    r.state.local_domain = r.state.local_domain or found or ""
    return node.needless("it is the domain of the DHCP server, which is off")


def settle_domains(r):
    for node, found in r.state.domains:
        if found in r.model.zones:
            node.taken("forward_zones")
        else:
            r.model.name(node, r.model.closed_zones, found)


def bogus_priv(r, node):
    if is_on(node):
        return node.needless("weir answers reverse names of private addresses itself (local.special_names)")
    return node.differently("weir answers reverse names of private addresses itself; a forward zone, or one of local.zones with "
                            "`unknown: forward`, passes them on", "local.special_names")


def reverse_server(r, node, parts):
    """on, network, server, domain of its names."""
    is_active, network, to, zone = (parts + [""] * 4)[:4]
    if is_active.lower() != "true":
        return node.needless(f"the conditional forwarding of {network[:60]} is off there, so it is left out")
    r.state.reverse_servers.append(to)
    if not r.model.reverse_zone_server(node, network, to):
        return None
    found = servers.parse(to)
    if found and zone and r.model.zone_server(node, zone, to):
        r.state.private.append(zone)
    for one in names.reverse_zones(names.prefix(network)):
        r.state.private.append(one)
    return None


def reverse_servers(r, node):
    reverse_server(r, node, dnsmasq.comma_parts(node.text))


def reverse_conf(r, node):
    """Four lines of version 5 that say one thing together. The first that is met does it for all."""
    root = node.parent
    keys = ("REV_SERVER", "REV_SERVER_CIDR", "REV_SERVER_TARGET", "REV_SERVER_DOMAIN")
    parts = [root.word(key) for key in keys]
    if root not in r.state.reverse_read:
        r.state.reverse_read.append(root)
        reverse_server(r, node, parts)
    elif parts[0].lower() != "true":
        node.needless("the conditional forwarding is off there, so it is left out")
    else:
        node.taken("forward_zones")


def forwarding_old(r, node):
    """Before version 5.0: CONDITIONAL_FORWARDING with a reverse zone."""
    root = node.parent
    if not root.flag("CONDITIONAL_FORWARDING"):
        return node.needless("the conditional forwarding is off there, so it is left out")
    to = root.word("CONDITIONAL_FORWARDING_IP")
    if node.name in ("CONDITIONAL_FORWARDING_DOMAIN", "CONDITIONAL_FORWARDING_REVERSE"):
        if r.model.zone_server(node, node.text, to):
            r.state.private.append(node.text)
    else:
        node.taken("forward_zones")
    return None


def dnssec(r, node):
    if is_on(node):
        r.state.dnssec = True
        return r.model.value(node, "dnssec", "validate", "true")
    return node.usual()


def listening(r, node):
    word = node.text.upper()
    if word in ("ALL", "SINGLE"):
        return node.differently("weir answers private and local addresses, and no others unless access.allow says so", "access.allow")
    if word in ("BIND", "NONE"):
        return node.needless("weir serves its own addresses alone")
    return node.impossible(f"`{node.shown()}` is no mode of Pi-hole: set access.allow")


def optimizer(r, node):
    n = names.integer(node.text)
    if n is None:
        return node.impossible(f"`{node.shown()}` is no number, so it is left out")
    if n < 0:
        return node.differently("Pi-hole never serves an expired answer; weir does where the upstreams fail (cache.stale_window)",
                                "cache.stale")
    return dnsmasq.stale(r, node)


def dnsmasq_line(r, node):
    """A line of dnsmasq becomes a map of its one option, so that the rows of dnsmasq take it."""
    found = data_source.word_value(node.text)
    if not found:
        return node.usual("a comment")
    word, text = found
    node.kind, node.text = "map", ""
    node.child(word, node.line, "flag" if text is None else "text", text or "")
    before, r.state.path = r.state.path, node.file
    read_table(r, node, DNSMASQ_KEYS)
    r.state.path = before
    return None


def dnsmasq_folder(r, node):
    if is_on(node):
        node.taken("the options of its files")
    else:
        r.state.folder_off = node


# DHCP: nothing matters while it is off
def dhcp(r, node):
    root = node.parent
    while root.parent is not None:
        root = root.parent
    if root.flag("dhcp.active") or root.flag("DHCP_ACTIVE"):
        node.impossible(dnsmasq.LEASE_NAMES if "hosts" in node.path else dnsmasq.DHCP)
    else:
        node.usual("the DHCP server is off")


WEB = "weir's app and control API have settings of their own (docs/reference/config-control.md)"
SHOWN = "it is about what Pi-hole's web interface shows"
PROCESS, LOGS = dnsmasq.PROCESS, dnsmasq.LOGS
FILES = "weir has files of its own"
CLIENTS = "weir finds names of clients in its own way (client_names)"
TIME = "weir is no time server and sets no clock: let chrony or systemd-timesyncd do it"
DEBUG = "it is about Pi-hole's own log"
HOST = "weir has no name of its own: write pi.hole into local.records if clients ask for it"
ECS = "weir believes no client subnet of a query: give it the PROXY protocol (proxy_protocol)"
ALIASES = "weir always checks the names behind aliases"
TYPES = "weir logs queries of all types"
ESNI = "no client sends ESNI today; browsers use ECH, from HTTPS records"
PTR = "weir answers reverse names of its own addresses where local.records says so"
DIRECT = "weir waits for no network: systemd starts it when there is one"
LISTEN = dnsmasq.LISTEN

# Options of dnsmasq in files and lines beside Pi-hole's own.
DNSMASQ_KEYS = {**dnsmasq.KEYS, "log-queries": needless("the settings of Pi-hole say what is logged", PRIVACY)}
HOSTS_KEYS = {"[]": takes(hosts_line)}

TOML_KEYS = {
    # What is logged
    "misc.privacylevel": takes(privacy_level, PRIVACY, default="0"),
    "dns.queryLogging": takes(query_logging, PRIVACY),
    "database.maxDBdays": takes(days, PRIVACY),
    "files.database": takes(database_file, PRIVACY, default="/etc/pihole/pihole-FTL.db", empty=True),
    "dns.ignoreLocalhost": takes(ignore_localhost, PRIVACY, default="false"),
    "dns.analyzeOnlyAandAAAA": impossible(TYPES, PRIVACY, default="false"),
    "dns.showDNSSEC": needless("weir's own queries for DNSSEC are not in its log", PRIVACY, default="true"),
    "dns.EDNS0ECS": impossible(ECS, PRIVACY, default=("true", "false")),
    "webserver.api.excludeClients": holder(PRIVACY),
    "webserver.api.excludeClients[]": takes(exclude_client, PRIVACY),
    "webserver.api.excludeDomains": holder(PRIVACY),
    "webserver.api.excludeDomains[]": takes(exclude_domain, PRIVACY),
    "files.pcap": impossible("weir writes no packets to a file: query_log.dnstap gives queries and replies as on the wire", PRIVACY),
    "misc.extraLogging": needless("weir's log has the client of each query", PRIVACY, default="false"),
    "dns.domainNeeded": takes(domain_needed, PRIVACY),
    "dns.bogusPriv": takes(bogus_priv, PRIVACY),
    # Blocking
    "dns.blocking.active": takes(active, BLOCKING),
    "dns.blocking.mode": takes(mode, BLOCKING),
    "dns.blocking.edns": differently("weir's answers to blocked names say so (EDE 15) always", BLOCKING, default=("TEXT", "CODE")),
    "dns.blockTTL": number("blocking", "ttl", 1, 86400, BLOCKING),
    "dns.reply.blocking.force4": takes(block_forced, BLOCKING),
    "dns.reply.blocking.force6": takes(block_forced, BLOCKING),
    "dns.reply.blocking.IPv4": takes(block_toml_address, BLOCKING),
    "dns.reply.blocking.IPv6": takes(block_toml_address, BLOCKING),
    "dns.replyWhenBusy": takes(when_busy, BLOCKING, default="ALLOW"),
    "dns.CNAMEdeepInspect": differently(ALIASES, BLOCKING, default="true"),
    "dns.blockESNI": needless(ESNI, BLOCKING, default="true"),
    "dns.specialDomains.mozillaCanary": takes(canary, BLOCKING),
    "dns.specialDomains.iCloudPrivateRelay": takes(relay, BLOCKING),
    "dns.specialDomains.designatedResolver": differently("weir answers for resolver.arpa itself (local.special_names)", BLOCKING,
                                                         default="true"),
    # Servers, records, cache
    "dns.upstreams": holder(),
    "dns.upstreams[]": takes(upstream),
    "dns.hosts": holder(),
    "dns.hosts[]": takes(hosts_line),
    "dns.cnameRecords": holder(),
    "dns.cnameRecords[]": takes(dnsmasq.cname),
    "dns.hostRecord": takes(dnsmasq.host_record),
    "dns.revServers": holder(),
    "dns.revServers[]": takes(reverse_servers),
    "dns.domain": takes(domain),
    "dns.domain.name": takes(domain),
    "dns.domain.local": takes(lambda _, node: node.taken("local.zones")),
    "dns.expandHosts": takes(expand_hosts),
    "dns.dnssec": takes(dnssec),
    "dns.interface": needless(LISTEN),
    "dns.listeningMode": takes(listening, default="LOCAL"),
    "dns.port": takes(dnsmasq.port, default="53"),
    "dns.localise": differently("weir answers with all addresses of a name, whatever network the client is in", default=("true", "false")),
    "dns.piholePTR": impossible(PTR, default=("PI.HOLE", "NONE")),
    "dns.cache.size": takes(dnsmasq.cache_size, default="10000"),
    "dns.cache.optimizer": takes(optimizer),
    "dns.cache.upstreamBlockedTTL": needless("weir keeps such an answer as long as it says", default="86400"),
    "dns.cache.rrtype": needless("weir keeps records of all types"),
    "dns.rateLimit": takes(rate_toml),
    "dns.reply.host.force4": impossible(HOST, default="false"),
    "dns.reply.host.force6": impossible(HOST, default="false"),
    "dns.reply.host.IPv4": impossible(HOST, default="0.0.0.0"),
    "dns.reply.host.IPv6": impossible(HOST, default="::"),
    "misc.dnsmasq_lines": holder(),
    "misc.dnsmasq_lines[]": takes(dnsmasq_line),
    "misc.etc_dnsmasq_d": takes(dnsmasq_folder),
    # DHCP and time
    "dhcp.hosts": holder(),
    "dhcp.hosts[]": takes(dhcp),
    **{f"dhcp.{word}": takes(dhcp) for word in """active start end router netmask leaseTime ipv6 multiDNS rapidCommit logging
       ignoreUnknownClients""".split()},
    "ntp.ipv4.active": impossible(TIME, default="false"),
    "ntp.ipv6.active": impossible(TIME, default="false"),
    **{f"ntp.{word}": needless(TIME) for word in """ipv4.address ipv6.address sync.active sync.server sync.interval sync.count
       sync.rtc.set sync.rtc.device sync.rtc.utc""".split()},
    # Clients' names, the process, its files and its web interface
    **{f"resolver.{word}": needless(CLIENTS) for word in "resolveIPv4 resolveIPv6 networkNames macNames refreshNames".split()},
    **{f"database.{word}": needless(FILES) for word in "DBimport DBinterval useWAL forceDisk".split()},
    **{f"database.network.{word}": needless(CLIENTS) for word in ("parseARPcache", "expire")},
    **{f"files.{word}": needless(FILES) for word in """pid gravity gravity_tmp tmp_db macvendor setupVars log.ftl log.dnsmasq
       log.webserver""".split()},
    **{f"misc.{word}": needless(PROCESS) for word in """nice addr2line readOnly normalizeCPU check.load check.shmem
       check.disk""".split()},
    **{f"misc.{word}": needless(SHOWN) for word in ("hide_dnsmasq_warn", "hide_connection_error")},
    "misc.delay_startup": needless(DIRECT),
    **{f"webserver.{word}": needless(WEB) for word in """domain acl port threads headers serve_all advancedOpts tls.rev_proxy tls.cert
       tls.validity session.timeout session.restore paths.webroot paths.webhome paths.prefix interface.boxed interface.theme
       api.searchAPIauth api.localAPIauth api.max_sessions api.prettyJSON api.pwhash api.password api.totp_secret api.app_pwhash
       api.app_sudo api.cli_pw api.maxHistory api.maxClients api.client_history_global_max api.allow_destructive api.temp.limit
       api.temp.unit""".split()},
    **{f"debug.{word}": needless(DEBUG) for word in """database networking locks queries flags shmem gc arp regex api tls overtime
       status caps dnssec vectors resolver edns0 clients aliasclients events helper config inotify webserver extra reserved ntp netlink
       timing performance all""".split()},
}

# Both files of version 5: Pi-hole reads some keys from either.
CONF_KEYS = {
    # What is logged
    "PRIVACYLEVEL": takes(privacy_level, PRIVACY, default="0"),
    "QUERY_LOGGING": takes(query_logging, PRIVACY),
    "MAXDBDAYS": takes(days, PRIVACY),
    "DBFILE": takes(database_file, PRIVACY, default="/etc/pihole/pihole-FTL.db", empty=True),
    "IGNORE_LOCALHOST": takes(ignore_localhost, PRIVACY, default=OFF),
    "ANALYZE_ONLY_A_AND_AAAA": impossible(TYPES, PRIVACY, default=OFF),
    "AAAA_QUERY_ANALYSIS": impossible(TYPES, PRIVACY, default=ON),
    "SHOW_DNSSEC": needless("weir's own queries for DNSSEC are not in its log", PRIVACY, default="true"),
    "EDNS0_ECS": impossible(ECS, PRIVACY, default=ON + OFF),
    "API_EXCLUDE_CLIENTS": takes(exclude_clients, PRIVACY),
    "API_EXCLUDE_DOMAINS": takes(exclude_domains, PRIVACY),
    "API_PRIVACY_MODE": takes(privacy_mode, PRIVACY, default=OFF),
    "API_QUERY_LOG_SHOW": needless("`weirctl log` shows what you ask it for", PRIVACY),
    "QUERY_DISPLAY": needless("`weirctl log` shows what you ask it for", PRIVACY),
    "DNS_FQDN_REQUIRED": takes(fqdn_required, PRIVACY),
    "DNS_BOGUS_PRIV": takes(bogus_priv, PRIVACY),
    # Blocking
    "BLOCKING_ENABLED": takes(active, BLOCKING),
    "BLOCKINGMODE": takes(mode, BLOCKING),
    "BLOCK_TTL": number("blocking", "ttl", 1, 86400, BLOCKING),
    **{word: takes(block_address, BLOCKING) for word in ("BLOCK_IPV4", "BLOCK_IPV6", "REPLY_ADDR4", "REPLY_ADDR6")},
    "REPLY_WHEN_BUSY": takes(when_busy, BLOCKING, default="ALLOW"),
    "CNAME_DEEP_INSPECT": differently(ALIASES, BLOCKING, default=ON),
    "BLOCK_ESNI": needless(ESNI, BLOCKING, default="true"),
    "MOZILLA_CANARY": takes(canary, BLOCKING),
    "BLOCK_ICLOUD_PR": takes(relay, BLOCKING),
    # Servers, records, cache
    "PIHOLE_DNS_*": takes(upstream),
    "DNSSEC": takes(dnssec),
    "HOSTRECORD": takes(dnsmasq.host_record),
    **{word: takes(reverse_conf) for word in ("REV_SERVER", "REV_SERVER_CIDR", "REV_SERVER_TARGET", "REV_SERVER_DOMAIN")},
    **{f"CONDITIONAL_FORWARDING{word}": takes(forwarding_old) for word in ("", "_IP", "_DOMAIN", "_REVERSE")},
    "PIHOLE_DOMAIN": takes(domain_conf),
    "DNSMASQ_LISTENING": takes(listening, default=("local", "LOCAL")),
    "CACHE_SIZE": takes(dnsmasq.cache_size, default="10000"),
    "RATE_LIMIT": takes(rate_conf, default="1000/60"),
    "LOCAL_IPV4": impossible(HOST),
    "LOCAL_IPV6": impossible(HOST),
    "PIHOLE_PTR": impossible(PTR, default=("true", "PI.HOLE", "none", "false")),
    **{word: needless(LISTEN) for word in ("PIHOLE_INTERFACE", "IPV4_ADDRESS", "IPV6_ADDRESS")},
    # DHCP
    **{f"DHCP_{word}": takes(dhcp) for word in "ACTIVE START END ROUTER LEASETIME IPv6 RAPID_COMMIT rapid_commit".split()},
    # Clients' names, the process, its files and its web interface
    **{word: needless(CLIENTS) for word in """RESOLVE_IPV4 RESOLVE_IPV6 NAMES_FROM_NETDB REFRESH_HOSTNAMES PARSE_ARP_CACHE
       MAXNETAGE""".split()},
    **{word: needless(FILES) for word in """DBIMPORT DBINTERVAL LOGFILE PIDFILE PORTFILE SOCKETFILE SETUPVARSFILE MACVENDORDB GRAVITYDB
       WHITELISTFILE BLACKLISTFILE GRAVITYFILE REGEXLISTFILE AUDITLISTFILE GRAVITY_TMPDIR API_INFO_LOG""".split()},
    **{word: needless(PROCESS) for word in """NICE ADDR2LINE CHECK_LOAD CHECK_SHMEM CHECK_DISK INSTALL_WEB INSTALL_WEB_SERVER
       INSTALL_WEB_INTERFACE LIGHTTPD_ENABLED""".split()},
    "DELAY_STARTUP": needless(DIRECT),
    **{word: needless(WEB) for word in """WEBPASSWORD WEBTHEME WEBUIBOXEDLAYOUT WEBROOT WEBPORT WEB_PORTS WEBHOME WEBACL WEBDOMAIN
       API_AUTH_FOR_LOCALHOST API_SESSION_TIMEOUT API_PRETTY_JSON SOCKET_LISTENING FTLPORT TEMPERATUREUNIT TEMPERATURE_UNIT
       TEMPERATURE_LIMIT ADMIN_EMAIL MAXLOGAGE INCLUDE_YESTERDAY""".split()},
    **{word: needless(DEBUG) for word in ("REGEX_DEBUGMODE", *(f"DEBUG_{flag}" for flag in """ALL DATABASE NETWORKING LOCKS QUERIES
       FLAGS SHMEM GC ARP REGEX API OVERTIME STATUS CAPS DNSSEC DNSMASQ_LINES VECTORS RESOLVER EDNS0 CLIENTS ALIASCLIENTS EVENTS HELPER
       EXTBLOCKED CONFIG EXTRA""".split()))},
}
