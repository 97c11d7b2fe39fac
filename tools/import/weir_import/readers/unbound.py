# SPDX-License-Identifier: BSD-3-Clause
"""unbound 1.17 to 1.26: unbound.conf, with all that it includes."""
import ipaddress

from .. import names
from ..account import BLOCKING, PRIVACY
from ..table import differently, impossible, needless, number, takes, value
from ..write import text as yaml_text
from . import unbound_clauses as clauses
from . import unbound_file

TITLE = "unbound"
CACHE_USUAL_MB = 64  # there is no reason for a smaller cache here
# Of controlplane/lists/list_name.c; a test compares.
REBINDING = [ipaddress.ip_network(text) for text in """0.0.0.0/8 10.0.0.0/8 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16
::/128 ::1/128 fc00::/7 fe80::/10""".split()]
SIZES = {"": 0, "k": 10, "m": 20, "g": 30}


def is_on(r, key):
    """The last line of a key counts."""
    return r.state.parser.last.get(key) == "yes"


def later(r, node):
    """Settled in end(), with others."""


def size(text):
    """Bytes of "64m"; None: no size."""
    n, unit = (text[:-1], text[-1].lower()) if text[-1:].lower() in ("k", "m", "g", "b") else (text, "")
    found = names.integer(n.strip())
    return None if found is None or found < 0 else min(found, 1 << 40) << SIZES.get(unit, 0)


def cache_size(r, node):
    found = size(node.text)
    if found is None:
        return node.impossible(f"`{node.shown()}` is no size")
    r.state.cache_bytes += found
    return node.taken("cache.l0_mb")


def port(r, node):
    node.impossible(f"weir serves port 53 of its addresses, not {node.text[:20]}")


def udp_size(r, node):
    most = names.integer(node.text)
    if most is not None and most >= 1232:
        return node.needless("weir sends 1232 bytes at most (limits.udp_reply_size), which every path carries")
    return r.model.number(node, "limits", "udp_reply_size", node.text, 512, 1232)


def rate(r, node):
    if r.model.number(node, "access", "rate", node.text, 0, 1000000) and node.text != "0":
        node.differently("this holds for clients that access.unlimited does not name, that is, not for your own networks; `unlimited: []` "
                         "holds it for all", "access.rate")


def private_domain(r, node):
    if not r.state.parser.last.get("server.private-address"):
        return node.needless("without private-address it does nothing")
    return r.model.name(node, r.model.rebinding_allow, node.text)


def anchor(r, node):
    if node.text.split() and node.text.split()[0] not in (".", "") and node.name == "trust-anchor":
        return node.impossible("an anchor of another zone: put it into the file of dnssec.anchors")
    return _validate(r, node)


def anchor_file(r, node):
    if _validate(r, node):
        node.differently(f"weir has the root's anchors of the package dns-root-data; set dnssec.anchors if {node.shown()} has others",
                         "dnssec.validate")


def _validate(r, node):
    modules = r.state.parser.last.get("server.module-config")
    if is_on(r, "server.val-permissive-mode"):
        node.differently("val-permissive-mode: unbound answers bogus data, too, so weir does not validate", "dnssec.validate")
        return False
    if modules is not None and "validator" not in modules.split():
        node.needless("without the module validator it does nothing")
        return False
    return r.model.value(node, "dnssec", "validate", "true")


def modules_of(r):
    return r.state.parser.last.get("server.module-config", "validator iterator").split()


MODULES = {"validator": "", "iterator": "", "respip": "", "dns64": "", "subnetcache": "", "cachedb": "",
           "python": "weir runs no Python in its resolver", "dynlib": "weir loads no modules", "ipset": clauses.SETS,
           "ipsecmod": "weir starts no IPsec"}


def modules(r, node):
    for word in node.text.split():
        if MODULES.get(word, "weir has no such module"):
            node.impossible(f"{word[:40]}: {MODULES.get(word, 'weir has no such module')}")
    if "dns64" in modules_of(r) and not r.state.parser.last.get("server.dns64-prefix"):
        r.model.nat64(node)
    node.taken("dnssec.validate")


def dns64(r, node):
    if "dns64" not in modules_of(r):
        return node.needless("without the module dns64 it does nothing")
    return r.model.nat64(node, node.text)


def lan(items, note):
    def take(r, node):
        for zone in clauses.lan_zones():
            r.model.name(node, getattr(r.model, items), zone, note)
    return take


