# SPDX-License-Identifier: BSD-3-Clause
"""Technitium DNS Server: the settings as its API gives them (settings/get), zone files, and lists of allowed and blocked zones
as its console exports them. Its own file dns.config is binary, and nobody documents it."""
import math
import os
import re

from .. import data_source, names, servers, settle, source, zone_file
from ..account import BLOCKING, DIFFERENTLY, PRIVACY, Node
from ..table import differently, flag, holder, impossible, needless, number, read as read_table, takes, value

TITLE = "Technitium DNS Server"
BINARY = ("is Technitium's binary format, which nobody documents. Save the settings as JSON (curl "
          '"http://HOST:5380/api/settings/get?token=TOKEN"), and export the zones, and the lists of allowed and blocked zones, from '
          "its console")
USUAL_LIMITS = {("4", "32", "600"), ("4", "24", "6000"), ("6", "128", "600"), ("6", "64", "1200"), ("6", "56", "6000")}
TUNES = "weir tunes this itself"


# Upstreams
def forwarders(r, node):
    protocol = r.state.settings.word("forwarderProtocol", "Udp")
    for one in node.below():
        r.model._server(one, r.model.upstreams, zone_file.forwarder(protocol, one.text), one.text, None)


def protocol(r, node):
    if node.text.lower() not in zone_file.PROTOCOLS:
        return node.impossible(f"`{node.shown()}` is no protocol of Technitium")
    if node.text.lower() == "httpsjson":
        return node.differently("weir asks over HTTPS in the wire format (RFC 8484)", "upstreams.servers")
    node.taken("upstreams.servers")


def concurrent(r, node):
    if not has_forwarders(r):
        return node.needless("there are no forwarders")
    r.model.value(node, "upstreams", "race", "2" if node.text == "true" else "1", "concurrentForwarding")


def has_forwarders(r):
    given = r.state.settings.get("forwarders")
    return bool(given and given.items)


def ipv6_mode(r, node):
    """For recursion: weir asks a forwarder by the address that it has."""
    if has_forwarders(r):
        return node.needless("weir asks forwarders by their addresses")
    words = {"Disabled": "ipv4", "Enabled": "auto", "Preferred": "auto"}
    if node.text not in words:
        return node.impossible(f"`{node.shown()}` is no mode of Technitium")
    r.model.value(node, "upstreams", "recursion_ip", words[node.text])


def sources(r, node):
    for one in node.below():
        if one.text in ("0.0.0.0", "::"):
            one.usual()
        else:
            one.impossible(f"{one.shown()}: set upstreams.source to an address of weir's machine")


# Who may ask
def recursion(r, node):
    if node.text == "Allow":
        r.model.access_allow.add("any")
        return node.taken("access.allow")
    if node.text == "Deny":
        return node.impossible("Technitium then answers its own zones alone; weir resolves for its clients (access.allow)", PRIVACY)
    if node.text == "AllowOnlyForPrivateNetworks":
        return node.usual("weir's default, too (access.allow)")
    if node.text in ("UseSpecifiedNetworkACL", "UseSpecifiedNetworks"):
        return node.taken("access.allow")
    node.impossible(f"`{node.shown()}` is no word of Technitium", PRIVACY)


def has_acl(r):
    return r.state.settings.word("recursion") in ("UseSpecifiedNetworkACL", "UseSpecifiedNetworks")


def acl(r, node):
    """In order there; in weir the longest prefix decides."""
    denied = []
    for one in node.below():
        network = names.prefix(one.text.lstrip("!"))
        if not has_acl(r):
            one.needless("recursion does not go by it")
        elif one.text.startswith("!"):
            denied.append(network)
            r.model.prefix(one, r.model.access_deny, one.text[1:])
        elif r.model.prefix(one, r.model.access_allow, one.text) and \
                any(d is not None and d.version == network.version and network.subnet_of(d) for d in denied):
            one.differently(f"{one.shown()} lies in a network that is denied before it: in weir the longest prefix decides",
                            "access.allow", PRIVACY)
        if network is not None and network.prefixlen == 0 and not one.text.startswith("!") and has_acl(r):
            r.model.access_allow.keep([t for t in r.model.access_allow.texts() if t != names.prefix_text(network)])
            r.model.access_allow.add("any")


