# SPDX-License-Identifier: BSD-3-Clause
"""The report: what concerns privacy, then what concerns blocking, then the rest."""
from .account import BLOCKING, LOSSES, NEEDLESS, PRIVACY, REST, TAKEN, UNKNOWN, VERDICTS

TITLES = {PRIVACY: "What concerns privacy:", BLOCKING: "What concerns blocking:", REST: "What else is lost, or differs:"}
TEXT_MAX, KEYS_MAX = 1500, 8


def printable(text):
    """One line without control characters, whatever the source has."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else "?" for c in text[:TEXT_MAX])


def sentence(entries):
    """A line of the report, for entries that say the same of several keys."""
    first = entries[0]
    keys = ", ".join(e.key for e in entries[:KEYS_MAX] if e.key)
    more = f" and {len(entries) - KEYS_MAX} more" if len(entries) > KEYS_MAX else ""
    text = f"taken as {first.to}" if first.verdict == TAKEN else first.text
    line = printable(": ".join(part for part in (first.place(), keys + more, text) if part))
    return line + " (needless)" if first.verdict == NEEDLESS else line


def folded(entries):
    """Lists of the entries with one sentence, at the place of the first."""
    groups = {}
    for e in entries:
        groups.setdefault((e.file, e.topic, e.verdict, e.text or e.key), []).append(e)
    return list(groups.values())


def shown(account, with_all):
    """Losses, and what weir has no use for unless it has its default; with `with_all` what is taken, too."""
    if with_all:
        return account.in_order(VERDICTS)
    losses = account.in_order(LOSSES)
    return losses + [e for e in account.in_order((NEEDLESS,)) if not e.usual]


def summary(account):
    counts = account.counts()
    total = sum(counts.values())
    parts = ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v] or v == UNKNOWN)
    return f"{total} key{'' if total == 1 else 's'} of the source: {parts}"


def _groups(account, with_all):
    entries = shown(account, with_all)
    lost = [e for e in entries if with_all or e.verdict != NEEDLESS]
    groups = [(TITLES[t], [e for e in lost if e.topic == t]) for t in TITLES]
    groups.append(("Not needed in weir:", [e for e in entries if e.verdict == NEEDLESS] if not with_all else []))
    return [(title, group) for title, group in groups if group]


def comments(account, with_all=False):
    """The end of the file."""
    lines = []
    for title, entries in _groups(account, with_all):
        lines += [f"# {title}", *(f"# - {sentence(some)}" for some in folded(entries))]
    if account.beyond:
        lines.append(f"# - {account.beyond} further lines are left out")
    return "".join(line + "\n" for line in lines)


def lines(account, with_all=False):
    """The lines for standard error, without `weirctl: import: `."""
    found = [sentence(some) for _, entries in _groups(account, with_all) for some in folded(entries)]
    return found + ([f"{account.beyond} further lines are left out"] if account.beyond else [])


def document(model, text=None):
    """The object of --json."""
    account = model.account
    whole = {"source": model.title, "lists": len(model.lists), "groups": len(model.groups), "records": len(model.records),
             "keys": account.counts(),
             "missing": [{"place": e.place(), "text": ": ".join(p for p in (e.key, e.text) if p)} for e in account.in_order()],
             "account": [{"place": e.place(), "key": e.key, "verdict": e.verdict, "topic": e.topic, "to": e.to, "text": e.text}
                         for e in account.in_order(VERDICTS)]}
    if text is not None:
        whole["configuration"] = text
    return whole
