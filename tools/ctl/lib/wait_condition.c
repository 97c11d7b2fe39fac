// SPDX-License-Identifier: BSD-3-Clause

#include "wait_condition.h"

#include "fleet_box.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/attr.h>
#include <weir/text.h>

enum { KEY_MAX = 128 };

static const struct {
	const char *word, *usage;
	unsigned words;
	enum wait_source source;
} kinds[] = {
	[WAIT_GENERATIONS] = {"generations", "generations", 1, WAIT_STATUS},
	[WAIT_LISTS] = {"lists", "lists", 1, WAIT_BLOCKLIST},
	[WAIT_LIST] = {"list", "list NAME", 2, WAIT_BLOCKLIST},
	[WAIT_UPSTREAM] = {"upstream", "upstream SERVER up|down|drained", 3, WAIT_UPSTREAMS},
	[WAIT_READY] = {"ready", "ready", 1, WAIT_OF_READY},
	[WAIT_DRAINED] = {"drained", "drained", 1, WAIT_OF_READY},
	[WAIT_COUNTER] = {"counter", "counter PATH OP VALUE", 4, WAIT_STATS},
	[WAIT_FLEET] = {"fleet", "fleet NAME,...", 2, WAIT_OF_FLEET},
	[WAIT_EVENT] = {"event", "event KIND", 2, WAIT_EVENTS},
};

// Commands that a path may begin with.
static const char *const sources[] = {
	[WAIT_STATUS] = "status",
	[WAIT_STATS] = "stats",
	[WAIT_UPSTREAMS] = "upstreams",
	[WAIT_BLOCKLIST] = "blocklist",
	[WAIT_TCP] = "tcp",
};
static const char *const states[] = {"up", "down", "drained"};
static const char *const ops[] = {
	[WAIT_GE] = ">=",
	[WAIT_GT] = ">",
	[WAIT_EQ] = "==",
	[WAIT_LE] = "<=",
	[WAIT_LT] = "<",
	[WAIT_NE] = "!=",
};

// The number of `word` in the list, or -1 with the reason in `why`.
static int word_find(const char *const list[], unsigned count, const char *what, const char *word,
	char why[WAIT_TEXT_MAX])
{
	struct text_near near;
	text_near_begin(&near, word);
	for (unsigned i = 0; i < count; i++) {
		if (strcmp(list[i], word) == 0)
			return (int)i;
		text_near_try(&near, list[i]);
	}
	int n = snprintf(why, WAIT_TEXT_MAX, "no such %s: %.*s", what, KEY_MAX, word);
	if (near.best)
		snprintf(why + n, WAIT_TEXT_MAX - (size_t)n, "; did you mean %s?", near.best);
	else
		for (unsigned i = 0; i < count; i++)
			n += snprintf(why + n, WAIT_TEXT_MAX - (size_t)n, "%s%s",
				i ? ", " : "; it is one of ", list[i]);
	return -1;
}

// A step of a path: a key, and in brackets an item of the key's list, by its number or by a value
// of the item.
struct step {
	char key[KEY_MAX], item[KEY_MAX];
	bool has_item;
};

// Reads a step, and moves `*path` after it. False: it is no step.
static bool step_parse(const char **path, struct step *s)
{
	const char *p = *path;
	const size_t key = strcspn(p, ".[]");
	if (key == 0 || key >= KEY_MAX)
		return false;
	*s = (struct step){.has_item = p[key] == '['};
	memcpy(s->key, p, key);
	p += key;
	if (s->has_item) {
		const size_t item = strcspn(++p, "]");
		if (item == 0 || item >= KEY_MAX || !p[item])
			return false;
		memcpy(s->item, p, item);
		p += item + 1;
		if (!strchr(s->item, '=') && strspn(s->item, "0123456789") != item)
			return false;
	}
	if (*p && (*p != '.' || !p[1]))
		return false;
	*path = *p ? p + 1 : p;
	return true;
}

