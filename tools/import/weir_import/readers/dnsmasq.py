# SPDX-License-Identifier: BSD-3-Clause
"""dnsmasq 2.90 and 2.91: its configuration file, the files that it includes, and hosts files that `expand-hosts` makes longer."""
import collections
import os

from .. import data_source, names, rdata, settle, source
from ..account import BLOCKING, IMPOSSIBLE, PRIVACY, Node
from ..model import RECORDS_MAX
from ..table import differently, impossible, needless, number, read as read_table, takes

TITLE = "dnsmasq"
NOTHING = ("", "#", "0.0.0.0", "::")  # addresses of names that are blocked
LOOPBACKS = ("127.0.0.1", "::1")
EVERY = "#"


# Parts of a value
def comma_parts(text):
    """By commas, but not within quotes, which go; a backslash keeps the next character."""
    parts, quoted, escaped = [""], False, False
    for c in text:
        if escaped:
            parts[-1] += c
            escaped = False
        elif quoted and c == "\\":
            escaped = True
        elif c == '"':
            quoted = not quoted
        elif c == "," and not quoted:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip(" \t") for part in parts]


def domains_of(text):
    """(["a.example", "b.example"], "value") of "/a.example/b.example/value"; None: the text does not begin so."""
    if not text.startswith("/") or text.count("/") < 2:
        return None
    *domains, last = text[1:].split("/")
    return domains, last


def with_ttl(parts):
    """A number behind the names is a TTL."""
    if len(parts) > 2 and parts[-1].isdigit() and parts[-1].isascii():
        return parts[:-1], min(int(parts[-1][:12]), 10 ** 9)
    return parts, None


def _is_partial(domain):
    """"*part.example" holds xpart.example, too."""
    return domain.startswith("*") and not domain.startswith("*.") and len(domain) > 1


# Addresses and servers
def address(r, node):
    found = domains_of(node.text)
    if not found:
        return node.impossible(f"`{node.shown()}` is not /domain/address")
    domains, to = found
    for domain in domains:
        _address_one(r, node, domain.strip(), to.strip())


def _address_one(r, node, domain, to):
    if domain in ("", EVERY):
        return node.impossible(f"an address for every name is left out: {to[:100] or 'none'}; a group with a schedule "
                               "`block_all` blocks all names (docs/how-to/groups.md)")
    if to in NOTHING:
        return _block_one(r, node, domain, "null" if to else "nxdomain")
    if _is_partial(domain):
        return node.impossible(f"`{domain[:100]}` holds names of which it is the end of a label: weir has no such records")
    if to in LOOPBACKS:
        return r.state.loopbacks.append((domain, to, node))
    return _records_one(r, node, domain, to)


def _records_one(r, node, domain, to):
    plain = domain[2:] if domain.startswith("*.") else domain.lstrip(".")
    if not domain.startswith("*."):
        r.model.address(node, plain, to)
    r.model.address(node, "*." + plain, to)


def give_loopbacks(r):
    """They are addresses as others, but block lists of a former form have one for each name."""
    is_list = len(r.model.records) + 2 * len(r.state.loopbacks) > RECORDS_MAX
    for domain, to, node in r.state.loopbacks:
        if is_list:
            _block_one(r, node, domain, "null")
            node.differently(f"names with the address {to} are blocked: they are too many for local.records, which take {RECORDS_MAX}",
                             "blocking.deny")
        else:
            _records_one(r, node, domain, to)


def _block_one(r, node, domain, mode):
    model = r.model
    r.state.blocked.append((domain, mode, node))
    if not domain.startswith("*"):
        return model.name(node, model.deny, domain)
    found, why = names.name(domain.lstrip("*").lstrip("."))
    if not found:
        return node.impossible(f"`{domain[:200]}` {why}, so it is left out")
    below = names.below_pattern(found)
    return model.pattern(node, model.deny, below if domain.startswith("*.") else below.removeprefix("\\."))


def _source_cut(node, text):
    """"9.9.9.9#53@eth0": without the interface or source address, which is lost."""
    server, at, of = text.partition("@")
    if at:
        node.differently(f"the source `{of[:60]}` of queries to {server[:60]} is left out: weir has one for all servers "
                         "(upstreams.source)", "upstreams.servers")
    return server.strip()


