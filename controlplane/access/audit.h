// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Entries of the audit log, one JSON object a line: each change over the control API, each try that
// was refused, each version of the configuration by any cause, and each lock-out. Refused tries
// and lock-outs together are bounded to AUDIT_REFUSED_BURST and AUDIT_REFUSED_EACH_S a second; the
// next one that is written says how many were left out ("left_out").
//
// The entry of a reply comes after the change. So a change that must not go without an entry has
// one before it too: a version, and a request with status 0, whose reply has its entry later. It is
// on disk before the change is, but where the queue is full or the disk refuses: the change then
// goes on, and the entry is counted as lost or failed (access_thread.h).
//
// An entry has no secret: headers, bodies, queries of refused tries and values of parameters that
// the endpoint does not know are not in it, of URLs neither user, password nor query, and tokens
// are blotted out (audit_text.h). It always fits its line. Made on the service loop's thread;
// access_thread.h writes it.

#include "access_thread.h"

#include <stdint.h>

enum {
	AUDIT_REFUSED_BURST = 20,
	AUDIT_REFUSED_EACH_S = 2,
	AUDIT_WHO_MAX = 80,
	AUDIT_PATH_MAX = 120,
	AUDIT_QUERY_MAX = 400,
	AUDIT_READ_MAX = 512 << 10,
	AUDIT_LIMIT_MAX = 1000,
};

struct audit {
	struct access_thread *thread;
	uint64_t refused_ms; // of the allowance
	unsigned allowance, left_out;
	uint64_t changes, refused, refused_left_out; // ever
};

struct audit_entry {
	const char *who, *from, *method, *path;
	const char *query;  // NULL: none
	const char *params; // that the endpoint takes, in `query`; NULL: none
	const char *why;    // of a refused try; NULL: a change
	unsigned status;    // of the reply; 0: none yet, the work begins
};

void audit_change(struct audit *a, const struct audit_entry *e);
void audit_refused(struct audit *a, const struct audit_entry *e, uint64_t now_ms);
// `what` is locked out, by tries from the address `from`.
void audit_locked(struct audit *a, const char *from, const char *what, uint64_t now_ms);
// What happened without a request of its own, or beside it. `from`: an address, or "". `version`:
// the number of a version of the configuration, or 0.
void audit_note(
	struct audit *a, const char *who, const char *from, const char *what, unsigned version);

// The newest `limit` entries of the log at `path` and of the one before it, as the text of a JSON
// array, the oldest first; malloced. -ENOMEM, -errno. Reads AUDIT_READ_MAX bytes of each at most.
// Blocks: for a helper thread.
ATTR_MUST_CHECK int audit_read(const char *path, unsigned limit, char **out);
