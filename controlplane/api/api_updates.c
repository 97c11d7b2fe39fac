// SPDX-License-Identifier: BSD-3-Clause
// The update notice in /status and in the metrics.

#include "api/metrics/metrics.h"
#include "api_server.h"

// Reads the status. False: updates.check is false.
static bool status_take(const struct api *a, struct updates_status *out)
{
	*out = (struct updates_status){0};
	if (a->deps.updates)
		updates_status(a->deps.updates, out);
	return out->checks;
}

static void status_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	struct updates_status s;
	if (!status_take(l->api, &s))
		return;
	struct json_node *n = json_out_object(o, root, "updates");
	json_out_bool(o, n, "available", s.available);
	json_out_text(o, n, "version", s.version);
	json_out_signed(o, n, "issued_unix_s", s.issued_unix_s);
	json_out_signed(o, n, "tried_unix_s", s.tried_unix_s);
	json_out_signed(o, n, "good_unix_s", s.good_unix_s);
	json_out_signed(o, n, "next_unix_s", s.next_unix_s);
	json_out_text(o, n, "why", s.why);
	json_out_count(o, n, "good", s.results[UPDATE_GOOD]);
	json_out_count(o, n, "failed", s.results[UPDATE_FAILED]);
	json_out_count(o, n, "too_long", s.results[UPDATE_TOO_LONG]);
	json_out_count(o, n, "unsigned", s.results[UPDATE_UNSIGNED]);
	json_out_count(o, n, "malformed", s.results[UPDATE_MALFORMED]);
	json_out_count(o, n, "stale", s.results[UPDATE_STALE]);
	json_out_count(o, n, "older", s.results[UPDATE_OLDER]);
}

static void updates_metrics(struct metrics_text *t, const struct api *a)
{
	struct updates_status s;
	if (status_take(a, &s))
		metrics_updates(t, &s);
}

const struct api_part api_updates_part = {
	.status = status_out,
	.metrics = updates_metrics,
};
