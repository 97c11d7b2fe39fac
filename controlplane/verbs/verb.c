// SPDX-License-Identifier: BSD-3-Clause
#include "verb.h"

#include "versions/apply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { WHAT_MAX = CONFIG_VERSION_WHAT_MAX };

static void verb_end(struct verb *v)
{
	config_managed_free(v->managed);
	FREE_AND_NULL(v->shared);
	if (v->reply)
		heap_free(json_out_finish(v->reply));
	heap_free(v);
}

const struct config *verb_config(const struct verb *v)
{
	const struct api_deps *d = &v->api->deps;
	return d->config_current(d->reload_arg);
}

int64_t verb_now(void)
{
	return (int64_t)(clock_ms_of(CLOCK_REALTIME) / 1000);
}

struct verb *verb_begin(struct api *a, struct http_exchange *x)
{
	const struct api_deps *d = &a->deps;
	const char *reason;
	char why[CONFIG_WHY_MAX];
	unsigned seen = 0;
	if (!api_param_why(x, &reason)
		|| (http_param(x, "if_version")
			&& !api_param_number(x, "if_version", INT32_MAX, &seen))
		|| !api_version_is(a, x, "if_version", seen))
		return NULL;
	if (!d->config_apply || !d->managed_text || !d->config_bundle) {
		api_refuse(x, 503, "the configuration cannot be edited: it has no versions");
		return NULL;
	}
	struct verb *v = heap_calloc(1, sizeof(*v));
	if (!v) {
		http_reply(x, 500, NULL);
		return NULL;
	}
	v->api = a;
	v->exchange = x;
	v->why = reason;
	v->reply = json_out_new();
	snprintf(v->path, sizeof(v->path), "%s", http_path(x));
	json_out_bool(v->reply, verb_root(v), "ok", true);
	const int err = config_managed_parse(d->managed_text(d->reload_arg), &v->managed, why);
	if (err < 0) {
		verb_refuse(v, 500, "%s", why);
		return NULL;
	}
	(void)config_managed_entries_end(v->managed, verb_now());
	return v;
}

struct config_managed *verb_managed(const struct api *a)
{
	const struct api_deps *d = &a->deps;
	struct config_managed *m = NULL;
	char why[CONFIG_WHY_MAX];
	if (d->config_apply && d->managed_text && d->config_bundle)
		(void)!config_managed_parse(d->managed_text(d->reload_arg), &m, why);
	return m;
}

struct json_node *verb_root(struct verb *v)
{
	return json_out_root(v->reply);
}