static bool counter_parse(
	struct wait_condition *w, const char *const *word, char why[WAIT_TEXT_MAX])
{
	const char *path = word[1];
	struct step s;
	char *end;
	bool is_path = *path;
	for (unsigned i = 0; is_path && *path; i++) {
		is_path = step_parse(&path, &s) && (i || !s.has_item);
		int source = is_path && i == 0 ? word_find(
				     sources, ARRAY_LEN(sources), "command of a path", s.key, why)
					       : 0;
		if (source < 0)
			return false;
		if (i == 0) {
			w->source = (enum wait_source)source;
			w->name = path;
		}
	}
	if (!is_path || !*w->name) {
		snprintf(why, WAIT_TEXT_MAX,
			"no path, at %.*s: it is COMMAND.KEY.KEY, with [N] or [KEY=TEXT] behind "
			"the key of a list",
			KEY_MAX, is_path || !*path ? word[1] : path);
		return false;
	}
	int op = word_find(ops, ARRAY_LEN(ops), "operator", word[2], why);
	if (op < 0)
		return false;
	w->op = (enum wait_op)op;
	w->value = strtod(word[3], &end);
	if (end == word[3] || *end || !isfinite(w->value)) {
		snprintf(why, WAIT_TEXT_MAX, "no number: %.*s", KEY_MAX, word[3]);
		return false;
	}
	return true;
}

bool wait_parse(
	struct wait_condition *w, const char *const *word, unsigned words, char why[WAIT_TEXT_MAX])
{
	const char *names[ARRAY_LEN(kinds)];
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		names[i] = kinds[i].word;
	int kind = word_find(names, ARRAY_LEN(names), "condition", word[0], why);
	if (kind < 0)
		return false;
	*w = (struct wait_condition){
		.kind = (enum wait_kind)kind, .source = kinds[kind].source, .name = ""};
	if (words != kinds[kind].words) {
		snprintf(why, WAIT_TEXT_MAX, "an argument %s: weirctl wait %s",
			words < kinds[kind].words ? "is missing" : "too many", kinds[kind].usage);
		return false;
	}
	if (w->kind == WAIT_COUNTER)
		return counter_parse(w, word, why);
	if (words > 1)
		w->name = word[1];
	if (words > 2) {
		int state = word_find(states, ARRAY_LEN(states), "state of a server", word[2], why);
		if (state < 0)
			return false;
		w->state = states[state];
	}
	return true;
}

bool wait_for_parse(const char *text, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	const size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 8)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(text + digits, units[i].unit) == 0) {
			*ms = strtoull(text, NULL, 10) * units[i].ms;
			return *ms <= WAIT_FOR_MAX_MS;
		}
	return false;
}

static bool seen_put(char seen[WAIT_TEXT_MAX], bool is_met, const char *text)
{
	snprintf(seen, WAIT_TEXT_MAX, "%s", text);
	return is_met;
}

// Does the data plane use the generations that the control plane has published? Without a link to
// this control plane it may show equal numbers of the previous one.
static bool generations_met(const struct json_node *root, char seen[WAIT_TEXT_MAX])
{
	static const char *const of[][2] = {{"l0", "l0_generation"},
		{"rule_image", "rule_image_generation"}, {"config", "config_generation"},
		{"policy", "policy_generation"}};
	const struct json_node *c = json_get(root, "controlplane"), *g = json_get(c, "generations"),
			       *d = json_get(root, "dataplane");
	bool is_met = g && json_get(d, of[0][1]);
	int n = 0;
	if (!is_met)
		return seen_put(seen, false,
			g ? "no statistics of the data plane"
			  : "no generations of the control plane");
	if (!json_flag(c, "link_up") || !json_flag(d, "link_up"))
		return seen_put(seen, false, "no link between the processes");
	for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
		unsigned long long published = json_count(g, of[i][0]),
				   used = json_count(d, of[i][1]);
		is_met = is_met && published == used;
		n += snprintf(seen + n, WAIT_TEXT_MAX - (size_t)n, "%s%s %llu of %llu",
			i ? ", " : "", of[i][0], used, published);
	}
	return is_met;
}

static bool list_is_read(const struct json_node *n)
{
	return !json_flag(n, "failing")
	       && (!json_get(n, "url") || json_count(n, "last_good_unix_s")
		       || json_count(n, "names"));
}

