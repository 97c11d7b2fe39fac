// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One reload on its way: made by the service loop, worked on by a helper thread, its image switched
// to by the resolver loop, its result taken in by the service loop.
//
// One of the three owns the whole job. The message to a loop (loop.h) is what hands it on: the
// sender writes `state` before and touches nothing of the job behind it. The helper thread leaves
// DONE or READY to the service loop, which gives a READY one to the resolver loop, which leaves
// DONE.

#include "answer_policy/answer_policy.h"
#include "base/loop.h"
#include "base/pace.h"
#include "policy/group_sources.h"
#include "policy/local_data.h"
#include "policy/rebinding_source.h"
#include "rule_image/rule_compile.h"
#include "rule_image/rule_store.h"
#include "rules.h"

#include <pthread.h>
#include <weir/config.h>

// A copy of the sources of a rule image from one configuration: its allow entries, its deny
// entries, its lists, then those of groups (group_sources.h), then local data. Independent of the
// configuration's life.
//
// A fetched list is read from its stored file (list_files.h). One that was never fetched has no
// file; a build leaves it out (rules_sources_leave_out) unless it had names before.

struct rules_sources {
	uint64_t configuration; // number of the one that these are of
	unsigned count;
	struct rule_source source[RULE_SOURCES_MAX];
	const char *url[RULE_SOURCES_MAX]; // where a list is fetched from; else NULL
	const char *state_directory;
	char *text; // titles, paths, and what is above
	struct group_sources *groups;
	struct rebinding_source *rebinding; // NULL: it is off
	struct local_data *local;
};

ATTR_MUST_CHECK int rules_sources_new(const struct config *config, struct rules_sources **out);
// Fetched lists without a file or a copy become sources without rules, except those that had names:
// a missing file of these is an error.
void rules_sources_leave_out(struct rules_sources *s, const bool had_names[RULE_SOURCES_MAX]);
void rules_sources_free(struct rules_sources *s); // NULL is fine

enum rules_job_state { RULES_JOB_READY = 1, RULES_JOB_DONE };

// How far it is. X(name, text)
#define RULES_JOB_STEPS(X)                            \
	X(make, "lists are read and compiled")        \
	X(hand_over, "waits for the resolver's loop") \
	X(check, "cached answers are checked by it")
enum rules_job_step {
#define X(name, text) RULES_JOB_STEP_##name,
	RULES_JOB_STEPS(X)
#undef X
		RULES_JOB_STEP_COUNT
};

struct rules_job {
	enum rules_job_state state;
	bool has_thread; // this to `step`: the service loop's throughout
	pthread_t thread;
	uint64_t since_ms;
	uint8_t step; // enum rules_job_step
	// Called on the service loop when the job is READY or DONE; may be NULL.
	struct loop *service;
	struct loop_return back;
	void (*moved)(void *arg);
	void *moved_arg;

	// Input.
	struct rules_sources *sources; // owned
	struct publisher *publisher;
	struct rules_answer_policy policy;
	const struct answer_policy *policy_before; // the current image's
	const char *image_path, *previous_path;    // outlive the job
	const char *leaving_path; // the image in force, while another one is on its way
	bool force, from_disk;
	bool paced;              // pauses while it builds
	struct pace pace;        // any thread may set its `hurry`
	bool rollback, was_held; // rollback: to previous_path; was anything held before it?
	bool again;              // publish the stored image once more, because no worker uses it
	bool has_current;
	uint64_t current_input_hash;
	const void *current;              // image, while the job runs
	struct rules_seen *seen;          // the job's while it runs
	struct keyhash_secret secret;     // the current image's
	bool had_names[RULE_SOURCES_MAX]; // which sources have names in the current image
	bool had_text[RULE_SOURCES_MAX];  // or at least a comment
	struct rule_list_info lists[RULE_LISTS_MAX]; // the current image's, and resting ones
	unsigned list_count;

	// Output.
	enum rules_outcome
		outcome; // RULES_FAILED or RULES_UNCHANGED, or RULES_PUBLISHED in the end
	bool busy;       // not published: two older images wait for workers
	char error[256];
	struct rule_arena arena; // empty unless there is a new image
	struct rule_reader reader;
	struct rule_image_region *region;
	struct answer_policy *answer_policy; // uses `reader`; the new image's owner takes it
	uint64_t peak_bytes, build_ms, rested_ms;
	uint64_t kept_bytes; // copies of lists (list_files.h); starts with the present ones
	bool swapped;        // the files, for a rollback
	bool replaces;       // an image whose file becomes the previous one once this is published
	bool rebuilt; // the stored image is gone: built from the sources, though one may be held
	bool same;    // other sources, the same image: `input_hash` is theirs
	uint64_t input_hash;
	uint64_t seen_hash; // a hash of the sources that `seen` has; 0: they were not hashed
	struct rule_source_result result[]; // [sources->count]
};

// Compiles, stores and prepares, on a thread of its own; leaves DONE or READY. Without a thread the
// job is DONE at once, failed.
void rules_job_start(struct rules_job *j);

// The stored image, read and prepared at once, on the caller's thread. -errno: no image to
// use.
ATTR_MUST_CHECK int rules_job_load(struct rules_job *j);

// After DONE: files get the names that they have from now on, which depends on what was published.
void rules_job_settle(struct rules_job *j);

// On the resolver loop, or before it runs: READY to DONE, perhaps later, once L0 is checked by the
// new image. `arg` is the job.
void rules_job_publish(void *arg);

void rules_job_join(struct rules_job *j); // NULL is fine; its thread is at an end then
void rules_job_free(struct rules_job *j); // joins the thread; discards an unpublished image

// Which files the last job read. Whether there is anything to build is then known without memory,
// thread or reading: each list and hosts file is the one that was hashed, and each list has its
// copy. Any doubt is a reason to build: a job then reads the files and compares contents. Costs two
// calls of stat for each list and one for each hosts file, on the service loop.
struct rules_seen {
	// The configuration (rules_follow numbers them) whose rules are those of the image in force
	// if all these files are the same; 0: not known.
	uint64_t configuration;
	struct rule_known list[RULE_LISTS_MAX]; // [source]; the first two sources have no file
	struct file_seen hosts[CONFIG_HOSTS_FILES_MAX];
};

// Are all files of configuration `c` as noted?
bool rules_seen_same(const struct rules_seen *seen, const struct config *c);
