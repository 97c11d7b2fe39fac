// SPDX-License-Identifier: BSD-3-Clause
#include "rebinding_source.h"

#include "lists/list_name.h"
#include "rule_image/rule_build.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

struct rebinding_source {
	unsigned count;
	struct dns_name allow[];
};

static unsigned forwards_add(
	const struct config_forward_zone *zone, unsigned count, struct dns_name *out)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++)
		// The root is no zone of one's own.
		if (zone[i].name.labels > 0 && zone[i].server_count > 0)
			out[n++] = zone[i].name;
	return n;
}

int rebinding_source_new(const struct config *c, struct rebinding_source **out)
{
	const struct config_rebinding *r = &c->blocking.rebinding;
	size_t most = (size_t)r->allow_count + c->forward_count;

	*out = NULL;
	if (!r->enabled)
		return 0;
	for (unsigned i = 0; i < c->group_count; i++)
		most += c->groups[i].forward_count;
	struct rebinding_source *s = heap_calloc(1, sizeof(*s) + most * sizeof(s->allow[0]));
	if (!s)
		return -ENOMEM;
	if (r->allow_count)
		memcpy(s->allow, r->allow, r->allow_count * sizeof(s->allow[0]));
	s->count = r->allow_count;
	s->count += forwards_add(c->forwards, c->forward_count, s->allow + s->count);
	for (unsigned i = 0; i < c->group_count; i++)
		s->count += forwards_add(
			c->groups[i].forwards, c->groups[i].forward_count, s->allow + s->count);
	*out = s;
	return 0;
}

void rebinding_source_free(struct rebinding_source *s)
{
	heap_free(s);
}

int rebinding_source_rules(void *source, list_rule_take take, void *take_arg)
{
	const struct rebinding_source *s = source;
	int rc = 0;

	for (unsigned i = 0; i < LIST_OWN_PREFIXES && rc == 0; i++) {
		struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, NULL);
		rule.what = LIST_RULE_ADDRESS;
		rc = ip_address_parse(list_own_prefixes[i], &rule.prefix);
		if (rc == 0)
			rc = take(take_arg, &rule);
	}
	for (unsigned i = 0; i < s->count && rc == 0; i++) {
		struct list_rule rule = rule_of_name(RULE_CLASS_EXCEPT, &s->allow[i]);
		rc = take(take_arg, &rule);
	}
	return rc;
}
