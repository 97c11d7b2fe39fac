// SPDX-License-Identifier: BSD-3-Clause
// GET /entries: the operator's entries that may end; POST /entries/add and /entries/remove.

#include "verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/dns_name.h>

enum { LASTS_MAX_S = 366 * 86400, ADVICE_MAX = CONFIG_PATTERN_MAX + 256 };

struct entry_asked {
	char name[CONFIG_PATTERN_MAX + 3];
	const char *verdict; // NULL in a removal: any
	const char *group;
	const char *types, *reply; // NULL: all, as the group says
	bool inverts;
	char until[CONFIG_TIME_TEXT_MAX]; // "": the entry does not end
	int64_t until_unix_s;
};

// Takes the canonical text of a name, or a pattern. False: replied with an error.
static bool name_take(struct http_exchange *x, struct entry_asked *out)
{
	const char *text = http_param(x, "name"), *why;
	struct dns_name name;
	char shown[DNS_NAME_TEXT_MAX];
	if (text[0] == '/') {
		const size_t len = strlen(text);
		why = "a pattern begins and ends with a slash, and has at most 1024 bytes between";
		if (len >= 3 && len < sizeof(out->name) && text[len - 1] == '/') {
			memcpy(out->name, text, len + 1);
			return true;
		}
		api_refuse(x, 400, "name: %s", why);
		return false;
	}
	char ascii[API_ASCII_MAX];
	text = api_param_ascii(text, ascii);
	const int pasted = name_paste(text, &name, &why);
	if (pasted < 0)
		api_refuse(x, 400, "name: %s", why);
	else if (pasted > 0)
		api_refuse(x, 400, "name: \"%s\" is more than a name; did you mean \"%s\"?", text,
			dns_name_to_text(&name, shown));
	else if (name.labels == 0)
		api_refuse(x, 400, "name: the root would cover every name");
	else if (strncmp(text, "*.", 2) == 0)
		api_refuse(x, 400, "name: an entry covers all names below it: leave out \"*.\"");
	else
		snprintf(out->name, sizeof(out->name), "%s", dns_name_to_text(&name, shown));
	return out->name[0];
}

static bool verdict_take(struct http_exchange *x, struct entry_asked *out)
{
	out->verdict = http_param(x, "verdict");
	if (!out->verdict || strcmp(out->verdict, "allow") == 0
		|| strcmp(out->verdict, "deny") == 0)
		return true;
	api_refuse(x, 400, "verdict: must be allow or deny");
	return false;
}

static bool end_take(struct http_exchange *x, struct entry_asked *out)
{
	unsigned seconds;
	if (!http_param(x, "seconds"))
		return true;
	if (!api_param_number(x, "seconds", LASTS_MAX_S, &seconds))
		return false;
	out->until_unix_s = verb_now() + seconds;
	config_time_text(out->until_unix_s, out->until);
	return true;
}

static void asked_out(struct verb *v, const struct entry_asked *asked)
{
	struct json_node *root = verb_root(v);
	json_out_text(v->reply, root, "name", asked->name);
	json_out_text(v->reply, root, "verdict", asked->verdict ? asked->verdict : "");
	json_out_text(v->reply, root, "group", asked->group ? asked->group : "");
	json_out_bool(v->reply, root, "invert", asked->inverts);
	json_out_text(v->reply, root, "type", asked->types ? asked->types : "");
	json_out_text(v->reply, root, "reply", asked->reply ? asked->reply : "");
}

// The group of the entry; NULL: all clients.
static const char *group_of(struct http_exchange *x)
{
	const char *group = http_param(x, "group");
	return group && strcmp(group, CONFIG_EVERYONE) == 0 ? NULL : group;
}

// GET /entries has "" for what an entry does not have.
static const char *param_given(struct http_exchange *x, const char *name)
{
	const char *value = http_param(x, name);
	return value && *value ? value : NULL;
}

// Adds an entry that allows or denies a name.
static void serve_add(struct api *a, struct http_exchange *x)
{
	struct entry_asked asked = {.group = group_of(x),
		.types = param_given(x, "type"),
		.reply = param_given(x, "reply")};
	if (!name_take(x, &asked) || !verdict_take(x, &asked) || !end_take(x, &asked)
		|| !api_param_flag(x, "invert", &asked.inverts))
		return;
	struct verb *v = verb_begin(a, x);
	if (!v || !verb_group_check(v, asked.group))
		return;
	const struct managed_entry e = {.name = asked.name,
		.verdict = asked.verdict,
		.group = asked.group,
		.until = asked.until[0] ? asked.until : NULL,
		.why = v->why,
		.types = asked.types,
		.reply = asked.reply,
		.inverts = asked.inverts};
	const int err = config_managed_entry_set(v->managed, &e);
	if (err < 0) {
		verb_fail(v, err);
		return;
	}
	asked_out(v, &asked);
	struct json_node *root = verb_root(v);
	json_out_text(v->reply, root, "until", asked.until);
	json_out_count(v->reply, root, "until_unix_s", (uint64_t)asked.until_unix_s);
	json_out_bool(v->reply, root, "replaced", err > 0);
	json_out_bool(v->reply, root, "replaced_permanent", err == 2);
	// The options come first, as a long name is cut.
	verb_apply(v, "%s%s%s%s%s%s%s%s %s", asked.verdict, asked.group ? " --group " : "",
		asked.group ? asked.group : "", asked.inverts ? " --invert" : "",
		asked.types ? " --type " : "", asked.types ? asked.types : "",
		asked.reply ? " --reply " : "", asked.reply ? asked.reply : "", asked.name);
}