// `name` NULL: all lists.
static bool lists_met(const char *name, const struct json_node *root, char seen[WAIT_TEXT_MAX])
{
	const struct json_node *lists = json_get(root, "lists");
	struct text_near near;
	bool has = !name;
	if (json_flag(root, "building"))
		return seen_put(seen, false, "building");
	text_near_begin(&near, name ? name : "");
	for (size_t i = 0; i < json_length(lists); i++) {
		const struct json_node *n = json_at(lists, i);
		const char *title = json_text(n, "name"), *error = json_text(n, "fetch_error");
		text_near_try(&near, title);
		if (name && strcmp(name, title) != 0)
			continue;
		has = true;
		if (!list_is_read(n)) {
			snprintf(seen, WAIT_TEXT_MAX, "%.*s: %.*s", KEY_MAX, title, KEY_MAX,
				*error                   ? error
				: *json_text(n, "error") ? json_text(n, "error")
							 : "not fetched yet");
			return false;
		}
	}
	if (!has)
		snprintf(seen, WAIT_TEXT_MAX, "no such list: %.*s%s%.*s%s", KEY_MAX, name,
			near.best ? "; did you mean " : "", KEY_MAX, near.best ? near.best : "",
			near.best ? "?" : "");
	else
		snprintf(seen, WAIT_TEXT_MAX, "%llu names in force", json_count(root, "names"));
	return has;
}

// Is it this server? "192.0.2.1" also names "192.0.2.1:53".
static bool is_server(const struct json_node *n, const char *name)
{
	const char *address = json_text(n, "address");
	const size_t len = strlen(name);
	return strcmp(address, name) == 0 || strcmp(json_text(n, "name"), name) == 0
	       || (strncmp(address, name, len) == 0 && strcmp(address + len, ":53") == 0);
}

static bool upstream_met(
	const struct wait_condition *w, const struct json_node *root, char seen[WAIT_TEXT_MAX])
{
	const struct json_node *list = json_get(root, "upstreams");
	struct text_near near;
	unsigned met = 0, all = 0;
	text_near_begin(&near, w->name);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		const char *state = json_text(n, "state");
		text_near_try(&near, json_text(n, "address"));
		text_near_try(&near, json_text(n, "name"));
		if (!is_server(n, w->name))
			continue;
		all++;
		const bool is_so = strcmp(state, w->state) == 0;
		met += is_so;
		if (!is_so || met == all)
			snprintf(seen, WAIT_TEXT_MAX, "%.*s", KEY_MAX, state);
	}
	if (!all)
		snprintf(seen, WAIT_TEXT_MAX, "no such server: %.*s%s%.*s%s", KEY_MAX, w->name,
			near.best ? "; did you mean " : "", KEY_MAX, near.best ? near.best : "",
			near.best ? "?" : "");
	return all && met == all;
}

static bool ready_met(const struct json_node *root, char seen[WAIT_TEXT_MAX])
{
	const char *why = json_item_text(json_get(root, "why"), 0);
	const bool is_met = json_flag(root, "ready");
	snprintf(seen, WAIT_TEXT_MAX, "%s%s%.*s", is_met ? "ready" : "not ready", *why ? ": " : "",
		WAIT_TEXT_MAX / 2, why);
	return is_met;
}

static bool drained_met(const struct json_node *root, char seen[WAIT_TEXT_MAX])
{
	const struct json_node *drain = json_get(root, "drain");
	const bool is_met = json_flag(root, "drained");
	if (is_met || !drain)
		return seen_put(seen, is_met, is_met ? "drained" : "no state of a drain");
	snprintf(seen, WAIT_TEXT_MAX, "%.*s, %llu connections left", KEY_MAX,
		json_text(drain, "state"), json_count(drain, "connections"));
	return false;
}

