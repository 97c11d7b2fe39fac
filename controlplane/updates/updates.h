// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Asks for the signed file of `updates.url` (update_file.h) from time to time, and says whether it
// names a newer version than this one. Off unless the configuration says `updates.check`.
//
// A helper thread fetches by list_update.h, within the bounds that blocking.update has for lists:
// UPDATE_FILE_MAX bytes, one request without a version, a validator or a cookie. A good file is
// stored as it came, <state_directory>/update: it is the notice after a restart, and no older one
// is taken. With another key it counts as absent. Failed fetches are repeated after
// UPDATES_AGAIN_S, twice that, and so on up to `updates.interval`.
//
// The service loop's thread. Memory: 8 KiB while a fetch runs, and libcurl's.

#include "base/loop.h"
#include "events/events.h"
#include "update_file.h"

enum { UPDATES_AGAIN_S = 3600, UPDATES_WHY_MAX = 320 };

struct updates;

ATTR_MUST_CHECK int updates_open(
	struct updates **out, struct loop *service, struct events *events); // -ENOMEM
// Copies what it needs. `servers`: for the URL's host.
void updates_configure(struct updates *u, const struct config *c,
	const struct socket_address *servers, unsigned server_count);
void updates_close(struct updates *u); // waits for the fetch; NULL is fine

struct updates_status {
	bool checks;                          // updates.check
	bool available;                       // `version` is newer than this one
	char version[UPDATE_VERSION_MAX + 1]; // of the last good file; "": none
	int64_t issued_unix_s;                // of it
	int64_t tried_unix_s, good_unix_s;    // of the last fetch, of the last good one; 0: none
	int64_t next_unix_s;                  // 0: one runs, or `checks` is false
	char why[UPDATES_WHY_MAX];            // of a last fetch that was not good; ""
	uint64_t results[UPDATE_FAULTS];      // fetches that ended so
};
void updates_status(const struct updates *u, struct updates_status *out);
