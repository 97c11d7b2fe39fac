// SPDX-License-Identifier: BSD-3-Clause

#include "lib/http_get.h"
#include "lib/stats_out.h"

#include <time.h>

static void interval_sleep(double s)
{
	struct timespec left = {.tv_sec = (time_t)s};
	left.tv_nsec = (long)((s - (double)left.tv_sec) * 1e9);
	nanosleep(&left, NULL);
}

// A counter that went back belongs to another life of its process: it counts from 0.
static void rates_make(const struct view *before, const struct view *after, struct stats_rates *r)
{
	const struct stats_copy *a = before->stats, *b = after->stats;
	r->known = before->has_stats && after->has_stats && b->taken_ms > a->taken_ms
		   && a->incarnation == b->incarnation && after->dataplane == PROCESS_UP;
	if (!r->known)
		return;
	r->seconds = (double)(b->taken_ms - a->taken_ms) / 1000;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		r->verdict[i] = (double)(b->verdict[i] - a->verdict[i]) / r->seconds;
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		r->counter[i] = (double)(b->counter[i] - a->counter[i]) / r->seconds;
}

int cmd_stats(struct ctl *c)
{
	struct view before, after;
	struct stats_rates rates = {0};
	int rc = ctl_open(c);
	if (rc == CTL_OK)
		rc = view_take(c, "/stats", &after);
	if (rc != CTL_OK)
		return rc;
	if (c->interval_s > 0 && after.dataplane == PROCESS_UP) {
		before = after;
		interval_sleep(c->interval_s);
		rc = view_take(c, "/stats", &after);
		if (rc == CTL_OK)
			rates_make(&before, &after, &rates);
		view_free(&before);
		if (rc != CTL_OK)
			return rc;
	}
	if (c->json)
		json_doc_end(stats_doc(&after, &rates));
	else
		stats_print(&after, &rates);
	bool any = after.has_stats || after.control;
	view_free(&after);
	return any ? CTL_OK : CTL_FAILED;
}

int cmd_metrics(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return http_save(c, "/metrics", HTTP_SHORT_MS, stdout);
}
