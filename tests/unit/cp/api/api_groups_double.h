// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the control API knows of groups in test_http_api.c: nobody's but everyone's settings, and
// pauses that are noted.

#include "api_drops_double.h"
#include "controlplane/api/api.h"
#include "tests/unit/unit.h"

static void group_now(void *, unsigned group, struct group_now *out)
{
	assert_int_equal(group, 0);
	*out = (struct group_now){.mask = {.active = 1, .block_all = true},
		.pause_left_s = 61,
		.next_change = 1774742400};
}

static struct {
	char name[32];
	unsigned minutes;
	int err;
} paused;

static int group_pause(void *, const char *name, unsigned minutes)
{
	snprintf(paused.name, sizeof(paused.name), "%s", name);
	paused.minutes = minutes;
	return paused.err;
}

static void groups_double_fill(struct config *c)
{
	static char name[] = "bed";
	static struct config_schedule bed = {.name = name,
		.days = 0x41,
		.from_min = 22 * 60 + 30,
		.to_min = 6 * 60 + 5,
		.block_all = true};
	struct config_filter *f = &c->blocking.filter;
	*f = (struct config_filter){.schedules = {1, &bed}};
	service_set_add(&f->services, SERVICE_TIKTOK);
	f->safe_search.level[SAFE_ENGINE_BING] = SAFE_LEVEL_STRICT;
}