def stale(r, node):
    if node.text != "yes":
        return node.usual()
    wait = r.state.parser.last.get("server.serve-expired-client-timeout", "0")
    if "server.serve-expired-ttl" not in r.state.parser.last:
        r.model.value(None, "cache", "stale_window", "86400", "unbound keeps expired answers for a day or longer")
    if wait not in ("", "0"):
        r.model.value(node, "cache", "stale", "on-failure")
        return node.differently(f"unbound waits {wait[:10]} ms for a new answer; weir serves an expired one where no server answers, or "
                                "with `stale: immediate` at once", "cache.stale")
    return r.model.value(node, "cache", "stale", "immediate")


def if_stale(row):
    """A row for keys that do nothing without serve-expired."""
    def take(r, node):
        if not is_on(r, "server.serve-expired"):
            return node.needless("without serve-expired it does nothing")
        return row.handler(r, node)
    return takes(take)


def stale_ttl(r, node):
    if node.text == "0":
        r.model.value(node, "cache", "stale_window", "604800")
        return node.differently("unbound sets no limit; weir keeps expired answers for a week at most", "cache.stale_window")
    return r.model.number(node, "cache", "stale_window", node.text, 0, 604800)


def identity(key, hide):
    def take(r, node):
        if hide and is_on(r, f"server.{hide}"):
            return node.needless(f"{hide} hides it")
        text = node.text.removeprefix("ascii_")
        if len(text) > 63 or not names.is_printable(text):
            return node.impossible(f"weir takes up to 63 printable characters for identity.{key}")
        return r.model.value(node, "identity", key, yaml_text(text))
    return take


def minimal(r, node):
    node.needless("weir leaves out what no client needs") if node.text == "yes" else node.differently(
        "weir itself decides what an answer has besides its records")


def insecure(r, node):
    r.model.name(node, r.model.negative_anchors, node.text)


DNSTAP_OFF = "dnstap is off"


def dnstap(r):
    """Returns whether clients' queries or replies go to a receiver."""
    last, model = r.state.parser.last, r.model
    nodes = [node for key, found in r.state.parser.index.items() if key.startswith("dnstap.") for node in found]
    if not is_on(r, "dnstap.dnstap-enable"):
        for node in nodes:
            if f"dnstap.{node.name}" in KEYS and node.verdict is None:
                node.needless(DNSTAP_OFF)
        return False
    at = r.state.parser.index["dnstap.dnstap-enable"][-1]
    ip, _, tap_port = last.get("dnstap.dnstap-ip", "").partition("@")
    path = last.get("dnstap.dnstap-socket-path", "")
    socket = f"tcp:{ip}:{tap_port or 3333}" if ip else path
    clients = any(is_on(r, f"dnstap.dnstap-log-client-{word}-messages") for word in ("query", "response"))
    why = ("it logs no queries of clients, and weir no others" if not clients
           else "weir sends it without TLS: let a receiver on this machine pass it on" if ip and last.get("dnstap.dnstap-tls") != "no"
           else "weir wants an IPv4 address with a port, or an absolute path" if (ip and (names.address(ip) is None or ":" in ip or not
                tap_port.isdigit() and tap_port)) or not (ip or path.startswith("/")) or len(socket) > 100
           or not names.is_printable(socket) else None)
    if why:
        at.impossible(f"dnstap is left out: {why} (query_log.dnstap)", PRIVACY)
    else:
        model.value(at, "query_log.dnstap", "socket", yaml_text(socket))
    for node in nodes:
        if node.name in ("dnstap-ip", "dnstap-socket-path", "dnstap-enable") and node.verdict is None and not node.is_empty():
            node.impossible("see dnstap-enable", PRIVACY) if why else node.taken("query_log.dnstap.socket")
    return not why


def if_dnstap(sentence):
    def take(r, node):
        if not is_on(r, "dnstap.dnstap-enable"):
            return node.needless(DNSTAP_OFF)
        return node.differently(sentence, "query_log.dnstap") if sentence else node.taken("query_log.dnstap")
    return takes(take, PRIVACY)


def if_upstream(r, node):
    return node.needless(DNSTAP_OFF) if not is_on(r, "dnstap.dnstap-enable") or node.text == "no" else node.impossible(
        "weir's dnstap has what clients ask, not what it asks servers", PRIVACY)


