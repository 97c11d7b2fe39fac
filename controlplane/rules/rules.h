// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rule lists: sources, builds, the last good image, and the current image.
//
// One helper thread reads the sources and builds (list_parse.h, rule_build.h); it lives only while
// a build runs, one at a time; a reload requested meanwhile runs once after it (coalesced). The
// finished image is written to <state_directory>/rules.img (rule_store.h: temporary name, fsync,
// rename), copied into a region (publish_rules_prepare, on the helper thread) and switched to on
// the resolver loop (publish_rules_publish). When the content hash of all sources and entries
// equals that of the current image, nothing is built, written or published. A list that cannot be
// read, has text but no name (an HTML page) or, unless forced, is empty and had names, is reported
// and does not affect the others: the build takes the list's last copy (list_files.h), or nothing.
// An image that cannot be written (disk full) is used only if there is no other. Reloads copy what
// they need of the configuration. All functions here are for the service loop's thread.
//
// The image before the current one stays in rules.img.1. A rollback makes it current again, swaps
// the two files and holds: nothing but a reload by hand (rules_reload) builds another until then,
// through restarts too. A pause is kept through restarts as well; both are in
// <state_directory>/rules.state.

#include "answer_policy/answer_policy.h"
#include "base/counts.h"
#include "events/events.h"
#include "lists/fetch/list_notify.h"
#include "lists/fetch/list_update.h"
#include "lists/list_parse.h"
#include "shm/publish.h"

#include <weir/config.h>
#include <weir/rule_image.h>

struct rules;

enum rules_outcome {
	RULES_NEVER = 0,
	RULES_PUBLISHED, // new image is current
	RULES_UNCHANGED, // same content: nothing done
	RULES_FAILED,    // previous image stays; `error` says why
	RULES_HELD,      // nothing done: the image of a rollback is held
};

// What the names of a list come to.
enum rules_list_kind { RULES_LIST_BLOCK, RULES_LIST_ALLOW, RULES_LIST_ANSWER, RULES_LIST_KINDS };

static inline const char *rules_list_kind_name(enum rules_list_kind kind)
{
	static const char *const name[RULES_LIST_KINDS] = {"block", "allow", "answer"};
	return name[kind];
}

#define LIST_COUNTS(X)                                                                             \
	X(FIRST, bool, allow, SAME, SAME, "Whether the list is an allow list.")                    \
	X(FIRST, uint64_t, lines, SAME, SAME, "Lines read from the list.")                         \
	X(FIRST, uint64_t, names, SAME, SAME, "Names that the list gave.")                         \
	X(FIRST, uint64_t, duplicates, SAME, SAME, "Names that the list has more than once.")      \
	X(FIRST, uint64_t, comments, SAME, NONE, "Comments of the list.")                          \
	X(FIRST, uint64_t, rejected, SAME, SAME, "Lines and names of the list that gave no rule.") \
	X(FIRST, uint64_t, bytes, SAME, SAME, "Bytes of the list.")                                \
	X(FIRST, uint64_t, last_good_unix_s, NONE, NAMED("fetched_timestamp_seconds"),             \
		"When the list was last fetched; 0: never, or a local file.")                      \
	X(FIRST, unsigned, failures, NONE, SAME,                                                   \
		"Failed attempts to fetch the list since the last success.")                       \
	X(FIRST, uint64_t, kept_unix_s, SAME, NONE,                                                \
		"Date of the copy that is in force after an error; 0: no copy.")

struct rules_list_status {
	LIST_COUNTS(COUNT_FIELD)
	char name[RULE_TITLE_MAX];
	char path[256];                          // the file that is read
	char url[512];                           // has no user and password; "": a local file
	bool answers;                            // rules_list_kind
	uint64_t rejected_by[LIST_REJECT_COUNT]; // when this process read it last
	uint64_t last_try_unix_s;                // to fetch it, or to read a file that failed
	uint64_t next_try_unix_s;
	unsigned http_status; // the last try's; 0: there was no reply
	struct list_fetch_counts fetches;
	char fetch_error[160];
	enum list_reject most; // for -EBADMSG: why most lines are no rule
	int error; // 0 or -errno of reading it; -EBADMSG: text, but not one name; -ENODATA: empty,
		   // and was not before
};
COUNTS(rules_list_rows, struct rules_list_status, "weir_list_", LIST_COUNTS)

