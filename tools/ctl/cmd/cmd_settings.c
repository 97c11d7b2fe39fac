// SPDX-License-Identifier: BSD-3-Clause
// Commands that change any key of the configuration without the operator's file, by overrides in
// its managed part: `config set`, and the words of every day for groups, clients, services, safe
// search, schedules, forward zones and the privacy of the query log.

#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/text.h>

enum { PATH_MAX_HERE = 512 };

// Prints the command that takes a change back.
static void back_print(const struct json_node *root)
{
	say(root, "take it back: weirctl config clear {path:q}\n");
}

static void set_print(const struct json_node *root)
{
	say(root, "{path} is set");
	say_if(root, "of_file", ", in place of what a file says");
	printf("\n");
	back_print(root);
	say_if(root, "needs_restart", "needs a restart: {needs_restart}\n");
}

static int set(struct ctl *c, const char *path, const char *value)
{
	const struct http_param params[] = {
		{"path", path}, {"yaml", value}, {"why", c->reason}, {NULL, NULL}};
	return show_change(c, "/config/set", params, set_print);
}

// Sets `key` of an item of a list: of `groups`, "groups[kids].services".
static int item_set(
	struct ctl *c, const char *list, const char *item, const char *key, const char *value)
{
	char path[PATH_MAX_HERE];
	if (snprintf(path, sizeof(path), "%s[%s].%s", list, item, key) >= (int)sizeof(path))
		return ctl_fail(c, "that name is too long");
	return set(c, path, value);
}

static void unset_print(const struct json_node *root)
{
	say(root, "{path} is gone");
	say(root, json_flag(root, "of_file") ? ": what a file says of it counts as absent\n"
					       "take it back: weirctl config clear {path:q}\n"
					     : "\n");
	say_if(root, "needs_restart", "needs a restart: {needs_restart}\n");
}

static int unset(struct ctl *c, const char *path)
{
	const struct http_param params[] = {{"path", path}, {"why", c->reason}, {NULL, NULL}};
	return show_change(c, "/config/unset", params, unset_print);
}

static int item_unset(struct ctl *c, const char *list, const char *item)
{
	char path[PATH_MAX_HERE];
	if (snprintf(path, sizeof(path), "%s[%s]", list, item) >= (int)sizeof(path))
		return ctl_fail(c, "that name is too long");
	return unset(c, path);
}

static int cmd_config_set(struct ctl *c)
{
	return set(c, c->operand, c->type);
}

static int cmd_config_unset(struct ctl *c)
{
	return unset(c, c->operand);
}

static void clear_print(const struct json_node *root)
{
	say(root, json_flag(root, "of_file") ? "{path} is as a file says\n"
					     : "{path} is no longer set\n");
	say_if(root, "needs_restart", "needs a restart: {needs_restart}\n");
}

static int cmd_config_clear(struct ctl *c)
{
	const struct http_param params[] = {{"path", c->operand}, {"why", c->reason}, {NULL, NULL}};
	return show_change(c, "/config/clear", params, clear_print);
}

static void value_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%s", json_flag(n, "unset") ? "(unset)" : json_text(n, key));
}

static void file_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, json_flag(n, key) ? "yes" : "no");
}

static void overrides_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"key", "path", cell_text},
		{"in a file", "of_file", file_cell}, {"value", "value", value_cell}};
	cell_rows_print(json_get(root, "overrides"), columns, ARRAY_LEN(columns));
}

static int cmd_config_overrides(struct ctl *c)
{
	return show_call(c, false, "/config/overrides", NULL, HTTP_SHORT_MS, overrides_print);
}

static void range_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (json_length(json_get(n, key)))
		cell_items(t, n, key);
	else
		table_cell(t, "%lld to %lld", (long long)json_signed(n, "min"),
			(long long)json_signed(n, "max"));
}

static void live_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, json_flag(n, key) ? "at once" : "after a restart");
}

static void values_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"key", "path", cell_text},
		{"value", "value", cell_text}, {"values", "words", range_cell},
		{"a change takes effect", "live", live_cell}};
	cell_rows_print(json_get(root, "values"), columns, ARRAY_LEN(columns));
}

