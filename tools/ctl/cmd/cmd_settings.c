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

// Sets a key, if the configuration still has the version `seen`; NULL: whatever version it has.
static int set_seen(struct ctl *c, const char *path, const char *value, const char *seen)
{
	const struct http_param params[] = {{"path", path}, {"yaml", value}, {"why", c->reason},
		{"if_version", seen}, {NULL, NULL}};
	return show_change(c, "/config/set", params, set_print);
}

static int set(struct ctl *c, const char *path, const char *value)
{
	return set_seen(c, path, value, NULL);
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

// Adds the words of a text to a list.
static void words_put(struct json_node *list, const char *text)
{
	char word[PATH_MAX_HERE];
	for (const char *at = text, *end; at; at = *end ? end + 1 : NULL) {
		end = strchrnul(at, ',');
		snprintf(word, sizeof(word), "%.*s", (int)(end - at), at);
		json_put_text(list, NULL, word);
	}
}

// What the overrides say about a name and an address; the rows are those of GET /config/overrides.
struct naming {
	const char *key;               // "addresses", or "macs"
	char path[PATH_MAX_HERE];      // the key of the name
	const struct json_node *own;   // row of that key; NULL: it is not set
	const struct json_node *other; // row of another name that has the address, or NULL
	char other_name[PATH_MAX_HERE];
	bool is_of_file;  // a file gives the name its addresses
	const char *seen; // version that says so; NULL: it has no number
	char number[24];
};

// Reads whose key a path is. False: it is no client's key of that name.
static bool client_of(const char *path, const char *key, char out[PATH_MAX_HERE])
{
	static const char begin[] = "clients[";
	const char *name = path + sizeof(begin) - 1;
	char end[32];
	snprintf(end, sizeof(end), "].%s", key);
	const char *at = strstr(path, end);
	if (strncmp(path, begin, sizeof(begin) - 1) != 0 || !at || at[strlen(end)])
		return false;
	snprintf(out, PATH_MAX_HERE, "%.*s", (int)(at - name), name);
	return true;
}

// Reads the list of a row as the "list" of a document. NULL: the row is unset, or no memory.
static struct json_doc *list_read(const struct json_node *row)
{
	char *text;
	const int len = asprintf(&text, "{\"list\": %s}", json_text(row, "value"));
	if (len < 0)
		return NULL;
	struct json_doc *doc = json_doc_parse(text, (size_t)len);
	free(text);
	return doc;
}

static bool list_has(const struct json_node *list, const char *text)
{
	for (size_t i = 0; i < json_length(list); i++)
		if (strcmp(json_item_text(list, i), text) == 0)
			return true;
	return false;
}

static bool row_has(const struct json_node *row, const char *text)
{
	struct json_doc *doc = list_read(row);
	const bool has = list_has(json_get(json_doc_root(doc), "list"), text);
	json_doc_free(doc);
	return has;
}

// Adds the list of a row, without one text.
static void rest_put(struct json_node *to, const struct json_node *row, const char *without)
{
	struct json_doc *doc = list_read(row);
	const struct json_node *list = json_get(json_doc_root(doc), "list");
	for (size_t i = 0; i < json_length(list); i++)
		if (strcmp(json_item_text(list, i), without) != 0)
			json_put_copy(to, json_at(list, i));
	json_doc_free(doc);
}

// Is the path `outer`, or a key or an item of it?
static bool is_within(const char *path, const char *outer)
{
	const size_t len = strlen(outer);
	return strncmp(path, outer, len) == 0 && strchr(".[", path[len]);
}

// Finds what the overrides have. An address of another name stays where a file has that key too:
// its end would be that of the file's addresses.
static void naming_find(struct naming *n, const struct ctl *c, const struct json_node *root)
{
	const struct json_node *list = json_get(root, "overrides");
	char name[PATH_MAX_HERE];
	bool is_unset = false;
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *row = json_at(list, i);
		const char *path = json_text(row, "path");
		const bool is_own = strcmp(path, n->path) == 0;
		if (json_flag(row, "unset"))
			is_unset |= is_within(n->path, path);
		else if (is_own)
			n->own = row;
		else if (!json_flag(row, "of_file") && row_has(row, c->operand)
			 && client_of(path, n->key, name)) {
			n->other = row;
			memcpy(n->other_name, name, sizeof(name));
		}
	}
	n->is_of_file = json_flag(root, "of_file") && !n->own && !is_unset;
	const unsigned long long version = json_count(root, "version");
	snprintf(n->number, sizeof(n->number), "%llu", version);
	n->seen = version ? n->number : NULL;
}

