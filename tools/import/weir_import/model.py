# SPDX-License-Identifier: BSD-3-Clause
"""What the readers found, in weir's terms, and the gate that lets through only what weir takes.

A gate method gets the node that it speaks for. If weir takes the value, the node is `taken` and the method returns True; if not,
the node is `impossible` with the reason, and it returns False. So a handler that passes each value through the gate has
accounted for it.
"""
import dataclasses
import re

from . import names, rdata, servers, source
from .account import BLOCKING, DIFFERENTLY, IMPOSSIBLE, REST

ITEMS_MAX = 100000  # of one list
ENTRIES_MAX = 10000  # with query types, a reply of their own, or an inverted pattern
LISTS_MAX, RECORDS_MAX, GROUPS_MAX, CLIENTS_MAX, ZONES_MAX, HOSTS_FILES_MAX = 254, 20000, 63, 4096, 256, 16
GROUP_NAME_MAX, CLIENT_NAME_MAX, LIST_NAME_MAX, PATH_MAX, URL_MAX, SCHEDULE_NAME_MAX = 31, 60, 60, 255, 1024, 23
SCHEDULES_MAX = 16  # of one group
TTL_MAX = 604800
NAT64, NAT64_LENGTHS = "64:ff9b::/96", (32, 40, 48, 56, 64, 96)
ENGINES = ("google", "bing", "youtube", "duckduckgo", "yandex", "pixabay", "ecosia", "brave")
# Of include/weir/service_names.h; a test compares.
SERVICES = """tiktok roblox youtube instagram netflix facebook snapchat twitter discord twitch reddit pinterest whatsapp
telegram linkedin spotify fortnite 4chan 500px 9gag aliexpress amazon apple_music apple_tv archive_of_our_own audible
bandcamp battle_net bereal bet365 betfair betway bigo_live bilibili binance bluesky box bumble call_of_duty character_ai
chatgpt chaturbate chess_com claude coinbase copilot crazygames crunchyroll dailymotion dazn deepseek deezer deviantart
discoveryplus disneyplus douban douyin draftkings dropbox dzen ebay electronic_arts epic_games espn etsy fanduel flickr
geforce_now gemini giphy gog google_meet grindr grok happn hbo_max hinge hotstar hoyoverse hulu iheartradio imgur imo iqiyi
ivi joyn kakaotalk kick kinopoisk kuaishou lazada letterboxd lichess line mastodon match medium mega mercado_libre meta_ai
meta_quest microsoft_teams midjourney minecraft nextdoor niconico nintendo odnoklassniki odysee okcupid onlyfans pandora
paramountplus patreon peacock perplexity pixiv playstation plenty_of_fish plex pluto_tv poe pokemon_go poki polymarket
pornhub prime_video qobuz quora rakuten_viki rec_room replika riot_games rockstar_games rumble rutube shazam shein shopee
signal siriusxm skype slack sonyliv soundcloud stake steam strava substack supercell taobao temu tenor threads threema tidal
tinder truth_social tubi tumblr ubisoft viber vimeo vinted vk vrchat walmart wargaming wattpad webex wechat weibo wetransfer
wildberries wish xbox xhamster xiaohongshu xnxx xvideos youku yubo zalando zalo zattoo zee5 zhihu zoom""".split()
SCHEDULES_OF_WEIR = ("allow", "deny", "family time")  # names with a meaning of their own
# Titles of weir's own lists in the rule image begin so.
RESERVED = ("group ", "service ", "schedule ", "safe search ", "allow entries", "deny entries", "rebinding", "local data",
            "special-use names")
