#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/reference/config.md, config-control.md, config-tcp.md, config-upstreams.md and config-query-log.md from the tables that the configuration library itself is built of.

usage: config_md.py SOURCE_ROOT [--check]     writes the files, or fails if one is not current
"""
import pathlib
import re
import sys
import textwrap

root = pathlib.Path(sys.argv[1])
config = root / "dataplane" / "core" / "config"
reference = root / "docs" / "reference"

INTRO = """# The configuration file

Look up a key here: its default, its range, whether a reload applies it, and what it does.
`tools/weir.yaml` is the commented example that is installed.
`weir-dataplane`, `weir-controlplane` and `weirctl` read the same YAML file.
`tools/docs/config_md.py` writes this page from `dataplane/core/config/config_keys.h`: edit there.

## The keys that most people need

`weirctl setup` writes the first four. Each links to its section, which has all that it takes.

| key | what for | a value |
|---|---|---|
| [`dataplane.ports`](#dataplane) | the network interface that the clients reach | `[{xdp: eth0}]` |
| [`dataplane.service_addresses`](#dataplane) | the addresses on which weir answers | `[192.0.2.53/24]` |
| [`upstreams.servers`](config-upstreams.md#upstreams) | the servers that weir asks | `['tls://dns.quad9.net@9.9.9.9']` |
| [`blocking.lists`](#blocking) | the block lists | `[{name: ads, url: 'https://lists.example/ads.txt'}]` |
| [`blocking.allow`](#blocking) | names that no list blocks | `[shop.example]` |
| [`blocking.mode`](#blocking) | the answer for a blocked name | `'null'` |
| [`clients`](#clients) | names of devices | `[{name: tablet, addresses: [192.0.2.40]}]` |
| [`groups`](#groups) | devices with rules of their own | `[{name: kids, clients: [tablet], services: [tiktok]}]` |
| [`local.records`](#local) | names of your own | `[{name: nas.lan, type: A, value: 192.0.2.10}]` |
| [`forward_zones`](config-upstreams.md#forward_zones) | names that another server knows, such as the router | `[{name: fritz.box, servers: [192.0.2.1]}]` |
| [`dnssec.validate`](config-upstreams.md#dnssec) | whether weir validates answers | `true` |
| [`query_log.store.hours`](config-query-log.md#query_logstore) | how long queries are kept | `720` |

## How to read the tables

* Everything has a default except `dataplane.ports`, `dataplane.service_addresses` and `upstreams.servers`.
* `weirctl config reload` applies the changes that are marked *live* and names those that need a *restart* of the processes.
* [config-files.md](config-files.md) says how values are written (`15m`, `2G`), and has the rules
  for the whole file, `include` and `version`. Only the managed part has `overrides` and `unset`.
* The sections `tcp`, `tls`, `dot`, `doh` and `proxy_protocol` are in
  [config-tcp.md](config-tcp.md), `upstreams`, `forward_zones`, `dnssec` and `ipv6` in
  [config-upstreams.md](config-upstreams.md), `query_log` and those below it in
  [config-query-log.md](config-query-log.md), `metrics`, `control`, `client_names`, `events`,
  `updates` and `sync` in [config-control.md](config-control.md).
"""

INTRO_LOG = """# The configuration file: query_log

Look up a key of the query log here. [config.md](config.md) has the keys of the other sections,
[config-files.md](config-files.md) the rules for the whole file. `tools/docs/config_md.py` writes
this page from `dataplane/core/config/config_keys_log.h`: edit there.
"""

INTRO_CONTROL = """# The configuration file: metrics, control, names of clients, events, updates, sync

Look up a key of what other programs read and control here. [config.md](config.md) has the keys of
the other sections, [config-files.md](config-files.md) the rules for the whole file.
`tools/docs/config_md.py` writes this page from `dataplane/core/config/config_keys.h`,
`config_keys_controlplane.h` and `config_keys_log.h`: edit there.
"""

INTRO_TCP = """# The configuration file: tcp, tls, dot, doh, proxy_protocol

Look up a key of clients' connections here, in clear text and over TLS. [config.md](config.md) has
the keys of the other sections, [config-files.md](config-files.md) the rules for the whole file.
`tools/docs/config_md.py` writes this page from `dataplane/core/config/config_keys_tcp.h`: edit there.
"""

INTRO_UPSTREAMS = """# The configuration file: upstreams, forward_zones, dnssec, ipv6

Look up a key of the servers that weir asks here, and of what it makes of their answers.
[config.md](config.md) has the keys of the other sections, [config-files.md](config-files.md) the
rules for the whole file.
`tools/docs/config_md.py` writes this page from `dataplane/core/config/config_keys_upstreams.h`: edit there.
"""

SECTIONS = {
    "runtime": "Directories, logging, and the group that may look.",
    "dataplane": "Cores, memory, ports and addresses of the data plane.",
    "controlplane": "Threads of the control plane.",
    "cache": "The answer cache (L0).",
    "refresh": "Refresh-ahead: weir renews popular records before they expire.",
    "blocking": "Block lists, and how a blocked name is answered.",
    "blocking_update": "When and how lists with a `url` are fetched ([blocking.md](blocking.md#sources)).",
    "upstreams": "The servers that weir asks when the cache has no answer.",
    "limits": "Bounds of what clients can make weir hold, send, and pass to the kernel.",
    "tcp": "DNS over TCP on the service addresses (RFC 7766); `weirctl tcp` shows its state.",
    "tls": "Certificates that weir shows to clients, and session tickets ([dot.md](../how-to/dot.md)).",
    "dot": "DNS over TLS on the service addresses (RFC 7858); see [dot.md](../how-to/dot.md).",
    "doh": "DNS over HTTPS on the service addresses (RFC 8484); see [doh.md](../how-to/doh.md).",
    "proxy_protocol": "Balancers that name the client of all that they forward ([balancer.md](../how-to/balancer.md)).",
    "fallback": "Service while no data plane runs; see [fallback.md](../explanation/fallback.md).",
    "access": "Clients that may ask, and how often ([access.md](access.md)).",
    "cookies": "DNS cookies: proof of a client's address without a connection ([cookies.md](cookies.md)).",
    "dnssec": "Validation of what upstreams answer ([dnssec.md](../how-to/dnssec.md)).",
    "identity": "What weir says about itself in class CHAOS and by NSID ([access.md](access.md#what-weir-says-about-itself)).",
    "ipv6": "Networks with only one of IPv4 and IPv6 ([ipv6.md](../how-to/ipv6.md)).",
    "metrics": "Metrics for a Prometheus that cannot reach the control socket ([metrics.md](metrics.md)).",
    "control": "The control API over HTTPS, beside the control socket ([remote-control.md](../how-to/remote-control.md)).",
    "redis": "Redis as second cache tier (L1), shared between boxes. weir keeps working when Redis is away.",
    "clients": "A list. Names for addresses and interfaces, for `groups` and statistics; see [groups.md](../how-to/groups.md).",
    "local": "Local records, and names that weir answers itself; see [local.md](../how-to/local.md).",
    "query_log": "The log of queries and their results; see [query-log.md](query-log.md).",
    "query_log_store": "The log on this box itself ([query-store.md](../how-to/query-store.md)).",
    "query_log_clickhouse": "The log in a ClickHouse server ([clickhouse.md](../how-to/clickhouse.md)).",
    "query_log_requests": "The log as lines of a file a day ([live.md](../how-to/live.md)).",
    "query_log_dnstap": "The log as dnstap ([live.md](../how-to/live.md)).",
    "client_names": "Where names of clients come from, besides `clients` ([clients.md](../how-to/clients.md)).",
    "events": "Where events go besides `weirctl events` ([events.md](../how-to/events.md#send-them-elsewhere)).",
    "updates": "The notice of a newer version ([updates.md](../how-to/updates.md)).",
    "sync": "The box that this box takes its shared sections from ([config-sync.md](config-sync.md)).",
    "forward_zones": "A list. Zones with servers of their own, for all groups. The longest zone of a name decides.",
    "entries": "A list. Allow and deny entries for some query types, with a reply, an inverted pattern, an end or a reason. `weirctl allow` and `weirctl deny` write such entries "
               "([change-without-editing.md](../how-to/change-without-editing.md)).",
    "group_members": "A list. Adds clients to groups that another file defines; `weirctl group add` writes such entries.",
    "groups": "A list. Clients with rules of their own. A client's MAC decides, then the longest prefix of its address, then its VLAN. "
              "The rest of this file applies to clients that are in no group.",
}

# Keys that `blocking` and `groups` share, without the defaults.
FILTER = {
    "services": ("name of a service", "CONFIG_SERVICES_MAX",
                 "Services to block with all their domains; `weirctl services` lists them."),
    "safe_search": ("`all`, {engines}: `off`, `strict`; `youtube` also `moderate`", None,
                    "Search engines whose results weir filters. `all: true`: `strict` for every engine that is not given a value of its own."),
    "schedules": ("`name`, `days`, `from`, `to`, `time_zone`, and its effect: `services`, `domains`, `lists`, `block_all`, `pause`",
                  "CONFIG_SCHEDULES_MAX",
                  "Windows of local time: the machine's, or with `time_zone` that of a zone of the machine's tz database, such as `Europe/Berlin`. `days` (default: all): list of `mon` to `sun`, `weekdays`, `weekend`. `from`, `to`: `HH:MM`; a "
                  "window whose `to` is not later than `from` ends on the next day. `block_all`: blocks all names without an allow entry for a name; patterns do not count."),
    "family_time": ("`days`, `from`, `to`, `time_zone`, `services`, `domains`, `lists`", None,
                    "A schedule of this name; it counts with the others."),
}


def shared(default):
    found = []
    for key, (entry, bound, text) in FILTER.items():
        found.append((key, entry.format(engines=engines()), default, bound, "live", text))
    return found


def header(name):
    return (root / "include" / "weir" / name).read_text()


def engines():
    return ", ".join(f"`{w}`" for w in re.findall(r"X\((\w+), [A-Z]+\)", header("config_filter.h")))


# Keys that hold lists (config_dataplane.c, config_blocking.c, config_groups.c): key, entry, default, bound, when, text. Without
# a bound: one value for each entry of `groups`.
LISTS = {
    "dataplane": [
        ("worker_lcores", "core number, or `[auto]`", "`[main_lcore + 1]`", "CONFIG_WORKERS_MAX", "restart",
         "Cores of the workers: one worker each, with its own queues and packet buffers. None twice; the main core may be one of them (its thread sleeps nearly always). "
         "`[auto]`: all cores that weir may run on except the main one, as many as every port has queues for."),
        ("ports", "`device`, `exception`, `macs`, `vlans`; or `xdp`, `macs`, `vlans`", "none: required", "CONFIG_PORTS_MAX", "restart",
         "`device`: a DPDK device string (a PCI address, or a driver with arguments). `exception`: the kernel interface "
         "that gets all traffic that is not DNS for weir; without one weir answers ARP, NDP and echo itself. `macs`: up to {CONFIG_PORT_MACS_MAX} MAC addresses that the port "
         "receives frames for beside its own, such as a virtual router's. `vlans`: up to {CONFIG_PORT_VLANS_MAX} VLANs whose frames it accepts (0: frames without a tag); weir drops all others. By default it "
         "accepts all that the NIC passes; virtio passes no tagged frame then. `xdp`, in place of `device`: a kernel interface that weir and the "
         "kernel share by AF_XDP (`eth0`), with further arguments of the DPDK driver after commas; see [af-xdp.md](../how-to/af-xdp.md)."),
        ("service_addresses", "IP address, with or without `/prefix`", "none: required", "CONFIG_ADDRESSES_MAX",
         "restart", "Addresses that weir serves; it adds them to the exception interface at start."),
        ("virtual_addresses", "IP address, with or without `/prefix`", "`[]`", "CONFIG_ADDRESSES_MAX",
         "restart", "Addresses that weir serves too, which move between boxes by VRRP; {CONFIG_ADDRESSES_MAX} at most with `service_addresses`. weir puts them on no interface: keepalived adds "
         "them to the exception interface of the box that is the master, and the kernel of the others answers no ARP or neighbour solicitation for them "
         "([keepalived.md](../how-to/keepalived.md)). Each port needs `exception` or `xdp`."),
    ],
    "blocking": [
        ("lists", "`name`, `path`, `url`, `format`, `allow`, `exact`, `force`, `tsig`, `ca_file`, `pin`", "`[]`", "CONFIG_LISTS_MAX", "live",
         "`path`: a local file, relative to the configuration file; or `url`: `http://`, `https://` or `file:///`, at most "
         "{CONFIG_URL_MAX} bytes, with or without `user:password@`; or `axfr://SERVER[:PORT]/ZONE`, a policy zone that "
         "weir transfers, `axfr+tls://[NAME@]SERVER[:PORT]/ZONE` over TLS, `ixfr://` and `ixfr+tls://` by differences ([blocking.md](blocking.md#a-policy-zone-by-zone-transfer)). `name`: unique; by default the file's name. `format`: "
         "`auto` (recognised line by line), `hosts`, `domains`, `adblock`, `dnsmasq`, `unbound`, `rpz`, `addresses` (of answers). `allow: true`: other lists "
         "do not block its names. `exact: true`: a plain name, or one of a hosts line, does not cover the names below it, as in Pi-hole. `force: true`: the list may have single labels and public suffixes too. `tsig`: name of one of `tsig_keys`, for transfers. "
         "`ca_file`, for transfers over TLS: absolute path of a PEM file with the authorities that vouch for the server; by default the system's. "
         "`pin`, for the same: up to {CONFIG_PINS_MAX} SHA-256 of public keys in base64, one of which the certificate must have."),
        ("disabled_lists", "names of `lists`", "`[]`", "CONFIG_LISTS_MAX", "live",
         "Lists that weir does not use though they are defined: it neither fetches them nor blocks by them. Groups and schedules may name them."),
        ("tsig_keys", "`name`, `algorithm`, `secret_file`", "`[]`", "CONFIG_TSIG_KEYS_MAX", "live",
         "Keys that sign zone transfers (RFC 8945). `name`: a domain name, as the server has it. `algorithm`: `hmac-sha256`, the default, or `hmac-sha512`. "
         "`secret_file`: absolute path of a file with the secret in base64, 16 to {CONFIG_TSIG_SECRET_MAX} bytes of it, or [credential:NAME or env:NAME](config-files.md#secrets). weir reads it with the configuration."),
        ("allow", "domain name or `/pattern/`", "`[]`", "CONFIG_ENTRIES_MAX", "live",
         "Names that are never blocked, with all names below. Beats `deny` for the same name; otherwise the longer entry decides."),
        ("deny", "domain name or `/pattern/`", "`[]`", "CONFIG_ENTRIES_MAX", "live", "Names to block, with all names below."),
        ("types", "`A`, `AAAA`, `CAA`, `CNAME`, `HTTPS`, `MX`, `PTR`, `SRV`, `SVCB`, `TXT`", "`[]`", "CONFIG_BLOCKED_TYPES_MAX", "live",
         "Query types of which every name is blocked, as by a pattern in `deny` for these types ([blocking.md](blocking.md#query-types))."),
        ("https_strip", "`ech`, `ipv4hint`, `ipv6hint`", "`[]`", "CONFIG_HTTPS_STRIP_MAX", "live",
         "Parameters that HTTPS and SVCB records of all answers lose before weir caches them ([blocking.md](blocking.md#query-types))."),
        ("ipv4", "IPv4 address", "none", None, "live", "IPv4 address of the answers by `mode: address`."),
        ("ipv6", "IPv6 address", "none", None, "live", "IPv6 address of the answers by `mode: address`."),
        ("rebinding", "`enabled`, `allow`", "`enabled: false`", None, "live",
         "`enabled: true`: weir blocks an answer with a private, loopback or link-local address (answer-policy.md), except for names below those in "
         "`allow`, a list, and below zones with servers of their own."),
        *shared("none"),
    ],
    "blocking_update": [
        ("bootstrap", "IP address, with or without port", "`upstreams.servers`", "CONFIG_UPSTREAMS_MAX", "live",
         "Name servers that resolve the host names of URLs, in clear text; port 53 by default. Not an address of this "
         "service. The default leaves out servers over TLS and HTTPS and those given by a host name; where none is left, "
         "it is `upstreams.bootstrap`."),
    ],
    "upstreams": [
        ("servers", "`address`, `name`, `weight`, `pin`, `trust_ad`", "none: required", "CONFIG_UPSTREAMS_MAX", "live",
         "`address`: `9.9.9.9`, `127.0.0.1:5301`, `[2620:fe::fe]:53`; port 53 by default. Over TLS: "
         "`tls://dns.quad9.net@9.9.9.9`, or `tls://9.9.9.9` where the certificate is for the address; port 853 by default "
         "([upstreams.md](upstream-servers.md#over-tls)). Over HTTPS: `https://dns.quad9.net@9.9.9.9/dns-query`, or with an "
         "address alone; port 443 by default ([upstreams.md](upstream-servers.md#over-https)). A host name in place of the "
         "address (`dns.example.net`, `tls://dns.quad9.net:853`, `https://dns.quad9.net/dns-query`) needs `bootstrap` "
         "([server-names.md](../how-to/server-names.md)). `name`: for statistics; by "
         "default the address. Not an address of this service. `weight`: 1 to 100, by default 1; a policy other than "
         "`failover` gives the server that many times the share. `pin`: list of SHA-256 of public keys (SPKI) in base64, "
         "one of which the server's certificate must have; at most {CONFIG_PINS_MAX}, over TLS and HTTPS alone. `trust_ad: true`: "
         "weir passes on the server's AD where `dnssec.validate` is off ([dnssec.md](../how-to/dnssec.md#a-server-that-validates)); by "
         "default `false`."),
        ("bootstrap", "IP address, with or without port", "`[]`", "CONFIG_BOOTSTRAP_MAX", "live",
         "Name servers that resolve the host names of servers, in clear text; port 53 by default. Not an address of this "
         "service. Required where a server of `upstreams`, of a group or of a forward zone is given by a host name "
         "([server-names.md](../how-to/server-names.md))."),
        ("source", "IP address", "the kernel's choice", "CONFIG_SOURCES_MAX", "live",
         "Source addresses of queries through the port, one of each version at most: addresses of this machine. Without one weir "
         "takes the address that the kernel chooses for the first server of that version."),
    ],
    "limits": [
        ("unlimited_clients", "prefix", "`[]`", "CONFIG_UNLIMITED_MAX", "live",
         "Clients without `client_waiters`: mail servers, other resolvers, the address of a NAT. They leave a quarter of all places for waiting clients to the others."),
        ("unlimited_zones", "name", "`[]`", "CONFIG_UNLIMITED_MAX", "live",
         "Names without `zone_inflight`, with all names below. The names below one public suffix leave a quarter of `inflight` to the others."),
    ],
    "access": [
        ("allow", "prefix, `private`, `local`, `any`", "`[private, local]`", "CONFIG_ACCESS_MAX", "live",
         "Clients that may ask. `private`: addresses that no public network has, and loopback addresses; `local`: the networks of "
         "`dataplane.service_addresses` that are given with `/prefix`; `any`: everyone. Of this list and `deny` the longest prefix decides. An empty list is refused."),
        ("deny", "prefix", "`[]`", "CONFIG_ACCESS_MAX", "live", "Clients that may not ask although a prefix of `allow` covers them. The prefix is longer than that one, or the same if a word of `allow` stands for it."),
        ("unlimited", "as `allow`", "`[private, local]`", "CONFIG_ACCESS_MAX", "live", "Clients without `rate` and `network_rate`. `[]`: nobody."),
    ],
    "cookies": [
        ("secrets", "32 hexadecimal digits", "`[]`", "DNS_COOKIE_SECRETS_MAX", "live",
         "Secrets of the cookies, the same on all boxes of an address. weir signs with the first and verifies with all. `[]`: a random secret, which changes each day."),
    ],
    "tls": [
        ("certificates", "`cert`, `key`", "`[]`", "CONFIG_CERTIFICATES_MAX", "live",
         "Absolute paths of PEM files: `cert` has the certificate and then its chain, `key` its private key. A client gets the first entry whose "
         "certificate has the server name that it asked for, itself or by a wildcard, else the first entry. weir reads the files at the start, at each "
         "reload, and within 5 s after they change; while new files are bad, weir goes on with what it has read before."),
    ],
    "proxy_protocol": [
        ("from", "prefix", "`[]`", "CONFIG_BALANCERS_MAX", "live",
         "Balancers. weir requires a header of PROXY protocol version 2 at the begin of each connection from them over TCP, TLS and HTTPS, and of "
         "each datagram over UDP, and drops those without; the client in it is the client for access, groups, limits and the query log. weir "
         "reads no header of others. A change applies to new connections and to the next datagrams."),
    ],
    "dnssec": [
        ("negative_anchors", "domain name", "`[]`", "CONFIG_NEGATIVE_MAX", "live",
         "Negative trust anchors (RFC 7646): names at and below which weir validates nothing, such as private zones with servers of their own."),
    ],
    "sync": [
        ("own", "shared section", "`[]`", "SHARED_SECTIONS", "live",
         "Shared sections that this box keeps of its own. `weirctl config set` cannot change this key."),
        ("trusted_keys", "Ed25519 public key", "`[]`", "CONFIG_TRUSTED_KEYS_MAX", "live",
         "Keys of the primaries that this box follows, each the line of base64 that `openssl pkey -pubout` prints, 60 characters. With such keys this box "
         "takes only versions that one of them has signed, and none that is older than the newest it took "
         "([Signed versions](../how-to/fleet.md#signed-versions)). Empty: versions need no signature."),
        ("waves", "number of boxes or percent of them", "`[1, 25%]`", "CONFIG_WAVES_MAX", "live",
         "How many boxes take a new version of this primary together, the boxes of the waves before included; after the last wave all others do "
         "([fleet-waves.md](../how-to/fleet-waves.md)). `[]`: all boxes at once."),
        ("canaries", "`sync.name` of a box", "`[]`", "CONFIG_CANARIES_MAX", "live",
         "Boxes that take a new version first, in this order. Empty: boxes that are ready, by name."),
    ],
    "metrics": [
        ("allow", "prefix", "`[127.0.0.0/8, ::1]`", "CONFIG_METRICS_ALLOW_MAX", "restart",
         "Clients that may connect; the kernel drops packets of others."),
        ("hosts", "host name", "`[]`", "CONFIG_METRICS_HOSTS_MAX", "live",
         "Names by which clients ask, in the `Host` field, beside addresses, `localhost` and the machine's own name. weir refuses a request "
         "by another name with 421, as a web page that rebinds its name to the box's address sends it."),
    ],
    "control": [
        ("listen", "IP address, with or without port (default 9953)", "`[]`", "CONFIG_CONTROL_LISTEN_MAX", "restart",
         "Addresses on which weir serves the control API over HTTPS. Empty: only on the control socket."),
        ("allow", "prefix", "`[127.0.0.0/8, ::1]`", "CONFIG_CONTROL_ALLOW_MAX", "restart",
         "Clients that may connect; the kernel drops packets of others."),
        ("certificates", "`cert`, `key`", "those of `tls.certificates`", "CONFIG_CERTIFICATES_MAX", "live",
         "Certificates of the control API, as `tls.certificates`. weir reads the files again when they change."),
        ("clients", "`name`, `role`", "`[]`", "CONFIG_CONTROL_CLIENTS_MAX", "live",
         "Clients with a certificate that `control.client_ca` vouches for. `name`: the certificate's first alternative name of a host, or its common name "
         "if it has none. `role`: `read`, `operate` or `admin`."),
    ],
    "query_log": [
        ("exclude_domains", "name", "`[]`", "CONFIG_LOG_EXCLUDE_MAX", "live", "Names whose queries weir only counts, with all names below."),
        ("exclude_clients", "prefix", "`[]`", "CONFIG_LOG_EXCLUDE_MAX", "live", "Clients whose queries weir only counts."),
        ("webhooks", "`url`, `form`, `on_block`, `on_error`, `summary`, `per_minute`, `ca_file`", "`[]`", "CONFIG_WEBHOOKS_MAX", "restart",
         "URLs that get a message for each blocked (`on_block`) and failed (`on_error`) query and a daily `summary`; all `false` by default. `form`: `generic`, "
         "the default, or `discord`. `per_minute`: most messages a minute, 1 to 600, default 60. `ca_file`: for an https URL, absolute path of a PEM file of the "
         "authorities that may sign the server's certificate; by default the system's ([live.md](../how-to/live.md))."),
    ],
    "client_names": [
        ("lease_files", "absolute path", "`[]`", "CONFIG_LEASE_FILES_MAX", "live",
         "Further lease files of dnsmasq, ISC dhcpd or Kea (CSV). weir finds the format by the first line, and reads a file again when it changes."),
        ("ptr_servers", "IP address, with or without port", "`[]`", "CONFIG_CLIENT_PTR_MAX", "live",
         "Servers that weir asks for the PTR record of private addresses in the query log that have no name: the router, for instance. Empty: weir "
         "asks nobody."),
    ],
    "events": [
        ("webhooks", "`url`, `kinds`, `severity`, `form`, `per_minute`, `ca_file`", "`[]`", "CONFIG_WEBHOOKS_MAX", "live",
         "URLs that get messages of events. `kinds`: which ([events.md](../how-to/events.md#kinds)), by default all. `severity`: the least severe, `info`, the "
         "default, `warning` or `error`. `form`, `per_minute` and `ca_file` as in `query_log.webhooks`."),
    ],
    "query_log_clickhouse": [
        ("urls", "URL, as in `url`", "`[]`", "CONFIG_CLICKHOUSE_URLS_MAX", "live",
         "In place of `url`: several servers with the same user, password, database and table. weir sends to one of them, and to the next when "
         "that one fails ([clickhouse.md](../how-to/clickhouse.md#several-urls))."),
    ],
    "redis": [
        ("addresses", "IP address, with or without port", "`[]`", "CONFIG_REDIS_ADDRESSES_MAX", "live",
         "`192.0.2.7`, `192.0.2.7:6380`, `[fd53::7]:6379`; port 6379 by default, 26379 for sentinels. No host names: "
         "weir does not resolve names for Redis."),
    ],
    "clients": [
        ("name", "1 to 63 bytes", "none: required", None, "live", "Unique name of the client, in any letter case. At most {CONFIG_CLIENTS_MAX} clients."),
        ("addresses", "IP address, with or without `/prefix`", "`[]`", "CONFIG_PREFIXES_MAX", "live", "Addresses of the client. A client needs `addresses`, `macs` or both."),
        ("macs", "MAC (`02:00:5e:10:00:01`)", "`[]`", "CONFIG_MACS_MAX", "live",
         "MAC addresses of the client. weir sees them only on its own segment: every frame from behind a router has the router's."),
    ],
    "local": [
        ("records", "`name`, `type`, `value`, `ttl`", "`[]`", "CONFIG_RECORDS_MAX", "live",
         "`name`: a domain name, or `*.` and one for all names below it that have no record of their own. `type`: "
         "{RECORD_TYPES}. `value`: as in a zone file, names absolute; a TXT without "
         "quotes is one string. The bound is for groups' records as well."),
        ("hosts_files", "path", "`[]`", "CONFIG_HOSTS_FILES_MAX", "live",
         "Files in the format of `/etc/hosts`, read at each reload. A path is relative to the configuration file."),
        ("zones", "`name`, `unknown`", "`[]`", "CONFIG_LOCAL_ZONES_MAX", "live",
         "Answer for a name in the zone without a local record. `unknown: nxdomain`, the default, or `forward`: weir "
         "resolves the name, even if a zone above it or a special-use name says otherwise."),
    ],
    "forward_zones": [
        ("name", "domain name", "none: required", None, "live",
         "Name of the zone; all names below belong to it. At most {CONFIG_FORWARD_ZONES_MAX} zones, those of groups included. It overrides a "
         "special-use name at or above it."),
        ("exempt", "`true`, `false`", "`false`", None, "live",
         "`true`: the zone has no `servers`; weir resolves its names as if no zone above it in this list held them."),
        ("servers", "IP address, with or without port, `tls://NAME@ADDRESS` or `https://NAME@ADDRESS/PATH`", "none: required", "CONFIG_UPSTREAMS_MAX", "live",
         "Servers of the zone, used like `upstreams.servers`. weir asks no other server when they fail. At most "
         "{CONFIG_FORWARD_SETS_MAX} different lists; one with another `policy`, `race`, `trust_ad` or client subnet counts as another."),
        ("policy", "as `upstreams.policy`", "`upstreams.policy`", None, "live", "Which of the zone's servers weir asks first."),
        ("race", "1 to 2", "`upstreams.race`", None, "live", "Servers of the zone that weir asks at one time."),
        ("trust_ad", "`true`, `false`", "`false`", None, "live", "Whether weir passes on the AD of the zone's servers, as `trust_ad` of `upstreams.servers` says."),
        ("client_subnet_ipv4", "0 to 32", "`upstreams.client_subnet_ipv4`", None, "live", "Bits of an IPv4 client's address that the zone's servers get."),
        ("client_subnet_ipv6", "0 to 128", "`upstreams.client_subnet_ipv6`", None, "live", "The same of an IPv6 client's."),
    ],
    "entries": [
        ("name", "domain name or `/pattern/`", "none: required", None, "live",
         "A name with all names below it, as in `blocking.allow`. At most {CONFIG_DATED_MAX} entries."),
        ("verdict", "`allow`, `deny`", "none: required", None, "live",
         "What the entry does: the same as one of `blocking.allow` or `blocking.deny`, or of the group's."),
        ("invert", "`true`, `false`", "`false`", None, "live",
         "`true`: the entry is for every name that its `/pattern/` does not match, and not for those that it matches."),
        ("types", "those of `blocking.types`, or each with `~`", "all types", "CONFIG_BLOCKED_TYPES_MAX", "live",
         "The query types for which the entry counts; with `~` in front of each (`['~A', '~AAAA']`): all but these. The allow entries, and "
         "the deny entries, of one group have at most {CONFIG_ENTRY_KINDS_MAX} combinations of types and reply."),
        ("reply", "`nxdomain`, `nodata`, `null`, `refused`, `servfail`, `drop`", "as `blocking.mode` says", None, "live",
         "How a deny entry answers; `drop`: not at all. NXDOMAIN becomes no data where another type of the name may have an answer. Of "
         "several replies for a name one for all clients counts before a group's, then the first of: drop, refused, servfail, nxdomain, "
         "nodata, null, none of its own."),
        ("group", "name of one of `groups`", "all clients", None, "live", "The group for which the entry counts."),
        ("until", "`2026-11-25T20:00:00Z`", "never", None, "live",
         "When the entry ends, in UTC. From then on it has no effect, also without a reload. It may stay in the file."),
        ("why", "0 to {CONFIG_DATED_WHY_MAX} bytes of UTF-8", "empty", None, "live", "The reason; `weirctl why` shows it."),
    ],
    "group_members": [
        ("group", "name of one of `groups`", "none: required", None, "live", "The group."),
        ("client", "as in `groups.clients`", "none: required", None, "live",
         "One more client of the group. weir refuses a client that is in a group already, and names the place. The bounds are those of `groups.clients`."),
    ],
    "groups": [
        ("local_records", "as in `local.records`", "`[]`", "CONFIG_RECORDS_MAX", "live",
         "Local records for this group alone. They come before everyone's records of the same name."),
        ("forward_zones", "as `forward_zones`", "`[]`", "CONFIG_FORWARD_ZONES_MAX", "live",
         "Forward zones for this group alone. They come before everyone's zone of the same name."),
        ("name", "1 to {CONFIG_GROUP_NAME_MAX} bytes", "none: required", None, "live",
         "Unique name of the group, not `everyone`. At most {CONFIG_GROUPS_MAX} groups."),
        ("clients", "IP address, with or without `/prefix`, MAC, [interface part of IPv6](../how-to/groups.md#by-the-interface-part-of-ipv6) (`::7/::ffff:ffff:ffff:ffff`), name of one of `clients`, or `host:NAME` ([a host name](../how-to/groups.md#by-host-name) of hosts files and leases)", "`[]`", "CONFIG_PREFIXES_MAX", "live",
         "Clients of the group. A MAC decides before any prefix. Prefixes may lie within each other, in one group or in several; weir refuses equal ones and IPv4 written as IPv6 (`::ffff:192.0.2.1`). The bound is for all "
         "groups together; an equal bound holds for MACs. A group needs one of these, of `vlans` or of `client_names`."),
        ("vlans", "VLAN number, 1 to {CONFIG_VLAN_MAX}", "`[]`", "CONFIG_VLAN_MAX", "live",
         "VLANs of the group's clients. A MAC or a prefix of `clients` decides first. No VLAN in two groups. weir does not see the tag of TCP: "
         "see [groups.md](../how-to/groups.md#who-is-in-a-group)."),
        ("client_names", "label: 1 to {CONFIG_CLIENT_NAME_MAX} letters, digits, `-`, `_`", "`[]`", "CONFIG_CLIENT_NAMES_MAX", "live",
         "Names by which clients of the group call this box: `kid.dns.example` over TLS where `tls.name` is `dns.example`, and "
         "`/dns-query/kid` over HTTPS. Such a name decides before `clients` and `vlans`. No name in two groups; the bound is for all "
         "groups together. See [groups.md](../how-to/groups.md#by-name)."),
        ("lists", "names of `blocking.lists`", "all", "CONFIG_LISTS_MAX", "live",
         "Lists that apply to the group. `blocking.allow` and `blocking.deny` always apply."),
        ("blocking", "`true`, `false`", "`true`", None, "live", "`false`: weir blocks nothing for this group."),
        ("inherit", "`true`, `false`", "`true`", None, "live",
         "`true`: the group takes `services`, `safe_search`, `schedules` and `lists` from `blocking` where it has none of its own. `false`: it has only its own."),
        ("allow", "domain name or `/pattern/`", "`[]`", "CONFIG_GROUP_ENTRIES_MAX", "live", "Like `blocking.allow` and in addition to it, for this group."),
        ("deny", "domain name or `/pattern/`", "`[]`", "CONFIG_GROUP_ENTRIES_MAX", "live", "Like `blocking.deny` and in addition to it, for this group."),
        ("block", "`mode`, `ttl`, `ipv4`, `ipv6`", "as in `blocking`", None, "live", "Answer for a blocked name, with the keys of `blocking`."),
        *shared("as in `blocking`"),
        ("upstreams", "`address`, `name`, `weight`, `pin`, `trust_ad`", "`upstreams.servers`", "CONFIG_UPSTREAMS_MAX", "live",
         "Servers of the group, as in `upstreams.servers`. The group then shares cached answers, in L0 and in Redis, only with groups that have the same "
         "servers, on other boxes too."),
        ("upstream_policy", "as `upstreams.policy`", "`upstreams.policy`", None, "live",
         "Which of the group's `upstreams` weir asks first. Groups with the same servers have the one of the later group."),
        ("upstream_race", "1 to 2", "`upstreams.race`", None, "live", "Servers of the group's `upstreams` that weir asks at one time."),
        ("upstream_client_subnet_ipv4", "0 to 32", "`upstreams.client_subnet_ipv4`", None, "live",
         "Bits of an IPv4 client's address that the group's `upstreams` get."),
        ("upstream_client_subnet_ipv6", "0 to 128", "`upstreams.client_subnet_ipv6`", None, "live", "The same of an IPv6 client's."),
        ("dns64", "IPv6 prefix, `off`", "`ipv6.dns64`", None, "live", "As `ipv6.dns64`, for this group."),
        ("filter_aaaa", "`true`, `false`", "`ipv6.filter_aaaa`", None, "live", "As `ipv6.filter_aaaa`, for this group."),
        ("disable_cache", "`true`, `false`", "`false`", None, "live",
         "`true`: weir resolves every question again; it neither reads nor stores answers in L0 or L1. Clients that ask the same at "
         "the same time share one answer."),
    ],
}


# Sections that stand below another one.
NESTED = {"blocking_update": "blocking.update", "query_log_store": "query_log.store",
          "query_log_clickhouse": "query_log.clickhouse",
          "query_log_requests": "query_log.requests", "query_log_dnstap": "query_log.dnstap"}


def tables():
    return "".join((config / name).read_text() for name in ("config_keys.h", "config_keys_blocking.h", "config_keys_controlplane.h", "config_keys_log.h", "config_keys_tcp.h", "config_keys_upstreams.h"))


def joined(text):
    """Lines that end in a backslash, put together."""
    return re.sub(r"\\\n\s*", "", text)


def literals(text):
    """Adjacent string literals as one."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def keys():
    text = joined(tables())
    row = re.compile(r'X\((\w+), (\w+), ([\w.]+), (TEXT|FILE|NUMBER|BOOL|CHOICE), (\w+), "([^"]*)", (\d+), (\d+), '
                     r'(LIVE|RESTART),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)')
    return [m.groups() for m in row.finditer(text)]


def choices():
    text = joined(tables())
    words = {}
    for name, word in re.findall(r'X\((\w+), "([^"]+)", \w+\)', text):
        words.setdefault(name, []).append(word)
    return words


def bounds():
    headers = ("config.h", "config_clients.h", "config_filter.h", "config_log.h", "config/lists.h", "dns_cookie.h")
    text = "".join((root / "include" / "weir" / h).read_text() for h in headers)
    found = dict(re.findall(r"(CONFIG_\w+_MAX|DNS_COOKIE_SECRETS_MAX) = (\d+)", text))
    types = record_types()
    return found | {"RECORD_TYPES": f"{', '.join(types[:-1])} or {types[-1]}", "CONFIG_SERVICES_MAX": str(len(re.findall(r"X\(\"", header("service_names.h")))),
                            "SHARED_SECTIONS": str(len(re.findall(r"^\tX\(\w+\)", header("config/shared.h"), re.M)))}


def record_types():
    """Those that local records can have, as the parser of their values knows them."""
    return sorted(re.findall(r'^\t\{DNS_TYPE_\w+, "(\w+)"\},', (root / "dataplane/core/dns/rdata_parse.c").read_text(), re.M))


def schema():
    """The rows (kind, key) of each mapping in config_schema.c, without those of tables() and of other mappings."""
    text = (config / "config_schema.c").read_text()
    return {name: re.findall(r"\b(TEXT|TEXTS|ITEMS|NAMED)\((\w+)[,)]", rows)
            for name, rows in re.findall(r"struct config_field (\w+?)(?:_keys)?\[\] = \{(.*?)\};", text, re.S)}


def faults():
    """What the tables above or docs/reference/musts.md say otherwise than the code."""
    items = {"forward_zones": "forward", "groups": "group", "clients": "client", "entries": "entry", "group_members": "member"}
    for name, entries in LISTS.items():
        rows = dict((key, kind) for kind, key in schema()[items.get(name, name)])
        for key, _, _, bound, _, _ in entries:
            if key in rows and (rows[key] != "TEXT") != bool(bound):
                yield f"{name}.{key} is {'one value' if rows[key] == 'TEXT' else 'a list'} in config_schema.c"
    musts = (root / "docs" / "reference" / "musts.md").read_text()
    said = re.search(r"`local\.records` takes ([A-Z, ]+[A-Z])", musts)
    if not said or sorted(said.group(1).split(", ")) != record_types():
        yield f"docs/reference/musts.md: local.records takes {', '.join(record_types())}"


def presets():
    """Default of a key under each preset that changes it."""
    text, found = joined(tables()), {}
    for preset, word, key, value in re.findall(r'X\(([\w.]+), "(\w+)", ([\w.]+), "([^"]*)"\)', text):
        found.setdefault(key, []).append(f"`{value}` with `{preset}: {word}`")
    return found


def span(kind, choice, low, high, words):
    if kind == "NUMBER":
        return f"{low} to {high}"
    if kind == "CHOICE":
        return ", ".join(f"`{w}`" for w in words[choice])
    return "`true`, `false`" if kind == "BOOL" else f"{low} to {high} bytes"


def page(intro, sections):
    out, words, limits, rows, other = [intro], choices(), bounds(), keys(), presets()
    for name in sections:
        about = SECTIONS[name]
        section = NESTED.get(name, name)
        out.append(f"## {section}\n\n{textwrap.fill(about, 100, break_on_hyphens=False)}\n\n| key | default | values | takes effect | meaning |\n|---|---|---|---|---|")
        for key, entry, default, bound, when, text in LISTS.get(name, []):
            entry = entry.format(**limits)
            values = f"list of {entry}; at most {limits[bound]}" if bound else entry
            out.append(f"| `{section}.{key}` | {default} | {values} | {when} | {text.format(**limits)} |")
        for owner, key, _, kind, choice, default, low, high, when, text in rows:
            if owner == name:
                shown = ", ".join([f"`{default}`" if default else "empty", *other.get(f"{section}.{key}", [])])
                out.append(f"| `{section}.{key}` | {shown} | {span(kind, choice, low, high, words)} | {when.lower()} | "
                           f"{literals(text)} |")
        out.append("")
    return "\n".join(out)


def pages():
    log = [name for name in SECTIONS if name.startswith("query_log")]
    control = ["metrics", "control", "client_names", "events", "updates", "sync"]
    tcp = ["tcp", "tls", "dot", "doh", "proxy_protocol"]
    upstreams = ["upstreams", "forward_zones", "dnssec", "ipv6"]
    return {"config.md": page(INTRO, [name for name in SECTIONS if name not in log + control + tcp + upstreams]),
            "config-upstreams.md": page(INTRO_UPSTREAMS, upstreams),
            "config-control.md": page(INTRO_CONTROL, control),
            "config-tcp.md": page(INTRO_TCP, tcp),
            "config-query-log.md": page(INTRO_LOG, log)}


def main():
    written = pages()
    text = "".join(written.values())
    wanted = [key for rows in schema().values() for _, key in rows if key != "word"]
    missing = [key for key in wanted if f"{key}`" not in text and f"`{key}" not in text]
    count = len(re.findall(r"^\s*X\(\w+, \w+, [\w.]+, [A-Z]+,", tables(), re.M))
    if missing or count != len(keys()):
        sys.exit(f"config_md.py: not described: {missing}; {len(keys())} of {count} keys understood")
    wrong = list(faults())
    if wrong:
        sys.exit("config_md.py: " + "; ".join(wrong))
    for name, text in written.items():
        target = reference / name
        if "--check" not in sys.argv[2:]:
            target.write_text(text)
        elif not target.exists() or target.read_text() != text:
            sys.exit(f"docs/reference/{name} is not current: run tools/docs/config_md.py .")


main()
