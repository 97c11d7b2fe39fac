// SPDX-License-Identifier: BSD-3-Clause
// GET /lists: the lists that are defined, in use or not, and the known ones; POST /lists/add,
// /lists/remove, /lists/enable and /lists/disable.

#include "verb.h"
#include "verb_put.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/known.h>
#include <weir/text.h>
#include <weir/url.h>

enum { LIST_NAME_MAX = 63 };

// The parameter `name`. NULL: replied with an error.
static const char *name_take(struct http_exchange *x)
{
	const char *name = http_param(x, "name");
	if (*name && strlen(name) <= LIST_NAME_MAX)
		return name;
	api_refuse(x, 400, "name: must have 1 to %d bytes", LIST_NAME_MAX);
	return NULL;
}

// Finds a list of the configuration, in use or disabled.
static const struct config_list *list_find(const struct config_blocking *b, const char *name)
{
	for (unsigned i = 0; i < b->list_count; i++)
		if (strcmp(b->lists[i].name, name) == 0)
			return &b->lists[i];
	for (unsigned i = 0; i < b->disabled_count; i++)
		if (strcmp(b->disabled[i].name, name) == 0)
			return &b->disabled[i];
	return NULL;
}

static void unknown_text(const struct verb *v, const char *name, char out[API_WHY_MAX])
{
	const struct config_blocking *b = &verb_config(v)->blocking;
	struct text_near near;
	text_near_begin(&near, name);
	for (unsigned i = 0; i < b->list_count; i++)
		text_near_try(&near, b->lists[i].name);
	for (unsigned i = 0; i < b->disabled_count; i++)
		text_near_try(&near, b->disabled[i].name);
	if (near.best)
		snprintf(out, API_WHY_MAX, "no list \"%s\"; did you mean \"%s\"?", name, near.best);
	else
		snprintf(out, API_WHY_MAX, "no list \"%s\"; weirctl list show names them", name);
}

static void unknown_refuse(struct verb *v, const char *name)
{
	char why[API_WHY_MAX];
	unknown_text(v, name, why);
	verb_refuse(v, 404, "%s", why);
}

// Takes a URL, or the path of a readable file. False: `why`.
static bool place_read(const char *place, struct managed_list *out, char why[API_WHY_MAX])
{
	if (strstr(place, "://"))
		out->url = place;
	else if (place[0] == '/')
		out->path = place;
	if (out->path && access(out->path, R_OK) != 0)
		snprintf(why, API_WHY_MAX, "%.160s: %s (weir reads lists as its own user)", place,
			strerror(errno));
	else if (!out->url && !out->path)
		snprintf(why, API_WHY_MAX, "must be a URL or an absolute path");
	else
		return true;
	return false;
}

// Takes a URL, or the path of a readable file. False: replied with an error.
static bool place_take(struct http_exchange *x, struct managed_list *out)
{
	char why[API_WHY_MAX];
	if (place_read(http_param(x, "place"), out, why))
		return true;
	api_refuse(x, 400, "%s%s", http_param(x, "place")[0] == '/' ? "" : "place: ", why);
	return false;
}

// Is that the list, with the format that is given?
static bool is_same(const struct config_list *list, const struct managed_list *l)
{
	const char *has = list ? list->url ? list->url : list->path : NULL;
	uint8_t format;
	return has && strcmp(has, l->url ? l->url : l->path) == 0 && list->allow == l->allow
	       && (!l->format
		       || (config_list_format(l->format, &format) && format == list->format));
}

// Adds a list.
static void serve_add(struct api *a, struct http_exchange *x)
{
	struct managed_list l = {.format = http_param(x, "format")};
	if (!(l.name = name_take(x)) || !place_take(x, &l) || !api_param_flag(x, "allow", &l.allow))
		return;
	struct verb *v = verb_begin(a, x);
	if (!v)
		return;
	json_out_text(v->reply, verb_root(v), "name", l.name);
	const struct config_blocking *b = &verb_config(v)->blocking;
	if (is_same(list_find(b, l.name), &l)) {
		if (config_list_is_disabled(b, l.name))
			verb_refuse(v, 409, "list \"%s\" is off: weirctl list enable %s", l.name,
				TEXT_QUOTE(l.name));
		else
			verb_unchanged(v);
		return;
	}
	const struct config_item item = {.kind = CONFIG_ITEM_LIST, .name = l.name};
	char what[LIST_NAME_MAX + 16];
	snprintf(what, sizeof(what), "a list \"%s\"", l.name);
	if (verb_is_of_file(v, &item, what, "choose another name"))
		return;
	const int err = config_managed_list_add(v->managed, &l);
	if (err == -EEXIST) {
		verb_refuse(v, 409,
			"list \"%s\" already exists; to replace it, remove it first: "
			"weirctl list remove %s",
			l.name, TEXT_QUOTE(l.name));
		return;
	}
	if (err < 0) {
		verb_fail(v, err);
		return;
	}
	verb_apply(v, "list add %s", l.name);
}

