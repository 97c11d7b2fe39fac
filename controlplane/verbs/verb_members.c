// SPDX-License-Identifier: BSD-3-Clause
// POST /groups/add, /groups/remove and /groups/move: the clients that the managed part adds to
// groups.

#include "verb.h"
#include "verb_put.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

struct member_asked {
	char client[CONFIG_ITEM_GROUP_MAX];
	const char *group; // NULL: not given
};

// Begins a verb for a client and a checked group. NULL: replied with an error.
static struct verb *begin(struct api *a, struct http_exchange *x, struct member_asked *out)
{
	const char *client = http_param(x, "client");
	out->group = http_param(x, "group");
	if (!*client || strlen(client) >= sizeof(out->client)) {
		api_refuse(x, 400, "client: must have 1 to %zu bytes", sizeof(out->client) - 1);
		return NULL;
	}
	if (out->group && strcmp(out->group, CONFIG_EVERYONE) == 0) {
		api_refuse(x, 400,
			"%s is no group: weirctl group remove takes a client out of its "
			"group",
			CONFIG_EVERYONE);
		return NULL;
	}
	config_client_text(client, out->client);
	struct verb *v = verb_begin(a, x);
	return v && verb_group_check(v, out->group) ? v : NULL;
}

// `verb` NULL: nothing changes.
static void finish(
	struct verb *v, const struct member_asked *asked, const char *before, const char *verb)
{
	json_out_text(v->reply, verb_root(v), "client", asked->client);
	json_out_text(v->reply, verb_root(v), "group", asked->group ? asked->group : "");
	json_out_text(v->reply, verb_root(v), "before", before);
	if (!verb)
		verb_unchanged(v);
	else
		verb_apply(v, "group %s %s%s%s", verb, asked->client, asked->group ? " " : "",
			asked->group ? asked->group : "");
}

static const char advice[] = "edit the file, then run weirctl config apply";

static bool is_of_file(struct verb *v, const struct member_asked *asked)
{
	const struct config_item item = {.kind = CONFIG_ITEM_MEMBER, .name = asked->client};
	return verb_is_of_file(v, &item, "the group of that client", advice);
}

// Adds a client to a group.
static void serve_add(struct api *a, struct http_exchange *x)
{
	struct member_asked asked;
	struct verb *v = begin(a, x, &asked);
	if (!v || is_of_file(v, &asked))
		return;
	const int err = config_managed_member_add(v->managed, asked.group, asked.client);
	const char *group = config_managed_member_group(v->managed, asked.client);
	if (err == -EEXIST && strcmp(group, asked.group) == 0)
		finish(v, &asked, "", NULL);
	else if (err == -EEXIST)
		verb_refuse(v, 409, "%s is in group \"%s\" already; weirctl group move %s GROUP",
			asked.client, group, asked.client);
	else if (err < 0)
		verb_fail(v, err);
	else
		finish(v, &asked, "", "add");
}

// `group`: the client's group; NULL: the client is in no group.
static void remove_none(struct verb *v, const struct member_asked *asked, const char *group)
{
	if (group)
		verb_absent(v, "%s is in group \"%s\", not in group \"%s\"", asked->client, group,
			asked->group);
	else
		verb_absent(v,
			"no group has the client \"%s\"; weirctl config show prints the groups",
			asked->client);
}

// Removes a client from its group.
static void serve_remove(struct api *a, struct http_exchange *x)
{
	struct member_asked asked;
	char before[CONFIG_GROUP_NAME_MAX + 1] = "";
	struct verb *v = begin(a, x, &asked);
	if (!v || is_of_file(v, &asked))
		return;
	const char *group = config_managed_member_group(v->managed, asked.client);
	snprintf(before, sizeof(before), "%s", group ? group : "");
	if (config_managed_member_remove(v->managed, asked.group, asked.client) < 0)
		remove_none(v, &asked, group);
	else
		finish(v, &asked, before, "remove");
}

// Moves a client to another group. Adds the client if it is in no group.
static void serve_move(struct api *a, struct http_exchange *x)
{
	struct member_asked asked;
	char before[CONFIG_GROUP_NAME_MAX + 1] = "";
	struct verb *v = begin(a, x, &asked);
	if (!v || is_of_file(v, &asked))
		return;
	const char *group = config_managed_member_group(v->managed, asked.client);
	snprintf(before, sizeof(before), "%s", group ? group : "");
	if (strcmp(before, asked.group) == 0) {
		finish(v, &asked, before, NULL);
		return;
	}
	(void)!config_managed_member_remove(v->managed, NULL, asked.client);
	const int err = config_managed_member_add(v->managed, asked.group, asked.client);
	if (err < 0)
		verb_fail(v, err);
	else
		finish(v, &asked, before, "move");
}

