// SPDX-License-Identifier: BSD-3-Clause

#include "import_settle.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/config.h>

enum { PATTERNS_MANY = 4096 };

static int by_record(const void *x, const void *y)
{
	const struct import_record *a = x, *b = y;
	int order = strcmp(a->name, b->name);
	// A CNAME comes first, so that what follows it is known to be beside it.
	if (order == 0)
		order = (strcmp(a->type, "CNAME") != 0) - (strcmp(b->type, "CNAME") != 0);
	if (order == 0)
		order = strcmp(a->type, b->type);
	return order ? order : strcasecmp(a->value, b->value);
}

static struct import_value *value_find(
	const struct import_model *m, const char *section, const char *key)
{
	for (unsigned i = 0; i < m->value_count; i++)
		if (strcmp(m->value[i].section, section) == 0 && strcmp(m->value[i].key, key) == 0)
			return &m->value[i];
	return NULL;
}

// weir refuses a shortest time that is longer than the longest.
static void ttls_settle(struct import_model *m)
{
	struct import_value *least = value_find(m, "cache", "min_ttl");
	const struct import_value *most = value_find(m, "cache", "max_ttl");
	if (!least || !most || !least->text || !most->text
		|| strtol(least->text, NULL, 10) <= strtol(most->text, NULL, 10))
		return;
	import_miss(
		m, "cache", "the shortest TTL, %s, is over the longest, which counts", least->text);
	free(least->text);
	least->text = import_model_text(m, "%s", most->text);
}

// An answer by addresses needs one.
static void mode_settle(struct import_model *m)
{
	struct import_value *mode = value_find(m, "blocking", "mode");
	if (!mode || !mode->text || strcmp(mode->text, "address") != 0
		|| value_find(m, "blocking", "ipv4") || value_find(m, "blocking", "ipv6"))
		return;
	import_miss(m, "blocking.mode", "it answers with an address, and has none: 0.0.0.0 and ::");
	free(mode->text);
	mode->text = import_model_text(m, "'null'");
}

static void records_settle(struct import_model *m)
{
	unsigned kept = 0;
	if (m->record_count == 0)
		return;
	qsort(m->record, m->record_count, sizeof(*m->record), by_record);
	for (unsigned i = 0; i < m->record_count; i++) {
		struct import_record *r = &m->record[i],
				     *before = kept ? &m->record[kept - 1] : NULL;
		const bool is_twice = before && by_record(before, r) == 0;
		const bool is_beside = before && !is_twice && strcmp(before->name, r->name) == 0
				       && strcmp(before->type, "CNAME") == 0;
		if (is_beside)
			import_miss(m, r->name,
				"its record %s %s is left out: the name has a CNAME, and so no "
				"other "
				"record",
				r->type, r->value);
		if (is_twice || is_beside)
			import_model_record_free(r);
		else
			m->record[kept++] = *r;
	}
	m->record_count = kept;
}

// A resolver without servers has none to choose among.
static void upstreams_settle(struct import_model *m)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < m->value_count; i++) {
		const bool is_of_servers = m->is_recursive && m->upstreams.count == 0
					   && strcmp(m->value[i].section, "upstreams") == 0;
		if (is_of_servers) {
			free(m->value[i].text);
			free(m->value[i].note);
		} else {
			m->value[kept++] = m->value[i];
		}
	}
	m->value_count = kept;
}

// Keeps the first `max` of the items, none twice and none of `before` (or NULL).
static void items_settle(struct import_model *m, struct import_items *items,
	const struct import_items *before, unsigned max, const char *key)
{
	unsigned gone = 0;
	struct import_items kept = {.item = items->item};
	for (unsigned i = 0; i < items->count; i++) {
		struct import_item one = items->item[i];
		const bool is_twice = import_items_have(&kept, one.text)
				      || (before && import_items_have(before, one.text));
		if (!is_twice && kept.count < max) {
			kept.item[kept.count++] = one;
			continue;
		}
		gone += !is_twice;
		free(one.text);
		free(one.note);
	}
	items->count = kept.count;
	if (gone)
		import_miss(m, key, "%u entries are left out: weir takes %u here", gone, max);
}

// Entries may be there twice, and are many: only the bound counts.
static void entries_cut(struct import_model *m, struct import_items *items, const char *key)
{
	const unsigned gone = items->count > CONFIG_GROUP_ENTRIES_MAX
				      ? items->count - CONFIG_GROUP_ENTRIES_MAX
				      : 0;
	for (unsigned i = 0; i < gone; i++) {
		free(items->item[--items->count].text);
		free(items->item[items->count].note);
	}
	if (gone)
		import_miss(m, key, "%u entries are left out: a group of weir has %d at most", gone,
			CONFIG_GROUP_ENTRIES_MAX);
}

static void members_settle(struct import_model *m)
{
	unsigned left = CONFIG_PREFIXES_MAX;
	for (unsigned i = 0; i < m->group_count; i++) {
		struct import_group *g = &m->group[i];
		items_settle(m, &g->clients, NULL, left, g->name);
		left -= g->clients.count;
		entries_cut(m, &g->allow, g->name);
		entries_cut(m, &g->deny, g->name);
	}
	left = CONFIG_PREFIXES_MAX;
	for (unsigned i = 0; i < m->client_count; i++) {
		items_settle(m, &m->client[i].members, NULL, left, m->client[i].name);
		left -= m->client[i].members.count;
	}
}

static unsigned patterns_in(const struct import_items *items)
{
	unsigned n = 0;
	for (unsigned i = 0; i < items->count; i++)
		n += items->item[i].text[0] == '/';
	return n;
}

// weir takes them all, but each build of the rules compiles them.
static void patterns_note(struct import_model *m)
{
	unsigned n = patterns_in(&m->allow) + patterns_in(&m->deny);
	for (unsigned i = 0; i < m->group_count; i++)
		n += patterns_in(&m->group[i].allow) + patterns_in(&m->group[i].deny);
	if (n > PATTERNS_MANY)
		import_miss(m, "patterns",
			"%u entries are patterns, which each build of the rules compiles (seconds "
			"for "
			"some thousand): write names where the names below may follow, or a list",
			n);
}

void import_settle(struct import_model *m)
{
	patterns_note(m);
	ttls_settle(m);
	mode_settle(m);
	upstreams_settle(m);
	records_settle(m);
	members_settle(m);
	items_settle(m, &m->closed_zones, NULL, CONFIG_LOCAL_ZONES_MAX, "local.zones");
	items_settle(m, &m->open_zones, &m->closed_zones,
		CONFIG_LOCAL_ZONES_MAX - m->closed_zones.count, "local.zones");
	items_settle(m, &m->negative_anchors, NULL, CONFIG_NEGATIVE_MAX, "negative_anchors");
	items_settle(m, &m->access_allow, NULL, CONFIG_ACCESS_MAX, "access.allow");
	items_settle(m, &m->access_deny, NULL, CONFIG_ACCESS_MAX, "access.deny");
}
