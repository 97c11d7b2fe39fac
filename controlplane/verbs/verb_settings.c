// SPDX-License-Identifier: BSD-3-Clause
// POST /config/set, /config/unset, /config/clear and /config/override: values of any keys, which
// count in place of those of the operator's files; GET /config/overrides and /config/values; POST
// /services/block and /services/allow.

#include "verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/config/managed.h>
#include <weir/config/versions.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>
#include <weir/service_names.h>

enum { VALUE_MAX = 32 * SERVICE_COUNT, PATH_SHOWN_MAX = 512 };

static void fail(struct verb *v, int err, const char *why)
{
	if (err == -EINVAL)
		verb_refuse(v, 400, "%s", why);
	else
		verb_fail(v, err);
}

static bool has_path(const struct api *a, const char *path, bool has_managed)
{
	const struct api_deps *d = &a->deps;
	bool found;
	config_paths_find(d->config_bundle(d->reload_arg), has_managed, &path, 1, &found);
	return found;
}

static bool is_of_file(const struct api *a, const char *path)
{
	return has_path(a, path, false);
}

static void path_out(struct verb *v, const char *path, bool of_file)
{
	json_out_text(v->reply, verb_root(v), "path", path);
	json_out_bool(v->reply, verb_root(v), "of_file", of_file);
}

// A key below a group, or below `blocking`, and its item: "schedule bedtime", "safe search".
static void key_words(const char *path, char *out, size_t cap)
{
	static const char schedules[] = "schedules[";
	const bool is_schedule = strncmp(path, schedules, sizeof(schedules) - 1) == 0;
	const char *name = is_schedule ? path + sizeof(schedules) - 1 : path;
	snprintf(out, cap, "%s%.*s", is_schedule ? "schedule " : "",
		(int)strcspn(name, is_schedule ? "]" : ".["), name);
	for (char *p = out; !is_schedule && *p; p++)
		if (*p == '_')
			*p = ' ';
}

// Writes "TITLE NAME" for a path that begins with `start` and the name of an item, and what is
// below. False: it begins with something else.
static bool item_words(
	const char *path, const char *start, const char *title, char *out, size_t cap)
{
	const size_t len = strlen(start);
	const char *end = strncmp(path, start, len) == 0 ? strchr(path + len, ']') : NULL;
	if (!end)
		return false;
	const int used = snprintf(out, cap, "%s %.*s%s", title, (int)(end - path - (int)len),
		path + len, end[1] == '.' ? ": " : "");
	if (end[1] == '.' && (size_t)used < cap)
		key_words(end + 2, out + used, cap - (size_t)used);
	return true;
}

// A key that each group has too, set for everyone.
static bool everyone_words(const char *path, char *out, size_t cap)
{
	static const char *const keys[] = {"schedules[", "family_time", "safe_search", "services"};
	static const char blocking[] = "blocking.", everyone[] = "everyone: ";
	const char *key = path + sizeof(blocking) - 1;
	bool is_of_groups = false;
	if (strncmp(path, blocking, sizeof(blocking) - 1) != 0)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		is_of_groups = is_of_groups || strncmp(key, keys[i], strlen(keys[i])) == 0;
	if (!is_of_groups)
		return false;
	const int used = snprintf(out, cap, everyone);
	if ((size_t)used < cap)
		key_words(key, out + used, cap - (size_t)used);
	return true;
}

// Writes what a path is about: "group kids", "group kids: schedule bedtime" for anything in that
// schedule, "everyone: safe search", "zone corp.example", or the path itself. Secrets in URLs are
// masked. The text is cut at `cap` bytes.
static void path_words(const char *path, char *out, size_t cap)
{
	char *shown = config_mask(path, strlen(path));
	const char *text = shown ? shown : "";
	if (!item_words(text, "groups[", "group", out, cap)
		&& !item_words(text, "forward_zones[", "zone", out, cap)
		&& !everyone_words(text, out, cap))
		snprintf(out, cap, "%s", text);
	heap_free(shown);
}

