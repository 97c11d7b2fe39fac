# SPDX-License-Identifier: BSD-3-Clause
"""The reader of unbound is written next."""
from ..source import Refused

TITLE = "unbound"
KEYS = {}


def read(reading, path):
    raise Refused("unbound: not ported yet")
