// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the knobs.

#include "api_internal.h"
#include "memory/knobs.h"

#include <errno.h>
#include <string.h>
#include <weir/log.h>

void api_knobs(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "knobs");
	for (unsigned i = 0; a->deps.knobs && i < KNOB_COUNT; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", knob_name(i));
		json_out_text(o, n, "help", knob_help(i));
		json_out_count(o, n, "value", a->deps.knobs->value[i]);
		json_out_count(o, n, "usual", knob_usual(i));
	}
	http_reply(x, 200, json_out_finish(o));
}

static void on_set(void *arg, int err, const char *why, const char *)
{
	struct http_exchange *x = arg;
	if (err < 0) {
		api_refuse(x, 500, "%s", why);
		return;
	}
	struct json_out *o = json_out_new();
	json_out_bool(o, json_out_root(o), "ok", true);
	http_reply(x, 200, json_out_finish(o));
}

void api_set(struct api *a, struct http_exchange *x)
{
	const char *name = http_param(x, "knob"), *value = http_param(x, "value");
	enum knob knob = name ? knob_find(name) : KNOB_COUNT;
	if (!a->deps.knobs || knob == KNOB_COUNT) {
		api_refuse(x, 404, "no such knob");
		return;
	}
	struct knobs knobs = *a->deps.knobs;
	if (!value || knob_set(&knobs, knob, value) < 0) {
		api_refuse(x, 400, "%s: takes %s, or default", knob_name(knob),
			knob_usual(knob) > 1 ? "a number from 1 on" : "on, off");
		return;
	}
	http_defer(x, API_BUILD_MS);
	int rc = a->deps.knobs_set(a->deps.reload_arg, &knobs, on_set, x);
	if (rc < 0)
		api_busy(x, rc == -EBUSY ? -EAGAIN : rc);
	else
		log_info("control: set knob %s to %u, usually %u", knob_name(knob),
			knobs.value[knob], knob_usual(knob));
}

// What is served while the knob `api` is off: enough to look, and to turn it on again.
bool api_is_off(const struct api *a, const char *path)
{
	static const char *const kept[] = {"/health", "/ready", "/knobs", "/set", "/mem",
		"/memory/slope", "/memory/history", "/heap", "/debug/heap"};
	if (!a->deps.knobs || a->deps.knobs->value[KNOB_API])
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (strcmp(path, kept[i]) == 0)
			return false;
	return true;
}

bool api_lists_off(const struct api *a)
{
	return a->deps.knobs && !a->deps.knobs->value[KNOB_LIST_RELOAD];
}