// Adds what the path is about, unless the text names it.
static void words_add(void *arg, const char *path, const char *value)
{
	(void)value;
	char *out = arg, words[CONFIG_VERSION_WHAT_MAX];
	path_words(path, words, sizeof(words));
	const size_t len = strlen(out), own = strlen(words);
	if (!own) // no memory for the words
		return;
	for (const char *at = out; (at = strstr(at, words)) != NULL; at++)
		if ((at == out || at[-1] == ' ') && (!at[own] || at[own] == ','))
			return;
	snprintf(out + len, CONFIG_VERSION_WHAT_MAX - len, "%s%s", len ? ", " : "", words);
}

// Writes which keys the text of an override sets, as "cache.min_ttl, group kids: clients set", each
// once. "config override" where it sets none. The end is "..." where the text is too long.
static void override_words(const char *yaml, char out[CONFIG_VERSION_WHAT_MAX])
{
	static const char set[] = " set";
	char why[CONFIG_WHY_MAX];
	struct config_managed *m = NULL;
	out[0] = '\0';
	if (config_managed_parse("", &m, why) == 0 && config_managed_override(m, yaml, why) == 0)
		(void)!config_managed_overrides(m, words_add, out);
	config_managed_free(m);
	const size_t len = strlen(out);
	if (!len)
		snprintf(out, CONFIG_VERSION_WHAT_MAX, "config override");
	else if (len + sizeof(set) <= CONFIG_VERSION_WHAT_MAX)
		memcpy(out + len, set, sizeof(set));
	else
		memcpy(out + CONFIG_VERSION_WHAT_MAX - sizeof("..."), "...", sizeof("..."));
}

// Applies a change of a path. `what` became of it: "set".
static void apply_at(struct verb *v, const char *path, const char *what)
{
	char words[PATH_SHOWN_MAX];
	path_words(path, words, sizeof(words));
	if (verb_is_so(v))
		verb_unchanged(v);
	else
		verb_apply(v, "%s %s", words, what);
}

// `new`: refuses to change a key of an item that is there. False: replied with an error.
static bool new_check(struct verb *v, const char *path, bool is_new)
{
	char item[PATH_SHOWN_MAX];
	snprintf(item, sizeof(item), "%s", path);
	char *end = strrchr(item, ']');
	if (!is_new || !end)
		return true;
	end[1] = '\0';
	if (!has_path(v->api, item, true) || verb_is_so(v))
		return true;
	verb_refuse(v, 409, "%s exists already", item);
	return false;
}

// Sets one key in place of the files.
static void serve_set(struct api *a, struct http_exchange *x)
{
	const char *yaml = http_param(x, "yaml"), *path = http_param(x, "path");
	char why[CONFIG_WHY_MAX];
	bool is_new;
	if (!api_param_flag(x, "new", &is_new))
		return;
	struct verb *v = verb_begin(a, x);
	if (!v)
		return;
	const int err = config_managed_set(v->managed, path, yaml, why);
	if (err < 0) {
		fail(v, err, why);
		return;
	}
	if (!new_check(v, path, is_new))
		return;
	path_out(v, path, is_of_file(a, path));
	apply_at(v, path, "set");
}

// Lets what the files say at a path count again.
static void serve_clear(struct api *a, struct http_exchange *x)
{
	const char *path = http_param(x, "path");
	char why[CONFIG_WHY_MAX];
	struct verb *v = verb_begin(a, x);
	if (!v)
		return;
	const int err = config_managed_override_clear(v->managed, path, why);
	if (err == -ENOENT)
		verb_absent(v, "%s; weirctl config overrides lists what is", why);
	else if (err < 0)
		fail(v, err, why);
	if (err < 0)
		return;
	path_out(v, path, is_of_file(a, path));
	apply_at(v, path, "as the file says");
}

// Lets a key or item of the files count as absent, or takes one of the overrides back.
static int unset(struct verb *v, const char *path, bool of_file, char why[CONFIG_WHY_MAX])
{
	return of_file ? config_managed_unset(v->managed, path, why)
		       : config_managed_override_clear(v->managed, path, why);
}

