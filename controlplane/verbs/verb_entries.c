// SPDX-License-Identifier: BSD-3-Clause
// GET /entries: the operator's entries that may end; POST /entries/add and /entries/remove.

#include "base/rdata_text.h"
#include "verb.h"
#include "verb_put.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/dns_name.h>
#include <weir/rdata_parse.h>
#include <weir/text.h>

enum {
	LASTS_MAX_S = 366 * 86400,
	ADVICE_MAX = CONFIG_PATTERN_MAX + 256,
	ENTRY_NAME_MAX = CONFIG_PATTERN_MAX + 3
};

struct entry_asked {
	char name[ENTRY_NAME_MAX];
	const char *verdict; // NULL in a removal: any
	const char *group;
	const char *types, *reply; // NULL: all, as the group says
	bool inverts;
	char until[CONFIG_TIME_TEXT_MAX]; // "": the entry does not end
	int64_t until_unix_s;
};

// Writes the canonical text of a name, or a pattern. False: `why`.
static bool name_text(const char *text, char out[ENTRY_NAME_MAX], char why[API_WHY_MAX])
{
	const char *wrong = NULL;
	struct dns_name name;
	char shown[DNS_NAME_TEXT_MAX], ascii[API_ASCII_MAX];
	if (text[0] == '/') {
		const size_t len = strlen(text);
		snprintf(why, API_WHY_MAX,
			"a pattern begins and ends with a slash, and has at most %d bytes between",
			CONFIG_PATTERN_MAX);
		if (len < 3 || len >= ENTRY_NAME_MAX || text[len - 1] != '/')
			return false;
		memcpy(out, text, len + 1);
		return true;
	}
	text = api_param_ascii(text, ascii);
	const int pasted = name_paste(text, &name, &wrong);
	if (pasted > 0)
		snprintf(why, API_WHY_MAX,
			"\"%.80s\" is more than a name; did you mean \"%.120s\"?", text,
			dns_name_to_text(&name, shown));
	else if (pasted == 0 && name.labels == 0)
		wrong = "the root would cover every name";
	else if (pasted == 0 && strncmp(text, "*.", 2) == 0)
		wrong = "an entry covers all names below it: leave out \"*.\"";
	if (wrong)
		snprintf(why, API_WHY_MAX, "%s", wrong);
	if (pasted == 0 && !wrong)
		snprintf(out, ENTRY_NAME_MAX, "%s", dns_name_to_text(&name, shown));
	return pasted == 0 && !wrong;
}

// Takes the canonical text of a name, or a pattern. False: replied with an error.
static bool name_take(struct http_exchange *x, struct entry_asked *out)
{
	char why[API_WHY_MAX];
	if (name_text(http_param(x, "name"), out->name, why))
		return true;
	api_refuse(x, 400, "name: %s", why);
	return false;
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
	bool is_new;
	if (!name_take(x, &asked) || !verdict_take(x, &asked) || !end_take(x, &asked)
		|| !api_param_flag(x, "invert", &asked.inverts)
		|| !api_param_flag(x, "new", &is_new))
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
	if (err > 0 && is_new && !verb_is_so(v)) {
		verb_refuse(v, 409, "\"%s\" has an entry for %s already: look again", asked.name,
			asked.group ? asked.group : CONFIG_EVERYONE);
		return;
	}
	asked_out(v, &asked);
	struct json_node *root = verb_root(v);
	json_out_text(v->reply, root, "until", asked.until);
	json_out_count(v->reply, root, "until_unix_s", (uint64_t)asked.until_unix_s);
	json_out_bool(v->reply, root, "replaced", err > 0);
	json_out_bool(v->reply, root, "replaced_permanent", err == 2);
	if (verb_is_so(v)) {
		verb_unchanged(v);
		return;
	}
	// The options come first, as a long name is cut.
	verb_apply(v, "%s%s%s%s%s%s%s%s %s", asked.verdict, asked.group ? " --group " : "",
		asked.group ? asked.group : "", asked.inverts ? " --invert" : "",
		asked.types ? " --type " : "", asked.types ? asked.types : "",
		asked.reply ? " --reply " : "", asked.reply ? asked.reply : "", asked.name);
}