def server(r, node):
    model = r.model
    if not node.text.startswith("/"):
        return model.server(node, model.upstreams, _source_cut(node, node.text))
    found = domains_of(node.text)
    if not found:
        return node.impossible(f"`{node.shown()}` is not /domain/server")
    domains, to = found
    to = _source_cut(node, to)
    for domain in domains:
        _server_one(r, node, domain.strip(), to)


def _server_one(r, node, domain, to):
    model = r.model
    if not domain:
        why = "weir sends names without a dot to the upstreams, as other names"
        return node.impossible(f"`//{to[:60]}`: {why}" + ("" if to else "; blocking.deny with `/^[^.]+$/` blocks them"), PRIVACY)
    if domain == EVERY:
        return model.server(node, model.upstreams, to)
    if _is_partial(domain):
        return node.impossible(f"`{domain[:100]}` holds names of which it is the end of a label: zones of weir are whole names")
    if to == "#":
        return model.exempt_zone(node, domain)
    if to:
        r.state.private.append(domain)
        return model.zone_server(node, domain, to)
    if domain.startswith("*."):
        node.differently(f"the zone {domain[2:][:100]} holds the name itself, too", "local.zones")
    return model.name(node, model.closed_zones, domain)


def rev_server(r, node):
    prefix, comma, to = node.text.partition(",")
    if not comma:
        return node.impossible(f"`{node.shown()}` is not prefix,server")
    prefix, to = prefix.strip(), _source_cut(node, to.strip())
    if to and to != "#":
        return r.model.reverse_zone_server(node, prefix, to)
    network = names.prefix(prefix)
    if network is None or not names.reverse_zones(network):
        return node.impossible(f"`{prefix[:100]}` is no prefix that reverse zones have")
    for zone in names.reverse_zones(network):
        if to == "#":
            r.model.exempt_zone(node, zone)
        else:
            r.model.name(node, r.model.closed_zones, zone)


# Records
def host_record(r, node):
    parts, ttl = with_ttl(comma_parts(node.text))
    hosts = [p for p in parts if names.address(p) is None]
    addresses = [p for p in parts if names.address(p) is not None]
    if not hosts or not addresses:
        return node.impossible(f"`{node.shown()}` has no {'address' if hosts else 'name'}")
    for ip in addresses:
        for host in hosts:
            r.model.address(node, host, ip, ttl)
        r.model.reverse(node, ip, hosts[0], ttl)


def cname(r, node):
    parts, ttl = with_ttl(comma_parts(node.text))
    if len(parts) < 2:
        return node.impossible(f"`{node.shown()}` has no target")
    for alias in parts[:-1]:
        r.model.record(node, alias, "CNAME", parts[-1], ttl)


def txt_record(r, node):
    name, *texts = comma_parts(node.text)
    if not texts:
        return node.impossible(f"`{node.shown()}` has no text")
    r.model.record(node, name, "TXT", " ".join(map(rdata.quoted, texts)))


def ptr_record(r, node):
    name, *target = comma_parts(node.text)
    r.model.record(node, name, "PTR", target[0] if target else "")


def mx_host(r, node):
    name, *more = comma_parts(node.text)
    target = more[0] if more and more[0] else r.state.mx_target
    if not target:
        return node.impossible(f"`{node.shown()}` has no target: dnsmasq takes the name of its machine")
    r.model.record(node, name, "MX", f"{more[1] if len(more) > 1 else 1} {target}")


def mx_target(r, node):
    r.state.mx_target = node.text
    if node.account.roots and any(n.text and "," not in n.text for root in node.account.roots for k, n in root.items
                                  if k == "mx-host"):
        node.taken("local.records")
    else:
        node.needless("no mx-host is without a target, and weir makes no MX records of its own (localmx)")


def srv_host(r, node):
    name, target, port, priority, weight = (comma_parts(node.text) + [""] * 5)[:5]
    r.model.record(node, name, "SRV", f"{priority or 0} {weight or 0} {port or 1} {target or '.'}")


def caa_record(r, node):
    name, flags, tag, text = (comma_parts(node.text) + [""] * 4)[:4]
    r.model.record(node, name, "CAA", f"{flags} {tag} {rdata.quoted(text)}")


def dns_rr(r, node):
    name, number, *_ = comma_parts(node.text) + [""]
    node.impossible(f"{name[:100]}: a record of type {number[:10]} in hexadecimal; write it into local.records, if weir has the "
                    "type: A, AAAA, CAA, CNAME, HTTPS, MX, PTR, SRV, SVCB, TXT")


