// SPDX-License-Identifier: BSD-3-Clause

#include "import_adguard_clients.h"

#include "import_add.h"
#include "import_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void import_adguard_services(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *of, struct import_items *to)
{
	const struct yaml_place *ids = import_yaml_is_list(of) ? of : import_yaml_get(t, of, "ids");
	const struct yaml_place *schedule = import_yaml_get(t, of, "schedule");
	for (size_t i = 0; i < import_yaml_count(ids); i++)
		import_add_service(m, to, import_yaml_text(import_yaml_at(t, ids, i)));
	if (import_yaml_count(schedule) > 1 && import_yaml_count(ids))
		import_miss(m, "blocked_services.schedule",
			"hours in which services are not blocked are left out: weir has schedules "
			"(docs/how-to/groups.md)");
}

void import_adguard_search(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *of, struct import_items *to, bool says_off)
{
	static const char *const engines[] = {
		"google", "bing", "youtube", "duckduckgo", "yandex", "pixabay", "ecosia"};
	const bool enabled = import_yaml_flag(t, of, "enabled");
	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		const bool is_on = enabled && import_yaml_flag(t, of, engines[i]);
		if (is_on || says_off)
			import_items_add(m, to, engines[i], is_on ? "strict" : "'off'");
	}
}

static bool has_own(const struct yaml_tree *t, const struct yaml_place *client)
{
	return strcmp(import_yaml_word(t, client, "use_global_settings"), "false") == 0
	       || strcmp(import_yaml_word(t, client, "use_global_blocked_services"), "false") == 0
	       || import_yaml_count(import_yaml_get(t, client, "upstreams")) > 0;
}

static void items_copy(
	struct import_model *m, struct import_items *to, const struct import_items *from)
{
	for (unsigned i = 0; i < from->count; i++)
		import_items_add(m, to, from->item[i].text, from->item[i].note);
}

static void group_fill(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *client, struct import_group *g)
{
	const struct yaml_place *upstreams = import_yaml_get(t, client, "upstreams");
	g->no_inherit = g->own_lists = true;
	for (unsigned i = 0; i < m->list_count; i++)
		import_items_add(m, &g->lists, m->list[i].name, NULL);
	if (strcmp(import_yaml_word(t, client, "use_global_settings"), "false") == 0) {
		g->no_blocking =
			strcmp(import_yaml_word(t, client, "filtering_enabled"), "false") == 0;
		import_adguard_search(
			m, t, import_yaml_get(t, client, "safe_search"), &g->safe_search, false);
	} else {
		items_copy(m, &g->safe_search, &m->safe_search);
	}
	if (strcmp(import_yaml_word(t, client, "use_global_blocked_services"), "false") == 0)
		import_adguard_services(
			m, t, import_yaml_get(t, client, "blocked_services"), &g->services);
	else
		items_copy(m, &g->services, &m->services);
	for (size_t i = 0; i < import_yaml_count(upstreams); i++) {
		const char *server = import_yaml_text(import_yaml_at(t, upstreams, i));
		if (strncmp(server, "[/", 2) == 0)
			import_miss(m, g->name,
				"%.100s: servers of zones for one client are left out", server);
		else if (*server && *server != '#')
			import_server_add(m, &g->upstreams, server, NULL);
	}
}

static bool items_same(const struct import_items *a, const struct import_items *b)
{
	bool same = a->count == b->count;
	for (unsigned i = 0; same && i < a->count; i++)
		same = import_items_have(b, a->item[i].text);
	return same;
}

// A group with the same settings from before `g`, the last one.
static struct import_group *twin_find(struct import_model *m, const struct import_group *g)
{
	for (unsigned i = 0; &m->group[i] != g; i++) {
		struct import_group *o = &m->group[i];
		if (o->no_blocking == g->no_blocking && items_same(&o->services, &g->services)
			&& items_same(&o->safe_search, &g->safe_search)
			&& items_same(&o->upstreams, &g->upstreams))
			return o;
	}
	return NULL;
}

static void client_take(
	struct import_model *m, const struct yaml_tree *t, const struct yaml_place *client)
{
	const char *name = import_yaml_word(t, client, "name");
	const struct yaml_place *ids = import_yaml_get(t, client, "ids");
	struct import_client *c = import_add_client(m, name);
	struct import_group *g = NULL, *twin = NULL;
	if (has_own(t, client))
		g = import_add_group(m, name, "from AdGuard Home: a client with its own settings");
	if (g)
		group_fill(m, t, client, g);
	if (g)
		twin = twin_find(m, g);
	if (twin) {
		import_model_drop_group(m);
		g = twin;
	}
	for (size_t i = 0; c && i < import_yaml_count(ids); i++) {
		const char *id = import_yaml_text(import_yaml_at(t, ids, i));
		if (!import_add_client_member(m, c, id))
			import_miss(m, name,
				"its ClientID `%.60s` is left out: groups have client_names "
				"(docs/how-to/groups.md#by-name)",
				id);
		else if (g)
			import_add_group_client(m, g, id, name);
	}
	if (import_yaml_flag(t, client, "safebrowsing_enabled")
		|| import_yaml_flag(t, client, "parental_enabled"))
		if (g)
			import_miss(m, name,
				"safe browsing and parental control are left out: weir "
				"asks no service about names");
}

void import_adguard_clients(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *clients = import_yaml_get(t, import_yaml_root(t), "clients");
	const struct yaml_place *all =
		import_yaml_is_list(clients) ? clients : import_yaml_get(t, clients, "persistent");
	for (size_t i = 0; i < import_yaml_count(all); i++)
		client_take(m, t, import_yaml_at(t, all, i));
}
