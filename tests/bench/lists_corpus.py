# SPDX-License-Identifier: BSD-3-Clause
"""Made-up block lists that look like real ones: two to four labels, some 20 bytes, many below one registered name."""

import random

TLDS = ("com", "net", "org", "info", "io", "de", "ru", "co.uk", "com.br", "xyz", "online", "top", "cn", "fr")
WORDS = ("ads", "track", "pixel", "metrics", "stat", "click", "banner", "promo", "tag", "beacon", "cdn", "analytics", "sync", "log")


def label(rng):
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=rng.randint(4, 12)))


def names(count, seed):
    """Distinct names, none of one label; the same ones for the same seed."""
    rng, seen = random.Random(seed), {}
    parents = [f"{label(rng)}.{rng.choice(TLDS)}" for _ in range(max(count // 3, 1))]
    while len(seen) < count:
        parent = rng.choice(parents)
        kind = rng.random()
        if kind < 0.3:
            name = f"{label(rng)}.{rng.choice(TLDS)}"
        elif kind < 0.8:
            name = f"{rng.choice(WORDS)}{rng.randint(0, 99)}.{parent}"
        else:
            name = f"{label(rng)}.{rng.choice(WORDS)}.{parent}"
        seen[name] = None
    return list(seen)


def changed(listed, share, seed):
    """The list a day later: this share of its names replaced by new ones."""
    rng = random.Random(seed)
    new = [f"new{i}.{label(rng)}.example" for i in range(int(len(listed) * share))]
    gone = set(rng.sample(range(len(listed)), len(new)))
    return [name for i, name in enumerate(listed) if i not in gone] + new