def old_networks(word):
    def take(r, node):
        for one in node.below():
            if has_acl(r):
                r.model.prefix(one, getattr(r.model, word), one.text)
            else:
                one.needless("recursion does not go by it")
    return takes(take, PRIVACY)


def old_recursion(r, node):
    private = r.state.settings.word("allowRecursionOnlyForPrivateNetworks", "true") == "true"
    if node.text == "true" and not private:
        r.model.access_allow.add("any")
        return node.taken("access.allow")
    if node.text == "true":
        return node.usual("weir's default, too (access.allow)")
    node.impossible("Technitium then answers its own zones alone; weir resolves for its clients (access.allow)", PRIVACY)


def limit(version):
    """{"prefix": 24, "udpLimit": 6000, "tcpLimit": 6000}: queries a minute."""
    keys = {"4": {"32": "rate", "24": "network_rate"}, "6": {"64": "rate", "56": "network_rate"}}[version]

    def take(r, node):
        udp, length = node.word("udpLimit"), node.word("prefix")
        if (version, length, udp) in USUAL_LIMITS and node.word("tcpLimit", udp) == udp:
            for key in ("prefix", "udpLimit", "tcpLimit"):
                if node.get(key):
                    node.get(key).usual("its default; weir has limits of its own (access.rate)")
            return
        _limit(r, node.get("udpLimit") or node, keys.get(length), length, udp)
        for key in ("prefix", "tcpLimit"):
            if node.get(key):
                node.get(key).taken("access.rate")
    return takes(take)


def _limit(r, node, key, length, text):
    n = names.integer(text)
    if key is None or n is None:
        return node.impossible(f"weir counts IPv4 /32 and /24, and IPv6 /64 and /56, not /{length[:10]}")
    r.model.number(node, "access", key, str(math.ceil(n / 60)), 0, 1000000)
    node.differently("weir counts by the second, UDP and TCP alike, and not the clients of access.unlimited, private networks by "
                     "default", f"access.{key}")


def old_limit(r, node):
    length = r.state.settings.word("qpmLimitIPv4PrefixLength", "24")
    _limit(r, node, {"32": "rate", "24": "network_rate"}.get(length), length, node.text)


def limit_free(r, node):
    r.model.unlimited(node.below())


# Blocking
def list_url(r, node):
    is_allow = node.text.startswith("!")
    r.model.list(node, "", node.text[is_allow:], is_allow)


def block_addresses(r, node):
    for one in node.below():
        ip = names.address(one.text)
        if r.state.settings.word("blockingType") != "CustomAddress":
            one.needless("blockingType is not CustomAddress")
        elif ip is None:
            one.impossible(f"`{one.shown()}` is no address, so it is left out")
        else:
            r.model.value(one, "blocking", f"ipv{ip.version}", f"'{ip}'" if ip.version == 6 else str(ip))


def bypass(r, node):
    """Clients for whom nothing is blocked."""
    group = r.model.group(node, "bypass", "blockingBypassList")
    if group is None:
        return
    group.blocking = False
    for one in node.below():
        if one.text.endswith("/0") and names.prefix(one.text) is not None:
            one.impossible("everybody bypasses blocking there: set blocking.enabled", BLOCKING)
        else:
            r.model.group_client(one, group, one.text)


def list_hours(r, node):
    if node.text == "0":
        return r.model.value(node, "blocking.update", "interval", "0")
    r.model.number(node, "blocking.update", "interval", node.text, 3600, 604800, 3600)


# Cache
def stale(r, node):
    if node.text == "false":
        r.model.value(None, "cache", "stale_window", "0", "serveStale: false")
    node.taken("cache.stale_window")


