#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/reference/config.md and config-query-log.md from the tables that the configuration library itself is built of.

usage: config_md.py SOURCE_ROOT [--check]     writes the files, or fails if one is not current
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
config = root / "dataplane" / "config"
reference = root / "docs" / "reference"

INTRO = """# The configuration file

One YAML file for `weir-dataplane` and `weir-controlplane`; `weirctl` reads it too. `tools/weir.yaml` is the commented
example that is installed. Written by `tools/docs/config_md.py` from `dataplane/config/config_keys.h`: edit there.

* Everything has a default except `dataplane.ports`, `dataplane.service_addresses` and `upstreams.servers`.
* `weirctl config check FILE` needs nothing running. Unknown keys, keys given twice, values out of range, and values that
  do not go together are refused, with `config: KEY: REASON (FILE:LINE:COLUMN)` and the nearest word where a name is unknown.
  It prints up to 16 errors at once; the other commands and the log print the first and how many more there are. FILE may be
  a pipe. It also checks that the Unix group, the cores and the PCI devices exist on this machine, and that device
  strings parse. A reload that is refused leaves the old configuration in force.
* `weirctl` reaches the running service even if the file is refused: each command reports the error on stderr, and uses
  `runtime.directory` and `runtime.hugepages` of the file where it can read them, else their defaults. Only
  `config check`, `mem plan`, `selftest` and `xdp` need the whole file. A path given by `-c` or `WEIR_CONFIG` must exist.
* `weirctl config reload` takes over what is marked *live* and names what needs a *restart* of the processes.
* Durations are whole seconds unless the key says milliseconds; sizes are MiB. Plain decimal numbers, `true` and `false`.
* No anchors, aliases, tags or second documents; 4 MiB at most. An empty section or list counts as absent.
* The section `query_log` and those below it: [config-query-log.md](config-query-log.md).
"""

INTRO_LOG = """# The configuration file: query_log

The keys of the query log. [config.md](config.md) has those of the other sections, and the rules for the whole file.
Written by `tools/docs/config_md.py` from `dataplane/config/config_keys_log.h`: edit there.
"""

SECTIONS = {
    "runtime": "Where things lie, and who may look.",
    "dataplane": "Cores, memory, ports and addresses of the data plane.",
    "cache": "The answer cache (L0).",
    "refresh": "Refresh-ahead: who asks often is never kept waiting.",
    "blocking": "Block lists, and how a blocked name is answered.",
    "blocking_update": "When and how lists with a `url` are fetched ([blocking.md](../how-to/blocking.md)).",
    "upstreams": "The servers that misses are sent to.",
    "limits": "Bounds of what clients can make weir hold, send, and pass to the kernel.",
    "tcp": "DNS over TCP on the service addresses (RFC 7766); `weirctl tcp` tells what it does.",
    "fallback": "Who answers while no data plane does; see [fallback.md](../explanation/fallback.md).",
    "access": "Who may ask, and how often ([access.md](../how-to/access.md)).",
    "cookies": "DNS cookies: proof of a client's address without a connection ([cookies.md](cookies.md)).",
    "identity": "What weir says of itself to who asks for it, in class CHAOS or by NSID ([access.md](../how-to/access.md)).",
    "metrics": "Metrics for a Prometheus that cannot reach the control socket ([metrics.md](metrics.md)).",
    "redis": "Redis as second cache tier (L1), shared between boxes. weir works on without it.",
    "clients": "A list. Names for addresses and interfaces, for `groups` and statistics; see [groups.md](../how-to/groups.md).",
    "local": "Records of the operator's own, and names that are nobody else's; see [local.md](../how-to/local.md).",
    "query_log": "What became of each query; see [query-log.md](query-log.md).",
    "query_log_store": "The log on this box itself ([query-store.md](../how-to/query-store.md)).",
    "query_log_clickhouse": "The log in a ClickHouse server ([clickhouse.md](../how-to/clickhouse.md)).",
    "query_log_requests": "The log as lines of a file a day ([live.md](../how-to/live.md)).",
    "query_log_dnstap": "The log as dnstap ([live.md](../how-to/live.md)).",
    "forward_zones": "A list. Names that other servers are asked for than `upstreams.servers`; the longest that a name "
                     "is, or is below, decides. In force for all groups.",
    "groups": "A list. Clients that are treated in their own way; a client's MAC decides, then the longest prefix that its address has, then its VLAN. "
              "Whoever is in no group gets what the rest of this file says..",
}

