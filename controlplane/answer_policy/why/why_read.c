// SPDX-License-Identifier: BSD-3-Clause
#include "why_read.h"

#include <stdio.h>
#include <string.h>

// What all hits of a list have in common. False: no list has that number.
static bool hit_begin(
	struct why *w, const struct rule_reader *r, unsigned list, struct why_hit *out)
{
	const struct rule_list_info *info = rule_list_info(r, list);
	if (!info)
		return false;
	*out = (struct why_hit){.list = (uint16_t)list, .kind = info->kind};
	out->source = info->source;
	out->order = (uint16_t)(info->kind.reply == RULE_REPLY_GROUP ? RULE_LISTS_MAX + list
								     : r->way[list].order);
	memcpy(out->title, info->title, sizeof(out->title));
	const struct rule_source_info *source = rule_source_info(r, info->source);
	if (source)
		why_source_add(w, info->source, source->content_hash, info->title);
	return true;
}

void why_read_name(struct why *w, unsigned name, const struct rule_reader *r)
{
	struct rule_match match[RULE_LABELS_MAX];
	unsigned count = rule_holders(r, &w->name[name], match);
	for (unsigned i = 0; i < count; i++) {
		for (unsigned list = 0; list < RULE_LISTS_MAX; list++) {
			struct why_hit h;
			if (!(match[i].set.lists[list / 64] >> list % 64 & 1)
				|| !hit_begin(w, r, list, &h))
				continue;
			h.name = (uint8_t)name;
			h.labels = match[i].labels;
			why_hit_add(w, &h);
		}
	}
}

static bool prefix_has(const struct rule_prefix_row *p, const struct ip_address *a)
{
	return p->version == a->version && p->length <= (p->version == 4 ? 32 : 128)
	       && bits_same(p->bytes, a->bytes, p->length);
}

static void address_hit(struct why *w, const struct rule_reader *r, const struct rule_prefix_row *p,
	unsigned address)
{
	struct ip_address prefix = {.version = p->version, .prefix_len = p->length};
	char text[SOCKET_ADDRESS_TEXT_MAX];
	struct why_hit h;
	if (!hit_begin(w, r, p->list, &h))
		return;
	memcpy(prefix.bytes, p->bytes, sizeof(prefix.bytes));
	h.what = WHY_ADDRESS;
	h.prefix = prefix;
	h.name = (uint8_t)address;
	snprintf(h.text, sizeof(h.text), "%s", ip_address_text(&prefix, true, text));
	why_hit_add(w, &h);
}

void why_read_addresses(struct why *w, const struct rule_reader *r)
{
	struct rule_prefix_row p;
	for (uint32_t i = 0; w->addresses && i < r->prefix_count; i++) {
		if (!rule_prefix_at(r, i, &p))
			continue;
		for (unsigned k = 0; k < w->addresses; k++)
			if (prefix_has(&p, &w->address[k]))
				address_hit(w, r, &p, k);
	}
}
