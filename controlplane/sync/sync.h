// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One configuration for several boxes. A box with `sync.primary` is a secondary: it takes the
// shared part of the configuration (weir/config/shared.h) from its primary, as a version like any
// other, whose health is watched and which weir takes back if that falls. A box without it is a
// primary for boxes that name it.
//
// The secondary polls: it posts what it has, and the primary replies once it has another text, or
// after SYNC_WAIT_S. A primary hands a version out once that version's own health watch has ended
// well. A version that a secondary refused or took back is not taken again until the primary has
// another one, or another configuration is in force on the secondary. A primary that is away
// changes nothing.
//
// The service loop's thread; the helper thread weir-sync polls and writes the state file.

#include "base/loop.h"
#include "events/events.h"
#include "sync_boxes.h"
#include "sync_memory.h"
#include "sync_waves.h"
#include "versions/apply.h"

enum { SYNC_SILENT_MS = 5 * 60 * 1000 }; // no good poll for so long: reason sync_primary

// What came of the secondary's polls. X(name, text)
#define SYNC_POLLS(X)                                                        \
	X(taken, "a new version came")                                       \
	X(unchanged, "the primary has no other version")                     \
	X(failed, "no reply came")                                           \
	X(denied, "the primary refused the poll")                            \
	X(malformed, "the reply was malformed or of another protocol")       \
	X(epoch, "the primary has an older epoch, or there are two of them") \
	X(signature, "no trusted key signed the reply, or its version is older than one taken")

enum sync_poll_end {
#define X(name, text) SYNC_POLL_##name,
	SYNC_POLLS(X)
#undef X
		SYNC_POLL_ENDS
};
extern const char *const sync_poll_names[SYNC_POLL_ENDS];

struct sync;

struct sync_hooks { // app_apply.h has these
	int (*apply)(void *arg, const struct apply_request *r,
		void (*done)(void *arg, int err, const char *why, const char *needs_restart),
		void *done_arg);
	const struct versions_status *(*versions)(void *arg);
	const struct config_bundle *(*bundle)(void *arg);
	bool (*is_ready)(void *arg); // clients get answers
	// Versions above one, up to another, were taken back for a reason outside this box.
	void (*took_back)(void *arg, unsigned above, unsigned number, const char *why);
	void *arg;
};

// Reads the state file. -ENOMEM.
ATTR_MUST_CHECK int sync_open(struct sync **out, struct loop *service, struct events *events,
	const char *state_directory, const struct sync_hooks *hooks);
// Called when no loop runs: ends the helper thread and its jobs, in a second at most. NULL is fine.
void sync_stop(struct sync *s);
void sync_close(struct sync *s); // stops it, too; NULL is fine
// `c` is in force. Copies what it needs. `servers` resolve the host of the URL.
void sync_configure(struct sync *s, const struct config *c, const struct socket_address *servers,
	unsigned server_count);
// Another version is in force here. A refusal is forgotten with it, and what the managed part has
// of sections that `sync.own` no longer keeps goes, once the primary has confirmed the shared part.
// NULL is fine.
void sync_version_changed(struct sync *s);

struct sync_status {
	const char *box;   // this box's name
	bool is_secondary; // the configuration names a primary
	const char *url;   // sync.primary; ""
	uint32_t sections; // bits of enum config_shared_section that are taken from the primary
	struct sync_memory memory; // epoch, primary, the version refused
	uint64_t epoch;            // the epoch of this box as a primary, at least 1
	unsigned version;          // the primary's number of the version that `result` is of
	enum sync_result result;
	int64_t good_unix_s;   // last good poll; 0: no poll was good
	uint64_t silent_ms;    // since the last good poll, or since this box is a secondary
	bool is_epoch_refused; // the last poll found two primaries, or none; `why` names both boxes
	bool is_untrusted;     // the last poll ended with SYNC_POLL_signature; `why` says why
	const char *why;       // why the last poll was not good; ""
	const char
		*waits_why; // why the primary's version cannot be taken now, which it will be; ""
	const char *store_why; // why the state file could not be written; ""
	const char *out_why;   // why the version in force cannot be handed out; ""
	const char *rival; // a box has polled lately that follows this one, with a higher epoch; ""
	uint64_t rival_epoch;
	uint64_t polls[SYNC_POLL_ENDS];
	uint64_t taken, refused, taken_back; // versions
	uint64_t bytes;
	struct sync_waves_status rollout; // what a primary rolls out
};
void sync_status(const struct sync *s, struct sync_status *out);
bool sync_is_secondary(const struct sync *s); // the configuration names a primary
// NULL: no box polled yet, or this box is a secondary.
const struct sync_boxes *sync_boxes_of(const struct sync *s);

// The primary's side, for the endpoint.

// Notes a secondary's report, which came from an address by `who` (http_who). 0; -EPERM: the
// secondary gets nothing, as `why` says: this box is a secondary itself, or the other one has seen
// a higher epoch; -ENOMEM.
ATTR_MUST_CHECK int sync_noted(struct sync *s, const struct sync_report *r, const char *from,
	const char *who, char why[SYNC_WHY_MAX]);
// What this primary hands out, with `text`; NULL: this box is a secondary, no version's health has
// held so far, it cannot be handed out (out_why), or no memory. It is signed if sync.sign_key_file
// is set. Valid until the next call.
const struct sync_offer *sync_offered(struct sync *s);
// May the box that reports `r` from the address `from` have the version `o` in this wave?
ATTR_MUST_CHECK bool sync_may_have(
	const struct sync *s, const struct sync_offer *o, const char *box, const char *from);
// Stops the roll-out; `back`: takes it back from all boxes. -EPERM: this box is a secondary;
// -ENOENT: no roll-out is there.
ATTR_MUST_CHECK int sync_rollout_halt(struct sync *s, bool back, const char *who);
// Number of this box's version that a roll-out goes back to; 0: no such version. NULL is fine.
unsigned sync_base_version(const struct sync *s);
// Continues a roll-out that is stopped; `all`: with all boxes at once; ends one that was taken
// back. As sync_rollout_halt.
ATTR_MUST_CHECK int sync_rollout_resume(struct sync *s, bool all);
// Raises the epoch, so that boxes follow this one instead of the primary before: above the rival's,
// unless that is over 1000 higher. -EPERM: this box is a secondary; -ERANGE: no epoch is left;
// -EBUSY; -ENOMEM or -errno of a thread: `done` is not called. Else `done` with 0, or -errno of the
// disk. The epoch before counts until then, and with it ends a roll-out, for all boxes at once.
ATTR_MUST_CHECK int sync_promote(
	struct sync *s, void (*done)(void *arg, int err, const char *why), void *arg);