// Removes a list.
static void serve_remove(struct api *a, struct http_exchange *x)
{
	const char *name = name_take(x);
	struct verb *v = name ? verb_begin(a, x) : NULL;
	if (!v)
		return;
	const struct config_item item = {.kind = CONFIG_ITEM_LIST, .name = name};
	char path[LIST_NAME_MAX + 32], advice[TEXT_QUOTE_MAX + 128], why[API_WHY_MAX];
	snprintf(path, sizeof(path), "blocking.lists[%s]", name);
	snprintf(advice, sizeof(advice),
		"weirctl list disable takes it out of use, weirctl config unset %s removes it",
		TEXT_QUOTE(path));
	const int err = config_managed_list_remove(v->managed, name);
	if (err == -ENOENT && verb_is_of_file(v, &item, "that list", advice))
		return;
	json_out_text(v->reply, verb_root(v), "name", name);
	if (err < 0) {
		unknown_text(v, name, why);
		verb_absent(v, "%s", why);
		return;
	}
	verb_apply(v, "list remove %s", name);
}

// Takes a list out of use.
static void serve_disable(struct api *a, struct http_exchange *x)
{
	const char *name = name_take(x);
	struct verb *v = name ? verb_begin(a, x) : NULL;
	if (!v)
		return;
	const struct config_blocking *b = &verb_config(v)->blocking;
	if (!list_find(b, name)) {
		unknown_refuse(v, name);
		return;
	}
	const bool is_so = config_list_is_disabled(b, name);
	const int err = is_so ? 0 : config_managed_list_disable(v->managed, name);
	if (err < 0) {
		verb_fail(v, err);
		return;
	}
	json_out_text(v->reply, verb_root(v), "name", name);
	if (is_so)
		verb_unchanged(v);
	else
		verb_apply(v, "list disable %s", name);
}

// Puts a list into use again.
static void serve_enable(struct api *a, struct http_exchange *x)
{
	const char *name = name_take(x);
	struct verb *v = name ? verb_begin(a, x) : NULL;
	if (!v)
		return;
	const struct config_blocking *b = &verb_config(v)->blocking;
	const struct config_item item = {.kind = CONFIG_ITEM_DISABLED, .name = name};
	if (!list_find(b, name)) {
		unknown_refuse(v, name);
		return;
	}
	if (verb_is_of_file(v, &item, "its name in `disabled_lists`",
		    "edit the file, then run weirctl config apply"))
		return;
	json_out_text(v->reply, verb_root(v), "name", name);
	if (config_managed_list_enable(v->managed, name) < 0)
		verb_unchanged(v);
	else
		verb_apply(v, "list enable %s", name);
}

// Where the list comes from, without secrets of a URL.
static const char *source_shown(const struct config_list *l, char room[CONFIG_URL_MAX + 1])
{
	return l->url ? url_shown(l->url, room, CONFIG_URL_MAX + 1) : l->path;
}

static void lists_out(struct json_out *o, struct json_node *list, const struct config_list *lists,
	unsigned count, bool enabled, struct config_managed *m)
{
	for (unsigned i = 0; i < count; i++) {
		const struct config_list *l = &lists[i];
		struct json_node *n = json_out_object(o, list, NULL);
		char shown[CONFIG_URL_MAX + 1];
		json_out_text(o, n, "name", l->name);
		json_out_text(o, n, "source", source_shown(l, shown));
		json_out_text(o, n, "format", config_list_format_text(l->format));
		json_out_bool(o, n, "allow", l->allow);
		json_out_bool(o, n, "enabled", enabled);
		// Tries the switch first: removal of a list removes its name in `disabled_lists`
		// too.
		json_out_bool(o, n, "switchable",
			m && (enabled || config_managed_list_enable(m, l->name) >= 0));
		json_out_bool(o, n, "removable", m && config_managed_list_remove(m, l->name) >= 0);
	}
}

// Replies with the lists that are defined, in use or not, and the known ones.
static void serve_lists(struct api *a, struct http_exchange *x)
{
	const struct config_blocking *b = &a->deps.config_current(a->deps.reload_arg)->blocking;
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "lists");
	struct json_node *known = json_out_array(o, json_out_root(o), "known");
	const struct known_list *k;
	for (unsigned i = 0; (k = known_list_at(i)) != NULL; i++) {
		struct json_node *n = json_out_object(o, known, NULL);
		json_out_text(o, n, "name", k->name);
		json_out_text(o, n, "url", k->url);
	}
	struct config_managed *m = verb_managed(a);
	lists_out(o, list, b->lists, b->list_count, true, m);
	lists_out(o, list, b->disabled, b->disabled_count, false, m);
	config_managed_free(m);
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_lists_part = {
	.endpoint = {{"/lists", serve_lists, API_GET, CONTROL_READ, ""},
		{"/lists/add", serve_add, API_POST, CONTROL_ADMIN,
			"name! place! format allow why if_version"},
		{"/lists/remove", serve_remove, API_POST, CONTROL_ADMIN, "name! why if_version"},
		{"/lists/enable", serve_enable, API_POST, CONTROL_OPERATE, "name! why if_version"},
		{"/lists/disable", serve_disable, API_POST, CONTROL_OPERATE,
			"name! why if_version"}},
};