static inline enum rules_list_kind rules_list_kind(const struct rules_list_status *l)
{
	return l->answers ? RULES_LIST_ANSWER : l->allow ? RULES_LIST_ALLOW : RULES_LIST_BLOCK;
}

// Do the rules in force differ from the list's file or server?
static inline bool rules_list_failing(const struct rules_list_status *l)
{
	return l->error || l->failures;
}

#define RULES_COUNTS(X)                                                                            \
	X(FIRST, bool, building, SAME, SAME, "Whether a rule image is being built.")               \
	X(FIRST, uint64_t, builds, SAME, TOTAL, "Rule images built.")                              \
	X(FIRST, uint64_t, unchanged, SAME, TOTAL, "Reloads that changed nothing.")                \
	X(FIRST, uint64_t, failed, SAME, TOTAL, "Reloads that failed.")                            \
	X(FIRST, uint64_t, coalesced, SAME, NONE, "Reloads that one that was waiting stands for.") \
	X(FIRST, uint64_t, names, SAME, SAME, "Names in the current rule image.")                  \
	X(FIRST, uint64_t, image_bytes, SAME, SAME, "Bytes of the rule image.")                    \
	X(FIRST, uint64_t, peak_bytes, SAME, NAMED("build_peak_bytes"),                            \
		"Peak memory of the last build of a rule image.")                                  \
	X(FIRST, uint64_t, build_ms, SAME, NAMED("build_seconds"),                                 \
		"Time of the last build of a rule image, pauses included.")                        \
	X(FIRST, uint64_t, rested_ms, SAME, NONE,                                                  \
		"Part of the build's time that it rested (pace.h).")                               \
	X(FIRST, uint64_t, bloom_bytes, SAME, NONE, "Bytes of the image's Bloom filter.")          \
	X(FIRST, uint64_t, table_bytes, SAME, NONE, "Bytes of the image's table.")                 \
	X(FIRST, uint64_t, sets, SAME, NONE, "Sets of lists in the image.")                        \
	X(FIRST, uint64_t, loaded_unix_s, SAME, NAMED("loaded_timestamp_seconds"),                 \
		"When the current rule image was activated.")                                      \
	X(FIRST, bool, from_disk, SAME, NONE,                                                      \
		"Whether the image is the last good one, mapped at start.")                        \
	X(FIRST, bool, held, SAME, SAME, "Whether the rule image in use comes from a rollback.")   \
	X(FIRST, bool, has_previous, SAME, NONE, "Whether there is an image to roll back to.")     \
	X(FIRST, uint64_t, previous_unix_s, SAME, NONE,                                            \
		"When the image to roll back to was made; 0: no such image.")                      \
	X(FIRST, uint64_t, pause_until_unix_s, SAME, NAMED("paused_until_timestamp_seconds"),      \
		"When the pause of blocking ends; 0: blocking is not paused.")                     \
	X(FIRST, bool, pause_lifts_block_all, SAME, NONE,                                          \
		"Whether the pause lifts blocking.block_all too.")

struct rules_status {
	RULES_COUNTS(COUNT_FIELD)
	enum rules_outcome outcome; // the last reload's
	char error[256];
	struct list_notify_counts notify;
	uint64_t kept_bytes;                       // copies of lists in the state directory
	struct answer_policy_counts answer_policy; // patterns and prefixes of the current image
	unsigned list_count;
	const struct rules_list_status *lists; // [list_count], the configuration's own two first
};
COUNTS(rules_rows, struct rules_status, "weir_rules_", RULES_COUNTS)

// Changes the answer policy for cached answers before the image changes
// (resolver_set_answer_policy); NULL: no checks. On the resolver loop, or before it runs; `then` on
// that loop, when L0 is checked.
struct rules_answer_policy {
	void (*set_answer_policy)(void *arg, const struct answer_policy *answer_policy,
		void (*then)(void *arg), void *then_arg);
	// Before that loop runs: a slice of the check; true: all is done. NULL: nothing is checked.
	bool (*check_slice)(void *arg);
	void *arg;
	unsigned resolvers; // how many use an answer policy
};

// Reads the last good image and, if it is whole, publishes it at once; then starts a first build
// from the stored lists, and fetches those that are due. Before either loop runs. `config` stays
// good until another is given to one of the functions below.
ATTR_MUST_CHECK int rules_open(struct rules **out, const struct config *config,
	struct publisher *publisher, struct loop *resolver_loop, struct loop *service_loop,
	struct rules_answer_policy policy);
