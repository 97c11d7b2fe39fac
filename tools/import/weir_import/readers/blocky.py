# SPDX-License-Identifier: BSD-3-Clause
"""The reader of blocky is written next."""
from ..source import Refused

TITLE = "blocky"
KEYS = {}


def read(reading, path):
    raise Refused("blocky: not ported yet")
