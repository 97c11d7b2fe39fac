// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the toggles.

#include "api_param.h"
#include "memory/toggles.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/log.h>
#include <weir/text.h>

static void serve_toggles(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "toggles");
	for (unsigned i = 0; a->deps.toggles && i < TOGGLE_COUNT; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", toggle_name(i));
		json_out_text(o, n, "help", toggle_help(i));
		json_out_count(o, n, "value", a->deps.toggles->value[i]);
		json_out_count(o, n, "usual", toggle_usual(i));
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

// These decide what others can do, and what is known of it.
static bool takes_admin(enum toggle t)
{
	return t == TOGGLE_API || t == TOGGLE_QUERY_LOG;
}

static bool is_admin(const struct api *a, const struct http_exchange *x)
{
	return http_source(x)->ss_family == AF_UNIX || (a->user && a->user->role == CONTROL_ADMIN);
}

static void refuse_unknown(struct http_exchange *x, const char *name)
{
	struct text_near near;
	text_near_begin(&near, name);
	for (unsigned i = 0; i < TOGGLE_COUNT; i++)
		text_near_try(&near, toggle_name(i));
	api_param_refuse_word(x, 404, "toggle", name, near.best);
}

static void serve_set(struct api *a, struct http_exchange *x)
{
	const char *name = http_param(x, "toggle"), *value = http_param(x, "value");
	enum toggle toggle = name ? toggle_find(name) : TOGGLE_COUNT;
	if (!a->deps.toggles || toggle == TOGGLE_COUNT) {
		refuse_unknown(x, name ? name : "");
		return;
	}
	if (takes_admin(toggle) && !is_admin(a, x)) {
		access_count_refused(a->access, ACCESS_role);
		api_deny(a, x, ACCESS_role);
		return;
	}
	struct toggles toggles = *a->deps.toggles;
	if (!value || toggle_set(&toggles, toggle, value) < 0) {
		char number[32] = "on, off";
		if (toggle_most(toggle) > 1)
			snprintf(number, sizeof(number), "a number from 0 to %u",
				toggle_most(toggle));
		api_refuse(x, 400, "%s: takes %s, or default", toggle_name(toggle), number);
		return;
	}
	http_defer(x, API_BUILD_MS);
	int rc = a->deps.toggles_set(a->deps.reload_arg, &toggles, on_set, x);
	if (rc < 0)
		api_busy(x, rc == -EBUSY ? -EAGAIN : rc);
	else
		log_info("control: set toggle %s to %u, usually %u", toggle_name(toggle),
			toggles.value[toggle], toggle_usual(toggle));
}

const struct api_part api_toggles_part = {
	.endpoint = {{"/toggles", serve_toggles, API_ALWAYS, CONTROL_READ, ""},
		{"/set", serve_set, API_POST | API_ALWAYS, CONTROL_OPERATE, "toggle value"}},
};
