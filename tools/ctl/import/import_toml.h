// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The subset of TOML that Pi-hole writes: tables, keys with one value, arrays of values over
// several lines, comments. Strings lose their quotes and escapes; other values are given as they
// stand. Dotted keys, inline tables and texts of several lines (""") are skipped, with the whole
// value.

// Calls `take` for each value: `key` is "dns.cache.size"; of an array for each element in turn. The
// text is changed. Returns the number of values.
unsigned import_toml_read(
	char *text, void (*take)(void *arg, const char *key, const char *value), void *arg);
