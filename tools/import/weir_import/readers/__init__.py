# SPDX-License-Identifier: BSD-3-Clause
"""A reader for each source: TITLE, KEYS, read(reading, path) and end(reading). README.md says what it owes."""
