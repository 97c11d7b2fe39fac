# SPDX-License-Identifier: BSD-3-Clause
"""The reader of technitium is written next."""
from ..source import Refused

TITLE = "technitium"
KEYS = {}


def read(reading, path):
    raise Refused("technitium: not ported yet")
