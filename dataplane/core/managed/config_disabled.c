// SPDX-License-Identifier: BSD-3-Clause

// Lists that the key `blocking.disabled_lists` takes out of use: they stay defined, so that groups
// and schedules may still name them.

#include "core/config/config_filter.h"
#include "core/config/config_sections.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>

static bool is_named(const struct config_node *node, const char *name)
{
	for (unsigned i = 0; i < config_node_count(node, "disabled_lists"); i++)
		if (strcmp(config_node_item_text(node, "disabled_lists", i), name) == 0)
			return true;
	return false;
}

// All of them are lists.
static int names_check(const struct config_doc *doc, const struct config_node *node,
	const struct config_blocking *b)
{
	unsigned *lists = NULL, count = 0;
	int rc = config_list_names_apply(doc, "blocking.disabled_lists",
		config_node_list(node, "disabled_lists"), b, &lists, &count);
	heap_free(lists);
	return rc;
}

int config_disabled_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_blocking *b)
{
	if (config_node_count(node, "disabled_lists") == 0)
		return 0;
	int rc = names_check(doc, node, b);
	if (rc < 0)
		return rc;
	b->disabled = heap_calloc(b->list_count, sizeof(*b->disabled));
	if (!b->disabled)
		return -ENOMEM;
	unsigned kept = 0;
	for (unsigned i = 0; i < b->list_count; i++) {
		if (is_named(node, b->lists[i].name))
			b->disabled[b->disabled_count++] = b->lists[i];
		else
			b->lists[kept++] = b->lists[i];
	}
	b->list_count = kept;
	return 0;
}

bool config_list_is_disabled(const struct config_blocking *b, const char *name)
{
	for (unsigned i = 0; i < b->disabled_count; i++)
		if (strcmp(b->disabled[i].name, name) == 0)
			return true;
	return false;
}
