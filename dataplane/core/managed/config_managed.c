// SPDX-License-Identifier: BSD-3-Clause

// The model is what libcyaml makes of the text (config_schema.h), so that config_raw_free() frees
// it.

#include "config_managed.h"

#include "config_print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

int config_managed_parse(const char *text, struct config_managed **out, char why[CONFIG_WHY_MAX])
{
	struct config_errors *errors = heap_calloc(1, sizeof(*errors));
	struct config_managed *m = heap_calloc(1, sizeof(*m));
	struct config_doc doc = {
		.path = "managed.yaml", .len = strlen(text), .errors = errors, .is_included = true};
	int rc = -ENOMEM;
	snprintf(why, CONFIG_WHY_MAX, "managed.yaml: out of memory");
	if (doc.len > CONFIG_MANAGED_MAX) {
		snprintf(why, CONFIG_WHY_MAX, "managed.yaml: more than %d bytes",
			CONFIG_MANAGED_MAX);
		rc = -EFBIG;
	} else if (errors && m && (doc.text = (uint8_t *)heap_strdup(text)) != NULL) {
		rc = config_raw_check(&doc);
		if (rc == 0)
			rc = config_raw_load(&doc, &m->raw);
		if (rc == 0 && errors->count > 0)
			rc = -EINVAL;
		if (rc == -EINVAL)
			snprintf(why, CONFIG_WHY_MAX, "%s", errors->text[0]);
	}
	FREE_AND_NULL(doc.text);
	heap_free(errors);
	if (rc == 0)
		*out = m;
	else
		config_managed_free(m);
	return rc;
}

void config_managed_free(struct config_managed *m)
{
	if (m && m->raw)
		config_raw_free(m->raw);
	heap_free(m);
}

char *config_managed_text(const struct config_managed *m, const char *head)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	fputs(head, f);
	const long head_len = ftell(f);
	config_print(m->raw, f);
	const bool is_empty = ftell(f) == head_len;
	if (fclose(f) != 0) {
		heap_free(text);
		return NULL;
	}
	if (is_empty)
		text[0] = '\0';
	return text;
}

bool managed_text_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

void *managed_item_new(void *list, unsigned count, size_t size)
{
	char *grown = heap_reallocarray(list, count + 1, size);
	if (grown)
		memset(grown + count * size, 0, size);
	return grown;
}

bool managed_texts_take(char **const to[], const char *const from[], unsigned count)
{
	bool whole = true;
	for (unsigned i = 0; i < count; i++) {
		*to[i] = from[i] ? heap_strdup(from[i]) : NULL;
		whole &= !from[i] || *to[i];
	}
	return whole;
}

void managed_texts_free(char **const texts[], unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		FREE_AND_NULL(*texts[i]);
}

void managed_item_close(void *list, unsigned *count, size_t size, unsigned i)
{
	char *at = (char *)list + i * size;
	memmove(at, at + size, (--*count - i) * size);
}

#define ENTRY_TEXTS(e)                                                         \
	{                                                                      \
		&(e)->name, &(e)->verdict, &(e)->group, &(e)->until, &(e)->why \
	}
enum { ENTRY_TEXTS_COUNT = 5 };

static void entry_close(struct config_raw *raw, unsigned i)
{
	char **const texts[] = ENTRY_TEXTS(&raw->entries[i]);
	managed_texts_free(texts, ENTRY_TEXTS_COUNT);
	managed_item_close(raw->entries, &raw->entries_count, sizeof(*raw->entries), i);
}

static unsigned entry_find(const struct config_raw *raw, const struct managed_entry *e)
{
	unsigned i = 0;
	while (i < raw->entries_count
		&& !(managed_text_same(raw->entries[i].name, e->name)
			&& managed_text_same(raw->entries[i].group, e->group)
			&& (!e->verdict || managed_text_same(raw->entries[i].verdict, e->verdict))))
		i++;
	return i;
}

int config_managed_entry_set(struct config_managed *m, const struct managed_entry *e)
{
	struct config_raw *raw = m->raw;
	const char *const from[] = {e->name, e->verdict, e->group, e->until, e->why};
	const struct managed_entry any = {.name = e->name, .group = e->group};
	const unsigned before = entry_find(raw, &any);
	const bool is_there = before < raw->entries_count;
	if (!is_there && raw->entries_count == CONFIG_DATED_MAX)
		return -E2BIG;
	struct config_raw_entry *grown =
		managed_item_new(raw->entries, raw->entries_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	raw->entries = grown;
	char **const to[] = ENTRY_TEXTS(&grown[raw->entries_count]);
	raw->entries_count++;
	if (!managed_texts_take(to, from, ENTRY_TEXTS_COUNT)) {
		entry_close(raw, raw->entries_count - 1);
		return -ENOMEM;
	}
	if (!is_there)
		return 0;
	const int replaced = raw->entries[before].until ? 1 : 2;
	entry_close(raw, before);
	return replaced;
}

int config_managed_entry_remove(struct config_managed *m, const struct managed_entry *e)
{
	const unsigned i = entry_find(m->raw, e);
	if (i == m->raw->entries_count)
		return -ENOENT;
	entry_close(m->raw, i);
	return 0;
}

unsigned config_managed_entries_end(struct config_managed *m, int64_t now)
{
	unsigned ended = 0;
	for (unsigned i = 0; i < m->raw->entries_count;) {
		const char *text = m->raw->entries[i].until;
		int64_t until;
		if (text && config_time_parse(text, &until) == 0 && until <= now) {
			entry_close(m->raw, i);
			ended++;
		} else {
			i++;
		}
	}
	return ended;
}

static unsigned member_find(const struct config_raw *raw, const char *group, const char *client)
{
	unsigned i = 0;
	while (i < raw->group_members_count
		&& !(managed_text_same(raw->group_members[i].client, client)
			&& (!group || managed_text_same(raw->group_members[i].group, group))))
		i++;
	return i;
}

static void member_close(struct config_raw *raw, unsigned i)
{
	FREE_AND_NULL(raw->group_members[i].group);
	FREE_AND_NULL(raw->group_members[i].client);
	managed_item_close(
		raw->group_members, &raw->group_members_count, sizeof(*raw->group_members), i);
}

int config_managed_member_add(struct config_managed *m, const char *group, const char *client)
{
	struct config_raw *raw = m->raw;
	const char *const from[] = {group, client};
	if (member_find(raw, NULL, client) < raw->group_members_count)
		return -EEXIST;
	if (raw->group_members_count == CONFIG_PREFIXES_MAX + CONFIG_MACS_MAX)
		return -E2BIG;
	struct config_raw_member *grown =
		managed_item_new(raw->group_members, raw->group_members_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	raw->group_members = grown;
	char **const to[] = {
		&grown[raw->group_members_count].group, &grown[raw->group_members_count].client};
	raw->group_members_count++;
	if (managed_texts_take(to, from, ARRAY_LEN(to)))
		return 0;
	member_close(raw, raw->group_members_count - 1);
	return -ENOMEM;
}

int config_managed_member_remove(struct config_managed *m, const char *group, const char *client)
{
	const unsigned i = member_find(m->raw, group, client);
	if (i == m->raw->group_members_count)
		return -ENOENT;
	member_close(m->raw, i);
	return 0;
}

const char *config_managed_member_group(const struct config_managed *m, const char *client)
{
	const unsigned i = member_find(m->raw, NULL, client);
	return i < m->raw->group_members_count ? m->raw->group_members[i].group : NULL;
}