// Lets a key or an item of the files count as absent.
static void serve_unset(struct api *a, struct http_exchange *x)
{
	const char *path = http_param(x, "path");
	char why[CONFIG_WHY_MAX];
	struct verb *v = verb_begin(a, x);
	if (!v)
		return;
	const bool of_file = is_of_file(a, path);
	const int err = unset(v, path, of_file, why);
	if (err == -ENOENT || err == -EEXIST)
		verb_absent(v, "neither a file nor an override has %s", path);
	else if (err < 0)
		fail(v, err, why);
	if (err < 0)
		return;
	path_out(v, path, of_file);
	apply_at(v, path, "removed");
}

static void override_apply(struct verb *v, const char *yaml)
{
	char what[CONFIG_VERSION_WHAT_MAX];
	override_words(yaml, what);
	verb_apply(v, "%s", what);
}

// Sets several keys at once, in the form of a file, in place of what is at the path `replace`.
static void serve_override(struct api *a, struct http_exchange *x)
{
	const char *replace = http_param(x, "replace"), *yaml = http_param(x, "yaml");
	char why[CONFIG_WHY_MAX];
	struct verb *v = verb_begin(a, x);
	if (!v)
		return;
	int err = replace ? unset(v, replace, is_of_file(a, replace), why) : 0;
	if (err == 0 || err == -ENOENT || err == -EEXIST)
		err = config_managed_override(v->managed, yaml, why);
	if (err < 0)
		fail(v, err, why);
	else if (verb_is_so(v))
		verb_unchanged(v);
	else
		override_apply(v, yaml);
}

struct row {
	char *path, *value; // `value` masked; NULL: the path is unset
};

struct rows {
	struct row *row;
	unsigned count;
	int rc;
};

static void row_add(void *arg, const char *path, const char *value)
{
	struct rows *r = arg;
	struct row *grown = heap_realloc(r->row, (r->count + 1) * sizeof(*grown));
	if (!grown) {
		r->rc = -ENOMEM;
		return;
	}
	r->row = grown;
	struct row *one = &grown[r->count++];
	*one = (struct row){
		.path = heap_strdup(path), .value = value ? config_mask_value(path, value) : NULL};
	if (!one->path || (value && !one->value))
		r->rc = -ENOMEM;
}

static void rows_free(struct rows *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		FREE_AND_NULL(r->row[i].path);
		FREE_AND_NULL(r->row[i].value);
	}
	FREE_AND_NULL(r->row);
}

// Adds the rows to the reply, and whether a file has each key. -ENOMEM.
static int rows_out(const struct rows *r, const struct config_bundle *b, struct json_out *o)
{
	struct json_node *list = json_out_array(o, json_out_root(o), "overrides");
	const char **path = heap_calloc(r->count + 1, sizeof(*path));
	bool *of_file = heap_calloc(r->count + 1, sizeof(*of_file));
	const int rc = path && of_file ? r->rc : -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < r->count; i++)
		path[i] = r->row[i].path;
	if (rc == 0 && r->count)
		config_paths_find(b, false, path, r->count, of_file);
	for (unsigned i = 0; rc == 0 && i < r->count; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "path", r->row[i].path);
		json_out_bool(o, n, "unset", !r->row[i].value);
		json_out_text(o, n, "value", r->row[i].value ? r->row[i].value : "");
		json_out_bool(o, n, "of_file", of_file[i]);
	}
	heap_free(path);
	heap_free(of_file);
	return rc;
}

// Replies with what counts in place of the files, and whether a file has the key at `path`.
static void serve_overrides(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	const char *path = http_param(x, "path");
	struct config_managed *m = verb_managed(a);
	struct rows rows = {0};
	int rc = m ? config_managed_overrides(m, row_add, &rows) : 0;
	if (rc == 0)
		rc = rows_out(&rows, m ? a->deps.config_bundle(a->deps.reload_arg) : NULL, o);
	rows_free(&rows);
	config_managed_free(m);
	if (path)
		json_out_bool(o, json_out_root(o), "of_file", is_of_file(a, path));
	json_out_count(o, json_out_root(o), "version", api_version_in_force(a));
	verb_reply(x, o, rc);
}

struct values_look {
	struct json_out *o;
	struct json_node *list;
	const char *key; // NULL: all
	unsigned count;
};