TUNED = "weir tunes this itself"
PROCESS = "weir's processes and files are its own"
LOGS = "weir logs to the journal (runtime.log_level)"
LISTEN = "weir serves dataplane.service_addresses on the ports of dataplane.ports, which the result says to CHANGE"
CERTIFICATES = "the certificate is left out: weir has certificates in `tls`, and `dot`, `doh` (docs/how-to/dot.md)"
GROUPS = "weir has groups of clients with rules of their own, no tags (docs/how-to/groups.md)"
HARDENED = "weir's own checks are always on"
ECS = "weir sends the client's subnet to all servers of a list, or to none: upstreams.client_subnet_ipv4"
PORTS = "weir asks from all ports that the kernel gives (net.ipv4.ip_local_port_range)"
WIRE = "weir answers over UDP and TCP always: let the firewall close one"
RESPIP = ("weir changes no addresses of answers; to block answers with an address, put it into a file, one a line, and that into "
          "blocking.lists with `format: addresses`")
ANY_LOG = "weir's query log (query_log) has all of it, or nothing"
REDIS = "weir keeps answers in Redis in a form of its own: set `redis` (docs/reference/config.md#redis)"
AUTH = "the zone is left out: weir serves no zone files; local.records or a forward zone may do"
RATE = "weir bounds questions in flight by zone (limits.zone_inflight), not by second"



def many(row, text):
    return {f"server.{word}": row for word in text.split()}


