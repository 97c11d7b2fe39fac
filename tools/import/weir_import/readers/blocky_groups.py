# SPDX-License-Identifier: BSD-3-Clause
"""blocky's groups. A client there has the list groups of every key that names it: by name, by address and by each subnet around
it; in weir it is in one group. So each address and subnet that a key has becomes a client of the group with just what applies."""
import fnmatch
import re

from .. import names
from ..account import BLOCKING
from ..model import CLIENTS_MAX, SCHEDULES_MAX, Schedule

KEYS_MAX = 1024  # keys by name; each is compared with each client
ALONE = "allowed alone"  # the schedule of clients with lists that allow alone
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERYBODY = ("0.0.0.0/0", "::/0")


class ListGroup:
    """A group of lists, with the entries that stand in the file itself."""

    def __init__(self, items):
        self.lists, self.allow_lists, self.allow, self.deny = [], [], items("groups.allow"), items("groups.deny")

    def blocks(self):
        return bool(self.lists or len(self.deny))


def items_of(node):
    return [] if node is None else node.below() if node.kind == "list" else [node] if node.text else []


def entry_name(text):
    """(the name of an entry, whether the entry is that name alone); (None, False): another pattern."""
    found = re.fullmatch(r"/\^([a-z0-9_\\.-]+)\$/", text)
    if found:
        return found[1].replace("\\", ""), True
    return (None if text.startswith("/") else text), False


class Plan:
    """What each client has. `root` is the tree; nothing here settles anything."""

    def __init__(self, root):
        block, up = root.get("blocking.clientGroupsBlock"), root.get("upstreams.groups") or root.get("upstream")
        self.block = dict(block.items) if block and block.kind == "map" else {}
        self.up = dict(up.items) if up and up.kind == "map" else {}
        known = root.get("clientLookup.clients")
        self.known = [(name, [n.text for n in items_of(node)]) for name, node in known.items[:CLIENTS_MAX]] if known else []
        self.list_groups = {key: tuple(dict.fromkeys(n.text for n in items_of(node))) for key, node in self.block.items()}
        self.networks, self.too_many = {}, set()
        by_name = 0
        for key in [*self.block, *(k for k in self.up if k not in self.block)]:
            if key == "default" or key in self.networks:
                continue
            network = names.prefix(key)
            by_name += network is None
            if by_name > KEYS_MAX and network is None:
                self.too_many.add(key)
                continue
            self.networks[key] = [network] if network is not None else self._named(key)
        self.where = {}  # network: the keys that have it
        for key, networks in self.networks.items():
            for network in networks:
                self.where.setdefault(network, []).append(key)
        self.lengths = {version: sorted({n.prefixlen for n in self.where if n.version == version}) for version in (4, 6)}
        self.default = self.list_groups.get("default", ())
        self.clients = {network: (self._lists(network), self._upstream(network)) for network in self.where}

    def _named(self, key):
        """A name may have the wildcards of a shell; the addresses are those of clientLookup.clients."""
        pattern = re.compile(fnmatch.translate(key.lower()))
        found = [names.prefix(text) for name, texts in self.known if pattern.match(name.lower()) for text in texts]
        return [n for n in found if n is not None]

    def _around(self, network):
        """The keys of all networks that hold this one, from the largest."""
        found = []
        for length in self.lengths[network.version]:
            if length <= network.prefixlen:
                found += self.where.get(network.supernet(new_prefix=length), [])
        return found

    def _lists(self, network):
        keys = [key for key in self._around(network) if key in self.block]
        used = {name for key in keys for name in self.list_groups[key]}
        return tuple(sorted(used)) if used else tuple(sorted(self.default))

    def _upstream(self, network):
        """By the address, else by a name, else by the nearest subnet."""
        keys = [key for key in self._around(network) if key in self.up]
        exact = [key for key in keys if names.address(key) is not None]
        named = [key for key in keys if names.prefix(key) is None]
        return (exact or named or keys[-1:] or ["default"])[0]

    def everybody(self):
        return [set(self.default), *(set(lists) for lists, _ in self.clients.values())]

    def is_used(self, name):
        return any(name in lists for lists in self.everybody())

    def is_everywhere(self, name):
        return bool(self.block) and all(name in lists for lists in self.everybody())