static void value_out(void *arg, const struct config_value *v)
{
	struct values_look *l = arg;
	if (l->key && strcmp(l->key, v->path) != 0)
		return;
	struct json_node *n = json_out_object(l->o, l->list, NULL);
	l->count++;
	json_out_text(l->o, n, "path", v->path);
	json_out_text(l->o, n, "value", v->text);
	struct json_node *words = json_out_array(l->o, n, "words");
	for (unsigned i = 0; i < v->word_count; i++)
		json_out_text(l->o, words, NULL, v->word[i]);
	json_out_signed(l->o, n, "min", v->min);
	json_out_signed(l->o, n, "max", v->max);
	json_out_bool(l->o, n, "live", v->is_live);
}

// Replies with the values in force of keys that have one number or word. One that needs a restart
// (GET /status, reload.needs_restart) is what the restart activates.
static void serve_values(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct values_look l = {.o = o,
		.list = json_out_array(o, json_out_root(o), "values"),
		.key = http_param(x, "path")};
	config_values(a->deps.config_current(a->deps.reload_arg), value_out, &l);
	char *body = json_out_finish(o);
	if (l.count) {
		http_reply(x, 200, body);
		return;
	}
	heap_free(body);
	api_refuse(x, 404, "no key \"%s\" that has one number or word", l.key);
}

// Writes the services of a set with commas between.
static void services_text(const struct service_set *s, char out[VALUE_MAX])
{
	size_t len = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < SERVICE_COUNT && len < VALUE_MAX; i++)
		if (service_set_has(s, i))
			len += (size_t)snprintf(out + len, VALUE_MAX - len, "%s%s", len ? "," : "",
				service_word(i));
}

// Blocks a service, or no longer, for everyone or for a group, which then has services of its own.
static void service_change(struct api *a, struct http_exchange *x, bool block)
{
	const char *group = http_param(x, "group"), *word = http_param(x, "service");
	char value[VALUE_MAX], path[CONFIG_GROUP_NAME_MAX + 32], why[CONFIG_WHY_MAX];
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
	struct service_set set = *config_group_services(c, config_group_by_name(c, group));
	const bool is_same = service_set_has(&set, (unsigned)service) == block;
	if (block)
		service_set_add(&set, (unsigned)service);
	else
		set.bits[service / 64] &= ~(UINT64_C(1) << service % 64);
	snprintf(path, sizeof(path), "%s%s%s.services", group ? "groups[" : "blocking",
		group ? group : "", group ? "]" : "");
	services_text(&set, value);
	const int err = config_managed_set(v->managed, path, *value ? value : "[]", why);
	if (err < 0) {
		fail(v, err, why);
		return;
	}
	json_out_text(v->reply, verb_root(v), "service", word);
	json_out_text(v->reply, verb_root(v), "group", group ? group : "");
	if (is_same)
		verb_unchanged(v);
	else
		verb_apply(v, "services %s %s%s%s", block ? "block" : "allow", word,
			group ? " --group " : "", group ? group : "");
}

// Blocks a service for everyone or for a group.
static void serve_block(struct api *a, struct http_exchange *x)
{
	service_change(a, x, true);
}

// Blocks a service no longer.
static void serve_allow(struct api *a, struct http_exchange *x)
{
	service_change(a, x, false);
}

const struct api_part api_settings_part = {
	.endpoint = {{"/config/set", serve_set, API_POST, CONTROL_ADMIN,
			     "path! yaml! new why if_version"},
		{"/config/unset", serve_unset, API_POST, CONTROL_ADMIN, "path! why if_version"},
		{"/config/clear", serve_clear, API_POST, CONTROL_ADMIN, "path! why if_version"},
		{"/config/override", serve_override, API_POST, CONTROL_ADMIN,
			"yaml! replace why if_version"},
		{"/config/overrides", serve_overrides, API_GET, CONTROL_ADMIN, "path"},
		{"/config/values", serve_values, API_GET, CONTROL_READ, "path"},
		{"/services/block", serve_block, API_POST, CONTROL_OPERATE,
			"service! group why if_version"},
		{"/services/allow", serve_allow, API_POST, CONTROL_OPERATE,
			"service! group why if_version"}},
};