KEYS = {
    # Privacy
    "server.log-queries": takes(later, PRIVACY),
    "server.log-replies": takes(later, PRIVACY),
    **many(differently(ANY_LOG, PRIVACY, default="no", to="query_log.enabled"), "log-local-actions log-servfail"),
    **many(takes(later, PRIVACY), "access-control access-control-tag access-control-view"),
    **many(impossible("weir serves all its addresses alike: who may ask is in access.allow, by prefix", PRIVACY),
           "interface-action interface-view"),
    **many(impossible(ECS, PRIVACY), "send-client-subnet client-subnet-zone"),
    **many(differently(ECS, PRIVACY), """max-client-subnet-ipv4 max-client-subnet-ipv6 min-client-subnet-ipv4
           min-client-subnet-ipv6"""),
    **many(needless(TUNED), "max-ecs-tree-size-ipv4 max-ecs-tree-size-ipv6"),
    "server.client-subnet-always-forward": impossible("weir passes on no client subnet of a query", PRIVACY, default="no"),
    **many(needless("the option of ECS has its number (RFC 7871)"), "client-subnet-opcode client-subnet-opc"),
    **many(impossible("weir tells no server which client asks", PRIVACY), "edns-client-string edns-client-tag"),
    **many(needless("weir tells no server which client asks", PRIVACY), "edns-client-string-opcode edns-client-tag-opcode"),
    "server.proxy-protocol-port": differently("set proxy_protocol.from to the addresses of the balancers", PRIVACY,
                                              to="proxy_protocol.from"),
    "server.qname-minimisation": needless("weir's recursion always asks a server for no more of a name than it must", PRIVACY),
    "server.qname-minimisation-strict": needless("weir's recursion asks on with the whole name where a server fails", PRIVACY),
    "server.dns-error-reporting": impossible("weir sends no reports of errors to authorities", PRIVACY, default="no"),
    # Blocking
    "server.private-address": takes(later, BLOCKING),
    "server.private-domain": takes(private_domain, BLOCKING),
    "server.local-zone": takes(later, BLOCKING),
    "server.local-zone-tag": takes(later, BLOCKING),
    "server.define-tag": needless(GROUPS, BLOCKING),
    **many(impossible(GROUPS, BLOCKING), """access-control-tag-action access-control-tag-data interface-tag interface-tag-action
           interface-tag-data local-zone-override response-ip-tag"""),
    **many(impossible(RESPIP, BLOCKING), "response-ip response-ip-data"),
    # Records
    "server.local-data": takes(later),
    "server.local-data-ptr": takes(later),
    "server.unblock-lan-zones": takes(lan("open_zones", "unblock-lan-zones"), default="no"),
    # Cache
    "server.msg-cache-size": takes(cache_size),
    "server.rrset-cache-size": takes(cache_size),
    "server.cache-min-ttl": number("cache", "min_ttl", 0, 86400),
    "server.cache-max-ttl": number("cache", "max_ttl", 1, 604800),
    "server.cache-max-negative-ttl": number("cache", "negative_ttl", 1, 86400),
    "server.cache-min-negative-ttl": differently("weir has one shortest TTL for all answers", default="0", to="cache.min_ttl"),
    "server.serve-expired": takes(stale),
    "server.serve-expired-ttl": if_stale(takes(stale_ttl)),
    "server.serve-expired-reply-ttl": if_stale(number("cache", "stale_ttl", 1, 3600)),
    "server.serve-expired-ttl-reset": needless("weir keeps an expired answer while no server answers"),
    "server.serve-expired-client-timeout": if_stale(takes(lambda r, n: n.taken("cache.stale"))),
    "server.ede-serve-expired": needless("weir says so in each such answer (EDE 3)"),
    "server.serve-original-ttl": impossible("weir counts TTLs down", default="no"),
    "server.rrset-roundrobin": value("cache", "rrset_order", {"yes": "rotate", "no": "keep"}),
    "server.prefetch": needless("weir renews popular records before they expire (refresh)"),
    "server.prefetch-key": needless("weir renews popular records before they expire (refresh)"),
    # DNSSEC
    "server.module-config": takes(modules),
    "server.auto-trust-anchor-file": takes(_validate),
    "server.trust-anchor-file": takes(anchor_file),
    "server.trusted-keys-file": takes(anchor_file),
    "server.trust-anchor": takes(anchor),
    "server.domain-insecure": takes(insecure),
    "server.insecure-lan-zones": takes(lan("negative_anchors", "insecure-lan-zones"), default="no"),
    "server.val-permissive-mode": takes(lambda r, n: n.differently("unbound answers bogus data, too; weir validates, or does not",
                                                                   "dnssec.validate"), default="no"),
    "server.ignore-cd-flag": differently("weir answers bogus data to clients that set CD", default="no"),
    **many(differently("weir checks the times of signatures by the clock: set it first"), "val-override-date val-sig-skew-min "
           "val-sig-skew-max"),
    **many(needless("weir keeps no anchors by RFC 5011: dns-root-data has the root's"), """add-holddown del-holddown keep-missing
           permit-small-holddown trust-anchor-signaling root-key-sentinel"""),
    **many(needless("DLV has ended (RFC 8749)"), "dlv-anchor dlv-anchor-file"),
    **many(impossible("weir validates no made-up algorithms", default="no"), "fake-dsa fake-sha1"),
    **many(needless(TUNED), """val-bogus-ttl val-clean-additional val-log-level val-log-squelch val-max-restart
           val-nsec3-keysize-iterations val-validation-attempts val-hash-attempts key-cache-size key-cache-slabs neg-cache-size
           aggressive-nsec disable-dnssec-lame-check"""),
    "server.disable-edns-do": impossible("weir asks for DNSSEC records where it validates", default="no"),
    "server.zonemd-permissive-mode": needless("weir serves no zone files"),
    # How it asks
    "server.do-ip4": value("upstreams", "recursion_ip", {"no": "ipv6"}, default="yes"),
    "server.do-ip6": value("upstreams", "recursion_ip", {"no": "ipv4"}, default="yes"),
    **many(needless("weir asks over the version of IP that answers (upstreams.recursion_ip)"), "prefer-ip4 prefer-ip6"),
    "server.do-nat64": impossible("weir asks no server through a NAT64", default="no"),
    "server.nat64-prefix": impossible("weir asks no server through a NAT64"),
    "server.tls-upstream": takes(lambda r, n: n.taken("upstreams.servers"), PRIVACY, default="no"),
    "server.ssl-upstream": takes(lambda r, n: n.taken("upstreams.servers"), PRIVACY, default="no"),
    "server.tcp-upstream": differently("weir asks over UDP, and over TCP where an answer is cut short; tls:// servers over TLS alone",
                                       default="no"),
    **many(needless("weir checks certificates of servers by the authorities of the system; upstreams.ca_file has others"),
           "tls-cert-bundle ssl-cert-bundle tls-win-cert tls-system-cert tls-use-sni"),
    "server.outgoing-interface": differently("set upstreams.source to addresses of this machine, one of each version of IP",
                                             to="upstreams.source"),
    **many(differently(PORTS), "outgoing-port-permit outgoing-port-avoid"),
    "server.do-not-query-address": impossible("weir asks every server that a zone has: let the firewall keep it from some"),
    "server.do-not-query-localhost": needless("weir asks the servers that its configuration names"),
    "server.root-hints": needless("weir's recursion knows the servers of the root; of another root, set upstreams.root_hints"),
    **many(needless(HARDENED), """harden-glue harden-dnssec-stripped harden-below-nxdomain harden-large-queries harden-short-bufsize
           harden-referral-path harden-algo-downgrade harden-unverified-glue harden-unknown-additional use-caps-for-id caps-exempt
           caps-whitelist unwanted-reply-threshold iter-scrub-promiscuous iter-scrub-ns iter-scrub-cname iter-scrub-rrsig"""),
    **many(needless(TUNED), """target-fetch-policy outgoing-range outgoing-num-tcp num-queries-per-thread jostle-timeout delay-close
           udp-connect unknown-server-time-limit infra-host-ttl infra-lame-ttl infra-cache-slabs infra-cache-numhosts
           infra-cache-lame-size infra-cache-min-rtt infra-cache-max-rtt infra-keep-probing outbound-msg-retry max-sent-count
           max-query-restarts max-global-quota fast-server-permil fast-server-num low-rtt low-rtt-permil low-rtt-pct edns-buffer-size
           udp-upstream-without-downstream outgoing-tcp-mss tcp-reuse-timeout max-reuse-tcp-queries tcp-auth-query-timeout
           pad-queries pad-queries-block-size max-transfer-size max-transfer-time hide-http-user-agent http-user-agent"""),
    **many(differently(RATE, default="0", to="limits.zone_inflight"), "ratelimit ratelimit-for-domain ratelimit-below-domain"),
    **many(needless(RATE), "ratelimit-size ratelimit-slabs ratelimit-factor ratelimit-backoff"),
    # How it answers
    "server.ip-ratelimit": takes(rate),
    **many(needless("weir's limits are in `access`"), "ip-ratelimit-size ip-ratelimit-slabs ip-ratelimit-factor ip-ratelimit-backoff"),
    "server.ip-ratelimit-cookie": needless("a client with a right cookie has a limit of its own (access.network_rate)"),
    **many(needless("weir bounds answers that a client may wait for (limits.client_waiters)"), """wait-limit wait-limit-cookie
           wait-limit-netblock wait-limit-cookie-netblock discard-timeout sock-queue-timeout"""),
    "server.answer-cookie": needless("weir answers cookies (cookies.enabled)"),
    "server.cookie-secret": differently("put it into cookies.secrets if other boxes share the address", to="cookies.secrets"),
    "server.cookie-secret-file": differently("put the secrets into a file of cookies.secret_file if other boxes share the address",
                                             to="cookies.secret_file"),
    "server.minimal-responses": takes(minimal),
    "server.deny-any": needless("weir answers ANY with one HINFO record (access.any)"),
    "server.ede": needless("weir says why it answers so (RFC 8914)"),
    "server.max-udp-size": takes(udp_size),
    "server.dns64-prefix": takes(dns64),
    "server.dns64-synthall": impossible("weir makes AAAA records only of names that have none", default="no"),
    "server.dns64-ignore-aaaa": impossible("weir makes AAAA records only of names that have none"),
    "server.identity": takes(identity("name", "hide-identity")),
    "server.version": takes(identity("version", "hide-version")),
    "server.nsid": takes(identity("nsid", "")),
    **many(needless("weir says nothing about itself unless `identity` does"), "hide-identity hide-version hide-trustanchor"),
    # Where it serves
    **many(differently(LISTEN), "interface ip-address"),
    **many(needless(LISTEN), "interface-automatic interface-automatic-ports ip-transparent ip-freebind"),
    "server.port": takes(port, default="53"),
    "server.do-udp": impossible(WIRE, default="yes"),
    "server.do-tcp": impossible(WIRE, default="yes"),
    **many(impossible(CERTIFICATES, PRIVACY), "tls-service-key ssl-service-key tls-service-pem ssl-service-pem"),
    **many(differently("set dot.port", default="853", to="dot.port"), "tls-port ssl-port"),
    **many(differently("weir has one port of DNS over TLS: dot.port", to="dot.port"), """tls-additional-port tls-additional-ports
           additional-tls-port additional-ssl-port"""),
    "server.tls-session-ticket-keys": differently("weir has a file of its own: tls.tickets_file", to="tls.tickets_file"),
    "server.tls-protocols": differently("set tls.min_version", to="tls.min_version"),
    "server.tls-use-system-policy-versions": differently("set tls.min_version", to="tls.min_version", default="no"),
    **many(impossible("weir's ciphers are those that TLS 1.2 and 1.3 still hold good"), "tls-ciphers tls-ciphersuites"),
    "server.https-port": differently("set doh.port", default="443", to="doh.port"),
    "server.http-endpoint": differently("set doh.path", default="/dns-query", to="doh.path"),
    "server.http-notls-downstream": impossible("weir serves HTTPS alone: a proxy may speak TLS to it", default="no"),
    "server.quic-port": impossible("weir serves DNS over TLS and HTTPS, not over QUIC"),
    **many(needless(TUNED), """quic-size http-max-streams http-query-buffer-size http-response-buffer-size http-nodelay pad-responses
           pad-responses-block-size"""),
    "server.tcp-connection-limit": differently("weir has one limit for each client: tcp.per_client", to="tcp.per_client"),
    **many(needless(TUNED + " (tcp)"), """incoming-num-tcp stream-wait-size tcp-mss tcp-idle-timeout edns-tcp-keepalive
           edns-tcp-keepalive-timeout msg-buffer-size"""),
    "server.ip-dscp": impossible("weir sets no DSCP: let the router or nftables do it", default="0"),
    # The process
    **many(needless(PROCESS), """num-threads so-rcvbuf so-sndbuf so-reuseport msg-cache-slabs rrset-cache-slabs do-daemonize username
           directory chroot pidfile use-systemd"""),
    **many(needless(LOGS), """verbosity logfile use-syslog log-identity log-time-ascii log-time-iso log-tag-queryreply log-destaddr
           log-thread-id"""),
    **many(needless("weir always counts (weirctl stats, docs/reference/metrics.md)"), """statistics-interval statistics-cumulative
           extended-statistics statistics-inhibit-zero shm-enable shm-key"""),
    "server.ipsecmod-enabled": impossible("weir starts no IPsec"),
    **many(needless("without ipsecmod it does nothing"), """ipsecmod-hook ipsecmod-strict ipsecmod-max-ttl ipsecmod-ignore-bogus
           ipsecmod-allow ipsecmod-whitelist"""),
    # Zones with servers
    **{f"{kind}-zone.{key}": row for kind in ("forward", "stub") for key, row in {
        "name": takes(later),
        f"{kind}-addr": takes(later, empty=True),
        f"{kind}-host": takes(later, empty=True),
        f"{kind}-first": takes(later, default="no"),
        f"{kind}-tls-upstream": takes(later, PRIVACY),
        f"{kind}-ssl-upstream": takes(later, PRIVACY),
        f"{kind}-tcp-upstream": differently("weir asks over UDP, and over TCP where an answer is cut short", default="no"),
        f"{kind}-no-cache": impossible("weir keeps the answers of all zones; a group may have `disable_cache: true`", default="no"),
    }.items()},
    "stub-zone.stub-prime": needless("weir asks the servers that stand here"),
    # Policy zones
    **{f"rpz.{key}": takes(later, BLOCKING) for key in ("name", "url", "primary", "master", "zonefile")},
    "rpz.rpz-action-override": takes(lambda r, n: n.needless("the policy zone is disabled") if n.text == "disabled" else n.impossible(
        "weir answers as the records of a policy zone say", BLOCKING)),
    "rpz.rpz-cname-override": impossible("weir answers as the records of a policy zone say", BLOCKING),
    "rpz.rpz-log": needless("weir's query log names the list", BLOCKING),
    "rpz.rpz-log-name": needless("weir's query log names the list", BLOCKING),
    "rpz.rpz-signal-nxdomain-ra": needless("weir says in each such answer that it is blocked (EDE 15)", BLOCKING),
    "rpz.allow-notify": needless("weir asks for changes itself (blocking.update.interval)"),
    "rpz.for-downstream": impossible("weir answers nothing about a policy zone itself", default="no"),
    "rpz.tags": impossible("the policy zone is for everyone here: name it in `lists` of the groups that have it", BLOCKING),
    # Zone files, views
    **{f"auth-zone.{key}": impossible(AUTH) for key in ("name", "primary", "master", "url", "zonefile")},
    **{f"auth-zone.{key}": needless("the zone is left out") for key in (
        "allow-notify", "fallback-enabled", "for-downstream", "for-upstream", "zonemd-check", "zonemd-reject-absence")},
    **{f"view.{key}": takes(later, BLOCKING) for key in ("name", "local-zone", "local-data", "local-data-ptr", "view-first")},
    **{f"view.{key}": impossible(RESPIP, BLOCKING) for key in ("response-ip", "response-ip-data")},
    # Other clauses
    **{f"remote-control.{key}": needless("weirctl speaks over a Unix socket of weir, whose group decides") for key in (
        "control-enable", "control-interface", "control-port", "control-use-cert", "server-key-file", "server-cert-file",
        "control-key-file", "control-cert-file")},
    "python.python-script": impossible("weir runs no Python in its resolver"),
    "dynlib.dynlib-file": impossible("weir loads no modules"),
    "dnscrypt.dnscrypt-enable": impossible("weir serves DNS over TLS and HTTPS, not DNSCrypt", PRIVACY, default="no"),
    **{f"dnscrypt.dnscrypt-{key}": needless("weir serves no DNSCrypt") for key in (
        "port", "provider", "secret-key", "provider-cert", "provider-cert-rotated", "shared-secret-cache-size",
        "shared-secret-cache-slabs", "nonce-cache-size", "nonce-cache-slabs")},
    "cachedb.backend": impossible(REDIS, default="testframe"),
    **{f"cachedb.{key}": impossible(REDIS) for key in ("redis-server-host", "redis-server-path", "redis-replica-server-host",
                                                       "redis-replica-server-path")},
    **{f"cachedb.{key}": needless(REDIS) for key in """secret-seed cachedb-no-store cachedb-check-when-serve-expired
       redis-expire-records redis-server-port redis-server-password redis-timeout redis-command-timeout redis-connect-timeout
       redis-logical-db redis-replica-server-port redis-replica-server-password redis-replica-timeout redis-replica-command-timeout
       redis-replica-connect-timeout redis-replica-logical-db""".split()},
    **{f"ipset.{key}": impossible(clauses.SETS) for key in ("name-v4", "name-v6")},
    # dnstap
    **{f"dnstap.dnstap-{key}": takes(later, PRIVACY) for key in ("enable", "socket-path", "ip")},
    **{f"dnstap.dnstap-{key}": if_dnstap("") for key in ("log-client-query-messages", "log-client-response-messages", "tls")},
    **{f"dnstap.dnstap-log-{of}-{what}-messages": takes(if_upstream, PRIVACY) for of in ("resolver", "forwarder")
       for what in ("query", "response")},
    "dnstap.dnstap-sample-rate": if_dnstap("set query_log.sample"),
    **{f"dnstap.dnstap-{key}": if_dnstap("weir names its box by query_log.box, and nothing else") for key in (
        "send-identity", "send-version", "identity", "version")},
    **{f"dnstap.dnstap-{key}": if_dnstap("weir sends it without TLS") for key in (
        "tls-server-name", "tls-cert-bundle", "tls-client-key-file", "tls-client-cert-file")},
    "dnstap.dnstap-bidirectional": if_dnstap("weir waits for the receiver's word always"),
}
# Keys of which the last line counts, as unbound has one value of them.
LAST = """log-queries log-replies cache-min-ttl cache-max-ttl cache-max-negative-ttl serve-expired serve-expired-ttl
serve-expired-reply-ttl rrset-roundrobin module-config do-ip4 do-ip6 ip-ratelimit max-udp-size dns64-prefix identity version nsid
msg-cache-size rrset-cache-size port unblock-lan-zones insecure-lan-zones""".split()
KNOWN = {key.partition(".")[2] for key in KEYS} | set(unbound_file.CLAUSES) | set(unbound_file.INCLUDES)


