# SPDX-License-Identifier: BSD-3-Clause
"""Pi-hole 5 and 6: its database, a folder with its files or with an unpacked teleporter archive, or one of these files."""
import os

from .. import source
from ..account import IMPOSSIBLE, PRIVACY, Node
from ..table import read as read_table
from . import dnsmasq, pihole_gravity, pihole_settings as settings

TITLE = "Pi-hole"
# All rows, for tests: each kind of file is read by its own.
KEYS = {**settings.TOML_KEYS, **settings.CONF_KEYS, **settings.HOSTS_KEYS, **pihole_gravity.KEYS}
SECTIONS = {pattern.split(".")[0] for pattern in settings.TOML_KEYS}
# As on the machine, in the archive of version 6, and in that of version 5. What several of them say, the first one does.
FILES = ("pihole.toml", "etc/pihole/pihole.toml", "setupVars.conf", "pihole-FTL.conf", "custom.list", "04-pihole-static-dhcp.conf",
         "05-pihole-custom-cname.conf")
DATABASES = ("gravity.db", "etc/pihole/gravity.db")
DNSMASQ = ("dnsmasq.d", "etc/dnsmasq.d")
# Pi-hole writes these itself, from its settings.
OWN = ("01-pihole.conf", "02-pihole-dhcp.conf", "06-rfc6761.conf")


def begin(r):
    state = r.state
    if hasattr(state, "log_off"):
        return
    dnsmasq.begin(r, settings.DNSMASQ_KEYS)
    r.model.list_exact = True
    state.log_off = state.store_off = state.anonymous = state.relay_said = state.domain_needed = state.dnssec = False
    state.ip_mode = state.expand_hosts = state.folder_off = None
    state.local_domain, state.block_addresses = "", {}
    state.short_names, state.domains, state.reverse_servers, state.reverse_read = [], [], [], []


# Files by their names
def toml(r, path):
    from ..data_source import load_toml
    root = load_toml(r.account, path)
    if not any(name in SECTIONS for name, _ in root.items):
        raise source.Refused(f"{path}: has no setting of Pi-hole")
    r.account.roots.append(root)
    read_table(r, root, settings.TOML_KEYS)


def conf(r, path):
    """Lines `KEY=value`; `#` and `;` begin comments, and a blank ends a value."""
    root = Node(r.account, path, 1, "", "map")
    for number, line in source.read_lines(path):
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        word, equals, value = line.partition("=")
        node = root.child(word, number, "text" if equals else "flag", value.strip().split(" ")[0].strip("'\""))
        if word.startswith("PIHOLE_DNS_") and word[len("PIHOLE_DNS_"):].isdigit():
            root.items[-1] = ("PIHOLE_DNS_*", node)
    r.account.roots.append(root)
    read_table(r, root, settings.CONF_KEYS)


def hosts(r, path):
    root = Node(r.account, path, 1, "line", "list")
    for number, line in source.read_lines(path):
        if line.strip():
            root.child(number, number, "text", line.strip())
    r.account.roots.append(root)
    read_table(r, root, settings.HOSTS_KEYS)


def file(r, path):
    name = os.path.basename(path)
    if name.endswith(".db"):
        pihole_gravity.read_db(r, path)
    elif name.endswith(".toml"):
        toml(r, path)
    elif name == "custom.list":
        hosts(r, path)
    elif name in ("setupVars.conf", "pihole-FTL.conf"):
        conf(r, path)
    elif name.endswith(".conf"):
        dnsmasq.read_file(r, path)
    else:
        raise source.Refused(f"{path}: weirctl knows files of Pi-hole by their names: *.db, pihole.toml, setupVars.conf, "
                             "pihole-FTL.conf, custom.list, dnsmasq.d/*.conf, or a folder with them")


def _try(r, path):
    """A file of a folder. What is wrong with it is said, and the others count all the same."""
    try:
        file(r, path)
    except source.Refused as refused:
        r.model.remark("", str(refused), verdict=IMPOSSIBLE)


def _dnsmasq_folder(r, folder):
    """How many files are there. Version 6 reads them if misc.etc_dnsmasq_d is true."""
    found, _ = source.matches_in(folder, "*.conf")
    found = [path for path in found if os.path.basename(path) not in OWN]
    if found and r.state.folder_off is not None:
        r.state.folder_off.needless(f"so the {len(found)} files of {folder} are not read")
        return len(found)
    for path in found:
        _try(r, path)
    return len(found)


def read_folder(r, folder):
    there = [path for path in (os.path.join(folder, name) for name in FILES) if source.exists(path)]
    for path in there:
        _try(r, path)
    base = next((path for path in (os.path.join(folder, name) for name in DATABASES) if source.exists(path)), None)
    if base:
        _try(r, base)
    count = len(there) + bool(base)
    count += 0 if base else pihole_gravity.read_json(r, folder)
    for name in DNSMASQ:
        count += _dnsmasq_folder(r, os.path.join(folder, name))
    if not count:
        raise source.Refused(f"{folder}: no file of Pi-hole is in this folder")


def read(r, path):
    begin(r)
    if source.is_folder(path):
        read_folder(r, path)
    else:
        file(r, path)


# After the last file
def _privacy(r):
    """weir logs no more than Pi-hole did."""
    state, model = r.state, r.model
    if state.log_off:
        model.value(None, "query_log", "enabled", "false", "as Pi-hole's settings say")
    if state.anonymous:
        model.value(None, "query_log", "anonymize", "hash", "as Pi-hole's settings say")
    if state.store_off:
        model.values.pop(("query_log.store", "hours"), None)
        model.value(None, "query_log.store", "enabled", "false", "as Pi-hole's settings say")
    if state.reverse_servers and not state.domain_needed:
        to = ", ".join(dict.fromkeys(state.reverse_servers))
        model.remark("names without a dot", f"Pi-hole asks {to[:200]} about them; weir sends them to the upstreams", PRIVACY, IMPOSSIBLE)


def end(r):
    state, model = r.state, r.model
    dnsmasq.expand(r)
    settings.settle_domains(r)
    settings.expand(r)
    settings.settle_mode(r)
    _privacy(r)
    model.value(None, "blocking", "mode", "'null'", "as Pi-hole does")
    dnsmasq.give_loopbacks(r)
    dnsmasq.note_modes(r, model.values["blocking", "mode"][0].strip("'"))
    dnsmasq.settle_zones(r)
    if state.folder_off is not None and state.folder_off.verdict is None:
        state.folder_off.usual()
    if not state.relay_said:
        model.value(None, "local", "relay_canary", "true", "as Pi-hole does")
    model.value(None, "blocking", "ttl", "2", "as Pi-hole does")
    dnsmasq.private_anchors(r, state.dnssec)