// Advice about an entry of a file. An allow entry beats a deny entry of the same name, not the
// other way round.
static const char *file_advice(const struct entry_asked *asked, char out[ADVICE_MAX])
{
	static const char edit[] = "edit the file, then run weirctl config apply";
	const char *group = asked->group;
	if (asked->verdict && strcmp(asked->verdict, "deny") == 0 && asked->name[0] != '/')
		snprintf(out, ADVICE_MAX, "weirctl allow %s%s%s beats it; or %s",
			TEXT_QUOTE(asked->name), group ? " --group " : "",
			group ? TEXT_QUOTE(group) : "", edit);
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
		verb_absent(v, "no %s%sentry \"%s\" of %s; weirctl entries lists them",
			asked.verdict ? asked.verdict : "", asked.verdict ? " " : "", asked.name,
			asked.group ? asked.group : CONFIG_EVERYONE);
		return;
	}
	asked_out(v, &asked);
	verb_apply(v, "%s --remove%s%s %s", asked.verdict ? asked.verdict : "entry",
		asked.group ? " --group " : "", asked.group ? asked.group : "", asked.name);
}

// An entry in force, in texts; `name` points into `room`.
static struct managed_entry entry_of(
	const struct config *c, const struct config_dated_entry *e, char room[ENTRY_NAME_MAX])
{
	char text[DNS_NAME_TEXT_MAX];
	if (e->pattern)
		snprintf(room, ENTRY_NAME_MAX, "/%s/", e->pattern);
	else
		snprintf(room, ENTRY_NAME_MAX, "%s", dns_name_to_text(&e->name, text));
	return (struct managed_entry){.name = room,
		.verdict = e->allow ? "allow" : "deny",
		.group = e->group ? c->groups[e->group - 1].name : NULL};
}

static void entry_out(struct json_out *o, struct json_node *list, const struct config *c,
	const struct config_dated_entry *e, int64_t now, bool is_managed)
{
	struct json_node *n = json_out_object(o, list, NULL);
	char room[ENTRY_NAME_MAX], types[CONFIG_TYPES_TEXT_MAX], until[CONFIG_TIME_TEXT_MAX];
	const struct managed_entry same = entry_of(c, e, room);
	json_out_text(o, n, "name", same.name);
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
	json_out_bool(o, n, "removable", is_managed);
}

// Replies with the entries that allow or deny a name.
static void serve_entries(struct api *a, struct http_exchange *x)
{
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "entries");
	const int64_t now = verb_now();
	struct config_managed *m = verb_managed(a);
	const unsigned managed = m ? config_managed_entry_count(m) : 0;
	for (unsigned i = 0; i < c->dated.count; i++)
		entry_out(o, list, c, &c->dated.entries[i], now, i + managed >= c->dated.count);
	config_managed_free(m);
	json_out_count(o, json_out_root(o), "version", api_version_in_force(a));
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_entries_part = {
	.endpoint = {{"/entries", serve_entries, API_GET, CONTROL_READ, ""},
		{"/entries/add", serve_add, API_POST, CONTROL_OPERATE,
			"name! verdict! group invert type reply seconds new why if_version"},
		{"/entries/remove", serve_remove, API_POST, CONTROL_OPERATE,
			"name! verdict group why if_version"}},
};

enum { F_NAME, F_GROUP, F_VERDICT, F_INVERT, F_TYPE, F_REPLY, F_WHY, F_UNTIL };

static void entries_in_force(
	const struct verb *v, struct config_managed *copy, struct put_items *out)
{
	const struct config *c = verb_config(v);
	const unsigned managed = config_managed_entry_count(copy);
	for (unsigned i = 0; i < c->dated.count; i++) {
		const struct config_dated_entry *e = &c->dated.entries[i];
		char room[ENTRY_NAME_MAX], types[CONFIG_TYPES_TEXT_MAX];
		char until[CONFIG_TIME_TEXT_MAX];
		if (e->until && e->until <= verb_now())
			continue;
		const struct managed_entry one = entry_of(c, e, room);
		const char *const text[PUT_FIELDS_MAX] = {[F_NAME] = one.name,
			[F_GROUP] = one.group,
			[F_VERDICT] = one.verdict,
			[F_INVERT] = e->inverts ? "1" : "",
			[F_TYPE] = config_types_text(&e->types, types),
			[F_REPLY] = config_dated_reply_text(e),
			[F_WHY] = e->why,
			[F_UNTIL] = e->until ? config_time_text(e->until, until) : ""};
		(void)put_items_add(out, text, i + managed >= c->dated.count);
	}
}

// Adds a type in its order. False: it is unknown, or there are too many.
static bool type_add(struct rule_types *types, const char *word)
{
	uint16_t type;
	unsigned i = 0;
	if (!rdata_parse_type(word, &type) || types->count == RULE_TYPES_MAX)
		return false;
	while (i < types->count && types->type[i] < type)
		i++;
	if (i < types->count && types->type[i] == type)
		return true;
	memmove(&types->type[i + 1], &types->type[i], (types->count - i) * sizeof(type));
	types->type[i] = type;
	types->count++;
	return true;
}