# Hosts files
def addn_hosts(r, node):
    if source.is_folder(node.text):
        return hosts_dir(r, node)
    r.state.hosts.append((node, node.text))
    r.model.hosts_file(node, node.text)


def hosts_dir(r, node):
    found, _ = source.matches_in(node.text.split(",")[0], "*")
    files = [f for f in found if not f.endswith("~") and source.is_readable_file(f)]
    if not files:
        return node.impossible(f"no file is there: {node.shown()}")
    for path in files:
        r.state.hosts.append((node, path))
        r.model.hosts_file(node, path)
    node.differently("weir reads the files that are there at the import: add new ones to local.hosts_files", "local.hosts_files")


def home_domain(r, node, found, is_closed):
    """The domain of names of leases. Others in it go to the servers, unless a line keeps them here."""
    if len(found) > 189:
        return node.impossible("names of leases would be too long below it")
    if not is_closed:
        r.model.open_zones.add(found)
    return r.model.value(node, "local", "domain", f"'{found}'")


def single_labels(r, node):
    return r.model.value(node, "local", "single_labels", "home")


def domain(r, node):
    name, *limits = comma_parts(node.text)
    if name == "#":
        return node.impossible("the domain of /etc/resolv.conf: weir knows no domain of this machine")
    found, why = names.name(name)
    if not found:
        return node.impossible(f"`{name[:200]}` {why}, so it is left out")
    if not limits:
        r.state.domain = found
        return home_domain(r, node, found, False)
    if "local" in limits[1:]:
        r.model.name(node, r.model.closed_zones, found)
        network = names.prefix(limits[0])
        for zone in names.reverse_zones(network) if network else []:
            r.model.name(node, r.model.closed_zones, zone)
    node.differently("weir gives no names to DHCP clients of a range", "client_names")


def expand_hosts(r, node):
    r.state.expand = node


def expand(r):
    """Names without a dot in hosts files have the domain behind them, too."""
    node, domain_name = r.state.expand, r.state.domain
    if node is None:
        return
    if not domain_name:
        return node.needless("without `domain=` it does nothing")
    count = sum(expand_file(r, at, path, domain_name) for at, path in r.state.hosts)
    node.differently(f"{count} names of hosts files stand with .{domain_name} in local.records: import again when a file changes",
                     "local.records")


def expand_file(r, at, path, domain_name):
    count = 0
    try:
        lines = list(source.read_lines(path))
    except source.Refused:
        return 0  # the gate has said that it cannot be read
    for _, line in lines:
        ip, *hosts = line.split("#")[0].split() or [""]
        for host in hosts if names.address(ip) is not None else []:
            if "." not in host and r.model.address(at, f"{host}.{domain_name}", ip):
                count += 1
    return count


# Files that are read in place
def conf_file(r, node):
    path = source.beside(r.state.path, node.text)
    found, count = source.matches(path)
    if not found:
        return node.impossible(f"no file is there: `{path[:200]}`")
    if count > len(found):
        node.impossible(f"only the first {len(found)} of {count} files are read")
    for one in found:
        include(r, node, one)
    node.taken("the options of the file")


def conf_dir(r, node):
    folder, *endings = comma_parts(node.text)
    folder = source.beside(r.state.path, folder)
    found, count = source.matches_in(folder, "*")
    if not source.is_folder(folder):
        return node.impossible(f"no folder is there: `{folder[:200]}`")
    # Endings with a star are those to read; without one, those to leave out.
    only = tuple(e[1:] for e in endings if e.startswith("*") and e[1:])
    never = tuple(e for e in endings if e and not e.startswith("*"))
    for one in found:
        base = os.path.basename(one)
        if base.startswith((".", "#")) or base.endswith("~") or (only and not base.endswith(only)) or \
                (never and base.endswith(never)) or source.is_folder(one):
            continue
        include(r, node, one)
    if count > len(found):
        node.impossible(f"only the first {len(found)} of {count} files are read")
    node.taken("the options of the files")


def include(r, node, path):
    if source.is_folder(path):
        return
    if len(r.state.open) >= source.DEPTH_MAX or path in r.state.open:
        return node.impossible(f"{path[:200]}: the file is left out: files include each other")
    try:
        read_file(r, path)
    except source.Refused as refused:
        node.impossible(str(refused))