static int cmd_config_get(struct ctl *c)
{
	const struct http_param params[] = {{"path", c->operand}, {NULL, NULL}};
	return show_call(c, false, "/config/values", params, HTTP_SHORT_MS, values_print);
}

static int cmd_group_create(struct ctl *c)
{
	char path[PATH_MAX_HERE];
	const struct http_param params[] = {
		{"path", path}, {"yaml", c->type}, {"new", "1"}, {"why", c->reason}, {NULL, NULL}};
	if (snprintf(path, sizeof(path), "groups[%s].clients", c->operand) >= (int)sizeof(path))
		return ctl_fail(c, "that name is too long");
	return show_change(c, "/config/set", params, set_print);
}

static int cmd_group_set(struct ctl *c)
{
	return item_set(c, "groups", c->operand, c->type, c->third);
}

static int cmd_group_delete(struct ctl *c)
{
	return item_unset(c, "groups", c->operand);
}

static bool is_mac(const char *text)
{
	unsigned colons = 0;
	for (const char *p = text; *p; p++)
		colons += *p == ':';
	return colons == 5 && strlen(text) == sizeof("00:00:00:00:00:00") - 1;
}

// Adds the words of a text as a list.
static void words_put(struct json_node *n, const char *key, const char *text)
{
	struct json_node *list = json_put_array(n, key);
	char word[PATH_MAX_HERE];
	for (const char *at = text, *end; at; at = *end ? end + 1 : NULL) {
		end = strchrnul(at, ',');
		snprintf(word, sizeof(word), "%.*s", (int)(end - at), at);
		json_put_text(list, NULL, word);
	}
}

// Finds another client that the overrides give this address, and no other one. Where a file has
// that key too, the address stays: its end would be that of the file's addresses.
static bool named_find(
	const struct ctl *c, const char *key, const struct json_node *root, char out[PATH_MAX_HERE])
{
	static const char begin[] = "clients[";
	const struct json_node *list = json_get(root, "overrides");
	char end[32], value[PATH_MAX_HERE];
	snprintf(end, sizeof(end), "].%s", key);
	snprintf(value, sizeof(value), "[\"%s\"]", c->operand);
	for (size_t i = 0; i < json_length(list); i++) {
		const char *path = json_text(json_at(list, i), "path");
		const char *name = path + sizeof(begin) - 1, *at = strstr(path, end);
		if (strncmp(path, begin, sizeof(begin) - 1) != 0 || !at || at[strlen(end)]
			|| strcmp(json_text(json_at(list, i), "value"), value) != 0
			|| json_flag(json_at(list, i), "of_file"))
			continue;
		snprintf(out, PATH_MAX_HERE, "%.*s", (int)(at - name), name);
		if (strcmp(out, c->type) != 0)
			return true;
	}
	return false;
}

static void renamed_print(const struct json_node *root)
{
	say_if(root, "needs_restart", "needs a restart: {needs_restart}\n");
}

// Names the client in place of its other name, by one change.
static int rename_client(struct ctl *c, const char *key, const char *other)
{
	char replace[PATH_MAX_HERE], old[TEXT_QUOTE_MAX], new[TEXT_QUOTE_MAX];
	struct json_doc *doc = json_doc_new();
	struct json_node *one =
		doc ? json_put_object(json_put_array(json_doc_root(doc), "clients"), NULL) : NULL;
	json_put_text(one, "name", c->type);
	words_put(one, key, c->operand);
	char *text = doc ? json_doc_text(doc) : NULL;
	json_doc_free(doc);
	if (!text)
		return ctl_fail(c, "no memory");
	// Only this key: other addresses that the name has stay its own.
	if (snprintf(replace, sizeof(replace), "clients[%s].%s", other, key)
		>= (int)sizeof(replace)) {
		free(text);
		return ctl_fail(c, "that name is too long");
	}
	const struct http_param params[] = {
		{"yaml", text}, {"replace", replace}, {"why", c->reason}, {NULL, NULL}};
	const int rc = show_change(c, "/config/override", params, renamed_print);
	free(text);
	if (rc != CTL_OK || c->json)
		return rc;
	term_text(other, old, sizeof(old));
	term_text(c->type, new, sizeof(new));
	printf("%s is %s, and no longer %s\ntake it back: weirctl client name %s %s\n", c->operand,
		new, old, c->operand, TEXT_QUOTE(old));
	return CTL_OK;
}

