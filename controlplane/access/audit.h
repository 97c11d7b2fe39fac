// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Entries of the audit log, one JSON object a line: each change over the control API, each request
// that was refused, each version of the configuration by any cause, and each lock-out.
// docs/explanation/security.md says how many entries each user may cause, and what they do not
// show.
//
// A request that may change something begins by audit_begin, which refuses it where the queue has
// no room for all entries of all that have begun, or where its user has filled the log too fast.
// The entry of a reply comes after the change. Made on the service loop's thread; access_thread.h
// writes it.

#include "access_thread.h"
#include "base/allowance.h"
#include "base/url_fields.h"

#include <stdint.h>

enum {
	AUDIT_REFUSED_BURST = 20,
	AUDIT_REFUSED_EACH_S = 2,
	AUDIT_BYTES_BURST = 1 << 20,
	AUDIT_BYTES_EACH_S = 2 << 10,
	AUDIT_ALL_BURST = 4 << 20,
	AUDIT_ALL_EACH_S = 4 << 10,
	AUDIT_KEPT = AUDIT_ALL_BURST / 4, // for admins
	AUDIT_USERS_MAX = 32,
	AUDIT_LINES_EACH = 4, // begin, version, reply, and one behind a 504
	AUDIT_LINES_OWN = 32, // for weir itself, and for logins
	AUDIT_WHO_MAX = 80,
	AUDIT_BOX_MAX = 63,
	AUDIT_PATH_MAX = 120,
	AUDIT_WHY_MAX = 255,
	AUDIT_QUERY_MAX = 3200,
	AUDIT_READ_MAX = 512 << 10,
	AUDIT_LIMIT_MAX = 1000,
};

struct audit_user {
	uint64_t key;  // 0: free, or of all
	uint64_t ms;   // when `used` was counted
	unsigned used; // bytes
};

struct audit {
	struct access_thread *thread;
	const char *box;          // name of this box; outlives the log
	struct allowance entries; // for refused requests
	unsigned left_out;
	unsigned begun; // requests whose reply has no entry yet
	struct audit_user user[AUDIT_USERS_MAX], all;
	uint64_t changes, refused, refused_left_out, held_back; // ever
};

struct audit_entry {
	const char *who, *from, *method, *path;
	const struct url_fields *query; // may be NULL
	const char *params;             // that the endpoint takes, in `query`; may be NULL
	const char *why;                // why a try is refused access; else NULL
	unsigned status;                // the reply's; 0 when the work begins
};

// Before a request that may change something. 0: it may begin, and audit_end follows. -EMSGSIZE:
// its parameters do not fit an entry; -EAGAIN: the disk is behind; -EDQUOT: this user has to wait.
enum audit_bound { AUDIT_UNBOUNDED, AUDIT_OF_ADMIN, AUDIT_OF_USER };
ATTR_MUST_CHECK int audit_begin(
	struct audit *a, const struct audit_entry *e, enum audit_bound bound, uint64_t now_ms);
void audit_end(struct audit *a);
void audit_change(struct audit *a, const struct audit_entry *e);
void audit_refused(struct audit *a, const struct audit_entry *e, uint64_t now_ms);
// One that has no entry: what locked it out has one.
void audit_left_out(struct audit *a);
// `what` is locked out, by tries from the address `from`.
void audit_locked(struct audit *a, const char *from, const char *what, uint64_t now_ms);
// What happened without a request of its own, or beside it. `from`: an address, or "". `version`:
// the number of a version of the configuration, or 0; `why`: of that version, or "".
void audit_note(struct audit *a, const char *who, const char *from, const char *what,
	const char *why, unsigned version);

// The newest `limit` changes and the newest `limit` of the rest, of the log at `path`, as the text
// of a JSON array, the oldest first; malloced. -ENOMEM, -errno. Reads AUDIT_READ_MAX bytes of each
// file and of the one before it at most. Blocks: for a helper thread.
ATTR_MUST_CHECK int audit_read(const char *path, unsigned limit, char **out);
