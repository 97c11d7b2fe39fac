// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the attributes of unbound.conf mean in weir. Attributes of a zone come in any order, so a
// zone is given at the end of its clause.

#include "import_model.h"

enum { UNBOUND_WORDS_MAX = 12, UNBOUND_CLAUSE_MAX = 60 };

struct unbound_words {
	char *at[UNBOUND_WORDS_MAX];
	unsigned count;
};

const char *unbound_word(const struct unbound_words *w, unsigned i); // "": no such word

struct unbound {
	struct import_model *m;
	const char *path; // of the first file: others are relative to its folder
	unsigned depth;
	bool has_lines, has_known; // any; a clause or another file among them
	char clause[UNBOUND_CLAUSE_MAX];
	// Of a zone: name, servers; of an RPZ name and place.
	char *name, *place;
	struct import_items servers;
	bool over_tls, is_first;
	// Of the whole.
	struct import_items redirects;     // local zones whose data is for all names below
	struct import_items allow, refuse; // access-control
	bool all_over_tls;
	long cache_bytes;
};

void import_unbound_attribute(struct unbound *u, const char *key, const struct unbound_words *w);
void import_unbound_clause_end(struct unbound *u);
// After the last file; frees what `u` owns.
void import_unbound_end(struct unbound *u);
// An attribute of `server:`.
void import_unbound_server(struct unbound *u, const char *key, const struct unbound_words *w);