// An address has one name: another one that `client name` gave it ends.
static int cmd_client_name(struct ctl *c)
{
	const char *key = is_mac(c->operand) ? "macs" : "addresses";
	char other[PATH_MAX_HERE];
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc =
		http_call_or_fail(c, false, "/config/overrides", NULL, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	const bool has_other = named_find(c, key, json_doc_root(doc), other);
	json_doc_free(doc);
	return has_other ? rename_client(c, key, other)
			 : item_set(c, "clients", c->type, key, c->operand);
}

static int cmd_client_forget(struct ctl *c)
{
	return item_unset(c, "clients", c->operand);
}

static void service_print(const struct json_node *root, const char *done, const char *back)
{
	say(root, "{service} is ");
	printf("%s", done);
	if (!say_if(root, "group", " for group {group}"))
		printf(" for all clients");
	printf("\ntake it back: weirctl services %s", back);
	say(root, " {service}");
	say_if(root, "group", " --group {group:q}");
	printf("\n");
}

static void blocked_print(const struct json_node *root)
{
	service_print(root, "blocked", "allow");
}

static void allowed_print(const struct json_node *root)
{
	service_print(root, "no longer blocked by name", "block");
}

static int service_change(
	struct ctl *c, const char *path, void (*print)(const struct json_node *root))
{
	const struct http_param params[] = {
		{"service", c->operand}, {"group", c->group}, {"why", c->reason}, {NULL, NULL}};
	return show_change(c, path, params, print);
}

static int cmd_services_block(struct ctl *c)
{
	return service_change(c, "/services/block", blocked_print);
}

static int cmd_services_allow(struct ctl *c)
{
	return service_change(c, "/services/allow", allowed_print);
}

// A key of `blocking`, or of the group of --group.
static int filter_path(struct ctl *c, const char *key, char out[PATH_MAX_HERE])
{
	const int len = c->group ? snprintf(out, PATH_MAX_HERE, "groups[%s].%s", c->group, key)
				 : snprintf(out, PATH_MAX_HERE, "blocking.%s", key);
	return len < PATH_MAX_HERE ? CTL_OK : ctl_fail(c, "that name is too long");
}

static void changed_print(const struct json_node *root)
{
	printf("done; weirctl groups shows what is in force\n");
	say_if(root, "needs_restart", "needs a restart: {needs_restart}\n");
}

// Adds `blocking`, or the group of --group, to a change, and returns it.
static struct json_node *filter_put(const struct ctl *c, struct json_doc *doc)
{
	if (!c->group)
		return json_put_object(json_doc_root(doc), "blocking");
	struct json_node *group =
		json_put_object(json_put_array(json_doc_root(doc), "groups"), NULL);
	json_put_text(group, "name", c->group);
	return group;
}

// Sends and frees a change of filter_put(), in place of what is at `path` below that.
static int filter_change(struct ctl *c, const char *path, struct json_doc *doc)
{
	char replace[PATH_MAX_HERE];
	char *text = doc ? json_doc_text(doc) : NULL;
	json_doc_free(doc);
	const struct http_param params[] = {
		{"yaml", text}, {"replace", replace}, {"why", c->reason}, {NULL, NULL}};
	int rc = text ? filter_path(c, path, replace) : ctl_fail(c, "no memory");
	if (rc == CTL_OK)
		rc = show_change(c, "/config/override", params, changed_print);
	free(text);
	return rc;
}

static int cmd_safe_search(struct ctl *c)
{
	const bool on = strcmp(c->operand, "on") == 0;
	char key[80], path[PATH_MAX_HERE];
	if (!on && strcmp(c->operand, "off") != 0) {
		fprintf(stderr, "weirctl: safe-search takes on or off\n");
		return CTL_USAGE;
	}
	if (!c->type) {
		struct json_doc *doc = json_doc_new();
		json_put_bool(json_put_object(filter_put(c, doc), "safe_search"), "all", on);
		return filter_change(c, "safe_search", doc);
	}
	snprintf(key, sizeof(key), "safe_search.%.60s", c->type);
	const int rc = filter_path(c, key, path);
	return rc == CTL_OK ? set(c, path, on ? "true" : "false") : rc;
}

// The operands are NAME FROM-TO[@ZONE] WHAT [DAYS].
static int cmd_schedule_set(struct ctl *c)
{
	const char *zone = strchrnul(c->type, '@'), *what = c->third;
	const char *dash = strchrnul(c->type, '-'), *to = dash < zone ? dash + 1 : zone;
	char path[PATH_MAX_HERE], time[PATH_MAX_HERE];
	struct json_doc *doc = json_doc_new();
	struct json_node *one =
		json_put_object(json_put_array(filter_put(c, doc), "schedules"), NULL);
	json_put_text(one, "name", c->operand);
	snprintf(time, sizeof(time), "%.*s", (int)((dash < zone ? dash : zone) - c->type), c->type);
	json_put_text(one, "from", time);
	snprintf(time, sizeof(time), "%.*s", (int)(zone - to), to);
	json_put_text(one, "to", time);
	if (*zone)
		json_put_text(one, "time_zone", zone + 1);
	if (strcmp(what, "block_all") == 0 || strcmp(what, "pause") == 0)
		json_put_bool(one, what, true);
	else
		words_put(one, "services", what);
	if (c->operand_count > 3)
		words_put(one, "days", c->operands[3]);
	snprintf(path, sizeof(path), "schedules[%s]", c->operand);
	return filter_change(c, path, doc);
}

// Is the schedule of that name the key `family_time`, and no item of `schedules`?
static bool is_family_time(const struct ctl *c, const struct json_node *groups)
{
	const char *whose = c->group ? c->group : CONFIG_EVERYONE;
	for (size_t i = 0; i < json_length(groups); i++) {
		const struct json_node *list = json_get(json_at(groups, i), "schedules");
		if (strcmp(json_text(json_at(groups, i), "name"), whose) != 0)
			continue;
		for (size_t k = 0; k < json_length(list); k++)
			if (strcmp(json_text(json_at(list, k), "name"), c->operand) == 0)
				return json_flag(json_at(list, k), "family_time");
	}
	return false;
}

static int cmd_schedule_remove(struct ctl *c)
{
	char key[PATH_MAX_HERE], path[PATH_MAX_HERE];
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, false, "/groups", NULL, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	if (is_family_time(c, json_get(json_doc_root(doc), "groups")))
		snprintf(key, sizeof(key), "family_time");
	else
		snprintf(key, sizeof(key), "schedules[%s]", c->operand);
	json_doc_free(doc);
	const int rc = filter_path(c, key, path);
	return rc == CTL_OK ? unset(c, path) : rc;
}

static int cmd_forward_zone_add(struct ctl *c)
{
	return item_set(c, "forward_zones", c->operand, "servers", c->type);
}

static int cmd_forward_zone_remove(struct ctl *c)
{
	return item_unset(c, "forward_zones", c->operand);
}

static int cmd_query_log_privacy(struct ctl *c)
{
	return set(c, "query_log.anonymize", c->operand);
}

static int cmd_query_log_on(struct ctl *c)
{
	return set(c, "query_log.enabled", "true");
}

static int cmd_query_log_off(struct ctl *c)
{
	return set(c, "query_log.enabled", "false");
}

CTL_COMMANDS = {
	{"config", "set", 2, 2, CTL_OPT_WHY, cmd_config_set, "KEY VALUE [--why TEXT]",
		"Set a key in place of what the files say: blocking.mode nodata, "
		"'groups[kids].services' tiktok,steam."},
	{"config", "unset", 1, 1, CTL_OPT_WHY, cmd_config_unset, "KEY [--why TEXT]",
		"Let a key or an item count as absent: the files keep it."},
	{"config", "clear", 1, 1, CTL_OPT_WHY, cmd_config_clear, "KEY [--why TEXT]",
		"Take back config set and config unset: what the files say counts again."},
	{"config", "overrides", 0, 0, 0, cmd_config_overrides, "",
		"List what config set and config unset did, and whether a file has the key."},
	{"config", "get", 0, 1, 0, cmd_config_get, "[KEY]",
		"Show values in force: of KEY, which has one number or word, or of all keys."},
	{"group", "create", 2, 2, CTL_OPT_WHY, cmd_group_create,
		"GROUP CLIENT[,CLIENT...] [--why TEXT]",
		"Make a group of clients: addresses, prefixes, MAC addresses, names."},
	{"group", "set", 3, 3, CTL_OPT_WHY, cmd_group_set, "GROUP KEY VALUE [--why TEXT]",
		"Set a key of a group, as config set does."},
	{"group", "delete", 1, 1, CTL_OPT_WHY, cmd_group_delete, "GROUP [--why TEXT]",
		"Delete a group; its clients are in none then."},
	{"client", "name", 2, 2, CTL_OPT_WHY, cmd_client_name, "ADDRESS|MAC NAME [--why TEXT]",
		"Give a client a name, in place of one that it has by this command."},
	{"client", "forget", 1, 1, CTL_OPT_WHY, cmd_client_forget, "CLIENT [--why TEXT]",
		"Take a client's name back."},
	{"services", "block", 1, 1, CTL_OPT_GROUP | CTL_OPT_WHY, cmd_services_block,
		"SERVICE [--group G] [--why TEXT]",
		"Block a service, for all clients or for group G."},
	{"services", "allow", 1, 1, CTL_OPT_GROUP | CTL_OPT_WHY, cmd_services_allow,
		"SERVICE [--group G] [--why TEXT]", "Block a service no longer."},
	{"safe-search", NULL, 1, 2, CTL_OPT_GROUP | CTL_OPT_WHY, cmd_safe_search,
		"on|off [ENGINE] [--group G] [--why TEXT]",
		"Let search engines answer safely, for all clients or for group G."},
	{"schedule", "set", 3, 4, CTL_OPT_GROUP | CTL_OPT_WHY, cmd_schedule_set,
		"NAME FROM-TO[@ZONE] block_all|pause|SERVICE[,SERVICE...] [DAY[,DAY...]] "
		"[--group G] [--why TEXT]",
		"Block everything or services at times, or pause blocking: bedtime 21:00-07:00 "
		"block_all sun,mon,tue. The times are the box's, or of a ZONE such as "
		"Europe/Berlin."},
	{"schedule", "remove", 1, 1, CTL_OPT_GROUP | CTL_OPT_WHY, cmd_schedule_remove,
		"NAME [--group G] [--why TEXT]", "Remove a schedule."},
	{"forward-zone", "add", 2, 2, CTL_OPT_WHY, cmd_forward_zone_add,
		"ZONE SERVER[,SERVER...] [--why TEXT]",
		"Ask these servers for the names of a zone."},
	{"forward-zone", "remove", 1, 1, CTL_OPT_WHY, cmd_forward_zone_remove, "ZONE [--why TEXT]",
		"Ask the upstream servers for them again."},
	{"query-log", "privacy", 1, 1, CTL_OPT_WHY, cmd_query_log_privacy,
		"none|truncate|hash [--why TEXT]",
		"Choose what the query log has of a client: none: its address; truncate: its "
		"network; hash: a number that changes each day."},
	{"query-log", "off", 0, 0, CTL_OPT_WHY, cmd_query_log_off, "[--why TEXT]",
		"Log no queries."},
	{"query-log", "on", 0, 0, CTL_OPT_WHY, cmd_query_log_on, "[--why TEXT]",
		"Log queries again."},
};