// What to do about an entry of a file. An allow entry beats a deny entry of the same name, not the
// other way round.
static const char *file_advice(const struct entry_asked *asked, char out[ADVICE_MAX])
{
	static const char edit[] = "edit the file, then run weirctl config apply";
	const char *group = asked->group;
	if (asked->verdict && strcmp(asked->verdict, "deny") == 0 && asked->name[0] != '/')
		snprintf(out, ADVICE_MAX, "weirctl allow %s%s%s beats it; or %s", asked->name,
			group ? " --group " : "", group ? group : "", edit);
	else
		snprintf(out, ADVICE_MAX, "%s", edit);
	return out;
}

// Removes an entry that allows or denies a name.
static void serve_remove(struct api *a, struct http_exchange *x)
{
	struct entry_asked asked = {.group = group_of(x)};
	if (!name_take(x, &asked) || !verdict_take(x, &asked))
		return;
	struct verb *v = verb_begin(a, x);
	if (!v || !verb_group_check(v, asked.group))
		return;
	const struct managed_entry e = {
		.name = asked.name, .verdict = asked.verdict, .group = asked.group};
	const struct config_item item = {
		CONFIG_ITEM_ENTRY, asked.name, asked.group, asked.verdict, NULL};
	char advice[ADVICE_MAX];
	const int err = config_managed_entry_remove(v->managed, &e);
	if (err == -ENOENT && verb_is_of_file(v, &item, "that entry", file_advice(&asked, advice)))
		return;
	if (err < 0) {
		verb_refuse(v, 404, "no %s%sentry \"%s\" of %s; weirctl entries lists them",
			asked.verdict ? asked.verdict : "", asked.verdict ? " " : "", asked.name,
			asked.group ? asked.group : CONFIG_EVERYONE);
		return;
	}
	asked_out(v, &asked);
	verb_apply(v, "%s --remove%s%s %s", asked.verdict ? asked.verdict : "entry",
		asked.group ? " --group " : "", asked.group ? asked.group : "", asked.name);
}

static void entry_out(struct json_out *o, struct json_node *list, const struct config *c,
	const struct config_dated_entry *e, int64_t now, struct config_managed *m)
{
	struct json_node *n = json_out_object(o, list, NULL);
	char text[DNS_NAME_TEXT_MAX], pattern[CONFIG_PATTERN_MAX + 3], types[CONFIG_TYPES_TEXT_MAX];
	char until[CONFIG_TIME_TEXT_MAX];
	const char *name = dns_name_to_text(&e->name, text);
	if (e->pattern) {
		snprintf(pattern, sizeof(pattern), "/%s/", e->pattern);
		name = pattern;
	}
	const struct managed_entry same = {.name = name,
		.verdict = e->allow ? "allow" : "deny",
		.group = e->group ? c->groups[e->group - 1].name : NULL};
	json_out_text(o, n, "name", name);
	json_out_text(o, n, "verdict", same.verdict);
	json_out_text(o, n, "group", same.group ? same.group : "");
	json_out_bool(o, n, "invert", e->inverts);
	json_out_text(o, n, "type", config_types_text(&e->types, types));
	json_out_text(o, n, "reply", config_dated_reply_text(e));
	json_out_text(o, n, "why", e->why);
	json_out_text(o, n, "until", e->until ? config_time_text(e->until, until) : "");
	json_out_count(o, n, "until_unix_s", (uint64_t)e->until);
	json_out_count(o, n, "left_s", e->until > now ? (uint64_t)(e->until - now) : 0);
	json_out_bool(o, n, "ended", e->ended);
	json_out_bool(o, n, "removable", m && config_managed_entry_remove(m, &same) >= 0);
}

// Replies with the entries that allow or deny a name.
static void serve_entries(struct api *a, struct http_exchange *x)
{
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "entries");
	const int64_t now = verb_now();
	struct config_managed *m = verb_managed(a);
	for (unsigned i = 0; i < c->dated.count; i++)
		entry_out(o, list, c, &c->dated.entries[i], now, m);
	config_managed_free(m);
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_entries_part = {
	.endpoint = {{"/entries", serve_entries, API_GET, CONTROL_READ, ""},
		{"/entries/add", serve_add, API_POST, CONTROL_OPERATE,
			"name! verdict! group invert type reply seconds why"},
		{"/entries/remove", serve_remove, API_POST, CONTROL_OPERATE,
			"name! verdict group why"}},
};
