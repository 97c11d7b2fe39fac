# SPDX-License-Identifier: BSD-3-Clause
"""The reader of beyond_ads is written next."""
from ..source import Refused

TITLE = "beyond_ads"
KEYS = {}


def read(reading, path):
    raise Refused("beyond_ads: not ported yet")