def read(r, path):
    state = r.state
    if not hasattr(state, "clauses"):
        state.clauses, state.nodes, state.cache_bytes, state.group_denied = [], {}, 0, []
    r.model.is_recursive = True
    state.parser = parser = unbound_file.parse(r.account, path, KNOWN)
    state.clauses += parser.clauses
    for pattern, row in KEYS.items():
        nodes = parser.index.get(pattern, [])
        if pattern.partition(".")[2] in LAST:
            for node in nodes[:-1]:
                node.needless("a later line counts")
            nodes = nodes[-1:]
        for node in nodes:
            row.apply(r, node)
        state.nodes.setdefault(pattern, []).extend(n for n in nodes if n.verdict is None and not n.is_empty())
    state.tap = dnstap(r) or getattr(state, "tap", False)


def nodes_of(r, key):
    return r.state.nodes.get(f"server.{key}", [])


def give_log(r):
    model = r.model
    nodes = nodes_of(r, "log-queries") + nodes_of(r, "log-replies")
    logs = any(node.text == "yes" for node in nodes)
    for node in nodes:
        if logs:
            model.value(node, "query_log", "enabled", "true")
        else:
            node.usual()
    if not logs and r.state.tap:
        model.value(None, "query_log.store", "enabled", "false", "unbound writes no log of queries itself")
        model.remark("log-queries", "unbound keeps no log of queries without it, so query_log.store.enabled is false: dnstap alone has "
                     "them", PRIVACY, to="query_log.store.enabled")
    elif not logs:
        model.value(None, "query_log", "enabled", "false", "unbound logs no queries without log-queries")
        model.remark("log-queries", "unbound logs no queries without it, so query_log.enabled is false: without a log there is no "
                     "`weirctl log` or `top`", PRIVACY, to="query_log.enabled")


