// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Fetches the signed file of `updates.url` (update_file.h) from time to time, and reports whether
// it names a newer version than this build. It is off without `updates.check`.
//
// A helper thread fetches by list_update.h, within the bounds that blocking.update has for lists:
// UPDATE_FILE_MAX bytes, one request without a version, a validator or a cookie. A good file is
// stored unchanged as <state_directory>/update, so that the notice survives a restart and no older
// file is accepted; while it cannot be read, each fetch fails before it asks. With another key the
// stored file counts as absent. Failed fetches are repeated after UPDATES_AGAIN_S, twice that, and
// so on up to `updates.interval`.
//
// The service loop's thread. Memory: 8 KiB while a fetch runs, and that of libcurl.

#include "base/loop.h"
#include "events/events.h"
#include "update_file.h"

enum { UPDATES_AGAIN_S = 3600, UPDATES_WHY_MAX = 320 };

struct updates;

ATTR_MUST_CHECK int updates_open(
	struct updates **out, struct loop *service, struct events *events); // -ENOMEM
// Copies what it needs. `servers` resolve the host of the URL.
void updates_configure(struct updates *u, const struct config *c,
	const struct socket_address *servers, unsigned server_count);
void updates_close(struct updates *u); // waits for the fetch; NULL is fine

struct updates_status {
	bool checks;                          // updates.check
	bool available;                       // `version` is newer than this build
	char version[UPDATE_VERSION_MAX + 1]; // version of the last good file; "": no file
	int64_t issued_unix_s;                // when that file was issued
	int64_t tried_unix_s, good_unix_s;    // last fetch, last good one; 0: never
	int64_t next_unix_s;       // time of the next fetch; 0: a fetch runs, or `checks` is false
	char why[UPDATES_WHY_MAX]; // why the last fetch failed; "": it was good
	uint64_t results[UPDATE_FAULTS]; // fetches by result
};
void updates_status(const struct updates *u, struct updates_status *out);