BLOCKED_TYPES, BLOCKED_TYPES_MAX = ("A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "PTR", "SRV", "SVCB", "TXT"), 8


class Items:
    """Texts with notes, each once, for one key of weir."""

    def __init__(self, key):
        self.key, self.notes = key, {}

    def __contains__(self, text):
        return text in self.notes

    def __len__(self):
        return len(self.notes)

    def __iter__(self):
        return iter(self.notes.items())

    def texts(self):
        return list(self.notes)

    def add(self, text, note=None):
        self.notes.setdefault(text, note)

    def keep(self, texts):
        """Only these, in this order."""
        self.notes = {text: self.notes.get(text) for text in texts}


@dataclasses.dataclass
class List:
    name: str
    place: str  # a URL or an absolute path
    allow: bool
    exact: bool
    note: str = ""


@dataclasses.dataclass
class Entry:
    """An entry for some query types, with a reply of its own, or for the names that a pattern does not match (`invert`). `group`: a
    Group, or None for everyone."""
    name: str  # or /pattern/
    allow: bool
    types: tuple
    reply: str
    group: object = None
    note: str | None = None
    invert: bool = False


@dataclasses.dataclass
class Record:
    name: str
    type: str
    value: str
    ttl: int | None = None


@dataclasses.dataclass
class Zone:
    name: str
    servers: Items
    exempt: bool = False


@dataclasses.dataclass
class Client:
    name: str
    members: Items


@dataclasses.dataclass
class Schedule:
    days: tuple
    begin: str
    end: str
    services: list
    name: str = ""  # "": one by its number
    lists: tuple = ()
    domains: tuple = ()
    block_all: bool = False
    time_zone: str = ""


class Group:
    """A group of weir. `own_lists`: `lists` is all it has, even if it is empty; else every list applies. `inherit`: services, safe
    search and lists of `blocking` apply where it has none of its own."""

    def __init__(self, name, note=""):
        self.name, self.note = name, note
        self.own_lists, self.inherit, self.blocking, self.cache = False, True, True, True
        for word in ("clients", "lists", "allow", "deny", "services", "upstreams", "client_names"):
            setattr(self, word, Items("groups." + word))
        self.safe_search, self.schedules, self.zones, self.records = {}, [], {}, []
        self.values, self.block = {}, {}  # keys with one value, such as family_time; those of its block answer

    def has_members(self):
        """A group that no client is in is not written, nor what is for it alone."""
        return len(self.clients) > 0 or len(self.client_names) > 0

    def settings(self):
        """All but who is in it: two groups with equal ones can be one."""
        return (self.own_lists, self.inherit, self.blocking, self.cache, tuple(sorted(self.safe_search.items())),
                tuple(sorted(self.values.items())), tuple(sorted(self.block.items())), tuple(sorted(str(s) for s in self.schedules)),
                tuple(sorted((z.name, z.exempt, *z.servers.texts()) for z in self.zones.values())), tuple(sorted(map(str, self.records))),
                *(tuple(sorted(getattr(self, w).texts())) for w in ("lists", "allow", "deny", "services", "upstreams")))


class Model:
    def __init__(self, account, title):
        self.account, self.title = account, title
        self.is_recursive = False  # the source asks the authoritative servers itself
        self.list_exact = False  # a plain name of its lists is that name alone
        self.lists, self.records, self.zones, self.clients, self.groups = [], [], {}, [], []
        self.values = {}  # (section, key): (text, note, node)
        self.safe_search, self.schedules, self.exempt, self.entries = {}, [], {}, []
        self.important = set()  # entries of `deny` that no plain exception takes back
        self.final = set()  # entries of `allow` that take those back
        self.list_places, self.list_names, self.group_names, self.client_names_taken = {}, set(), {"everyone"}, set()
        for word, key in (("allow", "blocking.allow"), ("deny", "blocking.deny"), ("services", "blocking.services"), ("types", "blocking.types"),
                          ("upstreams", "upstreams.servers"), ("bootstrap", "upstreams.bootstrap"),
                          ("hosts_files", "local.hosts_files"), ("closed_zones", "local.zones"), ("open_zones", "local.zones"),
                          ("access_allow", "access.allow"), ("access_deny", "access.deny"),
                          ("access_unlimited", "access.unlimited"), ("negative_anchors", "dnssec.negative_anchors"),
                          ("rebinding_allow", "blocking.rebinding.allow"), ("log_names", "query_log.exclude_domains"),
                          ("log_clients", "query_log.exclude_clients"), ("ptr_servers", "client_names.ptr_servers"),
                          ("lease_files", "client_names.lease_files")):
            setattr(self, word, Items(key))

    def _no(self, at, sentence):
        at.impossible(sentence)
        return False

    # Keys with one value
    def value(self, at, section, key, text, note=None):
        """SECTION.KEY: text, which is YAML as it stands. The first one counts. `at`: None for what the source leaves unsaid."""
        before = self.values.get((section, key))
        if before is not None:
            if at is not None and before[0] != text:
                at.differently(f"{section}.{key} has a value already, which counts: {before[0]}", f"{section}.{key}")
            elif at is not None:
                at.taken(f"{section}.{key}")
            return before[0] == text
        self.values[section, key] = (text, note or (at.path if at is not None else None))
        if at is not None:
            at.taken(f"{section}.{key}")
        return True

    def number(self, at, section, key, text, least, most, times=1):
        n = names.integer(str(text))
        if n is None:
            return self._no(at, f"`{at.shown()}` is no number, so it is left out")
        n *= times
        taken = min(max(n, least), most)
        self.value(at, section, key, str(taken))
        if taken != n:
            at.differently(f"weir takes {least} to {most} for {section}.{key}, so it is {taken}", f"{section}.{key}")
        return True

    def nat64(self, at, text=NAT64):
        network = names.prefix(text)
        if network is None or network.version != 6 or network.prefixlen not in NAT64_LENGTHS:
            return self._no(at, f"`{text[:100]}` is no prefix of a NAT64")
        return self.value(at, "ipv6", "dns64", f"'{network}'")

    def blocked_type(self, at, text):
        if text not in BLOCKED_TYPES or (text not in self.types and len(self.types) == BLOCKED_TYPES_MAX):
            return self._no(at, f"weir blocks no queries of the type {text[:20]}")
        self.types.add(text)
        at.taken("blocking.types")
        return True

    # Names, allowed and denied
    def _room(self, at, items):
        return len(items) < ITEMS_MAX or self._no(at, f"it is left out: weir takes {ITEMS_MAX} in {items.key}")

    def name(self, at, items, text, note=None):
        """A name with all names below it. "*.a.example" and ".a.example" are a.example."""
        plain = text.strip()
        plain = plain[2:] if plain.startswith("*.") else plain[1:] if plain.startswith(".") and len(plain) > 1 else plain
        found, why = names.name(plain)
        if not found:
            return self._no(at, f"`{text[:200]}` {why}, so it is left out")
        if self._room(at, items):
            items.add(found, note)
            at.taken(items.key)
            return True
        return False

    def pattern(self, at, items, regex, note=None):
        if not regex or len(regex) > names.PATTERN_MAX or not names.is_printable(regex):
            return self._no(at, f"the pattern `{regex[:200]}` is left out: weir takes 1 to {names.PATTERN_MAX} bytes of "
                            "printable ASCII")
        if self._room(at, items):
            items.add(f"/{regex}/", note)
            at.taken(items.key)
            return True
        return False

    def special(self, at, add, allow, types, reply, group=None, invert=False):
        """An entry for these query types (all but those with a `~` in front), which `add` gives to the items that it gets."""
        plain = [t.removeprefix("~") for t in types]
        wrong = next((t for t in plain if t not in BLOCKED_TYPES), None)
        if wrong is not None or len(types) > BLOCKED_TYPES_MAX or len({t[0] == "~" for t in types}) > 1:
            return self._no(at, f"it is left out: weir has entries for up to {BLOCKED_TYPES_MAX} of the query types {', '.join(BLOCKED_TYPES)}, or for "
                            "all but those")
        if len(self.entries) >= ENTRIES_MAX:
            return self._no(at, f"it is left out: weir takes {ENTRIES_MAX} such entries")
        found = Items("entries")
        if not add(found):
            return False
        self.entries += [Entry(text, allow, tuple(types), reply, group, note, invert) for text, note in found]
        if types and reply == "nxdomain":
            at.differently("weir answers NODATA, and not NXDOMAIN: the name has other query types", "entries", BLOCKING)
        return True

    def exact(self, at, items, text, note=None):
        """A name alone, without what is below it: a pattern."""
        found, why = names.name(text)
        if not found:
            return self._no(at, f"`{text[:200]}` {why}, so it is left out")
        return self.pattern(at, items, names.exact_pattern(found), note)

    # Local records
    def record(self, at, name, kind, value, ttl=None, of=None):
        """`name` may begin with "*.". `of`: the group that has it, else everyone."""
        is_wild = name.startswith("*.")
        found, why = names.name(name[2:] if is_wild else name)
        if not found:
            return self._no(at, f"`{name[:200]}` {why}, so its record is left out")
        if kind not in rdata.TYPES:
            return self._no(at, f"weir has no local records of type {kind[:20]}")
        if kind in ("CNAME", "PTR"):
            value = names.name(value)[0] or value
        why = rdata.check(kind, value)
        if why:
            return self._no(at, f"the record {name[:100]} {kind} `{value[:200]}` is left out: {why}")
        if len(self.records) + sum(len(g.records) for g in self.groups) >= RECORDS_MAX:
            return self._no(at, f"the record is left out: weir takes {RECORDS_MAX}")
        ttl = None if ttl is None else min(max(ttl, 0), TTL_MAX)
        (of or self).records.append(Record(("*." if is_wild else "") + found, kind, value, ttl))
        at.taken("groups.local_records" if of else "local.records")
        return True

    def address(self, at, name, text, ttl=None):
        ip = names.address(text)
        if ip is None:
            return self._no(at, f"{name[:100]}: `{text[:100]}` is no address, so it is left out")
        return self.record(at, name, "A" if ip.version == 4 else "AAAA", str(ip), ttl)

    def reverse(self, at, text, name, ttl=None):
        """The PTR record of an address."""
        ip = names.address(text)
        if ip is None:
            return self._no(at, f"{name[:100]}: `{text[:100]}` is no address, so it is left out")
        return self.record(at, names.reverse_name(ip), "PTR", name, ttl)

    def hosts_file(self, at, path):
        why = None
        if not path.startswith("/") or len(path) > PATH_MAX or not names.is_printable(path):
            why = "weir takes absolute paths of printable ASCII"
        elif len(self.hosts_files) >= HOSTS_FILES_MAX and path not in self.hosts_files:
            why = f"weir takes {HOSTS_FILES_MAX} of them"
        elif not source.is_readable_file(path):
            why = "it cannot be read on this machine; copy it, and add it to local.hosts_files"
        if why:
            return self._no(at, f"the hosts file {path[:200]} is left out: {why}")
        self.hosts_files.add(path)
        at.taken("local.hosts_files")
        return True

    # Servers
    def _server(self, at, items, server, text, note, most=servers.SERVERS_MAX):
        if server is None:
            return self._no(at, f"the server `{text[:200]}` is left out: weir asks servers over UDP, TCP, TLS and HTTPS, by "
                            "address or host name")
        if not server.is_possible():
            return self._no(at, f"the server `{text[:200]}` is left out: no host can have its address")
        if server.text() not in items and len(items) >= most:
            return self._no(at, f"the server `{text[:200]}` is left out: weir takes {most} in one list")
        items.add(server.text(), note)
        at.taken(items.key)
        if server.is_tcp:
            at.differently(f"`{text[:200]}` was asked over TCP alone; weir asks over UDP, and over TCP where an answer is cut "
                           "short", items.key)
        return True

    def server(self, at, items, text, note=None):
        return self._server(at, items, servers.parse(text), text, note)

    def server_unbound(self, at, items, text, over_tls):
        return self._server(at, items, servers.parse_unbound(text, over_tls), text, None)

    def plain_server(self, at, items, text, most):
        """A server that weir asks in clear text, by its address."""
        server = servers.parse(text)
        if server is None or names.address(server.host) is None:
            return self._no(at, f"the server `{text[:200]}` is left out: weir takes addresses for {items.key}")
        plain = servers.Server("", server.host, "", "", 0 if server.scheme else server.port)
        if not self._server(at, items, plain, text, None, most):
            return False
        if server.scheme:
            at.differently(f"weir asks `{text[:200]}` in clear text, port 53", items.key)
        return True

    def bootstrap_server(self, at, text):
        return self.plain_server(at, self.bootstrap, text, servers.BOOTSTRAP_MAX)

    def zone(self, at, name, of=None):
        """The forward zone of that name, of a group or of everyone, made if it is not there. None: refused."""
        zones = (of or self).zones
        plain = name[2:] if name.startswith("*.") else name.lstrip(".")
        found, why = names.name(plain)
        if not found:
            self._no(at, f"the zone `{name[:200]}` {why}, so it is left out")
            return None
        if found not in zones:
            if len(self.zones) + sum(len(g.zones) for g in self.groups) >= ZONES_MAX:
                self._no(at, f"the zone {found} is left out: weir takes {ZONES_MAX}")
                return None
            zones[found] = Zone(found, Items("groups.forward_zones" if of else "forward_zones"))
        return zones[found]

    def zone_server(self, at, name, text, of=None):
        """A server of a zone; of the root it is one of the upstreams."""
        if name in ("", "."):
            return self.server(at, (of or self).upstreams, text)
        zone = self.zone(at, name, of)
        if zone is None or not self.server(at, zone.servers, text):
            return False
        if name.startswith("*."):
            at.differently(f"the zone {zone.name} holds the name itself, too", zone.servers.key)
        return True

    def reverse_zone_server(self, at, prefix, text):
        """A server of the reverse zones of a prefix."""
        network = names.prefix(prefix)
        zones = names.reverse_zones(network) if network else []
        if not zones:
            return self._no(at, f"`{prefix[:100]}` is no prefix that reverse zones have")
        return all([self.zone_server(at, zone, text) for zone in zones])

    def exempt_of(self, at, name, group):
        """A zone of everyone, or of the group, whose names a group has from its upstreams. One with servers in the group keeps them."""
        zone = self.zone(at, name, group)
        if zone is None:
            return False
        zone.exempt = not len(zone.servers)
        at.taken("groups.forward_zones")
        return True

    def exempt_zone(self, at, name):
        """A zone that the upstreams answer, though one above it has servers of its own or is local."""
        if self.name(at, self.open_zones, name, "by the upstreams"):
            self.exempt[names.name(name.removeprefix("*.").lstrip("."))[0]] = at
            return True
        return False

    # What has a name of its own
    def list(self, at, name, place, allow=False, note=""):
        """The name of the list, or None: refused."""
        if place in self.list_places:
            at.taken("blocking.lists")
            return self.list_places[place]
        why = place_refused(place)
        if not why and len(self.lists) >= LISTS_MAX:
            why = f"weir takes {LISTS_MAX}"
        if why:
            self._no(at, f"the list {place[:200]} is left out: {why}")
            return None
        base = fit(name or place_name(place), LIST_NAME_MAX, "list")
        if base.startswith(RESERVED):
            base = f"list {base}"[:LIST_NAME_MAX]
        unique = unused(base, LIST_NAME_MAX, self.list_names.__contains__)
        self.list_names.add(unique)
        self.list_places[place] = unique
        self.lists.append(List(unique, place, allow, self.list_exact, note))
        at.taken("blocking.lists")
        return unique

    def group(self, at, name, note=""):
        """A new group, or None: refused."""
        if len(self.groups) >= GROUPS_MAX:
            self._no(at, f"the group {name[:60]} is left out: weir takes {GROUPS_MAX} groups")
            return None
        unique = unused(fit(name, GROUP_NAME_MAX, "group"), GROUP_NAME_MAX, self.group_names.__contains__)
        self.group_names.add(unique)
        self.groups.append(Group(unique, note))
        return self.groups[-1]

    def schedule_name(self, at, name, taken):
        """The name of a schedule in weir, none of `taken`."""
        unique = unused(fit(name, SCHEDULE_NAME_MAX, "schedule"), SCHEDULE_NAME_MAX, {*SCHEDULES_OF_WEIR, *taken}.__contains__)
        if unique != name:
            at.differently(f"the schedule `{name[:100]}` is named `{unique}`: weir takes {SCHEDULE_NAME_MAX} bytes of ASCII, each name "
                           "once in a group, and neither `allow` nor `deny`", "groups.schedules")
        return unique

    def group_twin(self, group):
        """The group with equal settings from before `group`, the last one, which then goes; or `group`."""
        for before in self.groups[:-1]:
            if before.settings() == group.settings():
                self.groups.pop()
                self.group_names.discard(group.name)
                return before
        return group

    def client(self, at, name):
        """A new client with a name, or None: refused."""
        if len(self.clients) >= CLIENTS_MAX:
            self._no(at, f"the client {name[:60]} is left out: weir takes {CLIENTS_MAX}")
            return None
        def is_taken(text):
            return text in self.client_names_taken or names.prefix(text) is not None or bool(names.MAC.match(text))
        unique = unused(fit(name, CLIENT_NAME_MAX, "client"), CLIENT_NAME_MAX, is_taken)
        self.client_names_taken.add(unique)
        self.clients.append(Client(unique, Items("clients")))
        return self.clients[-1]

    def member(self, at, items, text, note=None):
        """An address, a prefix or a MAC."""
        found = names.member(text)
        if found is None:
            return self._no(at, f"`{text[:100]}` is no address and no MAC address of a client")
        items.add(found, note)
        at.taken(items.key)
        return True

    def prefix(self, at, items, text, note=None):
        """An address or a prefix."""
        network = names.prefix(text)
        if network is None or names.is_mapped(network):
            return self._no(at, f"`{text[:100]}` is left out: {items.key} takes addresses and prefixes alone")
        items.add(names.prefix_text(network), note)
        at.taken(items.key)
        return True

    def unlimited(self, nodes):
        """Clients that no rate limits. A list of them replaces weir's own networks, so those come first."""
        for word in ("private", "local"):
            self.access_unlimited.add(word)
        for one in nodes:
            self.prefix(one, self.access_unlimited, one.text)

    def group_client(self, at, group, text, note=None):
        """A client is in one group alone."""
        found = names.member(text)
        other = next((g for g in self.groups if g is not group and found in g.clients), None) if found else None
        if other:
            return self._no(at, f"the client {text[:60]} is in the group {other.name} already")
        return self.member(at, group.clients, text, note)

    def client_member(self, at, client, text):
        """A client of weir with a name has an address that no other one has."""
        found = names.member(text)
        other = next((c for c in self.clients if c is not client and found in c.members), None) if found else None
        if other:
            return self._no(at, f"the client {text[:60]} is named {other.name} already")
        return self.member(at, client.members, text)

    def service(self, at, items, name):
        if name.lower() not in SERVICES:
            at.impossible(f"weir does not know the service `{name[:60]}` (weirctl services)", BLOCKING)
            return False
        items.add(name.lower())
        at.taken(items.key)
        return True

    def remark(self, key, text, topic=REST, verdict=DIFFERENTLY, to=""):
        self.account.remark(key, text, topic, verdict, to=to)

    def lost(self, key, text, topic=REST):
        self.account.remark(key, text, topic, IMPOSSIBLE)


def fit(text, most, fallback):
    """Printable ASCII without colons and quotes, at most `most` bytes."""
    clean = "".join("-" if c in ":'\"\\" or c < " " or c == "\x7f" else c for c in text.lstrip(" ") if c <= "\x7f")
    return clean[:most].rstrip(" ") or fallback


def unused(base, most, is_taken):
    """`base`, or with a number behind it that nobody has."""
    number, text = 1, base
    while is_taken(text):
        number += 1
        text = base[:most - len(str(number)) - 1] + f"-{number}"
    return text


URL = re.compile(r"(https?|axfr|axfr\+tls|ixfr|ixfr\+tls)://([^/?#]*)([^#]*)\Z")


def place_name(place):
    """The host and the last part of a place."""
    last = place.rstrip("/").rsplit("/", 1)[-1] or place
    found = URL.match(place)
    return f"{found[2].rsplit('@', 1)[-1][:30]} {re.split('[?#]', last)[0]}" if found else last


def place_refused(place):
    """Why weir does not take a list from there, or None."""
    if not names.is_printable(place) or " " in place:
        return "its address has a blank or a character that is not ASCII"
    if place.startswith(("/", "file://")):
        path = place.removeprefix("file://")
        if not path.startswith("/") or (path != place and re.search("[%?#]", path)):
            return "weir wants file:///path, with nothing encoded in it"
        return "its path is too long" if len(path) > PATH_MAX else None
    found = URL.match(place)
    host = re.fullmatch(r"(?:[^@]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", found[2]) if found else None
    if not host or (host[2] and not 0 < int(host[2]) < 65536):
        return "weir takes http, https, file and axfr URLs, and absolute paths"
    if not found[1].startswith("http") and not names.name(found[3][1:])[0]:
        return "it is not axfr://SERVER[:PORT]/ZONE"
    return "its URL is too long" if len(place) > URL_MAX else None