def resolv_file(r, node):
    try:
        lines = list(source.read_lines(node.text))
    except source.Refused as refused:
        return node.impossible(f"{refused}; its servers are left out")
    for _, line in lines:
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            r.model.server(node, r.model.upstreams, words[1], node.text)
    node.differently("its servers stand in the result: import again when the file changes", "upstreams.servers")


# Privacy
def log_queries(r, node):
    r.model.value(node, "query_log", "enabled", "true")


def add_subnet(r, node):
    """"24,56"; a prefix with an address is a constant that every server gets."""
    if "." in node.text or ":" in node.text:
        return node.impossible("the same subnet for every client: weir sends that of the client, or none")
    v4, v6 = (comma_parts(node.text) + ["0"])[:2]
    r.model.number(node, "upstreams", "client_subnet_ipv4", v4 or "0", 0, 32)
    r.model.number(node, "upstreams", "client_subnet_ipv6", v6, 0, 128)


def lease_file(r, node):
    if not node.text.startswith("/") or len(node.text) > 200 or not names.is_printable(node.text):
        return node.impossible("weir takes absolute paths of lease files")
    r.model.lease_files.add(node.text)
    node.taken("client_names.lease_files")


def stale(r, node):
    most = names.integer(node.text) if node.text else 86400
    r.model.value(node, "cache", "stale", "immediate")
    if most is not None:
        r.model.number(node, "cache", "stale_window", str(most or 604800), 0, 604800)


def no_negative(r, node):
    r.model.value(node, "cache", "negative_ttl", "1")
    node.differently("weir keeps that a name does not exist for 1 s at least", "cache.negative_ttl")


def rebind_ok(r, node):
    found = domains_of(node.text)
    domains = found[0] if found else [node.text]
    for one in filter(None, domains):
        r.model.name(node, r.model.rebinding_allow, one)
    if not any(domains):
        node.usual()


def port(r, node):
    if node.text == "0":
        return node.impossible("this dnsmasq serves no DNS (port=0): keep it for DHCP beside weir")
    node.impossible(f"weir serves port 53 of its addresses, not {node.text[:20]}")


def local_service(r, node):
    if node.text == "host":
        return node.differently("dnsmasq answers its own machine alone; weir answers all private networks: set access.allow")
    node.needless("weir answers private networks and its own alone (access.allow)")


def trust_anchor(r, node):
    if node.text.lstrip().startswith(".,"):
        return node.needless("the root's: weir has those of the package dns-root-data")
    node.impossible("an anchor of another zone: put it into the file of dnssec.anchors")


def check_unsigned(r, node):
    if node.text == "no":
        return node.differently("weir always proves that a zone is unsigned", "dnssec.validate")
    node.needless("weir always proves that a zone is unsigned")


def cache_size(r, node):
    if node.text == "0":
        return node.differently("dnsmasq keeps nothing; weir always has a cache, but for groups with `disable_cache: true`")
    node.needless("weir's cache is sized by memory (cache.l0_mb)")


DHCP = "weir is no DHCP, TFTP or router advertisement server: keep dnsmasq for that (port=0)"
LEASE_NAMES = f"{DHCP}; weir shows names of its leases (client_names)"
TUNED = "weir tunes this itself"
PROCESS = "weir's processes and files are its own"
LOGS = "weir logs to the journal (runtime.log_level)"
LISTEN = "weir serves dataplane.service_addresses on the ports of dataplane.ports, which the result says to CHANGE"
SETS = "weir fills no sets of a firewall"
AUTH = "weir is no authoritative server: it answers records of local.records, and transfers no zones to others"
IDENTIFIES = "weir tells no server which client asks"
MARKS = "weir sees no marks of connections: use groups"
INTERFACE = "weir knows no names of interfaces: write local.records"