const struct api_part api_members_part = {
	.endpoint = {{"/groups/add", serve_add, API_POST, CONTROL_ADMIN, "client! group! why"},
		{"/groups/remove", serve_remove, API_POST, CONTROL_ADMIN, "client! group why"},
		{"/groups/move", serve_move, API_POST, CONTROL_ADMIN, "client! group! why"}},
};

// `*`: a key that the body lacks, which stays as it is. G_OF_FILE: "1": a file has the group, and
// its clients are none of the managed part's; "clients": a file has it, its clients are.
enum { G_NAME, G_CLIENTS, G_SERVICES, G_BLOCKING, G_OF_FILE, GROUP_PATH_MAX = 128 };

// Texts of clients, to sort and join.
struct clients {
	unsigned count, room;
	char (*text)[CONFIG_ITEM_GROUP_MAX];
};

static bool client_add(struct clients *s, const char *text)
{
	if (s->count == s->room) {
		const unsigned room = s->room ? 2 * s->room : 64;
		char(*grown)[CONFIG_ITEM_GROUP_MAX] =
			heap_realloc(s->text, room * sizeof(*s->text));
		if (!grown)
			return false;
		s->text = grown;
		s->room = room;
	}
	config_client_text(text, s->text[s->count++]);
	return true;
}

// Adds the clients of a text with commas between.
static bool clients_add(struct clients *s, const char *text)
{
	for (const char *at = *text ? text : NULL, *end; at; at = *end ? end + 1 : NULL) {
		char one[CONFIG_ITEM_GROUP_MAX];
		end = strchrnul(at, ',');
		if ((size_t)(end - at) >= sizeof(one))
			return false;
		*(char *)mempcpy(one, at, (size_t)(end - at)) = '\0';
		if (!client_add(s, one))
			return false;
	}
	return true;
}

static bool group_clients_add(struct clients *s, const struct config_group *g)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	bool ok = true;
	for (unsigned i = 0; ok && i < g->client_count; i++)
		ok = client_add(s, ip_address_text(&g->clients[i], true, text));
	for (unsigned i = 0; ok && i < g->mac_count; i++)
		ok = client_add(s, config_mac_text(&g->macs[i], text));
	for (unsigned i = 0; ok && i < g->client_name_count; i++)
		ok = client_add(s, g->client_names[i]);
	return ok;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

// Sorts and joins the clients, each once; for free(). NULL: no memory.
static char *clients_join(struct clients *s)
{
	char *out = heap_malloc((size_t)s->count * CONFIG_ITEM_GROUP_MAX + 1), *at = out;
	if (!out)
		return NULL;
	if (s->count)
		qsort(s->text, s->count, sizeof(*s->text), by_text);
	for (unsigned i = 0; i < s->count; i++) {
		if (i && strcmp(s->text[i], s->text[i - 1]) == 0)
			continue;
		if (at > out)
			*at++ = ',';
		at = stpcpy(at, s->text[i]);
	}
	*at = '\0';
	return out;
}

static bool group_path(char out[GROUP_PATH_MAX], const char *group, const char *key)
{
	return snprintf(out, GROUP_PATH_MAX, "groups[%s]%s", group, key) < GROUP_PATH_MAX;
}

struct override_look {
	const char *path;
	bool is_set;
};

static void override_see(void *arg, const char *path, const char *value)
{
	struct override_look *l = arg;
	l->is_set |= value && strcmp(path, l->path) == 0;
}

// Does the managed part set the clients of the group?
static bool clients_are_set(const struct config_managed *m, const char *group)
{
	char path[GROUP_PATH_MAX];
	struct override_look l = {.path = path};
	return group_path(path, group, ".clients")
	       && config_managed_overrides(m, override_see, &l) == 0 && l.is_set;
}

// Has the managed part a client of the group?
static bool has_members(const struct config_managed *m, const struct clients *s, const char *group)
{
	for (unsigned i = 0; i < s->count; i++) {
		const char *in = config_managed_member_group(m, s->text[i]);
		if (in && strcmp(in, group) == 0)
			return true;
	}
	return false;
}