def stale_ttl(r, node):
    if r.state.settings.word("serveStale") == "false":
        return node.needless("serveStale is false")
    r.model.number(node, "cache", "stale_window", node.text, 0, 604800)


def stale_wait(r, node):
    if node.text == "0":
        return r.model.value(node, "cache", "stale", "immediate")
    node.needless("weir waits for servers until limits.answer_deadline_ms")


# Privacy
def logging(r, node):
    if node.text in ("false", "None"):
        r.model.value(node, "query_log", "enabled", "false", node.path)
    else:
        node.taken("query_log.enabled")


def log_queries(r, node):
    settings = r.state.settings
    is_off = settings.word("enableLogging") == "false" or settings.word("loggingType") == "None"
    if node.text == "true" and is_off:
        return node.needless("there is no log")
    r.model.value(node, "query_log", "enabled", node.text, "logQueries")


def log_days(r, node):
    days = names.integer(node.text)
    if days == 0:
        r.model.value(node, "query_log.store", "hours", "8760")
        return node.differently("Technitium keeps its log for ever; weir keeps a year at most", "query_log.store.hours")
    r.model.number(node, "query_log.store", "hours", node.text, 1, 8760, 24)


def statistics(r, node):
    node.differently("weir's statistics by name and client come from its log (query_log), and reach back as far as it does",
                     "query_log.store.hours")


def subnet(r, node):
    r.model.value(None, "upstreams", "client_subnet_ipv4", subnet_bits(r, "4", "24"), "eDnsClientSubnet")
    r.model.value(None, "upstreams", "client_subnet_ipv6", subnet_bits(r, "6", "56"), "eDnsClientSubnet")
    node.taken("upstreams.client_subnet_ipv4")


def subnet_bits(r, version, usual):
    n = names.integer(r.state.settings.word(f"eDnsClientSubnetIPv{version}PrefixLength", usual))
    return str(min(max(n if n is not None else int(usual), 0), 32 if version == "4" else 128))


def subnet_length(r, node):
    if r.state.settings.flag("eDnsClientSubnet"):
        return node.taken("upstreams.client_subnet_ipv4")
    node.needless("eDnsClientSubnet is false")


def subnet_other(r, node):
    node.impossible("weir sends the client's own subnet: without it set client_subnet_ipv4 and _ipv6 to 0", PRIVACY)


WEB = "weir's page and control API have settings of their own (`control`)"
ZONES = "weir has no zones with serial numbers: records of a zone file become local.records"
LIMITS = "weir has bounds of its own (limits, access)"
PREFETCH = "weir renews popular answers by hits a minute (refresh.mode)"
TLS = "the certificate is left out: set `tls`, `dot` and `doh` (docs/how-to/dot.md); /etc/weir must have the files"
TRANSFER = "weir gives no zone transfers"
PROXY = "weir takes a client's address from the PROXY protocol alone (proxy_protocol)"


def own(why, topic="rest", default=None):
    """What the API gives always, and weir has no use for: the report has it with --all alone."""
    return takes(lambda r, node: node.usual(why), topic, default)


def none_of(sentence, topic="rest"):
    """A list that is empty by default."""
    return takes(lambda r, node: node.impossible(sentence), topic, default=())