KEYS = {
    # What later rows need
    "expand-hosts": takes(expand_hosts),
    "domain": takes(domain),
    "mx-target": takes(mx_target),
    "no-hosts": takes(lambda r, n: n.needless("weir answers from local.hosts_files alone")),
    # Privacy
    "log-queries": takes(log_queries, PRIVACY),
    "add-subnet": takes(add_subnet, PRIVACY),
    "strip-subnet": needless("weir passes on no client subnet of a query", PRIVACY),
    "add-mac": impossible(IDENTIFIES, PRIVACY),
    "strip-mac": needless("weir passes on no MAC address of a query", PRIVACY),
    "add-cpe-id": impossible(IDENTIFIES, PRIVACY),
    "umbrella": impossible(IDENTIFIES + ": use the addresses and names of Umbrella as servers over TLS or HTTPS", PRIVACY),
    "dumpfile": impossible("weir writes no packets to a file: query_log.dnstap gives queries and replies as on the wire", PRIVACY),
    "dumpmask": needless("without dumpfile it does nothing", PRIVACY),
    "domain-needed": takes(single_labels, PRIVACY),
    "bogus-priv": needless("weir answers reverse names of private addresses itself (local.special_names)", PRIVACY),
    # Blocking
    "address": takes(address, BLOCKING),
    "stop-dns-rebind": takes(lambda r, n: r.model.value(n, "blocking.rebinding", "enabled", "true"), BLOCKING),
    "rebind-domain-ok": takes(rebind_ok, BLOCKING),
    "rebind-localhost-ok": impossible("weir blocks loopback addresses, too: name the zones in blocking.rebinding.allow", BLOCKING),
    "bogus-nxdomain": impossible("put the addresses into a file, one a line, and that into blocking.lists with "
                                 "`format: addresses`: weir blocks answers that have them", BLOCKING),
    "ignore-address": impossible("weir ignores no answers; a list with `format: addresses` blocks those that have an address",
                                 BLOCKING),
    "filter-A": impossible("weir leaves out AAAA records alone (ipv6.filter_aaaa)", BLOCKING),
    "filter-AAAA": takes(lambda r, n: r.model.value(n, "ipv6", "filter_aaaa", "true"), BLOCKING),
    "filter-rr": impossible("a line `||name^$dnstype=TYPE` of a list blocks a type of the names below `name`", BLOCKING),
    "filterwin2k": impossible("weir asks the upstreams about SOA, SRV and ANY of Windows, too: block the names", BLOCKING),
    "connmark-allowlist-enable": impossible(MARKS, BLOCKING),
    "connmark-allowlist": impossible(MARKS, BLOCKING),
    # Servers
    "server": takes(server),
    "local": takes(server),
    "rev-server": takes(rev_server),
    "servers-file": takes(conf_file),
    "resolv-file": takes(resolv_file),
    "no-resolv": needless("weir reads no resolv.conf"),
    "no-poll": needless("weir reads no resolv.conf"),
    "all-servers": takes(lambda r, n: (r.model.value(n, "upstreams", "race", "2"),
                                       n.differently("weir asks two servers at one time", "upstreams.race"))),
    "strict-order": takes(lambda r, n: r.model.value(n, "upstreams", "policy", "failover")),
    "fast-dns-retry": needless(TUNED + " (upstreams.first_timeout_ms)"),
    "dns-loop-detect": impossible("weir looks for no loops: leave out servers that ask weir"),
    "query-port": impossible("weir asks from random ports: allow them in the firewall", default="0"),
    "min-port": impossible("weir asks from all ports that the kernel gives (net.ipv4.ip_local_port_range)"),
    "max-port": impossible("weir asks from all ports that the kernel gives (net.ipv4.ip_local_port_range)"),
    "port-limit": needless(TUNED),
    "do-0x20-encode": needless("weir does this by itself where it helps"),
    "no-0x20-encode": needless("weir does this by itself where it helps"),
    "edns-packet-max": needless("weir asks for replies of a size that no path fragments", default="1232"),
    "dns-forward-max": needless(TUNED + " (limits.inflight)"),
    "alias": impossible("weir changes no addresses of answers: write the names into local.records"),
    "conntrack": impossible(MARKS),
    # Records
    "host-record": takes(host_record),
    "cname": takes(cname),
    "txt-record": takes(txt_record),
    "ptr-record": takes(ptr_record),
    "mx-host": takes(mx_host),
    "srv-host": takes(srv_host),
    "caa-record": takes(caa_record),
    "naptr-record": impossible("weir has no local records of type NAPTR"),
    "dns-rr": takes(dns_rr),
    "selfmx": impossible("weir makes no MX records of its own: write local.records"),
    "localmx": impossible("weir makes no MX records of its own: write local.records"),
    "dynamic-host": impossible(INTERFACE),
    "interface-name": impossible(INTERFACE),
    "synth-domain": impossible("weir makes no names out of addresses: write local.records"),
    "addn-hosts": takes(addn_hosts),
    "hostsdir": takes(hosts_dir),
    "localise-queries": differently("weir answers with all addresses of a name, whatever network the client is in; groups may "
                                    "have local_records of their own"),
    # Cache
    "cache-size": takes(cache_size, default="150"),
    "cache-rr": needless("weir keeps records of all types"),
    "no-negcache": takes(no_negative),
    "use-stale-cache": takes(stale),
    "min-cache-ttl": number("cache", "min_ttl", 0, 86400),
    "max-cache-ttl": number("cache", "max_ttl", 1, 604800),
    "max-ttl": number("cache", "client_ttl_cap", 0, 604800),
    "neg-ttl": number("cache", "negative_ttl", 1, 86400),
    "local-ttl": number("local", "ttl", 0, 604800),
    "no-round-robin": takes(lambda r, n: r.model.value(n, "cache", "rrset_order", "keep")),
    # DNSSEC
    "dnssec": takes(lambda r, n: r.model.value(n, "dnssec", "validate", "true")),
    "trust-anchor": takes(trust_anchor),
    "dnssec-check-unsigned": takes(check_unsigned),
    "dnssec-no-timecheck": differently("weir checks the times of signatures always: set the clock first"),
    "dnssec-timestamp": differently("weir checks the times of signatures always: set the clock first"),
    "dnssec-debug": needless("weir says why an answer is bogus (weirctl why)"),
    "dnssec-limits": needless(TUNED),
    "proxy-dnssec": differently("set `trust_ad: true` with servers whose AD weir may pass on"),
    # Who may ask, and where
    "port": takes(port, default="53"),
    "listen-address": differently(LISTEN),
    "interface": differently(LISTEN),
    "except-interface": differently(LISTEN),
    "bind-interfaces": needless("weir serves its own addresses alone"),
    "bind-dynamic": needless("weir serves its own addresses alone"),
    "local-service": takes(local_service),
    "max-tcp-connections": needless(TUNED + " (tcp.connections)"),
    "no-ident": needless("weir says nothing about itself unless `identity` does"),
    **{f"auth-{word}": impossible(AUTH) for word in ("server", "zone", "ttl", "soa", "sec-servers", "peer")},
    # The process
    **{word: needless(PROCESS) for word in ("user", "group", "pid-file", "keep-in-foreground", "no-daemon", "clear-on-reload",
                                            "test", "version", "help")},
    **{word: needless(LOGS) for word in ("log-facility", "log-async", "log-debug", "log-dhcp", "quiet-dhcp", "quiet-dhcp6",
                                         "quiet-ra", "quiet-tftp")},
    "enable-dbus": impossible("weir has no D-Bus or UBus interface: use weirctl or the control API"),
    "enable-ubus": impossible("weir has no D-Bus or UBus interface: use weirctl or the control API"),
    "conf-script": impossible("no program is run: give weirctl import a file with what it prints"),
    "ipset": impossible(SETS),
    "nftset": impossible(SETS),
    # DHCP, TFTP, router advertisements
    "dhcp-leasefile": takes(lease_file, default="/var/lib/misc/dnsmasq.leases"),
    "dhcp-ttl": needless("weir answers no names of leases"),
    "dhcp-host": impossible(LEASE_NAMES + "; for a name that it must answer write local.records"),
    **{f"dhcp-{word}": impossible(DHCP) for word in """range hostsfile optsfile hostsdir optsdir userclass circuitid
       remoteid subscrid option-pxe pxe-vendor ignore broadcast authoritative boot option option-force lease-max vendorclass mac script
       luascript scriptuser ignore-names no-override match name-match alternate-port fqdn generate-names proxy relay
       sequential-ip ignore-clid client-update duid reply-delay rapid-commit""".split()},
    **{f"tftp-{word}": impossible(DHCP) for word in """root unique-root secure no-fail max mtu no-blocksize lowercase
       port-range single-port""".split()},
    **{word: impossible(DHCP) for word in """enable-tftp enable-ra ra-param bootp-dynamic read-ethers leasefile-ro
       no-ping no-dhcp-interface no-dhcpv4-interface no-dhcpv6-interface bridge-interface shared-network script-arp
       script-on-renewal pxe-prompt pxe-service tag-if""".split()},
    # Last: they read further files with this table
    "conf-file": takes(conf_file),
    "conf-dir": takes(conf_dir),
}


