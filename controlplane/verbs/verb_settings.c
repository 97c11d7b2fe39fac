// SPDX-License-Identifier: BSD-3-Clause
// POST /config/set, /config/unset, /config/clear and /config/override: values of any keys, which
// count in place of those of the operator's files; GET /config/overrides; POST /services/block and
// /services/allow.

#include "verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

enum { VALUE_MAX = 32 * SERVICE_COUNT };

// A parameter that must be there. NULL: replied with an error.
static const char *param_must(struct http_exchange *x, const char *name)
{
	const char *value = http_param(x, name);
	if (value && *value)
		return value;
	api_refuse(x, 400, "%s: is missing", name);
	return NULL;
}

static void fail(struct verb *v, int err, const char *why)
{
	if (err == -EINVAL)
		verb_refuse(v, 400, "%s", why);
	else
		verb_fail(v, err);
}

static bool is_of_file(const struct verb *v, const char *path)
{
	const struct api_deps *d = &v->api->deps;
	return config_path_is_of_file(d->config_bundle(d->reload_arg), path);
}

static void path_out(struct verb *v, const char *path, bool of_file)
{
	json_out_text(v->reply, verb_root(v), "path", path);
	json_out_bool(v->reply, verb_root(v), "of_file", of_file);
}

static void serve_set(struct api *a, struct http_exchange *x)
{
	const char *path = param_must(x, "path"), *value = http_param(x, "value");
	char why[CONFIG_WHY_MAX];
	if (!path)
		return;
	if (!value) {
		api_refuse(x, 400, "value: is missing");
		return;
	}
	struct verb *v = verb_begin(a, x);
	if (!v)
		return;
	const int err = config_managed_set(v->managed, path, value, why);
	if (err < 0) {
		fail(v, err, why);
		return;
	}
	path_out(v, path, is_of_file(v, path));
	json_out_text(v->reply, verb_root(v), "value", value);
	verb_apply(v, "config set %s", path); // the value may be a secret
}

// What the files say counts again.
static void serve_clear(struct api *a, struct http_exchange *x)
{
	const char *path = param_must(x, "path");
	char why[CONFIG_WHY_MAX];
	struct verb *v = path ? verb_begin(a, x) : NULL;
	if (!v)
		return;
	const int err = config_managed_override_clear(v->managed, path, why);
	if (err == -ENOENT)
		verb_refuse(v, 404, "%s; weirctl config overrides lists what is", why);
	else if (err < 0)
		fail(v, err, why);
	if (err < 0)
		return;
	path_out(v, path, is_of_file(v, path));
	verb_apply(v, "config clear %s", path);
}

// A key or item of the files counts as absent; one of the overrides goes.
static void serve_unset(struct api *a, struct http_exchange *x)
{
	const char *path = param_must(x, "path");
	char why[CONFIG_WHY_MAX];
	struct verb *v = path ? verb_begin(a, x) : NULL;
	if (!v)
		return;
	const bool of_file = is_of_file(v, path);
	const int err = of_file ? config_managed_unset(v->managed, path, why)
				: config_managed_override_clear(v->managed, path, why);
	if (err == -ENOENT || err == -EEXIST)
		verb_refuse(v, 404, "neither a file nor an override has %s", path);
	else if (err < 0)
		fail(v, err, why);
	if (err < 0)
		return;
	path_out(v, path, of_file);
	verb_apply(v, "config unset %s", path);
}

// Several keys at once, in the form of a file.
static void serve_override(struct api *a, struct http_exchange *x)
{
	const char *text = param_must(x, "text");
	char why[CONFIG_WHY_MAX];
	struct verb *v = text ? verb_begin(a, x) : NULL;
	if (!v)
		return;
	const int err = config_managed_override(v->managed, text, why);
	if (err < 0)
		fail(v, err, why);
	else
		verb_apply(v, "config override");
}

struct rows {
	struct json_out *out;
	struct json_node *list;
	const struct config_bundle *bundle;
};