// Writes types as GET does, which are given with commas between. False: they are none.
static bool types_text(const char *text, char out[CONFIG_TYPES_TEXT_MAX])
{
	struct rule_types types = {.except = text[0] == '~'};
	for (const char *at = text, *end; at; at = *end ? end + 1 : NULL) {
		char word[DNS_TYPE_TEXT_MAX];
		end = strchrnul(at, ',');
		snprintf(word, sizeof(word), "%.*s", (int)(end - at), at);
		if ((word[0] == '~') != types.except || !type_add(&types, word + types.except))
			return false;
	}
	config_types_text(&types, out);
	return true;
}

static bool entry_is_over(const struct put_asked *asked)
{
	int64_t until;
	return config_time_parse(asked->text[F_UNTIL], &until) == 0 && until <= verb_now();
}

static bool entry_check(const struct verb *v, struct put_asked *asked, char why[API_WHY_MAX])
{
	char name[ENTRY_NAME_MAX], wrong[API_WHY_MAX], types[CONFIG_TYPES_TEXT_MAX];
	const char *group = asked->text[F_GROUP], *verdict = asked->text[F_VERDICT];
	int64_t until;
	if (!name_text(asked->text[F_NAME], name, wrong)) {
		snprintf(why, API_WHY_MAX, "name: %.240s", wrong);
		return false;
	}
	if (!put_asked_set(asked, F_NAME, name))
		return false;
	if (strcmp(group, CONFIG_EVERYONE) == 0)
		asked->text[F_GROUP] = "";
	else if (*group && !config_group_by_name(verb_config(v), group)) {
		snprintf(why, API_WHY_MAX, "group: no group \"%.64s\"", group);
		return false;
	}
	if (strcmp(verdict, "allow") != 0 && strcmp(verdict, "deny") != 0) {
		snprintf(why, API_WHY_MAX, "verdict: must be allow or deny");
		return false;
	}
	if (*asked->text[F_TYPE]
		&& (!types_text(asked->text[F_TYPE], types)
			|| !put_asked_set(asked, F_TYPE, types))) {
		snprintf(why, API_WHY_MAX,
			"type: must be of these, with commas between: " RDATA_PARSE_TYPES);
		return false;
	}
	if (*asked->text[F_UNTIL] && config_time_parse(asked->text[F_UNTIL], &until) < 0) {
		snprintf(why, API_WHY_MAX, "until: must be a time, as 2030-12-31T22:00:00Z");
		return false;
	}
	return true;
}

static const char *given(const char *text)
{
	return *text ? text : NULL;
}

static int entry_set(const struct verb *v, const struct put_item *one, char[CONFIG_WHY_MAX])
{
	const struct managed_entry e = {.name = one->text[F_NAME],
		.verdict = one->text[F_VERDICT],
		.group = given(one->text[F_GROUP]),
		.until = given(one->text[F_UNTIL]),
		.why = given(one->text[F_WHY]),
		.types = given(one->text[F_TYPE]),
		.reply = given(one->text[F_REPLY]),
		.inverts = *one->text[F_INVERT]};
	const int rc = config_managed_entry_set(v->managed, &e);
	return rc < 0 ? rc : 0; // more than 0: replaced
}

static int entry_drop(struct config_managed *m, const struct put_item *one)
{
	const struct managed_entry e = {.name = one->text[F_NAME],
		.verdict = one->text[F_VERDICT],
		.group = given(one->text[F_GROUP])};
	return config_managed_entry_remove(m, &e);
}

const struct put_kind put_entries = {.name = "entries",
	.keys = F_GROUP + 1,
	.field = {{"name", PUT_TEXT, true, NULL}, {"group", PUT_TEXT, false, NULL},
		{"verdict", PUT_TEXT, true, NULL}, {"invert", PUT_FLAG, false, NULL},
		{"type", PUT_TEXT, false, NULL}, {"reply", PUT_TEXT, false, NULL},
		{"why", PUT_TEXT, false, NULL}, {"until", PUT_TEXT, false, NULL}},
	.reported = "until_unix_s left_s ended removable",
	.beside = "version",
	.beats_files = true,
	.skips = entry_is_over,
	.in_force = entries_in_force,
	.check = entry_check,
	.set = entry_set,
	.remove = entry_drop};