// Adds a group in force. `of_file`: a file has it.
static void group_add(
	const struct verb *v, const struct config_group *g, bool of_file, struct put_items *out)
{
	const struct config *c = verb_config(v);
	struct clients s = {0};
	char services[VERB_SERVICES_MAX];
	char *joined = group_clients_add(&s, g) ? clients_join(&s) : NULL;
	const bool is_set = clients_are_set(v->managed, g->name);
	const char *const text[PUT_FIELDS_MAX] = {[G_NAME] = g->name,
		[G_CLIENTS] = joined,
		[G_SERVICES] = verb_services_text(config_group_services(c, g), services),
		[G_BLOCKING] = c->blocking.enabled && g->blocking ? "1" : "",
		[G_OF_FILE] = !of_file ? ""
			      : is_set ? "clients"
				       : "1"};
	out->is_short |= !joined;
	(void)put_items_add(out, text, !of_file || is_set || has_members(v->managed, &s, g->name));
	heap_free(joined);
	heap_free(s.text);
}

static void groups_in_force(const struct verb *v, struct config_managed *, struct put_items *out)
{
	const struct api_deps *d = &v->api->deps;
	const struct config *c = verb_config(v);
	char path[CONFIG_GROUPS_MAX][GROUP_PATH_MAX];
	const char *paths[CONFIG_GROUPS_MAX];
	bool of_file[CONFIG_GROUPS_MAX];
	for (unsigned i = 0; i < c->group_count; i++) {
		(void)group_path(path[i], c->groups[i].name, "");
		paths[i] = path[i];
	}
	config_paths_find(d->config_bundle(d->reload_arg), false, paths, c->group_count, of_file);
	for (unsigned i = 0; i < c->group_count; i++)
		group_add(v, &c->groups[i], of_file[i], out);
}

// Clients of the group that a file has stay in it.
static bool filed_add(const struct verb *v, struct clients *s, const struct config_group *g)
{
	struct clients all = {0};
	bool ok = group_clients_add(&all, g);
	for (unsigned i = 0; ok && i < all.count; i++)
		if (!config_managed_member_group(v->managed, all.text[i]))
			ok = client_add(s, all.text[i]);
	heap_free(all.text);
	return ok;
}

static bool services_check(struct put_asked *asked, char why[API_WHY_MAX])
{
	struct service_set set = {0};
	char text[VERB_SERVICES_MAX];
	const char *given = asked->text[G_SERVICES];
	for (const char *at = *given ? given : NULL, *end; at; at = *end ? end + 1 : NULL) {
		char word[32];
		end = strchrnul(at, ',');
		snprintf(word, sizeof(word), "%.*s", (int)(end - at), at);
		const int service = service_find(word);
		if (service < 0) {
			snprintf(why, API_WHY_MAX, "services: \"%s\" is none", word);
			return false;
		}
		service_set_add(&set, (unsigned)service);
	}
	return put_asked_set(asked, G_SERVICES, verb_services_text(&set, text));
}

static bool group_check(const struct verb *v, struct put_asked *asked, const struct put_item *old,
	char why[API_WHY_MAX])
{
	const struct config_group *g = config_group_by_name(verb_config(v), asked->text[G_NAME]);
	struct clients s = {0};
	asked->text[G_OF_FILE] = old ? old->text[G_OF_FILE] : "";
	if (old && strcmp(asked->text[G_BLOCKING], "*") == 0)
		asked->text[G_BLOCKING] = old->text[G_BLOCKING];
	if (old && strcmp(asked->text[G_SERVICES], "*") == 0)
		asked->text[G_SERVICES] = old->text[G_SERVICES];
	if (strcmp(asked->text[G_SERVICES], "*") != 0 && !services_check(asked, why))
		return false;
	snprintf(why, API_WHY_MAX, "clients: one is too long, or there are too many");
	bool ok = clients_add(&s, asked->text[G_CLIENTS]);
	if (ok && g && strcmp(asked->text[G_OF_FILE], "1") == 0)
		ok = filed_add(v, &s, g);
	char *joined = ok ? clients_join(&s) : NULL;
	ok = joined && put_asked_set(asked, G_CLIENTS, joined);
	heap_free(joined);
	heap_free(s.text);
	return ok;
}

// Takes the clients of the list out of the groups that the managed part added them to: out of
// `group`; NULL: out of any.
static void members_remove(struct config_managed *m, const char *group, const char *clients)
{
	struct clients s = {0};
	(void)clients_add(&s, clients);
	for (unsigned i = 0; i < s.count; i++)
		(void)!config_managed_member_remove(m, group, s.text[i]);
	heap_free(s.text);
}

// Adds the clients to a group of a file that it does not have.
static int members_add(
	struct config_managed *m, const struct put_item *one, const struct clients *had)
{
	struct clients s = {0};
	int rc = clients_add(&s, one->text[G_CLIENTS]) ? 0 : -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < s.count; i++) {
		if (had->count
			&& bsearch(s.text[i], had->text, had->count, sizeof(*had->text), by_text))
			continue;
		(void)!config_managed_member_remove(m, NULL, s.text[i]);
		rc = config_managed_member_add(m, one->text[G_NAME], s.text[i]);
	}
	heap_free(s.text);
	return rc;
}