static void row_out(void *arg, const char *path, const char *value)
{
	const struct rows *r = arg;
	struct json_node *n = json_out_object(r->out, r->list, NULL);
	json_out_text(r->out, n, "path", path);
	json_out_bool(r->out, n, "unset", !value);
	json_out_text(r->out, n, "value", value ? value : "");
	json_out_bool(r->out, n, "of_file", config_path_is_of_file(r->bundle, path));
}

static void serve_overrides(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct config_managed *m = verb_managed(a);
	struct rows r = {.out = o, .list = json_out_array(o, json_out_root(o), "overrides")};
	int err = 0;
	if (m) {
		r.bundle = a->deps.config_bundle(a->deps.reload_arg);
		err = config_managed_overrides(m, row_out, &r);
	}
	config_managed_free(m);
	if (err == 0) {
		http_reply(x, 200, json_out_finish(o));
		return;
	}
	heap_free(json_out_finish(o));
	http_reply(x, 500, NULL);
}

// Writes the services of a set with commas between.
static void services_text(const struct service_set *s, char out[VALUE_MAX])
{
	size_t len = 0;
	snprintf(out, VALUE_MAX, "[]");
	for (unsigned i = 0; i < SERVICE_COUNT && len < VALUE_MAX; i++)
		if (service_set_has(s, i))
			len += (size_t)snprintf(out + len, VALUE_MAX - len, "%s%s", len ? "," : "",
				service_word(i));
}

// Blocks a service, or no longer, for everyone or for a group, which then has services of its own.
static void service_change(struct api *a, struct http_exchange *x, bool block)
{
	const char *word = param_must(x, "service"), *group = http_param(x, "group");
	char value[VALUE_MAX], path[CONFIG_GROUP_NAME_MAX + 32], why[CONFIG_WHY_MAX];
	const struct config_group *of = NULL;
	if (!word)
		return;
	const int service = service_find(word);
	if (service < 0) {
		api_refuse(x, 400, "service: \"%s\" is none; weirctl services lists them", word);
		return;
	}
	if (group && strcmp(group, CONFIG_EVERYONE) == 0)
		group = NULL;
	struct verb *v = verb_begin(a, x);
	if (!v || !verb_group_check(v, group))
		return;
	const struct config *c = verb_config(v);
	for (unsigned i = 0; group && i < c->group_count; i++)
		if (strcmp(c->groups[i].name, group) == 0)
			of = &c->groups[i];
	struct service_set set = *config_group_services(c, of);
	const bool is_so = service_set_has(&set, (unsigned)service) == block;
	if (block)
		service_set_add(&set, (unsigned)service);
	else
		set.bits[service / 64] &= ~(UINT64_C(1) << service % 64);
	snprintf(path, sizeof(path), "%s%s%s.services", group ? "groups[" : "blocking",
		group ? group : "", group ? "]" : "");
	services_text(&set, value);
	const int err = config_managed_set(v->managed, path, value, why);
	if (err < 0) {
		fail(v, err, why);
		return;
	}
	json_out_text(v->reply, verb_root(v), "service", word);
	json_out_text(v->reply, verb_root(v), "group", group ? group : "");
	if (is_so)
		verb_unchanged(v);
	else
		verb_apply(v, "services %s %s%s%s", block ? "block" : "allow", word,
			group ? " --group " : "", group ? group : "");
}

static void serve_block(struct api *a, struct http_exchange *x)
{
	service_change(a, x, true);
}

static void serve_allow(struct api *a, struct http_exchange *x)
{
	service_change(a, x, false);
}

const struct api_part api_settings_part = {
	.endpoint = {{"/config/set", serve_set, API_POST, CONTROL_ADMIN, "path value why"},
		{"/config/unset", serve_unset, API_POST, CONTROL_ADMIN, "path why"},
		{"/config/clear", serve_clear, API_POST, CONTROL_ADMIN, "path why"},
		{"/config/override", serve_override, API_POST, CONTROL_ADMIN, "text why"},
		{"/config/overrides", serve_overrides, API_GET, CONTROL_ADMIN, ""},
		{"/services/block", serve_block, API_POST, CONTROL_OPERATE, "service group why"},
		{"/services/allow", serve_allow, API_POST, CONTROL_OPERATE, "service group why"}},
};
