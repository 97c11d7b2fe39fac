// SPDX-License-Identifier: BSD-3-Clause

#include "import_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void import_items_free(struct import_items *items)
{
	for (unsigned i = 0; i < items->count; i++) {
		free(items->item[i].text);
		free(items->item[i].note);
	}
	free(items->item);
	*items = (struct import_items){0};
}

void import_model_record_free(struct import_record *r)
{
	free(r->name);
	free(r->type);
	free(r->value);
}

static void group_free(struct import_group *g)
{
	free(g->name);
	free(g->note);
	import_items_free(&g->clients);
	import_items_free(&g->lists);
	import_items_free(&g->allow);
	import_items_free(&g->deny);
	import_items_free(&g->services);
	import_items_free(&g->safe_search);
	import_items_free(&g->upstreams);
}

void import_model_drop_group(struct import_model *m)
{
	group_free(&m->group[--m->group_count]);
}

static void arrays_free(struct import_model *m)
{
	for (unsigned i = 0; i < m->list_count; i++) {
		free(m->list[i].name);
		free(m->list[i].place);
		free(m->list[i].note);
	}
	for (unsigned i = 0; i < m->record_count; i++)
		import_model_record_free(&m->record[i]);
	for (unsigned i = 0; i < m->zone_count; i++) {
		free(m->zone[i].name);
		import_items_free(&m->zone[i].servers);
	}
	for (unsigned i = 0; i < m->client_count; i++) {
		free(m->client[i].name);
		import_items_free(&m->client[i].members);
	}
	for (unsigned i = 0; i < m->group_count; i++)
		group_free(&m->group[i]);
	for (unsigned i = 0; i < m->value_count; i++) {
		free(m->value[i].text);
		free(m->value[i].note);
	}
}

void import_model_free(struct import_model *m)
{
	struct import_items *const items[] = {&m->allow, &m->deny, &m->services, &m->safe_search,
		&m->upstreams, &m->bootstrap, &m->hosts_files, &m->closed_zones, &m->open_zones,
		&m->access_allow, &m->access_deny, &m->negative_anchors, &m->rebinding_allow,
		&m->misses};
	arrays_free(m);
	free(m->list);
	free(m->record);
	free(m->zone);
	free(m->client);
	free(m->group);
	free(m->value);
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		import_items_free(items[i]);
	*m = (struct import_model){0};
}

void *import_model_grow(struct import_model *m, void *array, unsigned *count, unsigned *room,
	size_t size, unsigned max)
{
	void *old;
	if (m->failed)
		return NULL;
	if (*count >= max) {
		m->beyond++;
		return NULL;
	}
	memcpy(&old, array, sizeof(old));
	if (*count == *room) {
		const unsigned more = *room ? 2 * *room : 16;
		void *grown = reallocarray(old, more, size);
		if (!grown) {
			m->failed = true;
			return NULL;
		}
		memcpy(array, &grown, sizeof(grown));
		*room = more;
		old = grown;
	}
	void *one = (char *)old + (size_t)(*count)++ * size;
	memset(one, 0, size);
	return one;
}

char *import_model_text(struct import_model *m, const char *fmt, ...)
{
	va_list args;
	char *text = NULL;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0) {
		text = NULL;
		m->failed = true;
	}
	va_end(args);
	return text;
}

bool import_items_have(const struct import_items *items, const char *text)
{
	for (unsigned i = 0; i < items->count; i++)
		if (strcmp(items->item[i].text, text) == 0)
			return true;
	return false;
}

bool import_items_add(
	struct import_model *m, struct import_items *items, const char *text, const char *note)
{
	struct import_item *one = import_model_grow(m, &items->item, &items->count, &items->room,
		sizeof(*items->item), IMPORT_ITEMS_MAX);
	if (!one)
		return false;
	one->text = strdup(text);
	one->note = note && *note ? strdup(note) : NULL;
	if (one->text && (!note || !*note || one->note))
		return true;
	free(one->text);
	free(one->note);
	items->count--;
	m->failed = true;
	return false;
}

// Among the last few: what a reader says of one thing for several groups.
static bool is_said(const struct import_model *m, const char *text, const char *place)
{
	for (unsigned i = m->misses.count; i > 0 && i + 16 > m->misses.count; i--)
		if (strcmp(m->misses.item[i - 1].text, text) == 0
			&& strcmp(m->misses.item[i - 1].note, place) == 0)
			return true;
	return false;
}

void import_miss(struct import_model *m, const char *what, const char *fmt, ...)
{
	char text[700];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	char *place = import_model_text(
		m, "%s%s%.300s", m->place ? m->place : "", what ? ": " : "", what ? what : "");
	if (place && !is_said(m, text, place))
		import_items_add(m, &m->misses, text, place);
	free(place);
}