enum { L_NAME, L_SOURCE, L_FORMAT, L_ALLOW, L_ENABLED };

static void some_in_force(const struct config_list *lists, unsigned count, bool enabled,
	struct config_managed *copy, struct put_items *out)
{
	for (unsigned i = 0; i < count; i++) {
		const struct config_list *l = &lists[i];
		char shown[CONFIG_URL_MAX + 1];
		const char *const text[PUT_FIELDS_MAX] = {[L_NAME] = l->name,
			[L_SOURCE] = source_shown(l, shown),
			[L_FORMAT] = config_list_format_text(l->format),
			[L_ALLOW] = l->allow ? "1" : "",
			[L_ENABLED] = enabled ? "1" : ""};
		(void)put_items_add(out, text, config_managed_list_remove(copy, l->name) >= 0);
	}
}

static void lists_in_force(const struct verb *v, struct config_managed *copy, struct put_items *out)
{
	const struct config_blocking *b = &verb_config(v)->blocking;
	some_in_force(b->lists, b->list_count, true, copy, out);
	some_in_force(b->disabled, b->disabled_count, false, copy, out);
}

// GET shows no secrets of a URL: a source that it shows stands for the one in force.
static bool list_check(const struct verb *v, struct put_asked *asked, char why[API_WHY_MAX])
{
	const char *name = asked->text[L_NAME], *source = asked->text[L_SOURCE];
	const struct config_list *l = list_find(&verb_config(v)->blocking, name);
	struct managed_list place = {0};
	char wrong[API_WHY_MAX], shown[CONFIG_URL_MAX + 1];
	uint8_t format;
	if (!*name || strlen(name) > LIST_NAME_MAX) {
		snprintf(why, API_WHY_MAX, "name: must have 1 to %d bytes", LIST_NAME_MAX);
		return false;
	}
	if (!config_list_format(asked->text[L_FORMAT], &format)) {
		snprintf(why, API_WHY_MAX, "format: no format \"%.64s\"", asked->text[L_FORMAT]);
		return false;
	}
	if (l && l->url && strcmp(l->url, source) == 0)
		return put_asked_set(asked, L_SOURCE, source_shown(l, shown));
	if (l && strcmp(source_shown(l, shown), source) == 0)
		return true;
	if (!place_read(source, &place, wrong)) {
		snprintf(why, API_WHY_MAX, "source: %.240s", wrong);
		return false;
	}
	return true;
}

// Takes the list into use or out of it, which is so already where the error says that.
static int use_set(struct config_managed *m, const struct put_item *one)
{
	const bool enabled = *one->text[L_ENABLED];
	const int rc = enabled ? config_managed_list_enable(m, one->text[L_NAME])
			       : config_managed_list_disable(m, one->text[L_NAME]);
	return rc == (enabled ? -ENOENT : -EEXIST) ? 0 : rc;
}

static int list_set(const struct verb *v, const struct put_item *one, char why[CONFIG_WHY_MAX])
{
	const struct put_item *before = one->before;
	const struct config_list *l = list_find(&verb_config(v)->blocking, one->text[L_NAME]);
	struct config_managed *m = v->managed;
	char shown[CONFIG_URL_MAX + 1];
	bool is_so = before;
	// A file that takes the list out of use does so whatever the managed part says.
	if (before && *one->text[L_ENABLED] && !*before->text[L_ENABLED]
		&& config_managed_list_enable(m, one->text[L_NAME]) < 0)
		return -EEXIST;
	for (unsigned i = L_SOURCE; is_so && i < L_ENABLED; i++)
		is_so = strcmp(one->text[i], before->text[i]) == 0;
	if (is_so)
		return use_set(m, one);
	if (before && !before->is_managed)
		return -EEXIST;
	const bool is_shown = l && strcmp(source_shown(l, shown), one->text[L_SOURCE]) == 0;
	struct managed_list list = {.name = one->text[L_NAME],
		.format = one->text[L_FORMAT],
		.allow = *one->text[L_ALLOW]};
	if (strcmp(list.format, config_list_format_text(LIST_FORMAT_AUTO)) == 0)
		list.format = NULL;
	if (is_shown) {
		list.url = l->url;
		list.path = l->path;
	} else if (!place_read(one->text[L_SOURCE], &list, why)) {
		return -EINVAL;
	}
	if (before)
		(void)!config_managed_list_remove(m, list.name);
	const int rc = config_managed_list_add(m, &list);
	return rc == 0 ? use_set(m, one) : rc;
}

static int list_drop(struct config_managed *m, const struct put_item *one)
{
	return config_managed_list_remove(m, one->text[L_NAME]);
}

const struct put_kind put_lists = {.name = "lists",
	.keys = L_NAME + 1,
	.field = {{"name", PUT_TEXT, true, NULL}, {"source", PUT_TEXT, true, NULL},
		{"format", PUT_TEXT, false, "auto"}, {"allow", PUT_FLAG, false, NULL},
		{"enabled", PUT_FLAG, false, "1"}},
	.reported = "switchable removable",
	.beside = "known",
	.in_force = lists_in_force,
	.check = list_check,
	.set = list_set,
	.remove = list_drop};
