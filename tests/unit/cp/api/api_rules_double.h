// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rule manager as the control API sees it in its test: functions of the same names, which say
// what the test sets.

#include "controlplane/rules/rules.h"
#include "tests/unit/cp/lists/rule_fixture.h"

static _Atomic bool forced; // the last reload was

void rules_status(struct rules *, struct rules_status *out)
{
	static const struct rules_list_status list = {.name = "ads",
		.error = -EBADMSG,
		.rejected_by = {[LIST_REJECT_URL] = 7},
		.url = "https://lists.example/ads",
		.last_try_unix_s = 1234,
		.fetch_error = "no route"};
	*out = (struct rules_status){
		.names = 150000, .has_previous = true, .list_count = 1, .lists = &list};
}

unsigned rules_tasks(const struct rules *, struct rules_task *out, unsigned max)
{
	const uint64_t now_ms = clock_mono_ms();
	if (max < 2)
		return 0;
	out[0] = (struct rules_task){.kind = "build",
		.what = "blocking rules",
		.step = "compiles",
		.since_ms = now_ms - 1000};
	out[1] = (struct rules_task){.kind = "list fetch",
		.what = "https://lists.example/ads",
		.step = "its server",
		.since_ms = now_ms - 4000};
	return 2;
}

static struct {
	int rollback, pause, resume; // what the calls return
	unsigned minutes;
	bool lifts_block_all;
} hold;

int rules_rollback(struct rules *, rules_done done, void *arg)
{
	static const struct rules_status s = {.outcome = RULES_PUBLISHED, .held = true};
	if (hold.rollback == 0)
		done(arg, &s);
	return hold.rollback;
}

int rules_pause(struct rules *, unsigned minutes, bool lifts_block_all)
{
	hold.minutes = minutes;
	hold.lifts_block_all = lifts_block_all;
	return hold.pause;
}

int rules_resume(struct rules *)
{
	return hold.resume;
}

uint32_t rules_pause_left_s(const struct rules *)
{
	return 60 * hold.minutes;
}

bool rules_pause_lifts_block_all(const struct rules *)
{
	return hold.lifts_block_all && hold.minutes;
}

static _Atomic bool no_image;

// The image of one list, which blocks ads.example.
const struct rule_reader *rules_reader(const struct rules *)
{
	static const char *const lists[] = {"", "", "ads.example"};
	static struct rule_arena arena;
	static struct rule_reader reader;
	if (!arena.base)
		reader = fixture_image(lists, ARRAY_LEN(lists), &arena);
	return no_image ? NULL : &reader;
}

int rules_reload(struct rules *, bool force, rules_done done, void *arg)
{
	static struct rules_status s;
	forced = force;
	s = (struct rules_status){
		.outcome = force ? RULES_PUBLISHED : RULES_FAILED, .error = "no such file"};
	done(arg, &s);
	return 0;
}