// An empty list of names is not met, so that a script with an empty variable stops.
static bool fleet_met(const char *names, const struct json_node *root, char seen[WAIT_TEXT_MAX])
{
	const struct json_node *boxes = json_get(json_get(root, "primary"), "boxes");
	const char *name;
	unsigned count = 0;
	for (size_t len; (len = fleet_name_next(&names, &name)); count++) {
		const struct json_node *n = fleet_box_find(boxes, name, len);
		const char *why = !n                       ? "has not polled this box"
				  : json_flag(n, "away")   ? "is away"
				  : !json_flag(n, "ready") ? "is not ready"
							   : NULL;
		if (why) {
			snprintf(seen, WAIT_TEXT_MAX, "%.*s %s", len < KEY_MAX ? (int)len : KEY_MAX,
				name, why);
			return false;
		}
	}
	const bool is_met = count && !*names;
	return seen_put(seen, is_met, is_met ? "all are ready" : "no name of a box");
}

static const struct json_node *item_find(const struct json_node *list, const char *item)
{
	const char *equals = strchr(item, '=');
	char key[KEY_MAX];
	if (!equals)
		return json_at(list, strtoull(item, NULL, 10));
	snprintf(key, sizeof(key), "%.*s", (int)(equals - item), item);
	for (size_t i = 0; i < json_length(list); i++)
		if (strcmp(json_text(json_at(list, i), key), equals + 1) == 0)
			return json_at(list, i);
	return NULL;
}

// NULL: `seen` names the step that finds nothing.
static const struct json_node *path_follow(
	const char *path, const struct json_node *n, char seen[WAIT_TEXT_MAX])
{
	struct step s;
	while (*path && step_parse(&path, &s)) {
		const struct json_node *below = json_get(n, s.key);
		const char *near = below ? NULL : json_key_near(n, s.key);
		if (!below) {
			snprintf(seen, WAIT_TEXT_MAX, "no such key: %s%s%.*s%s", s.key,
				near ? "; did you mean " : "", KEY_MAX, near ? near : "",
				near ? "?" : "");
			return NULL;
		}
		n = s.has_item ? item_find(below, s.item) : below;
		if (!n) {
			snprintf(seen, WAIT_TEXT_MAX, "no such item: %s[%s]", s.key, s.item);
			return NULL;
		}
	}
	return n;
}

static bool compare(double a, enum wait_op op, double b)
{
	switch (op) {
	case WAIT_GE:
		return a >= b;
	case WAIT_GT:
		return a > b;
	case WAIT_LE:
		return a <= b;
	case WAIT_LT:
		return a < b;
	case WAIT_EQ:
		return !(a < b) && !(a > b);
	default:
		return a < b || a > b;
	}
}

static bool counter_met(
	const struct wait_condition *w, const struct json_node *root, char seen[WAIT_TEXT_MAX])
{
	const struct json_node *n = path_follow(w->name, root, seen);
	double value;
	if (!n)
		return false;
	if (!json_number(n, &value))
		return seen_put(seen, false, "no number is there");
	snprintf(seen, WAIT_TEXT_MAX, "%.15g", value);
	return compare(value, w->op, w->value);
}

static bool event_met(const char *kind, const struct json_node *root, char seen[WAIT_TEXT_MAX])
{
	const struct json_node *list = json_get(root, "events");
	const char *last = "";
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		last = json_text(n, "kind");
		if (strcmp(last, kind) != 0)
			continue;
		snprintf(seen, WAIT_TEXT_MAX, "%llu %.*s", json_count(n, "number"),
			WAIT_TEXT_MAX / 2, json_text(n, "text"));
		return true;
	}
	snprintf(seen, WAIT_TEXT_MAX, "%zu events of other kinds%s%.*s", json_length(list),
		*last ? ", the last " : "", KEY_MAX, last);
	return false;
}

bool wait_is_met(
	const struct wait_condition *w, const struct json_node *root, char seen[WAIT_TEXT_MAX])
{
	switch (w->kind) {
	case WAIT_GENERATIONS:
		return generations_met(root, seen);
	case WAIT_LISTS:
		return lists_met(NULL, root, seen);
	case WAIT_LIST:
		return lists_met(w->name, root, seen);
	case WAIT_UPSTREAM:
		return upstream_met(w, root, seen);
	case WAIT_READY:
		return ready_met(root, seen);
	case WAIT_DRAINED:
		return drained_met(root, seen);
	case WAIT_FLEET:
		return fleet_met(w->name, root, seen);
	case WAIT_COUNTER:
		return counter_met(w, root, seen);
	default:
		return event_met(w->name, root, seen);
	}
}
