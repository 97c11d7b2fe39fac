// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The gate into the model (import_model.h): each function checks a value as weir's configuration
// would, and adds it in the form that weir wants, or notes a miss.

#include "import_model.h"

// A name with all below it: for allow, deny, zones. `*.` and a dot in front mean the same.
void import_add_name(
	struct import_model *m, struct import_items *items, const char *name, const char *note);
// The name alone, as a pattern.
void import_add_exact(
	struct import_model *m, struct import_items *items, const char *name, const char *note);
// A regular expression, without slashes around it.
void import_add_pattern(
	struct import_model *m, struct import_items *items, const char *pattern, const char *note);

// `place`: an http, https or file URL, or an absolute path. `name`: as the source calls it, or
// NULL. Returns the name that the list has in the model, for groups; NULL: refused. The same place
// again is the same list.
const char *import_add_list(
	struct import_model *m, const char *name, const char *place, bool allow, const char *note);

// `ttl`: -1 for none.
void import_add_record(
	struct import_model *m, const char *name, const char *type, const char *value, long ttl);
// The A or AAAA record of an address.
void import_add_address(struct import_model *m, const char *name, const char *address, long ttl);
// The PTR record of an address.
void import_add_reverse(struct import_model *m, const char *address, const char *name, long ttl);

// An address, a prefix (bits behind it become 0) or a MAC. False: it is none; the caller knows
// more.
bool import_add_member(
	struct import_model *m, struct import_items *items, const char *text, const char *note);

// The same for a group; one that another group has is a miss.
bool import_add_group_client(
	struct import_model *m, struct import_group *g, const char *text, const char *note);
// The same for a client with a name; one that another client has is a miss.
bool import_add_client_member(struct import_model *m, struct import_client *c, const char *text);

// The name is made unique and fit; NULL: over the bound.
struct import_group *import_add_group(struct import_model *m, const char *name, const char *note);
struct import_client *import_add_client(struct import_model *m, const char *name);

// A service or a search engine that weir knows by this name; else a miss.
void import_add_service(struct import_model *m, struct import_items *items, const char *name);

// A hosts file: a path that is absolute, and that can be read here, as weir wants.
void import_add_hosts_file(struct import_model *m, const char *path);

// A key with one value. The first one of a key counts. `section`, `key`: literals.
void import_add_value(struct import_model *m, const char *section, const char *key,
	const char *note, const char *fmt, ...) ATTR_PRINTF(5, 6);
// A whole number from `least` to `most`; beyond these the nearest one.
void import_add_number(struct import_model *m, const char *section, const char *key,
	const char *note, long value, long least, long most);

// "90", "90s", "5m", "1h30m", "2d" in seconds; -1: none of these.
long import_add_seconds(const char *text);
