// SPDX-License-Identifier: BSD-3-Clause
// POST /groups/add, /groups/remove and /groups/move: the clients that the managed part adds to
// groups; PUT /groups: all groups at once.

#include "answer_policy/why/why_config.h"
#include "api/api_clients.h"
#include "base/url_fields.h"
#include "verb_put.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>

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

// Refuses an address of a device that another group has by its MAC address: that decides first, so
// the device would stay there. True: replied.
static bool is_by_mac(struct verb *v, const struct member_asked *asked)
{
	const struct config *c = v->api->deps.config_current(v->api->deps.reload_arg);
	const struct why_text text = {.client = asked->client};
	struct why_asked device;
	struct why_client found = {0};
	const char *bad;
	if (why_asked_parse(c, &text, &device, &bad) < 0 || !why_asked_needs_mac(c, &device))
		return false;
	// Groups go by the MAC address of received frames, not by that of a lease.
	device.has_mac = api_client_mac(v->api, &device.address, &device.mac) == API_MAC_NEIGHBOUR;
	why_client_find(c, &device, &found);
	const char *group = found.group ? c->groups[found.group - 1].name : "";
	if (found.found != WHY_FOUND_MAC || strcmp(group, asked->group) == 0)
		return false;
	verb_refuse(v, 409,
		"%s is the device %s, which is in group \"%s\" by that MAC address; weirctl group "
		"move %s %s",
		asked->client, found.by, group, TEXT_QUOTE(found.by), TEXT_QUOTE(asked->group));
	return true;
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

// Replies if an override of a group's clients has the client: these are set as a whole.
static bool is_of_override(struct verb *v, const struct member_asked *asked, bool is_removal)
{
	const char *group = config_managed_override_group(v->managed, asked->client);
	const bool is_in = group && (!asked->group || strcmp(group, asked->group) == 0);
	if (!group)
		return false;
	if (is_in == is_removal)
		verb_refuse(v, 409,
			"%s stands in groups[%s].clients, which config set has set: weirctl group "
			"set %s clients CLIENT,...",
			asked->client, group, TEXT_QUOTE(group));
	else if (is_removal)
		remove_none(v, asked, group);
	else
		finish(v, asked, group, NULL);
	return true;
}

// Adds a client to a group.
static void serve_add(struct api *a, struct http_exchange *x)
{
	struct member_asked asked;
	struct verb *v = begin(a, x, &asked);
	if (!v || is_of_file(v, &asked) || is_by_mac(v, &asked) || is_of_override(v, &asked, false))
		return;
	const int err = config_managed_member_add(v->managed, asked.group, asked.client);
	const char *group = config_managed_member_group(v->managed, asked.client);
	if (err == -EEXIST && strcmp(group, asked.group) == 0)
		finish(v, &asked, "", NULL);
	else if (err == -EEXIST)
		verb_refuse(v, 409, "%s is in group \"%s\" already; weirctl group move %s GROUP",
			asked.client, group, TEXT_QUOTE(asked.client));
	else if (err < 0)
		verb_fail(v, err);
	else
		finish(v, &asked, "", "add");
}

// Removes a client from its group.
static void serve_remove(struct api *a, struct http_exchange *x)
{
	struct member_asked asked;
	char before[CONFIG_GROUP_NAME_MAX + 1] = "";
	struct verb *v = begin(a, x, &asked);
	if (!v || is_of_file(v, &asked) || is_of_override(v, &asked, true))
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
	if (!v || is_of_file(v, &asked) || is_by_mac(v, &asked) || is_of_override(v, &asked, false))
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

static bool knows_beside(const void *, const char *key)
{
	return strcmp(key, "groups") == 0;
}

static bool knows_key(const void *, const char *key)
{
	return url_field_is_of(
		"name own group blocking prefixes macs host_addresses clients vlan_count vlans "
		"client_name_count client_names member_names all_lists lists allow deny services "
		"safe_search "
		"block block_all paused pause_left_s next_change_unix_s own_schedules schedules",
		"", key);
}

// Why the item is none of a group; NULL: it is.
static const char *item_wrong(const struct json_in *item)
{
	const enum json_in_kind own = json_in_kind(json_in_get(item, "own"));
	if (json_in_kind(item) != JSON_IN_OBJECT)
		return ": must be an object";
	const char *name = json_in_text(json_in_get(item, "name"));
	if (!*name)
		return ".name: must be a text";
	if (own != JSON_IN_NONE && strcmp(name, CONFIG_EVERYONE) == 0)
		return ".own: set what holds for everyone in `blocking`";
	return own == JSON_IN_NONE || own == JSON_IN_OBJECT ? NULL : ".own: must be an object";
}

// Prints an item of the body as one of a file. An empty `own` has an empty list there, as an item
// with a name alone stays as it is. False: no memory.
static bool item_print(const struct json_in *item, const char *between, FILE *out)
{
	const struct json_in *own = json_in_get(item, "own");
	char *name = json_in_dump(json_in_get(item, "name"));
	char *rest = json_in_kind(own) == JSON_IN_OBJECT ? json_in_dump(own) : NULL;
	const bool ok = name && (rest || json_in_kind(own) != JSON_IN_OBJECT);
	const bool is_empty = ok && rest && strcmp(rest, "{}") == 0;
	if (ok)
		fprintf(out, "%s{\"name\": %s%s%s", between, name, rest ? ", " : "",
			is_empty ? "\"clients\": []}"
			: rest   ? rest + 1
				 : "}");
	heap_free(name);
	heap_free(rest);
	return ok;
}

// Prints the groups of the body as a file has them. False: replied with an error.
static bool groups_print(struct verb *v, const struct json_in *body, FILE *out)
{
	const struct json_in *list = json_in_get(body, "groups");
	const char *between = "", *beside = json_in_other(body, knows_beside, NULL);
	if (json_in_kind(list) != JSON_IN_LIST) {
		verb_refuse(v, 400, "groups: must be a list in the object that is the body");
		return false;
	}
	if (beside) {
		verb_refuse(v, 400, "%.64s: no such key", beside);
		return false;
	}
	fputs("{\"groups\": [", out);
	for (size_t i = 0; i < json_in_count(list); i++) {
		const struct json_in *item = json_in_at(list, i);
		const char *wrong = item_wrong(item);
		const char *other = wrong ? NULL : json_in_other(item, knows_key, NULL);
		if (wrong || other) {
			verb_refuse(v, 400, "groups[%zu]%s%.64s%s", i, wrong ? wrong : ".",
				other ? other : "", other ? ": no such key" : "");
			return false;
		}
		if (strcmp(json_in_text(json_in_get(item, "name")), CONFIG_EVERYONE) == 0)
			continue;
		if (!item_print(item, between, out)) {
			verb_fail(v, -ENOMEM);
			return false;
		}
		between = ", ";
	}
	fputs("]}", out);
	return true;
}

// The groups of the body as a text of the configuration, for free(). NULL: replied with an error.
static char *groups_text(struct verb *v)
{
	char why[JSON_IN_WHY_MAX], *text = NULL;
	size_t len;
	char *sent = http_body_take(v->exchange, &len);
	struct json_in *body = sent ? json_in_read(sent, len, why) : NULL;
	FILE *out = body ? open_memstream(&text, &len) : NULL;
	if (sent && !body)
		verb_refuse(v, 400, "the body is no JSON: %s", why);
	else if (!out)
		verb_fail(v, -ENOMEM);
	bool ok = out && groups_print(v, body, out);
	if (out && fclose(out) != 0 && ok) {
		verb_fail(v, -ENOMEM);
		ok = false;
	}
	json_in_free(body);
	heap_free(sent);
	if (!ok)
		FREE_AND_NULL(text);
	return text;
}

// Makes the groups those of the body.
static void serve_put(struct api *a, struct http_exchange *x)
{
	struct config_put_counts counts;
	char why[CONFIG_WHY_MAX];
	bool is_check;
	struct verb *v = api_param_flag(x, "check", &is_check) ? verb_begin(a, x) : NULL;
	char *text = v ? groups_text(v) : NULL;
	if (!text)
		return;
	const int rc = config_managed_groups_put(
		v->managed, a->deps.config_bundle(a->deps.reload_arg), text, &counts, why);
	heap_free(text);
	if (rc == -EINVAL)
		verb_refuse_config(v, why);
	else if (rc < 0)
		verb_fail(v, rc);
	else
		put_finish(v, "groups", &counts, is_check);
}

const struct api_part api_members_part = {
	.endpoint = {{"/groups", serve_put, API_PUT, CONTROL_ADMIN, "check why if_version"},
		{"/groups/add", serve_add, API_POST, CONTROL_ADMIN,
			"client! group! why if_version"},
		{"/groups/remove", serve_remove, API_POST, CONTROL_ADMIN,
			"client! group why if_version"},
		{"/groups/move", serve_move, API_POST, CONTROL_ADMIN,
			"client! group! why if_version"}},
};