void verb_refuse(struct verb *v, unsigned status, const char *fmt, ...)
{
	char text[CONFIG_WHY_MAX + CONFIG_ITEM_PLACE_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	http_reply(v->exchange, status, json_out_error("%s", text));
	verb_end(v);
}

bool verb_is_so(const struct verb *v)
{
	const struct api_deps *d = &v->api->deps;
	char *text = config_managed_text(v->managed, APP_MANAGED_HEAD);
	const bool is_same = text && strcmp(text, d->managed_text(d->reload_arg)) == 0;
	heap_free(text);
	return is_same;
}

void verb_done(struct verb *v)
{
	http_reply(v->exchange, 200, json_out_finish(v->reply));
	v->reply = NULL;
	verb_end(v);
}

void verb_unchanged(struct verb *v)
{
	json_out_bool(v->reply, verb_root(v), "unchanged", true);
	verb_done(v);
}

void verb_absent(struct verb *v, const char *fmt, ...)
{
	char text[CONFIG_WHY_MAX + CONFIG_ITEM_PLACE_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_out_text(v->reply, verb_root(v), "note", text);
	verb_unchanged(v);
}

void verb_fail(struct verb *v, int err)
{
	if (err == -E2BIG)
		verb_refuse(v, 409, "the managed part is full: remove some of its items");
	else
		verb_refuse(v, 500, "%s", strerror(-err));
}

bool verb_is_of_file(
	struct verb *v, const struct config_item *item, const char *what, const char *advice)
{
	const struct api_deps *d = &v->api->deps;
	struct config_item_place place;
	if (!config_item_find(d->config_bundle(d->reload_arg), item, &place))
		return false;
	verb_refuse(v, 409, "%s stands in %s, which weirctl does not edit: %s", what, place.text,
		advice);
	return true;
}

void verb_reply(struct http_exchange *x, struct json_out *o, int rc)
{
	char *body = json_out_finish(o);
	if (rc == 0) {
		http_reply(x, 200, body);
		return;
	}
	heap_free(body);
	http_reply(x, 500, NULL);
}

bool verb_group_check(struct verb *v, const char *group)
{
	if (!group || config_group_by_name(verb_config(v), group))
		return true;
	api_param_refuse_group(v->api, v->exchange, group);
	verb_end(v);
	return false;
}

// Writes errors, of which there is one a line, in one line. The first is without its place in the
// managed part, a text that the user never saw.
static void why_write(const char *why, char out[CONFIG_WHY_MAX])
{
	size_t len = 0;
	for (; *why && len + 2 < CONFIG_WHY_MAX; why++) {
		out[len++] = *why == '\n' ? ';' : *why;
		if (*why == '\n')
			out[len++] = ' ';
	}
	out[len] = '\0';
	const char *file = strstr(out, "managed.yaml:");
	char *begin = out, *end;
	if (!file || !(end = strchr(file, ')')))
		return;
	for (char *at = out; (at = strstr(at, " (")) != NULL && at < file; at++)
		begin = at;
	if (*begin == ' ')
		memmove(begin, end + 1, strlen(end + 1) + 1);
}

void verb_refuse_config(struct verb *v, const char *why)
{
	char shown[CONFIG_WHY_MAX];
	why_write(why, shown);
	verb_refuse(v, 400, "%s", shown);
}

static void on_applied(void *arg, int err, const char *why, const char *needs_restart)
{
	struct verb *v = arg;
	if (err < 0) {
		char shown[CONFIG_WHY_MAX];
		why_write(why, shown);
		log_info("control: %s refused: %s", v->path, why);
		http_reply(v->exchange, api_change_status(err), json_out_error("%s", shown));
		verb_end(v);
		return;
	}
	json_out_text(v->reply, verb_root(v), "needs_restart", needs_restart);
	if (err > 0)
		json_out_text(v->reply, verb_root(v), "warning", why);
	const bool is_served = http_is_served(v->exchange); // else the API may be closed
	if (is_served)
		json_out_count(v->reply, verb_root(v), "version", api_version_in_force(v->api));
	if (v->applied && is_served)
		v->applied(v);
	else
		verb_done(v);
}

static void managed_send(struct verb *v, const char *what, bool is_trial)
{
	const struct api_deps *d = &v->api->deps;
	char *text = config_managed_text(v->managed, APP_MANAGED_HEAD);
	const int text_err = !text ? -ENOMEM : strlen(text) > CONFIG_MANAGED_MAX ? -E2BIG : 0;
	if (text_err < 0) {
		heap_free(text);
		verb_fail(v, text_err);
		return;
	}
	const struct apply_request r = {.who = http_who(v->exchange),
		.what = what,
		.why = v->why,
		.managed = text,
		.shared = v->shared,
		.is_kept = v->is_kept,
		.is_trial = is_trial};
	http_defer(v->exchange, API_BUILD_MS);
	const int err = d->config_apply(d->reload_arg, &r, on_applied, v);
	heap_free(text);
	if (err == -EBUSY)
		verb_refuse(v, 503, "another change of the configuration runs: try again");
	else if (err < 0)
		verb_fail(v, err);
}

void verb_apply(struct verb *v, const char *fmt, ...)
{
	char what[WHAT_MAX];
	va_list args;
	va_start(args, fmt);
	if (vsnprintf(what, sizeof(what), fmt, args) >= (int)sizeof(what))
		memcpy(what + sizeof(what) - sizeof("..."), "...", sizeof("..."));
	va_end(args);
	managed_send(v, what, false);
}

void verb_try(struct verb *v)
{
	managed_send(v, "", true);
}
