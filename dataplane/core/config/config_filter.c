// SPDX-License-Identifier: BSD-3-Clause

#include "config_filter.h"

#include "config_entries.h"
#include "config_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>

static const char *service_near(const char *text)
{
	struct text_near near;
	text_near_begin(&near, text);
	for (unsigned i = 0; i < SERVICE_COUNT; i++)
		text_near_try(&near, service_word(i));
	return near.best;
}

int config_services_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, struct service_set *out)
{
	int rc = 0;
	for (unsigned i = 0; i < config_list_count(items); i++) {
		char key[CONFIG_PATH_MAX], shown[80];
		const char *text = items->child[i]->text;
		int service = service_find(text);
		config_item_key(key, list, i, NULL);
		if (service < 0) {
			rc = config_refuse_near(doc, key, service_near(text),
				"no service is called \"%s\" (`weirctl services` names them)",
				text_escape(text, shown, sizeof(shown)));
			continue;
		}
		if (service_set_has(out, (unsigned)service))
			rc = config_refuse(doc, key, "given twice");
		service_set_add(out, (unsigned)service);
	}
	return rc;
}

static const char *list_near(const struct config_blocking *blocking, const char *text)
{
	struct text_near near;
	text_near_begin(&near, text);
	for (unsigned i = 0; i < blocking->list_count; i++)
		if (blocking->lists[i].name)
			text_near_try(&near, blocking->lists[i].name);
	for (unsigned i = 0; i < blocking->disabled_count; i++)
		text_near_try(&near, blocking->disabled[i].name);
	return near.best;
}

// The number of the list. list_count: the list is disabled, or may be one whose own name was
// refused. -EINVAL by config_refuse.
static int list_find(const struct config_doc *doc, const char *key, const char *text,
	const struct config_blocking *blocking)
{
	char shown[CONFIG_TITLE_MAX + 1];
	bool is_nameless = false;
	for (unsigned k = 0; k < blocking->list_count; k++) {
		const char *name = blocking->lists[k].name;
		if (name && strcmp(name, text) == 0)
			return (int)k;
		is_nameless |= !name;
	}
	if (is_nameless || config_list_is_disabled(blocking, text))
		return (int)blocking->list_count;
	return config_refuse_near(doc, key, list_near(blocking, text), "list \"%s\" is not defined",
		text_escape(text, shown, sizeof(shown)));
}

int config_list_names_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config_blocking *blocking, unsigned **out,
	unsigned *out_count)
{
	const unsigned count = config_list_count(items);
	int rc = 0;
	if (count == 0)
		return 0;
	*out = heap_calloc(count, sizeof **out);
	if (!*out)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		char key[CONFIG_PATH_MAX];
		int k = list_find(
			doc, config_item_key(key, list, i, NULL), items->child[i]->text, blocking);
		if (k < 0)
			rc = k;
		else if ((unsigned)k < blocking->list_count)
			(*out)[(*out_count)++] = (unsigned)k;
	}
	return rc;
}

static int level_apply(const struct config_doc *doc, const char *key, const char *text,
	unsigned engine, uint8_t *level)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "strict") == 0)
		*level = SAFE_LEVEL_STRICT;
	else if (strcmp(text, "false") == 0 || strcmp(text, "off") == 0)
		*level = SAFE_LEVEL_OFF;
	else if (strcmp(text, "moderate") == 0 && engine == SAFE_ENGINE_YOUTUBE)
		*level = SAFE_LEVEL_MODERATE;
	else
		return config_refuse(doc, key,
			engine == SAFE_ENGINE_YOUTUBE
				? "must be one of: off, moderate, strict, true, false"
				: "must be one of: off, strict, true, false");
	return 0;
}

static int safe_search_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, struct config_safe_search *out)
{
	char base[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	bool all = false;
	config_sub_key(base, owner, "safe_search");
	int rc = config_bool_of(doc, base, node, "all", &all);
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++) {
		out->level[i] = all ? SAFE_LEVEL_STRICT : SAFE_LEVEL_OFF;
		const char *text = config_node_text(node, safe_engine_word(i));
		if (text)
			rc = config_worse(
				rc, level_apply(doc, config_sub_key(key, base, safe_engine_word(i)),
					    text, i, &out->level[i]));
	}
	return rc;
}

int config_filter_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const struct config_blocking *blocking,
	struct config_filter *out)
{
	char key[CONFIG_PATH_MAX];
	int rc = config_services_apply(doc, config_sub_key(key, owner, "services"),
		config_node_list(node, "services"), &out->services);
	const struct config_node *safe = config_node_mapping(node, "safe_search");
	if (safe)
		rc = config_worse(rc, safe_search_apply(doc, owner, safe, &out->safe_search));
	return config_worse(
		rc, config_schedules_apply(doc, owner, node, blocking, &out->schedules));
}

void config_filter_free(struct config_filter *f)
{
	config_schedules_free(&f->schedules);
}