def lines_tree(account, path):
    """A map of the file's options in their order."""
    root = Node(account, path, 1, "", "map")
    for number_, line in source.read_lines(path):
        found = data_source.word_value(line)
        if found:
            root.child(found[0], number_, "flag" if found[1] is None else "text", found[1] or "")
    return root


def read_file(r, path):
    """Options take effect in the order of KEYS, not of the file: dnsmasq's order does not count, but between equal ones."""
    root = lines_tree(r.account, path)
    r.account.roots.append(root)
    before, r.state.path = r.state.path, path
    r.state.open.append(path)
    read_table(r, root, r.state.keys)
    r.state.open.pop()
    r.state.path = before
    return root


def begin(r, keys):
    """`keys`: the table for this file and those that it includes; Pi-hole has a row of its own."""
    state = r.state
    if not hasattr(state, "open"):
        state.keys, state.open, state.path, state.hosts = keys, [], "", []
        state.private, state.blocked, state.loopbacks = [], [], []
        state.domain, state.expand, state.mx_target = "", None, ""


def private_anchors(r, validates):
    """dnsmasq validates nothing that servers of zones say."""
    for zone in r.state.private if validates else ():
        found, _ = names.name(zone.removeprefix("*.").lstrip("."))
        if found:
            r.model.negative_anchors.add(found, "dnsmasq validates no zone with servers of its own")