KEYS = {
    # Privacy
    "enableLogging": takes(logging, PRIVACY),
    "loggingType": takes(logging, PRIVACY),
    "logQueries": takes(log_queries, PRIVACY),
    "maxLogFileDays": takes(log_days, PRIVACY),
    "enableInMemoryStats": takes(statistics, PRIVACY, default="false"),
    "maxStatFileDays": takes(statistics, PRIVACY),
    "ignoreResolverLogs": needless("weir logs failures of servers as events", PRIVACY),
    "logFolder": needless("weir's log has a folder of its own (query_log.store.directory)", PRIVACY),
    "useLocalTime": own("weir's log has UTC, and shows local time"),
    "noStackTrace": own("weir's messages have no stack traces"),
    "eDnsClientSubnet": takes(subnet, PRIVACY, default="false"),
    "eDnsClientSubnetIPv4PrefixLength": takes(subnet_length, PRIVACY),
    "eDnsClientSubnetIPv6PrefixLength": takes(subnet_length, PRIVACY),
    "eDnsClientSubnetIpv4Override": takes(subnet_other, PRIVACY),
    "eDnsClientSubnetIpv6Override": takes(subnet_other, PRIVACY),
    "enableEDnsClientSubnetSourceAddress": impossible("weir takes no client's address from a query", PRIVACY, default="false"),
    # Who may ask
    "recursion": takes(recursion, PRIVACY),
    "recursionNetworkACL": takes(acl, PRIVACY),
    "recursionAllowedNetworks": old_networks("access_allow"),
    "recursionDeniedNetworks": old_networks("access_deny"),
    "allowRecursion": takes(old_recursion, PRIVACY),
    "allowRecursionOnlyForPrivateNetworks": takes(lambda r, n: n.taken("access.allow"), PRIVACY),
    "qpmPrefixLimitsIPv4[]": limit("4"),
    "qpmPrefixLimitsIPv4": holder(),
    "qpmPrefixLimitsIPv6[]": limit("6"),
    "qpmPrefixLimitsIPv6": holder(),
    "qpmLimitRequests": takes(old_limit, default="0"),
    "qpmLimitErrors": impossible("weir does not count errors of a client", default="0"),
    "qpmLimitIPv4PrefixLength": own(LIMITS, default="24"),
    "qpmLimitIPv6PrefixLength": own(LIMITS, default="56"),
    "qpmLimitSampleMinutes": own(LIMITS, default="5"),
    "qpmLimitUdpTruncationPercentage": own(LIMITS, default="50"),
    "qpmLimitBypassList": takes(limit_free),
    # Blocking
    "enableBlocking": value("blocking", "enabled", {"true": "true", "false": "false"}, BLOCKING, default="true"),
    "temporaryDisableBlockingTill": needless("a pause ends by itself", BLOCKING),
    "allowTxtBlockingReport": own("weir says why in an extended error (RFC 8914)", BLOCKING),
    "blockingBypassList": takes(bypass, BLOCKING),
    "blockingType": value("blocking", "mode", {"NxDomain": "nxdomain", "AnyAddress": "'null'", "CustomAddress": "address"}, BLOCKING),
    "customBlockingAddresses": takes(block_addresses, BLOCKING),
    "blockingAnswerTtl": number("blocking", "ttl", 1, 86400, BLOCKING),
    "blockListUrls[]": takes(list_url, BLOCKING),
    "blockListUrls": holder(BLOCKING),
    "blockListUpdateIntervalHours": takes(list_hours, BLOCKING),
    "blockListNextUpdatedOn": own("weir plans its own updates", BLOCKING),
    # Upstreams
    "forwarders": takes(forwarders),
    "forwarderProtocol": takes(protocol),
    "concurrentForwarding": takes(concurrent),
    **{key: own(TUNES + " (upstreams)") for key in ("forwarderRetries", "forwarderTimeout", "forwarderConcurrency")},
    "proxy": impossible("weir asks servers, and fetches lists, without a proxy", PRIVACY),
    "ipv6Mode": takes(ipv6_mode),
    "preferIPv6": own("weir asks the servers that answer"),
    "dnsServerIPv4SourceAddresses": takes(sources),
    "dnsServerIPv6SourceAddresses": takes(sources),
    "randomizeName": needless("weir does this by itself where it helps", default="false"),
    "qnameMinimization": own("weir's recursion always does this"),
    "nsRevalidation": own("weir's recursion asks the servers of the zone itself"),
    **{key: own(TUNES + " (recursion)") for key in ("resolverRetries", "resolverTimeout", "resolverConcurrency",
                                                         "resolverMaxStackCount")},
    # Answers
    "dnssecValidation": value("dnssec", "validate", {"true": "true", "false": "false"}, default="false"),
    "udpPayloadSize": number("limits", "udp_reply_size", 512, 4096, default="1232"),
    "locallyServedDnsZones": value("local", "special_names", {"false": "false"}, default="true"),
    "saveCache": needless("weir keeps its cache in memory; L1 (redis) outlives a restart"),
    "serveStale": takes(stale),
    "serveStaleTtl": takes(stale_ttl),
    "serveStaleAnswerTtl": number("cache", "stale_ttl", 1, 3600, default="30"),
    "serveStaleResetTtl": own(TUNES + " (cache.failure_ttl)"),
    "serveStaleMaxWaitTime": takes(stale_wait, default="1800"),
    "cacheMaximumEntries": needless("weir's cache is sized by cache.l0_mb", default="10000"),
    "cacheMinimumRecordTtl": number("cache", "min_ttl", 0, 86400),
    "cacheMaximumRecordTtl": number("cache", "max_ttl", 1, 604800),
    "cacheNegativeRecordTtl": number("cache", "negative_ttl", 1, 86400),
    "cacheFailureRecordTtl": number("cache", "failure_ttl", 1, 300, default="10"),
    "cachePrefetchTrigger": takes(lambda r, n: r.model.value(n, "refresh", "enabled", "false") if n.text == "0" else
                                  n.usual(PREFETCH)),
    **{key: own(PREFETCH) for key in ("cachePrefetchEligibility", "cachePrefetchSampleIntervalInMinutes",
                                           "cachePrefetchSampleEligibilityHitsPerHour")},
    # Zones
    **{key: own(ZONES) for key in ("defaultRecordTtl", "defaultNsRecordTtl", "defaultSoaRecordTtl", "defaultResponsiblePerson",
                                        "useSoaSerialDateScheme", "minSoaRefresh", "minSoaRetry")},
    "zoneTransferAllowedNetworks": none_of(TRANSFER),
    "notifyAllowedNetworks": none_of(TRANSFER),
    "tsigKeys": none_of("keys are left out: give those for lists by zone transfer in blocking.tsig_keys"),
    # Where it serves
    "dnsServerLocalEndPoints": own("weir serves dataplane.service_addresses, which the result says to CHANGE"),
    "enableDnsOverUdpProxy": impossible(PROXY, default="false"),
    "enableDnsOverTcpProxy": impossible(PROXY, default="false"),
    "reverseProxyNetworkACL": none_of(PROXY),
    "dnsReverseProxyNetworkACL": none_of(PROXY),
    "dnsOverHttpRealIpHeader": needless(PROXY, default="X-Real-IP"),
    **{key: impossible(TLS, PRIVACY, default="false") for key in (
        "enableDnsOverHttp", "enableDnsOverTls", "enableDnsOverHttps", "enableDnsOverHttpUnixSocket", "enableDnsOverHttpsUnixSocket")},
    "enableDnsOverHttp3": impossible("weir serves HTTP/2, not HTTP/3", default="false"),
    "enableDnsOverQuic": impossible("weir serves TLS and HTTPS, not QUIC", default="false"),
    "enableDnsOverHttpHelpRedirect": needless("weir's HTTPS has no help page", default="true"),
    "dnsTlsCertificatePath": impossible(TLS, PRIVACY),
    "dnsTlsCertificatePassword": own("weir takes no certificate of it", default="************"),
    **{key: own("weir's ports stand in `dot`, `doh` and `proxy_protocol`") for key in (
        "dnsOverUdpProxyPort", "dnsOverTcpProxyPort", "dnsOverHttpPort", "dnsOverTlsPort", "dnsOverHttpsPort", "dnsOverQuicPort",
        "dnsOverHttpUnixSocket", "dnsOverHttpsUnixSocket")},
    **{key: own(LIMITS) for key in ("clientTimeout", "tcpSendTimeout", "tcpReceiveTimeout", "quicIdleTimeout",
                                         "quicMaxInboundStreams", "listenBacklog", "udpSendBufferSizeKB", "udpReceiveBufferSizeKB",
                                         "maxConcurrentResolutionsPerCore")},
    "enableUdpSocketPool": own("weir draws source ports at random"),
    "socketPoolExcludedPorts": own("weir draws source ports at random"),
    # The program itself
    **{key: own("Technitium's own") for key in ("version", "uptimestamp", "dnsServerDomain", "clusterInitialized", "clusterDomain",
                                                     "clusterNodes", "dnsServerEnableCheckForUpdate", "dnsAppsEnableAutomaticUpdate")},
    **{f"webService{key}": own(WEB) for key in (
        "LocalAddresses", "HttpPort", "EnableHttpUnixSocket", "HttpUnixSocket", "EnableTlsUnixSocket", "TlsUnixSocket", "EnableTls",
        "EnableHttp3", "HttpToTlsRedirect", "UseSelfSignedTlsCertificate", "TlsPort", "ReverseProxyAddresses", "RealIpHeader",
        "CspFrameAncestorsHeader", "TlsCertificatePath", "TlsCertificatePassword")},
}


