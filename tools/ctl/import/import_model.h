// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the readers found in another resolver's configuration, in weir's terms.
//
// This file holds it; import_add.h is the gate that checks each value by the rules of weir's own
// configuration, so that what is here makes a configuration that weir takes. What the gate refuses,
// and what a reader cannot express, is a miss: a place and a sentence.
//
// All texts are copies, owned by the model. Without memory the model is `failed` and takes nothing
// more. Each list ends at IMPORT_ITEMS_MAX. One thread.

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

enum { IMPORT_ITEMS_MAX = 100000, IMPORT_GROUP_NAME_MAX = 31 };

struct import_item {
	char *text;
	char *note; // a comment, or NULL
};

struct import_items {
	struct import_item *item;
	unsigned count, room;
};

struct import_list {
	char *name, *place; // place: a URL, or an absolute path
	char *note;
	bool allow, exact;
};

struct import_record {
	char *name, *type, *value;
	long ttl; // -1: none
};

struct import_zone { // a forward zone
	char *name;
	struct import_items servers;
};

struct import_client {
	char *name;
	struct import_items members; // addresses and MACs
};

struct import_group {
	char *name, *note;
	bool own_lists;  // `lists` is all it has, even if it is empty; else every list applies
	bool no_inherit; // services, safe search and lists of `blocking` do not apply
	bool no_blocking, no_cache;
	struct import_items clients, lists, allow, deny, services, safe_search, upstreams;
};

struct import_value {              // a key with one value
	const char *section, *key; // literals
	char *text, *note;
};

// Growing arrays of the above; `room` as allocated.
#define IMPORT_ARRAY(type, name) \
	type *name;              \
	unsigned name##_count, name##_room

struct import_model {
	const char *source; // "Pi-hole"
	const char *place;  // what is read at present, for misses
	bool failed;        // no memory
	bool is_recursive;  // the source asks the authoritative servers itself
	bool list_exact;    // of its lists: a plain name is that name alone
	unsigned beyond;    // items over a bound

	IMPORT_ARRAY(struct import_list, list);
	IMPORT_ARRAY(struct import_record, record);
	IMPORT_ARRAY(struct import_zone, zone);
	IMPORT_ARRAY(struct import_client, client);
	IMPORT_ARRAY(struct import_group, group);
	IMPORT_ARRAY(struct import_value, value);

	struct import_items allow, deny, services; // of `blocking`
	struct import_items safe_search;           // text: engine; note: its level
	struct import_items upstreams, bootstrap;
	struct import_items hosts_files;
	struct import_items closed_zones, open_zones; // local zones: a name without a record is
						      // NXDOMAIN, or is resolved
	struct import_items access_allow, access_deny;
	struct import_items negative_anchors, rebinding_allow;
	struct import_items misses; // text: the sentence; note: the place
};

void import_model_free(struct import_model *m);

void import_items_free(struct import_items *items);     // it is empty then
void import_model_record_free(struct import_record *r); // its texts

// False: no memory, or over the bound; then that is noted in the model.
bool import_items_add(
	struct import_model *m, struct import_items *items, const char *text, const char *note);
// Linear; for lists that are short.
bool import_items_have(const struct import_items *items, const char *text);

// Room for one more element of `size` bytes, all zero, at the end of an array that may have `max`.
// NULL: none, which is noted.
void *import_model_grow(struct import_model *m, void *array, unsigned *count, unsigned *room,
	size_t size, unsigned max);
#define IMPORT_GROW(m, name, max)                                                       \
	import_model_grow(m, (void *)&(m)->name, &(m)->name##_count, &(m)->name##_room, \
		sizeof(*(m)->name), max)

// Takes the last group away.
void import_model_drop_group(struct import_model *m);

// A copy; NULL: no memory, which is noted.
char *import_model_text(struct import_model *m, const char *fmt, ...) ATTR_PRINTF(2, 3);

// A sentence about what has no counterpart. `what`: the key or the line, or NULL.
void import_miss(struct import_model *m, const char *what, const char *fmt, ...) ATTR_PRINTF(3, 4);