// When both loops have stopped, and before they are freed: waits for a running build and throws it
// away.
void rules_close(struct rules *r);

// When clients may be answered, as blocking.update.start says: `done(arg, NULL)` at once, or when
// the first round of fetching and the first build are over, or after start_timeout; or with `why`
// not. On the service loop, or before it runs. The resolver loop does not run before.
typedef void (*rules_started)(void *arg, const char *why);
void rules_start(struct rules *r, rules_started done, void *arg);

// Fetches all lists that changed at their servers, and rebuilds if anything changed; in any case
// with `force`. Ends a hold. `done(arg, status)`, if not NULL, is called on the service loop, once,
// perhaps before this returns. If nothing changed nothing is allocated (rules_job.h), but what a
// fetch needs of libcurl. -EAGAIN: too many wait already (RULES_WAITERS_MAX); -ENOMEM.
enum { RULES_WAITERS_MAX = 64 };
typedef void (*rules_done)(void *arg, const struct rules_status *status);
ATTR_MUST_CHECK int rules_reload(struct rules *r, bool force, rules_done done, void *arg);

// rules_reload without force, and without fetching, for a configuration that was read again; while
// an image is held the outcome is RULES_HELD.
ATTR_MUST_CHECK int rules_configure(
	struct rules *r, const struct config *config, rules_done done, void *arg);

// Takes the same lists with other times of fetching: nothing is built, unless an entry has ended.
// -ENOMEM: those times stay as they were.
ATTR_MUST_CHECK int rules_follow(struct rules *r, const struct config *config);

// Makes the image before the current one current again, and holds it. `done` gets RULES_FAILED if
// that image cannot be used. -EBUSY: a build runs; -ENOENT: no image before this one.
ATTR_MUST_CHECK int rules_rollback(struct rules *r, rules_done done, void *arg);

// Rules block nothing for `minutes` from now on. Groups in a schedule with block_all stay blocked
// unless `lifts_block_all`. -EINVAL: not 1 to 1440; another -errno: blocking is paused, but a
// restart loses the pause.
enum { RULES_PAUSE_MINUTES_MAX = 1440 };
ATTR_MUST_CHECK int rules_pause(struct rules *r, unsigned minutes, bool lifts_block_all);
ATTR_MUST_CHECK int rules_resume(struct rules *r);  // -EALREADY: it is not paused
uint32_t rules_pause_left_s(const struct rules *r); // 0: not paused
bool rules_pause_lifts_block_all(const struct rules *r);
// Called on the service loop whenever a pause begins, changes or ends.
void rules_on_pause(struct rules *r, void (*changed)(void *arg), void *arg);

void rules_status(struct rules *r, struct rules_status *out); // good until the next call here

// What runs now: a build, and each list that is being fetched. At most `max`; how many.
enum { RULES_TASKS_MAX = 8 };
struct rules_task {
	const char *kind, *step; // "build"; its step or wait
	char what[256];          // the list
	unsigned callers;        // that wait for it
	uint64_t since_ms;       // clock_mono_ms
};
unsigned rules_tasks(const struct rules *r, struct rules_task *out, unsigned max);

// The number of lists that weir could not read or fetch.
unsigned rules_failing(const struct rules_status *s);
enum { RULES_LIST_TEXT_MAX = 640 };
// Writes what is wrong with such a list, and what is in force of it. Returns `out`.
char *rules_list_text(const struct rules_list_status *l, char *out, size_t cap);
uint32_t rules_failing_id(void); // the id of messages about such lists (log_recent.h)

// Takes NOTIFY for lists by transfer (list_notify.h), until the close. -ENOMEM.
ATTR_MUST_CHECK int rules_notify(struct rules *r, struct list_notify *z);

// Where lists that changed or failed are events from now on; outlives the rules.
void rules_add_events(struct rules *r, struct events *events);

// Called on the service loop after each new image, as the numbers of lists may have changed.
void rules_on_published(struct rules *r, void (*published)(void *arg), void *arg);

// The lists of the current image, by their numbers (group_masks.h); good until the next image. NULL
// with 0: there is no image.
const struct rule_list_info *rules_lists(const struct rules *r, unsigned *count);

// The current image, until control goes back to the loop; NULL: no image.
const struct rule_reader *rules_reader(const struct rules *r);