# Keys that `blocking` and `groups` share, without the defaults.
FILTER = {
    "services": ("name of a service", "CONFIG_SERVICES_MAX",
                 "Services that are blocked with all their domains; `weirctl services` names them."),
    "safe_search": ("`all`, {engines}: `off`, `strict`; `youtube` also `moderate`", None,
                    "Search engines that are asked for filtered results only. `all: true`: every one of them, strictly, but for those that "
                    "are given."),
    "schedules": ("`name`, `days`, `from`, `to`, and what it brings: `services`, `domains`, `lists`, `block_all`, `pause`",
                  "CONFIG_SCHEDULES_MAX",
                  "Windows of local time. `days` (default: all): list of `mon` to `sun`, `weekdays`, `weekend`. `from`, `to`: `HH:MM`; a "
                  "window whose `to` is not later than `from` ends on the next day. `block_all`: all but what an allow entry names."),
    "family_time": ("`days`, `from`, `to`, `services`, `domains`, `lists`", None,
                    "A schedule of this name; counts with the others."),
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


# Keys that hold lists (config_net.c, config_lists.c, config_groups.c): key, entry, default, bound, when, text. Without
# a bound: one value for each entry of `groups`.
LISTS = {
    "dataplane": [
        ("worker_lcores", "core number, or `[auto]`", "`[main_lcore + 1]`", "CONFIG_WORKERS_MAX", "restart",
         "One worker each, with its own queues and packet buffers. None twice; the main core may be one of them (it sleeps nearly always). "
         "`[auto]`: all cores that weir may run on but the main one, as far as every port has queues."),
        ("ports", "`device`, `exception`, `macs`, `vlans`; or `xdp`, `macs`, `vlans`", "none: required", "CONFIG_PORTS_MAX", "restart",
         "`device`: a DPDK device string (a PCI address, or a driver with arguments). `exception`: the kernel interface "
         "that gets all that is not DNS for us; without one ARP, NDP and echo are answered by weir itself. `macs`: up to {CONFIG_PORT_MACS_MAX} addresses that the port "
         "takes frames for beside its own, such as a virtual router's. `vlans`: up to {CONFIG_PORT_VLANS_MAX} VLANs whose frames it takes (0: without a tag), all others are dropped; all, "
         "if not given. `xdp`, in place of `device`: a kernel interface that weir and the "
         "kernel share by AF_XDP (`eth0`), with further arguments of DPDK's driver behind commas; see [af-xdp.md](../how-to/af-xdp.md)."),
        ("service_addresses", "IP address, with or without `/prefix`", "none: required", "CONFIG_ADDRESSES_MAX",
         "restart", "The addresses that are answered on; put on the exception interface at start."),
    ],
    "blocking": [
        ("lists", "`name`, `path`, `url`, `format`, `allow`, `force`", "`[]`", "CONFIG_LISTS_MAX", "live",
         "`path`: a local file, relative to the configuration file; or `url`: `http://`, `https://` or `file:///`, at most "
         "{CONFIG_URL_MAX} octets, with or without `user:password@`. `name`: by default the file's name; unique. `format`: "
         "`auto` (each line for itself), `hosts`, `domains`, `adblock`, `dnsmasq`, `rpz`, `addresses` (of answers). `allow: true`: names in it are "
         "never blocked by other lists. `force: true`: takes single labels and public suffixes too."),
        ("allow", "domain name or `/pattern/`", "`[]`", "CONFIG_ENTRIES_MAX", "live",
         "Never blocked, nor any name below. Beats `deny` for the same name; else the nearer entry decides."),
        ("deny", "domain name or `/pattern/`", "`[]`", "CONFIG_ENTRIES_MAX", "live", "Blocked, and every name below."),
        ("ipv4", "IPv4 address", "none", None, "live", "The address that `mode: address` answers with."),
        ("ipv6", "IPv6 address", "none", None, "live", "Likewise."),
        ("rebinding", "`enabled`, `allow`", "`enabled: false`", None, "live",
         "`enabled: true`: an answer with a private, loopback or link-local address is blocked (judge.md), except for names below those in "
         "`allow`, a list, and below zones with servers of their own."),
        *shared("none"),
    ],
    "blocking_update": [
        ("bootstrap", "IP address, with or without port", "`upstreams.servers`", "CONFIG_UPSTREAMS_MAX", "live",
         "Name servers that are asked for the addresses of the hosts of URLs; port 53 by default. Not an address of this "
         "service."),
    ],
    "upstreams": [
        ("servers", "`address`, `name`", "none: required", "CONFIG_UPSTREAMS_MAX", "live",
         "`address`: `9.9.9.9`, `127.0.0.1:5301`, `[2620:fe::fe]:53`; port 53 by default. `name`: for statistics; by "
         "default the address. Not an address of this service."),
    ],
    "access": [
        ("allow", "prefix, `private`, `local`, `any`", "`[private, local]`", "CONFIG_ACCESS_MAX", "live",
         "Who may ask. `private`: addresses that no public network has, and the loopback ones; `local`: the networks of "
         "`dataplane.service_addresses` that are given with `/prefix`; `any`: everyone. Of this list and `deny` the longest prefix decides. An empty list is refused."),
        ("deny", "prefix", "`[]`", "CONFIG_ACCESS_MAX", "live", "Who may not ask, although within a prefix of `allow`: a longer one, or the same where a word stands for that."),
        ("unlimited", "as `allow`", "`[private, local]`", "CONFIG_ACCESS_MAX", "live", "To these `rate` and `network_rate` do not apply. `[]`: nobody."),
    ],
    "cookies": [
        ("secrets", "32 hexadecimal digits", "`[]`", "DNS_COOKIE_SECRETS_MAX", "live",
         "The same on all boxes of an address: the first signs, all verify. None: one of our own, which changes each day."),
    ],
    "metrics": [
        ("allow", "prefix", "`[127.0.0.0/8, ::1]`", "CONFIG_METRICS_ALLOW_MAX", "restart",
         "Who may connect; packets of others are dropped by the kernel."),
    ],
    "query_log": [
        ("exclude_domains", "name", "`[]`", "CONFIG_LOG_EXCLUDE_MAX", "live", "Queries for these names and all below them are only counted."),
        ("exclude_clients", "prefix", "`[]`", "CONFIG_LOG_EXCLUDE_MAX", "live", "Queries of these clients are only counted."),
        ("webhooks", "`url`, `form`, `on_block`, `on_error`, `summary`, `per_minute`, `ca_file`", "`[]`", "CONFIG_WEBHOOKS_MAX", "restart",
         "Where blocked (`on_block`) and failed (`on_error`) queries and a daily `summary` are told; all `false` by default. `form`: `generic`, "
         "the default, or `discord`. `per_minute`: messages at most, 60 by default, 1 to 600. `ca_file`: of an https URL, a PEM file of the "
         "authorities that may vouch for the server, absolute; the system's without it ([live.md](../how-to/live.md))."),
    ],
    "query_log_clickhouse": [
        ("urls", "URL, as in `url`", "`[]`", "CONFIG_CLICKHOUSE_URLS_MAX", "live",
         "In place of `url`: several servers with the same user, password, database and table. weir sends to one of them, and to the next one when "
         "that fails ([clickhouse.md](../how-to/clickhouse.md#several-urls))."),
    ],
    "redis": [
        ("addresses", "IP address, with or without port", "`[]`", "CONFIG_REDIS_ADDRESSES_MAX", "live",
         "`192.0.2.7`, `192.0.2.7:6380`, `[fd53::7]:6379`; port 6379 by default, 26379 for sentinels. No host names: "
         "nothing here waits for DNS."),
    ],
    "clients": [
        ("name", "1 to 63 octets", "none: required", None, "live", "Unique. At most {CONFIG_CLIENTS_MAX} clients."),
        ("addresses", "IP address, with or without `/prefix`", "`[]`", "CONFIG_PREFIXES_MAX", "live", "One of these and `macs` is needed."),
        ("macs", "MAC (`02:00:5e:10:00:01`)", "`[]`", "CONFIG_MACS_MAX", "live",
         "Seen only from clients on the same segment: behind a router every frame has the router's."),
    ],
    "local": [
        ("records", "`name`, `type`, `value`, `ttl`", "`[]`", "CONFIG_RECORDS_MAX", "live",
         "`name`: a domain name, or `*.` and one for all names below it that have no record of their own. `type`: "
         "{RECORD_TYPES}. `value`: as in a zone file, names absolute; a TXT without "
         "quotes is one string. The bound is for groups' records as well."),
        ("hosts_files", "path", "`[]`", "CONFIG_HOSTS_FILES_MAX", "live",
         "Files of the form of `/etc/hosts`, read at each reload. A path is relative to the configuration file."),
        ("zones", "`name`, `unknown`", "`[]`", "CONFIG_LOCAL_ZONES_MAX", "live",
         "What is said of names in it that have no local record: `unknown: nxdomain`, the default, or `forward`: they "
         "are resolved, also where a zone above it, or a special-use name, says otherwise."),
    ],
    "forward_zones": [
        ("name", "domain name", "none: required", None, "live",
         "With all names below it. At most {CONFIG_FORWARD_ZONES_MAX}, those of groups included. A special-use name at "
         "or above it steps back."),
        ("servers", "IP address, with or without port", "none: required", "CONFIG_UPSTREAMS_MAX", "live",
         "Asked in the manner of `upstreams.servers`; nobody else is asked when they fail. At most "
         "{CONFIG_FORWARD_SETS_MAX} different lists."),
    ],
    "groups": [
        ("local_records", "as in `local.records`", "`[]`", "CONFIG_RECORDS_MAX", "live",
         "Of this group alone, before everyone's of the same name."),
        ("forward_zones", "as `forward_zones`", "`[]`", "CONFIG_FORWARD_ZONES_MAX", "live",
         "Of this group alone, before everyone's of the same name."),
        ("name", "1 to {CONFIG_GROUP_NAME_MAX} octets", "none: required", None, "live",
         "Unique, not `everyone`. At most {CONFIG_GROUPS_MAX} groups."),
        ("clients", "IP address, with or without `/prefix`, MAC, or name of one of `clients`", "`[]`", "CONFIG_PREFIXES_MAX", "live",
         "A MAC decides before any prefix. Prefixes may lie within each other, in one group or in several; equal ones and IPv4 written as IPv6 (`::ffff:192.0.2.1`) are refused. The bound is for all "
         "groups together, and there is one like it for MACs. A group needs one of these or one of `vlans`."),
        ("vlans", "VLAN number, 1 to {CONFIG_VLAN_MAX}", "`[]`", "CONFIG_VLAN_MAX", "live",
         "Clients whose frames have the tag of one of these, unless a MAC or a prefix of `clients` decides. None in two groups. TCP is not seen to have a tag: "
         "see [groups.md](../how-to/groups.md#who-is-in-a-group)."),
        ("lists", "names of `blocking.lists`", "all", "CONFIG_LISTS_MAX", "live",
         "The lists that apply. `blocking.allow` and `blocking.deny` apply in any case."),
        ("blocking", "`true`, `false`", "`true`", None, "live", "`false`: nothing is blocked."),
        ("inherit", "`true`, `false`", "`true`", None, "live",
         "`false`: of `services`, `safe_search`, `schedules` and `lists` it has only its own. Otherwise what it leaves out is as in `blocking`."),
        ("allow", "domain name or `/pattern/`", "`[]`", "CONFIG_GROUP_ENTRIES_MAX", "live", "As `blocking.allow`, for this group, beside it."),
        ("deny", "domain name or `/pattern/`", "`[]`", "CONFIG_GROUP_ENTRIES_MAX", "live", "As `blocking.deny`, likewise."),
        ("block", "`mode`, `ttl`, `ipv4`, `ipv6`", "as in `blocking`", None, "live", "How a blocked name is answered, as in `blocking`."),
        *shared("as in `blocking`"),
        ("upstreams", "`address`, `name`", "`upstreams.servers`", "CONFIG_UPSTREAMS_MAX", "live",
         "Servers of its own, as in `upstreams.servers`. Answers are then shared with groups that have the same servers "
         "and nobody else, in L0 and over Redis also on other boxes."),
        ("disable_cache", "`true`, `false`", "`false`", None, "live",
         "`true`: every question is resolved anew; nothing is read from or kept in L0 or L1. Clients that ask the same at "
         "the same time share one answer."),
    ],
}


# Sections that stand below another one.
NESTED = {"blocking_update": "blocking.update", "query_log_store": "query_log.store",
          "query_log_clickhouse": "query_log.clickhouse",
          "query_log_requests": "query_log.requests", "query_log_dnstap": "query_log.dnstap"}


def tables():
    return "".join((config / name).read_text() for name in ("config_keys.h", "config_keys_log.h"))


def joined(text):
    """Lines that end in a backslash, put together."""
    return re.sub(r"\\\n\s*", "", text)


def literals(text):
    """Adjacent string literals as one."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def keys():
    text = joined(tables())
    row = re.compile(r'X\((\w+), (\w+), (\w+), (TEXT|NUMBER|BOOL|CHOICE), (\w+), "([^"]*)", (\d+), (\d+), '
                     r'(LIVE|RESTART),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)')
    return [m.groups() for m in row.finditer(text)]


def choices():
    text = joined(tables())
    words = {}
    for name, word in re.findall(r'X\((\w+), "([^"]+)", \w+\)', text):
        words.setdefault(name, []).append(word)
    return words


def bounds():
    headers = ("config.h", "config_filter.h", "config_log.h", "dns_cookie.h")
    text = "".join((root / "include" / "weir" / h).read_text() for h in headers)
    found = dict(re.findall(r"(CONFIG_\w+_MAX|DNS_COOKIE_SECRETS_MAX) = (\d+)", text))
    types = record_types()
    return found | {"RECORD_TYPES": f"{', '.join(types[:-1])} or {types[-1]}", "CONFIG_SERVICES_MAX": str(len(re.findall(r"X\(\"", header("service_names.h"))))}


def record_types():
    """Those that local records can have, as the parser of their values knows them."""
    return sorted(re.findall(r'^\t\{DNS_TYPE_\w+, "(\w+)"\},', (root / "dataplane/core/dns/rdata_parse.c").read_text(), re.M))


def faults():
    """What the tables above or docs/reference/musts.md say otherwise than the code."""
    schema = (config / "config_schema.c").read_text()
    structs = {"forward_zones": "forward", "groups": "group", "clients": "client"}
    for name, entries in LISTS.items():
        for key, _, _, bound, _, _ in entries:
            for kind in re.findall(rf"RAW_(TEXT|SEQUENCE)\(\s*config_raw_{structs.get(name, name)},\s*{key}[,)]", schema):
                if (kind == "SEQUENCE") != bool(bound):
                    yield f"{name}.{key} is {'a list' if kind == 'SEQUENCE' else 'one value'} in config_schema.c"
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
    return "`true`, `false`" if kind == "BOOL" else f"{low} to {high} octets"


def page(intro, sections):
    out, words, limits, rows, other = [intro], choices(), bounds(), keys(), presets()
    for name in sections:
        about = SECTIONS[name]
        section = NESTED.get(name, name)
        out.append(f"## {section}\n\n{about}\n\n| key | default | values | takes effect | meaning |\n|---|---|---|---|---|")
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
    return {"config.md": page(INTRO, [name for name in SECTIONS if name not in log]),
            "config-query-log.md": page(INTRO_LOG, log)}


def main():
    written = pages()
    text = "".join(written.values())
    schema = (config / "config_schema.c").read_text()
    wanted = re.findall(r"RAW_(?:TEXT|SEQUENCE)\(\s*config_raw_\w+,\s*(\w+)", schema)
    missing = [key for key in wanted if f"{key}`" not in text and f"`{key}" not in text]
    count = len(re.findall(r"^\s*X\(\w+, \w+, \w+, [A-Z]+,", tables(), re.M))
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