class Maker:
    def __init__(self, r, plan, list_groups, schedules, of_list):
        self.model, self.plan, self.list_groups = r.model, plan, list_groups
        self.schedules, self.of_list = schedules, of_list  # {name: (name in weir, days, begin, end)}, {list group: [name of a schedule]}
        self.made = {}

    def is_closed(self, lists):
        """With lists that allow alone blocky blocks all other names."""
        found = [self.list_groups[name] for name in lists if name in self.list_groups]
        return bool(found) and all(not g.blocks() and (g.allow_lists or len(g.allow)) for g in found)

    def needs_default(self):
        """Does everybody else need a group, too?"""
        used = [name for name in self.list_groups if self.plan.is_used(name)]
        return self.is_closed(self.plan.default) or any(name in self.of_list or not self.plan.is_everywhere(name) for name in used)

    def entries(self):
        """Entries of the file that apply to everybody."""
        for name, group in self.list_groups.items():
            if self.plan.is_everywhere(name) and name not in self.of_list:
                for items, to in ((group.allow, self.model.allow), (group.deny, self.model.deny)):
                    for text, note in items:
                        to.add(text, note)

    def fill(self, at, group, lists):
        group.own_lists = True
        by_schedule = {}
        for name, of in self.list_groups.items():
            if name not in lists:
                continue
            if name in self.of_list:
                for schedule in self.of_list[name]:
                    by_schedule.setdefault(schedule, []).append((name, of))
            for one in [*(() if name in self.of_list else of.lists), *of.allow_lists]:
                group.lists.add(one)
            if not self.plan.is_everywhere(name) or name in self.of_list:
                for text, note in of.allow:
                    group.allow.add(text, note)
                for text, note in of.deny if name not in self.of_list else ():
                    group.deny.add(text, note)
        for schedule, given in by_schedule.items():
            self.schedule(at, group, schedule, given)
        if self.is_closed(lists):
            self.allow_alone(at, group, [of for name, of in self.list_groups.items() if name in lists])
            group.schedules.append(Schedule((), "00:00", "24:00", [], ALONE, block_all=True))

    @staticmethod
    def allow_alone(at, group, given):
        """Against a schedule that blocks all, weir knows names that are allowed, and no patterns."""
        texts = [text for of in given for text in of.allow.texts()]
        group.allow.keep([])
        for text in texts:
            plain, is_exact = entry_name(text)
            if plain is None:
                at.impossible(f"{text[:100]}: a pattern does not allow what a schedule blocks, so it is left out", BLOCKING)
                continue
            group.allow.add(plain)
            if is_exact:
                at.differently(f"names below {plain[:100]} are allowed to {group.name}, too", "groups.allow", BLOCKING)

    def schedule(self, at, group, name, given):
        if len(group.schedules) >= SCHEDULES_MAX:
            return at.impossible(f"the schedule {name[:40]} of the group {group.name} is left out: weir takes {SCHEDULES_MAX}", BLOCKING)
        lists = tuple(dict.fromkeys(one for _, of in given for one in of.lists))
        domains = []
        for _, of in given:
            for text in of.deny.texts():
                found, is_exact = entry_name(text)
                if found is None:
                    at.impossible(f"{text[:100]}: schedules have no patterns, so it is left out", BLOCKING)
                    continue
                if is_exact:
                    at.differently(f"names below {found[:100]} are blocked in its hours, too", "groups.schedules", BLOCKING)
                domains.append(found)
        if lists or domains:
            known, days, begin, end = self.schedules[name]
            group.schedules.append(Schedule(days, begin, end, [], known, lists, tuple(dict.fromkeys(domains))))
        return None

    def group(self, at, name, note, lists, upstream):
        made = self.made.get((lists, upstream))
        if made is None:
            made = self.model.group(at, name, note)
            if made is None:
                return None
            self.fill(at, made, lists)
            self.made[lists, upstream] = made
        return made

    def clients(self):
        """A group for each different set, named by its first key."""
        plan, left = self.plan, dict.fromkeys(self.plan.clients)
        keys = [*((key, "clientGroupsBlock") for key in plan.block), *((key, "upstreams.groups") for key in plan.up)]
        for key, section in keys:
            at = (plan.block if section == "clientGroupsBlock" else plan.up)[key]
            for network in plan.networks.get(key, ()):
                if network not in left:
                    continue
                group = self.group(at, key, f"from blocky: {section}", *plan.clients[network])
                if group is not None:
                    name = next((n for n, texts in plan.known if any(names.prefix(t) == network for t in texts)), None)
                    self.model.group_client(at, group, names.prefix_text(network), name)
                del left[network]
            if section == "clientGroupsBlock" and key == list(plan.block)[-1] and self.needs_default():
                self.default(at)

    def default(self, at):
        group = self.group(self.plan.block.get("default", at), "default", "from blocky: every other client",
                           tuple(sorted(self.plan.default)), "default")
        for network in EVERYBODY if group is not None else ():
            if all(network not in g.clients for g in self.model.groups):
                group.clients.add(network)