static struct json_node *client_put(struct json_node *list, const char *name, const char *key)
{
	struct json_node *one = json_put_object(list, NULL);
	json_put_text(one, "name", name);
	return json_put_array(one, key);
}

// Makes the change that adds the address to the name, and takes it from another one. Returns
// whether that one keeps some. *text, for free(): NULL without memory.
static bool change_make(const struct naming *n, const struct ctl *c, char **text)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *list = json_put_array(json_doc_root(doc), "clients"), *own, *rest;
	own = client_put(list, c->type, n->key);
	rest_put(own, n->own, c->operand);
	words_put(own, c->operand);
	struct json_doc *other = list_read(n->other);
	const bool keeps = json_length(json_get(json_doc_root(other), "list")) > 1;
	json_doc_free(other);
	if (keeps) {
		rest = client_put(list, n->other_name, n->key);
		rest_put(rest, n->other, c->operand);
	}
	*text = doc ? json_doc_text(doc) : NULL;
	json_doc_free(doc);
	return keeps;
}

static void named_print(const struct json_node *root)
{
	say_if(root, "needs_restart", "needs a restart: {needs_restart}\n");
}

// Tells what the change did, and the command that takes it back.
static void named_tell(const struct naming *n, const struct ctl *c)
{
	char old[TEXT_QUOTE_MAX], new[TEXT_QUOTE_MAX], path[TEXT_QUOTE_MAX], value[TEXT_QUOTE_MAX];
	term_text(n->other_name, old, sizeof(old));
	term_text(c->type, new, sizeof(new));
	term_text(n->path, path, sizeof(path));
	term_text(json_text(n->own, "value"), value, sizeof(value));
	if (n->other)
		printf("%s is %s, and no longer %s\ntake it back: weirctl client name %s %s\n",
			c->operand, new, old, c->operand, TEXT_QUOTE(old));
	else
		printf("%s is %s, too\ntake it back: weirctl config set %s %s\n", c->operand, new,
			TEXT_QUOTE(path), TEXT_QUOTE(value));
}

// Adds the address to those that the name has, and takes it from its other name, by one change.
static int name_add(struct ctl *c, const struct naming *n)
{
	char *text;
	const bool keeps = change_make(n, c, &text);
	// Only this key: what else the other name has stays its own.
	const char *replace = n->other && !keeps ? json_text(n->other, "path") : NULL;
	const struct http_param params[] = {{"yaml", text}, {"replace", replace},
		{"why", c->reason}, {"if_version", n->seen}, {NULL, NULL}};
	if (!text)
		return ctl_fail(c, "no memory");
	const int rc = show_change(c, "/config/override", params, named_print);
	free(text);
	if (rc == CTL_OK && !c->json)
		named_tell(n, c);
	return rc;
}

static int name_change(struct ctl *c, const struct naming *n)
{
	if (n->is_of_file)
		return ctl_fail(c,
			"%s stands in a file, which weirctl does not edit: weirctl config set %s "
			"ADDRESS,... sets all of them in its place",
			n->path, TEXT_QUOTE(n->path));
	if (n->own && row_has(n->own, c->operand)) // changes nothing
		return set_seen(c, n->path, json_text(n->own, "value"), n->seen);
	return n->own || n->other ? name_add(c, n) : set_seen(c, n->path, c->operand, n->seen);
}

// A name may have several addresses. An address has one name: another one that `client name` gave
// it ends.
static int cmd_client_name(struct ctl *c)
{
	struct naming n = {.key = is_mac(c->operand) ? "macs" : "addresses"};
	const struct http_param params[] = {{"path", n.path}, {NULL, NULL}};
	if (snprintf(n.path, sizeof(n.path), "clients[%s].%s", c->type, n.key)
		>= (int)sizeof(n.path))
		return ctl_fail(c, "that name is too long");
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc =
		http_call_or_fail(c, false, "/config/overrides", params, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	naming_find(&n, c, json_doc_root(doc));
	const int rc = name_change(c, &n);
	json_doc_free(doc);
	return rc;
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
		words_put(json_put_array(one, "services"), what);
	if (c->operand_count > 3)
		words_put(json_put_array(one, "days"), c->operands[3]);
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