def block_mode(r):
    """The answer of most names that are blocked: "" is that none exists, and `#` or 0.0.0.0 an address."""
    count = collections.Counter(mode for _, mode, _ in r.state.blocked)
    mode = count.most_common(1)[0][0] if count else "nxdomain"
    if mode == "null":
        r.model.value(None, "blocking", "mode", "'null'", "that of most addresses of blocked names")
    note_modes(r, mode)


def note_modes(r, mode):
    """Names that the file answers in another way than blocking.mode says."""
    for domain, other, node in r.state.blocked:
        if other != mode:
            node.differently(f"weir answers as blocking.mode says ({mode}) for {domain[:100]}, too", "blocking.mode", BLOCKING)


def settle_zones(r):
    """What local zones and records say otherwise there."""
    settle.deny_below_local(r.model, [(names.name(domain.lstrip("."))[0], mode, node) for domain, mode, node in r.state.blocked])
    if len(r.model.closed_zones) or r.state.blocked:
        r.model.remark("local.zones", "weir answers NODATA for the name of a local zone and for names between it and its records, and "
                       "NXDOMAIN where a server does; dnsmasq NXDOMAIN for the former, and NODATA at and below names that have addresses "
                       "or records below them")
    if r.model.records:
        r.model.remark("local.records", "dnsmasq asks its servers for types that a name with records lacks, unless the name is in a local "
                       "zone; weir answers NODATA")


def read(r, path):
    begin(r, KEYS)
    root = read_file(r, path)
    if root.items and not any(set(name) <= set("abcdefghijklmnopqrstuvwxyzA0123456789-") for name, _ in root.items):
        raise source.Refused(f"{path}: has no option of dnsmasq")


def end(r):
    expand(r)
    give_loopbacks(r)
    block_mode(r)
    settle.longest_decides(r.model)
    settle_zones(r)
    seen = {name for root in r.account.roots for name, _ in root.items}
    if "log-queries" not in seen:
        r.model.value(None, "query_log", "enabled", "false", "dnsmasq logs no queries without log-queries")
        r.model.remark("log-queries", "dnsmasq logs no queries without it, so query_log.enabled is false: without a log there is no "
                       "`weirctl log` or `top`", PRIVACY, to="query_log.enabled")
    if "no-hosts" not in seen:
        r.model.remark("no-hosts", "dnsmasq answers from /etc/hosts of its machine; for that too, add `hosts_files: [/etc/hosts]` to "
                       "`local`", verdict=IMPOSSIBLE)
    if not seen & {"no-resolv", "resolv-file"}:
        r.model.remark("no-resolv", "dnsmasq asks the servers of /etc/resolv.conf of its machine, too: add them to upstreams.servers" +
                       ("" if len(r.model.upstreams) else "; the result asks 9.9.9.9"), PRIVACY, IMPOSSIBLE)
    private_anchors(r, "dnssec" in seen)
