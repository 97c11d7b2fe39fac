// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Updates fetched lists: fetches (list_fetch.h), checks, and stores (list_files.h) each. After a
// page that is no list, an empty body or a truncated one the present file stays. Several at a time,
// LIST_UPDATE_THREADS of them. Blocks: for helper threads.

#include "list_fetch.h"
#include "list_files.h"
#include "lists/list_parse.h"

enum { LIST_UPDATE_THREADS = 4 };

enum list_update_outcome {
	LIST_UPDATE_NONE, // not asked for
	LIST_UPDATE_UNCHANGED,
	LIST_UPDATE_CHANGED,
	LIST_UPDATE_FAILED, // the present file stays
};

// What came of a fetch, as it is counted. X(name, text)
#define LIST_FETCHES(X)                                 \
	X(unchanged, "the server had nothing new")      \
	X(differences, "by differences alone, of IXFR") \
	X(whole, "the whole list")                      \
	X(failed, "the present copy stays")

struct list_fetch_counts {
#define X(name, text) uint64_t name;
	LIST_FETCHES(X)
#undef X
};

struct list_update {
	// Input.
	const char *url;
	struct list_options options;
	const struct config_tsig_key *key; // signs a zone transfer; may be NULL
	const struct config_list_tls *tls; // for a zone transfer over TLS; else NULL
	bool wanted;                       // ask for it
	bool notified;                     // wanted for a NOTIFY alone
	bool force;                        // even if it did not change, and take it if it is empty
	_Atomic uint64_t since_ms;         // when its fetch began; 0 while none runs. Any thread
	enum list_update_outcome outcome;
	unsigned http_status;
	uint64_t retry_after_s;           // see list_fetch.h
	uint64_t try_unix_s, good_unix_s; // this attempt; the present file, or 0
	uint64_t bytes;                   // size of a changed list
	uint64_t changes;                 // lines that a difference changed; 0: the list came whole
	char why[LIST_FETCH_WHY_MAX];
};

struct list_update_options {
	const char *state_directory;
	const struct config_update *update;
	unsigned server_count; // name servers for the hosts
	const struct socket_address *servers;
	const _Atomic bool *stop;
};

// Fetches the lists that are wanted. Returns how many changed.
unsigned list_update_all(
	const struct list_update_options *options, struct list_update *list, unsigned count);
