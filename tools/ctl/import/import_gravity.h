// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Pi-hole's tables of lists, domains, clients and groups, from its database or from the JSON files
// of an older teleporter archive, and what they mean in weir.
//
// In Pi-hole a client may be in several groups, and what any of them has applies to it. In weir a
// client is in one group. So each combination of enabled groups that a client has becomes a group.
// Clients that the database does not name have Pi-hole's group 0; if that combination lacks a rule
// that another has, it becomes a group of every address. Rules of all combinations go to
// `blocking`.

#include "import_sources.h"

#include <stdint.h>

enum gravity_table {
	GRAVITY_GROUPS,  // text: name
	GRAVITY_LISTS,   // text: address; type 0: block, 1: allow
	GRAVITY_DOMAINS, // type 0: exact allow, 1: exact deny, 2: regex allow, 3: regex deny
	GRAVITY_CLIENTS, // text: address, prefix, MAC, host name or :interface
	GRAVITY_TABLES
};

enum { GRAVITY_GROUPS_MAX = 256, GRAVITY_ROWS_MAX = 100000 };

struct gravity_set {
	uint64_t bits[GRAVITY_GROUPS_MAX / 64];
};

struct gravity_row {
	int64_t id;
	int type;
	bool enabled;
	char *text, *note;
	struct gravity_set groups; // by the places of the groups in their table
};

struct gravity_rows {
	struct gravity_row *row;
	unsigned count, room;
};

struct gravity {
	struct gravity_rows table[GRAVITY_TABLES];
	bool beyond, failed; // rows over a bound; no memory
};

void import_gravity_free(struct gravity *g);
// One row. After the last row of all tables comes import_gravity_sort, then the links.
void import_gravity_row(struct gravity *g, enum gravity_table table, int64_t id, int type,
	bool enabled, const char *text, const char *note);
void import_gravity_sort(struct gravity *g);
// Row `id` of the table is of the group; unknown ones and disabled groups are nothing.
void import_gravity_link(struct gravity *g, enum gravity_table table, int64_t id, int64_t group);

// Fills the model.
void import_gravity_give(struct import_model *m, const struct gravity *g);

// The database, opened read-only and immutable: no other file is made or read.
int import_gravity_db(struct gravity *g, const char *path, char why[IMPORT_WHY_MAX]);
// The JSON files in a folder; *found: the number of those that are there.
int import_gravity_json(
	struct gravity *g, const char *folder, unsigned *found, char why[IMPORT_WHY_MAX]);