def _shorten(node, begin):
    """Paths without "response." in front."""
    todo = [node]
    while todo:
        one = todo.pop()
        one.path = one.path.removeprefix(begin).lstrip(".")
        todo += one.below()


def read_settings(r, path):
    root = data_source.load_json(r.account, path)
    settings = root.get("response") or root
    if settings.get("forwarders") is None and settings.get("blockListUrls") is None:
        raise source.Refused(f"{path}: has no settings of Technitium's API")
    if settings is not root:
        _shorten(settings, "response")
        for name, node in root.items:
            if node is settings:
                continue
            r.account.roots.append(node)
            if name in ("status", "server"):
                node.usual("the answer of the API")
    r.account.roots.append(settings)
    r.state.settings = settings
    r.model.is_recursive = not has_forwarders(r)
    read_table(r, settings, KEYS)
    r.state.has_settings = True


def read_names(r, path, items):
    root = Node(r.account, path, 1, "", "map")
    root.topic = BLOCKING
    r.account.roots.append(root)
    for count, (line, text) in enumerate(source.read_lines(path)):
        text = text.strip()
        if count > data_source.NODES_MAX:
            raise source.Refused(f"{path}: has more than {data_source.NODES_MAX} names")
        if text and text[0] not in "#;":
            r.model.name(root.child(text, line, "flag"), items, text)