def is_within(network, others):
    return any(network.version == one.version and network.subnet_of(one) for one in others)


def give_rebinding(r):
    """Any private address turns on blocking.rebinding, which has ranges of its own."""
    given, at = [], None
    for node in nodes_of(r, "private-address"):
        network = names.prefix(node.text)
        if network is None:
            node.impossible(f"`{node.shown()}` is no address")
        elif not is_within(network, REBINDING):
            node.impossible(f"weir's blocking.rebinding knows private addresses alone: put {node.shown()} into a file, and that into "
                            "blocking.lists with `format: addresses`")
        else:
            r.model.value(node, "blocking.rebinding", "enabled", "true", "private-address")
            given, at = [*given, network], node
    joined = [one for version in (4, 6) for one in ipaddress.collapse_addresses(n for n in given if n.version == version)]
    more = [str(one) for one in REBINDING if not is_within(one, joined)]
    if at and more:
        at.differently(f"weir blocks answers with addresses of {', '.join(more)}, too", "blocking.rebinding")


def give_local(r):
    """Local zones and data of the server, then views."""
    scope = clauses.Scope()
    for key, take in (("local-zone", scope.zone), ("local-data", scope.record), ("local-data-ptr", scope.pointer)):
        for node in nodes_of(r, key):
            take(node)
    tagged = clauses.give_tags(r, scope, nodes_of(r, "local-zone-tag"), nodes_of(r, "access-control-tag"))
    clauses.give_server_zones(r, scope, tagged)
    clauses.give_records(scope, r.model.record)
    clauses.settle_zones(r, scope, tagged)
    netblocks = {}
    for node in nodes_of(r, "access-control-view"):
        prefix, _, view = node.text.partition(" ")
        netblocks.setdefault(view.strip(), []).append((prefix, node))
    for clause in r.state.clauses:
        if clause.name == "view":
            clauses.give_view(r, clause, netblocks)
    clauses.note_group_denied(r)
    for view, clients in netblocks.items():
        for _, node in clients:
            node.impossible(f"there is no view `{view[:60]}`", PRIVACY)


def end(r):
    asks_itself = r.state.parser.last.get("server.do-not-query-localhost") == "no"
    all_over_tls = is_on(r, "server.tls-upstream") or is_on(r, "server.ssl-upstream")
    folder = r.state.parser.last.get("server.directory", "")
    for clause in r.state.clauses:
        if clause.name in ("forward-zone", "stub-zone"):
            clauses.give_zone(r, clause, all_over_tls, asks_itself)
        elif clause.name == "rpz":
            clauses.give_rpz(r, clause, folder)
    give_rebinding(r)
    give_local(r)
    made_by = nodes_of(r, "access-control-tag") + nodes_of(r, "access-control-view")
    clauses.give_access(r, nodes_of(r, "access-control"), made_by)
    give_log(r)
    if r.state.cache_bytes >> 20 > CACHE_USUAL_MB:
        r.model.value(None, "cache", "l0_mb", str(min(r.state.cache_bytes >> 20, 1048576)), "msg-cache-size and rrset-cache-size")