// Takes clients out of a group of a file that the body lacks, and adds others.
static int members_set(const struct verb *v, const struct put_item *one)
{
	struct clients filed = {0}, wanted = {0}, all = {0};
	const struct config_group *g = config_group_by_name(verb_config(v), one->text[G_NAME]);
	int rc = g && filed_add(v, &filed, g) && group_clients_add(&all, g)
				 && clients_add(&wanted, one->text[G_CLIENTS])
			 ? 0
			 : -ENOMEM;
	if (filed.count)
		qsort(filed.text, filed.count, sizeof(*filed.text), by_text);
	for (unsigned i = 0; rc == 0 && i < all.count; i++)
		if (!wanted.count
			|| !bsearch(all.text[i], wanted.text, wanted.count, sizeof(*wanted.text),
				by_text))
			(void)!config_managed_member_remove(
				v->managed, one->text[G_NAME], all.text[i]);
	if (rc == 0)
		rc = members_add(v->managed, one, &filed);
	heap_free(filed.text);
	heap_free(wanted.text);
	heap_free(all.text);
	return rc;
}

// Sets a key of the group where the body has another value than is in force.
static int key_set(const struct verb *v, const struct put_item *one, unsigned field,
	const char *key, const char *value, char why[CONFIG_WHY_MAX])
{
	char path[GROUP_PATH_MAX];
	if (strcmp(one->text[field], "*") == 0
		|| (one->before && strcmp(one->text[field], one->before->text[field]) == 0))
		return 0;
	if (!group_path(path, one->text[G_NAME], key)) {
		snprintf(why, CONFIG_WHY_MAX, "the name is too long");
		return -EINVAL;
	}
	return config_managed_set(v->managed, path, value, why);
}

static int group_set(const struct verb *v, const struct put_item *one, char why[CONFIG_WHY_MAX])
{
	const char *clients = one->text[G_CLIENTS], *services = one->text[G_SERVICES];
	const bool of_file = strcmp(one->text[G_OF_FILE], "1") == 0;
	const bool same = one->before && strcmp(clients, one->before->text[G_CLIENTS]) == 0;
	int rc = 0;
	if (!of_file && !same) {
		members_remove(v->managed, NULL, clients);
		if (one->before)
			members_remove(v->managed, one->text[G_NAME], one->before->text[G_CLIENTS]);
		rc = key_set(v, one, G_CLIENTS, ".clients", *clients ? clients : "[]", why);
	} else if (!same) {
		rc = members_set(v, one);
	}
	if (rc == 0)
		rc = key_set(v, one, G_SERVICES, ".services", *services ? services : "[]", why);
	if (rc == 0)
		rc = key_set(v, one, G_BLOCKING, ".blocking",
			*one->text[G_BLOCKING] ? "true" : "false", why);
	return rc;
}

static int group_drop(struct config_managed *m, const struct put_item *one)
{
	char path[GROUP_PATH_MAX], why[CONFIG_WHY_MAX];
	const char *of_file = one->text[G_OF_FILE];
	members_remove(m, one->text[G_NAME], one->text[G_CLIENTS]);
	if (strcmp(of_file, "1") == 0)
		return 0;
	if (!group_path(path, one->text[G_NAME], *of_file ? ".clients" : ""))
		return -ENOENT;
	return config_managed_override_clear(m, path, why);
}

// GET shows the first API_ITEMS_MAX of each kind of clients.
static bool group_is_whole(const struct json_in *object)
{
	static const char *const counts[] = {"prefixes", "macs", "client_name_count"};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		if (json_in_number(json_in_get(object, counts[i])) > API_ITEMS_MAX)
			return false;
	return true;
}

const struct put_kind put_groups = {.name = "groups",
	.keys = G_NAME + 1,
	.field = {{"name", PUT_TEXT, true, NULL, NULL},
		{"clients", PUT_TEXTS, true, NULL, "client_names"},
		{"services", PUT_TEXTS, false, "*", NULL},
		{"blocking", PUT_FLAG, false, "*", NULL}},
	.reported = "group prefixes macs vlan_count vlans client_name_count all_lists lists allow "
		    "deny safe_search block block_all paused pause_left_s next_change_unix_s "
		    "schedules",
	.skips = CONFIG_EVERYONE,
	.is_whole = group_is_whole,
	.in_force = groups_in_force,
	.check = group_check,
	.set = group_set,
	.remove = group_drop};