def zone_name(path):
    """"example.com.zone", "example.com.txt" and "db.example.com" are of that zone."""
    name = os.path.basename(path)
    found = re.fullmatch(r"(?:db\.)?(.+?)(?:\.(?:zone|txt|dns|db))?", name, re.I)
    return found[1].rstrip(".").lower() if found else name


def read_zone(r, path, text):
    root = Node(r.account, path, 1, "", "map")
    r.account.roots.append(root)
    if not zone_file.take(r.model, root, text, zone_name(path), path):
        raise source.Refused(f"{path}: has no record of a zone. Lists of names have `allowed` or `blocked` in their file's name")


def read(r, path):
    data = source.read_bytes(path)
    if b"\0" in data:
        raise source.Refused(f"{path}: {BINARY}")
    text = data.decode("utf-8-sig", "replace")
    name = os.path.basename(path).lower()
    if text.lstrip().startswith("{"):
        read_settings(r, path)
    elif "allow" in name:
        read_names(r, path, r.model.allow)
    elif "block" in name or "deny" in name:
        read_names(r, path, r.model.deny)
    else:
        read_zone(r, path, text)


def end(r):
    if getattr(r.state, "has_settings", False) and r.state.settings.get("logQueries") is None:
        r.model.value(None, "query_log", "enabled", "false", "no logQueries there")
        r.model.remark("logQueries", "Technitium logs no queries unless this is set, so weir does not (query_log.enabled)", PRIVACY,
                       DIFFERENTLY, "query_log.enabled")
    settle.allow_wins(r.model)
