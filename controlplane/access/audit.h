// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Entries of the audit log, one JSON object a line: each change over the control API, each request
// that was refused, each version of the configuration by any cause, and each lock-out.
//
// No request costs an entry of a change. Refused ones and lock-outs have a file and a queue of
// their own (access_thread.h), and together are bounded to AUDIT_REFUSED_BURST and
// AUDIT_REFUSED_EACH_S a second; the next one that is written says how many were left out
// ("left_out"). A request that may change something begins by audit_begin, which refuses it where
// the queue has no room for all entries of all that have begun, and where its user has filled the
// log too fast: AUDIT_BYTES_BURST bytes and AUDIT_BYTES_EACH_S a second of each user but root, of
// whom AUDIT_USERS_MAX are known (another one replaces the one that changed nothing for longest),
// and AUDIT_ALL_BURST and AUDIT_ALL_EACH_S of all of them together, as who may make users could
// have many; of that a quarter is kept for admins. So it takes more than an hour to push all
// entries of others out of the files, and one user alone leaves room for others. A login that
// succeeds is a change too.
//
// The entry of a reply comes after the change. So a change that must not go without an entry has
// one before it too: a version, and a request with status 0, whose reply has its entry later. It is
// on disk before the change is, but where the disk refuses: the change then goes on, and the entry
// is counted as failed (access_thread.h).
//
// An entry of a change has all parameters that its endpoint read, whole, by the same parser: one
// for which there is no room does not begin. An entry has no secret: headers, bodies, queries of
// tries without access and values of parameters that the endpoint does not know are not in it, of
// lists' URLs neither user, password nor query, and tokens are blotted out (audit_text.h). Made on
// the service loop's thread; access_thread.h writes it.

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
	AUDIT_PATH_MAX = 120,
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
// the number of a version of the configuration, or 0.
void audit_note(
	struct audit *a, const char *who, const char *from, const char *what, unsigned version);

// The newest `limit` changes and the newest `limit` of the rest, of the log at `path`, as the text
// of a JSON array, the oldest first; malloced. -ENOMEM, -errno. Reads AUDIT_READ_MAX bytes of each
// file and of the one before it at most. Blocks: for a helper thread.
ATTR_MUST_CHECK int audit_read(const char *path, unsigned limit, char **out);
